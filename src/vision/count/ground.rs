//! Places on the ground, and how fast objects move over it.

use std::collections::{BTreeMap, VecDeque};

use super::Place;

/// A plane seen in the picture: pixels to metres by a homography.
#[derive(Clone, Debug, PartialEq)]
pub struct Ground([f64; 9]);

impl Ground {
    /// From four places in the picture (pixels) and where these are on the ground (metres). `None` where three of either lie
    /// on one line. The direct linear transformation (Hartley and Zisserman, Multiple View Geometry, 4.1), h₃₃ = 1.
    pub fn new(picture: [Place; 4], ground: [Place; 4]) -> Option<Self> {
        if flat(picture) || flat(ground) {
            return None;
        }
        let mut rows = [[0.0; 9]; 8];
        for (i, ((x, y), (u, v))) in picture.into_iter().zip(ground).enumerate() {
            rows[2 * i] = [x, y, 1.0, 0.0, 0.0, 0.0, -u * x, -u * y, u];
            rows[2 * i + 1] = [0.0, 0.0, 0.0, x, y, 1.0, -v * x, -v * y, v];
        }
        for c in 0..8 {
            let best = (c..8).max_by(|a, b| rows[*a][c].abs().total_cmp(&rows[*b][c].abs()))?;
            rows.swap(c, best);
            let pivot = rows[c];
            if pivot[c].abs() < 1e-12 {
                return None;
            }
            for row in rows.iter_mut().enumerate().filter(|(r, _)| *r != c).map(|(_, row)| row) {
                let share = row[c] / pivot[c];
                row.iter_mut().zip(&pivot).for_each(|(v, p)| *v -= share * p);
            }
        }
        let mut h = [1.0; 9];
        for (i, row) in rows.iter().enumerate() {
            h[i] = row[8] / row[i];
        }
        let side = |(x, y): Place| h[6] * x + h[7] * y + 1.0;
        // All four on one side of the horizon, or the plane is seen from behind.
        let first = side(picture[0]);
        (first.is_finite() && picture.iter().all(|p| side(*p) * first > 0.0))
            .then(|| Ground(h.map(|v| v * first.signum())))
    }

    /// Where a place in the picture is on the ground, in metres; `None` at the horizon and above it.
    pub fn at(&self, (x, y): Place) -> Option<Place> {
        let h = &self.0;
        let w = h[6] * x + h[7] * y + h[8];
        let place = ((h[0] * x + h[1] * y + h[2]) / w, (h[3] * x + h[4] * y + h[5]) / w);
        (w > 1e-9 && place.0.is_finite() && place.1.is_finite()).then_some(place)
    }
}

/// True where three of the places lie on one line, nearly.
fn flat(p: [Place; 4]) -> bool {
    [[0, 1, 2], [0, 1, 3], [0, 2, 3], [1, 2, 3]].iter().any(|[a, b, c]| {
        let longest = super::geometry::between(p[*a], p[*b]).max(super::geometry::between(p[*b], p[*c])).max(1e-12);
        (super::geometry::right_of(p[*a], p[*b], p[*c]) / (longest * longest)).abs() < 1e-4
    })
}

/// How an object moves.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Motion {
    /// Metres per second.
    pub speed: f64,
    /// Degrees from the ground's x axis towards its y axis, 0 to 360; `None` where it hardly moves.
    pub heading: Option<f64>,
}

/// Below this there is no direction, in metres per second.
const STILL: f64 = 0.15;

/// Where tracks were during the last seconds, on the ground.
#[derive(Debug)]
pub struct Paces {
    span: f64,
    tracks: BTreeMap<u32, VecDeque<(f64, Place)>>,
}

impl Paces {
    /// Speeds are those over `span` seconds.
    pub fn new(span: f64) -> Self {
        Paces { span, tracks: BTreeMap::new() }
    }

    /// The track is at `place` (in metres) at `time` (in seconds): how it moves, once that is known for half of the span.
    pub fn add(&mut self, track: u32, time: f64, place: Place) -> Option<Motion> {
        let path = self.tracks.entry(track).or_default();
        path.push_back((time, place));
        self.motion(track)
    }

    /// Forgets what is older than the span before `now`.
    pub fn forget(&mut self, now: f64) {
        let span = self.span;
        self.tracks.retain(|_, path| {
            path.retain(|(t, _)| *t <= now && now - t <= span + 1e-6);
            !path.is_empty()
        });
    }

    /// The slope of the line of least squares through place over time.
    pub fn motion(&self, track: u32) -> Option<Motion> {
        let path = self.tracks.get(&track)?;
        let n = path.len() as f64;
        let (first, last) = (path.front()?.0, path.back()?.0);
        if path.len() < 3 || last - first < self.span / 2.0 - 1e-6 {
            return None;
        }
        let mean = |f: fn(&(f64, Place)) -> f64| path.iter().map(f).sum::<f64>() / n;
        let (t, x, y) = (mean(|p| p.0), mean(|p| p.1.0), mean(|p| p.1.1));
        let (mut tt, mut tx, mut ty) = (0.0, 0.0, 0.0);
        for (time, place) in path {
            let dt = time - t;
            tt += dt * dt;
            tx += dt * (place.0 - x);
            ty += dt * (place.1 - y);
        }
        let (vx, vy) = (tx / tt, ty / tt);
        let speed = vx.hypot(vy);
        if !speed.is_finite() {
            return None;
        }
        Some(Motion { speed, heading: (speed >= STILL).then(|| vy.atan2(vx).to_degrees().rem_euclid(360.0)) })
    }
}

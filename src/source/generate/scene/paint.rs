//! Flat anti-aliased shapes and soft stains: all that the street is painted with.

use opencv::core::{Mat, Point, Scalar, ToInputOutputArray, Vec3b};
use opencv::imgproc;
use opencv::prelude::*;

/// Red, green, blue.
pub(super) type Rgb = [u8; 3];

/// A point in pixels; pixel centres lie on whole numbers.
pub(super) type Spot = (f64, f64);

/// Fractional bits of the coordinates given to OpenCV.
const SHIFT: i32 = 4;

/// `color` made darker (below 1) or lighter (above 1).
pub(super) fn shade(color: Rgb, by: f64) -> Rgb {
    color.map(|v| (f64::from(v) * by).round().clamp(0.0, 255.0) as u8)
}

/// From `a` (0) to `b` (1).
pub(super) fn blend(a: Rgb, b: Rgb, t: f64) -> Rgb {
    std::array::from_fn(|i| (f64::from(a[i]) + (f64::from(b[i]) - f64::from(a[i])) * t).round() as u8)
}

/// As OpenCV wants it.
pub(super) fn scalar([r, g, b]: Rgb) -> Scalar {
    Scalar::new(f64::from(b), f64::from(g), f64::from(r), 0.0)
}

/// Left, top, right, bottom in pixels.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Bounds {
    pub(super) x0: f64,
    pub(super) y0: f64,
    pub(super) x1: f64,
    pub(super) y1: f64,
}

impl Bounds {
    /// Holds nothing; the start of a union.
    pub(super) const NONE: Bounds =
        Bounds { x0: f64::INFINITY, y0: f64::INFINITY, x1: f64::NEG_INFINITY, y1: f64::NEG_INFINITY };

    /// The smallest that holds both.
    pub(super) fn union(self, o: Bounds) -> Bounds {
        Bounds { x0: self.x0.min(o.x0), y0: self.y0.min(o.y0), x1: self.x1.max(o.x1), y1: self.y1.max(o.y1) }
    }

    /// True where the two share an area.
    pub(super) fn meets(&self, o: &Bounds) -> bool {
        self.x0 < o.x1 && o.x0 < self.x1 && self.y0 < o.y1 && o.y0 < self.y1
    }

    /// True for a point inside.
    pub(super) fn holds(&self, (x, y): Spot) -> bool {
        x >= self.x0 && x <= self.x1 && y >= self.y0 && y <= self.y1
    }
}

/// A filled polygon.
#[derive(Clone, Debug)]
pub(super) struct Shape {
    points: Vec<Spot>,
    color: Rgb,
    convex: bool,
    /// What it covers at most.
    pub(super) bounds: Bounds,
}

impl Shape {
    /// A polygon without dents, which is the faster kind to draw.
    pub(super) fn convex(points: Vec<Spot>, color: Rgb) -> Self {
        Self::new(points, color, true)
    }

    /// Any polygon.
    pub(super) fn any(points: Vec<Spot>, color: Rgb) -> Self {
        Self::new(points, color, false)
    }

    /// The rubber band around `circles` (x, y, radius).
    pub(super) fn hull(circles: &[(f64, f64, f64)], color: Rgb) -> Self {
        let mut points = Vec::with_capacity(circles.len() * 16);
        for &(x, y, r) in circles {
            let n = (6.0 + r * 0.9).clamp(6.0, 36.0) as usize;
            for i in 0..n {
                let (sin, cos) = (std::f64::consts::TAU * i as f64 / n as f64).sin_cos();
                points.push((x + r * cos, y + r * sin));
            }
        }
        Self::convex(band(points), color)
    }

    /// An ellipse with upright axes.
    pub(super) fn ellipse((x, y): Spot, rx: f64, ry: f64, color: Rgb) -> Self {
        let n = (8.0 + rx.max(ry) * 0.9).clamp(8.0, 48.0) as usize;
        let at = |i: usize| {
            let (sin, cos) = (std::f64::consts::TAU * i as f64 / n as f64).sin_cos();
            (x + rx * cos, y + ry * sin)
        };
        Self::convex((0..n).map(at).collect(), color)
    }

    /// An upright rectangle between two corners.
    pub(super) fn rect((x0, y0): Spot, (x1, y1): Spot, color: Rgb) -> Self {
        Self::convex(vec![(x0, y0), (x1, y0), (x1, y1), (x0, y1)], color)
    }

    fn new(points: Vec<Spot>, color: Rgb, convex: bool) -> Self {
        let bounds = points.iter().fold(Bounds::NONE, |b, &(x, y)| b.union(Bounds { x0: x, y0: y, x1: x, y1: y }));
        Shape { points, color, convex, bounds }
    }

    /// True for a point inside (even-odd rule).
    pub(super) fn holds(&self, at: Spot) -> bool {
        if !self.bounds.holds(at) {
            return false;
        }
        let mut inside = false;
        let mut last = self.points[self.points.len() - 1];
        for &p in &self.points {
            if (p.1 > at.1) != (last.1 > at.1) && at.0 < (last.0 - p.0) * (at.1 - p.1) / (last.1 - p.1) + p.0 {
                inside = !inside;
            }
            last = p;
        }
        inside
    }

    /// Paints it. OpenCV clips what lies outside the picture.
    pub(super) fn paint(&self, to: &mut impl ToInputOutputArray) -> opencv::Result<()> {
        let fixed = |v: f64| (v.clamp(-30_000.0, 30_000.0) * f64::from(1 << SHIFT)).round() as i32;
        let points: Vec<Point> = self.points.iter().map(|&(x, y)| Point::new(fixed(x), fixed(y))).collect();
        let points = Mat::from_slice(&points)?;
        match self.convex {
            true => imgproc::fill_convex_poly(to, &points, scalar(self.color), imgproc::LINE_AA, SHIFT),
            false => imgproc::fill_poly(to, &points, scalar(self.color), imgproc::LINE_AA, SHIFT, Point::new(0, 0)),
        }
    }
}

/// The convex hull, by Andrew's monotone chain.
fn band(mut points: Vec<Spot>) -> Vec<Spot> {
    points.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1)));
    let turns = |o: Spot, a: Spot, b: Spot| (a.0 - o.0) * (b.1 - o.1) - (a.1 - o.1) * (b.0 - o.0) <= 0.0;
    let mut hull: Vec<Spot> = Vec::with_capacity(points.len());
    let mut half = |line: &mut dyn Iterator<Item = Spot>| {
        let start = hull.len();
        for p in line {
            while hull.len() >= start + 2 && turns(hull[hull.len() - 2], hull[hull.len() - 1], p) {
                hull.pop();
            }
            hull.push(p);
        }
        // The last point of a half is the first one of the other.
        hull.pop();
    };
    half(&mut points.iter().copied());
    half(&mut points.iter().rev().copied());
    hull
}

/// A soft elliptical stain: shadow, cloud, glow.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stain {
    /// Centre.
    pub(super) at: Spot,
    /// Half-axes in pixels.
    pub(super) rx: f64,
    /// See `rx`.
    pub(super) ry: f64,
    /// What it tints towards.
    pub(super) color: Rgb,
    /// How much at most, 0–1.
    pub(super) strength: f64,
    /// 1: fades from the centre on; more: fades at the rim only.
    pub(super) hardness: f64,
}

impl Stain {
    /// Tints the pixels under it.
    pub(super) fn paint(&self, to: &mut impl MatTrait) -> opencv::Result<()> {
        let (w, h) = (f64::from(to.cols()), f64::from(to.rows()));
        let (x, y) = self.at;
        if self.rx < 0.3 || self.ry < 0.3 {
            return Ok(());
        }
        let span = |at: f64, r: f64, max: f64| {
            ((at - r).ceil().clamp(0.0, max) as usize, ((at + r).floor() + 1.0).clamp(0.0, max) as usize)
        };
        let (x0, x1) = span(x, self.rx, w);
        let (y0, y1) = span(y, self.ry, h);
        let [r, g, b] = self.color.map(i32::from);
        let ink = [b, g, r];
        for row in y0..y1.max(y0) {
            let dy = (row as f64 - y) / self.ry;
            let line = to.at_row_mut::<Vec3b>(row as i32)?;
            for (col, pixel) in line.iter_mut().enumerate().take(x1).skip(x0) {
                let dx = (col as f64 - x) / self.rx;
                let inside = 1.0 - dx * dx - dy * dy;
                if inside > 0.0 {
                    let share = ((inside * self.hardness).min(1.0) * self.strength * 256.0) as i32;
                    for (v, ink) in pixel.0.iter_mut().zip(ink) {
                        *v = (i32::from(*v) + (((ink - i32::from(*v)) * share) >> 8)) as u8;
                    }
                }
            }
        }
        Ok(())
    }

    /// What it covers at most.
    #[cfg(test)]
    pub(super) fn bounds(&self) -> Bounds {
        let (x, y) = self.at;
        Bounds { x0: x - self.rx, y0: y - self.ry, x1: x + self.rx, y1: y + self.ry }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hull_holds_its_circles_and_nothing_far() {
        let s = Shape::hull(&[(10.0, 10.0, 4.0), (30.0, 12.0, 2.0)], [0; 3]);
        for at in [(10.0, 10.0), (30.0, 12.0), (20.0, 11.0), (7.0, 10.0)] {
            assert!(s.holds(at), "{at:?}");
        }
        for at in [(20.0, 17.0), (34.0, 12.0), (5.0, 10.0)] {
            assert!(!s.holds(at), "{at:?}");
        }
    }
}

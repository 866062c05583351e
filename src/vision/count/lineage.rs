//! Which tracks are one object: a tracker that loses an object and finds it again gives it a new number, and what is counted
//! are objects.

use std::collections::BTreeMap;

use super::Place;
use super::geometry::between;

/// An object that vanished may come back under another number for so long, in seconds.
pub const SWITCH: f64 = 2.0;
/// What was not seen for so long is forgotten, in seconds: longer than any sensible `keep` of a tracker.
const FORGET: f64 = 600.0;
/// Over so many seconds an object's way is taken to expect where it goes.
const SPAN: f64 = 0.4;
/// How far from where the old one is expected a new track may begin, in its size (the square root of its area), and how much
/// of the way that it could have gone.
const REACH: f64 = 0.75;
const SLACK: f64 = 0.5;
/// The areas of both may differ by this factor.
const ALIKE: f64 = 3.0;

/// One track in one picture.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Seen {
    /// Its number.
    pub track: u32,
    /// Where the object is.
    pub at: Place,
    /// Width and height of its box in pixels.
    pub size: (f64, f64),
    /// False where the tracker only expects it there: it is not lost, and nothing is concluded from the place.
    pub found: bool,
}

impl Seen {
    /// Intersection over union with another one, if both places are the same point of their boxes.
    pub(super) fn overlap(&self, other: &Seen) -> f64 {
        let side = |d: f64, a: f64, b: f64| ((a + b) / 2.0 - d.abs()).clamp(0.0, a.min(b));
        let shared = side(self.at.0 - other.at.0, self.size.0, other.size.0)
            * side(self.at.1 - other.at.1, self.size.1, other.size.1);
        let all = self.size.0 * self.size.1 + other.size.0 * other.size.1 - shared;
        if all > 0.0 { shared / all } else { 0.0 }
    }

    /// The square root of its area.
    pub(super) fn scale(&self) -> f64 {
        (self.size.0 * self.size.1).max(0.0).sqrt()
    }
}

/// What is known of one track of a picture.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Step {
    /// Number of the object.
    pub object: u32,
    /// Where it was found last.
    pub from: Option<Place>,
    /// True where this is a new number of an object whose old number vanished.
    pub switched: bool,
    /// When the track was seen first.
    pub since: f64,
}

#[derive(Debug)]
struct Life {
    object: u32,
    since: f64,
    /// When it was there last, found or expected.
    last: f64,
    /// When and where it was found, over the last [`SPAN`].
    way: Vec<(f64, Place)>,
    scale: f64,
    /// True once another track went on as this object.
    over: bool,
}

/// Objects by their tracks.
#[derive(Debug, Default)]
pub struct Lineage {
    now: f64,
    lives: BTreeMap<u32, Life>,
    /// Objects so far.
    objects: u32,
}

impl Lineage {
    /// Takes in the picture of `now` (in seconds): a step for each of `seen`, in their order. A step back in time forgets all.
    pub fn look(&mut self, now: f64, seen: &[Seen]) -> Vec<Step> {
        if now < self.now {
            self.lives.clear();
        }
        self.now = now;
        self.lives.retain(|_, l| now - l.last <= FORGET);
        let mut lost: Vec<u32> = Vec::new();
        if seen.iter().any(|s| !self.lives.contains_key(&s.track)) {
            let there = |id: &u32| seen.iter().any(|s| s.track == *id);
            let recent = self.lives.iter().filter(|(id, l)| !l.over && now - l.last <= SWITCH && !there(id));
            lost = recent.map(|(id, _)| *id).collect();
        }
        seen.iter().map(|s| self.step(now, s, &mut lost)).collect()
    }

    /// When the object was there last; `None` once it is forgotten.
    pub fn last(&self, object: u32) -> Option<f64> {
        self.lives.values().filter(|l| l.object == object).map(|l| l.last).max_by(f64::total_cmp)
    }

    fn step(&mut self, now: f64, s: &Seen, lost: &mut Vec<u32>) -> Step {
        let mut switched = false;
        let known = self.lives.get(&s.track).map(|l| l.over);
        // Two cannot be one object: where the old track comes back after all, it is another one from here on.
        if known == Some(true) {
            self.lives.remove(&s.track);
        }
        if known != Some(false) {
            let fits = |id: &u32| self.lives.get(id).and_then(|l| l.misfit(now, s)).map(|far| (far, *id));
            let nearest = lost.iter().filter_map(fits).min_by(|a, b| a.0.total_cmp(&b.0)).map(|(_, id)| id);
            let object = self.objects;
            let mut life = Life { object, since: now, last: now, way: Vec::new(), scale: s.scale(), over: false };
            if nearest.is_none() {
                self.objects += 1;
            }
            if let Some(id) = nearest {
                lost.retain(|l| *l != id);
                switched = true;
                if let Some(old) = self.lives.get_mut(&id) {
                    (life.object, life.way, old.over) = (old.object, std::mem::take(&mut old.way), true);
                }
            }
            self.lives.insert(s.track, life);
        }
        let Some(life) = self.lives.get_mut(&s.track) else {
            return Step { object: self.objects, from: None, switched: false, since: now };
        };
        let from = life.way.last().map(|w| w.1);
        life.last = now;
        if s.found {
            life.scale = s.scale();
            life.way.push((now, s.at));
            let old = life.way.iter().take_while(|(t, _)| now - t > SPAN).count();
            // One from before the span is kept, so that slow looks have a way too.
            life.way.drain(..old.saturating_sub(1));
        }
        Step { object: life.object, from, switched, since: life.since }
    }
}

impl Life {
    /// How far `s` is from where this one would be now, in pixels; `None` where it cannot be the same.
    fn misfit(&self, now: f64, s: &Seen) -> Option<f64> {
        let ((t0, from), (t1, at)) = (*self.way.first()?, *self.way.last()?);
        let speed = match t1 - t0 {
            dt if dt > 0.0 => ((at.0 - from.0) / dt, (at.1 - from.1) / dt),
            _ => (0.0, 0.0),
        };
        let (gone, scale) = (now - t1, s.scale().max(1.0));
        let expected = (at.0 + speed.0 * gone, at.1 + speed.1 * gone);
        let ratio = (self.scale.max(1.0) / scale).powi(2);
        let reach = REACH * scale.max(self.scale) + SLACK * gone * speed.0.hypot(speed.1);
        // It may have gone on, or stopped where it vanished.
        let far = between(expected, s.at).min(between(at, s.at));
        (far <= reach && (1.0 / ALIKE..=ALIKE).contains(&ratio)).then_some(far)
    }
}

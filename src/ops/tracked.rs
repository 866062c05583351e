//! What ops behind `track` take in: one place for each track of a picture.

use crate::vision::Detection;
use crate::vision::count::{Anchor, Seen};

use super::detect::Labels;

/// Which tracks an op watches, and what it says where there were none.
#[derive(Default)]
pub struct Tracked {
    /// Of these labels; empty: of all.
    pub labels: Labels,
    /// Found by the `detect` op of this name; `None`: by any.
    pub detector: Option<String>,
    /// Which point of the box counts.
    pub anchor: Anchor,
    seen: Vec<Seen>,
    /// Places in the list of detections.
    places: Vec<usize>,
    /// Whether anything to watch was there, and whether anything had a number.
    any: (bool, bool),
}

impl Tracked {
    /// Watches these.
    pub fn new(labels: &Labels, detector: Option<&String>, anchor: Anchor) -> Self {
        Tracked { labels: labels.clone(), detector: detector.cloned(), anchor, ..Tracked::default() }
    }

    /// The tracks of this picture, each once, and where in `detections` they are.
    pub fn look(&mut self, detections: &[Detection]) -> (&[Seen], &[usize]) {
        self.seen.clear();
        self.places.clear();
        for (i, d) in detections.iter().enumerate().filter(|(_, d)| d.rect.is_finite()) {
            if !self.labels.hold(&d.label) || self.detector.as_ref().is_some_and(|n| **n != *d.detector) {
                continue;
            }
            self.any.0 = true;
            let Some(track) = d.track else { continue };
            self.any.1 = true;
            if self.seen.iter().any(|s| s.track == track) {
                continue;
            }
            let size = (f64::from(d.rect.w), f64::from(d.rect.h));
            self.seen.push(Seen { track, at: self.anchor.of(&d.rect), size, found: !d.predicted });
            self.places.push(i);
        }
        (&self.seen, &self.places)
    }

    /// Why nothing was seen, where the reason is the configuration.
    pub fn lacks(&self) -> Option<&'static str> {
        (self.any == (true, false)).then_some("what was found had no numbers: op track must stand before this one")
    }
}

//! Identity figures: E. Ristani et al., "Performance Measures and a Data Set for Multi-Target, Multi-Camera Tracking", 2016.

use std::ops::AddAssign;

use super::{Compared, SAME};
use crate::vision::track::assign;

/// Boxes, where each object is given to one track at most for the whole sequence, so that most boxes agree.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Identity {
    /// Boxes of objects found under their track's number.
    pub found: u64,
    /// Other boxes of objects.
    pub missed: u64,
    /// Other boxes of tracks.
    pub false_ones: u64,
}

impl Identity {
    /// Finds that assignment.
    pub fn of(compared: &Compared) -> Self {
        let mut common = vec![0u32; compared.truths * compared.tracks];
        let (mut truths, mut tracks) = (0, 0);
        for m in &compared.moments {
            truths += m.truths.len() as u64;
            tracks += m.tracks.len() as u64;
            for (r, truth) in m.truths.iter().enumerate() {
                for (c, track) in m.tracks.iter().enumerate() {
                    common[truth * compared.tracks + track] += u32::from(m.overlap(r, c) >= SAME);
                }
            }
        }
        // Every box that agrees takes one from either kind of error, so that the most agreements are the fewest errors.
        let at = |r: usize, c: usize| common[r * compared.tracks + c];
        let pairs = assign(compared.truths, compared.tracks, |r, c| f64::from(at(r, c)));
        let found = pairs.iter().map(|(r, c)| u64::from(at(*r, *c))).sum();
        Identity { found, missed: truths - found, false_ones: tracks - found }
    }

    /// IDF1, 0–1.
    pub fn f1(&self) -> f64 {
        self.found as f64 / (self.found as f64 + 0.5 * (self.missed + self.false_ones) as f64).max(1.0)
    }
}

impl AddAssign<&Identity> for Identity {
    fn add_assign(&mut self, other: &Identity) {
        self.found += other.found;
        self.missed += other.missed;
        self.false_ones += other.false_ones;
    }
}

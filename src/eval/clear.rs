//! CLEAR MOT: K. Bernardin and R. Stiefelhagen, "Evaluating Multiple Object Tracking Performance", 2008.

use std::ops::AddAssign;

use super::{Compared, SAME};
use crate::vision::track::assign;

/// Counts of boxes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Clear {
    /// Objects that were found.
    pub found: u64,
    /// Objects that were not: FN.
    pub missed: u64,
    /// Boxes where no object is: FP.
    pub false_ones: u64,
    /// Times that an object was found under another number than the last time: IDSW.
    pub switches: u64,
}

impl Clear {
    /// Matches each picture on its own, keeping the pairs of the picture before wherever they still overlap enough.
    pub fn of(compared: &Compared) -> Self {
        let mut clear = Clear::default();
        let mut last = vec![None; compared.truths];
        let mut before = vec![None; compared.truths];
        for m in &compared.moments {
            let (truths, tracks) = (m.truths.len(), m.tracks.len());
            if truths == 0 || tracks == 0 {
                // As TrackEval has it: such a picture does not part what was together in the one before.
                clear.missed += truths as u64;
                clear.false_ones += tracks as u64;
                continue;
            }
            let gain = |r: usize, c: usize| {
                let overlap = m.overlap(r, c);
                let kept = before[m.truths[r]] == Some(m.tracks[c]);
                let bonus = if kept { 1000.0 } else { 0.0 };
                if overlap < SAME - f64::EPSILON { 0.0 } else { bonus + overlap }
            };
            let pairs = assign(truths, tracks, gain);
            before.fill(None);
            for (r, c) in &pairs {
                let (truth, track) = (m.truths[*r], m.tracks[*c]);
                clear.switches += u64::from(last[truth].is_some_and(|t| t != track));
                (last[truth], before[truth]) = (Some(track), Some(track));
            }
            clear.found += pairs.len() as u64;
            clear.missed += (truths - pairs.len()) as u64;
            clear.false_ones += (tracks - pairs.len()) as u64;
        }
        clear
    }

    /// MOTA: 1 less all errors for each object's box; may be negative.
    pub fn mota(&self) -> f64 {
        let objects = (self.found + self.missed).max(1) as f64;
        (self.found as f64 - self.false_ones as f64 - self.switches as f64) / objects
    }
}

impl AddAssign<&Clear> for Clear {
    fn add_assign(&mut self, other: &Clear) {
        self.found += other.found;
        self.missed += other.missed;
        self.false_ones += other.false_ones;
        self.switches += other.switches;
    }
}

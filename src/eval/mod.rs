//! How well what was found agrees with the truth: trackers on MOTChallenge sequences.
//!
//! ```text
//! mot.rs (files) ─► Compared (per picture: ids and overlaps) ─► hota.rs, clear.rs, identity.rs ─► Scores
//! ```
//!
//! Definitions and details are those of TrackEval (Luiten and Hoffhues, <https://github.com/JonathonLuiten/TrackEval>), so that
//! figures can be compared with published ones.

mod clear;
mod hota;
mod identity;
pub mod mot;

use std::ops::AddAssign;

pub use clear::Clear;
pub use hota::Hota;
pub use identity::Identity;

/// Overlap from which on CLEAR and identity figures call two boxes the same.
const SAME: f64 = 0.5;

/// Objects and what was found of them in every picture of a sequence.
#[derive(Clone, Debug, Default)]
pub struct Compared {
    /// In order of time.
    pub moments: Vec<Moment>,
    /// Number of different objects: their numbers are below it.
    pub truths: usize,
    /// Number of different tracks.
    pub tracks: usize,
}

/// One picture.
#[derive(Clone, Debug, Default)]
pub struct Moment {
    /// The objects that are there, each once.
    pub truths: Vec<usize>,
    /// The tracks that were found, each once.
    pub tracks: Vec<usize>,
    /// Intersection over union of each object (rows) with each track.
    pub overlaps: Vec<f64>,
}

impl Moment {
    /// Overlap of the r-th object here with the c-th track here.
    pub fn overlap(&self, r: usize, c: usize) -> f64 {
        self.overlaps[r * self.tracks.len() + c]
    }
}

/// What all metrics say; sums of sequences are those of their counts.
#[derive(Clone, Debug, Default)]
pub struct Scores {
    /// Higher order tracking accuracy.
    pub hota: Hota,
    /// CLEAR MOT: MOTA and what it is made of.
    pub clear: Clear,
    /// Identity figures: IDF1.
    pub identity: Identity,
}

impl Scores {
    /// Works everything out.
    pub fn of(compared: &Compared) -> Self {
        Scores { hota: Hota::of(compared), clear: Clear::of(compared), identity: Identity::of(compared) }
    }
}

impl AddAssign<&Scores> for Scores {
    fn add_assign(&mut self, other: &Scores) {
        self.hota += &other.hota;
        self.clear += &other.clear;
        self.identity += &other.identity;
    }
}

//! Trackers: one file each. They link what was seen in one picture to what was seen before.
//!
//! ```text
//! detections ─► predict (kalman.rs) ─► similarities ─► assign.rs ─► correct, begin, end ─► numbers
//!                     ▲ noise                                            │
//!                tremble.rs ◄────────────────── looks ───────────────────┘
//! ```

mod assign;
mod byte_oc;
mod clock;
mod kalman;
mod sort;
mod tremble;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use assign::assign;
pub use byte_oc::ByteOc;
pub use sort::Sort;

use super::{Detection, Rect};

/// Something that follows objects from picture to picture.
///
/// Times are in seconds from any origin and need not be evenly spaced. A step back, or one forward that no object can be
/// followed over, ends all tracks. Numbers are given in the order in which tracks are confirmed, from 1, and never again.
pub trait Tracker: Send {
    /// A detector looked at the picture of `time` and found `seen`. Each detection that belongs to a confirmed track gets its
    /// number and, if so set, its smoothed box. Boxes without area or with numbers that are not finite are passed over.
    fn look(&mut self, time: f64, seen: &mut [&mut Detection]);

    /// No detector looked at the picture of `time`.
    fn pass(&mut self, time: f64);

    /// Calls `each` for every confirmed track that has not ended.
    fn confirmed(&self, each: &mut dyn FnMut(Followed<'_>));
}

/// A confirmed track as it is believed to be now.
#[derive(Clone, Debug)]
pub struct Followed<'a> {
    /// Its number.
    pub id: u32,
    /// Where it is, seen or predicted.
    pub rect: Rect,
    /// When it was seen first, in seconds.
    pub since: f64,
    /// Seconds since it was seen; 0 when it was seen now.
    pub unseen: f64,
    /// True when the last look did not find it.
    pub missed: bool,
    /// Its last detection.
    pub last: &'a Detection,
}

/// The trackers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// Two stages as ByteTrack, corrected by observations as OC-SORT.
    #[default]
    ByteOc,
    /// Overlap with the predicted box, and nothing else.
    Sort,
}

/// What trackers can be told.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// Detections from this score on begin tracks and are linked first.
    pub high: f32,
    /// Weaker ones down to this score only continue tracks.
    pub low: f32,
    /// Least overlap (intersection over union) of a detection with where its track is expected.
    pub overlap: f32,
    /// After so many pictures in which it was found a track is confirmed.
    pub hits: u32,
    /// Seconds that a confirmed track is kept without being found.
    pub keep: f64,
    /// Share of appearance in a decision where detections have embeddings, 0–1.
    pub appearance: f32,
    /// Links detections of different classes, too.
    pub across_classes: bool,
    /// Gives detections the tracker's smoothed boxes.
    pub smooth: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            high: 0.55,
            low: 0.1,
            overlap: 0.2,
            hits: 3,
            keep: 2.0,
            appearance: 0.5,
            across_classes: false,
            smooth: true,
        }
    }
}

impl Kind {
    /// A tracker at work.
    pub fn open(self, settings: Settings) -> Box<dyn Tracker> {
        match self {
            Kind::ByteOc => Box::new(ByteOc::new(settings)),
            Kind::Sort => Box::new(Sort::new(settings)),
        }
    }
}

/// Pixels. What is larger or farther away is a mistake, and squares of it would lose their digits.
const FARTHEST: f32 = 1e6;

/// True for detections that can be followed.
fn usable(d: &Detection) -> bool {
    let Rect { x, y, w, h } = d.rect;
    d.score.is_finite() && w > 0.0 && h > 0.0 && [x, y, w, h].iter().all(|v| v.abs() < FARTHEST)
}

/// True where a detection may be of the same kind of object as another one.
fn same_kind(a: &Detection, b: &Detection, settings: &Settings) -> bool {
    a.detector == b.detector && (settings.across_classes || a.class == b.class && a.label == b.label)
}

/// Takes the pairs of places in two lists out of them, as the lists' own values.
fn take(pairs: &[(usize, usize)], rows: &mut Vec<usize>, columns: &mut Vec<usize>, into: &mut Vec<(usize, usize)>) {
    into.extend(pairs.iter().map(|(r, c)| (rows[*r], columns[*c])));
    let mut used = (vec![false; rows.len()], vec![false; columns.len()]);
    for (r, c) in pairs {
        (used.0[*r], used.1[*c]) = (true, true);
    }
    for (list, used) in [(rows, used.0), (columns, used.1)] {
        let mut used = used.into_iter();
        list.retain(|_| !used.next().unwrap_or_default());
    }
}

#[cfg(test)]
mod tests;

//! What `detect` ops found, over the whole run.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Serialize;

use crate::frame::Meta;

/// Finds of one `detect` op over all frames.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Sightings {
    /// Frames it looked at.
    pub frames: u64,
    /// Frames of these in which it found something.
    pub frames_with: u64,
    /// Number of finds by label.
    pub labels: BTreeMap<Arc<str>, u64>,
}

/// Adds the finds of one frame.
pub fn add(all: &mut BTreeMap<Arc<str>, Sightings>, meta: &Meta) {
    for name in &meta.looked {
        let one = match all.get_mut(name) {
            Some(one) => one,
            None => all.entry(name.clone()).or_default(),
        };
        one.frames += 1;
        let mut any = false;
        for d in meta.detections.iter().filter(|d| d.detector == *name && !d.predicted) {
            any = true;
            match one.labels.get_mut(&d.label) {
                Some(n) => *n += 1,
                None => drop(one.labels.insert(d.label.clone(), 1)),
            }
        }
        one.frames_with += u64::from(any);
    }
}

//! What was found in a frame; rides with it to the ops behind and to the statistics.

use std::sync::Arc;

use smallvec::SmallVec;

use crate::vision::Detection;
use crate::vision::count::Shape;
use crate::vision::event::Event;

/// Results of the ops so far. Costs no allocation while they are few.
#[derive(Clone, Debug, Default)]
pub struct Meta {
    /// Numbers measured on the picture, in the order of the ops.
    pub measurements: SmallVec<[Measurement; 6]>,
    /// What was seen, in the order of finding. Boxes are in pixels of this picture.
    pub detections: Vec<Detection>,
    /// Names of the detect ops that looked at this picture; with `every = N`, others did not.
    pub looked: SmallVec<[Arc<str>; 2]>,
    /// What happened, in the order of finding.
    pub events: Vec<Event>,
    /// How things stand after this picture: `line.NAME.in`, `zone.NAME.now`; the newest of a name counts.
    pub counters: Vec<(Arc<str>, i64)>,
    /// Lines and zones that are watched, for ops that draw them.
    pub shapes: SmallVec<[Arc<Shape>; 2]>,
}

/// One number measured on one picture.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Measurement {
    /// What was measured: the op's name, or the op's name and a part (`psnr`, `psnr-y`).
    pub name: &'static str,
    /// In the unit that the op's documentation gives.
    pub value: f64,
}

impl Meta {
    /// Adds a measurement.
    pub fn measured(&mut self, name: &'static str, value: f64) {
        self.measurements.push(Measurement { name, value });
    }

    /// The newest measurement called `name`.
    pub fn measurement(&self, name: &str) -> Option<f64> {
        self.measurements.iter().rev().find(|m| m.name == name).map(|m| m.value)
    }

    /// How the counter called `name` stands.
    pub fn counter(&self, name: &str) -> Option<i64> {
        self.counters.iter().rev().find(|(n, _)| **n == *name).map(|(_, v)| *v)
    }
}

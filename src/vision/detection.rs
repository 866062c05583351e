//! One thing seen in one picture.

use std::sync::Arc;

use smallvec::SmallVec;

use super::Rect;

/// A place in the picture, in pixels.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Point {
    /// From the left edge.
    pub x: f32,
    /// From the upper edge.
    pub y: f32,
}

/// What a detector found, and what later ops learned of it.
#[derive(Clone, Debug, Default)]
pub struct Detection {
    /// Where, in pixels of the picture; may reach beyond it.
    pub rect: Rect,
    /// How sure the detector is, 0–1.
    pub score: f32,
    /// Number of the class in the detector's own list, from 0.
    pub class: u32,
    /// Its name: `face`, `person`.
    pub label: Arc<str>,
    /// Landmarks in the detector's order.
    pub points: SmallVec<[Point; 5]>,
    /// Name of the `detect` op that found it.
    pub detector: Arc<str>,
    /// Place in the frame's list of the detection on whose crop this one was found.
    pub parent: Option<u32>,
    /// Number of the confirmed track it belongs to, from 1.
    pub track: Option<u32>,
    /// True when the box was not seen in this picture but follows from earlier ones.
    pub predicted: bool,
    /// How fast it moves over the ground, in metres per second.
    pub speed: Option<f32>,
    /// Where to: degrees from the ground's x axis towards its y axis, 0–360.
    pub heading: Option<f32>,
    /// What is written on it: a QR code's content.
    pub text: Option<Arc<str>>,
    /// Appearance: a vector of length 1.
    pub embedding: Option<Arc<[f32]>>,
}

//! What is seen in pictures: boxes, detectors, trackers. Nothing here knows of GStreamer.

pub mod clusters;
pub mod count;
pub mod cover;
pub mod detect;
mod detection;
pub mod event;
pub mod mixture;
pub mod model;
pub mod motion;
mod rect;
pub mod scenes;
pub mod track;
pub mod warmth;

pub use detection::{Detection, Point};
pub use rect::Rect;

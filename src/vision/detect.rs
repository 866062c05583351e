//! Detectors: one file each.

use crate::frame::{Frame, FrameError};

use super::{Detection, Rect};

/// Something that finds things in pictures.
pub trait Detector: Send {
    /// Looks into each of `areas` (in pixels, inside of the picture, whole numbers, not empty) and adds what it finds, with
    /// the index of the area and with boxes in pixels of the whole picture. `label`, `class`, `score`, `rect` and `points` are
    /// the detector's to fill in; where it was found is the caller's.
    fn detect(&mut self, frame: &Frame, areas: &[Rect], found: &mut Vec<(usize, Detection)>)
    -> Result<(), DetectError>;

    /// Every label it can give, by class.
    fn labels(&self) -> &[std::sync::Arc<str>];
}

/// Why a detector gave up.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)]
pub enum DetectError {
    #[error(transparent)]
    Frame(#[from] FrameError),
    #[error(transparent)]
    OpenCv(#[from] opencv::Error),
    #[error("{0}")]
    Model(String),
}

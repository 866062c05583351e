//! Detectors: one file each, and the names by which people ask for them.

mod boxes;
mod cascade;
mod hog;
mod network;
mod qr;

use std::path::PathBuf;
use std::sync::Arc;

use crate::frame::{Frame, FrameError};

use super::{Detection, Rect, model};

/// Something that finds things in pictures.
pub trait Detector: Send {
    /// Looks into each of `areas` (in pixels, inside of the picture, whole numbers, not empty) and adds what it finds, with
    /// the index of the area and with boxes in pixels of the whole picture. `label`, `class`, `score`, `rect`, `points` and
    /// `text` are the detector's to fill in; where it was found is the caller's.
    fn detect(&mut self, frame: &Frame, areas: &[Rect], found: &mut Vec<(usize, Detection)>)
    -> Result<(), DetectError>;

    /// What each of `areas` looks like, as a vector of length 1, where that is what it does. Two things that look alike have a
    /// dot product near 1.
    fn describe(&mut self, _frame: &Frame, _areas: &[Rect]) -> Result<Option<Vec<Arc<[f32]>>>, DetectError> {
        Ok(None)
    }

    /// Every label it can give, by class; empty where they are not known beforehand.
    fn labels(&self) -> &[Arc<str>];

    /// What should be said once at the start: engine, size.
    fn detail(&self) -> String {
        String::new()
    }
}

/// Why a detector gave up, or was not to be had.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)]
pub enum DetectError {
    #[error(transparent)]
    Frame(#[from] FrameError),
    #[error(transparent)]
    OpenCv(#[from] opencv::Error),
    #[error("{0}")]
    Model(String),
    #[error("{what}")]
    Unusable { what: String, fix: String },
}

/// What a person asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// `hog`: OpenCV's people detector.
    Hog,
    /// `qr`: QR codes.
    Qr,
    /// `cascade:NAME` or `cascade:FILE`: a Haar or LBP cascade.
    Cascade(String),
    /// `boxes:FILE`: what was found earlier, or annotated by hand.
    Boxes(PathBuf),
    /// A network, by its manifest's name or path.
    Network(String),
}

/// What every detector is told.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Lowest score; `None`: the detector's own.
    pub score: Option<f32>,
    /// Largest overlap (IoU) of two finds of one label; `None`: the detector's own.
    pub nms: Option<f32>,
    /// Height in pixels of the smallest object worth looking for; 0: the detector's own.
    pub min_size: f32,
    /// Engine, provider, threads and input size of a network; its score and NMS are those above.
    pub network: model::Options,
}

impl std::str::FromStr for Wanted {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once(':') {
            Some(("cascade", name)) => cascade::check(name).map(|()| Wanted::Cascade(name.to_owned())),
            Some(("boxes", "")) => Err("`boxes:` names no file, as in boxes:found.jsonl".into()),
            Some(("boxes", path)) => Ok(Wanted::Boxes(path.into())),
            _ if text == "hog" => Ok(Wanted::Hog),
            _ if text == "qr" => Ok(Wanted::Qr),
            _ if text == "cascade" => Err(format!("`cascade` needs a name: {}", cascade::known())),
            _ if text.is_empty() => {
                Err("model is missing: give hog, qr, cascade:face, boxes:FILE or the name of a network".into())
            }
            _ => Ok(Wanted::Network(text.to_owned())),
        }
    }
}

impl Wanted {
    /// How the op is called that was given no name.
    pub fn name(&self) -> String {
        match self {
            Wanted::Hog => "hog".into(),
            Wanted::Qr => "qr".into(),
            Wanted::Cascade(name) => stem(name.as_ref()),
            Wanted::Boxes(path) => stem(path),
            Wanted::Network(name) => stem(name.as_ref()),
        }
    }

    /// Makes the detector.
    pub fn open(&self, options: &Options) -> Result<Box<dyn Detector>, DetectError> {
        Ok(match self {
            Wanted::Hog => Box::new(hog::Hog::new(options)?),
            Wanted::Qr => Box::new(qr::Qr::default()),
            Wanted::Cascade(name) => Box::new(cascade::Cascade::open(name, options)?),
            Wanted::Boxes(path) => Box::new(boxes::Boxes::open(path)?),
            Wanted::Network(name) => Box::new(network::Network::open(name, options)?),
        })
    }
}

fn stem(path: &std::path::Path) -> String {
    path.file_stem().unwrap_or_default().to_string_lossy().into_owned()
}

/// In whole pixels, as OpenCV wants it.
fn whole(r: &Rect) -> opencv::core::Rect {
    opencv::core::Rect::new(r.x as i32, r.y as i32, r.w as i32, r.h as i32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        assert_eq!("hog".parse(), Ok(Wanted::Hog));
        assert_eq!("boxes:a b.jsonl".parse::<Wanted>().unwrap().name(), "a b");
        assert_eq!("models/yunet.toml".parse::<Wanted>().unwrap().name(), "yunet");
        for bad in ["", "cascade", "cascade:nose", "boxes:"] {
            assert!(bad.parse::<Wanted>().is_err(), "{bad}");
        }
    }
}

//! Haar and LBP cascades (cv::CascadeClassifier), as trained for OpenCV; Debian has them in `opencv-data`.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use opencv::core::{Mat, Rect as CvRect, Size, Vector};
use opencv::objdetect::CascadeClassifier;
use opencv::prelude::*;

use super::{DetectError, Detector, Options, whole};
use crate::frame::Frame;
use crate::vision::{Detection, Rect};

/// Short names, the files behind them, and what they find.
const KNOWN: [(&str, &str, &str); 10] = [
    ("face", "haarcascade_frontalface_default.xml", "face"),
    ("face-alt", "haarcascade_frontalface_alt2.xml", "face"),
    ("face-lbp", "lbpcascade_frontalface_improved.xml", "face"),
    ("profile-face", "haarcascade_profileface.xml", "face"),
    ("cat-face", "haarcascade_frontalcatface.xml", "cat face"),
    ("eye", "haarcascade_eye.xml", "eye"),
    ("smile", "haarcascade_smile.xml", "smile"),
    ("body", "haarcascade_fullbody.xml", "person"),
    ("upper-body", "haarcascade_upperbody.xml", "upper body"),
    ("plate", "haarcascade_russian_plate_number.xml", "plate"),
];
/// Where distributions put them.
const FOLDERS: [&str; 4] =
    ["/usr/share/opencv4", "/usr/local/share/opencv4", "/usr/share/opencv", "/opt/homebrew/share/opencv4"];

pub(super) struct Cascade {
    classifier: CascadeClassifier,
    label: [Arc<str>; 1],
    score: f32,
    min_size: i32,
    scratch: Mat,
    rects: Vector<CvRect>,
    hits: Vector<i32>,
}

/// The short names.
pub(super) fn known() -> String {
    let names: Vec<&str> = KNOWN.iter().map(|k| k.0).collect();
    format!("{}, or the path of an .xml file", names.join(", "))
}

/// Says what is wrong with a name; opens nothing.
pub(super) fn check(name: &str) -> Result<(), String> {
    if KNOWN.iter().any(|k| k.0 == name) || name.ends_with(".xml") {
        return Ok(());
    }
    let hint = crate::config::did_you_mean(name, KNOWN.iter().map(|k| k.0));
    Err(format!("there is no cascade `{name}`{hint}: there is {}", known()))
}

impl Cascade {
    pub fn open(name: &str, options: &Options) -> Result<Self, DetectError> {
        let (path, label) = match KNOWN.iter().find(|k| k.0 == name) {
            Some((_, file, label)) => (find(file)?, (*label).to_owned()),
            None => (PathBuf::from(name), super::stem(Path::new(name))),
        };
        let shown = path.display();
        if let Err(e) = std::fs::File::open(&path) {
            return Err(DetectError::Model(format!("cannot read the cascade {shown}: {e}")));
        }
        let not = |why: &dyn std::fmt::Display| {
            DetectError::Model(format!("{shown} is no cascade that cv::CascadeClassifier can read{why}"))
        };
        let text = path.to_str().ok_or_else(|| not(&": its name is not UTF-8"))?;
        let classifier = CascadeClassifier::new(text).map_err(|e| not(&format!(": {}", e.message)))?;
        if classifier.empty()? {
            return Err(not(&""));
        }
        Ok(Cascade {
            classifier,
            label: [label.into()],
            score: options.score.unwrap_or(0.0),
            min_size: options.min_size.round() as i32,
            scratch: Mat::default(),
            rects: Vector::new(),
            hits: Vector::new(),
        })
    }
}

fn find(file: &str) -> Result<PathBuf, DetectError> {
    let kind = if file.starts_with("lbp") { "lbpcascades" } else { "haarcascades" };
    let candidates = || FOLDERS.iter().map(|f| Path::new(f).join(kind).join(file));
    candidates().find(|p| p.is_file()).ok_or_else(|| {
        DetectError::Model(format!(
            "the cascade {file} is not in {}; fix: apt-get install opencv-data, or give the file's path",
            FOLDERS.join(", ")
        ))
    })
}

impl Detector for Cascade {
    fn detect(
        &mut self,
        frame: &Frame,
        areas: &[Rect],
        found: &mut Vec<(usize, Detection)>,
    ) -> Result<(), DetectError> {
        let Cascade { classifier, label, score, min_size, scratch, rects, hits } = self;
        frame.gray(scratch, |gray| {
            for (i, area) in areas.iter().enumerate() {
                let part = gray.roi(whole(area))?;
                // Factor and neighbours as cv::CascadeClassifier's own defaults; a smallest size saves most of the time.
                let least = Size::new(*min_size, *min_size);
                classifier.detect_multi_scale2(&part, rects, hits, 1.1, 3, 0, least, Size::default())?;
                for (r, n) in rects.iter().zip(hits.iter()) {
                    // A cascade says yes or no; how many windows agree on the place is all there is to rank by.
                    let sure = n as f32 / (n as f32 + 5.0);
                    if sure >= *score {
                        let rect = Rect::new(r.x as f32, r.y as f32, r.width as f32, r.height as f32);
                        let rect = rect.moved(area.x, area.y);
                        let label = label[0].clone();
                        found.push((i, Detection { rect, score: sure, label, ..Detection::default() }));
                    }
                }
            }
            Ok(())
        })
    }

    fn labels(&self) -> &[Arc<str>] {
        &self.label
    }
}

//! The best view of each track as a picture file.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use image::RgbImage;
use opencv::core::{self as cv, Mat, Scalar};
use opencv::imgproc;
use opencv::prelude::*;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::detect::Labels;
use super::{Group, Invalid, Mode, Op, OpConfig, OpError, Reach, Sight, Stream};
use crate::frame::{Frame, Spec, rgb, save};
use crate::vision::event::Kind;
use crate::vision::{Detection, Rect};

/// Writes a picture of each object that `track` follows: its best view, the largest and sharpest, once it is gone.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Snapshot {
    /// Folder for the pictures, made where it is not there; required. They are called LABEL-TRACK, as in `person-0003.jpg`.
    pub folder: PathBuf,
    /// `jpg` or `png`.
    pub format: Format,
    /// Replaces pictures that exist; without it, a folder with pictures of these names is refused.
    pub overwrite: bool,
    /// Room around the object, as a share of its width and height on each side, 0 to 2.
    #[schemars(range(min = 0.0, max = 2.0))]
    pub margin: f64,
    /// Longer side of a picture in pixels at most, 16 to 4096: larger views are made smaller.
    #[schemars(range(min = 16, max = 4096))]
    pub size: u32,
    /// Objects lower than this are not worth a picture, 1 to 10000 pixels.
    #[schemars(range(min = 1, max = 10_000))]
    pub smallest: u32,
    /// These labels only (`["person", "car"]`; on the command line `person|car`). Default: all.
    #[serde(skip_serializing_if = "Labels::is_empty")]
    pub labels: Labels,
    /// Only what the `detect` op of this name found. Default: what all of them found.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detector: Option<String>,
}

/// Forms of the pictures.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[allow(missing_docs)]
pub enum Format {
    #[default]
    Jpg,
    Png,
}

impl Default for Snapshot {
    fn default() -> Self {
        Snapshot {
            folder: PathBuf::new(),
            format: Format::Jpg,
            overwrite: false,
            margin: 0.1,
            size: 640,
            smallest: 24,
            labels: Labels::default(),
            detector: None,
        }
    }
}

impl OpConfig for Snapshot {
    const NAME: &'static str = "snapshot";
    const GROUP: Group = Group::Seeing;
    const EXAMPLE: &'static str = "snapshot:folder=demo/snapshots,overwrite=true";
    const BEHIND: &'static str = "cv::resize, cv::Laplacian; the image crate writes the files";

    fn check(&self) -> Result<(), Invalid> {
        if self.folder.as_os_str().is_empty() {
            let what = format!("folder is missing: give one, as in --op '{}'", Self::EXAMPLE);
            return Err(Invalid::new("folder", what));
        }
        Invalid::unless_in("margin", self.margin, 0.0..=2.0)?;
        Invalid::unless_in("size", self.size, 16..=4096)?;
        Invalid::unless_in("smallest", self.smallest, 1..=10_000)
    }

    fn reach(&self) -> Reach {
        Reach::Never("it shows what was found, wherever that is; give the region to detect")
    }

    fn sight(&self) -> Sight {
        Sight::Uses(self.detector.clone())
    }

    fn stateful(&self) -> bool {
        true
    }

    fn writes(&self) -> &'static [&'static str] {
        &["folder"]
    }

    fn build(&self) -> Box<dyn Op> {
        Box::new(Photographer {
            config: self.clone(),
            views: BTreeMap::new(),
            small: Mat::default(),
            edges: Mat::default(),
            gray: Mat::default(),
            written: Vec::new(),
            count: 0,
            any: (false, false),
        })
    }
}

/// So many views are held at most; with the largest size of 640 pixels that is 300 MB, and usually a tenth of it.
const HELD: usize = 256;
/// A track that is not seen for so long is taken to be over, in nanoseconds, whether its end was told or not.
const GONE: u64 = 10_000_000_000;
/// A view must be better by this factor before the old one is thrown away.
const BETTER: f64 = 1.1;
/// Sharpness is compared at this height, in pixels.
const COMPARED: f32 = 96.0;
/// So many pictures are listed in the report.
const LISTED: usize = 1000;

struct View {
    label: Arc<str>,
    worth: f64,
    picture: RgbImage,
    /// When it was taken and when the track was seen last, in nanoseconds.
    taken: u64,
    last: u64,
}

struct Photographer {
    config: Snapshot,
    /// By track.
    views: BTreeMap<u32, View>,
    small: Mat,
    edges: Mat,
    gray: Mat,
    /// The pictures, for the report.
    written: Vec<serde_json::Value>,
    count: u64,
    /// Whether anything to show was there, and whether anything had a number.
    any: (bool, bool),
}

impl Op for Photographer {
    fn mode(&self) -> Mode {
        Mode::Read
    }

    fn prepare(&mut self, input: &Arc<Spec>, _: &Stream) -> Result<Arc<Spec>, OpError> {
        let folder = &self.config.folder;
        let fail = |e: std::io::Error| OpError::Lacks {
            what: format!("cannot write into {}: {e}", folder.display()),
            fix: "give a folder that can be written to".into(),
        };
        std::fs::create_dir_all(folder).map_err(fail)?;
        let extension = std::ffi::OsStr::new(self.extension());
        let there = std::fs::read_dir(folder).map_err(fail)?.flatten();
        let mut there = there.map(|e| e.path()).filter(|p| p.extension() == Some(extension));
        match there.next().filter(|_| !self.config.overwrite) {
            Some(path) => Err(OpError::Lacks {
                what: format!("folder {} holds pictures already ({})", folder.display(), path.display()),
                fix: "give another folder, or overwrite = true".into(),
            }),
            None => Ok(input.clone()),
        }
    }

    fn read(&mut self, frame: &mut Frame) -> Result<(), OpError> {
        let now = frame.position.nseconds();
        for i in 0..frame.meta.detections.len() {
            let d = &frame.meta.detections[i];
            let counts = self.config.detector.as_ref().is_none_or(|n| **n == *d.detector);
            if !counts || !self.config.labels.hold(&d.label) || !d.rect.is_finite() {
                continue;
            }
            self.any.0 = true;
            let Some(track) = d.track else { continue };
            self.any.1 = true;
            if let Some(view) = self.views.get_mut(&track) {
                view.last = now;
            }
            if !d.predicted && d.rect.h >= self.config.smallest as f32 {
                self.compare(frame, track, &frame.meta.detections[i].clone(), now)?;
            }
        }
        let ended = frame.meta.events.iter().filter(|e| e.kind == Kind::TrackEnded).filter_map(|e| e.track);
        let old = self.views.iter().filter(|(_, v)| now.abs_diff(v.last) > GONE).map(|(t, _)| *t);
        let mut over: Vec<u32> = ended.chain(old).collect();
        over.sort_unstable();
        over.dedup();
        let spare = self.views.len().saturating_sub(over.len());
        if spare > HELD {
            let longest = self.views.iter().filter(|(t, _)| !over.contains(t)).min_by_key(|(_, v)| v.last);
            over.extend(longest.map(|(t, _)| *t));
        }
        over.into_iter().try_for_each(|track| self.write(track))
    }

    fn flush(&mut self, _: &mut Vec<Frame>) -> Result<(), OpError> {
        Ok(())
    }

    fn finish(&mut self, _: &mut Vec<Frame>) -> Result<(), OpError> {
        let left: Vec<u32> = self.views.keys().copied().collect();
        left.into_iter().try_for_each(|track| self.write(track))
    }

    fn report(&self) -> Option<serde_json::Value> {
        let folder = self.config.folder.display().to_string();
        let mut note = format!("{} pictures in {folder}", self.count);
        if self.any == (true, false) {
            note += "; what was found had no numbers: op track must stand before this one";
        }
        Some(serde_json::json!({ "folder": folder, "count": self.count, "pictures": self.written, "note": note }))
    }
}

impl Photographer {
    fn extension(&self) -> &'static str {
        match self.config.format {
            Format::Jpg => "jpg",
            Format::Png => "png",
        }
    }

    /// Keeps this view of the track if it is the best so far.
    fn compare(&mut self, frame: &Frame, track: u32, d: &Detection, now: u64) -> Result<(), OpError> {
        let whole = Rect::new(0.0, 0.0, frame.width() as f32, frame.height() as f32);
        let seen = d.rect.intersection(&whole);
        if seen.w < 2.0 || seen.h < 2.0 {
            return Ok(());
        }
        // What the picture's edge cuts off is worth less than it shows.
        let shown = f64::from(seen.area() / d.rect.area().max(1.0)).powi(2);
        let worth = f64::from(seen.area()).sqrt() * self.sharpness(frame, &seen)?.sqrt() * shown;
        if self.views.get(&track).is_some_and(|v| worth <= v.worth * BETTER) {
            return Ok(());
        }
        let r = d.rect.grown(self.config.margin as f32).intersection(&whole);
        let part = [r.x as i32, r.y as i32, r.w.ceil() as i32, r.h.ceil() as i32];
        let picture = rgb(frame, Some(part), self.config.size)?;
        let view = View { label: d.label.clone(), worth, picture, taken: now, last: now };
        self.views.insert(track, view);
        Ok(())
    }

    /// Variance of the Laplacian of the part's luma at one size for all, so that what is larger shows more.
    fn sharpness(&mut self, frame: &Frame, r: &Rect) -> Result<f64, OpError> {
        let (small, edges) = (&mut self.small, &mut self.edges);
        frame.gray(&mut self.gray, |gray| {
            let all = cv::Rect::new(0, 0, gray.cols(), gray.rows());
            let part = cv::Rect::new(r.x as i32, r.y as i32, r.w.ceil() as i32, r.h.ceil() as i32) & all;
            let width = (COMPARED * part.width as f32 / part.height.max(1) as f32).round().clamp(4.0, 960.0) as i32;
            let to = cv::Size::new(width, COMPARED as i32);
            imgproc::resize(&Mat::roi(gray, part)?, small, to, 0.0, 0.0, imgproc::INTER_AREA)?;
            imgproc::laplacian(small, edges, cv::CV_16S, 1, 1.0, 0.0, cv::BORDER_DEFAULT)?;
            let (mut mean, mut deviation) = (Scalar::default(), Scalar::default());
            cv::mean_std_dev(edges, &mut mean, &mut deviation, &cv::no_array())?;
            Ok(deviation[0] * deviation[0])
        })
    }

    fn write(&mut self, track: u32) -> Result<(), OpError> {
        let Some(view) = self.views.remove(&track) else { return Ok(()) };
        // A label may hold anything; a file's name may not.
        let label: String = view.label.chars().map(|c| if c.is_alphanumeric() || c == '-' { c } else { '_' }).collect();
        let label = if label.is_empty() { "object".to_owned() } else { label };
        let path = self.config.folder.join(format!("{label}-{track:04}.{}", self.extension()));
        save(&view.picture, &path).map_err(|e| OpError::Refused(format!("cannot write {}: {e}", path.display())))?;
        self.count += 1;
        if self.written.len() < LISTED {
            let seconds = view.taken as f64 / 1e9;
            let file = path.display().to_string();
            self.written.push(serde_json::json!({
                "track": track, "label": &*view.label, "seconds": seconds, "file": file,
            }));
        }
        Ok(())
    }
}

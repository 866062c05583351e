//! Where things have been, as a picture.

use std::path::PathBuf;
use std::sync::Arc;

use gstreamer::ClockTime;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::detect::Labels;
use super::drawing::check_length;
use super::overlay::{Overlay, Prepared};
use super::{Group, Invalid, Length, Mode, Op, OpConfig, OpError, Reach, Sight, Stream};
use crate::config::Time;
use crate::frame::{Frame, Spec, rgb, save};
use crate::vision::Rect;
use crate::vision::count::Anchor;
use crate::vision::warmth::Warmth;

/// Shows where what `detect` found has been: as colours over the video, as a picture file at the end, or both.
///
/// Each find warms the place where it stands for as long as it is there; blue is little, red the most so far.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Heatmap {
    /// Picture file to write at the end (.png, .jpg): the colours over the first picture. Default: none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<PathBuf>,
    /// Replaces a file that exists.
    pub overwrite: bool,
    /// Opacity of the colours over the video while it runs, 0 (the video stays as it is) to 1.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub opacity: f64,
    /// Opacity of the colours in the file, 0 to 1.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub file_opacity: f64,
    /// After so long a place has half of its warmth left, 0.1 seconds or more. Default: nothing cools.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decay: Option<Time>,
    /// How far a find warms around it: in percent of its height, or in pixels; up to 1000 pixels or 200%.
    pub spread: Length,
    /// Which point of the box is warmed: `bottom` (the middle of the lower edge), `center`, `top`, `left`, `right`,
    /// `top-left`, `top-right`, `bottom-left`, `bottom-right`.
    pub anchor: Anchor,
    /// These labels only (`["person", "car"]`; on the command line `person|car`). Default: all.
    #[serde(skip_serializing_if = "Labels::is_empty")]
    pub labels: Labels,
    /// Only what the `detect` op of this name found. Default: what all of them found.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detector: Option<String>,
}

impl Default for Heatmap {
    fn default() -> Self {
        Heatmap {
            path: None,
            overwrite: false,
            opacity: 0.0,
            file_opacity: 0.6,
            decay: None,
            spread: Length::Percent(20.0),
            anchor: Anchor::Bottom,
            labels: Labels::default(),
            detector: None,
        }
    }
}

impl OpConfig for Heatmap {
    const NAME: &'static str = "heatmap";
    const GROUP: Group = Group::Seeing;
    const EXAMPLE: &'static str = "heatmap:opacity=0.5";
    const BEHIND: &'static str = "own sums, blended in the frame's own format; the image crate writes the file";

    fn check(&self) -> Result<(), Invalid> {
        Invalid::unless_in("opacity", self.opacity, 0.0..=1.0)?;
        Invalid::unless_in("file-opacity", self.file_opacity, 0.0..=1.0)?;
        check_length("spread", self.spread, f64::MIN_POSITIVE)?;
        let most = if matches!(self.spread, Length::Pixels(_)) { 1000.0 } else { 200.0 };
        if !matches!(self.spread, Length::Pixels(v) | Length::Percent(v) if v <= most) {
            let what = format!("spread = {} is out of range: up to 1000 pixels or 200% are allowed", self.spread);
            return Err(Invalid::new("spread", what));
        }
        if self.decay.is_some_and(|d| d.0 < ClockTime::from_mseconds(100)) {
            return Err(Invalid::new("decay", "decay is out of range: 0.1 seconds or more are allowed"));
        }
        let extension = self.path.as_ref().map(|p| p.extension().unwrap_or_default().to_ascii_lowercase());
        if extension.is_some_and(|e| !["png", "jpg", "jpeg"].iter().any(|x| *x == e)) {
            let path = self.path.clone().unwrap_or_default();
            let what = format!("path: {} is no picture that can be written: .png and .jpg are", path.display());
            return Err(Invalid::new("path", what));
        }
        if self.path.is_none() && self.opacity <= 0.0 {
            return Err(Invalid::new("path", "there is nothing to see: give a path, an opacity above 0, or both"));
        }
        Ok(())
    }

    fn reach(&self) -> Reach {
        Reach::Never("it shows the whole picture; give the region to detect")
    }

    fn sight(&self) -> Sight {
        Sight::Uses(self.detector.clone())
    }

    fn stateful(&self) -> bool {
        true
    }

    fn writes(&self) -> &'static [&'static str] {
        &["path"]
    }

    fn build(&self) -> Box<dyn Op> {
        Box::new(Warmer {
            config: self.clone(),
            warmth: Warmth::default(),
            before: None,
            background: None,
            shown: None,
            rgba: Vec::new(),
            overlay: Overlay::default(),
            prepared: Prepared::default(),
            written: None,
        })
    }
}

/// The colours over the video are renewed after so long, in nanoseconds of the source.
const RENEWED: u64 = 200_000_000;
/// No find is there for longer than this before the next picture, in seconds.
const LONGEST: f64 = 1.0;

struct Warmer {
    config: Heatmap,
    warmth: Warmth,
    /// Position of the last picture.
    before: Option<u64>,
    /// The first picture.
    background: Option<image::RgbImage>,
    /// When the colours that are shown were made.
    shown: Option<u64>,
    rgba: Vec<u8>,
    overlay: Overlay,
    prepared: Prepared,
    written: Option<PathBuf>,
}

impl Op for Warmer {
    fn mode(&self) -> Mode {
        if self.config.opacity > 0.0 { Mode::InPlace } else { Mode::Read }
    }

    fn prepare(&mut self, input: &Arc<Spec>, _: &Stream) -> Result<Arc<Spec>, OpError> {
        let (width, height) = (input.info.width(), input.info.height());
        if let Some(path) = &self.config.path {
            let folder = path.parent().filter(|p| !p.as_os_str().is_empty());
            if folder.is_some_and(|f| !f.is_dir()) {
                let what = format!("cannot write {}: there is no such folder", path.display());
                return Err(OpError::Lacks { what, fix: "make the folder, or give another path".into() });
            }
            if path.exists() && !self.config.overwrite {
                let what = format!("{} exists", path.display());
                return Err(OpError::Lacks { what, fix: "give another path, or overwrite = true".into() });
            }
        }
        self.warmth = Warmth::new(width, height);
        Ok(input.clone())
    }

    fn read(&mut self, frame: &mut Frame) -> Result<(), OpError> {
        let now = frame.position.nseconds();
        let gone = self.before.replace(now).map(|b| now.saturating_sub(b) as f64 / 1e9);
        let length = frame.duration.map(|d| d.nseconds() as f64 / 1e9);
        if self.config.path.is_some() && self.background.is_none() {
            self.background = Some(rgb(frame, None, u32::MAX)?);
        }
        if let (Some(gone), Some(half)) = (gone, self.config.decay) {
            self.warmth.cool(0.5f64.powf(gone / (half.0.nseconds() as f64 / 1e9)) as f32);
        }
        let seconds = gone.or(length).unwrap_or(0.04).clamp(0.0, LONGEST) as f32;
        for d in &frame.meta.detections {
            let counts = self.config.detector.as_ref().is_none_or(|n| **n == *d.detector);
            if counts && self.config.labels.hold(&d.label) && d.rect.is_finite() {
                self.warmth.warm(self.config.anchor.of(&d.rect), self.spread(&d.rect), seconds);
            }
        }
        Ok(())
    }

    fn edit(&mut self, frame: &mut Frame) -> Result<(), OpError> {
        self.read(frame)?;
        let now = frame.position.nseconds();
        if self.shown.is_none_or(|at| now.abs_diff(at) >= RENEWED) {
            self.shown = Some(now);
            self.warmth.rgba_into(&mut self.rgba);
            self.overlay.set_rgba(frame.width(), frame.height(), &self.rgba, self.config.opacity as f32);
            self.prepared.set(&self.overlay, frame.spec(), 0, 0);
        }
        Ok(self.prepared.blend(frame)?)
    }

    fn flush(&mut self, _: &mut Vec<Frame>) -> Result<(), OpError> {
        Ok(())
    }

    fn finish(&mut self, _: &mut Vec<Frame>) -> Result<(), OpError> {
        let (Some(path), Some(picture)) = (&self.config.path, &mut self.background) else { return Ok(()) };
        self.warmth.show_on(picture, self.config.file_opacity as f32);
        save(picture, path).map_err(|e| OpError::Refused(format!("cannot write {}: {e}", path.display())))?;
        self.written = Some(path.clone());
        Ok(())
    }

    fn report(&self) -> Option<serde_json::Value> {
        let (most, (x, y)) = self.warmth.hottest();
        let mut note = format!("at most {most:.1} s at {x:.0},{y:.0}");
        if let Some(path) = &self.written {
            note += &format!("; {}", path.display());
        }
        Some(serde_json::json!({ "path": self.written, "most_seconds": most, "at": [x, y], "note": note }))
    }
}

impl Warmer {
    fn spread(&self, r: &Rect) -> f64 {
        match self.config.spread {
            Length::Pixels(p) => p,
            Length::Percent(p) => p / 100.0 * f64::from(r.h),
        }
    }
}

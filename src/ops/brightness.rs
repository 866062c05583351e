//! Measures how bright the picture is.

use opencv::core::{self as cv, Mat};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::spans::{Limited, Limits, Metric};
use super::{Group, Invalid, Op, OpConfig, OpError};
use crate::frame::{Component, Frame, Spec};

/// Measures brightness: the mean luma, 0 for black and 1 for white.
///
/// `brightness-min` and `brightness-max` are the darkest and the brightest pixel. Limited range is taken into account.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Brightness {
    /// Spans darker than this, 0 to 1, are listed in the statistics and the summary. Default: none.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0.0, max = 1.0))]
    pub min: Option<f64>,
    /// Spans brighter than this, 0 to 1, are listed. Default: none.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0.0, max = 1.0))]
    pub max: Option<f64>,
}

impl OpConfig for Brightness {
    const NAME: &'static str = "brightness";
    const GROUP: Group = Group::Measure;
    const EXAMPLE: &'static str = "brightness";
    const BEHIND: &'static str = "cv::mean, cv::minMaxLoc";

    fn check(&self) -> Result<(), Invalid> {
        Invalid::unless_in("min", self.min.unwrap_or(0.0), 0.0..=1.0)?;
        Invalid::unless_in("max", self.max.unwrap_or(1.0), 0.0..=1.0)?;
        Limits::check(self.min, self.max)
    }

    fn makes_events(&self) -> bool {
        self.min.or(self.max).is_some()
    }

    fn build(&self) -> Box<dyn Op> {
        let metric = Measuring { gray: Mat::default(), range: (0.0, 255.0) };
        Limited::op(Limits::new(Self::NAME, self.min, self.max), metric)
    }
}

/// The 8-bit luma of black and of white, as [`Frame::gray`] gives it.
pub(super) fn luma_range(spec: &Spec) -> (f64, f64) {
    let full = gstreamer_video::VideoColorRange::Range0_255;
    match spec.layout.find(Component::Y) {
        Some(_) if spec.info.colorimetry().range() != full => (16.0, 235.0),
        _ => (0.0, 255.0),
    }
}

struct Measuring {
    gray: Mat,
    range: (f64, f64),
}

impl Metric for Measuring {
    fn prepare(&mut self, input: &Spec) {
        self.range = luma_range(input);
    }

    fn of(&mut self, frame: &mut Frame) -> Result<f64, OpError> {
        let (mut min, mut max) = (0.0, 0.0);
        let mean = frame.gray(&mut self.gray, |gray| {
            cv::min_max_loc(gray, Some(&mut min), Some(&mut max), None, None, &cv::no_array())?;
            Ok::<_, OpError>(cv::mean(gray, &cv::no_array())?[0])
        })?;
        let (black, white) = self.range;
        let share = |v: f64| ((v - black) / (white - black)).clamp(0.0, 1.0);
        let value = share(mean);
        for (name, v) in [("brightness", value), ("brightness-min", share(min)), ("brightness-max", share(max))] {
            frame.meta.measured(name, v);
        }
        Ok(value)
    }
}

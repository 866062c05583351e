//! Measures how noisy the picture is.

use opencv::core::{self as cv, Mat};
use opencv::imgproc;
use opencv::prelude::*;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::spans::{Limited, Limits, Metric};
use super::{Group, Invalid, Op, OpConfig, OpError};
use crate::frame::Frame;

/// Estimates the noise of the luma as a standard deviation in 8-bit steps.
///
/// J. Immerkær, Fast Noise Variance Estimation, 1996: a mask that cancels flat areas and straight edges. Fine texture counts
/// as noise too, so a region that shows little (`region`) gives the better estimate.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Noise {
    /// Spans with less noise than this are listed in the statistics and the summary. Default: none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min: Option<f64>,
    /// Spans with more noise than this are listed. Default: none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max: Option<f64>,
}

impl OpConfig for Noise {
    const NAME: &'static str = "noise";
    const GROUP: Group = Group::Measure;
    const EXAMPLE: &'static str = "noise";
    const BEHIND: &'static str = "cv::Sobel (second derivative both ways)";

    fn check(&self) -> Result<(), Invalid> {
        Limits::check(self.min, self.max)
    }

    fn makes_events(&self) -> bool {
        self.min.or(self.max).is_some()
    }

    fn build(&self) -> Box<dyn Op> {
        let metric = Estimating { gray: Mat::default(), rough: Mat::default() };
        Limited::op(Limits::new(Self::NAME, self.min, self.max), metric)
    }
}

struct Estimating {
    gray: Mat,
    rough: Mat,
}

impl Metric for Estimating {
    fn of(&mut self, frame: &mut Frame) -> Result<f64, OpError> {
        let rough = &mut self.rough;
        // The kernel of d²/dx² d²/dy² is Immerkær's mask: 1 -2 1, -2 4 -2, 1 -2 1.
        frame.gray(&mut self.gray, |gray| {
            imgproc::sobel(gray, rough, cv::CV_16S, 2, 2, 3, 1.0, 0.0, cv::BORDER_DEFAULT).map_err(OpError::from)
        })?;
        let (w, h) = (rough.cols(), rough.rows());
        let mut sum = 0u64;
        // Without the edge of the picture, where pixels are missing.
        for y in 1..h - 1 {
            let row = rough.at_row::<i16>(y)?;
            let inner = row.get(1..row.len().saturating_sub(1)).unwrap_or_default();
            sum += u64::from(inner.iter().map(|v| u32::from(v.unsigned_abs())).sum::<u32>());
        }
        let n = (f64::from(w) - 2.0) * (f64::from(h) - 2.0);
        let value = if w > 2 && h > 2 { (std::f64::consts::PI / 2.0).sqrt() * sum as f64 / (6.0 * n) } else { 0.0 };
        frame.meta.measured("noise", value);
        Ok(value)
    }
}

//! Measures how sharp the picture is.

use opencv::core::{self as cv, Mat};
use opencv::imgproc;
use opencv::prelude::*;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::spans::{Limited, Limits, Metric};
use super::{Group, Invalid, Op, OpConfig, OpError};
use crate::frame::Frame;

/// Measures sharpness: the variance of the Laplacian of the luma.
///
/// `sharpness` is 0 for a flat picture, below about 100 for a blurred one, thousands for fine detail or noise. What counts as
/// sharp depends on the scene: compare pictures of the same kind and size.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Sharpness {
    /// Spans below this value are listed in the statistics and the summary. Default: none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min: Option<f64>,
    /// Spans above this value are listed. Default: none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max: Option<f64>,
}

impl OpConfig for Sharpness {
    const NAME: &'static str = "sharpness";
    const GROUP: Group = Group::Measure;
    const EXAMPLE: &'static str = "sharpness";
    const BEHIND: &'static str = "cv::Laplacian";

    fn check(&self) -> Result<(), Invalid> {
        Limits::check(self.min, self.max)
    }

    fn makes_events(&self) -> bool {
        self.min.or(self.max).is_some()
    }

    fn build(&self) -> Box<dyn Op> {
        let metric = Measuring { gray: Mat::default(), edges: Mat::default() };
        Limited::op(Limits::new(Self::NAME, self.min, self.max), metric)
    }
}

struct Measuring {
    gray: Mat,
    edges: Mat,
}

impl Metric for Measuring {
    fn of(&mut self, frame: &mut Frame) -> Result<f64, OpError> {
        let edges = &mut self.edges;
        frame.gray(&mut self.gray, |gray| {
            imgproc::laplacian(gray, edges, cv::CV_16S, 1, 1.0, 0.0, cv::BORDER_DEFAULT).map_err(OpError::from)
        })?;
        let (mut sum, mut squares) = (0i64, 0i64);
        for y in 0..edges.rows() {
            let row = edges.at_row::<i16>(y)?;
            sum += i64::from(row.iter().map(|v| i32::from(*v)).sum::<i32>());
            // A Laplacian of 8 bits is at most 1020: its square times 1024 fits.
            let square = |v: &i16| i32::from(*v) * i32::from(*v);
            squares += row.chunks(1024).map(|c| i64::from(c.iter().map(square).sum::<i32>())).sum::<i64>();
        }
        let n = edges.total().max(1) as f64;
        let value = squares as f64 / n - (sum as f64 / n).powi(2);
        frame.meta.measured("sharpness", value);
        Ok(value)
    }
}

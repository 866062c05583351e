//! Black and white.

use std::sync::Arc;

use opencv::imgproc;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::gray::neutral_chroma;
use super::levels::Levels;
use super::luma::Luma;
use super::{Group, Invalid, Mode, Op, OpConfig, OpError, Reach, Stream};
use crate::frame::{Frame, Spec};

/// Makes each pixel black or white by its brightness.
///
/// Brightness counts from 0 (black) to 255 (white) whatever the range and depth of the video; colour goes.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Threshold {
    /// `fixed` (the same `value` everywhere), `otsu` (found from each picture's histogram), `mean` or `gaussian` (against the
    /// mean, plain or weighted, of the pixels around).
    pub method: Method,
    /// For `fixed`: what is brighter than this becomes white; 0 to 255.
    #[schemars(range(min = 0.0, max = 255.0))]
    pub value: f64,
    /// For `mean` and `gaussian`: width of the square around a pixel in pixels, 3 to 255; even sizes count as the next odd
    /// one.
    #[schemars(range(min = 3, max = 255))]
    pub size: i32,
    /// For `mean` and `gaussian`: how much darker than the mean a pixel may be and still be white, −255 to 255.
    #[schemars(range(min = -255.0, max = 255.0))]
    pub offset: f64,
    /// `true`: what would be white becomes black, and the other way round.
    pub invert: bool,
}

/// How the threshold is found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Method {
    #[default]
    /// Given.
    Fixed,
    /// Between the two modes of the histogram.
    Otsu,
    /// The mean of the neighbourhood.
    Mean,
    /// Its Gaussian mean.
    Gaussian,
}

impl Default for Threshold {
    fn default() -> Self {
        Threshold { method: Method::Fixed, value: 127.0, size: 11, offset: 2.0, invert: false }
    }
}

impl OpConfig for Threshold {
    const NAME: &'static str = "threshold";
    const GROUP: Group = Group::Tone;
    const EXAMPLE: &'static str = "threshold:method=otsu";
    const BEHIND: &'static str = "cv::threshold, cv::adaptiveThreshold";

    fn check(&self) -> Result<(), Invalid> {
        Invalid::unless_in("value", self.value, 0.0..=255.0)?;
        Invalid::unless_in("size", self.size, 3..=255)?;
        Invalid::unless_in("offset", self.offset, -255.0..=255.0)
    }

    fn reach(&self) -> Reach {
        match self.method {
            Method::Fixed | Method::Otsu => Reach::Near(0),
            Method::Mean | Method::Gaussian => Reach::Near(self.size as u32 / 2 + 1),
        }
    }

    fn build(&self) -> Box<dyn Op> {
        Box::new(Splitting { config: self.clone(), neutral: None, luma: Luma::default() })
    }
}

struct Splitting {
    config: Threshold,
    neutral: Option<Levels>,
    luma: Luma,
}

impl Op for Splitting {
    fn mode(&self) -> Mode {
        Mode::InPlace
    }

    fn prepare(&mut self, input: &Arc<Spec>, _: &Stream) -> Result<Arc<Spec>, OpError> {
        self.neutral = Some(neutral_chroma(input));
        Ok(input.clone())
    }

    fn edit(&mut self, frame: &mut Frame) -> Result<(), OpError> {
        let Threshold { method, value, size, offset, invert } = self.config;
        let kind = if invert { imgproc::THRESH_BINARY_INV } else { imgproc::THRESH_BINARY };
        self.luma.work(frame, |old, new| match method {
            Method::Fixed => imgproc::threshold(old, new, value, 255.0, kind).map(drop),
            Method::Otsu => imgproc::threshold(old, new, 0.0, 255.0, kind | imgproc::THRESH_OTSU).map(drop),
            Method::Mean => {
                imgproc::adaptive_threshold(old, new, 255.0, imgproc::ADAPTIVE_THRESH_MEAN_C, kind, size | 1, offset)
            }
            Method::Gaussian => {
                let how = imgproc::ADAPTIVE_THRESH_GAUSSIAN_C;
                imgproc::adaptive_threshold(old, new, 255.0, how, kind, size | 1, offset)
            }
        })?;
        if let Some(neutral) = &self.neutral {
            self.luma.put_black_and_white(frame, neutral)?;
        }
        Ok(())
    }
}

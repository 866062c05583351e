//! Gamma.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::levels::Levels;
use super::{Group, Invalid, Mode, Op, OpConfig, OpError, Stream};
use crate::frame::{Component, Frame, Spec};

/// Brightens or darkens the middle tones; black and white stay.
///
/// With black at 0 and white at 1 of the video's own range, `x` becomes `x ^ (1 / gamma)`, as in ffmpeg's `eq=gamma`; the
/// OpenCV tutorial's exponent is the inverse of this. On luma and chroma only luma changes (colours keep their chroma, as in
/// `eq`), on red, green and blue each of them does. What limited range holds below black stays as it is.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Gamma {
    /// Above 1 brightens, below 1 darkens; 0.1 to 10. 1 changes nothing.
    #[schemars(range(min = 0.1, max = 10.0))]
    pub gamma: f64,
}

impl Default for Gamma {
    fn default() -> Self {
        Gamma { gamma: 1.0 }
    }
}

impl OpConfig for Gamma {
    const NAME: &'static str = "gamma";
    const GROUP: Group = Group::Tone;
    const EXAMPLE: &'static str = "gamma:gamma=1.4";
    const BEHIND: &'static str = "tables on native planes, as cv::LUT";

    fn check(&self) -> Result<(), Invalid> {
        Invalid::unless_in("gamma", self.gamma, 0.1..=10.0)
    }

    fn build(&self) -> Box<dyn Op> {
        Box::new(Bending { gamma: self.gamma, levels: None })
    }
}

struct Bending {
    gamma: f64,
    levels: Option<Levels>,
}

impl Op for Bending {
    fn mode(&self) -> Mode {
        Mode::InPlace
    }

    fn prepare(&mut self, input: &Arc<Spec>, _: &Stream) -> Result<Arc<Spec>, OpError> {
        let exponent = 1.0 / self.gamma;
        self.levels = Some(Levels::new(input, |c, v| match c {
            Component::U | Component::V => v,
            _ if v > 0.0 => v.powf(exponent),
            _ => v,
        }));
        Ok(input.clone())
    }

    fn edit(&mut self, frame: &mut Frame) -> Result<(), OpError> {
        if let Some(levels) = &self.levels {
            levels.apply(frame)?;
        }
        Ok(())
    }
}

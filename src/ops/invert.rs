//! Makes a negative.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::levels::Levels;
use super::{Group, Invalid, Mode, Op, OpConfig, OpError, Stream};
use crate::frame::{Component, Frame, Spec};

/// Makes a negative.
///
/// Black and white change places within the video's range (16 and 235 in limited range), and every hue becomes the opposite
/// one: chroma is mirrored at its neutral value. That is `255 − x` on red, green and blue.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Invert {
    /// `true` leaves the hues and inverts only the brightness; on red, green and blue there is no such difference, and it is
    /// refused.
    pub luma_only: bool,
}

impl OpConfig for Invert {
    const NAME: &'static str = "invert";
    const GROUP: Group = Group::Tone;
    const EXAMPLE: &'static str = "invert";
    const BEHIND: &'static str = "fixed-point arithmetic on native planes, as cv::bitwise_not";

    fn check(&self) -> Result<(), Invalid> {
        Ok(())
    }

    fn build(&self) -> Box<dyn Op> {
        Box::new(Inverting { config: self.clone(), levels: None })
    }
}

struct Inverting {
    config: Invert,
    levels: Option<Levels>,
}

impl Op for Inverting {
    fn mode(&self) -> Mode {
        Mode::InPlace
    }

    fn prepare(&mut self, input: &Arc<Spec>, _: &Stream) -> Result<Arc<Spec>, OpError> {
        let luma_only = self.config.luma_only;
        if luma_only && input.layout.rgb {
            let what = "luma-only = true needs luma, and this video is red, green and blue: leave luma-only out";
            return Err(OpError::Refused(what.into()));
        }
        self.levels = Some(Levels::new(input, |c, v| match c {
            Component::U | Component::V if luma_only => v,
            Component::U | Component::V => -v,
            _ => 1.0 - v,
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

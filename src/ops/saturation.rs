//! Saturation and hue.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::levels::Levels;
use super::matrix::{ColorMatrix, product, rgb_to_yuv};
use super::{Group, Invalid, Mode, Op, OpConfig, OpError, Stream};
use crate::frame::{Component, Frame, Spec};

/// Makes colours stronger or weaker, and turns hues; brightness stays.
///
/// Chroma is scaled around its neutral value and turned, as in ffmpeg's `hue=s=…:h=…` and `eq=saturation`. On red, green and
/// blue it is the matrix that does the same. Full range is clipped to 0–255, limited range to 1–254.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Saturation {
    /// Factor for the distance from gray: 0 is gray, 1 changes nothing; up to 4.
    #[schemars(range(min = 0.0, max = 4.0))]
    pub saturation: f64,
    /// Angle in degrees by which all hues turn, −360 to 360; 0 changes nothing.
    #[schemars(range(min = -360.0, max = 360.0))]
    pub hue: f64,
}

impl Default for Saturation {
    fn default() -> Self {
        Saturation { saturation: 1.0, hue: 0.0 }
    }
}

impl OpConfig for Saturation {
    const NAME: &'static str = "saturation";
    const GROUP: Group = Group::Tone;
    const EXAMPLE: &'static str = "saturation:saturation=1.5";
    const BEHIND: &'static str = "fixed-point arithmetic on native planes, as cv::transform";

    fn check(&self) -> Result<(), Invalid> {
        Invalid::unless_in("saturation", self.saturation, 0.0..=4.0)?;
        Invalid::unless_in("hue", self.hue, -360.0..=360.0)
    }

    fn build(&self) -> Box<dyn Op> {
        Box::new(Coloring { config: self.clone(), way: Way::Nothing })
    }
}

struct Coloring {
    config: Saturation,
    way: Way,
}

enum Way {
    Nothing,
    Levels(Levels),
    Matrix(Box<ColorMatrix>),
}

impl Op for Coloring {
    fn mode(&self) -> Mode {
        Mode::InPlace
    }

    fn prepare(&mut self, input: &Arc<Spec>, _: &Stream) -> Result<Arc<Spec>, OpError> {
        let Saturation { saturation, hue } = self.config;
        let hue = hue.rem_euclid(360.0);
        self.way = match (input.layout.rgb, hue == 0.0) {
            _ if hue == 0.0 && saturation == 1.0 => Way::Nothing,
            (false, true) => Way::Levels(Levels::new(input, |c, v| match c {
                Component::U | Component::V => v * saturation,
                _ => v,
            })),
            (rgb, _) => {
                let (sin, cos) = hue.to_radians().sin_cos();
                let (c, s) = (cos * saturation, sin * saturation);
                let mut turned = [[1.0, 0.0, 0.0], [0.0, c, -s], [0.0, s, c]];
                if rgb {
                    let (there, back) = rgb_to_yuv(input);
                    turned = product(&back, &product(&turned, &there));
                }
                let mut matrix = ColorMatrix::default();
                matrix.set(&turned, input);
                Way::Matrix(Box::new(matrix))
            }
        };
        Ok(input.clone())
    }

    fn edit(&mut self, frame: &mut Frame) -> Result<(), OpError> {
        match &mut self.way {
            Way::Nothing => {}
            Way::Levels(levels) => levels.apply(frame)?,
            Way::Matrix(matrix) => matrix.apply(frame)?,
        }
        Ok(())
    }
}

//! Shows how steep the picture's brightness is.

use std::sync::Arc;

use opencv::core::{self as cv, Mat};
use opencv::imgproc;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::channels::{Dst, Src, odd};
use super::gradient::{Gray, Scale, Shades};
use super::sample::is_deep;
use super::{Group, Invalid, Mode, Op, OpConfig, OpError, Reach, Stream};
use crate::frame::{Frame, Spec};

/// Shows the slope of the brightness, bright where it is steep: a gray picture.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Sobel {
    /// `magnitude` (√(x²+y²), all edges), `x` (from left to right: upright edges) or `y` (from top to bottom).
    pub direction: Direction,
    /// Diameter of the kernel in pixels, 1, 3, 5 or 7; even sizes count as the next odd one. Larger kernels answer to wider
    /// and fainter edges: each step up is about ten times as strong.
    #[schemars(range(min = 1, max = 7))]
    pub size: u32,
    /// Brightness steps of the result for each step of slope, 0.0001 to 100.
    #[schemars(range(min = 0.0001, max = 100.0))]
    pub scale: f64,
    /// For `x` and `y`: mid grey is level, brighter is rising, darker is falling. Default: false, either is bright on black.
    pub signed: bool,
}

/// Of what the slope is shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[allow(missing_docs)]
pub enum Direction {
    #[default]
    Magnitude,
    X,
    Y,
}

impl Default for Sobel {
    fn default() -> Self {
        Sobel { direction: Direction::Magnitude, size: 3, scale: 1.0, signed: false }
    }
}

impl OpConfig for Sobel {
    const NAME: &'static str = "sobel";
    const GROUP: Group = Group::Detail;
    const EXAMPLE: &'static str = "sobel:size=3";
    const BEHIND: &'static str = "cv::Sobel on luma";

    fn check(&self) -> Result<(), Invalid> {
        Invalid::unless_in("size", self.size, 1..=7)?;
        Invalid::unless_in("scale", self.scale, 0.0001..=100.0)?;
        if self.signed && self.direction == Direction::Magnitude {
            let what = "signed needs direction = x or direction = y: a magnitude has no sign";
            return Err(Invalid::new("signed", what));
        }
        Ok(())
    }

    fn reach(&self) -> Reach {
        Reach::Near(self.size.div_ceil(2))
    }

    fn build(&self) -> Box<dyn Op> {
        Box::new(Slope {
            config: self.clone(),
            gray: Gray::default(),
            shades: Shades::default(),
            slopes: Default::default(),
        })
    }
}

struct Slope {
    config: Sobel,
    gray: Gray,
    shades: Shades,
    slopes: [Mat; 2],
}

impl Op for Slope {
    fn mode(&self) -> Mode {
        Mode::Transform
    }

    fn prepare(&mut self, input: &Arc<Spec>, _: &Stream) -> Result<Arc<Spec>, OpError> {
        (self.gray, self.shades) = (Gray::of(input)?, Shades::of(input));
        Ok(input.clone())
    }

    fn transform(&mut self, from: &Frame, to: &mut Frame) -> Result<(), OpError> {
        let Slope { config, gray, shades, slopes } = self;
        gray.transform(from, to, |luma, to| Ok(draw(config, *shades, luma, slopes, to)?))
    }
}

fn draw(config: &Sobel, shades: Shades, luma: &Src<'_>, slopes: &mut [Mat; 2], to: &mut Dst<'_>) -> opencv::Result<()> {
    let size = odd(config.size, 0);
    // Sums of 8-bit samples fit into 16 bits up to a kernel of 5.
    let exact = !is_deep(luma) && size <= 5;
    let depth = if exact { cv::CV_16S } else { cv::CV_32F };
    let slope = |x, y, to: &mut Mat| imgproc::sobel(luma, to, depth, x, y, size, 1.0, 0.0, cv::BORDER_DEFAULT);
    let [first, second] = slopes;
    let mut both = None;
    match config.direction {
        Direction::X => slope(1, 0, first)?,
        Direction::Y => slope(0, 1, first)?,
        Direction::Magnitude => {
            slope(1, 0, first)?;
            slope(0, 1, second)?;
            both = Some(&*second);
        }
    }
    let scale = Scale { by: config.scale as f32, signed: config.signed };
    match exact {
        true => shades.draw::<i16>(first, both, scale, to),
        false => shades.draw::<f32>(first, both, scale, to),
    }
}

//! Shows where the picture's brightness bends: fine lines and dots.

use std::sync::Arc;

use opencv::core::{self as cv, Mat};
use opencv::imgproc;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::channels::odd;
use super::gradient::{Gray, Scale, Shades};
use super::sample::is_deep;
use super::{Group, Invalid, Mode, Op, OpConfig, OpError, Reach, Stream};
use crate::frame::{Frame, Spec};

/// Shows where the brightness bends (its second derivative), bright at fine lines, dots and edges: a gray picture.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Laplacian {
    /// Diameter of the kernel in pixels, 1 (the four neighbours), 3, 5 or 7; even sizes count as the next odd one. Larger
    /// kernels are much stronger.
    #[schemars(range(min = 1, max = 7))]
    pub size: u32,
    /// Brightness steps of the result for each step of the derivative, 0.0001 to 100.
    #[schemars(range(min = 0.0001, max = 100.0))]
    pub scale: f64,
    /// Mid grey is flat, brighter is a hollow, darker is a ridge. Default: false, either is bright on black.
    pub signed: bool,
}

impl Default for Laplacian {
    fn default() -> Self {
        Laplacian { size: 3, scale: 1.0, signed: false }
    }
}

impl OpConfig for Laplacian {
    const NAME: &'static str = "laplacian";
    const GROUP: Group = Group::Detail;
    const EXAMPLE: &'static str = "laplacian:size=3";
    const BEHIND: &'static str = "cv::Laplacian on luma";

    fn check(&self) -> Result<(), Invalid> {
        Invalid::unless_in("size", self.size, 1..=7)?;
        Invalid::unless_in("scale", self.scale, 0.0001..=100.0)
    }

    fn reach(&self) -> Reach {
        Reach::Near(self.size.div_ceil(2).max(2))
    }

    fn build(&self) -> Box<dyn Op> {
        Box::new(Bends {
            config: self.clone(),
            gray: Gray::default(),
            shades: Shades::default(),
            bends: Mat::default(),
        })
    }
}

struct Bends {
    config: Laplacian,
    gray: Gray,
    shades: Shades,
    bends: Mat,
}

impl Op for Bends {
    fn mode(&self) -> Mode {
        Mode::Transform
    }

    fn prepare(&mut self, input: &Arc<Spec>, _: &Stream) -> Result<Arc<Spec>, OpError> {
        (self.gray, self.shades) = (Gray::of(input)?, Shades::of(input));
        Ok(input.clone())
    }

    fn transform(&mut self, from: &Frame, to: &mut Frame) -> Result<(), OpError> {
        let Bends { config, gray, shades, bends } = self;
        gray.transform(from, to, |luma, to| {
            let size = odd(config.size, 0);
            // Sums of 8-bit samples fit into 16 bits up to a kernel of 5.
            let exact = !is_deep(luma) && size <= 5;
            let depth = if exact { cv::CV_16S } else { cv::CV_32F };
            imgproc::laplacian(luma, bends, depth, size, 1.0, 0.0, cv::BORDER_DEFAULT)?;
            let scale = Scale { by: config.scale as f32, signed: config.signed };
            match exact {
                true => shades.draw::<i16>(bends, None, scale, to)?,
                false => shades.draw::<f32>(bends, None, scale, to)?,
            }
            Ok(())
        })
    }
}

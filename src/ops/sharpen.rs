//! Makes edges crisper.

use std::sync::Arc;

use opencv::core::{self as cv, Mat, Size};
use opencv::imgproc;
use opencv::prelude::*;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::channels::{Channels, Dst, Src, odd};
use super::sample::{Sample, is_deep};
use super::{Group, Invalid, Mode, Op, OpConfig, OpError, Reach, Stream};
use crate::frame::{Frame, Layout, Spec};

/// Makes edges crisper: adds what the picture differs from a blurred copy (unsharp mask).
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Sharpen {
    /// Diameter of the blur in pixels of the full picture, 3 to 63; even sizes count as the next odd one. Small sizes bring
    /// out fine detail, large ones contrast between areas. Colour planes that are stored smaller get a smaller one.
    #[schemars(range(min = 3, max = 63))]
    pub size: u32,
    /// Standard deviation of the blur in pixels, 0.1 to 20. Default: from the size, as for `blur`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0.1, max = 20.0))]
    pub sigma: Option<f64>,
    /// How much of the difference is added to luma (to red, green and blue where that is what the video has), 0 (nothing)
    /// to 10.
    #[schemars(range(min = 0.0, max = 10.0))]
    pub amount: f64,
    /// The same for chroma, 0 to 10. Default: 0, since eyes see little of it and noise grows.
    #[schemars(range(min = 0.0, max = 10.0))]
    pub chroma: f64,
    /// Differences below this many 8-bit steps are left alone, 0 to 255: keeps noise and skin as they are.
    #[schemars(range(min = 0.0, max = 255.0))]
    pub threshold: f64,
}

impl Default for Sharpen {
    fn default() -> Self {
        Sharpen { size: 5, sigma: None, amount: 1.0, chroma: 0.0, threshold: 0.0 }
    }
}

impl OpConfig for Sharpen {
    const NAME: &'static str = "sharpen";
    const GROUP: Group = Group::Detail;
    const EXAMPLE: &'static str = "sharpen:amount=1.5";
    const BEHIND: &'static str = "cv::GaussianBlur and cv::addWeighted";

    fn check(&self) -> Result<(), Invalid> {
        Invalid::unless_in("size", self.size, 3..=63)?;
        Invalid::unless_in("sigma", self.sigma.unwrap_or(1.0), 0.1..=20.0)?;
        Invalid::unless_in("amount", self.amount, 0.0..=10.0)?;
        Invalid::unless_in("chroma", self.chroma, 0.0..=10.0)?;
        Invalid::unless_in("threshold", self.threshold, 0.0..=255.0)
    }

    fn reach(&self) -> Reach {
        Reach::Near(self.size.div_ceil(2))
    }

    fn build(&self) -> Box<dyn Op> {
        Box::new(Sharpening { config: self.clone(), planes: Vec::new() })
    }
}

struct Sharpening {
    config: Sharpen,
    planes: Vec<Kernel>,
}

/// What happens to one plane.
struct Kernel {
    channels: Channels,
    size: Size,
    sigma: (f64, f64),
    /// Of luma and of chroma.
    amounts: [f64; 2],
    limits: Limits,
    blurred: Vec<Mat>,
}

/// In stored samples.
#[derive(Clone, Copy)]
struct Limits {
    threshold: f32,
    maximum: f32,
    bits: u32,
}

impl Op for Sharpening {
    fn mode(&self) -> Mode {
        Mode::Transform
    }

    fn prepare(&mut self, input: &Arc<Spec>, _: &Stream) -> Result<Arc<Spec>, OpError> {
        let (config, layout) = (&self.config, &input.layout);
        let sigma = config.sigma.unwrap_or(0.0);
        let kernel = |plane| Kernel {
            channels: Channels::of(plane, true),
            size: Size::new(odd(config.size, plane.w_sub), odd(config.size, plane.h_sub)),
            sigma: (sigma / f64::from(1 << plane.w_sub), sigma / f64::from(1 << plane.h_sub)),
            amounts: [config.amount, config.chroma],
            limits: Limits::of(config.threshold, layout),
            blurred: Vec::new(),
        };
        self.planes = layout.planes.iter().map(kernel).collect();
        Ok(input.clone())
    }

    fn transform(&mut self, from: &Frame, to: &mut Frame) -> Result<(), OpError> {
        let (src, mut dst) = (from.planes()?, to.planes_mut()?);
        for (i, kernel) in self.planes.iter_mut().enumerate() {
            let from = src.mat(i)?;
            dst.edit(i, |to| kernel.run(&from, to).map_err(OpError::from))?;
        }
        Ok(())
    }
}

impl Limits {
    fn of(threshold: f64, layout: &Layout) -> Self {
        let eighth = f64::from(1u32 << (layout.depth + layout.shift - 8));
        Limits {
            threshold: (threshold * eighth) as f32,
            maximum: (((1u32 << layout.depth) - 1) << layout.shift) as f32,
            bits: !((1 << layout.shift) - 1),
        }
    }
}

impl Kernel {
    fn run(&mut self, from: &Src<'_>, to: &mut Dst<'_>) -> opencv::Result<()> {
        let Kernel { channels, size, sigma, amounts, limits, blurred } = self;
        channels.run(from, to, |from, to, part| {
            let amount = amounts[usize::from(part.chroma)];
            if amount == 0.0 {
                return from.copy_to(to);
            }
            if blurred.len() <= part.index {
                blurred.resize_with(part.index + 1, Mat::default);
            }
            let blurred = &mut blurred[part.index];
            imgproc::gaussian_blur(from, blurred, *size, sigma.0, sigma.1, cv::BORDER_DEFAULT)?;
            match (is_deep(from), limits.threshold > 0.0) {
                (false, false) => cv::add_weighted(from, 1.0 + amount, blurred, -amount, 0.0, to, -1),
                (false, true) => limits.add::<u8>(from, blurred, amount as f32, to),
                (true, _) => limits.add::<u16>(from, blurred, amount as f32, to),
            }
        })
    }
}

impl Limits {
    /// `from` plus `amount` of what it differs from `blurred`.
    fn add<T: Sample>(self, from: &Src<'_>, blurred: &Mat, amount: f32, to: &mut Dst<'_>) -> opencv::Result<()> {
        let (from, blurred, mut to) = (from.reshape_def(1)?, blurred.reshape_def(1)?, to.reshape_def_mut(1)?);
        for y in 0..to.rows() {
            self.row(from.at_row::<T>(y)?, blurred.at_row(y)?, amount, to.at_row_mut(y)?);
        }
        Ok(())
    }

    fn row<T: Sample>(self, from: &[T], blurred: &[T], amount: f32, to: &mut [T]) {
        for ((to, &from), &blurred) in to.iter_mut().zip(from).zip(blurred) {
            let (from, blurred): (f32, f32) = (from.into(), blurred.into());
            let difference = from - blurred;
            let more = if difference.abs() < self.threshold { 0.0 } else { difference * amount };
            *to = T::rounded((from + more).clamp(0.0, self.maximum), self.bits);
        }
    }
}

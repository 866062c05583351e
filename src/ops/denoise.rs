//! Takes noise out.

use std::sync::Arc;

use multiversion::multiversion;
use opencv::core::{self as cv, Mat, Vector};
use opencv::prelude::*;
use opencv::{imgproc, photo};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::channels::{Channels, Dst, Src, odd};
use super::sample::{Sample, is_deep, round_to};
use super::{Group, Invalid, Mode, Op, OpConfig, OpError, Reach, Stream};
use crate::frame::{Frame, Spec};

/// Takes noise out, over time or within each picture.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Denoise {
    /// `temporal` (running mean of each pixel over time, left where something moves: fast, best for cameras that stand
    /// still), `bilateral` (smooths areas within a picture, keeps edges) or `nlm` (mean over places that look alike: the
    /// best within a picture and very slow, seconds for each HD frame).
    pub method: Method,
    /// How strong, 0.1 to 100 in 8-bit steps. `temporal`: what differs more than this from the mean so far is motion, what
    /// differs less than half of it is noise; `bilateral`: how different samples may be and still be mixed; `nlm`: OpenCV's
    /// h, about the noise's standard deviation. Default: 12, 20 and 5.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0.1, max = 100.0))]
    pub strength: Option<f64>,
    /// The same for chroma, 0 (leaves it alone) to 100. Default: as `strength`. Nothing for red, green and blue.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0.0, max = 100.0))]
    pub chroma: Option<f64>,
    /// For `temporal`: over how many frames, 2 to 64. More takes out more noise and shows ghosts of slow changes longer.
    #[schemars(range(min = 2, max = 64))]
    pub frames: u32,
    /// For `bilateral`: diameter in pixels of the full picture, 3 to 31; the time goes by its square.
    #[schemars(range(min = 3, max = 31))]
    pub size: u32,
    /// For `nlm`: diameter of the patches that are compared, 3 to 21 pixels.
    #[schemars(range(min = 3, max = 21))]
    pub template: u32,
    /// For `nlm`: diameter of where they are looked for, 5 to 51 pixels; the time goes by its square.
    #[schemars(range(min = 5, max = 51))]
    pub search: u32,
}

/// The kind of filter.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[allow(missing_docs)]
pub enum Method {
    #[default]
    Temporal,
    Bilateral,
    Nlm,
}

impl Default for Denoise {
    fn default() -> Self {
        Denoise { method: Method::Temporal, strength: None, chroma: None, frames: 8, size: 7, template: 7, search: 21 }
    }
}

impl OpConfig for Denoise {
    const NAME: &'static str = "denoise";
    const GROUP: Group = Group::Detail;
    const EXAMPLE: &'static str = "denoise:method=temporal";
    const BEHIND: &'static str = "cv::fastNlMeansDenoising, cv::bilateralFilter; temporal: our own";

    fn check(&self) -> Result<(), Invalid> {
        Invalid::unless_in("strength", self.strength.unwrap_or(1.0), 0.1..=100.0)?;
        Invalid::unless_in("chroma", self.chroma.unwrap_or(1.0), 0.0..=100.0)?;
        Invalid::unless_in("frames", self.frames, 2..=64)?;
        Invalid::unless_in("size", self.size, 3..=31)?;
        Invalid::unless_in("template", self.template, 3..=21)?;
        Invalid::unless_in("search", self.search, 5..=51)
    }

    fn reach(&self) -> Reach {
        Reach::Near(match self.method {
            Method::Temporal => 0,
            Method::Bilateral => self.size.div_ceil(2),
            Method::Nlm => self.template.div_ceil(2) + self.search.div_ceil(2),
        })
    }

    fn stateful(&self) -> bool {
        self.method == Method::Temporal
    }

    fn build(&self) -> Box<dyn Op> {
        Box::new(Denoising { config: self.clone(), planes: Vec::new(), seen: 0 })
    }
}

struct Denoising {
    config: Denoise,
    planes: Vec<Filter>,
    /// Frames so far.
    seen: u32,
}

/// What happens to one plane.
struct Filter {
    method: Method,
    channels: Channels,
    /// Of luma and of chroma, in stored samples.
    strengths: [f64; 2],
    size: i32,
    template: i32,
    search: i32,
    bits: u32,
    /// For `temporal`, the means so far of each part; for `bilateral`, room for samples that OpenCV takes as floats only.
    means: Vec<Vec<f32>>,
    floats: [Mat; 2],
}

impl Op for Denoising {
    fn mode(&self) -> Mode {
        Mode::Transform
    }

    fn prepare(&mut self, input: &Arc<Spec>, _: &Stream) -> Result<Arc<Spec>, OpError> {
        let (config, layout) = (&self.config, &input.layout);
        let strength = config.strength.unwrap_or(match config.method {
            Method::Temporal => 12.0,
            Method::Bilateral => 20.0,
            Method::Nlm => 5.0,
        });
        let eighth = f64::from(1u32 << (layout.depth + layout.shift - 8));
        let filter = |plane: &crate::frame::Plane| {
            // Kernels are square: 4:2:2 chroma takes the narrower side.
            let sub = plane.w_sub.max(plane.h_sub);
            Filter {
                method: config.method,
                channels: Channels::of(plane, config.method != Method::Bilateral),
                strengths: [strength * eighth, config.chroma.unwrap_or(strength) * eighth],
                size: odd(config.size, sub),
                template: odd(config.template, 0),
                search: odd(config.search, sub),
                bits: !((1 << layout.shift) - 1),
                means: Vec::new(),
                floats: Default::default(),
            }
        };
        (self.planes, self.seen) = (layout.planes.iter().map(filter).collect(), 0);
        Ok(input.clone())
    }

    fn transform(&mut self, from: &Frame, to: &mut Frame) -> Result<(), OpError> {
        self.seen = (self.seen + 1).min(self.config.frames);
        let (src, mut dst) = (from.planes()?, to.planes_mut()?);
        for (i, filter) in self.planes.iter_mut().enumerate() {
            let from = src.mat(i)?;
            // The first frames make a plain mean, later ones a running one.
            dst.edit(i, |to| filter.run(&from, to, 1.0 / self.seen as f32).map_err(OpError::from))?;
        }
        Ok(())
    }
}

impl Filter {
    fn run(&mut self, from: &Src<'_>, to: &mut Dst<'_>, share: f32) -> opencv::Result<()> {
        let Filter { method, channels, strengths, size, template, search, bits, means, floats } = self;
        channels.run(from, to, |from, to, part| {
            let strength = strengths[usize::from(part.chroma)];
            match (*method, is_deep(from)) {
                _ if strength == 0.0 => from.copy_to(to),
                (Method::Nlm, false) => photo::fast_nl_means_denoising(from, to, strength as f32, *template, *search),
                (Method::Nlm, true) => {
                    // OpenCV takes 16 bits with absolute differences only.
                    let h = Vector::from_slice(&[strength as f32]);
                    photo::fast_nl_means_denoising_vec(from, to, &h, *template, *search, cv::NORM_L1)?;
                    round_to(to, *bits)
                }
                (Method::Bilateral, false) => {
                    imgproc::bilateral_filter_def(from, to, *size, strength, f64::from(*size) / 2.0)
                }
                (Method::Bilateral, true) => {
                    let [float, smooth] = floats;
                    from.convert_to_def(float, cv::CV_32F)?;
                    imgproc::bilateral_filter_def(float, smooth, *size, strength, f64::from(*size) / 2.0)?;
                    smooth.convert_to_def(to, from.depth())?;
                    round_to(to, *bits)
                }
                (Method::Temporal, deep) => {
                    if means.len() <= part.index {
                        means.resize_with(part.index + 1, Vec::new);
                    }
                    let (means, strength) = (&mut means[part.index], strength as f32);
                    match deep {
                        false => running_mean::<u8>(from, to, means, strength, share, *bits),
                        true => running_mean::<u16>(from, to, means, strength, share, *bits),
                    }
                }
            }
        })
    }
}

/// Moves each mean towards its sample: by `share` where they differ by less than half of `strength`, all the way where by
/// more than `strength`, in between in proportion.
fn running_mean<T: Sample>(
    from: &Src<'_>,
    to: &mut Dst<'_>,
    means: &mut Vec<f32>,
    strength: f32,
    share: f32,
    bits: u32,
) -> opencv::Result<()> {
    let width = from.cols() as usize * from.channels() as usize;
    let size = width * from.rows() as usize;
    if means.len() != size {
        means.clear();
        means.resize(size, 0.0);
    }
    let half = strength / 2.0;
    let pace = Pace { share, half, slope: (1.0 - share) / half, bits };
    let (from, mut to) = (from.reshape_def(1)?, to.reshape_def_mut(1)?);
    for (y, means) in (0..to.rows()).zip(means.chunks_exact_mut(width)) {
        follow(pace, from.at_row::<T>(y)?, to.at_row_mut::<T>(y)?, means);
    }
    Ok(())
}

/// How fast means move.
#[derive(Clone, Copy)]
struct Pace {
    share: f32,
    half: f32,
    slope: f32,
    bits: u32,
}

/// The pace by value, so that the compiler knows that no write changes it, and vectorises.
#[multiversion(targets("x86_64+avx2"))]
fn follow<T: Sample>(pace: Pace, from: &[T], to: &mut [T], means: &mut [f32]) {
    for ((to, &from), mean) in to.iter_mut().zip(from).zip(means) {
        let difference = Into::<f32>::into(from) - *mean;
        *mean += difference * (pace.share + (difference.abs() - pace.half) * pace.slope).clamp(pace.share, 1.0);
        *to = T::rounded(*mean, pace.bits);
    }
}

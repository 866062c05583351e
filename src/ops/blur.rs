//! Smooths the picture.

use std::sync::Arc;

use opencv::core::{self as cv, Mat, Size, Vector};
use opencv::core::{ToInputArray, ToInputOutputArray, ToOutputArray};
use opencv::imgproc;
use opencv::prelude::*;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::gaussian;
use super::{Group, Invalid, Mode, Op, OpConfig, OpError, Reach, Stream};
use crate::frame::{Component, Frame, Plane, PlaneBytes, PlaneBytesMut, Spec, shape_scratch};

/// Smooths the picture.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Blur {
    /// `gaussian`, `box`, `median` (removes specks, keeps edges) or `bilateral` (smooths areas, keeps edges, slow).
    pub method: Method,
    /// Diameter of the kernel in pixels of the full picture, 1 to 255; even sizes count as the next odd one. 1 changes
    /// nothing. Colour planes that are stored smaller get a kernel that is smaller to the same degree.
    #[schemars(range(min = 1, max = 255))]
    pub size: u32,
    /// Standard deviation of the Gaussian in pixels, 0.1 to 100; for `bilateral` how far pixels reach. Default: from the
    /// size, as OpenCV does (0.3·((size−1)/2 − 1) + 0.8).
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0.1, max = 100.0))]
    pub sigma: Option<f64>,
    /// For `bilateral`: how different, in 8-bit steps, colours may be and still be mixed, 1 to 255.
    #[schemars(range(min = 1.0, max = 255.0))]
    pub sigma_color: f64,
}

/// The kind of smoothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Method {
    #[default]
    /// Weighted mean, the natural look.
    Gaussian,
    /// Plain mean.
    Box,
    /// Median.
    Median,
    /// Edge-preserving.
    Bilateral,
}

impl Default for Blur {
    fn default() -> Self {
        Blur { method: Method::Gaussian, size: 9, sigma: None, sigma_color: 50.0 }
    }
}

impl OpConfig for Blur {
    const NAME: &'static str = "blur";
    const GROUP: Group = Group::Detail;
    const EXAMPLE: &'static str = "blur:size=9";
    const BEHIND: &'static str =
        "cv::GaussianBlur (8 bits: the same by our own code), cv::blur, cv::medianBlur, cv::bilateralFilter";

    fn check(&self) -> Result<(), Invalid> {
        Invalid::unless_in("size", self.size, 1..=255)?;
        Invalid::unless_in("sigma", self.sigma.unwrap_or(1.0), 0.1..=100.0)?;
        Invalid::unless_in("sigma-color", self.sigma_color, 1.0..=255.0)
    }

    fn reach(&self) -> Reach {
        Reach::Near(self.size.div_ceil(2))
    }

    fn build(&self) -> Box<dyn Op> {
        Box::new(Blurring { config: self.clone(), kernels: Vec::new() })
    }
}

struct Blurring {
    config: Blur,
    kernels: Vec<Kernel>,
}

impl Op for Blurring {
    fn mode(&self) -> Mode {
        Mode::Transform
    }

    fn prepare(&mut self, input: &Arc<Spec>, _: &Stream) -> Result<Arc<Spec>, OpError> {
        let (config, layout, info) = (&self.config, &input.layout, &input.info);
        if config.method == Method::Median && layout.bytes == 2 && config.size > 5 {
            return Err(OpError::Refused(format!(
                "median with size {} needs 8-bit samples, and this video is {} ({} bits): use size=5 or method=gaussian",
                config.size,
                info.format(),
                layout.depth
            )));
        }
        self.kernels.clear();
        for plane in &layout.planes {
            let size = Size::new(odd(config.size, plane.w_sub), odd(config.size, plane.h_sub));
            let sigma = config.sigma.map(|s| (s / f64::from(1 << plane.w_sub), s / f64::from(1 << plane.h_sub)));
            let fast = config.method == Method::Gaussian && layout.bytes == 1 && size != Size::new(1, 1);
            let (sigma_x, sigma_y) = sigma.unwrap_or_default();
            self.kernels.push(Kernel {
                method: config.method,
                size,
                sigma,
                fast: if fast { gaussian::Kernel::new(size, sigma_x, sigma_y)? } else { None },
                scratch: gaussian::Scratch::default(),
                // sigma-color is in 8-bit steps; this plane's samples may be finer.
                sigma_color: config.sigma_color * f64::from(1u32 << (layout.depth - 8 + layout.shift)),
                groups: groups(plane, config.method),
                channels: plane.channels.len(),
                skip: plane.is_alpha(),
                split: Default::default(),
                float: Default::default(),
            });
        }
        Ok(input.clone())
    }

    fn transform(&mut self, from: &Frame, to: &mut Frame) -> Result<(), OpError> {
        let (src, mut dst) = (from.planes()?, to.planes_mut()?);
        for (i, kernel) in self.kernels.iter_mut().enumerate() {
            if let (Some(fast), false) = (&kernel.fast, kernel.skip) {
                let (from, mut to) = (src.bytes(i)?, dst.bytes_mut(i)?);
                let channels = kernel.channels;
                fast.run(&from, &mut to, channels, &mut kernel.scratch);
                kernel.keep_others(&from, &mut to);
                continue;
            }
            let from = src.mat(i)?;
            dst.edit(i, |to| match kernel.skip {
                true => from.copy_to(to).map_err(OpError::from),
                false => kernel.run(&from, to).map_err(OpError::from),
            })?;
        }
        Ok(())
    }
}

/// What happens to one plane, settled before the first frame.
struct Kernel {
    method: Method,
    size: Size,
    sigma: Option<(f64, f64)>,
    sigma_color: f64,
    /// Sets of channels that are smoothed one set at a time; `None`: all at once. Opacity and padding are in no set.
    groups: Option<Vec<Vec<i32>>>,
    /// Interleaved samples of the plane.
    channels: usize,
    /// For whole 8-bit planes, smoothed by ourselves.
    fast: Option<gaussian::Kernel>,
    scratch: gaussian::Scratch,
    skip: bool,
    split: [Mat; 2],
    float: [Mat; 2],
}

impl Kernel {
    /// Copies the channels that are in no group.
    fn keep_others(&self, src: &PlaneBytes, dst: &mut PlaneBytesMut) {
        let Some(groups) = &self.groups else { return };
        let others = (0..self.channels).filter(|c| !groups.iter().flatten().any(|g| *g == *c as i32));
        for c in others {
            for (from, to) in src.data.chunks(src.stride).zip(dst.data.chunks_mut(dst.stride)) {
                let (from, to) = (from[..src.row_bytes].iter().skip(c), to[..dst.row_bytes].iter_mut().skip(c));
                from.step_by(self.channels).zip(to.step_by(self.channels)).for_each(|(from, to)| *to = *from);
            }
        }
    }

    fn run(&mut self, src: &impl Source, dst: &mut impl Target) -> opencv::Result<()> {
        let Some(groups) = self.groups.take() else { return self.smooth(src, dst) };
        let [mut picked, mut smooth] = std::mem::take(&mut self.split);
        src.copy_to(dst)?;
        for group in &groups {
            let there: Vector<i32> = group.iter().enumerate().flat_map(|(to, &from)| [from, to as i32]).collect();
            let back: Vector<i32> = group.iter().enumerate().flat_map(|(from, &to)| [from as i32, to]).collect();
            // A no-op once the scratch has its size: nothing is allocated per frame.
            let kind = cv::CV_MAKETYPE(src.depth(), group.len() as i32);
            shape_scratch(&mut picked, src.size()?, kind)?;
            cv::mix_channels(src, &mut picked, there.as_slice())?;
            self.smooth(&picked, &mut smooth)?;
            cv::mix_channels(&smooth, dst, back.as_slice())?;
        }
        self.split = [picked, smooth];
        self.groups = Some(groups);
        Ok(())
    }

    fn smooth(&mut self, src: &impl Source, dst: &mut impl Target) -> opencv::Result<()> {
        match (self.method, self.sigma) {
            (Method::Gaussian, None) => imgproc::gaussian_blur_def(src, dst, self.size, 0.0),
            (Method::Gaussian, Some((x, y))) if x == y => imgproc::gaussian_blur_def(src, dst, self.size, x),
            (Method::Gaussian, Some((x, y))) => {
                let (kx, ky) = (
                    imgproc::get_gaussian_kernel_def(self.size.width, x)?,
                    imgproc::get_gaussian_kernel_def(self.size.height, y)?,
                );
                imgproc::sep_filter_2d_def(src, dst, -1, &kx, &ky)
            }
            (Method::Box, _) => imgproc::blur_def(src, dst, self.size),
            // Median and bilateral kernels are square: 4:2:2 chroma takes the narrower side.
            (Method::Median, _) => imgproc::median_blur(src, dst, self.size.width.min(self.size.height)),
            (Method::Bilateral, sigma) => {
                let d = self.size.width.min(self.size.height);
                let space = sigma.map_or(f64::from(d) / 2.0, |s| s.0.min(s.1)).max(0.1);
                if src.depth() == cv::CV_8U {
                    return imgproc::bilateral_filter_def(src, dst, d, self.sigma_color, space);
                }
                let [mut float, mut smooth] = std::mem::take(&mut self.float);
                src.convert_to_def(&mut float, cv::CV_32F)?;
                imgproc::bilateral_filter_def(&float, &mut smooth, d, self.sigma_color, space)?;
                smooth.convert_to_def(dst, src.depth())?;
                self.float = [float, smooth];
                Ok(())
            }
        }
    }
}

trait Source: MatTraitConst + ToInputArray {}
impl<T: MatTraitConst + ToInputArray> Source for T {}
trait Target: MatTraitConst + ToOutputArray + ToInputOutputArray {}
impl<T: MatTraitConst + ToOutputArray + ToInputOutputArray> Target for T {}

/// The kernel diameter on a plane that is subsampled by 2^`sub`: odd, at least 1.
fn odd(size: u32, sub: u32) -> i32 {
    let n = (size as f64 / f64::from(1 << sub)).round() as i32;
    (n | 1).max(1)
}

fn groups(plane: &Plane, method: Method) -> Option<Vec<Vec<i32>>> {
    let colors: Vec<i32> = (0i32..)
        .zip(&plane.channels)
        .filter(|(_, c)| !matches!(c, Component::Alpha | Component::Unused))
        .map(|(i, _)| i)
        .collect();
    let all = colors.len() == plane.channels.len();
    match (method, plane.channels.len()) {
        // OpenCV's median and bilateral take 1 or 3 channels, not interleaved U and V.
        (Method::Median | Method::Bilateral, 2) => Some(colors.into_iter().map(|c| vec![c]).collect()),
        _ if all => None,
        _ => Some(vec![colors]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kernel_sizes_follow_the_subsampling() {
        assert_eq!((odd(9, 0), odd(9, 1), odd(1, 1), odd(2, 0), odd(255, 2)), (9, 5, 1, 3, 65));
    }

    #[test]
    fn settings_out_of_range_are_named() {
        let bad = Blur { size: 0, ..Blur::default() };
        assert!(bad.check().unwrap_err().message.contains("size = 0"));
        assert!(Blur { sigma: Some(f64::NAN), ..Blur::default() }.check().is_err());
    }
}

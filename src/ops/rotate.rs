//! Turns the picture.

use std::sync::Arc;

use gstreamer::Fraction;
use opencv::core::{self, Mat, Size};
use opencv::prelude::*;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::extent::{block, par, rounded};
use super::resize::{Scaling, scale};
use super::warp::{Border, Interpolation, Matrix, Warp, tidy, turned};
use super::{Group, Invalid, Mode, Op, OpConfig, OpError, Reach, Stream};
use crate::frame::{Color, Frame, Spec, shape_scratch};

/// Turns the picture: by quarters without loss, or by any angle.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Rotate {
    /// Degrees clockwise, -360 to 360. Quarter turns move samples and change none, but where colour planes are stored smaller in
    /// one direction only (4:2:2).
    #[schemars(range(min = -360.0, max = 360.0))]
    pub angle: f64,
    /// True makes the picture as large as the turned one needs: a quarter turn swaps width and height. False keeps the size and
    /// cuts off the corners; keyframes on `angle` need that.
    pub expand: bool,
    /// Colour where there is no picture.
    pub color: Color,
    /// For other angles than quarter turns: `nearest`, `linear`, `cubic` or `lanczos`.
    pub interpolation: Interpolation,
}

impl Default for Rotate {
    fn default() -> Self {
        Rotate { angle: 90.0, expand: true, color: Color::BLACK, interpolation: Interpolation::Linear }
    }
}

impl OpConfig for Rotate {
    const NAME: &'static str = "rotate";
    const GROUP: Group = Group::Geometry;
    const EXAMPLE: &'static str = "rotate:angle=90";
    const BEHIND: &'static str = "cv::rotate for quarter turns, cv::warpAffine for the rest";

    fn check(&self) -> Result<(), Invalid> {
        Invalid::unless_in("angle", self.angle, -360.0..=360.0)
    }

    fn reach(&self) -> Reach {
        match self.expand && self.angle % 180.0 != 0.0 {
            true => Reach::Never("it changes the size of the picture; expand=false keeps it"),
            false => Reach::Whole,
        }
    }

    fn moves_pixels(&self) -> bool {
        true
    }

    fn build(&self) -> Box<dyn Op> {
        let config = self.clone();
        Box::new(Rotating { config, way: Way::Copy, scratch: Default::default() })
    }
}

struct Rotating {
    config: Rotate,
    way: Way,
    scratch: [Mat; 2],
}

enum Way {
    Copy,
    /// OpenCV's code for `cv::rotate`.
    Quarter(i32),
    Any(Warp, Matrix),
}

impl Rotate {
    /// OpenCV's code where this is an exact turn that keeps or swaps the sides; `Some(None)` where nothing is to do.
    fn quarters(&self) -> Option<Option<i32>> {
        let angle = self.angle.rem_euclid(360.0);
        match angle {
            0.0 => Some(None),
            180.0 => Some(Some(core::ROTATE_180)),
            90.0 if self.expand => Some(Some(core::ROTATE_90_CLOCKWISE)),
            270.0 if self.expand => Some(Some(core::ROTATE_90_COUNTERCLOCKWISE)),
            _ => None,
        }
    }

    /// Size of the turned picture in pixels.
    fn size(&self, input: &Spec) -> (u32, u32) {
        let (w, h, par) = (input.info.width(), input.info.height(), par(&input.info));
        if !self.expand {
            return (w, h);
        }
        let (sin, cos) = self.angle.to_radians().sin_cos();
        let (fw, fh, b) = (f64::from(w) * par, f64::from(h), block(&input.layout));
        // Up to whole samples, so that nothing is cut off; the last digits of sine and cosine are no reason to grow.
        let up = |v: f64, b: u32| rounded((v - 1e-6).div_euclid(f64::from(b)).mul_add(f64::from(b), f64::from(b)), b);
        (up((fw * cos.abs() + fh * sin.abs()) / par, b.0), up(fw * sin.abs() + fh * cos.abs(), b.1))
    }
}

impl Op for Rotating {
    fn mode(&self) -> Mode {
        Mode::Transform
    }

    fn prepare(&mut self, input: &Arc<Spec>, _: &Stream) -> Result<Arc<Spec>, OpError> {
        let (w, h) = (input.info.width(), input.info.height());
        match self.config.quarters() {
            Some(None) => Ok(input.clone()),
            Some(Some(code)) => {
                self.way = Way::Quarter(code);
                if code == core::ROTATE_180 {
                    return Ok(input.clone());
                }
                let par = input.info.par();
                let turned = if par.numer() > 0 { Fraction::new(par.denom(), par.numer()) } else { par };
                Ok(Arc::new(input.with_size(h, w)?.with_aspect(turned)))
            }
            None => {
                let size = self.config.size(input);
                let output = if size == (w, h) { input.clone() } else { Arc::new(input.with_size(size.0, size.1)?) };
                let matrix = turned((w, h), size, par(&input.info), self.config.angle, 1.0, (0.0, 0.0));
                let border = Border::Color(self.config.color);
                self.way = Way::Any(Warp::new(input, &output, self.config.interpolation, border)?, matrix);
                Ok(output)
            }
        }
    }

    fn transform(&mut self, from: &Frame, to: &mut Frame) -> Result<(), OpError> {
        let code = match &self.way {
            Way::Any(warp, matrix) => return warp.affine(from, to, matrix),
            Way::Copy => return Ok(to.planes_mut()?.copy_from(&from.planes()?)?),
            Way::Quarter(code) => *code,
        };
        let spec = to.spec().clone();
        let (src, mut dst) = (from.planes()?, to.planes_mut()?);
        let mut scaled = false;
        for (i, plane) in spec.layout.planes.iter().enumerate() {
            let from = src.mat(i)?;
            // What was subsampled across is now subsampled down, and the format has it the other way round.
            let other = code != core::ROTATE_180 && plane.w_sub != plane.h_sub;
            scaled |= other;
            dst.edit(i, |to| match other {
                false => core::rotate(&from, to, code).map_err(OpError::from),
                true => {
                    let [turned, scratch] = &mut self.scratch;
                    shape_scratch(turned, Size::new(from.rows(), from.cols()), from.typ())?;
                    core::rotate(&from, turned, code)?;
                    scale(turned, to, Scaling::Auto, scratch)
                }
            })?;
        }
        if scaled { tidy(&mut dst, &spec) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gstreamer_video::{VideoFormat, VideoInfo};

    #[test]
    fn sizes_hold_the_turned_picture() {
        gstreamer::init().unwrap();
        let size = |angle, expand, par| {
            let info = VideoInfo::builder(VideoFormat::I420, 320, 240).par(par).build().unwrap();
            Rotate { angle, expand, ..Rotate::default() }.size(&Spec::new(info).unwrap())
        };
        let square = Fraction::new(1, 1);
        assert_eq!(size(45.0, true, square), (396, 396));
        assert_eq!(size(45.0, false, square), (320, 240));
        assert_eq!(size(90.0, true, square), (240, 320));
        assert_eq!(size(60.0, true, Fraction::new(2, 1)), (264, 676));
    }

    #[test]
    fn only_what_keeps_its_size_has_regions() {
        let reach = |angle, expand| Rotate { angle, expand, ..Rotate::default() }.reach();
        assert_eq!((reach(180.0, true), reach(10.0, false)), (Reach::Whole, Reach::Whole));
        assert!(matches!(reach(10.0, true), Reach::Never(_)));
        let bad = Rotate { angle: f64::NAN, ..Rotate::default() };
        assert!(bad.check().is_err());
    }
}

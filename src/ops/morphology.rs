//! Grows, shrinks and cleans bright shapes.

use std::sync::Arc;

use opencv::core::{self as cv, Mat, Point, Size};
use opencv::imgproc;
use opencv::prelude::*;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::channels::{Channels, Dst, Src, odd};
use super::gradient::{Gray, Scale, Shades};
use super::sample::is_deep;
use super::{Group, Invalid, Mode, Op, OpConfig, OpError, Reach, Stream, Takes};
use crate::frame::{Frame, Layout, Spec};

/// Grows, shrinks or cleans bright shapes (erosion, dilation and what is made of them).
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Morphology {
    /// `erode` (bright shapes shrink), `dilate` (they grow), `open` (small bright specks go), `close` (small dark holes
    /// go), `gradient` (outlines), `tophat` (only small bright things), `blackhat` (only small dark things). The last three
    /// give a picture on black.
    pub operation: Operation,
    /// Of the neighbourhood: `rect`, `ellipse` or `cross`.
    pub shape: Shape,
    /// Diameter of the neighbourhood in pixels, 1 to 63; even sizes count as the next odd one. 1 changes nothing. `rect`
    /// is fast at any size, the time of the others goes by the square.
    #[schemars(range(min = 1, max = 63))]
    pub size: u32,
    /// How many times over, 1 to 20.
    #[schemars(range(min = 1, max = 20))]
    pub iterations: u32,
    /// What of YUV video is worked on. `luma`: the colours stay where they were, and with `gradient`, `tophat` and
    /// `blackhat` the picture is gray; `bgr`: red, green and blue each for itself, exactly as OpenCV on BGR, at the price
    /// of a conversion to 8-bit BGR and back; `all`: each plane for itself, as ffmpeg's filters: fast, and the colours of
    /// what grows drift towards magenta (dilation) or green (erosion). RGB video is always done by red, green and blue.
    pub planes: Planes,
}

/// What is done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[allow(missing_docs)]
pub enum Operation {
    Erode,
    #[default]
    Dilate,
    Open,
    Close,
    Gradient,
    Tophat,
    Blackhat,
}

/// The neighbourhood's shape.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[allow(missing_docs)]
pub enum Shape {
    #[default]
    Rect,
    Ellipse,
    Cross,
}

/// What is worked on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[allow(missing_docs)]
pub enum Planes {
    #[default]
    Luma,
    Bgr,
    All,
}

impl Default for Morphology {
    fn default() -> Self {
        Morphology { operation: Operation::Dilate, shape: Shape::Rect, size: 3, iterations: 1, planes: Planes::Luma }
    }
}

impl Operation {
    fn code(self) -> i32 {
        match self {
            Operation::Erode => imgproc::MORPH_ERODE,
            Operation::Dilate => imgproc::MORPH_DILATE,
            Operation::Open => imgproc::MORPH_OPEN,
            Operation::Close => imgproc::MORPH_CLOSE,
            Operation::Gradient => imgproc::MORPH_GRADIENT,
            Operation::Tophat => imgproc::MORPH_TOPHAT,
            Operation::Blackhat => imgproc::MORPH_BLACKHAT,
        }
    }

    /// True where the result is a difference of two pictures, and level is 0.
    fn on_black(self) -> bool {
        matches!(self, Operation::Gradient | Operation::Tophat | Operation::Blackhat)
    }
}

impl OpConfig for Morphology {
    const NAME: &'static str = "morphology";
    const GROUP: Group = Group::Detail;
    const EXAMPLE: &'static str = "morphology:operation=open,size=5";
    const BEHIND: &'static str = "cv::morphologyEx";

    fn check(&self) -> Result<(), Invalid> {
        Invalid::unless_in("size", self.size, 1..=63)?;
        Invalid::unless_in("iterations", self.iterations, 1..=20)
    }

    fn takes(&self, layout: &Layout) -> Takes {
        if self.planes == Planes::Bgr && !layout.rgb { Takes::bgr(layout) } else { Takes::AsIs }
    }

    fn reach(&self) -> Reach {
        let once = matches!(self.operation, Operation::Erode | Operation::Dilate | Operation::Gradient);
        // Erosion and dilation one after the other reach twice as far.
        Reach::Near(self.size.div_ceil(2) * self.iterations * if once { 1 } else { 2 })
    }

    fn build(&self) -> Box<dyn Op> {
        Box::new(Shaping {
            config: self.clone(),
            planes: Vec::new(),
            gray: None,
            shades: Shades::default(),
            made: Mat::default(),
        })
    }
}

struct Shaping {
    config: Morphology,
    /// For each plane its channels and kernel.
    planes: Vec<(Channels, Mat)>,
    /// For results on black, which have no colour.
    gray: Option<Gray>,
    shades: Shades,
    made: Mat,
}

impl Op for Shaping {
    fn mode(&self) -> Mode {
        Mode::Transform
    }

    fn prepare(&mut self, input: &Arc<Spec>, _: &Stream) -> Result<Arc<Spec>, OpError> {
        let (config, layout) = (&self.config, &input.layout);
        let shape = match config.shape {
            Shape::Rect => imgproc::MORPH_RECT,
            Shape::Ellipse => imgproc::MORPH_ELLIPSE,
            Shape::Cross => imgproc::MORPH_CROSS,
        };
        self.planes.clear();
        for plane in &layout.planes {
            let size = Size::new(odd(config.size, plane.w_sub), odd(config.size, plane.h_sub));
            let kernel = imgproc::get_structuring_element(shape, size, Point::new(-1, -1))?;
            self.planes.push((Channels::of(plane, true), kernel));
        }
        self.gray = (config.operation.on_black() && !layout.rgb).then(|| Gray::of(input)).transpose()?;
        self.shades = Shades::of(input);
        Ok(input.clone())
    }

    fn transform(&mut self, from: &Frame, to: &mut Frame) -> Result<(), OpError> {
        let Shaping { config, planes, gray, shades, made } = self;
        if let (Some(gray), Some((_, kernel))) = (gray, planes.first()) {
            // Luma is never subsampled: any kernel of a plane with luma is the full one.
            return gray.transform(from, to, |luma, to| Ok(run(config, *shades, luma, kernel, made, to)?));
        }
        let (src, mut dst) = (from.planes()?, to.planes_mut()?);
        for (i, (channels, kernel)) in planes.iter_mut().enumerate() {
            let from = src.mat(i)?;
            dst.edit(i, |to| {
                channels
                    .run(&from, to, |from, to, part| match part.chroma && config.planes != Planes::All {
                        true => from.copy_to(to),
                        false => run(config, *shades, from, kernel, made, to),
                    })
                    .map_err(OpError::from)
            })?;
        }
        Ok(())
    }
}

fn run(
    config: &Morphology,
    shades: Shades,
    from: &Src<'_>,
    kernel: &Mat,
    made: &mut Mat,
    to: &mut Dst<'_>,
) -> opencv::Result<()> {
    let (code, middle, times) = (config.operation.code(), Point::new(-1, -1), config.iterations as i32);
    let edge = imgproc::morphology_default_border_value()?;
    if !config.operation.on_black() || shades.black == 0.0 {
        return imgproc::morphology_ex(from, to, code, kernel, middle, times, cv::BORDER_CONSTANT, edge);
    }
    imgproc::morphology_ex(from, made, code, kernel, middle, times, cv::BORDER_CONSTANT, edge)?;
    let scale = Scale { by: 1.0, signed: false };
    match is_deep(from) {
        true => shades.draw::<u16>(made, None, scale, to),
        false => shades.draw::<u8>(made, None, scale, to),
    }
}

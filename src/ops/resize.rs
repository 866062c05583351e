//! Gives the picture another size.

use std::sync::Arc;

use gstreamer::Fraction;
use opencv::boxed_ref::BoxedRefMut;
use opencv::core::{Mat, Rect, Scalar, Size, ToInputArray};
use opencv::imgproc;
use opencv::prelude::*;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::extent::{CENTER, block, check_side, on_plane, par, place, rounded, side, stretched, surround};
use super::warp::{fill, tidy};
use super::{Group, Invalid, Length, Mode, Op, OpConfig, OpError, Position, Reach, Stream};
use crate::frame::{Color, Frame, Spec, shape_scratch};

/// Gives the picture another size: stretched, fitted with bars, filled, or as large as fits.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Resize {
    /// New width in pixels (exactly) or percent of the old one. Without it: as the height demands, so that the shape stays. What
    /// is computed goes to a whole sample of the colour planes: even for 4:2:0.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub width: Option<Length>,
    /// New height, likewise. At least one of the two is needed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub height: Option<Length>,
    /// Where width and height are given and have another shape than the picture: `stretch` fills them, and the pixels get another
    /// shape so that players show the picture as before (`square` squeezes it instead); `fit` puts bars of `color` around it;
    /// `fill` cuts off what is too much; `inside` makes the largest picture that fits, without bars.
    pub mode: Manner,
    /// Makes pixels square: anamorphic video gets the width that it is shown with, and `stretch` squeezes the picture.
    pub square: bool,
    /// `auto` (area for making it smaller, cubic for making it larger), `nearest`, `linear`, `cubic`, `area` (the mean of what
    /// a pixel covers) or `lanczos`.
    pub interpolation: Scaling,
    /// For `fit` and `fill`: where the picture lies between the bars, or which part of it is kept: `center`, `top`, … or `x,y`.
    pub position: Position,
    /// Colour of the bars of `fit`.
    pub color: Color,
}

/// What to do with a size of another shape.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[allow(missing_docs)]
pub enum Manner {
    #[default]
    Stretch,
    Fit,
    Fill,
    Inside,
}

/// How samples between samples are made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[allow(missing_docs)]
pub enum Scaling {
    #[default]
    Auto,
    Nearest,
    Linear,
    Cubic,
    Area,
    Lanczos,
}

impl Default for Resize {
    fn default() -> Self {
        Resize {
            width: None,
            height: None,
            mode: Manner::Stretch,
            square: false,
            interpolation: Scaling::Auto,
            position: CENTER,
            color: Color::BLACK,
        }
    }
}

impl OpConfig for Resize {
    const NAME: &'static str = "resize";
    const GROUP: Group = Group::Geometry;
    const EXAMPLE: &'static str = "resize:width=50%";
    const BEHIND: &'static str = "cv::resize";

    fn check(&self) -> Result<(), Invalid> {
        check_side("width", self.width)?;
        check_side("height", self.height)?;
        match (self.width, self.height, self.mode) {
            (None, None, _) => {
                Err(Invalid::new("width", "resize needs a width or a height, as in width=1280 or height=50%"))
            }
            (Some(_), Some(_), _) | (_, _, Manner::Stretch | Manner::Inside) => Ok(()),
            _ => Err(Invalid::new("mode", "mode = fit and fill need a width and a height")),
        }
    }

    fn reach(&self) -> Reach {
        Reach::Never("it changes the size of the picture")
    }

    fn moves_pixels(&self) -> bool {
        true
    }

    fn build(&self) -> Box<dyn Op> {
        Box::new(Resizing { config: self.clone(), plan: Plan::default(), fills: Vec::new(), scratch: Mat::default() })
    }
}

/// What goes where, in pixels.
#[derive(Clone, Debug, PartialEq)]
struct Plan {
    size: (u32, u32),
    /// The part of the source that is shown,
    source: Rect,
    /// and where.
    target: Rect,
    par: Fraction,
}

impl Default for Plan {
    fn default() -> Self {
        Plan { size: (1, 1), source: Rect::default(), target: Rect::default(), par: Fraction::new(1, 1) }
    }
}

impl Resize {
    fn plan(&self, input: &Spec) -> Plan {
        let (info, (bx, by)) = (&input.info, block(&input.layout));
        let (w, h) = (info.width(), info.height());
        let rect = |x: u32, y: u32, w: u32, h: u32| Rect::new(x as i32, y as i32, w as i32, h as i32);
        // Width to height of the picture in pixels of the new shape.
        let ratio = f64::from(w) / f64::from(h) * if self.square { par(info) } else { 1.0 };
        let (width, height) = (self.width.map(|l| side(l, w, bx)), self.height.map(|l| side(l, h, by)));
        let size = match (width, height) {
            (Some(width), Some(height)) => (width, height),
            (Some(width), None) => (width, follow(f64::from(width) / ratio, h, by)),
            (None, Some(height)) => (follow(f64::from(height) * ratio, w, bx), height),
            (None, None) => (w, h),
        };
        let kept = if self.square { Fraction::new(1, 1) } else { info.par() };
        let mut plan = Plan { size, source: rect(0, 0, w, h), target: rect(0, 0, size.0, size.1), par: kept };
        if width.is_none() || height.is_none() {
            return plan;
        }
        let (fw, fh) = (f64::from(size.0), f64::from(size.1));
        let inside = match fw > fh * ratio {
            true => (rounded(fh * ratio, bx).min(size.0), size.1),
            false => (size.0, rounded(fw / ratio, by).min(size.1)),
        };
        match self.mode {
            Manner::Stretch if self.square => {}
            Manner::Stretch => {
                // The same percentage of both sides is no stretching but for rounding.
                let same =
                    matches!((self.width, self.height), (Some(Length::Percent(a)), Some(Length::Percent(b))) if a == b);
                if !same && inside != size {
                    plan.par = stretched(input, [size.1, w], [size.0, h]);
                }
            }
            Manner::Inside => {
                plan.size = inside;
                plan.target = rect(0, 0, inside.0, inside.1);
            }
            Manner::Fit => {
                let (x, y) = place(self.position, inside, size, (bx, by));
                plan.target = rect(x, y, inside.0, inside.1);
            }
            Manner::Fill => {
                // As much of the source as has the shape of the target.
                let share = (fw / fh) / ratio;
                let part = match share < 1.0 {
                    true => (rounded(f64::from(w) * share, bx).min(w), h),
                    false => (w, rounded(f64::from(h) / share, by).min(h)),
                };
                let (x, y) = place(self.position, part, (w, h), (bx, by));
                plan.source = rect(x, y, part.0, part.1);
            }
        }
        plan
    }
}

struct Resizing {
    config: Resize,
    plan: Plan,
    fills: Vec<Scalar>,
    scratch: Mat,
}

impl Op for Resizing {
    fn mode(&self) -> Mode {
        Mode::Transform
    }

    fn prepare(&mut self, input: &Arc<Spec>, _: &Stream) -> Result<Arc<Spec>, OpError> {
        self.plan = self.config.plan(input);
        let (width, height) = self.plan.size;
        let output = input.with_size(width, height)?.with_aspect(self.plan.par);
        self.fills = output.layout.planes.iter().map(|p| fill(self.config.color, p, &output)).collect();
        Ok(Arc::new(output))
    }

    fn transform(&mut self, from: &Frame, to: &mut Frame) -> Result<(), OpError> {
        let (spec, how, scratch) = (to.spec().clone(), self.config.interpolation, &mut self.scratch);
        let (src, mut dst) = (from.planes()?, to.planes_mut()?);
        for ((i, plane), fill) in spec.layout.planes.iter().enumerate().zip(&self.fills) {
            let (source, target) = (on_plane(plane, self.plan.source), on_plane(plane, self.plan.target));
            let from = src.mat(i)?;
            let from = from.roi(source)?;
            dst.edit(i, |to| {
                if target.size() == to.size()? {
                    return scale(&from, to, how, scratch);
                }
                surround(to, target, *fill)?;
                scale(&from, &mut to.roi_mut(target)?, how, scratch)
            })?;
        }
        if how == Scaling::Nearest { Ok(()) } else { tidy(&mut dst, &spec) }
    }
}

/// A computed side: to whole samples, unless it is the `old` one.
fn follow(side: f64, old: u32, block: u32) -> u32 {
    if (side - f64::from(old)).abs() < 1e-6 { old } else { rounded(side, block) }
}

/// Scales `from` to the size of `to`.
pub(super) fn scale(
    from: &(impl MatTraitConst + ToInputArray),
    to: &mut BoxedRefMut<'_, Mat>,
    how: Scaling,
    scratch: &mut Mat,
) -> Result<(), OpError> {
    let (have, want) = (from.size()?, to.size()?);
    let start = to.data();
    let mut run = |flag| imgproc::resize(from, to, want, 0.0, 0.0, flag);
    let (narrower, lower) = (want.width < have.width, want.height < have.height);
    match how {
        _ if have == want => from.copy_to(to)?,
        Scaling::Nearest => run(imgproc::INTER_NEAREST)?,
        Scaling::Linear => run(imgproc::INTER_LINEAR)?,
        Scaling::Cubic => run(imgproc::INTER_CUBIC)?,
        Scaling::Area => run(imgproc::INTER_AREA)?,
        Scaling::Lanczos => run(imgproc::INTER_LANCZOS4)?,
        Scaling::Auto if want.width <= have.width && want.height <= have.height => run(imgproc::INTER_AREA)?,
        Scaling::Auto if !narrower && !lower => run(imgproc::INTER_CUBIC)?,
        Scaling::Auto => {
            // OpenCV's area is a plain linear one where a side grows: first what shrinks, then what grows.
            let between = Size::new(want.width.min(have.width), want.height.min(have.height));
            shape_scratch(scratch, between, from.typ())?;
            imgproc::resize(from, scratch, between, 0.0, 0.0, imgproc::INTER_AREA)?;
            imgproc::resize(scratch, to, want, 0.0, 0.0, imgproc::INTER_CUBIC)?;
        }
    }
    // A part of a plane is not what PlanesMut::edit looks at.
    match to.data() == start {
        true => Ok(()),
        false => Err(crate::frame::FrameError::Reallocated(0).into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gstreamer_video::{VideoFormat, VideoInfo};

    /// Size, source, target, pixel shape.
    type Planned = ((u32, u32), [i32; 4], [i32; 4], (i32, i32));

    fn plan(text: &str, w: u32, h: u32, par: (i32, i32)) -> Planned {
        gstreamer::init().unwrap();
        let config: Resize = toml::from_str(&text.replace(' ', "\n")).unwrap();
        config.check().unwrap();
        let info = VideoInfo::builder(VideoFormat::I420, w, h).par(Fraction::new(par.0, par.1)).build().unwrap();
        let p = config.plan(&Spec::new(info).unwrap());
        let flat = |r: Rect| [r.x, r.y, r.width, r.height];
        (p.size, flat(p.source), flat(p.target), (p.par.numer(), p.par.denom()))
    }

    #[test]
    fn one_side_alone_keeps_the_shape() {
        assert_eq!(plan("width=640", 1920, 1080, (1, 1)).0, (640, 360));
        assert_eq!(plan("height=721", 1920, 1080, (1, 1)).0, (1282, 721));
        assert_eq!(plan("width='50%'", 321, 241, (1, 1)).0, (160, 120));
        assert_eq!(plan("height=241", 321, 241, (1, 1)).0, (321, 241));
        let anamorphic = plan("height=576", 720, 576, (16, 15));
        assert_eq!((anamorphic.0, anamorphic.3), ((720, 576), (16, 15)));
        let square = plan("height=576 square=true", 720, 576, (16, 15));
        assert_eq!((square.0, square.3), ((768, 576), (1, 1)));
    }

    #[test]
    fn both_sides_stretch_fit_fill_or_bound() {
        let whole = [0, 0, 1920, 1080];
        assert_eq!(plan("width=640 height=480", 1920, 1080, (1, 1)), ((640, 480), whole, [0, 0, 640, 480], (4, 3)));
        assert_eq!(plan("width=640 height=480 square=true", 1920, 1080, (1, 1)).3, (1, 1));
        assert_eq!(plan("width=640 height=360", 1920, 1080, (1, 1)).3, (1, 1));
        let fit = plan("width=640 height=480 mode='fit'", 1920, 1080, (1, 1));
        assert_eq!(fit, ((640, 480), whole, [0, 60, 640, 360], (1, 1)));
        let fill = plan("width=480 height=480 mode='fill' position='left'", 1920, 1080, (1, 1));
        assert_eq!(fill, ((480, 480), [0, 0, 1080, 1080], [0, 0, 480, 480], (1, 1)));
        assert_eq!(plan("width=500 height=500 mode='inside'", 1920, 1080, (1, 1)).0, (500, 282));
        assert_eq!(plan("width=1 height=1 mode='fit'", 3, 1, (1, 1)).2, [0, 0, 1, 1]);
    }

    #[test]
    fn bars_need_both_sides() {
        let fit = Resize { width: Some(Length::Pixels(9.0)), mode: Manner::Fit, ..Resize::default() };
        assert!(fit.check().unwrap_err().message.contains("height"));
        assert!(Resize::default().check().is_err());
    }
}

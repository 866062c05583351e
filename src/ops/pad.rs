//! Puts the picture onto a larger one.

use std::sync::Arc;

use opencv::boxed_ref::{BoxedRef, BoxedRefMut};
use opencv::core::{self, Mat, Rect, Scalar, Size};
use opencv::imgproc;
use opencv::prelude::*;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::extent::{CENTER, aligned, block, check_side, on_plane, par, place, rounded, side};
use super::warp::{fill, tidy};
use super::{Group, Invalid, Length, Mode, Op, OpConfig, OpError, Position, Reach, Stream};
use crate::config::Aspect;
use crate::frame::{Color, Frame, Spec, shape_scratch};

/// Puts the picture onto a larger one: of a size, a shape or with margins; in a colour or with a blurred background.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Pad {
    /// New width in pixels or percent of the old one, at least 100%. Default: the old one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub width: Option<Length>,
    /// New height, likewise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub height: Option<Length>,
    /// Instead of a size: the smallest picture with this shape on the screen, as in `16:9`, `1:1` or `9:16`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub aspect: Option<Aspect>,
    /// Instead of a size: margin at the left, in pixels or percent of the picture's width, 0 to 32768. Where colour planes are
    /// stored smaller, left and top margins go to whole samples: even pixels for 4:2:0.
    pub left: Length,
    /// Margin at the right, likewise.
    pub right: Length,
    /// Margin at the top, in pixels or percent of the picture's height.
    pub top: Length,
    /// Margin at the bottom, likewise.
    pub bottom: Length,
    /// With a size or shape: where the picture lies: `center`, `top`, … or `x,y` in pixels or percent of the room.
    pub position: Position,
    /// What is around: `color`, `blur` (the picture itself, enlarged and blurred), `replicate` (the border pixels drawn out) or
    /// `reflect` (mirrored).
    pub background: Background,
    /// The colour around.
    pub color: Color,
}

/// What is around the picture.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[allow(missing_docs)]
pub enum Background {
    #[default]
    Color,
    Blur,
    Replicate,
    Reflect,
}

const NONE: Length = Length::Pixels(0.0);

impl Default for Pad {
    fn default() -> Self {
        Pad {
            width: None,
            height: None,
            aspect: None,
            left: NONE,
            right: NONE,
            top: NONE,
            bottom: NONE,
            position: CENTER,
            background: Background::Color,
            color: Color::BLACK,
        }
    }
}

impl Pad {
    fn margins(&self) -> [(&'static str, Length); 4] {
        [("left", self.left), ("right", self.right), ("top", self.top), ("bottom", self.bottom)]
    }

    /// Size of the new picture, and where the old one lies on it, in pixels.
    fn plan(&self, input: &Spec) -> Result<((u32, u32), Rect), OpError> {
        let (info, (bx, by)) = (&input.info, block(&input.layout));
        let (w, h) = (info.width(), info.height());
        let at = |x: u32, y: u32| Rect::new(x as i32, y as i32, w as i32, h as i32);
        if self.margins().iter().any(|(_, m)| m.pixels(100) > 0.0) {
            let start = |l: Length, whole, block| aligned(l.pixels(whole), 0, 1 << 16, block);
            let end = |l: Length, whole| l.pixels(whole).round() as u32;
            let (left, top) = (start(self.left, w, bx), start(self.top, h, by));
            return Ok(((left + w + end(self.right, w), top + h + end(self.bottom, h)), at(left, top)));
        }
        let size = match self.aspect {
            None => (self.width.map_or(w, |l| side(l, w, bx)), self.height.map_or(h, |l| side(l, h, by))),
            Some(aspect) => {
                let (ratio, fw, fh) = (aspect.ratio() / par(info), f64::from(w), f64::from(h));
                match fw > fh * ratio {
                    true => (w, rounded(fw / ratio, by).max(h)),
                    false => (rounded(fh * ratio, bx).max(w), h),
                }
            }
        };
        if size.0 < w || size.1 < h {
            let (to, from) = (format!("{}x{}", size.0, size.1), format!("{w}x{h}"));
            return Err(OpError::Refused(format!(
                "{to} pixels are smaller than the picture, {from}: give at least that (resize with mode = fit scales it)"
            )));
        }
        let (x, y) = place(self.position, (w, h), size, (bx, by));
        Ok((size, at(x, y)))
    }
}

impl OpConfig for Pad {
    const NAME: &'static str = "pad";
    const GROUP: Group = Group::Geometry;
    const EXAMPLE: &'static str = "pad:aspect=1:1,background=blur";
    const BEHIND: &'static str = "cv::copyMakeBorder; cv::resize and cv::GaussianBlur for the blurred background";

    fn check(&self) -> Result<(), Invalid> {
        check_side("width", self.width)?;
        check_side("height", self.height)?;
        let mut kinds = usize::from(self.width.or(self.height).is_some()) + usize::from(self.aspect.is_some());
        for (key, margin) in self.margins() {
            let v = margin.pixels(100);
            if !(0.0..=32768.0).contains(&v) {
                let allowed = "0 to 32768 pixels or percent are allowed";
                return Err(Invalid::new(key, format!("{key} = {margin} is out of range: {allowed}")));
            }
        }
        kinds += usize::from(self.margins().iter().any(|(_, m)| m.pixels(100) > 0.0));
        match kinds {
            1 => Ok(()),
            0 => Err(Invalid::new(
                "aspect",
                "pad needs a size, an aspect or margins, as in aspect=16:9 or left=40,right=40",
            )),
            _ => Err(Invalid::new("aspect", "a size, an aspect and margins exclude each other: give one of them")),
        }
    }

    fn reach(&self) -> Reach {
        Reach::Never("it changes the size of the picture")
    }

    fn moves_pixels(&self) -> bool {
        true
    }

    fn build(&self) -> Box<dyn Op> {
        Box::new(Padding { config: self.clone(), planes: Vec::new() })
    }
}

struct Padding {
    config: Pad,
    planes: Vec<Part>,
}

/// One plane's share.
struct Part {
    /// Where the picture lies.
    inner: Rect,
    fill: Scalar,
    /// For the blurred background: the part of the picture that it shows, and the size it is blurred in.
    shown: Rect,
    small: Size,
    scratch: [Mat; 2],
}

impl Op for Padding {
    fn mode(&self) -> Mode {
        Mode::Transform
    }

    fn prepare(&mut self, input: &Arc<Spec>, _: &Stream) -> Result<Arc<Spec>, OpError> {
        let ((width, height), at) = self.config.plan(input)?;
        let output = Arc::new(input.with_size(width, height)?);
        let (w, h) = (f64::from(at.width), f64::from(at.height));
        let enlarged = (f64::from(width) / w).max(f64::from(height) / h);
        let (bx, by) = block(&input.layout);
        let part = (
            rounded(f64::from(width) / enlarged, bx).min(at.width as u32),
            rounded(f64::from(height) / enlarged, by).min(at.height as u32),
        );
        let (x, y) = place(CENTER, part, (at.width as u32, at.height as u32), (bx, by));
        let shown = Rect::new(x as i32, y as i32, part.0 as i32, part.1 as i32);
        // A blur needs few pixels: its radius is 3 of at most 96.
        let (longer, fewer) =
            (width.max(height), |v: i32, longer: u32| (i64::from(v) * 96).div_euclid(i64::from(longer)));
        self.planes = output
            .layout
            .planes
            .iter()
            .map(|plane| {
                let (cols, rows) = (plane.cols(width) as i32, plane.rows(height) as i32);
                let small = match longer > 96 {
                    true => Size::new(fewer(cols, longer).max(1) as i32, fewer(rows, longer).max(1) as i32),
                    false => Size::new(cols, rows),
                };
                let scratch = Default::default();
                Part {
                    inner: on_plane(plane, at),
                    fill: fill(self.config.color, plane, &output),
                    shown: on_plane(plane, shown),
                    small,
                    scratch,
                }
            })
            .collect();
        Ok(output)
    }

    fn transform(&mut self, from: &Frame, to: &mut Frame) -> Result<(), OpError> {
        let (spec, background) = (to.spec().clone(), self.config.background);
        let kind = match background {
            Background::Color | Background::Blur => core::BORDER_CONSTANT,
            Background::Replicate => core::BORDER_REPLICATE,
            Background::Reflect => core::BORDER_REFLECT,
        };
        let (src, mut dst) = (from.planes()?, to.planes_mut()?);
        for (i, part) in self.planes.iter_mut().enumerate() {
            let from = src.mat(i)?;
            dst.edit(i, |to| match background {
                Background::Blur => part.behind(&from, to),
                _ => {
                    let r = part.inner;
                    let (right, bottom) = (to.cols() - r.x - r.width, to.rows() - r.y - r.height);
                    core::copy_make_border(&from, to, r.y, bottom, r.x, right, kind, part.fill).map_err(OpError::from)
                }
            })?;
        }
        if background == Background::Blur {
            tidy(&mut dst, &spec)?;
        }
        Ok(())
    }
}

impl Part {
    fn behind(&mut self, from: &BoxedRef<'_, Mat>, to: &mut BoxedRefMut<'_, Mat>) -> Result<(), OpError> {
        let [small, smooth] = &mut self.scratch;
        shape_scratch(small, self.small, from.typ())?;
        imgproc::resize(&from.roi(self.shown)?, small, self.small, 0.0, 0.0, imgproc::INTER_AREA)?;
        imgproc::gaussian_blur_def(small, smooth, Size::new(13, 13), 3.0)?;
        let size = to.size()?;
        imgproc::resize(smooth, to, size, 0.0, 0.0, imgproc::INTER_LINEAR)?;
        from.copy_to(&mut to.roi_mut(self.inner)?)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gstreamer_video::{VideoFormat, VideoInfo};

    /// Size, left and top.
    type Planned = ((u32, u32), (i32, i32));

    fn plan(text: &str, w: u32, h: u32) -> Result<Planned, String> {
        gstreamer::init().unwrap();
        let config: Pad = toml::from_str(&text.replace(' ', "\n")).unwrap();
        config.check().map_err(|i| i.message)?;
        let spec = Spec::new(VideoInfo::builder(VideoFormat::I420, w, h).build().unwrap()).unwrap();
        config.plan(&spec).map(|(size, r)| (size, (r.x, r.y))).map_err(|e| e.to_string())
    }

    #[test]
    fn sizes_shapes_and_margins() {
        assert_eq!(plan("width=400 height=300", 321, 241), Ok(((400, 300), (40, 30))));
        assert_eq!(plan("height='200%' position='bottom'", 320, 240), Ok(((320, 480), (0, 240))));
        assert_eq!(plan("aspect='16:9'", 1080, 1080), Ok(((1920, 1080), (420, 0))));
        assert_eq!(plan("aspect='9:16'", 1920, 1080), Ok(((1920, 3414), (0, 1168))));
        assert_eq!(plan("left=7 bottom='10%'", 320, 240), Ok(((328, 264), (8, 0))));
    }

    #[test]
    fn what_cannot_be_says_why() {
        assert!(plan("width=100", 320, 240).unwrap_err().contains("100x240"));
        assert!(plan("", 320, 240).unwrap_err().contains("aspect=16:9"));
        assert!(plan("width=400 left=3", 320, 240).unwrap_err().contains("exclude"));
        assert!(plan("left=-3", 320, 240).unwrap_err().contains("left = -3"));
    }
}

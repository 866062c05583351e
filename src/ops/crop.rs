//! Cuts a part out of the picture.

use std::sync::Arc;

use opencv::core::Rect;
use opencv::prelude::*;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::extent::{CENTER, aligned, block, check_side, on_plane, par, place, rounded, side};
use super::{Group, Invalid, Length, Mode, Op, OpConfig, OpError, Position, Reach, Stream};
use crate::config::Aspect;
use crate::frame::{Frame, Spec};

/// Cuts a part out of the picture, which becomes the whole picture.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Crop {
    /// Width of what remains, in pixels (exactly) or percent (to a whole sample of the colour planes). Default: all of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub width: Option<Length>,
    /// Height of what remains, likewise. Default: all of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub height: Option<Length>,
    /// Instead of a size: the largest part with this shape on the screen, as in `9:16`, `1:1` or `2.39`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub aspect: Option<Aspect>,
    /// Where the part lies: `center`, `top-left`, `top`, … `bottom-right`, or `x,y` in pixels or percent of the room (`0%,50%`).
    /// Where colour planes are stored smaller, left and top go to the nearest whole sample: even pixels for 4:2:0.
    pub position: Position,
    /// Left edge in pixels, 0 to 32768, instead of `position`'s; takes keyframes, for a pan. What reaches beyond the edge is
    /// moved back.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0.0, max = 32768.0))]
    pub x: Option<f64>,
    /// Top edge in pixels, 0 to 32768, likewise.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0.0, max = 32768.0))]
    pub y: Option<f64>,
}

impl Default for Crop {
    fn default() -> Self {
        Crop { width: None, height: None, aspect: None, position: CENTER, x: None, y: None }
    }
}

impl OpConfig for Crop {
    const NAME: &'static str = "crop";
    const GROUP: Group = Group::Geometry;
    const EXAMPLE: &'static str = "crop:width=75%,height=50%";
    const BEHIND: &'static str = "a copy of the part's rows (cv::Mat::copyTo)";

    fn check(&self) -> Result<(), Invalid> {
        check_side("width", self.width)?;
        check_side("height", self.height)?;
        Invalid::unless_in("x", self.x.unwrap_or(0.0), 0.0..=32768.0)?;
        Invalid::unless_in("y", self.y.unwrap_or(0.0), 0.0..=32768.0)?;
        match (self.aspect, self.width.or(self.height)) {
            (Some(_), Some(_)) => {
                Err(Invalid::new("aspect", "aspect stands instead of width and height: give one of them"))
            }
            (None, None) => {
                Err(Invalid::new("width", "crop needs a width, a height or an aspect, as in width=640,height=50%"))
            }
            _ => Ok(()),
        }
    }

    fn reach(&self) -> Reach {
        Reach::Never("it changes the size of the picture")
    }

    fn moves_pixels(&self) -> bool {
        true
    }

    fn build(&self) -> Box<dyn Op> {
        Box::new(Cropping { config: self.clone(), part: Rect::default() })
    }
}

struct Cropping {
    config: Crop,
    part: Rect,
}

impl Crop {
    /// The part of a picture like `input` that remains, in pixels.
    fn part(&self, input: &Spec) -> Result<Rect, OpError> {
        let (info, block) = (&input.info, block(&input.layout));
        let whole = (info.width(), info.height());
        let (w, h) = match self.aspect {
            None => {
                let of = |l: Option<Length>, whole, block| l.map_or(whole, |l| side(l, whole, block));
                (of(self.width, whole.0, block.0), of(self.height, whole.1, block.1))
            }
            Some(aspect) => {
                let ratio = aspect.ratio() / par(info);
                let (w, h) = (f64::from(whole.0), f64::from(whole.1));
                match w > h * ratio {
                    true => (rounded(h * ratio, block.0).min(whole.0), whole.1),
                    false => (whole.0, rounded(w / ratio, block.1).min(whole.1)),
                }
            }
        };
        if w > whole.0 || h > whole.1 {
            let have = format!("{}x{}", whole.0, whole.1);
            return Err(OpError::Refused(format!(
                "a part of {w}x{h} pixels does not fit into {have}: give at most that, or percent"
            )));
        }
        let (x, y) = place(self.position, (w, h), whole, block);
        let x = self.x.map_or(x, |x| aligned(x, w, whole.0, block.0));
        let y = self.y.map_or(y, |y| aligned(y, h, whole.1, block.1));
        Ok(Rect::new(x as i32, y as i32, w as i32, h as i32))
    }
}

impl Op for Cropping {
    fn mode(&self) -> Mode {
        Mode::Transform
    }

    fn prepare(&mut self, input: &Arc<Spec>, _: &Stream) -> Result<Arc<Spec>, OpError> {
        self.part = self.config.part(input)?;
        Ok(Arc::new(input.with_size(self.part.width as u32, self.part.height as u32)?))
    }

    fn transform(&mut self, from: &Frame, to: &mut Frame) -> Result<(), OpError> {
        let (src, mut dst) = (from.planes()?, to.planes_mut()?);
        for (i, plane) in from.spec().layout.planes.iter().enumerate() {
            let from = src.mat(i)?;
            let from = from.roi(on_plane(plane, self.part))?;
            dst.edit(i, |to| from.copy_to(to).map_err(OpError::from))?;
        }
        Ok(())
    }

    fn report(&self) -> Option<serde_json::Value> {
        let Rect { x, y, width, height } = self.part;
        let moves = self.config.x.or(self.config.y).is_some();
        (!moves).then(|| serde_json::json!({ "x": x, "y": y, "width": width, "height": height }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gstreamer_video::{VideoFormat, VideoInfo};

    fn part(crop: &Crop, format: VideoFormat, w: u32, h: u32) -> Result<[i32; 4], String> {
        gstreamer::init().unwrap();
        let info = VideoInfo::builder(format, w, h).build().unwrap();
        let r = crop.part(&Spec::new(info).unwrap()).map_err(|e| e.to_string())?;
        Ok([r.x, r.y, r.width, r.height])
    }

    #[test]
    fn pixels_are_exact_and_places_whole_samples() {
        let at = |x, y| Crop {
            width: Some(Length::Pixels(101.0)),
            height: Some(Length::Pixels(51.0)),
            position: Position::At(Length::Pixels(x), Length::Pixels(y)),
            ..Crop::default()
        };
        assert_eq!(part(&at(7.0, 9.0), VideoFormat::I420, 321, 241), Ok([8, 10, 101, 51]));
        assert_eq!(part(&at(7.0, 9.0), VideoFormat::Y444, 321, 241), Ok([7, 9, 101, 51]));
        assert_eq!(part(&at(7.0, 9.0), VideoFormat::Y42b, 321, 241), Ok([8, 9, 101, 51]));
        assert_eq!(part(&at(900.0, 9.0), VideoFormat::I420, 321, 241), Ok([220, 10, 101, 51]));
        let e = part(&at(0.0, 0.0), VideoFormat::I420, 100, 100).unwrap_err();
        assert!(e.contains("101x51") && e.contains("100x100"), "{e}");
    }

    #[test]
    fn shapes_are_as_large_as_they_fit() {
        let shape = |s: &str| Crop { aspect: Some(s.parse().unwrap()), ..Crop::default() };
        assert_eq!(part(&shape("1:1"), VideoFormat::I420, 1920, 1080), Ok([420, 0, 1080, 1080]));
        assert_eq!(part(&shape("9:16"), VideoFormat::I420, 1920, 1080), Ok([656, 0, 608, 1080]));
        assert_eq!(part(&shape("2.4"), VideoFormat::I420, 1920, 1080), Ok([0, 140, 1920, 800]));
    }
}

//! Pulls four corners to four others.

use std::fmt;
use std::sync::Arc;

use opencv::core::{Point2f, Vector};
use opencv::imgproc;
use opencv::prelude::*;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::extent::{block, check_side, side};
use super::warp::{Border, Interpolation, Matrix, Warp};
use super::{Group, Invalid, Length, Mode, Op, OpConfig, OpError, Reach, Region, Stream};
use crate::frame::{Color, Frame, Spec};

/// Shows a four-cornered part of the picture as a rectangle: a page, a screen, a road from above.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Perspective {
    /// The corners of the part: left top, right top, right bottom, left bottom, each `x,y` in pixels or percent, with blanks
    /// between. They may lie outside of the picture. Default: the picture's own corners.
    #[schemars(with = "Region")]
    pub from: Corners,
    /// Where these corners go, in the same order, in pixels or percent of the new picture. Default: its corners.
    #[schemars(with = "Region")]
    pub to: Corners,
    /// Width of the new picture in pixels or percent. Default: that of the old one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub width: Option<Length>,
    /// Height of the new picture, likewise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub height: Option<Length>,
    /// Colour where there is no picture.
    pub color: Color,
    /// `nearest`, `linear`, `cubic` or `lanczos`.
    pub interpolation: Interpolation,
}

/// Four points.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Region", into = "String")]
pub struct Corners([[Length; 2]; 4]);

impl Default for Corners {
    fn default() -> Self {
        let at = |x, y| [Length::Percent(x), Length::Percent(y)];
        Corners([at(0.0, 0.0), at(100.0, 0.0), at(100.0, 100.0), at(0.0, 100.0)])
    }
}

impl TryFrom<Region> for Corners {
    type Error = String;
    fn try_from(r: Region) -> Result<Self, String> {
        let wanted = "four corners are needed, as in \"10%,0% 90%,0% 100%,100% 0%,100%\"";
        match r {
            Region::Polygon(c) => {
                Ok(Corners(c.try_into().map_err(|c: Vec<_>| format!("{} points: {wanted}", c.len()))?))
            }
            Region::Rectangle(_) => Err(format!("`{r}` is a rectangle: {wanted}")),
        }
    }
}

impl fmt::Display for Corners {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Region::Polygon(self.0.to_vec()).fmt(f)
    }
}

impl From<Corners> for String {
    fn from(c: Corners) -> String {
        c.to_string()
    }
}

impl Corners {
    /// In pixels counted from the middle of the first one, as OpenCV has it: the picture's left edge is at -0.5.
    fn pixels(&self, width: u32, height: u32) -> Vector<Point2f> {
        let at = |l: Length, whole| (l.pixels(whole) - 0.5) as f32;
        self.0.iter().map(|[x, y]| Point2f::new(at(*x, width), at(*y, height))).collect()
    }

    /// An error unless the corners go around an area without a dent, and not a line.
    fn check(&self, key: &str, width: u32, height: u32) -> Result<(), OpError> {
        let p: Vec<Point2f> = self.pixels(width, height).to_vec();
        let turn = |i: usize| {
            let (a, b, c) = (p[i], p[(i + 1) % 4], p[(i + 2) % 4]);
            f64::from(b.x - a.x) * f64::from(c.y - b.y) - f64::from(b.y - a.y) * f64::from(c.x - b.x)
        };
        let turns = [turn(0), turn(1), turn(2), turn(3)];
        match turns.iter().all(|t| *t > 1e-3) || turns.iter().all(|t| *t < -1e-3) {
            true => Ok(()),
            false => Err(OpError::Refused(format!(
                "the corners {key} = {self} cross each other or lie on a line on {width}x{height} pixels: \
                 give left top, right top, right bottom, left bottom"
            ))),
        }
    }
}

impl Default for Perspective {
    fn default() -> Self {
        Perspective {
            from: Corners::default(),
            to: Corners::default(),
            width: None,
            height: None,
            color: Color::BLACK,
            interpolation: Interpolation::Linear,
        }
    }
}

impl OpConfig for Perspective {
    const NAME: &'static str = "perspective";
    const GROUP: Group = Group::Geometry;
    const EXAMPLE: &'static str = "perspective:from=20%,10% 80%,10% 100%,100% 0%,100%";
    const BEHIND: &'static str = "cv::getPerspectiveTransform, cv::remap with tables made once";

    fn check(&self) -> Result<(), Invalid> {
        check_side("width", self.width)?;
        check_side("height", self.height)
    }

    fn reach(&self) -> Reach {
        match self.width.or(self.height) {
            Some(_) => Reach::Never("it changes the size of the picture"),
            None => Reach::Whole,
        }
    }

    fn moves_pixels(&self) -> bool {
        true
    }

    fn build(&self) -> Box<dyn Op> {
        Box::new(Pulling { config: self.clone(), warp: None })
    }
}

struct Pulling {
    config: Perspective,
    warp: Option<Warp>,
}

impl Op for Pulling {
    fn mode(&self) -> Mode {
        Mode::Transform
    }

    fn prepare(&mut self, input: &Arc<Spec>, _: &Stream) -> Result<Arc<Spec>, OpError> {
        let (c, (bx, by)) = (&self.config, block(&input.layout));
        let (w, h) = (input.info.width(), input.info.height());
        let size = (c.width.map_or(w, |l| side(l, w, bx)), c.height.map_or(h, |l| side(l, h, by)));
        c.from.check("from", w, h)?;
        c.to.check("to", size.0, size.1)?;
        let output = if size == (w, h) { input.clone() } else { Arc::new(input.with_size(size.0, size.1)?) };
        let m = imgproc::get_perspective_transform_def(&c.to.pixels(size.0, size.1), &c.from.pixels(w, h))?;
        let mut matrix = Matrix::default();
        for (r, row) in matrix.iter_mut().enumerate() {
            row.copy_from_slice(m.at_row::<f64>(r as i32)?);
        }
        let mut warp = Warp::new(input, &output, c.interpolation, Border::Color(c.color))?;
        warp.projective(&matrix)?;
        self.warp = Some(warp);
        Ok(output)
    }

    fn transform(&mut self, from: &Frame, to: &mut Frame) -> Result<(), OpError> {
        match &self.warp {
            Some(warp) => warp.remap(from, to),
            None => Err(OpError::Refused("perspective was not prepared".into())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn corners_read_back_and_teach() {
        let read = |s: &str| s.parse::<Region>().and_then(Corners::try_from);
        let text = "10%,0% 90%,0% 100%,100% 5,100%";
        assert_eq!(read(text).unwrap().to_string(), text);
        assert!(read("0,0 10,0 10,10").unwrap_err().contains("3 points"));
        assert!(read("0,0,10,10").unwrap_err().contains("rectangle"));
    }

    #[test]
    fn crossing_corners_are_refused() {
        let check = |s: &str| s.parse::<Region>().and_then(Corners::try_from).unwrap().check("from", 100, 100);
        assert!(check("0,0 100,0 100,100 0,100").is_ok());
        assert!(check("100,0 0,0 0,100 100,100").is_ok(), "mirrored");
        for bad in ["0,0 100,100 100,0 0,100", "0,0 50,50 100,100 20,20", "0,0 0,0 5,5 0,5", "0,0 100,0 40,30 0,100"] {
            assert!(check(bad).is_err(), "{bad}");
        }
    }
}

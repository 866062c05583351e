//! Draws a circle or an ellipse.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::drawing::{Canvas, Drawing, Drawn, Point, Stamp, Style, check_length, check_point, size, window};
use super::{Group, Invalid, Length, Op, OpConfig, OpError, Reach};
use crate::frame::{Color, Spec};

/// Draws a circle or an ellipse, filled or not.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Circle {
    /// The centre: `x,y` in pixels (of pixel centres, from 0) or percent of the picture.
    pub center: Point,
    /// The radius in pixels or percent of the picture's height, 0 to 100000; an ellipse's to the sides.
    pub radius: Length,
    /// An ellipse's radius up and down, in pixels or percent of the picture's height. Default: as `radius`, a circle.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub radius_y: Option<Length>,
    /// By how much an ellipse is turned, in degrees clockwise, -360 to 360.
    #[schemars(range(min = -360.0, max = 360.0))]
    pub angle: f64,
    /// Colour of the outline: a name or #rrggbb.
    pub color: Color,
    /// Thickness of the outline in pixels, 0 (none) to 1000; its middle lies on the edge.
    #[schemars(range(max = 1000))]
    pub thickness: u32,
    /// Opacity of the outline, 0 to 1.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub opacity: f64,
    /// Colour of the area. Default: not filled.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fill: Option<Color>,
    /// Opacity of the area, 0 to 1.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub fill_opacity: f64,
}

impl Default for Circle {
    fn default() -> Self {
        Circle {
            center: Point(Length::Percent(50.0), Length::Percent(50.0)),
            radius: Length::Percent(25.0),
            radius_y: None,
            angle: 0.0,
            color: Color::rgb(255, 0, 0),
            thickness: 2,
            opacity: 1.0,
            fill: None,
            fill_opacity: 1.0,
        }
    }
}

impl Circle {
    fn style(&self) -> Style {
        let Circle { color, thickness, opacity, fill, fill_opacity, .. } = *self;
        Style { color, thickness, opacity, fill, fill_opacity }
    }
}

impl OpConfig for Circle {
    const NAME: &'static str = "circle";
    const GROUP: Group = Group::Drawing;
    const EXAMPLE: &'static str = "circle:center=50%,50%,radius=25%,color=cyan,thickness=3";
    const BEHIND: &'static str = "cv::ellipse (LINE_AA; as cv::circle), blended in the frame's own format";

    fn check(&self) -> Result<(), Invalid> {
        check_point("center", self.center)?;
        check_length("radius", self.radius, 0.0)?;
        check_length("radius-y", self.radius_y.unwrap_or(self.radius), 0.0)?;
        Invalid::unless_in("angle", self.angle, -360.0..=360.0)?;
        self.style().check()
    }

    fn reach(&self) -> Reach {
        Reach::Whole
    }

    fn build(&self) -> Box<dyn Op> {
        Stamp::of(self.clone())
    }
}

impl Drawing for Circle {
    fn draw(&self, spec: &Spec) -> Result<Option<Drawn>, OpError> {
        let (height, center) = (spec.info.height(), self.center.on(size(spec)));
        let axes = (self.radius.pixels(height), self.radius_y.unwrap_or(self.radius).pixels(height));
        let reach = axes.0.max(axes.1) + f64::from(self.thickness) / 2.0 + 2.0;
        let Some(window) = window(&[center], reach, size(spec)) else { return Ok(None) };
        let outline = |c: &mut Canvas| c.ellipse(center, axes, self.angle, Some(self.thickness));
        self.style().paint(window, |c| c.ellipse(center, axes, self.angle, None), outline)
    }
}

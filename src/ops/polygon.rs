//! Draws a polygon or an open line through several points.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::drawing::{Drawing, Drawn, Points, Stamp, Style, check_point, size, window};
use super::{Group, Invalid, Op, OpConfig, OpError, Reach};
use crate::frame::{Color, Spec};

/// Draws a polygon, filled or not, or an open line through several points.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Polygon {
    /// The corners, required: `x,y x,y x,y` in pixels (of pixel centres, from 0) or percent of the picture; 2 or more, 3 or
    /// more to be filled.
    pub points: Points,
    /// False leaves the line from the last corner to the first one out.
    pub closed: bool,
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

impl Default for Polygon {
    fn default() -> Self {
        Polygon {
            points: Points::default(),
            closed: true,
            color: Color::rgb(255, 0, 0),
            thickness: 2,
            opacity: 1.0,
            fill: None,
            fill_opacity: 1.0,
        }
    }
}

impl Polygon {
    fn style(&self) -> Style {
        let Polygon { color, thickness, opacity, fill, fill_opacity, .. } = *self;
        Style { color, thickness, opacity, fill, fill_opacity }
    }
}

impl OpConfig for Polygon {
    const NAME: &'static str = "polygon";
    const GROUP: Group = Group::Drawing;
    const EXAMPLE: &'static str = "polygon:points=20%,80% 50%,20% 80%,80%,color=lime,fill=lime,fill-opacity=0.3";
    const BEHIND: &'static str = "cv::fillPoly, cv::polylines (LINE_AA), blended in the frame's own format";

    fn check(&self) -> Result<(), Invalid> {
        let (n, least) = (self.points.0.len(), if self.fill.is_some() { 3 } else { 2 });
        if !(least..=10_000).contains(&n) {
            let wanted = format!("{least} to 10000 are needed, as in --op '{}'", Self::EXAMPLE);
            return Err(Invalid::new("points", format!("points: there are {n}, and {wanted}")));
        }
        self.points.0.iter().try_for_each(|p| check_point("points", *p))?;
        self.style().check()
    }

    fn reach(&self) -> Reach {
        Reach::Whole
    }

    fn build(&self) -> Box<dyn Op> {
        Stamp::of(self.clone())
    }
}

impl Drawing for Polygon {
    fn draw(&self, spec: &Spec) -> Result<Option<Drawn>, OpError> {
        let points: Vec<_> = self.points.0.iter().map(|p| p.on(size(spec))).collect();
        let Some(window) = window(&points, f64::from(self.thickness) / 2.0 + 2.0, size(spec)) else { return Ok(None) };
        let outline = |c: &mut super::drawing::Canvas| c.polyline(&points, self.closed, self.thickness);
        self.style().paint(window, |c| c.polygon(&points), outline)
    }
}

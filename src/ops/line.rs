//! Draws a line or an arrow.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::drawing::{Drawing, Drawn, Point, Stamp, check_point, size, window};
use super::{Group, Invalid, Length, Op, OpConfig, OpError, Reach};
use crate::frame::{Color, Spec};

/// Draws a line or an arrow.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Line {
    /// Where it starts: `x,y` in pixels (of pixel centres, from 0) or percent of the picture.
    pub from: Point,
    /// Where it ends: `x,y` in pixels or percent of the picture.
    pub to: Point,
    /// Its colour: a name or #rrggbb.
    pub color: Color,
    /// Its thickness in pixels, 1 to 1000.
    #[schemars(range(min = 1, max = 1000))]
    pub thickness: u32,
    /// Its opacity, 0 to 1.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub opacity: f64,
    /// Tips: `none`, `end`, `both`.
    pub arrow: Arrow,
    /// Length of a tip in percent of the line's, 0.1 to 100.
    #[schemars(range(min = 0.1, max = 100.0))]
    pub tip: f64,
}

/// Where a line has a tip.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[allow(missing_docs)]
pub enum Arrow {
    #[default]
    None,
    End,
    Both,
}

impl Default for Line {
    fn default() -> Self {
        let percent = |x, y| Point(Length::Percent(x), Length::Percent(y));
        Line {
            from: percent(10.0, 50.0),
            to: percent(90.0, 50.0),
            color: Color::rgb(255, 0, 0),
            thickness: 2,
            opacity: 1.0,
            arrow: Arrow::None,
            tip: 10.0,
        }
    }
}

impl OpConfig for Line {
    const NAME: &'static str = "line";
    const GROUP: Group = Group::Drawing;
    const EXAMPLE: &'static str = "line:from=10%,90%,to=90%,10%,color=yellow,arrow=end";
    const BEHIND: &'static str = "cv::line, cv::arrowedLine (LINE_AA), blended in the frame's own format";

    fn check(&self) -> Result<(), Invalid> {
        check_point("from", self.from)?;
        check_point("to", self.to)?;
        Invalid::unless_in("thickness", self.thickness, 1..=1000)?;
        Invalid::unless_in("opacity", self.opacity, 0.0..=1.0)?;
        Invalid::unless_in("tip", self.tip, 0.1..=100.0)
    }

    fn reach(&self) -> Reach {
        Reach::Whole
    }

    fn build(&self) -> Box<dyn Op> {
        Stamp::of(self.clone())
    }
}

impl Drawing for Line {
    fn draw(&self, spec: &Spec) -> Result<Option<Drawn>, OpError> {
        let (from, to, tip) = (self.from.on(size(spec)), self.to.on(size(spec)), self.tip / 100.0);
        // A tip's two strokes stand 45° off the line, so they do not reach further than their length.
        let stands = if self.arrow == Arrow::None { 0.0 } else { tip * (to.0 - from.0).hypot(to.1 - from.1) };
        let reach = f64::from(self.thickness) / 2.0 + 2.0 + stands;
        let Some(window) = window(&[from, to], reach, size(spec)) else { return Ok(None) };
        let mut drawn = Drawn::empty(window);
        drawn.layer(self.color, self.opacity, |c| match self.arrow {
            Arrow::None => c.polyline(&[from, to], false, self.thickness),
            Arrow::End => c.arrow(from, to, self.thickness, tip),
            Arrow::Both => {
                c.arrow(from, to, self.thickness, tip)?;
                c.arrow(to, from, self.thickness, tip)
            }
        })?;
        Ok(Some(drawn))
    }
}

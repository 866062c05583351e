//! Draws a grid over the picture.

use opencv::core::Rect;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::drawing::{Drawing, Drawn, Stamp, check_length, size};
use super::{Group, Invalid, Length, Op, OpConfig, OpError, Reach};
use crate::frame::{Color, Spec};

/// Draws a grid over the picture: thirds by default, any number of cells, or lines at a distance.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Grid {
    /// Cells beside each other, 1 to 1000.
    #[schemars(range(min = 1, max = 1000))]
    pub columns: u32,
    /// Cells below each other, 1 to 1000.
    #[schemars(range(min = 1, max = 1000))]
    pub rows: u32,
    /// Distance of the lines in pixels or percent of the picture's height, 2 pixels or more, instead of `columns` and
    /// `rows`; the first cell starts at the left top corner.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub spacing: Option<Length>,
    /// Colour of the lines: a name or #rrggbb.
    pub color: Color,
    /// Thickness of the lines in pixels, 1 to 1000.
    #[schemars(range(min = 1, max = 1000))]
    pub thickness: u32,
    /// Opacity of the lines, 0 to 1.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub opacity: f64,
}

impl Default for Grid {
    fn default() -> Self {
        Grid { columns: 3, rows: 3, spacing: None, color: Color::WHITE, thickness: 1, opacity: 0.5 }
    }
}

impl OpConfig for Grid {
    const NAME: &'static str = "grid";
    const GROUP: Group = Group::Drawing;
    const EXAMPLE: &'static str = "grid:columns=3,rows=3";
    const BEHIND: &'static str = "cv::rectangle for each line, blended in the frame's own format";

    fn check(&self) -> Result<(), Invalid> {
        Invalid::unless_in("columns", self.columns, 1..=1000)?;
        Invalid::unless_in("rows", self.rows, 1..=1000)?;
        if let Some(spacing) = self.spacing {
            check_length("spacing", spacing, if matches!(spacing, Length::Pixels(_)) { 2.0 } else { 0.1 })?;
        }
        Invalid::unless_in("thickness", self.thickness, 1..=1000)?;
        Invalid::unless_in("opacity", self.opacity, 0.0..=1.0)
    }

    fn reach(&self) -> Reach {
        Reach::Whole
    }

    fn build(&self) -> Box<dyn Op> {
        Stamp::of(self.clone())
    }
}

impl Drawing for Grid {
    fn draw(&self, spec: &Spec) -> Result<Option<Drawn>, OpError> {
        let (w, h) = size(spec);
        let thickness = self.thickness as i32;
        let spacing = self.spacing.map(|s| s.pixels(h).max(2.0));
        let lines = |cells: u32, whole: u32| {
            let step = spacing.unwrap_or(f64::from(whole) / f64::from(cells));
            // A percentage that is a whole number of cells ends at the edge, where no line is.
            let inner = |at: &f64| *at < f64::from(whole) - 1e-6;
            let at = (1..).map(move |i| f64::from(i) * step).take_while(inner);
            at.map(|at| (at - f64::from(thickness) / 2.0).round() as i32).collect::<Vec<_>>()
        };
        let (down, across) = (lines(self.columns, w), lines(self.rows, h));
        let mut drawn = Drawn::empty(Rect::new(0, 0, w as i32, h as i32));
        drawn.layer(self.color, self.opacity, |c| {
            down.iter().try_for_each(|x| c.block(Rect::new(*x, 0, thickness, h as i32)))?;
            across.iter().try_for_each(|y| c.block(Rect::new(0, *y, w as i32, thickness)))
        })?;
        Ok(Some(drawn))
    }
}

//! Burns a SMPTE timecode in: the [`text`](super::text) op with one field.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::position::{Position, Side};
use super::smpte::{self, DropFrame};
use super::text::{Counting, Text};
use super::{Group, Invalid, Length, Op, OpConfig, Reach};
use crate::config::Rate;
use crate::frame::Color;

/// Burns a SMPTE timecode into the picture, drop-frame at 29.97 and 59.94 frames per second.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Timecode {
    /// The timecode at the beginning of the source, HH:MM:SS:FF. A frame's own is this plus its position in the source times
    /// the frame rate, rounded to the nearest frame.
    pub start: String,
    /// `auto`: drop-frame (`;` before the frame number) at 29.97 and 59.94 frames per second; `on`, `off`.
    pub drop_frame: DropFrame,
    /// Frames per second to count by, above 0 to 1000: 30, 30000/1001, 29.97. Default: the stream's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fps: Option<Rate>,
    /// Where, as in the op `text`.
    pub position: Position,
    /// Distance from the edges for the named positions, as in the op `text`.
    pub margin: Length,
    /// The font, as in the op `text`: empty for the built-in one.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub font: String,
    /// Font height in pixels or percent of the picture's height: 1 to 2000 pixels, 0.1% to 100%.
    pub size: Length,
    /// Colour of the digits: a name or #rrggbb.
    pub color: Color,
    /// Opacity of the digits and their outline, 0 to 1.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub opacity: f64,
    /// Width of the outline in pixels or percent of the font height, 0 (none) to 100 pixels or 50%.
    pub outline: Length,
    /// Colour of the outline.
    pub outline_color: Color,
    /// Colour of the box behind it.
    #[serde(rename = "box")]
    pub background: Color,
    /// Opacity of the box, 0 (none) to 1.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub box_opacity: f64,
    /// Room between digits and the edge of the box in pixels or percent of the font height, 0 to 10000.
    pub padding: Length,
}

impl Default for Timecode {
    fn default() -> Self {
        Timecode {
            start: "00:00:00:00".into(),
            drop_frame: DropFrame::Auto,
            fps: None,
            position: Position::Anchor(Side::Middle, Side::End),
            margin: Length::Percent(4.0),
            font: String::new(),
            size: Length::Percent(5.0),
            color: Color::WHITE,
            opacity: 1.0,
            outline: Length::Pixels(0.0),
            outline_color: Color::BLACK,
            background: Color::BLACK,
            box_opacity: 0.6,
            padding: Length::Percent(25.0),
        }
    }
}

impl Timecode {
    fn text(&self) -> Text {
        Text {
            text: "{timecode}".into(),
            position: self.position,
            margin: self.margin,
            font: self.font.clone(),
            size: self.size,
            color: self.color,
            opacity: self.opacity,
            outline: self.outline,
            outline_color: self.outline_color,
            background: (self.box_opacity > 0.0).then_some(self.background),
            box_opacity: self.box_opacity,
            padding: self.padding,
            ..Text::default()
        }
    }
}

impl OpConfig for Timecode {
    const NAME: &'static str = "timecode";
    const GROUP: Group = Group::Drawing;
    const EXAMPLE: &'static str = "timecode:start=01:00:00:00";
    const BEHIND: &'static str = "the op text";

    fn check(&self) -> Result<(), Invalid> {
        smpte::parse(&self.start).map_err(|e| Invalid::new("start", format!("start: {e}")))?;
        self.text().check()
    }

    fn reach(&self) -> Reach {
        Reach::Whole
    }

    fn build(&self) -> Box<dyn Op> {
        let Timecode { start, drop_frame, fps, .. } = self.clone();
        self.text().counting(Counting { start, drop_frame, fps })
    }
}

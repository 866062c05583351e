//! Where something smaller goes on the picture.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::Length;

/// A place on the picture: `top-left`, `center`, `bottom` …, or `x,y` in pixels or percent.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Position {
    /// At an edge, a corner or in the middle: for each axis the start, the middle or the end.
    Anchor(Side, Side),
    /// Left and top. Pixels count from the picture's left top corner; percent share out the room that is left: 0% is at
    /// the left (top) edge, 50% is centred, 100% ends at the right (bottom) edge.
    At(Length, Length),
}

/// A place on one axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Side {
    Start,
    Middle,
    End,
}

const NAMES: &[(&str, Side, Side)] = &[
    ("top-left", Side::Start, Side::Start),
    ("top", Side::Middle, Side::Start),
    ("top-right", Side::End, Side::Start),
    ("left", Side::Start, Side::Middle),
    ("center", Side::Middle, Side::Middle),
    ("right", Side::End, Side::Middle),
    ("bottom-left", Side::Start, Side::End),
    ("bottom", Side::Middle, Side::End),
    ("bottom-right", Side::End, Side::End),
];

impl Position {
    /// Left and top of something of size `inner` (width, height) on a picture of size `outer`, all in pixels. Named
    /// places keep `margin` pixels from the edges, and what is too large for that starts at the left top corner.
    pub fn place(self, inner: (u32, u32), outer: (u32, u32), margin: u32) -> (i32, i32) {
        let anchored = |side, inner: u32, outer: u32| {
            let (inner, outer, margin) = (i64::from(inner), i64::from(outer), i64::from(margin));
            let ideal = match side {
                Side::Start => margin,
                Side::Middle => (outer - inner + 1) / 2,
                Side::End => outer - inner - margin,
            };
            ideal.clamp(0, (outer - inner).max(0)) as i32
        };
        let measured = |length, inner: u32, outer: u32| match length {
            Length::Pixels(p) => p.round() as i32,
            Length::Percent(p) => (p / 100.0 * (f64::from(outer) - f64::from(inner))).round() as i32,
        };
        match self {
            Position::Anchor(x, y) => (anchored(x, inner.0, outer.0), anchored(y, inner.1, outer.1)),
            Position::At(x, y) => (measured(x, inner.0, outer.0), measured(y, inner.1, outer.1)),
        }
    }
}

impl FromStr for Position {
    type Err = String;
    fn from_str(s: &str) -> Result<Self, String> {
        let t = s.trim().to_ascii_lowercase();
        if let Some((_, x, y)) = NAMES.iter().find(|(n, ..)| *n == t) {
            return Ok(Position::Anchor(*x, *y));
        }
        if let Some((x, y)) = t.split_once(',') {
            return Ok(Position::At(x.parse()?, y.parse()?));
        }
        let near = crate::config::nearest(&t, NAMES.iter().map(|(n, ..)| *n));
        let hint = near.map(|n| format!(" (did you mean `{n}`?)")).unwrap_or_default();
        let names: Vec<&str> = NAMES.iter().map(|(n, ..)| *n).collect();
        Err(format!("`{s}` is no position{hint}: give {}, or x,y in pixels or percent", names.join(", ")))
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Position::Anchor(x, y) => {
                f.write_str(NAMES.iter().find(|(_, a, b)| a == x && b == y).map_or("center", |(n, ..)| n))
            }
            Position::At(x, y) => write!(f, "{x},{y}"),
        }
    }
}

impl TryFrom<String> for Position {
    type Error = String;
    fn try_from(s: String) -> Result<Self, String> {
        s.parse()
    }
}

impl From<Position> for String {
    fn from(p: Position) -> String {
        p.to_string()
    }
}

impl schemars::JsonSchema for Position {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Position".into()
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let names: Vec<&str> = NAMES.iter().map(|(n, ..)| *n).collect();
        schemars::json_schema!({
            "type": "string",
            "description": format!("{}, or \"x,y\" in pixels or %", names.join(", "))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(position: &str, inner: (u32, u32), margin: u32) -> (i32, i32) {
        position.parse::<Position>().unwrap().place(inner, (640, 360), margin)
    }

    #[test]
    fn names_keep_the_margin() {
        assert_eq!(at("top-left", (100, 20), 8), (8, 8));
        assert_eq!(at("top", (100, 20), 8), (270, 8));
        assert_eq!(at("right", (100, 20), 8), (532, 170));
        assert_eq!(at("Bottom-Right", (100, 20), 8), (532, 332));
        assert_eq!(at("center", (101, 21), 8), at("50%,50%", (101, 21), 8));
    }

    #[test]
    fn percent_shares_out_the_room_and_pixels_count_from_the_corner() {
        assert_eq!(at("50%,50%", (100, 20), 8), (270, 170));
        assert_eq!(at("100%,100%", (100, 20), 8), (540, 340));
        assert_eq!(at("0%, 100%", (100, 20), 8), (0, 340));
        assert_eq!(at("-5,12.6", (100, 20), 8), (-5, 13));
    }

    #[test]
    fn what_is_too_large_starts_at_the_corner() {
        assert_eq!(at("bottom-right", (700, 400), 8), (0, 0));
        assert_eq!(at("bottom-right", (636, 20), 8), (0, 332));
        assert_eq!("top".parse::<Position>().unwrap().place((5, 5), (1, 1), 100), (0, 0));
    }

    #[test]
    fn errors_teach() {
        assert!("top-lft".parse::<Position>().unwrap_err().contains("did you mean `top-left`"));
        assert!("1,b".parse::<Position>().unwrap_err().contains("no length"));
        for (name, ..) in NAMES {
            assert_eq!(name.parse::<Position>().unwrap().to_string(), *name);
        }
    }
}

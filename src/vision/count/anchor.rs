//! Which point of a box stands for the object.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Place;
use crate::vision::Rect;

/// A point of a box.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[allow(missing_docs)]
pub enum Anchor {
    /// The middle of the lower edge: where what stands upright touches the ground.
    #[default]
    Bottom,
    Center,
    Top,
    Left,
    Right,
    TopLeft,
    TopRight,
    BottomLeft,
    BottomRight,
}

impl Anchor {
    /// Where it is, in pixels.
    pub fn of(self, r: &Rect) -> Place {
        use Anchor::*;
        let x = match self {
            Left | TopLeft | BottomLeft => 0.0,
            Bottom | Center | Top => 0.5,
            Right | TopRight | BottomRight => 1.0,
        };
        let y = match self {
            Top | TopLeft | TopRight => 0.0,
            Left | Center | Right => 0.5,
            Bottom | BottomLeft | BottomRight => 1.0,
        };
        (f64::from(r.x) + x * f64::from(r.w), f64::from(r.y) + y * f64::from(r.h))
    }
}

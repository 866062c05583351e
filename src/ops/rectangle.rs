//! Draws a rectangle: a frame, an area, or both.

use opencv::core::Rect;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::drawing::{Drawing, Drawn, Stamp, Style, check_length, size};
use super::overlay::{Layer, Paint};
use super::{Group, Invalid, Length, Op, OpConfig, OpError, Reach};
use crate::frame::{Color, Spec};

/// Draws a rectangle, with round corners if wanted.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Rectangle {
    /// Left edge in pixels or percent of the picture's width, -100000 to 100000.
    pub x: Length,
    /// Top edge in pixels or percent of the picture's height, -100000 to 100000.
    pub y: Length,
    /// Width in pixels or percent of the picture's width, above 0.
    pub width: Length,
    /// Height in pixels or percent of the picture's height, above 0.
    pub height: Length,
    /// Colour of the outline: a name or #rrggbb.
    pub color: Color,
    /// Thickness of the outline in pixels, 0 (none) to 1000; it lies inside of the rectangle.
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
    /// Radius of the corners in pixels or percent of the picture's height, 0 to 100000.
    pub radius: Length,
}

impl Default for Rectangle {
    fn default() -> Self {
        Rectangle {
            x: Length::Percent(25.0),
            y: Length::Percent(25.0),
            width: Length::Percent(50.0),
            height: Length::Percent(50.0),
            color: Color::rgb(255, 0, 0),
            thickness: 2,
            opacity: 1.0,
            fill: None,
            fill_opacity: 1.0,
            radius: Length::Pixels(0.0),
        }
    }
}

impl Rectangle {
    fn style(&self) -> Style {
        let Rectangle { color, thickness, opacity, fill, fill_opacity, .. } = *self;
        Style { color, thickness, opacity, fill, fill_opacity }
    }
}

impl OpConfig for Rectangle {
    const NAME: &'static str = "rectangle";
    const GROUP: Group = Group::Drawing;
    const EXAMPLE: &'static str = "rectangle:x=25%,y=25%,width=50%,height=50%,color=red";
    const BEHIND: &'static str = "own masks (the pixels of cv::rectangle), blended in the frame's own format";

    fn check(&self) -> Result<(), Invalid> {
        check_length("x", self.x, f64::NEG_INFINITY)?;
        check_length("y", self.y, f64::NEG_INFINITY)?;
        check_length("width", self.width, f64::MIN_POSITIVE)?;
        check_length("height", self.height, f64::MIN_POSITIVE)?;
        check_length("radius", self.radius, 0.0)?;
        self.style().check()
    }

    fn reach(&self) -> Reach {
        Reach::Whole
    }

    fn build(&self) -> Box<dyn Op> {
        Stamp::of(self.clone())
    }
}

impl Drawing for Rectangle {
    fn draw(&self, spec: &Spec) -> Result<Option<Drawn>, OpError> {
        let (w, h) = size(spec);
        let edges = |at: Length, len: Length, whole: u32| {
            let (from, to) = (at.pixels(whole), at.pixels(whole) + len.pixels(whole));
            (from.round() as i32, (to.round() as i32).max(from.round() as i32 + 1))
        };
        let ((left, right), (top, bottom)) = (edges(self.x, self.width, w), edges(self.y, self.height, h));
        let outer = Rect::new(left, top, right - left, bottom - top);
        let window = outer & Rect::new(0, 0, w as i32, h as i32);
        if window.empty() {
            return Ok(None);
        }
        let radius = self.radius.pixels(h);
        let mut drawn = Drawn::empty(window);
        let mut layer = |color, opacity: f64, mask| {
            drawn.overlay.layers.push(Layer { paint: Paint::Flat(color), mask, opacity: opacity as f32 });
        };
        if let Some(color) = self.fill {
            layer(color, self.fill_opacity, cover(window, outer, radius));
        }
        if self.thickness > 0 {
            let t = self.thickness as i32;
            let inner = Rect::new(left + t, top + t, outer.width - 2 * t, outer.height - 2 * t);
            let mut mask = cover(window, outer, radius);
            if !inner.empty() {
                let hole = cover(window, inner, radius - f64::from(t));
                mask.iter_mut().zip(&hole).for_each(|(m, h)| *m -= (*h).min(*m));
            }
            layer(self.color, self.opacity, mask);
        }
        Ok(Some(drawn))
    }
}

/// How much of each pixel of `window` lies in `rect`, whose corners are round by `radius`, as 0 to 255.
pub(super) fn cover(window: Rect, rect: Rect, radius: f64) -> Vec<u8> {
    let mut mask = vec![0; (window.width * window.height) as usize];
    let radius = radius.clamp(0.0, f64::from(rect.width.min(rect.height)) / 2.0);
    let round = radius.ceil() as i32;
    let (left, right) = ((rect.x - window.x).max(0), (rect.x + rect.width - window.x).min(window.width));
    if left >= right {
        return mask;
    }
    for (y, row) in (window.y..).zip(mask.chunks_exact_mut(window.width as usize)) {
        let down = (y - rect.y).min(rect.y + rect.height - 1 - y);
        if down < 0 {
            continue;
        }
        row[left as usize..right as usize].fill(255);
        for x in if down < round { 0..round } else { 0..0 } {
            // The distance of the pixel's centre from the corner's; half a pixel to either side is the edge.
            let (dx, dy) = (radius - f64::from(x) - 0.5, radius - f64::from(down) - 0.5);
            if dx <= 0.0 || dy <= 0.0 {
                continue;
            }
            let value = (255.0 * (radius - dx.hypot(dy) + 0.5).clamp(0.0, 1.0)).round() as u8;
            for x in [rect.x - window.x + x, rect.x - window.x + rect.width - 1 - x] {
                if (left..right).contains(&x) {
                    row[x as usize] = value;
                }
            }
        }
    }
    mask
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn round_corners_have_the_area_that_they_should() {
        let all = Rect::new(0, 0, 60, 50);
        let area = |rect, radius| cover(all, rect, radius).iter().map(|m| f64::from(*m) / 255.0).sum::<f64>();
        let rect = Rect::new(5, 4, 41, 30);
        assert_eq!(area(rect, 0.0), 41.0 * 30.0);
        for radius in [2.0, 7.5, 15.0] {
            let wanted = 41.0 * 30.0 - (4.0 - std::f64::consts::PI) * radius * radius;
            assert!((area(rect, radius) - wanted).abs() < 1.5, "{radius}: {} not {wanted}", area(rect, radius));
        }
        // Too much is as much as fits, and what lies outside of the window is cut off.
        assert_eq!(cover(all, rect, 500.0), cover(all, rect, 15.0));
        assert_eq!(area(Rect::new(-10, -10, 20, 20), 0.0), 100.0);
    }

    #[test]
    fn settings_that_draw_nothing_are_refused() {
        let bad = Rectangle { thickness: 0, ..Rectangle::default() };
        assert!(bad.check().unwrap_err().message.contains("draws nothing"));
        let bad = Rectangle { width: Length::Percent(0.0), ..Rectangle::default() };
        assert_eq!(bad.check().unwrap_err().key, "width");
        assert!(Rectangle { opacity: f64::NAN, ..Rectangle::default() }.check().is_err());
    }
}

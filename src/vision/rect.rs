//! Boxes.

use serde::{Deserialize, Serialize};

/// A box in pixels; (0, 0) is the picture's upper left corner. It may reach beyond the picture.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Rect {
    /// Left edge.
    pub x: f32,
    /// Upper edge.
    pub y: f32,
    /// Width, 0 or more.
    pub w: f32,
    /// Height, 0 or more.
    pub h: f32,
}

impl Rect {
    /// From the upper left corner and a size.
    pub fn new(x: f32, y: f32, w: f32, h: f32) -> Self {
        Rect { x, y, w, h }
    }

    /// From two opposite corners: upper left, lower right.
    pub fn from_corners(left: f32, top: f32, right: f32, bottom: f32) -> Self {
        Rect { x: left, y: top, w: (right - left).max(0.0), h: (bottom - top).max(0.0) }
    }

    /// From the centre and a size.
    pub fn from_center(x: f32, y: f32, w: f32, h: f32) -> Self {
        Rect { x: x - w / 2.0, y: y - h / 2.0, w, h }
    }

    /// Right edge.
    pub fn right(&self) -> f32 {
        self.x + self.w
    }

    /// Lower edge.
    pub fn bottom(&self) -> f32 {
        self.y + self.h
    }

    /// Square pixels.
    pub fn area(&self) -> f32 {
        self.w * self.h
    }

    /// (x, y) of the middle.
    pub fn center(&self) -> (f32, f32) {
        (self.x + self.w / 2.0, self.y + self.h / 2.0)
    }

    /// What both cover; empty where they do not meet.
    pub fn intersection(&self, other: &Rect) -> Rect {
        let (x, y) = (self.x.max(other.x), self.y.max(other.y));
        Rect::from_corners(x, y, self.right().min(other.right()), self.bottom().min(other.bottom()))
    }

    /// The smallest box around both.
    pub fn union(&self, other: &Rect) -> Rect {
        let (x, y) = (self.x.min(other.x), self.y.min(other.y));
        Rect::from_corners(x, y, self.right().max(other.right()), self.bottom().max(other.bottom()))
    }

    /// Intersection over union, 0–1; 0 for two empty boxes.
    pub fn iou(&self, other: &Rect) -> f32 {
        let shared = self.intersection(other).area();
        let all = self.area() + other.area() - shared;
        if all > 0.0 { shared / all } else { 0.0 }
    }

    /// The part inside a picture of `width` × `height` pixels.
    pub fn within(&self, width: f32, height: f32) -> Rect {
        self.intersection(&Rect::new(0.0, 0.0, width, height))
    }

    /// Wider and higher by `share` of its own width and height on every side.
    pub fn grown(&self, share: f32) -> Rect {
        let (dx, dy) = (self.w * share, self.h * share);
        Rect::new(self.x - dx, self.y - dy, self.w + 2.0 * dx, self.h + 2.0 * dy)
    }

    /// Moved by (dx, dy).
    pub fn moved(&self, dx: f32, dy: f32) -> Rect {
        Rect { x: self.x + dx, y: self.y + dy, ..*self }
    }

    /// True when all four numbers are finite.
    pub fn is_finite(&self) -> bool {
        [self.x, self.y, self.w, self.h].iter().all(|v| v.is_finite())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn iou_by_hand() {
        let a = Rect::new(0.0, 0.0, 10.0, 10.0);
        assert_eq!(a.iou(&a), 1.0);
        assert_eq!(a.iou(&Rect::new(5.0, 0.0, 10.0, 10.0)), 50.0 / 150.0);
        assert_eq!(a.iou(&Rect::new(10.0, 0.0, 10.0, 10.0)), 0.0);
        assert_eq!(Rect::default().iou(&Rect::default()), 0.0);
    }

    #[test]
    fn growing_keeps_the_centre() {
        let a = Rect::new(10.0, 20.0, 40.0, 80.0);
        assert_eq!(a.grown(0.25), Rect::new(0.0, 0.0, 60.0, 120.0));
        assert_eq!(a.grown(0.25).center(), a.center());
        assert_eq!(a.within(30.0, 50.0), Rect::new(10.0, 20.0, 20.0, 30.0));
    }
}

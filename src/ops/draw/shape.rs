//! Boxes as a few narrow overlays: their cost goes with the length of the outline, not with the area.

use opencv::core::Rect as CvRect;

use crate::frame::{Color, Frame, FrameError};
use crate::ops::overlay::{Layer, Overlay, Paint, Prepared};
use crate::ops::rectangle::cover;
use crate::vision::Rect;

/// Blends overlays, and keeps its memory.
#[derive(Default)]
pub(super) struct Brush {
    prepared: Prepared,
}

impl Brush {
    pub fn blend(&mut self, overlay: &Overlay, frame: &mut Frame, x: i32, y: i32) -> Result<(), FrameError> {
        self.prepared.set(overlay, frame.spec(), x, y);
        self.prepared.blend(frame)
    }
}

/// The box on whole pairs of pixels, so that its edges are as sharp in subsampled chroma as in luma.
pub(super) fn snapped(r: &Rect) -> CvRect {
    let even = |v: f32| (v.clamp(-30_000.0, 60_000.0) / 2.0).round() as i32 * 2;
    let (x, y) = (even(r.x), even(r.y));
    CvRect::new(x, y, (even(r.right()) - x).max(2), (even(r.bottom()) - y).max(2))
}

/// Draws in one colour on one frame.
pub(super) struct Pen<'a> {
    pub brush: &'a mut Brush,
    pub frame: &'a mut Frame,
    pub color: Color,
    pub opacity: f32,
}

impl Pen<'_> {
    fn paint(&mut self, window: CvRect, opacity: f32, mask: impl FnOnce(CvRect) -> Vec<u8>) -> Result<(), FrameError> {
        let picture = CvRect::new(0, 0, self.frame.width() as i32, self.frame.height() as i32);
        let window = window & picture;
        if window.width <= 0 || window.height <= 0 {
            return Ok(());
        }
        let layer = Layer { paint: Paint::Flat(self.color), mask: mask(window), opacity };
        let overlay = Overlay { width: window.width as u32, height: window.height as u32, layers: vec![layer] };
        self.brush.blend(&overlay, self.frame, window.x, window.y)
    }

    /// The whole box.
    pub fn area(&mut self, rect: CvRect, opacity: f32) -> Result<(), FrameError> {
        let opacity = opacity * self.opacity;
        self.paint(rect, opacity, |w| vec![255; (w.width * w.height) as usize])
    }

    /// The outline, inside of the box, with corners of this radius.
    pub fn outline(&mut self, rect: CvRect, thickness: i32, radius: f64) -> Result<(), FrameError> {
        let t = thickness.min(rect.width / 2).min(rect.height / 2).max(1);
        let radius = radius.min(f64::from(rect.width.min(rect.height)) / 2.0);
        let inner = CvRect::new(rect.x + t, rect.y + t, rect.width - 2 * t, rect.height - 2 * t);
        // The strips above and below hold the round corners.
        let strip = t.max(radius.ceil() as i32).min((rect.height + 1) / 2);
        let sides = rect.height - 2 * strip;
        let bottom = rect.y + rect.height - strip;
        let strips = [
            CvRect::new(rect.x, rect.y, rect.width, strip),
            CvRect::new(rect.x, bottom, rect.width, strip),
            CvRect::new(rect.x, rect.y + strip, t, sides),
            CvRect::new(rect.x + rect.width - t, rect.y + strip, t, sides),
        ];
        for strip in strips {
            let opacity = self.opacity;
            self.paint(strip, opacity, |w| {
                let mut mask = cover(w, rect, radius);
                if inner.width > 0 && inner.height > 0 {
                    let hole = cover(w, inner, radius - f64::from(t));
                    mask.iter_mut().zip(&hole).for_each(|(m, h)| *m -= (*h).min(*m));
                }
                mask
            })?;
        }
        Ok(())
    }

    /// Only the corners of the outline: a quarter of each side.
    pub fn corners(&mut self, rect: CvRect, thickness: i32) -> Result<(), FrameError> {
        let t = thickness.min(rect.width / 2).min(rect.height / 2).max(1);
        let (w, h) = ((rect.width / 4).max(t), (rect.height / 4).max(t));
        let (right, bottom) = (rect.x + rect.width, rect.y + rect.height);
        for (x, y) in [(rect.x, rect.y), (right - w, rect.y), (rect.x, bottom - t), (right - w, bottom - t)] {
            self.area(CvRect::new(x, y, w, t), 1.0)?;
        }
        let sides = [(rect.x, rect.y + t), (right - t, rect.y + t), (rect.x, bottom - h), (right - t, bottom - h)];
        for (x, y) in sides {
            self.area(CvRect::new(x, y, t, h - t), 1.0)?;
        }
        Ok(())
    }

    /// A disc.
    pub fn dot(&mut self, x: f32, y: f32, radius: f64) -> Result<(), FrameError> {
        let radius = radius.max(1.5);
        let side = (2.0 * radius).ceil() as i32;
        let at = |v: f32| (f64::from(v.clamp(-30_000.0, 60_000.0)) - radius).round() as i32;
        let rect = CvRect::new(at(x), at(y), side, side);
        let opacity = self.opacity;
        self.paint(rect, opacity, |w| cover(w, rect, radius))
    }
}

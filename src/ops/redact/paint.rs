//! Hides parts of a picture in its own format.

use std::sync::Arc;

use gstreamer::ClockTime;
use opencv::core::{self as cv, Mat, Rect, Scalar};
use opencv::imgproc;
use opencv::prelude::*;

use super::{Method, Redact, Shape};
use crate::frame::{Component, Frame, Plane, Pool, Spec, shape_scratch};
use crate::ops::channels::Dst;
use crate::ops::overlay::Overlay;
use crate::ops::sample::round_to;
use crate::ops::{OpError, image, veil};
use crate::vision;
use crate::vision::cover::Cover;

/// The longer side of the picture of `method = "image"`, in pixels: larger ones are reduced once.
const LARGEST_STAMP: u32 = 512;

/// Hides things on pictures of one form.
pub struct Painter {
    method: Method,
    shape: Shape,
    cells: u32,
    planes: Vec<Paint>,
    /// The picture of `method = "image"`, in the form of the frames.
    stamp: Option<Frame>,
    bits: u32,
}

/// The same on one plane.
struct Paint {
    plane: Plane,
    /// The colour of `fill`.
    color: Scalar,
    /// Opacity and padding, which are not written.
    kept: Vec<i32>,
    few: Mat,
    many: Mat,
    mask: Mat,
}

impl Painter {
    /// For pictures like `spec`; reads the picture of `method = "image"`.
    pub fn new(config: &Redact, spec: &Arc<Spec>) -> Result<Self, OpError> {
        let paint = |plane: &Plane| {
            let mut color = Scalar::default();
            for (to, c) in color.iter_mut().zip(&plane.channels) {
                *to = f64::from(config.color.sample(*c, &spec.info, &spec.layout));
            }
            let is_kept = |c: &Component| matches!(c, Component::Alpha | Component::Unused);
            let kept = (0i32..).zip(&plane.channels).filter(|(_, c)| is_kept(c)).map(|(k, _)| k).collect();
            let (few, many, mask) = Default::default();
            Paint { plane: plane.clone(), color, kept, few, many, mask }
        };
        let mut painter = Painter {
            method: config.method,
            shape: config.shape,
            cells: config.cells,
            planes: spec.layout.planes.iter().map(paint).collect(),
            stamp: None,
            bits: !((1u32 << spec.layout.shift) - 1),
        };
        if let (Method::Image, Some(path)) = (config.method, &config.image) {
            painter.stamp = Some(painter.stamp(path, spec)?);
        }
        Ok(painter)
    }

    /// The picture file on the colour, in the form of the frames.
    fn stamp(&mut self, path: &str, spec: &Spec) -> Result<Frame, OpError> {
        let file = image::read(path)?;
        let (w, h) = file.dimensions();
        let share = f64::from(w.max(h).min(LARGEST_STAMP)) / f64::from(w.max(h).max(1));
        let [w, h] = [w, h].map(|side| (f64::from(side) * share).round().max(1.0) as u32);
        let rgba = if (w, h) == file.dimensions() { file.into_raw() } else { image::resized(&file, w, h)? };
        let spec = Arc::new(spec.with_size(w, h)?);
        let mut stamp = Frame::new(Pool::new(&spec.info)?.acquire()?, spec, ClockTime::ZERO, None);
        let mut planes = stamp.planes_mut()?;
        for (i, paint) in self.planes.iter().enumerate() {
            planes.edit(i, |plane| plane.set_to_def(&paint.color).map(drop).map_err(OpError::from))?;
        }
        drop(planes);
        Overlay::from_rgba(w, h, &rgba, 1.0).blend(&mut stamp, 0, 0)?;
        Ok(stamp)
    }

    /// Hides `covers` on `frame`, which is writable: every sample that shows any of them.
    pub fn hide(&mut self, frame: &mut Frame, covers: &[Cover]) -> Result<(), OpError> {
        let size = (frame.width(), frame.height());
        let stamp = self.stamp.as_ref().map(Frame::planes).transpose()?;
        let mut planes = frame.planes_mut()?;
        for (i, paint) in self.planes.iter_mut().enumerate().filter(|(_, p)| !p.plane.is_alpha()) {
            let stamp = stamp.as_ref().map(|s| s.mat(i)).transpose()?;
            planes.edit(i, |plane| {
                for cover in covers {
                    let Some(rect) = samples(&cover.rect, &paint.plane, size) else { continue };
                    let mut there = plane.roi_mut(rect)?;
                    shape_scratch(&mut paint.many, there.size()?, there.typ())?;
                    match (self.method, &stamp) {
                        (Method::Pixelate | Method::Blur, _) => {
                            let grid = veil::grid(rect, &paint.plane, self.cells);
                            let blended = self.method == Method::Blur;
                            veil::cells(&there, &mut paint.few, &mut paint.many, grid, blended, self.bits)?;
                        }
                        (Method::Image, Some(stamp)) => {
                            let smaller = rect.width < stamp.cols() && rect.height < stamp.rows();
                            let how = if smaller { imgproc::INTER_AREA } else { imgproc::INTER_LINEAR };
                            imgproc::resize(stamp, &mut paint.many, rect.size(), 0.0, 0.0, how)?;
                            round_to(&mut paint.many, self.bits)?;
                        }
                        (Method::Fill | Method::Image, _) => drop(paint.many.set_to_def(&paint.color)?),
                    }
                    paint.put(&mut there, rect, (self.shape == Shape::Ellipse).then_some(&cover.rect))?;
                }
                Ok::<_, OpError>(())
            })?;
        }
        Ok(())
    }
}

impl Paint {
    /// Puts what is in `many` on the picture, opacity and padding as they were; only within the ellipse in `oval`, if given.
    fn put(&mut self, there: &mut Dst<'_>, rect: Rect, oval: Option<&vision::Rect>) -> opencv::Result<()> {
        for k in &self.kept {
            cv::mix_channels(there, &mut self.many, &[*k, *k])?;
        }
        let Some(oval) = oval else { return self.many.copy_to(there) };
        shape_scratch(&mut self.mask, rect.size(), cv::CV_8UC1)?;
        ellipse(&mut self.mask, rect, oval, &self.plane)?;
        self.many.copy_to_masked(there, &self.mask)
    }
}

/// All samples of a plane that show any of `rect`, in a picture of this size; `None` where it lies outside.
fn samples(rect: &vision::Rect, plane: &Plane, (width, height): (u32, u32)) -> Option<Rect> {
    let axis = |from: f32, to: f32, whole: u32, sub: u32| {
        let clip = |v: f64| v.clamp(0.0, f64::from(whole)) as i32;
        let (from, to) = (clip(f64::from(from).floor()), clip(f64::from(to).ceil()));
        (from < to).then(|| (from >> sub, (to + (1 << sub) - 1) >> sub))
    };
    let (x0, x1) = axis(rect.x, rect.right(), width, plane.w_sub)?;
    let (y0, y1) = axis(rect.y, rect.bottom(), height, plane.h_sub)?;
    Some(Rect::from_points(cv::Point::new(x0, y0), cv::Point::new(x1, y1)))
}

/// Marks all samples of `rect` (of a plane) that show any of the ellipse in `oval` (in pixels of the picture).
fn ellipse(mask: &mut Mat, rect: Rect, oval: &vision::Rect, plane: &Plane) -> opencv::Result<()> {
    let ((cx, cy), [a, b]) = (oval.center(), [oval.w, oval.h].map(|d| f64::from(d) / 2.0));
    let (cx, cy) = (f64::from(cx), f64::from(cy));
    let (across, down) = (f64::from(1 << plane.w_sub), f64::from(1 << plane.h_sub));
    for row in 0..rect.height {
        let top = f64::from(rect.y + row) * down;
        // The ellipse is widest where the row comes nearest to its middle.
        let d = (cy.clamp(top, top + down) - cy) / b;
        let half = a * (1.0 - d * d).max(0.0).sqrt();
        let column = |x: f64| (x - f64::from(rect.x)).clamp(0.0, f64::from(rect.width)) as usize;
        let (from, to) = (column(((cx - half) / across).floor()), column(((cx + half) / across).ceil()));
        let line = mask.at_row_mut::<u8>(row)?;
        line.fill(0);
        line[from..to.max(from)].fill(255);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plane(sub: u32) -> Plane {
        Plane { channels: vec![Component::Y], w_sub: sub, h_sub: sub }
    }

    #[test]
    fn samples_are_rounded_outwards() {
        let r = |x, y, w, h| vision::Rect::new(x, y, w, h);
        assert_eq!(samples(&r(10.9, 20.0, 5.2, 3.0), &plane(0), (321, 241)), Some(Rect::new(10, 20, 7, 3)));
        assert_eq!(samples(&r(11.0, 21.0, 2.0, 2.0), &plane(1), (321, 241)), Some(Rect::new(5, 10, 2, 2)));
        assert_eq!(samples(&r(310.0, 230.0, 99.0, 99.0), &plane(1), (321, 241)), Some(Rect::new(155, 115, 6, 6)));
        assert_eq!(samples(&r(-9.0, 0.0, 8.0, 5.0), &plane(0), (321, 241)), None);
        assert_eq!(samples(&r(0.0, 0.0, f32::MAX, f32::MAX), &plane(0), (8, 8)), Some(Rect::new(0, 0, 8, 8)));
    }

    #[test]
    fn an_ellipse_has_every_sample_that_it_touches() {
        let oval = vision::Rect::new(3.3, 5.6, 40.4, 61.0);
        for sub in [0, 1] {
            let rect = samples(&oval, &plane(sub), (100, 100)).unwrap();
            let mut mask = Mat::zeros(rect.height, rect.width, cv::CV_8UC1).unwrap().to_mat().unwrap();
            ellipse(&mut mask, rect, &oval, &plane(sub)).unwrap();
            let (mut inside, step) = (0, 1 << sub);
            for (x, y) in (0..1000).flat_map(|y| (0..1000).map(move |x| (x as f32 / 10.0, y as f32 / 10.0))) {
                let (cx, cy) = oval.center();
                if ((x - cx) / oval.w * 2.0).powi(2) + ((y - cy) / oval.h * 2.0).powi(2) < 0.999 {
                    let at = (y as i32 / step - rect.y, x as i32 / step - rect.x);
                    assert_eq!(*mask.at_2d::<u8>(at.0, at.1).unwrap(), 255, "{x} {y}");
                    inside += 1;
                }
            }
            let marked = cv::count_non_zero(&mask).unwrap() * step * step;
            assert!(inside > 100_000 && (marked as f64) < f64::from(oval.area()), "{marked}");
        }
    }
}

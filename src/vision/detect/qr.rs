//! QR codes, by the crate rqrr: Debian's OpenCV finds them, but is built without the library that reads them.

use std::sync::Arc;

use opencv::core::Mat;
use opencv::prelude::*;

use super::{DetectError, Detector, whole};
use crate::frame::Frame;
use crate::vision::{Detection, Point, Rect};

pub(super) struct Qr {
    label: [Arc<str>; 1],
    scratch: Mat,
}

impl Default for Qr {
    fn default() -> Self {
        Qr { label: ["qr".into()], scratch: Mat::default() }
    }
}

impl Detector for Qr {
    fn detect(
        &mut self,
        frame: &Frame,
        areas: &[Rect],
        found: &mut Vec<(usize, Detection)>,
    ) -> Result<(), DetectError> {
        let label = &self.label[0];
        frame.gray(&mut self.scratch, |gray| {
            for (i, area) in areas.iter().enumerate() {
                let part = gray.roi(whole(area))?;
                let rows: Vec<&[u8]> = (0..part.rows()).map(|y| part.at_row::<u8>(y)).collect::<Result<_, _>>()?;
                let (width, height) = (part.cols() as usize, part.rows() as usize);
                let mut picture = rqrr::PreparedImage::prepare_from_greyscale(width, height, |x, y| rows[y][x]);
                for grid in picture.detect_grids() {
                    // What cannot be read is no code that anybody could use.
                    let Ok((_, text)) = grid.decode() else { continue };
                    let points =
                        grid.bounds.map(|p| Point { x: p.x as f32 + area.x, y: p.y as f32 + area.y }).into_iter();
                    let (mut low, mut high) = ((f32::MAX, f32::MAX), (f32::MIN, f32::MIN));
                    for p in points.clone() {
                        low = (low.0.min(p.x), low.1.min(p.y));
                        high = (high.0.max(p.x), high.1.max(p.y));
                    }
                    let rect = Rect::from_corners(low.0, low.1, high.0 + 1.0, high.1 + 1.0);
                    let (label, points, text) = (label.clone(), points.collect(), Some(text.into()));
                    found.push((i, Detection { rect, score: 1.0, label, points, text, ..Detection::default() }));
                }
            }
            Ok(())
        })
    }

    fn labels(&self) -> &[Arc<str>] {
        &self.label
    }
}

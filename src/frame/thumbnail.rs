//! Small pictures of frames, for people.

use std::sync::Arc;

use gstreamer_video::VideoFormat;
use image::{Rgb, RgbImage};

use super::{Converter, Frame, FrameError, Spec};
use crate::vision::Rect;

/// Makes small pictures, upright and with square pixels.
pub struct Thumbnails {
    converter: Converter,
    /// From the frame's pixels to those of the small picture.
    scale: (f32, f32),
}

impl Thumbnails {
    /// Of pictures like `spec`, at most `wide` pixels wide.
    pub fn new(spec: &Spec, wide: u32) -> Result<Self, FrameError> {
        let (info, par) = (&spec.info, spec.info.par());
        let (w, h) = (f64::from(info.width()), f64::from(info.height()));
        let aspect = h / w * f64::from(par.denom().max(1)) / f64::from(par.numer().max(1));
        let most = wide.min(info.width()).max(1);
        let high = (f64::from(most) * aspect).round().clamp(1.0, 2.0 * f64::from(wide)) as u32;
        let to = Arc::new(spec.with_format(VideoFormat::Rgb)?.with_size(most, high)?);
        let scale = (most as f32 / w as f32, high as f32 / h as f32);
        Ok(Thumbnails { converter: Converter::new(spec, to)?, scale })
    }

    /// Width and height in pixels.
    pub fn size(&self) -> (u32, u32) {
        let info = &self.converter.output().info;
        (info.width(), info.height())
    }

    /// What lengths of the frame are multiplied by on the small picture: across, down.
    pub fn scale(&self) -> (f32, f32) {
        self.scale
    }

    /// A place of the frame on the small picture.
    pub fn place(&self, r: &Rect) -> Rect {
        let (x, y) = self.scale;
        Rect::new(r.x * x, r.y * y, r.w * x, r.h * y)
    }

    /// The small picture.
    pub fn of(&self, frame: &Frame) -> Result<RgbImage, FrameError> {
        let small = self.converter.convert(frame)?;
        let (planes, width, height) = (small.planes()?, small.width(), small.height());
        let mut rgb = Vec::with_capacity(3 * width as usize * height as usize);
        for y in 0..height {
            rgb.extend_from_slice(planes.row(0, y)?);
        }
        Ok(RgbImage::from_raw(width, height, rgb).unwrap_or_default())
    }
}

/// Draws a yellow frame just inside of `place`.
pub fn outline(picture: &mut RgbImage, place: &Rect) {
    let (w, h) = (picture.width() as i32, picture.height() as i32);
    let inside = place.within(w as f32, h as f32);
    let (left, top) = (inside.x.round() as i32, inside.y.round() as i32);
    let (right, bottom) = (inside.right().round() as i32 - 1, inside.bottom().round() as i32 - 1);
    let mut dot = |x: i32, y: i32| {
        if (0..w).contains(&x) && (0..h).contains(&y) {
            picture.put_pixel(x as u32, y as u32, Rgb([255, 220, 0]));
        }
    };
    (left..=right).for_each(|x| [top, bottom].into_iter().for_each(|y| dot(x, y)));
    (top..=bottom).for_each(|y| [left, right].into_iter().for_each(|x| dot(x, y)));
}

/// The picture as a JPEG file; `quality` from 1 to 100.
pub fn jpeg(picture: &RgbImage, quality: u8) -> image::ImageResult<Vec<u8>> {
    let mut out = Vec::new();
    image::codecs::jpeg::JpegEncoder::new_with_quality(&mut out, quality).encode_image(picture)?;
    Ok(out)
}

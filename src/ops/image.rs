//! Puts a picture file on the picture: a logo, a watermark.

use ::image::{DynamicImage, ImageDecoder, ImageReader, RgbaImage};
use opencv::core::{Mat, Rect, Size, Vec4f};
use opencv::imgproc;
use opencv::prelude::*;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::drawing::{Drawing, Drawn, Stamp, check_length, size};
use super::overlay::Overlay;
use super::position::{Position, Side};
use super::{Group, Invalid, Length, Op, OpConfig, OpError, Reach};
use crate::frame::Spec;

/// Puts a picture file (a logo, a watermark), with its transparency, on the picture.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Image {
    /// The file, required: PNG, JPEG, WebP, TIFF or BMP; relative to the current folder.
    pub path: String,
    /// Where: `top-left`, `top`, `top-right`, `left`, `center`, `right`, `bottom-left`, `bottom`, `bottom-right`, or `x,y`
    /// in pixels or percent of the room. With `tile` where the first one is.
    pub position: Position,
    /// Distance from the edges for the named positions, in pixels or percent of the picture's height, 0 to 100000.
    pub margin: Length,
    /// Width in pixels or percent of the picture's width. Default: the file's own, or what fits to `height`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub width: Option<Length>,
    /// Height in pixels or percent of the picture's height. Default: the file's own, or what fits to `width`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub height: Option<Length>,
    /// Factor on the size, 0.01 to 100.
    #[schemars(range(min = 0.01, max = 100.0))]
    pub scale: f64,
    /// Opacity, 0 to 1, on top of the file's own.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub opacity: f64,
    /// True repeats it all over the picture.
    pub tile: bool,
    /// Room between the repetitions, in pixels or percent of the picture's height, 0 to 100000.
    pub spacing: Length,
}

impl Default for Image {
    fn default() -> Self {
        Image {
            path: String::new(),
            position: Position::Anchor(Side::End, Side::Start),
            margin: Length::Percent(2.0),
            width: None,
            height: None,
            scale: 1.0,
            opacity: 1.0,
            tile: false,
            spacing: Length::Percent(10.0),
        }
    }
}

impl OpConfig for Image {
    const NAME: &'static str = "image";
    const GROUP: Group = Group::Drawing;
    const EXAMPLE: &'static str = "image:path=config/assets/logo.png,width=15%,opacity=0.8";
    const BEHIND: &'static str = "the image crate, cv::resize, blended in the frame's own format";

    fn check(&self) -> Result<(), Invalid> {
        if self.path.is_empty() {
            return Err(Invalid::new("path", format!("path is missing: give a file, as in --op '{}'", Self::EXAMPLE)));
        }
        check_length("margin", self.margin, 0.0)?;
        check_length("spacing", self.spacing, 0.0)?;
        check_length("width", self.width.unwrap_or(Length::Pixels(1.0)), f64::MIN_POSITIVE)?;
        check_length("height", self.height.unwrap_or(Length::Pixels(1.0)), f64::MIN_POSITIVE)?;
        Invalid::unless_in("scale", self.scale, 0.01..=100.0)?;
        Invalid::unless_in("opacity", self.opacity, 0.0..=1.0)
    }

    fn reach(&self) -> Reach {
        Reach::Whole
    }

    fn build(&self) -> Box<dyn Op> {
        Stamp::of(self.clone())
    }
}

/// A picture file's pixels, upright: straight red, green, blue, opacity.
pub fn read(path: &str) -> Result<RgbaImage, OpError> {
    let bad = |why: &dyn std::fmt::Display| OpError::Refused(format!("cannot read the picture {path}: {why}"));
    let reader = ImageReader::open(path).and_then(ImageReader::with_guessed_format).map_err(|e| bad(&e))?;
    let mut decoder = reader.into_decoder().map_err(|e| bad(&e))?;
    let orientation = decoder.orientation().map_err(|e| bad(&e))?;
    let mut picture = DynamicImage::from_decoder(decoder).map_err(|e| bad(&e))?;
    picture.apply_orientation(orientation);
    Ok(picture.into_rgba8())
}

impl Image {
    /// Width and height on pictures like `spec`: the file's aspect ratio as it is displayed, unless both are given.
    fn size(&self, (w, h): (u32, u32), spec: &Spec) -> (u32, u32) {
        let par = spec.info.par();
        let aspect = f64::from(w) / f64::from(h) * f64::from(par.denom().max(1)) / f64::from(par.numer().max(1));
        let (whole, own) = (size(spec), f64::from(h));
        let (w, h) = match (self.width.map(|l| l.pixels(whole.0)), self.height.map(|l| l.pixels(whole.1))) {
            (Some(w), Some(h)) => (w, h),
            (Some(w), None) => (w, w / aspect),
            (None, Some(h)) => (h * aspect, h),
            (None, None) => (own * aspect, own),
        };
        let pixels = |v: f64| (v * self.scale).round().clamp(1.0, 32768.0) as u32;
        (pixels(w), pixels(h))
    }
}

impl Drawing for Image {
    fn draw(&self, spec: &Spec) -> Result<Option<Drawn>, OpError> {
        let file = read(&self.path)?;
        let ((w, h), whole) = (self.size(file.dimensions(), spec), size(spec));
        if u64::from(w) * u64::from(h) > 1 << 26 {
            let why = format!("{} would be {w}x{h} pixels: give a smaller width, height or scale", self.path);
            return Err(OpError::Refused(why));
        }
        let rgba = if (w, h) == file.dimensions() { file.into_raw() } else { resized(&file, w, h)? };
        let margin = self.margin.pixels(whole.1).round() as u32;
        let (x, y) = self.position.place((w, h), whole, margin);
        if !self.tile {
            return Ok(Some(Drawn { overlay: Overlay::from_rgba(w, h, &rgba, self.opacity as f32), x, y }));
        }
        let room = self.spacing.pixels(whole.1).round() as u32;
        let all = tiled(&rgba, (w, h), (w + room, h + room), (x, y), whole);
        Ok(Some(Drawn { overlay: Overlay::from_rgba(whole.0, whole.1, &all, self.opacity as f32), x: 0, y: 0 }))
    }
}

/// Scales straight-alpha pixels; by OpenCV with multiplied opacity, so that what cannot be seen does not bleed in.
pub fn resized(from: &RgbaImage, w: u32, h: u32) -> Result<Vec<u8>, OpError> {
    let multiplied: Vec<Vec4f> = from
        .pixels()
        .map(|p| {
            let [r, g, b, a] = p.0.map(f32::from);
            Vec4f::from([r * a / 255.0, g * a / 255.0, b * a / 255.0, a])
        })
        .collect();
    let source = Mat::new_rows_cols_with_data(from.height() as i32, from.width() as i32, &multiplied)?;
    let smaller = w <= from.width() && h <= from.height();
    let how = if smaller { imgproc::INTER_AREA } else { imgproc::INTER_LINEAR };
    let mut scaled = Mat::default();
    imgproc::resize(&source, &mut scaled, Size::new(w as i32, h as i32), 0.0, 0.0, how)?;
    let straight = |p: &Vec4f| {
        let a = p[3].clamp(0.0, 255.0);
        let color = |v: f32| if a > 0.0 { (v * 255.0 / a).round().clamp(0.0, 255.0) as u8 } else { 0 };
        [color(p[0]), color(p[1]), color(p[2]), a.round() as u8]
    };
    Ok(scaled.data_typed::<Vec4f>()?.iter().flat_map(straight).collect())
}

/// A picture of size `whole` with copies of `rgba` every `step` pixels, one of them at `at`.
fn tiled(rgba: &[u8], (w, h): (u32, u32), step: (u32, u32), at: (i32, i32), whole: (u32, u32)) -> Vec<u8> {
    let mut all = vec![0; 4 * whole.0 as usize * whole.1 as usize];
    let starts = |at: i32, step: u32, whole: u32| {
        (at.rem_euclid(step as i32) - step as i32..whole as i32).step_by(step as usize)
    };
    let picture = Rect::new(0, 0, whole.0 as i32, whole.1 as i32);
    for top in starts(at.1, step.1, whole.1) {
        for left in starts(at.0, step.0, whole.0) {
            let seen = Rect::new(left, top, w as i32, h as i32) & picture;
            for y in seen.y..seen.y + seen.height {
                let from = 4 * ((y - top) as usize * w as usize + (seen.x - left) as usize);
                let to = 4 * (y as usize * whole.0 as usize + seen.x as usize);
                let n = 4 * seen.width as usize;
                all[to..to + n].copy_from_slice(&rgba[from..from + n]);
            }
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_seen_does_not_bleed_in() {
        // Opaque red beside transparent green: half as wide it is half-transparent red.
        let picture =
            RgbaImage::from_fn(8, 2, |x, _| ::image::Rgba(if x % 2 == 0 { [255, 0, 0, 255] } else { [0, 255, 0, 0] }));
        let small = resized(&picture, 4, 1).unwrap();
        assert_eq!(small, [255, 0, 0, 128].repeat(4));
    }

    #[test]
    fn tiles_go_on_in_all_directions() {
        let tiles = tiled(&[9; 4], (1, 1), (3, 2), (4, 1), (7, 4));
        let seen: Vec<usize> = (0..28).filter(|i| tiles[4 * i] == 9).collect();
        assert_eq!(seen, [8, 11, 22, 25]);
        assert_eq!(tiled(&[9; 4 * 4], (2, 2), (2, 2), (-1, -1), (3, 3)), vec![9; 36]);
    }

    #[test]
    fn a_missing_file_is_named() {
        gstreamer::init().unwrap();
        assert!(Image::default().check().unwrap_err().message.contains("path is missing"));
        let missing = Image { path: "nowhere/logo.png".into(), ..Image::default() };
        let e = read(&missing.path).unwrap_err().to_string();
        assert!(e.contains("nowhere/logo.png") && e.contains("No such file"), "{e}");
    }
}

//! OpenCV's stroke fonts, for those who want the look of `cv::putText`.

use opencv::core::{CV_8UC1, Mat, Point, Scalar};
use opencv::imgproc;
use opencv::prelude::*;

use super::ink::{Bounds, Ink};
use super::{Align, Letters};

const FACES: &[(&str, i32)] = &[
    ("hershey", imgproc::FONT_HERSHEY_SIMPLEX),
    ("hershey-simplex", imgproc::FONT_HERSHEY_SIMPLEX),
    ("hershey-plain", imgproc::FONT_HERSHEY_PLAIN),
    ("hershey-duplex", imgproc::FONT_HERSHEY_DUPLEX),
    ("hershey-complex", imgproc::FONT_HERSHEY_COMPLEX),
    ("hershey-complex-small", imgproc::FONT_HERSHEY_COMPLEX_SMALL),
    ("hershey-triplex", imgproc::FONT_HERSHEY_TRIPLEX),
    ("hershey-script", imgproc::FONT_HERSHEY_SCRIPT_SIMPLEX),
    ("hershey-script-simplex", imgproc::FONT_HERSHEY_SCRIPT_SIMPLEX),
    ("hershey-script-complex", imgproc::FONT_HERSHEY_SCRIPT_COMPLEX),
];

/// Says what is wrong with a font name that starts with `hershey`; all other names are none of ours.
pub(super) fn check(font: &str) -> Result<Option<i32>, String> {
    if !font.starts_with("hershey") {
        return Ok(None);
    }
    let names = || FACES.iter().map(|(n, _)| *n);
    match FACES.iter().find(|(n, _)| *n == font) {
        Some((_, face)) => Ok(Some(*face)),
        None => {
            let near = crate::config::nearest(font, names());
            let hint = near.map(|n| format!(" (did you mean `{n}`?)")).unwrap_or_default();
            let names: Vec<&str> = names().collect();
            Err(format!("`{font}` is no OpenCV font{hint}: there are {}", names.join(", ")))
        }
    }
}

/// A stroke font at one size.
pub(super) struct Hershey {
    face: i32,
    scale: f64,
    thickness: i32,
    outline: i32,
    size: f32,
    line: f32,
    lines: Vec<(String, Point)>,
}

impl Hershey {
    /// `size` and `outline` are in pixels.
    pub fn new(face: i32, size: f32, outline: f32, line_spacing: f32) -> opencv::Result<Self> {
        let thickness = (size / 14.0).round().max(1.0) as i32;
        // Capitals as high as those of the built-in font.
        let capitals = (0.73 * size).round().max(1.0) as i32;
        let scale = imgproc::get_font_scale_from_height(face, capitals, thickness)?.max(0.01);
        let line = 1.17 * size * line_spacing;
        Ok(Hershey { face, scale, thickness, outline: outline.ceil() as i32, size, line, lines: Vec::new() })
    }
}

impl Letters for Hershey {
    fn lay_out(&mut self, text: &str, align: Align) -> (u32, u32, Bounds) {
        self.lines.clear();
        let mut sizes = Vec::new();
        for line in text.split('\n') {
            // A size that OpenCV cannot tell is that of nothing.
            let size = imgproc::get_text_size(line, self.face, self.scale, self.thickness, &mut 0);
            sizes.push((line, size.map(|s| s.width).unwrap_or(0)));
        }
        let width = sizes.iter().map(|s| s.1).max().unwrap_or(0);
        let height = (1.17 * self.size + (sizes.len() - 1) as f32 * self.line).ceil() as i32;
        for (i, (line, w)) in sizes.into_iter().enumerate() {
            let x = match align {
                Align::Left => 0,
                Align::Center => (width - w) / 2,
                Align::Right => width - w,
            };
            let y = (0.93 * self.size + i as f32 * self.line).round() as i32;
            self.lines.push((line.to_owned(), Point::new(x, y)));
        }
        let around = self.thickness + self.outline;
        let ink = Bounds { left: -around, top: -around, right: width + around, bottom: height + around };
        (width as u32, height as u32, ink)
    }

    fn draw(&mut self, ink: &mut Ink) {
        let (w, whole) = (ink.window, Bounds { ..ink.window });
        let mask = |thickness: i32| -> opencv::Result<Vec<u8>> {
            let mut mat = Mat::zeros(w.height() as i32, w.width() as i32, CV_8UC1)?.to_mat()?;
            for (line, at) in &self.lines {
                let at = Point::new(at.x - w.left, at.y - w.top);
                let white = Scalar::all(255.0);
                imgproc::put_text(
                    &mut mat,
                    line,
                    at,
                    self.face,
                    self.scale,
                    white,
                    thickness,
                    imgproc::LINE_AA,
                    false,
                )?;
            }
            Ok(mat.data_bytes()?.to_vec())
        };
        if !ink.edge.is_empty() {
            ink.edge(whole, &mask(self.thickness + 2 * self.outline).unwrap_or_default());
        }
        ink.fill(whole, &mask(self.thickness).unwrap_or_default());
    }
}

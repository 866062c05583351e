//! Pictures whose samples come from elsewhere on the picture, plane by plane: by a matrix, or by tables made once.
//!
//! Measured with OpenCV 4.6 at 1080p (linear, one plane): an affine matrix straight 6.4 ms, the same through fixed-point tables
//! 7.8 ms; a perspective one straight 14.8 ms, through tables 7.8 ms. So affine changes use `cv::warpAffine`, all others
//! `cv::remap`; for planes of single bytes both have a faster form in `linear`.

mod linear;

use gstreamer_video::{VideoChromaSite, VideoInfo};
use opencv::boxed_ref::{BoxedRef, BoxedRefMut};
use opencv::core::{self as cv, Mat, Scalar, Size};
use opencv::imgproc;
use opencv::prelude::*;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::OpError;
use crate::frame::{Color, Frame, Layout, Plane, PlaneBytes, PlaneBytesMut, PlanesMut, Spec};

/// Row by row, for column vectors of x, y, 1.
pub type Matrix = [[f64; 3]; 3];

/// First `b`, then `a`.
pub fn mul(a: &Matrix, b: &Matrix) -> Matrix {
    std::array::from_fn(|r| std::array::from_fn(|c| (0..3).map(|k| a[r][k] * b[k][c]).sum()))
}

/// Turned clockwise by `degrees` around the middle of the picture, enlarged by `zoom`, then moved: the matrix from pixels of the
/// result (`to` wide and high) to pixels of the source. `par` is the shape of a pixel, width to height: turning keeps what is
/// shown in shape. `shift` is in pixels of the source.
pub fn turned(from: (u32, u32), to: (u32, u32), par: f64, degrees: f64, zoom: f64, shift: (f64, f64)) -> Matrix {
    let (sin, cos) = degrees.to_radians().sin_cos();
    let middle = |size: (u32, u32)| ((f64::from(size.0) - 1.0) / 2.0, (f64::from(size.1) - 1.0) / 2.0);
    let ((fx, fy), (tx, ty)) = (middle(from), middle(to));
    let m = [[cos / zoom, sin / par / zoom], [-sin * par / zoom, cos / zoom]];
    let (x, y) = (-tx - shift.0 * zoom, -ty - shift.1 * zoom);
    [
        [m[0][0], m[0][1], fx + m[0][0] * x + m[0][1] * y],
        [m[1][0], m[1][1], fy + m[1][0] * x + m[1][1] * y],
        [0.0, 0.0, 1.0],
    ]
}

/// How samples between samples are made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Interpolation {
    /// The nearest sample.
    Nearest,
    /// Between the four around.
    #[default]
    Linear,
    /// From 4×4 samples: sharper, four times the work.
    Cubic,
    /// From 8×8 samples: the sharpest, slow.
    Lanczos,
}

impl Interpolation {
    fn flag(self) -> i32 {
        match self {
            Interpolation::Nearest => imgproc::INTER_NEAREST,
            Interpolation::Linear => imgproc::INTER_LINEAR,
            Interpolation::Cubic => imgproc::INTER_CUBIC,
            Interpolation::Lanczos => imgproc::INTER_LANCZOS4,
        }
    }
}

/// What shows where there is no picture.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Border {
    /// One colour.
    Color(Color),
    /// The picture's nearest pixel.
    Nearest,
}

/// Where the samples of a plane lie on the picture: sample (x, y) is at pixel (x · scale + offset, …), both counted from the
/// middle of the first one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Grid {
    /// Pixels from one sample to the next.
    pub scale: (f64, f64),
    /// Place of the first one.
    pub offset: (f64, f64),
}

impl Grid {
    /// By the plane's subsampling and the stream's chroma site; where that is not known, as MPEG-2 and its successors have it:
    /// on every second column, between the rows.
    pub fn of(plane: &Plane, info: &VideoInfo) -> Self {
        let site = match info.chroma_site() {
            unknown if unknown.is_empty() => VideoChromaSite::H_COSITED,
            site => site,
        };
        let axis = |sub: u32, cosited: bool| {
            let scale = f64::from(1u32 << sub);
            (scale, if cosited { 0.0 } else { (scale - 1.0) / 2.0 })
        };
        let x = axis(plane.w_sub, site.contains(VideoChromaSite::H_COSITED));
        let y = axis(plane.h_sub, site.contains(VideoChromaSite::V_COSITED));
        Grid { scale: (x.0, y.0), offset: (x.1, y.1) }
    }

    /// A matrix between pixels as one between samples.
    pub fn on_samples(&self, m: &Matrix) -> Matrix {
        let Grid { scale: (sx, sy), offset: (ox, oy) } = *self;
        let there = [[sx, 0.0, ox], [0.0, sy, oy], [0.0, 0.0, 1.0]];
        let back = [[1.0 / sx, 0.0, -ox / sx], [0.0, 1.0 / sy, -oy / sy], [0.0, 0.0, 1.0]];
        mul(&back, &mul(m, &there))
    }
}

/// The settled part of the work: one for a format and size.
pub struct Warp {
    parts: Vec<Part>,
    maps: Vec<[Mat; 2]>,
    interpolation: Interpolation,
    border: i32,
}

struct Part {
    grid: Grid,
    size: Size,
    fill: Scalar,
    /// Which of the maps; planes of the same kind share one.
    map: usize,
}

impl Warp {
    /// From pictures like `from` to ones like `to`, which differ in size only.
    pub fn new(from: &Spec, to: &Spec, interpolation: Interpolation, border: Border) -> Result<Self, OpError> {
        for info in [&from.info, &to.info] {
            if info.width().max(info.height()) > 32766 {
                let size = format!("{}x{}", info.width(), info.height());
                return Err(OpError::Refused(format!(
                    "pictures of {size} pixels are too large: 32766 a side is the most"
                )));
            }
        }
        let color = if let Border::Color(c) = border { c } else { Color::BLACK };
        let mut parts: Vec<Part> = Vec::new();
        for plane in &to.layout.planes {
            let grid = Grid::of(plane, &to.info);
            let size = Size::new(plane.cols(to.info.width()) as i32, plane.rows(to.info.height()) as i32);
            let same = parts.iter().find(|p| p.grid == grid && p.size == size).map(|p| p.map);
            let map = same.unwrap_or_else(|| parts.iter().map(|p| p.map + 1).max().unwrap_or(0));
            parts.push(Part { grid, size, fill: fill(color, plane, to), map });
        }
        let border = if border == Border::Nearest { cv::BORDER_REPLICATE } else { cv::BORDER_CONSTANT };
        Ok(Warp { parts, maps: Vec::new(), interpolation, border })
    }

    /// Writes all of `to`; `m` leads from its pixels to those of `from`, its last row is 0, 0, 1.
    pub fn affine(&self, from: &Frame, to: &mut Frame, m: &Matrix) -> Result<(), OpError> {
        let flags = self.interpolation.flag() | imgproc::WARP_INVERSE_MAP;
        let m = |part: &Part| {
            let [a, b, _] = part.grid.on_samples(m);
            [a, b]
        };
        let quick = |part: &Part, from: &PlaneBytes, to: &mut PlaneBytesMut| {
            let m = m(part);
            let fits = linear::fits(&m);
            if fits {
                linear::affine(from, to, &m, self.beyond(part));
            }
            Ok(fits)
        };
        self.each(from, to, quick, |part, from, to| {
            let m = Mat::from_slice_2d(&m(part))?;
            imgproc::warp_affine(from, to, &m, part.size, flags, self.border, part.fill)
        })
    }

    /// Makes the tables for [`Warp::remap`]: `make` gives, for samples that lie so and a plane of that size, the two maps of
    /// `cv::remap` in fixed point.
    pub fn tables(&mut self, make: impl Fn(&Grid, Size) -> opencv::Result<[Mat; 2]>) -> Result<(), OpError> {
        self.maps.clear();
        for part in &self.parts {
            if part.map == self.maps.len() {
                self.maps.push(make(&part.grid, part.size)?);
            }
        }
        Ok(())
    }

    /// Tables for any matrix from pixels of the result to pixels of the source.
    pub fn projective(&mut self, m: &Matrix) -> Result<(), OpError> {
        let nearest = self.interpolation == Interpolation::Nearest;
        self.tables(|grid, size| {
            let m = grid.on_samples(m);
            let mut xy = [(); 2].map(|()| Mat::new_size_with_default(size, cv::CV_32F, Scalar::default()));
            let [Ok(xs), Ok(ys)] = &mut xy else { return Err(opencv::Error::new(cv::StsNoMem, "no memory for maps")) };
            for y in 0..size.height {
                let (xs, ys) = (xs.at_row_mut::<f32>(y)?, ys.at_row_mut::<f32>(y)?);
                for ((x, to_x), to_y) in (0..).zip(xs).zip(ys) {
                    let at = |r: usize| m[r][0] * f64::from(x) + m[r][1] * f64::from(y) + m[r][2];
                    // Beyond the horizon there is nothing to see.
                    let (px, py) = if at(2) > 1e-9 { (at(0) / at(2), at(1) / at(2)) } else { (-3e4, -3e4) };
                    (*to_x, *to_y) = (px.clamp(-3e4, 6e4) as f32, py.clamp(-3e4, 6e4) as f32);
                }
            }
            let mut maps = [Mat::default(), Mat::default()];
            let [places, fractions] = &mut maps;
            imgproc::convert_maps(&*xs, &*ys, places, fractions, cv::CV_16SC2, nearest)?;
            Ok(maps)
        })
    }

    /// Writes all of `to` by the tables.
    pub fn remap(&self, from: &Frame, to: &mut Frame) -> Result<(), OpError> {
        let quick = |part: &Part, from: &PlaneBytes, to: &mut PlaneBytesMut| {
            linear::remap(from, to, &self.maps[part.map], self.beyond(part)).map(|()| true)
        };
        self.each(from, to, quick, |part, from, to| {
            let [places, fractions] = &self.maps[part.map];
            imgproc::remap(from, to, places, fractions, self.interpolation.flag(), self.border, part.fill)
        })
    }

    fn beyond(&self, part: &Part) -> linear::Beyond {
        match self.border {
            cv::BORDER_REPLICATE => linear::Beyond::Nearest,
            _ => linear::Beyond::Fill(part.fill[0] as u8),
        }
    }

    /// Each plane by `quick` where that can do it, else by `work`.
    fn each(
        &self,
        from: &Frame,
        to: &mut Frame,
        quick: impl Fn(&Part, &PlaneBytes, &mut PlaneBytesMut) -> opencv::Result<bool>,
        work: impl Fn(&Part, &BoxedRef<'_, Mat>, &mut BoxedRefMut<'_, Mat>) -> opencv::Result<()>,
    ) -> Result<(), OpError> {
        let spec = to.spec().clone();
        let (src, mut dst) = (from.planes()?, to.planes_mut()?);
        let simple = self.interpolation == Interpolation::Linear && spec.layout.bytes == 1;
        for ((i, part), plane) in self.parts.iter().enumerate().zip(&spec.layout.planes) {
            if simple && plane.channels.len() == 1 && quick(part, &src.bytes(i)?, &mut dst.bytes_mut(i)?)? {
                continue;
            }
            let from = src.mat(i)?;
            dst.edit(i, |to| work(part, &from, to).map_err(OpError::from))?;
        }
        match self.interpolation {
            Interpolation::Nearest => Ok(()),
            _ => tidy(&mut dst, &spec),
        }
    }
}

/// `color` as the samples of a plane.
pub fn fill(color: Color, plane: &Plane, spec: &Spec) -> Scalar {
    let mut all = Scalar::default();
    for (to, c) in all.iter_mut().zip(&plane.channels) {
        *to = f64::from(color.sample(*c, &spec.info, &spec.layout));
    }
    all
}

/// Brings interpolated 16-bit samples back within the format's significant bits: cubic and Lanczos overshoot, and formats like
/// P010 keep their low bits zero.
pub fn tidy(planes: &mut PlanesMut<'_>, spec: &Spec) -> Result<(), OpError> {
    let Layout { depth, shift, bytes, .. } = spec.layout;
    if bytes == 1 || depth == 16 {
        return Ok(());
    }
    let (most, half) = (((1u32 << depth) - 1) as u16, (1u16 << shift) >> 1);
    for (i, plane) in spec.layout.planes.iter().enumerate() {
        for y in 0..plane.rows(spec.info.height()) {
            for s in planes.row_mut(i, y)?.chunks_exact_mut(2) {
                let v = u16::from_le_bytes([s[0], s[1]]).saturating_add(half) >> shift;
                s.copy_from_slice(&(v.min(most) << shift).to_le_bytes());
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(m: &Matrix, x: f64, y: f64) -> (f64, f64) {
        let r = |r: usize| ((m[r][0] * x + m[r][1] * y + m[r][2]) * 1e6).round() / 1e6;
        (r(0), r(1))
    }

    #[test]
    fn clockwise_means_that_the_top_goes_right() {
        // The right top corner of a picture turned by 90° shows its left top corner.
        let m = turned((4, 2), (2, 4), 1.0, 90.0, 1.0, (0.0, 0.0));
        assert_eq!(at(&m, 1.0, 0.0), (0.0, 0.0));
        assert_eq!(at(&m, 1.0, 3.0), (3.0, 0.0));
        // Enlarged twice, the middle stays; moved to the right, it shows what was left of it.
        let m = turned((5, 5), (5, 5), 1.0, 0.0, 2.0, (1.0, 0.0));
        assert_eq!((at(&m, 2.0, 2.0), at(&m, 4.0, 2.0)), ((1.0, 2.0), (2.0, 2.0)));
        // Pixels twice as wide as high: two rows are as far as one column.
        let m = turned((5, 5), (5, 5), 2.0, 90.0, 1.0, (0.0, 0.0));
        assert_eq!(at(&m, 3.0, 2.0), (2.0, 0.0));
    }

    #[test]
    fn chroma_samples_are_taken_from_where_they_lie() {
        let shift = [[1.0, 0.0, 3.0], [0.0, 1.0, 3.0], [0.0, 0.0, 1.0]];
        let half = Grid { scale: (2.0, 2.0), offset: (0.0, 0.5) };
        assert_eq!(at(&half.on_samples(&shift), 0.0, 0.0), (1.5, 1.5));
        let double = [[2.0, 0.0, 0.0], [0.0, 2.0, 0.0], [0.0, 0.0, 1.0]];
        // Sample 1 is at pixel (2, 2.5), which shows pixel (4, 5): samples 2 and (5 − 0.5) / 2.
        assert_eq!(at(&half.on_samples(&double), 1.0, 1.0), (2.0, 2.25));
    }
}

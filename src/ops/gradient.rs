//! Ops that look at luma alone and give a gray picture (gradients), in the depth that the picture has.

use std::sync::Arc;

use multiversion::multiversion;
use opencv::core::{self as cv, Mat, Scalar};
use opencv::imgproc;
use opencv::prelude::*;

use super::OpError;
use super::channels::{Dst, Src};
use super::sample::{Sample, all, all_mut, is_deep};
use crate::frame::{Color, Component, Frame, Layout, Spec, shape_scratch};

/// The luma of a picture in samples as it stores them: the Y plane itself, or made from red, green and blue.
#[derive(Default)]
pub struct Luma {
    from: From,
    made: [Mat; 2],
}

#[derive(Default)]
enum From {
    /// There is no picture yet.
    #[default]
    Nothing,
    Plane(usize),
    Channel(usize, i32),
    /// 8-bit interleaved RGB that OpenCV has a conversion for.
    Frame,
    /// Plane and channel of blue, green and red.
    Bgr([(usize, usize); 3]),
}

impl Luma {
    /// Settles where it comes from.
    pub fn of(layout: &Layout) -> Result<Self, OpError> {
        let no = || OpError::Refused("the picture has neither luma nor red, green and blue".into());
        let from = match layout.find(Component::Y) {
            Some((plane, _)) if layout.planes[plane].channels.len() == 1 => From::Plane(plane),
            Some((plane, channel)) => From::Channel(plane, channel as i32),
            None if layout.bytes == 1 && layout.planes[0].channels.get(1) == Some(&Component::G) => From::Frame,
            None => {
                let find = |c| layout.find(c).ok_or_else(no);
                From::Bgr([find(Component::B)?, find(Component::G)?, find(Component::R)?])
            }
        };
        Ok(Luma { from, made: Default::default() })
    }

    /// Calls `f` with the luma of `frame`: one channel, 8 or 16 bits.
    pub fn read<R>(&mut self, frame: &Frame, f: impl FnOnce(&Src<'_>) -> Result<R, OpError>) -> Result<R, OpError> {
        let [made, bgr] = &mut self.made;
        let planes = frame.planes()?;
        match &self.from {
            From::Nothing => return Err(OpError::Refused("no picture was announced".into())),
            From::Plane(i) => return f(&planes.mat(*i)?),
            From::Frame => return frame.gray(made, f),
            From::Channel(plane, channel) => cv::extract_channel(&planes.mat(*plane)?, made, *channel)?,
            From::Bgr(places) => {
                let kind = cv::CV_MAKETYPE(planes.mat(0)?.depth(), 3);
                shape_scratch(bgr, planes.mat(0)?.size()?, kind)?;
                for (to, (plane, channel)) in (0i32..).zip(places) {
                    cv::mix_channels(&planes.mat(*plane)?, bgr, &[*channel as i32, to])?;
                }
                imgproc::cvt_color_def(bgr, made, imgproc::COLOR_BGR2GRAY)?;
            }
        }
        f(&all(made)?)
    }
}

/// Makes gray pictures out of luma: neutral chroma, opacity as it was.
#[derive(Default)]
pub struct Gray {
    luma: Luma,
    /// The plane that holds luma and nothing else.
    direct: Option<usize>,
    out: Mat,
    /// Neutral chroma for planes that hold it beside other things.
    neutral: Mat,
    middle: f64,
}

impl Gray {
    /// Settles it for pictures like `spec`.
    pub fn of(spec: &Arc<Spec>) -> Result<Self, OpError> {
        let layout = &spec.layout;
        let luma = Luma::of(layout)?;
        let direct = match luma.from {
            From::Plane(i) => Some(i),
            _ => None,
        };
        let middle = f64::from(1u32 << (layout.depth - 1 + layout.shift));
        let mut neutral = Mat::default();
        if layout.planes.iter().any(|p| p.channels.len() > 1 && p.channels.contains(&Component::U) && !p.is_chroma()) {
            let (w, h) = (spec.info.width() as i32, spec.info.height() as i32);
            let kind = if layout.bytes == 1 { cv::CV_8UC1 } else { cv::CV_16UC1 };
            neutral = Mat::new_rows_cols_with_default(h, w, kind, Scalar::all(middle))?;
        }
        Ok(Gray { luma, direct, out: Mat::default(), neutral, middle })
    }

    /// Calls `f` with the luma of `from` and with where the result goes, and makes `to` a gray picture of that.
    pub fn transform(
        &mut self,
        from: &Frame,
        to: &mut Frame,
        f: impl FnOnce(&Src<'_>, &mut Dst<'_>) -> Result<(), OpError>,
    ) -> Result<(), OpError> {
        let Gray { luma, direct, out, neutral, middle } = self;
        let layout = &from.spec().layout;
        let (src, mut dst) = (from.planes()?, to.planes_mut()?);
        luma.read(from, |luma| match *direct {
            Some(plane) => dst.edit(plane, |to| f(luma, to)),
            None => {
                shape_scratch(out, luma.size()?, luma.typ())?;
                f(luma, &mut all_mut(out)?)
            }
        })?;
        for (i, plane) in layout.planes.iter().enumerate().filter(|(i, _)| *direct != Some(*i)) {
            let before = src.mat(i)?;
            dst.edit(i, |to| {
                if plane.is_chroma() {
                    to.set_to_def(&Scalar::all(*middle))?;
                    return Ok(());
                }
                before.copy_to(to)?;
                for (k, c) in plane.channels.iter().enumerate() {
                    match c {
                        Component::Alpha | Component::Unused => {}
                        Component::U | Component::V => cv::mix_channels(neutral, to, &[0, k as i32])?,
                        _ => cv::mix_channels(out, to, &[0, k as i32])?,
                    }
                }
                Ok::<_, OpError>(())
            })?;
        }
        Ok(())
    }
}

/// From black to white in the samples of one picture.
#[derive(Clone, Copy, Debug, Default)]
pub struct Shades {
    /// The darkest.
    pub black: f32,
    /// The brightest.
    pub white: f32,
    /// Bits of a stored sample that count.
    bits: u32,
}

/// How numbers become shades.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Scale {
    /// Samples per unit.
    pub by: f32,
    /// True shows 0 as mid grey, negative numbers darker; false shows absolute values from black on.
    pub signed: bool,
}

impl Shades {
    /// Those of pictures like `spec`, by its range.
    pub fn of(spec: &Spec) -> Self {
        let c = if spec.layout.rgb { Component::G } else { Component::Y };
        let at = |color: Color| f32::from(color.sample(c, &spec.info, &spec.layout));
        Shades { black: at(Color::BLACK), white: at(Color::WHITE), bits: !((1 << spec.layout.shift) - 1) }
    }

    /// The shades of `x`, or of the length of (`x`, `y`), where both are of type `S`.
    pub fn draw<S: cv::DataType + Copy + Into<f32>>(
        self,
        x: &Mat,
        y: Option<&Mat>,
        scale: Scale,
        to: &mut Dst<'_>,
    ) -> opencv::Result<()> {
        if is_deep(to) { self.rows::<S, u16>(x, y, scale, to) } else { self.rows::<S, u8>(x, y, scale, to) }
    }

    fn rows<S: cv::DataType + Copy + Into<f32>, T: Sample>(
        self,
        x: &Mat,
        y: Option<&Mat>,
        scale: Scale,
        to: &mut Dst<'_>,
    ) -> opencv::Result<()> {
        for row in 0..to.rows() {
            let y = y.map(|y| y.at_row::<S>(row)).transpose()?;
            shade(self, scale, x.at_row::<S>(row)?, y, to.at_row_mut::<T>(row)?);
        }
        Ok(())
    }
}

#[multiversion(targets("x86_64+avx2"))]
fn shade<S: Copy + Into<f32>, T: Sample>(shades: Shades, scale: Scale, x: &[S], y: Option<&[S]>, to: &mut [T]) {
    let Shades { black, white, bits } = shades;
    let zero = if scale.signed { (black + white) / 2.0 } else { black };
    let shade = |v: f32| T::rounded((zero + v * scale.by).clamp(black, white), bits);
    match y {
        Some(y) => {
            for ((to, &x), &y) in to.iter_mut().zip(x).zip(y) {
                let (x, y): (f32, f32) = (x.into(), y.into());
                *to = shade((x * x + y * y).sqrt());
            }
        }
        None if scale.signed => to.iter_mut().zip(x).for_each(|(to, &x)| *to = shade(x.into())),
        None => to.iter_mut().zip(x).for_each(|(to, &x)| *to = shade(Into::<f32>::into(x).abs())),
    }
}

/// `luma` in 8 bits, in `scratch` where it is deeper; `depth` and `shift` are the layout's.
pub fn eight<'a>(luma: &'a Src<'a>, layout: &Layout, scratch: &'a mut Mat) -> opencv::Result<Src<'a>> {
    if !is_deep(luma) {
        return luma.roi(cv::Rect::new(0, 0, luma.cols(), luma.rows()));
    }
    let eighth = 1.0 / f64::from(1u32 << (layout.depth + layout.shift - 8));
    luma.convert_to(scratch, cv::CV_8U, eighth, 0.0)?;
    all(scratch)
}

//! From the decoder's planes to a network's tensor.
//!
//! Each plane's part of the area is resized to the size the picture has in the tensor (`cv::resize`, bilinear, as models are
//! trained and published with), then one pass over the small picture does colour, range and normalisation. A full-size BGR
//! picture never exists.

mod rgb;

use gstreamer_video::{VideoChromaSite, VideoInfo};
use opencv::core::{self, Mat, Size};
use opencv::imgproc;
use opencv::prelude::*;

use rgb::ToRgb;

use super::manifest::{ChannelOrder, Fit, Input, TensorLayout};
use crate::frame::{Component, Frame, FrameError, Layout, Planes, shape_scratch};
use crate::vision::{Point, Rect};

/// Where an area of the picture lies in the tensor.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Placement {
    /// The area, in pixels of the picture.
    pub area: Rect,
    /// The tensor's width and height.
    pub size: [u32; 2],
    /// Where the area's upper left corner lies in the tensor.
    at: [u32; 2],
    /// Its width and height there.
    inner: [u32; 2],
}

impl Placement {
    /// Fits `area` into what `input` takes.
    pub(super) fn new(input: &Input, area: Rect) -> Self {
        let [w, h] = input.size;
        let (aw, ah) = (area.w.max(1.0), area.h.max(1.0));
        let ratio = (w as f32 / aw).min(h as f32 / ah);
        // Rounded down as the authors do, but not from 415.9999.
        let fitted = |side: f32, ratio: f32, most: u32| ((side * ratio + 1e-3) as u32).clamp(1, most);
        let (size, inner) = match (input.fit, input.multiple_of) {
            (Fit::Stretch, _) => ([w, h], [w, h]),
            (_, None) => ([w, h], [fitted(aw, ratio, w), fitted(ah, ratio, h)]),
            // A picture that is small enough stays as it is.
            (_, Some(m)) => {
                let ratio = ratio.min(1.0);
                let inner = [fitted(aw, ratio, w), fitted(ah, ratio, h)];
                (inner.map(|side| side.next_multiple_of(m)), inner)
            }
        };
        let at = match input.fit {
            Fit::Letterbox => [(size[0] - inner[0]) / 2, (size[1] - inner[1]) / 2],
            Fit::Stretch | Fit::LetterboxTopLeft => [0, 0],
        };
        Placement { area, size, at, inner }
    }

    /// A place in the tensor as one in the picture.
    pub(super) fn point(&self, x: f32, y: f32) -> Point {
        Point {
            x: self.area.x + (x - self.at[0] as f32) * self.area.w / self.inner[0] as f32,
            y: self.area.y + (y - self.at[1] as f32) * self.area.h / self.inner[1] as f32,
        }
    }

    /// A box in the tensor as one in the picture.
    pub(super) fn rect(&self, r: Rect) -> Rect {
        let Point { x, y } = self.point(r.x, r.y);
        let (sx, sy) = (self.area.w / self.inner[0] as f32, self.area.h / self.inner[1] as f32);
        Rect::new(x, y, r.w * sx, r.h * sy)
    }
}

/// Scratch space; nothing is allocated once it is warm.
#[derive(Default)]
pub(super) struct Preparer {
    /// The resized planes.
    small: Vec<Mat>,
    /// A row of each channel.
    rows: [Vec<f32>; 3],
}

impl Preparer {
    /// Writes the area of `frame` into `tensor`, which holds one picture of `place.size`.
    pub(super) fn fill(
        &mut self,
        frame: &Frame,
        input: &Input,
        place: &Placement,
        tensor: &mut [f32],
    ) -> Result<(), FrameError> {
        let spec = frame.spec();
        let (info, layout) = (&spec.info, &spec.layout);
        let planes = frame.planes()?;
        let sources = Sources::of(layout)?;
        self.shrink(&planes, layout, info, place)?;
        let affine = Affine::new(input);
        let [w, h] = place.size.map(|v| v as usize);
        let [iw, ih] = place.inner.map(|v| v as usize);
        if (iw, ih) != (w, h) {
            pad(input, &affine, w * h, tensor);
        }
        let color = ToRgb::new(spec);
        let shift = match sources.subsampled(layout) && is_left(info) {
            // The sample is half a pixel further left than resizing takes it to be.
            true => 0.5 * iw as f32 / place.area.w,
            false => 0.0,
        };
        for row in &mut self.rows {
            row.resize(iw, 0.0);
        }
        for y in 0..ih {
            let [first, second, third] = &mut self.rows;
            for (row, source) in [&mut *first, &mut *second, &mut *third].into_iter().zip(&sources.0) {
                read_row(&self.small[source.plane], source.channel, y, layout.bytes, row)?;
            }
            if shift > 0.0 {
                move_left(second, shift);
                move_left(third, shift);
            }
            match input.color {
                ChannelOrder::Gray => color.luma(first, second, third),
                _ => color.rgb(first, second, third),
            }
            let order: [&[f32]; 3] = match input.color {
                ChannelOrder::Bgr => [third, second, first],
                ChannelOrder::Rgb | ChannelOrder::Gray => [first, second, third],
            };
            let start = (place.at[1] as usize + y) * w + place.at[0] as usize;
            let channels = input.color.channels();
            for (c, row) in order.into_iter().enumerate().take(channels) {
                match input.layout {
                    TensorLayout::Nchw => {
                        let from = c * w * h + start;
                        affine.apply(c, row, &mut tensor[from..from + iw]);
                    }
                    TensorLayout::Nhwc => {
                        let to = &mut tensor[start * channels..(start + iw) * channels];
                        affine.interleave(c, row, channels, to);
                    }
                }
            }
        }
        Ok(())
    }

    /// Resizes the area's part of every plane that carries colour.
    fn shrink(
        &mut self,
        planes: &Planes<'_>,
        layout: &Layout,
        info: &VideoInfo,
        place: &Placement,
    ) -> Result<(), FrameError> {
        self.small.resize_with(layout.planes.len(), Mat::default);
        let size = Size::new(place.inner[0] as i32, place.inner[1] as i32);
        for (i, plane) in layout.planes.iter().enumerate() {
            if plane.is_alpha() {
                continue;
            }
            let roi = part(place.area, plane.w_sub, plane.h_sub, plane.cols(info.width()), plane.rows(info.height()));
            let whole = planes.mat(i)?;
            let part = Mat::roi(&whole, roi)?;
            let to = &mut self.small[i];
            shape_scratch(to, size, layout.mat_type(i))?;
            imgproc::resize(&part, to, size, 0.0, 0.0, imgproc::INTER_LINEAR)?;
        }
        Ok(())
    }
}

/// `area` in samples of a plane: rounded outwards, not empty, inside of it.
fn part(area: Rect, w_sub: u32, h_sub: u32, cols: u32, rows: u32) -> core::Rect {
    let span = |from: f32, to: f32, sub: u32, most: u32| {
        let one = (1u32 << sub) as f32;
        let start = ((from / one).floor().max(0.0) as u32).min(most - 1);
        let end = ((to / one).ceil().max(0.0) as u32).clamp(start + 1, most);
        (start as i32, (end - start) as i32)
    };
    let (x, w) = span(area.x, area.right(), w_sub, cols);
    let (y, h) = span(area.y, area.bottom(), h_sub, rows);
    core::Rect::new(x, y, w, h)
}

/// The area as the planes can give it: whole pixels inside of the picture, even where chroma is subsampled.
pub(super) fn snapped(area: Rect, frame: &Frame) -> Rect {
    let layout = &frame.spec().layout;
    let most = |sub: fn(&crate::frame::Plane) -> u32| layout.planes.iter().map(sub).max().unwrap_or(0);
    let span = |from: f32, to: f32, sub: u32, side: u32| {
        let one = 1u32 << sub;
        let start = (from.max(0.0) as u32).min(side - 1) / one * one;
        let end = (to.ceil().max(0.0) as u32).next_multiple_of(one).clamp(start + 1, side.max(start + 1));
        (start as f32, (end - start) as f32)
    };
    let (x, w) = span(area.x, area.right(), most(|p| p.w_sub), frame.width());
    let (y, h) = span(area.y, area.bottom(), most(|p| p.h_sub), frame.height());
    Rect::new(x, y, w, h)
}

/// True where chroma samples lie on every second luma sample instead of between two (MPEG-2, H.264 by default).
fn is_left(info: &VideoInfo) -> bool {
    let site = info.chroma_site();
    site.contains(VideoChromaSite::H_COSITED) || (site.is_empty() && info.is_yuv())
}

/// Where a channel's samples are.
#[derive(Clone, Copy)]
struct Source {
    plane: usize,
    channel: usize,
}

/// The three channels: R, G, B or Y, U, V; gray has Y three times.
struct Sources([Source; 3]);

impl Sources {
    fn of(layout: &Layout) -> Result<Self, FrameError> {
        use Component::{B, G, R, U, V, Y};
        let find = |c| layout.find(c).map(|(plane, channel)| Source { plane, channel });
        let all = |set: [Component; 3]| {
            let [a, b, c] = set.map(find);
            Some(Sources([a?, b?, c?]))
        };
        all([R, G, B])
            .or_else(|| all([Y, U, V]))
            .or_else(|| find(Y).map(|y| Sources([y, y, y])))
            .ok_or(FrameError::NoPlane(0))
    }

    fn subsampled(&self, layout: &Layout) -> bool {
        layout.planes[self.0[1].plane].w_sub > 0
    }
}

/// Row `y` of a channel of a resized plane, as floats.
fn read_row(small: &Mat, channel: usize, y: usize, bytes: u32, row: &mut [f32]) -> Result<(), FrameError> {
    let channels = small.channels() as usize;
    let data = small.data_bytes()?;
    let len = row.len() * channels * bytes as usize;
    let from = &data[y * len..(y + 1) * len];
    match bytes {
        1 => pick(from, channel, channels, row),
        // An odd address is not possible: OpenCV aligns what it allocates.
        _ => pick(bytemuck::try_cast_slice::<u8, u16>(from).unwrap_or_default(), channel, channels, row),
    }
    Ok(())
}

fn pick<T: Copy + Into<f32>>(from: &[T], channel: usize, channels: usize, row: &mut [f32]) {
    // The constants let the compiler vectorise.
    match channels {
        1 => row.iter_mut().zip(from).for_each(|(to, v)| *to = (*v).into()),
        2 => row.iter_mut().zip(from.chunks_exact(2)).for_each(|(to, v)| *to = v[channel].into()),
        3 => row.iter_mut().zip(from.chunks_exact(3)).for_each(|(to, v)| *to = v[channel].into()),
        n => row.iter_mut().zip(from.chunks_exact(n)).for_each(|(to, v)| *to = v[channel].into()),
    }
}

/// Takes each sample from `shift` columns further right, between two samples where that is no whole number.
fn move_left(row: &mut [f32], shift: f32) {
    let (whole, part) = (shift as usize, shift.fract());
    let last = row.len() - 1;
    let straight = last.saturating_sub(whole);
    for x in 0..straight {
        row[x] = row[x + whole] * (1.0 - part) + row[x + whole + 1] * part;
    }
    let edge = row[last];
    row[straight..].fill(edge);
}

/// The manifest's scale, mean and std as one factor and one summand a channel.
struct Affine([(f32, f32); 3]);

impl Affine {
    fn new(input: &Input) -> Self {
        Affine(std::array::from_fn(|c| (input.scale / input.std[c], -input.mean[c] / input.std[c])))
    }

    fn at(&self, c: usize, v: f32) -> f32 {
        v * self.0[c].0 + self.0[c].1
    }

    fn apply(&self, c: usize, from: &[f32], to: &mut [f32]) {
        let (gain, offset) = self.0[c];
        to.iter_mut().zip(from).for_each(|(to, v)| *to = v * gain + offset);
    }

    fn interleave(&self, c: usize, from: &[f32], channels: usize, to: &mut [f32]) {
        let (gain, offset) = self.0[c];
        to.chunks_exact_mut(channels).zip(from).for_each(|(to, v)| to[c] = v * gain + offset);
    }
}

/// Fills the tensor with what lies beside the picture.
fn pad(input: &Input, affine: &Affine, pixels: usize, tensor: &mut [f32]) {
    let channels = input.color.channels();
    match input.layout {
        TensorLayout::Nchw => {
            for (c, plane) in tensor.chunks_exact_mut(pixels).enumerate().take(channels) {
                plane.fill(affine.at(c, input.pad));
            }
        }
        TensorLayout::Nhwc => {
            for pixel in tensor.chunks_exact_mut(channels) {
                pixel.iter_mut().enumerate().for_each(|(c, v)| *v = affine.at(c, input.pad));
            }
        }
    }
}

#[cfg(test)]
mod tests;

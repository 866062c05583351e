//! From the decoder's planes to a network's tensor.
//!
//! Row by row of the small picture: the rows that it lies between become red, green and blue, are made as short as it is and
//! weighed, then normalised into the tensor. Each step rounds as the code does that models are trained and published with
//! (8-bit pixels, `cv::resize`), but no other picture exists on the way, neither BGR nor small planes.

mod rgb;
mod row;
mod taps;

use multiversion::multiversion;
pub(super) use rgb::{ToRgb, byte};
use row::{Origin, Row};
pub(super) use taps::{Taps, level};

use super::manifest::{ChannelOrder, Fit, Input, TensorLayout};
use crate::frame::{Component, Frame, FrameError, Layout};
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
    across: Taps,
    down: Taps,
    row: Row,
    /// The upper and the lower row that a row comes from.
    short: [Short; 2],
    /// A row of red, green and blue.
    rows: [Vec<f32>; 3],
}

/// A row of the picture made as short as the small picture's are: red, green, blue in 2048ths of a level.
#[derive(Default)]
struct Short {
    row: Option<usize>,
    pairs: Vec<[u32; 2]>,
    of: [Vec<i32>; 3],
}

impl Preparer {
    /// Writes the area of `frame`, which lies in whole pixels, into `tensor`, which holds one picture of `place.size`.
    pub(super) fn fill(
        &mut self,
        frame: &Frame,
        input: &Input,
        place: &Placement,
        tensor: &mut [f32],
    ) -> Result<(), FrameError> {
        let planes = frame.planes()?;
        let [x, y, aw, ah] = [place.area.x, place.area.y, place.area.w, place.area.h].map(|v| v as usize);
        let [iw, ih] = place.inner.map(|v| v as usize);
        let origin = Origin::new(&planes, frame.spec(), x, x + aw)?;
        self.across.set(x - origin.start(), aw, iw);
        self.down.set(y, ah, ih);
        for short in &mut self.short {
            short.row = None;
        }
        let affine = Affine::new(input);
        let [w, h] = place.size.map(|v| v as usize);
        if (iw, ih) != (w, h) {
            pad(input, &affine, w * h, tensor);
        }
        for row in &mut self.rows {
            row.resize(iw, 0.0);
        }
        for y in 0..ih {
            self.between(&origin, y)?;
            let [red, green, blue] = &mut self.rows;
            if input.color == ChannelOrder::Gray {
                rgb::luma(red, green, blue);
            }
            let order: [&[f32]; 3] = match input.color {
                ChannelOrder::Bgr => [blue, green, red],
                ChannelOrder::Rgb | ChannelOrder::Gray => [red, green, blue],
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

    /// Makes row `y` of the small picture.
    fn between(&mut self, origin: &Origin<'_>, y: usize) -> Result<(), FrameError> {
        let (rows, weights) = (self.down.pixels[y], self.down.weights[y]);
        if self.short[1].row == Some(rows[0]) {
            self.short.swap(0, 1);
        }
        for (short, row) in self.short.iter_mut().zip(rows).take(1 + usize::from(weights[1] != 0)) {
            if short.row != Some(row) {
                self.row.fill(origin, row)?;
                short.fill(&self.row.pixels, &self.across);
                short.row = Some(row);
            }
        }
        let [a, b] = &self.short;
        for (c, to) in self.rows.iter_mut().enumerate() {
            if weights[1] != 0 {
                weigh(weights, &a.of[c], &b.of[c], to)
            } else {
                weigh(weights, &a.of[c], &a.of[c], to)
            }
        }
        Ok(())
    }
}

impl Short {
    fn fill(&mut self, pixels: &[u32], across: &Taps) {
        self.pairs.clear();
        self.pairs.extend(across.pixels.iter().map(|&[a, b]| [pixels[a], pixels[b]]));
        for (c, to) in self.of.iter_mut().enumerate() {
            to.resize(self.pairs.len(), 0);
            shorten(8 * c as u32, &self.pairs, &across.weights, to);
        }
    }
}

#[multiversion(targets("x86_64+avx512f+avx512bw+avx512vl", "x86_64+avx2+fma"))]
fn shorten(shift: u32, pairs: &[[u32; 2]], weights: &[[i32; 2]], to: &mut [i32]) {
    for ((to, [a, b]), w) in to.iter_mut().zip(pairs).zip(weights) {
        *to = (a >> shift & 255) as i32 * w[0] + (b >> shift & 255) as i32 * w[1];
    }
}

#[multiversion(targets("x86_64+avx512f+avx512bw+avx512vl", "x86_64+avx2+fma"))]
fn weigh(weights: [i32; 2], a: &[i32], b: &[i32], to: &mut [f32]) {
    to.iter_mut().zip(a).zip(b).for_each(|((to, a), b)| *to = level(weights, *a, *b) as f32);
}

/// The area in whole pixels inside of the picture, not empty.
pub(super) fn snapped(area: Rect, frame: &Frame) -> Rect {
    let span = |from: f32, to: f32, side: u32| {
        let start = (from.max(0.0) as u32).min(side - 1);
        let end = (to.ceil().max(0.0) as u32).clamp(start + 1, side);
        (start as f32, (end - start) as f32)
    };
    let (x, w) = span(area.x, area.right(), frame.width());
    let (y, h) = span(area.y, area.bottom(), frame.height());
    Rect::new(x, y, w, h)
}

/// Where a channel's samples are.
#[derive(Clone, Copy)]
pub(super) struct Source {
    pub plane: usize,
    pub channel: usize,
}

/// The three channels: R, G, B or Y, U, V; gray has Y three times.
pub(super) struct Sources(pub [Source; 3]);

impl Sources {
    pub(super) fn of(layout: &Layout) -> Result<Self, FrameError> {
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

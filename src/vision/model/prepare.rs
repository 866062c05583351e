//! From the decoder's planes to a network's tensor.
//!
//! Row by row of the small picture: bilinear samples of each plane (as models are trained and published with), then matrix,
//! range and normalisation, into the tensor. No other picture exists on the way, neither BGR nor small planes.

mod rgb;
mod sample;

use gstreamer_video::VideoChromaSite;

pub(super) use rgb::ToRgb;
use sample::{Axis, Grid, Line};

use super::manifest::{ChannelOrder, Fit, Input, TensorLayout};
use crate::frame::{Component, Frame, FrameError, Layout, Spec};
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
    /// A line of each plane.
    lines: Vec<Line>,
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
        let layout = &spec.layout;
        let planes = frame.planes()?;
        let sources = Sources::of(layout)?;
        let grids: Vec<Grid> = sources.planes().map(|i| grid(i, spec, place)).collect();
        self.lines.resize_with(grids.len(), Line::default);
        let affine = Affine::new(input);
        let [w, h] = place.size.map(|v| v as usize);
        let [iw, ih] = place.inner.map(|v| v as usize);
        if (iw, ih) != (w, h) {
            pad(input, &affine, w * h, tensor);
        }
        let color = ToRgb::new(spec);
        for row in &mut self.rows {
            row.resize(iw, 0.0);
        }
        for y in 0..ih {
            for (line, grid) in self.lines.iter_mut().zip(&grids) {
                line.fill(&planes, layout, grid, y)?;
            }
            for (row, source) in self.rows.iter_mut().zip(&sources.0) {
                let of_plane = self.lines.iter().zip(&grids).find(|(_, g)| g.plane == source.plane);
                let (line, grid) = of_plane.ok_or(FrameError::NoPlane(source.plane))?;
                line.pick(layout, grid, source.channel, row);
            }
            let [first, second, third] = &mut self.rows;
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
}

/// Where the samples of plane `i` come from.
fn grid(i: usize, spec: &Spec, place: &Placement) -> Grid {
    let (info, plane, area) = (&spec.info, &spec.layout.planes[i], place.area);
    let [cols, rows] = place.inner.map(|v| v as usize);
    let left = plane.w_sub > 0 && site(spec).contains(VideoChromaSite::H_COSITED);
    let top = plane.h_sub > 0 && site(spec).contains(VideoChromaSite::V_COSITED);
    Grid {
        plane: i,
        across: Axis::new(area.x, area.w, cols, (plane.w_sub, plane.cols(info.width()), left)),
        down: Axis::new(area.y, area.h, rows, (plane.h_sub, plane.rows(info.height()), top)),
    }
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

/// Where chroma samples lie. Unknown is as MPEG-2 and H.264 have it by default: on every second luma sample of a row.
fn site(spec: &Spec) -> VideoChromaSite {
    let site = spec.info.chroma_site();
    if site.is_empty() { VideoChromaSite::MPEG2 } else { site }
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

    /// The planes that they are in, each once.
    fn planes(&self) -> impl Iterator<Item = usize> {
        let [a, b, c] = self.0.map(|s| s.plane);
        [Some(a), (b != a).then_some(b), (c != a && c != b).then_some(c)].into_iter().flatten()
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

//! Rows of the picture in red, green and blue of 8 bits, as if the whole had been converted: chroma lies where the format says,
//! and what is between its samples is interpolated.

use gstreamer_video::VideoChromaSite;
use multiversion::multiversion;

use super::rgb::{ToRgb, pack};
use super::{Source, Sources};
use crate::frame::{FrameError, Layout, Planes, Spec};

/// What is the same for all rows of a picture.
pub(super) struct Origin<'a> {
    planes: &'a Planes<'a>,
    layout: &'a Layout,
    sources: [Source; 3],
    color: ToRgb,
    /// Chroma lies on the first of its pixels instead of in the middle of them: across, down.
    cosited: [bool; 2],
    height: u32,
    /// The columns that are needed, from the first one of a chroma sample.
    from: usize,
    to: usize,
}

impl<'a> Origin<'a> {
    /// Columns `from` to `to` of a picture.
    pub fn new(planes: &'a Planes<'a>, spec: &'a Spec, from: usize, to: usize) -> Result<Self, FrameError> {
        let layout = &spec.layout;
        let sources = Sources::of(layout)?.0;
        let sub = sources.iter().map(|s| layout.planes[s.plane].w_sub).max().unwrap_or(0);
        let site = site(spec);
        let cosited = [VideoChromaSite::H_COSITED, VideoChromaSite::V_COSITED].map(|way| site.contains(way));
        let (color, height, from) = (ToRgb::new(spec), spec.info.height(), from >> sub << sub);
        Ok(Origin { planes, layout, sources, color, cosited, height, from, to })
    }

    /// The first column that a row has.
    pub fn start(&self) -> usize {
        self.from
    }
}

/// Where chroma samples lie. Unknown is as MPEG-2 and H.264 have it by default: on every second luma sample of a row.
fn site(spec: &Spec) -> VideoChromaSite {
    let site = spec.info.chroma_site();
    if site.is_empty() { VideoChromaSite::MPEG2 } else { site }
}

/// Where row `y` of the picture lies among rows of chroma.
fn vertical(y: usize, sub: u32, cosited: bool) -> f32 {
    let one = (1u32 << sub) as f32;
    if cosited { y as f32 / one } else { (y as f32 + 0.5) / one - 0.5 }
}

/// Scratch space, and the row that was made last.
#[derive(Default)]
pub(super) struct Row {
    samples: [Vec<f32>; 3],
    /// Chroma samples of two rows; the first, and then what lies between them, with a neighbour more on both sides.
    chroma: [Vec<f32>; 2],
    /// Red in the lowest byte, then green and blue.
    pub pixels: Vec<u32>,
}

impl Row {
    /// Makes it row `y`.
    pub fn fill(&mut self, origin: &Origin<'_>, y: usize) -> Result<(), FrameError> {
        let Origin { planes, layout, from, to, .. } = *origin;
        for (source, samples) in origin.sources.iter().zip(&mut self.samples) {
            let plane = &layout.planes[source.plane];
            let form = (plane.channels.len(), source.channel, layout.bytes as usize);
            let (across, down) = (plane.w_sub, plane.h_sub);
            samples.resize((to - from).next_multiple_of(1 << across), 0.0);
            if (across, down) == (0, 0) {
                load(planes.row(source.plane, y as u32)?, form, from, samples)?;
                continue;
            }
            let place = vertical(y, down, origin.cosited[1]).clamp(0.0, (plane.rows(origin.height) - 1) as f32);
            let (upper, part) = (place as u32, place.fract());
            let first = from >> across;
            let needed = to.div_ceil(1 << across) - first;
            let [a, b] = &mut self.chroma;
            // Beyond the edges it goes on as at them.
            let (before, at) = if first == 0 { (0, 1) } else { (first - 1, 0) };
            for (chroma, row) in [(&mut *a, upper), (&mut *b, upper + 1)].into_iter().take(1 + usize::from(part > 0.0))
            {
                chroma.resize(needed + 2, 0.0);
                load(planes.row(source.plane, row)?, form, before, &mut chroma[at..])?;
                chroma[0] = chroma[at];
            }
            if part > 0.0 {
                blend(a, b, part);
            }
            match across {
                0 => samples.copy_from_slice(&a[1..=needed]),
                1 => spread::<2>(a, origin.cosited[0], samples),
                2 => spread::<4>(a, origin.cosited[0], samples),
                _ => return Err(FrameError::NoPlane(source.plane)),
            }
        }
        let count = to - from;
        let [a, b, c] = &mut self.samples;
        origin.color.rgb(&mut a[..count], &mut b[..count], &mut c[..count]);
        self.pixels.resize(count, 0);
        pack(a, b, c, &mut self.pixels);
        Ok(())
    }
}

/// The samples of one channel of a row from sample `from` on; those after the last one are like it. `form`: channels, which
/// of them, bytes of a sample.
fn load(
    row: &[u8],
    (channels, channel, bytes): (usize, usize, usize),
    from: usize,
    to: &mut [f32],
) -> Result<(), FrameError> {
    let row = row.get(from * channels * bytes..).filter(|r| r.len() >= channels * bytes);
    let row = row.ok_or(FrameError::NoPlane(channel))?;
    let count = to.len().min(row.len() / (channels * bytes));
    let (there, beyond) = to.split_at_mut(count);
    match (channels, bytes) {
        (1, 1) => widen(row, there),
        (2, 1) => there.iter_mut().zip(row.as_chunks::<2>().0).for_each(|(to, v)| *to = f32::from(v[channel])),
        (_, 1) => there.iter_mut().zip(row.chunks_exact(channels)).for_each(|(to, v)| *to = f32::from(v[channel])),
        _ => {
            let word = |v: &[u8]| f32::from(u16::from_le_bytes([v[2 * channel], v[2 * channel + 1]]));
            there.iter_mut().zip(row.chunks_exact(2 * channels)).for_each(|(to, v)| *to = word(v));
        }
    }
    beyond.fill(there[count - 1]);
    Ok(())
}

#[multiversion(targets("x86_64+avx512f+avx512bw+avx512vl", "x86_64+avx2+fma"))]
fn widen(row: &[u8], to: &mut [f32]) {
    to.iter_mut().zip(row).for_each(|(to, v)| *to = f32::from(*v));
}

#[multiversion(targets("x86_64+avx512f+avx512bw+avx512vl", "x86_64+avx2+fma"))]
fn blend(a: &mut [f32], b: &[f32], part: f32) {
    a.iter_mut().zip(b).for_each(|(a, b)| *a += (b - *a) * part);
}

/// `EACH` pixels for every sample of `chroma`, which has a neighbour more on both sides.
fn spread<const EACH: usize>(chroma: &[f32], cosited: bool, to: &mut [f32]) {
    let weights: [[f32; 3]; EACH] = std::array::from_fn(|k| {
        let middle = if cosited { 0.0 } else { (EACH - 1) as f32 / 2.0 };
        let place = (k as f32 - middle) / EACH as f32;
        [(-place).max(0.0), 1.0 - place.abs(), place.max(0.0)]
    });
    interpolate(chroma, &weights, to);
}

#[multiversion(targets("x86_64+avx512f+avx512bw+avx512vl", "x86_64+avx2+fma"))]
fn interpolate<const EACH: usize>(chroma: &[f32], weights: &[[f32; 3]; EACH], to: &mut [f32]) {
    let to = to.as_chunks_mut::<EACH>().0;
    let (before, after) = (&chroma[..chroma.len() - 2], &chroma[2..]);
    for (((to, before), this), after) in to.iter_mut().zip(before).zip(&chroma[1..]).zip(after) {
        for (to, w) in to.iter_mut().zip(weights) {
            *to = before * w[0] + this * w[1] + after * w[2];
        }
    }
}

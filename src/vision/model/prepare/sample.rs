//! Bilinear samples of a plane on the grid of a smaller (or larger) picture.
//!
//! What `cv::resize` does, but chroma is taken from where it lies, and nothing is rounded in between: some networks decide
//! between two boxes by less than that.

use multiversion::multiversion;

use crate::frame::{FrameError, Layout, Planes};

/// Where the samples of one axis come from: two neighbours in the plane, and the weight of the second.
pub(super) struct Axis(Vec<(usize, usize, f32)>);

impl Axis {
    /// `count` samples spread over `side` pixels of the picture from pixel `start`, in a plane of `most` samples, subsampled by
    /// 2^`sub`. `cosited`: a sample lies on the first of its pixels instead of in the middle of them. Samples beyond the
    /// area are not looked at: its edges are repeated.
    pub(super) fn new(start: f32, side: f32, count: usize, (sub, most, cosited): (u32, u32, bool)) -> Self {
        let one = (1u32 << sub) as f32;
        let low = (start / one).floor().clamp(0.0, (most - 1) as f32);
        let high = (((start + side) / one).ceil() - 1.0).clamp(low, (most - 1) as f32);
        let each = |i: usize| {
            let pixel = start + (i as f32 + 0.5) * side / count as f32 - 0.5;
            let sample = if cosited { pixel / one } else { (pixel + 0.5) / one - 0.5 };
            let sample = sample.clamp(low, high);
            let first = sample.floor();
            (first as usize, (first + 1.0).min(high) as usize, sample - first)
        };
        Axis((0..count).map(each).collect())
    }

    /// The range of samples that is needed.
    fn span(&self) -> (usize, usize) {
        (self.0.first().map_or(0, |f| f.0), self.0.last().map_or(0, |l| l.1) + 1)
    }
}

/// A plane, and the grid on which it is sampled.
pub(super) struct Grid {
    pub(super) plane: usize,
    pub(super) across: Axis,
    pub(super) down: Axis,
}

/// One line between two rows of a plane, all channels; kept from row to row.
#[derive(Default)]
pub(super) struct Line(Vec<f32>);

impl Line {
    /// Makes it that of row `y` of the grid.
    pub(super) fn fill(
        &mut self,
        planes: &Planes<'_>,
        layout: &Layout,
        grid: &Grid,
        y: usize,
    ) -> Result<(), FrameError> {
        let (first, second, part) = grid.down.0[y];
        let (from, to) = grid.across.span();
        let channels = layout.planes[grid.plane].channels.len();
        let bytes = channels * layout.bytes as usize;
        let part_of = |row: usize| -> Result<&[u8], FrameError> {
            let row = planes.row(grid.plane, row as u32)?;
            row.get(from * bytes..to * bytes).ok_or(FrameError::NoPlane(grid.plane))
        };
        let (a, b) = (part_of(first)?, part_of(second)?);
        self.0.resize((to - from) * channels, 0.0);
        match layout.bytes {
            1 => blend(a, b, part, &mut self.0),
            _ => blend_deep(a, b, part, &mut self.0),
        }
        Ok(())
    }

    /// The samples of one channel.
    pub(super) fn pick(&self, layout: &Layout, grid: &Grid, channel: usize, row: &mut [f32]) {
        let channels = layout.planes[grid.plane].channels.len();
        let (from, _) = grid.across.span();
        for (to, (first, second, part)) in row.iter_mut().zip(&grid.across.0) {
            let a = self.0[(first - from) * channels + channel];
            let b = self.0[(second - from) * channels + channel];
            *to = a + (b - a) * part;
        }
    }
}

#[multiversion(targets("x86_64+avx2+fma"))]
fn blend(a: &[u8], b: &[u8], part: f32, to: &mut [f32]) {
    for ((to, a), b) in to.iter_mut().zip(a).zip(b) {
        let (a, b) = (f32::from(*a), f32::from(*b));
        *to = a + (b - a) * part;
    }
}

#[multiversion(targets("x86_64+avx2+fma"))]
fn blend_deep(a: &[u8], b: &[u8], part: f32, to: &mut [f32]) {
    let word = |w: &[u8]| f32::from(u16::from_le_bytes([w[0], w[1]]));
    for ((to, a), b) in to.iter_mut().zip(a.chunks_exact(2)).zip(b.chunks_exact(2)) {
        let (a, b) = (word(a), word(b));
        *to = a + (b - a) * part;
    }
}

//! Pictures with opacity (rendered text, logos, drawings) blended onto a frame in its native format.
//!
//! An [`Overlay`] says what to show: layers of colour, each through a mask, in pixels of the picture. [`Prepared`] is the
//! same in samples of one frame format at one place: per sample a weight `keep` of what was there and a sum `add` of what
//! comes on top, so that blending is `(sample · keep + add) / 2¹⁵`, rounded to nearest, over plain rows. Rows are kept as
//! spans: what shows nothing is left out, and what is the same over many pixels is stored once, so that the outline of
//! a large shape costs its pixels and not its area. Whoever shows one thing on many frames prepares once;
//! [`Overlay::blend`] does both for a single frame.

mod span;

use self::span::Spans;
use crate::frame::{Color, Component, Frame, FrameError, Plane, PlanesMut, Spec};

/// Fixed-point one of the blending weights.
const ONE: u32 = 1 << 15;

/// What to draw: layers over each other on `width × height` pixels of the full picture.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Overlay {
    /// Pixels.
    pub width: u32,
    /// Pixels.
    pub height: u32,
    /// From the bottom to the top.
    pub layers: Vec<Layer>,
}

/// Colour seen through a mask.
#[derive(Clone, Debug, PartialEq)]
pub struct Layer {
    /// What shows.
    pub paint: Paint,
    /// Opacity of each pixel, row by row, `width · height` of them: 0 leaves what is below, 255 hides it.
    pub mask: Vec<u8>,
    /// Opacity of the whole layer, 0 to 1; the mask is multiplied by it.
    pub opacity: f32,
}

/// The colour of a layer.
#[derive(Clone, Debug, PartialEq)]
pub enum Paint {
    /// One for all pixels.
    Flat(Color),
    /// One per pixel, `width · height` of them.
    Pixels(Vec<Color>),
}

impl Overlay {
    /// An overlay from `width · height` pixels of straight-alpha red, green, blue, opacity.
    pub fn from_rgba(width: u32, height: u32, rgba: &[u8], opacity: f32) -> Self {
        let paint = Paint::Pixels(rgba.chunks_exact(4).map(|p| Color::rgb(p[0], p[1], p[2])).collect());
        let mask = rgba.chunks_exact(4).map(|p| p[3]).collect();
        Overlay { width, height, layers: vec![Layer { paint, mask, opacity }] }
    }

    /// Becomes [`Overlay::from_rgba`] in the memory that is there.
    pub fn set_rgba(&mut self, width: u32, height: u32, rgba: &[u8], opacity: f32) {
        (self.width, self.height) = (width, height);
        self.layers.truncate(1);
        let (mut pixels, mut mask) = match self.layers.pop() {
            Some(Layer { paint: Paint::Pixels(pixels), mask, .. }) => (pixels, mask),
            _ => Default::default(),
        };
        pixels.clear();
        pixels.extend(rgba.chunks_exact(4).map(|p| Color::rgb(p[0], p[1], p[2])));
        mask.clear();
        mask.extend(rgba.chunks_exact(4).map(|p| p[3]));
        self.layers.push(Layer { paint: Paint::Pixels(pixels), mask, opacity });
    }

    /// The columns from `from` to before `end`.
    pub fn cut(&self, from: u32, end: u32) -> Overlay {
        fn rows<T: Clone>(all: &[T], width: u32, from: u32, end: u32) -> Vec<T> {
            let mut part = Vec::with_capacity(all.len() / width as usize * (end - from) as usize);
            all.chunks_exact(width as usize).for_each(|row| part.extend_from_slice(&row[from as usize..end as usize]));
            part
        }
        let part = |layer: &Layer| Layer {
            paint: match &layer.paint {
                Paint::Flat(color) => Paint::Flat(*color),
                Paint::Pixels(all) => Paint::Pixels(rows(all, self.width, from, end)),
            },
            mask: rows(&layer.mask, self.width, from, end),
            opacity: layer.opacity,
        };
        Overlay { width: end - from, height: self.height, layers: self.layers.iter().map(part).collect() }
    }

    /// Draws on one frame with the overlay's left top corner at (`x`, `y`), which may lie outside of the picture; what
    /// lies outside is cut off. Pixels outside of the overlay, and padding channels, are not touched. An opacity channel
    /// of the frame becomes `a + m·(1 − a)` where the overlay's is `m`.
    pub fn blend(&self, frame: &mut Frame, x: i32, y: i32) -> Result<(), FrameError> {
        let mut prepared = Prepared::default();
        prepared.set(self, frame.spec(), x, y);
        prepared.blend(frame)
    }
}

/// An [`Overlay`] in the samples of one format, at one place of one picture size.
#[derive(Debug, Default)]
pub struct Prepared {
    planes: Vec<Spans>,
    weights: Weights,
}

/// How much each layer shows, per pixel of the block-aligned part of the picture that the overlay covers.
#[derive(Debug, Default)]
struct Weights {
    x: u32,
    y: u32,
    full: Shares,
    /// The same per sample of the subsampled plane that was prepared last.
    reduced: Shares,
}

/// Per sample, row by row: what each layer has, and what is left for the picture below.
#[derive(Debug, Default)]
struct Shares {
    /// log2 of the subsampling.
    sub: (u32, u32),
    width: usize,
    height: usize,
    layers: Vec<Vec<u16>>,
    left: Vec<u16>,
}

impl Prepared {
    /// Prepares `overlay` for pictures like `spec` with its left top corner at (`x`, `y`). Reuses the memory of whatever
    /// was prepared before.
    pub fn set(&mut self, overlay: &Overlay, spec: &Spec, x: i32, y: i32) {
        let (layout, info) = (&spec.layout, &spec.info);
        self.planes.resize_with(layout.planes.len(), Spans::default);
        self.planes.iter_mut().for_each(|p| p.clear(layout));
        let block = layout.planes.iter().fold((0, 0), |b, p| (b.0.max(p.w_sub), b.1.max(p.h_sub)));
        let clip = |at: i32, len: u32, whole: u32| {
            let clamp = |v: i64| v.clamp(0, i64::from(whole)) as u32;
            (clamp(i64::from(at)), clamp(i64::from(at) + i64::from(len)))
        };
        let (x0, x1) = clip(x, overlay.width, info.width());
        let (y0, y1) = clip(y, overlay.height, info.height());
        if x0 >= x1 || y0 >= y1 {
            return;
        }
        let w = &mut self.weights;
        (w.x, w.y) = (x0 >> block.0 << block.0, y0 >> block.1 << block.1);
        // Aligned to whole samples of the coarsest plane, but for what the border of the picture cuts off.
        (w.full.width, w.full.height) =
            (align(x1, block.0, info.width()) - w.x as usize, align(y1, block.1, info.height()) - w.y as usize);
        w.compose(overlay, (x, y), (x0, x1), (y0, y1));
        for (spans, plane) in self.planes.iter_mut().zip(&layout.planes) {
            w.reduce((plane.w_sub, plane.h_sub));
            fill(spans, plane, spec, overlay, w, (x, y));
        }
    }

    /// Draws on `frame`, whose format and size are those of [`Prepared::set`].
    pub fn blend(&self, frame: &mut Frame) -> Result<(), FrameError> {
        self.draw(&mut frame.planes_mut()?)
    }

    /// The same on a frame's planes.
    pub fn draw(&self, planes: &mut PlanesMut<'_>) -> Result<(), FrameError> {
        for (i, spans) in self.planes.iter().enumerate().filter(|(_, s)| !s.is_empty()) {
            let plane = planes.bytes_mut(i)?;
            // A frame of another size than the one that was prepared for has no such place.
            spans.blend(plane.data, plane.stride).ok_or(FrameError::NoPlane(i))?;
        }
        Ok(())
    }
}

impl Weights {
    /// Composes the layers: the top one shows by its opacity, each one below by what those above leave.
    fn compose(&mut self, overlay: &Overlay, at: (i32, i32), xs: (u32, u32), ys: (u32, u32)) {
        let Shares { width, height, layers, left, .. } = &mut self.full;
        let size = *width * *height;
        reset(left, size, ONE as u16);
        layers.resize_with(overlay.layers.len(), Vec::new);
        for (layer, weights) in overlay.layers.iter().zip(layers).rev() {
            reset(weights, size, 0);
            // 255 · scale, rounded down by 2⁹, is the layer's opacity in units of ONE.
            let scale = (f64::from(layer.opacity.clamp(0.0, 1.0)) * f64::from(ONE) * 512.0 / 255.0).round() as u32;
            for y in ys.0..ys.1 {
                let from = (i64::from(y) - i64::from(at.1)) as usize * overlay.width as usize
                    + (i64::from(xs.0) - i64::from(at.0)) as usize;
                let to = (y - self.y) as usize * *width + (xs.0 - self.x) as usize;
                let n = (xs.1 - xs.0) as usize;
                if layer.mask[from..from + n].iter().all(|m| *m == 0) {
                    continue;
                }
                let lines = weights[to..to + n].iter_mut().zip(&mut left[to..to + n]);
                for ((w, left), m) in lines.zip(&layer.mask[from..from + n]) {
                    let opacity = (u32::from(*m) * scale + 256) >> 9;
                    *w = ((u32::from(*left) * opacity + ONE / 2) >> 15) as u16;
                    *left -= *w;
                }
            }
        }
        self.reduced.sub = (0, 0);
    }

    /// Makes `reduced` the means over the pixels that share a sample of a plane subsampled by 2^`sub`.
    fn reduce(&mut self, sub: (u32, u32)) {
        let (full, to) = (&self.full, &mut self.reduced);
        if sub == to.sub {
            return;
        }
        to.sub = sub;
        (to.width, to.height) = (full.width.div_ceil(1 << sub.0), full.height.div_ceil(1 << sub.1));
        reset(&mut to.left, to.width * to.height, ONE as u16);
        to.layers.resize_with(full.layers.len(), Vec::new);
        for (from, to_layer) in full.layers.iter().zip(&mut to.layers) {
            reset(to_layer, to.width * to.height, 0);
            for (y, line) in to_layer.chunks_exact_mut(to.width).enumerate() {
                full.mean_row(sub, y, from, line);
            }
            // The rounding of several layers may add up to a step too much.
            to.left.iter_mut().zip(&*to_layer).for_each(|(l, w)| *l = l.saturating_sub(*w));
        }
    }

    fn shares(&self, sub: (u32, u32)) -> &Shares {
        if sub == (0, 0) { &self.full } else { &self.reduced }
    }
}

impl Shares {
    /// The mean of `value` (by index) over the pixels of sample (`x`, `y`) of a plane subsampled by 2^`sub`: fewer of
    /// them at the border of a picture of odd size.
    fn mean(&self, sub: (u32, u32), x: usize, y: usize, value: impl Fn(usize) -> u64) -> u64 {
        let columns = x << sub.0..((x + 1) << sub.0).min(self.width);
        let rows = y << sub.1..((y + 1) << sub.1).min(self.height);
        let count = (columns.len() * rows.len()) as u64;
        let sum: u64 = rows.flat_map(|r| columns.clone().map(move |c| r * self.width + c)).map(value).sum();
        (sum + count / 2) / count
    }

    /// Row `y` of a subsampled plane: the means of `full`.
    fn mean_row(&self, sub: (u32, u32), y: usize, full: &[u16], line: &mut [u16]) {
        let mut done = 0;
        if sub.0 == 1 && sub.1 <= 1 {
            // The common ones, 4:2:0 and 4:2:2, in a form that the compiler can vectorize.
            let row = |r: usize| &full[r * self.width..(r + 1) * self.width];
            let above = row(y << sub.1);
            let below = row(((y << sub.1) + sub.1 as usize).min(self.height - 1));
            for ((out, a), b) in line.iter_mut().zip(above.chunks_exact(2)).zip(below.chunks_exact(2)) {
                *out = ((u32::from(a[0]) + u32::from(a[1]) + u32::from(b[0]) + u32::from(b[1]) + 2) >> 2) as u16;
            }
            done = self.width / 2;
        }
        for (x, out) in line.iter_mut().enumerate().skip(done) {
            *out = self.mean(sub, x, y, |i| u64::from(full[i])) as u16;
        }
    }
}

fn fill(spans: &mut Spans, plane: &Plane, spec: &Spec, overlay: &Overlay, weights: &Weights, at: (i32, i32)) {
    match plane.channels.len() {
        1 => fill_channels::<1>(spans, plane, spec, overlay, weights, at),
        2 => fill_channels::<2>(spans, plane, spec, overlay, weights, at),
        3 => fill_channels::<3>(spans, plane, spec, overlay, weights, at),
        // A picture has no more than four components.
        _ => fill_channels::<4>(spans, plane, spec, overlay, weights, at),
    }
}

fn fill_channels<const N: usize>(
    spans: &mut Spans,
    plane: &Plane,
    spec: &Spec,
    overlay: &Overlay,
    weights: &Weights,
    at: (i32, i32),
) {
    let sub = (plane.w_sub, plane.h_sub);
    let (full, shares) = (&weights.full, weights.shares(sub));
    let (left, top) = ((weights.x >> sub.0) as usize, weights.y >> sub.1);
    let shown: [bool; N] = std::array::from_fn(|k| plane.channels[k] != Component::Unused);
    let sample = |color: Color, k: usize| match shown[k] {
        true => u32::from(color.sample(plane.channels[k], &spec.info, &spec.layout) >> spec.layout.shift),
        false => 0,
    };
    let flat: Vec<[u32; N]> = overlay
        .layers
        .iter()
        .map(|layer| match &layer.paint {
            Paint::Flat(color) => std::array::from_fn(|k| sample(*color, k)),
            Paint::Pixels(_) => [0; N],
        })
        .collect();
    let (mut keep, mut add) = (Vec::new(), Vec::new());
    for y in 0..shares.height {
        let row = y * shares.width..(y + 1) * shares.width;
        let rest = &shares.left[row.clone()];
        let untouched = |l: &u16| u32::from(*l) == ONE;
        if rest.iter().all(untouched) {
            continue;
        }
        let first = rest.iter().take_while(|l| untouched(l)).count();
        let last = rest.len() - rest.iter().rev().take_while(|l| untouched(l)).count();
        reset(&mut add, last - first, [0u32; N]);
        for (i, ((layer, flat), mine)) in overlay.layers.iter().zip(&flat).zip(&shares.layers).enumerate() {
            let mine = &mine[row.clone()][first..last];
            let Paint::Pixels(pixels) = &layer.paint else {
                for (add, weight) in add.iter_mut().zip(mine) {
                    for k in 0..N {
                        add[k] += u32::from(*weight) * flat[k];
                    }
                }
                continue;
            };
            let color = |i: usize| {
                let x = (i % full.width) as i64 + i64::from(weights.x) - i64::from(at.0);
                let y = (i / full.width) as i64 + i64::from(weights.y) - i64::from(at.1);
                pixels[y as usize * overlay.width as usize + x as usize]
            };
            // Where nothing shows there may be no pixel of the overlay either.
            let part = |p: usize, k| match full.layers[i][p] {
                0 => 0,
                w => u64::from(w) * u64::from(sample(color(p), k)),
            };
            for ((x, add), _) in (first..).zip(&mut add).zip(mine).filter(|(_, weight)| **weight > 0) {
                for (k, add) in add.iter_mut().enumerate() {
                    *add += full.mean(sub, x, y, |p| part(p, k)) as u32;
                }
            }
        }
        keep.clear();
        keep.extend(rest[first..last].iter().map(|l| shown.map(|s| if s { *l } else { ONE as u16 })));
        spans.row::<N>(top + y as u32, left + first, &keep, &add);
    }
}

fn reset<T: Copy>(v: &mut Vec<T>, len: usize, value: T) {
    v.clear();
    v.resize(len, value);
}

/// The end of the block of 2^`log2` pixels that `end` lies in, within the picture.
fn align(end: u32, log2: u32, whole: u32) -> usize {
    (end.div_ceil(1 << log2) << log2).min(whole) as usize
}

#[cfg(test)]
mod tests;

//! A matrix over the three colour components of every pixel, on native planes.

use super::rows::Place;
use super::scale::Scale;
use crate::frame::{Component, Frame, FrameError, Spec, kr_kb};

/// Three by three.
pub type Matrix = [[f64; 3]; 3];

/// Bits behind the point of the fixed-point factors.
const BITS: u32 = 12;

/// The components that a format's colours are made of: red, green, blue, or luma and two chromas; `None` for gray.
pub fn components(spec: &Spec) -> Option<[Component; 3]> {
    let three = match spec.layout.rgb {
        true => [Component::R, Component::G, Component::B],
        false => [Component::Y, Component::U, Component::V],
    };
    three.iter().all(|c| spec.layout.find(*c).is_some()).then_some(three)
}

/// From red, green, blue to luma and chroma (values as [`Scale`] has them) by the matrix of `spec`, and back.
pub fn rgb_to_yuv(spec: &Spec) -> (Matrix, Matrix) {
    let (kr, kb) = kr_kb(spec.info.colorimetry().matrix(), spec.info.height());
    let kg = 1.0 - kr - kb;
    let (u, v) = (2.0 * (1.0 - kb), 2.0 * (1.0 - kr));
    let there = [[kr, kg, kb], [-kr / u, -kg / u, 0.5], [0.5, -kg / v, -kb / v]];
    let back = [[1.0, 0.0, v], [1.0, -u * kb / kg, -v * kr / kg], [1.0, u, 0.0]];
    (there, back)
}

/// `a · b`.
pub fn product(a: &Matrix, b: &Matrix) -> Matrix {
    std::array::from_fn(|i| std::array::from_fn(|j| (0..3).map(|k| a[i][k] * b[k][j]).sum()))
}

/// A matrix between codes, in fixed point.
#[derive(Default)]
pub struct Step {
    factors: [[i16; 3]; 3],
    offsets: [i32; 3],
    limits: [(i16, i16); 3],
    bits: u32,
}

impl Step {
    /// `m` between values as codes: of `from` (minus its bias, see [`Place::bias`]) to codes of `to` (minus its own). The
    /// factors between codes lie below 2^(15 − `bits`).
    pub fn new(m: &Matrix, from: [Scale; 3], from_bias: i32, to: [Scale; 3], to_bias: i32, bits: u32) -> Self {
        let mut step = Step { bits, ..Step::default() };
        let (from_bias, to_bias, fixed) = (f64::from(from_bias), f64::from(to_bias), f64::from(1u32 << bits));
        for i in 0..3 {
            let mut offset = to[i].zero - to_bias;
            for j in 0..3 {
                let factor = m[i][j] * to[i].unit / from[j].unit;
                step.factors[i][j] = (factor * fixed).round().clamp(-32767.0, 32767.0) as i16;
                // With the factor as rounded, so that the zero point stays exactly where it is.
                offset -= f64::from(step.factors[i][j]) / fixed * (from[j].zero - from_bias);
            }
            step.offsets[i] = (offset * fixed).round() as i32 + (1 << (bits - 1));
            step.limits[i] = ((to[i].allowed.0 - to_bias) as i16, (to[i].allowed.1 - to_bias) as i16);
        }
        step
    }

    /// Component `i` of a row. In this form the compiler makes vectors of it, which is 20 times as fast as with iterators
    /// and `clamp`.
    #[inline(never)]
    pub fn run(&self, i: usize, rows: [&[i16]; 3], out: &mut Vec<i16>) {
        let (f, offset, (low, high)) = (self.factors[i], self.offsets[i], self.limits[i]);
        let n = rows[0].len().min(rows[1].len()).min(rows[2].len());
        out.resize(n, 0);
        let ([a, b, c], out) = (rows.map(|r| &r[..n]), &mut out[..n]);
        let times = |v: i16, f: i16| i32::from(v) * i32::from(f);
        for i in 0..n {
            let sum = times(a[i], f[0]) + times(b[i], f[1]) + times(c[i], f[2]) + offset;
            let sum = (sum >> self.bits).min(i32::from(i16::MAX)).max(i32::from(i16::MIN)) as i16;
            out[i] = sum.max(low).min(high);
        }
    }
}

/// What [`ColorMatrix::set`] settled, and rows to work in.
#[derive(Default)]
pub struct ColorMatrix {
    places: Option<[Place; 3]>,
    step: Step,
    rows: [Vec<i16>; 3],
    spread: [Vec<i16>; 2],
    sums: Vec<i32>,
    out: Vec<i16>,
}

impl ColorMatrix {
    /// Makes `m` what happens to the components of pictures like `spec`, as values (see [`Scale`]): red, green, blue, or
    /// luma and chroma. The factors lie within ±7.9; gray pictures stay as they are.
    pub fn set(&mut self, m: &Matrix, spec: &Spec) {
        self.places = None;
        let Some(three) = components(spec) else { return };
        let one = |c| Some((Place::of(c, &spec.layout)?, Scale::of(c, spec)?));
        let [Some(a), Some(b), Some(c)] = three.map(one) else { return };
        let (scales, bias) = ([a.1, b.1, c.1], a.0.bias);
        self.places = Some([a.0, b.0, c.0]);
        self.step = Step::new(m, scales, bias, scales, bias, BITS);
    }

    /// Changes `frame`, in place. Where chroma is subsampled, luma takes the chroma of its block, and chroma the mean luma
    /// of the block.
    pub fn apply(&mut self, frame: &mut Frame) -> Result<(), FrameError> {
        let Some(places) = self.places else { return Ok(()) };
        let (width, height) = (frame.width(), frame.height());
        let one = 1i16 << BITS;
        let factors = &self.step.factors;
        let (first, second) = (factors[0], [factors[1][0], factors[2][0]]);
        let (changes_first, needs_first) = (first != [one, 0, 0], second != [0, 0]);
        let sub = places[1].sub;
        let mut planes = frame.planes_mut()?;
        for block in 0..height.div_ceil(1 << sub.1) {
            let lines = block << sub.1..((block + 1) << sub.1).min(height);
            let [y, u, v] = &mut self.rows;
            places[1].get(&mut planes, block, u)?;
            places[2].get(&mut planes, block, v)?;
            if sub.0 > 0 && changes_first {
                for (wide, narrow) in self.spread.iter_mut().zip([&*u, &*v]) {
                    spread(narrow, sub.0, width as usize, wide);
                }
            }
            self.sums.clear();
            self.sums.resize(u.len(), 0);
            let n = lines.len() as i32;
            for line in lines {
                if !changes_first && !needs_first {
                    break;
                }
                places[0].get(&mut planes, line, y)?;
                if needs_first {
                    add_means(y, sub.0, &mut self.sums);
                }
                if changes_first {
                    let (u, v) = if sub.0 > 0 { (&self.spread[0], &self.spread[1]) } else { (&*u, &*v) };
                    self.step.run(0, [y, u, v], &mut self.out);
                    places[0].put(&mut planes, line, &self.out)?;
                }
            }
            y.clear();
            y.extend(self.sums.iter().map(|s| (s / n) as i16));
            for i in [1, 2] {
                self.step.run(i, [y, u, v], &mut self.out);
                places[i].put(&mut planes, block, &self.out)?;
            }
        }
        Ok(())
    }
}

/// Each of `narrow` 2^`sub` times.
pub fn spread(narrow: &[i16], sub: u32, width: usize, wide: &mut Vec<i16>) {
    wide.clear();
    match sub {
        1 => wide.extend(narrow.iter().flat_map(|v| [*v, *v])),
        _ => wide.extend(narrow.iter().flat_map(|v| std::iter::repeat_n(*v, 1 << sub))),
    }
    wide.truncate(width);
}

/// Adds to each sum the mean of the 2^`sub` samples of `row` that belong to it.
pub fn add_means(row: &[i16], sub: u32, sums: &mut [i32]) {
    let mut done = 0;
    if sub == 1 {
        let pairs = row.as_chunks::<2>().0;
        done = pairs.len();
        sums.iter_mut().zip(pairs).for_each(|(s, p)| *s += (i32::from(p[0]) + i32::from(p[1])) >> 1);
    }
    for (s, c) in sums.iter_mut().zip(row.chunks(1 << sub)).skip(done) {
        *s += c.iter().map(|v| i32::from(*v)).sum::<i32>() / c.len() as i32;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gstreamer_video::{VideoFormat, VideoInfo};

    #[test]
    fn there_and_back_is_where_it_was() {
        gstreamer::init().unwrap();
        let spec = Spec::new(VideoInfo::builder(VideoFormat::I420, 1920, 1080).build().unwrap()).unwrap();
        let (there, back) = rgb_to_yuv(&spec);
        let both = product(&back, &there);
        for (i, row) in both.iter().enumerate() {
            for (j, v) in row.iter().enumerate() {
                assert!((v - f64::from(u8::from(i == j))).abs() < 1e-9, "{i} {j}: {v}");
            }
        }
    }
}

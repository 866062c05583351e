//! Gaussian smoothing of 8-bit planes: to the bit what `cv::GaussianBlur` makes of them, in half of its time or less.
//!
//! OpenCV's 8-bit result is exact arithmetic: weights in 256ths and one rounding at the end. So the order of the passes is
//! free, and going down first takes no buffer but one row:
//!
//! ```text
//! rows y-r … y+r of bytes ─ down ─► one row of 16-bit sums, borders reflected ─ across ─► row y of bytes
//! ```
//!
//! Each pass exists for the multiply-add instructions of AVX2 and AVX-512, which compilers do not find by themselves, and in
//! plain code. The processor and the width of the plane decide which one runs.

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
mod plain;

use multiversion::multiversion;
use opencv::core as cv;
use opencv::imgproc;
use opencv::prelude::*;

use crate::frame::{PlaneBytes, PlaneBytesMut};

/// The weights of one size and sigma in each direction.
#[derive(Debug)]
pub struct Kernel {
    x: Weights,
    y: Weights,
}

/// Working space, kept from call to call so that nothing is allocated per frame.
#[derive(Debug, Default)]
pub struct Scratch {
    /// One row, with the samples beyond its borders.
    sums: Vec<i16>,
    /// Where the rows begin that the row at hand is made of.
    rows: Vec<usize>,
}

/// The weights of one direction in 256ths; they sum up to 256.
#[derive(Debug, PartialEq, Eq)]
struct Weights {
    /// `[0]` is the middle one, `[i]` the one at distance `i`.
    half: Vec<u16>,
    /// All of them in pairs of 16 bits, for multiply-add instructions: from the first one on (for samples at even places),
    /// and from an added zero on (for odd ones).
    pairs: Vec<[[i16; 2]; 2]>,
    /// All of them two by two, places and weights, such that `vpmaddubsw` does not saturate: bytes times weights below 128
    /// that sum up to 128 at most.
    couples: Vec<([usize; 2], [u8; 2])>,
}

impl Kernel {
    /// For kernels of `size` = width × height samples, both odd; a sigma of 0 is derived from the size as OpenCV does.
    /// `None` where OpenCV should do it: without AVX2 it is as fast.
    pub fn new(size: cv::Size, sigma_x: f64, sigma_y: f64) -> opencv::Result<Option<Self>> {
        #[cfg(target_arch = "x86_64")]
        let faster = std::arch::is_x86_feature_detected!("avx2");
        #[cfg(not(target_arch = "x86_64"))]
        let faster = false;
        if faster { Self::weighted(size, sigma_x, sigma_y) } else { Ok(None) }
    }

    /// `None` where the weights cannot be had in 256ths.
    fn weighted(size: cv::Size, sigma_x: f64, sigma_y: f64) -> opencv::Result<Option<Self>> {
        let (x, y) = (Weights::new(size.width, sigma_x)?, Weights::new(size.height, sigma_y)?);
        Ok(x.zip(y).map(|(x, y)| Kernel { x, y }))
    }

    /// Smooths `src`, whose samples are `channels` interleaved ones, into `dst` of the same size. Samples beyond the
    /// border are the reflected ones (`BORDER_REFLECT_101`).
    ///
    /// # Panics
    /// If the sizes differ.
    pub fn run(&self, src: &PlaneBytes, dst: &mut PlaneBytesMut, channels: usize, scratch: &mut Scratch) {
        assert_eq!((src.rows, src.row_bytes), (dst.rows, dst.row_bytes), "one size");
        smooth(self, src, dst, channels, scratch);
    }
}

impl Weights {
    /// As OpenCV's `getGaussianKernelFixedPoint_ED`: each weight's rounding error goes to the next one inwards.
    fn new(size: i32, sigma: f64) -> opencv::Result<Option<Self>> {
        let exact = imgproc::get_gaussian_kernel(size, sigma, cv::CV_64F)?;
        let exact: &[f64] = exact.data_typed()?;
        let (mut error, mut rest) = (0.0, 256);
        let mut half = Vec::new();
        for weight in &exact[..exact.len() / 2] {
            let wanted = weight * 256.0 + error;
            let got = wanted.round_ties_even();
            error = wanted - got;
            rest -= 2 * got as i32;
            half.push(got as i32);
        }
        half.push(rest);
        half.reverse();
        Ok(half.into_iter().map(|w| u16::try_from(w).ok()).collect::<Option<_>>().map(Self::of))
    }

    fn of(half: Vec<u16>) -> Self {
        let reach = half.len() - 1;
        // `i` counts from the outermost weight on the left.
        let at = |i: Option<usize>| i.and_then(|i| half.get(reach.abs_diff(i))).map_or(0, |w| *w as i16);
        let pairs = (0..=reach)
            .map(|k| [[at(Some(2 * k)), at(Some(2 * k + 1))], [at((2 * k).checked_sub(1)), at(Some(2 * k))]])
            .collect();
        let mut singles: Vec<(usize, u8)> = Vec::new();
        for i in 0..=2 * reach {
            // Greater ones go in parts.
            let (mut rest, parts) = (half[reach.abs_diff(i)], half[reach.abs_diff(i)].div_ceil(64));
            for part in (1..=parts).rev() {
                singles.push((i, (rest / part) as u8));
                rest -= rest / part;
            }
        }
        singles.sort_by_key(|s| s.1);
        let mut couples = Vec::new();
        let mut singles = singles.into_iter();
        while let Some((i, w)) = singles.next_back() {
            // No part is greater than 64, so any two go together.
            let (j, v) = singles.next().unwrap_or((i, 0));
            couples.push(([i, j], [w, v]));
        }
        Weights { half, pairs, couples }
    }

    /// How many samples on each side take part.
    fn reach(&self) -> usize {
        self.half.len() - 1
    }
}

/// The sample at `i` of `len` ones, or the one it is a reflection of: -1 is 1.
fn reflect(i: isize, len: usize) -> usize {
    if (0..len as isize).contains(&i) {
        return i as usize;
    }
    let period = (2 * len - 2).max(1);
    let i = i.rem_euclid(period as isize) as usize;
    i.min(period - i)
}

#[multiversion(targets("x86_64+avx512bw+avx512vnni", "x86_64+avx2"))]
fn smooth(kernel: &Kernel, src: &PlaneBytes, dst: &mut PlaneBytesMut, channels: usize, scratch: &mut Scratch) {
    multiversion::target::match_target! {
        "x86_64+avx512bw+avx512vnni" => if src.row_bytes >= avx512::BLOCK {
            let down = |w: &_, s: &_, r: &_, o: &mut _| avx512::down(w, s, r, o);
            return each_row(kernel, src, dst, channels, scratch, down, |w, s, c, o| avx512::across(w, s, c, o));
        },
        "x86_64+avx2" => if src.row_bytes >= avx2::BLOCK {
            let down = |w: &_, s: &_, r: &_, o: &mut _| avx2::down(w, s, r, o);
            return each_row(kernel, src, dst, channels, scratch, down, |w, s, c, o| avx2::across(w, s, c, o));
        },
        _ => {},
    }
    each_row(kernel, src, dst, channels, scratch, plain::down, plain::across);
}

/// `down` gets the source, where its rows begin and a row of sums to fill; `across` that row with reflected borders, the
/// number of channels and a row of the destination to fill.
#[inline(always)]
fn each_row(
    kernel: &Kernel,
    src: &PlaneBytes,
    dst: &mut PlaneBytesMut,
    channels: usize,
    Scratch { sums, rows }: &mut Scratch,
    down: impl Fn(&Weights, &[u8], &[usize], &mut [i16]),
    across: impl Fn(&Weights, &[i16], usize, &mut [u8]),
) {
    let (n, columns) = (src.row_bytes, src.row_bytes / channels);
    let (above, left) = (kernel.y.reach() as isize, kernel.x.reach() as isize);
    let edge = kernel.x.reach() * channels;
    // One more pixel for the partner of the last weight, which has a weight of 0.
    sums.resize(n + 2 * edge + channels, 0);
    for y in 0..src.rows {
        rows.clear();
        rows.extend((-above..=above).map(|d| reflect(y as isize + d, src.rows) * src.stride));
        down(&kernel.y, src.data, rows, &mut sums[edge..edge + n]);
        for x in (-left..0).chain(columns as isize..columns as isize + left) {
            let (from, to) = (edge + reflect(x, columns) * channels, (left + x) as usize * channels);
            sums.copy_within(from..from + channels, to);
        }
        across(&kernel.x, sums, channels, &mut dst.data[y * dst.stride..][..n]);
    }
}

/// What the sums in between are short of, so that they fit in signed 16 bits.
const OFFSET: u16 = 0x8000;

/// Where blocks begin in a row of `n` samples: the last one ends with the row and may overlap the one before it.
#[cfg(target_arch = "x86_64")]
#[inline]
fn blocks<const BLOCK: usize>(n: usize) -> impl Iterator<Item = usize> {
    (0..n.div_ceil(BLOCK)).map(move |i| (i * BLOCK).min(n - BLOCK))
}

#[cfg(test)]
mod tests {
    use opencv::core::{Mat, Size};

    use super::*;

    struct Picture {
        bytes: Vec<u8>,
        columns: usize,
        rows: usize,
        channels: usize,
        padding: usize,
    }

    impl Picture {
        fn new(columns: usize, rows: usize, channels: usize, padding: usize, sample: impl FnMut() -> u8) -> Self {
            let bytes = std::iter::repeat_with(sample).take(rows * (columns * channels + padding)).collect();
            Picture { bytes, columns, rows, channels, padding }
        }

        fn noise(columns: usize, rows: usize, channels: usize, padding: usize) -> Self {
            let mut seed = 1u32;
            Picture::new(columns, rows, channels, padding, || {
                seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                // Extremes are as likely as all the rest.
                if seed & 0x0080_0000 == 0 { (seed >> 24) as u8 } else { 255 * (seed >> 31) as u8 }
            })
        }

        fn stride(&self) -> usize {
            self.columns * self.channels + self.padding
        }

        fn plane(&self) -> PlaneBytes<'_> {
            let row_bytes = self.columns * self.channels;
            PlaneBytes { data: &self.bytes, stride: self.stride(), rows: self.rows, row_bytes }
        }

        fn visible(bytes: &[u8], like: &Picture) -> Vec<u8> {
            let rows = bytes.chunks(like.stride());
            rows.flat_map(|r| &r[..like.columns * like.channels]).copied().collect()
        }

        /// Smoothed by `f`; padding stays as it was, which is 77.
        fn smoothed(&self, f: impl FnOnce(&PlaneBytes, &mut PlaneBytesMut)) -> Vec<u8> {
            let mut out = vec![77; self.bytes.len()];
            let from = self.plane();
            f(
                &from,
                &mut PlaneBytesMut { data: &mut out, stride: from.stride, rows: from.rows, row_bytes: from.row_bytes },
            );
            for row in out.chunks(self.stride()) {
                assert!(row[from.row_bytes..].iter().all(|b| *b == 77), "padding was written to");
            }
            Picture::visible(&out, self)
        }

        fn by_opencv(&self, size: Size, sigma: f64) -> Vec<u8> {
            let flat = Picture::visible(&self.bytes, self);
            let mat = Mat::from_slice(&flat).unwrap();
            let mat = mat.reshape(self.channels as i32, self.rows as i32).unwrap();
            let mut out = Mat::default();
            imgproc::gaussian_blur_def(&mat, &mut out, size, sigma).unwrap();
            out.data_bytes().unwrap().to_vec()
        }
    }

    fn plainly(kernel: &Kernel, src: &PlaneBytes, dst: &mut PlaneBytesMut, channels: usize) {
        each_row(kernel, src, dst, channels, &mut Scratch::default(), plain::down, plain::across);
    }

    /// With AVX2 even where the processor could do more.
    #[multiversion(targets("x86_64+avx2"))]
    fn with_avx2(kernel: &Kernel, src: &PlaneBytes, dst: &mut PlaneBytesMut, channels: usize) {
        multiversion::target::match_target! {
            "x86_64+avx2" => if src.row_bytes >= avx2::BLOCK {
                let down = |w: &_, s: &_, r: &_, o: &mut _| avx2::down(w, s, r, o);
                let across = |w: &_, s: &_, c, o: &mut _| avx2::across(w, s, c, o);
                return each_row(kernel, src, dst, channels, &mut Scratch::default(), down, across);
            },
            _ => {},
        }
        plainly(kernel, src, dst, channels);
    }

    /// Compares all three with OpenCV, which as of 4.6 makes the very same bytes; one step of difference is granted to
    /// builds of OpenCV with another 8-bit filter in it.
    fn check(picture: &Picture, size: Size, sigma: f64) {
        let kernel = Kernel::weighted(size, sigma, sigma).unwrap().unwrap();
        let mut scratch = Scratch::default();
        let n = picture.channels;
        let ours = picture.smoothed(|src, dst| kernel.run(src, dst, n, &mut scratch));
        assert!(ours == picture.smoothed(|src, dst| plainly(&kernel, src, dst, n)), "plain: {size:?} {sigma:?}");
        assert!(ours == picture.smoothed(|src, dst| with_avx2(&kernel, src, dst, n)), "AVX2: {size:?} {sigma:?}");
        let theirs = picture.by_opencv(size, sigma);
        let most = ours.iter().zip(&theirs).map(|(a, b)| a.abs_diff(*b)).max();
        assert!(most <= Some(1), "{size:?} {sigma:?}, {}x{}x{n}: {most:?}", picture.columns, picture.rows);
    }

    #[test]
    fn every_size_gives_what_opencv_gives() {
        let picture = Picture::noise(131, 40, 1, 13);
        for n in (1..=31).step_by(2).chain([63, 255]) {
            check(&picture, Size::new(n, n), 0.0);
            check(&picture, Size::new(n, 3), 1.2);
            check(&picture, Size::new(5, n), n.into());
        }
    }

    #[test]
    fn every_shape_gives_what_opencv_gives() {
        for channels in 1..=4 {
            for columns in [1, 2, 5, 16, 31, 32, 33, 64, 65, 127, 128, 129, 200, 321] {
                for (rows, padding) in [(1, 0), (2, 3), (7, 64)] {
                    let picture = Picture::noise(columns, rows, channels, padding);
                    check(&picture, Size::new(9, 9), 0.0);
                    check(&picture, Size::new(5, 17), 0.0);
                }
            }
        }
    }

    #[test]
    fn even_areas_stay_what_they_are() {
        for value in [0, 1, 127, 254, 255] {
            let picture = Picture::new(150, 12, 1, 0, || value);
            for n in [3, 9, 31] {
                let kernel = Kernel::weighted(Size::new(n, n), 0.0, 0.0).unwrap().unwrap();
                let out = picture.smoothed(|src, dst| kernel.run(src, dst, 1, &mut Scratch::default()));
                assert!(out.iter().all(|v| *v == value), "{value} with size {n}");
            }
        }
    }

    #[test]
    fn weights_sum_up_and_never_saturate() {
        for (size, sigma) in (1..=255).step_by(2).flat_map(|n| [0.0, 0.1, 0.5, 3.0, 100.0].map(|s| (n, s))) {
            let w = Weights::new(size, sigma).unwrap().unwrap();
            assert_eq!(2 * w.half.iter().sum::<u16>() - w.half[0], 256, "size {size}, sigma {sigma}");
            assert_eq!(w.couples.iter().flat_map(|c| c.1).map(u32::from).sum::<u32>(), 256);
            assert!(w.couples.iter().flat_map(|c| c.1).all(|w| w <= 64));
        }
    }
}

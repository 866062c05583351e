//! The two passes in plain code, for planes that are narrower than the blocks of the others. Compilers turn it into vectors
//! of 16-bit integers; with those of SSE2 it is no faster than OpenCV.

use super::{OFFSET, Weights};

const BLOCK: usize = 64;

/// `n` samples from `at` on, in an array, whose length is what makes the loops below vectors.
#[inline(always)]
fn block<T: Copy + Default>(from: &[T], at: usize, n: usize) -> [T; BLOCK] {
    let from = &from[at..at + n];
    from.first_chunk().copied().unwrap_or_else(|| {
        let mut block = [T::default(); BLOCK];
        block[..n].copy_from_slice(from);
        block
    })
}

#[inline(always)]
pub fn down(weights: &Weights, src: &[u8], rows: &[usize], out: &mut [i16]) {
    let (above, below) = rows.split_at(weights.reach());
    for (out, at) in out.chunks_mut(BLOCK).zip((0..).step_by(BLOCK)) {
        let n = out.len();
        let mut sum = block(src, below[0] + at, n).map(|v| OFFSET.wrapping_add(u16::from(v) * weights.half[0]));
        for ((w, a), b) in weights.half[1..].iter().zip(above.iter().rev()).zip(&below[1..]) {
            let (a, b) = (block(src, a + at, n), block(src, b + at, n));
            for i in 0..BLOCK {
                sum[i] = sum[i].wrapping_add((u16::from(a[i]) + u16::from(b[i])).wrapping_mul(*w));
            }
        }
        let sum = sum.map(|s| s as i16);
        out.copy_from_slice(&sum[..n]);
    }
}

/// The high and the low bytes of the sums go their own ways, so that 16 bits hold every product.
#[inline(always)]
pub fn across(weights: &Weights, sums: &[i16], channels: usize, out: &mut [u8]) {
    let reach = weights.reach();
    for (out, at) in out.chunks_mut(BLOCK).zip((0..).step_by(BLOCK)) {
        let n = out.len();
        let middle = block(sums, at + reach * channels, n).map(|s| s as u16 ^ OFFSET);
        let mut high = middle.map(|s| (s >> 8).wrapping_mul(weights.half[0]));
        let mut low = middle.map(|s| (s & 255).wrapping_mul(weights.half[0]));
        for (d, w) in (1..).zip(&weights.half[1..]) {
            let a = block(sums, at + (reach - d) * channels, n);
            let b = block(sums, at + (reach + d) * channels, n);
            for i in 0..BLOCK {
                let (a, b) = (a[i] as u16 ^ OFFSET, b[i] as u16 ^ OFFSET);
                high[i] = high[i].wrapping_add(((a >> 8) + (b >> 8)).wrapping_mul(*w));
                low[i] = low[i].wrapping_add(((a & 255) + (b & 255)).wrapping_mul(*w));
            }
        }
        let mut whole = [0; BLOCK];
        for i in 0..BLOCK {
            whole[i] = (high[i].wrapping_add(low[i] >> 8).wrapping_add(128) >> 8) as u8;
        }
        out.copy_from_slice(&whole[..n]);
    }
}

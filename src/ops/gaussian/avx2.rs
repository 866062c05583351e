//! The two passes for AVX2, 64 samples at a time.

use std::arch::x86_64::*;

use bytemuck::cast;

use super::{OFFSET, Weights, blocks};

/// Samples that are worked on at once; a row has at least these.
pub const BLOCK: usize = 64;

#[inline]
#[target_feature(enable = "avx2")]
fn words(from: &[i16]) -> __m256i {
    let words: [i16; 16] = *from.first_chunk().expect("sliced to a length");
    cast(words)
}

#[inline]
#[target_feature(enable = "avx2")]
fn bytes(from: &[u8]) -> __m256i {
    let bytes: [u8; 32] = *from.first_chunk().expect("sliced to a length");
    cast(bytes)
}

#[inline]
#[target_feature(enable = "avx2")]
pub fn down(weights: &Weights, src: &[u8], rows: &[usize], out: &mut [i16]) {
    for at in blocks::<BLOCK>(out.len()) {
        let mut sum = [_mm256_set1_epi16(OFFSET as i16); 4];
        for (i, w) in &weights.couples {
            let w = _mm256_set1_epi16(i16::from_le_bytes(*w));
            let (a, b) = (&src[rows[i[0]] + at..][..BLOCK], &src[rows[i[1]] + at..][..BLOCK]);
            for i in 0..2 {
                let (a, b) = (bytes(&a[32 * i..]), bytes(&b[32 * i..]));
                let (low, high) = (_mm256_unpacklo_epi8(a, b), _mm256_unpackhi_epi8(a, b));
                sum[2 * i] = _mm256_add_epi16(sum[2 * i], _mm256_maddubs_epi16(low, w));
                sum[2 * i + 1] = _mm256_add_epi16(sum[2 * i + 1], _mm256_maddubs_epi16(high, w));
            }
        }
        let sum = [
            _mm256_permute2x128_si256::<0x20>(sum[0], sum[1]),
            _mm256_permute2x128_si256::<0x31>(sum[0], sum[1]),
            _mm256_permute2x128_si256::<0x20>(sum[2], sum[3]),
            _mm256_permute2x128_si256::<0x31>(sum[2], sum[3]),
        ];
        let sum: [i16; BLOCK] = cast(sum);
        out[at..at + BLOCK].copy_from_slice(&sum);
    }
}

#[inline]
#[target_feature(enable = "avx2")]
pub fn across(weights: &Weights, sums: &[i16], channels: usize, out: &mut [u8]) {
    // 256 times what `down` left out, and the half that rounds.
    let start = _mm256_set1_epi32((OFFSET as i32) * 256 + 0x8000);
    for at in blocks::<BLOCK>(out.len()) {
        let (mut one, mut two) = ([start; 4], [start; 4]);
        if channels == 1 {
            // Neighbours are partners: one load serves the samples at even places and, with weights moved by one, the odd.
            for (k, [we, wo]) in weights.pairs.iter().enumerate() {
                let (we, wo) = (_mm256_set1_epi32(cast(*we)), _mm256_set1_epi32(cast(*wo)));
                let from = &sums[at + 2 * k..][..BLOCK];
                for i in 0..4 {
                    let v = words(&from[16 * i..]);
                    one[i] = _mm256_add_epi32(one[i], _mm256_madd_epi16(v, we));
                    two[i] = _mm256_add_epi32(two[i], _mm256_madd_epi16(v, wo));
                }
            }
        } else {
            // Partners come together first, which leaves the lower and the upper half of each 128 bits.
            for (k, [w, _]) in weights.pairs.iter().enumerate() {
                let w = _mm256_set1_epi32(cast(*w));
                let a = &sums[at + 2 * k * channels..][..BLOCK];
                let b = &sums[at + (2 * k + 1) * channels..][..BLOCK];
                for i in 0..4 {
                    let (a, b) = (words(&a[16 * i..]), words(&b[16 * i..]));
                    one[i] = _mm256_add_epi32(one[i], _mm256_madd_epi16(_mm256_unpacklo_epi16(a, b), w));
                    two[i] = _mm256_add_epi32(two[i], _mm256_madd_epi16(_mm256_unpackhi_epi16(a, b), w));
                }
            }
        }
        let mut w16 = [start; 4];
        for i in 0..4 {
            let low = _mm256_srli_epi32::<16>(one[i]);
            w16[i] = match channels {
                1 => _mm256_blend_epi16::<0xaa>(low, two[i]),
                _ => _mm256_packus_epi32(low, _mm256_srli_epi32::<16>(two[i])),
            };
        }
        let pack = [_mm256_packus_epi16(w16[0], w16[1]), _mm256_packus_epi16(w16[2], w16[3])];
        let pack = [_mm256_permute4x64_epi64::<0xd8>(pack[0]), _mm256_permute4x64_epi64::<0xd8>(pack[1])];
        let pack: [u8; BLOCK] = cast(pack);
        out[at..at + BLOCK].copy_from_slice(&pack);
    }
}

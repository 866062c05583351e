//! The two passes for AVX-512 with BW and VNNI, 128 samples at a time: those of AVX2 with registers twice as wide, and one
//! instruction for multiply and add.

use std::arch::x86_64::*;

use bytemuck::cast;

use super::{OFFSET, Weights, blocks};

/// Samples that are worked on at once; a row has at least these.
pub const BLOCK: usize = 128;

#[inline]
#[target_feature(enable = "avx512bw,avx512vnni")]
fn words(from: &[i16]) -> __m512i {
    let words: [i16; 32] = *from.first_chunk().expect("sliced to a length");
    cast(words)
}

#[inline]
#[target_feature(enable = "avx512bw,avx512vnni")]
fn bytes(from: &[u8]) -> __m512i {
    let bytes: [u8; 64] = *from.first_chunk().expect("sliced to a length");
    cast(bytes)
}

#[inline]
#[target_feature(enable = "avx512bw,avx512vnni")]
pub fn down(weights: &Weights, src: &[u8], rows: &[usize], out: &mut [i16]) {
    let order = [_mm512_setr_epi64(0, 1, 8, 9, 2, 3, 10, 11), _mm512_setr_epi64(4, 5, 12, 13, 6, 7, 14, 15)];
    for at in blocks::<BLOCK>(out.len()) {
        let mut sum = [_mm512_set1_epi16(OFFSET as i16); 4];
        for (i, w) in &weights.couples {
            let w = _mm512_set1_epi16(i16::from_le_bytes(*w));
            let (a, b) = (&src[rows[i[0]] + at..][..BLOCK], &src[rows[i[1]] + at..][..BLOCK]);
            for i in 0..2 {
                let (a, b) = (bytes(&a[64 * i..]), bytes(&b[64 * i..]));
                let (low, high) = (_mm512_unpacklo_epi8(a, b), _mm512_unpackhi_epi8(a, b));
                sum[2 * i] = _mm512_add_epi16(sum[2 * i], _mm512_maddubs_epi16(low, w));
                sum[2 * i + 1] = _mm512_add_epi16(sum[2 * i + 1], _mm512_maddubs_epi16(high, w));
            }
        }
        let sum = [
            _mm512_permutex2var_epi64(sum[0], order[0], sum[1]),
            _mm512_permutex2var_epi64(sum[0], order[1], sum[1]),
            _mm512_permutex2var_epi64(sum[2], order[0], sum[3]),
            _mm512_permutex2var_epi64(sum[2], order[1], sum[3]),
        ];
        let sum: [i16; BLOCK] = cast(sum);
        out[at..at + BLOCK].copy_from_slice(&sum);
    }
}

#[inline]
#[target_feature(enable = "avx512bw,avx512vnni")]
pub fn across(weights: &Weights, sums: &[i16], channels: usize, out: &mut [u8]) {
    // 256 times what `down` left out, and the half that rounds.
    let start = _mm512_set1_epi32((OFFSET as i32) * 256 + 0x8000);
    for at in blocks::<BLOCK>(out.len()) {
        let (mut one, mut two) = ([start; 4], [start; 4]);
        if channels == 1 {
            // Neighbours are partners: one load serves the samples at even places and, with weights moved by one, the odd.
            for (k, [we, wo]) in weights.pairs.iter().enumerate() {
                let (we, wo) = (_mm512_set1_epi32(cast(*we)), _mm512_set1_epi32(cast(*wo)));
                let from = &sums[at + 2 * k..][..BLOCK];
                for i in 0..4 {
                    let v = words(&from[32 * i..]);
                    one[i] = _mm512_dpwssd_epi32(one[i], v, we);
                    two[i] = _mm512_dpwssd_epi32(two[i], v, wo);
                }
            }
        } else {
            // Partners come together first, which leaves the lower and the upper half of each 128 bits.
            for (k, [w, _]) in weights.pairs.iter().enumerate() {
                let w = _mm512_set1_epi32(cast(*w));
                let a = &sums[at + 2 * k * channels..][..BLOCK];
                let b = &sums[at + (2 * k + 1) * channels..][..BLOCK];
                for i in 0..4 {
                    let (a, b) = (words(&a[32 * i..]), words(&b[32 * i..]));
                    one[i] = _mm512_dpwssd_epi32(one[i], _mm512_unpacklo_epi16(a, b), w);
                    two[i] = _mm512_dpwssd_epi32(two[i], _mm512_unpackhi_epi16(a, b), w);
                }
            }
        }
        for (i, out) in out[at..at + BLOCK].chunks_exact_mut(32).enumerate() {
            let low = _mm512_srli_epi32::<16>(one[i]);
            let both = match channels {
                1 => _mm512_mask_blend_epi16(0xaaaa_aaaa, low, two[i]),
                _ => _mm512_packus_epi32(low, _mm512_srli_epi32::<16>(two[i])),
            };
            let both: [u8; 32] = cast(_mm512_cvtepi16_epi8(both));
            out.copy_from_slice(&both);
        }
    }
}

//! A picture made smaller by a whole factor, as `cv::resize` with `INTER_AREA` does it, on one thread: OpenCV wakes a second
//! one for it, which then spins beside the decoder, and takes ten times as long for factors other than 2.

use multiversion::multiversion;
use opencv::core::Mat;
use opencv::prelude::*;

/// Writes the means of `factor` x `factor` pixels of an 8-bit gray picture to `to`, rows of `width`; what is left over at the
/// right and the bottom does not count. `sums` is scratch.
pub(super) fn shrink(
    from: &impl MatTraitConst,
    factor: usize,
    width: usize,
    sums: &mut Vec<u32>,
    to: &mut Mat,
) -> opencv::Result<()> {
    sums.resize(width * factor, 0);
    for (y, to) in to.data_bytes_mut()?.chunks_exact_mut(width).enumerate() {
        let row = |k: usize| from.at_row::<u8>((y * factor + k) as i32);
        match factor {
            1 => to.copy_from_slice(&row(0)?[..width]),
            2 => quarters(row(0)?, row(1)?, to),
            _ => {
                sums.iter_mut().zip(row(0)?).for_each(|(s, v)| *s = u32::from(*v));
                (1..factor).try_for_each(|k| row(k).map(|r| add(sums, r)))?;
                means(factor, sums, to);
            }
        }
    }
    Ok(())
}

#[multiversion(targets("x86_64+avx512f+avx512bw+avx512vl", "x86_64+avx2"))]
fn add(sums: &mut [u32], row: &[u8]) {
    sums.iter_mut().zip(row).for_each(|(s, v)| *s += u32::from(*v));
}

/// Means of two by two pixels of two rows.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512vl", "x86_64+avx2"))]
fn quarters(upper: &[u8], lower: &[u8], to: &mut [u8]) {
    for ((to, a), b) in to.iter_mut().zip(upper.as_chunks().0).zip(lower.as_chunks().0) {
        let (a, b) = (u16::from_le_bytes(*a), u16::from_le_bytes(*b));
        *to = (((a & 255) + (a >> 8) + (b & 255) + (b >> 8) + 2) >> 2) as u8;
    }
}

#[multiversion(targets("x86_64+avx512f+avx512bw+avx512vl", "x86_64+avx2"))]
fn means(factor: usize, sums: &[u32], to: &mut [u8]) {
    let part = 1.0 / (factor * factor) as f32;
    let mean = |s: &[u32]| (s.iter().sum::<u32>() as i32 as f32 * part + 0.5) as i32 as u8;
    match factor {
        // Known in advance, so that neighbours are added many at a time.
        3 => sums.as_chunks::<3>().0.iter().zip(to).for_each(|(s, to)| *to = mean(s)),
        4 => sums.as_chunks::<4>().0.iter().zip(to).for_each(|(s, to)| *to = mean(s)),
        _ => sums.chunks_exact(factor).zip(to).for_each(|(s, to)| *to = mean(s)),
    }
}

#[cfg(test)]
mod tests {
    use opencv::core::{CV_8UC1, Size};
    use opencv::imgproc;

    use super::*;

    #[test]
    fn it_is_what_opencv_makes() {
        let mut seed = 1u32;
        for factor in 1..=7usize {
            let (width, height) = (13, 5);
            let mut from =
                Mat::new_rows_cols_with_default((height * factor) as i32, (width * factor) as i32, CV_8UC1, 0.into())
                    .unwrap();
            for v in from.data_bytes_mut().unwrap() {
                seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                *v = (seed >> 24) as u8;
            }
            let size = Size::new(width as i32, height as i32);
            let (mut theirs, mut ours) = (Mat::default(), Mat::new_size_with_default(size, CV_8UC1, 7.into()).unwrap());
            imgproc::resize(&from, &mut theirs, size, 0.0, 0.0, imgproc::INTER_AREA).unwrap();
            shrink(&from, factor, width, &mut Vec::new(), &mut ours).unwrap();
            let pairs = ours.data_bytes().unwrap().iter().zip(theirs.data_bytes().unwrap());
            // Halves go up or to the even number.
            let differ = pairs.filter(|(a, b)| a.abs_diff(**b) > usize::from(factor % 2 == 0 && factor > 2) as u8);
            assert_eq!(differ.count(), 0, "factor {factor}");
        }
    }
}

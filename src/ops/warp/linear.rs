//! Bytes between four bytes: `cv::warpAffine` and `cv::remap` with linear interpolation for planes of one channel of 8 bits, with the
//! same weights, in 1/32 of a sample, and the same borders.
//!
//! OpenCV's own take as long for a plane of one channel as for a picture of three. Here only the four bytes are fetched one by one;
//! what comes before and behind is done for many samples at a time.

use multiversion::multiversion;
use opencv::core::{Mat, Vec2s};
use opencv::prelude::*;

use crate::frame::{PlaneBytes, PlaneBytesMut};

/// Samples at a time.
const BLOCK: usize = 64;
/// Bits of a place that lie between two samples.
const STEPS: u32 = 5;
const PART: i32 = (1 << STEPS) - 1;
/// Further bits while a block is walked along.
const FINE: u32 = 10;
/// The farthest place, in samples: beyond any picture, and within 32 bits.
const FAR: f64 = 60_000.0;

/// What is taken where there is no sample.
#[derive(Clone, Copy, Debug)]
pub enum Beyond {
    /// This byte.
    Fill(u8),
    /// The nearest sample.
    Nearest,
}

/// Where the samples of a block come from, in steps.
struct Places {
    x: [i32; BLOCK],
    y: [i32; BLOCK],
}

/// Whether [`affine`] takes a matrix: from one sample to the next it may go 16 samples at most.
pub fn fits(m: &[[f64; 3]; 2]) -> bool {
    m.iter().all(|r| r[0].abs() <= 16.0)
}

/// Writes all of `dst`, a plane of single bytes: sample (x, y) comes from `m` · (x, y, 1), which [`fits`].
pub fn affine(src: &PlaneBytes, dst: &mut PlaneBytesMut, m: &[[f64; 3]; 2], beyond: Beyond) {
    let unit = f64::from(1u32 << (STEPS + FINE));
    let step = m.map(|r| (r[0] * unit).round() as i32);
    blocks(src, dst, beyond, |x, y, places| {
        let start = m.map(|r| ((r[0] * x as f64 + r[1] * y as f64 + r[2]).clamp(-FAR, FAR) * unit).round() as i32);
        walk(start, step, places);
    });
}

#[multiversion(targets("x86_64+avx2"))]
fn walk(start: [i32; 2], step: [i32; 2], places: &mut Places) {
    let start = start.map(|s| s + (1 << (FINE - 1)));
    for i in 0..BLOCK as i32 {
        places.x[i as usize] = (start[0] + step[0] * i) >> FINE;
        places.y[i as usize] = (start[1] + step[1] * i) >> FINE;
    }
}

/// Writes all of `dst`, a plane of single bytes: sample (x, y) comes from where the fixed-point tables of `cv::convertMaps` say.
///
/// # Errors
/// The tables are no such tables, or smaller than `dst`.
pub fn remap(src: &PlaneBytes, dst: &mut PlaneBytesMut, tables: &[Mat; 2], beyond: Beyond) -> opencv::Result<()> {
    let (at, parts, width) = (tables[0].data_typed::<Vec2s>()?, tables[1].data_typed::<u16>()?, dst.row_bytes);
    if at.len().min(parts.len()) < width * dst.rows {
        return Err(opencv::Error::new(opencv::core::StsUnmatchedSizes, "tables for another size"));
    }
    blocks(src, dst, beyond, |x, y, places| {
        let n = BLOCK.min(width - x);
        look_up(&at[y * width + x..][..n], &parts[y * width + x..][..n], places);
    });
    Ok(())
}

#[multiversion(targets("x86_64+avx2"))]
fn look_up(at: &[Vec2s], parts: &[u16], places: &mut Places) {
    let to = places.x.iter_mut().zip(&mut places.y);
    for ((at, part), (x, y)) in at.iter().zip(parts).zip(to) {
        let part = i32::from(*part);
        (*x, *y) = (i32::from(at.0[0]) << STEPS | part & PART, i32::from(at.0[1]) << STEPS | part >> STEPS);
    }
}

/// `place` says, from sample x of row y on, where a block comes from.
fn blocks(src: &PlaneBytes, dst: &mut PlaneBytesMut, beyond: Beyond, place: impl Fn(usize, usize, &mut Places)) {
    let mut places = Places { x: [0; BLOCK], y: [0; BLOCK] };
    for (y, row) in dst.data.chunks_mut(dst.stride.max(1)).take(dst.rows).enumerate() {
        for (n, out) in row[..dst.row_bytes].chunks_mut(BLOCK).enumerate() {
            place(n * BLOCK, y, &mut places);
            match <&mut [u8; BLOCK]>::try_from(&mut *out) {
                Ok(out) if within(src, &places) => inner(src, &places, out),
                _ => {
                    let places = places.x.iter().zip(&places.y);
                    out.iter_mut().zip(places).for_each(|(out, (x, y))| *out = border(src, *x, *y, beyond));
                }
            }
        }
    }
}

/// Whether all four neighbours of each place are in the picture.
#[multiversion(targets("x86_64+avx2"))]
fn within(src: &PlaneBytes, places: &Places) -> bool {
    let most = |n: usize| ((n as i32 - 1) << STEPS).max(0);
    let (right, bottom) = (most(src.row_bytes), most(src.rows));
    let outside = |v: &i32, most: i32| i32::from(*v < 0 || *v >= most);
    let x: i32 = places.x.iter().map(|x| outside(x, right)).sum();
    let y: i32 = places.y.iter().map(|y| outside(y, bottom)).sum();
    x + y == 0
}

#[multiversion(targets("x86_64+avx2"))]
fn inner(src: &PlaneBytes, places: &Places, out: &mut [u8; BLOCK]) {
    let mut starts = [0u32; BLOCK];
    for ((start, x), y) in starts.iter_mut().zip(&places.x).zip(&places.y) {
        *start = (*y as u32 >> STEPS) * src.stride as u32 + (*x as u32 >> STEPS);
    }
    // Left above, right above, left below, right below.
    let mut four = [0u32; BLOCK];
    let below = &src.data[src.stride..];
    for i in 0..BLOCK {
        let pair = |row: &[u8]| {
            row.get(starts[i] as usize..).and_then(|r| r.first_chunk()).map_or(0, |p| u16::from_le_bytes(*p))
        };
        four[i] = u32::from(pair(src.data)) | u32::from(pair(below)) << 16;
    }
    // Both rows are weighed in one number.
    for i in 0..BLOCK {
        let (fx, fy) = ((places.x[i] & PART) as u32, (places.y[i] & PART) as u32);
        let both = (four[i] & 0xff_00ff) * (32 - fx) + (four[i] >> 8 & 0xff_00ff) * fx;
        out[i] = (((both & 0xffff) * (32 - fy) + (both >> 16) * fy + 512) >> 10) as u8;
    }
}

/// One sample that may lie beyond the picture, or have neighbours there.
#[inline]
fn border(src: &PlaneBytes, px: i32, py: i32, beyond: Beyond) -> u8 {
    let (width, height) = (src.row_bytes as i32, src.rows as i32);
    let (x, y, fx, fy) = (px >> STEPS, py >> STEPS, (px & PART) as u32, (py & PART) as u32);
    let at = |x: i32, y: i32| u32::from(src.data[y as usize * src.stride + x as usize]);
    let blend = |four: [u32; 4]| {
        let row = |i: usize| four[i] * (32 - fx) + four[i + 1] * fx;
        ((row(0) * (32 - fy) + row(2) * fy + 512) >> 10) as u8
    };
    if x >= 0 && y >= 0 && x < width - 1 && y < height - 1 {
        return blend([at(x, y), at(x + 1, y), at(x, y + 1), at(x + 1, y + 1)]);
    }
    let near = |x: i32, y: i32| at(x.min(width - 1).max(0), y.min(height - 1).max(0));
    let sample = |x: i32, y: i32| match beyond {
        Beyond::Fill(fill) if x < 0 || y < 0 || x >= width || y >= height => u32::from(fill),
        _ => near(x, y),
    };
    match beyond {
        Beyond::Fill(fill) if x < -1 || y < -1 || x >= width || y >= height => fill,
        _ => blend([sample(x, y), sample(x + 1, y), sample(x, y + 1), sample(x + 1, y + 1)]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use opencv::core::{self as cv, Scalar, Size};
    use opencv::imgproc;

    const SIZE: (i32, i32) = (211, 97);

    /// The largest difference between both on a picture with steps and slopes.
    fn apart(
        nearest: bool,
        ours: impl Fn(&PlaneBytes, &mut PlaneBytesMut, Beyond),
        theirs: impl Fn(&Mat, &mut Mat, i32, Scalar),
    ) -> u8 {
        let mut mat = Mat::new_rows_cols_with_default(SIZE.1, SIZE.0, cv::CV_8UC1, Scalar::all(0.0)).unwrap();
        let bytes = mat.data_bytes_mut().unwrap();
        bytes.iter_mut().enumerate().for_each(|(i, b)| *b = ((i * 7 % 251) ^ (i / 90)) as u8);
        let (stride, rows) = (SIZE.0 as usize, SIZE.1 as usize);
        let mut out = vec![0; stride * rows];
        let src = PlaneBytes { data: bytes, stride, rows, row_bytes: stride };
        let beyond = if nearest { Beyond::Nearest } else { Beyond::Fill(90) };
        ours(&src, &mut PlaneBytesMut { data: &mut out, stride, rows, row_bytes: stride }, beyond);
        let mut wanted = Mat::default();
        let border = if nearest { cv::BORDER_REPLICATE } else { cv::BORDER_CONSTANT };
        theirs(&mat, &mut wanted, border, Scalar::all(90.0));
        out.iter().zip(wanted.data_bytes().unwrap()).map(|(a, b)| a.abs_diff(*b)).max().unwrap()
    }

    #[test]
    fn tables_give_what_opencv_gives() {
        let size = Size::new(SIZE.0, SIZE.1);
        let mut xy = [(); 2].map(|()| Mat::new_size_with_default(size, cv::CV_32F, Scalar::default()).unwrap());
        for y in 0..SIZE.1 {
            for x in 0..SIZE.0 {
                let (fx, fy) = (f64::from(x), f64::from(y));
                *xy[0].at_2d_mut::<f32>(y, x).unwrap() = (fx * 1.3 - 9.0 + (fy / 5.0).sin() * 4.0) as f32;
                *xy[1].at_2d_mut::<f32>(y, x).unwrap() = (fy * 1.2 - 5.0 + (fx / 7.0).cos() * 3.0) as f32;
            }
        }
        let mut tables = [Mat::default(), Mat::default()];
        let [places, fractions] = &mut tables;
        imgproc::convert_maps(&xy[0], &xy[1], places, fractions, cv::CV_16SC2, false).unwrap();
        for nearest in [false, true] {
            let off = apart(
                nearest,
                |src, dst, beyond| remap(src, dst, &tables, beyond).unwrap(),
                |src, dst, border, fill| {
                    imgproc::remap(src, dst, &tables[0], &tables[1], imgproc::INTER_LINEAR, border, fill).unwrap();
                },
            );
            assert_eq!(off, 0, "nearest: {nearest}");
        }
    }

    #[test]
    fn matrices_give_what_opencv_gives() {
        let matrices = [
            [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]],
            [[0.5, 0.0, 3.25], [0.0, 0.5, -4.5]],
            [[0.9848, 0.1736, -2.5], [-0.1736, 0.9848, 6.125]],
            [[-1.75, 0.25, 50.0], [0.5, -2.0, 30.0]],
        ];
        for m in matrices {
            assert!(fits(&m));
            for nearest in [false, true] {
                let off = apart(
                    nearest,
                    |src, dst, beyond| affine(src, dst, &m, beyond),
                    |src, dst, border, fill| {
                        let m = Mat::from_slice_2d(&m).unwrap();
                        let flags = imgproc::INTER_LINEAR | imgproc::WARP_INVERSE_MAP;
                        imgproc::warp_affine(src, dst, &m, src.size().unwrap(), flags, border, fill).unwrap();
                    },
                );
                // A place between two steps may be rounded the other way: 1/32 of a difference of up to 255, on each axis.
                assert!(off <= 16, "{m:?}, nearest: {nearest}: {off}");
            }
        }
    }

    #[test]
    fn the_smallest_pictures_have_only_borders() {
        let src = PlaneBytes { data: &[200], stride: 1, rows: 1, row_bytes: 1 };
        let mut out = [0; 4];
        let mut dst = PlaneBytesMut { data: &mut out, stride: 2, rows: 2, row_bytes: 2 };
        affine(&src, &mut dst, &[[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]], Beyond::Fill(7));
        assert_eq!(out, [200, 7, 7, 7]);
    }
}

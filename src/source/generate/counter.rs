//! The frame number, for people (huge) and for programs (a strip of blocks along the bottom).
//!
//! The strip is the bottom sixth of the picture: 36 cells in two rows, each cell with its opposite below it, so that a
//! reader needs no threshold and a picture without strip is never mistaken for a number.
//!
//! ```text
//! │1│0│ 32 bits of the frame number, the highest first │1│1│
//! │0│1│ their opposites                                │0│0│
//! ```
//! The guards differ at both ends, so that a mirrored, turned or upside-down picture is refused.

use gstreamer::ClockTime;
use opencv::boxed_ref::BoxedRefMut;
use opencv::core::{CV_8UC1, CV_8UC3, Mat, Rect, Scalar, Vec3b};
use opencv::imgproc;
use opencv::prelude::*;

use super::{Generator, Setup, text};

/// Guards and bits.
const CELLS: i32 = 36;

/// A cell and its opposite differ by this much, of 255, or they are no cell.
const CONTRAST: i32 = 48;

/// Shows which frame this is.
struct Counter;

/// Makes the generator.
pub(super) fn make(_: &Setup) -> Box<dyn Generator> {
    Box::new(Counter)
}

impl Generator for Counter {
    fn draw(&mut self, index: u64, _: ClockTime, to: &mut BoxedRefMut<'_, Mat>) -> opencv::Result<()> {
        let (w, h) = (to.cols(), to.rows());
        for y in 0..h {
            to.at_row_mut::<Vec3b>(y)?.fill(Vec3b::from([96, 72, 52]));
        }
        let shown = index.to_string();
        let widest = "0".repeat(shown.len().max(4));
        let area = Rect::new(w / 12, h / 6, w - w / 6, h / 2);
        text::fit(to, &shown, &"0".repeat(shown.len()), fitted(&widest, &shown, area), Scalar::all(245.0))?;
        let cells = cells(index as u32);
        for i in 0..CELLS {
            for row in 0..2 {
                let ink = if cells[i as usize] == (row == 0) { 235.0 } else { 16.0 };
                if let Some(r) = cell(i, row, w, h) {
                    imgproc::rectangle(to, r, Scalar::all(ink), imgproc::FILLED, imgproc::LINE_8, 0)?;
                }
            }
        }
        Ok(())
    }
}

/// `area` narrowed so that one digit is not as wide as the picture: sized as if it were `widest`.
fn fitted(widest: &str, shown: &str, area: Rect) -> Rect {
    let width = area.width * shown.len() as i32 / widest.len() as i32;
    Rect { x: area.x + (area.width - width) / 2, width, ..area }
}

/// The strip's upper row.
fn cells(number: u32) -> [bool; CELLS as usize] {
    let mut cells = [true; CELLS as usize];
    cells[1] = false;
    for bit in 0..32 {
        cells[2 + bit] = number >> (31 - bit) & 1 == 1;
    }
    cells
}

/// Where cell `i` of `row` lies in a `w × h` picture; `None` where that is less than a pixel.
fn cell(i: i32, row: i32, w: i32, h: i32) -> Option<Rect> {
    let (x0, x1) = (i * w / CELLS, (i + 1) * w / CELLS);
    let (y0, y1) = (h - (2 - row) * h / 12, h - (1 - row) * h / 12);
    (x1 > x0 && y1 > y0).then(|| Rect::new(x0, y0, x1 - x0, y1 - y0))
}

/// Reads the frame number back from a picture (`CV_8UC3` BGR or `CV_8UC1`) that this generator drew, after any coding
/// and scaling that leaves the blocks apart. `None` where there is no such strip, or a bit of it is in doubt.
pub fn read_counter(picture: &impl MatTraitConst) -> Option<u32> {
    let (w, h) = (picture.cols(), picture.rows());
    let channels = picture.channels();
    if !matches!(picture.typ(), CV_8UC1 | CV_8UC3) {
        return None;
    }
    let mean = |r: Rect| -> Option<i32> {
        // The middle half of a cell is far from what its neighbours smear into it.
        let (mx, my) = (r.width / 4, r.height / 4);
        let mut sum = 0;
        for y in r.y + my..r.y + r.height - my {
            for x in r.x + mx..r.x + r.width - mx {
                sum += match channels {
                    1 => i32::from(*picture.at_2d::<u8>(y, x).ok()?),
                    _ => {
                        let [b, g, r] = picture.at_2d::<Vec3b>(y, x).ok()?.0.map(i32::from);
                        (29 * b + 150 * g + 77 * r) >> 8
                    }
                };
            }
        }
        Some(sum / ((r.width - 2 * mx) * (r.height - 2 * my)))
    };
    let mut read = [false; CELLS as usize];
    for i in 0..CELLS {
        let difference = mean(cell(i, 0, w, h)?)? - mean(cell(i, 1, w, h)?)?;
        if difference.abs() < CONTRAST {
            return None;
        }
        read[i as usize] = difference > 0;
    }
    let number = read[2..34].iter().fold(0u32, |n, bit| n << 1 | u32::from(*bit));
    (cells(number) == read).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::super::tests::drawn;
    use super::*;
    use image::codecs::jpeg::JpegEncoder;
    use opencv::core::{Size, flip};

    const NUMBERS: [u64; 7] = [0, 1, 29, 1000, 123_456, 0x5555_5555, 0xffff_ffff];

    #[test]
    fn reads_back_what_was_drawn() {
        for (w, h) in [(320, 180), (64, 64), (321, 241), (1280, 720), (36, 12)] {
            for n in NUMBERS {
                assert_eq!(read_counter(&drawn("counter", w, h, n)), Some(n as u32), "{w}x{h} {n}");
            }
        }
    }

    #[test]
    fn survives_lossy_coding_and_scaling_in_colour_and_gray() {
        for n in NUMBERS {
            let m = drawn("counter", 320, 180, n);
            let mut jpeg = Vec::new();
            let pixels = image::RgbImage::from_raw(320, 180, m.data_bytes().unwrap().to_vec()).unwrap();
            JpegEncoder::new_with_quality(&mut jpeg, 30).encode_image(&pixels).unwrap();
            let coded = image::load_from_memory(&jpeg).unwrap();
            for (pixels, channels) in [(coded.to_rgb8().into_raw(), 3), (coded.to_luma8().into_raw(), 1)] {
                let flat = Mat::from_slice(&pixels).unwrap();
                let decoded = flat.reshape(channels, 180).unwrap().try_clone().unwrap();
                assert_eq!(read_counter(&decoded), Some(n as u32));
                let mut scaled = Mat::default();
                imgproc::resize(&decoded, &mut scaled, Size::new(213, 120), 0.0, 0.0, imgproc::INTER_AREA).unwrap();
                assert_eq!(read_counter(&scaled), Some(n as u32));
            }
        }
    }

    #[test]
    fn refuses_pictures_without_strip_and_turned_ones() {
        for other in ["bars", "noise", "clock", "scene"] {
            assert_eq!(read_counter(&drawn(other, 320, 180, 7)), None, "{other}");
        }
        let m = drawn("counter", 320, 180, 77);
        for code in [-1, 0, 1] {
            let mut flipped = Mat::default();
            flip(&m, &mut flipped, code).unwrap();
            assert_eq!(read_counter(&flipped), None, "flip {code}");
        }
        assert_eq!(read_counter(&Mat::default()), None);
        assert_eq!(read_counter(&drawn("counter", 1, 1, 0)), None);
    }
}

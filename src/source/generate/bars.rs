//! Colour bars after SMPTE EG 1: 75 % bars, the reversed castellations, a grey ramp; and a marker that moves.

use gstreamer::ClockTime;
use opencv::boxed_ref::BoxedRefMut;
use opencv::core::{Mat, Rect, Scalar, Vec3b};
use opencv::imgproc;
use opencv::prelude::*;

use super::{Generator, Setup};

/// 75 % of full scale.
const ON: u8 = 191;

/// White, yellow, cyan, green, magenta, red, blue, as BGR.
const BARS: [[u8; 3]; 7] = [[ON, ON, ON], [0, ON, ON], [ON, ON, 0], [0, ON, 0], [ON, 0, ON], [0, 0, ON], [ON, 0, 0]];

/// Below each bar: blue, black, magenta, black, cyan, black, white. Through a blue filter both rows look alike.
const BELOW: [[u8; 3]; 7] =
    [[ON, 0, 0], [16, 16, 16], [ON, 0, ON], [16, 16, 16], [ON, ON, 0], [16, 16, 16], [ON, ON, ON]];

/// Known colours in known places.
struct Bars;

/// Makes the generator.
pub(super) fn make(_: &Setup) -> Box<dyn Generator> {
    Box::new(Bars)
}

impl Generator for Bars {
    fn draw(&mut self, index: u64, _: ClockTime, to: &mut BoxedRefMut<'_, Mat>) -> opencv::Result<()> {
        let (w, h) = (to.cols(), to.rows());
        let (castellations, ramp) = (h * 2 / 3, h * 3 / 4);
        let row = |color: &dyn Fn(usize) -> [u8; 3]| (0..w as usize).map(|x| Vec3b::from(color(x))).collect();
        let bar = |x: usize| x * BARS.len() / w as usize;
        let rows: [Vec<Vec3b>; 3] =
            [row(&|x| BARS[bar(x)]), row(&|x| BELOW[bar(x)]), row(&|x| [(x * 255 / (w as usize - 1).max(1)) as u8; 3])];
        for y in 0..h {
            let part = usize::from(y >= castellations) + usize::from(y >= ramp);
            to.at_row_mut::<Vec3b>(y)?.copy_from_slice(&rows[part]);
        }
        // At least a pixel a frame, the width in a hundred frames or so.
        let (width, step) = ((w / 40).max(1), (w / 100).max(1));
        let room = (w - width + 1).max(1) as u64;
        let marker = Rect::new(
            (index % room * step as u64 % room) as i32,
            castellations,
            width,
            (ramp - castellations).clamp(1, h - castellations),
        );
        let ink = Scalar::all(if (index / room).is_multiple_of(2) { 255.0 } else { 250.0 });
        imgproc::rectangle(to, marker, ink, imgproc::FILLED, imgproc::LINE_8, 0)
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::drawn;
    use super::*;

    #[test]
    fn bars_are_where_the_standard_has_them() {
        let m = drawn("bars", 700, 240, 0);
        for (i, bar) in BARS.iter().enumerate() {
            assert_eq!(m.at_2d::<Vec3b>(10, i as i32 * 100 + 50).unwrap().0, *bar);
        }
        assert_eq!(m.at_2d::<Vec3b>(230, 699).unwrap().0, [255; 3]);
        assert_eq!(m.at_2d::<Vec3b>(230, 0).unwrap().0, [0; 3]);
    }
}

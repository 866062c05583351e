//! A clock: the frame's own time, large; in live use the wall clock's date and time below it.

use gstreamer::ClockTime;
use opencv::boxed_ref::BoxedRefMut;
use opencv::core::{Mat, Rect, Scalar, Vec3b};
use opencv::imgproc;
use opencv::prelude::*;

use super::{Generator, Setup, text};

/// Shows when a frame is shown.
struct Clock {
    wall: bool,
}

/// Makes the generator.
pub(super) fn make(setup: &Setup) -> Box<dyn Generator> {
    Box::new(Clock { wall: setup.wall })
}

impl Generator for Clock {
    fn draw(&mut self, _: u64, time: ClockTime, to: &mut BoxedRefMut<'_, Mat>) -> opencv::Result<()> {
        let (w, h) = (to.cols(), to.rows());
        for y in 0..h {
            let t = f64::from(y) / f64::from(h);
            let shade = Vec3b::from([(64.0 - 30.0 * t) as u8, (40.0 - 20.0 * t) as u8, (28.0 - 14.0 * t) as u8]);
            to.at_row_mut::<Vec3b>(y)?.fill(shade);
        }
        let ms = time.mseconds();
        let (hours, minutes, seconds) = (ms / 3_600_000, ms / 60_000 % 60, ms / 1000 % 60);
        let shown = format!("{hours:02}:{minutes:02}:{seconds:02}.{:03}", ms % 1000);
        let widest: String = shown.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
        let area = Rect::new(w / 16, h / 4, w - w / 8, h * 2 / 5);
        text::fit(to, &shown, &widest, area, Scalar::new(245.0, 240.0, 235.0, 0.0))?;
        if self.wall {
            let now = jiff::Zoned::now().strftime("%Y-%m-%d %H:%M:%S").to_string();
            let area = Rect::new(w / 4, h * 7 / 10, w / 2, h / 10);
            text::fit(to, &now, "0000-00-00 00:00:00", area, Scalar::new(190.0, 170.0, 150.0, 0.0))?;
        }
        // The running second as a bar: a dropped or doubled frame shows as a jump or a stop.
        let bar = Rect::new(w / 8, h * 9 / 10, w - w / 4, (h / 60).max(1));
        let share = (time.nseconds() % 1_000_000_000) as f64 / 1e9;
        let run = Rect { width: (f64::from(bar.width) * share).round() as i32, ..bar };
        for (rect, color) in [(bar, Scalar::new(90.0, 66.0, 50.0, 0.0)), (run, Scalar::new(60.0, 170.0, 250.0, 0.0))] {
            if rect.width > 0 && rect.height > 0 {
                imgproc::rectangle(to, rect, color, imgproc::FILLED, imgproc::LINE_8, 0)?;
            }
        }
        Ok(())
    }
}

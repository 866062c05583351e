//! SMPTE timecode: `HH:MM:SS:FF`, and `HH:MM:SS;FF` with the drop-frame count of 29.97 and 59.94 frames per second.
//!
//! Drop-frame leaves out the first frame *numbers* (2 at 29.97, 4 at 59.94) of every minute that is no multiple of ten, so
//! that the count keeps up with the clock: SMPTE ST 12-1.

use std::fmt::Write;

use gstreamer::{ClockTime, Fraction};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Whether frame numbers are left out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[allow(missing_docs)]
pub enum DropFrame {
    /// At 29.97 and 59.94.
    #[default]
    Auto,
    On,
    Off,
}

/// How a stream's frames are counted.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Smpte {
    rate: (u64, u64),
    /// Frames that the count has for a second.
    nominal: u64,
    /// Numbers left out in nine of ten minutes.
    drop: u64,
    /// The count at time 0.
    start: u64,
}

/// The fields of `HH:MM:SS:FF`.
pub fn parse(text: &str) -> Result<[u64; 4], String> {
    let bad = || format!("`{text}` is no timecode: give HH:MM:SS:FF, as in 01:00:00:00");
    let fields: Vec<u64> = text
        .split([':', ';', '.'])
        .map(|f| f.parse().ok().filter(|_| f.len() <= 3 && f.bytes().all(|b| b.is_ascii_digit())))
        .collect::<Option<_>>()
        .ok_or_else(bad)?;
    let [h, m, s, f] = fields.try_into().map_err(|_| bad())?;
    if h > 23 || m > 59 || s > 59 {
        return Err(format!("`{text}` is no timecode: 23:59:59 and a frame number is the last one"));
    }
    Ok([h, m, s, f])
}

impl Smpte {
    /// Counts at `fps` frames per second from the timecode `start` on.
    pub fn new(fps: Fraction, drop: DropFrame, start: &str) -> Result<Self, String> {
        if fps.numer() <= 0 || fps.denom() <= 0 {
            return Err(
                "the stream does not say its frame rate, which a timecode counts by: give fps=30, or 29.97".into()
            );
        }
        let (n, d) = (fps.numer() as u64, fps.denom() as u64);
        let nominal = ((n + d / 2) / d).max(1);
        // 30000/1001 and whatever else is written for it (2997/100).
        let exact = n as f64 / d as f64;
        let ntsc = (exact * 1.001 / nominal as f64 - 1.0).abs() < 2e-5;
        let can = ntsc && nominal.is_multiple_of(30);
        if drop == DropFrame::On && !can {
            return Err(format!(
                "drop-frame counts 29.97 or 59.94 frames per second, and this is {exact:.5}: drop-frame=off"
            ));
        }
        let drop = if can && drop != DropFrame::Off { nominal / 15 } else { 0 };
        let mut smpte = Smpte { rate: (n, d), nominal, drop, start: 0 };
        smpte.start = smpte.count(start)?;
        Ok(smpte)
    }

    /// The number of frames from 00:00:00:00 to `text`.
    fn count(&self, text: &str) -> Result<u64, String> {
        let [h, m, s, f] = parse(text)?;
        if f >= self.nominal {
            return Err(format!("`{text}`: a second has the frames 0 to {}", self.nominal - 1));
        }
        if f < self.drop && s == 0 && m % 10 != 0 {
            return Err(format!("`{text}` is left out by drop-frame: the minute begins with frame {}", self.drop));
        }
        let minutes = 60 * h + m;
        Ok((60 * minutes + s) * self.nominal + f - self.drop * (minutes - minutes / 10))
    }

    /// The count of the frame that is shown at `t`.
    pub fn at(&self, t: ClockTime) -> u64 {
        let (n, d) = (u128::from(self.rate.0), u128::from(self.rate.1) * 1_000_000_000);
        self.start + ((u128::from(t.nseconds()) * n + d / 2) / d) as u64
    }

    /// Writes the timecode of a count; after 24 hours it starts again.
    pub fn write(&self, count: u64, out: &mut String) -> std::fmt::Result {
        let Smpte { nominal, drop, .. } = *self;
        let (minute, ten) = (60 * nominal - drop, 600 * nominal - 9 * drop);
        let count = count % (144 * ten);
        let (tens, rest) = (count / ten, count % ten);
        let left_out = drop * (9 * tens + rest.saturating_sub(drop) / minute);
        let n = count + left_out;
        let (f, s) = (n % nominal, n / nominal);
        let separator = if drop > 0 { ';' } else { ':' };
        let width = if nominal > 100 { 3 } else { 2 };
        write!(out, "{:02}:{:02}:{:02}{separator}{f:0width$}", s / 3600, s / 60 % 60, s % 60)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn show(s: &Smpte, count: u64) -> String {
        let mut out = String::new();
        s.write(count, &mut out).unwrap();
        out
    }

    fn counter(n: i32, d: i32, drop: DropFrame) -> Smpte {
        gstreamer::init().unwrap();
        Smpte::new(Fraction::new(n, d), drop, "00:00:00:00").unwrap()
    }

    #[test]
    fn drop_frame_has_the_known_values() {
        let s = counter(30000, 1001, DropFrame::Auto);
        let known = [
            (0, "00:00:00;00"),
            (29, "00:00:00;29"),
            (1799, "00:00:59;29"),
            (1800, "00:01:00;02"),
            (3597, "00:01:59;29"),
            (3598, "00:02:00;02"),
            (17981, "00:09:59;29"),
            (17982, "00:10:00;00"),
            (107892, "01:00:00;00"),
            (2589407, "23:59:59;29"),
            (2589408, "00:00:00;00"),
        ];
        for (count, text) in known {
            assert_eq!(show(&s, count), text);
        }
        let s = counter(60000, 1001, DropFrame::Auto);
        assert_eq!((show(&s, 3599), show(&s, 3600)), ("00:00:59;59".into(), "00:01:00;04".into()));
        assert_eq!(counter(2997, 100, DropFrame::Auto).drop, 2);
    }

    #[test]
    fn other_rates_count_every_number() {
        assert_eq!(show(&counter(25, 1, DropFrame::Auto), 25 * 3600 + 30), "01:00:01:05");
        assert_eq!(show(&counter(24000, 1001, DropFrame::Auto), 1440), "00:01:00:00");
        assert_eq!(show(&counter(30000, 1001, DropFrame::Off), 1800), "00:01:00:00");
        assert_eq!(show(&counter(30, 1, DropFrame::Auto), 1800), "00:01:00:00");
        assert_eq!(show(&counter(120, 1, DropFrame::Auto), 119), "00:00:00:119");
    }

    #[test]
    fn every_count_is_read_back_from_its_timecode() {
        for s in [counter(30000, 1001, DropFrame::Auto), counter(60000, 1001, DropFrame::Auto)] {
            for count in (0..40_000).chain(2_000_000..2_001_000) {
                assert_eq!(s.count(&show(&s, count)), Ok(count));
            }
        }
    }

    #[test]
    fn times_are_those_of_the_nearest_frame() {
        let s = Smpte { start: 100, ..counter(30000, 1001, DropFrame::Auto) };
        for i in [0u64, 1, 17, 1800, 2_589_407] {
            let t = ClockTime::from_nseconds(i * 1001 * 1_000_000_000 / 30000);
            assert_eq!(s.at(t), 100 + i, "truncated to nanoseconds");
            assert_eq!(s.at(ClockTime::from_mseconds(t.mseconds() + 1)), 100 + i, "rounded to milliseconds");
        }
    }

    #[test]
    fn errors_teach() {
        gstreamer::init().unwrap();
        let ntsc = |start| Smpte::new(Fraction::new(30000, 1001), DropFrame::Auto, start).unwrap_err();
        assert!(ntsc("00:01:00:01").contains("left out"));
        assert!(ntsc("00:00:00:30").contains("0 to 29"));
        assert!(ntsc("00:00:00").contains("HH:MM:SS:FF"));
        assert!(ntsc("24:00:00:00").contains("23:59:59"));
        let error = |n, drop| Smpte::new(Fraction::new(n, 1), drop, "00:00:00:00").unwrap_err();
        assert!(error(25, DropFrame::On).contains("drop-frame=off"));
        assert!(error(0, DropFrame::Auto).contains("give fps"));
    }
}

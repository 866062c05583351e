//! Times that always move on, from a source whose timestamps may be missing, repeat or jump back.

use gstreamer::ClockTime;

/// A step back by up to so much is a hiccup, after which the old times go on; more is a new beginning.
const HICCUP: ClockTime = ClockTime::from_seconds(3);
const LEAST: ClockTime = ClockTime::from_mseconds(1);

/// Settles the time of one frame after the other.
#[derive(Debug, Default)]
pub struct Settler {
    last: Option<(ClockTime, Option<ClockTime>)>,
    /// Added since the source began anew.
    offset: ClockTime,
    /// Times that were not what the source said.
    pub repaired: u64,
}

impl Settler {
    /// Time of the frame before this one.
    pub fn last(&self) -> Option<ClockTime> {
        self.last.map(|(t, _)| t)
    }

    /// Forgets what was; for a seek.
    pub fn reset(&mut self) {
        (self.last, self.offset) = (None, ClockTime::ZERO);
    }

    /// The frame's time: what the source says if that is after the frame before, else a repaired one. A frame that is too
    /// early comes closely after the one before, so that the times are those of the source again as soon as can be.
    pub fn settle(&mut self, given: Option<ClockTime>, duration: Option<ClockTime>) -> ClockTime {
        let given = given.map(|t| t + self.offset);
        let time = match (given, self.last) {
            (given, None) => given.unwrap_or(ClockTime::ZERO),
            (Some(t), Some((last, _))) if t > last => t,
            (given, Some((last, before))) => {
                self.repaired += 1;
                let step = before.or(duration).unwrap_or(LEAST).max(LEAST);
                match given {
                    Some(t) if last - t < HICCUP => last + (step / 4).max(LEAST),
                    Some(t) => {
                        self.offset += last + step - t;
                        last + step
                    }
                    None => last + step,
                }
            }
        };
        self.last = Some((time, duration));
        time
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(times: &[Option<u64>]) -> (Vec<u64>, u64) {
        let mut s = Settler::default();
        let frame = Some(ClockTime::from_mseconds(40));
        let out = times.iter().map(|t| s.settle(t.map(ClockTime::from_mseconds), frame).mseconds()).collect();
        (out, s.repaired)
    }

    #[test]
    fn good_times_stay_and_missing_ones_are_filled_in() {
        assert_eq!(run(&[Some(0), Some(7), Some(100)]), (vec![0, 7, 100], 0));
        assert_eq!(run(&[None, None, Some(80), None]), (vec![0, 40, 80, 120], 2));
    }

    #[test]
    fn after_a_hiccup_the_source_is_right_again() {
        let (out, repaired) =
            run(&[Some(0), Some(400), Some(80), Some(120), Some(160), Some(400), Some(440), Some(480)]);
        assert_eq!(out, [0, 400, 410, 420, 430, 440, 450, 480]);
        assert_eq!(repaired, 5);
    }

    #[test]
    fn a_new_beginning_goes_on_where_the_old_one_ended() {
        let (out, repaired) = run(&[Some(60_000), Some(60_040), Some(0), Some(40), Some(120)]);
        assert_eq!(out, [60_000, 60_040, 60_080, 60_120, 60_200]);
        assert_eq!(repaired, 1);
    }
}

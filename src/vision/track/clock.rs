//! How time goes on for a tracker.

/// Seconds between calls, and jumps.
#[derive(Debug, Default)]
pub(super) struct Clock {
    now: Option<f64>,
    /// When a detector looked last, and how long before it had looked before that.
    looked: Option<f64>,
    interval: Option<f64>,
}

/// What a new time means.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Tick {
    /// So many seconds went by, 0 or more.
    On(f64),
    /// Time jumped: what was known is worth nothing.
    Jump,
}

/// A gap this much longer than the usual time between looks is a jump, if it is long at all.
const UNUSUAL: f64 = 4.0;

impl Clock {
    /// It is `time` now; no gap up to `patience` seconds is a jump. A time that is no number counts as none passed.
    pub fn tick(&mut self, time: f64, look: bool, patience: f64) -> Tick {
        let before = self.now;
        if !time.is_finite() {
            return Tick::On(0.0);
        }
        self.now = Some(time);
        let dt = before.map_or(0.0, |now| time - now);
        let usual = self.interval.unwrap_or_default();
        if look {
            self.interval = self.looked.map(|t| time - t).filter(|i| *i > 0.0).or(self.interval);
            self.looked = Some(time);
        }
        if dt < 0.0 || dt > patience && dt > UNUSUAL * usual {
            return Tick::Jump;
        }
        Tick::On(dt)
    }

    /// The time of the last call.
    pub fn now(&self) -> f64 {
        self.now.unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jumps_are_what_is_unusual() {
        let mut clock = Clock::default();
        assert_eq!(clock.tick(100.0, true, 2.0), Tick::On(0.0));
        assert_eq!(clock.tick(101.0, true, 2.0), Tick::On(1.0));
        assert_eq!(clock.tick(104.0, true, 2.0), Tick::On(3.0), "3 times the interval");
        assert_eq!(clock.tick(104.0, true, 2.0), Tick::On(0.0));
        assert_eq!(clock.tick(f64::NAN, true, 2.0), Tick::On(0.0));
        assert_eq!(clock.tick(103.0, true, 2.0), Tick::Jump);
        assert_eq!(clock.tick(200.0, true, 2.0), Tick::Jump);
        assert_eq!(clock.now(), 200.0);
    }

    #[test]
    fn a_picture_a_minute_is_no_row_of_jumps() {
        let mut clock = Clock::default();
        let jumps = (0..10).filter(|i| clock.tick(f64::from(*i) * 60.0, true, 2.0) == Tick::Jump).count();
        assert_eq!(jumps, 1);
    }
}

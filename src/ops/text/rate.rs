//! How many frames a second there are.

use std::collections::VecDeque;

use gstreamer::ClockTime;

use crate::frame::Spec;

/// The frame rate: what the stream says, or what the last frames had.
#[derive(Default)]
pub(super) struct Rate {
    nominal: Option<f64>,
    seen: VecDeque<ClockTime>,
}

impl Rate {
    pub fn of(spec: &Spec) -> Self {
        let fps = spec.info.fps();
        let nominal = (fps.numer() > 0).then(|| f64::from(fps.numer()) / f64::from(fps.denom()));
        Rate { nominal, seen: VecDeque::new() }
    }

    pub fn saw(&mut self, pts: ClockTime) {
        if self.nominal.is_some() {
            return;
        }
        self.seen.push_back(pts);
        if self.seen.len() > 31 {
            self.seen.pop_front();
        }
    }

    pub fn fps(&self) -> Option<f64> {
        let measured = || {
            let span = self.seen.back()?.checked_sub(*self.seen.front()?)?;
            (span > ClockTime::ZERO).then(|| (self.seen.len() - 1) as f64 * 1e9 / span.nseconds() as f64)
        };
        self.nominal.or_else(measured)
    }
}

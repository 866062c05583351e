//! Spans of time in which something holds, and limits on a measured value.

use gstreamer::ClockTime;
use serde_json::{Value, json};

use super::Invalid;
use crate::frame::Frame;

/// Spans of the source's time, found frame by frame.
#[derive(Debug, Default)]
pub(super) struct Spans {
    /// Shorter ones do not count.
    least: ClockTime,
    open: Option<ClockTime>,
    end: ClockTime,
    found: Vec<(ClockTime, ClockTime)>,
}

impl Spans {
    /// Spans of at least this length.
    pub fn new(least: ClockTime) -> Self {
        Spans { least, ..Spans::default() }
    }

    /// Takes note of whether it holds at `frame`. A span ends where the first frame begins at which it does not.
    pub fn saw(&mut self, frame: &Frame, holds: bool) {
        self.saw_from(frame, holds.then_some(frame.position));
    }

    /// The same where it turned out late that it held since `from`.
    pub fn saw_from(&mut self, frame: &Frame, from: Option<ClockTime>) {
        match from {
            Some(from) => {
                self.open.get_or_insert(from);
            }
            None => {
                if let Some(start) = self.open.take() {
                    self.close(start, frame.position);
                }
            }
        }
        self.end = frame.position + frame.duration.unwrap_or(ClockTime::ZERO);
    }

    fn close(&mut self, start: ClockTime, end: ClockTime) {
        if end.saturating_sub(start) >= self.least {
            self.found.push((start, end));
        }
    }

    /// What was found, the last one up to now: `[{"start": 1.2, "end": 3.4}]` in seconds.
    pub fn json(&self) -> Value {
        let last = self.open.map(|start| (start, self.end)).filter(|(s, e)| e.saturating_sub(*s) >= self.least);
        let seconds = |t: ClockTime| t.nseconds() as f64 / 1e9;
        let all = self.found.iter().copied().chain(last);
        all.map(|(s, e)| json!({ "start": seconds(s), "end": seconds(e) })).collect()
    }
}

/// Finds where a value leaves its limits.
#[derive(Debug, Default)]
pub(super) struct Limits {
    min: Option<f64>,
    max: Option<f64>,
    spans: Spans,
}

impl Limits {
    /// Limits as the user gave them.
    pub fn new(min: Option<f64>, max: Option<f64>) -> Self {
        Limits { min, max, spans: Spans::default() }
    }

    /// For an op's `check`.
    pub fn check(min: Option<f64>, max: Option<f64>) -> Result<(), Invalid> {
        for (key, v) in [("min", min), ("max", max)] {
            if v.is_some_and(|v| !v.is_finite()) {
                return Err(Invalid::new(key, format!("{key} must be a number")));
            }
        }
        match (min, max) {
            (Some(a), Some(b)) if a > b => Err(Invalid::new("min", format!("min = {a} is above max = {b}"))),
            _ => Ok(()),
        }
    }

    /// Takes note of a frame's value.
    pub fn saw(&mut self, frame: &Frame, value: f64) {
        let outside = self.min.is_some_and(|m| value < m) || self.max.is_some_and(|m| value > m);
        self.spans.saw(frame, outside);
    }

    /// The spans outside of the limits, where there are any limits.
    pub fn report(&self) -> Option<Value> {
        let some = self.min.or(self.max).is_some();
        some.then(|| json!({ "min": self.min, "max": self.max, "spans": self.spans.json() }))
    }
}

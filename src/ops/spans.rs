//! Spans of time in which something holds, and limits on a measured value.

use std::sync::Arc;

use gstreamer::ClockTime;
use serde_json::{Value, json};

use super::{Invalid, Mode, Op, OpError, Stream};
use crate::frame::{Frame, Spec};
use crate::vision::event::{Event, Kind};

/// Spans of the source's time, found frame by frame.
#[derive(Debug, Default)]
pub(super) struct Spans {
    /// Shorter ones do not count.
    least: ClockTime,
    open: Option<ClockTime>,
    end: ClockTime,
    /// Number of the frame before which, or at which, the open one began; and whether it was told.
    first: u64,
    told: bool,
    /// Source time and number of the newest frame.
    newest: (ClockTime, u64),
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
        self.newest = (frame.position, frame.index);
    }

    /// As [`Spans::saw_from`], with events: `limit.passed` once a span counts, at its beginning, and `limit.kept` at its end.
    /// `value` is what was measured on `frame`, and `limit` what it is held against.
    pub fn alert(&mut self, name: &str, frame: &mut Frame, from: Option<ClockTime>, value: f64, limit: f64) {
        let before = self.open;
        self.saw_from(frame, from);
        if let (None, Some(from)) = (before, from) {
            self.first = frame.index.saturating_sub(u64::from(from < frame.position));
        }
        match (before, self.open) {
            (_, Some(start)) if !self.told && self.end.saturating_sub(start) >= self.least => {
                self.told = true;
                let event = Event::new(Kind::LimitPassed, &name.into(), self.first, start.nseconds());
                frame.meta.events.push(event.number("value", value).number("limit", limit));
            }
            (Some(start), None) if std::mem::take(&mut self.told) => {
                let event = kept(&name.into(), start, frame.position, frame.position, frame.index);
                frame.meta.events.push(event.number("value", value).number("limit", limit));
            }
            _ => {}
        }
    }

    /// What still goes on when the stream ends, and was told, ends with it.
    pub fn last_events(&mut self, name: &str) -> Vec<Event> {
        let Some(start) = self.open.filter(|_| std::mem::take(&mut self.told)) else { return Vec::new() };
        vec![kept(&name.into(), start, self.end, self.newest.0, self.newest.1).text("ended", "stream")]
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

/// The end at `end` of what began at `start`, told on frame `index` at `position`.
fn kept(name: &Arc<str>, start: ClockTime, end: ClockTime, position: ClockTime, index: u64) -> Event {
    let seconds = |t: ClockTime| t.nseconds() as f64 / 1e9;
    let event = Event::new(Kind::LimitKept, name, index, position.nseconds());
    event.number("start", seconds(start)).number("seconds", seconds(end.saturating_sub(start)))
}

/// Finds where a value leaves its limits, and says so in events.
#[derive(Debug, Default)]
pub(super) struct Limits {
    /// What is measured.
    name: Arc<str>,
    min: Option<f64>,
    max: Option<f64>,
    spans: Spans,
    outside: Option<Excursion>,
}

/// A span outside of the limits that goes on.
#[derive(Clone, Copy, Debug)]
struct Excursion {
    /// Source time and number of its first frame.
    start: ClockTime,
    /// The limit that was passed first.
    limit: f64,
    /// The value furthest beyond a limit.
    worst: f64,
    /// Source time, end and number of its newest frame.
    newest: (ClockTime, ClockTime, u64),
}

impl Limits {
    /// Limits of the measurement `name` as the user gave them.
    pub fn new(name: &str, min: Option<f64>, max: Option<f64>) -> Self {
        Limits { name: name.into(), min, max, ..Limits::default() }
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

    /// Takes note of a frame's value. The frame gets an event where the value leaves its limits, and where it is back.
    pub fn saw(&mut self, frame: &mut Frame, value: f64) {
        // How far beyond, and beyond which limit.
        let low = self.min.filter(|m| value < *m).map(|m| (m - value, m));
        let beyond = low.or(self.max.filter(|m| value > *m).map(|m| (value - m, m)));
        self.spans.saw(frame, beyond.is_some());
        let end = frame.position + frame.duration.unwrap_or(ClockTime::ZERO);
        let newest = (frame.position, end, frame.index);
        match (beyond, &mut self.outside) {
            (Some((_, limit)), None) => {
                self.outside = Some(Excursion { start: frame.position, limit, worst: value, newest });
                let event = Event::new(Kind::LimitPassed, &self.name, frame.index, frame.position.nseconds());
                frame.meta.events.push(event.number("value", value).number("limit", limit));
            }
            (Some((by, _)), Some(now)) => {
                if by > (now.worst - now.limit).abs() {
                    now.worst = value;
                }
                now.newest = newest;
            }
            (None, Some(_)) => {
                let (at, index) = (frame.position, frame.index);
                frame.meta.events.extend(self.kept(at, index).map(|e| e.number("value", value)));
            }
            (None, None) => {}
        }
    }

    /// What is said of a span that ends at `at`.
    fn kept(&mut self, at: ClockTime, index: u64) -> Option<Event> {
        let Excursion { start, limit, worst, .. } = self.outside.take()?;
        Some(kept(&self.name, start, at, at, index).number("limit", limit).number("worst", worst))
    }

    /// What is still outside when the stream ends: the span ends with it.
    pub fn last_events(&mut self) -> Vec<Event> {
        let Some(Excursion { newest: (position, end, index), .. }) = self.outside else { return Vec::new() };
        let ended = self.kept(end, index).map(|e| Event { position: position.nseconds(), ..e.text("ended", "stream") });
        ended.into_iter().collect()
    }

    /// The spans outside of the limits, where there are any limits.
    pub fn report(&self) -> Option<Value> {
        let some = self.min.or(self.max).is_some();
        some.then(|| json!({ "min": self.min, "max": self.max, "spans": self.spans.json() }))
    }
}

/// What gives a picture one value.
pub(super) trait Metric: Send {
    /// Settles what depends on the format.
    fn prepare(&mut self, _: &Spec) {}

    /// The value of a frame, which is in its `meta` then.
    fn of(&mut self, frame: &mut Frame) -> Result<f64, OpError>;
}

/// The op that measures `metric` and holds it against limits.
pub(super) struct Limited<M> {
    limits: Limits,
    metric: M,
}

impl<M: Metric + 'static> Limited<M> {
    /// Puts the two together.
    pub fn op(limits: Limits, metric: M) -> Box<dyn Op> {
        Box::new(Limited { limits, metric })
    }
}

impl<M: Metric> Op for Limited<M> {
    fn mode(&self) -> Mode {
        Mode::Read
    }

    fn prepare(&mut self, input: &Arc<Spec>, _: &Stream) -> Result<Arc<Spec>, OpError> {
        self.metric.prepare(input);
        Ok(input.clone())
    }

    fn read(&mut self, frame: &mut Frame) -> Result<(), OpError> {
        let value = self.metric.of(frame)?;
        self.limits.saw(frame, value);
        Ok(())
    }

    fn last_events(&mut self) -> Vec<Event> {
        self.limits.last_events()
    }

    fn report(&self) -> Option<Value> {
        self.limits.report()
    }
}

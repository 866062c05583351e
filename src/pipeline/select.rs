//! Which frames of the source a run takes: `--start`, `--end`, `--frames`, `--stride`.

use gstreamer::ClockTime;

use crate::config::SourceSettings;
use crate::frame::Frame;

/// The answer for one frame.
#[derive(Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Take it; its times are now those of the output.
    Take,
    /// Leave it out.
    Skip,
    /// Leave it and all later ones out.
    Over,
}

/// Decides frame by frame, in order.
pub struct Selection {
    origin: ClockTime,
    start: ClockTime,
    end: Option<ClockTime>,
    limit: Option<u64>,
    stride: u64,
    seen: u64,
    taken: u64,
}

impl Selection {
    /// `origin` is the source time that a live source began at.
    pub fn new(s: &SourceSettings, origin: ClockTime) -> Self {
        Selection {
            origin,
            start: s.start.map_or(ClockTime::ZERO, |t| t.0),
            end: s.end.map(|t| t.0),
            limit: s.frames,
            stride: s.stride,
            seen: 0,
            taken: 0,
        }
    }

    /// The source time that becomes 0 in the output.
    pub fn zero(&self) -> ClockTime {
        self.origin + self.start
    }

    /// Judges `frame`, whose `pts` is still the source's.
    pub fn judge(&mut self, frame: &mut Frame) -> Verdict {
        let position = frame.pts.saturating_sub(self.origin);
        if position < self.start {
            return Verdict::Skip;
        }
        if self.limit.is_some_and(|n| self.taken >= n) || self.end.is_some_and(|end| position >= end) {
            return Verdict::Over;
        }
        let wanted = self.seen.is_multiple_of(self.stride);
        self.seen += 1;
        if !wanted {
            return Verdict::Skip;
        }
        frame.index = self.taken;
        frame.position = position;
        frame.pts = position - self.start;
        // Each frame that is taken stands in for the ones that are not.
        frame.duration = frame.duration.map(|d| d * self.stride);
        self.taken += 1;
        Verdict::Take
    }

    /// True when no further frame can be wanted, without looking at one.
    pub fn full(&self) -> bool {
        self.limit.is_some_and(|n| self.taken >= n)
    }
}

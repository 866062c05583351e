//! Brings the video to a fixed frame rate.

use std::sync::Arc;

use gstreamer::{ClockTime, Fraction};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Group, Invalid, Mode, Op, OpConfig, OpError, Reach, Stream};
use crate::config::Rate;
use crate::frame::{Frame, Spec};

/// Brings the video to a fixed frame rate by repeating and dropping frames.
///
/// Each frame goes to the nearest tick of the new rate, as with ffmpeg's `fps` filter: of several the last one stays, ticks
/// without one repeat the frame before. The length stays, so audio stays in sync.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Fps {
    /// Frames per second of the result: 25, 29.97, 30000/1001; above 0 and up to 1000.
    pub rate: Rate,
}

impl Default for Fps {
    fn default() -> Self {
        Fps { rate: Rate(Fraction::new(30, 1)) }
    }
}

impl OpConfig for Fps {
    const NAME: &'static str = "fps";
    const GROUP: Group = Group::Time;
    const EXAMPLE: &'static str = "fps:rate=25";
    const BEHIND: &'static str = "framewright's own arithmetic with exact fractions";

    fn check(&self) -> Result<(), Invalid> {
        Ok(())
    }

    fn reach(&self) -> Reach {
        Reach::Never("frames are dropped and repeated as a whole")
    }

    fn stateful(&self) -> bool {
        true
    }

    fn no_when(&self) -> Option<&'static str> {
        Some("a video has one frame rate")
    }

    fn build(&self) -> Box<dyn Op> {
        Box::new(Ticking { rate: self.rate.0, spec: None, length: None, held: None, next: None, begun: false })
    }
}

/// Timestamps in nanoseconds are often rounded down. A frame that lies in the middle between two ticks must not go to
/// another one because of that, or 60 to 30 fps would be uneven.
const SLACK: u64 = 2000;

struct Ticking {
    rate: Fraction,
    spec: Option<Arc<Spec>>,
    /// Of a frame of the input, where its rate says so.
    length: Option<ClockTime>,
    held: Option<Frame>,
    /// The next tick to fill.
    next: Option<u64>,
    /// A frame went out.
    begun: bool,
}

impl Ticking {
    /// The tick nearest to `t`; the later one from the middle on.
    fn nearest(&self, t: ClockTime) -> u64 {
        let (n, d) = (self.rate.numer() as u128, self.rate.denom() as u128 * 1_000_000_000);
        ((u128::from(t.nseconds() + SLACK) * n * 2 + d) / (2 * d)) as u64
    }

    /// The time of tick `n`, rounded to a nanosecond.
    fn time(&self, n: u64) -> ClockTime {
        let (num, den) = (self.rate.numer() as u128, self.rate.denom() as u128 * 1_000_000_000);
        ClockTime::from_nseconds(((u128::from(n) * den * 2 + num) / (2 * num)) as u64)
    }

    fn at(&self, mut frame: Frame, tick: u64) -> Frame {
        frame.pts = self.time(tick);
        frame.duration = Some(self.time(tick + 1).saturating_sub(frame.pts));
        frame
    }

    /// Shows the frame that is held up to, and without, tick `end`.
    fn fill(&mut self, end: u64, out: &mut Vec<Frame>) {
        let (Some(frame), Some(next)) = (self.held.take(), self.next) else { return };
        if end <= next {
            return;
        }
        out.extend((next..end - 1).map(|tick| self.at(frame.again(), tick)));
        out.push(self.at(frame, end - 1));
        (self.next, self.begun) = (Some(end), true);
    }
}

impl Op for Ticking {
    fn mode(&self) -> Mode {
        Mode::Time
    }

    fn prepare(&mut self, input: &Arc<Spec>, _: &Stream) -> Result<Arc<Spec>, OpError> {
        let fps = input.info.fps();
        self.length = (fps.numer() > 0)
            .then(|| ClockTime::from_nseconds(1_000_000_000 * fps.denom() as u64 / fps.numer() as u64));
        let spec = Arc::new(input.with_rate(self.rate));
        self.spec = Some(spec.clone());
        Ok(spec)
    }

    fn retime(&mut self, mut frame: Frame, out: &mut Vec<Frame>) -> Result<(), OpError> {
        let tick = self.nearest(frame.pts);
        self.next.get_or_insert(tick);
        self.fill(tick, out);
        if let Some(spec) = &self.spec {
            frame.respec(spec.clone());
        }
        self.held = Some(frame);
        Ok(())
    }

    fn finish(&mut self, out: &mut Vec<Frame>) -> Result<(), OpError> {
        let (Some(frame), Some(next)) = (&self.held, self.next) else { return Ok(()) };
        let length = frame.duration.or(self.length).unwrap_or(ClockTime::ZERO);
        let end = self.nearest(frame.pts + length);
        // A video that is shorter than half a frame still has one.
        let end = if self.begun { end } else { end.max(next + 1) };
        self.fill(end, out);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_exact_and_halves_go_up() {
        let rate = |n, d| Ticking {
            rate: Fraction::new(n, d),
            spec: None,
            length: None,
            held: None,
            next: None,
            begun: false,
        };
        let ntsc = rate(30000, 1001);
        assert_eq!(ntsc.time(30000).nseconds(), 1_001_000_000_000);
        assert_eq!(ntsc.time(1).nseconds(), 33_366_667);
        let r = rate(30, 1);
        // 60 fps in nanoseconds, rounded down as demuxers do.
        let ticks: Vec<u64> = (0..6).map(|i| r.nearest(ClockTime::from_nseconds(i * 1_000_000_000 / 60))).collect();
        assert_eq!(ticks, [0, 1, 1, 2, 2, 3]);
        for n in [0, 1, 7, 107_891, u64::from(u32::MAX)] {
            assert_eq!(ntsc.nearest(ntsc.time(n)), n);
        }
    }
}

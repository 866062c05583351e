//! Holds the last good picture where pictures are missing or broken.

use std::collections::VecDeque;
use std::sync::Arc;

use gstreamer::ClockTime;
use opencv::core::{self, Mat};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::spans::Spans;
use super::{Group, Invalid, Mode, Op, OpConfig, OpError, Reach, Stream};
use crate::config::Time;
use crate::frame::{Frame, Spec};

/// Holds the last good picture where frames are missing, damaged, black or flat.
///
/// A gap of more than 1.5 frames in the timestamps is filled. Frames that the decoder calls damaged, and flat ones (black,
/// gray, one colour) in the middle of a picture with detail, are replaced, but only where a good one follows within `max`:
/// longer ones are meant to be there. Frames are held back until that is known.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct FreezeRepair {
    /// The longest gap or dropout that is repaired, 0.01 to 10 seconds.
    pub max: Time,
    /// A frame is flat when its luma deviates by less than this, in 8-bit steps, 0 to 50; 0 leaves flat frames alone.
    #[schemars(range(min = 0.0, max = 50.0))]
    pub flat: f64,
    /// Fills gaps in the timestamps.
    pub gaps: bool,
    /// Replaces frames that the decoder calls damaged.
    pub damaged: bool,
}

impl Default for FreezeRepair {
    fn default() -> Self {
        FreezeRepair { max: Time(ClockTime::from_mseconds(500)), flat: 2.0, gaps: true, damaged: true }
    }
}

impl OpConfig for FreezeRepair {
    const NAME: &'static str = "freeze-repair";
    const GROUP: Group = Group::Time;
    const EXAMPLE: &'static str = "freeze-repair:max=0.5";
    const BEHIND: &'static str = "cv::meanStdDev, the decoder's damage flag and the timestamps";

    fn check(&self) -> Result<(), Invalid> {
        Invalid::unless_in("max", self.max.0.nseconds() as f64 / 1e9, 0.01..=10.0)?;
        Invalid::unless_in("flat", self.flat, 0.0..=50.0)
    }

    fn reach(&self) -> Reach {
        Reach::Never("frames are replaced as a whole")
    }

    fn stateful(&self) -> bool {
        true
    }

    fn build(&self) -> Box<dyn Op> {
        Box::new(Repairing {
            config: self.clone(),
            nominal: None,
            intervals: VecDeque::new(),
            before: None,
            good: None,
            detail: 0.0,
            suspects: Vec::new(),
            scratch: Mat::default(),
            filled: 0,
            replaced: 0,
            spans: Spans::new(ClockTime::ZERO),
        })
    }
}

/// A picture with detail has at least so many times the deviation of a flat one.
const DETAIL: f64 = 4.0;
/// Intervals between frames that the usual one is taken from.
const INTERVALS: usize = 31;

struct Repairing {
    config: FreezeRepair,
    /// Of a frame, by the stream's rate.
    nominal: Option<ClockTime>,
    intervals: VecDeque<ClockTime>,
    before: Option<ClockTime>,
    /// The last good frame, not handed on yet.
    good: Option<Frame>,
    /// Its deviation.
    detail: f64,
    /// Bad frames after it.
    suspects: Vec<Frame>,
    scratch: Mat,
    filled: u64,
    replaced: u64,
    spans: Spans,
}

impl Repairing {
    /// How far frames usually are from each other: the median of the last ones, which a rate that is only nominal does not
    /// spoil.
    fn interval(&self) -> Option<ClockTime> {
        if self.intervals.len() < 5 {
            return self.nominal;
        }
        let mut sorted: Vec<ClockTime> = self.intervals.iter().copied().collect();
        sorted.sort_unstable();
        sorted.get(sorted.len() / 2).copied()
    }

    fn deviation(&mut self, frame: &Frame) -> Result<f64, OpError> {
        let deviation = frame.gray(&mut self.scratch, |gray| {
            let (mut mean, mut deviation) = (core::Vector::<f64>::new(), core::Vector::<f64>::new());
            core::mean_std_dev(gray, &mut mean, &mut deviation, &core::no_array())?;
            Ok::<_, OpError>(deviation.get(0)?)
        })?;
        Ok(deviation)
    }

    /// Hands on the good frame and what came after it: repaired, or as it is.
    fn release(&mut self, repair: bool, out: &mut Vec<Frame>) {
        let Some(good) = self.good.take() else { return };
        let suspects = std::mem::take(&mut self.suspects);
        if !repair {
            out.push(good);
            out.extend(suspects);
            return;
        }
        let instead: Vec<Frame> = suspects
            .iter()
            .map(|bad| {
                self.spans.saw(bad, true);
                let mut frame = good.again();
                (frame.pts, frame.duration, frame.index, frame.position) =
                    (bad.pts, bad.duration, bad.index, bad.position);
                frame
            })
            .collect();
        self.replaced += instead.len() as u64;
        out.push(good);
        out.extend(instead);
    }

    /// Repeats the last good frame until `next`, where frames are missing.
    fn fill(&mut self, next: &Frame, out: &mut Vec<Frame>) {
        let (Some(interval), Some(last)) = (self.interval().filter(|i| !i.is_zero()), self.good.as_ref()) else {
            return;
        };
        let from = self.suspects.last().map_or(last.pts, |s| s.pts);
        let gap = next.pts.saturating_sub(from);
        if !self.config.gaps || gap * 2 <= interval * 3 || gap > self.config.max.0 + interval {
            return;
        }
        let missing = (gap.nseconds() + interval.nseconds() / 2) / interval.nseconds() - 1;
        let (position, picture) = (last.position + from.saturating_sub(last.pts), last.again());
        let step = gap / (missing + 1);
        self.release(true, out);
        if let Some(f) = out.last_mut() {
            f.duration = Some(step);
        }
        for k in 1..=missing {
            let mut frame = picture.again();
            (frame.pts, frame.position, frame.duration) = (from + step * k, position + step * k, Some(step));
            self.spans.saw(&frame, true);
            out.push(frame);
        }
        self.filled += missing;
    }
}

impl Op for Repairing {
    fn mode(&self) -> Mode {
        Mode::Time
    }

    fn prepare(&mut self, input: &Arc<Spec>, _: &Stream) -> Result<Arc<Spec>, OpError> {
        let fps = input.info.fps();
        self.nominal = (fps.numer() > 0)
            .then(|| ClockTime::from_nseconds(1_000_000_000 * fps.denom() as u64 / fps.numer() as u64));
        Ok(input.clone())
    }

    fn retime(&mut self, frame: Frame, out: &mut Vec<Frame>) -> Result<(), OpError> {
        let interval = self.before.map(|b| frame.pts.saturating_sub(b));
        self.before = Some(frame.pts);
        let detail = if self.config.flat > 0.0 { self.deviation(&frame)? } else { f64::MAX };
        let flat = detail < self.config.flat && self.detail >= DETAIL * self.config.flat;
        let bad = flat || (self.config.damaged && frame.is_damaged());
        if let (true, Some(good)) = (bad, &self.good) {
            let long = frame.pts.saturating_sub(good.pts) > self.config.max.0;
            self.suspects.push(frame);
            if long {
                self.release(false, out);
            }
        } else if bad {
            // There is no good one, or it is too long ago.
            out.push(frame);
        } else {
            self.fill(&frame, out);
            self.release(true, out);
            self.spans.saw(&frame, false);
            (self.detail, self.good) = (detail, Some(frame));
        }
        if let Some(i) = interval {
            self.intervals.push_back(i);
            if self.intervals.len() > INTERVALS {
                self.intervals.pop_front();
            }
        }
        Ok(())
    }

    fn finish(&mut self, out: &mut Vec<Frame>) -> Result<(), OpError> {
        // No good one followed: a video may end in black.
        self.release(false, out);
        self.before = None;
        Ok(())
    }

    fn report(&self) -> Option<serde_json::Value> {
        let note = format!("{} missing frames filled, {} bad ones replaced", self.filled, self.replaced);
        Some(serde_json::json!({
            "filled": self.filled, "replaced": self.replaced, "spans": self.spans.json(), "note": note,
        }))
    }
}

//! From a sample's timestamp to the time in the source.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use gstreamer::ClockTime;

/// Turns a sample's timestamp into the time in the source, in nanoseconds, as ffprobe would show it.
#[derive(Clone, Debug, Default)]
pub struct Timeline {
    /// matroskademux starts its segment at the first block, and again where another track starts earlier; its buffers'
    /// own timestamps are right.
    pub plain: Arc<AtomicBool>,
    /// Take the running time, which goes on where segments follow each other.
    pub running: Arc<AtomicBool>,
    /// The source is being stopped: nothing must wait any more.
    pub closed: Arc<AtomicBool>,
}

impl Timeline {
    /// Below 0 for what an edit list puts before the start; `None` where the buffer has no time.
    pub fn time(&self, sample: &gstreamer::Sample) -> Option<i64> {
        let pts = sample.buffer()?.pts()?;
        self.of(pts, sample)
    }

    /// As [`Timeline::time`], for a timestamp of the sample's stream.
    pub fn of(&self, pts: ClockTime, sample: &gstreamer::Sample) -> Option<i64> {
        self.at(pts, sample.segment()?.downcast_ref::<ClockTime>()?)
    }

    /// As [`Timeline::time`], for a timestamp in `segment`.
    pub fn at(&self, pts: ClockTime, segment: &gstreamer::FormattedSegment<ClockTime>) -> Option<i64> {
        if self.plain.load(Ordering::Relaxed) {
            return Some(pts.nseconds() as i64);
        }
        let time = match self.running.load(Ordering::Relaxed) {
            true => segment.to_running_time_full(pts),
            false => segment.to_stream_time_full(pts),
        };
        time.map(|t| match t {
            gstreamer::Signed::Positive(t) => t.nseconds() as i64,
            gstreamer::Signed::Negative(t) => -(t.nseconds() as i64),
        })
    }
}

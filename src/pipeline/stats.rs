//! What is counted while a run goes on, and what is said about it at the end.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use serde::Serialize;

use super::link::OpStats;
use super::measures::MeasureStats;
use super::sightings::Sightings;

/// Live counters, shared by all threads.
#[derive(Debug, Default)]
pub struct Counters {
    /// Frames that the source delivered.
    pub read: AtomicU64,
    /// Frames that the run took in.
    pub taken: AtomicU64,
    /// Frames that left the last op.
    pub processed: AtomicU64,
    /// Live frames dropped because the ops could not keep up.
    pub dropped: AtomicU64,
    /// PTS of the newest processed frame in nanoseconds.
    pub position: AtomicU64,
    /// Nanoseconds that the reader waited for the source, and for a free place behind it.
    pub source_wait: AtomicU64,
    /// Nanoseconds that the processing thread waited for sinks.
    pub sink_wait: AtomicU64,
    /// Anything that shows that work goes on: frames or bytes.
    pub heartbeat: AtomicU64,
}

impl Counters {
    /// Adds one and answers with the new value.
    pub fn bump(counter: &AtomicU64) -> u64 {
        counter.fetch_add(1, Ordering::Relaxed) + 1
    }
}

/// Percentiles of the time from a frame's arrival at the reader to its push into a sink, in milliseconds.
#[derive(Clone, Debug, Default, Serialize)]
#[allow(missing_docs)]
pub struct Latency {
    pub p50: f64,
    pub p95: f64,
    pub p99: f64,
    pub max: f64,
}

/// What became of one output.
#[derive(Clone, Debug, Serialize)]
pub struct SinkStats {
    /// The file's path, or the kind.
    pub name: String,
    /// Encoder, container and format, or what else is worth knowing.
    pub detail: String,
    /// Frames handed over.
    pub frames: u64,
    /// Frames dropped because it could not keep up.
    pub dropped: u64,
    /// Audio packets written, by track.
    pub audio_packets: Vec<u64>,
    /// Bytes written.
    pub bytes: u64,
    /// Arrival to push.
    pub latency_ms: Latency,
    /// Why it failed, if it did.
    pub error: Option<String>,
    /// Notices: audio re-encoded, size padded.
    pub notices: Vec<String>,
}

/// Everything about a finished run; what `--stats` writes.
#[derive(Clone, Debug, Serialize)]
pub struct Summary {
    /// Version of this program.
    pub version: &'static str,
    /// The input as people call it.
    pub source: String,
    /// Frames that the source delivered.
    pub frames_read: u64,
    /// Frames taken in (after --start, --end, --frames, --stride).
    pub frames_in: u64,
    /// Frames that left the last op.
    pub frames_out: u64,
    /// Live frames dropped before the ops.
    pub frames_dropped: u64,
    /// Wall time in seconds.
    pub seconds: f64,
    /// Frames per second of wall time.
    pub fps: f64,
    /// Seconds of video per second of wall time.
    pub realtime: f64,
    /// Format at the appsink: format, size, rate, colorimetry.
    pub input_format: String,
    /// The decoder's own format where it had to be converted, else nothing.
    pub converted_from: Option<String>,
    /// Format after the last op.
    pub output_format: String,
    /// Whole pictures copied because a buffer was not writable.
    pub copies: u64,
    /// Decoder warnings.
    pub decode_errors: u64,
    /// Timestamps repaired.
    pub repaired_timestamps: u64,
    /// Seconds the reader waited for the source.
    pub source_wait_seconds: f64,
    /// Seconds the ops waited for the sinks.
    pub sink_wait_seconds: f64,
    /// Seconds from start to the first frame handed to a sink.
    pub first_frame_seconds: f64,
    /// Cost by op.
    pub ops: Vec<OpStats>,
    /// What was measured on the pictures, by name.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub measures: BTreeMap<&'static str, MeasureStats>,
    /// What was found, by `detect` op.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub detections: BTreeMap<Arc<str>, Sightings>,
    /// What became of each output.
    pub sinks: Vec<SinkStats>,
    /// What else should be known.
    pub notices: Vec<String>,
    /// How it ended: `done`, `stopped`, or the error.
    pub ended: String,
}

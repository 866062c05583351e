//! Puts the summary of a run together.

use std::sync::atomic::Ordering;
use std::time::Duration;

use gstreamer_video::VideoInfo;

use super::chain::Chain;
use super::processing::Processed;
use super::stats::{Counters, SinkStats, Summary};
use crate::source::{Ending, Facts};

/// What is known before the first frame is worked on.
pub struct Report {
    /// The input.
    pub facts: Facts,
    output: String,
    notices: Vec<String>,
}

impl Report {
    /// Takes down what the chain settled on.
    pub fn new(facts: &Facts, chain: &Chain) -> Self {
        let notices = facts.notices.iter().chain(&chain.notices).cloned().collect();
        Report { facts: facts.clone(), output: describe(&chain.output().info), notices }
    }

    /// The summary of the finished run.
    #[allow(clippy::too_many_arguments)]
    pub fn summary(
        self,
        counters: &Counters,
        elapsed: Duration,
        first_frame_seconds: f64,
        ending: Ending,
        processed: Processed,
        sinks: Vec<SinkStats>,
        ended: String,
    ) -> Summary {
        let get = |c: &std::sync::atomic::AtomicU64| c.load(Ordering::Relaxed);
        let (out, seconds) = (get(&counters.processed), elapsed.as_secs_f64());
        let mut notices = self.notices;
        if processed.edits > 0 {
            notices.push(format!("edits of the ops while it ran: {}", processed.edits));
        }
        let video_seconds = get(&counters.position) as f64 / 1e9;
        let per_second = |v: f64| if seconds > 0.0 { v / seconds } else { 0.0 };
        Summary {
            version: env!("CARGO_PKG_VERSION"),
            source: self.facts.name,
            frames_read: get(&counters.read),
            frames_in: get(&counters.taken),
            frames_out: out,
            frames_dropped: get(&counters.dropped),
            seconds,
            fps: per_second(out as f64),
            realtime: per_second(video_seconds),
            input_format: describe(&self.facts.spec.info),
            converted_from: self.facts.converted_from,
            output_format: self.output,
            copies: processed.ops.iter().map(|o| o.copies).sum(),
            decode_errors: ending.decode_errors,
            repaired_timestamps: ending.repaired,
            source_wait_seconds: get(&counters.source_wait) as f64 / 1e9,
            sink_wait_seconds: get(&counters.sink_wait) as f64 / 1e9,
            first_frame_seconds,
            ops: processed.ops,
            measures: processed.measures.finish(),
            detections: processed.sightings,
            sinks,
            notices,
            ended,
        }
    }
}

/// `I420 1280x720 25 fps bt709`.
fn describe(info: &VideoInfo) -> String {
    let fps = info.fps();
    let rate = match (fps.numer(), fps.denom()) {
        (0, _) => "variable rate".to_owned(),
        (n, 1) => format!("{n} fps"),
        (n, d) => format!("{n}/{d} fps"),
    };
    let color = info.colorimetry();
    let color = if info.format_info().is_rgb() { String::new() } else { format!(" {color}") };
    format!("{} {}x{} {rate}{color}", info.format(), info.width(), info.height())
}

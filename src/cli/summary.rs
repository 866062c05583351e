//! What a run says at its end, on standard error.

use crate::pipeline::stats::Summary;
use crate::term::say;

/// Prints the summary for people.
pub fn print(s: &Summary) {
    let mut line = format!("{} frames in, {} out", s.frames_in, s.frames_out);
    if s.frames_dropped > 0 {
        line += &format!(", {} dropped before the ops", s.frames_dropped);
    }
    say!("{line}; {:.1} s, {:.1} fps, {:.2}x real time", s.seconds, s.fps, s.realtime);
    let converted = s.converted_from.as_ref().map(|f| format!(" (converted from {f})")).unwrap_or_default();
    let after = if s.output_format == s.input_format { String::new() } else { format!(" -> {}", s.output_format) };
    say!("  format  {}{converted}{after}", s.input_format);
    let per_frame = |seconds: f64| seconds * 1000.0 / s.frames_out.max(1) as f64;
    let mut stages = vec![format!("source {:.2}", per_frame(s.source_wait_seconds))];
    stages.extend(s.ops.iter().map(|o| format!("{} {:.2}", o.name, per_frame(o.seconds))));
    stages.push(format!("waiting for outputs {:.2}", per_frame(s.sink_wait_seconds)));
    say!("  ms/frame  {}; copies {}", stages.join(", "), s.copies);
    for k in &s.sinks {
        let mut line = format!("  {}: {} frames", k.name, k.frames);
        if !k.audio_packets.is_empty() {
            let n: Vec<String> = k.audio_packets.iter().map(u64::to_string).collect();
            line += &format!(", {} audio packets", n.join(" + "));
        }
        if k.dropped > 0 {
            line += &format!(", {} dropped", k.dropped);
        }
        if k.bytes > 0 {
            line += &format!(", {:.1} MB", k.bytes as f64 / 1e6);
        }
        if !k.detail.is_empty() {
            line += &format!(" ({})", k.detail);
        }
        if let Some(e) = &k.error {
            line += &format!(" FAILED: {e}");
        }
        say!("{line}");
        k.notices.iter().for_each(|n| say!("    note: {n}"));
    }
    s.notices.iter().for_each(|n| say!("  note: {n}"));
    if s.decode_errors > 0 {
        say!("  note: the decoder complained {} times: the input is damaged in places", s.decode_errors);
    }
    if s.repaired_timestamps > 0 {
        say!("  note: {} timestamps were missing or ran backwards and were repaired", s.repaired_timestamps);
    }
}

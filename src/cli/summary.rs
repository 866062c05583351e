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
    for (name, m) in &s.measures {
        let at = |v: f64, t: f64| format!("{} at {t:.2} s", digits(v));
        say!("  {name}  mean {}, min {}, max {}", digits(m.mean), at(m.min, m.min_at), at(m.max, m.max_at));
    }
    for (name, d) in &s.detections {
        let labels: Vec<String> = d.labels.iter().map(|(label, n)| format!("{n} {label}")).collect();
        let what = if labels.is_empty() { "nothing".to_owned() } else { labels.join(", ") };
        say!("  {name}  {what} on {} of the {} frames looked at", d.frames_with, d.frames);
    }
    for o in &s.ops {
        found(&o.name, o.report.as_ref());
    }
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

/// Spans that are listed; the statistics hold them all.
const LISTED: usize = 5;

/// What an op found.
fn found(name: &str, report: Option<&serde_json::Value>) {
    let Some(report) = report else { return };
    if let Some(spans) = report["spans"].as_array() {
        let seconds = |span: &serde_json::Value, key: &str| span[key].as_f64().unwrap_or(0.0);
        let span = |s: &serde_json::Value| format!("{:.2}..{:.2} s", seconds(s, "start"), seconds(s, "end"));
        let shown: Vec<String> = spans.iter().take(LISTED).map(span).collect();
        match spans.len() {
            0 => say!("  {name}  no spans found"),
            n if n > LISTED => say!("  {name}  {n} spans: {}, {} more", shown.join(", "), n - LISTED),
            1 => say!("  {name}  1 span: {}", shown.join("")),
            n => say!("  {name}  {n} spans: {}", shown.join(", ")),
        }
    }
    if let Some(whole) = report["whole"].as_object() {
        let values: Vec<String> =
            whole.iter().map(|(k, v)| format!("{k} {}", digits(v.as_f64().unwrap_or(f64::INFINITY)))).collect();
        say!("  {name}  over all: {}", values.join(", "));
    }
    if let Some(note) = report["note"].as_str() {
        say!("  {name}  {note}");
    }
}

/// A measured value with as many digits as say something.
fn digits(v: f64) -> String {
    match v.abs() {
        a if a >= 100.0 => format!("{v:.1}"),
        a if a >= 10.0 => format!("{v:.2}"),
        _ => format!("{v:.4}"),
    }
}

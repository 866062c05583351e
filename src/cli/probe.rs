//! `framewright probe`: what a file or URL holds.
//!
//! ```text
//! locate (is it a file at all) ─► discover (container, streams, tags) ─► decode (first picture; with --count all of them)
//! ```
//!
//! `discover` is GStreamer's discoverer in a thread of its own; `decode` is `uridecodebin ! fakesink`. Both are bounded in
//! time.

mod decode;
mod discover;
mod report;
mod text;

use std::ffi::{OsStr, OsString};
use std::time::Duration;

use serde::Serialize;

use crate::failure::Failure;
use crate::source::locate;
use crate::term;
use discover::Found;
use report::Report;

/// Show what files or URLs hold: container, duration, video, audio and subtitle streams, colour, rotation, tags.
///
/// Each result is printed as it comes; a file that cannot be opened gets its line of error, the others go on, and the exit
/// code is then 3.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// Files, or URLs such as rtsp://… and https://…; standard input is not supported.
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<OsString>,

    /// Print one JSON array with an object per FILE, in order.
    ///
    /// Keys are always there, null where unknown. A file: input, uri, container, duration_ns, size_bytes, bitrate (bit/s),
    /// seekable, live, video (array), audio (array), subtitles (array), tags (object), warnings (array of strings), error
    /// (why not all of it could be decoded, with --count; else null). A file that cannot be opened: input, error, fix.
    ///
    /// video: codec, caps, width, height, display_width, display_height (after rotation, with square pixels), fps (as
    /// "30000/1001", null if variable or unknown), fps_decimal, variable_fps, rotation (degrees clockwise to show it
    /// upright), mirrored, pixel_aspect_ratio ("1/1"), interlacing ("progressive", "interleaved", "mixed", "fields",
    /// "alternate"; "interlaced" where no picture could be decoded), field_order, colorimetry {range, matrix, transfer,
    /// primaries, assumed (array: which of these the file does not tell)}, chroma_site, bit_depth, format (what the decoder
    /// gives), bitrate, language, image (a still picture), tags, frames, measured_variable_fps, first_pts_ns, last_pts_ns
    /// (the last four with --count only).
    ///
    /// audio: codec, caps, rate, channels, bit_depth, language, bitrate, tags. subtitles: codec, caps, language, tags.
    #[arg(long)]
    pub json: bool,

    /// Decode every frame to count them, and measure whether their rate is constant.
    #[arg(long)]
    pub count: bool,

    /// Seconds to wait for an answer.
    #[arg(long, value_name = "SECONDS", default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=3600))]
    pub timeout: u64,
}

/// An element of the array that `--json` prints.
#[derive(Serialize)]
#[serde(untagged)]
enum Answer {
    Report(Box<Report>),
    Error { input: String, error: String, fix: Option<String> },
}

/// Probes every file. With one file its failure is returned as it is; with several, each is printed and the returned one
/// counts them.
pub fn run(args: Args) -> Result<(), Failure> {
    gstreamer::init().map_err(|e| Failure::failed(format!("cannot start GStreamer: {e}")))?;
    let many = args.files.len() > 1;
    let mut failures = Vec::new();
    let mut answers = Vec::new();
    for (i, file) in args.files.iter().enumerate() {
        let (report, failure) = match probe(file, Duration::from_secs(args.timeout), args.count) {
            Ok((report, failure)) => (Some(report), failure),
            Err(failure) => (None, Some(failure)),
        };
        match (report, &failure) {
            (Some(report), _) if args.json => answers.push(Answer::Report(Box::new(report))),
            (Some(report), _) => {
                let gap = if i > 0 { "\n" } else { "" };
                if term::print(&format!("{gap}{}", report.text()))?.is_break() {
                    break;
                }
            }
            (None, Some(f)) if args.json => {
                answers.push(Answer::Error { input: locate::shown(file), error: f.message.clone(), fix: f.fix.clone() })
            }
            (None, _) => {}
        }
        let Some(failure) = failure else { continue };
        if many {
            term::say!("error: {failure}");
            if let Some(fix) = &failure.fix {
                term::say!("fix: {fix}");
            }
        }
        failures.push(failure);
    }
    if args.json {
        let _ = term::print_json(&answers)?;
    }
    match failures.len() {
        0 => Ok(()),
        1 if !many => Err(failures.remove(0)),
        n => Err(Failure::input(format!("{n} of {} inputs cannot be opened or decoded", args.files.len()))),
    }
}

/// What `input` holds, and what went wrong in decoding all of it (`count`). Every failure's class is `Input`.
fn probe(input: &OsStr, timeout: Duration, count: bool) -> Result<(Report, Option<Failure>), Failure> {
    let (uri, path) = locate::locate(input)?;
    let Found { mut report, missing } = discover::discover(input, &uri, path.as_deref(), timeout)?;
    if report.video.is_empty() {
        return missing.map_or(Ok((report, None)), Err);
    }
    if report.live {
        // Opening a camera a second time may fail, and a live stream has no end to count to.
        if count {
            report.warnings.push("a live stream has no end: frames not counted".into());
        }
        return missing.map_or(Ok((report, None)), Err);
    }
    let known = report.duration_ns.map(Duration::from_nanos);
    let (streams, stopped) = decode::decode(&uri, timeout, count, known);
    report.complete(&streams, count && stopped.is_none());
    if let Some(failure) = missing.filter(|_| streams.iter().all(|s| s.frames == 0)) {
        return Err(failure);
    }
    let Some(reason) = stopped else { return Ok((report, None)) };
    if !count {
        report.warnings.push(format!("the first frame cannot be decoded: {reason}"));
        return Ok((report, None));
    }
    report.error = Some(reason.clone());
    Ok((report, Some(Failure::input(format!("cannot decode {}: {reason}", locate::shown(input))))))
}

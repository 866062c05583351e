//! `framewright run`: one input, any ops, any outputs.

use std::collections::BTreeMap;
use std::path::PathBuf;

use clap::Args as ClapArgs;

use super::progress::Terminal;
use crate::config::{self, Interlaced, Policy, Rate, RtspTransport, Settings, SinkKind, Size, Time};
use crate::control::Control;
use crate::failure::Failure;
use crate::pipeline;

/// Runs the ops on every frame of an input and writes the result.
#[derive(Clone, Debug, ClapArgs)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// A file, a URI (http, https, rtsp, rtsps), - for stdin, frames/%05d.png or a glob of pictures,
    /// camera:N|PATH|NAME, test:PATTERN, generate:NAME, pipeline:TEXT
    pub input: Option<String>,

    /// Output: a file (mp4, mov, mkv, webm, avi, ts), pictures (out/%05d.png), display, display:fps, null, or pipeline:TEXT;
    /// what was found and what happened: a file (jsonl, csv, db, json, txt; html for a report), events:FILE (events only),
    /// jsonl:- or events:- (lines to standard output), webhook:URL, mqtt://HOST/TOPIC; clips:clips/{n}.mp4 (a file for each
    /// event); may be given several times
    #[arg(short, long = "output", value_name = "OUTPUT")]
    pub output: Vec<String>,

    /// An op: NAME:key=value,key=value; may be given several times, in order (`framewright ops` lists them)
    #[arg(long, value_name = "OP")]
    pub op: Vec<String>,

    /// Configuration file; what is given on the command line is added to it or replaces it
    #[arg(short, long, value_name = "FILE")]
    pub config: Option<PathBuf>,

    /// Set one key of the configuration: op.0.size=15, op.blur.size=15 (where there is one blur), source.fps=30,
    /// sink.0.quality=20, vars.NAME=TEXT, regions.NAME=REGION; may be given several times
    #[arg(long, value_name = "PATH=VALUE")]
    pub set: Vec<String>,

    /// Watch the configuration file and what it includes: edits change the ops while it runs
    #[arg(long, requires = "config")]
    pub watch: bool,

    /// Replace output files that exist
    #[arg(long)]
    pub overwrite: bool,

    /// Write the run's statistics as JSON
    #[arg(long, value_name = "FILE")]
    pub stats: Option<PathBuf>,

    /// Write what the ops measured on each frame as CSV: frame, seconds, name, value
    #[arg(long, value_name = "FILE")]
    pub measures: Option<PathBuf>,

    /// Workers for ops that keep no state between frames; the result is the same for any number [1, with
    /// OpenCV free to use all cores within a call]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=256))]
    pub threads: Option<u16>,

    /// What the ids of the run's events begin with, for output that is the same each time [new each time]
    #[arg(long, value_name = "ID", value_parser = run_id)]
    pub run_id: Option<String>,

    #[command(flatten)]
    source: SourceArgs,

    #[command(flatten)]
    encoding: EncodingArgs,
}

#[derive(Clone, Debug, ClapArgs)]
#[command(next_help_heading = "Input")]
struct SourceArgs {
    /// Leave out everything before this time (12.5, 1:30, 1:02:03.25, 90s)
    #[arg(long, value_name = "TIME")]
    start: Option<Time>,
    /// Leave out everything from this time of the input on
    #[arg(long, value_name = "TIME")]
    end: Option<Time>,
    /// Stop after so many frames
    #[arg(long, value_name = "N")]
    frames: Option<u64>,
    /// Take every Nth frame
    #[arg(long, value_name = "N")]
    stride: Option<u64>,
    /// Size to ask a camera, test or generate source for [1280x720 for the latter two]
    #[arg(long, value_name = "WxH")]
    size: Option<Size>,
    /// Frame rate to ask a camera, test or generate source for, and of picture sequences [30]
    #[arg(long, value_name = "FPS")]
    fps: Option<Rate>,
    /// Raw format to ask a camera or test source for (I420, BGR, …; MJPG for a camera)
    #[arg(long, value_name = "FORMAT")]
    format: Option<String>,
    /// Make test and generate sources run at their frame rate, as a camera would
    #[arg(long)]
    live: bool,
    /// Add a test tone of so many Hz to a test source
    #[arg(long, value_name = "HZ", num_args = 0..=1, default_missing_value = "440")]
    tone: Option<f64>,
    /// Seed of a generate source
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// Write the object boxes of generate:scene (MOTChallenge text)
    #[arg(long, value_name = "FILE")]
    truth: Option<PathBuf>,
    /// How RTSP media travels [tcp]
    #[arg(long, value_name = "HOW")]
    rtsp_transport: Option<RtspTransport>,
    /// Jitter buffer of network sources in milliseconds [200]
    #[arg(long, value_name = "MS")]
    latency: Option<u32>,
    /// What to do with interlaced video [deinterlace]
    #[arg(long, value_name = "HOW")]
    interlaced: Option<Interlaced>,
    /// Give up when the input delivers nothing for so long [20]
    #[arg(long, value_name = "SECONDS")]
    timeout: Option<Time>,
}

#[derive(Clone, Debug, ClapArgs)]
#[command(next_help_heading = "Output")]
pub struct EncodingArgs {
    /// x264, x265, openh264, vp8, vp9, av1, mjpeg, mpeg4, ffv1, prores, hardware, or a GStreamer element
    /// [the best that is installed for the container]
    #[arg(long, value_name = "NAME")]
    encoder: Option<String>,
    /// Constant quality on the encoder's scale: CRF for x264, x265, vp9, av1; smaller is better [23 for x264]
    #[arg(long, value_name = "N")]
    quality: Option<u32>,
    /// Average bitrate in kbit/s instead of constant quality
    #[arg(long, value_name = "KBITS")]
    bitrate: Option<u32>,
    /// Speed preset by the encoder's names (ultrafast … veryslow; 0–8 for vp9 and av1)
    #[arg(long, value_name = "NAME")]
    preset: Option<String>,
    /// Largest distance between keyframes in frames
    #[arg(long, value_name = "N")]
    keyint: Option<u32>,
    /// Hand a property to the encoder element as it is; may be given several times
    #[arg(long, value_name = "KEY=VALUE")]
    encoder_option: Vec<String>,
    /// For clips:…: copy the input's packets, from keyframe to keyframe, instead of encoding them
    #[arg(long)]
    copy: bool,
    /// Leave the audio out
    #[arg(long)]
    no_audio: bool,
    /// When an output cannot keep up: block (wait) or drop (drop the oldest waiting frame)
    /// [block; drop for a display on a live input]
    #[arg(long, value_name = "HOW")]
    policy: Option<Policy>,
}

const EXAMPLES: &str = "\
Examples:
  framewright run traffic.mp4 -o blurred.mp4 --op blur:size=9 --op 'text:text={source} {time} #{frame}'
  framewright run test:smpte -o out.mp4 --frames 300 --size 1280x720 --fps 30
  framewright run camera:/dev/video0 -o display -o rec.mp4
  framewright run 'rtsp://user:pw@host/stream' -o rec.mkv
  framewright run 'pipeline:videotestsrc num-buffers=100 ! video/x-raw,format=RGB' -o display
  framewright run -c config/annotate.toml

Exit codes: 0 done, 1 failed while running, 2 wrong command line or configuration, 3 input cannot be opened or decoded,
4 output cannot be written, 130 stopped before the end of a finite input (the output is whole up to there)";

impl Args {
    /// The finished settings: configuration file first, then the command line.
    pub fn settings(&self) -> Result<Settings, Failure> {
        let mut s = config::read(&config::Given {
            file: self.config.as_deref(),
            input: self.input.as_deref(),
            outputs: &self.output,
            ops: &self.op,
            set: &self.set,
        })?;
        let source = &mut s.source;
        let a = &self.source;
        macro_rules! take {
            ($($field:ident),*) => {$( if let Some(v) = &a.$field { source.$field = v.clone().into(); } )*};
        }
        take!(start, end, frames, size, fps, format, tone, truth);
        take!(stride, seed, rtsp_transport, latency, interlaced, timeout);
        source.live |= a.live;
        if source.uri.is_empty() {
            return Err(Failure::usage("no input")
                .fix("framewright run INPUT -o OUTPUT, as in: framewright run traffic.mp4 -o out.mp4"));
        }
        source.check().map_err(|i| Failure::usage(i.message))?;
        if s.sinks.is_empty() {
            return Err(Failure::usage("no output").fix("-o FILE, -o display, or -o null to measure or analyse only"));
        }
        self.encoding.apply(&mut s, self.overwrite)?;
        if let Some(n) = self.threads {
            s.threads = Some(n.into());
        }
        if self.run_id.is_some() {
            s.run_id.clone_from(&self.run_id);
        }
        if self.stats.is_some() {
            s.stats.clone_from(&self.stats);
        }
        if self.measures.is_some() {
            s.measures.clone_from(&self.measures);
        }
        Ok(s)
    }
}

impl EncodingArgs {
    /// Puts what the command line says in place of what the sinks of `s` say; checks them.
    pub fn apply(&self, s: &mut Settings, overwrite: bool) -> Result<(), Failure> {
        let options = self.options()?;
        if self.copy && !s.sinks.iter().any(|s| s.kind == SinkKind::Clips) {
            return Err(Failure::usage("--copy is for clips, and no output makes any").fix("-o 'clips:clips/{n}.mp4'"));
        }
        for sink in &mut s.sinks {
            sink.overwrite |= overwrite;
            sink.policy = self.policy.or(sink.policy);
            sink.copy |= self.copy && sink.kind == SinkKind::Clips;
            if matches!(sink.kind, SinkKind::File | SinkKind::Clips) && !sink.copy {
                sink.encoder = self.encoder.clone().or(sink.encoder.take());
                // Quality and bitrate exclude each other: what the command line says replaces either.
                if self.quality.is_some() || self.bitrate.is_some() {
                    (sink.quality, sink.bitrate) = (self.quality, self.bitrate);
                }
                sink.preset = self.preset.clone().or(sink.preset.take());
                sink.keyint = self.keyint.or(sink.keyint);
                sink.encoder_options.extend(options.clone());
            }
            sink.check().map_err(|i| Failure::usage(i.message))?;
        }
        s.source.audio &= !self.no_audio;
        config::sight::copies(&s.ops, &s.sinks)
    }

    fn options(&self) -> Result<BTreeMap<String, String>, Failure> {
        let pair = |o: &String| match o.split_once('=') {
            Some((k, v)) if !k.is_empty() => Ok((k.to_owned(), v.to_owned())),
            _ => Err(Failure::usage(format!("--encoder-option {o}: give KEY=VALUE, as in b-adapt=false"))),
        };
        self.encoder_option.iter().map(pair).collect()
    }
}

fn run_id(text: &str) -> Result<String, String> {
    crate::events::Run::check(text).map(|()| text.to_owned())
}

/// Runs and reports.
pub fn run(args: &Args, quiet: bool, control: &Control) -> Result<(), Failure> {
    let settings = args.settings()?;
    crate::gst::init()?;
    let mut terminal = Terminal::new(quiet);
    let reread: Option<pipeline::watch::Reread> = args.watch.then(|| {
        let args = args.clone();
        Box::new(move || args.settings()) as _
    });
    let (summary, mut result) = pipeline::run(&settings, control, &mut terminal, reread);
    if let Some(summary) = summary {
        if !quiet {
            super::summary::print(&summary);
        }
        if let Some(path) = &settings.stats {
            let written = serde_json::to_string_pretty(&summary)
                .map_err(|e| e.to_string())
                .and_then(|json| std::fs::write(path, json + "\n").map_err(|e| e.to_string()));
            if let Err(e) = written {
                result = result.and(Err(Failure::output(format!("cannot write {}: {e}", path.display()))));
            }
        }
    }
    result
}

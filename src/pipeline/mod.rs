//! A run: source, ops and sinks, each in its thread, joined by bounded channels.
//!
//! ```text
//! reader thread ─[frames]─► processing thread ─[deliveries]─► writer thread (one per sink)
//! ```
//!
//! The end travels the same way: the reader drops its sender, the processing thread finishes what is queued and drops its
//! own, each writer finalises its output. An error anywhere asks the reader to stop; what was taken in is still written.

pub mod chain;
pub mod link;
mod measures;
mod processing;
mod reader;
mod report;
mod select;
mod sightings;
pub mod stages;
pub mod stats;
pub mod watch;
pub mod witness;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crossbeam_channel::{Sender, bounded};
use gstreamer_video::VideoFormat;

use crate::config::{Settings, SinkKind, SinkSettings};
use crate::control::Control;
use crate::events::Run;
use crate::failure::{Class, Failure};
use crate::frame::Layout;
use crate::ops::Stream;
use crate::sink::{self, Site};
use crate::source::{self, AudioTrack, Ending, Facts, Input, Taps};
use chain::Chain;
use measures::Measures;
use processing::{Intake, Processed, process};
use reader::Reader;
use report::Report;
use select::Selection;
use stats::{Counters, SinkStats, Summary};
use watch::{Reread, Watch};
use witness::Witness;

/// Frames between reader and ops.
const DEPTH: usize = 3;
/// Bytes of frames there for live sources, so that a hiccup costs no frame.
const LIVE_BYTES: u64 = 64 << 20;
/// Results of frames that may wait for an output that takes no pictures.
const LINES: usize = 1024;
/// Bytes of frames that a recording of a live source may have waiting.
const BACKLOG: u64 = 256 << 20;
/// After a request to stop, work must show some progress at least this often.
const PATIENCE: Duration = Duration::from_secs(90);

/// How progress is shown.
pub trait Progress {
    /// Called once the input is open.
    fn begin(&mut self, facts: &Facts);
    /// Called a few times a second.
    fn tick(&mut self, counters: &Counters, elapsed: Duration);
    /// Called before anything else is printed.
    fn end(&mut self);
    /// Who wants to see pictures from both sides of the ops. Asked for once, after [`Progress::begin`].
    fn witness(&self) -> Option<Arc<Witness>> {
        None
    }
}

/// Runs `settings` to the end. The summary is there even when the run failed after its start. With `reread`, which answers
/// with the settings as they are written now, edits of their files are taken over while it runs.
pub fn run(
    settings: &Settings,
    control: &Control,
    progress: &mut dyn Progress,
    reread: Option<Reread>,
) -> (Option<Summary>, Result<(), Failure>) {
    match start(settings, control, progress, reread) {
        Ok(running) => running.finish(control, progress),
        Err(e) => (None, Err(e)),
    }
}

struct Running {
    report: Report,
    counters: Arc<Counters>,
    started: Instant,
    first: Arc<AtomicU64>,
    reader: JoinHandle<(Ending, bool, Result<(), Failure>)>,
    ops: JoinHandle<(Processed, Result<(), Failure>)>,
    writers: Vec<JoinHandle<(SinkStats, Option<Failure>)>>,
    /// Ends the watch when it is dropped.
    _watch: Option<Sender<()>>,
}

fn start(
    settings: &Settings,
    control: &Control,
    progress: &mut dyn Progress,
    reread: Option<Reread>,
) -> Result<Running, Failure> {
    let started = Instant::now();
    let input = Input::parse(&settings.source.uri)?;
    sink::preflight(&settings.sinks, &input)?;
    let formats: Vec<VideoFormat> = Layout::all_formats().collect();
    let of = |wants: fn(&SinkSettings) -> bool| settings.sinks.iter().filter(|s| wants(s)).count();
    let taps = Taps { audio: of(sink::takes_audio), video: of(|s| s.copy) };
    let mut opened = source::open(&settings.source, &formats, taps, control)?;
    let mut facts = opened.facts;
    let retimed = settings.ops.iter().filter(|o| o.common.enabled && o.config.retimes()).map(|o| o.name);
    if let (Some(op), false) = (retimed.into_iter().next(), opened.audio.is_empty()) {
        // Nobody takes the packets: the tracks are read and let go.
        opened.audio.drain(..).for_each(|t| drop(t.without_taps()));
        facts.notices.push(format!(
            "audio left out: op {op} moves pictures to other times and the audio would not follow (--start and --end cut \
             both)"
        ));
    }
    progress.begin(&facts);

    let spec = match settings.source.stride {
        1 => facts.spec.clone(),
        n => Arc::new(facts.spec.slowed(n)),
    };
    let stream = Stream { name: facts.name.clone(), live: facts.live, duration: facts.duration, ..Stream::default() };
    if settings.threads.is_some() {
        // So many workers and no more: OpenCV would split one call over all cores.
        opencv::core::set_num_threads(1).map_err(|e| Failure::failed(format!("OpenCV: {e}")))?;
    }
    let chain = Chain::prepare(&settings.ops, &spec, &stream, settings.threads.unwrap_or(1))?;
    let measures = Measures::new(settings.measures.as_deref(), &input)?;
    let selection = Selection::new(&settings.source, facts.origin);
    let zero = selection.zero();
    if let Some(s) = settings.source.start
        && s.0 > gstreamer::ClockTime::from_seconds(2)
    {
        // Decoders cut the picture that is being shown at the seek's target and give it the target's time. Aiming earlier
        // lets that one be skipped like all others before the start.
        opened.source.seek(s.0 - gstreamer::ClockTime::SECOND);
    }

    let counters = Arc::new(Counters::default());
    let (complete, first) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let (mut outlets, mut writers, mut tap) = (Vec::new(), Vec::new(), 0);
    let run = Arc::new(Run::new(settings.run_id.as_deref(), facts.live));
    let anonymous = settings.ops.iter().any(|o| o.config.redacts());
    let last = Arc::new(sink::LastEvents::new());
    let films = sink::Film::all(&settings.sinks, &input);
    for s in &settings.sinks {
        let spec = chain.output();
        let (audio, packets) = (&opened.audio[..], opened.packets.as_ref());
        let site = Site { facts: &facts, spec, audio, packets, tap, zero, anonymous, run: &run, films: &films };
        let sink = sink::open(s, &site)?;
        tap += usize::from(sink::takes_audio(s));
        let overflow = sink::writer::Overflow::of(s.policy, facts.live, !matches!(s.kind, SinkKind::Display));
        let picture = chain.output().layout.visible_bytes(&chain.output().info).max(1);
        let depth = if s.kind.takes_no_pictures() {
            LINES
        } else if facts.live && overflow == sink::writer::Overflow::DropNewest {
            ((BACKLOG / picture) as usize).clamp(8, 1024)
        } else {
            DEPTH
        };
        let (outlet, frames, dropped) =
            sink::writer::Outlet::new(depth, overflow, s.label(), !s.kind.takes_no_pictures());
        let alive = Arc::new(AtomicBool::new(true));
        outlets.push((outlet, alive.clone()));
        let (name, counters, complete) = (s.label(), counters.clone(), complete.clone());
        let (first, ended) = (first.clone(), last.clone());
        writers.push(spawn("writer", move || {
            sink::writer::serve(name, sink, &frames, &dropped, &counters, &complete, &alive, started, &first, &ended)
        })?);
    }
    let tracks: Vec<AudioTrack> = opened.audio.into_iter().map(AudioTrack::without_taps).collect();
    if let Some(packets) = &opened.packets {
        packets.settle();
    }

    let report = Report::new(&facts, &chain);
    let watched = spec.clone();
    let picture = spec.layout.visible_bytes(&spec.info).max(1);
    let depth = if facts.live { ((LIVE_BYTES / picture) as usize).clamp(16, 128) } else { DEPTH };
    let (to_ops, from_reader) = bounded(depth);
    let reader = Reader {
        source: opened.source,
        selection,
        spec: (settings.source.stride > 1).then_some(spec),
        live: facts.live,
        // Four times real time is what working off a few seconds may take.
        lossless_until: Instant::now() + facts.held * 4,
        oldest: from_reader.clone(),
        tracks,
        zero: zero.nseconds() as i64,
        control: control.clone(),
        counters: counters.clone(),
        complete,
        ops_alive: Arc::new(AtomicBool::new(true)),
    };
    let alive = reader.ops_alive.clone();
    let reader = spawn("reader", move || reader.run(to_ops))?;
    let (c, k) = (counters.clone(), control.clone());
    let (edits, watch) = match reread {
        Some(reread) => {
            let (watch, edits, end) = Watch::new(reread, settings, &watched, &stream, chain.shape());
            spawn("watch", move || watch.run())?;
            (edits, Some(end))
        }
        None => (crossbeam_channel::never(), None),
    };
    let intake = Intake { frames: from_reader, edits, edit: None, witness: progress.witness() };
    let ops = spawn("ops", move || process(chain, measures, intake, outlets, &c, &k, &alive, &last, run))?;
    Ok(Running { report, counters, started, first, reader, ops, writers, _watch: watch })
}

fn spawn<T: Send + 'static>(name: &str, f: impl FnOnce() -> T + Send + 'static) -> Result<JoinHandle<T>, Failure> {
    thread::Builder::new()
        .name(name.into())
        .spawn(f)
        .map_err(|e| Failure::failed(format!("cannot start the {name} thread: {e}")))
}

impl Running {
    fn finish(self, control: &Control, progress: &mut dyn Progress) -> (Option<Summary>, Result<(), Failure>) {
        let mut seen = (0, Instant::now());
        loop {
            let done =
                self.reader.is_finished() && self.ops.is_finished() && self.writers.iter().all(JoinHandle::is_finished);
            progress.tick(&self.counters, self.started.elapsed());
            if done {
                break;
            }
            let beat = self.counters.heartbeat.load(Ordering::Relaxed) + self.counters.read.load(Ordering::Relaxed);
            if beat != seen.0 || !control.stopping() {
                seen = (beat, Instant::now());
            }
            if seen.1.elapsed() > PATIENCE {
                progress.end();
                let what =
                    format!("something hangs: no progress for {} s after the request to stop", PATIENCE.as_secs());
                return (None, Err(Failure::failed(what)));
            }
            thread::sleep(Duration::from_millis(10));
        }
        progress.end();
        let panicked = |_| Failure::failed("a thread of framewright panicked: this is a bug");
        let (ending, natural, read) =
            self.reader.join().unwrap_or_else(|e| (Ending::default(), false, Err(panicked(e))));
        let (ops, processed) = self.ops.join().unwrap_or_else(|e| (Processed::default(), Err(panicked(e))));
        let mut sinks = Vec::new();
        let mut written = Ok(());
        let mut ended_by_user = None;
        for w in self.writers {
            match w.join() {
                Ok((stats, failure)) => {
                    sinks.push(stats);
                    match failure {
                        // An output that the user ended; it cuts the run short only if there was no other.
                        Some(f) if f.class == Class::Stopped => ended_by_user = Some(f),
                        f => written = written.and(f.map_or(Ok(()), Err)),
                    }
                }
                Err(e) => written = written.and(Err(panicked(e))),
            }
        }
        let truncated = match ending.truncated.as_deref().filter(|_| natural) {
            None => Ok(()),
            Some(t) => Err(Failure::input(format!("{} ends too early: {t}", self.report.facts.name))
                .fix("the output holds every frame that is there")),
        };
        let stopped = match ended_by_user {
            _ if natural || !self.report.facts.finite => Ok(()),
            _ if control.signalled() => {
                let what = "stopped before the end of the input; the output is whole up to there";
                Err(Failure::new(Class::Stopped, what))
            }
            Some(f) if control.stopping() => Err(f),
            _ => Ok(()),
        };
        let empty = match natural && self.counters.taken.load(Ordering::Relaxed) == 0 {
            true => Err(Failure::input(format!("no frame of {} lies in the part asked for", self.report.facts.name))
                .fix("look at --start, --end and the length of the input; nothing was written")),
            false if natural && self.counters.processed.load(Ordering::Relaxed) == 0 => {
                Err(Failure::input(format!("the ops left no frame of {} over", self.report.facts.name))
                    .fix("look at the times of op trim and the length of the input; nothing was written"))
            }
            false => Ok(()),
        };
        // What went wrong first explains the rest: ops, then outputs, then the input.
        let result = processed.and(written).and(read).and(truncated).and(empty).and(stopped);
        let first = self.first.load(Ordering::Relaxed) as f64 / 1e9;
        let ended = match &result {
            Ok(()) => "done".to_owned(),
            Err(f) if f.class == Class::Stopped => "stopped".to_owned(),
            Err(f) => f.message.clone(),
        };
        let summary = self.report.summary(&self.counters, self.started.elapsed(), first, ending, ops, sinks, ended);
        (Some(summary), result)
    }
}

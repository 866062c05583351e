//! The child's side of jobs: one run after the other, told about in lines of JSON on standard output.
//!
//! ```text
//! standard input:   an Order a line; its end: the parent is gone, and the child ends at once
//! standard output:  a Word a line; after End the next Order may come
//! ```

use std::collections::HashSet;
use std::fs;
use std::io::{self, BufRead, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, Instant};

use crossbeam_channel::Receiver;
use data_encoding::BASE64;
use rustix::process::{Resource, Rlimit, Signal};
use serde::{Deserialize, Serialize};

use super::journal::Written;
use super::order::Order;
use super::verify;
use crate::config::{self, Settings, SinkKind};
use crate::control::Control;
use crate::failure::{Class, Failure};
use crate::pipeline::stats::{Counters, Summary};
use crate::pipeline::witness::Witness;
use crate::pipeline::{self, Progress};
use crate::source::Facts;

/// How often it says that it goes on.
const EVERY: Duration = Duration::from_millis(250);

/// What the child says.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Word {
    /// The input is open.
    Open {
        /// How many frames it should have.
        frames: Option<u64>,
    },
    /// It goes on.
    At {
        /// Frames taken in so far.
        frames: u64,
        /// Changes as long as anything moves.
        beat: u64,
    },
    /// It is over.
    End(Box<Outcome>),
}

/// How a job ended, as its child saw it.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct Outcome {
    pub frames_in: Option<u64>,
    pub frames_out: Option<u64>,
    pub video_seconds: Option<f64>,
    pub notices: Vec<String>,
    /// Files that stand under their final names.
    pub written: Vec<Written>,
    /// Exit code, message, fix.
    pub failure: Option<(i32, String, Option<String>)>,
    /// BASE64 of JPEG: before, after.
    pub thumbnails: [Option<String>; 2],
    /// Nothing is left over that the next job could suffer from.
    pub fit: bool,
}

struct Teller {
    witness: Option<Arc<Witness>>,
    last: Option<Instant>,
}

fn tell(word: &Word) {
    let mut out = io::stdout().lock();
    // If nobody listens the parent is gone, and the watch on standard input ends this.
    let _ = serde_json::to_writer(&mut out, word)
        .map_err(io::Error::from)
        .and_then(|()| writeln!(out))
        .and_then(|()| out.flush());
}

impl Progress for Teller {
    fn begin(&mut self, facts: &Facts) {
        if let (Some(witness), Some(frames)) = (&self.witness, facts.frames) {
            witness.expect(frames);
        }
        tell(&Word::Open { frames: facts.frames });
    }

    fn tick(&mut self, counters: &Counters, _: Duration) {
        if self.last.is_some_and(|at| at.elapsed() < EVERY) {
            return;
        }
        self.last = Some(Instant::now());
        let frames = counters.taken.load(Ordering::Relaxed);
        let beat = counters.heartbeat.load(Ordering::Relaxed) + counters.read.load(Ordering::Relaxed);
        tell(&Word::At { frames, beat });
    }

    fn end(&mut self) {}

    fn witness(&self) -> Option<Arc<Witness>> {
        self.witness.clone()
    }
}

/// Reads one `Order` after the other and carries them out. What goes wrong is told, not returned.
///
/// # Errors
/// Somebody else than a batch started this.
pub fn work() -> Result<(), Failure> {
    let orders = orders();
    let mut ready = None;
    for order in &orders {
        let order = order?;
        // Of all jobs of a batch these are the same.
        let ready = ready.get_or_insert_with(|| {
            limit(&order);
            crate::gst::init()
        });
        let mut outcome = Outcome::default();
        let result = ready.clone().and_then(|()| run(&order, &mut outcome));
        outcome.fit = result.is_ok() && !crate::gst::left_behind();
        outcome.failure = result.err().map(|f| (f.class as i32, f.message, f.fix));
        tell(&Word::End(Box::new(outcome)));
    }
    Ok(())
}

/// What comes on standard input. The pipe stays open as long as the parent lives, whatever ends it.
fn orders() -> Receiver<Result<Order, Failure>> {
    let (to, orders) = crossbeam_channel::unbounded();
    thread::spawn(move || {
        let strange = |e: &dyn std::fmt::Display| Failure::usage(format!("a batch starts this, not a person: {e}"));
        let mut known = false;
        for line in io::stdin().lock().lines().map_while(Result::ok) {
            let order: Result<Order, _> = serde_json::from_str(&line);
            known = order.is_ok();
            let _ = to.send(order.map_err(|e| strange(&e)));
            if !known {
                return;
            }
        }
        if known {
            let _ = rustix::process::kill_process(rustix::process::getpid(), Signal::KILL);
        }
        let _ = to.send(Err(strange(&"it tells on standard input what to do")));
    });
    orders
}

fn limit(order: &Order) {
    if order.nice != 0 {
        let _ = rustix::process::nice(order.nice);
    }
    if let Some(bytes) = order.memory {
        let limit = Rlimit { current: Some(bytes), maximum: Some(bytes) };
        let _ = rustix::process::setrlimit(Resource::Data, limit);
    }
}

fn run(order: &Order, outcome: &mut Outcome) -> Result<(), Failure> {
    let settings = config::read_printed(&order.config)?;
    let anonymous = settings.ops.iter().any(|o| o.config.redacts());
    let witness = order.thumbnails.then(Arc::<Witness>::default);
    let mut teller = Teller { witness: witness.clone(), last: None };
    let before = files(&settings);
    let (summary, result) = pipeline::run(&settings, &Control::default(), &mut teller, None);
    if let Some(s) = &summary {
        outcome.frames_in = Some(s.frames_in);
        outcome.frames_out = Some(s.frames_out);
        outcome.video_seconds = Some(s.realtime * s.seconds);
        outcome.notices = notices(s);
    }
    if let Some([before, after]) = witness.map(|w| w.shots()) {
        // What is hidden in the output is not shown beside it.
        let jpegs = [before.filter(|_| !anonymous), after];
        outcome.thumbnails = jpegs.map(|j| j.map(|j| BASE64.encode(&j)));
    }
    let result = result.and_then(|()| summary.as_ref().map_or(Ok(()), |s| verified(&settings, s)));
    if let (Some(path), Some(summary)) = (&settings.stats, &summary) {
        let written =
            serde_json::to_string_pretty(summary).map_err(io::Error::from).and_then(|t| fs::write(path, t + "\n"));
        written.map_err(|e| Failure::output(format!("cannot write {}: {e}", path.display())))?;
    }
    let after = files(&settings);
    outcome.written = after.into_iter().filter(|w| result.is_ok() || !before.contains(w)).collect();
    result
}

/// The files of the outputs that are there now: of pictures the first one.
fn files(settings: &Settings) -> Vec<Written> {
    let path = |s: &config::SinkSettings| -> Option<PathBuf> {
        let path = s.path.clone()?;
        match s.kind {
            SinkKind::Images => {
                let (before, width, after) = config::number_pattern(&path.to_string_lossy())?;
                Some(format!("{before}{:0width$}{after}", 0).into())
            }
            SinkKind::Clips => None,
            _ => Some(path),
        }
    };
    let ops = super::pattern::of_ops(settings).map(|(_, _, p)| p.to_owned()).filter(|p| p.is_file());
    let own = settings.sinks.iter().filter_map(path).chain(settings.stats.clone()).chain(settings.measures.clone());
    let own = own.chain(ops);
    let mut seen = HashSet::new();
    own.filter(|p| seen.insert(p.clone())).filter_map(|p| Written::now(&p)).collect()
}

fn verified(settings: &Settings, summary: &Summary) -> Result<(), Failure> {
    for (sink, stats) in settings.sinks.iter().zip(&summary.sinks) {
        let path = sink.path.as_deref().unwrap_or(Path::new(""));
        let checked = match sink.kind {
            SinkKind::File => verify::check(path, stats.frames, summary.realtime * summary.seconds),
            SinkKind::Images => verify::pictures(path, stats.frames),
            _ => Ok(()),
        };
        checked.map_err(|why| {
            Failure::new(Class::Output, format!("{} was written, but cannot be trusted: {why}", path.display()))
        })?;
    }
    Ok(())
}

fn notices(s: &Summary) -> Vec<String> {
    let mut all: Vec<String> = s.sinks.iter().flat_map(|k| &k.notices).chain(&s.notices).cloned().collect();
    if s.decode_errors > 0 {
        all.push(format!("the decoder complained {} times: the input is damaged in places", s.decode_errors));
    }
    if s.repaired_timestamps > 0 {
        all.push(format!("{} timestamps were missing or ran backwards and were repaired", s.repaired_timestamps));
    }
    all
}

//! Events to somebody else, who may be slow, wrong or away: they wait in a queue and its spool, and a thread of their own
//! delivers them in order, at least once each. The video never waits.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use sha2::{Digest, Sha256};

use super::spool::Queue;
use super::{Delivery, End, Scribe, Sink, Site};
use crate::config::SinkSettings;
use crate::failure::Failure;
use crate::redact::redact;
use crate::vision::event::Event;

/// Pauses between attempts: the first, and the longest, to which they double.
const FIRST: Duration = Duration::from_millis(250);
const LONGEST: Duration = Duration::from_secs(10);
/// How often the connection is looked after while there is nothing to deliver.
const QUIET: Duration = Duration::from_millis(200);

/// A way to the other side.
pub trait Carrier: Send + 'static {
    /// Lines given to it at once.
    const WINDOW: usize;

    /// Delivers lines in order; connects first where needed. Takes some seconds at most.
    fn carry(&mut self, lines: &[Arc<str>]) -> Carried;

    /// Looks after the connection.
    fn quiet(&mut self) {}

    /// Takes leave.
    fn close(&mut self) {}
}

/// What became of some lines.
#[derive(Debug, Default)]
pub struct Carried {
    /// Lines from the first on that are settled: taken, or refused for good.
    pub settled: usize,
    /// Places of those that were refused for good, with the reason.
    pub refused: Vec<(usize, String)>,
    /// Why it ended before the last line.
    pub error: Option<String>,
}

/// The sink's end.
pub struct PostSink {
    shared: Arc<Shared>,
    scribe: Scribe,
    wait: Duration,
    label: String,
    notices: Vec<String>,
}

struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    queue: Queue,
    delivered: u64,
    refused: u64,
    trouble: Option<String>,
    /// The courier waits for lines.
    idle: bool,
    /// The stream is over: once the queue is empty, so is the work.
    closing: bool,
    /// Nobody is to touch the queue any more.
    over: bool,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl PostSink {
    /// Takes up what an earlier run left, and starts to deliver.
    pub fn open<C: Carrier>(carrier: C, settings: &SinkSettings, site: &Site<'_>) -> Result<Self, Failure> {
        let label = settings.label();
        let folder = settings.spool.as_deref().unwrap_or(Path::new("."));
        // One name for one place, whatever the password.
        let sum = Sha256::digest(label.as_bytes());
        let name = format!("framewright-spool-{}", data_encoding::HEXLOWER.encode(&sum[..4]));
        let opened = std::fs::create_dir_all(folder).and_then(|()| Queue::open(folder, &name));
        let queue = opened.map_err(|e| {
            let what = format!("cannot write in {}, where events for {label} would wait: {e}", folder.display());
            Failure::output(what).fix("choose another folder: spool = \"…\" in its [[sink]], or --set sink.0.spool=…")
        })?;
        if queue.len() > 0 {
            log::warn!(
                "{} events of an earlier run wait in {}: they go to {label} first",
                queue.len(),
                queue.path().display()
            );
        }
        let state = State { queue, delivered: 0, refused: 0, trouble: None, idle: false, closing: false, over: false };
        let shared = Arc::new(Shared { state: Mutex::new(state), changed: Condvar::new() });
        let (theirs, to) = (shared.clone(), label.clone());
        thread::Builder::new()
            .name("courier".into())
            .spawn(move || courier(carrier, &theirs, &to))
            .map_err(|e| Failure::failed(format!("cannot start the courier thread: {e}")))?;
        let wait = Duration::from_nanos(settings.wait.0.nseconds());
        Ok(PostSink { shared, scribe: Scribe::new(settings, site), wait, label, notices: Vec::new() })
    }

    fn push(&self, lines: Vec<Arc<str>>) {
        if !lines.is_empty() {
            let mut state = self.shared.lock();
            lines.into_iter().for_each(|l| state.queue.push(l));
            // One that waits because nobody answers is not woken by each line.
            if state.idle {
                self.shared.changed.notify_all();
            }
        }
    }
}

fn text(line: &impl serde::Serialize) -> Option<Arc<str>> {
    serde_json::to_string(line).ok().map(Into::into)
}

impl Sink for PostSink {
    fn write(&mut self, picture: &Delivery) -> Result<(), Failure> {
        let seen = self.scribe.seen(picture).and_then(|s| text(&s.line()));
        let events = self.scribe.happened(picture).filter_map(|e| text(&e));
        self.push(seen.into_iter().chain(events).collect());
        Ok(())
    }

    fn last_events(&mut self, events: &[Event]) -> Result<(), Failure> {
        self.push(self.scribe.events(events).filter_map(|e| text(&e)).collect());
        Ok(())
    }

    fn finish(&mut self, _: End) -> Result<(), Failure> {
        let deadline = Instant::now() + self.wait;
        let mut state = self.shared.lock();
        state.closing = true;
        self.shared.changed.notify_all();
        while !state.over {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            state = self.shared.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        // A courier that hangs in a call finds that it is over when it comes back.
        state.over = true;
        let left = state.queue.len();
        let closed = state.queue.close();
        let path = state.queue.path().to_owned();
        if left > 0 {
            let why = state.trouble.clone().map(|t| format!(" ({t})")).unwrap_or_default();
            self.notices.push(format!(
                "{left} events are not delivered{why}: they wait in {}, and the next run with this output sends them",
                path.display()
            ));
        }
        if state.refused > 0 {
            let n = state.refused;
            self.notices.push(format!("{n} events were refused for good: they are in {}", refused(&path).display()));
        }
        if let (n @ 1.., Some(why)) = (state.queue.lost, &state.queue.trouble) {
            self.notices.push(format!("{n} events are lost: {why}"));
        }
        let (lost, unsafe_now) = (state.queue.lost, closed.err());
        drop(state);
        self.shared.changed.notify_all();
        match (lost, unsafe_now) {
            (0, None) => Ok(()),
            (_, Some(e)) => Err(Failure::output(format!("cannot keep events in {}: {e}", path.display()))),
            (n, None) => Err(Failure::output(format!("{n} events for {} are lost", self.label))),
        }
    }

    fn detail(&self) -> String {
        format!("{} delivered", self.shared.lock().delivered)
    }

    fn notices(&self) -> Vec<String> {
        self.notices.clone()
    }
}

/// Where refused lines are put.
fn refused(spool: &Path) -> PathBuf {
    spool.with_extension("refused.jsonl")
}

fn set_aside(spool: &Path, line: &str) -> std::io::Result<()> {
    use std::io::Write;
    let mut file = std::fs::OpenOptions::new().append(true).create(true).open(refused(spool))?;
    file.write_all(format!("{line}\n").as_bytes())
}

/// The thread that delivers.
fn courier<C: Carrier>(mut carrier: C, shared: &Shared, label: &str) {
    let (mut pause, mut failing) = (FIRST, false);
    while let Some(lines) = next(&mut carrier, shared) {
        let carried = carrier.carry(&lines);
        let mut state = shared.lock();
        if state.over {
            break;
        }
        for (n, why) in &carried.refused {
            state.refused += 1;
            log::warn!("{label} refused an event for good: {}", redact(why));
            if let Err(e) = set_aside(state.queue.path(), &lines[*n]) {
                state.queue.lost += 1;
                state.queue.trouble = Some(format!("cannot write what was refused: {e}"));
            }
        }
        state.delivered += (carried.settled - carried.refused.len()) as u64;
        let settled = state.queue.done(&lines[..carried.settled]);
        if carried.settled > 0 {
            pause = FIRST;
        }
        let error = carried.error.map(|e| redact(&e)).or(settled.err().map(|e| format!("the spool: {e}")));
        state.queue.set_away(error.is_some());
        match &error {
            None if failing => log::warn!("{label} takes events again"),
            Some(why) if !failing => {
                log::warn!("{label} does not take events: {why}; they wait in {}", state.queue.path().display());
            }
            _ => {}
        }
        failing = error.is_some();
        state.trouble = error;
        if failing {
            // The end of the stream is a reason for one attempt at once.
            let (until, closing) = (Instant::now() + pause, state.closing);
            while !state.over && state.closing == closing {
                let left = until.saturating_duration_since(Instant::now());
                if left.is_zero() {
                    break;
                }
                state = shared.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
            }
            pause = (pause * 2).min(if state.closing { FIRST * 2 } else { LONGEST });
        }
    }
    carrier.close();
}

/// What is to be delivered next; waits for it. `None` at the end.
fn next<C: Carrier>(carrier: &mut C, shared: &Shared) -> Option<Vec<Arc<str>>> {
    let mut state = shared.lock();
    loop {
        if state.over {
            return None;
        }
        match state.queue.peek(C::WINDOW) {
            Ok(lines) if !lines.is_empty() => return Some(lines),
            Ok(_) if state.closing => {
                state.over = true;
                shared.changed.notify_all();
                return None;
            }
            Ok(_) => {}
            Err(e) => state.trouble = Some(format!("the spool: {e}")),
        }
        state.idle = true;
        let (back, waited) = shared.changed.wait_timeout(state, QUIET).unwrap_or_else(PoisonError::into_inner);
        state = back;
        state.idle = false;
        if waited.timed_out() {
            drop(state);
            carrier.quiet();
            state = shared.lock();
        }
    }
}

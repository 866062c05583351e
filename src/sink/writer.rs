//! The writer thread: one for each sink.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, TrySendError};
use hdrhistogram::Histogram;

use super::{Delivery, End, LastEvents, Sink};
use crate::config::Policy;
use crate::failure::{Class, Failure};
use crate::pipeline::stats::{Counters, Latency, SinkStats};

/// Without a picture for so long, a sink is told.
const IDLE: Duration = Duration::from_millis(500);

/// The processing thread's end of a sink.
pub struct Outlet {
    sender: Sender<Delivery>,
    /// For dropping the oldest waiting frame.
    oldest: Receiver<Delivery>,
    policy: Overflow,
    dropped: Arc<AtomicU64>,
    name: String,
    /// False where only what was found matters: then no picture waits.
    pictures: bool,
}

/// What happens when the channel to a sink is full.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Overflow {
    /// Wait: nothing may be lost.
    Wait,
    /// Drop the oldest waiting frame: the newest matters.
    DropOldest,
    /// Drop the new frame: the recording has a backlog, and it is full.
    DropNewest,
}

impl Overflow {
    /// What `policy` means for this kind of source and sink.
    pub fn of(policy: Option<Policy>, live: bool, records: bool) -> Self {
        match (policy, live) {
            (Some(Policy::Block), _) | (None, false) => Overflow::Wait,
            (Some(Policy::Drop), _) => Overflow::DropOldest,
            (None, true) if records => Overflow::DropNewest,
            (None, true) => Overflow::DropOldest,
        }
    }
}

impl Outlet {
    /// A channel of `depth` frames; answers with the writer's end too.
    pub fn new(
        depth: usize,
        policy: Overflow,
        name: String,
        pictures: bool,
    ) -> (Self, Receiver<Delivery>, Arc<AtomicU64>) {
        let (sender, receiver) = crossbeam_channel::bounded(depth);
        let dropped = Arc::new(AtomicU64::new(0));
        (
            Outlet { sender, oldest: receiver.clone(), policy, dropped: dropped.clone(), name, pictures },
            receiver,
            dropped,
        )
    }

    /// Hands a frame to the sink; false when the sink is gone. `alive` tells whether its writer still runs: the outlet
    /// holds a receiver itself, so the channel never looks closed.
    pub fn send(&self, mut delivery: Delivery, alive: &AtomicBool) -> bool {
        if !self.pictures {
            delivery.buffer = gstreamer::Buffer::new();
        }
        loop {
            if !alive.load(Ordering::SeqCst) {
                return false;
            }
            let full = match self.policy {
                Overflow::Wait => match self.sender.send_timeout(delivery, Duration::from_millis(100)) {
                    Ok(()) => return true,
                    Err(e) => {
                        delivery = e.into_inner();
                        continue;
                    }
                },
                _ => self.sender.try_send(delivery),
            };
            match full {
                Ok(()) => return true,
                Err(TrySendError::Disconnected(_)) => return false,
                Err(TrySendError::Full(d)) => {
                    delivery = d;
                    let newest = self.policy == Overflow::DropNewest;
                    // Where the writer was faster, nothing is dropped after all.
                    if (newest || self.oldest.try_recv().is_ok()) && Counters::bump(&self.dropped) == 1 {
                        log::warn!("{} cannot keep up: dropping frames (the summary counts them)", self.name);
                    }
                    if newest {
                        return true;
                    }
                }
            }
        }
    }
}

/// Serves one sink until its channel closes. Answers with what became of it.
#[allow(clippy::too_many_arguments)]
pub fn serve(
    name: String,
    mut sink: Box<dyn Sink>,
    frames: &Receiver<Delivery>,
    dropped: &AtomicU64,
    counters: &Counters,
    complete: &AtomicBool,
    alive: &AtomicBool,
    started: Instant,
    first: &AtomicU64,
    last: &LastEvents,
) -> (SinkStats, Option<Failure>) {
    // Up to an hour in microseconds, three digits: a few hundred KiB whatever the length of the run.
    let mut latency = Histogram::<u64>::new_with_bounds(1, 3_600_000_000, 3).ok();
    let mut count = 0u64;
    let mut failure = None;
    loop {
        let picture = match frames.recv_timeout(IDLE) {
            Ok(picture) => picture,
            Err(RecvTimeoutError::Disconnected) => break,
            Err(RecvTimeoutError::Timeout) => match sink.idle() {
                Ok(()) => continue,
                Err(e) => {
                    failure = Some(e);
                    break;
                }
            },
        };
        if let Err(e) = sink.write(&picture) {
            failure = Some(e);
            break;
        }
        count += 1;
        counters.heartbeat.fetch_add(1, Ordering::Relaxed);
        let now = started.elapsed().as_nanos() as u64;
        let _ = first.compare_exchange(0, now.max(1), Ordering::Relaxed, Ordering::Relaxed);
        if let Some(h) = &mut latency {
            h.saturating_record(picture.arrived.elapsed().as_micros() as u64);
        }
    }
    alive.store(false, Ordering::SeqCst);
    if failure.is_none() {
        let end = if complete.load(Ordering::SeqCst) { End::Complete } else { End::Cut };
        let events = last.get().filter(|e| !e.is_empty());
        failure = events.map_or(Ok(()), |e| sink.last_events(e)).and_then(|()| sink.finish(end)).err();
    }
    let at = |h: &Histogram<u64>, q: f64| h.value_at_quantile(q) as f64 / 1000.0;
    let latency_ms = latency
        .filter(|h| !h.is_empty())
        .map(|h| Latency { p50: at(&h, 0.5), p95: at(&h, 0.95), p99: at(&h, 0.99), max: h.max() as f64 / 1000.0 })
        .unwrap_or_default();
    let stats = SinkStats {
        detail: sink.detail(),
        frames: count,
        dropped: dropped.load(Ordering::Relaxed),
        audio_packets: sink.audio_packets(),
        bytes: sink.bytes(),
        latency_ms,
        error: failure.as_ref().filter(|f| f.class != Class::Stopped).map(|f| f.message.clone()),
        notices: sink.notices(),
        name,
    };
    (stats, failure)
}

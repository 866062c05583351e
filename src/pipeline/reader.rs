//! The reader thread: frames from the source, as far as they are asked for, to the ops.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, TrySendError};

use super::select::{Selection, Verdict};
use super::stats::Counters;
use crate::control::Control;
use crate::failure::Failure;
use crate::frame::Frame;
use crate::source::{AudioTrack, Ending, Pull, Source};

/// Reads in a thread of its own.
pub struct Reader {
    pub(super) source: Box<dyn Source>,
    pub(super) selection: Selection,
    /// The spec with the frame rate that a stride leaves.
    pub(super) spec: Option<Arc<crate::frame::Spec>>,
    pub(super) live: bool,
    /// Until then frames of a live source that gathered before the start are worked off, and none is dropped.
    pub(super) lossless_until: Instant,
    pub(super) oldest: Receiver<Frame>,
    pub(super) tracks: Vec<AudioTrack>,
    pub(super) zero: i64,
    pub(super) control: Control,
    pub(super) counters: Arc<Counters>,
    pub(super) complete: Arc<AtomicBool>,
    pub(super) ops_alive: Arc<AtomicBool>,
}

impl Reader {
    /// Reads until the end, a limit, a stop or an error. Answers whether the input's own end was reached.
    pub(super) fn run(mut self, out: Sender<Frame>) -> (Ending, bool, Result<(), Failure>) {
        let mut limit = 0i64;
        let result = loop {
            if self.control.stopping() {
                break Ok(false);
            }
            let asked = Instant::now();
            let pull = self.source.next();
            self.counters.source_wait.fetch_add(asked.elapsed().as_nanos() as u64, Ordering::Relaxed);
            let mut frame = match pull {
                Ok(Pull::Frame(f)) => f,
                Ok(Pull::Nothing) => continue,
                Ok(Pull::End) => {
                    self.complete.store(true, Ordering::SeqCst);
                    break Ok(true);
                }
                Err(e) => break Err(e),
            };
            Counters::bump(&self.counters.read);
            match self.selection.judge(&mut frame) {
                Verdict::Skip => continue,
                Verdict::Over => break Ok(true),
                Verdict::Take => {}
            }
            if let Some(spec) = &self.spec {
                frame.respec(spec.clone());
            }
            Counters::bump(&self.counters.taken);
            limit = self.zero + (frame.pts + frame.duration.unwrap_or_default()).nseconds() as i64;
            if !self.send(&out, frame) {
                break Ok(false);
            }
            if self.selection.full() {
                break Ok(true);
            }
        };
        drop(out);
        if !self.complete.load(Ordering::SeqCst) && result.is_ok() {
            self.let_audio_catch_up(limit);
        } else if result.is_ok() {
            self.wait_for_audio_end();
        }
        let mut ending = self.source.finish();
        if !self.complete.load(Ordering::SeqCst) {
            // What lies beyond the part that was asked for is nobody's loss.
            ending.truncated = None;
        }
        match result {
            Ok(natural) => (ending, natural, Ok(())),
            Err(e) => (ending, false, Err(e)),
        }
    }

    /// False when nobody takes frames any more.
    fn send(&self, out: &Sender<Frame>, mut frame: Frame) -> bool {
        loop {
            if !self.ops_alive.load(Ordering::SeqCst) {
                return false;
            }
            if !self.live || Instant::now() < self.lossless_until {
                match out.send_timeout(frame, Duration::from_millis(100)) {
                    Ok(()) => return true,
                    Err(e) => frame = e.into_inner(),
                }
                continue;
            }
            match out.try_send(frame) {
                Ok(()) => return true,
                Err(TrySendError::Disconnected(_)) => return false,
                Err(TrySendError::Full(f)) => {
                    frame = f;
                    if self.oldest.try_recv().is_ok() && Counters::bump(&self.counters.dropped) == 1 {
                        log::warn!(
                            "the ops cannot keep up with the live source: dropping frames (the summary counts them)"
                        );
                    }
                }
            }
        }
    }

    /// The audio up to the last picture's end may still be behind pictures that nobody wants: reads them, for 2 s at most.
    fn let_audio_catch_up(&mut self, limit: i64) {
        let deadline = Instant::now() + Duration::from_secs(2);
        let behind = |t: &AudioTrack| t.reached.load(Ordering::SeqCst) < limit;
        while self.tracks.iter().any(behind) && Instant::now() < deadline {
            match self.source.next() {
                Ok(Pull::Frame(_) | Pull::Nothing) => {}
                Ok(Pull::End) | Err(_) => break,
            }
        }
    }

    /// The pictures are over; the audio may go on for longer.
    fn wait_for_audio_end(&mut self) {
        let (mut since, mut last) = (Instant::now(), 0);
        loop {
            let at: Vec<i64> = self.tracks.iter().map(|t| t.reached.load(Ordering::SeqCst)).collect();
            if at.iter().all(|&a| a == i64::MAX) || since.elapsed() > Duration::from_secs(5) || self.control.stopping()
            {
                return;
            }
            let sum = at.iter().fold(0i64, |s, a| s.wrapping_add(*a));
            if sum != last {
                (since, last) = (Instant::now(), sum);
            }
            thread::sleep(Duration::from_millis(2));
        }
    }
}

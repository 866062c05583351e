//! Where packets go: a tap for each output. Until the run has begun a seek may come, which empties them; an input may end before
//! that, when all of it fits into the queues.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use crossbeam_channel::{Receiver, Sender};

/// The streaming thread's end of all taps.
pub(super) struct Taps<T> {
    /// Locked for as long as something waits for room in a tap.
    senders: Mutex<Vec<Sender<T>>>,
    /// The other ends, to be emptied by a seek; none once the run has begun, so that a sender sees a tap go.
    rewind: Mutex<Vec<Receiver<T>>>,
    /// The end has come, as far as is known.
    over: AtomicBool,
}

impl<T> Taps<T> {
    /// So many, and the outputs' ends of them.
    pub fn new(count: usize, channel: impl Fn() -> (Sender<T>, Receiver<T>)) -> (Arc<Self>, Vec<Receiver<T>>) {
        let (senders, receivers): (Vec<_>, Vec<_>) = (0..count).map(|_| channel()).unzip();
        let (senders, rewind) = (Mutex::new(senders), Mutex::new(receivers.clone()));
        (Arc::new(Taps { senders, rewind, over: AtomicBool::new(false) }), receivers)
    }

    /// Hands something to each tap; one for which `send` is false is gone. Answers with whether one is left.
    pub fn send(&self, send: impl FnMut(&Sender<T>) -> bool) -> bool {
        let mut senders = lock(&self.senders);
        senders.retain(send);
        !senders.is_empty()
    }

    /// After a seek, what was read before it must not come twice.
    pub fn rewind(&self) {
        self.over.store(false, Ordering::SeqCst);
        lock(&self.rewind).iter().for_each(|r| while r.try_recv().is_ok() {});
    }

    /// Nothing comes any more, unless a seek does.
    pub fn end(&self) {
        self.over.store(true, Ordering::SeqCst);
        if lock(&self.rewind).is_empty() {
            lock(&self.senders).clear();
        }
    }

    /// The run has begun: no seek comes any more.
    pub fn settle(&self) {
        lock(&self.rewind).clear();
        if self.over.load(Ordering::SeqCst) {
            lock(&self.senders).clear();
        }
    }
}

pub(super) fn lock<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(|e| e.into_inner())
}

#[cfg(test)]
mod tests {
    use crossbeam_channel::{TryRecvError, unbounded};

    use super::*;

    #[test]
    fn a_seek_after_the_end_begins_anew() {
        let (taps, receivers) = Taps::new(1, unbounded);
        assert!(taps.send(|s| s.send(1u8).is_ok()));
        taps.end();
        taps.rewind();
        assert!(taps.send(|s| s.send(2).is_ok()));
        taps.settle();
        assert_eq!(receivers[0].try_recv(), Ok(2));
        assert_eq!(receivers[0].try_recv(), Err(TryRecvError::Empty));
        taps.end();
        assert_eq!(receivers[0].try_recv(), Err(TryRecvError::Disconnected));
    }

    #[test]
    fn an_end_before_the_run_counts_once_it_has_begun() {
        let (taps, mut receivers) = Taps::new(2, unbounded);
        assert!(taps.send(|s| s.send(1u8).is_ok()));
        taps.end();
        assert_eq!((receivers[0].try_recv(), receivers[0].try_recv()), (Ok(1), Err(TryRecvError::Empty)));
        taps.settle();
        assert_eq!(receivers[0].try_recv(), Err(TryRecvError::Disconnected));
        assert_eq!(receivers.remove(1).iter().collect::<Vec<_>>(), [1]);
    }

    #[test]
    fn a_tap_that_goes_is_seen_once_the_run_has_begun() {
        let (taps, receivers) = Taps::new(1, unbounded);
        drop(receivers);
        assert!(taps.send(|s| s.send(1u8).is_ok()));
        taps.settle();
        assert!(!taps.send(|s| s.send(1).is_ok()));
    }
}

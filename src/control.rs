//! One place that says "stop": the user's signals, a failed stage, a closed window.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

/// Shared by all threads of a run; clones are the same switch.
#[derive(Clone, Debug, Default)]
pub struct Control {
    stop: Arc<AtomicBool>,
    signals: Arc<AtomicU32>,
}

impl Control {
    /// Asks the reader to stop; what was taken in is still worked through and written.
    pub fn stop(&self) {
        self.stop.store(true, Ordering::SeqCst);
    }

    /// True once somebody asked to stop.
    pub fn stopping(&self) -> bool {
        self.stop.load(Ordering::SeqCst)
    }

    /// A signal came: counts it, asks to stop, answers how many came so far.
    pub fn signal(&self) -> u32 {
        self.stop();
        self.signals.fetch_add(1, Ordering::SeqCst) + 1
    }

    /// How many signals came so far.
    pub fn signals(&self) -> u32 {
        self.signals.load(Ordering::SeqCst)
    }

    /// True when the user, not an error, asked to stop.
    pub fn signalled(&self) -> bool {
        self.signals.load(Ordering::SeqCst) > 0
    }
}

//! Jobs held and let go together: for want of room on the disk, and at Ctrl-Z.

use std::time::{Duration, Instant};

use super::Supervisor;

impl Supervisor<'_> {
    /// Holds everything while there is no room for results.
    pub(super) fn watch_disk(&mut self) {
        match (self.room.short(), self.held) {
            (Some(text), None) => {
                self.show.say(&text);
                self.held = Some(Instant::now());
                self.running.iter().for_each(|(_, _, w)| w.hold(true));
            }
            (None, Some(since)) => {
                self.show.say("there is room again: going on");
                self.held = None;
                self.let_go(since.elapsed());
            }
            // Whoever stops it wants the running jobs to finish: they may yet find room.
            (Some(_), Some(since)) if self.control.stopping() => {
                self.held = Some(since);
                self.running.iter().for_each(|(_, _, w)| w.hold(false));
            }
            _ => {}
        }
    }

    fn let_go(&mut self, time: Duration) {
        for (_, _, worker) in &mut self.running {
            worker.hold(false);
            worker.forgive(time);
        }
    }

    /// Ctrl-Z: all stop, and go on together.
    pub(super) fn sleep(&mut self) {
        self.running.iter().for_each(|(_, _, w)| w.hold(true));
        let since = Instant::now();
        self.show.suspend();
        let _ = signal_hook::low_level::raise(signal_hook::consts::SIGSTOP);
        if self.held.is_none() {
            self.let_go(since.elapsed());
        }
    }
}

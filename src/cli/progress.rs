//! What a run shows while it goes on: a bar on a terminal, a plain line now and then elsewhere.

use std::io::IsTerminal;
use std::sync::atomic::Ordering;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::pipeline::Progress;
use crate::pipeline::stats::Counters;
use crate::source::Facts;
use crate::term::say;

/// Seconds between plain lines.
const PLAIN_EVERY: u64 = 10;

/// Progress on standard error.
pub struct Terminal {
    quiet: bool,
    bar: Option<ProgressBar>,
    total: Option<u64>,
    next_line: u64,
    next_draw: Duration,
}

impl Terminal {
    /// Nothing at all when `quiet`.
    pub fn new(quiet: bool) -> Self {
        Terminal { quiet, bar: None, total: None, next_line: PLAIN_EVERY, next_draw: Duration::ZERO }
    }
}

impl Progress for Terminal {
    fn begin(&mut self, facts: &Facts) {
        if self.quiet {
            return;
        }
        let info = &facts.spec.info;
        say!(
            "{}: {}x{} {}{}",
            facts.name,
            info.width(),
            info.height(),
            info.format(),
            if facts.live { ", live" } else { "" }
        );
        self.total = facts.frames;
        if std::io::stderr().is_terminal() {
            let bar = ProgressBar::with_draw_target(self.total, ProgressDrawTarget::stderr_with_hz(8));
            let template = match self.total {
                Some(_) => "{bar:24} {percent:>3}% {pos}/{len} frames  {msg}  ETA {eta}",
                None => "{spinner} {pos} frames  {msg}  {elapsed}",
            };
            if let Ok(style) = ProgressStyle::with_template(template) {
                bar.set_style(style);
            }
            self.bar = Some(bar);
        }
    }

    fn tick(&mut self, counters: &Counters, elapsed: Duration) {
        if elapsed < self.next_draw {
            return;
        }
        self.next_draw = elapsed + Duration::from_millis(100);
        let done = counters.processed.load(Ordering::Relaxed);
        // Ops may drop and repeat frames: how far the run is shows in the frames it took in.
        let frames = if self.total.is_some() { counters.taken.load(Ordering::Relaxed) } else { done };
        let seconds = elapsed.as_secs_f64().max(1e-3);
        let (fps, speed) = (done as f64 / seconds, counters.position.load(Ordering::Relaxed) as f64 / 1e9 / seconds);
        if let Some(bar) = &self.bar {
            // Containers count badly: never show more than 100 %.
            if let Some(total) = self.total.filter(|t| frames > *t) {
                bar.set_length(frames.max(total));
            }
            bar.set_position(frames);
            bar.set_message(format!("{fps:.1} fps  {speed:.2}x"));
        } else if !self.quiet && elapsed.as_secs() >= self.next_line {
            self.next_line = elapsed.as_secs() + PLAIN_EVERY;
            let of = self
                .total
                .filter(|t| *t >= frames && *t > 0)
                .map(|t| format!("/{t} ({} %)", frames * 100 / t))
                .unwrap_or_default();
            say!("{frames}{of} frames, {fps:.1} fps, {speed:.2}x real time");
        }
    }

    fn end(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
    }
}

//! What a batch shows while it goes on: a line for each running job and one for all on a terminal, plain lines elsewhere.

use std::collections::HashMap;
use std::io::IsTerminal;
use std::path::Path;
use std::time::{Duration, Instant};

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::journal::Ended;
use super::plan::Job;
use crate::failure::Failure;
use crate::term::{clean, say};

/// How often the terminal is drawn.
const DRAW: Duration = Duration::from_millis(200);
/// How often plain output says that long jobs go on.
const PLAIN: Duration = Duration::from_secs(30);

/// Progress on standard error.
pub struct Show {
    quiet: bool,
    screen: Option<MultiProgress>,
    total: Option<ProgressBar>,
    bars: HashMap<u64, ProgressBar>,
    started: Instant,
    drawn: Instant,
    said: Instant,
    jobs: usize,
    over: usize,
    failed: usize,
    /// Work by its expected length.
    weight: f64,
    weight_over: f64,
}

impl Show {
    /// Nothing but what goes wrong when `quiet`.
    pub fn new(quiet: bool) -> Self {
        let now = Instant::now();
        let terminal = !quiet && std::io::stderr().is_terminal();
        let screen = terminal.then(|| MultiProgress::with_draw_target(ProgressDrawTarget::stderr_with_hz(8)));
        let (total, bars) = (None, HashMap::new());
        Show {
            quiet,
            screen,
            total,
            bars,
            started: now,
            drawn: now,
            said: now,
            jobs: 0,
            over: 0,
            failed: 0,
            weight: 0.0,
            weight_over: 0.0,
        }
    }

    /// More jobs are to be done, of these lengths.
    pub fn expect(&mut self, weights: impl Iterator<Item = f64>) {
        for weight in weights {
            self.jobs += 1;
            self.weight += weight;
        }
        if let Some(screen) = self.screen.as_ref().filter(|_| self.total.is_none() && self.jobs > 0) {
            let total = screen.add(ProgressBar::new(self.jobs as u64));
            let style = ProgressStyle::with_template("{bar:30} {pos}/{len} files  {msg}");
            style.into_iter().for_each(|s| total.set_style(s));
            self.total = Some(total);
        }
        if let Some(total) = &self.total {
            total.set_length(self.jobs as u64);
        }
    }

    /// A job begins.
    pub fn begin(&mut self, key: u64, job: &Job) {
        let (Some(screen), Some(total)) = (&self.screen, &self.total) else { return };
        let bar = screen.insert_before(total, ProgressBar::new(0));
        let style = ProgressStyle::with_template("  {bar:12} {percent:>3}%  {wide_msg}");
        style.into_iter().for_each(|s| bar.set_style(s));
        bar.set_message(name(&job.input));
        self.bars.insert(key, bar);
    }

    /// A job's process is gone.
    pub fn gone(&mut self, key: u64) {
        if let Some(bar) = self.bars.remove(&key) {
            bar.finish_and_clear();
        }
    }

    /// How far running jobs are, and how many wait.
    pub fn tick<'j>(&mut self, running: impl Iterator<Item = (u64, &'j Job, u64, Option<u64>)>, waiting: usize) {
        let due = |at: Instant, every: Duration| at.elapsed() >= every;
        if self.quiet || !due(self.drawn, DRAW) {
            return;
        }
        self.drawn = Instant::now();
        let mut partly = 0.0;
        let mut longest = String::new();
        for (key, job, frames, total) in running {
            let share = total.filter(|t| *t > 0).map_or(0.0, |t| (frames as f64 / t as f64).min(1.0));
            partly += share * job.weight;
            if let Some(bar) = self.bars.get(&key) {
                bar.set_length(total.unwrap_or(0).max(frames));
                bar.set_position(frames);
            }
            longest += &format!("; {} {:.0} %", name(&job.input), share * 100.0);
        }
        let rest = self.rest(partly);
        if let Some(total) = &self.total {
            total.set_position(self.over as u64);
            let failed = if self.failed > 0 { format!("{} failed  ", self.failed) } else { String::new() };
            total.set_message(format!("{failed}{waiting} waiting  {rest}"));
        } else if due(self.said, PLAIN) {
            self.said = Instant::now();
            say!("[{}/{}] {waiting} waiting {rest}{longest}", self.over, self.jobs);
        }
    }

    /// How long it will still take, by how long it took so far.
    fn rest(&self, partly: f64) -> String {
        let (done, elapsed) = (self.weight_over + partly, self.started.elapsed().as_secs_f64());
        if done <= 0.0 || elapsed < 1.0 {
            return String::new();
        }
        format!("ETA {}", span((self.weight - done).max(0.0) * elapsed / done))
    }

    /// A job is done.
    pub fn done(&mut self, job: &Job, ended: &Ended) {
        self.over += 1;
        self.weight_over += job.weight;
        let to = job.outputs.iter().find(|o| !o.as_os_str().is_empty());
        let to = to.map(|o| format!(" -> {}", short(o))).unwrap_or_default();
        let frames = ended.frames_out.map(|n| format!(", {n} frames")).unwrap_or_default();
        self.line(&format!("done    {}{to} ({:.1} s{frames})", short(&job.input), ended.seconds));
    }

    /// A job has failed.
    pub fn failed(&mut self, job: &Job, failure: &Failure, seconds: f64) {
        self.over += 1;
        self.failed += 1;
        self.weight_over += job.weight;
        let after = if seconds > 0.0 { format!(" ({seconds:.1} s)") } else { String::new() };
        let fix = failure.fix.as_ref().map(|f| format!("; fix: {f}")).unwrap_or_default();
        let text = format!("failed  {}{after}: {}{fix}", short(&job.input), failure.message);
        let text = clean(&text);
        match self.quiet {
            true => say!("{text}"),
            false => self.counted(&text),
        }
    }

    /// Something about the batch as a whole.
    pub fn say(&self, text: &str) {
        self.print(&clean(text));
    }

    fn line(&self, text: &str) {
        if !self.quiet {
            self.counted(&clean(text));
        }
    }

    fn counted(&self, text: &str) {
        let width = self.jobs.to_string().len();
        self.print(&format!("[{:>width$}/{}] {text}", self.over, self.jobs));
    }

    fn print(&self, text: &str) {
        match &self.screen {
            Some(screen) => drop(screen.println(text)),
            None => say!("{text}"),
        }
    }

    /// The terminal belongs to somebody else for a while.
    pub fn suspend(&self) {
        if let Some(screen) = &self.screen {
            let _ = screen.clear();
        }
    }

    /// Takes the bars away.
    pub fn end(&mut self) {
        self.bars.drain().for_each(|(_, bar)| bar.finish_and_clear());
        if let Some(total) = self.total.take() {
            total.finish_and_clear();
        }
    }
}

/// A path as seen from here, where that is shorter.
pub fn short(path: &Path) -> String {
    let here = std::env::current_dir().unwrap_or_default();
    path.strip_prefix(&here).unwrap_or(path).display().to_string()
}

fn name(path: &Path) -> String {
    clean(&path.file_name().unwrap_or_default().to_string_lossy())
}

/// `3 s`, `4 min 10 s`, `2 h 05 min`.
pub fn span(seconds: f64) -> String {
    let s = seconds.round() as u64;
    match s {
        0..60 => format!("{s} s"),
        60..3600 => format!("{} min {:02} s", s / 60, s % 60),
        _ => format!("{} h {:02} min", s / 3600, s % 3600 / 60),
    }
}

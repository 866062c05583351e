//! Runs jobs side by side, each in a child process, and sees to it that none of them costs more than itself.

mod hold;

use std::collections::VecDeque;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, unbounded};

use super::Options;
use super::child::{News, Worker};
use super::feed::Feed;
use super::journal::{Ended, Journal, State, mtime};
use super::order::Order;
use super::pattern::gathers;
use super::plan::Job;
use super::resources::{self, Room};
use super::settle;
use super::show::Show;
use crate::config::{Settings, SinkKind};
use crate::control::Control;
use crate::failure::{Class, Failure};

/// How often children are looked after.
const ROUND: Duration = Duration::from_millis(100);
/// How often the disk and arrivals are.
const SLOW_ROUND: Duration = Duration::from_millis(500);
/// A child that closed its output has so long to end.
const FAREWELL: Duration = Duration::from_secs(10);

/// What to do about an input that changed.
const GROWS: &str = "run the batch again when nobody writes to it any more";

/// What came of a call.
#[derive(Clone, Copy, Debug, Default)]
pub struct Tally {
    /// Jobs done.
    pub done: usize,
    /// Jobs failed.
    pub failed: usize,
    /// Jobs that were to be done and were not begun, or were cut off.
    pub left: usize,
    /// Wall time.
    pub seconds: f64,
}

/// Both ends: whoever sends gets a clone.
type Channel<T> = (Sender<T>, Receiver<T>);

/// Jobs at work.
pub struct Supervisor<'a> {
    settings: &'a Settings,
    options: &'a Options,
    journal: &'a mut Journal,
    show: &'a mut Show,
    feed: &'a mut dyn Feed,
    control: &'a Control,
    at_once: usize,
    queue: VecDeque<Job>,
    running: Vec<(u64, Job, Worker)>,
    /// Processes that did a job well and wait for another.
    idle: Vec<(u64, Worker)>,
    serial: u64,
    news: Channel<(u64, News)>,
    settling: usize,
    settled: Channel<Settled>,
    /// Paused for want of disk since then.
    held: Option<Instant>,
    room: Room<'a>,
    suspend: Arc<AtomicBool>,
    /// Largest resident size of any job so far.
    largest: u64,
    tally: Tally,
}

/// A job whose outputs are on the disk for good.
struct Settled {
    job: Job,
    ended: Ended,
}

impl<'a> Supervisor<'a> {
    /// `settings` are what all jobs share, as in the plan.
    pub fn new(
        settings: &'a Settings,
        options: &'a Options,
        journal: &'a mut Journal,
        show: &'a mut Show,
        feed: &'a mut dyn Feed,
        control: &'a Control,
    ) -> Self {
        Supervisor {
            settings,
            options,
            journal,
            show,
            feed,
            control,
            at_once: Supervisor::at_once(options),
            queue: VecDeque::new(),
            running: Vec::new(),
            idle: Vec::new(),
            serial: 0,
            news: unbounded(),
            settling: 0,
            settled: unbounded(),
            held: None,
            room: Room::new(&options.folders, options.min_free),
            suspend: Arc::default(),
            largest: 0,
            tally: Tally::default(),
        }
    }

    /// How many jobs run at a time with these options.
    pub fn at_once(options: &Options) -> usize {
        options.jobs.unwrap_or_else(resources::jobs)
    }

    /// Does all of `jobs`, and what the feed brings. Stops at the user's word: once, running jobs finish; twice, they end now.
    ///
    /// # Errors
    /// The journal cannot be written. What fails in a job is the job's own.
    pub fn run(mut self, jobs: Vec<Job>) -> Result<Tally, Failure> {
        let (started, mut slow) = (Instant::now(), Instant::now());
        // Ctrl-Z: the children are held too.
        let asked = signal_hook::flag::register(signal_hook::consts::SIGTSTP, self.suspend.clone());
        self.take_in(jobs)?;
        self.watch_disk();
        let result = self.work(&mut slow);
        if let Ok(id) = asked {
            signal_hook::low_level::unregister(id);
        }
        self.tally.left = self.queue.len() + self.running.len();
        self.tally.seconds = started.elapsed().as_secs_f64();
        // Whoever still runs was told to end now.
        let cut: Vec<_> = self.running.drain(..).collect();
        for (_, job, mut worker) in cut {
            let pid = worker.pid();
            worker.kill("stopped");
            drop(worker);
            self.clear(&job, pid);
        }
        let _ = fs::remove_dir_all(self.work_folder());
        self.show.end();
        result.map(|()| self.tally)
    }

    fn work(&mut self, slow: &mut Instant) -> Result<(), Failure> {
        loop {
            if self.suspend.swap(false, Ordering::SeqCst) {
                self.sleep();
            }
            if slow.elapsed() >= SLOW_ROUND {
                *slow = Instant::now();
                self.watch_disk();
                if !self.control.stopping() {
                    let more = self.feed.poll(self.journal)?;
                    self.take_in(more)?;
                }
            }
            while self.may_start() {
                let Some(job) = self.queue.pop_front() else { break };
                self.start(job)?;
            }
            if self.control.signals() > 1 {
                return Ok(());
            }
            let over = self.queue.is_empty() && self.feed.over() || self.control.stopping();
            if over && self.running.is_empty() && self.settling == 0 {
                return Ok(());
            }
            let leaving = self.running.iter().any(|(_, _, w)| w.gone.is_some());
            let patience = if leaving { Duration::from_millis(2) } else { ROUND };
            let (news, settled) = (self.news.1.clone(), self.settled.1.clone());
            crossbeam_channel::select! {
                recv(news) -> n => if let Ok((key, news)) = n {
                    self.idle.retain(|(k, _)| *k != key || !matches!(news, News::Gone));
                    self.running.iter_mut().filter(|(k, ..)| *k == key).for_each(|(_, _, w)| w.hear(&news));
                },
                recv(settled) -> s => if let Ok(s) = s { self.note(s)? },
                default(patience) => {}
            }
            self.look_after()?;
            let state = self.running.iter().map(|(key, job, w)| (*key, job, w.frames, w.total));
            self.show.tick(state, self.queue.len());
        }
    }

    fn take_in(&mut self, jobs: Vec<Job>) -> Result<(), Failure> {
        self.show.expect(jobs.iter().map(|j| j.weight));
        for job in jobs {
            match &job.trouble {
                None => self.queue.push_back(job),
                Some(failure) => {
                    let ended = Ended { failure: Some(failure.clone()), ..Ended::default() };
                    self.journal.end(job.id, State::Failed, &ended)?;
                    self.tally.failed += 1;
                    self.show.failed(&job, failure, 0.0);
                }
            }
        }
        Ok(())
    }

    fn may_start(&self) -> bool {
        let full = self.running.len() >= self.at_once;
        if full || self.queue.is_empty() || self.held.is_some() || self.control.stopping() {
            return false;
        }
        if self.running.is_empty() {
            return true;
        }
        let calm = self.options.max_load.is_none_or(|most| resources::load().is_none_or(|now| now < most));
        // As much as the largest job so far took.
        let room = resources::free_memory().is_none_or(|free| free > self.largest + self.largest / 4);
        calm && room
    }

    fn start(&mut self, mut job: Job) -> Result<(), Failure> {
        job.tries += 1;
        let order = match Order::new(self.settings, self.options, &self.work_folder(), &job) {
            Ok(order) => order,
            Err(failure) => return self.lost(job, failure, Ended::default()),
        };
        let (key, mut worker) = match self.worker(job.alone) {
            Ok(worker) => worker,
            Err(e) => {
                return self.lost(
                    job,
                    Failure::failed(format!("cannot start a process for it: {e}")),
                    Ended::default(),
                );
            }
        };
        self.journal.begin(job.id, worker.pid())?;
        worker.give(&order);
        self.show.begin(key, &job);
        self.running.push((key, job, worker));
        Ok(())
    }

    /// A process that waits for a job, a `new` one or any.
    fn worker(&mut self, new: bool) -> std::io::Result<(u64, Worker)> {
        if let Some(idle) = self.idle.pop_if(|_| !new) {
            return Ok(idle);
        }
        self.serial += 1;
        Ok((self.serial, Worker::start(self.serial, &self.news.0)?))
    }

    fn work_folder(&self) -> PathBuf {
        let mut name = self.journal.path().as_os_str().to_owned();
        name.push(".work");
        name.into()
    }

    fn look_after(&mut self) -> Result<(), Failure> {
        let mut over = Vec::new();
        for (key, _, worker) in &mut self.running {
            if worker.told() {
                over.push((*key, None));
                continue;
            }
            if let Some(gone) = worker.gone {
                match worker.ended() {
                    Some(status) => over.push((*key, Some(status))),
                    None if gone.elapsed() > FAREWELL => worker.kill("it fell silent, and did not end"),
                    None => {}
                }
                continue;
            }
            if self.held.is_some() {
                continue;
            }
            if let Some(why) = worker.exceeds(self.options) {
                worker.kill(why);
            }
            self.largest = self.largest.max(worker.memory);
        }
        for (key, status) in over {
            if let Some(i) = self.running.iter().position(|(k, ..)| *k == key) {
                let (key, job, worker) = self.running.remove(i);
                self.show.gone(key);
                self.over(key, job, worker, status)?;
            }
        }
        Ok(())
    }

    /// A job is over: its child said so, or has ended.
    fn over(&mut self, key: u64, mut job: Job, mut worker: Worker, status: Option<ExitStatus>) -> Result<(), Failure> {
        let shown = job.input.display().to_string();
        let (whole, mut ended, failure) = worker.result(status, self.options, &shown);
        let (pid, inherited) = (worker.pid(), !whole && worker.inherited());
        if worker.fit(self.options) {
            self.idle.push((key, worker));
        }
        if !whole {
            self.clear(&job, pid);
        }
        // What is gathered is no file of the job's own.
        let folder = self.work_folder();
        ended.written.retain(|w| !Path::new(&w.path).starts_with(&folder));
        // Another job's doing, perhaps: one more attempt, in a new process.
        let may_retry = (inherited || job.tries <= self.options.retries) && !self.control.stopping();
        match failure {
            Some(f) if self.room.lacked(&f) => {
                self.clear(&job, pid);
                self.again(job, &ended, f)
            }
            Some(f) if f.class == Class::Failed && may_retry => {
                self.show.say(&format!("again: {}", f.message));
                ended.failure = Some(f);
                self.journal.end(job.id, State::Waiting, &ended)?;
                job.tries -= u32::from(inherited);
                job.alone = true;
                self.queue.push_back(job);
                Ok(())
            }
            Some(mut f) => {
                if f.class == Class::Input && changed(&job) {
                    f = Failure::input(format!("{} (it changed while it was read)", f.message)).fix(GROWS);
                }
                ended.failure = Some(f);
                self.settle(job, ended);
                Ok(())
            }
            None if changed(&job) => {
                self.lost(job, Failure::input(format!("{shown} changed while it was read")).fix(GROWS), ended)
            }
            None => {
                self.settle(job, ended);
                Ok(())
            }
        }
    }

    /// What it wrote goes to the disk for good, beside whatever else is going on.
    fn settle(&mut self, job: Job, mut ended: Ended) {
        self.settling += 1;
        let (to, folder) = (self.settled.0.clone(), self.work_folder());
        let sinks = self.settings.sinks.iter().enumerate().filter(|(_, s)| gathers(s));
        let parts: Vec<(PathBuf, PathBuf)> =
            sinks.filter_map(|(i, s)| Some((settle::part(&folder, job.id, i), s.path.clone()?))).collect();
        thread::spawn(move || {
            if let Err(e) = settle::settle(&job, &ended, &parts) {
                ended.failure.get_or_insert(e);
            }
            let _ = to.send(Settled { job, ended });
        });
    }

    fn note(&mut self, settled: Settled) -> Result<(), Failure> {
        self.settling -= 1;
        let Settled { job, ended } = settled;
        match ended.failure.clone() {
            Some(f) if self.room.lacked(&f) => self.again(job, &ended, f),
            Some(f) => self.lost(job, f, ended),
            None => {
                self.journal.end(job.id, State::Done, &ended)?;
                self.tally.done += 1;
                self.show.done(&job, &ended);
                self.feed.done(&job);
                Ok(())
            }
        }
    }

    fn lost(&mut self, job: Job, failure: Failure, mut ended: Ended) -> Result<(), Failure> {
        self.show.failed(&job, &failure, ended.seconds);
        ended.failure = Some(failure);
        self.journal.end(job.id, State::Failed, &ended)?;
        self.tally.failed += 1;
        Ok(())
    }

    /// The disk's fault, not the job's: it waits in front until there is more room than it found.
    fn again(&mut self, mut job: Job, ended: &Ended, failure: Failure) -> Result<(), Failure> {
        self.room.ask_for_more();
        self.watch_disk();
        job.tries -= 1;
        job.own = true;
        self.journal.end(job.id, State::Waiting, &Ended { failure: Some(failure), ..ended.clone() })?;
        self.queue.push_front(job);
        Ok(())
    }

    /// Removes what a child that was cut off left behind.
    fn clear(&self, job: &Job, pid: u32) {
        let files = self
            .settings
            .sinks
            .iter()
            .zip(&job.outputs)
            .filter(|(s, _)| matches!(s.kind, SinkKind::File | SinkKind::Records | SinkKind::Report));
        files.for_each(|(_, path)| settle::clear(path, pid));
    }
}

/// Whether the input is not what it was when the job was planned.
fn changed(job: &Job) -> bool {
    fs::metadata(&job.input).is_ok_and(|m| (m.len(), mtime(&m)) != (job.identity.size, job.identity.mtime))
}

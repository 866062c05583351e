//! The parent's side of jobs: the child process that does one after the other, what it says, and what it takes.

use std::collections::VecDeque;
use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use crossbeam_channel::Sender;
use rustix::process::{Pid, Signal, kill_process};

use super::Options;
use super::journal::Ended;
use super::order::Order;
use super::work::{Outcome, Word};
use crate::failure::{Class, Failure};
use crate::term::clean;

/// Lines of a child's standard error that are kept.
const LINES: usize = 30;
/// A process does so many jobs: what leaks in a library does not pile up.
const JOBS: u32 = 100;
/// And goes on only as long as no more than this many bytes are left over from the last one.
const LEFT_OVER: u64 = 400 << 20;

/// News of a child.
pub enum News {
    /// It said something.
    Said(Word),
    /// It closed its output: it is over, or as good as.
    Gone,
}

/// A child at work.
pub struct Worker {
    child: Child,
    /// Open as long as it may live.
    stdin: Option<ChildStdin>,
    stderr: Arc<Mutex<VecDeque<String>>>,
    /// How many jobs it was given.
    jobs: u32,
    /// When the job began.
    started: Instant,
    /// When something moved last.
    moved: Instant,
    beat: u64,
    /// Frames taken in.
    pub frames: u64,
    /// Frames that the input should have.
    pub total: Option<u64>,
    /// What it said at its end.
    outcome: Option<Outcome>,
    /// Why it was killed.
    killed: Option<String>,
    /// That was for its time.
    late: bool,
    /// The last job left nothing behind.
    well: bool,
    /// Largest resident size seen, in bytes.
    pub memory: u64,
    /// Its output is closed since then.
    pub gone: Option<Instant>,
}

impl Worker {
    /// Starts a child that waits for [`Worker::give`]; its news go to `to` under `key`.
    ///
    /// # Errors
    /// The system does not start it.
    pub fn start<K: Copy + Send + 'static>(key: K, to: &Sender<(K, News)>) -> io::Result<Self> {
        let mut child = Command::new(program())
            .arg("job")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            // Ctrl-C in a terminal reaches the parent alone: running jobs finish.
            .process_group(0)
            .spawn()?;
        let stderr = Arc::<Mutex<VecDeque<String>>>::default();
        let (stdin, stdout, errors) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let (kept, to) = (stderr.clone(), to.clone());
        thread::spawn(move || errors.into_iter().for_each(|e| keep(BufReader::new(e), &kept)));
        thread::spawn(move || {
            for line in stdout.into_iter().flat_map(|o| BufReader::new(o).lines()).map_while(Result::ok) {
                // Anything else is a library's chatter.
                let Ok(word) = serde_json::from_str(&line) else { continue };
                let _ = to.send((key, News::Said(word)));
            }
            let _ = to.send((key, News::Gone));
        });
        let now = Instant::now();
        Ok(Worker {
            child,
            stdin,
            stderr,
            jobs: 0,
            started: now,
            moved: now,
            beat: 0,
            frames: 0,
            total: None,
            outcome: None,
            killed: None,
            late: false,
            well: false,
            memory: 0,
            gone: None,
        })
    }

    /// Gives it a job, its first one or the next.
    pub fn give(&mut self, order: &Order) {
        let now = Instant::now();
        (self.started, self.moved) = (now, now);
        (self.beat, self.frames, self.total, self.memory) = (0, 0, None, 0);
        (self.late, self.well) = (false, false);
        self.jobs += 1;
        if let Ok(mut lines) = self.stderr.lock() {
            lines.clear();
        }
        if let Some(pipe) = &mut self.stdin {
            // A child that died already says so by its end.
            let _ = serde_json::to_writer(&mut *pipe, order)
                .map_err(io::Error::from)
                .and_then(|()| writeln!(pipe))
                .and_then(|()| pipe.flush());
        }
    }

    /// Whether it can do one more job as if that were its first.
    pub fn fit(&self, limits: &Options) -> bool {
        let left_over = limits.memory.map_or(LEFT_OVER, |most| LEFT_OVER.min(most / 4));
        // From here on its peak is counted anew: the next job is not to blame for the last one's.
        let anew = || std::fs::write(format!("/proc/{}/clear_refs", self.pid()), "5").is_ok();
        self.well && self.jobs < JOBS && resident(self.pid(), "VmRSS:") < left_over && anew()
    }

    /// True where an earlier job may have left the trouble behind that ended this one.
    pub fn inherited(&self) -> bool {
        self.jobs > 1 && !self.late
    }

    /// Its process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Takes down what it said.
    pub fn hear(&mut self, news: &News) {
        match news {
            News::Said(Word::Open { frames }) => {
                self.total = *frames;
                self.moved = Instant::now();
            }
            News::Said(Word::At { frames, beat }) => {
                if *beat != self.beat {
                    (self.beat, self.moved) = (*beat, Instant::now());
                }
                self.frames = *frames;
            }
            News::Said(Word::End(outcome)) => {
                self.outcome = Some((**outcome).clone());
                self.moved = Instant::now();
            }
            News::Gone => self.gone = Some(Instant::now()),
        }
    }

    /// Why it must end, if it goes beyond a limit.
    pub fn exceeds(&mut self, limits: &Options) -> Option<String> {
        self.memory = self.memory.max(resident(self.pid(), "VmHWM:"));
        let seconds = |d: Duration| format!("{:.0} s", d.as_secs_f64());
        if limits.memory.is_some_and(|most| self.memory > most) {
            return Some(format!("it took {}", self.share(limits)));
        }
        self.late = self.moved.elapsed() > limits.stall;
        if self.late {
            let at = if self.frames > 0 { format!(" after {} frames", self.frames) } else { String::new() };
            return Some(format!("it made no progress for {}{at} (--stall)", seconds(limits.stall)));
        }
        let most = limits.limit.filter(|most| self.started.elapsed() > *most)?;
        self.late = true;
        let at = self.total.map_or(String::new(), |t| format!(", at frame {} of {t}", self.frames));
        Some(format!("it was not done after {}{at} (--limit)", seconds(most)))
    }

    /// What it took of the memory that it may take.
    fn share(&self, limits: &Options) -> String {
        let most = limits.memory.map_or(String::new(), |most| format!(", {} MB are allowed (--memory)", most >> 20));
        format!("{} MB of memory{most}", self.memory >> 20)
    }

    /// True when it said how its job ended.
    pub fn told(&self) -> bool {
        self.outcome.is_some()
    }

    /// Ends it at once; `why` is what its job will say.
    pub fn kill(&mut self, why: impl Into<String>) {
        self.killed.get_or_insert_with(|| why.into());
        let _ = self.child.kill();
    }

    /// Holds it, or lets it go on.
    pub fn hold(&self, held: bool) {
        let signal = if held { Signal::STOP } else { Signal::CONT };
        if let Some(pid) = i32::try_from(self.pid()).ok().and_then(Pid::from_raw) {
            let _ = kill_process(pid, signal);
        }
    }

    /// For so long it was held: that is nobody's fault.
    pub fn forgive(&mut self, time: Duration) {
        self.started += time;
        self.moved += time;
    }

    /// How it ended, once it has.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().ok().flatten()
    }

    /// What came of the job, now that it is over: whether the child said so itself, what is known, and why it failed.
    /// `status` is there where the process has ended.
    pub fn result(
        &mut self,
        status: Option<ExitStatus>,
        limits: &Options,
        shown: &str,
    ) -> (bool, Ended, Option<Failure>) {
        self.memory = self.memory.max(resident(self.pid(), "VmHWM:"));
        let mut ended = Ended {
            seconds: self.started.elapsed().as_secs_f64(),
            memory: Some(self.memory).filter(|m| *m > 0),
            ..Ended::default()
        };
        let outcome = self.outcome.take();
        let failed = |why: &str| Some(Failure::failed(format!("{shown}: {why}")));
        let failure = match (&self.killed, &outcome) {
            (None, Some(o)) => {
                o.failure.clone().map(|(class, message, fix)| Failure { class: class_of(class), message, fix })
            }
            (Some(why), _) => failed(why),
            (None, None) => failed(&self.last_words(status, limits)),
        };
        let whole = self.killed.is_none() && outcome.is_some();
        if let Some(o) = outcome {
            self.well = whole && o.fit;
            ended.frames_in = o.frames_in;
            ended.frames_out = o.frames_out;
            ended.video_seconds = o.video_seconds;
            ended.notices = o.notices;
            ended.written = o.written;
            let jpeg = |t: Option<String>| t.and_then(|t| data_encoding::BASE64.decode(t.as_bytes()).ok());
            ended.thumbnails = o.thumbnails.map(jpeg);
        }
        (whole, ended, failure)
    }

    /// Why it ended without a word, as well as can be told.
    fn last_words(&self, status: Option<ExitStatus>, limits: &Options) -> String {
        let lines = self.stderr.lock().map(|l| l.iter().cloned().collect::<Vec<_>>()).unwrap_or_default();
        let telling = ["panicked at", "error:", "failed to allocate", "ERROR"];
        let line = lines.iter().rev().find(|l| telling.iter().any(|t| l.contains(t))).or(lines.last());
        let said = line.map(|l| format!(": {}", clean(l.trim()))).unwrap_or_default();
        // Whether that was the reason a library seldom says.
        let share = limits.memory.map_or(String::new(), |_| format!(", having taken {}", self.share(limits)));
        match status.and_then(|s| s.signal()) {
            Some(n) => format!("the job was ended by {}{share}{said}", signal_name(n)),
            None => {
                let code = status.and_then(|s| s.code()).unwrap_or(-1);
                format!("the job ended with exit code {code} and without a result{share}{said}")
            }
        }
    }
}

impl Drop for Worker {
    /// Nothing outlives the batch.
    fn drop(&mut self) {
        if self.ended().is_none() {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

fn class_of(code: i32) -> Class {
    let all = [Class::Usage, Class::Input, Class::Output, Class::Stopped];
    all.into_iter().find(|c| *c as i32 == code).unwrap_or(Class::Failed)
}

/// This program, even where its file was replaced meanwhile.
fn program() -> std::path::PathBuf {
    match std::env::current_exe() {
        Ok(path) if path.exists() => path,
        _ => "/proc/self/exe".into(),
    }
}

fn keep(from: impl BufRead, lines: &Mutex<VecDeque<String>>) {
    for line in from.split(b'\n').map_while(Result::ok) {
        let text = String::from_utf8_lossy(&line).trim().to_owned();
        if let Ok(mut lines) = lines.lock()
            && !text.is_empty()
        {
            lines.push_back(text);
            if lines.len() > LINES {
                lines.pop_front();
            }
        }
    }
}

/// Memory that a process has in RAM, or had at most (`VmRSS:`, `VmHWM:`), in bytes; 0 where that cannot be told.
fn resident(pid: u32, which: &str) -> u64 {
    let text = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let most = text.lines().find_map(|l| l.strip_prefix(which));
    most.and_then(|m| m.trim().trim_end_matches("kB").trim().parse::<u64>().ok()).unwrap_or(0) << 10
}

fn signal_name(n: i32) -> String {
    let name = match n {
        4 => "SIGILL, illegal instruction",
        5 => "SIGTRAP, as when memory cannot be had",
        6 => "SIGABRT, abort",
        7 => "SIGBUS, bus error",
        8 => "SIGFPE, arithmetic error",
        9 => "SIGKILL, as the system does when memory runs out",
        11 => "SIGSEGV, a crash",
        15 => "SIGTERM",
        _ => return format!("signal {n}"),
    };
    format!("signal {n} ({name})")
}

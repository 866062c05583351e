//! What is to be done: inputs and output names against the journal.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::inputs::{Found, unfit};
use super::journal::{Entry, Identity, Journal, State, mtime};
use super::pattern;
use crate::config::{Settings, SinkKind};
use crate::failure::Failure;

/// How an input is known again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum IdentifyBy {
    /// Path, size and time of the last change.
    #[default]
    Stat,
    /// Path and sha256 of all of its bytes.
    Content,
}

/// Why a job is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Reason {
    /// Never seen before.
    New,
    /// Begun, and not finished.
    Unfinished,
    /// It failed the last time.
    Failed,
    /// The input is another one than it was.
    InputChanged,
    /// The configuration is another one than it was.
    ConfigChanged,
    /// Its outputs are not there any more, or not as they were written.
    OutputChanged,
    /// Somebody asked for it.
    Asked,
}

impl Reason {
    /// For people.
    pub fn name(self) -> &'static str {
        match self {
            Reason::New => "new",
            Reason::Unfinished => "not finished",
            Reason::Failed => "failed before",
            Reason::InputChanged => "the input changed",
            Reason::ConfigChanged => "the configuration changed",
            Reason::OutputChanged => "the output is gone or was changed",
            Reason::Asked => "asked for",
        }
    }
}

/// A job that waits.
#[derive(Clone, Debug)]
pub struct Job {
    /// In the journal.
    pub id: i64,
    /// Absolute.
    pub input: PathBuf,
    /// By sink, then statistics and measurements, then what ops write; empty where no file of this job's own is written.
    pub outputs: Vec<PathBuf>,
    /// What the input is now.
    pub identity: Identity,
    /// Why.
    pub reason: Reason,
    /// What is there under the outputs' names is this batch's own.
    pub own: bool,
    /// How long it took before, or a guess by size, in seconds or bytes: the largest go first.
    pub weight: f64,
    /// Attempts in this call.
    pub tries: u32,
    /// It went wrong before: only a new process may do it.
    pub alone: bool,
    /// Why it cannot even be tried.
    pub trouble: Option<Failure>,
}

/// What a call will do.
#[derive(Debug, Default)]
pub struct Plan {
    /// Jobs to do, the largest first.
    pub jobs: Vec<Job>,
    /// Inputs that are done already.
    pub done: usize,
}

/// The settings all jobs share.
pub struct Common<'a> {
    /// With output names that hold fields.
    pub settings: &'a Settings,
    /// Of `settings`.
    pub hash: String,
    /// How inputs are known again.
    pub by: IdentifyBy,
    /// Existing files may be replaced.
    pub overwrite: bool,
    /// Jobs that failed before are left out.
    pub skip_failed: bool,
}

/// What identifies a configuration: all of it but the input, and of the files that its ops read their size and time.
pub fn hash(settings: &Settings) -> Result<String, Failure> {
    let mut sha = Sha256::new();
    sha.update(crate::config::print(settings)?);
    for path in pattern::read_by_ops(settings) {
        if let Ok(m) = fs::metadata(&path) {
            sha.update(format!("{} {}", m.len(), mtime(&m)));
        }
    }
    Ok(data_encoding::HEXLOWER.encode(&sha.finalize())[..16].to_owned())
}

impl Common<'_> {
    /// Judges every input, and writes down in the journal what waits.
    ///
    /// # Errors
    /// Two jobs would write the same file, or one would write over an input: nothing is begun.
    pub fn plan(&self, inputs: &[Found], journal: &mut Journal) -> Result<Plan, Failure> {
        let known = journal.entries()?;
        for entry in known.values().filter(|e| e.state == State::Running) {
            // The process that wrote there is gone: its parent was, and with it the lock on the journal.
            let pid = entry.pid.unwrap_or(0);
            entry.outputs.iter().for_each(|path| super::settle::clear(path, pid));
        }
        let mut plan = self.judge(inputs, &known)?;
        let rows: Vec<_> = plan.jobs.iter().map(|j| (j.input.as_path(), &j.identity, j.outputs.as_slice())).collect();
        let ids = journal.plan(&rows, &self.hash)?;
        plan.jobs.iter_mut().zip(ids).for_each(|(job, id)| job.id = id);
        Ok(plan)
    }

    /// The plan, with nothing written down.
    pub fn judge(&self, inputs: &[Found], known: &HashMap<PathBuf, Entry>) -> Result<Plan, Failure> {
        let outputs: Vec<Vec<PathBuf>> = inputs.iter().map(|i| self.outputs(i)).collect::<Result<_, _>>()?;
        // What this batch wrote is no input of it, though it may lie in a folder that is searched.
        let mut written: HashMap<&Path, usize> = HashMap::new();
        for (i, path) in outputs.iter().enumerate().flat_map(|(i, o)| o.iter().map(move |p| (i, p))) {
            if path.as_os_str().is_empty() {
                continue;
            }
            if let Some(other) = written.insert(path, i).filter(|other| *other != i) {
                let (a, b) = (inputs[other].path.display(), inputs[i].path.display());
                return Err(Failure::usage(format!("{a} and {b} would both be written to {}", path.display())).fix(
                    "put {dir} into the output's name, or {name} where only extensions differ; nothing was begun",
                ));
            }
        }
        let mut plan = Plan::default();
        for (input, outputs) in inputs.iter().zip(&outputs) {
            if let Some(&i) = written.get(input.path.as_path()) {
                let own = known.get(&inputs[i].path).is_some_and(|e| e.attempts > 0);
                if own && !known.contains_key(&input.path) {
                    continue;
                }
                let (input, by) = (input.path.display(), inputs[i].path.display());
                return Err(Failure::usage(format!("the result of {by} would be written over the input {input}"))
                    .fix("choose other output names, as in -o 'out/{dir}/{stem}.mp4'; nothing was begun"));
            }
            match self.job(input, outputs, known.get(&input.path)) {
                Some(job) if self.skip_failed && job.reason == Reason::Failed => {}
                Some(job) => plan.jobs.push(job),
                None => plan.done += 1,
            }
        }
        order(&mut plan.jobs);
        Ok(plan)
    }

    fn outputs(&self, input: &Found) -> Result<Vec<PathBuf>, Failure> {
        let sinks = self.settings.sinks.iter();
        let own = |sink: &crate::config::SinkSettings| match sink.path.as_deref() {
            Some(path) if sink.kind != SinkKind::Null && !pattern::gathers(sink) => {
                super::inputs::absolute(&pattern::render(path, input))
            }
            _ => Ok(PathBuf::new()),
        };
        let tables = [&self.settings.stats, &self.settings.measures].into_iter().map(|path| match path {
            Some(path) => super::inputs::absolute(&pattern::render(path, input)),
            None => Ok(PathBuf::new()),
        });
        let ops =
            pattern::of_ops(self.settings).map(|(_, _, path)| super::inputs::absolute(&pattern::render(path, input)));
        sinks.map(own).chain(tables).chain(ops).collect()
    }

    /// What is to be done for one input; `None` where all is well.
    fn job(&self, input: &Found, outputs: &[PathBuf], known: Option<&Entry>) -> Option<Job> {
        let mut trouble =
            unfit(&input.path).map(|why| Failure::input(format!("cannot open {}: {why}", input.path.display())));
        let identity = match trouble {
            None => self.identify(&input.path, known).unwrap_or_else(|e| {
                trouble = Some(Failure::input(format!("cannot read {}: {e}", input.path.display())));
                Identity::default()
            }),
            Some(_) => Identity::default(),
        };
        let same_input = known.is_some_and(|e| match (self.by, &e.identity.hash) {
            (IdentifyBy::Content, Some(hash)) => identity.hash.as_ref() == Some(hash),
            _ => (e.identity.size, e.identity.mtime) == (identity.size, identity.mtime),
        });
        let reason = match known {
            None => Reason::New,
            Some(e) => match e.state {
                State::Waiting | State::Running if e.attempts == 0 => Reason::New,
                State::Waiting | State::Running => Reason::Unfinished,
                _ if !same_input => Reason::InputChanged,
                _ if e.config != self.hash || e.outputs != outputs => Reason::ConfigChanged,
                State::Failed => Reason::Failed,
                State::Done if e.written.iter().all(super::journal::Written::stands) => return None,
                State::Done => Reason::OutputChanged,
            },
        };
        let own = known.is_some_and(|e| e.attempts > 0 && e.outputs == outputs);
        if trouble.is_none() && !self.overwrite {
            trouble = outputs.iter().find(|p| p.exists() && !known.is_some_and(|e| made(e, p))).map(|p| {
                let why = if own {
                    "it was changed since this batch wrote it"
                } else {
                    "the file exists, and is not this batch's"
                };
                Failure::output(format!("cannot write {}: {why}", p.display())).fix("--overwrite replaces it")
            });
        }
        let weight = known.and_then(|e| e.seconds).filter(|_| same_input).unwrap_or(0.0);
        Some(Job {
            id: 0,
            input: input.path.clone(),
            outputs: outputs.to_vec(),
            identity,
            reason,
            own,
            weight,
            tries: 0,
            alone: false,
            trouble,
        })
    }

    fn identify(&self, path: &Path, known: Option<&Entry>) -> std::io::Result<Identity> {
        let m = fs::metadata(path)?;
        let (size, mtime) = (m.len(), mtime(&m));
        let hash = match self.by {
            IdentifyBy::Stat => None,
            // The same size and time as when its content was looked at: that is not read again.
            IdentifyBy::Content => match known.map(|e| &e.identity) {
                Some(i) if (i.size, i.mtime) == (size, mtime) && i.hash.is_some() => i.hash.clone(),
                _ => {
                    let mut sha = Sha256::new();
                    let mut file = fs::File::open(path)?;
                    let mut buffer = vec![0; 1 << 20];
                    loop {
                        match std::io::Read::read(&mut file, &mut buffer)? {
                            0 => break Some(data_encoding::HEXLOWER.encode(&sha.finalize())),
                            n => sha.update(&buffer[..n]),
                        }
                    }
                }
            },
        };
        Ok(Identity { size, mtime, hash })
    }
}

/// True when the file at `path` is what an attempt left there: written down as such, or begun and cut off.
fn made(entry: &Entry, path: &Path) -> bool {
    let cut_off = matches!(entry.state, State::Waiting | State::Running) && entry.attempts > 0;
    let as_written = |w: &super::journal::Written| Path::new(&w.path) == path && w.stands();
    cut_off && entry.outputs.iter().any(|o| o == path) || entry.written.iter().any(as_written)
}

/// The longest first, so that none of them is begun last, alone. Where it is not known how long jobs take, their size
/// stands for it, at the rate of those that are known.
pub fn order(jobs: &mut [Job]) {
    let known = jobs.iter().filter(|j| j.weight > 0.0 && j.identity.size > 0);
    let (seconds, bytes) = known.fold((0.0, 0.0), |(s, b), j| (s + j.weight, b + j.identity.size as f64));
    let rate = if bytes > 0.0 { seconds / bytes } else { 1e-6 };
    for job in jobs.iter_mut().filter(|j| j.weight <= 0.0) {
        job.weight = job.identity.size as f64 * rate;
    }
    jobs.sort_by(|a, b| b.weight.total_cmp(&a.weight));
}

#[cfg(test)]
mod tests;

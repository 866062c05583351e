//! `--watch`: edits of the configuration change the ops of a run that goes on.
//!
//! The files are looked at four times a second instead of asking the system for events: editors write beside a file and
//! rename, network and container mounts tell of nothing, and a `stat` costs microseconds.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded, unbounded};

use super::chain::{Chain, Shape};
use crate::config::Settings;
use crate::failure::Failure;
use crate::frame::Spec;
use crate::ops::Stream;

const EVERY: Duration = Duration::from_millis(250);

/// Reads the settings anew, the same way as at the start.
pub type Reread = Box<dyn Fn() -> Result<Settings, Failure> + Send>;

/// Watches the files of a run's settings. A chain for what they say now is prepared here, while the old one works on.
pub struct Watch {
    reread: Reread,
    /// What runs.
    settings: Settings,
    spec: Arc<Spec>,
    stream: Stream,
    shape: Shape,
    edits: Sender<Chain>,
    end: Receiver<()>,
}

type Stamp = Option<(SystemTime, u64)>;

impl Watch {
    /// A watch, the chains that come of it, and what ends it when dropped.
    pub fn new(
        reread: Reread,
        settings: &Settings,
        spec: &Arc<Spec>,
        stream: &Stream,
        shape: Shape,
    ) -> (Self, Receiver<Chain>, Sender<()>) {
        let (edits, taken) = unbounded();
        let (stop, end) = bounded(0);
        let (settings, spec, stream) = (settings.clone(), spec.clone(), stream.clone());
        (Watch { reread, settings, spec, stream, shape, edits, end }, taken, stop)
    }

    /// Until the run ends.
    pub fn run(mut self) {
        // They are read once at the beginning: an edit may have come between the first reading and this.
        let (mut seen, mut last) = (Vec::new(), Vec::new());
        // The last mistake: said once. A file that is wrong is read until it is right, since what it lacks may be a file that
        // nobody watches yet.
        let mut wrong: Option<String> = None;
        while self.end.recv_timeout(EVERY) == Err(RecvTimeoutError::Timeout) {
            let now = stamps(&self.settings.files);
            // A file that is being written or replaced is left alone until it holds still.
            let still = now == last && now.iter().all(Option::is_some);
            last.clone_from(&now);
            if !still || (now == seen && wrong.is_none()) {
                continue;
            }
            seen = now;
            let files = self.settings.files.clone();
            let failure = match (self.reread)() {
                Ok(settings) => {
                    wrong = None;
                    self.edit(settings).err()
                }
                Err(f) if wrong.as_ref() == Some(&f.message) => None,
                Err(f) => {
                    wrong = Some(f.message.clone());
                    Some(f)
                }
            };
            if let Some(f) = failure {
                log::warn!("edit not taken, the ops stay as they are: {}", f.message);
            }
            if self.settings.files != files {
                seen = stamps(&self.settings.files);
                last.clone_from(&seen);
            }
        }
    }

    /// Hands over a chain for `new`, if nothing but ops differs from what runs.
    fn edit(&mut self, new: Settings) -> Result<(), Failure> {
        let old = &self.settings;
        let fixed = |what: String| {
            Err(Failure::usage(format!("{what} cannot change while it runs: start it anew, or put that back")))
        };
        if let Some(key) = differs(&old.source, &new.source) {
            return fixed(format!("[source] {key}"));
        }
        if old.sinks.len() != new.sinks.len() {
            return fixed("the number of [[sink]]".into());
        }
        for (i, (o, n)) in old.sinks.iter().zip(&new.sinks).enumerate() {
            if let Some(key) = differs(o, n) {
                return fixed(format!("[[sink]] {i}: {key}"));
            }
        }
        if old.measures != new.measures {
            return fixed("measures".into());
        }
        if old.stats != new.stats {
            return fixed("stats".into());
        }
        let same =
            |(o, n): (&crate::ops::OpSettings, &crate::ops::OpSettings)| o.name == n.name && o.effective == n.effective;
        if old.threads != new.threads || old.ops.len() != new.ops.len() || !old.ops.iter().zip(&new.ops).all(same) {
            let chain = Chain::prepare(&new.ops, &self.spec, &self.stream, new.threads.unwrap_or(1))?;
            let shape = chain.shape();
            if shape.output.info != self.shape.output.info {
                return fixed("size, format and frame rate of the output".into());
            }
            if shape.times != self.shape.times {
                let all = self.shape.times.iter().chain(&shape.times);
                let names: std::collections::BTreeSet<&str> = all.map(|t| t.name).collect();
                let names: Vec<&str> = names.into_iter().collect();
                return fixed(format!("what drops, repeats or moves frames ({})", names.join(", ")));
            }
            // Nobody takes it where the run has just ended.
            let _ = self.edits.send(chain);
        }
        self.settings = new;
        Ok(())
    }
}

fn stamps(files: &[PathBuf]) -> Vec<Stamp> {
    let stamp = |f: &PathBuf| std::fs::metadata(f).and_then(|m| Ok((m.modified()?, m.len()))).ok();
    files.iter().map(stamp).collect()
}

/// The first key whose value is another one.
fn differs(old: &impl serde::Serialize, new: &impl serde::Serialize) -> Option<String> {
    let (old, new) = (toml::Table::try_from(old).ok()?, toml::Table::try_from(new).ok()?);
    old.keys().chain(new.keys()).find(|key| old.get(*key) != new.get(*key)).cloned()
}

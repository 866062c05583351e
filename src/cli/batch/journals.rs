//! `framewright batch status|retry|report|merge`: what is done with journals.

use std::path::{Path, PathBuf};

use super::{JobArgs, conclude, note, work};
use crate::batch::inputs::absolute;
use crate::batch::journal::{self, Entry, Identity, Journal, State};
use crate::batch::plan::{Job, Plan, Reason, order};
use crate::batch::{Once, report, short, span};
use crate::config;
use crate::control::Control;
use crate::failure::Failure;
use crate::term::{clean, print, print_json, say};

#[derive(Clone, Debug, clap::Args)]
pub struct Status {
    /// As in out/batch/journal.db
    journal: PathBuf,
    /// As JSON
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Debug, clap::Args)]
pub struct Retry {
    /// As in out/batch/journal.db
    journal: PathBuf,
    /// Only those whose input's path holds this text
    #[arg(long, value_name = "TEXT")]
    only: Option<String>,
    #[command(flatten)]
    jobs: JobArgs,
}

#[derive(Clone, Debug, clap::Args)]
pub struct Report {
    /// As in out/batch/journal.db
    journal: PathBuf,
    /// Where to write them [beside the journal]
    #[arg(short, long, value_name = "FOLDER")]
    output: Option<PathBuf>,
}

#[derive(Clone, Debug, clap::Args)]
pub struct Merge {
    /// The journal that becomes the whole; what is in it already stays
    whole: PathBuf,
    /// Journals of shards
    #[arg(required = true)]
    parts: Vec<PathBuf>,
}

impl Status {
    pub fn run(&self) -> Result<(), Failure> {
        let read = report::Read::new(&self.journal)?;
        let s = &read.summary;
        if self.json {
            return print_json(s).map(drop);
        }
        let mut text = format!(
            "{} jobs: {} done, {} failed, {} running, {} waiting\n{} frames, {} of video, {} written; work of all jobs together {}\n",
            s.jobs,
            s.done,
            s.failed,
            s.running,
            s.waiting,
            s.frames,
            span(s.video_seconds),
            report::size(s.bytes_out),
            span(s.work_seconds),
        );
        for e in read.entries.iter().filter(|e| e.state == State::Running) {
            text += &format!(
                "running  {} (attempt {}, since {})\n",
                shown(e),
                e.attempts,
                e.started.as_deref().unwrap_or("?")
            );
        }
        for e in read.entries.iter().filter(|e| e.state == State::Failed) {
            text += &format!("failed   {}: {}\n", shown(e), clean(e.error.as_deref().unwrap_or_default()));
        }
        print(&text).map(drop)
    }
}

fn shown(e: &Entry) -> String {
    clean(&short(&e.input))
}

impl Retry {
    pub fn run(&self, quiet: bool, control: &Control) -> Result<(), Failure> {
        journal::read(&self.journal)?;
        let mut journal = Journal::open(&absolute(&self.journal)?, control)?;
        let Some(printed) = journal.get("config")? else {
            return Err(Failure::input(format!("{} does not say what its jobs do", self.journal.display())));
        };
        let mut settings = config::read_printed(&printed)?;
        settings.source.uri.clear();
        if self.jobs.overwrite {
            settings.sinks.iter_mut().for_each(|s| s.overwrite = true);
        }
        let wanted = |e: &Entry| {
            let named = self.only.as_ref().is_none_or(|t| e.input.to_string_lossy().contains(t.as_str()));
            e.state != State::Done && named
        };
        let mut jobs: Vec<Job> = journal.entries()?.into_values().filter(wanted).map(job).collect();
        jobs.sort_by_key(|j| j.id);
        order(&mut jobs);
        if jobs.is_empty() {
            return print("nothing to do: no job failed or was left\n").map(drop);
        }
        let rows: Vec<_> = jobs.iter().map(|j| (j.input.as_path(), &j.identity, j.outputs.as_slice())).collect();
        let hash = crate::batch::plan::hash(&settings)?;
        journal.plan(&rows, &hash)?;
        let roots = super::roots(&settings)?;
        let options = self.jobs.options(&roots);
        note(&journal, &settings, &options)?;
        if !quiet {
            say!("{} to do again", jobs.len());
        }
        let plan = Plan { jobs, done: 0 };
        let tally = work(&settings, &options, &mut journal, &mut Once, plan, quiet, control)?;
        conclude(&journal, tally, quiet, control, false)
    }
}

/// The job of `e` once more, with its input as it is now.
fn job(e: Entry) -> Job {
    let now =
        std::fs::metadata(&e.input).ok().map(|m| Identity { size: m.len(), mtime: journal::mtime(&m), hash: None });
    let trouble = crate::batch::inputs::unfit(&e.input)
        .map(|why| Failure::input(format!("cannot open {}: {why}", e.input.display())));
    Job {
        id: e.id,
        input: e.input,
        outputs: e.outputs,
        identity: now.unwrap_or_default(),
        reason: Reason::Asked,
        own: e.attempts > 0,
        weight: e.seconds.unwrap_or(0.0),
        tries: 0,
        alone: false,
        trouble,
    }
}

impl Report {
    pub fn run(&self) -> Result<(), Failure> {
        let read = report::Read::new(&self.journal)?;
        let beside = self.journal.parent().unwrap_or(Path::new("")).to_owned();
        let page = read.write(self.output.as_ref().unwrap_or(&beside))?;
        print(&format!("{}\n", page.display())).map(drop)
    }
}

impl Merge {
    pub fn run(&self) -> Result<(), Failure> {
        for part in &self.parts {
            journal::read(part)?;
        }
        let mut whole = Journal::open(&absolute(&self.whole)?, &Control::default())?;
        let mut text = String::new();
        for part in &self.parts {
            let n = whole.merge(part)?;
            text += &format!("{n} jobs from {}\n", part.display());
        }
        let page = report::Read::new(whole.path())?.write(whole.path().parent().unwrap_or(Path::new(".")))?;
        print(&format!("{text}report: {}\n", page.display())).map(drop)
    }
}

//! `framewright batch`: many files, one configuration.

mod args;
mod journals;

use std::collections::{BTreeMap, HashMap};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::batch::inputs::{Search, absolute};
use crate::batch::plan::{Common, Plan, Reason};
use crate::batch::watch::Watched;
use crate::batch::{self, Feed, Once, Options, Show, Supervisor, Tally, journal::Journal, pattern, plan, report};
use crate::config::{self, Settings, Time};
use crate::control::Control;
use crate::failure::{Class, Failure};
use crate::term::{print, say};
use args::{Command, JobArgs};

pub use args::Args;

/// Plans and runs, or answers what a subcommand asks.
pub fn run(args: &Args, quiet: bool, control: &Control) -> Result<(), Failure> {
    match &args.command {
        Some(Command::Status(status)) => status.run(),
        Some(Command::Retry(retry)) => retry.run(quiet, control),
        Some(Command::Report(report)) => report.run(),
        Some(Command::Merge(merge)) => merge.run(),
        None => args.run(quiet, control),
    }
}

impl Args {
    fn run(&self, quiet: bool, control: &Control) -> Result<(), Failure> {
        let settings = self.settings()?;
        let roots = roots(&settings)?;
        let journal = self.journal_path(&roots)?;
        let watch: Vec<PathBuf> = self.choice.watch.iter().map(|f| absolute(f)).collect::<Result<_, _>>()?;
        let mut except = roots.clone();
        except.extend(journal.parent().map(Path::to_owned));
        let types = self.choice.types.iter().map(|t| t.trim_start_matches('.').to_ascii_lowercase()).collect();
        let search = Search { types, except };
        let inputs: Vec<OsString> =
            self.inputs.iter().cloned().chain(watch.iter().map(|f| f.clone().into_os_string())).collect();
        let mut found = search.find(&inputs, &self.choice.list)?;
        if found.is_empty() && watch.is_empty() {
            let what = if search.types.is_empty() { "video".to_owned() } else { search.types.join(", ") };
            return Err(Failure::input(format!("no {what} file in what was given"))
                .fix("--types all takes every file of a folder, --types mp4,mkv these"));
        }
        if let Some(shard) = self.choice.shard {
            found.retain(|f| shard.holds(&f.path));
        }
        let common = || -> Result<Common<'_>, Failure> {
            Ok(Common {
                settings: &settings,
                hash: plan::hash(&settings)?,
                by: self.choice.identify_by,
                overwrite: self.jobs.overwrite,
                skip_failed: self.choice.skip_failed,
            })
        };
        if self.choice.dry_run {
            let known = if journal.exists() { report::Read::new(&journal)?.entries } else { Vec::new() };
            let known = known.into_iter().map(|e| (e.input.clone(), e)).collect();
            return self.foretell(&common()?.judge(&found, &known)?);
        }
        if !journal.exists() {
            // What cannot be is told before a folder is made.
            common()?.judge(&found, &HashMap::new())?;
        }
        let mut journal = Journal::open(&journal, control)?;
        let plan = common()?.plan(&found, &mut journal)?;
        let options = self.jobs.options(&roots);
        note(&journal, &settings, &options)?;
        if !quiet {
            say!("{}", plan_line(&plan));
        }
        let mut once = Once;
        let mut watched = match watch.is_empty() {
            true => None,
            false => {
                let (settle, when) =
                    (Duration::from_nanos(self.choice.settle.0.nseconds()), self.choice.when_done.clone());
                Some(Watched::new(common()?, search, &watch, settle, when, &found)?)
            }
        };
        let feed: &mut dyn Feed = match &mut watched {
            Some(watched) => watched,
            None => &mut once,
        };
        let tally = work(&settings, &options, &mut journal, feed, plan, quiet, control)?;
        conclude(&journal, tally, quiet, control, !watch.is_empty())
    }

    /// What all jobs share.
    fn settings(&self) -> Result<Settings, Failure> {
        let mut s = config::read(&config::Given {
            file: self.config.as_deref(),
            // Stands for all of them.
            input: Some("{name}"),
            outputs: &self.output,
            ops: &self.op,
            set: &self.set,
        })?;
        s.source.uri.clear();
        if s.sinks.is_empty() {
            return Err(Failure::usage("no output").fix("-o 'out/{dir}/{stem}.mp4', or -o null to analyse only"));
        }
        self.encoding.apply(&mut s, self.jobs.overwrite)?;
        s.threads = self.jobs.threads.map(Into::into).or(s.threads);
        s.files.clear();
        pattern::check(&s)?;
        Ok(s)
    }

    fn journal_path(&self, roots: &[PathBuf]) -> Result<PathBuf, Failure> {
        if let Some(path) = &self.journal {
            return absolute(path);
        }
        let part = self.choice.shard.map(|s| format!("-{}-of-{}", s.number, s.of)).unwrap_or_default();
        let name = format!("batch/journal{part}.db");
        Ok(match roots.first() {
            Some(root) => root.join(name),
            None => absolute(Path::new(&name))?,
        })
    }

    fn foretell(&self, plan: &Plan) -> Result<(), Failure> {
        let mut text = String::new();
        for job in &plan.jobs {
            let to = job.outputs.iter().find(|o| !o.as_os_str().is_empty());
            let to = to.map(|o| format!(" -> {}", o.display())).unwrap_or_default();
            let why = job.trouble.as_ref().map_or(job.reason.name().to_owned(), |f| format!("would fail: {f}"));
            text += &format!("{}{to}  ({why})\n", crate::term::clean(&job.input.display().to_string()));
        }
        text += &format!("{}\n", plan_line(plan));
        let known = plan.jobs.iter().any(|j| j.reason != Reason::New) || plan.done > 0;
        let bytes: u64 = plan.jobs.iter().map(|j| j.identity.size).sum();
        let work: f64 = plan.jobs.iter().map(|j| j.weight).sum();
        let size = report::size(bytes);
        let at_once = Supervisor::at_once(&self.jobs.options(&[]));
        text += &match known && work > 0.0 {
            true => {
                let span = batch::span(work / at_once as f64);
                format!("{size} to read; about {span} with {at_once} jobs at a time, as fast as jobs were before\n")
            }
            false => format!("{size} to read; how long it takes is known once some are done\n"),
        };
        print(&text).map(drop)
    }
}

impl JobArgs {
    fn options(&self, folders: &[PathBuf]) -> Options {
        let span = |t: Time| Duration::from_nanos(t.0.nseconds());
        Options {
            jobs: self.jobs.0,
            stall: span(self.stall),
            limit: self.limit.map(span),
            memory: self.memory,
            retries: self.retries,
            nice: self.nice,
            max_load: self.max_load,
            min_free: self.min_free,
            thumbnails: !self.no_thumbnails,
            folders: folders.to_vec(),
        }
    }
}

/// The folders that outputs go to, each once.
fn roots(settings: &Settings) -> Result<Vec<PathBuf>, Failure> {
    let paths = settings.sinks.iter().filter_map(|s| s.path.as_deref()).chain(settings.stats.as_deref());
    let mut all: Vec<PathBuf> = paths.map(|p| absolute(&pattern::root(p))).collect::<Result<_, _>>()?;
    let mut seen = std::collections::HashSet::new();
    all.retain(|r| seen.insert(r.clone()));
    Ok(all)
}

/// What is needed to do it again.
fn note(journal: &Journal, settings: &Settings, options: &Options) -> Result<(), Failure> {
    journal.set("program", concat!("framewright ", env!("CARGO_PKG_VERSION")))?;
    // The input stands for all of them; a configuration without one is none.
    let mut one = settings.clone();
    one.source.uri = "{name}".into();
    journal.set("config", &config::print(&one)?)?;
    journal.set("started", &crate::events::schema::rfc3339(jiff::Timestamp::now().as_nanosecond() as i64))?;
    journal.set("at-once", &Supervisor::at_once(options).to_string())
}

fn plan_line(plan: &Plan) -> String {
    let mut by: BTreeMap<Reason, usize> = BTreeMap::new();
    plan.jobs.iter().for_each(|j| *by.entry(j.reason).or_default() += 1);
    let reasons: Vec<String> = by.iter().map(|(r, n)| format!("{n} {}", r.name())).collect();
    let reasons = if reasons.is_empty() { String::new() } else { format!(" ({})", reasons.join(", ")) };
    format!("{} to do{reasons}, {} done already", plan.jobs.len(), plan.done)
}

fn work(
    settings: &Settings,
    options: &Options,
    journal: &mut Journal,
    feed: &mut dyn Feed,
    plan: Plan,
    quiet: bool,
    control: &Control,
) -> Result<Tally, Failure> {
    let mut show = Show::new(quiet);
    let tally = Supervisor::new(settings, options, journal, &mut show, feed, control).run(plan.jobs)?;
    journal.set("ended", &crate::events::schema::rfc3339(jiff::Timestamp::now().as_nanosecond() as i64))?;
    journal.set("seconds", &tally.seconds.to_string())?;
    Ok(tally)
}

/// Reports, and decides the exit code.
fn conclude(journal: &Journal, tally: Tally, quiet: bool, control: &Control, watched: bool) -> Result<(), Failure> {
    let read = report::Read::new(journal.path())?;
    let page = read.write(journal.path().parent().unwrap_or(Path::new(".")))?;
    let s = &read.summary;
    if !quiet {
        let now = if tally.done == s.done { String::new() } else { format!(" ({} now)", tally.done) };
        let left = if tally.left > 0 { format!(", {} left", tally.left) } else { String::new() };
        say!(
            "{} of {} jobs done{now}, {} failed{left} in {}; {} frames, {} written; report: {}",
            s.done,
            s.jobs,
            s.failed,
            batch::span(tally.seconds),
            s.frames,
            report::size(s.bytes_out),
            batch::short(&page)
        );
    }
    if control.signalled() && !(watched && tally.left == 0) {
        let what = format!("stopped with {} jobs left; the same command goes on from here", tally.left);
        return Err(Failure::new(Class::Stopped, what));
    }
    if s.failed == 0 {
        return Ok(());
    }
    let mut what = format!("{} of {} jobs failed:", s.failed, s.jobs);
    for cause in &s.causes {
        for (file, message) in &cause.files {
            what += &format!("\n  {}: {}", crate::term::clean(file), crate::term::clean(message));
        }
    }
    Err(Failure::failed(what).fix(format!("framewright batch retry {}", batch::short(journal.path()))))
}

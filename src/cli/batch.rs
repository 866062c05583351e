//! `framewright batch`: many files, one configuration.

mod journals;

use std::collections::{BTreeMap, HashMap};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Subcommand;

use super::run::EncodingArgs;
use crate::batch::inputs::{Search, Shard, absolute};
use crate::batch::plan::{Common, IdentifyBy, Plan, Reason};
use crate::batch::watch::{Watched, WhenDone};
use crate::batch::{self, Feed, Once, Options, Show, Supervisor, Tally, journal::Journal, pattern, plan, report};
use crate::config::{self, Settings, Time};
use crate::control::Control;
use crate::failure::{Class, Failure};
use crate::term::{print, say};

/// Runs one configuration over many files, each in a process of its own, with a journal to resume by and a report.
///
/// Run again after anything, it does what is not done: new and changed inputs, those that failed, those that were cut off.
/// An output counts as done only when it was opened again and its frames were counted.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = EXAMPLES, args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub struct Args {
    #[command(subcommand)]
    command: Option<Command>,

    /// Files, folders (searched for videos, with the folders in them), globs in quotes, - for a list on standard input
    #[arg(required_unless_present_any = ["list", "watch"])]
    inputs: Vec<OsString>,

    /// Output name with {dir} {stem} {name} {ext} of the input, as in 'out/{dir}/{stem}.mp4'; a .db without any of them gathers
    /// the events of all files; null to analyse only; may be given several times
    #[arg(short, long = "output", value_name = "OUTPUT")]
    output: Vec<String>,

    /// Configuration file; its sinks have such names too
    #[arg(short, long, value_name = "FILE")]
    config: Option<PathBuf>,

    /// An op: NAME:key=value,key=value; may be given several times, in order
    #[arg(long, value_name = "OP")]
    op: Vec<String>,

    /// Set one key of the configuration, as in op.blur.size=15; may be given several times
    #[arg(long, value_name = "PATH=VALUE")]
    set: Vec<String>,

    /// Where the journal is kept; the reports go beside it [batch/journal.db in the outputs' folder]
    #[arg(long, value_name = "FILE")]
    journal: Option<PathBuf>,

    #[command(flatten)]
    choice: ChoiceArgs,

    #[command(flatten)]
    jobs: JobArgs,

    #[command(flatten)]
    encoding: EncodingArgs,
}

#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Which files")]
struct ChoiceArgs {
    /// A file with an input on each line, or NUL between them; may be given several times
    #[arg(long, value_name = "FILE")]
    list: Vec<PathBuf>,
    /// What to take in folders, by extension: mp4,mov; or all [what is usually a video]
    #[arg(long, value_name = "EXTENSIONS", value_delimiter = ',')]
    types: Vec<String>,
    /// Take one part of the files only, as in 3/16: the same parts on each machine, whatever else is in the list
    #[arg(long, value_name = "N/OF")]
    shard: Option<Shard>,
    /// Go on watching this folder for new files until stopped; may be given several times
    #[arg(long, value_name = "FOLDER")]
    watch: Vec<PathBuf>,
    /// With --watch: a file is taken when it has not changed for so long
    #[arg(long, value_name = "TIME", default_value = "3", requires = "watch")]
    settle: Time,
    /// With --watch: what becomes of inputs that are done: keep, mark (an empty NAME.done beside each), move:FOLDER
    #[arg(long, value_name = "WHAT", default_value = "keep", requires = "watch")]
    when_done: WhenDone,
    /// How an input is known again: by stat (size and time) or content (all of it is read)
    #[arg(long, value_name = "HOW", default_value = "stat")]
    identify_by: IdentifyBy,
    /// Leave out inputs that failed before and have not changed
    #[arg(long)]
    skip_failed: bool,
    /// Say what would be done, why, and how long it should take; do nothing
    #[arg(long)]
    dry_run: bool,
}

#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Jobs")]
struct JobArgs {
    /// Jobs at a time, or auto: as many as there are cores and memory for
    #[arg(short, long, value_name = "N", default_value = "auto", value_parser = at_once)]
    jobs: AtOnce,
    /// End a job that makes no progress for so long
    #[arg(long, value_name = "TIME", default_value = "2:00")]
    stall: Time,
    /// End a job that takes longer
    #[arg(long, value_name = "TIME")]
    limit: Option<Time>,
    /// End a job that takes more memory: 800M, 4G
    #[arg(long, value_name = "SIZE", value_parser = bytes)]
    memory: Option<u64>,
    /// How often a job that crashed, hung or ran out of something is begun again
    #[arg(long, value_name = "N", default_value_t = 1)]
    retries: u32,
    /// Run jobs at a lower priority, 0 to 19
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = clap::value_parser!(i32).range(0..=19))]
    nice: i32,
    /// Begin no job while the machine's load is above this
    #[arg(long, value_name = "LOAD")]
    max_load: Option<f64>,
    /// Pause while less is free where outputs go
    #[arg(long, value_name = "SIZE", default_value = "500M", value_parser = bytes)]
    min_free: u64,
    /// Workers within each job, for ops without state
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=256))]
    threads: Option<u16>,
    /// Replace files that exist and are not this batch's
    #[arg(long)]
    overwrite: bool,
    /// Take no small pictures for the report
    #[arg(long)]
    no_thumbnails: bool,
}

#[derive(Clone, Debug, Subcommand)]
enum Command {
    /// Say how the batch of a journal stands; it may be at work
    Status(journals::Status),
    /// Do the failed jobs of a journal again, as they were asked for
    Retry(journals::Retry),
    /// Write summary.json, jobs.csv and report.html from a journal
    Report(journals::Report),
    /// Put the journals of shards together
    Merge(journals::Merge),
}

const EXAMPLES: &str = "\
Examples:
  framewright batch recordings -o 'out/{dir}/{stem}.mp4' --op blur:size=9
  framewright batch 'cam*/2026-11-*.mkv' -c config/redact-faces.toml -o 'safe/{dir}/{name}'
  find /archive -name '*.mts' -print0 | framewright batch - -c config/count-cars.toml -o counts/all.db
  framewright batch --watch incoming -o 'done/{stem}.mp4' --when-done move:archive --op text:text={source}
  framewright batch recordings -o 'out/{dir}/{stem}.mp4' --shard 3/16 --jobs 4
  framewright batch status out/batch/journal.db

Exit codes: 0 every job is done, 1 some failed (they are listed), 2 wrong command line or configuration, or two jobs would write
one file: nothing was begun; 3 no input, 4 the journal cannot be written, 130 stopped (Ctrl-C: running jobs finish; twice: now)";

/// `--jobs`.
#[derive(Clone, Copy, Debug)]
struct AtOnce(Option<usize>);

fn at_once(text: &str) -> Result<AtOnce, String> {
    match text {
        "auto" => Ok(AtOnce(None)),
        _ => match text.parse() {
            Ok(n @ 1..=1024) => Ok(AtOnce(Some(n))),
            _ => Err("auto, or 1 to 1024, is allowed".into()),
        },
    }
}

/// `800M`, `4G`, `1.5G`.
fn bytes(text: &str) -> Result<u64, String> {
    let (number, unit) = text.split_at(text.find(|c: char| c.is_ascii_alphabetic()).unwrap_or(text.len()));
    let factor = match unit.to_ascii_uppercase().trim_end_matches(['B', 'I']) {
        "" if unit.is_empty() => 1.0,
        "K" => 1024.0,
        "M" => 1024.0 * 1024.0,
        "G" => 1024.0 * 1024.0 * 1024.0,
        "T" => 1024.0 * 1024.0 * 1024.0 * 1024.0,
        _ => return Err("give a size as in 800M or 4G".into()),
    };
    match number.trim().parse::<f64>() {
        Ok(n) if n >= 0.0 && n.is_finite() => Ok((n * factor) as u64),
        _ => Err("give a size as in 800M or 4G".into()),
    }
}

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
        let mut journal = Journal::open(&journal)?;
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
            input: None,
            outputs: &self.output,
            ops: &self.op,
            set: &self.set,
        })?;
        if !s.source.uri.is_empty() {
            log::info!("the configuration's own input, {}, is not used: a batch has others", s.source.uri);
            s.source.uri.clear();
        }
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
    journal.set("config", &config::print(settings)?)?;
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

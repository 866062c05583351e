//! What `framewright batch` is told.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::Subcommand;

use super::journals;
use crate::batch::inputs::Shard;
use crate::batch::plan::IdentifyBy;
use crate::batch::watch::WhenDone;
use crate::cli::run::EncodingArgs;
use crate::config::Time;

/// Runs one configuration over many files, in child processes, with a journal to resume by and a report.
///
/// Run again after anything, it does what is not done: new and changed inputs, those that failed, those that were cut off.
/// An output counts as done only when it was opened again and its frames were counted.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = EXAMPLES, args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub struct Args {
    #[command(subcommand)]
    pub command: Option<Command>,

    /// Files, folders (searched for videos, with the folders in them), globs in quotes, - for a list on standard input
    #[arg(required_unless_present_any = ["list", "watch"])]
    pub inputs: Vec<OsString>,

    /// Output name with {dir} {stem} {name} {ext} of the input, as in 'out/{dir}/{stem}.mp4'; a .db without any of them gathers
    /// the events of all files; null to analyse only; may be given several times
    #[arg(short, long = "output", value_name = "OUTPUT")]
    pub output: Vec<String>,

    /// Configuration file; its sinks have such names too
    #[arg(short, long, value_name = "FILE")]
    pub config: Option<PathBuf>,

    /// An op: NAME:key=value,key=value; may be given several times, in order
    #[arg(long, value_name = "OP")]
    pub op: Vec<String>,

    /// Set one key of the configuration, as in op.blur.size=15; may be given several times
    #[arg(long, value_name = "PATH=VALUE")]
    pub set: Vec<String>,

    /// Where the journal is kept; the reports go beside it [batch/journal.db in the outputs' folder]
    #[arg(long, value_name = "FILE")]
    pub journal: Option<PathBuf>,

    #[command(flatten)]
    pub choice: ChoiceArgs,

    #[command(flatten)]
    pub jobs: JobArgs,

    #[command(flatten)]
    pub encoding: EncodingArgs,
}

#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Which files")]
pub struct ChoiceArgs {
    /// A file with an input on each line, or NUL between them; may be given several times
    #[arg(long, value_name = "FILE")]
    pub list: Vec<PathBuf>,
    /// What to take in folders, by extension: mp4,mov; or all [what is usually a video]
    #[arg(long, value_name = "EXTENSIONS", value_delimiter = ',')]
    pub types: Vec<String>,
    /// Take one part of the files only, as in 3/16: the same parts on each machine, whatever else is in the list
    #[arg(long, value_name = "N/OF")]
    pub shard: Option<Shard>,
    /// Go on watching this folder for new files until stopped; may be given several times
    #[arg(long, value_name = "FOLDER")]
    pub watch: Vec<PathBuf>,
    /// With --watch: a file is taken when it has not changed for so long
    #[arg(long, value_name = "TIME", default_value = "3", requires = "watch")]
    pub settle: Time,
    /// With --watch: what becomes of inputs that are done: keep, mark (an empty NAME.done beside each), move:FOLDER
    #[arg(long, value_name = "WHAT", default_value = "keep", requires = "watch")]
    pub when_done: WhenDone,
    /// How an input is known again: by stat (size and time) or content (all of it is read)
    #[arg(long, value_name = "HOW", default_value = "stat")]
    pub identify_by: IdentifyBy,
    /// Leave out inputs that failed before and have not changed
    #[arg(long)]
    pub skip_failed: bool,
    /// Say what would be done, why, and how long it should take; do nothing
    #[arg(long)]
    pub dry_run: bool,
}

#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Jobs")]
pub struct JobArgs {
    /// Jobs at a time, or auto: as many as there are cores and memory for
    #[arg(short, long, value_name = "N", default_value = "auto", value_parser = at_once)]
    pub jobs: AtOnce,
    /// End a job that makes no progress for so long
    #[arg(long, value_name = "TIME", default_value = "2:00")]
    pub stall: Time,
    /// End a job that takes longer
    #[arg(long, value_name = "TIME")]
    pub limit: Option<Time>,
    /// End a job that takes more memory: 800M, 4G
    #[arg(long, value_name = "SIZE", value_parser = bytes)]
    pub memory: Option<u64>,
    /// How often a job that crashed, hung or ran out of something is begun again
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub retries: u32,
    /// Run jobs at a lower priority, 0 to 19
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = clap::value_parser!(i32).range(0..=19))]
    pub nice: i32,
    /// Begin no job while the machine's load is above this
    #[arg(long, value_name = "LOAD")]
    pub max_load: Option<f64>,
    /// Pause while less is free where outputs go
    #[arg(long, value_name = "SIZE", default_value = "500M", value_parser = bytes)]
    pub min_free: u64,
    /// Workers within each job, for ops without state
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=256))]
    pub threads: Option<u16>,
    /// Replace files that exist and are not this batch's
    #[arg(long)]
    pub overwrite: bool,
    /// Take no small pictures for the report
    #[arg(long)]
    pub no_thumbnails: bool,
}

#[derive(Clone, Debug, Subcommand)]
pub enum Command {
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
  framewright batch 'cam*/2026-11-*.mkv' -o 'safe/{dir}/{name}' --op detect:model=yunet --op redact
  find /archive -name '*.mts' -print0 | framewright batch - -c config/count-cars.toml -o counts/all.db
  framewright batch --watch incoming -o 'done/{stem}.mp4' --when-done move:archive --op text:text={source}
  framewright batch recordings -o 'out/{dir}/{stem}.mp4' --shard 3/16 --jobs 4
  framewright batch status out/batch/journal.db

Exit codes: 0 every job is done, 1 some failed (they are listed), 2 wrong command line or configuration, or two jobs would write
one file: nothing was begun; 3 no input, 4 the journal cannot be written, 130 stopped (Ctrl-C: running jobs finish; twice: now)";

/// `--jobs`.
#[derive(Clone, Copy, Debug)]
pub struct AtOnce(pub Option<usize>);

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

//! The command line: one file per subcommand.

mod batch;
mod check;
mod completions;
pub mod devices;
pub mod doctor;
mod eval;
mod events;
mod models;
mod ops;
pub mod probe;
mod progress;
mod run;
mod schema;
mod summary;

use std::io::Write;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::{Parser, Subcommand};

use crate::control::Control;
use crate::failure::{Class, Failure};

/// Any video in, a chain of OpenCV ops on every frame, video out that can be trusted.
#[derive(Debug, Parser)]
#[command(name = "framewright", version, arg_required_else_help = true)]
pub struct Cli {
    /// Say nothing but errors
    #[arg(short, long, global = true)]
    quiet: bool,
    /// Say more (-v what is decided, -vv GStreamer's warnings, -vvv everything); RUST_LOG refines it
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    verbose: u8,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Run(Box<run::Args>),
    Batch(Box<batch::Args>),
    /// One job of a batch
    #[command(hide = true)]
    Job,
    Probe(probe::Args),
    Devices(devices::Args),
    Ops(ops::Args),
    Models(models::Args),
    Doctor(doctor::Args),
    Check(check::Args),
    Schema(schema::Args),
    Completions(completions::Args),
    Eval(eval::Args),
    Events(events::Args),
}

/// Everything the binary does.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    log_to_stderr(cli.quiet, cli.verbose);
    let control = Control::default();
    let result = match &cli.command {
        Command::Run(args) => listen(&control, &RUN).and_then(|()| run::run(args, cli.quiet, &control)),
        Command::Batch(args) => listen(&control, &BATCH).and_then(|()| batch::run(args, cli.quiet, &control)),
        Command::Job => crate::batch::work::work(),
        Command::Ops(args) => ops::run(args),
        Command::Models(args) => models::run(args),
        Command::Check(args) => check::run(args),
        Command::Schema(args) => schema::run(args),
        Command::Completions(args) => completions::run(args),
        Command::Eval(args) => eval::run(args),
        Command::Events(args) => events::run(args),
        Command::Probe(args) => crate::gst::init().and_then(|()| probe::run(args.clone())),
        Command::Devices(args) => crate::gst::init().and_then(|()| devices::run(args.clone())),
        Command::Doctor(args) => crate::gst::init().and_then(|()| doctor::run(args.clone())),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            report(&failure);
            ExitCode::from(failure.class as u8)
        }
    }
}

fn report(failure: &Failure) {
    let mut err = std::io::stderr().lock();
    let word = if failure.class == Class::Stopped { "stopped" } else { "error" };
    let text = failure.message.strip_prefix("stopped ").unwrap_or(&failure.message);
    // Nobody reads on: then there is nobody to tell either.
    let _ = writeln!(err, "{word}: {text}");
    if let Some(fix) = &failure.fix {
        let _ = writeln!(err, "fix: {fix}");
    }
}

fn log_to_stderr(quiet: bool, verbose: u8) {
    let level = match (quiet, verbose) {
        (true, _) => "error",
        (_, 0) => "warn",
        (_, 1) => "info",
        (_, 2) => "debug",
        _ => "trace",
    };
    let env = env_logger::Env::default().default_filter_or(level);
    env_logger::Builder::from_env(env).format_timestamp_millis().format_target(verbose > 0).init();
}

/// What is said to the first signal, and to the second if that ends the process at once.
type Words = (&'static str, Option<&'static str>);

const RUN: Words = (
    "stopping: writing what was taken in (again to stop at once)",
    Some("stopped at once: unfinished outputs stay beside their places as NAME.partial-N.EXT"),
);
const BATCH: Words = ("stopping: the running jobs finish, none begins (again to stop at once)", None);

/// SIGINT, SIGTERM and SIGHUP: once to stop in order, twice to stop at once.
fn listen(control: &Control, words: &'static Words) -> Result<(), Failure> {
    let control = control.clone();
    let mut first = None;
    ctrlc::set_handler(move || {
        // `timeout` and some supervisors signal a process and then its group: that is one request.
        if first.is_some_and(|t: Instant| t.elapsed() < Duration::from_millis(100)) {
            return;
        }
        first.get_or_insert_with(Instant::now);
        // Nobody may be left to read it: after a hangup standard error is gone.
        let mut err = std::io::stderr();
        if control.signal() == 1 {
            let _ = writeln!(err, "\n{}", words.0);
        } else if let Some(last) = words.1 {
            let _ = writeln!(err, "{last}");
            std::process::exit(Class::Stopped as i32);
        }
    })
    .map_err(|e| Failure::failed(format!("cannot listen for signals: {e}")))
}

/// Writes to standard output; a closed pipe (`| head`) is no error.
fn print(text: &str) -> Result<(), Failure> {
    crate::term::print(text).map(|_| ())
}

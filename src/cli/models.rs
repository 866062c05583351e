//! `framewright models`: which networks there are, their weights, and whether they work here.

mod test;

use std::fmt::Write as _;
use std::path::PathBuf;

use clap::Subcommand;

use crate::failure::Failure;
use crate::term::{self, Ink, Paint, pad, say};
use crate::vision::model::engine;
use crate::vision::model::fetch::{self, Fetched};
use crate::vision::model::locate::{self, Found};

/// List, fetch, verify and test the networks that ops can use.
///
/// A model is a manifest, NAME.toml, and a file of weights. Both are looked for in ./models, in the folders of
/// FRAMEWRIGHT_MODELS, in ~/.local/share/framewright/models and beside the executable. docs/models.md has more.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Clone, Debug, Subcommand)]
enum Command {
    /// Show every model: input size, licence, and whether its weights are here
    List,
    /// Download the weights of a model, and keep them only if their sha256 is right
    Fetch {
        /// Names, or paths of manifests
        #[arg(required = true)]
        names: Vec<String>,
        /// Put them into this folder [default: the first of FRAMEWRIGHT_MODELS, else ~/.local/share/framewright/models]
        #[arg(long)]
        to: Option<PathBuf>,
        /// Take a file for which the manifest has no sha256
        #[arg(long)]
        unchecked: bool,
    },
    /// Compare weights with the sha256 in their manifests
    Verify {
        /// Names, or paths of manifests [default: all that are here]
        names: Vec<String>,
    },
    Test(test::Args),
}

/// Does it and prints to standard output.
pub fn run(args: &Args) -> Result<(), Failure> {
    match &args.command {
        Command::List => list(),
        Command::Fetch { names, to, unchecked } => {
            names.iter().try_for_each(|name| fetch_one(name, to.as_deref(), *unchecked))
        }
        Command::Verify { names } => verify(names),
        Command::Test(args) => test::run(args),
    }
}

fn list() -> Result<(), Failure> {
    let paint = Paint::stdout();
    let mut rows = Vec::new();
    let mut broken = Vec::new();
    for (name, path) in locate::names() {
        match locate::find(&name) {
            Ok(found) => rows.push(found),
            Err(e) => broken.push(format!("{}: {e}\n", path.unwrap_or_else(|| name.into()).display())),
        }
    }
    let width = rows.iter().map(|f| f.name.chars().count()).max().unwrap_or(0);
    let mut out = String::new();
    for found in &rows {
        let m = &found.manifest;
        let [w, h] = m.input.size;
        let size = format!("{}{w}x{h}", if m.input.multiple_of.is_some() { "<=" } else { "" });
        let (state, ink) = match (locate::weights(found), locate::is_built_in(found), &m.url) {
            (Some(_), _, _) => ("here", Ink::Green),
            (None, true, _) => ("built in", Ink::Green),
            (None, false, Some(_)) => ("to fetch", Ink::Yellow),
            (None, false, None) => ("yours to give", Ink::Yellow),
        };
        let _ = writeln!(
            out,
            "{}  {}  {}  {}  {}",
            paint.ink(Ink::Bold, &pad(&found.name, width)),
            paint.ink(ink, &pad(state, 13)),
            pad(&size, 9),
            pad(m.licence.split(';').next().unwrap_or_default(), 18),
            term::clean(&m.description)
        );
    }
    out.extend(broken);
    let _ = match engine::runtime() {
        Ok(runtime) => writeln!(out, "\nONNX Runtime: {}", runtime.path.display()),
        Err(why) => {
            writeln!(out, "\nONNX Runtime: {why}; OpenCV's slower engine is used (scripts/setup installs ONNX Runtime)")
        }
    };
    super::print(&out)
}

fn fetch_one(name: &str, to: Option<&std::path::Path>, unchecked: bool) -> Result<(), Failure> {
    let found = locate::find(name)?;
    let mut next = 0;
    let fetched = fetch::fetch(&found, to, unchecked, |done, all| {
        // A line for each ten MB.
        if done >= next {
            next = done + 10_000_000;
            let all = all.map(|n| format!(" of {:.1}", n as f64 / 1e6)).unwrap_or_default();
            log::info!("{name}: {:.1}{all} MB", done as f64 / 1e6);
        }
    })?;
    let line = match fetched {
        Fetched::Here(path) => format!("{name}: here already: {}\n", path.display()),
        Fetched::New(path, size) => {
            let sum = fetch::sha256(&path).map_err(|e| Failure::output(format!("{}: {e}", path.display())))?;
            format!("{name}: {} ({:.1} MB, sha256 {sum})\n", path.display(), size as f64 / 1e6)
        }
    };
    if !found.manifest.licence.is_empty() {
        say!("{name}: licence: {}", found.manifest.licence);
    }
    super::print(&line)
}

fn verify(names: &[String]) -> Result<(), Failure> {
    let mut found: Vec<Found> = Vec::new();
    if names.is_empty() {
        found.extend(locate::names().keys().filter_map(|n| locate::find(n).ok()));
        found.retain(|f| locate::weights(f).is_some());
    }
    for name in names {
        found.push(locate::find(name)?);
    }
    let mut wrong = Vec::new();
    for f in &found {
        let Some(path) = locate::weights(f) else {
            let (here, line) = match locate::is_built_in(f) {
                true => (true, "built in"),
                false => (false, "not here"),
            };
            super::print(&format!("{}: {line}\n", f.name))?;
            if !here {
                wrong.push(f.name.clone());
            }
            continue;
        };
        let sum = fetch::sha256(&path).map_err(|e| Failure::input(format!("cannot read {}: {e}", path.display())))?;
        let word = match &f.manifest.sha256 {
            None => "no sha256 in the manifest to compare with",
            Some(wanted) if wanted.eq_ignore_ascii_case(&sum) => "right",
            Some(_) => {
                wrong.push(f.name.clone());
                "WRONG"
            }
        };
        super::print(&format!("{}: {word}: {} (sha256 {sum})\n", f.name, path.display()))?;
    }
    if wrong.is_empty() {
        return Ok(());
    }
    let names = wrong.join(" ");
    Err(Failure::failed(format!("the weights are missing or wrong: {}", wrong.join(", ")))
        .fix(format!("framewright models fetch {names}")))
}

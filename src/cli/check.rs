//! `framewright check CONFIG [--print] [--picture FILE]`: is this configuration right, what does it say in full, and where
//! are its lines, zones and regions?

mod picture;

use std::path::PathBuf;

use crate::config;
use crate::failure::{Class, Failure};
use crate::source::Input;

/// Checks a configuration without running it.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The TOML file
    pub config: PathBuf,
    /// Set one key, as for run: op.0.size=15, source.fps=30, sink.0.quality=20, vars.NAME=TEXT; may be given several times
    #[arg(long, value_name = "PATH=VALUE")]
    pub set: Vec<String>,
    /// Print the complete effective configuration
    #[arg(long)]
    pub print: bool,
    /// Draw its lines (with an arrow to the side that is in), zones and regions onto the first picture of the source, as PNG
    #[arg(long, value_name = "FILE")]
    pub picture: Option<PathBuf>,
}

/// Opens nothing but the configuration and what it names.
pub fn run(args: &Args) -> Result<(), Failure> {
    let settings = config::read(&config::Given { file: Some(&args.config), set: &args.set, ..Default::default() })?;
    let name = args.config.display();
    if settings.source.uri.is_empty() {
        return Err(Failure::usage(format!("{name}: there is no [source] with a uri")));
    }
    match Input::parse(&settings.source.uri) {
        // A picture can be made before the camera is there.
        Err(e) if args.picture.is_some() && e.class == Class::Input => {}
        other => drop(other.map_err(|e| Failure { message: format!("{name}: {e}"), ..e })?),
    }
    if settings.sinks.is_empty() {
        return Err(Failure::usage(format!("{name}: there is no [[sink]]")));
    }
    if let Some(path) = &args.picture
        && let Some(notice) = picture::write(&settings, path)?
    {
        eprintln!("note: {notice}");
    }
    match args.print {
        true => super::print(&config::print(&settings)?),
        false => {
            super::print(&format!("{name}: {} ops, {} sinks, all right\n", settings.ops.len(), settings.sinks.len()))
        }
    }
}

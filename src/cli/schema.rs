//! `framewright schema`: what editors need to complete and check configuration files, and what readers of events expect.

use crate::failure::Failure;

/// Prints the JSON Schema of the configuration file.
///
/// For editors with the language server taplo (Even Better TOML): framewright schema > framewright.schema.json, and
/// `#:schema ./framewright.schema.json` as the first line of a configuration.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The JSON Schema of events and frame results instead: of each line of .jsonl, standard output, webhooks and MQTT
    #[arg(long)]
    pub events: bool,
}

/// Prints to standard output.
pub fn run(args: &Args) -> Result<(), Failure> {
    let schema = if args.events { crate::events::schema::schema() } else { crate::config::schema() };
    crate::term::print_json(&schema).map(|_| ())
}

//! `framewright schema`: what editors need to complete and check configuration files.

use crate::failure::Failure;

/// Prints the JSON Schema of the configuration file.
///
/// For editors with the language server taplo (Even Better TOML): framewright schema > framewright.schema.json, and
/// `#:schema ./framewright.schema.json` as the first line of a configuration.
#[derive(Debug, clap::Args)]
pub struct Args {}

/// Prints to standard output.
pub fn run(_: &Args) -> Result<(), Failure> {
    crate::term::print_json(&crate::config::schema()).map(|_| ())
}

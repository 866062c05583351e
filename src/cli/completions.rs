//! `framewright completions SHELL`.

use clap::CommandFactory;

use crate::failure::Failure;

/// Prints a completion script for a shell.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// bash, zsh, fish, elvish or powershell
    pub shell: clap_complete::Shell,
}

/// Prints to standard output.
pub fn run(args: &Args) -> Result<(), Failure> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut super::Cli::command(), "framewright", &mut script);
    super::print(&String::from_utf8_lossy(&script))
}

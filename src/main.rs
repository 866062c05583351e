//! Parses, sets up the log, dispatches, prints the error, sets the exit code.

fn main() -> std::process::ExitCode {
    framewright::cli::main()
}

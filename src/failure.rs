//! How a run ends badly: one line, a class that becomes the exit code, and where possible what to do about it.

use std::fmt;

/// The exit codes, as promised in the README.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// Failed while running.
    Failed = 1,
    /// The command line or the configuration is wrong.
    Usage = 2,
    /// The input cannot be opened or decoded.
    Input = 3,
    /// The output cannot be written.
    Output = 4,
    /// Stopped by the user before a finite input's end; the output is whole up to there.
    Stopped = 130,
}

/// An error for people: what happened, to which thing, and the fix.
#[derive(Clone, Debug)]
pub struct Failure {
    /// Decides the exit code.
    pub class: Class,
    /// One line that names the thing and the value.
    pub message: String,
    /// What to do about it.
    pub fix: Option<String>,
}

impl Failure {
    /// A failure of `class`.
    pub fn new(class: Class, message: impl fmt::Display) -> Self {
        Failure { class, message: message.to_string(), fix: None }
    }

    /// Exit code 1.
    pub fn failed(message: impl fmt::Display) -> Self {
        Self::new(Class::Failed, message)
    }

    /// Exit code 2.
    pub fn usage(message: impl fmt::Display) -> Self {
        Self::new(Class::Usage, message)
    }

    /// Exit code 3.
    pub fn input(message: impl fmt::Display) -> Self {
        Self::new(Class::Input, message)
    }

    /// Exit code 4.
    pub fn output(message: impl fmt::Display) -> Self {
        Self::new(Class::Output, message)
    }

    /// Adds the line that says what to do.
    pub fn fix(mut self, fix: impl fmt::Display) -> Self {
        self.fix = Some(fix.to_string());
        self
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Failure {}

//! What the subcommands print: aligned text on standard output, colour only on a terminal, no panic on a closed pipe.

use std::fmt::Write as _;
use std::io::{self, IsTerminal, Write};
use std::ops::ControlFlow;

use crate::failure::Failure;

/// Writes `text` to standard output. `Break` means that nobody reads on (`| head -1`): stop, without an error.
pub fn print(text: &str) -> Result<ControlFlow<()>, Failure> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Ok(()) => Ok(ControlFlow::Continue(())),
        Err(e) if e.kind() == io::ErrorKind::BrokenPipe => Ok(ControlFlow::Break(())),
        Err(e) => Err(Failure::output(format!("cannot write to standard output: {e}"))),
    }
}

/// `eprintln!` that does not panic: nobody may be left to read standard error, as after a hangup, and that must not end a
/// recording.
macro_rules! say {
    ($($text:tt)*) => {{
        let _ = ::std::io::Write::write_fmt(&mut ::std::io::stderr().lock(), format_args!("{}\n", format_args!($($text)*)));
    }};
}
pub(crate) use say;

/// Writes `value` as indented JSON and a newline.
pub fn print_json(value: &impl serde::Serialize) -> Result<ControlFlow<()>, Failure> {
    let mut text = serde_json::to_string_pretty(value).map_err(Failure::failed)?;
    text.push('\n');
    print(&text)
}

/// A colour of the terminal's palette.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ink {
    /// All is well.
    Green,
    /// Worth a look.
    Yellow,
    /// Broken.
    Red,
    /// Headings.
    Bold,
}

/// Whether to colour.
#[derive(Clone, Copy, Debug)]
pub struct Paint(bool);

impl Paint {
    /// Colours if standard output is a terminal that can and `NO_COLOR` is not set.
    pub fn stdout() -> Self {
        let set = |name| std::env::var_os(name).is_some_and(|v| !v.is_empty());
        let dumb = std::env::var_os("TERM").is_some_and(|t| t == "dumb");
        Paint(io::stdout().is_terminal() && !set("NO_COLOR") && !dumb)
    }

    /// Never colours.
    #[cfg(test)]
    pub fn plain() -> Self {
        Paint(false)
    }

    /// `text` in `ink`.
    pub fn ink(self, ink: Ink, text: &str) -> String {
        let code = match ink {
            Ink::Green => 32,
            Ink::Yellow => 33,
            Ink::Red => 31,
            Ink::Bold => 1,
        };
        if self.0 { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }
}

/// `text` fit for one line of a terminal: control characters, which file names and tags may hold, are escaped.
pub fn clean(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_control() {
            let _ = write!(out, "{}", c.escape_default());
        } else {
            out.push(c);
        }
    }
    out
}

/// A field of CSV as RFC 4180 wants it.
pub fn csv_field(text: &str) -> std::borrow::Cow<'_, str> {
    match text.contains(['"', ',', '\n', '\r']) {
        true => format!("\"{}\"", text.replace('"', "\"\"")).into(),
        false => text.into(),
    }
}

/// `text` with spaces up to `width` characters.
pub fn pad(text: &str, width: usize) -> String {
    let missing = width.saturating_sub(text.chars().count());
    format!("{text}{}", " ".repeat(missing))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_do_not_reach_the_terminal() {
        assert_eq!(clean("a\x1b[31mb\nc é\u{9b}"), "a\\u{1b}[31mb\\nc é\\u{9b}");
    }

    #[test]
    fn padding_counts_characters_and_plain_does_not_colour() {
        assert_eq!(pad("é", 3), "é  ");
        assert_eq!(pad("long", 2), "long");
        assert_eq!(Paint::plain().ink(Ink::Red, "x"), "x");
    }
}

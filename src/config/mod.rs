//! What the user wrote → checked settings.
//!
//! Parsing opens nothing but the configuration file and what it includes; checking opens nothing; running gets finished [`Settings`]. The command
//! line is shorthand for the same model: both ways end in the same structs and the same checks.

mod file;
mod include;
mod op_text;
mod read;
mod regions;
mod schema;
mod set;
pub mod sight;
mod sink;
mod source;
mod texts;
mod values;
mod vars;

use std::path::PathBuf;

pub use crate::ops::Invalid;
pub use file::print;
pub use read::{Given, read, read_file, read_op, read_printed};
pub use schema::schema;
pub use sink::{Content, IMAGE_EXTENSIONS, Policy, SinkKind, SinkSettings};
pub use source::{Interlaced, RtspTransport, SourceSettings};
pub use values::{Aspect, Rate, Size, Time};

use crate::ops::OpSettings;

/// Everything a run needs to know, checked.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// Where frames come from.
    pub source: SourceSettings,
    /// What happens to each, in order.
    pub ops: Vec<OpSettings>,
    /// Where they go.
    pub sinks: Vec<SinkSettings>,
    /// Workers for ops without state between frames; `None`: one.
    pub threads: Option<usize>,
    /// Where to write the statistics as JSON.
    pub stats: Option<PathBuf>,
    /// Where to write what was measured on each frame as CSV.
    pub measures: Option<PathBuf>,
    /// What the run's events are called by; `None`: something new each time.
    pub run_id: Option<String>,
    /// The configuration file and what it includes.
    pub files: Vec<PathBuf>,
}

/// The candidate that `word` was most likely meant to be, if one is near.
pub fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    candidates
        .into_iter()
        .map(|c| (strsim::damerau_levenshtein(word, c), c))
        .filter(|(d, c)| *d <= 1 + c.len() / 4)
        .min_by_key(|(d, _)| *d)
        .map(|(_, c)| c)
}

/// ` (did you mean `x`?)`, or nothing.
pub fn did_you_mean<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> String {
    nearest(word, candidates).map(|n| format!(" (did you mean `{n}`?)")).unwrap_or_default()
}

/// Splits a name with exactly one `%d`, `%5d` or `%05d` into what stands before, the width, and what stands after.
/// `%%` stands for a percent sign.
pub fn number_pattern(name: &str) -> Option<(String, usize, String)> {
    let mut parts = [String::new(), String::new()];
    let mut width = None;
    let mut rest = name;
    while let Some(at) = rest.find('%') {
        let part = &mut parts[usize::from(width.is_some())];
        part.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        if let Some(r) = rest.strip_prefix('%') {
            part.push('%');
            rest = r;
            continue;
        }
        let digits = rest.find(|c: char| !c.is_ascii_digit())?;
        if !rest[digits..].starts_with('d') || width.is_some() || digits > 3 {
            return None;
        }
        width = Some(rest[..digits].parse::<usize>().unwrap_or(1).min(20));
        rest = &rest[digits + 1..];
    }
    parts[usize::from(width.is_some())].push_str(rest);
    let [before, after] = parts;
    Some((before, width?, after))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn number_patterns() {
        assert_eq!(number_pattern("a/%05d.png"), Some(("a/".into(), 5, ".png".into())));
        assert_eq!(number_pattern("100%%-%d.png"), Some(("100%-".into(), 1, ".png".into())));
        for none in ["plain.png", "%s.png", "%d-%d.png", "%n", "%", "%05"] {
            assert_eq!(number_pattern(none), None, "{none}");
        }
    }

    #[test]
    fn nearest_word() {
        assert_eq!(nearest("sise", ["size", "sigma"]), Some("size"));
        assert_eq!(nearest("zebra", ["size", "sigma"]), None);
    }
}

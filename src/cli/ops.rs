//! `framewright ops [NAME]`: the op reference, made from the ops' own files.

use std::fmt::Write;

use serde_json::Value;

use crate::config::did_you_mean;
use crate::failure::Failure;
use crate::ops::{ALL, Entry};

/// Lists the ops, or explains one.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The op to explain
    pub name: Option<String>,
}

/// Prints to standard output.
pub fn run(args: &Args) -> Result<(), Failure> {
    let text = match &args.name {
        None => list(),
        Some(name) => {
            let entry = Entry::find(name).ok_or_else(|| {
                let hint = did_you_mean(name, ALL.iter().map(|e| e.name));
                Failure::usage(format!("there is no op `{name}`{hint}")).fix("`framewright ops` lists them")
            })?;
            explain(entry)
        }
    };
    super::print(&text)
}

fn list() -> String {
    let mut out = String::new();
    for e in ALL {
        let schema = (e.schema)();
        let summary = schema.get("description").and_then(Value::as_str).unwrap_or_default();
        let _ = writeln!(out, "{:12} {}", e.name, summary.lines().next().unwrap_or_default());
    }
    out + "\n`framewright ops NAME` explains one; use: --op NAME:key=value,key=value\n"
}

/// The page of one op as plain text.
pub fn explain(e: &Entry) -> String {
    let schema = (e.schema)();
    let text = |v: &Value, k: &str| v.get(k).and_then(Value::as_str).unwrap_or_default().replace('\n', " ");
    let mut out = format!("{}: {}\n\n", e.name, text(schema.as_value(), "description"));
    let _ = writeln!(out, "  example   --op '{}'\n  behind    {}\n", e.example, e.behind);
    let properties = schema.get("properties").and_then(Value::as_object);
    for (key, p) in properties.into_iter().flatten() {
        let default = match p.get("default") {
            None | Some(Value::Null) => String::new(),
            Some(Value::String(s)) => format!(" [{s}]"),
            Some(v) => format!(" [{v}]"),
        };
        let _ = writeln!(out, "  {key}{default}");
        for line in wrap(&text(p, "description"), 96) {
            let _ = writeln!(out, "      {line}");
        }
    }
    out
}

fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = vec![String::new()];
    for word in text.split_whitespace() {
        let last = lines.len() - 1;
        if !lines[last].is_empty() && lines[last].chars().count() + word.chars().count() >= width {
            lines.push(word.to_owned());
        } else {
            let gap = if lines[last].is_empty() { "" } else { " " };
            lines[last] += &format!("{gap}{word}");
        }
    }
    lines
}

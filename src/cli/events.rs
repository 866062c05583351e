//! `framewright events FILE`: what happened, asked of what a run wrote.

use std::path::PathBuf;

use rusqlite::types::Value;

use crate::events::query::{self, Answer};
use crate::failure::Failure;
use crate::term::{self, Ink, Paint};

/// Answers questions about events that a run wrote (.db or .jsonl): counts, crossings, time in zones, by hour.
///
/// The file may still be written. Without an option: --summary.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// What a run wrote: -o FILE.db or -o FILE.jsonl
    pub file: PathBuf,
    /// The common questions: events by kind and by hour, crossings by line, visits and time by zone, the busiest zones
    #[arg(long, conflicts_with = "sql")]
    pub summary: bool,
    /// Any question to the tables runs, frames, detections and events; nothing can be changed
    #[arg(long, value_name = "SELECT")]
    pub sql: Option<String>,
    /// Answer as CSV; with neither of the above: every event
    #[arg(long)]
    pub csv: bool,
}

const EXAMPLES: &str = "\
Examples:
  framewright events gate.db
  framewright events gate.jsonl --csv > events.csv
  framewright events gate.db --sql \"SELECT label, count(*) FROM events WHERE kind = 'line.crossed' GROUP BY label\"";

/// Opens the file for reading only.
pub fn run(args: &Args) -> Result<(), Failure> {
    let db = query::open(&args.file)?;
    let answers = match &args.sql {
        Some(sql) => vec![query::sql(&db, sql)?],
        None if args.csv && !args.summary => vec![query::all(&db)?],
        None => query::summary(&db)?,
    };
    let print = |a: &Answer| if args.csv { csv(a) } else { table(a, Paint::stdout()) };
    let text: Vec<String> = answers.iter().map(print).collect();
    super::print(&text.join("\n"))
}

/// Lines of RFC 4180, the names of the columns first.
fn csv(answer: &Answer) -> String {
    let line = |fields: Vec<String>| fields.iter().map(|f| term::csv_field(f)).collect::<Vec<_>>().join(",") + "\n";
    let mut out = line(answer.columns.clone());
    for row in &answer.rows {
        out += &line(row.iter().map(text).collect());
    }
    out
}

fn text(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::Integer(n) => n.to_string(),
        Value::Real(n) => n.to_string(),
        Value::Text(t) => t.clone(),
        Value::Blob(b) => data_encoding::HEXLOWER.encode(b),
    }
}

/// Aligned columns, numbers to the right.
fn table(answer: &Answer, paint: Paint) -> String {
    let cells: Vec<Vec<String>> =
        answer.rows.iter().map(|r| r.iter().map(|v| term::clean(&text(v))).collect()).collect();
    let mut out = String::new();
    if !answer.title.is_empty() {
        out += &format!("{}\n", paint.ink(Ink::Bold, answer.title));
    }
    let width = |i: usize| {
        let of = |s: &String| s.chars().count();
        cells.iter().map(|r| of(&r[i])).chain([of(&answer.columns[i])]).max().unwrap_or(0)
    };
    let columns: Vec<(usize, bool)> = (0..answer.columns.len())
        .map(|i| (width(i), answer.rows.iter().any(|r| matches!(r[i], Value::Integer(_) | Value::Real(_)))))
        .collect();
    let line = |fields: &[String]| {
        let cell = |(f, (width, right)): (&String, &(usize, bool))| {
            let padded = term::pad(f, *width);
            let rest = padded[f.len()..].to_owned();
            if *right { rest + f } else { padded }
        };
        let line: Vec<String> = fields.iter().zip(&columns).map(cell).collect();
        format!("  {}\n", line.join("  ").trim_end())
    };
    out += &line(&answer.columns);
    cells.iter().for_each(|r| out += &line(r));
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_align_and_csv_quotes() {
        let row = |a: &str, n| vec![Value::Text(a.into()), Value::Integer(n)];
        let columns = vec!["name".to_owned(), "n".to_owned()];
        let answer = Answer { title: "x", columns, rows: vec![row("é,\"", 7), row("longer\x1b", 120)] };
        assert_eq!(
            table(&answer, Paint::plain()),
            "x\n  name            n\n  é,\"             7\n  longer\\u{1b}  120\n"
        );
        assert_eq!(csv(&answer), "name,n\n\"é,\"\"\",7\nlonger\x1b,120\n");
    }
}

//! `framewright ops [NAME]`: the op reference, made from the ops' own files.

mod parameter;

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::LazyLock;

use crate::config::did_you_mean;
use crate::failure::Failure;
use crate::ops::{ALL, COMMON, Entry, Takes};
use parameter::{Kind, Parameter, parameters};

/// Lists the ops, or explains one.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The op to explain
    pub name: Option<String>,
    /// Print the reference of all ops as Markdown: docs/ops.md
    #[arg(long, hide = true, conflicts_with = "name")]
    pub markdown: bool,
    /// Print each op's name, its example and the op that this needs before it, a line each: what scripts/pictures draws
    #[arg(long, hide = true, conflicts_with_all = ["name", "markdown"])]
    pub examples: bool,
}

/// Prints to standard output.
pub fn run(args: &Args) -> Result<(), Failure> {
    let text = match &args.name {
        None if args.markdown => markdown(),
        None if args.examples => {
            ALL.iter().map(|e| format!("{}\t{}\t{}\n", e.name, e.example, e.needs().unwrap_or_default())).collect()
        }
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
    let mut group = None;
    for e in ALL {
        if group != Some(e.group) {
            group = Some(e.group);
            let _ = writeln!(out, "{}{}:", if out.is_empty() { "" } else { "\n" }, e.group);
        }
        let _ = writeln!(out, "  {:20} {}", e.name, summary(e));
    }
    out + "\n`framewright ops NAME` explains one; use: --op NAME:key=value,key=value\n"
}

/// The first paragraph of the op's own words.
fn summary(e: &Entry) -> String {
    let schema = (e.schema)();
    let whole = schema.get("description").and_then(|d| d.as_str()).unwrap_or_default();
    whole.split("\n\n").next().unwrap_or_default().replace('\n', " ")
}

/// What follows it.
fn details(e: &Entry) -> String {
    let schema = (e.schema)();
    let whole = schema.get("description").and_then(|d| d.as_str()).unwrap_or_default();
    whole.split_once("\n\n").map(|(_, rest)| rest.replace('\n', " ")).unwrap_or_default()
}

/// The page of one op as plain text.
fn explain(e: &Entry) -> String {
    let schema = (e.schema)();
    let parameters = parameters(schema.as_value());
    let mut out = format!("{}: {}\n\n", e.name, summary(e));
    wrap(&details(e), 100).iter().filter(|l| !l.is_empty()).for_each(|line| out += &format!("{line}\n"));
    if !details(e).is_empty() {
        out += "\n";
    }
    let example = example(e);
    let _ = writeln!(out, "  example   {example}\n  behind    {}\n  works on  {}", e.behind, works_on(e));
    if let Some(cost) = cost(e) {
        let _ = writeln!(out, "  cost      {cost}");
    }
    out += "\n";
    for p in &parameters {
        let kind = match &p.kind {
            Kind::Choice(values) => values.join(" | "),
            kind => format!("{kind}"),
        };
        let range = p.range.as_ref().map(|r| format!(", {r}")).unwrap_or_default();
        let default = p.default.as_ref().map(|d| format!(" [{d}]")).unwrap_or_default();
        let _ = writeln!(out, "  {}: {kind}{range}{default}", p.key);
        wrap(&p.meaning, 96).iter().for_each(|line| out += &format!("      {line}\n"));
    }
    out += "\n  every op:\n";
    for (key, meaning) in COMMON {
        let _ = writeln!(out, "  {key}:");
        wrap(meaning, 96).iter().for_each(|line| out += &format!("      {line}\n"));
    }
    out += "\n";
    for (name, form) in written(&parameters) {
        let _ = writeln!(out, "  a {name} is {form}");
    }
    out
}

/// What `scripts/bench ops` measured, where it did.
fn cost(e: &Entry) -> Option<String> {
    static COSTS: LazyLock<serde_json::Value> =
        LazyLock::new(|| serde_json::from_str(include_str!("../../docs/costs.json")).unwrap_or_default());
    let ms = |size: &str| COSTS["ms"][size][e.name].as_f64();
    Some(format!("{:.2} ms a frame at 720p, {:.2} ms at 1080p ({})", ms("720p")?, ms("1080p")?, COSTS["on"].as_str()?))
}

/// The example as it is given to `framewright run`, with the op that it needs.
fn example(e: &Entry) -> String {
    e.needs().into_iter().chain([e.example]).map(|op| format!("--op '{op}'")).collect::<Vec<_>>().join(" ")
}

/// In which form an op takes the picture, and how many workers it can have.
fn works_on(e: &Entry) -> String {
    let Ok(op) = crate::config::read_op(e.example) else { return String::new() };
    let form = match op.config.takes(&crate::frame::Layout::i420()) {
        Takes::Bgr => "BGR: other formats are converted once for a run of such ops",
        Takes::AsIs => "the decoder's own format",
    };
    let workers = if op.config.stateful() { "frames one after the other" } else { "any number of workers" };
    format!("{form}; {workers}")
}

/// How values of kinds that have a name of their own are written.
fn written(parameters: &[Parameter]) -> BTreeMap<String, String> {
    let named = parameters.iter().filter_map(|p| match &p.kind {
        Kind::Named { name, form } => Some((name.clone(), form.clone())),
        _ => None,
    });
    named.collect()
}

const HEAD: &str = "\
# Ops

<!-- Made from the ops' own files by `scripts/docs`; a test fails when it is stale. -->

What can be done to frames. Ops run in the order in which they are given. On the command line:

    framewright run in.mp4 -o out.mp4 --op blur:size=9 --op 'text:text={time},position=top-right'

The same in a file, for `framewright run -c`:

```toml
[[op]]
type = \"blur\"
size = 9

[[op]]
type = \"text\"
text = \"{time}\"
position = \"top-right\"
```

On the command line a comma ends a value only where `key=` follows, so texts may hold commas. `framewright ops NAME` prints
one of these sections in the terminal.
";

/// docs/ops.md.
fn markdown() -> String {
    let mut out = HEAD.to_owned() + "\n| op | group | what it does |\n| --- | --- | --- |\n";
    for e in ALL {
        let _ = writeln!(out, "| [`{0}`](#{0}) | {1} | {2} |", e.name, e.group, cell(&summary(e)));
    }
    let mut forms = BTreeMap::new();
    for e in ALL {
        let schema = (e.schema)();
        let parameters = parameters(schema.as_value());
        let _ = writeln!(out, "\n## {}\n\n{} {}\n", e.name, summary(e), details(e));
        let _ = writeln!(out, "    {}\n", example(e));
        let _ = writeln!(out, "| before | after |\n| --- | --- |");
        let _ = writeln!(out, "| ![before](images/ops/before.jpg) | ![{0}](images/ops/{0}.jpg) |\n", e.name);
        let _ = writeln!(out, "Behind it: {}. Works on {}.", e.behind, works_on(e));
        let _ = writeln!(out, "{}", cost(e).map(|c| format!("Cost: {c}.\n")).unwrap_or_default());
        out += "| parameter | type | range | default | meaning |\n| --- | --- | --- | --- | --- |\n";
        for p in &parameters {
            let kind = match &p.kind {
                Kind::Choice(values) => values.iter().map(|v| format!("`{v}`")).collect::<Vec<_>>().join(", "),
                Kind::Named { name, .. } => format!("[{name}](#values)"),
                Kind::Plain(name) => name.clone(),
            };
            let default = p.default.as_ref().map(|d| format!("`{d}`")).unwrap_or_default();
            let range = p.range.as_deref().unwrap_or_default();
            let _ = writeln!(
                out,
                "| `{}` | {} | {range} | {} | {} |",
                p.key,
                cell(&kind),
                cell(&default),
                cell(&p.meaning)
            );
        }
        forms.extend(written(&parameters));
    }
    out += "\n## Every op\n\n| parameter | meaning |\n| --- | --- |\n";
    for (key, meaning) in COMMON {
        let _ = writeln!(out, "| `{key}` | {} |", cell(meaning));
    }
    out += "\nA number can change over time: `size = [[\"0s\", 1], [\"2s\", 9]]`, or `--op 'blur:size=[[0s,1],[2s,9]]'`, goes from\n\
            1 to 9 over the first two seconds of the source and stays there. Ops that keep state between frames have no keyframes.\n";
    out += "\n## Values\n\n| type | how it is written |\n| --- | --- |\n";
    for (name, form) in forms {
        let _ = writeln!(out, "| {name} | {} |", cell(&form));
    }
    out
}

/// Text that cannot end a table's cell.
fn cell(text: &str) -> String {
    text.replace('|', "\\|")
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_op_is_explained_in_full() {
        for e in ALL {
            let (plain, schema) = (explain(e), (e.schema)());
            assert!(!summary(e).is_empty() && plain.contains(e.example), "{}", e.name);
            for p in parameters(schema.as_value()) {
                assert!(!p.meaning.is_empty(), "{}: {} has no doc comment", e.name, p.key);
                assert!(plain.contains(&format!("\n  {}: ", p.key)), "{}: {}", e.name, p.key);
            }
        }
    }
}

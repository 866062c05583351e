//! `--set PATH=VALUE`: one key of the configuration from the command line.

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::did_you_mean;
use super::file::KEYS;
use super::include::put;
use super::texts::{Kind, Texts, as_toml};
use crate::failure::Failure;
use crate::redact::redact;

type Value<'t> = Spanned<DeValue<'t>>;

/// Puts the value of `text` where its path says.
pub fn apply<'t>(texts: &'t Texts, root: &mut DeTable<'t>, text: &str) -> Result<(), Failure> {
    let wrong = |why: String| Failure::usage(redact(&format!("--set {text}: {why}")));
    let form = || wrong("the form is PATH=VALUE, as in --set op.0.size=15, --set source.fps=30".into());
    let (path, value) = text.split_once('=').ok_or_else(form)?;
    let path: Vec<&str> = path.trim().split('.').collect();
    if path.iter().any(|p| p.is_empty()) {
        return Err(form());
    }
    let key = |k: &str| toml::Value::String(k.to_owned()).to_string();
    let last = path.last().copied().unwrap_or_default();
    let line = format!("{} = {}", key(last), as_toml(value));
    let entry = texts.table(&format!("--set {text}"), line, Kind::Typed)?;
    let Some((key, value)) = entry.into_inner().into_iter().next() else { return Err(form()) };
    let span = key.span();
    let within = match path.as_slice() {
        ["threads" | "stats" | "measures" | "run-id"] => root,
        ["include", ..] => {
            return Err(wrong("include is read before anything can be set: write it into the file".into()));
        }
        [list @ ("op" | "sink"), which, deeper @ ..] => {
            let item = item(root, list, which).map_err(wrong)?;
            if deeper.is_empty() {
                return Err(wrong(format!(
                    "{list}.{which} is a table: name one of its keys, as in {list}.{which}.{}",
                    if *list == "op" { "enabled" } else { "quality" }
                )));
            }
            descend(item, &deeper[..deeper.len() - 1], &span).map_err(wrong)?
        }
        ["regions", _, _] => {
            // `polygon` replaces `rectangle` and the other way round: the region is a new one.
            let there = descend(root, &path[..1], &span).map_err(wrong)?;
            there.remove(path[1]);
            descend(there, &path[1..2], &span).map_err(wrong)?
        }
        ["source" | "vars" | "regions", _, ..] => descend(root, &path[..path.len() - 1], &span).map_err(wrong)?,
        [one] if KEYS.contains(one) => {
            let example = match *one {
                "op" => "op.0.size",
                "sink" => "sink.0.quality",
                "source" => "source.fps",
                "regions" => "regions.door",
                _ => "vars.title",
            };
            return Err(wrong(format!("`{one}` is more than one value: name one of them, as in {example}")));
        }
        [other, ..] => {
            let hint = did_you_mean(other, KEYS);
            return Err(wrong(format!("there is no `{other}`{hint}: a path begins with {}", KEYS.join(", "))));
        }
        [] => return Err(form()),
    };
    put(within, key, value);
    Ok(())
}

/// The table at `path` below `table`; made where there is none.
fn descend<'a, 't>(
    table: &'a mut DeTable<'t>,
    path: &[&str],
    span: &Range<usize>,
) -> Result<&'a mut DeTable<'t>, String> {
    let Some((first, rest)) = path.split_first() else { return Ok(table) };
    if !table.contains_key(*first) {
        let new: Value = Spanned::new(span.clone(), DeValue::Table(DeTable::new()));
        table.insert(Spanned::new(span.clone(), (*first).to_owned().into()), new);
    }
    match table.get_mut(*first).map(Spanned::get_mut) {
        Some(DeValue::Table(t)) => descend(t, rest, span),
        Some(other) => Err(format!("`{first}` is a {}, not a table: nothing lies below it", other.type_str())),
        None => Err(format!("`{first}` is not there")),
    }
}

/// The table that `op.0`, `op.blur` or `sink.0` means.
fn item<'a, 't>(root: &'a mut DeTable<'t>, list: &str, which: &str) -> Result<&'a mut DeTable<'t>, String> {
    let items: &mut [Value] = match root.get_mut(list).map(Spanned::get_mut) {
        Some(DeValue::Array(items)) => items,
        _ => &mut [],
    };
    let kind = |v: &Value| match v.get_ref().get("type").and_then(|t| t.get_ref().as_str()) {
        Some(t) => t.to_owned(),
        None if list == "sink" => "file".to_owned(),
        None => "?".to_owned(),
    };
    let names: Vec<String> = items.iter().map(kind).collect();
    let listed: Vec<String> = names.iter().enumerate().map(|(i, n)| format!("{i} {n}")).collect();
    let there = match listed.as_slice() {
        [] => format!("there is no {list}"),
        [one] => format!("there is one {list}: {one}"),
        several => format!("there are {} {list}s: {}", several.len(), several.join(", ")),
    };
    let index = match which.parse::<usize>() {
        Ok(i) => i,
        Err(_) => {
            let same: Vec<usize> = (0..names.len()).filter(|&i| names[i] == which).collect();
            match same.as_slice() {
                [one] => *one,
                [] => {
                    let hint = did_you_mean(which, names.iter().map(String::as_str));
                    return Err(format!("there is no {list} `{which}`{hint}; {there}"));
                }
                _ => return Err(format!("which `{which}`? {there}; give the number, as in {list}.{}", same[0])),
            }
        }
    };
    match items.get_mut(index).map(Spanned::get_mut) {
        Some(DeValue::Table(t)) => Ok(t),
        _ => Err(format!("there is no {list} {index}; {there}")),
    }
}

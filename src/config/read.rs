//! From what was written to settings, step by step: files with what they include, `--op`, `--set`, variables, regions, types.

use std::path::Path;

use toml::Spanned;
use toml::de::{DeArray, DeTable, DeValue};

use super::file::Reader;
use super::include::{Includer, put};
use super::regions::Named;
use super::texts::{Kind, Texts};
use super::{Settings, SinkSettings, op_text, set, vars};
use crate::failure::Failure;
use crate::ops::OpSettings;

/// What a person wrote, on the command line and in files.
#[derive(Clone, Copy, Debug, Default)]
pub struct Given<'g> {
    /// The configuration file.
    pub file: Option<&'g Path>,
    /// Replaces the source's uri.
    pub input: Option<&'g str>,
    /// Replace the sinks.
    pub outputs: &'g [String],
    /// `NAME:key=value,key=value`: behind the ops of the file.
    pub ops: &'g [String],
    /// `PATH=VALUE`: replace what the file, the input, the outputs and the ops say.
    pub set: &'g [String],
}

/// Reads and checks all that is given. Opens nothing but the configuration file and what it includes.
pub fn read(given: &Given<'_>) -> Result<Settings, Failure> {
    let settings = assemble(given)?;
    super::sight::check(&settings.ops, &settings.sinks)?;
    Ok(settings)
}

/// [`read`] without a look at how the ops fit together.
fn assemble(given: &Given<'_>) -> Result<Settings, Failure> {
    let texts = Texts::default();
    let mut includer = Includer::new(&texts);
    let mut root = match given.file {
        Some(path) => includer.read(path)?,
        None => DeTable::new(),
    };
    if let Some(input) = given.input {
        leave_out_the_generator(&mut root, input);
        let uri = toml::Value::String(input.to_owned());
        let table = texts.table("the input", format!("source.uri = {uri}"), Kind::Verbatim)?.into_inner();
        super::include::merge(&mut root, table);
    }
    if !given.outputs.is_empty() {
        root.remove("sink");
    }
    for output in given.outputs {
        let sink = toml::to_string(&SinkSettings::from_text(output)).map_err(Failure::usage)?;
        push(&mut root, "sink", texts.table(&format!("-o {output}"), sink, Kind::Verbatim)?);
    }
    for op in given.ops {
        push(&mut root, "op", op_text::table(&texts, op)?);
    }
    for text in given.set {
        set::apply(&texts, &mut root, text)?;
    }
    vars::fill_in(&texts, &mut root)?;
    let regions = Named::take(&texts, &mut root)?;
    let settings = Reader { texts: &texts, regions: &regions }.settings(root)?;
    Ok(Settings { files: includer.files, ..settings })
}

/// What a configuration says of the pictures that it has made (how many, how large) means nothing for another input.
fn leave_out_the_generator(root: &mut DeTable<'_>, input: &str) {
    let made = |uri: &str| ["generate:", "test:"].iter().any(|kind| uri.starts_with(kind));
    let Some(DeValue::Table(source)) = root.get_mut("source").map(Spanned::get_mut) else { return };
    if !made(input) && source.get("uri").and_then(|u| u.get_ref().as_str()).is_some_and(made) {
        for key in ["size", "fps", "frames", "format", "live", "tone", "seed", "truth"] {
            source.remove(key);
        }
    }
}

fn push<'t>(root: &mut DeTable<'t>, list: &'static str, table: Spanned<DeTable<'t>>) {
    let span = table.span();
    let item = Spanned::new(span.clone(), DeValue::Table(table.into_inner()));
    match root.get_mut(list).map(Spanned::get_mut) {
        Some(DeValue::Array(items)) => items.push(item),
        _ => {
            let items: DeArray<'t> = [item].into_iter().collect();
            put(root, Spanned::new(span.clone(), list.into()), Spanned::new(span, DeValue::Array(items)));
        }
    }
}

/// Reads and checks the file at `path`.
pub fn read_file(path: &Path) -> Result<Settings, Failure> {
    read(&Given { file: Some(path), ..Given::default() })
}

/// Reads what [`super::print`] wrote.
pub fn read_printed(text: &str) -> Result<Settings, Failure> {
    let texts = Texts::default();
    let mut root = texts.table("the configuration", text.to_owned(), Kind::File)?.into_inner();
    vars::fill_in(&texts, &mut root)?;
    let regions = Named::take(&texts, &mut root)?;
    Reader { texts: &texts, regions: &regions }.settings(root)
}

/// Reads and checks one `--op` argument.
pub fn read_op(text: &str) -> Result<OpSettings, Failure> {
    let settings = assemble(&Given { ops: &[text.to_owned()], ..Given::default() })?;
    settings.ops.into_iter().next().ok_or_else(|| Failure::usage(format!("--op {text}: it is no op")))
}

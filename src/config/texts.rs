//! The texts that settings are read from, laid end to end: a position says in which text a value stands, and where in it.

use std::cell::OnceCell;
use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::file::explain;
use crate::failure::Failure;
use crate::redact::redact;

/// What a text is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A configuration file: places in it are line and column.
    File,
    /// Typed on a command line or found in the environment: a number may be meant as text.
    Typed,
    /// The name of an input or output: nothing in it stands for anything else.
    Verbatim,
}

/// Texts are only ever added, so that values can borrow from them.
#[derive(Default)]
pub struct Texts(OnceCell<Box<Text>>);

struct Text {
    name: String,
    text: String,
    start: usize,
    kind: Kind,
    next: Texts,
}

impl Texts {
    /// Keeps `text` and parses it; positions in the table are those of all texts together.
    pub fn table(&self, name: &str, text: String, kind: Kind) -> Result<Spanned<DeTable<'_>>, Failure> {
        let (mut place, mut start) = (&self.0, 0);
        while let Some(t) = place.get() {
            (place, start) = (&t.next.0, t.start + t.text.len() + 1);
        }
        let new = Text { name: name.to_owned(), text, start, kind, next: Texts::default() };
        let text = &place.get_or_init(|| Box::new(new)).text;
        match DeTable::parse(text) {
            Ok(table) => {
                let mut value = Spanned::new(table.span(), DeValue::Table(table.into_inner()));
                shift(&mut value, start);
                let span = value.span();
                let DeValue::Table(table) = value.into_inner() else { return Ok(Spanned::new(span, DeTable::new())) };
                Ok(Spanned::new(span, table))
            }
            Err(e) => Err(self.error(start + e.span().map_or(0, |s| s.start), &explain(e.message()))),
        }
    }

    fn find(&self, at: usize) -> Option<&Text> {
        let mut text = self.0.get()?;
        while at > text.start + text.text.len() {
            text = text.next.0.get()?;
        }
        Some(text)
    }

    /// The kind of text at `at`.
    pub fn kind(&self, at: usize) -> Kind {
        self.find(at).map_or(Kind::File, |t| t.kind)
    }

    /// What is written there.
    pub fn written(&self, span: Range<usize>) -> &str {
        let text = self.find(span.start);
        text.and_then(|t| t.text.get(span.start - t.start..span.end - t.start)).unwrap_or_default()
    }

    /// `config.toml:3:7`, or `--set op.0.size=3`.
    pub fn place(&self, at: usize) -> String {
        let Some(t) = self.find(at) else { return String::new() };
        if t.kind != Kind::File {
            return t.name.clone();
        }
        let before = t.text.get(..at - t.start).unwrap_or(&t.text);
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or("").chars().count() + 1;
        format!("{}:{line}:{column}", t.name)
    }

    /// `what` is wrong at `at`.
    pub fn error(&self, at: usize, what: &str) -> Failure {
        Failure::usage(redact(&format!("{}: {what}", self.place(at))))
    }
}

fn shift(value: &mut Spanned<DeValue<'_>>, by: usize) {
    let moved = |s: Range<usize>| s.start + by..s.end + by;
    match value.get_mut() {
        DeValue::Array(items) => items.iter_mut().for_each(|v| shift(v, by)),
        DeValue::Table(table) => {
            let entries = std::mem::take(table).into_iter();
            let shifted = entries.map(|(k, mut v)| {
                shift(&mut v, by);
                (Spanned::new(moved(k.span()), k.into_inner()), v)
            });
            *table = shifted.collect();
        }
        _ => {}
    }
    let span = moved(value.span());
    let inner = std::mem::replace(value.get_mut(), DeValue::Boolean(false));
    *value = Spanned::new(span, inner);
}

/// `value` as it can stand in TOML: as it is where it is TOML, else as a string.
pub fn as_toml(value: &str) -> String {
    match !value.trim().is_empty() && DeValue::parse(value).is_ok() {
        true => value.to_owned(),
        false => toml::Value::String(value.to_owned()).to_string(),
    }
}

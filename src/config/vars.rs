//! `{name}` from `[vars]` and `${ENV}` from the environment, in any string of the configuration.

use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::did_you_mean;
use super::texts::{Kind, Texts, as_toml};
use crate::failure::Failure;
use crate::ops::TEXT_FIELDS;

type Value<'t> = Spanned<DeValue<'t>>;

/// Fills in `root`'s strings, and takes its `[vars]` away.
pub fn fill_in<'t>(texts: &'t Texts, root: &mut DeTable<'t>) -> Result<(), Failure> {
    let mut raw = BTreeMap::new();
    if let Some(vars) = root.remove("vars") {
        let at = vars.span().start;
        let DeValue::Table(vars) = vars.into_inner() else {
            return Err(texts.error(at, "`vars` is a table, as in [vars] with title = \"Gate\""));
        };
        for (key, value) in vars {
            check(texts, &key, &value)?;
            raw.insert(key.get_ref().as_ref().to_owned(), value);
        }
    }
    let vars = Vars { texts, raw, used: RefCell::default() };
    for (_, value) in root.iter_mut() {
        vars.walk(value, &mut Vec::new())?;
    }
    // A name given with --set that nothing uses is a slip of the fingers; in a file that several others include it is not.
    let used = vars.used.borrow();
    let stray = vars.raw.iter().find(|(n, v)| texts.kind(v.span().start) == Kind::Typed && !used.contains(*n));
    match stray {
        None => Ok(()),
        Some((name, value)) => {
            let hint = did_you_mean(name, used.iter().map(String::as_str));
            Err(texts.error(value.span().start, &format!("nothing uses {{{name}}}{hint}")))
        }
    }
}

/// Makes every string of `value` one that means itself where it is read: what is filled in may look like a variable again.
pub fn escape(value: &mut toml::Value) {
    match value {
        toml::Value::String(s) => *s = s.replace("${", "$${"),
        toml::Value::Array(items) => items.iter_mut().for_each(escape),
        toml::Value::Table(table) => table.iter_mut().for_each(|(_, v)| escape(v)),
        _ => {}
    }
}

fn check(texts: &Texts, key: &Spanned<Cow<'_, str>>, value: &Value<'_>) -> Result<(), Failure> {
    let (name, at) = (key.get_ref(), key.span().start);
    if !is_name(name) {
        let what = format!("`{name}` is no name for a variable: letters, digits, - and _ make one, a letter first");
        return Err(texts.error(at, &format!("[vars]: {what}")));
    }
    if TEXT_FIELDS.contains(&name.as_ref()) {
        let what = format!("`{name}` is a field of texts already, as in text = \"{{{name}}}\": choose another name");
        return Err(texts.error(at, &format!("[vars]: {what}")));
    }
    if value.get_ref().is_table() || value.get_ref().is_datetime() {
        let what =
            format!("`{name}` is a {}: text, a number, true, false or a list is allowed", value.get_ref().type_str());
        return Err(texts.error(value.span().start, &format!("[vars]: {what}")));
    }
    Ok(())
}

/// A letter, then letters, digits, `-` and `_`.
pub fn is_name(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_')
}

struct Vars<'t> {
    texts: &'t Texts,
    raw: BTreeMap<String, Value<'t>>,
    used: RefCell<BTreeSet<String>>,
}

impl<'t> Vars<'t> {
    /// Fills in every string of `value`. `open` are the variables whose values are being filled in.
    fn walk(&self, value: &mut Value<'t>, open: &mut Vec<String>) -> Result<(), Failure> {
        let span = value.span();
        match value.get_mut() {
            DeValue::Array(items) => items.iter_mut().try_for_each(|v| self.walk(v, open)),
            DeValue::Table(table) => table.iter_mut().try_for_each(|(_, v)| self.walk(v, open)),
            DeValue::String(s) if s.contains(['{', '$']) && self.texts.kind(span.start) != Kind::Verbatim => {
                if let Some(name) = s.strip_prefix('{').and_then(|s| s.strip_suffix('}'))
                    && self.raw.contains_key(name)
                {
                    *value = self.var(name, span.start, open)?;
                    return Ok(());
                }
                if let Some(inner) = s.strip_prefix("${").and_then(|s| s.strip_suffix('}'))
                    && !inner.contains('}')
                {
                    let found = self.env(inner, span.start)?;
                    let name = format!("{}: ${{{inner}}}", self.texts.place(span.start));
                    let table = self.texts.table(&name, format!("value = {}", as_toml(&found)), Kind::Typed)?;
                    let parsed = table.into_inner().remove("value");
                    // Only a plain number or true and false; the rest is text.
                    let plain = parsed.filter(|v| !matches!(v.get_ref(), DeValue::Array(_) | DeValue::Table(_)));
                    *value = match plain {
                        Some(v) if !v.get_ref().is_str() => v,
                        _ => Spanned::new(span, DeValue::String(found.into())),
                    };
                    return Ok(());
                }
                let filled = self.text(s, span.start, open)?;
                *s = filled.into();
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn text(&self, text: &str, at: usize, open: &mut Vec<String>) -> Result<String, Failure> {
        let (mut out, mut rest) = (String::new(), text);
        while let Some(i) = rest.find(['{', '$']) {
            out.push_str(&rest[..i]);
            rest = &rest[i..];
            let inner = |skip: usize| rest[skip..].split_once('}');
            if let Some(after) = rest.strip_prefix("$${") {
                out.push_str("${");
                rest = after;
            } else if rest.starts_with("${") {
                let Some((inner, after)) = inner(2) else {
                    return Err(self
                        .texts
                        .error(at, &format!("`{rest}` has no `}}` after it: write $${{ for the characters")));
                };
                out.push_str(&self.env(inner, at)?);
                rest = after;
            } else if let Some(after) = rest.strip_prefix("{{") {
                out.push_str("{{");
                rest = after;
            } else if let Some((name, after)) =
                inner(1).filter(|(n, _)| rest.starts_with('{') && self.raw.contains_key(*n))
            {
                match self.var(name, at, open)?.into_inner() {
                    DeValue::String(s) => out.push_str(&s),
                    DeValue::Integer(i) => out.push_str(&i.to_string()),
                    DeValue::Float(f) => out.push_str(f.as_str()),
                    DeValue::Boolean(b) => out.push_str(&b.to_string()),
                    _ => {
                        let what = format!("{{{name}}} is a list: it can only be a whole value, as in \"{{{name}}}\"");
                        return Err(self.texts.error(at, &what));
                    }
                }
                rest = after;
            } else {
                out.push_str(&rest[..1]);
                rest = &rest[1..];
            }
        }
        Ok(out + rest)
    }

    /// The value of a variable that is there, filled in itself.
    fn var(&self, name: &str, at: usize, open: &mut Vec<String>) -> Result<Value<'t>, Failure> {
        if open.iter().any(|o| o == name) {
            return Err(self
                .texts
                .error(at, &format!("[vars]: {{{name}}} needs itself: {} → {name}", open.join(" → "))));
        }
        self.used.borrow_mut().insert(name.to_owned());
        let mut value = self.raw[name].clone();
        open.push(name.to_owned());
        self.walk(&mut value, open)?;
        open.pop();
        Ok(value)
    }

    /// `NAME` or `NAME:-default`.
    fn env(&self, inner: &str, at: usize) -> Result<String, Failure> {
        let (name, default) = match inner.split_once(":-") {
            Some((n, d)) => (n, Some(d)),
            None => (inner, None),
        };
        let fine = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
            && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        if !fine {
            let what = format!("`${{{inner}}}` names no environment variable: write $${{ for the characters");
            return Err(self.texts.error(at, &what));
        }
        // As in the shell: what is set and empty has the default too.
        match (std::env::var(name), default) {
            (Ok(v), None) => Ok(v),
            (Ok(v), Some(_)) if !v.is_empty() => Ok(v),
            (_, Some(default)) => Ok(default.to_owned()),
            (Err(std::env::VarError::NotUnicode(_)), None) => {
                Err(self.texts.error(at, &format!("the environment variable {name} is no text")))
            }
            (Err(_), None) => {
                let what = format!("the environment variable {name} is not set: set it, or write ${{{name}:-default}}");
                Err(self.texts.error(at, &what))
            }
        }
    }
}

//! The TOML file: `[source]`, `[[op]]`, `[[sink]]`, `stats`, `measures`. Errors name file, line, column, key, value and what is allowed.

use std::path::Path;

use serde::de::DeserializeOwned;
use toml::Spanned;
use toml::de::{DeTable, DeValue, ValueDeserializer};

use super::{Settings, SinkSettings, SourceSettings, did_you_mean, op_text};
use crate::failure::Failure;
use crate::ops::{Invalid, OpSettings, ReadError};

const KEYS: [&str; 6] = ["source", "op", "sink", "stats", "measures", "threads"];

/// Reads and checks the file at `path`.
pub fn read_file(path: &Path) -> Result<Settings, Failure> {
    let text = std::fs::read_to_string(path)
        .map_err(|e| Failure::usage(format!("cannot read configuration {}: {e}", path.display())))?;
    read_str(&text, &path.display().to_string())
}

/// Reads and checks `text`; `name` is what errors call it.
pub fn read_str(text: &str, name: &str) -> Result<Settings, Failure> {
    Reader { text, name }.settings()
}

struct Reader<'a> {
    text: &'a str,
    name: &'a str,
}

impl<'a> Reader<'a> {
    fn settings(&self) -> Result<Settings, Failure> {
        let root = DeTable::parse(self.text).map_err(|e| self.toml_error(&e, ""))?.into_inner();
        let mut settings = Settings::default();
        for (key, value) in root {
            let at = value.span().start;
            match key.get_ref().as_ref() {
                "source" => {
                    settings.source = self.table(value, "[source]")?;
                    settings.source.check().map_err(|i| self.invalid(i, at, "[source]"))?;
                }
                "op" => settings.ops = self.tables(value, "op", |v| self.op(v))?,
                "sink" => {
                    settings.sinks = self.tables(value, "sink", |v| {
                        let at = v.span().start;
                        let sink: SinkSettings = self.table(v, "[[sink]]")?;
                        sink.check().map_err(|i| self.invalid(i, at, "[[sink]]"))?;
                        Ok(sink)
                    })?;
                }
                "threads" => {
                    let n: usize = self.table(value, "threads")?;
                    Invalid::unless_in("threads", n, 1..=256).map_err(|i| self.invalid(i, at, ""))?;
                    settings.threads = Some(n);
                }
                "stats" => settings.stats = Some(self.table(value, "stats")?),
                "measures" => settings.measures = Some(self.table(value, "measures")?),
                other => {
                    let hint = did_you_mean(other, KEYS);
                    let what = format!("unknown key `{other}`{hint}; allowed here: {}", KEYS.join(", "));
                    return Err(self.error(key.span().start, "", &what));
                }
            }
        }
        Ok(settings)
    }

    fn table<T: DeserializeOwned>(&self, value: Spanned<DeValue<'_>>, place: &str) -> Result<T, Failure> {
        T::deserialize(ValueDeserializer::from(value)).map_err(|e| self.toml_error(&e, place))
    }

    fn tables<T>(
        &self,
        value: Spanned<DeValue<'a>>,
        key: &str,
        read: impl Fn(Spanned<DeValue<'a>>) -> Result<T, Failure>,
    ) -> Result<Vec<T>, Failure> {
        let at = value.span().start;
        match value.into_inner() {
            DeValue::Array(items) => items.into_iter().map(read).collect(),
            _ => Err(self.error(at, "", &format!("`{key}` must be written [[{key}]], once for each {key}"))),
        }
    }

    fn op(&self, value: Spanned<DeValue<'a>>) -> Result<OpSettings, Failure> {
        let span = value.span();
        let DeValue::Table(mut table) = value.into_inner() else {
            return Err(self.error(span.start, "", "`op` must be written [[op]], once for each op"));
        };
        let name = match table.remove("type") {
            Some(v) => (v.span().start, v.get_ref().as_str().map(str::to_owned)),
            None => return Err(self.error(span.start, "[[op]]", "this op has no `type`, as in type = \"blur\"")),
        };
        let (at, Some(name)) = name else {
            return Err(self.error(name.0, "[[op]]", "`type` must be a string, as in type = \"blur\""));
        };
        let entry = op_text::find(&name).map_err(|why| self.error(at, "[[op]]", &why))?;
        let place = format!("[[op]] {name}");
        entry.read(Spanned::new(span.clone(), table)).map_err(|e| match e {
            ReadError::Toml(e) => self.toml_error(&e, &place),
            ReadError::Invalid(i) => self.invalid(i, span.start, &place),
        })
    }

    fn toml_error(&self, e: &toml::de::Error, place: &str) -> Failure {
        let at = e.span().map_or(0, |s| s.start);
        let what = explain(e.message());
        match self.key_of(at).filter(|key| !what.contains(&format!("`{key}`"))) {
            Some(key) => self.error(at, place, &format!("{key}: {what}")),
            None => self.error(at, place, &what),
        }
    }

    /// The key whose value begins at `at`.
    fn key_of(&self, at: usize) -> Option<&str> {
        let before = self.text.get(..at)?.rsplit('\n').next()?;
        let key = before.trim_end().strip_suffix('=')?.trim();
        key.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_').then_some(key)
    }

    /// Points at the key's own line inside the table that starts at `table`, where it can be found.
    fn invalid(&self, i: Invalid, table: usize, place: &str) -> Failure {
        let at = self.text[table..]
            .split_inclusive('\n')
            .scan(table, |pos, line| {
                let start = *pos;
                *pos += line.len();
                Some((start, line))
            })
            .skip(1)
            .take_while(|(_, line)| !line.trim_start().starts_with('['))
            .find(|(_, line)| line.trim_start().split(['=', ' ']).next() == Some(&*i.key))
            .map_or(table, |(start, _)| start);
        self.error(at, place, &i.message)
    }

    fn error(&self, at: usize, place: &str, what: &str) -> Failure {
        let before = &self.text[..at.min(self.text.len())];
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or("").chars().count() + 1;
        let place = if place.is_empty() { String::new() } else { format!("{place}: ") };
        Failure::usage(format!("{}:{line}:{column}: {place}{what}", self.name))
    }
}

/// serde's message with the nearest spelling added and its wording made plain.
pub(super) fn explain(message: &str) -> String {
    let names: Vec<&str> = message.split('`').skip(1).step_by(2).collect();
    let plain = message.replace("unknown field", "unknown key").replace("unknown variant", "unknown value");
    match names.split_first() {
        Some((found, allowed)) if message.starts_with("unknown ") => {
            let hint = did_you_mean(found, allowed.iter().copied());
            match plain.split_once(", ") {
                Some((what, rest)) => format!("{what}{hint}, {rest}"),
                None => plain,
            }
        }
        _ => plain.lines().next().unwrap_or_default().to_owned(),
    }
}

/// The complete effective configuration as TOML.
pub fn print(settings: &Settings) -> Result<String, Failure> {
    #[derive(serde::Serialize)]
    struct Whole<'a> {
        #[serde(skip_serializing_if = "Option::is_none")]
        stats: &'a Option<std::path::PathBuf>,
        #[serde(skip_serializing_if = "Option::is_none")]
        measures: &'a Option<std::path::PathBuf>,
        #[serde(skip_serializing_if = "Option::is_none")]
        threads: Option<usize>,
        source: &'a SourceSettings,
        op: Vec<toml::Table>,
        sink: &'a [SinkSettings],
    }
    let op = settings
        .ops
        .iter()
        .map(|o| {
            let mut table = toml::Table::new();
            table.insert("type".into(), o.name.into());
            table.extend(o.effective.clone());
            table
        })
        .collect();
    let whole = Whole {
        stats: &settings.stats,
        measures: &settings.measures,
        threads: settings.threads,
        source: &settings.source,
        op,
        sink: &settings.sinks,
    };
    toml::to_string(&whole).map_err(|e| Failure::failed(format!("cannot print the configuration: {e}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str =
        "[source]\nuri = \"a.mp4\"\nfps = 30\n\n[[op]]\ntype = \"blur\"\nsize = 9\n\n[[sink]]\npath = \"b.mp4\"\n";

    #[test]
    fn what_is_printed_reads_back_the_same() {
        let printed = print(&read_str(GOOD, "t").unwrap()).unwrap();
        assert_eq!(print(&read_str(&printed, "t").unwrap()).unwrap(), printed);
        assert!(printed.contains("method = \"gaussian\""), "defaults are filled in: {printed}");
    }

    #[test]
    fn errors_name_place_key_and_nearest() {
        let wrong = |from: &str, to: &str| read_str(&GOOD.replace(from, to), "c.toml").unwrap_err().to_string();
        let e = wrong("size = 9", "sise = 9");
        assert!(e.starts_with("c.toml:7:1: [[op]] blur: unknown key `sise` (did you mean `size`?)"), "{e}");
        let e = wrong("size = 9", "size = 900");
        assert!(e.starts_with("c.toml:7:1:") && e.contains("900") && e.contains("1 to 255"), "{e}");
        let e = wrong("[[sink]]", "[[sinks]]");
        assert!(e.contains("unknown key `sinks` (did you mean `sink`?)"), "{e}");
        let e = wrong("\"blur\"", "\"blurr\"");
        assert!(e.starts_with("c.toml:6:8:") && e.contains("did you mean `blur`"), "{e}");
        let e = wrong("fps = 30", "fps = true");
        assert!(e.starts_with("c.toml:3:7:"), "{e}");
        assert!(wrong("[source]", "[source").starts_with("c.toml:1:"));
    }
}

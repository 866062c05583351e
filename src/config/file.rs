//! The TOML file: `[source]`, `[[op]]`, `[[sink]]`, `stats`, `measures`. Errors name file, line, column, key, value and what is allowed.

use serde::de::DeserializeOwned;
use toml::Spanned;
use toml::de::{DeTable, DeValue, ValueDeserializer};

use super::regions::Named;
use super::texts::{Kind, Texts};
use super::{Settings, SinkSettings, SourceSettings, did_you_mean, op_text, vars};
use crate::failure::Failure;
use crate::ops::{Invalid, OpSettings, ReadError};

/// What can stand at the top.
pub const KEYS: [&str; 10] =
    ["include", "vars", "regions", "source", "op", "sink", "stats", "measures", "threads", "run-id"];

/// Reads tables whose includes, variables and named regions are settled.
pub struct Reader<'t> {
    pub texts: &'t Texts,
    pub regions: &'t Named<'t>,
}

type Value<'t> = Spanned<DeValue<'t>>;

impl<'t> Reader<'t> {
    /// The whole configuration.
    pub fn settings(&self, root: DeTable<'t>) -> Result<Settings, Failure> {
        let mut settings = Settings::default();
        for (key, value) in root {
            let at = key.span().start;
            match key.get_ref().as_ref() {
                "source" => {
                    let keys = Keys::of("[source]", &value);
                    settings.source = self.typed(value, &keys)?;
                    settings.source.check().map_err(|i| self.invalid(i, &keys))?;
                }
                "op" => settings.ops = self.tables(value, "op", |v| self.op(v))?,
                "sink" => {
                    settings.sinks = self.tables(value, "sink", |v| {
                        let keys = Keys::of("[[sink]]", &v);
                        let mut sink: SinkSettings = self.typed(v, &keys)?;
                        if !keys.keys.iter().any(|(k, ..)| k == "type") {
                            // As with -o: the path says what it is.
                            sink.kind = sink.path.clone().map_or(sink.kind, |p| SinkSettings::from_path(p).kind);
                        }
                        sink.check().map_err(|i| self.invalid(i, &keys))?;
                        Ok(sink)
                    })?;
                }
                "threads" => {
                    let keys = Keys { place: "threads".into(), at, keys: Vec::new() };
                    let n: usize = self.typed(value, &keys)?;
                    Invalid::unless_in("threads", n, 1..=256).map_err(|i| self.invalid(i, &keys))?;
                    settings.threads = Some(n);
                }
                "run-id" => {
                    let keys = Keys { place: "run-id".into(), at, keys: Vec::new() };
                    let id: String = self.typed(value, &keys)?;
                    crate::events::Run::check(&id).map_err(|e| self.invalid(Invalid::new("run-id", e), &keys))?;
                    settings.run_id = Some(id);
                }
                "stats" => {
                    let keys = Keys { place: "stats".into(), at, keys: Vec::new() };
                    settings.stats = Some(self.typed(value, &keys)?);
                }
                "measures" => {
                    let keys = Keys { place: "measures".into(), at, keys: Vec::new() };
                    settings.measures = Some(self.typed(value, &keys)?);
                }
                other => {
                    let hint = did_you_mean(other, KEYS);
                    let what = format!("unknown key `{other}`{hint}; allowed here: {}", KEYS.join(", "));
                    return Err(self.texts.error(at, &what));
                }
            }
        }
        Ok(settings)
    }

    fn typed<T: DeserializeOwned>(&self, value: Value<'t>, keys: &Keys) -> Result<T, Failure> {
        self.attempt(value, |v| T::deserialize(ValueDeserializer::from(v)).map_err(ReadError::Toml))
            .map_err(|e| self.wrong(e, keys))
    }

    fn tables<T>(
        &self,
        value: Value<'t>,
        key: &str,
        read: impl Fn(Value<'t>) -> Result<T, Failure>,
    ) -> Result<Vec<T>, Failure> {
        let at = value.span().start;
        match value.into_inner() {
            DeValue::Array(items) => items.into_iter().map(read).collect(),
            _ => Err(self.texts.error(at, &format!("`{key}` must be written [[{key}]], once for each {key}"))),
        }
    }

    fn op(&self, value: Value<'t>) -> Result<OpSettings, Failure> {
        let span = value.span();
        let mut keys = Keys::of("[[op]]", &value);
        let wrong = |at: usize, what: &str| self.texts.error(at, &format!("[[op]]: {what}"));
        let DeValue::Table(mut table) = value.into_inner() else {
            return Err(wrong(span.start, "`op` must be written [[op]], once for each op"));
        };
        let Some(kind) = table.remove("type") else {
            return Err(wrong(span.start, "this op has no `type`, as in type = \"blur\""));
        };
        let at = kind.span().start;
        let Some(name) = kind.get_ref().as_str() else {
            return Err(wrong(at, "`type` must be a string, as in type = \"blur\""));
        };
        let entry = op_text::find(name).map_err(|why| wrong(at, &why))?;
        keys.place = format!("[[op]] {name}");
        self.regions.fill_in(&mut table).map_err(|(at, why)| self.error(at, &keys, &why))?;
        let read = |v: Value<'t>| {
            let DeValue::Table(table) = v.into_inner() else { return entry.read(Spanned::new(0..0, DeTable::new())) };
            entry.read(Spanned::new(span.clone(), table))
        };
        self.attempt(Spanned::new(span.clone(), DeValue::Table(table)), read).map_err(|e| {
            let failure = self.wrong(e, &keys);
            match self.texts.kind(span.start) {
                Kind::Typed => failure.fix(format!("`framewright ops {name}` lists the keys")),
                _ => failure,
            }
        })
    }

    /// Reads `value`. What was typed on a command line and has the wrong type (text=2024) is tried once more as text.
    fn attempt<T>(
        &self,
        mut value: Value<'t>,
        read: impl Fn(Value<'t>) -> Result<T, ReadError>,
    ) -> Result<T, ReadError> {
        let mut before: Option<toml::de::Error> = None;
        let start = |e: &toml::de::Error| e.span().map_or(0, |s| s.start);
        loop {
            let e = match read(value.clone()) {
                Err(ReadError::Toml(e)) => e,
                done => return done,
            };
            match before {
                // As text it is as wrong: the first word about it is the better one.
                Some(first) if start(&first) == start(&e) => return Err(ReadError::Toml(first)),
                _ if self.quote(&mut value, start(&e)) => before = Some(e),
                _ => return Err(ReadError::Toml(e)),
            }
        }
    }

    /// Makes the number or boolean at `at` text, if it was typed. False where there is none.
    fn quote(&self, value: &mut Value<'t>, at: usize) -> bool {
        let span = value.span();
        match value.get_mut() {
            DeValue::Table(table) => table.iter_mut().any(|(_, v)| self.quote(v, at)),
            DeValue::Array(_) | DeValue::String(_) => false,
            other if span.start == at && self.texts.kind(at) == Kind::Typed => {
                *other = DeValue::String(self.texts.written(span).into());
                true
            }
            _ => false,
        }
    }

    fn wrong(&self, e: ReadError, keys: &Keys) -> Failure {
        let e = match e {
            ReadError::Invalid(i) => return self.invalid(i, keys),
            ReadError::Toml(e) => e,
        };
        let at = e.span().map_or(keys.at, |s| s.start);
        let what = explain(e.message());
        match keys.holding(at).filter(|key| !what.contains(&format!("`{key}`"))) {
            Some(key) => self.error(at, keys, &format!("{key}: {what}")),
            None => self.error(at, keys, &what),
        }
    }

    /// Points at the key, where it is written.
    fn invalid(&self, i: Invalid, keys: &Keys) -> Failure {
        let at = keys.keys.iter().find(|(name, ..)| *name == i.key).map_or(keys.at, |(_, key, _)| *key);
        self.error(at, keys, &i.message)
    }

    fn error(&self, at: usize, keys: &Keys, what: &str) -> Failure {
        // An argument says itself which table it is about, but for the op behind a number.
        let place = match self.texts.kind(at) {
            Kind::File => keys.place.as_str(),
            _ => keys.place.strip_prefix("[[op]] ").unwrap_or_default(),
        };
        match place {
            "" => self.texts.error(at, what),
            place => self.texts.error(at, &format!("{place}: {what}")),
        }
    }
}

/// Where a table's keys and values stand.
struct Keys {
    /// What errors call the table.
    place: String,
    at: usize,
    /// Name, start of the key, span of the value.
    keys: Vec<(String, usize, std::ops::Range<usize>)>,
}

impl Keys {
    fn of(place: &str, value: &Value<'_>) -> Self {
        let table = value.get_ref().as_table().into_iter().flatten();
        let keys = table.map(|(k, v)| (k.get_ref().to_string(), k.span().start, v.span())).collect();
        Keys { place: place.into(), at: value.span().start, keys }
    }

    /// The key whose value is at `at`.
    fn holding(&self, at: usize) -> Option<&str> {
        self.keys.iter().find(|(_, _, v)| v.contains(&at)).map(|(name, ..)| name.as_str())
    }
}

/// serde's message with the nearest spelling added and its wording made plain.
pub fn explain(message: &str) -> String {
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
        #[serde(rename = "run-id", skip_serializing_if = "Option::is_none")]
        run_id: &'a Option<String>,
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
    let failed = |e: toml::ser::Error| Failure::failed(format!("cannot print the configuration: {e}"));
    let whole = Whole {
        stats: &settings.stats,
        measures: &settings.measures,
        threads: settings.threads,
        run_id: &settings.run_id,
        source: &settings.source,
        op,
        sink: &settings.sinks,
    };
    let mut table = toml::Value::try_from(&whole).map_err(failed)?;
    vars::escape(&mut table);
    toml::to_string(&table).map_err(failed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{read, read_file};

    const GOOD: &str =
        "[source]\nuri = \"a.mp4\"\nfps = 30\n\n[[op]]\ntype = \"blur\"\nsize = 9\n\n[[sink]]\npath = \"b.mp4\"\n";

    fn read_str(text: &str) -> Result<Settings, Failure> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("c.toml");
        std::fs::write(&path, text).unwrap();
        read_file(&path)
    }

    #[test]
    fn what_is_printed_reads_back_the_same() {
        let printed = print(&read_str(GOOD).unwrap()).unwrap();
        assert_eq!(print(&read_str(&printed).unwrap()).unwrap(), printed);
        assert!(printed.contains("method = \"gaussian\""), "defaults are filled in: {printed}");
    }

    #[test]
    fn errors_name_place_key_and_nearest() {
        let wrong = |from: &str, to: &str| read_str(&GOOD.replace(from, to)).unwrap_err().to_string();
        let e = wrong("size = 9", "sise = 9");
        assert!(e.contains("c.toml:7:1: [[op]] blur: unknown key `sise` (did you mean `size`?)"), "{e}");
        let e = wrong("size = 9", "size = 900");
        assert!(e.contains("c.toml:7:1:") && e.contains("900") && e.contains("1 to 255"), "{e}");
        let e = wrong("[[sink]]", "[[sinks]]");
        assert!(e.contains("unknown key `sinks` (did you mean `sink`?)"), "{e}");
        let e = wrong("\"blur\"", "\"blurr\"");
        assert!(e.contains("c.toml:6:8:") && e.contains("did you mean `blur`"), "{e}");
        let e = wrong("fps = 30", "fps = true");
        assert!(e.contains("c.toml:3:7:"), "{e}");
        assert!(wrong("[source]", "[source").contains("c.toml:1:"));
    }

    #[test]
    fn what_was_typed_may_be_text() {
        let given = |set: &[&str]| {
            let (ops, set) = (["text:text=2024".to_owned()], set.iter().map(|s| (*s).to_owned()).collect::<Vec<_>>());
            read(&super::super::Given { ops: &ops, set: &set, ..Default::default() })
        };
        assert_eq!(given(&[]).unwrap().ops[0].effective["text"].as_str(), Some("2024"));
        let s = given(&["op.0.text=1e3", "op.text.box-opacity=1", "stats=7"]).unwrap();
        assert_eq!(s.ops[0].effective["text"].as_str(), Some("1e3"));
        assert_eq!(s.ops[0].effective["box-opacity"].as_float(), Some(1.0));
        let e = given(&["threads=1.5"]).unwrap_err().to_string();
        assert!(e.contains("--set threads=1.5: invalid type: floating point"), "{e}");
    }
}

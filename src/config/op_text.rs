//! `--op NAME:key=value,key=value` as a table.

use toml::de::{DeTable, ValueDeserializer};

use super::did_you_mean;
use super::file::explain;
use crate::failure::Failure;
use crate::ops::{ALL, Entry, OpSettings, ReadError};

/// Reads one `--op` argument. A comma ends a value only where `key=` follows, so that texts may hold commas.
pub fn read_op(text: &str) -> Result<OpSettings, Failure> {
    let (name, rest) = text.split_once(':').unwrap_or((text, ""));
    let name = name.trim();
    let entry = find(name).map_err(|why| Failure::usage(format!("--op {text}: {why}")))?;
    let pairs = pairs(rest).map_err(|why| {
        Failure::usage(format!("--op {text}: {why}"))
            .fix(format!("the form is NAME:key=value,key=value, as in --op '{}'", entry.example))
    })?;
    // Values are read as TOML where they are TOML, else as text. Where that gives the wrong type (text=2024), the key is
    // tried once more as text.
    let mut quoted = vec![false; pairs.len()];
    loop {
        let (table, starts) = as_toml(&pairs, &quoted);
        let parsed = DeTable::parse(&table).map_err(|e| Failure::usage(format!("--op {text}: {}", e.message())))?;
        match entry.read(parsed) {
            Ok(op) => return Ok(op),
            Err(ReadError::Invalid(i)) => return Err(Failure::usage(format!("--op {text}: {}", i.message))),
            Err(ReadError::Toml(e)) => {
                let key = e.span().and_then(|s| starts.iter().rposition(|&at| at <= s.start));
                match key {
                    Some(k) if !quoted[k] && e.message().contains("expected a string") => quoted[k] = true,
                    _ => {
                        let failure = Failure::usage(format!("--op {text}: {}", explain(e.message())));
                        return Err(failure.fix(format!("`framewright ops {name}` lists the keys")));
                    }
                }
            }
        }
    }
}

/// The registry's entry, or why there is none.
pub(super) fn find(name: &str) -> Result<&'static Entry, String> {
    Entry::find(name).ok_or_else(|| {
        let hint = did_you_mean(name, ALL.iter().map(|e| e.name));
        format!("there is no op `{name}`{hint}: `framewright ops` lists them")
    })
}

fn pairs(rest: &str) -> Result<Vec<(&str, &str)>, String> {
    let mut out: Vec<(&str, &str)> = Vec::new();
    if rest.trim().is_empty() {
        return Ok(out);
    }
    let mut starts: Vec<usize> = vec![0];
    starts.extend(rest.match_indices(',').map(|(i, _)| i + 1).filter(|&i| key_of(&rest[i..]).is_some()));
    for (n, &start) in starts.iter().enumerate() {
        let end = starts.get(n + 1).map_or(rest.len(), |e| e - 1);
        let piece = &rest[start..end];
        let key = key_of(piece).ok_or_else(|| format!("`{piece}` is no key=value"))?;
        let value = &piece[piece.find('=').map_or(piece.len(), |i| i + 1)..];
        if out.iter().any(|(k, _)| *k == key) {
            return Err(format!("the key `{key}` is given twice"));
        }
        out.push((key, value));
    }
    Ok(out)
}

fn key_of(piece: &str) -> Option<&str> {
    let (key, _) = piece.split_once('=')?;
    let key = key.trim();
    let fine = !key.is_empty() && key.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_');
    fine.then_some(key)
}

/// The pairs as lines of TOML, and where each pair starts in them.
fn as_toml(pairs: &[(&str, &str)], quoted: &[bool]) -> (String, Vec<usize>) {
    let mut out = String::new();
    let mut starts = Vec::new();
    for ((key, value), quote) in pairs.iter().zip(quoted) {
        starts.push(out.len());
        let plain = !quote && !value.trim().is_empty() && ValueDeserializer::parse(value).is_ok();
        let value = if plain { (*value).to_owned() } else { toml::Value::String((*value).to_owned()).to_string() };
        out.push_str(&format!("{key} = {value}\n"));
    }
    (out, starts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn splits_at_keys_only() {
        let p = pairs("text=Hello, world: {time:%H:%M},size=3").unwrap();
        assert_eq!(p, [("text", "Hello, world: {time:%H:%M}"), ("size", "3")]);
        assert_eq!(pairs("region=1,2,3,4").unwrap(), [("region", "1,2,3,4")]);
        assert!(pairs("size").is_err() && pairs("size=1,size=2").is_err());
    }

    #[test]
    fn reads_and_teaches() {
        assert_eq!(read_op("blur:size=15,region=1,2,3,4").unwrap().effective["size"].as_integer(), Some(15));
        let message = |t: &str| read_op(t).unwrap_err().to_string();
        assert!(message("blurr").contains("did you mean `blur`"), "{}", message("blurr"));
        assert!(message("blur:sise=3").contains("did you mean `size`"), "{}", message("blur:sise=3"));
        assert!(message("blur:size=300").contains("1 to 255"));
        assert!(message("blur:size=big").contains("size"), "{}", message("blur:size=big"));
        assert!(message("blur:method=gausian").contains("did you mean `gaussian`"));
    }
}

//! `--op NAME:key=value,key=value` as a table.

use toml::Spanned;
use toml::de::DeTable;

use super::did_you_mean;
use super::texts::{Kind, Texts, as_toml};
use crate::failure::Failure;
use crate::ops::{ALL, Entry};

/// One `--op` argument as a table. A comma ends a value only where `key=` follows, so that texts may hold commas.
pub fn table<'t>(texts: &'t Texts, text: &str) -> Result<Spanned<DeTable<'t>>, Failure> {
    let (name, rest) = text.split_once(':').unwrap_or((text, ""));
    let name = name.trim();
    let entry = find(name).map_err(|why| Failure::usage(format!("--op {text}: {why}")))?;
    let pairs = pairs(rest).map_err(|why| {
        Failure::usage(format!("--op {text}: {why}"))
            .fix(format!("the form is NAME:key=value,key=value, as in --op '{}'", entry.example))
    })?;
    let mut lines = format!("type = \"{name}\"\n");
    for (key, value) in pairs {
        lines += &format!("{key} = {}\n", as_toml(value));
    }
    texts.table(&format!("--op {text}"), lines, Kind::Typed)
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::read_op;

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

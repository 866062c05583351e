//! `include = ["base.toml"]`: files that a configuration is built on.

use std::path::{Path, PathBuf};

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::texts::{Kind, Texts};
use crate::failure::Failure;

/// Reads files, with those they include.
pub struct Includer<'t> {
    texts: &'t Texts,
    /// Every file that was read, the included ones behind those that include them.
    pub files: Vec<PathBuf>,
    /// The files that are being read: each includes the next one.
    open: Vec<PathBuf>,
}

impl<'t> Includer<'t> {
    /// Files are kept in `texts`.
    pub fn new(texts: &'t Texts) -> Self {
        Includer { texts, files: Vec::new(), open: Vec::new() }
    }

    /// The configuration at `path`. What it includes comes first, in order; then its own tables add to that key by key, its
    /// own `[[op]]` and `[[sink]]` go behind, and everything else of its own replaces what was there.
    pub fn read(&mut self, path: &Path) -> Result<DeTable<'t>, Failure> {
        let text = std::fs::read_to_string(path)
            .map_err(|e| Failure::usage(format!("cannot read configuration {}: {e}", path.display())))?;
        self.files.push(path.to_owned());
        let table = self.texts.table(&path.display().to_string(), text, Kind::File)?;
        self.open.push(path.canonicalize().unwrap_or_else(|_| path.to_owned()));
        let whole = self.resolve(table.into_inner(), path)?;
        self.open.pop();
        Ok(whole)
    }

    fn resolve(&mut self, mut table: DeTable<'t>, path: &Path) -> Result<DeTable<'t>, Failure> {
        let Some(include) = table.remove("include") else { return Ok(table) };
        let wrong = |at: usize| self.texts.error(at, "include: give a list of files, as in include = [\"base.toml\"]");
        let DeValue::Array(names) = include.get_ref() else { return Err(wrong(include.span().start)) };
        let mut whole = DeTable::new();
        for name in names.iter() {
            let at = name.span().start;
            let Some(text) = name.get_ref().as_str() else { return Err(wrong(at)) };
            let file = path.parent().unwrap_or(Path::new("")).join(text);
            let found = file.canonicalize().and_then(|f| match f.is_file() {
                true => Ok(f),
                false => Err(std::io::Error::other("it is no file")),
            });
            let found = found.map_err(|e| {
                let shown = file.display();
                self.texts.error(at, &format!("include: cannot read {shown}: {e} (names are relative to this file)"))
            })?;
            if let Some(first) = self.open.iter().position(|f| *f == found) {
                let short = |f: &PathBuf| f.file_name().unwrap_or(f.as_os_str()).to_string_lossy().into_owned();
                let circle: Vec<String> = self.open[first..].iter().chain([&found]).map(short).collect();
                let what = format!("include: `{text}` is a circle: {}", circle.join(" → "));
                return Err(self.texts.error(at, &what));
            }
            let base = self.read(&file)?;
            merge(&mut whole, base);
        }
        merge(&mut whole, table);
        Ok(whole)
    }
}

/// Adds `over` to `base`: tables key by key, ops and sinks behind those that are there, and the rest in place of it.
pub fn merge<'t>(base: &mut DeTable<'t>, over: DeTable<'t>) {
    for (key, value) in over {
        let lists = matches!(key.get_ref().as_ref(), "op" | "sink");
        match (base.get_mut(key.get_ref().as_ref()).map(Spanned::get_mut), value) {
            (Some(DeValue::Table(there)), v) if v.get_ref().is_table() => {
                let DeValue::Table(own) = v.into_inner() else { continue };
                own.into_iter().for_each(|(k, v)| put(there, k, v));
            }
            (Some(DeValue::Array(there)), v) if lists && v.get_ref().is_array() => {
                let DeValue::Array(own) = v.into_inner() else { continue };
                own.into_iter().for_each(|v| there.push(v));
            }
            (_, value) => put(base, key, value),
        }
    }
}

/// Inserts `value`, and the place of its key with it.
pub fn put<'t>(table: &mut DeTable<'t>, key: Spanned<std::borrow::Cow<'t, str>>, value: Spanned<DeValue<'t>>) {
    table.remove(key.get_ref().as_ref());
    table.insert(key, value);
}

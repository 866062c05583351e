//! `[regions]`: parts of the picture by name, for the `region` of any op.

use std::collections::BTreeMap;

use serde::Deserialize;
use toml::Spanned;
use toml::de::{DeTable, DeValue, ValueDeserializer};

use super::did_you_mean;
use super::file::explain;
use super::texts::Texts;
use super::vars::is_name;
use crate::failure::Failure;
use crate::ops::{Region, Regions};

/// The named regions, settled.
pub struct Named<'t> {
    texts: &'t Texts,
    all: BTreeMap<String, Vec<Region>>,
}

impl<'t> Named<'t> {
    /// Reads `root`'s `[regions]`, and takes them away.
    pub fn take(texts: &'t Texts, root: &mut DeTable<'t>) -> Result<Self, Failure> {
        let mut named = Named { texts, all: BTreeMap::new() };
        let Some(regions) = root.remove("regions") else { return Ok(named) };
        let at = regions.span().start;
        let DeValue::Table(regions) = regions.into_inner() else {
            return Err(texts.error(at, "`regions` is a table, as in [regions] with door = \"10,20,30%,40%\""));
        };
        for (key, value) in regions {
            let name = key.get_ref().as_ref();
            if !is_name(name) {
                let what = "is no name for a region: letters, digits, - and _ make one, a letter first";
                return Err(texts.error(key.span().start, &format!("[regions]: `{name}` {what}")));
            }
            let region = named.region(name, key.span().start, value)?;
            named.all.insert(name.to_owned(), region);
        }
        Ok(named)
    }

    fn region(&self, name: &str, at: usize, value: Spanned<DeValue<'t>>) -> Result<Vec<Region>, Failure> {
        let fail = |at: usize, what: &str| Err(self.texts.error(at, &format!("[regions.{name}]: {what}")));
        let (start, form) = (value.span().start, value.get_ref().is_table().then(|| value.clone().into_inner()));
        let Some(DeValue::Table(table)) = form else {
            return match Regions::deserialize(ValueDeserializer::from(value)) {
                Ok(regions) => Ok(regions.into()),
                Err(e) => fail(start, &explain(e.message())),
            };
        };
        const FORMS: [&str; 2] = ["rectangle", "polygon"];
        if let Some((key, _)) = table.iter().find(|(k, _)| !FORMS.contains(&k.get_ref().as_ref())) {
            let hint = did_you_mean(key.get_ref(), FORMS);
            let what = format!("unknown key `{}`{hint}; allowed here: rectangle, polygon", key.get_ref());
            return fail(key.span().start, &what);
        }
        let mut forms = table.into_iter();
        let (Some((key, value)), None) = (forms.next(), forms.next()) else {
            return fail(at, "give either rectangle = \"x,y,width,height\" or polygon = \"x,y x,y x,y\"");
        };
        let start = value.span().start;
        let wanted = key.get_ref().as_ref();
        match Region::deserialize(ValueDeserializer::from(value)) {
            Ok(r @ Region::Rectangle(_)) if wanted == "rectangle" => Ok(vec![r]),
            Ok(r @ Region::Polygon(_)) if wanted == "polygon" => Ok(vec![r]),
            Ok(r) => fail(start, &format!("{wanted}: `{r}` is none; the other key is for those")),
            Err(e) => fail(start, &format!("{wanted}: {}", explain(e.message()))),
        }
    }

    /// Puts regions in the place of their names in an op's `region` and `ignore`. A name that is none: where it stands, and why.
    pub fn fill_in(&self, op: &mut DeTable<'t>) -> Result<(), (usize, String)> {
        self.fill_key(op, "region").and_then(|()| self.fill_key(op, "ignore"))
    }

    fn fill_key(&self, op: &mut DeTable<'t>, key: &str) -> Result<(), (usize, String)> {
        let Some(value) = op.get_mut(key) else { return Ok(()) };
        let span = value.span();
        // Every region that is written out has a comma in it.
        let is_name = |v: &DeValue<'_>| v.as_str().is_some_and(|s| !s.contains(','));
        let list = match value.get_ref() {
            v if is_name(v) => vec![value.clone()],
            DeValue::Array(items) if items.iter().any(|i| is_name(i.get_ref())) => items.iter().cloned().collect(),
            _ => return Ok(()),
        };
        let mut out = Vec::new();
        for item in list {
            let Some(name) = item.get_ref().as_str().filter(|s| !s.contains(',')) else {
                out.push(item);
                continue;
            };
            let there = self.find(name.trim()).map_err(|why| (item.span().start, why))?;
            out.extend(there.iter().map(|r| Spanned::new(item.span(), DeValue::String(r.to_string().into()))));
        }
        *value = match out.len() {
            1 => out.remove(0),
            _ => Spanned::new(span, DeValue::Array(out.into_iter().collect())),
        };
        Ok(())
    }

    fn find(&self, name: &str) -> Result<&[Region], String> {
        let names: Vec<&str> = self.all.keys().map(String::as_str).collect();
        self.all.get(name).map(Vec::as_slice).ok_or_else(|| match names.as_slice() {
            [] => format!(
                "region: `{name}` is no region: give x,y,width,height or at least three corners x,y x,y x,y; \
                 there are no [regions] whose names could stand here"
            ),
            _ => format!(
                "region: there is no region `{name}`{}; there are: {}",
                did_you_mean(name, names.clone()),
                names.join(", ")
            ),
        })
    }
}

//! A row of the registry, and an op as the user configured it: its own settings and those that every op has.

use std::fmt;
use std::sync::Arc;

use gstreamer::ClockTime;
use serde::Deserialize;
use toml::Spanned;
use toml::de::{DeTable, DeValue, ValueDeserializer};

use super::animation::{self, Track};
use super::{Group, Invalid, Op, OpConfig, Outline, Reach, Regions, Sight, Takes, When};
use crate::frame::Layout;

/// A row of the registry.
pub struct Entry {
    /// The op's name.
    pub name: &'static str,
    /// Where it stands in the documentation.
    pub group: Group,
    /// A working command-line form.
    pub example: &'static str,
    /// What does the work.
    pub behind: &'static str,
    /// JSON Schema of its own settings.
    pub schema: fn() -> schemars::Schema,
    /// The same as a part of a larger schema.
    pub subschema: fn(&mut schemars::SchemaGenerator) -> schemars::Schema,
    make: fn(ValueDeserializer<'_>) -> Made,
    remake: fn(toml::Table) -> Result<Arc<dyn Configured>, String>,
}

/// Settings, and all of them as TOML.
type Made = Result<(Arc<dyn Configured>, toml::Table), ReadError>;

/// Why a table is no valid configuration of an op.
#[derive(Debug)]
pub enum ReadError {
    /// Unknown key, missing key, wrong type; carries the position.
    Toml(toml::de::Error),
    /// Out of range.
    Invalid(Invalid),
}

/// An op's checked settings, whatever their type.
pub trait Configured: Send + Sync {
    /// Makes the op.
    fn build(&self) -> Box<dyn Op>;
    /// See [`OpConfig::takes`].
    fn takes(&self, layout: &Layout) -> Takes;
    /// See [`OpConfig::reach`].
    fn reach(&self) -> Reach;
    /// See [`OpConfig::stateful`].
    fn stateful(&self) -> bool;
    /// See [`OpConfig::wants_original`].
    fn wants_original(&self) -> bool;
    /// See [`OpConfig::retimes`].
    fn retimes(&self) -> bool;
    /// See [`OpConfig::sight`].
    fn sight(&self) -> Sight;
    /// See [`OpConfig::makes_events`].
    fn makes_events(&self) -> bool;
    /// See [`OpConfig::moves_pixels`].
    fn moves_pixels(&self) -> bool;
    /// See [`OpConfig::redacts`].
    fn redacts(&self) -> bool;
    /// See [`OpConfig::writes`].
    fn writes(&self) -> &'static [&'static str];
    /// See [`OpConfig::outline`].
    fn outline(&self, regions: Option<&Regions>) -> Option<Outline>;
    /// See [`OpConfig::no_when`].
    fn no_when(&self) -> Option<&'static str>;
}

struct Of<T>(T);

impl<T: OpConfig> Configured for Of<T> {
    fn build(&self) -> Box<dyn Op> {
        self.0.build()
    }
    fn takes(&self, layout: &Layout) -> Takes {
        self.0.takes(layout)
    }
    fn reach(&self) -> Reach {
        self.0.reach()
    }
    fn stateful(&self) -> bool {
        self.0.stateful()
    }
    fn wants_original(&self) -> bool {
        self.0.wants_original()
    }
    fn retimes(&self) -> bool {
        self.0.retimes()
    }
    fn sight(&self) -> Sight {
        self.0.sight()
    }
    fn makes_events(&self) -> bool {
        self.0.makes_events()
    }
    fn moves_pixels(&self) -> bool {
        self.0.moves_pixels()
    }
    fn redacts(&self) -> bool {
        self.0.redacts()
    }

    fn writes(&self) -> &'static [&'static str] {
        self.0.writes()
    }
    fn outline(&self, regions: Option<&Regions>) -> Option<Outline> {
        self.0.outline(regions)
    }
    fn no_when(&self) -> Option<&'static str> {
        self.0.no_when()
    }
}

impl Entry {
    /// The row of `T`.
    pub(super) const fn of<T: OpConfig>() -> Self {
        Entry {
            name: T::NAME,
            group: T::GROUP,
            example: T::EXAMPLE,
            behind: T::BEHIND,
            schema: || schemars::schema_for!(T),
            subschema: |generator| T::json_schema(generator),
            make: |table| {
                let config = T::deserialize(table).map_err(ReadError::Toml)?;
                config.check().map_err(ReadError::Invalid)?;
                let effective = toml::Table::try_from(&config).unwrap_or_default();
                Ok((Arc::new(Of(config)), effective))
            },
            remake: |table| {
                let config = T::deserialize(table).map_err(|e| e.message().to_owned())?;
                config.check().map_err(|i| i.message)?;
                Ok(Arc::new(Of(config)))
            },
        }
    }

    /// The entry called `name`.
    pub fn find(name: &str) -> Option<&'static Entry> {
        super::ALL.iter().find(|e| e.name == name)
    }

    /// The op that must stand before the example, where one must: what uses detections needs some.
    pub fn needs(&self) -> Option<&'static str> {
        let op = crate::config::read_op(self.example).ok()?;
        matches!(op.config.sight(), Sight::Uses(_)).then_some(<super::detect::Detect as OpConfig>::EXAMPLE)
    }

    /// The op's settings that take numbers and may have keyframes, and whether these are whole.
    pub fn numeric(&self) -> Vec<(String, bool)> {
        let schema = (self.schema)();
        let Some(properties) = schema.get("properties").and_then(|p| p.as_object()) else { return Vec::new() };
        let numeric = |(key, p): (&String, &serde_json::Value)| {
            let is = |t: &str| match &p["type"] {
                serde_json::Value::String(s) => s == t,
                serde_json::Value::Array(a) => a.iter().all(|v| v == t || v == "null"),
                _ => false,
            };
            (is("integer") || is("number")).then(|| (key.clone(), is("integer")))
        };
        properties.iter().filter_map(numeric).collect()
    }

    /// Reads a configuration table: what every op has, keyframes, and the op's own settings.
    pub fn read(&'static self, table: Spanned<DeTable<'_>>) -> Result<OpSettings, ReadError> {
        let span = table.span();
        let mut table = table.into_inner();
        let common = Common::take(&mut table).map_err(ReadError::Toml)?;
        let tracks = animation::tracks(&table, &self.numeric()).map_err(ReadError::Invalid)?;
        // The first value of each track stands for the track while types and ranges are checked.
        let firsts: Vec<String> = tracks.iter().map(|t| t.toml(t.points[0].1).to_string()).collect();
        for (track, first) in tracks.iter().zip(&firsts) {
            let value = table.get_mut(track.key.as_str());
            if let (Some(value), Ok(first)) = (value, DeValue::parse(first)) {
                *value = Spanned::new(value.span(), first.into_inner());
            }
        }
        let own = Spanned::new(span, DeValue::Table(table));
        let (config, mut effective) = (self.make)(ValueDeserializer::from(own))?;
        common.check(&*config).map_err(ReadError::Invalid)?;
        let animation = match tracks.is_empty() {
            true => None,
            false => Some(Arc::new(Animation { tracks, base: effective.clone(), remake: self.remake })),
        };
        if let Some(a) = &animation {
            a.check(&*config).map_err(ReadError::Invalid)?;
            effective.extend(a.tracks.iter().map(|t| (t.key.clone(), t.written())));
        }
        common.write(&mut effective);
        Ok(OpSettings { name: self.name, effective, common, config, animation })
    }
}

/// Why what hides something is not left out.
const DISABLED: &str =
    "enabled = false is refused here: the picture would show what is to be hidden; remove the op if that is meant";

/// What every op can be told.
#[derive(Clone, Debug)]
pub struct Common {
    /// Only these parts of the picture change.
    pub region: Option<Regions>,
    /// Only then is the op at work.
    pub when: Option<When>,
    /// False leaves the op out.
    pub enabled: bool,
}

/// The keys of [`Common`] with what they mean, for the documentation.
pub const COMMON: [(&str, &str); 3] = [
    (
        "region",
        "Only here: `x,y,width,height` or a polygon `x,y x,y x,y`, in pixels or percent; several as a list; or the name of \
         a `[regions.NAME]`. Default: everywhere.",
    ),
    ("when", "Only then: `2s..5s`, `..10s`, `1:30..`, several with commas, `every 5` (frames). Default: always."),
    ("enabled", "`false` leaves the op out. Default: true."),
];

impl Common {
    fn take(table: &mut DeTable<'_>) -> Result<Self, toml::de::Error> {
        fn key<'de, T: Deserialize<'de>>(t: &mut DeTable<'de>, key: &str) -> Result<Option<T>, toml::de::Error> {
            t.remove(key).map(|v| T::deserialize(ValueDeserializer::from(v))).transpose()
        }
        Ok(Common {
            region: key(table, "region")?,
            when: key(table, "when")?,
            enabled: key(table, "enabled")?.unwrap_or(true),
        })
    }

    fn check(&self, config: &dyn Configured) -> Result<(), Invalid> {
        if let (Some(_), Reach::Never(why)) = (&self.region, config.reach()) {
            return Err(Invalid::new("region", format!("region is not possible here: {why}")));
        }
        if config.reach() == Reach::Guards {
            return self.check_guard(self.region.is_some());
        }
        if config.redacts() && !self.enabled {
            return Err(Invalid::new("enabled", DISABLED));
        }
        match (&self.when, config.no_when()) {
            (Some(_), Some(why)) => Err(Invalid::new("when", format!("when is not possible here: {why}"))),
            _ => Ok(()),
        }
    }

    /// What hides something must not fail open.
    fn check_guard(&self, region: bool) -> Result<(), Invalid> {
        let no = |key, what: &str| Err(Invalid::new(key, what));
        match (region, &self.when, self.enabled) {
            (false, ..) => no(
                "region",
                "region is missing, and says what to hide: region = \"40%,10%,200,100\" (left, top, width, height), \
                 or \"0,0,100%,100%\" for all of the picture",
            ),
            (true, Some(_), _) => no(
                "when",
                "when is refused here: what is hidden for a while only is not hidden; leave it out, or use blur or \
                 pixelate with the same region and when where nothing must stay secret",
            ),
            (true, None, false) => no("enabled", DISABLED),
            (true, None, true) => Ok(()),
        }
    }

    fn write(&self, effective: &mut toml::Table) {
        if let Some(region) = self.region.as_ref().and_then(|r| toml::Value::try_from(r).ok()) {
            effective.insert("region".into(), region);
        }
        if let Some(when) = &self.when {
            effective.insert("when".into(), when.to_string().into());
        }
        if !self.enabled {
            effective.insert("enabled".into(), false.into());
        }
    }
}

/// Settings that change over time.
pub struct Animation {
    /// By setting.
    pub tracks: Vec<Track>,
    base: toml::Table,
    remake: fn(toml::Table) -> Result<Arc<dyn Configured>, String>,
}

impl Animation {
    /// The values at `t` replace those in `values`; true when any of them changed.
    pub fn values(&self, t: ClockTime, values: &mut Vec<f64>) -> bool {
        values.resize(self.tracks.len(), f64::NAN);
        let mut changed = false;
        for (value, track) in values.iter_mut().zip(&self.tracks) {
            let now = track.at(t);
            changed |= now != *value;
            *value = now;
        }
        changed
    }

    /// The settings with `values` in place.
    pub fn settings(&self, values: &[f64]) -> Result<Arc<dyn Configured>, String> {
        let mut table = self.base.clone();
        for (track, value) in self.tracks.iter().zip(values) {
            table.insert(track.key.clone(), track.toml(*value));
        }
        (self.remake)(table)
    }

    /// Every keyframe's value must be one that the op takes.
    fn check(&self, config: &dyn Configured) -> Result<(), Invalid> {
        for (i, track) in self.tracks.iter().enumerate() {
            if config.stateful() {
                let what = "has no keyframes here: this op keeps state between frames";
                return Err(Invalid::new(track.key.clone(), format!("{} {what}", track.key)));
            }
            for (_, v) in &track.points {
                let mut values: Vec<f64> = self.tracks.iter().map(|t| t.points[0].1).collect();
                values[i] = *v;
                self.settings(&values).map_err(|why| Invalid::new(track.key.clone(), why))?;
            }
        }
        Ok(())
    }
}

/// A checked op of the chain, ready to be built.
#[derive(Clone)]
pub struct OpSettings {
    /// The op's name.
    pub name: &'static str,
    /// The complete configuration, defaults filled in.
    pub effective: toml::Table,
    /// What every op can be told.
    pub common: Common,
    /// What this op was told.
    pub config: Arc<dyn Configured>,
    /// Settings that change over time.
    pub animation: Option<Arc<Animation>>,
}

impl fmt::Debug for OpSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}({:?})", self.name, self.effective)
    }
}

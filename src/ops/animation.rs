//! Keyframes: a numeric setting that changes over time, `size = [["0s", 1], ["2s", 9]]`, linear in between.

use gstreamer::ClockTime;
use toml::de::{DeTable, DeValue};

use super::Invalid;
use crate::config::Time;

/// One animated setting.
#[derive(Clone, Debug, PartialEq)]
pub struct Track {
    /// The setting's key.
    pub key: String,
    /// True when it takes whole numbers only; values in between are rounded.
    pub integer: bool,
    /// Time in the source and value, times rising.
    pub points: Vec<(ClockTime, f64)>,
}

impl Track {
    /// The value at `t`: held before the first point and after the last.
    pub fn at(&self, t: ClockTime) -> f64 {
        let next = self.points.partition_point(|(at, _)| *at <= t);
        let value = match (next.checked_sub(1).map(|i| self.points[i]), self.points.get(next)) {
            (Some((_, v)), None) | (None, Some(&(_, v))) => v,
            (Some((t0, a)), Some(&(t1, b))) => a + (b - a) * ((t - t0).nseconds() as f64 / (t1 - t0).nseconds() as f64),
            (None, None) => 0.0,
        };
        if self.integer { value.round() } else { value }
    }

    /// `value` as TOML.
    pub fn toml(&self, value: f64) -> toml::Value {
        if self.integer { toml::Value::Integer(value as i64) } else { toml::Value::Float(value) }
    }

    /// The keyframes as TOML, the way they are written.
    pub fn written(&self) -> toml::Value {
        let point = |(t, v): &(ClockTime, f64)| {
            toml::Value::Array(vec![toml::Value::String(format!("{}s", Time(*t))), self.toml(*v)])
        };
        toml::Value::Array(self.points.iter().map(point).collect())
    }
}

/// The keyframes in an op's table. `numeric` lists the settings that take numbers, and whether these are whole.
pub fn tracks(table: &DeTable<'_>, numeric: &[(String, bool)]) -> Result<Vec<Track>, Invalid> {
    let mut tracks = Vec::new();
    for (key, integer) in numeric {
        let Some(value) = table.get(key.as_str()) else { continue };
        let points = match value.get_ref() {
            DeValue::Array(a) => a.iter().map(|p| point(p.get_ref())).collect(),
            DeValue::String(s) if s.trim_start().starts_with('[') => from_text(s),
            _ => continue,
        };
        let bad = |why: String| Invalid::new(key.clone(), format!("{key}: {why}"));
        let points: Vec<_> = points.map_err(bad)?;
        if points.is_empty() || points.windows(2).any(|w| w[0].0 >= w[1].0) {
            return Err(bad(format!("keyframes need rising times, {FORM}")));
        }
        if let Some((_, v)) = points.iter().find(|(_, v)| *integer && v.fract() != 0.0) {
            return Err(bad(format!("{v} is no whole number")));
        }
        tracks.push(Track { key: key.clone(), integer: *integer, points });
    }
    Ok(tracks)
}

const FORM: &str = "as in [[\"0s\", 1], [\"2s\", 9]]";

fn point(p: &DeValue<'_>) -> Result<(ClockTime, f64), String> {
    let bad = || format!("keyframes are pairs of a time and a number, {FORM}");
    let [time, value] = p.as_array().ok_or_else(bad)?.as_ref() else { return Err(bad()) };
    let time = match time.get_ref() {
        DeValue::String(s) => s.parse::<Time>()?,
        DeValue::Integer(i) => i.as_str().parse::<Time>()?,
        DeValue::Float(f) => f.as_str().parse::<Time>()?,
        _ => return Err(bad()),
    };
    let number = match value.get_ref() {
        DeValue::Integer(i) => i.as_str(),
        DeValue::Float(f) => f.as_str(),
        _ => return Err(bad()),
    };
    number.parse::<f64>().ok().filter(|v| v.is_finite()).map(|v| (time.0, v)).ok_or_else(bad)
}

/// `[[0s, 1], [2s, 9]]`, as typed on a command line.
fn from_text(s: &str) -> Result<Vec<(ClockTime, f64)>, String> {
    let bad = || format!("`{s}` is no list of keyframes: write them {FORM}");
    let inner = s.trim().strip_prefix('[').and_then(|s| s.strip_suffix(']')).ok_or_else(bad)?;
    let pair = |p: &str| {
        let (time, value) = p.trim_start_matches([',', ' ', '[']).split_once(',').ok_or_else(bad)?;
        let time: Time = time.trim().trim_matches('"').parse()?;
        let value = value.trim().parse::<f64>().ok().filter(|v| v.is_finite()).ok_or_else(bad)?;
        Ok((time.0, value))
    };
    inner.split(']').filter(|p| !p.trim().is_empty()).map(pair).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Vec<Track>, Invalid> {
        let table = DeTable::parse(text).unwrap();
        tracks(table.get_ref(), &[("size".into(), true), ("sigma".into(), false)])
    }

    #[test]
    fn keyframes_in_both_forms() {
        let array = read("size = [[\"0s\", 1], [2, 9]]\nother = [[1, 2]]").unwrap();
        assert_eq!(array, read("size = \"[[0s, 1], [2s, 9]]\"").unwrap());
        let values: Vec<f64> =
            [0.0, 0.5, 1.0, 1.9, 7.0].iter().map(|s| array[0].at(ClockTime::from_nseconds((s * 1e9) as u64))).collect();
        assert_eq!(values, [1.0, 3.0, 5.0, 9.0, 9.0]);
        assert_eq!(array[0].written().to_string(), "[[\"0s\", 1], [\"2s\", 9]]");
        assert!(read("size = 9").unwrap().is_empty());
    }

    #[test]
    fn wrong_keyframes_are_named() {
        for bad in ["[[2, 1], [1, 2]]", "[]", "[[0, 1.5]]", "[[0, \"x\"]]", "[1, 2]", "\"[0s\""] {
            assert_eq!(read(&format!("size = {bad}")).unwrap_err().key, "size", "{bad}");
        }
    }
}

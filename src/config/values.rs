//! Values as people write them: times, sizes, rates.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use gstreamer::{ClockTime, Fraction};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A point in time or a length: `90`, `12.5`, `1:30`, `1:02:03.25`, `90s`, `2m`, `500ms`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Time(pub ClockTime);

impl FromStr for Time {
    type Err = String;
    fn from_str(s: &str) -> Result<Self, String> {
        let bad = || format!("`{s}` is no time: give seconds (12.5), 1:30, 1:02:03.25, 90s, 2m or 500ms");
        let t = s.trim();
        let seconds = if t.contains(':') {
            let parts: Vec<f64> = t.split(':').map(|p| p.parse().map_err(|_| bad())).collect::<Result<_, _>>()?;
            if parts.len() > 3 || parts[1..].iter().any(|p| *p >= 60.0) {
                return Err(bad());
            }
            parts.iter().fold(0.0, |sum, p| sum * 60.0 + p)
        } else {
            let units = [("ms", 0.001), ("s", 1.0), ("m", 60.0), ("h", 3600.0)];
            let (number, unit) = units.iter().find_map(|(u, f)| t.strip_suffix(u).map(|n| (n, *f))).unwrap_or((t, 1.0));
            number.trim().parse::<f64>().map_err(|_| bad())? * unit
        };
        if !(0.0..1e9).contains(&seconds) {
            return Err(bad());
        }
        Ok(Time(ClockTime::from_nseconds((seconds * 1e9).round() as u64)))
    }
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.nseconds() as f64 / 1e9)
    }
}

/// Width and height in pixels: `1280x720`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size {
    /// Pixels across.
    pub width: u32,
    /// Pixels down.
    pub height: u32,
}

impl FromStr for Size {
    type Err = String;
    fn from_str(s: &str) -> Result<Self, String> {
        let parsed = s.trim().split_once(['x', 'X', '×']).and_then(|(w, h)| Some((w.parse().ok()?, h.parse().ok()?)));
        match parsed {
            Some((width, height)) if (1..=16384).contains(&width) && (1..=16384).contains(&height) => {
                Ok(Size { width, height })
            }
            _ => Err(format!("`{s}` is no size: give WIDTHxHEIGHT, each 1 to 16384, as in 1280x720")),
        }
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}x{}", self.width, self.height)
    }
}

/// Frames per second: `30`, `30000/1001`, `29.97`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate(pub Fraction);

impl FromStr for Rate {
    type Err = String;
    fn from_str(s: &str) -> Result<Self, String> {
        let bad = || format!("`{s}` is no frame rate: give 30, 30000/1001 or 29.97, above 0 and up to 1000");
        let t = s.trim();
        let (n, d) = match t.split_once('/') {
            Some((n, d)) => (n.parse::<i32>().map_err(|_| bad())?, d.parse::<i32>().map_err(|_| bad())?),
            None => {
                let v: f64 = t.parse().map_err(|_| bad())?;
                // 23.976, 29.97, 59.94 mean the NTSC rates.
                let ntsc = (v * 1.001).round();
                if v.fract() == 0.0 {
                    (v as i32, 1)
                } else if (v - ntsc / 1.001).abs() < 0.005 {
                    (ntsc as i32 * 1000, 1001)
                } else {
                    ((v * 1000.0).round() as i32, 1000)
                }
            }
        };
        if n < 1 || d < 1 || f64::from(n) / f64::from(d) > 1000.0 {
            return Err(bad());
        }
        Ok(Rate(Fraction::new(n, d)))
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.0.numer(), self.0.denom()) {
            (n, 1) => write!(f, "{n}"),
            (n, d) => write!(f, "{n}/{d}"),
        }
    }
}

/// Width to height: `16:9`, `16/9`, `1.85`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Aspect {
    /// Width.
    pub width: f64,
    /// Height.
    pub height: f64,
}

impl Aspect {
    /// Width divided by height.
    pub fn ratio(self) -> f64 {
        self.width / self.height
    }
}

impl FromStr for Aspect {
    type Err = String;
    fn from_str(s: &str) -> Result<Self, String> {
        let bad = || format!("`{s}` is no aspect ratio: give 16:9, 16/9 or 1.85, between 1:100 and 100:1");
        let (w, h) = s.split_once([':', '/']).unwrap_or((s, "1"));
        let number = |t: &str| t.trim().parse::<f64>().ok().filter(|v| *v > 0.0 && *v < 1e6);
        let (width, height) = (number(w).ok_or_else(bad)?, number(h).ok_or_else(bad)?);
        let aspect = Aspect { width, height };
        if (0.01..=100.0).contains(&aspect.ratio()) { Ok(aspect) } else { Err(bad()) }
    }
}

impl fmt::Display for Aspect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.width, self.height)
    }
}

/// A TOML number or text, taken as text: `fps = 30` and `fps = "30000/1001"` are both fine.
struct Loose(String);

impl<'de> Deserialize<'de> for Loose {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        struct V;
        impl serde::de::Visitor<'_> for V {
            type Value = Loose;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number or a string")
            }
            fn visit_str<E>(self, v: &str) -> Result<Loose, E> {
                Ok(Loose(v.to_owned()))
            }
            fn visit_i64<E>(self, v: i64) -> Result<Loose, E> {
                Ok(Loose(v.to_string()))
            }
            fn visit_f64<E>(self, v: f64) -> Result<Loose, E> {
                Ok(Loose(v.to_string()))
            }
        }
        d.deserialize_any(V)
    }
}

macro_rules! as_text {
    ($($t:ident: $doc:literal),*) => {$(
        impl<'de> Deserialize<'de> for $t {
            fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
                Loose::deserialize(d)?.0.parse().map_err(serde::de::Error::custom)
            }
        }
        impl Serialize for $t {
            fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
                s.collect_str(self)
            }
        }
        impl JsonSchema for $t {
            fn schema_name() -> Cow<'static, str> {
                stringify!($t).into()
            }
            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({ "type": ["string", "number"], "description": $doc })
            }
        }
    )*};
}

as_text!(
    Time: "seconds, or 1:30, 1:02:03.25, 90s, 2m, 500ms",
    Size: "WIDTHxHEIGHT in pixels",
    Aspect: "width to height: 16:9, 16/9 or 1.85",
    Rate: "frames per second: 30, 30000/1001, 29.97"
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_times() {
        let ns = |t: &str| t.parse::<Time>().map(|t| t.0.nseconds());
        assert_eq!(ns("12.5"), Ok(12_500_000_000));
        assert_eq!(ns("1:02:03.25"), Ok(3_723_250_000_000));
        assert_eq!((ns("2m"), ns("500ms"), ns("0")), (Ok(120_000_000_000), Ok(500_000_000), Ok(0)));
        for bad in ["", "-1", "1:75", "x", "1:2:3:4", "nan", "inf", "1e99"] {
            assert!(ns(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn reads_aspect_ratios() {
        assert_eq!("16:9".parse(), Ok(Aspect { width: 16.0, height: 9.0 }));
        assert_eq!("1.85".parse::<Aspect>().map(|a| a.to_string()), Ok("1.85:1".into()));
        for bad in ["0:1", "1:0", "-4:3", "nan", "1:2:3", "1000"] {
            assert!(bad.parse::<Aspect>().is_err(), "{bad}");
        }
    }

    #[test]
    fn reads_sizes_and_rates() {
        assert_eq!("321x241".parse(), Ok(Size { width: 321, height: 241 }));
        assert!("0x10".parse::<Size>().is_err() && "99999x1".parse::<Size>().is_err());
        let fps = |t: &str| t.parse::<Rate>().map(|r| r.to_string());
        assert_eq!(fps("29.97"), Ok("30000/1001".into()));
        assert_eq!(fps("12.5"), Ok("25/2".into()));
        assert_eq!(fps("30"), Ok("30".into()));
        assert!(fps("0").is_err() && fps("1/0").is_err() && fps("-5").is_err());
    }
}

//! When an op is at work: `when = "2s..5s"`, `"..10s, 1:00..1:30"`, `"every 5"`, `"2s..8s every 10"`.

use std::fmt;
use std::str::FromStr;

use gstreamer::ClockTime;
use serde::{Deserialize, Serialize};

use crate::config::Time;

/// Spans of time of the source, and every how many frames.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct When {
    /// From (inclusive) to (exclusive); none means always.
    spans: Vec<(Time, Option<Time>)>,
    every: u64,
}

impl When {
    /// True when the op works on frame number `index`, which is at `position` in the source.
    pub fn holds(&self, index: u64, position: ClockTime) -> bool {
        let inside = |(from, to): &(Time, Option<Time>)| position >= from.0 && to.is_none_or(|t| position < t.0);
        index.is_multiple_of(self.every) && (self.spans.is_empty() || self.spans.iter().any(inside))
    }

    /// True when it takes only some of the frames, whatever their time.
    pub fn is_sparse(&self) -> bool {
        self.every > 1
    }
}

impl FromStr for When {
    type Err = String;
    fn from_str(s: &str) -> Result<Self, String> {
        let bad = || {
            format!(
                "`{s}` is no time range: give 2s..5s, ..10s, 1:30.., several with commas, every 5, or 2s..5s every 5"
            )
        };
        let (spans, every) = match s.rsplit_once("every ") {
            Some((spans, n)) => (spans, n.trim().parse::<u64>().ok().filter(|n| *n > 0).ok_or_else(bad)?),
            None => (s, 1),
        };
        let time = |t: &str| if t.trim().is_empty() { Ok(None) } else { t.parse::<Time>().map(Some) };
        let span = |span: &str| {
            let (from, to) = span.split_once("..").ok_or_else(bad)?;
            let (from, to) = (time(from)?.unwrap_or(Time(ClockTime::ZERO)), time(to)?);
            match to {
                Some(t) if t.0 <= from.0 => Err(format!("`{}` is empty: it ends before it begins", span.trim())),
                _ => Ok((from, to)),
            }
        };
        let spans = match spans.trim() {
            "" if s.trim().is_empty() => return Err(bad()),
            "" => Vec::new(),
            spans => spans.split(',').map(span).collect::<Result<_, _>>()?,
        };
        Ok(When { spans, every })
    }
}

impl TryFrom<String> for When {
    type Error = String;
    fn try_from(s: String) -> Result<Self, String> {
        s.parse()
    }
}

impl From<When> for String {
    fn from(w: When) -> String {
        w.to_string()
    }
}

impl fmt::Display for When {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, (from, to)) in self.spans.iter().enumerate() {
            let to = to.map(|t| format!("{t}s")).unwrap_or_default();
            write!(f, "{}{from}s..{to}", if i > 0 { ", " } else { "" })?;
        }
        match (self.every, self.spans.is_empty()) {
            (1, _) => Ok(()),
            (n, true) => write!(f, "every {n}"),
            (n, false) => write!(f, " every {n}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_and_every() {
        let at = |w: &str, index, seconds: f64| {
            w.parse::<When>().unwrap().holds(index, ClockTime::from_nseconds((seconds * 1e9) as u64))
        };
        assert!(at("2s..5s", 0, 2.0) && at("2s..5s", 0, 4.99) && !at("2s..5s", 0, 5.0) && !at("2s..5s", 0, 1.0));
        assert!(at("..1s, 4s..", 0, 0.0) && at("..1s, 4s..", 9, 100.0) && !at("..1s, 4s..", 9, 2.0));
        assert!(at("every 5", 10, 1.0) && !at("every 5", 11, 1.0) && !at("1s.. every 5", 10, 0.5));
        for bad in ["", "5s..2s", "x", "every 0", "2s", "1..2..3"] {
            assert!(bad.parse::<When>().is_err(), "{bad}");
        }
        for same in ["2s..5s", "0s..1.5s, 4s.. every 3", "every 2"] {
            assert_eq!(same.parse::<When>().unwrap().to_string(), same);
        }
    }
}

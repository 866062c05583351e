//! Something that happened at one moment of the stream.

use std::borrow::Cow;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use smallvec::SmallVec;

use super::Rect;

/// What happened. The names (`line.crossed`) are those of the event schema.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub enum Kind {
    /// An object was confirmed.
    #[serde(rename = "track.started")]
    TrackStarted,
    /// An object was last seen some time ago.
    #[serde(rename = "track.ended")]
    TrackEnded,
    /// An object crossed a line; `direction` is `in` or `out`.
    #[serde(rename = "line.crossed")]
    LineCrossed,
    /// An object came into a zone.
    #[serde(rename = "zone.entered")]
    ZoneEntered,
    /// An object left a zone; `seconds` is how long it was in there.
    #[serde(rename = "zone.left")]
    ZoneLeft,
    /// An object has been in a zone for as long as was asked for.
    #[serde(rename = "zone.dwelt")]
    ZoneDwelt,
    /// A zone has become fuller than was asked for; `count` objects are in it.
    #[serde(rename = "crowding.started")]
    CrowdingStarted,
    /// It is no longer.
    #[serde(rename = "crowding.ended")]
    CrowdingEnded,
    /// Something began to move.
    #[serde(rename = "motion.started")]
    MotionStarted,
    /// It stopped; `start`, `peak` and the box of all of it are known.
    #[serde(rename = "motion.ended")]
    MotionEnded,
    /// A new scene begins here.
    #[serde(rename = "cut")]
    Cut,
    /// A measurement left its bounds.
    #[serde(rename = "limit.passed")]
    LimitPassed,
    /// It is back within.
    #[serde(rename = "limit.kept")]
    LimitKept,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Kind; 13] = [
        Kind::TrackStarted,
        Kind::TrackEnded,
        Kind::LineCrossed,
        Kind::ZoneEntered,
        Kind::ZoneLeft,
        Kind::ZoneDwelt,
        Kind::CrowdingStarted,
        Kind::CrowdingEnded,
        Kind::MotionStarted,
        Kind::MotionEnded,
        Kind::Cut,
        Kind::LimitPassed,
        Kind::LimitKept,
    ];

    /// As in the event schema.
    pub fn name(self) -> &'static str {
        match self {
            Kind::TrackStarted => "track.started",
            Kind::TrackEnded => "track.ended",
            Kind::LineCrossed => "line.crossed",
            Kind::ZoneEntered => "zone.entered",
            Kind::ZoneLeft => "zone.left",
            Kind::ZoneDwelt => "zone.dwelt",
            Kind::CrowdingStarted => "crowding.started",
            Kind::CrowdingEnded => "crowding.ended",
            Kind::MotionStarted => "motion.started",
            Kind::MotionEnded => "motion.ended",
            Kind::Cut => "cut",
            Kind::LimitPassed => "limit.passed",
            Kind::LimitKept => "limit.kept",
        }
    }

    /// What began what this ends.
    pub fn begun_by(self) -> Option<Kind> {
        Some(match self {
            Kind::MotionEnded => Kind::MotionStarted,
            Kind::CrowdingEnded => Kind::CrowdingStarted,
            Kind::LimitKept => Kind::LimitPassed,
            Kind::TrackEnded => Kind::TrackStarted,
            Kind::ZoneLeft => Kind::ZoneEntered,
            _ => return None,
        })
    }

    /// True for what another event ends.
    pub fn goes_on(self) -> bool {
        Kind::ALL.iter().any(|k| k.begun_by() == Some(self))
    }
}

/// A value that belongs to an event.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs)]
pub enum Value {
    Number(f64),
    Text(Arc<str>),
}

impl Value {
    /// The number, if it is one.
    pub fn number(&self) -> Option<f64> {
        match self {
            Value::Number(n) => Some(*n),
            Value::Text(_) => None,
        }
    }

    /// The text, if it is one.
    pub fn text(&self) -> Option<&str> {
        match self {
            Value::Text(t) => Some(t),
            Value::Number(_) => None,
        }
    }
}

/// One thing that happened.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// What.
    pub kind: Kind,
    /// Name of what it happened at: the line, the zone, the op, the measurement.
    pub name: Arc<str>,
    /// When, in nanoseconds of the source. At or before the picture that carries it.
    pub position: u64,
    /// The picture it happened on, from 0.
    pub frame: u64,
    /// Number of the track.
    pub track: Option<u32>,
    /// What the object is.
    pub label: Option<Arc<str>>,
    /// Number of its class in the detector's own list.
    pub class: Option<u32>,
    /// How sure its detector was, 0–1.
    pub score: Option<f32>,
    /// Where, in pixels.
    pub rect: Option<Rect>,
    /// What else is known, by name: `direction`, `seconds`, `count`, `peak`, `speed`.
    pub values: SmallVec<[(Cow<'static, str>, Value); 2]>,
    /// Place among all events of the run, from 1; 0 until the processing thread has numbered it.
    pub seq: u64,
    /// When it happened in the world, in nanoseconds since 1970, where the source is live. Known once it is numbered.
    pub wall: Option<i64>,
}

impl Event {
    /// Of this kind, at `name`, on picture `frame` at `position`; the rest is not known yet.
    pub fn new(kind: Kind, name: &Arc<str>, frame: u64, position: u64) -> Self {
        let name = name.clone();
        Event {
            kind,
            name,
            position,
            frame,
            track: None,
            label: None,
            class: None,
            score: None,
            rect: None,
            values: SmallVec::new(),
            seq: 0,
            wall: None,
        }
    }

    /// With one more value.
    pub fn number(mut self, key: &'static str, value: f64) -> Self {
        self.values.push((key.into(), Value::Number(value)));
        self
    }

    /// With one more value.
    pub fn text(mut self, key: &'static str, value: impl Into<Arc<str>>) -> Self {
        self.values.push((key.into(), Value::Text(value.into())));
        self
    }

    /// About this object.
    pub fn about(mut self, d: &super::Detection) -> Self {
        self.track = d.track;
        self.label = Some(d.label.clone());
        self.class = Some(d.class);
        self.score = Some(d.score);
        self.rect = Some(d.rect);
        self
    }
}

#[cfg(test)]
mod tests {
    use super::Kind;

    #[test]
    fn the_schema_calls_kinds_by_their_names() {
        for kind in Kind::ALL {
            assert_eq!(serde_json::to_value(kind).unwrap(), kind.name());
        }
    }
}

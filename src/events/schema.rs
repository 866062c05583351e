//! The one form of everything that is written about pictures and events: a line of JSON. docs/events.schema.json is made
//! from these types.

use std::borrow::Cow;
use std::collections::BTreeMap;

use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde::{Deserialize, Serialize};

use super::Run;
use crate::frame::Meta;
use crate::vision::event::{Event, Kind, Value};
use crate::vision::{Detection, Rect};

/// Version of the form; it changes when a key changes its meaning or goes.
pub const VERSION: u32 = 1;

/// Either kind of line.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
#[schemars(title = "A line of framewright's events")]
pub enum Line<'a> {
    /// What was seen in a picture.
    Frame(FrameLine<'a>),
    /// Something that happened.
    Event(EventLine<'a>),
}

/// Says that a line is about a picture.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum FrameType {
    /// A picture.
    #[default]
    Frame,
}

/// Says that a line is about an event.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum EventType {
    /// An event.
    #[default]
    Event,
}

/// What was seen in a picture that was looked at.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FrameLine<'a> {
    /// Version of this form: 1.
    pub v: u32,
    /// `frame`.
    #[serde(rename = "type")]
    pub kind: FrameType,
    /// The run that wrote it.
    #[serde(default)]
    pub run: Cow<'a, str>,
    /// Name of the source.
    pub stream: Cow<'a, str>,
    /// Place among the pictures that the run took in, from 0.
    pub frame: u64,
    /// Time in the source, in seconds.
    pub seconds: f64,
    /// The same in nanoseconds.
    #[serde(default)]
    pub ns: u64,
    /// When the picture arrived, where the source is live: RFC 3339, UTC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wall: Option<String>,
    /// Width and height in pixels.
    pub size: [u32; 2],
    /// The detect ops that looked at this picture.
    pub looked: Vec<Cow<'a, str>>,
    /// How counters stand after this picture, by name: `line.NAME.in`, `zone.NAME.now`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub counters: BTreeMap<Cow<'a, str>, i64>,
    /// What they saw.
    pub detections: Vec<DetectionPart<'a>>,
}

/// One thing seen in one picture.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DetectionPart<'a> {
    /// The detect op that found it.
    pub detector: Cow<'a, str>,
    /// What it is.
    pub label: Cow<'a, str>,
    /// Number of its class in the detector's own list.
    pub class: u32,
    /// How sure the detector is, 0 to 1.
    pub score: f64,
    /// Left, top, width, height in pixels.
    #[serde(rename = "box")]
    pub rect: [f64; 4],
    /// The same as shares of the picture's width and height.
    pub normalized: [f64; 4],
    /// Number of its track.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub track: Option<u32>,
    /// True where it was not seen in this picture but follows from earlier ones.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub predicted: bool,
    /// Place in this list of the detection within which it was found.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<u32>,
    /// Metres a second over the ground (op `ground`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub speed: Option<f64>,
    /// Where to: degrees from the ground's x axis towards its y axis, 0 to 360 (op `ground`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub heading: Option<f64>,
    /// What is written on it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<Cow<'a, str>>,
    /// Landmarks: x and y in pixels.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub points: Vec<[f64; 2]>,
}

/// Something that happened at one moment.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EventLine<'a> {
    /// Version of this form: 1.
    pub v: u32,
    /// `event`.
    #[serde(rename = "type")]
    pub line: EventType,
    /// RUN-SEQ, unique: what comes with an id that was there before is a repeat.
    pub id: Cow<'a, str>,
    /// The run that wrote it.
    pub run: Cow<'a, str>,
    /// Place among all events of the run, from 1.
    pub seq: u64,
    /// Name of the source.
    pub stream: Cow<'a, str>,
    /// What happened.
    pub kind: Kind,
    /// Name of what it happened at: the line, the zone, the op, the measurement.
    pub name: Cow<'a, str>,
    /// The picture it happened on, from 0.
    pub frame: u64,
    /// Time in the source, in seconds.
    pub seconds: f64,
    /// The same in nanoseconds.
    pub ns: u64,
    /// When it happened in the world, where the source is live: RFC 3339, UTC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wall: Option<String>,
    /// Number of the track.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub track: Option<u32>,
    /// What the object is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<Cow<'a, str>>,
    /// Number of its class in the detector's own list.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub class: Option<u32>,
    /// How sure the detector is, 0 to 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub score: Option<f64>,
    /// Left, top, width, height in pixels.
    #[serde(rename = "box", default, skip_serializing_if = "Option::is_none")]
    pub rect: Option<[f64; 4]>,
    /// The same as shares of the picture's width and height.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub normalized: Option<[f64; 4]>,
    /// What else is known, by name: `direction`, `seconds`, `count`, `speed`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub values: BTreeMap<Cow<'a, str>, ValuePart<'a>>,
}

/// A number or a text.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum ValuePart<'a> {
    /// A number.
    Number(f64),
    /// A text.
    Text(Cow<'a, str>),
}

/// What lines are made with.
#[derive(Clone, Copy, Debug)]
pub struct Writer<'a> {
    /// Who writes.
    pub run: &'a Run,
    /// Name of the source.
    pub stream: &'a str,
    /// Width and height of the pictures in pixels.
    pub size: (u32, u32),
}

impl<'a> Writer<'a> {
    /// The line of a picture at `ns` that arrived at `wall`.
    pub fn frame(&self, frame: u64, ns: u64, wall: Option<i64>, meta: &'a Meta) -> FrameLine<'a> {
        FrameLine {
            v: VERSION,
            kind: FrameType::Frame,
            run: (*self.run.id).into(),
            stream: self.stream.into(),
            frame,
            seconds: ns as f64 / 1e9,
            ns,
            wall: wall.map(rfc3339),
            size: [self.size.0, self.size.1],
            looked: meta.looked.iter().map(|d| (**d).into()).collect(),
            counters: meta.counters.iter().map(|(name, n)| ((**name).into(), *n)).collect(),
            detections: meta.detections.iter().map(|d| self.detection(d)).collect(),
        }
    }

    fn detection(&self, d: &'a Detection) -> DetectionPart<'a> {
        DetectionPart {
            detector: (*d.detector).into(),
            label: (*d.label).into(),
            class: d.class,
            score: score(d.score),
            rect: pixels(d.rect),
            normalized: self.shares(d.rect),
            track: d.track,
            predicted: d.predicted,
            parent: d.parent,
            speed: d.speed.map(round),
            heading: d.heading.map(|h| (f64::from(h) * 10.0).round() / 10.0),
            text: d.text.as_deref().map(Into::into),
            points: d.points.iter().map(|p| [round(p.x), round(p.y)]).collect(),
        }
    }

    /// The line of a numbered event.
    pub fn event(&self, e: &'a Event) -> EventLine<'a> {
        let value = |(key, value): &'a (Cow<'static, str>, Value)| {
            let value = match value {
                Value::Number(n) if n.is_finite() => ValuePart::Number(*n),
                // JSON knows no infinity.
                Value::Number(_) => return None,
                Value::Text(t) => ValuePart::Text((**t).into()),
            };
            Some((key.as_ref().into(), value))
        };
        EventLine {
            v: VERSION,
            line: EventType::Event,
            id: format!("{}-{}", self.run.id, e.seq).into(),
            run: (*self.run.id).into(),
            seq: e.seq,
            stream: self.stream.into(),
            kind: e.kind,
            name: (*e.name).into(),
            frame: e.frame,
            seconds: e.position as f64 / 1e9,
            ns: e.position,
            wall: e.wall.map(rfc3339),
            track: e.track,
            label: e.label.as_deref().map(Into::into),
            class: e.class,
            score: e.score.map(score),
            rect: e.rect.map(pixels),
            normalized: e.rect.map(|r| self.shares(r)),
            values: e.values.iter().filter_map(value).collect(),
        }
    }

    fn shares(&self, r: Rect) -> [f64; 4] {
        let (w, h) = (self.size.0 as f32, self.size.1 as f32);
        let share = |v: f32, whole: f32| (f64::from(v / whole) * 1e6).round() / 1e6;
        [share(r.x, w), share(r.y, h), share(r.w, w), share(r.h, h)]
    }
}

/// Three digits behind the point are enough for pixels, and the same on every machine.
pub fn round(v: f32) -> f64 {
    (f64::from(v) * 1000.0).round() / 1000.0
}

fn pixels(r: Rect) -> [f64; 4] {
    [round(r.x), round(r.y), round(r.w), round(r.h)]
}

fn score(s: f32) -> f64 {
    (f64::from(s) * 1e4).round() / 1e4
}

/// Nanoseconds since 1970 as `2026-11-21T16:30:00.123456Z`.
pub fn rfc3339(ns: i64) -> String {
    let time = jiff::Timestamp::from_nanosecond(i128::from(ns)).unwrap_or_default();
    time.strftime("%Y-%m-%dT%H:%M:%S.%6fZ").to_string()
}

/// The JSON Schema of a line.
pub fn schema() -> serde_json::Value {
    let mut schema = SchemaSettings::draft2020_12().into_generator().into_root_schema_for::<Line<'static>>();
    schema.insert(
        "description".into(),
        format!("Version {VERSION}: a line of .jsonl, of standard output, of a webhook or an MQTT message.").into(),
    );
    schema.to_value()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_what_its_schema_says_and_reads_back() {
        let run = Run::new(Some("r1"), true);
        let writer = Writer { run: &run, stream: "a", size: (200, 100) };
        let mut event = Event::new(Kind::LineCrossed, &"gate".into(), 4, 1_500_000_000).text("direction", "in");
        event = event.number("speed", 2.5).number("never", f64::INFINITY);
        (event.seq, event.wall, event.rect) =
            (7, Some(1_700_000_000_123_456_789), Some(Rect::new(20.0, 10.0, 50.0, 25.0)));
        let line = serde_json::to_value(writer.event(&event)).unwrap();
        let validator = jsonschema::validator_for(&schema()).unwrap();
        assert!(validator.is_valid(&line), "{line}");
        assert_eq!(
            (&line["id"], &line["kind"], &line["ns"]),
            (&"r1-7".into(), &"line.crossed".into(), &1_500_000_000.into())
        );
        assert_eq!(line["wall"], "2023-11-14T22:13:20.123456Z");
        assert_eq!(line["normalized"], serde_json::json!([0.1, 0.1, 0.25, 0.25]));
        assert_eq!(line["values"], serde_json::json!({ "direction": "in", "speed": 2.5 }));
        assert!(matches!(serde_json::from_value(line.clone()).unwrap(), Line::Event(e) if e.seq == 7));
        for (key, wrong) in [("kind", "line.crosses"), ("type", "frame"), ("colour", "red")] {
            let mut bad = line.clone();
            bad[key] = wrong.into();
            assert!(!validator.is_valid(&bad), "{key} = {wrong}");
        }
    }
}

//! Counts who crosses a line.

use std::collections::BTreeMap;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::detect::Labels;
use super::drawing::{Points, check_length, check_point, size};
use super::outline::{Whereabouts, check_name};
use super::tracked::Tracked;
use super::{Group, Invalid, Length, Mode, Op, OpConfig, OpError, Outline, Reach, Regions, Sight, Stream};
use crate::frame::{Frame, Spec};
use crate::vision::count::{Anchor, Direction, LineCounter, Shape};
use crate::vision::event::{Event, Kind};

/// Counts what `track` follows over a line: in and out, of each label. `draw` shows it, `{count.NAME.in}` in a text too.
///
/// Who walks from the line's first point to its last has `in` at the right hand; `framewright check --picture` draws it. An
/// object counts once it is past the line by the band: trembling on the line counts once, turning back there not at all. A new
/// number that `track` gives to the same object within 2 seconds counts it no second time.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct CountLine {
    /// What the line is called: letters, digits, - and _; required.
    pub name: String,
    /// Its points, two or more: `x,y x,y` in pixels or percent of the picture; required. A line that ends where it began is
    /// the border of an area.
    pub points: Points,
    /// How far past the line an object counts: in percent of its own height, or in pixels; 0 to 1000 pixels or 200%.
    pub band: Length,
    /// Exchanges in and out.
    pub swap: bool,
    /// Which point of the box must cross: `bottom` (the middle of the lower edge), `center`, `top`, `left`, `right`,
    /// `top-left`, `top-right`, `bottom-left`, `bottom-right`.
    pub anchor: Anchor,
    /// Count these labels only (`["person", "car"]`; on the command line `person|car`). Default: all.
    #[serde(skip_serializing_if = "Labels::is_empty")]
    pub labels: Labels,
    /// Count only what the `detect` op of this name found. Default: what all of them found.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detector: Option<String>,
}

impl Default for CountLine {
    fn default() -> Self {
        CountLine {
            name: String::new(),
            points: Points::default(),
            band: Length::Percent(10.0),
            swap: false,
            anchor: Anchor::Bottom,
            labels: Labels::default(),
            detector: None,
        }
    }
}

impl OpConfig for CountLine {
    const NAME: &'static str = "count-line";
    const GROUP: Group = Group::Seeing;
    const EXAMPLE: &'static str = "count-line:name=gate,points=0%,60% 100%,60%";
    const BEHIND: &'static str = "own geometry over tracks";

    fn check(&self) -> Result<(), Invalid> {
        check_name(&self.name, Self::EXAMPLE)?;
        let n = self.points.0.len();
        if !(2..=1000).contains(&n) {
            let wanted = format!("2 to 1000 are needed, as in --op '{}'", Self::EXAMPLE);
            return Err(Invalid::new("points", format!("points: there are {n}, and {wanted}")));
        }
        self.points.0.iter().try_for_each(|p| check_point("points", *p))?;
        if self.points.0.windows(2).all(|p| p[0] == p[1]) {
            return Err(Invalid::new("points", "points: all are the same place, which is no line"));
        }
        check_band(self.band)
    }

    fn reach(&self) -> Reach {
        Reach::Never("a line is where its points are; give the region to detect")
    }

    fn sight(&self) -> Sight {
        Sight::Uses(self.detector.clone())
    }

    fn makes_events(&self) -> bool {
        true
    }

    fn outline(&self, _: Option<&Regions>) -> Option<Outline> {
        Some(Outline { name: self.name.clone(), whereabouts: Whereabouts::Line(self.points.0.clone(), self.swap) })
    }

    fn build(&self) -> Box<dyn Op> {
        let name: Arc<str> = self.name.as_str().into();
        let total = [Direction::In, Direction::Out].map(|d| (format!("line.{name}.{}", d.name()).into(), 0));
        Box::new(Counter {
            config: self.clone(),
            tracked: Tracked::new(&self.labels, self.detector.as_ref(), self.anchor),
            line: LineCounter::new(Vec::new(), self.swap),
            shape: None,
            name,
            total,
            labels: BTreeMap::new(),
        })
    }
}

fn check_band(band: Length) -> Result<(), Invalid> {
    check_length("band", band, 0.0)?;
    let (v, most) = match band {
        Length::Pixels(v) => (v, 1000.0),
        Length::Percent(v) => (v, 200.0),
    };
    if v > most {
        return Err(Invalid::new(
            "band",
            format!("band = {band} is out of range: 0 to 1000 pixels or 200% are allowed"),
        ));
    }
    Ok(())
}

/// A counter's name and how it stands.
type Count = (Arc<str>, i64);

struct Counter {
    config: CountLine,
    tracked: Tracked,
    /// Moments are positions in nanoseconds and numbers of pictures.
    line: LineCounter<(u64, u64)>,
    shape: Option<Arc<Shape>>,
    name: Arc<str>,
    /// In, out.
    total: [Count; 2],
    labels: BTreeMap<(Arc<str>, Direction), Count>,
}

impl Op for Counter {
    fn mode(&self) -> Mode {
        Mode::Read
    }

    fn prepare(&mut self, input: &Arc<Spec>, _: &Stream) -> Result<Arc<Spec>, OpError> {
        let shape = self.config.outline(None).and_then(|o| o.on(size(input)).pop());
        let points = shape.as_ref().map(|s| s.points.clone()).unwrap_or_default();
        self.line = LineCounter::new(points, self.config.swap);
        self.shape = shape.map(Arc::new);
        Ok(input.clone())
    }

    fn read(&mut self, frame: &mut Frame) -> Result<(), OpError> {
        let (position, index) = (frame.position.nseconds(), frame.index);
        let meta = &mut frame.meta;
        let (seen, places) = self.tracked.look(&meta.detections);
        let band = self.config.band;
        // Of the object's height, as a length of the picture is of the picture's.
        let wide = |s: &crate::vision::count::Seen| match band {
            Length::Pixels(p) => p,
            Length::Percent(p) => p / 100.0 * s.size.1,
        };
        for c in self.line.look(position as f64 / 1e9, (position, index), seen, wide) {
            let d = &meta.detections[places[c.index]];
            let (position, frame) = c.when;
            let mut event = Event::new(Kind::LineCrossed, &self.name, frame, position).about(d);
            event = event.text("direction", c.direction.name());
            if let Some(speed) = d.speed {
                event = event.number("speed", f64::from(speed));
            }
            self.total[usize::from(c.direction == Direction::Out)].1 += 1;
            let name = || format!("line.{}.{}.{}", self.name, c.direction.name(), d.label).into();
            self.labels.entry((d.label.clone(), c.direction)).or_insert_with(|| (name(), 0)).1 += 1;
            meta.events.push(event);
        }
        meta.counters.extend(self.total.iter().chain(self.labels.values()).cloned());
        meta.shapes.extend(self.shape.clone());
        Ok(())
    }

    fn report(&self) -> Option<serde_json::Value> {
        let mut labels: BTreeMap<&str, [i64; 2]> = BTreeMap::new();
        for ((label, direction), (_, n)) in &self.labels {
            labels.entry(label).or_default()[usize::from(*direction == Direction::Out)] = *n;
        }
        let [(_, into), (_, out)] = &self.total;
        let mut note = format!("{}: {into} in, {out} out", self.name);
        if !labels.is_empty() {
            let each: Vec<String> = labels.iter().map(|(l, [i, o])| format!("{l} {i}/{o}")).collect();
            note += &format!(" ({})", each.join(", "));
        }
        if let Some(lacks) = self.tracked.lacks() {
            note += &format!("; {lacks}");
        }
        let labels: serde_json::Map<String, serde_json::Value> =
            labels.into_iter().map(|(l, [i, o])| (l.to_owned(), serde_json::json!({ "in": i, "out": o }))).collect();
        Some(serde_json::json!({ "name": &*self.name, "in": into, "out": out, "labels": labels, "note": note }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_that_make_no_line_are_refused() {
        let line = |points: &str| CountLine {
            name: "gate".into(),
            points: Points(points.split(' ').filter(|p| !p.is_empty()).map(|p| p.parse().unwrap()).collect()),
            ..CountLine::default()
        };
        assert!(line("0,0 5,5").check().is_ok());
        assert_eq!(line("0,0").check().unwrap_err().key, "points");
        assert_eq!(line("5,5 5,5").check().unwrap_err().key, "points");
        assert_eq!(CountLine { name: "a.b".into(), ..line("0,0 5,5") }.check().unwrap_err().key, "name");
        assert_eq!(CountLine { name: String::new(), ..line("0,0 5,5") }.check().unwrap_err().key, "name");
        assert_eq!(CountLine { band: Length::Percent(300.0), ..line("0,0 5,5") }.check().unwrap_err().key, "band");
    }
}

//! What is counted over the whole run; none of it is bounded by what is listed.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Serialize;

use super::bins::{Bins, Group, OTHERS};
use crate::frame::Meta;
use crate::vision::count::{Shape, ShapeKind};
use crate::vision::event::{Event, Kind};

/// Labels and names that are told apart, at most.
const NAMES: usize = 100;

/// One line.
#[derive(Clone, Debug, Default, Serialize)]
pub struct LineTally {
    /// By label: in, out.
    pub labels: BTreeMap<Arc<str>, [u64; 2]>,
}

/// One zone.
#[derive(Clone, Debug, Default, Serialize)]
pub struct ZoneTally {
    /// How many came in.
    pub visits: u64,
    /// How many are in it now.
    pub now: i64,
    /// How many were in it at once, at most.
    pub peak: i64,
    /// Visits that are over, and their seconds.
    pub stays: u64,
    pub seconds: f64,
    pub longest: f64,
    /// How often it was crowded.
    pub crowds: u64,
}

/// What was seen of a label.
#[derive(Clone, Debug, Default, Serialize)]
pub struct ObjectTally {
    /// Pictures with at least one.
    pub pictures: u64,
    /// Most in one picture.
    pub most: u64,
    /// Tracks that were confirmed.
    pub tracks: u64,
}

/// Events of one kind at one name.
#[derive(Clone, Debug, Default, Serialize)]
pub struct KindTally {
    pub count: u64,
    /// How long they lasted together, of those that tell.
    pub seconds: f64,
}

/// Everything.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Tally {
    pub pictures: u64,
    pub looked: u64,
    pub events: u64,
    pub lines: BTreeMap<Arc<str>, LineTally>,
    pub zones: BTreeMap<Arc<str>, ZoneTally>,
    pub objects: BTreeMap<Arc<str>, ObjectTally>,
    /// By kind, then by name.
    pub kinds: BTreeMap<&'static str, BTreeMap<Arc<str>, KindTally>>,
    /// Lines and zones of the picture.
    #[serde(skip)]
    pub shapes: Vec<Arc<Shape>>,
}

/// The entry of `name`, or that of all the others.
fn of<'a, T: Default>(map: &'a mut BTreeMap<Arc<str>, T>, name: &Arc<str>) -> &'a mut T {
    match map.len() < NAMES || map.contains_key(name) {
        true => map.entry(name.clone()).or_default(),
        false => map.entry(OTHERS.into()).or_default(),
    }
}

impl Tally {
    /// Takes in what was found in a picture at `at`, without its events.
    pub fn picture(&mut self, meta: &Meta, at: u64, bins: &mut Bins) {
        for shape in &meta.shapes {
            let known = self.shapes.iter().any(|s| Arc::ptr_eq(s, shape) || s == shape);
            if !known && self.shapes.len() < NAMES {
                self.shapes.push(shape.clone());
            }
            match shape.kind {
                ShapeKind::Line => {
                    of(&mut self.lines, &shape.name);
                }
                ShapeKind::Zone => {
                    of(&mut self.zones, &shape.name);
                }
            }
        }
        for (name, value) in &meta.counters {
            let zone = name.strip_prefix("zone.").and_then(|z| z.strip_suffix(".now"));
            if let Some(zone) = zone {
                let zone: Arc<str> = zone.into();
                let tally = of(&mut self.zones, &zone);
                (tally.now, tally.peak) = (*value, tally.peak.max(*value));
                bins.add(Group::Zones, &zone, at, *value as f64);
            }
        }
        for m in meta.measurements.iter().filter(|m| m.value.is_finite()) {
            bins.add(Group::Measures, &m.name.into(), at, m.value);
        }
        if meta.looked.is_empty() && meta.detections.is_empty() {
            return;
        }
        self.looked += 1;
        bins.add(Group::Looked, &"".into(), at, 1.0);
        let mut counts: BTreeMap<&Arc<str>, u64> = BTreeMap::new();
        meta.detections.iter().for_each(|d| *counts.entry(&d.label).or_default() += 1);
        for (label, n) in counts {
            let tally = of(&mut self.objects, label);
            tally.pictures += 1;
            tally.most = tally.most.max(n);
            bins.add(Group::Objects, label, at, n as f64);
        }
    }

    /// Takes in an event.
    pub fn event(&mut self, event: &Event, bins: &mut Bins) {
        let number = |key: &str| event.values.iter().find(|(k, _)| k == key).and_then(|(_, v)| v.number());
        let kind = of(self.kinds.entry(event.kind.name()).or_default(), &event.name);
        self.events += 1;
        kind.count += 1;
        kind.seconds += number("seconds").unwrap_or(0.0);
        let label = event.label.clone().unwrap_or_default();
        match event.kind {
            Kind::TrackStarted => of(&mut self.objects, &label).tracks += 1,
            Kind::LineCrossed => {
                let out = event.values.iter().any(|(k, v)| k == "direction" && v.text() == Some("out"));
                of(&mut of(&mut self.lines, &event.name).labels, &label)[usize::from(out)] += 1;
                let line: Arc<str> = format!("{} {}", event.name, if out { "out" } else { "in" }).into();
                bins.add(Group::Crossings, &line, event.position, 1.0);
            }
            Kind::ZoneEntered => of(&mut self.zones, &event.name).visits += 1,
            Kind::CrowdingStarted => of(&mut self.zones, &event.name).crowds += 1,
            Kind::ZoneLeft => {
                let (zone, seconds) = (of(&mut self.zones, &event.name), number("seconds").unwrap_or(0.0));
                zone.stays += 1;
                zone.seconds += seconds;
                zone.longest = zone.longest.max(seconds);
            }
            _ => {}
        }
    }

    /// Of one kind, at all names: how many, and how long together.
    pub fn sum(&self, kind: Kind) -> (u64, f64) {
        let all = self.kinds.get(kind.name()).into_iter().flat_map(BTreeMap::values);
        all.fold((0, 0.0), |(n, s), k| (n + k.count, s + k.seconds))
    }
}

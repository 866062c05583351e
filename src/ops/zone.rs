//! Who is in a zone, since when, and whether it is crowded.

use std::collections::BTreeMap;
use std::sync::Arc;

use gstreamer::ClockTime;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::detect::Labels;
use super::drawing::size;
use super::outline::{Whereabouts, check_name};
use super::tracked::Tracked;
use super::{Group, Invalid, Mode, Op, OpConfig, OpError, Outline, Reach, Regions, Sight, Stream};
use crate::config::Time;
use crate::frame::{Frame, Spec};
use crate::vision::Detection;
use crate::vision::count::{Anchor, Change, Leave, Shape, Stay, ZoneSettings, ZoneWatch};
use crate::vision::event::{Event, Kind};

/// Watches an area: which of what `track` follows enters and leaves it, how long it stays, how many are in there.
///
/// The area is the op's `region`: a rectangle, a polygon, several, or a name of [regions]; without one it is the whole picture.
/// `draw` shows it, `{zone.NAME.now}` in a text too.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Zone {
    /// What the zone is called: letters, digits, - and _; required.
    pub name: String,
    /// An object is in, or out, once it was for so long: 0 to 60 seconds. It then counts from when it came.
    pub settle: Time,
    /// What is not seen for so long has left, as of when it was seen last: 0 to 3600 seconds. Below 2 seconds, an object that
    /// is lost and found under a new number counts twice.
    pub lost: Time,
    /// Say so when an object has been in for so long. Default: it is not said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dwell: Option<Time>,
    /// Say so when more objects than this are in, 0 to 100000. Default: it is not said.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 100_000))]
    pub crowd: Option<u32>,
    /// Which point of the box must be in it: `bottom` (the middle of the lower edge), `center`, `top`, `left`, `right`,
    /// `top-left`, `top-right`, `bottom-left`, `bottom-right`.
    pub anchor: Anchor,
    /// Watch these labels only (`["person", "car"]`; on the command line `person|car`). Default: all.
    #[serde(skip_serializing_if = "Labels::is_empty")]
    pub labels: Labels,
    /// Watch only what the `detect` op of this name found. Default: what all of them found.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detector: Option<String>,
}

impl Default for Zone {
    fn default() -> Self {
        Zone {
            name: String::new(),
            settle: Time(ClockTime::from_mseconds(200)),
            lost: Time(ClockTime::from_seconds(2)),
            dwell: None,
            crowd: None,
            anchor: Anchor::Bottom,
            labels: Labels::default(),
            detector: None,
        }
    }
}

fn seconds(t: Time) -> f64 {
    t.0.nseconds() as f64 / 1e9
}

impl OpConfig for Zone {
    const NAME: &'static str = "zone";
    const GROUP: Group = Group::Seeing;
    const EXAMPLE: &'static str = "zone:name=door,dwell=5,region=20%,30%,40%,60%";
    const BEHIND: &'static str = "own geometry over tracks";

    fn check(&self) -> Result<(), Invalid> {
        check_name(&self.name, Self::EXAMPLE)?;
        Invalid::unless_in("settle", seconds(self.settle), 0.0..=60.0)?;
        Invalid::unless_in("lost", seconds(self.lost), 0.0..=3600.0)?;
        self.crowd.map_or(Ok(()), |c| Invalid::unless_in("crowd", c, 0..=100_000))
    }

    fn reach(&self) -> Reach {
        Reach::Looks
    }

    fn sight(&self) -> Sight {
        Sight::Uses(self.detector.clone())
    }

    fn makes_events(&self) -> bool {
        true
    }

    fn outline(&self, regions: Option<&Regions>) -> Option<Outline> {
        let whereabouts = regions.map_or(Whereabouts::Picture, |r| Whereabouts::Zone(r.clone()));
        Some(Outline { name: self.name.clone(), whereabouts })
    }

    fn build(&self) -> Box<dyn Op> {
        let name: Arc<str> = self.name.as_str().into();
        Box::new(Watcher {
            tracked: Tracked::new(&self.labels, self.detector.as_ref(), self.anchor),
            config: self.clone(),
            regions: None,
            zone: None,
            shapes: Vec::new(),
            known: BTreeMap::new(),
            counters: ["now", "total"].map(|c| format!("zone.{name}.{c}").into()),
            name,
            last: (0, 0),
            tally: Tally::default(),
        })
    }
}

/// A position in nanoseconds and the number of a picture.
type Moment = (u64, u64);

struct Watcher {
    config: Zone,
    tracked: Tracked,
    regions: Option<Regions>,
    zone: Option<ZoneWatch<Moment>>,
    shapes: Vec<Arc<Shape>>,
    name: Arc<str>,
    counters: [Arc<str>; 2],
    /// What each track looked like last, and when that was.
    known: BTreeMap<u32, (u64, Detection)>,
    last: Moment,
    tally: Tally,
}

#[derive(Default)]
struct Tally {
    entered: u64,
    labels: BTreeMap<Arc<str>, u64>,
    most: usize,
    now: usize,
    crowds: u64,
    stays: u64,
    dwelt: f64,
    longest: f64,
}

impl Op for Watcher {
    fn mode(&self) -> Mode {
        Mode::Read
    }

    fn within(&mut self, regions: &Regions) {
        self.regions = Some(regions.clone());
    }

    fn prepare(&mut self, input: &Arc<Spec>, _: &Stream) -> Result<Arc<Spec>, OpError> {
        let outline = self.config.outline(self.regions.as_ref());
        let shapes = outline.map(|o| o.on(size(input))).unwrap_or_default();
        let settings = ZoneSettings {
            settle: seconds(self.config.settle),
            lost: seconds(self.config.lost),
            dwell: self.config.dwell.map(seconds),
            crowd: self.config.crowd.map(|c| c as usize),
        };
        self.zone = Some(ZoneWatch::new(shapes.iter().map(|s| s.points.clone()).collect(), settings));
        self.shapes = shapes.into_iter().map(Arc::new).collect();
        Ok(input.clone())
    }

    fn read(&mut self, frame: &mut Frame) -> Result<(), OpError> {
        let (position, index) = (frame.position.nseconds(), frame.index);
        self.last = (position, index);
        let meta = &mut frame.meta;
        let (seen, places) = self.tracked.look(&meta.detections);
        for (s, place) in seen.iter().zip(places) {
            self.known.insert(s.track, (position, meta.detections[*place].clone()));
        }
        let Some(zone) = &mut self.zone else { return Ok(()) };
        let changes = zone.look(position as f64 / 1e9, (position, index), seen);
        self.tally.now = zone.now();
        self.tally.most = self.tally.most.max(self.tally.now);
        for change in changes {
            meta.events.push(self.event(change));
        }
        let values = [self.tally.now as i64, self.tally.entered as i64];
        meta.counters.extend(self.counters.iter().cloned().zip(values));
        meta.shapes.extend(self.shapes.iter().cloned());
        let keep = (2.0 * seconds(self.config.lost) + 5.0) * 1e9;
        self.known.retain(|_, (at, _)| position.abs_diff(*at) as f64 <= keep);
        Ok(())
    }

    fn last_events(&mut self) -> Vec<Event> {
        let changes = self.zone.as_mut().map(ZoneWatch::end).unwrap_or_default();
        changes.into_iter().map(|c| self.event(c)).collect()
    }

    fn report(&self) -> Option<serde_json::Value> {
        let t = &self.tally;
        let mean = if t.stays > 0 { t.dwelt / t.stays as f64 } else { 0.0 };
        let mut note = format!("{}: {} entered, at most {} at once", self.name, t.entered, t.most);
        if t.stays > 0 {
            note += &format!(", {mean:.1} s on average, {:.1} s at most", t.longest);
        }
        if let Some(lacks) = self.tracked.lacks() {
            note += &format!("; {lacks}");
        }
        Some(serde_json::json!({
            "name": &*self.name, "entered": t.entered, "labels": t.labels, "most": t.most, "now": t.now,
            "crowds": t.crowds, "stays": t.stays, "mean_seconds": mean, "longest_seconds": t.longest, "note": note,
        }))
    }
}

impl Watcher {
    fn event(&mut self, change: Change<Moment>) -> Event {
        let at = |kind, (position, frame): Moment| Event::new(kind, &self.name, frame, position);
        let about = |kind, stay: &Stay<Moment>| {
            let event = at(kind, stay.when);
            match self.known.get(&stay.track) {
                Some((_, d)) => event.about(d),
                None => Event { track: Some(stay.track), ..event },
            }
        };
        let tally = &mut self.tally;
        match change {
            Change::Entered(stay) => {
                let event = about(Kind::ZoneEntered, &stay);
                tally.entered += 1;
                if let Some(label) = &event.label {
                    *tally.labels.entry(label.clone()).or_default() += 1;
                }
                event
            }
            Change::Dwelt(stay) => about(Kind::ZoneDwelt, &stay).number("seconds", stay.seconds),
            Change::Left(stay, why) => {
                tally.stays += 1;
                tally.dwelt += stay.seconds;
                tally.longest = tally.longest.max(stay.seconds);
                let event = about(Kind::ZoneLeft, &stay).number("seconds", stay.seconds);
                match why {
                    Leave::Gone => event,
                    Leave::Lost => event.text("reason", "lost"),
                    Leave::End => event.text("reason", "end"),
                }
            }
            Change::Crowded(count) => {
                tally.crowds += 1;
                at(Kind::CrowdingStarted, self.last).number("count", count as f64)
            }
            Change::Eased(count) => at(Kind::CrowdingEnded, self.last).number("count", count as f64),
        }
    }
}

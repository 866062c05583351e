//! Follows what was found.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use gstreamer::ClockTime;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::detect::Labels;
use super::{Group, Invalid, Mode, Op, OpConfig, OpError, Reach, Sight, Stream};
use crate::config::Time;
use crate::frame::{Frame, Spec};
use crate::vision::event::{self, Event};
use crate::vision::track::{Kind, Settings, Tracker};
use crate::vision::{Detection, Rect};

/// Follows what `detect` found: each object gets a number that it keeps.
///
/// Numbers start at 1 and are given when an object was found `hits` times; what was found less often has none. Times decide and
/// not frames, so variable rates and `detect` with `every` do no harm. `framewright eval mot` measures it.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Track {
    /// `byte-oc` (in two stages, weak detections continue tracks, directions count) or `sort` (overlap only).
    pub tracker: Kind,
    /// Follow only what the `detect` op of this name found. Default: what all of them found.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detector: Option<String>,
    /// Follow these labels only (`["person", "car"]`; on the command line `person|car`). Default: all.
    #[serde(skip_serializing_if = "Labels::is_empty")]
    pub labels: Labels,
    /// Detections from this score on begin tracks and are linked first, 0 to 1. Lower it for a detector that is never sure.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub high: f64,
    /// Weaker ones down to this score continue tracks but begin none, 0 to 1 (`byte-oc`).
    #[schemars(range(min = 0.0, max = 1.0))]
    pub low: f64,
    /// Least overlap (intersection over union) of a detection with the box where its object is expected, 0.01 to 1.
    #[schemars(range(min = 0.01, max = 1.0))]
    pub overlap: f64,
    /// An object gets its number when it was found in so many pictures, 1 to 100.
    #[schemars(range(min = 1, max = 100))]
    pub hits: u32,
    /// How long an object that is not found keeps its number, 0 to 3600 seconds.
    pub keep: Time,
    /// Where detections have embeddings: share of appearance in each decision, 0 (none) to 1 (`byte-oc`).
    #[schemars(range(min = 0.0, max = 1.0))]
    pub appearance: f64,
    /// Links detections of different labels, for detectors that waver between two.
    pub across_labels: bool,
    /// Gives what is followed the tracker's box instead of the detector's: it fits better and does not tremble, and is a moment
    /// late where an object turns.
    pub smooth: bool,
    /// Adds the box where each object is expected to frames at which `detect` did not look (`every`).
    pub between: bool,
    /// Adds it for so long, too, while `detect` looks and does not find the object, 0 to 60 seconds.
    pub hold: Time,
}

impl Default for Track {
    fn default() -> Self {
        let s = Settings::default();
        // As written: 0.55, not the nearest binary fraction of 32 bits.
        let written = |v: f32| (f64::from(v) * 1e4).round() / 1e4;
        Track {
            tracker: Kind::default(),
            detector: None,
            labels: Labels::default(),
            high: written(s.high),
            low: written(s.low),
            overlap: written(s.overlap),
            hits: s.hits,
            keep: Time(ClockTime::from_mseconds((s.keep * 1000.0) as u64)),
            appearance: written(s.appearance),
            across_labels: s.across_classes,
            smooth: s.smooth,
            between: true,
            hold: Time(ClockTime::ZERO),
        }
    }
}

impl Track {
    /// What the tracker is told.
    pub fn settings(&self) -> Settings {
        Settings {
            high: self.high as f32,
            low: self.low as f32,
            overlap: self.overlap as f32,
            hits: self.hits,
            keep: seconds(self.keep.0),
            appearance: self.appearance as f32,
            across_classes: self.across_labels,
            smooth: self.smooth,
        }
    }
}

impl OpConfig for Track {
    const NAME: &'static str = "track";
    const GROUP: Group = Group::Seeing;
    const EXAMPLE: &'static str = "track:keep=3,hold=0.5";
    const BEHIND: &'static str =
        "own trackers after ByteTrack, OC-SORT and SORT; the Kuhn-Munkres algorithm of `pathfinding`";

    fn check(&self) -> Result<(), Invalid> {
        Invalid::unless_in("high", self.high, 0.0..=1.0)?;
        Invalid::unless_in("low", self.low, 0.0..=1.0)?;
        Invalid::unless_in("overlap", self.overlap, 0.01..=1.0)?;
        Invalid::unless_in("hits", self.hits, 1..=100)?;
        Invalid::unless_in("keep", seconds(self.keep.0), 0.0..=3600.0)?;
        Invalid::unless_in("appearance", self.appearance, 0.0..=1.0)?;
        Invalid::unless_in("hold", seconds(self.hold.0), 0.0..=60.0)
    }

    fn reach(&self) -> Reach {
        Reach::Never("objects are followed over the whole picture; give the region to detect")
    }

    fn sight(&self) -> Sight {
        Sight::Uses(self.detector.clone())
    }

    fn makes_events(&self) -> bool {
        true
    }

    fn build(&self) -> Box<dyn Op> {
        Box::new(Follower::new(self.clone()))
    }
}

/// The op's name and that of its counter, as events and counters have them.
static TRACK: LazyLock<Arc<str>> = LazyLock::new(|| "track".into());
static TRACKS: LazyLock<Arc<str>> = LazyLock::new(|| "tracks".into());

fn seconds(t: ClockTime) -> f64 {
    t.nseconds() as f64 / 1e9
}

/// The op's work, on whatever has detections.
pub struct Follower {
    config: Track,
    tracker: Box<dyn Tracker>,
    /// The highest number seen so far.
    given: u32,
    /// Tracks by label.
    found: BTreeMap<String, u64>,
    /// Seconds, and which track.
    longest: Option<(f64, u32)>,
    /// The tracks that go on.
    alive: BTreeMap<u32, Alive>,
}

/// What a track's end will say.
struct Alive {
    /// When it was seen first, in seconds.
    since: f64,
    /// Position in nanoseconds and number of the picture in which it was seen last.
    last: (u64, u64),
    /// What it looked like there.
    seen: Detection,
}

impl Follower {
    /// Follows nothing yet.
    pub fn new(config: Track) -> Self {
        let tracker = config.tracker.open(config.settings());
        Follower { config, tracker, given: 0, found: BTreeMap::new(), longest: None, alive: BTreeMap::new() }
    }

    /// Takes in one picture of `time` (in seconds): gives `detections` their numbers, where a detector looked, and adds predicted
    /// boxes that reach into `picture`.
    pub fn follow(&mut self, time: f64, looked: bool, picture: &Rect, detections: &mut Vec<Detection>) {
        if looked {
            let mut followed: Vec<&mut Detection> = detections.iter_mut().filter(|d| self.follows(d)).collect();
            self.tracker.look(time, &mut followed);
        } else {
            self.tracker.pass(time);
        }
        let (hold, between) = (seconds(self.config.hold.0), self.config.between && !looked);
        let (given, found, longest) = (&mut self.given, &mut self.found, &mut self.longest);
        self.tracker.confirmed(&mut |t| {
            if t.id > *given {
                *given = t.id;
                *found.entry(t.last.label.to_string()).or_default() += 1;
            }
            let length = time - t.unseen - t.since;
            if longest.is_none_or(|(l, _)| length > l) {
                *longest = Some((length, t.id));
            }
            // A microsecond of rounding must not make the difference.
            let expected = t.unseen > 0.0 && (between && !t.missed || t.unseen <= hold + 1e-6);
            if expected && t.rect.intersection(picture).area() > 0.0 {
                let Detection { score, class, .. } = *t.last;
                let (label, detector) = (t.last.label.clone(), t.last.detector.clone());
                let (rect, track, predicted) = (t.rect, Some(t.id), true);
                let guess = Detection { rect, score, class, label, detector, track, predicted, ..Detection::default() };
                detections.push(guess);
            }
        });
    }

    /// Says which tracks are new and which are given up, and how many there are now.
    fn tell(&mut self, frame: &mut Frame) {
        let (position, index) = (frame.position.nseconds(), frame.index);
        let (meta, alive) = (&mut frame.meta, &mut self.alive);
        let (mut there, mut now) = (Vec::new(), 0);
        self.tracker.confirmed(&mut |t| {
            there.push(t.id);
            now += i64::from(!t.missed);
            let seen = || Detection { track: Some(t.id), rect: t.rect, embedding: None, ..t.last.clone() };
            match alive.get_mut(&t.id) {
                Some(one) if t.unseen <= 0.0 => (one.last, one.seen) = ((position, index), seen()),
                Some(_) => {}
                None => {
                    let one = Alive { since: t.since, last: (position, index), seen: seen() };
                    meta.events.push(Event::new(event::Kind::TrackStarted, &TRACK, index, position).about(&one.seen));
                    alive.insert(t.id, one);
                }
            }
        });
        alive.retain(|id, one| {
            let on = there.binary_search(id).is_ok();
            if !on {
                meta.events.push(one.end());
            }
            on
        });
        meta.counters.push((TRACKS.clone(), now));
    }

    fn follows(&self, d: &Detection) -> bool {
        !d.predicted
            && self.config.detector.as_ref().is_none_or(|n| **n == *d.detector)
            && self.config.labels.hold(&d.label)
    }
}

impl Alive {
    fn end(&self) -> Event {
        let (position, frame) = self.last;
        let seconds = (position as f64 / 1e9 - self.since).max(0.0);
        Event::new(event::Kind::TrackEnded, &TRACK, frame, position).about(&self.seen).number("seconds", seconds)
    }
}

impl Op for Follower {
    fn mode(&self) -> Mode {
        Mode::Read
    }

    fn prepare(&mut self, input: &Arc<Spec>, _: &Stream) -> Result<Arc<Spec>, OpError> {
        Ok(input.clone())
    }

    fn read(&mut self, frame: &mut Frame) -> Result<(), OpError> {
        let picture = Rect::new(0.0, 0.0, frame.width() as f32, frame.height() as f32);
        let counts = |l: &Arc<str>| self.config.detector.as_ref().is_none_or(|n| **n == **l);
        let looked = frame.meta.looked.iter().any(counts) || frame.meta.detections.iter().any(|d| self.follows(d));
        self.follow(seconds(frame.position), looked, &picture, &mut frame.meta.detections);
        self.tell(frame);
        Ok(())
    }

    fn last_events(&mut self) -> Vec<Event> {
        std::mem::take(&mut self.alive).values().map(Alive::end).collect()
    }

    fn report(&self) -> Option<serde_json::Value> {
        let labels: Vec<String> = self.found.iter().map(|(label, n)| format!("{n} {label}")).collect();
        let longest = self.longest.map(|(length, id)| serde_json::json!({ "seconds": length, "track": id }));
        let mut note = format!("{} track{}", self.given, if self.given == 1 { "" } else { "s" });
        if let (Some((length, id)), false) = (self.longest, labels.is_empty()) {
            note += &format!(" ({}); the longest, #{id}, {length:.1} s", labels.join(", "));
        }
        Some(serde_json::json!({ "tracks": self.given, "labels": self.found, "longest": longest, "note": note }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::Pool;
    use gstreamer_video::{VideoFormat, VideoInfo};

    fn op(edit: impl FnOnce(&mut Track)) -> Box<dyn Op> {
        let mut config = Track::default();
        edit(&mut config);
        config.check().expect("good settings");
        config.build()
    }

    /// The k-th frame at 10 a second, with a person at `x` and a car; on `None` nobody looked.
    fn frame(k: u64, x: Option<f32>) -> Frame {
        let _ = gstreamer::init();
        let info = VideoInfo::builder(VideoFormat::Gray8, 320, 240).build().expect("an info");
        let spec = Arc::new(Spec::new(info).expect("a spec"));
        let buffer = Pool::new(&spec.info).and_then(|p| p.acquire()).expect("a buffer");
        let mut frame = Frame::new(buffer, spec, ClockTime::from_mseconds(100 * k), None);
        if let Some(x) = x {
            let found = |label: &str, class, rect| Detection {
                rect,
                score: 0.9,
                class,
                label: label.into(),
                detector: "yolo".into(),
                ..Detection::default()
            };
            frame.meta.looked.push("yolo".into());
            frame.meta.detections.push(found("person", 0, Rect::new(x, 50.0, 30.0, 80.0)));
            frame.meta.detections.push(found("car", 2, Rect::new(x, 50.0, 31.0, 81.0)));
        }
        frame
    }

    #[test]
    fn labels_are_followed_apart_and_counted() {
        let mut op = op(|_| ());
        for k in 0..5 {
            let mut f = frame(k, Some(10.0 + 4.0 * k as f32));
            op.read(&mut f).expect("read");
            let ids: Vec<_> = f.meta.detections.iter().map(|d| d.track).collect();
            let wanted = if k < 2 { [None, None] } else { [Some(1), Some(2)] };
            assert_eq!(ids, wanted, "frame {k}");
        }
        let report = op.report().expect("a report");
        assert_eq!(report["tracks"], 2);
        assert_eq!(report["labels"], serde_json::json!({ "car": 1, "person": 1 }));
        assert!((report["longest"]["seconds"].as_f64().expect("a length") - 0.4).abs() < 1e-6);
    }

    #[test]
    fn between_looks_there_are_predicted_boxes() {
        for between in [true, false] {
            let mut op = op(|c| {
                c.between = between;
                c.labels = Labels(vec!["person".into()]);
            });
            for k in 0..21 {
                let x = 10.0 + 4.0 * k as f32;
                let mut f = frame(k, (k % 5 == 0).then_some(x));
                op.read(&mut f).expect("read");
                if k <= 10 || k % 5 == 0 {
                    continue;
                }
                assert_eq!(f.meta.detections.len(), usize::from(between), "frame {k}");
                if let Some(d) = f.meta.detections.first() {
                    assert!(d.predicted && d.track == Some(1) && &*d.label == "person");
                    assert!((d.rect.x - x).abs() < 3.0, "frame {k}: {} instead of {x}", d.rect.x);
                }
            }
        }
    }

    #[test]
    fn what_is_missed_is_held_for_as_long_as_said() {
        let mut op = op(|c| c.hold = Time(ClockTime::from_mseconds(300)));
        for k in 0..12 {
            let mut f = frame(k, Some(50.0));
            if k >= 6 {
                f.meta.detections.clear();
            }
            op.read(&mut f).expect("read");
            let held = f.meta.detections.iter().filter(|d| d.predicted).count();
            assert_eq!(held, if (6..9).contains(&k) { 2 } else { 0 }, "frame {k}");
        }
    }

    #[test]
    fn settings_out_of_range_are_refused() {
        assert_eq!(Track { high: 1.5, ..Track::default() }.check().unwrap_err().key, "high");
        assert_eq!(Track { hits: 0, ..Track::default() }.check().unwrap_err().key, "hits");
        assert_eq!(Track { overlap: f64::NAN, ..Track::default() }.check().unwrap_err().key, "overlap");
    }
}

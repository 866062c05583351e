//! Finds motion.

mod shrink;
mod watcher;

use std::sync::Arc;

use gstreamer::ClockTime;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

use self::watcher::Watcher;
use super::{Group, Invalid, Mode, Op, OpConfig, OpError, Reach, Regions, Sight, Stream};
use crate::config::Time;
use crate::frame::{Frame, Spec};
use crate::vision::event::{Event, Kind};
use crate::vision::motion::{Change, Episode, Episodes, Look, Rules};
use crate::vision::{Detection, Rect};

/// Finds motion: events with start, end and peak, a score for each picture, and what moves as detections for `draw` or `track`.
///
/// It looks at brightness only, at reduced size, and learns what stands still. With `region` it looks there only.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Motion {
    /// How what stands still is learned: `mog2` (a mixture of Gaussians for each pixel), `knn`, or `difference` (from the
    /// picture before: the fastest, and blind for what moves slowly).
    pub method: Method,
    /// What later ops call its finds, and its events, by.
    pub name: String,
    /// Score from which on something moves: the share of moving pixels, 100 is all of them, 0 to 100.
    #[schemars(range(min = 0.0, max = 100.0))]
    pub threshold: f64,
    /// How far a pixel must be from what was learned: for `mog2` the squared distance in standard deviations, for `knn` the
    /// squared distance in brightness, for `difference` the difference in brightness; 1 to 10000. Default: 16, 400, 12.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1.0, max = 10_000.0))]
    pub variance: Option<f64>,
    /// Width in pixels that is left when the picture is made smaller, by whole factors, 64 to 4096. Smaller is faster, and
    /// blind for small things.
    #[schemars(range(min = 64, max = 4096))]
    pub width: u32,
    /// Pictures over which what stands still is learned, 2 to 100000.
    #[schemars(range(min = 2, max = 100_000))]
    pub history: u32,
    /// Smallest thing that counts, as a share of the picture in percent, 0 to 100; noise is taken out in any case.
    #[schemars(range(min = 0.0, max = 100.0))]
    pub min_area: f64,
    /// Shortest event, 0 to 60 seconds.
    pub min_length: Time,
    /// An event is over when nothing moved for so long, 0 to 600 seconds.
    pub quiet: Time,
    /// Parts of the picture that do not count: as `region`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ignore: Option<Regions>,
    /// Leaves out what only became darker, to between half and nine tenths, as shadows do (`mog2`, `knn`).
    pub ignore_shadows: bool,
    /// Leaves out pictures in which nearly everything changes at once (a lamp, a cloud), and learns anew.
    pub ignore_lighting: bool,
    /// Whether each thing that moves becomes a detection (label `motion`).
    pub boxes: bool,
}

/// How what stands still is learned.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[allow(missing_docs)]
pub enum Method {
    #[default]
    Mog2,
    Knn,
    Difference,
}

impl Default for Motion {
    fn default() -> Self {
        Motion {
            method: Method::Mog2,
            name: "motion".into(),
            // DVR-Scan's default is a mean of 0.15 of 255.
            threshold: 0.06,
            variance: None,
            width: 640,
            history: 500,
            min_area: 0.0,
            min_length: Time(ClockTime::from_mseconds(100)),
            quiet: Time(ClockTime::from_seconds(2)),
            ignore: None,
            ignore_shadows: false,
            ignore_lighting: true,
            boxes: true,
        }
    }
}

impl OpConfig for Motion {
    const NAME: &'static str = "motion";
    const GROUP: Group = Group::Seeing;
    const EXAMPLE: &'static str = "motion:min-area=0.1";
    const BEHIND: &'static str =
        "own code (the mixture of cv::BackgroundSubtractorMOG2), cv::BackgroundSubtractorKNN, cv::morphologyEx";

    fn check(&self) -> Result<(), Invalid> {
        Invalid::unless_in("threshold", self.threshold, 0.0..=100.0)?;
        self.variance.map_or(Ok(()), |v| Invalid::unless_in("variance", v, 1.0..=10_000.0))?;
        Invalid::unless_in("width", self.width, 64..=4096)?;
        Invalid::unless_in("history", self.history, 2..=100_000)?;
        Invalid::unless_in("min-area", self.min_area, 0.0..=100.0)?;
        let seconds = |t: Time| t.0.nseconds() as f64 / 1e9;
        Invalid::unless_in("min-length", seconds(self.min_length), 0.0..=60.0)?;
        Invalid::unless_in("quiet", seconds(self.quiet), 0.0..=600.0)?;
        match self.name.is_empty() {
            true => Err(Invalid::new("name", "name is empty: leave it out, or give one")),
            false => Ok(()),
        }
    }

    fn reach(&self) -> Reach {
        Reach::Looks
    }

    fn sight(&self) -> Sight {
        Sight::Finds { name: self.name.clone(), on: None }
    }

    fn makes_events(&self) -> bool {
        true
    }

    fn build(&self) -> Box<dyn Op> {
        let rules = Rules {
            // A score without any motion is no motion, whatever the threshold.
            threshold: self.threshold.max(f64::MIN_POSITIVE),
            least: self.min_length.0.nseconds(),
            quiet: self.quiet.0.nseconds(),
        };
        Box::new(Mover {
            config: self.clone(),
            name: self.name.as_str().into(),
            label: "motion".into(),
            region: None,
            watcher: None,
            episodes: Episodes::new(rules),
            done: Vec::new(),
            step: 0,
        })
    }
}

struct Mover {
    config: Motion,
    name: Arc<str>,
    label: Arc<str>,
    region: Option<Regions>,
    watcher: Option<Watcher>,
    episodes: Episodes,
    done: Vec<Episode>,
    /// Length of a picture where frames have none of their own, in nanoseconds.
    step: u64,
}

impl Op for Mover {
    fn mode(&self) -> Mode {
        Mode::Read
    }

    fn within(&mut self, regions: &Regions) {
        self.region = Some(regions.clone());
    }

    fn prepare(&mut self, input: &Arc<Spec>, _: &Stream) -> Result<Arc<Spec>, OpError> {
        let fps = input.info.fps();
        let rate = if fps.numer() > 0 { f64::from(fps.numer()) / f64::from(fps.denom()) } else { 25.0 };
        self.step = (1e9 / rate) as u64;
        self.watcher = Some(Watcher::new(&self.config, self.region.as_ref(), input)?);
        Ok(input.clone())
    }

    fn read(&mut self, frame: &mut Frame) -> Result<(), OpError> {
        let Some(watcher) = &mut self.watcher else { return Ok(()) };
        let seen = watcher.look(frame)?;
        frame.meta.measured("motion", seen.score);
        frame.meta.looked.push(self.name.clone());
        let (index, position) = (frame.index, frame.position.nseconds());
        let duration = frame.duration.map_or(self.step, |d| d.nseconds());
        let rect = seen.boxes.iter().copied().reduce(|a, b| a.union(&b));
        let look = Look { frame: index, at: position, duration, score: seen.score, rect };
        if let Some(change) = self.episodes.add(&look) {
            frame.meta.events.push(self.event(change, index));
        }
        if self.config.boxes {
            let (label, detector) = (&self.label, &self.name);
            frame.meta.detections.extend(seen.boxes.into_iter().map(|rect| Detection {
                rect,
                score: 1.0,
                label: label.clone(),
                detector: detector.clone(),
                ..Detection::default()
            }));
        }
        Ok(())
    }

    fn last_events(&mut self) -> Vec<Event> {
        let last = self.episodes.finish();
        last.map(|change| {
            let frame = match change {
                Change::Began(e) | Change::Ended(e) => e.end.0,
            };
            self.event(change, frame)
        })
        .into_iter()
        .collect()
    }

    fn report(&self) -> Option<serde_json::Value> {
        let seconds = |t: u64| t as f64 / 1e9;
        let spans: Vec<_> = self
            .done
            .iter()
            .map(|e| {
                json!({ "start": seconds(e.start.1), "end": seconds(e.end.1), "peak": e.peak.0,
                        "peak_at": seconds(e.peak.1), "frames": [e.start.0, e.end.0] })
            })
            .collect();
        let n = spans.len();
        Some(json!({ "spans": spans, "note": format!("{n} event{}", if n == 1 { "" } else { "s" }) }))
    }
}

impl Mover {
    fn event(&mut self, change: Change, frame: u64) -> Event {
        let with = |e: Event, rect: Option<Rect>| Event { rect, ..e };
        match change {
            Change::Began(e) => with(Event::new(Kind::MotionStarted, &self.name, e.start.0, e.start.1), e.rect),
            Change::Ended(e) => {
                self.done.push(e);
                let event = Event::new(Kind::MotionEnded, &self.name, frame, e.end.1);
                let seconds = (e.end.1 - e.start.1) as f64 / 1e9;
                with(event, e.rect)
                    .number("seconds", seconds)
                    .number("start", e.start.1 as f64 / 1e9)
                    .number("peak", e.peak.0)
                    .number("peak_at", e.peak.1 as f64 / 1e9)
            }
        }
    }
}

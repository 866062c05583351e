//! Finds where scenes begin.

mod list;
mod measure;

use std::path::PathBuf;
use std::sync::Arc;

use gstreamer::ClockTime;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

use self::list::{List, Scene};
use self::measure::Measure;
use super::{Group, Invalid, Mode, Op, OpConfig, OpError, Reach, Stream};
use crate::config::Time;
use crate::frame::{Frame, Spec};
use crate::vision::event::{Event, Kind};
use crate::vision::scenes::{Adaptive, Content, Cut, Fades, Histogram, Look, Rule};

/// Finds where scenes begin: cuts, and fades through black; writes them as a list and as pictures.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Scenes {
    /// What decides: `adaptive` (a change in hue, saturation and brightness that is several times as large as those around
    /// it), `content` (one that reaches the threshold), `threshold` (fades to black), `histogram` (brightness only).
    pub detector: Detector,
    /// `content`: change from 0 to 255 [27]; `adaptive`: how many times the mean [3]; `threshold`: brightness from 0 to 255
    /// below which it is black [12]; `histogram`: difference from 0 to 1 [0.05].
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0.0, max = 255.0))]
    pub threshold: Option<f64>,
    /// Shortest scene, 0 to 3600 seconds.
    pub min_length: Time,
    /// For `adaptive`: the change that there must be in any case, 0 to 255.
    #[schemars(range(min = 0.0, max = 255.0))]
    pub min_change: f64,
    /// For `threshold`: where in a fade the scene begins, from -1 (where it becomes black) by 0 (the middle) to 1.
    #[schemars(range(min = -1.0, max = 1.0))]
    pub bias: f64,
    /// Writes the list of scenes to this file; the extension says how: csv, json, edl (CMX 3600) or vtt (WebVTT chapters).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub list: Option<PathBuf>,
    /// Writes a picture of each scene's beginning, as in `scenes/%03d.jpg` (jpg or png).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub thumbnails: Option<String>,
}

/// What decides.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[allow(missing_docs)]
pub enum Detector {
    #[default]
    Adaptive,
    Content,
    Threshold,
    Histogram,
}

impl Default for Scenes {
    fn default() -> Self {
        Scenes {
            detector: Detector::Adaptive,
            threshold: None,
            min_length: Time(ClockTime::from_mseconds(600)),
            min_change: 15.0,
            bias: 0.0,
            list: None,
            thumbnails: None,
        }
    }
}

impl Scenes {
    fn threshold(&self) -> f64 {
        self.threshold.unwrap_or(match self.detector {
            Detector::Adaptive => 3.0,
            Detector::Content => 27.0,
            Detector::Threshold => 12.0,
            Detector::Histogram => 0.05,
        })
    }

    fn rule(&self) -> Box<dyn Rule> {
        let (t, least) = (self.threshold(), self.min_length.0.nseconds());
        match self.detector {
            Detector::Adaptive => Box::new(Adaptive::new(t, self.min_change, 2, least)),
            Detector::Content => Box::new(Content::new(t, least)),
            Detector::Threshold => Box::new(Fades::new(t, self.bias, least)),
            Detector::Histogram => Box::new(Histogram::new(t, least)),
        }
    }
}

impl OpConfig for Scenes {
    const NAME: &'static str = "scenes";
    const GROUP: Group = Group::Seeing;
    const EXAMPLE: &'static str = "scenes:detector=content";
    const BEHIND: &'static str = "cv::cvtColor (HSV), cv::absdiff, cv::compareHist; the rules of PySceneDetect";

    fn check(&self) -> Result<(), Invalid> {
        let most = if self.detector == Detector::Histogram { 1.0 } else { 255.0 };
        Invalid::unless_in("threshold", self.threshold(), 0.0..=most)?;
        Invalid::unless_in("min-length", self.min_length.0.nseconds() as f64 / 1e9, 0.0..=3600.0)?;
        Invalid::unless_in("min-change", self.min_change, 0.0..=255.0)?;
        Invalid::unless_in("bias", self.bias, -1.0..=1.0)?;
        if let Some(list) = &self.list {
            list::check(list).map_err(|e| Invalid::new("list", e))?;
        }
        match &self.thumbnails {
            Some(pattern) => list::check_pattern(pattern).map_err(|e| Invalid::new("thumbnails", e)),
            None => Ok(()),
        }
    }

    fn reach(&self) -> Reach {
        Reach::Near(0)
    }

    fn makes_events(&self) -> bool {
        true
    }

    fn writes(&self) -> &'static [&'static str] {
        &["list", "thumbnails"]
    }

    fn build(&self) -> Box<dyn Op> {
        Box::new(Cutter {
            name: "scenes".into(),
            rule: self.rule(),
            measure: Measure::new(self.detector),
            list: List::new(self.list.clone(), self.thumbnails.clone()),
            scenes: Vec::new(),
            end: 0,
            step: 0,
            config: self.clone(),
        })
    }
}

struct Cutter {
    config: Scenes,
    name: Arc<str>,
    rule: Box<dyn Rule>,
    measure: Measure,
    list: List,
    scenes: Vec<Scene>,
    /// Where the newest picture ends.
    end: u64,
    step: u64,
}

impl Op for Cutter {
    fn mode(&self) -> Mode {
        Mode::Read
    }

    fn prepare(&mut self, input: &Arc<Spec>, stream: &Stream) -> Result<Arc<Spec>, OpError> {
        let fps = input.info.fps();
        let rate = if fps.numer() > 0 { f64::from(fps.numer()) / f64::from(fps.denom()) } else { 25.0 };
        self.step = (1e9 / rate) as u64;
        self.measure.prepare(input)?;
        self.list.prepare(input, &stream.name, rate).map_err(OpError::Refused)?;
        Ok(input.clone())
    }

    fn read(&mut self, frame: &mut Frame) -> Result<(), OpError> {
        let value = self.measure.of(frame)?;
        let cut = Cut { frame: frame.index, at: frame.position.nseconds() };
        self.end = cut.at + frame.duration.map_or(self.step, |d| d.nseconds());
        if self.scenes.is_empty() {
            self.scenes.push(Scene { first: cut, change: 0.0 });
            self.list.keep(frame)?;
            self.list.picture(1, cut.frame)?;
            let event = Event::new(Kind::Cut, &self.name, cut.frame, cut.at);
            frame.meta.events.push(event.number("scene", 1.0).number("change", 0.0));
        }
        self.list.keep(frame)?;
        frame.meta.measured("scene-change", value);
        if let Some(Look { cut: found, value }) = self.rule.add(&Look { cut, value }) {
            self.scenes.push(Scene { first: found, change: value });
            self.list.picture(self.scenes.len(), found.frame)?;
            let event = Event::new(Kind::Cut, &self.name, found.frame, found.at);
            frame.meta.events.push(event.number("scene", self.scenes.len() as f64).number("change", value));
        }
        Ok(())
    }

    fn last_events(&mut self) -> Vec<Event> {
        if let Err(e) = self.list.write(&self.scenes, self.end) {
            log::error!("{e}");
        }
        Vec::new()
    }

    fn report(&self) -> Option<serde_json::Value> {
        let seconds = |t: u64| t as f64 / 1e9;
        let ends = self.scenes.iter().skip(1).map(|s| s.first.at).chain([self.end]);
        let spans: Vec<_> = self
            .scenes
            .iter()
            .zip(ends)
            .map(|(s, end)| json!({ "start": seconds(s.first.at), "end": seconds(end), "frame": s.first.frame }))
            .collect();
        let n = spans.len();
        let note = format!("{n} scene{} ({:?})", if n == 1 { "" } else { "s" }, self.config.detector).to_lowercase();
        Some(json!({ "spans": spans, "note": note }))
    }
}

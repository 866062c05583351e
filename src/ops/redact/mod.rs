//! Hides what detectors found, on the pictures before, between and after as well.

mod cut;
mod paint;
mod report;

use std::collections::VecDeque;
use std::sync::Arc;

use gstreamer::ClockTime;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use self::cut::Scenes;
use self::paint::Painter;
use self::report::{Log, Shots};
use super::detect::Labels;
use super::{Group, Invalid, Mode, Op, OpConfig, OpError, Reach, Sight, Stream};
use crate::config::Time;
use crate::frame::{Color, Frame, Pool, Spec};
use crate::vision::cover::{self, Cover, Covers, Found};

/// Hides what `detect` ops found (faces, plates), and keeps it hidden where they miss it: put it behind them.
///
/// Boxes are linked over time. A cover stays on pictures that the detector missed or did not look at, for `hold` after the
/// last box, and for `lead` before the first one: for that, pictures are held back (not with live sources, where a cover
/// begins when something is found). What is hidden is destroyed, as by `mask`. What no detector ever finds is not
/// hidden: `report` lists what to look at. Tags, cover pictures and places of the source do not reach the output.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Redact {
    /// Only what the `detect` op of this name found. Default: what any found.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detector: Option<String>,
    /// Only these labels (`["face", "plate"]`; on the command line `face|plate`). Default: all.
    #[serde(skip_serializing_if = "Labels::is_empty")]
    pub labels: Labels,
    /// `pixelate` (blocks), `blur` (the same blocks, blended into each other), `fill` (one colour: nothing is left) or
    /// `image` (a picture file on that colour). What `pixelate` and `blur` leave are the means of a few cells; software can
    /// tell known faces apart even from such: where it matters use `fill`.
    pub method: Method,
    /// For `pixelate` and `blur`: how many cells there are along the longer side of a cover, 1 to 11; fewer hide more. A cell
    /// is at least 8 pixels wide and high, whatever this says.
    #[schemars(range(min = 1, max = 11))]
    pub cells: u32,
    /// For `fill`, and behind an `image` that is not opaque: a name or #rrggbb.
    pub color: Color,
    /// For `image`: the file, PNG, JPEG, WebP, TIFF or BMP; stretched to each cover.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
    /// `box`, or the `ellipse` in it, which shows the corners.
    pub shape: Shape,
    /// How much wider and higher than what was found on every side, as a share of its size, 0 to 2.
    #[schemars(range(min = 0.0, max = 2.0))]
    pub margin: f64,
    /// How long a cover stays where nothing is found any more, 0 to 10 seconds. Something that is found again within that
    /// is the same thing.
    pub hold: Time,
    /// How long before the first box it is covered already, 0 to 2 seconds. So many pictures are held back, 120 at most.
    /// Nothing with live sources.
    pub lead: Time,
    /// How much a cover grows on every side per second without a box, as a share of its size, 0 to 5.
    #[schemars(range(min = 0.0, max = 5.0))]
    pub growth: f64,
    /// How far a thing may get in a second, in its own sizes, 0 to 50: so far away it is still the same one, and so fast a
    /// cover follows it where it is missed.
    #[schemars(range(min = 0.0, max = 50.0))]
    pub max_speed: f64,
    /// What is found with at least this score starts a cover, 0 to 1. Default: whatever the detector gives.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub min_score: f64,
    /// What is found with at least this score continues a cover, 0 to 1; at most `min-score`. Give the detector a threshold as
    /// low.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub link_score: f64,
    /// Writes an HTML page to this path: every frame whose cover was not seen but follows from others, with thumbnails of
    /// the covered picture, to be looked at. An existing file is replaced.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub report: Option<String>,
    /// How many thumbnails the report has at most, 0 to 2000.
    #[schemars(range(max = 2000))]
    pub thumbnails: u32,
    /// True shows what is hidden on the thumbnails of the report: keep it as safe as the source.
    pub report_original: bool,
}

/// What is seen in place of what is hidden.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[allow(missing_docs)]
pub enum Method {
    #[default]
    Pixelate,
    Blur,
    Fill,
    Image,
}

/// The shape of a cover.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[allow(missing_docs)]
pub enum Shape {
    #[default]
    Box,
    Ellipse,
}

impl Default for Redact {
    fn default() -> Self {
        Redact {
            detector: None,
            labels: Labels::default(),
            method: Method::Pixelate,
            cells: 4,
            color: Color::BLACK,
            image: None,
            shape: Shape::Box,
            margin: 0.25,
            hold: Time(ClockTime::SECOND),
            lead: Time(ClockTime::from_mseconds(500)),
            growth: 0.5,
            max_speed: 3.0,
            min_score: 0.0,
            link_score: 0.0,
            report: None,
            thumbnails: 200,
            report_original: false,
        }
    }
}

impl OpConfig for Redact {
    const NAME: &'static str = "redact";
    const GROUP: Group = Group::Seeing;
    const EXAMPLE: &'static str = "redact:method=blur,margin=0.3";
    const BEHIND: &'static str = "our own linking of boxes over time; cv::resize with INTER_AREA and back, Mat::setTo";

    fn check(&self) -> Result<(), Invalid> {
        Invalid::unless_in("cells", self.cells, 1..=11)?;
        Invalid::unless_in("margin", self.margin, 0.0..=2.0)?;
        Invalid::unless_in("hold", seconds(self.hold.0), 0.0..=10.0)?;
        Invalid::unless_in("lead", seconds(self.lead.0), 0.0..=2.0)?;
        Invalid::unless_in("growth", self.growth, 0.0..=5.0)?;
        Invalid::unless_in("max-speed", self.max_speed, 0.0..=50.0)?;
        Invalid::unless_in("min-score", self.min_score, 0.0..=1.0)?;
        Invalid::unless_in("link-score", self.link_score, 0.0..=1.0)?;
        Invalid::unless_in("thumbnails", self.thumbnails, 0..=2000)?;
        if self.link_score > self.min_score {
            let what = format!("link-score = {} is above min-score = {}", self.link_score, self.min_score);
            return Err(Invalid::new("link-score", what));
        }
        match (self.method, self.image.as_deref().is_some_and(|i| !i.is_empty())) {
            (Method::Image, false) => {
                Err(Invalid::new("image", "image is missing: method = \"image\" needs a picture file"))
            }
            (Method::Image, true) | (_, false) => Ok(()),
            (_, true) => Err(Invalid::new("image", "image needs method = \"image\"")),
        }
    }

    fn reach(&self) -> Reach {
        Reach::Never("it hides what detectors found, wherever that is; give the region to the op detect")
    }

    fn sight(&self) -> Sight {
        Sight::Uses(self.detector.clone())
    }

    fn stateful(&self) -> bool {
        true
    }

    fn redacts(&self) -> bool {
        true
    }

    fn no_when(&self) -> Option<&'static str> {
        Some("what is hidden for a while only is not hidden; leave it out")
    }

    fn writes(&self) -> &'static [&'static str] {
        &["report"]
    }

    fn build(&self) -> Box<dyn Op> {
        let settings = cover::Settings {
            hold: seconds(self.hold.0),
            lead: seconds(self.lead.0),
            max_speed: self.max_speed,
            growth: self.growth,
            start: self.min_score as f32,
            link: self.link_score as f32,
        };
        Box::new(Redacting {
            config: self.clone(),
            covers: Covers::new(settings),
            scenes: Scenes::default(),
            live: false,
            held: VecDeque::new(),
            looked: None,
            painter: None,
            pool: None,
            copies: 0,
            found: Vec::new(),
            shown: Vec::new(),
            log: Log::default(),
            thumbnails: None,
        })
    }
}

/// Pictures that are held back at most, whatever their rate.
const MOST: usize = 120;
/// For how long a picture is held back at most.
const LONGEST: ClockTime = ClockTime::from_seconds(2);

struct Redacting {
    config: Redact,
    covers: Covers,
    scenes: Scenes,
    live: bool,
    /// Pictures whose covers may still come, and whether a detector looked at them.
    held: VecDeque<(Frame, bool)>,
    /// The newest picture that a detector looked at.
    looked: Option<ClockTime>,
    painter: Option<Painter>,
    pool: Option<Pool>,
    copies: u64,
    found: Vec<Found>,
    shown: Vec<Cover>,
    log: Log,
    thumbnails: Option<Shots>,
}

impl Redacting {
    /// Takes note of what was found on the newest picture.
    fn see(&mut self, frame: &Frame) -> Result<bool, OpError> {
        let config = &self.config;
        let wanted = |name: &str| config.detector.as_deref().is_none_or(|d| d == name);
        self.found.clear();
        for d in frame.meta.detections.iter().filter(|d| wanted(&d.detector)) {
            if config.labels.hold(&d.label) {
                self.found.push(Found { rect: d.rect, score: d.score, predicted: d.predicted });
            }
        }
        let looked = !self.found.is_empty() || frame.meta.looked.iter().any(|name| wanted(name));
        let cut = self.scenes.is_cut(frame)?;
        self.covers.see(seconds(frame.pts), looked, cut, &self.found);
        if looked {
            self.looked = Some(frame.pts);
        }
        Ok(looked)
    }

    /// True when no picture to come can put a cover on the first one that is held.
    fn is_settled(&self) -> bool {
        let (Some((first, _)), Some((newest, _))) = (self.held.front(), self.held.back()) else { return false };
        let looked = self.looked.is_some_and(|l| l > first.pts + self.config.lead.0);
        self.live || looked || self.held.len() > MOST || newest.pts.saturating_sub(first.pts) > LONGEST
    }

    /// Hands on the first picture that is held, with its covers.
    fn release(&mut self, out: &mut Vec<Frame>) -> Result<(), OpError> {
        let Some((mut frame, looked)) = self.held.pop_front() else { return Ok(()) };
        let time = seconds(frame.pts);
        self.covers.at(time, looked, &mut self.shown);
        self.covers.forget(time);
        let size = (frame.width() as f32, frame.height() as f32);
        for cover in &mut self.shown {
            cover.rect = cover.rect.grown(self.config.margin as f32);
        }
        self.shown.retain(|c| c.rect.within(size.0, size.1).area() > 0.0);
        let wanted = self.log.add(&frame, &self.shown);
        if wanted && self.config.report_original {
            self.thumbnail(&frame)?;
        }
        if let (Some(painter), false) = (&mut self.painter, self.shown.is_empty()) {
            if let (Some(pool), false) = (&self.pool, frame.is_writable()) {
                let mut copy = frame.successor(pool.acquire()?, frame.spec().clone());
                copy.planes_mut()?.copy_from(&frame.planes()?)?;
                copy.meta = std::mem::take(&mut frame.meta);
                self.copies += 1;
                frame = copy;
            }
            painter.hide(&mut frame, &self.shown)?;
        }
        if wanted && !self.config.report_original {
            self.thumbnail(&frame)?;
        }
        out.push(frame);
        Ok(())
    }

    fn thumbnail(&mut self, frame: &Frame) -> Result<(), OpError> {
        if let Some(thumbnails) = &self.thumbnails {
            let picture = thumbnails.of(frame, &self.shown)?;
            self.log.picture(picture);
            self.log.save_now_and_then();
        }
        Ok(())
    }
}

impl Op for Redacting {
    fn mode(&self) -> Mode {
        Mode::Time
    }

    fn prepare(&mut self, input: &Arc<Spec>, stream: &Stream) -> Result<Arc<Spec>, OpError> {
        self.live = stream.live;
        self.painter = Some(Painter::new(&self.config, input)?);
        self.pool = Some(Pool::new(&input.info)?);
        if let Some(path) = &self.config.report {
            self.log = Log::to(path, &stream.name, self.config.thumbnails, self.config.report_original)?;
            self.thumbnails = Some(Shots::new(input)?);
        }
        Ok(input.clone())
    }

    fn retime(&mut self, frame: Frame, out: &mut Vec<Frame>) -> Result<(), OpError> {
        let looked = self.see(&frame)?;
        self.held.push_back((frame, looked));
        while self.is_settled() {
            self.release(out)?;
        }
        Ok(())
    }

    fn finish(&mut self, out: &mut Vec<Frame>) -> Result<(), OpError> {
        while !self.held.is_empty() {
            self.release(out)?;
        }
        self.log.save().map_err(OpError::Refused)
    }

    fn copies(&self) -> u64 {
        self.copies
    }

    fn report(&self) -> Option<serde_json::Value> {
        Some(self.log.json(self.looked.is_some()))
    }
}

impl Drop for Redacting {
    fn drop(&mut self) {
        self.log.save_the_rest();
    }
}

fn seconds(t: ClockTime) -> f64 {
    t.nseconds() as f64 / 1e9
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_meant_is_refused() {
        let wrong = |r: Redact| r.check().unwrap_err().key.into_owned();
        let default = Redact::default;
        assert!(default().check().is_ok());
        assert_eq!(wrong(Redact { cells: 12, ..default() }), "cells");
        assert_eq!(wrong(Redact { link_score: 0.5, ..default() }), "link-score");
        assert_eq!(wrong(Redact { method: Method::Image, ..default() }), "image");
        assert_eq!(wrong(Redact { image: Some("logo.png".into()), ..default() }), "image");
        assert_eq!(wrong(Redact { lead: Time(ClockTime::from_seconds(3)), ..default() }), "lead");
    }
}

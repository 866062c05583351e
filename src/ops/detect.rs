//! Finds things in the picture.

use std::sync::Arc;

use opencv::prelude::*;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::drawing::check_length;
use super::{Group, Invalid, Length, Mode, Op, OpConfig, OpError, Patch, Reach, Regions, Sight, Stream};
use crate::config::Size;
use crate::frame::{Component, Frame, Plane, Spec};
use crate::vision::detect::{DetectError, Detector, Options, Wanted};
use crate::vision::model::{self, engine::EngineChoice, engine::Provider};
use crate::vision::{Detection, Rect};

/// Finds faces, people, cars, QR codes …; later ops draw, follow, hide or record what was found.
///
/// With `region` it looks at the rectangle around each region and keeps what has its middle inside.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Detect {
    /// What looks: the name of a network (`framewright models list`) or the path of its manifest; `hog` (people, OpenCV's
    /// own), `qr` (QR codes, with what they say), `cascade:NAME` (Haar and LBP cascades: `face`, `face-alt`, `face-lbp`,
    /// `profile-face`, `cat-face`, `eye`, `smile`, `body`, `upper-body`, `plate`, or an .xml file), or `boxes:FILE` (what an
    /// earlier run wrote as .jsonl or MOTChallenge .txt; frames are matched by number).
    pub model: String,
    /// What later ops call its finds by. Default: the model's name.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// Look at every n-th frame only, 1 to 100000; `track` and `redact` fill the gaps.
    #[schemars(range(min = 1, max = 100_000))]
    pub every: u32,
    /// Keep these labels only (`["person", "car"]`; on the command line `person|car`). Default: all.
    #[serde(skip_serializing_if = "Labels::is_empty")]
    pub labels: Labels,
    /// Lowest score, 0 to 1. Default: the model's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0.0, max = 1.0))]
    pub score: Option<f64>,
    /// Largest overlap (intersection over union) that two finds of one label may have, 0 to 1. Default: the model's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0.0, max = 1.0))]
    pub nms: Option<f64>,
    /// Height of the smallest object to look for, in pixels or percent of the picture's height. `hog` and cascades are much
    /// faster for it. Default: whatever the model sees.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_size: Option<Length>,
    /// Look only inside of what the `detect` op of this name found: faces in people, plates in cars.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub on: Option<String>,
    /// With `on`: how much larger than the find the part is, as a share of its width and height on each side, 0 to 2.
    #[schemars(range(min = 0.0, max = 2.0))]
    pub margin: f64,
    /// For networks: width and height of what the network gets, as in `640x480`, where it takes any. More finds smaller
    /// things and takes longer. Default: the model's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub input: Option<Size>,
    /// For networks: `auto` (ONNX Runtime where it is installed, else OpenCV), `onnxruntime` or `opencv`.
    pub engine: EngineChoice,
    /// For networks on ONNX Runtime: `cpu`, `cuda`, `tensorrt` or `openvino`.
    pub provider: Provider,
    /// For networks on ONNX Runtime: threads, 1 to 256. Default: all processors, or 1 where `--threads` gives several workers.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 256))]
    pub threads: Option<u32>,
}

/// Labels, as a list or with `|` between them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "WrittenLabels", into = "Vec<String>")]
pub struct Labels(pub Vec<String>);

#[derive(Deserialize)]
#[serde(untagged, expecting = "labels are a list of names, or names with | between them")]
enum WrittenLabels {
    Text(String),
    List(Vec<String>),
}

impl From<WrittenLabels> for Labels {
    fn from(w: WrittenLabels) -> Self {
        Labels(match w {
            WrittenLabels::List(list) => list,
            WrittenLabels::Text(t) => t.split('|').map(|l| l.trim().to_owned()).filter(|l| !l.is_empty()).collect(),
        })
    }
}

impl From<Labels> for Vec<String> {
    fn from(l: Labels) -> Self {
        l.0
    }
}

impl JsonSchema for Labels {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Labels".into()
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": ["array", "string"], "description": "names, or \"a|b\"" })
    }
}

impl Labels {
    /// True when every label is meant.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// True when `label` is among them, or all are.
    pub fn hold(&self, label: &str) -> bool {
        self.0.is_empty() || self.0.iter().any(|l| l == label)
    }
}

impl Default for Detect {
    fn default() -> Self {
        Detect {
            model: String::new(),
            name: String::new(),
            every: 1,
            labels: Labels::default(),
            score: None,
            nms: None,
            min_size: None,
            on: None,
            margin: 0.1,
            input: None,
            engine: EngineChoice::Auto,
            provider: Provider::Cpu,
            threads: None,
        }
    }
}

impl Detect {
    fn name(&self) -> String {
        match self.name.as_str() {
            "" => self.model.parse::<Wanted>().map(|w| w.name()).unwrap_or_default(),
            name => name.to_owned(),
        }
    }
}

impl OpConfig for Detect {
    const NAME: &'static str = "detect";
    const GROUP: Group = Group::Seeing;
    const EXAMPLE: &'static str = "detect:model=tiny_scene";
    const BEHIND: &'static str = "ONNX Runtime or cv::dnn, cv::CascadeClassifier, cv::HOGDescriptor, rqrr";

    fn check(&self) -> Result<(), Invalid> {
        self.model.parse::<Wanted>().map_err(|e| Invalid::new("model", format!("model: {e}")))?;
        Invalid::unless_in("every", self.every, 1..=100_000)?;
        self.score.map_or(Ok(()), |v| Invalid::unless_in("score", v, 0.0..=1.0))?;
        self.nms.map_or(Ok(()), |v| Invalid::unless_in("nms", v, 0.0..=1.0))?;
        Invalid::unless_in("margin", self.margin, 0.0..=2.0)?;
        self.threads.map_or(Ok(()), |v| Invalid::unless_in("threads", v, 1..=256))?;
        self.min_size.map_or(Ok(()), |v| check_length("min-size", v, 0.0))
    }

    fn reach(&self) -> Reach {
        Reach::Looks
    }

    fn sight(&self) -> Sight {
        Sight::Finds { name: self.name(), on: self.on.clone() }
    }

    fn build(&self) -> Box<dyn Op> {
        Box::new(Looker {
            name: self.name().into(),
            config: self.clone(),
            detector: None,
            regions: None,
            patches: Vec::new(),
            areas: Vec::new(),
            parents: Vec::new(),
            found: Vec::new(),
        })
    }
}

struct Looker {
    name: Arc<str>,
    config: Detect,
    detector: Option<Box<dyn Detector>>,
    regions: Option<Regions>,
    patches: Vec<Patch>,
    /// Where to look in this picture.
    areas: Vec<Rect>,
    /// On which detection each area lies.
    parents: Vec<u32>,
    found: Vec<(usize, Detection)>,
}

impl Op for Looker {
    fn mode(&self) -> Mode {
        Mode::Read
    }

    fn within(&mut self, regions: &Regions) {
        self.regions = Some(regions.clone());
    }

    fn prepare(&mut self, input: &Arc<Spec>, stream: &Stream) -> Result<Arc<Spec>, OpError> {
        let (width, height) = (input.info.width(), input.info.height());
        let (score, nms) = (self.config.score.map(|v| v as f32), self.config.nms.map(|v| v as f32));
        // Workers that each take all processors would only be in each other's way.
        let threads = self.config.threads.or((stream.workers > 1).then_some(1));
        let Detect { engine, provider, input: size, .. } = self.config;
        let network =
            model::Options { engine, provider, threads, size: size.map(|s| [s.width, s.height]), score, iou: nms };
        let min_size = self.config.min_size.map_or(0.0, |v| v.pixels(height) as f32);
        let options = Options { score, nms, min_size, network };
        let wanted: Wanted = self.config.model.parse().map_err(OpError::Refused)?;
        let detector = wanted.open(&options).map_err(OpError::from)?;
        let known = detector.labels();
        for label in self.config.labels.0.iter().filter(|_| !known.is_empty()) {
            if !known.iter().any(|k| **k == **label) {
                let hint = crate::config::did_you_mean(label, known.iter().map(|k| &**k));
                let some: Vec<&str> = known.iter().take(20).map(|k| &**k).collect();
                let more = if known.len() > 20 { ", …" } else { "" };
                let what =
                    format!("labels: {} knows no `{label}`{hint}: it knows {}{more}", self.name, some.join(", "));
                return Err(OpError::Refused(what));
            }
        }
        let detail = detector.detail();
        if !detail.is_empty() {
            log::info!("{}: {detail}", self.name);
        }
        self.detector = Some(detector);
        if let Some(regions) = &self.regions {
            let full = Plane { channels: vec![Component::Y], w_sub: 0, h_sub: 0 };
            self.patches = regions.on_plane(&full, width, height)?;
            if self.patches.is_empty() {
                let what = format!("its region lies outside of the picture ({width}x{height})");
                return Err(OpError::Refused(what));
            }
        }
        Ok(input.clone())
    }

    fn read(&mut self, frame: &mut Frame) -> Result<(), OpError> {
        if !frame.index.is_multiple_of(u64::from(self.config.every)) {
            return Ok(());
        }
        self.choose(frame);
        frame.meta.looked.push(self.name.clone());
        self.found.clear();
        if let (Some(detector), false) = (&mut self.detector, self.areas.is_empty()) {
            match detector.describe(frame, &self.areas)? {
                Some(looks) => {
                    for (parent, look) in self.parents.iter().zip(looks) {
                        frame.meta.detections[*parent as usize].embedding = Some(look);
                    }
                }
                None => detector.detect(frame, &self.areas, &mut self.found)?,
            }
        }
        self.sift(frame);
        Ok(())
    }
}

impl From<DetectError> for OpError {
    fn from(e: DetectError) -> Self {
        match e {
            DetectError::Frame(e) => OpError::Frame(e),
            DetectError::OpenCv(e) => OpError::OpenCv(e),
            DetectError::Model(what) => OpError::Refused(what),
            DetectError::Unusable { what, fix } => OpError::Lacks { what, fix },
        }
    }
}

impl Looker {
    /// Sets the parts of the picture to look at.
    fn choose(&mut self, frame: &Frame) {
        let (width, height) = (frame.width() as f32, frame.height() as f32);
        self.areas.clear();
        self.parents.clear();
        match &self.config.on {
            Some(on) => {
                for (i, d) in (0u32..).zip(&frame.meta.detections).filter(|(_, d)| *d.detector == **on) {
                    let r = d.rect.grown(self.config.margin as f32).within(width, height);
                    let (x, y) = (r.x.floor(), r.y.floor());
                    let area = Rect::from_corners(x, y, r.right().ceil().min(width), r.bottom().ceil().min(height));
                    let (cx, cy) = d.rect.center();
                    if area.w >= 1.0 && area.h >= 1.0 && self.holds(cx, cy) {
                        self.areas.push(area);
                        self.parents.push(i);
                    }
                }
            }
            None if self.regions.is_some() => self.areas.extend(self.patches.iter().map(|p| {
                let r = p.rect;
                Rect::new(r.x as f32, r.y as f32, r.width as f32, r.height as f32)
            })),
            None => self.areas.push(Rect::new(0.0, 0.0, width, height)),
        }
    }

    /// True when the point lies in a region, or there is none.
    fn holds(&self, x: f32, y: f32) -> bool {
        let inside = |p: &Patch| {
            let (x, y) = (x.floor() as i32 - p.rect.x, y.floor() as i32 - p.rect.y);
            (0..p.rect.width).contains(&x)
                && (0..p.rect.height).contains(&y)
                && p.mask.as_ref().is_none_or(|m| m.at_2d::<u8>(y, x).is_ok_and(|v| *v > 0))
        };
        self.regions.is_none() || self.patches.iter().any(inside)
    }

    /// Keeps what was asked for, once, and hands it to the frame.
    fn sift(&mut self, frame: &mut Frame) {
        let least = self.config.min_size.map_or(0.0, |v| v.pixels(frame.height()) as f32);
        let mut found = std::mem::take(&mut self.found);
        found.retain(|(_, d)| {
            let (x, y) = d.rect.center();
            // A hair below what was asked for is what rounding makes of it.
            let large = d.rect.h >= least * 0.9;
            let sure = self.config.score.is_none_or(|s| f64::from(d.score) >= s);
            d.rect.is_finite() && large && sure && self.config.labels.hold(&d.label) && self.holds(x, y)
        });
        if self.areas.len() > 1 {
            // Areas that overlap show one thing twice: the surer one stays.
            found.sort_by(|a, b| b.1.score.total_cmp(&a.1.score));
            let overlap = self.config.nms.unwrap_or(0.5) as f32;
            let mut kept: Vec<(usize, Detection)> = Vec::with_capacity(found.len());
            for (area, d) in found.drain(..) {
                let again =
                    |(a, k): &(usize, Detection)| *a != area && k.label == d.label && k.rect.iou(&d.rect) > overlap;
                if !kept.iter().any(again) {
                    kept.push((area, d));
                }
            }
            kept.sort_by_key(|(area, _)| *area);
            found = kept;
        }
        for (area, mut d) in found.drain(..) {
            d.detector = self.name.clone();
            d.parent = self.parents.get(area).copied();
            frame.meta.detections.push(d);
        }
        self.found = found;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_values() {
        let good = Detect { model: "cascade:face".into(), ..Detect::default() };
        assert!(good.check().is_ok());
        assert_eq!(good.name(), "face");
        assert_eq!(Detect::default().check().unwrap_err().key, "model");
        assert_eq!(Detect { score: Some(2.0), ..good.clone() }.check().unwrap_err().key, "score");
        assert_eq!(Detect { every: 0, ..good }.check().unwrap_err().key, "every");
        let labels: Labels = WrittenLabels::Text("person | car".into()).into();
        assert!(labels.hold("car") && !labels.hold("bus") && Labels::default().hold("bus"));
    }
}

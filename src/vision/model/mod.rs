//! Networks: a manifest says how a picture becomes a tensor and what the numbers that come out mean; an engine computes.
//!
//! ```text
//! Frame ─► prepare (row by row: colour, resize, normalise) ─► engine ─► decode ─► NMS ─► Detection
//! ```
//!
//! [`Model::load`] checks everything that can be checked before the first picture: manifest, sha256, the shapes that come
//! out of a first run on an empty picture, the number of labels. A model of boxes is a [`Detector`]; others `classify` or
//! `embed`.

mod decode;
pub mod engine;
mod error;
pub mod fetch;
mod labels;
pub mod locate;
pub mod manifest;
mod nms;
mod prepare;
mod small;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::detect::{DetectError, Detector};
use super::{Detection, Point, Rect};
use crate::frame::Frame;
use engine::{Engine, EngineChoice, Provider, Tensor};
use locate::Found;
use manifest::{Manifest, Output, TensorLayout};
use prepare::{Placement, Preparer, snapped};

pub use error::ModelError;
pub use small::SmallBgr;

/// Pictures that go through a network at once, where it takes several.
const BATCH: usize = 16;

/// What a user may choose when a model is loaded; `None` leaves it to the manifest.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Options {
    /// Which library computes.
    pub engine: EngineChoice,
    /// On what; anything but the processor needs ONNX Runtime.
    pub provider: Provider,
    /// Threads of ONNX Runtime for this model; all processors by default. OpenCV has its own count.
    pub threads: Option<u32>,
    /// Width and height of the input in pixels, for models that take any.
    pub size: Option<[u32; 2]>,
    /// What scores less is not reported, 0–1.
    pub score: Option<f32>,
    /// Of two boxes that share more than this (intersection over union) the weaker one goes, 0–1.
    pub iou: Option<f32>,
}

/// Weights, wherever they are.
#[derive(Clone, Debug)]
enum Weights {
    File(PathBuf),
    BuiltIn(&'static [u8]),
}

/// A loaded model. Not shared: each worker has its own.
pub struct Model {
    found: Found,
    weights: PathBuf,
    engine: Box<dyn Engine>,
    labels: Vec<Arc<str>>,
    score: f32,
    iou: Option<f32>,
    /// Pictures a run.
    batch: usize,
    preparer: Preparer,
    tensor: Vec<f32>,
    times: Times,
}

/// Where the time of all runs so far went.
#[derive(Clone, Copy, Debug, Default)]
#[allow(missing_docs)]
pub struct Times {
    pub prepare: Duration,
    pub infer: Duration,
    pub decode: Duration,
    /// Pictures.
    pub pictures: u32,
}

impl Model {
    /// Loads the model called `name`: a name in a model folder or shipped, or the path of a manifest. Runs it once on an empty
    /// picture, so this takes as long as a few pictures.
    pub fn load(name: &str, options: &Options) -> Result<Model, ModelError> {
        let mut found = locate::find(name)?;
        let manifest = &mut found.manifest;
        let option = |what| ModelError::Option { name: found.name.clone(), what };
        if let Some(size) = options.size
            && size != manifest.input.size
        {
            let Some(m) = manifest.input.multiple_of else {
                let [w, h] = manifest.input.size;
                return Err(option(format!("size cannot be chosen: it takes pictures of {w}x{h} and nothing else")));
            };
            if size.iter().any(|s| !(m..=8192).contains(s) || s % m != 0) {
                let [w, h] = size;
                return Err(option(format!("a size of {w}x{h} is not possible: multiples of {m} from {m} to 8192")));
            }
            manifest.input.size = size;
        }
        for (key, share) in [("score", options.score), ("iou", options.iou)] {
            if let Some(v) = share.filter(|v| !(0.0..=1.0).contains(v)) {
                return Err(option(format!("{key} = {v} is not possible: 0 to 1")));
            }
        }
        let labels = match &found.manifest.labels {
            Some(l) => labels::read(l, &found.path)?,
            None => Vec::new(),
        };
        let weights = verified(&found)?;
        let engine = engine::open(&found.name, &weights, options)?;
        let path = match weights {
            Weights::File(path) => path,
            Weights::BuiltIn(_) => PathBuf::from(&found.manifest.file),
        };
        let mut model = Model {
            score: options.score.unwrap_or(found.manifest.score),
            iou: options.iou.or(found.manifest.iou),
            found,
            weights: path,
            engine,
            labels,
            batch: 1,
            preparer: Preparer::default(),
            tensor: Vec::new(),
            times: Times::default(),
        };
        model.check()?;
        Ok(model)
    }

    /// The name that it goes by: its manifest's without the extension.
    pub fn name(&self) -> &str {
        &self.found.name
    }

    /// What the manifest says, with the chosen size.
    pub fn manifest(&self) -> &Manifest {
        &self.found.manifest
    }

    /// Names of the classes, by number. Empty for embeddings.
    pub fn labels(&self) -> &[Arc<str>] {
        &self.labels
    }

    /// The engine's name as its makers write it.
    pub fn engine(&self) -> &'static str {
        self.engine.name()
    }

    /// Where the time went.
    pub fn times(&self) -> Times {
        self.times
    }

    /// The outputs' names and shapes for a picture of the largest size, in words.
    pub fn outputs(&mut self) -> Result<String, ModelError> {
        let mut text = String::new();
        self.first_run(|outputs, _| {
            text = decode::shapes(outputs);
            Ok(())
        })
        .map_err(|what| ModelError::Failed { name: self.found.name.clone(), what })?;
        Ok(text)
    }

    /// How likely the picture in each of `areas` (as for [`Detector::detect`]) shows each class, by number, for
    /// `decode = "classify"`.
    pub fn classify(&mut self, frame: &Frame, areas: &[Rect]) -> Result<Vec<Vec<f32>>, DetectError> {
        let Output::Classify { activation } = self.found.manifest.output else {
            return Err(self.not_for("classes"));
        };
        let mut all = Vec::with_capacity(areas.len());
        self.run(frame, areas, |outputs, slot, _, f| all.push(decode::scores(outputs, activation, slot, f)))?;
        Ok(all)
    }

    /// What the picture in each of `areas` looks like, as a vector of length 1, for `decode = "embedding"`. The dot product
    /// of two is their cosine similarity.
    pub fn embed(&mut self, frame: &Frame, areas: &[Rect]) -> Result<Vec<Arc<[f32]>>, DetectError> {
        if !matches!(self.found.manifest.output, Output::Embedding {}) {
            return Err(self.not_for("embeddings"));
        }
        let mut all = Vec::with_capacity(areas.len());
        self.run(frame, areas, |outputs, slot, _, f| all.push(decode::vector(outputs, slot, f).into()))?;
        Ok(all)
    }

    fn not_for(&self, what: &str) -> DetectError {
        let Manifest { output, .. } = &self.found.manifest;
        DetectError::Model(format!(
            "model {} gives no {what}: its manifest says decode = \"{}\"",
            self.name(),
            output.name()
        ))
    }

    fn mismatch(&self, what: String) -> ModelError {
        let (name, path) = (self.found.name.clone(), self.weights.clone());
        ModelError::Mismatch { name, path, manifest: self.found.path.clone(), what }
    }

    /// Compares the manifest with what the network says of itself, and with what comes out of it.
    fn check(&mut self) -> Result<(), ModelError> {
        let input = &self.found.manifest.input;
        let wanted = shape(input.layout, input.color.channels(), 1, input.size);
        let has = self.engine.input().to_vec();
        if !has.is_empty() {
            let words = |dims: &[Option<usize>]| {
                dims.iter().map(|d| d.map_or("?".to_owned(), |d| d.to_string())).collect::<Vec<_>>().join("x")
            };
            let fits =
                has.len() == 4 && has.iter().zip(wanted).skip(1).all(|(has, want)| has.is_none_or(|h| h == want));
            if !fits || has[0].is_some_and(|b| b != 1) {
                let wanted = wanted.map(Some);
                let what = format!("its input is {}, and the manifest means {}", words(&has), words(&wanted));
                return Err(self.mismatch(what));
            }
            // Boxes that the network has finished itself do not say to which picture they belong.
            if has[0].is_none() && !matches!(self.found.manifest.output, Output::Ssd { .. }) {
                self.batch = BATCH;
            }
        }
        let (output, mut wrong) = (self.found.manifest.output.clone(), None);
        let run = self.first_run(|outputs, f| {
            wrong = decode::check(&output, outputs, f).err();
            Ok(())
        });
        match (run, wrong) {
            (Err(what), _) => Err(ModelError::Load {
                name: self.found.name.clone(),
                path: self.weights.clone(),
                engine: self.engine.name(),
                what,
            }),
            (_, Some(what)) => Err(self.mismatch(what)),
            _ => Ok(()),
        }
    }

    /// One run on an empty picture of the largest size.
    fn first_run(
        &mut self,
        mut then: impl FnMut(&[Tensor<'_>], &decode::Frame) -> Result<(), String>,
    ) -> Result<(), String> {
        let input = &self.found.manifest.input;
        let size = input.size;
        let shape = shape(input.layout, input.color.channels(), 1, size);
        self.tensor.resize(shape.iter().product(), 0.0);
        self.tensor.fill(0.0);
        let f = decode::Frame { size, batch: 1, classes: self.labels.len(), score: self.score };
        self.engine.run(&self.tensor, shape, &mut |outputs| then(outputs, &f))
    }

    /// Runs the network on each of `areas` and calls `each` for it, in order, with its place in the batch.
    fn run(
        &mut self,
        frame: &Frame,
        areas: &[Rect],
        mut each: impl FnMut(&[Tensor<'_>], usize, &Placement, &decode::Frame),
    ) -> Result<(), DetectError> {
        let input = &self.found.manifest.input;
        let places: Vec<Placement> = areas.iter().map(|a| Placement::new(input, snapped(*a, frame))).collect();
        let mut rest = places.as_slice();
        while let Some(first) = rest.first() {
            let size = first.size;
            let together = rest.iter().take(self.batch).take_while(|p| p.size == size).count();
            let (now, later) = rest.split_at(together);
            rest = later;
            let shape = shape(input.layout, input.color.channels(), together, size);
            let one = shape[1..].iter().product::<usize>();
            self.tensor.resize(one * together, 0.0);
            let start = Instant::now();
            for (place, tensor) in now.iter().zip(self.tensor.chunks_exact_mut(one)) {
                self.preparer.fill(frame, input, place, tensor)?;
            }
            let prepared = Instant::now();
            let mut inferred = prepared;
            let f = decode::Frame { size, batch: together, classes: self.labels.len(), score: self.score };
            let then = &mut |outputs: &[Tensor<'_>]| {
                inferred = Instant::now();
                now.iter().enumerate().for_each(|(slot, place)| each(outputs, slot, place, &f));
                Ok(())
            };
            let failed = |what| DetectError::Model(format!("model {}: {what}", self.found.name));
            self.engine.run(&self.tensor, shape, then).map_err(failed)?;
            self.times.prepare += prepared - start;
            self.times.infer += inferred - prepared;
            self.times.decode += inferred.elapsed();
            self.times.pictures += together as u32;
        }
        Ok(())
    }
}

impl Detector for Model {
    fn detect(
        &mut self,
        frame: &Frame,
        areas: &[Rect],
        found: &mut Vec<(usize, Detection)>,
    ) -> Result<(), DetectError> {
        let output = self.found.manifest.output.clone();
        if !output.has_boxes() {
            return Err(self.not_for("boxes"));
        }
        let (labels, iou, per_class) = (self.labels.clone(), self.iou, self.found.manifest.per_class);
        let (mut area, mut boxes) = (0, Vec::new());
        self.run(frame, areas, |outputs, slot, place, f| {
            boxes.clear();
            decode::boxes(&output, outputs, slot, f, &mut boxes);
            if let Some(iou) = iou {
                nms::suppress(&mut boxes, iou, per_class);
            }
            found.extend(boxes.drain(..).map(|mut d| {
                d.rect = place.rect(d.rect);
                d.points.iter_mut().for_each(|p: &mut Point| *p = place.point(p.x, p.y));
                d.label = labels.get(d.class as usize).cloned().unwrap_or_default();
                (area, d)
            }));
            area += 1;
        })
    }

    fn labels(&self) -> &[Arc<str>] {
        &self.labels
    }
}

/// A tensor's dimensions.
fn shape(layout: TensorLayout, channels: usize, batch: usize, [w, h]: [u32; 2]) -> [usize; 4] {
    match layout {
        TensorLayout::Nchw => [batch, channels, h as usize, w as usize],
        TensorLayout::Nhwc => [batch, h as usize, w as usize, channels],
    }
}

/// The weights of `found`, whose sha256 is what the manifest says.
fn verified(found: &Found) -> Result<Weights, ModelError> {
    let name = || found.name.clone();
    let url = found.manifest.url.is_some();
    let Some(path) = locate::weights(found) else {
        if let Some(bytes) = locate::built_in(found) {
            return Ok(Weights::BuiltIn(bytes));
        }
        let (file, looked) = (found.manifest.file.clone(), locate::looked());
        return Err(ModelError::Absent { name: name(), file, looked, url });
    };
    if let Some(wanted) = &found.manifest.sha256 {
        let failed = |e| ModelError::Failed { name: name(), what: format!("cannot read {}: {e}", path.display()) };
        let sum = fetch::sha256(&path).map_err(failed)?;
        if !sum.eq_ignore_ascii_case(wanted) {
            return Err(ModelError::Corrupt { name: name(), path, found: sum, wanted: wanted.clone(), url });
        }
    }
    Ok(Weights::File(path))
}

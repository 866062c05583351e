//! `framewright models test`: loads a model into every engine that is here, runs it, compares.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::PathBuf;

use serde_json::json;

use crate::control::Control;
use crate::failure::Failure;
use crate::frame::{Frame, Layout};
use crate::source::{self, Pull, Source};
use crate::term::{self, Ink, Paint};
use crate::vision::detect::Detector;
use crate::vision::model::engine::{self, EngineChoice, Provider};
use crate::vision::model::manifest::{Expect, Output};
use crate::vision::model::{Model, Options, locate};
use crate::vision::{Detection, Rect};

/// Load a model into every engine that is here, run it, and compare what they find
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// Names, or paths of manifests
    #[arg(required = true)]
    names: Vec<String>,
    /// Run on this picture, video or `generate:…` instead of the manifest's, or of the generated street
    #[arg(long, value_name = "INPUT")]
    on: Option<String>,
    /// How many of its frames
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..))]
    frames: u64,
    /// Only this engine
    #[arg(long, value_parser = ["onnxruntime", "opencv"])]
    engine: Option<String>,
    /// On what ONNX Runtime computes
    #[arg(long, default_value = "cpu", value_parser = ["cpu", "cuda", "tensorrt", "openvino"])]
    provider: String,
    /// Threads of ONNX Runtime [default: all processors]
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=256))]
    threads: Option<u32>,
    /// Size of the input, for models that take any: 640x384
    #[arg(long, value_parser = size)]
    size: Option<[u32; 2]>,
    /// Report what scores at least this much
    #[arg(long)]
    score: Option<f32>,
    /// Write what was found to this file, a JSON object a line: {frame, engine, found: [{label, class, score, box: [x, y, w,
    /// h], points: [[x, y]]}]}, or {frame, engine, embedding}, {frame, engine, scores}
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

fn size(text: &str) -> Result<[u32; 2], String> {
    let parsed = text.split_once('x').and_then(|(w, h)| Some([w.parse().ok()?, h.parse().ok()?]));
    parsed.ok_or_else(|| "give width x height, as in 640x384".to_owned())
}

/// What one engine made of all frames.
struct Tried {
    engine: &'static str,
    outputs: String,
    frames: Vec<Results>,
    ms: [f64; 3],
}

/// What came out for one frame.
enum Results {
    Boxes(Vec<Detection>),
    Numbers(&'static str, Vec<f32>),
}

/// Tests each; an error at the end if one failed.
pub fn run(args: &Args) -> Result<(), Failure> {
    let mut out = match &args.json {
        Some(path) => {
            let cannot = |e| Failure::output(format!("cannot write {}: {e}", path.display()));
            Some(std::io::BufWriter::new(std::fs::File::create(path).map_err(cannot)?))
        }
        None => None,
    };
    let mut failed = BTreeMap::new();
    for name in &args.names {
        if let Err(e) = test(name, args, &mut out) {
            let _ = term::print(&format!("{name}: {} {e}\n", Paint::stdout().ink(Ink::Red, "FAILED")))?;
            failed.insert(name.clone(), e);
        }
    }
    if let Some(mut out) = out {
        out.flush().map_err(|e| Failure::output(format!("cannot write the JSON lines: {e}")))?;
    }
    match failed.len() {
        0 => Ok(()),
        1 if args.names.len() == 1 => Err(failed.into_values().next().unwrap_or_else(|| Failure::failed("failed"))),
        _ => {
            let names: Vec<String> = failed.keys().cloned().collect();
            let first = failed.into_values().next();
            let failure = Failure::failed(format!("models that failed: {}", names.join(", ")));
            Err(match first.and_then(|f| f.fix) {
                Some(fix) => failure.fix(fix),
                None => failure,
            })
        }
    }
}

fn test(name: &str, args: &Args, out: &mut Option<impl std::io::Write>) -> Result<(), Failure> {
    let found = locate::find(name)?;
    let provider = match args.provider.as_str() {
        "cuda" => Provider::Cuda,
        "tensorrt" => Provider::Tensorrt,
        "openvino" => Provider::Openvino,
        _ => Provider::Cpu,
    };
    let expect = found.manifest.expect.as_ref().filter(|_| args.on.is_none());
    let picture = match (&args.on, expect) {
        (Some(on), _) => on.clone(),
        (None, Some(e)) => beside(e, &found.path),
        // Something to look at; what is found in it depends on the model.
        (None, None) => "generate:scene".to_owned(),
    };
    let choices = match args.engine.as_deref() {
        Some("opencv") => vec![EngineChoice::Opencv],
        Some(_) => vec![EngineChoice::Onnxruntime],
        None if provider != Provider::Cpu => vec![EngineChoice::Onnxruntime],
        None if engine::runtime().is_ok() => vec![EngineChoice::Onnxruntime, EngineChoice::Opencv],
        None => vec![EngineChoice::Opencv],
    };
    let [w, h] = args.size.unwrap_or(found.manifest.input.size);
    let mut text =
        format!("{name}: {}, {w}x{h}, on {}\n", found.manifest.output.name(), crate::redact::redact(&picture));
    let (mut tried, mut first_error) = (Vec::new(), None);
    for engine in choices {
        let options =
            Options { engine, provider, threads: args.threads, size: args.size, score: args.score, iou: None };
        match try_one(name, &options, &picture, args.frames) {
            Ok(t) => {
                let [prepare, infer, decode] = t.ms;
                let _ = writeln!(
                    text,
                    "  {}: {}; {}; prepare {prepare:.2} ms, network {infer:.2} ms, decode {decode:.2} ms",
                    t.engine,
                    t.outputs,
                    t.counted()
                );
                tried.push(t);
            }
            Err(e) => {
                let _ = writeln!(text, "  {e}");
                first_error.get_or_insert(e);
            }
        }
    }
    if let Some(out) = out {
        tried.iter().try_for_each(|t| t.write(name, out)).map_err(|e| Failure::output(format!("cannot write: {e}")))?;
    }
    let _ = term::print(&text)?;
    let Some(best) = tried.first() else {
        return Err(first_error.unwrap_or_else(|| Failure::failed("no engine is here")));
    };
    // ONNX Runtime is the one that counts; that OpenCV cannot take a model is said above and no failure.
    if let (Some(e), "OpenCV") = (&first_error, best.engine)
        && args.engine.is_none()
        && engine::runtime().is_ok()
    {
        return Err(e.clone());
    }
    let mut verdict = Vec::new();
    if let [a, b] = tried.as_slice() {
        let apart = a.frames.iter().zip(&b.frames).filter_map(|(a, b)| difference(a, b)).next();
        if let Some(what) = apart {
            return Err(Failure::failed(format!("{} and {} do not agree: {what}", a.engine, b.engine)));
        }
        verdict.push("both engines agree");
    }
    if let Some(e) = expect {
        let frame = best.frames.first();
        if let Some(Results::Boxes(boxes)) = frame
            && let Some(what) = missing(boxes, e)
        {
            return Err(Failure::failed(format!("{}: {what}", best.engine)));
        }
        verdict.push("what the manifest expects was found");
    }
    let ok = Paint::stdout().ink(Ink::Green, "ok");
    let verdict = if verdict.is_empty() { String::new() } else { format!(": {}", verdict.join(", ")) };
    super::super::print(&format!("{name}: {ok}{verdict}\n"))
}

/// The expected picture as an input: a file's path is from the manifest's folder.
fn beside(expect: &Expect, manifest: &std::path::Path) -> String {
    let file = manifest.parent().unwrap_or(std::path::Path::new("")).join(&expect.picture);
    if file.is_file() { file.to_string_lossy().into_owned() } else { expect.picture.clone() }
}

/// A source whose frames are pulled one by one.
struct Frames(Box<dyn Source>);

impl Frames {
    fn open(uri: &str) -> Result<Self, Failure> {
        crate::gst::init()?;
        let settings = crate::config::SourceSettings { uri: uri.to_owned(), audio: false, ..Default::default() };
        let formats: Vec<_> = Layout::all_formats().collect();
        let opened = source::open(&settings, &formats, Default::default(), &Control::default())?;
        Ok(Frames(opened.source))
    }

    fn next(&mut self) -> Result<Option<Frame>, Failure> {
        loop {
            match self.0.next()? {
                Pull::Frame(frame) => return Ok(Some(frame)),
                Pull::Nothing => {}
                Pull::End => return Ok(None),
            }
        }
    }
}

fn try_one(name: &str, options: &Options, picture: &str, frames: u64) -> Result<Tried, Failure> {
    let mut model = Model::load(name, options)?;
    let outputs = model.outputs()?;
    let mut source = Frames::open(picture)?;
    let mut results = Vec::new();
    let before = model.times();
    for _ in 0..frames {
        let Some(frame) = source.next()? else { break };
        let whole = [Rect::new(0.0, 0.0, frame.width() as f32, frame.height() as f32)];
        let failed = |e: crate::vision::detect::DetectError| Failure::failed(e);
        results.push(match model.manifest().output {
            Output::Embedding {} => {
                let all = model.embed(&frame, &whole).map_err(failed)?;
                Results::Numbers("embedding", all.first().map(|v| v.to_vec()).unwrap_or_default())
            }
            Output::Classify { .. } => {
                let all = model.classify(&frame, &whole).map_err(failed)?;
                Results::Numbers("scores", all.into_iter().next().unwrap_or_default())
            }
            _ => {
                let mut found = Vec::new();
                model.detect(&frame, &whole, &mut found).map_err(failed)?;
                Results::Boxes(found.into_iter().map(|(_, d)| d).collect())
            }
        });
    }
    if results.is_empty() {
        return Err(Failure::input(format!("{} has no picture", crate::redact::redact(picture))));
    }
    let (t, n) = (model.times(), results.len() as f64);
    let ms = [t.prepare - before.prepare, t.infer - before.infer, t.decode - before.decode];
    Ok(Tried { engine: model.engine(), outputs, frames: results, ms: ms.map(|d| d.as_secs_f64() * 1e3 / n) })
}

impl Tried {
    /// `3 found: 2 person, 1 car`.
    fn counted(&self) -> String {
        let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
        let mut all = 0;
        for results in &self.frames {
            match results {
                Results::Numbers("embedding", v) => return format!("a vector of {}", v.len()),
                Results::Numbers(_, v) => return format!("{} classes", v.len()),
                Results::Boxes(boxes) => {
                    all += boxes.len();
                    boxes.iter().for_each(|b| *counts.entry(&b.label).or_default() += 1);
                }
            }
        }
        let list: Vec<String> = counts.iter().map(|(label, n)| format!("{n} {label}")).collect();
        let list = if list.is_empty() { String::new() } else { format!(": {}", list.join(", ")) };
        let frames = if self.frames.len() > 1 { format!(" in {} frames", self.frames.len()) } else { String::new() };
        format!("{all} found{frames}{list}")
    }

    fn write(&self, name: &str, out: &mut impl std::io::Write) -> std::io::Result<()> {
        for (i, results) in self.frames.iter().enumerate() {
            let mut line = json!({ "model": name, "engine": self.engine, "frame": i });
            match results {
                Results::Numbers(key, v) => line[*key] = json!(v),
                Results::Boxes(boxes) => {
                    let object = |d: &Detection| {
                        let points: Vec<[f32; 2]> = d.points.iter().map(|p| [p.x, p.y]).collect();
                        let rect = [d.rect.x, d.rect.y, d.rect.w, d.rect.h];
                        json!({ "label": &*d.label, "class": d.class, "score": d.score, "box": rect, "points": points })
                    };
                    line["found"] = boxes.iter().map(object).collect();
                }
            }
            writeln!(out, "{line}")?;
        }
        Ok(())
    }
}

/// What distinguishes the results of two engines, beyond what rounding does.
fn difference(a: &Results, b: &Results) -> Option<String> {
    match (a, b) {
        (Results::Numbers(_, a), Results::Numbers(_, b)) => {
            let most = a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
            (a.len() != b.len() || most > 1e-2).then(|| format!("numbers differ by up to {most}"))
        }
        (Results::Boxes(a), Results::Boxes(b)) => {
            // A box on the threshold may be on either side of it.
            let sure = |d: &&Detection, all: &[Detection]| {
                let least = all.iter().map(|d| d.score).fold(f32::INFINITY, f32::min);
                d.score > least + 0.02
            };
            let missing = |a: &[Detection], b: &[Detection]| {
                let same = |d: &Detection, o: &Detection| d.class == o.class && d.rect.iou(&o.rect) >= 0.9;
                let alone = a.iter().filter(|d| sure(d, a)).find(|d| !b.iter().any(|o| same(d, o)));
                alone.map(|d| {
                    let Rect { x, y, w, h } = d.rect;
                    format!("only one has a {} of {:.2} at {x:.0},{y:.0} {w:.0}x{h:.0}", d.label, d.score)
                })
            };
            missing(a, b).or_else(|| missing(b, a))
        }
        _ => Some("of different kinds".to_owned()),
    }
}

/// What of that which must be there is not among `boxes`.
fn missing(boxes: &[Detection], expect: &Expect) -> Option<String> {
    let found = |label: &str, [x, y, w, h]: [f32; 4]| {
        boxes.iter().any(|d| &*d.label == label && d.rect.iou(&Rect::new(x, y, w, h)) >= 0.5)
    };
    let e = expect.found.iter().find(|e| !found(&e.label, e.rect))?;
    Some(format!("the {} at {:?} that the manifest expects was not found", e.label, e.rect))
}

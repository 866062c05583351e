//! MOTChallenge files: `SEQ/gt/gt.txt`, `SEQ/det/det.txt`, `SEQ/seqinfo.ini`, and result files.
//!
//! Lines are `frame,id,left,top,width,height,score,…` with frames from 1. In the ground truth of 2015 the score says whether the
//! box counts; from 2016 on lines are `frame,id,left,top,width,height,counts,class,visibility`.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fmt::Write;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::{Compared, Moment, SAME};
use crate::failure::Failure;
use crate::vision::Rect;
use crate::vision::track::assign;

/// A line of any of the files.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Line {
    /// Picture, from 1.
    pub frame: usize,
    /// Object or track; -1 for detections.
    pub id: i64,
    /// Left, top, width, height in pixels.
    pub rect: [f64; 4],
    /// Score; in ground truth 0 where the box does not count.
    pub score: f64,
    /// Class; 1 where the line has none.
    pub class: i64,
    /// Numbers in the line.
    pub columns: usize,
}

/// A sequence's folder.
#[derive(Clone, Debug)]
pub struct Sequence {
    /// Name of the folder.
    pub name: String,
    /// Where it is.
    pub folder: PathBuf,
    /// Pictures per second, where `seqinfo.ini` says so.
    pub fps: Option<f64>,
    /// Number of pictures, where `seqinfo.ini` says so.
    pub length: Option<usize>,
}

/// How ground truth is read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Benchmark {
    /// By the number of columns: 9 for those from 2016 on, else 2015.
    #[default]
    Auto,
    /// No classes.
    Mot15,
    /// Pedestrians count; what was found on people in vehicles, people that stand still, distractors and reflections is left
    /// out.
    Mot17,
    /// The same, with vehicles left out as well.
    Mot20,
}

/// More pictures than any sequence has: a number that is wrong must not eat the memory.
const LONGEST: usize = 1_000_000;

/// Reads a file of lines; empty ones are passed over.
pub fn read(path: &Path) -> Result<Vec<Line>, Failure> {
    let text =
        std::fs::read_to_string(path).map_err(|e| Failure::input(format!("cannot read {}: {e}", path.display())))?;
    parse_all(&text, path)
}

/// Reads lines; `path` is what they are called in messages.
pub fn parse_all(text: &str, path: &Path) -> Result<Vec<Line>, Failure> {
    let mut lines = Vec::new();
    for (i, line) in text.lines().enumerate().filter(|(_, l)| !l.trim().is_empty()) {
        lines.push(parse(line).map_err(|why| {
            let what = format!("{} line {}: {why}: `{}`", path.display(), i + 1, crate::term::clean(line));
            Failure::input(what).fix("lines are frame,id,left,top,width,height,score,…")
        })?);
    }
    Ok(lines)
}

fn parse(line: &str) -> Result<Line, String> {
    let separator = |c: char| c == ',' || c.is_whitespace();
    let texts = line.split(separator).filter(|t| !t.is_empty());
    let numbers = texts.map(|t| t.parse::<f64>().map_err(|_| format!("`{t}` is no number")));
    let v = numbers.collect::<Result<Vec<f64>, String>>()?;
    if v.len() < 6 {
        return Err(format!("{} numbers, and at least 6 are needed", v.len()));
    }
    if v.iter().take(6).any(|v| !v.is_finite()) {
        return Err("not all numbers are finite".into());
    }
    if v[0] < 1.0 || v[0] > LONGEST as f64 {
        return Err(format!("frame {} is not between 1 and {LONGEST}", v[0]));
    }
    let at = |i: usize| v.get(i).copied();
    let (rect, score) = ([v[2], v[3], v[4], v[5]], at(6).unwrap_or(1.0));
    let class = at(7).map_or(1, |c| c as i64);
    Ok(Line { frame: v[0] as usize, id: v[1] as i64, rect, score, class, columns: v.len() })
}

/// A line of a result file.
pub fn write(out: &mut String, frame: usize, id: u32, rect: &Rect, score: f32) {
    let Rect { x, y, w, h } = rect;
    let _ = writeln!(out, "{frame},{id},{x:.2},{y:.2},{w:.2},{h:.2},{score:.4},-1,-1,-1");
}

/// The sequences below `folder`, sorted by name; or `folder` itself, if it is one.
pub fn sequences(folder: &Path) -> Result<Vec<Sequence>, Failure> {
    let unreadable = |e: std::io::Error| Failure::input(format!("cannot read the folder {}: {e}", folder.display()));
    let folder = folder.canonicalize().map_err(unreadable)?;
    let mut found = Vec::new();
    if truth(&folder).is_some() {
        found.push(Sequence::open(&folder)?);
    } else {
        for entry in std::fs::read_dir(&folder).map_err(unreadable)? {
            let path = entry.map_err(unreadable)?.path();
            if truth(&path).is_some() {
                found.push(Sequence::open(&path)?);
            }
        }
    }
    found.sort_by(|a, b| a.name.cmp(&b.name));
    if found.is_empty() {
        let what = format!("no MOTChallenge sequence in {}", folder.display());
        return Err(Failure::input(what).fix("a sequence is a folder with gt/gt.txt and seqinfo.ini"));
    }
    Ok(found)
}

/// The ground truth of the sequence in `folder`.
fn truth(folder: &Path) -> Option<PathBuf> {
    ["gt/gt.txt", "gt.txt"].iter().map(|name| folder.join(name)).find(|p| p.is_file())
}

impl Sequence {
    fn open(folder: &Path) -> Result<Self, Failure> {
        let name = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let mut sequence = Sequence { name, folder: folder.to_owned(), fps: None, length: None };
        let ini = folder.join("seqinfo.ini");
        if !ini.is_file() {
            return Ok(sequence);
        }
        let text =
            std::fs::read_to_string(&ini).map_err(|e| Failure::input(format!("cannot read {}: {e}", ini.display())))?;
        let wrong =
            |key: &str, value: &str| Failure::input(format!("{}: {key} = {value} makes no sense", ini.display()));
        for (key, value) in text.lines().filter_map(|l| l.split_once('=')).map(|(k, v)| (k.trim(), v.trim())) {
            match key.to_ascii_lowercase().as_str() {
                "framerate" => {
                    let fps = value.parse::<f64>().ok().filter(|v| *v > 0.0 && v.is_finite());
                    sequence.fps = Some(fps.ok_or_else(|| wrong(key, value))?);
                }
                "seqlength" => {
                    let length = value.parse::<usize>().ok().filter(|v| (1..=LONGEST).contains(v));
                    sequence.length = Some(length.ok_or_else(|| wrong(key, value))?);
                }
                _ => {}
            }
        }
        Ok(sequence)
    }

    /// Reads the ground truth.
    pub fn truth(&self) -> Result<Vec<Line>, Failure> {
        truth(&self.folder).map_or_else(|| Ok(Vec::new()), |path| read(&path))
    }
}

/// Puts ground truth and results side by side, and leaves out what does not count.
pub fn compare(truth: &[Line], results: &[Line], length: usize, benchmark: Benchmark) -> Result<Compared, String> {
    let benchmark = match (benchmark, truth.first()) {
        (Benchmark::Auto, Some(line)) if line.columns == 9 => Benchmark::Mot17,
        (Benchmark::Auto, _) => Benchmark::Mot15,
        (chosen, _) => chosen,
    };
    let mut compared = Compared { moments: Vec::with_capacity(length), ..Compared::default() };
    let (mut truths, mut tracks) = (Numbers::default(), Numbers::default());
    let (truth, results) = (by_frame(truth, length, "the ground truth")?, by_frame(results, length, "the result")?);
    for (truth, mut results) in truth.into_iter().zip(results) {
        let counts = |t: &Line| t.score as i64 != 0 && (benchmark == Benchmark::Mot15 || t.class == PEDESTRIAN);
        if benchmark != Benchmark::Mot15 {
            let gain = |r: usize, c: usize| {
                let overlap = overlap(&truth[r].rect, &results[c].rect);
                if overlap < SAME - f64::EPSILON { 0.0 } else { overlap }
            };
            let mut keep = vec![true; results.len()];
            for (r, c) in assign(truth.len(), results.len(), gain) {
                let vehicle = benchmark == Benchmark::Mot20 && truth[r].class == VEHICLE;
                keep[c] = !DISTRACTORS.contains(&truth[r].class) && !vehicle;
            }
            let mut kept = keep.into_iter();
            results.retain(|_| kept.next().unwrap_or(true));
        }
        let truth: Vec<&Line> = truth.into_iter().filter(|t| counts(t)).collect();
        compared.moments.push(Moment {
            truths: truth.iter().map(|t| truths.of(t.id)).collect(),
            tracks: results.iter().map(|t| tracks.of(t.id)).collect(),
            overlaps: truth.iter().flat_map(|t| results.iter().map(|r| overlap(&t.rect, &r.rect))).collect(),
        });
    }
    (compared.truths, compared.tracks) = (truths.0.len(), tracks.0.len());
    Ok(compared)
}

/// MOTChallenge's class numbers.
const PEDESTRIAN: i64 = 1;
const VEHICLE: i64 = 6;
/// Person on vehicle, static person, distractor, reflection.
const DISTRACTORS: [i64; 4] = [2, 7, 8, 12];

/// Numbers from 0 for ids as they come.
#[derive(Default)]
struct Numbers(BTreeMap<i64, usize>);

impl Numbers {
    fn of(&mut self, id: i64) -> usize {
        let next = self.0.len();
        *self.0.entry(id).or_insert(next)
    }
}

fn by_frame<'a>(lines: &'a [Line], length: usize, what: &str) -> Result<Vec<Vec<&'a Line>>, String> {
    let mut frames = vec![Vec::new(); length];
    let mut seen = BTreeMap::new();
    for line in lines {
        let Some(frame) = frames.get_mut(line.frame - 1) else {
            return Err(format!("{what} has a box in frame {}, and there are {length}", line.frame));
        };
        match seen.entry((line.frame, line.id)) {
            Entry::Occupied(_) => return Err(format!("{what} has number {} twice in frame {}", line.id, line.frame)),
            Entry::Vacant(v) => v.insert(()),
        };
        frame.push(line);
    }
    Ok(frames)
}

/// Intersection over union.
fn overlap(a: &[f64; 4], b: &[f64; 4]) -> f64 {
    let shared = |i: usize| ((a[i] + a[i + 2]).min(b[i] + b[i + 2]) - a[i].max(b[i])).max(0.0);
    let area = |r: &[f64; 4]| r[2] * r[3];
    if area(a) <= f64::EPSILON || area(b) <= f64::EPSILON {
        return 0.0;
    }
    let both = shared(0) * shared(1);
    both / (area(a) + area(b) - both)
}

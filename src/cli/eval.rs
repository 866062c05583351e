//! `framewright eval mot`: how well the trackers follow, on MOTChallenge sequences.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use crate::config;
use crate::eval::mot::{self, Benchmark, Line, Sequence};
use crate::eval::{Compared, Scores};
use crate::failure::Failure;
use crate::ops::track::{Follower, Track};
use crate::term;
use crate::vision::track::Kind;
use crate::vision::{Detection, Rect};

/// Measures framewright against ground truth.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    Mot(Box<Mot>),
}

/// Follows the detections of MOTChallenge sequences, or takes result files, and prints HOTA, MOTA and IDF1 as TrackEval does.
#[derive(Debug, clap::Args)]
struct Mot {
    /// Folder of sequences (SEQ/gt/gt.txt, SEQ/seqinfo.ini), or one sequence
    #[arg(long, value_name = "DIR")]
    gt: PathBuf,

    /// Folder of sequences with detections (SEQ/det/FILE). Default: that of --gt
    #[arg(long, value_name = "DIR", conflicts_with = "results")]
    det: Option<PathBuf>,

    /// Name of the detection files
    #[arg(long, value_name = "FILE", default_value = "det.txt")]
    det_file: String,

    /// Measure these result files (DIR/SEQ.txt) instead of following detections
    #[arg(long, value_name = "DIR")]
    results: Option<PathBuf>,

    /// The tracker. Default: that of the op
    #[arg(long, value_enum)]
    tracker: Option<Kind>,

    /// The tracker's settings as the op has them: track:high=0.6,keep=1
    #[arg(long, value_name = "OP", conflicts_with = "results")]
    op: Option<String>,

    /// Leave out detections with lower scores than this, as they stand in the file
    #[arg(long, value_name = "SCORE", allow_negative_numbers = true)]
    min_score: Option<f64>,

    /// Scores are any numbers: 1 / (1 + exp(-score)) makes 0 to 1 of them
    #[arg(long)]
    sigmoid: bool,

    /// Use the detections of every n-th picture only, as `detect` with `every` does
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..=100_000))]
    every: u64,

    /// Pictures per second where a sequence does not say so
    #[arg(long, value_name = "FPS")]
    fps: Option<f64>,

    /// How the ground truth is read
    #[arg(long, value_enum, default_value_t)]
    benchmark: Benchmark,

    /// Write a result file for each sequence into this folder
    #[arg(short, long = "output", value_name = "DIR", conflicts_with = "results")]
    output: Option<PathBuf>,

    /// Write all figures into this file
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

/// A row of the table. Shares are in percent.
#[derive(Debug, Serialize)]
struct Row {
    sequence: String,
    frames: usize,
    hota: f64,
    deta: f64,
    assa: f64,
    mota: f64,
    idf1: f64,
    #[serde(rename = "fp")]
    false_ones: u64,
    #[serde(rename = "fn")]
    missed: u64,
    idsw: u64,
    /// Of the tracker alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    ms_per_frame: Option<f64>,
}

/// Prints the table.
pub fn run(args: &Args) -> Result<(), Failure> {
    let What::Mot(mot) = &args.what;
    mot.run()
}

impl Mot {
    fn run(&self) -> Result<(), Failure> {
        let config = self.config()?;
        if let Some(folder) = &self.output {
            std::fs::create_dir_all(folder).map_err(|e| cannot_write(folder, &e))?;
        }
        let (mut rows, mut all) = (Vec::new(), Scores::default());
        let (mut frames, mut spent) = (0, Duration::ZERO);
        for sequence in mot::sequences(&self.gt)? {
            let Some((compared, time)) = self.sequence(&sequence, &config)? else { continue };
            let scores = Scores::of(&compared);
            all += &scores;
            frames += compared.moments.len();
            spent += time;
            rows.push(row(&sequence.name, &scores, compared.moments.len(), self.results.is_none().then_some(time)));
        }
        if rows.is_empty() {
            let (what, file) = match &self.results {
                Some(folder) => (folder, "SEQ.txt".to_owned()),
                None => (self.det.as_ref().unwrap_or(&self.gt), format!("SEQ/det/{}", self.det_file)),
            };
            return Err(Failure::input(format!(
                "no sequence of {} has {file} in {}",
                self.gt.display(),
                what.display()
            )));
        }
        if rows.len() > 1 {
            rows.push(row("together", &all, frames, self.results.is_none().then_some(spent)));
        }
        if let Some(path) = &self.json {
            let settings = self.results.is_none().then_some(&config);
            let found = serde_json::json!({ "settings": settings, "every": self.every, "rows": rows });
            std::fs::write(path, format!("{found:#}\n")).map_err(|e| cannot_write(path, &e))?;
        }
        super::print(&table(&rows))
    }

    /// The settings of op `track`.
    fn config(&self) -> Result<Track, Failure> {
        let mut config = Track::default();
        if let Some(text) = &self.op {
            let op = config::read_op(text)?;
            if op.name != "track" {
                let what = format!("--op {}: {} is no tracker", term::clean(text), op.name);
                return Err(Failure::usage(what).fix("--op track:high=0.6,keep=1"));
            }
            let read = Track::deserialize(op.effective.clone());
            config = read.map_err(|e| Failure::usage(format!("--op {}: {}", term::clean(text), e.message())))?;
        }
        config.tracker = self.tracker.unwrap_or(config.tracker);
        if self.fps.is_some_and(|fps| !(fps > 0.0 && fps.is_finite())) {
            return Err(Failure::usage("--fps must be above 0"));
        }
        Ok(config)
    }

    /// One sequence, with the time that the tracker took; `None`, with a word, where there is nothing to measure.
    fn sequence(&self, sequence: &Sequence, config: &Track) -> Result<Option<(Compared, Duration)>, Failure> {
        let truth = sequence.truth()?;
        let file = match &self.results {
            Some(folder) => folder.join(format!("{}.txt", sequence.name)),
            None => self.detections(sequence),
        };
        if !file.is_file() {
            term::say!("left out: {}: there is no {}", sequence.name, file.display());
            return Ok(None);
        }
        let lines = mot::read(&file)?;
        let longest = || truth.iter().chain(&lines).map(|l| l.frame).max().unwrap_or_default();
        let length = sequence.length.unwrap_or_else(longest);
        let (lines, time) = match &self.results {
            Some(_) => (lines, Duration::ZERO),
            None => {
                let (text, time) = self.follow(sequence, &lines, length, config)?;
                if let Some(folder) = &self.output {
                    let path = folder.join(format!("{}.txt", sequence.name));
                    std::fs::write(&path, &text).map_err(|e| cannot_write(&path, &e))?;
                }
                // What is measured is what stands in the file, rounded as it is there.
                (mot::parse_all(&text, Path::new("the result"))?, time)
            }
        };
        let compared = mot::compare(&truth, &lines, length, self.benchmark);
        compared.map(|c| Some((c, time))).map_err(|why| Failure::input(format!("{}: {why}", sequence.name)))
    }

    fn detections(&self, sequence: &Sequence) -> PathBuf {
        let own = || Some(self.det.as_ref()?.join(&sequence.name));
        let folder = own().filter(|f| f.is_dir()).or_else(|| self.det.clone());
        folder.unwrap_or_else(|| sequence.folder.clone()).join("det").join(&self.det_file)
    }

    /// Sends a sequence through the tracker: the result file's text, and the time it took.
    fn follow(
        &self,
        sequence: &Sequence,
        lines: &[Line],
        length: usize,
        config: &Track,
    ) -> Result<(String, Duration), Failure> {
        let fps = sequence.fps.or(self.fps).ok_or_else(|| {
            Failure::input(format!("{} does not say how many pictures a second it has", sequence.name))
                .fix("seqinfo.ini with frameRate=25, or --fps 25")
        })?;
        let mut frames = vec![Vec::new(); length];
        let odd = lines.iter().filter(|l| !self.sigmoid && !(0.0..=1.0).contains(&l.score)).count();
        if odd > 0 {
            term::say!("note: {}: {odd} scores are not between 0 and 1; --sigmoid makes them so", sequence.name);
        }
        for line in lines.iter().filter(|l| self.min_score.is_none_or(|least| l.score >= least)) {
            let Some(frame) = frames.get_mut(line.frame - 1) else { continue };
            let score = if self.sigmoid { 1.0 / (1.0 + (-line.score).exp()) } else { line.score } as f32;
            let [x, y, w, h] = line.rect.map(|v| v as f32);
            let (label, detector) = ("person".into(), "det".into());
            let rect = Rect::new(x, y, w, h);
            frame.push(Detection { rect, score, label, detector, ..Detection::default() });
        }
        // Sequences don't always say how large their pictures are, and boxes of the ground truth reach beyond.
        let everywhere = Rect::new(-1e6, -1e6, 2e6, 2e6);
        let (mut follower, mut text, mut spent) = (Follower::new(config.clone()), String::new(), Duration::ZERO);
        for (i, mut detections) in frames.into_iter().enumerate() {
            let looked = (i as u64).is_multiple_of(self.every);
            if !looked {
                detections.clear();
            }
            let began = Instant::now();
            follower.follow(i as f64 / fps, looked, &everywhere, &mut detections);
            spent += began.elapsed();
            for d in &detections {
                if let Some(id) = d.track {
                    mot::write(&mut text, i + 1, id, &d.rect, d.score);
                }
            }
        }
        Ok((text, spent))
    }
}

fn cannot_write(path: &Path, e: &std::io::Error) -> Failure {
    Failure::output(format!("cannot write {}: {e}", path.display()))
}

fn row(name: &str, scores: &Scores, frames: usize, time: Option<Duration>) -> Row {
    Row {
        sequence: name.to_owned(),
        frames,
        hota: 100.0 * scores.hota.hota(),
        deta: 100.0 * scores.hota.detection(),
        assa: 100.0 * scores.hota.association(),
        mota: 100.0 * scores.clear.mota(),
        idf1: 100.0 * scores.identity.f1(),
        false_ones: scores.clear.false_ones,
        missed: scores.clear.missed,
        idsw: scores.clear.switches,
        ms_per_frame: time.map(|t| t.as_secs_f64() * 1e3 / frames.max(1) as f64),
    }
}

fn table(rows: &[Row]) -> String {
    let width = rows.iter().map(|r| r.sequence.chars().count()).max().unwrap_or_default().max(8);
    let mut out = format!("{} ", term::pad("sequence", width));
    out += "frames   HOTA   DetA   AssA   MOTA   IDF1     FP     FN  IDSW  ms/frame\n";
    for r in rows {
        let ms = r.ms_per_frame.map(|ms| format!("{ms:9.3}")).unwrap_or_default();
        out += &term::pad(&r.sequence, width);
        out += &format!(" {:6} {:6.1} {:6.1} {:6.1} {:6.1} {:6.1}", r.frames, r.hota, r.deta, r.assa, r.mota, r.idf1);
        out += &format!(" {:6} {:6} {:5} {ms}", r.false_ones, r.missed, r.idsw);
        out.truncate(out.trim_end().len());
        out += "\n";
    }
    out
}

//! What ops measured, over the whole run.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::failure::Failure;
use crate::frame::Frame;
use crate::source::Input;

/// One measure over all frames that have it.
#[derive(Clone, Debug, Serialize)]
pub struct MeasureStats {
    /// Frames measured.
    pub frames: u64,
    /// Mean value; infinite values (PSNR of equal pictures) are left out of it.
    pub mean: f64,
    /// Smallest value.
    pub min: f64,
    /// Time in the source of the smallest value, in seconds.
    pub min_at: f64,
    /// Largest value.
    pub max: f64,
    /// Time in the source of the largest value, in seconds.
    pub max_at: f64,
}

#[derive(Default)]
struct Sum {
    stats: Option<MeasureStats>,
    sum: f64,
    finite: u64,
}

/// Adds up the measurements that frames carry.
#[derive(Default)]
pub struct Measures {
    sums: BTreeMap<&'static str, Sum>,
    table: Option<Table>,
}

/// A CSV file with a line for each measurement of each frame.
struct Table {
    path: PathBuf,
    file: BufWriter<File>,
    result: io::Result<()>,
}

impl Measures {
    /// Writes each measurement to `path` too, if there is one.
    pub fn new(path: Option<&Path>, input: &Input) -> Result<Self, Failure> {
        let table = path.map(|path| {
            if let Input::File(input) = input
                && let (Ok(a), Ok(b)) = (path.canonicalize(), input.canonicalize())
                && a == b
            {
                return Err(Failure::output(format!("cannot write {}: it is the input", path.display())));
            }
            let mut file = BufWriter::new(File::create(path).map_err(|e| unwritable(path, &e))?);
            let result = writeln!(file, "frame,seconds,name,value");
            Ok(Table { path: path.to_owned(), file, result })
        });
        Ok(Measures { sums: BTreeMap::new(), table: table.transpose()? })
    }

    /// Ends the file; an error if any of it could not be written.
    pub fn close(&mut self) -> Result<(), Failure> {
        let Some(mut t) = self.table.take() else { return Ok(()) };
        t.result.and_then(|()| t.file.flush()).map_err(|e| unwritable(&t.path, &e))
    }

    /// Takes in what was measured on `frame`.
    pub fn add(&mut self, frame: &Frame) {
        let at = frame.position.nseconds() as f64 / 1e9;
        for m in &frame.meta.measurements {
            if let Some(t) = self.table.as_mut().filter(|t| t.result.is_ok()) {
                t.result = writeln!(t.file, "{},{at:.6},{},{}", frame.index, m.name, m.value);
            }
            let sum = self.sums.entry(m.name).or_default();
            let first = MeasureStats { frames: 0, mean: 0.0, min: m.value, min_at: at, max: m.value, max_at: at };
            let s = sum.stats.get_or_insert(first);
            s.frames += 1;
            if m.value < s.min {
                (s.min, s.min_at) = (m.value, at);
            }
            if m.value > s.max {
                (s.max, s.max_at) = (m.value, at);
            }
            if m.value.is_finite() {
                sum.sum += m.value;
                sum.finite += 1;
            }
        }
    }

    /// The statistics by name.
    pub fn finish(self) -> BTreeMap<&'static str, MeasureStats> {
        let mean = |s: Sum| {
            let mean = if s.finite > 0 { s.sum / s.finite as f64 } else { f64::INFINITY };
            s.stats.map(|stats| MeasureStats { mean, ..stats })
        };
        self.sums.into_iter().filter_map(|(name, sum)| Some((name, mean(sum)?))).collect()
    }
}

fn unwritable(path: &Path, e: &io::Error) -> Failure {
    Failure::output(format!("cannot write {}: {e}", path.display()))
}

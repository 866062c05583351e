//! What ops measured, over the whole run.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::frame::Frame;

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
pub struct Measures(BTreeMap<&'static str, Sum>);

impl Measures {
    /// Takes in what was measured on `frame`.
    pub fn add(&mut self, frame: &Frame) {
        let at = frame.position.nseconds() as f64 / 1e9;
        for m in &frame.meta.measurements {
            let sum = self.0.entry(m.name).or_default();
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
        self.0.into_iter().filter_map(|(name, sum)| Some((name, mean(sum)?))).collect()
    }
}

//! Measures how much the brightness of the whole picture flickers.

use std::collections::VecDeque;
use std::sync::Arc;

use gstreamer::ClockTime;
use opencv::core::Mat;
use opencv::prelude::*;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::brightness::luma_range;
use super::spans::Spans;
use super::{Group, Invalid, Mode, Op, OpConfig, OpError, Stream};
use crate::config::Time;
use crate::frame::{Frame, Spec};

/// Measures flicker: how much the brightness of the whole picture goes up and down.
///
/// `flicker` is the standard deviation of the mean luma over the last frames, 0 to 1 of the range from black to white, after a
/// straight line (a fade) is taken out. A cut begins anew.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Flicker {
    /// Over so many frames, 4 to 240.
    #[schemars(range(min = 4, max = 240))]
    pub window: u32,
    /// Spans with more than this are listed, 0 to 1; they begin when it shows, some frames late.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub threshold: f64,
    /// Spans shorter than this are not listed.
    pub min_duration: Time,
}

impl Default for Flicker {
    fn default() -> Self {
        Flicker { window: 12, threshold: 0.02, min_duration: Time(ClockTime::from_mseconds(200)) }
    }
}

impl OpConfig for Flicker {
    const NAME: &'static str = "flicker";
    const GROUP: Group = Group::Measure;
    const EXAMPLE: &'static str = "flicker";
    const BEHIND: &'static str = "framewright's own: a straight line through the means";

    fn check(&self) -> Result<(), Invalid> {
        Invalid::unless_in("window", self.window, 4..=240)?;
        Invalid::unless_in("threshold", self.threshold, 0.0..=1.0)
    }

    fn stateful(&self) -> bool {
        true
    }

    fn build(&self) -> Box<dyn Op> {
        let spans = Spans::new(self.min_duration.0);
        let (scratch, before, means) = (Mat::default(), Vec::new(), VecDeque::new());
        Box::new(Watching { config: self.clone(), range: (0.0, 255.0), scratch, before, means, spans })
    }
}

/// Blocks across and down in which the picture's content is compared to find cuts.
const BLOCKS: usize = 16;
/// Pictures that correlate less than this show something else.
const ALIKE: f64 = 0.5;

struct Watching {
    config: Flicker,
    range: (f64, f64),
    scratch: Mat,
    /// The blocks of the frame before.
    before: Vec<f64>,
    means: VecDeque<f64>,
    spans: Spans,
}

impl Op for Watching {
    fn mode(&self) -> Mode {
        Mode::Read
    }

    fn prepare(&mut self, input: &Arc<Spec>, _: &Stream) -> Result<Arc<Spec>, OpError> {
        self.range = luma_range(input);
        Ok(input.clone())
    }

    fn read(&mut self, frame: &mut Frame) -> Result<(), OpError> {
        // Sums of the blocks and how many pixels they have, in one pass: the mean of all comes with them.
        let mut sums = [(0u64, 0u64); BLOCKS * BLOCKS];
        frame.gray(&mut self.scratch, |gray| {
            let rows = gray.rows() as usize;
            let across = (gray.cols() as usize).div_ceil(BLOCKS);
            for y in 0..rows {
                let row = y * BLOCKS / rows * BLOCKS;
                for (x, part) in gray.at_row::<u8>(y as i32)?.chunks(across).enumerate() {
                    let (sum, n) = &mut sums[row + x];
                    *sum += u64::from(part.iter().map(|v| u32::from(*v)).sum::<u32>());
                    *n += part.len() as u64;
                }
            }
            Ok::<_, OpError>(())
        })?;
        let whole = sums.iter().fold((0, 0), |a, b| (a.0 + b.0, a.1 + b.1));
        let mean = whole.0 as f64 / whole.1.max(1) as f64;
        let blocks: Vec<f64> = sums.iter().filter(|b| b.1 > 0).map(|b| b.0 as f64 / b.1 as f64).collect();
        if correlation(&blocks, &self.before).is_some_and(|c| c < ALIKE) {
            self.means.clear();
        }
        self.before = blocks;
        self.means.push_back(mean / (self.range.1 - self.range.0));
        if self.means.len() > self.config.window as usize {
            self.means.pop_front();
        }
        let value = residue(self.means.iter().copied());
        frame.meta.measured("flicker", value);
        self.spans.saw(frame, value > self.config.threshold);
        Ok(())
    }

    fn report(&self) -> Option<serde_json::Value> {
        Some(serde_json::json!({ "spans": self.spans.json() }))
    }
}

/// Pearson's correlation; none where one of the pictures is flat.
fn correlation(a: &[f64], b: &[f64]) -> Option<f64> {
    if a.len() != b.len() || a.is_empty() {
        return None;
    }
    let mean = |v: &[f64]| v.iter().sum::<f64>() / v.len() as f64;
    let (ma, mb) = (mean(a), mean(b));
    let sum = |f: &dyn Fn(f64, f64) -> f64| a.iter().zip(b).map(|(a, b)| f(a - ma, b - mb)).sum::<f64>();
    let (aa, bb, ab) = (sum(&|a, _| a * a), sum(&|_, b| b * b), sum(&|a, b| a * b));
    // Less than a step of deviation in every block is noise.
    let flat = a.len() as f64;
    (aa > flat && bb > flat).then(|| ab / (aa * bb).sqrt())
}

/// Standard deviation from the straight line that fits best; 0 for fewer than four values.
fn residue(values: impl ExactSizeIterator<Item = f64> + Clone) -> f64 {
    let n = values.len() as f64;
    if n < 4.0 {
        return 0.0;
    }
    let middle = (n - 1.0) / 2.0;
    let mean = values.clone().sum::<f64>() / n;
    let at = |i: usize| i as f64 - middle;
    let slope = values.clone().enumerate().map(|(i, v)| at(i) * (v - mean)).sum::<f64>() / (n * (n * n - 1.0) / 12.0);
    let left = values.enumerate().map(|(i, v)| (v - mean - slope * at(i)).powi(2)).sum::<f64>();
    (left / n).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fades_are_no_flicker() {
        let line: Vec<f64> = (0..12).map(|i| 0.1 + 0.05 * f64::from(i)).collect();
        assert!(residue(line.iter().copied()) < 1e-12);
        let shaking: Vec<f64> = line.iter().enumerate().map(|(i, v)| v + if i % 2 == 0 { 0.1 } else { -0.1 }).collect();
        let r = residue(shaking.iter().copied());
        assert!((0.09..=0.1).contains(&r), "{r}");
        assert_eq!(residue([0.0, 1.0, 0.0].into_iter()), 0.0);
    }

    #[test]
    fn correlation_knows_cuts_from_brightness() {
        let a: Vec<f64> = (0..64).map(|i| f64::from(i * 37 % 64)).collect();
        let brighter: Vec<f64> = a.iter().map(|v| 50.0 + v * 0.9).collect();
        let other: Vec<f64> = (0..64).map(|i| f64::from(i * 13 % 61)).collect();
        assert!(correlation(&a, &brighter).is_some_and(|c| c > 0.999));
        assert!(correlation(&a, &other).is_some_and(|c| c < ALIKE));
        assert_eq!(correlation(&a, &[9.0; 64]), None);
    }
}

//! Histogram equalisation.

use std::sync::Arc;

use opencv::imgproc;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::levels::look_up;
use super::luma::Luma;
use super::scale::Scale;
use super::{Group, Invalid, Mode, Op, OpConfig, OpError, Stream};
use crate::frame::{Component, Frame, FrameError, Spec};

/// Spreads brightness evenly from black to white (histogram equalisation of luma); colours keep their chroma.
///
/// The formula is cv::equalizeHist's, over the video's own range and at its own depth (8 bits where there is no plane of luma).
/// In a region it is the region's histogram. `clahe` does the same piece by piece, with a limit.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Equalize {
    /// 0 changes nothing, 1 equalizes fully.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub strength: f64,
}

impl Default for Equalize {
    fn default() -> Self {
        Equalize { strength: 1.0 }
    }
}

impl OpConfig for Equalize {
    const NAME: &'static str = "equalize";
    const GROUP: Group = Group::Tone;
    const EXAMPLE: &'static str = "equalize";
    const BEHIND: &'static str = "tables on native planes, as cv::equalizeHist; that itself on red, green and blue";

    fn check(&self) -> Result<(), Invalid> {
        Invalid::unless_in("strength", self.strength, 0.0..=1.0)
    }

    fn build(&self) -> Box<dyn Op> {
        Box::new(Equalizing { strength: self.strength, luma: Luma::default(), counts: Vec::new(), table: Vec::new() })
    }
}

struct Equalizing {
    strength: f64,
    luma: Luma,
    counts: Vec<u32>,
    table: Vec<u16>,
}

impl Op for Equalizing {
    fn mode(&self) -> Mode {
        Mode::InPlace
    }

    fn prepare(&mut self, input: &Arc<Spec>, _: &Stream) -> Result<Arc<Spec>, OpError> {
        self.counts = vec![0; 1 << input.layout.depth];
        self.table = vec![0; 1 << input.layout.depth];
        Ok(input.clone())
    }

    fn edit(&mut self, frame: &mut Frame) -> Result<(), OpError> {
        let spec = frame.spec().clone();
        match spec.layout.find(Component::Y) {
            Some((plane, _)) if spec.layout.planes[plane].channels.len() == 1 => self.plane(frame, plane)?,
            _ => {
                let strength = self.strength;
                self.luma.work(frame, |old, new| {
                    imgproc::equalize_hist(old, new)?;
                    if strength < 1.0 {
                        let full = std::mem::take(new);
                        opencv::core::add_weighted_def(old, 1.0 - strength, &full, strength, 0.0, new)?;
                    }
                    Ok(())
                })?;
                self.luma.put_change(frame)?;
            }
        }
        Ok(())
    }
}

impl Equalizing {
    /// Equalizes a plane of luma at its own depth.
    fn plane(&mut self, frame: &mut Frame, plane: usize) -> Result<(), FrameError> {
        let spec = frame.spec().clone();
        let (scale, shift, height) = (Scale::of_light(&spec), spec.layout.shift, frame.height());
        let mut planes = frame.planes_mut()?;
        self.counts.fill(0);
        let last = self.counts.len() - 1;
        if spec.layout.bytes == 1 {
            // Four counters for each code, so that equal neighbours do not wait for each other.
            let mut four = [[0u32; 256]; 4];
            for y in 0..height {
                let (quads, rest) = planes.row_mut(plane, y)?.as_chunks::<4>();
                for q in quads {
                    q.iter().zip(&mut four).for_each(|(s, counts)| counts[usize::from(*s)] += 1);
                }
                rest.iter().for_each(|s| four[0][usize::from(*s)] += 1);
            }
            self.counts.iter_mut().enumerate().for_each(|(i, c)| *c = four.iter().map(|f| f[i]).sum());
        } else {
            for y in 0..height {
                for s in planes.row_mut(plane, y)?.as_chunks::<2>().0 {
                    self.counts[usize::from(u16::from_le_bytes(*s) >> shift).min(last)] += 1;
                }
            }
        }
        equalized(&self.counts, &scale, self.strength, &mut self.table);
        if spec.layout.bytes == 1 {
            let table: [u8; 256] = std::array::from_fn(|i| self.table[i] as u8);
            for y in 0..height {
                look_up(planes.row_mut(plane, y)?, &[table]);
            }
            return Ok(());
        }
        for y in 0..height {
            for s in planes.row_mut(plane, y)?.as_chunks_mut::<2>().0 {
                let was = u16::from_le_bytes(*s);
                let now = self.table[usize::from(was >> shift).min(last)] << shift | (was & ((1 << shift) - 1));
                *s = now.to_le_bytes();
            }
        }
        Ok(())
    }
}

/// The table that spreads `counts` over the range of `scale`. As cv::equalizeHist: the darkest code that occurs becomes
/// black, and each other one white times the share of pixels above the darkest that are not brighter.
fn equalized(counts: &[u32], scale: &Scale, strength: f64, table: &mut [u16]) {
    let total: u64 = counts.iter().map(|c| u64::from(*c)).sum();
    let darkest = counts.iter().position(|c| *c > 0).unwrap_or(0);
    let rest = total - u64::from(counts[darkest]);
    let mut sum = 0u64;
    for (code, entry) in table.iter_mut().enumerate() {
        if code > darkest {
            sum += u64::from(counts[code]);
        }
        let old = scale.value(code as f64);
        // One brightness everywhere stays what it is.
        let new = if rest == 0 { old } else { sum as f64 / rest as f64 };
        let moved = strength * (new - old);
        *entry = if moved == 0.0 { code as u16 } else { scale.code(old + moved) };
    }
}

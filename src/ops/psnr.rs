//! Compares with a reference: peak signal-to-noise ratio.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::reference::{Pair, Part, Reference, Rows, Sync, check_reference, parts};
use super::spans::Limits;
use super::{Group, Invalid, Mode, Op, OpConfig, OpError, Reach, Stream};
use crate::frame::{Component, Frame, Spec};
use crate::vision::event::Event;

/// Measures the peak signal-to-noise ratio against a reference video, in dB.
///
/// `psnr` is that of all samples, `psnr-y`, `psnr-u`, `psnr-v` (or `-r`, `-g`, `-b`) that of a component, as ffmpeg's `psnr`
/// computes them: infinite for equal pictures. The statistics hold the values of the whole run, from the mean of the
/// squared errors. A reference of another size is scaled; frames after its end are not compared, and that is said.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Psnr {
    /// The video to compare with: anything that can be a source; required.
    pub reference: String,
    /// Which frames belong together: `order` (the first with the first, and so on) or `time` (the nearest in time; for runs
    /// with `--start`).
    #[schemars(with = "String")]
    pub sync: Sync,
    /// Spans below this value, in dB, are listed in the statistics and the summary. Default: none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min: Option<f64>,
}

impl OpConfig for Psnr {
    const NAME: &'static str = "psnr";
    const GROUP: Group = Group::Measure;
    const EXAMPLE: &'static str = "psnr:reference=generate:scene";
    const BEHIND: &'static str = "framewright's own sums, as ffmpeg's psnr";

    fn check(&self) -> Result<(), Invalid> {
        check_reference(&self.reference, Self::EXAMPLE)?;
        Limits::check(self.min, None)
    }

    fn reach(&self) -> Reach {
        Reach::Never("the whole picture is compared with the reference's")
    }

    fn makes_events(&self) -> bool {
        self.min.is_some()
    }

    fn stateful(&self) -> bool {
        true
    }

    fn build(&self) -> Box<dyn Op> {
        Box::new(Comparing {
            config: self.clone(),
            limits: Limits::new(Self::NAME, self.min, None),
            reference: None,
            parts: Vec::new(),
            pair: Pair::default(),
            peak: 255.0,
            errors: Vec::new(),
            frames: 0,
        })
    }
}

struct Comparing {
    config: Psnr,
    limits: Limits,
    reference: Option<Reference>,
    parts: Vec<Part>,
    pair: Pair,
    /// The largest sample.
    peak: f64,
    /// Sums of the mean squared errors by component.
    errors: Vec<f64>,
    frames: u64,
}

fn name(c: Component) -> &'static str {
    match c {
        Component::U => "psnr-u",
        Component::V => "psnr-v",
        Component::R => "psnr-r",
        Component::G => "psnr-g",
        Component::B => "psnr-b",
        _ => "psnr-y",
    }
}

impl Comparing {
    fn decibels(&self, error: f64) -> f64 {
        10.0 * (self.peak * self.peak / error).log10()
    }

    /// The error of all samples.
    fn combined(&self, errors: &[f64]) -> f64 {
        errors.iter().zip(&self.parts).map(|(e, p)| e * p.weight).sum()
    }
}

impl Op for Comparing {
    fn mode(&self) -> Mode {
        Mode::Read
    }

    fn prepare(&mut self, input: &Arc<Spec>, _: &Stream) -> Result<Arc<Spec>, OpError> {
        self.reference = Some(Reference::open(&self.config.reference, self.config.sync, input)?);
        self.parts = parts(input);
        self.peak = f64::from((1u32 << input.layout.depth) - 1);
        self.errors = vec![0.0; self.parts.len()];
        Ok(input.clone())
    }

    fn read(&mut self, frame: &mut Frame) -> Result<(), OpError> {
        let Some(other) = self.reference.as_mut().map_or(Ok(None), |r| r.beside(frame))? else { return Ok(()) };
        let mut errors = Vec::with_capacity(self.parts.len());
        {
            let (a, b) = (frame.planes()?, other.planes()?);
            for part in &self.parts {
                let mut sum = 0u64;
                for y in 0..part.size.1 {
                    sum += match self.pair.row((&a, &b), &frame.spec().layout, part, y)? {
                        // 32768 squares of a byte fit into 32 bits.
                        Rows::Bytes(a, b) => {
                            u64::from(a.iter().zip(b).map(|(a, b)| u32::from(a.abs_diff(*b)).pow(2)).sum::<u32>())
                        }
                        Rows::Words(a, b) => a.iter().zip(b).map(|(a, b)| u64::from(a.abs_diff(*b)).pow(2)).sum(),
                    };
                }
                errors.push(sum as f64 / (f64::from(part.size.0) * f64::from(part.size.1)));
            }
        }
        let value = self.decibels(self.combined(&errors));
        frame.meta.measured("psnr", value);
        for (part, error) in self.parts.iter().zip(&errors) {
            frame.meta.measured(name(part.component), self.decibels(*error));
        }
        self.errors.iter_mut().zip(&errors).for_each(|(sum, e)| *sum += e);
        self.frames += 1;
        self.limits.saw(frame, value);
        Ok(())
    }

    fn last_events(&mut self) -> Vec<Event> {
        self.limits.last_events()
    }

    fn report(&self) -> Option<serde_json::Value> {
        let means: Vec<f64> = self.errors.iter().map(|e| e / self.frames.max(1) as f64).collect();
        // JSON has no infinity: equal pictures have no value there.
        let mut values = serde_json::Map::new();
        values.insert("psnr".into(), self.decibels(self.combined(&means)).into());
        for (part, mean) in self.parts.iter().zip(&means) {
            values.insert(name(part.component).into(), self.decibels(*mean).into());
        }
        Some(self.reference.as_ref()?.report(&self.limits, self.frames, values))
    }
}

//! Compares with a reference: structural similarity.

use std::ops::{AddAssign, Mul};
use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::reference::{Pair, Part, Reference, Rows, Sync, check_reference, parts};
use super::spans::Limits;
use super::{Group, Invalid, Mode, Op, OpConfig, OpError, Reach, Stream};
use crate::frame::{Component, Frame, Spec};
use crate::vision::event::Event;

/// Measures the structural similarity to a reference video: 1 for equal pictures.
///
/// `ssim` is that of all samples, `ssim-y`, `ssim-u`, `ssim-v` (or `-r`, `-g`, `-b`) that of a component, as ffmpeg's `ssim`
/// computes them: windows of 8x8 samples, 4 apart. A reference of another size is scaled; frames after its end are not
/// compared, and that is said.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Ssim {
    /// The video to compare with: anything that can be a source; required.
    pub reference: String,
    /// Which frames belong together: `order` (the first with the first, and so on) or `time` (the nearest in time; for runs
    /// with `--start`).
    #[schemars(with = "String")]
    pub sync: Sync,
    /// Spans below this value, 0 to 1, are listed in the statistics and the summary. Default: none.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = -1.0, max = 1.0))]
    pub min: Option<f64>,
}

impl OpConfig for Ssim {
    const NAME: &'static str = "ssim";
    const GROUP: Group = Group::Measure;
    const EXAMPLE: &'static str = "ssim:reference=generate:scene";
    const BEHIND: &'static str = "framewright's own sums, as ffmpeg's ssim";

    fn check(&self) -> Result<(), Invalid> {
        check_reference(&self.reference, Self::EXAMPLE)?;
        Invalid::unless_in("min", self.min.unwrap_or(0.0), -1.0..=1.0)
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
            columns: Default::default(),
            deep: Default::default(),
            blocks: Default::default(),
            sums: Vec::new(),
            frames: 0,
        })
    }
}

struct Comparing {
    config: Ssim,
    limits: Limits,
    reference: Option<Reference>,
    parts: Vec<Part>,
    pair: Pair,
    peak: f64,
    columns: Columns<u32>,
    deep: Columns<u64>,
    /// Sums over blocks of 4x4 samples: of the row of blocks above, and of this one.
    blocks: [Vec<Sums>; 2],
    sums: Vec<f64>,
    frames: u64,
}

/// Sums over some samples: of one picture, of the other, of the squares of both, of the products.
type Sums = [i64; 4];

/// The same by column.
#[derive(Default)]
struct Columns<T>([Vec<T>; 4]);

impl<T: Copy + Default + AddAssign + Mul<Output = T> + Into<u64>> Columns<T> {
    fn clear(&mut self, width: usize) {
        self.0.iter_mut().for_each(|v| {
            v.clear();
            v.resize(width, T::default());
        });
    }

    fn add<S: Copy + Into<T>>(&mut self, a: &[S], b: &[S]) {
        let [s1, s2, squares, products] = &mut self.0;
        let sums = s1.iter_mut().zip(s2).zip(squares.iter_mut().zip(products));
        for ((a, b), ((s1, s2), (squares, products))) in a.iter().zip(b).zip(sums) {
            let (a, b): (T, T) = ((*a).into(), (*b).into());
            *s1 += a;
            *s2 += b;
            *squares += a * a;
            *squares += b * b;
            *products += a * b;
        }
    }

    /// Sums over `width` columns each.
    fn blocks(&self, width: usize, out: &mut Vec<Sums>) {
        let of = |v: &[T]| v.iter().map(|v| (*v).into() as i64).sum::<i64>();
        let [a, b, c, d] = [0, 1, 2, 3].map(|i| self.0[i].chunks_exact(width));
        out.clear();
        out.extend(a.zip(b).zip(c.zip(d)).map(|((a, b), (c, d))| [of(a), of(b), of(c), of(d)]));
    }
}

/// The similarity of `n` samples. The constants are x264's and ffmpeg's: K1 = 0.01, K2 = 0.03, scaled for sums.
fn similarity([s1, s2, squares, products]: Sums, n: f64, peak: f64) -> f64 {
    let c1 = (0.01 * 0.01 * peak * peak * n + 0.5).floor();
    let c2 = (0.03 * 0.03 * peak * peak * n * (n - 1.0).max(1.0) + 0.5).floor();
    let (s1, s2, squares, products) = (s1 as f64, s2 as f64, squares as f64, products as f64);
    let variances = squares * n - s1 * s1 - s2 * s2;
    let covariance = products * n - s1 * s2;
    (2.0 * s1 * s2 + c1) * (2.0 * covariance + c2) / ((s1 * s1 + s2 * s2 + c1) * (variances + c2))
}

fn name(c: Component) -> &'static str {
    match c {
        Component::U => "ssim-u",
        Component::V => "ssim-v",
        Component::R => "ssim-r",
        Component::G => "ssim-g",
        Component::B => "ssim-b",
        _ => "ssim-y",
    }
}

impl Comparing {
    /// The mean over all windows of a component. A plane that is smaller than a window is one window.
    fn compare(&mut self, part: &Part, frame: &Frame, other: &Frame) -> Result<f64, OpError> {
        let (a, b, layout) = (frame.planes()?, other.planes()?, &frame.spec().layout);
        let (width, height) = part.size;
        let whole = width < 8 || height < 8;
        let block = if whole { (width, height) } else { (4, 4) };
        let used = if whole { width } else { width / 4 * 4 } as usize;
        let (mut sum, mut windows) = (0.0, 0u64);
        for by in 0..height / block.1 {
            self.columns.clear(used);
            self.deep.clear(used);
            let mut bytes = true;
            for y in by * block.1..(by + 1) * block.1 {
                match self.pair.row((&a, &b), layout, part, y)? {
                    Rows::Bytes(a, b) => self.columns.add(a, b),
                    Rows::Words(a, b) => {
                        bytes = false;
                        self.deep.add(a, b);
                    }
                }
            }
            self.blocks.swap(0, 1);
            match bytes {
                true => self.columns.blocks(block.0 as usize, &mut self.blocks[1]),
                false => self.deep.blocks(block.0 as usize, &mut self.blocks[1]),
            }
            let [above, here] = &self.blocks;
            if whole {
                return Ok(here
                    .first()
                    .map_or(1.0, |s| similarity(*s, f64::from(width) * f64::from(height), self.peak)));
            }
            if by == 0 {
                continue;
            }
            for (up, down) in above.windows(2).zip(here.windows(2)) {
                let all = [up[0], up[1], down[0], down[1]];
                let total = all.iter().fold([0; 4], |t, s| [t[0] + s[0], t[1] + s[1], t[2] + s[2], t[3] + s[3]]);
                sum += similarity(total, 64.0, self.peak);
                windows += 1;
            }
        }
        Ok(sum / windows.max(1) as f64)
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
        self.sums = vec![0.0; self.parts.len()];
        Ok(input.clone())
    }

    fn read(&mut self, frame: &mut Frame) -> Result<(), OpError> {
        let Some(mut reference) = self.reference.take() else { return Ok(()) };
        let parts = std::mem::take(&mut self.parts);
        let values: Option<Vec<f64>> = match reference.beside(frame)? {
            Some(other) => Some(parts.iter().map(|p| self.compare(p, frame, other)).collect::<Result<_, _>>()?),
            None => None,
        };
        if let Some(values) = values {
            let all = values.iter().zip(&parts).map(|(v, p)| v * p.weight).sum();
            frame.meta.measured("ssim", all);
            for ((part, value), sum) in parts.iter().zip(&values).zip(&mut self.sums) {
                frame.meta.measured(name(part.component), *value);
                *sum += value;
            }
            self.frames += 1;
            self.limits.saw(frame, all);
        }
        (self.reference, self.parts) = (Some(reference), parts);
        Ok(())
    }

    fn last_events(&mut self) -> Vec<Event> {
        self.limits.last_events()
    }

    fn report(&self) -> Option<serde_json::Value> {
        let reference = self.reference.as_ref()?;
        let mut values = serde_json::Map::new();
        let means: Vec<f64> = self.sums.iter().map(|s| s / self.frames.max(1) as f64).collect();
        let all = means.iter().zip(&self.parts).map(|(v, p)| v * p.weight).sum::<f64>();
        values.insert("ssim".into(), all.into());
        for (part, mean) in self.parts.iter().zip(&means) {
            values.insert(name(part.component).into(), (*mean).into());
        }
        Some(reference.report(&self.limits, self.frames, values))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_samples_are_alike_and_others_less() {
        // Four samples: 1, 2, 3, 4 with themselves, and with 4, 3, 2, 1.
        assert_eq!(similarity([10, 10, 60, 30], 4.0, 255.0), 1.0);
        let turned = similarity([10, 10, 60, 20], 4.0, 255.0);
        assert!(turned < 1.0, "{turned}");
        assert_eq!(similarity([0, 0, 0, 0], 1.0, 255.0), 1.0);
    }

    #[test]
    fn columns_add_up() {
        let mut c = Columns::<u32>::default();
        c.clear(4);
        c.add(&[1u8, 2, 3, 4, 9], &[1, 1, 1, 1, 9]);
        c.add(&[1u8, 2, 3, 4, 9], &[0, 0, 0, 255, 9]);
        let mut out = Vec::new();
        c.blocks(2, &mut out);
        assert_eq!(out, [[6, 2, 12, 3], [14, 257, 65077, 1027]]);
    }
}

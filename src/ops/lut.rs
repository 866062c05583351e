//! A colour look from a look-up table.

use std::path::PathBuf;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::cube::Cube;
use super::levels::look_up;
use super::{Group, Invalid, Mode, Op, OpConfig, OpError, Stream, Takes};
use crate::frame::{Frame, Layout, Spec};

/// Applies a colour look-up table from a `.cube` file (1D or 3D).
///
/// Between the table's colours it interpolates over tetrahedra, the usual way in grading. Works on 8-bit red, green and blue.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Lut {
    /// The `.cube` file: up to 129 entries a side, or 65536 for a 1D table.
    pub path: PathBuf,
    /// 0 changes nothing, 1 applies the table fully.
    #[serde(default = "one")]
    #[schemars(range(min = 0.0, max = 1.0))]
    pub strength: f64,
}

fn one() -> f64 {
    1.0
}

impl OpConfig for Lut {
    const NAME: &'static str = "lut";
    const GROUP: Group = Group::Tone;
    const EXAMPLE: &'static str = "lut:path=config/assets/warm.cube";
    const BEHIND: &'static str = "tetrahedral interpolation, as ffmpeg's lut3d";

    fn check(&self) -> Result<(), Invalid> {
        if self.path.as_os_str().is_empty() {
            return Err(Invalid::new("path", "path is empty: give the .cube file"));
        }
        Invalid::unless_in("strength", self.strength, 0.0..=1.0)
    }

    fn takes(&self, layout: &Layout) -> Takes {
        Takes::bgr(layout)
    }

    fn build(&self) -> Box<dyn Op> {
        Box::new(Grading { config: self.clone(), table: None })
    }
}

struct Grading {
    config: Lut,
    table: Option<Table>,
}

enum Table {
    /// For blue, green, red.
    Curves([[u8; 256]; 3]),
    Solid(Solid),
}

impl Op for Grading {
    fn mode(&self) -> Mode {
        Mode::InPlace
    }

    fn prepare(&mut self, input: &Arc<Spec>, _: &Stream) -> Result<Arc<Spec>, OpError> {
        let cube = Cube::open(&self.config.path).map_err(OpError::Refused)?;
        let strength = self.config.strength as f32;
        self.table = Some(match cube.solid {
            true => Table::Solid(Solid::new(&cube, strength)),
            false => Table::Curves(curves(&cube, strength)),
        });
        Ok(input.clone())
    }

    fn edit(&mut self, frame: &mut Frame) -> Result<(), OpError> {
        let height = frame.height();
        let mut planes = frame.planes_mut()?;
        for y in 0..height {
            let row = planes.row_mut(0, y)?;
            match &self.table {
                None => {}
                Some(Table::Curves(tables)) => look_up(row, tables),
                Some(Table::Solid(solid)) => solid.run(row),
            }
        }
        Ok(())
    }
}

/// Where sample `s` falls among `size` entries from `domain[0]` to `domain[1]`: the entry below, and how far to the next.
fn place(s: usize, size: usize, domain: [f32; 2]) -> (usize, f32) {
    let at = (s as f32 / 255.0 - domain[0]) / (domain[1] - domain[0]);
    let at = at.clamp(0.0, 1.0) * (size - 1) as f32;
    let below = (at.floor() as usize).min(size - 2);
    (below, at - below as f32)
}

fn curves(cube: &Cube, strength: f32) -> [[u8; 256]; 3] {
    // Blue, green, red.
    [2, 1, 0].map(|c| {
        std::array::from_fn(|s| {
            let (below, part) = place(s, cube.size, [cube.domain[0][c], cube.domain[1][c]]);
            let (a, b) = (cube.entries[below][c], cube.entries[below + 1][c]);
            let (old, new) = (s as f32 / 255.0, a + part * (b - a));
            (255.0 * (old + strength * (new - old))).round().clamp(0.0, 255.0) as u8
        })
    })
}

/// A 3D table in fixed point.
struct Solid {
    /// Blue, green, red and nothing, in 2⁻⁶ of an 8-bit step; blue changes slowest.
    entries: Vec<[u16; 4]>,
    /// For each sample of blue, green, red: how far its entry lies from the first, and how far it lies behind that in
    /// `FULL`ths of the way to the next.
    at: [[(u32, i32); 256]; 3],
    /// Entries from one to the next along blue, green, red.
    stride: [u32; 3],
}

/// All the way from one entry to the next.
const FULL: i32 = 1 << 14;

impl Solid {
    fn new(cube: &Cube, strength: f32) -> Self {
        let n = cube.size;
        let stride = [(n * n) as u32, n as u32, 1];
        let mut entries = Vec::with_capacity(n.pow(3));
        for (i, entry) in cube.entries.iter().enumerate() {
            let index = [i % n, i / n % n, i / (n * n)];
            // Interpolation gives the identity exactly, so that the strength can be in the table.
            let mixed: [u16; 3] = std::array::from_fn(|c| {
                let [low, high] = [cube.domain[0][c], cube.domain[1][c]];
                let old = low + (high - low) * index[c] as f32 / (n - 1) as f32;
                let new = (old + strength * (entry[c] - old)).clamp(0.0, 1.0);
                (new * 255.0 * 64.0).round() as u16
            });
            entries.push([mixed[2], mixed[1], mixed[0], 0]);
        }
        // Samples are blue, green, red; the file's components are red, green, blue.
        let at = [2, 1, 0].map(|c| {
            std::array::from_fn(|s| {
                let (below, part) = place(s, n, [cube.domain[0][c], cube.domain[1][c]]);
                (below as u32 * stride[2 - c], (part * FULL as f32).round() as i32)
            })
        });
        Solid { entries, at, stride }
    }

    /// Changes a row of blue, green, red.
    fn run(&self, row: &mut [u8]) {
        let all = self.stride.iter().sum::<u32>();
        for pixel in row.as_chunks_mut::<3>().0 {
            let [b, g, r]: [(u32, i32); 3] = std::array::from_fn(|i| self.at[i][usize::from(pixel[i])]);
            let first = b.0 + g.0 + r.0;
            // From the first corner of the cell to the last one along its edges, the longest way first: the tetrahedron
            // that the colour lies in.
            let mut order = [(b.1, self.stride[0]), (g.1, self.stride[1]), (r.1, self.stride[2])];
            for (i, j) in [(0, 1), (1, 2), (0, 1)] {
                if order[i].0 < order[j].0 {
                    order.swap(i, j);
                }
            }
            let [(f0, s0), (f1, s1), (f2, _)] = order;
            let corners = [first, first + s0, first + s0 + s1, first + all];
            let weights = [FULL - f0, f0 - f1, f1 - f2, f2];
            let mut sum = [1i32 << 19; 4];
            for (corner, weight) in corners.into_iter().zip(weights) {
                let entry = self.entries[corner as usize];
                for (s, e) in sum.iter_mut().zip(entry) {
                    *s += i32::from(e) * weight;
                }
            }
            *pixel = [(sum[0] >> 20) as u8, (sum[1] >> 20) as u8, (sum[2] >> 20) as u8];
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn solid(n: usize, f: impl Fn([f32; 3]) -> [f32; 3]) -> Cube {
        let at = |i: usize| i as f32 / (n - 1) as f32;
        let entries = (0..n.pow(3)).map(|i| f([at(i % n), at(i / n % n), at(i / (n * n))])).collect();
        Cube { size: n, solid: true, domain: [[0.0; 3], [1.0; 3]], entries }
    }

    #[test]
    fn the_identity_changes_nothing_whatever_the_size_and_strength() {
        let was: Vec<u8> = (0..30_000u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
        for (n, strength) in [(2, 1.0), (9, 1.0), (33, 0.5)] {
            let mut row = was.clone();
            Solid::new(&solid(n, |c| c), strength).run(&mut row);
            assert_eq!(row, was, "{n}");
        }
        let mut row = was.clone();
        Solid::new(&solid(5, |c| c.map(|v| 1.0 - v)), 0.0).run(&mut row);
        assert_eq!(row, was);
    }

    #[test]
    fn red_is_the_files_first_component() {
        let mut row = [10, 20, 30];
        Solid::new(&solid(3, |[r, _, b]| [r, 0.0, b * 0.5]), 1.0).run(&mut row);
        assert_eq!(row, [5, 0, 30]);
    }
}

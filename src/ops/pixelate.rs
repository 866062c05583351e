//! Shows the picture in large square blocks.

use std::sync::Arc;

use opencv::prelude::*;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::channels::{Dst, Src};
use super::sample::Sample;
use super::{Group, Invalid, Mode, Op, OpConfig, OpError, Reach, Stream};
use crate::frame::{Component, Frame, Spec};

/// Shows the picture in large square blocks, each of its mean colour.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Pixelate {
    /// Side of a block in pixels, 1 (changes nothing) to 1024; blocks begin at the left top corner of the picture, and those
    /// at the right and bottom edge may be smaller. Default: 16, unless `cells` is given. For hiding things see `mask`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1024))]
    pub size: Option<u32>,
    /// Instead of `size`: how many blocks there are along the picture's longer side, 1 to 1024.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1024))]
    pub cells: Option<u32>,
}

impl OpConfig for Pixelate {
    const NAME: &'static str = "pixelate";
    const GROUP: Group = Group::Detail;
    const EXAMPLE: &'static str = "pixelate:size=16";
    const BEHIND: &'static str = "our own block means, as cv::resize with INTER_AREA and back";

    fn check(&self) -> Result<(), Invalid> {
        Invalid::unless_in("size", self.size.unwrap_or(1), 1..=1024)?;
        Invalid::unless_in("cells", self.cells.unwrap_or(1), 1..=1024)?;
        match (self.size, self.cells) {
            (Some(_), Some(_)) => Err(Invalid::new("cells", "size and cells say the same thing: give one of them")),
            _ => Ok(()),
        }
    }

    fn reach(&self) -> Reach {
        // Blocks lie on a grid of the whole picture.
        Reach::Whole
    }

    fn build(&self) -> Box<dyn Op> {
        Box::new(Blocks { config: self.clone(), planes: Vec::new(), sums: Vec::new(), line: Vec::new() })
    }
}

struct Blocks {
    config: Pixelate,
    planes: Vec<Grid>,
    /// Of one row of blocks, by column and channel.
    sums: Vec<u32>,
    /// The row that comes of it.
    line: Vec<u32>,
}

/// The blocks of one plane.
struct Grid {
    /// Where they begin and end, in samples.
    columns: Vec<usize>,
    rows: Vec<usize>,
    /// Channels to leave alone, in a plane that has others.
    keep: Vec<usize>,
    skip: bool,
    channels: usize,
    shift: u32,
}

impl Op for Blocks {
    fn mode(&self) -> Mode {
        Mode::Transform
    }

    fn prepare(&mut self, input: &Arc<Spec>, _: &Stream) -> Result<Arc<Spec>, OpError> {
        let (w, h) = (input.info.width(), input.info.height());
        let size = match self.config.cells {
            Some(n) => w.max(h).div_ceil(n),
            None => self.config.size.unwrap_or(16),
        };
        let grid = |plane: &crate::frame::Plane| {
            let kept = |(_, c): &(usize, &Component)| matches!(c, Component::Alpha | Component::Unused);
            Grid {
                columns: bounds(plane.cols(w), size, plane.w_sub),
                rows: bounds(plane.rows(h), size, plane.h_sub),
                keep: plane.channels.iter().enumerate().filter(kept).map(|(k, _)| k).collect(),
                skip: plane.is_alpha(),
                channels: plane.channels.len(),
                shift: input.layout.shift,
            }
        };
        self.planes = input.layout.planes.iter().map(grid).collect();
        Ok(input.clone())
    }

    fn transform(&mut self, from: &Frame, to: &mut Frame) -> Result<(), OpError> {
        let Blocks { planes, sums, line, .. } = self;
        let bytes = from.spec().layout.bytes;
        let (src, mut dst) = (from.planes()?, to.planes_mut()?);
        for (i, grid) in planes.iter().enumerate() {
            let from = src.mat(i)?;
            dst.edit(i, |to| {
                match (grid.skip, bytes) {
                    (true, _) => from.copy_to(to)?,
                    (false, 1) => grid.fill::<u8>(&from, to, sums, line)?,
                    (false, _) => grid.fill::<u16>(&from, to, sums, line)?,
                }
                Ok::<_, OpError>(())
            })?;
        }
        Ok(())
    }
}

/// Where blocks of `size` pixels begin and end on a plane of `len` samples that is subsampled by 2^`sub`: a sample belongs
/// to the block that its first pixel is in.
fn bounds(len: u32, size: u32, sub: u32) -> Vec<usize> {
    let ends = (0..).map(|k| (k * u64::from(size)).div_ceil(1 << sub)).take_while(|e| *e < u64::from(len));
    let mut all: Vec<usize> = ends.map(|e| e as usize).collect();
    all.push(len as usize);
    all.dedup();
    all
}

impl Grid {
    fn fill<T: Sample>(
        &self,
        from: &Src<'_>,
        to: &mut Dst<'_>,
        sums: &mut Vec<u32>,
        line: &mut Vec<u32>,
    ) -> opencv::Result<()> {
        let (from, mut to, n) = (from.reshape_def(1)?, to.reshape_def_mut(1)?, self.channels);
        let width = to.cols() as usize;
        line.resize(width, 0);
        let mut row: Vec<T> = Vec::new();
        for rows in self.rows.windows(2) {
            sums.clear();
            sums.resize(width, 0);
            for y in rows[0]..rows[1] {
                for (sum, &s) in sums.iter_mut().zip(from.at_row::<T>(y as i32)?) {
                    *sum += Into::<u32>::into(s);
                }
            }
            for columns in self.columns.windows(2) {
                let area = ((rows[1] - rows[0]) * (columns[1] - columns[0])) as u64;
                let block = &sums[columns[0] * n..columns[1] * n];
                // Shifted samples are rounded where their significant bits end.
                let unit = area << self.shift;
                for k in 0..n {
                    let sum: u64 = block[k..].iter().step_by(n).map(|s| u64::from(*s)).sum();
                    let mean = (((sum + unit / 2) / unit) << self.shift) as u32;
                    line[columns[0] * n..columns[1] * n].iter_mut().skip(k).step_by(n).for_each(|s| *s = mean);
                }
            }
            row.clear();
            row.extend(line.iter().map(|s| T::exact(*s)));
            for y in rows[0]..rows[1] {
                let to = to.at_row_mut::<T>(y as i32)?;
                to.copy_from_slice(&row);
                for &k in &self.keep {
                    let from = from.at_row::<T>(y as i32)?;
                    let kept = from.iter().skip(k).step_by(n);
                    to.iter_mut().skip(k).step_by(n).zip(kept).for_each(|(to, from)| *to = *from);
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_end_at_the_same_pixels_on_every_plane() {
        assert_eq!(bounds(33, 16, 0), [0, 16, 32, 33]);
        assert_eq!(bounds(17, 16, 1), [0, 8, 16, 17]);
        assert_eq!(bounds(17, 15, 1), [0, 8, 15, 17]);
        assert_eq!(bounds(3, 1, 1), [0, 1, 2, 3]);
        assert_eq!(bounds(1, 1024, 2), [0, 1]);
    }

    #[test]
    fn one_of_size_and_cells() {
        let both = Pixelate { size: Some(8), cells: Some(8) };
        assert!(both.check().unwrap_err().message.contains("give one"));
        assert!(Pixelate { size: Some(0), cells: None }.check().is_err());
    }
}

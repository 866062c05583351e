//! A colour look from a look-up table.

use std::path::PathBuf;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::cube::{Cube, Table};
use super::matrix::{Step, add_means, rgb_to_yuv, spread};
use super::rows::Place;
use super::scale::Scale;
use super::{Group, Invalid, Mode, Op, OpConfig, OpError, Stream};
use crate::frame::{Component, Frame, FrameError, Spec};

/// Applies a colour look-up table from a `.cube` file (1D or 3D).
///
/// Between the table's colours it interpolates over tetrahedra, the usual way in grading, at the video's own depth. Luma and
/// chroma become red, green and blue for it and come back row by row; luma takes the chroma of its block.
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
    const BEHIND: &'static str = "tetrahedral interpolation on native planes, as ffmpeg's lut3d";

    fn check(&self) -> Result<(), Invalid> {
        if self.path.as_os_str().is_empty() {
            return Err(Invalid::new("path", "path is empty: give the .cube file"));
        }
        Invalid::unless_in("strength", self.strength, 0.0..=1.0)
    }

    fn build(&self) -> Box<dyn Op> {
        Box::new(Grading { config: self.clone(), way: None, rows: Rows::default() })
    }
}

struct Grading {
    config: Lut,
    way: Option<Way>,
    rows: Rows,
}

enum Way {
    Rgb(Table, Box<[Place; 3]>),
    Yuv(Box<Yuv>),
}

/// Room to work in: rows of codes.
#[derive(Default)]
struct Rows {
    yuv: [Vec<i16>; 3],
    wide: [Vec<i16>; 2],
    rgb: [Vec<i16>; 3],
    sums: [Vec<i32>; 3],
    out: Vec<i16>,
}

impl Op for Grading {
    fn mode(&self) -> Mode {
        Mode::InPlace
    }

    fn prepare(&mut self, input: &Arc<Spec>, _: &Stream) -> Result<Arc<Spec>, OpError> {
        let cube = Cube::open(&self.config.path).map_err(OpError::Refused)?;
        let strength = if self.config.strength > 0.0 { self.config.strength as f32 } else { return Ok(input.clone()) };
        self.way = Some(match input.layout.rgb {
            true => {
                let place = |c| Place::of(c, &input.layout).ok_or(FrameError::NoPlane(0));
                let places = [place(Component::R)?, place(Component::G)?, place(Component::B)?];
                Way::Rgb(Table::new(&cube, strength, &Scale::of_light(input), input.layout.depth), Box::new(places))
            }
            false => Way::Yuv(Box::new(Yuv::new(&cube, strength, input)?)),
        });
        Ok(input.clone())
    }

    fn edit(&mut self, frame: &mut Frame) -> Result<(), OpError> {
        match &self.way {
            None => {}
            Some(Way::Rgb(table, places)) => {
                let (height, mut planes) = (frame.height(), frame.planes_mut()?);
                for y in 0..height {
                    for (place, row) in places.iter().zip(&mut self.rows.rgb) {
                        place.get(&mut planes, y, row)?;
                    }
                    table.run(&mut self.rows.rgb);
                    for (place, row) in places.iter().zip(&self.rows.rgb) {
                        place.put(&mut planes, y, row)?;
                    }
                }
            }
            Some(Way::Yuv(yuv)) => yuv.run(frame, &mut self.rows)?,
        }
        Ok(())
    }
}

/// The table between two matrices.
struct Yuv {
    table: Table,
    luma: Place,
    /// None in gray video.
    chroma: Option<[Place; 2]>,
    neutral: i16,
    to_rgb: Step,
    to_yuv: Step,
}

impl Yuv {
    fn new(cube: &Cube, strength: f32, spec: &Spec) -> Result<Self, FrameError> {
        use Component::{U, V, Y};
        let place = |c| Place::of(c, &spec.layout);
        let luma = place(Y).ok_or(FrameError::NoPlane(0))?;
        // Red, green and blue in between are finer than what comes in, but for more than 12 bits.
        let depth = if spec.layout.depth == 8 { 10 } else { 12 };
        let full = f64::from((1u32 << depth) - 1);
        let between = Scale { zero: 0.0, unit: full, allowed: (0.0, full) };
        let light = Scale::of_light(spec);
        let color = Scale::of(U, spec).unwrap_or(light);
        let (there, back) = rgb_to_yuv(spec);
        let native = [light, color, color];
        Ok(Yuv {
            table: Table::new(cube, strength, &between, depth),
            luma,
            chroma: place(U).zip(place(V)).map(|(u, v)| [u, v]),
            neutral: (color.zero as i32 - luma.bias) as i16,
            to_rgb: Step::new(&back, native, luma.bias, [between; 3], 0, 11),
            // Up to 16 times as fine as what is between.
            to_yuv: Step::new(&there, [between; 3], 0, native, luma.bias, 11),
        })
    }

    fn run(&self, frame: &mut Frame, rows: &mut Rows) -> Result<(), FrameError> {
        let (width, height) = (frame.width() as usize, frame.height());
        let sub = self.chroma.map_or((0, 0), |c| c[0].sub);
        let Rows { yuv: [y, u, v], wide, rgb, sums, out } = rows;
        let mut planes = frame.planes_mut()?;
        for block in 0..height.div_ceil(1 << sub.1) {
            let lines = block << sub.1..((block + 1) << sub.1).min(height);
            let n = lines.len() as i32;
            match &self.chroma {
                Some(places) => {
                    places[0].get(&mut planes, block, u)?;
                    places[1].get(&mut planes, block, v)?;
                }
                None => [&mut *u, &mut *v].into_iter().for_each(|row| row.resize(width, self.neutral)),
            }
            spread(u, sub.0, width, &mut wide[0]);
            spread(v, sub.0, width, &mut wide[1]);
            for sums in sums.iter_mut() {
                sums.clear();
                sums.resize(u.len(), 0);
            }
            for line in lines {
                self.luma.get(&mut planes, line, y)?;
                for (i, row) in rgb.iter_mut().enumerate() {
                    self.to_rgb.run(i, [y, &wide[0], &wide[1]], row);
                }
                self.table.run(rgb);
                self.to_yuv.run(0, [&rgb[0], &rgb[1], &rgb[2]], out);
                self.luma.put(&mut planes, line, out)?;
                rgb.iter().zip(sums.iter_mut()).for_each(|(row, sums)| add_means(row, sub.0, sums));
            }
            let Some(places) = &self.chroma else { continue };
            for (row, sums) in rgb.iter_mut().zip(sums.iter()) {
                row.clear();
                row.extend(sums.iter().map(|s| (s / n) as i16));
            }
            for (i, place) in places.iter().enumerate() {
                self.to_yuv.run(i + 1, [&rgb[0], &rgb[1], &rgb[2]], out);
                place.put(&mut planes, block, out)?;
            }
        }
        Ok(())
    }
}

//! False colours.

use std::sync::Arc;

use gstreamer_video::VideoFormat;
use opencv::core::{self, Mat};
use opencv::imgproc;
use opencv::prelude::*;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::matrix::rgb_to_yuv;
use super::rows::Place;
use super::scale::Scale;
use super::{Group, Invalid, Mode, Op, OpConfig, OpError, Stream};
use crate::frame::{Color, Component, Frame, FrameError, Spec, shape_scratch};

/// Shows brightness in false colours.
///
/// Every pixel gets the colour that its brightness, from black to white of the video's own range, has on the map. Subsampled
/// chroma is the mean of its pixels' colours. Gray video becomes BGR (which a region or `when` cannot do).
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Colormap {
    /// OpenCV's colour maps by name: `viridis`, `inferno`, `magma`, `plasma`, `turbo`, `jet`, `hot` and so on.
    pub map: Map,
    /// `true` turns the map around: dark gets the colours of bright.
    pub reverse: bool,
}

/// The maps that OpenCV has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[allow(missing_docs)]
pub enum Map {
    Autumn,
    Bone,
    Jet,
    Winter,
    Rainbow,
    Ocean,
    Summer,
    Spring,
    Cool,
    Hsv,
    Pink,
    Hot,
    Parula,
    Magma,
    Inferno,
    Plasma,
    #[default]
    Viridis,
    Cividis,
    Twilight,
    TwilightShifted,
    Turbo,
    Deepgreen,
}

impl OpConfig for Colormap {
    const NAME: &'static str = "colormap";
    const GROUP: Group = Group::Tone;
    const EXAMPLE: &'static str = "colormap:map=inferno";
    const BEHIND: &'static str = "cv::applyColorMap, as tables on native planes";

    fn check(&self) -> Result<(), Invalid> {
        Ok(())
    }

    fn build(&self) -> Box<dyn Op> {
        Box::new(Mapping { config: self.clone(), way: None, gray: Mat::default(), old: Mat::default() })
    }
}

impl Map {
    /// OpenCV's number: the variants are in its order.
    fn number(self) -> i32 {
        self as i32
    }

    /// The colours of 0 to 255.
    fn colors(self, reverse: bool) -> opencv::Result<Vec<Color>> {
        let mut grays = Mat::new_rows_cols_with_default(1, 256, core::CV_8UC1, core::Scalar::all(0.0))?;
        for (i, g) in grays.at_row_mut::<u8>(0)?.iter_mut().enumerate() {
            *g = if reverse { 255 - i as u8 } else { i as u8 };
        }
        let mut colors = Mat::default();
        imgproc::apply_color_map(&grays, &mut colors, self.number())?;
        Ok(colors.at_row::<core::Vec3b>(0)?.iter().map(|c| Color::rgb(c[2], c[1], c[0])).collect())
    }
}

struct Mapping {
    config: Colormap,
    way: Option<Way>,
    gray: Mat,
    old: Mat,
}

enum Way {
    /// Brightness in 8 bits, and the colour of each.
    Bgr(Mat),
    Luma(Box<Tables>),
    Rgb(Box<Tables>),
}

/// Codes by code of brightness.
#[derive(Default)]
struct Tables {
    /// Luma above 2⁴⁸, and both chromas in 24 bits each, so that one sum adds up both; or red, green and blue.
    colors: Vec<u64>,
    /// For red, green and blue: their weights in brightness, in 2⁻¹⁴.
    weights: [i32; 3],
    rows: [Vec<i16>; 3],
    sums: Vec<u64>,
    out: [Vec<i16>; 2],
}

impl Op for Mapping {
    fn mode(&self) -> Mode {
        Mode::Transform
    }

    fn prepare(&mut self, input: &Arc<Spec>, _: &Stream) -> Result<Arc<Spec>, OpError> {
        let layout = &input.layout;
        let colors = self.config.map.colors(self.config.reverse)?;
        let gray = !layout.rgb && layout.find(Component::U).is_none();
        if gray || layout.is_bgr() {
            let mut table = Mat::new_rows_cols_with_default(256, 1, core::CV_8UC3, core::Scalar::all(0.0))?;
            for (i, c) in colors.iter().enumerate() {
                *table.at_mut::<core::Vec3b>(i as i32)? = core::Vec3b::from([c.b, c.g, c.r]);
            }
            self.way = Some(Way::Bgr(table));
            return Ok(if gray { Arc::new(input.with_format(VideoFormat::Bgr)?) } else { input.clone() });
        }
        let mut tables = Box::new(Tables::default());
        let three = match layout.rgb {
            true => [Component::R, Component::G, Component::B],
            false => [Component::Y, Component::U, Component::V],
        };
        let scale = Scale::of_light(input);
        for code in 0..1u32 << layout.depth {
            let at = scale.value(f64::from(code)).clamp(0.0, 1.0) * 255.0;
            let (below, part) = (at.floor(), at.fract());
            let pair = [below as usize, (below as usize + 1).min(255)].map(|i| colors[i]);
            let [a, b, c] = three.map(|c| {
                let [low, high] = pair.map(|color| f64::from(color.sample(c, &input.info, layout) >> layout.shift));
                (low + part * (high - low)).round() as u16
            });
            tables.colors.push((a as u64) << 48 | (b as u64) << 24 | c as u64);
        }
        tables.weights = rgb_to_yuv(input).0[0].map(|w| (w * 16384.0).round() as i32);
        self.way = Some(if layout.rgb { Way::Rgb(tables) } else { Way::Luma(tables) });
        Ok(input.clone())
    }

    fn transform(&mut self, from: &Frame, to: &mut Frame) -> Result<(), OpError> {
        match &mut self.way {
            None => {}
            Some(Way::Bgr(table)) => {
                let scale = Scale::of_light(from.spec());
                let step = f64::from(1u32 << (from.spec().layout.depth - 8));
                let (zero, unit) = (scale.zero / step, (scale.unit / step).min(255.0));
                let old = &mut self.old;
                let mut planes = to.planes_mut()?;
                from.gray(&mut self.gray, |g| {
                    planes.edit(0, |bgr| {
                        if unit == 255.0 {
                            return imgproc::apply_color_map_user(g, bgr, table).map_err(OpError::from);
                        }
                        shape_scratch(old, g.size()?, core::CV_8UC1)?;
                        g.convert_to(old, core::CV_8U, 255.0 / unit, -zero * 255.0 / unit)?;
                        imgproc::apply_color_map_user(old, bgr, table).map_err(OpError::from)
                    })
                })?;
            }
            Some(Way::Luma(tables)) => tables.luma(from, to)?,
            Some(Way::Rgb(tables)) => tables.rgb(from, to)?,
        }
        Ok(())
    }
}

/// Places of `three` components.
fn places(spec: &Spec, three: [Component; 3]) -> Result<[Place; 3], FrameError> {
    let place = |c| Place::of(c, &spec.layout).ok_or(FrameError::NoPlane(0));
    let [a, b, c] = three;
    Ok([place(a)?, place(b)?, place(c)?])
}

/// Planes with opacity or padding in them go over as they are, and whatever else they hold is overwritten.
fn keep_opacity(from: &Frame, to: &mut Frame) -> Result<(), FrameError> {
    let spec = from.spec().clone();
    let (src, mut dst) = (from.planes()?, to.planes_mut()?);
    for (i, plane) in spec.layout.planes.iter().enumerate() {
        let keeps = |c: &Component| matches!(c, Component::Alpha | Component::Unused);
        // 16-bit samples keep the bits beside the significant ones.
        if plane.channels.iter().any(keeps) || spec.layout.shift > 0 {
            let from = src.mat(i)?;
            dst.edit(i, |to| from.copy_to(to).map_err(FrameError::from))?;
        }
    }
    Ok(())
}

impl Tables {
    fn luma(&mut self, from: &Frame, to: &mut Frame) -> Result<(), FrameError> {
        let [y, u, v] = places(from.spec(), [Component::Y, Component::U, Component::V])?;
        keep_opacity(from, to)?;
        if self.small(from, to, [&y, &u, &v])? {
            return Ok(());
        }
        let (sub, height, width) = (u.sub, from.height(), from.width() as usize);
        let (src, mut dst) = (from.planes()?, to.planes_mut()?);
        let last = self.colors.len() - 1;
        for block in 0..height.div_ceil(1 << sub.1) {
            let lines = block << sub.1..((block + 1) << sub.1).min(height);
            let n = lines.len();
            self.sums.clear();
            self.sums.resize(width.div_ceil(1 << sub.0), 0);
            for line in lines {
                let row = &mut self.rows[0];
                y.read(&src, line, row)?;
                let mut color = |code: &mut i16| {
                    let color = self.colors[((i32::from(*code) + y.bias) as usize).min(last)];
                    *code = ((color >> 48) as i32 - y.bias) as i16;
                    color & ((1 << 48) - 1)
                };
                match sub.0 {
                    1 => {
                        let (pairs, rest) = row.as_chunks_mut::<2>();
                        let sums = self.sums.iter_mut();
                        sums.zip(pairs).for_each(|(s, [a, b])| *s += color(a) + color(b));
                        if let ([one], Some(s)) = (rest, self.sums.last_mut()) {
                            *s += color(one);
                        }
                    }
                    _ => self.sums.iter_mut().zip(row.chunks_mut(1 << sub.0)).for_each(|(s, pixels)| {
                        *s += pixels.iter_mut().map(&mut color).sum::<u64>();
                    }),
                }
                y.put(&mut dst, line, row)?;
            }
            let whole = (n as u64) << sub.0;
            let mean = |sum: u64, count: u64| -> [i16; 2] {
                halves(sum).map(|s| (((s + count / 2) / count) as i32 - u.bias) as i16)
            };
            let [us, vs] = &mut self.out;
            us.clear();
            vs.clear();
            // The common whole blocks have a power of two as their count, for which shifting is much faster.
            let shift = whole.trailing_zeros();
            for sum in &self.sums {
                let [a, b] = match whole.is_power_of_two() {
                    true => halves(*sum).map(|s| (((s + whole / 2) >> shift) as i32 - u.bias) as i16),
                    false => mean(*sum, whole),
                };
                us.push(a);
                vs.push(b);
            }
            // The last block may be cut off by the picture's edge.
            let cut = width % (1 << sub.0);
            if let (true, Some(sum), Some(a), Some(b)) = (cut > 0, self.sums.last(), us.last_mut(), vs.last_mut()) {
                [*a, *b] = mean(*sum, (n * cut) as u64);
            }
            u.put(&mut dst, block, us)?;
            v.put(&mut dst, block, vs)?;
        }
        Ok(())
    }

    /// The same for the most common pictures, three times as fast: 8 bits, chroma of 2×2 pixels, even sizes. False for others.
    fn small(&mut self, from: &Frame, to: &mut Frame, [y, u, v]: [&Place; 3]) -> Result<bool, FrameError> {
        let (spec, height) = (from.spec().clone(), from.height());
        let luma = &spec.layout.planes[y.plane];
        let even = height.is_multiple_of(2) && from.width().is_multiple_of(2);
        if spec.layout.bytes != 1 || luma.channels.len() != 1 || u.sub != (1, 1) || !even {
            return Ok(false);
        }
        // Luma in the upper 8 bits, where sums may overflow, and both chromas in 12 bits each.
        let table: [u32; 256] = std::array::from_fn(|i| {
            let color = self.colors[i];
            let [a, b] = halves(color & ((1 << 48) - 1));
            ((color >> 48) as u32) << 24 | (a as u32) << 12 | b as u32
        });
        let color = |code: u8| table[usize::from(code)];
        let (src, mut dst) = (from.planes()?, to.planes_mut()?);
        let [us, vs] = &mut self.out;
        for block in 0..height / 2 {
            self.sums.clear();
            for line in [2 * block, 2 * block + 1] {
                let (codes, out) = (src.row(y.plane, line)?, dst.row_mut(y.plane, line)?);
                let pairs = codes.as_chunks::<2>().0.iter().zip(out.as_chunks_mut::<2>().0);
                let both = pairs.map(|(codes, out)| {
                    let [a, b] = codes.map(color);
                    *out = [(a >> 24) as u8, (b >> 24) as u8];
                    u64::from(a.wrapping_add(b))
                });
                match line % 2 {
                    0 => self.sums.extend(both),
                    _ => self.sums.iter_mut().zip(both).for_each(|(s, b)| *s += b),
                }
            }
            us.clear();
            vs.clear();
            us.extend(self.sums.iter().map(|s| (((s >> 12 & 0xfff) + 2) >> 2) as i16));
            vs.extend(self.sums.iter().map(|s| (((s & 0xfff) + 2) >> 2) as i16));
            u.put(&mut dst, block, us)?;
            v.put(&mut dst, block, vs)?;
        }
        Ok(true)
    }

    fn rgb(&mut self, from: &Frame, to: &mut Frame) -> Result<(), FrameError> {
        keep_opacity(from, to)?;
        let places = places(from.spec(), [Component::R, Component::G, Component::B])?;
        let bias = places[0].bias;
        let last = self.colors.len() - 1;
        let (src, mut dst) = (from.planes()?, to.planes_mut()?);
        for y in 0..from.height() {
            for (place, row) in places.iter().zip(&mut self.rows) {
                place.read(&src, y, row)?;
            }
            let [r, g, b] = &mut self.rows;
            let [greens, blues] = &mut self.out;
            greens.clear();
            blues.clear();
            for ((r, g), b) in r.iter_mut().zip(g).zip(b) {
                let channels = [*r, *g, *b].into_iter().zip(self.weights);
                let sum: i32 = channels.map(|(c, w)| (i32::from(c) + bias) * w).sum();
                let at = (((sum + (1 << 13)) >> 14) as usize).min(last);
                *r = ((self.colors[at] >> 48) as i32 - bias) as i16;
                let [green, blue] = halves(self.colors[at] & ((1 << 48) - 1)).map(|c| (c as i32 - bias) as i16);
                greens.push(green);
                blues.push(blue);
            }
            places[0].put(&mut dst, y, &self.rows[0])?;
            places[1].put(&mut dst, y, &self.out[0])?;
            places[2].put(&mut dst, y, &self.out[1])?;
        }
        Ok(())
    }
}

/// The upper and the lower of the two numbers in 48 bits.
fn halves(both: u64) -> [u64; 2] {
    [both >> 24, both & ((1 << 24) - 1)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_numbers_are_those_of_opencv() {
        assert_eq!(Map::Autumn.number(), imgproc::COLORMAP_AUTUMN);
        assert_eq!(Map::Hsv.number(), imgproc::COLORMAP_HSV);
        assert_eq!(Map::Viridis.number(), imgproc::COLORMAP_VIRIDIS);
        assert_eq!(Map::TwilightShifted.number(), imgproc::COLORMAP_TWILIGHT_SHIFTED);
        assert_eq!(Map::Deepgreen.number(), imgproc::COLORMAP_DEEPGREEN);
    }

    #[test]
    fn reversed_is_the_other_way_round() {
        let (a, mut b) = (Map::Jet.colors(false).unwrap(), Map::Jet.colors(true).unwrap());
        b.reverse();
        assert_eq!(a, b);
    }
}

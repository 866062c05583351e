//! One number for another: functions of single samples as tables over native planes, whatever their depth and range.

use multiversion::multiversion;

use super::scale::Scale;
use crate::frame::{Component, Frame, FrameError, Spec};

/// A function of every sample, one for each component; see [`Levels::apply`].
pub struct Levels {
    planes: Vec<Map>,
    shift: u32,
}

/// What happens to one plane.
enum Map {
    Keep,
    /// The same for all pixels: a row's beginning.
    Fill([u8; BLOCK]),
    Shift(Box<Shift>),
    Affine(Box<Affine>),
    Table(Vec<[u8; 256]>),
    Deep(Vec<Option<Vec<u16>>>),
}

/// Samples that the fast loop does at once: a multiple of any number of channels, and of a vector.
const BLOCK: usize = 48;

/// `(s ^ flip) + add − sub`, saturated, from `low` to `high`: straight lines of slope 1 and −1, which need no wider numbers.
struct Shift {
    flip: [u8; BLOCK],
    add: [u8; BLOCK],
    sub: [u8; BLOCK],
    low: [u8; BLOCK],
    high: [u8; BLOCK],
}

/// `((s ^ flip) · 2⁸ · mul / 2¹⁶ + add − sub) / 2⁶`, saturated, from `low` to `high`, for each place in a block. The
/// compiler makes vectors of it, three times as fast as a table; it would not with `clamp`, which may panic.
struct Affine {
    flip: [u8; BLOCK],
    mul: [u16; BLOCK],
    add: [u16; BLOCK],
    sub: [u16; BLOCK],
    low: [u8; BLOCK],
    high: [u8; BLOCK],
}

impl Levels {
    /// Tables for pictures like `spec`: `change` says what a value (see [`Scale`]) of a component becomes. A code that it
    /// leaves where it is stays, even one that is not allowed as a result; opacity and padding always do.
    pub fn new(spec: &Spec, change: impl Fn(Component, f64) -> f64) -> Self {
        let layout = &spec.layout;
        let mut planes = Vec::new();
        for plane in &layout.planes {
            // What each channel's codes become, unrounded, and what may come out.
            let wanted: Vec<Option<(Vec<f64>, Scale)>> = plane
                .channels
                .iter()
                .map(|&c| {
                    let scale = Scale::of(c, spec)?;
                    let exact = |code: u32| scale.exact(change(c, scale.value(f64::from(code))));
                    Some(((0..1u32 << layout.depth).map(exact).collect(), scale))
                })
                .collect();
            planes.push(Map::of(&wanted, layout.bytes, layout.shift));
        }
        Levels { planes, shift: layout.shift }
    }

    /// Changes every sample of `frame`, in place.
    pub fn apply(&self, frame: &mut Frame) -> Result<(), FrameError> {
        let rows: Vec<u32> = frame.spec().layout.planes.iter().map(|p| p.rows(frame.height())).collect();
        let mut planes = frame.planes_mut()?;
        for (i, (map, rows)) in self.planes.iter().zip(rows).enumerate() {
            if matches!(map, Map::Keep) {
                continue;
            }
            for y in 0..rows {
                map.run(planes.row_mut(i, y)?, self.shift);
            }
        }
        Ok(())
    }
}

impl Map {
    fn of(wanted: &[Option<(Vec<f64>, Scale)>], bytes: u32, shift: u32) -> Self {
        let round = |(exact, scale): &(Vec<f64>, Scale)| -> Vec<u16> {
            let codes = exact.iter().enumerate().map(|(code, v)| match v.round() {
                same if same == code as f64 => code as u16,
                other => other.clamp(scale.allowed.0, scale.allowed.1) as u16,
            });
            codes.collect()
        };
        let tables: Vec<Option<Vec<u16>>> = wanted.iter().map(|w| w.as_ref().map(round)).collect();
        let kept =
            |t: &Option<Vec<u16>>| t.as_ref().is_none_or(|t| t.iter().enumerate().all(|(i, v)| i == *v as usize));
        if tables.iter().all(kept) {
            return Map::Keep;
        }
        let constant = |t: &Option<Vec<u16>>| t.as_ref().and_then(|t| t.iter().all(|v| *v == t[0]).then_some(t[0]));
        if let Some(values) = tables.iter().map(constant).collect::<Option<Vec<u16>>>() {
            let sample = |v: u16| (v << shift).to_le_bytes().into_iter().take(bytes as usize);
            let mut endless = values.into_iter().flat_map(sample).collect::<Vec<u8>>().into_iter().cycle();
            return Map::Fill(std::array::from_fn(|_| endless.next().unwrap_or_default()));
        }
        if bytes == 2 {
            return Map::Deep(tables.into_iter().map(|t| Some(t).filter(|t| !kept(t)).flatten()).collect());
        }
        let small =
            |t: &Option<Vec<u16>>| -> [u8; 256] { std::array::from_fn(|i| t.as_ref().map_or(i as u8, |t| t[i] as u8)) };
        let tables: Vec<[u8; 256]> = tables.iter().map(small).collect();
        if let Some(shift) = Shift::of(&tables) {
            return Map::Shift(Box::new(shift));
        }
        let identity: Vec<f64> = (0..256).map(f64::from).collect();
        let exact = |w: &Option<(Vec<f64>, Scale)>| w.as_ref().map_or_else(|| identity.clone(), |w| w.0.clone());
        let fitted: Option<Vec<Fit>> = wanted.iter().zip(&tables).map(|(w, t)| Fit::of(&exact(w), t)).collect();
        match fitted {
            Some(fits) => Map::Affine(Box::new(Affine::of(&fits))),
            None => Map::Table(tables),
        }
    }

    fn run(&self, row: &mut [u8], shift: u32) {
        match self {
            Map::Keep => {}
            Map::Fill(pattern) => row.chunks_mut(BLOCK).for_each(|c| c.copy_from_slice(&pattern[..c.len()])),
            Map::Shift(shift) => shift_along(shift, row),
            Map::Affine(affine) => move_along(affine, row),
            Map::Table(tables) => look_up(row, tables),
            Map::Deep(tables) => {
                for (k, table) in tables.iter().enumerate() {
                    let Some(table) = table else { continue };
                    let last = table.len() - 1;
                    for s in row.as_chunks_mut::<2>().0.iter_mut().skip(k).step_by(tables.len()) {
                        let was = u16::from_le_bytes(*s);
                        // Bits beside the significant ones stay.
                        let now = table[usize::from(was >> shift).min(last)] << shift | (was & ((1 << shift) - 1));
                        *s = now.to_le_bytes();
                    }
                }
            }
        }
    }
}

/// Replaces each 8-bit sample by its entry in the table of its channel.
pub fn look_up(row: &mut [u8], tables: &[[u8; 256]]) {
    match tables {
        [t] => row.iter_mut().for_each(|s| *s = t[usize::from(*s)]),
        [a, b, c] => row.as_chunks_mut::<3>().0.iter_mut().for_each(|s| {
            *s = [a[usize::from(s[0])], b[usize::from(s[1])], c[usize::from(s[2])]];
        }),
        _ => row.chunks_exact_mut(tables.len()).for_each(|pixel| {
            pixel.iter_mut().zip(tables).for_each(|(s, t)| *s = t[usize::from(*s)]);
        }),
    }
}

/// One channel's part of an [`Affine`].
#[derive(Clone, Copy)]
struct Fit {
    flip: u8,
    mul: u16,
    add: u16,
    sub: u16,
    low: u8,
    high: u8,
}

impl Fit {
    fn at(&self, s: u8) -> u8 {
        let scaled = ((u32::from(s ^ self.flip) << 8) * u32::from(self.mul)) >> 16;
        let moved = (scaled as u16).saturating_add(self.add).saturating_sub(self.sub) >> 6;
        (moved.min(255) as u8).min(self.high).max(self.low)
    }

    /// The arithmetic that gives exactly `table`, which is `exact` rounded and limited; `None` where there is none, since
    /// `exact` is no straight line, or too steep.
    fn of(exact: &[f64], table: &[u8; 256]) -> Option<Self> {
        let slope = (exact[255] - exact[0]) / 255.0;
        let straight = exact.iter().enumerate().all(|(i, v)| (v - exact[0] - slope * i as f64).abs() < 1e-6);
        if !straight || slope.abs() >= 3.99 {
            return None;
        }
        let flip = if slope < 0.0 { 255 } else { 0 };
        let (low, high) = (*table.iter().min()?, *table.iter().max()?);
        let near = (slope.abs() * 16384.0).round() as i32;
        for mul in (near - 3).max(0)..=near + 3 {
            // Each entry bounds what is added; where nothing satisfies all of them another factor may.
            let (mut least, mut most) = (-65535, 65535);
            for s in 0..=255u8 {
                let (scaled, t) = (((i32::from(s ^ flip)) * mul) >> 8, i32::from(table[usize::from(s)]));
                if t > i32::from(low) || low == high {
                    least = least.max(64 * t - scaled);
                }
                if t < i32::from(high) || low == high {
                    most = most.min(64 * t + 63 - scaled);
                }
            }
            if least > most {
                continue;
            }
            let add = (least + most) / 2;
            let (add, sub) = (add.max(0) as u16, (-add).max(0) as u16);
            let fit = Fit { flip, mul: mul as u16, add, sub, low, high };
            if (0..=255u8).all(|s| fit.at(s) == table[usize::from(s)]) {
                return Some(fit);
            }
        }
        None
    }
}

impl Affine {
    fn of(fits: &[Fit]) -> Self {
        let at = |i: usize| fits[i % fits.len()];
        Affine {
            flip: std::array::from_fn(|i| at(i).flip),
            mul: std::array::from_fn(|i| at(i).mul),
            add: std::array::from_fn(|i| at(i).add),
            sub: std::array::from_fn(|i| at(i).sub),
            low: std::array::from_fn(|i| at(i).low),
            high: std::array::from_fn(|i| at(i).high),
        }
    }
}

impl Shift {
    /// The arithmetic that gives exactly `tables`, if it is that simple.
    fn of(tables: &[[u8; 256]]) -> Option<Self> {
        let one = |table: &[u8; 256]| {
            let (low, high) = (*table.iter().min()?, *table.iter().max()?);
            // Where nothing is cut off.
            let inside = (0..=255u8).find(|s| (low + 1..high).contains(&table[usize::from(*s)]))?;
            [0, 255].into_iter().find_map(|flip| {
                let moved = i16::from(table[usize::from(inside)]) - i16::from(inside ^ flip);
                let (add, sub) = (u8::try_from(moved).unwrap_or(0), u8::try_from(-moved).unwrap_or(0));
                let at = |s: u8| (s ^ flip).saturating_add(add).saturating_sub(sub).min(high).max(low);
                (0..=255u8).all(|s| at(s) == table[usize::from(s)]).then_some([flip, add, sub, low, high])
            })
        };
        let all = tables.iter().map(one).collect::<Option<Vec<_>>>()?;
        let [flip, add, sub, low, high] = std::array::from_fn(|part| std::array::from_fn(|i| all[i % all.len()][part]));
        Some(Shift { flip, add, sub, low, high })
    }
}

#[multiversion(targets("x86_64+avx2"))]
fn shift_along(Shift { flip, add, sub, low, high }: &Shift, row: &mut [u8]) {
    let at = |s: u8, i: usize| (s ^ flip[i]).saturating_add(add[i]).saturating_sub(sub[i]).min(high[i]).max(low[i]);
    let (blocks, rest) = row.as_chunks_mut::<BLOCK>();
    for block in blocks {
        for (i, s) in block.iter_mut().enumerate() {
            *s = at(*s, i);
        }
    }
    for (i, s) in rest.iter_mut().enumerate().take(BLOCK) {
        *s = at(*s, i);
    }
}

#[multiversion(targets("x86_64+avx2"))]
fn move_along(Affine { flip, mul, add, sub, low, high }: &Affine, row: &mut [u8]) {
    let at = |s: u8, i: usize| {
        let scaled = (u32::from(u16::from(s ^ flip[i]) << 8) * u32::from(mul[i])) >> 16;
        let moved = (scaled as u16).saturating_add(add[i]).saturating_sub(sub[i]) >> 6;
        (moved.min(255) as u8).min(high[i]).max(low[i])
    };
    let (blocks, rest) = row.as_chunks_mut::<BLOCK>();
    for block in blocks {
        for (i, s) in block.iter_mut().enumerate() {
            *s = at(*s, i);
        }
    }
    for (i, s) in rest.iter_mut().enumerate().take(BLOCK) {
        *s = at(*s, i);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gstreamer_video::{VideoColorimetry, VideoFormat, VideoInfo};

    fn spec(format: VideoFormat, colorimetry: &str) -> Spec {
        gstreamer::init().unwrap();
        let c = colorimetry.parse::<VideoColorimetry>().unwrap();
        Spec::new(VideoInfo::builder(format, 16, 16).colorimetry(&c).build().unwrap()).unwrap()
    }

    /// The fast arithmetic is right to the last bit, for whatever brightness and contrast.
    #[test]
    fn straight_lines_are_arithmetic_and_exact() {
        let spec = spec(VideoFormat::I420, "bt709");
        let (mut arithmetic, mut shifts) = (0, 0);
        for gain in [-1.0, -0.37, 0.0, 0.1, 0.5, 0.93, 1.0, 1.2, 1.7, 2.0, 3.0, 3.9, 5.0] {
            for offset in [-0.6, -0.1, 0.0, 0.013, 0.25] {
                let levels = Levels::new(&spec, |_, v| gain * v + offset);
                let scale = Scale::of(Component::Y, &spec).unwrap();
                let map = &levels.planes[0];
                shifts += usize::from(matches!(map, Map::Shift(_)));
                if !matches!(map, Map::Shift(_) | Map::Affine(_)) {
                    continue;
                }
                arithmetic += 1;
                for s in 0..=255u8 {
                    // A block and a part of one.
                    let mut row = [s; BLOCK + 7];
                    map.run(&mut row, 0);
                    assert_eq!(row, [row[0]; BLOCK + 7]);
                    let exact = scale.exact(gain * scale.value(f64::from(s)) + offset).clamp(1.0, 254.0);
                    let right = (f64::from(row[0]) - exact).abs() <= 0.5 + 1e-9;
                    assert!(right || row[0] == s, "{gain} {offset}: {s}");
                }
            }
        }
        assert!(arithmetic >= 40 && shifts >= 8, "only {arithmetic} lines became arithmetic, {shifts} without factors");
    }

    #[test]
    fn channels_have_tables_of_their_own_and_opacity_stays() {
        for format in [VideoFormat::Rgba, VideoFormat::Argb, VideoFormat::Bgrx, VideoFormat::Ayuv] {
            let spec = spec(format, if format == VideoFormat::Ayuv { "bt709" } else { "sRGB" });
            let levels = Levels::new(&spec, |c, v| if c == Component::G { v * v } else { v * 0.5 });
            let mut row: Vec<u8> = (0..400).map(|i| (i * 7 % 256) as u8).collect();
            let was = row.clone();
            levels.planes[0].run(&mut row, 0);
            for (i, (a, b)) in was.iter().zip(&row).enumerate() {
                let c = spec.layout.planes[0].channels[i % 4];
                let Some(scale) = Scale::of(c, &spec) else {
                    assert_eq!(a, b, "{format}: {c:?}");
                    continue;
                };
                let v = scale.value(f64::from(*a));
                let wanted = scale.code(if c == Component::G { v * v } else { v * 0.5 });
                assert_eq!(u16::from(*b), wanted, "{format}: {c:?}");
            }
        }
    }

    #[test]
    fn deep_samples_keep_their_shift() {
        let spec = spec(VideoFormat::P01010le, "bt709");
        let levels = Levels::new(&spec, |c, v| if c == Component::Y { 1.0 - v } else { 0.0 });
        let mut row: Vec<u8> = [64u16 << 6, 940 << 6, 500 << 6].iter().flat_map(|s| s.to_le_bytes()).collect();
        levels.planes[0].run(&mut row, 6);
        let samples: Vec<u16> = row.chunks(2).map(|s| u16::from_le_bytes([s[0], s[1]]) >> 6).collect();
        assert_eq!(samples, [940, 64, 504]);
        let mut chroma = [1u8; 8];
        levels.planes[1].run(&mut chroma, 6);
        assert_eq!(chroma.chunks(2).map(|s| u16::from_le_bytes([s[0], s[1]])).collect::<Vec<_>>(), [512 << 6; 4]);
    }
}

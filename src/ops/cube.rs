//! Colour look-up tables in Adobe's `.cube` text format, 1D and 3D, with the input ranges that Resolve writes.

use std::path::Path;

use super::scale::Scale;

/// A table of red, green, blue, with values from 0 to 1.
#[derive(Debug, PartialEq)]
pub struct Cube {
    /// Entries along each side.
    pub size: usize,
    /// True for a table of colours by red, green and blue (red changes fastest), false for three curves.
    pub solid: bool,
    /// The input that the first and the last entry stand for.
    pub domain: [[f32; 3]; 2],
    /// The colours.
    pub entries: Vec<[f32; 3]>,
}

impl Cube {
    /// Reads a file; the error says what is wrong with it.
    pub fn open(path: &Path) -> Result<Self, String> {
        let text = std::fs::read(path).map_err(|e| format!("cannot read {}: {e}", path.display()))?;
        // Titles may be in any encoding.
        Self::parse(&String::from_utf8_lossy(&text)).map_err(|e| format!("{}: {e}", path.display()))
    }

    /// Reads the text of a file.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (mut size, mut domain, mut entries) = (None, [[0.0; 3], [1.0; 3]], Vec::new());
        for (n, line) in text.lines().enumerate() {
            let line = line.trim().trim_start_matches('\u{feff}');
            let wrong = |what: &str| format!("line {}: {what}: `{}`", n + 1, line.chars().take(60).collect::<String>());
            let mut words = line.split_whitespace();
            let Some(first) = words.next().filter(|w| !w.starts_with('#')) else { continue };
            let mut numbers = || -> Option<Vec<f32>> {
                let all: Result<Vec<f32>, _> = words.by_ref().map(str::parse).collect();
                all.ok().filter(|v| v.iter().all(|x| x.is_finite()))
            };
            match first {
                "TITLE" => {}
                "LUT_3D_SIZE" | "LUT_1D_SIZE" => {
                    let solid = first == "LUT_3D_SIZE";
                    let most = if solid { 129.0 } else { 65536.0 };
                    let n = numbers().filter(|v| v.len() == 1 && v[0].fract() == 0.0 && (2.0..=most).contains(&v[0]));
                    let n = n.ok_or_else(|| wrong(&format!("the size must be from 2 to {most}")))?[0] as usize;
                    if size.replace((n, solid)).is_some() {
                        return Err(wrong("a second size; files with both a 1D and a 3D table are not supported"));
                    }
                }
                "DOMAIN_MIN" | "DOMAIN_MAX" => {
                    let v =
                        numbers().and_then(|v| <[f32; 3]>::try_from(v).ok()).ok_or_else(|| wrong("not 3 numbers"))?;
                    domain[usize::from(first == "DOMAIN_MAX")] = v;
                }
                "LUT_3D_INPUT_RANGE" | "LUT_1D_INPUT_RANGE" => {
                    let v = numbers().filter(|v| v.len() == 2).ok_or_else(|| wrong("not 2 numbers"))?;
                    domain = [[v[0]; 3], [v[1]; 3]];
                }
                _ => {
                    let head = first.parse::<f32>().ok().filter(|v| v.is_finite());
                    match (head, numbers().as_deref()) {
                        (Some(r), Some([g, b])) => entries.push([r, *g, *b]),
                        (Some(_), _) => return Err(wrong("not 3 numbers")),
                        // Keywords that are not known change nothing that is.
                        (None, _) => {}
                    }
                }
            }
        }
        let (size, solid) = size.ok_or("no LUT_3D_SIZE or LUT_1D_SIZE: this is no .cube table")?;
        let wanted = if solid { size.pow(3) } else { size };
        if entries.len() != wanted {
            return Err(format!("{} entries where its size asks for {wanted}", entries.len()));
        }
        if (0..3).any(|i| domain[0][i] >= domain[1][i]) {
            return Err("its DOMAIN_MIN is not below its DOMAIN_MAX".into());
        }
        Ok(Cube { size, solid, domain, entries })
    }
}

/// A [`Cube`] between codes of red, green and blue.
pub enum Table {
    /// What each code becomes.
    Curves([Vec<i16>; 3]),
    /// A grid of colours.
    Solid(Solid),
    /// The same for samples of at most 10 bits and grids that are not too coarse.
    Packed(Packed),
}

/// In fixed point. Entries and weights are `i16`, whose products the compiler makes vectors of.
pub struct Solid {
    /// Red, green, blue and nothing, in 2^−`shift` of a code; red changes fastest.
    entries: Vec<[i16; 4]>,
    /// For each code of red, green, blue: how far its entry lies from the first; and above 2¹⁶ how far it lies behind that,
    /// in `FULL`ths of the way to the next, below 2¹⁶ how many entries further the next one is.
    at: [Vec<(u32, u32)>; 3],
    /// From the first corner of a cell to the last.
    diagonal: u32,
    shift: u32,
    bias: i32,
}

/// All the way from one entry to the next.
const FULL: u32 = 1 << 14;

/// As [`Solid`], with the three sums of a pixel in one word: half the time.
pub struct Packed {
    /// Red, green and blue in 21 bits each; red changes fastest.
    entries: Vec<u64>,
    /// As in [`Solid`], the way in [`PART`]ths.
    at: [Box<[(u32, u32); CODES]>; 3],
    diagonal: u32,
    /// Bits below the code in a sum, and the largest code.
    down: u32,
    last: u64,
}

/// Codes of 10 bits.
const CODES: usize = 1 << 10;
/// Bits of a sum.
const LANE: u32 = 21;
/// Bits of a weight, and all the way from one entry to the next.
const WEIGHT: u32 = 8;
const PART: u32 = 1 << WEIGHT;
/// Fewer entries a side lie too far apart for weights of so few bits.
const FINE: usize = 9;

impl Table {
    /// The table for codes of `scale` with `depth` bits, mixed with what was there by `strength`. Codes of 16 bits come and go
    /// minus 2¹⁵, as in [`Place::bias`](super::rows::Place::bias).
    pub fn new(cube: &Cube, strength: f32, scale: &Scale, depth: u32) -> Self {
        let bias = if depth == 16 { 1 << 15 } else { 0 };
        let code = |v: f32| (scale.zero + scale.unit * f64::from(v.clamp(0.0, 1.0))) - f64::from(bias);
        let codes = 0..1u32 << depth;
        let value = |c: u32| scale.value(f64::from(c)) as f32;
        let n = cube.size;
        // Where a code falls among the entries of component `c`: the entry below, and how far to the next.
        let place = |c: usize, v: f32| {
            let [low, high] = [cube.domain[0][c], cube.domain[1][c]];
            let at = ((v - low) / (high - low)).clamp(0.0, 1.0) * (n - 1) as f32;
            let below = (at as usize).min(n - 2);
            (below, at - below as f32)
        };
        if !cube.solid {
            return Table::Curves([0, 1, 2].map(|c| {
                let curve = codes.clone().map(|i| {
                    let (below, part) = place(c, value(i));
                    let (a, b) = (cube.entries[below][c], cube.entries[below + 1][c]);
                    code(value(i) + strength * (a + part * (b - a) - value(i))).round() as i16
                });
                curve.collect()
            }));
        }
        let packed = 1 << depth <= CODES && n >= FINE;
        // As fine as fits into 15 bits, or into a lane beside the weights.
        let shift = if packed { LANE - WEIGHT - depth } else { 15u32.saturating_sub(depth) };
        let entries = cube.entries.iter().enumerate().map(|(i, entry)| {
            let index = [i % n, i / n % n, i / (n * n)];
            // Interpolation gives the identity exactly, so that the strength can be in the table.
            let mixed = |c: usize| {
                let [low, high] = [cube.domain[0][c], cube.domain[1][c]];
                let old = low + (high - low) * index[c] as f32 / (n - 1) as f32;
                (code(old + strength * (entry[c] - old)) * f64::from(1u32 << shift)).round() as i16
            };
            [mixed(0), mixed(1), mixed(2), 0]
        });
        // Along red, green, blue; at most 129².
        let stride = [1, n as u32, (n * n) as u32];
        let diagonal = stride.iter().sum();
        let at = |c: usize, i: u32, full: u32| {
            let (below, part) = place(c, value(i));
            (below as u32 * stride[c], ((part * full as f32).round() as u32) << 16 | stride[c])
        };
        if packed {
            let last = (1 << depth) - 1;
            let at = [0, 1, 2].map(|c| Box::new(std::array::from_fn(|i| at(c, (i as u32).min(last), PART))));
            let pack = |[r, g, b, _]: [i16; 4]| [b, g, r].iter().fold(0, |word, v| word << LANE | *v as u64);
            let (entries, down) = (entries.map(pack).collect(), WEIGHT + shift);
            return Table::Packed(Packed { entries, at, diagonal, down, last: u64::from(last) });
        }
        let at = [0, 1, 2].map(|c| codes.clone().map(|i| at(c, i, FULL)).collect());
        Table::Solid(Solid { entries: entries.collect(), at, diagonal, shift, bias })
    }

    /// Changes a row of red, green, blue.
    pub fn run(&self, rgb: &mut [Vec<i16>; 3]) {
        match self {
            Table::Curves(curves) => {
                for (row, curve) in rgb.iter_mut().zip(curves) {
                    let (bias, last) = (if curve.len() > 1 << 15 { 1 << 15 } else { 0 }, curve.len() - 1);
                    row.iter_mut().for_each(|c| *c = curve[((i32::from(*c) + bias) as usize).min(last)]);
                }
            }
            Table::Solid(solid) => solid.run(rgb),
            Table::Packed(packed) => packed.run(rgb),
        }
    }
}

/// What comes first along three edges of a cell, from the longest way to the shortest: the tetrahedron that a colour lies in.
fn sorted(r: u32, g: u32, b: u32) -> [u32; 3] {
    let (x, y) = (b.max(g), b.min(g));
    let (y, z) = (y.max(r), y.min(r));
    [x.max(y), x.min(y), z]
}

impl Packed {
    #[inline(never)]
    fn run(&self, rgb: &mut [Vec<i16>; 3]) {
        let [reds, greens, blues] = rgb;
        let [at_r, at_g, at_b] = &self.at;
        let entry = |i: u32| self.entries[i as usize];
        let half = (0..3).fold(0, |word, _| word << LANE | 1u64 << (self.down - 1));
        for ((red, green), blue) in reds.iter_mut().zip(greens).zip(blues) {
            let [r, g, b] = [(at_r, *red), (at_g, *green), (at_b, *blue)].map(|(at, code)| at[code as usize % CODES]);
            let [x, y, z] = sorted(r.1, g.1, b.1);
            let first = b.0 + g.0 + r.0;
            let second = first + (x & 0xffff);
            let corners = [first, second, second + (y & 0xffff), first + self.diagonal].map(entry);
            let (x, y, z) = (u64::from(x >> 16), u64::from(y >> 16), u64::from(z >> 16));
            let weights = [u64::from(PART) - x, x - y, y - z, z];
            let sum = corners.iter().zip(weights).fold(half, |sum, (corner, weight)| sum + corner * weight);
            let lane = |n: u32| ((sum >> (n * LANE + self.down)) & self.last) as i16;
            (*red, *green, *blue) = (lane(0), lane(1), lane(2));
        }
    }
}

impl Solid {
    #[inline(never)]
    fn run(&self, rgb: &mut [Vec<i16>; 3]) {
        let [reds, greens, blues] = rgb;
        let [at_r, at_g, at_b] = &self.at;
        let last = at_r.len() - 1;
        let at = |table: &[(u32, u32)], code: i16| table[((i32::from(code) + self.bias) as usize).min(last)];
        let down = 14 + self.shift;
        let half = 1i32 << (down - 1);
        for ((red, green), blue) in reds.iter_mut().zip(greens).zip(blues) {
            let (r, g, b) = (at(at_r, *red), at(at_g, *green), at(at_b, *blue));
            let [x, y, z] = sorted(r.1, g.1, b.1);
            let first = b.0 + g.0 + r.0;
            let (second, third) = (first + (x & 0xffff), first + (x & 0xffff) + (y & 0xffff));
            let [p, q, s, t] = [first, second, third, first + self.diagonal].map(|i| self.entries[i as usize]);
            let (x, y, z) = (x >> 16, y >> 16, z >> 16);
            let weights = [FULL - x, x - y, y - z, z].map(|w| w as i16);
            let times = |e: i16, w: usize| i32::from(e) * i32::from(weights[w]);
            let sum: [i32; 4] =
                std::array::from_fn(|i| times(p[i], 0) + times(q[i], 1) + times(s[i], 2) + times(t[i], 3) + half);
            (*red, *green, *blue) = ((sum[0] >> down) as i16, (sum[1] >> down) as i16, (sum[2] >> down) as i16);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_both_kinds() {
        let text = "\u{feff}TITLE \"x\"\n# c\nLUT_1D_SIZE 2\nDOMAIN_MIN 0 0 0\nDOMAIN_MAX 2 2 2\n\n0 0 0\n1 .5 1e0\n";
        let c = Cube::parse(text).unwrap();
        assert_eq!((c.size, c.solid, c.domain, c.entries[1]), (2, false, [[0.0; 3], [2.0; 3]], [1.0, 0.5, 1.0]));
        let solid = format!("LUT_3D_SIZE 2\nLUT_3D_INPUT_RANGE 0.0 1.0\n{}", "0 0.5 1\n".repeat(8));
        assert_eq!(Cube::parse(&solid).unwrap().entries.len(), 8);
    }

    #[test]
    fn says_what_is_wrong() {
        let wrong = |t: &str| Cube::parse(t).unwrap_err();
        assert!(wrong("hello").contains("no .cube"));
        assert!(wrong("LUT_3D_SIZE 2\n0 0 0\n").contains("1 entries where its size asks for 8"));
        assert!(wrong("LUT_3D_SIZE 1").contains("2 to 129"));
        assert!(wrong("LUT_3D_SIZE 999999999").contains("2 to 129"));
        assert!(wrong("LUT_1D_SIZE 2\n0 0\n").contains("line 2: not 3 numbers"));
        assert!(wrong("LUT_1D_SIZE 2\n0 0 nan\n1 1 1").contains("not 3 numbers"));
        assert!(wrong("LUT_1D_SIZE 2\nDOMAIN_MAX 0 0 0\n0 0 0\n1 1 1").contains("DOMAIN_MIN"));
    }

    fn solid(n: usize, f: impl Fn([f32; 3]) -> [f32; 3]) -> Cube {
        let at = |i: usize| i as f32 / (n - 1) as f32;
        let entries = (0..n.pow(3)).map(|i| f([at(i % n), at(i / n % n), at(i / (n * n))])).collect();
        Cube { size: n, solid: true, domain: [[0.0; 3], [1.0; 3]], entries }
    }

    fn full(depth: u32) -> Scale {
        let max = f64::from((1u32 << depth) - 1);
        Scale { zero: 0.0, unit: max, allowed: (0.0, max) }
    }

    #[test]
    fn the_identity_changes_nothing_whatever_the_size_strength_and_depth() {
        for depth in [8, 10, 12, 16] {
            let bias = if depth == 16 { 1 << 15 } else { 0 };
            let row = |k: u32| -> Vec<i16> {
                let code = |i: u32| i.wrapping_mul(2_654_435_761 + 2 * k) >> (32 - depth);
                (0..10_000).map(|i| (code(i) as i32 - bias) as i16).collect()
            };
            let was = [row(0), row(1), row(2)];
            let inverse = solid(5, |c| c.map(|v| 1.0 - v));
            for (cube, strength) in
                [(solid(2, |c| c), 1.0), (solid(9, |c| c), 1.0), (solid(33, |c| c), 0.5), (inverse, 0.0)]
            {
                let mut rgb = was.clone();
                Table::new(&cube, strength, &full(depth), depth).run(&mut rgb);
                // The entries and weights of 16-bit samples are a little coarser than these are.
                let most = if depth == 16 { 4 } else { 0 };
                for (a, b) in was.iter().flatten().zip(rgb.iter().flatten()) {
                    assert!(
                        (i32::from(*a) - i32::from(*b)).abs() <= most,
                        "{depth} bits, {}: {a} became {b}",
                        cube.size
                    );
                }
            }
        }
    }

    #[test]
    fn red_is_the_files_first_component() {
        let mut rgb = [vec![30], vec![20], vec![10]];
        Table::new(&solid(3, |[r, _, b]| [r, 0.0, b * 0.5]), 1.0, &full(8), 8).run(&mut rgb);
        assert_eq!(rgb, [[30], [0], [5]]);
    }
}

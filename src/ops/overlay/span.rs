//! Rows of blending weights without what needs no work.

use multiversion::multiversion;

use super::ONE;
use crate::frame::Layout;

/// Pixels that show nothing and are worth a new span: fewer are blended along, to no effect.
const GAP: usize = 16;
/// Pixels alike that are worth being stored once.
const ALIKE: usize = 64;
/// Samples of a stored pattern: a whole number of pixels of 1 to 4 channels.
const PATTERN: usize = 192;

/// What happens to one plane; all counts are in interleaved samples, as the plane has them.
#[derive(Debug, Default)]
pub(super) struct Spans {
    spans: Vec<Span>,
    /// The weights of all varying spans, one after another.
    keep: Vec<u16>,
    add: Vec<u32>,
    patterns: Vec<Pattern>,
    bytes: usize,
    shift: u32,
    maximum: u16,
}

/// A piece of a row.
#[derive(Debug)]
struct Span {
    row: u32,
    left: usize,
    samples: usize,
    weights: Weights,
}

#[derive(Clone, Copy, Debug)]
enum Weights {
    /// From here on in `keep` and `add`.
    Varying(usize),
    /// The pattern of this number, over and over.
    Alike(usize),
}

/// One pixel, repeated.
#[derive(Debug)]
struct Pattern {
    keep: [u16; PATTERN],
    add: [u32; PATTERN],
    /// What is written where nothing shines through.
    opaque: Option<Vec<u8>>,
}

impl Spans {
    /// Forgets everything; what comes next is for planes of `layout`.
    pub fn clear(&mut self, layout: &Layout) {
        self.spans.clear();
        self.keep.clear();
        self.add.clear();
        self.patterns.clear();
        (self.bytes, self.shift) = (layout.bytes as usize, layout.shift);
        self.maximum = ((1u32 << layout.depth) - 1) as u16;
    }

    /// True when there is nothing to blend.
    pub fn is_empty(&self) -> bool {
        self.spans.is_empty()
    }

    /// Adds pixels of row `row` from pixel `left` on.
    pub fn row<const N: usize>(&mut self, row: u32, left: usize, keep: &[[u16; N]], add: &[[u32; N]]) {
        let untouched = |i: usize| keep[i].iter().all(|k| u32::from(*k) == ONE);
        let (mut start, mut at) = (0, 0);
        while at < keep.len() {
            let mut end = at + 1;
            while end < keep.len() && keep[end] == keep[at] && add[end] == add[at] {
                end += 1;
            }
            let nothing = untouched(at);
            if end - at >= if nothing { GAP } else { ALIKE } {
                self.varying(row, left + start, &keep[start..at], &add[start..at]);
                if !nothing {
                    let weights = Weights::Alike(self.pattern(&keep[at], &add[at]));
                    self.spans.push(Span { row, left: (left + at) * N, samples: (end - at) * N, weights });
                }
                start = end;
            }
            at = end;
        }
        self.varying(row, left + start, &keep[start..], &add[start..]);
    }

    fn varying<const N: usize>(&mut self, row: u32, left: usize, keep: &[[u16; N]], add: &[[u32; N]]) {
        if !keep.is_empty() {
            let weights = Weights::Varying(self.keep.len());
            self.keep.extend(keep.as_flattened());
            self.add.extend(add.as_flattened());
            self.spans.push(Span { row, left: left * N, samples: keep.len() * N, weights });
        }
    }

    /// The number of the pattern that repeats this pixel.
    fn pattern<const N: usize>(&mut self, keep: &[u16; N], add: &[u32; N]) -> usize {
        let same = |p: &Pattern| p.keep[..N] == *keep && p.add[..N] == *add;
        // Shapes have few of them; a picture may have as many as it has runs.
        let recent = self.patterns.len().saturating_sub(16);
        if let Some(i) = self.patterns[recent..].iter().rposition(same) {
            return recent + i;
        }
        let mut pattern = Pattern {
            keep: std::array::from_fn(|i| keep[i % N]),
            add: std::array::from_fn(|i| add[i % N]),
            opaque: None,
        };
        // Bits below the significant ones stay, so samples that have such cannot be overwritten as a whole.
        if keep.iter().all(|k| *k == 0) && self.shift == 0 {
            let mut bytes = vec![0; PATTERN * self.bytes];
            self.blend_piece(&mut bytes, &pattern.keep, &pattern.add);
            pattern.opaque = Some(bytes);
        }
        self.patterns.push(pattern);
        self.patterns.len() - 1
    }

    /// Blends onto the bytes of a plane whose rows are `step` bytes apart; `None` where the plane is too small.
    pub fn blend(&self, plane: &mut [u8], step: usize) -> Option<()> {
        for span in &self.spans {
            let from = span.row as usize * step + span.left * self.bytes;
            let bytes = plane.get_mut(from..from + span.samples * self.bytes)?;
            match span.weights {
                Weights::Varying(at) => {
                    let range = at..at + span.samples;
                    self.blend_piece(bytes, &self.keep[range.clone()], &self.add[range]);
                }
                Weights::Alike(i) => {
                    let pattern = &self.patterns[i];
                    for piece in bytes.chunks_mut(PATTERN * self.bytes) {
                        match &pattern.opaque {
                            Some(opaque) => piece.copy_from_slice(&opaque[..piece.len()]),
                            None => self.blend_piece(piece, &pattern.keep, &pattern.add),
                        }
                    }
                }
            }
        }
        Some(())
    }

    /// `keep` and `add` may be longer than the samples in `bytes`.
    fn blend_piece(&self, bytes: &mut [u8], keep: &[u16], add: &[u32]) {
        match self.bytes {
            1 => blend8(bytes, keep, add),
            _ => blend16(bytes, keep, add, self.shift, self.maximum),
        }
    }
}

#[multiversion(targets("x86_64+avx2"))]
fn blend8(row: &mut [u8], keep: &[u16], add: &[u32]) {
    for ((s, k), a) in row.iter_mut().zip(keep).zip(add) {
        *s = ((u32::from(*s) * u32::from(*k) + a + ONE / 2) >> 15) as u8;
    }
}

#[multiversion(targets("x86_64+avx2"))]
fn blend16(row: &mut [u8], keep: &[u16], add: &[u32], shift: u32, maximum: u16) {
    let below = (1u16 << shift) - 1;
    for ((s, k), a) in row.as_chunks_mut::<2>().0.iter_mut().zip(keep).zip(add) {
        let was = u16::from_le_bytes(*s);
        let now = (u32::from(was >> shift) * u32::from(*k) + a + ONE / 2) >> 15;
        // Bits below the significant ones (of P010, say) stay.
        let now = (now.min(u32::from(maximum)) as u16) << shift | (was & below);
        *s = now.to_le_bytes();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NONE: ([u16; 1], [u32; 1]) = ([ONE as u16], [0]);

    fn spans(pixels: &[([u16; 1], [u32; 1])]) -> Spans {
        let (keep, add): (Vec<_>, Vec<_>) = pixels.iter().copied().unzip();
        let mut spans = Spans::default();
        spans.clear(&Layout::i420());
        spans.row(0, 0, &keep, &add);
        spans
    }

    #[test]
    fn gaps_are_left_out_and_runs_are_stored_once() {
        let half = ([ONE as u16 / 2], [100 * ONE / 2]);
        let opaque = ([0], [50 * ONE]);
        let row = [vec![half; 3], vec![NONE; 5], vec![half; 2], vec![NONE; 40], vec![opaque; 500], vec![half; 200]];
        let pixels = row.concat();
        let spans = spans(&pixels);
        let places: Vec<_> = spans.spans.iter().map(|s| (s.left, s.samples)).collect();
        assert_eq!(places, [(0, 10), (50, 500), (550, 200)]);
        assert_eq!((spans.keep.len(), spans.patterns.len()), (10, 2));
        let mut plane = vec![200u8; pixels.len()];
        spans.blend(&mut plane, pixels.len()).unwrap();
        for (i, (now, (k, _))) in plane.iter().zip(&pixels).enumerate() {
            let wanted = if *k == NONE.0 {
                200
            } else if k[0] == 0 {
                50
            } else {
                150
            };
            assert_eq!(*now, wanted, "sample {i}");
        }
        assert!(spans.blend(&mut plane[..700], 700).is_none(), "a plane that is too small");
    }
}

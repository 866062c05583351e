//! NanoDet: for each side of a box a distribution over distances.

use super::super::engine::Tensor;
use super::super::manifest::CellPoint;
use super::{Frame, Table, best, cells, rows, shapes};
use crate::vision::{Detection, Rect};

/// Scores and distributions of one stride.
struct Level<'a> {
    scores: Table<'a>,
    sides: Table<'a>,
    /// In a joined output each row holds both.
    joined: bool,
}

/// Finds them by their shapes: exports name and order them as they like.
fn levels<'a>(outputs: &[Tensor<'a>], strides: &[u32], bins: usize, slot: usize, f: &Frame) -> Option<Vec<Level<'a>>> {
    let counts: Vec<usize> = strides.iter().map(|s| cells::count(f.size, *s)).collect();
    let both = f.classes + 4 * bins;
    if let [only] = outputs {
        if rows(only, both, f.batch)? != counts.iter().sum::<usize>() {
            return None;
        }
        let table = Table::of(only, slot, f.batch, both);
        let mut start = 0;
        let split = counts.iter().map(|n| {
            let data = table.data.get(start * both..(start + n) * both).unwrap_or_default();
            start += n;
            Level { scores: Table { data, cols: both }, sides: Table { data, cols: both }, joined: true }
        });
        return Some(split.collect());
    }
    let find = |cols: usize, n: usize| outputs.iter().position(|t| rows(t, cols, f.batch) == Some(n));
    let pair = |n: &usize| {
        let scores = find(f.classes, *n)?;
        // With as many classes as bins both have the same shape; scores come first.
        let sides =
            outputs.iter().enumerate().position(|(i, t)| i != scores && rows(t, 4 * bins, f.batch) == Some(*n))?;
        Some(Level {
            scores: Table::of(&outputs[scores], slot, f.batch, f.classes),
            sides: Table::of(&outputs[sides], slot, f.batch, 4 * bins),
            joined: false,
        })
    };
    counts.iter().map(pair).collect()
}

pub(super) fn check(outputs: &[Tensor<'_>], strides: &[u32], bins: usize, f: &Frame) -> Result<(), String> {
    if levels(outputs, strides, bins, 0, f).is_some() {
        return Ok(());
    }
    let counts: Vec<String> = strides.iter().map(|s| cells::count(f.size, *s).to_string()).collect();
    Err(format!(
        "its outputs are {}, and {} labels, {bins} bins and the strides {strides:?} make {} and {} columns in {} rows",
        shapes(outputs),
        f.classes,
        f.classes,
        4 * bins,
        counts.join(", ")
    ))
}

pub(super) fn decode(
    outputs: &[Tensor<'_>],
    strides: &[u32],
    bins: usize,
    point: CellPoint,
    slot: usize,
    f: &Frame,
    found: &mut Vec<Detection>,
) {
    for (level, stride) in levels(outputs, strides, bins, slot, f).into_iter().flatten().zip(strides) {
        let cells = cells::all(f.size, std::slice::from_ref(stride));
        for ((scores, sides), (x, y, stride)) in level.scores.rows().zip(level.sides.rows()).zip(cells) {
            let (class, score) = best(&scores[..f.classes]);
            if score < f.score {
                continue;
            }
            let sides = if level.joined { &sides[f.classes..] } else { sides };
            let offset = match point {
                CellPoint::Middle => 0.5 * (stride - 1.0),
                CellPoint::Corner => 0.0,
            };
            let (cx, cy) = (x * stride + offset, y * stride + offset);
            let mut far = sides.chunks_exact(bins).map(|side| expectation(side) * stride);
            let mut next = || far.next().unwrap_or_default();
            let (left, top, right, bottom) = (next(), next(), next(), next());
            let rect = Rect::from_corners(cx - left, cy - top, cx + right, cy + bottom);
            found.push(Detection {
                rect: rect.within(f.size[0] as f32, f.size[1] as f32),
                score,
                class: class as u32,
                ..Detection::default()
            });
        }
    }
}

/// The mean bin of a distribution given as logits.
fn expectation(logits: &[f32]) -> f32 {
    let top = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let (mut sum, mut weighted) = (0.0, 0.0);
    for (i, v) in logits.iter().enumerate() {
        let e = (v - top).exp();
        sum += e;
        weighted += e * i as f32;
    }
    weighted / sum
}

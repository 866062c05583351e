//! UltraFace: boxes are decoded in the network.

use super::super::engine::Tensor;
use super::{Frame, Table, rows, shapes};
use crate::vision::{Detection, Rect};

/// Scores (background, face) and boxes.
fn pair<'a, 'b>(outputs: &'b [Tensor<'a>], f: &Frame) -> Option<(&'b Tensor<'a>, &'b Tensor<'a>)> {
    let find = |cols| outputs.iter().find_map(|t| Some((t, rows(t, cols, f.batch)?)));
    let ((scores, n), (boxes, m)) = (find(f.classes + 1)?, find(4)?);
    (n == m && !std::ptr::eq(scores, boxes)).then_some((scores, boxes))
}

pub(super) fn check(outputs: &[Tensor<'_>], f: &Frame) -> Result<(), String> {
    match pair(outputs, f) {
        Some(_) => Ok(()),
        None => Err(format!(
            "its outputs are {}, and {} labels make scores with {} columns and boxes with 4",
            shapes(outputs),
            f.classes,
            f.classes + 1
        )),
    }
}

pub(super) fn decode(outputs: &[Tensor<'_>], slot: usize, f: &Frame, found: &mut Vec<Detection>) {
    let Some((scores, boxes)) = pair(outputs, f) else { return };
    let (scores, boxes) = (Table::of(scores, slot, f.batch, f.classes + 1), Table::of(boxes, slot, f.batch, 4));
    let [w, h] = f.size.map(|v| v as f32);
    for (scores, b) in scores.rows().zip(boxes.rows()) {
        let (class, score) = super::best(&scores[1..]);
        if score >= f.score {
            let rect = Rect::from_corners(b[0] * w, b[1] * h, b[2] * w, b[3] * h);
            found.push(Detection { rect, score, class: class as u32, ..Detection::default() });
        }
    }
}

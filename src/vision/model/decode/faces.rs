//! UltraFace: boxes are decoded in the network, or not.

use super::super::engine::Tensor;
use super::{Frame, Table, anchors, rows, shapes};
use crate::vision::{Detection, Rect};

/// Scores (background, face) and boxes.
fn pair<'a, 'b>(outputs: &'b [Tensor<'a>], f: &Frame) -> Option<(&'b Tensor<'a>, &'b Tensor<'a>, usize)> {
    let find = |cols| outputs.iter().find_map(|t| Some((t, rows(t, cols, f.batch)?)));
    let ((scores, n), (boxes, m)) = (find(f.classes + 1)?, find(4)?);
    (n == m && !std::ptr::eq(scores, boxes)).then_some((scores, boxes, n))
}

/// Anchors in pixels: the grid is rounded up.
fn priors(size: [u32; 2]) -> impl Iterator<Item = (f32, f32, f32)> {
    anchors::all(move |_, stride| size.map(|side| side.div_ceil(stride)))
}

pub(super) fn check(outputs: &[Tensor<'_>], anchors: bool, f: &Frame) -> Result<(), String> {
    let Some((.., n)) = pair(outputs, f) else {
        return Err(format!(
            "its outputs are {}, and {} labels make scores with {} columns and boxes with 4",
            shapes(outputs),
            f.classes,
            f.classes + 1
        ));
    };
    let wanted = priors(f.size).count();
    if anchors && n != wanted {
        let [w, h] = f.size;
        return Err(format!("its outputs have {n} rows, and there are {wanted} anchors on {w}x{h} pixels"));
    }
    Ok(())
}

/// Offsets from anchors as in `opencv_dnn/` of the project: variances 0.1 and 0.2, sides at most the input's.
pub(super) fn decode(outputs: &[Tensor<'_>], anchors: bool, slot: usize, f: &Frame, found: &mut Vec<Detection>) {
    let Some((scores, boxes, _)) = pair(outputs, f) else { return };
    let (scores, boxes) = (Table::of(scores, slot, f.batch, f.classes + 1), Table::of(boxes, slot, f.batch, 4));
    let [w, h] = f.size.map(|v| v as f32);
    let mut add = |scores: &[f32], rect: &dyn Fn() -> Rect| {
        let (class, score) = super::best(&scores[1..]);
        if score >= f.score {
            found.push(Detection { rect: rect(), score, class: class as u32, ..Detection::default() });
        }
    };
    if !anchors {
        for (scores, b) in scores.rows().zip(boxes.rows()) {
            add(scores, &|| Rect::from_corners(b[0] * w, b[1] * h, b[2] * w, b[3] * h));
        }
        return;
    }
    for ((scores, b), (x, y, side)) in scores.rows().zip(boxes.rows()).zip(priors(f.size)) {
        add(scores, &|| {
            let (aw, ah) = (side.min(w), side.min(h));
            let (cx, cy) = (x.min(w) + b[0] * 0.1 * aw, y.min(h) + b[1] * 0.1 * ah);
            Rect::from_center(cx, cy, aw * (b[2] * 0.2).exp(), ah * (b[3] * 0.2).exp())
        });
    }
}

//! FastestDet: one grid, one box a cell.

use super::super::engine::Tensor;
use super::{Frame, Table, check_classes, first, shape, sigmoid};
use crate::vision::{Detection, Rect};

pub(super) fn check(outputs: &[Tensor<'_>], f: &Frame) -> Result<(), String> {
    let tensor = first(outputs)?;
    match tensor.shape {
        [batch, planes, _, _] if *batch == f.batch => check_classes(tensor, *planes, 5, f, "fastestdet"),
        _ => Err(format!("its output {} {} is none of decode = \"fastestdet\"", tensor.name, shape(tensor))),
    }
}

/// As `example/onnx-runtime/runtime.py` of the project.
pub(super) fn decode(outputs: &[Tensor<'_>], slot: usize, f: &Frame, found: &mut Vec<Detection>) {
    let Ok(tensor) = first(outputs) else { return };
    let [.., rows, cols] = *tensor.shape else { return };
    let planes: Vec<&[f32]> = Table::of(tensor, slot, f.batch, rows * cols).rows().collect();
    let [objects, xs, ys, ws, hs, classes @ ..] = planes.as_slice() else { return };
    let (cell_w, cell_h) = (f.size[0] as f32 / cols as f32, f.size[1] as f32 / rows as f32);
    for (i, object) in objects.iter().enumerate() {
        let mut top = (0, f32::NEG_INFINITY);
        for (class, scores) in classes.iter().enumerate() {
            if scores[i] > top.1 {
                top = (class as u32, scores[i]);
            }
        }
        let score = object.powf(0.6) * top.1.powf(0.4);
        if score >= f.score {
            let cx = ((i % cols) as f32 + xs[i].tanh()) * cell_w;
            let cy = ((i / cols) as f32 + ys[i].tanh()) * cell_h;
            let rect = Rect::from_center(cx, cy, sigmoid(ws[i]) * f.size[0] as f32, sigmoid(hs[i]) * f.size[1] as f32);
            found.push(Detection { rect, score, class: top.0, ..Detection::default() });
        }
    }
}

//! DETR and RT-DETR: a set of queries, each with a box and a class or none.

use super::super::engine::Tensor;
use super::super::manifest::Activation;
use super::{Frame, Table, best, rows, shapes, sigmoid};
use crate::vision::{Detection, Rect};

/// Columns of the logits: with softmax the last one stands for nothing.
fn columns(activation: Activation, f: &Frame) -> usize {
    f.classes + usize::from(activation == Activation::Softmax)
}

/// Logits and boxes, by shape; with three classes and softmax both have four columns, then logits come first.
fn pair<'a, 'b>(outputs: &'b [Tensor<'a>], cols: usize, f: &Frame) -> Option<(&'b Tensor<'a>, &'b Tensor<'a>)> {
    let logits = outputs.iter().position(|t| rows(t, cols, f.batch).is_some())?;
    let boxes = outputs.iter().enumerate().position(|(i, t)| i != logits && rows(t, 4, f.batch).is_some())?;
    let (logits, boxes) = (&outputs[logits], &outputs[boxes]);
    (rows(logits, cols, f.batch) == rows(boxes, 4, f.batch)).then_some((logits, boxes))
}

pub(super) fn check(outputs: &[Tensor<'_>], activation: Activation, f: &Frame) -> Result<(), String> {
    let cols = columns(activation, f);
    match pair(outputs, cols, f) {
        Some(_) => Ok(()),
        None => Err(format!(
            "its outputs are {}, and {} labels make logits with {cols} columns and boxes with 4",
            shapes(outputs),
            f.classes
        )),
    }
}

pub(super) fn decode(
    outputs: &[Tensor<'_>],
    activation: Activation,
    slot: usize,
    f: &Frame,
    found: &mut Vec<Detection>,
) {
    let cols = columns(activation, f);
    let Some((logits, boxes)) = pair(outputs, cols, f) else { return };
    let (logits, boxes) = (Table::of(logits, slot, f.batch, cols), Table::of(boxes, slot, f.batch, 4));
    let [w, h] = f.size.map(|v| v as f32);
    for (logits, b) in logits.rows().zip(boxes.rows()) {
        let (class, top) = best(&logits[..f.classes]);
        let score = match activation {
            Activation::None => top,
            Activation::Sigmoid => sigmoid(top),
            Activation::Softmax => 1.0 / logits.iter().map(|v| (v - top).exp()).sum::<f32>(),
        };
        if score >= f.score {
            let rect = Rect::from_center(b[0] * w, b[1] * h, b[2] * w, b[3] * h);
            found.push(Detection { rect, score, class: class as u32, ..Detection::default() });
        }
    }
}

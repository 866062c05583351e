//! From the numbers that come out of a network to boxes in its input's pixels.
//!
//! One file per family. Each has a `check`, which compares the shapes of a first run with the manifest, and a `decode`, which
//! relies on what `check` has seen: a network gives the same shapes for the same input.

mod anchors;
mod cells;
mod detr;
mod faces;
mod fastestdet;
mod nanodet;
mod ssd;
mod whole;
mod yolo;
mod yunet;

use super::engine::Tensor;
use super::manifest::Output;
use crate::vision::Detection;

pub(super) use whole::{scores, vector};

/// What decoding needs to know besides the numbers.
#[derive(Clone, Copy, Debug)]
pub(super) struct Frame {
    /// The input's width and height.
    pub size: [u32; 2],
    /// How many pictures went in.
    pub batch: usize,
    /// How many classes have labels.
    pub classes: usize,
    /// What scores less is left out.
    pub score: f32,
}

/// Compares the shapes of `outputs` with what the manifest says; the difference in words.
pub(super) fn check(output: &Output, outputs: &[Tensor<'_>], f: &Frame) -> Result<(), String> {
    match output {
        Output::Yolox { strides } => yolo::check_x(outputs, strides, f),
        Output::Yolov5 {} => yolo::check_5(outputs, f),
        Output::Yolov8 {} => yolo::check_8(outputs, f),
        Output::Nanodet { strides, bins, .. } => nanodet::check(outputs, strides, *bins, f),
        Output::Fastestdet {} => fastestdet::check(outputs, f),
        Output::Yunet { strides } => yunet::check(outputs, strides, f),
        Output::Ultraface { anchors } => faces::check(outputs, *anchors, f),
        Output::Ssd { .. } => ssd::check(output, outputs, f),
        Output::Detr { activation } => detr::check(outputs, *activation, f),
        Output::Classify { .. } => whole::check_scores(outputs, f),
        Output::Embedding {} => whole::check_vector(outputs, f),
    }
}

/// Adds what is found in picture `slot` of the batch, in pixels of the input, in no order. Nothing for outputs without boxes.
pub(super) fn boxes(output: &Output, outputs: &[Tensor<'_>], slot: usize, f: &Frame, found: &mut Vec<Detection>) {
    match output {
        Output::Yolox { strides } => yolo::decode_x(outputs, strides, slot, f, found),
        Output::Yolov5 {} => yolo::decode_5(outputs, slot, f, found),
        Output::Yolov8 {} => yolo::decode_8(outputs, slot, f, found),
        Output::Nanodet { strides, bins, point } => nanodet::decode(outputs, strides, *bins, *point, slot, f, found),
        Output::Fastestdet {} => fastestdet::decode(outputs, slot, f, found),
        Output::Yunet { strides } => yunet::decode(outputs, strides, slot, f, found),
        Output::Ultraface { anchors } => faces::decode(outputs, *anchors, slot, f, found),
        Output::Ssd { .. } => ssd::decode(output, outputs, slot, f, found),
        Output::Detr { activation } => detr::decode(outputs, *activation, slot, f, found),
        Output::Classify { .. } | Output::Embedding {} => {}
    }
    // Sizes are often exponents, which untrained or quantised networks drive to infinity.
    found.retain(|d| d.rect.is_finite());
}

/// The numbers of one picture as a table.
#[derive(Clone, Copy)]
struct Table<'a> {
    data: &'a [f32],
    cols: usize,
}

impl<'a> Table<'a> {
    /// Picture `slot` of a tensor with rows of `cols` numbers.
    fn of(tensor: &Tensor<'a>, slot: usize, batch: usize, cols: usize) -> Self {
        let each = tensor.data.len() / batch.max(1);
        Table { data: tensor.data.get(slot * each..(slot + 1) * each).unwrap_or_default(), cols: cols.max(1) }
    }

    fn rows(self) -> impl Iterator<Item = &'a [f32]> {
        self.data.chunks_exact(self.cols)
    }
}

/// Rows of `cols` numbers a picture, if the last dimension is that.
fn rows(tensor: &Tensor<'_>, cols: usize, batch: usize) -> Option<usize> {
    let whole = cols * batch;
    (tensor.shape.last() == Some(&cols) && whole > 0 && tensor.data.len().is_multiple_of(whole))
        .then(|| tensor.data.len() / whole)
}

/// The place and value of the largest number; the first of equals.
fn best(scores: &[f32]) -> (usize, f32) {
    scores.iter().enumerate().fold((0, f32::NEG_INFINITY), |top, (i, v)| if *v > top.1 { (i, *v) } else { top })
}

fn sigmoid(v: f32) -> f32 {
    1.0 / (1.0 + (-v).exp())
}

/// `1x3549x85`.
fn shape(tensor: &Tensor<'_>) -> String {
    tensor.shape.iter().map(usize::to_string).collect::<Vec<_>>().join("x")
}

/// All outputs with their shapes, for messages.
pub(super) fn shapes(outputs: &[Tensor<'_>]) -> String {
    let list: Vec<String> = outputs.iter().map(|t| format!("{} {}", t.name, shape(t))).collect();
    if list.is_empty() { "none".to_owned() } else { list.join(", ") }
}

/// The error for rows of another length than `fixed` numbers and a score for each class.
fn check_classes(tensor: &Tensor<'_>, cols: usize, fixed: usize, f: &Frame, decode: &str) -> Result<(), String> {
    if cols == fixed + f.classes {
        return Ok(());
    }
    match cols.checked_sub(fixed) {
        Some(classes @ 1..) => Err(format!(
            "its output {} {} has {classes} classes, and the manifest has {} labels",
            tensor.name,
            shape(tensor),
            f.classes
        )),
        _ => Err(format!("its output {} {} is none of decode = \"{decode}\"", tensor.name, shape(tensor))),
    }
}

/// The first output; `check` has seen that there is one.
fn first<'a, 'b>(outputs: &'b [Tensor<'a>]) -> Result<&'b Tensor<'a>, String> {
    outputs.first().ok_or_else(|| "it has no output".to_owned())
}

#[cfg(test)]
mod tests;

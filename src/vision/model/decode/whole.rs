//! Outputs about the whole picture: classes and embeddings.

use super::super::engine::Tensor;
use super::super::manifest::Activation;
use super::{Frame, Table, check_classes, first, shape, sigmoid};

pub(super) fn check_scores(outputs: &[Tensor<'_>], f: &Frame) -> Result<(), String> {
    let tensor = first(outputs)?;
    check_classes(tensor, tensor.data.len() / f.batch.max(1), 0, f, "classify")
}

pub(super) fn check_vector(outputs: &[Tensor<'_>], f: &Frame) -> Result<(), String> {
    let tensor = first(outputs)?;
    let each = tensor.data.len() / f.batch.max(1);
    match tensor.shape.first() {
        Some(batch) if *batch == f.batch && each > 1 => Ok(()),
        _ => Err(format!("its output {} {} is no vector for each picture", tensor.name, shape(tensor))),
    }
}

/// How likely picture `slot` shows each class.
pub(in super::super) fn scores(outputs: &[Tensor<'_>], activation: Activation, slot: usize, f: &Frame) -> Vec<f32> {
    let Ok(tensor) = first(outputs) else { return Vec::new() };
    let mut scores = Table::of(tensor, slot, f.batch, f.classes).data.to_vec();
    match activation {
        Activation::None => {}
        Activation::Sigmoid => scores.iter_mut().for_each(|v| *v = sigmoid(*v)),
        Activation::Softmax => {
            let top = scores.iter().copied().fold(f32::NEG_INFINITY, f32::max);
            scores.iter_mut().for_each(|v| *v = (*v - top).exp());
            let sum: f32 = scores.iter().sum();
            scores.iter_mut().for_each(|v| *v /= sum);
        }
    }
    scores
}

/// The vector of picture `slot`, made one of length 1.
pub(in super::super) fn vector(outputs: &[Tensor<'_>], slot: usize, f: &Frame) -> Vec<f32> {
    let Ok(tensor) = first(outputs) else { return Vec::new() };
    let mut vector = Table::of(tensor, slot, f.batch, 1).data.to_vec();
    let length = vector.iter().map(|v| v * v).sum::<f32>().sqrt();
    if length > 0.0 {
        vector.iter_mut().for_each(|v| *v /= length);
    }
    vector
}

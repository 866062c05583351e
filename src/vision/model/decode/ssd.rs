//! SSD and its kin, whose boxes are final: Caffe's `DetectionOutput`, TensorFlow's and torchvision's separate outputs.

use super::super::engine::Tensor;
use super::super::manifest::Output;
use super::{Frame, Table, first, shape, shapes};
use crate::vision::{Detection, Rect};

/// The three outputs that the manifest names.
fn parts<'a, 'b>(output: &Output, outputs: &'b [Tensor<'a>]) -> Option<Result<[&'b Tensor<'a>; 3], String>> {
    let Output::Ssd { boxes: Some(boxes), scores: Some(scores), classes: Some(classes), .. } = output else {
        return None;
    };
    let find = |name: &str| {
        let missing = || format!("it has no output `{name}`; its outputs are {}", shapes(outputs));
        outputs.iter().find(|t| t.name == name).ok_or_else(missing)
    };
    let all = || Ok([find(boxes)?, find(scores)?, find(classes)?]);
    Some(all())
}

pub(super) fn check(output: &Output, outputs: &[Tensor<'_>], f: &Frame) -> Result<(), String> {
    if f.batch != 1 {
        return Err("networks with final boxes take one picture at a time".into());
    }
    match parts(output, outputs) {
        None => {
            let tensor = first(outputs)?;
            let fits = tensor.shape.last() == Some(&7);
            let wrong = || format!("its output {} {} is none of decode = \"ssd\"", tensor.name, shape(tensor));
            fits.then_some(()).ok_or_else(wrong)
        }
        Some(parts) => {
            let [boxes, scores, classes] = parts?;
            let n = scores.data.len();
            if boxes.data.len() != 4 * n || classes.data.len() != n {
                return Err(format!("its outputs {} do not belong together", shapes(outputs)));
            }
            Ok(())
        }
    }
}

pub(super) fn decode(output: &Output, outputs: &[Tensor<'_>], slot: usize, f: &Frame, found: &mut Vec<Detection>) {
    let Output::Ssd { pixels, y_first, first_class, .. } = *output else { return };
    let [w, h] = if pixels { [1.0, 1.0] } else { f.size.map(|v| v as f32) };
    let mut add = |score: f32, class: f32, b: &[f32]| {
        let class = class - first_class as f32;
        if score >= f.score && class >= 0.0 && (class as usize) < f.classes {
            let [x0, y0, x1, y1] = if y_first { [b[1], b[0], b[3], b[2]] } else { [b[0], b[1], b[2], b[3]] };
            let rect = Rect::from_corners(x0 * w, y0 * h, x1 * w, y1 * h);
            found.push(Detection { rect, score, class: class as u32, ..Detection::default() });
        }
    };
    match parts(output, outputs) {
        None => {
            let Ok(tensor) = first(outputs) else { return };
            // A row belongs to no picture (-1) when there are fewer boxes than rows.
            let rows = Table { data: tensor.data, cols: 7 }.rows();
            rows.filter(|r| r[0] == slot as f32).for_each(|r| add(r[2], r[1], &r[3..]));
        }
        Some(Ok([boxes, scores, classes])) => {
            let boxes = Table { data: boxes.data, cols: 4 }.rows();
            boxes.zip(scores.data.iter().zip(classes.data)).for_each(|(b, (score, class))| add(*score, *class, b));
        }
        Some(Err(_)) => {}
    }
}

//! YOLOX, and exports in the shape of YOLOv5 and YOLOv8.

use super::super::engine::Tensor;
use super::{Frame, Table, best, cells, check_classes, first, rows, shape};
use crate::vision::{Detection, Rect};

fn check_rows(outputs: &[Tensor<'_>], decode: &str, f: &Frame) -> Result<usize, String> {
    let tensor = first(outputs)?;
    let cols = tensor.shape.last().copied().unwrap_or(0);
    if tensor.shape.len() != 3 {
        return Err(format!("its output {} {} is none of decode = \"{decode}\"", tensor.name, shape(tensor)));
    }
    check_classes(tensor, cols, 5, f, decode)?;
    rows(tensor, cols, f.batch).ok_or_else(|| format!("its output {} is {}", tensor.name, shape(tensor)))
}

pub(super) fn check_x(outputs: &[Tensor<'_>], strides: &[u32], f: &Frame) -> Result<(), String> {
    let rows = check_rows(outputs, "yolox", f)?;
    let wanted: usize = strides.iter().map(|s| cells::count(f.size, *s)).sum();
    if rows != wanted {
        let [w, h] = f.size;
        return Err(format!("its output has {rows} rows, and the strides {strides:?} make {wanted} of {w}x{h} pixels"));
    }
    Ok(())
}

/// `demo_postprocess` of the YOLOX project.
pub(super) fn decode_x(outputs: &[Tensor<'_>], strides: &[u32], slot: usize, f: &Frame, found: &mut Vec<Detection>) {
    let Ok(tensor) = first(outputs) else { return };
    let table = Table::of(tensor, slot, f.batch, 5 + f.classes);
    for (row, (x, y, stride)) in table.rows().zip(cells::all(f.size, strides)) {
        // A class's score is at most 1.
        if row[4] < f.score {
            continue;
        }
        let (class, likely) = best(&row[5..]);
        let score = row[4] * likely;
        if score >= f.score {
            let (cx, cy) = ((row[0] + x) * stride, (row[1] + y) * stride);
            let rect = Rect::from_center(cx, cy, row[2].exp() * stride, row[3].exp() * stride);
            found.push(Detection { rect, score, class: class as u32, ..Detection::default() });
        }
    }
}

pub(super) fn check_5(outputs: &[Tensor<'_>], f: &Frame) -> Result<(), String> {
    check_rows(outputs, "yolov5", f).map(|_| ())
}

pub(super) fn decode_5(outputs: &[Tensor<'_>], slot: usize, f: &Frame, found: &mut Vec<Detection>) {
    let Ok(tensor) = first(outputs) else { return };
    for row in Table::of(tensor, slot, f.batch, 5 + f.classes).rows() {
        if row[4] < f.score {
            continue;
        }
        let (class, likely) = best(&row[5..]);
        let score = row[4] * likely;
        if score >= f.score {
            let rect = Rect::from_center(row[0], row[1], row[2], row[3]);
            found.push(Detection { rect, score, class: class as u32, ..Detection::default() });
        }
    }
}

pub(super) fn check_8(outputs: &[Tensor<'_>], f: &Frame) -> Result<(), String> {
    let tensor = first(outputs)?;
    match tensor.shape {
        [batch, rows, _] if *batch == f.batch => check_classes(tensor, *rows, 4, f, "yolov8"),
        _ => Err(format!("its output {} {} is none of decode = \"yolov8\"", tensor.name, shape(tensor))),
    }
}

/// The table lies on its side: a row for each number, a column for each box.
pub(super) fn decode_8(outputs: &[Tensor<'_>], slot: usize, f: &Frame, found: &mut Vec<Detection>) {
    let Ok(tensor) = first(outputs) else { return };
    let Some(&n) = tensor.shape.last() else { return };
    let lines: Vec<&[f32]> = Table::of(tensor, slot, f.batch, n).rows().collect();
    let [x, y, w, h, classes @ ..] = lines.as_slice() else { return };
    // Class by class, so that memory is read in order.
    let mut top = vec![(0, f32::NEG_INFINITY); n];
    for (class, scores) in classes.iter().enumerate() {
        for (top, score) in top.iter_mut().zip(*scores) {
            if *score > top.1 {
                *top = (class as u32, *score);
            }
        }
    }
    for (i, (class, score)) in top.into_iter().enumerate() {
        if score >= f.score {
            let rect = Rect::from_center(x[i], y[i], w[i], h[i]);
            found.push(Detection { rect, score, class, ..Detection::default() });
        }
    }
}

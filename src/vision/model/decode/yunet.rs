//! YuNet: faces with five landmarks (eyes, nose, corners of the mouth; the person's right comes first).

use smallvec::SmallVec;

use super::super::engine::Tensor;
use super::{Frame, Table, anchors, cells, rows, shapes};
use crate::vision::{Detection, Point, Rect};

fn named<'a, 'b>(outputs: &'b [Tensor<'a>], name: &str) -> Option<&'b Tensor<'a>> {
    outputs.iter().find(|t| t.name == name)
}

pub(super) fn check(outputs: &[Tensor<'_>], strides: &[u32], f: &Frame) -> Result<(), String> {
    if f.classes != 1 {
        return Err(format!("it finds faces and nothing else, and the manifest has {} labels", f.classes));
    }
    let fits = |name: &str, cols, n| named(outputs, name).and_then(|t| rows(t, cols, f.batch)) == Some(n);
    let new = || {
        strides.iter().all(|s| {
            let parts = [("cls", 1), ("obj", 1), ("bbox", 4), ("kps", 10)];
            parts.iter().all(|(part, cols)| fits(&format!("{part}_{s}"), *cols, cells::count(f.size, *s)))
        })
    };
    let old = || {
        let n = priors(f.size).count();
        fits("loc", 14, n) && fits("conf", 2, n) && fits("iou", 1, n)
    };
    if new() || old() {
        return Ok(());
    }
    let [w, h] = f.size;
    Err(format!("its outputs for {w}x{h} pixels are {}, which is neither form of YuNet", shapes(outputs)))
}

pub(super) fn decode(outputs: &[Tensor<'_>], strides: &[u32], slot: usize, f: &Frame, found: &mut Vec<Detection>) {
    match named(outputs, "loc") {
        Some(_) => decode_2022(outputs, slot, f, found),
        None => strides.iter().for_each(|s| decode_2023(outputs, *s, slot, f, found)),
    }
}

/// As `FaceDetectorYN` of OpenCV 4.8.
fn decode_2023(outputs: &[Tensor<'_>], stride: u32, slot: usize, f: &Frame, found: &mut Vec<Detection>) {
    let table =
        |part: &str, cols| named(outputs, &format!("{part}_{stride}")).map(|t| Table::of(t, slot, f.batch, cols));
    let (Some(cls), Some(obj), Some(boxes), Some(marks)) =
        (table("cls", 1), table("obj", 1), table("bbox", 4), table("kps", 10))
    else {
        return;
    };
    let scores = cls.data.iter().zip(obj.data);
    for (((x, y, s), (cls, obj)), (b, marks)) in
        cells::all(f.size, &[stride]).zip(scores).zip(boxes.rows().zip(marks.rows()))
    {
        let score = (cls.clamp(0.0, 1.0) * obj.clamp(0.0, 1.0)).sqrt();
        if score >= f.score {
            let rect = Rect::from_center((x + b[0]) * s, (y + b[1]) * s, b[2].exp() * s, b[3].exp() * s);
            let points = marks.chunks_exact(2).map(|p| Point { x: (x + p[0]) * s, y: (y + p[1]) * s }).collect();
            found.push(Detection { rect, score, points, ..Detection::default() });
        }
    }
}

/// Anchors of the 2022 form. Sizes as in the network's `PriorBox`: halved once rounding up, then rounding down.
fn priors(size: [u32; 2]) -> impl Iterator<Item = (f32, f32, f32)> {
    let start = size.map(|side| side.div_ceil(2) / 2);
    anchors::all(move |level, _| start.map(|side| side >> (level + 1)))
}

/// As `FaceDetectorYN` of OpenCV 4.5.4 to 4.7.
fn decode_2022(outputs: &[Tensor<'_>], slot: usize, f: &Frame, found: &mut Vec<Detection>) {
    let table = |name: &str, cols| named(outputs, name).map(|t| Table::of(t, slot, f.batch, cols));
    let (Some(loc), Some(conf), Some(iou)) = (table("loc", 14), table("conf", 2), table("iou", 1)) else { return };
    for (((x, y, side), loc), (conf, iou)) in priors(f.size).zip(loc.rows()).zip(conf.rows().zip(iou.data)) {
        let score = (conf[1] * iou.clamp(0.0, 1.0)).sqrt();
        if score >= f.score {
            // Variances 0.1 and 0.2, as in SSD.
            let place = |dx: f32, dy: f32| Point { x: x + dx * 0.1 * side, y: y + dy * 0.1 * side };
            let center = place(loc[0], loc[1]);
            let rect = Rect::from_center(center.x, center.y, side * (loc[2] * 0.2).exp(), side * (loc[3] * 0.2).exp());
            let points: SmallVec<[Point; 5]> = loc[4..].chunks_exact(2).map(|p| place(p[0], p[1])).collect();
            found.push(Detection { rect, score, points, ..Detection::default() });
        }
    }
}

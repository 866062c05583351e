//! Each family on an output made by hand, in which one thing stands at a known place.

use super::*;
use crate::vision::{Point, Rect};

const SIZE: [u32; 2] = [64, 32];

fn frame(classes: usize) -> Frame {
    Frame { size: SIZE, batch: 1, classes, score: 0.5 }
}

/// Outputs by name and shape, all 0, for tests to write into.
struct Outputs(Vec<(String, Vec<usize>, Vec<f32>)>);

impl Outputs {
    fn new(all: &[(&str, &[usize])]) -> Self {
        Outputs(all.iter().map(|(n, s)| (n.to_string(), s.to_vec(), vec![0.0; s.iter().product()])).collect())
    }

    /// Writes `values` into output `i` from place `at`.
    fn put(&mut self, i: usize, at: usize, values: &[f32]) {
        self.0[i].2[at..at + values.len()].copy_from_slice(values);
    }

    fn tensors(&self) -> Vec<Tensor<'_>> {
        self.0.iter().map(|(name, shape, data)| Tensor { name, shape, data }).collect()
    }

    /// The one thing in it: box, score, class.
    #[track_caller]
    fn one(&self, output: &Output, f: &Frame) -> Detection {
        check(output, &self.tensors(), f).unwrap();
        let mut found = Vec::new();
        boxes(output, &self.tensors(), f.batch - 1, f, &mut found);
        assert_eq!(found.len(), 1, "{found:?}");
        found.remove(0)
    }
}

#[track_caller]
fn is(d: &Detection, [x, y, w, h]: [f32; 4], score: f32, class: u32) {
    let near = |a: f32, b: f32| (a - b).abs() < 1e-2;
    let Rect { x: a, y: b, w: c, h: e } = d.rect;
    assert!(near(a, x) && near(b, y) && near(c, w) && near(e, h), "{:?}", d.rect);
    assert!(near(d.score, score) && d.class == class, "{d:?}");
}

fn output(text: &str) -> Output {
    toml::from_str(text).unwrap()
}

#[test]
fn yolox_adds_cells_and_takes_exponents() {
    // 8x4 cells of 8 pixels, then 4x2 of 16.
    let x = output("decode = 'yolox'\nstrides = [8, 16]");
    let mut o = Outputs::new(&[("out", &[1, 40, 7])]);
    // Cell 5 of the second stride: column 1, row 1.
    o.put(0, 37 * 7, &[0.5, 0.25, 0.0, 2f32.ln(), 0.9, 0.1, 0.8]);
    is(&o.one(&x, &frame(2)), [24.0 - 8.0, 20.0 - 16.0, 16.0, 32.0], 0.72, 1);
    // Objectness alone is not enough.
    o.put(0, 37 * 7 + 5, &[0.3, 0.4]);
    let mut found = Vec::new();
    boxes(&x, &o.tensors(), 0, &frame(2), &mut found);
    assert!(found.is_empty());
}

#[test]
fn the_second_picture_of_a_batch_is_its_own() {
    let x = output("decode = 'yolox'\nstrides = [8, 16]");
    let mut o = Outputs::new(&[("out", &[2, 40, 6])]);
    o.put(0, 40 * 6, &[0.5, 0.5, 0.0, 0.0, 1.0, 0.9]);
    is(&o.one(&x, &Frame { batch: 2, ..frame(1) }), [0.0, 0.0, 8.0, 8.0], 0.9, 0);
}

#[test]
fn yolov5_has_rows_and_yolov8_columns() {
    let mut o = Outputs::new(&[("out", &[1, 3, 7])]);
    o.put(0, 7, &[30.0, 20.0, 10.0, 8.0, 0.8, 0.9, 0.1]);
    is(&o.one(&output("decode = 'yolov5'"), &frame(2)), [25.0, 16.0, 10.0, 8.0], 0.72, 0);
    let mut o = Outputs::new(&[("out", &[1, 6, 9])]);
    for (row, v) in [30.0, 20.0, 10.0, 8.0, 0.1, 0.7].into_iter().enumerate() {
        o.put(0, row * 9 + 4, &[v]);
    }
    is(&o.one(&output("decode = 'yolov8'"), &frame(2)), [25.0, 16.0, 10.0, 8.0], 0.7, 1);
}

#[test]
fn nanodet_takes_the_mean_of_distributions_whatever_the_order_of_outputs() {
    let n = output("decode = 'nanodet'\nstrides = [16, 32]\nbins = 4");
    // 8 cells and 2; sides before scores.
    let mut o = Outputs::new(&[("b", &[2, 16]), ("a", &[8, 16]), ("d", &[8, 3]), ("c", &[2, 3])]);
    o.put(3, 3, &[0.1, 0.2, 0.9]);
    let sure = |bin: usize| std::array::from_fn::<f32, 4, _>(|i| if i == bin { 30.0 } else { 0.0 });
    // Left 1 bin, top 0, right between 0 and 1, bottom 0: cell 1 of stride 32 has its point at 47.5, 15.5.
    o.put(0, 16, &[sure(1), sure(0), [30.0, 30.0, 0.0, 0.0], sure(0)].concat());
    is(&o.one(&n, &frame(3)), [15.5, 15.5, 48.0, 0.0], 0.9, 2);
    // NanoDet-Plus: one output, points in the corners.
    let n = output("decode = 'nanodet'\nstrides = [16, 32]\nbins = 4\npoint = 'corner'");
    let mut o = Outputs::new(&[("out", &[1, 10, 19])]);
    o.put(0, 9 * 19, &[&[0.1, 0.2, 0.9][..], &sure(1), &sure(0), &sure(0), &sure(0)].concat());
    is(&o.one(&n, &frame(3)), [0.0, 0.0, 32.0, 0.0], 0.9, 2);
}

#[test]
fn fastestdet_by_its_own_formula() {
    let mut o = Outputs::new(&[("out", &[1, 7, 2, 4])]);
    // Cell 6: column 2, row 1, of 16x16 pixels.
    for (plane, v) in [0.9, 0.0, 0.5f32.atanh(), 0.0, 0.0, 0.1, 0.8].into_iter().enumerate() {
        o.put(0, plane * 8 + 6, &[v]);
    }
    let score = 0.9f32.powf(0.6) * 0.8f32.powf(0.4);
    is(&o.one(&output("decode = 'fastestdet'"), &frame(2)), [32.0 - 16.0, 24.0 - 8.0, 32.0, 16.0], score, 1);
}

#[test]
fn yunet_in_both_forms_has_landmarks() {
    let y = output("decode = 'yunet'\nstrides = [16, 32]");
    let mut o = Outputs::new(&[
        ("cls_16", &[1, 8, 1]),
        ("cls_32", &[1, 2, 1]),
        ("obj_16", &[1, 8, 1]),
        ("obj_32", &[1, 2, 1]),
        ("bbox_16", &[1, 8, 4]),
        ("bbox_32", &[1, 2, 4]),
        ("kps_16", &[1, 8, 10]),
        ("kps_32", &[1, 2, 10]),
    ]);
    // Cell 5 of stride 16: column 1, row 1.
    o.put(0, 5, &[0.9]);
    o.put(2, 5, &[1.1]);
    o.put(4, 20, &[0.5, 0.5, 0.0, 0.0]);
    o.put(6, 50, &[0.25, 0.5]);
    let d = o.one(&y, &frame(1));
    is(&d, [16.0, 16.0, 16.0, 16.0], 0.9f32.sqrt(), 0);
    assert_eq!((d.points.len(), d.points[0]), (5, Point { x: 20.0, y: 24.0 }));

    // 64x32 pixels: 8x4 cells with 3 sides, 4x2 with 2, 2x1 with 2, 1x0 with 3.
    let mut o = Outputs::new(&[("loc", &[116, 14]), ("conf", &[116, 2]), ("iou", &[116, 1])]);
    // The second side, 16, of cell 9: column 1, row 1.
    let at = 9 * 3 + 1;
    o.put(0, at * 14, &[1.0, 0.0, 0.0, 0.0, 1.0, 2.0]);
    o.put(1, at * 2, &[0.2, 0.8]);
    o.put(2, at, &[0.8]);
    let d = o.one(&y, &frame(1));
    is(&d, [12.0 + 1.6 - 8.0, 12.0 - 8.0, 16.0, 16.0], 0.8, 0);
    assert!((d.points[0].x - 13.6).abs() < 1e-4 && (d.points[0].y - 15.2).abs() < 1e-4, "{:?}", d.points);
}

#[test]
fn final_boxes_are_shares_of_the_input() {
    let mut o = Outputs::new(&[("boxes", &[1, 3, 4]), ("scores", &[1, 3, 2])]);
    o.put(0, 4, &[0.25, 0.5, 0.5, 1.0]);
    o.put(1, 2, &[0.3, 0.7]);
    is(&o.one(&output("decode = 'ultraface'"), &frame(1)), [16.0, 16.0, 16.0, 16.0], 0.7, 0);

    // 64x32 pixels: 8x4 cells with 3 sides, 4x2 with 2, 2x1 with 2, 1x1 with 3.
    let mut o = Outputs::new(&[("boxes", &[1, 119, 4]), ("scores", &[1, 119, 2])]);
    // The second side, 16, of cell 9: column 1, row 1.
    o.put(0, 28 * 4, &[1.0, 0.0, 0.0, 2f32.ln() / 0.2]);
    o.put(1, 28 * 2, &[0.3, 0.7]);
    let anchors = output("decode = 'ultraface'\nanchors = true");
    is(&o.one(&anchors, &frame(1)), [12.0 + 1.6 - 8.0, 12.0 - 16.0, 16.0, 32.0], 0.7, 0);

    let mut o = Outputs::new(&[("out", &[1, 1, 3, 7])]);
    o.put(0, 0, &[0.0, 2.0, 0.6, 0.25, 0.5, 0.5, 1.0]);
    o.put(0, 7, &[-1.0, 2.0, 0.6, 0.25, 0.5, 0.5, 1.0]);
    // Class 0 is the background.
    o.put(0, 14, &[0.0, 0.0, 0.9, 0.25, 0.5, 0.5, 1.0]);
    is(&o.one(&output("decode = 'ssd'\nfirst-class = 1"), &frame(2)), [16.0, 16.0, 16.0, 16.0], 0.6, 1);

    let named = output("decode = 'ssd'\nboxes = 'b'\nscores = 's'\nclasses = 'c'\ny-first = true\npixels = true");
    let mut o = Outputs::new(&[("c", &[1, 2]), ("b", &[1, 2, 4]), ("s", &[1, 2])]);
    o.put(0, 1, &[1.0]);
    o.put(1, 4, &[3.0, 5.0, 13.0, 25.0]);
    o.put(2, 1, &[0.6]);
    is(&o.one(&named, &frame(2)), [5.0, 3.0, 20.0, 10.0], 0.6, 1);
}

#[test]
fn detr_knows_nothing_as_a_class() {
    let mut o = Outputs::new(&[("logits", &[1, 2, 3]), ("boxes", &[1, 2, 4])]);
    o.put(0, 0, &[0.0, 3.0, 0.0, 0.0, 0.0, 9.0]);
    o.put(1, 0, &[0.5, 0.5, 0.25, 0.5, 0.5, 0.5, 0.25, 0.5]);
    let score = 3f32.exp() / (3f32.exp() + 2.0);
    is(&o.one(&output("decode = 'detr'"), &frame(2)), [24.0, 8.0, 16.0, 16.0], score, 1);
    let mut o = Outputs::new(&[("logits", &[1, 2, 2]), ("boxes", &[1, 2, 4])]);
    o.put(0, 0, &[-9.0, 3.0, -9.0, -9.0]);
    o.put(1, 0, &[0.5, 0.5, 0.25, 0.5]);
    let rt = output("decode = 'detr'\nactivation = 'sigmoid'");
    is(&o.one(&rt, &frame(2)), [24.0, 8.0, 16.0, 16.0], sigmoid(3.0), 1);
}

#[test]
fn whole_pictures_give_scores_and_unit_vectors() {
    let mut o = Outputs::new(&[("out", &[1, 2])]);
    o.put(0, 0, &[3.0, 4.0]);
    assert_eq!(vector(&o.tensors(), 0, &frame(0)), [0.6, 0.8]);
    let softmax = scores(&o.tensors(), super::super::manifest::Activation::Softmax, 0, &frame(2));
    assert!((softmax[1] - sigmoid(1.0)).abs() < 1e-6 && (softmax.iter().sum::<f32>() - 1.0).abs() < 1e-6);
}

#[test]
fn numbers_of_no_use_are_no_boxes() {
    let mut o = Outputs::new(&[("out", &[1, 40, 6])]);
    o.put(0, 0, &[f32::NAN, 0.0, 0.0, 0.0, 1.0, 1.0, 0.0, 0.0, 1000.0, 0.0, 1.0, 1.0, 0.0, 0.0, 0.0, 0.0, f32::NAN]);
    let x = output("decode = 'yolox'\nstrides = [8, 16]");
    let mut found = Vec::new();
    boxes(&x, &o.tensors(), 0, &frame(1), &mut found);
    assert!(found.is_empty(), "{found:?}");
}

#[test]
fn what_does_not_fit_is_said() {
    type Shapes<'a> = &'a [(&'a str, &'a [usize])];
    let all: &[(&str, Shapes<'_>, usize, &str)] = &[
        ("decode = 'yolox'", &[("out", &[1, 42, 85])], 3, "has 80 classes, and the manifest has 3 labels"),
        ("decode = 'yolox'", &[("out", &[1, 9, 85])], 80, "9 rows"),
        ("decode = 'yolov5'", &[("out", &[1, 84])], 80, "out 1x84 is none of decode = \"yolov5\""),
        ("decode = 'yolov8'", &[("out", &[1, 84, 10])], 2, "80 classes"),
        ("decode = 'nanodet'", &[("out", &[1, 42, 85])], 80, "out 1x42x85"),
        ("decode = 'fastestdet'", &[("out", &[1, 4, 2, 2])], 80, "out 1x4x2x2"),
        ("decode = 'yunet'", &[("cls_8", &[1, 3, 1])], 1, "neither form of YuNet"),
        ("decode = 'yunet'", &[("cls_8", &[1, 3, 1])], 2, "2 labels"),
        ("decode = 'ultraface'", &[("a", &[1, 3, 2]), ("b", &[1, 4, 4])], 1, "a 1x3x2, b 1x4x4"),
        ("decode = 'ssd'", &[("a", &[1, 3, 2])], 1, "a 1x3x2"),
        ("decode = 'detr'", &[("a", &[1, 3, 2]), ("b", &[1, 3, 4])], 2, "logits with 3 columns"),
        ("decode = 'classify'", &[("a", &[1, 10])], 9, "10 classes"),
        ("decode = 'embedding'", &[("a", &[])], 0, "no vector"),
    ];
    for (text, outputs, classes, needle) in all {
        let o = Outputs::new(outputs);
        let message = check(&output(text), &o.tensors(), &frame(*classes)).unwrap_err();
        assert!(message.contains(needle), "{text}: {message}");
    }
    assert!(check(&output("decode = 'yolov5'"), &[], &frame(1)).unwrap_err().contains("no output"));
}

//! OpenCV's own people detector: histograms of oriented gradients and a linear SVM (Dalal and Triggs 2005), for people who
//! stand and are seen whole.

use std::sync::Arc;

use opencv::core::{Mat, Rect as CvRect, Size, Vector};
use opencv::imgproc;
use opencv::objdetect::HOGDescriptor;
use opencv::prelude::*;

use super::{DetectError, Detector, Options, whole};
use crate::frame::Frame;
use crate::vision::{Detection, Rect};

/// The window: 64 × 128 pixels, of which the person fills 96 in height.
const PERSON: f32 = 96.0;
const WINDOW: (f32, f32) = (64.0, 128.0);
/// The SVM's margin from which a window counts; the default of OpenCV's samples.
const THRESHOLD: f64 = 0.0;

pub(super) struct Hog {
    hog: HOGDescriptor,
    label: [Arc<str>; 1],
    score: f32,
    /// How much the picture is made smaller or larger before.
    scale: f32,
    gray: Mat,
    small: Mat,
    rects: Vector<CvRect>,
    weights: Vector<f64>,
}

impl Hog {
    pub fn new(options: &Options) -> Result<Self, DetectError> {
        let mut hog = HOGDescriptor::default()?;
        hog.set_svm_detector_input_array(&HOGDescriptor::get_default_people_detector()?)?;
        // Made smaller so that the smallest person asked for just fills the window; larger at most twice.
        let scale = if options.min_size > 0.0 { (PERSON / options.min_size).min(2.0) } else { 1.0 };
        let (gray, small, rects, weights) = (Mat::default(), Mat::default(), Vector::new(), Vector::new());
        let label = ["person".into()];
        Ok(Hog { hog, label, score: options.score.unwrap_or(0.5), scale, gray, small, rects, weights })
    }
}

impl Detector for Hog {
    fn detect(
        &mut self,
        frame: &Frame,
        areas: &[Rect],
        found: &mut Vec<(usize, Detection)>,
    ) -> Result<(), DetectError> {
        let Hog { hog, label, score, scale, gray, small, rects, weights } = self;
        frame.gray(gray, |gray| {
            for (i, area) in areas.iter().enumerate() {
                let part = gray.roi(whole(area))?;
                let size = |v: f32| ((v * *scale).round() as i32).max(1);
                let to = Size::new(size(area.w), size(area.h));
                if (to.width as f32) < WINDOW.0 || (to.height as f32) < WINDOW.1 {
                    continue;
                }
                let (stride, padding) = (Size::new(8, 8), Size::new(8, 8));
                imgproc::resize(&part, small, to, 0.0, 0.0, imgproc::INTER_AREA)?;
                hog.detect_multi_scale_weights(small, rects, weights, THRESHOLD, stride, padding, 1.05, 2.0, false)?;
                for (r, weight) in rects.iter().zip(weights.iter()) {
                    // A logistic curve over the margin: 0.5 on the threshold.
                    let sure = 1.0 / (1.0 + (-weight).exp()) as f32;
                    if sure < *score {
                        continue;
                    }
                    // The window has a border around the person; OpenCV's sample cuts it off by these shares.
                    let (x, y) = (r.x as f32 + 0.1 * r.width as f32, r.y as f32 + 0.07 * r.height as f32);
                    let (w, h) = (0.8 * r.width as f32, 0.8 * r.height as f32);
                    let rect = Rect::new(x / *scale, y / *scale, w / *scale, h / *scale).moved(area.x, area.y);
                    let label = label[0].clone();
                    found.push((i, Detection { rect, score: sure, label, ..Detection::default() }));
                }
            }
            Ok(())
        })
    }

    fn labels(&self) -> &[Arc<str>] {
        &self.label
    }
}

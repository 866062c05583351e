//! How far a picture is from the one before.

use std::sync::Arc;

use opencv::core::{self, Mat, Size, Vector};
use opencv::imgproc;

use super::Detector;
use crate::frame::{Frame, Spec};
use crate::ops::OpError;
use crate::vision::model::SmallBgr;

/// Width that is left of a picture: enough to see a cut, as in PySceneDetect.
const WIDTH: u32 = 256;

pub(super) struct Measure {
    detector: Detector,
    color: Option<SmallBgr>,
    size: Size,
    gray: Mat,
    small: Mat,
    hsv: Mat,
    last: Option<Mat>,
    difference: Mat,
    /// What the luma of black and the distance from it to white are.
    range: (f64, f64),
}

impl Measure {
    pub fn new(detector: Detector) -> Self {
        Measure {
            detector,
            color: None,
            size: Size::default(),
            gray: Mat::default(),
            small: Mat::default(),
            hsv: Mat::default(),
            last: None,
            difference: Mat::default(),
            range: (0.0, 255.0),
        }
    }

    pub fn prepare(&mut self, input: &Arc<Spec>) -> Result<(), OpError> {
        let (w, h) = (input.info.width(), input.info.height());
        let factor = f64::from(w.max(h)) / f64::from(WIDTH);
        let side = |v: u32| if factor > 1.0 { ((f64::from(v) / factor).round() as u32).max(1) } else { v };
        self.size = Size::new(side(w) as i32, side(h) as i32);
        if matches!(self.detector, Detector::Content | Detector::Adaptive) {
            self.color = Some(SmallBgr::new([side(w), side(h)], input)?);
        }
        if !input.layout.rgb && input.info.colorimetry().range() != gstreamer_video::VideoColorRange::Range0_255 {
            self.range = (16.0, 219.0);
        }
        Ok(())
    }

    /// The value that the rule wants.
    pub fn of(&mut self, frame: &Frame) -> Result<f64, OpError> {
        match self.detector {
            Detector::Content | Detector::Adaptive => self.change(frame),
            Detector::Threshold => {
                self.shrink(frame)?;
                let mean = core::mean_def(&self.small)?[0];
                Ok(((mean - self.range.0) * 255.0 / self.range.1).clamp(0.0, 255.0))
            }
            Detector::Histogram => self.correlation(frame),
        }
    }

    fn shrink(&mut self, frame: &Frame) -> Result<(), OpError> {
        let Measure { gray, small, size, .. } = self;
        frame.gray(gray, |full| {
            imgproc::resize(full, small, *size, 0.0, 0.0, imgproc::INTER_LINEAR).map_err(OpError::from)
        })
    }

    /// Mean distance in hue (0–179), saturation and value (0–255) from the picture before, the mean of the three.
    fn change(&mut self, frame: &Frame) -> Result<f64, OpError> {
        let Some(color) = &mut self.color else { return Ok(0.0) };
        imgproc::cvt_color_def(color.of(frame)?, &mut self.hsv, imgproc::COLOR_BGR2HSV)?;
        let Some(last) = &mut self.last else {
            self.last = Some(self.hsv.clone());
            return Ok(0.0);
        };
        core::absdiff(&self.hsv, last, &mut self.difference)?;
        let mean = core::mean_def(&self.difference)?;
        std::mem::swap(&mut self.hsv, last);
        Ok((mean[0] + mean[1] + mean[2]) / 3.0)
    }

    /// Correlation of the histograms of brightness of this picture and the one before, 1 for the first.
    fn correlation(&mut self, frame: &Frame) -> Result<f64, OpError> {
        self.shrink(frame)?;
        let mut histogram = Mat::default();
        let pictures: Vector<Mat> = [self.small.clone()].into_iter().collect();
        let (channels, bins, ranges) =
            (Vector::from_slice(&[0]), Vector::from_slice(&[256]), Vector::from_slice(&[0.0f32, 256.0]));
        imgproc::calc_hist(&pictures, &channels, &core::no_array(), &mut histogram, &bins, &ranges, false)?;
        let value = match &self.last {
            Some(last) => imgproc::compare_hist(last, &histogram, imgproc::HISTCMP_CORREL)?,
            None => 1.0,
        };
        self.last = Some(histogram);
        Ok(value)
    }
}

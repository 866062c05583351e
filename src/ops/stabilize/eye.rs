//! Tells how the picture moved from one frame to the next.

use opencv::calib3d;
use opencv::core::{self as cv, Mat, Point2f, Size, TermCriteria, Vector};
use opencv::prelude::*;
use opencv::{imgproc, video};

use crate::frame::{Component, Frame, FrameError, Spec, shape_scratch};
use crate::ops::OpError;
use crate::ops::extent::par;

/// Shift in pixels of the reduced picture and turn in radians, clockwise.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Move {
    pub x: f64,
    pub y: f64,
    pub turn: f64,
}

impl Move {
    /// Both, the other one so many times.
    pub fn plus(self, other: Move, times: f64) -> Move {
        Move { x: self.x + other.x * times, y: self.y + other.y * times, turn: self.turn + other.turn * times }
    }
}

/// What came of comparing a frame with the one before it.
pub enum Seen {
    First,
    Moved(Move),
    /// Another scene.
    Cut,
    /// Too little structure, or none that both have.
    Unknown,
}

/// Tells the motion between frames, on a reduced picture in gray.
#[derive(Default)]
pub struct Eye {
    size: Size,
    /// Pixels of the reduced picture per pixel.
    pub scale: (f64, f64),
    gray: [Mat; 2],
    deep: Mat,
    whole: Mat,
    seen: bool,
}

/// Longer side of the reduced picture: motion is found to about a tenth of its pixels.
const LONGER: f64 = 640.0;

impl Eye {
    pub fn of(spec: &Spec) -> Self {
        // In the shape that is shown, so that turning the camera turns the picture.
        let (w, h, par) = (f64::from(spec.info.width()), f64::from(spec.info.height()), par(&spec.info));
        let s = (LONGER / (w * par).max(h)).min(1.0);
        let size = Size::new((w * par * s).round().clamp(1.0, LONGER) as i32, (h * s).round().max(1.0) as i32);
        Eye { size, scale: (f64::from(size.width) / w, f64::from(size.height) / h), ..Eye::default() }
    }

    /// The next frame is a first one.
    pub fn forget(&mut self) {
        self.seen = false;
    }

    /// Compares the frame with the one before it.
    pub fn look(&mut self, frame: &Frame) -> Result<Seen, OpError> {
        self.gray.swap(0, 1);
        self.reduce(frame)?;
        if !std::mem::replace(&mut self.seen, true) {
            return Ok(Seen::First);
        }
        let [now, before] = &self.gray;
        if let Some(moved) = motion(before, now)? {
            return Ok(Seen::Moved(moved));
        }
        let pixels = f64::from(self.size.area());
        let different = cv::norm2(before, now, cv::NORM_L1, &cv::no_array())? / pixels;
        // Blur and flashes lose the way too, but leave most of the picture as it was.
        Ok(if different > 20.0 { Seen::Cut } else { Seen::Unknown })
    }

    /// Makes `gray[0]` the frame.
    fn reduce(&mut self, frame: &Frame) -> Result<(), OpError> {
        let (layout, size, to) = (&frame.spec().layout, self.size, &mut self.gray[0]);
        let luma = layout.find(Component::Y).filter(|(p, _)| layout.planes[*p].channels.len() == 1);
        if let Some((plane, _)) = luma {
            let planes = frame.planes()?;
            let full = planes.mat(plane)?;
            if layout.bytes == 1 {
                return Ok(imgproc::resize(&full, to, size, 0.0, 0.0, imgproc::INTER_AREA)?);
            }
            shape_scratch(&mut self.deep, size, cv::CV_16U)?;
            imgproc::resize(&full, &mut self.deep, size, 0.0, 0.0, imgproc::INTER_AREA)?;
            let eighth = 1.0 / f64::from(1u32 << (layout.depth + layout.shift - 8));
            return Ok(self.deep.convert_to(to, cv::CV_8U, eighth, 0.0)?);
        }
        frame.gray(&mut self.whole, |full| {
            imgproc::resize(full, to, size, 0.0, 0.0, imgproc::INTER_AREA).map_err(FrameError::from)
        })?;
        Ok(())
    }
}

/// How the picture moved from `before` to `now`; `None` where that cannot be told.
fn motion(before: &Mat, now: &Mat) -> opencv::Result<Option<Move>> {
    let (w, h) = (before.cols(), before.rows());
    if w.min(h) < 32 {
        return Ok(None);
    }
    let (mut from, mut to) = (Vector::<Point2f>::new(), Vector::<Point2f>::new());
    let apart = f64::from(w.max(h)) / 40.0;
    imgproc::good_features_to_track_def(before, &mut from, 200, 0.01, apart)?;
    if from.len() < 8 {
        return Ok(None);
    }
    let (mut status, mut error) = (Vector::<u8>::new(), Vector::<f32>::new());
    let until = TermCriteria::new(3, 20, 0.03)?;
    let window = Size::new(21, 21);
    video::calc_optical_flow_pyr_lk(before, now, &from, &mut to, &mut status, &mut error, window, 3, until, 0, 1e-3)?;
    let inside = |p: &Point2f| p.x >= 0.0 && p.y >= 0.0 && p.x < w as f32 && p.y < h as f32;
    let found = |(i, p): (usize, &Point2f)| status.get(i).is_ok_and(|s| s == 1) && inside(p);
    let to = to.to_vec();
    let kept: Vec<usize> = to.iter().enumerate().filter(|p| found(*p)).map(|(i, _)| i).collect();
    if kept.len() < 8 {
        return Ok(None);
    }
    let a: Vector<Point2f> = kept.iter().filter_map(|&i| from.get(i).ok()).collect();
    let b: Vector<Point2f> = kept.iter().map(|&i| to[i]).collect();
    let mut agree = Vector::<u8>::new();
    let m = calib3d::estimate_affine_partial_2d(&a, &b, &mut agree, calib3d::RANSAC, 1.5, 2000, 0.99, 10)?;
    let agreeing = agree.iter().filter(|a| *a == 1).count();
    // Of all points, not only of those found: chance finds a few anywhere.
    if m.empty() || agreeing < 8 || agreeing * 5 < from.len() * 2 {
        return Ok(None);
    }
    let (x, y) = (m.at_row::<f64>(0)?, m.at_row::<f64>(1)?);
    let (cx, cy) = (f64::from(w - 1) / 2.0, f64::from(h - 1) / 2.0);
    let by =
        Move { x: x[0] * cx + x[1] * cy + x[2] - cx, y: y[0] * cx + y[1] * cy + y[2] - cy, turn: y[0].atan2(x[0]) };
    let size = x[0].hypot(y[0]);
    let likely = (0.8..1.25).contains(&size) && by.x.abs() < cx * 0.8 && by.y.abs() < cy * 0.8 && by.turn.abs() < 0.5;
    Ok(likely.then_some(by))
}

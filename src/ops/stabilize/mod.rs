//! Takes the shake out of hand-held pictures.
//!
//! ```text
//! frame ─► Eye: motion since the last frame ─► path (sum of motions) ─► held until its future is known
//!                                                   └─► smooth path − path ─► warp ─► out
//! ```
//!
//! Frames are held for `look-ahead`, so that the smooth path runs through the middle of the shaky one; without it, it lags
//! behind every pan. At a cut a new path begins, and nothing is smoothed across.

mod eye;

use std::collections::VecDeque;
use std::sync::Arc;

use gstreamer::ClockTime;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use self::eye::{Eye, Move, Seen};
use super::extent::par;
use super::warp::{Border, Interpolation, Matrix, Warp, turned};
use super::{Group, Invalid, Mode, Op, OpConfig, OpError, Reach, Stream};
use crate::frame::{Color, Frame, Pool, Spec};

/// Takes the shake out of hand-held pictures: shifts and turns each one so that the camera seems to move smoothly.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Stabilize {
    /// Over how many seconds before and after a frame the camera's path is smoothed, 0.05 to 5.
    #[schemars(range(min = 0.05, max = 5.0))]
    pub smoothing: f64,
    /// How many seconds of the future the path may know, 0 to 2: so long frames are held back (at most 512 MB of them).
    /// Default: as `smoothing`, at most 1; 0 for live sources, where the smooth path lags behind pans instead.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0.0, max = 2.0))]
    pub look_ahead: Option<f64>,
    /// By how many percent the picture is enlarged, 0 to 50: room for shifts, since what lies beyond the picture is not known.
    #[schemars(range(min = 0.0, max = 50.0))]
    pub zoom: f64,
    /// Where a shift needs more room than `zoom` gives: `crop` (shift less), `replicate` (draw out the border pixels) or `color`.
    pub border: Edge,
    /// The colour for `border = color`.
    pub color: Color,
    /// `nearest`, `linear`, `cubic` or `lanczos`.
    pub interpolation: Interpolation,
}

/// What to do where there is no picture.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[allow(missing_docs)]
pub enum Edge {
    #[default]
    Crop,
    Replicate,
    Color,
}

impl Default for Stabilize {
    fn default() -> Self {
        Stabilize {
            smoothing: 0.5,
            look_ahead: None,
            zoom: 8.0,
            border: Edge::Crop,
            color: Color::BLACK,
            interpolation: Interpolation::Linear,
        }
    }
}

impl OpConfig for Stabilize {
    const NAME: &'static str = "stabilize";
    const GROUP: Group = Group::Geometry;
    const EXAMPLE: &'static str = "stabilize:smoothing=0.5";
    const BEHIND: &'static str =
        "cv::goodFeaturesToTrack, cv::calcOpticalFlowPyrLK, cv::estimateAffinePartial2D, cv::warpAffine";

    fn check(&self) -> Result<(), Invalid> {
        Invalid::unless_in("smoothing", self.smoothing, 0.05..=5.0)?;
        Invalid::unless_in("look-ahead", self.look_ahead.unwrap_or(0.0), 0.0..=2.0)?;
        Invalid::unless_in("zoom", self.zoom, 0.0..=50.0)
    }

    fn reach(&self) -> Reach {
        Reach::Never("it moves the picture as a whole")
    }

    fn stateful(&self) -> bool {
        true
    }

    fn moves_pixels(&self) -> bool {
        true
    }

    fn build(&self) -> Box<dyn Op> {
        Box::new(Steadying {
            config: self.clone(),
            look_ahead: 0.0,
            most_held: 1,
            eye: Eye::default(),
            ready: None,
            now: Move::default(),
            segment: 0,
            path: VecDeque::new(),
            held: VecDeque::new(),
            found: Found::default(),
        })
    }
}

/// Where the picture stands in a frame, against the first one of its segment.
#[derive(Clone, Copy, Debug)]
struct Place {
    pts: ClockTime,
    segment: u64,
    at: Move,
}

/// Counts for the report.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "kebab-case")]
struct Found {
    frames: u64,
    cuts: u64,
    /// Frames whose motion could not be told.
    lost: u64,
}

struct Steadying {
    config: Stabilize,
    look_ahead: f64,
    most_held: usize,
    eye: Eye,
    ready: Option<(Warp, Pool, Arc<Spec>)>,
    now: Move,
    segment: u64,
    /// The places of the held frames and of those before them that still count.
    path: VecDeque<Place>,
    held: VecDeque<Frame>,
    found: Found,
}

impl Op for Steadying {
    fn mode(&self) -> Mode {
        Mode::Time
    }

    fn prepare(&mut self, input: &Arc<Spec>, stream: &Stream) -> Result<Arc<Spec>, OpError> {
        let c = &self.config;
        let border = match c.border {
            Edge::Crop | Edge::Replicate => Border::Nearest,
            Edge::Color => Border::Color(c.color),
        };
        let default = if stream.live { 0.0 } else { c.smoothing.min(1.0) };
        self.look_ahead = c.look_ahead.unwrap_or(default);
        self.most_held = ((512 << 20) / input.info.size().max(1)).max(1);
        self.eye = Eye::of(input);
        self.ready = Some((Warp::new(input, input, c.interpolation, border)?, Pool::new(&input.info)?, input.clone()));
        Ok(input.clone())
    }

    fn retime(&mut self, frame: Frame, out: &mut Vec<Frame>) -> Result<(), OpError> {
        self.found.frames += 1;
        match self.eye.look(&frame)? {
            Seen::Moved(by) => self.now = self.now.plus(by, 1.0),
            Seen::First => self.begin(),
            Seen::Cut => {
                self.found.cuts += 1;
                self.begin();
            }
            Seen::Unknown => self.found.lost += 1,
        }
        self.path.push_back(Place { pts: frame.pts, segment: self.segment, at: self.now });
        let newest = frame.pts;
        self.held.push_back(frame);
        let known = |f: &Frame, ahead: f64| seconds(f.pts, newest) >= ahead - 1e-6;
        while self.held.front().is_some_and(|f| known(f, self.look_ahead)) || self.held.len() > self.most_held {
            self.release(out)?;
        }
        Ok(())
    }

    fn flush(&mut self, out: &mut Vec<Frame>) -> Result<(), OpError> {
        while !self.held.is_empty() {
            self.release(out)?;
        }
        self.path.clear();
        self.eye.forget();
        Ok(())
    }

    fn finish(&mut self, out: &mut Vec<Frame>) -> Result<(), OpError> {
        self.flush(out)
    }

    fn report(&self) -> Option<serde_json::Value> {
        serde_json::to_value(&self.found).ok()
    }
}

/// From `a` to `b`, negative where `b` is earlier.
fn seconds(a: ClockTime, b: ClockTime) -> f64 {
    (b.nseconds() as f64 - a.nseconds() as f64) / 1e9
}

impl Steadying {
    /// A new path.
    fn begin(&mut self) {
        self.segment += 1;
        self.now = Move::default();
    }

    /// Gives out the oldest frame that is held.
    fn release(&mut self, out: &mut Vec<Frame>) -> Result<(), OpError> {
        let Some(i) = self.path.len().checked_sub(self.held.len()) else { return Ok(()) };
        let (Some(mut frame), Some((warp, pool, spec))) = (self.held.pop_front(), &self.ready) else { return Ok(()) };
        let correction = smooth(&self.path, i, self.config.smoothing);
        let matrix = self.matrix(correction, spec);
        let mut made = frame.successor(pool.acquire()?, spec.clone());
        warp.affine(&frame, &mut made, &matrix)?;
        made.meta = std::mem::take(&mut frame.meta);
        out.push(made);
        let oldest = self.path[i].pts;
        while self.path.front().is_some_and(|p| seconds(p.pts, oldest) > self.config.smoothing) {
            self.path.pop_front();
        }
        Ok(())
    }

    /// The correction as a matrix from pixels of the result to pixels of the source.
    fn matrix(&self, by: Move, spec: &Spec) -> Matrix {
        let size = (spec.info.width(), spec.info.height());
        let (kx, ky) = self.eye.scale;
        let make = |share: f64| {
            let shift = (by.x / kx * share, by.y / ky * share);
            let turn = by.turn.to_degrees() * share;
            turned(size, size, par(&spec.info), turn, 1.0 + self.config.zoom / 100.0, shift)
        };
        if self.config.border != Edge::Crop || within(&make(1.0), size) {
            return make(1.0);
        }
        let (mut fits, mut not) = (0.0, 1.0);
        for _ in 0..16 {
            let half = (fits + not) / 2.0;
            if within(&make(half), size) { fits = half } else { not = half }
        }
        make(fits)
    }
}

/// True when all of the result shows something of the source.
fn within(m: &Matrix, (w, h): (u32, u32)) -> bool {
    let (right, bottom) = (f64::from(w) - 1.0, f64::from(h) - 1.0);
    [(0.0, 0.0), (right, 0.0), (0.0, bottom), (right, bottom)].iter().all(|(x, y)| {
        let at = |r: usize| m[r][0] * x + m[r][1] * y + m[r][2];
        (-1e-6..=right + 1e-6).contains(&at(0)) && (-1e-6..=bottom + 1e-6).contains(&at(1))
    })
}

/// From place `i` to the smooth path: the mean of the places of its segment around it, weighted by a Gaussian of their time
/// whose standard deviation is half of `reach`, which is where it ends.
fn smooth(path: &VecDeque<Place>, i: usize, reach: f64) -> Move {
    let here = path[i];
    let (mut sum, mut weights) = (Move::default(), 0.0);
    for place in path.iter().filter(|p| p.segment == here.segment) {
        let t = seconds(here.pts, place.pts);
        if t.abs() <= reach {
            let weight = (-2.0 * (t / reach).powi(2)).exp();
            sum = sum.plus(place.at, weight);
            weights += weight;
        }
    }
    Move::default().plus(sum, 1.0 / weights).plus(here.at, -1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(xs: &[(u64, f64)]) -> VecDeque<Place> {
        let place = |(i, (segment, x)): (usize, &(u64, f64))| Place {
            pts: ClockTime::from_mseconds(40 * i as u64),
            segment: *segment,
            at: Move { x: *x, ..Move::default() },
        };
        xs.iter().enumerate().map(place).collect()
    }

    #[test]
    fn a_steady_pan_is_left_alone_and_shake_is_taken_out() {
        let pan: Vec<(u64, f64)> = (0..41).map(|i| (0, 3.0 * f64::from(i))).collect();
        assert!(smooth(&path(&pan), 20, 0.5).x.abs() < 1e-9);
        let shaky: Vec<(u64, f64)> =
            pan.iter().enumerate().map(|(i, (s, x))| (*s, x + if i % 2 == 0 { 4.0 } else { -4.0 })).collect();
        assert!((smooth(&path(&shaky), 20, 0.5).x + 4.0).abs() < 0.5);
    }

    #[test]
    fn nothing_is_smoothed_across_a_cut() {
        let cut: Vec<(u64, f64)> = (0..20).map(|i| (i / 10, if i < 10 { 0.0 } else { 500.0 })).collect();
        assert!(smooth(&path(&cut), 9, 0.5).x.abs() < 1e-9 && smooth(&path(&cut), 10, 0.5).x.abs() < 1e-9);
    }

    #[test]
    fn the_border_stays_out_of_sight() {
        let at = |x, zoom| turned((100, 100), (100, 100), 1.0, 1.0, zoom, (x, 0.0));
        assert!(within(&at(2.0, 1.1), (100, 100)) && !within(&at(9.0, 1.1), (100, 100)));
        assert!(!within(&at(0.0, 1.0), (100, 100)), "turned without room");
    }
}

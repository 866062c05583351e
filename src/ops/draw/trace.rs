//! Where each track was during the last seconds.

use std::collections::{BTreeMap, VecDeque};

use gstreamer::ClockTime;
use opencv::core::Rect as CvRect;

use super::Draw;
use super::shape::Brush;
use crate::frame::{Color, Frame};
use crate::ops::OpError;
use crate::ops::drawing::{Drawn, window};
use crate::vision::Detection;

pub(super) struct Traces {
    keep: ClockTime,
    paths: BTreeMap<u32, Path>,
}

struct Path {
    color: Color,
    points: VecDeque<(ClockTime, (f64, f64))>,
}

impl Traces {
    pub fn new(seconds: f64) -> Self {
        Traces { keep: ClockTime::from_nseconds((seconds * 1e9) as u64), paths: BTreeMap::new() }
    }

    /// Takes in where the tracks are now; forgets what is too old. A jump back in time begins anew.
    pub fn add<'a>(&mut self, now: ClockTime, detections: impl Iterator<Item = &'a Detection>) {
        for d in detections {
            let Some(track) = d.track else { continue };
            let path =
                self.paths.entry(track).or_insert(Path { color: super::of_track(track), points: VecDeque::new() });
            let (x, y) = (d.rect.center().0, d.rect.bottom());
            path.points.push_back((now, (f64::from(x), f64::from(y))));
        }
        let keep = self.keep;
        self.paths.retain(|_, path| {
            path.points.retain(|(at, _)| *at <= now && now.saturating_sub(*at) <= keep);
            !path.points.is_empty()
        });
    }

    /// Draws the paths.
    pub fn draw(&self, frame: &mut Frame, brush: &mut Brush, thickness: i32, config: &Draw) -> Result<(), OpError> {
        let picture = (frame.width(), frame.height());
        for path in self.paths.values().filter(|p| p.points.len() > 1) {
            let points: Vec<(f64, f64)> = path.points.iter().map(|p| p.1).collect();
            let Some(window) = window(&points, f64::from(thickness), picture) else { continue };
            let mut drawn = Drawn::empty(CvRect::new(window.x, window.y, window.width, window.height));
            let color = config.color.unwrap_or(path.color);
            drawn.layer(color, config.opacity, |c| c.polyline(&points, false, thickness as u32))?;
            brush.blend(&drawn.overlay, frame, drawn.x, drawn.y)?;
        }
        Ok(())
    }
}

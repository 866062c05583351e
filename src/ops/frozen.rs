//! Finds pictures that stand still.

use std::sync::Arc;

use gstreamer::ClockTime;
use opencv::core::{self as cv, Mat};
use opencv::prelude::*;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::spans::Spans;
use super::{Group, Invalid, Mode, Op, OpConfig, OpError, Stream};
use crate::config::Time;
use crate::frame::{Frame, Spec};
use crate::vision::event::Event;

/// Finds spans in which the picture stands still.
///
/// `frozen` is the mean difference of the luma from the picture at which the span began, 0 to 1 of the full scale. Spans are
/// those of ffmpeg's `freezedetect`; colour is not looked at. Events say where they begin (`limit.passed`) and end (`limit.kept`).
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Frozen {
    /// Difference up to which the picture stands still, 0 to 1: 0.001 is -60 dB.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub threshold: f64,
    /// Spans shorter than this are not listed.
    pub min_duration: Time,
}

impl Default for Frozen {
    fn default() -> Self {
        Frozen { threshold: 0.001, min_duration: Time(ClockTime::from_seconds(2)) }
    }
}

impl OpConfig for Frozen {
    const NAME: &'static str = "frozen";
    const GROUP: Group = Group::Measure;
    const EXAMPLE: &'static str = "frozen:min-duration=1";
    const BEHIND: &'static str = "cv::norm (L1)";

    fn check(&self) -> Result<(), Invalid> {
        Invalid::unless_in("threshold", self.threshold, 0.0..=1.0)
    }

    fn makes_events(&self) -> bool {
        true
    }

    fn build(&self) -> Box<dyn Op> {
        let spans = Spans::new(self.min_duration.0.max(ClockTime::from_nseconds(1)));
        let (scratch, still) = (Mat::default(), Mat::default());
        Box::new(Watching { threshold: self.threshold, scratch, still, since: None, spans })
    }
}

struct Watching {
    threshold: f64,
    scratch: Mat,
    /// The picture that others are compared with.
    still: Mat,
    since: Option<ClockTime>,
    spans: Spans,
}

impl Op for Watching {
    fn mode(&self) -> Mode {
        Mode::Read
    }

    fn prepare(&mut self, input: &Arc<Spec>, _: &Stream) -> Result<Arc<Spec>, OpError> {
        Ok(input.clone())
    }

    fn read(&mut self, frame: &mut Frame) -> Result<(), OpError> {
        let (still, since, threshold) = (&mut self.still, self.since, self.threshold);
        let difference = frame.gray(&mut self.scratch, |gray| {
            let difference = match since {
                Some(_) => cv::norm2(gray, still, cv::NORM_L1, &cv::no_array())? / (gray.total().max(1) as f64 * 256.0),
                None => f64::INFINITY,
            };
            if difference > threshold {
                gray.copy_to(still)?;
            }
            Ok::<_, OpError>(difference)
        })?;
        let same = difference <= threshold;
        self.spans.alert(Frozen::NAME, frame, self.since.filter(|_| same), difference, threshold);
        if !same {
            self.since = Some(frame.position);
        }
        if difference.is_finite() {
            frame.meta.measured("frozen", difference);
        }
        Ok(())
    }

    fn last_events(&mut self) -> Vec<Event> {
        self.spans.last_events(Frozen::NAME)
    }

    fn report(&self) -> Option<serde_json::Value> {
        Some(serde_json::json!({ "spans": self.spans.json() }))
    }
}

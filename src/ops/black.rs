//! Finds black pictures.

use std::sync::Arc;

use gstreamer::ClockTime;
use opencv::core::Mat;
use opencv::prelude::*;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::brightness::luma_range;
use super::spans::Spans;
use super::{Group, Invalid, Mode, Op, OpConfig, OpError, Stream};
use crate::config::Time;
use crate::frame::{Frame, Spec};
use crate::vision::event::Event;

/// Finds black pictures and lists spans of them.
///
/// `black` is the share of dark pixels, 0 to 1. Spans are those of ffmpeg's `blackdetect`; events say where they begin
/// (`limit.passed`) and end (`limit.kept`).
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Black {
    /// A pixel up to this brightness is dark, 0 to 1.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub level: f64,
    /// A picture with at least this share of dark pixels is black, 0 to 1.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub share: f64,
    /// Spans shorter than this are not listed.
    pub min_duration: Time,
}

impl Default for Black {
    fn default() -> Self {
        Black { level: 0.1, share: 0.98, min_duration: Time(ClockTime::from_seconds(2)) }
    }
}

impl OpConfig for Black {
    const NAME: &'static str = "black";
    const GROUP: Group = Group::Measure;
    const EXAMPLE: &'static str = "black:min-duration=0.5";
    const BEHIND: &'static str = "framewright's own count of dark pixels";

    fn check(&self) -> Result<(), Invalid> {
        Invalid::unless_in("level", self.level, 0.0..=1.0)?;
        Invalid::unless_in("share", self.share, 0.0..=1.0)
    }

    fn makes_events(&self) -> bool {
        true
    }

    fn build(&self) -> Box<dyn Op> {
        let spans = Spans::new(self.min_duration.0);
        Box::new(Finding { config: self.clone(), level: 0, gray: Mat::default(), spans })
    }
}

struct Finding {
    config: Black,
    level: u8,
    gray: Mat,
    spans: Spans,
}

impl Op for Finding {
    fn mode(&self) -> Mode {
        Mode::Read
    }

    fn prepare(&mut self, input: &Arc<Spec>, _: &Stream) -> Result<Arc<Spec>, OpError> {
        let (black, white) = luma_range(input);
        self.level = (black + self.config.level * (white - black)) as u8;
        Ok(input.clone())
    }

    fn read(&mut self, frame: &mut Frame) -> Result<(), OpError> {
        let level = self.level;
        let share = frame.gray(&mut self.gray, |gray| {
            let mut dark = 0u64;
            for y in 0..gray.rows() {
                // So few at a time that the count fits into a byte, and many are counted at once.
                let chunks = gray.at_row::<u8>(y)?.chunks(255);
                dark += chunks.map(|c| u64::from(c.iter().map(|v| u8::from(*v <= level)).sum::<u8>())).sum::<u64>();
            }
            Ok::<_, OpError>(dark as f64 / gray.total().max(1) as f64)
        })?;
        frame.meta.measured("black", share);
        let since = (share >= self.config.share).then_some(frame.position);
        self.spans.alert(Black::NAME, frame, since, share, self.config.share);
        Ok(())
    }

    fn last_events(&mut self) -> Vec<Event> {
        self.spans.last_events(Black::NAME)
    }

    fn report(&self) -> Option<serde_json::Value> {
        Some(serde_json::json!({ "spans": self.spans.json() }))
    }
}

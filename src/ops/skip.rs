//! Drops frames that show nothing new.

use std::sync::Arc;

use gstreamer::{ClockTime, Fraction};
use opencv::core::{Mat, Size};
use opencv::imgproc;
use opencv::prelude::*;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Group, Invalid, Mode, Op, OpConfig, OpError, Reach, Stream};
use crate::config::Time;
use crate::frame::{Frame, Spec};

/// Drops frames that hardly differ from the last one that was kept.
///
/// Kept frames keep their times and are shown for longer, so audio stays in sync; the frame rate becomes variable, and how long
/// the last frame is shown is up to the container. Brightness is compared in blocks of 8x8 pixels: a frame goes when neither the picture as a whole nor any block changed much.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Skip {
    /// Mean difference of all blocks up to which a frame is the same, in 8-bit steps, 0 to 255.
    #[schemars(range(min = 0.0, max = 255.0))]
    pub threshold: f64,
    /// Difference of a single block up to which a frame is the same, in 8-bit steps, 0 to 255: small things that move.
    #[schemars(range(min = 0.0, max = 255.0))]
    pub block: f64,
    /// At most so many frames are dropped one after the other; 0: any number.
    pub max: u32,
    /// A frame is kept at least this often. Default: no limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_time: Option<Time>,
}

impl Default for Skip {
    fn default() -> Self {
        Skip { threshold: 0.5, block: 6.0, max: 0, max_time: None }
    }
}

impl OpConfig for Skip {
    const NAME: &'static str = "skip";
    const GROUP: Group = Group::Time;
    const EXAMPLE: &'static str = "skip:threshold=0.5";
    const BEHIND: &'static str = "cv::resize (area) and a mean absolute difference";

    fn check(&self) -> Result<(), Invalid> {
        Invalid::unless_in("threshold", self.threshold, 0.0..=255.0)?;
        Invalid::unless_in("block", self.block, 0.0..=255.0)
    }

    fn reach(&self) -> Reach {
        Reach::Never("frames are dropped as a whole")
    }

    fn stateful(&self) -> bool {
        true
    }

    fn build(&self) -> Box<dyn Op> {
        let (mats, held, dropped, total) = (Default::default(), None, 0, 0);
        Box::new(Skipping { config: self.clone(), spec: None, mats, held, dropped, total })
    }
}

struct Skipping {
    config: Skip,
    spec: Option<Arc<Spec>>,
    /// Scratch, blocks of this frame, blocks of the last one kept.
    mats: [Mat; 3],
    /// The last one kept: how long it is shown is known when the next one comes.
    held: Option<Frame>,
    /// Since then.
    dropped: u32,
    total: u64,
}

impl Skipping {
    /// Mean and largest difference of the blocks.
    fn difference(&self) -> Result<(f64, f64), opencv::Error> {
        let [_, now, then] = &self.mats;
        let (mut sum, mut most, mut n) = (0u64, 0u8, 0usize);
        for y in 0..now.rows() {
            let (a, b) = (now.at_row::<u8>(y)?, then.at_row::<u8>(y)?);
            for (a, b) in a.iter().zip(b) {
                let d = a.abs_diff(*b);
                (sum, most) = (sum + u64::from(d), most.max(d));
            }
            n += a.len();
        }
        Ok((sum as f64 / n.max(1) as f64, f64::from(most)))
    }

    /// Lets the kept frame go, shown up to `end`.
    fn release(&mut self, end: ClockTime, out: &mut Vec<Frame>) {
        if let Some(mut frame) = self.held.take() {
            frame.duration = end.checked_sub(frame.pts).filter(|d| !d.is_zero()).or(frame.duration);
            out.push(frame);
        }
    }
}

impl Op for Skipping {
    fn mode(&self) -> Mode {
        Mode::Time
    }

    fn prepare(&mut self, input: &Arc<Spec>, _: &Stream) -> Result<Arc<Spec>, OpError> {
        let spec = Arc::new(input.with_rate(Fraction::new(0, 1)));
        self.spec = Some(spec.clone());
        Ok(spec)
    }

    fn retime(&mut self, mut frame: Frame, out: &mut Vec<Frame>) -> Result<(), OpError> {
        let blocks = |side: u32| side.div_ceil(8) as i32;
        let size = Size::new(blocks(frame.width()), blocks(frame.height()));
        let [scratch, now, _] = &mut self.mats;
        frame.gray(scratch, |gray| {
            imgproc::resize(gray, now, size, 0.0, 0.0, imgproc::INTER_AREA).map_err(OpError::from)
        })?;
        if let Some(spec) = &self.spec {
            frame.respec(spec.clone());
        }
        if let Some(held) = &self.held {
            let (mean, most) = self.difference()?;
            let config = &self.config;
            let same = mean <= config.threshold && most <= config.block;
            let due = (config.max > 0 && self.dropped >= config.max)
                || config.max_time.is_some_and(|t| frame.pts >= held.pts + t.0);
            if same && !due {
                self.dropped += 1;
                self.total += 1;
                let end = frame.pts + frame.duration.unwrap_or(ClockTime::ZERO);
                if let Some(held) = &mut self.held {
                    held.duration = end.checked_sub(held.pts);
                }
                return Ok(());
            }
        }
        self.release(frame.pts, out);
        self.mats.swap(1, 2);
        self.held = Some(frame);
        self.dropped = 0;
        Ok(())
    }

    fn finish(&mut self, out: &mut Vec<Frame>) -> Result<(), OpError> {
        out.extend(self.held.take());
        Ok(())
    }

    fn report(&self) -> Option<serde_json::Value> {
        Some(serde_json::json!({ "dropped": self.total, "note": format!("{} frames dropped", self.total) }))
    }
}

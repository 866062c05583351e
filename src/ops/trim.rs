//! Keeps parts of the video.

use std::sync::Arc;

use gstreamer::ClockTime;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Group, Invalid, Mode, Op, OpConfig, OpError, Reach, Stream, When};
use crate::frame::{Frame, Spec};

/// Keeps parts of the video, or cuts parts out; what stays closes up.
///
/// A frame belongs to the part in which it begins. Parts stay in the order of the source, and those that overlap count once.
/// Audio is left out: `--start` and `--end` cut both for a single part.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Trim {
    /// What stays, in times of the source: `2s..5s`, `..10s`, `1:30..`, several with commas. This or `cut` is required.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub keep: Option<When>,
    /// What goes, written in the same way.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub cut: Option<When>,
}

impl OpConfig for Trim {
    const NAME: &'static str = "trim";
    const GROUP: Group = Group::Time;
    const EXAMPLE: &'static str = "trim:keep=..1s, 2s..4s";
    const BEHIND: &'static str = "framewright's own selection by time";

    fn check(&self) -> Result<(), Invalid> {
        let (key, parts) = match (&self.keep, &self.cut) {
            (Some(keep), None) => ("keep", keep),
            (None, Some(cut)) => ("cut", cut),
            (None, None) => {
                return Err(Invalid::new(
                    "keep",
                    format!("nothing to trim: give keep or cut, as in {}", Self::EXAMPLE),
                ));
            }
            (Some(_), Some(_)) => return Err(Invalid::new("cut", "keep and cut exclude each other: give one of them")),
        };
        match parts.is_sparse() {
            true => Err(Invalid::new(key, format!("{key} = {parts} is no part: give times only, as in 2s..5s"))),
            false => Ok(()),
        }
    }

    fn reach(&self) -> Reach {
        Reach::Never("frames go or stay as a whole")
    }

    fn stateful(&self) -> bool {
        true
    }

    fn retimes(&self) -> bool {
        true
    }

    fn no_when(&self) -> Option<&'static str> {
        Some("keep and cut say when")
    }

    fn build(&self) -> Box<dyn Op> {
        Box::new(Trimming { config: self.clone(), removed: ClockTime::ZERO, gap: None })
    }
}

struct Trimming {
    config: Trim,
    /// Time taken out so far.
    removed: ClockTime,
    /// The first frame that went since the last one that stayed.
    gap: Option<ClockTime>,
}

impl Op for Trimming {
    fn mode(&self) -> Mode {
        Mode::Time
    }

    fn prepare(&mut self, input: &Arc<Spec>, _: &Stream) -> Result<Arc<Spec>, OpError> {
        Ok(input.clone())
    }

    fn retime(&mut self, mut frame: Frame, out: &mut Vec<Frame>) -> Result<(), OpError> {
        let keeps = |w: &When| w.holds(0, frame.position);
        let stays = self.config.keep.as_ref().is_none_or(keeps) && !self.config.cut.as_ref().is_some_and(keeps);
        if !stays {
            self.gap.get_or_insert(frame.pts);
            return Ok(());
        }
        if let Some(gap) = self.gap.take() {
            self.removed += frame.pts.saturating_sub(gap);
        }
        frame.pts = frame.pts.saturating_sub(self.removed);
        out.push(frame);
        Ok(())
    }
}

//! Histogram equalisation piece by piece.

use std::sync::Arc;

use opencv::core::{Ptr, Size};
use opencv::imgproc::{self, CLAHE};
use opencv::prelude::*;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::luma::Luma;
use super::{Group, Invalid, Mode, Op, OpConfig, OpError, Stream};
use crate::frame::{Frame, Spec};

/// Brings out local contrast (contrast-limited adaptive histogram equalisation of luma); colours keep their chroma.
///
/// It works on 8-bit brightness from black to white whatever the range is; deeper video is moved by as much as its upper 8
/// bits are, and keeps its lower ones.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Clahe {
    /// How much contrast may rise: a brightness may occur so many times as often in a tile as it would in an even
    /// distribution, 1 to 100.
    #[schemars(range(min = 1.0, max = 100.0))]
    pub clip_limit: f64,
    /// Tiles across and down, 1 to 64; at most one for each 2 pixels.
    #[schemars(range(min = 1, max = 64))]
    pub tiles: i32,
}

impl Default for Clahe {
    fn default() -> Self {
        Clahe { clip_limit: 2.0, tiles: 8 }
    }
}

impl OpConfig for Clahe {
    const NAME: &'static str = "clahe";
    const GROUP: Group = Group::Tone;
    const EXAMPLE: &'static str = "clahe:clip-limit=2,tiles=8";
    const BEHIND: &'static str = "cv::CLAHE";

    fn check(&self) -> Result<(), Invalid> {
        Invalid::unless_in("clip-limit", self.clip_limit, 1.0..=100.0)?;
        Invalid::unless_in("tiles", self.tiles, 1..=64)
    }

    fn build(&self) -> Box<dyn Op> {
        Box::new(Equalizing { config: self.clone(), clahe: None, luma: Luma::default() })
    }
}

struct Equalizing {
    config: Clahe,
    clahe: Option<Ptr<CLAHE>>,
    luma: Luma,
}

impl Op for Equalizing {
    fn mode(&self) -> Mode {
        Mode::InPlace
    }

    fn prepare(&mut self, input: &Arc<Spec>, _: &Stream) -> Result<Arc<Spec>, OpError> {
        // OpenCV pads the picture to whole tiles by its mirror image, which a picture that is smaller than that lacks.
        let most = |pixels: u32| self.config.tiles.min(pixels as i32 / 2).max(1);
        let tiles = Size::new(most(input.info.width()), most(input.info.height()));
        self.clahe = Some(imgproc::create_clahe(self.config.clip_limit, tiles)?);
        Ok(input.clone())
    }

    fn edit(&mut self, frame: &mut Frame) -> Result<(), OpError> {
        if let Some(clahe) = &mut self.clahe {
            self.luma.work(frame, |old, new| clahe.apply(old, new))?;
            self.luma.put_change(frame)?;
        }
        Ok(())
    }
}

//! Enlarges a part of the picture, which may move.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::warp::{Border, Interpolation, Matrix, Warp, turned};
use super::{Group, Invalid, Mode, Op, OpConfig, OpError, Reach, Stream};
use crate::frame::{Frame, Spec};

/// Enlarges a part of the picture to its full size; keyframes make pans and zooms of it.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Zoom {
    /// How many times larger, 1 to 50. Takes keyframes: `factor=[[0s,1],[4s,2]]`.
    #[schemars(range(min = 1.0, max = 50.0))]
    pub factor: f64,
    /// Middle of what is shown, in percent of the width, 0 to 100. What reaches beyond the edge is moved back.
    #[schemars(range(min = 0.0, max = 100.0))]
    pub x: f64,
    /// Middle of what is shown, in percent of the height, 0 to 100.
    #[schemars(range(min = 0.0, max = 100.0))]
    pub y: f64,
    /// `nearest`, `linear`, `cubic` or `lanczos`.
    pub interpolation: Interpolation,
}

impl Default for Zoom {
    fn default() -> Self {
        Zoom { factor: 2.0, x: 50.0, y: 50.0, interpolation: Interpolation::Cubic }
    }
}

impl OpConfig for Zoom {
    const NAME: &'static str = "zoom";
    const GROUP: Group = Group::Geometry;
    const EXAMPLE: &'static str = "zoom:factor=[[0s,1],[3s,2]],x=30";
    const BEHIND: &'static str = "cv::warpAffine";

    fn check(&self) -> Result<(), Invalid> {
        Invalid::unless_in("factor", self.factor, 1.0..=50.0)?;
        Invalid::unless_in("x", self.x, 0.0..=100.0)?;
        Invalid::unless_in("y", self.y, 0.0..=100.0)
    }

    fn reach(&self) -> Reach {
        Reach::Whole
    }

    fn moves_pixels(&self) -> bool {
        true
    }

    fn build(&self) -> Box<dyn Op> {
        Box::new(Zooming { config: self.clone(), warp: None })
    }
}

struct Zooming {
    config: Zoom,
    warp: Option<(Warp, Matrix)>,
}

impl Op for Zooming {
    fn mode(&self) -> Mode {
        Mode::Transform
    }

    fn prepare(&mut self, input: &Arc<Spec>, _: &Stream) -> Result<Arc<Spec>, OpError> {
        let Zoom { factor, x, y, interpolation } = self.config;
        let size = (input.info.width(), input.info.height());
        // How far the middle may be from that of the picture.
        let shift = |percent: f64, side: u32| {
            let most = f64::from(side) * (1.0 - 1.0 / factor) / 2.0;
            ((50.0 - percent) / 100.0 * f64::from(side)).clamp(-most, most)
        };
        let matrix = turned(size, size, 1.0, 0.0, factor, (shift(x, size.0), shift(y, size.1)));
        let warp = (factor > 1.0).then(|| Warp::new(input, input, interpolation, Border::Nearest)).transpose()?;
        self.warp = warp.map(|w| (w, matrix));
        Ok(input.clone())
    }

    fn transform(&mut self, from: &Frame, to: &mut Frame) -> Result<(), OpError> {
        match &self.warp {
            Some((warp, matrix)) => warp.affine(from, to, matrix),
            None => Ok(to.planes_mut()?.copy_from(&from.planes()?)?),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_out_of_range_are_named() {
        assert!(Zoom { factor: 0.5, ..Zoom::default() }.check().unwrap_err().message.contains("1 to 50"));
        assert!(Zoom { x: f64::NAN, ..Zoom::default() }.check().is_err());
    }
}

//! Takes the colour out.

use std::sync::Arc;

use opencv::core::Mat;
use opencv::imgproc;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::levels::Levels;
use super::matrix::{ColorMatrix, rgb_to_yuv};
use super::{Group, Invalid, Mode, Op, OpConfig, OpError, Stream};
use crate::frame::{Frame, Spec};

/// Takes the colour out: a gray picture in the same format.
///
/// On luma and chroma, chroma becomes neutral and luma is not touched. On red, green and blue each becomes the luma (BT.601
/// weights, as cv::cvtColor, unless the stream names another matrix).
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Gray {}

impl OpConfig for Gray {
    const NAME: &'static str = "gray";
    const GROUP: Group = Group::Tone;
    const EXAMPLE: &'static str = "gray";
    const BEHIND: &'static str = "neutral chroma on native planes; cv::cvtColor on BGR";

    fn check(&self) -> Result<(), Invalid> {
        Ok(())
    }

    fn build(&self) -> Box<dyn Op> {
        Box::new(Graying { way: Way::Nothing })
    }
}

struct Graying {
    way: Way,
}

enum Way {
    Nothing,
    Chroma(Levels),
    Bgr(Mat),
    Matrix(Box<ColorMatrix>),
}

impl Op for Graying {
    fn mode(&self) -> Mode {
        Mode::InPlace
    }

    fn prepare(&mut self, input: &Arc<Spec>, _: &Stream) -> Result<Arc<Spec>, OpError> {
        let luma = rgb_to_yuv(input).0[0];
        self.way = match (input.layout.rgb, input.layout.is_bgr()) {
            (false, _) => Way::Chroma(neutral_chroma(input)),
            (true, true) if luma[0] == 0.299 => Way::Bgr(Mat::default()),
            _ => {
                let mut matrix = ColorMatrix::default();
                matrix.set(&[luma; 3], input);
                Way::Matrix(Box::new(matrix))
            }
        };
        Ok(input.clone())
    }

    fn edit(&mut self, frame: &mut Frame) -> Result<(), OpError> {
        match &mut self.way {
            Way::Nothing => {}
            Way::Chroma(levels) => levels.apply(frame)?,
            Way::Matrix(matrix) => matrix.apply(frame)?,
            Way::Bgr(gray) => frame.planes_mut()?.edit(0, |bgr| {
                imgproc::cvt_color_def(bgr, gray, imgproc::COLOR_BGR2GRAY)?;
                imgproc::cvt_color_def(gray, bgr, imgproc::COLOR_GRAY2BGR).map_err(OpError::from)
            })?,
        }
        Ok(())
    }
}

/// What takes the colour out of pictures with luma and chroma.
pub fn neutral_chroma(spec: &Spec) -> Levels {
    use crate::frame::Component::{U, V};
    Levels::new(spec, |c, v| if matches!(c, U | V) { 0.0 } else { v })
}

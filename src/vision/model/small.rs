//! A small colour picture, made from the decoder's planes as a network's input is.

use opencv::core::{self, Mat};
use opencv::prelude::*;

use super::manifest::{ChannelOrder, Fit, Input, TensorLayout};
use super::prepare::{Placement, Preparer};
use crate::frame::{Frame, FrameError, shape_scratch};
use crate::vision::Rect;

/// Makes small 8-bit BGR pictures; a full-size one never exists.
pub struct SmallBgr {
    input: Input,
    preparer: Preparer,
    tensor: Vec<f32>,
    picture: Mat,
}

impl SmallBgr {
    /// Of this width and height in pixels.
    pub fn new(size: [u32; 2]) -> Self {
        let input = Input {
            size,
            multiple_of: None,
            layout: TensorLayout::Nhwc,
            color: ChannelOrder::Bgr,
            scale: 1.0,
            mean: [0.0; 3],
            std: [1.0; 3],
            fit: Fit::Stretch,
            pad: 0.0,
        };
        let tensor = vec![0.0; size[0] as usize * size[1] as usize * 3];
        SmallBgr { input, preparer: Preparer::default(), tensor, picture: Mat::default() }
    }

    /// The whole of `frame`, as `CV_8UC3`.
    pub fn of(&mut self, frame: &Frame) -> Result<&Mat, FrameError> {
        let whole = Rect::new(0.0, 0.0, frame.width() as f32, frame.height() as f32);
        let place = Placement::new(&self.input, whole);
        self.preparer.fill(frame, &self.input, &place, &mut self.tensor)?;
        let [width, height] = self.input.size.map(|v| v as i32);
        shape_scratch(&mut self.picture, core::Size::new(width, height), core::CV_8UC3)?;
        let bytes = self.picture.data_bytes_mut()?;
        bytes.iter_mut().zip(&self.tensor).for_each(|(to, v)| *to = (v + 0.5).clamp(0.0, 255.0) as u8);
        Ok(&self.picture)
    }
}

//! The brightness of any picture as an 8-bit `Mat` for OpenCV, and back into the picture.

use opencv::core::{self, Mat};
use opencv::prelude::*;

use super::OpError;
use super::levels::Levels;
use super::rows::Place;
use super::scale::Scale;
use crate::frame::{Component, Frame, FrameError, Spec};

/// Room to work in, and what [`Luma::work`] made.
#[derive(Default)]
pub struct Luma {
    gray: Mat,
    /// Brightness before the work: 0 is black, 255 white, whatever the range and depth.
    pub old: Mat,
    /// What the work made of it, of the same size and type.
    pub new: Mat,
    codes: Vec<i16>,
    steps: Vec<i16>,
}

impl Luma {
    /// Calls `f` with the brightness of `frame` and where the result goes.
    pub fn work(&mut self, frame: &Frame, f: impl FnOnce(&Mat, &mut Mat) -> opencv::Result<()>) -> Result<(), OpError> {
        let Luma { gray, old, new, .. } = self;
        // The scale of 8-bit samples, to which deeper ones are cut.
        let scale = Scale::of_light(frame.spec());
        let step = f64::from(1u32 << (frame.spec().layout.depth - 8));
        let (zero, unit) = (scale.zero / step, (scale.unit / step).min(255.0));
        frame.gray(gray, |g| {
            g.convert_to(old, core::CV_8U, 255.0 / unit, -zero * 255.0 / unit).map_err(FrameError::from)
        })?;
        f(old, new)?;
        Ok(())
    }

    /// Makes the picture as much brighter or darker as `new` is against `old`: luma where there is luma, else red, green
    /// and blue alike, which leaves chroma as it is. Bits that 8-bit brightness does not show are kept.
    pub fn put_change(&mut self, frame: &mut Frame) -> Result<(), FrameError> {
        let scale = Scale::of_light(frame.spec());
        // Below 2²³: a code's step times 2⁷ for 16 bits, more exact for fewer.
        let bits = 23 - frame.spec().layout.depth;
        let factor = (scale.unit / 255.0 * f64::from(1u32 << bits)).round() as i32;
        let half = 1 << (bits - 1);
        let places = light(frame.spec());
        let (height, mut planes) = (frame.height(), frame.planes_mut()?);
        for y in 0..height {
            let (old, new) = (self.old.ptr_row(y)?, self.new.ptr_row(y)?);
            self.steps.clear();
            self.steps.extend(new.iter().zip(old).map(|(n, o)| i16::from(*n) - i16::from(*o)));
            for place in &places {
                let (low, high) = (scale.allowed.0 as i32 - place.bias, scale.allowed.1 as i32 - place.bias);
                place.get(&mut planes, y, &mut self.codes)?;
                for (code, step) in self.codes.iter_mut().zip(&self.steps) {
                    let moved = i32::from(*code) + ((i32::from(*step) * factor + half) >> bits);
                    // What is not moved stays, even beyond the limits.
                    *code = if *step == 0 { *code } else { moved.max(low).min(high) as i16 };
                }
                place.put(&mut planes, y, &self.codes)?;
            }
        }
        Ok(())
    }

    /// Makes the picture white where `new` is 255 and black where it is 0, without colour; `neutral` takes that out of
    /// chroma.
    pub fn put_black_and_white(&mut self, frame: &mut Frame, neutral: &Levels) -> Result<(), FrameError> {
        let scale = Scale::of_light(frame.spec());
        let places = light(frame.spec());
        let height = frame.height();
        if !frame.spec().layout.rgb {
            neutral.apply(frame)?;
        }
        let mut planes = frame.planes_mut()?;
        for y in 0..height {
            let mask = self.new.ptr_row(y)?;
            for place in &places {
                let code = |v| (i32::from(scale.code(v)) - place.bias) as i16;
                let (black, white) = (code(0.0), code(1.0));
                self.codes.clear();
                self.codes.extend(mask.iter().map(|m| if *m == 0 { black } else { white }));
                place.put(&mut planes, y, &self.codes)?;
            }
        }
        Ok(())
    }
}

/// The components that carry brightness.
fn light(spec: &Spec) -> Vec<Place> {
    use Component::{B, G, R, Y};
    let all: &[Component] = if spec.layout.rgb { &[R, G, B] } else { &[Y] };
    all.iter().filter_map(|c| Place::of(*c, &spec.layout)).collect()
}

/// A row of an 8-bit `Mat` as bytes.
trait Row {
    fn ptr_row(&self, y: u32) -> Result<&[u8], FrameError>;
}

impl Row for Mat {
    fn ptr_row(&self, y: u32) -> Result<&[u8], FrameError> {
        Ok(self.at_row::<u8>(y as i32)?)
    }
}

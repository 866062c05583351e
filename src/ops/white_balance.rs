//! White balance by the gray-world assumption.

use std::sync::Arc;

use gstreamer::ClockTime;
use opencv::core;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::levels::Levels;
use super::matrix::{ColorMatrix, Matrix, components, product, rgb_to_yuv};
use super::scale::Scale;
use super::{Group, Invalid, Mode, Op, OpConfig, OpError, Stream};
use crate::frame::{Component, Frame, FrameError, Spec};

/// Takes a colour cast out: the mean of the picture becomes gray (the gray-world assumption).
///
/// Red, green and blue get a gain each, so that their means over the picture (over the region, where there is one) become
/// equal to the mean of the three; black stays black. On luma and chroma it is the matrix that does the same, with the
/// chroma of each block for all of its luma.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct WhiteBalance {
    /// How much of the cast goes: 0 (nothing) to 1 (all of it).
    #[schemars(range(min = 0.0, max = 1.0))]
    pub strength: f64,
    /// Largest gain, and 1 / smallest gain, of a colour: 1 to 4. Keeps a picture full of one colour from turning.
    #[schemars(range(min = 1.0, max = 4.0))]
    pub limit: f64,
    /// Time constant in seconds, 0 to 3600, over which the means follow the video, so that it does not flicker; 0 takes each
    /// frame on its own.
    #[schemars(range(min = 0.0, max = 3600.0))]
    pub smoothing: f64,
}

impl Default for WhiteBalance {
    fn default() -> Self {
        WhiteBalance { strength: 1.0, limit: 3.0, smoothing: 0.0 }
    }
}

impl OpConfig for WhiteBalance {
    const NAME: &'static str = "white-balance";
    const GROUP: Group = Group::Tone;
    const EXAMPLE: &'static str = "white-balance:strength=0.8";
    const BEHIND: &'static str = "cv::mean, then a matrix on native planes";

    fn check(&self) -> Result<(), Invalid> {
        Invalid::unless_in("strength", self.strength, 0.0..=1.0)?;
        Invalid::unless_in("limit", self.limit, 1.0..=4.0)?;
        Invalid::unless_in("smoothing", self.smoothing, 0.0..=3600.0)
    }

    fn stateful(&self) -> bool {
        self.smoothing > 0.0
    }

    fn build(&self) -> Box<dyn Op> {
        Box::new(Balancing { config: self.clone(), three: None, state: None, matrix: ColorMatrix::default() })
    }
}

struct Balancing {
    config: WhiteBalance,
    three: Option<[Component; 3]>,
    /// The smoothed means of red, green and blue, and when they were made.
    state: Option<([f64; 3], ClockTime)>,
    matrix: ColorMatrix,
}

impl Op for Balancing {
    fn mode(&self) -> Mode {
        Mode::InPlace
    }

    fn prepare(&mut self, input: &Arc<Spec>, _: &Stream) -> Result<Arc<Spec>, OpError> {
        self.three = components(input);
        Ok(input.clone())
    }

    fn edit(&mut self, frame: &mut Frame) -> Result<(), OpError> {
        let Some(three) = self.three else { return Ok(()) };
        let spec = frame.spec().clone();
        let (there, back) = rgb_to_yuv(&spec);
        let mut means = means(frame, three)?;
        if !spec.layout.rgb {
            means = back.map(|row| (0..3).map(|i| row[i] * means[i]).sum());
        }
        let means = self.smoothed(means, frame.position);
        let gains = gains(means, &self.config);
        if gains == [1.0; 3] {
            return Ok(());
        }
        if spec.layout.rgb && spec.layout.bytes == 1 {
            let gain = |c| match c {
                Component::R => gains[0],
                Component::G => gains[1],
                Component::B => gains[2],
                _ => 1.0,
            };
            Levels::new(&spec, |c, v| v * gain(c)).apply(frame)?;
            return Ok(());
        }
        let diagonal: Matrix = std::array::from_fn(|i| std::array::from_fn(|j| if i == j { gains[i] } else { 0.0 }));
        let whole = if spec.layout.rgb { diagonal } else { product(&there, &product(&diagonal, &back)) };
        self.matrix.set(&whole, &spec);
        self.matrix.apply(frame)?;
        Ok(())
    }
}

impl Balancing {
    /// An exponential mean over time, which does not depend on the frame rate.
    fn smoothed(&mut self, now: [f64; 3], at: ClockTime) -> [f64; 3] {
        if self.config.smoothing <= 0.0 {
            return now;
        }
        let means = match self.state {
            Some((before, then)) => {
                let seconds = at.saturating_sub(then).nseconds() as f64 / 1e9;
                let share = 1.0 - (-seconds / self.config.smoothing).exp();
                std::array::from_fn(|i| before[i] + share * (now[i] - before[i]))
            }
            None => now,
        };
        self.state = Some((means, at));
        means
    }
}

/// The mean value (see [`Scale`]) of each component.
fn means(frame: &Frame, three: [Component; 3]) -> Result<[f64; 3], OpError> {
    let (spec, planes) = (frame.spec(), frame.planes()?);
    let mut out = [0.0; 3];
    let mut last = None;
    for (mean, c) in out.iter_mut().zip(three) {
        let (plane, channel) = spec.layout.find(c).ok_or(FrameError::NoPlane(0))?;
        let of_plane = match last {
            Some((p, means)) if p == plane => means,
            _ => core::mean_def(&planes.mat(plane)?)?,
        };
        last = Some((plane, of_plane));
        let code = of_plane[channel] / f64::from(1u32 << spec.layout.shift);
        *mean = Scale::of(c, spec).map_or(0.0, |s| s.value(code));
    }
    Ok(out)
}

/// What each of red, green, blue is multiplied by.
fn gains(means: [f64; 3], config: &WhiteBalance) -> [f64; 3] {
    let gray = means.iter().sum::<f64>() / 3.0;
    means.map(|m| match m > 1e-3 && gray > 1e-3 {
        true => 1.0 + config.strength * ((gray / m).clamp(1.0 / config.limit, config.limit) - 1.0),
        // A colour that is not there needs no balance.
        false => 1.0,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gains_make_the_means_equal_within_the_limit() {
        let config = WhiteBalance::default();
        let (means, g) = ([0.6, 0.5, 0.4], gains([0.6, 0.5, 0.4], &config));
        means.iter().zip(g).for_each(|(m, g)| assert!((m * g - 0.5).abs() < 1e-12));
        assert_eq!(gains([0.0; 3], &config), [1.0; 3]);
        assert_eq!(gains([0.9, 0.9, 0.01], &config)[2], 3.0);
        assert_eq!(gains([0.6, 0.5, 0.4], &WhiteBalance { strength: 0.0, ..config }), [1.0; 3]);
    }

    #[test]
    fn smoothing_depends_on_time_and_not_on_the_frame_rate() {
        let run = |fps: u64| {
            let config = WhiteBalance { smoothing: 2.0, ..Default::default() };
            let mut b = Balancing { config, three: None, state: None, matrix: ColorMatrix::default() };
            b.smoothed([0.0; 3], ClockTime::ZERO);
            (1..=2 * fps).map(|n| b.smoothed([1.0; 3], ClockTime::from_mseconds(n * 1000 / fps))[0]).last().unwrap()
        };
        // After one time constant 1 − 1/e of the way is gone.
        assert!((run(10) - 0.632).abs() < 1e-3 && (run(50) - 0.632).abs() < 1e-3, "{} {}", run(10), run(50));
    }
}

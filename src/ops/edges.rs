//! Draws the outlines of what is in the picture.

use std::sync::Arc;

use opencv::core::{self as cv, Mat, Scalar, ToInputArray};
use opencv::imgproc;
use opencv::prelude::*;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::channels::{Dst, odd};
use super::gradient::{Luma, Shades, eight};
use super::sample::Sample;
use super::{Group, Invalid, Mode, Op, OpConfig, OpError, Reach, Stream};
use crate::frame::{Color, Component, Frame, Layout, Plane, Spec};

/// Draws the outlines of what is in the picture: thin lines on black, or over the picture.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Edges {
    /// Slope of the brightness above which a line is followed on, 0 to 32767. In full-range 8-bit steps, whatever range and
    /// depth the video has; an edge from black to white has about 1000.
    #[schemars(range(min = 0.0, max = 32767.0))]
    pub low: f64,
    /// Slope above which a line begins, 0 to 32767, not below `low`: two to three times that is usual.
    #[schemars(range(min = 0.0, max = 32767.0))]
    pub high: f64,
    /// Diameter of the kernel in pixels: 3, 5 or 7; even sizes count as the next odd one. Larger ones want thresholds that
    /// are about ten times as high for each step.
    #[schemars(range(min = 3, max = 7))]
    pub size: u32,
    /// True draws over the picture. Default: false, on black.
    pub over: bool,
    /// Colour of the lines: a name or #rrggbb.
    pub color: Color,
}

impl Default for Edges {
    fn default() -> Self {
        Edges { low: 100.0, high: 200.0, size: 3, over: false, color: Color::WHITE }
    }
}

impl OpConfig for Edges {
    const NAME: &'static str = "edges";
    const GROUP: Group = Group::Detail;
    const EXAMPLE: &'static str = "edges:low=80,high=160";
    const BEHIND: &'static str = "cv::Canny on luma";

    fn check(&self) -> Result<(), Invalid> {
        Invalid::unless_in("low", self.low, 0.0..=32767.0)?;
        Invalid::unless_in("high", self.high, 0.0..=32767.0)?;
        Invalid::unless_in("size", self.size, 3..=7)?;
        if self.low > self.high {
            let what =
                format!("low = {} is above high = {}: lines begin at high and go on down to low", self.low, self.high);
            return Err(Invalid::new("low", what));
        }
        Ok(())
    }

    fn reach(&self) -> Reach {
        // A faint line is followed as far as it goes, but not beyond the region.
        Reach::Near(self.size.div_ceil(2) + 2)
    }

    fn build(&self) -> Box<dyn Op> {
        Box::new(Outlines {
            config: self.clone(),
            thresholds: (self.low, self.high),
            luma: Luma::default(),
            inks: Vec::new(),
            gray: Mat::default(),
            slopes: Default::default(),
            lines: Mat::default(),
            counts: Vec::new(),
        })
    }
}

struct Outlines {
    config: Edges,
    /// In steps of the picture's own range.
    thresholds: (f64, f64),
    luma: Luma,
    inks: Vec<Ink>,
    gray: Mat,
    /// Derivatives across and down.
    slopes: [Mat; 2],
    lines: Mat,
    /// How many pixels of a line share each sample of one row.
    counts: Vec<u16>,
}

/// What goes onto one plane.
struct Ink {
    base: Scalar,
    line: Scalar,
    /// The line's samples by channel.
    samples: Vec<u16>,
    /// Channels to leave alone.
    keep: Vec<i32>,
}

impl Ink {
    fn of(plane: &Plane, color: Color, spec: &Spec) -> Self {
        let sample = |color: Color, c: &Component| color.sample(*c, &spec.info, &spec.layout);
        let samples = |color: Color| plane.channels.iter().map(|c| sample(color, c)).collect::<Vec<u16>>();
        let scalar = |s: &[u16]| {
            let mut out = Scalar::default();
            out.iter_mut().zip(s).for_each(|(o, s)| *o = f64::from(*s));
            out
        };
        let kept = |(_, c): &(i32, &Component)| matches!(c, Component::Alpha | Component::Unused);
        let keep = (0i32..).zip(&plane.channels).filter(kept).map(|(k, _)| k).collect();
        let line = samples(color);
        Ink { base: scalar(&samples(Color::BLACK)), line: scalar(&line), samples: line, keep }
    }

    /// Lines (255, and 0 beside them) and what is around them onto a plane of bytes, in one pass.
    fn draw(&self, lines: &Mat, to: &mut Dst<'_>) -> Result<(), OpError> {
        let (base, line) = (self.base[0] as u8, self.line[0] as u8);
        for y in 0..lines.rows() {
            for (to, on) in to.at_row_mut::<u8>(y)?.iter_mut().zip(lines.at_row::<u8>(y)?) {
                *to = base ^ (on & (base ^ line));
            }
        }
        Ok(())
    }
}

impl Op for Outlines {
    fn mode(&self) -> Mode {
        Mode::Transform
    }

    fn prepare(&mut self, input: &Arc<Spec>, _: &Stream) -> Result<Arc<Spec>, OpError> {
        let layout = &input.layout;
        self.luma = Luma::of(layout)?;
        self.inks = layout.planes.iter().map(|p| Ink::of(p, self.config.color, input)).collect();
        let shades = Shades::of(input);
        let full = f64::from(((1u32 << layout.depth) - 1) << layout.shift);
        let share = f64::from(shades.white - shades.black) / full;
        let share = share * scale(odd(self.config.size, 0));
        self.thresholds = (self.config.low * share, self.config.high * share);
        Ok(input.clone())
    }

    fn transform(&mut self, from: &Frame, to: &mut Frame) -> Result<(), OpError> {
        let Outlines { config, thresholds: (low, high), luma, inks, gray, slopes: [across, down], lines, counts } =
            self;
        let layout = &from.spec().layout;
        luma.read(from, |luma| {
            let gray = eight(luma, layout, gray)?;
            slopes(&gray, odd(config.size, 0), across, down)?;
            Ok(imgproc::canny_derivative(across, down, lines, *low, *high, false)?)
        })?;
        let (src, mut dst) = (from.planes()?, to.planes_mut()?);
        for (i, (plane, ink)) in layout.planes.iter().zip(inks.iter()).enumerate() {
            let before = src.mat(i)?;
            dst.edit(i, |to| {
                let full = plane.w_sub + plane.h_sub == 0;
                if full && !config.over && layout.bytes == 1 && plane.channels.len() == 1 && !plane.is_alpha() {
                    return ink.draw(lines, to);
                }
                match config.over || plane.is_alpha() {
                    true => before.copy_to(to)?,
                    false => drop(to.set_to_def(&ink.base)?),
                }
                if plane.is_alpha() || (!config.over && ink.line == ink.base) {
                    return Ok(());
                }
                match (full, layout.bytes) {
                    (true, _) => drop(to.set_to(&ink.line, lines)?),
                    (false, 1) => stain::<u8>(lines, plane, layout, ink, counts, to)?,
                    (false, _) => stain::<u16>(lines, plane, layout, ink, counts, to)?,
                }
                for k in &ink.keep {
                    cv::mix_channels(&before, to, &[*k, *k])?;
                }
                Ok::<_, OpError>(())
            })?;
        }
        Ok(())
    }
}

/// What cv::Canny multiplies derivatives and thresholds by, so that those of the largest kernel fit into 16 bits.
fn scale(size: i32) -> f64 {
    if size == 7 { 1.0 / 16.0 } else { 1.0 }
}

/// The derivatives that cv::Canny would take for itself, in memory that is there: the ones of size 3 in one pass.
fn slopes(gray: &impl ToInputArray, size: i32, across: &mut Mat, down: &mut Mat) -> opencv::Result<()> {
    if size == 3 {
        return imgproc::spatial_gradient(gray, across, down, 3, cv::BORDER_REPLICATE);
    }
    imgproc::sobel(gray, across, cv::CV_16S, 1, 0, size, scale(size), 0.0, cv::BORDER_REPLICATE)?;
    imgproc::sobel(gray, down, cv::CV_16S, 0, 1, size, scale(size), 0.0, cv::BORDER_REPLICATE)
}

/// Gives each sample of a subsampled plane as much of the line's colour as its pixels have of the line.
fn stain<T: Sample>(
    lines: &Mat,
    plane: &Plane,
    layout: &Layout,
    ink: &Ink,
    counts: &mut Vec<u16>,
    to: &mut Dst<'_>,
) -> opencv::Result<()> {
    let (width, channels, shift) = (to.cols() as usize, ink.samples.len(), layout.shift);
    let mut to = to.reshape_def_mut(1)?;
    for y in 0..to.rows() {
        counts.clear();
        counts.resize(width, 0);
        let rows = y << plane.h_sub..((y + 1) << plane.h_sub).min(lines.rows());
        let mut any = false;
        for row in rows.clone() {
            for (count, line) in counts.iter_mut().zip(lines.at_row::<u8>(row)?.chunks(1 << plane.w_sub)) {
                let n = line.iter().filter(|l| **l > 0).count();
                *count += n as u16;
                any |= n > 0;
            }
        }
        if !any {
            continue;
        }
        let samples = to.at_row_mut::<T>(y)?;
        for (x, &n) in counts.iter().enumerate().filter(|(_, n)| **n > 0) {
            let across = (((x + 1) << plane.w_sub).min(lines.cols() as usize) - (x << plane.w_sub)) as u32;
            let (n, all) = (u32::from(n), across * rows.len() as u32);
            for (sample, ink) in samples[x * channels..][..channels].iter_mut().zip(&ink.samples) {
                let was: u32 = (*sample).into();
                let sum = (was >> shift) * (all - n) + (u32::from(*ink) >> shift) * n;
                *sample = T::exact(((sum + all / 2) / all) << shift);
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thresholds_have_an_order() {
        let bad = Edges { low: 300.0, high: 200.0, ..Edges::default() };
        assert!(bad.check().unwrap_err().message.contains("low = 300 is above high = 200"));
        assert!(Edges { high: f64::NAN, ..Edges::default() }.check().is_err());
    }

    #[test]
    fn chroma_is_stained_by_the_share_of_its_pixels() {
        // Three pixels across and two down on 4:2:0; the last column has one pixel of its own.
        let lines = Mat::from_slice_2d(&[[255u8, 0, 255], [255, 0, 0]]).unwrap();
        let plane = Plane { channels: vec![Component::U], w_sub: 1, h_sub: 1 };
        let ink = Ink { base: Scalar::default(), line: Scalar::default(), samples: vec![200], keep: Vec::new() };
        let mut out = Mat::from_slice_2d(&[[100u8, 100]]).unwrap();
        let rect = cv::Rect::new(0, 0, 2, 1);
        stain::<u8>(&lines, &plane, &Layout::i420(), &ink, &mut Vec::new(), &mut Mat::roi_mut(&mut out, rect).unwrap())
            .unwrap();
        assert_eq!(out.at_row::<u8>(0).unwrap(), [150, 150]);
    }
}

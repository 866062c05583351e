//! Shows the picture as it came in together with what the chain made of it.

mod difference;

use std::sync::Arc;

use gstreamer::ClockTime;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use self::difference::Difference;
use super::drawing::size;
use super::overlay::{Layer, Overlay, Paint, Prepared};
use super::position::{Position, Side};
use super::text::Text;
use super::{Group, Invalid, Length, Mode, Op, OpConfig, OpError, Reach, Stream};
use crate::frame::{Color, Converter, Frame, Plane, Spec};

/// Shows the input and the result together: side by side, split, as a moving wipe, or what differs.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Compare {
    /// `split`: the input on the left of `at`, the result on the right. `wipe`: the same with a border that moves to and
    /// fro. `side-by-side`: both whole, the picture twice as wide. `stacked`: the input above the result, twice as high.
    /// `difference`: black (chroma: neutral) where nothing changed. An input of another size is scaled to the result's.
    pub mode: Show,
    /// For `split`: how much of the picture's width is the input, in percent, 0 to 100; keyframes move it.
    #[schemars(range(min = 0.0, max = 100.0))]
    pub at: f64,
    /// For `wipe`: seconds to and fro, 0.1 to 3600.
    #[schemars(range(min = 0.1, max = 3600.0))]
    pub period: f64,
    /// For `split` and `wipe`: thickness of a white line on the border, in pixels, 0 (none) to 100.
    #[schemars(range(max = 100))]
    pub divider: u32,
    /// For `difference`: how many times larger differences are shown, 0.1 to 100.
    #[schemars(range(min = 0.1, max = 100.0))]
    pub gain: f64,
    /// True writes on the two what they are (not on a difference).
    pub labels: bool,
    /// The label of the input.
    pub before: String,
    /// The label of the result.
    pub after: String,
}

/// How two pictures are shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[allow(missing_docs)]
pub enum Show {
    SideBySide,
    #[default]
    Split,
    Wipe,
    Stacked,
    Difference,
}

impl Default for Compare {
    fn default() -> Self {
        Compare {
            mode: Show::Split,
            at: 50.0,
            period: 4.0,
            divider: 2,
            gain: 1.0,
            labels: false,
            before: "before".into(),
            after: "after".into(),
        }
    }
}

impl OpConfig for Compare {
    const NAME: &'static str = "compare";
    const GROUP: Group = Group::Drawing;
    const EXAMPLE: &'static str = "compare:mode=split,at=50,labels=true";
    const BEHIND: &'static str = "rows copied from the input; differences as cv::absdiff";

    fn check(&self) -> Result<(), Invalid> {
        Invalid::unless_in("at", self.at, 0.0..=100.0)?;
        Invalid::unless_in("period", self.period, 0.1..=3600.0)?;
        Invalid::unless_in("divider", self.divider, 0..=100)?;
        Invalid::unless_in("gain", self.gain, 0.1..=100.0)
    }

    fn reach(&self) -> Reach {
        match self.mode {
            Show::SideBySide | Show::Stacked => Reach::Never("both pictures are shown whole"),
            _ => Reach::Whole,
        }
    }

    fn wants_original(&self) -> bool {
        true
    }

    fn moves_pixels(&self) -> bool {
        true
    }

    fn build(&self) -> Box<dyn Op> {
        Box::new(Comparison { config: self.clone(), spec: None, convert: None, difference: None, labels: Vec::new() })
    }
}

struct Comparison {
    config: Compare,
    /// The result's form.
    spec: Option<Arc<Spec>>,
    /// Gives the input that form, where it has another.
    convert: Option<Converter>,
    difference: Option<Difference>,
    labels: Vec<Label>,
}

/// A label on the finished picture.
struct Label {
    prepared: Prepared,
    /// For borders that move: where it is, from left to right.
    columns: (i32, i32),
    of_input: bool,
}

impl Comparison {
    /// The picture as it came in, in the form of the result.
    fn input(&self, frame: &Frame) -> Result<Frame, OpError> {
        let input = frame.original().ok_or_else(|| OpError::Refused("the input's picture was not kept".into()))?;
        Ok(match &self.convert {
            Some(c) => c.convert(&input)?,
            None => input,
        })
    }

    /// The column where the result begins: a whole number of samples on every plane.
    fn border(&self, spec: &Spec, t: ClockTime) -> u32 {
        let share = match self.config.mode {
            Show::Wipe => {
                let phase = (t.nseconds() as f64 / 1e9 / self.config.period).fract();
                1.0 - (2.0 * phase - 1.0).abs()
            }
            _ => self.config.at / 100.0,
        };
        let (width, block) = (spec.info.width(), spec.layout.planes.iter().map(|p| p.w_sub).max().unwrap_or(0));
        let column = (share * f64::from(width)).round() as u32;
        // The picture's own end may cut a sample.
        if column >= width { width } else { column >> block << block }
    }

    fn label(&mut self, text: &str, right: bool, spec: &Spec, at: (u32, u32)) -> Result<(), OpError> {
        if !self.config.labels || text.trim().is_empty() {
            return Ok(());
        }
        let side = if right { Side::End } else { Side::Start };
        let text = Text {
            text: text.to_owned(),
            position: Position::Anchor(side, Side::Start),
            background: Some(Color::BLACK),
            outline: Length::Pixels(0.0),
            ..Text::default()
        };
        let one = self.spec.as_deref().unwrap_or(spec);
        let drawn = text.label(size(one))?;
        let (x, y) = (drawn.x + at.0 as i32, drawn.y + at.1 as i32);
        let mut prepared = Prepared::default();
        prepared.set(&drawn.overlay, spec, x, y);
        let columns = (x, x + drawn.overlay.width as i32);
        self.labels.push(Label { prepared, columns, of_input: self.labels.is_empty() });
        Ok(())
    }
}

impl Op for Comparison {
    fn mode(&self) -> Mode {
        match self.config.mode {
            Show::SideBySide | Show::Stacked => Mode::Transform,
            _ => Mode::InPlace,
        }
    }

    fn prepare(&mut self, input: &Arc<Spec>, stream: &Stream) -> Result<Arc<Spec>, OpError> {
        self.spec = Some(input.clone());
        let form = |s: &Spec| (s.info.format(), size(s), s.info.colorimetry());
        self.convert = match &stream.original {
            Some(original) if form(original) != form(input) => Some(Converter::new(original, input.clone())?),
            _ => None,
        };
        self.labels.clear();
        let (w, h) = size(input);
        let (output, right, at) = match self.config.mode {
            Show::SideBySide => (Arc::new(input.with_size(2 * w, h)?), false, (w, 0)),
            Show::Stacked => (Arc::new(input.with_size(w, 2 * h)?), false, (0, h)),
            Show::Split | Show::Wipe => (input.clone(), true, (0, 0)),
            Show::Difference => {
                self.difference = Some(Difference::new(input, self.config.gain));
                return Ok(input.clone());
            }
        };
        let (before, after) = (self.config.before.clone(), self.config.after.clone());
        self.label(&before, false, &output, (0, 0))?;
        self.label(&after, right, &output, at)?;
        Ok(output)
    }

    fn edit(&mut self, frame: &mut Frame) -> Result<(), OpError> {
        let input = self.input(frame)?;
        if let Some(difference) = &self.difference {
            return difference.show(&input, frame);
        }
        let border = self.border(frame.spec(), frame.position);
        let (before, spec) = (input.planes()?, frame.spec().clone());
        let mut after = frame.planes_mut()?;
        for (i, plane) in spec.layout.planes.iter().enumerate() {
            let n = plane.cols(border) as usize * sample_bytes(plane, &spec);
            for y in 0..plane.rows(spec.info.height()) {
                after.row_mut(i, y)?[..n].copy_from_slice(&before.row(i, y)?[..n]);
            }
        }
        drop(after);
        let (border, whole) = (border as i32, spec.info.width() as i32);
        if self.config.divider > 0 && border > 0 && border < whole {
            let (w, h) = (self.config.divider, spec.info.height());
            let mask = vec![255; (w * h) as usize];
            let layers = vec![Layer { paint: Paint::Flat(Color::WHITE), mask, opacity: 1.0 }];
            Overlay { width: w, height: h, layers }.blend(frame, border - (w / 2) as i32, 0)?;
        }
        for label in &self.labels {
            // Only on its own side of the border.
            let fits = if label.of_input { label.columns.1 <= border } else { label.columns.0 >= border };
            if fits {
                label.prepared.blend(frame)?;
            }
        }
        Ok(())
    }

    fn transform(&mut self, from: &Frame, to: &mut Frame) -> Result<(), OpError> {
        let input = self.input(from)?;
        let (before, after) = (input.planes()?, from.planes()?);
        let (one, both) = (from.spec(), to.spec().clone());
        let mut out = to.planes_mut()?;
        for (i, plane) in one.layout.planes.iter().enumerate() {
            let (rows, all) = (plane.rows(one.info.height()), plane.rows(both.info.height()));
            for y in 0..all {
                let row = out.row_mut(i, y)?;
                match self.config.mode {
                    Show::Stacked if y < rows => row.copy_from_slice(before.row(i, y)?),
                    Show::Stacked => row.copy_from_slice(after.row(i, y - rows)?),
                    _ => {
                        // Subsampled planes of odd pictures: twice the width has one sample less than two widths.
                        let (left, right) = (before.row(i, y)?, after.row(i, y)?);
                        let (a, b) = row.split_at_mut(left.len());
                        a.copy_from_slice(left);
                        b.copy_from_slice(&right[..b.len()]);
                    }
                }
            }
        }
        drop(out);
        self.labels.iter().try_for_each(|l| l.prepared.blend(to)).map_err(OpError::from)
    }
}

/// Bytes of one pixel of a plane.
fn sample_bytes(plane: &Plane, spec: &Spec) -> usize {
    plane.channels.len() * spec.layout.bytes as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn borders_are_whole_samples_and_wipes_go_to_and_fro() {
        gstreamer::init().unwrap();
        let info = |f| gstreamer_video::VideoInfo::builder(f, 321, 241).build().unwrap();
        let spec = Spec::new(info(gstreamer_video::VideoFormat::I420)).unwrap();
        let at = |config: Compare, seconds: f64| {
            let op = Comparison { config, spec: None, convert: None, difference: None, labels: Vec::new() };
            op.border(&spec, ClockTime::from_nseconds((seconds * 1e9) as u64))
        };
        let split = |at| Compare { at, ..Compare::default() };
        assert_eq!([0.0, 50.0, 99.9, 100.0].map(|p| at(split(p), 7.0)), [0, 160, 321, 321]);
        let wipe = |t| at(Compare { mode: Show::Wipe, period: 4.0, ..Compare::default() }, t);
        assert_eq!([0.0, 1.0, 2.0, 3.0, 4.0].map(wipe), [0, 160, 321, 160, 0]);
    }

    #[test]
    fn an_input_of_another_size_and_format_is_converted() {
        use gstreamer_video::VideoFormat::{Bgr, I420};
        gstreamer::init().unwrap();
        let spec = |f, w, h| {
            let info = gstreamer_video::VideoInfo::builder(f, w, h).build().unwrap();
            Arc::new(Spec::new(info).unwrap())
        };
        let (large, small) = (spec(Bgr, 64, 48), spec(I420, 32, 24));
        let buffer = gstreamer::Buffer::from_mut_slice(vec![200u8; large.info.size()]);
        let mut frame = Frame::new(buffer, large.clone(), ClockTime::ZERO, None);
        frame.keep_original();
        let mut result = Converter::new(&large, small.clone()).unwrap().convert(&frame).unwrap();
        let wanted = result.planes().unwrap().row(0, 5).unwrap().to_vec();
        for y in 0..24 {
            result.planes_mut().unwrap().row_mut(0, y).unwrap().fill(16);
        }
        let mut op = Compare { at: 50.0, divider: 0, ..Compare::default() }.build();
        let stream = Stream { original: Some(large), ..Stream::default() };
        op.prepare(&small, &stream).unwrap();
        op.edit(&mut result).unwrap();
        let row = result.planes().unwrap().row(0, 5).unwrap().to_vec();
        assert!(row[..16] == wanted[..16] && row[16..] == [16; 16] && wanted[0] > 180, "{row:?}");
    }

    #[test]
    fn settings_out_of_range_are_named() {
        let bad = |c: Compare| c.check().unwrap_err().key;
        assert_eq!(bad(Compare { at: 100.5, ..Compare::default() }), "at");
        assert_eq!(bad(Compare { gain: f64::NAN, ..Compare::default() }), "gain");
        assert_eq!(bad(Compare { period: 0.0, ..Compare::default() }), "period");
    }
}

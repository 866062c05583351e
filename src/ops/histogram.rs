//! Shows how the brightness or the colours of each picture are distributed.

mod mixed;

use std::sync::Arc;

use opencv::core::Mat;
use opencv::prelude::*;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use self::mixed::Mixed;
use super::drawing::{check_length, size};
use super::overlay::{Layer, Overlay, Paint, Prepared};
use super::position::{Position, Side};
use super::{Group, Invalid, Length, Mode, Op, OpConfig, OpError, Reach, Stream};
use crate::frame::{Color, Component, Frame, FrameError, Layout, Spec};

/// Shows the histogram of each picture in a corner: brightness, red-green-blue, or luma and chroma.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Histogram {
    /// What is counted, in 256 steps from left to right: `luma`, `rgb`, or `yuv`. Luma and chroma are counted as they are
    /// stored (black is 16 in limited range, neutral chroma 128). What the picture does not hold (`rgb` of a YUV video,
    /// say) is computed for every n-th pixel and row, up to 640 of each.
    pub of: Of,
    /// Where: `top-left`, `top`, `top-right`, `left`, `center`, `right`, `bottom-left`, `bottom`, `bottom-right`, or `x,y`
    /// in pixels or percent of the room.
    pub position: Position,
    /// Distance from the edges for the named positions, in pixels or percent of the picture's height, 0 to 100000.
    pub margin: Length,
    /// Width in pixels or percent of the picture's width; 256 pixels show every step.
    pub width: Length,
    /// Height in pixels or percent of the picture's height.
    pub height: Length,
    /// True makes rare values visible: heights are logarithms of the counts.
    pub log: bool,
    /// Opacity of the bars, 0 to 1.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub opacity: f64,
    /// Opacity of the black box behind them, 0 to 1.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub box_opacity: f64,
}

/// What a histogram counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[allow(missing_docs)]
pub enum Of {
    #[default]
    Luma,
    Rgb,
    Yuv,
}

impl Default for Histogram {
    fn default() -> Self {
        Histogram {
            of: Of::Luma,
            position: Position::Anchor(Side::End, Side::End),
            margin: Length::Percent(2.0),
            width: Length::Pixels(256.0),
            height: Length::Percent(20.0),
            log: false,
            opacity: 0.8,
            box_opacity: 0.5,
        }
    }
}

impl OpConfig for Histogram {
    const NAME: &'static str = "histogram";
    const GROUP: Group = Group::Drawing;
    const EXAMPLE: &'static str = "histogram:of=rgb,log=true";
    const BEHIND: &'static str = "own counting (as cv::calcHist), blended in the frame's own format";

    fn check(&self) -> Result<(), Invalid> {
        check_length("margin", self.margin, 0.0)?;
        check_length("width", self.width, f64::MIN_POSITIVE)?;
        check_length("height", self.height, f64::MIN_POSITIVE)?;
        Invalid::unless_in("opacity", self.opacity, 0.0..=1.0)?;
        Invalid::unless_in("box-opacity", self.box_opacity, 0.0..=1.0)
    }

    fn reach(&self) -> Reach {
        Reach::Whole
    }

    fn build(&self) -> Box<dyn Op> {
        let plot =
            Plot { config: self.clone(), place: (0, 0), overlay: Overlay::default(), prepared: Prepared::default() };
        Box::new(Plotter { plot, counter: Counter::Gray(Mat::default()), counts: Vec::new() })
    }
}

impl Of {
    fn components(self) -> &'static [Component] {
        match self {
            Of::Luma => &[Component::Y],
            Of::Rgb => &[Component::R, Component::G, Component::B],
            Of::Yuv => &[Component::Y, Component::U, Component::V],
        }
    }

    /// The colour where the bars of these components lie over each other, one bit for each: mixed as light is, but that
    /// chroma shows before luma.
    fn color(self, bits: usize) -> Color {
        const RED: Color = Color::rgb(255, 48, 48);
        const GREEN: Color = Color::rgb(48, 255, 48);
        const BLUE: Color = Color::rgb(80, 80, 255);
        let colors = match self {
            Of::Luma => [Color::WHITE; 3],
            Of::Rgb => [RED, GREEN, BLUE],
            Of::Yuv if bits == 1 => [Color::WHITE; 3],
            Of::Yuv => [Color::BLACK, BLUE, RED],
        };
        let add =
            |a: Color, b: &Color| Color::rgb(a.r.saturating_add(b.r), a.g.saturating_add(b.g), a.b.saturating_add(b.b));
        (0..3).filter(|k| bits >> k & 1 == 1).map(|k| &colors[k]).fold(Color::BLACK, add)
    }

    /// Plane and channel of each component, where `layout` has them all.
    fn places(self, layout: &Layout) -> Option<Vec<(usize, usize)>> {
        self.components().iter().map(|c| layout.find(*c)).collect()
    }
}

/// Where samples are counted.
enum Counter {
    /// On the picture itself.
    Native(Vec<(usize, usize)>),
    /// On its gray version.
    Gray(Mat),
    /// On other components, computed.
    Mixed(Mixed),
}

struct Plotter {
    plot: Plot,
    counter: Counter,
    counts: Vec<[u32; 256]>,
}

struct Plot {
    config: Histogram,
    place: (i32, i32),
    /// The box, and a layer for each set of bars that may lie over each other.
    overlay: Overlay,
    prepared: Prepared,
}

impl Op for Plotter {
    fn mode(&self) -> Mode {
        Mode::InPlace
    }

    fn prepare(&mut self, input: &Arc<Spec>, _: &Stream) -> Result<Arc<Spec>, OpError> {
        let of = self.plot.config.of;
        self.counts = vec![[0; 256]; of.components().len()];
        self.counter = match (of.places(&input.layout), of) {
            (Some(places), _) => Counter::Native(places),
            (None, Of::Luma) => Counter::Gray(Mat::default()),
            (None, _) => Counter::Mixed(Mixed::new(input, of == Of::Rgb)),
        };
        self.plot.fit(input);
        Ok(input.clone())
    }

    fn edit(&mut self, frame: &mut Frame) -> Result<(), OpError> {
        self.counts.iter_mut().for_each(|c| c.fill(0));
        match &mut self.counter {
            Counter::Native(places) => count(frame, places, &mut self.counts)?,
            Counter::Mixed(mixed) => mixed.count(frame, &mut self.counts)?,
            Counter::Gray(scratch) => frame.gray(scratch, |gray| {
                for y in 0..gray.rows() {
                    tally(gray.at_row::<u8>(y)?, &mut self.counts[0]);
                }
                Ok::<_, OpError>(())
            })?,
        }
        self.plot.draw(&self.counts, frame)
    }
}

/// Counts the samples of each of `places` (plane and channel) in 256 steps of their range.
fn count(frame: &Frame, places: &[(usize, usize)], counts: &mut [[u32; 256]]) -> Result<(), FrameError> {
    let (planes, layout) = (frame.planes()?, &frame.spec().layout);
    for ((plane, channel), counts) in places.iter().zip(counts) {
        let (n, drop) = (layout.planes[*plane].channels.len(), layout.shift + layout.depth - 8);
        for y in 0..layout.planes[*plane].rows(frame.height()) {
            let row = planes.row(*plane, y)?;
            match layout.bytes {
                1 if n == 1 => tally(row, counts),
                1 => row.iter().skip(*channel).step_by(n).for_each(|s| counts[usize::from(*s)] += 1),
                _ => {
                    let samples = row.as_chunks::<2>().0.iter().skip(*channel).step_by(n);
                    samples.for_each(|s| counts[usize::from((u16::from_le_bytes(*s) >> drop) as u8)] += 1);
                }
            }
        }
    }
    Ok(())
}

/// Four tables, since neighbours are alike and a counter that was just written is slow to read again.
fn tally(row: &[u8], counts: &mut [u32; 256]) {
    let mut more = [[0u16; 256]; 3];
    // No row is longer than a u16 counts.
    for piece in row.chunks(4 * 65535) {
        let (fours, rest) = piece.as_chunks::<4>();
        for four in fours {
            counts[usize::from(four[0])] += 1;
            for k in 0..3 {
                more[k][usize::from(four[k + 1])] += 1;
            }
        }
        rest.iter().for_each(|s| counts[usize::from(*s)] += 1);
        for table in &mut more {
            counts.iter_mut().zip(&*table).for_each(|(c, m)| *c += u32::from(*m));
            table.fill(0);
        }
    }
}

impl Plot {
    fn fit(&mut self, spec: &Spec) {
        let (config, (w, h)) = (&self.config, size(spec));
        let pixels = |l: Length, whole: u32| l.pixels(whole).round().clamp(1.0, f64::from(whole)) as u32;
        let (width, height) = (pixels(config.width, w), pixels(config.height, h));
        self.place = config.position.place((width, height), (w, h), config.margin.pixels(h).round() as u32);
        let layer = |color, mask: u8, opacity: f64| Layer {
            paint: Paint::Flat(color),
            mask: vec![mask; (width * height) as usize],
            opacity: opacity as f32,
        };
        let n = config.of.components().len();
        let bars = (1..1 << n).map(|bits| layer(config.of.color(bits), 0, config.opacity));
        let layers = [layer(Color::BLACK, 255, config.box_opacity)].into_iter().chain(bars).collect();
        self.overlay = Overlay { width, height, layers };
    }

    fn draw(&mut self, counts: &[[u32; 256]], frame: &mut Frame) -> Result<(), OpError> {
        let (w, h) = (self.overlay.width as usize, self.overlay.height as usize);
        let bars: Vec<Vec<usize>> = counts.iter().map(|c| bars(c, w, h, self.config.log)).collect();
        let layers = &mut self.overlay.layers[1..];
        layers.iter_mut().for_each(|l| l.mask.fill(0));
        for (y, x) in (0..h).flat_map(|y| (0..w).map(move |x| (y, x))) {
            let bits = bars.iter().enumerate().fold(0, |bits, (k, b)| bits | usize::from(y + b[x] >= h) << k);
            if bits > 0 {
                layers[bits - 1].mask[y * w + x] = 255;
            }
        }
        self.prepared.set(&self.overlay, frame.spec(), self.place.0, self.place.1);
        Ok(self.prepared.blend(frame)?)
    }
}

/// The height of the bar in each of `w` columns: the largest count of a column's steps, the largest of all being `h`.
fn bars(counts: &[u32; 256], w: usize, h: usize, log: bool) -> Vec<usize> {
    let value = |c: u32| if log { f64::from(c).ln_1p() } else { f64::from(c) };
    let most = value(counts.iter().copied().max().unwrap_or(0)).max(f64::MIN_POSITIVE);
    let column = |x: usize| {
        let from = x * 256 / w;
        let highest = counts[from..((x + 1) * 256).div_ceil(w).clamp(from + 1, 256)].iter().copied().max().unwrap_or(0);
        let bar = value(highest) / most * h as f64;
        // What is there at all shows.
        if highest > 0 { (bar.round() as usize).max(1) } else { 0 }
    };
    (0..w).map(column).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_samples_are_counted() {
        let row: Vec<u8> =
            (0..4 * 70_001 + 3).map(|i: usize| if i.is_multiple_of(5) { 9 } else { (i * 7 % 251) as u8 }).collect();
        let mut counts = [0; 256];
        tally(&row, &mut counts);
        for (v, count) in counts.iter().enumerate() {
            assert_eq!(*count as usize, row.iter().filter(|s| usize::from(**s) == v).count(), "{v}");
        }
    }

    #[test]
    fn bars_are_as_high_as_the_counts() {
        let mut counts = [0; 256];
        (counts[0], counts[100], counts[255]) = (1, 50, 100);
        let linear = bars(&counts, 256, 40, false);
        assert_eq!((linear[0], linear[100], linear[255], linear[99]), (1, 20, 40, 0));
        let log = bars(&counts, 256, 40, true);
        assert!(log[0] > 4 && log[100] > 30 && log[255] == 40 && log[99] == 0);
        // Narrower and wider no step is lost.
        assert_eq!(bars(&counts, 3, 40, false), [1, 20, 40]);
        let wide = bars(&counts, 512, 40, false);
        assert_eq!((&wide[..3], &wide[199..203]), (&[1, 1, 0][..], &[0, 20, 20, 0][..]));
    }
}

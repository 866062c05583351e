//! Writes text onto the picture.

mod hershey;
mod ink;
mod label;
mod pieces;
mod rate;
mod template;
#[cfg(test)]
mod tests;
mod typeface;

use std::sync::Arc;

use gstreamer::ClockTime;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use self::label::Labels;
pub use self::template::FIELDS;

use self::ink::{Bounds, Ink};
use self::pieces::Pieces;
use self::rate::Rate;
use self::template::{Template, Values};
use super::drawing::Drawn;
use super::overlay::{Layer, Overlay, Paint};
use super::smpte::{DropFrame, Smpte};
use super::{Group, Invalid, Length, Mode, Op, OpConfig, OpError, Position, Reach, Stream};
use crate::config::Rate as Fps;
use crate::frame::{Color, Frame, Meta, Spec};

/// Writes text, a timecode, a frame number or a clock onto the picture.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Text {
    /// What to write; required. Fields: `{source}` the source's name, `{frame}` the frame's number from 0, `{time}` its
    /// position in the source as HH:MM:SS.mmm, `{time:%H:%M:%S}` the same by strftime (`%H %M %S %T %s`, `%L` or `%f` for
    /// milliseconds), `{timecode}` the same as a SMPTE timecode HH:MM:SS:FF, `{pts}` its timestamp in seconds, `{clock}` the local time of day when it is processed,
    /// `{clock:%F %T}` the same by strftime, `{fps}` frames per second (measured where the source does not say), `{width}`
    /// and `{height}` of the picture in pixels, `{measure.NAME}` what an op before this one measured (`{measure.sharpness}`;
    /// `{measure.sharpness:.0}` without digits after the point; `?` where nothing was measured),
    /// `{count.LINE.in}`, `{count.LINE.out}` and `{count.LINE.in.LABEL}` of the op count-line of that name, `{zone.NAME.now}` and
    /// `{zone.NAME.total}` of the op zone, `{tracks}` how many objects op track follows now. `{{` and `}}` are braces, `\n` breaks the line, `\\` is a backslash.
    pub text: String,
    /// Where: `top-left`, `top`, `top-right`, `left`, `center`, `right`, `bottom-left`, `bottom`, `bottom-right`, or `x,y`
    /// in pixels from the left top corner or in percent of the room (`50%,50%` is centred, `100%,100%` the right bottom
    /// corner).
    pub position: Position,
    /// Distance from the edges for the named positions, in pixels or percent of the picture's height: 0 to 10000 pixels, 0% to
    /// 100%.
    pub margin: Length,
    /// The font: empty for the built-in one (Hack, a fixed-width font with Latin, Greek and Cyrillic), the path of a
    /// .ttf, .otf or .ttc file, the name of an installed font (`DejaVu Sans`, `DejaVu Sans Bold`), or OpenCV's stroke
    /// fonts: `hershey`, `hershey-simplex`, `hershey-plain`, `hershey-duplex`, `hershey-complex`, `hershey-triplex`,
    /// `hershey-script`; those know ASCII only and show `?` for the rest. Other fonts take what they lack from the
    /// built-in one (emoji too), then from installed ones.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub font: String,
    /// Font height in pixels or percent of the picture's height: 1 to 2000 pixels, 0.1% to 100%.
    pub size: Length,
    /// Colour of the letters: a name or #rrggbb.
    pub color: Color,
    /// Opacity of letters and outline, 0 to 1.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub opacity: f64,
    /// Width of the outline around the letters in pixels or percent of the font height, 0 (none) to 100 pixels or 50%.
    pub outline: Length,
    /// Colour of the outline.
    pub outline_color: Color,
    /// Colour of a box behind the text. Default: no box.
    #[serde(rename = "box", skip_serializing_if = "Option::is_none")]
    pub background: Option<Color>,
    /// Opacity of the box, 0 to 1.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub box_opacity: f64,
    /// Room between text and the edge of the box in pixels or percent of the font height, 0 to 10000.
    pub padding: Length,
    /// How lines of different length lie: `left`, `center`, `right`.
    pub align: Align,
    /// Distance of lines as a multiple of the font's own, 0.5 to 5.
    #[schemars(range(min = 0.5, max = 5.0))]
    pub line_spacing: f64,
}

/// How the lines of a text lie to each other.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[allow(missing_docs)]
pub enum Align {
    #[default]
    Left,
    Center,
    Right,
}

impl Default for Text {
    fn default() -> Self {
        Text {
            text: String::new(),
            position: Position::Anchor(super::position::Side::Start, super::position::Side::Start),
            margin: Length::Percent(2.0),
            font: String::new(),
            size: Length::Percent(4.0),
            color: Color::WHITE,
            opacity: 1.0,
            outline: Length::Percent(6.0),
            outline_color: Color::BLACK,
            background: None,
            box_opacity: 0.5,
            padding: Length::Percent(25.0),
            align: Align::Left,
            line_spacing: 1.0,
        }
    }
}

impl OpConfig for Text {
    const NAME: &'static str = "text";
    const GROUP: Group = Group::Drawing;
    const EXAMPLE: &'static str = "text:text={source} {time} #{frame}";
    const BEHIND: &'static str = "cosmic-text and swash (shaping, fonts), cv::putText for hershey fonts";

    fn check(&self) -> Result<(), Invalid> {
        let invalid = |key: &'static str, message: String| Invalid::new(key, message);
        if self.text.is_empty() {
            return Err(invalid("text", format!("text is missing or empty: give one, as in --op '{}'", Self::EXAMPLE)));
        }
        Template::parse(&self.text).map_err(|e| invalid("text", format!("text: {e}")))?;
        hershey::check(&self.font).map_err(|e| invalid("font", format!("font: {e}")))?;
        let length = |key, value, pixels: [f64; 2], percent: [f64; 2]| {
            let (v, [low, high]) = match value {
                Length::Pixels(v) => (v, pixels),
                Length::Percent(v) => (v, percent),
            };
            if v >= low && v <= high {
                return Ok(());
            }
            let allowed = format!("{} to {} pixels or {}% to {}%", pixels[0], pixels[1], percent[0], percent[1]);
            Err(invalid(key, format!("{key} = {value} is out of range: {allowed} are allowed")))
        };
        length("margin", self.margin, [0.0, 10000.0], [0.0, 100.0])?;
        length("size", self.size, [1.0, 2000.0], [0.1, 100.0])?;
        length("outline", self.outline, [0.0, 100.0], [0.0, 50.0])?;
        length("padding", self.padding, [0.0, 10000.0], [0.0, 10000.0])?;
        Invalid::unless_in("opacity", self.opacity, 0.0..=1.0)?;
        Invalid::unless_in("box-opacity", self.box_opacity, 0.0..=1.0)?;
        Invalid::unless_in("line-spacing", self.line_spacing, 0.5..=5.0)
    }

    fn reach(&self) -> Reach {
        Reach::Whole
    }

    fn stateful(&self) -> bool {
        // `{fps}` of a stream without a nominal rate is measured over the frames.
        Template::parse(&self.text).is_ok_and(|t| t.wants_fps())
    }

    fn build(&self) -> Box<dyn Op> {
        Box::new(Writer::new(self.clone()))
    }
}

/// What `{timecode}` counts.
#[derive(Clone, Debug)]
pub(super) struct Counting {
    /// The timecode at the beginning of the source.
    pub start: String,
    /// Whether frame numbers are left out.
    pub drop_frame: DropFrame,
    /// Frames per second; `None`: the stream's.
    pub fps: Option<Fps>,
}

impl Text {
    /// The op, whose `{timecode}` counts like this.
    pub(super) fn counting(self, counting: Counting) -> Box<dyn Op> {
        Box::new(Writer { counting, ..Writer::new(self) })
    }

    /// Its text as it is written, without fields, for pictures of this size in pixels.
    pub(super) fn label(self, size: (u32, u32)) -> Result<Drawn, OpError> {
        let mut writer = Writer::new(self);
        writer.fit(size.0, size.1)?;
        writer.text.clone_from(&writer.config.text);
        let (overlay, window) = writer.lay_down();
        Ok(Drawn { overlay, x: window.left, y: window.top })
    }
}

/// Letters of one font and size.
trait Letters: Send {
    /// Lays out `text`: width and height of the block of lines in pixels, which do not depend on what letters there are
    /// but for their advance, and the bounds of what is drawn against the block's left top corner.
    fn lay_out(&mut self, text: &str, align: Align) -> (u32, u32, Bounds);

    /// Draws what was laid out last.
    fn draw(&mut self, ink: &mut Ink);
}

struct Writer {
    config: Text,
    template: Template,
    letters: Option<Box<dyn Letters>>,
    geometry: Geometry,
    source: String,
    spec: Option<Arc<Spec>>,
    rate: Rate,
    counting: Counting,
    timecode: Option<Smpte>,
    text: String,
    /// The text that `pieces` show.
    shown: Option<String>,
    pieces: Pieces,
}

/// Lengths in pixels of this picture.
#[derive(Clone, Copy, Default)]
struct Geometry {
    width: u32,
    height: u32,
    margin: u32,
    /// From the block of lines to the edge of what is placed.
    around: i32,
}

impl Writer {
    fn new(config: Text) -> Self {
        Writer {
            // check() parsed it already; a config that was not checked writes its template as it is.
            template: Template::parse(&config.text).unwrap_or_default(),
            config,
            letters: None,
            geometry: Geometry::default(),
            source: String::new(),
            spec: None,
            rate: Rate::default(),
            counting: Counting { start: "00:00:00:00".into(), drop_frame: DropFrame::Auto, fps: None },
            timecode: None,
            text: String::new(),
            shown: None,
            pieces: Pieces::default(),
        }
    }

    /// Makes `self.text` that of one frame.
    fn fill_in(&mut self, frame: u64, pts: ClockTime, position: ClockTime, meta: &Meta) {
        let values = Values {
            source: &self.source,
            frame,
            pts,
            position,
            fps: self.rate.fps(),
            timecode: self.timecode.as_ref(),
            width: self.geometry.width,
            height: self.geometry.height,
            meta,
        };
        self.template.render(&values, &mut self.text);
    }

    /// Settles lengths and font for pictures of this size.
    fn fit(&mut self, width: u32, height: u32) -> Result<(), OpError> {
        let config = &self.config;
        let size = config.size.pixels(height).max(1.0);
        // The lengths that are relative to the font are so to its nominal height.
        let relative = |l: Length| match l {
            Length::Pixels(p) => p,
            Length::Percent(p) => p / 100.0 * size,
        };
        let outline = relative(config.outline);
        let padding = if config.background.is_some() { relative(config.padding).round() } else { 0.0 };
        let margin = config.margin.pixels(height).round() as u32;
        self.geometry = Geometry { width, height, margin, around: (padding + outline.ceil()) as i32 };
        let (size, outline, spacing) = (size as f32, outline as f32, config.line_spacing as f32);
        self.letters = Some(match hershey::check(&config.font).map_err(OpError::Refused)? {
            Some(face) => Box::new(hershey::Hershey::new(face, size, outline, spacing)?),
            None => Box::new(typeface::Typeface::open(&config.font, size, outline, spacing).map_err(OpError::Refused)?),
        });
        Ok(())
    }

    /// Renders `self.text`: the overlay, and where it goes.
    fn lay_down(&mut self) -> (Overlay, Bounds) {
        let (config, g) = (&self.config, self.geometry);
        let mut overlay = Overlay::default();
        let mut window = Bounds::default();
        let Some(letters) = &mut self.letters else { return (overlay, window) };
        if !self.text.trim().is_empty() {
            let (w, h, drawn) = letters.lay_out(&self.text, config.align);
            let (w, h) = (w + 2 * g.around as u32, h + 2 * g.around as u32);
            let (x, y) = config.position.place((w, h), (g.width, g.height), g.margin);
            // From here on in pixels of the picture.
            let picture = Bounds::sized(0, 0, g.width as i32, g.height as i32);
            let background = Bounds::sized(x, y, w as i32, h as i32);
            let (x, y) = (x.saturating_add(g.around), y.saturating_add(g.around));
            window = drawn.moved(x, y);
            if config.background.is_some() {
                window = window.with(background);
            }
            window = window.within(picture);
            if !window.is_empty() {
                let mut ink = Ink::new(window.moved(-x, -y), config.outline.pixels(100) > 0.0);
                letters.draw(&mut ink);
                overlay = layers(config, ink, background.moved(-x, -y));
            }
        }
        (overlay, window)
    }

    /// Renders `self.text` and prepares it for the stream's format.
    fn compose(&mut self) {
        if self.letters.is_none() {
            return;
        }
        let (overlay, window) = self.lay_down();
        let Some(spec) = &self.spec else { return };
        self.pieces.set(&overlay, spec, window);
        let shown = self.shown.get_or_insert_default();
        shown.clone_from(&self.text);
    }
}

/// The layers of rendered letters, from the bottom: box, outline, letters, colour glyphs.
fn layers(config: &Text, mut ink: Ink, background: Bounds) -> Overlay {
    let (width, height) = (ink.window.width(), ink.window.height());
    let opacity = config.opacity as f32;
    let mut overlay = Overlay { width, height, layers: Vec::new() };
    let mut push = |paint, mask, opacity| overlay.layers.push(Layer { paint, mask, opacity });
    if let Some(color) = config.background {
        let mut whole = Ink::new(ink.window, false);
        whole.fill(background.within(ink.window), &vec![255; whole.fill.len()]);
        push(Paint::Flat(color), whole.fill, config.box_opacity as f32);
    }
    if !ink.edge.is_empty() {
        if opacity < 1.0 {
            // Letters and outline fade as one picture: the outline must not shine through the letters.
            for (edge, fill) in ink.edge.iter_mut().zip(&ink.fill) {
                let (e, f) = (f32::from(*edge), f32::from(*fill));
                *edge = (e * (255.0 - f) / (255.0 - opacity * f)).round() as u8;
            }
        }
        push(Paint::Flat(config.outline_color), ink.edge, opacity);
    }
    push(Paint::Flat(config.color), ink.fill, opacity);
    if !ink.picture.is_empty() {
        overlay.layers.extend(Overlay::from_rgba(width, height, &ink.picture, opacity).layers);
    }
    overlay
}

impl Op for Writer {
    fn mode(&self) -> Mode {
        Mode::InPlace
    }

    fn prepare(&mut self, input: &Arc<Spec>, stream: &Stream) -> Result<Arc<Spec>, OpError> {
        self.fit(input.info.width(), input.info.height())?;
        if self.template.wants_timecode() {
            let Counting { start, drop_frame, fps } = &self.counting;
            let fps = fps.map_or(input.info.fps(), |r| r.0);
            self.timecode = Some(Smpte::new(fps, *drop_frame, start).map_err(OpError::Refused)?);
        }
        self.source = stream.name.clone();
        self.rate = Rate::of(input);
        self.spec = Some(input.clone());
        self.shown = None;
        self.pieces.clear();
        // Fonts that fixed parts of the text need are looked for here, not while frames wait.
        self.fill_in(0, ClockTime::ZERO, ClockTime::ZERO, &Meta::default());
        if let Some(letters) = &mut self.letters {
            let digit = |c: char| c.is_ascii_digit();
            if self.text != self.config.text && self.text.contains(digit) {
                // What counts shows every digit in every place before long.
                for d in '0'..='9' {
                    letters.lay_out(&self.text.replace(digit, d.encode_utf8(&mut [0; 4])), self.config.align);
                }
            }
            letters.lay_out(&self.text, self.config.align);
        }
        Ok(input.clone())
    }

    fn edit(&mut self, frame: &mut Frame) -> Result<(), OpError> {
        if self.template.wants_fps() {
            self.rate.saw(frame.pts);
        }
        self.fill_in(frame.index, frame.pts, frame.position, &frame.meta);
        if self.shown.as_deref() != Some(self.text.as_str()) {
            self.compose();
        }
        Ok(self.pieces.blend(frame)?)
    }
}

//! Draws what was found: boxes, labels, landmarks, paths, and the lines and zones that are watched.

mod marks;
mod palette;
mod shape;
mod trace;

use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use self::palette::{ink_on, of_text, of_track};
use self::trace::Traces;
use super::detect::Labels;
use super::drawing::check_length;
use super::overlay::{Layer, Overlay, Paint};
use super::text;
use super::{Group, Invalid, Length, Mode, Op, OpConfig, OpError, Reach, Sight, Stream};
use crate::frame::{Color, Frame, Spec};
use crate::vision::Detection;
use crate::vision::count::{Shape, ShapeKind};

/// Draws what `detect` found and `track` followed: boxes, labels, landmarks, paths; every label or track in its own colour.
/// Lines and zones of the ops before it, with their counts.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Draw {
    /// Only what the `detect` op of this name found. Default: everything.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detector: Option<String>,
    /// Only these labels (`["person", "car"]`; on the command line `person|car`). Default: all.
    #[serde(skip_serializing_if = "Labels::is_empty")]
    pub labels: Labels,
    /// `plain`, `rounded`, `corners`, or `none` for no box.
    pub style: Style,
    /// Thickness of the box in pixels or percent of the picture's height: 1 to 100 pixels, 0% to 10%.
    pub thickness: Length,
    /// What is written at each box; empty for nothing. Fields: `{label}`, `{score}` in percent, `{track}` as `#3` where there
    /// is one, `{detector}`, `{text}` (what a QR code says), `{speed}` (of op `ground`).
    pub label: String,
    /// Height of the letters in pixels or percent of the picture's height: 4 to 500 pixels, 0.5% to 50%.
    pub size: Length,
    /// One colour for all: a name or #rrggbb. Default: by `color-by`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub color: Option<Color>,
    /// What has a colour of its own, the same in every run: `track` (what belongs to none: its label), `label`, `detector`.
    pub color_by: ColorBy,
    /// Opacity of the box and its label, 0 to 1. What was not seen but predicted has half of it.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub opacity: f64,
    /// Opacity of the area inside of the box, 0 (not filled) to 1.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub fill: f64,
    /// Whether landmarks are drawn.
    pub points: bool,
    /// Whether the lines and zones of the ops `count-line` and `zone` are drawn, with their counts.
    pub shapes: bool,
    /// What `{speed}` is in: `km/h`, `m/s` or `mph`.
    pub speed_unit: SpeedUnit,
    /// Draws the path of each track (of the middle of its box's lower edge) over so many seconds, 0 (none) to 60.
    #[schemars(range(min = 0.0, max = 60.0))]
    pub trace: f64,
}

/// How a box looks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[allow(missing_docs)]
pub enum Style {
    #[default]
    Plain,
    Rounded,
    Corners,
    None,
}

/// Units of speed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[allow(missing_docs)]
pub enum SpeedUnit {
    #[default]
    #[serde(rename = "km/h")]
    Kmh,
    #[serde(rename = "m/s")]
    Ms,
    #[serde(rename = "mph")]
    Mph,
}

impl SpeedUnit {
    /// A speed in metres per second as text.
    fn text(self, speed: f32) -> String {
        match self {
            SpeedUnit::Kmh => format!("{:.0} km/h", speed * 3.6),
            SpeedUnit::Ms => format!("{speed:.1} m/s"),
            SpeedUnit::Mph => format!("{:.0} mph", speed * 2.236_936),
        }
    }
}

/// What has a colour of its own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[allow(missing_docs)]
pub enum ColorBy {
    #[default]
    Track,
    Label,
    Detector,
}

impl Default for Draw {
    fn default() -> Self {
        Draw {
            detector: None,
            labels: Labels::default(),
            style: Style::Plain,
            thickness: Length::Percent(0.4),
            label: "{label} {track} {score} {text}".into(),
            size: Length::Percent(2.5),
            color: None,
            color_by: ColorBy::Track,
            opacity: 1.0,
            fill: 0.0,
            points: true,
            shapes: true,
            speed_unit: SpeedUnit::Kmh,
            trace: 0.0,
        }
    }
}

impl OpConfig for Draw {
    const NAME: &'static str = "draw";
    const GROUP: Group = Group::Seeing;
    const EXAMPLE: &'static str = "draw:style=rounded,fill=0.15";
    const BEHIND: &'static str = "own masks, cosmic-text, cv::polylines, blended in the frame's own format";

    fn check(&self) -> Result<(), Invalid> {
        check_length("thickness", self.thickness, 0.0)?;
        check_length("size", self.size, f64::MIN_POSITIVE)?;
        Invalid::unless_in("opacity", self.opacity, 0.0..=1.0)?;
        Invalid::unless_in("fill", self.fill, 0.0..=1.0)?;
        Invalid::unless_in("trace", self.trace, 0.0..=60.0)?;
        let mut rest = self.label.as_str();
        while let Some((_, after)) = rest.split_once('{') {
            let (field, tail) = after.split_once('}').unwrap_or((after, ""));
            if !FIELDS.contains(&field) {
                let hint = crate::config::did_you_mean(field, FIELDS);
                let known = FIELDS.map(|f| format!("{{{f}}}")).join(", ");
                return Err(Invalid::new("label", format!("label: there is no {{{field}}}{hint}: there is {known}")));
            }
            rest = tail;
        }
        Ok(())
    }

    fn reach(&self) -> Reach {
        Reach::Whole
    }

    fn sight(&self) -> Sight {
        Sight::Uses(self.detector.clone())
    }

    fn stateful(&self) -> bool {
        self.trace > 0.0
    }

    fn build(&self) -> Box<dyn Op> {
        Box::new(Drawer {
            config: self.clone(),
            labels: None,
            thickness: 2,
            traces: Traces::new(self.trace),
            brush: shape::Brush::default(),
            marks: marks::Marks::default(),
            names: None,
        })
    }
}

/// Fields of a label.
const FIELDS: [&str; 6] = ["label", "score", "track", "detector", "text", "speed"];

impl Draw {
    fn shows(&self, d: &Detection) -> bool {
        self.detector.as_ref().is_none_or(|n| **n == *d.detector) && self.labels.hold(&d.label)
    }

    fn color(&self, d: &Detection) -> Color {
        match (self.color, self.color_by, d.track) {
            (Some(color), ..) => color,
            (None, ColorBy::Track, Some(track)) => of_track(track),
            (None, ColorBy::Detector, _) => of_text(&d.detector),
            _ => of_text(&d.label),
        }
    }

    /// The label's text; what a detection has not leaves no gap.
    fn text(&self, d: &Detection) -> String {
        let value = |field: &str| match field {
            "label" => d.label.to_string(),
            "score" => format!("{:.0}%", d.score * 100.0),
            "track" => d.track.map(|t| format!("#{t}")).unwrap_or_default(),
            "detector" => d.detector.to_string(),
            "speed" => d.speed.map(|s| self.speed_unit.text(s)).unwrap_or_default(),
            _ => d.text.as_deref().unwrap_or_default().to_owned(),
        };
        let mut text = self.label.clone();
        for field in FIELDS {
            let written = format!("{{{field}}}");
            if text.contains(&written) {
                text = text.replace(&written, &value(field));
            }
        }
        text.split_whitespace().collect::<Vec<_>>().join(" ")
    }
}

struct Drawer {
    config: Draw,
    labels: Option<text::Labels>,
    thickness: i32,
    traces: Traces,
    brush: shape::Brush,
    marks: marks::Marks,
    /// For the names of lines and zones.
    names: Option<text::Labels>,
}

impl Op for Drawer {
    fn mode(&self) -> Mode {
        Mode::InPlace
    }

    fn prepare(&mut self, input: &Arc<Spec>, _: &Stream) -> Result<Arc<Spec>, OpError> {
        let height = input.info.height();
        self.thickness = (self.config.thickness.pixels(height).round() as i32).clamp(1, 100);
        if !self.config.label.is_empty() {
            self.labels = Some(text::Labels::new(self.config.size.pixels(height).clamp(4.0, 500.0))?);
        }
        Ok(input.clone())
    }

    fn edit(&mut self, frame: &mut Frame) -> Result<(), OpError> {
        if self.config.shapes && !frame.meta.shapes.is_empty() {
            self.mark(frame)?;
        }
        let detections = std::mem::take(&mut frame.meta.detections);
        let result = self.draw(frame, &detections);
        frame.meta.detections = detections;
        result
    }
}

/// Draws shapes with their names on a picture.
pub fn sketch(frame: &mut Frame, shapes: &[Arc<Shape>]) -> Result<(), OpError> {
    let height = frame.height();
    let mut names = text::Labels::new(Length::Percent(3.0).pixels(height).clamp(10.0, 500.0))?;
    let say = |s: &Shape| match s.kind {
        ShapeKind::Line => format!("{} (arrow: in)", s.name),
        ShapeKind::Zone => s.name.to_string(),
    };
    let thickness = (height / 200).clamp(1, 20);
    marks::Marks::default().draw(frame, shapes, thickness, None, &mut names, &say)
}

impl Drawer {
    fn mark(&mut self, frame: &mut Frame) -> Result<(), OpError> {
        let names = match &mut self.names {
            Some(names) => names,
            none => none.insert(text::Labels::new(self.config.size.pixels(frame.height()).clamp(4.0, 500.0))?),
        };
        let shapes = std::mem::take(&mut frame.meta.shapes);
        let counters = std::mem::take(&mut frame.meta.counters);
        let count = |kind: &str, s: &Shape, what: &str| {
            let name = format!("{kind}.{}.{what}", s.name);
            counters.iter().rev().find(|(n, _)| **n == *name).map_or(0, |(_, v)| *v)
        };
        let say = |s: &Shape| match s.kind {
            ShapeKind::Line => format!("{}  in {}  out {}", s.name, count("line", s, "in"), count("line", s, "out")),
            ShapeKind::Zone => {
                format!("{}  {} now  {} total", s.name, count("zone", s, "now"), count("zone", s, "total"))
            }
        };
        let drawn = self.marks.draw(frame, &shapes, self.thickness.unsigned_abs(), self.config.color, names, &say);
        (frame.meta.shapes, frame.meta.counters) = (shapes, counters);
        drawn
    }

    fn draw(&mut self, frame: &mut Frame, detections: &[Detection]) -> Result<(), OpError> {
        let Drawer { config, labels, thickness, traces, brush, .. } = self;
        let shown = || detections.iter().filter(|d| config.shows(d) && d.rect.is_finite());
        if config.trace > 0.0 {
            traces.add(frame.position, shown());
            traces.draw(frame, brush, *thickness, config)?;
        }
        for d in shown() {
            let (color, rect) = (config.color(d), shape::snapped(&d.rect));
            let opacity = config.opacity as f32 * if d.predicted { 0.5 } else { 1.0 };
            let mut pen = shape::Pen { brush, frame, color, opacity };
            if config.fill > 0.0 {
                pen.area(rect, config.fill as f32)?;
            }
            match config.style {
                Style::Plain => pen.outline(rect, *thickness, 0.0)?,
                Style::Rounded => pen.outline(rect, *thickness, f64::from(*thickness) * 4.0)?,
                Style::Corners => pen.corners(rect, *thickness)?,
                Style::None => {}
            }
            for p in d.points.iter().filter(|_| config.points) {
                pen.dot(p.x, p.y, f64::from(*thickness) * 1.25)?;
            }
        }
        // Labels lie over all boxes.
        for d in shown() {
            let text = if labels.is_some() { config.text(d) } else { String::new() };
            let Some(labels) = labels.as_mut().filter(|_| !text.is_empty()) else { continue };
            let label = labels.get(&text);
            let (color, rect) = (config.color(d), shape::snapped(&d.rect));
            let opacity = config.opacity as f32 * if d.predicted { 0.5 } else { 1.0 };
            let (w, h) = (label.width as i32, label.height as i32);
            // Above the box, or in its upper corner where there is no room.
            let y = if rect.y >= h { rect.y - h } else { rect.y.max(0) };
            let x = rect.x.min(frame.width() as i32 - w).max(0);
            let back = Layer { paint: Paint::Flat(color), mask: vec![255; label.mask.len()], opacity };
            let front = Layer { paint: Paint::Flat(ink_on(color)), mask: label.mask.clone(), opacity };
            let overlay = Overlay { width: label.width, height: label.height, layers: vec![back, front] };
            brush.blend(&overlay, frame, x, y)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_leave_no_gaps() {
        let draw = Draw::default();
        let d = Detection { label: "person".into(), score: 0.876, ..Detection::default() };
        assert_eq!(draw.text(&d), "person 88%");
        assert_eq!(draw.text(&Detection { track: Some(3), ..d.clone() }), "person #3 88%");
        assert_eq!(draw.text(&Detection { text: Some("https://x".into()), ..d }), "person 88% https://x");
        assert!(Draw { label: "{name}".into(), ..draw }.check().unwrap_err().message.contains("{label}"));
    }
}

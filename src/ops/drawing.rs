//! What drawings share: places as people write them, masks drawn by OpenCV, and the op that shows one overlay on every
//! frame.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use opencv::core::{self as cv, Mat, Rect, Scalar, Vector};
use opencv::imgproc;
use opencv::prelude::*;
use serde::{Deserialize, Serialize};

use super::overlay::{Layer, Overlay, Paint, Prepared};
use super::{Invalid, Length, Mode, Op, OpError, Stream};
use crate::frame::{Color, Frame, Spec};

/// A place on the picture, `x,y`. Pixels are pixel centres, counted from 0 as OpenCV does; percent go from the centre of the
/// first pixel (0%) to that of the last one (100%).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "WrittenPoint", into = "String")]
pub struct Point(pub Length, pub Length);

#[derive(Deserialize)]
#[serde(untagged, expecting = "a point is \"x,y\" in pixels or %, or an array of two numbers")]
enum WrittenPoint {
    Text(String),
    Pair([Length; 2]),
}

impl Point {
    /// In pixels of a picture of this size.
    pub fn on(self, (width, height): (u32, u32)) -> (f64, f64) {
        (self.0.pixels(length(self.0, width)), self.1.pixels(length(self.1, height)))
    }
}

/// What 100% is: for places the distance from the first to the last pixel.
fn length(l: Length, whole: u32) -> u32 {
    if matches!(l, Length::Percent(_)) { whole.saturating_sub(1) } else { whole }
}

impl FromStr for Point {
    type Err = String;
    fn from_str(s: &str) -> Result<Self, String> {
        let (x, y) = s.split_once(',').ok_or_else(|| format!("`{s}` is no point: give x,y in pixels or percent"))?;
        Ok(Point(x.parse()?, y.parse()?))
    }
}

impl TryFrom<WrittenPoint> for Point {
    type Error = String;
    fn try_from(w: WrittenPoint) -> Result<Self, String> {
        match w {
            WrittenPoint::Text(t) => t.parse(),
            WrittenPoint::Pair([x, y]) => Ok(Point(x, y)),
        }
    }
}

impl fmt::Display for Point {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{},{}", self.0, self.1)
    }
}

impl From<Point> for String {
    fn from(p: Point) -> String {
        p.to_string()
    }
}

impl schemars::JsonSchema for Point {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Point".into()
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": ["string", "array"], "description": "\"x,y\" in pixels or %" })
    }
}

/// Several places: `x,y x,y x,y`, or an array of points.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "WrittenPoints", into = "String")]
pub struct Points(pub Vec<Point>);

#[derive(Deserialize)]
#[serde(untagged, expecting = "points are \"x,y x,y x,y\" in pixels or %, or an array of [x, y]")]
enum WrittenPoints {
    Text(String),
    List(Vec<Point>),
}

impl TryFrom<WrittenPoints> for Points {
    type Error = String;
    fn try_from(w: WrittenPoints) -> Result<Self, String> {
        match w {
            WrittenPoints::Text(t) => Ok(Points(t.split_whitespace().map(str::parse).collect::<Result<_, _>>()?)),
            WrittenPoints::List(points) => Ok(Points(points)),
        }
    }
}

impl From<Points> for String {
    fn from(p: Points) -> String {
        p.0.iter().map(Point::to_string).collect::<Vec<_>>().join(" ")
    }
}

impl schemars::JsonSchema for Points {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Points".into()
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": ["string", "array"], "description": "\"x,y x,y x,y\" in pixels or %" })
    }
}

/// `Err` unless `length` is at least `least` and within what drawing functions can count: ±100000 pixels, ±10000%.
pub fn check_length(key: &'static str, length: Length, least: f64) -> Result<(), Invalid> {
    let (v, most) = match length {
        Length::Pixels(v) => (v, 100_000.0),
        Length::Percent(v) => (v, 10_000.0),
    };
    if v >= least && (-most..=most).contains(&v) {
        return Ok(());
    }
    let least = if least == f64::NEG_INFINITY { -100_000.0 } else { least };
    let allowed = format!("{least} to 100000 pixels or 10000% are allowed");
    Err(Invalid::new(key, format!("{key} = {length} is out of range: {allowed}")))
}

/// [`check_length`] for both coordinates.
pub fn check_point(key: &'static str, point: Point) -> Result<(), Invalid> {
    check_length(key, point.0, f64::NEG_INFINITY)?;
    check_length(key, point.1, f64::NEG_INFINITY)
}

/// How a closed shape looks: its area, and its outline on top of it.
#[derive(Clone, Copy)]
pub struct Style {
    /// Of the outline.
    pub color: Color,
    /// Of the outline, in pixels; 0 for none.
    pub thickness: u32,
    /// Of the outline, 0 to 1.
    pub opacity: f64,
    /// Of the area, where it is filled.
    pub fill: Option<Color>,
    /// Of the area, 0 to 1.
    pub fill_opacity: f64,
}

impl Style {
    /// Ranges, and that there is something to see.
    pub fn check(&self) -> Result<(), Invalid> {
        Invalid::unless_in("thickness", self.thickness, 0..=1000)?;
        Invalid::unless_in("opacity", self.opacity, 0.0..=1.0)?;
        Invalid::unless_in("fill-opacity", self.fill_opacity, 0.0..=1.0)?;
        match (self.thickness, self.fill) {
            (0, None) => Err(Invalid::new("thickness", "thickness = 0 without `fill` draws nothing: give one of them")),
            _ => Ok(()),
        }
    }

    /// The layers of a shape whose masks `fill` and `outline` draw.
    pub fn paint(
        &self,
        window: Rect,
        fill: impl FnOnce(&mut Canvas) -> opencv::Result<()>,
        outline: impl FnOnce(&mut Canvas) -> opencv::Result<()>,
    ) -> Result<Option<Drawn>, OpError> {
        let mut drawn = Drawn::empty(window);
        if let Some(color) = self.fill {
            drawn.layer(color, self.fill_opacity, fill)?;
        }
        if self.thickness > 0 {
            drawn.layer(self.color, self.opacity, outline)?;
        }
        Ok(Some(drawn))
    }
}

/// An overlay and where on the picture its left top corner is.
pub struct Drawn {
    /// What to show.
    pub overlay: Overlay,
    /// Left, in pixels of the picture.
    pub x: i32,
    /// Top, in pixels of the picture.
    pub y: i32,
}

impl Drawn {
    /// Nothing yet, on this part of the picture.
    pub fn empty(window: Rect) -> Self {
        let overlay = Overlay { width: window.width as u32, height: window.height as u32, layers: Vec::new() };
        Drawn { overlay, x: window.x, y: window.y }
    }

    /// Adds a layer on top, of one colour through the mask that `draw` makes.
    pub fn layer(
        &mut self,
        color: Color,
        opacity: f64,
        draw: impl FnOnce(&mut Canvas) -> opencv::Result<()>,
    ) -> Result<(), OpError> {
        let (w, h) = (self.overlay.width as i32, self.overlay.height as i32);
        let mask = Mat::zeros(h, w, cv::CV_8UC1)?.to_mat()?;
        let mut canvas = Canvas { window: Rect::new(self.x, self.y, w, h), mask };
        draw(&mut canvas)?;
        let mask = canvas.mask.data_bytes()?.to_vec();
        self.overlay.layers.push(Layer { paint: Paint::Flat(color), mask, opacity: opacity as f32 });
        Ok(())
    }
}

/// The part of the picture within `reach` pixels of `points`; `None` where that is nothing.
pub fn window(points: &[(f64, f64)], reach: f64, picture: (u32, u32)) -> Option<Rect> {
    let axis = |pick: fn(&(f64, f64)) -> f64, whole: u32| {
        let (low, high) = points.iter().map(pick).fold((f64::MAX, f64::MIN), |(l, h), v| (l.min(v), h.max(v)));
        let clip = |v: f64| v.clamp(0.0, f64::from(whole)) as i32;
        (clip((low - reach).floor()), clip((high + reach).ceil() + 1.0))
    };
    let ((left, right), (top, bottom)) = (axis(|p| p.0, picture.0), axis(|p| p.1, picture.1));
    (left < right && top < bottom).then(|| Rect::new(left, top, right - left, bottom - top))
}

/// A mask of a part of the picture. Coordinates are those of the picture, whole numbers are pixel centres, and OpenCV gets
/// them to a 16th of a pixel; edges are anti-aliased.
pub struct Canvas {
    /// What it shows of the picture.
    pub window: Rect,
    /// `CV_8UC1`, 255 where the shape is.
    pub mask: Mat,
}

const SHIFT: i32 = 4;

fn full() -> Scalar {
    Scalar::all(255.0)
}

impl Canvas {
    fn at(&self, (x, y): (f64, f64)) -> cv::Point {
        let fixed = |v: f64, origin: i32| ((v - f64::from(origin)) * f64::from(1 << SHIFT)).round() as i32;
        cv::Point::new(fixed(x, self.window.x), fixed(y, self.window.y))
    }

    fn all(&self, points: &[(f64, f64)]) -> Vector<cv::Point> {
        points.iter().map(|p| self.at(*p)).collect()
    }

    /// The area within `points`.
    pub fn polygon(&mut self, points: &[(f64, f64)]) -> opencv::Result<()> {
        let points = self.all(points);
        imgproc::fill_poly(&mut self.mask, &points, full(), imgproc::LINE_AA, SHIFT, cv::Point::new(0, 0))
    }

    /// Lines from point to point.
    pub fn polyline(&mut self, points: &[(f64, f64)], closed: bool, thickness: u32) -> opencv::Result<()> {
        let points = self.all(points);
        imgproc::polylines(&mut self.mask, &points, closed, full(), thickness as i32, imgproc::LINE_AA, SHIFT)
    }

    /// A line with a tip at its end; the tip is `tip` times as long as the line.
    pub fn arrow(&mut self, from: (f64, f64), to: (f64, f64), thickness: u32, tip: f64) -> opencv::Result<()> {
        let (from, to) = (self.at(from), self.at(to));
        imgproc::arrowed_line(&mut self.mask, from, to, full(), thickness as i32, imgproc::LINE_AA, SHIFT, tip)
    }

    /// An ellipse with half axes `axes`, turned by `angle` degrees clockwise; filled where `thickness` is `None`.
    pub fn ellipse(
        &mut self,
        center: (f64, f64),
        axes: (f64, f64),
        angle: f64,
        thickness: Option<u32>,
    ) -> opencv::Result<()> {
        let center = self.at(center);
        let fixed = |v: f64| (v * f64::from(1 << SHIFT)).round() as i32;
        let axes = cv::Size::new(fixed(axes.0), fixed(axes.1));
        let thickness = thickness.map_or(imgproc::FILLED, |t| t as i32);
        imgproc::ellipse(&mut self.mask, center, axes, angle, 0.0, 360.0, full(), thickness, imgproc::LINE_AA, SHIFT)
    }

    /// Whole pixels: all of `rect`.
    pub fn block(&mut self, rect: Rect) -> opencv::Result<()> {
        let rect = Rect::new(rect.x - self.window.x, rect.y - self.window.y, rect.width, rect.height);
        let rect = rect & Rect::new(0, 0, self.window.width, self.window.height);
        match rect.empty() {
            true => Ok(()),
            false => imgproc::rectangle(&mut self.mask, rect, full(), imgproc::FILLED, imgproc::LINE_8, 0),
        }
    }
}

/// Something that looks the same on every frame of a stream.
pub trait Drawing: Send + 'static {
    /// Draws it for pictures like `spec`; `None` where nothing of it lies in the picture.
    fn draw(&self, spec: &Spec) -> Result<Option<Drawn>, OpError>;
}

/// The op that shows a [`Drawing`] on every frame.
pub struct Stamp<T> {
    drawing: T,
    prepared: Prepared,
}

impl<T: Drawing> Stamp<T> {
    /// Shows `drawing`.
    pub fn of(drawing: T) -> Box<dyn Op> {
        Box::new(Stamp { drawing, prepared: Prepared::default() })
    }
}

impl<T: Drawing> Op for Stamp<T> {
    fn mode(&self) -> Mode {
        Mode::InPlace
    }

    fn prepare(&mut self, input: &Arc<Spec>, _: &Stream) -> Result<Arc<Spec>, OpError> {
        self.prepared = Prepared::default();
        if let Some(Drawn { overlay, x, y }) = self.drawing.draw(input)? {
            self.prepared.set(&overlay, input, x, y);
        }
        Ok(input.clone())
    }

    fn edit(&mut self, frame: &mut Frame) -> Result<(), OpError> {
        Ok(self.prepared.blend(frame)?)
    }
}

/// Width and height of the pictures that `spec` describes.
pub fn size(spec: &Spec) -> (u32, u32) {
    (spec.info.width(), spec.info.height())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_are_read_in_all_forms() {
        let p: Point = "10, 50%".parse().unwrap();
        assert_eq!((p.on((101, 41)), p.to_string()), ((10.0, 20.0), "10,50%".into()));
        #[derive(Deserialize)]
        struct T {
            p: Points,
        }
        let read = |t: &str| toml::from_str::<T>(t).map(|t| t.p);
        let points = read("p = '0,0 100%,0 50%,9'").unwrap();
        assert_eq!(read("p = [[0, 0], ['100%', 0], '50%,9']").unwrap(), points);
        assert_eq!(read(&format!("p = '{}'", String::from(points.clone()))).unwrap(), points);
        assert!(read("p = '0,0 1'").is_err() && read("p = [[1, 2, 3]]").is_err());
    }

    #[test]
    fn the_window_is_what_lies_in_the_picture() {
        let of = |points: &[(f64, f64)]| window(points, 1.5, (20, 10)).map(|r| (r.x, r.y, r.width, r.height));
        assert_eq!(of(&[(5.0, 5.0)]), Some((3, 3, 5, 5)));
        assert_eq!(of(&[(-50.0, 4.0), (50.0, 4.0)]), Some((0, 2, 20, 5)));
        assert_eq!(of(&[(30.0, 4.0)]), None);
    }
}

//! Lengths and regions as people write them: pixels or percent.

use std::fmt;
use std::str::FromStr;

use opencv::core::{Mat, Point, Rect, Scalar, Vector};
use opencv::imgproc;
use opencv::prelude::*;
use serde::{Deserialize, Serialize};

use crate::frame::Plane;

/// A distance along one axis: `120` pixels, or `25%` of the picture.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "WrittenLength", into = "String")]
pub enum Length {
    /// Pixels.
    Pixels(f64),
    /// Share of the picture's width or height, 100 = all of it.
    Percent(f64),
}

impl Length {
    /// In pixels of a picture that is `whole` pixels long on this axis.
    pub fn pixels(self, whole: u32) -> f64 {
        match self {
            Length::Pixels(p) => p,
            Length::Percent(p) => p / 100.0 * f64::from(whole),
        }
    }
}

impl FromStr for Length {
    type Err = String;
    fn from_str(s: &str) -> Result<Self, String> {
        let t = s.trim();
        let (number, percent) = match t.strip_suffix('%') {
            Some(n) => (n, true),
            None => (t.strip_suffix("px").unwrap_or(t), false),
        };
        match number.trim().parse::<f64>() {
            Ok(v) if v.is_finite() && percent => Ok(Length::Percent(v)),
            Ok(v) if v.is_finite() => Ok(Length::Pixels(v)),
            _ => Err(format!("`{t}` is no length: give pixels (120) or percent (25%)")),
        }
    }
}

impl fmt::Display for Length {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Length::Pixels(v) => write!(f, "{v}"),
            Length::Percent(v) => write!(f, "{v}%"),
        }
    }
}

/// The forms that a configuration file may use for a length.
#[derive(Deserialize)]
#[serde(untagged, expecting = "a length is a number of pixels (120) or a percentage (\"25%\")")]
enum WrittenLength {
    Number(f64),
    Text(String),
}

impl TryFrom<WrittenLength> for Length {
    type Error = String;
    fn try_from(w: WrittenLength) -> Result<Self, String> {
        match w {
            WrittenLength::Number(v) if v.is_finite() => Ok(Length::Pixels(v)),
            WrittenLength::Number(v) => Err(format!("{v} is no length: give pixels (120) or percent (25%)")),
            WrittenLength::Text(t) => t.parse(),
        }
    }
}

impl From<Length> for String {
    fn from(l: Length) -> String {
        l.to_string()
    }
}

impl schemars::JsonSchema for Length {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Length".into()
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": ["number", "string"], "description": "pixels (120) or percent (\"25%\")" })
    }
}

/// A part of the picture: `x,y,width,height`, or a polygon `x,y x,y x,y …`; each number in pixels or percent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Written", into = "String")]
pub enum Region {
    /// Left, top, width, height.
    Rectangle([Length; 4]),
    /// Three or more corners.
    Polygon(Vec<[Length; 2]>),
}

/// The forms that a configuration file may use.
#[derive(Deserialize)]
#[serde(
    untagged,
    expecting = "a region is \"x,y,width,height\" or a polygon \"x,y x,y x,y\" (pixels or %), or arrays of numbers"
)]
enum Written {
    Text(String),
    Rectangle([f64; 4]),
    Polygon(Vec<[f64; 2]>),
}

impl TryFrom<Written> for Region {
    type Error = String;
    fn try_from(w: Written) -> Result<Self, String> {
        match w {
            Written::Text(t) => t.parse(),
            Written::Rectangle(r) => Region::Rectangle(r.map(Length::Pixels)).valid(),
            Written::Polygon(p) => Region::Polygon(p.into_iter().map(|c| c.map(Length::Pixels)).collect()).valid(),
        }
    }
}

impl FromStr for Region {
    type Err = String;
    fn from_str(s: &str) -> Result<Self, String> {
        let corners: Vec<&str> = s.split_whitespace().collect();
        if corners.len() > 1 && corners.iter().all(|c| c.matches(',').count() == 1 && !c.ends_with(',')) {
            let point = |c: &str| -> Result<[Length; 2], String> {
                let (x, y) = c.split_once(',').ok_or("no comma")?;
                Ok([x.parse()?, y.parse()?])
            };
            return Region::Polygon(corners.into_iter().map(point).collect::<Result<_, _>>()?).valid();
        }
        let parts: Vec<Length> = s.split(',').map(str::parse).collect::<Result<_, _>>()?;
        let parts: [Length; 4] = parts
            .try_into()
            .map_err(|_| format!("`{s}` is no region: give x,y,width,height or at least three corners x,y x,y x,y"))?;
        Region::Rectangle(parts).valid()
    }
}

impl fmt::Display for Region {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Region::Rectangle([x, y, w, h]) => write!(f, "{x},{y},{w},{h}"),
            Region::Polygon(corners) => {
                let text: Vec<String> = corners.iter().map(|[x, y]| format!("{x},{y}")).collect();
                f.write_str(&text.join(" "))
            }
        }
    }
}

impl From<Region> for String {
    fn from(r: Region) -> String {
        r.to_string()
    }
}

impl schemars::JsonSchema for Region {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Region".into()
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": ["string", "array"],
            "description": "\"x,y,width,height\" or a polygon \"x,y x,y x,y\", in pixels or %"
        })
    }
}

impl Region {
    fn valid(self) -> Result<Self, String> {
        match &self {
            Region::Rectangle([_, _, w, h]) if [w, h].iter().any(|l| l.pixels(100) <= 0.0) => {
                Err(format!("the region `{self}` is empty: width and height must be above 0"))
            }
            Region::Polygon(c) if c.len() < 3 => {
                Err(format!("the polygon `{self}` has {} corners: at least 3 are needed", c.len()))
            }
            _ => Ok(self),
        }
    }

    /// The region on one plane of a `width × height` picture, or `None` where it lies outside the picture.
    pub fn on_plane(&self, plane: &Plane, width: u32, height: u32) -> opencv::Result<Option<Patch>> {
        let (cols, rows) = (plane.cols(width) as i32, plane.rows(height) as i32);
        let (sx, sy) = (f64::from(1 << plane.w_sub), f64::from(1 << plane.h_sub));
        let at = |x: Length, y: Length| (x.pixels(width) / sx, y.pixels(height) / sy);
        let (left, top, right, bottom, corners) = match self {
            Region::Rectangle([x, y, w, h]) => {
                let (l, t) = at(*x, *y);
                let (w, h) = at(*w, *h);
                (l, t, l + w, t + h, None)
            }
            Region::Polygon(p) => {
                let p: Vec<(f64, f64)> = p.iter().map(|[x, y]| at(*x, *y)).collect();
                let fold = |pick: fn(&(f64, f64)) -> f64, best: fn(f64, f64) -> f64| {
                    p.iter().map(pick).reduce(best).unwrap_or(0.0)
                };
                let (l, r) = (fold(|c| c.0, f64::min), fold(|c| c.0, f64::max));
                let (t, b) = (fold(|c| c.1, f64::min), fold(|c| c.1, f64::max));
                (l, t, r + 1.0, b + 1.0, Some(p))
            }
        };
        let clip = |v: f64, max: i32| (v.round().clamp(0.0, f64::from(max))) as i32;
        let (x0, y0, x1, y1) = (clip(left, cols), clip(top, rows), clip(right, cols), clip(bottom, rows));
        if x1 <= x0 || y1 <= y0 {
            return Ok(None);
        }
        let rect = Rect::new(x0, y0, x1 - x0, y1 - y0);
        let mask = match corners {
            None => None,
            Some(p) => {
                let mut mask = Mat::zeros(rect.height, rect.width, opencv::core::CV_8UC1)?.to_mat()?;
                let local: Vector<Point> =
                    p.iter().map(|(x, y)| Point::new(x.round() as i32 - x0, y.round() as i32 - y0)).collect();
                imgproc::fill_poly(&mut mask, &local, Scalar::all(255.0), imgproc::LINE_8, 0, Point::new(0, 0))?;
                Some(mask)
            }
        };
        Ok(Some(Patch { rect, mask }))
    }

    /// Every sample of one plane that shows any of the region, or `None` where it lies outside the picture: rounded outwards,
    /// polygons a pixel larger all around. For hiding things, where [`Region::on_plane`] rounds to the nearest.
    pub fn covering(&self, plane: &Plane, width: u32, height: u32) -> opencv::Result<Option<Patch>> {
        let full = Plane { channels: plane.channels.clone(), w_sub: 0, h_sub: 0 };
        let exact = match self {
            Region::Rectangle([x, y, w, h]) => {
                let (l, t) = (x.pixels(width), y.pixels(height));
                let (r, b) = (l + w.pixels(width), t + h.pixels(height));
                let clip = |v: f64, whole: u32| v.clamp(0.0, f64::from(whole)) as i32;
                let (l, t) = (clip(l.floor(), width), clip(t.floor(), height));
                let (r, b) = (clip(r.ceil(), width), clip(b.ceil(), height));
                (r > l && b > t).then(|| Patch { rect: Rect::new(l, t, r - l, b - t), mask: None })
            }
            Region::Polygon(_) => self.on_plane(&full, width, height)?.map(|p| p.grown(width, height)).transpose()?,
        };
        exact.map(|p| p.reduced(plane)).transpose()
    }
}

/// One region or several: a string, an array of four numbers, or an array of those. Together they are what lies in any.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "WrittenRegions", into = "Vec<Region>")]
pub struct Regions(Vec<Region>);

#[derive(Deserialize)]
#[serde(
    untagged,
    expecting = "a region is \"x,y,width,height\" or a polygon \"x,y x,y x,y\" (pixels or %), or arrays of numbers; \
                 several are an array of those"
)]
enum WrittenRegions {
    One(Written),
    Several(Vec<Written>),
}

impl TryFrom<WrittenRegions> for Regions {
    type Error = String;
    fn try_from(w: WrittenRegions) -> Result<Self, String> {
        let all: Vec<Region> = match w {
            WrittenRegions::One(w) => vec![w.try_into()?],
            WrittenRegions::Several(all) => all.into_iter().map(Region::try_from).collect::<Result<_, _>>()?,
        };
        match all.is_empty() {
            true => Err("the list of regions is empty: leave `region` out to work everywhere".into()),
            false => Ok(Regions(all)),
        }
    }
}

impl From<Regions> for Vec<Region> {
    fn from(r: Regions) -> Self {
        r.0
    }
}

impl schemars::JsonSchema for Regions {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Regions".into()
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let text = "a region \"x,y,width,height\" or \"x,y x,y x,y\" (pixels or %), or a list of them";
        schemars::json_schema!({ "type": ["string", "array"], "description": text })
    }
}

impl Regions {
    /// One by one.
    pub fn all(&self) -> &[Region] {
        &self.0
    }

    /// Every sample of one plane that shows any of them: see [`Region::covering`].
    pub fn covering(&self, plane: &Plane, width: u32, height: u32) -> opencv::Result<Vec<Patch>> {
        self.0.iter().filter_map(|r| r.covering(plane, width, height).transpose()).collect()
    }

    /// The parts of one plane that they cover, clipped to the picture.
    pub fn on_plane(&self, plane: &Plane, width: u32, height: u32) -> opencv::Result<Vec<Patch>> {
        self.0.iter().filter_map(|r| r.on_plane(plane, width, height).transpose()).collect()
    }
}

/// A region settled on one plane: its bounding box, and for polygons a mask of that box (255 = inside).
pub struct Patch {
    /// In samples of the plane, within it.
    pub rect: Rect,
    /// `CV_8UC1` of the rectangle's size; `None` when all of it counts.
    pub mask: Option<Mat>,
}

impl Patch {
    /// The same in a picture of `width × height` pixels with all neighbours.
    fn grown(self, width: u32, height: u32) -> opencv::Result<Self> {
        let Patch { rect: r, mask } = self;
        let rect =
            Rect::new(r.x - 1, r.y - 1, r.width + 2, r.height + 2) & Rect::new(0, 0, width as i32, height as i32);
        let Some(mask) = mask else { return Ok(Patch { rect, mask }) };
        let mut larger = Mat::zeros(rect.height, rect.width, opencv::core::CV_8UC1)?.to_mat()?;
        mask.copy_to(&mut larger.roi_mut(Rect::new(r.x - rect.x, r.y - rect.y, r.width, r.height))?)?;
        let mut grown = Mat::default();
        let (near, edge) = (Mat::default(), imgproc::morphology_default_border_value()?);
        imgproc::dilate(&larger, &mut grown, &near, Point::new(-1, -1), 1, opencv::core::BORDER_CONSTANT, edge)?;
        Ok(Patch { rect, mask: Some(grown) })
    }

    /// In samples of `plane`, those that show any of it.
    fn reduced(self, plane: &Plane) -> opencv::Result<Self> {
        let Patch { rect: r, mask } = self;
        let (sx, sy) = (plane.w_sub, plane.h_sub);
        let up = |v: i32, sub: u32| (v + (1 << sub) - 1) >> sub;
        let (x, y) = (r.x >> sx, r.y >> sy);
        let rect = Rect::new(x, y, up(r.x + r.width, sx) - x, up(r.y + r.height, sy) - y);
        let Some(mask) = mask else { return Ok(Patch { rect, mask }) };
        let mut out = Mat::zeros(rect.height, rect.width, opencv::core::CV_8UC1)?.to_mat()?;
        for row in 0..mask.rows() {
            let to = out.at_row_mut::<u8>(((r.y + row) >> sy) - y)?;
            for (col, inside) in mask.at_row::<u8>(row)?.iter().enumerate() {
                to[(((r.x + col as i32) >> sx) - x) as usize] |= inside;
            }
        }
        Ok(Patch { rect, mask: Some(out) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_rectangles_polygons_and_percent() {
        let r: Region = "10,20,50%,25%".parse().unwrap();
        assert_eq!(r.to_string(), "10,20,50%,25%");
        let p: Region = "0,0 100%,0 50%,100%".parse().unwrap();
        assert!(matches!(&p, Region::Polygon(c) if c.len() == 3));
        assert_eq!(p.to_string().parse::<Region>().unwrap(), p);
        for bad in ["1,2,3", "1,2,0,4", "a,b,c,d", "0,0 1,1", "", "1,2,nan,4"] {
            assert!(bad.parse::<Region>().is_err(), "{bad}");
        }
    }

    #[test]
    fn settles_on_subsampled_planes_and_clips_to_the_picture() {
        let chroma = Plane { channels: vec![crate::frame::Component::U], w_sub: 1, h_sub: 1 };
        let r: Region = "10,20,50%,1000".parse().unwrap();
        let patch = r.on_plane(&chroma, 321, 241).unwrap().unwrap();
        assert_eq!((patch.rect.x, patch.rect.y, patch.rect.width, patch.rect.height), (5, 10, 80, 111));
        let outside: Region = "400,0,10,10".parse().unwrap();
        assert!(outside.on_plane(&chroma, 321, 241).unwrap().is_none());
    }

    #[test]
    fn covers_every_sample_that_shows_any_of_it() {
        let chroma = Plane { channels: vec![crate::frame::Component::U], w_sub: 1, h_sub: 1 };
        let rect = |r: &str| r.parse::<Region>().unwrap().covering(&chroma, 321, 241).unwrap().map(|p| p.rect);
        assert_eq!(rect("11,21,10,9"), Some(Rect::new(5, 10, 6, 5)));
        assert_eq!(rect("11.9,21,0.2,9"), Some(Rect::new(5, 10, 2, 5)));
        assert_eq!(rect("320,240,50,50"), Some(Rect::new(160, 120, 1, 1)));
        assert_eq!(rect("-5,-5,5,9"), None);
        // Every luma sample of the polygon, and one more around, has its chroma sample.
        let p: Region = "11,21 41,23 29,57".parse().unwrap();
        let full = Plane { w_sub: 0, h_sub: 0, ..chroma.clone() };
        let at = |p: &Patch, x: i32, y: i32| {
            let r = p.rect;
            let inside = (r.x..r.x + r.width).contains(&x) && (r.y..r.y + r.height).contains(&y);
            inside && p.mask.as_ref().is_some_and(|m| *m.at_2d::<u8>(y - r.y, x - r.x).unwrap() > 0)
        };
        let plain = p.on_plane(&full, 321, 241).unwrap().unwrap();
        let luma = p.covering(&full, 321, 241).unwrap().unwrap();
        let small = p.covering(&chroma, 321, 241).unwrap().unwrap();
        let mut count = 0;
        for (x, y) in (0..240).flat_map(|y| (0..320).map(move |x| (x, y))) {
            count += usize::from(at(&plain, x, y));
            assert!(!at(&plain, x, y) || (-1..=1).all(|d| at(&luma, x + d, y) && at(&luma, x, y + d)), "{x},{y}");
            assert!(!at(&luma, x, y) || at(&small, x / 2, y / 2), "{x},{y}");
        }
        assert!(count > 300, "{count}");
    }
}

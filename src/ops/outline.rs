//! Lines and zones that ops watch, as the user wrote them.

use super::drawing::Point;
use super::{Invalid, Region, Regions};
use crate::vision::count::{Place, Shape, ShapeKind};

/// A line or a zone of an op.
#[derive(Clone, Debug, PartialEq)]
pub struct Outline {
    /// Its name.
    pub name: String,
    /// Where it is.
    pub whereabouts: Whereabouts,
}

/// Where an [`Outline`] is.
#[derive(Clone, Debug, PartialEq)]
pub enum Whereabouts {
    /// Through these points; `in` is the other side where it is swapped.
    Line(Vec<Point>, bool),
    /// In any of these.
    Zone(Regions),
    /// Everywhere.
    Picture,
}

impl Outline {
    /// Its parts on a picture of this size (width, height) in pixels.
    pub fn on(&self, size: (u32, u32)) -> Vec<Shape> {
        let name: std::sync::Arc<str> = self.name.as_str().into();
        let shape = |kind, points, swapped| Shape { kind, name: name.clone(), points, swapped };
        match &self.whereabouts {
            Whereabouts::Line(points, swapped) => {
                vec![shape(ShapeKind::Line, points.iter().map(|p| p.on(size)).collect(), *swapped)]
            }
            Whereabouts::Zone(regions) => {
                regions.all().iter().map(|r| shape(ShapeKind::Zone, corners(r, size), false)).collect()
            }
            Whereabouts::Picture => Vec::new(),
        }
    }
}

/// The corners of a region in pixels.
pub fn corners(region: &Region, (width, height): (u32, u32)) -> Vec<Place> {
    match region {
        Region::Rectangle([x, y, w, h]) => {
            let (l, t) = (x.pixels(width), y.pixels(height));
            let (r, b) = (l + w.pixels(width), t + h.pixels(height));
            vec![(l, t), (r, t), (r, b), (l, b)]
        }
        Region::Polygon(corners) => corners.iter().map(|[x, y]| (x.pixels(width), y.pixels(height))).collect(),
    }
}

/// Names stand in `{count.NAME.in}`.
pub fn check_name(name: &str, example: &str) -> Result<(), Invalid> {
    let fine = |c: char| c.is_alphanumeric() || c == '-' || c == '_';
    match name {
        "" => Err(Invalid::new("name", format!("name is missing: give one, as in --op '{example}'"))),
        _ if !name.chars().all(fine) || name.chars().count() > 64 => {
            let what = format!("name: `{name}` is none: letters, digits, - and _ make one, 64 at most");
            Err(Invalid::new("name", what))
        }
        _ => Ok(()),
    }
}

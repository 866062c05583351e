//! Lines and zones, and how their counters stand.

use std::sync::Arc;

use super::palette::{ink_on, of_text};
use super::shape::Brush;
use crate::frame::{Color, Frame, Spec};
use crate::ops::OpError;
use crate::ops::drawing::{Drawn, size, window};
use crate::ops::overlay::{Layer, Overlay, Paint, Prepared};
use crate::ops::text::Labels;
use crate::vision::count::{Place, Shape, ShapeKind, arrow};

/// How much of a zone is to be seen of its colour.
const FILL: f64 = 0.15;

/// Draws shapes. They stand still, so each is made ready once.
#[derive(Default)]
pub(super) struct Marks {
    ready: Vec<(Arc<Shape>, Prepared)>,
}

impl Marks {
    /// Draws `shapes` on `frame` and writes their names at them, with what `say` says.
    pub fn draw(
        &mut self,
        frame: &mut Frame,
        shapes: &[Arc<Shape>],
        thickness: u32,
        color: Option<Color>,
        labels: &mut Labels,
        say: &dyn Fn(&Shape) -> String,
    ) -> Result<(), OpError> {
        self.ready.retain(|(s, _)| shapes.iter().any(|o| Arc::ptr_eq(s, o)));
        for shape in shapes {
            if !self.ready.iter().any(|(s, _)| Arc::ptr_eq(s, shape)) {
                let mut prepared = Prepared::default();
                if let Some(drawn) = outline(shape, frame.spec(), thickness, color)? {
                    prepared.set(&drawn.overlay, frame.spec(), drawn.x, drawn.y);
                }
                self.ready.push((shape.clone(), prepared));
            }
        }
        for (_, prepared) in &self.ready {
            prepared.blend(frame)?;
        }
        let mut brush = Brush::default();
        for (i, shape) in shapes.iter().enumerate() {
            // A zone of several parts has its name once.
            if shapes[..i].iter().any(|s| s.name == shape.name && s.kind == shape.kind) {
                continue;
            }
            let (label, color) = (labels.get(&say(shape)), color.unwrap_or(of_text(&shape.name)));
            let (w, h) = (label.width as i32, label.height as i32);
            let (x, y) = anchor(shape, thickness);
            let x = (x as i32).min(frame.width() as i32 - w).max(0);
            let y = (y as i32).min(frame.height() as i32 - h).max(0);
            let back = Layer { paint: Paint::Flat(color), mask: vec![255; label.mask.len()], opacity: 0.8 };
            let front = Layer { paint: Paint::Flat(ink_on(color)), mask: label.mask.clone(), opacity: 1.0 };
            let overlay = Overlay { width: label.width, height: label.height, layers: vec![back, front] };
            brush.blend(&overlay, frame, x, y)?;
        }
        Ok(())
    }
}

/// Where a shape's name stands: a zone's in its upper left corner, a line's at its first point.
fn anchor(shape: &Shape, thickness: u32) -> Place {
    let off = f64::from(thickness);
    match shape.kind {
        ShapeKind::Line => shape.points.first().map_or((0.0, 0.0), |p| (p.0 + 2.0 * off, p.1 + 2.0 * off)),
        ShapeKind::Zone => {
            let top = shape.points.iter().min_by(|a, b| (a.0 + a.1).total_cmp(&(b.0 + b.1)));
            top.map_or((0.0, 0.0), |p| (p.0 + off, p.1 + off))
        }
    }
}

/// A line with an arrow to the side that is in; a zone with its area in a thin colour.
fn outline(shape: &Shape, spec: &Spec, thickness: u32, color: Option<Color>) -> Result<Option<Drawn>, OpError> {
    let (color, points) = (color.unwrap_or(of_text(&shape.name)), &shape.points);
    let length = f64::from(size(spec).1) / 16.0;
    let tip = match shape.kind {
        ShapeKind::Line => arrow(points, shape.swapped, length),
        ShapeKind::Zone => None,
    };
    let mut all = points.clone();
    all.extend(tip.iter().flat_map(|(from, to)| [*from, *to]));
    let reach = f64::from(thickness) + 2.0 + if tip.is_some() { length / 3.0 } else { 0.0 };
    let Some(window) = window(&all, reach, size(spec)) else { return Ok(None) };
    let mut drawn = Drawn::empty(window);
    match shape.kind {
        ShapeKind::Zone => {
            drawn.layer(color, FILL, |c| c.polygon(points))?;
            drawn.layer(color, 1.0, |c| c.polyline(points, true, thickness))?;
        }
        ShapeKind::Line => drawn.layer(color, 1.0, |c| c.polyline(points, false, thickness))?,
    }
    if let Some((from, to)) = tip {
        drawn.layer(color, 1.0, |c| c.arrow(from, to, thickness, 0.3))?;
    }
    Ok(Some(drawn))
}

//! Where things have been: colours over a picture, with lines and zones.

use super::view::{View, note};
use super::words::lasted;
use crate::frame::jpeg;
use crate::page::{self, Html};
use crate::vision::count::{Place, Shape, ShapeKind, arrow};

/// How much of the picture the colours hide.
const OPACITY: f32 = 0.65;

impl View<'_> {
    /// The colours over a picture, and lines and zones over both.
    pub fn presence(&self) -> Html {
        let found = &self.report.found;
        let presence = found.presence();
        let (most, _) = presence.hottest();
        let any = most > 0.0 || !found.tally.shapes.is_empty();
        let Some(ground) = found.ground.as_ref().filter(|_| any) else { return Html::default() };
        let mut picture = ground.clone();
        presence.show_on(&mut picture, OPACITY);
        let Ok(jpeg) = jpeg(&picture, 80) else { return Html::default() };
        let shapes = found.tally.shapes.iter().map(|s| self.shape(s)).collect();
        let view = format!("0 0 {} {}", picture.width(), picture.height());
        let over = Html::element("svg", &[("viewBox", &view), ("aria-hidden", "true")], shapes);
        let alt = "Where things have been: colours over a picture, from blue (little) to red (most)";
        let told = match most > 0.0 {
            true => format!("Red is where most was: {} in all, each object by itself.", lasted(most)),
            false => "Nothing was seen at any place.".to_owned(),
        };
        Html::element("figure", &[("class", "presence")], page::picture(&jpeg, alt).and(over)).and(note(told))
    }

    fn shape(&self, shape: &Shape) -> Html {
        let (x, y) = self.report.grounds.scale();
        let on = |p: &Place| (p.0 * f64::from(x), p.1 * f64::from(y));
        let list =
            |points: &[Place]| points.iter().map(|p| format!("{:.1},{:.1}", p.0, p.1)).collect::<Vec<_>>().join(" ");
        let points: Vec<Place> = shape.points.iter().map(on).collect();
        let label = |at: Place, text: &str| {
            let (x, y) = (format!("{:.1}", at.0.max(4.0)), format!("{:.1}", at.1.max(22.0)));
            Html::element("text", &[("x", &x), ("y", &y)], Html::text(text))
        };
        let drawn = |name, class, points: &[Place]| {
            Html::element(name, &[("class", class), ("points", &list(points))], Html::default())
        };
        let Some(first) = points.first().copied() else { return Html::default() };
        match shape.kind {
            ShapeKind::Zone => {
                drawn("polygon", "zone", &points).and(label((first.0 + 6.0, first.1 + 22.0), &shape.name))
            }
            ShapeKind::Line => {
                let line = drawn("polyline", "line", &points);
                let Some((from, to)) = arrow(&points, shape.swapped, 44.0) else { return line };
                // Where it points: two short strokes at 45°.
                let back = |turn: f64| {
                    let (dx, dy) = ((from.0 - to.0) * 0.3, (from.1 - to.1) * 0.3);
                    (to.0 + dx - turn * dy, to.1 + dy + turn * dx)
                };
                let head = drawn("polyline", "line", &[from, to, back(1.0), to, back(-1.0)]);
                line.and(head).and(label((to.0 - 6.0, to.1 - 8.0), &format!("{} in", shape.name)))
            }
        }
    }
}

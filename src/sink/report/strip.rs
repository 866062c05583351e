//! The timeline: a lane for each kind of event at each name.

use std::collections::BTreeMap;

use super::moments::Moment;
use super::view::View;
use super::words::{clock, what};
use crate::page::Html;
use crate::vision::event::Kind;

/// Lanes at most.
const LANES: usize = 24;
/// Units of a lane's width, and the least of a mark's.
const WIDE: f64 = 1000.0;
const LEAST: f64 = 3.0;
/// Height of a lane, and the rows in which marks that overlap lie, at most.
const HIGH: f64 = 12.0;
const ROWS: usize = 6;
/// Labels of the scale below.
const TICKS: u32 = 5;

/// All lanes, each with a mark for every moment that is listed.
pub fn html(view: &View<'_>) -> Html {
    let listed = view.report.found.moments.listed();
    let mut lanes: BTreeMap<(Kind, &str), Vec<&Moment>> = BTreeMap::new();
    for m in listed {
        lanes.entry((m.kind, &m.name)).or_default().push(m);
    }
    if lanes.is_empty() {
        return Html::default();
    }
    let left = lanes.len().saturating_sub(LANES);
    let (from, to) = view.extent();
    let length = (to - from).max(1e-3);
    let (mut names, mut tracks) = (Html::default(), Html::default());
    for (n, ((kind, name), moments)) in lanes.into_iter().take(LANES).enumerate() {
        names = names.and(Html::element("li", &[], Html::text(called(kind, name))));
        let places: Vec<(f64, f64)> = moments.iter().map(|m| place(view, m, (from, length))).collect();
        let rows = if kind.goes_on() { rows(&places) } else { vec![0; places.len()] };
        let high = HIGH / rows.iter().max().map_or(1.0, |r| *r as f64 + 1.0);
        let marks = moments.iter().zip(&places).zip(&rows);
        let marks = marks.map(|((m, place), row)| mark(view, m, *place, (*row as f64 * high, high), n)).collect();
        let view_box = format!("0 0 {WIDE} {HIGH}");
        let attributes = [("viewBox", view_box.as_str()), ("preserveAspectRatio", "none")];
        tracks = tracks.and(Html::element("svg", &attributes, marks));
    }
    let tick = |n: u32| Html::element("span", &[], clock(from + length * f64::from(n) / f64::from(TICKS - 1)).into());
    let ticks = Html::element("div", &[("class", "ticks")], (0..TICKS).map(tick).collect());
    let names = Html::element("ul", &[("class", "names")], names);
    let head = Html::element("div", &[("class", "head"), ("hidden", "")], Html::default());
    let tracks = Html::element("div", &[("class", "tracks")], tracks.and(head).and(ticks));
    // Everything in it is in the table of events, too.
    let strip = Html::element("div", &[("class", "strip"), ("aria-hidden", "true")], names.and(tracks));
    match left {
        0 => strip,
        n => strip.and(Html::element("p", &[("class", "note")], format!("{n} more lanes are left out.").into())),
    }
}

fn called(kind: Kind, name: &str) -> String {
    let what = match kind {
        Kind::LineCrossed => "crossed",
        Kind::ZoneEntered => "visits",
        Kind::ZoneDwelt => "stays",
        Kind::CrowdingStarted => "crowds",
        Kind::LimitPassed => "out of bounds",
        // The op's own name says what it is.
        _ => return name.to_owned(),
    };
    format!("{name} {what}")
}

/// Left edge and width.
fn place(view: &View<'_>, m: &Moment, (from, length): (f64, f64)) -> (f64, f64) {
    let place = |at: f64| ((at - from) / length * WIDE).clamp(0.0, WIDE);
    let start = place(view.shown(m.at)).min(WIDE - LEAST);
    // What still goes on at the end lasts until there.
    let end = match (m.end, m.kind.goes_on()) {
        (Some(end), _) => place(view.shown(end)),
        (None, true) => WIDE,
        (None, false) => start,
    };
    (start, (end - start).max(LEAST))
}

/// The row of each mark: the first one that is free, or that becomes free first.
fn rows(places: &[(f64, f64)]) -> Vec<usize> {
    let mut ends: Vec<f64> = Vec::new();
    let row = |&(start, width): &(f64, f64)| {
        let free = ends.iter().position(|e| *e <= start);
        let row = match free {
            Some(row) => row,
            None if ends.len() < ROWS => {
                ends.push(0.0);
                ends.len() - 1
            }
            None => ends.iter().enumerate().min_by(|a, b| a.1.total_cmp(b.1)).map_or(0, |(i, _)| i),
        };
        ends[row] = start + width;
        row
    };
    places.iter().map(row).collect()
}

fn mark(view: &View<'_>, m: &Moment, (start, width): (f64, f64), (top, high): (f64, f64), lane: usize) -> Html {
    // With a little room between rows.
    let [x, y, width, height] = [start, top + 0.05 * high, width, 0.9 * high].map(|v| format!("{v:.1}"));
    let class = format!("c{}", lane % 8);
    let title = format!("{} {} {}", clock(view.shown(m.at)), m.name, what(m));
    let rect = Html::element(
        "rect",
        &[("x", &x), ("y", &y), ("width", &width), ("height", &height), ("class", &class)],
        Html::element("title", &[], Html::text(title)),
    );
    match view.target(m) {
        Some(url) => Html::element("a", &[("href", &url), ("tabindex", "-1")], rect),
        None => rect,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_overlaps_lies_in_rows() {
        assert_eq!(rows(&[(0.0, 10.0), (5.0, 10.0), (10.0, 3.0), (14.0, 3.0)]), [0, 1, 0, 0]);
        let many: Vec<_> = (0..20).map(|n| (f64::from(n), 1000.0)).collect();
        assert!(rows(&many).iter().all(|r| *r < ROWS));
    }
}

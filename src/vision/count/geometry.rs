//! Points, lines and polygons of the picture: x to the right, y down, in pixels.

/// (x, y) in pixels.
pub type Place = (f64, f64);

/// Above 0 where `p` lies to the right of the way from `a` to `b`, as a walker sees it; below 0 to the left.
pub(super) fn right_of(a: Place, b: Place, p: Place) -> f64 {
    (b.0 - a.0) * (p.1 - a.1) - (b.1 - a.1) * (p.0 - a.0)
}

/// Pixels between two places.
pub(super) fn between(a: Place, b: Place) -> f64 {
    (a.0 - b.0).hypot(a.1 - b.1)
}

/// Pixels from `p` to the nearest point of the line through `points`, which ends at its ends; infinite without points.
pub fn distance(points: &[Place], p: Place) -> f64 {
    let to_segment = |s: &[Place]| {
        let (a, b) = (s[0], s[1]);
        let (dx, dy) = (b.0 - a.0, b.1 - a.1);
        let length = dx * dx + dy * dy;
        let t = if length > 0.0 { (((p.0 - a.0) * dx + (p.1 - a.1) * dy) / length).clamp(0.0, 1.0) } else { 0.0 };
        between((a.0 + t * dx, a.1 + t * dy), p)
    };
    points.windows(2).map(to_segment).fold(f64::INFINITY, f64::min)
}

/// How often the step from `from` to `to` crosses the line to its right, minus how often to its left.
pub(super) fn crossings(points: &[Place], from: Place, to: Place) -> i32 {
    let over = |s: &[Place]| {
        let (before, after) = (right_of(s[0], s[1], from) > 0.0, right_of(s[0], s[1], to) > 0.0);
        let apart = (right_of(from, to, s[0]) > 0.0) != (right_of(from, to, s[1]) > 0.0);
        match (before, after) {
            (false, true) if apart => 1,
            (true, false) if apart => -1,
            _ => 0,
        }
    };
    points.windows(2).map(over).sum()
}

/// True where `p` lies within the polygon (even-odd rule).
pub fn inside(corners: &[Place], p: Place) -> bool {
    let mut inside = false;
    for (i, a) in corners.iter().enumerate() {
        let b = corners[(i + 1) % corners.len()];
        if (a.1 > p.1) != (b.1 > p.1) && p.0 < a.0 + (p.1 - a.1) / (b.1 - a.1) * (b.0 - a.0) {
            inside = !inside;
        }
    }
    inside
}

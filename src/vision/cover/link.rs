//! Which box of this picture is which thing of the pictures before.

use super::{Covers, Found, Line, Loose, Seen, size};
use crate::vision::Rect;

/// A box of this overlap with the place that is expected may be anywhere in it.
const OVERLAP: f32 = 0.1;
/// How far apart, in sizes, two boxes of the same thing may be at any time.
const SLACK: f64 = 0.3;
/// And after any time; beyond, a cover that is held and another that leads are surer than one on the way between.
const FARTHEST: f64 = 1.5;
/// How many times larger one may be, and how much more of that a second.
const RATIO: f64 = 2.0;
/// What a box that could not start a cover is at a disadvantage by, in sizes.
const WEAK: f64 = 0.5;

impl Covers {
    /// Gives each box to the thing that it fits best, nearest first; those left over start new ones, or wait to be the
    /// beginning of one.
    pub(super) fn link(&mut self, time: f64, found: &[Found]) {
        let good = |f: &&Found| f.score >= self.settings.link && f.rect.is_finite() && f.rect.w > 0.0 && f.rect.h > 0.0;
        let found: Vec<Found> = found.iter().filter(good).copied().collect();
        let mut pairs: Vec<(f64, usize, usize)> = Vec::new();
        for (l, line) in self.lines.iter().enumerate() {
            let last = line.last();
            if !self.holds(last.time, time) {
                continue;
            }
            let expected = self.away(line, line.seen.len() - 1, time);
            for (f, Found { rect, score, .. }) in found.iter().enumerate() {
                let weak = if *score < self.settings.start { WEAK } else { 0.0 };
                let cost = self.cost(&last.rect, &expected, rect, time - last.time);
                pairs.extend(cost.map(|c| (c + weak, l, f)));
            }
        }
        pairs.sort_by(|a, b| a.0.total_cmp(&b.0));
        let (mut lines, mut boxes) = (vec![false; self.lines.len()], vec![false; found.len()]);
        for (_, l, f) in pairs {
            if !lines[l] && !boxes[f] {
                (lines[l], boxes[f]) = (true, true);
                self.lines[l].seen.push_back(found[f].at(time));
            }
        }
        for (found, _) in found.into_iter().zip(boxes).filter(|(_, linked)| !linked) {
            let seen = found.at(time);
            if found.score < self.settings.start {
                self.loose.push_back(Loose { seen, taken: false });
            } else {
                self.start(seen);
            }
        }
    }

    /// Starts a cover, with what fits of the boxes before that were too weak to start one.
    fn start(&mut self, seen: Seen) {
        self.ids += 1;
        let mut line = Line { id: self.ids, seen: [seen].into() };
        for i in (0..self.loose.len()).rev() {
            let (first, loose) = (*line.first(), &self.loose[i]);
            let fits = !loose.taken
                && loose.seen.time < first.time
                && self.leads(first.time, loose.seen.time)
                && self.cost(&first.rect, &first.rect, &loose.seen.rect, first.time - loose.seen.time).is_some();
            if fits {
                line.seen.push_front(loose.seen);
                self.loose[i].taken = true;
            }
        }
        self.lines.push(line);
    }

    /// How little a box fits to a thing that was at `last` `dt` seconds ago and is expected within `expected`: in sizes;
    /// `None` where it cannot be the same one.
    fn cost(&self, last: &Rect, expected: &Rect, rect: &Rect, dt: f64) -> Option<f64> {
        let sizes = (size(last), size(rect));
        let ratio = sizes.0.max(sizes.1) / sizes.0.min(sizes.1);
        let distance = |a: &Rect| {
            let (p, q) = (a.center(), rect.center());
            f64::from(p.0 - q.0).hypot(f64::from(p.1 - q.1)) / ((sizes.0 + sizes.1) / 2.0)
        };
        let apart = distance(last).min(distance(expected));
        let near = apart <= (SLACK + self.settings.max_speed * dt).min(FARTHEST);
        let overlaps = last.iou(rect).max(expected.iou(rect)) >= OVERLAP;
        ((near || overlaps) && ratio <= RATIO * (1.0 + dt)).then(|| apart + ratio.ln())
    }
}

impl Found {
    fn at(&self, time: f64) -> Seen {
        Seen { time, rect: self.rect, predicted: self.predicted }
    }
}

//! Boxes over time for hiding things: what was found is linked from picture to picture, and a cover stands on the pictures
//! between, after and before as well.
//!
//! Unlike a tracker this never waits for proof and never drops anything early: a cover too much costs little, a missing one
//! shows what was to be hidden. Times are seconds of the pictures, so any frame rate and pictures that no detector looked at
//! are the same thing. Pictures are shown to [`Covers::see`] in order of time; [`Covers::at`] answers for any of them later,
//! with what later ones taught.
//!
//! ```text
//!          lead        seen     missed, or not looked at     seen        hold
//!     ├──────────────┼ █ █ █ █ ┼ ░ ░ ░ ░ ░ ░ ░ ░ ░ ░ ░ ░ ░ ┼ █ █ █ ┼──────────────┤
//!      extrapolated              between the two                      extrapolated
//! ```

mod link;

use std::collections::VecDeque;

use super::Rect;

/// How covers are made of boxes.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// Seconds that a cover goes on after the first picture on which nothing was found any more.
    pub hold: f64,
    /// Seconds that a cover stands before the first picture on which something was found.
    pub lead: f64,
    /// How far a thing may get in a second, in its own sizes: where its next box is looked for, and how far it is followed
    /// where nothing was found.
    pub max_speed: f64,
    /// How much wider and higher a cover gets on every side per second without a box, as a share of its size.
    pub growth: f64,
    /// A box of at least this score starts a cover.
    pub start: f32,
    /// A box of at least this score continues one.
    pub link: f32,
}

/// Something found on a picture.
#[derive(Clone, Copy, Debug)]
pub struct Found {
    /// Where, in pixels.
    pub rect: Rect,
    /// 0–1.
    pub score: f32,
    /// A tracker put it there, no detector.
    pub predicted: bool,
}

/// Why a cover stands on a picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Why {
    /// Something was found there.
    Seen,
    /// A tracker put it there.
    Tracked,
    /// No detector looked at this picture; it was found before and after.
    Between,
    /// Missed on this picture, found before and after.
    Interpolated,
    /// Found before.
    Held,
    /// Found after.
    Lead,
}

impl Why {
    /// As a person reads it.
    pub fn name(self) -> &'static str {
        match self {
            Why::Seen => "seen",
            Why::Tracked => "tracked",
            Why::Between => "between",
            Why::Interpolated => "interpolated",
            Why::Held => "held",
            Why::Lead => "lead",
        }
    }
}

/// What to hide on one picture.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Cover {
    /// Where, in pixels; may reach beyond the picture.
    pub rect: Rect,
    /// The same number as long as it is the same thing.
    pub id: u64,
    /// Why there.
    pub why: Why,
}

/// One box of a cover.
#[derive(Clone, Copy, Debug)]
struct Seen {
    time: f64,
    rect: Rect,
    predicted: bool,
}

/// The boxes of one thing, in order of time; never empty.
#[derive(Debug)]
struct Line {
    id: u64,
    seen: VecDeque<Seen>,
}

/// A box that started nothing.
#[derive(Debug)]
struct Loose {
    seen: Seen,
    taken: bool,
}

/// Everything that is covered.
#[derive(Debug)]
pub struct Covers {
    settings: Settings,
    lines: Vec<Line>,
    loose: VecDeque<Loose>,
    /// When a detector looked.
    looks: VecDeque<f64>,
    /// The first pictures of new scenes.
    cuts: VecDeque<f64>,
    ids: u64,
}

/// Seconds of the past that a speed is taken from.
const SPEED_OVER: f64 = 0.4;
/// Seconds that a speed is believed in.
const SPEED_FOR: f64 = 0.5;
/// Seconds without any look for which a cover goes on.
const UNSEEING: f64 = 5.0;
/// Seconds of the past that are kept beyond what is asked for.
const PAST: f64 = 1.0;

impl Covers {
    /// Nothing is covered yet.
    pub fn new(settings: Settings) -> Self {
        let (lines, loose, looks, cuts) = Default::default();
        Covers { settings, lines, loose, looks, cuts, ids: 0 }
    }

    /// Takes note of the next picture, at `time`: whether a detector `looked` at it, whether it is the first of a new scene,
    /// and what was found.
    pub fn see(&mut self, time: f64, looked: bool, cut: bool, found: &[Found]) {
        if cut {
            self.cuts.push_back(time);
        }
        if looked {
            self.looks.push_back(time);
            self.link(time, found);
        }
    }

    /// What is covered on the picture at `time`, one of those that were shown to [`Covers::see`]. `looked` as there.
    pub fn at(&self, time: f64, looked: bool, out: &mut Vec<Cover>) {
        out.clear();
        out.extend(self.lines.iter().filter_map(|line| {
            let (rect, why) = self.cover(line, time, looked)?;
            Some(Cover { rect, id: line.id, why })
        }));
    }

    /// Drops what no picture from `time` on needs.
    pub fn forget(&mut self, time: f64) {
        let oldest = time - PAST;
        while self.loose.front().is_some_and(|l| l.seen.time < oldest) {
            self.loose.pop_front();
        }
        for line in &mut self.lines {
            while line.seen.len() > 1 && line.seen[1].time < oldest {
                line.seen.pop_front();
            }
        }
        let mut lines = std::mem::take(&mut self.lines);
        lines.retain(|l| l.last().time >= time || self.holds(l.last().time, time));
        self.lines = lines;
        let first = self.lines.iter().map(|l| l.first().time).fold(oldest, f64::min);
        for times in [&mut self.looks, &mut self.cuts] {
            while times.len() > 1 && times[1] < first {
                times.pop_front();
            }
        }
    }

    fn cover(&self, line: &Line, time: f64, looked: bool) -> Option<(Rect, Why)> {
        let after = line.seen.partition_point(|s| s.time < time);
        if let Some(at) = line.seen.get(after).filter(|s| s.time == time) {
            return Some((self.steady(line, after), if at.predicted { Why::Tracked } else { Why::Seen }));
        }
        let before = after.checked_sub(1).and_then(|i| line.seen.get(i));
        match (before, line.seen.get(after)) {
            (Some(a), Some(b)) => match self.cut_between(a.time, b.time) {
                // Another scene: nothing lies between the two places.
                Some(cut) if time < cut => Some((self.away(line, after - 1, time), Why::Held)),
                Some(_) => Some((self.away(line, after, time), Why::Lead)),
                None => {
                    let unsure = self.settings.growth * (time - a.time).min(b.time - time);
                    let why = if looked { Why::Interpolated } else { Why::Between };
                    Some((between(a, b, time).grown(unsure as f32), why))
                }
            },
            (Some(a), None) => self.holds(a.time, time).then(|| (self.away(line, after - 1, time), Why::Held)),
            (None, Some(b)) => self.leads(b.time, time).then(|| (self.away(line, after, time), Why::Lead)),
            (None, None) => None,
        }
    }

    /// The box that was seen, and where its neighbours say that it is: one that is too small for a moment shows nothing.
    fn steady(&self, line: &Line, i: usize) -> Rect {
        let at = &line.seen[i];
        let neighbours = i.checked_sub(1).and_then(|b| Some((line.seen.get(b)?, line.seen.get(i + 1)?)));
        match neighbours {
            Some((a, b)) if b.time - a.time < SPEED_OVER && self.cut_between(a.time, b.time).is_none() => {
                at.rect.union(&between(a, b, at.time))
            }
            _ => at.rect,
        }
    }

    /// The place at `time` of what was at box `i` last, or will be there first: where it was and where its speed takes it.
    fn away(&self, line: &Line, i: usize, time: f64) -> Rect {
        let at = &line.seen[i];
        let dt = time - at.time;
        let (vx, vy) = self.speed(line, i, dt > 0.0);
        let far = dt.clamp(-SPEED_FOR, SPEED_FOR);
        let moved = at.rect.moved((vx * far) as f32, (vy * far) as f32);
        at.rect.union(&moved).grown((self.settings.growth * dt.abs()) as f32)
    }

    /// Pixels a second at box `i`, by the boxes before it (`past`) or after it.
    fn speed(&self, line: &Line, i: usize, past: bool) -> (f64, f64) {
        let at = &line.seen[i];
        let near = |s: &&Seen| {
            (s.time - at.time).abs() <= SPEED_OVER
                && self.cut_between(s.time.min(at.time), s.time.max(at.time)).is_none()
        };
        let other = match past {
            true => line.seen.range(..i).find(near),
            false => line.seen.range(i + 1..).rev().find(near),
        };
        let Some(other) = other else { return (0.0, 0.0) };
        let (dt, (x0, y0), (x1, y1)) = (at.time - other.time, other.rect.center(), at.rect.center());
        let most = self.settings.max_speed * size(&at.rect);
        let of = |from: f32, to: f32| (f64::from(to - from) / dt).clamp(-most, most);
        (of(x0, x1), of(y0, y1))
    }

    /// True when what was last seen at `last` may still be there at `time`: no detector looked since, or the first one that
    /// missed it did so less than `hold` ago and no new scene was looked at.
    fn holds(&self, last: f64, time: f64) -> bool {
        let looked = |t: f64| self.looks.iter().copied().find(|l| *l > t).filter(|l| *l <= time);
        let Some(miss) = looked(last) else { return time - last <= UNSEEING };
        let cut = self.cut_between(last, time);
        let gone = cut.is_some_and(|cut| self.looks.iter().any(|l| *l >= cut && *l <= time));
        time - miss <= self.settings.hold && !gone
    }

    /// The same backwards from `first`.
    fn leads(&self, first: f64, time: f64) -> bool {
        if self.cut_between(time, first).is_some() {
            return false;
        }
        match self.looks.iter().copied().rev().find(|l| *l < first).filter(|l| *l >= time) {
            Some(miss) => miss - time <= self.settings.lead,
            None => first - time <= UNSEEING,
        }
    }

    /// The first new scene after `from` up to and with `to`.
    fn cut_between(&self, from: f64, to: f64) -> Option<f64> {
        self.cuts.iter().copied().find(|c| *c > from && *c <= to)
    }
}

impl Line {
    fn first(&self) -> &Seen {
        &self.seen[0]
    }

    fn last(&self) -> &Seen {
        &self.seen[self.seen.len() - 1]
    }
}

/// On the straight way from `a` to `b`.
fn between(a: &Seen, b: &Seen, time: f64) -> Rect {
    let share = ((time - a.time) / (b.time - a.time)) as f32;
    let mix = |from: f32, to: f32| from + (to - from) * share;
    let (p, q) = (a.rect.center(), b.rect.center());
    Rect::from_center(mix(p.0, q.0), mix(p.1, q.1), mix(a.rect.w, b.rect.w), mix(a.rect.h, b.rect.h))
}

/// The side of a square of the same area.
fn size(r: &Rect) -> f64 {
    f64::from(r.area()).sqrt()
}

#[cfg(test)]
mod tests;

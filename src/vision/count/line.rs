//! Who crossed a line, in which direction.
//!
//! What counts is the object's way: each step that crosses the line adds 1 (to its right) or takes 1 away. Once the object is
//! farther from the line than the band, the sum says what it did; trembling and turning back within the band leave 0.

use std::collections::BTreeMap;

use super::geometry::{Place, between, crossings, distance};
use super::lineage::{Lineage, SWITCH, Seen, Step};

/// No object stands exactly on a line that is given in whole pixels: places are moved by this, in pixels.
const NUDGE: Place = (1.234e-4, 3.456e-4);
/// Two tracks of one object overlap in time for so long at most, in seconds.
const OVERLAP: f64 = 0.5;
/// Two boxes of one object overlap by more than this, of what both cover.
const APART: f64 = 0.05;

/// Which way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Direction {
    /// To the right hand of who walks from the line's first point to its last, unless it is swapped.
    In,
    /// The other way.
    Out,
}

impl Direction {
    /// `in` or `out`.
    pub fn name(self) -> &'static str {
        match self {
            Direction::In => "in",
            Direction::Out => "out",
        }
    }
}

/// An object crossed the line.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Crossing<S> {
    /// Place in the list of what was seen.
    pub index: usize,
    /// Which way.
    pub direction: Direction,
    /// The moment at which it was on the line, as the caller numbered it.
    pub when: S,
}

/// A line and who is about to cross it. `S` is a moment as the caller counts them.
#[derive(Debug)]
pub struct LineCounter<S> {
    points: Vec<Place>,
    swapped: bool,
    lineage: Lineage,
    /// By object.
    ways: BTreeMap<u32, Way<S>>,
    /// Crossings of the last [`SWITCH`] seconds.
    recent: Vec<Recent>,
}

#[derive(Debug)]
struct Way<S> {
    /// Crossings to the right since it was last away from the line, minus those to the left.
    net: i32,
    /// When it was on the line last.
    when: S,
    last: f64,
}

#[derive(Debug)]
struct Recent {
    object: u32,
    time: f64,
    at: Place,
    scale: f64,
    direction: Direction,
    /// Objects that were seen apart from it since: these are others.
    others: Vec<u32>,
}

impl<S: Copy> LineCounter<S> {
    /// A line through two or more points in pixels; `swapped` exchanges in and out.
    pub fn new(points: Vec<Place>, swapped: bool) -> Self {
        LineCounter { points, swapped, lineage: Lineage::default(), ways: BTreeMap::new(), recent: Vec::new() }
    }

    /// Takes in the picture of `time` (in seconds), which is the moment `when`: who has crossed. `band` says how far from the
    /// line each of `seen` must be, in pixels.
    pub fn look(&mut self, time: f64, when: S, seen: &[Seen], band: impl Fn(&Seen) -> f64) -> Vec<Crossing<S>> {
        let steps = self.lineage.look(time, seen);
        self.ways.retain(|_, w| time >= w.last && time - w.last <= 600.0);
        self.recent.retain(|r| time >= r.time && time - r.time <= SWITCH);
        self.recent.iter_mut().for_each(|r| r.note(seen, &steps));
        let mut found = Vec::new();
        for (index, (s, step)) in seen.iter().zip(&steps).enumerate().filter(|(_, (s, _))| s.found) {
            let way = self.ways.entry(step.object).or_insert(Way { net: 0, when, last: time });
            way.last = time;
            let at = nudged(s.at);
            if let Some(from) = step.from.map(nudged) {
                let crossed = crossings(&self.points, from, at);
                if crossed != 0 {
                    (way.net, way.when) = (way.net + crossed, when);
                }
                // A new track that begins where the old one came from has not gone back: it was found anew.
                let undoes =
                    |r: &Recent| r.object == step.object && sign(r.direction, self.swapped) == -crossed.signum();
                if step.switched && crossed != 0 && self.recent.iter().any(undoes) {
                    way.net = 0;
                }
            }
            if way.net == 0 || distance(&self.points, at) <= band(s) {
                continue;
            }
            let direction = if (way.net > 0) != self.swapped { Direction::In } else { Direction::Out };
            way.net = 0;
            let moment = way.when;
            let repeated = |r: &Recent| {
                let vanished =
                    || self.lineage.last(r.object).is_none_or(|last| last < time && step.since >= last - OVERLAP);
                let same = if r.object == step.object { step.since > r.time } else { vanished() };
                let near = between(r.at, s.at) <= r.scale.max(s.scale());
                r.direction == direction && same && near && !r.others.contains(&step.object)
            };
            let again = self.recent.iter().any(repeated);
            let (object, at, scale, others) = (step.object, s.at, s.scale(), Vec::new());
            let mut crossed = Recent { object, time, at, scale, direction, others };
            crossed.note(seen, &steps);
            self.recent.push(crossed);
            if !again {
                found.push(Crossing { index, direction, when: moment });
            }
        }
        found
    }
}

impl Recent {
    /// Whom a picture shows apart from it.
    fn note(&mut self, seen: &[Seen], steps: &[Step]) {
        let Some(i) = steps.iter().position(|s| s.object == self.object) else { return };
        for (s, step) in seen.iter().zip(steps).filter(|(s, _)| s.found) {
            let other = step.object != self.object && !self.others.contains(&step.object);
            if other && seen[i].found && seen[i].overlap(s) < APART {
                self.others.push(step.object);
            }
        }
    }
}

fn nudged(p: Place) -> Place {
    (p.0 + NUDGE.0, p.1 + NUDGE.1)
}

fn sign(direction: Direction, swapped: bool) -> i32 {
    if (direction == Direction::In) != swapped { 1 } else { -1 }
}

/// From the middle of a line to the side that is `in`, `length` pixels long.
pub fn arrow(points: &[Place], swapped: bool, length: f64) -> Option<(Place, Place)> {
    let lengths: Vec<f64> = points.windows(2).map(|s| between(s[0], s[1])).collect();
    let half = lengths.iter().sum::<f64>() / 2.0;
    let mut gone = 0.0;
    for (s, l) in points.windows(2).zip(&lengths) {
        if gone + l >= half && *l > 0.0 {
            let (dx, dy) = ((s[1].0 - s[0].0) / l, (s[1].1 - s[0].1) / l);
            let (way, side) = (half - gone, if swapped { -length } else { length });
            let at = (s[0].0 + dx * way, s[0].1 + dy * way);
            // To the right, where y goes down: (−dy, dx).
            return Some((at, (at.0 - dy * side, at.1 + dx * side)));
        }
        gone += l;
    }
    None
}

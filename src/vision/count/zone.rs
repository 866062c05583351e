//! Who is in a zone, since when, and whether it is crowded.

use std::collections::BTreeMap;

use super::geometry::{Place, inside};
use super::lineage::{Lineage, Seen};

/// What a zone is told. All times are in seconds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ZoneSettings {
    /// An object is in (or out) once it was for so long.
    pub settle: f64,
    /// What is not seen for so long has left.
    pub lost: f64,
    /// After so long an object has dwelt.
    pub dwell: Option<f64>,
    /// More objects than this are a crowd.
    pub crowd: Option<usize>,
}

/// How an object left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Leave {
    /// It was seen outside.
    Gone,
    /// It was not seen any more.
    Lost,
    /// The stream ended.
    End,
}

/// An object's time in the zone. `S` is a moment as the caller counts them.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Stay<S> {
    /// Number of its track now.
    pub track: u32,
    /// The moment of the change.
    pub when: S,
    /// How long it has been in, in seconds.
    pub seconds: f64,
}

/// What changed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Change<S> {
    /// It is in since `when`.
    Entered(Stay<S>),
    /// It left at `when`.
    Left(Stay<S>, Leave),
    /// It has been in for as long as was asked for.
    Dwelt(Stay<S>),
    /// So many are in: more than are allowed.
    Crowded(usize),
    /// They are no longer.
    Eased(usize),
}

/// A zone and who is in it.
#[derive(Debug)]
pub struct ZoneWatch<S> {
    /// Polygons; a place in any of them is in the zone. None: everywhere is.
    parts: Vec<Vec<Place>>,
    settings: ZoneSettings,
    lineage: Lineage,
    objects: BTreeMap<u32, State<S>>,
    crowded: bool,
}

#[derive(Debug)]
struct State<S> {
    track: u32,
    /// Since when it is in, once that is settled.
    entered: Option<f64>,
    dwelt: bool,
    /// Since when it is on the other side than `entered` says.
    since: Option<(f64, S)>,
    last: (f64, S),
}

impl<S: Copy> ZoneWatch<S> {
    /// An empty zone.
    pub fn new(parts: Vec<Vec<Place>>, settings: ZoneSettings) -> Self {
        let (lineage, objects) = (Lineage::default(), BTreeMap::new());
        ZoneWatch { parts, settings, lineage, objects, crowded: false }
    }

    /// How many are in.
    pub fn now(&self) -> usize {
        self.objects.values().filter(|o| o.entered.is_some()).count()
    }

    /// Takes in the picture of `time` (in seconds), which is the moment `when`.
    pub fn look(&mut self, time: f64, when: S, seen: &[Seen]) -> Vec<Change<S>> {
        let steps = self.lineage.look(time, seen);
        let mut out = Vec::new();
        let ZoneSettings { settle, lost, dwell, .. } = self.settings;
        for (s, step) in seen.iter().zip(&steps) {
            let is_in = self.parts.is_empty() || self.parts.iter().any(|p| inside(p, s.at));
            let fresh = State { track: s.track, entered: None, dwelt: false, since: None, last: (time, when) };
            let o = self.objects.entry(step.object).or_insert(fresh);
            (o.track, o.last) = (s.track, (time, when));
            if !s.found {
                continue;
            }
            if is_in == o.entered.is_some() {
                o.since = None;
                continue;
            }
            let (since, moment) = *o.since.get_or_insert((time, when));
            // Rounded timestamps must not make the difference.
            if time - since < settle - 1e-6 {
                continue;
            }
            o.since = None;
            let stay = |seconds| Stay { track: s.track, when: moment, seconds };
            match o.entered.take() {
                Some(entered) => out.push(Change::Left(stay(since - entered), Leave::Gone)),
                None => {
                    (o.entered, o.dwelt) = (Some(since), false);
                    out.push(Change::Entered(stay(0.0)));
                }
            }
        }
        self.objects.retain(|_, o| {
            if time - o.last.0 <= lost && time >= o.last.0 {
                return true;
            }
            if let Some(entered) = o.entered {
                let stay = Stay { track: o.track, when: o.last.1, seconds: o.last.0 - entered };
                out.push(Change::Left(stay, Leave::Lost));
            }
            false
        });
        for o in self.objects.values_mut() {
            let (Some(entered), Some(dwell)) = (o.entered, dwell) else { continue };
            if !o.dwelt && time - entered >= dwell - 1e-6 {
                o.dwelt = true;
                out.push(Change::Dwelt(Stay { track: o.track, when, seconds: time - entered }));
            }
        }
        let now = self.now();
        if let Some(crowd) = self.settings.crowd
            && self.crowded != (now > crowd)
        {
            self.crowded = now > crowd;
            out.push(if self.crowded { Change::Crowded(now) } else { Change::Eased(now) });
        }
        out
    }

    /// The stream ended: those who are in leave, as of when they were seen last.
    pub fn end(&mut self) -> Vec<Change<S>> {
        let mut out = Vec::new();
        for o in std::mem::take(&mut self.objects).into_values() {
            if let Some(entered) = o.entered {
                let stay = Stay { track: o.track, when: o.last.1, seconds: o.last.0 - entered };
                out.push(Change::Left(stay, Leave::End));
            }
        }
        if std::mem::take(&mut self.crowded) {
            out.push(Change::Eased(0));
        }
        out
    }
}

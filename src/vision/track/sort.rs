//! SORT: overlap with the predicted box, and nothing else.
//!
//! A. Bewley et al., "Simple Online and Realtime Tracking", ICIP 2016; with this project's filter.

use super::clock::{Clock, Tick};
use super::kalman::BoxFilter;
use super::tremble::{Looks, Tremble};
use super::{Followed, Settings, Tracker, assign, same_kind, usable};
use crate::vision::{Detection, Rect};

/// See the file's head. Weak detections and appearance are not used.
pub struct Sort {
    settings: Settings,
    clock: Clock,
    tracks: Vec<Track>,
    given: u32,
    tremble: Tremble,
}

struct Track {
    id: Option<u32>,
    filter: BoxFilter,
    expected: Rect,
    since: f64,
    seen_at: f64,
    missed: bool,
    hits: u32,
    looks: Looks,
    last: Detection,
}

impl Sort {
    /// Follows nothing yet.
    pub fn new(settings: Settings) -> Self {
        Sort { settings, clock: Clock::default(), tracks: Vec::new(), given: 0, tremble: Tremble::default() }
    }

    fn advance(&mut self, time: f64, look: bool) {
        let keep = self.settings.keep;
        match self.clock.tick(time, look, keep) {
            Tick::Jump => self.tracks.clear(),
            Tick::On(dt) => {
                let now = self.clock.now();
                // As in SORT, what was not confirmed yet must be found in every picture.
                self.tracks.retain(|t| !t.missed || t.id.is_some() && now - t.seen_at <= keep);
                for track in self.tracks.iter_mut().filter(|_| dt > 0.0) {
                    track.filter.predict(dt);
                    track.expected = track.filter.rect();
                }
            }
        }
    }
}

impl Tracker for Sort {
    fn look(&mut self, time: f64, seen: &mut [&mut Detection]) {
        self.advance(time, true);
        let (now, settings) = (self.clock.now(), &self.settings);
        let sure: Vec<usize> =
            (0..seen.len()).filter(|i| usable(seen[*i]) && seen[*i].score >= settings.high).collect();
        let found = assign(self.tracks.len(), sure.len(), |t, c| {
            let (track, d) = (&self.tracks[t], &*seen[sure[c]]);
            let overlap = track.expected.iou(&d.rect);
            let fits = overlap >= settings.overlap && same_kind(&track.last, d, settings);
            if fits { f64::from(overlap) } else { 0.0 }
        });
        let mut missed = vec![true; self.tracks.len()];
        let mut left = vec![true; sure.len()];
        let mut pairs = Vec::with_capacity(sure.len());
        for (t, c) in found {
            (left[c], missed[t]) = (false, false);
            pairs.push((t, sure[c]));
            let (track, d) = (&mut self.tracks[t], &*seen[sure[c]]);
            track.looks.found(now, d.rect, track.missed);
            self.tremble.learn(&track.looks);
            track.filter.correct(&d.rect, self.tremble.noise());
            (track.seen_at, track.hits) = (now, track.hits.saturating_add(1));
            track.last.clone_from(d);
        }
        self.tracks.iter_mut().zip(missed).for_each(|(track, missed)| track.missed = missed);
        for d in sure.iter().zip(left).filter(|(_, left)| *left).map(|(d, _)| *d) {
            pairs.push((self.tracks.len(), d));
            let (filter, last) = (BoxFilter::new(&seen[d].rect), seen[d].clone());
            let (expected, looks) = (last.rect, Looks::new(now, last.rect));
            let (since, seen_at, missed, hits) = (now, now, false, 1);
            self.tracks.push(Track { id: None, filter, expected, since, seen_at, missed, hits, looks, last });
        }
        for (t, d) in pairs {
            let track = &mut self.tracks[t];
            if track.id.is_none() && track.hits >= self.settings.hits {
                self.given += 1;
                track.id = Some(self.given);
            }
            track.expected = track.filter.rect();
            seen[d].track = track.id;
            if self.settings.smooth && track.id.is_some() {
                seen[d].rect = track.filter.shown(&seen[d].rect);
            }
        }
    }

    fn pass(&mut self, time: f64) {
        self.advance(time, false);
    }

    fn confirmed(&self, each: &mut dyn FnMut(Followed<'_>)) {
        let mut all: Vec<(u32, &Track)> = self.tracks.iter().filter_map(|t| t.id.map(|id| (id, t))).collect();
        all.sort_unstable_by_key(|(id, _)| *id);
        for (id, t) in all {
            let unseen = self.clock.now() - t.seen_at;
            each(Followed { id, rect: t.expected, since: t.since, unseen, missed: t.missed, last: &t.last });
        }
    }
}

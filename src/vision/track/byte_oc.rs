//! The default tracker: two stages as ByteTrack, with OC-SORT's use of what was really seen.
//!
//! 1. Sure detections meet confirmed tracks, then those on trial. A pair's worth is its overlap, less where heights differ,
//!    more where the detection lies ahead of the way that the object went.
//! 2. Weak detections continue confirmed tracks that were just seen: what is half hidden is still there.
//! 3. Sure detections that are left begin tracks on trial.
//!
//! A track that comes back is corrected as if it had been seen all the way on a straight line: what the filter guessed
//! meanwhile is forgotten.
//!
//! Sources: Y. Zhang et al., "ByteTrack", ECCV 2022 (both stages, scores in the overlap); J. Cao et al., "Observation-Centric
//! SORT", CVPR 2023 (directions, the correction after a gap); M. Yang et al., "Hybrid-SORT", AAAI 2024 (overlap of heights).

use std::collections::VecDeque;

use super::clock::{Clock, Tick};
use super::kalman::BoxFilter;
use super::tremble::{Looks, Noise, Tremble};
use super::{Followed, Settings, Tracker, assign, same_kind, take, usable};
use crate::vision::{Detection, Rect};

/// Overlap that a weak detection must have: it has less to say than a sure one.
const WEAK_OVERLAP: f64 = 0.5;
/// Seconds after its last detection in which a weak one continues a track.
const WEAK_FOR: f64 = 0.3;
/// Seconds that a track on trial survives without being found.
const TRIAL: f64 = 0.13;
/// Worth of the direction, as in OC-SORT.
const DIRECTION: f64 = 0.2;
/// Seconds over which the direction is taken, at least: about OC-SORT's 3 frames of 30 a second, and no multiple of a usual
/// frame's length, so that rounded timestamps make no difference.
const SPAN: f64 = 0.11;
/// How fast a pair's worth falls with the time that the track was not seen, per second: of two that fit equally well, the one
/// seen later is the better guess.
const AGING: f64 = 0.1;
/// Appearances at least so much alike bring back a track whose box does not overlap (cosine).
const ALIKE: f64 = 0.75;
/// What remains of a track's appearance at each new look at it.
const APPEARANCE_KEPT: f32 = 0.9;
/// A detection is at most so many sizes of the box away from where its track is expected.
const REACH: f64 = 2.0;
/// The least worth of a pair that may be.
const SOME: f64 = 1e-6;

/// See the file's head.
pub struct ByteOc {
    settings: Settings,
    clock: Clock,
    tracks: Vec<Track>,
    /// Numbers given so far.
    given: u32,
    tremble: Tremble,
}

struct Track {
    id: Option<u32>,
    filter: BoxFilter,
    /// The filter as it was when the object was last seen.
    seen: BoxFilter,
    /// Where it is expected now.
    expected: Rect,
    since: f64,
    seen_at: f64,
    /// Looks since then that did not find it.
    misses: u32,
    hits: u32,
    /// When and where it was seen during the last [`SPAN`] and once before.
    path: VecDeque<(f64, Rect)>,
    looks: Looks,
    appearance: Option<Vec<f32>>,
    last: Detection,
}

impl ByteOc {
    /// Follows nothing yet.
    pub fn new(settings: Settings) -> Self {
        ByteOc { settings, clock: Clock::default(), tracks: Vec::new(), given: 0, tremble: Tremble::default() }
    }

    fn advance(&mut self, time: f64, look: bool) {
        let keep = self.settings.keep;
        match self.clock.tick(time, look, keep) {
            Tick::Jump => self.tracks.clear(),
            Tick::On(dt) => {
                let now = self.clock.now();
                // What the last look found is not lost by the time until the next one.
                self.tracks.retain(|t| t.misses == 0 || now - t.seen_at <= if t.id.is_some() { keep } else { TRIAL });
                for track in self.tracks.iter_mut().filter(|_| dt > 0.0) {
                    track.filter.predict(dt);
                    track.expected = track.filter.rect();
                }
            }
        }
    }

    /// Which detections (second) go to which tracks (first); and which of the sure ones are left.
    fn link(&self, sure: Vec<usize>, weak: Vec<usize>, seen: &[&mut Detection]) -> (Vec<(usize, usize)>, Vec<usize>) {
        let (now, settings) = (self.clock.now(), &self.settings);
        let (mut pairs, mut sure, mut weak) = (Vec::new(), sure, weak);
        let all = 0..self.tracks.len();
        let (mut confirmed, mut trials): (Vec<usize>, Vec<usize>) = all.partition(|t| self.tracks[*t].id.is_some());
        for rows in [&mut confirmed, &mut trials] {
            let found = assign(rows.len(), sure.len(), |r, c| self.tracks[rows[r]].worth(seen[sure[c]], now, settings));
            take(&found, rows, &mut sure, &mut pairs);
        }
        let found = assign(confirmed.len(), weak.len(), |r, c| {
            let (track, d) = (&self.tracks[confirmed[r]], &*seen[weak[c]]);
            let just = track.misses == 0 || now - track.seen_at <= WEAK_FOR;
            let overlap = f64::from(track.expected.iou(&d.rect));
            if just && overlap >= WEAK_OVERLAP && same_kind(&track.last, d, settings) { overlap } else { 0.0 }
        });
        take(&found, &mut confirmed, &mut weak, &mut pairs);
        pairs.sort_unstable();
        (pairs, sure)
    }
}

impl Track {
    fn new(d: &Detection, now: f64) -> Self {
        let filter = BoxFilter::new(&d.rect);
        Track {
            id: None,
            filter,
            seen: filter,
            expected: d.rect,
            since: now,
            seen_at: now,
            misses: 0,
            hits: 1,
            path: VecDeque::from([(now, d.rect)]),
            looks: Looks::new(now, d.rect),
            appearance: d.embedding.as_ref().map(|e| e.to_vec()),
            last: d.clone(),
        }
    }

    /// What it is worth to call `d` this object; 0 where it cannot be.
    fn worth(&self, d: &Detection, now: f64, settings: &Settings) -> f64 {
        if !same_kind(&self.last, d, settings) {
            return 0.0;
        }
        let overlap = f64::from(self.expected.iou(&d.rect));
        let overlaps = overlap >= f64::from(settings.overlap);
        let alike = self.alike(d).filter(|_| settings.appearance > 0.0);
        if !overlaps && !alike.is_some_and(|a| a >= ALIKE && self.near(d)) {
            return 0.0;
        }
        let (a, b) = (&self.expected, &d.rect);
        let shared = a.bottom().min(b.bottom()) - a.y.max(b.y);
        let height = f64::from((shared / (a.bottom().max(b.bottom()) - a.y.min(b.y))).max(0.0));
        let fit = overlap * height * (-AGING * (now - self.seen_at)).exp();
        let worth = (fit + DIRECTION * self.ahead(d)) * f64::from(d.score);
        let share = f64::from(settings.appearance);
        alike.map_or(worth, |a| worth * (1.0 - share) + a.max(0.0) * share).max(SOME)
    }

    /// How well `d` lies ahead: 0.5 straight on, 0 to the side, -0.5 where the object came from.
    fn ahead(&self, d: &Detection) -> f64 {
        let (Some((_, from)), Some((_, at))) = (self.path.front(), self.path.back()) else { return 0.0 };
        let ((fx, fy), (x, y), (tx, ty)) = (from.center(), at.center(), d.rect.center());
        let (went, goes) = ((f64::from(x - fx), f64::from(y - fy)), (f64::from(tx - x), f64::from(ty - y)));
        let lengths = went.0.hypot(went.1) * goes.0.hypot(goes.1);
        if lengths < 1e-9 {
            return 0.0;
        }
        let angle = ((went.0 * goes.0 + went.1 * goes.1) / lengths).clamp(-1.0, 1.0).acos();
        0.5 - angle / std::f64::consts::PI
    }

    /// Cosine of the angle between both appearances, where both are known.
    fn alike(&self, d: &Detection) -> Option<f64> {
        let (a, b) = (self.appearance.as_ref()?, d.embedding.as_ref()?);
        let product = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| f64::from(a * b)).sum::<f64>();
        let cosine = product(a, b) / (product(a, a) * product(b, b)).sqrt();
        (a.len() == b.len() && cosine.is_finite()).then_some(cosine)
    }

    /// True where `d` is not too far away to be the same, whatever it looks like.
    fn near(&self, d: &Detection) -> bool {
        let ((ax, ay), (bx, by)) = (self.expected.center(), d.rect.center());
        let size = f64::from(self.expected.area().max(d.rect.area())).sqrt();
        f64::from(ax - bx).hypot(f64::from(ay - by)) <= REACH * size
    }

    fn found(&mut self, d: &Detection, now: f64, tremble: &mut Tremble) {
        self.looks.found(now, d.rect, self.misses > 0);
        tremble.learn(&self.looks);
        let noise = tremble.noise();
        if self.misses > 0 {
            self.retrace(&d.rect, now, noise);
        }
        self.filter.correct(&d.rect, noise);
        self.seen = self.filter;
        self.seen_at = now;
        self.misses = 0;
        self.hits = self.hits.saturating_add(1);
        self.path.push_back((now, d.rect));
        while self.path.get(1).is_some_and(|(t, _)| now - t >= SPAN) {
            self.path.pop_front();
        }
        if let Some(new) = &d.embedding {
            match self.appearance.as_mut().filter(|a| a.len() == new.len()) {
                Some(old) => old.iter_mut().zip(new.iter()).for_each(|(old, new)| {
                    *old = *old * APPEARANCE_KEPT + new * (1.0 - APPEARANCE_KEPT);
                }),
                None => self.appearance = Some(new.to_vec()),
            }
        }
        self.last.clone_from(d);
    }

    /// Goes back to when it was last seen, and from there straight to `rect`, as if it had been seen at each look.
    fn retrace(&mut self, rect: &Rect, now: f64, noise: Noise) {
        let (from, steps) = (self.last.rect, self.misses.min(LONGEST_WAY) + 1);
        let dt = (now - self.seen_at) / f64::from(steps);
        self.filter = self.seen;
        for k in 1..steps {
            let share = k as f32 / steps as f32;
            let mix = |a: f32, b: f32| a + (b - a) * share;
            let ((ax, ay), (bx, by)) = (from.center(), rect.center());
            self.filter.predict(dt);
            let (w, h) = (mix(from.w, rect.w), mix(from.h, rect.h));
            self.filter.correct(&Rect::from_center(mix(ax, bx), mix(ay, by), w, h), noise);
        }
        self.filter.predict(dt);
    }
}

/// Steps of a way that is gone back: more make no difference.
const LONGEST_WAY: u32 = 200;

impl Tracker for ByteOc {
    fn look(&mut self, time: f64, seen: &mut [&mut Detection]) {
        self.advance(time, true);
        let (now, settings) = (self.clock.now(), &self.settings);
        let usable = (0..seen.len()).filter(|i| usable(seen[*i]) && seen[*i].score >= settings.low);
        let (sure, weak): (Vec<usize>, Vec<usize>) = usable.partition(|i| seen[*i].score >= settings.high);
        let (mut pairs, left) = self.link(sure, weak, seen);
        let hits = self.settings.hits;
        for track in &mut self.tracks {
            track.misses = track.misses.saturating_add(1);
        }
        for (t, d) in &pairs {
            // One less than the count above: the looks that missed it before this one.
            self.tracks[*t].misses -= 1;
            self.tracks[*t].found(seen[*d], now, &mut self.tremble);
        }
        for d in left {
            pairs.push((self.tracks.len(), d));
            self.tracks.push(Track::new(seen[d], now));
        }
        for (t, d) in pairs {
            let track = &mut self.tracks[t];
            if track.id.is_none() && track.hits >= hits {
                self.given += 1;
                track.id = Some(self.given);
            }
            seen[d].track = track.id;
            if self.settings.smooth && track.id.is_some() {
                seen[d].rect = track.filter.shown(&seen[d].rect);
            }
            track.expected = track.filter.rect();
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
            each(Followed { id, rect: t.expected, since: t.since, unseen, missed: t.misses > 0, last: &t.last });
        }
    }
}

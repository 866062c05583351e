//! From a score per picture to events: something moves, something has stopped.

use super::Rect;

/// Nanoseconds.
type Time = u64;

/// What makes an event.
#[derive(Clone, Copy, Debug)]
pub struct Rules {
    /// Scores from here on are motion.
    pub threshold: f64,
    /// It must last so long to count.
    pub least: Time,
    /// It is over when nothing moved for so long.
    pub quiet: Time,
}

/// One picture.
#[derive(Clone, Copy, Debug)]
pub struct Look {
    /// Its number.
    pub frame: u64,
    /// When it is shown.
    pub at: Time,
    /// For how long.
    pub duration: Time,
    /// How much moved.
    pub score: f64,
    /// Where, if anywhere.
    pub rect: Option<Rect>,
}

/// Something that moved.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Episode {
    /// First picture, and when it is shown.
    pub start: (u64, Time),
    /// Last picture with motion, and when it ends.
    pub end: (u64, Time),
    /// The highest score, and when.
    pub peak: (f64, Time),
    /// Around everything that moved.
    pub rect: Option<Rect>,
}

/// What a picture changed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Change {
    /// It began, at the picture in `start`.
    Began(Episode),
    /// It is over.
    Ended(Episode),
}

/// Finds episodes.
#[derive(Debug)]
pub struct Episodes {
    rules: Rules,
    /// Motion that may become an episode, or is one.
    current: Option<Episode>,
    began: bool,
    quiet_since: Option<Time>,
}

impl Episodes {
    /// By these rules.
    pub fn new(rules: Rules) -> Self {
        Episodes { rules, current: None, began: false, quiet_since: None }
    }

    /// Takes in the next picture.
    pub fn add(&mut self, look: &Look) -> Option<Change> {
        let end = look.at.saturating_add(look.duration);
        if look.score < self.rules.threshold {
            if !self.began {
                // It has to go on without a gap until it counts.
                self.current = None;
                return None;
            }
            let since = *self.quiet_since.get_or_insert(look.at);
            // Half a picture less: times are rounded.
            if end.saturating_sub(since) + look.duration / 2 >= self.rules.quiet {
                return self.finish();
            }
            return None;
        }
        self.quiet_since = None;
        let start = (look.frame, look.at);
        let current = self.current.get_or_insert(Episode { start, end: start, peak: (0.0, look.at), rect: None });
        current.end = (look.frame, end);
        if look.score > current.peak.0 {
            current.peak = (look.score, look.at);
        }
        current.rect = match (current.rect, look.rect) {
            (Some(a), Some(b)) => Some(a.union(&b)),
            (a, b) => a.or(b),
        };
        if !self.began && end.saturating_sub(current.start.1) + look.duration / 2 >= self.rules.least {
            self.began = true;
            return Some(Change::Began(*current));
        }
        None
    }

    /// Whether something moves, or just did.
    pub fn is_on(&self) -> bool {
        self.began
    }

    /// Ends what goes on.
    pub fn finish(&mut self) -> Option<Change> {
        self.quiet_since = None;
        let current = self.current.take();
        let began = std::mem::take(&mut self.began);
        current.filter(|_| began).map(Change::Ended)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;

    fn run(scores: &[f64], step: u64) -> Vec<Change> {
        let mut e = Episodes::new(Rules { threshold: 1.0, least: 100 * MS, quiet: 300 * MS });
        let look = |(i, s): (usize, &f64)| Look {
            frame: i as u64,
            at: i as u64 * step,
            duration: step,
            score: *s,
            rect: (*s >= 1.0).then(|| Rect::new(i as f32, 0.0, 1.0, 1.0)),
        };
        let mut out: Vec<Change> = scores.iter().enumerate().filter_map(|s| e.add(&look(s))).collect();
        out.extend(e.finish());
        out
    }

    #[test]
    fn short_gaps_are_bridged_and_short_motion_is_none() {
        let s = [0.0, 2.0, 0.0, 0.0, 2.0, 3.0, 2.0, 0.0, 0.0, 2.0, 0.0, 0.0, 0.0, 0.0, 0.0];
        let changes = run(&s, 50 * MS);
        assert_eq!(changes.len(), 2, "{changes:?}");
        let Change::Began(began) = changes[0] else { panic!("{changes:?}") };
        assert_eq!(began.start, (4, 200 * MS));
        let Change::Ended(ended) = changes[1] else { panic!("{changes:?}") };
        assert_eq!((ended.start.0, ended.end, ended.peak), (4, (9, 500 * MS), (3.0, 250 * MS)));
        assert_eq!(ended.rect, Some(Rect::new(4.0, 0.0, 6.0, 1.0)));
    }

    #[test]
    fn times_decide_and_not_frames() {
        let slow = run(&[0.0, 2.0, 2.0, 0.0, 0.0, 0.0, 0.0], 100 * MS);
        let twice: Vec<f64> = [0.0, 2.0, 2.0, 0.0, 0.0, 0.0, 0.0].iter().flat_map(|s| [*s, *s]).collect();
        let fast = run(&twice, 50 * MS);
        let times = |c: &[Change]| -> Vec<(u64, u64)> {
            c.iter()
                .map(|c| match c {
                    Change::Began(e) | Change::Ended(e) => (e.start.1, e.end.1),
                })
                .collect()
        };
        assert_eq!(times(&slow)[1], times(&fast)[1]);
        assert_eq!(times(&slow)[1], (100 * MS, 300 * MS));
    }

    #[test]
    fn the_end_of_the_stream_ends_it() {
        assert!(matches!(run(&[2.0, 2.0, 2.0], 50 * MS)[..], [Change::Began(_), Change::Ended(_)]));
        assert!(run(&[2.0], 50 * MS).is_empty());
    }
}

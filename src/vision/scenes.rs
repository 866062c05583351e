//! Where a new scene begins, by what is known of each picture.
//!
//! The rules are those of PySceneDetect (BSD-3-Clause, Brandon Castellano), with times in the place of frame numbers.

use std::collections::VecDeque;

/// Nanoseconds.
type Time = u64;

/// The first picture of a scene.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cut {
    /// Its number.
    pub frame: u64,
    /// When it is shown.
    pub at: Time,
}

/// What is known of a picture.
#[derive(Clone, Copy, Debug)]
pub struct Look {
    /// Which.
    pub cut: Cut,
    /// How far it is from the one before, 0–255; or its brightness, 0–255; or the correlation of the histograms: as the rule
    /// wants.
    pub value: f64,
}

/// Decides.
pub trait Rule: Send {
    /// Takes in a picture; answers with the first one of a new scene, which may lie a few pictures back.
    fn add(&mut self, look: &Look) -> Option<Look>;
}

/// A cut where the change reaches a threshold. Cuts that follow each other too soon are merged into the last of them.
#[derive(Debug)]
pub struct Content {
    threshold: f64,
    least: Time,
    last_above: Option<Look>,
    enabled: bool,
    merging_since: Option<Time>,
}

impl Content {
    /// Changes of at least `threshold`, scenes of at least `least`.
    pub fn new(threshold: f64, least: Time) -> Self {
        Content { threshold, least, last_above: None, enabled: false, merging_since: None }
    }
}

impl Rule for Content {
    fn add(&mut self, look: &Look) -> Option<Look> {
        let above = look.value >= self.threshold;
        let at = look.cut.at;
        if self.least == 0 {
            return above.then_some(*look);
        }
        let last = self.last_above.get_or_insert(*look);
        let long = at - last.cut.at >= self.least;
        if above {
            *last = *look;
        }
        if let Some(since) = self.merging_since {
            if long && !above && last.cut.at - since >= self.least {
                self.merging_since = None;
                return Some(*last);
            }
            return None;
        }
        if !above {
            return None;
        }
        if long {
            self.enabled = true;
            return Some(*look);
        }
        if self.enabled {
            self.merging_since = Some(at);
        }
        None
    }
}

/// A cut where the change is several times as large as that around it: quick camera movements are none.
#[derive(Debug)]
pub struct Adaptive {
    ratio: f64,
    least_change: f64,
    least: Time,
    window: usize,
    last: Option<Time>,
    buffer: VecDeque<Look>,
}

impl Adaptive {
    /// At least `ratio` times the mean of the `window` pictures before and after, and at least `least_change`.
    pub fn new(ratio: f64, least_change: f64, window: usize, least: Time) -> Self {
        Adaptive { ratio, least_change, least, window, last: None, buffer: VecDeque::new() }
    }
}

impl Rule for Adaptive {
    fn add(&mut self, look: &Look) -> Option<Look> {
        let last = *self.last.get_or_insert(look.cut.at);
        self.buffer.push_back(*look);
        let all = 1 + 2 * self.window;
        if self.buffer.len() < all {
            return None;
        }
        self.buffer.drain(..self.buffer.len() - all);
        let target = self.buffer[self.window];
        let around: f64 = self.buffer.iter().map(|l| l.value).sum::<f64>() - target.value;
        let mean = around / (2 * self.window) as f64;
        let ratio = if mean.abs() >= 1e-5 {
            (target.value / mean).min(255.0)
        } else if target.value >= self.least_change {
            255.0
        } else {
            0.0
        };
        let met = ratio >= self.ratio && target.value >= self.least_change;
        if met && look.cut.at - last >= self.least {
            self.last = Some(target.cut.at);
            return Some(target);
        }
        None
    }
}

/// A cut in the middle of each fade to black and back.
#[derive(Debug)]
pub struct Fades {
    threshold: f64,
    least: Time,
    /// -1: where it becomes dark; 0: in the middle; 1: where it becomes bright.
    bias: f64,
    last: Option<Time>,
    dark: Option<(bool, Cut)>,
    /// Pictures since it became dark: the cut is one of them.
    since: Vec<Cut>,
}

impl Fades {
    /// Darker than `threshold` is black.
    pub fn new(threshold: f64, bias: f64, least: Time) -> Self {
        Fades { threshold, least, bias, last: None, dark: None, since: Vec::new() }
    }
}

impl Rule for Fades {
    fn add(&mut self, look: &Look) -> Option<Look> {
        let now = look.cut;
        let last = *self.last.get_or_insert(now.at);
        let is_dark = look.value < self.threshold;
        let Some((was_dark, from)) = self.dark else {
            self.dark = Some((is_dark, now));
            self.since.push(now);
            return None;
        };
        if was_dark {
            // Half an hour of black at 60 frames a second; longer, and the cut is where it becomes bright.
            if self.since.len() < 108_000 {
                self.since.push(now);
            }
        }
        if was_dark == is_dark {
            return None;
        }
        self.dark = Some((is_dark, now));
        if is_dark {
            self.since.clear();
            self.since.push(now);
            return None;
        }
        if now.at - last < self.least {
            return None;
        }
        self.last = Some(now.at);
        let length = (now.frame - from.frame) as f64;
        let frame = ((now.frame as f64 + from.frame as f64 + (self.bias * length).trunc()) / 2.0) as u64;
        let cut = self.since.iter().rev().find(|c| c.frame <= frame).copied().unwrap_or(now);
        Some(Look { cut, value: look.value })
    }
}

/// A cut where the histograms of two pictures are too different.
#[derive(Debug)]
pub struct Histogram {
    most: f64,
    least: Time,
    last: Option<Time>,
}

impl Histogram {
    /// Different is a correlation of at most 1 − `threshold`.
    pub fn new(threshold: f64, least: Time) -> Self {
        Histogram { most: 1.0 - threshold, least, last: None }
    }
}

impl Rule for Histogram {
    fn add(&mut self, look: &Look) -> Option<Look> {
        let last = *self.last.get_or_insert(look.cut.at);
        let cut = look.value <= self.most && look.cut.at - last >= self.least;
        cut.then(|| {
            self.last = Some(look.cut.at);
            *look
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FRAME: u64 = 40_000_000;

    fn cuts(rule: &mut dyn Rule, values: &[f64]) -> Vec<u64> {
        let look = |(i, v): (usize, &f64)| Look { cut: Cut { frame: i as u64, at: i as u64 * FRAME }, value: *v };
        values.iter().enumerate().filter_map(|v| rule.add(&look(v))).map(|l| l.cut.frame).collect()
    }

    fn peaks(n: usize, at: &[usize], height: f64, floor: f64) -> Vec<f64> {
        (0..n).map(|i| if at.contains(&i) { height } else { floor }).collect()
    }

    #[test]
    fn cuts_that_come_too_soon_are_merged() {
        let mut rule = Content::new(27.0, 15 * FRAME);
        assert_eq!(cuts(&mut rule, &peaks(60, &[20, 40], 50.0, 1.0)), [20, 40]);
        // Too early after the beginning.
        let mut rule = Content::new(27.0, 15 * FRAME);
        assert_eq!(cuts(&mut rule, &peaks(60, &[5, 40], 50.0, 1.0)), [40]);
        let mut rule = Content::new(27.0, 15 * FRAME);
        assert_eq!(cuts(&mut rule, &peaks(90, &[20, 25, 30, 41], 50.0, 1.0)), [20, 41]);
    }

    #[test]
    fn what_moves_all_the_time_is_no_cut() {
        let mut rule = Adaptive::new(3.0, 15.0, 2, 15 * FRAME);
        assert_eq!(cuts(&mut rule, &peaks(60, &[30], 60.0, 10.0)), [30]);
        let mut rule = Adaptive::new(3.0, 15.0, 2, 15 * FRAME);
        assert!(cuts(&mut rule, &peaks(60, &[30], 60.0, 40.0)).is_empty());
        let mut rule = Adaptive::new(3.0, 15.0, 2, 15 * FRAME);
        assert_eq!(cuts(&mut rule, &peaks(60, &[30], 20.0, 0.0)), [30]);
    }

    #[test]
    fn a_fade_is_cut_in_its_middle() {
        let mut values = vec![100.0; 60];
        values[20..30].fill(2.0);
        assert_eq!(cuts(&mut Fades::new(12.0, 0.0, 15 * FRAME), &values), [25]);
        assert_eq!(cuts(&mut Fades::new(12.0, -1.0, 15 * FRAME), &values), [20]);
        assert_eq!(cuts(&mut Fades::new(12.0, 1.0, 15 * FRAME), &values), [30]);
        assert!(cuts(&mut Fades::new(12.0, 0.0, 15 * FRAME), &vec![1.0; 50]).is_empty());
    }

    #[test]
    fn histograms_that_differ() {
        let mut values = vec![1.0; 60];
        (values[10], values[30]) = (0.5, 0.94);
        assert_eq!(cuts(&mut Histogram::new(0.05, 15 * FRAME), &values), [30]);
    }
}

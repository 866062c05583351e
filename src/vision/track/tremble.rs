//! How much a detector's boxes tremble: learned from what it sees, since no two detectors are alike.
//!
//! Of an object that moves steadily three looks at even distances lie on a line; what is off that line is the detector's error and
//! a little of the object's turning. Errors of different looks have nothing to do with each other, so two neighbouring
//! differences share two errors with opposite signs: the mean of their product is −4 times the error's variance, and turning,
//! which goes on for longer than a look, does not count. (The lag-one autocovariance of second differences; e.g. R. Mehra,
//! "On the identification of variances and adaptive Kalman filtering", IEEE TAC 1970, does the same with innovations.)

use super::kalman::{coordinates, scales};
use crate::vision::Rect;

/// Standard deviation of a box's error before anything was seen, in sizes of the box.
const BEFORE: f64 = 0.12;
/// So many observations of an object weigh as much as [`BEFORE`].
const BEFORE_WEIGHS: f64 = 50.0;
/// What was seen longer ago than this many observations is forgotten by and by.
const REMEMBERED: f64 = 2000.0;
/// The whole error in those that change from look to look: some stay for longer (a pose, half a body hidden).
const WHOLE: f64 = 2.5;
/// No box is better than this, in sizes.
const LEAST: f64 = 0.02;
/// A single observation counts as so much at most, in sizes squared: what jumps is not trembling.
const MOST: f64 = 0.04;
/// Distances of looks in time may differ by this share.
const EVEN: f64 = 0.3;

/// Standard deviations of what a detector says, in sizes of the box.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Noise {
    /// Of the centre.
    pub center: f64,
    /// Of width and height.
    pub size: f64,
}

/// See the file's head. One for all objects.
pub struct Tremble {
    /// Variances of centre and size times `weight`.
    sums: [f64; 2],
    weight: f64,
}

/// The last looks at one object, without one that missed it.
#[derive(Clone, Default)]
pub struct Looks {
    last: [(f64, Rect); 4],
    count: usize,
}

impl Default for Tremble {
    fn default() -> Self {
        Tremble { sums: [(BEFORE / WHOLE).powi(2) * BEFORE_WEIGHS; 2], weight: BEFORE_WEIGHS }
    }
}

impl Tremble {
    /// What is known now.
    pub fn noise(&self) -> Noise {
        let [center, size] = self.sums.map(|sum| ((sum / self.weight).max(0.0).sqrt() * WHOLE).max(LEAST));
        Noise { center, size }
    }

    /// The object was seen again, and `looks` has that.
    pub fn learn(&mut self, looks: &Looks) {
        let [a, b, c, d] = &looks.last;
        let step = b.0 - a.0;
        let even = |from: f64, to: f64| (to - from - step).abs() <= EVEN * step;
        if looks.count < looks.last.len() || step <= 0.0 || !even(b.0, c.0) || !even(c.0, d.0) {
            return;
        }
        let [a, b, c, d] = [a, b, c, d].map(|(_, rect)| coordinates(rect));
        let sizes = scales(d[2], d[3]);
        for i in 0..4 {
            let (before, after) = (c[i] - 2.0 * b[i] + a[i], d[i] - 2.0 * c[i] + b[i]);
            let variance = -before * after / (4.0 * sizes[i] * sizes[i]);
            self.sums[i / 2] += variance.clamp(-MOST, MOST) / 2.0;
        }
        self.weight += 1.0;
        let kept = (REMEMBERED / self.weight).min(1.0);
        self.weight *= kept;
        self.sums = self.sums.map(|sum| sum * kept);
    }
}

impl Looks {
    /// The first look found it at `rect`.
    pub fn new(time: f64, rect: Rect) -> Self {
        let mut looks = Looks::default();
        looks.push(time, rect);
        looks
    }

    /// It was found again at `rect`; `missed`: looks in between did not find it.
    pub fn found(&mut self, time: f64, rect: Rect, missed: bool) {
        if missed {
            self.count = 0;
        }
        self.push(time, rect);
    }

    fn push(&mut self, time: f64, rect: Rect) {
        self.last.rotate_left(1);
        self.last[3] = (time, rect);
        self.count = (self.count + 1).min(self.last.len());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is learned from an object of 100 by 100 on a curve, whose boxes are off by `off` times ±1 at random.
    fn learned(off: f32, step: impl Fn(u32) -> f64, turning: f32) -> Noise {
        let (mut tremble, mut looks, mut random, mut time) = (Tremble::default(), None::<Looks>, 1u32, 0.0);
        let mut sign = || {
            random = random.wrapping_mul(1664525).wrapping_add(1013904223);
            if random >> 31 == 0 { off } else { -off }
        };
        for i in 0..4000 {
            time += step(i);
            let t = time as f32;
            let (x, y) = (500.0 + turning * (t * 0.8).sin() + sign(), 300.0 + turning * (t * 0.8).cos() + sign());
            let rect = Rect::from_center(x, y, 100.0 + sign(), 100.0 + sign());
            match looks.as_mut() {
                Some(looks) => looks.found(time, rect, false),
                None => looks = Some(Looks::new(time, rect)),
            }
            looks.iter().for_each(|looks| tremble.learn(looks));
        }
        tremble.noise()
    }

    #[test]
    fn the_error_is_found_and_turning_is_not_part_of_it() {
        for (off, turning) in [(4.0, 0.0), (4.0, 200.0), (1.5, 200.0)] {
            let noise = learned(off, |_| 0.04, turning);
            let wanted = f64::from(off) / 100.0 * WHOLE;
            for found in [noise.center, noise.size] {
                assert!((found / wanted - 1.0).abs() < 0.2, "off by {off}: {found} instead of {wanted}");
            }
        }
        assert_eq!(learned(0.0, |_| 0.04, 0.0), Noise { center: LEAST, size: LEAST });
    }

    #[test]
    fn uneven_looks_teach_nothing() {
        let before = Tremble::default().noise();
        assert_eq!(learned(4.0, |i| if i % 2 == 0 { 0.04 } else { 0.08 }, 0.0), before);
        assert_eq!(learned(4.0, |_| 0.0, 0.0), before);
        let mut tremble = Tremble::default();
        let mut looks = Looks::new(0.0, Rect::new(0.0, 0.0, 10.0, 10.0));
        for i in 1..40 {
            looks.found(f64::from(i) * 0.04, Rect::new(f64::from(i % 2) as f32, 0.0, 10.0, 10.0), i % 3 == 0);
            tremble.learn(&looks);
        }
        assert_eq!(tremble.noise(), before, "three looks in a row are not enough");
    }
}

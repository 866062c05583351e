//! A Kalman filter on boxes, in continuous time.
//!
//! Centre and size are four independent coordinates, each with a velocity that forgets itself (an Ornstein–Uhlenbeck process) and
//! a place that drifts a little besides. Both are solved exactly for any step, so that one long step and many short ones come to
//! the same: frame rates and missed frames don't matter. All noise is in proportion to the box's own size.

use super::tremble::Noise;
use crate::vision::Rect;

// How boxes move and are measured. Lengths are in sizes of the box, times in seconds. The values were chosen on detections of
// three kinds (Faster R-CNN, ACF, DPM) at full, half and a third of the frame rate; each may change by a quarter without harm.

/// How fast the standard deviation of the centre's velocity grows: per second and √second.
const SHOVE: f64 = 0.5;
/// How fast that of the centre grows besides: per √second. People sway, cameras shake.
const DRIFT: f64 = 0.25;
/// Seconds after which the centre's velocity is forgotten by 1 − 1/e: people walk on.
const MEMORY: f64 = 10.0;
/// The same three for width and height, which change little and not for long.
const SIZE_SHOVE: f64 = 0.3;
const SIZE_DRIFT: f64 = 0.15;
const SIZE_MEMORY: f64 = 0.25;
/// Standard deviation of where and how large it is: what comes into view is often seen in part.
const FIRST: f64 = 0.12;
/// Standard deviation of the velocity of what was seen once, in sizes per second: next to nothing is known.
const START: f64 = 4.0;
/// The same of width and height.
const SIZE_START: f64 = 0.8;
/// So many standard deviations off (squared), and the object does something that was not expected of it: then it is what was
/// believed that is wrong.
const SURPRISE: f64 = 4.0;
/// Share of the detector's own box in what is shown of an object: the filter's alone is late where things grow and turn.
const OWN: f32 = 0.3;

/// One coordinate: value and velocity with their covariance.
#[derive(Clone, Copy, Debug, Default)]
struct Axis {
    x: f64,
    v: f64,
    xx: f64,
    xv: f64,
    vv: f64,
}

/// What a time step does to any coordinate with the same `memory`: computed once for two.
#[derive(Clone, Copy)]
struct Step {
    dt: f64,
    /// What is left of the velocity.
    left: f64,
    /// How far a velocity of 1 goes.
    far: f64,
    /// Covariance for a shove of 1: xx, xv, vv.
    noise: [f64; 3],
}

impl Step {
    /// The integrated Ornstein–Uhlenbeck process over `dt`.
    fn new(dt: f64, memory: f64) -> Self {
        let b = 1.0 / memory;
        let left = (-b * dt).exp();
        let gone = -(-b * dt).exp_m1();
        let xx = if b * dt < 1e-3 {
            // The closed form loses its digits here; this is its first term.
            dt * dt * dt / 3.0
        } else {
            (dt - 2.0 * gone / b + (1.0 - left * left) / (2.0 * b)) / (b * b)
        };
        let noise = [xx, gone * gone / (2.0 * b * b), (1.0 - left * left) / (2.0 * b)];
        Step { dt, left, far: gone / b, noise }
    }
}

impl Axis {
    fn predict(&mut self, step: &Step, shove: f64, drift: f64) {
        let Step { dt, left, far, noise } = *step;
        let q = shove * shove;
        self.x += far * self.v;
        self.v *= left;
        self.xx += 2.0 * far * self.xv + far * far * self.vv + q * noise[0] + drift * drift * dt;
        self.xv = left * (self.xv + far * self.vv) + q * noise[1];
        self.vv = left * left * self.vv + q * noise[2];
    }

    fn correct(&mut self, measured: f64, deviation: f64) {
        let off = measured - self.x;
        let noise = deviation * deviation;
        if off * off > SURPRISE * (self.xx + noise) {
            // As unsure as it takes for this to be usual.
            let wider = (off * off / SURPRISE - noise) / self.xx;
            (self.xx, self.xv, self.vv) = (self.xx * wider, self.xv * wider, self.vv * wider);
        }
        let s = self.xx + noise;
        let (kx, kv) = (self.xx / s, self.xv / s);
        self.x += kx * off;
        self.v += kv * off;
        self.vv -= kv * self.xv;
        self.xv *= 1.0 - kx;
        self.xx *= 1.0 - kx;
    }
}

/// Where a box is believed to be, and how it moves.
#[derive(Clone, Copy, Debug)]
pub struct BoxFilter {
    /// Centre x, centre y, width, height.
    axes: [Axis; 4],
}

/// Pixels; smaller boxes are as uncertain as this one.
const SMALLEST: f64 = 1.0;

/// The sizes that coordinates are compared with: for the centre the side of a square of the same area, so that a box that is
/// high and narrow may go either way; for width and height themselves.
pub(super) fn scales(w: f64, h: f64) -> [f64; 4] {
    let (w, h) = (w.max(SMALLEST), h.max(SMALLEST));
    let s = (w * h).sqrt();
    [s, s, w, h]
}

impl BoxFilter {
    /// From a first measurement.
    pub fn new(rect: &Rect) -> Self {
        let (z, s) = (coordinates(rect), scales(f64::from(rect.w), f64::from(rect.h)));
        let mut axes = [Axis::default(); 4];
        for (i, axis) in axes.iter_mut().enumerate() {
            let speed = if i < 2 { START } else { SIZE_START };
            *axis = Axis { x: z[i], xx: (FIRST * s[i]).powi(2), vv: (speed * s[i]).powi(2), ..Axis::default() };
        }
        BoxFilter { axes }
    }

    /// `dt` seconds later, 0 or more.
    pub fn predict(&mut self, dt: f64) {
        let s = scales(self.axes[2].x, self.axes[3].x);
        let (center, size) = (Step::new(dt, MEMORY), Step::new(dt, SIZE_MEMORY));
        for (i, axis) in self.axes.iter_mut().enumerate() {
            match i {
                0 | 1 => axis.predict(&center, SHOVE * s[i], DRIFT * s[i]),
                _ => axis.predict(&size, SIZE_SHOVE * s[i], SIZE_DRIFT * s[i]),
            }
        }
        for axis in &mut self.axes[2..] {
            axis.x = axis.x.max(SMALLEST);
        }
    }

    /// It was seen here, by a detector that errs by `noise`.
    pub fn correct(&mut self, rect: &Rect, noise: Noise) {
        let (z, s) = (coordinates(rect), scales(self.axes[2].x, self.axes[3].x));
        for (i, axis) in self.axes.iter_mut().enumerate() {
            let off = if i < 2 { noise.center } else { noise.size };
            axis.correct(z[i], off * s[i]);
        }
    }

    /// The box.
    pub fn rect(&self) -> Rect {
        let [x, y, w, h] = self.axes.map(|a| a.x as f32);
        Rect::from_center(x, y, w.max(0.0), h.max(0.0))
    }

    /// The box to show where the detector, asked just now, says `seen`.
    pub fn shown(&self, seen: &Rect) -> Rect {
        let mine = self.axes.map(|a| a.x as f32);
        let [sx, sy, sw, sh] = coordinates(seen).map(|v| v as f32);
        let mix = |mine: f32, own: f32| mine + (own - mine) * OWN;
        let [x, y, w, h] = [mix(mine[0], sx), mix(mine[1], sy), mix(mine[2], sw), mix(mine[3], sh)];
        Rect::from_center(x, y, w.max(0.0), h.max(0.0))
    }
}

/// Centre x, centre y, width, height.
pub(super) fn coordinates(rect: &Rect) -> [f64; 4] {
    let (x, y) = rect.center();
    [x, y, rect.w, rect.h].map(f64::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn walker(t: f64) -> Rect {
        Rect::new(100.0 + 60.0 * t as f32, 50.0, 40.0, 100.0)
    }

    const NOISE: Noise = Noise { center: 0.12, size: 0.12 };

    fn followed(times: impl IntoIterator<Item = f64>) -> BoxFilter {
        let (mut filter, mut now) = (BoxFilter::new(&walker(0.0)), 0.0);
        for t in times {
            filter.predict(t - now);
            filter.correct(&walker(t), NOISE);
            now = t;
        }
        filter
    }

    #[test]
    fn learns_the_velocity_whatever_the_steps() {
        let even = followed((1..=20).map(|i| f64::from(i) * 0.1));
        let uneven = followed([0.05, 0.3, 0.34, 0.7, 0.71, 1.1, 1.5, 1.6, 2.0]);
        for mut filter in [even, uneven] {
            filter.predict(0.5);
            let (at, there) = (filter.rect().center().0, walker(2.5).center().0);
            assert!((at - there).abs() < 4.0, "{at} instead of {there}");
        }
    }

    #[test]
    fn one_long_step_is_many_short_ones() {
        let mut long = followed([0.1, 0.2, 0.3]);
        let mut short = long;
        long.predict(1.0);
        (0..50).for_each(|_| short.predict(0.02));
        for (a, b) in long.axes.iter().zip(&short.axes) {
            // Sizes, on which the noise depends, move a little in between.
            for (a, b) in [(a.x, b.x), (a.v, b.v), (a.xx, b.xx), (a.vv, b.vv)] {
                assert!((a - b).abs() <= 0.02 * a.abs().max(1.0), "{a} and {b}");
            }
        }
        let mut still = long;
        still.predict(0.0);
        assert_eq!(still.rect(), long.rect());
    }

    #[test]
    fn tiny_steps_keep_their_noise() {
        for dt in [1e-6, 1e-4, 0.009, 0.011, 0.04] {
            let [xx, _, _] = Step::new(dt, 10.0).noise;
            let series = dt.powi(3) / 3.0;
            assert!((xx / series - 1.0).abs() < 0.01, "{dt}: {xx}, not {series}");
        }
    }
}

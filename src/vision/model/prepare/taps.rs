//! Where the pixels of a smaller (or larger) picture come from, with the weights and the rounding of `cv::resize` with
//! `INTER_LINEAR`: some networks decide between two boxes by less than a level.

/// Weights have so many parts.
const ONE: f32 = 2048.0;

/// One axis: each pixel comes from two neighbours.
#[derive(Default)]
pub(in crate::vision::model) struct Taps {
    /// The neighbours.
    pub pixels: Vec<[usize; 2]>,
    /// Their weights, in 2048ths.
    pub weights: Vec<[i32; 2]>,
    /// No pixel needs its second neighbour.
    pub single: bool,
}

impl Taps {
    /// `count` pixels of `side` ones from `start` on.
    pub fn set(&mut self, start: usize, side: usize, count: usize) {
        let scale = side as f64 / count as f64;
        let place = |i: usize| (((i as f64 + 0.5) * scale - 0.5) as f32).clamp(0.0, (side - 1) as f32);
        let neighbours = |p: f32| [p as usize, (p as usize + 1).min(side - 1)].map(|at| start + at);
        let weights = |p: f32| [1.0 - p.fract(), p.fract()].map(|w| (w * ONE).round_ties_even() as i32);
        self.pixels.clear();
        self.pixels.extend((0..count).map(place).map(neighbours));
        self.weights.clear();
        self.weights.extend((0..count).map(place).map(weights));
        self.single = self.weights.iter().all(|w| w[1] == 0);
    }
}

/// The level between two that were weighed along their rows, which `weights` weigh.
#[inline(always)]
pub(in crate::vision::model) fn level([upper, lower]: [i32; 2], a: i32, b: i32) -> i32 {
    (((upper * (a >> 4)) >> 16) + ((lower * (b >> 4)) >> 16) + 2) >> 2
}

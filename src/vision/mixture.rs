//! What stands still, learned for each pixel as a mixture of Gaussians of its brightness.
//!
//! The method is that of Z. Zivkovic, Improved adaptive Gaussian mixture model for background subtraction (ICPR 2004), and
//! Z. Zivkovic, F. van der Heijden, Efficient adaptive density estimation per image pixel (Pattern Recognition Letters 27,
//! 2006). Constants, and so what moves, are those of OpenCV's `BackgroundSubtractorMOG2`, which takes eight times as long (AVX-512;
//! AVX2: four, none: two): here sixteen pixels are learned side by side, without branches, and only as many Gaussians are touched
//! as one of them needs.
//!
//! Arithmetic goes pixel by pixel in a fixed order, so the result is the same on every processor.

use multiversion::multiversion;

/// Pixels side by side.
const LANES: usize = 16;
/// Gaussians of a pixel at most.
const MODES: usize = 5;
/// Those that together have this share are what stands still.
const ENOUGH: f32 = 0.9;
/// A pixel belongs to a Gaussian up to this squared distance in standard deviations.
const NEAR: f32 = 9.0;
/// Variance at the beginning, the smallest and the largest.
const VARIANCE: [f32; 3] = [15.0, 4.0, 75.0];
/// How much evidence speaks against a Gaussian in advance (the papers' c_T), as a share of the learning rate.
const PRIOR: f64 = 0.05;
/// What is darker than this share is no shadow.
const DARKEST: f32 = 0.5;

/// One Gaussian of each of a block's pixels; those with a weight of 0 do not exist. Weights fall from one to the next.
#[derive(Clone, Copy, Debug)]
struct Mode {
    weight: [f32; LANES],
    mean: [f32; LANES],
    variance: [f32; LANES],
}

const NONE: Mode = Mode { weight: [0.0; LANES], mean: [0.0; LANES], variance: [0.0; LANES] };

/// Learns pictures of one size.
#[derive(Debug)]
pub struct Mixture {
    history: u32,
    far: f32,
    seen: u32,
    /// The first Gaussian of all blocks, the second of all, and so on: most pixels have only one or two.
    modes: [Vec<Mode>; MODES],
    /// How many of a block's Gaussians exist in any of its pixels.
    used: Vec<u8>,
}

/// What holds for one picture.
struct Rates {
    /// How much of the picture is learned.
    learn: f32,
    keep: f32,
    /// What every weight loses, and below which it is nothing.
    prune: f32,
    far: f32,
}

impl Mixture {
    /// For pictures of `pixels` pixels. Something moves from `far` on, a squared distance in standard deviations; what stands
    /// still is learned over `history` pictures.
    pub fn new(pixels: usize, history: u32, far: f32) -> Self {
        let n = pixels.div_ceil(LANES);
        Mixture { history, far, seen: 0, modes: [(); MODES].map(|_| vec![NONE; n]), used: vec![0; n] }
    }

    /// Begins anew.
    pub fn forget(&mut self) {
        self.seen = 0;
        self.modes.iter_mut().for_each(|m| m.fill(NONE));
        self.used.fill(0);
    }

    /// Writes 255 to `moving` where `picture` is something new, 0 elsewhere, and learns the picture.
    ///
    /// # Panics
    /// If one of the two has not as many pixels as were said.
    pub fn learn(&mut self, picture: &[u8], moving: &mut [u8]) {
        assert!(picture.len() == moving.len() && picture.len().div_ceil(LANES) == self.used.len(), "one size");
        self.seen = self.seen.saturating_add(1);
        let rate = 1.0 / f64::from(self.seen.saturating_mul(2).min(self.history));
        let learn = rate as f32;
        let rates = Rates { learn, keep: 1.0 - learn, prune: (rate * PRIOR) as f32, far: self.far };
        let (pixels, rest) = picture.as_chunks();
        let (out, out_rest) = moving.as_chunks_mut();
        let whole = pixels.len();
        let (used, last) = self.used.split_at_mut(whole);
        learn_blocks(self.modes.each_mut().map(|m| &mut m[..whole]), used, pixels, out, &rates);
        let (mut pixels, mut out) = ([[0; LANES]], [[0; LANES]]);
        pixels[0][..rest.len()].copy_from_slice(rest);
        learn_blocks(self.modes.each_mut().map(|m| &mut m[whole..]), last, &pixels, &mut out, &rates);
        out_rest.copy_from_slice(&out[0][..rest.len()]);
    }

    /// Takes out of `moving` what is `picture` in a shadow: between half as bright as something that stands still and as bright.
    pub fn without_shadows(&self, picture: &[u8], moving: &mut [u8]) {
        for (i, (pixel, moving)) in picture.iter().zip(moving).enumerate().filter(|(_, (_, m))| **m != 0) {
            let (block, lane, x) = (i / LANES, i % LANES, f32::from(*pixel));
            let mut total = 0.0;
            for mode in self.modes.iter().map(|m| &m[block]).take_while(|m| m.weight[lane] > 0.0) {
                let mean = mode.mean[lane];
                if mean > 0.0 && x <= mean && x >= DARKEST * mean {
                    *moving = 0;
                    break;
                }
                total += mode.weight[lane];
                if total > ENOUGH {
                    break;
                }
            }
        }
    }
}

#[multiversion(targets("x86_64+avx512f+avx512bw+avx512vl", "x86_64+avx2"))]
fn learn_blocks(
    [a, b, c, d, e]: [&mut [Mode]; MODES],
    used: &mut [u8],
    pixels: &[[u8; LANES]],
    moving: &mut [[u8; LANES]],
    rates: &Rates,
) {
    let modes = a.iter_mut().zip(b).zip(c).zip(d).zip(e);
    for (((((((a, b), c), d), e), used), pixels), moving) in modes.zip(used).zip(pixels).zip(moving) {
        *used = match *used {
            0 | 1 => learn([a], Some(b), pixels, moving, rates),
            2 => learn([a, b], Some(c), pixels, moving, rates),
            3 => learn([a, b, c], Some(d), pixels, moving, rates),
            4 => learn([a, b, c, d], Some(e), pixels, moving, rates),
            _ => learn([a, b, c, d, e], None, pixels, moving, rates),
        };
    }
}

/// One block whose pixels have `M` Gaussians at most, and room for one more; answers with how many they have then.
#[inline(always)]
fn learn<const M: usize>(
    block: [&mut Mode; M],
    next: Option<&mut Mode>,
    pixels: &[u8; LANES],
    moving: &mut [u8; LANES],
    &Rates { learn, keep, prune, far }: &Rates,
) -> u8 {
    let mut newest = NONE;
    // Bits of the weights: whether the last two Gaussians exist anywhere.
    let (mut last, mut before_last) = (0, 0);
    for i in 0..LANES {
        let x = f32::from(pixels[i]);
        let (mut weight, mut mean, mut variance) = ([0.0; MODES + 1], [0.0; MODES + 1], [0.0; MODES + 1]);
        let mut belongs = [false; MODES + 1];
        let (mut found, mut still, mut total) = (false, false, 0.0);
        let (mut its_weight, mut its_distance) = (1.0, 0.0);
        for m in 0..M {
            (weight[m], mean[m], variance[m]) = (block[m].weight[i], block[m].mean[i], block[m].variance[i]);
            let distance = x - mean[m];
            let square = distance * distance;
            let open = (weight[m] > 0.0) & !found;
            still |= open & (total < ENOUGH) & (square < far * variance[m]);
            belongs[m] = open & (square < NEAR * variance[m]);
            let kept = keep * weight[m] - prune + if belongs[m] { learn } else { 0.0 };
            weight[m] = if kept < prune { 0.0 } else { kept };
            total += weight[m];
            its_weight = if belongs[m] { weight[m] } else { its_weight };
            its_distance = if belongs[m] { distance } else { its_distance };
            found |= belongs[m];
        }
        let share = learn / its_weight;
        let any = total > 0.0;
        let scale = if any { 1.0 / total } else { 0.0 } * if found { 1.0 } else { keep };
        for m in 0..M {
            let drawn = variance[m] + share * (its_distance * its_distance - variance[m]);
            mean[m] = if belongs[m] { mean[m] + share * its_distance } else { mean[m] };
            variance[m] = if belongs[m] { drawn.clamp(VARIANCE[1], VARIANCE[2]) } else { variance[m] };
            weight[m] *= scale;
        }
        if M == MODES {
            // The new one takes the place of the weakest.
            weight[M - 1] = if found { weight[M - 1] } else { 0.0 };
        }
        let newborn = if any { learn } else { 1.0 };
        (weight[M], mean[M], variance[M]) = (if found { 0.0 } else { newborn }, x, VARIANCE[0]);
        belongs[M] = !found;
        // Only the one that the pixel belongs to can be too far behind.
        for m in 0..M {
            let (above, below) = (M - 1 - m, M - m);
            let up = belongs[below] & (weight[below] >= weight[above]);
            belongs[above] |= up;
            swap_if(up, &mut weight, above, below);
            swap_if(up, &mut mean, above, below);
            swap_if(up, &mut variance, above, below);
        }
        for m in 0..M {
            (block[m].weight[i], block[m].mean[i], block[m].variance[i]) = (weight[m], mean[m], variance[m]);
        }
        (newest.weight[i], newest.mean[i], newest.variance[i]) = (weight[M], mean[M], variance[M]);
        last |= weight[M].to_bits();
        before_last |= weight[M - 1].to_bits();
        moving[i] = if still { 0 } else { 255 };
    }
    if last != 0
        && let Some(next) = next
    {
        *next = newest;
        return M as u8 + 1;
    }
    // An empty last one goes; the next picture looks at the one before it.
    if before_last == 0 { M as u8 - 1 } else { M as u8 }
}

/// Plain enough for compilers to do it to many pixels at once.
#[inline(always)]
fn swap_if(yes: bool, of: &mut [f32; MODES + 1], i: usize, j: usize) {
    let (a, b) = (of[i], of[j]);
    of[i] = if yes { b } else { a };
    of[j] = if yes { a } else { b };
}

#[cfg(test)]
mod tests {
    use opencv::core::Mat;
    use opencv::prelude::*;
    use opencv::video;

    use super::*;

    const WIDTH: usize = 77;
    const HEIGHT: usize = 31;

    /// Noise around a slope; a bright square walks over it, and back from picture 60 on; a flickering corner.
    fn picture(t: usize, seed: &mut u32) -> Vec<u8> {
        let mut noise = || {
            *seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (*seed >> 29) as u8
        };
        let left = if t < 60 { t } else { 120 - t };
        (0..WIDTH * HEIGHT)
            .map(|i| {
                let (x, y) = (i % WIDTH, i / WIDTH);
                let bright = (left..left + 9).contains(&x) && (8..17).contains(&y);
                let flicker = if x > 60 && y > 20 { 40 * (t % 3) as u8 } else { 0 };
                if bright { 220 } else { 60 + x as u8 + flicker + noise() }
            })
            .collect()
    }

    #[test]
    fn what_moves_is_what_moves_for_opencv() {
        for shadows in [false, true] {
            let mut theirs = video::create_background_subtractor_mog2(50, 16.0, shadows).unwrap();
            theirs.set_shadow_value(0).unwrap();
            let mut ours = Mixture::new(WIDTH * HEIGHT, 50, 16.0);
            let (mut seed, mut differ, mut moved) = (1, 0, 0);
            for t in 0..120 {
                let picture = picture(t, &mut seed);
                let (mut mask, mut out) = (Mat::default(), vec![7; picture.len()]);
                let mat = Mat::from_slice(&picture).unwrap();
                let mat = mat.reshape(1, HEIGHT as i32).unwrap();
                BackgroundSubtractorMOG2Trait::apply(&mut theirs, &mat, &mut mask, -1.0).unwrap();
                ours.learn(&picture, &mut out);
                if shadows {
                    ours.without_shadows(&picture, &mut out);
                }
                differ += mask.data_bytes().unwrap().iter().zip(&out).filter(|(a, b)| a != b).count();
                moved += out.iter().filter(|b| **b == 255).count();
            }
            assert!(moved > 3000, "{moved} pixels moved");
            // One in ten thousand: ties, and rounding.
            assert!(
                differ <= 120 * WIDTH * HEIGHT / 10_000,
                "{differ} pixels differ, {moved} moved; shadows: {shadows}"
            );
        }
    }

    #[test]
    fn it_begins_anew_when_told() {
        let run = |m: &mut Mixture| {
            let (mut seed, mut out) = (1, vec![0; WIDTH * HEIGHT]);
            (0..20).for_each(|t| m.learn(&picture(t, &mut seed), &mut out));
            out
        };
        let mut m = Mixture::new(WIDTH * HEIGHT, 50, 16.0);
        let first = run(&mut m);
        m.forget();
        assert_eq!(run(&mut m), first);
    }
}

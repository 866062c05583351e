//! A walking figure as flat shapes.
//!
//! Own coordinates: `u` to the side (forward, when seen from the side), `v` up from the ground, as shares of the body
//! height. Feet stand still on the ground while they carry; knees follow by two-bone inverse kinematics.

use std::f64::consts::{PI, TAU};

use super::paint::{Rgb, Shape, Spot, blend, shade};
use super::world::{Camera, EYE, Person, View};

/// Way of a whole cycle (two steps), in body heights.
const CYCLE: f64 = 0.82;
/// Ankle to knee, and knee to hip.
const BONE: f64 = 0.241;
const HIP: f64 = 0.495;
const ANKLE: f64 = 0.038;
/// Body height in pixels above which a face has eyes.
const EYES: f64 = 70.0;
/// The same for mouth, brows and ears.
const FACES: f64 = 150.0;

/// Turns own coordinates into shapes.
struct Figure<'a> {
    out: &'a mut Vec<Shape>,
    at: Spot,
    /// Pixels of a body height; negative `across` mirrors.
    across: f64,
    up: f64,
}

impl Figure<'_> {
    fn see(&self, (u, v): Spot) -> Spot {
        (self.at.0 + u * self.across, self.at.1 - v * self.up)
    }

    /// The rubber band around circles (u, v, radius).
    fn blob(&mut self, circles: &[(f64, f64, f64)], color: Rgb) {
        let seen: Vec<(f64, f64, f64)> = circles
            .iter()
            .map(|&(u, v, r)| {
                let (x, y) = self.see((u, v));
                (x, y, r * self.up)
            })
            .collect();
        self.out.push(Shape::hull(&seen, color));
    }

    fn ellipse(&mut self, at: Spot, ru: f64, rv: f64, color: Rgb) {
        self.out.push(Shape::ellipse(self.see(at), ru * self.up, rv * self.up, color));
    }

    /// Two bones, as thick as `r` says at their three joints.
    fn limb(&mut self, joints: [Spot; 3], r: [f64; 3], colors: [Rgb; 2]) {
        let at = |i: usize| (joints[i].0, joints[i].1, r[i]);
        self.blob(&[at(1), at(2)], colors[1]);
        self.blob(&[at(0), at(1)], colors[0]);
    }
}

/// Where a foot is at `phase` (0–1) of its cycle: ahead of the hip, and above the ground.
fn foot(phase: f64, stride: f64) -> (f64, f64) {
    let step = CYCLE / 2.0 * stride;
    let p = phase.rem_euclid(1.0);
    if p < 0.5 {
        // On the ground, going back as fast as the body goes ahead.
        (step * (0.5 - 2.0 * p), 0.0)
    } else {
        let q = 2.0 * p - 1.0;
        (step * (q * q * (3.0 - 2.0 * q) - 0.5), 0.055 * stride * (PI * q).sin())
    }
}

/// How far the hips sink so that both feet are reached: walking is vaulting over the leg that carries.
fn sink(phase: f64, stride: f64) -> f64 {
    let reach = |phase: f64| {
        let (ahead, lift) = foot(phase, stride);
        ANKLE + lift + ((1.985 * BONE).powi(2) - ahead * ahead).max(0.0).sqrt()
    };
    reach(phase).min(reach(phase + 0.5)).min(HIP) - HIP
}

/// The shapes of `person`, from back to front.
pub(super) fn shapes(person: &Person, camera: &Camera) -> Vec<Shape> {
    let Person { x, z, view, walked, stride, look } = person;
    let px = camera.scale(*z) * look.height;
    let phase = walked / (CYCLE * look.height);
    let mut out = Vec::with_capacity(40);
    let across = if *view == View::Left { -px } else { px };
    // How far things move down in the picture per length they come nearer.
    let tilt = EYE / z;
    let mut f = Figure { out: &mut out, at: camera.see(*x, 0.0, *z), across, up: px };
    match view {
        View::Left | View::Right => side(&mut f, person, phase, *stride, tilt),
        View::Toward => front(&mut f, person, phase, *stride, tilt, true),
        View::Away => front(&mut f, person, phase, *stride, tilt, false),
    }
    out
}

fn side(f: &mut Figure, person: &Person, phase: f64, stride: f64, tilt: f64) {
    let look = &person.look;
    let bob = sink(phase, stride);
    let trousers = if look.skirt { look.skin } else { look.legs };
    let leg = |f: &mut Figure, phase: f64, depth: f64, dim: f64| {
        let (mut ahead, lift) = foot(phase, stride);
        ahead += depth * (1.0 - stride) * 0.4;
        let ankle = (ahead, ANKLE + lift - depth * tilt);
        let hip = (0.0, HIP + bob - depth * tilt * 0.3);
        let knee = bend(hip, ankle);
        // The heel leads off the ground and the toes come up before landing.
        let p = phase.rem_euclid(1.0);
        let toes = if p > 0.5 { 0.05 * stride * ((p - 0.62) * TAU * 1.3).sin() } else { 0.0 };
        f.blob(
            &[(ankle.0 - 0.012, ankle.1 - 0.018, 0.02), (ankle.0 + 0.075, ankle.1 - 0.024 + toes, 0.014)],
            shade(look.shoes, dim),
        );
        let color = shade(trousers, dim);
        f.limb([hip, knee, ankle], [0.054, 0.04, 0.027], [color, color]);
    };
    let arm = |f: &mut Figure, phase: f64, depth: f64, dim: f64| {
        let swing = -0.42 * stride * (phase * TAU).cos() - 0.05;
        let shoulder = (0.0, 0.795 + bob - depth * tilt * 0.3);
        let (sin, cos) = swing.sin_cos();
        let elbow = (shoulder.0 + 0.165 * -sin, shoulder.1 - 0.165 * cos);
        let fore = -swing + 0.28 + 0.25 * stride * (0.5 + 0.5 * -swing / 0.42);
        let hand = (elbow.0 + 0.145 * fore.sin(), elbow.1 - 0.145 * fore.cos());
        let sleeve = shade(look.top, dim);
        f.limb([shoulder, elbow, hand], [0.036, 0.03, 0.022], [sleeve, sleeve]);
        let (u, v) = (hand.0 + 0.014 * fore.sin(), hand.1 - 0.014 * fore.cos());
        f.blob(&[(u, v, 0.022), (u + 0.012 * fore.sin(), v - 0.012 * fore.cos(), 0.018)], shade(look.skin, dim));
    };
    // The far side first, a bit darker.
    arm(f, phase, -0.08, 0.7);
    leg(f, phase + 0.5, -0.05, 0.72);
    leg(f, phase, 0.03, 1.0);
    let b = bob;
    if let Some(bag) = look.bag {
        f.blob(&[(-0.1, 0.75 + b, 0.04), (-0.11, 0.62 + b, 0.05)], bag);
        f.blob(&[(-0.135, 0.63 + b, 0.02), (-0.13, 0.68 + b, 0.02)], shade(bag, 0.8));
    }
    let sway = 0.05 * stride * (phase * TAU * 2.0).sin();
    if look.skirt {
        let hem = 0.085 + 0.03 * stride;
        f.blob(&[(0.0, 0.56 + b, 0.06), (-hem, 0.33 + b, 0.012), (hem + sway * 0.4, 0.33 + b, 0.012)], look.legs);
    }
    if look.coat {
        f.blob(
            &[(0.0, 0.74 + b, 0.078), (-0.085 - sway * 0.3, 0.36 + b, 0.015), (0.075, 0.36 + b, 0.015)],
            shade(look.top, 0.86),
        );
    }
    f.blob(&[(-0.004, 0.755 + b, 0.078), (0.004, 0.6 + b, 0.066), (0.0, 0.53 + b, 0.066)], shade(look.top, 0.84));
    f.blob(&[(0.01, 0.765 + b, 0.066), (0.016, 0.6 + b, 0.052)], look.top);
    head_side(f, person, b);
    arm(f, phase + 0.5, 0.08, 0.93);
}

/// The knee: ahead of the line from hip to ankle, by as much as the bones are too long for it.
fn bend(hip: Spot, ankle: Spot) -> Spot {
    let (dx, dy) = (ankle.0 - hip.0, ankle.1 - hip.1);
    let length = dx.hypot(dy).max(1e-6);
    let out = (BONE * BONE - length * length / 4.0).max(0.0).sqrt();
    (hip.0 + dx / 2.0 - dy / length * out, hip.1 + dy / 2.0 + dx / length * out)
}

fn head_side(f: &mut Figure, person: &Person, b: f64) {
    let look = &person.look;
    f.blob(&[(0.004, 0.83 + b, 0.03), (0.01, 0.88 + b, 0.03)], shade(look.skin, 0.85));
    if look.long_hair {
        f.blob(&[(-0.03, 0.93 + b, 0.05), (-0.05, 0.82 + b, 0.026)], shade(look.hair, 0.85));
    }
    f.ellipse((-0.006, 0.937 + b), 0.06, 0.066, look.hair);
    f.blob(&[(0.018, 0.928 + b, 0.044), (0.02, 0.905 + b, 0.038)], look.skin);
    f.blob(&[(0.06, 0.915 + b, 0.009), (0.055, 0.925 + b, 0.008)], look.skin);
    if f.up > EYES {
        f.blob(&[(0.042, 0.934 + b, 0.0065)], shade(look.hair, 0.5));
    }
    if f.up > FACES {
        f.blob(&[(-0.008, 0.92 + b, 0.011)], shade(look.skin, 0.86));
        f.blob(&[(0.05, 0.892 + b, 0.004), (0.036, 0.893 + b, 0.004)], blend(look.skin, [160, 40, 50], 0.5));
    }
    f.blob(&[(-0.03, 0.965 + b, 0.03), (0.03, 0.972 + b, 0.022), (0.0, 0.985 + b, 0.018)], look.hair);
    if look.hat {
        let hat = shade(look.top, 0.7);
        f.blob(&[(-0.03, 0.975 + b, 0.036), (0.025, 0.98 + b, 0.03)], hat);
        f.blob(&[(0.0, 0.957 + b, 0.01), (0.095, 0.953 + b, 0.007)], shade(hat, 0.8));
    }
}

fn front(f: &mut Figure, person: &Person, phase: f64, stride: f64, tilt: f64, face: bool) {
    let look = &person.look;
    let toward = if face { 1.0 } else { -1.0 };
    let bob = sink(phase, stride);
    let trousers = if look.skirt { look.skin } else { look.legs };
    let mut legs: Vec<(f64, f64, f64)> =
        [(-1.0, phase), (1.0, phase + 0.5)].map(|(s, p)| (s, foot(p, stride).0 * toward, foot(p, stride).1)).to_vec();
    // The nearer leg covers the other.
    legs.sort_by(|a, b| a.1.total_cmp(&b.1));
    let arm = |f: &mut Figure, s: f64, p: f64| {
        let swing = 0.1 * stride * (p * TAU).cos() * toward;
        let shoulder = (s * 0.115, 0.79 + bob);
        let elbow = (s * 0.15, 0.635 + bob - swing * tilt * 0.4 + 0.02 * swing.abs());
        let hand = (s * 0.145, 0.495 + bob - swing * tilt + swing.max(0.0) * 0.5);
        let sleeve = shade(look.top, if s > 0.0 { 0.78 } else { 0.92 });
        f.limb([shoulder, elbow, hand], [0.036, 0.031, 0.023], [sleeve, sleeve]);
        f.blob(&[(hand.0, hand.1 - 0.012, 0.022), (hand.0, hand.1 - 0.024, 0.018)], look.skin);
    };
    arm(f, -1.0, phase + 0.5);
    arm(f, 1.0, phase);
    for (i, (s, near, lift)) in legs.into_iter().enumerate() {
        let dim = if i == 0 { 0.8 } else { 1.0 };
        let drop = near * tilt;
        let ankle = (s * 0.048, ANKLE + lift - drop);
        let hip = (s * 0.045, HIP + bob);
        let knee = (s * 0.055, (ankle.1 + hip.1) / 2.0 + 0.3 * lift);
        let toe = (s * 0.056, ankle.1 - 0.022 - if face { 0.012 } else { -0.008 });
        f.blob(&[(ankle.0, ankle.1 - 0.012, 0.026), (toe.0, toe.1, 0.026)], shade(look.shoes, dim));
        let color = shade(trousers, dim);
        f.limb([hip, knee, ankle], [0.055, 0.043, 0.03], [color, color]);
    }
    let b = bob;
    if look.skirt {
        f.blob(&[(0.0, 0.56 + b, 0.075), (-0.1, 0.34 + b, 0.015), (0.1, 0.34 + b, 0.015)], look.legs);
    }
    if look.coat {
        f.blob(
            &[(-0.08, 0.76 + b, 0.04), (0.08, 0.76 + b, 0.04), (-0.095, 0.36 + b, 0.015), (0.095, 0.36 + b, 0.015)],
            shade(look.top, 0.86),
        );
    }
    let torso = |inset: f64| {
        [
            (-0.085 + inset * 0.3, 0.79 + b, 0.042 - inset * 0.2),
            (0.085 - inset, 0.79 + b, 0.042 - inset * 0.2),
            (-0.055 + inset * 0.3, 0.53 + b, 0.045 - inset * 0.2),
            (0.055 - inset, 0.53 + b, 0.045 - inset * 0.2),
        ]
    };
    // Long hair falls behind the shoulders.
    let hair = |f: &mut Figure| {
        if look.long_hair {
            f.blob(
                &[(0.0, 0.94 + b, 0.062), (-0.04, 0.83 + b, 0.022), (0.04, 0.83 + b, 0.022)],
                shade(look.hair, 0.85),
            );
        }
    };
    if face {
        hair(f);
    }
    f.blob(&[(0.0, 0.82 + b, 0.036), (0.0, 0.88 + b, 0.032)], shade(look.skin, 0.85));
    f.blob(&torso(0.0), shade(look.top, 0.84));
    f.blob(&torso(0.04), look.top);
    if let (Some(bag), false) = (look.bag, face) {
        f.blob(&[(-0.05, 0.75 + b, 0.03), (0.05, 0.75 + b, 0.03), (-0.06, 0.6 + b, 0.03), (0.06, 0.6 + b, 0.03)], bag);
        f.blob(&[(-0.035, 0.63 + b, 0.022), (0.035, 0.63 + b, 0.022)], shade(bag, 0.8));
    }
    if !face {
        hair(f);
    }
    f.ellipse((0.0, 0.938 + b), 0.057, 0.064, look.hair);
    if face {
        f.blob(&[(0.0, 0.925 + b, 0.049), (0.0, 0.9 + b, 0.038)], look.skin);
        f.blob(&[(-0.02, 0.972 + b, 0.026), (0.024, 0.97 + b, 0.024)], look.hair);
        for s in [-1.0, 1.0] {
            if f.up > EYES {
                f.blob(
                    &[(s * 0.02, 0.931 + b, 0.0068)],
                    blend(look.skin, shade(look.hair, 0.45), (f.up / 200.0).min(1.0)),
                );
            }
            if f.up > FACES {
                f.blob(&[(s * 0.012, 0.945 + b, 0.003), (s * 0.028, 0.946 + b, 0.003)], shade(look.hair, 0.7));
            }
        }
        if f.up > FACES {
            f.blob(&[(0.0, 0.912 + b, 0.007)], shade(look.skin, 0.86));
            f.blob(&[(-0.014, 0.892 + b, 0.004), (0.014, 0.892 + b, 0.004)], blend(look.skin, [160, 40, 50], 0.6));
        }
    }
    if look.hat {
        let hat = shade(look.top, 0.7);
        f.blob(&[(-0.026, 0.98 + b, 0.034), (0.026, 0.98 + b, 0.034)], hat);
        f.blob(&[(-0.055, 0.958 + b, 0.009), (0.055, 0.958 + b, 0.009)], shade(hat, 0.8));
    }
}

//! All that doesn't move: sky, houses (see `house`), pavements, road; drawn once per size, at twice the size, then scaled down.

use opencv::core::{CV_8UC3, Mat, Rect, Size, Vec3b};
use opencv::imgproc;
use opencv::prelude::*;

use super::super::random::{Random, mix};
use super::super::text;
use super::paint::{Rgb, Shape, Spot, Stain, blend, scalar, shade};
use super::world::{Camera, EYE, FACADE, FAR_KERB, MIDDLE, NEAR_KERB, ZEBRA, ZEBRA_HALF};

const SKY_TOP: Rgb = [104, 158, 212];
pub(super) const SKY_LOW: Rgb = [212, 228, 238];
const ASPHALT: Rgb = [98, 100, 104];
const PAVING: Rgb = [178, 172, 162];
pub(super) const KERB: Rgb = [206, 202, 194];
const PAINT: Rgb = [226, 226, 220];
pub(super) const LEAVES: Rgb = [78, 124, 66];
const TRUNK: Rgb = [98, 78, 62];
/// Kerbs are so high.
const STEP: f64 = 0.12;
/// Where trees stand, across the road.
const TREES: [f64; 4] = [-14.2, -5.2, 6.6, 12.6];
const TREE_Z: f64 = FAR_KERB + 0.45;
/// Where the street lamp stands, on the near pavement.
const LAMP: f64 = -2.9;
const LAMP_Z: f64 = NEAR_KERB - 0.25;

/// The empty street.
pub(super) fn render(camera: &Camera, seed: u64) -> opencv::Result<Mat> {
    let (w, h) = (camera.w as i32, camera.h as i32);
    // Pictures beyond full HD are sharp enough as they are.
    let fine = if w * h <= 2_200_000 { 2 } else { 1 };
    let mut big = Mat::new_rows_cols_with_default(h * fine, w * fine, CV_8UC3, 0.0.into())?;
    let camera = Camera { w: f64::from(w * fine), h: f64::from(h * fine) };
    let mut street = Street { to: &mut big, camera, random: Random::of(&[seed, 0x57ee7]) };
    street.sky()?;
    street.houses()?;
    street.ground()?;
    street.trees()?;
    street.lamp()?;
    let mut out = Mat::default();
    imgproc::resize(&big, &mut out, Size::new(w, h), 0.0, 0.0, imgproc::INTER_AREA)?;
    grain(&mut out, seed)?;
    Ok(out)
}

/// Fixed things that people and cars pass behind: their distance and shapes. They are drawn with every frame, and are no
/// part of the background.
pub(super) fn props(camera: &Camera) -> Vec<(f64, Vec<Shape>)> {
    let mut out = Vec::new();
    for x in TREES {
        let s = camera.scale(TREE_Z);
        let ((fx, fy), (_, ty)) = (camera.see(x, 0.0, TREE_Z), camera.see(x, 2.9, TREE_Z));
        out.push((
            TREE_Z,
            vec![
                Shape::convex(
                    vec![(fx - 0.15 * s, fy), (fx + 0.15 * s, fy), (fx + 0.09 * s, ty), (fx - 0.09 * s, ty)],
                    TRUNK,
                ),
                Shape::convex(
                    vec![(fx + 0.04 * s, fy), (fx + 0.15 * s, fy), (fx + 0.09 * s, ty), (fx + 0.03 * s, ty)],
                    shade(TRUNK, 0.78),
                ),
            ],
        ));
    }
    let s = camera.scale(LAMP_Z);
    let at = |dx: f64, y: f64| camera.see(LAMP + dx, y, LAMP_Z);
    let (iron, lit): (Rgb, Rgb) = ([56, 62, 66], [255, 244, 214]);
    let pole = |a: (f64, f64), b: (f64, f64), r0: f64, r1: f64, c: Rgb| {
        let ((ax, ay), (bx, by)) = (at(a.0, a.1), at(b.0, b.1));
        Shape::hull(&[(ax, ay, r0 * s), (bx, by, r1 * s)], c)
    };
    out.push((
        LAMP_Z,
        vec![
            pole((0.0, 0.02), (0.0, 0.55), 0.1, 0.075, iron),
            pole((0.0, 0.5), (0.0, 4.1), 0.055, 0.04, iron),
            pole((-0.022, 0.6), (-0.015, 4.0), 0.012, 0.01, shade(iron, 1.7)),
            pole((0.0, 4.1), (0.75, 4.3), 0.035, 0.03, iron),
            pole((0.7, 4.27), (1.15, 4.27), 0.06, 0.05, shade(iron, 0.8)),
            pole((0.78, 4.21), (1.08, 4.21), 0.035, 0.03, lit),
        ],
    ));
    out
}

/// The picture in the making.
pub(super) struct Street<'a> {
    to: &'a mut Mat,
    pub(super) camera: Camera,
    pub(super) random: Random,
}

impl Street<'_> {
    pub(super) fn paint(&mut self, shape: Shape) -> opencv::Result<()> {
        shape.paint(self.to)
    }

    /// An upright rectangle at distance `z`.
    pub(super) fn wall(&mut self, x: (f64, f64), y: (f64, f64), z: f64, color: Rgb) -> opencv::Result<()> {
        let (a, b) = (self.camera.see(x.0, y.1, z), self.camera.see(x.1, y.0, z));
        self.paint(Shape::rect(a, b, color))
    }

    /// A rectangle on the ground.
    fn floor(&mut self, x: (f64, f64), z: (f64, f64), color: Rgb) -> opencv::Result<()> {
        let see = |x, z| self.camera.see(x, 0.0, z);
        let points = vec![see(x.0, z.0), see(x.1, z.0), see(x.1, z.1), see(x.0, z.1)];
        self.paint(Shape::convex(points, color))
    }

    /// Text on a wall.
    pub(super) fn sign(&mut self, words: &str, x: (f64, f64), y: (f64, f64), z: f64, color: Rgb) -> opencv::Result<()> {
        let (a, b) = (self.camera.see(x.0, y.1, z), self.camera.see(x.1, y.0, z));
        let area = Rect::new(a.0 as i32, a.1 as i32, (b.0 - a.0) as i32, (b.1 - a.1) as i32);
        text::fit(self.to, words, words, area, scalar(color))
    }

    /// A soft stain around a point of a wall or in the sky.
    pub(super) fn stain(
        &mut self,
        at: Spot,
        rx: f64,
        ry: f64,
        color: Rgb,
        strength: f64,
        hardness: f64,
    ) -> opencv::Result<()> {
        Stain { at, rx, ry, color, strength, hardness }.paint(self.to)
    }

    fn sky(&mut self) -> opencv::Result<()> {
        let (w, h) = (self.camera.w, self.camera.h);
        for y in 0..self.to.rows() {
            let [r, g, b] = blend(SKY_TOP, SKY_LOW, (f64::from(y) / (0.36 * h)).min(1.0));
            self.to.at_row_mut::<Vec3b>(y)?.fill(Vec3b::from([b, g, r]));
        }
        for _ in 0..(3.0 * w / h).ceil().min(24.0) as usize {
            let (x, y) = (self.random.range(0.0, w), self.random.range(0.01, 0.12) * h);
            for _ in 0..6 {
                let at = (x + self.random.range(-0.12, 0.12) * h, y + self.random.range(-0.012, 0.012) * h);
                let r = self.random.range(0.04, 0.1) * h;
                self.stain(at, r, r * 0.28, [255, 255, 255], 0.5, 1.0)?;
            }
        }
        // A far hill and the trees of the next street.
        let z = 60.0;
        let reach = self.camera.reach(z) + 6.0;
        let mut x = -reach;
        while x < reach {
            let r = self.random.range(2.0, 4.2);
            let green = blend(LEAVES, SKY_LOW, self.random.range(0.3, 0.5));
            let (s, top) = (self.camera.scale(z), self.random.range(5.0, 9.0));
            let at = self.camera.see(x, top - r, z);
            self.paint(Shape::ellipse(at, r * s, r * s, green))?;
            self.wall((x - r, x + r), (-1.0, top - r), z, green)?;
            x += r * 0.9;
        }
        Ok(())
    }

    fn ground(&mut self) -> opencv::Result<()> {
        let wide = self.camera.reach(FACADE) + 2.0;
        let x = (-wide, wide);
        // Never nearer than the camera sees; the last row of the picture is ground at about this distance.
        let nearest = self.camera.ground(self.camera.h) * 0.9;
        self.floor(x, (FACADE, FAR_KERB), PAVING)?;
        self.slabs(wide, (FAR_KERB, FACADE), 0.8)?;
        self.floor(x, (FACADE, FACADE - 0.35), shade(PAVING, 0.8))?;
        self.floor(x, (FAR_KERB, NEAR_KERB), ASPHALT)?;
        self.road(wide)?;
        // Far kerb: its top and its face towards the camera.
        self.floor(x, (FAR_KERB + 0.3, FAR_KERB), KERB)?;
        self.wall(x, (-STEP, 0.0), FAR_KERB, shade(KERB, 0.72))?;
        // Near kerb: its top only, and the shadow it throws on the road.
        self.floor(x, (NEAR_KERB + 0.14, NEAR_KERB), shade(ASPHALT, 0.7))?;
        self.floor(x, (NEAR_KERB, nearest), PAVING)?;
        self.slabs(wide, (nearest, NEAR_KERB), 0.7)?;
        self.floor(x, (NEAR_KERB, NEAR_KERB - 0.28), KERB)?;
        let mut joint = -(wide / 1.2).ceil() * 1.2;
        while joint < wide {
            for z in [(FAR_KERB + 0.3, FAR_KERB), (NEAR_KERB, NEAR_KERB - 0.28)] {
                self.floor((joint, joint + 0.02), z, shade(KERB, 0.7))?;
            }
            joint += 1.2;
        }
        Ok(())
    }

    /// Paving stones with joints, some of them lighter or darker.
    fn slabs(&mut self, wide: f64, (z0, z1): (f64, f64), size: f64) -> opencv::Result<()> {
        let rows = ((z1 - z0) / size).ceil() as i32;
        for row in 0..rows {
            let (far, near) = (z1 - size * f64::from(row), (z1 - size * f64::from(row + 1)).max(z0));
            let mut x = -(wide / size).ceil() * size - if row % 2 == 0 { 0.0 } else { size / 2.0 };
            while x < wide {
                if x.abs() < self.camera.reach(far) + size {
                    let tone = shade(PAVING, self.random.range(0.94, 1.05));
                    self.floor((x, x + size - 0.03), (far - 0.03, near), tone)?;
                    self.floor((x + size - 0.03, x + size), (far, near), shade(PAVING, 0.82))?;
                }
                x += size;
            }
            self.floor((-wide, wide), (far, far - 0.03), shade(PAVING, 0.82))?;
        }
        Ok(())
    }

    fn road(&mut self, wide: f64) -> opencv::Result<()> {
        // Gutters, patches, tracks.
        self.floor((-wide, wide), (FAR_KERB, FAR_KERB - 0.35), shade(ASPHALT, 0.86))?;
        self.floor((-wide, wide), (NEAR_KERB + 0.35, NEAR_KERB), shade(ASPHALT, 0.86))?;
        for z in [11.6, 13.0, 16.2, 17.6] {
            self.floor((-wide, wide), (z + 0.3, z - 0.3), shade(ASPHALT, 0.955))?;
        }
        for (x, z, w, d) in
            [(-7.5, 12.6, 2.6, 1.1), (5.6, 16.8, 3.4, 1.2), (-2.6, 17.9, 1.6, 0.9), (6.9, 10.9, 1.2, 0.8)]
        {
            self.floor((x, x + w), (z + d, z), shade(ASPHALT, 0.88))?;
        }
        let s = self.camera.scale(10.9);
        let hole = self.camera.see(-5.0, 0.0, 10.9);
        self.paint(Shape::ellipse(hole, 0.36 * s, 0.36 * s * EYE / 10.9, [62, 62, 64]))?;
        self.paint(Shape::ellipse(hole, 0.3 * s, 0.3 * s * EYE / 10.9, [84, 84, 86]))?;
        let mut x = ZEBRA + ZEBRA_HALF + 1.2;
        while x < wide {
            self.floor((x, x + 2.0), (MIDDLE + 0.07, MIDDLE - 0.07), PAINT)?;
            self.floor((2.0 * ZEBRA - x - 2.0, 2.0 * ZEBRA - x), (MIDDLE + 0.07, MIDDLE - 0.07), PAINT)?;
            x += 4.0;
        }
        let mut z = NEAR_KERB + 0.55;
        while z + 0.5 < FAR_KERB {
            self.floor((ZEBRA - ZEBRA_HALF, ZEBRA + ZEBRA_HALF), (z + 0.5, z), PAINT)?;
            z += 1.0;
        }
        // Where each lane stops.
        let (left, right) = (ZEBRA - ZEBRA_HALF - 0.55, ZEBRA + ZEBRA_HALF + 0.25);
        self.floor((left, left + 0.3), (MIDDLE - 0.3, NEAR_KERB + 0.4), PAINT)?;
        self.floor((right, right + 0.3), (FAR_KERB - 0.4, MIDDLE + 0.3), PAINT)
    }

    fn trees(&mut self) -> opencv::Result<()> {
        let s = self.camera.scale(TREE_Z);
        for x in TREES {
            let foot = self.camera.see(x + 0.9, 0.0, TREE_Z);
            self.stain(foot, 1.6 * s, 0.22 * s, [20, 26, 30], 0.35, 1.2)?;
            let (fx, fy) = self.camera.see(x, 0.0, TREE_Z);
            self.paint(Shape::ellipse((fx, fy), 0.42 * s, 0.42 * s * EYE / TREE_Z, [92, 74, 56]))?;
            // Leaves in clumps: dark ones below and behind, light ones towards the sun.
            for layer in 0..3 {
                for _ in 0..26 {
                    let (angle, far) = (self.random.range(0.0, std::f64::consts::TAU), self.random.unit().sqrt());
                    let (dx, dy) = (1.25 * far * angle.cos(), 1.15 * far * angle.sin());
                    let light = f64::from(layer) * 0.14;
                    let at = self.camera.see(x + dx * 0.95 - light * 0.9, 3.75 + dy + light * 0.9, TREE_Z);
                    let r = self.random.range(0.18, 0.4) * (1.0 - 0.25 * f64::from(layer));
                    let color = shade(LEAVES, 0.68 + 0.2 * f64::from(layer) + self.random.range(-0.07, 0.07));
                    self.paint(Shape::ellipse(at, r * s, r * s * 0.85, color))?;
                }
            }
        }
        Ok(())
    }

    /// The lamp's shadow.
    fn lamp(&mut self) -> opencv::Result<()> {
        let s = self.camera.scale(LAMP_Z);
        let foot = self.camera.see(LAMP + 0.6, 0.0, LAMP_Z);
        self.stain(foot, 0.9 * s, 0.05 * s, [20, 22, 28], 0.4, 1.5)
    }
}

/// What keeps surfaces from looking like paper: broad patches on the ground and a fine grain on everything below the sky.
fn grain(to: &mut Mat, seed: u64) -> opencv::Result<()> {
    let camera = Camera { w: f64::from(to.cols()), h: f64::from(to.rows()) };
    let (sky, ground) = (0.2 * camera.h, camera.see(0.0, 0.0, FACADE).1);
    for y in 0..to.rows() {
        let row = f64::from(y);
        let z = camera.ground(row + 0.5);
        let metre = 1.0 / camera.scale(z);
        let mut bits = Random::of(&[seed, 0x6a1, y as u64]);
        for (x, pixel) in to.at_row_mut::<Vec3b>(y)?.iter_mut().enumerate() {
            let fine = (bits.unit() - 0.5) * if row > ground { 11.0 } else { 5.0 } * (row / sky).min(1.0);
            let broad = if row > ground {
                let across = (x as f64 - camera.w / 2.0) * metre;
                14.0 * (patches(across * 0.9, z * 0.7, seed) - 0.5) + 8.0 * (patches(across * 4.0, z * 2.5, seed) - 0.5)
            } else {
                0.0
            };
            for v in &mut pixel.0 {
                *v = (f64::from(*v) + fine + broad).round().clamp(0.0, 255.0) as u8;
            }
        }
    }
    Ok(())
}

/// Value noise, 0–1, with features of size 1.
fn patches(x: f64, y: f64, seed: u64) -> f64 {
    let (x0, y0) = (x.floor(), y.floor());
    let smooth = |t: f64| t * t * (3.0 - 2.0 * t);
    let (tx, ty) = (smooth(x - x0), smooth(y - y0));
    let at = |dx: f64, dy: f64| {
        let word = ((x0 + dx) as i64 as u64).wrapping_mul(0x1_0001) ^ ((y0 + dy) as i64 as u64) << 32 ^ seed;
        (mix(word) >> 40) as f64 / (1u64 << 24) as f64
    };
    let lerp = |a: f64, b: f64, t: f64| a + (b - a) * t;
    lerp(lerp(at(0.0, 0.0), at(1.0, 0.0), tx), lerp(at(0.0, 1.0), at(1.0, 1.0), tx), ty)
}

//! A car as flat shapes: its side, and what is seen of roof, bonnet and ends, by true perspective.

use super::paint::{Rgb, Shape, Spot, blend, shade};
use super::world::{Camera, Car};

/// Width over all in metres.
const WIDTH: f64 = 1.75;
/// The cabin is so much narrower, on each side.
const INSET: f64 = 0.16;
const GLASS: Rgb = [62, 80, 94];
const SKY: Rgb = [150, 180, 198];

/// Outlines as (share of the length from the rear, metres above the ground).
struct Model {
    length: f64,
    /// The upper edge from rear to front, and whether the piece up to the next point is glass.
    edge: &'static [(f64, f64, bool)],
    windows: &'static [&'static [(f64, f64)]],
    wheels: [f64; 2],
    radius: f64,
    /// Height of the lower edge of the windows.
    belt: f64,
}

const MODELS: [Model; 3] = [
    // Hatchback
    Model {
        length: 4.0,
        edge: &[
            (0.0, 0.3, false),
            (0.0, 0.72, false),
            (0.02, 0.98, true),
            (0.085, 1.38, false),
            (0.17, 1.47, false),
            (0.54, 1.46, false),
            (0.58, 1.43, true),
            (0.745, 1.0, false),
            (0.9, 0.9, false),
            (0.975, 0.78, false),
            (1.0, 0.58, false),
            (0.995, 0.3, false),
        ],
        windows: &[
            &[(0.085, 1.02), (0.125, 1.34), (0.18, 1.4), (0.385, 1.4), (0.385, 1.02)],
            &[(0.41, 1.02), (0.41, 1.4), (0.535, 1.39), (0.57, 1.36), (0.69, 1.02)],
        ],
        wheels: [0.175, 0.815],
        radius: 0.31,
        belt: 1.0,
    },
    // Saloon
    Model {
        length: 4.6,
        edge: &[
            (0.0, 0.32, false),
            (0.0, 0.68, false),
            (0.012, 0.9, false),
            (0.16, 0.97, true),
            (0.275, 1.36, false),
            (0.34, 1.43, false),
            (0.53, 1.43, false),
            (0.565, 1.4, true),
            (0.7, 0.99, false),
            (0.9, 0.88, false),
            (0.975, 0.78, false),
            (1.0, 0.58, false),
            (0.995, 0.32, false),
        ],
        windows: &[
            &[(0.215, 1.0), (0.3, 1.32), (0.345, 1.365), (0.44, 1.37), (0.44, 1.0)],
            &[(0.462, 1.0), (0.462, 1.37), (0.53, 1.365), (0.56, 1.34), (0.66, 1.0)],
        ],
        wheels: [0.19, 0.81],
        radius: 0.32,
        belt: 0.98,
    },
    // Van
    Model {
        length: 4.9,
        edge: &[
            (0.0, 0.34, false),
            (0.0, 1.1, true),
            (0.012, 1.78, false),
            (0.04, 1.93, false),
            (0.6, 1.96, false),
            (0.655, 1.9, true),
            (0.81, 1.16, false),
            (0.95, 1.02, false),
            (0.99, 0.82, false),
            (1.0, 0.55, false),
            (0.995, 0.34, false),
        ],
        windows: &[
            &[(0.04, 1.24), (0.05, 1.76), (0.26, 1.8), (0.26, 1.24)],
            &[(0.285, 1.24), (0.285, 1.8), (0.49, 1.8), (0.49, 1.24)],
            &[(0.515, 1.24), (0.515, 1.8), (0.61, 1.8), (0.645, 1.76), (0.75, 1.24)],
        ],
        wheels: [0.185, 0.815],
        radius: 0.34,
        belt: 1.2,
    },
];

/// Sees points of one car.
struct Eye<'a> {
    car: &'a Car,
    model: &'a Model,
    camera: &'a Camera,
}

impl Eye<'_> {
    /// The point at (`u`, `v`), `deep` metres behind the near side.
    fn see(&self, u: f64, v: f64, deep: f64) -> Spot {
        let x = self.car.x + self.car.way * (u - 0.5) * self.model.length;
        self.camera.see(x, v, self.car.z + deep)
    }

    /// The same on the near (0) to far (1) surface of the body, which leans inwards above the belt.
    fn skin(&self, u: f64, v: f64, far: f64) -> Spot {
        let lean = ((v - self.model.belt) / 0.4).clamp(0.0, 1.0) * INSET;
        self.see(u, v, lean + far * (WIDTH - 2.0 * lean))
    }

    /// A polygon on the near side.
    fn side(&self, points: &[(f64, f64)], color: Rgb) -> Shape {
        Shape::any(points.iter().map(|&(u, v)| self.skin(u, v, 0.0)).collect(), color)
    }

    /// A rectangle between two shares of the width on the surface that `a` and `b` span; `None` if it faces away.
    fn across(&self, a: (f64, f64), b: (f64, f64), far: (f64, f64), color: Rgb) -> Option<Shape> {
        let p = [
            self.skin(a.0, a.1, far.0),
            self.skin(b.0, b.1, far.0),
            self.skin(b.0, b.1, far.1),
            self.skin(a.0, a.1, far.1),
        ];
        let area: f64 = (0..4).map(|i| p[i].0 * p[(i + 1) % 4].1 - p[(i + 1) % 4].0 * p[i].1).sum();
        (area * self.car.way < 0.0).then(|| Shape::convex(p.to_vec(), color))
    }
}

/// Length of a car in metres.
pub(super) fn length(car: &Car) -> f64 {
    MODELS[car.kind].length
}

/// The shapes of `car`, from back to front.
pub(super) fn shapes(car: &Car, camera: &Camera) -> Vec<Shape> {
    let model = &MODELS[car.kind];
    let eye = Eye { car, model, camera };
    let mut out = Vec::with_capacity(60);
    let (edge, last) = (model.edge, model.edge.len() - 1);
    let dark: Rgb = [30, 32, 36];

    for u in model.wheels {
        let s = camera.scale(car.z + WIDTH - 0.2);
        out.push(Shape::ellipse(eye.see(u, model.radius, WIDTH - 0.2), model.radius * s, model.radius * s, dark));
    }
    // The underside, seen between the wheels.
    out.push(eye.side(&[(0.04, 0.2), (0.02, 0.5), (0.98, 0.5), (0.96, 0.2)], [24, 25, 28]));

    // Surfaces across: those low down first, then the glass, then the roof.
    let mut across: Vec<usize> = (0..last).collect();
    across.sort_by(|a, b| (edge[*a].1 + edge[*a + 1].1).total_cmp(&(edge[*b].1 + edge[*b + 1].1)));
    for i in across {
        let ((u0, v0, glass), (u1, v1, _)) = (edge[i], edge[i + 1]);
        // 1 lies flat, 0 stands upright.
        let flat = ((u1 - u0) * model.length / ((u1 - u0) * model.length).hypot(v1 - v0)).abs();
        let body = shade(car.color, 0.72 + 0.42 * flat);
        out.extend(eye.across((u0, v0), (u1, v1), (0.0, 1.0), body));
        if glass {
            let at = |t: f64| (u0 + (u1 - u0) * t, v0 + (v1 - v0) * t);
            out.extend(eye.across(at(0.08), at(0.92), (0.07, 0.93), blend(GLASS, SKY, 0.25 + 0.5 * flat)));
        }
    }
    ends(&eye, &mut out);

    // The near side: down to the sill, with everything on it.
    let outline: Vec<(f64, f64)> = edge.iter().map(|&(u, v, _)| (u, v)).collect();
    out.push(eye.side(&outline, car.color));
    out.push(eye.side(&[(0.0, 0.5), (0.004, 0.3), (0.996, 0.3), (1.0, 0.5)], shade(car.color, 0.7)));
    let (top, belt) = (model.belt - 0.12, model.belt - 0.17);
    out.push(eye.side(&[(0.02, top), (0.02, belt), (0.93, belt - 0.06), (0.9, top - 0.05)], shade(car.color, 1.16)));
    for (i, window) in model.windows.iter().enumerate() {
        out.push(eye.side(window, GLASS));
        let (left, right) = (window[0].0, window[window.len() - 1].0);
        let low = window[0].1;
        // Somebody at the wheel.
        if i + 1 == model.windows.len() {
            let (x, y) = eye.skin(left + 0.3 * (right - left), low + 0.2, 0.0);
            let s = camera.scale(car.z);
            out.push(Shape::hull(&[(x, y, 0.095 * s), (x, y + 0.03 * s, 0.085 * s)], [94, 74, 66]));
            let (x, y) = eye.skin(left + 0.28 * (right - left), low + 0.035, 0.0);
            out.push(Shape::rect((x - 0.17 * s, y - 0.03 * s), (x + 0.17 * s, y + 0.035 * s), [44, 48, 58]));
        }
        // A streak of sky.
        let (a, b) = (left + 0.55 * (right - left), left + 0.72 * (right - left));
        let high = low + 0.3;
        out.push(eye.side(&[(a - 0.03, low), (a, high), (b, high), (b - 0.03, low)], blend(GLASS, SKY, 0.4)));
    }
    // Doors: a line behind each window, a handle below it.
    for window in model.windows.iter() {
        let right = window[window.len() - 1].0.min(0.66);
        let line = shade(car.color, 0.72);
        out.push(eye.side(
            &[(right - 0.003, model.belt), (right + 0.003, model.belt), (right + 0.003, 0.42), (right - 0.003, 0.42)],
            line,
        ));
        let u = window[0].0 + 0.035;
        let v = model.belt - 0.1;
        out.push(eye.side(&[(u, v), (u + 0.04, v), (u + 0.04, v - 0.035), (u, v - 0.035)], shade(car.color, 0.6)));
    }
    // Lamps at the corners.
    let tail: Rgb = if car.brakes { [255, 56, 40] } else { [170, 30, 32] };
    out.push(eye.side(&[(0.002, 0.66), (0.006, 0.88), (0.045, 0.88), (0.03, 0.66)], tail));
    out.push(eye.side(&[(0.93, 0.7), (0.915, 0.8), (0.968, 0.78), (0.996, 0.62), (0.97, 0.62)], [252, 246, 214]));
    wheels(&eye, &mut out);
    out
}

/// Lamps and number plates on the ends.
fn ends(eye: &Eye, out: &mut Vec<Shape>) {
    let tail: Rgb = if eye.car.brakes { [255, 56, 40] } else { [170, 30, 32] };
    for far in [(0.04, 0.2), (0.8, 0.96)] {
        out.extend(eye.across((0.0, 0.62), (0.002, 0.8), far, tail));
        out.extend(eye.across((0.982, 0.74), (0.996, 0.6), far, [252, 246, 214]));
    }
    out.extend(eye.across((0.0, 0.42), (0.0, 0.56), (0.36, 0.64), [240, 238, 222]));
    out.extend(eye.across((1.0, 0.54), (0.997, 0.4), (0.36, 0.64), [240, 238, 222]));
}

/// The near wheels, turning as the car rolls.
fn wheels(eye: &Eye, out: &mut Vec<Shape>) {
    let (car, r) = (eye.car, eye.model.radius);
    let s = eye.camera.scale(car.z);
    for u in eye.model.wheels {
        let (x, y) = eye.see(u, r, 0.0);
        let disc = |radius: f64, color: Rgb| Shape::ellipse((x, y), radius * s, radius * s, color);
        out.push(Shape::ellipse((x, y - 0.03 * s), (r + 0.06) * s, (r + 0.05) * s, [26, 27, 30]));
        out.push(disc(r, [42, 43, 46]));
        out.push(disc(r * 0.68, [176, 180, 184]));
        // Gaps between five spokes; too small to see, they are left out.
        if r * s > 5.0 {
            let turned = car.way * car.driven / r;
            for i in 0..5 {
                let angle = turned + std::f64::consts::TAU * f64::from(i) / 5.0;
                let at = |angle: f64, radius: f64| (x + radius * s * angle.cos(), y + radius * s * angle.sin());
                let gap = vec![
                    at(angle - 0.12, r * 0.26),
                    at(angle - 0.4, r * 0.58),
                    at(angle + 0.4, r * 0.58),
                    at(angle + 0.12, r * 0.26),
                ];
                out.push(Shape::convex(gap, [84, 88, 92]));
            }
        }
        out.push(disc(r * 0.14, [120, 124, 128]));
    }
}

//! A little street: people stroll, wait and cross, cars roll by and halt for them, and nearer ones hide farther ones.
//!
//! ```text
//! world   who is where at a time          person, car   their shapes, by perspective
//! street  what never moves (cached)       paint         shapes and stains on a Mat
//! house   the houses of it
//! ```
//! The picture and the ground truth are made from the same shapes. Everything scales with the picture's height; a wider
//! picture shows more of the street.

mod car;
mod house;
mod paint;
mod person;
mod street;
mod world;

use gstreamer::ClockTime;
use opencv::boxed_ref::BoxedRefMut;
use opencv::core::Mat;
use opencv::prelude::*;

use super::{Class, Generator, Object, Setup};
use paint::{Bounds, Shape, Stain};
use world::{Actor, Camera, EYE};

/// The generator, and the empty street once it was needed.
struct Scene {
    camera: Camera,
    seed: u64,
    background: Option<Mat>,
    /// Fixed things that others pass behind.
    props: Vec<Sprite>,
}

/// Makes the generator.
pub(super) fn make(setup: &Setup) -> Box<dyn Generator> {
    Box::new(Scene::new(setup))
}

/// Something to draw: an actor or a fixed thing.
#[derive(Clone)]
struct Sprite {
    who: Option<(u32, Class)>,
    depth: f64,
    shapes: Vec<Shape>,
    shadows: Vec<Stain>,
    bounds: Bounds,
}

impl Sprite {
    fn new(who: Option<(u32, Class)>, depth: f64, shapes: Vec<Shape>, shadows: Vec<Stain>) -> Self {
        let bounds = shapes.iter().fold(Bounds::NONE, |b, s| b.union(s.bounds));
        Sprite { who, depth, shapes, shadows, bounds }
    }

    fn holds(&self, at: (f64, f64)) -> bool {
        self.bounds.holds(at) && self.shapes.iter().any(|s| s.holds(at))
    }
}

impl Scene {
    fn new(setup: &Setup) -> Self {
        let camera = Camera { w: f64::from(setup.width), h: f64::from(setup.height) };
        let props = street::props(&camera).into_iter().map(|(z, shapes)| Sprite::new(None, z, shapes, Vec::new()));
        Scene { camera, seed: setup.seed, background: None, props: props.collect() }
    }

    /// All that is in the picture besides the background, farthest first.
    fn sprites(&self, time: ClockTime) -> Vec<Sprite> {
        let camera = &self.camera;
        let seconds = time.nseconds() as f64 / 1e9;
        let mut all = self.props.clone();
        for (id, actor) in world::actors(self.seed, camera, seconds) {
            all.push(match &actor {
                Actor::Person(p) => {
                    let size = p.look.height / 1.75;
                    let shadows = vec![shadow(camera, p.x + 0.3 * size, p.z + 0.06, 0.62 * size, 0.2 * size, 0.5)];
                    Sprite::new(Some((id, Class::Person)), p.z, person::shapes(p, camera), shadows)
                }
                Actor::Car(c) => {
                    let half = car::length(c) / 2.0;
                    let shadows = vec![
                        shadow(camera, c.x + 0.25, c.z + 0.9, half * 1.12, 1.35, 0.45),
                        shadow(camera, c.x, c.z + 0.8, half * 0.98, 0.98, 0.55),
                    ];
                    Sprite::new(Some((id, Class::Car)), c.z, car::shapes(c, camera), shadows)
                }
            });
        }
        let picture = Bounds { x0: -2.0, y0: -2.0, x1: camera.w + 2.0, y1: camera.h + 2.0 };
        // A shadow may reach into the picture before its owner does.
        let wide = Bounds { x0: -camera.h, x1: camera.w + camera.h, ..picture };
        all.retain(|s| s.bounds.meets(&wide));
        all.sort_by(|a, b| b.depth.total_cmp(&a.depth).then(a.who.map(|w| w.0).cmp(&b.who.map(|w| w.0))));
        all
    }

    /// The empty street without the fixed things that stand before it.
    fn background(&mut self) -> opencv::Result<&Mat> {
        let (camera, seed) = (self.camera, self.seed);
        match &mut self.background {
            Some(mat) => Ok(mat),
            none => Ok(none.insert(street::render(&camera, seed)?)),
        }
    }
}

/// A shadow on the ground around (`x`, `z`), `rx` by `rz` metres.
fn shadow(camera: &Camera, x: f64, z: f64, rx: f64, rz: f64, strength: f64) -> Stain {
    let scale = camera.scale(z);
    let at = camera.see(x, 0.0, z);
    Stain { at, rx: rx * scale, ry: rz * scale * EYE / z, color: [16, 18, 26], strength, hardness: 1.6 }
}

impl Generator for Scene {
    fn draw(&mut self, _: u64, time: ClockTime, to: &mut BoxedRefMut<'_, Mat>) -> opencv::Result<()> {
        self.background()?.copy_to(to)?;
        let sprites = self.sprites(time);
        for stain in sprites.iter().flat_map(|s| &s.shadows) {
            stain.paint(to)?;
        }
        let picture = Bounds { x0: -2.0, y0: -2.0, x1: self.camera.w + 1.0, y1: self.camera.h + 1.0 };
        for shape in sprites.iter().flat_map(|s| &s.shapes).filter(|s| s.bounds.meets(&picture)) {
            shape.paint(to)?;
        }
        Ok(())
    }

    fn objects(&self, _: u64, time: ClockTime) -> Vec<Object> {
        let sprites = self.sprites(time);
        let (w, h) = (self.camera.w, self.camera.h);
        let object = |(i, sprite): (usize, &Sprite)| {
            let (id, class) = sprite.who?;
            let b = &sprite.bounds;
            // Pixel n covers n - 0.5 to n + 0.5.
            let low = |v: f64, max: f64| (v + 0.5).floor().clamp(0.0, max) as i32;
            let high = |v: f64, max: f64| (v + 0.5).ceil().clamp(0.0, max) as i32;
            let (x, y) = (low(b.x0, w), low(b.y0, h));
            let (w, h) = (high(b.x1, w) - x, high(b.y1, h) - y);
            let visible = visible(sprite, &sprites[i + 1..], &self.camera);
            (w > 0 && h > 0).then_some(Object { id, class, x, y, w, h, visible })
        };
        sprites.iter().enumerate().filter_map(object).collect()
    }
}

/// Share of `sprite` that lies in the picture and behind none of `nearer`, by samples on a grid.
fn visible(sprite: &Sprite, nearer: &[Sprite], camera: &Camera) -> f64 {
    const GRID: usize = 28;
    let b = &sprite.bounds;
    let nearer: Vec<&Sprite> = nearer.iter().filter(|n| n.bounds.meets(b)).collect();
    let (mut all, mut seen) = (0, 0);
    for i in 0..GRID * GRID {
        let part = |n: usize, from: f64, to: f64| from + (to - from) * (n as f64 + 0.5) / GRID as f64;
        let at = (part(i % GRID, b.x0, b.x1), part(i / GRID, b.y0, b.y1));
        if sprite.holds(at) {
            all += 1;
            let inside = at.0 > -0.5 && at.0 < camera.w - 0.5 && at.1 > -0.5 && at.1 < camera.h - 0.5;
            seen += usize::from(inside && !nearer.iter().any(|n| n.holds(at)));
        }
    }
    seen as f64 / all.max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::super::tests::draw;
    use super::*;
    use opencv::core::Vec3b;

    fn scene(width: u32, height: u32) -> Scene {
        Scene::new(&Setup { width, height, seed: 1, wall: false })
    }

    fn at(index: u64) -> ClockTime {
        ClockTime::from_mseconds(index * 40)
    }

    #[test]
    fn boxes_lie_in_the_picture_and_cover_all_that_moves() {
        for (w, h) in [(640, 360), (321, 241), (64, 64)] {
            let mut s = scene(w, h);
            let mut seen = [0, 0];
            for index in (0..1500).step_by(60) {
                let objects = s.objects(index, at(index));
                let drawn = draw(&mut s, w, h, index);
                let mut covers: Vec<Bounds> = objects
                    .iter()
                    .map(|o| {
                        assert!(o.x >= 0 && o.y >= 0 && o.w > 0 && o.h > 0, "{o:?}");
                        assert!(o.x + o.w <= w as i32 && o.y + o.h <= h as i32, "{o:?}");
                        assert!((0.0..=1.0).contains(&o.visible), "{o:?}");
                        seen[usize::from(o.class == Class::Car)] += 1;
                        let [x0, y0, x1, y1] = [o.x, o.y, o.x + o.w, o.y + o.h].map(f64::from);
                        Bounds { x0, y0, x1, y1 }
                    })
                    .collect();
                for sprite in s.sprites(at(index)) {
                    covers.extend(sprite.shadows.iter().map(Stain::bounds));
                    // Fixed things have no box; nor has what lies so close beside the picture that only its rim is seen.
                    if !sprite.who.is_some_and(|w| objects.iter().any(|o| o.id == w.0)) {
                        covers.push(sprite.bounds);
                    }
                }
                let background = s.background().unwrap();
                for y in 0..h as i32 {
                    for x in 0..w as i32 {
                        if drawn.at_2d::<Vec3b>(y, x).unwrap() != background.at_2d::<Vec3b>(y, x).unwrap() {
                            // Anti-aliasing reaches a pixel or two beyond a shape.
                            let (x, y) = (f64::from(x), f64::from(y));
                            let inside =
                                |b: &Bounds| x >= b.x0 - 2.0 && x <= b.x1 + 2.0 && y >= b.y0 - 2.0 && y <= b.y1 + 2.0;
                            assert!(covers.iter().any(inside), "{w}x{h} frame {index}: {x},{y} changed");
                        }
                    }
                }
            }
            assert!(seen[0] > 40 && seen[1] > 15, "{w}x{h}: only {seen:?} people and cars");
        }
    }

    #[test]
    fn a_box_is_tight_where_an_object_is_seen_whole() {
        let mut s = scene(640, 360);
        let mut checked = 0;
        for index in (0..1500).step_by(50) {
            for o in s.objects(index, at(index)).into_iter().filter(|o| o.visible == 1.0 && o.class == Class::Person) {
                let drawn = draw(&mut s, 640, 360, index);
                let background = s.background().unwrap();
                // Along its upper edge (no shadow there) something is drawn.
                let changed = |y: i32| {
                    (o.x..o.x + o.w)
                        .any(|x| drawn.at_2d::<Vec3b>(y, x).unwrap() != background.at_2d::<Vec3b>(y, x).unwrap())
                };
                assert!(changed(o.y) || changed(o.y + 1), "frame {index}: {o:?}");
                checked += 1;
            }
        }
        assert!(checked > 20, "{checked}");
    }

    #[test]
    fn objects_hide_each_other_keep_their_class_and_come_and_go() {
        let s = scene(640, 360);
        let mut classes = std::collections::HashMap::new();
        let (mut hidden, mut cut, mut most) = (0, 0, 0);
        for index in (0..3000).step_by(20) {
            let objects = s.objects(index, at(index));
            most = most.max(objects.len());
            for o in objects {
                assert_eq!(*classes.entry(o.id).or_insert(o.class), o.class);
                hidden += usize::from(o.visible < 0.5 && o.x > 0 && o.x + o.w < 640);
                cut += usize::from(o.visible < 0.9 && (o.x == 0 || o.x + o.w == 640));
            }
        }
        assert!(hidden > 20 && cut > 20, "{hidden} hidden, {cut} cut off");
        assert!(classes.len() > 40 && most >= 8, "{} ids, {most} at once", classes.len());
    }
}

//! Who is where at what time: a function of the seed and the moment, so that any frame can be drawn by itself.
//!
//! Metres and seconds. `x` runs right from the middle of the picture, `y` up from the ground, `z` away from the camera.
//! The street, from near to far: pavement, kerb, lane to the right, lane to the left, kerb, pavement, facades.
//!
//! Cars ride on one conveyor per lane that halts once a cycle, always with a gap over the zebra crossing; then people
//! cross. Others stroll along the pavements and sometimes stop.

use super::super::random::Random;
use super::paint::{Rgb, Spot};

/// Kerb on the camera's side.
pub(super) const NEAR_KERB: f64 = 9.5;
/// Kerb across the road.
pub(super) const FAR_KERB: f64 = 19.5;
/// Front of the houses.
pub(super) const FACADE: f64 = 23.5;
/// Middle of the zebra crossing.
pub(super) const ZEBRA: f64 = 1.4;
/// Half the width of the zebra crossing.
pub(super) const ZEBRA_HALF: f64 = 1.7;
/// Line between the lanes.
pub(super) const MIDDLE: f64 = 14.3;

/// Height of the camera above the ground.
pub(super) const EYE: f64 = 3.2;
/// Focal length as a share of the picture's height.
const FOCAL: f64 = 1.5;
/// Where the horizon is, as a share of the picture's height.
const HORIZON: f64 = 0.36;

/// A pinhole camera, level, at [`EYE`].
#[derive(Clone, Copy, Debug)]
pub(super) struct Camera {
    /// Width of the picture in pixels.
    pub(super) w: f64,
    /// Height of the picture in pixels.
    pub(super) h: f64,
}

impl Camera {
    /// Pixels of a metre at distance `z`.
    pub(super) fn scale(&self, z: f64) -> f64 {
        FOCAL * self.h / z
    }

    /// Where a point of the world is seen.
    pub(super) fn see(&self, x: f64, y: f64, z: f64) -> Spot {
        let s = self.scale(z);
        (self.w / 2.0 + x * s, HORIZON * self.h + (EYE - y) * s)
    }

    /// The distance of the ground seen in row `y`, which lies below the horizon.
    pub(super) fn ground(&self, y: f64) -> f64 {
        FOCAL * self.h * EYE / (y - HORIZON * self.h).max(1e-3)
    }

    /// Half of what is seen of a line across at distance `z`. In a picture more than six times as wide as high, only the
    /// middle of the street is populated.
    pub(super) fn reach(&self, z: f64) -> f64 {
        self.w.min(6.0 * self.h) / 2.0 / self.scale(z)
    }
}

/// Where somebody looks.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum View {
    Left,
    Right,
    Toward,
    Away,
}

/// Somebody on foot.
#[derive(Clone, Debug)]
pub(super) struct Person {
    pub(super) x: f64,
    pub(super) z: f64,
    pub(super) view: View,
    /// Metres walked so far: drives the legs.
    pub(super) walked: f64,
    /// 0 stands, 1 walks.
    pub(super) stride: f64,
    pub(super) look: PersonLook,
}

/// What distinguishes people.
#[derive(Clone, Debug)]
pub(super) struct PersonLook {
    pub(super) height: f64,
    pub(super) skin: Rgb,
    pub(super) hair: Rgb,
    pub(super) top: Rgb,
    pub(super) legs: Rgb,
    pub(super) shoes: Rgb,
    pub(super) long_hair: bool,
    pub(super) hat: bool,
    pub(super) skirt: bool,
    pub(super) coat: bool,
    pub(super) bag: Option<Rgb>,
}

/// A car; `x` is its middle, `z` its side towards the camera.
#[derive(Clone, Debug)]
pub(super) struct Car {
    pub(super) x: f64,
    pub(super) z: f64,
    /// 1 drives right, -1 left.
    pub(super) way: f64,
    /// Metres driven so far: drives the wheels.
    pub(super) driven: f64,
    pub(super) brakes: bool,
    pub(super) kind: usize,
    pub(super) color: Rgb,
}

/// Anything with an id.
#[derive(Clone, Debug)]
pub(super) enum Actor {
    Person(Person),
    Car(Car),
}

/// Streams that actors come from; an actor's id is its number in the stream, woven.
const STREAMS: i64 = 16;
const STROLLERS: u64 = 9;
const CROSSERS: u64 = 4;

/// Seconds from one halt of the traffic to the next.
const CYCLE: f64 = 24.0;
/// The traffic rolls for so long, then halts.
const ROLL: f64 = 13.0;
/// Speeding up takes so long, and braking too.
const RAMP: f64 = 3.0;
/// Time 0 is so far into a cycle: traffic rolling.
const START: f64 = 3.5;
/// Longest car, and what it keeps from the zebra.
const CAR_LENGTH: f64 = 4.9;

/// Everybody who may be in the picture of `camera` at `time` seconds.
pub(super) fn actors(seed: u64, camera: &Camera, time: f64) -> Vec<(u32, Actor)> {
    let mut all = Vec::new();
    let id = |stream: u64, number: i64| (1 + stream as i64 + STREAMS * (number + 8)).max(1) as u32;
    for stream in 0..STROLLERS {
        if let Some((number, person)) = stroller(seed, camera, stream, time) {
            all.push((id(stream, number), Actor::Person(person)));
        }
    }
    let cycle = ((time + START) / CYCLE).floor() as i64;
    for stream in STROLLERS..STROLLERS + CROSSERS {
        for number in cycle - 2..=cycle + 1 {
            if let Some(person) = crosser(seed, camera, stream, number, time) {
                all.push((id(stream, number), Actor::Person(person)));
            }
        }
    }
    for stream in [14, 15] {
        for (number, car) in lane(seed, camera, stream, time) {
            all.push((id(stream, number), Actor::Car(car)));
        }
    }
    all
}

/// Someone who goes along a pavement, from one edge of the picture to the other, perhaps with a stop.
fn stroller(seed: u64, camera: &Camera, stream: u64, time: f64) -> Option<(i64, Person)> {
    let mut slot = Random::of(&[seed, stream]);
    let near = stream.is_multiple_of(3);
    let (z0, z1) = if near { (7.75, 8.75) } else { (20.7, 23.0) };
    let way = if slot.chance(0.5) { 1.0 } else { -1.0 };
    let speed = slot.range(1.0, 1.65);
    let rest = slot.range(2.0, 5.0);
    let reach = camera.reach(z1) + 0.9;
    let period = 2.0 * reach / speed + rest + slot.range(0.5, 4.0);
    let at = time + slot.unit() * 0.8 * period;
    let number = (at / period).floor();
    let mut own = Random::of(&[seed, stream, number as u64]);
    let z = own.range(z0, z1);
    let look = PersonLook::of(&mut own);
    let stop = if own.chance(0.45) { own.range(0.25, 0.75) * 2.0 * reach / speed } else { f64::INFINITY };
    let now = at - number * period;
    let moving = if now <= stop { now } else { (now - rest).max(stop) };
    // Slowing down and starting again show in the legs only.
    let near_stop = if now <= stop { stop - now } else { (now - stop - rest).max(0.0) };
    let walked = speed * moving;
    (walked <= 2.0 * reach).then(|| {
        let view = if way > 0.0 { View::Right } else { View::Left };
        let person =
            Person { x: way * (walked - reach), z, view, walked, stride: (near_stop / 0.35).clamp(0.0, 1.0), look };
        (number as i64, person)
    })
}

/// Someone who comes along one pavement, waits for the traffic to halt, crosses, and leaves along the other pavement.
fn crosser(seed: u64, camera: &Camera, stream: u64, number: i64, time: f64) -> Option<Person> {
    let mut own = Random::of(&[seed, stream, number as u64]);
    let look = PersonLook::of(&mut own);
    let speed = own.range(1.35, 1.6);
    let outward = stream % 2 == 1;
    // Each stream has its own track over the zebra, so that nobody walks through anybody.
    let x = ZEBRA + ZEBRA_HALF * ([-0.6, 0.1, -0.25, 0.5][(stream - STROLLERS) as usize] + own.range(-0.08, 0.08));
    let (near, far) = (NEAR_KERB - own.range(0.35, 0.6), FAR_KERB + own.range(0.35, 0.6));
    let (from_z, to_z) = if outward { (near, far) } else { (far, near) };
    let side = |r: &mut Random| if r.chance(0.5) { 1.0 } else { -1.0 };
    let from_x = side(&mut own) * (camera.reach(from_z) + 1.0);
    let to_x = side(&mut own) * (camera.reach(to_z) + 1.0);
    let halt = number as f64 * CYCLE - START + ROLL;
    let come = (from_x - x).abs() / speed;
    let go = halt + own.range(0.7, 1.8);
    let arrive = go - own.range(0.8, 5.0);
    let over = go + (to_z - from_z).abs() / speed;
    let gone = over + (to_x - x).abs() / speed;
    let crossing = if outward { View::Away } else { View::Toward };
    let facing = |dx: f64| if dx > 0.0 { View::Right } else { View::Left };
    let walk = |t: f64| t * speed;
    let (x, z, view, walked, stride) = if time < arrive - come || time > gone {
        return None;
    } else if time < arrive {
        let w = walk(time - arrive + come);
        (from_x + (x - from_x).signum() * w, from_z, facing(x - from_x), w, 1.0)
    } else if time < go {
        (x, from_z, crossing, walk(come), 0.0)
    } else if time < over {
        let w = walk(time - go);
        (x, from_z + (to_z - from_z).signum() * w, crossing, walk(come) + w, ((time - go) / 0.35).min(1.0))
    } else {
        let w = walk(time - over);
        (x + (to_x - x).signum() * w, to_z, facing(to_x - x), walk(come + over - go) + w, 1.0)
    };
    Some(Person { x, z, view, walked, stride, look })
}

/// The cars of one lane that may be seen.
fn lane(seed: u64, camera: &Camera, stream: u64, time: f64) -> Vec<(i64, Car)> {
    let (way, z, gap, gaps) = if stream == 14 { (1.0, 11.3, 13.0, 8.0) } else { (-1.0, 15.9, 15.0, 6.0) };
    let at = time + START;
    let cycle = (at / CYCLE).floor();
    let (driven, speed) = rolled(at - cycle * CYCLE, gap * gaps);
    let driven = cycle * gap * gaps + driven;
    let reach = camera.reach(z + 2.0) + CAR_LENGTH;
    // Where number 0 stands at `driven` 0 and, the conveyor halting at whole gaps, somebody at every halt: a car's
    // length and a bit before the zebra.
    let stand = way * ZEBRA - ZEBRA_HALF - CAR_LENGTH / 2.0 - 0.5;
    let tint = (Random::of(&[seed, stream]).bits() % CAR_COLORS.len() as u64) as i64;
    let first = ((driven + stand - reach) / gap).floor() as i64;
    let last = ((driven + stand + reach) / gap).ceil() as i64;
    (first..=last)
        .filter_map(|number| {
            let mut own = Random::of(&[seed, stream, number as u64]);
            let (there, kind, late) = (own.chance(0.8), own.pick(&[0, 0, 1, 1, 2]), own.range(0.0, 2.0));
            // Neighbours differ: 4 and the number of colours have no common divisor.
            let color = CAR_COLORS[(tint + 4 * number).rem_euclid(CAR_COLORS.len() as i64) as usize];
            let x = way * (driven + stand - late - number as f64 * gap);
            let (wheels, brakes) = (driven, speed < 0.0 || (at - cycle * CYCLE) > ROLL);
            let car = Car { x, z: z + own.range(-0.15, 0.15), way, driven: wheels, brakes, kind, color };
            (there && x.abs() < reach).then_some((number, car))
        })
        .collect()
}

/// Metres rolled `t` seconds into a cycle whose whole way is `all`, and the acceleration's sign: speed up, cruise, brake,
/// halt.
fn rolled(t: f64, all: f64) -> (f64, f64) {
    let top = all / (ROLL - RAMP);
    if t < RAMP {
        (top * t * t / (2.0 * RAMP), 1.0)
    } else if t < ROLL - RAMP {
        (top * (t - RAMP / 2.0), 0.0)
    } else if t < ROLL {
        (all - top * (ROLL - t).powi(2) / (2.0 * RAMP), -1.0)
    } else {
        (all, 0.0)
    }
}

const CAR_COLORS: &[Rgb] = &[
    [178, 38, 40],
    [32, 82, 142],
    [226, 228, 230],
    [58, 62, 68],
    [156, 164, 170],
    [212, 168, 44],
    [40, 112, 92],
    [120, 44, 72],
    [206, 108, 44],
];
const SKINS: &[Rgb] = &[[244, 208, 178], [230, 188, 154], [204, 152, 116], [160, 110, 80], [112, 76, 54], [88, 58, 42]];
const HAIRS: &[Rgb] = &[[38, 28, 24], [70, 46, 30], [112, 74, 42], [186, 146, 84], [150, 150, 150], [140, 60, 34]];
const TOPS: &[Rgb] = &[
    [196, 56, 58],
    [46, 96, 160],
    [236, 232, 222],
    [60, 124, 86],
    [230, 176, 60],
    [120, 84, 150],
    [56, 58, 64],
    [222, 128, 74],
    [108, 168, 190],
    [214, 140, 158],
];
const LEGS: &[Rgb] = &[[40, 52, 82], [44, 44, 48], [92, 84, 74], [72, 96, 130], [150, 134, 106], [82, 56, 50]];
const SHOES: &[Rgb] = &[[40, 32, 30], [232, 232, 230], [120, 70, 40], [60, 60, 66]];

impl PersonLook {
    fn of(r: &mut Random) -> Self {
        let child = r.chance(0.14);
        let height = if child { r.range(1.15, 1.4) } else { r.range(1.58, 1.9) };
        let skin = r.pick(SKINS);
        // Fair hair goes with fair skin more often than not; grey is not for children.
        let hairs = if skin[0] < 180 {
            2
        } else if child {
            4
        } else {
            HAIRS.len()
        };
        let long_hair = r.chance(0.42);
        let skirt = long_hair && r.chance(0.4);
        PersonLook {
            height,
            skin,
            hair: r.pick(&HAIRS[..hairs]),
            top: r.pick(TOPS),
            legs: r.pick(LEGS),
            shoes: r.pick(SHOES),
            long_hair,
            hat: r.chance(0.15),
            skirt,
            coat: !skirt && !child && r.chance(0.2),
            bag: r.chance(0.4).then(|| r.pick(TOPS)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CAMERA: Camera = Camera { w: 1280.0, h: 720.0 };

    #[test]
    fn traffic_never_touches_itself_or_those_who_cross() {
        for seed in 0..4 {
            for tick in 0..3000 {
                let all = actors(seed, &CAMERA, f64::from(tick) * 0.1);
                let mut cars: Vec<&Car> =
                    all.iter().filter_map(|(_, a)| if let Actor::Car(c) = a { Some(c) } else { None }).collect();
                cars.sort_by(|a, b| a.way.total_cmp(&b.way).then(a.x.total_cmp(&b.x)));
                for pair in cars.windows(2).filter(|p| p[0].way == p[1].way) {
                    assert!(pair[1].x - pair[0].x > CAR_LENGTH + 1.0, "seed {seed} tick {tick}");
                }
                for (_, a) in &all {
                    if let Actor::Person(p) = a
                        && p.z > NEAR_KERB
                        && p.z < FAR_KERB
                    {
                        for c in cars.iter().filter(|c| c.z - 0.3 < p.z && p.z < c.z + 2.1) {
                            assert!((c.x - p.x).abs() > CAR_LENGTH / 2.0 + 0.3, "seed {seed} tick {tick}");
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn ids_are_unique_and_movement_is_without_jumps() {
        let mut before: std::collections::HashMap<u32, (f64, f64)> = Default::default();
        for tick in 0..2000 {
            let mut now = std::collections::HashMap::new();
            for (id, actor) in actors(3, &CAMERA, f64::from(tick) * 0.04) {
                let (at, limit) = match actor {
                    Actor::Person(p) => ((p.x, p.z), 0.08),
                    Actor::Car(c) => ((c.x, c.z), 0.6),
                };
                if let Some(old) = before.get(&id) {
                    assert!((at.0 - old.0).hypot(at.1 - old.1) < limit, "{id} at tick {tick}");
                } else {
                    // New ones come from outside (but for those of the first frame).
                    assert!(tick == 0 || at.0.abs() > CAMERA.reach(at.1), "{id} popped up at tick {tick}");
                }
                assert!(now.insert(id, at).is_none(), "two are {id}");
            }
            before = now;
        }
    }
}

//! What counting promises, on ways made at random.

use proptest::prelude::*;

use super::*;

/// A gate from left to right: downwards is in.
fn gate() -> Vec<Place> {
    vec![(100.0, 300.0), (400.0, 280.0), (700.0, 300.0)]
}

fn seen(track: u32, at: Place) -> Seen {
    Seen { track, at, size: (40.0, 80.0), found: true }
}

/// Crossings of a run of pictures at 25 a second, in each of which these are seen.
fn count(line: Vec<Place>, band: f64, pictures: &[Vec<Seen>]) -> Vec<(usize, u32, Direction)> {
    let mut counter = LineCounter::new(line, false);
    let mut out = Vec::new();
    for (n, seen) in pictures.iter().enumerate() {
        for c in counter.look(n as f64 / 25.0, n, seen, |_| band) {
            out.push((c.when, seen[c.index].track, c.direction));
        }
    }
    out
}

fn way(track: u32, places: impl IntoIterator<Item = Place>) -> Vec<Vec<Seen>> {
    places.into_iter().map(|p| vec![seen(track, p)]).collect()
}

#[test]
fn downwards_over_a_line_to_the_right_is_in() {
    let down = (0..40).map(|n| (250.0, 200.0 + 5.0 * f64::from(n)));
    let found = count(gate(), 6.0, &way(1, down.clone()));
    // The line is at 290 there, reached between pictures 17 and 18; it counts once the band is left.
    assert_eq!(found, [(18, 1, Direction::In)]);
    assert_eq!(count(gate(), 6.0, &way(1, down.rev())).len(), 1);
    let past_its_end = (0..40).map(|n| (90.0, 200.0 + 5.0 * f64::from(n)));
    assert_eq!(count(gate(), 6.0, &way(1, past_its_end)), []);
    let at_once = [(250.0, 100.0), (250.0, 500.0)];
    assert_eq!(count(gate(), 6.0, &way(1, at_once)).len(), 1);
    let ((x, y), (tx, ty)) = arrow(&gate(), false, 10.0).unwrap();
    assert!(ty > y && distance(&gate(), (x, y)) < 1e-9 && (tx - x).abs() < 2.0);
    assert!(arrow(&gate(), true, 10.0).unwrap().1.1 < y);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// However it trembles on the line, who goes over it counts once, and who does not counts never.
    #[test]
    fn jitter_on_the_line_counts_once(
        trembling in prop::collection::vec((-5.0f64..5.0, -5.9f64..5.9), 1..80),
        x in 150.0f64..650.0,
        over in any::<bool>(),
    ) {
        let line = vec![(100.0, 300.0), (700.0, 300.0)];
        let mut places = vec![(x, 250.0), (x, 280.0)];
        places.extend(trembling.iter().map(|(dx, dy)| (x + dx, 300.0 + dy)));
        places.extend(if over { [(x, 320.0), (x, 350.0)] } else { [(x, 280.0), (x, 250.0)] });
        let found = count(line, 6.0, &way(7, places));
        prop_assert_eq!(found.len(), usize::from(over));
        prop_assert!(found.iter().all(|f| f.2 == Direction::In));
    }

    /// Who turns back before the band ends was never over.
    #[test]
    fn a_u_turn_counts_none(depth in 0.0f64..11.9, steps in 2u32..40, x in 150.0f64..500.0, from_below in any::<bool>()) {
        let line = vec![(100.0, 300.0), (700.0, 300.0)];
        let side = if from_below { 1.0 } else { -1.0 };
        let places = (0..=2 * steps).map(|n| {
            let turn = 1.0 - f64::from(n.abs_diff(steps)) / f64::from(steps);
            (x + 2.0 * f64::from(n), 300.0 + side * (50.0 - (50.0 + depth) * turn))
        });
        prop_assert_eq!(count(line, 12.0, &way(1, places)), []);
    }

    /// An object that gets a new number, anywhere near the line, after any gap below 2 s, with any error of the new box
    /// that a tracker makes, counts once.
    #[test]
    fn an_id_switch_counts_nobody_twice(
        at in 0usize..60,
        gap in 0usize..25,
        again in 0usize..60,
        trembling in prop::collection::vec((-3.0f64..3.0, -3.0f64..3.0), 60),
        off in prop::collection::vec((-12.0f64..12.0, -12.0f64..12.0), 4),
        speed in 1.0f64..4.0,
        both in any::<bool>(),
    ) {
        let line = vec![(100.0, 300.0), (700.0, 300.0)];
        // 60 pictures are 2.4 s; the line is reached in the middle.
        let one = |track: u32, n: usize| {
            let ((dx, dy), (ox, oy)) = (trembling[n], off[track as usize]);
            seen(track, (300.0 + dx + ox, 300.0 + speed * (n as f64 - 29.5) + dy + oy))
        };
        let pictures: Vec<Vec<Seen>> = (0..60).map(|n| match n {
            _ if n <= at => vec![one(1, n)],
            _ if n <= at + gap => vec![],
            _ if n <= again => vec![one(2, n)],
            // For a while both numbers are there.
            _ if both && n == again + 1 => vec![one(2, n), one(3, n)],
            _ => vec![one(3, n)],
        }).collect();
        let found = count(line, 8.0, &pictures);
        prop_assert!(found.iter().filter(|f| f.2 == Direction::In).count() <= 1, "{:?}", found);
    }

    /// Those who went in over the border of a closed zone, minus those who went out, are those who are in more than before.
    #[test]
    fn in_minus_out_is_the_change_of_occupancy(
        corners in prop::collection::vec((0.0f64..0.9, 50.0f64..300.0), 4..9),
        walks in prop::collection::vec(prop::collection::vec((0.0f64..800.0, 0.0f64..600.0), 2..30), 1..6),
    ) {
        // Around the middle, with less than half a turn from corner to corner: the border does not cross itself. As y goes
        // down, rising angles are clockwise, and the inside is to the right.
        let n = corners.len() as f64;
        let corner = |(i, (turn, radius)): (usize, &(f64, f64))| {
            let angle = (i as f64 + turn) / n * std::f64::consts::TAU;
            (400.0 + radius * angle.cos(), 300.0 + radius * angle.sin())
        };
        let corners: Vec<Place> = corners.iter().enumerate().map(corner).collect();
        let mut border = corners.clone();
        border.push(corners[0]);
        let (mut change, mut net) = (0i32, 0i32);
        for walk in walks {
            let (first, last) = (walk[0], walk[walk.len() - 1]);
            let band = distance(&border, last).min(distance(&border, first)) * 0.9;
            prop_assume!(band > 0.01);
            change += i32::from(inside(&corners, last)) - i32::from(inside(&corners, first));
            for (_, _, direction) in count(border.clone(), band.min(10.0), &way(1, walk)) {
                net += if direction == Direction::In { 1 } else { -1 };
            }
        }
        prop_assert_eq!(net, change);
    }

    /// Any numbers at all: no panic, and what entered has left or is in.
    #[test]
    fn zones_balance(
        pictures in prop::collection::vec(prop::collection::vec((0u32..6, -50.0f64..250.0, any::<bool>()), 0..5), 0..120),
        settle in 0.0f64..0.3,
        lost in 0.0f64..1.0,
    ) {
        let settings = ZoneSettings { settle, lost, dwell: Some(0.4), crowd: Some(1) };
        let mut zone = ZoneWatch::new(vec![vec![(0.0, 0.0), (100.0, 0.0), (100.0, 200.0), (0.0, 200.0)]], settings);
        let (mut inside, mut crowds) = (0i32, 0i32);
        let mut tally = |changes: Vec<Change<usize>>| {
            for c in changes {
                match c {
                    Change::Entered(_) => inside += 1,
                    Change::Left(stay, _) => {
                        assert!(stay.seconds >= 0.0);
                        inside -= 1;
                    }
                    Change::Crowded(n) => {
                        assert!(n > 1);
                        crowds += 1;
                    }
                    Change::Eased(_) => crowds -= 1,
                    Change::Dwelt(stay) => assert!(stay.seconds >= 0.4 - 1e-6),
                }
            }
            (inside, crowds)
        };
        for (n, picture) in pictures.iter().enumerate() {
            let mut list: Vec<Seen> = Vec::new();
            for (track, x, found) in picture {
                if list.iter().all(|s| s.track != *track) {
                    list.push(Seen { track: *track, at: (*x, 100.0), size: (40.0, 80.0), found: *found });
                }
            }
            let changes = zone.look(n as f64 / 25.0, n, &list);
            let (inside, crowds) = tally(changes);
            assert_eq!(inside, zone.now() as i32);
            assert_eq!(crowds, i32::from(inside > 1));
        }
        assert_eq!(tally(zone.end()), (0, 0));
    }

    /// Speed and direction of who goes straight on, whatever the view.
    #[test]
    fn speed_on_the_ground(speed in 0.5f64..40.0, angle in 0.0f64..360.0, lean in 0.0f64..0.8) {
        // A road 8 m wide and 40 m long that narrows towards the horizon.
        let picture = [(400.0 - 100.0 * (1.0 - lean), 200.0), (400.0 + 100.0 * (1.0 - lean), 200.0), (600.0, 500.0), (200.0, 500.0)];
        let metres = [(0.0, 40.0), (8.0, 40.0), (8.0, 0.0), (0.0, 0.0)];
        let (there, back) = (Ground::new(picture, metres).unwrap(), Ground::new(metres, picture).unwrap());
        let mut paces = Paces::new(0.5);
        let mut motion = None;
        let (dx, dy) = (angle.to_radians().cos() * speed, angle.to_radians().sin() * speed);
        for n in 0..25 {
            let t = f64::from(n) / 25.0;
            // Half a metre over the whole time at most is left to the edges.
            let on_ground = (4.0 + dx * (t - 0.5) * 0.05, 20.0 + dy * (t - 0.5) * 0.05);
            let seen = back.at(on_ground).unwrap();
            let (x, y) = there.at(seen).unwrap();
            prop_assert!((x - on_ground.0).abs() < 1e-6 && (y - on_ground.1).abs() < 1e-6);
            paces.forget(t);
            motion = paces.add(1, t, (x, y));
        }
        let motion = motion.unwrap();
        prop_assert!((motion.speed - speed * 0.05).abs() < 1e-6, "{} instead of {}", motion.speed, speed * 0.05);
        match motion.heading {
            Some(h) => prop_assert!(((h - angle + 540.0).rem_euclid(360.0) - 180.0).abs() < 1e-3, "{} instead of {}", h, angle),
            None => prop_assert!(motion.speed < 0.151),
        }
    }
}

#[test]
fn two_who_follow_each_other_both_count() {
    let pictures: Vec<Vec<Seen>> = (0..80)
        .map(|n| {
            let y = 200.0 + 3.0 * f64::from(n);
            // The first leaves the picture soon after the line; the second is one length behind.
            let mut all = vec![seen(2, (300.0, y - 70.0))];
            if y < 320.0 {
                all.push(seen(1, (300.0, y)));
            }
            all
        })
        .collect();
    assert_eq!(count(vec![(100.0, 300.0), (700.0, 300.0)], 6.0, &pictures).len(), 2);
}

/// Side by side in two lanes; the first vanishes right behind the line, the second was found only just before it.
#[test]
fn two_who_were_seen_apart_both_count() {
    let pictures: Vec<Vec<Seen>> = (0..40)
        .map(|n| {
            let y = 240.0 + 3.0 * f64::from(n);
            let mut all = Vec::new();
            if n < 24 {
                all.push(seen(1, (300.0, y)));
            }
            if n > 18 {
                all.push(seen(2, (345.0, y - 20.0)));
            }
            all
        })
        .collect();
    assert_eq!(count(vec![(100.0, 300.0), (700.0, 300.0)], 6.0, &pictures).len(), 2);
}

#[test]
fn a_track_that_comes_back_beside_its_heir_is_another_object() {
    let mut lineage = Lineage::default();
    let one = lineage.look(0.0, &[seen(1, (10.0, 10.0))])[0].object;
    let heir = lineage.look(0.2, &[seen(2, (12.0, 10.0))])[0];
    assert!(heir.object == one && heir.switched);
    let both = lineage.look(0.4, &[seen(1, (10.0, 10.0)), seen(2, (12.0, 10.0))]);
    assert_ne!(both[0].object, both[1].object);
    let far = lineage.look(0.6, &[seen(3, (300.0, 10.0))])[0];
    assert!(!far.switched && far.from.is_none());
}

#[test]
fn zones_settle_and_lose() {
    let settings = ZoneSettings { settle: 0.2, lost: 1.0, dwell: Some(1.0), crowd: None };
    let mut zone = ZoneWatch::new(vec![vec![(0.0, 0.0), (100.0, 0.0), (100.0, 100.0), (0.0, 100.0)]], settings);
    let mut all = Vec::new();
    for n in 0..100usize {
        let t = n as f64 / 10.0;
        // In from 1 s on with a slip at 2 s, not seen from 3 s on.
        let x = if n < 10 || n == 20 { -20.0 } else { 50.0 };
        let list = if n < 30 { vec![seen(1, (x, 50.0))] } else { vec![] };
        all.extend(zone.look(t, n, &list));
    }
    let found: Vec<String> = all
        .iter()
        .map(|c| match c {
            Change::Entered(s) => format!("in {}", s.when),
            Change::Dwelt(s) => format!("dwelt {}", s.when),
            Change::Left(s, why) => format!("{why:?} {} {:.1}", s.when, s.seconds),
            _ => "?".into(),
        })
        .collect();
    assert_eq!(found, ["in 10", "dwelt 20", "Lost 29 1.9"]);
}

#[test]
fn a_ground_of_three_places_in_line_is_none() {
    let square = [(0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0)];
    assert!(Ground::new([(0.0, 0.0), (50.0, 0.0), (100.0, 0.0), (0.0, 100.0)], square).is_none());
    assert!(Ground::new([(0.0, 0.0), (0.0, 0.0), (100.0, 0.0), (0.0, 100.0)], square).is_none());
    let g = Ground::new([(100.0, 100.0), (200.0, 100.0), (300.0, 400.0), (0.0, 400.0)], square).unwrap();
    assert!(g.at((150.0, -300.0)).is_none(), "the sky");
    let (x, y) = g.at((300.0, 400.0)).unwrap();
    assert!((x - 1.0).abs() < 1e-9 && (y - 1.0).abs() < 1e-9);
}

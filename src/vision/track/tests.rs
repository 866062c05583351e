//! What every tracker must keep to.

use proptest::prelude::*;

use super::*;

const KINDS: [Kind; 2] = [Kind::ByteOc, Kind::Sort];

fn person(rect: Rect, score: f32) -> Detection {
    Detection { rect, score, label: "person".into(), detector: "test".into(), ..Detection::default() }
}

fn tracker(kind: Kind) -> Box<dyn Tracker> {
    kind.open(Settings::default())
}

/// The numbers that `seen` get at `time`.
fn look(tracker: &mut dyn Tracker, time: f64, seen: &mut [Detection]) -> Vec<Option<u32>> {
    let mut refs: Vec<&mut Detection> = seen.iter_mut().collect();
    tracker.look(time, &mut refs);
    seen.iter().map(|d| d.track).collect()
}

/// Two people who walk towards each other and pass, one 40 pixels below the other; the one behind is hidden while they meet.
fn crossing(t: f64) -> Vec<Detection> {
    let t = t as f32;
    let (a, b) = (Rect::new(50.0 + 60.0 * t, 100.0, 40.0, 100.0), Rect::new(450.0 - 60.0 * t, 140.0, 44.0, 110.0));
    let hidden = a.iou(&b) > 0.1;
    let mut seen = vec![person(b, 0.9)];
    if !hidden {
        seen.insert(0, person(a, 0.9));
    }
    seen
}

#[test]
fn people_who_cross_keep_their_numbers() {
    for (kind, every) in [(Kind::ByteOc, 1), (Kind::ByteOc, 3), (Kind::Sort, 1)] {
        let mut tracker = tracker(kind);
        let mut last = Vec::new();
        for i in 0..180 {
            let t = f64::from(i) / 30.0;
            if i % every > 0 {
                tracker.pass(t);
                continue;
            }
            let ids = look(&mut *tracker, t, &mut crossing(t));
            if t > 0.5 && ids.len() == 2 {
                assert_eq!(ids, [Some(1), Some(2)], "{kind:?} at {t}");
            } else if t > 0.5 {
                assert_eq!(ids, [Some(2)], "{kind:?} at {t}");
            }
            last = ids;
        }
        assert_eq!(last.len(), 2, "they are apart at the end");
    }
}

#[test]
fn numbers_do_not_depend_on_the_frame_rate() {
    let constant: Vec<f64> = (0..180).map(|i| f64::from(i) / 30.0).collect();
    let uneven: Vec<f64> = (0..180).map(|i| f64::from(i) / 30.0 + [0.0, 0.012, -0.009, 0.02][i as usize % 4]).collect();
    let sparse: Vec<f64> = constant.iter().copied().step_by(4).collect();
    // Half of it at 30 a second, the rest at 8.
    let changing: Vec<f64> = constant[..90].iter().copied().chain((24..48).map(|i| f64::from(i) / 8.0)).collect();
    for times in [constant, uneven, sparse, changing] {
        let mut tracker = tracker(Kind::ByteOc);
        for t in times {
            let ids = look(&mut *tracker, t, &mut crossing(t));
            if t > 0.6 {
                assert_eq!(ids.last(), Some(&Some(2)), "at {t}");
                assert!(ids.len() == 1 || ids[0] == Some(1), "{ids:?} at {t}");
            }
        }
    }
}

#[test]
fn numbers_start_at_1_and_have_no_gaps() {
    for kind in KINDS {
        let mut tracker = tracker(kind);
        let mut found = std::collections::BTreeSet::new();
        for i in 0..300u32 {
            // A new person every second, and something seen once in every other picture.
            let who = i / 30;
            let walker = Rect::new(20.0 * who as f32 + i as f32 % 30.0, 50.0, 40.0, 90.0);
            let mut seen = vec![person(walker, 0.8)];
            if i % 2 == 0 {
                seen.push(person(Rect::new(700.0 + 13.0 * i as f32, 400.0, 30.0, 60.0), 0.9));
            }
            let ids = look(&mut *tracker, f64::from(i) / 30.0, &mut seen);
            assert_eq!(ids.get(1).copied().flatten(), None, "what was seen once has no number");
            found.extend(ids.into_iter().flatten());
        }
        let count = found.len() as u32;
        assert!(count >= 1 && found.into_iter().eq(1..=count), "{kind:?}");
    }
}

#[test]
fn weak_detections_continue_tracks_and_begin_none() {
    let mut tracker = tracker(Kind::ByteOc);
    for i in 0..60 {
        let score = if i < 20 { 0.9 } else { 0.3 };
        let mut seen = [
            person(Rect::new(100.0 + i as f32, 50.0, 40.0, 90.0), score),
            person(Rect::new(400.0, 50.0, 40.0, 90.0), 0.3),
        ];
        let ids = look(&mut *tracker, f64::from(i) / 30.0, &mut seen);
        assert_eq!(ids, [(i >= 2).then_some(1), None], "picture {i}");
    }
}

#[test]
fn classes_are_apart_unless_told_otherwise() {
    for across in [false, true] {
        let settings = Settings { across_classes: across, ..Settings::default() };
        let mut tracker = Kind::ByteOc.open(settings);
        let mut last = Vec::new();
        for i in 0..20 {
            let mut seen = [person(Rect::new(100.0, 50.0, 40.0, 90.0), 0.9)];
            if i >= 10 {
                (seen[0].class, seen[0].label) = (2, "car".into());
            }
            last = look(&mut *tracker, f64::from(i) / 30.0, &mut seen);
        }
        assert_eq!(last, [Some(if across { 1 } else { 2 })]);
    }
}

/// Two people who stand together, vanish, and come back in each other's place.
#[test]
fn appearance_tells_people_apart() {
    let looks = [vec![1.0, 0.0, 0.1], vec![0.0, 1.0, 0.1]];
    for appearance in [0.0, 0.5] {
        let mut tracker = Kind::ByteOc.open(Settings { appearance, ..Settings::default() });
        let mut last = Vec::new();
        for i in 0..60 {
            let t = f64::from(i) / 30.0;
            if (20..40).contains(&i) {
                look(&mut *tracker, t, &mut []);
                continue;
            }
            let x = if i < 20 { [100.0, 150.0] } else { [150.0, 100.0] };
            let mut seen = [0, 1].map(|k| {
                let embedding = Some(looks[k].clone().into());
                Detection { embedding, ..person(Rect::new(x[k], 50.0, 40.0, 90.0), 0.9) }
            });
            last = look(&mut *tracker, t, &mut seen);
        }
        let wanted = if appearance > 0.0 { [Some(1), Some(2)] } else { [Some(2), Some(1)] };
        assert_eq!(last, wanted, "appearance {appearance}");
    }
}

#[test]
fn smooth_boxes_are_near_and_only_where_asked_for() {
    for smooth in [false, true] {
        let mut tracker = Kind::ByteOc.open(Settings { smooth, ..Settings::default() });
        for i in 0..30 {
            // The detector trembles by 4 pixels.
            let at = Rect::new(100.0 + 2.0 * i as f32 + if i % 2 == 0 { 4.0 } else { -4.0 }, 50.0, 40.0, 90.0);
            let mut seen = [person(at, 0.9)];
            look(&mut *tracker, f64::from(i) / 30.0, &mut seen);
            let off = (seen[0].rect.x - (100.0 + 2.0 * i as f32)).abs();
            if i > 10 {
                assert!(if smooth { off < 3.0 } else { off == 4.0 }, "smooth {smooth}, picture {i}: {off}");
            }
        }
    }
}

#[test]
fn jumps_in_time_end_all_tracks() {
    for kind in KINDS {
        for jump in [-5.0, 1000.0] {
            let mut tracker = tracker(kind);
            let mut found = Vec::new();
            for i in 0..20 {
                let t = f64::from(i) / 30.0 + if i >= 10 { jump } else { 0.0 };
                found.push(look(&mut *tracker, t, &mut [person(Rect::new(9.0, 9.0, 40.0, 90.0), 0.9)])[0]);
            }
            assert_eq!((found[9], found[10], found[19]), (Some(1), None, Some(2)), "{kind:?} by {jump}");
        }
    }
}

#[test]
fn nonsense_is_passed_over() {
    for kind in KINDS {
        let mut tracker = tracker(kind);
        let bad = [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, f32::MAX, -1.0, 0.0];
        for i in 0..30 {
            let mut seen = vec![person(Rect::new(50.0, 50.0, 20.0, 40.0), 0.9)];
            for v in bad {
                seen.push(person(Rect::new(10.0, 10.0, v, 20.0), 0.9));
                seen.push(person(Rect::new(10.0, 10.0, 20.0, v), 0.9));
                seen.push(person(Rect::new(v, 300.0, if v.abs() <= 1.0 { 0.0 } else { 20.0 }, 20.0), 0.9));
            }
            seen.push(person(Rect::new(200.0, 50.0, 20.0, 40.0), f32::NAN));
            let time = if i == 15 { f64::NAN } else { f64::from(i) / 30.0 };
            let ids = look(&mut *tracker, time, &mut seen);
            assert!(ids[1..].iter().all(Option::is_none), "{kind:?}: {ids:?}");
            assert_eq!(ids[0], (i >= 2).then_some(1), "{kind:?} in picture {i}");
        }
    }
}

#[test]
fn a_thousand_boxes_on_one_heap_come_to_an_end() {
    for kind in KINDS {
        let mut tracker = tracker(kind);
        for i in 0..4 {
            let heap = |k: u32| Rect::new(100.0 + (k % 37) as f32, 100.0 + (k % 41) as f32, 200.0, 300.0);
            let mut seen: Vec<Detection> = (0..1000).map(|k| person(heap(k), 0.9)).collect();
            let ids = look(&mut *tracker, f64::from(i) / 30.0, &mut seen);
            assert!(i < 2 || ids.iter().all(Option::is_some), "{kind:?}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever comes: the same again, no number twice in a picture, and no gaps.
    #[test]
    fn numbers_hold_for_any_input(
        pictures in prop::collection::vec(
            (-0.5f64..1.0, prop::collection::vec((-50f32..400.0, -50f32..300.0, 0f32..90.0, 0f32..90.0, 0f32..1.0, 0u32..2), 0..9)),
            0..40,
        )
    ) {
        for kind in KINDS {
            let run = || {
                let (mut tracker, mut time, mut out) = (tracker(kind), 0.0, Vec::new());
                for (i, (dt, boxes)) in pictures.iter().enumerate() {
                    // Mostly forward.
                    time += if *dt < -0.45 { *dt } else { dt.abs() };
                    if i % 4 == 3 {
                        tracker.pass(time);
                    } else {
                        let one = |(x, y, w, h, score, class): &(f32, f32, f32, f32, f32, u32)| {
                            Detection { class: *class, ..person(Rect::new(*x, *y, *w, *h), *score) }
                        };
                        let mut seen: Vec<Detection> = boxes.iter().map(one).collect();
                        out.push(look(&mut *tracker, time, &mut seen));
                        assert!(seen.iter().all(|d| d.rect.is_finite()));
                    }
                    tracker.confirmed(&mut |t| assert!(t.rect.is_finite() && t.rect.w > 0.0 && t.unseen >= 0.0));
                }
                out
            };
            let found = run();
            prop_assert_eq!(&found, &run());
            let mut given = 0;
            for ids in found {
                let mut ids: Vec<u32> = ids.into_iter().flatten().collect();
                ids.sort_unstable();
                prop_assert!(ids.windows(2).all(|w| w[0] < w[1]), "a number twice: {:?}", ids);
                for id in ids {
                    prop_assert!(id >= 1 && id <= given + 1, "{} after {}", id, given);
                    given = given.max(id);
                }
            }
        }
    }
}

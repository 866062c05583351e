use super::*;

const SETTINGS: Settings = Settings { hold: 1.0, lead: 0.5, max_speed: 3.0, growth: 0.5, start: 0.6, link: 0.3 };

/// One frame after the other, 25 a second; `f` says what is found on each, if a detector looks at it.
fn run(n: u32, f: impl Fn(u32) -> Option<Vec<(Rect, f32)>>) -> Vec<Vec<Cover>> {
    timed(&(0..n).map(|i| f64::from(i) / 25.0).collect::<Vec<_>>(), &[], f)
}

fn timed(times: &[f64], cuts: &[usize], f: impl Fn(u32) -> Option<Vec<(Rect, f32)>>) -> Vec<Vec<Cover>> {
    let mut covers = Covers::new(SETTINGS);
    let looked: Vec<bool> = (0..times.len()).map(|i| f(i as u32).is_some()).collect();
    for (i, t) in times.iter().enumerate() {
        covers.see(*t, looked[i], cuts.contains(&i), &found(f(i as u32).unwrap_or_default()));
    }
    let mut all = Vec::new();
    for (t, looked) in times.iter().zip(looked) {
        let mut out = Vec::new();
        covers.at(*t, looked, &mut out);
        covers.forget(*t);
        all.push(out);
    }
    all
}

fn found(boxes: Vec<(Rect, f32)>) -> Vec<Found> {
    boxes.into_iter().map(|(rect, score)| Found { rect, score, predicted: false }).collect()
}

/// Walks to the right by 5 pixels a frame.
fn face(i: u32) -> Rect {
    Rect::new(100.0 + 5.0 * i as f32, 80.0, 40.0, 50.0)
}

/// The share of `what` that lies under one of `covers`.
fn covered(covers: &[Cover], what: &Rect) -> f32 {
    covers.iter().map(|c| c.rect.intersection(what).area() / what.area()).fold(0.0, f32::max)
}

#[test]
fn a_cover_stands_on_missed_pictures_too() {
    let all = run(60, |i| Some(if (20..32).contains(&i) { vec![] } else { vec![(face(i), 0.9)] }));
    for (i, covers) in all.iter().enumerate() {
        let seen = !(20..32).contains(&i);
        assert!(covered(covers, &face(i as u32)) > 0.99, "{i}: {covers:?}");
        assert_eq!((covers.len(), covers[0].id), (1, 1), "{i}");
        assert_eq!(covers[0].why, if seen { Why::Seen } else { Why::Interpolated }, "{i}");
    }
}

#[test]
fn it_goes_on_and_comes_early_and_grows() {
    let all = run(100, |i| Some(if (40..50).contains(&i) { vec![(face(i), 0.9)] } else { vec![] }));
    let whys: Vec<Option<Why>> = all.iter().map(|c| c.first().map(|c| c.why)).collect();
    // The frame before the first look with something in it, and 0.5 s before that; 1 s after the first one without.
    assert_eq!(whys.iter().position(Option::is_some), Some(40 - 1 - 12));
    assert_eq!(whys.iter().rposition(Option::is_some), Some(50 + 25));
    assert!(whys[27..40].iter().all(|w| *w == Some(Why::Lead)) && whys[50..76].iter().all(|w| *w == Some(Why::Held)));
    for i in (34..40).chain(50..56) {
        assert!(covered(&all[i as usize], &face(i)) > 0.99, "{i}");
    }
    assert!(all[60][0].rect.area() > all[52][0].rect.area() && all[52][0].rect.area() > face(49).area());
}

#[test]
fn pictures_that_nobody_looked_at_are_covered_whatever_hold_says() {
    // A look every 2 s, longer than hold and lead.
    let at = |i: u32| Rect::new(100.0 + 0.2 * i as f32, 80.0, 40.0, 50.0);
    let all = run(200, |i| i.is_multiple_of(50).then(|| if i < 150 { vec![(at(i), 0.9)] } else { vec![] }));
    assert!((1..50).all(|i| all[i].len() == 1 && all[i][0].why == Why::Between));
    assert!((101..176).all(|i| all[i].len() == 1 && all[i][0].why == Why::Held));
    assert!((176..200).all(|i| all[i].is_empty()));
    // And before the first: back to the look that saw nothing, and lead before that.
    let all = run(200, |i| i.is_multiple_of(50).then(|| if i >= 100 { vec![(at(i), 0.9)] } else { vec![] }));
    assert!((38..100).all(|i| all[i].len() == 1 && all[i][0].why == Why::Lead) && all[37].is_empty());
}

#[test]
fn variable_rates_count_in_seconds() {
    let times: Vec<f64> = (0..40).map(|i| f64::from(i) * 0.02 + if i >= 20 { 1.5 } else { 0.0 }).collect();
    let all = timed(&times, &[], |i| Some(if i < 19 { vec![(Rect::new(9.0, 9.0, 40.0, 40.0), 0.9)] } else { vec![] }));
    // Frame 19 is the miss; 1.5 s later hold is over.
    assert_eq!(all.iter().map(Vec::len).sum::<usize>(), 20);
}

#[test]
fn weak_boxes_continue_and_begin_but_do_not_start() {
    assert!(run(20, |i| Some(vec![(face(i), 0.5)])).iter().all(Vec::is_empty));
    let all = run(20, |i| Some(vec![(face(i), if i == 10 { 0.7 } else { 0.4 })]));
    assert!(all.iter().all(|c| c.len() == 1 && c[0].id == 1 && c[0].why == Why::Seen));
    assert!(run(20, |i| Some(vec![(face(i), if i == 10 { 0.7 } else { 0.2 })])).iter().any(|c| c[0].why != Why::Seen));
}

#[test]
fn two_that_pass_each_other_stay_two() {
    let (a, b) = (|i: u32| face(i), |i: u32| Rect::new(400.0 - 5.0 * i as f32, 82.0, 44.0, 52.0));
    let all = run(60, |i| Some(if i % 7 == 3 { vec![] } else { vec![(b(i), 0.9), (a(i), 0.8)] }));
    for (i, covers) in (0..).zip(&all) {
        assert!(covered(covers, &a(i)) > 0.9 && covered(covers, &b(i)) > 0.9, "{i}: {covers:?}");
    }
}

#[test]
fn a_new_scene_ends_what_is_only_held_once_it_was_looked_at() {
    let find = |i: u32| Some(if i < 20 { vec![(face(0), 0.9)] } else { vec![] });
    let plain = timed(&(0..60).map(|i| f64::from(i) / 25.0).collect::<Vec<_>>(), &[25], find);
    assert!(plain[..25].iter().all(|c| c.len() == 1) && plain[25..].iter().all(Vec::is_empty));
    // The detector looks at every fifth only: the frames up to its next look stay covered.
    let sparse = |i: u32| i.is_multiple_of(5).then(|| find(i)).flatten();
    let all = timed(&(0..60).map(|i| f64::from(i) / 25.0).collect::<Vec<_>>(), &[22], sparse);
    assert!(all[..25].iter().all(|c| c.len() == 1) && all[25..].iter().all(Vec::is_empty));
    // A face found behind the cut is covered back to it, and not before.
    let late = |i: u32| Some(if i >= 30 { vec![(face(0), 0.9)] } else { vec![] });
    let all = timed(&(0..60).map(|i| f64::from(i) / 25.0).collect::<Vec<_>>(), &[25], late);
    assert!(all[..25].iter().all(Vec::is_empty) && all[25..].iter().all(|c| c.len() == 1));
    // What is found again at the same place was there all the time, cut or no cut.
    let again = |i: u32| Some(if (20..30).contains(&i) { vec![] } else { vec![(face(0), 0.9)] });
    let all = timed(&(0..60).map(|i| f64::from(i) / 25.0).collect::<Vec<_>>(), &[25], again);
    assert!(all.iter().all(|c| !c.is_empty()));
}

#[test]
fn nothing_piles_up() {
    let mut covers = Covers::new(SETTINGS);
    let mut out = Vec::new();
    for i in 0..4_000u32 {
        let t = f64::from(i) / 25.0;
        let there = Rect::new((i * 37 % 900) as f32, (i * 91 % 500) as f32, 30.0, 30.0);
        covers.see(t, true, i % 50 == 0, &found(vec![(face(0), 0.9), (there, 0.9), (there.moved(60.0, 0.0), 0.4)]));
        covers.at(t, true, &mut out);
        covers.forget(t);
    }
    assert!(covers.lines.len() < 100 && covers.loose.len() < 100 && covers.cuts.len() < 10 && covers.looks.len() < 200);
    assert!(covers.lines.iter().all(|l| l.seen.len() < 200));
}

#[test]
fn boxes_that_are_none_are_left_alone() {
    let all = run(3, |_| Some(vec![(Rect::new(f32::NAN, 0.0, 1.0, 1.0), 0.9), (Rect::new(1.0, 1.0, 0.0, 5.0), 0.9)]));
    assert!(all.iter().all(Vec::is_empty));
}

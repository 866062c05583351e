//! What `redact` hides stays hidden, on every frame, and nothing else is touched.

mod files;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use framewright::config::read_op;
use framewright::frame::{Component, Frame, Layout, Spec};
use framewright::ops::Stream;
use framewright::pipeline::chain::Chain;
use framewright::pipeline::stages;
use framewright::vision::{Detection, Rect};
use gstreamer::ClockTime;
use gstreamer_video::VideoFormat;

use crate::common::*;
use crate::fw;
use crate::registry::{bytes, frame, spec};

fn face(i: u64) -> Rect {
    Rect::new(60.0 + 2.0 * i as f32, 80.0, 48.0, 60.0)
}

fn detection(rect: Rect) -> Detection {
    Detection { rect, score: 0.9, label: "face".into(), detector: "faces".into(), ..Detection::default() }
}

/// Noise frames at `times` (seconds) through `op`; `find` says what is found on each, if a detector looks at it.
fn run(op: &str, spec: &Arc<Spec>, times: &[f64], live: bool, find: impl Fn(u64) -> Option<Vec<Rect>>) -> Vec<Frame> {
    gstreamer::init().expect("GStreamer");
    let stream = Stream { name: "noise".into(), live, ..Stream::default() };
    let mut chain = Chain::prepare(&[read_op(op).expect(op)], spec, &stream, 1).expect(op);
    let frames: Vec<Frame> = (0..).zip(times).map(|(i, t)| made(spec, i, *t, &find)).collect();
    let mut out = Vec::new();
    stages::run(&mut chain, frames.into_iter(), &mut |f| {
        out.push(f);
        true
    })
    .expect(op);
    out
}

/// The same noise every time: other noise on each frame would be a new scene on each.
fn picture(spec: &Arc<Spec>) -> Frame {
    frame(spec, 7)
}

fn made(spec: &Arc<Spec>, i: u64, time: f64, find: &impl Fn(u64) -> Option<Vec<Rect>>) -> Frame {
    let mut made = picture(spec);
    made.meta = Default::default();
    made.index = i;
    made.pts = ClockTime::from_nseconds((time * 1e9).round() as u64);
    if let Some(found) = find(i) {
        made.meta.looked.push("faces".into());
        made.meta.detections.extend(found.into_iter().map(detection));
    }
    made
}

fn steady(n: u64) -> Vec<f64> {
    (0..n).map(|i| i as f64 / 25.0).collect()
}

fn i420() -> Arc<Spec> {
    gstreamer::init().expect("GStreamer");
    spec(VideoFormat::I420, 320, 240)
}

/// How much of `rect` is not what it was: the share of changed luma samples.
fn hidden(out: &Frame, rect: &Rect) -> f64 {
    let before = picture(out.spec());
    let (a, b) = (before.planes().expect("planes"), out.planes().expect("planes"));
    let rect = rect.within(out.width() as f32, out.height() as f32);
    let (mut all, mut changed) = (0, 0);
    for y in rect.y as u32..rect.bottom() as u32 {
        let (a, b) = (a.row(0, y).expect("a row"), b.row(0, y).expect("a row"));
        for x in rect.x as usize..rect.right() as usize {
            all += 1;
            changed += u32::from(a[x] != b[x]);
        }
    }
    f64::from(changed) / f64::from(all.max(1))
}

/// True when nothing but samples that show some of `rects` is not what it was, on any plane.
fn only_there(out: &Frame, rects: &[Rect]) -> bool {
    let (before, spec) = (picture(out.spec()), out.spec());
    let (a, b) = (before.planes().expect("planes"), out.planes().expect("planes"));
    spec.layout.planes.iter().enumerate().all(|(p, plane)| {
        let size = plane.channels.len() * spec.layout.bytes as usize;
        (0..plane.rows(out.height())).all(|y| {
            let (a, b) = (a.row(p, y).expect("a row"), b.row(p, y).expect("a row"));
            a.chunks(size).zip(b.chunks(size)).enumerate().all(|(x, (a, b))| {
                let sample = Rect::new((x << plane.w_sub) as f32, (y << plane.h_sub) as f32, 0.0, 0.0);
                let (w, h) = ((1 << plane.w_sub) as f32, (1 << plane.h_sub) as f32);
                // One pixel more, since covers are rounded outwards.
                let touches = |r: &Rect| {
                    sample.x < r.right() + 1.0
                        && sample.x + w > r.x - 1.0
                        && sample.y < r.bottom() + 1.0
                        && sample.y + h > r.y - 1.0
                };
                a == b || rects.iter().any(touches)
            })
        })
    })
}

#[test]
fn frames_that_the_detector_missed_are_covered() {
    // Missed on 20 to 29, first seen on 10, last on 59.
    let find = |i| Some(if (10..20).contains(&i) || (30..60).contains(&i) { vec![face(i)] } else { vec![] });
    let out = run("redact:hold=0.4,lead=0.3", &i420(), &steady(90), false, find);
    assert_eq!(out.len(), 90);
    for (i, f) in (0..).zip(&out) {
        assert_eq!((f.index, f.pts.mseconds()), (i, 40 * i));
        match i {
            // The look before the first with something in it, and lead before that; the first look without, and hold.
            0..2 | 71.. => assert!(only_there(f, &[]), "{i} is touched"),
            2..10 | 60..71 => assert!(hidden(f, &face(i.clamp(10, 59))) > 0.9, "{i} is open"),
            _ => {
                assert!(hidden(f, &face(i)) > 0.9, "{i} is open");
                let missed = (20..30).contains(&i);
                assert!(only_there(f, &[face(i).grown(if missed { 0.5 } else { 0.25 })]), "{i} hides too much");
            }
        }
    }
}

#[test]
fn live_sources_are_not_held_back() {
    let find = |i| Some(if (10..20).contains(&i) { vec![face(i)] } else { vec![] });
    let out = run("redact:hold=0.4,lead=0.3", &i420(), &steady(40), true, find);
    assert!((0..10).all(|i| only_there(&out[i as usize], &[])), "nothing can be known before it is found");
    assert!((10..31).all(|i| hidden(&out[i as usize], &face(i.min(19))) > 0.9));
    // What goes in comes out at once.
    let stream = Stream { name: "noise".into(), live: true, ..Stream::default() };
    let mut chain = Chain::prepare(&[read_op("redact").expect("redact")], &i420(), &stream, 1).expect("redact");
    let mut made_of_one = Vec::new();
    chain.segments[0].lanes[0].process(made(&i420(), 0, 0.0, &find), &mut made_of_one).expect("a frame");
    assert_eq!(made_of_one.len(), 1);
}

#[test]
fn variable_rates_and_every_fifth_frame_are_covered_throughout() {
    // 60 a second, then 8, then 60.
    let mut times = vec![0.0];
    for i in 1..120 {
        times.push(times[i - 1] + if (40..60).contains(&i) { 0.125 } else { 1.0 / 60.0 });
    }
    let place = |t: f64| Rect::new(40.0 + 20.0 * t as f32, 80.0, 48.0, 60.0);
    let at = times.clone();
    let find = move |i: u64| i.is_multiple_of(5).then(|| vec![place(at[i as usize])]);
    let out = run("redact", &i420(), &times, false, find);
    for (i, f) in (0..).zip(&out) {
        assert_eq!(f.pts.nseconds(), (times[i as usize] * 1e9).round() as u64);
        assert!(hidden(f, &place(times[i as usize])) > 0.9, "{i} is open");
    }
}

#[test]
fn held_back_frames_are_bounded() {
    // No detector ever looks: frames come out all the same, and as they were.
    let op = read_op("redact").expect("redact");
    let stream = Stream { name: "noise".into(), ..Stream::default() };
    let mut chain = Chain::prepare(&[op], &i420(), &stream, 1).expect("redact");
    let lane = &mut chain.segments[0].lanes[0];
    let (mut out, mut most) = (Vec::new(), 0);
    for i in 0..400 {
        lane.process(made(&i420(), i, i as f64 / 120.0, &|_| None), &mut out).expect("a frame");
        most = most.max(i as usize + 1 - out.len());
    }
    assert!((100..=120).contains(&most), "{most} were held back");
    lane.finish(&mut out).expect("the end");
    assert!(out.len() == 400 && (0..400).all(|i| bytes(&out[i]) == bytes(&picture(out[i].spec()))));
}

/// A frame whose samples within each cell of 8×8 pixels are another permutation for each `turn`.
fn shuffled(spec: &Arc<Spec>, turn: usize) -> Frame {
    let mut made = frame(spec, 7);
    made.meta = Default::default();
    let (layout, size) = (spec.layout.clone(), spec.layout.bytes as usize);
    let mut planes = made.planes_mut().expect("planes");
    for (p, plane) in layout.planes.iter().enumerate() {
        let n = plane.channels.len() * size;
        let (w, h) = (8usize >> plane.w_sub, 8u32 >> plane.h_sub);
        for y in 0..plane.rows(240) {
            let row = planes.row_mut(p, y).expect("a row");
            for cell in row.chunks_mut(w * n) {
                cell.rotate_left((turn + y as usize % 3) % w * n);
            }
        }
        if turn > 0 {
            // Rows of a cell change places as well.
            for y in (0..plane.rows(240)).step_by(h as usize) {
                let (a, b) =
                    (planes.row_mut(p, y).expect("a row").to_vec(), planes.row_mut(p, y + h - 1).unwrap().to_vec());
                planes.row_mut(p, y).expect("a row").copy_from_slice(&b);
                planes.row_mut(p, y + h - 1).expect("a row").copy_from_slice(&a);
            }
        }
    }
    drop(planes);
    made
}

/// Two pictures with the same means of 11×11 cells, and different everywhere within them, come out the same to the bit, on
/// luma and on chroma: nothing but those means is left.
#[test]
fn fewer_than_twelve_cells_are_left_of_what_is_hidden() {
    gstreamer::init().expect("GStreamer");
    let rect = Rect::new(80.0, 64.0, 88.0, 88.0);
    for format in [VideoFormat::I420, VideoFormat::Nv12, VideoFormat::Y444, VideoFormat::I42010le, VideoFormat::Bgr] {
        for method in ["pixelate", "blur", "fill", "image,image=config/assets/logo.png"] {
            let spec = spec(format, 320, 240);
            let op = format!("redact:method={method},cells=11,margin=0");
            let stream = Stream { name: "noise".into(), ..Stream::default() };
            let [one, other] = [0, 2].map(|turn| {
                let mut chain = Chain::prepare(&[read_op(&op).expect(&op)], &spec, &stream, 1).expect(&op);
                let mut made = shuffled(&spec, turn);
                made.meta.detections.push(detection(rect));
                let mut out = Vec::new();
                stages::run(&mut chain, [made].into_iter(), &mut |f| {
                    out.push(f);
                    true
                })
                .expect(&op);
                out.remove(0)
            });
            let (a, b) = (one.planes().expect("planes"), other.planes().expect("planes"));
            for (p, plane) in spec.layout.planes.iter().enumerate() {
                let n = plane.channels.len() * spec.layout.bytes as usize;
                let columns = (80 >> plane.w_sub) * n..(168 >> plane.w_sub) * n;
                let mut kinds = std::collections::BTreeSet::new();
                let (mut same, mut outside) = (true, false);
                for y in 64 >> plane.h_sub..152 >> plane.h_sub {
                    let (a, b) = (a.row(p, y).expect("a row"), b.row(p, y).expect("a row"));
                    same &= a[columns.clone()] == b[columns.clone()];
                    outside |= a[..columns.start] != b[..columns.start];
                    kinds.insert(a[columns.clone()].to_vec());
                }
                assert!(outside, "the two differ");
                assert!(same, "{method} on {format}: more than the means of plane {p} is left");
                assert!(method != "pixelate" || kinds.len() < 12, "{} rows of cells on plane {p}", kinds.len());
            }
        }
    }
}

#[test]
fn every_format_is_covered_and_keeps_its_opacity() {
    gstreamer::init().expect("GStreamer");
    for format in Layout::all_formats() {
        for (w, h) in [(321, 241), (16, 16), (1, 1)] {
            for method in ["pixelate", "blur", "fill", "image,image=config/assets/logo.png,shape=ellipse"] {
                // One in the middle, one over the right lower corner, one outside, one that is larger than the picture.
                let sets = [
                    vec![Rect::new(90.5, 70.3, 33.7, 51.2), Rect::new(300.0, 220.0, 60.0, 60.0)],
                    vec![Rect::new(-900.0, -900.0, 60.0, 60.0), Rect::new(-9.0, -9.0, 5000.0, 5000.0)],
                ];
                for set in sets {
                    let (spec, found) = (spec(format, w, h), set.clone());
                    let what = format!("{method} on {format} {w}x{h}");
                    let op = format!("redact:method={method}");
                    let out = run(&op, &spec, &[0.0], false, |_| Some(found.clone()));
                    let grown: Vec<Rect> = set.iter().map(|r| r.grown(0.25)).collect();
                    assert!(only_there(&out[0], &grown), "{what}: too much is hidden");
                    let size = spec.layout.bytes as usize;
                    let (before, after) = (bytes(&picture(&spec)), bytes(&out[0]));
                    assert!(before != after || w < 321, "{what}: nothing is hidden");
                    if spec.layout.planes.len() == 1 && !method.contains("ellipse") && w == 321 {
                        let n = spec.layout.planes[0].channels.len();
                        for (k, c) in spec.layout.planes[0].channels.iter().enumerate() {
                            let pick = |all: &[u8]| -> Vec<u8> {
                                all.chunks(size * n).flat_map(|s| s[k * size..(k + 1) * size].to_vec()).collect()
                            };
                            let kept = matches!(c, Component::Alpha | Component::Unused);
                            assert_eq!(pick(&before) == pick(&after), kept, "{what}: {c:?}");
                        }
                    }
                    if size == 2 && spec.layout.shift == 0 && spec.layout.depth < 16 {
                        let most = (1u32 << spec.layout.depth) - 1;
                        let within = |s: &[u8]| u32::from(u16::from_le_bytes([s[0], s[1]])) <= most;
                        assert!(after.chunks(2).all(within), "{what}: beyond its bits");
                    }
                }
            }
        }
    }
}

#[test]
fn an_ellipse_leaves_the_corners() {
    let rect = Rect::new(100.0, 60.0, 80.0, 120.0);
    let out = run("redact:shape=ellipse,method=fill,margin=0", &i420(), &[0.0], false, |_| Some(vec![rect]));
    let inner = Rect::from_center(140.0, 120.0, 56.0, 84.0);
    assert!(hidden(&out[0], &inner) > 0.99 && only_there(&out[0], &[rect]));
    let corner = Rect::new(100.0, 60.0, 8.0, 12.0);
    assert_eq!(hidden(&out[0], &corner), 0.0);
}

#[test]
fn only_what_was_asked_for_is_hidden() {
    let find = |_| Some(vec![face(0)]);
    let open = |op: &str| only_there(&run(op, &i420(), &[0.0], false, find)[0], &[]);
    assert!(!open("redact:detector=faces,labels=plate|face") && !open("redact:min-score=0.9"));
    assert!(open("redact:detector=plates") && open("redact:labels=plate") && open("redact:min-score=0.95"));
}

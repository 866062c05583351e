//! What `redact` hides stays hidden, on every frame, and nothing else is touched.

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

/// A video of 50 frames with sound, tags, a cover picture, and boxes: seen on frames 10 to 19 and 25 to 39.
fn clip(dir: &Path) -> (PathBuf, PathBuf) {
    let (video, plain, cover, boxes) =
        (dir.join("in.mp4"), dir.join("plain.mp4"), dir.join("cover.png"), dir.join("boxes.jsonl"));
    let ffmpeg = |args: &[&str]| {
        let mut all: Vec<&std::ffi::OsStr> = ["-v", "error", "-nostdin", "-y"].map(std::ffi::OsStr::new).to_vec();
        all.extend(args.iter().map(std::ffi::OsStr::new));
        tool("ffmpeg", &all);
    };
    let text = |p: &Path| p.to_str().expect("UTF-8").to_owned();
    ffmpeg(&["-f", "lavfi", "-i", "color=red:s=64x64", "-frames:v", "1", &text(&cover)]);
    ffmpeg(
        &"-f lavfi -i testsrc2=s=320x240:r=25:d=2 -f lavfi -i sine=d=2 -c:v libx264 -c:a aac -metadata title=SECRET \
          -metadata comment=SECRET -metadata artist=SECRET -metadata location=+48.8584+002.2945/ -metadata:s:a:0 title=SECRET"
            .split_whitespace()
            .chain([text(&plain).as_str()])
            .collect::<Vec<_>>(),
    );
    ffmpeg(&[
        "-i",
        &text(&plain),
        "-i",
        &text(&cover),
        "-map",
        "0",
        "-map",
        "1",
        "-c",
        "copy",
        "-disposition:v:1",
        "attached_pic",
        &text(&video),
    ]);
    let line = |i: u32| {
        let rect = [60.0 + 2.0 * f64::from(i), 80.0, 48.0, 60.0];
        let one = serde_json::json!([{ "label": "face", "score": 0.9, "box": rect }]);
        let none = serde_json::json!([]);
        let seen = (10..20).contains(&i) || (25..40).contains(&i);
        serde_json::json!({ "frame": i, "detections": if seen { one } else { none } }).to_string() + "\n"
    };
    std::fs::write(&boxes, (0..50).map(line).collect::<String>()).expect("written");
    (video, boxes)
}

fn contains(path: &Path, what: &str) -> bool {
    std::fs::read(path).expect("a file").windows(what.len()).any(|w| w == what.as_bytes())
}

#[test]
fn a_redacted_file_has_every_frame_and_its_sound_and_nothing_about_the_source() {
    let dir = temp();
    let (video, boxes) = clip(dir.path());
    let described = |path: &Path| {
        let args = ["-v", "error", "-show_format", "-show_streams", "-of", "json", path.to_str().expect("UTF-8")];
        String::from_utf8_lossy(&tool("ffprobe", &args.map(std::ffi::OsStr::new))).into_owned()
    };
    let before_it = described(&video);
    assert!(before_it.contains("SECRET") && before_it.contains("+48.8") && before_it.contains("\"attached_pic\": 1"));
    let detect = format!("detect:model=boxes:{}", boxes.display());
    let before = Media::open(&video);
    for name in ["out.mp4", "out.mkv", "out.mov"] {
        let out = dir.path().join(name);
        let run = fw!["run", &video, "-o", &out, "--op", &detect, "--op", "redact:hold=0.2,lead=0.2"].ok();
        let after = Media::open(&out);
        assert_eq!(after.frames(), 50, "{name}");
        for (a, b) in before.pts().iter().zip(after.pts()) {
            assert!((a - b).abs() < 0.0011, "{name}: {a} became {b}");
        }
        let md5 = |m: &Media| m.audio(0).into_iter().map(|p| p.md5).collect::<Vec<_>>();
        let plain = dir.path().join(format!("plain-{name}"));
        fw!["run", &video, "-o", &plain].ok();
        let (plain, sound) = (md5(&Media::open(&plain)), md5(&after));
        assert!(plain == sound && sound.len() > 80, "{name}: the sound is another");
        let info = described(&out);
        assert!(
            !contains(&out, "SECRET") && !info.contains("\"location"),
            "{name} says something about the source: {info}"
        );
        assert!(!info.contains("\"attached_pic\": 1"), "{name} has a cover picture");
        let redact =
            run.stats["ops"].as_array().and_then(|o| o.iter().find(|o| o["name"] == "redact")).expect("redact");
        // lead: the look before and 5 frames before that; hold: the first look without and 5 after that.
        assert_eq!(redact["report"]["covered"], 6 + 10 + 5 + 15 + 6, "{name}: {redact}");
        assert_eq!(redact["report"]["predicted"], 6 + 5 + 6);
    }
    // Without redact the title stays: the test can fail.
    assert!(contains(&dir.path().join("plain-out.mp4"), "SECRET"));
}

#[test]
fn comments_inside_of_audio_headers_go_too() {
    let dir = temp();
    let (ogg, boxes) = (dir.path().join("in.ogg"), dir.path().join("boxes.txt"));
    let args = "-v error -nostdin -y -f lavfi -i testsrc2=s=160x120:r=25:d=1 -f lavfi -i sine=d=1 -c:v libtheora -c:a libvorbis \
                -metadata:s:a:0 title=SECRET -metadata:s:a:0 artist=SECRET";
    let mut args: Vec<&std::ffi::OsStr> = args.split_whitespace().map(std::ffi::OsStr::new).collect();
    args.push(ogg.as_os_str());
    tool("ffmpeg", &args);
    std::fs::write(&boxes, "1,-1,10,10,40,40,0.9,-1,-1,-1\n").expect("written");
    let detect = format!("detect:model=boxes:{}", boxes.display());
    for name in ["out.mkv", "out.webm", "out.mp4", "out.avi"] {
        let out = dir.path().join(name);
        fw!["run", &ogg, "-o", &out, "--op", &detect, "--op", "redact"].ok();
        assert!(!contains(&out, "SECRET"), "{name} says something about the source");
        assert!(!Media::open(&out).audio(0).is_empty(), "{name} has no sound");
    }
}

#[test]
fn the_report_lists_what_was_only_predicted() {
    let dir = temp();
    let (video, boxes) = clip(dir.path());
    let detect = format!("detect:model=boxes:{}", boxes.display());
    let page = dir.path().join("report.html");
    for original in [false, true] {
        let redact =
            format!("redact:hold=0.2,lead=0.2,method=fill,report={},report-original={original}", page.display());
        let run = fw!["run", &video, "-o", "null", "--op", &detect, "--op", &redact].ok();
        let html = std::fs::read_to_string(&page).expect("the report");
        let rows: Vec<&str> = html.lines().filter(|l| l.starts_with("<tr><td>")).collect();
        let frames: Vec<u64> = rows.iter().filter_map(|r| r[8..].split('<').next()?.parse().ok()).collect();
        assert_eq!(frames, (4..10).chain(20..25).chain(40..46).collect::<Vec<_>>());
        let why = |w: &str| rows.iter().filter(|r| r.contains(&format!("<td>{w}<td>"))).count();
        assert_eq!((why("lead"), why("interpolated"), why("held")), (6, 5, 6));
        let pictures: Vec<&str> = html.split("base64,").skip(1).filter_map(|p| p.split('"').next()).collect();
        assert_eq!(pictures.len(), 3, "one thumbnail for each span");
        for picture in pictures {
            let jpeg = data_encoding::BASE64.decode(picture.as_bytes()).expect("base64");
            let picture = image::load_from_memory(&jpeg).expect("a JPEG").to_rgb8();
            assert_eq!(picture.dimensions(), (320, 240));
            let yellow = picture.pixels().filter(|p| p.0[0] > 200 && p.0[1] > 180 && p.0[2] < 90).count();
            assert!(yellow > 100, "the cover is outlined");
            // Frames 4, 20, 40: black where something is hidden, or what was there.
            let black = picture.pixels().filter(|p| p.0.iter().all(|c| *c < 16)).count();
            assert_eq!(black > 3000, !original, "{black} black pixels");
        }
        let op = run.stats["ops"].as_array().and_then(|o| o.iter().find(|o| o["name"] == "redact")).expect("redact");
        assert_eq!(op["report"]["covers"].as_array().map(Vec::len), Some(17));
        assert_eq!(op["report"]["covers"][0]["why"], "lead");
        assert_eq!(
            std::fs::read_dir(dir.path())
                .expect("a folder")
                .flatten()
                .filter(|e| e.file_name().to_string_lossy().contains("partial"))
                .count(),
            0
        );
    }
    let run = fw!["run", &video, "-o", "null", "--op", &detect, "--op", "redact:report=nowhere/report.html"].fails(2);
    assert!(run.stderr.contains("no folder nowhere"), "{}", run.stderr);
}

#[test]
fn what_would_open_a_cover_is_refused() {
    let dir = temp();
    let boxes = dir.path().join("boxes.txt");
    std::fs::write(&boxes, "1,-1,10,10,40,40,0.9,-1,-1,-1\n").expect("written");
    let detect = format!("detect:model=boxes:{},name=faces", boxes.display());
    let refused = |ops: &[&str], says: &str| {
        let mut run = fw!["run", "generate:scene", "-o", "null"].words("--frames 3 --size 160x120");
        for op in ops {
            run = run.arg("--op").arg(op);
        }
        let out = run.fails(2);
        assert!(out.stderr.contains(says), "{ops:?}: {}", out.stderr);
    };
    refused(&[&detect, "redact:when=1s..2s"], "hidden for a while only");
    refused(&[&detect, "redact:enabled=false"], "would show what is to be hidden");
    refused(&[&detect, "redact:region=1,2,30,40"], "region is not possible");
    refused(&[&detect, "redact", "compare"], "would show the input");
    refused(&[&detect, "compare", "redact"], "compare");
    refused(&["redact"], "no op before it finds any");
    refused(&[&detect, "redact:detector=plates"], "plates");
    refused(&[&detect, "flip:direction=horizontal", "redact"], "no longer right");
}

//! The list of ops as a whole: what holds for every op, the ones not yet written included.

use std::collections::BTreeSet;
use std::sync::Arc;

use framewright::config::read_op;
use framewright::frame::{Frame, Layout, Pool, Spec};
use framewright::ops::{ALL, Group, OpSettings, Reach, Stream};
use framewright::pipeline::chain::Chain;
use framewright::pipeline::stages;
use framewright::vision::{self, Detection};
use gstreamer::ClockTime;
use gstreamer_video::{VideoFormat, VideoInfo};

#[test]
fn every_op_has_a_name_a_page_and_a_working_example() {
    let mut names = BTreeSet::new();
    for e in ALL {
        assert!(names.insert(e.name), "two ops are called {}", e.name);
        assert!(e.name.chars().all(|c| c.is_ascii_lowercase() || c == '-' || c.is_ascii_digit()), "{}", e.name);
        assert!(!e.behind.is_empty(), "{}: what does the work?", e.name);
        assert!(e.example.starts_with(e.name), "{}: example {}", e.name, e.example);
        let op = read_op(e.example).unwrap_or_else(|f| panic!("{}: {}", e.example, f.message));
        assert_eq!(op.name, e.name);
        let schema = (e.schema)();
        let text = |v: Option<&serde_json::Value>| v.and_then(|d| d.as_str()).unwrap_or_default().to_owned();
        assert!(text(schema.get("description")).len() > 10, "{} has no doc line", e.name);
        let keys = schema.get("properties").and_then(|p| p.as_object()).cloned().unwrap_or_default();
        for (key, property) in keys {
            assert!(text(property.get("description")).len() > 5, "{}: {key} has no doc line", e.name);
            assert!(!key.contains('_'), "{}: {key} is not kebab-case", e.name);
        }
    }
}

#[test]
fn every_effective_configuration_reads_back_as_itself() {
    for e in ALL {
        let op = read_op(e.example).expect(e.example);
        let mut text = String::from("[source]\nuri = \"test:smpte\"\n[[sink]]\ntype = \"null\"\n[[op]]\n");
        if e.needs().is_some() {
            text += "type = \"detect\"\nmodel = \"qr\"\n[[op]]\n";
        }
        text += &format!("type = \"{}\"\n{}", e.name, toml::to_string(&op.effective).expect("TOML"));
        let file = tempfile::NamedTempFile::new().expect("a file");
        std::fs::write(file.path(), &text).expect("written");
        let settings = framewright::config::read_file(file.path()).unwrap_or_else(|f| panic!("{}:\n{text}", f.message));
        assert_eq!(settings.ops.last().expect("the op").effective, op.effective);
    }
}

/// A frame with every sample different from its neighbours, and the same every time; in which something was seen: inside,
/// beyond the edge, and of no size.
pub fn frame(spec: &Arc<Spec>, index: u64) -> Frame {
    let buffer = Pool::new(&spec.info).and_then(|p| p.acquire()).expect("a buffer");
    let pts = ClockTime::from_mseconds(100 * index);
    let mut frame = Frame::new(buffer, spec.clone(), pts, Some(ClockTime::from_mseconds(100)));
    let mut noise = 0x1234_5678u32 + index as u32;
    let mut planes = frame.planes_mut().expect("writable planes");
    for (i, plane) in spec.layout.planes.iter().enumerate() {
        for y in 0..plane.rows(spec.info.height()) {
            let row = planes.row_mut(i, y).expect("a row");
            for sample in row.chunks_mut(spec.layout.bytes as usize) {
                noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                // Within the significant bits: what lies outside them must stay zero.
                let value = (noise >> 8 & ((1 << spec.layout.depth) - 1)) << spec.layout.shift;
                sample.copy_from_slice(&value.to_le_bytes()[..sample.len()]);
            }
        }
    }
    drop(planes);
    let (w, h) = (spec.info.width() as f32, spec.info.height() as f32);
    let boxes = [(0.3, 0.3, 0.3, 0.4), (-0.2, 0.8, 0.6, 0.7), (0.9, 0.5, 0.0, 0.0)];
    frame.meta.looked.push("noise".into());
    frame.meta.detections.extend((1u32..).zip(boxes).map(|(track, (x, y, dx, dy))| Detection {
        rect: vision::Rect::new(x * w, y * h, dx * w, dy * h),
        score: 0.9,
        label: "thing".into(),
        detector: "noise".into(),
        track: Some(track),
        points: [vision::Point { x: x * w, y: y * h }].into_iter().collect(),
        ..Detection::default()
    }));
    frame
}

pub fn bytes(frame: &Frame) -> Vec<u8> {
    let (planes, spec) = (frame.planes().expect("planes"), frame.spec());
    let rows = |i: usize| (0..spec.layout.planes[i].rows(frame.height())).map(move |y| (i, y));
    (0..planes.len()).flat_map(rows).flat_map(|(i, y)| planes.row(i, y).expect("a row").to_vec()).collect()
}

/// Sends `frames` noise frames through `ops`; `Err` is a refusal.
fn through(ops: &[OpSettings], spec: &Arc<Spec>, frames: u64, threads: usize) -> Result<Vec<Frame>, String> {
    let stream = Stream { name: "noise".into(), ..Stream::default() };
    let mut chain = Chain::prepare(ops, spec, &stream, threads).map_err(|f| f.message)?;
    let output = chain.output().clone();
    let mut out = Vec::new();
    let frames: Vec<Frame> = (0..frames).map(|n| frame(spec, n)).collect();
    stages::run(&mut chain, frames.into_iter(), &mut |f| {
        out.push(f);
        true
    })
    .map_err(|f| {
        panic!("{ops:?} on {} {:?}: {}", spec.info.format(), (spec.info.width(), spec.info.height()), f.message)
    })
    .ok();
    for f in &out {
        assert_eq!(f.spec().info, output.info, "{ops:?}: the frames are as the chain said they would be");
    }
    Ok(out)
}

pub fn spec(format: VideoFormat, w: u32, h: u32) -> Arc<Spec> {
    let info = VideoInfo::builder(format, w, h).fps(gstreamer::Fraction::new(10, 1)).build().expect("a video info");
    Arc::new(Spec::new(info).expect("a layout"))
}

/// What lies outside of the significant bits of 16-bit samples must stay zero.
fn check_bits(frame: &Frame, what: &str) {
    let layout = &frame.spec().layout;
    if layout.bytes == 2 && layout.shift == 0 && layout.depth < 16 {
        let most = (1u32 << layout.depth) - 1;
        let stray = bytes(frame).chunks(2).filter(|s| u32::from(u16::from_le_bytes([s[0], s[1]])) > most).count();
        assert!(stray == 0, "{what}: {stray} samples exceed {} bits", layout.depth);
    }
}

/// Every op's example on every raw format at odd, tiny, flat and single-pixel sizes: works, the same with any number of
/// workers, and within the bits; or refuses with a reason.
///
/// In parts, which run side by side: `part` of so many as there are tests below.
fn every_op_works_on_every_format_and_size(part: usize) {
    gstreamer::init().expect("GStreamer");
    let formats: Vec<VideoFormat> = Layout::all_formats().collect();
    assert!(formats.len() > 40, "only {} formats", formats.len());
    for e in ALL.iter().skip(part).step_by(4) {
        let settings = [read_op(e.example).expect(e.example)];
        let mut worked = 0;
        for format in &formats {
            for (w, h) in [(321, 241), (16, 16), (1, 1), (64, 2)] {
                let (what, spec) = (format!("{} on {format} {w}x{h}", e.example), spec(*format, w, h));
                let first = match through(&settings, &spec, 3, 1) {
                    Ok(frames) => frames,
                    Err(why) => {
                        assert!(why.len() > 20, "{what}: refused without a reason: {why}");
                        continue;
                    }
                };
                worked += 1;
                let second = through(&settings, &spec, 3, 3).expect("as before");
                assert_eq!(first.len(), second.len(), "{what}: as many frames with 3 workers");
                for (a, b) in first.iter().zip(&second) {
                    assert!(bytes(a) == bytes(b), "{what}: not the same with 3 workers");
                    assert_eq!((a.pts, a.duration), (b.pts, b.duration), "{what}: not the same with 3 workers");
                    check_bits(a, &what);
                }
                if e.group != Group::Time {
                    let times: Vec<_> = first.iter().map(|f| f.pts.mseconds()).collect();
                    assert_eq!(times, [0, 100, 200], "{what}: the times stay");
                }
            }
        }
        assert!(worked * 2 > formats.len() * 4, "{}: refuses most formats and sizes", e.name);
    }
}

#[test]
fn every_op_works_on_every_format_and_size_1_of_4() {
    every_op_works_on_every_format_and_size(0);
}

#[test]
fn every_op_works_on_every_format_and_size_2_of_4() {
    every_op_works_on_every_format_and_size(1);
}

#[test]
fn every_op_works_on_every_format_and_size_3_of_4() {
    every_op_works_on_every_format_and_size(2);
}

#[test]
fn every_op_works_on_every_format_and_size_4_of_4() {
    every_op_works_on_every_format_and_size(3);
}

/// With a region an op changes nothing outside of it, at any place, on any kind of layout.
#[test]
fn every_op_stays_within_its_region() {
    gstreamer::init().expect("GStreamer");
    use VideoFormat::*;
    let mut tried = 0;
    for e in ALL {
        let example = read_op(e.example).expect(e.example);
        if let Reach::Never(why) = example.config.reach() {
            assert!(why.len() > 10, "{}: why has it no region?", e.name);
            continue;
        }
        for format in [I420, Nv12, Y42b, Y444, I42010le, Gray8, Bgr, Rgba] {
            for (w, h) in [(321, 241), (16, 16), (1, 1)] {
                for region in ["7,5,31,17", "50%,50%,100%,100%", "3,3 100%,20% 40%,90%", "1000,1000,5,5"] {
                    let what = format!("{} with region {region} on {format} {w}x{h}", e.example);
                    let plain = e.example.split(",region=").next().unwrap_or_default();
                    let glue = if plain.contains(':') { "," } else { ":" };
                    let op = [read_op(&format!("{plain}{glue}region={region}")).expect("a region")];
                    let spec = spec(format, w, h);
                    let Ok(out) = through(&op, &spec, 1, 1) else { continue };
                    let regions = op[0].common.region.as_ref().expect("the region");
                    let (before, after) = (frame(&spec, 0), &out[0]);
                    let (from, to) = (before.planes().expect("planes"), after.planes().expect("planes"));
                    for (i, plane) in spec.layout.planes.iter().enumerate() {
                        let guards = example.config.reach() == Reach::Guards;
                        let patches =
                            if guards { regions.covering(plane, w, h) } else { regions.on_plane(plane, w, h) };
                        let patches = patches.expect("patches");
                        let rects: Vec<_> = patches.iter().map(|p| p.rect).collect();
                        let bytes = plane.channels.len() * spec.layout.bytes as usize;
                        for y in 0..plane.rows(h) {
                            let (a, b) = (from.row(i, y).expect("a row"), to.row(i, y).expect("a row"));
                            for (x, (a, b)) in a.chunks(bytes).zip(b.chunks(bytes)).enumerate() {
                                let inside = rects.iter().any(|r| {
                                    (r.x..r.x + r.width).contains(&(x as i32))
                                        && (r.y..r.y + r.height).contains(&(y as i32))
                                });
                                assert!(
                                    inside || a == b,
                                    "{what}: plane {i} changed at {x},{y}, outside of its region"
                                );
                            }
                        }
                    }
                    tried += 1;
                }
            }
        }
    }
    assert!(tried > 100, "only {tried} cases");
}

#[test]
fn keyframes_when_and_enabled_work_on_any_op() {
    gstreamer::init().expect("GStreamer");
    let spec = spec(VideoFormat::I420, 64, 48);
    let run = |op: &str| -> Vec<Vec<u8>> {
        through(&[read_op(op).expect(op)], &spec, 4, 1).expect(op).iter().map(bytes).collect()
    };
    let (plain, blurred): (Vec<_>, Vec<_>) = ((0..4).map(|n| bytes(&frame(&spec, n))).collect(), run("blur:size=9"));
    assert_eq!(run("blur:size=9,enabled=false"), plain);
    let some = run("blur:size=9,when=0.1s..0.3s");
    assert_eq!(some, [&plain[0], &blurred[1], &blurred[2], &plain[3]].map(Clone::clone));
    let moving = run("blur:size=[[0s,1],[0.2s,9]]");
    assert_eq!((&moving[0], &moving[2], &moving[3]), (&plain[0], &blurred[2], &blurred[3]));
    assert_eq!(moving[1], run("blur:size=5")[1]);
    let e = read_op("blur:size=[[0s,1],[1s,300]]").unwrap_err().to_string();
    assert!(e.contains("300") && e.contains("1 to 255"), "{e}");
}

//! The list of ops as a whole: what holds for every op, the ones not yet written included.

use std::collections::BTreeSet;
use std::sync::Arc;

use framewright::config::read_op;
use framewright::frame::{Frame, Layout, Pool, Spec};
use framewright::ops::{ALL, Stream};
use framewright::pipeline::chain::Chain;
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
        text += &format!("type = \"{}\"\n{}", e.name, toml::to_string(&op.effective).expect("TOML"));
        let file = tempfile::NamedTempFile::new().expect("a file");
        std::fs::write(file.path(), &text).expect("written");
        let settings = framewright::config::read_file(file.path()).unwrap_or_else(|f| panic!("{}:\n{text}", f.message));
        assert_eq!(settings.ops[0].effective, op.effective);
    }
}

/// A frame with every sample different from its neighbours, and the same every time.
fn frame(spec: &Arc<Spec>, index: u64) -> Frame {
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
    frame
}

fn bytes(frame: &Frame) -> Vec<u8> {
    let (planes, spec) = (frame.planes().expect("planes"), frame.spec());
    let rows = |i: usize| (0..spec.layout.planes[i].rows(frame.height())).map(move |y| (i, y));
    (0..planes.len()).flat_map(rows).flat_map(|(i, y)| planes.row(i, y).expect("a row").to_vec()).collect()
}

/// Every op's example on every raw format at odd, tiny, flat and single-pixel sizes: twice the same, and within the bits.
#[test]
fn every_op_works_on_every_format_and_size() {
    gstreamer::init().expect("GStreamer");
    let formats: Vec<VideoFormat> = Layout::all_formats().collect();
    assert!(formats.len() > 40, "only {} formats", formats.len());
    for e in ALL {
        let settings = [read_op(e.example).expect(e.example)];
        for format in &formats {
            for (w, h) in [(321, 241), (16, 16), (1, 1), (64, 2)] {
                let what = format!("{} on {format} {w}x{h}", e.example);
                let info = VideoInfo::builder(*format, w, h)
                    .fps(gstreamer::Fraction::new(10, 1))
                    .build()
                    .unwrap_or_else(|e| panic!("{what}: {e}"));
                let spec = Arc::new(Spec::new(info).unwrap_or_else(|e| panic!("{what}: {e}")));
                let stream = Stream { name: "noise".into(), live: false, duration: None };
                let run = || {
                    let mut chain =
                        Chain::prepare(&settings, &spec, &stream).unwrap_or_else(|f| panic!("{what}: {}", f.message));
                    (0..2)
                        .map(|n| {
                            let out =
                                chain.process(frame(&spec, n)).unwrap_or_else(|f| panic!("{what}: {}", f.message));
                            assert_eq!(out.pts, ClockTime::from_mseconds(100 * n), "{what}: the time stays");
                            out
                        })
                        .collect::<Vec<_>>()
                };
                let (first, second) = (run(), run());
                for (a, b) in first.iter().zip(&second) {
                    let layout = &a.spec().layout;
                    assert!(bytes(a) == bytes(b), "{what}: not the same twice");
                    if layout.bytes == 2 {
                        let outside = !(((1u32 << layout.depth) - 1) << layout.shift) as u16;
                        let stray = bytes(a)
                            .chunks(2)
                            .filter(|s| {
                                u16::from_le_bytes([s[0], s[1]])
                                    & outside
                                    & ((1u32 << layout.depth) as u16).wrapping_neg()
                                    != 0
                            })
                            .count();
                        assert!(layout.shift > 0 || stray == 0, "{what}: {stray} samples exceed {} bits", layout.depth);
                    }
                }
            }
        }
    }
}

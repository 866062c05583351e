//! The ops of tone and colour against OpenCV on BGR, against ffmpeg's filters, and against their definitions.

mod levels;
mod maps;

use std::ffi::OsStr;
use std::path::Path;
use std::sync::Arc;

use framewright::config::read_op;
use framewright::frame::{Component, Frame, Layout, Pool, Spec};
use framewright::ops::{ALL, Group, Stream};
use framewright::pipeline::chain::Chain;
use framewright::pipeline::stages;
use gstreamer::ClockTime;
use gstreamer_video::{VideoColorimetry, VideoFormat, VideoInfo};
use opencv::core::{self as cv, Mat, Scalar, Size, Vec3b};
use opencv::imgproc;
use opencv::prelude::*;

use crate::common::*;

const W: usize = 161;
const H: usize = 121;
const LIMITED: &str = "bt709";
const FULL: &str = "1:3:5:1";
/// Limited and full range BT.709 in the commonest forms, 8 and 10 bits.
const FORMS: [(VideoFormat, &str, &str); 8] = [
    (VideoFormat::I420, LIMITED, "yuv420p"),
    (VideoFormat::I420, FULL, "yuv420p"),
    (VideoFormat::Y42b, LIMITED, "yuv422p"),
    (VideoFormat::Y444, LIMITED, "yuv444p"),
    (VideoFormat::Y444, FULL, "yuv444p"),
    (VideoFormat::Nv12, LIMITED, "nv12"),
    (VideoFormat::I42010le, LIMITED, "yuv420p10le"),
    (VideoFormat::Y44410le, LIMITED, "yuv444p10le"),
];

fn spec(format: VideoFormat, colorimetry: &str) -> Arc<Spec> {
    gstreamer::init().expect("GStreamer");
    let c: VideoColorimetry = colorimetry.parse().expect("a colorimetry");
    let info = VideoInfo::builder(format, W as u32, H as u32).fps(gstreamer::Fraction::new(10, 1)).colorimetry(&c);
    Arc::new(Spec::new(info.build().expect("a video info")).expect("a layout"))
}

/// Red, green, blue of pixel (`x`, `y`), 0 to 1: slopes, waves and edges, none of them quite black, white or pure.
fn color(x: usize, y: usize) -> [f64; 3] {
    let (u, v) = (x as f64 / W as f64, y as f64 / H as f64);
    let step = if (x / 20 + y / 15).is_multiple_of(2) { 0.12 } else { 0.0 };
    [0.2 + 0.55 * u + step, 0.25 + 0.45 * v + step * 0.5, 0.45 + 0.3 * (9.0 * u + 5.0 * v).sin()]
        .map(|c| c.clamp(0.0, 1.0))
}

/// Kr and Kb, from the standards.
fn weights(spec: &Spec) -> (f64, f64) {
    if spec.info.colorimetry().matrix() == gstreamer_video::VideoColorMatrix::Bt709 {
        (0.2126, 0.0722)
    } else {
        (0.299, 0.114)
    }
}

/// Zero, unit and largest code of a component, from the standards.
fn scale(c: Component, spec: &Spec) -> (f64, f64, f64) {
    let (max, k) = (((1u32 << spec.layout.depth) - 1) as f64, (1u32 << (spec.layout.depth - 8)) as f64);
    let full = spec.layout.rgb || spec.info.colorimetry().range() == gstreamer_video::VideoColorRange::Range0_255;
    match (matches!(c, Component::U | Component::V), full) {
        (true, true) => (128.0 * k, max, max),
        (true, false) => (128.0 * k, 224.0 * k, max),
        (false, true) => (0.0, max, max),
        (false, false) => (16.0 * k, 219.0 * k, max),
    }
}

fn value(c: Component, [r, g, b]: [f64; 3], (kr, kb): (f64, f64)) -> f64 {
    let y = kr * r + (1.0 - kr - kb) * g + kb * b;
    match c {
        Component::R => r,
        Component::G => g,
        Component::B => b,
        Component::Y => y,
        Component::U => (b - y) / (2.0 * (1.0 - kb)),
        Component::V => (r - y) / (2.0 * (1.0 - kr)),
        _ => 0.4,
    }
}

/// The pixels of `color`, or of any other picture, in the form of `spec`; subsampled planes take the mean of their pixels.
fn frame(spec: &Arc<Spec>, color: impl Fn(usize, usize) -> [f64; 3]) -> Frame {
    let buffer = Pool::new(&spec.info).and_then(|p| p.acquire()).expect("a buffer");
    let mut frame = Frame::new(buffer, spec.clone(), ClockTime::ZERO, None);
    let mut planes = frame.planes_mut().expect("writable planes");
    for (i, plane) in spec.layout.planes.iter().enumerate() {
        for y in 0..plane.rows(H as u32) as usize {
            let mut row = Vec::new();
            for x in 0..plane.cols(W as u32) as usize {
                for &c in &plane.channels {
                    let (mut sum, mut n) = (0.0, 0.0);
                    for py in y << plane.h_sub..(((y + 1) << plane.h_sub).min(H)) {
                        for px in x << plane.w_sub..(((x + 1) << plane.w_sub).min(W)) {
                            (sum, n) = (sum + value(c, color(px, py), weights(spec)), n + 1.0);
                        }
                    }
                    let (zero, unit, max) = scale(c, spec);
                    let opaque = matches!(c, Component::Alpha | Component::Unused);
                    let code = if opaque { ((x * 7 + y * 3) % 256) as f64 } else { zero + unit * sum / n };
                    let code = (code.round().clamp(0.0, max) as u16) << spec.layout.shift;
                    row.extend_from_slice(&code.to_le_bytes()[..spec.layout.bytes as usize]);
                }
            }
            planes.row_mut(i, y as u32).expect("a row").copy_from_slice(&row);
        }
    }
    drop(planes);
    frame
}

fn run(op: &str, frame: Frame) -> Frame {
    let stream = Stream { name: "picture".into(), ..Stream::default() };
    let mut chain = Chain::prepare(&[read_op(op).expect(op)], frame.spec(), &stream, 1)
        .unwrap_or_else(|f| panic!("{op}: {}", f.message));
    let mut out = Vec::new();
    stages::run(&mut chain, [frame].into_iter(), &mut |f| {
        out.push(f);
        true
    })
    .unwrap_or_else(|f| panic!("{op}: {}", f.message));
    out.pop().expect("a frame")
}

/// The codes of each component in the order of the layout's channels, row by row.
fn codes(frame: &Frame) -> Vec<(Component, Vec<u16>)> {
    let (planes, layout) = (frame.planes().expect("planes"), &frame.spec().layout);
    let mut out = Vec::new();
    for (i, plane) in layout.planes.iter().enumerate() {
        for (k, c) in plane.channels.iter().enumerate() {
            let mut all = Vec::new();
            for y in 0..plane.rows(frame.height()) {
                let row = planes.row(i, y).expect("a row");
                let samples = row.chunks(layout.bytes as usize).skip(k).step_by(plane.channels.len());
                all.extend(samples.map(|s| s.iter().rev().fold(0u16, |v, b| v << 8 | u16::from(*b)) >> layout.shift));
            }
            out.push((*c, all));
        }
    }
    out
}

fn bytes(frame: &Frame) -> Vec<u8> {
    let (planes, layout) = (frame.planes().expect("planes"), &frame.spec().layout);
    let rows = |i: usize| (0..layout.planes[i].rows(frame.height())).map(move |y| (i, y));
    (0..planes.len()).flat_map(rows).flat_map(|(i, y)| planes.row(i, y).expect("a row").to_vec()).collect()
}

/// The values of a component, by the standards.
fn values(frame: &Frame, c: Component) -> Vec<f64> {
    let (zero, unit, _) = scale(c, frame.spec());
    let (_, codes) = codes(frame).into_iter().find(|(have, _)| *have == c).expect("a component");
    codes.iter().map(|v| (f64::from(*v) - zero) / unit).collect()
}

/// Red, green, blue of a picture without subsampling.
fn rgb(frame: &Frame) -> Vec<[f64; 3]> {
    if frame.spec().layout.rgb {
        let [r, g, b] = [Component::R, Component::G, Component::B].map(|c| values(frame, c));
        return (0..r.len()).map(|i| [r[i], g[i], b[i]]).collect();
    }
    let [y, u, v] = [Component::Y, Component::U, Component::V].map(|c| values(frame, c));
    let (kr, kb) = weights(frame.spec());
    let one = |i: usize| {
        let (r, b) = (y[i] + 2.0 * (1.0 - kr) * v[i], y[i] + 2.0 * (1.0 - kb) * u[i]);
        [r, (y[i] - kr * r - kb * b) / (1.0 - kr - kb), b].map(|c| c.clamp(0.0, 1.0))
    };
    (0..y.len()).map(one).collect()
}

/// A picture as OpenCV's BGR.
fn mat(pixels: &[[f64; 3]]) -> Mat {
    let mut m = Mat::new_rows_cols_with_default(H as i32, W as i32, cv::CV_8UC3, Scalar::all(0.0)).expect("a mat");
    for (to, p) in m.data_typed_mut::<Vec3b>().expect("pixels").iter_mut().zip(pixels) {
        let [r, g, b] = p.map(|v| (v * 255.0).round() as u8);
        *to = Vec3b::from([b, g, r]);
    }
    m
}

fn gray(samples: &[u8]) -> Mat {
    let m = Mat::new_rows_cols_with_data(H as i32, W as i32, samples).expect("a mat");
    m.try_clone().expect("a copy")
}

/// Peak signal-to-noise ratio of values from 0 to 1, in dB.
fn psnr(a: impl IntoIterator<Item = f64>, b: impl IntoIterator<Item = f64>) -> f64 {
    let (mut sum, mut n) = (0.0, 0.0);
    for (a, b) in a.into_iter().zip(b) {
        (sum, n) = (sum + (a - b) * (a - b), n + 1.0);
    }
    assert!(n > 1000.0, "only {n} values");
    10.0 * (n / sum.max(1e-12)).log10()
}

/// `frame` against BGR pixels of OpenCV's, in dB.
fn psnr_bgr(frame: &Frame, wanted: &Mat) -> f64 {
    let wanted = wanted.data_typed::<Vec3b>().expect("pixels");
    let wanted = wanted.iter().flat_map(|p| [p[2], p[1], p[0]]).map(|v| f64::from(v) / 255.0);
    psnr(rgb(frame).into_iter().flatten(), wanted)
}

/// Checks `op` on BGR, RGBA and luma and chroma of several kinds against what `reference` makes of the BGR picture.
fn check_bgr(op: &str, color: impl Fn(usize, usize) -> [f64; 3] + Copy, least: f64, reference: impl Fn(&Mat) -> Mat) {
    let forms = [
        (VideoFormat::Bgr, "sRGB"),
        (VideoFormat::Rgba, "sRGB"),
        (VideoFormat::Gbr, "sRGB"),
        (VideoFormat::Rgba64Le, "sRGB"),
        (VideoFormat::Y444, "bt601"),
        (VideoFormat::Y444, "1:4:0:0"),
        (VideoFormat::Ayuv, "bt601"),
        (VideoFormat::Y44410le, "bt601"),
        (VideoFormat::Y44412le, "bt601"),
    ];
    for (format, colorimetry) in forms {
        let input = frame(&spec(format, colorimetry), color);
        let wanted = reference(&mat(&rgb(&input)));
        let got = psnr_bgr(&run(op, input), &wanted);
        assert!(got >= least, "{op} on {format} {colorimetry}: {got:.1} dB");
    }
}

/// What ffmpeg's `filter` makes of the frame.
fn ffmpeg(frame: &Frame, pix: &str, filter: &str) -> Vec<u8> {
    let dir = temp();
    let path = dir.path().join("in.raw");
    std::fs::write(&path, bytes(frame)).expect("written");
    let size = format!("{W}x{H}");
    let filter = format!("{filter},format={pix}");
    let args: Vec<&OsStr> =
        ["-v", "error", "-f", "rawvideo", "-pix_fmt", pix, "-s", &size, "-i"].map(OsStr::new).to_vec();
    let more = ["-vf", &filter, "-f", "rawvideo", "-pix_fmt", pix, "-"].map(OsStr::new);
    tool("ffmpeg", &args.into_iter().chain([path.as_os_str()]).chain(more).collect::<Vec<_>>())
}

/// `op` against ffmpeg's `filter`: every sample of the frame, in dB of the full code range.
fn check_ffmpeg(op: &str, filter: &str, (format, colorimetry, pix): (VideoFormat, &str, &str), least: f64) {
    let input = frame(&spec(format, colorimetry), color);
    let (layout, wanted) = (input.spec().layout.clone(), ffmpeg(&input, pix, filter));
    let untouched = bytes(&input);
    let got = bytes(&run(op, input));
    assert_eq!(got.len(), wanted.len(), "{filter} on {pix}");
    let samples = |b: &[u8]| -> Vec<f64> {
        let max = f64::from((1u32 << layout.depth) - 1);
        let all = b.chunks(layout.bytes as usize);
        all.map(|s| f64::from(s.iter().rev().fold(0u16, |v, b| v << 8 | u16::from(*b))) / max).collect()
    };
    let db = psnr(samples(&got), samples(&wanted));
    assert!(db >= least, "{op} against {filter} on {pix}: {db:.1} dB");
    let moved = psnr(samples(&untouched), samples(&wanted));
    assert!(moved < 35.0, "{filter} hardly changes anything ({moved:.1} dB): the comparison says nothing");
}

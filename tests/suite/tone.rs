//! The ops of tone and colour against OpenCV on BGR, against ffmpeg's filters, and against their definitions.

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

#[test]
fn brightness_and_contrast_are_opencvs() {
    check_bgr("brightness-contrast:brightness=0.08,contrast=0.8,pivot=0", color, 40.0, |bgr| {
        let mut out = Mat::default();
        cv::convert_scale_abs(bgr, &mut out, 0.8, 0.08 * 255.0).expect("OpenCV");
        out
    });
    // Some of it is clipped.
    check_bgr("brightness-contrast:brightness='-10%',contrast=1.5", color, 38.0, |bgr| {
        let mut out = Mat::default();
        bgr.convert_to(&mut out, cv::CV_8U, 1.5, 255.0 * (0.5 - 0.75 - 0.1)).expect("OpenCV");
        out
    });
}

#[test]
fn brightness_and_contrast_are_ffmpegs_on_full_range() {
    for form in FORMS.into_iter().filter(|f| f.1 == FULL) {
        let filter = "eq=brightness=0.1:contrast=1.3:saturation=1.3";
        check_ffmpeg("brightness-contrast:brightness=0.1,contrast=1.3", filter, form, 40.0);
    }
}

#[test]
fn contrast_keeps_black_and_white_of_the_range_where_they_belong() {
    for (format, colorimetry, _) in FORMS {
        let spec = spec(format, colorimetry);
        let (zero, unit, max) = scale(Component::Y, &spec);
        let at = |v: f64, op: &str| {
            let out = run(op, frame(&spec, |_, _| [v; 3]));
            f64::from(codes(&out)[0].1[0])
        };
        assert_eq!(at(0.0, "brightness-contrast:contrast=1.7,pivot=0"), zero, "{format}");
        assert_eq!(at(1.0, "brightness-contrast:contrast=1.7,pivot=1"), zero + unit, "{format}");
        assert_eq!(at(0.0, "brightness-contrast:brightness=1"), zero + unit, "{format}: black becomes white");
        assert_eq!(at(1.0, "brightness-contrast:brightness='-100%'"), zero, "{format}: white becomes black");
        // Limited range ends at 254 or 1019, full range at its end.
        let step = (max + 1.0) / 256.0;
        let top = if colorimetry == FULL { max } else { 255.0 * step - 1.0 };
        assert_eq!(at(1.0, "brightness-contrast:brightness=1"), top, "{format}: clipped");
    }
}

#[test]
fn gamma_is_the_power_in_the_range() {
    for form in FORMS {
        let filter = match form.1 {
            FULL => "eq=gamma=1.5",
            _ => "lutyuv=y=gammaval(1/1.5)",
        };
        check_ffmpeg("gamma:gamma=1.5", filter, form, 45.0);
    }
    let input = frame(&spec(VideoFormat::Bgr, "sRGB"), color);
    let mut table = Mat::new_rows_cols_with_default(1, 256, cv::CV_8UC1, Scalar::all(0.0)).expect("a mat");
    for (i, t) in table.at_row_mut::<u8>(0).expect("a row").iter_mut().enumerate() {
        *t = ((i as f64 / 255.0).powf(0.5) * 255.0).round() as u8;
    }
    let mut wanted = Mat::default();
    cv::lut(&mat(&rgb(&input)), &table, &mut wanted).expect("OpenCV");
    assert!(psnr_bgr(&run("gamma:gamma=2", input), &wanted) > 100.0, "exactly cv::LUT");
}

#[test]
fn inverting_mirrors_each_component_in_its_range() {
    for form in FORMS {
        let filter = if form.1 == FULL { "negate" } else { "lutyuv=y=negval:u=negval:v=negval" };
        // ffmpeg's negate mirrors full-range chroma at 127.5, not at its neutral 128.
        check_ffmpeg("invert", filter, form, if form.1 == FULL { 46.0 } else { 100.0 });
    }
    check_ffmpeg("invert", "negate", (VideoFormat::Bgr, "sRGB", "bgr24"), 100.0);
    check_ffmpeg("invert", "negate", (VideoFormat::Rgba, "sRGB", "rgba"), 100.0);
    check_bgr("invert", color, 40.0, |bgr| {
        let mut out = Mat::default();
        cv::bitwise_not_def(bgr, &mut out).expect("OpenCV");
        out
    });
}

#[test]
fn inverting_twice_changes_nothing() {
    for (format, colorimetry, _) in FORMS {
        let input = frame(&spec(format, colorimetry), color);
        let was = bytes(&input);
        let op = "invert:luma-only=true";
        assert!(bytes(&run(op, run(op, frame(input.spec(), color)))) == was, "{format}: luma only");
        assert!(bytes(&run("invert", run("invert", input))) == was, "{format}");
    }
}

#[test]
fn saturation_and_hue_are_ffmpegs() {
    for form in FORMS.into_iter().filter(|f| f.2 != "nv12") {
        check_ffmpeg("saturation:saturation=1.6", "hue=s=1.6", form, 45.0);
        check_ffmpeg("saturation:saturation=0.9,hue=40", "hue=h=40:s=0.9", form, 45.0);
        check_ffmpeg("gray", "hue=s=0", form, 100.0);
    }
    // The same on red, green and blue: gray plus the factor times the distance from it.
    let (s, w) = (0.4, [0.299, 0.587, 0.114]);
    let row = |k: usize| -> [f64; 3] { std::array::from_fn(|i| (1.0 - s) * w[i] + if i == k { s } else { 0.0 }) };
    let [r, g, b] = [row(0), row(1), row(2)];
    let mixer = format!(
        "colorchannelmixer=rr={}:rg={}:rb={}:gr={}:gg={}:gb={}:br={}:bg={}:bb={}",
        r[0], r[1], r[2], g[0], g[1], g[2], b[0], b[1], b[2]
    );
    for form in
        [(VideoFormat::Bgr, "sRGB", "bgr24"), (VideoFormat::Rgba, "sRGB", "rgba"), (VideoFormat::Argb, "sRGB", "argb")]
    {
        check_ffmpeg("saturation:saturation=0.4", &mixer, form, 45.0);
    }
}

/// The hue turns the same way on any format: what `hue` does to luma and chroma is what it does to red, green, blue.
#[test]
fn hue_does_not_depend_on_the_format() {
    // Of moderate colours, since what leaves the cube of colours is clipped at other places.
    let soft = |x, y| color(x, y).map(|c| 0.35 + 0.3 * c);
    let wanted = rgb(&run("saturation:hue=75,saturation=1.2", frame(&spec(VideoFormat::Y444, "bt601"), soft)));
    for format in [VideoFormat::Bgr, VideoFormat::Rgba, VideoFormat::Gbr, VideoFormat::Gbr10le] {
        let got = rgb(&run("saturation:hue=75,saturation=1.2", frame(&spec(format, "sRGB"), soft)));
        let db = psnr(got.into_iter().flatten(), wanted.iter().copied().flatten());
        assert!(db > 42.0, "{format}: {db:.1} dB");
    }
}

#[test]
fn gray_is_opencvs_on_every_format() {
    check_bgr("gray", color, 40.0, |bgr| {
        let (mut one, mut three) = (Mat::default(), Mat::default());
        imgproc::cvt_color_def(bgr, &mut one, imgproc::COLOR_BGR2GRAY).expect("OpenCV");
        imgproc::cvt_color_def(&one, &mut three, imgproc::COLOR_GRAY2BGR).expect("OpenCV");
        three
    });
    for (format, colorimetry, _) in FORMS {
        let input = frame(&spec(format, colorimetry), color);
        let before = codes(&input);
        for ((c, was), (_, is)) in before.iter().zip(codes(&run("gray", input))) {
            let neutral = 128 << (spec(format, colorimetry).layout.depth - 8);
            match c {
                Component::Y => assert!(*was == is, "{format}: luma stays"),
                _ => assert!(is.iter().all(|v| *v == neutral), "{format}: {c:?} is neutral"),
            }
        }
    }
}

/// `mean` of each colour.
fn means(pixels: &[[f64; 3]]) -> [f64; 3] {
    std::array::from_fn(|i| pixels.iter().map(|p| p[i]).sum::<f64>() / pixels.len() as f64)
}

#[test]
fn white_balance_makes_the_means_equal() {
    let cast = |x, y| {
        let [r, g, b] = color(x, y);
        [0.9 * r, 0.7 * g, 0.55 * b]
    };
    check_bgr("white-balance", cast, 40.0, |bgr| {
        let m = cv::mean_def(bgr).expect("OpenCV");
        let gray = (m[0] + m[1] + m[2]) / 3.0;
        let mut out = Mat::default();
        cv::multiply_def(bgr, &Scalar::new(gray / m[0], gray / m[1], gray / m[2], 0.0), &mut out).expect("OpenCV");
        out
    });
    for (format, colorimetry, pix) in FORMS {
        let input = frame(&spec(format, colorimetry), cast);
        let chroma = |f: &Frame| {
            [Component::U, Component::V].map(|c| {
                let v = values(f, c);
                v.iter().sum::<f64>() / v.len() as f64
            })
        };
        let before = chroma(&input);
        let after = chroma(&run("white-balance", input));
        assert!(before.iter().all(|v| v.abs() > 0.02), "{pix}: there was a cast: {before:?}");
        assert!(after.iter().all(|v| v.abs() < 0.004), "{pix}: it is gone: {after:?}");
    }
    // Half the strength, half the way.
    let input = frame(&spec(VideoFormat::Bgr, "sRGB"), cast);
    let was = means(&rgb(&input));
    let is = means(&rgb(&run("white-balance:strength=0.5", input)));
    let gray = was.iter().sum::<f64>() / 3.0;
    for (was, is) in was.into_iter().zip(is) {
        assert!((is - (was + gray) / 2.0).abs() < 0.004, "{was} became {is}");
    }
}

#[test]
fn equalisation_is_opencvs() {
    let input = frame(&spec(VideoFormat::Gray8, "1:4:0:0"), color);
    let mut wanted = Mat::default();
    imgproc::equalize_hist(&gray(&bytes(&input)), &mut wanted).expect("OpenCV");
    let got = bytes(&run("equalize", input));
    let off = got.iter().zip(wanted.data_bytes().expect("bytes")).map(|(a, b)| a.abs_diff(*b)).max();
    assert!(off <= Some(1), "GRAY8 is off by {off:?}");
    // By way of luma. OpenCV works on 8 bits of full range: what is deep or limited is finer or coarser here, and of so dull
    // a picture each step of brightness becomes four or five.
    let dull = |x, y| color(x, y).map(|c| 0.4 + 0.25 * c);
    let opencv = |bgr: &Mat| {
        let mut ycc = Mat::default();
        imgproc::cvt_color_def(bgr, &mut ycc, imgproc::COLOR_BGR2YCrCb).expect("OpenCV");
        let mut planes = cv::Vector::<Mat>::new();
        cv::split(&ycc, &mut planes).expect("OpenCV");
        let (mut even, mut out) = (Mat::default(), Mat::default());
        imgproc::equalize_hist(&planes.get(0).expect("luma"), &mut even).expect("OpenCV");
        planes.set(0, even).expect("a plane");
        cv::merge(&planes, &mut ycc).expect("OpenCV");
        imgproc::cvt_color_def(&ycc, &mut out, imgproc::COLOR_YCrCb2BGR).expect("OpenCV");
        out
    };
    check_bgr("equalize", dull, 28.0, opencv);
    let input = frame(&spec(VideoFormat::Bgr, "sRGB"), dull);
    let wanted = opencv(&mat(&rgb(&input)));
    let db = psnr_bgr(&run("equalize", input), &wanted);
    assert!(db > 40.0, "BGR: {db:.1} dB");
    for (format, colorimetry, _) in FORMS {
        let spec = spec(format, colorimetry);
        let (zero, unit, _) = scale(Component::Y, &spec);
        let out = codes(&run("equalize", frame(&spec, |x, y| color(x, y).map(|c| 0.4 + 0.25 * c))));
        let (low, high) = (out[0].1.iter().min(), out[0].1.iter().max());
        assert_eq!((low, high), (Some(&(zero as u16)), Some(&((zero + unit) as u16))), "{format}: from black to white");
    }
}

#[test]
fn clahe_is_opencvs() {
    let dull = |x, y| color(x, y).map(|c| 0.4 + 0.25 * c);
    let clahe = |luma: &Mat| {
        let mut out = Mat::default();
        imgproc::create_clahe(3.0, Size::new(4, 4)).and_then(|mut c| c.apply(luma, &mut out)).expect("OpenCV");
        out
    };
    let input = frame(&spec(VideoFormat::Gray8, "1:4:0:0"), dull);
    let wanted = clahe(&gray(&bytes(&input)));
    assert!(bytes(&run("clahe:clip-limit=3,tiles=4", input)) == wanted.data_bytes().expect("bytes"), "GRAY8");
    for (format, colorimetry, _) in FORMS {
        let input = frame(&spec(format, colorimetry), dull);
        let luma: Vec<u8> = values(&input, Component::Y).iter().map(|v| (v * 255.0).round() as u8).collect();
        let before = codes(&input);
        let wanted = clahe(&gray(&luma));
        let out = run("clahe:clip-limit=3,tiles=4", input);
        let wanted = wanted.data_bytes().expect("bytes").iter().map(|v| f64::from(*v) / 255.0);
        let db = psnr(values(&out, Component::Y), wanted.clone());
        // Deep luma keeps its lower bits as they are, which OpenCV's answer lacks; and what is cut to 8 bits in limited range
        // first has fewer steps, each of which becomes three.
        let least = if out.spec().layout.depth == 8 { 40.0 } else { 32.0 };
        assert!(db > least, "{format} {colorimetry}: {db:.1} dB");
        assert!(psnr(luma.iter().map(|v| f64::from(*v) / 255.0), wanted) < 32.0, "it does something");
        for ((c, was), (_, is)) in before.iter().zip(codes(&out)).skip(1) {
            assert!(*was == is, "{format}: {c:?} stays");
        }
    }
}

#[test]
fn thresholds_are_opencvs() {
    let cases: [(&str, i32, Option<i32>); 5] = [
        ("threshold:value=110", imgproc::THRESH_BINARY, None),
        ("threshold:value=110,invert=true", imgproc::THRESH_BINARY_INV, None),
        ("threshold:method=otsu", imgproc::THRESH_BINARY | imgproc::THRESH_OTSU, None),
        ("threshold:method=mean,size=15,offset=3", imgproc::THRESH_BINARY, Some(imgproc::ADAPTIVE_THRESH_MEAN_C)),
        (
            "threshold:method=gaussian,size=15,offset=3",
            imgproc::THRESH_BINARY,
            Some(imgproc::ADAPTIVE_THRESH_GAUSSIAN_C),
        ),
    ];
    for (op, kind, adaptive) in cases {
        let reference = |luma: &Mat| {
            let mut out = Mat::default();
            match adaptive {
                None => imgproc::threshold(luma, &mut out, 110.0, 255.0, kind).map(drop),
                Some(how) => imgproc::adaptive_threshold(luma, &mut out, 255.0, how, kind, 15, 3.0),
            }
            .expect("OpenCV");
            out.data_bytes().expect("bytes").to_vec()
        };
        let input = frame(&spec(VideoFormat::Gray8, "1:4:0:0"), color);
        let wanted = reference(&gray(&bytes(&input)));
        assert!(wanted.contains(&0) && wanted.contains(&255), "{op}: both occur");
        assert!(bytes(&run(op, input)) == wanted, "{op} on GRAY8");
        for (format, colorimetry, _) in FORMS {
            let input = frame(&spec(format, colorimetry), color);
            let luma: Vec<u8> = values(&input, Component::Y).iter().map(|v| (v * 255.0).round() as u8).collect();
            let wanted = reference(&gray(&luma));
            let out = run(op, input);
            let (zero, unit, _) = scale(Component::Y, out.spec());
            let mut wrong = 0;
            for (c, all) in codes(&out) {
                if c != Component::Y {
                    assert!(
                        all.iter().all(|v| *v == 128 << (out.spec().layout.depth - 8)),
                        "{op} on {format}: neutral"
                    );
                    continue;
                }
                for (code, wanted) in all.iter().zip(&wanted) {
                    let code = f64::from(*code);
                    assert!(code == zero || code == zero + unit, "{op} on {format}: {code} is neither black nor white");
                    wrong += usize::from((code == zero) != (*wanted == 0));
                }
            }
            // Rounding to 8 bits of full range decides on pixels right at the threshold.
            assert!(wrong * 50 < W * H, "{op} on {format} {colorimetry}: {wrong} pixels differ");
        }
    }
}

#[test]
fn color_maps_are_opencvs() {
    for (name, number) in
        [("inferno", imgproc::COLORMAP_INFERNO), ("jet", imgproc::COLORMAP_JET), ("bone", imgproc::COLORMAP_BONE)]
    {
        // Maps with corners lose a little where chroma is rounded.
        check_bgr(&format!("colormap:map={name}"), color, 36.0, |bgr| {
            let (mut one, mut out) = (Mat::default(), Mat::default());
            imgproc::cvt_color_def(bgr, &mut one, imgproc::COLOR_BGR2GRAY).expect("OpenCV");
            imgproc::apply_color_map(&one, &mut out, number).expect("OpenCV");
            out
        });
        let input = frame(&spec(VideoFormat::Gray8, "1:4:0:0"), color);
        let mut wanted = Mat::default();
        imgproc::apply_color_map(&gray(&bytes(&input)), &mut wanted, number).expect("OpenCV");
        let out = run(&format!("colormap:map={name}"), input);
        assert_eq!(out.spec().info.format(), VideoFormat::Bgr, "gray video gets colours");
        assert!(bytes(&out) == wanted.data_bytes().expect("bytes"), "{name} on GRAY8");
    }
}

/// Subsampled chroma is the mean of the colours of its pixels, which full-size chroma has.
#[test]
fn color_maps_subsample_colours_and_not_brightness() {
    let whole = run("colormap:map=jet", frame(&spec(VideoFormat::Y444, LIMITED), color));
    for format in [VideoFormat::I420, VideoFormat::Nv12, VideoFormat::Y42b, VideoFormat::Y41b] {
        let out = run("colormap:map=jet", frame(&spec(format, LIMITED), color));
        let chroma = out.spec().layout.planes[1].clone();
        let (w, h) = (chroma.cols(W as u32) as usize, chroma.rows(H as u32) as usize);
        assert!(values(&out, Component::Y) == values(&whole, Component::Y), "{format}: luma");
        for c in [Component::U, Component::V] {
            let (all, got) = (values(&whole, c), values(&out, c));
            for y in 0..h {
                for x in 0..w {
                    let rows = y << chroma.h_sub..((y + 1) << chroma.h_sub).min(H);
                    let columns = x << chroma.w_sub..((x + 1) << chroma.w_sub).min(W);
                    let n = (rows.len() * columns.len()) as f64;
                    let sum: f64 = rows.flat_map(|r| columns.clone().map(move |c| r * W + c)).map(|i| all[i]).sum();
                    let off = (sum / n - got[y * w + x]).abs() * 224.0;
                    assert!(off <= 0.51, "{format}: {c:?} at {x},{y} is off by {off}");
                }
            }
        }
    }
}

#[test]
fn look_up_tables_are_ffmpegs() {
    let form = (VideoFormat::Bgr, "sRGB", "bgr24");
    let filter = "lut3d=file=config/assets/warm.cube:interp=tetrahedral";
    let input = || frame(&spec(form.0, form.1), color);
    let off = |a: &[u8], b: &[u8]| a.iter().zip(b).map(|(a, b)| a.abs_diff(*b)).max();
    // ffmpeg cuts off where we round.
    let got = bytes(&run("lut:path=config/assets/warm.cube", input()));
    assert!(
        off(&got, &ffmpeg(&input(), form.2, filter)) <= Some(1),
        "3D: {:?}",
        off(&got, &ffmpeg(&input(), form.2, filter))
    );
    assert!(off(&got, &bytes(&input())) > Some(5), "it does something");

    // On luma and chroma it is what it is on their red, green and blue, without a step between.
    for (format, colorimetry, least) in [
        (VideoFormat::Y444, LIMITED, 42.0),
        (VideoFormat::Y444, FULL, 44.0),
        (VideoFormat::Y44410le, LIMITED, 46.0),
        (VideoFormat::Ayuv, LIMITED, 42.0),
        (VideoFormat::Gbr10le, "sRGB", 46.0),
        (VideoFormat::Rgba64Le, "sRGB", 46.0),
    ] {
        let yuv = frame(&spec(format, colorimetry), color);
        let pixels = rgb(&yuv);
        let wanted = ffmpeg(&frame(&spec(form.0, form.1), |x, y| pixels[y * W + x]), form.2, filter);
        let wanted = wanted.as_chunks::<3>().0.iter().flat_map(|p| [p[2], p[1], p[0]]).map(|v| f64::from(v) / 255.0);
        let db = psnr(rgb(&run("lut:path=config/assets/warm.cube", yuv)).into_iter().flatten(), wanted);
        assert!(db > least, "{format} {colorimetry}: {db:.1} dB");
    }

    let dir = temp();
    let path = dir.path().join("curve.cube");
    let entries: String = (0..17)
        .map(|i| {
            let v = f64::from(i) / 16.0;
            format!("{} {} {}\n", v.powf(0.6), v * v, 1.0 - v)
        })
        .collect();
    std::fs::write(&path, format!("LUT_1D_SIZE 17\n{entries}")).expect("written");
    let (op, filter) = (format!("lut:path={}", path.display()), format!("lut1d=file={}", path.display()));
    let got = bytes(&run(&op, input()));
    assert!(off(&got, &ffmpeg(&input(), form.2, &filter)) <= Some(1), "1D");

    // Half the strength is half the way, in tables of any size.
    let half = bytes(&run("lut:path=config/assets/warm.cube,strength=0.5", input()));
    let whole = bytes(&run("lut:path=config/assets/warm.cube", input()));
    for ((was, half), whole) in bytes(&input()).iter().zip(half).zip(whole) {
        assert!((f64::from(half) - (f64::from(*was) + f64::from(whole)) / 2.0).abs() <= 1.0);
    }
}

#[test]
fn a_missing_or_broken_table_is_named() {
    let refused = |op: &str| {
        let stream = Stream { name: "picture".into(), ..Stream::default() };
        let settings = [read_op(op).expect(op)];
        Chain::prepare(&settings, &spec(VideoFormat::Bgr, "sRGB"), &stream, 1).err().expect("refused").message
    };
    assert!(refused("lut:path=nowhere.cube").contains("nowhere.cube"));
    assert!(refused("lut:path=Cargo.toml").contains("Cargo.toml: no LUT_3D_SIZE"));
    assert!(Path::new("config/assets/warm.cube").is_file());
}

/// Settings that ask for nothing change nothing, not even codes beyond the range.
#[test]
fn neutral_settings_change_nothing() {
    gstreamer::init().expect("GStreamer");
    let ops = [
        "brightness-contrast",
        "gamma:gamma=1",
        "saturation",
        "saturation:hue=360",
        "equalize:strength=0",
        "white-balance:strength=0",
        "lut:path=config/assets/warm.cube,strength=0",
    ];
    for format in Layout::all_formats() {
        let spec = spec(format, if Layout::of(format).is_some_and(|l| l.rgb) { "sRGB" } else { LIMITED });
        for op in ops {
            let mut input = frame(&spec, color);
            let mut planes = input.planes_mut().expect("planes");
            let row = planes.row_mut(0, 0).expect("a row");
            row[..8].fill(0);
            drop(planes);
            let was = bytes(&input);
            assert!(bytes(&run(op, input)) == was, "{op} on {format}");
        }
    }
}

#[test]
fn opacity_and_padding_stay() {
    gstreamer::init().expect("GStreamer");
    use VideoFormat::*;
    for e in ALL.iter().filter(|e| e.group == Group::Tone) {
        for format in [Rgba, Argb, Bgra, Bgrx, Ayuv, A420, Gbra, Argb64, Rgba64Le, Ayuv64] {
            if Layout::of(format).is_none() {
                continue;
            }
            let input =
                frame(&spec(format, if Layout::of(format).is_some_and(|l| l.rgb) { "sRGB" } else { LIMITED }), color);
            let before = codes(&input);
            let stays = |c: &Component| matches!(c, Component::Alpha | Component::Unused);
            let after = codes(&run(e.example, input));
            for ((c, was), (_, is)) in before.iter().zip(&after) {
                assert!(!stays(c) || was == is, "{} on {format}: {c:?} changed", e.example);
            }
            assert!(before != after, "{} on {format} does nothing", e.example);
        }
    }
}

//! The detail ops and the mask against plain OpenCV calls on the same samples, ffmpeg's filters, and definitions.

use std::sync::Arc;

use framewright::config::read_op;
use framewright::frame::{Color, Component, Converter, Frame, Pool, Spec};
use framewright::pipeline::chain::Chain;
use framewright::pipeline::stages;
use gstreamer::ClockTime;
use gstreamer_video::{VideoColorimetry, VideoFormat, VideoInfo};
use opencv::core::{self as cv, Mat, Point, Size};
use opencv::prelude::*;
use opencv::{imgproc, photo};

use crate::common::*;
use crate::fw;

const DIMS: (u32, u32) = (161, 121);

fn spec(format: VideoFormat, (w, h): (u32, u32)) -> Arc<Spec> {
    gstreamer::init().expect("GStreamer");
    let info = VideoInfo::builder(format, w, h).fps(gstreamer::Fraction::new(10, 1)).build().expect("a video info");
    Arc::new(Spec::new(info).expect("a layout"))
}

/// A frame whose samples are `f(component, x, y)` in 8-bit steps, at the left top pixel of each sample.
fn paint(spec: &Arc<Spec>, n: u64, f: impl Fn(Component, u32, u32) -> f64) -> Frame {
    let buffer = Pool::new(&spec.info).and_then(|p| p.acquire()).expect("a buffer");
    let mut frame = Frame::new(buffer, spec.clone(), ClockTime::from_mseconds(100 * n), None);
    frame.index = n;
    let layout = &spec.layout;
    let most = f64::from((1u32 << layout.depth) - 1);
    let mut planes = frame.planes_mut().expect("writable planes");
    for (i, plane) in layout.planes.iter().enumerate() {
        for y in 0..plane.rows(spec.info.height()) {
            let row = planes.row_mut(i, y).expect("a row");
            for (k, sample) in row.chunks_mut(layout.bytes as usize).enumerate() {
                let (x, c) = (k / plane.channels.len(), plane.channels[k % plane.channels.len()]);
                let v = f(c, (x as u32) << plane.w_sub, y << plane.h_sub) * f64::from(1u32 << (layout.depth - 8));
                let v = (v.round().clamp(0.0, most) as u32) << layout.shift;
                sample.copy_from_slice(&v.to_le_bytes()[..sample.len()]);
            }
        }
    }
    drop(planes);
    frame
}

fn random(seed: u64) -> f64 {
    let mut v = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x5bd1_e995;
    v = (v ^ (v >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    v = (v ^ (v >> 32)).wrapping_mul(0x94d0_49bb_1331_11eb);
    ((v ^ (v >> 31)) >> 11) as f64 / (1u64 << 53) as f64
}

fn at_random(c: Component, x: u32, y: u32, n: u64) -> f64 {
    random(c as u64 | u64::from(x) << 8 | u64::from(y) << 28 | n << 48)
}

/// Slopes, a disc and bars: what pictures have, within limited range.
fn clean(c: Component, x: u32, y: u32) -> f64 {
    let (fx, fy) = (f64::from(x), f64::from(y));
    let disc = if (fx - 60.0).hypot(fy - 50.0) < 30.0 { 70.0 } else { 0.0 };
    let bars = if x > 100 && (x / 6).is_multiple_of(2) { 45.0 } else { 0.0 };
    match c {
        Component::Alpha | Component::Unused => 200.0 * at_random(c, x, y, 0),
        Component::U => 118.0 + fx / 8.0 + disc / 3.0,
        Component::V => 135.0 - fy / 8.0 - disc / 2.0,
        Component::R => 50.0 + fx / 2.0 + disc,
        Component::B => 60.0 + fy / 2.0 + bars,
        _ => 40.0 + (fx + fy) / 5.0 + disc + bars,
    }
}

/// The same with a little grain.
fn scene(c: Component, x: u32, y: u32) -> f64 {
    clean(c, x, y) + 12.0 * at_random(c, x, y, 0)
}

fn noise(c: Component, x: u32, y: u32) -> f64 {
    255.0 * at_random(c, x, y, 7)
}

fn run_all(op: &str, frames: Vec<Frame>) -> Result<Vec<Frame>, String> {
    let settings = [read_op(op).map_err(|f| f.to_string())?];
    let spec = frames[0].spec().clone();
    let mut chain = Chain::prepare(&settings, &spec, &Default::default(), 1).map_err(|f| f.message)?;
    let mut out = Vec::new();
    stages::run(&mut chain, frames.into_iter(), &mut |f| {
        out.push(f);
        true
    })
    .map_err(|f| f.message)?;
    Ok(out)
}

#[track_caller]
fn run(op: &str, frame: &Frame) -> Frame {
    run_all(op, vec![frame.again()]).unwrap_or_else(|e| panic!("{op}: {e}")).remove(0)
}

/// One channel of one plane.
struct Channel {
    component: Component,
    sub: (u32, u32),
    w: usize,
    h: usize,
    /// Without the shift of P010.
    at: Vec<u16>,
}

fn channels(frame: &Frame) -> Vec<Channel> {
    let (planes, layout) = (frame.planes().expect("planes"), &frame.spec().layout);
    let mut out = Vec::new();
    for (i, plane) in layout.planes.iter().enumerate() {
        let (w, h) = (plane.cols(frame.width()) as usize, plane.rows(frame.height()) as usize);
        let row = |y| planes.row(i, y as u32).expect("a row").chunks(layout.bytes as usize);
        let value = |s: &[u8]| s.iter().rev().fold(0, |v, b| v << 8 | u16::from(*b)) >> layout.shift;
        let all: Vec<u16> = (0..h).flat_map(row).map(value).collect();
        for (k, c) in plane.channels.iter().enumerate() {
            let at = all.iter().skip(k).step_by(plane.channels.len()).copied().collect();
            out.push(Channel { component: *c, sub: (plane.w_sub, plane.h_sub), w, h, at });
        }
    }
    out
}

impl Channel {
    /// As an OpenCV matrix of its own: `CV_8U` or `CV_16U`.
    fn mat(&self, deep: bool) -> Mat {
        let eight: Vec<u8> = self.at.iter().map(|s| *s as u8).collect();
        let flat = if deep { Mat::from_slice(&self.at) } else { Mat::from_slice(&eight) }.expect("a matrix");
        flat.reshape(1, self.h as i32).expect("rows").clone_pointee()
    }

    fn is_color(&self) -> bool {
        !matches!(self.component, Component::Alpha | Component::Unused)
    }

    fn is_chroma(&self) -> bool {
        matches!(self.component, Component::U | Component::V)
    }
}

fn numbers(m: &Mat) -> Vec<f64> {
    let mut wide = Mat::default();
    m.convert_to_def(&mut wide, cv::CV_64F).expect("numbers");
    (0..wide.rows()).flat_map(|y| wide.at_row::<f64>(y).expect("a row").to_vec()).collect()
}

#[track_caller]
fn near(what: &str, got: &Channel, wanted: &[f64], tolerance: f64) {
    assert_eq!(got.at.len(), wanted.len(), "{what}");
    let worst = got.at.iter().zip(wanted).map(|(g, w)| (f64::from(*g) - w).abs()).enumerate();
    let (i, worst) = worst.fold((0, 0.0), |a, b| if b.1 > a.1 { b } else { a });
    assert!(
        worst <= tolerance,
        "{what}: {:?} at {},{} is {}, not {}",
        got.component,
        i % got.w,
        i / got.w,
        got.at[i],
        wanted[i]
    );
}

fn psnr(got: &[u16], wanted: &[f64], peak: f64) -> f64 {
    let sum: f64 = got.iter().zip(wanted).map(|(g, w)| (f64::from(*g) - w).powi(2)).sum();
    20.0 * peak.log10() - 10.0 * (sum / got.len() as f64).max(1e-9).log10()
}

fn is_deep(frame: &Frame) -> bool {
    frame.spec().layout.bytes == 2
}

/// Black and white of luma or of red, green and blue, in the samples of the frame.
fn shades(frame: &Frame, c: Component) -> (f64, f64) {
    let spec = frame.spec();
    let at = |color: Color| f64::from(color.sample(c, &spec.info, &spec.layout) >> spec.layout.shift);
    (at(Color::BLACK), at(Color::WHITE))
}

fn neutral(frame: &Frame) -> u16 {
    1 << (frame.spec().layout.depth - 1)
}

/// Runs one I420 or GRAY8 frame through a filter of ffmpeg; the planes one after the other.
fn ffmpeg(frame: &Frame, pix: &str, filter: &str) -> Vec<Vec<f64>> {
    let dir = temp();
    let path = dir.path().join("in.raw");
    let own = channels(frame);
    let bytes: Vec<u8> = own.iter().flat_map(|c| c.at.iter().map(|s| *s as u8)).collect();
    std::fs::write(&path, bytes).expect("written");
    let size = format!("{}x{}", frame.width(), frame.height());
    let args =
        ["-v", "error", "-nostdin", "-f", "rawvideo", "-pix_fmt", pix, "-s", &size, "-i", path.to_str().unwrap()];
    let args = args.into_iter().chain(["-vf", filter, "-pix_fmt", pix, "-f", "rawvideo", "-"]);
    let args: Vec<&std::ffi::OsStr> = args.map(std::ffi::OsStr::new).collect();
    let raw = tool("ffmpeg", &args);
    let mut rest = raw.as_slice();
    let mut take = |c: &Channel| {
        let (mine, more) = rest.split_at(c.at.len());
        rest = more;
        mine.iter().map(|b| f64::from(*b)).collect()
    };
    own.iter().map(&mut take).collect()
}

use VideoFormat::{Ayuv, Bgr, Gbr, Gray8, I420, I42010le, Nv12, P01010le, Rgba, Y42b};
/// Every kind of layout: planar, interleaved, packed, deep, with opacity.
const FORMATS: [VideoFormat; 10] = [I420, Nv12, Y42b, I42010le, P01010le, Gray8, Bgr, Rgba, Gbr, Ayuv];

#[test]
fn sharpen_is_the_unsharp_mask_of_every_kind_of_plane() {
    for format in FORMATS {
        let was = paint(&spec(format, DIMS), 0, scene);
        for (op, amount, chroma) in [("sharpen:amount=1.5", 1.5, 0.0), ("sharpen:amount=0.5,chroma=2", 0.5, 2.0)] {
            let is = run(op, &was);
            for (a, b) in channels(&was).iter().zip(channels(&is)) {
                let (m, mut blurred) = (a.mat(is_deep(&was)), Mat::default());
                let amount = if a.is_chroma() { chroma } else { amount };
                if !a.is_color() || amount == 0.0 {
                    assert_eq!(a.at, b.at, "{op} on {format}: {:?} changed", a.component);
                    continue;
                }
                let side = |sub: u32| if sub == 0 { 5 } else { 3 };
                let size = Size::new(side(a.sub.0), side(a.sub.1));
                imgproc::gaussian_blur(&m, &mut blurred, size, 0.0, 0.0, cv::BORDER_DEFAULT).expect("blurred");
                let most = f64::from((1u32 << was.spec().layout.depth) - 1);
                let wanted: Vec<f64> = numbers(&m)
                    .iter()
                    .zip(numbers(&blurred))
                    .map(|(s, b)| (s + amount * (s - b)).clamp(0.0, most))
                    .collect();
                // Of P010 OpenCV blurs the shifted samples, which are finer than the ones here.
                let tolerance = if format == P01010le { 0.5 + amount } else { 0.51 };
                near(&format!("{op} on {format}"), &b, &wanted, tolerance);
            }
        }
    }
}

#[test]
fn sharpen_leaves_what_is_below_its_threshold() {
    let was = paint(&spec(I420, DIMS), 0, scene);
    let (some, all, none) = (run("sharpen:threshold=10", &was), run("sharpen", &was), run("sharpen:amount=0", &was));
    let [was, some, all, none] = [&was, &some, &all, &none].map(|f| channels(f).remove(0).at);
    assert_eq!(was, none);
    let changed = |s: &[u16]| s.iter().zip(&was).filter(|(a, b)| a != b).count();
    assert!(changed(&some) > 200 && changed(&some) * 2 < changed(&all), "{} of {}", changed(&some), changed(&all));
    // With amount 1 the change is the difference itself.
    assert!(some.iter().zip(&was).all(|(a, b)| a == b || a.abs_diff(*b) >= 10));
}

#[test]
fn sharpen_is_what_ffmpeg_calls_unsharp() {
    let was = paint(&spec(I420, DIMS), 0, scene);
    let is = run("sharpen:size=5,amount=1.5", &was);
    let wanted = ffmpeg(&was, "yuv420p", "unsharp=lx=5:ly=5:la=1.5");
    for (b, wanted) in channels(&is).iter().zip(&wanted) {
        assert!(psnr(&b.at, wanted, 255.0) > 45.0, "{:?}: {}", b.component, psnr(&b.at, wanted, 255.0));
    }
}

/// The luma of a frame in its own samples, full size: the Y channel, or what OpenCV makes of red, green and blue.
fn luma(frame: &Frame) -> Mat {
    let all = channels(frame);
    let find = |c| all.iter().find(|have| have.component == c).map(|c| c.mat(is_deep(frame)));
    if let Some(y) = find(Component::Y) {
        return y;
    }
    let planes: Vec<Mat> = [Component::B, Component::G, Component::R].into_iter().filter_map(find).collect();
    let (mut bgr, mut gray) = (Mat::default(), Mat::default());
    cv::merge(&cv::Vector::<Mat>::from_iter(planes), &mut bgr).expect("merged");
    imgproc::cvt_color_def(&bgr, &mut gray, imgproc::COLOR_BGR2GRAY).expect("gray");
    gray
}

/// Checks that a result is gray with `wanted` for luma, neutral chroma, and opacity as it was.
#[track_caller]
fn gray_result(what: &str, was: &Frame, is: &Frame, wanted: &[f64], tolerance: f64) {
    for (a, b) in channels(was).iter().zip(channels(is)) {
        if b.is_chroma() {
            assert!(b.at.iter().all(|s| *s == neutral(is)), "{what}: {:?} is not neutral", b.component);
        } else if b.is_color() {
            near(what, &b, wanted, tolerance);
        } else {
            assert_eq!(a.at, b.at, "{what}: {:?} changed", b.component);
        }
    }
}

#[test]
fn gradients_are_opencvs_from_black_to_white_in_gray() {
    for format in FORMATS {
        let was = paint(&spec(format, DIMS), 0, scene);
        let gray = luma(&was);
        let (black, white) = shades(&was, channels(&was).iter().find(|c| c.is_color()).expect("a colour").component);
        let slope = |x, y, size| {
            let mut out = Mat::default();
            imgproc::sobel(&gray, &mut out, cv::CV_64F, x, y, size, 1.0, 0.0, cv::BORDER_DEFAULT).expect("a slope");
            numbers(&out)
        };
        let bend = |size| {
            let mut out = Mat::default();
            imgproc::laplacian(&gray, &mut out, cv::CV_64F, size, 1.0, 0.0, cv::BORDER_DEFAULT).expect("a bend");
            numbers(&out)
        };
        let both =
            |size| -> Vec<f64> { slope(1, 0, size).iter().zip(slope(0, 1, size)).map(|(x, y)| x.hypot(y)).collect() };
        let check = |op: &str, values: Vec<f64>, scale: f64, signed: bool| {
            let zero = if signed { (black + white) / 2.0 } else { black };
            let value = |v: &f64| (zero + scale * if signed { *v } else { v.abs() }).clamp(black, white);
            let wanted: Vec<f64> = values.iter().map(value).collect();
            gray_result(&format!("{op} on {format}"), &was, &run(op, &was), &wanted, 0.51);
        };
        check("sobel", both(3), 1.0, false);
        check("sobel:direction=x", slope(1, 0, 3), 1.0, false);
        check("sobel:direction=y,size=5,scale=0.1,signed=true", slope(0, 1, 5), 0.1, true);
        check("sobel:size=7,scale=0.01", both(7), 0.01, false);
        check("sobel:size=1,scale=3", both(1), 3.0, false);
        check("laplacian:size=1", bend(1), 1.0, false);
        check("laplacian:size=3,scale=0.5,signed=true", bend(3), 0.5, true);
        check("laplacian:size=5,scale=0.1", bend(5), 0.1, false);
        check("laplacian:size=7,scale=0.003", bend(7), 0.003, false);
    }
}

#[test]
fn sobel_is_what_ffmpeg_calls_sobel() {
    let was = paint(&spec(Gray8, DIMS), 0, scene);
    let is = &channels(&run("sobel", &was))[0];
    let wanted = ffmpeg(&was, "gray", "sobel");
    // ffmpeg cuts where this rounds.
    let p = psnr(&is.at, &wanted[0], 255.0);
    assert!(p > 45.0, "{p}");
}

#[test]
fn edges_are_cannys() {
    for format in [I420, Nv12, Gray8, Bgr, Rgba, Ayuv] {
        let was = paint(&spec(format, DIMS), 0, scene);
        let (gray, mut lines) = (luma(&was), Mat::default());
        let (black, white) = shades(&was, channels(&was).iter().find(|c| c.is_color()).expect("a colour").component);
        // Thresholds are for full range, gradients of limited range are that much smaller.
        let share = (white - black) / 255.0;
        imgproc::canny(&gray, &mut lines, 90.0 * share, 180.0 * share, 3, false).expect("lines");
        let lines = numbers(&lines);
        assert!(lines.iter().filter(|v| **v > 0.0).count() > 100, "{format}: hardly a line");
        let wanted: Vec<f64> = lines.iter().map(|v| if *v > 0.0 { white } else { black }).collect();
        gray_result(&format!("edges on {format}"), &was, &run("edges:low=90,high=180", &was), &wanted, 0.0);
        // Over the picture: the colour where a line is, in between of what it was beside, nothing elsewhere.
        let over = run("edges:low=90,high=180,over=true,color=red", &was);
        let (w, h) = (DIMS.0 as usize, DIMS.1 as usize);
        for (a, b) in channels(&was).iter().zip(channels(&over)) {
            let red = Color::rgb(255, 0, 0).sample(b.component, &was.spec().info, &was.spec().layout);
            for (i, (before, after)) in a.at.iter().zip(&b.at).enumerate() {
                let (x, y) = (i % b.w, i / b.w);
                let (xs, ys) = (x << b.sub.0..((x + 1) << b.sub.0).min(w), y << b.sub.1..((y + 1) << b.sub.1).min(h));
                let all = xs.len() * ys.len();
                let n =
                    ys.flat_map(|y| xs.clone().map(move |x| (x, y))).filter(|(x, y)| lines[y * w + x] > 0.0).count();
                let n = if b.is_color() { n } else { 0 };
                let mean = (f64::from(*before) * (all - n) as f64 + f64::from(red) * n as f64) / all as f64;
                assert!((f64::from(*after) - mean).abs() <= 0.5, "{format}: {:?} at {x},{y}", b.component);
            }
        }
    }
}

fn kernel(shape: i32, size: i32) -> Mat {
    imgproc::get_structuring_element(shape, Size::new(size, size), Point::new(-1, -1)).expect("a kernel")
}

fn morph(m: &Mat, code: i32, kernel: &Mat, times: i32) -> Mat {
    let (mut out, edge) = (Mat::default(), imgproc::morphology_default_border_value().expect("a value"));
    imgproc::morphology_ex(m, &mut out, code, kernel, Point::new(-1, -1), times, cv::BORDER_CONSTANT, edge)
        .expect("done");
    out
}

#[test]
fn morphology_is_opencvs_on_luma_and_on_red_green_blue() {
    use imgproc::*;
    let operations = [
        ("erode", MORPH_ERODE),
        ("dilate", MORPH_DILATE),
        ("open", MORPH_OPEN),
        ("close", MORPH_CLOSE),
        ("gradient", MORPH_GRADIENT),
        ("tophat", MORPH_TOPHAT),
        ("blackhat", MORPH_BLACKHAT),
    ];
    let shapes = [("rect", MORPH_RECT), ("ellipse", MORPH_ELLIPSE), ("cross", MORPH_CROSS)];
    for format in [I420, Nv12, I42010le, Gray8, Bgr, Rgba, Ayuv] {
        let was = paint(&spec(format, DIMS), 0, scene);
        for (i, (name, code)) in operations.into_iter().enumerate() {
            let ((shape, shape_code), times) = (shapes[i % 3], 1 + i as i32 % 2);
            let op = format!("morphology:operation={name},shape={shape},size=5,iterations={times}");
            let is = run(&op, &was);
            for (a, b) in channels(&was).iter().zip(channels(&is)) {
                let on_black = matches!(name, "gradient" | "tophat" | "blackhat");
                if a.is_chroma() && on_black {
                    assert!(b.at.iter().all(|s| *s == neutral(&was)), "{op} on {format}: not neutral");
                } else if a.is_chroma() || !a.is_color() {
                    assert_eq!(a.at, b.at, "{op} on {format}: {:?}", a.component);
                } else {
                    let (black, white) = shades(&was, a.component);
                    let zero = if on_black { black } else { 0.0 };
                    let made = numbers(&morph(&a.mat(is_deep(&was)), code, &kernel(shape_code, 5), times));
                    let wanted: Vec<f64> =
                        made.iter().map(|v| if on_black { (v + zero).min(white) } else { *v }).collect();
                    near(&format!("{op} on {format}"), &b, &wanted, 0.0);
                }
            }
        }
    }
}

#[test]
fn morphology_of_all_planes_is_ffmpegs_and_of_bgr_is_opencvs() {
    let was = paint(&spec(I420, DIMS), 0, scene);
    for (name, filter) in [("erode", "erosion"), ("dilate", "dilation")] {
        let is = run(&format!("morphology:operation={name},size=3,planes=all"), &was);
        for (b, wanted) in channels(&is).iter().zip(ffmpeg(&was, "yuv420p", filter)) {
            near(&format!("{name} as {filter}"), b, &wanted, 0.0);
        }
    }
    let there = Converter::new(was.spec(), spec(Bgr, DIMS)).expect("a converter");
    let bgr = there.convert(&was).expect("BGR");
    let back = Converter::new(bgr.spec(), was.spec().clone()).expect("a converter");
    let wanted = back.convert(&run("morphology:operation=dilate,size=5", &bgr)).expect("I420");
    let is = run("morphology:operation=dilate,size=5,planes=bgr", &was);
    for (a, b) in channels(&wanted).iter().zip(channels(&is)) {
        assert_eq!(a.at, b.at);
    }
}

#[test]
fn pixelate_shows_exact_means_of_blocks() {
    for format in FORMATS {
        let was = paint(&spec(format, DIMS), 0, scene);
        for (op, size) in [("pixelate", 16), ("pixelate:size=15", 15), ("pixelate:cells=4", 41), ("pixelate:size=1", 1)]
        {
            let is = run(op, &was);
            for (a, b) in channels(&was).iter().zip(channels(&is)) {
                if !a.is_color() {
                    assert_eq!(a.at, b.at, "{op} on {format}: {:?}", a.component);
                    continue;
                }
                let block = |x: usize, y: usize| ((x << a.sub.0) / size, (y << a.sub.1) / size);
                let mut sums = std::collections::BTreeMap::new();
                for (i, s) in a.at.iter().enumerate() {
                    let (sum, n) = sums.entry(block(i % a.w, i / a.w)).or_insert((0.0, 0.0));
                    (*sum, *n) = (*sum + f64::from(*s), *n + 1.0);
                }
                let mean = |i: usize| sums[&block(i % a.w, i / a.w)];
                let wanted: Vec<f64> = (0..a.at.len()).map(mean).map(|(sum, n)| sum / n).collect();
                near(&format!("{op} on {format}"), &b, &wanted, 0.5);
            }
        }
    }
}

#[test]
fn pixelate_is_what_ffmpeg_calls_pixelize() {
    let was = paint(&spec(I420, (160, 128)), 0, scene);
    let is = run("pixelate:size=16", &was);
    for (b, wanted) in channels(&is).iter().zip(ffmpeg(&was, "yuv420p", "pixelize=16:16")) {
        // ffmpeg cuts where this rounds.
        near("pixelate as pixelize", b, &wanted, 1.0);
    }
}

/// `clean` with noise of ±`by` that is another one in each frame.
fn noisy(spec: &Arc<Spec>, n: u64, by: f64) -> Frame {
    paint(spec, n, |c, x, y| clean(c, x, y) + by * (2.0 * at_random(c, x, y, n + 1) - 1.0))
}

#[test]
fn temporal_denoising_is_a_running_mean_that_lets_go_where_something_moves() {
    for format in FORMATS {
        let spec = spec(format, (64, 48));
        // A square jumps in frame 6: far more than noise.
        let square = |n: u64, x: u32, y: u32| n >= 6 && (16..32).contains(&x) && (16..32).contains(&y);
        let frame = |n: u64| {
            paint(&spec, n, |c, x, y| {
                let jump = if square(n, x, y) { 90.0 } else { 0.0 };
                scene(c, x, y) / 2.0 + 20.0 + jump + 4.0 * at_random(c, x, y, n + 1)
            })
        };
        let frames: Vec<Frame> = (0..10).map(frame).collect();
        let was: Vec<_> = frames.iter().map(channels).collect();
        let is: Vec<_> = run_all("denoise:strength=12,frames=8", frames).expect("done").iter().map(channels).collect();
        for k in 0..was[0].len() {
            if !was[0][k].is_color() {
                assert!(was.iter().zip(&is).all(|(a, b)| a[k].at == b[k].at), "{format}: {:?}", was[0][k].component);
                continue;
            }
            let strength = 12.0 * f64::from(1u32 << (spec.layout.depth - 8));
            let mut means = vec![0.0; was[0][k].at.len()];
            for (n, (a, b)) in was.iter().zip(&is).enumerate() {
                let share: f64 = 1.0 / (n + 1).min(8) as f64;
                for (mean, s) in means.iter_mut().zip(&a[k].at) {
                    let d = f64::from(*s) - *mean;
                    let over = ((d.abs() - strength / 2.0) / (strength / 2.0)).clamp(0.0, 1.0);
                    *mean += d * (share + (1.0 - share) * over);
                }
                near(&format!("frame {n} on {format}"), &b[k], &means, 0.51);
            }
        }
        // What jumped is there at once, no ghost of it.
        let (a, b) = (&was[6][0], &is[6][0]);
        for i in (0..a.at.len()).filter(|i| square(6, (i % a.w) as u32, (i / a.w) as u32)) {
            assert_eq!(a.at[i], b.at[i], "{format}: a ghost at {},{}", i % a.w, i / a.w);
        }
    }
}

#[test]
fn every_method_of_denoising_takes_noise_out() {
    for format in [I420, Nv12, I42010le, Bgr] {
        let spec = spec(format, (96, 64));
        let clean = channels(&paint(&spec, 0, clean));
        let peak = f64::from((1u32 << spec.layout.depth) - 1);
        for (method, gain) in [("temporal", 6.0), ("bilateral", 1.0), ("nlm", 1.0)] {
            let frames: Vec<Frame> =
                (0..if method == "temporal" { 8 } else { 1 }).map(|n| noisy(&spec, n, 6.0)).collect();
            let was = channels(frames.last().expect("a frame"));
            let search = if method == "nlm" { ",search=11,strength=6" } else { "" };
            let out = run_all(&format!("denoise:method={method}{search}"), frames).expect("done");
            for (i, b) in channels(out.last().expect("a frame")).iter().enumerate() {
                let clean: Vec<f64> = clean[i].at.iter().map(|s| f64::from(*s)).collect();
                let (before, after) = (psnr(&was[i].at, &clean, peak), psnr(&b.at, &clean, peak));
                assert!(after > before + gain, "{method} on {format}: {:?} from {before} to {after} dB", b.component);
            }
        }
    }
}

#[test]
fn denoising_within_a_picture_is_opencvs() {
    let was = noisy(&spec(I420, (64, 48)), 0, 6.0);
    let (nlm, bilateral) = (
        run("denoise:method=nlm,strength=7,chroma=0,template=5,search=11", &was),
        run("denoise:method=bilateral", &was),
    );
    let (was, nlm, bilateral) = (channels(&was), channels(&nlm), channels(&bilateral));
    let mut out = Mat::default();
    photo::fast_nl_means_denoising(&was[0].mat(false), &mut out, 7.0, 5, 11).expect("done");
    near("nlm", &nlm[0], &numbers(&out), 0.0);
    assert!(was[1].at == nlm[1].at && was[2].at == nlm[2].at, "chroma=0 leaves chroma alone");
    imgproc::bilateral_filter_def(&was[0].mat(false), &mut out, 7, 20.0, 3.5).expect("done");
    near("bilateral", &bilateral[0], &numbers(&out), 0.0);
}

#[test]
fn methods_that_no_example_shows_work_on_small_and_odd_pictures() {
    let ops = [
        "denoise:method=nlm",
        "denoise:method=bilateral",
        "edges:over=true,color=lime",
        "morphology:operation=gradient,planes=all",
        "morphology:operation=dilate,size=63,planes=bgr",
        "morphology:operation=blackhat,shape=ellipse,size=9",
        "sharpen:size=63,chroma=1,threshold=3",
        "sobel:direction=x,size=7,signed=true",
        "laplacian:size=7",
        "pixelate:cells=1",
        "mask:method=blur,region=0,0,100%,100%",
        "mask:region=0,0,1,1",
    ];
    for op in ops {
        for format in FORMATS {
            for dims in [(1, 1), (2, 1), (3, 33), (17, 2)] {
                let was = paint(&spec(format, dims), 0, noise);
                let is = run(op, &was);
                let most = (1u32 << was.spec().layout.depth) - 1;
                for (a, b) in channels(&was).iter().zip(channels(&is)) {
                    assert!(b.at.iter().all(|s| u32::from(*s) <= most), "{op} on {format} {dims:?}: too large");
                    let kept = a.is_color() || op.starts_with("mask");
                    assert!(kept || a.at == b.at, "{op} on {format} {dims:?}: {:?} changed", a.component);
                }
            }
        }
    }
}

/// True where a sample shows any pixel of left..right, top..bottom.
fn shows(c: &Channel, i: usize, (l, t, r, b): (usize, usize, usize, usize)) -> bool {
    let (x, y) = (i % c.w, i / c.w);
    x << c.sub.0 < r && (x + 1) << c.sub.0 > l && y << c.sub.1 < b && (y + 1) << c.sub.1 > t
}

const AREA: (usize, usize, usize, usize) = (7, 5, 38, 22);

#[test]
fn a_mask_leaves_no_sample_of_what_it_hides_and_touches_nothing_else() {
    for format in [I420, Nv12, Y42b, I42010le, P01010le, Gray8, Bgr, Rgba, Ayuv] {
        let was = paint(&spec(format, DIMS), 0, noise);
        for method in ["fill", "pixelate", "blur"] {
            let what = format!("{method} on {format}");
            let is = run(&format!("mask:method={method},color=orange,region=7,5,31,17"), &was);
            for (a, b) in channels(&was).iter().zip(channels(&is)) {
                let (inside, outside): (Vec<usize>, Vec<usize>) = (0..a.at.len()).partition(|i| shows(a, *i, AREA));
                assert!(outside.iter().all(|i| a.at[*i] == b.at[*i]), "{what}: {:?} changed outside", a.component);
                // By row and by column, so that not even one line at the border survives: of noise no more than chance.
                let line = |of: &dyn Fn(usize) -> usize, n: usize| {
                    let mut same = vec![(0, 0); n];
                    for &i in &inside {
                        same[of(i)].0 += usize::from(a.at[i] == b.at[i]);
                        same[of(i)].1 += 1;
                    }
                    same.into_iter().enumerate().find(|(_, (same, all))| *same > 2 && same * 4 > *all)
                };
                assert_eq!(line(&|i| i % a.w, a.w), None, "{what}: a column of {:?} survives", a.component);
                assert_eq!(line(&|i| i / a.w, a.h), None, "{what}: a row of {:?} survives", a.component);
                let color = "orange".parse::<Color>().expect("a colour");
                let fill = color.sample(a.component, &was.spec().info, &was.spec().layout) >> was.spec().layout.shift;
                let flat = inside.iter().all(|i| b.at[*i] == fill);
                assert!(method != "fill" || flat, "{what}: {:?} is not of one colour", a.component);
                let mut values: Vec<u16> = inside.iter().map(|i| b.at[*i]).collect();
                values.sort_unstable();
                values.dedup();
                assert!(method != "pixelate" || values.len() <= 12, "{what}: {} shades", values.len());
            }
        }
    }
}

#[test]
fn a_blurred_mask_depends_on_the_means_of_few_cells_only() {
    for format in [I420, Y42b, I42010le, Bgr] {
        for method in ["blur", "pixelate"] {
            let op = format!("mask:method={method},cells=3,region=16,16,48,48");
            // The same pairs of pixels within each cell of 16, from left to right and from right to left.
            let plain = |c, x: u32, y: u32| noise(c, x & !1, y);
            let mirrored = |c, x: u32, y: u32| noise(c, x / 16 * 16 + 14 - ((x % 16) & !1), y);
            let spec = spec(format, DIMS);
            let (a, b) = (run(&op, &paint(&spec, 0, plain)), run(&op, &paint(&spec, 0, mirrored)));
            let mut differed = 0;
            for (a, b) in channels(&a).iter().zip(channels(&b)) {
                for i in 0..a.at.len() {
                    let inside = shows(a, i, (16, 16, 64, 64));
                    assert!(!inside || a.at[i] == b.at[i], "{method} on {format}: {:?} tells them apart", a.component);
                    differed += usize::from(a.at[i] != b.at[i]);
                }
            }
            assert!(differed > 1000, "the pictures are two");
        }
    }
}

#[test]
fn a_polygon_mask_covers_all_of_it() {
    let was = paint(&spec(I420, DIMS), 0, noise);
    let is = run("mask:color=white,region=21,11 91,41 33,83", &was);
    let inside = |x: f64, y: f64| {
        let side = |(ax, ay): (f64, f64), (bx, by): (f64, f64)| (bx - ax) * (y - ay) - (by - ay) * (x - ax) >= 0.0;
        let [a, b, c] = [(21.0, 11.0), (91.0, 41.0), (33.0, 83.0)];
        side(a, b) && side(b, c) && side(c, a)
    };
    for (a, b) in channels(&was).iter().zip(channels(&is)) {
        let white = Color::WHITE.sample(a.component, &was.spec().info, &was.spec().layout);
        let (sx, sy) = (1usize << a.sub.0, 1usize << a.sub.1);
        let (mut hidden, mut kept) = (0, 0);
        for i in 0..a.at.len() {
            let (x, y) = (i % a.w * sx, i / a.w * sy);
            // Every corner of every pixel that shares the sample.
            let any = (0..=sx).any(|dx| (0..=sy).any(|dy| inside((x + dx) as f64, (y + dy) as f64)));
            assert!(!any || b.at[i] == white, "{:?} at {x},{y} shows", a.component);
            (hidden, kept) = (hidden + usize::from(any), kept + usize::from(a.at[i] == b.at[i]));
        }
        let all = a.at.len();
        assert!(
            hidden * 20 > all && kept > all * 7 / 10,
            "{:?}: {hidden} hidden and {kept} kept of {all}",
            a.component
        );
    }
}

#[test]
fn a_mask_fails_closed() {
    let was = paint(&spec(I420, DIMS), 0, noise);
    let cases = [
        ("mask", "region is missing"),
        ("mask:region=1,1,9,9,when=2s..5s", "when is refused"),
        ("mask:region=1,1,9,9,enabled=false", "enabled = false is refused"),
        ("mask:region=500,0,9,9", "lies outside of the picture (161x121)"),
        ("mask:region=1,1,0,9", "empty"),
        ("mask:cells=17,region=1,1,9,9", "1 to 16"),
    ];
    for (op, why) in cases {
        let e = run_all(op, vec![was.again()]).err().unwrap_or_else(|| panic!("{op} ran"));
        assert!(e.contains(why), "{op}: {e}");
    }
    assert!(run_all("mask:region=1,1,9,9,enabled=true", vec![was.again()]).is_ok());
}

#[test]
fn full_range_has_black_at_zero() {
    gstreamer::init().expect("GStreamer");
    let info =
        VideoInfo::builder(I420, 64, 48).colorimetry(&"1:4:0:0".parse::<VideoColorimetry>().expect("full range"));
    let spec = Arc::new(Spec::new(info.build().expect("a video info")).expect("a layout"));
    let was = paint(&spec, 0, |_, x, _| if x < 32 { 20.0 } else { 220.0 });
    for op in ["sobel", "laplacian", "edges", "morphology:operation=gradient"] {
        let y = &channels(&run(op, &was))[0].at;
        assert!(y[0] == 0 && y.iter().any(|s| *s >= 200), "{op}: from {} to {:?}", y[0], y.iter().max());
    }
}

/// What a mask hides may not come back by way of the input.
#[test]
fn nothing_behind_a_mask_shows_the_input() {
    let run =
        fw!["run", "generate:scene", "-o", "null", "--frames", "1", "--op", "mask:region=1,1,9,9", "--op", "compare"]
            .end();
    assert!(run.code == 2 && run.stderr.contains("put compare before mask"), "{}", run.stderr);
    fw!["run", "generate:scene", "-o", "null", "--frames", "1", "--op", "compare", "--op", "mask:region=1,1,9,9"].ok();
}

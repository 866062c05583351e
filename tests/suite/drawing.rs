//! Drawings, against OpenCV drawing on BGR, ffmpeg's filters, and pixels that can be told beforehand.

mod compare;

use std::sync::Arc;

use framewright::config::read_op;
use framewright::frame::{Converter, Frame, Pool, Spec};
use framewright::ops::Stream;
use framewright::pipeline::chain::Chain;
use framewright::pipeline::stages;
use gstreamer::ClockTime;
use gstreamer_video::{VideoFormat, VideoInfo};
use opencv::core::{CV_8UC3, Mat, Point, Rect, Scalar, Size, Vector};
use opencv::imgproc;
use opencv::prelude::*;

use crate::common::*;
use crate::fw;

const W: u32 = 320;
const H: u32 = 240;

fn spec_at(format: VideoFormat, w: u32, h: u32, fps: (i32, i32)) -> Arc<Spec> {
    gstreamer::init().expect("GStreamer");
    let fps = gstreamer::Fraction::new(fps.0, fps.1);
    let info = VideoInfo::builder(format, w, h).fps(fps).build().expect("a video info");
    Arc::new(Spec::new(info).expect("a layout"))
}

fn spec(format: VideoFormat) -> Arc<Spec> {
    spec_at(format, W, H, (10, 1))
}

/// A frame whose byte at (plane, x, y) is `f`'s, shown at `ns`.
fn frame(spec: &Arc<Spec>, ns: u64, f: impl Fn(usize, usize, u32) -> u8) -> Frame {
    let buffer = Pool::new(&spec.info).and_then(|p| p.acquire()).expect("a buffer");
    let mut frame = Frame::new(buffer, spec.clone(), ClockTime::from_nseconds(ns), None);
    let mut planes = frame.planes_mut().expect("writable planes");
    for (i, plane) in spec.layout.planes.iter().enumerate() {
        for y in 0..plane.rows(spec.info.height()) {
            let row = planes.row_mut(i, y).expect("a row");
            row.iter_mut().enumerate().for_each(|(x, b)| *b = f(i, x, y));
        }
    }
    drop(planes);
    frame
}

/// Bytes that look random and fit into 10 bits where samples have two.
fn noise(spec: &Spec) -> impl Fn(usize, usize, u32) -> u8 {
    let deep = spec.layout.bytes == 2;
    move |i, x, y| {
        let n = (i as u32 * 7 + 1).wrapping_mul(x as u32 + 13).wrapping_mul(y + 29).wrapping_mul(2_654_435_761);
        let byte = (n >> 16) as u8;
        if deep && x % 2 == 1 { byte & 3 } else { byte }
    }
}

fn run(ops: &[&str], frames: Vec<Frame>) -> Vec<Frame> {
    let spec = frames[0].spec().clone();
    let settings: Vec<_> = ops.iter().map(|op| read_op(op).unwrap_or_else(|e| panic!("{op}: {}", e.message))).collect();
    let chain = Chain::prepare(&settings, &spec, &Stream::default(), 1);
    let mut chain = chain.unwrap_or_else(|e| panic!("{ops:?}: {}", e.message));
    let mut out = Vec::new();
    stages::run(&mut chain, frames.into_iter(), &mut |f| {
        out.push(f);
        true
    })
    .unwrap_or_else(|e| panic!("{ops:?}: {}", e.message));
    out
}

fn rows(frame: &Frame, plane: usize) -> Vec<Vec<u8>> {
    let planes = frame.planes().expect("planes");
    let n = frame.spec().layout.planes[plane].rows(frame.height());
    (0..n).map(|y| planes.row(plane, y).expect("a row").to_vec()).collect()
}

fn all(frame: &Frame) -> Vec<Vec<Vec<u8>>> {
    (0..frame.spec().layout.planes.len()).map(|i| rows(frame, i)).collect()
}

fn psnr(a: &[u8], b: &[u8]) -> f64 {
    assert_eq!(a.len(), b.len());
    let sum: f64 = a.iter().zip(b).map(|(a, b)| (f64::from(*a) - f64::from(*b)).powi(2)).sum();
    10.0 * (255.0 * 255.0 * a.len() as f64 / sum.max(1e-9)).log10()
}

/// A soft picture in BGR: what lies beside a drawing must not decide how its chroma is reduced.
fn soft(_: usize, x: usize, y: u32) -> u8 {
    (40 + x / 12 + y as usize / 4) as u8
}

type Draw = fn(&mut Mat) -> opencv::Result<()>;

fn red() -> Scalar {
    Scalar::new(0.0, 0.0, 255.0, 0.0)
}

fn corners() -> Vector<Point> {
    Vector::from_iter([Point::new(40, 200), Point::new(160, 30), Point::new(290, 180)])
}

/// Each op with its OpenCV calls on a BGR picture.
const DRAWN: &[(&str, Draw)] = &[
    ("rectangle:x=40,y=30,width=200,height=150,thickness=1", |m| {
        imgproc::rectangle(m, Rect::new(40, 30, 200, 150), red(), 1, imgproc::LINE_8, 0)
    }),
    ("rectangle:x=40,y=30,width=200,height=150,thickness=3", |m| {
        // Four areas: what OpenCV 4.6 draws with thickness 3 is five pixels wide.
        let sides = [(40, 30, 200, 3), (40, 177, 200, 3), (40, 30, 3, 150), (237, 30, 3, 150)];
        let side =
            |(x, y, w, h)| imgproc::rectangle(m, Rect::new(x, y, w, h), red(), imgproc::FILLED, imgproc::LINE_8, 0);
        sides.into_iter().try_for_each(side)
    }),
    ("rectangle:x=-20,y=10%,width=50%,height=90%,thickness=0,fill=red", |m| {
        imgproc::rectangle(m, Rect::new(-20, 24, 160, 216), red(), imgproc::FILLED, imgproc::LINE_8, 0)
    }),
    ("polygon:points='40,200 160,30 290,180',thickness=4", |m| {
        imgproc::polylines(m, &corners(), true, red(), 4, imgproc::LINE_AA, 0)
    }),
    ("polygon:points='40,200 160,30 290,180',thickness=2,closed=false", |m| {
        imgproc::polylines(m, &corners(), false, red(), 2, imgproc::LINE_AA, 0)
    }),
    ("polygon:points='40,200 160,30 290,180',thickness=0,fill=red", |m| {
        imgproc::fill_poly(m, &corners(), red(), imgproc::LINE_AA, 0, Point::new(0, 0))
    }),
    ("line:from='10,20',to='300,215',thickness=3", |m| {
        imgproc::line(m, Point::new(10, 20), Point::new(300, 215), red(), 3, imgproc::LINE_AA, 0)
    }),
    ("line:from='300,20',to='30,200',thickness=2,arrow=end,tip=15", |m| {
        imgproc::arrowed_line(m, Point::new(300, 20), Point::new(30, 200), red(), 2, imgproc::LINE_AA, 0, 0.15)
    }),
    ("circle:center='150,120',radius=80,thickness=5", |m| {
        imgproc::circle(m, Point::new(150, 120), 80, red(), 5, imgproc::LINE_AA, 0)
    }),
    ("circle:center='20,230',radius=60,thickness=0,fill=red", |m| {
        imgproc::circle(m, Point::new(20, 230), 60, red(), imgproc::FILLED, imgproc::LINE_AA, 0)
    }),
    ("circle:center='150,120',radius=90,radius-y=40,angle=30,thickness=3", |m| {
        let (center, axes) = (Point::new(150, 120), Size::new(90, 40));
        imgproc::ellipse(m, center, axes, 30.0, 0.0, 360.0, red(), 3, imgproc::LINE_AA, 0)
    }),
    ("grid:columns=4,rows=3,thickness=2,color=red,opacity=1", |m| {
        for x in [80, 160, 240] {
            imgproc::rectangle(m, Rect::new(x - 1, 0, 2, 240), red(), imgproc::FILLED, imgproc::LINE_8, 0)?;
        }
        for y in [80, 160] {
            imgproc::rectangle(m, Rect::new(0, y - 1, 320, 2), red(), imgproc::FILLED, imgproc::LINE_8, 0)?;
        }
        Ok(())
    }),
];

#[test]
fn shapes_are_what_opencv_draws() {
    let (bgr, i420) = (spec(VideoFormat::Bgr), spec(VideoFormat::I420));
    let converter = Converter::new(&bgr, i420).expect("a converter");
    for (op, draw) in DRAWN {
        let mut wanted = frame(&bgr, 0, soft);
        wanted
            .planes_mut()
            .unwrap()
            .edit::<_, framewright::frame::FrameError>(0, |m| {
                let mut copy = m.try_clone()?;
                assert_eq!(copy.typ(), CV_8UC3);
                draw(&mut copy)?;
                copy.copy_to(m)?;
                Ok(())
            })
            .expect("drawn");
        let drawn = run(&[op], vec![frame(&bgr, 0, soft)]).remove(0);
        let (a, b) = (rows(&drawn, 0).concat(), rows(&wanted, 0).concat());
        assert!(psnr(&a, &b) >= 40.0, "{op}: {:.1} dB in BGR", psnr(&a, &b));
        assert!(psnr(&a, &rows(&frame(&bgr, 0, soft), 0).concat()) < 30.0, "{op} is seen");
        // On native planes: the same drawing, converted. Chroma is the mean of four pixels here and sited by the
        // converter's filter there, so edges differ by a quarter of the step.
        let native = run(&[op], vec![converter.convert(&frame(&bgr, 0, soft)).unwrap()]).remove(0);
        let wanted = converter.convert(&wanted).unwrap();
        for (plane, bound) in [(0, 40.0), (1, 27.0), (2, 27.0)] {
            let db = psnr(&rows(&native, plane).concat(), &rows(&wanted, plane).concat());
            assert!(db >= bound, "{op}: {db:.1} dB in plane {plane}");
        }
    }
}

#[test]
fn half_opaque_areas_are_the_mean() {
    let bgr = spec(VideoFormat::Bgr);
    let op = "rectangle:x=11,y=21,width=100,height=50,thickness=0,fill=#00ff40,fill-opacity=0.5";
    let (was, is) = (rows(&frame(&bgr, 0, soft), 0), rows(&run(&[op], vec![frame(&bgr, 0, soft)])[0], 0));
    for (y, (was, is)) in was.iter().zip(&is).enumerate() {
        for (x, (was, is)) in was.chunks(3).zip(is.chunks(3)).enumerate() {
            let inside = (11..111).contains(&x) && (21..71).contains(&y);
            for (k, color) in [0x40, 0xff, 0].into_iter().enumerate() {
                let mean = (f64::from(was[k]) + f64::from(color)) / 2.0;
                let close = (f64::from(is[k]) - mean).abs() <= 0.51;
                assert!(if inside { close } else { is[k] == was[k] }, "{x},{y}: {was:?} became {is:?}");
            }
        }
    }
}

/// The samples of the Y plane that an op changes on gray noise, all of which must be `value`.
fn marked(op: &str, format: VideoFormat, value: u8) -> Vec<(usize, usize)> {
    let spec = spec(format);
    let picture = |_: usize, x: usize, y: u32| 60 + ((x * 7 + y as usize * 3) % 100) as u8;
    let (was, is) = (rows(&frame(&spec, 0, picture), 0), rows(&run(&[op], vec![frame(&spec, 0, picture)])[0], 0));
    let mut out = Vec::new();
    for (y, (was, is)) in was.iter().zip(&is).enumerate() {
        for (x, (was, is)) in was.iter().zip(is).enumerate().filter(|(_, (a, b))| a != b) {
            assert_eq!(*is, value, "{op} on {format} at {x},{y}: {was} became {is}");
            out.push((x, y));
        }
    }
    out
}

#[test]
fn rectangles_and_grids_cover_exactly_their_pixels() {
    // White is 235 in limited range.
    for format in [VideoFormat::I420, VideoFormat::Nv12, VideoFormat::Y444] {
        let of = |op: &str| marked(op, format, 235);
        let pixels = |inside: &dyn Fn(usize, usize) -> bool| -> Vec<(usize, usize)> {
            (0..H as usize).flat_map(|y| (0..W as usize).map(move |x| (x, y))).filter(|(x, y)| inside(*x, *y)).collect()
        };
        let within = |x: usize, y: usize, e: usize| (33 + e..153 - e).contains(&x) && (25 + e..95 - e).contains(&y);
        let op = "rectangle:x=33,y=25,width=120,height=70,color=white,thickness=3";
        assert_eq!(of(op), pixels(&|x, y| within(x, y, 0) && !within(x, y, 3)), "{format}");
        let op = "rectangle:x=33,y=25,width=120,height=70,thickness=0,fill=white";
        assert_eq!(of(op), pixels(&|x, y| within(x, y, 0)), "{format}");
        let op = "rectangle:x=0,y=0,width=100%,height=100%,color=white,thickness=1";
        assert_eq!(of(op), pixels(&|x, y| x == 0 || y == 0 || x == 319 || y == 239), "{format}");
        let op = "grid:spacing=50,color=white,opacity=1,thickness=1";
        let line = |v: usize| v > 0 && v.is_multiple_of(50);
        assert_eq!(of(op), pixels(&|x, y| line(x) || line(y)), "{format}");
        let op = "grid:columns=2,rows=2,color=white,opacity=1,thickness=2";
        assert_eq!(of(op), pixels(&|x, y| (159..161).contains(&x) || (119..121).contains(&y)), "{format}");
    }
    assert!(marked("rectangle:x=400,y=0,width=10,height=10,color=white", VideoFormat::I420, 235).is_empty());
}

/// Scaled with multiplied opacity: else the black of transparent pixels bleeds in.
const SCALED: &str = "format=gbrap,premultiply=inplace=1,scale=120:60:flags=area,unpremultiply=inplace=1,format=rgba";

#[test]
fn an_image_is_what_ffmpeg_overlays() {
    let dir = temp();
    let path = |n: &str| dir.path().join(n);
    let logo = concat!(env!("CARGO_MANIFEST_DIR"), "/config/assets/logo.png");
    let input = "pipeline:videotestsrc num-buffers=2 ! video/x-raw,format=I420,width=480,height=320,framerate=10/1";
    fw!["run", input, "-o", path("plain.mkv"), "--encoder", "ffv1"].ok();
    let cases = [
        // Our settings, the same as a filter of the logo, and the place; ffmpeg rounds it to whole chroma samples.
        ("position='100,60'", "null", "100:60"),
        ("position=bottom-right,margin=10,opacity=0.5", "colorchannelmixer=aa=0.5", "W-w-10:H-h-10"),
        ("position='20,-30',width=120", SCALED, "20:-30"),
    ];
    for (ours, filter, place) in cases {
        let out = path("ours.mkv");
        let op = format!("image:path={logo},{ours}");
        fw!["run", path("plain.mkv"), "-o", &out, "--encoder", "ffv1", "--op", &op, "--overwrite"].ok();
        let graph = format!("[1:v]format=rgba,{filter}[l];[0:v][l]overlay={place}:format=yuv420");
        let plain = path("plain.mkv").into_os_string();
        let args = ["-v", "error", "-nostdin", "-i", plain.to_str().unwrap(), "-i", logo, "-filter_complex", &graph];
        let tail = ["-frames:v", "2", "-pix_fmt", "yuv420p", "-f", "rawvideo", "-"];
        let args: Vec<&std::ffi::OsStr> = args.iter().chain(&tail).map(std::ffi::OsStr::new).collect();
        let theirs = tool("ffmpeg", &args);
        let ours = Media::open(&out).raw("yuv420p");
        let frame = 480 * 320 * 3 / 2;
        for n in 0..2 {
            let of = |v: &[u8], from: usize, len: usize| v[n * frame + from..n * frame + from + len].to_vec();
            let luma = psnr(&of(&ours, 0, 480 * 320), &of(&theirs, 0, 480 * 320));
            let chroma = psnr(&of(&ours, 480 * 320, 480 * 160), &of(&theirs, 480 * 320, 480 * 160));
            assert!(luma >= 40.0 && chroma >= 40.0, "{op}: {luma:.1} dB luma, {chroma:.1} dB chroma");
        }
        assert!(psnr(&ours, &Media::open(path("plain.mkv")).raw("yuv420p")) < 35.0, "{op} is seen");
    }
}

#[test]
fn timecodes_are_the_known_ones() {
    let spec = spec_at(VideoFormat::Gray8, W, H, (30000, 1001));
    let at = |n: u64| frame(&spec, n * 1001 * 1_000_000_000 / 30000, soft);
    let look = "position=center,box=black,box-opacity=0.6,outline=0,size=5%,margin=4%";
    let cases = [
        ("timecode:position=center", 0, "00:00:00;00"),
        ("timecode:position=center", 1799, "00:00:59;29"),
        ("timecode:position=center", 1800, "00:01:00;02"),
        ("timecode:position=center", 17981, "00:09:59;29"),
        ("timecode:position=center", 17982, "00:10:00;00"),
        ("timecode:position=center,start=01:00:00:00", 107_892, "02:00:00;00"),
        ("timecode:position=center,drop-frame=off", 1800, "00:01:00:00"),
        ("timecode:position=center,fps=60", 30, "00:00:01:00"),
        ("timecode:position=center,start='23:59:59;29'", 1, "00:00:00;00"),
    ];
    for (op, n, text) in cases {
        let literal = format!("text:text={text},{look}");
        let (a, b) = (run(&[op], vec![at(n)]), run(&[&literal], vec![at(n)]));
        assert!(all(&a[0]) == all(&b[0]), "{op}: frame {n} is not {text}");
        assert!(all(&a[0]) != all(&at(n)), "{op}: nothing was written");
    }
    let (a, b) =
        (run(&[&format!("text:text={{timecode}},{look}")], vec![at(1800)]), run(&[cases[2].0], vec![at(1800)]));
    assert!(all(&a[0]) == all(&b[0]), "the field of the op text counts the same");
}

#[test]
fn the_histogram_of_a_constant_picture_is_one_bar() {
    let place = "position=top-left,margin=0,width=256,height=50,opacity=1,box-opacity=1";
    // A constant picture, 16 white rows apart from the plot.
    let bar = |format, of: &str, value: u8, plane: usize, step: usize, colors: &[(usize, [u8; 3])]| {
        let spec = spec(format);
        let op = format!("histogram:of={of},{place}");
        let out = run(&[&op], vec![frame(&spec, 0, |_, _, _| value)]).remove(0);
        for (y, row) in rows(&out, plane).iter().enumerate() {
            for (x, pixel) in row.chunks(step).enumerate() {
                let inside = x < 256 && y < 50;
                let black = if step == 3 { 0 } else { 16 };
                let there = colors.iter().find(|(at, _)| *at == x).map(|(_, c)| &c[..step]);
                let wanted = match (inside, there) {
                    (false, _) => vec![value; step],
                    (true, None) => vec![black; step],
                    (true, Some(c)) => c.to_vec(),
                };
                assert_eq!(pixel, wanted, "{op} on {format} at {x},{y}");
            }
        }
    };
    bar(VideoFormat::I420, "luma", 100, 0, 1, &[(100, [235; 3])]);
    bar(VideoFormat::Bgr, "luma", 77, 0, 3, &[(77, [255; 3])]);
    // Red, green and blue in one place are white.
    bar(VideoFormat::Bgr, "rgb", 200, 0, 3, &[(200, [255; 3])]);
    // Neutral gray of 126 in limited range is 128 in RGB.
    let spec = spec(VideoFormat::I420);
    let gray = frame(&spec, 0, |plane, _, _| if plane == 0 { 126 } else { 128 });
    let out = rows(&run(&[&format!("histogram:of=rgb,{place}")], vec![gray])[0], 0);
    let bars: Vec<usize> = (0..256).filter(|x| out[10][*x] != 16).collect();
    assert!(bars.len() == 1 && (127..=129).contains(&bars[0]), "{bars:?}");
}

#[test]
fn higher_bars_are_more_frequent_values() {
    let spec = spec(VideoFormat::Gray8);
    let picture = |_: usize, x: usize, y: u32| match (y, x) {
        (..200, _) => 250,
        (_, ..160) => 30,
        _ => 90 + (x % 2) as u8,
    };
    let op = "histogram:position=bottom-right,margin=0,width=256,height=40,opacity=1,box-opacity=1";
    let out = rows(&run(&[op], vec![frame(&spec, 0, picture)])[0], 0);
    let bar = |v: usize| (200..240).filter(|y| out[*y][64 + v] > 200).count();
    // 200 rows of 320; 40 rows of 160; 40 rows of 80 each.
    assert_eq!((bar(250), bar(30), bar(90), bar(91), bar(29)), (40, 4, 2, 2, 0));
}

const KINDS: [VideoFormat; 5] =
    [VideoFormat::I420, VideoFormat::Nv12, VideoFormat::Bgr, VideoFormat::Gray8, VideoFormat::I42010le];

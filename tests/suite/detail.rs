//! The detail ops and the mask against plain OpenCV calls on the same samples, ffmpeg's filters, and definitions.

mod filters;
mod mask;

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

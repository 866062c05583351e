use std::sync::Arc;

use gstreamer::ClockTime;
use gstreamer_video::{VideoFormat, VideoInfo};

use super::*;
use crate::frame::Layout;

/// A frame full of noise.
fn frame(format: VideoFormat, width: u32, height: u32) -> Frame {
    gstreamer::init().unwrap();
    let info = VideoInfo::builder(format, width, height).build().unwrap();
    let mut state = 1u32;
    let noise: Vec<u8> = (0..info.size())
        .map(|_| {
            state = state.wrapping_mul(1664525).wrapping_add(1013904223);
            (state >> 24) as u8
        })
        .collect();
    let mut frame =
        Frame::new(gstreamer::Buffer::from_mut_slice(noise), Arc::new(Spec::new(info).unwrap()), ClockTime::ZERO, None);
    // Samples of 10 bits in 16 have nothing above them.
    let layout = frame.spec().layout.clone();
    if layout.bytes == 2 && layout.shift == 0 {
        let high = ((1u32 << (layout.depth - 8)) - 1) as u8;
        let mut planes = frame.planes_mut().unwrap();
        for (i, p) in layout.planes.iter().enumerate() {
            for y in 0..p.rows(height) {
                planes.row_mut(i, y).unwrap().iter_mut().skip(1).step_by(2).for_each(|b| *b &= high);
            }
        }
    }
    frame
}

fn samples(frame: &Frame) -> Vec<Vec<Vec<u16>>> {
    let (planes, layout) = (frame.planes().unwrap(), &frame.spec().layout);
    let read = |i, y| -> Vec<u16> {
        let row: &[u8] = planes.row(i, y).unwrap();
        match layout.bytes {
            1 => row.iter().map(|b| u16::from(*b)).collect(),
            _ => row.chunks_exact(2).map(|b| u16::from_le_bytes([b[0], b[1]])).collect(),
        }
    };
    let rows = |i: usize| layout.planes[i].rows(frame.height());
    (0..layout.planes.len()).map(|i| (0..rows(i)).map(|y| read(i, y)).collect()).collect()
}

fn overlay(width: u32, height: u32) -> Overlay {
    let n = (width * height) as usize;
    let mask = |seed: usize| (0..n).map(|i| [0, 255, 128, 3, 200, 255, 77][(i * seed + i / 5) % 7]).collect();
    let pixels = (0..n).map(|i| Color::rgb((i * 40) as u8, (i * 7) as u8, 255 - i as u8)).collect();
    let layer = |paint, seed, opacity| Layer { paint, mask: mask(seed), opacity };
    Overlay {
        width,
        height,
        layers: vec![
            layer(Paint::Flat(Color::rgb(10, 200, 90)), 1, 0.5),
            layer(Paint::Pixels(pixels), 3, 0.9),
            layer(Paint::Flat(Color::WHITE), 5, 1.0),
        ],
    }
}

/// The blended sample by the book, in floating point, or `None` where the overlay has no part in it.
fn expected(
    o: &Overlay,
    at: (i32, i32),
    spec: &Spec,
    (plane, x, y, channel): (usize, u32, u32, usize),
    was: f64,
) -> Option<f64> {
    let p = &spec.layout.planes[plane];
    let c = p.channels[channel];
    let (mut sum, mut count, mut touched) = (0.0, 0.0, false);
    for py in y << p.h_sub..((y + 1) << p.h_sub).min(spec.info.height()) {
        for px in x << p.w_sub..((x + 1) << p.w_sub).min(spec.info.width()) {
            let (ox, oy) = (px as i32 - at.0, py as i32 - at.1);
            let mut value = was;
            if ox >= 0 && oy >= 0 && ox < o.width as i32 && oy < o.height as i32 {
                let i = oy as usize * o.width as usize + ox as usize;
                for layer in &o.layers {
                    let m = f64::from(layer.mask[i]) / 255.0 * f64::from(layer.opacity);
                    touched |= m > 0.0;
                    let color = match &layer.paint {
                        Paint::Flat(color) => *color,
                        Paint::Pixels(pixels) => pixels[i],
                    };
                    let to = f64::from(color.sample(c, &spec.info, &spec.layout) >> spec.layout.shift);
                    value = value * (1.0 - m) + to * m;
                }
            }
            sum += value;
            count += 1.0;
        }
    }
    (touched && c != Component::Unused).then(|| sum / count)
}

fn compare(format: VideoFormat, size: (u32, u32), o: &Overlay, at: (i32, i32)) {
    let mut frame = frame(format, size.0, size.1);
    let before = samples(&frame);
    o.blend(&mut frame, at.0, at.1).unwrap();
    let (after, spec) = (samples(&frame), frame.spec());
    let Layout { shift, depth, .. } = spec.layout;
    for (i, plane) in spec.layout.planes.iter().enumerate() {
        let n = plane.channels.len();
        for (y, row) in before[i].iter().enumerate() {
            for (x, was) in row.iter().enumerate() {
                let now = after[i][y][x];
                let place = || format!("{format} {size:?} at {at:?}: plane {i} row {y} sample {x}: {was} -> {now}");
                let (column, channel) = ((x / n) as u32, x % n);
                let value = expected(o, at, spec, (i, column, y as u32, channel), f64::from(was >> shift));
                let Some(value) = value else {
                    assert_eq!(now, *was, "{}", place());
                    continue;
                };
                // Half a step for rounding, and what 15-bit weights cost at 16 bits.
                let tolerance = 0.55 + f64::from(1u32 << depth) / f64::from(1 << 14);
                assert!((f64::from(now >> shift) - value).abs() <= tolerance, "{}, not {value:.3}", place());
                assert_eq!(now & ((1 << shift) - 1), was & ((1 << shift) - 1), "{}", place());
            }
        }
    }
}

#[test]
fn every_format_is_blended_as_floating_point_does_and_nothing_else_is_touched() {
    gstreamer::init().unwrap();
    let mut formats = 0;
    for format in Layout::all_formats() {
        formats += 1;
        for at in [(3, 5), (2, 4), (-3, -2), (28, 11), (0, 0)] {
            compare(format, (35, 17), &overlay(9, 7), at);
        }
        compare(format, (1, 1), &overlay(3, 3), (-1, -1));
        compare(format, (5, 3), &overlay(64, 64), (-20, -20));
    }
    assert!(formats > 40, "{formats}");
}

#[test]
fn opaque_is_exact_and_outside_is_nothing() {
    let white = |opacity| Overlay {
        width: 8,
        height: 8,
        layers: vec![Layer { paint: Paint::Flat(Color::WHITE), mask: vec![255; 64], opacity }],
    };
    for format in [VideoFormat::Bgra, VideoFormat::Gray16Le, VideoFormat::I42010le] {
        let mut f = frame(format, 8, 8);
        let before = samples(&f);
        for (x, y) in [(8, 0), (0, 8), (-8, 0), (i32::MAX, 0), (i32::MIN, i32::MIN)] {
            white(1.0).blend(&mut f, x, y).unwrap();
        }
        white(0.0).blend(&mut f, 0, 0).unwrap();
        Overlay::default().blend(&mut f, 0, 0).unwrap();
        assert_eq!(samples(&f), before);
        white(1.0).blend(&mut f, 0, 0).unwrap();
        let luma = Color::WHITE.sample(f.spec().layout.planes[0].channels[0], &f.spec().info, &f.spec().layout);
        assert!(samples(&f)[0].iter().flatten().all(|s| *s == luma), "{format}");
    }
}

#[test]
fn opacity_of_the_frame_grows_where_something_is_drawn() {
    let mut f = frame(VideoFormat::Bgra, 2, 1);
    f.planes_mut().unwrap().row_mut(0, 0).unwrap().copy_from_slice(&[0, 0, 0, 100, 0, 0, 0, 0]);
    let rgba = [255, 0, 0, 128, 0, 0, 255, 255];
    Overlay::from_rgba(2, 1, &rgba, 1.0).blend(&mut f, 0, 0).unwrap();
    let alpha = 100.0 + 128.0 / 255.0 * (255.0 - 100.0);
    assert_eq!(f.planes().unwrap().row(0, 0).unwrap(), [0, 0, 128, f64::round(alpha) as u8, 255, 0, 0, 255]);
}

#[test]
fn a_preparation_can_be_made_anew_for_another_size() {
    let mut prepared = Prepared::default();
    for size in [(35, 17), (4, 4), (64, 3)] {
        let (mut a, mut b) = (frame(VideoFormat::Nv12, size.0, size.1), frame(VideoFormat::Nv12, size.0, size.1));
        prepared.set(&overlay(9, 7), a.spec(), 1, 1);
        prepared.blend(&mut a).unwrap();
        overlay(9, 7).blend(&mut b, 1, 1).unwrap();
        assert_eq!(samples(&a), samples(&b));
    }
}

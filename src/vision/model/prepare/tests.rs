//! Pictures of every format against OpenCV's resizing of BGR.

use std::sync::Arc;

use gstreamer_video::{VideoChromaSite, VideoColorimetry, VideoFormat, VideoInfo};
use opencv::core::{self, Mat, Size};
use opencv::imgproc;
use opencv::prelude::*;

use super::super::SmallBgr;
use super::*;
use crate::frame::{Converter, Spec};
use crate::source::generate::{Generate, Settings};

/// The generated street in BGR.
fn street(width: u32, height: u32) -> Frame {
    gstreamer::init().unwrap();
    let settings = Settings { width, height, frames: Some(1), ..Settings::default() };
    Generate::new(&settings).unwrap().next().unwrap().unwrap()
}

/// The same in another format, with the colorimetry written as GStreamer does.
fn like(frame: &Frame, format: VideoFormat, colorimetry: &str) -> Frame {
    let colorimetry: VideoColorimetry = colorimetry.parse().unwrap();
    let builder = VideoInfo::builder(format, frame.width(), frame.height())
        .fps(frame.spec().info.fps())
        .colorimetry(&colorimetry);
    let spec = Arc::new(Spec::new(builder.build().unwrap()).unwrap());
    Converter::new(frame.spec(), spec).unwrap().convert(frame).unwrap()
}

fn input(text: &str) -> Input {
    toml::from_str(text).unwrap()
}

fn whole(frame: &Frame) -> Rect {
    Rect::new(0.0, 0.0, frame.width() as f32, frame.height() as f32)
}

fn tensor(frame: &Frame, input: &Input, area: Rect) -> Vec<f32> {
    let place = Placement::new(input, snapped(area, frame));
    let mut out = vec![f32::NAN; (place.size[0] * place.size[1]) as usize * input.color.channels()];
    Preparer::default().fill(frame, input, &place, &mut out).unwrap();
    out
}

/// What OpenCV makes of the BGR picture's area: resized, as planes B, G, R.
fn by_opencv(frame: &Frame, area: core::Rect, [w, h]: [i32; 2]) -> Vec<f32> {
    let (planes, mut small) = (frame.planes().unwrap(), Mat::default());
    let whole = planes.mat(0).unwrap();
    let part = Mat::roi(&whole, area).unwrap();
    imgproc::resize(&part, &mut small, Size::new(w, h), 0.0, 0.0, imgproc::INTER_LINEAR).unwrap();
    let data = small.data_bytes().unwrap();
    (0..3).flat_map(|c| data.chunks_exact(3).map(move |p| f32::from(p[c]))).collect()
}

/// Mean and largest distance.
fn distance(a: &[f32], b: &[f32]) -> (f32, f32) {
    assert_eq!(a.len(), b.len());
    let all = a.iter().zip(b).map(|(a, b)| (a - b).abs());
    (all.clone().sum::<f32>() / a.len() as f32, all.fold(0.0, f32::max))
}

#[test]
fn bgr_becomes_what_opencv_resizes() {
    let frame = street(640, 360);
    let stretch = input("size = [160, 96]\ncolor = 'bgr'\nfit = 'stretch'");
    // To the last bit, or nearly: OpenCV has ways of its own for some processors.
    for area in [whole(&frame), Rect::new(101.0, 33.0, 77.0, 55.0)] {
        let cut = core::Rect::new(area.x as i32, area.y as i32, area.w as i32, area.h as i32);
        let (mean, most) = distance(&tensor(&frame, &stretch, area), &by_opencv(&frame, cut, [160, 96]));
        assert!(mean < 0.01 && most <= 1.0, "{area:?}: {mean} on average, {most} at most");
    }
}

#[test]
fn every_kind_of_format_gives_the_same_picture() {
    let frame = street(641, 361);
    let stretch = input("size = [160, 96]\ncolor = 'bgr'\nfit = 'stretch'");
    let original = tensor(&frame, &stretch, whole(&frame));
    for (format, colorimetry, mean) in [
        (VideoFormat::Rgba, "sRGB", 0.01),
        (VideoFormat::Argb, "sRGB", 0.01),
        (VideoFormat::Bgrx, "sRGB", 0.01),
        (VideoFormat::Gbr, "sRGB", 0.01),
        (VideoFormat::Y444, "bt709", 2.0),
        (VideoFormat::Y444, "bt601", 2.0),
        (VideoFormat::Y444, "1:4:0:0", 2.0),
        (VideoFormat::Ayuv, "bt601", 2.0),
        (VideoFormat::Y42b, "bt709", 2.5),
        (VideoFormat::I420, "bt709", 3.0),
        (VideoFormat::I420, "bt601", 3.0),
        (VideoFormat::I420, "1:4:0:0", 3.0),
        (VideoFormat::Yv12, "bt601", 3.0),
        (VideoFormat::Nv12, "bt709", 3.0),
        (VideoFormat::Nv21, "bt709", 3.0),
        (VideoFormat::I42010le, "bt709", 3.0),
        (VideoFormat::Y44412le, "bt2020", 2.0),
        (VideoFormat::P01010le, "bt709", 3.0),
    ] {
        let other = like(&frame, format, colorimetry);
        for area in [whole(&frame), Rect::new(101.0, 33.0, 200.0, 150.0)] {
            let wanted = match area == whole(&frame) {
                true => original.clone(),
                false => tensor(&frame, &stretch, snapped(area, &other)),
            };
            let (found, _) = distance(&wanted, &tensor(&other, &stretch, area));
            assert!(found < mean, "{format} {colorimetry} {area:?}: {found} away on average");
        }
    }
}

#[test]
fn small_pictures_are_those_of_opencv() {
    let small = |frame: &Frame, w, h| -> Vec<f32> {
        let mut small = SmallBgr::new([w, h], frame.spec()).unwrap();
        let data = small.of(frame).unwrap().data_bytes().unwrap().to_vec();
        (0..3).flat_map(|c| data.chunks_exact(3).map(move |p| f32::from(p[c])).collect::<Vec<_>>()).collect()
    };
    // A fifth, where each pixel comes from one; and not a whole part.
    for (width, height, w, h) in [(640, 360, 128, 72), (641, 361, 160, 96), (50, 30, 50, 30), (1, 1, 3, 2)] {
        let frame = street(width, height);
        let all = core::Rect::new(0, 0, width as i32, height as i32);
        let original = by_opencv(&frame, all, [w as i32, h as i32]);
        let (mean, most) = distance(&original, &small(&frame, w, h));
        assert!(mean < 0.01 && most <= 1.0, "{width}x{height}: {mean} on average, {most} at most");
        for (format, colorimetry, mean) in [
            (VideoFormat::Rgba, "sRGB", 0.01),
            (VideoFormat::Gbr, "sRGB", 0.01),
            (VideoFormat::Y444, "bt709", 2.0),
            (VideoFormat::Y444, "1:4:0:0", 2.0),
            (VideoFormat::Y42b, "bt601", 7.0),
            (VideoFormat::I420, "bt709", 7.0),
            (VideoFormat::Nv12, "1:4:0:0", 7.0),
            (VideoFormat::P01010le, "bt709", 7.0),
        ] {
            let (found, _) = distance(&original, &small(&like(&frame, format, colorimetry), w, h));
            assert!(found < mean, "{format} {colorimetry} {width}x{height}: {found} away on average");
        }
    }
}

#[test]
fn chroma_lies_where_the_format_says() {
    // A step from red to blue at a column: with the wrong place the seam is half a pixel off.
    let frame = street(320, 180);
    let stretch = input("size = [320, 180]\ncolor = 'bgr'\nfit = 'stretch'");
    let original = tensor(&frame, &stretch, whole(&frame));
    let of_site = |site: VideoChromaSite| {
        let info = VideoInfo::builder(VideoFormat::I420, 320, 180).fps(30).chroma_site(site).build().unwrap();
        let spec = Arc::new(Spec::new(info).unwrap());
        Converter::new(frame.spec(), spec).unwrap().convert(&frame).unwrap()
    };
    for (site, other) in
        [(VideoChromaSite::MPEG2, VideoChromaSite::JPEG), (VideoChromaSite::JPEG, VideoChromaSite::MPEG2)]
    {
        let mut sampled = of_site(site);
        let (right, _) = distance(&original, &tensor(&sampled, &stretch, whole(&frame)));
        let info = VideoInfo::builder(VideoFormat::I420, 320, 180).chroma_site(other).build().unwrap();
        sampled.respec(Arc::new(Spec::new(info).unwrap()));
        let (wrong, _) = distance(&original, &tensor(&sampled, &stretch, whole(&frame)));
        assert!(right < wrong * 0.99, "{site:?}: {right} against {wrong}");
    }
}

#[test]
fn the_range_counts_where_only_the_matrix_is_unknown() {
    let frame = street(320, 180);
    let stretch = input("size = [160, 90]\ncolor = 'rgb'\nfit = 'stretch'");
    let mut full = like(&frame, VideoFormat::I420, "1:4:0:0");
    let known = tensor(&full, &stretch, whole(&full));
    let caps = "video/x-raw,format=I420,width=320,height=180,framerate=30/1,colorimetry=(string)1:0:0:0";
    let caps: gstreamer::Caps = caps.parse().unwrap();
    let info = VideoInfo::from_caps(&caps).unwrap();
    full.respec(Arc::new(Spec::new(info).unwrap().with_caps(caps)));
    assert_eq!(tensor(&full, &stretch, whole(&full)), known);
}

#[test]
fn gray_pictures_and_gray_networks() {
    let frame = street(320, 180);
    let gray = like(&frame, VideoFormat::Gray8, "1:4:0:0");
    let color = input("size = [160, 90]\ncolor = 'rgb'\nfit = 'stretch'");
    let t = tensor(&gray, &color, whole(&gray));
    let (planes, rest) = t.split_at(160 * 90);
    assert_eq!(planes, &rest[..160 * 90]);
    let one = input("size = [160, 90]\ncolor = 'gray'\nfit = 'stretch'");
    let (mean, _) = distance(planes, &tensor(&frame, &one, whole(&frame)));
    assert!(mean < 1.0, "{mean}");
}

#[test]
fn letterboxes_pad_and_lead_back() {
    let frame = street(640, 360);
    let corner = input(
        "size = [128, 128]\ncolor = 'rgb'\nfit = 'letterbox-top-left'\npad = 114\nscale = 0.5\nmean = [1, 2, 3]\nstd = [2, 4, 8]",
    );
    let t = tensor(&frame, &corner, whole(&frame));
    assert!(t.iter().all(|v| v.is_finite()));
    // The first row below the picture.
    let at = |c: usize| t[c * 128 * 128 + 72 * 128];
    assert_eq!([at(0), at(1), at(2)], [(57.0 - 1.0) / 2.0, (57.0 - 2.0) / 4.0, (57.0 - 3.0) / 8.0]);
    let place = Placement::new(&corner, whole(&frame));
    assert_eq!(place.rect(Rect::new(64.0, 36.0, 64.0, 36.0)), Rect::new(320.0, 180.0, 320.0, 180.0));

    let middle = input("size = [128, 128]\ncolor = 'rgb'\nfit = 'letterbox'");
    let place = Placement::new(&middle, Rect::new(100.0, 50.0, 64.0, 32.0));
    assert_eq!(place.rect(Rect::new(0.0, 32.0, 128.0, 64.0)), Rect::new(100.0, 50.0, 64.0, 32.0));

    // Interleaved and planar hold the same.
    let nhwc = Input { layout: TensorLayout::Nhwc, ..middle.clone() };
    let (a, b) = (tensor(&frame, &middle, whole(&frame)), tensor(&frame, &nhwc, whole(&frame)));
    for i in [0, 128 * 64 + 5, 128 * 128 - 1] {
        assert_eq!([a[i], a[128 * 128 + i], a[2 * 128 * 128 + i]], b[3 * i..3 * i + 3]);
    }
}

#[test]
fn sizes_that_are_free_follow_the_picture() {
    let free = input("size = [640, 640]\nmultiple-of = 32\ncolor = 'rgb'\nfit = 'letterbox-top-left'");
    let size = |w: f32, h: f32| Placement::new(&free, Rect::new(0.0, 0.0, w, h)).size;
    assert_eq!(size(1920.0, 1080.0), [640, 384]);
    assert_eq!(size(320.0, 240.0), [320, 256]);
    assert_eq!(size(100.0, 3000.0), [32, 640]);
    assert_eq!(size(1.0, 1.0), [32, 32]);
}

#[test]
fn areas_of_any_size_and_place_are_taken() {
    let frame = like(&street(65, 47), VideoFormat::I420, "bt601");
    let stretch = input("size = [32, 32]\ncolor = 'bgr'\nfit = 'letterbox'");
    for area in [
        Rect::new(0.0, 0.0, 1.0, 1.0),
        Rect::new(64.0, 46.0, 1.0, 1.0),
        Rect::new(63.0, 0.0, 2.0, 47.0),
        Rect::new(0.0, 45.0, 65.0, 2.0),
        Rect::new(13.0, 7.0, 3.0, 40.0),
    ] {
        let snapped = snapped(area, &frame);
        assert!(snapped.right() <= 65.0 && snapped.bottom() <= 47.0, "{snapped:?}");
        assert!(snapped.x <= area.x && snapped.right() >= area.right() && snapped.area() > 0.0, "{snapped:?}");
        assert!(tensor(&frame, &stretch, area).iter().all(|v| v.is_finite()));
    }
}

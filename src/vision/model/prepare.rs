//! From the decoder's planes to a network's tensor.
//!
//! Each plane's part of the area is resized to the size the picture has in the tensor (`cv::resize`, bilinear, as models are
//! trained and published with), then one pass over the small picture does colour, range and normalisation. A full-size BGR
//! picture never exists.

use gstreamer_video::{VideoChromaSite, VideoColorRange, VideoInfo};
use multiversion::multiversion;
use opencv::core::{self, Mat, Size};
use opencv::imgproc;
use opencv::prelude::*;

use super::manifest::{ChannelOrder, Fit, Input, TensorLayout};
use crate::frame::{Component, Frame, FrameError, Layout, Planes, Spec, kr_kb, shape_scratch};
use crate::vision::{Point, Rect};

/// Where an area of the picture lies in the tensor.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Placement {
    /// The area, in pixels of the picture.
    pub area: Rect,
    /// The tensor's width and height.
    pub size: [u32; 2],
    /// Where the area's upper left corner lies in the tensor.
    at: [u32; 2],
    /// Its width and height there.
    inner: [u32; 2],
}

impl Placement {
    /// Fits `area` into what `input` takes.
    pub(super) fn new(input: &Input, area: Rect) -> Self {
        let [w, h] = input.size;
        let (aw, ah) = (area.w.max(1.0), area.h.max(1.0));
        let ratio = (w as f32 / aw).min(h as f32 / ah);
        // Rounded down as the authors do, but not from 415.9999.
        let fitted = |side: f32, ratio: f32, most: u32| ((side * ratio + 1e-3) as u32).clamp(1, most);
        let (size, inner) = match (input.fit, input.multiple_of) {
            (Fit::Stretch, _) => ([w, h], [w, h]),
            (_, None) => ([w, h], [fitted(aw, ratio, w), fitted(ah, ratio, h)]),
            // A picture that is small enough stays as it is.
            (_, Some(m)) => {
                let ratio = ratio.min(1.0);
                let inner = [fitted(aw, ratio, w), fitted(ah, ratio, h)];
                (inner.map(|side| side.next_multiple_of(m)), inner)
            }
        };
        let at = match input.fit {
            Fit::Letterbox => [(size[0] - inner[0]) / 2, (size[1] - inner[1]) / 2],
            Fit::Stretch | Fit::LetterboxTopLeft => [0, 0],
        };
        Placement { area, size, at, inner }
    }

    /// A place in the tensor as one in the picture.
    pub(super) fn point(&self, x: f32, y: f32) -> Point {
        Point {
            x: self.area.x + (x - self.at[0] as f32) * self.area.w / self.inner[0] as f32,
            y: self.area.y + (y - self.at[1] as f32) * self.area.h / self.inner[1] as f32,
        }
    }

    /// A box in the tensor as one in the picture.
    pub(super) fn rect(&self, r: Rect) -> Rect {
        let Point { x, y } = self.point(r.x, r.y);
        let (sx, sy) = (self.area.w / self.inner[0] as f32, self.area.h / self.inner[1] as f32);
        Rect::new(x, y, r.w * sx, r.h * sy)
    }
}

/// Scratch space; nothing is allocated once it is warm.
#[derive(Default)]
pub(super) struct Preparer {
    /// The resized planes.
    small: Vec<Mat>,
    /// A resized plane whose depth OpenCV cannot resize at once.
    rows: [Vec<f32>; 3],
}

impl Preparer {
    /// Writes the area of `frame` into `tensor`, which holds one picture of `place.size`.
    pub(super) fn fill(
        &mut self,
        frame: &Frame,
        input: &Input,
        place: &Placement,
        tensor: &mut [f32],
    ) -> Result<(), FrameError> {
        let spec = frame.spec();
        let (info, layout) = (&spec.info, &spec.layout);
        let planes = frame.planes()?;
        let sources = Sources::of(layout)?;
        self.shrink(&planes, layout, info, place)?;
        let affine = Affine::new(input);
        let [w, h] = place.size.map(|v| v as usize);
        let [iw, ih] = place.inner.map(|v| v as usize);
        if (iw, ih) != (w, h) {
            pad(input, &affine, w * h, tensor);
        }
        let color = ToRgb::new(spec);
        let shift = match sources.subsampled(layout) && is_left(info) {
            // The sample is half a pixel further left than resizing takes it to be.
            true => 0.5 * iw as f32 / place.area.w,
            false => 0.0,
        };
        for row in &mut self.rows {
            row.resize(iw, 0.0);
        }
        for y in 0..ih {
            let [first, second, third] = &mut self.rows;
            for (row, source) in [&mut *first, &mut *second, &mut *third].into_iter().zip(&sources.0) {
                read_row(&self.small[source.plane], source.channel, y, layout.bytes, row)?;
            }
            if shift > 0.0 {
                move_left(second, shift);
                move_left(third, shift);
            }
            match input.color {
                ChannelOrder::Gray => color.luma(first, second, third),
                _ => color.rgb(first, second, third),
            }
            let order: [&[f32]; 3] = match input.color {
                ChannelOrder::Bgr => [third, second, first],
                ChannelOrder::Rgb | ChannelOrder::Gray => [first, second, third],
            };
            let start = (place.at[1] as usize + y) * w + place.at[0] as usize;
            let channels = input.color.channels();
            for (c, row) in order.into_iter().enumerate().take(channels) {
                match input.layout {
                    TensorLayout::Nchw => {
                        let from = c * w * h + start;
                        affine.apply(c, row, &mut tensor[from..from + iw]);
                    }
                    TensorLayout::Nhwc => {
                        let to = &mut tensor[start * channels..(start + iw) * channels];
                        affine.interleave(c, row, channels, to);
                    }
                }
            }
        }
        Ok(())
    }

    /// Resizes the area's part of every plane that carries colour.
    fn shrink(
        &mut self,
        planes: &Planes<'_>,
        layout: &Layout,
        info: &VideoInfo,
        place: &Placement,
    ) -> Result<(), FrameError> {
        self.small.resize_with(layout.planes.len(), Mat::default);
        let size = Size::new(place.inner[0] as i32, place.inner[1] as i32);
        for (i, plane) in layout.planes.iter().enumerate() {
            if plane.is_alpha() {
                continue;
            }
            let roi = part(place.area, plane.w_sub, plane.h_sub, plane.cols(info.width()), plane.rows(info.height()));
            let whole = planes.mat(i)?;
            let part = Mat::roi(&whole, roi)?;
            let to = &mut self.small[i];
            shape_scratch(to, size, layout.mat_type(i))?;
            imgproc::resize(&part, to, size, 0.0, 0.0, imgproc::INTER_LINEAR)?;
        }
        Ok(())
    }
}

/// `area` in samples of a plane: rounded outwards, not empty, inside of it.
fn part(area: Rect, w_sub: u32, h_sub: u32, cols: u32, rows: u32) -> core::Rect {
    let span = |from: f32, to: f32, sub: u32, most: u32| {
        let one = (1u32 << sub) as f32;
        let start = ((from / one).floor().max(0.0) as u32).min(most - 1);
        let end = ((to / one).ceil().max(0.0) as u32).clamp(start + 1, most);
        (start as i32, (end - start) as i32)
    };
    let (x, w) = span(area.x, area.right(), w_sub, cols);
    let (y, h) = span(area.y, area.bottom(), h_sub, rows);
    core::Rect::new(x, y, w, h)
}

/// The area as the planes can give it: whole pixels inside of the picture, even where chroma is subsampled.
pub(super) fn snapped(area: Rect, frame: &Frame) -> Rect {
    let layout = &frame.spec().layout;
    let most = |sub: fn(&crate::frame::Plane) -> u32| layout.planes.iter().map(sub).max().unwrap_or(0);
    let span = |from: f32, to: f32, sub: u32, side: u32| {
        let one = 1u32 << sub;
        let start = (from.max(0.0) as u32).min(side - 1) / one * one;
        let end = (to.ceil().max(0.0) as u32).next_multiple_of(one).clamp(start + 1, side.max(start + 1));
        (start as f32, (end - start) as f32)
    };
    let (x, w) = span(area.x, area.right(), most(|p| p.w_sub), frame.width());
    let (y, h) = span(area.y, area.bottom(), most(|p| p.h_sub), frame.height());
    Rect::new(x, y, w, h)
}

/// True where chroma samples lie on every second luma sample instead of between two (MPEG-2, H.264 by default).
fn is_left(info: &VideoInfo) -> bool {
    let site = info.chroma_site();
    site.contains(VideoChromaSite::H_COSITED) || (site.is_empty() && info.is_yuv())
}

/// Where a channel's samples are.
#[derive(Clone, Copy)]
struct Source {
    plane: usize,
    channel: usize,
}

/// The three channels: R, G, B or Y, U, V; gray has Y three times.
struct Sources([Source; 3]);

impl Sources {
    fn of(layout: &Layout) -> Result<Self, FrameError> {
        use Component::{B, G, R, U, V, Y};
        let find = |c| layout.find(c).map(|(plane, channel)| Source { plane, channel });
        let all = |set: [Component; 3]| {
            let [a, b, c] = set.map(find);
            Some(Sources([a?, b?, c?]))
        };
        all([R, G, B])
            .or_else(|| all([Y, U, V]))
            .or_else(|| find(Y).map(|y| Sources([y, y, y])))
            .ok_or(FrameError::NoPlane(0))
    }

    fn subsampled(&self, layout: &Layout) -> bool {
        layout.planes[self.0[1].plane].w_sub > 0
    }
}

/// Row `y` of a channel of a resized plane, as floats.
fn read_row(small: &Mat, channel: usize, y: usize, bytes: u32, row: &mut [f32]) -> Result<(), FrameError> {
    let channels = small.channels() as usize;
    let data = small.data_bytes()?;
    let len = row.len() * channels * bytes as usize;
    let from = &data[y * len..(y + 1) * len];
    match bytes {
        1 => pick(from, channel, channels, row),
        // An odd address is not possible: OpenCV aligns what it allocates.
        _ => pick(bytemuck::try_cast_slice::<u8, u16>(from).unwrap_or_default(), channel, channels, row),
    }
    Ok(())
}

fn pick<T: Copy + Into<f32>>(from: &[T], channel: usize, channels: usize, row: &mut [f32]) {
    // The constants let the compiler vectorise.
    match channels {
        1 => row.iter_mut().zip(from).for_each(|(to, v)| *to = (*v).into()),
        2 => row.iter_mut().zip(from.chunks_exact(2)).for_each(|(to, v)| *to = v[channel].into()),
        3 => row.iter_mut().zip(from.chunks_exact(3)).for_each(|(to, v)| *to = v[channel].into()),
        n => row.iter_mut().zip(from.chunks_exact(n)).for_each(|(to, v)| *to = v[channel].into()),
    }
}

/// Takes each sample from `shift` columns further right, between two samples where that is no whole number.
fn move_left(row: &mut [f32], shift: f32) {
    let (whole, part) = (shift as usize, shift.fract());
    let last = row.len() - 1;
    let straight = last.saturating_sub(whole);
    for x in 0..straight {
        row[x] = row[x + whole] * (1.0 - part) + row[x + whole + 1] * part;
    }
    let edge = row[last];
    row[straight..].fill(edge);
}

/// The range of the samples. Where only the matrix is not known, `VideoInfo` forgets the range with it; the caps do not.
fn range(spec: &Spec) -> VideoColorRange {
    let said = spec.caps.as_ref().and_then(|caps| caps.structure(0)?.get::<String>("colorimetry").ok());
    match said.as_deref().and_then(|s| s.split_once(':')) {
        Some(("1", _)) => VideoColorRange::Range0_255,
        Some(("2", _)) => VideoColorRange::Range16_235,
        _ => spec.info.colorimetry().range(),
    }
}

/// From stored samples to 0–255: matrix and range as in [`crate::frame::Color::sample`].
struct ToRgb {
    /// Factor and offset of luma, or of each channel of RGB.
    luma: (f32, f32),
    /// Chroma's middle; what V adds to red, U and V to green, U to blue.
    chroma: Option<(f32, [f32; 4])>,
}

impl ToRgb {
    fn new(spec: &Spec) -> Self {
        let (info, layout) = (&spec.info, &spec.layout);
        let (colorimetry, range) = (info.colorimetry(), range(spec));
        // In units of 8-bit samples: a deep sample's fraction stays.
        let unit = f64::from(1u32 << (layout.depth - 8)) * f64::from(1u32 << layout.shift);
        let full = f64::from((1u32 << layout.depth) - 1) * f64::from(1u32 << layout.shift);
        let limited = match layout.rgb {
            true => range == VideoColorRange::Range16_235,
            false => range != VideoColorRange::Range0_255,
        };
        let (gain, offset) = match limited {
            true => (255.0 / (219.0 * unit), -16.0 * 255.0 / 219.0),
            false => (255.0 / full, 0.0),
        };
        let chroma = (!layout.rgb && layout.find(Component::U).is_some()).then(|| {
            let (kr, kb) = kr_kb(colorimetry.matrix(), info.height());
            let kg = 1.0 - kr - kb;
            let c = if limited { 255.0 / (224.0 * unit) } else { 255.0 / full };
            let (red, blue) = (2.0 * (1.0 - kr), 2.0 * (1.0 - kb));
            let all = [c * red, -c * blue * kb / kg, -c * red * kr / kg, c * blue];
            ((128.0 * unit) as f32, all.map(|v| v as f32))
        });
        ToRgb { luma: (gain as f32, offset as f32), chroma }
    }

    /// Turns three rows of samples into red, green, blue.
    fn rgb(&self, a: &mut [f32], b: &mut [f32], c: &mut [f32]) {
        match self.chroma {
            Some((middle, factors)) => yuv_to_rgb(self.luma, middle, factors, a, b, c),
            None => [a, b, c].into_iter().for_each(|row| stretch(self.luma, row)),
        }
    }

    /// Turns three rows of samples into luma, in the first.
    fn luma(&self, a: &mut [f32], b: &mut [f32], c: &mut [f32]) {
        self.rgb(a, b, c);
        for ((r, g), b) in a.iter_mut().zip(b).zip(c) {
            *r = 0.299 * *r + 0.587 * *g + 0.114 * *b;
        }
    }
}

/// A whole level of an 8-bit picture, since that is what networks are trained on: some notice the fractions.
#[inline(always)]
fn level(v: f32) -> f32 {
    (v.clamp(0.0, 255.0) + 0.5).floor()
}

#[multiversion(targets("x86_64+avx2+fma"))]
fn yuv_to_rgb(luma: (f32, f32), middle: f32, f: [f32; 4], a: &mut [f32], b: &mut [f32], c: &mut [f32]) {
    for ((y, u), v) in a.iter_mut().zip(b).zip(c) {
        let (l, du, dv) = (*y * luma.0 + luma.1, *u - middle, *v - middle);
        *y = level(l + f[0] * dv);
        *u = level(l + f[1] * du + f[2] * dv);
        *v = level(l + f[3] * du);
    }
}

#[multiversion(targets("x86_64+avx2+fma"))]
fn stretch(luma: (f32, f32), row: &mut [f32]) {
    row.iter_mut().for_each(|v| *v = level(*v * luma.0 + luma.1));
}

/// The manifest's scale, mean and std as one factor and one summand a channel.
struct Affine([(f32, f32); 3]);

impl Affine {
    fn new(input: &Input) -> Self {
        Affine(std::array::from_fn(|c| (input.scale / input.std[c], -input.mean[c] / input.std[c])))
    }

    fn at(&self, c: usize, v: f32) -> f32 {
        v * self.0[c].0 + self.0[c].1
    }

    fn apply(&self, c: usize, from: &[f32], to: &mut [f32]) {
        let (gain, offset) = self.0[c];
        to.iter_mut().zip(from).for_each(|(to, v)| *to = v * gain + offset);
    }

    fn interleave(&self, c: usize, from: &[f32], channels: usize, to: &mut [f32]) {
        let (gain, offset) = self.0[c];
        to.chunks_exact_mut(channels).zip(from).for_each(|(to, v)| to[c] = v * gain + offset);
    }
}

/// Fills the tensor with what lies beside the picture.
fn pad(input: &Input, affine: &Affine, pixels: usize, tensor: &mut [f32]) {
    let channels = input.color.channels();
    match input.layout {
        TensorLayout::Nchw => {
            for (c, plane) in tensor.chunks_exact_mut(pixels).enumerate().take(channels) {
                plane.fill(affine.at(c, input.pad));
            }
        }
        TensorLayout::Nhwc => {
            for pixel in tensor.chunks_exact_mut(channels) {
                pixel.iter_mut().enumerate().for_each(|(c, v)| *v = affine.at(c, input.pad));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use gstreamer_video::{VideoColorimetry, VideoFormat};

    use super::*;
    use crate::frame::Converter;
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
        let builder = VideoInfo::builder(format, frame.width(), frame.height()).colorimetry(&colorimetry);
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
        assert_eq!(
            tensor(&frame, &stretch, whole(&frame)),
            by_opencv(&frame, core::Rect::new(0, 0, 640, 360), [160, 96])
        );
        let area = Rect::new(101.0, 33.0, 77.0, 55.0);
        assert_eq!(tensor(&frame, &stretch, area), by_opencv(&frame, core::Rect::new(101, 33, 77, 55), [160, 96]));
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
            (VideoFormat::Y444, "bt709", 1.0),
            (VideoFormat::Y444, "bt601", 1.0),
            (VideoFormat::Y444, "1:4:0:0", 0.7),
            (VideoFormat::Ayuv, "bt601", 1.0),
            (VideoFormat::Y42b, "bt709", 1.5),
            (VideoFormat::I420, "bt709", 2.0),
            (VideoFormat::I420, "bt601", 2.0),
            (VideoFormat::I420, "1:4:0:0", 2.0),
            (VideoFormat::Yv12, "bt601", 2.0),
            (VideoFormat::Nv12, "bt709", 2.0),
            (VideoFormat::Nv21, "bt709", 2.0),
            (VideoFormat::I42010le, "bt709", 2.0),
            (VideoFormat::Y44412le, "bt2020", 1.0),
            (VideoFormat::P01010le, "bt709", 2.0),
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
    fn chroma_lies_where_the_format_says() {
        // A step from red to blue at a column: with the wrong place the seam is half a pixel off.
        let frame = street(320, 180);
        let stretch = input("size = [320, 180]\ncolor = 'bgr'\nfit = 'stretch'");
        let original = tensor(&frame, &stretch, whole(&frame));
        let of_site = |site: VideoChromaSite| {
            let info = VideoInfo::builder(VideoFormat::I420, 320, 180).chroma_site(site).build().unwrap();
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
            assert!(right < wrong * 0.97, "{site:?}: {right} against {wrong}");
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
}

//! What the bytes of a raw video format mean, plane by plane, so that an op can work on any format it never heard of.

use gstreamer_video::{VideoFormat, VideoFormatInfo, VideoInfo};
use opencv::core as cv;

/// What one channel of a plane holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Component {
    Y,
    U,
    V,
    R,
    G,
    B,
    Alpha,
    /// Padding, as the x in `BGRx`: never shown, never written.
    Unused,
}

/// One plane: a matrix of `channels.len()` interleaved samples, subsampled against the picture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plane {
    /// Meaning of each interleaved channel, in memory order.
    pub channels: Vec<Component>,
    /// log2 of the horizontal subsampling: 1 means half the width.
    pub w_sub: u32,
    /// log2 of the vertical subsampling.
    pub h_sub: u32,
}

impl Plane {
    /// Columns of this plane for a picture `width` pixels wide (rounded up).
    pub fn cols(&self, width: u32) -> u32 {
        width.div_ceil(1 << self.w_sub)
    }

    /// Rows of this plane for a picture `height` pixels high (rounded up).
    pub fn rows(&self, height: u32) -> u32 {
        height.div_ceil(1 << self.h_sub)
    }

    /// True for a plane that carries only colour differences.
    pub fn is_chroma(&self) -> bool {
        self.channels.iter().all(|c| matches!(c, Component::U | Component::V))
    }

    /// True for a plane that carries only opacity.
    pub fn is_alpha(&self) -> bool {
        self.channels.iter().all(|c| *c == Component::Alpha)
    }
}

/// The whole picture as planes that an OpenCV `Mat` can describe.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
    /// The planes, in memory order.
    pub planes: Vec<Plane>,
    /// Significant bits of a sample: 8, 10, 12, 16.
    pub depth: u32,
    /// Left shift of the significant bits in their 16-bit word (6 for `P010`).
    pub shift: u32,
    /// Bytes of one sample: 1 or 2.
    pub bytes: u32,
    /// Red, green, blue instead of luma and chroma.
    pub rgb: bool,
}

impl Layout {
    /// The layout of `format`, or `None` where a `Mat` cannot describe it (packed 4:2:2 such as `YUY2`, bit-packed such as
    /// `v210` or `RGB16`, tiled, palette, big-endian).
    pub fn of(format: VideoFormat) -> Option<Self> {
        if matches!(format, VideoFormat::Unknown | VideoFormat::Encoded) {
            return None;
        }
        let f = VideoFormatInfo::from_format(format);
        // GStreamer calls P010 and its kin complex because of their shift, which a layout can express.
        let shifted = matches!(format, VideoFormat::P01010le | VideoFormat::P012Le | VideoFormat::P016Le);
        if (f.is_complex() && !shifted) || f.is_tiled() || f.has_palette() {
            return None;
        }
        let n = f.n_components() as usize;
        let (depth, shift) = (f.depth()[0], f.shift()[0]);
        if n == 0 || depth < 8 || (0..n).any(|c| f.depth()[c] != depth || f.shift()[c] != shift) {
            return None;
        }
        let bytes = if depth + shift > 8 { 2 } else { 1 };
        if bytes == 2 && (!f.is_le() || depth + shift > 16) {
            return None;
        }
        let mut planes = Vec::new();
        for p in 0..f.n_planes() {
            let members: Vec<usize> = (0..n).filter(|&c| f.plane()[c] == p).collect();
            let first = *members.first()?;
            let stride = f.pixel_stride()[first] as u32;
            if stride == 0 || !stride.is_multiple_of(bytes) {
                return None;
            }
            let mut channels = vec![Component::Unused; (stride / bytes) as usize];
            for &c in &members {
                let same = f.pixel_stride()[c] as u32 == stride
                    && f.w_sub()[c] == f.w_sub()[first]
                    && f.h_sub()[c] == f.h_sub()[first];
                // GStreamer 1.22 says 1, in samples, for the V of P010, P012 and P016, where bytes are meant.
                let offset = if bytes == 2 && f.poffset()[c] == 1 { 2 } else { f.poffset()[c] };
                let slot = channels.get_mut((offset / bytes) as usize)?;
                if !same || offset % bytes != 0 || *slot != Component::Unused {
                    return None;
                }
                *slot = component(&f, c)?;
            }
            planes.push(Plane { channels, w_sub: f.w_sub()[first], h_sub: f.h_sub()[first] });
        }
        Some(Layout { planes, depth, shift, bytes, rgb: f.is_rgb() })
    }

    /// The layout of `I420`, the commonest one: what an op can do is told from it before any stream is there.
    pub fn i420() -> Self {
        use Component::{U, V, Y};
        let plane = |c, sub| Plane { channels: vec![c], w_sub: sub, h_sub: sub };
        Layout { planes: vec![plane(Y, 0), plane(U, 1), plane(V, 1)], depth: 8, shift: 0, bytes: 1, rgb: false }
    }

    /// Every raw format that has a layout: what the planner offers to decoders when each op says "any".
    pub fn all_formats() -> impl Iterator<Item = VideoFormat> {
        gstreamer_video::VideoFormat::iter_raw().filter(|f| Layout::of(*f).is_some())
    }

    /// OpenCV element type of plane `i`: `CV_8UC1` … `CV_16UC4`.
    pub fn mat_type(&self, i: usize) -> i32 {
        let depth = if self.bytes == 1 { cv::CV_8U } else { cv::CV_16U };
        cv::CV_MAKETYPE(depth, self.planes[i].channels.len() as i32)
    }

    /// True for 8-bit blue, green, red in one plane: what OpenCV's colour functions take.
    pub fn is_bgr(&self) -> bool {
        let bgr = [Component::B, Component::G, Component::R];
        self.bytes == 1 && self.planes.len() == 1 && self.planes[0].channels == bgr
    }

    /// True when a channel holds opacity.
    pub fn has_alpha(&self) -> bool {
        self.planes.iter().any(|p| p.channels.contains(&Component::Alpha))
    }

    /// Where the channel that holds `c` is: plane and place among its channels.
    pub fn find(&self, c: Component) -> Option<(usize, usize)> {
        let place = |(i, p): (usize, &Plane)| p.channels.iter().position(|have| *have == c).map(|at| (i, at));
        self.planes.iter().enumerate().find_map(place)
    }

    /// Bytes of the visible pixels of one picture, padding left out.
    pub fn visible_bytes(&self, info: &VideoInfo) -> u64 {
        let samples: u64 = self
            .planes
            .iter()
            .map(|p| u64::from(p.cols(info.width())) * u64::from(p.rows(info.height())) * p.channels.len() as u64)
            .sum();
        samples * u64::from(self.bytes)
    }
}

fn component(f: &VideoFormatInfo, c: usize) -> Option<Component> {
    use Component::*;
    let set = match (f.is_rgb(), f.is_yuv(), f.is_gray()) {
        (true, _, _) => [R, G, B, Alpha],
        (_, true, _) => [Y, U, V, Alpha],
        (_, _, true) => [Y, Alpha, Unused, Unused],
        _ => return None,
    };
    set.get(c).copied()
}

#[cfg(test)]
mod tests {
    use super::*;
    use Component::*;

    fn channels(f: VideoFormat) -> Vec<Vec<Component>> {
        Layout::of(f).unwrap().planes.into_iter().map(|p| p.channels).collect()
    }

    #[test]
    fn describes_planar_semiplanar_packed_and_deep_formats() {
        gstreamer::init().unwrap();
        assert_eq!(channels(VideoFormat::I420), [[Y], [U], [V]]);
        assert_eq!(Layout::of(VideoFormat::I420), Some(Layout::i420()));
        // The planes come in memory order, whatever the component order is.
        assert_eq!(channels(VideoFormat::Yv12), [[Y], [V], [U]]);
        assert_eq!(channels(VideoFormat::Nv12), [vec![Y], vec![U, V]]);
        assert_eq!(channels(VideoFormat::Nv21), [vec![Y], vec![V, U]]);
        assert_eq!(channels(VideoFormat::Bgrx), [[B, G, R, Unused]]);
        assert_eq!(channels(VideoFormat::Argb), [[Alpha, R, G, B]]);
        assert_eq!(channels(VideoFormat::Gbr), [[G], [B], [R]]);
        assert_eq!(channels(VideoFormat::Ayuv), [[Alpha, Y, U, V]]);
        let p010 = Layout::of(VideoFormat::P01010le).unwrap();
        assert_eq!((p010.depth, p010.shift, p010.bytes), (10, 6, 2));
        assert_eq!(channels(VideoFormat::P01010le), [vec![Y], vec![U, V]]);
        let deep = Layout::of(VideoFormat::I42010le).unwrap();
        assert_eq!((deep.depth, deep.shift, deep.bytes), (10, 0, 2));
        assert_eq!(deep.planes[1].cols(321), 161);
    }

    #[test]
    fn refuses_what_a_mat_cannot_describe() {
        gstreamer::init().unwrap();
        use VideoFormat::*;
        for f in [Yuy2, Uyvy, V210, Rgb16, Rgb8p, I42010be, Bgr10a2Le, Nv1264z32, Gray16Be] {
            assert_eq!(Layout::of(f), None, "{f}");
        }
    }
}

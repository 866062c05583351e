//! The frame: a GStreamer buffer, what its bytes mean, when it is shown, and what was found in it.
//!
//! A `Frame` is moved along the chain, never cloned. Its pixels stay in the decoder's format; [`Frame::planes`] gives one
//! OpenCV `Mat` per plane over the mapped memory.

mod color;
mod convert;
mod layout;
mod meta;
mod picture;
mod planes;
mod pool;
mod thumbnail;

use std::sync::Arc;
use std::time::Instant;

use gstreamer::ClockTime;
use gstreamer_video::{VideoColorRange, VideoColorimetry, VideoFormat, VideoInfo};
use opencv::boxed_ref::BoxedRef;
use opencv::core::Mat;

pub use color::{Color, kr_kb};
pub use convert::Converter;
pub use layout::{Component, Layout, Plane};
pub use meta::{Measurement, Meta};
pub use picture::{rgb, save};
pub use planes::{PlaneBytes, PlaneBytesMut, Planes, PlanesMut, shape_scratch};
pub use pool::Pool;
pub use thumbnail::{Thumbnails, jpeg, outline};

/// What can go wrong between a buffer and a `Mat`.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)]
pub enum FrameError {
    #[error("cannot map a {width}x{height} {format} frame for {how}")]
    Map { how: &'static str, width: u32, height: u32, format: String },
    #[error("the frame has no plane {0}")]
    NoPlane(usize),
    #[error("plane {plane} is short: {rows} rows of {row_bytes} bytes every {step} do not fit into {len} bytes")]
    Short { plane: usize, rows: u32, row_bytes: usize, step: usize, len: usize },
    #[error("OpenCV replaced plane {0} instead of writing into it: its output has another size or type")]
    Reallocated(usize),
    #[error("a picture of {width}x{height} pixels is not possible: 1 to 32768 a side is")]
    Size { width: u32, height: u32 },
    #[error("video format {0} cannot be described as OpenCV matrices")]
    Format(String),
    #[error("{0}")]
    Pool(String),
    #[error(transparent)]
    OpenCv(#[from] opencv::Error),
}

impl FrameError {
    fn map(how: &'static str, info: &VideoInfo) -> Self {
        FrameError::Map { how, width: info.width(), height: info.height(), format: info.format().to_string() }
    }
}

/// Format, size and layout, shared by all frames of a stream.
#[derive(Clone, Debug)]
pub struct Spec {
    /// GStreamer's description: format, size, frame rate, colorimetry, pixel aspect ratio.
    pub info: VideoInfo,
    /// The planes.
    pub layout: Layout,
    /// The caps as the source gave them, where no op changed the format: they hold more than `info` does (HDR metadata,
    /// or that the colour is not specified).
    pub caps: Option<gstreamer::Caps>,
}

impl Spec {
    /// Describes `info`, or says that its format has no `Mat`s.
    pub fn new(info: VideoInfo) -> Result<Self, FrameError> {
        let layout = Layout::of(info.format()).ok_or_else(|| FrameError::Format(info.format().to_string()))?;
        Ok(Spec { info, layout, caps: None })
    }

    /// The same at a frame rate that is `n` times lower.
    pub fn slowed(&self, n: u64) -> Self {
        let fps = self.info.fps();
        let denom = i32::try_from(n).ok().and_then(|n| fps.denom().checked_mul(n));
        match denom {
            Some(d) => self.with_rate(gstreamer::Fraction::new(fps.numer(), d)),
            None => self.clone(),
        }
    }

    /// The same at another nominal frame rate; 0 means variable.
    pub fn with_rate(&self, fps: gstreamer::Fraction) -> Self {
        self.edited(|caps| caps.set("framerate", fps)).unwrap_or_else(|| self.clone())
    }

    /// The same with another picture size in pixels.
    pub fn with_size(&self, width: u32, height: u32) -> Result<Self, FrameError> {
        let refused = || FrameError::Size { width, height };
        if width == 0 || height == 0 || width > 32768 || height > 32768 {
            return Err(refused());
        }
        self.edited(|caps| {
            caps.set("width", width as i32);
            caps.set("height", height as i32);
        })
        .ok_or_else(refused)
    }

    /// The same with pixels of another shape: width to height.
    pub fn with_aspect(&self, par: gstreamer::Fraction) -> Self {
        self.edited(|caps| caps.set("pixel-aspect-ratio", par)).unwrap_or_else(|| self.clone())
    }

    /// The same size, rate and pixel shape in another format, with that format's own colorimetry.
    pub fn with_format(&self, format: VideoFormat) -> Result<Self, FrameError> {
        let (i, failed) = (&self.info, |_| FrameError::Format(format.to_string()));
        let info =
            VideoInfo::builder(format, i.width(), i.height()).fps(i.fps()).par(i.par()).build().map_err(failed)?;
        Spec::new(info)
    }

    /// The same with other caps; the layout stays, since the format does.
    fn edited(&self, edit: impl FnOnce(&mut gstreamer::StructureRef)) -> Option<Self> {
        let mut caps = self.caps.clone().or_else(|| self.info.to_caps().ok())?;
        edit(caps.make_mut().structure_mut(0)?);
        let info = info_of(&caps)?;
        let caps = self.caps.as_ref().map(|_| caps);
        Some(Spec { info, layout: self.layout.clone(), caps })
    }

    /// The same with the source's own caps, of the same format and size: range and chroma site are what they say.
    pub fn with_caps(self, caps: gstreamer::Caps) -> Self {
        let info =
            info_of(&caps).filter(|i| Layout::of(i.format()).as_ref() == Some(&self.layout)).unwrap_or(self.info);
        Spec { info, layout: self.layout, caps: Some(caps) }
    }
}

/// What the caps say. Where they leave the matrix open, `VideoInfo::from_caps` takes GStreamer's defaults for all of the colour,
/// also for a range and a chroma site that they do state; here only for what is open.
fn info_of(caps: &gstreamer::Caps) -> Option<VideoInfo> {
    let info = VideoInfo::from_caps(caps).ok()?;
    let (stated, default) = (caps.structure(0)?, info.colorimetry());
    let said = stated.get::<String>("colorimetry").ok().and_then(|s| s.parse::<VideoColorimetry>().ok());
    if said.as_ref().is_some_and(|s| s.matrix() == default.matrix()) {
        return Some(info);
    }
    let range = said.map(|s| s.range()).filter(|r| *r != VideoColorRange::Unknown);
    if range.is_none() && !stated.has_field("chroma-site") {
        return Some(info);
    }
    let (matrix, transfer, primaries) = (default.matrix(), default.transfer(), default.primaries());
    let whole = VideoColorimetry::new(range.unwrap_or(default.range()), matrix, transfer, primaries);
    let site = stated.get::<String>("chroma-site").unwrap_or_else(|_| info.chroma_site().to_str().to_string());
    let mut caps = caps.clone();
    caps.make_mut().set("colorimetry", whole.to_string());
    caps.make_mut().set("chroma-site", site);
    VideoInfo::from_caps(&caps).ok()
}

/// One picture on its way from a source to the sinks.
#[derive(Debug)]
pub struct Frame {
    buffer: gstreamer::Buffer,
    spec: Arc<Spec>,
    /// Place among the frames that this run takes in, from 0.
    pub index: u64,
    /// When it is shown in the output, from the start of the run's first frame's timeline.
    pub pts: ClockTime,
    /// How long it is shown, where the source said so.
    pub duration: Option<ClockTime>,
    /// Its position in the source: `pts` plus where the run was told to start.
    pub position: ClockTime,
    /// When it reached the reader thread; for latency figures.
    pub arrived: Instant,
    /// What the ops found so far.
    pub meta: Meta,
    original: Option<(gstreamer::Buffer, Arc<Spec>)>,
    /// The picture before a conversion to a format without opacity, which takes it back from there.
    opacity: Option<(gstreamer::Buffer, Arc<Spec>)>,
}

impl Frame {
    /// Wraps `buffer`, whose pixels are as `spec` says.
    pub fn new(buffer: gstreamer::Buffer, spec: Arc<Spec>, pts: ClockTime, duration: Option<ClockTime>) -> Self {
        Frame {
            buffer,
            spec,
            index: 0,
            pts,
            duration,
            position: pts,
            arrived: Instant::now(),
            meta: Meta::default(),
            original: None,
            opacity: None,
        }
    }

    /// Format, size and layout.
    pub fn spec(&self) -> &Arc<Spec> {
        &self.spec
    }

    /// Width in pixels.
    pub fn width(&self) -> u32 {
        self.spec.info.width()
    }

    /// Height in pixels.
    pub fn height(&self) -> u32 {
        self.spec.info.height()
    }

    /// The planes for reading.
    pub fn planes(&self) -> Result<Planes<'_>, FrameError> {
        Planes::map(&self.buffer, &self.spec.info, &self.spec.layout)
    }

    /// The planes for writing; an error unless [`Frame::is_writable`].
    pub fn planes_mut(&mut self) -> Result<PlanesMut<'_>, FrameError> {
        let info = &self.spec.info;
        let buffer = self.buffer.get_mut().ok_or_else(|| FrameError::map("writing", info))?;
        PlanesMut::map(buffer, info, &self.spec.layout)
    }

    /// True when nobody else (decoder, appsink, another sink) holds this picture or its memory.
    pub fn is_writable(&self) -> bool {
        self.buffer.is_writable() && self.buffer.is_all_memory_writable()
    }

    /// True when the decoder says that the picture is damaged. Known until an op writes the picture into another buffer.
    pub fn is_damaged(&self) -> bool {
        self.buffer.flags().contains(gstreamer::BufferFlags::CORRUPTED)
    }

    /// Gives the frame another description of the same pixels: another frame rate or colour tag.
    pub fn respec(&mut self, spec: Arc<Spec>) {
        self.spec = spec;
    }

    /// A frame over a fresh buffer with this one's times: where an op writes its result. `meta` stays here.
    pub fn successor(&self, buffer: gstreamer::Buffer, spec: Arc<Spec>) -> Frame {
        let (original, opacity, meta) = (self.original.clone(), self.opacity.clone(), Meta::default());
        let Frame { index, pts, duration, position, arrived, .. } = *self;
        Frame { buffer, spec, index, pts, duration, position, arrived, meta, original, opacity }
    }

    /// The same picture once more, sharing the pixels: whoever edits either of the two edits a copy.
    pub fn again(&self) -> Frame {
        let mut again = self.successor(self.buffer.clone(), self.spec.clone());
        again.meta = self.meta.clone();
        again
    }

    /// Remembers the picture as it is now for [`Frame::original`]; from here on an op that edits in place needs a copy.
    pub fn keep_original(&mut self) {
        self.original = Some((self.buffer.clone(), self.spec.clone()));
    }

    /// The picture as it came into the chain, where an op asked for that.
    pub fn original(&self) -> Option<Frame> {
        self.original.as_ref().map(|(buffer, spec)| self.successor(buffer.clone(), spec.clone()))
    }

    /// Calls `f` with the picture in 8-bit gray at full size: the Y plane itself where it is 8-bit (limited range stays so),
    /// else a copy in `scratch`.
    pub fn gray<R, E: From<FrameError>>(
        &self,
        scratch: &mut Mat,
        f: impl FnOnce(&BoxedRef<'_, Mat>) -> Result<R, E>,
    ) -> Result<R, E> {
        let planes = self.planes()?;
        planes::gray(&planes, &self.spec.layout, scratch).map_err(E::from).and_then(|gray| f(&gray))
    }

    /// Ends the frame's way: the buffer with PTS and duration set, ready for an appsrc. No pixel is copied.
    pub fn into_buffer(self) -> gstreamer::Buffer {
        let mut buffer = self.buffer;
        // Where others hold the buffer this copies its header only, sharing the memory.
        let b = buffer.make_mut();
        b.set_pts(self.pts);
        b.set_dts(ClockTime::NONE);
        b.set_duration(self.duration);
        b.set_offset(u64::MAX);
        b.set_offset_end(u64::MAX);
        b.unset_flags(gstreamer::BufferFlags::DISCONT | gstreamer::BufferFlags::RESYNC);
        buffer
    }
}

#[cfg(test)]
mod tests {
    use gstreamer_video::{VideoChromaSite, VideoColorMatrix};

    use super::*;

    #[test]
    fn range_and_chroma_site_stay_where_the_matrix_is_open() {
        gstreamer::init().unwrap();
        let spec = |more: &str| {
            let caps = format!("video/x-raw,format=I420,width=640,height=480,framerate=30/1{more}");
            let caps: gstreamer::Caps = caps.parse().unwrap();
            Spec::new(VideoInfo::from_caps(&caps).unwrap()).unwrap().with_caps(caps)
        };
        let color = |s: &Spec| (s.info.colorimetry().range(), s.info.colorimetry().matrix(), s.info.chroma_site());
        use VideoColorRange::{Range0_255 as Full, Range16_235 as Limited};
        let bt601 = VideoColorMatrix::Bt601;
        // As avdec_h264 has it for full range and nothing else.
        let open = spec(",chroma-site=jpeg,colorimetry=(string)1:0:0:0");
        assert_eq!(color(&open), (Full, bt601, VideoChromaSite::JPEG));
        let half = open.with_size(320, 240).unwrap();
        assert_eq!(color(&half), (Full, bt601, VideoChromaSite::JPEG));
        assert_eq!(half.caps.unwrap().structure(0).unwrap().get::<String>("colorimetry").unwrap(), "1:0:0:0");
        assert_eq!(color(&spec(",chroma-site=jpeg")), (Limited, bt601, VideoChromaSite::JPEG));
        let known = spec(",chroma-site=mpeg2,colorimetry=bt709");
        assert_eq!(color(&known), (Limited, VideoColorMatrix::Bt709, VideoChromaSite::MPEG2));
        assert_eq!(spec("").info.colorimetry().range(), Limited);
    }
}

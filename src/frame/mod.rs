//! The frame: a GStreamer buffer, what its bytes mean, when it is shown, and what was found in it.
//!
//! A `Frame` is moved along the chain, never cloned. Its pixels stay in the decoder's format; [`Frame::planes`] gives one
//! OpenCV `Mat` per plane over the mapped memory.

mod color;
mod layout;
mod planes;
mod pool;

use std::sync::Arc;
use std::time::Instant;

use gstreamer::ClockTime;
use gstreamer_video::VideoInfo;

pub use color::Color;
pub use layout::{Component, Layout, Plane};
pub use planes::{PlaneBytes, PlaneBytesMut, Planes, PlanesMut, shape_scratch};
pub use pool::Pool;

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
        let mut caps = self.caps.clone().or_else(|| self.info.to_caps().ok());
        let fps = self.info.fps();
        let slow = i32::try_from(n)
            .ok()
            .and_then(|n| fps.denom().checked_mul(n))
            .map(|d| gstreamer::Fraction::new(fps.numer(), d));
        if let (Some(caps), Some(slow)) = (&mut caps, slow) {
            caps.make_mut().set("framerate", slow);
        }
        match caps.as_ref().and_then(|c| VideoInfo::from_caps(c).ok()) {
            Some(info) => Spec { info, layout: self.layout.clone(), caps },
            None => self.clone(),
        }
    }

    /// The same with the source's own caps.
    pub fn with_caps(self, caps: gstreamer::Caps) -> Self {
        Spec { caps: Some(caps), ..self }
    }
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
}

impl Frame {
    /// Wraps `buffer`, whose pixels are as `spec` says.
    pub fn new(buffer: gstreamer::Buffer, spec: Arc<Spec>, pts: ClockTime, duration: Option<ClockTime>) -> Self {
        Frame { buffer, spec, index: 0, pts, duration, position: pts, arrived: Instant::now() }
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

    /// Gives the frame another description of the same pixels: another frame rate or colour tag.
    pub fn respec(&mut self, spec: Arc<Spec>) {
        self.spec = spec;
    }

    /// A frame over a fresh buffer with this one's times: where an op writes its result.
    pub fn successor(&self, buffer: gstreamer::Buffer, spec: Arc<Spec>) -> Frame {
        Frame { buffer, spec, ..*self }
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

//! Conversion between formats and sizes, by GStreamer's converter, which knows every format, matrix and range.

use std::sync::Arc;

use gstreamer_video::{VideoConverter, VideoConverterConfig, VideoFrameRef};
use opencv::core;

use super::{Component, Frame, FrameError, Pool, Spec};

/// Makes pictures like `to` of pictures like `from`, in pooled buffers.
pub struct Converter {
    converter: VideoConverter,
    to: Arc<Spec>,
    pool: Pool,
}

impl Converter {
    /// Settles how.
    pub fn new(from: &Spec, to: Arc<Spec>) -> Result<Self, FrameError> {
        let no = |_| FrameError::Format(format!("{} as {}", from.info.format(), to.info.format()));
        let mut config = VideoConverterConfig::new();
        config.set_dither_method(gstreamer_video::VideoDitherMethod::None);
        let converter = VideoConverter::new(&from.info, &to.info, Some(config)).map_err(no)?;
        let pool = Pool::new(&to.info)?;
        Ok(Converter { converter, to, pool })
    }

    /// What comes out.
    pub fn output(&self) -> &Arc<Spec> {
        &self.to
    }

    /// `frame`'s picture in the new form, with its times; `frame` keeps its `meta`.
    pub fn convert(&self, frame: &Frame) -> Result<Frame, FrameError> {
        let mut out = frame.successor(self.pool.acquire()?, self.to.clone());
        let info = &frame.spec().info;
        let src = VideoFrameRef::from_buffer_ref_readable(&frame.buffer, info)
            .map_err(|_| FrameError::map("reading", info))?;
        let spec = out.spec.clone();
        let buffer = out.buffer.get_mut().ok_or_else(|| FrameError::map("writing", &spec.info))?;
        let mut dst = VideoFrameRef::from_buffer_ref_writable(buffer, &spec.info)
            .map_err(|_| FrameError::map("writing", &spec.info))?;
        self.converter.frame_ref(&src, &mut dst);
        drop(dst);
        match (frame.spec.layout.has_alpha(), self.to.layout.has_alpha()) {
            (true, false) => out.opacity = Some((frame.buffer.clone(), frame.spec.clone())),
            (false, true) => give_back_opacity(&mut out)?,
            _ => {}
        }
        Ok(out)
    }
}

/// Copies the opacity that the picture had before it was converted to a format without; a picture that changed its size
/// stays opaque.
fn give_back_opacity(frame: &mut Frame) -> Result<(), FrameError> {
    let Some((buffer, spec)) = frame.opacity.take() else { return Ok(()) };
    let before = frame.successor(buffer, spec.clone());
    let same = spec.info.format() == frame.spec.info.format()
        && (before.width(), before.height()) == (frame.width(), frame.height());
    if let (true, Some((plane, channel))) = (same, spec.layout.find(Component::Alpha)) {
        let (from, mut to) = (before.planes()?, frame.planes_mut()?);
        let from = from.mat(plane)?;
        let pair = [channel as i32, channel as i32];
        to.edit(plane, |to| core::mix_channels(&from, to, &pair).map_err(FrameError::from))?;
    }
    Ok(())
}

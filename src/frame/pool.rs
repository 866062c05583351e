//! Pools of output buffers: an op that writes a new picture takes one, the last reader gives it back.

use gstreamer::prelude::*;
use gstreamer_video::VideoInfo;

use super::FrameError;

/// Recycles picture buffers of one format and size. Unbounded: what is in flight is bounded by the channels.
#[derive(Debug)]
pub struct Pool {
    pool: gstreamer::BufferPool,
}

impl Pool {
    /// A pool of buffers for `info`.
    pub fn new(info: &VideoInfo) -> Result<Self, FrameError> {
        let fail =
            |what: &str| FrameError::Pool(format!("{what} for {}x{} {}", info.width(), info.height(), info.format()));
        let caps = info.to_caps().map_err(|_| fail("no caps"))?;
        let pool = gstreamer_video::VideoBufferPool::new();
        let mut config = pool.config();
        config.set_params(Some(&caps), info.size() as u32, 0, 0);
        config.add_option(gstreamer_video::BUFFER_POOL_OPTION_VIDEO_META.as_str());
        pool.set_config(config).map_err(|_| fail("cannot configure a buffer pool"))?;
        pool.set_active(true).map_err(|_| fail("cannot start a buffer pool"))?;
        Ok(Pool { pool: pool.upcast() })
    }

    /// A fresh, writable buffer with undefined pixels.
    pub fn acquire(&self) -> Result<gstreamer::Buffer, FrameError> {
        self.pool.acquire_buffer(None).map_err(|e| FrameError::Pool(format!("no buffer: {e:?}")))
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        // Buffers still out keep their memory; the pool frees them as they come home.
        let _ = self.pool.set_active(false);
    }
}

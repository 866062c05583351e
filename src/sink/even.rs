//! Pictures with odd sides for encoders that cannot take them: one row or column is repeated.

use std::sync::Arc;

use opencv::core::{self as cv, Scalar};
use opencv::prelude::*;

use super::Delivery;
use super::encoder::Chosen;
use crate::failure::Failure;
use crate::frame::{FrameError, Planes, PlanesMut, Pool, Spec};

/// Copies pictures into ones with even sides.
pub struct Padder {
    from: Arc<Spec>,
    to: Spec,
    pool: Pool,
}

/// The spec that the encoder gets, and the padder where one is needed.
pub fn fit(spec: &Arc<Spec>, chosen: &Chosen, notices: &mut Vec<String>) -> Result<(Spec, Option<Padder>), Failure> {
    let info = &spec.info;
    let (w, h) = (info.width(), info.height());
    // RGB, gray and what has opacity become 4:2:0 for these encoders; 4:4:4 stays and may be odd.
    let full = info.format_info().is_yuv()
        && !info.format_info().has_alpha()
        && !spec.layout.planes.iter().any(|p| p.w_sub + p.h_sub > 0);
    let even = (w.next_multiple_of(2), h.next_multiple_of(2));
    if !chosen.even() || full || even == (w, h) {
        return Ok((Spec::clone(spec), None));
    }
    let bad = |e: &dyn std::fmt::Display| Failure::failed(format!("cannot pad the picture: {e}"));
    let mut caps = spec.caps.clone().map_or_else(|| info.to_caps(), Ok).map_err(|e| bad(&e))?;
    let c = caps.make_mut();
    c.set("width", even.0 as i32);
    c.set("height", even.1 as i32);
    let padded = gstreamer_video::VideoInfo::from_caps(&caps).map_err(|e| bad(&e))?;
    let to = Spec::new(padded).map_err(|e| bad(&e))?.with_caps(caps);
    notices.push(format!(
        "padded from {w}x{h} to {}x{}: the encoder needs even sides (4:4:4, vp9 or ffv1 keep odd ones)",
        even.0, even.1
    ));
    let pool = Pool::new(&to.info).map_err(|e| bad(&e))?;
    Ok((to.clone(), Some(Padder { from: spec.clone(), to, pool })))
}

impl Padder {
    /// The padded picture with the same times.
    pub fn pad(&mut self, picture: &Delivery) -> Result<Delivery, Failure> {
        let buffer = self.copy(picture).map_err(|e| Failure::failed(format!("cannot pad the picture: {e}")))?;
        Ok(Delivery { buffer, ..picture.clone() })
    }

    fn copy(&mut self, picture: &Delivery) -> Result<gstreamer::Buffer, FrameError> {
        let mut buffer = self.pool.acquire()?;
        if let Some(b) = buffer.get_mut() {
            b.set_pts(picture.pts);
            b.set_duration(picture.duration);
            let from = Planes::map(&picture.buffer, &self.from.info, &self.from.layout)?;
            let mut to = PlanesMut::map(b, &self.to.info, &self.to.layout)?;
            for i in 0..from.len() {
                let src = from.mat(i)?;
                to.edit(i, |dst| {
                    let (bottom, right) = (dst.rows() - src.rows(), dst.cols() - src.cols());
                    cv::copy_make_border(&src, dst, 0, bottom, 0, right, cv::BORDER_REPLICATE, Scalar::default())
                        .map_err(FrameError::from)
                })?;
            }
        }
        Ok(buffer)
    }
}

//! Picture files, read by OpenCV, one frame each.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use std::time::Duration;

use gstreamer::{ClockTime, Fraction};
use gstreamer_video::{VideoFormat, VideoInfo};
use opencv::core::{self as cv, Mat};
use opencv::imgcodecs;
use opencv::prelude::*;

use super::generate::pts;
use super::{Facts, Opened, Pull, Source};
use crate::config::SourceSettings;
use crate::failure::Failure;
use crate::frame::{Frame, FrameError, Pool, Spec};

struct Images {
    files: std::vec::IntoIter<PathBuf>,
    spec: Arc<Spec>,
    pool: Pool,
    fps: Fraction,
    index: u64,
}

/// Opens `files`; the first one decides size and format.
pub fn open(files: &[PathBuf], settings: &SourceSettings) -> Result<Opened, Failure> {
    let first = files.first().ok_or_else(|| Failure::input("there are no pictures"))?;
    let picture = read(first)?;
    let format = match (picture.depth(), picture.channels()) {
        (cv::CV_8U, 1) => VideoFormat::Gray8,
        (cv::CV_16U, 1) => VideoFormat::Gray16Le,
        (cv::CV_8U, 3) => VideoFormat::Bgr,
        (cv::CV_8U, 4) => VideoFormat::Bgra,
        (d, c) => {
            return Err(Failure::input(format!(
                "{}: pictures with {c} channels of OpenCV depth {d} are not supported",
                first.display()
            )));
        }
    };
    let fps = settings.fps.map_or(Fraction::new(30, 1), |r| r.0);
    let bad = |e: &dyn std::fmt::Display| Failure::input(format!("{}: {e}", first.display()));
    let info = VideoInfo::builder(format, picture.cols() as u32, picture.rows() as u32)
        .fps(fps)
        .par(Fraction::new(1, 1))
        .build()
        .map_err(|e| bad(&e))?;
    let pool = Pool::new(&info).map_err(|e| bad(&e))?;
    let spec = Arc::new(Spec::new(info).map_err(|e| bad(&e))?);
    let count = files.len() as u64;
    let name = match files {
        [one] => one.file_name().unwrap_or_default().to_string_lossy().into_owned(),
        [one, ..] => format!("{} and {} more", one.file_name().unwrap_or_default().to_string_lossy(), count - 1),
        [] => String::new(),
    };
    let facts = Facts {
        name,
        live: false,
        held: Duration::ZERO,
        finite: true,
        origin: ClockTime::ZERO,
        duration: Some(pts(count, fps)),
        frames: Some(count),
        spec: spec.clone(),
        converted_from: None,
        tags: gstreamer::TagList::new(),
        notices: Vec::new(),
    };
    let source = Images { files: Vec::from(files).into_iter(), spec, pool, fps, index: 0 };
    Ok(Opened { facts, source: Box::new(source), audio: Vec::new() })
}

fn read(path: &Path) -> Result<Mat, Failure> {
    let bad = |why: &dyn std::fmt::Display| Failure::input(format!("cannot open picture {}: {why}", path.display()));
    let bytes = std::fs::read(path).map_err(|e| bad(&e))?;
    if bytes.is_empty() {
        return Err(bad(&"it is empty"));
    }
    let picture = imgcodecs::imdecode(&cv::Vector::from_slice(&bytes), imgcodecs::IMREAD_UNCHANGED)
        .map_err(|e| bad(&e.message))?;
    if picture.empty() {
        return Err(bad(&"it is damaged, or no picture that OpenCV reads"));
    }
    // 16-bit colour has no raw format of its own here.
    if picture.depth() == cv::CV_16U && picture.channels() > 1 {
        let mut eight = Mat::default();
        picture.convert_to(&mut eight, cv::CV_8U, 1.0 / 257.0, 0.0).map_err(|e| bad(&e.message))?;
        return Ok(eight);
    }
    Ok(picture)
}

impl Source for Images {
    fn next(&mut self) -> Result<Pull, Failure> {
        let Some(path) = self.files.next() else { return Ok(Pull::End) };
        let picture = read(&path)?;
        let info = &self.spec.info;
        let kind = self.spec.layout.mat_type(0);
        if (picture.cols() as u32, picture.rows() as u32, picture.typ()) != (info.width(), info.height(), kind) {
            return Err(Failure::input(format!(
                "{} is {}x{} with {} channels, the first picture is {}x{} {}: one video cannot hold both",
                path.display(),
                picture.cols(),
                picture.rows(),
                picture.channels(),
                info.width(),
                info.height(),
                info.format()
            )));
        }
        let bad = |e: FrameError| Failure::failed(format!("{}: {e}", path.display()));
        let (shown, end) = (pts(self.index, self.fps), pts(self.index + 1, self.fps));
        self.index += 1;
        let mut frame = Frame::new(self.pool.acquire().map_err(bad)?, self.spec.clone(), shown, Some(end - shown));
        frame
            .planes_mut()
            .and_then(|mut p| p.edit(0, |to| picture.copy_to(to).map_err(FrameError::from)))
            .map_err(bad)?;
        Ok(Pull::Frame(frame))
    }
}

//! Picture files, one frame each. Read by the `image` crate: OpenCV's own reader pulls more than a hundred shared libraries
//! into every start of the program.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use std::time::Duration;

use gstreamer::{ClockTime, Fraction};
use gstreamer_video::{VideoFormat, VideoInfo};
use image::{DynamicImage, ImageDecoder, ImageReader};

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
    let fps = settings.fps.map_or(Fraction::new(30, 1), |r| r.0);
    let bad = |e: &dyn std::fmt::Display| Failure::input(format!("{}: {e}", first.display()));
    let info = VideoInfo::builder(picture.format, picture.width, picture.height)
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
    Ok(Opened { facts, source: Box::new(source), audio: Vec::new(), packets: None })
}

/// A decoded picture: rows without padding.
struct Picture {
    format: VideoFormat,
    width: u32,
    height: u32,
    bytes: Vec<u8>,
}

fn read(path: &Path) -> Result<Picture, Failure> {
    let bad = |why: &dyn std::fmt::Display| Failure::input(format!("cannot open picture {}: {why}", path.display()));
    if std::fs::metadata(path).map_err(|e| bad(&e))?.len() == 0 {
        return Err(bad(&"it is empty"));
    }
    let reader = ImageReader::open(path).and_then(ImageReader::with_guessed_format).map_err(|e| bad(&e))?;
    let mut decoder = reader.into_decoder().map_err(|e| bad(&e))?;
    let orientation = decoder.orientation().map_err(|e| bad(&e))?;
    let mut picture = DynamicImage::from_decoder(decoder).map_err(|e| bad(&e))?;
    picture.apply_orientation(orientation);
    let (width, height) = (picture.width(), picture.height());
    let (format, bytes) = match picture {
        DynamicImage::ImageLuma8(p) => (VideoFormat::Gray8, p.into_raw()),
        DynamicImage::ImageLuma16(p) => {
            (VideoFormat::Gray16Le, p.into_raw().into_iter().flat_map(u16::to_le_bytes).collect())
        }
        // 16-bit colour has no raw format of its own here.
        p if p.color().has_alpha() => (VideoFormat::Rgba, p.into_rgba8().into_raw()),
        p => (VideoFormat::Rgb, p.into_rgb8().into_raw()),
    };
    Ok(Picture { format, width, height, bytes })
}

impl Source for Images {
    fn next(&mut self) -> Result<Pull, Failure> {
        let Some(path) = self.files.next() else { return Ok(Pull::End) };
        let picture = read(&path)?;
        let info = &self.spec.info;
        if (picture.width, picture.height, picture.format) != (info.width(), info.height(), info.format()) {
            return Err(Failure::input(format!(
                "{} is {}x{} {}, the first picture is {}x{} {}: one video cannot hold both",
                path.display(),
                picture.width,
                picture.height,
                picture.format,
                info.width(),
                info.height(),
                info.format()
            )));
        }
        let bad = |e: FrameError| Failure::failed(format!("{}: {e}", path.display()));
        let (shown, end) = (pts(self.index, self.fps), pts(self.index + 1, self.fps));
        self.index += 1;
        let mut frame = Frame::new(self.pool.acquire().map_err(bad)?, self.spec.clone(), shown, Some(end - shown));
        let mut planes = frame.planes_mut().map_err(bad)?;
        let row = picture.bytes.len() / picture.height.max(1) as usize;
        for (y, line) in (0u32..).zip(picture.bytes.chunks_exact(row.max(1))) {
            planes.row_mut(0, y).map_err(bad)?.copy_from_slice(line);
        }
        drop(planes);
        Ok(Pull::Frame(frame))
    }
}

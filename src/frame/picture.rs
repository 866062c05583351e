//! A frame, or a part of it, as a picture file's pixels.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;
use std::sync::Arc;

use gstreamer_video::{VideoConverter, VideoConverterConfig, VideoFormat, VideoFrameRef};
use image::RgbImage;

use super::{Frame, FrameError, Pool, Spec};

/// The part `[x, y, width, height]` of `frame`, in pixels and clipped to it, as 8-bit RGB; made smaller so that its longer
/// side is at most `most` pixels. Without a part: the whole picture.
pub fn rgb(frame: &Frame, part: Option<[i32; 4]>, most: u32) -> Result<RgbImage, FrameError> {
    let (width, height) = (frame.width() as i32, frame.height() as i32);
    let [x, y, w, h] = part.unwrap_or([0, 0, width, height]);
    // Even corners: chroma samples are not split.
    let (left, top) = (x.clamp(0, width - 1) & !1, y.clamp(0, height - 1) & !1);
    let right = x.saturating_add(w).clamp(left + 1, width);
    let bottom = y.saturating_add(h).clamp(top + 1, height);
    let (w, h) = ((right - left) as u32, (bottom - top) as u32);
    let scale = (f64::from(most.max(1)) / f64::from(w.max(h))).min(1.0);
    let scaled = |v: u32| ((f64::from(v) * scale).round() as u32).max(1);
    let spec = frame.spec();
    let to: Arc<Spec> = Arc::new(spec.with_format(VideoFormat::Rgb)?.with_size(scaled(w), scaled(h))?);
    let mut config = VideoConverterConfig::new();
    config.set_src_x(left);
    config.set_src_y(top);
    config.set_src_width(Some(w as i32));
    config.set_src_height(Some(h as i32));
    let no = |_| FrameError::Format(format!("{} as RGB", spec.info.format()));
    let converter = VideoConverter::new(&spec.info, &to.info, Some(config)).map_err(no)?;
    let mut out = frame.successor(Pool::new(&to.info)?.acquire()?, to.clone());
    let src = VideoFrameRef::from_buffer_ref_readable(&frame.buffer, &spec.info)
        .map_err(|_| FrameError::map("reading", &spec.info))?;
    let buffer = out.buffer.get_mut().ok_or_else(|| FrameError::map("writing", &to.info))?;
    let mut dst =
        VideoFrameRef::from_buffer_ref_writable(buffer, &to.info).map_err(|_| FrameError::map("writing", &to.info))?;
    converter.frame_ref(&src, &mut dst);
    drop(dst);
    let planes = out.planes()?;
    let mut pixels = Vec::with_capacity(3 * scaled(w) as usize * scaled(h) as usize);
    for row in 0..scaled(h) {
        pixels.extend_from_slice(planes.row(0, row)?);
    }
    RgbImage::from_raw(scaled(w), scaled(h), pixels).ok_or_else(|| FrameError::map("reading", &to.info))
}

/// Writes a picture: JPEG where the name says so, else PNG. It has its name only once it is whole.
pub fn save(picture: &RgbImage, path: &Path) -> io::Result<()> {
    let extension = path.extension().map(|e| e.to_string_lossy().to_ascii_lowercase()).unwrap_or_default();
    let mut name = path.file_stem().unwrap_or_default().to_owned();
    name.push(format!(".partial-{}.{extension}", std::process::id()));
    let partial = path.with_file_name(name);
    let mut out = BufWriter::new(File::create(&partial)?);
    match extension.as_str() {
        "jpg" | "jpeg" => image::codecs::jpeg::JpegEncoder::new_with_quality(&mut out, 92).encode_image(picture),
        _ => picture.write_to(&mut out, image::ImageFormat::Png),
    }
    .map_err(io::Error::other)?;
    out.flush()?;
    drop(out);
    std::fs::rename(&partial, path)
}

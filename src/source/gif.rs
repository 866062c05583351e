//! Animated GIFs, read by the `gif` crate: GStreamer's way through libav loses the times and, up to 1.22, hangs at the end.

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;
use std::sync::Arc;

use gif::{ColorOutput, DecodeOptions, Decoder, DisposalMethod};
use std::time::Duration;

use gstreamer::{ClockTime, Fraction};
use gstreamer_video::{VideoFormat, VideoInfo};

use super::{Facts, Opened, Pull, Source};
use crate::failure::Failure;
use crate::frame::{Frame, FrameError, Pool, Spec};

struct Gif {
    name: String,
    decoder: Decoder<BufReader<File>>,
    spec: Arc<Spec>,
    pool: Pool,
    /// RGBA rows, as shown now.
    canvas: Vec<u8>,
    pts: ClockTime,
    frames: u64,
}

/// True when the file starts as a GIF does.
pub fn is_gif(path: &Path) -> bool {
    let mut head = [0u8; 6];
    path.is_file()
        && File::open(path).and_then(|mut f| f.read_exact(&mut head)).is_ok()
        && matches!(&head, b"GIF87a" | b"GIF89a")
}

/// Opens the file and reads its header.
pub fn open(path: &Path) -> Result<Opened, Failure> {
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let bad = |e: &dyn std::fmt::Display| Failure::input(format!("cannot open {}: {e}", path.display()));
    let file = File::open(path).map_err(|e| bad(&e))?;
    let mut options = DecodeOptions::new();
    options.set_color_output(ColorOutput::RGBA);
    let decoder = options.read_info(BufReader::new(file)).map_err(|e| bad(&e))?;
    let (width, height) = (u32::from(decoder.width()), u32::from(decoder.height()));
    if width == 0 || height == 0 {
        return Err(bad(&"its size is 0"));
    }
    // Each picture has its own duration: no fixed rate.
    let info = VideoInfo::builder(VideoFormat::Rgba, width, height)
        .fps(Fraction::new(0, 1))
        .par(Fraction::new(1, 1))
        .build()
        .map_err(|e| bad(&e))?;
    let pool = Pool::new(&info).map_err(|e| bad(&e))?;
    let spec = Arc::new(Spec::new(info).map_err(|e| bad(&e))?);
    let facts = Facts {
        name: name.clone(),
        live: false,
        held: Duration::ZERO,
        finite: true,
        origin: ClockTime::ZERO,
        duration: None,
        frames: None,
        spec: spec.clone(),
        converted_from: None,
        tags: gstreamer::TagList::new(),
        notices: Vec::new(),
    };
    let canvas = vec![0; width as usize * height as usize * 4];
    let source = Gif { name, decoder, spec, pool, canvas, pts: ClockTime::ZERO, frames: 0 };
    Ok(Opened { facts, source: Box::new(source), audio: Vec::new(), packets: None })
}

impl Source for Gif {
    fn next(&mut self) -> Result<Pull, Failure> {
        let row = self.spec.info.width() as usize * 4;
        let (name, frames) = (&self.name, self.frames);
        let bad = |e: &dyn std::fmt::Display| Failure::input(format!("cannot decode {name} after frame {frames}: {e}"));
        let Some(part) = self.decoder.read_next_frame().map_err(|e| bad(&e))? else {
            return match self.frames {
                0 => Err(Failure::input(format!("{name} ends without a frame"))),
                _ => Ok(Pull::End),
            };
        };
        let before = (part.dispose == DisposalMethod::Previous).then(|| self.canvas.clone());
        let (left, top, width) = (usize::from(part.left) * 4, usize::from(part.top), usize::from(part.width) * 4);
        let visible = width.min(row.saturating_sub(left));
        for (y, from) in part.buffer.chunks_exact(width.max(1)).enumerate() {
            let Some(to) = self.canvas.get_mut((top + y) * row + left..).and_then(|r| r.get_mut(..visible)) else {
                break;
            };
            for (to, from) in to.chunks_exact_mut(4).zip(from.chunks_exact(4)) {
                if from[3] != 0 {
                    to.copy_from_slice(from);
                }
            }
        }
        // Hundredths of a second; 0 and 1 mean "as fast as possible" to their makers and a tenth to every viewer.
        let delay = if part.delay < 2 { 10 } else { u64::from(part.delay) };
        let (dispose, rows) = (part.dispose, usize::from(part.height));
        let duration = ClockTime::from_mseconds(delay * 10);
        let fail = |e: FrameError| bad(&e);
        let mut frame = Frame::new(self.pool.acquire().map_err(fail)?, self.spec.clone(), self.pts, Some(duration));
        {
            let mut planes = frame.planes_mut().map_err(fail)?;
            for (y, line) in self.canvas.chunks_exact(row).enumerate() {
                planes.row_mut(0, y as u32).map_err(fail)?.copy_from_slice(line);
            }
        }
        match (dispose, before) {
            (DisposalMethod::Background, _) => {
                for y in 0..rows {
                    if let Some(r) = self.canvas.get_mut((top + y) * row + left..).and_then(|r| r.get_mut(..visible)) {
                        r.fill(0);
                    }
                }
            }
            (_, Some(before)) => self.canvas = before,
            _ => {}
        }
        self.pts += duration;
        self.frames += 1;
        Ok(Pull::Frame(frame))
    }
}

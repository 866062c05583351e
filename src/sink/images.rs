//! Numbered pictures: appsrc ─► videoconvert ─► pngenc, jpegenc, … ─► appsink; each is written under a temporary name and
//! renamed, so that no half picture is ever seen.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use gstreamer::prelude::*;
use gstreamer_app::{AppSink, AppSinkCallbacks};

use super::feed::Feed;
use super::{Delivery, End, Sink, Site};
use crate::config::{SinkSettings, number_pattern};
use crate::failure::Failure;
use crate::gst::make;

/// A sequence being written.
pub struct ImageSink {
    feed: Feed,
    written: Arc<AtomicU64>,
    bytes: Arc<AtomicU64>,
    detail: String,
}

impl ImageSink {
    /// Starts at number 0; existing pictures are in the way unless told otherwise.
    pub fn open(settings: &SinkSettings, site: &Site<'_>) -> Result<Self, Failure> {
        let path = settings.path.as_deref().unwrap_or(std::path::Path::new(""));
        let label = settings.label();
        let name =
            path.to_str().ok_or_else(|| Failure::output(format!("cannot write {label}: the name is not UTF-8")))?;
        let (before, width, after) =
            number_pattern(name).ok_or_else(|| Failure::usage(format!("{label} holds no number such as %05d")))?;
        let extension = path.extension().map(|e| e.to_string_lossy().to_ascii_lowercase()).unwrap_or_default();
        let (element, note) = match extension.as_str() {
            "png" => ("pngenc", "PNG"),
            "jpg" | "jpeg" => ("jpegenc", "JPEG"),
            "bmp" => ("avenc_bmp", "BMP"),
            _ => ("avenc_tiff", "TIFF"),
        };
        let encoder = make(element)?;
        if element == "jpegenc" {
            encoder.set_property("quality", settings.quality.unwrap_or(90).min(100) as i32);
        }
        if element == "pngenc" {
            // Fast: the files are a little larger, and none the worse.
            encoder.set_property("compression-level", 3u32);
        }
        let feed = Feed::new(site.spec, &label, site.facts.live)?;
        let (written, bytes) = (Arc::new(AtomicU64::new(0)), feed.bytes.clone());
        let out = AppSink::builder().sync(false).async_(false).enable_last_sample(false).max_buffers(4).build();
        let overwrite = settings.overwrite;
        let (count, size, sink_label) = (written.clone(), bytes.clone(), label.clone());
        out.set_callbacks(
            AppSinkCallbacks::builder()
                .new_sample(move |s| {
                    let sample = s.pull_sample().map_err(|_| gstreamer::FlowError::Eos)?;
                    let Some(map) = sample.buffer().and_then(|b| b.map_readable().ok()) else {
                        return Ok(gstreamer::FlowSuccess::Ok);
                    };
                    let n = count.fetch_add(1, Ordering::Relaxed);
                    let path = PathBuf::from(format!("{before}{n:0width$}{after}"));
                    match place(&path, &map, overwrite) {
                        Ok(()) => {
                            size.fetch_add(map.len() as u64, Ordering::Relaxed);
                            Ok(gstreamer::FlowSuccess::Ok)
                        }
                        Err(e) => {
                            let what = format!("{} of {sink_label}: {e}", path.display());
                            let full = e.raw_os_error() == Some(28);
                            let kind = if full {
                                gstreamer::ResourceError::NoSpaceLeft
                            } else {
                                gstreamer::ResourceError::Write
                            };
                            gstreamer::element_error!(s, kind, ("{}", what));
                            Err(gstreamer::FlowError::Error)
                        }
                    }
                })
                .build(),
        );
        let source = feed.video().clone();
        feed.chain(&source, &[make("videoconvert")?, encoder, out.upcast()])?;
        feed.start()?;
        Ok(ImageSink { feed, written, bytes, detail: note.into() })
    }
}

fn place(path: &std::path::Path, bytes: &[u8], overwrite: bool) -> std::io::Result<()> {
    if !overwrite && path.exists() {
        return Err(std::io::Error::other("the file exists (--overwrite replaces it)"));
    }
    let mut temporary = path.as_os_str().to_owned();
    temporary.push(".partial");
    std::fs::write(&temporary, bytes)?;
    std::fs::rename(temporary, path)
}

impl Sink for ImageSink {
    fn write(&mut self, picture: &Delivery) -> Result<(), Failure> {
        self.feed.push(picture)
    }

    fn finish(&mut self, end: End) -> Result<(), Failure> {
        self.feed.finish(end)
    }

    fn detail(&self) -> String {
        format!("{} {} pictures", self.written.load(Ordering::Relaxed), self.detail)
    }

    fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }
}

//! Keeps a small picture of what went into a run, and of what came out for it.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::frame::{self, Frame};

/// Longer side in pixels.
const SIZE: u32 = 192;
/// JPEG quality.
const QUALITY: u8 = 70;
/// A look at the first quarter of a video, but no further in than this.
const LATEST: u64 = 250;

/// Looks at one picture on both sides of the ops.
#[derive(Debug, Default)]
pub struct Witness {
    wanted: AtomicU64,
    seen: Mutex<Seen>,
}

/// Place of a frame and its JPEG.
type Shot = Option<(u64, Vec<u8>)>;

#[derive(Debug, Default)]
struct Seen {
    before: Shot,
    after: Shot,
}

impl Witness {
    /// The input has about so many frames.
    pub fn expect(&self, frames: u64) {
        self.wanted.store((frames / 4).min(LATEST), Ordering::Relaxed);
    }

    /// A frame goes in. The first one is kept too: there may be fewer than expected.
    pub fn before(&self, frame: &Frame) {
        if frame.index == 0 || frame.index == self.wanted.load(Ordering::Relaxed) {
            self.take(frame, |seen| &mut seen.before);
        }
    }

    /// A frame comes out.
    pub fn after(&self, frame: &Frame) {
        let wanted = match self.seen.lock().as_deref() {
            Ok(Seen { after: None, .. }) => true,
            Ok(Seen { before: Some((b, _)), after: Some((a, _)) }) => b > a && frame.index >= *b,
            _ => false,
        };
        if wanted {
            self.take(frame, |seen| &mut seen.after);
        }
    }

    fn take(&self, picture: &Frame, place: impl Fn(&mut Seen) -> &mut Shot) {
        let mut jpeg = Vec::new();
        let mut encoder = image::codecs::jpeg::JpegEncoder::new_with_quality(&mut jpeg, QUALITY);
        let shot = frame::rgb(picture, None, SIZE).ok().and_then(|p| encoder.encode_image(&p).ok());
        // No picture is no loss: nothing but a report lacks it.
        if let (Some(_), Ok(mut seen)) = (shot, self.seen.lock()) {
            *place(&mut seen) = Some((picture.index, jpeg));
        }
    }

    /// JPEGs of what went in and of what came out.
    pub fn shots(&self) -> [Option<Vec<u8>>; 2] {
        let seen = self.seen.lock().map(|mut s| std::mem::take(&mut *s)).unwrap_or_default();
        [seen.before, seen.after].map(|shot| shot.map(|(_, jpeg)| jpeg))
    }
}

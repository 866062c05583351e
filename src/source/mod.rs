//! Where frames come from: one file per kind of source. All that decode end in `pull::Puller`; the rest make frames
//! themselves.

mod attach;
mod audio;
mod build;
pub mod cameras;
mod colr;
mod edits;
pub mod generate;
mod generated;
mod gif;
mod images;
mod input;
pub mod locate;
mod network;
mod packets;
mod pull;
mod settle;
mod taps;
mod timeline;
pub mod truncation;

use std::sync::Arc;
use std::time::Duration;

use gstreamer::ClockTime;

use crate::config::SourceSettings;
use crate::control::Control;
use crate::failure::Failure;
use crate::frame::{Frame, Spec};

pub use audio::{AudioPacket, AudioTrack};
pub use input::Input;
pub use packets::{Encoded, VideoPacket};

/// What a source hands out next.
#[derive(Debug)]
// Almost every one is a frame, so boxing it would save nothing and cost an allocation each.
#[allow(clippy::large_enum_variant)]
pub enum Pull {
    /// A picture.
    Frame(Frame),
    /// Nothing yet; ask again. Comes at least every 100 ms, so that the reader can look up.
    Nothing,
    /// The end.
    End,
}

/// A source at work. Owned by the reader thread.
pub trait Source: Send {
    /// Waits a bounded time for the next frame.
    fn next(&mut self) -> Result<Pull, Failure>;

    /// Jumps so that the next frame is the first one at or after `start`; false where only reading on leads there.
    fn seek(&mut self, _start: ClockTime) -> bool {
        false
    }

    /// What people should know once reading is over: decode errors, a file cut short.
    fn finish(&mut self) -> Ending {
        Ending::default()
    }
}

/// How reading ended.
#[derive(Debug, Default)]
pub struct Ending {
    /// Warnings of the decoder, counted.
    pub decode_errors: u64,
    /// Timestamps that were missing or ran backwards and were repaired.
    pub repaired: u64,
    /// The file is shorter than it says it is.
    pub truncated: Option<String>,
}

/// What is known of the input once its first frame is there.
#[derive(Clone, Debug)]
pub struct Facts {
    /// How people call it; without password.
    pub name: String,
    /// Frames come as the world makes them.
    pub live: bool,
    /// How long the first frame was held back, while more of them gathered behind it.
    pub held: Duration,
    /// It ends by itself.
    pub finite: bool,
    /// The time in the source that becomes 0 in the output: that of a live source's first frame.
    pub origin: ClockTime,
    /// How long it says it is.
    pub duration: Option<ClockTime>,
    /// How many frames it says it has.
    pub frames: Option<u64>,
    /// The format in which frames arrive.
    pub spec: Arc<Spec>,
    /// The decoder's own format, where it had to be converted.
    pub converted_from: Option<String>,
    /// Title, date, place and the like; nothing about the encoding.
    pub tags: gstreamer::TagList,
    /// What was done or left out and should be said.
    pub notices: Vec<String>,
}

/// An opened input.
pub struct Opened {
    /// What is known.
    pub facts: Facts,
    /// The frames.
    pub source: Box<dyn Source>,
    /// The audio tracks, with one tap for each sink that asked.
    pub audio: Vec<AudioTrack>,
    /// The video as it was encoded, for sinks that copy it; none where pictures come as pixels.
    pub packets: Option<Encoded>,
}

/// How many sinks want encoded streams.
#[derive(Clone, Copy, Debug, Default)]
pub struct Taps {
    /// Of all audio tracks.
    pub audio: usize,
    /// Of the video.
    pub video: usize,
}

/// Opens the input and waits for its first frame. `formats` are the raw formats that the ops work on; `taps` what sinks
/// want of it beside pictures.
pub fn open(
    settings: &SourceSettings,
    formats: &[gstreamer_video::VideoFormat],
    taps: Taps,
    control: &Control,
) -> Result<Opened, Failure> {
    let input = Input::parse(&settings.uri)?;
    let taps = Taps { audio: if settings.audio { taps.audio } else { 0 }, ..taps };
    match &input {
        Input::Generate(name) => generated::open(name, settings),
        Input::Images(pattern) => images::open(pattern, settings),
        Input::File(path) if gif::is_gif(path) => gif::open(path),
        _ => build::open(&input, settings, formats, taps, control),
    }
}

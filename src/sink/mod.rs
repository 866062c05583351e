//! Where frames go: one file per kind of sink, and the writer thread that serves it.

mod anonymous;
mod audio;
mod clips;
mod container;
mod copy;
mod display;
mod encoder;
mod even;
mod feed;
mod file;
mod images;
mod lane;
mod mp4;
mod records;
mod report;
mod target;
mod user;
pub mod writer;

use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::time::Instant;

use gstreamer::ClockTime;

use crate::config::{SinkKind, SinkSettings};
use crate::failure::Failure;
use crate::frame::{Meta, Spec};
use crate::source::{AudioTrack, Encoded, Facts, Input};
use crate::vision::event::Event;

pub use target::preflight;

/// A finished picture on its way into sinks. Cloning it clones a reference.
#[derive(Clone, Debug)]
pub struct Delivery {
    /// The pixels, immutable from here on, with PTS and duration set.
    pub buffer: gstreamer::Buffer,
    /// When it is shown.
    pub pts: ClockTime,
    /// How long.
    pub duration: Option<ClockTime>,
    /// When its frame reached the reader.
    pub arrived: Instant,
    /// Place among the frames that the run takes in, from 0.
    pub index: u64,
    /// Time in the source.
    pub position: ClockTime,
    /// What the ops found, where one looked for something.
    pub meta: Option<Arc<Meta>>,
}

/// Events of the end of the stream: set by the processing thread before the sinks' channels close.
pub type LastEvents = OnceLock<Vec<Event>>;

/// How the stream ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// The source is over: all of its audio belongs to the output.
    Complete,
    /// The run was cut: audio goes on to the end of the last picture.
    Cut,
}

/// One output at work. Owned by its writer thread.
pub trait Sink: Send {
    /// Takes a picture; waits while the output is busy.
    fn write(&mut self, picture: &Delivery) -> Result<(), Failure>;

    /// Called now and then while no picture comes: what was written so far can reach its place.
    fn idle(&mut self) -> Result<(), Failure> {
        Ok(())
    }

    /// Takes what happened at the end of the stream, behind the last picture and before [`Sink::finish`].
    fn last_events(&mut self, _events: &[Event]) -> Result<(), Failure> {
        Ok(())
    }

    /// Takes everything to its end, makes the output whole and puts it in its place. Called once.
    fn finish(&mut self, end: End) -> Result<(), Failure>;

    /// What is worth saying: encoder, container.
    fn detail(&self) -> String {
        String::new()
    }

    /// Bytes written so far.
    fn bytes(&self) -> u64 {
        0
    }

    /// Audio packets written, by track.
    fn audio_packets(&self) -> Vec<u64> {
        Vec::new()
    }

    /// What was done to fit the output and should be said.
    fn notices(&self) -> Vec<String> {
        Vec::new()
    }
}

/// What every sink is made from.
pub struct Site<'a> {
    /// The input.
    pub facts: &'a Facts,
    /// Format of the pictures.
    pub spec: &'a Arc<Spec>,
    /// Audio tracks.
    pub audio: &'a [AudioTrack],
    /// The encoded video, where there is any and a sink copies it.
    pub packets: Option<&'a Encoded>,
    /// Which tap of each track is this sink's.
    pub tap: usize,
    /// The source time that is 0 in the output.
    pub zero: ClockTime,
    /// Nothing that describes the source goes into the output: what is hidden in the pictures is not to be named beside
    /// them.
    pub anonymous: bool,
    /// The run, as its events name it.
    pub run: &'a Arc<crate::events::Run>,
    /// Video files that a page could show.
    pub films: &'a [Film],
}

/// A video file that browsers play.
#[derive(Clone, Debug)]
pub struct Film {
    /// Where it is, or will be.
    pub path: PathBuf,
    /// True for an output of this run, false for its input.
    pub made: bool,
}

impl Film {
    /// Those of a run: first what it writes, then what it reads.
    pub fn all(sinks: &[SinkSettings], input: &Input) -> Vec<Film> {
        let written = sinks.iter().filter(|s| s.kind == SinkKind::File).filter_map(|s| s.path.as_deref());
        let read = match input {
            Input::File(path) => Some(path.as_path()),
            _ => None,
        };
        let all = written.map(|p| (p, true)).chain(read.map(|p| (p, false)));
        let films = all.map(|(path, made)| Film { path: path.to_owned(), made });
        films.filter(|f| f.played()).collect()
    }

    /// Its name without folders.
    pub fn name(&self) -> PathBuf {
        self.path.file_name().map(PathBuf::from).unwrap_or_default()
    }

    fn played(&self) -> bool {
        let extension = self.path.extension().map(|e| e.to_string_lossy().to_ascii_lowercase());
        extension.is_some_and(|e| ["mp4", "m4v", "mov", "webm", "mkv", "ogv"].contains(&e.as_str()))
    }
}

/// Makes the sink that `settings` ask for.
pub fn open(settings: &SinkSettings, site: &Site<'_>) -> Result<Box<dyn Sink>, Failure> {
    Ok(match settings.kind {
        SinkKind::Null => Box::new(Null),
        SinkKind::Clips => Box::new(clips::ClipSink::open(settings, site)?),
        SinkKind::File => Box::new(file::FileSink::open(settings, site)?),
        SinkKind::Records | SinkKind::Webhook | SinkKind::Mqtt => records::open(settings, site)?,
        SinkKind::Report => Box::new(report::ReportSink::open(settings, site)?),
        SinkKind::Images => Box::new(images::ImageSink::open(settings, site)?),
        SinkKind::Display => Box::new(display::open(settings, site)?),
        SinkKind::Pipeline => Box::new(user::open(settings, site)?),
    })
}

/// True when a sink of this kind can hold audio.
pub fn takes_audio(settings: &SinkSettings) -> bool {
    matches!(settings.kind, SinkKind::File | SinkKind::Clips) && settings.audio
}

/// Takes everything, keeps nothing.
struct Null;

impl Sink for Null {
    fn write(&mut self, _: &Delivery) -> Result<(), Failure> {
        Ok(())
    }

    fn finish(&mut self, _: End) -> Result<(), Failure> {
        Ok(())
    }
}

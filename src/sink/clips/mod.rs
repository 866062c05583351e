//! A file for each event: pictures and sound wait here until it is known whether they belong to one.
//!
//! ```text
//! pictures ─► [the last seconds] ─► in a part? ─► FileSink of that part ─► clips/0001-motion.mp4
//! audio packets ─► [the same] ────►
//! ```
//!
//! An event may be known later than it happened, by [`LATE`] at most; so much longer than the roll before it is what waits.

mod spans;

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crossbeam_channel::{Receiver, Sender, unbounded};
use gstreamer::ClockTime;

use self::spans::{Span, Spans};
use super::file::FileSink;
use super::{Delivery, End, Sink, Site};
use crate::config::SinkSettings;
use crate::failure::Failure;
use crate::frame::Spec;
use crate::source::{AudioPacket, AudioTrack, Facts};
use crate::vision::event::Event;

/// How late an event may be, in nanoseconds of the stream.
const LATE: u64 = 2_000_000_000;
/// Bytes of pictures that wait at most; beyond, the roll before an event is shorter.
const WAITING: usize = 1 << 30;

/// Clips being made.
pub struct ClipSink {
    settings: SinkSettings,
    facts: Facts,
    spec: Arc<Spec>,
    anonymous: bool,
    zero: ClockTime,
    before: u64,
    spans: Spans,
    waiting: VecDeque<Delivery>,
    bytes_waiting: usize,
    lanes: Vec<Lane>,
    clip: Option<Clip>,
    /// Source time up to which pictures have left.
    done: u64,
    made: Vec<PathBuf>,
    bytes: u64,
    packets: Vec<u64>,
    short: bool,
    seen: bool,
    run: Arc<crate::events::Run>,
}

/// One audio track.
struct Lane {
    track: AudioTrack,
    packets: Receiver<AudioPacket>,
    waiting: VecDeque<AudioPacket>,
    to: Option<Sender<AudioPacket>>,
}

/// The clip that pictures go to now.
struct Clip {
    span: Span,
    file: FileSink,
    path: PathBuf,
    first: ClockTime,
}

impl ClipSink {
    /// Prepares; files come with the events.
    pub fn open(settings: &SinkSettings, site: &Site<'_>) -> Result<Self, Failure> {
        let pattern = settings.path.as_deref().unwrap_or(Path::new(""));
        super::container::Container::of(pattern)?;
        let ns = |t: crate::config::Time| t.0.nseconds();
        let (before, after) = (ns(settings.before), ns(settings.after));
        let lane = |track: &AudioTrack| {
            let packets = track.taps.get(site.tap).cloned()?;
            Some(Lane { track: track.with_tap(None), packets, waiting: VecDeque::new(), to: None })
        };
        let lanes = if settings.audio { site.audio } else { &[] };
        Ok(ClipSink {
            settings: settings.clone(),
            facts: site.facts.clone(),
            spec: site.spec.clone(),
            anonymous: site.anonymous,
            zero: site.zero,
            before,
            spans: Spans::new(before, after),
            waiting: VecDeque::new(),
            bytes_waiting: 0,
            lanes: lanes.iter().filter_map(lane).collect(),
            clip: None,
            done: 0,
            made: Vec::new(),
            bytes: 0,
            packets: vec![0; lanes.len()],
            short: false,
            seen: false,
            run: site.run.clone(),
        })
    }

    fn add(&mut self, events: &[Event]) {
        for event in events.iter().filter(|e| self.settings.wants(e.kind, &e.name)) {
            self.spans.add(event, self.done);
        }
    }

    /// Lets pictures out that are older than `until`.
    fn let_out(&mut self, until: u64) -> Result<(), Failure> {
        while self.waiting.front().is_some_and(|p| p.position.nseconds() <= until) {
            let Some(picture) = self.waiting.pop_front() else { break };
            self.bytes_waiting -= picture.buffer.size();
            let at = picture.position.nseconds();
            self.done = at + 1;
            let span = self.spans.at(at).cloned();
            if self.clip.as_ref().is_some_and(|c| span.as_ref().is_none_or(|s| !s.is(&c.span))) {
                self.end_clip(End::Cut)?;
            }
            if let Some(span) = span {
                self.put(picture, span)?;
            }
            self.spans.forget(at);
        }
        Ok(())
    }

    /// Writes a picture into the clip of `span`.
    fn put(&mut self, picture: Delivery, span: Span) -> Result<(), Failure> {
        if self.clip.is_none() {
            self.begin(&picture, span)?;
        }
        self.pump(picture.position.nseconds());
        let Some(clip) = &mut self.clip else { return Ok(()) };
        let pts = picture.pts - clip.first;
        let mut shifted = Delivery { pts, ..picture };
        shifted.buffer.make_mut().set_pts(pts);
        clip.file.write(&shifted)
    }

    fn begin(&mut self, picture: &Delivery, span: Span) -> Result<(), Failure> {
        let path = self.name(&span);
        let settings = SinkSettings { path: Some(path.clone()), ..self.settings.clone() };
        if path.exists() && !settings.overwrite {
            let what = format!("cannot write {}: the file exists", path.display());
            return Err(Failure::output(what).fix("--overwrite replaces it"));
        }
        let mut tracks = Vec::new();
        for lane in &mut self.lanes {
            let (to, from) = unbounded();
            lane.to = Some(to);
            tracks.push(lane.track.with_tap(Some(from)));
        }
        let zero = self.zero + picture.pts;
        let Self { facts, spec, anonymous, run, .. } = &*self;
        let site = Site { facts, spec, audio: &tracks, tap: 0, zero, anonymous: *anonymous, run, films: &[] };
        let file = FileSink::open(&settings, &site)?;
        log::info!("clip {}", path.display());
        self.clip = Some(Clip { span, file, path, first: picture.pts });
        Ok(())
    }

    fn end_clip(&mut self, end: End) -> Result<(), Failure> {
        let Some(mut clip) = self.clip.take() else { return Ok(()) };
        self.lanes.iter_mut().for_each(|l| l.to = None);
        clip.file.finish(end)?;
        self.bytes += clip.file.bytes();
        self.packets.iter_mut().zip(clip.file.audio_packets()).for_each(|(sum, n)| *sum += n);
        self.made.push(clip.path);
        Ok(())
    }

    /// Takes in sound; hands over what belongs to the clip, forgets what no clip can want any more.
    fn pump(&mut self, now: u64) {
        // Two seconds more than pictures: sound comes in larger pieces.
        let keep = now.saturating_sub(self.before + 2 * LATE) as i64;
        for lane in &mut self.lanes {
            lane.waiting.extend(lane.packets.try_iter());
            if let Some(to) = &lane.to {
                lane.waiting.drain(..).for_each(|p| drop(to.send(p)));
            }
            while lane.waiting.front().is_some_and(|p| p.time < keep) {
                lane.waiting.pop_front();
            }
        }
    }

    /// `clips/{n}-{kind}.mp4` with its fields filled in.
    fn name(&self, span: &Span) -> PathBuf {
        let pattern = self.settings.path.as_deref().unwrap_or(Path::new("")).to_string_lossy();
        let seconds = span.at / 1_000_000_000;
        let time = format!("{:02}-{:02}-{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60);
        let n = self.made.len() + 1;
        let kind = span.kind.name().split('.').next().unwrap_or_default();
        let name: String = span.name.chars().map(|c| if c.is_alphanumeric() || c == '-' { c } else { '_' }).collect();
        let fields = [("{n}", format!("{n:04}")), ("{kind}", kind.into()), ("{name}", name), ("{time}", time)];
        fields.iter().fold(pattern.into_owned(), |p, (field, value)| p.replace(field, value)).into()
    }
}

impl Sink for ClipSink {
    fn write(&mut self, picture: &Delivery) -> Result<(), Failure> {
        let now = picture.position.nseconds();
        if !self.seen {
            self.seen = true;
            self.done = now;
        }
        let picture = picture.clone();
        self.bytes_waiting += picture.buffer.size();
        let meta = picture.meta.clone();
        self.waiting.push_back(picture);
        if let Some(meta) = meta {
            self.add(&meta.events);
        }
        if self.clip.is_none() {
            self.pump(now);
        }
        let mut until = now.saturating_sub(self.before + LATE);
        if self.bytes_waiting > WAITING {
            until = self.waiting.front().map_or(until, |p| p.position.nseconds());
            if !std::mem::replace(&mut self.short, true) {
                log::warn!(
                    "{}: pictures this large leave room for a shorter roll before events",
                    self.settings.label()
                );
            }
        }
        self.let_out(until)
    }

    fn last_events(&mut self, events: &[Event]) -> Result<(), Failure> {
        self.add(events);
        Ok(())
    }

    fn finish(&mut self, end: End) -> Result<(), Failure> {
        self.let_out(u64::MAX)?;
        self.end_clip(end)?;
        Ok(())
    }

    fn detail(&self) -> String {
        let n = self.made.len();
        format!("{n} clip{}", if n == 1 { "" } else { "s" })
    }

    fn bytes(&self) -> u64 {
        self.bytes
    }

    fn audio_packets(&self) -> Vec<u64> {
        self.packets.clone()
    }

    fn notices(&self) -> Vec<String> {
        match self.short {
            true => vec!["pictures this large left room for a shorter roll before events".into()],
            false => Vec::new(),
        }
    }
}

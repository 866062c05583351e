//! A file for each event: pictures and sound wait here until it is known whether they belong to one.
//!
//! ```text
//! pictures ─► [the last seconds] ─► in a part? ─► FileSink of that part ─► clips/0001-motion.mp4
//! audio packets ─► [the same] ────►
//!
//! with `copy`, from the tap in front of the decoder:
//! video packets ─► [the last GOPs] ─► touches a part? ─► FileSink of that part
//! ```
//!
//! An event may be known later than it happened, by [`LATE`] at most; so much longer than the roll before it is what waits.

mod gops;
mod sound;
mod spans;

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_channel::Receiver;
use gstreamer::ClockTime;

use self::gops::{Gop, Gops};
use self::sound::{Sound, Taps};
use self::spans::{Span, Spans};
use super::container::Container;
use super::file::FileSink;
use super::{Delivery, End, Sink, Site, copy};
use crate::config::SinkSettings;
use crate::failure::Failure;
use crate::frame::Spec;
use crate::source::{Encoded, Facts, VideoPacket};
use crate::vision::event::Event;

/// How late an event may be, in nanoseconds of the stream.
const LATE: u64 = 2_000_000_000;
/// Bytes of pictures or packets that wait at most; beyond, the roll before an event is shorter.
const WAITING: usize = 1 << 30;
/// When the pictures are over, the last packets are on their way, for so long at most.
const PATIENCE: Duration = Duration::from_secs(2);

/// Clips being made.
pub struct ClipSink {
    settings: SinkSettings,
    facts: Facts,
    spec: Arc<Spec>,
    anonymous: bool,
    zero: ClockTime,
    spans: Spans,
    /// How long a picture waits.
    delay: u64,
    waiting: VecDeque<Delivery>,
    bytes_waiting: usize,
    copying: Option<Copying>,
    sound: Sound,
    open: Vec<Clip>,
    /// Time up to which pictures have left.
    done: u64,
    made: Vec<PathBuf>,
    begun: usize,
    bytes: u64,
    packets: Vec<u64>,
    notices: Vec<String>,
    /// Time of the newest picture, and the one from which on nothing was asked for, in nanoseconds of the stream.
    now: u64,
    limit: i64,
    run: Arc<crate::events::Run>,
}

/// What the input encoded.
struct Copying {
    video: Encoded,
    packets: Receiver<VideoPacket>,
    gops: Gops,
}

/// A clip being written.
struct Clip {
    span: Span,
    file: FileSink,
    path: PathBuf,
    /// Its first picture's time: in the output for pictures, in nanoseconds of the source for packets.
    first: ClockTime,
    zero: i64,
    sound: Taps,
}

impl ClipSink {
    /// Prepares; files come with the events.
    pub fn open(settings: &SinkSettings, site: &Site<'_>) -> Result<Self, Failure> {
        let pattern = settings.path.as_deref().unwrap_or(Path::new(""));
        let container = Container::of(pattern)?;
        let mut notices = Vec::new();
        let copying = match settings.copy {
            false => None,
            true => {
                copy::fits(settings, container, site)?;
                let tapped = site.packets.and_then(|v| Some((v.clone(), v.tap()?)));
                let (video, packets) = tapped.ok_or_else(|| Failure::failed("the video has no tap for this sink"))?;
                if copy::lies(container, &video) {
                    notices.push(format!(
                        "{} cannot say that the picture is turned: copies lie on their side",
                        container.name
                    ));
                }
                Some(Copying { video, packets, gops: Gops::default() })
            }
        };
        let ns = |t: crate::config::Time| t.0.nseconds();
        let (before, after) = (ns(settings.before), ns(settings.after));
        let sound = Sound::new(if settings.audio { site.audio } else { &[] }, site.tap);
        Ok(ClipSink {
            settings: settings.clone(),
            facts: site.facts.clone(),
            spec: site.spec.clone(),
            anonymous: site.anonymous,
            zero: site.zero,
            spans: Spans::new(before, after),
            delay: before + LATE,
            waiting: VecDeque::new(),
            bytes_waiting: 0,
            copying,
            open: Vec::new(),
            done: (site.zero.saturating_sub(site.facts.origin)).nseconds(),
            made: Vec::new(),
            begun: 0,
            bytes: 0,
            packets: vec![0; sound.tracks()],
            sound,
            notices,
            now: (site.zero.saturating_sub(site.facts.origin)).nseconds(),
            limit: i64::MAX,
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
            if self.open.last().is_some_and(|c| span.as_ref().is_none_or(|s| !s.is(&c.span))) {
                self.end_clip(0, End::Cut)?;
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
        if self.open.is_empty() {
            let zero = (self.zero + picture.pts).nseconds() as i64;
            self.begin(span, picture.pts, zero, None)?;
        }
        let Some(clip) = self.open.last_mut() else { return Ok(()) };
        let pts = picture.pts - clip.first;
        let mut shifted = Delivery { pts, ..picture };
        shifted.buffer.make_mut().set_pts(pts);
        clip.file.write(&shifted)
    }

    /// Takes in packets that have come, and lets out what is older than `until`.
    fn take_packets(&mut self, until: u64) -> Result<(), Failure> {
        if let Some(copying) = &mut self.copying {
            copying.packets.try_iter().for_each(|p| copying.gops.add(p));
        }
        self.copy_out(Some(until))
    }

    /// Lets packets out, GOP by GOP, up to `until` or all of them.
    fn copy_out(&mut self, until: Option<u64>) -> Result<(), Failure> {
        let origin = self.facts.origin.nseconds() as i64;
        loop {
            let Some(copying) = &mut self.copying else { return Ok(()) };
            let next = copying.gops.next().map(|t| t - origin);
            let ripe = match (next, until) {
                (Some(next), Some(until)) => u64::try_from(next).is_ok_and(|n| n <= until) || next < 0,
                (_, until) => until.is_none(),
            };
            if !ripe && copying.gops.bytes() <= WAITING {
                return Ok(());
            }
            let gop = copying.gops.pop();
            if !ripe {
                self.say_short();
            }
            match gop {
                Some(gop) if ripe || next.is_some() => self.copy(&gop, next.unwrap_or(i64::MAX), origin)?,
                // One without end: the next keyframe begins anew.
                _ => return Ok(()),
            }
        }
    }

    /// Copies a GOP into the clips that it touches. The next one's keyframe is shown at `next`.
    fn copy(&mut self, gop: &Gop, next: i64, origin: i64) -> Result<(), Failure> {
        let fps = self.facts.spec.info.fps();
        let length = (fps.numer() > 0)
            .then(|| ClockTime::from_nseconds(1_000_000_000 * fps.denom() as u64 / fps.numer() as u64));
        let (first, key) = (gop.first() - origin, gop.key() - origin);
        // Later than everything while it goes on.
        let limit = self.limit;
        let end = |s: &Span| s.end.filter(|_| !s.is_open()).map_or(limit, |e| limit.min(e as i64));
        let spans = self.spans.list.clone();
        let over = |c: &Clip| spans.iter().find(|s| s.is(&c.span)).is_none_or(|s| end(s) <= first);
        while let Some(n) = self.open.iter().position(over) {
            self.end_clip(n, End::Cut)?;
        }
        for span in &spans {
            let is = |c: &Clip| c.span.is(span);
            let goes_on = self.open.iter().any(is);
            let begins = (span.start as i64) < next && end(span) > key;
            if !goes_on && !begins {
                continue;
            }
            if !goes_on {
                let Some(first) = gop.packets.first() else { return Ok(()) };
                if gop.is_unclear() || self.reorders() && gop.packets.iter().any(|p| p.guessed) {
                    let what = format!("cannot copy {}: it does not say when each picture is shown", self.facts.name);
                    return Err(Failure::output(what).fix("leave out --copy (copy = true): clips are encoded then"));
                }
                self.begin(span.clone(), ClockTime::ZERO, gop.key(), Some(first))?;
            }
            let Some(clip) = self.open.iter_mut().find(|c| c.span.is(span)) else { continue };
            let n = gop.until(end(span).saturating_add(origin));
            // What is shown before the clip's first keyframe cannot be decoded without the GOP before it.
            for delivery in gop.packets[..n].iter().filter_map(|p| copy::delivery(p, clip.zero, length)) {
                clip.file.write(&delivery)?;
            }
        }
        self.done = self.done.max(u64::try_from(next).unwrap_or(0));
        self.spans.forget(u64::try_from(first).unwrap_or(0));
        Ok(())
    }

    /// True for H.264, H.265, and MPEG-1 and 2, whose pictures may be shown in another order than they are stored.
    fn reorders(&self) -> bool {
        let caps = self.copying.as_ref().and_then(|c| c.video.caps());
        caps.as_ref()
            .and_then(|c| c.structure(0))
            .is_some_and(|s| s.name().starts_with("video/x-h26") || s.get::<i32>("mpegversion").is_ok_and(|v| v < 4))
    }

    /// Opens the clip of `span`; with `packet`, which is its first, a copy.
    fn begin(&mut self, span: Span, first: ClockTime, zero: i64, packet: Option<&VideoPacket>) -> Result<(), Failure> {
        self.begun += 1;
        let path = self.name(&span);
        let settings = SinkSettings { path: Some(path.clone()), ..self.settings.clone() };
        if path.exists() && !settings.overwrite {
            let what = format!("cannot write {}: the file exists", path.display());
            return Err(Failure::output(what).fix("--overwrite replaces it"));
        }
        let (tracks, sound) = self.sound.open();
        let Self { facts, spec, anonymous, run, copying, .. } = &*self;
        let begins = ClockTime::from_nseconds(u64::try_from(zero).unwrap_or(0));
        let spec = if packet.is_some() { &facts.spec } else { spec };
        let (audio, packets) = (&tracks[..], None);
        let site = Site { facts, spec, audio, packets, tap: 0, zero: begins, anonymous: *anonymous, run, films: &[] };
        let file = match (copying, packet) {
            (Some(c), Some(packet)) => FileSink::copy(&settings, &site, &c.video, packet)?,
            _ => FileSink::open(&settings, &site)?,
        };
        log::info!("clip {}", path.display());
        self.open.push(Clip { span, file, path, first, zero, sound });
        Ok(())
    }

    fn end_clip(&mut self, n: usize, end: End) -> Result<(), Failure> {
        let mut clip = self.open.remove(n);
        clip.sound.clear();
        clip.file.finish(end)?;
        self.bytes += clip.file.bytes();
        self.packets.iter_mut().zip(clip.file.audio_packets()).for_each(|(sum, n)| *sum += n);
        self.made.push(clip.path);
        Ok(())
    }

    /// Lets go of sound that is older than all that waits.
    fn forget_sound(&mut self, now: u64) {
        let origin = self.facts.origin.nseconds() as i64;
        let oldest = match &self.copying {
            Some(c) => c.gops.front().map(Gop::first),
            None => self.waiting.front().map(|p| p.position.nseconds() as i64 + origin),
        };
        self.sound.forget(oldest.unwrap_or(now as i64 + origin - self.delay as i64));
    }

    fn say_short(&mut self) {
        let what = "pictures this large leave room for a shorter roll before events";
        if !self.notices.iter().any(|n| n == what) {
            log::warn!("{}: {what}", self.settings.label());
            self.notices.push(what.into());
        }
    }

    /// `clips/{n}-{kind}.mp4` with its fields filled in.
    fn name(&self, span: &Span) -> PathBuf {
        let pattern = self.settings.path.as_deref().unwrap_or(Path::new("")).to_string_lossy();
        let seconds = span.at / 1_000_000_000;
        let time = format!("{:02}-{:02}-{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60);
        let kind = span.kind.name().split('.').next().unwrap_or_default();
        let name: String = span.name.chars().map(|c| if c.is_alphanumeric() || c == '-' { c } else { '_' }).collect();
        let n = format!("{:04}", self.begun);
        let fields = [("{n}", n), ("{kind}", kind.into()), ("{name}", name), ("{time}", time)];
        fields.iter().fold(pattern.into_owned(), |p, (field, value)| p.replace(field, value)).into()
    }
}

impl Sink for ClipSink {
    fn write(&mut self, picture: &Delivery) -> Result<(), Failure> {
        let now = picture.position.nseconds();
        self.now = now + picture.duration.map_or(0, |d| d.nseconds());
        if let Some(meta) = picture.meta.clone() {
            self.add(&meta.events);
        }
        self.sound.take_in(self.open.iter().map(|c| &c.sound));
        let mut until = now.saturating_sub(self.delay);
        if self.copying.is_some() {
            self.take_packets(until)?;
        } else {
            self.bytes_waiting += picture.buffer.size();
            self.waiting.push_back(picture.clone());
            if self.bytes_waiting > WAITING {
                until = self.waiting.front().map_or(until, |p| p.position.nseconds());
                self.say_short();
            }
            self.let_out(until)?;
        }
        self.forget_sound(now);
        Ok(())
    }

    fn idle(&mut self) -> Result<(), Failure> {
        // Up to --start pictures are read that do not come here; their packets do.
        self.sound.take_in(self.open.iter().map(|c| &c.sound));
        self.take_packets(self.now.saturating_sub(self.delay))?;
        self.forget_sound(self.now);
        Ok(())
    }

    fn last_events(&mut self, events: &[Event]) -> Result<(), Failure> {
        self.add(events);
        Ok(())
    }

    fn finish(&mut self, end: End) -> Result<(), Failure> {
        if let Some(copying) = &mut self.copying {
            if end == End::Cut {
                self.limit = self.now as i64;
            }
            let deadline = Instant::now() + PATIENCE;
            while let Ok(packet) = copying.packets.recv_deadline(deadline) {
                copying.gops.add(packet);
            }
        }
        self.sound.take_rest(self.open.iter().map(|c| &c.sound));
        self.let_out(u64::MAX)?;
        self.copy_out(None)?;
        while let Some(clip) = self.open.first() {
            // One that goes on to the end of the input has all of its sound.
            let span = self.spans.list.iter().find(|s| s.is(&clip.span));
            let whole = span.is_some_and(|s| s.is_open() || s.end.is_none_or(|e| e > self.now));
            self.end_clip(0, if whole { end } else { End::Cut })?;
        }
        Ok(())
    }

    fn detail(&self) -> String {
        let n = self.made.len();
        let how = if self.copying.is_some() { ", copied" } else { "" };
        format!("{n} clip{}{how}", if n == 1 { "" } else { "s" })
    }

    fn bytes(&self) -> u64 {
        self.bytes
    }

    fn audio_packets(&self) -> Vec<u64> {
        self.packets.clone()
    }

    fn notices(&self) -> Vec<String> {
        self.notices.clone()
    }
}

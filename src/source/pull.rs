//! Takes samples out of an appsink as frames, and listens to the bus meanwhile.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use gstreamer::glib;
use gstreamer::prelude::*;
use gstreamer::{ClockTime, MessageView};
use gstreamer_app::AppSink;
use gstreamer_video::VideoInfo;

use super::attach::Attached;
use super::network::Remote;
use super::settle::Settler;
use super::timeline::Timeline;
use super::{Ending, Pull, Source, colr, truncation};
use crate::failure::Failure;
use crate::frame::{Frame, Spec};
use crate::redact::redact;

/// After an error, nothing more is on its way when nothing came for so long.
const AFTERMATH: Duration = Duration::from_secs(1);

/// A pipeline that ends in an appsink.
pub struct Puller {
    /// Stopped when the source is dropped.
    pub pipeline: gstreamer::Pipeline,
    /// Its end.
    pub appsink: AppSink,
    /// How people call the input.
    pub name: String,
    /// The file, where it is one.
    pub path: Option<PathBuf>,
    /// The server, where it is one.
    pub remote: Option<Arc<Remote>>,
    /// Frames come as the world makes them.
    pub live: bool,
    /// Times may jump after the first frame (PipeWire's first one has none): they are taken back to the wall clock's pace.
    pub jumps: bool,
    /// Give up when nothing comes for so long.
    pub patience: Duration,
    /// Time of samples.
    pub timeline: Timeline,
    /// What was linked in front of the appsink.
    pub attached: Arc<Mutex<Attached>>,
    state: State,
}

#[derive(Default)]
struct State {
    spec: Option<(gstreamer::Caps, Arc<Spec>)>,
    times: Settler,
    /// When the newest frame came and its time, and what jumps have added so far, both in nanoseconds.
    seen: Option<(Instant, i64)>,
    jumped: i64,
    /// The frame before the one just pulled: appsink still holds the newest, which would make it unwritable.
    held: Option<Frame>,
    first: Option<gstreamer::Sample>,
    ended: bool,
    waiting_since: Option<Instant>,
    frames: u64,
    ending: Ending,
    missing: BTreeSet<String>,
    full_range: Option<bool>,
    /// Why the source cannot go on, while what came before is still on its way.
    broken: Option<String>,
    /// An error before the first frame, and since when.
    refused: Option<(Instant, Failure, String)>,
    /// Why the newest frame cannot be taken, while one before it is held.
    unfit: Option<Failure>,
    /// Complaints of decoders before this run.
    complaints: u64,
}

impl Puller {
    /// Wraps a pipeline that is about to play.
    pub fn new(
        pipeline: gstreamer::Pipeline,
        appsink: AppSink,
        name: String,
        path: Option<PathBuf>,
        patience: Duration,
    ) -> Self {
        let full_range = path.as_deref().and_then(colr::full_range);
        let state = State { full_range, complaints: crate::gst::damage(), ..State::default() };
        Puller {
            pipeline,
            appsink,
            name,
            path,
            remote: None,
            live: false,
            jumps: false,
            patience,
            timeline: Timeline::default(),
            attached: Arc::default(),
            state,
        }
    }

    /// The sample that [`Puller::next`] will start with; `None` when none came within 50 ms.
    pub fn first_sample(&mut self) -> Result<Option<(Arc<Spec>, ClockTime)>, Failure> {
        if self.state.first.is_none() {
            self.state.first = self.appsink.try_pull_sample(ClockTime::from_mseconds(50));
        }
        let first = match self.state.first.clone() {
            Some(sample) => {
                let time = self.timeline.time(&sample).unwrap_or(0).max(0);
                Some((self.spec_of(&sample)?, ClockTime::from_nseconds(time as u64)))
            }
            None => None,
        };
        self.bus()?;
        match (&first, self.state.refused.take()) {
            (Some(_), Some((_, _, reason))) => self.state.broken = Some(reason),
            (None, Some((since, failure, _))) if since.elapsed() > AFTERMATH || self.is_eos() => return Err(failure),
            (None, refused) => self.state.refused = refused,
            (Some(_), None) => {}
        }
        Ok(first)
    }

    /// True while an error waits for a first frame that may still come.
    pub fn is_refused(&self) -> bool {
        self.state.refused.is_some()
    }

    /// True when the appsink got the end of the stream.
    pub fn is_eos(&self) -> bool {
        self.appsink.is_eos()
    }

    /// Reads all messages that wait; the first error ends the run.
    pub fn bus(&mut self) -> Result<(), Failure> {
        let Some(bus) = self.pipeline.bus() else { return Ok(()) };
        while let Some(message) = bus.pop() {
            match message.view() {
                // What came before is still on its way: it is taken first.
                MessageView::Error(e) if self.state.spec.is_some() => {
                    log::debug!("{}: {} ({})", self.name, e.error(), redact(&e.debug().unwrap_or_default()));
                    self.state.broken.get_or_insert_with(|| plain(&e.error()));
                }
                // A server that breaks off: a first picture may be on its way too.
                MessageView::Error(e) if self.remote.is_some() && breaks_off(&e.error()) => {
                    let failure = self.failure(&e.error(), e.debug());
                    self.state.refused.get_or_insert((Instant::now(), failure, plain(&e.error())));
                }
                MessageView::Error(e) => return Err(self.failure(&e.error(), e.debug())),
                // What a server's end looks like: a warning, then the end of the stream.
                MessageView::Warning(w)
                    if self.remote.is_some() && w.error().matches(gstreamer::ResourceError::Read) =>
                {
                    log::debug!("{}: {} ({})", self.name, w.error(), redact(&w.debug().unwrap_or_default()));
                    self.state.broken.get_or_insert_with(|| plain(&w.error()));
                }
                MessageView::Warning(w) => {
                    self.state.ending.decode_errors += 1;
                    log::debug!("{}: {} ({})", self.name, w.error(), redact(&w.debug().unwrap_or_default()));
                }
                MessageView::Latency(_) => {
                    let _ = self.pipeline.recalculate_latency();
                }
                MessageView::Element(_) => {
                    if let Ok(missing) = gstreamer_pbutils::MissingPluginMessage::parse(&message) {
                        self.state.missing.insert(missing.description().to_string());
                    }
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// What GStreamer could not find a plug-in for.
    pub fn missing(&self) -> impl Iterator<Item = &str> {
        self.state.missing.iter().map(String::as_str)
    }

    fn failure(&self, error: &glib::Error, debug: Option<glib::GString>) -> Failure {
        let debug = redact(&debug.unwrap_or_default());
        log::debug!("{}: {error}: {debug}", self.name);
        let missing: Vec<&str> = self.missing().collect();
        if !missing.is_empty() {
            let what = format!("cannot decode {}: no plug-in for {}", self.name, missing.join(", "));
            return Failure::input(what).fix("`framewright doctor` lists what is missing and the packages to install");
        }
        match &self.remote {
            Some(remote) => remote.explain(&self.name, error),
            None => {
                // `streaming stopped, reason not-linked (-1)` says more than `Internal data stream error`.
                let reason = debug.rsplit_once(", reason ").map(|(_, r)| format!(" ({r})")).unwrap_or_default();
                Failure::input(format!("cannot open {}: {}{reason}", self.name, plain(error)))
            }
        }
    }

    /// The source broke off for this reason.
    fn broken(&self, reason: &str) -> Failure {
        let (name, frames) = (&self.name, self.state.frames);
        let what = match (&self.remote, self.state.times.last()) {
            (Some(_), _) => format!("lost the connection to {name} after frame {frames}: {reason}"),
            (None, Some(pts)) => format!("cannot decode {name} after frame {frames} ({pts:.3}): {reason}"),
            (None, None) => format!("cannot decode {name}: {reason}"),
        };
        Failure::input(what).fix("the output holds every frame up to there")
    }

    fn spec_of(&mut self, sample: &gstreamer::Sample) -> Result<Arc<Spec>, Failure> {
        let caps =
            sample.caps_owned().ok_or_else(|| Failure::input(format!("{} delivers frames without caps", self.name)))?;
        if let Some((known, spec)) = &self.state.spec {
            if *known == caps {
                return Ok(spec.clone());
            }
            let (info, _) = self.info(&caps)?;
            let old = &spec.info;
            if (info.width(), info.height(), info.format()) != (old.width(), old.height(), old.format()) {
                return Err(Failure::input(format!(
                    "{} changes from {}x{} {} to {}x{} {} after frame {}: one output cannot hold both",
                    self.name,
                    old.width(),
                    old.height(),
                    old.format(),
                    info.width(),
                    info.height(),
                    info.format(),
                    self.state.frames
                ))
                .fix("the output is whole up to there; run the rest with --start"));
            }
            if info.interlace_mode() != old.interlace_mode() {
                log::warn!(
                    "{}: interlacing changes to {:?} after frame {}",
                    self.name,
                    info.interlace_mode(),
                    self.state.frames
                );
            }
            // Frame rate or colour tags changed: pixels still mean what the first caps say to the encoder.
            let spec = spec.clone();
            self.state.spec = Some((caps, spec.clone()));
            return Ok(spec);
        }
        let (info, mended) = self.info(&caps)?;
        let spec = Spec::new(info).map_err(|e| Failure::input(format!("{}: {e}", self.name)))?;
        let spec = Arc::new(spec.with_caps(mended));
        self.state.spec = Some((caps, spec.clone()));
        Ok(spec)
    }

    /// The caps with the colour range that the file itself states, and what they say.
    fn info(&self, caps: &gstreamer::Caps) -> Result<(VideoInfo, gstreamer::Caps), Failure> {
        let bad = |_| Failure::input(format!("{} delivers frames that cannot be read: {caps}", self.name));
        let info = VideoInfo::from_caps(caps).map_err(bad)?;
        let Some(full) = self.state.full_range.filter(|_| !info.format_info().is_rgb()) else {
            return Ok((info, caps.clone()));
        };
        let c = info.colorimetry();
        let range = if full {
            gstreamer_video::VideoColorRange::Range0_255
        } else {
            gstreamer_video::VideoColorRange::Range16_235
        };
        let c = gstreamer_video::VideoColorimetry::new(range, c.matrix(), c.transfer(), c.primaries());
        let mut caps = caps.clone();
        caps.make_mut().set("colorimetry", c.to_string());
        Ok((VideoInfo::from_caps(&caps).map_err(bad)?, caps))
    }

    fn frame(&mut self, sample: gstreamer::Sample) -> Result<Frame, Failure> {
        let spec = self.spec_of(&sample)?;
        let source_pts = {
            let attached = self.attached.lock().unwrap_or_else(|e| e.into_inner());
            let times = attached.times.as_ref().and_then(|t| t.lock().unwrap_or_else(|e| e.into_inner()).pop_front());
            times.unwrap_or_else(|| sample.buffer().and_then(|b| b.pts()))
        };
        let time = source_pts.and_then(|p| self.timeline.of(p, &sample)).map(|t| self.without_jump(t));
        let buffer =
            sample.buffer_owned().ok_or_else(|| Failure::input(format!("{} delivers an empty sample", self.name)))?;
        drop(sample);
        let duration = buffer.duration().or_else(|| frame_duration(&spec.info));
        if self.jumps && time.is_none() {
            self.state.seen.get_or_insert((Instant::now(), 0));
        }
        let pts = self.state.times.settle(time.map(|t| ClockTime::from_nseconds(t.max(0) as u64)), duration);
        self.state.frames += 1;
        Ok(Frame::new(buffer, spec, pts, duration))
    }
}

impl Puller {
    /// `time` less what it jumped ahead of the wall clock by more than five seconds at once.
    fn without_jump(&mut self, time: i64) -> i64 {
        if !self.jumps {
            return time;
        }
        let state = &mut self.state;
        let (now, time) = (Instant::now(), time - state.jumped);
        let ahead = state.seen.map_or(0, |(at, before)| time - before - now.duration_since(at).as_nanos() as i64);
        let jump = if ahead > 5_000_000_000 { ahead } else { 0 };
        state.jumped += jump;
        state.seen = Some((now, time - jump));
        time - jump
    }
}

/// An error that may come in the middle of what a server sends.
fn breaks_off(error: &glib::Error) -> bool {
    use gstreamer::{ResourceError, StreamError};
    error.matches(ResourceError::Seek) || error.matches(ResourceError::Read) || error.matches(StreamError::Failed)
}

fn plain(error: &glib::Error) -> String {
    redact(error.message()).trim_end_matches('.').to_owned()
}

fn frame_duration(info: &VideoInfo) -> Option<ClockTime> {
    let fps = info.fps();
    (fps.numer() > 0).then(|| ClockTime::SECOND.mul_div_round(fps.denom() as u64, fps.numer() as u64)).flatten()
}

impl Source for Puller {
    fn next(&mut self) -> Result<Pull, Failure> {
        if self.state.ended {
            if let Some(frame) = self.state.held.take() {
                return Ok(Pull::Frame(frame));
            }
            let broken = self.state.broken.as_deref().map(|reason| self.broken(reason));
            return self.state.unfit.take().or(broken).map_or(Ok(Pull::End), Err);
        }
        let first = self.state.first.take();
        let Some(sample) = first.or_else(|| self.appsink.try_pull_sample(ClockTime::from_mseconds(100))) else {
            self.bus()?;
            if self.appsink.is_eos() {
                // Once more: a complaint comes just before the end.
                self.bus()?;
                self.state.ended = true;
                return self.next();
            }
            let since = *self.state.waiting_since.get_or_insert_with(Instant::now);
            if self.state.broken.is_some() && since.elapsed() > AFTERMATH {
                self.state.ended = true;
                return self.next();
            }
            if since.elapsed() > self.patience {
                let what = format!(
                    "{} delivers nothing any more: no frame for {} s after frame {}",
                    self.name,
                    self.patience.as_secs(),
                    self.state.frames
                );
                return Err(Failure::input(what).fix("--timeout waits longer"));
            }
            return Ok(Pull::Nothing);
        };
        self.state.waiting_since = None;
        self.bus()?;
        let frame = match self.frame(sample) {
            Ok(frame) => frame,
            Err(failure) => {
                (self.state.unfit, self.state.ended) = (Some(failure), true);
                return self.next();
            }
        };
        if self.live {
            return Ok(Pull::Frame(frame));
        }
        Ok(match self.state.held.replace(frame) {
            Some(frame) => Pull::Frame(frame),
            None => return self.next(),
        })
    }

    fn seek(&mut self, start: ClockTime) -> bool {
        // Accurate in these two, and only there known to be: elsewhere reading on is slower and right.
        let good = self
            .pipeline
            .iterate_recurse()
            .into_iter()
            .flatten()
            .any(|e| e.factory().is_some_and(|f| matches!(f.name().as_str(), "qtdemux" | "matroskademux")));
        if self.live || !good {
            return false;
        }
        let flags = gstreamer::SeekFlags::FLUSH | gstreamer::SeekFlags::ACCURATE;
        let first = self.state.first.take();
        match self.pipeline.seek_simple(flags, start) {
            Ok(()) => {
                self.state.times.reset();
                true
            }
            Err(e) => {
                log::info!("{}: cannot seek ({e}), reading up to the start", self.name);
                self.state.first = first;
                false
            }
        }
    }

    fn finish(&mut self) -> Ending {
        let _ = self.bus();
        let mut ending = std::mem::take(&mut self.state.ending);
        ending.repaired = self.state.times.repaired;
        ending.decode_errors += crate::gst::damage() - self.state.complaints;
        ending.truncated = self.path.as_deref().and_then(truncation::check);
        ending
    }
}

impl Drop for Puller {
    fn drop(&mut self) {
        self.timeline.closed.store(true, Ordering::SeqCst);
        crate::gst::shut_down(&self.pipeline);
    }
}

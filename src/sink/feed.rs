//! appsrc ─► the sink's own elements; and beside it one appsrc for each audio track.
//!
//! The feed owns the pipeline. It never waits without looking at the bus: an encoder that fails or a disk that is full ends
//! the wait at once, and silence is bounded.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use gstreamer::prelude::*;
use gstreamer::{ClockTime, MessageView};
use gstreamer_app::{AppSrc, AppSrcCallbacks, AppStreamType};

use super::anonymous::Comments;
use super::lane::Lane;
use super::{Delivery, End, Site};
use crate::failure::Failure;
use crate::frame::Spec;
use crate::redact::redact;
use crate::source::AudioTrack;

/// Pictures that may wait in the appsrc; what is in flight before it is bounded by the channel.
const DEPTH: u64 = 2;
/// An output that neither takes a picture nor writes a byte for so long is dead.
const PATIENCE: Duration = Duration::from_secs(60);

/// A track that is so far behind the picture has fallen silent. A muxer waits for every track, so that nothing at all would be
/// written any more; no muxer of GStreamer 1.22 goes by gap events.
const SILENCE: Duration = Duration::from_secs(5);

/// A running sink pipeline and its ways in.
pub struct Feed {
    pipeline: gstreamer::Pipeline,
    video: AppSrc,
    room: Arc<(Mutex<()>, Condvar)>,
    lanes: Vec<Lane>,
    name: String,
    live: bool,
    notices: Vec<String>,
    /// Bytes that reached the last element.
    pub bytes: Arc<AtomicU64>,
    end: ClockTime,
    over: bool,
}

impl Feed {
    /// An appsrc for `spec` in a new pipeline, nothing linked yet.
    pub fn new(spec: &Spec, name: &str, live: bool) -> Result<Self, Failure> {
        let (pipeline, video) = (gstreamer::Pipeline::with_name("sink"), AppSrc::builder().name("frames").build());
        pipeline.add(&video).map_err(|e| Failure::failed(format!("cannot build the output pipeline: {e}")))?;
        Self::around(pipeline, video, spec, name, live)
    }

    /// Feeds `video`, which is in `pipeline` already.
    pub fn around(
        pipeline: gstreamer::Pipeline,
        video: AppSrc,
        spec: &Spec,
        name: &str,
        live: bool,
    ) -> Result<Self, Failure> {
        let caps = match &spec.caps {
            Some(caps) => caps.clone(),
            None => spec.info.to_caps().map_err(|e| Failure::failed(format!("{name}: {e}")))?,
        };
        Ok(Self::of(pipeline, video, &caps, name, live))
    }

    /// An appsrc for packets of `caps` in a new pipeline.
    pub fn packets(caps: &gstreamer::Caps, name: &str, live: bool) -> Result<Self, Failure> {
        let (pipeline, video) = (gstreamer::Pipeline::with_name("sink"), AppSrc::builder().name("packets").build());
        pipeline.add(&video).map_err(|e| Failure::failed(format!("cannot build the output pipeline: {e}")))?;
        Ok(Self::of(pipeline, video, caps, name, live))
    }

    fn of(pipeline: gstreamer::Pipeline, video: AppSrc, caps: &gstreamer::Caps, name: &str, live: bool) -> Self {
        let room = Arc::new((Mutex::new(()), Condvar::new()));
        let wake = room.clone();
        video.set_caps(Some(caps));
        video.set_format(gstreamer::Format::Time);
        video.set_stream_type(AppStreamType::Stream);
        video.set_max_bytes(0);
        video.set_property("max-buffers", DEPTH);
        video.set_property("min-percent", 60u32);
        video.set_callbacks(
            AppSrcCallbacks::builder()
                .need_data(move |_, _| {
                    let _guard = wake.0.lock().unwrap_or_else(|e| e.into_inner());
                    wake.1.notify_all();
                })
                .build(),
        );
        Feed {
            pipeline,
            video,
            room,
            lanes: Vec::new(),
            name: name.to_owned(),
            live,
            notices: Vec::new(),
            bytes: Arc::default(),
            end: ClockTime::ZERO,
            over: false,
        }
    }

    /// Where pictures come out.
    pub fn video(&self) -> &gstreamer::Element {
        self.video.upcast_ref()
    }

    /// Puts an element in.
    pub fn add(&self, e: &gstreamer::Element) -> Result<(), Failure> {
        self.pipeline.add(e).map_err(|e| Failure::failed(format!("cannot build the output pipeline: {e}")))
    }

    /// Puts elements in and links them one after the other, beginning at `first`, which is in already.
    pub fn chain(&self, first: &gstreamer::Element, rest: &[gstreamer::Element]) -> Result<(), Failure> {
        let mut from = first.clone();
        for e in rest {
            if e.parent().is_none() {
                self.add(e)?;
            }
            from.link(e).map_err(|_| {
                Failure::output(format!("cannot write {}: {} cannot follow {}", self.name, e.name(), from.name()))
            })?;
            from = e.clone();
        }
        Ok(())
    }

    /// A way in for an audio track; answers with the element to link on from.
    pub fn lane(&mut self, track: &AudioTrack, site: &Site<'_>) -> Result<gstreamer::Element, Failure> {
        let Site { tap, zero, anonymous, .. } = *site;
        let comments = if anonymous { Comments::of(&track.caps) } else { Comments::None };
        let source = AppSrc::builder().caps(&track.caps).format(gstreamer::Format::Time).max_bytes(0).build();
        source.set_property("max-buffers", 0u64);
        self.add(source.upcast_ref())?;
        if track.tags.n_tags() > 0 {
            let event = gstreamer::event::Tag::builder(track.tags.clone()).build();
            if let Some(pad) = source.static_pad("src") {
                let _ = pad.store_sticky_event(&event);
            }
        }
        let packets =
            track.taps.get(tap).cloned().ok_or_else(|| Failure::failed("the audio has no tap for this sink"))?;
        self.lanes.push(Lane::new(source.clone(), packets, zero.nseconds() as i64, comments, &track.caps));
        Ok(source.upcast())
    }

    /// Counts the bytes that enter `last`.
    pub fn count_bytes(&self, last: &gstreamer::Element) {
        let bytes = self.bytes.clone();
        if let Some(pad) = last.static_pad("sink") {
            pad.add_probe(gstreamer::PadProbeType::BUFFER | gstreamer::PadProbeType::BUFFER_LIST, move |_, info| {
                let n = match &info.data {
                    Some(gstreamer::PadProbeData::Buffer(b)) => b.size(),
                    Some(gstreamer::PadProbeData::BufferList(l)) => l.iter().map(|b| b.size()).sum(),
                    _ => 0,
                };
                bytes.fetch_add(n as u64, Ordering::Relaxed);
                gstreamer::PadProbeReturn::Ok
            });
        }
    }

    /// Starts the pipeline.
    pub fn start(&self) -> Result<(), Failure> {
        if self.pipeline.set_state(gstreamer::State::Playing).is_err() {
            self.check()?;
            return Err(Failure::output(format!("cannot write {}: the output does not start", self.name)));
        }
        Ok(())
    }

    /// The first error on the bus, if there is one.
    pub fn check(&self) -> Result<(), Failure> {
        let Some(bus) = self.pipeline.bus() else { return Ok(()) };
        while let Some(message) = bus.pop_filtered(&[gstreamer::MessageType::Error, gstreamer::MessageType::Warning]) {
            match message.view() {
                MessageView::Error(e) => return Err(self.failure(e)),
                MessageView::Warning(w) => log::warn!("{}: {}", self.name, redact(&w.error().to_string())),
                _ => {}
            }
        }
        Ok(())
    }

    fn failure(&self, e: &gstreamer::message::Error) -> Failure {
        let (error, debug) = (e.error(), e.debug().unwrap_or_default());
        log::debug!("{}: {error}: {}", self.name, redact(&debug));
        let by = e.src().map(|s| s.name().to_string()).unwrap_or_default();
        if error.matches(gstreamer::ResourceError::NoSpaceLeft) || debug.contains("No space left") {
            return Failure::output(format!("cannot write {}: no space left on the disk", self.name))
                .fix("free some space");
        }
        let text = redact(error.message());
        // filesink puts errno into the debug text only.
        let system = debug
            .lines()
            .rev()
            .find_map(|l| l.strip_prefix("system error: "))
            .map(|s| format!(" ({s})"))
            .unwrap_or_default();
        Failure::output(format!("cannot write {}: {by}: {}{system}", self.name, text.trim_end_matches('.')))
    }

    /// Hands over a picture, and the audio that belongs before its end. Waits for room, bounded by [`PATIENCE`].
    pub fn push(&mut self, picture: &Delivery) -> Result<(), Failure> {
        self.check()?;
        self.wait_for_room()?;
        let pushed = self.video.push_buffer(picture.buffer.clone());
        if let Err(flow) = pushed {
            self.check()?;
            return Err(Failure::output(format!("cannot write {}: the output takes no more ({flow:?})", self.name)));
        }
        // Packets come in the order of decoding.
        self.end = self.end.max(picture.pts + picture.duration.unwrap_or(ClockTime::ZERO));
        let end = self.end.nseconds() as i64;
        self.lanes.iter_mut().for_each(|lane| lane.feed(end));
        if self.live {
            self.end_silent_lanes();
        }
        Ok(())
    }

    /// Ends the tracks that fell silent, so that the others are written.
    fn end_silent_lanes(&mut self) {
        let horizon = self.end.nseconds() as i64 - SILENCE.as_nanos() as i64;
        for lane in self.lanes.iter_mut().filter(|l| l.is_silent(horizon)) {
            lane.end();
            let at = lane.reached() as f64 / 1e9;
            let notice = format!("an audio track delivers nothing after {at:.3} s: it ends there, the picture goes on");
            log::warn!("{}: {notice}", self.name);
            self.notices.push(notice);
        }
    }

    fn wait_for_room(&mut self) -> Result<(), Failure> {
        let (mut since, mut bytes) = (Instant::now(), self.bytes.load(Ordering::Relaxed));
        let room = self.room.clone();
        let mut guard = room.0.lock().unwrap_or_else(|e| e.into_inner());
        while self.video.current_level_buffers() >= DEPTH {
            guard = room.1.wait_timeout(guard, Duration::from_millis(20)).unwrap_or_else(|e| e.into_inner()).0;
            self.check()?;
            let now = self.bytes.load(Ordering::Relaxed);
            if now != bytes {
                (since, bytes) = (Instant::now(), now);
            }
            if since.elapsed() > SILENCE && self.lanes.iter().any(|l| !l.is_over()) {
                drop(guard);
                self.end_silent_lanes();
                guard = room.0.lock().unwrap_or_else(|e| e.into_inner());
            }
            if since.elapsed() > PATIENCE {
                return Err(Failure::output(format!(
                    "cannot write {}: it took nothing for {} s",
                    self.name,
                    PATIENCE.as_secs()
                )));
            }
        }
        Ok(())
    }

    /// Ends all streams and waits until the last element has seen the end.
    pub fn finish(&mut self, end: End) -> Result<(), Failure> {
        self.check()?;
        let limit = match end {
            End::Complete => i64::MAX,
            End::Cut => self.end.nseconds() as i64,
        };
        // The rest of the audio: to its end, or to the end of the last picture. The reader sees to it that it comes.
        let deadline = Instant::now() + if end == End::Complete { PATIENCE } else { Duration::from_secs(3) };
        loop {
            let mut all = true;
            for lane in &mut self.lanes {
                lane.feed(limit);
                all &= lane.is_over() || lane.past();
            }
            if all || Instant::now() > deadline {
                break;
            }
            self.check()?;
            std::thread::sleep(Duration::from_millis(2));
        }
        self.lanes.iter_mut().for_each(Lane::end);
        let _ = self.video.end_of_stream();
        let Some(bus) = self.pipeline.bus() else { return Ok(()) };
        let (mut since, mut bytes) = (Instant::now(), self.bytes.load(Ordering::Relaxed));
        loop {
            let wanted = [gstreamer::MessageType::Error, gstreamer::MessageType::Eos];
            match bus.timed_pop_filtered(ClockTime::from_mseconds(100), &wanted).as_ref().map(|m| m.view()) {
                Some(MessageView::Error(e)) => return Err(self.failure(e)),
                Some(MessageView::Eos(_)) => break,
                _ => {}
            }
            let now = self.bytes.load(Ordering::Relaxed);
            if now != bytes {
                (since, bytes) = (Instant::now(), now);
            }
            if since.elapsed() > PATIENCE {
                return Err(Failure::output(format!(
                    "cannot finish {}: it wrote nothing for {} s",
                    self.name,
                    PATIENCE.as_secs()
                )));
            }
        }
        self.close();
        Ok(())
    }

    /// Stops the pipeline; nothing is flushed.
    pub fn close(&mut self) {
        if !self.over {
            self.over = true;
            crate::gst::shut_down(&self.pipeline);
        }
    }

    /// What befell the stream and should be said.
    pub fn notices(&self) -> &[String] {
        &self.notices
    }

    /// Audio packets handed over, by track.
    pub fn audio_packets(&self) -> Vec<u64> {
        self.lanes.iter().map(|l| l.count).collect()
    }
}

impl Drop for Feed {
    fn drop(&mut self) {
        self.close();
    }
}

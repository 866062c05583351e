//! A video file:
//!
//! ```text
//! frames ─► [pad to even] ─► appsrc ─► videoconvert ─► encoder ─► parser ─► queue ─┐
//! audio packets ─► appsrc ─► parser ─► queue ──────────────────────────────────────┼─► muxer ─► filesink NAME.partial-N.EXT
//! audio that does not fit ─► appsrc ─► decode ─► encode ─► parser ─► queue ─────────┘
//! ```
//!
//! The queues hold encoded data only and are large, so that a track that comes late never blocks the others.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use gstreamer::prelude::*;
use gstreamer_video::{VideoFormat, VideoInfo};

use super::anonymous::Comments;
use super::container::Container;
use super::encoder::{self, Chosen};
use super::feed::Feed;
use super::target::Target;
use super::{Delivery, End, Sink, Site, anonymous, audio, copy, even, mp4};
use crate::config::SinkSettings;
use crate::failure::Failure;
use crate::frame::Spec;
use crate::gst::{has, make};
use crate::source::{Encoded, VideoPacket};

/// Encoded data that may wait in front of the muxer, per track.
const QUEUE_BYTES: u32 = 256 << 20;

/// A file being written.
pub struct FileSink {
    feed: Feed,
    target: Target,
    pad: Option<even::Padder>,
    detail: String,
    notices: Vec<String>,
    /// What is to become one index at the end.
    recording: Option<mp4::Recording>,
    started: bool,
    /// For containers without timestamps: length of a frame as the file will have it, in ns.
    steady: Option<f64>,
    first: Option<gstreamer::ClockTime>,
    frames: u64,
    /// Of the finished file.
    size: Option<u64>,
    done: bool,
}

impl FileSink {
    /// Builds and starts the pipeline.
    pub fn open(settings: &SinkSettings, site: &Site<'_>) -> Result<Self, Failure> {
        let path = settings.path.as_deref().ok_or_else(|| Failure::usage("a file sink has no path"))?;
        let container = Container::of(path)?;
        if !has(container.muxer) {
            let f = crate::gst::missing(container.muxer);
            return Err(Failure {
                message: format!("cannot write {}: {}", path.display(), f.message),
                class: crate::failure::Class::Output,
                ..f
            });
        }
        let mut notices = Vec::new();
        let chosen = encoder::choose(settings, container, &site.spec.info, site.facts.live)?;
        let (spec, pad) = even::fit(site.spec, &chosen, &mut notices)?;
        let spec = Arc::new(nominal_rate(&whole_color(&spec)));
        let feed = Feed::new(&spec, &settings.label(), site.facts.live)?;
        let mut chain = vec![make("videoconvert")?];
        if let Some(format) = working_format(&spec.info, &chosen) {
            let filter = make("capsfilter")?;
            filter.set_property(
                "caps",
                gstreamer::Caps::builder("video/x-raw").field("format", format.to_str().as_str()).build(),
            );
            chain.push(filter);
            if !(spec.layout.rgb && matches!(format, VideoFormat::Bgra | VideoFormat::Bgrx)) {
                notices.push(format!("converted from {} to {format} for the encoder", spec.info.format()));
            }
        }
        chain.push(chosen.element.clone());
        if let Some(parser) = chosen.known.and_then(|k| k.parser).filter(|p| has(p)) {
            chain.push(make(parser)?);
        }
        let fps = spec.info.fps();
        let steady = container.no_timestamps.then(|| 1e9 * f64::from(fps.denom()) / f64::from(fps.numer().max(1)));
        let mut sink = Self::build(settings, site, container, feed, chain, chosen.detail, notices)?;
        (sink.pad, sink.steady) = (pad, steady);
        Ok(sink)
    }

    /// A file that takes packets of `video` as they are, beginning with `first`.
    pub fn copy(
        settings: &SinkSettings,
        site: &Site<'_>,
        video: &Encoded,
        first: &VideoPacket,
    ) -> Result<Self, Failure> {
        let path = settings.path.as_deref().ok_or_else(|| Failure::usage("a file sink has no path"))?;
        let container = Container::of(path)?;
        let (feed, chain) = copy::packets(settings, site, container, video, first)?;
        let sink = Self::build(settings, site, container, feed, chain, "copied".into(), Vec::new())?;
        if let (Some(recording), Some(orientation)) = (&sink.recording, video.orientation()) {
            recording.turn(orientation);
        }
        Ok(sink)
    }

    /// `chain` follows the feed and ends in encoded video.
    fn build(
        settings: &SinkSettings,
        site: &Site<'_>,
        container: &Container,
        mut feed: Feed,
        mut chain: Vec<gstreamer::Element>,
        codec: String,
        mut notices: Vec<String>,
    ) -> Result<Self, Failure> {
        let path = settings.path.as_deref().unwrap_or(Path::new(""));
        let target = Target::new(path, settings.overwrite)?;
        let muxer = muxer(container, site)?;
        feed.add(&muxer)?;
        chain.push(queue()?);
        chain.push(muxer.clone());
        let source = feed.video().clone();
        feed.chain(&source, &chain).map_err(|f| f.fix(format!("{codec} may not go into {}", container.name)))?;
        // The pictures' time scale; sound is counted in its own samples.
        if let Some(pad) = muxer.sink_pads().first().filter(|p| p.has_property("trak-timescale"))
            && !integral(&site.spec.info)
        {
            pad.set_property("trak-timescale", 90000u32);
        }
        let tracks = if settings.audio { site.audio } else { &[] };
        for track in tracks {
            let mut track = track.clone();
            if site.anonymous {
                track.caps = Comments::of(&track.caps).clear_caps(&track.caps);
            }
            audio::connect(&mut feed, &track, site, container, &muxer, &mut notices)?;
        }
        // matroskamux writes any text with a space in it quoted and escaped: better none than that.
        if site.anonymous {
            anonymous::watch(&muxer);
        } else if !matches!(container.muxer, "matroskamux" | "webmmux") {
            tags(&muxer, site);
        }
        let out = make("filesink")?;
        out.set_property("location", target.partial.to_string_lossy().as_ref());
        out.set_property("sync", false);
        out.set_property("async", false);
        if site.facts.live && out.has_property("buffer-mode") {
            // A killed recording must not lack what a buffer still held.
            out.set_property_from_str("buffer-mode", "unbuffered");
        }
        feed.chain(&muxer, std::slice::from_ref(&out))?;
        feed.count_bytes(&out);
        let recording = container.fragments().then(|| mp4::Recording::watch(&muxer, &out));
        let detail = format!("{codec} in {}", container.name);
        let (pad, steady, first, frames, size, started, done) = (None, None, None, 0, None, false, false);
        Ok(FileSink { feed, target, pad, detail, notices, recording, started, steady, first, frames, size, done })
    }

    /// Turns the fragments into an ordinary file.
    fn index(&mut self) -> Result<(), Failure> {
        let Some(recording) = self.recording.as_ref().filter(|_| self.frames > 0) else { return Ok(()) };
        match recording.finish(&self.target.partial) {
            Ok(true) => {}
            Ok(false) => self.notices.push("the file stays in fragments: this muxer's are not understood".into()),
            Err(e) if e.kind() == std::io::ErrorKind::StorageFull => {
                let shown = self.target.path.display();
                return Err(Failure::output(format!("cannot write {shown}: no space left on the disk for its index"))
                    .fix("free some space"));
            }
            Err(e) => {
                return Err(Failure::output(format!("cannot write the index of {}: {e}", self.target.path.display())));
            }
        }
        Ok(())
    }

    /// Says what is left on the disk.
    fn failed(&mut self, failure: Failure) -> Failure {
        self.feed.close();
        self.done = true;
        match self.target.abandon() {
            Some(left) => {
                let fix = failure.fix.clone().map_or(left.clone(), |f| format!("{f}; {left}"));
                failure.fix(fix)
            }
            None => failure,
        }
    }
}

impl Sink for FileSink {
    fn write(&mut self, picture: &Delivery) -> Result<(), Failure> {
        if !self.started {
            self.started = true;
            self.feed.start().map_err(|e| self.failed(e))?;
        }
        let first = *self.first.get_or_insert(picture.pts);
        let shown = picture.pts.saturating_sub(first).nseconds() as f64;
        if let Some(length) = self.steady.filter(|l| (shown - self.frames as f64 * l).abs() > l / 2.0) {
            self.steady = None;
            self.notices.push(format!(
                "this container keeps no timestamps: the variable frame rate of the input is lost (frame {} is at {:.3} s, \
                 and will be shown at {:.3} s)",
                self.frames,
                shown / 1e9,
                self.frames as f64 * length / 1e9
            ));
        }
        self.frames += 1;
        let pushed = match &mut self.pad {
            Some(pad) => pad.pad(picture).and_then(|p| self.feed.push(&p)),
            None => self.feed.push(picture),
        };
        pushed.map_err(|e| self.failed(e))
    }

    fn finish(&mut self, end: End) -> Result<(), Failure> {
        if !self.started {
            // No picture came: there is nothing to put in place, and the run says why.
            self.done = true;
            self.target.abandon();
            return Ok(());
        }
        let finished = self.feed.finish(end);
        finished.and_then(|()| self.index()).map_err(|e| self.failed(e))?;
        self.done = true;
        if self.frames == 0 {
            // A video without a frame is no video.
            let _ = std::fs::remove_file(&self.target.partial);
            return Ok(());
        }
        self.target.commit()?;
        self.size = std::fs::metadata(&self.target.path).ok().map(|m| m.len());
        Ok(())
    }

    fn detail(&self) -> String {
        self.detail.clone()
    }

    fn bytes(&self) -> u64 {
        // Less than what went to the disk, parts of which are replaced at the end.
        self.size.unwrap_or_else(|| self.feed.bytes.load(Ordering::Relaxed))
    }

    fn audio_packets(&self) -> Vec<u64> {
        self.feed.audio_packets()
    }

    fn notices(&self) -> Vec<String> {
        self.notices.iter().chain(self.feed.notices()).cloned().collect()
    }
}

impl Drop for FileSink {
    fn drop(&mut self) {
        if !self.done {
            self.feed.close();
            self.target.abandon();
        }
    }
}

/// A queue for encoded data.
pub fn queue() -> Result<gstreamer::Element, Failure> {
    let queue = make("queue")?;
    queue.set_property("max-size-buffers", 0u32);
    queue.set_property("max-size-time", 0u64);
    queue.set_property("max-size-bytes", QUEUE_BYTES);
    Ok(queue)
}

fn muxer(container: &Container, site: &Site<'_>) -> Result<gstreamer::Element, Failure> {
    let muxer = make(container.muxer)?;
    if container.fragments() {
        mp4::fragment(&muxer, if site.facts.live { 500 } else { 1000 });
    }
    if muxer.has_property("movie-timescale") {
        muxer.set_property("movie-timescale", 90000u32);
    }
    Ok(muxer)
}

/// True where the frame rate itself gives a time scale in which frames fall on whole ticks.
fn integral(info: &VideoInfo) -> bool {
    info.fps().numer() > 0 && info.fps().denom() == 1001
}

/// What a source leaves open about its colours. Encoders read caps through GStreamer's `VideoInfo`, which throws a
/// description away as a whole when the matrix is not in it: what is known (a full range, say) would be lost too. So the
/// matrix that players assume is filled in: BT.709 above 576 lines, BT.601 below.
fn whole_color(spec: &Spec) -> Spec {
    let mut spec = spec.clone();
    if let Some(caps) = &mut spec.caps
        && !spec.layout.rgb
        && let Some(s) = caps.structure(0)
    {
        let known = s.get::<String>("colorimetry").unwrap_or_else(|_| "0:0:0:0".into());
        let parts: Vec<&str> = known.split(':').collect();
        if let [range, "0", transfer, primaries] = parts[..] {
            let matrix = if spec.info.height() > 576 { 3 } else { 4 };
            let range = if range == "0" { "2" } else { range };
            caps.make_mut().set("colorimetry", format!("{range}:{matrix}:{transfer}:{primaries}"));
        }
    }
    spec
}

/// A muxer gives the last frame no duration where the rate is unknown: names one. Timestamps stay what they are.
fn nominal_rate(spec: &Spec) -> Spec {
    let mut spec = spec.clone();
    if spec.info.fps().numer() == 0
        && let Some(mut caps) = spec.caps.take().or_else(|| spec.info.to_caps().ok())
    {
        caps.make_mut().set("framerate", gstreamer::Fraction::new(30, 1));
        spec.caps = Some(caps);
    }
    spec
}

/// The format to hand to the encoder where its own choice would lose something, or make a file that many players cannot
/// show: RGB and gray become 4:2:0, and stay RGB where the encoder is lossless. What is YUV keeps its subsampling and depth.
fn working_format(info: &VideoInfo, chosen: &Chosen) -> Option<VideoFormat> {
    let known = chosen.known?;
    let f = info.format_info();
    let (deep, alpha) = (f.depth()[0] > 8, f.has_alpha());
    let wanted = match known.media {
        "video/x-ffv" if f.is_rgb() && !deep => {
            if alpha {
                VideoFormat::Bgra
            } else {
                VideoFormat::Bgrx
            }
        }
        // gst-libav 1.22 loses the last column of colour that is stored at a quarter, where that column is not whole.
        "video/x-ffv" if f.is_yuv() && f.w_sub()[1] == 2 && !info.width().is_multiple_of(4) => VideoFormat::I420,
        "video/x-h264" | "video/x-h265" if !f.is_yuv() && deep => VideoFormat::I42010le,
        "video/x-h264" | "video/x-h265" | "video/x-vp9" | "video/x-vp8" | "video/x-av1" if !f.is_yuv() || alpha => {
            VideoFormat::I420
        }
        _ => return None,
    };
    (wanted != info.format()).then_some(wanted)
}

/// Title, date, place: what describes the content goes along, what describes the encoding does not.
fn tags(muxer: &gstreamer::Element, site: &Site<'_>) {
    use gstreamer::tags as t;
    let Some(setter) = muxer.dynamic_cast_ref::<gstreamer::TagSetter>() else { return };
    let mut out = gstreamer::TagList::new();
    let list = out.make_mut();
    macro_rules! keep {
        ($($tag:ty),*) => {$( if let Some(v) = site.facts.tags.get::<$tag>() { list.add::<$tag>(&v.get(), gstreamer::TagMergeMode::Replace); } )*};
    }
    keep!(
        t::Title,
        t::Artist,
        t::Album,
        t::Comment,
        t::Description,
        t::Genre,
        t::Copyright,
        t::Keywords,
        t::DateTime,
        t::GeoLocationLatitude,
        t::GeoLocationLongitude
    );
    setter.merge_tags(&out, gstreamer::TagMergeMode::Replace);
}

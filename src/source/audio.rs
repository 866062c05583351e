//! Encoded audio on its way past the frames: each track ends in an appsink, whose packets go to one tap for each sink.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use crossbeam_channel::{Receiver, SendTimeoutError, Sender, bounded, unbounded};
use gstreamer::prelude::*;
use gstreamer_app::{AppSink, AppSinkCallbacks};

use super::taps::Taps;
use super::timeline::Timeline;
use crate::failure::Failure;

/// One packet as the parser cut it, or a block of raw samples.
#[derive(Clone, Debug)]
pub struct AudioPacket {
    /// The bytes, untouched.
    pub buffer: gstreamer::Buffer,
    /// Its time in the source in nanoseconds; below 0 for priming packets.
    pub time: i64,
}

/// An audio track of the input.
#[derive(Clone, Debug)]
pub struct AudioTrack {
    /// What the packets are.
    pub caps: gstreamer::Caps,
    /// Language, title.
    pub tags: gstreamer::TagList,
    /// One receiver for each sink; a sink that wants none drops it.
    pub taps: Vec<Receiver<AudioPacket>>,
    /// The other ends.
    ends: Weak<Taps<AudioPacket>>,
    /// How far the track has been read, in nanoseconds; `i64::MAX` at its end.
    pub reached: Arc<AtomicI64>,
}

impl AudioTrack {
    /// The same track with another tap, or none.
    pub fn with_tap(&self, tap: Option<Receiver<AudioPacket>>) -> Self {
        AudioTrack { taps: tap.into_iter().collect(), ends: Weak::new(), ..self.clone() }
    }

    /// Lets go of the taps, since the run has begun: from here on only the sinks hold them, and a track that nobody wants is
    /// not kept.
    pub fn without_taps(self) -> Self {
        if let Some(ends) = self.ends.upgrade() {
            ends.settle();
        }
        AudioTrack { taps: Vec::new(), ..self }
    }
}

/// How much may wait between source and sink.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Backlog {
    /// For demuxed audio: the demuxer itself is held back by the video, and must never wait for the audio.
    Demuxed,
    /// For a source of its own that would run ahead without end.
    Independent,
}

/// Waits for room, but not beyond the end of the source.
fn deliver(to: &Sender<AudioPacket>, mut packet: AudioPacket, timeline: &Timeline) -> bool {
    loop {
        match to.send_timeout(packet, Duration::from_millis(50)) {
            Ok(()) => return true,
            Err(SendTimeoutError::Disconnected(_)) => return false,
            Err(SendTimeoutError::Timeout(_)) if timeline.closed.load(Ordering::SeqCst) => return false,
            Err(SendTimeoutError::Timeout(p)) => packet = p,
        }
    }
}

/// Ends `pad` in an appsink with `taps` taps.
pub fn attach(
    pipeline: &gstreamer::Pipeline,
    pad: &gstreamer::Pad,
    caps: gstreamer::Caps,
    taps: usize,
    backlog: Backlog,
    timeline: &Timeline,
) -> Result<AudioTrack, Failure> {
    let fail = |e: &dyn std::fmt::Display| Failure::failed(format!("cannot take the audio out: {e}"));
    let (ends, receivers) = Taps::new(taps, || if backlog == Backlog::Demuxed { unbounded() } else { bounded(64) });
    let reached = Arc::new(AtomicI64::new(i64::MIN));
    let sink = AppSink::builder().sync(false).async_(false).enable_last_sample(false).build();
    let (known, flushed) = (Arc::downgrade(&ends), Arc::downgrade(&ends));
    let (at_eos, end) = (ends.clone(), reached.clone());
    let (progress, timeline) = (reached.clone(), timeline.clone());
    sink.set_callbacks(
        AppSinkCallbacks::builder()
            .new_sample(move |sink| {
                let sample = sink.pull_sample().map_err(|_| gstreamer::FlowError::Eos)?;
                let Some(buffer) = sample.buffer_owned() else { return Ok(gstreamer::FlowSuccess::Ok) };
                let Some(time) = timeline.time(&sample) else { return Ok(gstreamer::FlowSuccess::Ok) };
                // A sink that is done, or does not want this track, dropped its end.
                ends.send(|s| deliver(s, AudioPacket { buffer: buffer.clone(), time }, &timeline));
                let end = time + buffer.duration().map_or(0, |d| d.nseconds() as i64);
                progress.fetch_max(end, Ordering::SeqCst);
                Ok(gstreamer::FlowSuccess::Ok)
            })
            .eos(move |_| {
                end.store(i64::MAX, Ordering::SeqCst);
                at_eos.end();
            })
            .build(),
    );
    pipeline.add(&sink).map_err(|e| fail(&e))?;
    let target = sink.static_pad("sink").ok_or_else(|| fail(&"no pad"))?;
    let rewound = reached.clone();
    target.add_probe(gstreamer::PadProbeType::EVENT_FLUSH, move |_, info| {
        if info.event().is_some_and(|e| e.type_() == gstreamer::EventType::FlushStop) {
            if let Some(ends) = flushed.upgrade() {
                ends.rewind();
            }
            rewound.store(i64::MIN, Ordering::SeqCst);
        }
        gstreamer::PadProbeReturn::Ok
    });
    pad.link(&target).map_err(|e| fail(&e))?;
    sink.sync_state_with_parent().map_err(|e| fail(&e))?;
    let tags = super::attach::sticky_tags(pad);
    Ok(AudioTrack { caps, tags, taps: receivers, ends: known, reached })
}

/// True where an audio stream is cut into whole packets and ready for a muxer.
pub fn is_final(pad: &gstreamer::Pad, caps: &gstreamer::Caps) -> bool {
    let Some(s) = caps.structure(0) else { return false };
    if !s.name().starts_with("audio/") {
        return false;
    }
    if s.get::<bool>("framed").unwrap_or(false) || s.get::<bool>("parsed").unwrap_or(false) {
        return true;
    }
    let parser_before = pad
        .parent_element()
        .and_then(|e| e.factory())
        .is_some_and(|f| f.has_type(gstreamer::ElementFactoryType::PARSER));
    let parsers = gstreamer::ElementFactory::factories_with_type(
        gstreamer::ElementFactoryType::PARSER,
        gstreamer::Rank::MARGINAL,
    );
    parser_before || !parsers.iter().any(|f| f.can_sink_any_caps(caps))
}

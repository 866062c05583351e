//! Encoded video on its way into the decoder, for outputs that copy it: a probe at the decoder, or before the parser where the
//! container has whole packets, and a tap for each output.

use std::sync::{Arc, Mutex, Weak};

use crossbeam_channel::{Receiver, unbounded};
use gstreamer::prelude::*;
use gstreamer::{BufferFlags, ClockTime, EventType, PadProbeData, PadProbeReturn, PadProbeType};

use super::taps::{Taps, lock};
use super::timeline::Timeline;

/// One packet as the parser cut it, in the order of decoding.
#[derive(Clone, Debug)]
pub struct VideoPacket {
    /// The bytes, untouched.
    pub buffer: gstreamer::Buffer,
    /// When its picture is shown, in nanoseconds of the source; below 0 for what an edit list puts before the start.
    pub time: i64,
    /// How much earlier it is decoded, in nanoseconds, where the container says so.
    pub lead: Option<i64>,
    /// Only a guess: the container does not say when the picture is shown.
    pub guessed: bool,
    /// Decoding can begin here.
    pub key: bool,
}

/// The encoded video of the input.
#[derive(Clone, Debug)]
pub struct Encoded {
    about: Arc<Mutex<About>>,
    /// Until they are taken.
    taps: Arc<Mutex<Vec<Receiver<VideoPacket>>>>,
    /// The other ends.
    ends: Weak<Taps<VideoPacket>>,
}

#[derive(Debug, Default)]
struct About {
    caps: Option<gstreamer::Caps>,
    tags: Option<gstreamer::TagList>,
}

impl Encoded {
    /// Watches what enters a decoder at `pad`, for so many outputs.
    pub fn watch(pad: &gstreamer::Pad, taps: usize, timeline: &Timeline) -> Self {
        let (ends, receivers) = Taps::new(taps, unbounded);
        let (about, timeline) = (Arc::<Mutex<About>>::default(), timeline.clone());
        let encoded =
            Encoded { about: about.clone(), taps: Arc::new(Mutex::new(receivers)), ends: Arc::downgrade(&ends) };
        let next = Mutex::new(0i64);
        let types = PadProbeType::BUFFER | PadProbeType::EVENT_DOWNSTREAM | PadProbeType::EVENT_FLUSH;
        pad.add_probe(types, move |pad, info| {
            let mut wanted = true;
            match &info.data {
                Some(PadProbeData::Buffer(b)) => {
                    let mut next = lock(&next);
                    if let Some(packet) = packet(pad, b, &timeline, *next) {
                        *next = packet.time + b.duration().map_or(0, |d| d.nseconds() as i64);
                        wanted = ends.send(|s| s.send(packet.clone()).is_ok());
                    }
                }
                Some(PadProbeData::Event(e)) => match e.view() {
                    gstreamer::EventView::Caps(c) => lock(&about).caps = Some(c.caps_owned()),
                    gstreamer::EventView::Tag(t) => {
                        let tags = &mut lock(&about).tags;
                        let old = tags.take().unwrap_or_default();
                        *tags = Some(old.merge(t.tag(), gstreamer::TagMergeMode::Replace));
                    }
                    _ if e.type_() == EventType::FlushStop => ends.rewind(),
                    _ if e.type_() == EventType::Eos => ends.end(),
                    _ => {}
                },
                _ => {}
            }
            if wanted { PadProbeReturn::Ok } else { PadProbeReturn::Remove }
        });
        encoded
    }

    /// What the packets are; known with the first one.
    pub fn caps(&self) -> Option<gstreamer::Caps> {
        lock(&self.about).caps.clone()
    }

    /// How the picture has to be turned to be upright, as GStreamer calls it (`rotate-90`).
    pub fn orientation(&self) -> Option<String> {
        let about = lock(&self.about);
        let tag = about.tags.as_ref()?.get::<gstreamer::tags::ImageOrientation>()?;
        Some(tag.get().to_owned()).filter(|o| o != "rotate-0")
    }

    /// No seek comes any more: the run has begun.
    pub fn settle(&self) {
        if let Some(ends) = self.ends.upgrade() {
            ends.settle();
        }
    }

    /// The packets from here on, for one output.
    pub fn tap(&self) -> Option<Receiver<VideoPacket>> {
        lock(&self.taps).pop()
    }
}

/// The packet in `buffer`; one without any time gets `next`.
fn packet(pad: &gstreamer::Pad, buffer: &gstreamer::Buffer, timeline: &Timeline, next: i64) -> Option<VideoPacket> {
    let event = pad.sticky_event::<gstreamer::event::Segment>(0)?;
    let segment = event.segment().downcast_ref::<ClockTime>()?;
    let (pts, dts) = (buffer.pts(), buffer.dts());
    let time = pts.or(dts).and_then(|t| timeline.at(t, segment)).unwrap_or(next);
    let lead = pts.zip(dts).map(|(p, d)| p.nseconds() as i64 - d.nseconds() as i64);
    let key = !buffer.flags().contains(BufferFlags::DELTA_UNIT);
    Some(VideoPacket { buffer: buffer.clone(), time, lead, guessed: pts.is_none(), key })
}

/// Where packets come by on their way to `pad`, which has pixels: of all places that are watched the one whose packets
/// are the input's own. h264parse puts parameter sets into the first one, which is good for streams without headers only.
pub fn place(pad: &gstreamer::Pad, watched: &[(gstreamer::Element, Encoded)]) -> Option<usize> {
    let mut pad = pad.clone();
    while let Some(ghost) = pad.downcast_ref::<gstreamer::GhostPad>() {
        pad = ghost.target()?;
    }
    let last = pad.parent_element()?;
    // Opacity has packets of its own.
    if last.static_pad("alpha").is_some() {
        return None;
    }
    let (mut place, mut next) = (None, Some(last));
    while let Some(e) = next {
        let caps = e.static_pad("sink").and_then(|p| p.current_caps());
        let headers = caps.is_some_and(|c| c.structure(0).is_some_and(|s| s.has_field("codec_data")));
        if let Some(n) = watched.iter().position(|(w, _)| *w == e)
            && (place.is_none() || headers)
        {
            place = Some(n);
        }
        next = before(&e);
    }
    place
}

/// The element in front of one with one way in.
fn before(e: &gstreamer::Element) -> Option<gstreamer::Element> {
    let mut peer = e.static_pad("sink")?.peer()?;
    while peer.parent_element().is_none() {
        peer = peer.parent()?.downcast::<gstreamer::GhostPad>().ok()?.peer()?;
    }
    peer.parent_element()
}

/// Has a parser repeat parameter sets at each keyframe of a stream that has them only in its packets: a copy may begin at any.
pub fn repeat_parameter_sets(parser: &gstreamer::Element) {
    let Some(pad) = parser.static_pad("sink").filter(|_| parser.has_property("config-interval")) else { return };
    let weak = parser.downgrade();
    pad.add_probe(PadProbeType::EVENT_DOWNSTREAM, move |_, info| {
        if let Some(PadProbeData::Event(e)) = &info.data
            && let gstreamer::EventView::Caps(c) = e.view()
            && let Some(parser) = weak.upgrade()
            && c.caps().structure(0).is_some_and(|s| !s.has_field("codec_data"))
        {
            parser.set_property("config-interval", -1i32);
        }
        PadProbeReturn::Ok
    });
}

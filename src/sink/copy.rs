//! Encoded video into a file as it is:
//!
//! ```text
//! appsrc ─► [parser, where the container wants another form] ─► [timestamper] ─► queue ─► muxer
//! ```

use std::time::Instant;

use gstreamer::prelude::*;
use gstreamer::{ClockTime, PadProbeData, PadProbeReturn, PadProbeType};

use super::container::Container;
use super::feed::Feed;
use super::{Delivery, Site, mp4};
use crate::config::SinkSettings;
use crate::failure::Failure;
use crate::gst::{has, make};
use crate::source::{Encoded, VideoPacket};

/// All times are moved by so much, and the segment with them, as encoders do: the first packets' decoding times lie before 0.
const ROOM: ClockTime = ClockTime::from_seconds(3_600_000);

/// Refuses what cannot be copied into this container.
pub fn fits(settings: &SinkSettings, container: &Container, site: &Site<'_>) -> Result<(), Failure> {
    let cannot = |why: String| Failure::output(format!("cannot copy into {}: {why}", settings.label()));
    let encoded = "leave out --copy (copy = true): clips are encoded then";
    let Some(caps) = site.packets.and_then(Encoded::caps) else {
        return Err(cannot("there is no encoded video of this input to be had".into()).fix(encoded));
    };
    if container.no_timestamps {
        let why = format!("{} holds no timestamps, and a copy keeps them", container.name);
        return Err(cannot(why).fix("let the clips end in .mkv or .mp4"));
    }
    let holds = |caps: &gstreamer::Caps| {
        let media = caps.structure(0).map(|s| s.name().to_string()).unwrap_or_default();
        container.takes(caps) && (media.starts_with("audio/") || container.takes_video(&media))
    };
    let sound = site.audio.iter().filter(|_| settings.audio).map(|t| &t.caps);
    if let Some(caps) = std::iter::once(&caps).chain(sound).find(|c| !holds(c)) {
        let codec = gstreamer_pbutils::pb_utils_get_codec_description(caps);
        let other = if container.muxer == "matroskamux" { "" } else { "let the clips end in .mkv, or " };
        return Err(cannot(format!("{} cannot hold {codec}", container.name)).fix(format!("{other}{encoded}")));
    }
    Ok(())
}

/// True where `container` says nothing of how a picture has to be turned.
pub fn lies(container: &Container, video: &Encoded) -> bool {
    video.orientation().is_some_and(|o| !container.fragments() || !mp4::turns(&o))
}

/// The way in for packets, and what follows it.
pub fn packets(
    settings: &SinkSettings,
    site: &Site<'_>,
    container: &Container,
    video: &Encoded,
    first: &VideoPacket,
) -> Result<(Feed, Vec<gstreamer::Element>), Failure> {
    let caps = video.caps().ok_or_else(|| Failure::failed("the encoded video has no caps"))?;
    let feed = Feed::packets(&caps, &settings.label(), site.facts.live)?;
    let media = caps.structure(0).map(|s| s.name().to_string()).unwrap_or_default();
    let mut chain = Vec::new();
    if !container.takes_form(&caps) {
        let parser = match media.as_str() {
            "video/x-h264" => "h264parse",
            "video/x-h265" => "h265parse",
            "video/mpeg" if caps.structure(0).is_some_and(|s| s.get::<i32>("mpegversion") == Ok(4)) => {
                "mpeg4videoparse"
            }
            "video/mpeg" => "mpegvideoparse",
            "video/x-av1" => "av1parse",
            "video/x-vp9" => "vp9parse",
            _ => "capsfilter",
        };
        let parser = make(parser)?;
        if parser.has_property("config-interval") && container.muxer == "mpegtsmux" {
            parser.set_property("config-interval", -1i32);
        }
        chain.push(parser);
    } else {
        // A muxer asked for a pad for "anything" may give one for sound.
        let filter = make("capsfilter")?;
        filter.set_property("caps", &caps);
        chain.push(filter);
    }
    let timestamper = match media.as_str() {
        "video/x-h264" => "h264timestamper",
        "video/x-h265" => "h265timestamper",
        _ => "",
    };
    if first.lead.is_none() && !container.shown_times() && has(timestamper) {
        chain.push(make(timestamper)?);
    }
    if let Some(pad) = feed.video().static_pad("src") {
        pad.add_probe(PadProbeType::EVENT_DOWNSTREAM, |_, info| {
            if let Some(PadProbeData::Event(event)) = &mut info.data
                && let gstreamer::EventView::Segment(s) = event.view()
                && let Some(old) = s.segment().downcast_ref::<ClockTime>()
                && old.start() != Some(ROOM)
            {
                let mut segment = old.clone();
                segment.set_start(ROOM);
                segment.set_position(ROOM);
                *event = gstreamer::event::Segment::new(&segment);
            }
            PadProbeReturn::Ok
        });
    }
    Ok((feed, chain))
}

/// `packet` in a file that begins at `zero`, a time of the source; `None` for what is shown before it.
pub fn delivery(packet: &VideoPacket, zero: i64, length: Option<ClockTime>) -> Option<Delivery> {
    let pts = ClockTime::from_nseconds(u64::try_from(packet.time - zero).ok()?);
    let at = ROOM + pts;
    let mut buffer = packet.buffer.clone();
    let duration = buffer.duration().or(length);
    let b = buffer.make_mut();
    b.set_pts(at);
    b.set_dts(packet.lead.and_then(|l| at.nseconds().checked_add_signed(-l)).map(ClockTime::from_nseconds));
    b.set_duration(duration);
    Some(Delivery { buffer, pts, duration, arrived: Instant::now(), index: 0, position: pts, meta: None })
}

//! Audio into a file: packets as they are where the container can hold them, re-encoded with a notice where it cannot.

use gstreamer::prelude::*;
use gstreamer::{ClockTime, PadProbeReturn, PadProbeType};

use super::Site;
use super::container::Container;
use super::feed::Feed;
use super::file::queue;
use crate::failure::Failure;
use crate::gst::{has, make};
use crate::source::AudioTrack;

/// Links one track into the muxer.
pub fn connect(
    feed: &mut Feed,
    track: &AudioTrack,
    site: &Site<'_>,
    container: &Container,
    muxer: &gstreamer::Element,
    notices: &mut Vec<String>,
) -> Result<(), Failure> {
    let kind = describe(&track.caps);
    if container.takes(&track.caps) {
        let source = feed.lane(track, site)?;
        let mut chain = Vec::new();
        if let Some(parser) = parser(&track.caps).filter(|p| has(p)) {
            chain.push(make(parser)?);
        } else {
            // A muxer asked for a pad for "anything" may give one for video.
            let filter = make("capsfilter")?;
            filter.set_property("caps", track.caps.clone());
            chain.push(filter);
        }
        chain.extend([queue()?, muxer.clone()]);
        return feed.chain(&source, &chain);
    }
    let Some((encoder, parser)) = encoder(container.audio) else {
        notices.push(format!(
            "audio ({kind}) left out: {} cannot hold it, and no {} encoder is installed",
            container.name, container.audio
        ));
        return Ok(());
    };
    notices.push(format!(
        "audio ({kind}) re-encoded to {}: {} cannot hold it",
        container.audio.to_uppercase(),
        container.name
    ));
    let source = feed.lane(track, site)?;
    let (convert, encode) = (make("audioconvert")?, make(encoder)?);
    let mut chain = vec![convert.clone(), make("audioresample")?, encode.clone()];
    if let Some(p) = parser.filter(|p| has(p)) {
        chain.push(make(p)?);
    }
    chain.extend([queue()?, muxer.clone()]);
    if encoder == "avenc_aac" {
        take_back_delay(&encode, 1024);
    }
    if track.caps.structure(0).is_some_and(|s| s.name() == "audio/x-raw") {
        return feed.chain(&source, &chain);
    }
    // The decoder's pad comes when it has seen the first packet.
    feed.add(&convert)?;
    feed.chain(&convert, &chain[1..])?;
    let decode = make("decodebin")?;
    feed.chain(&source, std::slice::from_ref(&decode))?;
    decode.connect_pad_added(move |_, pad| {
        if let Some(to) = convert.static_pad("sink").filter(|p| !p.is_linked())
            && let Err(e) = pad.link(&to)
        {
            log::warn!("cannot re-encode the audio: {e}");
        }
    });
    Ok(())
}

fn parser(caps: &gstreamer::Caps) -> Option<&'static str> {
    let s = caps.structure(0)?;
    Some(match (s.name().as_str(), s.get::<i32>("mpegversion").unwrap_or(0)) {
        ("audio/mpeg", 1) => "mpegaudioparse",
        ("audio/mpeg", _) => "aacparse",
        ("audio/x-ac3" | "audio/x-eac3" | "audio/ac3", _) => "ac3parse",
        ("audio/x-dts", _) => "dcaparse",
        ("audio/x-opus", _) => "opusparse",
        ("audio/x-flac", _) => "flacparse",
        _ => return None,
    })
}

fn encoder(codec: &str) -> Option<(&'static str, Option<&'static str>)> {
    let candidates: &[(&str, Option<&str>)] = match codec {
        "opus" => &[("opusenc", Some("opusparse")), ("vorbisenc", None)],
        "mp3" => &[("lamemp3enc", Some("mpegaudioparse")), ("avenc_mp2", Some("mpegaudioparse"))],
        _ => &[("avenc_aac", Some("aacparse")), ("fdkaacenc", Some("aacparse")), ("voaacenc", Some("aacparse"))],
    };
    candidates.iter().find(|(e, _)| has(e)).copied()
}

/// The encoder's first packet holds `samples` of silence and all later ones are late by that much: moves them back and drops
/// what falls before the start.
fn take_back_delay(encoder: &gstreamer::Element, samples: u64) {
    let Some(pad) = encoder.static_pad("src") else { return };
    pad.add_probe(PadProbeType::BUFFER, move |pad, info| {
        let rate = pad.current_caps().and_then(|c| c.structure(0)?.get::<i32>("rate").ok()).unwrap_or(48000).max(1);
        let delay = ClockTime::SECOND.mul_div_round(samples, rate as u64).unwrap_or(ClockTime::ZERO);
        let Some(gstreamer::PadProbeData::Buffer(buffer)) = &mut info.data else { return PadProbeReturn::Ok };
        match buffer.pts().map(|p| p.checked_sub(delay)) {
            Some(None) => PadProbeReturn::Drop,
            Some(Some(pts)) => {
                let b = buffer.make_mut();
                b.set_pts(pts);
                b.set_dts(ClockTime::NONE);
                PadProbeReturn::Ok
            }
            None => PadProbeReturn::Ok,
        }
    });
}

/// `mp3 44100 Hz 2 ch`.
fn describe(caps: &gstreamer::Caps) -> String {
    let codec = gstreamer_pbutils::pb_utils_get_codec_description(caps);
    let s = caps.structure(0);
    let number = |f: &str| s.and_then(|s| s.get::<i32>(f).ok());
    let mut out = codec.to_string();
    if let (Some(r), Some(c)) = (number("rate"), number("channels")) {
        out += &format!(", {r} Hz, {c} ch");
    }
    out
}

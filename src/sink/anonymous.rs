//! Keeps what describes the source out of an output: tags on their way to a muxer, and the comments that some codecs carry in
//! their own headers. The language of a track stays.

use gstreamer::prelude::*;
use gstreamer::{
    Buffer, BufferCopyFlags, Caps, PadProbeData, PadProbeReturn, PadProbeType, TagList, TagMergeMode, tags,
};

/// How a codec keeps comments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comments {
    /// Nowhere that is known.
    None,
    /// In its second header packet.
    Vorbis,
    /// In its second header packet.
    Opus,
    /// In metadata blocks, beside pictures and cue sheets.
    Flac,
}

impl Comments {
    /// Of the codec that `caps` name.
    pub fn of(caps: &Caps) -> Self {
        match caps.structure(0).map(|s| s.name().as_str()) {
            Some("audio/x-vorbis") => Comments::Vorbis,
            Some("audio/x-opus") => Comments::Opus,
            Some("audio/x-flac") => Comments::Flac,
            _ => Comments::None,
        }
    }

    /// What stands in place of a header with comments; `None` for any other packet.
    fn without(self, packet: &[u8]) -> Option<Vec<u8>> {
        let empty = |start: &[u8], end: &[u8]| Some([start, &[0; 8], end].concat());
        match self {
            // A vendor of no letters and a list of no comments: 32 bits each.
            Comments::Vorbis if packet.starts_with(b"\x03vorbis") => empty(b"\x03vorbis", &[1]),
            Comments::Opus if packet.starts_with(b"OpusTags") => empty(b"OpusTags", &[]),
            // Padding, application data, seek table, comments, cue sheet, picture. The highest bit marks the last block.
            Comments::Flac if packet.first().is_some_and(|b| (1..=6).contains(&(b & 0x7f))) => {
                empty(&[packet[0] & 0x80 | 4, 0, 0, 8], &[])
            }
            _ => None,
        }
    }

    /// Empties the comments of a packet, if it is a header with some.
    pub fn clear(self, buffer: &mut Buffer) {
        let made = match buffer.map_readable() {
            Ok(bytes) if self != Comments::None => self.without(&bytes),
            _ => None,
        };
        if let Some(bytes) = made {
            let mut cleared = Buffer::from_slice(bytes);
            if let Some(to) = cleared.get_mut() {
                let kept = BufferCopyFlags::FLAGS | BufferCopyFlags::TIMESTAMPS | BufferCopyFlags::META;
                // Nothing but an empty range fails.
                let _ = buffer.copy_into(to, kept, ..);
            }
            *buffer = cleared;
        }
    }

    /// The same with the headers in caps.
    pub fn clear_caps(self, caps: &Caps) -> Caps {
        let headers = caps.structure(0).and_then(|s| s.get::<gstreamer::Array>("streamheader").ok());
        let Some(headers) = headers else { return caps.clone() };
        let headers = headers.iter().filter_map(|h| h.get::<Buffer>().ok()).map(|mut header| {
            self.clear(&mut header);
            header.to_send_value()
        });
        let (mut caps, headers) = (caps.clone(), gstreamer::Array::from_values(headers));
        caps.make_mut().set("streamheader", headers);
        caps
    }
}

/// Lets no tag into `muxer` but the language: parsers find some in the packets themselves.
pub fn watch(muxer: &gstreamer::Element) {
    let clean = |info: &mut gstreamer::PadProbeInfo<'_>| {
        if let Some(PadProbeData::Event(event)) = &info.data
            && let gstreamer::EventView::Tag(tag) = event.view()
        {
            let language = tag.tag().get::<tags::LanguageCode>().map(|l| l.get().to_owned());
            let mut list = TagList::new();
            if let Some(language) = language {
                list.make_mut().add::<tags::LanguageCode>(&language.as_str(), TagMergeMode::Replace);
            }
            // An empty one in its place: a sticky event that a probe drops makes GStreamer complain.
            info.data = Some(PadProbeData::Event(gstreamer::event::Tag::new(list)));
        }
        PadProbeReturn::Ok
    };
    for pad in muxer.sink_pads() {
        pad.add_probe(PadProbeType::EVENT_DOWNSTREAM, move |_, info| clean(info));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_lose_their_comments_and_packets_stay() {
        let vorbis = Comments::Vorbis;
        assert_eq!(vorbis.without(b"\x03vorbis\x06\0\0\0Xiph.O").unwrap(), b"\x03vorbis\0\0\0\0\0\0\0\0\x01");
        assert!(vorbis.without(b"\x01vorbis").is_none() && vorbis.without(b"").is_none());
        assert_eq!(Comments::Opus.without(b"OpusTags\x01\0\0\0a").unwrap(), b"OpusTags\0\0\0\0\0\0\0\0");
        assert!(Comments::Opus.without(b"\x04abc").is_none());
        // A picture, the last block.
        assert_eq!(Comments::Flac.without(b"\x86\0\x10\0...").unwrap(), b"\x84\0\0\x08\0\0\0\0\0\0\0\0");
        assert!(Comments::Flac.without(b"\xff\xf8").is_none() && Comments::Flac.without(b"\x7fFLAC").is_none());
        assert!(Comments::None.without(b"OpusTags").is_none());
    }
}

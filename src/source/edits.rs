//! MP4 and MOV without edit lists. qtdemux, up to GStreamer 1.22 at least, takes the length of such a track for its end. With
//! B-frames the first picture is shown later than at 0 and the last ones later than that end: decoders would cut them off.

use std::fs::File;
use std::io::{Cursor, Read, Seek, SeekFrom};
use std::path::Path;

use gstreamer::prelude::*;
use gstreamer::{ClockTime, PadProbeData, PadProbeReturn, PadProbeType};

use super::truncation::boxes;

/// True for a file whose video tracks all lack an edit list.
pub fn none(path: &Path) -> bool {
    moov(path).and_then(|m| without(&m)).unwrap_or(false)
}

/// The bytes of the file's `moov`.
pub fn moov(path: &Path) -> Option<Vec<u8>> {
    let mut file = File::open(path).ok()?;
    let len = file.metadata().ok()?.len();
    let moov = boxes(&mut file, len)?.into_iter().find(|b| &b.kind == b"moov")?;
    if moov.size > 64 << 20 {
        return None;
    }
    let mut bytes = vec![0; moov.size.min(len - moov.start) as usize];
    file.seek(SeekFrom::Start(moov.start)).ok()?;
    file.read_exact(&mut bytes).ok()?;
    Some(bytes)
}

/// The bodies of the boxes of a kind in the body of another.
fn children<'a>(body: &'a [u8], kind: &[u8; 4]) -> Vec<&'a [u8]> {
    let all = boxes(&mut Cursor::new(body), body.len() as u64).unwrap_or_default();
    let of_kind = all.iter().filter(|b| &b.kind == kind);
    of_kind.filter_map(|b| body.get(b.start as usize + 8..(b.start + b.size) as usize)).collect()
}

fn without(moov: &[u8]) -> Option<bool> {
    let tracks = children(moov.get(8..)?, b"trak");
    let is_video = |trak: &&&[u8]| {
        let mdia = children(trak, b"mdia");
        let hdlr = mdia.first().map(|m| children(m, b"hdlr")).unwrap_or_default();
        // Version and flags, a reserved field, the type: ISO/IEC 14496-12, 8.4.3.
        hdlr.first().is_some_and(|h| h.get(8..12) == Some(b"vide"))
    };
    let mut videos = tracks.iter().filter(is_video).peekable();
    videos.peek()?;
    Some(videos.all(|t| children(t, b"edts").is_empty()))
}

/// Takes the end off the segments that `demuxer` sends with its video.
pub fn leave_open(demuxer: &gstreamer::Element) {
    demuxer.connect_pad_added(|_, pad| {
        if !pad.name().starts_with("video") {
            return;
        }
        pad.add_probe(PadProbeType::EVENT_DOWNSTREAM, |_, info| {
            if let Some(PadProbeData::Event(event)) = &mut info.data
                && let gstreamer::EventView::Segment(s) = event.view()
                && let Some(old) = s.segment().downcast_ref::<ClockTime>().filter(|s| s.stop().is_some())
            {
                let mut segment = old.clone();
                segment.set_stop(ClockTime::NONE);
                *event = gstreamer::event::Segment::builder(&segment).seqnum(event.seqnum()).build();
            }
            PadProbeReturn::Ok
        });
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    fn atom(kind: &[u8; 4], body: &[u8]) -> Vec<u8> {
        [&(8 + body.len() as u32).to_be_bytes(), &kind[..], body].concat()
    }

    #[test]
    fn only_video_tracks_count() {
        let trak = |handler: &[u8; 4], edited: bool| {
            let mdia = atom(b"mdia", &atom(b"hdlr", &[&[0; 8], &handler[..], &[0; 12]].concat()));
            let edts = if edited { atom(b"edts", &atom(b"elst", &[0; 8])) } else { Vec::new() };
            atom(b"trak", &[atom(b"tkhd", &[0; 84]), edts, mdia].concat())
        };
        let moov = |traks: &[Vec<u8>]| without(&atom(b"moov", &traks.concat()));
        assert_eq!(moov(&[trak(b"vide", false), trak(b"soun", true)]), Some(true));
        assert_eq!(moov(&[trak(b"vide", true), trak(b"soun", false)]), Some(false));
        assert_eq!(moov(&[trak(b"soun", false)]), None);
        assert_eq!(without(b"moov"), None);
    }
}

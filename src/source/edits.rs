//! Where qtdemux, up to GStreamer 1.22 at least, ends a video too early.
//!
//! - Without an edit list it takes the length of a track for its end. With B-frames the first picture is shown later than at 0
//!   and the last ones later than that end: decoders would cut them off.
//! - With one that begins late in the media (B-frames on both sides of a gap; a cut before the next keyframe), it holds times of
//!   the media against the length of the movie, and stops at a keyframe.

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

/// The length that a file says it has, where it would end the reading too early.
#[derive(Clone, Debug)]
pub struct Length {
    /// What it says.
    pub said: ClockTime,
    /// Its place in the file, and what qtdemux is to read there.
    at: u64,
    bytes: Vec<u8>,
}

impl Length {
    /// Of a file whose edit lists begin late; a few B-frames are not late.
    pub fn of(path: &Path) -> Option<Self> {
        let (start, moov) = moov_at(path)?;
        let body = moov.get(8..)?;
        let header = *children(body, b"mvhd").first()?;
        let (scale, duration) = times(header)?;
        let late = |trak: &&[u8]| {
            let mdhd = *down(trak, &[b"mdia", b"mdhd"]).first()?;
            let media = first_edit(down(trak, &[b"edts", b"elst"]).first()?)?;
            Some(u128::from(media) * u128::from(scale) / u128::from(times(mdhd)?.0))
        };
        let late = u64::try_from(children(body, b"trak").iter().filter_map(late).max()?).ok()?;
        if late < u64::from(scale) {
            return None;
        }
        let wide = header.first() == Some(&1);
        let longer = duration.checked_add(late)?;
        let bytes =
            if wide { longer.to_be_bytes().to_vec() } else { u32::try_from(longer).ok()?.to_be_bytes().to_vec() };
        let place = header.as_ptr() as usize - moov.as_ptr() as usize + if wide { 24 } else { 16 };
        let said = ClockTime::from_nseconds((u128::from(duration) * 1_000_000_000 / u128::from(scale)) as u64);
        Some(Length { said, at: start + place as u64, bytes })
    }

    /// Has `source`, which reads the file, deliver the longer one.
    pub fn mend(&self, source: &gstreamer::Element) {
        let Some(pad) = source.static_pad("src") else { return };
        let (at, bytes) = (self.at, self.bytes.clone());
        pad.add_probe(PadProbeType::PULL | PadProbeType::BUFFER, move |_, info| {
            let from = info.offset;
            if let Some(PadProbeData::Buffer(buffer)) = &mut info.data
                && from < at + bytes.len() as u64
                && from + buffer.size() as u64 > at
                && let Ok(mut map) = buffer.make_mut().map_writable()
            {
                for (n, byte) in bytes.iter().enumerate() {
                    let place = (at + n as u64).checked_sub(from).and_then(|p| map.get_mut(p as usize));
                    place.into_iter().for_each(|p| *p = *byte);
                }
            }
            PadProbeReturn::Ok
        });
    }
}

/// Time scale and duration of the body of an `mvhd` or `mdhd`.
fn times(header: &[u8]) -> Option<(u32, u64)> {
    let u32_at = |at: usize| Some(u32::from_be_bytes(header.get(at..at + 4)?.try_into().ok()?));
    let times = match header.first()? {
        1 => (u32_at(20)?, u64::from_be_bytes(header.get(24..32)?.try_into().ok()?)),
        _ => (u32_at(12)?, u64::from(u32_at(16)?)),
    };
    Some(times).filter(|t| t.0 > 0)
}

/// Where in the media the first edit of an `elst` begins that is not empty.
fn first_edit(elst: &[u8]) -> Option<u64> {
    let entries = elst.get(8..)?;
    let times = match elst.first()? {
        1 => entries
            .chunks_exact(20)
            .map(|e| i64::from_be_bytes(e[8..16].try_into().unwrap_or_default()))
            .collect::<Vec<_>>(),
        _ => entries
            .chunks_exact(12)
            .map(|e| i64::from(i32::from_be_bytes(e[4..8].try_into().unwrap_or_default())))
            .collect(),
    };
    times.into_iter().find_map(|t| u64::try_from(t).ok())
}

/// The bytes of the file's `moov`.
pub fn moov(path: &Path) -> Option<Vec<u8>> {
    moov_at(path).map(|(_, moov)| moov)
}

fn moov_at(path: &Path) -> Option<(u64, Vec<u8>)> {
    let mut file = File::open(path).ok()?;
    let len = file.metadata().ok()?.len();
    let moov = boxes(&mut file, len)?.into_iter().find(|b| &b.kind == b"moov")?;
    if moov.size > 64 << 20 {
        return None;
    }
    let mut bytes = vec![0; moov.size.min(len - moov.start) as usize];
    file.seek(SeekFrom::Start(moov.start)).ok()?;
    file.read_exact(&mut bytes).ok()?;
    Some((moov.start, bytes))
}

/// The bodies of the boxes of a kind in the body of another.
fn children<'a>(body: &'a [u8], kind: &[u8; 4]) -> Vec<&'a [u8]> {
    let all = boxes(&mut Cursor::new(body), body.len() as u64).unwrap_or_default();
    let of_kind = all.iter().filter(|b| &b.kind == kind);
    of_kind.filter_map(|b| body.get(b.start as usize + 8..(b.start + b.size) as usize)).collect()
}

/// The bodies at the end of a path of kinds.
fn down<'a>(body: &'a [u8], path: &[&[u8; 4]]) -> Vec<&'a [u8]> {
    path.iter().fold(vec![body], |at, kind| at.into_iter().flat_map(|b| children(b, kind)).collect())
}

fn without(moov: &[u8]) -> Option<bool> {
    let tracks = children(moov.get(8..)?, b"trak");
    let is_video = |trak: &&&[u8]| {
        // Version and flags, a reserved field, the type: ISO/IEC 14496-12, 8.4.3.
        down(trak, &[b"mdia", b"hdlr"]).first().is_some_and(|h| h.get(8..12) == Some(b"vide"))
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

    #[test]
    fn an_edit_list_that_begins_late_makes_the_movie_longer() {
        let words = |w: &[u32]| w.iter().flat_map(|w| w.to_be_bytes()).collect::<Vec<_>>();
        let file = |media: u32| {
            let mvhd = atom(b"mvhd", &words(&[0, 0, 0, 1000, 9100, 7]));
            let elst = atom(b"elst", &words(&[0, 2, 500, u32::MAX, 1 << 16, 9100, media, 1 << 16]));
            let mdia = atom(b"mdia", &atom(b"mdhd", &words(&[0, 0, 0, 10240, 93184])));
            let trak = atom(b"trak", &[atom(b"edts", &elst), mdia].concat());
            let path = tempfile::NamedTempFile::new().unwrap();
            let bytes = [atom(b"ftyp", b"isom"), atom(b"moov", &[mvhd, trak].concat())].concat();
            std::fs::write(path.path(), &bytes).unwrap();
            (Length::of(path.path()), bytes)
        };
        let (length, bytes) = file(72704);
        let length = length.unwrap();
        assert_eq!((length.said, length.bytes), (ClockTime::from_mseconds(9100), 16200u32.to_be_bytes().to_vec()));
        assert_eq!(bytes[length.at as usize..][..4], 9100u32.to_be_bytes());
        assert!(file(1024).0.is_none(), "two B-frames");
    }
}

//! MP4 and MOV: fragments while recording, one plain index at the end.
//!
//! ```text
//! while recording   ftyp │ moov, provisional │ moof mdat │ moof mdat │ …
//! finished          ftyp │ mdat ······································· │ moov
//! ```
//!
//! The muxer writes plain fragments, one track in each (`dash-or-mss`), and never goes back. The same fragments are listed here
//! as they pass on their way to the disk. At the end the finished index is appended, and 16 bytes in the place of the
//! provisional one's header make everything before it one `mdat`: a file is whole at every moment, however it ends, and no
//! media data is read or copied.
//!
//! The muxer's own way (`first-moov-then-finalise`), up to GStreamer 1.22 at least, keeps 4 KiB for each fragment and each track
//! but one until the end, and writes fragments that lack sizes.

mod boxes;
mod index;
mod samples;

use std::fs::OpenOptions;
use std::io::{self, Seek, SeekFrom, Write};
use std::path::Path;
use std::sync::{Arc, Mutex};

use gstreamer::prelude::*;
use gstreamer::{PadProbeData, PadProbeReturn, PadProbeType, Signed};

use boxes::{Atom, u32_at, u64_at};
use index::Start;
pub use index::turns;
use samples::Samples;

/// Sets a muxer up to write fragments of `ms`.
pub fn fragment(muxer: &gstreamer::Element, ms: u32) {
    muxer.set_property("fragment-duration", ms);
    if muxer.has_property("fragment-mode") {
        muxer.set_property_from_str("fragment-mode", "dash-or-mss");
    }
}

/// The list of what was written, kept by probes.
pub struct Recording(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    /// By pad of the muxer, which is by track; `None` before its first packet.
    starts: Vec<Option<Start>>,
    /// As the muxer wrote it, and where its substitute begins.
    moov: Vec<u8>,
    moov_at: u64,
    tracks: Vec<Samples>,
    /// Bytes that went to the disk.
    at: u64,
    /// Bytes of the current box that are still to come.
    rest: u64,
    /// How the pictures are turned to be upright; this muxer, up to GStreamer 1.22 at least, leaves it out.
    turn: Option<String>,
    /// Something was not understood.
    lost: bool,
}

impl Recording {
    /// Watches what goes into `muxer`, whose pads are all linked, and what goes into `out`.
    pub fn watch(muxer: &gstreamer::Element, out: &gstreamer::Element) -> Self {
        let pads = muxer.sink_pads();
        let starts = vec![None; pads.len()];
        let state = Arc::new(Mutex::new(State { starts, ..State::default() }));
        for (n, pad) in pads.iter().enumerate() {
            let state = state.clone();
            pad.add_probe(PadProbeType::BUFFER, move |pad, info| {
                let start = info.buffer().and_then(|b| start(pad, b));
                if let Some(place) = lock(&state).starts.get_mut(n) {
                    *place = start;
                }
                PadProbeReturn::Remove
            });
            // qtmux makes a track of time codes, and writes its one sample between the fragments.
            pad.add_probe(PadProbeType::BUFFER, |_, info| {
                if let Some(PadProbeData::Buffer(b)) = &mut info.data
                    && b.meta::<gstreamer_video::VideoTimeCodeMeta>().is_some()
                    && let Some(meta) = b.make_mut().meta_mut::<gstreamer_video::VideoTimeCodeMeta>()
                {
                    let _ = meta.remove();
                }
                PadProbeReturn::Ok
            });
        }
        let seen = state.clone();
        if let Some(pad) = out.static_pad("sink") {
            // What cannot be sought in gets no index of its fragments at the end, and no second `moov` over the first.
            pad.add_probe(PadProbeType::QUERY_DOWNSTREAM, |_, info| match &info.data {
                Some(PadProbeData::Query(q)) if q.type_() == gstreamer::QueryType::Seeking => PadProbeReturn::Drop,
                _ => PadProbeReturn::Ok,
            });
            pad.add_probe(PadProbeType::BUFFER | PadProbeType::BUFFER_LIST, move |_, info| {
                match &mut info.data {
                    Some(PadProbeData::Buffer(b)) => lock(&seen).pass(b),
                    // This muxer sends none.
                    Some(PadProbeData::BufferList(_)) => lock(&seen).lost = true,
                    _ => {}
                }
                PadProbeReturn::Ok
            });
        }
        Recording(state)
    }

    /// The pictures have to be turned as GStreamer calls it (`rotate-90`) to be upright.
    pub fn turn(&self, orientation: String) {
        lock(&self.0).turn = Some(orientation);
    }

    /// Makes the file, written and closed, an ordinary one. `false`: it stays in fragments, which play, too.
    pub fn finish(&self, path: &Path) -> io::Result<bool> {
        let state = lock(&self.0);
        let index = Atom::first(&state.moov).filter(|_| !state.lost && state.rest == 0);
        let Some(index) = index.and_then(|m| index::finished(&m, &state.starts, &state.tracks)) else {
            return Ok(false);
        };
        let mut file = OpenOptions::new().read(true).write(true).open(path)?;
        let end = file.seek(SeekFrom::End(0))?;
        if end != state.at {
            return Ok(false);
        }
        if let Err(e) = file.write_all(&index) {
            // As it was, it plays.
            file.set_len(end)?;
            return Err(e);
        }
        let mut header = [0; 16];
        header[3] = 1;
        header[4..8].copy_from_slice(b"mdat");
        header[8..].copy_from_slice(&(end - state.moov_at).to_be_bytes());
        file.seek(SeekFrom::Start(state.moov_at))?;
        file.write_all(&header).map(|()| true)
    }
}

fn lock(state: &Mutex<State>) -> std::sync::MutexGuard<'_, State> {
    state.lock().unwrap_or_else(|e| e.into_inner())
}

/// When a packet is shown, and how much earlier it is decoded.
fn start(pad: &gstreamer::Pad, buffer: &gstreamer::BufferRef) -> Option<Start> {
    let event = pad.sticky_event::<gstreamer::event::Segment>(0)?;
    let segment = event.segment().downcast_ref::<gstreamer::ClockTime>()?;
    let running = |t: gstreamer::ClockTime| match segment.to_running_time_full(t)? {
        Signed::Positive(t) => i64::try_from(t.nseconds()).ok(),
        Signed::Negative(t) => i64::try_from(t.nseconds()).ok().map(|t| -t),
    };
    let shown = running(buffer.pts()?)?;
    let decoded = buffer.dts().and_then(running).unwrap_or(shown);
    let lead = u64::try_from(shown - decoded).unwrap_or(0);
    Some(Start { late: u64::try_from(shown).unwrap_or(0), lead })
}

impl State {
    /// Takes note of what goes to the disk, and puts the provisional index in the place of the muxer's own.
    fn pass(&mut self, buffer: &mut gstreamer::Buffer) {
        let size = buffer.size() as u64;
        if self.rest > 0 {
            self.lost |= size > self.rest;
            self.rest = self.rest.saturating_sub(size);
        } else if let Some(new) = buffer.map_readable().ok().and_then(|b| self.header(&b)) {
            self.at += new.len() as u64;
            *buffer = gstreamer::Buffer::from_mut_slice(new);
            return;
        }
        self.at += size;
    }

    /// A box begins with `b`. Answers with what to write instead.
    fn header(&mut self, b: &[u8]) -> Option<Vec<u8>> {
        let size = match u32_at(b, 0) {
            Some(1) => u64_at(b, 8),
            small => small.map(u64::from).filter(|s| *s >= 8),
        };
        let Some(size) = size else {
            self.lost = true;
            return None;
        };
        self.rest = size.saturating_sub(b.len() as u64);
        match b.get(4..8)? {
            b"moov" if self.moov.is_empty() => {
                let turned = self.turn.as_deref().and_then(|o| index::turned(&Atom::first(b)?, o));
                let b = turned.as_deref().unwrap_or(b);
                let moov = Atom::first(b)?;
                self.tracks = index::tracks(&moov)?;
                // As all of this muxer's files do, this one begins with its first packet.
                let first = self.starts.iter().flatten().map(|s| s.late).min().unwrap_or(0);
                self.starts.iter_mut().flatten().for_each(|s| s.late -= first);
                let new = index::provisional(&moov, &self.starts)?;
                self.moov_at = self.at;
                self.moov = b.to_vec();
                Some(new)
            }
            b"moof" => {
                self.lost |= Atom::first(b).and_then(|m| self.fragment(&m)).is_none();
                None
            }
            _ => None,
        }
    }

    fn fragment(&mut self, moof: &Atom<'_>) -> Option<()> {
        for traf in moof.children().filter(|c| &c.kind == b"traf") {
            let id = u32_at(traf.child(b"tfhd")?.body, 4)?;
            self.tracks.iter_mut().find(|t| t.id == id)?.add(&traf, self.at)?;
        }
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::boxes::make;
    use super::index::tests::{moov, words};
    use super::*;

    /// A file of one fragment, as it goes by and as it lies on the disk; `trun` is the fragment's run.
    fn recorded(trun: &[u32]) -> (Recording, tempfile::NamedTempFile) {
        gstreamer::init().unwrap();
        let late = |late| Some(Start { late, lead: 0 });
        let mut state = State { starts: vec![late(700_000_000), late(500_000_000), None], ..State::default() };
        let tfhd = make(b"tfhd", &words(&[0, 1]));
        let moof = make(b"moof", &make(b"traf", &[tfhd, make(b"trun", &words(trun))].concat()));
        let ftyp = make(b"ftyp", b"isom");
        // A sample that looks like a box is none.
        let parts = [&ftyp[..], &moov(), &moof, &[0, 0, 0, 16, b'm', b'd', b'a', b't'], b"\0\0\0\x08moof"];
        let mut file = tempfile::NamedTempFile::new().unwrap();
        for part in parts {
            let mut buffer = gstreamer::Buffer::from_slice(part.to_vec());
            state.pass(&mut buffer);
            file.write_all(&buffer.map_readable().unwrap()).unwrap();
        }
        (Recording(Arc::new(Mutex::new(state))), file)
    }

    fn kinds(mut b: &[u8]) -> Vec<[u8; 4]> {
        let mut out = Vec::new();
        while let Some(kind) = b.get(4..8) {
            out.push(kind.try_into().unwrap());
            let size = if b[3] == 1 { u64_at(b, 8).unwrap() as usize } else { u32_at(b, 0).unwrap() as usize };
            b = &b[size..];
        }
        out
    }

    #[test]
    fn a_finished_recording_is_one_mdat_and_one_moov() {
        let (recording, file) = recorded(&[0x301, 1, 68, 3000, 8]);
        let before = std::fs::read(file.path()).unwrap();
        assert_eq!(kinds(&before), [*b"ftyp", *b"moov", *b"moof", *b"mdat"]);
        assert!(recording.finish(file.path()).unwrap());
        let after = std::fs::read(file.path()).unwrap();
        assert_eq!(kinds(&after), [*b"ftyp", *b"mdat", *b"moov"]);
        // 12 bytes of ftyp, 16 of the new header; all the rest is as it was.
        assert_eq!(after[28..before.len()], before[28..]);
        let index = Atom::first(&after[before.len()..]).unwrap();
        let stco = index.down(&[b"trak", b"mdia", b"minf", b"stbl", b"stco"]).unwrap();
        let sample = u32_at(stco.body, 8).unwrap() as usize;
        assert_eq!(after[sample..], *[b"\0\0\0\x08moof", &after[before.len()..]].concat());
        // The track begins 0.2 s after the first one.
        let elst = index.down(&[b"trak", b"edts", b"elst"]).unwrap();
        assert_eq!(elst.body[4..12], words(&[2, 18000]));
    }

    #[test]
    fn what_is_not_understood_or_not_all_there_stays_in_fragments() {
        let (lost, file) = recorded(&[0x301, 2, 68, 3000, 8]);
        let before = std::fs::read(file.path()).unwrap();
        assert!(!lost.finish(file.path()).unwrap());
        let (whole, other) = recorded(&[0x301, 1, 68, 3000, 8]);
        other.as_file().set_len(before.len() as u64 - 1).unwrap();
        assert!(!whole.finish(other.path()).unwrap());
        assert_eq!(std::fs::read(file.path()).unwrap(), before);
    }
}

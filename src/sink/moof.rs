//! Mends the fragments that mp4mux and qtmux write while they record.
//!
//! Up to 1.22 at least, `first-moov-then-finalise` writes a track fragment as several runs (`trun`) and says a value once for
//! all of them (`tfhd`) as long as no sample differs. When a later run differs the common value is taken back, and the runs
//! before it are left without any: readers then see samples of 0 bytes and give up. A killed recording would be lost.
//!
//! The missing size follows from where the next run begins, the missing duration from the other samples. Both find room in
//! the `tfhd` by replacing its 8-byte base offset (offsets then count from the `moof`), so that no box changes its length:
//! the muxer goes on counting bytes as if nothing had happened. Boxes: ISO/IEC 14496-12, 8.8.7 and 8.8.8.

use std::sync::Mutex;

use gstreamer::prelude::*;
use gstreamer::{PadProbeReturn, PadProbeType};

const BASE: u32 = 0x1;
const DESCRIPTION: u32 = 0x2;
const DURATION: u32 = 0x8;
const SIZE: u32 = 0x10;
const FLAGS: u32 = 0x20;
const FROM_MOOF: u32 = 0x2_0000;

/// Looks at every `moof` on its way into `out` (a filesink) and mends it where needed.
pub fn mend(out: &gstreamer::Element) {
    let Some(pad) = out.static_pad("sink") else { return };
    let at = Mutex::new(0u64);
    pad.add_probe(PadProbeType::BUFFER | PadProbeType::BUFFER_LIST | PadProbeType::EVENT_DOWNSTREAM, move |_, info| {
        let mut at = at.lock().unwrap_or_else(|e| e.into_inner());
        match &mut info.data {
            Some(gstreamer::PadProbeData::Event(e)) => {
                // The muxer seeks back to fill in sizes, and forth again.
                if let gstreamer::EventView::Segment(s) = e.view()
                    && let Some(s) = s.segment().downcast_ref::<gstreamer::format::Bytes>()
                {
                    *at = s.start().map_or(*at, |b| *b);
                }
            }
            Some(gstreamer::PadProbeData::Buffer(b)) => {
                mend_buffer(b, *at);
                *at += b.size() as u64;
            }
            Some(gstreamer::PadProbeData::BufferList(l)) => *at += l.iter().map(|b| b.size() as u64).sum::<u64>(),
            _ => {}
        }
        PadProbeReturn::Ok
    });
}

fn mend_buffer(buffer: &mut gstreamer::Buffer, at: u64) {
    let mended = match buffer.map_readable() {
        Ok(map) if map.get(4..8) == Some(b"moof") => mend_moof(&map, at),
        _ => None,
    };
    if let Some(bytes) = mended
        && let Ok(mut map) = buffer.make_mut().map_writable()
    {
        map.copy_from_slice(&bytes);
    }
}

/// A run of samples inside a `traf`.
struct Run {
    /// Where its `data_offset` field is, and where its data is in the file.
    field: usize,
    data: i64,
    count: u32,
    flags: u32,
    /// The first duration that it states itself.
    duration: Option<u32>,
}

fn u32_at(b: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_be_bytes(b.get(at..at + 4)?.try_into().ok()?))
}

/// The children of the box that begins at `at` and whose own header is `header` long: offset and type.
fn children(b: &[u8], at: usize, header: usize) -> Vec<(usize, [u8; 4])> {
    let end = at + u32_at(b, at).map_or(0, |n| n as usize);
    let (mut out, mut at) = (Vec::new(), at + header);
    while let (Some(size), true) = (u32_at(b, at), at + 8 <= end.min(b.len())) {
        out.push((at, [b[at + 4], b[at + 5], b[at + 6], b[at + 7]]));
        if size < 8 {
            break;
        }
        at += size as usize;
    }
    out
}

/// The `moof` at file position `moof_at` with its gaps filled, or `None` where nothing is missing or nothing can be done.
fn mend_moof(b: &[u8], moof_at: u64) -> Option<Vec<u8>> {
    let mut trafs = Vec::new();
    for (traf, kind) in children(b, 0, 8) {
        if &kind != b"traf" {
            continue;
        }
        let inside = children(b, traf, 8);
        let tfhd = inside.iter().find(|(_, k)| k == b"tfhd")?.0;
        let flags = u32_at(b, tfhd + 8)? & 0xff_ffff;
        if flags & BASE == 0 {
            return None;
        }
        let base = u64::from_be_bytes(b.get(tfhd + 16..tfhd + 24)?.try_into().ok()?);
        let runs: Option<Vec<Run>> =
            inside.iter().filter(|(_, k)| k == b"trun").map(|(at, _)| run(b, *at, base)).collect();
        trafs.push((tfhd, flags, runs?));
    }
    let starts: Vec<i64> = trafs.iter().flat_map(|t| t.2.iter().map(|r| r.data)).collect();
    let mut out = b.to_vec();
    let mut changed = false;
    for (tfhd, flags, runs) in &trafs {
        let lacks =
            |bit: u32, common: u32| runs.iter().find(|r| flags & common == 0 && r.flags & bit == 0 && r.count > 0);
        let (size, duration) = (lacks(0x200, SIZE), lacks(0x100, DURATION));
        if size.is_none() && duration.is_none() || flags & DESCRIPTION != 0 {
            continue;
        }
        let size = match size {
            None => None,
            Some(r) => {
                let next = starts.iter().copied().filter(|&s| s > r.data).min()?;
                Some(u32::try_from((next - r.data) / i64::from(r.count)).ok()?)
            }
        };
        let duration = duration.map(|_| runs.iter().find_map(|r| r.duration).unwrap_or(0));
        write_tfhd(&mut out, b, *tfhd, *flags, size, duration)?;
        for r in runs {
            let offset = i32::try_from(r.data - i64::try_from(moof_at).ok()?).ok()?;
            out.get_mut(r.field..r.field + 4)?.copy_from_slice(&offset.to_be_bytes());
        }
        changed = true;
    }
    changed.then_some(out)
}

fn run(b: &[u8], at: usize, base: u64) -> Option<Run> {
    let (flags, count) = (u32_at(b, at + 8)? & 0xff_ffff, u32_at(b, at + 12)?);
    if flags & 1 == 0 {
        return None;
    }
    let offset = u32_at(b, at + 16)? as i32;
    let first = at + 20 + if flags & 4 != 0 { 4 } else { 0 };
    let duration = if flags & 0x100 != 0 { u32_at(b, first) } else { None };
    Some(Run { field: at + 16, data: i64::try_from(base).ok()? + i64::from(offset), count, flags, duration })
}

/// Puts the common values into the 8 bytes of the base offset; what is left over states the usual sample description.
fn write_tfhd(
    out: &mut [u8],
    b: &[u8],
    tfhd: usize,
    flags: u32,
    size: Option<u32>,
    duration: Option<u32>,
) -> Option<()> {
    let mut at = tfhd + 24;
    let mut old = |bit: u32| {
        (flags & bit != 0).then(|| {
            let v = u32_at(b, at);
            at += 4;
            v
        })
    };
    let (old_duration, old_size, old_flags) = (old(DURATION).flatten(), old(SIZE).flatten(), old(FLAGS).flatten());
    let (size, duration) = (size.or(old_size), duration.or(old_duration));
    let gained =
        u32::from(size.is_some() && old_size.is_none()) + u32::from(duration.is_some() && old_duration.is_none());
    let description = (gained == 1).then_some(1u32);
    let mut now = (flags & !BASE) | FROM_MOOF;
    let mut fields = Vec::new();
    for (bit, value) in [(DESCRIPTION, description), (DURATION, duration), (SIZE, size), (FLAGS, old_flags)] {
        if let Some(v) = value {
            now |= bit;
            fields.extend(v.to_be_bytes());
        }
    }
    let end = tfhd + u32_at(b, tfhd)? as usize;
    let place = out.get_mut(tfhd + 16..end)?;
    if place.len() != fields.len() {
        return None;
    }
    place.copy_from_slice(&fields);
    out.get_mut(tfhd + 9..tfhd + 12)?.copy_from_slice(&now.to_be_bytes()[1..]);
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bx(kind: &[u8; 4], body: &[u8]) -> Vec<u8> {
        [&(body.len() as u32 + 8).to_be_bytes()[..], kind, body].concat()
    }

    fn words(w: &[u32]) -> Vec<u8> {
        w.iter().flat_map(|w| w.to_be_bytes()).collect()
    }

    /// Two tracks whose runs alternate; the first video run states neither size nor a common one.
    fn broken() -> Vec<u8> {
        let base = [&words(&[0x9, 1])[..], &900u64.to_be_bytes(), &words(&[3000])].concat();
        let video =
            [bx(b"tfhd", &base), bx(b"trun", &words(&[0x1, 1, 16])), bx(b"trun", &words(&[0x201, 1, 76, 40]))].concat();
        let base = [&words(&[0x9, 2])[..], &900u64.to_be_bytes(), &words(&[1024])].concat();
        let audio = [bx(b"tfhd", &base), bx(b"trun", &words(&[0x201, 1, 66, 10]))].concat();
        bx(b"moof", &[bx(b"mfhd", &words(&[0, 1])), bx(b"traf", &video), bx(b"traf", &audio)].concat())
    }

    #[test]
    fn a_missing_size_is_filled_in_and_no_box_changes_its_length() {
        let moof = broken();
        let mended = mend_moof(&moof, 1000).unwrap();
        assert_eq!(mended.len(), moof.len());
        let traf = children(&mended, 0, 8)[1].0;
        let inside = children(&mended, traf, 8);
        let tfhd = inside[0].0;
        assert_eq!(u32_at(&mended, tfhd + 8).unwrap(), FROM_MOOF | DESCRIPTION | DURATION | SIZE);
        // Track, description, duration, size: the next run's data begins 50 bytes on.
        let values: Vec<u32> = (0..4).map(|i| u32_at(&mended, tfhd + 12 + 4 * i).unwrap()).collect();
        assert_eq!(values, [1, 1, 3000, 50]);
        // 900 + 16 in the file, counted from the moof at 1000.
        assert_eq!(u32_at(&mended, inside[1].0 + 16).unwrap() as i32, -84);
        // The other track is left as it was.
        let audio = children(&moof, 0, 8)[2].0;
        assert_eq!(mended[audio..], moof[audio..]);
        assert!(mend_moof(&mended, 1000).is_none(), "nothing left to mend");
    }

    #[test]
    fn rubbish_is_left_alone() {
        let moof = broken();
        for n in 0..moof.len() {
            let _ = mend_moof(&moof[..n], 0);
        }
        assert!(mend_moof(b"\0\0\0\x08moof", 0).is_none());
    }
}

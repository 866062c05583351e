//! The two indexes of a file: a provisional `moov` in front of the fragments, and the finished one.
//!
//! Both are the muxer's own `moov`, copied box by box: codec descriptions, colour, shape, tags and languages are taken over as
//! they are. Written anew are the edit lists, the durations, and in the finished one the sample tables.

use super::boxes::{Atom, full, make, u32_at, u64_at};
use super::samples::Samples;

/// How a track begins, by its first packet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Start {
    /// When it is shown, in ns.
    pub late: u64,
    /// By how much earlier it is decoded, in ns.
    pub lead: u64,
}

/// The tracks that a muxer's `moov` declares, without samples.
pub fn tracks(moov: &Atom<'_>) -> Option<Vec<Samples>> {
    let traks = moov.children().filter(|c| &c.kind == b"trak");
    traks
        .map(|trak| {
            let tkhd = trak.child(b"tkhd")?.body;
            let id = u32_at(tkhd, if tkhd.first()? == &1 { 20 } else { 12 })?;
            let constant = trak.down(&[b"mdia", b"minf", b"stbl", b"stsz"]).map_or(Some(0), |s| u32_at(s.body, 4))?;
            Some(Samples::new(id, scale(&trak.down(&[b"mdia", b"mdhd"])?)?, constant))
        })
        .collect()
}

/// The `moov` to begin with: as the muxer wrote it, and with edit lists, which it leaves out of files in fragments.
pub fn provisional(moov: &Atom<'_>, starts: &[Option<Start>]) -> Option<Vec<u8>> {
    let movie = scale(&moov.child(b"mvhd")?)?;
    let mut n = 0;
    moov.with(|child| {
        if &child.kind != b"trak" {
            return Some(child.whole.to_vec());
        }
        let start = starts.get(n).copied().flatten().unwrap_or_default();
        n += 1;
        let media = scale(&child.down(&[b"mdia", b"mdhd"])?)?;
        // Length 0: to the end of what will follow.
        let edits = edts(ticks(start.late, movie), 0, ticks(start.lead, media) as i64);
        child.with(|c| trak_box(c, &edits, || Some(c.whole.to_vec())))
    })
}

/// The finished `moov`. Tracks without a sample are left out.
pub fn finished(moov: &Atom<'_>, starts: &[Option<Start>], tracks: &[Samples]) -> Option<Vec<u8>> {
    let movie = scale(&moov.child(b"mvhd")?)?;
    let length = |t: &Samples| rescale(t.ticks, movie, t.scale);
    let late = |n: usize| starts.get(n).copied().flatten().map_or(0, |s| ticks(s.late, movie));
    let longest = tracks.iter().enumerate().filter(|(_, t)| t.count > 0).map(|(n, t)| late(n) + length(t)).max();
    let mut n = 0;
    moov.with(|child| match &child.kind {
        b"mvex" => Some(Vec::new()),
        b"mvhd" => with_duration(child, 4, longest?),
        b"trak" => {
            let (track, late) = (tracks.get(n)?, late(n));
            n += 1;
            if track.count == 0 {
                return Some(Vec::new());
            }
            let edits = edts(late, length(track), track.lead());
            child.with(|c| {
                trak_box(c, &edits, || match &c.kind {
                    b"tkhd" => with_duration(c, 8, late + length(track)),
                    b"mdia" => c.with(|c| match &c.kind {
                        b"mdhd" => with_duration(c, 4, track.ticks),
                        b"minf" => c.with(|c| match &c.kind {
                            b"stbl" => Some(make(b"stbl", &[c.child(b"stsd")?.whole, &track.boxes()].concat())),
                            _ => Some(c.whole.to_vec()),
                        }),
                        _ => Some(c.whole.to_vec()),
                    }),
                    _ => Some(c.whole.to_vec()),
                })
            })
        }
        _ => Some(child.whole.to_vec()),
    })
}

/// The left and middle columns of a track's matrix in units of 1, and which of width and height it moves the picture by.
type Turn = ([i32; 4], [usize; 2]);

/// Clockwise turns by their names in GStreamer. Values as in ISO 14496-12, 8.3.2: x' = ax + cy + tx, y' = bx + dy + ty.
const TURNS: [(&str, Turn); 3] = [
    ("rotate-90", ([0, 1, -1, 0], [2, 0])),
    ("rotate-180", ([-1, 0, 0, -1], [1, 2])),
    ("rotate-270", ([0, -1, 1, 0], [0, 1])),
];

/// True where a file can say it.
pub fn turns(orientation: &str) -> bool {
    TURNS.iter().any(|(name, _)| *name == orientation)
}

/// The `moov` with its first track turned.
pub fn turned(moov: &Atom<'_>, orientation: &str) -> Option<Vec<u8>> {
    let (_, ([a, b, c, d], by)) = *TURNS.iter().find(|(name, _)| *name == orientation)?;
    let mut first = true;
    moov.with(|child| {
        if &child.kind != b"trak" || !std::mem::take(&mut first) {
            return Some(child.whole.to_vec());
        }
        child.with(|t| {
            if &t.kind != b"tkhd" {
                return Some(t.whole.to_vec());
            }
            // The matrix, nine numbers, is followed by width and height, all of them with 16 bits after the point.
            let mut body = t.body.to_vec();
            let at = body.len().checked_sub(36 + 8)?;
            let size = [0, u32_at(&body, at + 36)?, u32_at(&body, at + 40)?];
            let one = |v: i32| (v << 16) as u32;
            let matrix = [one(a), one(b), 0, one(c), one(d), 0, size[by[0]], size[by[1]], 1 << 30];
            matrix.iter().enumerate().for_each(|(i, v)| body[at + 4 * i..][..4].copy_from_slice(&v.to_be_bytes()));
            Some(make(b"tkhd", &body))
        })
    })
}

/// Puts the edit list in its place, right after the header, and removes any other.
fn trak_box(c: &Atom<'_>, edits: &[u8], edited: impl FnOnce() -> Option<Vec<u8>>) -> Option<Vec<u8>> {
    match &c.kind {
        b"edts" => Some(Vec::new()),
        b"tkhd" => Some([&edited()?, edits].concat()),
        _ => edited(),
    }
}

/// An edit list: nothing for `late`, then `length` (both in movie ticks) from `media` (media ticks) on.
fn edts(late: u64, length: u64, media: i64) -> Vec<u8> {
    let wide = u32::try_from(late.max(length)).is_err() || i32::try_from(media).is_err();
    let mut entries = Vec::new();
    let mut entry = |length: u64, media: i64| {
        if wide {
            entries.extend(length.to_be_bytes());
            entries.extend(media.to_be_bytes());
        } else {
            entries.extend((length as u32).to_be_bytes());
            entries.extend((media as i32).to_be_bytes());
        }
        // Rate 1.0.
        entries.extend(0x1_0000u32.to_be_bytes());
    };
    if late > 0 {
        entry(late, -1);
    }
    entry(length, media);
    let count = 1 + u32::from(late > 0);
    make(b"edts", &full(b"elst", u8::from(wide), &[&count.to_be_bytes()[..], &entries].concat()))
}

/// The time scale in an `mvhd` or `mdhd`.
fn scale(header: &Atom<'_>) -> Option<u32> {
    u32_at(header.body, if header.body.first()? == &1 { 20 } else { 12 }).filter(|s| *s > 0)
}

/// An `mvhd`, `mdhd` or `tkhd` with its duration set, in 64 bits where it takes them. Between the two dates and the duration
/// lie `middle` bytes.
fn with_duration(header: &Atom<'_>, middle: usize, duration: u64) -> Option<Vec<u8>> {
    let b = header.body;
    let (dates, length) = if b.first()? == &1 { (16, 8) } else { (8, 4) };
    let at = 4 + dates;
    let between = b.get(at..at + middle)?;
    let rest = b.get(at + middle + length..)?;
    let (created, modified) = match dates {
        16 => (u64_at(b, 4)?, u64_at(b, 12)?),
        _ => (u64::from(u32_at(b, 4)?), u64::from(u32_at(b, 8)?)),
    };
    let wide = dates == 16 || duration >= u64::from(u32::MAX);
    let mut out = vec![u8::from(wide), b[1], b[2], b[3]];
    if wide {
        out.extend([created.to_be_bytes(), modified.to_be_bytes()].concat());
        out.extend(between);
        out.extend(duration.to_be_bytes());
    } else {
        out.extend([(created as u32).to_be_bytes(), (modified as u32).to_be_bytes()].concat());
        out.extend(between);
        out.extend((duration as u32).to_be_bytes());
    }
    out.extend(rest);
    Some(make(&header.kind, &out))
}

/// Nanoseconds in ticks, rounded.
fn ticks(ns: u64, scale: u32) -> u64 {
    rescale(ns, scale, 1_000_000_000)
}

fn rescale(value: u64, to: u32, from: u32) -> u64 {
    let from = u128::from(from.max(1));
    ((u128::from(value) * u128::from(to) + from / 2) / from) as u64
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub fn words(w: &[u32]) -> Vec<u8> {
        w.iter().flat_map(|w| w.to_be_bytes()).collect()
    }

    /// Three tracks: pictures, PCM, sound.
    pub fn moov() -> Vec<u8> {
        let trak = |id: u32, scale: u32, constant: u32| {
            let stsd = make(b"stsd", &words(&[0, 0]));
            let stsz = make(b"stsz", &words(&[0, constant, 0]));
            let stbl = make(b"stbl", &[stsd, stsz].concat());
            let mdhd = make(b"mdhd", &words(&[0, 11, 12, scale, 0, 7]));
            let mdia = make(b"mdia", &[mdhd, make(b"minf", &stbl)].concat());
            make(b"trak", &[make(b"tkhd", &words(&[7, 11, 12, id, 0, 0, 99])), mdia].concat())
        };
        let mvhd = make(b"mvhd", &words(&[0, 11, 12, 90000, 0, 5]));
        let mvex = make(b"mvex", b"");
        make(b"moov", &[mvhd, trak(1, 90000, 0), trak(2, 48000, 4), trak(3, 48000, 0), mvex].concat())
    }

    fn body(moov: &[u8], trak: usize, path: &[&[u8; 4]]) -> Vec<u32> {
        let atom = Atom::first(moov).unwrap();
        let trak = atom.children().filter(|c| &c.kind == b"trak").nth(trak).unwrap();
        trak.down(path).unwrap().body.chunks(4).map(|w| u32::from_be_bytes(w.try_into().unwrap())).collect()
    }

    fn add(track: &mut Samples, duration: u32, size: u32, offset: u32) {
        let trun = make(b"trun", &words(&[0xb01, 1, 0, duration, size, offset]));
        let traf = make(b"traf", &[make(b"tfhd", &words(&[0, 1])), trun].concat());
        track.add(&Atom::first(&traf).unwrap(), 0).unwrap();
    }

    #[test]
    fn edit_lists_say_when_a_track_begins() {
        let bytes = moov();
        let atom = Atom::first(&bytes).unwrap();
        let starts = [Some(Start { late: 0, lead: 66_666_667 }), Some(Start { late: 500_000_000, lead: 0 }), None];
        let first = provisional(&atom, &starts).unwrap();
        assert_eq!(body(&first, 0, &[b"edts", b"elst"]), [0, 1, 0, 6000, 0x1_0000]);
        assert_eq!(body(&first, 1, &[b"edts", b"elst"]), [0, 2, 45000, u32::MAX, 0x1_0000, 0, 0, 0x1_0000]);
        assert!(Atom::first(&first).unwrap().child(b"mvex").is_some());
        let mut tracks = tracks(&atom).unwrap();
        assert_eq!(tracks.iter().map(|t| (t.id, t.scale)).collect::<Vec<_>>(), [(1, 90000), (2, 48000), (3, 48000)]);
        add(&mut tracks[0], 3000, 10, 6000);
        add(&mut tracks[1], 24000, 96000, 0);
        let last = finished(&atom, &starts, &tracks).unwrap();
        assert!(Atom::first(&last).unwrap().child(b"mvex").is_none());
        assert_eq!(body(&last, 0, &[b"edts", b"elst"]), [0, 1, 3000, 6000, 0x1_0000]);
        assert_eq!(body(&last, 0, &[b"tkhd"]), [7, 11, 12, 1, 0, 3000, 99]);
        assert_eq!(body(&last, 1, &[b"edts", b"elst"])[..6], [0, 2, 45000, u32::MAX, 0x1_0000, 45000]);
        assert_eq!(body(&last, 1, &[b"tkhd"])[5], 90000);
        assert_eq!(body(&last, 1, &[b"mdia", b"mdhd"]), [0, 11, 12, 48000, 24000, 7]);
        assert_eq!(body(&last, 1, &[b"mdia", b"minf", b"stbl", b"stsz"]), [0, 4, 24000]);
        assert_eq!(Atom::first(&last).unwrap().children().filter(|c| &c.kind == b"trak").count(), 2, "an empty one");
        let mvhd = Atom::first(&last).unwrap().child(b"mvhd").unwrap();
        assert_eq!(mvhd.body, words(&[0, 11, 12, 90000, 90000, 5]));
    }

    #[test]
    fn what_lasts_long_gets_wide_numbers() {
        let bytes = moov();
        let atom = Atom::first(&bytes).unwrap();
        let mut tracks = tracks(&atom).unwrap();
        add(&mut tracks[0], u32::MAX, 10, 0);
        add(&mut tracks[0], u32::MAX, 10, 0);
        let last = finished(&atom, &[], &tracks).unwrap();
        let (high, low) = (1, u32::MAX - 1);
        assert_eq!(body(&last, 0, &[b"tkhd"]), [0x100_0007, 0, 11, 0, 12, 1, 0, high, low, 99]);
        assert_eq!(body(&last, 0, &[b"mdia", b"mdhd"]), [0x100_0000, 0, 11, 0, 12, 90000, high, low, 7]);
        assert_eq!(body(&last, 0, &[b"edts", b"elst"]), [0x100_0000, 1, high, low, 0, 0, 0x1_0000]);
        // Read back, they are the same.
        let again = Atom::first(&last).unwrap();
        assert_eq!(tracks_of(&again), [(1, 90000)]);
    }

    fn tracks_of(moov: &Atom<'_>) -> Vec<(u32, u32)> {
        tracks(moov).unwrap().iter().map(|t| (t.id, t.scale)).collect()
    }
}

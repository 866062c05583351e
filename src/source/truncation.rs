//! Finds files that end before their container says they do. Demuxers end such files quietly, as if all were well.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

/// Says what is missing when `path` is an AVI, MP4/MOV, Matroska/WebM or YUV4MPEG2 file whose last part is not there.
pub fn check(path: &Path) -> Option<String> {
    let mut file = File::open(path).ok()?;
    let len = file.metadata().ok()?.len();
    let expected = expected_len(&mut file, len)?;
    // RIFF and EBML sizes may be off by their padding byte.
    (expected > len + 1).then(|| format!("it is cut short: {len} of {expected} bytes are there"))
}

fn expected_len(file: &mut File, len: u64) -> Option<u64> {
    let mut head = [0u8; 64];
    let n = file.read(&mut head).ok()?;
    let head = &head[..n];
    if head.starts_with(b"RIFF") {
        let size = u64::from(u32::from_le_bytes(head.get(4..8)?.try_into().ok()?));
        // 0 and the largest value are written by recorders that do not know yet.
        return (size != 0 && size != 0xffff_ffff).then_some(size + 8);
    }
    if head.starts_with(b"YUV4MPEG2 ") {
        return Raw::read(file)?.len(file, len);
    }
    if matches!(head.get(4..8)?, b"ftyp" | b"moov" | b"mdat" | b"free" | b"wide" | b"skip") {
        return boxes(file, len)?.last().map(|b| b.start + b.size);
    }
    if head.starts_with(&[0x1a, 0x45, 0xdf, 0xa3]) {
        let (header, n) = vint(head.get(4..)?)?;
        let segment = 4 + n + usize::try_from(header?).ok()?;
        let mut buf = [0u8; 12];
        file.seek(SeekFrom::Start(segment as u64)).ok()?;
        let n = file.read(&mut buf).ok()?;
        if n < 5 || buf[..4] != [0x18, 0x53, 0x80, 0x67] {
            return None;
        }
        let (size, n) = vint(&buf[4..n])?;
        return Some(segment as u64 + 4 + n as u64 + size?);
    }
    None
}

/// What the first line of a YUV4MPEG2 file says: raw pictures, one after the other.
pub struct Raw {
    /// Pixels.
    pub width: u64,
    /// Pixels.
    pub height: u64,
    /// Their layout, as in the file: `420jpeg`, `444`, `mono`, `422p10`, …
    pub space: String,
    /// Length of the line with its end.
    line: u64,
}

impl Raw {
    /// Reads it; `None` for other files.
    pub fn of(path: &Path) -> Option<Self> {
        Self::read(&mut File::open(path).ok()?)
    }

    fn read(file: &mut File) -> Option<Self> {
        let mut head = Vec::new();
        file.seek(SeekFrom::Start(0)).ok()?;
        file.by_ref().take(256).read_to_end(&mut head).ok()?;
        let line = head.split(|b| *b == b'\n').next()?;
        let mut words = std::str::from_utf8(line).ok()?.split(' ');
        words.next().filter(|w| *w == "YUV4MPEG2")?;
        let side = |key: char| words.clone().find_map(|w| w.strip_prefix(key)?.parse().ok());
        let (width, height) = (side('W')?, side('H')?);
        let space = words.find_map(|w| w.strip_prefix('C')).unwrap_or("420jpeg").to_owned();
        Some(Raw { width, height, space, line: line.len() as u64 + 1 })
    }

    /// The file's length with its last picture whole, where all pictures have the plain header `FRAME`.
    fn len(&self, file: &mut File, len: u64) -> Option<u64> {
        const FRAME: &[u8] = b"FRAME\n";
        let (w, h) = (self.width, self.height);
        let chroma = match self.space.as_str() {
            "420" | "420jpeg" | "420paldv" | "420mpeg2" => w.div_ceil(2).checked_mul(h.div_ceil(2))?,
            "422" => w.div_ceil(2).checked_mul(h)?,
            "411" => w.div_ceil(4).checked_mul(h)?,
            "444" => w.checked_mul(h)?,
            "mono" => 0,
            _ => return None,
        };
        let one = w.checked_mul(h)?.checked_add(chroma.checked_mul(2)?)?.checked_add(FRAME.len() as u64)?;
        let before =
            len.checked_sub(self.line)?.div_ceil(one).checked_sub(1)?.checked_mul(one)?.checked_add(self.line)?;
        let mut last = [0; FRAME.len()];
        file.seek(SeekFrom::Start(before)).ok()?;
        let there = file.read(&mut last).ok()?;
        before.checked_add(one).filter(|_| FRAME.starts_with(&last[..there]))
    }
}

/// What the boxes of an MP4 or QuickTime file say about its being whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whole {
    /// Nothing is wrong with the boxes, or it is another kind of file.
    AsFarAsSeen,
    /// The index (`moov`) is missing or cut off: nothing can be played.
    NoIndex,
    /// The index is there, and this many bytes at the end are not.
    Short(u64),
}

/// Judges the top-level boxes of the file at `path`.
pub fn whole(path: &Path) -> Whole {
    let Ok(mut file) = File::open(path) else { return Whole::AsFarAsSeen };
    let len = file.metadata().map_or(0, |m| m.len());
    let boxes = boxes(&mut file, len).unwrap_or_default();
    let (Some(first), Some(last)) = (boxes.first(), boxes.last()) else { return Whole::AsFarAsSeen };
    if !matches!(&first.kind, b"ftyp" | b"moov" | b"mdat" | b"wide" | b"free" | b"skip" | b"pnot") {
        return Whole::AsFarAsSeen;
    }
    let end = last.start.saturating_add(last.size);
    let index = boxes.iter().any(|b| &b.kind == b"moov" && b.start + b.size <= len);
    match (index, end > len) {
        (false, _) => Whole::NoIndex,
        (true, true) => Whole::Short(end - len),
        (true, false) => Whole::AsFarAsSeen,
    }
}

/// EBML size: the value (`None` = unknown) and its length.
fn vint(b: &[u8]) -> Option<(Option<u64>, usize)> {
    let n = b.first()?.leading_zeros() as usize + 1;
    if n > 8 {
        return None;
    }
    let mut value = u64::from(b[0]) & ((1u64 << (8 - n)) - 1);
    for x in b.get(1..n)? {
        value = value << 8 | u64::from(*x);
    }
    Some(((value != (1 << (7 * n)) - 1).then_some(value), n))
}

/// A top-level box of an ISO media file.
pub struct IsoBox {
    /// Four-character code.
    pub kind: [u8; 4],
    /// Offset in the file.
    pub start: u64,
    /// Whole size with header.
    pub size: u64,
}

/// The top-level boxes, up to the first that does not make sense or reaches past the end.
pub fn boxes(file: &mut (impl Read + Seek), len: u64) -> Option<Vec<IsoBox>> {
    let (mut out, mut at) = (Vec::new(), 0u64);
    while at + 8 <= len && out.len() < 100_000 {
        file.seek(SeekFrom::Start(at)).ok()?;
        let mut h = [0u8; 16];
        let n = file.read(&mut h).ok()?;
        let small = u64::from(u32::from_be_bytes(h[..4].try_into().ok()?));
        let size = match small {
            0 => len - at,
            1 if n == 16 => u64::from_be_bytes(h[8..].try_into().ok()?),
            s => s,
        };
        let kind: [u8; 4] = h[4..8].try_into().ok()?;
        if size < 8 || !kind.iter().all(|c| (0x20..0x7f).contains(c) || *c == 0xa9) {
            break;
        }
        out.push(IsoBox { kind, start: at, size });
        at = at.checked_add(size)?;
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_bytes(b: &[u8]) -> Option<String> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("f");
        std::fs::write(&path, b).unwrap();
        check(&path)
    }

    #[test]
    fn boxes_tell_a_cut_off_file() {
        let file = |boxes: &[(u32, &[u8; 4], usize)]| {
            let mut bytes = Vec::new();
            for (size, kind, there) in boxes {
                bytes.extend(size.to_be_bytes());
                bytes.extend(*kind);
                bytes.resize(bytes.len() + there - 8, 0);
            }
            let file = tempfile::NamedTempFile::new().unwrap();
            std::fs::write(file.path(), bytes).unwrap();
            whole(file.path())
        };
        assert_eq!(file(&[(16, b"ftyp", 16), (20, b"mdat", 20), (12, b"moov", 12)]), Whole::AsFarAsSeen);
        assert_eq!(file(&[(16, b"ftyp", 16), (12, b"moov", 12), (0, b"mdat", 20)]), Whole::AsFarAsSeen);
        assert_eq!(file(&[(16, b"ftyp", 16), (12, b"moov", 12), (50, b"mdat", 20)]), Whole::Short(30));
        assert_eq!(file(&[(16, b"ftyp", 16), (50, b"mdat", 20)]), Whole::NoIndex);
        assert_eq!(file(&[(16, b"ftyp", 16), (0, b"mdat", 20)]), Whole::NoIndex);
        assert_eq!(file(&[(16, b"RIFF", 16)]), Whole::AsFarAsSeen);
    }

    #[test]
    fn whole_and_cut_containers() {
        let avi = |size: u32, n: usize| [b"RIFF", &size.to_le_bytes()[..], &vec![b'x'; n]].concat();
        assert_eq!(check_bytes(&avi(100, 100)), None);
        assert!(check_bytes(&avi(100, 60)).unwrap().contains("68 of 108"));
        let mp4 = |n: usize| {
            [&16u32.to_be_bytes()[..], b"ftyp", &[0; 8], &40u32.to_be_bytes()[..], b"mdat", &vec![0; n]].concat()
        };
        assert_eq!(check_bytes(&mp4(32)), None);
        assert!(check_bytes(&mp4(10)).is_some());
        let mkv = |size: u8, n: usize| {
            [&[0x1a, 0x45, 0xdf, 0xa3, 0x81, 0, 0x18, 0x53, 0x80, 0x67, 0x80 | size][..], &vec![0; n]].concat()
        };
        assert_eq!(check_bytes(&mkv(20, 20)), None);
        assert!(check_bytes(&mkv(20, 5)).is_some());
        assert_eq!(check_bytes(&mkv(0x7f, 5)), None, "unknown size");
        let y4m = |n: usize, frame: &[u8]| {
            let one = [frame, &[7; 6]].concat();
            [&b"YUV4MPEG2 W2 H2 F25:1 C420jpeg\n"[..], &one, &one[..n]].concat()
        };
        assert_eq!(check_bytes(&y4m(12, b"FRAME\n")), None);
        assert_eq!(check_bytes(&y4m(0, b"FRAME\n")), None);
        assert!(check_bytes(&y4m(9, b"FRAME\n")).unwrap().contains("52 of 55"));
        assert_eq!(check_bytes(&y4m(9, b"FRAME Ip\n")), None, "not known");
        let endless = format!("YUV4MPEG2 W{} H1 Cmono\nFRAME\n", u64::MAX - 8);
        assert_eq!(check_bytes(endless.as_bytes()), None, "no file is so long");
        for junk in [&b""[..], b"x", b"RIFF", b"\x1a\x45\xdf\xa3"] {
            assert_eq!(check_bytes(junk), None);
        }
    }
}

//! The `colr` box of MP4 and MOV files. GStreamer's qtdemux up to 1.22 reads its full-range flag from the wrong byte, so a
//! full-range file would come out marked as limited range.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

use super::truncation::boxes;

/// The full-range flag of the file's first `nclx` colour description, if it has one.
pub fn full_range(path: &Path) -> Option<bool> {
    let mut file = File::open(path).ok()?;
    let len = file.metadata().ok()?.len();
    let moov = boxes(&mut file, len)?.into_iter().find(|b| &b.kind == b"moov")?;
    if moov.size > 64 << 20 {
        return None;
    }
    let mut bytes = vec![0; moov.size.min(len - moov.start) as usize];
    file.seek(SeekFrom::Start(moov.start)).ok()?;
    file.read_exact(&mut bytes).ok()?;
    parse(&bytes)
}

/// `colr` `nclx` primaries(2) transfer(2) matrix(2) full_range(1 bit): ISO/IEC 14496-12, 12.1.5.
fn parse(moov: &[u8]) -> Option<bool> {
    let at = moov.windows(8).position(|w| w == b"colrnclx")?;
    moov.get(at + 14).map(|b| b & 0x80 != 0)
}

#[cfg(test)]
mod tests {
    #[test]
    fn reads_the_flag() {
        let colr = |flag: u8| [b"....colrnclx\0\x01\0\x01\0\x01".as_slice(), &[flag]].concat();
        assert_eq!(super::parse(&colr(0x80)), Some(true));
        assert_eq!(super::parse(&colr(0)), Some(false));
        assert_eq!(super::parse(b"moov"), None);
    }
}

//! The `colr` box of MP4 and MOV files. GStreamer's qtdemux up to 1.22 reads its full-range flag from the wrong byte, so a
//! full-range file would come out marked as limited range.

use std::path::Path;

/// The full-range flag of the file's first `nclx` colour description, if it has one.
pub fn full_range(path: &Path) -> Option<bool> {
    parse(&super::edits::moov(path)?)
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

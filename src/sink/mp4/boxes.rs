//! The boxes of ISO/IEC 14496-12: reading them in memory, and putting them together.

/// A box whose bytes are in memory: an 8-byte header and the body.
#[derive(Clone, Copy)]
pub struct Atom<'a> {
    /// Four-character code.
    pub kind: [u8; 4],
    /// With its header.
    pub whole: &'a [u8],
    /// Without.
    pub body: &'a [u8],
}

impl<'a> Atom<'a> {
    /// The box at the beginning of `b`; `None` where none fits.
    pub fn first(b: &'a [u8]) -> Option<Self> {
        let size = u32_at(b, 0)? as usize;
        let whole = b.get(..size).filter(|w| w.len() >= 8)?;
        Some(Atom { kind: [b[4], b[5], b[6], b[7]], whole, body: &whole[8..] })
    }

    /// The boxes inside, up to the first that makes no sense. QuickTime ends some lists with four zeros.
    pub fn children(&self) -> impl Iterator<Item = Atom<'a>> + use<'a> {
        let mut rest = self.body;
        std::iter::from_fn(move || {
            let next = Atom::first(rest)?;
            rest = &rest[next.whole.len()..];
            Some(next)
        })
    }

    /// The first box of a kind inside.
    pub fn child(&self, kind: &[u8; 4]) -> Option<Atom<'a>> {
        self.children().find(|c| &c.kind == kind)
    }

    /// The box down a path of kinds.
    pub fn down(&self, path: &[&[u8; 4]]) -> Option<Atom<'a>> {
        path.iter().try_fold(*self, |at, kind| at.child(kind))
    }

    /// The flags of a "full" box.
    pub fn flags(&self) -> Option<u32> {
        Some(u32_at(self.body, 0)? & 0xff_ffff)
    }

    /// The same box with what `edit` makes of each child.
    pub fn with(&self, mut edit: impl FnMut(&Atom<'a>) -> Option<Vec<u8>>) -> Option<Vec<u8>> {
        let (mut body, mut read) = (Vec::with_capacity(self.body.len()), 0);
        for child in self.children() {
            body.extend(edit(&child)?);
            read += child.whole.len();
        }
        body.extend(&self.body[read..]);
        Some(make(&self.kind, &body))
    }
}

/// The big-endian number at an offset.
pub fn u32_at(b: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_be_bytes(b.get(at..at.checked_add(4)?)?.try_into().ok()?))
}

/// The big-endian number at an offset.
pub fn u64_at(b: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_be_bytes(b.get(at..at.checked_add(8)?)?.try_into().ok()?))
}

/// A box around `body`.
pub fn make(kind: &[u8; 4], body: &[u8]) -> Vec<u8> {
    [&(body.len() as u32 + 8).to_be_bytes()[..], kind, body].concat()
}

/// A full box: version, flags 0, then `body`.
pub fn full(kind: &[u8; 4], version: u8, body: &[u8]) -> Vec<u8> {
    make(kind, &[&[version, 0, 0, 0], body].concat())
}

/// A full box that is a counted list.
pub fn table(kind: &[u8; 4], version: u8, count: usize, entries: impl Iterator<Item = u32>) -> Vec<u8> {
    let words = std::iter::once(count as u32).chain(entries);
    full(kind, version, &words.flat_map(u32::to_be_bytes).collect::<Vec<u8>>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn boxes_are_found_changed_and_never_read_beyond_their_end() {
        let inner = make(b"aaaa", &[1, 2]);
        let outer = make(b"oooo", &[&inner[..], &make(b"bbbb", &[]), &[0, 0, 0, 0]].concat());
        let atom = Atom::first(&outer).unwrap();
        assert_eq!(atom.children().map(|c| c.kind).collect::<Vec<_>>(), [*b"aaaa", *b"bbbb"]);
        assert_eq!(atom.child(b"aaaa").unwrap().body, [1, 2]);
        assert!(atom.down(&[b"aaaa", b"cccc"]).is_none());
        let changed = atom.with(|c| Some(if &c.kind == b"aaaa" { Vec::new() } else { c.whole.to_vec() })).unwrap();
        assert_eq!(changed, make(b"oooo", &[&make(b"bbbb", &[])[..], &[0, 0, 0, 0]].concat()));
        for n in 0..outer.len() {
            assert!(Atom::first(&outer[..n]).is_none(), "{n} bytes");
        }
        assert!(Atom::first(&[0, 0, 0, 7, b'x', b'x', b'x', b'x']).is_none(), "shorter than its own header");
        assert_eq!(table(b"stss", 0, 2, [7, 9].into_iter())[8..], [0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 7, 0, 0, 0, 9]);
    }
}

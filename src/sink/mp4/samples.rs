//! What a finished index says of one track's samples, collected from the fragments as they are written: some 5 to 20 bytes a
//! sample.

use super::boxes::{Atom, full, table, u32_at, u64_at};

/// Equal values in a row.
struct Runs<T>(Vec<(u32, T)>);

impl<T: PartialEq> Runs<T> {
    fn push(&mut self, count: u32, value: T) {
        match self.0.last_mut() {
            Some((n, v)) if *v == value => *n += count,
            _ => self.0.push((count, value)),
        }
    }
}

/// One track.
pub struct Samples {
    /// Its number in the file.
    pub id: u32,
    /// Ticks a second.
    pub scale: u32,
    /// Bytes of each sample where all have the same (PCM); else 0.
    constant: u32,
    sizes: Vec<u32>,
    durations: Runs<u32>,
    offsets: Runs<i32>,
    keys: Vec<u32>,
    chunks: Vec<(u64, u32)>,
    /// How many.
    pub count: u32,
    /// Sum of their durations, in ticks.
    pub ticks: u64,
    /// For PCM: what that sum were by the packets' times.
    due: u64,
}

/// What a `tfhd` or `trun` may leave out is said by the one before.
struct Defaults {
    duration: u32,
    size: u32,
    flags: u32,
}

/// PCM that is missing is a gap from 1/25 s on.
const GAP: u32 = 25;
const NOT_A_KEYFRAME: u32 = 0x1_0000;

impl Samples {
    /// A track without samples; `constant` as the `stsz` has it.
    pub fn new(id: u32, scale: u32, constant: u32) -> Self {
        let (durations, offsets) = (Runs(Vec::new()), Runs(Vec::new()));
        let (sizes, keys, chunks) = (Vec::new(), Vec::new(), Vec::new());
        Samples { id, scale, constant, sizes, durations, offsets, keys, chunks, count: 0, ticks: 0, due: 0 }
    }

    /// Takes in a `traf` of a `moof` at file position `moof`. `None`: it is not understood.
    pub fn add(&mut self, traf: &Atom<'_>, moof: u64) -> Option<()> {
        let tfhd = traf.child(b"tfhd")?;
        let flags = tfhd.flags()?;
        let mut at = 8;
        let mut field = |bit: u32, length: usize| {
            (flags & bit != 0).then(|| {
                at += length;
                at - length
            })
        };
        let (base, _description) = (field(0x1, 8), field(0x2, 4));
        let (duration, size, sample_flags) = (field(0x8, 4), field(0x10, 4), field(0x20, 4));
        let value = |at: Option<usize>| at.map_or(Some(0), |at| u32_at(tfhd.body, at));
        let usual = Defaults { duration: value(duration)?, size: value(size)?, flags: value(sample_flags)? };
        let base = base.map_or(Some(moof), |at| u64_at(tfhd.body, at))?;
        let mut next = base;
        for trun in traf.children().filter(|c| &c.kind == b"trun") {
            next = self.run(&trun, &usual, base, next)?;
        }
        Some(())
    }

    /// One run of samples, from `next` on where it does not say; answers with where it ends.
    fn run(&mut self, trun: &Atom<'_>, usual: &Defaults, base: u64, next: u64) -> Option<u64> {
        let (flags, count) = (trun.flags()?, u32_at(trun.body, 4)?);
        let mut at = 8;
        let mut word = |bit: u32| {
            if flags & bit == 0 {
                return Some(None);
            }
            at += 4;
            u32_at(trun.body, at - 4).map(Some)
        };
        let start = match word(0x1)? {
            Some(offset) => base.checked_add_signed(i64::from(offset as i32))?,
            None => next,
        };
        let first_flags = word(0x4)?;
        let (mut end, before) = (start, self.count);
        for n in 0..count {
            let duration = word(0x100)?.unwrap_or(usual.duration);
            let size = word(0x200)?.unwrap_or(usual.size);
            let own = word(0x400)?;
            let flags = own.or(first_flags.filter(|_| n == 0)).unwrap_or(usual.flags);
            let offset = word(0x800)?.unwrap_or(0) as i32;
            self.sample(size, duration, offset, flags & NOT_A_KEYFRAME == 0)?;
            end += u64::from(size);
        }
        if self.count > before {
            self.chunks.push((start, self.count - before));
        }
        Some(end)
    }

    fn sample(&mut self, size: u32, duration: u32, offset: i32, key: bool) -> Option<()> {
        if let Some(n) = size.checked_div(self.constant) {
            // A packet of PCM: a sample for each moment. Its times may be rounded; a gap makes the last sample longer.
            if n == 0 || !size.is_multiple_of(self.constant) {
                return None;
            }
            self.count = self.count.checked_add(n)?;
            self.due += u64::from(duration);
            let gap = self.due.saturating_sub(self.ticks + u64::from(n));
            let last = if gap > u64::from(self.scale / GAP) { 1 + u32::try_from(gap).ok()? } else { 1 };
            self.ticks += u64::from(n - 1) + u64::from(last);
            if n > 1 {
                self.durations.push(n - 1, 1);
            }
            self.durations.push(1, last);
            return Some(());
        }
        self.count = self.count.checked_add(1)?;
        self.ticks += u64::from(duration);
        self.sizes.push(size);
        self.durations.push(1, duration);
        self.offsets.push(1, offset);
        if key {
            self.keys.push(self.count);
        }
        Some(())
    }

    /// How long after its decoding time the first sample is shown, in ticks.
    pub fn lead(&self) -> i64 {
        self.offsets.0.first().map_or(0, |(_, o)| i64::from(*o))
    }

    /// The boxes that follow the `stsd` in an `stbl`.
    pub fn boxes(&self) -> Vec<u8> {
        let mut out = pairs(b"stts", 0, self.durations.0.iter().map(|&(n, d)| (n, d)));
        if self.constant == 0 && (self.keys.len() as u32) < self.count {
            out.extend(table(b"stss", 0, self.keys.len(), self.keys.iter().copied()));
        }
        if self.offsets.0.iter().any(|(_, o)| *o != 0) {
            let version = u8::from(self.offsets.0.iter().any(|(_, o)| *o < 0));
            out.extend(pairs(b"ctts", version, self.offsets.0.iter().map(|&(n, o)| (n, o as u32))));
        }
        out.extend(self.stsc());
        let sizes = [self.constant, self.count];
        out.extend(full(
            b"stsz",
            0,
            &sizes.iter().chain(&self.sizes).flat_map(|w| w.to_be_bytes()).collect::<Vec<u8>>(),
        ));
        let last = self.chunks.last().map_or(0, |c| c.0);
        if u32::try_from(last).is_ok() {
            out.extend(table(b"stco", 0, self.chunks.len(), self.chunks.iter().map(|c| c.0 as u32)));
        } else {
            let halves = self.chunks.iter().flat_map(|c| [(c.0 >> 32) as u32, c.0 as u32]);
            out.extend(table(b"co64", 0, self.chunks.len(), halves));
        }
        out
    }

    /// Samples per chunk, said where it changes.
    fn stsc(&self) -> Vec<u8> {
        let mut changes: Vec<[u32; 3]> = Vec::new();
        for (i, (_, n)) in self.chunks.iter().enumerate() {
            if changes.last().is_none_or(|c| c[1] != *n) {
                changes.push([i as u32 + 1, *n, 1]);
            }
        }
        table(b"stsc", 0, changes.len(), changes.iter().flatten().copied())
    }
}

fn pairs(kind: &[u8; 4], version: u8, entries: impl ExactSizeIterator<Item = (u32, u32)>) -> Vec<u8> {
    table(kind, version, entries.len(), entries.flat_map(|(a, b)| [a, b]))
}

#[cfg(test)]
mod tests {
    use super::super::boxes::make;
    use super::*;

    fn words(w: &[u32]) -> Vec<u8> {
        w.iter().flat_map(|w| w.to_be_bytes()).collect()
    }

    fn traf(tfhd: &[u32], truns: &[&[u32]]) -> Vec<u8> {
        let runs: Vec<u8> = truns.iter().flat_map(|t| make(b"trun", &words(t))).collect();
        make(b"traf", &[make(b"tfhd", &words(tfhd)), runs].concat())
    }

    fn of(boxes: &[u8], kind: &[u8; 4]) -> Vec<u32> {
        let all = make(b"stbl", boxes);
        let found = Atom::first(&all).unwrap().child(kind).unwrap_or_else(|| panic!("no {kind:?}"));
        found.body.chunks(4).map(|w| u32::from_be_bytes(w.try_into().unwrap())).collect()
    }

    #[test]
    fn what_fragments_say_one_by_one_the_tables_say_at_once() {
        let mut t = Samples::new(1, 90000, 0);
        // Everything for each sample, then flags for the first only, then one that all defaults fit.
        let all = [0xf01, 3, 108, 3000, 50, 0x40, 6000, 3000, 20, 0x1_00c0, 15000, 3000, 10, 0x1_00c0, 0];
        t.add(&Atom::first(&traf(&[0, 1], &[&all])).unwrap(), 1000).unwrap();
        let first = [0x205, 2, 100, 0x40, 70, 7];
        t.add(&Atom::first(&traf(&[0x28, 1, 3000, 0x1_00c0], &[&first])).unwrap(), 5000).unwrap();
        let one = [0x1, 1, 100];
        t.add(&Atom::first(&traf(&[0x38, 1, 3003, 9, 0x1_00c0], &[&one])).unwrap(), 1 << 33).unwrap();
        assert_eq!((t.count, t.ticks, t.lead()), (6, 18003, 6000));
        let b = t.boxes();
        assert_eq!(of(&b, b"stts"), [0, 2, 5, 3000, 1, 3003]);
        assert_eq!(of(&b, b"ctts"), [0, 3, 1, 6000, 1, 15000, 4, 0]);
        assert_eq!(of(&b, b"stss"), [0, 2, 1, 4]);
        assert_eq!(of(&b, b"stsz"), [0, 0, 6, 50, 20, 10, 70, 7, 9]);
        assert_eq!(of(&b, b"stsc"), [0, 3, 1, 3, 1, 2, 2, 1, 3, 1, 1]);
        assert_eq!(of(&b, b"co64"), [0, 3, 0, 1108, 0, 5100, 2, 100]);
    }

    #[test]
    fn several_runs_follow_one_another() {
        let mut t = Samples::new(2, 48000, 0);
        let runs: [&[u32]; 2] = [&[0x201, 1, 66, 10], &[0x200, 2, 5, 5]];
        // A base of its own: 900, as two words.
        t.add(&Atom::first(&traf(&[0x9, 2, 0, 900, 1024], &runs)).unwrap(), 0).unwrap();
        let b = t.boxes();
        assert_eq!(of(&b, b"stco"), [0, 2, 966, 976]);
        assert_eq!(of(&b, b"stsc"), [0, 2, 1, 1, 1, 2, 2, 1]);
        assert_eq!(of(&b, b"stts"), [0, 1, 3, 1024]);
        let all = make(b"stbl", &b);
        assert!(Atom::first(&all).unwrap().child(b"stss").is_none(), "every packet is a key");
        assert!(Atom::first(&all).unwrap().child(b"ctts").is_none());
    }

    #[test]
    fn a_packet_of_pcm_is_many_samples() {
        let mut t = Samples::new(2, 48000, 4);
        // Its times are in milliseconds; and once, a second is missing.
        let run = [0x301, 3, 100, 1008, 4096, 49056, 4096, 2, 8];
        t.add(&Atom::first(&traf(&[0, 2], &[&run])).unwrap(), 0).unwrap();
        assert_eq!((t.count, t.ticks), (2050, 50066));
        let b = t.boxes();
        assert_eq!(of(&b, b"stsz"), [0, 4, 2050]);
        assert_eq!(of(&b, b"stts"), [0, 3, 2047, 1, 1, 48017, 2, 1]);
        assert_eq!(of(&b, b"stsc"), [0, 1, 1, 2050, 1]);
    }

    #[test]
    fn what_is_cut_off_is_not_understood() {
        let cut = traf(&[0, 1], &[&[0x201, 3, 100, 9, 9]]);
        assert!(Samples::new(1, 1, 0).add(&Atom::first(&cut).unwrap(), 0).is_none());
    }
}

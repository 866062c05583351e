//! Numbers over time, in bins that become coarser as the run becomes longer: their number stays the same.

use std::collections::BTreeMap;
use std::sync::Arc;

/// Bins at most.
const MOST: usize = 480;
/// The finest bin, in nanoseconds.
const FINEST: u64 = 250_000_000;
/// Lines of one group at most; more are added up in [`OTHERS`].
const LINES: usize = 12;
/// What is left over.
pub const OTHERS: &str = "others";

/// What belongs into one chart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Group {
    /// One for each picture that was looked at.
    Looked,
    /// How many of a label are in a picture.
    Objects,
    /// One for each crossing.
    Crossings,
    /// How many are in a zone.
    Zones,
    /// What was measured.
    Measures,
}

const GROUPS: usize = 5;

/// What fell into one bin.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Bin {
    pub n: u64,
    pub sum: f64,
    pub min: f64,
    pub max: f64,
}

impl Bin {
    fn add(&mut self, other: &Bin) {
        if other.n == 0 {
            return;
        }
        let first = self.n == 0;
        self.min = if first { other.min } else { self.min.min(other.min) };
        self.max = if first { other.max } else { self.max.max(other.max) };
        self.n += other.n;
        self.sum += other.sum;
    }

    /// The mean of what fell into it.
    pub fn mean(&self) -> Option<f64> {
        (self.n > 0).then(|| self.sum / self.n as f64)
    }
}

/// Everything that is shown over time. Times are in nanoseconds of the source.
#[derive(Debug)]
pub struct Bins {
    start: Option<u64>,
    width: u64,
    used: usize,
    lines: [BTreeMap<Arc<str>, Vec<Bin>>; GROUPS],
    /// The time of each bin's first picture, and its time in the video that is shown beside.
    pictures: Vec<Option<(u64, u64)>>,
}

impl Default for Bins {
    fn default() -> Self {
        Bins { start: None, width: FINEST, used: 0, lines: Default::default(), pictures: Vec::new() }
    }
}

impl Bins {
    /// The first picture's time.
    pub fn start(&self) -> u64 {
        self.start.unwrap_or(0)
    }

    /// A picture came, which is at `film` in the video.
    pub fn picture(&mut self, at: u64, film: u64) {
        let i = self.bin(at);
        if self.pictures.len() <= i {
            self.pictures.resize(i + 1, None);
        }
        self.pictures[i].get_or_insert((at, film));
    }

    /// Adds a value.
    pub fn add(&mut self, group: Group, name: &Arc<str>, at: u64, value: f64) {
        let i = self.bin(at);
        let lines = &mut self.lines[group as usize];
        let line = match lines.len() < LINES || lines.contains_key(name) {
            true => lines.entry(name.clone()).or_default(),
            false => lines.entry(OTHERS.into()).or_default(),
        };
        if line.len() <= i {
            line.resize(i + 1, Bin::default());
        }
        line[i].add(&Bin { n: 1, sum: value, min: value, max: value });
    }

    /// The bin of a time; makes all of them coarser where there is none.
    fn bin(&mut self, at: u64) -> usize {
        let since = at.saturating_sub(*self.start.get_or_insert(at));
        while since / self.width >= MOST as u64 {
            self.width *= 2;
            let halved = |bins: &Vec<Bin>| merged(bins, 2);
            self.lines.iter_mut().flat_map(BTreeMap::values_mut).for_each(|l| *l = halved(l));
            self.pictures = self.pictures.chunks(2).map(|c| c.iter().flatten().next().copied()).collect();
            self.used = self.used.div_ceil(2);
        }
        let i = (since / self.width) as usize;
        self.used = self.used.max(i + 1);
        i
    }

    /// How many bins make one of at most `most`.
    pub fn to_fit(&self, most: usize) -> usize {
        self.used.div_ceil(most.max(1)).max(1)
    }

    /// Where bins begin, `per` of them taken together, in nanoseconds after the start.
    pub fn times(&self, per: usize) -> impl Iterator<Item = u64> {
        let width = self.width;
        (0..self.used).step_by(per).map(move |i| i as u64 * width)
    }

    /// The lines of a group with `per` bins taken together; as many as [`Bins::times`] has.
    pub fn lines(&self, group: Group, per: usize) -> impl Iterator<Item = (&Arc<str>, Vec<Bin>)> {
        self.lines[group as usize].iter().map(move |(name, bins)| {
            let mut all = merged(bins, per);
            all.resize(self.used.div_ceil(per), Bin::default());
            (name, all)
        })
    }

    /// Times of pictures, one for each bin that has some: in the source, and in the video.
    pub fn moments(&self) -> impl Iterator<Item = (u64, u64)> {
        self.pictures.iter().flatten().copied()
    }
}

fn merged(bins: &[Bin], per: usize) -> Vec<Bin> {
    let sum = |some: &[Bin]| {
        some.iter().fold(Bin::default(), |mut all, b| {
            all.add(b);
            all
        })
    };
    bins.chunks(per).map(sum).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_needs_no_more_than_a_minute() {
        let mut bins = Bins::default();
        let name: Arc<str> = "x".into();
        let day = 24 * 3600 * 25u64;
        for n in 0..day / 5 {
            let at = 7_000_000_000 + n * 200_000_000;
            bins.picture(at, at - 7_000_000_000);
            bins.add(Group::Measures, &name, at, (n % 10) as f64);
        }
        let (_, line) = bins.lines(Group::Measures, 1).next().unwrap();
        assert!(line.len() <= MOST && line.len() > MOST / 2, "{}", line.len());
        assert_eq!(line.iter().map(|b| b.n).sum::<u64>(), day / 5);
        assert!(line.iter().all(|b| b.min == 0.0 && b.max == 9.0 && (b.mean().unwrap() - 4.5).abs() < 0.1));
        assert_eq!(bins.times(1).count(), line.len());
        let (per, few) = (bins.to_fit(60), bins.lines(Group::Measures, bins.to_fit(60)).next().unwrap().1);
        assert!(few.len() <= 60 && few.len() == bins.times(per).count());
        let last = bins.moments().last().unwrap();
        assert_eq!(last.0 - last.1, 7_000_000_000);
        assert_eq!((bins.start(), bins.moments().next()), (7_000_000_000, Some((7_000_000_000, 0))));
    }

    #[test]
    fn too_many_names_are_added_up() {
        let mut bins = Bins::default();
        for n in 0..100 {
            bins.add(Group::Objects, &format!("{n}").into(), 0, 1.0);
        }
        let lines: Vec<_> = bins.lines(Group::Objects, 1).collect();
        assert_eq!(lines.len(), LINES + 1);
        assert_eq!(lines.iter().map(|l| l.1[0].sum).sum::<f64>(), 100.0);
        assert!(lines.iter().any(|l| &**l.0 == OTHERS));
    }
}

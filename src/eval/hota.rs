//! HOTA: J. Luiten et al., "HOTA: A Higher Order Metric for Evaluating Multi-Object Tracking", IJCV 2021.

use std::ops::AddAssign;

use super::Compared;
use crate::vision::track::assign;

/// Thresholds of localisation: 0.05, 0.10 … 0.95.
const ALPHAS: usize = 19;

/// Counts for each threshold of localisation.
#[derive(Clone, Debug, Default)]
pub struct Hota {
    found: [f64; ALPHAS],
    missed: [f64; ALPHAS],
    false_ones: [f64; ALPHAS],
    /// Association scores of the boxes found, added up.
    association: [f64; ALPHAS],
}

impl Hota {
    /// Matches each picture so that boxes of objects and tracks that go well together over the whole sequence meet.
    pub fn of(compared: &Compared) -> Self {
        let (truths, tracks) = (compared.truths, compared.tracks);
        let mut common = vec![0.0; truths * tracks];
        let (mut of_truth, mut of_track) = (vec![0.0; truths], vec![0.0; tracks]);
        for m in &compared.moments {
            let row = |r: usize| (0..m.tracks.len()).map(|c| m.overlap(r, c)).sum::<f64>();
            let rows: Vec<f64> = (0..m.truths.len()).map(row).collect();
            let column = |c: usize| (0..m.truths.len()).map(|r| m.overlap(r, c)).sum::<f64>();
            let columns: Vec<f64> = (0..m.tracks.len()).map(column).collect();
            for (r, truth) in m.truths.iter().enumerate() {
                of_truth[*truth] += 1.0;
                for (c, track) in m.tracks.iter().enumerate() {
                    let all = rows[r] + columns[c] - m.overlap(r, c);
                    if all > f64::EPSILON {
                        common[truth * tracks + track] += m.overlap(r, c) / all;
                    }
                }
            }
            m.tracks.iter().for_each(|c| of_track[*c] += 1.0);
        }
        let alignment = |truth: usize, track: usize| {
            let shared: f64 = common[truth * tracks + track];
            shared / (of_truth[truth] + of_track[track] - shared)
        };
        let mut hota = Hota::default();
        let mut matches = vec![[0u32; ALPHAS]; truths * tracks];
        for m in &compared.moments {
            let gain = |r: usize, c: usize| match m.overlap(r, c) {
                0.0 => 0.0,
                overlap => alignment(m.truths[r], m.tracks[c]) * overlap,
            };
            let pairs = assign(m.truths.len(), m.tracks.len(), gain);
            for (a, found) in hota.found.iter_mut().enumerate() {
                let alpha = 0.05 * (a + 1) as f64 - f64::EPSILON;
                let mut count = 0.0;
                for (r, c) in pairs.iter().filter(|(r, c)| m.overlap(*r, *c) >= alpha) {
                    matches[m.truths[*r] * tracks + m.tracks[*c]][a] += 1;
                    count += 1.0;
                }
                *found += count;
                hota.missed[a] += m.truths.len() as f64 - count;
                hota.false_ones[a] += m.tracks.len() as f64 - count;
            }
        }
        for truth in 0..truths {
            for track in 0..tracks {
                for (a, n) in matches[truth * tracks + track].iter().enumerate().filter(|(_, n)| **n > 0) {
                    let n = f64::from(*n);
                    hota.association[a] += n * n / (of_truth[truth] + of_track[track] - n).max(1.0);
                }
            }
        }
        hota
    }

    /// HOTA, 0–1.
    pub fn hota(&self) -> f64 {
        self.mean(|a| (self.detection_at(a) * self.association_at(a)).sqrt())
    }

    /// DetA: how well boxes were found, 0–1.
    pub fn detection(&self) -> f64 {
        self.mean(|a| self.detection_at(a))
    }

    /// AssA: how well they were linked, 0–1.
    pub fn association(&self) -> f64 {
        self.mean(|a| self.association_at(a))
    }

    fn mean(&self, of: impl Fn(usize) -> f64) -> f64 {
        (0..ALPHAS).map(of).sum::<f64>() / ALPHAS as f64
    }

    fn detection_at(&self, a: usize) -> f64 {
        self.found[a] / (self.found[a] + self.missed[a] + self.false_ones[a]).max(1.0)
    }

    fn association_at(&self, a: usize) -> f64 {
        self.association[a] / self.found[a].max(1.0)
    }
}

impl AddAssign<&Hota> for Hota {
    fn add_assign(&mut self, other: &Hota) {
        let add = |to: &mut [f64], from: &[f64]| to.iter_mut().zip(from).for_each(|(t, f)| *t += f);
        add(&mut self.found, &other.found);
        add(&mut self.missed, &other.missed);
        add(&mut self.false_ones, &other.false_ones);
        add(&mut self.association, &other.association);
    }
}

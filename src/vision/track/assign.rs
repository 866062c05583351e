//! The best one-to-one assignment of rows to columns.

use pathfinding::kuhn_munkres::kuhn_munkres;
use pathfinding::matrix::Matrix;

/// Gains are compared in steps of this size: the algorithm wants whole numbers, and results must not depend on rounding.
const STEP: f64 = 1.0 / (1u64 << 32) as f64;
/// Greater gains count as this one.
const MOST: f64 = 1e5;

/// The pairs (row, column) whose gains add up to the most, in order of rows; each row and column is used once at most.
/// Pairs whose gain is not above 0 are never taken.
///
/// Rows and columns that have nothing to do with each other are solved apart, so that many objects far from each other cost
/// little; each such part goes through the Kuhn–Munkres algorithm.
pub fn assign(rows: usize, columns: usize, mut gain: impl FnMut(usize, usize) -> f64) -> Vec<(usize, usize)> {
    let mut edges = Vec::new();
    for r in 0..rows {
        for c in 0..columns {
            let g = gain(r, c);
            if g > 0.0 {
                edges.push((r, c, ((g.min(MOST) / STEP) as i64).max(1)));
            }
        }
    }
    // Union-find over rows and, behind them, columns.
    let mut parent: Vec<usize> = (0..rows + columns).collect();
    fn root(parent: &mut [usize], mut i: usize) -> usize {
        while parent[i] != i {
            parent[i] = parent[parent[i]];
            i = parent[i];
        }
        i
    }
    for (r, c, _) in &edges {
        let (a, b) = (root(&mut parent, *r), root(&mut parent, rows + c));
        // The smaller number stays: parts come in the order of their first rows.
        parent[a.max(b)] = a.min(b);
    }
    let mut parts: Vec<(usize, usize, usize, i64)> =
        edges.iter().map(|(r, c, g)| (root(&mut parent, *r), *r, *c, *g)).collect();
    parts.sort_unstable();
    let mut pairs = Vec::new();
    for part in parts.chunk_by(|a, b| a.0 == b.0) {
        solve(part, &mut pairs);
    }
    pairs.sort_unstable();
    pairs
}

/// One part: its edges as (part, row, column, gain), sorted.
fn solve(edges: &[(usize, usize, usize, i64)], pairs: &mut Vec<(usize, usize)>) {
    if let [(_, r, c, _)] = edges {
        pairs.push((*r, *c));
        return;
    }
    let mut rows: Vec<usize> = edges.iter().map(|e| e.1).collect();
    let mut columns: Vec<usize> = edges.iter().map(|e| e.2).collect();
    for list in [&mut rows, &mut columns] {
        list.sort_unstable();
        list.dedup();
    }
    // The algorithm wants no more rows than columns.
    let turned = rows.len() > columns.len();
    let (h, w) = if turned { (columns.len(), rows.len()) } else { (rows.len(), columns.len()) };
    let mut gains = Matrix::new(h, w, 0i64);
    for (_, r, c, g) in edges {
        // Both lists hold every edge's ends.
        let (Ok(r), Ok(c)) = (rows.binary_search(r), columns.binary_search(c)) else { continue };
        gains[if turned { (c, r) } else { (r, c) }] = *g;
    }
    let (_, chosen) = kuhn_munkres(&gains);
    for (a, b) in chosen.into_iter().enumerate() {
        if gains[(a, b)] > 0 {
            pairs.push(if turned { (rows[b], columns[a]) } else { (rows[a], columns[b]) });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every assignment tried: the greatest sum.
    fn by_trying(gains: &[Vec<f64>], row: usize, used: &mut Vec<bool>) -> f64 {
        if row == gains.len() {
            return 0.0;
        }
        let mut best = by_trying(gains, row + 1, used);
        for c in 0..used.len() {
            if !used[c] && gains[row][c] > 0.0 {
                used[c] = true;
                best = best.max(gains[row][c] + by_trying(gains, row + 1, used));
                used[c] = false;
            }
        }
        best
    }

    #[test]
    fn as_good_as_trying_all() {
        let mut noise = 12345u32;
        let mut next = || {
            noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            f64::from(noise >> 8) / f64::from(1 << 24)
        };
        for case in 0..300 {
            let (rows, columns) = (case % 6, case / 6 % 6);
            let gains: Vec<Vec<f64>> =
                (0..rows).map(|_| (0..columns).map(|_| (next() - 0.4).max(0.0)).collect()).collect();
            let pairs = assign(rows, columns, |r, c| gains[r][c]);
            let sum: f64 = pairs.iter().map(|(r, c)| gains[*r][*c]).sum();
            let best = by_trying(&gains, 0, &mut vec![false; columns]);
            assert!((sum - best).abs() < 1e-6, "{gains:?}: {sum} instead of {best}");
            let mut columns: Vec<usize> = pairs.iter().map(|p| p.1).collect();
            columns.sort_unstable();
            columns.dedup();
            assert_eq!(columns.len(), pairs.len(), "a column is used twice");
        }
    }

    #[test]
    fn what_gains_nothing_is_left_alone() {
        assert_eq!(assign(2, 2, |_, _| 0.0), []);
        assert_eq!(assign(2, 2, |_, _| f64::NAN), []);
        assert_eq!(assign(0, 5, |_, _| 1.0), []);
        assert_eq!(assign(1, 2, |_, c| if c == 1 { f64::INFINITY } else { 1.0 }), [(0, 1)]);
    }
}

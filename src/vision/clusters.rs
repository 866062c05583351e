//! Things in a mask: pixels that are near each other.
//!
//! The mask is divided into cells; marked pixels of the same cell or of neighbouring ones (diagonal ones, too) belong together. So
//! what is no farther apart than a cell's side always does, and what is twice as far never does.

/// One thing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cluster {
    /// How many pixels are marked.
    pub pixels: u32,
    /// The first column and row with marked pixels, and those behind the last, in pixels of the mask.
    pub left: usize,
    #[allow(missing_docs)]
    pub top: usize,
    #[allow(missing_docs)]
    pub right: usize,
    #[allow(missing_docs)]
    pub bottom: usize,
}

impl Cluster {
    const NONE: Cluster = Cluster { pixels: 0, left: usize::MAX, top: usize::MAX, right: 0, bottom: 0 };

    fn add(&mut self, other: &Cluster) {
        self.pixels += other.pixels;
        (self.left, self.top) = (self.left.min(other.left), self.top.min(other.top));
        (self.right, self.bottom) = (self.right.max(other.right), self.bottom.max(other.bottom));
    }
}

/// Finds things in masks of one size; what it needs for that is kept.
#[derive(Debug)]
pub struct Clusters {
    width: usize,
    side: usize,
    columns: usize,
    cells: Vec<Cluster>,
    /// The cell that stands for the thing a cell belongs to, or one nearer to it.
    roots: Vec<usize>,
    found: Vec<Cluster>,
}

impl Clusters {
    /// For masks of `width` x `height` pixels, with cells of `side` x `side`.
    ///
    /// # Panics
    /// If one of them is 0.
    pub fn new(width: usize, height: usize, side: usize) -> Self {
        let (columns, rows) = (width.div_ceil(side), height.div_ceil(side));
        assert!(columns > 0 && rows > 0, "{width}x{height} in cells of {side}");
        let n = columns * rows;
        Clusters { width, side, columns, cells: vec![Cluster::NONE; n], roots: vec![0; n], found: Vec::new() }
    }

    /// The things in a mask, whose marked pixels are not 0, from top to bottom.
    pub fn find(&mut self, mask: &[u8]) -> &[Cluster] {
        self.cells.fill(Cluster::NONE);
        for (y, row) in mask.chunks_exact(self.width).enumerate() {
            if is_empty(row) {
                continue;
            }
            let cells = &mut self.cells[y / self.side * self.columns..][..self.columns];
            for (column, (part, cell)) in
                row.chunks(self.side).zip(cells).enumerate().filter(|(_, (p, _))| !is_empty(p))
            {
                let first = part.iter().position(|b| *b != 0).unwrap_or(0);
                let last = part.iter().rposition(|b| *b != 0).unwrap_or(0);
                let pixels = part.iter().map(|b| u32::from(*b != 0)).sum();
                let x = column * self.side;
                cell.add(&Cluster { pixels, left: x + first, top: y, right: x + last + 1, bottom: y + 1 });
            }
        }
        self.join();
        self.found.clear();
        self.found.extend(
            self.cells.iter().enumerate().filter(|(i, c)| c.pixels > 0 && self.roots[*i] == *i).map(|(_, c)| *c),
        );
        &self.found
    }

    /// Adds cells that belong together to the first of them.
    fn join(&mut self) {
        let columns = self.columns;
        for i in 0..self.cells.len() {
            self.roots[i] = i;
            if self.cells[i].pixels == 0 {
                continue;
            }
            let (left, right) = (i % columns > 0, (i + 1) % columns > 0);
            let above = i.checked_sub(columns);
            let before = [
                i.checked_sub(1).filter(|_| left),
                above.and_then(|a| a.checked_sub(1)).filter(|_| left),
                above,
                above.map(|a| a + 1).filter(|_| right),
            ];
            for j in before.into_iter().flatten().filter(|j| self.cells[*j].pixels > 0) {
                let (a, b) = (root(&mut self.roots, i), root(&mut self.roots, j));
                self.roots[a.max(b)] = a.min(b);
            }
        }
        for i in 0..self.cells.len() {
            let first = root(&mut self.roots, i);
            if first != i {
                let cell = self.cells[i];
                self.cells[first].add(&cell);
            }
        }
    }
}

/// The cell that stands for the thing that cell `i` belongs to.
fn root(roots: &mut [usize], mut i: usize) -> usize {
    while roots[i] != i {
        roots[i] = roots[roots[i]];
        i = roots[i];
    }
    i
}

fn is_empty(pixels: &[u8]) -> bool {
    pixels.iter().fold(0, |all, b| all | b) == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find(picture: &[&str], side: usize) -> Vec<(u32, [usize; 4])> {
        let mask: Vec<u8> = picture.iter().flat_map(|r| r.bytes()).map(|b| if b == b'#' { 255 } else { 0 }).collect();
        let mut c = Clusters::new(picture[0].len(), picture.len(), side);
        // Nothing is left of an earlier mask.
        c.find(&vec![255; mask.len()]);
        c.find(&mask).iter().map(|c| (c.pixels, [c.left, c.top, c.right, c.bottom])).collect()
    }

    #[test]
    fn near_is_one_and_far_is_two() {
        let mask = ["#..#.....#", "..........", "..........", "#........."];
        assert_eq!(find(&mask, 3), [(3, [0, 0, 4, 4]), (1, [9, 0, 10, 1])]);
        assert_eq!(find(&mask, 1).len(), 4);
        assert_eq!(find(&["...", "..."], 2), []);
        assert_eq!(find(&["#"], 5), [(1, [0, 0, 1, 1])]);
    }

    #[test]
    fn shapes_that_meet_late_are_one() {
        let mask = ["#.#.#", "#.#.#", "#.###", "#.#..", "###.."];
        assert_eq!(find(&mask, 1), [(15, [0, 0, 5, 5])]);
        let apart = ["#...#", ".#.#.", "..#..", ".....", "#####"];
        assert_eq!(find(&apart, 1), [(5, [0, 0, 5, 3]), (5, [0, 4, 5, 5])]);
        // The last cell of a row and the first of the next are no neighbours.
        assert_eq!(find(&["..#", "...", "#.."], 1).len(), 2);
        assert_eq!(find(&["..#", "#.."], 1).len(), 2);
    }
}

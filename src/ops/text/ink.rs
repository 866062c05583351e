//! The coverage of letters and their outline on a window of the picture.

/// A rectangle: left and top inside, right and bottom outside.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Bounds {
    pub left: i32,
    pub top: i32,
    pub right: i32,
    pub bottom: i32,
}

impl Bounds {
    pub fn sized(left: i32, top: i32, width: i32, height: i32) -> Self {
        Bounds { left, top, right: left.saturating_add(width), bottom: top.saturating_add(height) }
    }

    pub fn width(&self) -> u32 {
        self.right.saturating_sub(self.left).max(0) as u32
    }

    pub fn height(&self) -> u32 {
        self.bottom.saturating_sub(self.top).max(0) as u32
    }

    pub fn is_empty(&self) -> bool {
        self.width() == 0 || self.height() == 0
    }

    /// The smallest rectangle around both; an empty one does not count.
    pub fn with(self, other: Bounds) -> Self {
        match (self.is_empty(), other.is_empty()) {
            (true, _) => other,
            (_, true) => self,
            _ => Bounds {
                left: self.left.min(other.left),
                top: self.top.min(other.top),
                right: self.right.max(other.right),
                bottom: self.bottom.max(other.bottom),
            },
        }
    }

    /// What both share.
    pub fn within(self, other: Bounds) -> Self {
        Bounds {
            left: self.left.max(other.left),
            top: self.top.max(other.top),
            right: self.right.min(other.right),
            bottom: self.bottom.min(other.bottom),
        }
    }

    pub fn moved(self, x: i32, y: i32) -> Self {
        Bounds {
            left: self.left.saturating_add(x),
            top: self.top.saturating_add(y),
            right: self.right.saturating_add(x),
            bottom: self.bottom.saturating_add(y),
        }
    }
}

/// What letters cover, one byte per pixel of the window.
#[derive(Default)]
pub(super) struct Ink {
    /// Where this is, in the coordinates that the letters were laid out in.
    pub window: Bounds,
    /// The letters.
    pub fill: Vec<u8>,
    /// Their outline, the letters themselves included; empty when there is none.
    pub edge: Vec<u8>,
    /// Colour glyphs (emoji): red, green, blue, opacity; empty when there are none.
    pub picture: Vec<u8>,
}

impl Ink {
    pub fn new(window: Bounds, outline: bool) -> Self {
        let size = window.width() as usize * window.height() as usize;
        Ink { window, fill: vec![0; size], edge: vec![0; if outline { size } else { 0 }], picture: Vec::new() }
    }

    /// Adds a letter.
    pub fn fill(&mut self, at: Bounds, mask: &[u8]) {
        cover(&mut self.fill, self.window, at, mask);
    }

    /// Adds a letter's outline.
    pub fn edge(&mut self, at: Bounds, mask: &[u8]) {
        cover(&mut self.edge, self.window, at, mask);
    }

    /// Adds a colour glyph of straight-alpha RGBA pixels.
    pub fn picture(&mut self, at: Bounds, rgba: &[u8]) {
        self.picture.resize(4 * self.fill.len(), 0);
        rows(self.window, at, |to, from| {
            self.picture[4 * to.start..4 * to.end].copy_from_slice(&rgba[4 * from.start..4 * from.end]);
        });
    }
}

/// Overlapping glyphs cover as much as the one that covers more.
fn cover(to: &mut [u8], window: Bounds, at: Bounds, mask: &[u8]) {
    if mask.is_empty() || to.is_empty() {
        return;
    }
    rows(window, at, |t, f| {
        for (to, from) in to[t].iter_mut().zip(&mask[f]) {
            *to = (*to).max(*from);
        }
    });
}

/// Calls `f` with the ranges of each row that `window` and an image at `at` share, in pixels of each.
fn rows(window: Bounds, at: Bounds, mut f: impl FnMut(std::ops::Range<usize>, std::ops::Range<usize>)) {
    let shared = at.within(window);
    let n = shared.width() as usize;
    if n == 0 {
        return;
    }
    for y in shared.top..shared.bottom {
        let start = |b: Bounds| (y - b.top) as usize * b.width() as usize + (shared.left - b.left) as usize;
        f(start(window)..start(window) + n, start(at)..start(at) + n);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn glyphs_are_cut_at_the_window_and_overlap_by_the_larger() {
        let mut ink = Ink::new(Bounds::sized(10, 10, 3, 2), true);
        ink.fill(Bounds::sized(9, 9, 2, 2), &[1, 2, 3, 40]);
        ink.fill(Bounds::sized(10, 10, 1, 1), &[30]);
        ink.fill(Bounds::sized(12, 11, 5, 5), &[7; 25]);
        ink.edge(Bounds::sized(100, 10, 5, 5), &[7; 25]);
        assert_eq!(ink.fill, [40, 0, 0, 0, 0, 7]);
        assert_eq!(ink.edge, [0; 6]);
        ink.picture(Bounds::sized(12, 9, 1, 2), &[1, 2, 3, 4, 5, 6, 7, 8]);
        assert_eq!(ink.picture[8..12], [5, 6, 7, 8]);
    }

    #[test]
    fn empty_rectangles_do_not_count() {
        let a = Bounds::sized(5, 5, 2, 2);
        assert_eq!(Bounds::default().with(a), a);
        assert_eq!(a.with(Bounds::sized(90, 90, 0, 4)), a);
        assert!(a.within(Bounds::sized(7, 5, 1, 1)).is_empty());
    }
}

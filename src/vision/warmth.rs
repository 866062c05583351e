//! Seconds of presence over the picture, on a grid.

use image::RgbImage;

use super::count::Place;

/// Cells along the picture's longer side.
const FINE: u32 = 240;

/// What each cell has got.
#[derive(Default)]
pub struct Warmth {
    width: u32,
    height: u32,
    /// Pixels of a cell's side.
    cell: f64,
    columns: usize,
    rows: usize,
    /// Seconds.
    cells: Vec<f32>,
}

/// From a little to the most: blue, cyan, green, yellow, red.
const COLORS: [[f32; 3]; 5] =
    [[0.0, 0.0, 255.0], [0.0, 200.0, 255.0], [0.0, 220.0, 60.0], [255.0, 230.0, 0.0], [255.0, 0.0, 0.0]];

impl Warmth {
    /// Over a picture of so many pixels.
    pub fn new(width: u32, height: u32) -> Self {
        let cell = (f64::from(width.max(height)) / f64::from(FINE)).max(1.0);
        let along = |v: u32| (f64::from(v) / cell).ceil().max(1.0) as usize;
        let (columns, rows) = (along(width), along(height));
        Warmth { width, height, cell, columns, rows, cells: vec![0.0; columns * rows] }
    }

    /// Leaves this share.
    pub fn cool(&mut self, share: f32) {
        self.cells.iter_mut().for_each(|c| *c *= share);
    }

    /// Somebody was at `at` for so long: a Gaussian of height `seconds` and deviation `spread` pixels.
    pub fn warm(&mut self, at: Place, spread: f64, seconds: f32) {
        let spread = (spread / self.cell).max(0.5);
        let (x, y) = (at.0 / self.cell - 0.5, at.1 / self.cell - 0.5);
        let range = |v: f64, whole: usize| {
            let clip = |v: f64| v.clamp(0.0, whole as f64) as usize;
            clip((v - 3.0 * spread).floor())..clip((v + 3.0 * spread).ceil() + 1.0)
        };
        let falls = |d: f64| (-d * d / (2.0 * spread * spread)).exp();
        let across: Vec<f32> = range(x, self.columns).map(|c| falls(c as f64 - x) as f32).collect();
        let first = range(x, self.columns).start;
        for row in range(y, self.rows) {
            let share = falls(row as f64 - y) as f32 * seconds;
            let from = row * self.columns + first;
            self.cells[from..].iter_mut().zip(&across).for_each(|(cell, a)| *cell += share * a);
        }
    }

    /// The most seconds, and where that is in pixels.
    pub fn hottest(&self) -> (f64, Place) {
        let most = self.cells.iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1)).filter(|(_, v)| **v > 0.0);
        let Some((i, v)) = most else { return (0.0, (0.0, 0.0)) };
        let middle = |n: usize| (n as f64 + 0.5) * self.cell;
        (f64::from(*v), (middle(i % self.columns), middle(i / self.columns)))
    }

    /// Blends the colours into `picture`, which has so many pixels, as far as `opacity` (0 to 1) says.
    pub fn show_on(&self, picture: &mut RgbImage, opacity: f32) {
        for (pixel, over) in picture.pixels_mut().zip(self.rgba().chunks_exact(4)) {
            let share = opacity * f32::from(over[3]) / 255.0;
            for (below, above) in pixel.0.iter_mut().zip(over) {
                *below = (f32::from(*below) + (f32::from(*above) - f32::from(*below)) * share).round() as u8;
            }
        }
    }

    /// The picture's pixels as red, green, blue, opacity; between cells linearly.
    pub fn rgba(&self) -> Vec<u8> {
        let mut out = Vec::new();
        self.rgba_into(&mut out);
        out
    }

    /// The same into memory that is there.
    pub fn rgba_into(&self, out: &mut Vec<u8>) {
        out.clear();
        out.resize(4 * self.width as usize * self.height as usize, 0);
        let most = self.hottest().0 as f32;
        if most <= 0.0 {
            return;
        }
        // In which cells a pixel lies, and how far it is to the second one.
        let places = |whole: u32, cells: usize| -> Vec<(usize, usize, f32)> {
            let place = |p: u32| {
                let at = ((f64::from(p) + 0.5) / self.cell - 0.5).clamp(0.0, cells as f64 - 1.0);
                (at as usize, (at as usize + 1).min(cells - 1), at.fract() as f32)
            };
            (0..whole).map(place).collect()
        };
        let columns = places(self.width, self.columns);
        let rows = places(self.height, self.rows);
        for ((top, bottom, down), line) in rows.into_iter().zip(out.chunks_exact_mut(4 * self.width as usize)) {
            let row = |r: usize| &self.cells[r * self.columns..(r + 1) * self.columns];
            let (upper, lower) = (row(top), row(bottom));
            for ((left, right, across), pixel) in columns.iter().zip(line.chunks_exact_mut(4)) {
                let above = upper[*left] + (upper[*right] - upper[*left]) * across;
                let below = lower[*left] + (lower[*right] - lower[*left]) * across;
                // The root shows ways that few have gone, too.
                let share = ((above + (below - above) * down) / most).clamp(0.0, 1.0).sqrt();
                if share < 0.04 {
                    continue;
                }
                let step = share * (COLORS.len() - 1) as f32;
                let (from, to) = (COLORS[step as usize], COLORS[(step as usize + 1).min(COLORS.len() - 1)]);
                for (v, (a, b)) in pixel.iter_mut().zip(from.iter().zip(&to)) {
                    *v = (a + (b - a) * step.fract()).round() as u8;
                }
                pixel[3] = ((share * 3.0).min(1.0) * 255.0).round() as u8;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn warms_where_somebody_is_and_cools() {
        let mut w = Warmth::new(480, 270);
        for _ in 0..50 {
            w.warm((101.0, 201.0), 10.0, 0.04);
        }
        let (most, (x, y)) = w.hottest();
        assert!((most - 2.0).abs() < 0.01 && (x - 101.0).abs() < 2.0 && (y - 201.0).abs() < 2.0, "{most} at {x},{y}");
        w.cool(0.5);
        assert!((w.hottest().0 - 1.0).abs() < 0.01);
        let rgba = w.rgba();
        let at = |x: usize, y: usize| &rgba[4 * (y * 480 + x)..][..4];
        assert!(at(101, 201)[0] > 250 && at(101, 201)[3] == 255 && at(400, 20) == [0, 0, 0, 0], "{:?}", at(101, 201));
        // Outside of the picture, and on one of a single pixel: nothing, and no panic.
        w.warm((-5000.0, 1e9), 10.0, 1.0);
        let mut one = Warmth::new(1, 1);
        one.warm((0.5, 0.5), 0.1, 1.0);
        assert_eq!(one.rgba().len(), 4);
    }
}

//! The anchors that UltraFace and the YuNet of 2022 measure their boxes from.

/// Sides of the square anchors of each stride, in pixels.
const SIDES: [(u32, &[u32]); 4] = [(8, &[10, 16, 24]), (16, &[32, 48]), (32, &[64, 96]), (64, &[128, 192, 256])];

/// Centre x, centre y and side of every anchor, in pixels: stride by stride, row by row. `grid` gives columns and rows of a
/// stride, by its number from 0.
pub(super) fn all(grid: impl Fn(u32, u32) -> [u32; 2]) -> impl Iterator<Item = (f32, f32, f32)> {
    (0..).zip(SIDES).flat_map(move |(level, (stride, sides))| {
        let [cols, rows] = grid(level, stride);
        let center = move |i: u32| (i as f32 + 0.5) * stride as f32;
        (0..rows).flat_map(move |y| {
            (0..cols).flat_map(move |x| sides.iter().map(move |side| (center(x), center(y), *side as f32)))
        })
    })
}

//! The grid of cells that each stride lays over the input.

/// Columns and rows of cells.
pub(super) fn grid(size: [u32; 2], stride: u32) -> [usize; 2] {
    size.map(|side| side.div_ceil(stride) as usize)
}

/// How many cells there are.
pub(super) fn count(size: [u32; 2], stride: u32) -> usize {
    let [cols, rows] = grid(size, stride);
    cols * rows
}

/// Column, row and stride of every cell, stride by stride, row by row.
pub(super) fn all(size: [u32; 2], strides: &[u32]) -> impl Iterator<Item = (f32, f32, f32)> {
    strides.iter().flat_map(move |&stride| {
        let [cols, rows] = grid(size, stride);
        (0..rows).flat_map(move |y| (0..cols).map(move |x| (x as f32, y as f32, stride as f32)))
    })
}

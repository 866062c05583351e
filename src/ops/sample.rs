//! Rows of samples as numbers, for what is done sample by sample.

use opencv::core::{DataType, Mat};
use opencv::prelude::*;

/// A stored sample: 8 or 16 bits.
pub trait Sample: DataType + Copy + Default + Into<f32> + Into<u32> {
    /// The nearest sample to `v`, which is not below 0.
    fn nearest(v: f32) -> Self;
    /// The sample that is `v`, which fits.
    fn exact(v: u32) -> Self;

    /// The nearest sample to `v` that has no bits but the significant ones.
    fn rounded(v: f32, bits: u32) -> Self {
        let sample: u32 = Self::nearest(v + !bits as f32 / 2.0).into();
        Self::exact(sample & bits)
    }
}

/// Both kinds go by way of `i32`, which the compiler has vector instructions for.
impl Sample for u8 {
    fn nearest(v: f32) -> Self {
        (v + 0.5) as i32 as u8
    }
    fn exact(v: u32) -> Self {
        v as u8
    }
}

impl Sample for u16 {
    fn nearest(v: f32) -> Self {
        (v + 0.5) as i32 as u16
    }
    fn exact(v: u32) -> Self {
        v as u16
    }
}

/// Calls `f` with each row of `from` and of `to`, channels interleaved.
pub fn each_row<S: DataType, T: DataType>(
    from: &impl MatTraitConst,
    to: &mut impl MatTrait,
    mut f: impl FnMut(i32, &[S], &mut [T]),
) -> opencv::Result<()> {
    let (from, mut to) = (from.reshape_def(1)?, to.reshape_def_mut(1)?);
    for y in 0..to.rows() {
        f(y, from.at_row(y)?, to.at_row_mut(y)?);
    }
    Ok(())
}

/// Rounds 16-bit samples to their significant `bits`.
pub fn round_to(m: &mut impl MatTrait, bits: u32) -> opencv::Result<()> {
    if bits == u32::MAX {
        return Ok(());
    }
    let (mut m, half) = (m.reshape_def_mut(1)?, (!bits as u16).div_ceil(2));
    for y in 0..m.rows() {
        m.at_row_mut::<u16>(y)?.iter_mut().for_each(|s| *s = s.saturating_add(half) & bits as u16);
    }
    Ok(())
}

/// True for matrices of 16-bit samples.
pub fn is_deep(m: &impl MatTraitConst) -> bool {
    m.depth() == opencv::core::CV_16U
}

/// All of `m`, borrowed in the way that planes are.
pub fn all(m: &Mat) -> opencv::Result<opencv::boxed_ref::BoxedRef<'_, Mat>> {
    Mat::roi(m, opencv::core::Rect::new(0, 0, m.cols(), m.rows()))
}

/// All of `m`, to write into.
pub fn all_mut(m: &mut Mat) -> opencv::Result<opencv::boxed_ref::BoxedRefMut<'_, Mat>> {
    let rect = opencv::core::Rect::new(0, 0, m.cols(), m.rows());
    Mat::roi_mut(m, rect)
}

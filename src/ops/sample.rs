//! Rows of samples as numbers, for what is done sample by sample.

use opencv::core::{DataType, Mat};
use opencv::prelude::*;

/// A stored sample: 8 or 16 bits.
pub trait Sample: DataType + Copy + Default + Into<f32> + Into<u32> {
    /// The nearest sample to `v`, which is between 0 and the largest one.
    fn nearest(v: f32) -> Self;
    /// The sample that is `v`, which fits.
    fn exact(v: u32) -> Self;

    /// The nearest sample to `v` that has no bits but the significant ones.
    fn rounded(v: f32, bits: u32) -> Self {
        let sample: u32 = Self::nearest(v + !bits as f32 / 2.0).into();
        Self::exact(sample & bits)
    }
}

/// 2²³: a float above it has its whole part in its lowest bits, rounded. Vectorises, where `as` checks each number.
const WHOLE: f32 = 8_388_608.0;

impl Sample for u8 {
    fn nearest(v: f32) -> Self {
        (v + WHOLE).to_bits() as u8
    }
    fn exact(v: u32) -> Self {
        v as u8
    }
}

impl Sample for u16 {
    fn nearest(v: f32) -> Self {
        (v + WHOLE).to_bits() as u16
    }
    fn exact(v: u32) -> Self {
        v as u16
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_become_the_nearest_samples() {
        let near = |v| (u8::nearest(v), u16::nearest(v));
        assert_eq!([0.0, 0.4, 0.6, 254.6, 255.0].map(near), [(0, 0), (0, 0), (1, 1), (255, 255), (255, 255)]);
        assert_eq!([1022.6, 65535.0].map(u16::nearest), [1023, 65535]);
        // As P010 stores them: ten bits, shifted by six.
        let bits = !63;
        assert_eq!([31.0, 33.0, 96.5, 65472.0].map(|v| u16::rounded(v, bits)), [0, 64, 128, 65472]);
        let mut m = Mat::from_slice(&[31u16, 33, 97, 65535]).unwrap().clone_pointee();
        round_to(&mut m, bits).unwrap();
        assert_eq!(m.at_row::<u16>(0).unwrap(), [0, 64, 128, 65472]);
    }
}

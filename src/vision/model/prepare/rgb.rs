//! Matrix and range: from stored samples to red, green and blue of 0 to 255.

use gstreamer_video::VideoColorRange;
use multiversion::multiversion;

use crate::frame::{Component, Spec, kr_kb};

/// From stored samples to 0–255: matrix and range as in [`crate::frame::Color::sample`].
pub(in crate::vision::model) struct ToRgb {
    /// Factor and offset of luma, or of each channel of RGB.
    luma: (f32, f32),
    /// Chroma's middle; what V adds to red, U and V to green, U to blue.
    chroma: Option<(f32, [f32; 4])>,
}

impl ToRgb {
    pub(in crate::vision::model) fn new(spec: &Spec) -> Self {
        let (info, layout) = (&spec.info, &spec.layout);
        let (colorimetry, range) = (info.colorimetry(), info.colorimetry().range());
        // In units of 8-bit samples: a deep sample's fraction stays.
        let unit = f64::from(1u32 << (layout.depth - 8)) * f64::from(1u32 << layout.shift);
        let full = f64::from((1u32 << layout.depth) - 1) * f64::from(1u32 << layout.shift);
        let limited = match layout.rgb {
            true => range == VideoColorRange::Range16_235,
            false => range != VideoColorRange::Range0_255,
        };
        let (gain, offset) = match limited {
            true => (255.0 / (219.0 * unit), -16.0 * 255.0 / 219.0),
            false => (255.0 / full, 0.0),
        };
        let chroma = (!layout.rgb && layout.find(Component::U).is_some()).then(|| {
            let (kr, kb) = kr_kb(colorimetry.matrix(), info.height());
            let kg = 1.0 - kr - kb;
            let c = if limited { 255.0 / (224.0 * unit) } else { 255.0 / full };
            let (red, blue) = (2.0 * (1.0 - kr), 2.0 * (1.0 - kb));
            let all = [c * red, -c * blue * kb / kg, -c * red * kr / kg, c * blue];
            ((128.0 * unit) as f32, all.map(|v| v as f32))
        });
        ToRgb { luma: (gain as f32, offset as f32), chroma }
    }

    /// Levels are cut off instead of rounded.
    pub(in crate::vision::model) fn cut_off(self) -> Self {
        ToRgb { luma: (self.luma.0, self.luma.1 - 0.5), ..self }
    }

    /// Turns three rows of samples into red, green, blue.
    pub(in crate::vision::model) fn rgb(&self, a: &mut [f32], b: &mut [f32], c: &mut [f32]) {
        match self.chroma {
            Some((middle, factors)) => yuv_to_rgb(self.luma, middle, factors, a, b, c),
            None => [a, b, c].into_iter().for_each(|row| stretch(self.luma, row)),
        }
    }
}

/// Turns rows of red, green and blue into brightness, in the first.
pub(super) fn luma(red: &mut [f32], green: &[f32], blue: &[f32]) {
    for ((r, g), b) in red.iter_mut().zip(green).zip(blue) {
        *r = 0.299 * *r + 0.587 * *g + 0.114 * *b;
    }
}

/// A level as a whole number: with 2^23 added, the lowest bits hold it. `as` looks for what lies outside, one by one.
#[inline(always)]
pub(in crate::vision::model) fn byte(level: f32) -> u32 {
    (level + 8_388_608.0).to_bits() & 255
}

/// A whole level of an 8-bit picture, since that is what networks are trained on: some notice the fractions.
#[inline(always)]
fn level(v: f32) -> f32 {
    (v.clamp(0.0, 255.0) + 0.5).floor()
}

#[multiversion(targets("x86_64+avx512f+avx512bw+avx512vl", "x86_64+avx2+fma"))]
fn yuv_to_rgb(luma: (f32, f32), middle: f32, f: [f32; 4], a: &mut [f32], b: &mut [f32], c: &mut [f32]) {
    for ((y, u), v) in a.iter_mut().zip(b).zip(c) {
        let (l, du, dv) = (*y * luma.0 + luma.1, *u - middle, *v - middle);
        *y = level(l + f[0] * dv);
        *u = level(l + f[1] * du + f[2] * dv);
        *v = level(l + f[3] * du);
    }
}

#[multiversion(targets("x86_64+avx512f+avx512bw+avx512vl", "x86_64+avx2+fma"))]
fn stretch(luma: (f32, f32), row: &mut [f32]) {
    row.iter_mut().for_each(|v| *v = level(*v * luma.0 + luma.1));
}

/// Three rows of levels as one: red in the lowest byte, then green and blue.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512vl", "x86_64+avx2+fma"))]
pub(super) fn pack(red: &[f32], green: &[f32], blue: &[f32], to: &mut [u32]) {
    for (((r, g), b), to) in red.iter().zip(green).zip(blue).zip(to) {
        *to = byte(*r) | byte(*g) << 8 | byte(*b) << 16;
    }
}

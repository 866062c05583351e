//! Sizes and places as the geometry ops settle them: in pixels of the picture, then on each plane.

use gstreamer::Fraction;
use gstreamer_video::VideoInfo;
use opencv::core::{Rect, Scalar};
use opencv::prelude::*;

use super::position::{Position, Side};
use super::{Invalid, Length, OpError};
use crate::frame::{Layout, Plane, Spec};

/// In the middle.
pub const CENTER: Position = Position::Anchor(Side::Middle, Side::Middle);

/// Pixels across and down that share a sample of the coarsest plane: 2 and 2 for 4:2:0. What starts at a multiple of it can
/// be cut and put without touching a sample.
pub fn block(layout: &Layout) -> (u32, u32) {
    let sub = layout.planes.iter().fold((0, 0), |b, p| (b.0.max(p.w_sub), b.1.max(p.h_sub)));
    (1 << sub.0, 1 << sub.1)
}

/// `value` pixels to the nearest multiple of `block`, at least one pixel.
pub fn rounded(value: f64, block: u32) -> u32 {
    let blocks = (value / f64::from(block)).round().clamp(0.0, 65536.0);
    (blocks as u32 * block).max(1)
}

/// A side in pixels: those given exactly, percent of `whole` to a multiple of `block`.
pub fn side(length: Length, whole: u32, block: u32) -> u32 {
    match length {
        Length::Pixels(p) => p.round().clamp(1.0, 65536.0) as u32,
        Length::Percent(100.0) => whole,
        Length::Percent(_) => rounded(length.pixels(whole), block),
    }
}

/// A size is above 0, and 32768 pixels or 10000% at most.
pub fn check_side(key: &'static str, length: Option<Length>) -> Result<(), Invalid> {
    let (v, low, high) = match length {
        None => return Ok(()),
        Some(Length::Pixels(p)) => (p, 0.5, 32768.0),
        Some(Length::Percent(p)) => (p, 0.01, 10000.0),
    };
    if v >= low && v <= high {
        return Ok(());
    }
    let given = length.map(|l| l.to_string()).unwrap_or_default();
    Err(Invalid::new(key, format!("{key} = {given} is out of range: 1 to 32768 pixels or 0.01% to 10000% are allowed")))
}

/// Where something of size `inner` goes on something at least as large, at multiples of `block`.
pub fn place(position: Position, inner: (u32, u32), outer: (u32, u32), block: (u32, u32)) -> (u32, u32) {
    let (x, y) = position.place(inner, outer, 0);
    (aligned(f64::from(x), inner.0, outer.0, block.0), aligned(f64::from(y), inner.1, outer.1, block.1))
}

/// `at` to the nearest multiple of `block` that keeps `inner` pixels within `outer`.
pub fn aligned(at: f64, inner: u32, outer: u32, block: u32) -> u32 {
    let most = outer.saturating_sub(inner) / block;
    (at / f64::from(block)).round().clamp(0.0, f64::from(most)) as u32 * block
}

/// A rectangle of the picture on a plane; its left and top are multiples of the block.
pub fn on_plane(plane: &Plane, r: Rect) -> Rect {
    let (w, h) = (plane.cols(r.width as u32), plane.rows(r.height as u32));
    Rect::new(r.x >> plane.w_sub, r.y >> plane.h_sub, w as i32, h as i32)
}

/// Width of a pixel to its height.
pub fn par(info: &VideoInfo) -> f64 {
    let par = info.par();
    match (par.numer(), par.denom()) {
        (n, d) if n > 0 && d > 0 => f64::from(n) / f64::from(d),
        _ => 1.0,
    }
}

/// `spec`'s pixel shape, multiplied by `wide / high`, in numbers that containers can hold.
pub fn stretched(spec: &Spec, wide: [u32; 2], high: [u32; 2]) -> Fraction {
    let par = spec.info.par();
    let positive = |v: i32| u128::from(v.max(1).unsigned_abs());
    let times = |v: [u32; 2]| u128::from(v[0]) * u128::from(v[1]);
    let (mut n, mut d) = (positive(par.numer()) * times(wide), positive(par.denom()) * times(high));
    let (mut a, mut b) = (n, d);
    while b > 0 {
        (a, b) = (b, a % b);
    }
    (n, d) = (n / a, d / a);
    while n > 65535 || d > 65535 {
        (n, d) = (n.div_ceil(2), d.div_ceil(2));
    }
    Fraction::new(n as i32, d as i32)
}

/// Gives all samples outside of `inner` the value `fill`.
pub fn surround<M: MatTrait>(to: &mut M, inner: Rect, fill: Scalar) -> Result<(), OpError> {
    let (w, h) = (to.cols(), to.rows());
    let (right, bottom) = (inner.x + inner.width, inner.y + inner.height);
    let strips = [
        Rect::new(0, 0, w, inner.y),
        Rect::new(0, bottom, w, h - bottom),
        Rect::new(0, inner.y, inner.x, inner.height),
        Rect::new(right, inner.y, w - right, inner.height),
    ];
    for strip in strips.into_iter().filter(|s| s.width > 0 && s.height > 0) {
        to.roi_mut(strip)?.set_to_def(&fill)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_and_sizes_keep_to_blocks() {
        assert_eq!((rounded(160.5, 2), rounded(161.2, 2), rounded(0.4, 2), rounded(161.2, 1)), (160, 162, 1, 161));
        assert_eq!((side(Length::Pixels(161.0), 9, 2), side(Length::Percent(50.0), 321, 2)), (161, 160));
        assert_eq!(side(Length::Percent(100.0), 321, 2), 321);
        assert_eq!((aligned(7.0, 10, 100, 4), aligned(99.0, 10, 100, 4), aligned(-3.0, 10, 100, 4)), (8, 88, 0));
        assert_eq!(place(CENTER, (100, 50), (321, 241), (2, 2)), (112, 96));
    }

    #[test]
    fn pixel_shapes_fit_into_containers() {
        gstreamer::init().unwrap();
        let info = VideoInfo::builder(gstreamer_video::VideoFormat::I420, 16, 16).par(Fraction::new(16, 15));
        let spec = Spec::new(info.build().unwrap()).unwrap();
        assert_eq!(stretched(&spec, [720, 480], [640, 480]), Fraction::new(6, 5));
        let odd = stretched(&spec, [32749, 32719], [32717, 32713]);
        let exact = 32749.0 * 32719.0 / 32717.0 / 32713.0 * 16.0 / 15.0;
        assert!(odd.numer() < 65536 && (f64::from(odd.numer()) / f64::from(odd.denom()) - exact).abs() < 1e-4);
    }
}

//! Colours that are far from each other, and the same in every run.

use crate::frame::Color;

/// The colour of a track. Hues go on by the golden angle, so that near numbers look different.
pub(super) fn of_track(track: u32) -> Color {
    let hue = (f64::from(track) * 137.507_764).rem_euclid(360.0);
    // Two strengths in turn tell apart what has nearly the same hue.
    if (track / 8).is_multiple_of(2) { hsv(hue, 0.85, 1.0) } else { hsv(hue, 0.55, 0.9) }
}

/// The colour of a label: FNV-1a of its letters.
pub(super) fn of_text(text: &str) -> Color {
    let hash = text.bytes().fold(0x811c_9dc5u32, |h, b| (h ^ u32::from(b)).wrapping_mul(0x0100_0193));
    hsv(f64::from(hash % 3600) / 10.0, 0.85, 1.0)
}

/// Letters on this colour: black or white, whichever stands out more (luma of BT.601).
pub(super) fn ink_on(c: Color) -> Color {
    let luma = 0.299 * f64::from(c.r) + 0.587 * f64::from(c.g) + 0.114 * f64::from(c.b);
    if luma > 120.0 { Color::BLACK } else { Color::WHITE }
}

/// Hue in degrees, saturation and value 0–1.
fn hsv(hue: f64, saturation: f64, value: f64) -> Color {
    let channel = |n: f64| {
        let k = (n + hue / 60.0) % 6.0;
        let v = value - value * saturation * k.min(4.0 - k).clamp(0.0, 1.0);
        (v * 255.0).round() as u8
    };
    Color::rgb(channel(5.0), channel(3.0), channel(1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn primaries() {
        assert_eq!(hsv(0.0, 1.0, 1.0), Color::rgb(255, 0, 0));
        assert_eq!(hsv(120.0, 1.0, 1.0), Color::rgb(0, 255, 0));
        assert_eq!(hsv(240.0, 1.0, 1.0), Color::rgb(0, 0, 255));
        assert_eq!(ink_on(Color::rgb(255, 255, 0)), Color::BLACK);
        assert_eq!(ink_on(Color::rgb(0, 0, 255)), Color::WHITE);
        assert_ne!(of_track(1), of_track(2));
        assert_eq!(of_text("person"), of_text("person"));
    }
}

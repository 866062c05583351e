//! What codes mean: ranges and depths of luma, chroma and red, green, blue.

use gstreamer_video::VideoColorRange;

use crate::frame::{Component, Spec};

/// What the codes of one component mean: 0 is black and 1 is white for luma and for red, green, blue; chroma lies in
/// −0.5 to 0.5 around the neutral 0 (ITU-R BT.601).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Scale {
    /// The code of 0.
    pub zero: f64,
    /// Codes from 0 to 1.
    pub unit: f64,
    /// The lowest and highest code that results may have. Limited range keeps its room below black and above white but not
    /// the codes that video interfaces reserve for synchronisation: 1 to 254, 4 to 1019.
    pub allowed: (f64, f64),
}

impl Scale {
    /// Of component `c` in pictures like `spec`; `None` for opacity and padding.
    pub fn of(c: Component, spec: &Spec) -> Option<Self> {
        let range = spec.info.colorimetry().range();
        let max = f64::from((1u32 << spec.layout.depth) - 1);
        let step = f64::from(1u32 << (spec.layout.depth - 8));
        let chroma = matches!(c, Component::U | Component::V);
        let limited = match c {
            Component::Alpha | Component::Unused => return None,
            Component::R | Component::G | Component::B => range == VideoColorRange::Range16_235,
            _ => range != VideoColorRange::Range0_255,
        };
        let allowed = if limited { (step, 255.0 * step - 1.0) } else { (0.0, max) };
        Some(match (chroma, limited) {
            (true, true) => Scale { zero: 128.0 * step, unit: 224.0 * step, allowed },
            (true, false) => Scale { zero: 128.0 * step, unit: max, allowed },
            (false, true) => Scale { zero: 16.0 * step, unit: 219.0 * step, allowed },
            (false, false) => Scale { zero: 0.0, unit: max, allowed },
        })
    }

    /// Of the component that carries brightness: luma, or each of red, green, blue.
    pub fn of_light(spec: &Spec) -> Self {
        let full = Scale { zero: 0.0, unit: 255.0, allowed: (0.0, 255.0) };
        Scale::of(if spec.layout.rgb { Component::G } else { Component::Y }, spec).unwrap_or(full)
    }

    /// What `code` means.
    pub fn value(&self, code: f64) -> f64 {
        (code - self.zero) / self.unit
    }

    /// The code of `value`: rounded, within what is allowed.
    pub fn code(&self, value: f64) -> u16 {
        self.exact(value).round().clamp(self.allowed.0, self.allowed.1) as u16
    }

    /// The code of `value`, unrounded and unbounded.
    pub fn exact(&self, value: f64) -> f64 {
        self.zero + self.unit * value
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gstreamer_video::{VideoColorimetry, VideoFormat, VideoInfo};

    fn spec(format: VideoFormat, colorimetry: &str) -> Spec {
        gstreamer::init().unwrap();
        let c = colorimetry.parse::<VideoColorimetry>().unwrap();
        Spec::new(VideoInfo::builder(format, 16, 16).colorimetry(&c).build().unwrap()).unwrap()
    }

    #[test]
    fn scales_follow_range_and_depth() {
        let of = |f, c, k| Scale::of(k, &spec(f, c)).unwrap();
        let y = of(VideoFormat::I420, "bt709", Component::Y);
        assert_eq!((y.code(0.0), y.code(1.0), y.code(-1.0), y.code(2.0)), (16, 235, 1, 254));
        let deep = of(VideoFormat::I42010le, "bt709", Component::Y);
        assert_eq!((deep.code(0.0), deep.code(1.0), deep.code(-1.0), deep.code(2.0)), (64, 940, 4, 1019));
        let full = of(VideoFormat::I420, "1:4:0:0", Component::Y);
        assert_eq!((full.code(0.0), full.code(1.0), full.code(2.0)), (0, 255, 255));
        assert_eq!(of(VideoFormat::I420, "bt709", Component::U).code(0.5), 240);
        assert_eq!(Scale::of(Component::Alpha, &spec(VideoFormat::Rgba, "sRGB")), None);
    }
}

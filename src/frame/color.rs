//! Colours as a person writes them, and as the samples of a given picture hold them.

use std::fmt;
use std::str::FromStr;

use gstreamer_video::{VideoColorMatrix, VideoColorRange, VideoInfo};
use serde::{Deserialize, Serialize};

use super::{Component, Layout};

/// An opaque sRGB colour: `white`, `#rrggbb` or `#rgb`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Color {
    /// Red, 0–255.
    pub r: u8,
    /// Green, 0–255.
    pub g: u8,
    /// Blue, 0–255.
    pub b: u8,
}

/// The names we take; CSS values.
const NAMES: &[(&str, u32)] = &[
    ("black", 0x000000),
    ("white", 0xffffff),
    ("red", 0xff0000),
    ("lime", 0x00ff00),
    ("green", 0x008000),
    ("blue", 0x0000ff),
    ("yellow", 0xffff00),
    ("cyan", 0x00ffff),
    ("magenta", 0xff00ff),
    ("orange", 0xffa500),
    ("purple", 0x800080),
    ("pink", 0xffc0cb),
    ("brown", 0xa52a2a),
    ("navy", 0x000080),
    ("teal", 0x008080),
    ("olive", 0x808000),
    ("maroon", 0x800000),
    ("silver", 0xc0c0c0),
    ("gray", 0x808080),
    ("grey", 0x808080),
    ("gold", 0xffd700),
    ("turquoise", 0x40e0d0),
];

impl Color {
    /// Opaque white.
    pub const WHITE: Color = Color::rgb(255, 255, 255);
    /// Opaque black.
    pub const BLACK: Color = Color::rgb(0, 0, 0);

    /// A colour from its three channels.
    pub const fn rgb(r: u8, g: u8, b: u8) -> Self {
        Color { r, g, b }
    }

    /// The sample that shows this colour in channel `c` of a picture with `info`'s matrix, range and bit depth, already
    /// shifted as the format stores it. Opaque for alpha. Formulas: ITU-R BT.601/709/2020 (Kr, Kb), full or limited range.
    pub fn sample(self, c: Component, info: &VideoInfo, layout: &Layout) -> u16 {
        let max = f64::from((1u32 << layout.depth) - 1);
        let [r, g, b] = [self.r, self.g, self.b].map(|v| f64::from(v) / 255.0);
        let colorimetry = info.colorimetry();
        let (kr, kb) = kr_kb(colorimetry.matrix(), info.height());
        let y = kr * r + (1.0 - kr - kb) * g + kb * b;
        let limited = colorimetry.range() != VideoColorRange::Range0_255;
        let scale = f64::from(1u32 << (layout.depth - 8));
        let luma = |v: f64| if limited { (16.0 + 219.0 * v) * scale } else { v * max };
        let chroma = |v: f64| 128.0 * scale + v * if limited { 224.0 * scale } else { max };
        let value = match c {
            Component::Y => luma(y),
            Component::U => chroma((b - y) / (2.0 * (1.0 - kb))),
            Component::V => chroma((r - y) / (2.0 * (1.0 - kr))),
            // RGB may be limited range too (some capture cards), and is scaled the same way.
            Component::R => {
                if colorimetry.range() == VideoColorRange::Range16_235 {
                    luma(r)
                } else {
                    r * max
                }
            }
            Component::G => {
                if colorimetry.range() == VideoColorRange::Range16_235 {
                    luma(g)
                } else {
                    g * max
                }
            }
            Component::B => {
                if colorimetry.range() == VideoColorRange::Range16_235 {
                    luma(b)
                } else {
                    b * max
                }
            }
            Component::Alpha => max,
            Component::Unused => 0.0,
        };
        (value.round().clamp(0.0, max) as u16) << layout.shift
    }
}

/// The weights of red and blue in luma. Unspecified is BT.709 above 576 lines and BT.601 below, as players guess.
pub(crate) fn kr_kb(matrix: VideoColorMatrix, height: u32) -> (f64, f64) {
    match matrix {
        VideoColorMatrix::Unknown if height > 576 => (0.2126, 0.0722),
        VideoColorMatrix::Bt709 => (0.2126, 0.0722),
        VideoColorMatrix::Bt2020 => (0.2627, 0.0593),
        VideoColorMatrix::Smpte240m => (0.212, 0.087),
        VideoColorMatrix::Fcc => (0.30, 0.11),
        _ => (0.299, 0.114),
    }
}

impl FromStr for Color {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let t = text.trim().to_ascii_lowercase();
        let hex = |h: &str| u32::from_str_radix(h, 16).ok();
        let value = match t.strip_prefix('#') {
            Some(h) if h.len() == 6 && h.is_ascii() => hex(h),
            Some(h) if h.len() == 3 && h.is_ascii() => hex(&h.chars().flat_map(|c| [c, c]).collect::<String>()),
            Some(_) => None,
            None => NAMES.iter().find(|(n, _)| *n == t).map(|(_, v)| *v),
        };
        let Some(v) = value else {
            let near = crate::config::nearest(&t, NAMES.iter().map(|(n, _)| *n));
            let hint = near.map(|n| format!(" (did you mean `{n}`?)")).unwrap_or_default();
            return Err(format!(
                "`{text}` is no colour{hint}: give #rrggbb, #rgb, or a name such as white, red, orange"
            ));
        };
        Ok(Color::rgb((v >> 16) as u8, (v >> 8) as u8, v as u8))
    }
}

impl fmt::Display for Color {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{:02x}{:02x}{:02x}", self.r, self.g, self.b)
    }
}

impl TryFrom<String> for Color {
    type Error = String;
    fn try_from(s: String) -> Result<Self, String> {
        s.parse()
    }
}

impl From<Color> for String {
    fn from(c: Color) -> String {
        c.to_string()
    }
}

impl schemars::JsonSchema for Color {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Color".into()
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "string", "description": "a colour name or #rrggbb" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gstreamer_video::{VideoColorimetry, VideoFormat};

    #[test]
    fn parses_names_and_hex_and_teaches_on_error() {
        assert_eq!("#0f8".parse(), Ok(Color::rgb(0, 255, 136)));
        assert_eq!("Orange".parse(), Ok(Color::rgb(255, 165, 0)));
        assert!("orangee".parse::<Color>().unwrap_err().contains("did you mean `orange`"));
        assert!("#ééé".parse::<Color>().is_err());
    }

    #[test]
    fn samples_follow_matrix_range_and_depth() {
        gstreamer::init().unwrap();
        let info = |f, c: &str| {
            VideoInfo::builder(f, 16, 16).colorimetry(&c.parse::<VideoColorimetry>().unwrap()).build().unwrap()
        };
        let at = |f, c: &str, color: Color, k| {
            let i = info(f, c);
            color.sample(k, &i, &Layout::of(f).unwrap())
        };
        let red = Color::rgb(255, 0, 0);
        // The textbook values of pure red.
        assert_eq!(at(VideoFormat::I420, "bt601", red, Component::Y), 81);
        assert_eq!(at(VideoFormat::I420, "bt601", red, Component::V), 240);
        assert_eq!(at(VideoFormat::I420, "bt709", red, Component::Y), 63);
        assert_eq!(at(VideoFormat::I420, "bt709", red, Component::U), 102);
        assert_eq!(at(VideoFormat::I420, "1:4:0:0", Color::WHITE, Component::Y), 255);
        assert_eq!(at(VideoFormat::I42010le, "bt709", Color::WHITE, Component::Y), 940);
        assert_eq!(at(VideoFormat::P01010le, "bt709", Color::WHITE, Component::Y), 940 << 6);
        assert_eq!(at(VideoFormat::Bgr, "sRGB", red, Component::R), 255);
    }
}

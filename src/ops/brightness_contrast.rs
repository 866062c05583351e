//! Brightness and contrast.

use std::fmt;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::de::{Deserializer, Error, Visitor};
use serde::{Deserialize, Serialize};

use super::levels::Levels;
use super::{Group, Invalid, Mode, Op, OpConfig, OpError, Stream};
use crate::frame::{Component, Frame, Spec};

/// Changes brightness and contrast.
///
/// With black at 0 and white at 1 of the video's own range, red, green and blue become
/// `(x − pivot) · contrast + pivot + brightness`. On luma and chroma that is the same on luma and `chroma · contrast`, so
/// that the result does not depend on the format. With `pivot=0` it is cv::convertScaleAbs (alpha = contrast,
/// beta = 255 · brightness); ffmpeg's `eq=contrast=C:brightness=B:saturation=C` is the same on full range, while its `eq`
/// without `saturation` leaves chroma. Full range is clipped to 0–255, limited range to 1–254 (its room below black
/// and above white stays).
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct BrightnessContrast {
    /// Added to every value, as a share of the way from black to white: −1 to 1, or −100% to 100%. 0 changes nothing.
    #[serde(deserialize_with = "share")]
    #[schemars(with = "f64", range(min = -1.0, max = 1.0))]
    pub brightness: f64,
    /// Factor for the distance from `pivot`, 0 (all the same) to 20. 1 changes nothing.
    #[schemars(range(min = 0.0, max = 20.0))]
    pub contrast: f64,
    /// The value that contrast leaves where it is: 0 (black) to 1 (white).
    #[schemars(range(min = 0.0, max = 1.0))]
    pub pivot: f64,
}

impl Default for BrightnessContrast {
    fn default() -> Self {
        BrightnessContrast { brightness: 0.0, contrast: 1.0, pivot: 0.5 }
    }
}

impl OpConfig for BrightnessContrast {
    const NAME: &'static str = "brightness-contrast";
    const GROUP: Group = Group::Tone;
    const EXAMPLE: &'static str = "brightness-contrast:brightness=0.1,contrast=1.2";
    const BEHIND: &'static str = "fixed-point arithmetic on native planes, as cv::convertScaleAbs";

    fn check(&self) -> Result<(), Invalid> {
        Invalid::unless_in("brightness", self.brightness, -1.0..=1.0)?;
        Invalid::unless_in("contrast", self.contrast, 0.0..=20.0)?;
        Invalid::unless_in("pivot", self.pivot, 0.0..=1.0)
    }

    fn build(&self) -> Box<dyn Op> {
        Box::new(Adjusting { config: self.clone(), levels: None })
    }
}

struct Adjusting {
    config: BrightnessContrast,
    levels: Option<Levels>,
}

impl Op for Adjusting {
    fn mode(&self) -> Mode {
        Mode::InPlace
    }

    fn prepare(&mut self, input: &Arc<Spec>, _: &Stream) -> Result<Arc<Spec>, OpError> {
        let BrightnessContrast { brightness, contrast, pivot } = self.config;
        self.levels = Some(Levels::new(input, |c, v| match c {
            Component::U | Component::V => v * contrast,
            _ => (v - pivot) * contrast + pivot + brightness,
        }));
        Ok(input.clone())
    }

    fn edit(&mut self, frame: &mut Frame) -> Result<(), OpError> {
        if let Some(levels) = &self.levels {
            levels.apply(frame)?;
        }
        Ok(())
    }
}

/// A number, or text with a percent sign.
fn share<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    struct Share;
    impl Visitor<'_> for Share {
        type Value = f64;
        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a number from -1 to 1, or a percentage from -100% to 100%")
        }
        fn visit_f64<E: Error>(self, v: f64) -> Result<f64, E> {
            Ok(v)
        }
        fn visit_i64<E: Error>(self, v: i64) -> Result<f64, E> {
            Ok(v as f64)
        }
        fn visit_str<E: Error>(self, v: &str) -> Result<f64, E> {
            let percent = v.trim().strip_suffix('%').and_then(|n| n.trim().parse::<f64>().ok());
            percent.map(|p| p / 100.0).ok_or_else(|| E::invalid_value(serde::de::Unexpected::Str(v), &self))
        }
    }
    deserializer.deserialize_any(Share)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn brightness_is_a_number_or_a_percentage() {
        let read = |t: &str| toml::from_str::<BrightnessContrast>(t).map(|b| b.brightness);
        assert_eq!(read("brightness = 0.25").unwrap(), 0.25);
        assert_eq!(read("brightness = -1").unwrap(), -1.0);
        assert_eq!(read("brightness = '-20%'").unwrap(), -0.2);
        assert!(read("brightness = 'much'").unwrap_err().to_string().contains("percentage"));
        assert!(BrightnessContrast { brightness: 20.0, ..Default::default() }.check().is_err());
        assert!(BrightnessContrast { contrast: f64::NAN, ..Default::default() }.check().is_err());
    }
}

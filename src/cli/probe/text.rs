//! A [`Report`] for people.

use std::fmt::Write as _;

use super::report::{Report, Video};
use crate::term::clean;

impl Report {
    /// For people: aligned, one fact a line.
    pub fn text(&self) -> String {
        let mut out = format!("{}\n", self.input);
        let mut line = |key: &str, value: String| {
            let _ = writeln!(out, "  {key:<12}{}", clean(&value));
        };
        line("container", self.container.clone().unwrap_or_else(|| "none".into()));
        line("duration", self.duration_ns.map_or_else(|| "unknown".into(), seconds));
        if let Some(bytes) = self.size_bytes {
            let rate = self.bitrate.map(|b| format!(", {}", per_second(b))).unwrap_or_default();
            line("size", format!("{}{rate}", bytes_of(bytes)));
        }
        let access = match (self.live, self.seekable) {
            (true, _) => "live",
            (_, true) => "seekable",
            (_, false) => "not seekable",
        };
        line("access", access.into());
        if self.video.is_empty() {
            line("video", "no video".into());
        }
        for (i, v) in self.video.iter().enumerate() {
            line(&numbered("video", i, self.video.len()), v.summary());
            v.lines(&mut line);
        }
        for (i, a) in self.audio.iter().enumerate() {
            let mut facts = vec![a.codec.clone().unwrap_or_else(|| "unknown codec".into())];
            facts.push(format!("{} Hz", a.rate));
            facts.push(match a.channels {
                1 => "mono".into(),
                2 => "stereo".into(),
                n => format!("{n} channels"),
            });
            facts.extend(a.language.clone());
            facts.extend(a.bitrate.map(|b| per_second(b.into())));
            line(&numbered("audio", i, self.audio.len()), facts.join(", "));
        }
        for (i, s) in self.subtitles.iter().enumerate() {
            let mut facts = vec![s.codec.clone().unwrap_or_else(|| "unknown format".into())];
            facts.extend(s.language.clone());
            line(&numbered("subtitles", i, self.subtitles.len()), facts.join(", "));
        }
        for (i, (name, value)) in self.tags.iter().enumerate() {
            line(if i == 0 { "tags" } else { "" }, format!("{name}: {value}"));
        }
        for warning in &self.warnings {
            line("warning", warning.clone());
        }
        if let Some(error) = &self.error {
            line("error", error.clone());
        }
        out
    }
}

impl Video {
    fn summary(&self) -> String {
        let mut facts = vec![self.codec.clone().unwrap_or_else(|| "unknown codec".into())];
        facts.push(format!("{}×{}", self.width, self.height));
        match (&self.fps, self.fps_decimal) {
            _ if self.image => facts.push("still picture".into()),
            (Some(fraction), Some(decimal)) => facts.push(match fraction.strip_suffix("/1") {
                Some(whole) => format!("{whole} fps"),
                None => format!("{decimal} fps ({fraction})"),
            }),
            _ => facts.push("variable or unknown frame rate".into()),
        }
        facts.extend(self.language.clone());
        facts.extend(self.bitrate.map(|b| per_second(b.into())));
        facts.join(", ")
    }

    fn lines(&self, line: &mut impl FnMut(&str, String)) {
        if (self.display_width, self.display_height) != (self.width, self.height) || self.mirrored || self.rotation != 0
        {
            let mut why = Vec::new();
            if self.mirrored {
                why.push("mirrored".to_owned());
            }
            if self.rotation != 0 {
                why.push(format!("rotated {}° clockwise", self.rotation));
            }
            if self.par.0 != self.par.1 {
                why.push(format!("pixels {}:{}", self.par.0, self.par.1));
            }
            line("  shown as", format!("{}×{}: {}", self.display_width, self.display_height, why.join(", ")));
        }
        if let Some(frames) = self.frames {
            let rate = match self.measured_variable_fps {
                Some(true) => ", variable rate",
                Some(false) => ", constant rate",
                None => "",
            };
            let ends = self.first_pts_ns.zip(self.last_pts_ns);
            let ends = ends.map(|(a, b)| format!(", from {} to {}", seconds(a), seconds(b))).unwrap_or_default();
            line("  frames", format!("{frames}{rate}{ends}"));
        }
        let mut pixels: Vec<String> = self.format.clone().into_iter().collect();
        pixels.extend(self.bit_depth.map(|d| format!("{d} bit")));
        pixels.push(self.interlacing.clone());
        pixels.extend(self.field_order.clone());
        line("  pixels", pixels.join(", "));
        if let Some(c) = &self.colorimetry {
            let mut facts = vec![format!("{} range", c.range)];
            facts.push(format!("matrix {}", c.matrix));
            facts.push(format!("transfer {}", c.transfer));
            facts.push(format!("primaries {}", c.primaries));
            facts.extend(self.chroma_site.as_ref().map(|s| format!("chroma site {s}")));
            let assumed = match c.assumed.len() {
                0 => String::new(),
                4 => " (assumed: the file does not tell)".to_owned(),
                _ => format!(" (assumed: {})", c.assumed.join(", ")),
            };
            line("  colour", format!("{}{assumed}", facts.join(", ")));
        }
        if let Some(caps) = &self.caps {
            line("  caps", caps.clone());
        }
    }
}

fn numbered(what: &str, i: usize, of: usize) -> String {
    if of > 1 { format!("{what} {}", i + 1) } else { what.to_owned() }
}

/// `1:02:03.456`, `4.000 s`.
fn seconds(ns: u64) -> String {
    let ms = (ns + 500_000) / 1_000_000;
    let (s, ms) = (ms / 1000, ms % 1000);
    match (s / 3600, s / 60 % 60, s % 60) {
        (0, 0, s) => format!("{s}.{ms:03} s"),
        (h, m, s) => format!("{h}:{m:02}:{s:02}.{ms:03}"),
    }
}

fn bytes_of(bytes: u64) -> String {
    match bytes {
        0..10_000 => format!("{bytes} bytes"),
        10_000..1_000_000 => format!("{:.1} kB", bytes as f64 / 1e3),
        1_000_000..1_000_000_000 => format!("{:.1} MB", bytes as f64 / 1e6),
        _ => format!("{:.2} GB", bytes as f64 / 1e9),
    }
}

fn per_second(bits: u64) -> String {
    match bits {
        0..10_000_000 => format!("{} kbit/s", bits / 1000),
        _ => format!("{:.1} Mbit/s", bits as f64 / 1e6),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_well() {
        assert_eq!(seconds(3_040_000_000), "3.040 s");
        assert_eq!(seconds(59_999_600_000), "0:01:00.000");
        assert_eq!(seconds(3_723_456_000_000), "1:02:03.456");
        assert_eq!(bytes_of(131_916), "131.9 kB");
        assert_eq!(per_second(347_000), "347 kbit/s");
    }
}

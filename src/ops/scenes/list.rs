//! The list of scenes on disk, and a picture of each.

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use gstreamer_video::VideoFormat;
use serde_json::json;

use crate::config::number_pattern;
use crate::frame::{Converter, Frame, Spec};
use crate::ops::OpError;
use crate::ops::smpte::{DropFrame, Smpte};
use crate::vision::scenes::Cut;

/// Pictures that are kept: a cut is found so many pictures late at most. Beyond, the nearest one is taken.
const KEPT: usize = 40;
/// Width of the pictures in pixels.
const WIDE: u32 = 480;
const FORMS: [&str; 4] = ["csv", "json", "edl", "vtt"];

/// A scene.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scene {
    /// Its first picture.
    pub first: Cut,
    /// What the detector measured there.
    pub change: f64,
}

pub(super) struct List {
    path: Option<PathBuf>,
    pattern: Option<String>,
    converter: Option<Converter>,
    /// The newest pictures, small.
    kept: VecDeque<(u64, Frame)>,
    stream: String,
    rate: f64,
    timecode: Option<Smpte>,
    written: bool,
}

/// Says what is wrong with the name of a list.
pub(super) fn check(path: &Path) -> Result<(), String> {
    let extension = path.extension().map(|e| e.to_string_lossy().to_ascii_lowercase()).unwrap_or_default();
    match FORMS.contains(&extension.as_str()) {
        true => Ok(()),
        false => {
            Err(format!("list = `{}`: `.{extension}` is no list of scenes: .{} are", path.display(), FORMS.join(", .")))
        }
    }
}

/// Says what is wrong with the pattern of thumbnails.
pub(super) fn check_pattern(pattern: &str) -> Result<(), String> {
    let lower = pattern.to_ascii_lowercase();
    let known = [".jpg", ".jpeg", ".png"].iter().any(|e| lower.ends_with(e));
    match number_pattern(pattern) {
        Some(_) if known => Ok(()),
        Some(_) => Err(format!("thumbnails = `{pattern}`: .jpg and .png are written")),
        None => Err(format!(
            "thumbnails = `{pattern}` would be one picture for all: put a number in, as in scenes/%03d.jpg"
        )),
    }
}

impl List {
    pub fn new(path: Option<PathBuf>, pattern: Option<String>) -> Self {
        List {
            path,
            pattern,
            converter: None,
            kept: VecDeque::new(),
            stream: String::new(),
            rate: 25.0,
            timecode: None,
            written: false,
        }
    }

    /// Checks that it can be written.
    pub fn prepare(&mut self, spec: &Arc<Spec>, stream: &str, rate: f64) -> Result<(), String> {
        self.stream = stream.to_owned();
        self.rate = rate;
        self.timecode = Smpte::new(spec.info.fps(), DropFrame::Auto, "00:00:00:00").ok();
        let folder_of = |p: &Path| p.parent().filter(|f| !f.as_os_str().is_empty()).map(Path::to_owned);
        if let Some(folder) = self.path.as_deref().and_then(folder_of)
            && !folder.is_dir()
        {
            return Err(format!("list: the folder {} is not there: make it first", folder.display()));
        }
        if let Some(pattern) = &self.pattern {
            if let Some(folder) = folder_of(Path::new(pattern)) {
                std::fs::create_dir_all(&folder).map_err(|e| format!("thumbnails: {}: {e}", folder.display()))?;
            }
            let (w, h) = (spec.info.width(), spec.info.height());
            let wide = w.min(WIDE);
            let high = (f64::from(h) * f64::from(wide) / f64::from(w)).round().max(1.0) as u32;
            let to =
                spec.with_format(VideoFormat::Rgb).and_then(|s| s.with_size(wide, high)).map_err(|e| e.to_string())?;
            self.converter = Some(Converter::new(spec, Arc::new(to)).map_err(|e| e.to_string())?);
        }
        Ok(())
    }

    /// Keeps a small copy, as long as it may turn out to be a scene's first picture.
    pub fn keep(&mut self, frame: &Frame) -> Result<(), OpError> {
        let Some(converter) = &mut self.converter else { return Ok(()) };
        if self.kept.back().is_some_and(|(n, _)| *n == frame.index) {
            return Ok(());
        }
        if self.kept.len() == KEPT {
            self.kept.pop_front();
        }
        self.kept.push_back((frame.index, converter.convert(frame)?));
        Ok(())
    }

    /// Writes the picture of scene `n` (from 1), which begins at `frame`.
    pub fn picture(&mut self, n: usize, frame: u64) -> Result<(), OpError> {
        let Some((before, width, after)) = self.pattern.as_deref().and_then(number_pattern) else { return Ok(()) };
        let Some((_, small)) = self.kept.iter().min_by_key(|(i, _)| i.abs_diff(frame)) else { return Ok(()) };
        let path = format!("{before}{n:0width$}{after}");
        let (planes, w, h) = (small.planes()?, small.width(), small.height());
        let mut rgb = Vec::with_capacity(3 * w as usize * h as usize);
        for y in 0..h {
            rgb.extend_from_slice(&planes.row(0, y)?[..3 * w as usize]);
        }
        let failed = |e: &dyn std::fmt::Display| OpError::Refused(format!("cannot write {path}: {e}"));
        let picture = ::image::RgbImage::from_raw(w, h, rgb).ok_or_else(|| failed(&"it has no pixels"))?;
        picture.save(&path).map_err(|e| failed(&e))
    }

    /// Writes the list, once.
    pub fn write(&mut self, scenes: &[Scene], end: u64) -> Result<(), String> {
        let Some(path) = self.path.as_deref().filter(|_| !self.written) else { return Ok(()) };
        self.written = true;
        let ends: Vec<u64> = scenes.iter().skip(1).map(|s| s.first.at).chain([end]).collect();
        let extension = path.extension().map(|e| e.to_string_lossy().to_ascii_lowercase()).unwrap_or_default();
        let text = match extension.as_str() {
            "json" => self.json(scenes, &ends),
            "edl" => self.edl(scenes, &ends),
            "vtt" => vtt(scenes, &ends),
            _ => csv(scenes, &ends),
        };
        let partial = path.with_extension(format!("partial-{}", std::process::id()));
        std::fs::write(&partial, text)
            .and_then(|()| std::fs::rename(&partial, path))
            .map_err(|e| format!("cannot write {}: {e}", path.display()))
    }

    fn json(&self, scenes: &[Scene], ends: &[u64]) -> String {
        let all: Vec<_> = scenes
            .iter()
            .zip(ends)
            .map(|(s, end)| {
                json!({ "frame": s.first.frame, "start": seconds(s.first.at), "end": seconds(*end), "change": s.change })
            })
            .collect();
        format!("{:#}\n", json!({ "stream": self.stream, "scenes": all }))
    }

    /// CMX 3600: source and record times are the same.
    fn edl(&self, scenes: &[Scene], ends: &[u64]) -> String {
        let mut out = format!("TITLE: {}\nFCM: NON-DROP FRAME\n\n", self.stream);
        let code = |t: u64| match &self.timecode {
            Some(smpte) => {
                let mut text = String::new();
                let _ = smpte.write(smpte.at(gstreamer::ClockTime::from_nseconds(t)), &mut text);
                text.replace(';', ":")
            }
            None => {
                let (s, frames) = (t / 1_000_000_000, (t % 1_000_000_000) as f64 / 1e9 * self.rate);
                format!("{:02}:{:02}:{:02}:{:02}", s / 3600, s / 60 % 60, s % 60, frames as u64)
            }
        };
        for (i, (s, end)) in scenes.iter().zip(ends).enumerate() {
            let (from, to) = (code(s.first.at), code(*end));
            let _ = writeln!(out, "{:03}  AX       V     C        {from} {to} {from} {to}", i + 1);
        }
        out
    }
}

fn csv(scenes: &[Scene], ends: &[u64]) -> String {
    let mut out = String::from("scene,frame,start,end,length,change\n");
    for (i, (s, end)) in scenes.iter().zip(ends).enumerate() {
        let (start, end) = (seconds(s.first.at), seconds(*end));
        let _ = writeln!(out, "{},{},{start:.6},{end:.6},{:.6},{:.3}", i + 1, s.first.frame, end - start, s.change);
    }
    out
}

/// WebVTT: a chapter for each scene.
fn vtt(scenes: &[Scene], ends: &[u64]) -> String {
    let time = |t: u64| {
        let ms = t / 1_000_000;
        format!("{:02}:{:02}:{:02}.{:03}", ms / 3_600_000, ms / 60_000 % 60, ms / 1000 % 60, ms % 1000)
    };
    let mut out = String::from("WEBVTT\n");
    for (i, (s, end)) in scenes.iter().zip(ends).enumerate() {
        let _ = write!(out, "\n{}\n{} --> {}\nScene {}\n", i + 1, time(s.first.at), time(*end), i + 1);
    }
    out
}

fn seconds(t: u64) -> f64 {
    t as f64 / 1e9
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scenes() -> (Vec<Scene>, Vec<u64>) {
        let scene = |frame: u64| Scene { first: Cut { frame, at: frame * 40_000_000 }, change: 30.0 };
        (vec![scene(0), scene(25), scene(100)], vec![1_000_000_000, 4_000_000_000, 5_000_000_000])
    }

    #[test]
    fn lists_in_every_form() {
        let (s, e) = scenes();
        assert_eq!(csv(&s, &e).lines().nth(2), Some("2,25,1.000000,4.000000,3.000000,30.000"));
        assert!(vtt(&s, &e).contains("\n2\n00:00:01.000 --> 00:00:04.000\nScene 2\n"));
        let list = List::new(None, None);
        assert!(list.edl(&s, &e).contains("002  AX       V     C        00:00:01:00 00:00:04:00"));
        assert!(list.json(&s, &e).contains("\"frame\": 25"));
        assert!(check(Path::new("a.txt")).is_err() && check(Path::new("a.EDL")).is_ok());
        assert!(check_pattern("a.jpg").is_err() && check_pattern("a%02d.gif").is_err());
    }
}

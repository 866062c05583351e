//! What `probe` found: the object of `--json`.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::path::Path;

use gstreamer as gst;
use gstreamer::glib;
use gstreamer_pbutils::prelude::*;
use gstreamer_pbutils::{DiscovererContainerInfo, DiscovererInfo, DiscovererVideoInfo};
use gstreamer_video as gst_video;
use serde::Serialize;

use super::decode::Decoded;
use crate::redact::redact;
use crate::source::locate::shown;

/// A file or URL.
#[derive(Debug, Default, Serialize)]
pub struct Report {
    pub input: String,
    pub uri: String,
    pub container: Option<String>,
    pub duration_ns: Option<u64>,
    pub size_bytes: Option<u64>,
    pub bitrate: Option<u64>,
    pub seekable: bool,
    pub live: bool,
    pub video: Vec<Video>,
    pub audio: Vec<Audio>,
    pub subtitles: Vec<Subtitles>,
    pub tags: BTreeMap<String, String>,
    pub warnings: Vec<String>,
    pub error: Option<String>,
}

#[derive(Debug, Default, Serialize)]
pub struct Video {
    pub codec: Option<String>,
    pub caps: Option<String>,
    pub width: u32,
    pub height: u32,
    pub display_width: u32,
    pub display_height: u32,
    pub fps: Option<String>,
    pub fps_decimal: Option<f64>,
    pub variable_fps: bool,
    pub rotation: u32,
    pub mirrored: bool,
    pub pixel_aspect_ratio: String,
    pub interlacing: String,
    pub field_order: Option<String>,
    pub colorimetry: Option<Colorimetry>,
    pub chroma_site: Option<String>,
    pub bit_depth: Option<u32>,
    pub format: Option<String>,
    pub bitrate: Option<u32>,
    pub language: Option<String>,
    pub image: bool,
    pub tags: BTreeMap<String, String>,
    pub frames: Option<u64>,
    pub measured_variable_fps: Option<bool>,
    pub first_pts_ns: Option<u64>,
    pub last_pts_ns: Option<u64>,
    #[serde(skip)]
    stream_id: Option<String>,
    #[serde(skip)]
    pub(super) par: (u32, u32),
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Colorimetry {
    pub range: String,
    pub matrix: String,
    pub transfer: String,
    pub primaries: String,
    /// Which of these neither the container nor the codec's headers tell: the decoder guessed.
    pub assumed: Vec<&'static str>,
}

#[derive(Debug, Default, Serialize)]
pub struct Audio {
    pub codec: Option<String>,
    pub caps: Option<String>,
    pub rate: u32,
    pub channels: u32,
    pub bit_depth: Option<u32>,
    pub language: Option<String>,
    pub bitrate: Option<u32>,
    pub tags: BTreeMap<String, String>,
}

#[derive(Debug, Default, Serialize)]
pub struct Subtitles {
    pub codec: Option<String>,
    pub caps: Option<String>,
    pub language: Option<String>,
    pub tags: BTreeMap<String, String>,
}

impl Report {
    /// From what the discoverer says, which may be nothing.
    pub fn new(input: &OsStr, uri: &str, path: Option<&Path>, info: &DiscovererInfo) -> Report {
        let duration_ns = info.duration().map(gst::ClockTime::nseconds).filter(|ns| *ns > 0);
        let size_bytes = path.and_then(|p| p.metadata().ok()).map(|m| m.len());
        let bits = |(bytes, ns): (u64, u64)| (u128::from(bytes) * 8_000_000_000 / u128::from(ns)) as u64;
        let top = info.stream_info();
        let container = top.as_ref().and_then(|s| s.downcast_ref::<DiscovererContainerInfo>());
        #[allow(deprecated)] // For streams without a container there is nothing newer.
        let tags = container.and_then(DiscovererContainerInfo::tags).or_else(|| info.tags());
        let named = tags.as_ref().and_then(|t| Some(t.get::<gst::tags::ContainerFormat>()?.get().to_owned()));
        Report {
            input: shown(input),
            uri: redact(uri),
            container: named.or_else(|| container.and_then(|c| describe(c.caps()))),
            duration_ns,
            size_bytes,
            bitrate: size_bytes.zip(duration_ns).map(bits),
            seekable: info.is_seekable(),
            live: info.is_live(),
            video: info.video_streams().iter().map(Video::new).collect(),
            audio: info
                .audio_streams()
                .iter()
                .map(|a| Audio {
                    codec: describe(a.caps()),
                    caps: short(a.caps()),
                    rate: a.sample_rate(),
                    channels: a.channels(),
                    bit_depth: Some(a.depth()).filter(|d| *d > 0 && lossless(a.caps())),
                    language: language(a.language()),
                    bitrate: bitrate(a.bitrate(), a.tags()),
                    tags: tag_map(a.tags()),
                })
                .collect(),
            subtitles: info
                .subtitle_streams()
                .iter()
                .map(|s| Subtitles {
                    codec: describe(s.caps()),
                    caps: short(s.caps()),
                    language: language(s.language()),
                    tags: tag_map(s.tags()),
                })
                .collect(),
            tags: tag_map(tags),
            ..Report::default()
        }
    }

    /// No stream at all.
    pub fn is_empty(&self) -> bool {
        self.video.is_empty() && self.audio.is_empty() && self.subtitles.is_empty()
    }

    /// Adds what decoding showed.
    pub fn complete(&mut self, streams: &[Decoded], count: bool) {
        for (i, video) in self.video.iter_mut().enumerate() {
            let same = |d: &&Decoded| d.stream_id.is_some() && d.stream_id == video.stream_id;
            let Some(decoded) = streams.iter().find(same).or_else(|| streams.get(i)) else { continue };
            video.decoded(decoded);
            if count {
                video.frames = Some(decoded.frames);
                video.measured_variable_fps = decoded.variable();
                video.first_pts_ns = decoded.first_pts;
                video.last_pts_ns = decoded.last_pts;
            }
        }
    }
}

impl Video {
    fn new(v: &DiscovererVideoInfo) -> Video {
        let (fps, par) = (v.framerate(), v.par());
        let known = fps.numer() > 0 && fps.denom() > 0;
        let tags = v.tags();
        let orientation =
            tags.as_ref().and_then(|t| t.get::<gst::tags::ImageOrientation>().map(|o| o.get().to_owned()));
        let (rotation, mirrored) = turn(orientation.as_deref().unwrap_or_default());
        let caps = v.caps();
        let depth = caps.as_ref().and_then(|c| c.structure(0)?.get::<u32>("bit-depth-luma").ok());
        let mut video = Video {
            codec: describe(caps.clone()),
            width: v.width(),
            height: v.height(),
            fps: known.then(|| format!("{}/{}", fps.numer(), fps.denom())),
            fps_decimal: known.then(|| (f64::from(fps.numer()) / f64::from(fps.denom()) * 1e4).round() / 1e4),
            variable_fps: !known && !v.is_image(),
            rotation,
            mirrored,
            par: (par.numer().max(1) as u32, par.denom().max(1) as u32),
            interlacing: if v.is_interlaced() { "interlaced" } else { "progressive" }.into(),
            colorimetry: caps
                .as_ref()
                .and_then(|c| c.structure(0)?.get::<String>("colorimetry").ok()?.parse().ok())
                .map(|c| Colorimetry::new(&c)),
            chroma_site: caps.as_ref().and_then(|c| c.structure(0)?.get("chroma-site").ok()),
            bit_depth: depth.or(Some(v.depth()).filter(|d| (1..=16).contains(d))),
            bitrate: bitrate(v.bitrate(), tags.clone()),
            language: tags.as_ref().and_then(|t| language(Some(t.get::<gst::tags::LanguageCode>()?.get()))),
            image: v.is_image(),
            tags: tag_map(tags),
            stream_id: v.stream_id().map(Into::into),
            caps: short(caps),
            ..Video::default()
        };
        video.settle_shape();
        video
    }

    /// Takes the picture's caps, which are right where the container's are not.
    fn decoded(&mut self, decoded: &Decoded) {
        let Some(info) = decoded.caps.as_ref().and_then(|c| gst_video::VideoInfo::from_caps(c).ok()) else { return };
        self.width = info.width();
        self.height = info.height();
        self.par = (info.par().numer().max(1) as u32, info.par().denom().max(1) as u32);
        self.format = Some(info.format().to_str().to_string());
        self.bit_depth = info.format_info().depth().first().copied().or(self.bit_depth);
        self.interlacing = info.interlace_mode().to_str().to_string();
        let order = |order| match order {
            gst_video::VideoFieldOrder::TopFieldFirst => Some("top-field-first".to_owned()),
            gst_video::VideoFieldOrder::BottomFieldFirst => Some("bottom-field-first".to_owned()),
            _ => None,
        };
        self.field_order = info.is_interlaced().then(|| order(info.field_order())).flatten();
        // What the stream says stands: decoders replace partial colorimetry (only the range, say) by their default.
        self.colorimetry = Some(Colorimetry::new(&info.colorimetry()).under(self.colorimetry.as_ref()));
        let site = decoded.caps.as_ref().and_then(|c| c.structure(0)?.get("chroma-site").ok());
        self.chroma_site = site.or(self.chroma_site.take());
        self.settle_shape();
    }

    fn settle_shape(&mut self) {
        let (n, d) = self.par;
        self.pixel_aspect_ratio = format!("{n}/{d}");
        let wide = (u64::from(self.width) * u64::from(n) + u64::from(d) / 2) / u64::from(d);
        (self.display_width, self.display_height) = (wide as u32, self.height);
        if !self.rotation.is_multiple_of(180) {
            std::mem::swap(&mut self.display_width, &mut self.display_height);
        }
    }
}

impl Colorimetry {
    fn new(c: &gst_video::VideoColorimetry) -> Colorimetry {
        let nick = |value: glib::Value| {
            let nick = glib::EnumValue::from_value(&value).map(|(_, v)| v.nick().to_owned());
            nick.unwrap_or_else(|| "unknown".into())
        };
        let range = match c.range() {
            gst_video::VideoColorRange::Range0_255 => "full",
            gst_video::VideoColorRange::Range16_235 => "limited",
            _ => "unknown",
        };
        Colorimetry {
            range: range.into(),
            matrix: nick(c.matrix().to_value()),
            transfer: nick(c.transfer().to_value()),
            primaries: nick(c.primaries().to_value()),
            assumed: Vec::new(),
        }
    }

    /// `self`, the decoder's, with everything that the stream tells put over it.
    fn under(mut self, told: Option<&Colorimetry>) -> Colorimetry {
        let field = |c: &Colorimetry, i: usize| [&c.range, &c.matrix, &c.transfer, &c.primaries][i].clone();
        let mine = [&mut self.range, &mut self.matrix, &mut self.transfer, &mut self.primaries];
        for (i, (mine, name)) in mine.into_iter().zip(["range", "matrix", "transfer", "primaries"]).enumerate() {
            match told.map(|t| field(t, i)).filter(|value| value != "unknown") {
                Some(value) => *mine = value,
                None => self.assumed.push(name),
            }
        }
        self
    }
}

/// Degrees clockwise that show a picture of this `image-orientation` upright, and whether it is mirrored before.
fn turn(orientation: &str) -> (u32, bool) {
    let (mirrored, angle) = match orientation.strip_prefix("flip-") {
        Some(rest) => (true, rest),
        None => (false, orientation),
    };
    (angle.strip_prefix("rotate-").and_then(|a| a.parse().ok()).unwrap_or(0), mirrored)
}

/// What people call the codec or container. (The library's function refuses caps that are not fixed.)
fn describe(caps: Option<gst::Caps>) -> Option<String> {
    let caps = caps.filter(|c| c.is_fixed() && !c.is_empty())?;
    if let Some(name) = caps.structure(0)?.name().strip_prefix("image/gst-libav-") {
        return Some(name.to_uppercase());
    }
    Some(gstreamer_pbutils::pb_utils_get_codec_description(&caps).into())
}

/// A language code other than "undetermined".
fn language(code: Option<impl AsRef<str>>) -> Option<String> {
    code.map(|c| c.as_ref().to_owned()).filter(|c| !c.is_empty() && c != "und")
}

/// Whether the samples' depth is the stream's own; of a lossy codec it is the decoder's.
fn lossless(caps: Option<gst::Caps>) -> bool {
    const LOSSLESS: &[&str] = &["audio/x-raw", "audio/x-wav", "audio/x-flac", "audio/x-alac", "audio/x-wavpack"];
    caps.and_then(|c| Some(LOSSLESS.contains(&c.structure(0)?.name().as_str()))).unwrap_or(false)
}

/// Caps without the codec's headers, which are kilobytes of hexadecimal.
fn short(caps: Option<gst::Caps>) -> Option<String> {
    let mut caps = caps?;
    for s in caps.make_mut().iter_mut() {
        s.remove_fields(["codec_data", "streamheader", "colour-info"]);
    }
    Some(caps.to_string())
}

fn bitrate(from_info: u32, tags: Option<gst::TagList>) -> Option<u32> {
    let tagged = || {
        let tags = tags.as_ref()?;
        let nominal = tags.get::<gst::tags::NominalBitrate>().map(|b| b.get());
        tags.get::<gst::tags::Bitrate>().map(|b| b.get()).or(nominal)
    };
    Some(from_info).filter(|b| *b > 0).or_else(tagged).filter(|b| *b > 0)
}

/// Tags as text; pictures and other binary ones are left out, and so is what has its own place in the report.
fn tag_map(tags: Option<gst::TagList>) -> BTreeMap<String, String> {
    const ELSEWHERE: &[&str] = &[
        "audio-codec",
        "bitrate",
        "codec",
        "container-format",
        "has-crc",
        "image-orientation",
        "language-code",
        "maximum-bitrate",
        "minimum-bitrate",
        "subtitle-codec",
        "video-codec",
    ];
    let Some(tags) = tags else { return BTreeMap::new() };
    tags.iter_generic()
        .filter(|(name, _)| !ELSEWHERE.contains(&name.as_str()))
        .filter_map(|(name, values)| {
            let texts: Vec<String> = values.filter_map(tag_text).collect();
            (!texts.is_empty()).then(|| (name.to_string(), texts.join("; ")))
        })
        .collect()
}

fn tag_text(value: &glib::SendValue) -> Option<String> {
    if let Ok(text) = value.get::<String>() {
        return Some(text);
    }
    if let Ok(time) = value.get::<gst::DateTime>() {
        return time.to_iso8601_string().ok().map(Into::into);
    }
    if let Ok(date) = value.get::<glib::Date>() {
        return Some(format!("{:04}-{:02}-{:02}", date.year(), u8_month(&date), date.day()));
    }
    let plain = value.type_().is_a(glib::Type::F64)
        || [glib::Type::U32, glib::Type::I32, glib::Type::U64, glib::Type::BOOL].contains(&value.type_());
    plain.then(|| value.transform::<String>().ok()?.get::<String>().ok()).flatten()
}

fn u8_month(date: &glib::Date) -> i32 {
    use glib::translate::IntoGlib;
    date.month().into_glib()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn orientation_tags_are_read() {
        assert_eq!(turn("rotate-90"), (90, false));
        assert_eq!(turn("flip-rotate-0"), (0, true));
        assert_eq!(turn("flip-rotate-270"), (270, true));
        assert_eq!(turn(""), (0, false));
    }

    #[test]
    fn shape_is_pixel_aspect_then_rotation() {
        let mut v = Video { width: 720, height: 576, par: (64, 45), rotation: 90, ..Video::default() };
        v.settle_shape();
        assert_eq!((v.display_width, v.display_height), (576, 1024));
    }

    #[test]
    fn what_the_stream_tells_stands_over_the_decoder() {
        gst::init().unwrap();
        let parse = |text: &str| Colorimetry::new(&text.parse().unwrap());
        let told = parse("1:0:0:0"); // full range, the rest unknown
        let merged = parse("bt601").under(Some(&told));
        assert_eq!((merged.range.as_str(), merged.matrix.as_str()), ("full", "bt601"));
        assert_eq!(merged.assumed, ["matrix", "transfer", "primaries"]);
        assert!(parse("bt601").under(Some(&parse("bt709"))).assumed.is_empty());
        assert_eq!(parse("bt601").under(None).assumed.len(), 4);
    }
}

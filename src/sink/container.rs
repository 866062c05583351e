//! File formats: by extension, with what each can hold.

use std::path::Path;

use crate::config::did_you_mean;
use crate::failure::Failure;

/// A container and its muxer.
#[derive(Debug)]
pub struct Container {
    /// Extensions without the dot.
    extensions: &'static [&'static str],
    /// What people call it.
    pub name: &'static str,
    /// The muxer element.
    pub muxer: &'static str,
    /// Encoders, best first.
    pub preferred: &'static [&'static str],
    /// Audio encoder where a track cannot be carried: `aac` or `opus`.
    pub audio: &'static str,
    /// It stores no timestamps, only a constant rate.
    pub no_timestamps: bool,
}

static ALL: &[Container] = &[
    Container {
        extensions: &["mp4", "m4v"],
        name: "MP4",
        muxer: "mp4mux",
        preferred: &["x264", "openh264", "hardware", "x265", "mpeg4"],
        audio: "aac",
        no_timestamps: false,
    },
    Container {
        extensions: &["mov"],
        name: "MOV",
        muxer: "qtmux",
        preferred: &["x264", "openh264", "hardware", "x265", "mpeg4"],
        audio: "aac",
        no_timestamps: false,
    },
    Container {
        extensions: &["mkv"],
        name: "Matroska",
        muxer: "matroskamux",
        preferred: &["x264", "openh264", "hardware", "x265", "vp9", "vp8"],
        audio: "aac",
        no_timestamps: false,
    },
    Container {
        extensions: &["webm"],
        name: "WebM",
        muxer: "webmmux",
        preferred: &["vp9", "vp8", "av1"],
        audio: "opus",
        no_timestamps: false,
    },
    Container {
        extensions: &["avi"],
        name: "AVI",
        muxer: "avimux",
        preferred: &["x264", "openh264", "mpeg4", "mjpeg"],
        audio: "mp3",
        no_timestamps: true,
    },
    Container {
        extensions: &["ts", "mts", "m2ts"],
        name: "MPEG-TS",
        muxer: "mpegtsmux",
        preferred: &["x264", "openh264", "hardware", "x265"],
        audio: "aac",
        no_timestamps: false,
    },
];

impl Container {
    /// The container that the extension of `path` names.
    pub fn of(path: &Path) -> Result<&'static Self, Failure> {
        let extension = path.extension().map(|e| e.to_string_lossy().to_ascii_lowercase()).unwrap_or_default();
        ALL.iter().find(|c| c.extensions.contains(&extension.as_str())).ok_or_else(|| {
            let all: Vec<&str> = ALL.iter().flat_map(|c| c.extensions.iter().copied()).collect();
            let what = match extension.as_str() {
                "" => format!("cannot write {}: the name has no extension that says what to write", path.display()),
                e => format!(
                    "cannot write {}: unknown file type .{e}{}",
                    path.display(),
                    did_you_mean(e, all.iter().copied())
                ),
            };
            Failure::output(what).fix(format!("video: {}; pictures: out/%05d.png", all.join(", ")))
        })
    }

    /// Written in fragments, which become one index at the end.
    pub fn fragments(&self) -> bool {
        matches!(self.muxer, "mp4mux" | "qtmux")
    }

    /// Whether the muxer has a pad for this kind of video.
    pub fn takes_video(&self, media: &str) -> bool {
        // GStreamer 1.22 writes an MP4 with VP9 that nobody can open, or crashes (with vp9parse, chroma site unknown).
        if media == "video/x-vp9" && self.fragments() {
            return false;
        }
        self.takes(&gstreamer::Caps::new_empty_simple(media))
    }

    /// It stores when pictures are shown, and leaves when they are decoded to the order they lie in.
    pub fn shown_times(&self) -> bool {
        matches!(self.muxer, "matroskamux" | "webmmux")
    }

    /// Whether the muxer takes packets of these caps as they are: with all that it has to know of them.
    pub fn takes_form(&self, caps: &gstreamer::Caps) -> bool {
        self.has_pad(|pad| caps.is_subset(pad))
    }

    fn has_pad(&self, fits: impl Fn(&gstreamer::Caps) -> bool) -> bool {
        gstreamer::ElementFactory::find(self.muxer).is_some_and(|f| {
            f.static_pad_templates().iter().any(|t| t.direction() == gstreamer::PadDirection::Sink && fits(&t.caps()))
        })
    }

    /// Whether the muxer has a pad for these caps, framing details left aside: parsers settle those.
    pub fn takes(&self, caps: &gstreamer::Caps) -> bool {
        let Some(s) = caps.structure(0) else { return false };
        let mut plain = s.to_owned();
        if s.name() != "audio/x-raw" {
            plain.filter_map_in_place(|name, value| {
                matches!(name.as_str().as_str(), "mpegversion" | "layer" | "channels" | "rate").then_some(value)
            });
        }
        let plain = gstreamer::Caps::builder_full().structure(plain).build();
        self.has_pad(|pad| pad.can_intersect(&plain))
    }
}

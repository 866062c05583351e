//! `[[sink]]`: where frames go.

use std::collections::BTreeMap;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Invalid, Time};
use crate::vision::event::Kind;

/// One `[[sink]]` table.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct SinkSettings {
    /// `file`, `images`, `display`, `null`, `pipeline`, `records`, `webhook`, `mqtt`, `clips` or `report`.
    #[serde(rename = "type")]
    pub kind: SinkKind,
    /// For `file`: the file; its extension chooses the container (mp4, mov, mkv, webm, avi, ts). For `images`: a pattern
    /// with one number, as in `out/%05d.png`. For `records`: the file; its extension chooses the form: jsonl (a line per
    /// picture and per event), csv (a line per detection, or per event), db or sqlite (SQLite), json (COCO), txt (MOTChallenge);
    /// `-` is standard output, in lines as jsonl. For `report`: an HTML page about what was found and what happened (.html).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<PathBuf>,
    /// For `webhook`: where events are posted, as http://… or https://…. For `mqtt`: mqtt://HOST/TOPIC or mqtts://…, with
    /// user:password@ and :port where needed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// For `records`, `webhook` and `mqtt`: `all`, `frames` (what was seen in each picture that was looked at) or `events` (what
    /// happened). Default: `all`; `frames` for csv; `events` for webhook and mqtt.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content: Option<Content>,
    /// For `records` in a database: adds this run to those that are in it.
    pub append: bool,
    /// For `webhook`: headers of each request, as in `{ Authorization = "Bearer ${TOKEN}" }`.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, String>,
    /// For `webhook` and `mqtt`: the folder of the file in which events wait while the other side is away. Default: the working
    /// directory.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub spool: Option<PathBuf>,
    /// For `webhook` and `mqtt`: how long the end of the run waits for what is not delivered yet, 0 to 60 seconds; the rest
    /// stays in the spool for the next run.
    pub wait: Time,
    /// For `pipeline`: what follows raw video, as for gst-launch-1.0.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pipeline: Option<String>,
    /// Video encoder by short name (`x264`, `x265`, `openh264`, `vp8`, `vp9`, `av1`, `mjpeg`, `mpeg4`, `ffv1`, `prores`,
    /// `hardware`) or by GStreamer element name. Default: the best one that is installed for the container.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub encoder: Option<String>,
    /// Constant quality on the encoder's own scale (CRF for x264, x265, vp9, av1; smaller is better). Default 23 for x264.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quality: Option<u32>,
    /// Average bitrate in kbit/s, instead of constant quality.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bitrate: Option<u32>,
    /// Speed preset by the encoder's own names (`ultrafast` … `veryslow` for x264 and x265, 0–8 for vp9 and av1).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub preset: Option<String>,
    /// Largest distance between keyframes in frames. Default: the encoder's; one second for live sources.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub keyint: Option<u32>,
    /// GStreamer properties handed to the encoder as they are: `{ b-adapt = "false" }`.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub encoder_options: BTreeMap<String, String>,
    /// False leaves the audio out of this file.
    pub audio: bool,
    /// Replaces a file that exists.
    pub overwrite: bool,
    /// For `clips`: which events make one, by kind (`motion`, `line.crossed`, `cut`) or by the name of their line, zone or op.
    /// Default: all but tracks.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub events: Vec<String>,
    /// For `clips`: how much of the stream goes before each event, 0 to 60 seconds; scenes begin at their cut.
    pub before: Time,
    /// For `clips`: how much goes behind it, 0 to 60 seconds.
    pub after: Time,
    /// For `clips`: the packets of the input are copied and nothing is encoded; each clip begins at the last keyframe before the
    /// roll.
    pub copy: bool,
    /// For `display`: shows the frame rate in the picture.
    pub show_fps: bool,
    /// What happens when this output cannot keep up: `block` (wait) or `drop` (drop the oldest waiting frame and count it).
    /// Default: wait on finite inputs and for recordings; drop for a display on a live input.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub policy: Option<Policy>,
}

/// Kinds of output.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum SinkKind {
    /// A video file.
    #[default]
    File,
    /// Numbered pictures.
    Images,
    /// A window.
    Display,
    /// Nowhere: to measure or to analyse.
    Null,
    /// A GStreamer pipeline's tail.
    Pipeline,
    /// A file for each event.
    Clips,
    /// What the ops saw and what happened, as a table.
    Records,
    /// Each event posted to a URL.
    Webhook,
    /// Each event published to an MQTT broker.
    Mqtt,
    /// An HTML page about the whole run.
    Report,
}

impl SinkKind {
    /// True where only what was found and what happened counts.
    pub fn takes_no_pictures(self) -> bool {
        matches!(self, SinkKind::Records | SinkKind::Webhook | SinkKind::Mqtt)
    }
}

/// What is written down.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Content {
    /// Both.
    All,
    /// What was seen in pictures.
    Frames,
    /// What happened.
    Events,
}

impl Content {
    /// True where results of pictures are in it.
    pub fn frames(self) -> bool {
        self != Content::Events
    }

    /// True where events are in it.
    pub fn events(self) -> bool {
        self != Content::Frames
    }
}

/// What a full output does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Policy {
    /// Waits, and so makes the source wait.
    Block,
    /// Drops the oldest waiting frame.
    Drop,
}

impl Default for SinkSettings {
    fn default() -> Self {
        SinkSettings {
            kind: SinkKind::File,
            path: None,
            url: None,
            content: None,
            append: false,
            headers: BTreeMap::new(),
            spool: None,
            wait: Time(gstreamer::ClockTime::from_seconds(5)),
            pipeline: None,
            encoder: None,
            quality: None,
            bitrate: None,
            preset: None,
            keyint: None,
            encoder_options: BTreeMap::new(),
            audio: true,
            overwrite: false,
            events: Vec::new(),
            before: Time(gstreamer::ClockTime::from_seconds(2)),
            after: Time(gstreamer::ClockTime::from_seconds(2)),
            copy: false,
            show_fps: false,
            policy: None,
        }
    }
}

/// Extensions that are written as picture sequences.
pub const IMAGE_EXTENSIONS: [&str; 6] = ["png", "jpg", "jpeg", "bmp", "tif", "tiff"];

/// Extensions of files that detections and events are written to.
pub const RECORD_EXTENSIONS: [&str; 6] = ["jsonl", "csv", "db", "sqlite", "json", "txt"];

impl SinkSettings {
    /// The output that a person means by `-o text`.
    pub fn from_text(text: &str) -> Self {
        let of = |kind| SinkSettings { kind, ..Default::default() };
        if let Some(tail) = text.strip_prefix("pipeline:") {
            return SinkSettings { pipeline: Some(tail.trim().to_owned()), ..of(SinkKind::Pipeline) };
        }
        match text {
            "display" => of(SinkKind::Display),
            "display:fps" => SinkSettings { show_fps: true, ..of(SinkKind::Display) },
            "null" => of(SinkKind::Null),
            clips if clips.starts_with("clips:") => {
                SinkSettings { path: Some(clips[6..].into()), ..of(SinkKind::Clips) }
            }
            "jsonl:-" => SinkSettings { path: Some("-".into()), ..of(SinkKind::Records) },
            events if events.starts_with("events:") => {
                let (path, content) = (Some(events[7..].into()), Some(Content::Events));
                SinkSettings { path, content, ..of(SinkKind::Records) }
            }
            hook if hook.starts_with("webhook:") => {
                SinkSettings { url: Some(hook[8..].to_owned()), ..of(SinkKind::Webhook) }
            }
            url if url.starts_with("mqtt://") || url.starts_with("mqtts://") => {
                SinkSettings { url: Some(url.to_owned()), ..of(SinkKind::Mqtt) }
            }
            path => SinkSettings::from_path(path.strip_prefix("file:").unwrap_or(path).into()),
        }
    }

    /// A file, or a picture sequence where the name holds a number pattern and a picture extension.
    pub fn from_path(path: PathBuf) -> Self {
        let extension = path.extension().map(|e| e.to_string_lossy().to_ascii_lowercase()).unwrap_or_default();
        let kind = match extension.as_str() {
            e if IMAGE_EXTENSIONS.contains(&e) => SinkKind::Images,
            e if RECORD_EXTENSIONS.contains(&e) => SinkKind::Records,
            "html" => SinkKind::Report,
            _ => SinkKind::File,
        };
        SinkSettings { kind, path: Some(path), ..Default::default() }
    }

    /// Checks what types cannot.
    pub fn check(&self) -> Result<(), Invalid> {
        let wrong = |key: &'static str, message: String| Err(Invalid::new(key, message));
        match self.kind {
            kind if self.copy && kind != SinkKind::Clips => wrong("copy", "copy is for clips only".into()),
            SinkKind::File | SinkKind::Images | SinkKind::Records | SinkKind::Clips | SinkKind::Report
                if self.path.as_ref().is_none_or(|p| p.as_os_str().is_empty()) =>
            {
                wrong("path", "this sink has no path".into())
            }
            SinkKind::Pipeline if self.pipeline.as_deref().is_none_or(str::is_empty) => {
                wrong("pipeline", "this sink has no pipeline text, as in \"videoconvert ! fpsdisplaysink\"".into())
            }
            SinkKind::Images => {
                let path = self.path.clone().unwrap_or_default();
                let name = path.to_string_lossy();
                match crate::config::number_pattern(&name) {
                    Some(_) => Ok(()),
                    None => wrong(
                        "path",
                        format!(
                            "`{name}` would be one picture for all frames: put a number into the name, as in frames/%05d.png"
                        ),
                    ),
                }
            }
            SinkKind::Report if self.extension() != "html" => {
                let name = self.label();
                wrong("path", format!("`{name}` is no name for a report: it is an HTML page, as in report.html"))
            }
            SinkKind::Clips => {
                let path = self.path.clone().unwrap_or_default();
                let name = path.to_string_lossy();
                if !name.contains("{n}") && !name.contains("{time}") {
                    let what = format!("`{name}` would be one file for all clips: put {{n}} or {{time}} into the name");
                    return wrong("path", format!("{what}, as in clips/{{n}}-{{kind}}.mp4"));
                }
                let encodes = [
                    ("encoder", self.encoder.is_some()),
                    ("quality", self.quality.is_some()),
                    ("bitrate", self.bitrate.is_some()),
                    ("preset", self.preset.is_some()),
                    ("keyint", self.keyint.is_some()),
                    ("encoder-options", !self.encoder_options.is_empty()),
                ];
                if let Some((key, _)) = encodes.iter().find(|(_, given)| self.copy && *given) {
                    return wrong(key, format!("copies are not encoded: take out {key}, or copy"));
                }
                for (key, t) in [("before", self.before), ("after", self.after)] {
                    Invalid::unless_in(key, t.0.nseconds() as f64 / 1e9, 0.0..=60.0)?;
                }
                Ok(())
            }
            SinkKind::Records => {
                let extension = self.extension();
                if !self.is_stdout() && !RECORD_EXTENSIONS.contains(&extension.as_str()) {
                    let known = RECORD_EXTENSIONS.join(", ");
                    return wrong("path", format!("`{extension}` is no form of records: {known} are"));
                }
                match (extension.as_str(), self.content) {
                    ("csv", Some(Content::All)) => wrong(
                        "content",
                        "a CSV holds one table: content = \"frames\" (a line per detection) or \"events\"".into(),
                    ),
                    ("json" | "txt", Some(Content::All | Content::Events)) => {
                        wrong("content", format!(".{extension} holds detections only; events go to jsonl, csv or db"))
                    }
                    (e, _) if self.append && !matches!(e, "db" | "sqlite") => {
                        wrong("append", "append is for databases only: .db, .sqlite".into())
                    }
                    _ => Ok(()),
                }
            }
            SinkKind::Webhook | SinkKind::Mqtt => {
                let (schemes, example): (&[&str], _) = match self.kind {
                    SinkKind::Mqtt => (&["mqtt", "mqtts"], "mqtt://broker.lan/cameras/gate"),
                    _ => (&["http", "https"], "https://example.org/hook"),
                };
                let text = self.url.as_deref().unwrap_or_default();
                let shown = crate::redact::redact(text);
                let url = url::Url::parse(text).ok().filter(|u| schemes.contains(&u.scheme()) && u.has_host());
                let Some(url) = url else {
                    return wrong("url", format!("`{shown}` is no URL for this output: give one as in {example}"));
                };
                let topic = url.path().trim_start_matches('/');
                if self.kind == SinkKind::Mqtt && (topic.is_empty() || topic.contains(['+', '#'])) {
                    return wrong("url", format!("`{shown}` names no topic to publish to: give one as in {example}"));
                }
                Invalid::unless_in("wait", self.wait.0.nseconds() as f64 / 1e9, 0.0..=60.0)
            }
            _ if self.quality.is_some() && self.bitrate.is_some() => {
                wrong("quality", "quality and bitrate exclude each other: give one of them".into())
            }
            _ => {
                if let Some(q) = self.quality {
                    Invalid::unless_in("quality", q, 0..=100)?;
                }
                if let Some(b) = self.bitrate {
                    Invalid::unless_in("bitrate", b, 1..=2_000_000)?;
                }
                if let Some(k) = self.keyint {
                    Invalid::unless_in("keyint", k, 1..=100_000)?;
                }
                Ok(())
            }
        }
    }

    /// Extension of the path in small letters.
    pub fn extension(&self) -> String {
        let extension = self.path.as_ref().and_then(|p| p.extension());
        extension.map(|e| e.to_string_lossy().to_ascii_lowercase()).unwrap_or_default()
    }

    /// True for lines that go to standard output.
    pub fn is_stdout(&self) -> bool {
        self.kind == SinkKind::Records && self.path.as_ref().is_some_and(|p| p.as_os_str() == "-")
    }

    /// What is written down.
    pub fn contents(&self) -> Content {
        self.content.unwrap_or(match self.kind {
            SinkKind::Webhook | SinkKind::Mqtt => Content::Events,
            _ if self.is_stdout() => Content::All,
            _ => match self.extension().as_str() {
                "csv" | "json" | "txt" => Content::Frames,
                _ => Content::All,
            },
        })
    }

    /// For clips: whether an event of this kind at this name makes one.
    pub fn wants(&self, kind: Kind, name: &str) -> bool {
        if self.events.is_empty() {
            return !matches!(kind, Kind::TrackStarted | Kind::TrackEnded | Kind::ZoneLeft | Kind::ZoneDwelt);
        }
        let of =
            |e: &String| kind.name() == e || kind.name().split('.').next() == Some(e) || !name.is_empty() && name == e;
        self.events.iter().any(of)
    }

    /// How people call this output.
    pub fn label(&self) -> String {
        match self.kind {
            _ if self.is_stdout() => "standard output".into(),
            SinkKind::Webhook | SinkKind::Mqtt => crate::redact::redact(self.url.as_deref().unwrap_or_default()),
            SinkKind::File | SinkKind::Images | SinkKind::Records | SinkKind::Clips | SinkKind::Report => {
                self.path.as_ref().map(|p| p.display().to_string()).unwrap_or_default()
            }
            SinkKind::Display => "display".into(),
            SinkKind::Null => "null".into(),
            SinkKind::Pipeline => "pipeline".into(),
        }
    }
}

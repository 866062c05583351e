//! `[source]`: where frames come from and which of them are taken.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Invalid, Rate, Size, Time};

/// The `[source]` table.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct SourceSettings {
    /// A path, a URI (http, https, rtsp, rtsps, file), `-` for standard input, `frames/%05d.png` or a glob of pictures,
    /// `camera:N|PATH|NAME`, `test:PATTERN`, `generate:NAME`, `pipeline:TEXT`.
    pub uri: String,
    /// Leave out everything before this time of the source.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub start: Option<Time>,
    /// Leave out everything from this time of the source on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub end: Option<Time>,
    /// Stop after so many frames.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub frames: Option<u64>,
    /// Take every Nth frame, 1 = all.
    #[schemars(range(min = 1))]
    pub stride: u64,
    /// Size to ask a camera, test or generate source for; 1280x720 for the latter two.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size: Option<Size>,
    /// Frame rate to ask a camera, test or generate source for, and the rate of picture sequences; 30 where nothing else says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fps: Option<Rate>,
    /// Raw format (`I420`, `BGR`, …) to ask a camera or test source for, or `MJPG` for a camera.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub format: Option<String>,
    /// Makes test and generate sources run at their frame rate, as a camera would.
    pub live: bool,
    /// Adds a test tone of so many Hz to a test source.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tone: Option<f64>,
    /// Seed of `generate:` sources: another seed, another picture.
    pub seed: u64,
    /// Where `generate:scene` writes its objects' boxes (MOTChallenge text).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub truth: Option<PathBuf>,
    /// How RTSP media travels: `tcp`, `udp`, `udp-mcast` or `http`.
    pub rtsp_transport: RtspTransport,
    /// Jitter buffer of network sources in milliseconds.
    pub latency: u32,
    /// What to do with interlaced video: `deinterlace` (frame rate kept) or `keep`.
    pub interlaced: Interlaced,
    /// False drops the source's audio.
    pub audio: bool,
    /// Give up when the source delivers nothing for so long; seconds.
    pub timeout: Time,
}

/// Transport of RTSP media.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
#[allow(missing_docs)]
pub enum RtspTransport {
    #[default]
    Tcp,
    Udp,
    UdpMcast,
    Http,
}

/// Treatment of interlaced video.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Interlaced {
    /// One progressive frame for each interlaced one.
    #[default]
    Deinterlace,
    /// Hands the woven fields on as they are.
    Keep,
}

impl Default for SourceSettings {
    fn default() -> Self {
        SourceSettings {
            uri: String::new(),
            start: None,
            end: None,
            frames: None,
            stride: 1,
            size: None,
            fps: None,
            format: None,
            live: false,
            tone: None,
            seed: 1,
            truth: None,
            rtsp_transport: RtspTransport::Tcp,
            latency: 200,
            interlaced: Interlaced::Deinterlace,
            audio: true,
            timeout: Time(gstreamer::ClockTime::from_seconds(20)),
        }
    }
}

impl SourceSettings {
    /// Checks what types cannot.
    pub fn check(&self) -> Result<(), Invalid> {
        let wrong = |key: &'static str, message: &str| Err(Invalid::new(key, message));
        if self.uri.is_empty() {
            return wrong("uri", "the source has no uri: give a path, a URI, camera:, test:, generate: or pipeline:");
        }
        if self.stride == 0 {
            return wrong("stride", "stride = 0 is out of range: 1 takes every frame, 2 every second one");
        }
        if self.frames == Some(0) {
            return wrong("frames", "frames = 0 would leave nothing: 1 or more is allowed");
        }
        if let (Some(s), Some(e)) = (self.start, self.end)
            && s >= e
        {
            let message = format!("start = {s} is not before end = {e}");
            return Err(Invalid::new("start", message));
        }
        if let Some(hz) = self.tone {
            Invalid::unless_in("tone", hz, 20.0..=20000.0)?;
        }
        if self.timeout.0.is_zero() {
            return wrong("timeout", "timeout = 0 would give up at once: 1 or more seconds");
        }
        Ok(())
    }
}

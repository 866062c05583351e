//! A media file as ffprobe and ffmpeg see it.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::tool;

/// A file, reopened.
pub struct Media {
    path: PathBuf,
    info: Value,
}

/// One encoded packet.
#[derive(Clone, Debug, PartialEq)]
pub struct Packet {
    /// Seconds.
    pub pts: f64,
    /// Of its bytes.
    pub md5: String,
}

impl Media {
    /// Opens it; fails where ffprobe cannot.
    #[track_caller]
    pub fn open(path: impl AsRef<Path>) -> Self {
        let path = path.as_ref();
        assert!(path.is_file(), "{} was not written", path.display());
        let info = ffprobe(path, &["-show_streams", "-show_format"]);
        Media { path: path.to_owned(), info }
    }

    /// The streams of a type: `video` or `audio`. Cover pictures are none.
    pub fn streams(&self, kind: &str) -> Vec<&Value> {
        let all = self.info["streams"].as_array().into_iter().flatten();
        all.filter(|s| s["codec_type"] == kind && s["disposition"]["attached_pic"] != 1).collect()
    }

    /// The video stream.
    #[track_caller]
    pub fn video(&self) -> &Value {
        self.streams("video").first().copied().unwrap_or_else(|| panic!("{} has no video", self.path.display()))
    }

    /// A text property of the video stream; empty where it is not said.
    pub fn tag(&self, key: &str) -> &str {
        self.video()[key].as_str().unwrap_or_default()
    }

    /// A tag of the container, by its name in any case.
    pub fn title(&self) -> Option<&str> {
        let tags = self.info["format"]["tags"].as_object()?;
        tags.iter().find(|(k, _)| k.eq_ignore_ascii_case("title")).and_then(|(_, v)| v.as_str())
    }

    /// Where its timeline begins, in seconds.
    pub fn start(&self) -> f64 {
        self.info["format"]["start_time"].as_str().and_then(|d| d.parse().ok()).unwrap_or(0.0)
    }

    /// The pixel aspect ratio; 1:1 where none is said.
    pub fn sar(&self) -> (u64, u64) {
        let parts = self.tag("sample_aspect_ratio").split_once(':');
        let parsed = parts.and_then(|(x, y)| Some((x.parse().ok()?, y.parse().ok()?)));
        parsed.filter(|(x, y)| x * y > 0).unwrap_or((1, 1))
    }

    /// Width and height as stored.
    pub fn size(&self) -> (u64, u64) {
        let v = self.video();
        (v["width"].as_u64().unwrap_or(0), v["height"].as_u64().unwrap_or(0))
    }

    /// Width and height as shown, rotation applied.
    pub fn upright_size(&self) -> (u64, u64) {
        let (w, h) = self.size();
        if self.rotation().rem_euclid(180) == 90 { (h, w) } else { (w, h) }
    }

    /// The display matrix's rotation in degrees; 0 where there is none.
    pub fn rotation(&self) -> i64 {
        let side = self.video()["side_data_list"].as_array().into_iter().flatten();
        side.filter_map(|d| d["rotation"].as_i64()).next().unwrap_or(0)
    }

    /// Seconds by the container.
    pub fn duration(&self) -> f64 {
        self.info["format"]["duration"].as_str().and_then(|d| d.parse().ok()).unwrap_or(0.0)
    }

    /// The time of each decoded frame in seconds, in the order they are shown.
    pub fn pts(&self) -> Vec<f64> {
        let entries = "frame=pts_time,best_effort_timestamp_time,pkt_dts_time";
        let json = ffprobe(&self.path, &["-select_streams", "v:0", "-show_entries", entries]);
        let frames = json["frames"].as_array().cloned().unwrap_or_default();
        let time = |f: &Value, key: &str| f[key].as_str().and_then(|t| t.parse::<f64>().ok());
        frames
            .iter()
            .map(|f| {
                time(f, "pts_time")
                    .or_else(|| time(f, "best_effort_timestamp_time"))
                    .or_else(|| time(f, "pkt_dts_time"))
                    .unwrap_or(f64::NAN)
            })
            .collect()
    }

    /// How many frames can be decoded.
    pub fn frames(&self) -> usize {
        self.pts().len()
    }

    /// The packets of audio track `n`.
    pub fn audio(&self, n: usize) -> Vec<Packet> {
        self.packets(&format!("a:{n}"))
    }

    /// The packets of a stream, by ffmpeg's specifier, in the order in which they are stored.
    pub fn packets(&self, stream: &str) -> Vec<Packet> {
        let json = ffprobe(
            &self.path,
            &[
                "-select_streams",
                stream,
                "-show_packets",
                "-show_data_hash",
                "md5",
                "-show_entries",
                "packet=pts_time,data_hash",
            ],
        );
        let packets = json["packets"].as_array().cloned().unwrap_or_default();
        packets
            .iter()
            .map(|p| Packet {
                pts: p["pts_time"].as_str().and_then(|t| t.parse().ok()).unwrap_or(f64::NAN),
                md5: p["data_hash"].as_str().unwrap_or_default().to_owned(),
            })
            .collect()
    }

    /// The MD5 of each of the first `n` decoded frames, upright, in the format that they have.
    pub fn md5s_of_first(&self, n: usize) -> Vec<String> {
        let n = n.to_string();
        let out = self.ffmpeg(&["-map", "0:v:0", "-fps_mode", "passthrough", "-frames:v", &n], None, "framemd5");
        let text = String::from_utf8_lossy(&out);
        let lines = text.lines().filter(|l| !l.starts_with('#'));
        lines.filter_map(|l| Some(l.rsplit(',').next()?.trim().to_owned())).collect()
    }

    /// The MD5 of every decoded frame.
    pub fn md5s(&self) -> Vec<String> {
        self.md5s_of_first(1_000_000)
    }

    /// The first `n` frames as RGB.
    pub fn rgb_of_first(&self, n: usize) -> Vec<u8> {
        let n = n.to_string();
        self.ffmpeg(&["-map", "0:v:0", "-fps_mode", "passthrough", "-frames:v", &n], Some("rgb24"), "rawvideo")
    }

    /// The pixels of every frame in `format` (ffmpeg's name), one after the other.
    pub fn raw(&self, format: &str) -> Vec<u8> {
        self.ffmpeg(&["-map", "0:v:0", "-fps_mode", "passthrough"], Some(format), "rawvideo")
    }

    /// The luma of every frame, unscaled.
    pub fn luma(&self) -> Vec<Vec<u8>> {
        let (w, h) = self.upright_size();
        let options = ["-map", "0:v:0", "-fps_mode", "passthrough", "-vf", "extractplanes=y"];
        let out = self.ffmpeg(&options, Some("gray"), "rawvideo");
        out.chunks((w * h) as usize).map(<[u8]>::to_vec).collect()
    }

    /// Every frame as 8-bit gray, whatever it is.
    pub fn gray(&self) -> Vec<Vec<u8>> {
        let (w, h) = self.upright_size();
        let out = self.ffmpeg(&["-map", "0:v:0", "-fps_mode", "passthrough"], Some("gray"), "rawvideo");
        out.chunks((w * h) as usize).map(<[u8]>::to_vec).collect()
    }

    /// The numbers of the frames that are keyframes.
    pub fn keyframes(&self) -> Vec<usize> {
        let json = ffprobe(&self.path, &["-select_streams", "v:0", "-show_entries", "frame=key_frame"]);
        let frames = json["frames"].as_array().cloned().unwrap_or_default();
        (0..frames.len()).filter(|&i| frames[i]["key_frame"] == 1).collect()
    }

    fn ffmpeg(&self, options: &[&str], format: Option<&str>, container: &str) -> Vec<u8> {
        let mut args: Vec<&OsStr> = ["-v", "error", "-nostdin", "-i"].map(OsStr::new).to_vec();
        let path = file_url(&self.path);
        args.push(&path);
        args.extend(options.iter().map(OsStr::new));
        args.extend(format.iter().flat_map(|f| ["-pix_fmt", f]).map(OsStr::new));
        args.extend(["-f", container, "-"].map(OsStr::new));
        tool("ffmpeg", &args)
    }

    /// The names of the top-level MP4 boxes, in order.
    pub fn boxes(&self) -> Vec<String> {
        boxes(&std::fs::read(&self.path).expect("a readable file"))
    }
}

/// The names of the top-level boxes of an MP4 file.
pub fn boxes(bytes: &[u8]) -> Vec<String> {
    let (mut out, mut rest) = (Vec::new(), bytes);
    while rest.len() >= 8 {
        let word = |at: usize| u32::from_be_bytes(rest[at..at + 4].try_into().expect("four bytes")) as usize;
        let size = match word(0) {
            0 => rest.len(),
            1 if rest.len() >= 16 => word(8) << 32 | word(12),
            n => n,
        };
        out.push(String::from_utf8_lossy(&rest[4..8]).into_owned());
        assert!(size >= 8, "a box of {size} bytes after {out:?}");
        rest = rest.get(size..).unwrap_or_default();
    }
    out
}

/// `file:` keeps ffmpeg from reading colons, percent signs and dashes of the name as something else.
fn file_url(path: &Path) -> std::ffi::OsString {
    let mut url = std::ffi::OsString::from("file:");
    url.push(path);
    url
}

#[track_caller]
fn ffprobe(path: &Path, options: &[&str]) -> Value {
    let path = file_url(path);
    let mut args: Vec<&OsStr> = ["-v", "error", "-of", "json"].map(OsStr::new).to_vec();
    args.extend(options.iter().map(OsStr::new));
    args.push(&path);
    serde_json::from_slice(&tool("ffprobe", &args)).expect("ffprobe writes JSON")
}

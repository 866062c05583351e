//! Video encoders: which there are, what each can take, and how quality, bitrate, preset and keyframes are called there.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use gstreamer::glib;
use gstreamer::prelude::*;
use gstreamer_video::VideoInfo;

use super::container::Container;
use crate::config::{SinkSettings, did_you_mean};
use crate::failure::Failure;
use crate::gst::{has, missing};

/// An encoder that framewright knows how to set up.
pub struct Known {
    /// What people write.
    name: &'static str,
    /// GStreamer elements, the preferred one first.
    elements: &'static [&'static str],
    /// Media type of its output.
    pub media: &'static str,
    /// Parser that must follow.
    pub parser: Option<&'static str>,
    /// Default quality on its own scale; `None` for lossless or bitrate-only ones.
    quality: Option<u32>,
    /// Cannot take subsampled pictures with odd sizes.
    pub even: bool,
}

const H264_HARDWARE: &[&str] = &[
    "vah264enc",
    "vah264lpenc",
    "nvh264enc",
    "qsvh264enc",
    "vaapih264enc",
    "amfh264enc",
    "v4l2h264enc",
    "vtenc_h264_hw",
];

/// In order of preference within a container.
pub static KNOWN: &[Known] = &[
    Known {
        name: "x264",
        elements: &["x264enc"],
        media: "video/x-h264",
        parser: Some("h264parse"),
        quality: Some(23),
        even: true,
    },
    Known {
        name: "openh264",
        elements: &["openh264enc"],
        media: "video/x-h264",
        parser: Some("h264parse"),
        quality: Some(26),
        even: true,
    },
    Known {
        name: "hardware",
        elements: H264_HARDWARE,
        media: "video/x-h264",
        parser: Some("h264parse"),
        quality: Some(26),
        even: true,
    },
    Known {
        name: "x265",
        elements: &["x265enc"],
        media: "video/x-h265",
        parser: Some("h265parse"),
        quality: Some(28),
        even: true,
    },
    Known { name: "vp9", elements: &["vp9enc"], media: "video/x-vp9", parser: None, quality: Some(31), even: false },
    Known { name: "vp8", elements: &["vp8enc"], media: "video/x-vp8", parser: None, quality: Some(10), even: false },
    Known {
        name: "av1",
        elements: &["svtav1enc", "av1enc"],
        media: "video/x-av1",
        parser: Some("av1parse"),
        quality: Some(35),
        even: false,
    },
    Known {
        name: "mpeg4",
        elements: &["avenc_mpeg4"],
        media: "video/mpeg",
        parser: Some("mpeg4videoparse"),
        quality: Some(4),
        even: false,
    },
    Known { name: "mjpeg", elements: &["jpegenc"], media: "image/jpeg", parser: None, quality: Some(90), even: false },
    Known { name: "ffv1", elements: &["avenc_ffv1"], media: "video/x-ffv", parser: None, quality: None, even: false },
    Known {
        name: "prores",
        elements: &["avenc_prores_ks", "avenc_prores"],
        media: "video/x-prores",
        parser: None,
        quality: None,
        even: true,
    },
];

/// A chosen encoder, set up.
pub struct Chosen {
    /// The element.
    pub element: gstreamer::Element,
    /// What is known of it; `None` for an element that the user named.
    pub known: Option<&'static Known>,
    /// For the summary: `x264 crf 23 medium`.
    pub detail: String,
}

impl Chosen {
    /// Whether a 4:2:0 picture must have even sides.
    pub fn even(&self) -> bool {
        self.known.is_none_or(|k| k.even)
    }
}

/// Chooses and sets up the encoder for a file.
pub fn choose(s: &SinkSettings, container: &Container, info: &VideoInfo, live: bool) -> Result<Chosen, Failure> {
    let label = s.label();
    let fits = |k: &&Known| container.takes_video(k.media);
    let known = match s.encoder.as_deref() {
        None => {
            let candidates: Vec<&Known> =
                container.preferred.iter().filter_map(|n| KNOWN.iter().find(|k| k.name == *n)).collect();
            let tried: Vec<&str> = candidates.iter().map(|k| k.elements[0]).collect();
            let found = candidates.into_iter().filter(fits).find(|k| k.elements.iter().any(|e| has(e)));
            Some(found.ok_or_else(|| {
                let f = missing(tried.first().unwrap_or(&"x264enc"));
                let what = format!(
                    "cannot write {label}: no encoder found for {} (tried {})",
                    container.name,
                    tried.join(", ")
                );
                Failure { message: what, ..Failure { class: crate::failure::Class::Output, ..f } }
            })?)
        }
        Some(name) => KNOWN.iter().find(|k| k.name == name),
    };
    let element_name = match known {
        Some(k) => k.elements.iter().find(|e| has(e)).copied().ok_or_else(|| {
            let f = missing(k.elements[0]);
            let what =
                format!("cannot write {label}: encoder {} is not installed (tried {})", k.name, k.elements.join(", "));
            Failure { message: what, class: crate::failure::Class::Output, fix: f.fix }
        })?,
        None => s.encoder.as_deref().unwrap_or_default(),
    };
    if known.is_none() && !has(element_name) {
        let names: Vec<&str> = KNOWN.iter().map(|k| k.name).collect();
        let hint = did_you_mean(element_name, names.iter().copied());
        return Err(Failure::output(format!("cannot write {label}: there is no encoder `{element_name}`{hint}"))
            .fix(format!("one of {}, or a GStreamer element", names.join(", "))));
    }
    if let Some(k) = known.filter(|k| !container.takes_video(k.media)) {
        let what = format!("cannot write {label}: {} cannot hold {} video", container.name, k.name);
        return Err(Failure::output(what).fix(format!(
            "for {} use {}",
            container.name,
            container.preferred.join(", ")
        )));
    }
    let element = crate::gst::make(element_name)?;
    let mut detail = match known {
        Some(k) => setup(&element, k, element_name, s, info, live)?,
        None => element_name.to_owned(),
    };
    if element_name == "avenc_mpeg4" {
        keep_times(&element);
    }
    if known.is_some_and(|k| k.media == "video/x-h264" && container.no_timestamps) {
        // Without timestamps in the file, pictures must be stored in the order in which they are shown.
        set_if(&element, "bframes", "0");
    }
    for (key, value) in &s.encoder_options {
        set(&element, key, value).map_err(|why| Failure::usage(format!("encoder option {key}={value}: {why}")))?;
        detail += &format!(" {key}={value}");
    }
    Ok(Chosen { element, known, detail })
}

/// Gives each packet the time of its picture: this encoder's own are beyond all bounds (gst-libav 1.22). It has no B-frames,
/// so pictures leave in the order in which they come.
fn keep_times(encoder: &gstreamer::Element) {
    let times = Arc::new(Mutex::new(VecDeque::new()));
    let fill = times.clone();
    let (Some(sink), Some(src)) = (encoder.static_pad("sink"), encoder.static_pad("src")) else { return };
    sink.add_probe(gstreamer::PadProbeType::BUFFER, move |_, info| {
        if let Some(b) = info.buffer() {
            fill.lock().unwrap_or_else(|e| e.into_inner()).push_back((b.pts(), b.duration()));
        }
        gstreamer::PadProbeReturn::Ok
    });
    // Room for decoding times before 0 is made by moving the whole segment: the times go along.
    let start = |pad: &gstreamer::Pad| {
        let event = pad.sticky_event::<gstreamer::event::Segment>(0)?;
        event.segment().downcast_ref::<gstreamer::ClockTime>()?.start()
    };
    let sink = sink.downgrade();
    src.add_probe(gstreamer::PadProbeType::BUFFER, move |pad, info| {
        let before = sink.upgrade().and_then(|p| start(&p)).unwrap_or_default();
        let moved = start(pad).unwrap_or_default().saturating_sub(before);
        if let Some(gstreamer::PadProbeData::Buffer(b)) = &mut info.data
            && let Some((pts, duration)) = times.lock().unwrap_or_else(|e| e.into_inner()).pop_front()
        {
            let b = b.make_mut();
            let pts = pts.map(|p: gstreamer::ClockTime| p + moved);
            b.set_pts(pts);
            b.set_dts(pts);
            b.set_duration(duration);
        }
        gstreamer::PadProbeReturn::Ok
    });
}

/// Sets a property from text, or says why it cannot be.
fn set(e: &gstreamer::Element, key: &str, value: &str) -> Result<(), String> {
    let Some(spec) = e.find_property(key) else {
        let names: Vec<String> = e.list_properties().iter().map(|p| p.name().to_string()).collect();
        let hint = did_you_mean(key, names.iter().map(String::as_str));
        let element = e.factory().map(|f| f.name().to_string()).unwrap_or_default();
        return Err(format!("{element} has no property `{key}`{hint}"));
    };
    if !spec.flags().contains(glib::ParamFlags::WRITABLE) {
        return Err("it is read-only".into());
    }
    let parsed = glib::Value::deserialize_with_pspec(value, &spec)
        .map_err(|_| format!("`{value}` is no {}", spec.value_type()))?;
    e.set_property_from_value(key, &parsed);
    Ok(())
}

fn set_if(e: &gstreamer::Element, key: &str, value: &str) {
    if e.has_property(key) {
        e.set_property_from_str(key, value);
    }
}

/// Applies quality or bitrate, preset and keyframe distance in the encoder's own terms.
fn setup(
    e: &gstreamer::Element,
    k: &Known,
    element: &str,
    s: &SinkSettings,
    info: &VideoInfo,
    live: bool,
) -> Result<String, Failure> {
    let fps = info.fps();
    let rate = if fps.numer() > 0 { f64::from(fps.numer()) / f64::from(fps.denom()) } else { 30.0 };
    // A recording must be playable up to its last moments, and fragments begin at keyframes: one a second.
    let keyint = s.keyint.or(live.then_some(rate.round().clamp(1.0, 600.0) as u32));
    let quality = s.quality.or(k.quality);
    let mut said = vec![element.trim_end_matches("enc").to_owned()];
    match (s.bitrate, quality) {
        (Some(b), _) => said.push(format!("{b} kbit/s")),
        (None, Some(q)) => said.push(format!("quality {q}")),
        _ => said.push("lossless or fixed".into()),
    }
    let q = quality.unwrap_or(0).to_string();
    let kbit = s.bitrate.unwrap_or(0).to_string();
    let bit = s.bitrate.map_or(0, |b| u64::from(b) * 1000).to_string();
    let preset = |default: &str| s.preset.clone().unwrap_or_else(|| default.to_owned());
    let mut props: Vec<(&str, String)> = Vec::new();
    let mut add = |key: &'static str, value: &str| props.push((key, value.to_owned()));
    match element {
        "x264enc" => {
            // The settings that make it equal to libx264's own -crf: without them it restricts the bitrate.
            let p = preset(if live { "veryfast" } else { "medium" });
            add("speed-preset", &p);
            add("vbv-buf-capacity", "0");
            add("aud", "false");
            add("key-int-max", &keyint.unwrap_or(250).to_string());
            match s.bitrate {
                Some(_) => {
                    add("pass", "cbr");
                    add("bitrate", &kbit);
                }
                None => {
                    add("pass", "qual");
                    add("quantizer", &quality.unwrap_or(23).min(50).to_string());
                }
            }
            if live {
                add("rc-lookahead", "0");
                add("option-string", "mbtree=0:sync-lookahead=0");
            }
            said.push(p);
        }
        "x265enc" => {
            let p = preset(if live { "superfast" } else { "medium" });
            add("speed-preset", &p);
            // GStreamer's default is tune=ssim; x265's own is none.
            add("tune", "0");
            match s.bitrate {
                Some(_) => add("bitrate", &kbit),
                None => add("option-string", &format!("crf={q}")),
            }
            add("key-int-max", &keyint.unwrap_or(250).to_string());
            said.push(p);
        }
        "openh264enc" => {
            add("complexity", &preset("medium"));
            match s.bitrate {
                Some(_) => {
                    add("rate-control", "bitrate");
                    add("bitrate", &bit);
                }
                None => {
                    add("rate-control", "off");
                    add("qp-min", &quality.unwrap_or(26).min(51).to_string());
                    add("qp-max", &quality.unwrap_or(26).min(51).to_string());
                }
            }
            add("gop-size", &keyint.unwrap_or(250).to_string());
        }
        "vp8enc" | "vp9enc" => {
            add("deadline", "1");
            add("cpu-used", &preset("4"));
            add("threads", &threads());
            if element == "vp9enc" {
                add("row-mt", "true");
            }
            match s.bitrate {
                Some(_) => {
                    add("end-usage", "vbr");
                    add("target-bitrate", &bit);
                }
                None => {
                    // Constrained quality needs a ceiling; this one is out of reach.
                    add("end-usage", "cq");
                    add("cq-level", &quality.unwrap_or(31).min(63).to_string());
                    add("target-bitrate", "1000000000");
                }
            }
            add("keyframe-max-dist", &keyint.unwrap_or(250).to_string());
        }
        "av1enc" => {
            add("cpu-used", &preset("8"));
            add("usage-profile", "realtime");
            add("threads", &threads());
            match s.bitrate {
                Some(_) => add("target-bitrate", &kbit),
                None => {
                    let q = quality.unwrap_or(35).min(63).to_string();
                    add("end-usage", "q");
                    add("min-quantizer", &q);
                    add("max-quantizer", &q);
                }
            }
            add("keyframe-max-dist", &keyint.unwrap_or(250).to_string());
        }
        "svtav1enc" => {
            add("preset", &preset("10"));
            match s.bitrate {
                Some(_) => add("target-bitrate", &kbit),
                None => add("crf", &quality.unwrap_or(35).min(63).to_string()),
            }
            add("intra-period-length", &keyint.unwrap_or(250).to_string());
        }
        "jpegenc" => add("quality", &quality.unwrap_or(90).min(100).to_string()),
        "avenc_mpeg4" => {
            match s.bitrate {
                Some(_) => add("bitrate", &bit),
                None => {
                    add("pass", "quant");
                    add("quantizer", &q);
                }
            }
            add("gop-size", &keyint.unwrap_or(250).to_string());
        }
        "avenc_ffv1" => {
            add("slices", "4");
            add("threads", &threads());
        }
        _ => {
            // Hardware encoders share these names more or less.
            if s.bitrate.is_some() {
                add("bitrate", &kbit);
            }
            add("key-int-max", &keyint.unwrap_or(120).to_string());
        }
    }
    for (key, value) in &props {
        if let Err(why) = set(e, key, value) {
            // What the user asked for must work; a default of ours may be unknown to another version.
            if s.preset.as_ref() == Some(value) {
                return Err(Failure::usage(format!("preset {value} for {}: {why}", k.name)).fix(presets(e, key)));
            }
            log::info!("{element}: {key}={value} left out: {why}");
        }
    }
    Ok(said.join(" "))
}

fn threads() -> String {
    std::thread::available_parallelism().map_or(2, |n| n.get()).to_string()
}

/// The values that a preset property allows.
fn presets(e: &gstreamer::Element, key: &str) -> String {
    let kind = e.find_property(key).map(|p| p.value_type());
    match kind.and_then(glib::EnumClass::with_type) {
        Some(c) => format!("one of {}", c.values().iter().map(|v| v.nick().to_string()).collect::<Vec<_>>().join(", ")),
        None => "a number".into(),
    }
}

//! Inputs that are elements: raw files, cameras, test pictures, what the user wrote as a pipeline.

use std::path::Path;

use super::super::locate::shown;
use super::super::truncation::Raw;
use super::*;

/// Bytes that it is read by. With GStreamer's own 4 KiB, which decodebin uses, too, a picture of 1280x720 takes 0.9 ms instead of
/// 0.2.
const BLOCK: u32 = 256 << 10;

/// Straight, since decodebin would load libavcodec as well: its demuxer claims the file's extension, and that takes as long as
/// two hundred pictures. It is taken only for what y4mdec does not read, and only where its rows need no padding, which it
/// forgets. Nobody reads more than 8 bits, in GStreamer 1.22: one takes them for 8, the other one crashes.
pub(super) fn y4m(site: &Arc<Site>, path: &Path, raw: &Raw) -> Result<(), Failure> {
    let plain = ["420", "420jpeg", "420paldv", "420mpeg2", "422", "444"].contains(&raw.space.as_str());
    let packed = match raw.space.as_str() {
        "mono" => raw.width.is_multiple_of(4),
        "411" => raw.width.is_multiple_of(16),
        _ => false,
    };
    if !plain && !packed {
        let what = format!("{} pixels wide as {}", raw.width, raw.space);
        let can = "420, 422 and 444 of 8 bits can be read, and 411 and mono where rows need no padding";
        return Err(Failure::input(format!("cannot open {}: raw pictures {what}: {can}", shown(path.as_os_str())))
            .fix("ffmpeg -i FILE -c:v ffv1 FILE.mkv makes a file of it that loses nothing"));
    }
    let (source, decoder) = (make("filesrc")?, make(if plain { "y4mdec" } else { "avdemux_yuv4mpegpipe" })?);
    source.set_property("location", path);
    source.set_property("blocksize", BLOCK);
    site.add(&source)?;
    site.add(&decoder)?;
    source.link(&decoder).map_err(|e| Failure::failed(e.to_string()))?;
    if plain {
        return site.only_video(&decoder);
    }
    super::decode::pads(site, &decoder);
    Ok(())
}

pub(super) fn camera(site: &Arc<Site>, which: &str, settings: &SourceSettings) -> Result<(), Failure> {
    let camera = cameras::find(&cameras::list(), which)?;
    let source = camera
        .device
        .create_element(Some("camera"))
        .map_err(|_| Failure::input(format!("cannot open camera {}: its plug-in does not work", camera.name)))?;
    let mut caps = gstreamer::Caps::new_empty();
    let mjpg =
        settings.format.as_deref().is_some_and(|f| f.eq_ignore_ascii_case("mjpg") || f.eq_ignore_ascii_case("mjpeg"));
    for kind in ["video/x-raw", "image/jpeg"] {
        if (mjpg && kind == "video/x-raw") || (settings.format.is_some() && !mjpg && kind == "image/jpeg") {
            continue;
        }
        let mut s = gstreamer::Structure::builder(kind);
        if let Some(size) = settings.size {
            s = s.field("width", size.width as i32).field("height", size.height as i32);
        }
        if let Some(fps) = settings.fps {
            s = s.field("framerate", fps.0);
        }
        if let Some(f) = settings.format.as_ref().filter(|_| !mjpg) {
            s = s.field("format", f);
        }
        caps.make_mut().append_structure(s.build());
    }
    let filter = make("capsfilter")?;
    filter.set_property("caps", &caps);
    let decode = make("decodebin")?;
    super::decode::decoders(site, &decode);
    for e in [&source, &filter, &decode] {
        site.add(e)?;
    }
    gstreamer::Element::link_many([&source, &filter, &decode])
        .map_err(|_| Failure::input(format!("camera {} cannot deliver {caps}: {}", camera.name, camera.caps)))
}

pub(super) fn test(site: &Arc<Site>, pattern: &str, settings: &SourceSettings) -> Result<(), Failure> {
    let source = make("videotestsrc")?;
    let kind = source.find_property("pattern").map(|p| p.value_type());
    let names: Vec<String> = kind
        .and_then(glib::EnumClass::with_type)
        .map(|c| c.values().iter().map(|v| v.nick().to_string()).collect())
        .unwrap_or_default();
    if !names.iter().any(|n| n == pattern) {
        let hint = did_you_mean(pattern, names.iter().map(String::as_str));
        return Err(Failure::usage(format!("there is no test pattern `{pattern}`{hint}"))
            .fix(format!("patterns: {}", names.join(", "))));
    }
    source.set_property_from_str("pattern", pattern);
    source.set_property("is-live", settings.live);
    let size = settings.size.unwrap_or(crate::config::Size { width: 1280, height: 720 });
    let format = settings.format.as_deref().unwrap_or("I420");
    if VideoFormat::from_string(format) == VideoFormat::Unknown {
        return Err(Failure::usage(format!("there is no raw format `{format}`"))
            .fix("formats: I420, NV12, Y42B, Y444, I420_10LE, GRAY8, RGB, BGR, BGRA, …"));
    }
    let caps = gstreamer::Caps::builder("video/x-raw")
        .field("format", format)
        .field("width", size.width as i32)
        .field("height", size.height as i32)
        .field("framerate", settings.fps.map_or(gstreamer::Fraction::new(30, 1), |r| r.0))
        .field("pixel-aspect-ratio", gstreamer::Fraction::new(1, 1))
        .build();
    let filter = make("capsfilter")?;
    filter.set_property("caps", &caps);
    site.add(&source)?;
    site.add(&filter)?;
    source.link(&filter).map_err(|_| Failure::usage(format!("test pattern `{pattern}` cannot be made as {caps}")))?;
    if let Some(hz) = settings.tone.filter(|_| site.taps.audio > 0) {
        let tone = make("audiotestsrc")?;
        tone.set_property("freq", hz);
        tone.set_property("is-live", settings.live);
        tone.set_property("volume", 0.25f64);
        let caps = gstreamer::Caps::builder("audio/x-raw")
            .field("format", "S16LE")
            .field("layout", "interleaved")
            .field("rate", 48000)
            .field("channels", 2)
            .build();
        let filter = make("capsfilter")?;
        filter.set_property("caps", &caps);
        site.add(&tone)?;
        site.add(&filter)?;
        tone.link(&filter).map_err(|e| Failure::failed(e.to_string()))?;
        let pad = filter.static_pad("src").ok_or_else(|| missing("audiotestsrc"))?;
        let track = audio::attach(&site.pipeline, &pad, caps, site.taps.audio, Backlog::Independent, &site.timeline)?;
        site.found.lock().unwrap_or_else(|e| e.into_inner()).audio.push(track);
    }
    site.only_video(&filter)
}

/// The user's gst-launch text, up to raw video: its end, or else the one pad in it that leads nowhere.
pub(super) fn user(site: &Arc<Site>, text: &str) -> Result<(), Failure> {
    let bad = |why: &str| {
        Failure::input(format!("the pipeline `{}` does not work: {}", redact(text), redact(why)))
            .fix("it must be as for gst-launch-1.0 and end in raw video, without a sink")
    };
    // What could be anything becomes I420, not the first of all formats.
    let raw = ["video/x-raw,format=I420", "video/x-raw(ANY)"];
    let whole = format!("{text} ! capsfilter name=raw-video caps={}", raw.join(";"));
    let (bin, filtered) = match gstreamer::parse::bin_from_description(&whole, false) {
        Ok(bin) => {
            let end = bin.by_name("raw-video").and_then(|e| e.static_pad("src"));
            let end = end.ok_or_else(|| bad("it has no end"))?;
            let ghost = gstreamer::GhostPad::builder_with_target(&end).map_err(|e| bad(&e.to_string()))?;
            bin.add_pad(&ghost.name("src").build()).map_err(|e| bad(&e.to_string()))?;
            (bin, true)
        }
        Err(e) => {
            // The free end may stand in the middle of the text, as in `tee name=t ! queue  t. ! fakesink`.
            let caps: gstreamer::Caps = raw[1].parse().map_err(|_| bad(e.message()))?;
            let delivers =
                |b: &gstreamer::Bin| b.static_pad("src").is_some_and(|p| p.query_caps(None).can_intersect(&caps));
            let open = gstreamer::parse::bin_from_description(text, true).ok().filter(delivers);
            (open.ok_or_else(|| bad(e.message()))?, false)
        }
    };
    // A pipeline may put one thing after another: only the running time goes on.
    site.timeline.running.store(true, Ordering::Relaxed);
    let bin = bin.upcast::<gstreamer::Element>();
    site.add(&bin)?;
    if filtered {
        return site.only_video(&bin);
    }
    let filter = make("capsfilter")?;
    filter.set_property_from_str("caps", &raw.join(";"));
    site.add(&filter)?;
    bin.link(&filter).map_err(|e| bad(&e.to_string()))?;
    site.only_video(&filter)
}

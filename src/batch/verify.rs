//! Whether a video that was written can be trusted: it opens, and holds as many pictures and as much time as it should.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use gstreamer::prelude::*;
use gstreamer::{ClockTime, MessageType, MessageView, PadProbeReturn, PadProbeType, State};

use crate::config::number_pattern;
use crate::gst::{make, shut_down};

/// Nothing for so long: it hangs.
const PATIENCE: Duration = Duration::from_secs(20);
/// What a container may round away of the duration, in seconds.
const SLACK: f64 = 0.5;

/// Reads the file at `path` through its demuxer, without decoding, and compares it with what went into it: `frames` pictures,
/// `seconds` of them.
///
/// # Errors
/// Why it cannot be trusted.
pub fn check(path: &Path, frames: u64, seconds: f64) -> Result<(), String> {
    let (found, duration) = read(path)?;
    if found < frames {
        return Err(format!("it holds {found} of {frames} frames"));
    }
    // Containers without timestamps have a duration of their own making.
    let steady = path.extension().is_some_and(|e| e.eq_ignore_ascii_case("avi"));
    match duration.map(|d| d.nseconds() as f64 / 1e9) {
        Some(d) if d + SLACK < seconds && !steady => Err(format!("it is {d:.2} s long instead of {seconds:.2} s")),
        _ => Ok(()),
    }
}

/// Looks whether `frames` numbered pictures are at `pattern`, and opens the first and the last.
///
/// # Errors
/// Why they cannot be trusted.
pub fn pictures(pattern: &Path, frames: u64) -> Result<(), String> {
    let (before, width, after) = number_pattern(&pattern.to_string_lossy()).ok_or("it has no number")?;
    let name = |n: u64| format!("{before}{n:0width$}{after}");
    let there = |n: &u64| std::fs::metadata(name(*n)).is_ok_and(|m| m.len() > 0);
    let found = (0..frames).filter(there).count() as u64;
    if found < frames {
        return Err(format!("there are {found} of {frames} pictures"));
    }
    for n in [0, frames.saturating_sub(1)].into_iter().filter(|n| *n < frames) {
        image::open(name(n)).map_err(|e| format!("{} cannot be read: {e}", name(n)))?;
    }
    Ok(())
}

/// Packets of video, and the duration where the container has one.
fn read(path: &Path) -> Result<(u64, Option<ClockTime>), String> {
    let build = |name: &str| make(name).map_err(|e| e.message);
    let (source, parse) = (build("filesrc")?, build("parsebin")?);
    let location = path.to_str().ok_or("its name is no UTF-8")?;
    source.set_property("location", location);
    let pipeline = gstreamer::Pipeline::new();
    pipeline.add_many([&source, &parse]).map_err(|e| e.to_string())?;
    source.link(&parse).map_err(|e| e.to_string())?;
    let packets = Arc::new(AtomicU64::new(0));
    let (weak, counted) = (pipeline.downgrade(), packets.clone());
    parse.connect_pad_added(move |_, pad| {
        let Some(pipeline) = weak.upgrade() else { return };
        let caps = pad.current_caps().unwrap_or_else(|| pad.query_caps(None));
        let video = caps.structure(0).is_some_and(|s| s.name().starts_with("video/") || s.name().starts_with("image/"));
        let attach = || -> Option<()> {
            let sink = make("fakesink").ok()?;
            sink.set_property("sync", false);
            sink.set_property("async", false);
            pipeline.add(&sink).ok()?;
            sink.sync_state_with_parent().ok()?;
            let input = sink.static_pad("sink")?;
            if video {
                let counted = counted.clone();
                input.add_probe(PadProbeType::BUFFER, move |_, _| {
                    counted.fetch_add(1, Ordering::Relaxed);
                    PadProbeReturn::Ok
                });
            }
            pad.link(&input).ok().map(drop)
        };
        if attach().is_none() {
            gstreamer::element_error!(pipeline, gstreamer::CoreError::Failed, ["cannot link {}", pad.name()]);
        }
    });
    let end = wait(&pipeline, &packets);
    let duration = pipeline.query_duration::<ClockTime>();
    shut_down(&pipeline);
    end.map(|()| (packets.load(Ordering::Relaxed), duration))
}

fn wait(pipeline: &gstreamer::Pipeline, packets: &AtomicU64) -> Result<(), String> {
    let bus = pipeline.bus().ok_or("the pipeline has no bus")?;
    let _ = pipeline.set_state(State::Playing); // its failure arrives on the bus, with the reason
    let mut seen = (0, Instant::now());
    loop {
        let message = bus.timed_pop_filtered(ClockTime::from_mseconds(200), &[MessageType::Eos, MessageType::Error]);
        match message.as_ref().map(|m| m.view()) {
            Some(MessageView::Eos(_)) => return Ok(()),
            Some(MessageView::Error(e)) => return Err(format!("it cannot be read: {}", e.error())),
            _ => {}
        }
        let now = packets.load(Ordering::Relaxed);
        if now != seen.0 {
            seen = (now, Instant::now());
        } else if seen.1.elapsed() > PATIENCE {
            return Err(format!("it cannot be read: neither a packet nor the end for {} s", PATIENCE.as_secs()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pictures_must_be_there_and_open() {
        let dir = tempfile::tempdir().unwrap();
        let pattern = dir.path().join("%03d.png");
        for n in 0..3 {
            image::RgbImage::new(4, 4).save(dir.path().join(format!("{n:03}.png"))).unwrap();
        }
        assert_eq!((pictures(&pattern, 3), pictures(&pattern, 0)), (Ok(()), Ok(())));
        assert!(pictures(&pattern, 4).unwrap_err().contains("3 of 4"));
        std::fs::write(dir.path().join("002.png"), b"half").unwrap();
        assert!(pictures(&pattern, 3).unwrap_err().contains("002.png"));
    }
}

//! A part of a file into a file of its own, nothing decoded or encoded:
//!
//! ```text
//! filesrc ─► parsebin ─┬─ video ─► queue ─┐
//!                      └─ audio ─► queue ─┴─► muxer ─► filesink
//! ```
//!
//! It begins at the last keyframe at or before the part's beginning, since nothing else can be decoded.

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use gstreamer::prelude::*;
use gstreamer::{ClockTime, MessageType, MessageView};

use crate::failure::Failure;
use crate::gst::{make, shut_down};
use crate::sink::container::Container;
use crate::sink::target::Target;

/// Nothing written for so long is a failure.
const PATIENCE: Duration = Duration::from_secs(60);

/// Copies `start..end` (nanoseconds of the source) of `input` to `path`; answers with the size of the new file in bytes.
pub(super) fn copy(
    input: &Path,
    path: &Path,
    start: u64,
    end: u64,
    overwrite: bool,
    audio: bool,
) -> Result<u64, Failure> {
    let failed = |what: &dyn std::fmt::Display| Failure::output(format!("cannot write {}: {what}", path.display()));
    let container = Container::of(path)?;
    let target = Target::new(path, overwrite)?;
    let pipeline = gstreamer::Pipeline::new();
    let (source, parse) = (make("filesrc")?, make("parsebin")?);
    let (muxer, out) = (make(container.muxer)?, make("filesink")?);
    source.set_property("location", input.to_string_lossy().as_ref());
    out.set_property("location", target.partial.to_string_lossy().as_ref());
    pipeline.add_many([&source, &parse, &muxer, &out]).map_err(|e| failed(&e))?;
    source.link(&parse).and_then(|()| muxer.link(&out)).map_err(|e| failed(&e))?;
    let refused = Arc::new(Mutex::new(None));
    let (weak, mux, no) = (pipeline.downgrade(), muxer.clone(), refused.clone());
    parse.connect_pad_added(move |_, pad| {
        let Some(pipeline) = weak.upgrade() else { return };
        let caps = pad.current_caps().unwrap_or_else(|| pad.query_caps(None));
        let kind = caps.structure(0).map(|s| s.name().to_string()).unwrap_or_default();
        let wanted = kind.starts_with("video/") || kind.starts_with("audio/") && audio;
        let linked = wanted && link(&pipeline, pad, &mux).is_some();
        if !linked {
            // A pad that nobody takes would stop the others.
            if let Ok(sink) = gstreamer::ElementFactory::make("fakesink").property("async", false).build()
                && pipeline.add(&sink).is_ok()
                && let Some(to) = sink.static_pad("sink")
            {
                let _ = pad.link(&to);
                let _ = sink.sync_state_with_parent();
            }
            if wanted {
                *no.lock().unwrap_or_else(|e| e.into_inner()) = Some(kind);
            }
        }
    });
    let result = run(&pipeline, start, end).map_err(|what| failed(&what));
    shut_down(&pipeline);
    if let Some(kind) = refused.lock().unwrap_or_else(|e| e.into_inner()).take() {
        let what = format!("{} cannot hold {kind} as it is in {}", container.name, input.display());
        return Err(failed(&what).fix("another extension (mkv holds nearly everything), or no `copy`"));
    }
    result?;
    target.commit()?;
    Ok(std::fs::metadata(path).map_or(0, |m| m.len()))
}

fn link(pipeline: &gstreamer::Pipeline, pad: &gstreamer::Pad, muxer: &gstreamer::Element) -> Option<()> {
    let queue = crate::sink::file::queue().ok()?;
    pipeline.add(&queue).ok()?;
    queue.sync_state_with_parent().ok()?;
    queue.link(muxer).ok()?;
    pad.link(&queue.static_pad("sink")?).ok().map(drop)
}

fn run(pipeline: &gstreamer::Pipeline, start: u64, end: u64) -> Result<(), String> {
    let bus = pipeline.bus().ok_or("no bus")?;
    let wait = |for_: MessageType| -> Result<(), String> {
        let since = Instant::now();
        while since.elapsed() < PATIENCE {
            match bus.timed_pop_filtered(ClockTime::from_mseconds(100), &[for_, MessageType::Error]) {
                Some(m) => match m.view() {
                    MessageView::Error(e) => return Err(e.error().to_string()),
                    _ if for_ == MessageType::AsyncDone && pipeline.current_state() < gstreamer::State::Paused => {}
                    _ => return Ok(()),
                },
                None => continue,
            }
        }
        Err(format!("nothing happened for {} s", PATIENCE.as_secs()))
    };
    pipeline.set_state(gstreamer::State::Paused).map_err(|e| e.to_string())?;
    wait(MessageType::AsyncDone)?;
    let flags = gstreamer::SeekFlags::FLUSH | gstreamer::SeekFlags::KEY_UNIT | gstreamer::SeekFlags::SNAP_BEFORE;
    let (set, from, to) = (gstreamer::SeekType::Set, ClockTime::from_nseconds(start), ClockTime::from_nseconds(end));
    pipeline.seek(1.0, flags, set, from, set, to).map_err(|_| "the input cannot be searched".to_string())?;
    pipeline.set_state(gstreamer::State::Playing).map_err(|e| e.to_string())?;
    wait(MessageType::Eos)
}

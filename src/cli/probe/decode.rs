//! `uridecodebin ! fakesink`: the first picture as the decoder gives it, or all of them, counted.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use gstreamer as gst;
use gstreamer::prelude::*;

use super::discover::explain;

/// A decoder that gives no frame for so long has hung.
const NO_PROGRESS: Duration = Duration::from_secs(20);

/// A decoded video stream.
#[derive(Clone, Debug, Default)]
pub struct Decoded {
    /// The same as the discoverer's.
    pub stream_id: Option<String>,
    /// Caps of the first picture.
    pub caps: Option<gst::Caps>,
    /// Pictures seen.
    pub frames: u64,
    /// Time stamp of the first one, ns.
    pub first_pts: Option<u64>,
    /// Largest time stamp, ns.
    pub last_pts: Option<u64>,
    /// Distances between pictures, ns, each once.
    steps: BTreeSet<u64>,
    previous: Option<u64>,
}

impl Decoded {
    /// Whether distances between pictures differ by more than a container's rounding, which makes 33 and 34 ms of a constant
    /// rate. None before the third picture.
    pub fn variable(&self) -> Option<bool> {
        let (least, most) = (self.steps.first()?, self.steps.last()?);
        (self.frames > 2).then_some(most - least > 2_000_000)
    }

    fn see(&mut self, pts: Option<gst::ClockTime>) {
        self.frames += 1;
        let Some(pts) = pts.map(gst::ClockTime::nseconds) else { return };
        self.first_pts.get_or_insert(pts);
        self.last_pts = self.last_pts.max(Some(pts));
        // 64 distances say as much as all of a day's would.
        if let Some(step) = self.previous.and_then(|before| pts.checked_sub(before))
            && self.steps.len() < 64
        {
            self.steps.insert(step);
        }
        self.previous = Some(pts);
    }
}

/// Decodes up to the first picture of every video stream of `uri`, or with `count` to the end. Audio and subtitles are not
/// decoded. Answers with what was decoded and, if that is not all, why. Bounded: `timeout` for the first picture, then 20 s
/// without any new one (libav's GIF demuxer gives all pictures and then no end). Streams that repeat for ever are stopped
/// when they have given twice their `duration`.
pub fn decode(uri: &str, timeout: Duration, count: bool, duration: Option<Duration>) -> (Vec<Decoded>, Option<String>) {
    let streams: Arc<Mutex<Vec<Decoded>>> = Arc::default();
    let result = run(uri, timeout, count, duration, &streams);
    let seen = streams.lock().map(|s| s.clone()).unwrap_or_default();
    (seen, result.err())
}

fn run(
    uri: &str,
    timeout: Duration,
    count: bool,
    duration: Option<Duration>,
    streams: &Arc<Mutex<Vec<Decoded>>>,
) -> Result<(), String> {
    let pipeline = gst::Pipeline::new();
    let source = make("uridecodebin")?;
    source.set_property("uri", uri);
    source.connect("autoplug-continue", false, |values| {
        let caps = values[2].get::<gst::Caps>().ok();
        let name = caps.as_ref().and_then(|c| c.structure(0)).map(|s| s.name().to_string()).unwrap_or_default();
        let aside = ["audio/", "text/", "subpicture/", "application/x-ssa", "application/x-ass"];
        Some((!aside.iter().any(|p| name.starts_with(p))).to_value())
    });
    pipeline.add(&source).map_err(|e| e.to_string())?;
    let (weak, seen) = (pipeline.downgrade(), streams.clone());
    source.connect_pad_added(move |_, pad| {
        let Some(pipeline) = weak.upgrade() else { return };
        if let Err(reason) = attach(&pipeline, pad, &seen) {
            gst::element_error!(pipeline, gst::CoreError::Failed, ("{reason}"));
        }
    });
    let result = drive(&pipeline, timeout, count, duration, streams);
    stop(pipeline);
    result
}

fn make(name: &str) -> Result<gst::Element, String> {
    gst::ElementFactory::make(name).build().map_err(|_| format!("GStreamer has no {name}"))
}

/// Gives `pad` a sink; video pads get one that counts and that preroll waits for.
fn attach(pipeline: &gst::Pipeline, pad: &gst::Pad, streams: &Arc<Mutex<Vec<Decoded>>>) -> Result<(), String> {
    let caps = pad.current_caps().unwrap_or_else(|| pad.query_caps(None));
    let name = caps.structure(0).map(|s| s.name().to_string()).unwrap_or_default();
    let video = name.starts_with("video/") || name.starts_with("image/");
    let sink = make("fakesink")?;
    sink.set_property("sync", false);
    sink.set_property("async", video);
    // The last buffer, kept, would keep a decoder's pool short.
    sink.set_property("enable-last-sample", false);
    pipeline.add(&sink).map_err(|e| e.to_string())?;
    let input = sink.static_pad("sink").ok_or("fakesink has no pad")?;
    if video {
        let index = {
            let mut streams = streams.lock().map_err(|_| "a decoder panicked")?;
            let stream_id = pad.stream_id().map(Into::into);
            streams.push(Decoded { stream_id, ..Decoded::default() });
            streams.len() - 1
        };
        let streams = streams.clone();
        input.add_probe(gst::PadProbeType::BUFFER, move |pad, info| {
            if let (Some(buffer), Ok(mut streams)) = (info.buffer(), streams.lock()) {
                let stream = &mut streams[index];
                if stream.caps.is_none() {
                    stream.caps = pad.current_caps();
                }
                stream.see(buffer.pts());
            }
            gst::PadProbeReturn::Ok
        });
    }
    sink.sync_state_with_parent().map_err(|e| e.to_string())?;
    pad.link(&input).map(drop).map_err(|e| e.to_string())
}

fn drive(
    pipeline: &gst::Pipeline,
    timeout: Duration,
    count: bool,
    duration: Option<Duration>,
    streams: &Mutex<Vec<Decoded>>,
) -> Result<(), String> {
    use gst::MessageView;
    let bus = pipeline.bus().ok_or("the pipeline has no bus")?;
    let start = if count { gst::State::Playing } else { gst::State::Paused };
    let _ = pipeline.set_state(start); // its failure arrives on the bus, with the reason
    let total = || streams.lock().map(|s| s.iter().map(|s| s.frames).sum::<u64>()).unwrap_or(0);
    let (mut frames, mut since) = (0, Instant::now());
    loop {
        let wanted = [gst::MessageType::Eos, gst::MessageType::Error, gst::MessageType::AsyncDone];
        let message = bus.timed_pop_filtered(gst::ClockTime::from_mseconds(100), &wanted);
        match message.as_ref().map(|m| m.view()) {
            Some(MessageView::Eos(_)) => return Ok(()),
            Some(MessageView::AsyncDone(_)) if !count => return Ok(()),
            Some(MessageView::Error(e)) => {
                let said = explain(&e.error());
                return Err(match total() {
                    0 => said,
                    n => format!("decoding failed after {n} frames: {said}"),
                });
            }
            _ => {}
        }
        let now = total();
        if now != frames {
            (frames, since) = (now, Instant::now());
        }
        let patience = if frames == 0 { timeout } else { NO_PROGRESS };
        if since.elapsed() > patience {
            return Err(format!("neither a frame nor the end for {} s after {frames} frames", patience.as_secs()));
        }
        if let Some(known) = duration.filter(|_| count) {
            let span = |s: &Decoded| Some(s.last_pts?.saturating_sub(s.first_pts?));
            let longest = streams.lock().map(|s| s.iter().filter_map(span).max()).ok().flatten();
            let limit = 2 * known + Duration::from_secs(10);
            if longest.is_some_and(|ns| Duration::from_nanos(ns) > limit) {
                return Err(format!("it does not end: {frames} frames in, it is past twice its duration"));
            }
        }
    }
}

/// To NULL, in a thread: a plugin may hang in it, and then it is left behind.
fn stop(pipeline: gst::Pipeline) {
    let (send, done) = std::sync::mpsc::channel();
    let work = move || {
        let _ = pipeline.set_state(gst::State::Null);
        let _ = send.send(());
    };
    if thread::Builder::new().name("stop".into()).spawn(work).is_ok() {
        let _ = done.recv_timeout(Duration::from_secs(5));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(ms: &[u64]) -> Decoded {
        let mut d = Decoded::default();
        ms.iter().for_each(|&ms| d.see(Some(gst::ClockTime::from_mseconds(ms))));
        d
    }

    #[test]
    fn rounding_is_no_variable_rate() {
        assert_eq!(seen(&[0, 33, 67, 100]).variable(), Some(false));
        assert_eq!(seen(&[0, 40, 120, 160]).variable(), Some(true));
        assert_eq!(seen(&[0, 40]).variable(), None);
        let d = seen(&[40, 80, 120]);
        assert_eq!((d.frames, d.first_pts, d.last_pts), (3, Some(40_000_000), Some(120_000_000)));
    }
}

//! The pipelines in front of the appsink, by kind of input:
//!
//! ```text
//! file, URI, stdin   uridecodebin ─┬─ video ─► attach ─► appsink
//!                                  └─ audio, still encoded ─► appsink (one a track)
//! raw y4m file       filesrc ─► y4mdec ─► attach ─► appsink
//! camera             device ─► capsfilter ─► decodebin ─► attach ─► appsink
//! test               videotestsrc ─► capsfilter ─► attach ─► appsink      audiotestsrc ─► appsink
//! pipeline           the user's text ─► attach ─► appsink
//! ```

mod decode;
mod elements;

use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use gstreamer::glib;
use gstreamer::prelude::*;
use gstreamer_app::AppSink;
use gstreamer_video::VideoFormat;

use super::attach::{Attached, Want, attach, offer_video_meta, sticky_tags};
use super::audio::{self, Backlog};
use super::locate::locate;
use super::network::Remote;
use super::packets::{self, Encoded};
use super::pull::Puller;
use super::timeline::Timeline;
use super::truncation::Raw;
use super::{AudioTrack, Facts, Input, Opened, Taps, cameras, edits};
use crate::config::{SourceSettings, did_you_mean};
use crate::control::Control;
use crate::failure::Failure;
use crate::gst::{make, missing};
use crate::redact::redact;

/// Shared by the callbacks that see pads come.
struct Site {
    pipeline: gstreamer::Pipeline,
    appsink: AppSink,
    want: Want,
    taps: Taps,
    /// A file without edit lists.
    unedited: bool,
    /// A file that says it is shorter than what has to be read.
    length: Option<edits::Length>,
    timeline: Timeline,
    attached: Arc<Mutex<Attached>>,
    found: Mutex<Found>,
}

#[derive(Default)]
struct Found {
    video: bool,
    audio: Vec<AudioTrack>,
    notices: Vec<String>,
    complete: bool,
    /// Audio streams that the other side says it will send, where it says so before it sends them.
    announced: usize,
    /// What enters each decoder, where somebody copies it.
    encoded: Vec<(gstreamer::Element, Encoded)>,
    /// The run has begun: a track that comes now is too late for the outputs.
    closed: bool,
}

/// Without a stream for so long, demuxers are asked whether they still read.
const SILENCE: Duration = Duration::from_millis(500);
/// How long the first picture waits for audio that is announced.
const AUDIO_PATIENCE: Duration = Duration::from_secs(3);

/// Opens any input that GStreamer reads and waits for its first frame.
pub fn open(
    input: &Input,
    settings: &SourceSettings,
    formats: &[VideoFormat],
    taps: Taps,
    control: &Control,
) -> Result<Opened, Failure> {
    // Before anything else opens the file: a FIFO would hold it up.
    let located = match input {
        Input::File(path) => Some(locate(path.as_os_str())?.0),
        _ => None,
    };
    let name = input.label();
    let appsink = AppSink::builder().sync(false).max_buffers(2).enable_last_sample(false).build();
    offer_video_meta(&appsink);
    let pipeline = gstreamer::Pipeline::with_name("source");
    let bad = |e: glib::BoolError| Failure::failed(format!("cannot build the source pipeline: {e}"));
    pipeline.add(&appsink).map_err(bad)?;
    let path = match input {
        Input::File(p) => Some(p.clone()),
        _ => None,
    };
    let patience = Duration::from_nanos(settings.timeout.0.nseconds());
    let mut puller = Puller::new(pipeline.clone(), appsink.clone(), name.clone(), path.clone(), patience);
    let site = Arc::new(Site {
        pipeline,
        appsink,
        want: Want { formats: formats.to_vec(), interlaced: settings.interlaced },
        taps,
        unedited: path.as_deref().is_some_and(edits::none),
        length: path.as_deref().and_then(edits::Length::of),
        timeline: puller.timeline.clone(),
        attached: puller.attached.clone(),
        found: Mutex::default(),
    });
    match input {
        Input::File(path) => match Raw::of(path) {
            Some(raw) => elements::y4m(&site, path, &raw)?,
            None => decode::decode(&site, &located.unwrap_or_default())?,
        },
        Input::Uri(uri) => {
            let remote = Arc::new(Remote::new(uri));
            puller.remote = Some(remote.clone());
            open_remote(&site, remote, settings)?;
        }
        Input::Stdin => decode::decode(&site, "fd://0")?,
        Input::Camera(which) => elements::camera(&site, which, settings)?,
        Input::Test(pattern) => elements::test(&site, pattern, settings)?,
        Input::Pipeline(text) => elements::user(&site, text)?,
        Input::Generate(_) | Input::Images(_) => unreachable!("made without a pipeline"),
    }
    let state = site.pipeline.set_state(gstreamer::State::Paused);
    puller.live = matches!(state, Ok(gstreamer::StateChangeSuccess::NoPreroll));
    if state.is_err() || site.pipeline.set_state(gstreamer::State::Playing).is_err() {
        puller.bus()?;
        return Err(Failure::input(format!("cannot open {name}: the source does not start")));
    }
    puller.jumps = matches!(input, Input::Camera(_));
    let (spec, origin) = wait(&mut puller, &site, control)?;
    let arrived = Instant::now();
    site.wait_for_audio(arrived, control);
    let facts = facts(&puller, &site, input, settings, spec, origin, arrived);
    let mut audio = std::mem::take(&mut site.found.lock().unwrap_or_else(|e| e.into_inner()).audio);
    if taps.audio == 0 {
        // Nobody listens: then nobody waits for it either.
        audio.clear();
    }
    let packets = site.found.lock().unwrap_or_else(|e| e.into_inner()).encoded.pop().map(|(_, e)| e);
    Ok(Opened { facts, source: Box::new(puller), audio, packets })
}

/// Waits for the first frame, or for the certainty that there will be none.
fn wait(
    puller: &mut Puller,
    site: &Site,
    control: &Control,
) -> Result<(Arc<crate::frame::Spec>, gstreamer::ClockTime), Failure> {
    let started = Instant::now();
    loop {
        if let Some(first) = puller.first_sample()? {
            return Ok(first);
        }
        let name = &puller.name;
        let (complete, video) = {
            let found = site.found.lock().unwrap_or_else(|e| e.into_inner());
            (found.complete, found.video)
        };
        let (empty, error) = {
            let a = site.attached.lock().unwrap_or_else(|e| e.into_inner());
            (a.empty, a.error.clone())
        };
        if let Some(e) = error {
            return Err(Failure::input(format!("cannot take frames from {name}: {e}")));
        }
        if complete && !video {
            let missing: Vec<&str> = puller.missing().collect();
            let audio = !site.found.lock().unwrap_or_else(|e| e.into_inner()).audio.is_empty();
            return Err(match missing.is_empty() {
                false => Failure::input(format!("cannot decode {name}: no plug-in for {}", missing.join(", ")))
                    .fix("`framewright doctor` lists what is missing and the packages to install"),
                true if audio => Failure::input(format!("{name} has no video: it holds audio only")),
                true => Failure::input(format!("{name} has no video")),
            });
        }
        if !video && started.elapsed() > SILENCE && site.gave_up() {
            return Err(Failure::input(format!("cannot open {name}: This file contains no playable streams")));
        }
        if (empty || puller.is_eos()) && !puller.is_refused() {
            return Err(Failure::input(format!("{name} ends without a frame: no picture in it can be decoded")));
        }
        if control.stopping() {
            return Err(Failure::new(
                crate::failure::Class::Stopped,
                format!("stopped before {name} delivered a frame"),
            ));
        }
        if started.elapsed() > puller.patience {
            let what = format!("{name} delivers no frame within {} s", puller.patience.as_secs());
            return Err(Failure::input(what).fix("--timeout waits longer"));
        }
    }
}

fn facts(
    puller: &Puller,
    site: &Site,
    input: &Input,
    settings: &SourceSettings,
    spec: Arc<crate::frame::Spec>,
    first: gstreamer::ClockTime,
    arrived: Instant,
) -> Facts {
    let duration = site.pipeline.query_duration::<gstreamer::ClockTime>();
    let duration = site.length.as_ref().map(|l| l.said).or(duration);
    let attached = site.attached.lock().unwrap_or_else(|e| e.into_inner()).clone();
    let found = site.found.lock().unwrap_or_else(|e| e.into_inner());
    let format = spec.info.format().to_string();
    let by_nature = match input {
        Input::File(_) | Input::Stdin => true,
        Input::Uri(_) | Input::Pipeline(_) => duration.is_some(),
        _ => false,
    };
    let limited = settings.frames.is_some() || settings.end.is_some();
    let frames = duration.filter(|_| !puller.live).and_then(|d| {
        let fps = spec.info.fps();
        (fps.numer() > 0)
            .then(|| d.nseconds().checked_mul(fps.numer() as u64).map(|n| n / 1_000_000_000 / fps.denom() as u64))?
    });
    Facts {
        name: puller.name.clone(),
        live: puller.live,
        held: arrived.elapsed(),
        finite: limited || (by_nature && !puller.live),
        origin: if puller.live { first } else { gstreamer::ClockTime::ZERO },
        duration: if puller.live { None } else { duration },
        frames,
        converted_from: Some(attached.native.clone()).filter(|n| *n != format),
        spec,
        tags: site.appsink.static_pad("sink").map(|p| sticky_tags(&p)).unwrap_or_default(),
        notices: attached.notices.iter().chain(&found.notices).cloned().collect(),
    }
}

/// A server: set up as soon as its element is there.
fn open_remote(site: &Arc<Site>, remote: Arc<Remote>, settings: &SourceSettings) -> Result<(), Failure> {
    let bin = make("uridecodebin")?;
    let (uri, wish, weak) = (remote.uri.clone(), settings.clone(), Arc::downgrade(site));
    bin.connect("source-setup", false, move |v| {
        if let Ok(source) = v[1].get::<gstreamer::Element>() {
            remote.setup(&source, &wish);
            if let Some(site) = weak.upgrade()
                && source.factory().is_some_and(|f| f.name() == "rtspsrc")
            {
                site.select(&source);
            }
        }
        None
    });
    decode::decode_with(site, &bin, &uri)
}

impl Site {
    fn add(&self, e: &gstreamer::Element) -> Result<(), Failure> {
        self.pipeline.add(e).map_err(|e| Failure::failed(format!("cannot build the source pipeline: {e}")))
    }

    /// True when a demuxer has stopped reading and gave nothing. It says why, but decodebin drops what an element says before it
    /// has finished plugging it in, and one that is quick is quicker.
    fn gave_up(&self) -> bool {
        let nothing = self.found.lock().unwrap_or_else(|e| e.into_inner()).audio.is_empty();
        let stopped = |e: gstreamer::Element| {
            let demuxer = e.factory().is_some_and(|f| f.has_type(gstreamer::ElementFactoryType::DEMUXER));
            let sink = e.static_pad("sink").filter(|_| demuxer && e.src_pads().is_empty());
            sink.is_some_and(|p| p.task_state() == gstreamer::TaskState::Paused)
        };
        nothing && self.pipeline.iterate_recurse().into_iter().flatten().any(stopped)
    }

    /// A pad came: the first video is taken, audio is tapped, the rest is drained.
    fn pad(&self, pad: &gstreamer::Pad) {
        let caps = pad.current_caps().unwrap_or_else(|| pad.query_caps(None));
        let kind = caps.structure(0).map(|s| s.name().to_string()).unwrap_or_default();
        let mut found = self.found.lock().unwrap_or_else(|e| e.into_inner());
        match kind.split('/').next() {
            Some("video" | "image") if !found.video => {
                found.video = true;
                let place = packets::place(pad, &found.encoded);
                found.encoded = place.map(|n| found.encoded.swap_remove(n)).into_iter().collect();
                attach(&self.pipeline, pad, &self.appsink, self.want.clone(), self.attached.clone());
                return;
            }
            Some("audio") if found.closed => log::warn!("an audio stream came too late: it is left out"),
            Some("video" | "image") => found.notices.push("more than one video stream: the first one is used".into()),
            Some("audio") => {
                // Tapped even when nobody listens: "audio only" is worth saying.
                match audio::attach(&self.pipeline, pad, caps, self.taps.audio, Backlog::Demuxed, &self.timeline) {
                    Ok(track) => found.audio.push(track),
                    Err(e) => log::warn!("{e}"),
                }
                return;
            }
            _ => found.notices.push(format!("a stream of {kind} is left out")),
        }
        drop(found);
        if let Ok(drain) =
            gstreamer::ElementFactory::make("fakesink").property("sync", false).property("async", false).build()
            && self.pipeline.add(&drain).is_ok()
        {
            let _ = drain.sync_state_with_parent();
            if let Some(p) = drain.static_pad("sink") {
                let _ = pad.link(&p);
            }
        }
    }

    /// Asks an RTSP server for video and, where an output wants it, audio; and notes how much of that it has.
    fn select(self: &Arc<Self>, source: &gstreamer::Element) {
        let weak = Arc::downgrade(self);
        source.connect("select-stream", false, move |v| {
            let caps = v[2].get::<gstreamer::Caps>().ok();
            let media = caps.and_then(|c| c.structure(0)?.get::<String>("media").ok()).unwrap_or_default();
            let Some(site) = weak.upgrade() else { return Some(false.to_value()) };
            let mut found = site.found.lock().unwrap_or_else(|e| e.into_inner());
            let wanted = match media.as_str() {
                "audio" => site.taps.audio > 0,
                "application" => false,
                _ => true,
            };
            found.announced += usize::from(wanted && media == "audio");
            Some(wanted.to_value())
        });
    }

    /// RTSP streams come one by one, each with its first packet, and audio often after the first picture.
    fn wait_for_audio(&self, first: Instant, control: &Control) {
        loop {
            let mut found = self.found.lock().unwrap_or_else(|e| e.into_inner());
            let missing = found.announced.saturating_sub(found.audio.len());
            let late = first.elapsed() > AUDIO_PATIENCE;
            if missing == 0 || late || found.complete || control.stopping() {
                if missing > 0 && late {
                    let seconds = AUDIO_PATIENCE.as_secs();
                    found.notices.push(format!("audio is announced, but none came within {seconds} s: left out"));
                }
                found.closed = true;
                return;
            }
            drop(found);
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// An element's only source pad is the video.
    fn only_video(&self, element: &gstreamer::Element) -> Result<(), Failure> {
        let pad = element.static_pad("src").ok_or_else(|| Failure::failed("the source has no output"))?;
        let mut found = self.found.lock().unwrap_or_else(|e| e.into_inner());
        (found.video, found.complete) = (true, true);
        attach(&self.pipeline, &pad, &self.appsink, self.want.clone(), self.attached.clone());
        Ok(())
    }
}

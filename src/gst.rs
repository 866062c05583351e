//! Small things about GStreamer that more than one room needs.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc;
use std::time::Duration;

use gstreamer::prelude::*;

use crate::cli::doctor;
use crate::failure::Failure;
use crate::redact::redact;

/// Starts GStreamer once and sends its messages to `log`.
pub fn init() -> Result<(), Failure> {
    gstreamer::init()
        .map_err(|e| Failure::failed(format!("GStreamer does not start: {e}")).fix("`scripts/setup` installs it"))?;
    bridge_log();
    // What loses pictures or shifts values where another element does not.
    let registry = gstreamer::Registry::get();
    for (name, rank) in [
        // Splits packed B-frames into one picture too many.
        ("mpeg4videoparse", gstreamer::Rank::NONE),
        // jpegdec uses a fast, inexact transform and calls every file full range.
        ("avdec_mjpeg", gstreamer::Rank::PRIMARY + 10),
        // Tried by autovideosink where no display answers: it crashes.
        ("dfbvideosink", gstreamer::Rank::NONE),
    ] {
        if let Some(feature) = registry.lookup_feature(name) {
            feature.set_rank(rank);
        }
    }
    Ok(())
}

/// Complaints of libav's decoders, which hide damage in a picture as well as they can and say so in the log only.
static DAMAGE: AtomicU64 = AtomicU64::new(0);

/// How often libav complained so far.
pub fn damage() -> u64 {
    DAMAGE.load(Ordering::Relaxed)
}

/// GStreamer's own log, by category, under the target `gst`. Its levels are lowered by one: what it calls a warning is
/// seldom one for the user.
fn bridge_log() {
    if std::env::var_os("GST_DEBUG").is_some() {
        return;
    }
    gstreamer::log::remove_default_log_function();
    let threshold = match log::max_level() {
        log::LevelFilter::Off | log::LevelFilter::Error | log::LevelFilter::Warn => gstreamer::DebugLevel::None,
        log::LevelFilter::Info => gstreamer::DebugLevel::Error,
        log::LevelFilter::Debug => gstreamer::DebugLevel::Warning,
        log::LevelFilter::Trace => gstreamer::DebugLevel::Info,
    };
    gstreamer::log::set_default_threshold(threshold);
    if threshold == gstreamer::DebugLevel::None {
        gstreamer::log::set_threshold_for_name("libav", gstreamer::DebugLevel::Error);
    }
    gstreamer::log::add_log_function(|category, level, _file, _function, _line, object, message| {
        if level == gstreamer::DebugLevel::Error && category.name() == "libav" {
            DAMAGE.fetch_add(1, Ordering::Relaxed);
        }
        let level = match level {
            gstreamer::DebugLevel::Error => log::Level::Info,
            gstreamer::DebugLevel::Warning | gstreamer::DebugLevel::Fixme => log::Level::Debug,
            _ => log::Level::Trace,
        };
        if level > log::max_level() {
            return;
        }
        let target = format!("gst::{}", category.name());
        let text = message.get().map(|m| m.to_string()).unwrap_or_default();
        let from = object.map(|o| format!("{o}: ")).unwrap_or_default();
        log::log!(target: &target, level, "{}{}", redact(&from), redact(&text));
    });
}

/// Some pipeline did not stop.
static LEFT_BEHIND: AtomicBool = AtomicBool::new(false);

/// True once a pipeline did not stop and still holds what it had.
pub fn left_behind() -> bool {
    LEFT_BEHIND.load(Ordering::Relaxed)
}

/// Takes a pipeline to NULL from a thread of its own and waits 5 s at most: some elements hang there.
pub fn shut_down(pipeline: &gstreamer::Pipeline) {
    let (done, wait) = mpsc::channel();
    let p = pipeline.clone();
    std::thread::spawn(move || {
        let _ = p.set_state(gstreamer::State::Null);
        let _ = done.send(());
    });
    if wait.recv_timeout(Duration::from_secs(5)).is_err() {
        LEFT_BEHIND.store(true, Ordering::Relaxed);
        log::warn!("{} does not stop; left behind", pipeline.name());
    }
}

/// Makes an element, or says which package has it.
pub fn make(factory: &str) -> Result<gstreamer::Element, Failure> {
    gstreamer::ElementFactory::make(factory).build().map_err(|_| missing(factory))
}

/// The failure for an element that is not installed.
pub fn missing(factory: &str) -> Failure {
    let failure = Failure::failed(format!("GStreamer element `{factory}` is not installed"));
    match doctor::package_for(factory) {
        Some(package) => failure.fix(doctor::install_hint(&[package])),
        None => failure.fix("`framewright doctor` lists what is missing"),
    }
}

/// True when the element is installed.
pub fn has(factory: &str) -> bool {
    gstreamer::ElementFactory::find(factory).is_some()
}

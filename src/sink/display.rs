//! A window.

use gstreamer::prelude::*;

use super::feed::Feed;
use super::{Delivery, End, Sink, Site};
use crate::config::SinkSettings;
use crate::failure::{Class, Failure};
use crate::gst::make;

/// A window, or any other tail that ends in the pipeline itself.
pub struct Tail {
    pub(super) feed: Feed,
    pub(super) detail: String,
    /// The user closed the window, after so many frames.
    closed: bool,
    frames: u64,
}

impl Tail {
    pub(super) fn new(feed: Feed, detail: String) -> Self {
        Tail { feed, detail, closed: false, frames: 0 }
    }

    /// Closing the window is the user's way to end this output, not a fault.
    fn judge(&mut self, result: Result<(), Failure>) -> Result<(), Failure> {
        result.map_err(|f| {
            // The words of ximagesink, xvimagesink, glimagesink and waylandsink.
            if !["window was closed", "Window was closed", "Quit requested"].iter().any(|w| f.message.contains(w)) {
                return f;
            }
            self.closed = true;
            Failure::new(Class::Stopped, "stopped by closing the window before the end of the input")
        })
    }
}

/// Opens a window: frames of a file at their own speed, frames of a live source as they come.
pub fn open(settings: &SinkSettings, site: &Site<'_>) -> Result<Tail, Failure> {
    let set = |name| std::env::var_os(name).is_some_and(|v| !v.is_empty());
    if !set("DISPLAY") && !set("WAYLAND_DISPLAY") && cfg!(target_os = "linux") {
        return Err(Failure::output("there is no display: neither DISPLAY nor WAYLAND_DISPLAY is set")
            .fix("-o FILE.mp4 writes a file, -o null only measures; over ssh use ssh -X; headless use xvfb-run"));
    }
    let feed = Feed::new(site.spec, "display", site.facts.live)?;
    let sync = !site.facts.live;
    let window = window(set("WAYLAND_DISPLAY"))?;
    window.set_property("sync", sync);
    let mut chain = vec![make("videoconvert")?];
    if settings.show_fps {
        let fps = make("fpsdisplaysink")?;
        fps.set_property("video-sink", &window);
        fps.set_property("sync", sync);
        fps.set_property("text-overlay", true);
        chain.push(fps);
    } else {
        chain.push(window);
    }
    let source = feed.video().clone();
    feed.chain(&source, &chain)?;
    feed.start().map_err(|f| {
        Failure::output(format!("cannot open a window: {}", f.message))
            .fix("-o FILE.mp4 writes a file, -o null only measures")
    })?;
    Ok(Tail::new(feed, if sync { "at the video's own speed".into() } else { "live".into() }))
}

/// The first kind of window that this display has. (`autovideosink` would take a fakesink rather than fail, and try the
/// console's screen.)
fn window(wayland: bool) -> Result<gstreamer::Element, Failure> {
    let mut kinds = vec!["xvimagesink", "ximagesink", "glimagesink"];
    if wayland {
        kinds.splice(..0, ["waylandsink", "glimagesink"]);
    }
    if cfg!(target_os = "macos") {
        kinds = vec!["osxvideosink", "glimagesink"];
    }
    let mut reasons = Vec::new();
    for kind in &kinds {
        let Ok(window) = gstreamer::ElementFactory::make(kind).build() else { continue };
        let bus = gstreamer::Bus::new();
        window.set_bus(Some(&bus));
        if window.set_state(gstreamer::State::Ready).is_ok() {
            window.set_bus(None);
            log::info!("the window is a {kind}");
            return Ok(window);
        }
        let error = bus.pop_filtered(&[gstreamer::MessageType::Error]);
        let text = error.and_then(|m| match m.view() {
            gstreamer::MessageView::Error(e) => Some(e.error().message().trim_end_matches('.').to_owned()),
            _ => None,
        });
        reasons.push(format!("{kind}: {}", text.unwrap_or_else(|| "does not start".into())));
        let _ = window.set_state(gstreamer::State::Null);
    }
    let Some(last) = kinds.last().filter(|_| reasons.is_empty()) else {
        let display = ["WAYLAND_DISPLAY", "DISPLAY"].into_iter().filter_map(|v| Some((v, std::env::var(v).ok()?)));
        let display: Vec<String> =
            display.filter(|(_, value)| !value.is_empty()).map(|(v, value)| format!("{v}={value}")).collect();
        return Err(Failure::output(format!("cannot open a window on {}: {}", display.join(", "), reasons.join("; ")))
            .fix("-o FILE.mp4 writes a file, -o null only measures; headless use xvfb-run"));
    };
    let missing = crate::gst::missing(if cfg!(target_os = "linux") { "ximagesink" } else { last });
    Err(Failure { class: Class::Output, ..missing })
}

impl Sink for Tail {
    fn write(&mut self, picture: &Delivery) -> Result<(), Failure> {
        self.frames += 1;
        let pushed = self.feed.push(picture);
        self.judge(pushed)
    }

    fn finish(&mut self, end: End) -> Result<(), Failure> {
        let finished = self.feed.finish(end);
        self.judge(finished)
    }

    fn notices(&self) -> Vec<String> {
        self.closed.then(|| format!("the window was closed after {} frames", self.frames)).into_iter().collect()
    }

    fn detail(&self) -> String {
        self.detail.clone()
    }
}

//! A window.

use gstreamer::prelude::*;

use super::feed::Feed;
use super::{Delivery, End, Sink, Site};
use crate::config::SinkSettings;
use crate::failure::Failure;
use crate::gst::make;

/// A window, or any other tail that ends in the pipeline itself.
pub struct Tail {
    pub(super) feed: Feed,
    pub(super) detail: String,
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
    let window = make("autovideosink")?;
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
    Ok(Tail { feed, detail: if sync { "at the video's own speed".into() } else { "live".into() } })
}

impl Sink for Tail {
    fn write(&mut self, picture: &Delivery) -> Result<(), Failure> {
        self.feed.push(picture)
    }

    fn finish(&mut self, end: End) -> Result<(), Failure> {
        self.feed.finish(end)
    }

    fn detail(&self) -> String {
        self.detail.clone()
    }
}

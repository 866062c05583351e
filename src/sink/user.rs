//! The user's own pipeline tail.

use gstreamer::prelude::*;

use super::Site;
use super::display::Tail;
use super::feed::Feed;
use crate::config::SinkSettings;
use crate::failure::Failure;
use crate::redact::redact;

/// Links the frames into what the user wrote, as for gst-launch-1.0.
pub fn open(settings: &SinkSettings, site: &Site<'_>) -> Result<Tail, Failure> {
    let text = settings.pipeline.as_deref().unwrap_or_default();
    let bad = |why: &str| {
        Failure::output(format!("the output pipeline `{}` does not work: {}", redact(text), redact(why))).fix(
            "it must begin with what takes raw video and end in a sink, as in 'pipeline:videoconvert ! fpsdisplaysink'",
        )
    };
    let bin = gstreamer::parse::bin_from_description(text, true).map_err(|e| bad(e.message()))?;
    if bin.static_pad("sink").is_none() {
        return Err(bad("nothing in it takes video"));
    }
    if let Some(open) = bin.static_pad("src") {
        return Err(bad(&format!("its end is open: {} leads nowhere", open.name())));
    }
    let feed = Feed::new(site.spec, "pipeline", site.facts.live)?;
    let source = feed.video().clone();
    feed.chain(&source, &[bin.upcast()])?;
    feed.start()?;
    Ok(Tail { feed, detail: redact(text) })
}

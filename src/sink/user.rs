//! The user's own pipeline tail.

use gstreamer::prelude::*;
use gstreamer_app::AppSrc;

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
    // As gst-launch-1.0 would build it: in a bin of its own, fpsdisplaysink never comes to its end.
    let whole = gstreamer::parse::launch(&format!("appsrc name=framewright-frames ! {text}"));
    let pipeline = whole.map_err(|e| bad(e.message()))?.downcast::<gstreamer::Pipeline>();
    let pipeline = pipeline.map_err(|_| bad("nothing in it takes video"))?;
    let source = pipeline.by_name("framewright-frames").and_then(|e| e.downcast::<AppSrc>().ok());
    let source = source.ok_or_else(|| bad("nothing in it takes video"))?;
    if let Some(open) = pipeline.find_unlinked_pad(gstreamer::PadDirection::Src) {
        let at = open.parent().map(|p| p.name().to_string()).unwrap_or_default();
        return Err(bad(&format!("its end is open: {} of {at} leads nowhere", open.name())));
    }
    let feed = Feed::around(pipeline, source, site.spec, "pipeline", site.facts.live)?;
    feed.start()?;
    Ok(Tail::new(feed, redact(text)))
}

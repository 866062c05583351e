//! Inputs that decodebin opens, and what its decoders are told.

use super::*;

/// A local file, or standard input.
pub(super) fn decode(site: &Arc<Site>, uri: &str) -> Result<(), Failure> {
    let bin = make("uridecodebin")?;
    if let Some(b) = bin.downcast_ref::<gstreamer::Bin>() {
        b.connect_deep_element_added(|_, _, e| {
            if e.is::<gstreamer_video::VideoDecoder>() && e.has_property("max-threads") {
                e.set_property("max-threads", decoding_threads());
            }
        });
    }
    if let Some(length) = site.length.clone() {
        bin.connect("source-setup", false, move |v| {
            v[1].get::<gstreamer::Element>().iter().for_each(|source| length.mend(source));
            None
        });
    }
    decode_with(site, &bin, uri)
}

/// libavcodec's decoders take as many threads as there are processors. Ops and encoders keep some of them waiting: from twice
/// as many, pictures come 5 to 8 % faster on two processors. Each delays pictures by one, so this is for files only; 0 leaves
/// it to the decoder.
fn decoding_threads() -> i32 {
    match std::thread::available_parallelism().map_or(1, |n| n.get()) {
        n @ 1..=8 => 2 * n as i32,
        _ => 0,
    }
}

pub(super) fn decode_with(site: &Arc<Site>, bin: &gstreamer::Element, uri: &str) -> Result<(), Failure> {
    bin.set_property("uri", uri);
    // Audio stays encoded: it goes to the output as it is.
    bin.connect("autoplug-continue", false, |v| {
        let (pad, caps) = (v[1].get::<gstreamer::Pad>(), v[2].get::<gstreamer::Caps>());
        let go_on = match (pad, caps) {
            (Ok(pad), Ok(caps)) => !audio::is_final(&pad, &caps),
            _ => true,
        };
        Some(go_on.to_value())
    });
    decoders(site, bin);
    site.add(bin)
}

/// Wires the signals that decodebin and uridecodebin share.
pub(super) fn decoders(site: &Arc<Site>, bin: &gstreamer::Element) {
    let (watching, timeline, unedited) = (Arc::downgrade(site), site.timeline.clone(), site.unedited);
    if let Some(b) = bin.downcast_ref::<gstreamer::Bin>() {
        b.connect_deep_element_added(move |_, _, e| {
            match e.factory().map(|f| f.name()).as_deref() {
                Some("matroskademux") => timeline.plain.store(true, Ordering::Relaxed),
                Some("qtdemux") if unedited => edits::leave_open(e),
                _ => {}
            }
            // A bad picture must not end the run; each is counted by its warning.
            if e.is::<gstreamer_video::VideoDecoder>() && e.has_property("max-errors") {
                e.set_property("max-errors", -1i32);
            }
            if let Some(site) = watching.upgrade().filter(|s| s.taps.video > 0) {
                packets::repeat_parameter_sets(e);
                let place = e.is::<gstreamer_video::VideoDecoder>() || e.has_property("config-interval");
                if let Some(pad) = e.static_pad("sink").filter(|_| place) {
                    let encoded = Encoded::watch(&pad, site.taps.video, &site.timeline);
                    site.found.lock().unwrap_or_else(|e| e.into_inner()).encoded.push((e.clone(), encoded));
                }
            }
        });
    }
    pads(site, bin);
}

/// Takes the streams of an element whose pads come by and by.
pub(super) fn pads(site: &Arc<Site>, bin: &gstreamer::Element) {
    let weak = Arc::downgrade(site);
    bin.connect_pad_added(move |_, pad| {
        if let Some(site) = weak.upgrade() {
            site.pad(pad);
        }
    });
    let weak = Arc::downgrade(site);
    bin.connect_no_more_pads(move |_| {
        if let Some(site) = weak.upgrade() {
            site.found.lock().unwrap_or_else(|e| e.into_inner()).complete = true;
        }
    });
}

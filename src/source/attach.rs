//! Video pad ─► [download] ─► [deinterlace] ─► [videoconvert ─► videoflip] ─► videoconvert ─► capsfilter ─► appsink
//!
//! Linked when the first buffer stands at the pad: only then caps, interlacing and orientation are certain. What is not
//! needed is not put in; the last videoconvert passes buffers through untouched when the ops take the decoder's format.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use gstreamer::glib;
use gstreamer::prelude::*;
use gstreamer::{PadProbeReturn, PadProbeType, PadProbeType as P};
use gstreamer_app::AppSink;
use gstreamer_video::{VideoBufferPool, VideoFormat, VideoInfo, VideoMeta};

use crate::config::Interlaced;

/// Times of the pictures that entered the deinterlacer, in order.
pub type Times = Arc<Mutex<VecDeque<Option<gstreamer::ClockTime>>>>;

/// What is decided once the first buffer is there.
#[derive(Clone, Debug, Default)]
pub struct Attached {
    /// The decoder's raw format.
    pub native: String,
    /// What was put in and should be said.
    pub notices: Vec<String>,
    /// Present when a deinterlacer is in: its output's timestamps are not reliable, so they are taken from its input.
    pub times: Option<Times>,
    /// Linking failed.
    pub error: Option<String>,
    /// The pad ended before its first buffer.
    pub empty: bool,
}

/// What the chain must deliver.
#[derive(Clone, Debug)]
pub struct Want {
    /// Raw formats that the ops take.
    pub formats: Vec<VideoFormat>,
    /// Treatment of interlaced video.
    pub interlaced: Interlaced,
}

/// Makes `pad` end in `appsink` as soon as its first buffer comes; the decision is left in `state`.
pub fn attach(
    pipeline: &gstreamer::Pipeline,
    pad: &gstreamer::Pad,
    appsink: &AppSink,
    want: Want,
    state: Arc<Mutex<Attached>>,
) {
    let (weak, sink, early) = (pipeline.downgrade(), appsink.clone(), state.clone());
    pad.add_probe(PadProbeType::BLOCK | PadProbeType::BUFFER | P::BUFFER_LIST, move |pad, _| {
        let Some(pipeline) = weak.upgrade() else { return PadProbeReturn::Remove };
        let done = link(&pipeline, pad, &sink, &want);
        let mut state = state.lock().unwrap_or_else(|e| e.into_inner());
        match done {
            Ok(attached) => *state = attached,
            Err(e) => state.error = Some(e.to_string()),
        }
        PadProbeReturn::Remove
    });
    pad.add_probe(PadProbeType::EVENT_DOWNSTREAM, move |pad, info| {
        if info.event().is_some_and(|e| e.type_() == gstreamer::EventType::Eos) && !pad.is_linked() {
            early.lock().unwrap_or_else(|e| e.into_inner()).empty = true;
        }
        PadProbeReturn::Ok
    });
}

/// Memory that only a device can read, and the element that brings it into ours.
const MEMORIES: [(&str, &str); 8] = [
    ("memory:VAMemory", "vapostproc"),
    ("memory:DMABuf", "vapostproc"),
    ("memory:VASurface", "vaapipostproc"),
    ("memory:GLMemory", "gldownload"),
    ("memory:CUDAMemory", "cudadownload"),
    ("memory:D3D11Memory", "d3d11download"),
    ("memory:D3D12Memory", "d3d12download"),
    ("memory:NVMM", "nvvideoconvert"),
];

fn link(
    pipeline: &gstreamer::Pipeline,
    pad: &gstreamer::Pad,
    appsink: &AppSink,
    want: &Want,
) -> Result<Attached, glib::BoolError> {
    let caps = pad.current_caps().ok_or_else(|| glib::bool_error!("the decoder gave no caps"))?;
    let s = caps.structure(0).ok_or_else(|| glib::bool_error!("the decoder gave empty caps"))?;
    let mut out =
        Attached { native: s.get::<String>("format").unwrap_or_else(|_| "unknown".into()), ..Attached::default() };
    let mut chain: Vec<gstreamer::Element> = Vec::new();
    if s.name() != "video/x-raw" {
        return Err(glib::bool_error!("it delivers {}, not raw video", s.name()));
    }
    let make = |name: &str| gstreamer::ElementFactory::make(name).build();

    let features = caps.features(0).map(|f| f.to_string()).unwrap_or_default();
    if let Some((_, download)) = MEMORIES.iter().find(|(m, d)| features.contains(m) && crate::gst::has(d)) {
        chain.push(make(download)?);
    }

    let interlaced = s.get::<String>("interlace-mode").is_ok_and(|m| m != "progressive");
    if interlaced && want.interlaced == Interlaced::Deinterlace {
        let d = make("deinterlace")?;
        d.set_property_from_str("mode", "auto");
        d.set_property_from_str("fields", "top");
        // 1.18 and up have yadif; the older methods misread padded strides.
        d.set_property_from_str("method", "yadif");
        let times: Times = Arc::default();
        let fill = times.clone();
        if let Some(p) = d.static_pad("sink") {
            p.add_probe(P::BUFFER | P::EVENT_FLUSH, move |_, info| {
                let mut times = fill.lock().unwrap_or_else(|e| e.into_inner());
                match (info.buffer(), info.event()) {
                    (Some(b), _) => times.push_back(b.pts()),
                    (_, Some(e)) if e.type_() == gstreamer::EventType::FlushStop => times.clear(),
                    _ => {}
                }
                PadProbeReturn::Ok
            });
        }
        chain.push(d);
        out.times = Some(times);
        out.notices.push("interlaced input: deinterlaced, frame rate kept (--interlaced keep leaves it)".into());
    } else if interlaced {
        out.notices.push("interlaced input: kept as it is; ops see woven fields".into());
    }

    let orientation = sticky_tags(pad).get::<gstreamer::tags::ImageOrientation>().map(|t| t.get().to_owned());
    if let Some(o) = orientation.filter(|o| o != "rotate-0") {
        chain.push(make("videoconvert")?);
        let flip = make("videoflip")?;
        flip.set_property_from_str("video-direction", "auto");
        chain.push(flip);
        out.notices.push(format!("orientation {o} applied: the picture is upright, the output carries no rotation"));
    }

    chain.push(make("videoconvert")?);
    let filter = make("capsfilter")?;
    let formats = gstreamer::List::new(want.formats.iter().map(|f| f.to_str().as_str()));
    filter.set_property("caps", gstreamer::Caps::builder("video/x-raw").field("format", formats).build());
    chain.push(filter);

    for e in &chain {
        pipeline.add(e)?;
    }
    let mut all: Vec<&gstreamer::Element> = chain.iter().collect();
    all.push(appsink.upcast_ref());
    gstreamer::Element::link_many(all)?;
    for e in chain.iter().rev() {
        e.sync_state_with_parent()?;
    }
    let first = chain[0].static_pad("sink").ok_or_else(|| glib::bool_error!("no sink pad"))?;
    pad.link(&first).map_err(|e| glib::bool_error!("{e}"))?;
    Ok(out)
}

/// Lets decoders pad rows and pictures, and offers them buffers for that: otherwise they repack each picture, libavcodec's even for
/// a height that is no multiple of 16 (1080), since it takes its own buffers for downstream's in no other case.
pub fn offer_video_meta(appsink: &AppSink) {
    let Some(pad) = appsink.static_pad("sink") else { return };
    pad.add_probe(PadProbeType::QUERY_DOWNSTREAM, |_, info| {
        if let Some(q) = info.query_mut()
            && let gstreamer::QueryViewMut::Allocation(a) = q.view_mut()
        {
            a.add_allocation_meta::<VideoMeta>(None);
            if let Some((pool, size)) = pool(a) {
                a.add_allocation_pool(Some(&pool), size, 0, 0);
            }
            return PadProbeReturn::Handled;
        }
        PadProbeReturn::Ok
    });
}

/// Plain memory for what a query is about, and its size; of no use to whoever did not ask.
fn pool(query: &gstreamer::query::Allocation) -> Option<(VideoBufferPool, u32)> {
    let (Some(caps), true) = query.get_owned() else { return None };
    let size = VideoInfo::from_caps(&caps).ok()?.size() as u32;
    let pool = VideoBufferPool::new();
    let mut config = pool.config();
    config.set_params(Some(&caps), size, 0, 0);
    pool.set_config(config).ok()?;
    Some((pool, size))
}

/// All tags that were sent on `pad` so far.
pub fn sticky_tags(pad: &gstreamer::Pad) -> gstreamer::TagList {
    let mut all = gstreamer::TagList::new();
    let mut n = 0;
    while let Some(event) = pad.sticky_event::<gstreamer::event::Tag>(n) {
        let merged = all.merge(event.tag(), gstreamer::TagMergeMode::Replace);
        all = merged;
        n += 1;
    }
    all
}

//! The ops in order: conversions settled once, and the parts that several workers may share.

use std::sync::Arc;

use gstreamer_video::VideoFormat;

use super::link::{Identity, Link, OpStats};
use crate::failure::Failure;
use crate::frame::{Frame, Spec};
use crate::ops::{OpError, OpSettings, Reach, Stream, Takes};
use crate::vision::event::Event;

/// A prepared chain.
pub struct Chain {
    /// One after the other.
    pub segments: Vec<Segment>,
    /// Whether frames must remember what they were before the first op.
    pub keep_original: bool,
    /// What should be known about it.
    pub notices: Vec<String>,
    output: Arc<Spec>,
    /// What ops cost that are no longer there.
    past: Vec<OpStats>,
}

/// What outputs and times rely on: a chain that takes another's place must be the same in this.
#[derive(Clone)]
pub struct Shape {
    /// What comes out.
    pub output: Arc<Spec>,
    /// The ops that drop, repeat, hold back or move frames.
    pub times: Vec<Identity>,
}

/// A run of ops without state between frames, once for each worker; or a run with at least one op with state, once.
pub struct Segment {
    /// The same ops several times: each takes every n-th frame.
    pub lanes: Vec<Lane>,
}

/// Ops that one thread works through.
pub struct Lane {
    links: Vec<Link>,
    spare: Vec<Vec<Frame>>,
}

impl Chain {
    /// Builds the ops for `threads` workers and settles formats from first to last.
    pub fn prepare(ops: &[OpSettings], input: &Arc<Spec>, stream: &Stream, threads: usize) -> Result<Self, Failure> {
        let stream = Stream { original: Some(input.clone()), workers: threads, ..stream.clone() };
        let ops: Vec<&OpSettings> = ops.iter().filter(|o| o.common.enabled).collect();
        let keep_original = ops.iter().any(|o| o.config.wants_original());
        let guard = ops.iter().position(|o| o.config.reach() == Reach::Guards);
        if let Some(shown) =
            ops.iter().enumerate().find(|(i, o)| guard.is_some_and(|g| g < *i) && o.config.wants_original())
        {
            let what = format!("op {} would show the input, which op mask hides: put {0} before mask", shown.1.name);
            return Err(Failure::usage(what));
        }
        if let Some(shown) = ops.iter().find(|o| o.config.wants_original())
            && let Some(hides) = ops.iter().find(|o| o.config.redacts())
        {
            let what = format!("op {} would show the input, in which op {} hides nothing", shown.name, hides.name);
            return Err(Failure::usage(what).fix(format!("leave {} out", shown.name)));
        }
        let needs_bgr = |o: &&&OpSettings| o.config.takes(&input.layout) == Takes::Bgr;
        // From the first op that needs interleaved colour to the last one, all get it: each conversion costs more than
        // working on BGR in between does.
        let first = ops.iter().position(|o| needs_bgr(&o));
        let last = ops.iter().rposition(|o| needs_bgr(&o));
        let mut notices = Vec::new();
        if let (Some(first), Some(last)) = (first, last) {
            let names: Vec<&str> = ops[first..=last].iter().filter(needs_bgr).map(|o| o.name).collect();
            notices.push(format!("converted to BGR and back for {}", names.join(", ")));
        }
        let mut spec = input.clone();
        let mut parts: Vec<(bool, Vec<Vec<Link>>)> = Vec::new();
        for (i, settings) in ops.iter().enumerate() {
            let named = |e: OpError| match e {
                OpError::Lacks { what, fix } => Failure::usage(format!("op {}: {what}", settings.name)).fix(fix),
                e => Failure::usage(format!("op {} cannot work on {}: {e}", settings.name, stream.name)),
            };
            if first == Some(i) {
                let bgr = Arc::new(spec.with_format(VideoFormat::Bgr).map_err(|e| named(e.into()))?);
                spec = push(&mut parts, threads, || Link::convert(&spec, bgr.clone())).map_err(named)?;
            }
            spec = push(&mut parts, threads, || Link::op(settings, &spec, &stream)).map_err(named)?;
            if last == Some(i) {
                let (w, h) = (spec.info.width(), spec.info.height());
                let native = input.with_size(w, h).map(|s| s.with_rate(spec.info.fps()).with_aspect(spec.info.par()));
                let native = Arc::new(native.map_err(|e| named(e.into()))?);
                spec = push(&mut parts, threads, || Link::convert(&spec, native.clone())).map_err(named)?;
            }
        }
        let segments =
            parts.into_iter().map(|(_, lanes)| Segment { lanes: lanes.into_iter().map(Lane::new).collect() }).collect();
        Ok(Chain { segments, keep_original, notices, output: spec, past: Vec::new() })
    }

    /// What comes out.
    pub fn output(&self) -> &Arc<Spec> {
        &self.output
    }

    /// What a chain in its place must have too.
    pub fn shape(&self) -> Shape {
        let links = self.segments.iter().flat_map(|s| &s.lanes).flat_map(|l| &l.links);
        let times = links.filter(|l| l.retimes()).filter_map(Link::identity).collect();
        Shape { output: self.output.clone(), times }
    }

    /// Goes on where `old` stands, between two frames: ops that keep state and are the same in both keep it.
    pub fn take_over(&mut self, mut old: Chain) {
        let mut left: Vec<Link> = old.segments.drain(..).flat_map(|s| s.lanes).flat_map(|l| l.links).collect();
        for link in self.segments.iter_mut().flat_map(|s| &mut s.lanes).flat_map(|l| &mut l.links) {
            let Some(identity) = link.identity() else { continue };
            if let Some(i) = left.iter().position(|o| o.identity().as_ref() == Some(&identity)) {
                *link = left.remove(i);
            }
        }
        self.past = old.past;
        left.iter().for_each(|link| add(&mut self.past, link.stats()));
    }

    /// What ops say after the last frame, in their order.
    pub fn last_events(&mut self) -> Vec<Event> {
        let links = self.segments.iter_mut().flat_map(|s| &mut s.lanes).flat_map(|l| &mut l.links);
        links.flat_map(Link::last_events).collect()
    }

    /// What each op cost so far. What ops cost that were replaced is added to those of the same name.
    pub fn stats(&self) -> Vec<OpStats> {
        let mut all = self.segments.iter().flat_map(Segment::stats).collect();
        self.past.iter().for_each(|past| add(&mut all, past.clone()));
        all
    }
}

fn add(all: &mut Vec<OpStats>, one: OpStats) {
    match all.iter_mut().find(|s| s.name == one.name && one.report.is_none()) {
        Some(sum) => {
            sum.seconds += one.seconds;
            sum.copies += one.copies;
        }
        None => all.push(one),
    }
}

/// Adds a link to the last segment if that is of the same kind, else to a new one.
fn push(
    parts: &mut Vec<(bool, Vec<Vec<Link>>)>,
    threads: usize,
    mut make: impl FnMut() -> Result<Link, OpError>,
) -> Result<Arc<Spec>, OpError> {
    let link = make()?;
    let (spec, shared) = (link.output().clone(), !link.stateful && threads > 1);
    if parts.last().is_none_or(|(s, _)| *s != shared) {
        let lanes = if shared { threads } else { 1 };
        parts.push((shared, (0..lanes).map(|_| Vec::new()).collect()));
    }
    if let Some((_, lanes)) = parts.last_mut() {
        for lane in &mut lanes[1..] {
            lane.push(make()?);
        }
        lanes[0].push(link);
    }
    Ok(spec)
}

impl Lane {
    fn new(links: Vec<Link>) -> Self {
        let spare = links.iter().map(|_| Vec::new()).collect();
        Lane { links, spare }
    }

    /// Sends one frame through; what comes of it goes to `out`.
    pub fn process(&mut self, frame: Frame, out: &mut Vec<Frame>) -> Result<(), Failure> {
        self.from(0, frame, out)
    }

    /// After the last frame: what ops still hold goes on to the ones behind them and to `out`.
    pub fn finish(&mut self, out: &mut Vec<Frame>) -> Result<(), Failure> {
        for i in 0..self.links.len() {
            let mut held = std::mem::take(&mut self.spare[i]);
            let link = &mut self.links[i];
            link.finish(&mut held).map_err(|e| Failure::failed(format!("op {} failed at the end: {e}", link.name)))?;
            for frame in held.drain(..) {
                self.from(i + 1, frame, out)?;
            }
            self.spare[i] = held;
        }
        Ok(())
    }

    fn from(&mut self, i: usize, frame: Frame, out: &mut Vec<Frame>) -> Result<(), Failure> {
        if i == self.links.len() {
            out.push(frame);
            return Ok(());
        }
        let index = frame.index;
        let mut made = std::mem::take(&mut self.spare[i]);
        let link = &mut self.links[i];
        link.run(frame, &mut made)
            .map_err(|e| Failure::failed(format!("op {} failed on frame {index}: {e}", link.name)))?;
        for frame in made.drain(..) {
            self.from(i + 1, frame, out)?;
        }
        self.spare[i] = made;
        Ok(())
    }

    /// What each op cost so far.
    pub fn stats(&self) -> Vec<OpStats> {
        self.links.iter().map(Link::stats).collect()
    }
}

impl Segment {
    /// What each op cost so far, over all workers.
    pub fn stats(&self) -> Vec<OpStats> {
        let mut lanes = self.lanes.iter().map(Lane::stats);
        let mut sum = lanes.next().unwrap_or_default();
        for lane in lanes {
            for (total, one) in sum.iter_mut().zip(lane) {
                total.seconds += one.seconds;
                total.copies += one.copies;
            }
        }
        sum
    }
}

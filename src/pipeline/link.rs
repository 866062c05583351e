//! One op at work: its buffers, its region, its hours, its keyframes.

use std::sync::Arc;
use std::time::{Duration, Instant};

use gstreamer_video::VideoInfo;
use opencv::core::Rect;
use opencv::prelude::*;

use crate::frame::{Converter, Frame, Plane, Pool, Spec};
use crate::ops::{Configured, Mode, Op, OpError, OpSettings, Patch, Reach, Regions, Stream};
use crate::vision::event::Event;

/// What one op cost.
#[derive(Clone, Debug, Default, serde::Serialize)]
pub struct OpStats {
    /// The op's name; `convert` for a conversion between formats that ops made necessary.
    pub name: String,
    /// Time spent in it, in seconds, over all workers.
    pub seconds: f64,
    /// Pictures copied because the op edits in place and the picture was not writable.
    pub copies: u64,
    /// What the op found.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub report: Option<serde_json::Value>,
}

/// What makes two prepared ops the same: then one can go on in place of the other.
#[derive(Clone, Debug, PartialEq)]
pub struct Identity {
    /// The op's name.
    pub name: &'static str,
    settings: toml::Table,
    input: VideoInfo,
    output: VideoInfo,
}

/// A prepared op, or a conversion that ops need.
pub struct Link {
    /// The op's name.
    pub name: &'static str,
    /// True when frames must come one after the other.
    pub stateful: bool,
    work: Work,
    output: Arc<Spec>,
    time: Duration,
    copies: u64,
}

enum Work {
    Op(Box<Station>),
    Convert(Converter),
    /// Its region lies outside of the picture.
    Nothing,
}

struct Station {
    settings: OpSettings,
    op: Box<dyn Op>,
    mode: Mode,
    stream: Stream,
    /// What the op itself gets and gives: the cut-out's form where there is a region.
    inner: (Arc<Spec>, Arc<Spec>),
    pool: Pool,
    copies: Pool,
    window: Option<Window>,
    values: Vec<f64>,
    /// Events of frames that a [`Mode::Time`] op has taken: they ride on with the next frame that it gives, each once, also
    /// where it drops or repeats theirs.
    events: Vec<Event>,
}

/// The part of the picture that an op with a region works on.
struct Window {
    pool: Pool,
    planes: Vec<Cut>,
}

/// The same in samples of one plane.
struct Cut {
    rect: Rect,
    /// Where results count, relative to the picture.
    patches: Vec<Patch>,
}

impl Link {
    /// Builds and prepares the op for pictures like `input`.
    pub fn op(settings: &OpSettings, input: &Arc<Spec>, stream: &Stream) -> Result<Self, OpError> {
        let mut op = build(settings, &settings.config);
        let mode = op.mode();
        let (mut stateful, mut output, mut window, mut inside) =
            (settings.config.stateful() || mode == Mode::Time, None, None, input.clone());
        if let Some(regions) = settings.common.region.as_ref().filter(|_| !settings.config.reach().is_own()) {
            match Window::of(regions, settings.config.reach(), mode, input)? {
                Some((spec, w)) => (inside, window) = (spec, Some(w)),
                // Nothing of the region lies in the picture: the op has nothing to do.
                None => return Ok(Link::nothing(settings.name, input)),
            }
        }
        let mut values = Vec::new();
        if let Some(a) = &settings.animation {
            a.values(gstreamer::ClockTime::ZERO, &mut values);
            stateful |= settings.config.stateful();
        }
        let made = op.prepare(&inside, stream)?;
        let same = |a: &Spec, b: &Spec| {
            a.info.format() == b.info.format() && a.info.size() == b.info.size() && a.info.width() == b.info.width()
        };
        if window.is_none() {
            output = Some(made.clone());
        } else if !same(&made, &inside) {
            let what = "region is not possible here: the op changes the size or format of the picture";
            return Err(OpError::Refused(what.into()));
        }
        if settings.common.when.is_some() && !same(&made, &inside) {
            let what = "when is not possible here: the op changes the size or format of the picture";
            return Err(OpError::Refused(what.into()));
        }
        let output = output.unwrap_or_else(|| input.clone());
        let station = Station {
            settings: settings.clone(),
            op,
            mode,
            stream: stream.clone(),
            pool: Pool::new(&made.info)?,
            copies: Pool::new(&input.info)?,
            inner: (inside, made),
            window,
            values,
            events: Vec::new(),
        };
        let work = Work::Op(Box::new(station));
        Ok(Link { name: settings.name, stateful, work, output, time: Duration::ZERO, copies: 0 })
    }

    fn nothing(name: &'static str, input: &Arc<Spec>) -> Self {
        Link { name, stateful: false, work: Work::Nothing, output: input.clone(), time: Duration::ZERO, copies: 0 }
    }

    /// A conversion of pictures like `from` into ones like `to`.
    pub fn convert(from: &Spec, to: Arc<Spec>) -> Result<Self, OpError> {
        let converter = Converter::new(from, to)?;
        let output = converter.output().clone();
        let work = Work::Convert(converter);
        Ok(Link { name: "convert", stateful: false, work, output, time: Duration::ZERO, copies: 0 })
    }

    /// What comes out.
    pub fn output(&self) -> &Arc<Spec> {
        &self.output
    }

    /// Works on one frame; what comes of it goes to `out`.
    pub fn run(&mut self, frame: Frame, out: &mut Vec<Frame>) -> Result<(), OpError> {
        let started = Instant::now();
        let result = match &mut self.work {
            Work::Nothing => {
                out.push(frame);
                Ok(())
            }
            Work::Convert(c) => convert(c, frame).map(|f| out.push(f)),
            Work::Op(station) => station.run(frame, out, &mut self.copies),
        };
        self.time += started.elapsed();
        result
    }

    /// What the op still holds after the last frame goes to `out`.
    pub fn finish(&mut self, out: &mut Vec<Frame>) -> Result<(), OpError> {
        match &mut self.work {
            Work::Op(station) => {
                let from = out.len();
                station.op.finish(out)?;
                station.ride_on(out, from);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// What is to be said after the last frame.
    pub fn last_events(&mut self) -> Vec<Event> {
        match &mut self.work {
            Work::Op(station) => {
                let mut events = std::mem::take(&mut station.events);
                events.append(&mut station.op.last_events());
                events
            }
            _ => Vec::new(),
        }
    }

    /// What it is; `None` for what keeps nothing from frame to frame.
    pub fn identity(&self) -> Option<Identity> {
        match &self.work {
            Work::Op(station) if self.stateful => Some(Identity {
                name: self.name,
                settings: station.settings.effective.clone(),
                input: station.inner.0.info.clone(),
                output: self.output.info.clone(),
            }),
            _ => None,
        }
    }

    /// True when it drops, repeats, holds back or moves frames.
    pub fn retimes(&self) -> bool {
        matches!(&self.work, Work::Op(station) if station.mode == Mode::Time)
    }

    /// What it cost so far.
    pub fn stats(&self) -> OpStats {
        let (own, report) = match &self.work {
            Work::Op(station) => (station.op.copies(), station.op.report()),
            _ => (0, None),
        };
        OpStats { name: self.name.to_owned(), seconds: self.time.as_secs_f64(), copies: self.copies + own, report }
    }
}

/// Makes the op; one that sees to its region itself is told which.
fn build(settings: &OpSettings, config: &Arc<dyn Configured>) -> Box<dyn Op> {
    let mut op = config.build();
    if let Some(regions) = settings.common.region.as_ref().filter(|_| config.reach().is_own()) {
        op.within(regions);
    }
    op
}

fn convert(c: &Converter, mut frame: Frame) -> Result<Frame, OpError> {
    let mut out = c.convert(&frame)?;
    out.meta = std::mem::take(&mut frame.meta);
    Ok(out)
}

impl Station {
    fn run(&mut self, mut frame: Frame, out: &mut Vec<Frame>, copies: &mut u64) -> Result<(), OpError> {
        if self.settings.common.when.as_ref().is_some_and(|w| !w.holds(frame.index, frame.position)) {
            // What the op still holds comes before a frame that is none of its business.
            let from = out.len();
            self.op.flush(out)?;
            out.push(frame);
            self.ride_on(out, from);
            return Ok(());
        }
        self.animate(&frame)?;
        if self.mode == Mode::Time {
            let from = out.len();
            self.events.append(&mut frame.meta.events);
            self.op.retime(frame, out)?;
            self.ride_on(out, from);
            return Ok(());
        }
        if self.window.is_some() {
            let mut cut = self.cut(&frame)?;
            cut.meta = std::mem::take(&mut frame.meta);
            let mut done = self.work(cut, copies)?;
            frame.meta = std::mem::take(&mut done.meta);
            if self.mode != Mode::Read {
                self.writable(&mut frame, copies)?;
                self.put_back(&done, &mut frame)?;
            }
            out.push(frame);
            return Ok(());
        }
        if self.mode == Mode::InPlace {
            self.writable(&mut frame, copies)?;
        }
        out.push(self.work(frame, copies)?);
        Ok(())
    }

    /// Hands the events that wait to the first frame of `out` from `from` on, where there is one.
    fn ride_on(&mut self, out: &mut [Frame], from: usize) {
        if let (Some(frame), false) = (out.get_mut(from), self.events.is_empty()) {
            self.events.append(&mut frame.meta.events);
            frame.meta.events = std::mem::take(&mut self.events);
        }
    }

    fn work(&mut self, mut frame: Frame, _: &mut u64) -> Result<Frame, OpError> {
        match self.mode {
            Mode::Transform => {
                let mut made = frame.successor(self.pool.acquire()?, self.inner.1.clone());
                self.op.transform(&frame, &mut made)?;
                made.meta = std::mem::take(&mut frame.meta);
                Ok(made)
            }
            Mode::InPlace => self.op.edit(&mut frame).map(|()| frame),
            Mode::Read | Mode::Time => self.op.read(&mut frame).map(|()| frame),
        }
    }

    /// Copies the picture unless it may be written to, and counts that.
    fn writable(&self, frame: &mut Frame, copies: &mut u64) -> Result<(), OpError> {
        if !frame.is_writable() {
            let mut copy = frame.successor(self.copies.acquire()?, frame.spec().clone());
            copy.planes_mut()?.copy_from(&frame.planes()?)?;
            copy.meta = std::mem::take(&mut frame.meta);
            *copies += 1;
            *frame = copy;
        }
        Ok(())
    }

    /// Builds the op anew where a keyframed setting has another value now.
    fn animate(&mut self, frame: &Frame) -> Result<(), OpError> {
        let Some(animation) = &self.settings.animation else { return Ok(()) };
        if !animation.values(frame.position, &mut self.values) {
            return Ok(());
        }
        let config = animation.settings(&self.values).map_err(OpError::Refused)?;
        self.op = build(&self.settings, &config);
        let made = self.op.prepare(&self.inner.0, &self.stream)?;
        if made.info != self.inner.1.info {
            let what = "keyframes may not change the size or format of the picture";
            return Err(OpError::Refused(what.into()));
        }
        Ok(())
    }

    fn cut(&self, frame: &Frame) -> Result<Frame, OpError> {
        let Some(window) = &self.window else { return Ok(frame.again()) };
        let mut cut = frame.successor(window.pool.acquire()?, self.inner.0.clone());
        let from = frame.planes()?;
        let mut to = cut.planes_mut()?;
        for (i, c) in window.planes.iter().enumerate() {
            let part = from.mat(i)?;
            let part = part.roi(c.rect)?;
            to.edit(i, |to| part.copy_to(to).map_err(OpError::from))?;
        }
        drop(to);
        Ok(cut)
    }

    fn put_back(&self, cut: &Frame, frame: &mut Frame) -> Result<(), OpError> {
        let Some(window) = &self.window else { return Ok(()) };
        let from = cut.planes()?;
        let mut to = frame.planes_mut()?;
        for (i, c) in window.planes.iter().enumerate() {
            let made = from.mat(i)?;
            to.edit(i, |to| {
                for patch in &c.patches {
                    let r = patch.rect;
                    let inner = made.roi(Rect::new(r.x - c.rect.x, r.y - c.rect.y, r.width, r.height))?;
                    let mut there = to.roi_mut(r)?;
                    match &patch.mask {
                        None => inner.copy_to(&mut there)?,
                        Some(mask) => inner.copy_to_masked(&mut there, mask)?,
                    }
                }
                Ok::<_, OpError>(())
            })?;
        }
        Ok(())
    }
}

impl Window {
    /// The cut-out that `regions` need, with its form, or `None` where nothing of them lies in the picture.
    fn of(regions: &Regions, reach: Reach, mode: Mode, input: &Spec) -> Result<Option<(Arc<Spec>, Self)>, OpError> {
        let (width, height) = (input.info.width(), input.info.height());
        let full = Plane { channels: vec![crate::frame::Component::Y], w_sub: 0, h_sub: 0 };
        let whole = Rect::new(0, 0, width as i32, height as i32);
        let mut rect = match reach {
            Reach::Never(why) => return Err(OpError::Refused(format!("region is not possible here: {why}"))),
            Reach::Whole | Reach::Guards | Reach::Looks => whole,
            Reach::Near(n) => {
                // Two more, since a subsampled plane rounds a region to its own samples. What is only read is what was asked for.
                let n = if mode == Mode::Read { 0 } else { n as i32 + 2 };
                let grown = |p: &Patch| {
                    let r = p.rect;
                    Rect::new(r.x - n, r.y - n, r.width + 2 * n, r.height + 2 * n)
                };
                let patches = regions.on_plane(&full, width, height)?;
                let Some(all) = patches.iter().map(grown).reduce(|a, b| a | b) else { return Ok(None) };
                all & whole
            }
        };
        // To whole samples of the coarsest plane; only the picture's own end may cut one.
        let block = input.layout.planes.iter().fold((0, 0), |b, p| (b.0.max(p.w_sub), b.1.max(p.h_sub)));
        let (right, bottom) = (rect.x + rect.width, rect.y + rect.height);
        (rect.x, rect.y) = (rect.x >> block.0 << block.0, rect.y >> block.1 << block.1);
        let up = |v: i32, sub: u32, most: i32| (((v + (1 << sub) - 1) >> sub) << sub).min(most);
        rect.width = up(right, block.0, whole.width) - rect.x;
        rect.height = up(bottom, block.1, whole.height) - rect.y;
        let spec = Arc::new(input.with_size(rect.width as u32, rect.height as u32)?);
        let mut planes = Vec::new();
        for plane in &input.layout.planes {
            let size = (plane.cols(rect.width as u32) as i32, plane.rows(rect.height as u32) as i32);
            let cut = Rect::new(rect.x >> plane.w_sub, rect.y >> plane.h_sub, size.0, size.1);
            let mut patches = regions.on_plane(plane, width, height)?;
            patches.retain(|p| (p.rect & cut) == p.rect);
            planes.push(Cut { rect: cut, patches });
        }
        Ok(Some((spec.clone(), Window { pool: Pool::new(&spec.info)?, planes })))
    }
}

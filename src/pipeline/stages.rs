//! Runs a chain on one thread or several, with the order of frames kept.
//!
//! ```text
//! frames ─► segment ─► [channel per worker] ─► segment × n workers ─► [channel per worker] ─► segment ─► deliver
//! ```
//!
//! Frame k goes to worker k mod n, and results are taken in the same turn: no frame overtakes another, whatever each costs.
//! A worker answers each frame with exactly one message, so whoever collects knows whose turn it is.

use std::thread;

use crossbeam_channel::{Receiver, Sender, bounded};

use super::chain::{Chain, Lane};
use crate::failure::Failure;
use crate::frame::Frame;

/// Frames that wait for one worker.
const DEPTH: usize = 2;

type Message = Result<Frame, Failure>;

/// Where a stage puts frames: a channel for each worker of the next one, in turn.
struct Outlet {
    to: Vec<Sender<Message>>,
    turn: usize,
}

impl Outlet {
    /// False when nobody takes frames any more.
    fn send(&mut self, message: Message) -> bool {
        let to = &self.to[self.turn];
        self.turn = (self.turn + 1) % self.to.len();
        to.send(message).is_ok()
    }
}

/// Where a stage gets frames: a channel from each worker of the one before, in turn.
struct Inlet {
    from: Vec<Receiver<Message>>,
    turn: usize,
}

impl Iterator for Inlet {
    type Item = Message;

    fn next(&mut self) -> Option<Message> {
        let from = &self.from[self.turn];
        self.turn = (self.turn + 1) % self.from.len();
        // Frames were dealt out in turn: the first worker without one is the end.
        from.recv().ok()
    }
}

/// Works through `frames` and gives the results to `deliver`, in order, until that answers false. What ops hold back is
/// delivered after the last frame.
pub fn run(
    chain: &mut Chain,
    frames: impl Iterator<Item = Frame> + Send,
    deliver: &mut dyn FnMut(Frame) -> bool,
) -> Result<(), Failure> {
    match pass(chain, frames, deliver)? {
        true => finish(chain, deliver),
        false => Ok(()),
    }
}

/// The same without the end: when `frames` are over, all that went in has come out, but for what ops hold back. The answer is
/// false when `deliver` wants no more.
pub fn pass(
    chain: &mut Chain,
    frames: impl Iterator<Item = Frame> + Send,
    deliver: &mut dyn FnMut(Frame) -> bool,
) -> Result<bool, Failure> {
    let keep = chain.keep_original;
    let frames = frames.map(move |mut f| {
        if keep {
            f.keep_original();
        }
        Ok(f)
    });
    match chain.segments.as_mut_slice() {
        [] => in_turn(frames, deliver),
        [only] if only.lanes.len() == 1 => {
            let mut result = Ok(true);
            serve(&mut only.lanes[0], frames, &mut |m| match m {
                Ok(frame) => {
                    let more = deliver(frame);
                    result = Ok(more);
                    more
                }
                Err(e) => {
                    result = Err(e);
                    false
                }
            });
            result
        }
        segments => thread::scope(|scope| {
            let (mut frames, mut inlet) = (Some(frames), None);
            for segment in segments {
                let width = segment.lanes.len();
                let mut inputs = match (frames.take(), inlet.take()) {
                    (Some(frames), _) if width == 1 => {
                        let (to, from) = bounded(DEPTH);
                        inlet = Some(Inlet { from: vec![from], turn: 0 });
                        let lane = &mut segment.lanes[0];
                        scope.spawn(move || serve(lane, frames, &mut |m| to.send(m).is_ok()));
                        continue;
                    }
                    (Some(frames), _) => deal(scope, frames, width),
                    (None, Some(before)) => deal(scope, before, width),
                    (None, None) => Vec::new(),
                }
                .into_iter();
                let mut outputs = Vec::new();
                for lane in &mut segment.lanes {
                    let Some(input) = inputs.next() else { break };
                    let (to, from) = bounded(DEPTH);
                    outputs.push(from);
                    scope.spawn(move || serve(lane, input.into_iter(), &mut |m| to.send(m).is_ok()));
                }
                inlet = Some(Inlet { from: outputs, turn: 0 });
            }
            inlet.map_or(Ok(true), |inlet| in_turn(inlet, deliver))
        }),
    }
}

/// Deals `messages` out to `width` workers: the receiving ends.
fn deal<'s>(
    scope: &'s thread::Scope<'s, '_>,
    messages: impl Iterator<Item = Message> + Send + 's,
    width: usize,
) -> Vec<Receiver<Message>> {
    let (to, from): (Vec<_>, Vec<_>) = (0..width).map(|_| bounded(DEPTH)).unzip();
    let mut outlet = Outlet { to, turn: 0 };
    scope.spawn(move || {
        for message in messages {
            if !outlet.send(message) {
                break;
            }
        }
    });
    from
}

fn in_turn(messages: impl Iterator<Item = Message>, deliver: &mut dyn FnMut(Frame) -> bool) -> Result<bool, Failure> {
    for message in messages {
        if !deliver(message?) {
            return Ok(false);
        }
    }
    Ok(true)
}

/// After the last frame: what ops hold back goes through those behind them and to `deliver`.
pub fn finish(chain: &mut Chain, deliver: &mut dyn FnMut(Frame) -> bool) -> Result<(), Failure> {
    for i in 0..chain.segments.len() {
        let mut held = Vec::new();
        chain.segments[i].lanes.iter_mut().try_for_each(|lane| lane.finish(&mut held))?;
        for segment in &mut chain.segments[i + 1..] {
            // The lanes of a segment do the same; which one works on a frame makes no difference.
            let mut done = Vec::new();
            held.drain(..).try_for_each(|frame| segment.lanes[0].process(frame, &mut done))?;
            held = done;
        }
        if !held.into_iter().all(&mut *deliver) {
            break;
        }
    }
    Ok(())
}

/// Works through `messages` until they end, an error comes by or happens (it is sent on), or nobody takes results.
fn serve(lane: &mut Lane, messages: impl Iterator<Item = Message>, send: &mut dyn FnMut(Message) -> bool) {
    let mut done = Vec::new();
    for message in messages {
        let worked = message.and_then(|frame| lane.process(frame, &mut done));
        let failed = worked.is_err();
        if !done.drain(..).all(|f| send(Ok(f))) {
            return;
        }
        if let Err(e) = worked {
            send(Err(e));
        }
        if failed {
            return;
        }
    }
}

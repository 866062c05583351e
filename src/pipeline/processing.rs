//! The processing thread: frames through the ops to the outputs, and now and then other ops between two frames.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use crossbeam_channel::{Receiver, select_biased};

use super::chain::Chain;
use super::link::OpStats;
use super::measures::Measures;
use super::sightings::{self, Sightings};
use super::stages;
use super::stats::Counters;
use super::witness::Witness;
use crate::control::Control;
use crate::events::{Numbering, Run};
use crate::failure::Failure;
use crate::frame::Frame;
use crate::sink::writer::Outlet;
use crate::sink::{Delivery, LastEvents};

/// What the processing thread leaves behind.
#[derive(Default)]
pub struct Processed {
    /// By op.
    pub ops: Vec<OpStats>,
    /// By name.
    pub measures: Measures,
    /// What was found, by `detect` op.
    pub sightings: BTreeMap<Arc<str>, Sightings>,
    /// How many times the ops were replaced.
    pub edits: u64,
}

/// What comes to the ops: frames, and now and then a chain in place of theirs.
pub struct Intake {
    /// From the reader.
    pub frames: Receiver<Frame>,
    /// From the watch.
    pub edits: Receiver<Chain>,
    /// The chain that waits: frames are held back until it is taken.
    pub edit: Option<Chain>,
    /// Sees each frame.
    pub witness: Option<Arc<Witness>>,
}

impl Iterator for Intake {
    type Item = Frame;

    fn next(&mut self) -> Option<Frame> {
        select_biased! {
            recv(self.edits) -> edit => match edit {
                Ok(chain) => {
                    self.edit = Some(chain);
                    None
                }
                Err(_) => {
                    self.edits = crossbeam_channel::never();
                    self.next()
                }
            },
            recv(self.frames) -> frame => frame.ok().inspect(|f| if let Some(w) = &self.witness { w.before(f) }),
        }
    }
}

/// The work of the processing thread: frames through the ops, and to every output that takes them.
#[allow(clippy::too_many_arguments)]
pub fn process(
    mut chain: Chain,
    mut measures: Measures,
    mut intake: Intake,
    mut outlets: Vec<(Outlet, Arc<AtomicBool>)>,
    counters: &Counters,
    control: &Control,
    alive: &AtomicBool,
    last: &LastEvents,
    run: Arc<Run>,
) -> (Processed, Result<(), Failure>) {
    let (mut edits, mut seen) = (0, BTreeMap::new());
    let mut numbering = Numbering::new(run);
    let witness = intake.witness.clone();
    let mut deliver = |mut frame: Frame| {
        measures.add(&frame);
        witness.iter().for_each(|w| w.after(&frame));
        let arrived = frame.arrived;
        Counters::bump(&counters.processed);
        counters.position.store(frame.pts.nseconds(), Ordering::Relaxed);
        let mut meta = std::mem::take(&mut frame.meta);
        numbering.picture(&mut meta.events, frame.position.nseconds(), arrived);
        sightings::add(&mut seen, &meta);
        let any = !meta.looked.is_empty() || !meta.detections.is_empty() || !meta.events.is_empty();
        let any = any || !meta.measurements.is_empty();
        let meta = any.then(|| Arc::new(meta));
        let Frame { pts, duration, index, position, .. } = frame;
        let delivery = Delivery { buffer: frame.into_buffer(), pts, duration, arrived, index, position, meta };
        let asked = Instant::now();
        outlets.retain(|(outlet, alive)| outlet.send(delivery.clone(), alive));
        counters.sink_wait.fetch_add(asked.elapsed().as_nanos() as u64, Ordering::Relaxed);
        !outlets.is_empty()
    };
    let result = loop {
        match stages::pass(&mut chain, &mut intake, &mut deliver) {
            Ok(true) => match intake.edit.take() {
                Some(mut next) => {
                    // Every frame that went in came out: this is between two frames.
                    next.take_over(chain);
                    chain = next;
                    edits += 1;
                    log::info!("edited ops from frame {} on", counters.processed.load(Ordering::Relaxed));
                }
                None => break stages::finish(&mut chain, &mut deliver),
            },
            Ok(false) => break Ok(()),
            Err(e) => break Err(e),
        }
    };
    let mut ended = chain.last_events();
    numbering.number(&mut ended);
    let _ = last.set(ended);
    alive.store(false, Ordering::SeqCst);
    if result.is_err() || outlets.is_empty() {
        control.stop();
    }
    let written = measures.close();
    (Processed { ops: chain.stats(), measures, sightings: seen, edits }, result.and(written))
}

//! The ops in order, and the buffers they write into.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::failure::Failure;
use crate::frame::{Frame, Pool, Spec};
use crate::ops::{Mode, Op, OpSettings, Stream};

/// A prepared chain. Owns the ops and one pool for each that may need a fresh buffer.
pub struct Chain {
    links: Vec<Link>,
    output: Arc<Spec>,
}

struct Link {
    name: &'static str,
    op: Box<dyn Op>,
    spec: Arc<Spec>,
    pool: Pool,
    time: Duration,
    copies: u64,
}

/// What one op cost.
#[derive(Clone, Debug, serde::Serialize)]
pub struct OpStats {
    /// The op's name.
    pub name: &'static str,
    /// Time spent in it, in seconds.
    pub seconds: f64,
    /// Pictures copied because the op edits in place and the picture was not writable.
    pub copies: u64,
}

impl Chain {
    /// Builds the ops and settles formats from first to last.
    pub fn prepare(ops: &[OpSettings], input: &Arc<Spec>, stream: &Stream) -> Result<Self, Failure> {
        let mut spec = input.clone();
        let mut links = Vec::new();
        for settings in ops {
            let name = settings.name;
            let mut op = (settings.build)();
            spec = op
                .prepare(&spec, stream)
                .map_err(|e| Failure::usage(format!("op {name} cannot work on {}: {e}", stream.name)))?;
            let pool = Pool::new(&spec.info).map_err(|e| Failure::failed(format!("op {name}: {e}")))?;
            links.push(Link { name, op, spec: spec.clone(), pool, time: Duration::ZERO, copies: 0 });
        }
        Ok(Chain { links, output: spec })
    }

    /// What comes out.
    pub fn output(&self) -> &Arc<Spec> {
        &self.output
    }

    /// Sends one frame through all ops.
    pub fn process(&mut self, mut frame: Frame) -> Result<Frame, Failure> {
        for link in &mut self.links {
            let started = Instant::now();
            let index = frame.index;
            frame = link
                .run(frame)
                .map_err(|e| Failure::failed(format!("op {} failed on frame {index}: {e}", link.name)))?;
            link.time += started.elapsed();
        }
        Ok(frame)
    }

    /// What each op cost so far.
    pub fn stats(&self) -> Vec<OpStats> {
        self.links.iter().map(|l| OpStats { name: l.name, seconds: l.time.as_secs_f64(), copies: l.copies }).collect()
    }
}

impl Link {
    fn run(&mut self, mut frame: Frame) -> Result<Frame, crate::ops::OpError> {
        match self.op.mode() {
            Mode::Transform => {
                let mut out = frame.successor(self.pool.acquire()?, self.spec.clone());
                self.op.transform(&frame, &mut out)?;
                Ok(out)
            }
            Mode::InPlace => {
                if !frame.is_writable() {
                    let mut copy = frame.successor(self.pool.acquire()?, frame.spec().clone());
                    copy.planes_mut()?.copy_from(&frame.planes()?)?;
                    self.copies += 1;
                    frame = copy;
                }
                self.op.edit(&mut frame)?;
                Ok(frame)
            }
        }
    }
}

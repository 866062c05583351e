//! Many inputs, one configuration: jobs in child processes, one at a time in each, a journal of all of them, a report at the end.
//!
//! ```text
//! inputs ─► plan (against the journal) ─► supervisor ─► child processes ─► verified outputs ─► journal ─► report
//! ```

mod child;
mod feed;
pub mod inputs;
pub mod journal;
mod order;
pub mod pattern;
pub mod plan;
pub mod report;
mod resources;
mod settle;
mod show;
mod supervisor;
mod verify;
pub mod watch;
pub mod work;

use std::path::PathBuf;
use std::time::Duration;

pub use feed::{Feed, Once};
pub use show::{Show, short, span};
pub use supervisor::{Supervisor, Tally};

/// How jobs are run.
#[derive(Clone, Debug)]
pub struct Options {
    /// At a time; `None`: as the machine has room.
    pub jobs: Option<usize>,
    /// A job that makes no progress for so long is ended.
    pub stall: Duration,
    /// A job that takes longer is ended.
    pub limit: Option<Duration>,
    /// A job that takes more memory, in bytes, is ended.
    pub memory: Option<u64>,
    /// How often a job that crashed, hung or ran out of something is begun again.
    pub retries: u32,
    /// Steps by which jobs are nicer than this process.
    pub nice: i32,
    /// No job begins while the machine's load is higher.
    pub max_load: Option<f64>,
    /// With fewer bytes free where outputs go, the batch pauses.
    pub min_free: u64,
    /// Whether jobs take small pictures for the report.
    pub thumbnails: bool,
    /// Where outputs go.
    pub folders: Vec<PathBuf>,
}

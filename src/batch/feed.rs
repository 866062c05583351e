//! Where the jobs of a batch come from.

use super::journal::Journal;
use super::plan::Job;
use crate::failure::Failure;

/// Where more jobs come from while others run.
pub trait Feed {
    /// Jobs that have come since the last time.
    fn poll(&mut self, journal: &mut Journal) -> Result<Vec<Job>, Failure>;
    /// A job is done, and its outputs can be trusted.
    fn done(&mut self, job: &Job);
    /// True when no more will come.
    fn over(&self) -> bool;
}

/// No jobs but those that are there.
pub struct Once;

impl Feed for Once {
    fn poll(&mut self, _: &mut Journal) -> Result<Vec<Job>, Failure> {
        Ok(Vec::new())
    }

    fn done(&mut self, _: &Job) {}

    fn over(&self) -> bool {
        true
    }
}

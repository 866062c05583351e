//! What the machine has: cores, memory, load, room on the disk.

use std::path::{Path, PathBuf};

use crate::failure::{Class, Failure};

/// Memory that one more job is expected to need before any was seen, in bytes.
const JOB_MEMORY: u64 = 400 << 20;

/// How many jobs at a time use this machine best.
///
/// Measured with short and long files of 240 to 1080 lines (`scripts/bench batch`): as many jobs as cores.
pub fn jobs() -> usize {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let memory = free_memory().map_or(usize::MAX, |bytes| (bytes / JOB_MEMORY) as usize);
    cores.min(memory).max(1)
}

/// Bytes of memory that can be had without swapping.
pub fn free_memory() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find_map(|l| l.strip_prefix("MemAvailable:"))?;
    Some(line.trim().trim_end_matches("kB").trim().parse::<u64>().ok()? << 10)
}

/// Processes that want to run, averaged over a minute.
pub fn load() -> Option<f64> {
    std::fs::read_to_string("/proc/loadavg").ok()?.split_whitespace().next()?.parse().ok()
}

/// Bytes that can still be written in `folder`, or where it will be made.
pub fn free_disk(folder: &Path) -> Option<u64> {
    let there = folder.ancestors().find(|f| f.exists())?;
    let there = if there.as_os_str().is_empty() { Path::new(".") } else { there };
    let s = rustix::fs::statvfs(there).ok()?;
    Some(s.f_bavail * s.f_frsize)
}

/// Room on the disks that outputs go to.
pub struct Room<'a> {
    folders: &'a [PathBuf],
    /// Bytes that must be free to go on.
    least: u64,
    /// The same, for now: more than there was where a job found too little.
    wanted: u64,
}

impl<'a> Room<'a> {
    /// In `folders` `least` bytes must be free.
    pub fn new(folders: &'a [PathBuf], least: u64) -> Self {
        Room { folders, least, wanted: least }
    }

    fn lacks(&self, least: u64) -> Option<(&Path, u64)> {
        self.folders.iter().filter_map(|f| Some((f.as_path(), free_disk(f)?))).find(|(_, free)| *free < least)
    }

    /// What to say while there is too little.
    pub fn short(&mut self) -> Option<String> {
        let mb = |bytes: u64| format!("{} MB", bytes >> 20);
        let said = self.lacks(self.wanted).map(|(folder, free)| {
            format!(
                "paused: only {} are free in {}, {} are wanted (--min-free); it goes on by itself when there is room",
                mb(free),
                folder.display(),
                mb(self.wanted)
            )
        });
        if said.is_none() {
            self.wanted = self.least;
        }
        said
    }

    /// A job found too little: more than there is now must be free before it tries again.
    pub fn ask_for_more(&mut self) {
        let free = self.folders.iter().filter_map(|f| free_disk(f)).min().unwrap_or(0);
        self.wanted = self.wanted.max(free + free / 10 + (1 << 20));
    }

    /// Whether a job failed for want of room.
    pub fn lacked(&self, failure: &Failure) -> bool {
        let told = ["No space left", "no space left"].iter().any(|t| failure.message.contains(t));
        failure.class == Class::Output && (told || self.lacks(self.least.max(1 << 20)).is_some())
    }
}

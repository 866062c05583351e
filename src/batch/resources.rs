//! What the machine has: cores, memory, load, room on the disk.

use std::path::{Path, PathBuf};

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

/// The folder among `folders` where less than `least` bytes are free, and how many are.
pub fn short_of_disk(folders: &[PathBuf], least: u64) -> Option<(&Path, u64)> {
    folders.iter().filter_map(|f| Some((f.as_path(), free_disk(f)?))).find(|(_, free)| *free < least)
}

//! What remains to be done when a job's process is over: outputs to the disk for good, events into their database.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use super::journal::Ended;
use super::plan::Job;
use crate::events::store;
use crate::failure::Failure;

/// One at a time fills the database.
static FILLING: Mutex<()> = Mutex::new(());

/// The database that a job's events wait in, for the output of this place in the configuration.
pub fn part(folder: &Path, job: i64, sink: usize) -> PathBuf {
    folder.join(format!("{job}-{sink}.db"))
}

/// Makes sure that a power cut costs nothing of what the journal will call done. `parts` are databases of this job, and the
/// ones that they go into.
///
/// # Errors
/// The disk does not take it.
pub fn settle(job: &Job, ended: &Ended, parts: &[(PathBuf, PathBuf)]) -> Result<(), Failure> {
    for (part, whole) in parts.iter().filter(|(part, _)| part.exists()) {
        let _one = FILLING.lock();
        let cannot = |e: &dyn std::fmt::Display| {
            Failure::output(format!("cannot write the events of {} to {}: {e}", job.input.display(), whole.display()))
        };
        if let Some(folder) = whole.parent().filter(|f| !f.as_os_str().is_empty()) {
            fs::create_dir_all(folder).map_err(|e| cannot(&e))?;
        }
        store::gather(whole, part, &job.input.display().to_string()).map_err(|e| cannot(&e))?;
        let _ = fs::remove_file(part);
    }
    for file in &ended.written {
        let synced = File::open(&file.path).and_then(|f| f.sync_data());
        synced.map_err(|e| Failure::output(format!("cannot write {}: {e}", file.path)))?;
    }
    let mut folders: Vec<&Path> = ended.written.iter().filter_map(|w| Path::new(&w.path).parent()).collect();
    folders.dedup();
    // Names too; where a file system cannot, it does so by itself.
    folders.iter().for_each(|f| drop(File::open(f).and_then(|f| f.sync_all())));
    Ok(())
}

/// Removes the unfinished file that process `pid` left beside `path`.
pub fn clear(path: &Path, pid: u32) {
    let (Some(stem), Some(folder)) = (path.file_stem(), path.parent()) else { return };
    let mut name = stem.to_owned();
    name.push(format!(".partial-{pid}"));
    if let Some(extension) = path.extension() {
        name.push(".");
        name.push(extension);
    }
    let _ = fs::remove_file(folder.join(name));
}

//! What a job's child process is told.

use std::fs;
use std::path::Path;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::pattern::{gathers, of_ops, readable};
use super::plan::Job;
use super::{Options, settle};
use crate::config::Settings;
use crate::failure::Failure;

/// What the system counts and a job does not use: stacks of threads, libraries' tables.
const HEADROOM: u64 = 512 << 20;

/// What the parent asks for.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Order {
    /// A configuration, as `framewright check --print` writes it.
    pub config: String,
    /// Bytes of memory that it may take at the very most.
    pub memory: Option<u64>,
    /// Steps by which it is nicer than its parent.
    pub nice: i32,
    /// Whether small pictures for the report are wanted.
    pub thumbnails: bool,
}

impl Order {
    /// What the child of `job` is to do; `folder` is for what nobody keeps.
    ///
    /// # Errors
    /// A folder for the outputs cannot be made.
    pub fn new(settings: &Settings, options: &Options, folder: &Path, job: &Job) -> Result<Self, Failure> {
        let mut s = settings.clone();
        let make = |folder: &Path| {
            fs::create_dir_all(folder)
                .map_err(|e| Failure::output(format!("cannot make folder {}: {e}", folder.display())))
        };
        s.source.uri = match job.input.to_str() {
            Some(path) => path.to_owned(),
            None => {
                // GStreamer takes names as UTF-8 only: a link that has one.
                let links = folder.join(format!("link-{}", job.id));
                make(&links)?;
                let name = readable(std::os::unix::ffi::OsStrExt::as_bytes(job.input.file_name().unwrap_or_default()));
                let link = links.join(name);
                let _ = fs::remove_file(&link);
                std::os::unix::fs::symlink(&job.input, &link)
                    .map_err(|e| Failure::output(format!("cannot link {}: {e}", link.display())))?;
                link.display().to_string()
            }
        };
        // The same each time, so that what is told twice can be known again.
        let id = data_encoding::HEXLOWER.encode(&Sha256::digest(s.source.uri.as_bytes())[..6]);
        s.run_id = Some(s.run_id.map_or(id.clone(), |run| format!("{run}.{id}")));
        for (i, (sink, output)) in s.sinks.iter_mut().zip(&job.outputs).enumerate() {
            if gathers(sink) {
                make(folder)?;
                (sink.path, sink.overwrite) = (Some(settle::part(folder, job.id, i)), true);
            } else if !output.as_os_str().is_empty() {
                make(output.parent().unwrap_or(Path::new("/")))?;
                sink.path = Some(output.clone());
                sink.overwrite |= job.own;
            }
        }
        let mut tables = job.outputs.iter().skip(s.sinks.len()).map(|p| (!p.as_os_str().is_empty()).then(|| p.clone()));
        (s.stats, s.measures) = (tables.next().flatten(), tables.next().flatten());
        let of_ops: Vec<(usize, &str)> = of_ops(settings).map(|(i, key, _)| (i, key)).collect();
        for ((i, key), path) in of_ops.into_iter().zip(tables.flatten()) {
            make(path.parent().unwrap_or(Path::new("/")))?;
            let table = &mut s.ops[i].effective;
            table.insert(key.into(), path.display().to_string().into());
            if let Some(overwrite) = table.get_mut("overwrite").filter(|_| job.own) {
                *overwrite = true.into();
            }
        }
        [&s.stats, &s.measures].into_iter().flatten().try_for_each(|p| make(p.parent().unwrap_or(Path::new("/"))))?;
        let Options { memory, nice, thumbnails, .. } = *options;
        // Room above the limit, so that the watch on it speaks before an allocation fails somewhere in a library.
        let memory = memory.map(|m| m.saturating_mul(2).saturating_add(HEADROOM));
        Ok(Order { config: crate::config::print(&s)?, memory, nice, thumbnails })
    }
}

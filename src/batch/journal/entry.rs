//! What the journal says of a job, and how it is read.

use std::fs;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use rusqlite::{Connection, OptionalExtension, Row};
use serde::{Deserialize, Serialize};

use super::Sql;
use crate::failure::Failure;

/// Where a job stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// Not begun, or begun and cut off.
    Waiting,
    /// At work.
    Running,
    /// Whole, and verified.
    Done,
    /// Ended badly.
    Failed,
}

impl State {
    /// As the journal has it.
    pub fn name(self) -> &'static str {
        match self {
            State::Waiting => "waiting",
            State::Running => "running",
            State::Done => "done",
            State::Failed => "failed",
        }
    }

    fn of(name: &str) -> Self {
        match name {
            "running" => State::Running,
            "done" => State::Done,
            "failed" => State::Failed,
            _ => State::Waiting,
        }
    }
}

/// What an input was when it was worked on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Identity {
    /// Bytes.
    pub size: u64,
    /// Last change in nanoseconds since 1970.
    pub mtime: i64,
    /// sha256 of the content, where that was asked for.
    pub hash: Option<String>,
}

/// A file that a job wrote, as it was when it was verified.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Written {
    /// Absolute.
    pub path: String,
    /// Bytes.
    pub size: u64,
    /// Last change in nanoseconds since 1970.
    pub mtime: i64,
}

impl Written {
    /// The file at `path` as it is now.
    pub fn now(path: &Path) -> Option<Self> {
        let m = fs::metadata(path).ok()?;
        Some(Written { path: path.display().to_string(), size: m.len(), mtime: mtime(&m) })
    }

    /// True while nobody touched it.
    pub fn stands(&self) -> bool {
        Written::now(Path::new(&self.path)).as_ref() == Some(self)
    }
}

/// Last change in nanoseconds since 1970.
pub fn mtime(m: &fs::Metadata) -> i64 {
    let at = m.modified().unwrap_or(UNIX_EPOCH);
    at.duration_since(UNIX_EPOCH).map_or(0, |d| d.as_nanos() as i64)
}

/// A row of the table `jobs`, without its thumbnails.
#[derive(Clone, Debug)]
#[allow(missing_docs)]
pub struct Entry {
    pub id: i64,
    /// Absolute path.
    pub input: PathBuf,
    /// By output of the configuration; empty where it writes no file of its own.
    pub outputs: Vec<PathBuf>,
    pub identity: Identity,
    /// Of the configuration.
    pub config: String,
    pub state: State,
    pub attempts: u32,
    pub pid: Option<u32>,
    pub started: Option<String>,
    pub ended: Option<String>,
    pub seconds: Option<f64>,
    pub frames_in: Option<u64>,
    pub frames_out: Option<u64>,
    pub video_seconds: Option<f64>,
    /// Largest resident size in bytes.
    pub memory: Option<u64>,
    pub written: Vec<Written>,
    /// The exit code that a run would have had.
    pub class: Option<i32>,
    pub error: Option<String>,
    pub fix: Option<String>,
    pub notices: Vec<String>,
}

/// How an attempt ended.
#[derive(Clone, Debug, Default)]
#[allow(missing_docs)]
pub struct Ended {
    pub seconds: f64,
    pub frames_in: Option<u64>,
    pub frames_out: Option<u64>,
    pub video_seconds: Option<f64>,
    pub memory: Option<u64>,
    pub written: Vec<Written>,
    pub failure: Option<Failure>,
    pub notices: Vec<String>,
    /// JPEG of an input picture, and of the same one in the output.
    pub thumbnails: [Option<Vec<u8>>; 2],
}

/// Opens the journal at `path` to look at it; it may be at work.
///
/// # Errors
/// There is no file, or it is no journal.
pub fn read(path: &Path) -> Result<Connection, Failure> {
    let shown = path.display();
    if !path.is_file() {
        return Err(Failure::input(format!("there is no journal {shown}"))
            .fix("a batch writes it beside its outputs, as in out/batch/journal.db"));
    }
    let open = || -> Sql<(Connection, i64)> {
        let db = crate::events::store::open(path)?;
        let tables = db.query_row(
            "SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name IN ('about', 'jobs', 'attempts')",
            [],
            |r| r.get(0),
        )?;
        Ok((db, tables))
    };
    match open() {
        Ok((db, 3)) => Ok(db),
        Ok(_) => Err(Failure::input(format!("{shown} is no journal of a batch"))),
        Err(e) => Err(Failure::input(format!("{shown} is no journal of a batch: {e}"))),
    }
}

/// What was noted about the batch.
pub fn get(db: &Connection, key: &str) -> Sql<Option<String>> {
    db.query_row("SELECT value FROM about WHERE key = ?1", [key], |r| r.get(0)).optional()
}

/// All jobs, in the order in which they came.
pub fn entries(db: &Connection) -> Sql<Vec<Entry>> {
    let mut all = db.prepare(
        "SELECT id, input, raw, outputs, size, mtime, hash, config, state, attempts, pid, started, ended, seconds,
         frames_in, frames_out, video_seconds, memory, written, class, error, fix, notices FROM jobs ORDER BY id",
    )?;
    all.query_map([], entry)?.collect()
}

/// The pictures of one job: before and after.
pub fn thumbnails(db: &Connection, job: i64) -> Sql<[Option<Vec<u8>>; 2]> {
    let mut ask = db.prepare_cached("SELECT before, after FROM jobs WHERE id = ?1")?;
    ask.query_row([job], |r| Ok([r.get(0)?, r.get(1)?]))
}

fn entry(r: &Row<'_>) -> Sql<Entry> {
    let raw: Option<Vec<u8>> = r.get("raw")?;
    let input: String = r.get("input")?;
    let list = |name: &str| -> Sql<String> { Ok(r.get::<_, Option<String>>(name)?.unwrap_or_default()) };
    let unsigned = |name: &str| -> Sql<Option<u64>> { Ok(r.get::<_, Option<i64>>(name)?.map(|n| n.max(0) as u64)) };
    Ok(Entry {
        id: r.get("id")?,
        input: raw.map_or_else(|| input.into(), |b| std::ffi::OsString::from_vec(b).into()),
        outputs: serde_json::from_str(&list("outputs")?).unwrap_or_default(),
        identity: Identity { size: unsigned("size")?.unwrap_or(0), mtime: r.get("mtime")?, hash: r.get("hash")? },
        config: r.get("config")?,
        state: State::of(&list("state")?),
        attempts: r.get("attempts")?,
        pid: r.get("pid")?,
        started: r.get("started")?,
        ended: r.get("ended")?,
        seconds: r.get("seconds")?,
        frames_in: unsigned("frames_in")?,
        frames_out: unsigned("frames_out")?,
        video_seconds: r.get("video_seconds")?,
        memory: unsigned("memory")?,
        written: serde_json::from_str(&list("written")?).unwrap_or_default(),
        class: r.get("class")?,
        error: r.get("error")?,
        fix: r.get("fix")?,
        notices: serde_json::from_str(&list("notices")?).unwrap_or_default(),
    })
}

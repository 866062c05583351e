//! The journal of a batch: every job, what became of it, and what it wrote. SQLite, whole after a kill or a power cut.

use std::collections::HashMap;
use std::fs::{self, File, TryLockError};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rusqlite::{Connection, OptionalExtension, Row, params};
use serde::{Deserialize, Serialize};

use super::pattern::readable;
use crate::events::schema::rfc3339;
use crate::failure::Failure;

/// Version of the tables (`PRAGMA user_version`).
const VERSION: i32 = 1;

/// `input` is what people read; `raw` is the name's bytes where they are no UTF-8. Times are RFC 3339 in UTC.
const TABLES: &str = "
CREATE TABLE IF NOT EXISTS about (key TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS jobs (
    id INTEGER PRIMARY KEY, input TEXT NOT NULL UNIQUE, raw BLOB, outputs TEXT NOT NULL,
    size INTEGER NOT NULL, mtime INTEGER NOT NULL, hash TEXT, config TEXT NOT NULL,
    state TEXT NOT NULL, attempts INTEGER NOT NULL DEFAULT 0, pid INTEGER, started TEXT, ended TEXT, seconds REAL,
    frames_in INTEGER, frames_out INTEGER, video_seconds REAL, memory INTEGER, written TEXT NOT NULL DEFAULT '[]',
    class INTEGER, error TEXT, fix TEXT, notices TEXT, before BLOB, after BLOB);
CREATE TABLE IF NOT EXISTS attempts (
    job INTEGER NOT NULL REFERENCES jobs, number INTEGER NOT NULL, pid INTEGER, started TEXT NOT NULL, ended TEXT,
    outcome TEXT, PRIMARY KEY (job, number));
CREATE INDEX IF NOT EXISTS jobs_by_state ON jobs (state);
";

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

/// The journal at work. Only one process at a time has it.
pub struct Journal {
    db: Connection,
    path: PathBuf,
    /// Held as long as this lives; gone with the process, however that ends.
    _lock: File,
}

type Sql<T> = rusqlite::Result<T>;

impl Journal {
    /// Opens or makes the journal at `path`, and the folder it is in.
    ///
    /// # Errors
    /// It cannot be written, another process has it, or it is no journal.
    pub fn open(path: &Path) -> Result<Self, Failure> {
        let cannot = |e: &dyn std::fmt::Display| {
            Failure::output(format!("cannot write the journal {}: {e}", path.display()))
                .fix("--journal FILE puts it somewhere else")
        };
        if let Some(folder) = path.parent().filter(|p| !p.as_os_str().is_empty()) {
            fs::create_dir_all(folder).map_err(|e| cannot(&e))?;
        }
        let mut name = path.as_os_str().to_owned();
        name.push(".lock");
        let lock = File::create(&name).map_err(|e| cannot(&e))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(Failure::output(format!("another batch is at work with the journal {}", path.display()))
                    .fix("wait for it, or give this one another: --journal FILE"));
            }
            Err(TryLockError::Error(e)) => {
                log::warn!("{} cannot be locked ({e}): see that no two batches use it", path.display())
            }
        }
        let open = || -> Sql<Connection> {
            let db = Connection::open(path)?;
            db.busy_timeout(Duration::from_secs(10))?;
            db.pragma_update_and_check(None, "journal_mode", "wal", |_| Ok(()))?;
            db.pragma_update(None, "synchronous", "normal")?;
            db.set_prepared_statement_cache_capacity(16);
            db.execute_batch(TABLES)?;
            db.pragma_update(None, "user_version", VERSION)?;
            Ok(db)
        };
        let db = open().map_err(|e| cannot(&e))?;
        Ok(Journal { db, path: path.to_owned(), _lock: lock })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn failed(&self, e: &rusqlite::Error) -> Failure {
        Failure::output(format!("cannot write the journal {}: {e}", self.path.display()))
    }

    /// Notes something about the batch as a whole.
    pub fn set(&self, key: &str, value: &str) -> Result<(), Failure> {
        let put = self.db.execute("INSERT OR REPLACE INTO about VALUES (?1, ?2)", [key, value]);
        put.map(drop).map_err(|e| self.failed(&e))
    }

    /// What was noted.
    pub fn get(&self, key: &str) -> Result<Option<String>, Failure> {
        get(&self.db, key).map_err(|e| self.failed(&e))
    }

    /// All jobs, by input.
    pub fn entries(&self) -> Result<HashMap<PathBuf, Entry>, Failure> {
        let all = entries(&self.db).map_err(|e| self.failed(&e))?;
        Ok(all.into_iter().map(|e| (e.input.clone(), e)).collect())
    }

    /// Adds jobs that are to be done, or makes them wait again with what they are now; answers with their numbers, in order.
    pub fn plan(&mut self, jobs: &[(&Path, &Identity, &[PathBuf])], config: &str) -> Result<Vec<i64>, Failure> {
        let mut put = || -> Sql<Vec<i64>> {
            let mut ids = Vec::with_capacity(jobs.len());
            let transaction = self.db.transaction()?;
            {
                let mut insert = transaction.prepare_cached(
                    "INSERT INTO jobs (input, raw, outputs, size, mtime, hash, config, state)
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, 'waiting')
                     ON CONFLICT (input) DO UPDATE SET outputs = ?3, size = ?4, mtime = ?5, hash = ?6, config = ?7, state = 'waiting'
                     RETURNING id",
                )?;
                for (input, identity, outputs) in jobs {
                    let bytes = input.as_os_str().as_bytes();
                    let raw = input.to_str().is_none().then_some(bytes);
                    let row = params![
                        readable(bytes),
                        raw,
                        json(outputs),
                        identity.size as i64,
                        identity.mtime,
                        identity.hash,
                        config
                    ];
                    ids.push(insert.query_row(row, |r| r.get(0))?);
                }
            }
            transaction.commit()?;
            Ok(ids)
        };
        put().map_err(|e| self.failed(&e))
    }

    /// An attempt begins. Answers with its number, from 1.
    pub fn begin(&self, job: i64, pid: u32) -> Result<u32, Failure> {
        let put = || -> Sql<u32> {
            let now = now();
            self.db
                .prepare_cached(
                    "UPDATE jobs SET state = 'running', pid = ?2, attempts = attempts + 1, started = ?3, ended = NULL,
                     seconds = NULL, class = NULL, error = NULL, fix = NULL WHERE id = ?1",
                )?
                .execute(params![job, pid, now])?;
            let number = self.db.query_row("SELECT attempts FROM jobs WHERE id = ?1", [job], |r| r.get(0))?;
            self.db
                .prepare_cached("INSERT OR REPLACE INTO attempts (job, number, pid, started) VALUES (?1, ?2, ?3, ?4)")?
                .execute(params![job, number, pid, now])?;
            Ok(number)
        };
        put().map_err(|e| self.failed(&e))
    }

    /// An attempt is over; `state` is where that leaves the job.
    pub fn end(&mut self, job: i64, state: State, ended: &Ended) -> Result<(), Failure> {
        let mut put = || -> Sql<()> {
            let failure = ended.failure.as_ref();
            let outcome = failure.map_or("done", |f| f.message.as_str());
            let now = now();
            let transaction = self.db.transaction()?;
            transaction
                .prepare_cached(
                    "UPDATE jobs SET state = ?2, pid = NULL, ended = ?3, seconds = ?4, frames_in = ?5, frames_out = ?6,
                     video_seconds = ?7, memory = ?8, written = ?9, class = ?10, error = ?11, fix = ?12, notices = ?13,
                     before = ?14, after = ?15 WHERE id = ?1",
                )?
                .execute(params![
                    job,
                    state.name(),
                    now,
                    ended.seconds,
                    ended.frames_in.map(|n| n as i64),
                    ended.frames_out.map(|n| n as i64),
                    ended.video_seconds,
                    ended.memory.map(|n| n as i64),
                    json(&ended.written),
                    failure.map(|f| f.class as i32),
                    failure.map(|f| &f.message),
                    failure.and_then(|f| f.fix.as_ref()),
                    json(&ended.notices),
                    ended.thumbnails[0],
                    ended.thumbnails[1],
                ])?;
            transaction
                .prepare_cached(
                    "UPDATE attempts SET ended = ?2, outcome = ?3
                     WHERE job = ?1 AND number = (SELECT attempts FROM jobs WHERE id = ?1)",
                )?
                .execute(params![job, now, outcome])?;
            transaction.commit()
        };
        put().map_err(|e| self.failed(&e))
    }

    /// Takes over from `other` every job that is not here, or that got further there. Answers with how many.
    pub fn merge(&mut self, other: &Path) -> Result<usize, Failure> {
        read(other)?;
        let shown = other.display().to_string();
        let mut take = || -> Sql<usize> {
            self.db.execute("ATTACH ?1 AS other", [&shown])?;
            let transaction = self.db.transaction()?;
            // Done is better than failed, that better than waiting; of two equal ones the newer counts.
            let rank = |t: &str| format!("CASE {t}.state WHEN 'done' THEN 2 WHEN 'failed' THEN 1 ELSE 0 END");
            transaction.execute_batch(&format!(
                "DELETE FROM jobs WHERE EXISTS (SELECT 1 FROM other.jobs o WHERE o.input = jobs.input AND
                 ({}, coalesce(o.ended, '')) > ({}, coalesce(jobs.ended, '')));
                 DELETE FROM attempts WHERE job NOT IN (SELECT id FROM jobs);",
                rank("o"),
                rank("jobs"),
            ))?;
            let columns =
                "input, raw, outputs, size, mtime, hash, config, state, attempts, pid, started, ended, seconds,
                frames_in, frames_out, video_seconds, memory, written, class, error, fix, notices, before, after";
            let n = transaction.execute(
                &format!(
                    "INSERT INTO jobs ({columns}) SELECT {columns} FROM other.jobs
                     WHERE input NOT IN (SELECT input FROM jobs) ORDER BY id"
                ),
                [],
            )?;
            transaction.execute_batch(
                "INSERT OR IGNORE INTO attempts SELECT j.id, a.number, a.pid, a.started, a.ended, a.outcome
                 FROM other.attempts a JOIN other.jobs o ON o.id = a.job JOIN jobs j ON j.input = o.input;
                 INSERT OR IGNORE INTO about SELECT key, value FROM other.about;",
            )?;
            transaction.commit()?;
            self.db.execute("DETACH other", [])?;
            Ok(n)
        };
        take().map_err(|e| Failure::failed(format!("cannot merge {shown}: {e}")))
    }
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

fn json(value: &(impl Serialize + ?Sized)) -> String {
    serde_json::to_string(value).unwrap_or_else(|_| "[]".into())
}

fn now() -> String {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    rfc3339(since.as_nanos() as i64)
}

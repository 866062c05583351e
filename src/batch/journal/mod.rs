//! The journal of a batch: every job, what became of it, and what it wrote. SQLite, whole after a kill or a power cut.

mod entry;

use std::collections::HashMap;
use std::fs::{self, File, TryLockError};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rusqlite::{Connection, ErrorCode, params};
use serde::Serialize;

use super::pattern::readable;
use crate::control::Control;
use crate::events::schema::rfc3339;
use crate::failure::Failure;
use crate::term::say;

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

/// The journal at work. Only one process at a time has it.
pub struct Journal {
    db: Connection,
    path: PathBuf,
    /// Who asks to stop does not wait for room on the disk.
    control: Control,
    /// Held as long as this lives; gone with the process, however that ends.
    _lock: File,
}

pub use entry::{Ended, Entry, Identity, State, Written, entries, get, mtime, read, thumbnails};

type Sql<T> = rusqlite::Result<T>;

impl Journal {
    /// Opens or makes the journal at `path`, and the folder it is in.
    ///
    /// # Errors
    /// It cannot be written, another process has it, or it is no journal.
    pub fn open(path: &Path, control: &Control) -> Result<Self, Failure> {
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
        Ok(Journal { db, path: path.to_owned(), control: control.clone(), _lock: lock })
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
        self.put(|db| {
            let mut ids = Vec::with_capacity(jobs.len());
            let transaction = db.transaction()?;
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
        })
    }

    /// Writes, and waits while the disk has no room for a few lines: what is known must not get lost.
    fn put<T>(&mut self, mut write: impl FnMut(&mut Connection) -> Sql<T>) -> Result<T, Failure> {
        let mut told = false;
        loop {
            match write(&mut self.db) {
                Err(e) if e.sqlite_error_code() == Some(ErrorCode::DiskFull) && !self.control.stopping() => {
                    if !std::mem::replace(&mut told, true) {
                        let shown = self.path.display();
                        say!(
                            "paused: the disk is full, and the journal {shown} cannot be written; it goes on by itself when there is room"
                        );
                    }
                    std::thread::sleep(Duration::from_millis(500));
                }
                result => return result.map_err(|e| self.failed(&e)),
            }
        }
    }

    /// An attempt begins. Answers with its number, from 1.
    pub fn begin(&mut self, job: i64, pid: u32) -> Result<u32, Failure> {
        self.put(|db| {
            let now = now();
            let transaction = db.transaction()?;
            transaction
                .prepare_cached(
                    "UPDATE jobs SET state = 'running', pid = ?2, attempts = attempts + 1, started = ?3, ended = NULL,
                     seconds = NULL, class = NULL, error = NULL, fix = NULL WHERE id = ?1",
                )?
                .execute(params![job, pid, now])?;
            let number = transaction.query_row("SELECT attempts FROM jobs WHERE id = ?1", [job], |r| r.get(0))?;
            transaction
                .prepare_cached("INSERT OR REPLACE INTO attempts (job, number, pid, started) VALUES (?1, ?2, ?3, ?4)")?
                .execute(params![job, number, pid, now])?;
            transaction.commit()?;
            Ok(number)
        })
    }

    /// An attempt is over; `state` is where that leaves the job.
    pub fn end(&mut self, job: i64, state: State, ended: &Ended) -> Result<(), Failure> {
        self.put(|db| {
            let failure = ended.failure.as_ref();
            let outcome = failure.map_or("done", |f| f.message.as_str());
            let now = now();
            let transaction = db.transaction()?;
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
        })
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

fn json(value: &(impl Serialize + ?Sized)) -> String {
    serde_json::to_string(value).unwrap_or_else(|_| "[]".into())
}

fn now() -> String {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    rfc3339(since.as_nanos() as i64)
}

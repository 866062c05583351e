//! The SQLite form: the tables of a database of runs, and how they are filled.

use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, params};

use super::schema::{EventLine, FrameLine, ValuePart, rfc3339};

/// Version of the tables (`PRAGMA user_version`); it changes when a column changes its meaning or goes.
pub const VERSION: i32 = 1;

/// Times are those of the source in seconds and nanoseconds; `wall` is RFC 3339 in UTC where the source was live.
const TABLES: &str = "
CREATE TABLE IF NOT EXISTS runs (
    number INTEGER PRIMARY KEY, run TEXT NOT NULL UNIQUE, stream TEXT NOT NULL, live INTEGER, width INTEGER, height INTEGER,
    program TEXT, started TEXT, ended TEXT);
CREATE TABLE IF NOT EXISTS frames (
    run INTEGER NOT NULL REFERENCES runs, frame INTEGER NOT NULL, seconds REAL NOT NULL, ns INTEGER NOT NULL, wall TEXT,
    looked TEXT, counters TEXT, detections INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS detections (
    run INTEGER NOT NULL REFERENCES runs, frame INTEGER NOT NULL, seconds REAL NOT NULL, ns INTEGER NOT NULL,
    detector TEXT, label TEXT, class INTEGER, score REAL, x REAL, y REAL, w REAL, h REAL,
    track INTEGER, predicted INTEGER, parent INTEGER, text TEXT);
CREATE TABLE IF NOT EXISTS events (
    id TEXT PRIMARY KEY, run INTEGER NOT NULL REFERENCES runs, seq INTEGER NOT NULL, kind TEXT NOT NULL, name TEXT NOT NULL,
    frame INTEGER NOT NULL, seconds REAL NOT NULL, ns INTEGER NOT NULL, wall TEXT,
    track INTEGER, label TEXT, class INTEGER, score REAL, x REAL, y REAL, w REAL, h REAL,
    direction TEXT, duration REAL, count REAL, speed REAL, data TEXT);
CREATE INDEX IF NOT EXISTS frames_by_number ON frames (run, frame);
CREATE INDEX IF NOT EXISTS detections_by_frame ON detections (run, frame);
CREATE INDEX IF NOT EXISTS events_by_kind ON events (kind, name, ns);
CREATE INDEX IF NOT EXISTS events_by_time ON events (run, ns);
";

/// A database being filled.
pub struct Store {
    db: Connection,
    /// Number of the run that is being written.
    run: i64,
    /// Rows in the transaction that is open.
    pending: u64,
    rows: u64,
}

/// The run that a store is filled by.
pub struct About<'a> {
    /// Its id.
    pub run: &'a str,
    /// Name of the source.
    pub stream: &'a str,
    /// Whether the source is live.
    pub live: bool,
    /// Width and height of the pictures.
    pub size: [u32; 2],
    /// When it began, in nanoseconds since 1970, where that is known.
    pub started: Option<i64>,
}

impl Store {
    /// Opens or makes the database at `path`, in a way that others can read it while it is written.
    pub fn create(path: &Path) -> rusqlite::Result<Self> {
        let db = Connection::open(path)?;
        db.busy_timeout(Duration::from_secs(10))?;
        // The log holds what was committed even after a kill; a power cut may cost the last transactions, not the file.
        db.pragma_update_and_check(None, "journal_mode", "wal", |_| Ok(()))?;
        db.pragma_update(None, "synchronous", "normal")?;
        Store::fill(db)
    }

    /// A database that is gone when it is closed.
    pub fn in_memory() -> rusqlite::Result<Self> {
        Store::fill(Connection::open_in_memory()?)
    }

    fn fill(db: Connection) -> rusqlite::Result<Self> {
        db.set_prepared_statement_cache_capacity(16);
        db.execute_batch(TABLES)?;
        db.pragma_update(None, "user_version", VERSION)?;
        Ok(Store { db, run: 0, pending: 0, rows: 0 })
    }

    /// What is written from here on belongs to this run.
    pub fn begin(&mut self, about: &About<'_>) -> rusqlite::Result<()> {
        self.db.execute(
            "INSERT INTO runs (run, stream, live, width, height, program, started) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
             ON CONFLICT (run) DO UPDATE SET ended = NULL",
            params![
                about.run,
                about.stream,
                about.live,
                about.size[0],
                about.size[1],
                concat!("framewright ", env!("CARGO_PKG_VERSION")),
                about.started.map(rfc3339)
            ],
        )?;
        self.run = self.db.query_row("SELECT number FROM runs WHERE run = ?1", [about.run], |r| r.get(0))?;
        Ok(())
    }

    fn row(&mut self) -> rusqlite::Result<()> {
        if self.pending == 0 {
            self.db.execute_batch("BEGIN")?;
        }
        self.pending += 1;
        self.rows += 1;
        Ok(())
    }

    /// Adds a picture and what was seen in it.
    pub fn frame(&mut self, line: &FrameLine<'_>) -> rusqlite::Result<()> {
        self.row()?;
        let counters = (!line.counters.is_empty()).then(|| serde_json::to_string(&line.counters).unwrap_or_default());
        self.db.prepare_cached("INSERT INTO frames VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)")?.execute(params![
            self.run,
            line.frame as i64,
            line.seconds,
            line.ns as i64,
            line.wall,
            line.looked.join(","),
            counters,
            line.detections.len() as i64
        ])?;
        for d in &line.detections {
            self.row()?;
            self.db
                .prepare_cached(
                    "INSERT INTO detections VALUES (?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,?13,?14,?15,?16)",
                )?
                .execute(params![
                    self.run,
                    line.frame as i64,
                    line.seconds,
                    line.ns as i64,
                    d.detector,
                    d.label,
                    d.class,
                    d.score,
                    d.rect[0],
                    d.rect[1],
                    d.rect[2],
                    d.rect[3],
                    d.track,
                    d.predicted,
                    d.parent,
                    d.text
                ])?;
        }
        Ok(())
    }

    /// Adds an event; one whose id is there already is passed over.
    pub fn event(&mut self, e: &EventLine<'_>) -> rusqlite::Result<()> {
        self.row()?;
        let number = |key: &str| match e.values.get(key) {
            Some(ValuePart::Number(n)) => Some(*n),
            _ => None,
        };
        let direction = match e.values.get("direction") {
            Some(ValuePart::Text(t)) => Some(t.as_ref()),
            _ => None,
        };
        let data = (!e.values.is_empty()).then(|| serde_json::to_string(&e.values).unwrap_or_default());
        let side = |i: usize| e.rect.map(|r| r[i]);
        self.db
            .prepare_cached(
                "INSERT OR IGNORE INTO events VALUES
                 (?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,?13,?14,?15,?16,?17,?18,?19,?20,?21,?22)",
            )?
            .execute(params![
                e.id,
                self.run,
                e.seq as i64,
                e.kind.name(),
                e.name,
                e.frame as i64,
                e.seconds,
                e.ns as i64,
                e.wall,
                e.track,
                e.label,
                e.class,
                e.score,
                side(0),
                side(1),
                side(2),
                side(3),
                direction,
                number("seconds"),
                number("count"),
                number("speed"),
                data
            ])?;
        Ok(())
    }

    /// Rows that a kill would cost now.
    pub fn pending(&self) -> u64 {
        self.pending
    }

    /// Rows written so far.
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// Makes everything so far last, and visible to others.
    pub fn commit(&mut self) -> rusqlite::Result<()> {
        if self.pending > 0 {
            self.db.execute_batch("COMMIT")?;
            self.pending = 0;
        }
        Ok(())
    }

    /// Notes the end of the run and leaves one file: the log goes into it, unless somebody reads just now.
    pub fn end(&mut self, now: i64) -> rusqlite::Result<()> {
        self.commit()?;
        self.db.execute("UPDATE runs SET ended = ?1 WHERE number = ?2", params![rfc3339(now), self.run])?;
        self.db.busy_timeout(Duration::from_millis(500))?;
        if self.db.pragma_update_and_check(None, "journal_mode", "delete", |_| Ok(())).is_err() {
            log::info!("somebody reads the database: its log stays beside it for now");
        }
        Ok(())
    }

    /// The database, for questions.
    pub fn into_db(mut self) -> rusqlite::Result<Connection> {
        self.commit()?;
        self.db.pragma_update(None, "query_only", true)?;
        Ok(self.db)
    }
}

/// Moves the runs of the database at `part` into the one at `whole`, in place of runs of the same ids there; their stream is
/// called `stream`. All of it or nothing.
pub fn gather(whole: &Path, part: &Path, stream: &str) -> rusqlite::Result<()> {
    let mut store = Store::create(whole)?;
    store.db.execute("ATTACH ?1 AS part", [part.to_string_lossy()])?;
    let transaction = store.db.transaction()?;
    let again = "SELECT number FROM runs WHERE run IN (SELECT run FROM part.runs)";
    for table in ["frames", "detections", "events"] {
        transaction.execute(&format!("DELETE FROM {table} WHERE run IN ({again})"), [])?;
    }
    transaction.execute(&format!("DELETE FROM runs WHERE number IN ({again})"), [])?;
    transaction.execute(
        "INSERT INTO runs (run, stream, live, width, height, program, started, ended)
         SELECT run, ?1, live, width, height, program, started, ended FROM part.runs",
        [stream],
    )?;
    for table in ["frames", "detections", "events"] {
        // The run's number differs from database to database.
        let columns: Vec<String> = {
            let mut info = transaction.prepare(&format!("SELECT name FROM pragma_table_info('{table}')"))?;
            info.query_map([], |r| r.get(0))?.collect::<rusqlite::Result<_>>()?
        };
        let own: Vec<String> =
            columns.iter().map(|c| if c == "run" { "m.number".to_owned() } else { format!("t.{c}") }).collect();
        transaction.execute(
            &format!(
                "INSERT INTO {table} ({}) SELECT {} FROM part.{table} t JOIN part.runs p ON p.number = t.run
                 JOIN main.runs m ON m.run = p.run ORDER BY t.rowid",
                columns.join(", "),
                own.join(", ")
            ),
            [],
        )?;
    }
    transaction.commit()
}

/// Opens a database to ask it, not to change it.
pub fn open(path: &Path) -> rusqlite::Result<Connection> {
    let db = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    db.busy_timeout(Duration::from_secs(10))?;
    db.pragma_update(None, "query_only", true)?;
    Ok(db)
}

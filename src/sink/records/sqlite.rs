//! SQLite: written in its place and whole at each commit, so that others can ask it while it is written.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use super::{Delivery, End, Scribe, Sink, Site};
use crate::config::SinkSettings;
use crate::events::store::{About, Store};
use crate::failure::Failure;
use crate::vision::event::Event;

/// How long rows wait in a transaction, and how many do.
const COMMIT: Duration = Duration::from_millis(500);
const MOST: u64 = 20_000;

/// A database being filled. Its writer thread is the only one that writes.
pub struct SqliteSink {
    store: Store,
    path: PathBuf,
    scribe: Scribe,
    committed: Instant,
}

impl SqliteSink {
    /// Makes the database, or adds a run to one that is there.
    pub fn open(settings: &SinkSettings, site: &Site<'_>) -> Result<Self, Failure> {
        let path = settings.path.clone().unwrap_or_default();
        let cannot = |e: &dyn std::fmt::Display| Failure::output(format!("cannot write {}: {e}", path.display()));
        if settings.overwrite && !settings.append {
            for end in ["", "-wal", "-shm"] {
                let mut name = path.clone().into_os_string();
                name.push(end);
                match fs::remove_file(&name) {
                    Err(e) if e.kind() != std::io::ErrorKind::NotFound => return Err(cannot(&e)),
                    _ => {}
                }
            }
        }
        let scribe = Scribe::new(settings, site);
        let about = About {
            run: &scribe.run.id,
            stream: &scribe.stream,
            live: scribe.run.live,
            size: [scribe.size.0, scribe.size.1],
            started: Some(now()),
        };
        let begun = Store::create(&path).and_then(|mut s| s.begin(&about).map(|()| s));
        let store = begun.map_err(|e| cannot(&e))?;
        Ok(SqliteSink { store, path, scribe, committed: Instant::now() })
    }

    fn put(&mut self, picture: &Delivery) -> rusqlite::Result<()> {
        if let Some(seen) = self.scribe.seen(picture) {
            self.store.frame(&seen.line())?;
        }
        for event in self.scribe.happened(picture) {
            self.store.event(&event)?;
        }
        self.commit_now_and_then()
    }

    fn commit_now_and_then(&mut self) -> rusqlite::Result<()> {
        if self.committed.elapsed() > COMMIT || self.store.pending() > MOST {
            self.store.commit()?;
            self.committed = Instant::now();
        }
        Ok(())
    }

    fn unwritable(&self, e: &rusqlite::Error) -> Failure {
        Failure::output(format!("cannot write {}: {e}", self.path.display()))
            .fix("what was written so far is in it; a disk that is full, or another program that holds it?")
    }
}

fn now() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos() as i64
}

fn size(path: &Path) -> u64 {
    fs::metadata(path).map_or(0, |m| m.len())
}

impl Sink for SqliteSink {
    fn write(&mut self, picture: &Delivery) -> Result<(), Failure> {
        self.put(picture).map_err(|e| self.unwritable(&e))
    }

    fn idle(&mut self) -> Result<(), Failure> {
        self.commit_now_and_then().map_err(|e| self.unwritable(&e))
    }

    fn last_events(&mut self, events: &[Event]) -> Result<(), Failure> {
        let SqliteSink { store, scribe, .. } = self;
        let put = scribe.events(events).try_for_each(|e| store.event(&e));
        put.map_err(|e| self.unwritable(&e))
    }

    fn finish(&mut self, _: End) -> Result<(), Failure> {
        self.store.end(now()).map_err(|e| self.unwritable(&e))
    }

    fn detail(&self) -> String {
        format!("{} rows", self.store.rows())
    }

    fn bytes(&self) -> u64 {
        size(&self.path)
    }
}

//! What leaves the program about pictures and events: who made it, in which form, and how one asks for it later.

pub mod query;
pub mod schema;
pub mod store;

use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use crate::vision::event::Event;

/// One run of the program, as its events name it.
#[derive(Clone, Debug)]
pub struct Run {
    /// Unique among all runs; with an event's number it makes the event's id.
    pub id: Arc<str>,
    /// True when frames come as the world makes them, so that the time of day means something.
    pub live: bool,
    /// One moment on both clocks.
    clock: (Instant, i64),
}

impl Run {
    /// A run that begins now; without an `id` it gets one from the time and chance, 13 characters that sort by time.
    pub fn new(id: Option<&str>, live: bool) -> Self {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        // The hasher's keys come from the system's random numbers.
        let chance = RandomState::new().hash_one(std::process::id()) as u32;
        let id = match id {
            Some(id) => id.into(),
            None => {
                let bytes = ((now.as_secs() << 32) | u64::from(chance)).to_be_bytes();
                data_encoding::BASE32HEX_NOPAD.encode(&bytes).to_ascii_lowercase().into()
            }
        };
        Run { id, live, clock: (Instant::now(), now.as_nanos() as i64) }
    }

    /// Whether `id` can be part of ids: what is left is safe in file names, topics and SQL.
    pub fn check(id: &str) -> Result<(), String> {
        let fine = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '.';
        match !id.is_empty() && id.len() <= 64 && id.chars().all(fine) {
            true => Ok(()),
            false => Err(format!("run id `{id}`: 1 to 64 letters, digits, `_` and `.` are allowed")),
        }
    }

    /// Nanoseconds since 1970 at `moment`, where the source is live.
    pub fn wall(&self, moment: Instant) -> Option<i64> {
        let (then, at) = self.clock;
        let since = match moment.checked_duration_since(then) {
            Some(d) => d.as_nanos() as i64,
            None => -(then.duration_since(moment).as_nanos() as i64),
        };
        self.live.then_some(at + since)
    }
}

/// Gives events their numbers, in the order in which they leave the ops.
#[derive(Debug)]
pub struct Numbering {
    run: Arc<Run>,
    last: u64,
    /// Source time of the newest picture and when it arrived.
    newest: (u64, Option<i64>),
}

impl Numbering {
    /// From 1 on.
    pub fn new(run: Arc<Run>) -> Self {
        Numbering { run, last: 0, newest: (0, None) }
    }

    /// Numbers the events of a picture at `position` (nanoseconds of the source) that arrived then.
    pub fn picture(&mut self, events: &mut [Event], position: u64, arrived: Instant) {
        self.newest = (position, self.run.wall(arrived));
        self.number(events);
    }

    /// Numbers more events, told at the newest picture: those of the stream's end.
    pub fn number(&mut self, events: &mut [Event]) {
        let (position, wall) = self.newest;
        for event in events {
            self.last += 1;
            event.seq = self.last;
            // What is told late happened as much earlier as its picture was.
            event.wall = wall.map(|w| w - position.saturating_sub(event.position) as i64);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::vision::event::Kind;

    #[test]
    fn run_ids_differ_sort_by_time_and_are_safe() {
        let (a, b) = (Run::new(None, false), Run::new(None, false));
        assert_ne!(a.id, b.id);
        assert_eq!((a.id.len(), &a.id[..5]), (13, &b.id[..5]));
        Run::check(&a.id).unwrap();
        for bad in ["", "a-b", "a/b", "a b", "é"] {
            assert!(Run::check(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn numbers_rise_and_late_news_are_dated_back() {
        let run = Arc::new(Run::new(Some("r"), true));
        let (at, mut numbering) = (Instant::now(), Numbering::new(run.clone()));
        let event = |at| Event::new(Kind::Cut, &"x".into(), 0, at);
        let mut first = [event(1_000), event(400)];
        numbering.picture(&mut first, 1_000, at);
        let mut last = [event(1_000)];
        numbering.number(&mut last);
        assert_eq!(first.iter().chain(&last).map(|e| e.seq).collect::<Vec<_>>(), [1, 2, 3]);
        let wall = run.wall(at).unwrap();
        assert_eq!((first[0].wall, first[1].wall), (Some(wall), Some(wall - 600)));
        assert_eq!(run.wall(at + Duration::from_secs(1)), Some(wall + 1_000_000_000));
        assert_eq!(Run::new(None, false).wall(at), None);
    }
}

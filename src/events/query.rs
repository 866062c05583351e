//! The common questions about a file of events, and any other in SQL. Files of lines are read into a database first.

use std::io::{BufRead, BufReader};
use std::path::Path;

use rusqlite::Connection;
use rusqlite::types::Value;

use super::schema::{EventLine, FrameLine};
use super::store::{self, About, Store};
use crate::failure::Failure;

/// One answer.
#[derive(Clone, Debug)]
pub struct Answer {
    /// What was asked, for people.
    pub title: &'static str,
    /// Names of the columns.
    pub columns: Vec<String>,
    /// The rows.
    pub rows: Vec<Vec<Value>>,
}

/// Questions: title and SQL. Those without an answer are left out of the summary.
const QUESTIONS: [(&str, &str); 8] = [
    (
        "runs",
        "SELECT run, stream, started, ended, round((SELECT max(s) FROM (SELECT max(seconds) AS s FROM frames f WHERE f.run = number
           UNION ALL SELECT max(seconds) FROM events e WHERE e.run = number)), 3) AS seconds,
         (SELECT count(*) FROM frames f WHERE f.run = number) AS frames,
         (SELECT count(*) FROM detections d WHERE d.run = number) AS detections,
         (SELECT count(*) FROM events e WHERE e.run = number) AS events FROM runs ORDER BY number",
    ),
    (
        "events by kind",
        "SELECT kind, name, count(*) AS count, round(min(seconds), 3) AS first, round(max(seconds), 3) AS last
         FROM events GROUP BY kind, name ORDER BY kind, count DESC, name",
    ),
    (
        "crossings by line",
        "SELECT name AS line, coalesce(label, '') AS label, sum(direction = 'in') AS 'in', sum(direction = 'out') AS out
         FROM events WHERE kind = 'line.crossed' GROUP BY name, label ORDER BY name, label",
    ),
    (
        // The busiest first.
        "zones, the busiest first",
        "SELECT name AS zone, sum(kind = 'zone.entered') AS entered, sum(kind = 'zone.left') AS left,
         sum(kind = 'zone.dwelt') AS dwelt, sum(kind = 'crowding.started') AS crowded FROM events
         WHERE kind LIKE 'zone.%' OR kind LIKE 'crowding.%' GROUP BY name ORDER BY entered DESC, name",
    ),
    (
        "time in zones, seconds",
        "WITH d AS (SELECT name, duration, row_number() OVER w AS i, count(*) OVER (PARTITION BY name) AS n FROM events
           WHERE kind = 'zone.left' AND duration IS NOT NULL WINDOW w AS (PARTITION BY name ORDER BY duration))
         SELECT name AS zone, n AS visits, round(avg(duration), 3) AS mean,
         round(avg(CASE WHEN i IN ((n + 1) / 2, (n + 2) / 2) THEN duration END), 3) AS median,
         round(max(duration), 3) AS max FROM d GROUP BY name ORDER BY visits DESC, name",
    ),
    (
        "what lasted, seconds",
        "SELECT kind, name, count(*) AS count, round(sum(duration), 3) AS total, round(avg(duration), 3) AS mean,
         round(max(duration), 3) AS max FROM events WHERE duration IS NOT NULL AND kind NOT LIKE 'zone.%'
         GROUP BY kind, name ORDER BY kind, name",
    ),
    (
        "events by hour",
        "SELECT coalesce(substr(wall, 1, 13) || ':00Z', printf('%02d:00', ns / 3600000000000)) AS hour, kind, name,
         coalesce(direction, '') AS direction, count(*) AS count
         FROM events GROUP BY hour, kind, name, direction ORDER BY hour, kind, name, direction",
    ),
    (
        "detections by label",
        "SELECT label, count(*) AS detections, count(DISTINCT run || ' ' || frame) AS frames,
         count(DISTINCT run || ' ' || track) AS tracks, round(avg(score), 3) AS score
         FROM detections GROUP BY label ORDER BY detections DESC, label",
    ),
];

/// What [`all`] asks.
const EVENTS: &str =
    "SELECT e.id, r.stream, e.kind, e.name, e.frame, e.seconds, e.wall, e.track, e.label, e.class, e.score, e.x,
    e.y, e.w, e.h, e.data FROM events e JOIN runs r ON r.number = e.run ORDER BY e.run, e.seq";

/// Opens what a run wrote: a database, or lines of JSON.
pub fn open(path: &Path) -> Result<Connection, Failure> {
    let extension = path.extension().map(|e| e.to_string_lossy().to_ascii_lowercase()).unwrap_or_default();
    let cannot = |why: &dyn std::fmt::Display| Failure::input(format!("cannot read {}: {why}", path.display()));
    std::fs::metadata(path).map_err(|e| cannot(&e))?;
    match extension.as_str() {
        "db" | "sqlite" | "sqlite3" => {
            let db = store::open(path).map_err(|e| cannot(&e))?;
            let version = db.query_row("PRAGMA user_version", [], |r| r.get::<_, i32>(0)).map_err(|e| cannot(&e))?;
            match version {
                store::VERSION => Ok(db),
                0 => Err(cannot(&"it is no database of framewright")),
                v => Err(cannot(&format!("its tables are of version {v}, and this program knows {}", store::VERSION))),
            }
        }
        "jsonl" => lines(path),
        _ => Err(Failure::usage(format!("{} is neither .db nor .jsonl", path.display()))
            .fix("give what a run wrote with -o FILE.db or -o FILE.jsonl")),
    }
}

/// What a line says of itself.
#[derive(serde::Deserialize)]
struct Head {
    #[serde(rename = "type")]
    kind: String,
}

fn lines(path: &Path) -> Result<Connection, Failure> {
    let cannot = |why: &dyn std::fmt::Display| Failure::input(format!("cannot read {}: {why}", path.display()));
    let mut input = BufReader::new(std::fs::File::open(path).map_err(|e| cannot(&e))?);
    let mut store = Store::in_memory().map_err(|e| cannot(&e))?;
    let (mut line, mut number, mut run) = (Vec::new(), 0u64, String::new());
    loop {
        line.clear();
        if input.read_until(b'\n', &mut line).map_err(|e| cannot(&e))? == 0 {
            break;
        }
        number += 1;
        if line.trim_ascii().is_empty() {
            continue;
        }
        let whole = line.ends_with(b"\n");
        let mut add = || -> Result<(), String> {
            let head: Head = serde_json::from_slice(&line).map_err(|e| e.to_string())?;
            let mut belongs = |store: &mut Store, id: &str, stream: &str, size| {
                if id != run || number == 1 {
                    run = id.to_owned();
                    store.begin(&About { run: id, stream, live: false, size, started: None })?;
                }
                Ok::<_, rusqlite::Error>(())
            };
            match head.kind.as_str() {
                "frame" => {
                    let f: FrameLine<'_> = serde_json::from_slice(&line).map_err(|e| e.to_string())?;
                    belongs(&mut store, &f.run, &f.stream, f.size).map_err(|e| e.to_string())?;
                    store.frame(&f).map_err(|e| e.to_string())
                }
                "event" => {
                    let e: EventLine<'_> = serde_json::from_slice(&line).map_err(|e| e.to_string())?;
                    belongs(&mut store, &e.run, &e.stream, [0, 0]).map_err(|e| e.to_string())?;
                    store.event(&e).map_err(|e| e.to_string())
                }
                other => Err(format!("a line of type `{other}` is none of framewright's")),
            }
        };
        match add() {
            Ok(()) => {}
            // What a killed run was just writing.
            Err(_) if !whole => log::warn!("{}: the last line is not whole and is left out", path.display()),
            Err(why) => return Err(cannot(&format!("line {number}: {why}"))),
        }
    }
    store.into_db().map_err(|e| cannot(&e))
}

/// Asks in SQL. What would change the file is refused.
pub fn sql(db: &Connection, sql: &str) -> Result<Answer, Failure> {
    let wrong = |e: &dyn std::fmt::Display| Failure::usage(format!("--sql: {e}"));
    let mut statement = db
        .prepare(sql)
        .map_err(|e| wrong(&e).fix("tables: runs, frames, detections, events; docs/events.md lists their columns"))?;
    if !statement.readonly() || statement.column_count() == 0 {
        return Err(wrong(&"only questions are allowed, as in SELECT kind, count(*) FROM events GROUP BY kind"));
    }
    let columns: Vec<String> = statement.column_names().into_iter().map(str::to_owned).collect();
    let n = columns.len();
    let rows = statement.query_map([], |r| (0..n).map(|i| r.get::<_, Value>(i)).collect());
    let rows = rows.and_then(Iterator::collect).map_err(|e| wrong(&e))?;
    Ok(Answer { title: "", columns, rows })
}

/// Every event in order.
pub fn all(db: &Connection) -> Result<Answer, Failure> {
    sql(db, EVENTS)
}

/// The common questions that have an answer.
pub fn summary(db: &Connection) -> Result<Vec<Answer>, Failure> {
    let mut answers = Vec::new();
    for (title, question) in QUESTIONS {
        let answer = Answer { title, ..sql(db, question)? };
        if !answer.rows.is_empty() {
            answers.push(answer);
        }
    }
    Ok(answers)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::events::Run;
    use crate::events::schema::Writer;
    use crate::vision::event::{Event, Kind};

    fn cells(answers: &[Answer], title: &str) -> Vec<String> {
        let shown = |v: &Value| match v {
            Value::Null => String::new(),
            Value::Integer(n) => n.to_string(),
            Value::Real(n) => n.to_string(),
            Value::Text(t) => t.clone(),
            Value::Blob(_) => "?".into(),
        };
        let answer = answers.iter().find(|a| a.title == title).unwrap();
        answer.rows.iter().map(|r| r.iter().map(shown).collect::<Vec<_>>().join(" ")).collect()
    }

    #[test]
    fn the_common_questions() {
        let run = Run::new(Some("r"), false);
        let writer = Writer { run: &run, stream: "gate.mp4", size: (100, 100) };
        let mut store = Store::in_memory().unwrap();
        store.begin(&About { run: "r", stream: "gate.mp4", live: false, size: [100, 100], started: None }).unwrap();
        let (gate, hall): (Arc<str>, Arc<str>) = ("gate".into(), "hall".into());
        let at = |kind, name, seconds: u64| Event::new(kind, name, seconds, seconds * 1_000_000_000);
        let mut events = vec![
            at(Kind::LineCrossed, &gate, 10).text("direction", "in"),
            at(Kind::LineCrossed, &gate, 20).text("direction", "in"),
            at(Kind::LineCrossed, &gate, 4000).text("direction", "out"),
            at(Kind::ZoneEntered, &hall, 11),
        ];
        for (t, seconds) in [(30, 1.0), (40, 2.0), (50, 4.0), (60, 9.0)] {
            events.push(at(Kind::ZoneLeft, &hall, t).number("seconds", seconds));
        }
        for (n, e) in events.iter_mut().enumerate() {
            e.seq = n as u64 + 1;
            store.event(&writer.event(e)).unwrap();
        }
        // A repeat counts once.
        store.event(&writer.event(&events[0])).unwrap();
        let db = store.into_db().unwrap();
        let answers = summary(&db).unwrap();
        assert_eq!(cells(&answers, "crossings by line"), ["gate  2 1"]);
        assert_eq!(cells(&answers, "time in zones, seconds"), ["hall 4 4 3 9"]);
        assert_eq!(cells(&answers, "zones, the busiest first"), ["hall 1 4 0 0"]);
        let hours = cells(&answers, "events by hour");
        assert_eq!(hours[0], "00:00 line.crossed gate in 2");
        assert_eq!(hours.last().unwrap(), "01:00 line.crossed gate out 1");
        assert_eq!(all(&db).unwrap().rows.len(), 8);
        for bad in
            ["DELETE FROM events", "DROP TABLE runs", "PRAGMA journal_mode = delete", "SELECT nothing FROM events", ""]
        {
            assert!(sql(&db, bad).is_err(), "{bad}");
        }
        assert_eq!(all(&db).unwrap().rows.len(), 8);
    }
}

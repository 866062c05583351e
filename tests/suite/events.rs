//! What happened: the schema, every output of events, and what is left when the program or the other side goes away.

mod delivery;

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use rusqlite::{Connection, OpenFlags};

use crate::common::*;
use crate::fw;

/// Pictures that are dark and bright by turns.
fn blinking(fps: u32) -> String {
    format!("pipeline:videotestsrc pattern=blink ! video/x-raw,format=I420,width=160,height=120,framerate={fps}/1")
}

/// Says when the blinking picture becomes bright and when dark.
const LIMIT: &str = "brightness:max=0.5";

/// An event with each frame but the first.
fn blinks(frames: u32) -> Run {
    fw!["run", blinking(25), "--op", LIMIT].words(&format!("--frames {frames}"))
}

fn valid(line: &Value) {
    let validator = jsonschema::validator_for(&framewright::events::schema::schema()).expect("a schema");
    if let Some(e) = validator.iter_errors(line).next() {
        panic!("{e}: {line}");
    }
}

fn lines_of(text: &str) -> Vec<Value> {
    let lines: Vec<Value> =
        text.lines().map(|l| serde_json::from_str(l).unwrap_or_else(|e| panic!("{e}: {l}"))).collect();
    lines.iter().for_each(valid);
    lines
}

fn lines(path: &Path) -> Vec<Value> {
    lines_of(&std::fs::read_to_string(path).expect("a file of lines"))
}

fn events(lines: &[Value]) -> Vec<&Value> {
    lines.iter().filter(|l| l["type"] == "event").collect()
}

fn ids<'a>(events: impl IntoIterator<Item = &'a Value>) -> BTreeSet<String> {
    events.into_iter().map(|e| e["id"].as_str().expect("an id").to_owned()).collect()
}

fn ask<T: rusqlite::types::FromSql>(db: &Path, sql: &str) -> T {
    let db = Connection::open_with_flags(db, OpenFlags::SQLITE_OPEN_READ_ONLY).expect("a database");
    db.busy_timeout(Duration::from_secs(10)).expect("patience");
    db.query_row(sql, [], |r| r.get(0)).unwrap_or_else(|e| panic!("{sql}: {e}"))
}

/// Boxes for so many frames, so many on each.
fn many_boxes(folder: &Path, frames: u32, each: u32) -> PathBuf {
    let path = folder.join("boxes.txt");
    let mut text = String::new();
    for f in 1..=frames {
        for n in 0..each {
            text += &format!("{f},{},{},{},10,12,0.9,1\n", n + 1, n % 100, n / 100);
        }
    }
    std::fs::write(&path, text).expect("boxes");
    path
}

#[test]
fn a_value_that_leaves_its_limits_says_so_in_every_form() {
    let dir = temp();
    let out = |name: &str| dir.path().join(name);
    let make = |folder: &str| {
        std::fs::create_dir(out(folder)).expect("a folder");
        let to = |name: &str| out(folder).join(name);
        let events_csv = format!("events:{}", to("e.csv").display());
        let run = blinks(22).words("--run-id r1 -o events:- -o").arg(to("e.jsonl")).arg("-o").arg(to("e.db"));
        let run = run.arg("-o").arg(events_csv).ok();
        (run, lines(&to("e.jsonl")))
    };
    let (run, all) = make("a");
    // Dark and bright by turns, bright at the end: each change is an event, and the end.
    let kinds: Vec<&str> = all.iter().map(|e| e["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds.len(), 22, "{kinds:?}");
    for (n, event) in all.iter().enumerate() {
        assert_eq!(event["kind"], ["limit.passed", "limit.kept"][n % 2], "{event}");
        assert_eq!((&event["id"], &event["seq"]), (&format!("r1-{}", n + 1).into(), &(n + 1).into()));
        assert_eq!((&event["name"], &event["run"]), (&"brightness".into(), &"r1".into()));
        let (seconds, ns) = (event["seconds"].as_f64().unwrap(), event["ns"].as_u64().unwrap());
        assert!((seconds - ns as f64 / 1e9).abs() < 1e-9, "{event}");
        assert!(event.get("wall").is_none(), "the pipeline is not live: {event}");
    }
    let last = all.last().unwrap();
    assert_eq!((&last["kind"], &last["values"]["ended"]), (&"limit.kept".into(), &"stream".into()), "{last}");
    // Standard output holds the same and nothing else; so do the database and the table.
    assert_eq!(lines_of(&run.stdout), all);
    let db = out("a").join("e.db");
    assert_eq!(ask::<i64>(&db, "SELECT count(*) FROM events"), all.len() as i64);
    assert_eq!(
        ask::<String>(&db, "SELECT group_concat(kind) FROM (SELECT * FROM events ORDER BY seq)"),
        kinds.join(",")
    );
    assert_eq!(ask::<i64>(&db, "SELECT count(*) FROM runs WHERE run = 'r1' AND ended IS NOT NULL"), 1);
    assert!(!out("a").join("e.db-wal").exists(), "one file is left");
    let csv = std::fs::read_to_string(out("a").join("e.csv")).unwrap();
    assert_eq!(csv.lines().count(), all.len() + 1);
    assert!(csv.lines().nth(1).unwrap().starts_with("r1-1,limit.passed,brightness,"), "{csv}");
    // The same run twice is the same to the byte.
    assert_eq!(make("b").1, all);

    // The questions, of both forms alike.
    let ask_both = |words: &str| {
        let of = |name: &str| fw!["events", out("a").join(name)].words(words).ok().stdout;
        let (db, jsonl) = (of("e.db"), of("e.jsonl"));
        (db, jsonl)
    };
    let (a, b) = ask_both("--csv");
    assert_eq!(a, b);
    assert_eq!(a.lines().count(), all.len() + 1);
    let (a, b) = ask_both("");
    let part = |text: &str| text[text.find("events by kind").expect("the question")..].to_owned();
    assert_eq!(part(&a), part(&b));
    assert!(a.contains("what lasted") && a.contains("limit.kept"), "{a}");
    let sql = "SELECT kind, count(*) AS n FROM events GROUP BY kind ORDER BY kind";
    let said = fw!["events", &db, "--csv", "--sql", sql].ok().stdout;
    let passed = kinds.iter().filter(|k| **k == "limit.passed").count();
    assert_eq!(said, format!("kind,n\nlimit.kept,{passed}\nlimit.passed,{passed}\n"));
    fw!["events", &db, "--sql", "DELETE FROM events"].fails(2);
    fw!["events", &db, "--sql", "SELECT colour FROM events"].fails(2).says(&["colour", "tables"]);
    fw!["events", out("none.db")].fails(3).says(&["none.db"]);
}

#[test]
fn frame_results_and_events_share_a_schema_and_a_database() {
    let dir = temp();
    let (jsonl, db) = (dir.path().join("d.jsonl"), dir.path().join("d.db"));
    let boxes = format!("detect:model=boxes:{},name=things", many_boxes(dir.path(), 6, 3).display());
    let run = || fw!["run", blinking(25), "--op", &boxes, "--op", LIMIT].words("--frames 6 --live");
    run().arg("-o").arg(&jsonl).arg("-o").arg(&db).ok();
    let all = lines(&jsonl);
    let frames: Vec<&Value> = all.iter().filter(|l| l["type"] == "frame").collect();
    assert_eq!(frames.len(), 6);
    assert!(events(&all).len() >= 5);
    assert_eq!(ask::<i64>(&db, "SELECT count(*) FROM frames"), 6);
    assert_eq!(ask::<i64>(&db, "SELECT count(*) FROM detections WHERE detector = 'things'"), 18);
    assert_eq!(ask::<i64>(&db, "SELECT count(*) FROM events"), events(&all).len() as i64);
    // A second run in the same database, if that is asked for, and not else.
    run().arg("-o").arg(&db).fails(4).says(&["exists"]);
    run().arg("-o").arg(&db).words("--set sink.0.append=true").ok();
    assert_eq!(ask::<i64>(&db, "SELECT count(*) FROM runs"), 2);
    assert_eq!(ask::<i64>(&db, "SELECT count(DISTINCT id) FROM events"), 2 * events(&all).len() as i64);
    run().arg("-o").arg(&db).arg("--overwrite").ok();
    assert_eq!(ask::<i64>(&db, "SELECT count(*) FROM runs"), 1);
    // What was written is read again; the events in it are passed over.
    let again = format!("detect:model=boxes:{}", jsonl.display());
    let out = dir.path().join("again.jsonl");
    fw!["run", blinking(25), "--op", again, "-o", &out].words("--frames 6").ok();
    assert_eq!(lines(&out)[0]["detections"].as_array().unwrap().len(), 3);
    // Content that a form cannot hold, and events where nobody makes any.
    let refuse = |more: &str, word: &str| {
        fw!["run", blinking(25)].words("--frames 2").words(more).fails(2).says(&[word]);
    };
    refuse("--op brightness -o events:-", "no op makes any");
    refuse("--op brightness:max=0.5 -o events:x.txt", "jsonl, csv or db");
    refuse("--op brightness:max=0.5 -o mqtt://host", "topic");
    refuse("--op brightness:max=0.5 -o webhook:ftp://u:secret@host/", "u:***@host");
}

#[test]
fn time_ops_neither_lose_nor_repeat_events() {
    let dir = temp();
    let count = |ops: &[&str]| {
        let out = dir.path().join("e.jsonl");
        let run = ops.iter().fold(blinks(40), |run, op| run.arg("--op").arg(op));
        run.arg("-o").arg(&out).arg("--overwrite").ok();
        let lines = lines(&out);
        let seqs: Vec<u64> = lines.iter().map(|l| l["seq"].as_u64().unwrap()).collect();
        assert_eq!(seqs, (1..=lines.len() as u64).collect::<Vec<_>>());
        lines.iter().map(|l| l["ns"].as_u64().unwrap()).collect::<Vec<_>>()
    };
    let plain = count(&[]);
    assert!(plain.len() >= 39);
    for op in ["fps:rate=10", "fps:rate=60", "speed:factor=3"] {
        assert_eq!(count(&[op]), plain, "{op}");
    }
}

/// Runs live for some seconds and pulls the plug; how old the newest second of it may be.
const FRESH: f64 = 1.5;

fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs_f64()
}

fn age(wall: &str, at: f64) -> f64 {
    at - wall.parse::<jiff::Timestamp>().expect("a time").as_nanosecond() as f64 / 1e9
}

#[test]
fn a_killed_run_leaves_everything_up_to_its_last_second() {
    let dir = temp();
    let db = dir.path().join("e.db");
    let boxes = many_boxes(dir.path(), 2000, 5);
    let mut run = fw!["run", "test:blink", "-o", dir.path().join("e.jsonl"), "-o", &db, "--op", LIMIT]
        .arg("--op")
        .arg(format!("detect:model=boxes:{}", boxes.display()))
        .words("--live --fps 25 --size 160x120")
        .start();
    run.until("rows are there", || {
        let rows = |db: Connection| db.query_row("SELECT count(*) FROM events", [], |r| r.get::<_, i64>(0));
        Connection::open_with_flags(&db, OpenFlags::SQLITE_OPEN_READ_ONLY).and_then(rows).is_ok_and(|n| n > 50)
    });
    std::thread::sleep(Duration::from_millis(700));
    run.signal("KILL");
    let at = now();
    assert_eq!(run.finish().code, -9);
    let left = listing(dir.path()).into_iter().find(|n| n.contains(".partial-")).expect("the partial file");
    let text = std::fs::read_to_string(dir.path().join(left)).expect("text");
    let whole = &text[..text.rfind('\n').map_or(0, |n| n + 1)];
    let all = lines_of(whole);
    let newest = events(&all).last().map(|e| age(e["wall"].as_str().expect("a time"), at)).expect("events");
    assert!(newest < FRESH, "the newest event in the lines is {newest} s old");
    // As whoever finds it: with its log, by another library call.
    assert_eq!(ask::<String>(&db, "PRAGMA integrity_check"), "ok");
    for table in ["events", "frames"] {
        let newest = age(&ask::<String>(&db, &format!("SELECT max(wall) FROM {table}")), at);
        assert!(newest < FRESH, "the newest row in {table} is {newest} s old");
    }
    let (rows, last) = (ask::<i64>(&db, "SELECT count(*) FROM events"), ask::<i64>(&db, "SELECT max(seq) FROM events"));
    assert_eq!(rows, last, "none is missing before the newest");
    assert_eq!(ask::<i64>(&db, "SELECT count(*) FROM detections"), 5 * ask::<i64>(&db, "SELECT count(*) FROM frames"));
    assert!(fw!["events", &db].ok().stdout.contains("limit.passed"));
}

#[test]
fn a_reader_that_leaves_ends_the_run_and_not_the_other_output() {
    let dir = temp();
    let out = dir.path().join("e.jsonl");
    let run =
        fw!["run", "test:blink", "--op", LIMIT, "-o", "events:-", "-o", &out].words("--frames 300 --size 160x120");
    let run = run.closed_stdout().end();
    assert!(run.code == 0, "{}: {}", run.code, run.stderr);
    assert!(events(&lines(&out)).len() >= 299);
}

fn size(path: &Path) -> u64 {
    std::fs::metadata(path).map_or(0, |m| m.len())
}

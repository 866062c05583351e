//! What happened: the schema, every output of events, and what is left when the program or the other side goes away.

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

/// What a server on loopback does with a request.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Mood {
    /// Closes the connection without a word.
    Slam,
    /// Says nothing for a second, then closes.
    Hang,
    Fail,
    /// Calls the body wrong.
    Refuse,
    Work,
}

/// A server for one POST after another; what it has acknowledged.
struct Server {
    port: u16,
    taken: Arc<Mutex<Vec<Value>>>,
    asked: Arc<Mutex<Vec<String>>>,
    mood: Arc<Mutex<Mood>>,
}

impl Server {
    fn start(port: u16, mood: Mood) -> Server {
        let listener = TcpListener::bind(("127.0.0.1", port)).expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let (taken, asked, mood) = (Arc::<Mutex<Vec<Value>>>::default(), Arc::default(), Arc::new(Mutex::new(mood)));
        let server = Server { port, taken: taken.clone(), asked: Arc::clone(&asked), mood: mood.clone() };
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (taken, asked, mood) = (taken.clone(), Arc::clone(&asked), mood.clone());
                std::thread::spawn(move || serve(stream, &taken, &asked, &mood));
            }
        });
        server
    }

    fn taken(&self) -> Vec<Value> {
        self.taken.lock().unwrap().clone()
    }
}

fn serve(mut stream: TcpStream, taken: &Mutex<Vec<Value>>, asked: &Mutex<Vec<String>>, mood: &Mutex<Mood>) {
    let mut reader = BufReader::new(stream.try_clone().expect("a stream"));
    loop {
        let (mut head, mut length) = (String::new(), 0);
        loop {
            let mut line = String::new();
            if reader.read_line(&mut line).unwrap_or(0) == 0 {
                return;
            }
            if let Some(n) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                length = n.trim().parse().expect("a length");
            }
            if line.trim().is_empty() {
                break;
            }
            head += &line;
        }
        let mut body = vec![0; length];
        if reader.read_exact(&mut body).is_err() {
            return;
        }
        asked.lock().unwrap().push(head);
        let now = *mood.lock().unwrap();
        let status = match now {
            Mood::Slam => return,
            Mood::Hang => return std::thread::sleep(Duration::from_secs(1)),
            Mood::Fail => "500 No",
            Mood::Refuse => "422 Never",
            Mood::Work => "200 OK",
        };
        if now == Mood::Work {
            taken.lock().unwrap().push(serde_json::from_slice(&body).expect("JSON"));
        }
        if write!(stream, "HTTP/1.1 {status}\r\nContent-Length: 2\r\n\r\nok").is_err() {
            return;
        }
    }
}

#[test]
fn a_webhook_that_fails_in_every_way_gets_everything_in_the_end() {
    let dir = temp();
    let server = Server::start(0, Mood::Slam);
    let jsonl = dir.path().join("e.jsonl");
    let url = format!("webhook:http://user:pass%20word@127.0.0.1:{}/hook?token=geheim", server.port);
    let mut run = fw!["run", "test:blink", "--op", LIMIT, "-o", url, "-o", &jsonl]
        .words("--live --fps 25 --size 160x120 --frames 200 -vv")
        .words("--set sink.0.wait=30s --set sink.0.headers.X-Site=hall")
        .within(dir.path())
        .start();
    let asked = |n: usize| server.asked.lock().unwrap().len() >= n;
    for (n, mood) in [(1, Mood::Hang), (2, Mood::Fail), (4, Mood::Work)] {
        run.until("it was asked", || asked(n));
        *server.mood.lock().unwrap() = mood;
    }
    let out = run.finish();
    assert_eq!(out.code, 0, "{}", out.stderr);
    let wanted = lines(&jsonl);
    assert!(wanted.len() >= 190, "{}", wanted.len());
    let taken = server.taken();
    taken.iter().for_each(valid);
    assert_eq!(ids(&taken), ids(&wanted), "none is missing");
    let mut once = taken.clone();
    once.dedup_by(|a, b| a["id"] == b["id"]);
    assert_eq!(once, wanted, "in order, repeats aside");
    assert!(out.count("frames_out") == 200 && out.count("frames_dropped") == 0, "the video went on");
    assert!(!out.stderr.contains("pass") && !out.stderr.contains("geheim"), "{}", out.stderr);
    out.says(&["status 500", "takes events again"]);
    let head = server.asked.lock().unwrap().last().unwrap().to_ascii_lowercase();
    for part in
        ["post /hook?token=geheim", "authorization: basic dxnlcjpwyxnzihdvcmq=", "idempotency-key: ", "x-site: hall"]
    {
        assert!(head.contains(part), "{part}: {head}");
    }
    assert!(listing(dir.path()).iter().all(|n| !n.contains("spool")), "{:?}", listing(dir.path()));
}

#[test]
fn what_is_not_delivered_is_said_and_waits_for_the_next_run() {
    let dir = temp();
    // A port that nobody listens at: its listener is gone again.
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let url = format!("webhook:http://127.0.0.1:{port}/");
    let run = |frames: u32, id: &str| {
        blinks(frames).within(dir.path()).words(&format!("--run-id {id} --set sink.0.wait=2s -o")).arg(&url)
    };
    let first = run(1501, "a").ok();
    assert!(first.notices().contains("events are not delivered"), "{}", first.notices());
    let spool = listing(dir.path()).into_iter().find(|n| n.starts_with("framewright-spool-")).expect("a spool");
    let kept = lines(&dir.path().join(&spool));
    assert!(kept.len() >= 1500, "{}", kept.len());
    let server = Server::start(port, Mood::Work);
    let second = run(9, "b").words("--set sink.0.wait=50s").ok();
    let taken = server.taken();
    assert_eq!(taken[..kept.len()], kept[..], "what waited comes first, in order");
    assert_eq!(taken[kept.len()]["id"], "b-1");
    assert!(listing(dir.path()).is_empty(), "{:?}\n{}", listing(dir.path()), second.stderr);
    // What the server calls wrong does not hold up the rest, and is kept.
    *server.mood.lock().unwrap() = Mood::Refuse;
    let third = run(3, "c").ok();
    assert!(third.notices().contains("refused for good"), "{}", third.notices());
    let aside = listing(dir.path()).into_iter().find(|n| n.ends_with(".refused.jsonl")).expect("what was refused");
    assert_eq!(lines(&dir.path().join(aside))[0]["id"], "c-1");
}

/// A broker on loopback that keeps what it acknowledged, also while it is stopped.
struct Broker {
    folder: TempDir,
    port: u16,
    process: Option<Child>,
}

impl Broker {
    fn new() -> Broker {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let folder = temp();
        let text = format!(
            "listener {port} 127.0.0.1\nallow_anonymous true\nuser root\npersistence true\npersistence_location {}/\n\
             autosave_interval 1\nautosave_on_changes true\nmax_queued_messages 0\nlog_type error\n",
            folder.path().display()
        );
        std::fs::write(folder.path().join("broker.conf"), text).unwrap();
        let mut broker = Broker { folder, port, process: None };
        broker.start();
        broker
    }

    fn start(&mut self) {
        let config = self.folder.path().join("broker.conf");
        let path = format!("{}:/usr/sbin", std::env::var("PATH").unwrap_or_default());
        let mut command = Command::new("mosquitto");
        command
            .env("PATH", path)
            .arg("-c")
            .arg(config)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let why = |e| panic!("cannot run mosquitto: {e} (`scripts/setup --test` installs what the tests use)");
        self.process = Some(command.spawn().unwrap_or_else(why));
        let begun = Instant::now();
        while TcpStream::connect(("127.0.0.1", self.port)).is_err() {
            assert!(begun.elapsed() < Duration::from_secs(20), "mosquitto does not listen");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn stop(&mut self) {
        if let Some(mut p) = self.process.take() {
            // In order: it saves what it has acknowledged.
            let _ = Command::new("kill").arg(p.id().to_string()).status();
            let _ = p.wait();
        }
    }

    /// Subscribes by a lasting session; with `read`, gets what has come until nothing came for two seconds.
    fn subscriber(&self, read: bool) -> Vec<Value> {
        let port = self.port.to_string();
        let mut command = Command::new("mosquitto_sub");
        command.args(["-p", &port, "-i", "reader", "-c", "-q", "1", "-t", "cameras/gate"]);
        command.args(if read { &["-W", "4"][..] } else { &["-E"][..] });
        let got = command.output().expect("mosquitto_sub");
        lines_of(&String::from_utf8(got.stdout).expect("text"))
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        self.stop();
    }
}

#[test]
fn a_broker_that_goes_away_gets_everything_in_the_end() {
    let dir = temp();
    let mut broker = Broker::new();
    broker.subscriber(false);
    let jsonl = dir.path().join("e.jsonl");
    let url = format!("mqtt://127.0.0.1:{}/cameras/gate", broker.port);
    let mut run = fw!["run", "test:blink", "--op", LIMIT, "-o", url, "-o", &jsonl]
        .words("--live --fps 25 --size 160x120 --frames 250 --set sink.0.wait=30s")
        .within(dir.path())
        .start();
    let spooled = || listing(dir.path()).iter().any(|n| n.contains("spool") && size(&dir.path().join(n)) > 0);
    std::thread::sleep(Duration::from_secs(2));
    broker.stop();
    run.until("events wait in the spool", spooled);
    std::thread::sleep(Duration::from_secs(2));
    broker.start();
    let out = run.finish();
    assert_eq!(out.code, 0, "{}", out.stderr);
    out.says(&["does not take events", "takes events again"]);
    let (wanted, got) = (lines(&jsonl), broker.subscriber(true));
    assert!(wanted.len() >= 240, "{}", wanted.len());
    assert_eq!(ids(&got), ids(&wanted), "none is missing");
    assert!(out.count("frames_out") == 250, "the video went on");
    assert!(!spooled());
}

fn size(path: &Path) -> u64 {
    std::fs::metadata(path).map_or(0, |m| m.len())
}

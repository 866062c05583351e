//! Webhooks and brokers that fail, hang, go away and come back.

use super::*;

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
        // In one piece: else each answer waits for the acknowledgement of its first.
        let answer = format!("HTTP/1.1 {status}\r\nContent-Length: 2\r\n\r\nok");
        if stream.write_all(answer.as_bytes()).is_err() {
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
    out.says(&["does not take events", "takes events again"]);
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

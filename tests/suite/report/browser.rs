//! The page as a browser shows it: headless Chromium, asked through its DevTools protocol, in real time.

use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use serde_json::json;

use super::*;

/// A busy machine may take its time.
const PATIENCE: Duration = Duration::from_secs(100);

/// A browser with one page.
struct Browser {
    child: Child,
    to: File,
    from: BufReader<File>,
    /// Calls so far.
    calls: u64,
    session: Option<String>,
    /// What the page wrote to its console, and what went wrong in it.
    said: Vec<Value>,
    dir: tempfile::TempDir,
}

impl Browser {
    /// Nothing where there is no browser.
    fn open(url: &str) -> Option<Self> {
        let there = Command::new("chromium").arg("--version").output().is_ok_and(|o| o.status.success());
        let ci = std::env::var("CI").is_ok_and(|v| v == "true");
        if !there {
            assert!(!ci, "no chromium: scripts/setup --test installs it");
            eprintln!("left out: no chromium");
            return None;
        }
        let dir = temp();
        let path = |name: &str| dir.path().join(name);
        assert!(Command::new("mkfifo").args([path("to"), path("from")]).status().unwrap().success());
        let options = "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking \
                       --disable-component-update --disable-sync --window-size=1200,900 --remote-debugging-pipe";
        let script =
            format!("exec chromium {options} --user-data-dir=\"$1/data\" 3<\"$1/to\" 4>\"$1/from\" 2>\"$1/log\"");
        let args = ["-c".as_ref(), script.as_ref(), "sh".as_ref(), dir.path().as_os_str()];
        let child = Command::new("sh").args(args).spawn().expect("sh starts");
        // In the shell's order: each waits for the other side.
        let to = File::options().write(true).open(path("to")).expect("a pipe");
        let from = BufReader::new(File::open(path("from")).expect("a pipe"));
        let mut browser = Browser { child, to, from, calls: 0, session: None, said: Vec::new(), dir };
        let target = browser.call("Target.createTarget", json!({ "url": "about:blank" }))["targetId"].take();
        let attached = browser.call("Target.attachToTarget", json!({ "targetId": target, "flatten": true }));
        browser.session = attached["sessionId"].as_str().map(str::to_owned);
        for method in ["Runtime.enable", "Log.enable"] {
            browser.call(method, json!({}));
        }
        browser.call("Page.navigate", json!({ "url": url }));
        browser.until("document.documentElement.dataset.status");
        Some(browser)
    }

    /// What a call answers.
    #[track_caller]
    fn call(&mut self, method: &str, params: Value) -> Value {
        let mut answer = self.ask(method, params);
        assert!(answer["error"].is_null(), "{method}: {answer}");
        answer["result"].take()
    }

    #[track_caller]
    fn ask(&mut self, method: &str, params: Value) -> Value {
        self.calls += 1;
        let mut call = json!({ "id": self.calls, "method": method, "params": params });
        if let Some(session) = &self.session {
            call["sessionId"] = json!(session);
        }
        write!(self.to, "{call}\0").expect("the browser listens");
        loop {
            let mut answer = Vec::new();
            self.from.read_until(0, &mut answer).expect("the browser answers");
            let log = || std::fs::read_to_string(self.dir.path().join("log")).unwrap_or_default();
            assert_eq!(answer.pop(), Some(0), "the browser left: {}", log());
            let answer: Value = serde_json::from_slice(&answer).expect("JSON");
            match answer["method"].as_str() {
                Some("Runtime.consoleAPICalled" | "Runtime.exceptionThrown" | "Log.entryAdded") => {
                    self.said.push(answer)
                }
                Some(_) => {}
                None if answer["id"] == self.calls => return answer,
                None => {}
            }
        }
    }

    /// What an expression is in the page; promises are waited for.
    #[track_caller]
    fn eval(&mut self, expression: &str) -> Value {
        let mut result = self.call("Runtime.evaluate", Self::question(expression));
        assert!(result["exceptionDetails"].is_null(), "{expression}: {result}");
        result["result"]["value"].take()
    }

    fn question(expression: &str) -> Value {
        json!({ "expression": expression, "awaitPromise": true, "returnByValue": true })
    }

    /// Waits until an expression is true; while a page is being loaded there may be nothing to ask.
    #[track_caller]
    fn until(&mut self, expression: &str) {
        let since = Instant::now();
        let question = Self::question(&format!("!!({expression})"));
        while self.ask("Runtime.evaluate", question.clone())["result"]["result"]["value"] != true {
            assert!(since.elapsed() < PATIENCE, "never: {expression}; {:?}", self.said);
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Nothing went wrong, and nothing was refused by the page's own policy.
    #[track_caller]
    fn is_well(&mut self) {
        assert_eq!(self.eval("document.documentElement.dataset.status"), "ready", "{:?}", self.said);
        assert!(self.said.is_empty(), "{:?}", self.said);
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn url(path: &Path) -> String {
    url::Url::from_file_path(path).expect("an absolute path").into()
}

#[test]
fn a_browser_shows_it_and_a_click_jumps_the_video() {
    let dir = temp();
    run(dir.path(), "-o report.html -o out.webm");
    let report = Report::open(dir.path().join("report.html"));
    // With the address of a moment.
    let Some(mut page) = Browser::open(&format!("{}#t=2.500", url(&report.path))) else { return };
    page.until("document.querySelector('[data-moment=\"2.500\"]')");
    page.until("document.querySelector('video').currentTime == 2.5");
    let painted = "[...document.querySelectorAll('canvas')]
        .filter(c => c.getContext('2d').getImageData(0, 0, c.width, c.height).data.some(v => v)).length";
    assert_eq!(page.eval(painted), report.charts().len());

    let cards = page.eval(
        "{ const field = document.querySelector('input[type=search]');
           field.value = 'crossed';
           field.dispatchEvent(new Event('input')); }
         document.querySelectorAll('.moments > li:not([hidden])').length",
    );
    let crossed = report.data["tally"]["kinds"]["line.crossed"]["gate"]["count"].as_u64().expect("a count");
    let shown = cards.as_u64().expect("a number");
    assert!(shown > 0 && shown <= crossed, "{shown} of {crossed}");

    let sorted = page.eval(
        "{ const head = [...document.querySelectorAll('th button')].find(b => b.textContent === 'visits');
           const body = head.closest('table').tBodies[0];
           const first = () => { head.click(); return body.rows[0].cells[0].textContent; };
           `${first()} ${first()}` }",
    );
    assert_eq!(sorted, "nowhere left");

    let link =
        page.eval("{ const card = [...document.querySelectorAll('.moments a')].at(-1); card.click(); card.hash }");
    let time = link.as_str().and_then(|l| l.strip_prefix("#t=")).expect("a moment").to_owned();
    assert_ne!(time, "2.500");
    page.until(&format!("document.querySelector('video').currentTime.toFixed(3) === '{time}'"));
    page.is_well();
}

#[test]
fn hostile_names_are_inert_in_a_browser() {
    let dir = temp();
    let report = hostile(dir.path());
    let Some(mut page) = Browser::open(&url(&report.path)) else { return };
    page.is_well();
    let dom = page.eval("document.documentElement.outerHTML");
    let dom = dom.as_str().expect("markup");
    assert!(!dom.contains("<img src=\"x\""), "markup got in");
    assert!(dom.contains("&lt;/script&gt;&lt;img src=x onerror=alert(1)&gt;"), "and is shown");
}

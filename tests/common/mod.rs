//! What the black-box tests stand on: [`fw!`] runs the real binary with a bound, [`Media`] reopens what it wrote with
//! ffprobe and ffmpeg, which share no code with it.

#![allow(dead_code, unused_imports)]

mod media;

use std::ffi::{OsStr, OsString};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

pub use media::{Media, Packet, boxes};
pub use serde_json::Value;
pub use tempfile::TempDir;

/// A run that takes longer is killed and fails its test.
const LIMIT: Duration = Duration::from_secs(60);

/// `fw!["run", &input, "-o", &output]`: a run of the binary, not yet started.
#[macro_export]
macro_rules! fw {
    ($($arg:expr),* $(,)?) => { $crate::common::Run::new(vec![$(std::ffi::OsString::from($arg)),*]) };
}

/// A folder that goes when the test ends.
pub fn temp() -> TempDir {
    tempfile::tempdir().expect("a temporary folder")
}

/// A file of the test data; `None`, with a word about it, where there is none. In CI that is a failure.
pub fn data(name: &str) -> Option<PathBuf> {
    let folder = data_folder()?;
    let path = folder.join("video").join(name);
    assert!(path.is_file(), "the test data lacks {}", path.display());
    Some(path)
}

/// The folder of the test data, as for [`data`].
pub fn data_folder() -> Option<PathBuf> {
    let folder = match std::env::var_os("FRAMEWRIGHT_TEST_DATA") {
        Some(f) => PathBuf::from(f),
        None => Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data"),
    };
    if folder.join("video").is_dir() {
        return Some(folder);
    }
    let ci = std::env::var("CI").is_ok_and(|v| v == "true");
    assert!(!ci, "no test data in {}: set FRAMEWRIGHT_TEST_DATA", folder.display());
    eprintln!("left out: no test data in {} (FRAMEWRIGHT_TEST_DATA names another folder)", folder.display());
    None
}

/// Every file of the test data's videos, sorted.
pub fn all_data() -> Vec<PathBuf> {
    fn walk(dir: &Path, out: &mut Vec<PathBuf>) {
        for entry in std::fs::read_dir(dir).expect("a readable folder").flatten() {
            match entry.path() {
                p if p.is_dir() => walk(&p, out),
                p => out.push(p),
            }
        }
    }
    let mut out = Vec::new();
    if let Some(folder) = data_folder() {
        walk(&folder.join("video"), &mut out);
    }
    out.sort();
    out
}

/// Runs another program to its end, within the bound; its standard output.
pub fn tool(program: &str, args: &[&OsStr]) -> Vec<u8> {
    let mut command = Command::new(program);
    command.args(args);
    let done = Running::start(command, None, LIMIT, None).finish();
    assert!(done.code == 0, "{program} {args:?} failed with {}: {}", done.code, done.stderr);
    done.bytes
}

/// A run of the binary to be.
pub struct Run {
    args: Vec<OsString>,
    folder: Option<PathBuf>,
    env: Vec<(String, String)>,
    input: Option<Vec<u8>>,
    limit: Duration,
    largest_file: Option<u64>,
    keep_stdout: bool,
}

impl Run {
    /// See [`fw!`].
    pub fn new(args: Vec<OsString>) -> Self {
        Run { args, folder: None, env: Vec::new(), input: None, limit: LIMIT, largest_file: None, keep_stdout: true }
    }

    /// Adds arguments, separated by blanks.
    pub fn words(mut self, words: &str) -> Self {
        self.args.extend(words.split_whitespace().map(OsString::from));
        self
    }

    /// Adds one argument.
    pub fn arg(mut self, arg: impl AsRef<OsStr>) -> Self {
        self.args.push(arg.as_ref().to_owned());
        self
    }

    /// Runs in this folder.
    pub fn within(mut self, folder: &Path) -> Self {
        self.folder = Some(folder.to_owned());
        self
    }

    /// Sets an environment variable.
    pub fn env(mut self, key: &str, value: &str) -> Self {
        self.env.push((key.into(), value.into()));
        self
    }

    /// Feeds standard input.
    pub fn stdin(mut self, bytes: Vec<u8>) -> Self {
        self.input = Some(bytes);
        self
    }

    /// No file may grow beyond this: writing fails as on a full disk.
    pub fn largest_file(mut self, bytes: u64) -> Self {
        self.largest_file = Some(bytes);
        self
    }

    /// Closes the reading end of standard output before the program writes.
    pub fn closed_stdout(mut self) -> Self {
        self.keep_stdout = false;
        self
    }

    /// It may take so many seconds.
    pub fn limit(mut self, seconds: u64) -> Self {
        self.limit = Duration::from_secs(seconds);
        self
    }

    /// Starts it.
    pub fn start(self) -> Running {
        let binary = env!("CARGO_BIN_EXE_framewright");
        let mut command = match self.largest_file {
            None => Command::new(binary),
            Some(n) => {
                // SIGXFSZ must be ignored, or it kills where a full disk would only fail the write.
                let mut c = Command::new("sh");
                c.arg("-c").arg(format!("trap '' XFSZ; exec prlimit --fsize={n} \"$@\"")).arg("sh").arg(binary);
                c
            }
        };
        let mut stats = None;
        command.args(&self.args);
        if self.args.first().is_some_and(|a| a == "run") && !self.args.iter().any(|a| a == "--stats") {
            let folder = temp();
            command.arg("--stats").arg(folder.path().join("stats.json"));
            stats = Some(folder);
        }
        command.env_remove("RUST_LOG").env_remove("GST_DEBUG").envs(self.env);
        if let Some(folder) = &self.folder {
            command.current_dir(folder);
        }
        let mut running = Running::start(command, self.input, self.limit, stats);
        if !self.keep_stdout {
            running.stdout = None;
        }
        running
    }

    /// Runs to the end, whatever it is.
    pub fn end(self) -> Output {
        self.start().finish()
    }

    /// Runs to the end, which must be a good one.
    #[track_caller]
    pub fn ok(self) -> Output {
        let out = self.end();
        assert!(out.code == 0, "{}: exit code {} with:\n{}", out.command, out.code, out.stderr);
        out
    }

    /// Runs to the end, which must be this exit code with one line that says why.
    #[track_caller]
    pub fn fails(self, code: i32) -> Output {
        let out = self.end();
        assert!(out.code == code, "{}: exit code {}, not {code}, with:\n{}", out.command, out.code, out.stderr);
        let lines = out.stderr.lines().filter(|l| l.starts_with("error:")).count();
        assert!(lines == 1, "{}: {lines} error lines:\n{}", out.command, out.stderr);
        out
    }
}

/// A run going on. Killed when it goes out of scope.
pub struct Running {
    child: Child,
    command: String,
    started: Instant,
    limit: Duration,
    stdout: Option<JoinHandle<Vec<u8>>>,
    stderr: Option<JoinHandle<Vec<u8>>>,
    stats: Option<TempDir>,
}

impl Running {
    fn start(mut command: Command, input: Option<Vec<u8>>, limit: Duration, stats: Option<TempDir>) -> Self {
        let shown = format!("{command:?}");
        let stdin = if input.is_some() { Stdio::piped() } else { Stdio::null() };
        let mut child = match command.stdin(stdin).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn() {
            Ok(child) => child,
            Err(e) => {
                let program = command.get_program().to_string_lossy();
                panic!("cannot run {program}: {e} (`scripts/setup --test` installs what the tests use)");
            }
        };
        if let (Some(bytes), Some(mut pipe)) = (input, child.stdin.take()) {
            // A program that stops reading closes the pipe: that is its right.
            std::thread::spawn(move || drop(pipe.write_all(&bytes)));
        }
        let (stdout, stderr) = (child.stdout.take().map(drain), child.stderr.take().map(drain));
        Running { child, command: shown, started: Instant::now(), limit, stdout, stderr, stats }
    }

    /// Its process.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Sends a signal by its name.
    pub fn signal(&self, name: &str) {
        let sent = Command::new("sh").arg("-c").arg(format!("kill -{name} {}", self.child.id())).status();
        assert!(sent.expect("a shell").success(), "cannot send {name}");
    }

    /// Waits until `what` holds; the run must go on meanwhile.
    #[track_caller]
    pub fn until(&mut self, what: &str, mut holds: impl FnMut() -> bool) {
        while !holds() {
            if let Some(status) = self.child.try_wait().expect("a child to wait for") {
                let stderr = self.stderr.take().map(text).unwrap_or_default();
                panic!("{}: ended with {status} before {what}:\n{stderr}", self.command);
            }
            if self.started.elapsed() > self.limit {
                self.kill_and_panic(what);
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Waits for the end.
    #[track_caller]
    pub fn finish(mut self) -> Output {
        let status = loop {
            if let Some(status) = self.child.try_wait().expect("a child to wait for") {
                break status;
            }
            if self.started.elapsed() > self.limit {
                self.kill_and_panic("its end");
            }
            std::thread::sleep(Duration::from_millis(3));
        };
        let bytes = self.stdout.take().and_then(|t| t.join().ok()).unwrap_or_default();
        let stderr = self.stderr.take().map(text).unwrap_or_default();
        assert!(!stderr.contains("panicked"), "{} panicked:\n{stderr}", self.command);
        let stats = self.stats.as_ref().and_then(|d| std::fs::read(d.path().join("stats.json")).ok());
        Output {
            command: std::mem::take(&mut self.command),
            code: code(status),
            stdout: String::from_utf8_lossy(&bytes).into_owned(),
            bytes,
            stderr,
            stats: stats.map(|s| serde_json::from_slice(&s).expect("--stats writes JSON")).unwrap_or(Value::Null),
        }
    }

    #[track_caller]
    fn kill_and_panic(&mut self, what: &str) -> ! {
        let _ = self.child.kill();
        let stderr = self.stderr.take().map(text).unwrap_or_default();
        panic!("{}: killed after {} s of waiting for {what}:\n{stderr}", self.command, self.limit.as_secs());
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn drain(mut pipe: impl Read + Send + 'static) -> JoinHandle<Vec<u8>> {
    std::thread::spawn(move || {
        let mut out = Vec::new();
        let _ = pipe.read_to_end(&mut out);
        out
    })
}

fn text(pipe: JoinHandle<Vec<u8>>) -> String {
    String::from_utf8_lossy(&pipe.join().unwrap_or_default()).into_owned()
}

/// The exit code, or minus the signal.
fn code(status: ExitStatus) -> i32 {
    use std::os::unix::process::ExitStatusExt;
    status.code().unwrap_or_else(|| -status.signal().unwrap_or(0))
}

/// What a run left behind.
pub struct Output {
    /// The command line.
    pub command: String,
    /// The exit code, or minus the signal that killed it.
    pub code: i32,
    /// Standard output.
    pub stdout: String,
    /// The same as bytes.
    pub bytes: Vec<u8>,
    /// Standard error.
    pub stderr: String,
    /// What `--stats` wrote; `Null` where it did not.
    pub stats: Value,
}

impl Output {
    /// A count of the summary.
    #[track_caller]
    pub fn count(&self, key: &str) -> u64 {
        self.stats[key].as_u64().unwrap_or_else(|| panic!("no {key} in the summary: {}", self.stats))
    }

    /// All notices: the run's and its outputs'.
    pub fn notices(&self) -> String {
        let of = |v: &Value| {
            v["notices"].as_array().into_iter().flatten().filter_map(|n| n.as_str()).collect::<Vec<_>>().join("\n")
        };
        let sinks = self.stats["sinks"].as_array().into_iter().flatten().map(of).collect::<Vec<_>>().join("\n");
        format!("{}\n{sinks}", of(&self.stats))
    }

    /// Standard error must say all of this.
    #[track_caller]
    pub fn says(&self, words: &[&str]) -> &Self {
        for w in words {
            assert!(self.stderr.contains(w), "{}: {w:?} is not in:\n{}", self.command, self.stderr);
        }
        self
    }
}

/// The names in a folder, sorted.
pub fn listing(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(folder)
        .expect("a readable folder")
        .flatten()
        .map(|e| e.file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

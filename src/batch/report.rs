//! What became of a batch: `summary.json`, `jobs.csv` and `report.html` beside its journal.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use rusqlite::Connection;
use serde::Serialize;

use super::journal::{self, Entry, State};
use super::show::{short, span};
use crate::failure::Failure;
use crate::page::{Cell, Html, Page, Table, facts, paragraph, picture, tiles};
use crate::term::csv_field;

/// Jobs whose pictures are in the page: 10 kB each.
const PICTURED: usize = 400;
/// So many failures are shown at once, more when they are asked for.
const OPEN: usize = 8;

/// A batch as it stands, for machines.
#[derive(Debug, Serialize)]
#[allow(missing_docs)]
pub struct Summary {
    pub version: &'static str,
    pub journal: String,
    /// When the newest call began and ended, RFC 3339.
    pub started: Option<String>,
    pub ended: Option<String>,
    /// Wall time of the newest call in seconds, and jobs at a time in it.
    pub seconds: Option<f64>,
    pub at_once: Option<usize>,
    pub jobs: usize,
    pub done: usize,
    pub failed: usize,
    pub waiting: usize,
    pub running: usize,
    pub frames: u64,
    pub video_seconds: f64,
    /// Of all jobs together, in seconds.
    pub work_seconds: f64,
    pub bytes_in: u64,
    pub bytes_out: u64,
    /// What failed, by cause; the most frequent first.
    pub causes: Vec<Cause>,
}

/// Failures that are alike.
#[derive(Debug, Serialize)]
pub struct Cause {
    /// What they have in common: the message without names and numbers.
    pub cause: String,
    /// The exit code.
    pub class: i32,
    /// What to do about it.
    pub fix: Option<String>,
    /// Whose they are: input and whole message.
    pub files: Vec<(String, String)>,
}

/// A journal, read.
pub struct Read {
    db: Connection,
    /// All jobs.
    pub entries: Vec<Entry>,
    /// Sums.
    pub summary: Summary,
}

impl Read {
    /// Reads the journal at `path`, which may be at work.
    ///
    /// # Errors
    /// It is no journal.
    pub fn new(path: &Path) -> Result<Self, Failure> {
        let db = journal::read(path)?;
        let broken = |e: rusqlite::Error| Failure::input(format!("cannot read the journal {}: {e}", path.display()));
        let entries = journal::entries(&db).map_err(broken)?;
        let about = |key: &str| journal::get(&db, key).map_err(broken);
        let count = |state: State| entries.iter().filter(|e| e.state == state).count();
        let done = || entries.iter().filter(|e| e.state == State::Done);
        let summary = Summary {
            version: env!("CARGO_PKG_VERSION"),
            journal: path.display().to_string(),
            started: about("started")?,
            ended: about("ended")?,
            seconds: about("seconds")?.and_then(|s| s.parse().ok()),
            at_once: about("at-once")?.and_then(|s| s.parse().ok()),
            jobs: entries.len(),
            done: count(State::Done),
            failed: count(State::Failed),
            waiting: count(State::Waiting),
            running: count(State::Running),
            frames: done().filter_map(|e| e.frames_out).sum(),
            video_seconds: done().filter_map(|e| e.video_seconds).sum(),
            work_seconds: entries.iter().filter_map(|e| e.seconds).sum(),
            bytes_in: done().map(|e| e.identity.size).sum(),
            bytes_out: done().flat_map(|e| &e.written).map(|w| w.size).sum(),
            causes: causes(&entries),
        };
        Ok(Read { db, entries, summary })
    }

    /// Writes the three files into `folder`; answers with the page's path.
    ///
    /// # Errors
    /// One of them cannot be written.
    pub fn write(&self, folder: &Path) -> Result<PathBuf, Failure> {
        let summary = serde_json::to_string_pretty(&self.summary).map_err(Failure::failed)?;
        put(&folder.join("summary.json"), &(summary + "\n"))?;
        put(&folder.join("jobs.csv"), &self.csv())?;
        let page = folder.join("report.html");
        put(&page, &self.html())?;
        Ok(page)
    }

    fn csv(&self) -> String {
        let mut out = String::from(
            "input,state,attempts,seconds,frames_in,frames_out,video_seconds,bytes_in,bytes_out,memory,class,error,fix,outputs\n",
        );
        for e in &self.entries {
            let text = |v: Option<String>| v.unwrap_or_default();
            let written: Vec<&str> = e.written.iter().map(|w| w.path.as_str()).collect();
            let fields = [
                e.input.display().to_string(),
                e.state.name().to_owned(),
                e.attempts.to_string(),
                text(e.seconds.map(|s| format!("{s:.3}"))),
                text(e.frames_in.map(|n| n.to_string())),
                text(e.frames_out.map(|n| n.to_string())),
                text(e.video_seconds.map(|s| format!("{s:.3}"))),
                e.identity.size.to_string(),
                bytes_out(e).to_string(),
                text(e.memory.map(|n| n.to_string())),
                text(e.class.map(|n| n.to_string())),
                text(e.error.clone()),
                text(e.fix.clone()),
                written.join(";"),
            ];
            let fields: Vec<_> = fields.iter().map(|f| csv_field(f)).collect();
            out += &(fields.join(",") + "\n");
        }
        out
    }

    fn html(&self) -> String {
        let s = &self.summary;
        let left = s.waiting + s.running;
        let lead = match (s.failed, left) {
            (0, 0) => format!("All of {} files are done.", s.jobs),
            (0, n) => format!("{} of {} files are done, {n} are left.", s.done, s.jobs),
            (f, 0) => format!("{} of {} files are done, {f} failed.", s.done, s.jobs),
            (f, n) => format!("{} of {} files are done, {f} failed, {n} are left.", s.done, s.jobs),
        };
        let speed = s.seconds.filter(|t| *t > 0.0).map(|t| format!("{:.1}", s.video_seconds / t));
        let figures = [
            (s.done.to_string(), "done"),
            (s.failed.to_string(), "failed"),
            (left.to_string(), "left"),
            (s.frames.to_string(), "frames"),
            (span(s.video_seconds), "of video"),
            (size(s.bytes_in), "read"),
            (size(s.bytes_out), "written"),
        ];
        let mut about = vec![("journal", s.journal.clone()), ("files are in", self.base().display().to_string())];
        about.extend(s.started.clone().map(|t| ("began", t)));
        about.extend(s.ended.clone().map(|t| ("ended", t)));
        about.extend(s.seconds.map(|t| ("took", span(t))));
        about.extend(s.at_once.map(|n| ("jobs at a time", n.to_string())));
        about.push(("work of all jobs together", span(s.work_seconds)));
        about.extend(speed.filter(|_| s.work_seconds > 0.0).map(|v| ("seconds of video in a second", v)));
        Page::new("Batch")
            .lead(lead)
            .add(tiles(figures))
            .section("What failed, and why", self.failures())
            .section("Files", self.files())
            .section("About", facts(about))
            .style(CSS)
            .html()
    }

    /// The folder that all inputs are in.
    fn base(&self) -> PathBuf {
        let mut folders = self.entries.iter().filter_map(|e| e.input.parent());
        let first = folders.next().unwrap_or(Path::new("")).to_owned();
        folders.fold(first, |base, folder| {
            let same = base.components().zip(folder.components()).take_while(|(a, b)| a == b);
            same.map(|(a, _)| a).collect()
        })
    }

    fn failures(&self) -> Html {
        let one = |c: &Cause| {
            let mut table = Table::new(["file", "what it said"]);
            c.files.iter().for_each(|(file, message)| table.row([file.as_str().into(), message.as_str().into()]));
            let fix = c.fix.as_ref().map_or_else(Html::default, |f| paragraph(format!("Fix: {f}")));
            let title = format!("{} {}: {}", c.files.len(), if c.files.len() == 1 { "file" } else { "files" }, c.cause);
            let few = self.summary.causes.len() <= OPEN && c.files.len() <= OPEN;
            let open: &[_] = if few { &[("open", "")] } else { &[] };
            let summary = Html::element("summary", &[], title.into());
            Html::element("details", open, summary.and(fix).and(table.html()))
        };
        self.summary.causes.iter().map(one).collect()
    }

    fn files(&self) -> Html {
        let pictures = |e: &Entry| journal::thumbnails(&self.db, e.id).unwrap_or_default();
        let mut table = Table::new([
            "file",
            "state",
            "before",
            "after",
            "notes",
            "frames",
            "video s",
            "took s",
            "x real time",
            "read MB",
            "written MB",
            "memory MB",
            "attempts",
        ]);
        let number = |v: Option<f64>, digits: usize| match v {
            Some(v) => Cell::number(v, format!("{v:.digits$}")),
            None => Cell::number(f64::INFINITY, ""),
        };
        let mb = |bytes: u64| Some(bytes as f64 / 1e6);
        let mut left_out = 0;
        let base = self.base();
        // What needs a look comes first.
        let mut all: Vec<&Entry> = self.entries.iter().collect();
        all.sort_by_key(|e| {
            [State::Failed, State::Running, State::Waiting, State::Done].iter().position(|s| *s == e.state)
        });
        for (i, e) in all.into_iter().enumerate() {
            let shots = if i < PICTURED { pictures(e) } else { [None, None] };
            left_out += usize::from(i >= PICTURED);
            let [before, after] = shots.map(|p| p.map_or_else(Html::default, |p| picture(&p, "")));
            let speed = e.video_seconds.zip(e.seconds).filter(|(_, s)| *s > 0.0).map(|(v, s)| v / s);
            let state = Html::element("span", &[("class", e.state.name())], e.state.name().into());
            let notes: Vec<&str> = e.error.iter().chain(&e.notices).map(String::as_str).collect();
            table.row([
                e.input.strip_prefix(&base).unwrap_or(&e.input).display().to_string().into(),
                state.into(),
                before.into(),
                after.into(),
                notes.join("; ").into(),
                number(e.frames_out.map(|n| n as f64), 0),
                number(e.video_seconds, 1),
                number(e.seconds, 1),
                number(speed, 1),
                number(mb(e.identity.size), 1),
                number(mb(bytes_out(e)), 1),
                number(e.memory.and_then(mb), 0),
                number(Some(f64::from(e.attempts)), 0),
            ]);
        }
        let note = match left_out {
            0 => Html::default(),
            n => paragraph(format!("The pictures of {n} files are not in this page; they are in the journal.")),
        };
        note.and(table.html())
    }
}

const CSS: &str = ".failed{color:#c22;font-weight:600}.done{color:#283}.waiting,.running{color:#a60}\
    span{white-space:nowrap}\
    @media(prefers-color-scheme:dark){.failed{color:#f77}.done{color:#7c7}.waiting,.running{color:#fb4}}\
    main{max-width:100rem}td:nth-child(1){min-width:16em;overflow-wrap:anywhere}td:nth-child(5){min-width:14em}\
    td img{display:block;width:128px;height:auto}";

fn bytes_out(e: &Entry) -> u64 {
    e.written.iter().map(|w| w.size).sum()
}

/// `812 kB`, `1.5 GB`.
pub fn size(bytes: u64) -> String {
    match bytes as f64 {
        b if b >= 1e9 => format!("{:.1} GB", b / 1e9),
        b if b >= 1e6 => format!("{:.1} MB", b / 1e6),
        b => format!("{:.0} kB", b / 1e3),
    }
}

/// Failures by cause.
fn causes(entries: &[Entry]) -> Vec<Cause> {
    let mut by: BTreeMap<(i32, String), Cause> = BTreeMap::new();
    for e in entries.iter().filter(|e| e.state == State::Failed) {
        let message = e.error.clone().unwrap_or_default();
        let (class, cause) = (e.class.unwrap_or(1), common(&message, e));
        let new =
            || Cause { cause: cause.clone(), class, fix: e.fix.clone().map(|f| common(&f, e)), files: Vec::new() };
        by.entry((class, cause.clone())).or_insert_with(new).files.push((short(&e.input), message));
    }
    let mut all: Vec<Cause> = by.into_values().collect();
    all.sort_by_key(|c| std::cmp::Reverse(c.files.len()));
    all
}

/// `message` without what differs from file to file: names and numbers.
fn common(message: &str, e: &Entry) -> String {
    let mut text = message.to_owned();
    let names = e.outputs.iter().chain([&e.input]).flat_map(|p| [Some(p.as_os_str()), p.file_name(), p.file_stem()]);
    // The longest first: a name may be part of a path.
    let mut names: Vec<String> =
        names.flatten().map(|n| n.to_string_lossy().into_owned()).filter(|n| n.len() > 1).collect();
    names.sort_by_key(|n| std::cmp::Reverse(n.len()));
    for name in names {
        text = text.replace(&name, "…");
    }
    let mut out = String::new();
    for c in text.chars() {
        match c.is_ascii_digit() {
            true if out.ends_with('#') => {}
            true => out.push('#'),
            false => out.push(c),
        }
    }
    out
}

/// Writes a file under a temporary name first.
fn put(path: &Path, text: &str) -> Result<(), Failure> {
    let cannot = |e: std::io::Error| Failure::output(format!("cannot write {}: {e}", path.display()));
    if let Some(folder) = path.parent().filter(|f| !f.as_os_str().is_empty()) {
        fs::create_dir_all(folder).map_err(cannot)?;
    }
    let mut partial = path.as_os_str().to_owned();
    partial.push(format!(".partial-{}", std::process::id()));
    fs::write(&partial, text).and_then(|()| fs::rename(&partial, path)).map_err(cannot)
}

//! Ctrl-C, Ctrl-Z, kill -9, a full disk, a folder under watch: what is done stays done, and the rest is done later.

use std::collections::HashSet;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use super::faults::{children, kill};
use super::{batch, jobs, videos};
use crate::common::*;
use crate::fw;
use crate::outputs::counters;

fn many(dir: &Path, n: u32) {
    let names: Vec<String> = (0..n).map(|n| format!("{n:02}.mp4")).collect();
    videos(&dir.join("in"), &[("first.mp4", 120)]);
    for name in &names {
        fs::copy(dir.join("in/first.mp4"), dir.join("in").join(name)).unwrap();
    }
    fs::remove_file(dir.join("in/first.mp4")).unwrap();
}

fn all_whole(dir: &Path, n: u32) {
    let made = listing(&dir.join("out"));
    assert_eq!(made.len(), n as usize + 1, "{made:?}");
    for name in made.iter().filter(|n| *n != "batch") {
        assert_eq!(counters(&Media::open(dir.join("out").join(name))), (0..120).collect::<Vec<_>>(), "{name}");
    }
}

const SLOW: &str = "--op blur:method=bilateral,size=9 --jobs 2";

#[test]
fn ctrl_c_once_lets_running_jobs_finish() {
    let dir = temp();
    many(dir.path(), 6);
    let mut run = batch(dir.path(), SLOW).start();
    run.until("two run", || children(dir.path()).len() == 2);
    run.signal("INT");
    let out = run.finish();
    assert_eq!(out.code, 130, "{}", out.stderr);
    out.says(&["the running jobs finish, none begins", "jobs left; the same command goes on from here"]);
    let done = jobs(dir.path()).values().filter(|j| j.0 == "done").count();
    assert!((1..6).contains(&done), "{done} done");
    assert_eq!(listing(&dir.path().join("out")).len(), done + 1, "no remains");
    batch(dir.path(), SLOW).ok().says(&[&format!("{} to do", 6 - done)]);
    all_whole(dir.path(), 6);
    assert!(jobs(dir.path()).values().all(|j| *j == ("done".into(), 1)), "none twice");
}

#[test]
fn ctrl_c_twice_ends_them_now() {
    let dir = temp();
    many(dir.path(), 4);
    let mut run = batch(dir.path(), SLOW).start();
    run.until("two run", || children(dir.path()).len() == 2);
    let running = children(dir.path());
    run.signal("INT");
    std::thread::sleep(Duration::from_millis(150));
    run.signal("INT");
    let out = run.finish();
    assert_eq!(out.code, 130, "{}", out.stderr);
    assert!(running.iter().all(|pid| !Path::new(&format!("/proc/{pid}")).exists()), "none outlives the batch");
    assert!(listing(&dir.path().join("out")).iter().all(|n| !n.contains("partial")));
    batch(dir.path(), SLOW).ok();
    all_whole(dir.path(), 4);
}

#[test]
fn after_kill_9_only_what_was_in_flight_is_done_twice() {
    let dir = temp();
    many(dir.path(), 16);
    // A run that dies before it has planned leaves what was running before it: no attempt counts twice.
    let mut killed = HashSet::new();
    for round in 0..5 {
        let mut run = batch(dir.path(), SLOW).start();
        let pause = Duration::from_millis(60 + 90 * round);
        let begun = Instant::now();
        run.until("some are done", || begun.elapsed() > pause && !children(dir.path()).is_empty());
        run.signal("KILL");
        let out = run.finish();
        assert_eq!(out.code, -9);
        // Who had no parent any more is gone, too; what the journal says is what was.
        let in_flight = children(dir.path());
        let gone = || in_flight.iter().all(|pid| !Path::new(&format!("/proc/{pid}")).exists());
        let since = Instant::now();
        while !gone() {
            assert!(since.elapsed() < Duration::from_secs(20), "{in_flight:?} go on without a parent");
            std::thread::sleep(Duration::from_millis(10));
        }
        let db = rusqlite::Connection::open(dir.path().join("out/batch/journal.db")).unwrap();
        assert_eq!(db.query_row("PRAGMA integrity_check", [], |r| r.get::<_, String>(0)).unwrap(), "ok");
        let mut running = db.prepare("SELECT input, attempts FROM jobs WHERE state = 'running'").unwrap();
        let cut = running.query_map([], |r| Ok((r.get::<_, String>(0)?, r.get::<_, u32>(1)?))).unwrap();
        killed.extend(cut.map(Result::unwrap));
    }
    batch(dir.path(), SLOW).ok();
    all_whole(dir.path(), 16);
    for (name, (state, attempts)) in jobs(dir.path()) {
        let cut = killed.iter().filter(|(input, _)| input.ends_with(&format!("/{name}"))).count() as u32;
        assert_eq!((state.as_str(), attempts), ("done", 1 + cut), "{name}");
    }
}

#[test]
fn ctrl_z_holds_the_jobs_too() {
    let dir = temp();
    many(dir.path(), 2);
    let mut run = batch(dir.path(), SLOW).words("--stall 3").start();
    run.until("two run", || children(dir.path()).len() == 2);
    let running = children(dir.path());
    run.signal("TSTP");
    let state = |pid: u32| {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        stat.rsplit(") ").next().and_then(|s| s.chars().next()).unwrap_or('?')
    };
    let all: Vec<u32> = running.iter().copied().chain([run.id()]).collect();
    run.until("all are held", || all.iter().all(|pid| matches!(state(*pid), 'T' | '?' | 'Z')));
    assert_eq!(state(run.id()), 'T');
    // Longer than a job may stand still.
    std::thread::sleep(Duration::from_secs(4));
    run.signal("CONT");
    let out = run.finish();
    assert_eq!(out.code, 0, "{}", out.stderr);
    all_whole(dir.path(), 2);
}

#[test]
fn without_room_on_the_disk_it_pauses_and_fails_nothing() {
    let dir = temp();
    many(dir.path(), 3);
    let mut run = batch(dir.path(), "--min-free 100000T").start();
    let journal = dir.path().join("out/batch/journal.db");
    run.until("the plan is there", || journal.exists());
    std::thread::sleep(Duration::from_secs(2));
    run.signal("INT");
    let out = run.finish();
    assert_eq!(out.code, 130, "{}", out.stderr);
    assert_eq!(out.stderr.matches("paused: only").count(), 1, "one clear message:\n{}", out.stderr);
    out.says(&["--min-free", "it goes on by itself"]);
    let state = jobs(dir.path());
    assert!(state.values().all(|j| j.0 != "failed"), "{state:?}");
    batch(dir.path(), "").ok();
    all_whole(dir.path(), 3);
}

#[test]
fn two_batches_do_not_share_a_journal() {
    let dir = temp();
    many(dir.path(), 4);
    let mut run = batch(dir.path(), SLOW).start();
    run.until("one runs", || !children(dir.path()).is_empty());
    batch(dir.path(), SLOW).fails(4).says(&["another batch is at work with the journal", "--journal"]);
    kill("INT", run.id());
    run.finish();
}

#[test]
fn a_folder_under_watch_gives_its_files_when_they_are_whole() {
    let dir = temp();
    videos(&dir.path().join("made"), &[("old.mp4", 9), ("new.mp4", 30)]);
    let watched = dir.path().join("in");
    fs::create_dir_all(watched.join("sub")).unwrap();
    fs::copy(dir.path().join("made/old.mp4"), watched.join("old.mp4")).unwrap();
    let mut run = fw!["batch", "--watch", "in", "-o", "out/{dir}/{stem}.mp4"]
        .words("--preset ultrafast --settle 1.5 --when-done move:archive")
        .within(dir.path())
        .start();
    let archive = dir.path().join("archive");
    run.until("what was there is done", || archive.join("old.mp4").exists());
    let bytes = fs::read(dir.path().join("made/new.mp4")).unwrap();
    let (first, rest) = bytes.split_at(bytes.len() / 2);
    let slow = watched.join("sub/new.mp4");
    fs::write(&slow, first).unwrap();
    std::thread::sleep(Duration::from_millis(900));
    assert!(!dir.path().join("out/sub/new.mp4").exists());
    fs::write(&slow, [first, rest].concat()).unwrap();
    run.until("what arrived is done", || archive.join("sub/new.mp4").exists());
    run.signal("INT");
    let out = run.finish();
    assert_eq!(out.code, 0, "{}", out.stderr);
    assert_eq!(Media::open(dir.path().join("out/sub/new.mp4")).frames(), 30);
    assert_eq!(Media::open(dir.path().join("out/old.mp4")).frames(), 9);
    assert_eq!(listing(&watched), ["sub"]);
}

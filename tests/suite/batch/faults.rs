//! Hostile inputs and jobs that crash, hang or take too much: each costs itself only.

use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::process::Command;

use super::{batch, jobs, videos};
use crate::common::*;
use crate::fw;

/// Pids of the jobs that run.
pub fn children(dir: &Path) -> Vec<u32> {
    let Ok(db) = rusqlite::Connection::open(dir.join("out/batch/journal.db")) else { return Vec::new() };
    let _ = db.busy_timeout(std::time::Duration::from_secs(5));
    let Ok(mut all) = db.prepare("SELECT pid FROM jobs WHERE state = 'running'") else { return Vec::new() };
    all.query_map([], |r| r.get(0)).map(|rows| rows.filter_map(Result::ok).collect()).unwrap_or_default()
}

pub fn kill(signal: &str, pid: u32) {
    assert!(signalled(signal, pid));
}

/// False where there is no such process any more.
fn signalled(signal: &str, pid: u32) -> bool {
    let line = format!("kill -{signal} {pid} 2> /dev/null");
    Command::new("sh").arg("-c").arg(line).status().is_ok_and(|s| s.success())
}

#[test]
fn every_fault_costs_one_clear_line_and_no_other_file() {
    let dir = temp();
    let input = dir.path().join("in");
    videos(&input, &[("good.mp4", 6)]);
    let good = fs::read(input.join("good.mp4")).unwrap();
    let fine = [
        "a b.mp4",
        "quo'te\".mp4",
        "100%.mp4",
        "%05d.mp4",
        "new\nline.mp4",
        "-dash.mp4",
        "{stem}.mp4",
        "*[x]?.mp4",
        "test:ball.mp4",
        "wrong.avi",
    ];
    for name in fine {
        fs::write(input.join(name), &good).unwrap();
    }
    fs::write(input.join(std::ffi::OsStr::from_bytes(b"bad\xff.mp4")), &good).unwrap();
    fs::create_dir(input.join("folder.mp4")).unwrap();
    fs::write(input.join("zero.mp4"), b"").unwrap();
    fs::write(input.join("text.mp4"), b"hello\n").unwrap();
    fs::write(input.join("truncated.mp4"), &good[..good.len() / 3]).unwrap();
    let noise: Vec<u8> = (0u32..30_000).map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    fs::write(input.join("random.mp4"), noise).unwrap();
    assert!(Command::new("mkfifo").arg(input.join("pipe.mp4")).status().unwrap().success());
    std::os::unix::fs::symlink("nowhere.mp4", input.join("dangling.mp4")).unwrap();
    let out = batch(dir.path(), "").fails(1);
    let state = jobs(dir.path());
    for name in fine.iter().chain(&["good.mp4", "bad%FF.mp4"]) {
        assert_eq!(state[*name], ("done".to_owned(), 1), "{name}:\n{}", out.stderr);
    }
    let made = Media::open(dir.path().join("out/bad%FF.mp4"));
    assert_eq!(made.frames(), 6);
    for (name, why) in [
        ("zero.mp4", "it is empty (0 bytes)"),
        ("text.mp4", "cannot open text.mp4"),
        ("truncated.mp4", "cannot open truncated.mp4"),
        ("random.mp4", "cannot open random.mp4"),
        ("pipe.mp4", "it is a pipe (FIFO), not a file"),
    ] {
        assert_eq!(state[name].0, "failed", "{name}");
        let line = out.stderr.lines().find(|l| l.contains("] failed") && l.contains(&format!("in/{name}")));
        assert!(line.is_some_and(|l| l.contains(why)), "{name}: {line:?} in\n{}", out.stderr);
    }
    assert_eq!(state.len(), fine.len() + 2 + 5, "the folder and the dangling link are no jobs: {state:?}");
}

/// In a process that has everything loaded a demuxer gives up before decodebin hears what it says.
#[test]
fn a_file_without_index_is_refused_in_a_process_that_did_others() {
    let dir = temp();
    let input = dir.path().join("in");
    videos(&input, &[("good.mp4", 40)]);
    let good = fs::read(input.join("good.mp4")).unwrap();
    // The largest goes first. What is left of the other one has no index.
    fs::write(input.join("cut.mp4"), &good[..good.len() / 2]).unwrap();
    let out = batch(dir.path(), "--jobs 1").fails(1);
    out.says(&["cannot open cut.mp4: This file contains no playable streams"]);
    assert_eq!(jobs(dir.path())["good.mp4"].0, "done");
}

#[test]
fn a_gif_that_repeats_for_ever_ends() {
    let dir = temp();
    fs::create_dir(dir.path().join("in")).unwrap();
    let file = fs::File::create(dir.path().join("in/loop.gif")).unwrap();
    let mut gif = gif::Encoder::new(file, 64, 48, &[0, 0, 0, 255, 255, 255]).unwrap();
    gif.set_repeat(gif::Repeat::Infinite).unwrap();
    for n in 0..4u8 {
        let frame = gif::Frame {
            width: 64,
            height: 48,
            delay: 10,
            buffer: vec![n % 2; 64 * 48].into(),
            ..gif::Frame::default()
        };
        gif.write_frame(&frame).unwrap();
    }
    drop(gif);
    batch(dir.path(), "").ok();
    assert_eq!(Media::open(dir.path().join("out/loop.mp4")).frames(), 4);
}

/// True once a job writes: signals that come while a program is being started may be lost.
fn writes(dir: &Path) -> bool {
    let output = |e: std::io::Result<fs::DirEntry>| e.is_ok_and(|e| e.file_name() != "batch");
    fs::read_dir(dir.join("out")).is_ok_and(|mut d| d.any(output))
}

/// A batch with one job that takes its time, once its process is at work.
fn slow(dir: &Path, words: &str) -> (Running, u32) {
    videos(&dir.join("in"), &[("slow.mp4", 300)]);
    let mut run = batch(dir, "--op denoise:method=nlm").words(words).start();
    let mut pid = None;
    run.until("a job writes", || {
        pid = children(dir).first().copied();
        pid.is_some() && writes(dir)
    });
    (run, pid.unwrap())
}

#[test]
fn a_crash_is_tried_again_and_told() {
    let dir = temp();
    let (mut run, pid) = slow(dir.path(), "--retries 1");
    let mut again = None;
    run.until("it is begun again", || {
        again = children(dir.path()).first().copied().filter(|p| *p != pid);
        // Rust's own handler takes the first one for an overflow of the stack, finds none, and waits for it to come again.
        let _ = again.is_none() && signalled("SEGV", pid);
        again.is_some() && writes(dir.path())
    });
    kill("ABRT", again.unwrap());
    let out = run.finish();
    assert_eq!(out.code, 1, "{}", out.stderr);
    out.says(&["again: ", "SIGSEGV", "SIGABRT"]);
    assert_eq!(jobs(dir.path())["slow.mp4"], ("failed".into(), 2));
    assert_eq!(listing(&dir.path().join("out")), ["batch"], "no remains");
}

#[test]
fn a_job_that_hangs_is_ended() {
    let dir = temp();
    let (run, pid) = slow(dir.path(), "--retries 0 --stall 2");
    kill("STOP", pid);
    let out = run.finish();
    assert_eq!(out.code, 1, "{}", out.stderr);
    out.says(&["it made no progress for 2 s", "--stall"]);
}

#[test]
fn limits_of_time_and_memory_hold() {
    let dir = temp();
    videos(&dir.path().join("in"), &[("slow.mp4", 300)]);
    let limited = |words: &str| batch(dir.path(), "--op denoise:method=nlm --retries 0").words(words).fails(1);
    limited("--limit 1").says(&["it was not done after 1 s", "--limit"]);
    limited("--memory 20M").says(&["MB of memory, 20 MB are allowed"]);
    assert_eq!(listing(&dir.path().join("out")), ["batch"], "no remains");
}

#[test]
fn wrong_options_are_told_before_anything_begins() {
    let dir = temp();
    videos(&dir.path().join("in"), &[("a.mp4", 3)]);
    for (words, said) in [
        ("--shard 4/3", "3/16"),
        ("--jobs 0", "auto"),
        ("--memory lots", "800M"),
        ("--when-done burn --watch in", "move:FOLDER"),
        ("--op blurr", "did you mean `blur`"),
    ] {
        let out = batch(dir.path(), words).end();
        assert_eq!(out.code, 2, "{words}: {}", out.stderr);
        assert!(out.stderr.contains(said), "{words}: {}", out.stderr);
    }
    assert!(!dir.path().join("out").exists());
    // A job is nothing that a person runs.
    fw!["job"].fails(2).says(&["a batch starts this"]);
}

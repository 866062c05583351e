//! Ops that drop, repeat and move frames: the files they leave, against ffmpeg's filters and against arithmetic.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use crate::common::*;
use crate::fw;
use crate::outputs::counters;

/// Numbered frames in an MP4 file.
fn numbered(folder: &Path, fps: &str, frames: u32) -> PathBuf {
    let path = folder.join(format!("in{}.mp4", fps.replace('/', "-")));
    fw!["run", "generate:counter", "-o", &path, "--overwrite", "--fps", fps, "--frames", frames.to_string()]
        .words("--size 320x240")
        .ok();
    path
}

/// The same after one of ffmpeg's filters.
fn filtered(input: &Path, name: &str, filter: &str) -> PathBuf {
    let out = input.with_file_name(name);
    let mut args: Vec<&OsStr> = ["-v", "error", "-nostdin", "-y", "-i"].map(OsStr::new).to_vec();
    args.push(input.as_os_str());
    // Without B-frames: the demuxer loses the end of a file whose decoding times run far ahead, as a gap makes them do.
    args.extend(["-vf", filter, "-fps_mode", "vfr", "-an", "-c:v", "libx264", "-bf", "0", "-qp", "10"].map(OsStr::new));
    args.push(out.as_os_str());
    tool("ffmpeg", &args);
    out
}

/// Runs `ops` and reopens what they wrote.
fn run(input: &Path, ops: &[&str]) -> (Media, Output, TempDir) {
    let dir = temp();
    let out = dir.path().join("out.mp4");
    let mut run = fw!["run", input, "-o", &out];
    for op in ops {
        run = run.arg("--op").arg(op);
    }
    let done = run.ok();
    (Media::open(&out), done, dir)
}

fn check_times(media: &Media, wanted: impl Iterator<Item = f64>, what: &str) {
    let (pts, wanted): (Vec<f64>, Vec<f64>) = (media.pts(), wanted.collect());
    assert_eq!(pts.len(), wanted.len(), "{what}: {pts:?}");
    for (i, (a, b)) in pts.iter().zip(&wanted).enumerate() {
        // Half a tick of the file's 90000, and ffprobe's six digits.
        assert!((a - b).abs() < 1.2e-5, "{what}: frame {i} at {a}, not {b}");
    }
}

#[test]
fn fps_takes_the_frames_that_ffmpeg_takes_at_exact_times() {
    let dir = temp();
    for (from, to) in
        [("25", "60"), ("60", "30"), ("30", "24"), ("30000/1001", "25"), ("25", "10"), ("24", "30000/1001")]
    {
        let input = numbered(dir.path(), from, 40);
        let ffmpeg = counters(&Media::open(filtered(&input, "ffmpeg.mp4", &format!("fps={to}"))));
        let (media, done, _dir) = run(&input, &[&format!("fps:rate={to}")]);
        let what = format!("{from} to {to}");
        assert_eq!(counters(&media), ffmpeg, "{what}");
        let (n, d) = to.split_once('/').map_or((to, "1"), |p| p);
        let length = d.parse::<f64>().expect("a number") / n.parse::<f64>().expect("a number");
        check_times(&media, (0..ffmpeg.len()).map(|i| i as f64 * length), &what);
        assert_eq!(media.tag("avg_frame_rate"), format!("{n}/{d}"), "{what}");
        assert_eq!(done.count("frames_out"), ffmpeg.len() as u64);
        assert_eq!(done.count("copies"), 0, "{what}: repeats share their pixels");
    }
}

#[test]
fn fps_fills_the_holes_of_a_variable_rate() {
    let dir = temp();
    let input = filtered(&numbered(dir.path(), "25", 60), "vfr.mp4", "select='not(mod(n\\,7))+lt(n\\,10)+gt(n\\,50)'");
    let ffmpeg = counters(&Media::open(filtered(&input, "ffmpeg.mp4", "fps=25")));
    let (media, _, _dir) = run(&input, &["fps:rate=25"]);
    assert_eq!(counters(&media), ffmpeg);
    check_times(&media, (0..ffmpeg.len()).map(|i| i as f64 / 25.0), "vfr");
}

#[test]
fn repeated_frames_may_be_drawn_on() {
    let dir = temp();
    let input = numbered(dir.path(), "10", 5);
    let (media, _done, _dir) = run(&input, &["fps:rate=20", "text:text={pts},position=bottom-left,size=20"]);
    let (numbers, md5s) = (counters(&media), media.md5s());
    assert_eq!(numbers, [0, 0, 1, 1, 2, 2, 3, 3, 4, 4][..numbers.len()]);
    assert_ne!(md5s[2], md5s[3], "each repeat has its own text");
}

#[test]
fn the_audio_stays_with_fps_and_skip() {
    let dir = temp();
    let input = dir.path().join("tone.mp4");
    fw!["run", "test:ball", "-o", &input].words("--frames 50 --fps 25 --size 160x120 --tone").ok();
    let before = Media::open(&input).audio(0);
    for op in ["fps:rate=60", "skip:threshold=200,block=255"] {
        let (media, _done, _dir) = run(&input, &[op]);
        let after = media.audio(0);
        assert!(before.len() > 50 && after == before, "{op}: {} packets became {}", before.len(), after.len());
    }
}

#[test]
fn speed_scales_times_and_says_that_the_audio_is_gone() {
    let dir = temp();
    let input = dir.path().join("tone.mp4");
    fw!["run", "test:ball", "-o", &input].words("--frames 50 --fps 25 --size 160x120 --tone").ok();
    for (factor, length) in [("2", 0.02), ("0.5", 0.08), ("1.25", 0.032)] {
        let (media, done, _dir) = run(&input, &[&format!("speed:factor={factor}")]);
        check_times(&media, (0..50).map(|i| f64::from(i) * length), factor);
        assert!(media.streams("audio").is_empty());
        assert!(done.notices().contains("audio left out: op speed"), "{}", done.notices());
        assert!((media.duration() - 50.0 * length).abs() < 0.002, "{factor}: {}", media.duration());
    }
    let (media, done, _dir) = run(&input, &["speed:factor=1"]);
    assert!(media.streams("audio").len() == 1 && !done.notices().contains("left out"), "1 changes nothing");
    // A slow part between parts as they were.
    let input = numbered(dir.path(), "25", 50);
    let (media, _done, _dir) = run(&input, &["speed:factor=0.5,from=0.4,to=0.8"]);
    let wanted = |i: u32| f64::from(i + i.clamp(10, 20) - 10) / 25.0;
    check_times(&media, (0..50).map(wanted), "a part");
    let (media, _done, _dir) = run(&input, &["speed:factor=4", "fps:rate=25"]);
    let ffmpeg = counters(&Media::open(filtered(&input, "ffmpeg.mp4", "setpts=PTS/4,fps=25")));
    assert_eq!(counters(&media), ffmpeg);
}

#[test]
fn trim_keeps_parts_and_closes_up() {
    let dir = temp();
    let input = numbered(dir.path(), "25", 50);
    let wanted: Vec<u32> = (10..20).chain(30..50).collect();
    for op in ["trim:keep=0.4s..0.8s, 1.2s..", "trim:cut=..0.4s, 0.8s..1.2s", "trim:keep=1.2s..,0.4s..0.8s"] {
        let (media, _done, _dir) = run(&input, &[op]);
        assert_eq!(counters(&media), wanted, "{op}");
        check_times(&media, (0..30).map(|i| f64::from(i) / 25.0), op);
    }
    // With --start, times are still those of the source.
    let out = dir.path().join("start.mp4");
    fw!["run", &input, "-o", &out, "--op", "trim:keep=1s..1.2s"].words("--start 0.8").ok();
    let media = Media::open(&out);
    assert_eq!(counters(&media), (25..30).collect::<Vec<_>>());
    check_times(&media, (0..5).map(|i| f64::from(i) / 25.0), "--start");
    let failed = fw!["run", &input, "-o", dir.path().join("none.mp4"), "--op", "trim:keep=10s.."].fails(3);
    failed.says(&["left no frame", "op trim"]);
    assert!(!dir.path().join("none.mp4").exists());
}

#[test]
fn skip_drops_what_is_repeated_and_shows_the_rest_for_longer() {
    let dir = temp();
    let input = filtered(&numbered(dir.path(), "10", 12), "dup.mp4", "fps=30");
    let decimated = Media::open(filtered(&input, "ffmpeg.mp4", "mpdecimate"));
    let (media, done, _dir) = run(&input, &["skip"]);
    assert_eq!(counters(&media), (0..12).collect::<Vec<_>>());
    assert_eq!(media.pts(), decimated.pts(), "as ffmpeg's mpdecimate");
    assert_eq!(done.stats["ops"][0]["report"]["dropped"], 36 - 12);
    done.says(&["24 frames dropped"]);
    // Limits by count and by time.
    let still = "pipeline:videotestsrc num-buffers=30 pattern=white ! video/x-raw,width=64,height=64,framerate=10/1";
    for (op, wanted) in [("skip", 1), ("skip:max=4", 6), ("skip:max-time=1", 3), ("skip:when=1s..2s", 21)] {
        let out = fw!["run", still, "-o", "null", "--op", op].ok();
        assert_eq!(out.count("frames_out"), wanted, "{op}");
    }
}

#[test]
fn freeze_repair_fills_gaps_and_dropouts_but_leaves_what_is_meant() {
    let dir = temp();
    let input = numbered(dir.path(), "25", 60);
    let black = |from: u32, to: u32| {
        format!("drawbox=x=0:y=0:w=iw:h=ih:color=black:t=fill:enable='between(n\\,{from}\\,{to})'")
    };
    let broken = filtered(&input, "broken.mp4", &format!("{},select='not(between(n\\,10\\,12))'", black(20, 21)));
    let (media, done, _dir) = run(&broken, &["freeze-repair"]);
    let wanted: Vec<u32> = (0..60)
        .map(|n| match n {
            10..=12 => 9,
            20..=21 => 19,
            n => n,
        })
        .collect();
    assert_eq!(counters(&media), wanted);
    check_times(&media, (0..60).map(|i| f64::from(i) / 25.0), "repaired");
    let report = &done.stats["ops"][0]["report"];
    assert_eq!((report["filled"].as_u64(), report["replaced"].as_u64()), (Some(3), Some(2)), "{report}");
    assert_eq!(report["spans"].as_array().map(Vec::len), Some(2), "{report}");
    // A second of black is meant to be there, and so is a pause.
    let meant = filtered(&input, "meant.mp4", &format!("{},select='not(between(n\\,1\\,18))'", black(25, 49)));
    let (media, done, _dir) = run(&meant, &["freeze-repair"]);
    assert_eq!(media.frames(), 60 - 18);
    let report = &done.stats["ops"][0]["report"];
    assert_eq!((report["filled"].as_u64(), report["replaced"].as_u64()), (Some(0), Some(0)), "{report}");
    assert_eq!(media.pts(), Media::open(&meant).pts());
    // Fading to black is no dropout either.
    let fade = filtered(&input, "fade.mp4", "fade=out:10:20");
    let (media, done, _dir) = run(&fade, &["freeze-repair"]);
    assert_eq!((media.frames(), done.stats["ops"][0]["report"]["replaced"].as_u64()), (60, Some(0)));
}

#[test]
fn what_makes_no_sense_is_refused_with_a_reason() {
    for (op, why) in [
        ("fps:rate=0", "above 0 and up to 1000"),
        ("fps:when=1s..2s", "a video has one frame rate"),
        ("speed:factor=200", "0.1 to 100"),
        ("speed:factor=2,when=1s..2s", "from and to"),
        ("speed:factor=2,from=3,to=2", "not before"),
        ("trim", "give keep or cut"),
        ("trim:keep=1s..2s,cut=3s..4s", "exclude each other"),
        ("trim:keep=every 5", "no part"),
        ("skip:region='0,0,8,8'", "region is not possible"),
        ("speed:factor=[[0s,1],[2s,3]]", "keeps state"),
        ("freeze-repair:max=20", "0.01 to 10"),
    ] {
        fw!["run", "test:smpte", "-o", "null", "--op", op].fails(2).says(&[why]);
    }
}

/// B-frames with and without an edit list, whole and in fragments, and with a gap of seven seconds: every picture is read, in its time.
#[test]
fn b_frames_are_read_to_the_last_one() {
    let dir = temp();
    let path = dir.path().join("b.mp4");
    for gap in [1000, 6, 1] {
        for form in ["", "-use_editlist 0", "-movflags frag_keyframe", "-movflags +frag_keyframe+empty_moov"] {
            if gap == 1 && form.contains("editlist") {
                // Such a file does not say how long it is: its last pictures begin behind its end.
                continue;
            }
            let what = format!("a gap after picture {gap}, {form}");
            let script = format!("setpts='PTS+gt(N,{gap})*7/TB'");
            let words = format!("-fps_mode vfr -frames:v 42 -c:v libx264 -g 15 -bf 3 -b_strategy 0 {form}");
            let source = ["-v", "error", "-y", "-f", "lavfi", "-i", "testsrc2=s=160x120:r=20:d=20", "-vf", &script];
            let args = source.into_iter().chain(words.split_whitespace()).map(std::ffi::OsStr::new);
            tool("ffmpeg", &args.chain([path.as_os_str()]).collect::<Vec<_>>());
            let out = dir.path().join("out.mkv");
            let run = fw!["run", &path, "-o", &out, "--overwrite", "--encoder", "ffv1"].ok();
            assert_eq!((run.count("frames_in"), run.count("frames_out")), (42, 42), "{what}");
            let (was, is) = (Media::open(&path), Media::open(&out));
            assert_eq!(was.md5s(), is.md5s(), "{what}");
            let (was, is) = (was.pts(), is.pts());
            let worst = was.iter().zip(&is).map(|(a, b)| ((a - was[0]) - (b - is[0])).abs()).fold(0.0, f64::max);
            assert!(worst < 0.001_001, "{what}: worst PTS error {worst} s");
        }
    }
}

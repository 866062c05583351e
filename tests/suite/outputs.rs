//! What can be written, what is refused, and that nothing else is touched.

use std::path::Path;

use crate::common::*;
use crate::fw;

fn installed(element: &str) -> bool {
    gstreamer::init().expect("GStreamer");
    gstreamer::ElementFactory::find(element).is_some()
}

/// Encoders by name, with the element behind and the codec that ffprobe sees.
const ENCODERS: [(&str, &str, &str); 9] = [
    ("x264", "x264enc", "h264"),
    ("x265", "x265enc", "hevc"),
    ("openh264", "openh264enc", "h264"),
    ("vp8", "vp8enc", "vp8"),
    ("vp9", "vp9enc", "vp9"),
    ("av1", "av1enc", "av1"),
    ("mpeg4", "avenc_mpeg4", "mpeg4"),
    ("mjpeg", "jpegenc", "mjpeg"),
    ("ffv1", "avenc_ffv1", "ffv1"),
];

/// Every container with every encoder: either a whole file with every frame in its place, or a refusal that names both.
fn each_encoder(extension: &str, must: &[&str]) {
    for (encoder, _, codec) in ENCODERS.into_iter().filter(|(_, e, _)| installed(e)) {
        let dir = temp();
        let out = dir.path().join(format!("out.{extension}"));
        let run = fw!["run", "generate:counter", "-o", &out, "--encoder", encoder]
            .words("--frames 12 --size 320x240 --fps 25")
            .end();
        if run.code != 0 {
            assert!(!must.contains(&encoder), "{encoder} in {extension}:\n{}", run.stderr);
            assert_eq!(run.code, 4, "{encoder} in {extension}:\n{}", run.stderr);
            run.says(&["cannot hold", encoder]);
            assert!(listing(dir.path()).is_empty(), "{encoder} in {extension} left {:?}", listing(dir.path()));
            continue;
        }
        let media = Media::open(&out);
        assert_eq!(media.tag("codec_name"), codec, "{encoder} in {extension}");
        let pts = media.pts();
        assert_eq!(pts.len(), 12, "{encoder} in {extension}: frames");
        for (i, t) in pts.iter().enumerate() {
            let error = (t - pts[0] - i as f64 / 25.0).abs();
            assert!(error < 0.0011, "{encoder} in {extension}: frame {i} at {t}, the first at {}", pts[0]);
        }
        assert_eq!(counters(&media), (0..12).collect::<Vec<_>>(), "{encoder} in {extension}");
    }
}

/// The number that each frame of `generate:counter` shows.
pub fn counters(media: &Media) -> Vec<u32> {
    let w = media.size().0 as usize;
    let read = |luma: &Vec<u8>| {
        let mat = opencv::core::Mat::from_slice(luma).expect("a Mat");
        let mat = opencv::prelude::MatTraitConst::reshape(&mat, 1, (luma.len() / w) as i32).expect("a picture");
        framewright::source::generate::read_counter(&mat).unwrap_or(u32::MAX)
    };
    media.gray().iter().map(read).collect()
}

#[test]
fn mp4_with_every_encoder() {
    each_encoder("mp4", &["x264", "x265", "openh264", "mpeg4", "av1"]);
}

#[test]
fn mov_with_every_encoder() {
    each_encoder("mov", &["x264", "x265", "openh264", "mpeg4", "mjpeg"]);
}

#[test]
fn mkv_with_every_encoder() {
    each_encoder("mkv", &["x264", "x265", "openh264", "vp8", "vp9", "av1", "mpeg4", "mjpeg", "ffv1"]);
}

#[test]
fn webm_with_every_encoder() {
    each_encoder("webm", &["vp8", "vp9", "av1"]);
}

#[test]
fn avi_with_every_encoder() {
    each_encoder("avi", &["x264", "mpeg4", "mjpeg"]);
}

#[test]
fn ts_with_every_encoder() {
    each_encoder("ts", &["x264", "x265"]);
}

#[test]
fn many_outputs_at_once_hold_the_same_frames() {
    let dir = temp();
    let path = |n: &str| dir.path().join(n);
    fw!["run", "generate:counter", "-o", path("a.mp4"), "-o", path("b.mkv"), "-o", path("c.webm"), "-o", "null"]
        .arg("-o")
        .arg(path("p/%03d.png"))
        .words("-o")
        .arg("pipeline:videoconvert ! fakesink")
        .words("--frames 20 --size 320x240")
        .ok();
    for name in ["a.mp4", "b.mkv", "c.webm"] {
        assert_eq!(counters(&Media::open(path(name))), (0..20).collect::<Vec<_>>(), "{name}");
    }
    assert_eq!(listing(&path("p")).len(), 20);
    assert_eq!(listing(dir.path()), ["a.mp4", "b.mkv", "c.webm", "p"], "nothing else is left");
}

#[test]
fn pictures_are_numbered_from_0_and_read_back() {
    let dir = temp();
    for (pattern, first) in
        [("f%05d.png", "f00000.png"), ("g%d.jpg", "g0.jpg"), ("h-%02d.bmp", "h-00.bmp"), ("i%03d.tiff", "i000.tiff")]
    {
        let out = dir.path().join(pattern);
        fw!["run", "generate:counter", "-o", &out].words("--frames 3 --size 320x240").ok();
        let media = Media::open(dir.path().join(first));
        assert_eq!(media.size(), (320, 240), "{first}");
        assert_eq!(counters(&media), [0], "{first}");
    }
    assert_eq!(listing(dir.path()).len(), 12);
}

#[test]
fn what_exists_is_not_replaced_unasked() {
    let dir = temp();
    for name in ["out.mp4", "p%02d.png"] {
        let there = dir.path().join(name.replace("%02d", "00"));
        std::fs::write(&there, "mine").unwrap();
        let run = || fw!["run", "test:smpte", "-o", dir.path().join(name)].words("--frames 2 --size 64x64");
        run().fails(4).says(&["exists", "--overwrite"]);
        assert_eq!(std::fs::read(&there).unwrap(), b"mine");
        run().words("--overwrite").ok();
        assert!(std::fs::metadata(&there).unwrap().len() > 100, "{name}");
    }
}

#[test]
fn the_input_is_never_the_output() {
    let dir = temp();
    let input = dir.path().join("in.mp4");
    fw!["run", "test:ball", "-o", &input].words("--frames 5 --size 64x64").ok();
    let before = std::fs::read(&input).unwrap();
    std::os::unix::fs::symlink(&input, dir.path().join("link.mp4")).unwrap();
    for name in ["in.mp4", "./in.mp4", "link.mp4"] {
        fw!["run", &input, "-o", dir.path().join(name), "--overwrite"].fails(4).says(&["input itself"]);
        assert_eq!(std::fs::read(&input).unwrap(), before, "{name}");
    }
    // A second name of the same file is replaced, not written through.
    std::fs::hard_link(&input, dir.path().join("hard.mp4")).unwrap();
    fw!["run", &input, "-o", dir.path().join("hard.mp4"), "--overwrite"].ok();
    assert_eq!(std::fs::read(&input).unwrap(), before);
}

#[test]
fn places_that_cannot_be_written_are_named() {
    let dir = temp();
    let file = dir.path().join("file");
    std::fs::write(&file, "x").unwrap();
    for (path, word) in [
        (dir.path().join("missing/out.mp4"), "missing"),
        (file.join("out.mp4"), "file"),
        (Path::new("/proc/out.mp4").to_owned(), "/proc"),
        (dir.path().to_owned(), "directory"),
    ] {
        fw!["run", "test:smpte", "-o", &path, "--frames", "2"].fails(4).says(&["cannot write", word]);
    }
    assert_eq!(listing(dir.path()), ["file"]);
}

#[test]
fn names_that_say_nothing_or_something_unknown_are_refused() {
    let dir = temp();
    let run = |name: &str| fw!["run", "test:smpte", "-o", dir.path().join(name), "--frames", "2"];
    run("out").fails(4).says(&["extension"]);
    run("out.mp5").fails(4).says(&[".mp5", "did you mean `mp4`"]);
    run("out.png").fails(2).says(&["number", "%05d"]);
    let twice = dir.path().join("o.mp4");
    fw!["run", "test:smpte", "-o", &twice, "-o", &twice, "--frames", "2"].fails(4).says(&["two outputs"]);
    assert!(listing(dir.path()).is_empty());
}

#[test]
fn encoders_that_are_not_there_are_named_with_those_that_are() {
    let dir = temp();
    let run = |words: &str| fw!["run", "test:smpte", "-o", dir.path().join("o.mp4"), "--frames", "2"].words(words);
    run("--encoder x26").fails(4).says(&["no encoder `x26`", "x264"]);
    run("--encoder vp8").fails(4).says(&["MP4 cannot hold vp8"]);
    run("--preset fastest").fails(2).says(&["fastest", "ultrafast"]);
    run("--encoder-option nonsense=1").fails(2).says(&["no property `nonsense`"]);
    run("--encoder-option nonsense").fails(2).says(&["KEY=VALUE"]);
    assert!(listing(dir.path()).is_empty());
}

#[test]
fn quality_bitrate_keyint_and_options_reach_the_encoder() {
    let dir = temp();
    let size = |name: &str, words: &str| {
        let out = dir.path().join(name);
        fw!["run", "generate:scene", "-o", &out]
            .words("--frames 50 --size 320x240 --preset veryfast")
            .words(words)
            .ok();
        std::fs::metadata(out).unwrap().len()
    };
    let (fine, coarse) = (size("a.mp4", "--quality 10"), size("b.mp4", "--quality 40"));
    assert!(fine > 3 * coarse, "quality 10 gives {fine} bytes, quality 40 {coarse}");
    let (rich, poor) = (size("c.mp4", "--bitrate 2000"), size("d.mp4", "--bitrate 100"));
    assert!(rich > 2 * poor, "2000 kbit/s give {rich} bytes, 100 give {poor}");
    size("e.mp4", "--keyint 10");
    let keys = Media::open(dir.path().join("e.mp4")).keyframes();
    assert!(keys.len() >= 5 && keys[1] <= 10, "keyframes at {keys:?}");
    size("f.mp4", "--encoder-option key-int-max=5");
    assert!(Media::open(dir.path().join("f.mp4")).keyframes().len() >= 10);
}

#[test]
fn names_of_all_kinds_are_written() {
    let dir = temp();
    for name in
        ["a b.mp4", "it's \"q\".mp4", "50%.mp4", "%d.mp4", "new\nline.mkv", "é漢.mp4", "a!b.mp4", "-x.mp4", "#1?.mp4"]
    {
        let run = fw!["run", "test:smpte", "-o", format!("./{name}")].words("--frames 2 --size 64x64");
        run.within(dir.path()).ok();
        assert_eq!(Media::open(dir.path().join(name)).frames(), 2, "{name}");
    }
    assert_eq!(listing(dir.path()).len(), 9);
}

#[test]
fn a_finished_mp4_is_a_plain_one() {
    let dir = temp();
    for (name, words) in [("a.mp4", ""), ("b.mov", ""), ("c.mp4", "--tone 440")] {
        let out = dir.path().join(name);
        fw!["run", "test:ball", "-o", &out].words("--frames 90 --size 160x120").words(words).ok();
        let boxes = Media::open(&out).boxes();
        assert!(!boxes.iter().any(|b| b == "moof"), "{name}: {boxes:?}");
        assert_eq!(boxes.iter().filter(|b| *b == "moov").count(), 1, "{name}: {boxes:?}");
        assert!(boxes[0] == "ftyp" && boxes.iter().any(|b| b == "mdat"), "{name}: {boxes:?}");
        assert!(boxes.iter().all(|b| matches!(b.as_str(), "ftyp" | "moov" | "mdat" | "free")), "{name}: {boxes:?}");
    }
    assert_eq!(listing(dir.path()), ["a.mp4", "b.mov", "c.mp4"]);
}

#[test]
fn a_failed_output_leaves_the_others_whole() {
    let dir = temp();
    let out = dir.path().join("good.mkv");
    let broken = "pipeline:identity error-after=20 ! fakesink";
    let run = fw!["run", "generate:counter", "-o", &out, "-o", broken].words("--frames 80 --size 320x240").fails(4);
    assert_eq!(counters(&Media::open(&out)), (0..80).collect::<Vec<_>>());
    assert!(run.stats["sinks"][1]["error"].is_string(), "{}", run.stats);
    assert!(run.stats["sinks"][0]["error"].is_null(), "{}", run.stats);
}

#[test]
fn a_disk_that_is_full_is_said_and_costs_nothing_else() {
    let dir = temp();
    let out = dir.path().join("out.mkv");
    std::fs::write(dir.path().join("other"), "mine").unwrap();
    let run = fw!["run", "generate:noise", "-o", &out].words("--frames 200 --size 320x240 --preset ultrafast");
    run.largest_file(500_000).fails(4).says(&["cannot write", "out.mkv"]);
    assert!(!out.exists(), "what is not whole has no final name");
    assert_eq!(std::fs::read(dir.path().join("other")).unwrap(), b"mine");
    let left: Vec<String> = listing(dir.path()).into_iter().filter(|n| n != "other").collect();
    assert!(left.len() == 1 && left[0].starts_with("out.partial-"), "{left:?}");
    assert!(Media::open(dir.path().join(&left[0])).frames() > 0, "what was written plays");
}

#[test]
fn a_small_file_system_that_fills_up() {
    let dir = temp();
    let mounted = std::process::Command::new("mount")
        .args(["-t", "tmpfs", "-o", "size=1m", "tmpfs"])
        .arg(dir.path())
        .output()
        .is_ok_and(|o| o.status.success());
    if !mounted {
        eprintln!("left out: cannot mount a small file system (that takes root)");
        return;
    }
    struct Unmount<'a>(&'a Path);
    impl Drop for Unmount<'_> {
        fn drop(&mut self) {
            let _ = std::process::Command::new("umount").arg(self.0).status();
        }
    }
    let _unmount = Unmount(dir.path());
    for name in ["out.mkv", "out.mp4", "p%03d.png"] {
        let run = fw!["run", "generate:noise", "-o", dir.path().join(name)].words("--frames 300 --size 640x480");
        run.fails(4).says(&["no space left"]);
        assert!(!dir.path().join(name).exists(), "{name}");
        for left in listing(dir.path()) {
            std::fs::remove_file(dir.path().join(left)).unwrap();
        }
    }
}

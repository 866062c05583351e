//! What cannot be read, and what was written wrongly: one clear line, the right exit code, no hang, no panic.

use std::path::Path;

use crate::common::*;
use crate::fidelity::{NO_DECODER, NO_VIDEO};
use crate::fw;

fn refused(input: &Path) -> Output {
    let dir = temp();
    let out = fw!["run", input, "-o", dir.path().join("out.mp4")].fails(3);
    let name = input.file_name().unwrap().to_string_lossy().into_owned();
    assert!(out.stderr.contains(&name), "{name} is not named:\n{}", out.stderr);
    assert!(listing(dir.path()).is_empty(), "{name} left {:?}", listing(dir.path()));
    out
}

#[test]
fn files_without_video_are_refused_in_one_line() {
    let files: Vec<_> = all_data();
    for name in NO_VIDEO.iter().chain(&NO_DECODER) {
        for file in files.iter().filter(|f| f.ends_with(name)) {
            let out = refused(file);
            let reason = out.stderr.lines().find(|l| l.starts_with("error:")).unwrap_or_default();
            assert!(reason.len() < 300, "{reason}");
        }
    }
}

#[test]
fn things_that_are_no_video_files_are_refused() {
    let dir = temp();
    let noise: Vec<u8> = (0..200_000u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    for (name, bytes) in [
        ("empty.mp4", &b""[..]),
        ("one.mkv", b"x"),
        ("text.mp4", b"This is no video.\n"),
        ("noise.mp4", &noise),
        ("noise.avi", &noise),
        ("zeros.mkv", &[0; 100_000]),
        ("ftyp.mp4", b"\0\0\0\x18ftypisom\0\0\x02\0isomiso2"),
        ("webm.webm", b"\x1a\x45\xdf\xa3\x9f\x42\x86\x81\x01"),
        ("page.html", b"<!doctype html><html><body>404</body></html>"),
        ("program.elf", &std::fs::read(env!("CARGO_BIN_EXE_framewright")).unwrap()[..200_000]),
    ] {
        let path = dir.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        refused(&path);
    }
}

#[test]
fn a_file_that_ends_too_early_gives_what_is_there_and_says_so() {
    for (file, keep) in [
        ("opencv4nodejs/traffic.mp4", 0.5),
        ("derived/two_audio_aac_opus.mkv", 0.5),
        ("opencv_extra/big_buck_bunny.avi", 0.5),
        ("derived/fragmented_854x480_h264_aac.mp4", 0.6),
    ] {
        let Some(input) = data(file) else { return };
        let dir = temp();
        let bytes = std::fs::read(&input).unwrap();
        let cut = dir.path().join(format!("cut.{}", input.extension().unwrap().to_string_lossy()));
        std::fs::write(&cut, &bytes[..(bytes.len() as f64 * keep) as usize]).unwrap();
        let out = dir.path().join("out.mkv");
        let run = fw!["run", &cut, "-o", &out].words("--preset ultrafast").end();
        if run.code == 3 && !out.exists() {
            // Its index is at the end: there is nothing to play.
            let boxes = media_boxes(&bytes);
            assert!(
                boxes.last().is_some_and(|b| b == "moov" || b == "udta" || b == "free"),
                "{file}: {boxes:?}:\n{}",
                run.stderr
            );
            continue;
        }
        assert_eq!(run.code, 3, "{file}:\n{}", run.stderr);
        run.says(&["ends too early"]);
        let frames = Media::open(&out).frames() as u64;
        assert!(frames > 10 && frames == run.count("frames_out"), "{file}: {frames} frames; {}", run.stats);
    }
}

fn media_boxes(bytes: &[u8]) -> Vec<String> {
    if bytes.get(4..8) == Some(b"ftyp") { boxes(bytes) } else { Vec::new() }
}

#[test]
fn damage_in_the_middle_does_not_end_a_run() {
    let Some(input) = data("opencv4nodejs/traffic.mp4") else { return };
    let dir = temp();
    let mut bytes = std::fs::read(&input).unwrap();
    let middle = bytes.len() / 2;
    for b in &mut bytes[middle..middle + 3000] {
        *b ^= 0x5a;
    }
    let (damaged, out) = (dir.path().join("damaged.mp4"), dir.path().join("out.mp4"));
    std::fs::write(&damaged, bytes).unwrap();
    let run = fw!["run", &damaged, "-o", &out].words("--preset ultrafast").ok();
    assert_eq!(Media::open(&out).frames(), Media::open(&damaged).frames(), "every frame that can be decoded");
    assert!(run.count("decode_errors") > 0, "the damage is not mentioned: {}", run.stats);
}

#[test]
fn places_that_hold_no_file_are_named() {
    let dir = temp();
    fw!["run", dir.path(), "-o", "null"].fails(3).says(&["directory"]);
    fw!["run", dir.path().join("none.mp4"), "-o", "null"].fails(3).says(&["none.mp4", "no such file"]);
    fw!["run", "file:///nowhere/none.mp4", "-o", "null"].fails(3).says(&["none.mp4"]);
    fw!["run", "/dev/null", "-o", "null"].fails(3);
    fw!["run", "camera:77", "-o", "null"].fails(3).says(&["camera"]);
}

#[test]
fn a_pipe_that_nobody_writes_into_does_not_hold_the_program() {
    let dir = temp();
    let fifo = dir.path().join("fifo.mp4");
    assert!(std::process::Command::new("mkfifo").arg(&fifo).status().unwrap().success());
    fw!["run", &fifo, "-o", "null"].words("--timeout 3").fails(3).says(&["fifo.mp4"]);
}

#[test]
fn the_network_fails_in_words_and_in_time() {
    for uri in ["http://127.0.0.1:1/x.mp4", "rtsp://127.0.0.1:1/x", "https://127.0.0.1:1/x.mp4", "nosuch://x/y"] {
        fw!["run", uri, "-o", "null", "--timeout", "5"].fails(3);
    }
}

#[test]
fn passwords_are_never_shown() {
    for uri in
        ["rtsp://u:se%21cretpw@127.0.0.1:1/x", "rtsp://u:secretpw@127.0.0.1:1/x", "http://u:secretpw@127.0.0.1:1/x.mp4"]
    {
        for level in ["-q", "-v", "-vv", "-vvv"] {
            let out = fw!["run", uri, "-o", "null", "--timeout", "5", level].fails(3);
            for secret in ["secretpw", "se%21cretpw", "se!cretpw"] {
                assert!(!out.stderr.contains(secret) && !out.stdout.contains(secret), "{level}:\n{}", out.stderr);
            }
            assert!(!out.stats.to_string().contains("cretpw"), "{}", out.stats);
        }
        let out = fw!["probe", uri].end();
        assert!(!out.stderr.contains("cretpw") && !out.stdout.contains("cretpw"), "{}{}", out.stdout, out.stderr);
    }
}

#[test]
fn wrong_command_lines_are_code_2() {
    let cases: &[(&[&str], &[&str])] = &[
        (&["run"], &["no input"]),
        (&["run", "test:smpte"], &["no output"]),
        (&["run", "test:smpte", "-o", "null", "--op", "blurr"], &["did you mean `blur`"]),
        (&["run", "test:smpte", "-o", "null", "--op", "blur:siz=3"], &["siz", "size"]),
        (&["run", "test:smpte", "-o", "null", "--op", "blur:size=0"], &["size = 0", "1 to 255"]),
        (&["run", "test:smpte", "-o", "null", "--op", "blur:size=big"], &["big"]),
        (&["run", "test:smpte", "-o", "null", "--op", "blur:method=gausian"], &["gausian", "gaussian"]),
        (&["run", "test:smpte", "-o", "null", "--op", "text"], &["text"]),
        (&["run", "test:smpte", "-o", "null", "--op", "text:text={nonsense}"], &["nonsense"]),
        (&["run", "test:smpte", "-o", "null", "--op", "text:text=x,color=reed"], &["reed"]),
        (&["run", "test:smpte", "-o", "null", "--stride", "0"], &["stride"]),
        (&["run", "test:smpte", "-o", "null", "--frames", "0"], &["frames"]),
        (&["run", "test:smpte", "-o", "null", "--frames", "x"], &["x"]),
        (&["run", "test:smpte", "-o", "null", "--start", "5", "--end", "3"], &["start = ", "end = "]),
        (&["run", "test:smpte", "-o", "null", "--size", "wide"], &["wide"]),
        (&["run", "test:smpte", "-o", "null", "--size", "0x0"], &["0x0"]),
        (&["run", "test:smpte", "-o", "null", "--fps", "0"], &["0"]),
        (&["run", "test:smpte", "-o", "null", "--format", "XYZ"], &["XYZ"]),
        (&["run", "test:smpte", "-o", "null", "--tone", "1"], &["tone"]),
        (&["run", "test:smpte", "-o", "null", "--nonsense"], &["--nonsense"]),
        (&["run", "test:smpte", "-o", "x.mp4", "--quality", "20", "--bitrate", "500"], &["quality", "bitrate"]),
        (&["run", "-c", "none.toml"], &["none.toml"]),
        (&["nonsense"], &["nonsense"]),
        (&["check"], &["CONFIG"]),
        (&["completions", "csh"], &["csh"]),
        (&["ops", "blurr"], &["did you mean `blur`"]),
    ];
    let dir = temp();
    for (args, words) in cases {
        let run = Run::new(args.iter().map(Into::into).collect());
        run.within(dir.path()).fails(2).says(words);
    }
    assert!(listing(dir.path()).is_empty());
}

/// A configuration, and what must be said about it.
#[test]
fn mistakes_in_a_configuration_are_pointed_at() {
    let good = "[source]\nuri = \"test:smpte\"\n[[sink]]\ntype = \"null\"\n";
    let cases: &[(&str, &str, &[&str])] = &[
        ("[[op]]\ntype = \"blur\"\nsiez = 3\n", ":7:", &["siez", "size"]),
        ("[[op]]\ntype = \"blurr\"\n", ":6:", &["blurr", "blur"]),
        ("[[op]]\ntype = \"blur\"\nsize = \"big\"\n", ":7:", &["size", "big"]),
        ("[[op]]\ntype = \"blur\"\nsize = 0\n", ":7:", &["size = 0", "1 to 255"]),
        ("[[op]]\ntype = \"blur\"\nsize = -4\n", ":7:", &["-4"]),
        ("[[op]]\nsize = 3\n", ":5:", &["type"]),
        ("[[op]]\ntype = \"text\"\ntext = \"x\"\nopacity = 2.0\n", ":8:", &["opacity", "0 to 1"]),
        ("[[op]]\ntype = \"text\"\ntext = \"{oops}\"\n", ":7:", &["oops"]),
        ("[[sink]]\ntype = \"nul\"\n", ":6:", &["nul", "null"]),
        ("[[sink]]\npath = \"a.mp4\"\nqualty = 3\n", ":7:", &["qualty", "quality"]),
        ("[sourc]\nuri = \"x\"\n", ":5:", &["sourc", "source"]),
        ("[[op]\n", ":5:", &[]),
        ("x = \"unclosed\n", ":", &[]),
    ];
    let dir = temp();
    let path = dir.path().join("my config.toml");
    for (text, place, words) in cases {
        std::fs::write(&path, format!("{good}{text}")).unwrap();
        for command in ["check", "run"] {
            let run = match command {
                "check" => fw!["check", &path],
                _ => fw!["run", "-c", &path],
            };
            let out = run.fails(2);
            out.says(words);
            assert!(out.stderr.contains(&format!("my config.toml{place}")), "{text}: no {place} in:\n{}", out.stderr);
        }
    }
    std::fs::write(&path, "[source]\nuri = \"test:smpte\"\nstride = 0\n").unwrap();
    fw!["check", &path].fails(2).says(&["my config.toml:3:", "stride"]);
    std::fs::write(&path, "[[sink]]\ntype = \"null\"\n").unwrap();
    fw!["check", &path].fails(2).says(&["uri"]);
    std::fs::write(&path, "[source]\nuri = \"test:smpte\"\n").unwrap();
    fw!["check", &path].fails(2).says(&["sink"]);
    std::fs::write(&path, b"\xff\xfe").unwrap();
    fw!["check", &path].fails(2).says(&["my config.toml"]);
    fw!["check", dir.path()].fails(2);
}

#[test]
fn the_printed_configuration_is_complete_and_reads_back() {
    let dir = temp();
    let (path, again) = (dir.path().join("a.toml"), dir.path().join("b.toml"));
    let text = "[source]\nuri = \"generate:scene\"\nframes = 5\nstart = \"1:02.5\"\nsize = \"64x48\"\nfps = \"30000/1001\"\n\
        [[op]]\ntype = \"blur\"\nregion = \"10%,10%,50%,50%\"\n[[op]]\ntype = \"text\"\ntext = \"a, b: \\\"c\\\" {frame}\"\nposition = \"50%,10\"\ncolor = \"#ff0080\"\n\
        [[sink]]\npath = \"x.mp4\"\nquality = 20\nencoder-options = { b-adapt = \"false\" }\n[[sink]]\ntype = \"null\"\n";
    std::fs::write(&path, text).unwrap();
    let first = fw!["check", &path, "--print"].ok().stdout;
    for key in ["uri", "stride", "sigma-color", "margin", "outline", "encoder-options", "overwrite", "timeout"] {
        assert!(first.contains(key), "{key} is not in:\n{first}");
    }
    std::fs::write(&again, &first).unwrap();
    assert_eq!(fw!["check", &again, "--print"].ok().stdout, first);
}

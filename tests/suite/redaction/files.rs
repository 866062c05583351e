//! Whole files: what is in them, what the report says, and what is refused.

use super::*;

/// A video of 50 frames with sound, tags, a cover picture, and boxes: seen on frames 10 to 19 and 25 to 39.
fn clip(dir: &Path) -> (PathBuf, PathBuf) {
    let (video, plain, cover, boxes) =
        (dir.join("in.mp4"), dir.join("plain.mp4"), dir.join("cover.png"), dir.join("boxes.jsonl"));
    let ffmpeg = |args: &[&str]| {
        let mut all: Vec<&std::ffi::OsStr> = ["-v", "error", "-nostdin", "-y"].map(std::ffi::OsStr::new).to_vec();
        all.extend(args.iter().map(std::ffi::OsStr::new));
        tool("ffmpeg", &all);
    };
    let text = |p: &Path| p.to_str().expect("UTF-8").to_owned();
    ffmpeg(&["-f", "lavfi", "-i", "color=red:s=64x64", "-frames:v", "1", &text(&cover)]);
    ffmpeg(
        &"-f lavfi -i testsrc2=s=320x240:r=25:d=2 -f lavfi -i sine=d=2 -c:v libx264 -c:a aac -metadata title=SECRET \
          -metadata comment=SECRET -metadata artist=SECRET -metadata location=+48.8584+002.2945/ -metadata:s:a:0 title=SECRET"
            .split_whitespace()
            .chain([text(&plain).as_str()])
            .collect::<Vec<_>>(),
    );
    ffmpeg(&[
        "-i",
        &text(&plain),
        "-i",
        &text(&cover),
        "-map",
        "0",
        "-map",
        "1",
        "-c",
        "copy",
        "-disposition:v:1",
        "attached_pic",
        &text(&video),
    ]);
    let line = |i: u32| {
        let rect = [60.0 + 2.0 * f64::from(i), 80.0, 48.0, 60.0];
        let one = serde_json::json!([{ "label": "face", "score": 0.9, "box": rect }]);
        let none = serde_json::json!([]);
        let seen = (10..20).contains(&i) || (25..40).contains(&i);
        serde_json::json!({ "frame": i, "detections": if seen { one } else { none } }).to_string() + "\n"
    };
    std::fs::write(&boxes, (0..50).map(line).collect::<String>()).expect("written");
    (video, boxes)
}

fn contains(path: &Path, what: &str) -> bool {
    std::fs::read(path).expect("a file").windows(what.len()).any(|w| w == what.as_bytes())
}

#[test]
fn a_redacted_file_has_every_frame_and_its_sound_and_nothing_about_the_source() {
    let dir = temp();
    let (video, boxes) = clip(dir.path());
    let described = |path: &Path| {
        let args = ["-v", "error", "-show_format", "-show_streams", "-of", "json", path.to_str().expect("UTF-8")];
        String::from_utf8_lossy(&tool("ffprobe", &args.map(std::ffi::OsStr::new))).into_owned()
    };
    let before_it = described(&video);
    assert!(before_it.contains("SECRET") && before_it.contains("+48.8") && before_it.contains("\"attached_pic\": 1"));
    let detect = format!("detect:model=boxes:{}", boxes.display());
    let before = Media::open(&video);
    for name in ["out.mp4", "out.mkv", "out.mov"] {
        let out = dir.path().join(name);
        let run = fw!["run", &video, "-o", &out, "--op", &detect, "--op", "redact:hold=0.2,lead=0.2"].ok();
        let after = Media::open(&out);
        assert_eq!(after.frames(), 50, "{name}");
        for (a, b) in before.pts().iter().zip(after.pts()) {
            assert!((a - b).abs() < 0.0011, "{name}: {a} became {b}");
        }
        let md5 = |m: &Media| m.audio(0).into_iter().map(|p| p.md5).collect::<Vec<_>>();
        let plain = dir.path().join(format!("plain-{name}"));
        fw!["run", &video, "-o", &plain].ok();
        let (plain, sound) = (md5(&Media::open(&plain)), md5(&after));
        assert!(plain == sound && sound.len() > 80, "{name}: the sound is another");
        let info = described(&out);
        assert!(
            !contains(&out, "SECRET") && !info.contains("\"location"),
            "{name} says something about the source: {info}"
        );
        assert!(!info.contains("\"attached_pic\": 1"), "{name} has a cover picture");
        let redact =
            run.stats["ops"].as_array().and_then(|o| o.iter().find(|o| o["name"] == "redact")).expect("redact");
        // lead: the look before and 5 frames before that; hold: the first look without and 5 after that.
        assert_eq!(redact["report"]["covered"], 6 + 10 + 5 + 15 + 6, "{name}: {redact}");
        assert_eq!(redact["report"]["predicted"], 6 + 5 + 6);
    }
    // Without redact the title stays: the test can fail.
    assert!(contains(&dir.path().join("plain-out.mp4"), "SECRET"));
}

#[test]
fn comments_inside_of_audio_headers_go_too() {
    let dir = temp();
    let (ogg, boxes) = (dir.path().join("in.ogg"), dir.path().join("boxes.txt"));
    let args = "-v error -nostdin -y -f lavfi -i testsrc2=s=160x120:r=25:d=1 -f lavfi -i sine=d=1 -c:v libtheora -c:a libvorbis \
                -metadata:s:a:0 title=SECRET -metadata:s:a:0 artist=SECRET";
    let mut args: Vec<&std::ffi::OsStr> = args.split_whitespace().map(std::ffi::OsStr::new).collect();
    args.push(ogg.as_os_str());
    tool("ffmpeg", &args);
    std::fs::write(&boxes, "1,-1,10,10,40,40,0.9,-1,-1,-1\n").expect("written");
    let detect = format!("detect:model=boxes:{}", boxes.display());
    for name in ["out.mkv", "out.webm", "out.mp4", "out.avi"] {
        let out = dir.path().join(name);
        fw!["run", &ogg, "-o", &out, "--op", &detect, "--op", "redact"].ok();
        assert!(!contains(&out, "SECRET"), "{name} says something about the source");
        assert!(!Media::open(&out).audio(0).is_empty(), "{name} has no sound");
    }
}

#[test]
fn the_report_lists_what_was_only_predicted() {
    let dir = temp();
    let (video, boxes) = clip(dir.path());
    let detect = format!("detect:model=boxes:{}", boxes.display());
    let page = dir.path().join("report.html");
    for original in [false, true] {
        let redact =
            format!("redact:hold=0.2,lead=0.2,method=fill,report={},report-original={original}", page.display());
        let run = fw!["run", &video, "-o", "null", "--op", &detect, "--op", &redact].ok();
        let html = std::fs::read_to_string(&page).expect("the report");
        let rows: Vec<&str> = html.lines().filter(|l| l.starts_with("<tr><td>")).collect();
        let frames: Vec<u64> = rows.iter().filter_map(|r| r[8..].split('<').next()?.parse().ok()).collect();
        assert_eq!(frames, (4..10).chain(20..25).chain(40..46).collect::<Vec<_>>());
        let why = |w: &str| rows.iter().filter(|r| r.contains(&format!("<td>{w}<td>"))).count();
        assert_eq!((why("lead"), why("interpolated"), why("held")), (6, 5, 6));
        let pictures: Vec<&str> = html.split("base64,").skip(1).filter_map(|p| p.split('"').next()).collect();
        assert_eq!(pictures.len(), 3, "one thumbnail for each span");
        for picture in pictures {
            let jpeg = data_encoding::BASE64.decode(picture.as_bytes()).expect("base64");
            let picture = image::load_from_memory(&jpeg).expect("a JPEG").to_rgb8();
            assert_eq!(picture.dimensions(), (320, 240));
            let yellow = picture.pixels().filter(|p| p.0[0] > 200 && p.0[1] > 180 && p.0[2] < 90).count();
            assert!(yellow > 100, "the cover is outlined");
            // Frames 4, 20, 40: black where something is hidden, or what was there.
            let black = picture.pixels().filter(|p| p.0.iter().all(|c| *c < 16)).count();
            assert_eq!(black > 3000, !original, "{black} black pixels");
        }
        let op = run.stats["ops"].as_array().and_then(|o| o.iter().find(|o| o["name"] == "redact")).expect("redact");
        assert_eq!(op["report"]["covers"].as_array().map(Vec::len), Some(17));
        assert_eq!(op["report"]["covers"][0]["why"], "lead");
        assert_eq!(
            std::fs::read_dir(dir.path())
                .expect("a folder")
                .flatten()
                .filter(|e| e.file_name().to_string_lossy().contains("partial"))
                .count(),
            0
        );
    }
    let run = fw!["run", &video, "-o", "null", "--op", &detect, "--op", "redact:report=nowhere/report.html"].fails(2);
    assert!(run.stderr.contains("no folder nowhere"), "{}", run.stderr);
}

#[test]
fn what_would_open_a_cover_is_refused() {
    let dir = temp();
    let boxes = dir.path().join("boxes.txt");
    std::fs::write(&boxes, "1,-1,10,10,40,40,0.9,-1,-1,-1\n").expect("written");
    let detect = format!("detect:model=boxes:{},name=faces", boxes.display());
    let refused = |ops: &[&str], says: &str| {
        let mut run = fw!["run", "generate:scene", "-o", "null"].words("--frames 3 --size 160x120");
        for op in ops {
            run = run.arg("--op").arg(op);
        }
        let out = run.fails(2);
        assert!(out.stderr.contains(says), "{ops:?}: {}", out.stderr);
    };
    refused(&[&detect, "redact:when=1s..2s"], "hidden for a while only");
    refused(&[&detect, "redact:enabled=false"], "would show what is to be hidden");
    refused(&[&detect, "redact:region=1,2,30,40"], "region is not possible");
    refused(&[&detect, "redact", "compare"], "would show the input");
    refused(&[&detect, "compare", "redact"], "compare");
    refused(&["redact"], "no op before it finds any");
    refused(&[&detect, "redact:detector=plates"], "plates");
    refused(&[&detect, "flip:direction=horizontal", "redact"], "no longer right");
}

//! What is found in pictures, drawn into them, and written down.

use std::path::Path;

use crate::common::*;
use crate::fw;
use serde_json::Value;

/// The scene with the truth about it: its video without loss, and the boxes of its objects.
fn scene(folder: &Path) -> [std::path::PathBuf; 2] {
    let (video, truth) = (folder.join("scene.mkv"), folder.join("truth.txt"));
    fw!["run", "generate:scene", "-o", &video, "--encoder", "ffv1", "--truth", &truth]
        .words("--frames 12 --size 320x240 --fps 10")
        .ok();
    [video, truth]
}

fn boxes_of(truth: &Path) -> String {
    format!("detect:model=boxes:{},name=things", truth.display())
}

fn lines(path: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(path).expect("a file of lines");
    text.lines().map(|l| serde_json::from_str(l).unwrap_or_else(|e| panic!("{e}: {l}"))).collect()
}

/// Left, top, width, height.
fn rect(v: &Value) -> [f64; 4] {
    let n: Vec<f64> = v["box"].as_array().expect("a box").iter().map(|v| v.as_f64().expect("a number")).collect();
    n.try_into().expect("four numbers")
}

fn iou(a: [f64; 4], b: [f64; 4]) -> f64 {
    let axis = |i: usize| ((a[i] + a[i + 2]).min(b[i] + b[i + 2]) - a[i].max(b[i])).max(0.0);
    let shared = axis(0) * axis(1);
    shared / (a[2] * a[3] + b[2] * b[3] - shared)
}

/// Frame (from 1) and box of each line of MOTChallenge text.
fn mot(path: &Path) -> Vec<(u64, [f64; 4])> {
    let text = std::fs::read_to_string(path).expect("text");
    let line = |l: &str| {
        let n: Vec<f64> = l.split(',').map(|v| v.parse().expect("a number")).collect();
        (n[0] as u64, [n[2], n[3], n[4], n[5]])
    };
    text.lines().map(line).collect()
}

#[test]
fn every_form_of_output_says_the_same() {
    let dir = temp();
    let [video, truth] = scene(dir.path());
    let out = |name: &str| dir.path().join(name);
    let run = fw!["run", &video, "--op", boxes_of(&truth), "--run-id", "r"]
        .arg("-o")
        .arg(out("d.jsonl"))
        .arg("-o")
        .arg(out("d.csv"))
        .arg("-o")
        .arg(out("d.json"))
        .arg("-o")
        .arg(out("d.txt"))
        .ok();
    let wanted = mot(&truth);
    assert!(wanted.len() > 20, "{wanted:?}");
    let json = lines(&out("d.jsonl"));
    assert_eq!(json.len(), 12);
    let mut found = Vec::new();
    for (n, line) in json.iter().enumerate() {
        assert_eq!((line["frame"].as_u64(), line["v"].as_u64()), (Some(n as u64), Some(1)));
        assert!((line["seconds"].as_f64().unwrap() - n as f64 * 0.1).abs() < 1e-6, "{line}");
        for d in line["detections"].as_array().unwrap() {
            assert!(d["label"] == "person" || d["label"] == "car", "{d}");
            let [x, y, w, h] = rect(d);
            let share: Vec<f64> = d["normalized"].as_array().unwrap().iter().map(|v| v.as_f64().unwrap()).collect();
            let near = |a: f64, b: f64| (a - b).abs() < 1e-5;
            assert!(near(share[0], x / 320.0) && near(share[1], y / 240.0), "{d}");
            assert!(near(share[2], w / 320.0) && near(share[3], h / 240.0), "{d}");
            found.push((n as u64 + 1, [x, y, w, h]));
        }
    }
    assert_eq!(found, wanted);
    assert_eq!(mot(&out("d.txt")), wanted);
    let csv = std::fs::read_to_string(out("d.csv")).unwrap();
    assert_eq!(csv.lines().count(), wanted.len() + 1);
    let fields = |l: &str| l.split(',').map(str::to_owned).collect::<Vec<_>>();
    for (line, (frame, r)) in csv.lines().skip(1).zip(&wanted) {
        let f = fields(line);
        assert_eq!(f.len(), fields(csv.lines().next().unwrap()).len());
        assert_eq!((f[0].parse::<u64>().unwrap() + 1, f[6].parse::<f64>().unwrap()), (*frame, r[0]));
    }
    let coco: Value = serde_json::from_slice(&std::fs::read(out("d.json")).unwrap()).unwrap();
    assert_eq!(coco["images"].as_array().unwrap().len(), 12);
    let annotations = coco["annotations"].as_array().unwrap();
    assert_eq!(annotations.len(), wanted.len());
    for (a, (frame, r)) in annotations.iter().zip(&wanted) {
        assert_eq!(a["image_id"].as_u64(), Some(*frame));
        assert_eq!(a["bbox"], serde_json::json!(r));
        let category = a["category_id"].as_u64().unwrap();
        assert!(coco["categories"].as_array().unwrap().iter().any(|c| c["id"] == category), "{a}");
    }
    let labels = &run.stats["detections"]["things"];
    let counted: u64 = labels["labels"].as_object().unwrap().values().map(|v| v.as_u64().unwrap()).sum();
    assert_eq!((counted, labels["frames"].as_u64()), (wanted.len() as u64, Some(12)));

    // What was written can be read again, and says the same once more.
    let again = format!("detect:model=boxes:{},name=things", out("d.jsonl").display());
    fw!["run", &video, "--op", again, "--run-id", "r", "-o", out("again.jsonl")].ok();
    assert_eq!(lines(&out("again.jsonl")), json);
}

#[test]
fn in_a_file_the_path_says_what_an_output_is_too() {
    let dir = temp();
    let [video, truth] = scene(dir.path());
    let config = dir.path().join("c.toml");
    let text = format!(
        "[source]\nuri = {video:?}\n[[op]]\ntype = \"detect\"\nmodel = \"boxes:{}\"\n[[sink]]\npath = \"f.jsonl\"\n[[sink]]\npath = \"p/%02d.png\"\n",
        truth.display()
    );
    std::fs::write(&config, text).unwrap();
    fw!["run", "-c", &config].within(dir.path()).ok();
    assert_eq!(lines(&dir.path().join("f.jsonl")).len(), 12);
    assert_eq!(listing(&dir.path().join("p")).len(), 12);
}

#[test]
fn drawing_touches_the_outline_and_nothing_else() {
    let dir = temp();
    let [video, truth] = scene(dir.path());
    let plain = Media::open(&video).raw("rgb24");
    for style in ["plain", "rounded", "corners"] {
        let drawn = dir.path().join(format!("{style}.mkv"));
        let draw = format!("draw:style={style},color=#ff00ff,thickness=2,label=,points=false");
        fw!["run", &video, "--op", boxes_of(&truth), "--op", draw, "-o", &drawn, "--encoder", "ffv1"].ok();
        let after = Media::open(&drawn).raw("rgb24");
        assert_eq!(after.len(), plain.len());
        let boxes = mot(&truth);
        let mut touched = 0;
        for frame in 0..12u64 {
            let mine: Vec<[f64; 4]> = boxes.iter().filter(|b| b.0 == frame + 1).map(|b| b.1).collect();
            for (x, y) in (0..240).flat_map(|y| (0..320).map(move |x| (x, y))) {
                let at = ((frame as usize * 240 + y) * 320 + x) * 3;
                let (a, b) = (&plain[at..at + 3], &after[at..at + 3]);
                let pink = |p: &[u8]| p[0] > 150 && p[2] > 150 && p[1] < 90;
                touched += usize::from(pink(b) && !pink(a));
                // Coordinates are rounded to pairs of pixels, and chroma has half the resolution.
                let near = |r: &[f64; 4], by: f64| {
                    let (x, y) = (x as f64, y as f64);
                    x >= r[0] - by && x <= r[0] + r[2] + by && y >= r[1] - by && y <= r[1] + r[3] + by
                };
                let edge = mine.iter().any(|r| near(r, 4.0) && !near(r, -6.0));
                let moved = a.iter().zip(b).any(|(a, b)| a.abs_diff(*b) > 2);
                assert!(edge || !moved, "{style}: frame {frame} changed at {x},{y}");
            }
        }
        assert!(touched > if style == "corners" { 300 } else { 1500 }, "{style}: {touched} pixels drawn");
    }
}

#[test]
fn qr_codes_are_read_in_any_format() {
    let dir = temp();
    let found = dir.path().join("qr.jsonl");
    let code = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/assets/qr.png");
    let image = format!("image:path={},position=60,40", code.display());
    for format in ["I420", "NV12", "Y444", "I420_10LE", "BGR", "GRAY8"] {
        let source = format!(
            "pipeline:videotestsrc num-buffers=3 pattern=gradient ! video/x-raw,format={format},width=320,height=240,framerate=10/1"
        );
        fw!["run", source, "--op", &image, "--op", "detect:model=qr", "-o", &found, "--overwrite"].ok();
        let lines = lines(&found);
        assert_eq!(lines.len(), 3, "{format}");
        for line in &lines {
            let d = &line["detections"][0];
            assert_eq!(d["text"], "https://example.org/gate?id=42", "{format}: {line}");
            assert_eq!(d["points"].as_array().unwrap().len(), 4);
            // 29 modules of 4 pixels, within a border of 4 modules.
            let r = rect(d);
            assert!(iou(r, [76.0, 56.0, 116.0, 116.0]) > 0.9, "{format}: {r:?}");
        }
    }
}

#[test]
fn every_region_labels_and_scores_choose() {
    let dir = temp();
    let [video, truth] = scene(dir.path());
    let out = dir.path().join("d.jsonl");
    let found = |more: &str| {
        let op = format!("{}{more}", boxes_of(&truth));
        fw!["run", &video, "--op", op, "-o", &out, "--overwrite"].ok();
        lines(&out)
    };
    let count = |lines: &[Value]| lines.iter().map(|l| l["detections"].as_array().unwrap().len()).sum::<usize>();
    let all = found("");
    let third = found(",every=3");
    let frames: Vec<u64> = third.iter().map(|l| l["frame"].as_u64().unwrap()).collect();
    assert_eq!(frames, [0, 3, 6, 9]);
    for line in &third {
        assert_eq!(line["detections"], all[line["frame"].as_u64().unwrap() as usize]["detections"]);
    }
    let cars = found(",labels=car");
    assert!(
        count(&cars) > 0 && cars.iter().flat_map(|l| l["detections"].as_array().unwrap()).all(|d| d["label"] == "car")
    );
    let left = found(",region=0,0,50%,100%");
    assert!(count(&left) > 0 && count(&left) < count(&all));
    for d in left.iter().flat_map(|l| l["detections"].as_array().unwrap()) {
        let r = rect(d);
        assert!(r[0] + r[2] / 2.0 < 160.0, "{d}");
    }
    let polygon = found(",region=0,0 100%,0 0,100%");
    for d in polygon.iter().flat_map(|l| l["detections"].as_array().unwrap()) {
        let r = rect(d);
        assert!((r[0] + r[2] / 2.0) / 320.0 + (r[1] + r[3] / 2.0) / 240.0 < 1.02, "{d}");
    }
    let tall = found(",min-size=25%");
    assert!(count(&tall) < count(&all));
    assert_eq!(count(&found(",score=1.0")), count(&all));
    let when = found(",when=0.25s..0.55s");
    assert_eq!(when.iter().map(|l| l["frame"].as_u64().unwrap()).collect::<Vec<_>>(), [3, 4, 5]);
}

#[test]
fn one_detector_looks_on_what_another_found() {
    let dir = temp();
    let (found, code) = (dir.path().join("d.jsonl"), Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/assets/qr.png"));
    // Two codes, and a box around one of them only.
    let boxes = dir.path().join("gate.txt");
    std::fs::write(&boxes, "1,-1,40,40,160,160,0.9,1\n2,-1,300,40,160,160,0.9,1\n").unwrap();
    let image = |x: u32| format!("image:path={},position={x},50", code.display());
    fw!["run", "test:black", "--op", image(50), "--op", image(310)]
        .words("--frames 3 --size 480x240 --op")
        .arg(format!("detect:model=boxes:{},name=gate", boxes.display()))
        .arg("--op")
        .arg("detect:model=qr,on=gate,name=codes")
        .arg("-o")
        .arg(&found)
        .ok();
    let lines = lines(&found);
    let codes = |n: usize| -> Vec<&Value> {
        lines[n]["detections"].as_array().unwrap().iter().filter(|d| d["detector"] == "codes").collect()
    };
    for (n, x) in [(0, 66.0), (1, 326.0)] {
        let codes = codes(n);
        assert_eq!(codes.len(), 1, "{}", lines[n]);
        assert_eq!(codes[0]["parent"], 0);
        assert!(iou(rect(codes[0]), [x, 66.0, 116.0, 116.0]) > 0.9, "{}", codes[0]);
    }
    assert!(codes(2).is_empty());
    assert_eq!(lines[2]["looked"], serde_json::json!(["gate", "codes"]));
}

#[test]
fn the_same_is_found_with_any_number_of_workers() {
    let dir = temp();
    let [video, truth] = scene(dir.path());
    let made = |threads: &str| {
        let (found, drawn) = (dir.path().join(format!("{threads}.jsonl")), dir.path().join(format!("{threads}.mkv")));
        fw!["run", &video, "--op", boxes_of(&truth), "--op", "draw:trace=1", "--threads", threads, "--encoder", "ffv1"]
            .words("--run-id r -o")
            .arg(&found)
            .arg("-o")
            .arg(&drawn)
            .ok();
        (lines(&found), Media::open(&drawn).md5s())
    };
    assert_eq!(made("1"), made("3"));
}

#[test]
fn cascades_and_hog_find_what_they_are_for() {
    let dir = temp();
    let out = dir.path().join("d.jsonl");
    if let Some(david) = data("opencv_extra/david.webm") {
        // It begins in the dark; from the fourth second on the face is lit, and mostly seen from the front.
        let op = "detect:model=cascade:face-alt,min-size=15%";
        fw!["run", david, "--op", op, "-o", &out, "--overwrite"].words("--start 4 --frames 40 --stride 5").ok();
        let lines = lines(&out);
        let with = lines.iter().filter(|l| !l["detections"].as_array().unwrap().is_empty()).count();
        assert!(lines.len() == 40 && with >= 30, "faces on {with} of {} frames", lines.len());
    }
    if let Some(people) = data("opencv_extra/768x576.avi") {
        fw!["run", people, "--op", "detect:model=hog", "-o", &out, "--overwrite"].words("--frames 4 --stride 10").ok();
        let lines = lines(&out);
        let count: usize = lines.iter().map(|l| l["detections"].as_array().unwrap().len()).sum();
        assert!(count >= 8, "{count} people on four pictures of five or six");
    }
}

#[test]
fn what_does_not_fit_together_is_refused_with_the_fix() {
    let dir = temp();
    let [_, truth] = scene(dir.path());
    let refused = |ops: &[&str], words: &[&str]| {
        let run = fw!["run", "generate:scene", "-o", "null"].words("--frames 2 --size 160x120");
        ops.iter().fold(run, |run, op| run.arg("--op").arg(op)).fails(2).says(words);
    };
    let boxes = boxes_of(&truth);
    refused(&["draw"], &["draw uses detections", "no op before it", "detect:model="]);
    refused(&[&boxes, "draw:detector=thing"], &["`thing`", "did you mean `things`"]);
    refused(&[&boxes, &boxes], &["two detect ops are called `things`", "name ="]);
    refused(
        &[&boxes, "resize:width=50%", "draw"],
        &["resize stands between detect and draw", "put resize before detect"],
    );
    refused(&["detect:model=hog,on=things"], &["no op before it"]);
    refused(&[&format!("{boxes},labels=cat")], &["knows no `cat`", "car"]);
    refused(&[&format!("{boxes},region=900,900,10,10")], &["region lies outside"]);
    refused(&["detect"], &["model is missing", "hog"]);
    refused(&["detect:model=cascade:fase"], &["did you mean `face`"]);
    refused(&["detect:model=cascade:/no/such.xml"], &["/no/such.xml"]);
    refused(&["detect:model=boxes:/no/such.txt"], &["/no/such.txt"]);
    refused(&[&boxes, "draw:label={name}"], &["{name}", "{label}"]);
    let bad = dir.path().join("bad.txt");
    std::fs::write(&bad, "1,1,2,3,4,5,1\n1,1,2,three\n").unwrap();
    refused(&[&format!("detect:model=boxes:{}", bad.display())], &["line 2", "frame,id,left"]);
    std::fs::write(&bad, b"<opencv_storage>\xff").unwrap();
    let xml = dir.path().join("bad.xml");
    std::fs::copy(&bad, &xml).unwrap();
    refused(&[&format!("detect:model=cascade:{}", xml.display())], &["bad.xml", "no cascade"]);
    fw!["run", "generate:scene", "-o", dir.path().join("d.jsonl")]
        .words("--frames 2")
        .fails(2)
        .says(&["uses detections"]);
}

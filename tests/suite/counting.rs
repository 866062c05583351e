//! Who crosses lines, who is in zones, how fast they are: against the truth about a generated scene, and against boxes made
//! for the purpose.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::{Path, PathBuf};

use crate::common::*;
use crate::fw;

const SIZE: (f64, f64) = (640.0, 360.0);
const FRAMES: u64 = 200;

/// The truth about a scene of [`FRAMES`] pictures at 25 a second.
fn truth(folder: &Path) -> PathBuf {
    let truth = folder.join("truth.txt");
    let frames = format!("--frames {FRAMES} --size 640x360 --fps 25");
    fw!["run", "generate:scene", "-o", "null", "--truth", &truth].words(&frames).ok();
    truth
}

/// By object: class (1 person, 3 car), and box by number of the picture.
fn objects(truth: &Path) -> BTreeMap<u32, (u32, BTreeMap<u64, [f64; 4]>)> {
    let mut all: BTreeMap<u32, (u32, BTreeMap<u64, [f64; 4]>)> = BTreeMap::new();
    for line in std::fs::read_to_string(truth).expect("the truth").lines() {
        let n: Vec<f64> = line.split(',').map(|v| v.parse().expect("a number")).collect();
        let object = all.entry(n[1] as u32).or_insert((n[7] as u32, BTreeMap::new()));
        object.1.insert(n[0] as u64 - 1, [n[2], n[3], n[4], n[5]]);
    }
    all
}

/// A run over the scene with the truth as its detector.
fn run(folder: &Path, truth: &Path, ops: &[&str], more: &str) -> Output {
    let detect = format!("detect:model=boxes:{},name=things", truth.display());
    let mut run = fw!["run", "generate:scene", "-o", "null", "--op", detect, "--op", "track"];
    for op in ops {
        run = run.arg("--op").arg(op);
    }
    run.words(&format!("--frames {FRAMES} --size 640x360 --fps 25 --run-id r {more}")).within(folder).ok()
}

/// The reports of the ops called `name`.
fn reports(run: &Output, name: &str) -> Vec<Value> {
    let ops = run.stats["ops"].as_array().expect("ops");
    ops.iter().filter(|o| o["name"] == name).map(|o| o["report"].clone()).collect()
}

/// Every object whose centre is on another side of the middle at its end than at its beginning crossed it; nothing that is
/// generated turns back.
#[test]
fn a_line_counts_what_the_truth_says() {
    let dir = temp();
    let truth = truth(dir.path());
    let line = "count-line:name=middle,points=50%,0% 50%,100%,anchor=center,band=5";
    let found = reports(&run(dir.path(), &truth, &[line], ""), "count-line").remove(0);
    let mut wanted: BTreeMap<&str, [u64; 2]> = BTreeMap::new();
    for (class, boxes) in objects(&truth).values() {
        let side = |b: Option<&[f64; 4]>| b.map_or(0.0, |b| b[0] + b[2] / 2.0 - SIZE.0 / 2.0);
        let (from, to) = (side(boxes.values().next()), side(boxes.values().last()));
        if from.abs().min(to.abs()) < 10.0 {
            // Begins or ends on the line: either count is right.
            assert!(from * to > 0.0, "the scene is no good for this test");
        }
        // From top to bottom, the right hand is the picture's left.
        if from * to < 0.0 {
            wanted.entry(if *class == 3 { "car" } else { "person" }).or_default()[usize::from(from < 0.0)] += 1;
        }
    }
    assert!(wanted.values().flatten().sum::<u64>() >= 3, "too few cross: {wanted:?}");
    for (label, [into, out]) in wanted {
        assert_eq!(
            (&found["labels"][label]["in"], &found["labels"][label]["out"]),
            (&into.into(), &out.into()),
            "{found}"
        );
    }
}

#[test]
fn a_zone_counts_what_the_truth_says() {
    let dir = temp();
    let truth = truth(dir.path());
    let zone = "zone:name=left,settle=0,lost=0.5,region=0,0,50%,100%";
    let all = "zone:name=all,settle=0,lost=0.2";
    let found = reports(&run(dir.path(), &truth, &[zone, all], ""), "zone");
    let mut most = [0, 0];
    let objects = objects(&truth);
    for n in 3..FRAMES {
        let there = objects.values().filter_map(|(_, boxes)| boxes.get(&n));
        let inside = there.clone().filter(|b| b[0] + b[2] / 2.0 < SIZE.0 / 2.0).count();
        most = [most[0].max(inside as i64), most[1].max(there.count() as i64)];
    }
    for (found, most) in found.iter().zip(most) {
        // Who has just gone still counts until it is lost, so it may be one more; who is new has no number for two pictures.
        let n = found["most"].as_i64().expect("a number");
        assert!((most - 2..=most + 2).contains(&n), "{found}, and {most} in truth");
    }
    let entered = found[1]["entered"].as_u64().expect("a number");
    let long = objects.values().filter(|(_, boxes)| boxes.len() >= 5).count() as u64;
    assert!(entered.abs_diff(long) <= 2, "{entered} entered, and {long} in truth");
}

/// Whatever the number of workers: the same counts, the same speeds, the same picture.
#[test]
fn results_do_not_depend_on_threads() {
    let dir = temp();
    let truth = truth(dir.path());
    let ops = [
        "ground:picture=0,300 640,300 640,360 0,360,meters=0,10 20,10 20,0 0,0",
        "blur:size=3",
        "count-line:name=middle,points=50%,0% 50%,100%,anchor=center",
        "zone:name=left,dwell=1,crowd=1,region=0,0,50%,100%",
        "heatmap:opacity=0.4",
        "draw:label={label} {track} {speed}",
        "text:text={count.middle.in} {count.middle.out} {count.middle.in.car} {zone.left.now} {zone.left.total} {tracks}",
    ];
    let one = |threads: u32| {
        let (video, found) = (format!("{threads}.mkv"), format!("{threads}.jsonl"));
        let run = run(dir.path(), &truth, &ops, &format!("-o {video} --encoder ffv1 -o {found} --threads {threads}"));
        let reports = ["count-line", "zone", "ground", "heatmap", "track"].map(|name| reports(&run, name));
        let found = std::fs::read_to_string(dir.path().join(found)).expect("detections");
        assert!(found.contains("\"speed\":"), "there are speeds");
        (reports, found, Media::open(dir.path().join(video)).md5s())
    };
    let (a, b) = (one(1), one(3));
    assert_eq!(a.0, b.0);
    assert!(a.1 == b.1, "not the same detections");
    assert!(a.2 == b.2, "not the same pictures");
}

/// A box that moves like this, in a file that `detect` reads.
fn boxes(folder: &Path, at: impl Fn(f64) -> (f64, f64)) -> PathBuf {
    let mut text = String::new();
    for n in 0..FRAMES {
        let (x, y) = at(n as f64 / 25.0);
        let _ = writeln!(text, "{},-1,{:.2},{:.2},40,80,0.9", n + 1, x - 20.0, y - 80.0);
    }
    let path = folder.join("boxes.txt");
    std::fs::write(&path, text).expect("written");
    path
}

#[test]
fn trembling_counts_once_and_turning_back_not_at_all() {
    let dir = temp();
    let line = "count-line:name=gate,points=0%,200 100%,200,band=10";
    let count = |at: &dyn Fn(f64) -> f64| {
        let boxes = boxes(dir.path(), |t| (300.0, at(t)));
        let found = reports(&run(dir.path(), &boxes, &[line], ""), "count-line").remove(0);
        (found["in"].as_u64().expect("in"), found["out"].as_u64().expect("out"))
    };
    // Down to the line within 2 s, trembling there for 4 s, then on.
    let trembling = |t: f64| {
        if (2.0..6.0).contains(&t) {
            200.0 + 6.0 * (t * 20.0).sin()
        } else {
            200.0 + 30.0 * (t - if t < 2.0 { 2.0 } else { 6.0 })
        }
    };
    assert_eq!(count(&trembling), (1, 0));
    let turning = |t: f64| 205.0 - 25.0 * (t - 4.0).abs();
    assert_eq!(count(&turning), (0, 0));
    let there_and_back = |t: f64| 260.0 - 30.0 * (t - 4.0).abs();
    assert_eq!(count(&there_and_back), (1, 1));
}

#[test]
fn speed_is_what_it_is() {
    let dir = temp();
    // 50 pixels a second to the right; 10 pixels are a metre.
    let boxes = boxes(dir.path(), |t| (100.0 + 50.0 * t, 300.0));
    let ground = "ground:picture=100,200 500,200 500,350 100,350,meters=0,0 40,0 40,15 0,15";
    run(dir.path(), &boxes, &[ground], "-o speed.jsonl");
    let text = std::fs::read_to_string(dir.path().join("speed.jsonl")).expect("detections");
    let mut lines = text.lines().map(|l| serde_json::from_str::<Value>(l).expect("JSON"));
    let last = lines.rfind(|l| l["type"] == "frame").expect("a picture");
    let d = &last["detections"][0];
    assert!((d["speed"].as_f64().expect("a speed") - 5.0).abs() < 0.1, "{d}");
    let heading = d["heading"].as_f64().expect("a direction");
    assert!(heading.min(360.0 - heading) < 2.0, "{d}");
    let bad = "ground:picture=0,0 50,0 100,0 0,100,meters=0,0 40,0 40,15 0,15";
    let detect = format!("detect:model=boxes:{}", boxes.display());
    let run = fw!["run", "generate:scene", "-o", "null", "--op", detect, "--op", bad].words("--frames 2");
    run.fails(2).says(&["ground", "in one line"]);
}

#[test]
fn pictures_are_written_at_the_end() {
    let dir = temp();
    let boxes = boxes(dir.path(), |t| (100.0 + 50.0 * t, 300.0));
    let ops = ["snapshot:folder=views,format=png,margin=0", "heatmap:path=heat.png"];
    let found = run(dir.path(), &boxes, &ops, "");
    let shots = reports(&found, "snapshot").remove(0);
    let file = shots["pictures"][0]["file"].as_str().expect("a file");
    let shot = image::open(dir.path().join(file)).expect("a picture");
    assert_eq!(shots["count"], 1, "{shots}");
    assert!(shot.width().abs_diff(40) <= 2 && shot.height().abs_diff(80) <= 2, "{}x{}", shot.width(), shot.height());
    let heat = image::open(dir.path().join("heat.png")).expect("a picture").to_rgb8();
    assert_eq!((heat.width(), heat.height()), (640, 360));
    let plain = dir.path().join("plain.png");
    fw!["run", "generate:scene", "-o", dir.path().join("p%d.png")].words("--frames 1 --size 640x360 --fps 25").ok();
    std::fs::rename(dir.path().join("p0.png"), &plain).expect("a picture");
    let plain = image::open(plain).expect("a picture").to_rgb8();
    let changed = |x: u32, y: u32| {
        let (a, b) = (heat.get_pixel(x, y).0, plain.get_pixel(x, y).0);
        a.iter().zip(b).map(|(a, b)| u32::from(a.abs_diff(b))).sum::<u32>()
    };
    assert!(changed(300, 300) > 60, "warm where it went: {}", changed(300, 300));
    assert!(changed(300, 100) < 20, "cold elsewhere: {}", changed(300, 100));
    // What exists is not replaced without being told.
    for op in ops {
        let detect = format!("detect:model=boxes:{}", boxes.display());
        let run = fw!["run", "generate:scene", "-o", "null", "--op", detect, "--op", op].words("--frames 2");
        run.within(dir.path()).fails(2).says(&["overwrite = true"]);
    }
}

#[test]
fn mistakes_are_told() {
    let dir = temp();
    let detect = "detect:model=tiny_scene";
    let line = "count-line:name=gate,points=0,0 9,9";
    let run = fw!["run", "generate:scene", "-o", "null", "--op", detect, "--op", line, "--op", line];
    run.words("--frames 2").fails(2).says(&["two count-line ops are called `gate`"]);
    let run = fw!["run", "generate:scene", "-o", "null", "--op", line];
    run.words("--frames 2").fails(2).says(&["detect"]);
    let run = fw!["run", "generate:scene", "-o", "null", "--op", "text:text={count.gate.up}"];
    run.words("--frames 2").fails(2).says(&["{count.LINE.in}"]);
    // Without track nothing has a number: that is in the summary.
    let boxes = boxes(dir.path(), |t| (100.0 + 50.0 * t, 300.0));
    let detect = format!("detect:model=boxes:{}", boxes.display());
    let run = fw!["run", "generate:scene", "-o", "null", "--op", detect, "--op", line].words("--frames 9").ok();
    assert!(run.stderr.contains("op track must stand before"), "{}", run.stderr);
}

#[test]
fn check_draws_lines_and_the_side_that_is_in() {
    let dir = temp();
    let draw = |uri: &str, swap: bool| {
        let (config, out) = (dir.path().join("c.toml"), dir.path().join("c.png"));
        let text = format!(
            "[source]\nuri = \"{uri}\"\nsize = \"640x360\"\n[[op]]\ntype = \"detect\"\nmodel = \"tiny_scene\"\n\
             [[op]]\ntype = \"track\"\n[[op]]\ntype = \"count-line\"\nname = \"gate\"\npoints = \"50%,0% 50%,100%\"\n\
             swap = {swap}\n[[sink]]\ntype = \"null\"\n"
        );
        std::fs::write(&config, text).expect("written");
        fw!["check", &config, "--picture", &out].ok();
        image::open(out).expect("a picture").to_rgb8()
    };
    // Beside the line's middle there is the arrow, on the left: the right hand of who goes down.
    let arrow = |p: &image::RgbImage, other: &image::RgbImage, side: std::ops::Range<u32>| {
        side.filter(|x| (170..190).any(|y| p.get_pixel(*x, y) != other.get_pixel(*x, y))).count()
    };
    let (left, right) = (draw("generate:scene", false), draw("generate:scene", true));
    assert_eq!((left.width(), left.height()), (640, 360));
    assert!(arrow(&left, &right, 300..316) > 10 && arrow(&left, &right, 326..340) > 10);
    let gray = draw("nothing-there.mp4", false);
    let is_gray = |x: u32| gray.get_pixel(x, 180).0 == [0x60; 3];
    assert!(!is_gray(310) && is_gray(332) && is_gray(100), "an arrow to the left");
}

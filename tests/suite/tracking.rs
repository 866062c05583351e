//! `framewright eval mot` and the trackers on real sequences: figures as TrackEval and motmetrics have them, and what the
//! default tracker must reach. And op `track` in a run.

use std::path::{Path, PathBuf};

use crate::common::*;
use crate::fw;

/// The folder of the tracking data, where there is any.
fn sequences(of: &str) -> Option<PathBuf> {
    let folder = data_folder()?.join("tracking").join(of);
    assert!(folder.is_dir(), "the test data lacks {}", folder.display());
    Some(folder)
}

/// The rows of `--json`, by sequence.
fn eval(args: &[&str], json: &Path) -> Vec<Value> {
    let run = args.iter().fold(fw!["eval", "mot", "--json", json], |run, a| run.arg(a));
    let out = run.ok();
    let found: Value = serde_json::from_slice(&std::fs::read(json).expect("the figures")).expect("JSON");
    let rows = found["rows"].as_array().expect("rows").clone();
    for row in &rows {
        let name = row["sequence"].as_str().expect("a name");
        assert!(out.stdout.contains(name), "{name} is not in the table:\n{}", out.stdout);
    }
    rows
}

#[track_caller]
fn is(row: &Value, key: &str, wanted: f64) {
    let found = row[key].as_f64().unwrap_or_else(|| panic!("no {key} in {row}"));
    assert!((found - wanted).abs() < 0.1, "{}: {key} is {found}, not {wanted}", row["sequence"]);
}

/// The two result files that come with motmetrics. MOTA, IDF1 and counts as motmetrics' documentation shows them, HOTA by
/// TrackEval.
#[test]
fn figures_are_those_of_trackeval_and_motmetrics() {
    let Some(folder) = sequences("motmetrics") else { return };
    let temp = temp();
    for name in ["TUD-Campus", "TUD-Stadtmitte"] {
        std::fs::copy(folder.join(name).join("test.txt"), temp.path().join(format!("{name}.txt"))).expect("a copy");
    }
    let (gt, results) = (folder.display().to_string(), temp.path().display().to_string());
    let rows = eval(&["--gt", &gt, "--results", &results], &temp.path().join("found.json"));
    let known = [
        ("TUD-Campus", [39.140, 41.805, 36.912, 52.646, 55.766, 13.0, 150.0, 7.0]),
        ("TUD-Stadtmitte", [39.785, 39.227, 40.884, 56.401, 64.462, 45.0, 452.0, 7.0]),
        ("together", [39.996, 39.768, 41.245, 55.512, 62.430, 58.0, 602.0, 14.0]),
    ];
    assert_eq!(rows.len(), known.len());
    for (row, (name, figures)) in rows.iter().zip(known) {
        assert_eq!(row["sequence"], name);
        for (key, wanted) in ["hota", "deta", "assa", "mota", "idf1", "fp", "fn", "idsw"].into_iter().zip(figures) {
            is(row, key, wanted);
        }
    }
}

#[test]
fn the_default_tracker_beats_the_references_on_mot15() {
    let Some(folder) = sequences("MOT15") else { return };
    let temp = temp();
    let (gt, json) = (folder.display().to_string(), temp.path().join("found.json"));
    let rows = eval(&["--gt", &gt, "--det-file", "det_sort_frcnn.txt"], &json);
    assert_eq!(rows.len(), 7, "six sequences and all together");
    let all = &rows[6];
    let at = |key: &str| all[key].as_f64().expect("a number");
    assert!(at("hota") > 44.5, "HOTA {} (the best reference: 42.5)", at("hota"));
    assert!(at("idf1") > 60.0, "IDF1 {} (56.8)", at("idf1"));
    assert!(at("mota") >= 53.5, "MOTA {} (53.5)", at("mota"));
    let wrong = fw!["eval", "mot", "--gt", &gt].fails(3);
    wrong.says(&["det.txt"]);
}

#[test]
fn the_same_defaults_hold_on_mot17_with_other_detections() {
    let Some(folder) = sequences("MOT17") else { return };
    let temp = temp();
    let (gt, json) = (folder.display().to_string(), temp.path().join("found.json"));
    let rows = eval(&["--gt", &gt, "--det-file", "det_dpm.txt", "--min-score", "-0.5", "--sigmoid"], &json);
    let all = rows.last().expect("a row");
    for (key, reference) in [("hota", 31.3), ("idf1", 40.2), ("mota", 32.2)] {
        let found = all[key].as_f64().expect("a number");
        assert!(found >= reference, "{key} {found}, and the best reference has {reference}");
    }
}

/// What is written is what is measured, and every second picture is enough.
#[test]
fn result_files_read_back_and_sparse_detections_do() {
    let Some(folder) = sequences("MOT15") else { return };
    let temp = temp();
    let one = folder.join("TUD-Campus").display().to_string();
    let (out, json) = (temp.path().join("results").display().to_string(), temp.path().join("found.json"));
    let det = ["--gt", &one, "--det-file", "det_sort_frcnn.txt"];
    let made = eval(&[&det[..], &["-o", &out]].concat(), &json).remove(0);
    let read = eval(&["--gt", &one, "--results", &out], &json).remove(0);
    for key in ["hota", "mota", "idf1", "fp", "fn", "idsw"] {
        assert_eq!(made[key], read[key], "{key}");
    }
    let sparse = eval(&[&det[..], &["--every", "3"]].concat(), &json).remove(0);
    let (all, third) = (made["hota"].as_f64().expect("HOTA"), sparse["hota"].as_f64().expect("HOTA"));
    assert!(third > 0.75 * all, "HOTA {third} with each third picture, {all} with all");
    let sort = eval(&[&det[..], &["--tracker", "sort", "--op", "track:keep=0.1"]].concat(), &json).remove(0);
    assert_ne!(sort["hota"], made["hota"], "another tracker");
}

/// Ground truth of 2016 and later: what lies on distractors is left out, and what does not count is no miss.
#[test]
fn distractors_and_what_does_not_count_are_left_out() {
    let temp = temp();
    let folder = temp.path().join("SEQ");
    std::fs::create_dir_all(folder.join("gt")).expect("a folder");
    std::fs::create_dir_all(temp.path().join("results")).expect("a folder");
    // A pedestrian, a static person (7), a car (3), and a pedestrian that does not count.
    let truth = "1,1,10,10,20,40,1,1,1\n1,2,110,10,20,40,0,7,1\n1,3,210,10,20,40,0,3,1\n1,4,310,10,20,40,0,1,1\n";
    std::fs::write(folder.join("gt/gt.txt"), truth).expect("written");
    let found = "1,1,10,10,20,40,1,-1,-1,-1\n1,2,110,10,20,40,1,-1,-1,-1\n1,3,210,10,20,40,1,-1,-1,-1\n";
    std::fs::write(temp.path().join("results/SEQ.txt"), found).expect("written");
    let (gt, results) = (temp.path().display().to_string(), temp.path().join("results").display().to_string());
    let json = temp.path().join("found.json");
    let row = eval(&["--gt", &gt, "--results", &results], &json).remove(0);
    assert_eq!((&row["fp"], &row["fn"]), (&1.into(), &0.into()), "the car counts as false, the static person does not");
    let row = eval(&["--gt", &gt, "--results", &results, "--benchmark", "mot15"], &json).remove(0);
    assert_eq!((&row["fp"], &row["fn"]), (&2.into(), &0.into()), "without classes");
}

#[test]
fn wrong_files_are_named_with_their_line() {
    let temp = temp();
    let folder = temp.path().join("SEQ");
    std::fs::create_dir_all(folder.join("gt")).expect("a folder");
    std::fs::create_dir_all(folder.join("det")).expect("a folder");
    std::fs::write(folder.join("gt/gt.txt"), "1,1,10,10,20,40,1,-1,-1,-1\n").expect("written");
    let gt = temp.path().display().to_string();
    for (text, words) in [
        ("1,-1,10,10,20,forty,1\n", ["line 1", "forty"]),
        ("1,-1,10,10,20,40,1\n\n1,2\n", ["line 3", "at least 6"]),
        ("1e99,-1,10,10,20,40,1\n", ["line 1", "frame"]),
        ("1,-1,NaN,10,20,40,1\n", ["line 1", "finite"]),
    ] {
        std::fs::write(folder.join("det/det.txt"), text).expect("written");
        fw!["eval", "mot", "--gt", &gt, "--fps", "25"].fails(3).says(&words);
    }
    std::fs::write(folder.join("det/det.txt"), "1,-1,10,10,20,40,1\n").expect("written");
    fw!["eval", "mot", "--gt", &gt].fails(3).says(&["SEQ", "--fps"]);
    fw!["eval", "mot", "--gt", &gt, "--fps", "25", "--op", "blur:size=3"].fails(2).says(&["blur", "track"]);
    fw!["eval", "mot", "--gt", &gt, "--fps", "25", "--op", "track:high=2"].fails(2).says(&["high", "0 to 1"]);
    std::fs::create_dir_all(temp.path().join("empty")).expect("a folder");
    fw!["eval", "mot", "--gt", temp.path().join("empty")].fails(3).says(&["no MOTChallenge sequence"]);
}

/// Boxes from a file, each third picture looked at: the op numbers them, and expects them in between.
#[test]
fn a_run_follows_and_fills_the_gaps() {
    let temp = temp();
    let boxes = temp.path().join("boxes.txt");
    let lines = (1..=30).map(|n| format!("{n},-1,{},60,40,100,0.9\n", 20 + 4 * n));
    std::fs::write(&boxes, lines.collect::<String>()).expect("written");
    let out = temp.path().join("found.jsonl");
    let detect = format!("detect:model=boxes:{},every=3", boxes.display());
    let run = fw!["run", "generate:scene", "-o", "null", "-o", &out, "--op", detect, "--op", "track"]
        .words("--frames 30 --size 320x240 --fps 25")
        .ok();
    let report = run.stats["ops"].as_array().and_then(|ops| ops.iter().find(|o| o["name"] == "track")).expect("track");
    assert_eq!(report["report"]["tracks"], 1, "{report}");
    let text = std::fs::read_to_string(&out).expect("detections");
    let all = text.lines().filter_map(|l| serde_json::from_str(l).ok());
    let frames: Vec<Value> = all.filter(|l: &Value| l["type"] == "frame").collect();
    for frame in frames.iter().filter(|f| f["frame"].as_u64().is_some_and(|n| n >= 12)) {
        let n = frame["frame"].as_u64().expect("a number");
        let found = frame["detections"].as_array().expect("detections");
        assert_eq!(found.len(), 1, "{frame}");
        assert_eq!(found[0]["track"], 1, "{frame}");
        assert_eq!(found[0]["predicted"].as_bool().unwrap_or(false), n % 3 != 0, "{frame}");
    }
    // Looked at are 0, 3, 6, where it gets its number; from there on there is a box in each.
    assert_eq!(frames.len(), 26);
}

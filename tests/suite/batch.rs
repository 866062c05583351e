//! Many files in one call: what is done, what is done again, what is told about it.

mod faults;
mod stops;

use std::collections::HashMap;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use crate::common::*;
use crate::fw;
use crate::outputs::counters;

/// Short videos of the numbers 0, 1, 2 …, so many frames each.
pub fn videos(folder: &Path, files: &[(&str, u32)]) {
    for (name, frames) in files {
        let path = folder.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fw!["run", "generate:counter", "-o", &path]
            .words(&format!("--frames {frames} --size 160x120 --preset ultrafast --overwrite"))
            .ok();
    }
}

/// A batch over `in` into `out`, both in `dir`.
pub fn batch(dir: &Path, words: &str) -> Run {
    fw!["batch", "in", "-o", "out/{dir}/{stem}.mp4"].words("--preset ultrafast").words(words).within(dir)
}

/// State and attempts of each job, by the end of its input's name.
pub fn jobs(dir: &Path) -> HashMap<String, (String, u32)> {
    let db = rusqlite::Connection::open(dir.join("out/batch/journal.db")).unwrap();
    let mut all = db.prepare("SELECT input, state, attempts FROM jobs").unwrap();
    let base = dir.canonicalize().unwrap().join("in");
    let rows = all.query_map([], |r| {
        let input: String = r.get(0)?;
        let name = Path::new(&input).strip_prefix(&base).map_or(input.clone(), |p| p.display().to_string());
        Ok((name, (r.get(1)?, r.get(2)?)))
    });
    rows.unwrap().map(Result::unwrap).collect()
}

pub fn summary(dir: &Path) -> Value {
    serde_json::from_slice(&fs::read(dir.join("out/batch/summary.json")).unwrap()).unwrap()
}

#[test]
fn a_tree_of_files_is_done_once_and_again_only_where_something_changed() {
    let dir = temp();
    videos(&dir.path().join("in"), &[("a.mp4", 12), ("b/c d%.mkv", 20), ("b/e.mov", 7)]);
    let out = batch(dir.path(), "--op blur:size=3").ok();
    out.says(&["3 to do (3 new)", "3 of 3 jobs done"]);
    for (name, frames) in [("a", 12), ("b/c d%", 20), ("b/e", 7)] {
        let media = Media::open(dir.path().join(format!("out/{name}.mp4")));
        assert_eq!(counters(&media), (0..frames).collect::<Vec<_>>(), "{name}");
    }
    assert_eq!(
        listing(&dir.path().join("out/batch")),
        ["jobs.csv", "journal.db", "journal.db.lock", "report.html", "summary.json"]
    );
    let s = summary(dir.path());
    assert_eq!((s["done"].as_u64(), s["failed"].as_u64(), s["frames"].as_u64()), (Some(3), Some(0), Some(39)));

    batch(dir.path(), "--op blur:size=3").ok().says(&["0 to do, 3 done already"]);
    // Inside of the output folder, and the outputs themselves, nothing is an input.
    fw!["batch", ".", "-o", "out/{dir}/{stem}.mp4", "--dry-run"].within(dir.path()).ok();

    videos(&dir.path().join("in"), &[("a.mp4", 13)]);
    fs::remove_file(dir.path().join("out/b/e.mp4")).unwrap();
    let out = batch(dir.path(), "--op blur:size=3").ok();
    out.says(&["2 to do (1 the input changed, 1 the output is gone or was changed), 1 done already"]);
    assert_eq!(counters(&Media::open(dir.path().join("out/a.mp4"))).len(), 13);
    let out = batch(dir.path(), "--op blur:size=5").ok();
    out.says(&["3 to do (3 the configuration changed)"]);
    let jobs = jobs(dir.path());
    assert_eq!((jobs["a.mp4"].1, jobs["b/c d%.mkv"].1, jobs["b/e.mov"].1), (3, 2, 3));
}

#[test]
fn content_identifies_a_file_whose_times_do_not() {
    let dir = temp();
    videos(&dir.path().join("in"), &[("a.mp4", 5)]);
    batch(dir.path(), "--identify-by content").ok();
    let file = fs::File::options().write(true).open(dir.path().join("in/a.mp4")).unwrap();
    file.set_modified(std::time::UNIX_EPOCH + std::time::Duration::from_secs(1_000_000)).unwrap();
    batch(dir.path(), "--identify-by content").ok().says(&["0 to do, 1 done already"]);
    batch(dir.path(), "").ok().says(&["1 the input changed"]);
}

#[test]
fn a_dry_run_says_what_and_why_and_does_nothing() {
    let dir = temp();
    videos(&dir.path().join("in"), &[("a.mp4", 5)]);
    fs::write(dir.path().join("in/empty.mp4"), b"").unwrap();
    let out = batch(dir.path(), "--dry-run").ok();
    assert!(out.stdout.contains("in/a.mp4 -> ") && out.stdout.contains("(new)"), "{}", out.stdout);
    assert!(out.stdout.contains("would fail: ") && out.stdout.contains("empty (0 bytes)"), "{}", out.stdout);
    assert!(out.stdout.contains("2 to do (2 new), 0 done already"), "{}", out.stdout);
    assert!(!dir.path().join("out").exists());
    fs::remove_file(dir.path().join("in/empty.mp4")).unwrap();
    batch(dir.path(), "").ok();
    videos(&dir.path().join("in"), &[("a.mp4", 6)]);
    let out = batch(dir.path(), "--dry-run").ok();
    assert!(out.stdout.contains("the input changed") && out.stdout.contains("jobs at a time"), "{}", out.stdout);
}

#[test]
fn what_would_be_written_twice_is_found_before_anything_begins() {
    let dir = temp();
    videos(&dir.path().join("in"), &[("x/a.mp4", 3), ("y/a.mp4", 3)]);
    let flat = |o: &str| fw!["batch", "in", "-o", o].within(dir.path());
    let out = flat("out/{stem}.mp4").fails(2);
    out.says(&["in/x/a.mp4", "in/y/a.mp4", "both be written to", "{dir}"]);
    flat("out/a.mp4").fails(2).says(&["every job would write to out/a.mp4", "out/{dir}/{stem}.mp4"]);
    flat("in/{dir}/{stem}.mp4").fails(2).says(&["over the input"]);
    flat("display").fails(2).says(&["no output `display`"]);
    flat("jsonl:-").fails(2).says(&["standard output"]);
    fw!["batch", "in"].within(dir.path()).fails(2).says(&["no output"]);
    fw!["batch", "nothing", "-o", "o/{stem}.mp4"].within(dir.path()).fails(1).says(&["no such file"]);
    fs::create_dir(dir.path().join("bare")).unwrap();
    fw!["batch", "bare", "-o", "o/{stem}.mp4"].within(dir.path()).fails(3).says(&["no video file", "--types"]);
    assert!(!dir.path().join("out").exists());
}

#[test]
fn files_of_others_are_not_replaced_unasked() {
    let dir = temp();
    videos(&dir.path().join("in"), &[("a.mp4", 5), ("b.mp4", 5)]);
    fs::create_dir(dir.path().join("out")).unwrap();
    fs::write(dir.path().join("out/a.mp4"), "precious").unwrap();
    let out = batch(dir.path(), "").fails(1);
    out.says(&["1 of 2 jobs done, 1 failed", "the file exists", "--overwrite"]);
    assert_eq!(fs::read(dir.path().join("out/a.mp4")).unwrap(), b"precious");
    // What somebody did to a result is not undone unasked either.
    fs::write(dir.path().join("out/b.mp4"), "edited").unwrap();
    batch(dir.path(), "").fails(1).says(&["it was changed since this batch wrote it"]);
    batch(dir.path(), "--overwrite").ok();
    assert_eq!(Media::open(dir.path().join("out/a.mp4")).frames(), 5);
    assert_eq!(Media::open(dir.path().join("out/b.mp4")).frames(), 5);
}

#[test]
fn lists_globs_and_standard_input_name_files() {
    let dir = temp();
    videos(&dir.path().join("in"), &[("1.mp4", 3), ("2.mp4", 3), ("3.mkv", 3)]);
    let files = |run: Run| -> Vec<String> {
        let out = run.within(dir.path()).words("--dry-run").ok();
        let mut names: Vec<String> = out
            .stdout
            .lines()
            .filter_map(|l| l.split(" -> ").nth(1))
            .map(|l| {
                let path = l.split("  (").next().unwrap();
                Path::new(path).strip_prefix(dir.path().canonicalize().unwrap()).unwrap().display().to_string()
            })
            .collect();
        names.sort();
        names
    };
    let o = "o/{dir}/{stem}.mp4";
    assert_eq!(files(fw!["batch", "in/*.mp4", "-o", o]), ["o/1.mp4", "o/2.mp4"]);
    assert_eq!(files(fw!["batch", "-", "-o", o].stdin(b"in/3.mkv\0in/1.mp4\0".to_vec())), ["o/in/1.mp4", "o/in/3.mp4"]);
    fs::write(dir.path().join("list"), "in/2.mp4\nin/2.mp4\n").unwrap();
    assert_eq!(files(fw!["batch", "--list", "list", "-o", o]), ["o/in/2.mp4"]);
    assert_eq!(files(fw!["batch", "in", "--types", "mkv", "-o", o]), ["o/3.mp4"]);
}

#[test]
fn shards_are_the_whole_and_their_journals_merge() {
    let dir = temp();
    let names: Vec<String> = (0..9).map(|n| format!("{n}.mp4")).collect();
    videos(&dir.path().join("in"), &names.iter().map(|n| (n.as_str(), 2)).collect::<Vec<_>>());
    let mut journals: Vec<OsString> = Vec::new();
    for n in 1..=3 {
        let out = batch(dir.path(), &format!("--shard {n}/3")).end();
        assert_eq!(out.code, 0, "{}", out.stderr);
        let journal = format!("out/batch/journal-{n}-of-3.db");
        if dir.path().join(&journal).exists() {
            journals.push(journal.into());
        }
    }
    let made: Vec<String> = listing(&dir.path().join("out")).into_iter().filter(|n| n != "batch").collect();
    assert_eq!(made, names);
    assert!(journals.len() > 1, "nine files do not all fall into one part of three");
    let mut merge = fw!["batch", "merge", "whole.db"].within(dir.path());
    for j in &journals {
        merge = merge.arg(j);
    }
    merge.ok();
    let out = fw!["batch", "status", "whole.db"].within(dir.path()).ok();
    assert!(out.stdout.contains("9 jobs: 9 done, 0 failed"), "{}", out.stdout);
    // With the whole journal nothing is left to do.
    batch(dir.path(), "--journal whole.db").ok().says(&["0 to do, 9 done already"]);
}

#[test]
fn events_of_all_files_gather_in_one_database() {
    let dir = temp();
    for (name, seed) in [("in/a.mp4", 1), ("in/b/a.mp4", 2)] {
        let path = dir.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fw!["run", "generate:scene", "-o", &path]
            .words(&format!("--frames 90 --size 320x180 --seed {seed} --preset ultrafast"))
            .ok();
    }
    let alone = |name: &str| -> Vec<String> {
        let lines = dir.path().join("alone.jsonl");
        fw!["run", dir.path().join(name), "-o", {
            let mut o = OsString::from("events:");
            o.push(&lines);
            o
        }]
        .words("--op motion --overwrite")
        .ok();
        let of = |l: &str| -> String {
            let v: Value = serde_json::from_str(l).unwrap();
            format!("{} {}", v["kind"], v["ns"])
        };
        fs::read_to_string(&lines).unwrap().lines().map(of).collect()
    };
    let run = |words: &str| {
        fw!["batch", "in", "-o", "out/all.db", "-o", "out/{dir}/{stem}.jsonl"]
            .words("--op motion")
            .words(words)
            .within(dir.path())
    };
    run("").ok();
    let gathered = || -> HashMap<String, Vec<String>> {
        let db = rusqlite::Connection::open(dir.path().join("out/all.db")).unwrap();
        let mut all = db
            .prepare(
                "SELECT r.stream, e.kind, e.ns FROM events e JOIN runs r ON r.number = e.run ORDER BY e.run, e.seq",
            )
            .unwrap();
        let mut by: HashMap<String, Vec<String>> = HashMap::new();
        let rows = all.query_map([], |r| Ok((r.get(0)?, r.get::<_, String>(1)?, r.get::<_, i64>(2)?))).unwrap();
        for (stream, kind, ns) in rows.map(Result::unwrap) {
            let stream: String = stream;
            by.entry(stream).or_default().push(format!("\"{kind}\" {ns}"));
        }
        by
    };
    let base = dir.path().canonicalize().unwrap();
    let first = gathered();
    let (a, b) = (alone("in/a.mp4"), alone("in/b/a.mp4"));
    assert!(a.len() + b.len() > 0, "the street moves");
    assert_eq!(first.values().map(Vec::len).sum::<usize>(), a.len() + b.len());
    for (name, lines) in [("in/a.mp4", &a), ("in/b/a.mp4", &b)] {
        assert_eq!(first.get(&base.join(name).display().to_string()).cloned().unwrap_or_default(), *lines, "{name}");
    }
    // Done again, nothing is there twice.
    fs::remove_file(dir.path().join("out/a.jsonl")).unwrap();
    run("").ok().says(&["1 to do"]);
    assert_eq!(gathered(), first);
    let db = rusqlite::Connection::open(dir.path().join("out/all.db")).unwrap();
    assert_eq!(db.query_row("SELECT count(*) FROM runs", [], |r| r.get::<_, i64>(0)).unwrap(), 2);
    assert_eq!(db.query_row("PRAGMA integrity_check", [], |r| r.get::<_, String>(0)).unwrap(), "ok");
}

#[test]
fn what_ops_write_has_a_name_for_each_job() {
    let dir = temp();
    videos(&dir.path().join("in"), &[("a.mp4", 4), ("b/a.mp4", 4)]);
    let run = |op: &str| fw!["batch", "in", "-o", "null", "--op", op].within(dir.path());
    run("scenes:list=cuts.csv")
        .fails(2)
        .says(&["the list of op scenes to cuts.csv", "--set 'op.0.list=out/{dir}/{stem}.csv'"]);
    run("scenes:list=cuts/{stem}.csv").fails(2).says(&["both be written to", "cuts/a.csv"]);
    run("scenes:list=cuts/{dir}/{stem}.csv").ok();
    assert!(dir.path().join("cuts/a.csv").is_file() && dir.path().join("cuts/b/a.csv").is_file());
    run("scenes:list=cuts/{dir}/{stem}.csv").ok().says(&["0 to do, 2 done already"]);
    fs::remove_file(dir.path().join("cuts/a.csv")).unwrap();
    run("scenes:list=cuts/{dir}/{stem}.csv").ok().says(&["1 to do (1 the output is gone or was changed)"]);
}

#[test]
fn a_configuration_is_run_as_it_was_when_the_batch_began() {
    let dir = temp();
    videos(&dir.path().join("in"), &[("a.mp4", 5)]);
    fs::write(
        dir.path().join("c.toml"),
        "stats = \"out/{stem}.stats.json\"\n[source]\nuri = \"other.mp4\"\n[[op]]\ntype = \"text\"\ntext = \"{source} ${{}\"\n\
         [[sink]]\npath = \"out/{dir}/{stem}.mkv\"\nencoder = \"ffv1\"\n",
    )
    .unwrap();
    fw!["batch", "in", "-c", "c.toml"].within(dir.path()).fails(2).says(&["c.toml:6"]);
    let text = fs::read_to_string(dir.path().join("c.toml")).unwrap();
    fs::write(dir.path().join("c.toml"), text.replace("${{}", "")).unwrap();
    fw!["batch", "in", "-c", "c.toml"].within(dir.path()).ok();
    let media = Media::open(dir.path().join("out/a.mkv"));
    assert_eq!((media.frames(), media.video()["codec_name"].as_str()), (5, Some("ffv1")));
    let stats: Value = serde_json::from_slice(&fs::read(dir.path().join("out/a.stats.json")).unwrap()).unwrap();
    assert_eq!(stats["frames_in"], 5);
    // It can be done again without the file.
    fs::remove_file(dir.path().join("c.toml")).unwrap();
    fs::remove_file(dir.path().join("out/a.mkv")).unwrap();
    fw!["batch", "retry", "out/batch/journal.db"].within(dir.path()).ok();
}

#[test]
fn the_report_shows_every_file_and_groups_what_failed() {
    let dir = temp();
    let hostile = "<img src=x onerror=alert(1)>.mp4";
    videos(&dir.path().join("in"), &[("good.mp4", 12), (hostile, 12)]);
    for name in ["bad1.mp4", "bad22.mp4"] {
        fs::write(dir.path().join("in").join(name), "no video at all").unwrap();
    }
    let out = batch(dir.path(), "").fails(1);
    out.says(&[
        "2 of 4 jobs failed:",
        "in/bad1.mp4: ",
        "in/bad22.mp4: ",
        "framewright batch retry out/batch/journal.db",
    ]);
    let s = summary(dir.path());
    let causes = s["causes"].as_array().unwrap();
    assert_eq!((causes.len(), causes[0]["files"].as_array().unwrap().len()), (1, 2), "{causes:?}");
    assert_eq!(causes[0]["class"], 3);
    let html = fs::read_to_string(dir.path().join("out/batch/report.html")).unwrap();
    assert!(!html.contains("<img src=x") && html.contains("&lt;img src=x onerror=alert(1)&gt;.mp4"));
    assert_eq!(html.matches("data:image/jpeg;base64,").count(), 4, "before and after of two files");
    // What stands below a heading belongs to it.
    let table = html.rsplit("<table").next().unwrap();
    let cells = |row: &str, end: &str| {
        row.split(end).map(|c| c.rsplit_once('>').unwrap_or(("", c)).1.to_owned()).collect::<Vec<_>>()
    };
    let heads = cells(table.split("</thead>").next().unwrap(), "</button>");
    let row = table.split("<tr>").find(|r| r.contains(">good.mp4<")).unwrap();
    let frames = heads.iter().position(|h| h == "frames").unwrap();
    assert_eq!(cells(row, "</td>")[frames], "12", "{heads:?}");
    let csv = fs::read_to_string(dir.path().join("out/batch/jobs.csv")).unwrap();
    assert_eq!(csv.lines().count(), 5);
    // Others ask the journal.
    let out = fw!["batch", "status", "out/batch/journal.db", "--json"].within(dir.path()).ok();
    let status: Value = serde_json::from_str(&out.stdout).unwrap();
    assert_eq!((status["done"].as_u64(), status["failed"].as_u64()), (Some(2), Some(2)));
    fw!["batch", "report", "out/batch/journal.db", "-o", "elsewhere"].within(dir.path()).ok();
    assert_eq!(listing(&dir.path().join("elsewhere")), ["jobs.csv", "report.html", "summary.json"]);
    fw!["batch", "status", "in/good.mp4"].within(dir.path()).fails(3).says(&["no journal"]);
}

#[test]
fn a_failed_job_is_tried_again_and_can_be_left_out() {
    let dir = temp();
    videos(&dir.path().join("in"), &[("good.mp4", 3)]);
    fs::write(dir.path().join("in/bad.mp4"), "no video at all").unwrap();
    batch(dir.path(), "").fails(1);
    batch(dir.path(), "").fails(1).says(&["1 to do (1 failed before), 1 done already"]);
    batch(dir.path(), "--skip-failed").fails(1).says(&["0 to do"]);
    assert_eq!(jobs(dir.path())["bad.mp4"], ("failed".into(), 2));
    videos(&dir.path().join("in"), &[("bad.mp4", 4)]);
    fw!["batch", "retry", "out/batch/journal.db"].within(dir.path()).ok();
    assert_eq!(Media::open(dir.path().join("out/bad.mp4")).frames(), 4);
    let out = fw!["batch", "retry", "out/batch/journal.db"].within(dir.path()).ok();
    assert!(out.stdout.contains("nothing to do"));
}

/// The test data's videos with text and blur: what cannot be read is named, and nothing else.
#[test]
fn of_all_test_data_exactly_the_unreadable_fails() {
    let Some(folder) = data_folder() else { return };
    let dir = temp();
    let out = fw!["batch", folder.join("video"), "-o", "out/{dir}/{name}.mp4"]
        .words("--types all --preset ultrafast --op blur:size=9")
        .arg("--op")
        .arg("text:text={source} {time}")
        .within(dir.path())
        .limit(400)
        .end();
    assert_eq!(out.code, 1, "{}", out.stderr);
    let s = summary(dir.path());
    let mut failed: Vec<String> = s["causes"]
        .as_array()
        .unwrap()
        .iter()
        .flat_map(|c| c["files"].as_array().unwrap())
        .map(|f| Path::new(f[0].as_str().unwrap()).file_name().unwrap().to_string_lossy().into_owned())
        .collect();
    failed.sort();
    let unreadable = [
        "audio_only.m4a",
        "qcif_YV16.avi",
        "test_audio.wav",
        "test_mono_audio.mp3",
        "test_stereo_audio.mp3",
        "tree.avi",
        "truncated_moov_at_end.mp4",
    ];
    assert_eq!(failed, unreadable);
    let all = all_data().len();
    assert_eq!(s["done"].as_u64(), Some((all - unreadable.len()) as u64));
    // What there is of a truncated file is there.
    let rest: PathBuf = dir.path().join("out/opencv_extra/tree.avi.mp4");
    assert_eq!(Media::open(rest).frames(), 68);
}

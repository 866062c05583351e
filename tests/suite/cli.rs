//! The command line as people and programs meet it.

use crate::common::*;
use crate::fw;

#[test]
fn help_is_there_for_every_command() {
    let main = fw!["--help"].ok().stdout;
    for command in ["run", "probe", "devices", "ops", "doctor", "check", "completions"] {
        assert!(main.contains(command), "{command} is not in:\n{main}");
        let help = fw![command, "--help"].ok().stdout;
        assert!(help.contains("Usage:") && help.len() > 200, "{command}:\n{help}");
    }
    let run = fw!["run", "--help"].ok().stdout;
    for word in ["Examples:", "framewright run traffic.mp4", "Exit codes:", "130", "--stride", "--encoder-option"] {
        assert!(run.contains(word), "{word} is not in:\n{run}");
    }
    assert!(fw!["--version"].ok().stdout.starts_with("framewright "));
    let bare = fw![].end();
    assert!(bare.code == 2 && bare.stderr.contains("Usage:"), "{}", bare.stderr);
}

#[test]
fn ops_lists_every_op_and_explains_each() {
    let list = fw!["ops"].ok().stdout;
    for e in framewright::ops::ALL {
        assert!(
            list.lines().any(|l| l.trim_start().starts_with(e.name) && l.len() > e.name.len() + 12),
            "{}:\n{list}",
            e.name
        );
        let page = fw!["ops", e.name].ok().stdout;
        assert!(page.contains(e.example) && page.contains(e.behind), "{}:\n{page}", e.name);
        let keys = (e.schema)().get("properties").and_then(|p| p.as_object()).cloned().unwrap_or_default();
        for key in keys.keys() {
            assert!(page.contains(key), "{}: {key} is not in:\n{page}", e.name);
        }
    }
}

#[test]
fn every_example_of_the_op_list_runs() {
    for e in framewright::ops::ALL {
        let run = fw!["run", "generate:scene", "-o", "null"].words("--frames 5 --size 160x120");
        let run = e.needs().into_iter().fold(run, |run, op| run.arg("--op").arg(op)).arg("--op").arg(e.example).ok();
        let out = run.count("frames_out");
        assert!(out == 5 || e.group == framewright::ops::Group::Time && out > 0, "{}: {out} frames", e.example);
    }
}

#[test]
fn completions_for_every_shell() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = fw!["completions", shell].ok().stdout;
        assert!(script.contains("framewright") && script.contains("encoder-option"), "{shell}");
    }
}

#[test]
fn doctor_finds_this_machine_well() {
    let out = fw!["doctor"].ok().stdout;
    for word in ["x264enc", "avdec_h264", "OpenCV", "GStreamer"] {
        assert!(out.contains(word), "{word} is not in:\n{out}");
    }
    let json: Value = serde_json::from_str(&fw!["doctor", "--json"].ok().stdout).expect("JSON");
    assert_eq!(json["ok"], true);
}

#[test]
fn a_closed_pipe_is_no_error() {
    for args in
        [&["ops"][..], &["ops", "blur"], &["--help"], &["doctor"], &["doctor", "--json"], &["completions", "zsh"]]
    {
        let binary = env!("CARGO_BIN_EXE_framewright");
        let quoted: Vec<String> = args.iter().map(|a| format!("'{a}'")).collect();
        // `true` reads nothing at all: the first write fails.
        let script = format!("{{ '{binary}' {}; echo \"code $?\" >&2; }} | true", quoted.join(" "));
        let out = std::process::Command::new("sh").arg("-c").arg(script).output().unwrap();
        let err = String::from_utf8_lossy(&out.stderr);
        assert!(!err.contains("panicked") && err.contains("code 0"), "{args:?}:\n{err}");
    }
}

#[test]
fn quiet_is_silent() {
    let dir = temp();
    let run = fw!["run", "generate:noise", "-o", dir.path().join("o.mp4"), "-q"].words("--frames 30 --size 64x64").ok();
    assert_eq!((run.stdout.as_str(), run.stderr.as_str()), ("", ""));
    let run = fw!["run", "none.mp4", "-o", "null", "-q"].fails(3);
    assert_eq!(run.stderr.lines().filter(|l| !l.starts_with("fix:")).count(), 1, "{}", run.stderr);
}

#[test]
fn without_a_terminal_progress_is_plain_lines() {
    let run = fw!["run", "generate:counter", "-o", "null"].words("--frames 50 --size 64x64").ok();
    assert!(!run.stderr.contains('\x1b') && !run.stderr.contains('\r'), "{:?}", run.stderr);
    run.says(&["generate:counter: 64x64 BGR", "50 frames in, 50 out", "ms/frame"]);
    assert_eq!(run.stdout, "", "standard output is for data");
}

#[test]
fn the_statistics_hold_what_programs_need() {
    let dir = temp();
    let out = dir.path().join("o.mp4");
    let run = fw!["run", "generate:counter", "-o", &out, "-o", "null", "--op", "blur", "--op", "text:text=x"]
        .words("--frames 40 --size 64x64")
        .ok();
    let s = &run.stats;
    for key in [
        "version",
        "source",
        "frames_read",
        "frames_in",
        "frames_out",
        "frames_dropped",
        "seconds",
        "fps",
        "realtime",
        "input_format",
        "converted_from",
        "output_format",
        "copies",
        "decode_errors",
        "repaired_timestamps",
        "source_wait_seconds",
        "sink_wait_seconds",
        "first_frame_seconds",
        "ops",
        "sinks",
        "notices",
        "ended",
    ] {
        assert!(s.get(key).is_some(), "no {key} in {s}");
    }
    assert_eq!((run.count("frames_in"), run.count("frames_out")), (40, 40));
    assert_eq!(s["ended"], "done");
    assert_eq!((s["ops"][0]["name"].as_str(), s["ops"][1]["name"].as_str()), (Some("blur"), Some("text")));
    for sink in s["sinks"].as_array().expect("sinks") {
        let at = |k: &str| sink["latency_ms"][k].as_f64().unwrap_or(-1.0);
        assert!(
            0.0 <= at("p50") && at("p50") <= at("p95") && at("p95") <= at("p99") && at("p99") <= at("max"),
            "{sink}"
        );
        assert_eq!(sink["frames"], 40);
    }
    assert_eq!(s["sinks"][0]["bytes"].as_u64(), Some(std::fs::metadata(&out).unwrap().len()), "{s}");
}

#[test]
fn statistics_that_cannot_be_written_are_an_error() {
    fw!["run", "test:smpte", "-o", "null", "--frames", "2", "--stats", "/nowhere/s.json"]
        .fails(4)
        .says(&["/nowhere/s.json"]);
}

#[test]
fn verbose_says_more() {
    let lines =
        |level: &str| fw!["run", "test:smpte", "-o", "null", "--frames", "2"].words(level).ok().stderr.lines().count();
    let (plain, most) = (lines(""), lines("-vvv"));
    assert!(most > plain, "{plain} lines, with -vvv {most}");
}

#[test]
fn probe_says_what_a_file_is_in_words_and_as_json() {
    let Some(input) = data("derived/two_audio_aac_opus.mkv") else { return };
    let text = fw!["probe", &input].ok().stdout;
    assert!(text.contains("854×480") && text.to_lowercase().contains("opus"), "{text}");
    let json: Value = serde_json::from_str(&fw!["probe", &input, "--json"].ok().stdout).expect("JSON");
    assert!(json.to_string().contains("480"), "{json}");
    fw!["probe", "none.mp4"].fails(3).says(&["none.mp4"]);
}

#[test]
fn devices_answers_with_or_without_cameras() {
    let out = fw!["devices"].end();
    assert!(out.code == 0, "{}", out.stderr);
    assert!(!out.stdout.is_empty() || !out.stderr.is_empty());
}

//! Every file in `config/` is right, and runs.

use std::path::{Path, PathBuf};

use crate::common::*;
use crate::fw;

pub fn configs() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("config");
    let entries = std::fs::read_dir(&folder).into_iter().flatten().flatten();
    let mut out: Vec<_> = entries.map(|e| e.path()).filter(|p| p.extension().is_some_and(|e| e == "toml")).collect();
    out.sort();
    out
}

#[test]
fn every_configuration_is_checked() {
    for path in configs() {
        fw!["check", &path].ok();
        let printed = fw!["check", &path, "--print"].ok().stdout;
        assert!(printed.contains("[source]"), "{}", path.display());
    }
}

/// With a source and an output of this test's: its ops run and its encoder settings hold.
#[test]
fn every_configuration_runs() {
    for path in configs() {
        let dir = temp();
        let out = dir.path().join("out.mkv");
        // Where the examples write, as scripts/demo has it.
        std::fs::create_dir(dir.path().join("demo")).expect("a folder");
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("config");
        std::os::unix::fs::symlink(folder, dir.path().join("config")).expect("a link to config/assets");
        let run = fw!["run", "generate:scene", "-c", &path, "-o", &out].words("--frames 20 --size 320x240 --fps 10");
        let run = run.within(dir.path()).end();
        assert_eq!(run.code, 0, "{}:\n{}", path.display(), run.stderr);
        assert!(run.count("frames_out") > 0, "{}", path.display());
        assert_eq!(Media::open(&out).frames() as u64, run.count("frames_out"), "{}", path.display());
    }
}

#[test]
fn the_command_line_adds_to_a_configuration_and_replaces_it() {
    let dir = temp();
    let path = dir.path().join("c.toml");
    let text = "[source]\nuri = \"generate:counter\"\nframes = 4\nsize = \"64x48\"\n[[op]]\ntype = \"blur\"\n[[sink]]\npath = \"o.mkv\"\nencoder = \"ffv1\"\n";
    std::fs::write(&path, text).unwrap();
    let run = fw!["run", "-c", &path].within(dir.path()).ok();
    assert_eq!(run.count("frames_out"), 4);
    assert_eq!(Media::open(dir.path().join("o.mkv")).tag("codec_name"), "ffv1");
    let run = fw!["run", "test:ball", "-c", &path, "-o", "p.mp4", "--op", "text:text=x", "--frames", "6"];
    let run = run.words("--encoder x264").within(dir.path()).ok();
    assert_eq!((run.count("frames_out"), run.stats["source"].as_str()), (6, Some("test:ball")));
    assert_eq!(
        (run.stats["ops"][0]["name"].as_str(), run.stats["ops"][1]["name"].as_str()),
        (Some("blur"), Some("text"))
    );
    assert_eq!(Media::open(dir.path().join("p.mp4")).size(), (64, 48));
}

//! What the documentation shows is what the program does: docs/ops.md, docs/cli.md and docs/events.schema.json are made from the code and must not be
//! stale (`scripts/docs` makes them anew), and every file in config/ runs as it is.

use std::path::Path;
use std::process::Command;

use clap::CommandFactory;
use clap_markdown::MarkdownOptions;

/// Compares a page with what the code says, or writes it where `FRAMEWRIGHT_WRITE_DOCS` is set.
fn up_to_date(page: &str, wanted: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(page);
    if std::env::var_os("FRAMEWRIGHT_WRITE_DOCS").is_some() {
        std::fs::write(&path, wanted).unwrap();
    }
    let found = std::fs::read_to_string(&path).unwrap_or_default();
    let differs = found.lines().zip(wanted.lines()).position(|(a, b)| a != b);
    assert!(found == wanted, "{page} is stale (from line {differs:?} on): run scripts/docs and commit the result");
}

#[test]
fn ops_md_is_up_to_date() {
    let made = Command::new(env!("CARGO_BIN_EXE_framewright")).args(["ops", "--markdown"]).output().unwrap();
    assert!(made.status.success());
    up_to_date("docs/ops.md", &String::from_utf8(made.stdout).unwrap());
}

#[test]
fn events_schema_is_up_to_date() {
    let made = Command::new(env!("CARGO_BIN_EXE_framewright")).args(["schema", "--events"]).output().unwrap();
    assert!(made.status.success());
    up_to_date("docs/events.schema.json", &String::from_utf8(made.stdout).unwrap());
}

/// Made anew, each op's picture must look like the one that is shown: other versions of OpenCV round otherwise, no more.
#[test]
fn the_pictures_of_the_ops_are_up_to_date() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let made = tempfile::tempdir().unwrap();
    let run = Command::new(root.join("scripts/pictures"))
        .args(["ops".as_ref(), made.path()])
        .env("FRAMEWRIGHT_BIN", env!("CARGO_BIN_EXE_framewright"))
        .output()
        .unwrap();
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
    for op in framewright::ops::ALL {
        let name = format!("{}.jpg", op.name);
        let picture = |folder: &Path| {
            let path = folder.join(&name);
            let why = |e| panic!("{}: {e}: run scripts/pictures and commit the result", path.display());
            image::open(&path).unwrap_or_else(why).to_rgb8()
        };
        let (shown, now) = (picture(&root.join("docs/images/ops")), picture(made.path()));
        assert_eq!(shown.dimensions(), now.dimensions(), "{name} is stale: run scripts/pictures");
        let square = |(a, b): (&u8, &u8)| f64::from(a.abs_diff(*b)).powi(2);
        let error: f64 = shown.iter().zip(now.iter()).map(square).sum::<f64>() / shown.len() as f64;
        let psnr = 10.0 * (255.0 * 255.0 / error.max(1e-9)).log10();
        assert!(psnr > 28.0, "{name} is stale ({psnr:.1} dB): run scripts/pictures and commit the result");
    }
}

#[test]
fn cli_md_is_up_to_date() {
    let options = MarkdownOptions::new().title("The command line".into()).show_footer(false);
    let program = framewright::cli::Cli::command().mut_subcommand("run", |run| {
        let examples = run.get_after_help().map(ToString::to_string).unwrap_or_default();
        run.after_help(format!("```text\n{examples}\n```"))
    });
    let body = clap_markdown::help_markdown_command_custom(&program, &options);
    let (title, rest) = body.split_once('\n').unwrap();
    let note = "<!-- Made from the program's own help by `scripts/docs`; a test fails when it is stale. -->";
    let lines: Vec<&str> = rest.trim().lines().map(str::trim_end).collect();
    up_to_date("docs/cli.md", &format!("{title}\n\n{note}\n\n{}\n", lines.join("\n")));
}

#[test]
fn every_example_configuration_runs_as_it_is() {
    let work = tempfile::tempdir().unwrap();
    std::fs::create_dir(work.path().join("demo")).unwrap();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("config");
    // Examples name what they need from the root of the repository: config/assets/….
    std::os::unix::fs::symlink(&folder, work.path().join("config")).unwrap();
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|f| f.unwrap().path()).collect();
    files.retain(|f| f.extension().is_some_and(|e| e == "toml"));
    files.sort();
    assert!(files.len() >= 7);
    for file in files {
        // Twice, since people run examples twice.
        for frames in ["5", "3"] {
            let run = Command::new(env!("CARGO_BIN_EXE_framewright"))
                .current_dir(work.path())
                .args(["run", "-q", "--frames", frames, "-c"])
                .arg(&file)
                .output()
                .unwrap();
            assert!(run.status.success(), "{}: {}", file.display(), String::from_utf8_lossy(&run.stderr));
        }
    }
}

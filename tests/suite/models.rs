//! Networks: what cannot work is said in one line with the fix, what comes from afar is checked, and the model that comes with
//! the binary finds what there is.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::Path;

use crate::common::*;
use crate::fw;

/// The SHA-256 of `weights`.
const WEIGHTS: &[u8] = b"weights";
const SUM: &str = "9a129038d9a00aed0cf6a7ea059ca50a813449061ab87848cf1a13eafdf33b2c";

/// A manifest for a YOLOX with `extra` lines on top.
fn manifest(folder: &Path, name: &str, extra: &str) {
    let text = format!(
        "description = \"test\"\nlicence = \"MIT\"\n{extra}\n\
         [input]\nsize = [320, 192]\ncolor = \"rgb\"\nscale = 0.00392156863\nfit = \"letterbox-top-left\"\n\
         [output]\ndecode = \"yolox\"\nstrides = [8, 16, 32]\n"
    );
    std::fs::write(folder.join(format!("{name}.toml")), text).unwrap();
}

/// The weights that come with the repository.
fn tiny() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("models/tiny_scene.onnx")
}

/// The one `error:` line and the `fix:` line.
fn said(out: &Output) -> (String, String) {
    let line = |start: &str| out.stderr.lines().find(|l| l.starts_with(start)).unwrap_or_default().to_owned();
    (line("error:"), line("fix:"))
}

#[test]
fn the_built_in_model_finds_the_scene_on_every_engine_that_is_here() {
    let dir = temp();
    // Nothing but the binary: neither manifest nor weights lie in this folder.
    let out = fw!["models", "test", "tiny_scene"].within(dir.path()).ok();
    assert!(out.stdout.contains("tiny_scene: ok"), "{}", out.stdout);
    assert!(out.stdout.contains("what the manifest expects was found"), "{}", out.stdout);
    let runtime = fw!["models", "list"].ok().stdout.contains("/libonnxruntime");
    assert_eq!(out.stdout.contains("both engines agree"), runtime, "{}", out.stdout);
}

#[test]
fn a_model_that_cannot_work_is_named_with_the_fix() {
    let dir = temp();
    let folder = dir.path();
    let file = format!("file = '{}'\n", tiny().display());
    let two = "labels = [\"person\", \"car\"]\n";
    manifest(folder, "absent", &format!("file = \"nowhere.onnx\"\n{two}"));
    manifest(folder, "fetchable", &format!("file = \"nowhere.onnx\"\nurl = \"http://127.0.0.1:9/x\"\n{two}"));
    manifest(folder, "corrupt", &format!("{file}sha256 = \"{SUM}\"\n{two}"));
    manifest(folder, "labels", &format!("{file}labels = [\"person\", \"car\", \"dog\"]\n"));
    manifest(folder, "garbage", &format!("file = \"garbage.onnx\"\n{two}"));
    std::fs::write(folder.join("garbage.onnx"), b"This is no network.").unwrap();
    manifest(folder, "size", &format!("{file}{two}"));
    let text = std::fs::read_to_string(folder.join("size.toml")).unwrap();
    std::fs::write(folder.join("size.toml"), text.replace("[320, 192]", "[320, 256]")).unwrap();
    manifest(folder, "decode", &format!("{file}{two}"));
    let text = std::fs::read_to_string(folder.join("decode.toml")).unwrap();
    std::fs::write(
        folder.join("decode.toml"),
        text.split("[output]").next().unwrap().to_owned() + "[output]\ndecode = \"yunet\"\n",
    )
    .unwrap();
    manifest(folder, "typo", &format!("{file}{two}scroe = 0.5\n"));
    let cases = [
        ("absent", 1, "model absent: its file nowhere.onnx is not here", "put nowhere.onnx beside the manifest"),
        ("fetchable", 1, "nowhere.onnx is not here", "framewright models fetch fetchable"),
        ("corrupt", 1, "is not the file that the manifest means", "sha256"),
        ("labels", 1, "has 2 classes, and the manifest has 3 labels", "labels.toml"),
        ("garbage", 1, "cannot load", "garbage.onnx"),
        ("size", 1, "", "size.toml"),
        ("decode", 1, "2 labels", "decode.toml"),
        ("typo", 2, "scroe", "docs/models.md"),
        ("nothing", 2, "there is no model `nothing`", "models list"),
    ];
    for engine in ["auto", "opencv"] {
        for (name, code, error, fix) in cases {
            // OpenCV runs a network of convolutions on any size, whatever the file says.
            if name == "size" && engine == "opencv" {
                continue;
            }
            let mut run = fw!["models", "test", name].env("FRAMEWRIGHT_MODELS", &folder.to_string_lossy());
            if engine == "opencv" {
                run = run.words("--engine opencv");
            }
            let out = run.fails(code);
            let (e, f) = said(&out);
            assert!(e.contains(name) || e.contains("models/"), "{name}: {}", out.stderr);
            assert!(out.stderr.contains(error), "{name} on {engine}: {}", out.stderr);
            assert!(f.contains(fix), "{name} on {engine}: {}", out.stderr);
            assert!(e.len() < 600, "{e}");
        }
    }
}

#[test]
fn without_onnx_runtime_opencv_does_it_and_says_so() {
    let dir = temp();
    let broken = dir.path().join("libonnxruntime.so");
    std::fs::write(&broken, b"This is no library.").unwrap();
    // A library, but not this one.
    let other = ["/lib/x86_64-linux-gnu/libc.so.6", "/lib64/libc.so.6", "/usr/lib/libc.so.6"].map(Path::new);
    let other = other.into_iter().find(|p| p.is_file());
    for path in [Some(Path::new("/nowhere/libonnxruntime.so")), Some(&broken), other].into_iter().flatten() {
        let path = path.to_string_lossy();
        let out = fw!["models", "test", "tiny_scene"].env("ORT_DYLIB_PATH", &path).ok();
        assert!(out.stdout.contains("OpenCV: ") && !out.stdout.contains("agree"), "{}", out.stdout);
        let out = fw!["models", "test", "tiny_scene", "--engine", "onnxruntime"].env("ORT_DYLIB_PATH", &path).fails(1);
        let (error, fix) = said(&out);
        assert!(error.contains("model tiny_scene") && error.contains(&*path), "{}", out.stderr);
        assert!(fix.contains("scripts/setup"), "{}", out.stderr);
    }
}

#[test]
fn a_provider_that_is_not_there_is_said() {
    if !fw!["models", "list"].ok().stdout.contains("/libonnxruntime") {
        eprintln!("left out: no ONNX Runtime");
        return;
    }
    for provider in ["cuda", "tensorrt", "openvino"] {
        let out = fw!["models", "test", "tiny_scene", "--provider", provider].end();
        if out.code == 0 {
            continue; // It is there.
        }
        let (error, _) = said(&out);
        assert!(error.to_lowercase().contains(provider) && error.contains("not available"), "{}", out.stderr);
    }
}

/// Answers each request with `body`; gives the address.
fn serve(status: &'static str, body: &'static [u8], claimed: usize) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            let mut request = [0; 4096];
            let _ = stream.read(&mut request);
            let head = format!("HTTP/1.1 {status}\r\nContent-Length: {claimed}\r\nConnection: close\r\n\r\n");
            let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(body));
        }
    });
    format!("http://{address}/weights.onnx")
}

#[test]
fn fetch_keeps_what_has_the_right_sum_and_nothing_else() {
    let dir = temp();
    let folder = dir.path();
    let source = folder.join("elsewhere");
    std::fs::create_dir(&source).unwrap();
    std::fs::write(source.join("w.onnx"), WEIGHTS).unwrap();
    let good = serve("200 OK", WEIGHTS, WEIGHTS.len());
    let bad = serve("200 OK", b"another", 7);
    let short = serve("200 OK", WEIGHTS, 100);
    let gone = serve("404 Not Found", b"", 0);
    let file = format!("file://{}", source.join("w.onnx").display());
    let labels = "labels = [\"person\", \"car\"]";
    let write = |name: &str, url: &str, sum: &str| {
        manifest(folder, name, &format!("file = \"{name}.onnx\"\nurl = \"{url}\"\n{sum}\n{labels}\n"));
    };
    let sum = format!("sha256 = \"{SUM}\"");
    write("good", &good, &sum);
    write("local", &file, &sum);
    write("bad", &bad, &sum);
    write("short", &short, &sum);
    write("gone", &gone, &sum);
    write("unsummed", &good, "");
    write("ftp", "ftp://127.0.0.1/x", &sum);
    let fetch = |name: &str| fw!["models", "fetch", name].env("FRAMEWRIGHT_MODELS", &folder.to_string_lossy());
    let weights = |name: &str| folder.join(format!("{name}.onnx"));

    for name in ["good", "local"] {
        let out = fetch(name).ok();
        assert!(out.stdout.contains(SUM), "{}", out.stdout);
        assert_eq!(std::fs::read(weights(name)).unwrap(), WEIGHTS);
        assert!(fetch(name).ok().stdout.contains("here already"));
    }
    for (name, needle) in [
        ("bad", "gave another file: sha256"),
        ("short", "cannot get"),
        ("gone", "404"),
        ("unsummed", "names no sha256"),
        ("ftp", "ftp: is not known"),
    ] {
        let out = fetch(name).fails(1);
        assert!(said(&out).0.contains(needle), "{}", out.stderr);
        assert!(!weights(name).exists(), "{name} was kept");
    }
    fetch("unsummed").arg("--unchecked").ok();
    let left: Vec<String> = listing(folder).into_iter().filter(|n| n.contains("partial")).collect();
    assert!(left.is_empty(), "{left:?}");

    // What is broken later is found, and fetched anew.
    std::fs::write(weights("good"), b"wrong").unwrap();
    let verify = |name: &str| fw!["models", "verify", name].env("FRAMEWRIGHT_MODELS", &folder.to_string_lossy());
    assert!(said(&verify("good").fails(1)).1.contains("framewright models fetch good"));
    fetch("good").ok();
    verify("good").ok();
}

#[test]
fn the_list_has_every_model_and_says_where_it_is() {
    let dir = temp();
    let out = fw!["models", "list"].within(dir.path()).env("XDG_DATA_HOME", &dir.path().to_string_lossy()).ok();
    for name in [
        "tiny_scene",
        "yunet",
        "ultraface_rfb_320",
        "yolox_nano",
        "yolox_x",
        "nanodet",
        "fastestdet",
        "yolov8",
        "osnet_x0_25",
    ] {
        assert!(out.stdout.lines().any(|l| l.split_whitespace().next() == Some(name)), "{name}:\n{}", out.stdout);
    }
    let line = |name: &str| out.stdout.lines().find(|l| l.starts_with(name)).unwrap().to_owned();
    assert!(line("tiny_scene").contains("built in") && line("yunet ").contains("to fetch"), "{}", out.stdout);
    assert!(line("yolov5").contains("yours to give"), "{}", out.stdout);
}

#[test]
fn every_model_of_the_test_data_passes_its_test() {
    let Some(data) = data_folder() else { return };
    let models = data.join("onnx").to_string_lossy().into_owned();
    let list = fw!["models", "list"].env("FRAMEWRIGHT_MODELS", &models).ok().stdout;
    let here: Vec<&str> =
        list.lines().filter(|l| l.contains("  here ")).filter_map(|l| l.split_whitespace().next()).collect();
    assert!(here.len() >= 11, "{list}");
    let runtime = list.contains("/libonnxruntime");
    for name in here {
        if !runtime && ["yunet", "yunet_2022feb"].contains(&name) {
            continue; // OpenCV 4.6 takes no dynamic shapes.
        }
        let out = fw!["models", "test", name].env("FRAMEWRIGHT_MODELS", &models).ok();
        assert!(out.stdout.contains(&format!("{name}: ok")), "{}", out.stdout);
    }
}

#[test]
fn faces_are_where_they_are() {
    let (Some(david), Some(data)) = (data("opencv_extra/david.webm"), data_folder()) else { return };
    let models = data.join("onnx").to_string_lossy().into_owned();
    let truth = std::fs::read_to_string(data.join("tracking/sot/david.gt.txt")).unwrap();
    assert!(!truth.is_empty());
    let dir = temp();
    let json = dir.path().join("found.jsonl");
    for name in ["yunet_n_320", "ultraface_rfb_320"] {
        fw!["models", "test", name, "--engine", "opencv", "--frames", "30", "--on", &david, "--json", &json]
            .env("FRAMEWRIGHT_MODELS", &models)
            .ok();
        let text = std::fs::read_to_string(&json).unwrap();
        assert_eq!(text.lines().count(), 30);
        for line in text.lines() {
            let line: Value = serde_json::from_str(line).unwrap();
            for face in line["found"].as_array().unwrap() {
                let [x, y, w, h] = [0, 1, 2, 3].map(|i| face["box"][i].as_f64().unwrap());
                // David sits near the middle of the picture of 320x240.
                assert!(x > 60.0 && x + w < 260.0 && y > 20.0 && y + h < 220.0 && w > 20.0, "{line}");
                let points = face["points"].as_array().unwrap();
                assert_eq!(points.len(), if name.starts_with("yunet") { 5 } else { 0 });
                for p in points {
                    let (px, py) = (p[0].as_f64().unwrap(), p[1].as_f64().unwrap());
                    assert!(px > x - 5.0 && px < x + w + 5.0 && py > y - 5.0 && py < y + h + 5.0, "{line}");
                }
            }
        }
    }
}

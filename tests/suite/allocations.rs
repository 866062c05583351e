//! Once warm, a frame costs no picture-sized memory: buffers come from pools, scratch is kept. A preloaded library counts
//! allocations of 16 KiB and more in the real program, OpenCV's and GStreamer's included.

use std::path::Path;
use std::process::Command;

/// Ops whose OpenCV function makes its own scratch on every call: fixed-point tables of a cubic cv::warpAffine (`zoom`), the map of
/// cv::Canny, pyramids and corner maps of the tracker; and `redact`, whose scratch has the size of each cover, which
/// changes from frame to frame.
const INSIDE_OPENCV: &[&str] = &["edges", "redact", "stabilize", "zoom"];

/// Large allocations of a run of `frames` frames through `ops`.
fn large(shim: &Path, ops: &[&str], frames: u32) -> i64 {
    let dir = tempfile::tempdir().expect("a folder");
    let count = dir.path().join("count.txt");
    let mut run = Command::new(env!("CARGO_BIN_EXE_framewright"));
    run.args(["run", "-q", "test:smpte", "--size", "320x240", "-o", "null", "--frames", &frames.to_string()]);
    run.args(ops.iter().flat_map(|op| ["--op", op])).env("LD_PRELOAD", shim).env("COUNT_MALLOC", &count);
    let out = run.output().expect("framewright runs");
    assert!(out.status.success(), "{ops:?}: {}", String::from_utf8_lossy(&out.stderr));
    std::fs::read_to_string(&count).expect("the shim counts").trim().parse().expect("a number")
}

#[test]
fn a_warm_chain_allocates_no_pictures() {
    let dir = tempfile::tempdir().expect("a folder");
    let shim = dir.path().join("count_malloc.so");
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/servers/count_malloc.c");
    let made = Command::new("cc").args(["-shared", "-fPIC", "-O1", "-o"]).arg(&shim).arg(source).status();
    assert!(made.expect("a C compiler, which Rust needs too").success());
    // In 40 more frames a few more or fewer buffers may be in flight than ever before; a copy a frame would be 40.
    let more = |ops: &[&str]| large(&shim, ops, 80) - large(&shim, ops, 40);
    for op in framewright::ops::ALL {
        let ops: Vec<_> = op.needs().into_iter().chain([op.example]).collect();
        if INSIDE_OPENCV.contains(&op.name) {
            // One a frame, and as much room for the same few buffers.
            let grown = large(&shim, &ops, 100) - large(&shim, &ops, 40);
            assert!(grown >= 40, "{}: allocates no more: take it off the list", op.name);
        } else {
            let grown = more(&ops);
            assert!(grown < 20, "{}: {grown} large allocations in 40 frames", op.name);
        }
    }
    let chain =
        ["blur:size=9", "brightness-contrast:contrast=1.2", "sharpen", "resize:width=50%", "text:text={frame} {time}"];
    let grown = more(&chain);
    assert!(grown < 20, "a chain of five: {grown} large allocations in 40 frames");
}

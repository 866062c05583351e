//! Black-box tests by promise: the real binary on real video, its output reopened with ffprobe and ffmpeg.

#[path = "../common/mod.rs"]
mod common;

mod cli;
mod configs;
mod errors;
mod fidelity;
mod inputs;
mod ops;
mod outputs;
mod registry;
mod settings;
mod stopping;
mod watch;

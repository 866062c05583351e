//! Black-box tests by promise: the real binary on real video, its output reopened with ffprobe and ffmpeg.

#[path = "../common/mod.rs"]
mod common;

mod allocations;
mod batch;
mod cli;
mod clips;
mod configs;
mod counting;
mod detail;
mod drawing;
mod errors;
mod events;
mod fidelity;
mod geometry;
mod happenings;
mod inputs;
mod measures;
mod models;
mod mp4;
mod ops;
mod outputs;
mod redaction;
mod registry;
mod report;
mod seeing;
mod settings;
mod stopping;
mod timing;
mod tone;
mod tracking;
mod watch;

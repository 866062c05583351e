//! framewright: any video in, a chain of OpenCV ops on every frame, video out that can be trusted.
//!
//! ```text
//! source/            frame/          ops/ (+ vision/)                 sink/
//! gst pipeline ─► appsink ─► Frame ─► [bounded channel] ─► op ► op ► op ─► [bounded channel] ─► appsrc ─► gst pipeline
//! reader thread     (zero-copy Mats)    processing thread              writer thread, one per sink
//! ```

pub mod batch;
pub mod cli;
pub mod config;
pub mod control;
pub mod eval;
pub mod events;
pub mod failure;
pub mod frame;
mod gst;
pub mod ops;
pub mod page;
pub mod pipeline;
pub mod redact;
pub mod sink;
pub mod source;
mod term;
pub mod vision;

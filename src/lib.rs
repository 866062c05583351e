//! framewright: any video in, a chain of OpenCV ops on every frame, video out that can be trusted.
//!
//! ```text
//! source/            frame/          ops/                             sink/
//! gst pipeline ─► appsink ─► Frame ─► [bounded channel] ─► op ► op ► op ─► [bounded channel] ─► appsrc ─► gst pipeline
//! reader thread     (zero-copy Mats)    processing thread              writer thread, one per sink
//! ```

pub mod config;
pub mod failure;
pub mod frame;
pub mod ops;
pub mod source;

//! Where frames come from.

pub mod generate;

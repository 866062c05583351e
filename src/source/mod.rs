//! Where frames come from.

pub mod locate;

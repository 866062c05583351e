//! Where frames come from.

pub mod cameras;
pub mod locate;

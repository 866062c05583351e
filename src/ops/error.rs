//! What is wrong with an op's settings, or with what it should work on.

use std::borrow::Cow;
use std::fmt;

use crate::frame::FrameError;

/// Why an op refused to start or gave up.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)]
pub enum OpError {
    /// It cannot work on this stream as configured.
    #[error("{0}")]
    Refused(String),
    /// Something that it needs is not there.
    #[error("{what}")]
    Lacks { what: String, fix: String },
    #[error(transparent)]
    Frame(#[from] FrameError),
    #[error(transparent)]
    OpenCv(#[from] opencv::Error),
}

/// A setting whose type is right and whose value is not.
#[derive(Debug, PartialEq, Eq)]
pub struct Invalid {
    /// The key as written in the configuration.
    pub key: Cow<'static, str>,
    /// What was found and what is allowed.
    pub message: String,
}

impl Invalid {
    /// The value of `key` is wrong, as `message` says.
    pub fn new(key: impl Into<Cow<'static, str>>, message: impl Into<String>) -> Self {
        Invalid { key: key.into(), message: message.into() }
    }

    /// `Err(Invalid)` unless `value` lies in `allowed`.
    pub fn unless_in<T: PartialOrd + fmt::Display>(
        key: &'static str,
        value: T,
        allowed: std::ops::RangeInclusive<T>,
    ) -> Result<(), Invalid> {
        if allowed.contains(&value) {
            return Ok(());
        }
        let message = format!("{key} = {value} is out of range: {} to {} is allowed", allowed.start(), allowed.end());
        Err(Invalid::new(key, message))
    }
}

//! The ops: one file each, plus one line in [`ALL`].
//!
//! An op's file holds its configuration struct (whose doc comments are its help), its checks, its code and its tests. What
//! the op does to buffers is declared by [`Mode`]; the runner ([`Chain`](crate::pipeline::chain::Chain)) owns the buffers.

mod blur;
mod gaussian;
pub mod overlay;
mod position;
mod region;
mod text;

use std::fmt;
use std::sync::Arc;

use gstreamer::ClockTime;
use schemars::JsonSchema;
use serde::{Serialize, de::DeserializeOwned};

use crate::frame::{Frame, FrameError, Spec};

pub use position::Position;
pub use region::{Length, Region};

/// Every op, in the order of the documentation.
pub static ALL: &[Entry] = &[Entry::of::<blur::Blur>(), Entry::of::<text::Text>()];

/// What an op does with the buffer of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Changes pixels of the frame itself. The runner copies the picture first if it is not writable, and counts that.
    InPlace,
    /// Reads one picture and writes all of another one into a pooled buffer.
    Transform,
}

/// An op at work on one stream.
pub trait Op: Send {
    /// Whether it edits the frame or writes a new one.
    fn mode(&self) -> Mode;

    /// Called once, before the first frame, with what comes in; answers with what goes out. Anything that depends on
    /// format, size or rate is settled here. An op that cannot work on `input` says why.
    fn prepare(&mut self, input: &Arc<Spec>, stream: &Stream) -> Result<Arc<Spec>, OpError>;

    /// The work of a [`Mode::InPlace`] op; `frame` is writable.
    fn edit(&mut self, _frame: &mut Frame) -> Result<(), OpError> {
        unreachable!("the runner calls edit() on Mode::InPlace ops only, which implement it")
    }

    /// The work of a [`Mode::Transform`] op; `to` has the spec that `prepare` answered with, and undefined pixels.
    fn transform(&mut self, _from: &Frame, _to: &mut Frame) -> Result<(), OpError> {
        unreachable!("the runner calls transform() on Mode::Transform ops only, which implement it")
    }
}

/// What an op may want to know of the stream besides its format.
#[derive(Clone, Debug, Default)]
pub struct Stream {
    /// Name of the source as shown to people: a file's name, a camera's, `rtsp://host/path` without password.
    pub name: String,
    /// True when frames come as the world makes them, so that wall-clock time means something.
    pub live: bool,
    /// Length of the source, where known.
    pub duration: Option<ClockTime>,
}

/// Why an op refused to start or gave up.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)]
pub enum OpError {
    /// It cannot work on this stream as configured.
    #[error("{0}")]
    Refused(String),
    #[error(transparent)]
    Frame(#[from] FrameError),
    #[error(transparent)]
    OpenCv(#[from] opencv::Error),
}

/// A setting whose type is right and whose value is not.
#[derive(Debug, PartialEq, Eq)]
pub struct Invalid {
    /// The key as written in the configuration.
    pub key: &'static str,
    /// What was found and what is allowed.
    pub message: String,
}

impl Invalid {
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
        Err(Invalid { key, message })
    }
}

/// What an op's file provides. The struct itself is the configuration: its doc comment's first line is the summary, its
/// fields' doc comments are the help (meaning, unit, range).
pub trait OpConfig: DeserializeOwned + Serialize + JsonSchema + fmt::Debug + Send + Sync + Sized + 'static {
    /// As in `type = "blur"` and `--op blur`.
    const NAME: &'static str;
    /// A working command-line form: `blur:size=9`.
    const EXAMPLE: &'static str;
    /// The OpenCV function (or what else) behind it.
    const BEHIND: &'static str;

    /// Checks what types cannot: ranges, combinations. Opens nothing.
    fn check(&self) -> Result<(), Invalid>;

    /// Makes the op.
    fn build(&self) -> Box<dyn Op>;
}

/// A row of the registry.
pub struct Entry {
    /// The op's name.
    pub name: &'static str,
    /// A working command-line form.
    pub example: &'static str,
    /// What does the work.
    pub behind: &'static str,
    /// JSON Schema of the configuration.
    pub schema: fn() -> schemars::Schema,
    /// Reads a configuration table.
    pub read: fn(toml::de::ValueDeserializer<'_>) -> Result<OpSettings, ReadError>,
}

/// Why a table is no valid configuration of an op.
#[derive(Debug)]
pub enum ReadError {
    /// Unknown key, missing key, wrong type; carries the position.
    Toml(toml::de::Error),
    /// Out of range.
    Invalid(Invalid),
}

impl Entry {
    const fn of<T: OpConfig>() -> Self {
        Entry {
            name: T::NAME,
            example: T::EXAMPLE,
            behind: T::BEHIND,
            schema: || schemars::schema_for!(T),
            read: |table| {
                let config = T::deserialize(table).map_err(ReadError::Toml)?;
                config.check().map_err(ReadError::Invalid)?;
                let effective = toml::Table::try_from(&config).unwrap_or_default();
                Ok(OpSettings { name: T::NAME, effective, build: Arc::new(move || config.build()) })
            },
        }
    }

    /// The entry called `name`.
    pub fn find(name: &str) -> Option<&'static Entry> {
        ALL.iter().find(|e| e.name == name)
    }
}

/// A checked op of the chain, ready to be built.
#[derive(Clone)]
pub struct OpSettings {
    /// The op's name.
    pub name: &'static str,
    /// The complete configuration, defaults filled in.
    pub effective: toml::Table,
    /// Makes the op.
    pub build: Arc<dyn Fn() -> Box<dyn Op> + Send + Sync>,
}

impl fmt::Debug for OpSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}({:?})", self.name, self.effective)
    }
}

//! What an op declares of itself, so that the runner knows what to do around it.

use std::fmt;

use crate::frame::Layout;

/// Where an op stands in the documentation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[allow(missing_docs)]
pub enum Group {
    Geometry,
    Tone,
    Detail,
    Drawing,
    Masking,
    Time,
    Measure,
    Seeing,
}

impl fmt::Display for Group {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Group::Geometry => "geometry",
            Group::Tone => "tone and colour",
            Group::Detail => "detail",
            Group::Drawing => "drawing",
            Group::Masking => "masking",
            Group::Time => "time",
            Group::Measure => "measure",
            Group::Seeing => "seeing and following",
        })
    }
}

/// What an op does with the buffer of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Changes pixels of the frame itself. The runner copies the picture first if it is not writable, and counts that.
    InPlace,
    /// Reads one picture and writes all of another one into a pooled buffer.
    Transform,
    /// Looks at the picture, changes none of its pixels; may add to the frame's `meta`.
    Read,
    /// Drops, repeats or holds back frames, or changes their times; sees every frame in order.
    Time,
}

/// In which form an op takes the picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Takes {
    /// As it is.
    AsIs,
    /// As 8-bit `BGR`, to which the planner converts once for a run of such ops.
    Bgr,
}

impl Takes {
    /// For ops that need interleaved colour: [`Takes::Bgr`] unless `layout` is that already.
    pub fn bgr(layout: &Layout) -> Self {
        if layout.is_bgr() { Takes::AsIs } else { Takes::Bgr }
    }
}

/// How much of the picture a pixel of the result depends on. It decides how a `region` is done: the runner lets the op work
/// on a cut-out that is that much larger, and puts back what lies inside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// On pixels up to so far away, and not on where in the picture it is. An op that looks at the whole picture to decide
    /// (a histogram, a mean) then looks at the region.
    Near(u32),
    /// On where in the picture it is: drawings, measures in percent.
    Whole,
    /// A region makes no sense, for this reason.
    Never(&'static str),
    /// It hides its region, which is required; `when` and `enabled = false` are refused. It edits the whole picture in place
    /// and sees to the region itself: the runner hands that to [`Op::within`](super::Op::within), since a cut-out could leave a border.
    Guards,
    /// It reads the picture and sees to the region itself, if it is given one: what it finds are places of the whole picture.
    Looks,
}

impl Reach {
    /// True where the runner hands the region to [`Op::within`](super::Op::within).
    pub fn is_own(self) -> bool {
        matches!(self, Reach::Guards | Reach::Looks)
    }
}

/// What an op has to do with the detections that ride on the frame.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Sight {
    /// Nothing: they pass by.
    #[default]
    None,
    /// Finds some, under this name; on those of another `detect` op, if it names one.
    Finds {
        /// What later ops call it by.
        name: String,
        /// The `detect` op on whose finds it looks.
        on: Option<String>,
    },
    /// Uses those of the `detect` op of this name, or all.
    Uses(Option<String>),
}

//! Counting: lines that objects cross, zones that they are in, how fast they are. Pure geometry over tracks.
//!
//! ```text
//! detections with tracks ─► lineage.rs (tracks ─► objects, over id switches) ─► line.rs, zone.rs
//!                        └► ground.rs (homography, speed)
//! ```

mod anchor;
mod geometry;
mod ground;
mod line;
mod lineage;
mod zone;

pub use anchor::Anchor;
pub use geometry::{Place, distance, inside};
pub use ground::{Ground, Motion, Paces};
pub use line::{Crossing, Direction, LineCounter, arrow};
pub use lineage::{Lineage, Seen, Step};
pub use zone::{Change, Leave, Stay, ZoneSettings, ZoneWatch};

/// A line or zone of this picture, for drawing.
#[derive(Clone, Debug, PartialEq)]
pub struct Shape {
    /// What it is.
    pub kind: ShapeKind,
    /// Its name.
    pub name: std::sync::Arc<str>,
    /// In pixels. A zone of several parts is several shapes of one name.
    pub points: Vec<Place>,
    /// For lines: true where `in` is the other side.
    pub swapped: bool,
}

/// What a [`Shape`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum ShapeKind {
    Line,
    Zone,
}

#[cfg(test)]
mod tests;

//! A drawing in columns, of which only those are prepared again that differ from what was there before.

use std::sync::Arc;

use super::ink::Bounds;
use crate::frame::{Frame, FrameError, Spec};
use crate::ops::overlay::{Overlay, Prepared};

/// Width of a column in pixels of the picture, a multiple of every subsampling: about two digits of a timecode at 1080p.
const WIDTH: i32 = 64;

/// A drawing that changes from frame to frame, often in a few letters only.
#[derive(Default)]
pub(super) struct Pieces {
    pieces: Vec<Piece>,
}

#[derive(Default)]
struct Piece {
    /// Left and top in the picture.
    at: (i32, i32),
    shows: Overlay,
    prepared: Prepared,
}

impl Pieces {
    /// Forgets everything: pictures are of another format from here on.
    pub fn clear(&mut self) {
        self.pieces.clear();
    }

    /// Shows `overlay` at `window`, which is as large and lies within pictures like `spec`.
    pub fn set(&mut self, overlay: &Overlay, spec: &Arc<Spec>, window: Bounds) {
        let columns = match window.is_empty() {
            true => 0..0,
            false => window.left.div_euclid(WIDTH)..(window.right - 1).div_euclid(WIDTH) + 1,
        };
        self.pieces.resize_with(columns.len(), Piece::default);
        for (piece, column) in self.pieces.iter_mut().zip(columns) {
            let at = (window.left.max(column * WIDTH), window.top);
            let end = window.right.min((column + 1) * WIDTH);
            let cut = overlay.cut((at.0 - window.left) as u32, (end - window.left) as u32);
            if piece.at != at || piece.shows != cut {
                piece.prepared.set(&cut, spec, at.0, at.1);
                (piece.at, piece.shows) = (at, cut);
            }
        }
    }

    /// Draws what was set last.
    pub fn blend(&self, frame: &mut Frame) -> Result<(), FrameError> {
        let mut planes = frame.planes_mut()?;
        self.pieces.iter().try_for_each(|p| p.prepared.draw(&mut planes))
    }
}

//! Parts of a plane reduced to the means of a few cells: what `mask` and `redact` leave of what they hide.

use opencv::core::{Mat, Rect, Size};
use opencv::imgproc;
use opencv::prelude::*;

use super::sample::round_to;
use crate::frame::Plane;

/// Pixels; smaller cells would leave small letters readable.
const SMALLEST_CELL: u32 = 8;

/// How many cells there are across and down `rect` (in samples of `plane`), where its longer side has `most`: the same
/// number on every plane.
pub fn grid(rect: Rect, plane: &Plane, most: u32) -> Size {
    let (w, h) = ((rect.width as u32) << plane.w_sub, (rect.height as u32) << plane.h_sub);
    let cell = w.max(h).div_ceil(most).max(SMALLEST_CELL);
    let fit = |side: u32| (side / cell).max(1) as i32;
    Size::new(fit(w).min(rect.width), fit(h).min(rect.height))
}

/// Writes to `many`, which has the size and type of `there`, the means of its `grid` of cells: as blocks, or blended into
/// each other. Nothing else of it is left, since they are computed from those means alone. `few` is working space.
pub fn cells(
    there: &impl MatTraitConst,
    few: &mut Mat,
    many: &mut Mat,
    grid: Size,
    blended: bool,
    bits: u32,
) -> opencv::Result<()> {
    let (back, size) = (if blended { imgproc::INTER_LINEAR } else { imgproc::INTER_NEAREST }, there.size()?);
    let there = there.roi(Rect::new(0, 0, size.width, size.height))?;
    imgproc::resize(&there, few, grid, 0.0, 0.0, imgproc::INTER_AREA)?;
    imgproc::resize(few, many, size, 0.0, 0.0, back)?;
    round_to(many, bits)
}

//! MOTChallenge text (arXiv 1504.01942, section 3): `frame, id, left, top, width, height, score, -1, -1, -1`. Frames count
//! from 1; what belongs to no track has id -1. Coordinates are pixels from 0.

use std::io::{self, Write};

use super::{Form, Seen, round};

pub(super) struct Mot;

impl Form for Mot {
    fn picture(&mut self, out: &mut dyn Write, p: &Seen<'_>) -> io::Result<()> {
        for d in &p.meta.detections {
            let id = d.track.map_or(-1, i64::from);
            let (r, frame) = (d.rect, p.index + 1);
            let (x, y, w, h) = (round(r.x), round(r.y), round(r.w), round(r.h));
            writeln!(out, "{frame},{id},{x},{y},{w},{h},{:.4},-1,-1,-1", d.score)?;
        }
        Ok(())
    }
}

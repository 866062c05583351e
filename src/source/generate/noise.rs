//! White noise: every frame another picture, the same one again for the same seed and index.

use gstreamer::ClockTime;
use opencv::boxed_ref::BoxedRefMut;
use opencv::core::{Mat, Vec3b};
use opencv::prelude::*;

use super::random::Random;
use super::{Generator, Setup};

/// The hardest picture there is for an encoder.
struct Noise {
    seed: u64,
}

/// Makes the generator.
pub(super) fn make(setup: &Setup) -> Box<dyn Generator> {
    Box::new(Noise { seed: setup.seed })
}

impl Generator for Noise {
    fn draw(&mut self, index: u64, _: ClockTime, to: &mut BoxedRefMut<'_, Mat>) -> opencv::Result<()> {
        // Not OpenCV's generator: what that one yields depends on whether the rows are padded.
        let mut random = Random::of(&[self.seed, index]);
        for y in 0..to.rows() {
            for pixels in to.at_row_mut::<Vec3b>(y)?.chunks_mut(2) {
                let bits = random.bits().to_le_bytes();
                for (pixel, b) in pixels.iter_mut().zip(bits.chunks_exact(3)) {
                    *pixel = Vec3b::from([b[0], b[1], b[2]]);
                }
            }
        }
        Ok(())
    }
}

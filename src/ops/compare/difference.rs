//! What differs between two pictures of one format, as a picture.

use crate::frame::{Color, Component, Frame, Spec};
use crate::ops::OpError;

/// Fixed-point one of the gain.
const ONE: f64 = 256.0;

/// Settled for one format.
pub struct Difference {
    gain: i32,
    planes: Vec<Vec<Kind>>,
}

/// What a channel shows.
#[derive(Clone, Copy, PartialEq)]
enum Kind {
    /// The size of the difference above this sample, which is black.
    Size(i32),
    /// The difference itself around this sample, which is neutral.
    Signed(i32),
    /// Opacity and padding: what the result has.
    Nothing,
}

impl Difference {
    pub fn new(spec: &Spec, gain: f64) -> Self {
        let kind = |c: &Component| {
            let base = i32::from(Color::BLACK.sample(*c, &spec.info, &spec.layout) >> spec.layout.shift);
            match c {
                Component::U | Component::V => Kind::Signed(base),
                Component::Alpha | Component::Unused => Kind::Nothing,
                _ => Kind::Size(base),
            }
        };
        let planes = spec.layout.planes.iter().map(|p| p.channels.iter().map(kind).collect()).collect();
        Difference { gain: (gain * ONE).round() as i32, planes }
    }

    /// Replaces `after` by how it differs from `before`.
    pub fn show(&self, before: &Frame, after: &mut Frame) -> Result<(), OpError> {
        match self.gain {
            // Without the product it is several times faster.
            gain if f64::from(gain) == ONE => self.each(before, after, |d| d),
            gain => self.each(before, after, |d| (d * gain + ONE as i32 / 2) >> 8),
        }
    }

    fn each(&self, before: &Frame, after: &mut Frame, scaled: impl Fn(i32) -> i32 + Copy) -> Result<(), OpError> {
        let (from, spec) = (before.planes()?, after.spec().clone());
        let mut to = after.planes_mut()?;
        for (i, kinds) in self.planes.iter().enumerate() {
            for y in 0..spec.layout.planes[i].rows(spec.info.height()) {
                let (from, to) = (from.row(i, y)?, to.row_mut(i, y)?);
                match spec.layout.bytes {
                    1 => row(from.iter().zip(to), kinds, |(a, b), kind| {
                        *b = kind.sample(i32::from(*a), i32::from(*b), scaled, 255) as u8;
                    }),
                    _ => {
                        let (shift, most) = (spec.layout.shift, (1i32 << spec.layout.depth) - 1);
                        let pairs = from.as_chunks::<2>().0.iter().zip(to.as_chunks_mut::<2>().0);
                        row(pairs, kinds, |(a, b), kind| {
                            let [a, was] = [*a, *b].map(|s| i32::from(u16::from_le_bytes(s) >> shift));
                            *b = ((kind.sample(a, was, scaled, most) as u16) << shift).to_le_bytes();
                        });
                    }
                }
            }
        }
        Ok(())
    }
}

impl Kind {
    fn sample(self, before: i32, after: i32, scaled: impl Fn(i32) -> i32, most: i32) -> i32 {
        match self {
            Kind::Size(black) => (black + scaled((after - before).abs())).min(most),
            Kind::Signed(neutral) => (neutral + scaled(after - before)).clamp(0, most),
            Kind::Nothing => after,
        }
    }
}

/// Calls `f` for the samples of a row, in loops without branches where all channels are of one kind.
fn row<T>(samples: impl Iterator<Item = T>, kinds: &[Kind], f: impl Fn(T, Kind)) {
    match kinds {
        [Kind::Size(b), rest @ ..] if rest.iter().all(|k| *k == kinds[0]) => samples.for_each(|s| f(s, Kind::Size(*b))),
        [Kind::Signed(b), rest @ ..] if rest.iter().all(|k| *k == kinds[0]) => {
            samples.for_each(|s| f(s, Kind::Signed(*b)));
        }
        _ => samples.zip(kinds.iter().cycle()).for_each(|(s, kind)| {
            if *kind != Kind::Nothing {
                f(s, *kind);
            }
        }),
    }
}

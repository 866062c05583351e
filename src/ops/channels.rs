//! The colour channels of one plane, without opacity and padding; luma and chroma apart where they share a plane.

use opencv::boxed_ref::{BoxedRef, BoxedRefMut};
use opencv::core::{self as cv, Mat};
use opencv::prelude::*;

use super::sample::{all, all_mut};
use crate::frame::{Component, Plane, shape_scratch};

/// What is read from.
pub type Src<'a> = BoxedRef<'a, Mat>;
/// What is written into; it has its size and type already.
pub type Dst<'a> = BoxedRefMut<'a, Mat>;

/// Some channels of a plane that are worked on together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part {
    /// Its number within the plane.
    pub index: usize,
    /// Colour differences; else luma, or red, green and blue.
    pub chroma: bool,
}

/// The parts of one plane, settled before the first frame.
pub struct Channels {
    parts: Vec<Picked>,
    /// One part that is all of the plane: nothing has to be picked out.
    whole: bool,
}

struct Picked {
    part: Part,
    channels: Vec<usize>,
    scratch: [Mat; 2],
}

impl Channels {
    /// The parts of `plane`. OpenCV's functions that take 1 or 3 channels get U and V one after the other: no `pairs`.
    pub fn of(plane: &Plane, pairs: bool) -> Self {
        let of = |wanted: fn(&Component) -> bool| -> Vec<usize> {
            plane.channels.iter().enumerate().filter(|(_, c)| wanted(c)).map(|(k, _)| k).collect()
        };
        let bright = of(|c| matches!(c, Component::Y | Component::R | Component::G | Component::B));
        let chroma = of(|c| matches!(c, Component::U | Component::V));
        let mut sets = vec![(false, bright)];
        match pairs {
            true => sets.push((true, chroma)),
            false => sets.extend(chroma.into_iter().map(|c| (true, vec![c]))),
        }
        sets.retain(|(_, channels)| !channels.is_empty());
        let whole = sets.len() == 1 && sets[0].1.len() == plane.channels.len();
        let picked = |(index, (chroma, channels))| Picked {
            part: Part { index, chroma },
            channels,
            scratch: Default::default(),
        };
        Channels { parts: sets.into_iter().enumerate().map(picked).collect(), whole }
    }

    /// Calls `f` with each part of `from` and where its result goes. Other channels are copied to `to`.
    pub fn run(
        &mut self,
        from: &Src<'_>,
        to: &mut Dst<'_>,
        mut f: impl FnMut(&Src<'_>, &mut Dst<'_>, Part) -> opencv::Result<()>,
    ) -> opencv::Result<()> {
        if self.whole {
            return f(from, to, self.parts[0].part);
        }
        from.copy_to(to)?;
        for Picked { part, channels, scratch: [picked, made] } in &mut self.parts {
            let kind = cv::CV_MAKETYPE(from.depth(), channels.len() as i32);
            // Free once the scratch has its size.
            shape_scratch(picked, from.size()?, kind)?;
            shape_scratch(made, from.size()?, kind)?;
            let there: Vec<i32> =
                channels.iter().enumerate().flat_map(|(to, &from)| [from as i32, to as i32]).collect();
            let back: Vec<i32> = channels.iter().enumerate().flat_map(|(from, &to)| [from as i32, to as i32]).collect();
            cv::mix_channels(from, picked, &there)?;
            f(&all(picked)?, &mut all_mut(made)?, *part)?;
            cv::mix_channels(made, to, &back)?;
        }
        Ok(())
    }
}

/// A kernel's diameter on a plane that is subsampled by 2^`sub`: odd, at least 1. Even sizes count as the next odd one.
pub fn odd(size: u32, sub: u32) -> i32 {
    ((f64::from(size) / f64::from(1 << sub)).round() as i32 | 1).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use Component::*;

    #[test]
    fn parts_leave_out_opacity_and_tell_luma_from_chroma() {
        let parts = |channels: &[Component], pairs| -> (bool, Vec<(bool, Vec<usize>)>) {
            let c = Channels::of(&Plane { channels: channels.to_vec(), w_sub: 0, h_sub: 0 }, pairs);
            (c.whole, c.parts.into_iter().map(|p| (p.part.chroma, p.channels)).collect())
        };
        assert_eq!(parts(&[Y], true), (true, vec![(false, vec![0])]));
        assert_eq!(parts(&[U, V], true), (true, vec![(true, vec![0, 1])]));
        assert_eq!(parts(&[U, V], false), (false, vec![(true, vec![0]), (true, vec![1])]));
        assert_eq!(parts(&[B, G, R, Unused], false), (false, vec![(false, vec![0, 1, 2])]));
        assert_eq!(parts(&[Alpha, Y, U, V], true), (false, vec![(false, vec![1]), (true, vec![2, 3])]));
        assert_eq!(parts(&[Alpha], true), (false, vec![]));
    }
}

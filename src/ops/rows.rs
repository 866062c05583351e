//! One channel of a row of samples, whatever the format, as a plain row of numbers and back.

use crate::frame::{Component, FrameError, Layout, Planes, PlanesMut};

/// Where a component lies, and how its samples are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// The plane.
    pub plane: usize,
    /// log2 of the plane's subsampling: horizontal, vertical.
    pub sub: (u32, u32),
    channel: usize,
    channels: usize,
    bytes: u32,
    shift: u32,
    /// Subtracted from 16-bit samples, so that every sample fits an `i16`, for which the compiler has the best vectors.
    pub bias: i32,
}

impl Place {
    /// Of component `c`; `None` where the format has none.
    pub fn of(c: Component, layout: &Layout) -> Option<Self> {
        let (plane, channel) = layout.find(c)?;
        let p = &layout.planes[plane];
        Some(Place {
            plane,
            sub: (p.w_sub, p.h_sub),
            channel,
            channels: p.channels.len(),
            bytes: layout.bytes,
            shift: layout.shift,
            bias: if layout.depth == 16 { 1 << 15 } else { 0 },
        })
    }

    /// Row `y` as codes minus [`Place::bias`].
    pub fn get(&self, planes: &mut PlanesMut<'_>, y: u32, out: &mut Vec<i16>) -> Result<(), FrameError> {
        self.split(planes.row_mut(self.plane, y)?, out);
        Ok(())
    }

    /// As [`Place::get`], of planes that are only read.
    pub fn read(&self, planes: &Planes<'_>, y: u32, out: &mut Vec<i16>) -> Result<(), FrameError> {
        self.split(planes.row(self.plane, y)?, out);
        Ok(())
    }

    /// Writes row `y` from codes minus [`Place::bias`]; the other channels of the plane stay.
    pub fn put(&self, planes: &mut PlanesMut<'_>, y: u32, codes: &[i16]) -> Result<(), FrameError> {
        let (row, n, k) = (planes.row_mut(self.plane, y)?, self.channels, self.channel);
        match (self.bytes, n) {
            (1, 1) => row.iter_mut().zip(codes).for_each(|(s, v)| *s = *v as u8),
            (1, 3) => row.as_chunks_mut::<3>().0.iter_mut().zip(codes).for_each(|(s, v)| s[k] = *v as u8),
            (1, _) => row.iter_mut().skip(k).step_by(n).zip(codes).for_each(|(s, v)| *s = *v as u8),
            _ => row.as_chunks_mut::<2>().0.iter_mut().skip(k).step_by(n).zip(codes).for_each(|(s, v)| {
                let below = u16::from_le_bytes(*s) & ((1 << self.shift) - 1);
                *s = (((i32::from(*v) + self.bias) as u16) << self.shift | below).to_le_bytes();
            }),
        }
        Ok(())
    }

    fn split(&self, row: &[u8], out: &mut Vec<i16>) {
        let (n, k) = (self.channels, self.channel);
        out.clear();
        match (self.bytes, n) {
            (1, 1) => out.extend(row.iter().map(|s| i16::from(*s))),
            (1, 3) => out.extend(row.as_chunks::<3>().0.iter().map(|s| i16::from(s[k]))),
            (1, _) => out.extend(row.iter().skip(k).step_by(n).map(|s| i16::from(*s))),
            _ => out.extend(row.as_chunks::<2>().0.iter().skip(k).step_by(n).map(|s| {
                let code = i32::from(u16::from_le_bytes(*s) >> self.shift);
                (code - self.bias) as i16
            })),
        }
    }
}

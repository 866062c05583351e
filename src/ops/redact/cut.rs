//! Where a new scene begins.

use crate::frame::{Component, Frame, FrameError, Layout};

/// Fields across and down that a picture is reduced to.
const FIELDS: (usize, usize) = (32, 18);
/// Samples that a field is the mean of, per side.
const SAMPLES: usize = 6;
/// Pictures of one scene are more alike than this (correlation of the fields' means), even with fast motion; brightness
/// does not count, so that a flash is no cut. Rather a cut too few: then a cover stays for a while where nothing is.
const ALIKE: f32 = 0.2;
/// Deviation, in shares of white, below which a picture shows nothing that could be compared.
const FLAT: f32 = 0.01;

/// Compares each picture with the one before.
#[derive(Default)]
pub struct Scenes {
    /// Of the last picture that showed something: its fields' means, with the mean of all taken off and a length of 1.
    last: Vec<f32>,
    now: Vec<f32>,
}

impl Scenes {
    /// True when `frame` shows something else than the picture before it.
    pub fn is_cut(&mut self, frame: &Frame) -> Result<bool, FrameError> {
        let Scenes { last, now } = self;
        reduce(frame, now)?;
        let mean = now.iter().sum::<f32>() / now.len() as f32;
        now.iter_mut().for_each(|v| *v -= mean);
        let length = now.iter().map(|v| v * v).sum::<f32>().sqrt();
        if length < FLAT * (now.len() as f32).sqrt() {
            return Ok(false);
        }
        now.iter_mut().for_each(|v| *v /= length);
        let alike: f32 = now.iter().zip(&*last).map(|(a, b)| a * b).sum();
        let cut = !last.is_empty() && alike < ALIKE;
        std::mem::swap(last, now);
        Ok(cut)
    }
}

/// The means of the fields, in shares of white, of luma or green.
fn reduce(frame: &Frame, fields: &mut Vec<f32>) -> Result<(), FrameError> {
    let layout: &Layout = &frame.spec().layout;
    let found = layout.find(Component::Y).or_else(|| layout.find(Component::G));
    let (plane, channel) = found.ok_or(FrameError::NoPlane(0))?;
    let (planes, n, bytes) = (frame.planes()?, layout.planes[plane].channels.len(), layout.bytes as usize);
    let (w, h) = (frame.width() as usize, frame.height() as usize);
    let at = |i: usize, steps: usize, whole: usize| (2 * i + 1) * whole / (2 * steps);
    let (across, down) = (FIELDS.0 * SAMPLES, FIELDS.1 * SAMPLES);
    let scale = 1.0 / ((SAMPLES * SAMPLES) as f32 * f32::from(u16::MAX >> (16 - 8 * bytes)));
    fields.clear();
    fields.resize(FIELDS.0 * FIELDS.1, 0.0);
    for y in 0..down {
        let row = planes.row(plane, at(y, down, h) as u32)?;
        let line = &mut fields[y / SAMPLES * FIELDS.0..][..FIELDS.0];
        for x in 0..across {
            let i = (at(x, across, w) * n + channel) * bytes;
            let sample = match bytes {
                1 => u16::from(row[i]),
                _ => u16::from_le_bytes([row[i], row[i + 1]]) << (16 - layout.depth - layout.shift),
            };
            line[x / SAMPLES] += f32::from(sample) * scale;
        }
    }
    Ok(())
}

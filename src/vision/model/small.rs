//! A small colour picture, straight from the decoder's planes.

use opencv::core::{self, Mat};
use opencv::prelude::*;

use super::prepare::{Source, Sources, Taps, ToRgb, byte, level};
use crate::frame::{Frame, FrameError, Planes, Spec, shape_scratch};

/// Makes small 8-bit BGR pictures; a full-size one never exists. They are as if the whole had been made BGR by libswscale, with
/// the chroma of the sample that a pixel belongs to, and then resized by `cv::resize` with `INTER_LINEAR`: what tools see that
/// read video through OpenCV.
pub struct SmallBgr {
    size: core::Size,
    across: Taps,
    down: Taps,
    sources: [Source; 3],
    /// Where in a row the samples of a channel are that are needed, in bytes, and where the last of them ends.
    places: [(Vec<usize>, usize); 3],
    color: ToRgb,
    /// A row of the picture, what is needed of it: red, green, blue.
    row: [Vec<f32>; 3],
    /// The upper and the lower row that a row comes from, as short as it is, in 2048ths of a level.
    sums: [[Vec<i32>; 3]; 2],
    picture: Mat,
}

impl SmallBgr {
    /// Of this width and height in pixels, from pictures of `spec`.
    ///
    /// # Errors
    /// Where the format has no colours that are known.
    pub fn new(size: [u32; 2], spec: &Spec) -> Result<Self, FrameError> {
        let (info, layout) = (&spec.info, &spec.layout);
        let (mut across, mut down) = (Taps::default(), Taps::default());
        across.set(0, info.width() as usize, size[0] as usize);
        down.set(0, info.height() as usize, size[1] as usize);
        let sources = Sources::of(layout)?.0;
        let places = sources.map(|s| {
            let plane = &layout.planes[s.plane];
            let place = |x: usize| ((x >> plane.w_sub) * plane.channels.len() + s.channel) * layout.bytes as usize;
            let each = |pixels: &[usize; 2]| pixels.map(place);
            let places: Vec<usize> = match across.single {
                true => across.pixels.iter().map(|p| place(p[0])).collect(),
                false => across.pixels.iter().flat_map(each).collect(),
            };
            let end = places.iter().max().map_or(0, |last| last + layout.bytes as usize);
            (places, end)
        });
        // libswscale's way for subsampled chroma cuts off what the others round.
        let subsampled = sources.iter().any(|s| layout.planes[s.plane].w_sub > 0);
        let color = if subsampled { ToRgb::new(spec).cut_off() } else { ToRgb::new(spec) };
        let row = places.each_ref().map(|(p, _)| vec![0.0; p.len()]);
        let sums = [(); 2].map(|_| [(); 3].map(|_| vec![0; size[0] as usize]));
        let size = core::Size::new(size[0] as i32, size[1] as i32);
        Ok(SmallBgr { size, across, down, sources, places, color, row, sums, picture: Mat::default() })
    }

    /// The whole of `frame`, as `CV_8UC3`.
    pub fn of(&mut self, frame: &Frame) -> Result<&Mat, FrameError> {
        shape_scratch(&mut self.picture, self.size, core::CV_8UC3)?;
        let planes = frame.planes()?;
        let width = self.size.width as usize;
        for y in 0..self.down.pixels.len() {
            let (pixels, weights) = (self.down.pixels[y], self.down.weights[y]);
            self.row(&planes, frame.spec(), pixels[0])?;
            let alone = self.across.single && weights[1] == 0;
            if !alone {
                self.shorten(0);
            }
            if weights[1] != 0 {
                self.row(&planes, frame.spec(), pixels[1])?;
                self.shorten(1);
            }
            let to = self.picture.data_bytes_mut()?[y * width * 3..][..width * 3].as_chunks_mut::<3>().0;
            if alone {
                let [red, green, blue] = &self.row;
                let levels = red.iter().zip(green).zip(blue);
                to.iter_mut().zip(levels).for_each(|(to, ((r, g), b))| *to = [*b, *g, *r].map(|v| byte(v) as u8));
                continue;
            }
            let [a, b] = &self.sums;
            for (c, (a, b)) in a.iter().zip(b).rev().enumerate() {
                to.iter_mut().zip(a.iter().zip(b)).for_each(|(to, (a, b))| to[c] = level(weights, *a, *b) as u8);
            }
        }
        Ok(&self.picture)
    }

    /// Makes `row` what is needed of row `y` of the picture.
    fn row(&mut self, planes: &Planes<'_>, spec: &Spec, y: usize) -> Result<(), FrameError> {
        let layout = &spec.layout;
        for ((source, (places, end)), to) in self.sources.iter().zip(&self.places).zip(&mut self.row) {
            let row = planes.row(source.plane, (y >> layout.planes[source.plane].h_sub) as u32)?;
            let row = row.get(..*end).ok_or(FrameError::NoPlane(source.plane))?;
            match layout.bytes {
                1 => to.iter_mut().zip(places).for_each(|(to, at)| *to = f32::from(row[*at])),
                _ => {
                    let word = |at: usize| f32::from(u16::from_le_bytes([row[at], row[at + 1]]));
                    to.iter_mut().zip(places).for_each(|(to, at)| *to = word(*at));
                }
            }
        }
        let [a, b, c] = &mut self.row;
        self.color.rgb(a, b, c);
        Ok(())
    }

    /// Makes `sums[k]` of `row`.
    fn shorten(&mut self, k: usize) {
        for (row, sums) in self.row.iter().zip(&mut self.sums[k]) {
            if self.across.single {
                sums.iter_mut().zip(row).for_each(|(s, v)| *s = byte(*v) as i32 * self.across.weights[0][0]);
            } else {
                let pairs = row.as_chunks::<2>().0.iter().zip(&self.across.weights);
                sums.iter_mut()
                    .zip(pairs)
                    .for_each(|(s, ([a, b], w))| *s = byte(*a) as i32 * w[0] + byte(*b) as i32 * w[1]);
            }
        }
    }
}

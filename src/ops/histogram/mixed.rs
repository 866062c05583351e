//! Counts components that the picture does not hold: red, green, blue of a YUV one, or the reverse.

use gstreamer_video::VideoColorRange;

use crate::frame::{Component, Frame, FrameError, Spec, kr_kb};

/// At most so many pixels of a row, and so many rows, are looked at.
const MOST: u32 = 640;

/// What is computed from what, settled for one format.
pub struct Mixed {
    /// Plane, channel, and log2 of the subsampling of the three inputs, where the picture has them.
    inputs: [Option<Input>; 3],
    /// For each output the factors of the inputs, which are 0 to 255, and what is added.
    matrix: [[f32; 4]; 3],
    step: usize,
}

#[derive(Clone, Copy)]
struct Input {
    plane: usize,
    channel: usize,
    channels: usize,
    sub: (u32, u32),
}

impl Mixed {
    /// Red, green, blue if `rgb`, else luma and chroma in limited range. By BT.601, 709 or 2020, as the stream says.
    pub fn new(spec: &Spec, rgb: bool) -> Self {
        let (layout, color) = (&spec.layout, spec.info.colorimetry());
        let (kr, kb) = kr_kb(color.matrix(), spec.info.height());
        let kg = 1.0 - kr - kb;
        let (u, v) = (2.0 * (1.0 - kb), 2.0 * (1.0 - kr));
        let (matrix, of): ([[f64; 4]; 3], _) = match (rgb, layout.rgb) {
            (true, false) => {
                let limited = color.range() != VideoColorRange::Range0_255;
                let (black, y, c) = if limited { (16.0, 255.0 / 219.0, 255.0 / 224.0) } else { (0.0, 1.0, 1.0) };
                let row = |u: f64, v: f64| [y, c * u, c * v, -y * black - 128.0 * c * (u + v)];
                let rows = [row(0.0, v), row(-u * kb / kg, -v * kr / kg), row(u, 0.0)];
                (rows, YUV)
            }
            (false, true) => {
                let (y, c) = (219.0 / 255.0, 224.0 / 255.0);
                let rows = [
                    [y * kr, y * kg, y * kb, 16.0],
                    [-c * kr / u, -c * kg / u, c / 2.0, 128.0],
                    [c / 2.0, -c * kg / v, -c * kb / v, 128.0],
                ];
                (rows, RGB)
            }
            // As it is; what may be missing is the chroma of gray, which is neutral.
            (_, is_rgb) => {
                let one = |k: usize| std::array::from_fn(|i| f64::from(u8::from(i == k)));
                (std::array::from_fn(one), if is_rgb { RGB } else { YUV })
            }
        };
        let input = |c: Component| {
            let (plane, channel) = layout.find(c)?;
            let p = &layout.planes[plane];
            Some(Input { plane, channel, channels: p.channels.len(), sub: (p.w_sub, p.h_sub) })
        };
        let longest = spec.info.width().max(spec.info.height());
        let step = longest.div_ceil(MOST).max(1) as usize;
        Mixed { inputs: of.map(input), matrix: matrix.map(|r| r.map(|v| v as f32)), step }
    }

    /// Adds the picture's pixels to the counts.
    pub fn count(&self, frame: &Frame, counts: &mut [[u32; 256]]) -> Result<(), FrameError> {
        let (planes, layout) = (frame.planes()?, &frame.spec().layout);
        let (bytes, drop) = (layout.bytes as usize, layout.shift + layout.depth - 8);
        for y in (0..frame.height()).step_by(self.step) {
            let row = |i: Option<Input>| -> Result<Option<(&[u8], Input)>, FrameError> {
                i.map(|i| Ok((planes.row(i.plane, y >> i.sub.1)?, i))).transpose()
            };
            let rows = [row(self.inputs[0])?, row(self.inputs[1])?, row(self.inputs[2])?];
            for x in (0..frame.width() as usize).step_by(self.step) {
                let values = rows.map(|row| match row {
                    Some((row, i)) => {
                        let at = ((x >> i.sub.0) * i.channels + i.channel) * bytes;
                        let value = if bytes == 1 {
                            row[at]
                        } else {
                            (u16::from_le_bytes([row[at], row[at + 1]]) >> drop) as u8
                        };
                        f32::from(value)
                    }
                    None => 128.0,
                });
                for (m, counts) in self.matrix.iter().zip(&mut *counts) {
                    let v = m[0] * values[0] + m[1] * values[1] + m[2] * values[2] + m[3];
                    // A conversion to an integer keeps to its range.
                    counts[usize::from((v + 0.5) as u8)] += 1;
                }
            }
        }
        Ok(())
    }
}

const YUV: [Component; 3] = [Component::Y, Component::U, Component::V];
const RGB: [Component; 3] = [Component::R, Component::G, Component::B];

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use gstreamer::ClockTime;
    use gstreamer_video::{VideoColorimetry, VideoFormat, VideoInfo};

    use super::*;
    use crate::frame::Color;

    /// The values counted on a picture of one colour.
    fn of(format: VideoFormat, colorimetry: &str, rgb: bool, color: Color) -> Vec<usize> {
        gstreamer::init().unwrap();
        let colorimetry = colorimetry.parse::<VideoColorimetry>().unwrap();
        let info = VideoInfo::builder(format, 33, 17).colorimetry(&colorimetry).build().unwrap();
        let bytes = vec![0; info.size()];
        let spec = Arc::new(Spec::new(info).unwrap());
        let mut frame = Frame::new(gstreamer::Buffer::from_mut_slice(bytes), spec.clone(), ClockTime::ZERO, None);
        let mut planes = frame.planes_mut().unwrap();
        for (i, plane) in spec.layout.planes.iter().enumerate() {
            let samples = plane.channels.iter().map(|c| color.sample(*c, &spec.info, &spec.layout).to_le_bytes());
            let pixel: Vec<u8> = samples.flat_map(|s| s[..spec.layout.bytes as usize].to_vec()).collect();
            for y in 0..plane.rows(17) {
                let row = planes.row_mut(i, y).unwrap();
                row.iter_mut().zip(pixel.iter().cycle()).for_each(|(to, from)| *to = *from);
            }
        }
        drop(planes);
        let mut counts = vec![[0u32; 256]; 3];
        Mixed::new(&spec, rgb).count(&frame, &mut counts).unwrap();
        let one = |c: &[u32; 256]| c.iter().position(|n| *n == 33 * 17).unwrap_or(999);
        counts.iter().map(one).collect()
    }

    #[test]
    fn colours_come_out_as_they_went_in() {
        let color = Color::rgb(200, 90, 30);
        for colorimetry in ["bt601", "bt709", "1:4:0:0"] {
            for format in [VideoFormat::I420, VideoFormat::Nv12, VideoFormat::Ayuv, VideoFormat::P01010le] {
                let found = of(format, colorimetry, true, color);
                let far = found.iter().zip([200, 90, 30]).map(|(a, b): (&usize, usize)| a.abs_diff(b)).max();
                assert!(far <= Some(2), "{format} {colorimetry}: {found:?}");
            }
        }
        assert_eq!(of(VideoFormat::Gray8, "1:4:0:0", true, Color::rgb(77, 77, 77)), [77, 77, 77]);
        // The textbook values of red.
        let red = of(VideoFormat::Bgr, "1:1:0:0", false, Color::rgb(255, 0, 0));
        assert_eq!(red, [81, 90, 240]);
    }
}

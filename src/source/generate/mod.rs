//! Pictures made by OpenCV itself: no file, no camera, no GStreamer element, and the same again on every run.
//!
//! One file per generator, plus one line in [`ALL`]. [`Generate`] turns one into a stream of [`Frame`]s:
//!
//! ```text
//! Generator::draw ─► mapped pooled BGR buffer ─► Frame (exact rational times)
//! Generator::objects ─► ground truth, if a file is named
//! ```

mod bars;
mod clock;
mod counter;
mod noise;
mod random;
mod scene;
mod text;
mod truth;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use gstreamer::{ClockTime, Fraction};
use gstreamer_video::{VideoColorimetry, VideoFormat, VideoInfo};
use opencv::boxed_ref::BoxedRefMut;
use opencv::core::Mat;

use crate::frame::{Frame, FrameError, Pool, Spec};

pub use counter::read_counter;
pub use truth::{Class, Object, truth_line};

use truth::Truth;

/// Every generator, in the order of the documentation.
pub static ALL: &[Entry] = &[
    Entry { name: "scene", doc: "a street: people and cars that cross, hide each other and stop", make: scene::make },
    Entry { name: "clock", doc: "each frame's own time, large; in live use the date below", make: clock::make },
    Entry { name: "counter", doc: "the frame number, large and as a strip that programs read", make: counter::make },
    Entry { name: "bars", doc: "colour bars with a moving marker", make: bars::make },
    Entry { name: "noise", doc: "white noise, repeatable", make: noise::make },
];

/// The generator called `name`.
pub fn find(name: &str) -> Option<&'static Entry> {
    ALL.iter().find(|e| e.name == name)
}

/// A kind of generator.
#[derive(Debug)]
pub struct Entry {
    /// What the user writes.
    pub name: &'static str,
    /// What it shows, in one line.
    pub doc: &'static str,
    /// Makes one. Costs nothing: what is slow is done by the first `draw`.
    pub make: fn(&Setup) -> Box<dyn Generator>,
}

/// What a generator is told when it is made.
#[derive(Clone, Copy, Debug)]
pub struct Setup {
    /// Width in pixels, above 0.
    pub width: u32,
    /// Height in pixels, above 0.
    pub height: u32,
    /// Another seed, another picture (where chance has a part in it).
    pub seed: u64,
    /// Show the wall clock too (`clock`); the pictures then differ from run to run.
    pub wall: bool,
}

/// Draws pictures. All but the wall clock is a function of setup, index and time: any frame can be drawn at any moment,
/// and comes out the same to the bit.
pub trait Generator: Send {
    /// Draws all of frame `index`, shown at `time`, into `to`: `CV_8UC3`, BGR, of the size that the generator was made
    /// for, with undefined pixels.
    fn draw(&mut self, index: u64, time: ClockTime, to: &mut BoxedRefMut<'_, Mat>) -> opencv::Result<()>;

    /// What is to be seen in that frame, farthest first. Empty where a generator shows no objects.
    fn objects(&self, _index: u64, _time: ClockTime) -> Vec<Object> {
        Vec::new()
    }
}

/// What to generate.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Which generator; a name in [`ALL`].
    pub generator: String,
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
    /// Frames a second, above 0.
    pub fps: Fraction,
    /// How many frames; `None` for no end.
    pub frames: Option<u64>,
    /// See [`Setup::seed`].
    pub seed: u64,
    /// See [`Setup::wall`].
    pub wall: bool,
    /// Writes the objects of every frame to this file, as MOTChallenge ground truth (see [`truth_line`]).
    pub truth: Option<PathBuf>,
}

impl Default for Settings {
    /// The street at 1280×720, 30 fps, without end.
    fn default() -> Self {
        Settings {
            generator: "scene".into(),
            width: 1280,
            height: 720,
            fps: Fraction::new(30, 1),
            frames: None,
            seed: 1,
            wall: false,
            truth: None,
        }
    }
}

/// Why there is no (further) frame.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)]
pub enum GenerateError {
    #[error("{0}")]
    Invalid(String),
    #[error(transparent)]
    Frame(#[from] FrameError),
    #[error("cannot write the ground truth {path}: {source}", path = path.display())]
    Truth { path: PathBuf, source: std::io::Error },
}

/// A stream of generated frames.
pub struct Generate {
    generator: Box<dyn Generator>,
    pool: Pool,
    spec: Arc<Spec>,
    frames: Option<u64>,
    next: u64,
    truth: Option<Truth>,
}

impl Generate {
    /// Checks `settings`, makes the buffers' pool and creates the ground truth file, if one is asked for.
    pub fn new(settings: &Settings) -> Result<Self, GenerateError> {
        let Settings { generator, width, height, fps, .. } = settings;
        let entry = find(generator).ok_or_else(|| {
            let near = crate::config::nearest(generator, ALL.iter().map(|e| e.name));
            let hint = near.map(|n| format!(" (did you mean `{n}`?)")).unwrap_or_default();
            let names: Vec<&str> = ALL.iter().map(|e| e.name).collect();
            GenerateError::Invalid(format!("there is no generator `{generator}`{hint}: give {}", names.join(", ")))
        })?;
        if fps.numer() <= 0 || fps.denom() <= 0 {
            return Err(GenerateError::Invalid(format!("cannot generate {fps} frames a second: give a rate above 0")));
        }
        let size = |what: &str| GenerateError::Invalid(format!("cannot generate {width}x{height} pictures: {what}"));
        // Below the limit of OpenCV's row arithmetic and of GStreamer's size arithmetic alike.
        if !(1..=16384).contains(width) || !(1..=16384).contains(height) {
            return Err(size("give 1 to 16384 pixels a side"));
        }
        let srgb: VideoColorimetry = "sRGB".parse().map_err(|_| size("no sRGB colorimetry"))?;
        let info = VideoInfo::builder(VideoFormat::Bgr, *width, *height)
            .fps(*fps)
            .par(Fraction::new(1, 1))
            .colorimetry(&srgb)
            .build()
            .map_err(|e| size(&e.to_string()))?;
        let setup = Setup { width: *width, height: *height, seed: settings.seed, wall: settings.wall };
        Ok(Generate {
            generator: (entry.make)(&setup),
            pool: Pool::new(&info)?,
            spec: Arc::new(Spec::new(info)?),
            frames: settings.frames,
            next: 0,
            truth: settings.truth.as_deref().map(|path: &Path| Truth::create(path)).transpose()?,
        })
    }

    /// What the frames are: BGR, sRGB, square pixels, progressive, at the wanted size and rate.
    pub fn spec(&self) -> &Arc<Spec> {
        &self.spec
    }

    /// How long the whole stream is, where it has an end.
    pub fn duration(&self) -> Option<ClockTime> {
        self.frames.map(|n| pts(n, self.spec.info.fps()))
    }

    /// Makes the next frame go on from frame `index`: costs nothing.
    pub fn seek(&mut self, index: u64) {
        self.next = index;
    }

    /// The objects of frame `index`, farthest first.
    pub fn objects(&self, index: u64) -> Vec<Object> {
        self.generator.objects(index, pts(index, self.spec.info.fps()))
    }

    /// The next frame; `None` after the last one, when the ground truth is complete on disk.
    #[allow(clippy::should_implement_trait)]
    pub fn next(&mut self) -> Result<Option<Frame>, GenerateError> {
        let index = self.next;
        if self.frames.is_some_and(|n| index >= n) {
            if let Some(truth) = &mut self.truth {
                truth.flush()?;
            }
            return Ok(None);
        }
        let fps = self.spec.info.fps();
        let (time, end) = (pts(index, fps), pts(index + 1, fps));
        let mut frame = Frame::new(self.pool.acquire()?, self.spec.clone(), time, Some(end - time));
        frame.index = index;
        let generator = &mut self.generator;
        frame.planes_mut()?.edit(0, |to| generator.draw(index, time, to).map_err(FrameError::from))?;
        if let Some(truth) = &mut self.truth {
            truth.write(index, &self.generator.objects(index, time))?;
        }
        self.next = index + 1;
        Ok(Some(frame))
    }
}

/// When frame `n` is shown at `fps`: the exact rational time, rounded to the nanosecond once, so that nothing drifts.
pub fn pts(n: u64, fps: Fraction) -> ClockTime {
    let (num, den) = (fps.numer().max(1) as u128, fps.denom().max(1) as u128);
    let ns = (u128::from(n) * 1_000_000_000 * den + num / 2) / num;
    ClockTime::from_nseconds(u64::try_from(ns).unwrap_or(u64::MAX - 1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use opencv::prelude::*;

    /// Frame `index` of a 25 fps stream.
    pub(super) fn drawn(name: &str, width: u32, height: u32, index: u64) -> Mat {
        let setup = Setup { width, height, seed: 1, wall: false };
        let mut g = (find(name).unwrap().make)(&setup);
        draw(g.as_mut(), width, height, index)
    }

    pub(super) fn draw(g: &mut dyn Generator, width: u32, height: u32, index: u64) -> Mat {
        let blank = Mat::new_rows_cols_with_default(height as i32, width as i32, opencv::core::CV_8UC3, 7.0.into());
        let mut m = BoxedRefMut::from(blank.unwrap());
        g.draw(index, pts(index, Fraction::new(25, 1)), &mut m).unwrap();
        m.try_clone().unwrap()
    }

    #[test]
    fn times_are_exact_and_without_gap_at_ntsc_rate() {
        let fps = Fraction::new(30000, 1001);
        let mut end = ClockTime::ZERO;
        for n in 0..100_000u64 {
            let (time, next) = (pts(n, fps), pts(n + 1, fps));
            assert_eq!(time, end);
            let exact = n as f64 * 1001.0 / 30.0 * 1e6;
            assert!((time.nseconds() as f64 - exact).abs() <= 0.51, "{n}: {time} is not {exact}");
            assert!((33_366_666..=33_366_667).contains(&(next - time).nseconds()));
            end = next;
        }
        assert_eq!(pts(30_000, fps), ClockTime::from_seconds(1001));
    }

    #[test]
    fn every_generator_repeats_itself_to_the_bit_in_any_order() {
        for e in ALL {
            for (w, h) in [(160, 90), (321, 241)] {
                let setup = Setup { width: w, height: h, seed: 5, wall: false };
                let (mut a, mut b) = ((e.make)(&setup), (e.make)(&setup));
                let forward: Vec<Mat> = [0, 1, 40, 90].iter().map(|i| draw(a.as_mut(), w, h, *i)).collect();
                let mut backward: Vec<Mat> = [90, 40, 1, 0].iter().map(|i| draw(b.as_mut(), w, h, *i)).collect();
                backward.reverse();
                for (x, y) in forward.iter().zip(&backward) {
                    assert_eq!(x.data_bytes().unwrap(), y.data_bytes().unwrap(), "{} {w}x{h}", e.name);
                }
                for pair in forward.windows(2) {
                    assert_ne!(pair[0].data_bytes().unwrap(), pair[1].data_bytes().unwrap(), "{} {w}x{h}", e.name);
                }
            }
        }
    }

    #[test]
    fn every_generator_takes_any_size() {
        gstreamer::init().unwrap();
        for e in ALL {
            for (width, height) in [(1, 1), (2, 3), (1, 200), (200, 1), (64, 64), (321, 241), (90, 500)] {
                let settings =
                    Settings { generator: e.name.into(), width, height, frames: Some(2), ..Settings::default() };
                let mut g = Generate::new(&settings).unwrap();
                while g.next().unwrap().is_some() {}
            }
        }
    }

    #[test]
    fn frames_carry_times_index_and_colour() {
        gstreamer::init().unwrap();
        let settings = Settings {
            generator: "counter".into(),
            width: 321,
            height: 241,
            fps: Fraction::new(30000, 1001),
            frames: Some(3),
            ..Settings::default()
        };
        let mut g = Generate::new(&settings).unwrap();
        assert_eq!(g.duration(), Some(ClockTime::from_nseconds(100_100_000)));
        let info = &g.spec().info;
        assert_eq!(info.colorimetry(), "sRGB".parse().unwrap());
        assert_eq!((info.fps(), info.par()), (settings.fps, Fraction::new(1, 1)));
        let mut seen = Vec::new();
        while let Some(f) = g.next().unwrap() {
            let number = read_counter(&f.planes().unwrap().mat(0).unwrap());
            seen.push((f.index, f.pts.nseconds(), f.duration.unwrap().nseconds(), number));
        }
        let expected =
            [(0, 0, 33_366_667, Some(0)), (1, 33_366_667, 33_366_666, Some(1)), (2, 66_733_333, 33_366_667, Some(2))];
        assert_eq!(seen, expected);
        assert!(g.next().unwrap().is_none());
    }

    #[test]
    fn wrong_settings_are_explained() {
        gstreamer::init().unwrap();
        let fails = |s: Settings| Generate::new(&s).err().unwrap().to_string();
        assert!(fails(Settings { generator: "scnee".into(), ..Default::default() }).contains("did you mean `scene`"));
        assert!(fails(Settings { fps: Fraction::new(0, 1), ..Default::default() }).contains("above 0"));
        assert!(fails(Settings { width: 0, ..Default::default() }).contains("0x720"));
        assert!(
            fails(Settings { truth: Some("/nowhere/t.csv".into()), ..Default::default() }).contains("/nowhere/t.csv")
        );
    }
}

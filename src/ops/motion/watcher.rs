//! Which pixels move: the brightness at reduced size against what was learned of it.

use gstreamer_video::VideoColorRange;
use opencv::core::{self, Mat, Point, Ptr, Size};
use opencv::imgproc;
use opencv::prelude::*;
use opencv::video;

use super::shrink::shrink;
use super::{Method, Motion};
use crate::frame::{Component, Frame, Plane, Spec};
use crate::ops::{OpError, Regions};
use crate::vision::Rect;
use crate::vision::clusters::Clusters;
use crate::vision::mixture::Mixture;

/// Share of the picture that must change at once for it to be the light.
const LIGHTING: f64 = 70.0;
/// Pictures that learning takes.
const WARM: u32 = 30;
/// And that may have moved the moment before.
const CALM: f64 = 10.0;

/// What moves in one picture.
pub(super) struct Seen {
    /// Share of moving pixels in percent.
    pub score: f64,
    /// Around each thing that moves, in pixels of the picture.
    pub boxes: Vec<Rect>,
}

pub(super) struct Watcher {
    config: Motion,
    /// From the small picture to the picture.
    factor: usize,
    size: Size,
    learned: Learned,
    kernel: Mat,
    /// 255 where motion counts; `None` for everywhere.
    mask: Option<Mat>,
    /// Pixels of the small picture that count.
    counted: f64,
    gray: Mat,
    sums: Vec<u32>,
    small: Mat,
    moving: Mat,
    clean: Mat,
    counting: Mat,
    things: Clusters,
    before: f64,
    /// Pictures since learning began.
    learned_for: u32,
    first: bool,
    /// Brightness comes in limited range, 16 to 235.
    limited: bool,
}

enum Learned {
    Mog2(Mixture),
    Knn(Ptr<video::BackgroundSubtractorKNN>),
    Last(Mat),
}

impl Learned {
    fn new(config: &Motion, size: Size) -> opencv::Result<Self> {
        Ok(match config.method {
            Method::Mog2 => {
                let pixels = size.width as usize * size.height as usize;
                Learned::Mog2(Mixture::new(pixels, config.history, config.variance.unwrap_or(16.0) as f32))
            }
            Method::Knn => knn(config)?,
            Method::Difference => Learned::Last(Mat::default()),
        })
    }
}

fn knn(config: &Motion) -> opencv::Result<Learned> {
    let far = config.variance.unwrap_or(400.0);
    let mut m = video::create_background_subtractor_knn(config.history as i32, far, config.ignore_shadows)?;
    // Shadows are marked with this value; 0 makes them background.
    m.set_shadow_value(0)?;
    Ok(Learned::Knn(m))
}

impl Watcher {
    pub fn new(config: &Motion, region: Option<&Regions>, spec: &Spec) -> Result<Self, OpError> {
        let info = &spec.info;
        let (width, height) = (info.width(), info.height());
        let factor = (width / config.width).min(height).max(1);
        let size = Size::new((width / factor).max(1) as i32, (height / factor).max(1) as i32);
        // Against noise: larger specks in larger pictures.
        let kernel = if size.width >= 1920 {
            7
        } else if size.width >= 1280 {
            5
        } else {
            3
        };
        let kernel = Mat::new_size_with_default(Size::new(kernel, kernel), core::CV_8UC1, 1.into())?;
        let mask = mask(region, config.ignore.as_ref(), width, height, size)?;
        let counted = match &mask {
            Some(m) => f64::from(core::count_non_zero(m)?),
            None => f64::from(size.width) * f64::from(size.height),
        };
        if counted == 0.0 {
            return Err(OpError::Refused(format!(
                "nothing of the picture ({width}x{height}) is left to look at: correct `region` or `ignore`"
            )));
        }
        let (new, plane) = (Mat::default, || Mat::new_size_with_default(size, core::CV_8UC1, 0.into()));
        Ok(Watcher {
            config: config.clone(),
            factor: factor as usize,
            size,
            learned: Learned::new(config, size)?,
            kernel,
            mask,
            counted,
            gray: new(),
            sums: Vec::new(),
            small: plane()?,
            moving: plane()?,
            clean: new(),
            counting: new(),
            // What is nearer to each other than that is one thing.
            things: Clusters::new(size.width as usize, size.height as usize, (size.width as usize / 64).max(1)),
            before: 0.0,
            learned_for: 0,
            first: true,
            limited: !spec.layout.rgb && info.colorimetry().range() != VideoColorRange::Range0_255,
        })
    }

    /// Learns from the picture, and says what moves in it.
    pub fn look(&mut self, frame: &Frame) -> Result<Seen, OpError> {
        let Watcher { factor, size, small, gray, sums, .. } = self;
        frame.gray(gray, |full| shrink(full, *factor, size.width as usize, sums, small).map_err(OpError::from))?;
        if self.limited {
            // What is learned has fixed floors (of variance), made for full range.
            widen(self.small.data_bytes_mut()?);
        }
        self.subtract()?;
        let (at, border) = (Point::new(-1, -1), imgproc::morphology_default_border_value()?);
        let (open, around) = (imgproc::MORPH_OPEN, core::BORDER_CONSTANT);
        imgproc::morphology_ex(&self.moving, &mut self.clean, open, &self.kernel, at, 1, around, border)?;
        if let Some(mask) = &self.mask {
            core::bitwise_and(&self.clean, mask, &mut self.counting, &core::no_array())?;
            std::mem::swap(&mut self.clean, &mut self.counting);
        }
        let mut score = 100.0 * f64::from(core::count_non_zero(&self.clean)?) / self.counted;
        // Nothing was learned before the first picture: all of it would be new.
        if std::mem::take(&mut self.first) {
            return Ok(Seen { score: 0.0, boxes: Vec::new() });
        }
        self.learned_for += 1;
        if score >= LIGHTING
            && self.learned_for < WARM
            && (self.config.ignore_lighting || self.config.method == Method::Knn)
        {
            // Not learned yet: KNN takes everything for new until it has samples enough.
            return Ok(Seen { score: 0.0, boxes: Vec::new() });
        }
        if self.config.ignore_lighting && score >= LIGHTING && self.before < CALM {
            self.learned_for = 0;
            self.relearn()?;
            self.before = 0.0;
            return Ok(Seen { score: 0.0, boxes: Vec::new() });
        }
        self.before = score;
        let least = self.config.min_area / 100.0 * self.counted;
        let mut boxes = Vec::new();
        if score > 0.0 && (self.config.boxes || least > 0.0) {
            let moved = self.things(least, &mut boxes)?;
            if least > 0.0 {
                score = 100.0 * moved / self.counted;
            }
        }
        Ok(Seen { score, boxes })
    }

    /// Forgets all but the newest picture.
    fn relearn(&mut self) -> opencv::Result<()> {
        match &mut self.learned {
            Learned::Mog2(mixture) => mixture.forget(),
            knn @ Learned::Knn(_) => *knn = self::knn(&self.config)?,
            // It knows no other.
            Learned::Last(_) => return Ok(()),
        }
        self.subtract()
    }

    fn subtract(&mut self) -> opencv::Result<()> {
        let Watcher { learned, small, moving, counting, config, .. } = self;
        match learned {
            Learned::Mog2(mixture) => {
                let (small, moving) = (small.data_bytes()?, moving.data_bytes_mut()?);
                mixture.learn(small, moving);
                if config.ignore_shadows {
                    mixture.without_shadows(small, moving);
                }
                Ok(())
            }
            Learned::Knn(m) => opencv::prelude::BackgroundSubtractorTrait::apply(m, small, moving, -1.0),
            Learned::Last(last) => {
                if last.empty() {
                    small.copy_to(last)?;
                }
                core::absdiff(small, last, counting)?;
                std::mem::swap(small, last);
                let far = config.variance.unwrap_or(12.0);
                imgproc::threshold(counting, moving, far, 255.0, imgproc::THRESH_BINARY).map(drop)
            }
        }
    }

    /// The things that move; answers with how many pixels they have together.
    fn things(&mut self, least: f64, boxes: &mut Vec<Rect>) -> opencv::Result<f64> {
        let scale = self.factor as f32;
        let mut moved = 0.0;
        for thing in self.things.find(self.clean.data_bytes()?).iter().filter(|t| f64::from(t.pixels) >= least) {
            moved += f64::from(thing.pixels);
            let (width, height) = (thing.right - thing.left, thing.bottom - thing.top);
            let (x, y) = (thing.left as f32 * scale, thing.top as f32 * scale);
            boxes.push(Rect::new(x, y, width as f32 * scale, height as f32 * scale));
        }
        Ok(moved)
    }
}

/// Brightness in limited range made full: 255 / 219 of what lies above 16, in 256ths and cut off, as players have it.
fn widen(picture: &mut [u8]) {
    for v in picture {
        *v = (u32::from(v.saturating_sub(16)) * 298 / 256).min(255) as u8;
    }
}

/// Where motion counts, in the small picture.
fn mask(
    region: Option<&Regions>,
    ignore: Option<&Regions>,
    width: u32,
    height: u32,
    size: Size,
) -> opencv::Result<Option<Mat>> {
    if region.is_none() && ignore.is_none() {
        return Ok(None);
    }
    let full = Plane { channels: vec![Component::Y], w_sub: 0, h_sub: 0 };
    let start = if region.is_some() { 0.0 } else { 255.0 };
    let whole = Size::new(width as i32, height as i32);
    let mut mask = Mat::new_size_with_default(whole, core::CV_8UC1, start.into())?;
    for (regions, value) in [(region, 255.0), (ignore, 0.0)] {
        for patch in regions.map(|r| r.on_plane(&full, width, height)).transpose()?.unwrap_or_default() {
            let mut part = mask.roi_mut(patch.rect)?;
            match &patch.mask {
                Some(m) => part.set_to(&core::Scalar::all(value), m)?,
                None => part.set_to_def(&core::Scalar::all(value))?,
            };
        }
    }
    let mut small = Mat::default();
    imgproc::resize(&mask, &mut small, size, 0.0, 0.0, imgproc::INTER_NEAREST)?;
    Ok(Some(small))
}

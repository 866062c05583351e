//! Which pixels move: the brightness at reduced size against what was learned of it.

use gstreamer_video::VideoColorRange;
use opencv::core::{self, Mat, Point, Ptr, Size};
use opencv::imgproc;
use opencv::prelude::*;
use opencv::video;

use super::{Method, Motion};
use crate::frame::{Component, Frame, Plane, Spec};
use crate::ops::{OpError, Regions};
use crate::vision::Rect;

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
    size: Size,
    /// From the small picture to the picture.
    scale: (f32, f32),
    learned: Learned,
    kernel: Option<Mat>,
    /// 255 where motion counts; `None` for everywhere.
    mask: Option<Mat>,
    /// Pixels of the small picture that count.
    counted: f64,
    gray: Mat,
    small: Mat,
    wide: Mat,
    moving: Mat,
    clean: Mat,
    merged: Mat,
    labels: Mat,
    stats: Mat,
    centroids: Mat,
    before: f64,
    /// Pictures since learning began.
    learned_for: u32,
    first: bool,
    /// Brightness comes in limited range, 16 to 235.
    limited: bool,
}

enum Learned {
    Mog2(Ptr<video::BackgroundSubtractorMOG2>),
    Knn(Ptr<video::BackgroundSubtractorKNN>),
    Last(Mat),
}

impl Learned {
    fn new(config: &Motion) -> opencv::Result<Self> {
        let history = config.history as i32;
        let shadows = config.ignore_shadows;
        Ok(match config.method {
            Method::Mog2 => {
                let mut m =
                    video::create_background_subtractor_mog2(history, config.variance.unwrap_or(16.0), shadows)?;
                // Shadows are marked with this value; 0 makes them background.
                m.set_shadow_value(0)?;
                Learned::Mog2(m)
            }
            Method::Knn => {
                let mut m =
                    video::create_background_subtractor_knn(history, config.variance.unwrap_or(400.0), shadows)?;
                m.set_shadow_value(0)?;
                Learned::Knn(m)
            }
            Method::Difference => Learned::Last(Mat::default()),
        })
    }
}

impl Watcher {
    pub fn new(config: &Motion, region: Option<&Regions>, spec: &Spec) -> Result<Self, OpError> {
        let info = &spec.info;
        let (width, height) = (info.width(), info.height());
        let factor = (width / config.width).max(1);
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
        let new = Mat::default;
        Ok(Watcher {
            config: config.clone(),
            size,
            scale: (width as f32 / size.width as f32, height as f32 / size.height as f32),
            learned: Learned::new(config)?,
            kernel: Some(kernel),
            mask,
            counted,
            gray: new(),
            small: new(),
            wide: new(),
            moving: new(),
            clean: new(),
            merged: new(),
            labels: new(),
            stats: new(),
            centroids: new(),
            before: 0.0,
            learned_for: 0,
            first: true,
            limited: !spec.layout.rgb && info.colorimetry().range() != VideoColorRange::Range0_255,
        })
    }

    /// Learns from the picture, and says what moves in it.
    pub fn look(&mut self, frame: &Frame) -> Result<Seen, OpError> {
        let Watcher { size, small, gray, .. } = self;
        frame.gray(gray, |full| {
            // Half pixels are all that a factor of 2 needs; INTER_AREA is exact for every whole factor.
            imgproc::resize(full, small, *size, 0.0, 0.0, imgproc::INTER_AREA).map_err(OpError::from)
        })?;
        if self.limited {
            // What is learned has fixed floors (of variance), made for full range.
            let wide = 255.0 / 219.0;
            self.small.convert_to(&mut self.wide, core::CV_8U, wide, -16.0 * wide)?;
            std::mem::swap(&mut self.small, &mut self.wide);
        }
        self.subtract()?;
        if let Some(kernel) = &self.kernel {
            let (at, border) = (Point::new(-1, -1), imgproc::morphology_default_border_value()?);
            imgproc::morphology_ex(
                &self.moving,
                &mut self.clean,
                imgproc::MORPH_OPEN,
                kernel,
                at,
                1,
                core::BORDER_CONSTANT,
                border,
            )?;
        }
        if let Some(mask) = &self.mask {
            core::bitwise_and(&self.clean.clone(), mask, &mut self.clean, &core::no_array())?;
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
            self.learned = Learned::new(&self.config)?;
            self.subtract()?;
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

    fn subtract(&mut self) -> opencv::Result<()> {
        let Watcher { learned, small, moving, config, .. } = self;
        match learned {
            Learned::Mog2(m) => opencv::prelude::BackgroundSubtractorMOG2Trait::apply(m, small, moving, -1.0),
            Learned::Knn(m) => opencv::prelude::BackgroundSubtractorTrait::apply(m, small, moving, -1.0),
            Learned::Last(last) => {
                if last.empty() {
                    small.copy_to(last)?;
                }
                core::absdiff(small, last, moving)?;
                std::mem::swap(small, last);
                let far = config.variance.unwrap_or(12.0);
                imgproc::threshold(&moving.clone(), moving, far, 255.0, imgproc::THRESH_BINARY).map(drop)
            }
        }
    }

    /// The things that move; answers with how many pixels they have together.
    fn things(&mut self, least: f64, boxes: &mut Vec<Rect>) -> opencv::Result<f64> {
        // What is nearer to each other than a hundredth of the picture is one thing.
        let reach = (self.size.width / 100).max(1) * 2 + 1;
        let kernel = Mat::new_size_with_default(Size::new(reach, reach), core::CV_8UC1, 1.into())?;
        let border = imgproc::morphology_default_border_value()?;
        let at = Point::new(-1, -1);
        imgproc::dilate(&self.clean, &mut self.merged, &kernel, at, 1, core::BORDER_CONSTANT, border)?;
        let (labels, stats, centroids) = (&mut self.labels, &mut self.stats, &mut self.centroids);
        let n = imgproc::connected_components_with_stats(&self.merged, labels, stats, centroids, 8, core::CV_32S)?;
        let mut moved = 0.0;
        for i in 1..n {
            let of = |what: i32| stats.at_2d::<i32>(i, what).copied();
            let (x, y) = (of(imgproc::CC_STAT_LEFT)?, of(imgproc::CC_STAT_TOP)?);
            let (w, h) = (of(imgproc::CC_STAT_WIDTH)?, of(imgproc::CC_STAT_HEIGHT)?);
            // Without what merging added around it.
            let place = core::Rect::new(x, y, w, h);
            let pixels = f64::from(core::count_non_zero(&self.clean.roi(place)?)?);
            if pixels < least.max(1.0) {
                continue;
            }
            moved += pixels;
            let inner = imgproc::bounding_rect(&self.clean.roi(place)?)?;
            let (sx, sy) = self.scale;
            let (x, y) = ((x + inner.x) as f32 * sx, (y + inner.y) as f32 * sy);
            boxes.push(Rect::new(x, y, inner.width as f32 * sx, inner.height as f32 * sy));
        }
        Ok(moved.min(self.counted))
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

//! Hides parts of the picture for good.

use std::sync::Arc;

use opencv::core::{self as cv, Mat, Scalar, Size};
use opencv::prelude::*;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::channels::Dst;
use super::{Group, Invalid, Mode, Op, OpConfig, OpError, Patch, Reach, Region, Regions, Stream, veil};
use crate::frame::{Color, Component, Frame, Spec, shape_scratch};

/// Hides a part of the picture for good (privacy mask): `region` is required, and the mask is always on.
///
/// It fails closed: without a region, with one that lies outside of the picture, with `when` or with `enabled = false` the
/// run does not start. Regions are rounded outwards to whole samples of every plane, polygons are a pixel larger all around.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Mask {
    /// `fill` (one colour: nothing is left), `pixelate` (blocks) or `blur` (the same blocks, blended into each other). What
    /// `pixelate` and `blur` leave are the means of a few large cells; software can tell known faces apart even from such,
    /// and moving pictures give away more than still ones: where it matters use `fill`.
    pub method: Method,
    /// For `fill`: a name or #rrggbb.
    pub color: Color,
    /// For `pixelate` and `blur`: into how many cells the longer side of each region is divided, 1 to 16; fewer hide more.
    /// A cell is at least 8 pixels wide and high, whatever this says.
    #[schemars(range(min = 1, max = 16))]
    pub cells: u32,
}

/// What is seen in the region's place.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[allow(missing_docs)]
pub enum Method {
    #[default]
    Fill,
    Pixelate,
    Blur,
}

impl Default for Mask {
    fn default() -> Self {
        Mask { method: Method::Fill, color: Color::BLACK, cells: 6 }
    }
}

impl OpConfig for Mask {
    const NAME: &'static str = "mask";
    const GROUP: Group = Group::Masking;
    const EXAMPLE: &'static str = "mask:method=pixelate,region=40%,10%,20%,30%";
    const BEHIND: &'static str = "cv::resize with INTER_AREA and back, Mat::setTo";

    fn check(&self) -> Result<(), Invalid> {
        Invalid::unless_in("cells", self.cells, 1..=16)
    }

    fn reach(&self) -> Reach {
        Reach::Guards
    }

    fn build(&self) -> Box<dyn Op> {
        Box::new(Masking { config: self.clone(), regions: Vec::new(), planes: Vec::new() })
    }
}

struct Masking {
    config: Mask,
    regions: Vec<Region>,
    planes: Vec<Veils>,
}

/// What is hidden on one plane.
struct Veils {
    /// The colour of `fill`.
    color: Scalar,
    /// Padding, which is not written.
    padding: Vec<i32>,
    /// Where, and how many cells across and down.
    patches: Vec<(Patch, Size)>,
    few: Mat,
    many: Mat,
}

impl Op for Masking {
    fn mode(&self) -> Mode {
        Mode::InPlace
    }

    fn within(&mut self, regions: &Regions) {
        self.regions = regions.all().to_vec();
    }

    fn prepare(&mut self, input: &Arc<Spec>, _: &Stream) -> Result<Arc<Spec>, OpError> {
        let (w, h) = (input.info.width(), input.info.height());
        if self.regions.is_empty() {
            return Err(OpError::Refused("no region says what to hide".into()));
        }
        self.planes.clear();
        for plane in &input.layout.planes {
            let mut patches = Vec::new();
            for region in &self.regions {
                let outside = || {
                    OpError::Refused(format!(
                        "the region {region} lies outside of the picture ({w}x{h}), and would hide nothing: correct it, or \
                         leave it out"
                    ))
                };
                let patch = region.covering(plane, w, h)?.ok_or_else(outside)?;
                let cells = veil::grid(patch.rect, plane, self.config.cells);
                patches.push((patch, cells));
            }
            let mut color = Scalar::default();
            for (to, c) in color.iter_mut().zip(&plane.channels) {
                *to = f64::from(self.config.color.sample(*c, &input.info, &input.layout));
            }
            let padding = (0i32..).zip(&plane.channels).filter(|(_, c)| **c == Component::Unused).map(|(k, _)| k);
            let padding = padding.collect();
            self.planes.push(Veils { color, padding, patches, few: Mat::default(), many: Mat::default() });
        }
        Ok(input.clone())
    }

    fn edit(&mut self, frame: &mut Frame) -> Result<(), OpError> {
        let bits = !((1u32 << frame.spec().layout.shift) - 1);
        let mut planes = frame.planes_mut()?;
        for (i, veils) in self.planes.iter_mut().enumerate() {
            planes.edit(i, |plane| veils.draw(self.config.method, plane, bits).map_err(OpError::from))?;
        }
        Ok(())
    }
}

impl Veils {
    fn draw(&mut self, method: Method, plane: &mut Dst<'_>, bits: u32) -> opencv::Result<()> {
        let Veils { color, padding, patches, few, many } = self;
        for (patch, cells) in patches {
            let mut there = plane.roi_mut(patch.rect)?;
            shape_scratch(many, there.size()?, there.typ())?;
            match method {
                Method::Fill => drop(many.set_to_def(color)?),
                Method::Pixelate | Method::Blur => {
                    veil::cells(&there, few, many, *cells, method == Method::Blur, bits)?;
                }
            }
            for k in padding.iter() {
                cv::mix_channels(&there, many, &[*k, *k])?;
            }
            match &patch.mask {
                None => many.copy_to(&mut there)?,
                Some(mask) => many.copy_to_masked(&mut there, mask)?,
            }
        }
        Ok(())
    }
}

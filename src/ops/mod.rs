//! The ops: one file each, plus one line in [`ALL`].
//!
//! An op's file holds its configuration struct (whose doc comments are its help), its checks, its code and its tests. What
//! the op does to buffers is declared by [`Mode`]; the runner ([`Chain`](crate::pipeline::chain::Chain)) owns the buffers.
//! What every op can do (`region`, `when`, `enabled`, keyframes) is done around it and costs the op's file nothing.

mod animation;
mod black;
mod blur;
mod brightness;
mod brightness_contrast;
mod channels;
mod circle;
mod clahe;
mod colormap;
mod compare;
mod count_line;
mod crop;
mod cube;
mod declared;
mod denoise;
mod detect;
pub mod draw;
mod drawing;
mod edges;
mod equalize;
mod error;
mod extent;
mod flicker;
mod flip;
mod fps;
mod freeze_repair;
mod frozen;
mod gamma;
mod gaussian;
mod gradient;
mod gray;
mod grid;
mod ground;
mod heatmap;
mod histogram;
mod image;
mod invert;
mod laplacian;
mod levels;
mod line;
mod luma;
mod lut;
mod mask;
mod matrix;
mod morphology;
mod motion;
mod noise;
pub mod outline;
pub mod overlay;
mod pad;
mod perspective;
mod pixelate;
mod polygon;
mod position;
mod psnr;
mod rectangle;
mod redact;
mod reference;
mod region;
mod resize;
mod rotate;
mod rows;
mod sample;
mod saturation;
mod scale;
mod scenes;
mod settings;
mod sharpen;
mod sharpness;
mod skip;
mod smpte;
mod snapshot;
mod sobel;
mod spans;
mod speed;
mod ssim;
mod stabilize;
mod text;
mod threshold;
mod timecode;
pub mod track;
mod tracked;
mod trim;
mod undistort;
mod veil;
mod warp;
mod when;
mod white_balance;
mod zone;
mod zoom;

use std::fmt;
use std::sync::Arc;

use gstreamer::ClockTime;
use schemars::JsonSchema;
use serde::{Serialize, de::DeserializeOwned};

use crate::frame::{Frame, Layout, Spec};
use crate::vision::event::Event;

pub use declared::{Group, Mode, Reach, Sight, Takes};
pub use error::{Invalid, OpError};
pub use outline::Outline;
pub use position::Position;
pub use region::{Length, Patch, Region, Regions};
pub use settings::{COMMON, Common, Configured, Entry, OpSettings, ReadError};
pub use text::FIELDS as TEXT_FIELDS;
pub use when::When;

/// Every op, in the order of the documentation.
pub static ALL: &[Entry] = &[
    // Geometry.
    Entry::of::<resize::Resize>(),
    Entry::of::<crop::Crop>(),
    Entry::of::<pad::Pad>(),
    Entry::of::<rotate::Rotate>(),
    Entry::of::<flip::Flip>(),
    Entry::of::<perspective::Perspective>(),
    Entry::of::<undistort::Undistort>(),
    Entry::of::<zoom::Zoom>(),
    Entry::of::<stabilize::Stabilize>(),
    // Tone and colour.
    Entry::of::<gray::Gray>(),
    Entry::of::<brightness_contrast::BrightnessContrast>(),
    Entry::of::<gamma::Gamma>(),
    Entry::of::<saturation::Saturation>(),
    Entry::of::<white_balance::WhiteBalance>(),
    Entry::of::<equalize::Equalize>(),
    Entry::of::<clahe::Clahe>(),
    Entry::of::<invert::Invert>(),
    Entry::of::<colormap::Colormap>(),
    Entry::of::<lut::Lut>(),
    Entry::of::<threshold::Threshold>(),
    // Detail.
    Entry::of::<blur::Blur>(),
    Entry::of::<sharpen::Sharpen>(),
    Entry::of::<denoise::Denoise>(),
    Entry::of::<edges::Edges>(),
    Entry::of::<sobel::Sobel>(),
    Entry::of::<laplacian::Laplacian>(),
    Entry::of::<morphology::Morphology>(),
    Entry::of::<pixelate::Pixelate>(),
    // Drawing.
    Entry::of::<text::Text>(),
    Entry::of::<timecode::Timecode>(),
    Entry::of::<image::Image>(),
    Entry::of::<rectangle::Rectangle>(),
    Entry::of::<polygon::Polygon>(),
    Entry::of::<line::Line>(),
    Entry::of::<circle::Circle>(),
    Entry::of::<grid::Grid>(),
    Entry::of::<histogram::Histogram>(),
    Entry::of::<compare::Compare>(),
    // Masking.
    Entry::of::<mask::Mask>(),
    // Time.
    Entry::of::<fps::Fps>(),
    Entry::of::<speed::Speed>(),
    Entry::of::<skip::Skip>(),
    Entry::of::<trim::Trim>(),
    Entry::of::<freeze_repair::FreezeRepair>(),
    // Measure.
    Entry::of::<sharpness::Sharpness>(),
    Entry::of::<brightness::Brightness>(),
    Entry::of::<noise::Noise>(),
    Entry::of::<black::Black>(),
    Entry::of::<frozen::Frozen>(),
    Entry::of::<flicker::Flicker>(),
    Entry::of::<psnr::Psnr>(),
    Entry::of::<ssim::Ssim>(),
    // Seeing and following.
    Entry::of::<detect::Detect>(),
    Entry::of::<track::Track>(),
    Entry::of::<count_line::CountLine>(),
    Entry::of::<zone::Zone>(),
    Entry::of::<ground::Ground>(),
    Entry::of::<heatmap::Heatmap>(),
    Entry::of::<snapshot::Snapshot>(),
    Entry::of::<draw::Draw>(),
    Entry::of::<motion::Motion>(),
    Entry::of::<scenes::Scenes>(),
    Entry::of::<redact::Redact>(),
];

/// An op at work on one stream.
pub trait Op: Send {
    /// What it does with buffers.
    fn mode(&self) -> Mode;

    /// Called before `prepare` where the op sees to its region itself ([`Reach::is_own`]).
    fn within(&mut self, _regions: &Regions) {}

    /// Called once, before the first frame, with what comes in; answers with what goes out. Anything that depends on
    /// format, size or rate is settled here. An op that cannot work on `input` says why.
    fn prepare(&mut self, input: &Arc<Spec>, stream: &Stream) -> Result<Arc<Spec>, OpError>;

    /// The work of a [`Mode::InPlace`] op; `frame` is writable.
    fn edit(&mut self, _frame: &mut Frame) -> Result<(), OpError> {
        unreachable!("the runner calls edit() on Mode::InPlace ops only, which implement it")
    }

    /// The work of a [`Mode::Transform`] op; `to` has the spec that `prepare` answered with, and undefined pixels.
    fn transform(&mut self, _from: &Frame, _to: &mut Frame) -> Result<(), OpError> {
        unreachable!("the runner calls transform() on Mode::Transform ops only, which implement it")
    }

    /// The work of a [`Mode::Read`] op; results go to `frame.meta`.
    fn read(&mut self, _frame: &mut Frame) -> Result<(), OpError> {
        unreachable!("the runner calls read() on Mode::Read ops only, which implement it")
    }

    /// The work of a [`Mode::Time`] op: takes the frame and gives any number of frames to `out`, in order of their times,
    /// which rise strictly.
    fn retime(&mut self, _frame: Frame, _out: &mut Vec<Frame>) -> Result<(), OpError> {
        unreachable!("the runner calls retime() on Mode::Time ops only, which implement it")
    }

    /// Called before a frame passes a [`Mode::Time`] op by (`when`): the frames that it holds back go to `out`, so that no frame
    /// overtakes another. Frames may follow: an op without anything better begins anew.
    fn flush(&mut self, out: &mut Vec<Frame>) -> Result<(), OpError> {
        self.finish(out)
    }

    /// Called once after the last frame: what a [`Mode::Time`] op still holds goes to `out`.
    fn finish(&mut self, _out: &mut Vec<Frame>) -> Result<(), OpError> {
        Ok(())
    }

    /// Pictures that it copied itself because they were not writable: what a [`Mode::Time`] op that edits has to count.
    fn copies(&self) -> u64 {
        0
    }

    /// What is to be said after the last frame: events that end with the stream (motion, tracks). They go to the outputs that
    /// record events, behind those of all frames.
    fn last_events(&mut self) -> Vec<Event> {
        Vec::new()
    }

    /// What the op found over the whole run, for the stats file and the summary: a JSON object. The summary shows its
    /// `spans` (a list of `start` and `end` in seconds of the source) and its `note`.
    fn report(&self) -> Option<serde_json::Value> {
        None
    }
}

/// What an op may want to know of the stream besides its format.
#[derive(Clone, Debug, Default)]
pub struct Stream {
    /// Name of the source as shown to people: a file's name, a camera's, `rtsp://host/path` without password.
    pub name: String,
    /// True when frames come as the world makes them, so that wall-clock time means something.
    pub live: bool,
    /// Length of the source, where known.
    pub duration: Option<ClockTime>,
    /// How many workers share the frames; 0 where that is not known.
    pub workers: usize,
    /// What the chain's first op gets: the form of [`Frame::original`].
    pub original: Option<Arc<Spec>>,
}

/// What an op's file provides. The struct itself is the configuration: its doc comment's first line is the summary, its
/// fields' doc comments are the help (meaning, unit, range).
pub trait OpConfig: DeserializeOwned + Serialize + JsonSchema + fmt::Debug + Send + Sync + Sized + 'static {
    /// As in `type = "blur"` and `--op blur`.
    const NAME: &'static str;
    /// Where it stands in the documentation.
    const GROUP: Group;
    /// A working command-line form: `blur:size=9`.
    const EXAMPLE: &'static str;
    /// The OpenCV function (or what else) behind it.
    const BEHIND: &'static str;

    /// Checks what types cannot: ranges, combinations. Opens nothing.
    fn check(&self) -> Result<(), Invalid>;

    /// Makes the op.
    fn build(&self) -> Box<dyn Op>;

    /// In which form it takes pictures of this layout. Native wherever the operation allows it.
    fn takes(&self, _layout: &Layout) -> Takes {
        Takes::AsIs
    }

    /// How far its pixels look.
    fn reach(&self) -> Reach {
        Reach::Near(0)
    }

    /// True when what it does to a frame depends on frames before it. Others may run on several workers at once. What makes
    /// events does, since they have a beginning and an end.
    fn stateful(&self) -> bool {
        self.makes_events()
    }

    /// True when it needs [`Frame::original`].
    fn wants_original(&self) -> bool {
        false
    }

    /// True when a moment of the source is at another time in the output: audio can then not be carried through.
    fn retimes(&self) -> bool {
        false
    }

    /// What it has to do with detections.
    fn sight(&self) -> Sight {
        Sight::None
    }

    /// True when it makes events without any `detect` op before it.
    fn makes_events(&self) -> bool {
        false
    }

    /// True when it moves what is seen to another place of the picture: places that were found before are wrong behind it.
    fn moves_pixels(&self) -> bool {
        false
    }

    /// True when it hides what may be anywhere in the picture: `enabled = false` is refused, so are ops that show the
    /// picture as it came in, and no tags of the source reach an output.
    fn redacts(&self) -> bool {
        false
    }

    /// Keys of its settings that name what it writes, files or folders: jobs of a batch must not share them.
    fn writes(&self) -> &'static [&'static str] {
        &[]
    }

    /// The line or zone that it watches; `regions` are the op's.
    fn outline(&self, _regions: Option<&Regions>) -> Option<Outline> {
        None
    }

    /// Why a `when` makes no sense, if it makes none.
    fn no_when(&self) -> Option<&'static str> {
        None
    }
}

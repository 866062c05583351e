//! `framewright check CONFIG --picture FILE`: the lines, zones and regions of a configuration on a picture of its source.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use gstreamer::ClockTime;
use gstreamer_video::{VideoFormat, VideoInfo};

use crate::config::{Settings, Size};
use crate::control::Control;
use crate::failure::Failure;
use crate::frame::{Converter, Frame, Layout, Pool, Spec, rgb, save};
use crate::ops::outline::{Outline, Whereabouts};
use crate::ops::{OpSettings, Stream, draw};
use crate::pipeline::chain::Chain;
use crate::source::{self, Pull};
use crate::vision::count::Shape;

/// How long the source may take for its first picture.
const PATIENCE: Duration = Duration::from_secs(20);

/// Writes the picture as PNG. Where the source is not there, it is gray; answers with what should be said about that.
pub fn write(settings: &Settings, path: &Path) -> Result<Option<String>, Failure> {
    if path.extension().is_none_or(|e| !e.eq_ignore_ascii_case("png")) {
        return Err(Failure::usage(format!("--picture {}: the name must end in .png", path.display())));
    }
    crate::gst::init()?;
    let (frame, notice) = match first(settings) {
        Ok(frame) => (frame, None),
        Err(e) => (gray(settings)?, Some(format!("the picture is gray, since there is none of the source: {e}"))),
    };
    let frame = moved(settings, frame)?;
    let to = Arc::new(frame.spec().with_format(VideoFormat::Rgb).map_err(Failure::failed)?);
    let mut frame = Converter::new(frame.spec(), to).and_then(|c| c.convert(&frame)).map_err(Failure::failed)?;
    let shapes = shapes(&settings.ops, (frame.width(), frame.height()));
    draw::sketch(&mut frame, &shapes).map_err(Failure::failed)?;
    let picture = rgb(&frame, None, u32::MAX).map_err(Failure::failed)?;
    save(&picture, path).map_err(|e| Failure::output(format!("cannot write {}: {e}", path.display())))?;
    Ok(notice)
}

/// What ops watch, and their regions under the ops' names.
fn shapes(ops: &[OpSettings], size: (u32, u32)) -> Vec<Arc<Shape>> {
    let mut out: Vec<Arc<Shape>> = Vec::new();
    for op in ops.iter().filter(|o| o.common.enabled) {
        let regions = op.common.region.as_ref();
        let outline = op.config.outline(regions).or_else(|| {
            regions.map(|r| Outline { name: op.name.to_owned(), whereabouts: Whereabouts::Zone(r.clone()) })
        });
        out.extend(outline.iter().flat_map(|o| o.on(size)).map(Arc::new));
    }
    out
}

/// The first picture that a run would take in.
fn first(settings: &Settings) -> Result<Frame, Failure> {
    let formats: Vec<VideoFormat> = Layout::all_formats().collect();
    let mut opened = source::open(&settings.source, &formats, Default::default(), &Control::default())?;
    let started = Instant::now();
    while started.elapsed() < PATIENCE {
        match opened.source.next()? {
            Pull::Frame(frame) if settings.source.start.is_none_or(|s| frame.position >= s.0) => return Ok(frame),
            Pull::Frame(_) | Pull::Nothing => {}
            Pull::End => return Err(Failure::input("it ended before its first picture")),
        }
    }
    Err(Failure::input("its first picture does not come"))
}

fn gray(settings: &Settings) -> Result<Frame, Failure> {
    let Size { width, height } = settings.source.size.unwrap_or(Size { width: 1280, height: 720 });
    let info = VideoInfo::builder(VideoFormat::Rgb, width, height).build().map_err(Failure::failed)?;
    let spec = Arc::new(Spec::new(info).map_err(Failure::failed)?);
    let buffer = Pool::new(&spec.info).and_then(|p| p.acquire()).map_err(Failure::failed)?;
    let mut frame = Frame::new(buffer, spec, ClockTime::ZERO, None);
    let mut planes = frame.planes_mut().map_err(Failure::failed)?;
    for y in 0..height {
        planes.row_mut(0, y).map_err(Failure::failed)?.fill(0x60);
    }
    drop(planes);
    Ok(frame)
}

/// The picture as the ops have it that look at it: behind those that move pixels.
fn moved(settings: &Settings, frame: Frame) -> Result<Frame, Failure> {
    let ops: Vec<&OpSettings> = settings.ops.iter().filter(|o| o.common.enabled).collect();
    let Some(last) = ops.iter().rposition(|o| o.common.region.is_some() || o.config.outline(None).is_some()) else {
        return Ok(frame);
    };
    let moves: Vec<OpSettings> = ops[..last].iter().filter(|o| o.config.moves_pixels()).map(|o| (*o).clone()).collect();
    let mut chain = Chain::prepare(&moves, frame.spec(), &Stream::default(), 1)?;
    let mut frames = vec![frame];
    for segment in &mut chain.segments {
        let mut out = Vec::new();
        for frame in frames {
            segment.lanes[0].process(frame, &mut out)?;
        }
        segment.lanes[0].finish(&mut out)?;
        frames = out;
    }
    frames.into_iter().next().ok_or_else(|| Failure::failed("the ops let no picture through"))
}

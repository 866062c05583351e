//! `generate:NAME` as a source; paced by the clock when it is to be live.

use std::time::{Duration, Instant};

use gstreamer::{ClockTime, Fraction};

use super::generate::{Generate, GenerateError, Settings};
use super::{Facts, Opened, Pull, Source};
use crate::config::{Size, SourceSettings};
use crate::failure::{Class, Failure};

struct Generated {
    generate: Generate,
    /// When the first frame was made, for live sources.
    pace: Option<Instant>,
    live: bool,
}

/// Opens the generator called `name`.
pub fn open(name: &str, settings: &SourceSettings) -> Result<Opened, Failure> {
    let size = settings.size.unwrap_or(Size { width: 1280, height: 720 });
    let fps = settings.fps.map_or(Fraction::new(30, 1), |r| r.0);
    // So many that --start, --frames and --stride find what they want.
    let generate = Generate::new(&Settings {
        generator: name.to_owned(),
        width: size.width,
        height: size.height,
        fps,
        frames: None,
        seed: settings.seed,
        wall: settings.live,
        truth: settings.truth.clone(),
    })
    .map_err(|e| failure(&e))?;
    let facts = Facts {
        name: format!("generate:{name}"),
        live: settings.live,
        held: Duration::ZERO,
        finite: settings.frames.is_some() || settings.end.is_some(),
        origin: ClockTime::ZERO,
        duration: None,
        frames: settings.frames,
        spec: generate.spec().clone(),
        converted_from: None,
        tags: gstreamer::TagList::new(),
        notices: Vec::new(),
    };
    let source = Generated { generate, pace: None, live: settings.live };
    Ok(Opened { facts, source: Box::new(source), audio: Vec::new(), packets: None })
}

fn failure(e: &GenerateError) -> Failure {
    let class = match e {
        GenerateError::Invalid(_) => Class::Usage,
        GenerateError::Truth { .. } => Class::Output,
        GenerateError::Frame(_) => Class::Failed,
    };
    Failure::new(class, e)
}

impl Source for Generated {
    fn next(&mut self) -> Result<Pull, Failure> {
        let Some(mut frame) = self.generate.next().map_err(|e| failure(&e))? else { return Ok(Pull::End) };
        if self.live {
            let began = *self.pace.get_or_insert_with(Instant::now);
            let due = began + Duration::from_nanos(frame.pts.nseconds());
            std::thread::sleep(due.saturating_duration_since(Instant::now()));
        }
        frame.arrived = Instant::now();
        Ok(Pull::Frame(frame))
    }
}

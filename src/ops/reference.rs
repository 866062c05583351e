//! A second video beside the first one, for ops that compare.

use std::sync::Arc;

use gstreamer::ClockTime;
use gstreamer_video::VideoInfo;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::spans::Limits;
use super::{Invalid, OpError};
use crate::config::{Rate, Size, SourceSettings};
use crate::control::Control;
use crate::failure::Failure;
use crate::frame::{Component, Converter, Frame, Layout, Planes, Spec};
use crate::source::{self, Pull, Source};

/// Which frames belong together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Sync {
    /// The first with the first, the second with the second.
    #[default]
    Order,
    /// The nearest in time.
    Time,
}

/// An opened reference.
pub(super) struct Reference {
    name: String,
    source: Box<dyn Source>,
    sync: Sync,
    origin: ClockTime,
    converter: Option<Converter>,
    now: Option<Frame>,
    next: Option<Frame>,
    over: bool,
    /// Frames without counterpart.
    pub unmatched: u64,
}

/// For ops with a reference.
pub(super) fn check_reference(uri: &str, example: &str) -> Result<(), Invalid> {
    match uri.trim().is_empty() {
        true => Err(Invalid::new("reference", format!("reference is missing: give a video, as in --op {example}"))),
        false => Ok(()),
    }
}

impl Reference {
    /// What goes into the statistics: the values of the whole run, over `frames` frames, and what was beyond the limits.
    pub fn report(
        &self,
        limits: &Limits,
        frames: u64,
        whole: serde_json::Map<String, serde_json::Value>,
    ) -> serde_json::Value {
        let mut out = limits.report().unwrap_or_else(|| serde_json::json!({}));
        out["frames"] = frames.into();
        out["unmatched"] = self.unmatched.into();
        out["whole"] = whole.into();
        if let Some(note) = self.note() {
            out["note"] = note.into();
        }
        out
    }

    /// Opens `uri`; its pictures come out in the form of `like`, scaled where their size differs.
    pub fn open(uri: &str, sync: Sync, like: &Arc<Spec>) -> Result<Self, OpError> {
        let (info, fps) = (&like.info, like.info.fps());
        let settings = SourceSettings {
            uri: uri.to_owned(),
            audio: false,
            // For sources that make their pictures: they make what fits.
            size: Some(Size { width: info.width(), height: info.height() }),
            fps: (fps.numer() > 0).then_some(Rate(fps)),
            ..SourceSettings::default()
        };
        let formats: Vec<_> = Layout::all_formats().collect();
        let failed = |f: Failure| OpError::Refused(format!("the reference: {}", f.message));
        let opened = source::open(&settings, &formats, Default::default(), &Control::default()).map_err(failed)?;
        let there = &opened.facts.spec;
        let same = there.info.format() == info.format()
            && (there.info.width(), there.info.height()) == (info.width(), info.height());
        let converter = match same {
            true => None,
            false => Some(Converter::new(there, Arc::new(alike(there, like)?))?),
        };
        Ok(Reference {
            name: opened.facts.name,
            source: opened.source,
            sync,
            origin: opened.facts.origin,
            converter,
            now: None,
            next: None,
            over: false,
            unmatched: 0,
        })
    }

    fn pull(&mut self) -> Result<Option<Frame>, OpError> {
        while !self.over {
            match self.source.next() {
                Ok(Pull::Frame(mut frame)) => {
                    frame.position = frame.pts.saturating_sub(self.origin);
                    return match &self.converter {
                        Some(c) => Ok(Some(c.convert(&frame)?)),
                        None => Ok(Some(frame)),
                    };
                }
                Ok(Pull::Nothing) => {}
                Ok(Pull::End) => self.over = true,
                Err(f) => return Err(OpError::Refused(format!("the reference: {}", f.message))),
            }
        }
        Ok(None)
    }

    /// The picture to compare `frame` with; none where the reference has none.
    pub fn beside(&mut self, frame: &Frame) -> Result<Option<&Frame>, OpError> {
        match self.sync {
            Sync::Order => self.now = self.pull()?,
            Sync::Time => self.advance(frame.position)?,
        }
        self.unmatched += u64::from(self.now.is_none());
        Ok(self.now.as_ref())
    }

    /// Goes on to the frame nearest to `t`.
    fn advance(&mut self, t: ClockTime) -> Result<(), OpError> {
        loop {
            if self.next.is_none() {
                self.next = self.pull()?;
            }
            let far = |f: &Frame| f.position.nseconds().abs_diff(t.nseconds());
            match (&self.now, &self.next) {
                (None, Some(_)) if !self.over || self.next.is_some() => self.now = self.next.take(),
                (Some(now), Some(next)) if far(next) <= far(now) => self.now = self.next.take(),
                (Some(now), None) => {
                    // The last one stands until its end; times are rounded.
                    let length = now.duration.unwrap_or(ClockTime::from_mseconds(100));
                    if t + length / 4 >= now.position + length {
                        self.now = None;
                    }
                    return Ok(());
                }
                _ => return Ok(()),
            }
        }
    }

    /// What should be said at the end.
    pub fn note(&self) -> Option<String> {
        (self.unmatched > 0)
            .then(|| format!("{} frames not compared: the reference {} ends before them", self.unmatched, self.name))
    }
}

/// The form of `like` with the colours of `there`, which are compared as they are stored.
fn alike(there: &Spec, like: &Arc<Spec>) -> Result<Spec, OpError> {
    let i = &like.info;
    let mut builder = VideoInfo::builder(i.format(), i.width(), i.height()).fps(there.info.fps());
    let colors = there.info.colorimetry();
    if there.layout.rgb == like.layout.rgb && !like.layout.rgb {
        builder = builder.colorimetry(&colors);
    }
    let info =
        builder.build().map_err(|_| OpError::Refused(format!("the reference cannot be had as {}", i.format())))?;
    Ok(Spec::new(info)?)
}

/// A component that is compared: which it is, where it is, and its share of all samples.
#[derive(Clone, Copy, Debug)]
pub(super) struct Part {
    pub component: Component,
    pub plane: usize,
    pub channel: usize,
    pub size: (u32, u32),
    pub weight: f64,
}

/// The components of a picture, without opacity and padding.
pub(super) fn parts(spec: &Spec) -> Vec<Part> {
    let mut parts = Vec::new();
    for component in [Component::Y, Component::U, Component::V, Component::R, Component::G, Component::B] {
        if let Some((plane, channel)) = spec.layout.find(component) {
            let p = &spec.layout.planes[plane];
            let size = (p.cols(spec.info.width()), p.rows(spec.info.height()));
            parts.push(Part { component, plane, channel, size, weight: f64::from(size.0) * f64::from(size.1) });
        }
    }
    let sum: f64 = parts.iter().map(|p| p.weight).sum();
    parts.iter_mut().for_each(|p| p.weight /= sum);
    parts
}

/// One row of a component in two pictures.
pub(super) enum Rows<'a> {
    /// As it is in memory.
    Bytes(&'a [u8], &'a [u8]),
    /// Taken out of a plane of several components, or of deeper samples.
    Words(&'a [u16], &'a [u16]),
}

/// Reads rows of components of two pictures in the same form.
#[derive(Default)]
pub(super) struct Pair(Vec<u16>, Vec<u16>);

impl Pair {
    /// Row `y` of `part`.
    pub fn row<'a>(
        &'a mut self,
        (a, b): (&'a Planes<'_>, &'a Planes<'_>),
        layout: &Layout,
        part: &Part,
        y: u32,
    ) -> Result<Rows<'a>, OpError> {
        let (a, b) = (a.row(part.plane, y)?, b.row(part.plane, y)?);
        let channels = layout.planes[part.plane].channels.len();
        if channels == 1 && layout.bytes == 1 {
            return Ok(Rows::Bytes(a, b));
        }
        let Pair(left, right) = self;
        for (row, out) in [(a, &mut *left), (b, &mut *right)] {
            out.clear();
            match layout.bytes {
                1 => out.extend(row.iter().skip(part.channel).step_by(channels).map(|v| u16::from(*v))),
                _ => out.extend(
                    row.chunks_exact(2)
                        .skip(part.channel)
                        .step_by(channels)
                        .map(|v| u16::from_le_bytes([v[0], v[1]]) >> layout.shift),
                ),
            }
        }
        Ok(Rows::Words(left, right))
    }
}

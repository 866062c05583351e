//! One HTML page about the run, for people: what was counted, when what happened, where things have been.
//!
//! ```text
//! deliveries ─► tally.rs (sums), bins.rs (over time), moments.rs (a list with thumbnails), presence ─► view.rs ─► report.html
//! ```
//!
//! Everything that is kept is bounded, however long the run.

mod bins;
mod moments;
mod place;
mod strip;
mod tally;
mod view;
mod words;

use std::collections::VecDeque;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use gstreamer::ClockTime;
use image::RgbImage;

use self::bins::Bins;
use self::moments::Moments;
use self::tally::Tally;
use super::target::Target;
use super::{Delivery, End, Film, Sink, Site};
use crate::config::SinkSettings;
use crate::events::schema::rfc3339;
use crate::failure::Failure;
use crate::frame::{Frame, FrameError, Meta, Spec, Thumbnails, jpeg, outline};
use crate::page;
use crate::vision::count::Anchor;
use crate::vision::event::Event;
use crate::vision::warmth::Warmth;

/// How often the page is written while the run goes on.
const EVERY: Duration = Duration::from_secs(30);
/// Widths of thumbnails and of the picture below the presence, in pixels.
const THUMBNAIL: u32 = 256;
const GROUND: u32 = 960;
/// Thumbnails of one picture at most.
const AT_ONCE: usize = 4;
/// How far a find warms around it, as a share of its height.
const SPREAD: f32 = 0.2;
/// No find is there for longer than this before the next look, in nanoseconds.
const LONGEST: u64 = 1_000_000_000;
/// Pictures whose times in the source and in the video are known, for events that are told late.
const TIMES: usize = 512;

/// What was run.
struct About {
    /// Name of the input; none where nothing of it may be told.
    source: Option<String>,
    /// `1280×720, 25 fps`; none as above.
    format: Option<String>,
    run: Arc<str>,
    live: bool,
    started: String,
    /// The video beside the page, as a relative URL and by its name.
    film: Option<(String, String)>,
}

/// What has been found so far.
struct Found {
    bins: Bins,
    moments: Moments,
    tally: Tally,
    /// Where things have been, and where something moved (op `motion`), which is coarser.
    presence: [Warmth; 2],
    /// A picture to show the presence on: the first one that is not of one colour.
    ground: Option<RgbImage>,
    /// Where the newest picture begins and ends.
    newest: (u64, u64),
    /// Time of the last look.
    looked: Option<u64>,
}

impl Found {
    /// Where things have been; motion where nothing else was looked for.
    fn presence(&self) -> &Warmth {
        let [things, motion] = &self.presence;
        if things.hottest().0 > 0.0 { things } else { motion }
    }
}

/// How far the run is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Progress {
    /// It goes on, or was cut off.
    Running,
    Ended(End),
}

/// A page in the making.
pub struct ReportSink {
    target: Target,
    about: About,
    /// True where the video beside the page is one that this run writes: its times are the output's.
    made: bool,
    spec: Arc<Spec>,
    thumbnails: Thumbnails,
    grounds: Thumbnails,
    found: Found,
    /// Times of the newest pictures in the source and in the output.
    times: VecDeque<(u64, u64)>,
    written: Instant,
    /// How many pictures there were when the page was written last.
    told: u64,
    bytes: u64,
}

impl ReportSink {
    /// Starts gathering; the temporary file is there from now on.
    pub fn open(settings: &SinkSettings, site: &Site<'_>) -> Result<Self, Failure> {
        let path = settings.path.as_deref().unwrap_or(Path::new(""));
        let target = Target::new(path, settings.overwrite)?;
        let no = |e: FrameError| Failure::failed(format!("report {}: {e}", path.display()));
        let (thumbnails, grounds) =
            (Thumbnails::new(site.spec, THUMBNAIL).map_err(no)?, Thumbnails::new(site.spec, GROUND).map_err(no)?);
        let film = film_beside(path, site);
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos() as i64;
        let (width, height) = grounds.size();
        let told = |text: String| (!site.anonymous).then_some(text);
        let info = &site.facts.spec.info;
        let about = About {
            source: told(site.facts.name.clone()),
            format: told(format!("{}×{}, {}", info.width(), info.height(), rate(info.fps()))),
            run: site.run.id.clone(),
            live: site.facts.live,
            started: rfc3339(now)[..19].replace('T', " ") + " UTC",
            film: film.map(|f| (page::url_of(&f.name()), f.name().display().to_string())),
        };
        Ok(ReportSink {
            target,
            about,
            made: film.is_some_and(|f| f.made),
            spec: site.spec.clone(),
            thumbnails,
            grounds,
            found: Found {
                bins: Bins::default(),
                moments: Moments::default(),
                tally: Tally::default(),
                presence: [Warmth::new(width, height), Warmth::new(width, height)],
                ground: None,
                newest: (0, 0),
                looked: None,
            },
            times: VecDeque::new(),
            written: Instant::now(),
            told: 0,
            bytes: 0,
        })
    }

    /// The time in the video of a moment in the source.
    fn film_time(&self, at: u64) -> u64 {
        if !self.made {
            return at;
        }
        match self.times.iter().find(|(position, _)| *position >= at).or(self.times.back()) {
            Some((position, pts)) if *position >= at => pts.saturating_sub(position - at),
            Some((position, pts)) => pts + (at - position),
            None => at,
        }
    }

    fn add(&mut self, picture: &Delivery) -> Result<(), FrameError> {
        let (at, pts) = (picture.position.nseconds(), picture.pts.nseconds());
        if self.times.len() == TIMES {
            self.times.pop_front();
        }
        self.times.push_back((at, pts));
        let found = &mut self.found;
        found.tally.pictures += 1;
        found.newest = (at, at + picture.duration.map_or(0, ClockTime::nseconds));
        found.bins.picture(at, if self.made { pts } else { at });
        if found.ground.is_none() {
            let small = self.grounds.of(&self.frame(picture))?;
            // Many films begin black.
            self.found.ground = (!is_flat(&small)).then_some(small);
        }
        if let Some(meta) = &picture.meta {
            self.found.tally.picture(meta, at, &mut self.found.bins);
            self.warm(meta, at);
            self.events(&meta.events, Some(picture))?;
        }
        Ok(())
    }

    /// Takes in events; thumbnails are of the picture that tells of them.
    fn events(&mut self, events: &[Event], picture: Option<&Delivery>) -> Result<(), FrameError> {
        let mut made: Option<(RgbImage, usize)> = None;
        for event in events {
            self.found.tally.event(event, &mut self.found.bins);
            self.found.moments.end(event);
            if !Moments::lists(event.kind) {
                continue;
            }
            let film = self.film_time(event.position);
            let wanted = self.found.moments.add(event, film);
            let (true, Some(picture)) = (wanted, picture) else { continue };
            let (small, count) = match &mut made {
                Some(some) => some,
                None => made.insert((self.thumbnails.of(&self.frame(picture))?, 0)),
            };
            *count += 1;
            if *count > AT_ONCE {
                continue;
            }
            let mut small = small.clone();
            event.rect.iter().for_each(|r| outline(&mut small, &self.thumbnails.place(r)));
            if let Ok(jpeg) = jpeg(&small, 66) {
                self.found.moments.picture(event.kind, event.seq, jpeg);
            }
        }
        Ok(())
    }

    /// Each find warms the place where it stands, for as long as it is there.
    fn warm(&mut self, meta: &Meta, at: u64) {
        if meta.looked.is_empty() && meta.detections.is_empty() {
            return;
        }
        let gone = self.found.looked.replace(at).map_or(LONGEST / 25, |before| at.saturating_sub(before));
        let seconds = gone.min(LONGEST) as f32 / 1e9;
        for d in meta.detections.iter().filter(|d| d.rect.is_finite()) {
            let small = self.grounds.place(&d.rect);
            let presence = &mut self.found.presence[usize::from(&*d.label == "motion")];
            presence.warm(Anchor::Bottom.of(&small), f64::from(SPREAD * small.h), seconds);
        }
    }

    fn frame(&self, picture: &Delivery) -> Frame {
        Frame::new(picture.buffer.clone(), self.spec.clone(), picture.pts, picture.duration)
    }

    /// Writes the page under its temporary name, in one step: what is there is whole at every moment.
    fn save(&mut self, progress: Progress) -> Result<(), Failure> {
        let html = view::page(self, progress);
        self.bytes = html.len() as u64;
        let mut new = self.target.partial.clone().into_os_string();
        new.push(".new");
        let written = fs::write(&new, html).and_then(|()| fs::rename(&new, &self.target.partial));
        (self.written, self.told) = (Instant::now(), self.found.tally.pictures);
        written.map_err(|e| {
            let _ = fs::remove_file(&new);
            Failure::output(format!("cannot write {}: {e}", self.target.path.display()))
        })
    }

    fn save_now_and_then(&mut self) -> Result<(), Failure> {
        match self.written.elapsed() > EVERY && self.told < self.found.tally.pictures {
            true => self.save(Progress::Running),
            false => Ok(()),
        }
    }

    fn failed(&self, e: &FrameError) -> Failure {
        Failure::failed(format!("report {}: {e}", self.target.path.display()))
    }
}

/// `25 fps`.
fn rate(fps: gstreamer::Fraction) -> String {
    match (fps.numer(), fps.denom()) {
        (0, _) => "variable rate".to_owned(),
        (n, d) => format!("{} fps", (f64::from(n) / f64::from(d) * 1000.0).round() / 1000.0),
    }
}

/// The first video that lies in the page's folder. The input is none where nothing of it may be told.
fn film_beside<'a>(path: &Path, site: &Site<'a>) -> Option<&'a Film> {
    let folder = |p: &Path| -> Option<PathBuf> { std::path::absolute(p).ok()?.parent()?.canonicalize().ok() };
    let here = folder(path)?;
    site.films.iter().filter(|f| f.made || !site.anonymous).find(|f| folder(&f.path).is_some_and(|f| f == here))
}

/// True for a picture of one colour, nearly.
fn is_flat(picture: &RgbImage) -> bool {
    let n = picture.as_raw().len().max(1) as f64;
    let (sum, squares) = picture.as_raw().iter().fold((0.0, 0.0), |(s, q), v| {
        let v = f64::from(*v);
        (s + v, q + v * v)
    });
    squares / n - (sum / n) * (sum / n) < 64.0
}

impl Sink for ReportSink {
    fn write(&mut self, picture: &Delivery) -> Result<(), Failure> {
        self.add(picture).map_err(|e| self.failed(&e))?;
        self.save_now_and_then()
    }

    fn idle(&mut self) -> Result<(), Failure> {
        self.save_now_and_then()
    }

    fn last_events(&mut self, events: &[Event]) -> Result<(), Failure> {
        self.events(events, None).map_err(|e| self.failed(&e))
    }

    fn finish(&mut self, end: End) -> Result<(), Failure> {
        self.save(Progress::Ended(end))?;
        self.target.commit()
    }

    fn detail(&self) -> String {
        let n = self.found.tally.events;
        format!("report of {n} event{}", if n == 1 { "" } else { "s" })
    }

    fn bytes(&self) -> u64 {
        self.bytes
    }
}

//! Which covers rest on prediction only, for a person to look at.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use data_encoding::BASE64;
use gstreamer::ClockTime;
use serde_json::{Value, json};

use super::seconds;
use crate::frame::{Frame, Spec, Thumbnails, jpeg, outline};
use crate::ops::OpError;
use crate::vision::Rect;
use crate::vision::cover::{Cover, Why};

/// Entries that are kept; more are only counted.
const MOST: usize = 100_000;
/// Seconds of one span after which another thumbnail shows how it went on.
const AGAIN: f64 = 0.5;
/// Width of a thumbnail in pixels.
const WIDE: u32 = 320;
/// How often the page is written while the run goes on.
const EVERY: Duration = Duration::from_secs(30);

/// One predicted cover on one frame.
struct Entry {
    frame: u64,
    pts: ClockTime,
    position: ClockTime,
    cover: Cover,
    /// Which of the pictures shows it.
    picture: Option<usize>,
}

/// What is to be looked at.
#[derive(Default)]
pub struct Log {
    path: Option<PathBuf>,
    source: String,
    most: usize,
    original: bool,
    frames: u64,
    covered: u64,
    /// Frames with a predicted cover.
    predicted: u64,
    entries: Vec<Entry>,
    /// Predicted covers that are not listed.
    left_out: u64,
    /// JPEG.
    pictures: Vec<Vec<u8>>,
    /// The covers of the last frame, and since when they are what they are or have a thumbnail.
    before: Vec<(u64, Why, f64)>,
    written: Option<Instant>,
    dirty: bool,
}

impl Log {
    /// A log that becomes the page `path` with `most` thumbnails; refuses a folder that is not there.
    pub fn to(path: &str, source: &str, most: u32, original: bool) -> Result<Self, OpError> {
        let path = PathBuf::from(path);
        let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
        if path.file_name().is_none() || path.is_dir() {
            return Err(OpError::Refused(format!("report = {}: give the path of a file", path.display())));
        }
        if !folder.is_dir() {
            let what = format!("cannot write the report {}: there is no folder {}", path.display(), folder.display());
            return Err(OpError::Refused(what));
        }
        Ok(Log { path: Some(path), source: source.to_owned(), most: most as usize, original, ..Log::default() })
    }

    /// Takes note of a frame and what is covered on it. True when a thumbnail of it is wanted.
    pub fn add(&mut self, frame: &Frame, covers: &[Cover]) -> bool {
        self.frames += 1;
        self.covered += u64::from(!covers.is_empty());
        let (now, mut wanted, mut after) = (seconds(frame.pts), false, Vec::new());
        for cover in covers.iter().filter(|c| c.why != Why::Seen) {
            let since = self.before.iter().find(|(id, why, _)| (*id, *why) == (cover.id, cover.why)).map(|b| b.2);
            // Between two looks that saw it there is little to look at.
            let fresh = since.is_none_or(|s| now - s >= AGAIN) && cover.why != Why::Between;
            wanted |= fresh;
            after.push((cover.id, cover.why, since.filter(|_| !fresh).unwrap_or(now)));
            if self.entries.len() < MOST {
                let Frame { index, pts, position, .. } = *frame;
                self.entries.push(Entry { frame: index, pts, position, cover: *cover, picture: None });
            } else {
                self.left_out += 1;
            }
        }
        self.predicted += u64::from(!after.is_empty());
        self.dirty |= !after.is_empty();
        self.before = after;
        wanted && self.path.is_some() && self.pictures.len() < self.most
    }

    /// The thumbnail of the newest frame.
    pub fn picture(&mut self, jpeg: Vec<u8>) {
        let Some(newest) = self.entries.last().map(|e| e.frame) else { return };
        let shown = self.entries.iter_mut().rev().take_while(|e| e.frame == newest);
        shown.for_each(|e| e.picture = Some(self.pictures.len()));
        self.pictures.push(jpeg);
    }

    /// Writes the page of a run that ended without an end: what is known is of use all the same.
    pub fn save_the_rest(&mut self) {
        if self.dirty {
            let _ = self.save();
        }
    }

    /// Writes the page, if it is time to.
    pub fn save_now_and_then(&mut self) {
        if self.dirty && self.written.get_or_insert_with(Instant::now).elapsed() > EVERY {
            // What is wrong is said at the end.
            let _ = self.save();
        }
    }

    /// Writes the page beside its place, and then puts it there.
    pub fn save(&mut self) -> Result<(), String> {
        let Some(path) = &self.path else { return Ok(()) };
        let mut name = path.file_name().unwrap_or_default().to_owned();
        name.push(format!(".partial-{}", std::process::id()));
        let partial = path.with_file_name(name);
        let written = std::fs::write(&partial, self.html()).and_then(|()| std::fs::rename(&partial, path));
        (self.written, self.dirty) = (Some(Instant::now()), false);
        written.map_err(|e| {
            let _ = std::fs::remove_file(&partial);
            format!("cannot write the report {}: {e}", path.display())
        })
    }

    /// The same for the statistics.
    pub fn json(&self, looked: bool) -> Value {
        let entry = |e: &Entry| {
            let Rect { x, y, w, h } = e.cover.rect;
            let place = [x, y, w, h].map(|v| (f64::from(v) * 10.0).round() / 10.0);
            json!({
                "frame": e.frame, "pts": seconds(e.pts), "position": seconds(e.position), "id": e.cover.id,
                "why": e.cover.why, "box": place,
            })
        };
        let note = match (looked, &self.path) {
            (false, _) => "no detector looked at any frame: nothing was hidden".to_owned(),
            (true, None) => self.sum(),
            (true, Some(path)) => format!("{}: look at {}", self.sum(), path.display()),
        };
        json!({
            "frames": self.frames, "covered": self.covered, "predicted": self.predicted,
            "covers": self.entries.iter().map(entry).collect::<Vec<_>>(), "left-out": self.left_out, "note": note,
        })
    }

    fn sum(&self) -> String {
        format!("covers on {} of {} frames, on {} of them predicted only", self.covered, self.frames, self.predicted)
    }

    fn html(&self) -> String {
        let mut page = String::from(HEAD);
        let shown = if self.original { "what is hidden" } else { "the covered picture" };
        let _ = write!(
            page,
            "<title>Redaction of {0}</title><h1>Redaction of {0}</h1>\n<p>{1}. A cover is predicted where no detector saw \
             what it hides on that frame: it is <b>held</b> after the last box, it <b>leads</b> the first one, it is \
             <b>interpolated</b> where it was missed, lies <b>between</b> two looks, or was put there by \
             a tracker. Thumbnails show {shown}, the predicted covers outlined. What no detector ever found is not in this list.</p>\n",
            escaped(&self.source),
            escaped(&self.sum()),
        );
        if self.left_out > 0 {
            let _ = writeln!(page, "<p>{} more covers are not listed.</p>", self.left_out);
        }
        page += "<table><tr><th>frame<th>time in the output<th>time in the source<th>cover<th>why<th>box: left, top, \
                 width, height<th></tr>\n";
        let mut last = None;
        for e in &self.entries {
            let Rect { x, y, w, h } = e.cover.rect;
            let picture = e.picture.filter(|p| last != Some(*p)).and_then(|p| self.pictures.get(p));
            last = e.picture.or(last);
            let picture = picture.map(|p| format!("<img src=\"data:image/jpeg;base64,{}\">", BASE64.encode(p)));
            let _ = writeln!(
                page,
                "<tr><td>{}<td>{:.3}<td>{:.3}<td>{}<td>{}<td>{x:.0}, {y:.0}, {w:.0}, {h:.0}<td>{}</tr>",
                e.frame,
                seconds(e.pts),
                seconds(e.position),
                e.cover.id,
                e.cover.why.name(),
                picture.unwrap_or_default(),
            );
        }
        page + "</table>\n"
    }
}

const HEAD: &str = "<!doctype html>\n<meta charset=\"utf-8\">\n<style>body{font:14px sans-serif;margin:2em}\
    table{border-collapse:collapse}td,th{border:1px solid #ccc;padding:2px 8px;text-align:left;vertical-align:top}\
    img{display:block}</style>\n";

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// Makes thumbnails.
pub struct Shots(Thumbnails);

impl Shots {
    /// Of pictures like `spec`.
    pub fn new(spec: &Spec) -> Result<Self, OpError> {
        Ok(Shots(Thumbnails::new(spec, WIDE)?))
    }

    /// A JPEG of the picture with the predicted covers outlined.
    pub fn of(&self, frame: &Frame, covers: &[Cover]) -> Result<Vec<u8>, OpError> {
        let mut picture = self.0.of(frame)?;
        covers.iter().filter(|c| c.why != Why::Seen).for_each(|c| outline(&mut picture, &self.0.place(&c.rect)));
        jpeg(&picture, 80).map_err(|e| OpError::Refused(format!("cannot make a thumbnail: {e}")))
    }
}

//! What the ops saw and what happened, written down: one file here for each form.

mod coco;
mod csv;
mod jsonl;
mod mot;
mod mqtt;
mod post;
mod spool;
mod sqlite;
mod webhook;

use std::fs::File;
use std::io::{self, BufWriter, Stdout, Write};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::target::Target;
use super::{Delivery, End, Sink, Site};
use crate::config::{Content, SinkKind, SinkSettings};
use crate::events::Run;
use crate::events::schema::{EventLine, FrameLine, Writer};
use crate::failure::{Class, Failure};
use crate::frame::Meta;
use crate::vision::event::Event;

pub(super) use crate::events::schema::round;

/// How often what was written so far reaches its place.
const FLUSH: Duration = Duration::from_millis(500);

/// Makes the sink that `settings` ask for.
pub fn open(settings: &SinkSettings, site: &Site<'_>) -> Result<Box<dyn Sink>, Failure> {
    Ok(match (settings.kind, settings.extension().as_str()) {
        (SinkKind::Webhook, _) => Box::new(post::PostSink::open(webhook::Webhook::new(settings)?, settings, site)?),
        (SinkKind::Mqtt, _) => Box::new(post::PostSink::open(mqtt::Mqtt::new(settings)?, settings, site)?),
        (_, "db" | "sqlite") => Box::new(sqlite::SqliteSink::open(settings, site)?),
        _ => Box::new(RecordSink::open(settings, site)?),
    })
}

/// A form of text.
trait Form: Send {
    /// What the file begins with.
    fn begin(&mut self, _out: &mut dyn Write) -> io::Result<()> {
        Ok(())
    }

    /// One picture, in which somebody looked for something.
    fn picture(&mut self, out: &mut dyn Write, picture: &Seen<'_>) -> io::Result<()>;

    /// One event.
    fn event(&mut self, _out: &mut dyn Write, _event: &EventLine<'_>) -> io::Result<()> {
        Ok(())
    }

    /// What the file ends with.
    fn end(&mut self, _out: &mut dyn Write) -> io::Result<()> {
        Ok(())
    }
}

/// Who writes what about which stream.
struct Scribe {
    run: Arc<Run>,
    stream: String,
    size: (u32, u32),
    content: Content,
}

impl Scribe {
    fn new(settings: &SinkSettings, site: &Site<'_>) -> Self {
        let size = (site.spec.info.width(), site.spec.info.height());
        Scribe { run: site.run.clone(), stream: site.facts.name.clone(), size, content: settings.contents() }
    }

    fn writer(&self) -> Writer<'_> {
        Writer { run: &self.run, stream: &self.stream, size: self.size }
    }

    /// The picture, if somebody looked for something in it and that is to be written.
    fn seen<'a>(&'a self, picture: &'a Delivery) -> Option<Seen<'a>> {
        let meta = picture.meta.as_deref()?;
        let looked = !meta.looked.is_empty() || !meta.detections.is_empty();
        (looked && self.content.frames()).then(|| Seen {
            index: picture.index,
            position: picture.position.nseconds(),
            wall: self.run.wall(picture.arrived),
            scribe: self,
            meta,
        })
    }

    /// The lines of `events`, if they are to be written.
    fn events<'a>(&'a self, events: &'a [Event]) -> impl Iterator<Item = EventLine<'a>> {
        let all = if self.content.events() { events } else { &[] };
        all.iter().map(|e| self.writer().event(e))
    }

    /// The same of a picture.
    fn happened<'a>(&'a self, picture: &'a Delivery) -> impl Iterator<Item = EventLine<'a>> {
        self.events(picture.meta.as_deref().map_or(&[], |m| &m.events))
    }
}

/// What is known of one picture.
struct Seen<'a> {
    /// Place among the frames that the run takes in, from 0.
    index: u64,
    /// Time in the source, in nanoseconds.
    position: u64,
    /// When it arrived, where that means something.
    wall: Option<i64>,
    scribe: &'a Scribe,
    meta: &'a Meta,
}

impl Seen<'_> {
    /// Time in the source, in seconds.
    fn seconds(&self) -> f64 {
        self.position as f64 / 1e9
    }

    /// Width and height in pixels.
    fn size(&self) -> (u32, u32) {
        self.scribe.size
    }

    /// As the schema has it.
    fn line(&self) -> FrameLine<'_> {
        self.scribe.writer().frame(self.index, self.position, self.wall, self.meta)
    }
}

/// Text being written, to a file or to standard output.
pub struct RecordSink {
    target: Option<Target>,
    label: String,
    out: BufWriter<Counted>,
    form: Box<dyn Form>,
    scribe: Scribe,
    flushed: Instant,
}

/// Where text goes, and how much went there.
struct Counted(Place, u64);

enum Place {
    File(File),
    Stdout(Stdout),
}

impl Write for Counted {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let n = match &mut self.0 {
            Place::File(f) => f.write(bytes)?,
            Place::Stdout(s) => s.write(bytes)?,
        };
        self.1 += n as u64;
        Ok(n)
    }

    fn flush(&mut self) -> io::Result<()> {
        match &mut self.0 {
            Place::File(f) => f.flush(),
            Place::Stdout(s) => s.flush(),
        }
    }
}

impl RecordSink {
    /// Starts the file; its extension chooses the form.
    fn open(settings: &SinkSettings, site: &Site<'_>) -> Result<Self, Failure> {
        let scribe = Scribe::new(settings, site);
        let form: Box<dyn Form> = match (settings.extension().as_str(), scribe.content) {
            ("csv", Content::Events) => Box::new(csv::CsvEvents),
            ("csv", _) => Box::new(csv::Csv),
            ("json", _) => Box::new(coco::Coco::new(&site.facts.name)),
            ("txt", _) => Box::new(mot::Mot),
            _ => Box::new(jsonl::JsonLines),
        };
        let path = settings.path.as_deref().unwrap_or(Path::new(""));
        let (target, place) = if settings.is_stdout() {
            (None, Place::Stdout(io::stdout()))
        } else {
            let target = Target::new(path, settings.overwrite)?;
            let file = File::create(&target.partial)
                .map_err(|e| Failure::output(format!("cannot write {}: {e}", path.display())))?;
            (Some(target), Place::File(file))
        };
        let out = BufWriter::new(Counted(place, 0));
        let mut sink = RecordSink { target, label: settings.label(), out, form, scribe, flushed: Instant::now() };
        sink.form.begin(&mut sink.out).map_err(|e| sink.unwritable(&e))?;
        Ok(sink)
    }

    fn unwritable(&self, e: &io::Error) -> Failure {
        match &self.target {
            None if e.kind() == io::ErrorKind::BrokenPipe => {
                Failure::new(Class::Stopped, "nobody reads standard output any more")
            }
            None => Failure::output(format!("cannot write to {}: {e}", self.label)),
            Some(target) => Failure::output(format!("cannot write {}: {e}", target.path.display()))
                .fix(format!("what was written so far is in {}", target.partial.display())),
        }
    }

    fn flush_now_and_then(&mut self, any: bool) -> io::Result<()> {
        // Whoever reads standard output waits for it.
        if self.flushed.elapsed() > FLUSH || any && self.target.is_none() {
            self.flushed = Instant::now();
            self.out.flush()?;
        }
        Ok(())
    }
}

impl Sink for RecordSink {
    fn write(&mut self, picture: &Delivery) -> Result<(), Failure> {
        let mut put = || -> io::Result<bool> {
            let mut any = false;
            if let Some(seen) = self.scribe.seen(picture) {
                self.form.picture(&mut self.out, &seen)?;
                any = true;
            }
            for event in self.scribe.happened(picture) {
                self.form.event(&mut self.out, &event)?;
                any = true;
            }
            Ok(any)
        };
        let result = put();
        result.and_then(|any| self.flush_now_and_then(any)).map_err(|e| self.unwritable(&e))
    }

    fn idle(&mut self) -> Result<(), Failure> {
        self.flush_now_and_then(false).map_err(|e| self.unwritable(&e))
    }

    fn last_events(&mut self, events: &[Event]) -> Result<(), Failure> {
        let mut put = || self.scribe.events(events).try_for_each(|e| self.form.event(&mut self.out, &e));
        let result = put();
        result.map_err(|e| self.unwritable(&e))
    }

    fn finish(&mut self, _: End) -> Result<(), Failure> {
        let ended = self.form.end(&mut self.out).and_then(|()| self.out.flush());
        ended.map_err(|e| self.unwritable(&e))?;
        self.target.as_ref().map_or(Ok(()), Target::commit)
    }

    fn bytes(&self) -> u64 {
        self.out.get_ref().1
    }
}

//! What the ops saw, written as a table: one file here for each form.

mod coco;
mod csv;
mod jsonl;
mod mot;

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::time::{Duration, Instant};

use super::target::Target;
use super::{Delivery, End, Sink, Site};
use crate::config::SinkSettings;
use crate::failure::Failure;
use crate::frame::Meta;

/// How often what was written so far reaches the disk.
const FLUSH: Duration = Duration::from_secs(1);

/// A form of detections on disk.
trait Form: Send {
    /// What the file begins with.
    fn begin(&mut self, _out: &mut dyn Write) -> io::Result<()> {
        Ok(())
    }

    /// One picture, in which somebody looked for something.
    fn picture(&mut self, out: &mut dyn Write, picture: &Seen<'_>) -> io::Result<()>;

    /// What the file ends with.
    fn end(&mut self, _out: &mut dyn Write) -> io::Result<()> {
        Ok(())
    }
}

/// What is known of one picture.
struct Seen<'a> {
    /// Place among the frames that the run takes in, from 0.
    index: u64,
    /// Time in the source, in nanoseconds.
    position: u64,
    /// Pixels.
    size: (u32, u32),
    meta: &'a Meta,
}

impl Seen<'_> {
    /// Time in the source, in seconds.
    fn seconds(&self) -> f64 {
        self.position as f64 / 1e9
    }
}

/// A table being written.
pub struct RecordSink {
    target: Target,
    out: BufWriter<Counted>,
    form: Box<dyn Form>,
    size: (u32, u32),
    flushed: Instant,
}

/// A file and how much is in it.
struct Counted(File, u64);

impl Write for Counted {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let n = self.0.write(bytes)?;
        self.1 += n as u64;
        Ok(n)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

impl RecordSink {
    /// Starts the file; its extension chooses the form.
    pub fn open(settings: &SinkSettings, site: &Site<'_>) -> Result<Self, Failure> {
        let path = settings.path.as_deref().unwrap_or(std::path::Path::new(""));
        let extension = path.extension().map(|e| e.to_string_lossy().to_ascii_lowercase()).unwrap_or_default();
        let form: Box<dyn Form> = match extension.as_str() {
            "csv" => Box::new(csv::Csv),
            "json" => Box::new(coco::Coco::new(&site.facts.name)),
            "txt" => Box::new(mot::Mot),
            _ => Box::new(jsonl::JsonLines::new(&site.facts.name)),
        };
        let target = Target::new(path, settings.overwrite)?;
        let file = File::create(&target.partial)
            .map_err(|e| Failure::output(format!("cannot write {}: {e}", path.display())))?;
        let size = (site.spec.info.width(), site.spec.info.height());
        let out = BufWriter::new(Counted(file, 0));
        let mut sink = RecordSink { target, out, form, size, flushed: Instant::now() };
        sink.form.begin(&mut sink.out).map_err(|e| sink.unwritable(&e))?;
        Ok(sink)
    }

    fn unwritable(&self, e: &io::Error) -> Failure {
        let failure = Failure::output(format!("cannot write {}: {e}", self.target.path.display()));
        failure.fix(format!("what was written so far is in {}", self.target.partial.display()))
    }
}

impl Sink for RecordSink {
    fn write(&mut self, picture: &Delivery) -> Result<(), Failure> {
        let Some(meta) = &picture.meta else { return Ok(()) };
        let seen = Seen { index: picture.index, position: picture.position.nseconds(), size: self.size, meta };
        let mut result = self.form.picture(&mut self.out, &seen);
        if self.flushed.elapsed() > FLUSH {
            result = result.and_then(|()| self.out.flush());
            self.flushed = Instant::now();
        }
        result.map_err(|e| self.unwritable(&e))
    }

    fn finish(&mut self, _: End) -> Result<(), Failure> {
        let ended = self.form.end(&mut self.out).and_then(|()| self.out.flush());
        ended.map_err(|e| self.unwritable(&e))?;
        self.target.commit()
    }

    fn bytes(&self) -> u64 {
        self.out.get_ref().1
    }
}

/// Three digits behind the point are enough for pixels, and the same on every machine.
fn round(v: f32) -> f64 {
    (f64::from(v) * 1000.0).round() / 1000.0
}

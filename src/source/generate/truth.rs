//! What is to be seen in a generated picture, and its ground truth file.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use super::GenerateError;

/// Kinds of objects.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)]
pub enum Class {
    Person,
    Car,
}

impl Class {
    /// `person` or `car`, as in the COCO labels.
    pub fn name(self) -> &'static str {
        match self {
            Class::Person => "person",
            Class::Car => "car",
        }
    }

    /// Number of the class in MOTChallenge ground truth (MOT16, arXiv 1603.00831, table 4).
    fn mot(self) -> u8 {
        match self {
            Class::Person => 1,
            Class::Car => 3,
        }
    }
}

/// An object in one frame. Its box is the smallest rectangle of whole pixels around what of it lies in the picture, hidden
/// or not, shadow left out.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Object {
    /// The same through its whole stay; one that comes again is another one.
    pub id: u32,
    /// What it is.
    pub class: Class,
    /// Left edge in pixels, from 0.
    pub x: i32,
    /// Upper edge in pixels, from 0.
    pub y: i32,
    /// Width in pixels, above 0.
    pub w: i32,
    /// Height in pixels, above 0.
    pub h: i32,
    /// Share of its shape, 0–1, that neither a nearer thing hides nor the picture's edge cuts off.
    pub visible: f64,
}

/// `object` of frame `index` (from 0) as a line of MOTChallenge ground truth, without newline:
/// `frame (from 1), id, left, top, width, height, 1, class (1 person, 3 car), visibility`. Coordinates are pixels from 0.
pub fn truth_line(index: u64, object: &Object) -> String {
    let Object { id, class, x, y, w, h, visible } = object;
    format!("{},{id},{x},{y},{w},{h},1,{},{visible:.3}", index + 1, class.mot())
}

/// The file that the lines go to.
pub(super) struct Truth {
    path: PathBuf,
    file: BufWriter<File>,
}

impl Truth {
    /// Creates (or empties) the file.
    pub(super) fn create(path: &Path) -> Result<Self, GenerateError> {
        match File::create(path) {
            Ok(file) => Ok(Truth { path: path.into(), file: BufWriter::new(file) }),
            Err(source) => Err(GenerateError::Truth { path: path.into(), source }),
        }
    }

    /// Appends one frame.
    pub(super) fn write(&mut self, index: u64, objects: &[Object]) -> Result<(), GenerateError> {
        for object in objects {
            let line = truth_line(index, object);
            writeln!(self.file, "{line}").map_err(|e| self.failed(e))?;
        }
        Ok(())
    }

    /// Hands everything to the operating system.
    pub(super) fn flush(&mut self) -> Result<(), GenerateError> {
        self.file.flush().map_err(|e| self.failed(e))
    }

    fn failed(&self, source: std::io::Error) -> GenerateError {
        GenerateError::Truth { path: self.path.clone(), source }
    }
}

impl Drop for Truth {
    fn drop(&mut self) {
        // Left before the end: nobody takes an error any more, but somebody should read of it.
        if let Err(e) = self.flush() {
            log::error!("{e}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Generate, Settings};
    use super::*;

    #[test]
    fn lines_are_motchallenge_ground_truth() {
        let o = Object { id: 12, class: Class::Car, x: 3, y: 40, w: 50, h: 20, visible: 0.51239 };
        assert_eq!(truth_line(0, &o), "1,12,3,40,50,20,1,3,0.512");
        assert_eq!(truth_line(9, &Object { class: Class::Person, visible: 1.0, ..o }), "10,12,3,40,50,20,1,1,1.000");
    }

    #[test]
    fn the_file_holds_every_object_of_every_frame_whether_ended_or_dropped() {
        gstreamer::init().unwrap();
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("boxes.csv");
        let settings =
            Settings { width: 320, height: 180, frames: Some(10), truth: Some(path.clone()), ..Default::default() };
        let expected = |frames: u64, g: &Generate| -> String {
            (0..frames).flat_map(|i| g.objects(i).into_iter().map(move |o| truth_line(i, &o) + "\n")).collect()
        };
        let mut g = Generate::new(&settings).unwrap();
        while g.next().unwrap().is_some() {}
        let whole = expected(10, &g);
        assert!(whole.lines().count() > 20);
        assert_eq!(std::fs::read_to_string(&path).unwrap(), whole);
        let mut g = Generate::new(&settings).unwrap();
        g.next().unwrap().unwrap();
        let first = expected(1, &g);
        drop(g);
        assert_eq!(std::fs::read_to_string(&path).unwrap(), first);
    }

    #[test]
    fn a_full_disk_is_an_error() {
        if !Path::new("/dev/full").exists() {
            return;
        }
        gstreamer::init().unwrap();
        let settings =
            Settings { width: 64, height: 64, frames: Some(5), truth: Some("/dev/full".into()), ..Default::default() };
        let mut g = Generate::new(&settings).unwrap();
        let end = loop {
            match g.next() {
                Ok(Some(_)) => {}
                other => break other,
            }
        };
        assert!(end.err().unwrap().to_string().contains("/dev/full"));
    }
}

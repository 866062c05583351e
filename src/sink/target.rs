//! Output paths: what may be written, under which temporary name, and how a finished file gets its own.

use std::fs;
use std::path::{Path, PathBuf};

use crate::config::{SinkKind, SinkSettings, number_pattern};
use crate::failure::Failure;
use crate::source::Input;
use crate::source::truncation::{self, Whole};

/// A file that is being written beside its final place.
#[derive(Debug)]
pub struct Target {
    /// Where it will be.
    pub path: PathBuf,
    /// Where it is now.
    pub partial: PathBuf,
    overwrite: bool,
}

impl Target {
    /// Chooses the temporary name: `clip.partial-PID.mp4` beside `clip.mp4`. It keeps the extension, so that what a killed
    /// run leaves can be played, and is new each time, so that no earlier remains are lost.
    pub fn new(path: &Path, overwrite: bool) -> Result<Self, Failure> {
        let stem = path.file_stem().unwrap_or_default();
        let mut n = std::process::id();
        loop {
            let mut name = stem.to_owned();
            name.push(format!(".partial-{n}"));
            if let Some(e) = path.extension() {
                name.push(".");
                name.push(e);
            }
            let partial = path.with_file_name(name);
            match fs::OpenOptions::new().write(true).create_new(true).open(&partial) {
                Ok(_) => return Ok(Target { path: path.to_owned(), partial, overwrite }),
                Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists => n = n.wrapping_add(1),
                Err(e) => return Err(Failure::output(format!("cannot write {}: {e}", path.display()))),
            }
        }
    }

    /// The finished file takes its place.
    pub fn commit(&self) -> Result<(), Failure> {
        let fail = |e: &dyn std::fmt::Display| {
            Failure::output(format!("cannot put {} in its place: {e}", self.path.display()))
                .fix(format!("the finished file is {}", self.partial.display()))
        };
        if !self.overwrite && self.path.exists() {
            return Err(fail(&"a file of that name has appeared meanwhile"));
        }
        fs::rename(&self.partial, &self.path).map_err(|e| fail(&e))
    }

    /// Removes the temporary file if nothing is in it; else answers with what to tell.
    pub fn abandon(&self) -> Option<String> {
        match fs::metadata(&self.partial) {
            Ok(m) if m.len() < 1024 => {
                let _ = fs::remove_file(&self.partial);
                None
            }
            Ok(m) => {
                let plays = match truncation::whole(&self.partial) {
                    Whole::NoIndex => "; it broke off before its first index and does not play",
                    _ => " and plays up to about its last second",
                };
                Some(format!("what was written so far is in {} ({} bytes){plays}", self.partial.display(), m.len()))
            }
            Err(_) => None,
        }
    }
}

impl Drop for Target {
    /// What never got a byte is no remains.
    fn drop(&mut self) {
        if fs::metadata(&self.partial).is_ok_and(|m| m.len() == 0) {
            let _ = fs::remove_file(&self.partial);
        }
    }
}

/// Checks all outputs before anything is opened: folder there and writable, nothing overwritten unasked, the input not
/// among them, no name twice.
pub fn preflight(sinks: &[SinkSettings], input: &Input) -> Result<(), Failure> {
    let mut seen: Vec<PathBuf> = Vec::new();
    for sink in sinks {
        let Some(path) = sink.path.as_deref() else {
            continue;
        };
        if sink.is_stdout() {
            if seen.contains(&path.to_owned()) {
                return Err(Failure::output("two outputs go to standard output"));
            }
            seen.push(path.to_owned());
            continue;
        }
        let shown = path.display();
        let cannot = |why: &dyn std::fmt::Display| Failure::output(format!("cannot write {shown}: {why}"));
        if path.is_dir() {
            return Err(cannot(&"it is a directory").fix("give a file name, as in out.mp4"));
        }
        let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
        match fs::metadata(folder) {
            Err(e)
                if matches!(sink.kind, SinkKind::Images | SinkKind::Clips)
                    && e.kind() == std::io::ErrorKind::NotFound =>
            {
                fs::create_dir_all(folder).map_err(|e| cannot(&e))?;
            }
            Err(e) => {
                let failure = cannot(&format!("folder {}: {e}", folder.display()));
                return Err(failure.fix(format!("mkdir -p {}", folder.display())));
            }
            Ok(m) if !m.is_dir() => return Err(cannot(&format!("{} is no folder", folder.display()))),
            Ok(_) => {}
        }
        probe_writable(folder).map_err(|e| cannot(&format!("folder {}: {e}", folder.display())))?;
        if let Input::File(source) = input
            && let (Ok(a), Ok(b)) = (fs::canonicalize(source), fs::canonicalize(path))
            && a == b
        {
            return Err(cannot(&"it is the input itself").fix("choose another name; --overwrite does not help here"));
        }
        let first = match sink.kind {
            SinkKind::Images => first_picture(path),
            _ => path.to_owned(),
        };
        if first.exists() && !sink.overwrite && !sink.append {
            return Err(cannot(&"the file exists").fix("--overwrite replaces it"));
        }
        let whole = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        if seen.contains(&whole) {
            return Err(cannot(&"two outputs have this name"));
        }
        seen.push(whole);
        note_remains(path, folder);
    }
    Ok(())
}

fn first_picture(pattern: &Path) -> PathBuf {
    match number_pattern(&pattern.to_string_lossy()) {
        Some((before, width, after)) => format!("{before}{:0width$}{after}", 0).into(),
        None => pattern.to_owned(),
    }
}

/// Asks the file system itself: permission bits say little on read-only mounts and for root.
fn probe_writable(folder: &Path) -> std::io::Result<()> {
    let probe = folder.join(format!(".framewright-{}", std::process::id()));
    fs::File::create(&probe)?;
    fs::remove_file(probe)
}

fn note_remains(path: &Path, folder: &Path) {
    let prefix = format!("{}.partial-", path.file_stem().unwrap_or_default().to_string_lossy());
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        if entry.file_name().to_string_lossy().starts_with(&prefix) {
            log::warn!("an earlier run was cut off and left {}", entry.path().display());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sink(path: &Path) -> SinkSettings {
        SinkSettings { path: Some(path.to_owned()), ..SinkSettings::default() }
    }

    #[test]
    fn a_target_never_takes_over_an_earlier_partial() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a b%.mp4");
        let (a, b) = (Target::new(&path, false).unwrap(), Target::new(&path, false).unwrap());
        let empty = Target::new(&path, false).unwrap();
        let never_written = empty.partial.clone();
        drop(empty);
        assert!(!never_written.exists());
        assert_ne!(a.partial, b.partial);
        assert_eq!(a.partial.extension().unwrap(), "mp4");
        fs::write(&a.partial, b"x").unwrap();
        a.commit().unwrap();
        assert!(b.commit().unwrap_err().message.contains("appeared"));
    }

    #[test]
    fn preflight_protects_what_is_there() {
        let dir = tempfile::tempdir().unwrap();
        let (there, new) = (dir.path().join("there.mp4"), dir.path().join("new.mp4"));
        fs::write(&there, b"x").unwrap();
        let input = Input::File(there.clone());
        let other = Input::Test("smpte".into());
        assert!(preflight(&[sink(&there)], &other).unwrap_err().message.contains("exists"));
        let forced = SinkSettings { overwrite: true, ..sink(&there) };
        assert!(preflight(std::slice::from_ref(&forced), &other).is_ok());
        assert!(preflight(&[forced], &input).unwrap_err().message.contains("input itself"));
        assert!(preflight(&[sink(&new), sink(&new)], &other).unwrap_err().message.contains("two outputs"));
        assert!(preflight(&[sink(dir.path())], &other).unwrap_err().message.contains("directory"));
        assert!(preflight(&[sink(&dir.path().join("no/x.mp4"))], &other).is_err());
        assert_eq!(fs::read(&there).unwrap(), b"x");
    }
}

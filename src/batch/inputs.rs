//! Which files a batch works on: named ones, those in folders, those that a glob finds, lists of names.

use std::collections::HashSet;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::io::{self, Read};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::FileTypeExt;
use std::path::{Component, Path, PathBuf};

use sha2::{Digest, Sha256};
use walkdir::WalkDir;

use crate::failure::Failure;

/// What counts as a video in folders, by extension.
pub const VIDEO_EXTENSIONS: [&str; 38] = [
    "264", "265", "3g2", "3gp", "amv", "asf", "avi", "divx", "dv", "f4v", "flv", "gif", "h264", "h265", "hevc", "ivf",
    "m1v", "m2t", "m2ts", "m2v", "m4v", "mjpeg", "mjpg", "mkv", "mov", "mp4", "mpeg", "mpg", "mts", "mxf", "nut",
    "ogm", "ogv", "ts", "vob", "webm", "wmv", "y4m",
];

/// A file that somebody wants worked on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// Absolute.
    pub path: PathBuf,
    /// What `{dir}` stands for: its folder, as seen from the folder or glob that it was found by.
    pub dir: PathBuf,
}

/// How folders are searched.
#[derive(Clone, Debug, Default)]
pub struct Search {
    /// Extensions in small letters; empty: [`VIDEO_EXTENSIONS`]; `all` among them: every file.
    pub types: Vec<String>,
    /// Folders that are left out: where the outputs go.
    pub except: Vec<PathBuf>,
}

impl Search {
    /// Whether a file of this name in a folder is wanted.
    pub fn wants(&self, path: &Path) -> bool {
        let name = path.file_name().unwrap_or_default().as_bytes();
        if name.starts_with(b".") || is_partial(path) {
            return false;
        }
        let extension = path.extension().map(|e| e.to_string_lossy().to_ascii_lowercase()).unwrap_or_default();
        match self.types.as_slice() {
            [] => VIDEO_EXTENSIONS.contains(&extension.as_str()),
            types => types.iter().any(|t| t == "all" || *t == extension),
        }
    }

    /// What `{dir}` is for the file at `path`, found in `folder`.
    pub fn place(folder: &Path, path: &Path) -> PathBuf {
        path.parent().and_then(|p| p.strip_prefix(folder).ok()).unwrap_or(Path::new("")).to_owned()
    }

    fn folder(&self, folder: &Path, all: &mut Vec<Found>) -> Result<(), Failure> {
        let base = absolute(folder)?;
        let walk = WalkDir::new(&base).follow_links(true).sort_by_file_name().into_iter();
        let entered = |path: &Path| !self.except.iter().any(|e| path == e && *e != base);
        for entry in walk.filter_entry(|e| e.depth() == 0 || !hidden(e.file_name()) && entered(e.path())) {
            match entry {
                Ok(e) if !e.file_type().is_dir() && self.wants(e.path()) => {
                    let path = e.into_path();
                    all.push(Found { dir: Search::place(&base, &path), path });
                }
                Ok(_) => {}
                // A folder that cannot be read, a link that leads nowhere or in a circle.
                Err(e) => log::warn!("left out: {e}"),
            }
        }
        Ok(())
    }

    /// The files that `inputs` mean, each once, in the order of finding. `-` is a list on standard input.
    ///
    /// # Errors
    /// A list or a glob that cannot be read. Named files that are not there are found all the same: their jobs fail.
    pub fn find(&self, inputs: &[OsString], lists: &[PathBuf]) -> Result<Vec<Found>, Failure> {
        let mut all = Vec::new();
        for input in inputs {
            match input.as_bytes() {
                b"-" => self.listed(read(&mut io::stdin().lock(), "standard input")?, &mut all)?,
                _ => self.one(Path::new(input), &mut all)?,
            }
        }
        for list in lists {
            if list.as_os_str() == "-" {
                self.listed(read(&mut io::stdin().lock(), "standard input")?, &mut all)?;
                continue;
            }
            let shown = list.display().to_string();
            let mut file =
                fs::File::open(list).map_err(|e| Failure::input(format!("cannot read list {shown}: {e}")))?;
            self.listed(read(&mut file, &shown)?, &mut all)?;
        }
        let mut seen = HashSet::new();
        all.retain(|f| seen.insert(f.path.clone()));
        Ok(all)
    }

    fn listed(&self, names: Vec<OsString>, all: &mut Vec<Found>) -> Result<(), Failure> {
        names.iter().try_for_each(|name| self.one(Path::new(name), all))
    }

    fn one(&self, path: &Path, all: &mut Vec<Found>) -> Result<(), Failure> {
        let there = fs::metadata(path);
        if there.as_ref().is_ok_and(fs::Metadata::is_dir) {
            return self.folder(path, all);
        }
        let text = path.to_string_lossy();
        if there.is_err() && text.contains(['*', '?', '[']) {
            return self.glob(&text, all);
        }
        let named: PathBuf = path.parent().into_iter().flat_map(Path::components).filter(is_name).collect();
        all.push(Found { path: absolute(path)?, dir: named });
        Ok(())
    }

    fn glob(&self, pattern: &str, all: &mut Vec<Found>) -> Result<(), Failure> {
        let bad = |e: &dyn std::fmt::Display| Failure::usage(format!("{pattern}: bad glob: {e}"));
        let fixed: PathBuf =
            Path::new(pattern).components().take_while(|c| !plain(c).contains(['*', '?', '['])).collect();
        let fixed = absolute(&fixed)?;
        let before = all.len();
        let mut files: Vec<PathBuf> = Vec::new();
        for found in glob::glob(pattern).map_err(|e| bad(&e))? {
            match found {
                Ok(path) if path.is_dir() || is_partial(&path) => {}
                Ok(path) => files.push(absolute(&path)?),
                Err(e) => log::warn!("left out: {e}"),
            }
        }
        // Through links that lead back, ** finds files again and again: the shortest way to each counts.
        files.sort_by_key(|f| (f.components().count(), f.clone()));
        let mut seen = HashSet::new();
        files.retain(|f| seen.insert(f.canonicalize().unwrap_or_else(|_| f.clone())));
        all.extend(files.into_iter().map(|path| Found { dir: Search::place(&fixed, &path), path }));
        if all.len() == before {
            log::warn!("no file matches {pattern}");
        }
        Ok(())
    }
}

/// `1/4`, `4/4`: one part of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shard {
    /// From 1.
    pub number: u32,
    /// How many there are.
    pub of: u32,
}

impl Shard {
    /// Whether `file` belongs to this part. Its path decides, so other files in the list change nothing.
    pub fn holds(self, file: &Path) -> bool {
        let hash = Sha256::digest(file.as_os_str().as_bytes());
        let first = hash.iter().take(8).fold(0u64, |n, b| n << 8 | u64::from(*b));
        first % u64::from(self.of) == u64::from(self.number - 1)
    }
}

impl std::str::FromStr for Shard {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parts = text.split_once('/').and_then(|(n, of)| Some((n.parse().ok()?, of.parse().ok()?)));
        match parts {
            Some((number, of)) if (1..=of).contains(&number) => Ok(Shard { number, of }),
            _ => Err(format!("`{text}` is no part of a whole: give it as in 3/16, from 1/16 to 16/16")),
        }
    }
}

/// Why the file at `path` cannot be a job at all: no file, a pipe, a socket.
pub fn unfit(path: &Path) -> Option<String> {
    let kind = match fs::metadata(path) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Some("no such file".into()),
        Err(e) => return Some(e.to_string()),
        Ok(m) if m.len() == 0 && m.is_file() => return Some("it is empty (0 bytes)".into()),
        Ok(m) => m.file_type(),
    };
    let what = match kind {
        k if k.is_file() => return None,
        k if k.is_fifo() => "a pipe (FIFO)",
        k if k.is_socket() => "a socket",
        k if k.is_dir() => "a folder",
        _ => "a device",
    };
    Some(format!("it is {what}, not a file"))
}

/// Names, one a line, or separated by NUL where there is one. Empty lines are left out.
fn read(from: &mut dyn Read, shown: &str) -> Result<Vec<OsString>, Failure> {
    let mut bytes = Vec::new();
    from.read_to_end(&mut bytes).map_err(|e| Failure::input(format!("cannot read the list in {shown}: {e}")))?;
    let end = if bytes.contains(&0) { 0 } else { b'\n' };
    let names = bytes.split(|b| *b == end).map(|n| n.strip_suffix(b"\r").unwrap_or(n)).filter(|n| !n.is_empty());
    Ok(names.map(|n| OsString::from_vec(n.to_vec())).collect())
}

/// `path` from the root on, without `.` and, as far as names tell, without `..`.
pub fn absolute(path: &Path) -> Result<PathBuf, Failure> {
    let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
    let whole = std::path::absolute(path).map_err(|e| Failure::usage(format!("{} is no path: {e}", path.display())))?;
    Ok(match whole.components().any(|c| c == Component::ParentDir) {
        // Where a link leads decides what .. is.
        true => whole
            .parent()
            .and_then(|p| p.canonicalize().ok())
            .map_or(whole.clone(), |p| whole.file_name().map_or(p.clone(), |name| p.join(name))),
        false => whole,
    })
}

/// `NAME.partial-PID.EXT`: what a run is writing, or left behind.
fn is_partial(path: &Path) -> bool {
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    stem.rsplit_once(".partial-").is_some_and(|(_, n)| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()))
}

fn hidden(name: &OsStr) -> bool {
    name.as_bytes().starts_with(b".")
}

fn is_name(c: &Component<'_>) -> bool {
    matches!(c, Component::Normal(_))
}

fn plain(c: &Component<'_>) -> String {
    c.as_os_str().to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree() -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        for f in ["a.mp4", "b/c.MKV", "b/d/e.txt", ".h/x.mp4", "a.partial-77.mp4", "out/a.mp4", "x.mp4/y.webm"] {
            let path = dir.path().join(f);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, b"x").unwrap();
        }
        std::os::unix::fs::symlink("..", dir.path().join("b/loop")).unwrap();
        dir
    }

    fn names(found: &[Found], base: &Path) -> Vec<String> {
        let base = base.canonicalize().unwrap();
        let short = |f: &Found| f.path.canonicalize().unwrap().strip_prefix(&base).unwrap().display().to_string();
        found.iter().map(short).collect()
    }

    #[test]
    fn folders_give_their_videos_and_where_they_lie() {
        let dir = tree();
        let search = Search { except: vec![dir.path().join("out")], ..Search::default() };
        let found = search.find(&[dir.path().into()], &[]).unwrap();
        assert_eq!(names(&found, dir.path()), ["a.mp4", "b/c.MKV", "x.mp4/y.webm"]);
        assert_eq!(found[1].dir, Path::new("b"));
        let all = Search { types: vec!["all".into()], ..search.clone() };
        assert!(names(&all.find(&[dir.path().into()], &[]).unwrap(), dir.path()).contains(&"b/d/e.txt".into()));
    }

    #[test]
    fn globs_lists_and_names_come_once() {
        let dir = tree();
        let glob = dir.path().join("**/*.mp4");
        let named = dir.path().join("a.mp4");
        let list = dir.path().join("list");
        fs::write(&list, format!("{}\r\n\nmissing.mp4\n", named.display())).unwrap();
        let found = Search::default().find(&[named.into(), glob.into()], std::slice::from_ref(&list)).unwrap();
        let of = |end: &str| found.iter().filter(|f| f.path.ends_with(end)).count();
        assert_eq!((of("a.mp4"), of("out/a.mp4"), of("missing.mp4")), (2, 1, 1));
        let out = found.iter().find(|f| f.path.ends_with("out/a.mp4")).unwrap();
        assert_eq!(out.dir, Path::new("out"));
        fs::write(&list, b"one\ntwo.mp4\0-three.mp4\0").unwrap();
        let found = Search::default().find(&[], &[list]).unwrap();
        assert!(found[0].path.as_os_str().as_bytes().ends_with(b"/one\ntwo.mp4"));
        assert!(found[1].path.ends_with("-three.mp4") && found[1].dir == Path::new(""));
    }

    #[test]
    fn shards_share_out_everything_once() {
        let files: Vec<PathBuf> = (0..400).map(|n| format!("/v/{n}.mp4").into()).collect();
        let shards: Vec<Shard> = (1..=4).map(|n| format!("{n}/4").parse().unwrap()).collect();
        for f in &files {
            assert_eq!(shards.iter().filter(|s| s.holds(f)).count(), 1);
        }
        for s in shards {
            assert!((60..140).contains(&files.iter().filter(|f| s.holds(f)).count()));
        }
        for bad in ["0/4", "5/4", "x", "1/0", "-1/3"] {
            assert!(bad.parse::<Shard>().is_err(), "{bad}");
        }
    }
}

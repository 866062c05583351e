//! A folder whose new files become jobs as they arrive.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, unbounded};
use notify::{RecommendedWatcher, RecursiveMode, Watcher};

use super::feed::Feed;
use super::inputs::{Found, Search};
use super::journal::{Journal, mtime};
use super::plan::{Common, Job};
use crate::failure::Failure;
use crate::term::say;

/// What becomes of an input that is done.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum WhenDone {
    /// It stays as it is.
    #[default]
    Keep,
    /// An empty file NAME.done is put beside it.
    Mark,
    /// It is moved to this folder, where its own folders are kept.
    Move(PathBuf),
}

impl std::str::FromStr for WhenDone {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "keep" => Ok(WhenDone::Keep),
            "mark" => Ok(WhenDone::Mark),
            _ => match text.strip_prefix("move:").filter(|f| !f.is_empty()) {
                Some(folder) => Ok(WhenDone::Move(folder.into())),
                None => Err(format!("`{text}`: keep, mark, or move:FOLDER is allowed")),
            },
        }
    }
}

/// Notices that may get lost are made up for by looking through the folders this often.
const LOOK: Duration = Duration::from_secs(15);

/// Folders under watch.
pub struct Watched<'a> {
    common: Common<'a>,
    search: Search,
    folders: Vec<PathBuf>,
    settle: Duration,
    when_done: WhenDone,
    /// Files that may still grow: size, time, since when both stay.
    growing: HashMap<PathBuf, (u64, i64, Instant)>,
    /// What became a job, or was there before.
    taken: HashMap<PathBuf, (u64, i64)>,
    notices: Receiver<PathBuf>,
    looked: Instant,
    _watcher: RecommendedWatcher,
}

impl<'a> Watched<'a> {
    /// Starts to watch `folders`; a file is taken when it has not changed for `settle`. `known` are those that are planned already.
    ///
    /// # Errors
    /// The system cannot watch a folder.
    pub fn new(
        common: Common<'a>,
        search: Search,
        folders: &[PathBuf],
        settle: Duration,
        when_done: WhenDone,
        known: &[Found],
    ) -> Result<Self, Failure> {
        let (to, notices) = unbounded();
        let tell = move |event: notify::Result<notify::Event>| {
            for path in event.into_iter().flat_map(|e| e.paths) {
                let _ = to.send(path);
            }
        };
        let cannot =
            |folder: &Path, e: &notify::Error| Failure::input(format!("cannot watch {}: {e}", folder.display()));
        let first = folders.first().map(PathBuf::as_path).unwrap_or(Path::new("."));
        let mut watcher = notify::recommended_watcher(tell).map_err(|e| cannot(first, &e))?;
        for folder in folders {
            watcher.watch(folder, RecursiveMode::Recursive).map_err(|e| cannot(folder, &e))?;
        }
        let taken = known.iter().filter_map(|f| Some((f.path.clone(), stamp(&f.path)?))).collect();
        let folders = folders.to_vec();
        let (growing, looked) = (HashMap::new(), Instant::now());
        Ok(Watched { common, search, folders, settle, when_done, growing, taken, notices, looked, _watcher: watcher })
    }

    /// Looks at a file that was named or found.
    fn see(&mut self, path: PathBuf) {
        let inside = self.folders.iter().any(|f| path.starts_with(f));
        let except = self.search.except.iter().any(|e| path.starts_with(e) && !self.folders.contains(e));
        if !inside || except || !self.search.wants(&path) {
            return;
        }
        let Some((size, time)) = stamp(&path) else {
            self.growing.remove(&path);
            return;
        };
        if self.taken.get(&path) == Some(&(size, time)) {
            return;
        }
        match self.growing.get(&path) {
            Some((s, t, _)) if (*s, *t) == (size, time) => {}
            _ => {
                self.growing.insert(path, (size, time, Instant::now()));
            }
        }
    }
}

impl Feed for Watched<'_> {
    fn poll(&mut self, journal: &mut Journal) -> Result<Vec<Job>, Failure> {
        let told: HashSet<PathBuf> = self.notices.try_iter().collect();
        told.into_iter().for_each(|path| self.see(path));
        if self.looked.elapsed() > LOOK {
            self.looked = Instant::now();
            let folders: Vec<_> = self.folders.iter().map(|f| f.clone().into_os_string()).collect();
            self.search.find(&folders, &[])?.into_iter().for_each(|f| self.see(f.path));
        }
        let growing: Vec<PathBuf> = self.growing.keys().cloned().collect();
        growing.into_iter().for_each(|path| self.see(path));
        let whole =
            |(_, (size, _, since)): &(&PathBuf, &(u64, i64, Instant))| *size > 0 && since.elapsed() >= self.settle;
        let ready: Vec<PathBuf> = self.growing.iter().filter(whole).map(|(path, _)| path.clone()).collect();
        let mut found = Vec::new();
        for path in ready {
            if let Some((size, time, _)) = self.growing.remove(&path) {
                self.taken.insert(path.clone(), (size, time));
            }
            let folder = self.folders.iter().find(|f| path.starts_with(f)).cloned().unwrap_or_default();
            found.push(Found { dir: Search::place(&folder, &path), path });
        }
        found.sort_by(|a, b| a.path.cmp(&b.path));
        let mut jobs = Vec::new();
        for one in &found {
            // One by one: a collision is the newcomer's trouble only.
            match self.common.plan(std::slice::from_ref(one), journal) {
                Ok(plan) => jobs.extend(plan.jobs),
                Err(e) => say!("left out: {}: {e}", one.path.display()),
            }
        }
        Ok(jobs)
    }

    fn done(&mut self, job: &Job) {
        let Some(folder) = self.folders.iter().find(|f| job.input.starts_with(f)) else { return };
        let result = match &self.when_done {
            WhenDone::Keep => Ok(()),
            WhenDone::Mark => {
                let mut name = job.input.clone().into_os_string();
                name.push(".done");
                fs::write(name, b"")
            }
            WhenDone::Move(to) => {
                let place = to.join(job.input.strip_prefix(folder).unwrap_or(&job.input));
                let parent = place.parent().unwrap_or(Path::new("/"));
                fs::create_dir_all(parent).and_then(|()| match place.exists() {
                    true => Err(std::io::Error::other(format!("{} exists", place.display()))),
                    false => fs::rename(&job.input, &place).or_else(|e| match e.kind() {
                        std::io::ErrorKind::CrossesDevices => {
                            fs::copy(&job.input, &place).and_then(|_| fs::remove_file(&job.input))
                        }
                        _ => Err(e),
                    }),
                })
            }
        };
        if let Err(e) = result {
            say!("{} is done and stays where it is: {e}", job.input.display());
        }
    }

    fn over(&self) -> bool {
        false
    }
}

fn stamp(path: &Path) -> Option<(u64, i64)> {
    let m = fs::metadata(path).ok().filter(fs::Metadata::is_file)?;
    Some((m.len(), mtime(&m)))
}

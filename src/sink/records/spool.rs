//! What waits for somebody who is away: a few lines in memory, all others in a file that outlives the run.
//!
//! Lines leave in the order in which they came. Memory and file never hold lines at the same time: once the file is in use,
//! new lines go behind those in it until it is empty again.

use std::collections::VecDeque;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Lines in memory while they are taken as fast as they come.
const MEMORY: usize = 1024;
/// A spool does not grow beyond this, in bytes.
const MOST: u64 = 4 << 30;
/// Spools of one name that runs at the same time may have.
const AT_ONCE: u32 = 100;

/// Lines that wait.
pub struct Queue {
    memory: VecDeque<Arc<str>>,
    spool: Spool,
    /// True while the other side does not answer: then everything goes to the file at once.
    away: bool,
    /// Lines that could not be kept.
    pub lost: u64,
    /// Why.
    pub trouble: Option<String>,
}

impl Queue {
    /// Takes up what an earlier run left in `folder` under `name`.
    pub fn open(folder: &Path, name: &str) -> io::Result<Self> {
        let spool = Spool::open(folder, name)?;
        Ok(Queue { memory: VecDeque::new(), spool, away: false, lost: 0, trouble: None })
    }

    /// Lines that wait.
    pub fn len(&self) -> u64 {
        self.memory.len() as u64 + self.spool.waiting
    }

    /// Where lines wait that do not fit into memory.
    pub fn path(&self) -> &Path {
        &self.spool.path
    }

    /// Adds a line.
    pub fn push(&mut self, line: Arc<str>) {
        if self.spool.waiting == 0 && !self.away && self.memory.len() < MEMORY {
            self.memory.push_back(line);
        } else {
            self.spill();
            self.keep(&line);
        }
    }

    /// Says whether the other side answers.
    pub fn set_away(&mut self, away: bool) {
        self.away = away;
        if away {
            self.spill();
        }
    }

    fn spill(&mut self) {
        while let Some(line) = self.memory.pop_front() {
            self.keep(&line);
        }
    }

    fn keep(&mut self, line: &str) {
        if let Err(e) = self.spool.push(line) {
            self.lost += 1;
            self.trouble = Some(format!("cannot write {}: {e}", self.spool.path.display()));
        }
    }

    /// The first `n` lines, or as many as there are.
    pub fn peek(&mut self, n: usize) -> io::Result<Vec<Arc<str>>> {
        match self.spool.waiting {
            0 => Ok(self.memory.iter().take(n).cloned().collect()),
            _ => self.spool.peek(n),
        }
    }

    /// Lets go of the first lines, which are these.
    pub fn done(&mut self, lines: &[Arc<str>]) -> io::Result<()> {
        match self.spool.waiting {
            0 => drop(self.memory.drain(..lines.len().min(self.memory.len()))),
            _ => self.spool.done(lines)?,
        }
        Ok(())
    }

    /// Leaves what still waits in the file, and no file where nothing does.
    pub fn close(&mut self) -> io::Result<()> {
        self.spill();
        self.spool.close()
    }
}

/// The file. Locked, so that two runs never share one.
struct Spool {
    path: PathBuf,
    file: Option<File>,
    /// Where the first line that waits begins.
    begin: u64,
    end: u64,
    waiting: u64,
}

impl Spool {
    fn open(folder: &Path, name: &str) -> io::Result<Self> {
        for n in 1..=AT_ONCE {
            let number = if n == 1 { String::new() } else { format!("-{n}") };
            let path = folder.join(format!("{name}{number}.jsonl"));
            let mut spool = Spool { path, file: None, begin: 0, end: 0, waiting: 0 };
            // Made even where it may never be needed: a folder that cannot be written is better known now.
            if spool.start()? {
                return Ok(spool);
            }
        }
        Err(io::Error::other(format!("{AT_ONCE} runs hold spools of this name")))
    }

    /// Opens the file and counts what is in it; false where another run holds it.
    fn start(&mut self) -> io::Result<bool> {
        let mut file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&self.path)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(fs::TryLockError::WouldBlock) => return Ok(false),
            Err(fs::TryLockError::Error(e)) => return Err(e),
        }
        // The run that held it may have removed it just before the lock was ours.
        if !self.path.exists() {
            return self.start();
        }
        (self.waiting, self.end, self.begin) = (0, 0, 0);
        let mut reader = BufReader::new(&mut file);
        let mut line = Vec::new();
        loop {
            line.clear();
            let n = reader.read_until(b'\n', &mut line)? as u64;
            if n == 0 || !line.ends_with(b"\n") {
                break;
            }
            (self.waiting, self.end) = (self.waiting + 1, self.end + n);
        }
        // What a killed run was just writing.
        file.set_len(self.end)?;
        self.file = Some(file);
        Ok(true)
    }

    fn file(&mut self) -> io::Result<&mut File> {
        self.file.as_mut().ok_or_else(|| io::Error::other("the spool is closed"))
    }

    fn push(&mut self, line: &str) -> io::Result<()> {
        let end = self.end;
        if end + line.len() as u64 > MOST {
            return Err(io::Error::other(format!("it holds {} GiB", MOST >> 30)));
        }
        let file = self.file()?;
        file.seek(SeekFrom::Start(end))?;
        let written = file.write_all(format!("{line}\n").as_bytes());
        if let Err(e) = written {
            let _ = file.set_len(end);
            return Err(e);
        }
        self.end += line.len() as u64 + 1;
        self.waiting += 1;
        Ok(())
    }

    fn peek(&mut self, n: usize) -> io::Result<Vec<Arc<str>>> {
        let (begin, length) = (self.begin, self.end - self.begin);
        let file = self.file()?;
        file.seek(SeekFrom::Start(begin))?;
        BufReader::new(file.take(length)).lines().take(n).map(|l| l.map(Into::into)).collect()
    }

    fn done(&mut self, lines: &[Arc<str>]) -> io::Result<()> {
        self.begin += lines.iter().map(|l| l.len() as u64 + 1).sum::<u64>();
        self.waiting = self.waiting.saturating_sub(lines.len() as u64);
        if self.waiting == 0 {
            (self.begin, self.end) = (0, 0);
            self.file()?.set_len(0)?;
        }
        Ok(())
    }

    fn close(&mut self) -> io::Result<()> {
        let (begin, end) = (self.begin, self.end);
        let Some(mut file) = self.file.take() else { return Ok(()) };
        if self.waiting == 0 {
            return fs::remove_file(&self.path);
        }
        if begin > 0 {
            // What is delivered goes: written beside and renamed, so that a kill in between loses nothing.
            let beside = self.path.with_extension("jsonl.new");
            let mut rest = File::create(&beside)?;
            file.seek(SeekFrom::Start(begin))?;
            io::copy(&mut (&mut file).take(end - begin), &mut rest)?;
            rest.sync_all()?;
            fs::rename(&beside, &self.path)?;
        } else {
            file.sync_all()?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(lines: &[Arc<str>]) -> Vec<u32> {
        lines.iter().map(|l| l.parse().unwrap()).collect()
    }

    fn push(queue: &mut Queue, numbers: std::ops::Range<u32>) {
        numbers.for_each(|n| queue.push(n.to_string().into()));
    }

    fn take(queue: &mut Queue, n: usize) -> Vec<u32> {
        let lines = queue.peek(n).unwrap();
        queue.done(&lines).unwrap();
        numbers(&lines)
    }

    #[test]
    fn order_is_kept_between_memory_and_file() {
        let dir = tempfile::tempdir().unwrap();
        let mut queue = Queue::open(dir.path(), "q").unwrap();
        push(&mut queue, 0..10);
        let under_way = queue.peek(4).unwrap();
        // Goes to the file while four are under way.
        queue.set_away(true);
        push(&mut queue, 10..20);
        assert_eq!(fs::read_to_string(queue.path()).unwrap().lines().count(), 20);
        queue.done(&under_way).unwrap();
        assert_eq!((queue.len(), take(&mut queue, 3)), (16, vec![4, 5, 6]));
        queue.set_away(false);
        push(&mut queue, 20..21);
        assert_eq!(take(&mut queue, 100), (7..21).collect::<Vec<_>>());
        push(&mut queue, 21..22);
        assert_eq!(take(&mut queue, 100), [21]);
        // More than memory holds.
        push(&mut queue, 0..3000);
        assert_eq!((queue.len(), take(&mut queue, 5000).len()), (3000, 3000));
        queue.close().unwrap();
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
    }

    #[test]
    fn what_waits_outlives_the_run_and_a_torn_line() {
        let dir = tempfile::tempdir().unwrap();
        let mut queue = Queue::open(dir.path(), "q").unwrap();
        queue.set_away(true);
        push(&mut queue, 0..10);
        assert_eq!(take(&mut queue, 4), [0, 1, 2, 3]);
        let mut other = Queue::open(dir.path(), "q").unwrap();
        assert_eq!((other.len(), other.path() == queue.path()), (0, false), "another run at the same time");
        other.close().unwrap();
        queue.close().unwrap();
        let path = queue.path().to_owned();
        drop(queue);
        let text = fs::read_to_string(&path).unwrap();
        assert_eq!(text, "4\n5\n6\n7\n8\n9\n");
        fs::write(&path, text + "10\n11").unwrap();
        let mut queue = Queue::open(dir.path(), "q").unwrap();
        push(&mut queue, 12..13);
        assert_eq!(take(&mut queue, 100), [4, 5, 6, 7, 8, 9, 10, 12]);
        queue.close().unwrap();
    }
}

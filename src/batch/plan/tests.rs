//! What is planned against what the journal knows.

use super::*;
use crate::batch::journal::{Ended, Written};
use crate::config::SinkSettings;

struct Place {
    dir: tempfile::TempDir,
    settings: Settings,
    journal: Journal,
}

impl Place {
    fn new(output: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let sinks = vec![SinkSettings::from_path(dir.path().join(output))];
        let journal = Journal::open(&dir.path().join("j.db"), &crate::control::Control::default()).unwrap();
        Place { dir, settings: Settings { sinks, ..Settings::default() }, journal }
    }

    fn file(&self, name: &str, bytes: usize) -> Found {
        let path = self.dir.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, vec![0; bytes]).unwrap();
        Found { path, dir: PathBuf::from(name).parent().unwrap().to_owned() }
    }

    fn plan(&mut self, inputs: &[Found]) -> Result<Plan, Failure> {
        let common = Common {
            settings: &self.settings,
            hash: hash(&self.settings).unwrap(),
            by: IdentifyBy::Stat,
            overwrite: false,
            skip_failed: false,
        };
        common.plan(inputs, &mut self.journal)
    }

    /// Does what a job would do.
    fn work(&mut self, job: &Job) {
        self.journal.begin(job.id, 1).unwrap();
        fs::create_dir_all(job.outputs[0].parent().unwrap()).unwrap();
        fs::write(&job.outputs[0], b"video").unwrap();
        let ended = Ended { written: vec![Written::now(&job.outputs[0]).unwrap()], ..Ended::default() };
        self.journal.end(job.id, State::Done, &ended).unwrap();
    }
}

#[test]
fn a_file_that_an_op_reads_is_part_of_the_configuration() {
    let dir = tempfile::tempdir().unwrap();
    let logo = dir.path().join("logo.png");
    fs::write(&logo, b"one").unwrap();
    let op = |text: &str| Settings { ops: vec![crate::config::read_op(text).unwrap()], ..Settings::default() };
    let image = op(&format!("image:path={}", logo.display()));
    let before = hash(&image).unwrap();
    assert_eq!(hash(&image).unwrap(), before);
    fs::write(&logo, b"another").unwrap();
    assert_ne!(hash(&image).unwrap(), before);
    // What an op writes is not.
    let heat = op(&format!("heatmap:path={}", logo.display()));
    let before = hash(&heat).unwrap();
    fs::write(&logo, b"a third one").unwrap();
    assert_eq!(hash(&heat).unwrap(), before);
    assert!(pattern::read_by_ops(&op("detect:model=yunet")).iter().any(|p| p.ends_with("yunet.toml")));
}

#[test]
fn only_what_is_not_done_is_done_again() {
    let mut p = Place::new("out/{dir}/{stem}.mp4");
    let inputs = [p.file("in/a.mp4", 10), p.file("in/b.mp4", 30), p.file("in/c.mp4", 20)];
    let plan = p.plan(&inputs).unwrap();
    let order: Vec<_> = plan.jobs.iter().map(|j| j.identity.size).collect();
    assert_eq!(order, [30, 20, 10], "the largest first");
    plan.jobs.iter().for_each(|j| p.work(j));
    assert_eq!(p.plan(&inputs).unwrap().done, 3);

    p.file("in/a.mp4", 11);
    fs::remove_file(p.dir.path().join("out/in/b.mp4")).unwrap();
    let mut reasons: Vec<_> = p.plan(&inputs).unwrap().jobs.iter().map(|j| j.reason).collect();
    reasons.sort();
    assert_eq!(reasons, [Reason::InputChanged, Reason::OutputChanged]);
    p.settings.sinks[0].quality = Some(30);
    let reasons: Vec<_> = p.plan(&inputs).unwrap().jobs.iter().map(|j| j.reason).collect();
    assert_eq!(reasons.iter().filter(|r| **r == Reason::ConfigChanged).count(), 1);
    // What waits since the last plan was begun before: its files are this batch's.
    assert!(p.plan(&inputs).unwrap().jobs.iter().all(|j| j.trouble.is_none()));
}

#[test]
fn collisions_are_found_before_anything_begins() {
    let mut p = Place::new("out/{stem}.mp4");
    let inputs = [p.file("x/a.mp4", 1), p.file("y/a.mkv", 1)];
    let e = p.plan(&inputs).unwrap_err();
    assert!(e.message.contains("would both be written") && e.fix.unwrap().contains("{dir}"));
    let mut p = Place::new("{dir}/{stem}.mp4");
    let inputs = [p.file("x/a.avi", 1), p.file("x/a.mp4", 1)];
    assert!(p.plan(&inputs).unwrap_err().message.contains("would both be written"));
    assert!(p.plan(&inputs[1..]).unwrap_err().message.contains("over the input"));
}

#[test]
fn files_of_others_and_what_is_no_file_are_troubles_of_their_job_only() {
    let mut p = Place::new("out/{stem}.mp4");
    let inputs = [p.file("a.mp4", 1), p.file("b.mp4", 0), p.file("c.mp4", 1)];
    p.file("out/a.mp4", 5);
    let missing = Found { path: p.dir.path().join("d.mp4"), dir: PathBuf::new() };
    let all: Vec<Found> = inputs.into_iter().chain([missing]).collect();
    let plan = p.plan(&all).unwrap();
    let trouble = |name: &str| {
        let job = plan.jobs.iter().find(|j| j.input.ends_with(name)).unwrap();
        job.trouble.as_ref().map(|f| f.message.clone()).unwrap_or_default()
    };
    assert!(trouble("a.mp4").contains("the file exists"));
    assert!(trouble("b.mp4").contains("empty"));
    assert!(trouble("d.mp4").contains("no such file"));
    assert_eq!(trouble("c.mp4"), "");
}

#[test]
fn outputs_beside_their_inputs_are_not_taken_for_inputs() {
    let mut p = Place::new("{dir}/{stem}.out.mp4");
    let inputs = vec![p.file("x/a.mp4", 1)];
    let plan = p.plan(&inputs).unwrap();
    p.work(&plan.jobs[0]);
    let found = Found { path: p.dir.path().join("x/a.out.mp4"), dir: "x".into() };
    let plan = p.plan(&[inputs[0].clone(), found]).unwrap();
    assert_eq!((plan.done, plan.jobs.len()), (1, 0));
}

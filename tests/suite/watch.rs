//! Edits of a run that goes on: ops change between two frames, and nothing else does.

use crate::common::*;
use crate::fw;
use crate::settings::write;

/// Black boxes become white ones in the top left corner of `generate:counter`.
fn ops(color: &str, rest: &str) -> String {
    format!(
        "[[op]]\ntype = \"blur\"\nsize = 3\nregion = \"0,0,20,20\"\n[[op]]\ntype = \"text\"\ntext = \"{{frame}}\"\nsize = 10\n\
         margin = 0\nposition = \"top-left\"\npadding = 10\nbox = \"{color}\"\nbox-opacity = 1\n{rest}"
    )
}

#[test]
fn edits_of_a_running_pipeline_change_its_ops_between_two_frames() {
    for threads in [1, 2] {
        let dir = temp();
        let (part, out) = (dir.path().join("ops.toml"), dir.path().join("out.mkv"));
        let main = |fps: u32| {
            let source = "[source]\nuri = \"generate:counter\"\nlive = true\nsize = \"320x240\"\nframes = 160";
            let text = format!(
                "include = [\"ops.toml\"]\nthreads = {threads}\n{source}\nfps = {fps}\n[[sink]]\npath = \"out.mkv\"\nencoder = \"ffv1\"\n"
            );
            write(dir.path(), "main.toml", &text)
        };
        std::fs::write(&part, ops("black", "")).unwrap();
        let path = main(20);
        let mut run = fw!["run", "-c", &path, "--watch"].within(dir.path()).start();
        let partial = || listing(dir.path()).into_iter().find(|n| n.contains(".partial-")).map(|n| dir.path().join(n));
        run.until("something was written", || {
            partial().and_then(|p| std::fs::metadata(p).ok()).is_some_and(|m| m.len() > 10_000)
        });
        // As editors do: beside it, then renamed.
        let new = write(dir.path(), "ops.new", &ops("white", ""));
        std::fs::rename(new, &part).unwrap();
        std::thread::sleep(std::time::Duration::from_millis(1500));
        std::fs::write(&part, ops("black", "siez = 3\n")).unwrap();
        std::thread::sleep(std::time::Duration::from_millis(1500));
        std::fs::write(&part, ops("white", "# put right\n")).unwrap();
        main(30);
        let end = run.finish();
        assert_eq!(end.code, 0, "{}", end.stderr);
        end.says(&[
            "ops.toml:14:1: [[op]] text: unknown key `siez` (did you mean `size`?)",
            "edit not taken",
            "[source] fps cannot change",
        ]);
        assert_eq!(end.stderr.matches("siez").count(), 1, "said once: {}", end.stderr);
        assert!(end.notices().contains("edits of the ops while it ran: 1"), "{}", end.stats);
        let media = Media::open(&out);
        assert_eq!(end.count("frames_dropped"), 0);
        assert_eq!(crate::outputs::counters(&media), (0..160).collect::<Vec<_>>(), "every frame, in order");
        let pts = media.pts();
        assert!(pts.windows(2).all(|p| p[1] > p[0]), "{pts:?}");
        let white: Vec<bool> = media.gray().iter().map(|l| l[2 * 320 + 2] > 128).collect();
        let first = white.iter().position(|w| *w).expect("the edit shows");
        assert!(first > 0 && white[first..].iter().all(|w| *w), "from one frame on: {white:?}");
        let names: Vec<_> = end.stats["ops"].as_array().unwrap().iter().map(|o| o["name"].as_str().unwrap()).collect();
        assert_eq!(names, ["blur", "text"]);
    }
}

#[test]
fn what_cannot_change_while_it_runs_is_left() {
    let dir = temp();
    let text = |ops: &str| {
        format!(
            "[source]\nuri = \"test:ball\"\nlive = true\nsize = \"64x48\"\nframes = 100\nfps = 20\n{ops}[[sink]]\npath = \"{{}}\"\n"
        )
    };
    let path = write(dir.path(), "c.toml", &text("").replace("{}", "a.mkv"));
    let mut run = fw!["run", "-c", &path, "--watch", "-v"].within(dir.path()).start();
    run.until("it runs", || listing(dir.path()).iter().any(|n| n.contains(".partial-")));
    write(dir.path(), "c.toml", &text("").replace("{}", "b.mkv"));
    std::thread::sleep(std::time::Duration::from_millis(1500));
    write(dir.path(), "c.toml", &text("[[op]]\ntype = \"blur\"\n").replace("{}", "a.mkv"));
    let end = run.finish();
    assert_eq!(end.code, 0, "{}", end.stderr);
    end.says(&["[[sink]] 0: path cannot change while it runs", "edited ops from frame"]);
    assert_eq!(listing(dir.path()), ["a.mkv", "c.toml"]);
    assert_eq!(Media::open(dir.path().join("a.mkv")).frames(), 100);
    fw!["run", "test:ball", "-o", "null", "--watch"].fails(2).says(&["--config"]);
}

#[test]
fn ops_with_state_keep_it_when_others_are_edited() {
    use framewright::config::read_op;
    use framewright::frame::Frame;
    use framewright::ops::Stream;
    use framewright::pipeline::{chain::Chain, stages};

    gstreamer::init().expect("GStreamer");
    let spec = crate::registry::spec(gstreamer_video::VideoFormat::I420, 96, 48);
    let spec = std::sync::Arc::new((*spec).clone().with_rate(gstreamer::Fraction::new(0, 1)));
    for threads in [1, 3] {
        // {fps} is measured over the frames where the stream has no rate of its own.
        let prepare = |blur: &str, text: &str| {
            let ops = [read_op(blur).unwrap(), read_op(text).unwrap()];
            Chain::prepare(&ops, &spec, &Stream::default(), threads).map_err(|f| f.message).unwrap()
        };
        let work = |chain: &mut Chain, frames: std::ops::Range<u64>| -> Vec<Vec<u8>> {
            let mut out = Vec::new();
            let frames: Vec<Frame> = frames.map(|n| crate::registry::frame(&spec, n)).collect();
            let all = stages::pass(chain, frames.into_iter(), &mut |f| {
                out.push(crate::registry::bytes(&f));
                true
            });
            assert!(all.map_err(|f| f.message).unwrap());
            out
        };
        let wanted = work(&mut prepare("blur:size=5", "text:text={fps},size=20"), 0..12);
        let edited = |text: &str| {
            let mut old = prepare("blur:size=3", text);
            assert_eq!(work(&mut old, 0..10).len(), 10);
            let seconds = old.stats()[0].seconds;
            let mut new = prepare("blur:size=5", "text:text={fps},size=20");
            new.take_over(old);
            let stats = new.stats();
            assert_eq!(stats.iter().map(|s| s.name.as_str()).collect::<Vec<_>>(), ["blur", "text"]);
            assert!(stats[0].seconds >= seconds && seconds > 0.0, "what the old ops cost stays counted");
            work(&mut new, 10..12)
        };
        assert_eq!(edited("text:text={fps},size=20"), wanted[10..], "{threads} workers");
        assert_ne!(edited("text:text={fps} ,size=20"), wanted[10..], "another op begins anew");
    }
}

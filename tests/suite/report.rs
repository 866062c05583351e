//! The HTML report: what it says, that nothing in it leads elsewhere, and that a browser shows it.

mod browser;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use data_encoding::BASE64;

use crate::common::*;
use crate::fw;

/// A page as it was written.
struct Report {
    path: PathBuf,
    html: String,
    data: Value,
}

impl Report {
    #[track_caller]
    fn open(path: impl AsRef<Path>) -> Self {
        let html = std::fs::read_to_string(&path).expect("a report");
        let start = "<script type=\"application/json\" id=\"report\">";
        let data = html.split_once(start).and_then(|(_, rest)| rest.split_once("</script>")).expect("data").0;
        let data = serde_json::from_str(data).expect("JSON");
        Report { path: path.as_ref().to_owned(), html, data }
    }

    /// Values of an attribute, in order.
    fn attributes(&self, name: &str) -> Vec<&str> {
        let start = format!(" {name}=\"");
        self.html.split(&start).skip(1).filter_map(|rest| Some(rest.split_once('"')?.0)).collect()
    }

    fn charts(&self) -> Vec<(&str, Value)> {
        let chart = |figure: &'_ str| -> Option<Value> {
            let data = figure.split_once("<script type=\"application/json\">")?.1.split_once("</script>")?.0;
            serde_json::from_str(data).ok()
        };
        let figures = self.html.split("<figure class=\"chart\"><figcaption>").skip(1);
        figures.map(|f| (f.split_once('<').expect("a title").0, chart(f).expect("a chart's data"))).collect()
    }

    fn thumbnails(&self) -> Vec<image::DynamicImage> {
        let shown = self.html.split_once("<ol class=\"moments\"").map_or("", |(_, rest)| rest);
        let shown = shown.split_once("</ol>").map_or("", |(list, _)| list);
        let pictures = shown.split("src=\"data:image/jpeg;base64,").skip(1);
        let decoded = pictures.map(|p| BASE64.decode(p.split_once('"').expect("an end").0.as_bytes()).expect("base64"));
        decoded.map(|p| image::load_from_memory_with_format(&p, image::ImageFormat::Jpeg).expect("a JPEG")).collect()
    }

    /// Nothing is loaded from anywhere, and what is linked lies in the page or beside it.
    #[track_caller]
    fn leads_nowhere(&self) {
        for url in self.attributes("src").into_iter().chain(self.attributes("href")) {
            assert!(["data:image/", "./", "#t="].iter().any(|s| url.starts_with(s)), "{url}");
        }
        let style = self.html.split_once("<style>").and_then(|(_, s)| s.split_once("</style>")).expect("a style").0;
        assert!(!style.contains("url(") && !style.contains("@import"), "the style loads something");
        for tag in ["<link", "<iframe", "<object", "<script src", " onerror=", " onload=", " onclick="] {
            assert!(!self.html.contains(tag), "{tag} in the page");
        }
        assert!(self.html.contains("default-src 'none'"), "a policy");
    }
}

/// A run over a scene with its truth as the detector, which needs no network.
fn run(folder: &Path, more: &str) -> Output {
    let scene = "--frames 200 --size 320x180 --fps 25";
    let truth = folder.join("truth.txt");
    fw!["run", "generate:scene", "-o", "null", "--truth", &truth].words(scene).ok();
    let detect = format!("detect:model=boxes:{}", truth.display());
    let run = fw!["run", "generate:scene", "--op", detect].words(scene).words(more);
    let ops = [
        "track",
        "count-line:name=gate,points=50%,0% 50%,100%,anchor=center,band=5",
        "zone:name=left,dwell=1,crowd=1,region=0,0,50%,100%",
        "zone:name=nowhere,region=0,0,2,2",
        "brightness:min=0.52",
    ];
    let run = ops.iter().fold(run, |run, op| run.words("--op").arg(op));
    run.within(folder).ok()
}

fn lines(path: &Path, kind: &str) -> Vec<Value> {
    let text = std::fs::read_to_string(path).expect("lines");
    let all = text.lines().map(|l| serde_json::from_str::<Value>(l).expect("JSON"));
    all.filter(|l| l["type"] == kind).collect()
}

#[test]
fn a_report_says_what_the_events_say() {
    let dir = temp();
    run(dir.path(), "-o report.html -o found.jsonl -o out.mp4");
    let report = Report::open(dir.path().join("report.html"));
    let (events, frames) =
        (lines(&dir.path().join("found.jsonl"), "event"), lines(&dir.path().join("found.jsonl"), "frame"));
    let tally = &report.data["tally"];
    assert_eq!((&tally["events"], &tally["pictures"]), (&events.len().into(), &200.into()));
    assert_eq!(tally["looked"], frames.len());

    // Every kind at every name, and nothing else.
    let mut kinds: BTreeMap<(&str, &str), u64> = BTreeMap::new();
    let text = |v: &'_ Value, key: &str| v[key].as_str().map(str::to_owned).unwrap_or_default();
    for e in &events {
        *kinds.entry((e["kind"].as_str().expect("a kind"), e["name"].as_str().expect("a name"))).or_default() += 1;
    }
    for ((kind, name), n) in &kinds {
        assert_eq!(tally["kinds"][kind][name]["count"], *n, "{kind} at {name}");
    }
    let names = tally["kinds"].as_object().expect("kinds").values().map(|k| k.as_object().expect("names").len());
    assert_eq!(names.sum::<usize>(), kinds.len());

    let mut crossed: BTreeMap<String, [u64; 2]> = BTreeMap::new();
    for e in events.iter().filter(|e| e["kind"] == "line.crossed") {
        crossed.entry(text(e, "label")).or_default()[usize::from(e["values"]["direction"] == "out")] += 1;
    }
    assert!(crossed.values().flatten().sum::<u64>() >= 3, "too few cross: {crossed:?}");
    assert_eq!(tally["lines"]["gate"]["labels"], serde_json::to_value(&crossed).expect("JSON"));

    let left = |kind: &str| events.iter().filter(|e| e["kind"] == kind && e["name"] == "left").collect::<Vec<_>>();
    let stays: Vec<f64> = left("zone.left").iter().map(|e| e["values"]["seconds"].as_f64().expect("seconds")).collect();
    let zone = &tally["zones"]["left"];
    let count = |key: &str| zone[key].as_u64().expect("a number") as usize;
    assert_eq!(
        (count("visits"), count("stays"), count("crowds")),
        (left("zone.entered").len(), stays.len(), left("crowding.started").len())
    );
    assert!(stays.len() >= 3 && count("crowds") >= 1, "too little happens: {zone}");
    assert!((zone["seconds"].as_f64().unwrap() - stays.iter().sum::<f64>()).abs() < 1e-6, "{zone}");
    assert_eq!(zone["longest"].as_f64().unwrap(), stays.iter().copied().fold(0.0, f64::max));
    let inside: Vec<i64> = frames.iter().filter_map(|f| f["counters"]["zone.left.now"].as_i64()).collect();
    assert_eq!((zone["peak"].as_i64(), zone["now"].as_i64()), (inside.iter().max().copied(), inside.last().copied()));
    // Where nothing happened is told, too.
    assert_eq!(tally["zones"]["nowhere"]["visits"], 0);

    let most = |label: &str| {
        let of = |f: &Value| f["detections"].as_array().expect("a list").iter().filter(|d| d["label"] == label).count();
        frames.iter().map(of).max().unwrap_or(0)
    };
    for label in crossed.keys() {
        assert_eq!(tally["objects"][label]["most"], most(label), "{label}");
    }

    // Each listed moment is an event, at its time; none is left out of so few.
    let listed: Vec<(u64, f64)> = report.data["moments"]
        .as_array()
        .expect("moments")
        .iter()
        .map(|m| (m["seq"].as_u64().unwrap(), m["at"].as_f64().unwrap()))
        .collect();
    let shown = ["line.crossed", "zone.entered", "zone.dwelt", "crowding.started", "limit.passed"];
    let wanted = events.iter().filter(|e| shown.contains(&e["kind"].as_str().unwrap()));
    let mut wanted: Vec<(u64, f64)> =
        wanted.map(|e| (e["seq"].as_u64().unwrap(), e["seconds"].as_f64().unwrap())).collect();
    wanted.sort_by(|a, b| a.1.total_cmp(&b.1).then(a.0.cmp(&b.0)));
    assert_eq!(listed, wanted);
    assert_eq!(report.data["left_out"]["moments"], 0);

    let thumbnails = report.thumbnails();
    assert!(thumbnails.len() as u64 + report.data["left_out"]["pictures"].as_u64().unwrap() == listed.len() as u64);
    assert!(thumbnails.len() >= 10 && thumbnails.iter().all(|t| t.width() == 256 && t.height() == 144));
    let titles: Vec<&str> = report.charts().iter().map(|c| c.0).collect();
    assert_eq!(&titles[..4], ["Crossings", "In zones at once", "Objects in a picture", "brightness"]);
    let bars: f64 = report.charts()[0].1["lines"]
        .as_array()
        .unwrap()
        .iter()
        .flat_map(|l| l["values"].as_array().unwrap())
        .filter_map(Value::as_f64)
        .sum();
    assert_eq!(bars as u64, crossed.values().flatten().sum::<u64>());
    assert!(report.html.contains("<video src=\"./out.mp4\""), "the video beside it");
    report.leads_nowhere();
    // The same run writes the same page, but for when that was.
    assert_eq!(listing(dir.path()), ["found.jsonl", "out.mp4", "report.html", "truth.txt"]);
}

#[test]
fn moments_lead_to_their_place_in_the_video() {
    let dir = temp();
    let times = |report: &Report| -> Vec<(f64, f64)> {
        let all = report.data["moments"].as_array().expect("moments").iter();
        all.map(|m| (m["at"].as_f64().expect("at"), m["film"].as_f64().expect("film"))).collect()
    };
    // A video that begins later than its source; one of half the speed.
    run(dir.path(), "--start 2 -o cut.html -o cut.webm");
    let report = Report::open(dir.path().join("cut.html"));
    assert!(report.html.contains("src=\"./cut.webm\""));
    let cut = times(&report);
    assert!(!cut.is_empty() && cut.iter().all(|(at, film)| (at - film - 2.0).abs() < 0.05), "{cut:?}");
    run(dir.path(), "-o slow.html -o slow.mp4 --op speed:factor=0.5");
    let slow = times(&Report::open(dir.path().join("slow.html")));
    assert!(slow.iter().any(|t| t.0 > 4.0) && slow.iter().all(|(at, film)| (at * 2.0 - film).abs() < 0.1), "{slow:?}");

    // The input, where it is beside the page and nothing is written there.
    let out = dir.path().join("sub");
    std::fs::create_dir(&out).expect("a folder");
    let seen = |page: &Path| {
        fw!["run", dir.path().join("slow.mp4"), "--op", "brightness:max=0.1", "-o", page]
            .words("--start 1 --frames 5")
            .ok();
        Report::open(page)
    };
    let report = seen(&dir.path().join("a b.html"));
    assert!(report.html.contains("<video src=\"./slow.mp4\""));
    assert!(times(&report).iter().all(|(at, film)| at == film && *at >= 0.99), "{:?}", times(&report));
    assert!(!seen(&out.join("elsewhere.html")).html.contains("<video"));
}

#[test]
fn a_report_of_nothing_says_so() {
    let dir = temp();
    let page = dir.path().join("report.html");
    fw!["run", "generate:bars", "-o", &page].words("--frames 5 --size 64x48").ok();
    let report = Report::open(&page);
    assert!(report.html.contains("Nothing was found: no op of this run looks for anything"));
    assert!(
        report.html.contains("5 pictures") && !report.html.contains("var uPlot=") && !report.html.contains("<table")
    );
    report.leads_nowhere();
    // One that looks in vain; and what exists is not replaced without being told.
    let run = || fw!["run", "generate:bars", "-o", &page, "--op", "detect:model=qr"].words("--frames 5 --size 64x48");
    run().fails(4).says(&["report.html", "the file exists"]);
    run().words("--overwrite").ok();
    assert!(Report::open(&page).html.contains("Nothing was found in 5 pictures looked at"));
    assert_eq!(listing(dir.path()), ["report.html"]);
}

#[test]
fn what_does_not_fit_is_refused() {
    let dir = temp();
    let config = dir.path().join("c.toml");
    std::fs::write(&config, "[source]\nuri = \"generate:bars\"\n[[sink]]\ntype = \"report\"\npath = \"a.txt\"\n")
        .expect("written");
    fw!["run", "-c", &config].fails(2).says(&["a.txt", "report.html"]);
    // What was found would be shown in the wrong places.
    let run = fw!["run", "generate:scene", "-o", dir.path().join("r.html"), "--op", "detect:model=tiny_scene"];
    run.words("--op resize:width=50% --frames 2").fails(2).says(&["resize", "r.html", "before detect"]);
}

#[test]
fn measured_values_are_charts_with_what_is_out_of_bounds() {
    let dir = temp();
    let page = dir.path().join("report.html");
    let blinking = "pipeline:videotestsrc pattern=blink ! video/x-raw,format=I420,width=160,height=120,framerate=10/1";
    fw!["run", blinking, "--op", "brightness:max=0.5", "-o", &page].words("--frames 20").ok();
    let report = Report::open(&page);
    let charts = report.charts();
    let chart = &charts.iter().find(|c| c.0 == "brightness").expect("a chart").1;
    assert_eq!(
        (chart["spans"].as_array().map(Vec::len), &chart["levels"]),
        (Some(10), &serde_json::json!([0.5])),
        "{chart}"
    );
    let range = &chart["lines"][0]["range"];
    let all = |v: &Value| v.as_array().expect("values").iter().filter_map(Value::as_f64).collect::<Vec<_>>();
    assert!(all(&range[0]).iter().all(|v| *v < 0.1) && all(&range[1]).iter().any(|v| *v > 0.9), "{range}");
    assert_eq!(report.data["tally"]["kinds"]["limit.passed"]["brightness"]["count"], 10);
}

/// As if somebody wanted to get markup into the page.
const HOSTILE: &str = "<img src=x onerror=alert(1)>'\"&.mp4";

/// A hostile file name, and hostile labels.
fn hostile(folder: &Path) -> Report {
    let input = folder.join(HOSTILE);
    fw!["run", "generate:scene", "-o", &input].words("--frames 50 --size 160x120 --fps 10").ok();
    let label = "</script><img src=x onerror=alert(1)>";
    let mut found = String::new();
    for frame in 0..50 {
        let normalized = [0.1, 0.1, 0.2, 0.4];
        let detection = serde_json::json!({
            "detector": "d", "label": label, "class": 0, "score": 0.9, "box": [frame * 3, 40, 20, 40], "normalized": normalized
        });
        let line = serde_json::json!({
            "v": 1, "type": "frame", "run": "r", "stream": "s", "frame": frame, "seconds": 0.1, "ns": 1, "size": [160, 120],
            "looked": ["d"], "detections": [detection]
        });
        found += &format!("{line}\n");
    }
    let boxes = folder.join("boxes.jsonl");
    std::fs::write(&boxes, found).expect("boxes");
    let page = folder.join("report.html");
    let detect = format!("detect:model=boxes:{}", boxes.display());
    let run = fw!["run", &input, "-o", &page, "--op", detect, "--op", "track", "--op"];
    run.arg("count-line:name=gate,points=50%,0% 50%,100%").ok();
    Report::open(page)
}

#[test]
fn hostile_names_are_text() {
    let dir = temp();
    let report = hostile(dir.path());
    assert_eq!(
        report.data["tally"]["lines"]["gate"]["labels"]["</script><img src=x onerror=alert(1)>"],
        serde_json::json!([0, 1])
    );
    assert!(!report.html.contains("<img src=x"));
    assert_eq!(report.html.matches("<script").count(), report.html.matches("</script").count());
    assert!(report.html.contains("<video src=\"./%3Cimg%20src%3Dx%20onerror%3Dalert%281%29%3E%27%22%26.mp4\""));
    report.html.split("<img ").skip(1).for_each(|i| assert!(i.starts_with("src=\"data:image/jpeg;base64,"), "{i:.80}"));
}

#[test]
fn what_hides_faces_tells_nothing_of_its_input() {
    let dir = temp();
    let input = dir.path().join("jane-doe.mp4");
    fw!["run", "generate:scene", "-o", &input].words("--frames 20 --size 160x120 --fps 10").ok();
    let page = dir.path().join("report.html");
    fw!["run", &input, "-o", &page, "--op", "detect:model=tiny_scene", "--op", "redact"].ok();
    let report = Report::open(&page);
    assert!(!report.html.contains("jane") && !report.html.contains("<video") && !report.html.contains("160×120"));
    assert!(report.html.contains("not told: this run hides things"));
}

#[test]
fn a_live_run_that_is_stopped_leaves_a_whole_report() {
    let dir = temp();
    let page = dir.path().join("report.html");
    let run = fw!["run", "generate:scene", "-o", &page, "-o", dir.path().join("e.jsonl"), "--op", "motion", "--live"];
    let mut run = run.words("--size 160x120 --fps 25").start();
    let seen = dir.path().join("e.jsonl");
    // The lines have their temporary name until the end.
    let lines = || {
        let names = listing(dir.path());
        let partial = names.iter().find(|n| n.starts_with("e.partial"))?;
        std::fs::metadata(seen.with_file_name(partial)).ok().map(|m| m.len())
    };
    run.until("something is seen", || lines().is_some_and(|n| n > 5_000));
    run.signal("INT");
    let end = run.finish();
    assert_eq!(end.code, 0, "{}", end.stderr);
    let report = Report::open(&page);
    assert_eq!(report.data["tally"]["pictures"], end.count("frames_out"));
    assert!(report.data["from"] == 0.0 && report.html.contains("clock (UTC)"), "times from 0, and those of the day");
    assert_eq!(listing(dir.path()), ["e.jsonl", "report.html"]);
}

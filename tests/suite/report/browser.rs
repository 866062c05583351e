//! The page as a browser shows it.

use super::*;

/// The document as a browser has it in the end, and what it wrote to its console; nothing where there is no browser.
fn browse(url: &str) -> Option<(String, String)> {
    let there = std::process::Command::new("chromium").arg("--version").output().is_ok_and(|o| o.status.success());
    let ci = std::env::var("CI").is_ok_and(|v| v == "true");
    if !there {
        assert!(!ci, "no chromium: scripts/setup --test installs it");
        eprintln!("left out: no chromium");
        return None;
    }
    let dir = temp();
    let log = dir.path().join("log");
    let options = "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking \
                   --disable-component-update --disable-sync --enable-logging=stderr --window-size=1200,900 \
                   --virtual-time-budget=8000 --dump-dom";
    let script = format!("exec chromium {options} \"--user-data-dir=$1\" \"$2\" 2>\"$3\"");
    let data = dir.path().join("data");
    let args: [&std::ffi::OsStr; 6] =
        ["-c".as_ref(), script.as_ref(), "sh".as_ref(), data.as_ref(), url.as_ref(), log.as_ref()];
    let dom = String::from_utf8_lossy(&tool("sh", &args)).into_owned();
    let log = std::fs::read(&log).unwrap_or_default();
    Some((dom, String::from_utf8_lossy(&log).into_owned()))
}

fn url(path: &Path) -> String {
    url::Url::from_file_path(path).expect("an absolute path").into()
}

/// Nothing went wrong, and nothing was refused by the page's own policy.
#[track_caller]
fn went_well(dom: &str, log: &str) {
    let root = dom.split_once('>').and_then(|(_, rest)| rest.split_once('>')).map_or("", |(tag, _)| tag);
    assert!(root.contains("data-status=\"ready\""), "{root}\n{log}");
    let console: Vec<&str> = log.lines().filter(|l| l.contains("CONSOLE")).collect();
    assert!(console.is_empty(), "{console:?}");
}

#[test]
fn a_browser_shows_it_and_a_click_jumps_the_video() {
    let dir = temp();
    run(dir.path(), "-o report.html -o out.webm");
    let report = Report::open(dir.path().join("report.html"));
    // As it is, with the address of a moment.
    let Some((dom, log)) = browse(&format!("{}#t=2.500", url(&report.path))) else { return };
    went_well(&dom, &log);
    assert!(dom.contains("data-moment=\"2.500\""), "the video is there");
    assert_eq!(dom.matches("<canvas").count(), report.charts().len());

    // With a script that clicks, which the policy would not let run.
    let clicks = "<script>(async () => {
        const root = document.documentElement, film = document.querySelector('video');
        const until = async f => { while (!f()) await new Promise(r => setTimeout(r, 20)); };
        await until(() => root.dataset.status);
        const painted = c => c.getContext('2d').getImageData(0, 0, c.width, c.height).data.some(v => v);
        root.dataset.painted = [...document.querySelectorAll('canvas')].filter(painted).length;
        const field = document.querySelector('input[type=search]');
        field.value = 'crossed';
        field.dispatchEvent(new Event('input'));
        root.dataset.cards = document.querySelectorAll('.moments > li:not([hidden])').length;
        const heads = [...document.querySelectorAll('th button')];
        const head = heads.find(b => b.textContent === 'visits'), body = head.closest('table').tBodies[0];
        const first = () => { head.click(); return body.rows[0].cells[0].textContent; };
        root.dataset.sorted = `${first()} ${first()}`;
        const card = [...document.querySelectorAll('.moments a')].at(-1);
        card.click();
        await until(() => film.currentTime > 0 && !film.seeking);
        root.dataset.clicked = `${card.getAttribute('href')} ${film.currentTime.toFixed(3)}`;
    })();</script></body>";
    let policy = report.html.split_once("<meta http-equiv").and_then(|(_, r)| r.split_once('>')).expect("a policy").0;
    let open = report.html.replace(&format!("<meta http-equiv{policy}>"), "").replace("</body>", clicks);
    let copy = dir.path().join("copy.html");
    std::fs::write(&copy, open).expect("written");
    let Some((mut dom, mut log)) = browse(&url(&copy)) else { return };
    // On a busy machine a browser may leave before its video has moved.
    for _ in 0..2 {
        if !dom.contains(" data-clicked=") {
            (dom, log) = browse(&url(&copy)).expect("it was there");
        }
    }
    went_well(&dom, &log);
    let said = |key: &str| {
        let start = format!(" data-{key}=\"");
        dom.split_once(&start).and_then(|(_, r)| r.split_once('"')).unwrap_or_else(|| panic!("no {key}: {log}")).0
    };
    assert_eq!(said("painted"), report.charts().len().to_string());
    let crossed = report.data["tally"]["kinds"]["line.crossed"]["gate"]["count"].as_u64().expect("a count");
    let shown: u64 = said("cards").parse().expect("a number");
    assert!(shown > 0 && shown <= crossed, "{shown} of {crossed}");
    assert_eq!(said("sorted"), "nowhere left");
    let (href, at) = said("clicked").split_once(' ').expect("two");
    assert_eq!(href, format!("#t={at}"));
}

#[test]
fn hostile_names_are_inert_in_a_browser() {
    let dir = temp();
    let report = hostile(dir.path());
    let Some((dom, log)) = browse(&url(&report.path)) else { return };
    went_well(&dom, &log);
    assert!(!dom.contains("<img src=\"x\""), "markup got in");
    assert!(dom.contains("&lt;/script&gt;&lt;img src=x onerror=alert(1)&gt;"), "and is shown");
}

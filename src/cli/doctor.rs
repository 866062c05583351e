//! `framewright doctor`: what is installed, what is missing, and which package brings it.

mod packages;

use std::collections::BTreeSet;
use std::fmt::Write as _;

use gstreamer as gst;
use serde::Serialize;

use crate::failure::Failure;
use crate::term::{self, Ink, Paint, pad};
use packages::Level::{self, Extra, Need, Want};
use packages::{Distro, GROUPS, Pack, os_release};
pub use packages::{install_hint, package_for, package_for_decoder};

/// Check the installation: every GStreamer element that framewright can use, OpenCV, fonts, display; and print the command
/// that installs what is missing.
///
/// Status: "ok" is there; "MISSING" is needed and not there (exit code 1); "missing" takes away a common format; "optional"
/// is not there and only matters to those who have the hardware or ask for it by name.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// Print one JSON object: ok (bool), system (object of strings and numbers: os, gstreamer, opencv, opencv_modules,
    /// opencv_freetype, opencv_threads, cpus, fonts, display, wayland_display), elements (array of {group, element,
    /// status: "ok" | "missing" | "optional", level: "need" | "want" | "extra", use, package}), install (the command, or
    /// null).
    #[arg(long)]
    pub json: bool,
}

/// OpenCV modules and what needs them.
const MODULES: &[(&str, Level)] = &[
    ("core", Need),
    ("imgproc", Need),
    ("imgcodecs", Extra),
    ("video", Extra),
    ("objdetect", Extra),
    ("dnn", Extra),
    ("features2d", Extra),
    ("calib3d", Extra),
    ("photo", Extra),
    ("tracking", Extra),
    ("freetype", Extra),
];

/// A line of the table and an object of `--json`.
#[derive(Serialize)]
struct Row {
    group: &'static str,
    element: &'static str,
    status: &'static str,
    level: Level,
    #[serde(rename = "use")]
    what: &'static str,
    package: Option<&'static str>,
    /// The package seems to be installed, and does not hold it.
    #[serde(skip)]
    package_is_here: bool,
}

/// What is there besides elements.
#[derive(Serialize)]
struct System {
    os: String,
    gstreamer: String,
    opencv: String,
    opencv_modules: Vec<String>,
    opencv_freetype: bool,
    opencv_threads: i32,
    cpus: usize,
    fonts: usize,
    display: Option<String>,
    wayland_display: Option<String>,
}

#[derive(Serialize)]
struct Diagnosis {
    ok: bool,
    system: System,
    elements: Vec<Row>,
    install: Option<String>,
}

/// Checks and prints. `Err` (exit code 1) if something needed is missing.
pub fn run(args: Args) -> Result<(), Failure> {
    gst::init()
        .map_err(|e| Failure::failed(format!("cannot start GStreamer: {e}")).fix("reinstall GStreamer 1.20+"))?;
    let diagnosis = diagnose();
    if args.json {
        let _ = term::print_json(&diagnosis)?;
    } else {
        let _ = term::print(&text(&diagnosis, Paint::stdout()))?;
    }
    if diagnosis.ok {
        return Ok(());
    }
    let gone: Vec<&str> = diagnosis.elements.iter().filter(|r| r.needed_and_gone()).map(|r| r.element).collect();
    let what = if gone.is_empty() { "OpenCV modules".to_owned() } else { gone.join(", ") };
    let failure = Failure::failed(format!("framewright cannot work here: missing {what}"));
    Err(match diagnosis.install {
        Some(install) => failure.fix(install),
        None => failure,
    })
}

impl Row {
    fn needed_and_gone(&self) -> bool {
        self.level == Need && self.status != "ok"
    }
}

fn diagnose() -> Diagnosis {
    let distro = Distro::here();
    let present = |element: &str| gst::ElementFactory::find(element).is_some();
    let all = || GROUPS.iter().flat_map(|(group, rows)| rows.iter().map(move |row| (*group, row)));
    let here: BTreeSet<&str> = all().filter(|(_, r)| present(r.0)).filter_map(|(_, r)| r.2.name(distro)).collect();
    let elements: Vec<Row> = all()
        .map(|(group, &(element, level, pack, what))| {
            let package = pack.name(distro);
            let status = match level {
                _ if present(element) => "ok",
                Extra => "optional",
                Need | Want => "missing",
            };
            let package_is_here = status != "ok" && package.is_some_and(|p| here.contains(p));
            Row { group, element, status, level, what, package, package_is_here }
        })
        .collect();
    let system = system();
    let mut packages: BTreeSet<&str> = elements
        .iter()
        .filter(|r| r.status == "missing" && (r.level == Need || !r.package_is_here))
        .filter_map(|r| r.package)
        .collect();
    if system.fonts == 0 {
        packages.extend(Pack::Font.name(distro));
    }
    let packages: Vec<&str> = packages.into_iter().collect();
    let install = (!packages.is_empty()).then(|| distro.install(&packages));
    let modules = MODULES.iter().all(|(m, level)| *level != Need || system.opencv_modules.iter().any(|have| have == m));
    let ok = modules && gst::version() >= (1, 20, 0, 0) && !elements.iter().any(Row::needed_and_gone);
    Diagnosis { ok, system, elements, install }
}

fn system() -> System {
    let build = opencv::core::get_build_information().unwrap_or_default();
    // "    To be built:                 calib3d core dnn …"
    let built = build.lines().find_map(|line| line.trim().strip_prefix("To be built:")).unwrap_or_default();
    let opencv_modules: Vec<String> = built.split_whitespace().map(str::to_owned).collect();
    let (major, minor, micro, _) = gst::version();
    let release = std::fs::read_to_string("/etc/os-release").unwrap_or_default();
    let variable = |name| std::env::var(name).ok().filter(|v| !v.is_empty());
    System {
        os: Some(os_release(&release, "PRETTY_NAME")).filter(|n| !n.is_empty()).unwrap_or("unknown").to_owned(),
        gstreamer: format!("{major}.{minor}.{micro}"),
        opencv: opencv::core::get_version_string().unwrap_or_default(),
        opencv_freetype: opencv_modules.iter().any(|m| m == "freetype"),
        opencv_modules,
        opencv_threads: opencv::core::get_num_threads().unwrap_or(0),
        cpus: std::thread::available_parallelism().map_or(1, usize::from),
        fonts: cosmic_text::FontSystem::new().db().faces().count(),
        display: variable("DISPLAY"),
        wayland_display: variable("WAYLAND_DISPLAY"),
    }
}

fn text(diagnosis: &Diagnosis, paint: Paint) -> String {
    let mut out = paint.ink(Ink::Bold, "system");
    out.push('\n');
    let s = &diagnosis.system;
    let have = |m: &&(&str, Level)| s.opencv_modules.iter().any(|h| h == m.0);
    let names = |list: Vec<&(&str, Level)>| list.iter().map(|m| m.0).collect::<Vec<_>>().join(" ");
    let (there, gone): (Vec<_>, Vec<_>) = MODULES.iter().partition(have);
    let mut modules = names(there);
    if !gone.is_empty() {
        let _ = write!(modules, " (without {})", names(gone));
    }
    let fonts = match s.fonts {
        0 => format!("none: text cannot be drawn; install {}", Pack::Font.name(Distro::here()).unwrap_or("a font")),
        n => format!("{n}"),
    };
    let display = match (&s.display, &s.wayland_display) {
        (None, None) => "none: DISPLAY and WAYLAND_DISPLAY are not set, windows cannot be shown".to_owned(),
        (x, wayland) => {
            [x.as_ref().map(|x| format!("DISPLAY={x}")), wayland.as_ref().map(|w| format!("WAYLAND_DISPLAY={w}"))]
                .into_iter()
                .flatten()
                .collect::<Vec<_>>()
                .join(" ")
        }
    };
    let old = if gst::version() < (1, 20, 0, 0) { " (too old: 1.20 or later is needed)" } else { "" };
    for (key, value) in [
        ("system", s.os.clone()),
        ("processors", format!("{} (OpenCV uses {} threads)", s.cpus, s.opencv_threads)),
        ("GStreamer", format!("{}{old}", s.gstreamer)),
        ("OpenCV", s.opencv.clone()),
        ("modules", modules),
        ("fonts", fonts),
        ("display", display),
    ] {
        let _ = writeln!(out, "  {} {}", pad(key, 10), term::clean(&value));
    }
    let wide = diagnosis.elements.iter().map(|r| r.element.len()).max().unwrap_or(0);
    let wide_use = diagnosis.elements.iter().map(|r| r.what.chars().count()).max().unwrap_or(0);
    let mut group = "";
    for r in &diagnosis.elements {
        if r.group != group {
            group = r.group;
            let _ = writeln!(out, "\n{}", paint.ink(Ink::Bold, group));
        }
        let (word, ink) = match (r.status, r.level) {
            ("ok", _) => ("ok", Ink::Green),
            ("missing", Need) => ("MISSING", Ink::Red),
            (word, _) => (word, Ink::Yellow),
        };
        let word = paint.ink(ink, &pad(word, 8));
        let element = pad(r.element, wide);
        if r.status == "ok" {
            let _ = writeln!(out, "  {word} {element}  {}", r.what);
            continue;
        }
        let package = match r.package {
            Some(p) if r.package_is_here && r.what.contains(" on ") => format!("no such hardware, or not in this {p}"),
            Some(p) if r.package_is_here => format!("not in this {p}"),
            Some(p) => p.to_owned(),
            None => "not packaged for this system".to_owned(),
        };
        let _ = writeln!(out, "  {word} {element}  {}  {package}", pad(r.what, wide_use));
    }
    let count = |status| diagnosis.elements.iter().filter(|r| r.status == status).count();
    let verdict = match diagnosis.ok {
        true => paint.ink(Ink::Green, "Everything needed is there."),
        false => paint.ink(Ink::Red, "Something needed is missing."),
    };
    let _ = writeln!(
        out,
        "\n{verdict} {} ok, {} missing, {} optional and not there.",
        count("ok"),
        count("missing"),
        count("optional")
    );
    if let Some(install) = &diagnosis.install {
        let _ = writeln!(out, "To install what is missing:\n  {install}");
        if install.contains("freeworld") || install.contains("plugins-ugly") && install.starts_with("dnf") {
            out.push_str("  (some of these are in RPM Fusion: https://rpmfusion.org)\n");
        }
    } else if count("missing") > 0 {
        out.push_str("Plugins that failed to load: gst-inspect-1.0 --print-blacklist\n");
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows() -> impl Iterator<Item = &'static (&'static str, Level, Pack, &'static str)> {
        GROUPS.iter().flat_map(|(_, rows)| *rows)
    }

    #[test]
    fn the_table_is_plain_and_names_every_element() {
        gst::init().unwrap();
        let diagnosis = diagnose();
        let text = text(&diagnosis, Paint::plain());
        assert!(!text.contains('\x1b'));
        for (element, ..) in rows() {
            assert!(text.contains(element));
        }
        assert!(
            diagnosis.system.opencv_modules.iter().any(|m| m == "imgproc"),
            "{:?}",
            diagnosis.system.opencv_modules
        );
        let json = serde_json::to_value(&diagnosis).unwrap();
        assert_eq!(json["elements"][0]["level"], "need");
        assert_eq!(json["elements"].as_array().unwrap().len(), rows().count());
    }
}

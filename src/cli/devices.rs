//! `framewright devices`: the cameras that are there, and how to open them.

use std::fmt::Write as _;
use std::fs::{self, OpenOptions};

use serde::Serialize;

use super::doctor;
use crate::failure::Failure;
use crate::source::cameras::{self, Camera, Picture};
use crate::term::{self, Ink, Paint, clean};

/// List the cameras: name, device, who found it, and which pictures it delivers.
///
/// Open one with `framewright run camera:0`, `camera:/dev/video0` or `camera:NAME` (any part of the name).
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// Print one JSON array with an object per camera: index (number), name, path (or null), provider ("v4l2",
    /// "pipewire", "libcamera"), source (what to write after `framewright run`), pictures (array of {format, width,
    /// height, fps: ["30/1", …]}).
    #[arg(long)]
    pub json: bool,
}

/// An object of `--json`.
#[derive(Serialize)]
struct Row<'a> {
    index: usize,
    name: &'a str,
    path: Option<&'a str>,
    provider: &'a str,
    source: String,
    pictures: Vec<Picture>,
}

/// Lists. No camera is no error.
pub fn run(args: Args) -> Result<(), Failure> {
    gstreamer::init().map_err(|e| Failure::failed(format!("cannot start GStreamer: {e}")))?;
    let found = cameras::list();
    let rows: Vec<Row> = found.iter().map(row).collect();
    if args.json {
        return term::print_json(&rows).map(drop);
    }
    let paint = Paint::stdout();
    let text = match rows[..] {
        [] => none(paint),
        _ => rows.iter().map(|row| table(row, paint)).collect::<Vec<_>>().join("\n"),
    };
    term::print(&text).map(drop)
}

fn row(camera: &Camera) -> Row<'_> {
    Row {
        index: camera.index,
        name: &camera.name,
        path: camera.path.as_deref(),
        provider: &camera.provider,
        source: format!("camera:{}", camera.index),
        pictures: cameras::pictures(&camera.caps),
    }
}

fn table(row: &Row, paint: Paint) -> String {
    let mut out = paint.ink(Ink::Bold, &format!("{}  {}", row.source, clean(row.name)));
    let path = row.path.map(|p| format!("{}, ", clean(p))).unwrap_or_default();
    let _ = writeln!(out, "\n  {path}found by {}", row.provider);
    let wide = row.pictures.iter().map(|p| p.format.len()).max().unwrap_or(0);
    for p in &row.pictures {
        let pixels = |n: Option<i32>| n.map_or("any".to_owned(), |n| n.to_string());
        let size = format!("{}×{}", pixels(p.width), pixels(p.height));
        let whole = |f: &String| f.split("..").map(|f| f.trim_end_matches("/1")).collect::<Vec<_>>().join(" to ");
        let fps = p.fps.iter().map(whole).collect::<Vec<_>>().join(", ");
        let fps = if fps.is_empty() { fps } else { format!("  {fps} fps") };
        let _ = writeln!(out, "  {}  {}{fps}", term::pad(&p.format, wide), term::pad(&size, 9));
    }
    let _ = writeln!(out, "  use it: framewright run {}", row.source);
    out
}

/// What to check where there is no camera.
fn none(paint: Paint) -> String {
    let mut out = paint.ink(Ink::Yellow, "No camera found.");
    out.push_str("\nWhat to check:\n");
    let mut nodes: Vec<_> = fs::read_dir("/dev")
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.to_string_lossy().starts_with("/dev/video"))
        .collect();
    nodes.sort();
    if nodes.is_empty() {
        out.push_str(
            "  - there is no /dev/video*: is it plugged in, and in a container passed on (--device /dev/video0)?\n",
        );
    }
    for node in nodes {
        let state = match OpenOptions::new().read(true).write(true).open(&node) {
            Ok(_) => "can be opened, but delivers no pictures (a metadata or output device?)".to_owned(),
            Err(e) if e.kind() == std::io::ErrorKind::PermissionDenied => {
                "permission denied: sudo usermod -aG video $USER, then log in again".to_owned()
            }
            Err(e) => e.to_string(),
        };
        let _ = writeln!(out, "  - {}: {state}", node.display());
    }
    for (element, what) in [
        ("v4l2src", "USB and built-in cameras"),
        ("pipewiresrc", "cameras shared by the desktop"),
        ("libcamerasrc", "Raspberry Pi and laptop MIPI cameras"),
    ] {
        if gstreamer::ElementFactory::find(element).is_none() {
            let package = doctor::package_for(element).unwrap_or("its plugin");
            let _ = writeln!(out, "  - {what} need {element}: install {package}");
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_camera_is_a_paragraph_that_says_how_to_use_it() {
        let picture = |format: &str, width, height, fps: &[&str]| Picture {
            format: format.into(),
            width,
            height,
            fps: fps.iter().map(|f| f.to_string()).collect(),
        };
        let row = Row {
            index: 1,
            name: "BRIO\n",
            path: Some("/dev/video2"),
            provider: "v4l2",
            source: "camera:1".into(),
            pictures: vec![
                picture("MJPEG", Some(1920), Some(1080), &["60/1", "30000/1001"]),
                picture("YUY2", Some(640), Some(480), &["1/1..30/1"]),
                picture("raw", None, None, &[]),
            ],
        };
        let expected = "camera:1  BRIO\\n\n  /dev/video2, found by v4l2\n  MJPEG  1920×1080  60, 30000/1001 fps\n  \
            YUY2   640×480    1 to 30 fps\n  raw    any×any  \n  use it: framewright run camera:1\n";
        assert_eq!(table(&row, Paint::plain()), expected);
    }

    #[test]
    fn no_camera_says_what_to_check() {
        gstreamer::init().unwrap();
        let text = none(Paint::plain());
        assert!(text.starts_with("No camera found.\nWhat to check:\n  - "), "{text}");
    }
}

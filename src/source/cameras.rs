//! Cameras as GStreamer's device monitor reports them.

use std::collections::BTreeMap;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use gstreamer as gst;
use gstreamer::prelude::*;

use crate::failure::Failure;

/// How long the device providers may take; PipeWire's waits for its daemon.
const PATIENCE: Duration = Duration::from_secs(5);

/// A camera that is connected.
#[derive(Clone, Debug)]
pub struct Camera {
    /// Its place in the list: the 0 of `camera:0`. By path, so that it is the same as long as the same cameras are there.
    pub index: usize,
    /// The name it gives itself.
    pub name: String,
    /// Device node, `/dev/video0`, where it has one; else the provider's own name of it.
    pub path: Option<String>,
    /// Who found it: `v4l2`, `pipewire`, `libcamera` or another provider's name.
    pub provider: String,
    /// Makes the source element.
    pub device: gst::Device,
    /// What it can deliver.
    pub caps: gst::Caps,
}

/// All cameras, one entry each even if two providers found it, in the order of their paths. Takes at most about five
/// seconds; a provider that hangs is left behind, and then the list is empty.
pub fn list() -> Vec<Camera> {
    let (send, receive) = mpsc::channel();
    let spawned = thread::Builder::new().name("cameras".into()).spawn(move || {
        let _ = send.send(monitored());
    });
    let found = match spawned {
        Ok(_) => receive.recv_timeout(PATIENCE).unwrap_or_default(),
        Err(_) => Vec::new(),
    };
    let mut cameras: Vec<Camera> = Vec::new();
    for camera in found.into_iter().map(from_device) {
        match cameras.iter_mut().find(|c| c.path.is_some() && c.path == camera.path) {
            // The same node: v4l2src reads it without a daemon between.
            Some(known) if camera.provider == "v4l2" => *known = camera,
            Some(_) => {}
            None => cameras.push(camera),
        }
    }
    cameras.sort_by_key(|c| (c.path.is_none(), natural(c.path.as_deref().unwrap_or_default()), c.name.clone()));
    for (index, camera) in cameras.iter_mut().enumerate() {
        camera.index = index;
    }
    cameras
}

/// The devices of the class `Video/Source`.
fn monitored() -> Vec<gst::Device> {
    if gst::init().is_err() {
        return Vec::new();
    }
    let monitor = gst::DeviceMonitor::new();
    monitor.add_filter(Some("Video/Source"), None);
    if monitor.start().is_err() {
        return Vec::new();
    }
    // Providers may go on reporting after `start` has returned: an empty list gets a moment to fill.
    let until = Instant::now() + Duration::from_millis(500);
    let mut devices: Vec<_> = monitor.devices().into_iter().collect();
    while devices.is_empty() && Instant::now() < until {
        thread::sleep(Duration::from_millis(50));
        devices = monitor.devices().into_iter().collect();
    }
    // Not stopped: PipeWire's provider (0.3.65) damages the heap when it is, now and then. The program ends soon, or goes on
    // with a camera that the same daemon serves.
    std::mem::forget(monitor);
    devices
}

fn from_device(device: gst::Device) -> Camera {
    let properties = device.properties();
    let text = |key: &str| properties.as_ref().and_then(|p| p.get::<String>(key).ok());
    let node = ["device.path", "api.v4l2.path", "path"].iter().find_map(|key| text(key));
    let path = node.or_else(|| text("api.libcamera.path")).or_else(|| text("object.path"));
    // `GstPipeWireDevice`, `GstV4l2Device`, `GstLibcameraDevice`.
    let kind = device.type_().name().to_ascii_lowercase();
    let known = ["pipewire", "libcamera", "v4l2"].into_iter().find(|name| kind.contains(name));
    let other = || kind.trim_start_matches("gst").trim_end_matches("device").to_owned();
    Camera {
        index: 0,
        name: device.display_name().into(),
        path,
        provider: known.map_or_else(other, str::to_owned),
        caps: device.caps().unwrap_or_else(gst::Caps::new_empty),
        device,
    }
}

/// A sort key in which `/dev/video10` comes after `/dev/video9`.
fn natural(text: &str) -> (String, u64) {
    let digits = text.len() - text.trim_end_matches(|c: char| c.is_ascii_digit()).len();
    let (stem, number) = text.split_at(text.len() - digits);
    (stem.to_owned(), number.parse().unwrap_or(0))
}

/// The camera that `wanted` means: its number in the list, its device path, its name, or a part of the name in any case.
pub fn find(cameras: &[Camera], wanted: &str) -> Result<Camera, Failure> {
    let known: Vec<_> = cameras.iter().map(|c| (c.name.as_str(), c.path.as_deref())).collect();
    choose(&known, wanted).map(|i| cameras[i].clone())
}

/// [`find`] among (name, path).
fn choose(known: &[(&str, Option<&str>)], wanted: &str) -> Result<usize, Failure> {
    let label = |i: usize| match known[i] {
        (name, Some(path)) => format!("{i}: {name} ({path})"),
        (name, None) => format!("{i}: {name}"),
    };
    if known.is_empty() {
        return Err(Failure::input(format!("cannot open camera {wanted}: there is no camera"))
            .fix("framewright devices says what to check"));
    }
    if let Some(i) = wanted.parse().ok().filter(|i| *i < known.len()) {
        return Ok(i);
    }
    if let Some(i) = known.iter().position(|(name, path)| *path == Some(wanted) || *name == wanted) {
        return Ok(i);
    }
    let lower = wanted.to_lowercase();
    let hits: Vec<usize> = (0..known.len()).filter(|&i| known[i].0.to_lowercase().contains(&lower)).collect();
    let (what, choice) = match hits[..] {
        [one] if !lower.is_empty() => return Ok(one),
        [] => ("there is no such camera", (0..known.len()).collect()),
        _ => ("several cameras have that in their names", hits),
    };
    let list = choice.into_iter().map(label).collect::<Vec<_>>().join(", ");
    Err(Failure::input(format!("cannot open camera {wanted}: {what}; there is {list}")))
}

/// One way in which a camera can deliver.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Picture {
    /// `YUY2`, `NV12`, … for raw pictures, `MJPEG`, `H.264`, … for compressed ones.
    pub format: String,
    /// Pixels; none where the camera takes any.
    pub width: Option<i32>,
    /// Pixels; none where the camera takes any.
    pub height: Option<i32>,
    /// Frames per second, as fractions, fastest first; `a..b` for a range.
    pub fps: Vec<String>,
}

/// `caps` as a list: one entry per format and size, the largest picture of each format first.
pub fn pictures(caps: &gst::Caps) -> Vec<Picture> {
    // By format, then size, the largest first; sorting is by the negative area.
    type Key = (String, i64, Option<i32>, Option<i32>);
    let mut found: BTreeMap<Key, Vec<gst::Fraction>> = BTreeMap::new();
    let mut ranges: BTreeMap<Key, Vec<String>> = BTreeMap::new();
    for s in caps.iter() {
        let formats = match s.name().as_str() {
            "video/x-raw" => many::<String>(s, "format").unwrap_or_else(|| vec!["raw".into()]),
            "image/jpeg" => vec!["MJPEG".into()],
            "video/x-h264" => vec!["H.264".into()],
            "video/x-h265" => vec!["H.265".into()],
            other => vec![other.trim_start_matches("video/x-").to_owned()],
        };
        let (width, height) = (s.get::<i32>("width").ok(), s.get::<i32>("height").ok());
        let area = -i64::from(width.unwrap_or(0)) * i64::from(height.unwrap_or(0));
        for format in formats {
            let key = (format, area, width, height);
            if let Ok(range) = s.get::<gst::FractionRange>("framerate") {
                ranges.entry(key.clone()).or_default().push(format!(
                    "{}..{}",
                    fraction(&range.min()),
                    fraction(&range.max())
                ));
            }
            found.entry(key).or_default().extend(many::<gst::Fraction>(s, "framerate").unwrap_or_default());
        }
    }
    let one = |(key, mut rates): (Key, Vec<gst::Fraction>)| {
        rates.sort_by(|a, b| b.cmp(a));
        rates.dedup();
        let mut fps: Vec<String> = rates.iter().map(fraction).collect();
        fps.extend(ranges.get(&key).into_iter().flatten().cloned());
        let (format, _, width, height) = key;
        Picture { format, width, height, fps }
    };
    found.into_iter().map(one).collect()
}

fn fraction(f: &gst::Fraction) -> String {
    format!("{}/{}", f.numer(), f.denom())
}

/// The values of a field that holds one value or a list of them.
fn many<T>(s: &gst::StructureRef, field: &str) -> Option<Vec<T>>
where
    T: for<'v> gst::glib::value::FromValue<'v> + 'static,
{
    let value = s.value(field).ok()?;
    if let Ok(list) = value.get::<gst::List>() {
        return Some(list.iter().filter_map(|v| v.get::<T>().ok()).collect());
    }
    value.get::<T>().ok().map(|one| vec![one])
}

#[cfg(test)]
mod tests {
    use super::*;

    const TWO: &[(&str, Option<&str>)] =
        &[("HD Pro Webcam C920", Some("/dev/video0")), ("Logitech BRIO", Some("/dev/video2")), ("Imx219", None)];

    #[test]
    fn a_camera_is_found_by_number_path_and_name() {
        for (wanted, index) in [
            ("0", 0),
            ("2", 2),
            ("/dev/video2", 1),
            ("Logitech BRIO", 1),
            ("brio", 1),
            ("c920", 0),
            ("920", 0),
            ("IMX", 2),
        ] {
            assert_eq!(choose(TWO, wanted).unwrap(), index, "{wanted}");
        }
    }

    #[test]
    fn a_camera_that_is_not_there_lists_those_that_are() {
        for wanted in ["3", "-1", "/dev/video1", "kinect"] {
            let failure = choose(TWO, wanted).unwrap_err();
            assert_eq!(failure.class, crate::failure::Class::Input);
            assert!(failure.message.starts_with(&format!("cannot open camera {wanted}: there is no such camera")));
            assert!(
                failure.message.ends_with(
                    "there is 0: HD Pro Webcam C920 (/dev/video0), 1: Logitech BRIO (/dev/video2), 2: Imx219"
                )
            );
        }
        assert!(choose(TWO, "i").unwrap_err().message.contains("several cameras"));
        assert!(choose(TWO, "").unwrap_err().message.contains("several cameras"));
        assert!(find(&[], "0").unwrap_err().fix.unwrap().contains("framewright devices"));
    }

    #[test]
    fn paths_sort_by_number() {
        let mut paths = ["/dev/video10", "/dev/video9", "/dev/video"];
        paths.sort_by_key(|p| natural(p));
        assert_eq!(paths, ["/dev/video", "/dev/video9", "/dev/video10"]);
    }

    #[test]
    fn listing_ends_in_time() {
        let start = Instant::now();
        let cameras = list();
        assert!(start.elapsed() < PATIENCE + Duration::from_secs(2));
        assert!(cameras.iter().enumerate().all(|(i, c)| c.index == i));
    }

    #[test]
    fn caps_become_a_list() {
        gst::init().unwrap();
        let caps: gst::Caps = "video/x-raw, format={YUY2,NV12}, width=640, height=480, framerate={15/1,30/1}; \
            video/x-raw, format=YUY2, width=1280, height=720, framerate=10/1; \
            image/jpeg, width=1920, height=1080, framerate=[1/1,60/1]; video/x-raw"
            .parse()
            .unwrap();
        let text = |p: &Picture| format!("{} {:?}x{:?} {}", p.format, p.width, p.height, p.fps.join(","));
        let list: Vec<String> = pictures(&caps).iter().map(text).collect();
        assert_eq!(
            list,
            [
                "MJPEG Some(1920)xSome(1080) 1/1..60/1",
                "NV12 Some(640)xSome(480) 30/1,15/1",
                "YUY2 Some(1280)xSome(720) 10/1",
                "YUY2 Some(640)xSome(480) 30/1,15/1",
                "raw NonexNone ",
            ]
        );
    }
}

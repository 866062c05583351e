//! What is measured on pictures, against ffmpeg's filters and against computations that share no code with the ops.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::common::*;
use crate::fw;
use framewright::config::read_op;
use framewright::frame::{Frame, Pool, Spec};
use framewright::ops::Stream;
use framewright::pipeline::chain::Chain;
use framewright::pipeline::stages;
use gstreamer::ClockTime;
use gstreamer_video::{VideoFormat, VideoInfo};

fn measure(input: &Path, op: &str) -> Output {
    fw!["run", input, "-o", "null", "--op", op].ok()
}

#[track_caller]
fn near(a: f64, b: f64, tolerance: f64, what: &str) {
    assert!((a - b).abs() <= tolerance, "{what}: {a}, not {b}");
}

fn mean(out: &Output, name: &str) -> f64 {
    out.stats["measures"][name]["mean"].as_f64().unwrap_or_else(|| panic!("no {name}: {}", out.stats["measures"]))
}

/// A few frames of the scene, without loss.
fn scene(folder: &Path, format: &str) -> PathBuf {
    let path = folder.join(format!("scene-{format}.mkv"));
    let source = "generate:scene";
    fw!["run", source, "-o", folder.join("scene.mkv"), "--overwrite", "--encoder", "ffv1"]
        .words("--frames 8 --size 320x240 --fps 10")
        .ok();
    let args = ["-v", "error", "-nostdin", "-y", "-i"].map(OsStr::new);
    let input = folder.join("scene.mkv");
    let rest = ["-pix_fmt", format, "-c:v", "ffv1"].map(OsStr::new);
    let all: Vec<&OsStr> = args.into_iter().chain([input.as_os_str()]).chain(rest).chain([path.as_os_str()]).collect();
    tool("ffmpeg", &all);
    path
}

/// A 3x3 mask over a picture, straight from its definition; edges mirrored as OpenCV's BORDER_REFLECT_101.
fn masked(luma: &[u8], w: i64, h: i64, mask: [i64; 9]) -> Vec<i64> {
    let mirror = |i: i64, n: i64| {
        if i < 0 {
            -i
        } else if i >= n {
            2 * n - 2 - i
        } else {
            i
        }
    };
    let at = |x: i64, y: i64| i64::from(luma[(mirror(y, h) * w + mirror(x, w)) as usize]);
    let around = |x: i64, y: i64| (0..9).map(|k| mask[k as usize] * at(x + k % 3 - 1, y + k / 3 - 1)).sum::<i64>();
    (0..h).flat_map(|y| (0..w).map(move |x| (x, y))).map(|(x, y)| around(x, y)).collect()
}

#[test]
fn sharpness_noise_and_brightness_are_what_their_formulas_say() {
    let dir = temp();
    let input = scene(dir.path(), "yuv420p");
    let (mut sharp, mut noise, mut bright, mut n) = (0.0, 0.0, 0.0, 0.0);
    let (w, h) = (320, 240);
    for luma in Media::open(&input).luma() {
        let edges = masked(&luma, w, h, [0, 1, 0, 1, -4, 1, 0, 1, 0]);
        let m = edges.iter().sum::<i64>() as f64 / edges.len() as f64;
        sharp += edges.iter().map(|v| (*v as f64 - m).powi(2)).sum::<f64>() / edges.len() as f64;
        let rough = masked(&luma, w, h, [1, -2, 1, -2, 4, -2, 1, -2, 1]);
        let inner = |i: usize| (1..w - 1).contains(&(i as i64 % w)) && (1..h - 1).contains(&(i as i64 / w));
        let sum: i64 = rough.iter().enumerate().filter(|(i, _)| inner(*i)).map(|(_, v)| v.abs()).sum();
        noise += (std::f64::consts::PI / 2.0).sqrt() * sum as f64 / (6.0 * (w - 2) as f64 * (h - 2) as f64);
        bright += (luma.iter().map(|v| f64::from(*v)).sum::<f64>() / luma.len() as f64 - 16.0) / 219.0;
        n += 1.0;
    }
    let out = fw!["run", &input, "-o", "null", "--op", "sharpness", "--op", "noise", "--op", "brightness"].ok();
    near(mean(&out, "sharpness"), sharp / n, 1e-6 * sharp, "sharpness");
    near(mean(&out, "noise"), noise / n, 1e-9 * noise, "noise");
    near(mean(&out, "brightness"), bright / n, 1e-9, "brightness");
    out.says(&["sharpness  mean", "noise  mean", "brightness-max  mean"]);
    // A blurred picture is less sharp.
    let blurred = fw!["run", &input, "-o", "null", "--op", "blur:size=9", "--op", "sharpness"].ok();
    assert!(mean(&blurred, "sharpness") < mean(&out, "sharpness") / 3.0);
}

#[test]
fn a_region_is_measured_and_nothing_else() {
    let dir = temp();
    let input = dir.path().join("half.mkv");
    let filter = "color=black:s=160x120:r=10:d=0.5,drawbox=x=80:y=0:w=80:h=120:c=white:t=fill,format=yuv420p";
    let args = ["-v", "error", "-f", "lavfi", "-i", filter, "-c:v", "ffv1"].map(OsStr::new);
    tool("ffmpeg", &args.into_iter().chain([input.as_os_str()]).collect::<Vec<_>>());
    for (region, wanted) in [("0,0,80,120", 0.0), ("80,0,80,120", 1.0), ("40,0,80,120", 0.5)] {
        let out = measure(&input, &format!("brightness:region='{region}'"));
        near(mean(&out, "brightness"), wanted, 0.003, region);
    }
}

/// Clips one after the other, as ffmpeg's sources make them.
fn clips(folder: &Path, name: &str, sources: &[&str]) -> PathBuf {
    let path = folder.join(name);
    let mut args: Vec<String> = ["-v", "error", "-nostdin", "-y"].map(String::from).to_vec();
    for s in sources {
        args.extend(["-f", "lavfi", "-i", s].map(String::from));
    }
    let concat = format!("concat=n={}:v=1,format=yuv420p", sources.len());
    args.extend(["-filter_complex", &concat, "-c:v", "libx264", "-qp", "8"].map(String::from));
    args.push(path.to_string_lossy().into_owned());
    tool("ffmpeg", &args.iter().map(OsStr::new).collect::<Vec<_>>());
    path
}

/// The spans that a filter of ffmpeg finds, by the names of its metadata.
fn spans_by_ffmpeg(input: &Path, filter: &str, start: &str, end: &str) -> Vec<(f64, f64)> {
    let filter = format!("{filter},metadata=print:file=-");
    let args = ["-v", "error", "-nostdin", "-i"].map(OsStr::new).into_iter().chain([input.as_os_str()]);
    let out = tool("ffmpeg", &args.chain(["-vf", &filter, "-f", "null", "-"].map(OsStr::new)).collect::<Vec<_>>());
    let text = String::from_utf8_lossy(&out).into_owned();
    let values = |key: &str| -> Vec<f64> {
        text.lines().filter_map(|l| l.strip_prefix(key)?.strip_prefix('=')?.parse().ok()).collect()
    };
    // The metadata has shorter spans than were asked for too.
    values(start).into_iter().zip(values(end)).filter(|(a, b)| b - a >= 0.5).collect()
}

fn check_spans(out: &Output, wanted: &[(f64, f64)]) {
    let spans = out.stats["ops"][0]["report"]["spans"].as_array().cloned().unwrap_or_default();
    let found: Vec<(f64, f64)> =
        spans.iter().map(|s| (s["start"].as_f64().expect("start"), s["end"].as_f64().expect("end"))).collect();
    assert_eq!(found.len(), wanted.len(), "{found:?}, not {wanted:?}");
    for ((a, b), (x, y)) in found.iter().zip(wanted) {
        // Within a frame of 25 fps.
        assert!((a - x).abs() < 0.0401 && (b - y).abs() < 0.0401, "{found:?}, not {wanted:?}");
    }
}

/// The events of an op that finds spans: one where each begins, one with its length where it is over.
fn check_alarms(folder: &Path, input: &Path, op: &str, wanted: &[(f64, f64)]) {
    let path = folder.join("events.jsonl");
    fw!["run", input, "-o", format!("events:{}", path.display()), "--overwrite", "--op", op].ok();
    let text = std::fs::read_to_string(&path).expect("events");
    let events: Vec<Value> = text.lines().map(|l| serde_json::from_str(l).expect("JSON")).collect();
    assert_eq!(events.len(), wanted.len() * 2, "{text}");
    for (pair, (start, end)) in events.chunks(2).zip(wanted) {
        assert_eq!((&pair[0]["kind"], &pair[1]["kind"]), (&"limit.passed".into(), &"limit.kept".into()), "{text}");
        assert!(pair.iter().all(|e| e["name"] == op.split(':').next().unwrap_or_default()), "{text}");
        near(pair[0]["seconds"].as_f64().expect("seconds"), *start, 0.0401, "where it begins");
        near(pair[0]["frame"].as_f64().expect("frame"), start * 25.0, 1.01, "on which frame");
        near(pair[1]["values"]["start"].as_f64().expect("start"), *start, 0.0401, "where it began");
        near(pair[1]["values"]["seconds"].as_f64().expect("seconds"), end - start, 0.0601, "how long it was");
    }
}

#[test]
fn black_spans_are_those_of_blackdetect() {
    let dir = temp();
    let (black, moving) = ("color=black:s=160x120:r=25:d=", "testsrc2=s=160x120:r=25:d=");
    let parts = [(black, "1.2"), (moving, "0.6"), (black, "0.3"), (moving, "0.4"), (black, "0.8"), (moving, "0.4")];
    let sources: Vec<String> = parts.iter().map(|(s, d)| format!("{s}{d}")).collect();
    let input = clips(dir.path(), "black.mp4", &sources.iter().map(String::as_str).collect::<Vec<_>>());
    let ffmpeg = spans_by_ffmpeg(&input, "blackdetect=d=0.5", "lavfi.black_start", "lavfi.black_end");
    assert_eq!(ffmpeg.len(), 2, "{ffmpeg:?}");
    let out = measure(&input, "black:min-duration=0.5");
    check_spans(&out, &ffmpeg);
    out.says(&["black  2 spans: 0.00..1.20 s"]);
    // The default asks for two seconds.
    measure(&input, "black").says(&["no spans found"]);
    // A span that goes on to the end counts.
    let end = clips(dir.path(), "end.mp4", &[&sources[1], &sources[0]]);
    check_spans(&measure(&end, "black:min-duration=0.5"), &[(0.6, 1.8)]);
    check_alarms(dir.path(), &input, "black:min-duration=0.5", &ffmpeg);
    check_alarms(dir.path(), &end, "black:min-duration=0.5", &[(0.6, 1.8)]);
}

#[test]
fn frozen_spans_are_those_of_freezedetect() {
    let dir = temp();
    let (still, moving) = ("smptebars=s=160x120:r=25:d=", "testsrc2=s=160x120:r=25:d=");
    let parts = [(moving, "0.6"), (still, "1.2"), (moving, "0.8"), (still, "0.3"), (moving, "0.4")];
    let sources: Vec<String> = parts.iter().map(|(s, d)| format!("{s}{d}")).collect();
    let input = clips(dir.path(), "frozen.mp4", &sources.iter().map(String::as_str).collect::<Vec<_>>());
    let keys = ["start", "end"].map(|k| format!("lavfi.freezedetect.freeze_{k}"));
    let ffmpeg = spans_by_ffmpeg(&input, "freezedetect=d=0.5", &keys[0], &keys[1]);
    assert_eq!(ffmpeg.len(), 1, "{ffmpeg:?}");
    check_spans(&measure(&input, "frozen:min-duration=0.5"), &ffmpeg);
    check_alarms(dir.path(), &input, "frozen:min-duration=0.5", &ffmpeg);
}

/// What a comparing filter of ffmpeg writes, a line for each frame.
fn compared_by_ffmpeg(a: &Path, b: &Path, filter: &str) -> String {
    let filter = format!("[0:v]setpts=N/10/TB[a];[1:v]setpts=N/10/TB[b];[a][b]{filter}=stats_file=-");
    // Its vector code counts a window too many where their number is no multiple of four: the plain code is the measure.
    let mut args: Vec<&OsStr> = ["-v", "error", "-nostdin", "-cpuflags", "0", "-i"].map(OsStr::new).to_vec();
    args.extend([a.as_os_str(), OsStr::new("-i"), b.as_os_str()]);
    args.extend(["-lavfi", &filter, "-f", "null", "-"].map(OsStr::new));
    String::from_utf8_lossy(&tool("ffmpeg", &args)).into_owned()
}

/// Mean, smallest and largest of one of its values.
fn overall(text: &str, key: &str) -> [f64; 3] {
    let value =
        |l: &str| l.split_whitespace().find_map(|w| w.strip_prefix(key)?.strip_prefix(':')?.parse::<f64>().ok());
    let all: Vec<f64> = text.lines().filter_map(value).collect();
    assert!(all.len() == 8, "{key}: {text}");
    let fold = |f: fn(f64, f64) -> f64| all.iter().copied().reduce(f).unwrap_or(f64::NAN);
    [all.iter().sum::<f64>() / all.len() as f64, fold(f64::min), fold(f64::max)]
}

#[test]
fn psnr_and_ssim_are_ffmpegs() {
    let dir = temp();
    for format in ["yuv420p", "yuv444p", "yuv420p10le", "gray", "bgr0"] {
        let reference = scene(dir.path(), format);
        let bad = dir.path().join(format!("bad-{format}.mkv"));
        fw!["run", &reference, "-o", &bad, "--encoder", "ffv1", "--op", "blur:size=5", "--op", "text:text=#{frame}"]
            .ok();
        let parts: &[(&str, &str, &str)] = match format {
            "gray" => &[("", "psnr_avg", "All"), ("-y", "psnr_y", "Y")],
            "bgr0" => &[("", "psnr_avg", "All"), ("-r", "psnr_r", "R"), ("-g", "psnr_g", "G"), ("-b", "psnr_b", "B")],
            _ => &[("", "psnr_avg", "All"), ("-y", "psnr_y", "Y"), ("-u", "psnr_u", "U"), ("-v", "psnr_v", "V")],
        };
        let theirs = ["psnr", "ssim"].map(|op| compared_by_ffmpeg(&bad, &reference, op));
        let sync = if format == "yuv444p" { "time" } else { "order" };
        let ours = ["psnr", "ssim"].map(|op| format!("{op}:reference={},sync={sync}", reference.display()));
        let out = fw!["run", &bad, "-o", "null", "--op", &ours[0], "--op", &ours[1]].ok();
        for (suffix, p, s) in parts {
            for (text, op, key, tolerance) in [(&theirs[0], "psnr", p, 0.01), (&theirs[1], "ssim", s, 1e-5)] {
                let name = format!("{op}{suffix}");
                let m = &out.stats["measures"][&name];
                for (which, wanted) in ["mean", "min", "max"].into_iter().zip(overall(text, key)) {
                    let value = m[which].as_f64().unwrap_or_else(|| panic!("{format}: no {name}: {m}"));
                    near(value, wanted, tolerance, &format!("{format} {name}, {which}"));
                }
            }
        }
    }
}

#[test]
fn a_reference_may_be_short_of_another_size_or_missing() {
    let dir = temp();
    let input = scene(dir.path(), "yuv420p");
    let short = dir.path().join("short.mkv");
    fw!["run", &input, "-o", &short].words("--encoder ffv1 --frames 5").ok();
    for sync in ["order", "time"] {
        let out = measure(&input, &format!("psnr:reference={},sync={sync}", short.display()));
        let report = &out.stats["ops"][0]["report"];
        assert_eq!((report["frames"].as_u64(), report["unmatched"].as_u64()), (Some(5), Some(3)), "{sync}: {report}");
        out.says(&["3 frames not compared"]);
        // Equal pictures: infinite, which JSON cannot say.
        assert!(report["whole"]["psnr"].is_null());
    }
    // From the middle on, by time.
    let out = fw!["run", &input, "-o", "null", "--op", format!("ssim:sync=time,reference={}", input.display())]
        .words("--start 0.4")
        .ok();
    near(mean(&out, "ssim"), 1.0, 1e-12, "the same by time");
    // Twice the size, made smaller again: much the same picture.
    let large = dir.path().join("large.mkv");
    let args = ["-v", "error", "-i"].map(OsStr::new).into_iter().chain([input.as_os_str()]);
    let args = args.chain(["-vf", "scale=640:480", "-c:v", "ffv1"].map(OsStr::new)).chain([large.as_os_str()]);
    tool("ffmpeg", &args.collect::<Vec<_>>());
    let out = measure(&input, &format!("psnr:min=50,reference={}", large.display()));
    let value = mean(&out, "psnr");
    assert!((28.0..60.0).contains(&value), "{value}");
    fw!["run", &input, "-o", "null", "--op", "psnr:reference=nothing.mkv"].fails(2).says(&["reference", "nothing.mkv"]);
    fw!["run", &input, "-o", "null", "--op", "psnr"].fails(2).says(&["reference is missing"]);
}

#[test]
fn each_frames_values_go_into_a_table() {
    let dir = temp();
    let input = scene(dir.path(), "yuv420p");
    let table = dir.path().join("values.csv");
    let op = format!("psnr:reference={}", input.display());
    let out = fw!["run", &input, "-o", "null", "--op", "blur:size=5", "--op", "sharpness", "--op", &op]
        .arg("--measures")
        .arg(&table)
        .ok();
    let text = std::fs::read_to_string(&table).expect("a table");
    let rows: Vec<Vec<&str>> = text.lines().map(|l| l.split(',').collect()).collect();
    assert_eq!(rows[0], ["frame", "seconds", "name", "value"]);
    assert_eq!(rows.len(), 1 + 8 * 5);
    let of = |name: &str| -> Vec<f64> {
        rows.iter().filter(|r| r[2] == name).map(|r| r[3].parse().expect("a number")).collect()
    };
    for name in ["sharpness", "psnr", "psnr-v"] {
        near(of(name).iter().sum::<f64>() / 8.0, mean(&out, name), 1e-9, name);
    }
    assert_eq!(rows[1 + 5 * 3][..2], ["3", "0.300000"]);
    // The input is no place for it.
    let before = std::fs::read(&input).expect("the input");
    fw!["run", &input, "-o", "null", "--measures", &input].fails(4).says(&["it is the input"]);
    assert!(std::fs::read(&input).expect("the input") == before);
}

/// Sends gray pictures through `op`: the values measured, by frame.
fn values(op: &str, pictures: &[Vec<u8>], (w, h): (u32, u32)) -> Vec<f64> {
    gstreamer::init().expect("GStreamer");
    let info = VideoInfo::builder(VideoFormat::Gray8, w, h).fps(gstreamer::Fraction::new(25, 1)).build().expect("info");
    let spec = Arc::new(Spec::new(info).expect("a layout"));
    let pool = Pool::new(&spec.info).expect("a pool");
    let frames = pictures.iter().enumerate().map(|(i, picture)| {
        let length = Some(ClockTime::from_mseconds(40));
        let pts = ClockTime::from_mseconds(40 * i as u64);
        let mut frame = Frame::new(pool.acquire().expect("a buffer"), spec.clone(), pts, length);
        let mut planes = frame.planes_mut().expect("planes");
        for (y, row) in picture.chunks(w as usize).enumerate() {
            planes.row_mut(0, y as u32).expect("a row").copy_from_slice(row);
        }
        drop(planes);
        frame
    });
    let frames: Vec<Frame> = frames.collect();
    let settings = [read_op(op).expect(op)];
    let mut chain = Chain::prepare(&settings, &spec, &Stream::default(), 1).expect("a chain");
    let mut out = Vec::new();
    stages::run(&mut chain, frames.into_iter(), &mut |f| {
        out.push(f.meta.measurement(settings[0].name).unwrap_or(f64::NAN));
        true
    })
    .expect("measured");
    out
}

/// Gaussian noise, from sums of uniform numbers.
fn gaussian(n: usize, mean: f64, sigma: f64) -> Vec<u8> {
    let mut seed = 12345u32;
    let mut uniform = move || {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        f64::from(seed >> 8) / f64::from(1 << 24)
    };
    (0..n).map(|_| (mean + sigma * ((0..12).map(|_| uniform()).sum::<f64>() - 6.0)).round() as u8).collect()
}

#[test]
fn noise_is_the_standard_deviation() {
    let size = (256, 256);
    for sigma in [2.0, 5.0, 12.0] {
        let value = values("noise", &[gaussian(256 * 256, 128.0, sigma)], size)[0];
        near(value, sigma, 0.05 * sigma, "sigma");
    }
    // A slope and a straight edge are no noise.
    let slope: Vec<u8> = (0..256 * 256).map(|i| (i % 256) as u8 / 2 + if i / 256 > 100 { 100 } else { 0 }).collect();
    assert!(values("noise", &[slope], size)[0] < 0.5);
}

#[test]
fn flicker_is_what_goes_up_and_down() {
    let picture = |level: f64| -> Vec<u8> { (0..64 * 64).map(|i| (level + f64::from(i % 64)) as u8).collect() };
    let clip = |level: fn(i32) -> f64| (0..30).map(|i| picture(level(i))).collect::<Vec<_>>();
    let steady = values("flicker", &clip(|_| 100.0), (64, 64));
    let fading = values("flicker", &clip(|i| 20.0 + 5.0 * f64::from(i)), (64, 64));
    let shaking = values("flicker", &clip(|i| 100.0 + if i % 2 == 0 { 10.0 } else { -10.0 }), (64, 64));
    assert!(steady.iter().chain(&fading).all(|v| *v < 0.001), "{steady:?} {fading:?}");
    // Ten steps of 255 both ways.
    near(shaking[29], 10.0 / 255.0, 0.002, "amplitude");
    // A cut to another picture begins anew.
    let mut cut = clip(|_| 20.0);
    cut.truncate(15);
    cut.extend((0..15).map(|_| (0..64 * 64).map(|i| 250 - (i % 64) as u8).collect()));
    assert!(values("flicker", &cut, (64, 64)).iter().all(|v| *v < 0.001));
}

#[test]
fn limits_list_the_spans_outside_of_them() {
    let dir = temp();
    let input =
        clips(dir.path(), "levels.mp4", &["color=0x202020:s=64x64:r=25:d=0.4", "color=0xe0e0e0:s=64x64:r=25:d=0.4"]);
    check_spans(&measure(&input, "brightness:max=0.5"), &[(0.4, 0.8)]);
    check_spans(&measure(&input, "brightness:min=0.5"), &[(0.0, 0.4)]);
    check_spans(&measure(&input, "brightness:min=0.01,max=0.99"), &[]);
    fw!["run", &input, "-o", "null", "--op", "brightness:min=0.9,max=0.1"].fails(2).says(&["above max"]);
}

//! What is live, comes over the network or goes to a window: a real RTSP server, an HTTP server with its ways to misbehave,
//! a virtual display.

mod common;
#[path = "live/http.rs"]
mod http;

use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use common::*;

/// A helper program; killed when the test ends.
struct Helper(Child);

impl Helper {
    /// Starts it and reads the line by which it says that it is ready.
    fn start(mut command: Command) -> (Self, String) {
        let program = command.get_program().to_string_lossy().into_owned();
        let needs = format!("cannot run {program} (`scripts/setup --test` installs what the tests use)");
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().expect(&needs);
        let mut line = String::new();
        BufReader::new(child.stdout.take().expect("piped")).read_line(&mut line).expect("a line");
        let helper = Helper(child);
        assert!(!line.trim().is_empty(), "{needs}: it said nothing");
        (helper, line.trim().to_owned())
    }
}

impl Drop for Helper {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// An RTSP server, and the beginning of its URLs.
fn rtsp(options: &[&str]) -> (Helper, String) {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/servers/rtsp.py");
    // The system's own: others have no GStreamer.
    let mut command = Command::new("/usr/bin/python3");
    command.arg(script).args(options);
    let (helper, port) = Helper::start(command);
    (helper, format!("127.0.0.1:{port}"))
}

#[test]
fn rtsp_is_recorded_with_its_audio_in_time() {
    let (_server, host) = rtsp(&[]);
    for (name, words) in [("tcp.mkv", ""), ("udp.mp4", "--rtsp-transport udp --latency 400")] {
        let dir = temp();
        let out = fw!["run", format!("rtsp://{host}/av"), "-o", dir.path().join(name), "-o", "null"]
            .words("--frames 60")
            .words(words)
            .ok();
        assert_eq!(out.count("frames_out"), 60);
        let media = Media::open(dir.path().join(name));
        let (video, audio) = (media.pts(), media.audio(0));
        assert_eq!(video.len(), 60, "{name}");
        assert!(video[0] < 0.05, "{name} begins at {}", video[0]);
        let (first, last) = (audio[0].pts, audio[audio.len() - 1].pts);
        assert!(first < 0.5, "{name}: audio begins at {first}");
        assert!((last - video[59]).abs() < 0.1, "{name}: video ends at {}, audio at {last}", video[59]);
        let longest = video.windows(2).map(|w| w[1] - w[0]).fold(0.0, f64::max);
        assert!(longest < 1.0, "{name}: a gap of {longest} s");
    }
}

/// Eight seconds at 20 fps with a keyframe each second: gray that stands still, from second 4 to 5 with a white box that moves.
fn passing(folder: &Path) -> PathBuf {
    let path = folder.join("passing.mp4");
    let picture = "color=gray:s=320x240:r=20:d=8[bg];color=white:s=60x60:r=20:d=8[box];\
                   [bg][box]overlay=x='if(between(t,4,4.99),10+130*(t-4),-100)':y=100:eval=frame,format=yuv420p[v]";
    let mut args = vec!["-v", "error", "-filter_complex", picture, "-f", "lavfi", "-i", "sine=440:r=48000:d=8"];
    args.extend("-map [v] -map 0:a -c:v libx264 -bf 0 -g 20 -c:a aac".split(' '));
    let mut args: Vec<&std::ffi::OsStr> = args.into_iter().map(std::ffi::OsStr::new).collect();
    args.push(path.as_os_str());
    tool("ffmpeg", &args);
    path
}

#[test]
fn a_clip_of_a_live_source_has_the_time_before_its_event() {
    let dir = temp();
    let video = passing(dir.path());
    let (_server, host) = rtsp(&["--file", video.to_str().expect("UTF-8"), "--audio"]);
    let out = |name: &str| format!("clips:{}/{name}/{{n}}.mp4", dir.path().display());
    let op = "motion:boxes=false,quiet=0.5s";
    let run = fw!["run", format!("rtsp://{host}/file"), "-o", out("copied"), "-o", out("encoded"), "--op", op]
        .words("--set sink.0.copy=true --set sink.0.after=1 --set sink.1.after=1 --set sink.1.preset=ultrafast")
        .end();
    // The server's end is that of the connection.
    assert!(matches!(run.code, 0 | 3), "{}", run.stderr);
    for (name, least, most) in [("encoded", 1.7, 2.3), ("copied", 1.9, 3.3)] {
        let clip = Media::open(dir.path().join(name).join("0001.mp4"));
        let pts = clip.pts();
        assert!(pts[0] < 0.001, "{name} begins at {}", pts[0]);
        let white = clip.luma().iter().position(|y| y.iter().any(|v| *v > 200)).expect("the box comes by");
        assert!((least..most).contains(&pts[white]), "{name}: {} s before the box, {white} pictures", pts[white]);
        // The camera's pace: of what is copied nothing is lost.
        let steps: Vec<f64> = pts.windows(2).map(|w| w[1] - w[0]).collect();
        let longest = steps.iter().copied().fold(0.0, f64::max);
        assert!(
            steps.iter().all(|s| *s > 0.0) && longest < if name == "copied" { 0.1 } else { 1.0 },
            "{name}: {steps:?}"
        );
        let (heard, seen) = (clip.audio(0), pts[pts.len() - 1]);
        let last = heard[heard.len() - 1].pts;
        assert!(heard[0].pts < 0.2 && (last - seen).abs() < 0.2, "{name}: sound from {} to {last}", heard[0].pts);
        assert!((3.0..5.5).contains(&seen), "{name} ends at {seen}");
    }
}

#[test]
fn rtsp_audio_that_begins_later_is_there() {
    let (_server, host) = rtsp(&[]);
    let dir = temp();
    fw!["run", format!("rtsp://{host}/late"), "-o", dir.path().join("o.mkv"), "--frames", "100"].ok();
    let media = Media::open(dir.path().join("o.mkv"));
    assert_eq!(media.frames(), 100);
    // The server lets its very first packet out at once.
    let (audio, video) = (media.audio(0), media.pts());
    assert!(audio[1].pts > 0.2, "the audio begins at {}, not at its own time", audio[1].pts);
    let (heard, seen) = (audio[audio.len() - 1].pts, video[video.len() - 1]);
    assert!((heard - seen).abs() < 0.1, "video ends at {seen}, audio at {heard}");
}

#[test]
fn rtsp_audio_that_never_comes_holds_nothing_up() {
    let (_server, host) = rtsp(&[]);
    let dir = temp();
    let out = fw!["run", format!("rtsp://{host}/silent"), "-o", dir.path().join("o.mp4"), "--frames", "100"].ok();
    assert!(out.notices().contains("audio is announced"), "{}", out.notices());
    let media = Media::open(dir.path().join("o.mp4"));
    assert_eq!((media.frames(), media.streams("audio").len()), (100, 0));
}

#[test]
fn rtsp_audio_that_stops_leaves_a_recording_that_goes_on() {
    let (_server, host) = rtsp(&[]);
    let dir = temp();
    let out = fw!["run", format!("rtsp://{host}/stops"), "-o", dir.path().join("o.mp4"), "--frames", "225"].ok();
    assert!(out.notices().contains("an audio track delivers nothing after"), "{}", out.notices());
    let media = Media::open(dir.path().join("o.mp4"));
    assert_eq!(media.frames(), 225);
    assert!(!media.audio(0).is_empty());
}

#[test]
fn rtsp_passwords_open_and_never_show() {
    for digest in [&[][..], &["--digest"]] {
        let (_server, host) = rtsp(&[&["--user", "admin", "--password", "s3cr3t/p@ss"], digest].concat());
        for (login, code, words) in [
            ("admin:s3cr3t%2Fp%40ss@", 0, "frames in"),
            ("admin:wr0ngs3cr3t@", 3, "does not accept this user name and password"),
            ("", 3, "asks for a user name and a password"),
            ("admin:s3cr3t/p@ss@", 3, "no valid URL"),
        ] {
            let out = fw!["run", "-vvv", format!("rtsp://{login}{host}/av"), "-o", "null", "--frames", "5"].end();
            assert_eq!(out.code, code, "{}", out.stderr);
            out.says(&[words]);
            for secret in ["s3cr3t", "p@ss", "p%40ss", "YWRtaW46"] {
                assert!(!format!("{}{}", out.stderr, out.stats).contains(secret), "{secret} in {}", out.stderr);
            }
        }
    }
}

#[test]
fn rtsp_failures_are_told_in_time() {
    let (_server, host) = rtsp(&[]);
    fw!["run", format!("rtsp://{host}/nothing"), "-o", "null"].fails(3).says(&["nothing under this path"]);
    fw!["run", format!("rtsp://{}/x", nobody()), "-o", "null"].fails(3).says(&["refuses the connection"]);
    let mute = TcpListener::bind("127.0.0.1:0").expect("a port");
    let at = mute.local_addr().expect("an address");
    for scheme in ["rtsp", "http"] {
        let began = Instant::now();
        let url = format!("{scheme}://{at}/x.mp4");
        let out = fw!["run", url, "-o", "null", "--timeout", "2"].fails(3);
        let told = ["no frame within 2 s", "no answer comes"].iter().any(|w| out.stderr.contains(w));
        assert!(told, "{}", out.stderr);
        assert!(began.elapsed() < Duration::from_secs(10));
    }
}

#[test]
fn a_lost_rtsp_server_is_an_error_and_the_recording_whole() {
    for transport in ["tcp", "udp"] {
        let (server, host) = rtsp(&[]);
        let dir = temp();
        let mut run = fw!["run", format!("rtsp://{host}/av"), "-o", dir.path().join("o.mp4")]
            .words("--timeout 4 --rtsp-transport")
            .arg(transport)
            .start();
        run.until("two seconds are recorded", || written(dir.path()) > 15_000);
        drop(server);
        let out = run.finish();
        assert_eq!(out.code, 3, "{}", out.stderr);
        out.says(&["lost the connection"]);
        assert_eq!(Media::open(dir.path().join("o.mp4")).frames() as u64, out.count("frames_in"));
    }
}

#[test]
fn a_signal_ends_an_rtsp_recording_well() {
    let (_server, host) = rtsp(&[]);
    let dir = temp();
    let mut run = fw!["run", format!("rtsp://{host}/av"), "-o", dir.path().join("o.mp4")].start();
    run.until("something is recorded", || written(dir.path()) > 15_000);
    run.signal("INT");
    let out = run.finish();
    assert_eq!(out.code, 0, "a camera has no end to stop before: {}", out.stderr);
    let media = Media::open(dir.path().join("o.mp4"));
    assert_eq!(media.frames() as u64, out.count("frames_in"));
    let (video, audio) = (*media.pts().last().expect("frames"), media.audio(0).last().expect("audio").pts);
    assert!((audio - video).abs() < 0.1, "video ends at {video}, audio at {audio}");
}

/// Bytes of the largest file in a folder.
fn written(dir: &Path) -> u64 {
    let size = |e: std::fs::DirEntry| e.metadata().map_or(0, |m| m.len());
    std::fs::read_dir(dir).into_iter().flatten().flatten().map(size).max().unwrap_or(0)
}

/// An address at which nobody listens.
fn nobody() -> std::net::SocketAddr {
    TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address")
}

/// A virtual display of its own.
fn display() -> (Helper, String) {
    let mut command = Command::new("Xvfb");
    command.args(["-displayfd", "1", "-screen", "0", "800x600x24", "-nolisten", "tcp", "-noreset"]);
    command.stderr(Stdio::null());
    let (helper, number) = Helper::start(command);
    (helper, format!(":{number}"))
}

/// What the display shows, as RGB of 800x600.
fn screenshot(display: &str) -> Vec<u8> {
    let grab = format!("-v error -f x11grab -video_size 800x600 -i {display} -frames:v 1 -f rawvideo -pix_fmt rgb24 -");
    tool("ffmpeg", &grab.split(' ').map(std::ffi::OsStr::new).collect::<Vec<_>>())
}

#[test]
fn a_window_shows_the_picture_with_its_text() {
    let (_server, display) = display();
    let dir = temp();
    let mut run = fw!["run", "test:blue", "-o", "display", "-o", dir.path().join("o.mp4")]
        .words("--live --size 640x480 --op text:text=HELLO,size=80,position=center,color=white")
        .env("DISPLAY", &display)
        .start();
    let mut shot = Vec::new();
    run.until("the window shows blue", || {
        shot = screenshot(&display);
        let at = |x: usize, y: usize| &shot[(y * 800 + x) * 3..][..3];
        shot.len() == 800 * 600 * 3 && at(20, 20)[2] > 200 && at(20, 20)[0] < 60
    });
    let white = shot.chunks(3).filter(|p| p.iter().all(|c| *c > 230)).count();
    assert!((1000..40_000).contains(&white), "{white} white pixels of text");
    run.signal("INT");
    let out = run.finish();
    assert_eq!(out.code, 0, "{}", out.stderr);
    assert_eq!(Media::open(dir.path().join("o.mp4")).frames() as u64, out.count("frames_in"));
}

#[test]
fn windows_play_at_the_video_s_own_speed_and_end() {
    let (_server, display) = display();
    for output in
        ["display", "display:fps", "pipeline:videoconvert ! fpsdisplaysink", "pipeline:videoconvert ! ximagesink"]
    {
        let began = Instant::now();
        let input = "pipeline:videotestsrc num-buffers=60 ! video/x-raw,format=RGB,width=320,height=240,framerate=30/1";
        let out = fw!["run", input, "-o", output].env("DISPLAY", &display).ok();
        assert_eq!(out.count("frames_out"), 60);
        assert!(began.elapsed() > Duration::from_millis(1900), "{output}: {:?}", began.elapsed());
    }
}

#[test]
fn no_display_is_an_error_with_the_alternatives() {
    let run = |display: &str| fw!["run", "test:smpte", "-o", "display", "--frames", "10"].env("DISPLAY", display);
    run("").env("WAYLAND_DISPLAY", "").fails(4).says(&["there is no display", "-o FILE.mp4"]);
    run(":4711").env("WAYLAND_DISPLAY", "").fails(4).says(&["cannot open a window on DISPLAY=:4711", "-o FILE.mp4"]);
}

/// framewright beside a PipeWire camera. PipeWire's own plug-in (0.3.65) crashes now and then when its daemon is slow: such
/// a run is repeated.
fn beside_a_camera(args: &[&str]) -> std::process::Output {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/servers/camera.sh");
    let run = || {
        let run = Command::new(&script).arg(env!("CARGO_BIN_EXE_framewright")).args(args).stdin(Stdio::null()).output();
        run.expect("cannot run tests/servers/camera.sh (`scripts/setup --test` installs what it uses)")
    };
    let crashed = |o: &std::process::Output| o.status.code().is_none_or(|c| c > 130);
    (0..4).map(|_| run()).find(|o| !crashed(o)).expect("a run that does not crash")
}

#[test]
fn a_camera_is_listed_and_recorded() {
    let listed = beside_a_camera(&["devices"]);
    let text = String::from_utf8_lossy(&listed.stdout);
    assert!(listed.status.success() && text.contains("TestCam") && text.contains("pipewire"), "{listed:?}");
    let dir = temp();
    let path = dir.path().join("camera.mp4");
    let out = path.to_str().expect("UTF-8");
    let run = beside_a_camera(&[
        "run",
        "camera:testcam",
        "-o",
        out,
        "--overwrite",
        "--frames",
        "40",
        "--op",
        "text:text={frame}",
    ]);
    assert!(run.status.success(), "{run:?}");
    let media = Media::open(&path);
    let pts = media.pts();
    // A live source on a busy machine may lose some.
    assert!((30..=40).contains(&media.frames()) && media.frames() == pts.len(), "{pts:?}");
    // Its first frame has no time: it may stand anywhere before the second, the others keep the camera's pace.
    assert!(pts[0] == 0.0 && pts[1] < 3.0, "{pts:?}");
    assert!(pts[1..].windows(2).all(|w| w[1] > w[0] && w[1] - w[0] < 3.0), "{pts:?}");
    let wrong = beside_a_camera(&["run", "camera:other", "-o", "null"]);
    let said = String::from_utf8_lossy(&wrong.stderr);
    assert_eq!(wrong.status.code(), Some(3), "{said}");
    assert!(said.contains("no such camera") && said.contains("TestCam"), "{said}");
}

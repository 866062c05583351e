//! Nothing that nobody asked to change is changed: frames, times, audio, orientation, shape, colour.

use std::path::{Path, PathBuf};

use crate::common::*;
use crate::fw;

/// Files with nothing to show.
pub const NO_VIDEO: [&str; 5] =
    ["truncated_moov_at_end.mp4", "audio_only.m4a", "test_audio.wav", "test_mono_audio.mp3", "test_stereo_audio.mp3"];

/// Files that GStreamer has no decoder for: raw video under a fourcc that its AVI demuxer does not know.
pub const NO_DECODER: [&str; 1] = ["qcif_YV16.avi"];

/// Files that are cut off: all that is there comes out, and the run says so with exit code 3.
const CUT_OFF: [&str; 1] = ["tree.avi"];

fn name(path: &Path) -> &str {
    path.file_name().and_then(|n| n.to_str()).expect("a plain name")
}

fn extension(path: &Path) -> &str {
    path.extension().and_then(|e| e.to_str()).unwrap_or_default()
}

/// Runs `check` on every `of`-th video of the folder and reports all that fail, not the first only.
fn every(part: usize, of: usize, check: fn(&Path)) {
    let skip = |p: &Path| NO_VIDEO.contains(&name(p)) || NO_DECODER.contains(&name(p));
    let files: Vec<_> = all_data().into_iter().filter(|p| !skip(p)).collect();
    let mut failed = Vec::new();
    for file in files.iter().skip(part).step_by(of) {
        if std::panic::catch_unwind(|| check(file)).is_err() {
            failed.push(file.display().to_string());
        }
    }
    assert!(failed.is_empty(), "{} files fail (their reasons are above):\n{}", failed.len(), failed.join("\n"));
}

/// Where the input's timeline starts, by ffprobe's clock.
fn zero(input: &Path, media: &Media, first: f64) -> f64 {
    match extension(input) {
        // These hold no timestamps, or start anywhere: ffprobe counts from the decoding delay, players from the first frame.
        "avi" | "mpg" | "h264" | "h265" | "wmv" => first,
        // A Matroska file starts with its first packet of any track, as in every player.
        // Opus may start before 0, with what is not to be heard; that moves nothing.
        "mkv" | "webm" => media.start().max(0.0),
        _ => 0.0,
    }
}

/// Frames and times of `out` against `input`.
fn compare_times(input: &Path, a: &Media, b: &Media) {
    let (was, is) = (a.pts(), b.pts());
    // Where a file is cut off in the middle of its last picture, ffmpeg shows what it can of that.
    let cut = usize::from(CUT_OFF.contains(&name(input)));
    assert!(
        (was.len() - cut..=was.len()).contains(&is.len()),
        "{}: {} frames became {}",
        name(input),
        was.len(),
        is.len()
    );
    let start = zero(input, a, was[0]);
    let shift = if start == was[0] { is[0] } else { 0.0 };
    let worst = was.iter().zip(&is).map(|(x, y)| (x - start - (y - shift)).abs()).fold(0.0, f64::max);
    assert!(
        worst < 0.001_001,
        "{}: worst PTS error {worst} s; {:?}… is {:?}…",
        name(input),
        &was[..3.min(was.len())],
        &is[..3.min(is.len())]
    );
}

/// Size, shape, rotation and colour of `out` against `input`.
fn compare_picture(input: &Path, a: &Media, b: &Media, run: &Output) {
    let ((w, h), is) = (a.upright_size(), b.size());
    if run.notices().contains("padded from") {
        assert_eq!((w.next_multiple_of(2), h.next_multiple_of(2)), is, "{}: padded size", name(input));
    } else {
        assert_eq!((w, h), is, "{}: size", name(input));
    }
    assert_eq!(b.rotation(), 0, "{}: rotation left", name(input));
    let mut sar = a.sar();
    if a.upright_size() != a.size() {
        sar = (sar.1, sar.0);
    }
    assert_eq!(sar, b.sar(), "{}: pixel aspect ratio", name(input));
    // Converted between RGB and YUV, the tags must change.
    if run.notices().contains("converted from") || !run.stats["converted_from"].is_null() {
        return;
    }
    let full = |m: &Media| m.tag("color_range") == "pc" || m.tag("pix_fmt").starts_with("yuvj");
    assert_eq!(full(a), full(b), "{}: full range", name(input));
    let tag = |m: &Media, key: &str| {
        // Two names of one matrix; JPEG calls it by the other one.
        m.tag(key).replace("unknown", "").replace("reserved", "").replace("bt470bg", "smpte170m")
    };
    // Where the input does not say, the file may say what players assume.
    let assumed = if is.1 > 576 { "bt709" } else { "smpte170m" };
    let (was, found) = (tag(a, "color_space"), tag(b, "color_space"));
    assert!(
        was == found || was.is_empty() && found == assumed,
        "{}: color_space {was:?} became {found:?}",
        name(input)
    );
    for key in ["color_transfer", "color_primaries"] {
        assert_eq!(tag(a, key), tag(b, key), "{}: {key}", name(input));
    }
}

/// Audio of `out` against `input`: byte for byte and in time, or with a notice.
fn compare_audio(input: &Path, a: &Media, b: &Media, run: &Output) {
    let (was, is) = (a.streams("audio"), b.streams("audio"));
    assert_eq!(was.len(), is.len(), "{}: audio tracks; {}", name(input), run.notices());
    let first = a.pts()[0];
    // The decoding delay by which ffprobe moves the pictures of an AVI is none of the audio's.
    let start = if extension(input) == "avi" { 0.0 } else { zero(input, a, first) };
    for n in 0..was.len() {
        let (x, y) = (a.audio(n), b.audio(n));
        assert!(!y.is_empty(), "{}: audio track {n} is empty", name(input));
        if run.notices().contains("re-encoded") {
            assert_ne!(was[n]["codec_name"], is[n]["codec_name"], "{}: re-encoded for nothing", name(input));
            let (p, q) = (x[x.len() - 1].pts - start, y[y.len() - 1].pts);
            assert!((p - q).abs() < 0.15, "{}: re-encoded audio ends at {q} s, not {p} s", name(input));
            continue;
        }
        // What lies before the first moment of the file may go with its edit list.
        let skipped = x.len().saturating_sub(y.len());
        let before = x.iter().take_while(|p| p.pts - start < -0.0005).count();
        assert!(
            skipped <= before,
            "{}: track {n}: {skipped} of {} packets lost, {before} of them before 0",
            name(input),
            x.len()
        );
        assert!(x.len() >= y.len(), "{}: track {n}: {} packets became {}", name(input), x.len(), y.len());
        for (p, q) in x[skipped..].iter().zip(&y) {
            assert_eq!(p.md5, q.md5, "{}: track {n}: packet at {} s", name(input), p.pts);
            // A priming packet that begins before the file, and ends in it, begins with the file.
            let error = ((p.pts - start).max(0.0) - q.pts).abs();
            assert!(error < 0.001_001, "{}: track {n}: packet at {} s is at {} s", name(input), p.pts - start, q.pts);
        }
    }
}

/// All of `out` against `input`.
pub fn compare(input: &Path, out: &Path, run: &Output) {
    let (a, b) = (Media::open(input), Media::open(out));
    compare_times(input, &a, &b);
    compare_picture(input, &a, &b, run);
    compare_audio(input, &a, &b, run);
}

fn to(input: &Path, file: &str, words: &str) -> (TempDir, Output) {
    let dir = temp();
    let out = dir.path().join(file);
    let run = fw!["run", input, "-o", &out].words(words);
    let run = if CUT_OFF.contains(&name(input)) && !words.contains("--frames") { run.fails(3) } else { run.ok() };
    (dir, run)
}

fn to_mp4(input: &Path) {
    let (dir, run) = to(input, "out.mp4", "--preset ultrafast");
    compare(input, &dir.path().join("out.mp4"), &run);
}

#[test]
fn every_file_to_mp4_0() {
    every(0, 3, to_mp4);
}

#[test]
fn every_file_to_mp4_1() {
    every(1, 3, to_mp4);
}

#[test]
fn every_file_to_mp4_2() {
    every(2, 3, to_mp4);
}

/// Pixels that no op touched come out as they went in. ffmpeg decodes both.
fn identical(input: &Path) {
    let (dir, run) = to(input, "out.mkv", "--encoder ffv1 --frames 60");
    let out = Media::open(dir.path().join("out.mkv"));
    let source = Media::open(input);
    if source.tag("field_order").contains(['t', 'b']) && source.tag("field_order") != "progressive" {
        return; // Deinterlaced: has its own test.
    }
    let native = run.stats["converted_from"].is_null() && !run.notices().contains("converted from");
    let codec = source.tag("codec_name");
    // Decoders of these are free in their inverse DCT, and GStreamer's are others than ffmpeg's.
    let exact = !matches!(codec, "mjpeg" | "mpeg1video" | "mpeg2video") && native;
    let (pix_a, pix_b) = (source.tag("pix_fmt").replace("yuvj", "yuv"), out.tag("pix_fmt").replace("yuvj", "yuv"));
    if exact && pix_a == "bgr0" {
        // The fourth byte means nothing, and decoders leave different things there.
        assert_eq!(source.rgb_of_first(60), out.rgb_of_first(60), "{}: pixels", name(input));
    } else if exact && pix_a == pix_b {
        let (was, is) = (source.md5s_of_first(60), out.md5s_of_first(60));
        assert_eq!(was.len(), is.len(), "{}: frames", name(input));
        let wrong = was.iter().zip(&is).filter(|(a, b)| a != b).count();
        assert_eq!(wrong, 0, "{}: {wrong} of {} frames differ; {}", name(input), is.len(), run.stats["input_format"]);
    } else {
        let (was, is) = (source.rgb_of_first(4), out.rgb_of_first(4));
        let worst = psnr(&was, &is);
        assert!(worst > 30.0, "{}: PSNR {worst} ({pix_a} became {pix_b})", name(input));
    }
}

fn psnr(a: &[u8], b: &[u8]) -> f64 {
    assert_eq!(a.len(), b.len(), "as many pixels");
    let sum: f64 = a.iter().zip(b).map(|(x, y)| (f64::from(*x) - f64::from(*y)).powi(2)).sum();
    10.0 * (255.0f64.powi(2) / (sum / a.len() as f64).max(1e-9)).log10()
}

#[test]
fn every_file_keeps_its_pixels_0() {
    every(0, 3, identical);
}

#[test]
fn every_file_keeps_its_pixels_1() {
    every(1, 3, identical);
}

#[test]
fn every_file_keeps_its_pixels_2() {
    every(2, 3, identical);
}

#[test]
fn audio_that_fits_nowhere_is_re_encoded_with_a_notice() {
    let Some(input) = data("derived/fragmented_854x480_h264_aac.mp4") else { return };
    let (dir, run) = to(&input, "out.webm", "--encoder vp8 --frames 48");
    assert!(run.notices().contains("re-encoded to OPUS"), "{}", run.notices());
    run.says(&["re-encoded"]);
    let out = Media::open(dir.path().join("out.webm"));
    assert_eq!(out.streams("audio")[0]["codec_name"], "opus");
    let end = out.audio(0).last().expect("audio").pts;
    assert!((1.8..2.2).contains(&end), "audio is cut with the video: it ends at {end}");
}

#[test]
fn audio_can_be_left_out() {
    let Some(input) = data("derived/two_audio_aac_opus.mkv") else { return };
    let (dir, _) = to(&input, "out.mkv", "--preset ultrafast --no-audio --frames 10");
    assert!(Media::open(dir.path().join("out.mkv")).streams("audio").is_empty());
}

#[test]
fn both_audio_tracks_go_into_every_output_unchanged() {
    let Some(input) = data("derived/two_audio_aac_opus.mkv") else { return };
    let dir = temp();
    let (a, b) = (dir.path().join("a.mkv"), dir.path().join("b.mov"));
    let run = fw!["run", &input, "-o", &a, "-o", &b].words("--preset ultrafast").ok();
    compare_audio(&input, &Media::open(&input), &Media::open(&a), &Output { stats: run.stats.clone(), ..run });
    assert_eq!(Media::open(&b).streams("audio").len(), 2);
}

#[test]
fn audio_that_starts_late_stays_late() {
    let Some(input) = data("derived/audio_starts_500ms_late.mkv") else { return };
    for container in ["out.mp4", "out.mkv", "out.ts"] {
        let (dir, _) = to(&input, container, "--preset ultrafast");
        let (a, b) = (Media::open(&input), Media::open(dir.path().join(container)));
        let gap = |m: &Media| m.audio(0)[0].pts - m.pts()[0];
        // Raw audio becomes AAC in these two, whose first packet primes the decoder and is cut by the edit list.
        let priming = if container == "out.mkv" { 0.0 } else { 1024.0 / 48000.0 };
        assert!(
            (0.0..priming + 0.0011).contains(&((gap(&a) - gap(&b)).max(0.0))),
            "{container}: {} became {}",
            gap(&a),
            gap(&b)
        );
    }
}

#[test]
fn a_variable_frame_rate_stays_variable() {
    let Some(input) = data("opencv_extra/VID00003-20100701-2204.3GP") else { return };
    for container in ["out.mp4", "out.mkv", "out.mov"] {
        let (dir, _) = to(&input, container, "--preset ultrafast");
        compare_times(&input, &Media::open(&input), &Media::open(dir.path().join(container)));
    }
}

#[test]
fn avi_says_that_it_loses_a_variable_frame_rate() {
    let Some(input) = data("opencv_extra/VID00003-20100701-2204.3GP") else { return };
    let (_dir, run) = to(&input, "out.avi", "--preset ultrafast --frames 30");
    assert!(run.notices().contains("variable frame rate"), "{}", run.notices());
}

#[test]
fn rotated_files_come_out_upright() {
    for file in
        ["derived/rotate90_768x432_h264.mp4", "derived/rotate180_768x432_h264.mp4", "opencv_extra/rotated_metadata.mp4"]
    {
        let Some(input) = data(file) else { return };
        let (dir, _) = to(&input, "out.mkv", "--encoder ffv1");
        let out = Media::open(dir.path().join("out.mkv"));
        assert_eq!(out.rotation(), 0);
        // ffmpeg turns the input upright by itself.
        assert_eq!(Media::open(&input).md5s_of_first(1000), out.md5s_of_first(1000), "{file}");
    }
}

#[test]
fn odd_sizes_stay_odd() {
    let Some(input) = data("derived/odd_321x241_h264_444.mp4") else { return };
    for (container, words) in
        [("out.mp4", "--preset ultrafast"), ("out.mkv", "--encoder ffv1"), ("out.webm", "--encoder vp9")]
    {
        let (dir, _) = to(&input, container, words);
        assert_eq!(Media::open(dir.path().join(container)).size(), (321, 241), "{container}");
    }
}

#[test]
fn the_pixel_aspect_ratio_is_kept_in_every_container() {
    let Some(input) = data("derived/anamorphic_720x576_sar64-45_h264.mp4") else { return };
    for container in ["out.mp4", "out.mov", "out.mkv", "out.ts", "out.avi"] {
        let (dir, _) = to(&input, container, "--preset ultrafast --frames 5");
        assert_eq!(Media::open(dir.path().join(container)).sar(), (64, 45), "{container}");
    }
}

/// Colour tags of each kind that ffmpeg can write, through x264 and back.
#[test]
fn colour_tags_are_those_of_the_input() {
    let dir = temp();
    let cases = [
        ("bt709", "bt709", "bt709", "tv"),
        ("smpte170m", "smpte170m", "smpte170m", "tv"),
        ("bt470bg", "bt470bg", "smpte170m", "pc"),
        ("bt2020nc", "bt2020", "smpte2084", "tv"),
        ("bt2020nc", "bt2020", "arib-std-b67", "tv"),
        ("bt709", "bt709", "iec61966-2-1", "pc"),
    ];
    for (space, primaries, transfer, range) in cases {
        let input = dir.path().join(format!("{space}-{transfer}-{range}.mp4"));
        let params =
            format!("-color_range {range} -colorspace {space} -color_primaries {primaries} -color_trc {transfer}");
        let x264 = format!(
            "colorprim={primaries}:transfer={transfer}:colormatrix={space}:fullrange={}",
            if range == "pc" { "on" } else { "off" }
        );
        let mut args: Vec<&std::ffi::OsStr> = Vec::new();
        let line = format!(
            "-v error -f lavfi -i testsrc2=size=128x96:rate=10:duration=1 -pix_fmt yuv420p {params} -c:v libx264 -x264-params {x264}"
        );
        args.extend(line.split(' ').map(std::ffi::OsStr::new));
        args.push(input.as_os_str());
        tool("ffmpeg", &args);
        for container in ["mp4", "mkv", "mov"] {
            let (out, run) = to(&input, &format!("out.{container}"), "--preset ultrafast");
            let (a, b) = (Media::open(&input), Media::open(out.path().join(format!("out.{container}"))));
            compare_picture(&input, &a, &b, &run);
        }
    }
}

#[test]
fn interlaced_comes_out_progressive_unless_kept() {
    let Some(input) = data("derived/interlaced_tff_720x576i25_h264.mp4") else { return };
    let (dir, _) = to(&input, "out.mp4", "--preset ultrafast");
    let out = Media::open(dir.path().join("out.mp4"));
    assert_eq!(out.tag("field_order"), "progressive");
    assert_eq!(out.frames(), 100, "the frame rate stays");
    let combing = |m: &Media| comb(&m.luma()[50], m.size().0 as usize);
    let (woven, made) = (combing(&Media::open(&input)), combing(&out));
    assert!(made < 0.5 * woven, "combing {woven} became {made}");
    let (dir, _) = to(&input, "kept.mkv", "--encoder ffv1 --interlaced keep --frames 20");
    assert_eq!(Media::open(&input).md5s_of_first(20), Media::open(dir.path().join("kept.mkv")).md5s_of_first(20));
}

/// How much rows differ from the rows beside them while the rows two away agree.
fn comb(luma: &[u8], width: usize) -> f64 {
    let rows: Vec<&[u8]> = luma.chunks(width).collect();
    let at = |y: usize, x: usize| i32::from(rows[y][x]);
    let mut count = 0;
    for y in 2..rows.len() - 2 {
        for x in 0..width {
            let (near, far) =
                ((at(y, x) - at(y + 1, x)).abs().min((at(y, x) - at(y - 1, x)).abs()), (at(y, x) - at(y + 2, x)).abs());
            count += usize::from(near > 12 && far < 6);
        }
    }
    count as f64
}

#[test]
fn the_title_stays_in_mp4() {
    title("out.mp4");
    title("out.mov");
}

/// matroskamux would write it quoted and escaped.
#[test]
fn no_title_is_better_than_a_garbled_one_in_matroska() {
    let Some(input) = titled() else { return };
    let (out, _) = to(&input.1, "out.mkv", "--preset ultrafast");
    assert_eq!(Media::open(out.path().join("out.mkv")).title(), None);
}

fn title(container: &str) {
    let Some((_dir, titled)) = titled() else { return };
    let (out, _) = to(&titled, container, "--preset ultrafast");
    let out = Media::open(out.path().join(container));
    assert_eq!(out.title(), Some("Corner of 5th & Main — morning"), "{container}");
}

/// A file with a title, and the folder it lies in.
fn titled() -> Option<(TempDir, PathBuf)> {
    let input = data("opencv4nodejs/traffic.mp4")?;
    let dir = temp();
    let titled = dir.path().join("titled.mp4");
    let args = ["-v", "error", "-i"].iter().map(std::ffi::OsStr::new);
    let args: Vec<&std::ffi::OsStr> = args
        .chain([input.as_os_str()])
        .chain(["-c", "copy", "-t", "1", "-metadata", "title=Corner of 5th & Main — morning"].map(std::ffi::OsStr::new))
        .chain([titled.as_os_str()])
        .collect();
    tool("ffmpeg", &args);
    Some((dir, titled))
}

#[test]
fn ten_bits_and_full_chroma_stay() {
    for (file, format) in [
        ("derived/tenbit_768x432_hevc.mp4", "yuv420p10le"),
        ("derived/odd_321x241_h264_444.mp4", "yuv444p"),
        ("torchcodec/h265_10bits.mp4", "yuv420p10le"),
    ] {
        let Some(input) = data(file) else { return };
        for words in ["--preset ultrafast", "--encoder x265 --preset ultrafast"] {
            let (dir, _) = to(&input, "out.mp4", &format!("{words} --frames 10"));
            assert_eq!(Media::open(dir.path().join("out.mp4")).tag("pix_fmt"), format, "{file} {words}");
        }
    }
}

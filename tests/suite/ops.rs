//! What the ops do to the pixels, against computations that share no code with them.

use std::path::Path;

use crate::common::*;
use crate::fw;

/// How a format comes out of an FFV1 file: ffmpeg's name, bytes a sample, planes as (samples a pixel, log2 of the
/// horizontal and vertical subsampling).
struct Stored {
    format: &'static str,
    pix: &'static str,
    bytes: usize,
    planes: &'static [(usize, usize, usize)],
}

const Y420: &[(usize, usize, usize)] = &[(1, 0, 0), (1, 1, 1), (1, 1, 1)];
const STORED: &[Stored] = &[
    Stored { format: "I420", pix: "yuv420p", bytes: 1, planes: Y420 },
    Stored { format: "NV12", pix: "yuv420p", bytes: 1, planes: Y420 },
    Stored { format: "Y42B", pix: "yuv422p", bytes: 1, planes: &[(1, 0, 0), (1, 1, 0), (1, 1, 0)] },
    Stored { format: "Y444", pix: "yuv444p", bytes: 1, planes: &[(1, 0, 0), (1, 0, 0), (1, 0, 0)] },
    Stored { format: "I420_10LE", pix: "yuv420p10le", bytes: 2, planes: Y420 },
    Stored { format: "I422_10LE", pix: "yuv422p10le", bytes: 2, planes: &[(1, 0, 0), (1, 1, 0), (1, 1, 0)] },
    Stored { format: "GRAY8", pix: "gray", bytes: 1, planes: &[(1, 0, 0)] },
    Stored { format: "GRAY16_LE", pix: "gray16le", bytes: 2, planes: &[(1, 0, 0)] },
    Stored { format: "BGR", pix: "bgr24", bytes: 1, planes: &[(3, 0, 0)] },
    Stored { format: "BGRA", pix: "bgra", bytes: 1, planes: &[(4, 0, 0)] },
];

/// One channel of one plane as integers.
struct Channel {
    w: usize,
    h: usize,
    sub: (usize, usize),
    at: Vec<i64>,
}

impl Stored {
    /// Frame `n` of `raw`, taken apart.
    fn channels(&self, raw: &[u8], (w, h): (usize, usize), n: usize) -> Vec<Channel> {
        let size = |&(c, sx, sy): &(usize, usize, usize)| w.div_ceil(1 << sx) * h.div_ceil(1 << sy) * c * self.bytes;
        let frame: usize = self.planes.iter().map(size).sum();
        let (mut at, mut out) = (n * frame, Vec::new());
        for plane in self.planes {
            let &(c, sx, sy) = plane;
            let bytes = &raw[at..at + size(plane)];
            at += size(plane);
            let samples: Vec<i64> =
                bytes.chunks(self.bytes).map(|s| s.iter().rev().fold(0, |v, b| v << 8 | i64::from(*b))).collect();
            for k in 0..c {
                let at = samples.iter().skip(k).step_by(c).copied().collect();
                out.push(Channel { w: w.div_ceil(1 << sx), h: h.div_ceil(1 << sy), sub: (sx, sy), at });
            }
        }
        out
    }
}

/// The pattern of these tests: fine structure that moves, the same every time.
fn pattern(format: &str, w: usize, h: usize) -> String {
    format!(
        "pipeline:videotestsrc num-buffers=3 pattern=zone-plate kx2=20 ky2=20 kt=3 \
         ! video/x-raw,format=AYUV,width={w},height={h},framerate=10/1 ! videoconvert dither=none ! video/x-raw,format={format}"
    )
}

fn lossless(input: &str, out: &Path, ops: &[&str]) -> Output {
    let mut run = fw!["run", input, "-o", out, "--encoder", "ffv1"];
    for op in ops {
        run = run.arg("--op").arg(op);
    }
    run.ok()
}

/// The raw frames without and with `ops`.
fn both(s: &Stored, (w, h): (usize, usize), ops: &[&str]) -> (Vec<u8>, Vec<u8>) {
    let dir = temp();
    let (a, b) = (dir.path().join("a.mkv"), dir.path().join("b.mkv"));
    lossless(&pattern(s.format, w, h), &a, &[]);
    let run = lossless(&pattern(s.format, w, h), &b, ops);
    assert!(run.stats["converted_from"].is_null(), "{}: converted before the ops", s.format);
    (Media::open(&a).raw(s.pix), Media::open(&b).raw(s.pix))
}

/// As OpenCV's BORDER_REFLECT_101: `gfedcb|abcdefgh|gfedcba`.
fn mirror(i: i64, n: usize) -> usize {
    let n = n as i64;
    if n == 1 {
        return 0;
    }
    let m = i.rem_euclid(2 * (n - 1));
    (if m < n { m } else { 2 * (n - 1) - m }) as usize
}

/// The kernel diameter on a plane that is smaller by 2^`sub`, as the op's help says.
fn diameter(size: usize, sub: usize) -> i64 {
    (((size as f64 / f64::from(1 << sub)).round() as i64) | 1).max(1)
}

/// A separable weighted mean, straight from its definition.
fn mean(c: &Channel, kx: &[f64], ky: &[f64]) -> Vec<f64> {
    let mut out = Vec::with_capacity(c.at.len());
    let (rx, ry) = (kx.len() as i64 / 2, ky.len() as i64 / 2);
    for y in 0..c.h as i64 {
        for x in 0..c.w as i64 {
            let mut sum = 0.0;
            for (j, wy) in (-ry..=ry).zip(ky) {
                let row = mirror(y + j, c.h) * c.w;
                sum += wy * (-rx..=rx).zip(kx).map(|(i, wx)| wx * c.at[row + mirror(x + i, c.w)] as f64).sum::<f64>();
            }
            out.push(sum);
        }
    }
    out
}

fn gaussian(d: i64) -> Vec<f64> {
    let sigma = 0.3 * ((d as f64 - 1.0) / 2.0 - 1.0) + 0.8;
    let w: Vec<f64> = (-d / 2..=d / 2).map(|i| (-((i * i) as f64) / (2.0 * sigma * sigma)).exp()).collect();
    let sum: f64 = w.iter().sum();
    w.iter().map(|v| v / sum).collect()
}

fn flat(d: i64) -> Vec<f64> {
    vec![1.0 / d as f64; d as usize]
}

/// Compares all channels of all frames with a computed blur.
fn check_mean(op: &str, size: usize, kernel: fn(i64) -> Vec<f64>, tolerance: f64) {
    let dims = (161, 121);
    for s in STORED {
        let (a, b) = both(s, dims, &[op]);
        assert_eq!(a.len(), b.len(), "{}", s.format);
        for n in 0..3 {
            let (was, is) = (s.channels(&a, dims, n), s.channels(&b, dims, n));
            for (k, (x, y)) in was.iter().zip(&is).enumerate() {
                let opaque = s.format == "BGRA" && k == 3;
                // NV12 is stored as I420: the same samples.
                let (kx, ky) = (kernel(diameter(size, x.sub.0)), kernel(diameter(size, x.sub.1)));
                let wanted = mean(x, &kx, &ky);
                let worst = wanted.iter().zip(&y.at).map(|(w, v)| (w - *v as f64).abs()).fold(0.0, f64::max);
                // OpenCV's fixed-point kernels are a little off for 16 bits: proportional to the range.
                let scale = match s.format {
                    "GRAY16_LE" => 100.0,
                    f if f.ends_with("10LE") => 2.0,
                    _ => 1.0,
                };
                assert!(
                    worst <= tolerance * scale || opaque,
                    "{op} on {}: channel {k} of frame {n} is off by {worst}",
                    s.format
                );
                assert!(!opaque || x.at == y.at, "{op}: opacity changed");
            }
        }
    }
}

#[test]
fn box_blur_is_the_mean_of_its_neighbours_in_every_format() {
    check_mean("blur:method=box,size=5", 5, flat, 0.51);
}

#[test]
fn gaussian_blur_is_what_the_formula_says_in_every_format() {
    check_mean("blur:size=9", 9, gaussian, 1.6);
}

#[test]
fn median_is_the_middle_value() {
    let s = &STORED[0];
    let dims = (161, 121);
    let (a, b) = both(s, dims, &["blur:method=median,size=5"]);
    let (was, is) = (&s.channels(&a, dims, 1)[0], &s.channels(&b, dims, 1)[0]);
    for y in 2..was.h - 2 {
        for x in 2..was.w - 2 {
            let mut near: Vec<i64> =
                (y - 2..=y + 2).flat_map(|j| was.at[j * was.w + x - 2..=j * was.w + x + 2].to_vec()).collect();
            near.sort_unstable();
            assert_eq!(near[12], is.at[y * was.w + x], "at {x},{y}");
        }
    }
}

#[test]
fn size_1_changes_nothing() {
    for s in STORED {
        for op in ["blur:size=1", "blur:method=box,size=1", "blur:method=median,size=1"] {
            let (a, b) = both(s, (65, 49), &[op]);
            assert!(a == b, "{op} on {}", s.format);
        }
    }
}

#[test]
fn stronger_is_smoother() {
    let dims = (161, 121);
    let rough = |op: &str| {
        let (_, b) = both(&STORED[0], dims, &[op]);
        let c = &STORED[0].channels(&b, dims, 1)[0];
        c.at.windows(2).map(|p| (p[0] - p[1]).abs()).sum::<i64>()
    };
    for method in ["gaussian", "box", "median", "bilateral"] {
        let (weak, strong) =
            (rough(&format!("blur:method={method},size=3")), rough(&format!("blur:method={method},size=31")));
        assert!(strong < weak, "{method}: {strong} is not smoother than {weak}");
    }
}

/// The pixels of channel `c` that differ, as (left, top, right, bottom), right and bottom excluded.
fn changed(a: &Channel, b: &Channel) -> Option<(usize, usize, usize, usize)> {
    let different: Vec<usize> = (0..a.at.len()).filter(|&i| a.at[i] != b.at[i]).collect();
    let x = |f: fn(usize, usize) -> usize, from: usize| different.iter().map(|i| i % a.w).fold(from, f);
    let (first, last) = (different.first()?, different.last()?);
    Some((x(usize::min, a.w), first / a.w, x(usize::max, 0) + 1, last / a.w + 1))
}

#[test]
fn a_region_is_blurred_and_nothing_else() {
    for s in STORED {
        region(s, "blur:size=15");
    }
    for method in ["box", "median", "bilateral"] {
        for s in STORED.iter().filter(|s| matches!(s.format, "NV12" | "BGR" | "BGRA")) {
            region(s, &format!("blur:method={method},size=9"));
        }
    }
}

/// Blurs a part of the picture and compares it with the blur of all of it.
fn region(s: &Stored, op: &str) {
    let dims = (160, 120);
    let (a, b) = both(s, dims, &[&format!("{op},region='40,30,60,50'")]);
    let (_, whole) = both(s, dims, &[op]);
    for (k, ((x, y), z)) in
        s.channels(&a, dims, 1).iter().zip(&s.channels(&b, dims, 1)).zip(&s.channels(&whole, dims, 1)).enumerate()
    {
        let Some((l, t, r, bottom)) = changed(x, y) else {
            assert!(x.at == z.at, "{}: channel {k} is untouched", s.format);
            continue;
        };
        let (sx, sy) = x.sub;
        assert!(
            l >= 40 >> sx && t >= 30 >> sy && r <= 100 >> sx && bottom <= 80 >> sy,
            "{}: channel {k} changed in {l},{t}..{r},{bottom}",
            s.format
        );
        // Inside it is what the blur of the whole picture is there.
        for row in (30 >> sy)..(80 >> sy) {
            let span = row * x.w + (40 >> sx)..row * x.w + (100 >> sx);
            // OpenCV rounds a little differently where its vectors end, and those depend on the width of the area.
            let worst = y.at[span.clone()].iter().zip(&z.at[span]).map(|(a, b)| (a - b).abs()).max();
            let tolerance = if s.format == "GRAY16_LE" { 32 } else { 1 };
            assert!(worst <= Some(tolerance), "{}: channel {k} row {row}: {worst:?}", s.format);
        }
    }
}

#[test]
fn a_polygon_leaves_its_corners_alone() {
    let dims = (160, 120);
    let s = &STORED[0];
    let (a, b) = both(s, dims, &["blur:size=15,region='80,10 150,60 80,110 10,60'"]);
    let (x, y) = (&s.channels(&a, dims, 1)[0], &s.channels(&b, dims, 1)[0]);
    let (mut inside, mut outside) = (0, 0);
    for i in 0..x.at.len() {
        let (px, py) = ((i % x.w) as f64 - 80.0, (i / x.w) as f64 - 60.0);
        let far = px.abs() / 70.0 + py.abs() / 50.0;
        let moved = usize::from(x.at[i] != y.at[i]);
        inside += if far < 0.95 { moved } else { 0 };
        outside += if far > 1.05 { moved } else { 0 };
    }
    assert!(outside == 0 && inside > 2000, "{inside} pixels changed inside, {outside} outside");
}

#[test]
fn text_is_where_it_should_be_and_nowhere_else() {
    let dims = (320, 240);
    let corners = [
        ("top-left", (0, 0, 160, 60)),
        ("top-right", (160, 0, 320, 60)),
        ("bottom-left", (0, 180, 160, 240)),
        ("bottom-right", (160, 180, 320, 240)),
        ("center", (80, 80, 240, 160)),
        ("100,50", (90, 40, 260, 110)),
        ("50%,100%", (80, 180, 240, 240)),
    ];
    for s in STORED {
        for (position, (l, t, r, b)) in corners {
            // Every format in two places, one format everywhere.
            if s.format != "I420" && !matches!(position, "top-left" | "bottom-right") {
                continue;
            }
            let (was, is) = both(s, dims, &[&format!("text:text=Hello,position='{position}',size=20")]);
            for n in 0..3 {
                let (x, y) = (s.channels(&was, dims, n), s.channels(&is, dims, n));
                let found = changed(&x[0], &y[0]).unwrap_or_else(|| panic!("{} {position}: no text", s.format));
                assert!(
                    found.0 >= l && found.1 >= t && found.2 <= r && found.3 <= b,
                    "{} {position}: text at {found:?}",
                    s.format
                );
                assert!((8..=40).contains(&(found.3 - found.1)), "{} {position}: height of {found:?}", s.format);
            }
        }
    }
}

#[test]
fn a_chain_is_its_ops_one_after_the_other() {
    let dir = temp();
    let path = |n: &str| dir.path().join(n);
    let input = pattern("I420", 160, 120);
    lossless(&input, &path("both.mkv"), &["blur:size=9", "text:text=x,size=30", "blur:method=median,size=3"]);
    lossless(&input, &path("1.mkv"), &["blur:size=9"]);
    lossless(path("1.mkv").to_str().unwrap(), &path("2.mkv"), &["text:text=x,size=30"]);
    lossless(path("2.mkv").to_str().unwrap(), &path("3.mkv"), &["blur:method=median,size=3"]);
    assert_eq!(Media::open(path("both.mkv")).md5s(), Media::open(path("3.mkv")).md5s());
    lossless(&input, &path("other.mkv"), &["text:text=x,size=30", "blur:size=9", "blur:method=median,size=3"]);
    assert_ne!(Media::open(path("other.mkv")).md5s(), Media::open(path("3.mkv")).md5s(), "the order counts");
}

#[test]
fn text_fields_change_with_the_frame() {
    let dims = (320, 48);
    for template in ["#{frame}", "{pts}", "{time}", "{time:%S.%L}"] {
        let (a, b) = both(&STORED[6], dims, &[&format!("text:text='{template}',size=24")]);
        let at = |n: usize| -> Vec<bool> {
            let (x, y) = (&STORED[6].channels(&a, dims, n)[0], &STORED[6].channels(&b, dims, n)[0]);
            // Where letters are white, whatever lies under them.
            x.at.iter().zip(&y.at).map(|(x, y)| x != y && *y > 200).collect()
        };
        assert_ne!(at(0), at(1), "{template}");
        assert_ne!(at(1), at(2), "{template}");
    }
}

#[test]
fn a_run_with_native_ops_converts_and_copies_nothing() {
    let Some(input) = data("opencv4nodejs/traffic.mp4") else { return };
    let run = fw!["run", &input, "-o", "null", "--op", "blur:size=9", "--op", "text:text=x", "--frames", "20"].ok();
    assert_eq!(run.count("copies"), 0, "a picture was copied");
    assert!(run.stats["converted_from"].is_null());
    assert_eq!(run.stats["input_format"], run.stats["output_format"]);
}

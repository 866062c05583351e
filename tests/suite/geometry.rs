//! The geometry ops against ffmpeg's filters and plain OpenCV calls on BGR; sizes and pixel shapes as ffprobe sees them.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use opencv::core::{self as cv, Mat, Point2f, Scalar, Size, Vector};
use opencv::prelude::*;
use opencv::{calib3d, imgproc};

use crate::common::*;
use crate::fw;

/// A folder with pictures in it.
struct Pictures {
    dir: TempDir,
    pix: &'static str,
}

impl Pictures {
    /// Three frames of the street scene, softened, stored without loss as `pix` (ffmpeg's name).
    fn new(pix: &'static str, size: (usize, usize)) -> Self {
        Pictures::with(pix, size, "gblur=sigma=1.5", 3)
    }

    fn with(pix: &'static str, size: (usize, usize), filter: &str, frames: usize) -> Self {
        let p = Pictures { dir: temp(), pix };
        fw!["run", "generate:scene", "-o", p.path("scene.mkv"), "--encoder", "ffv1"]
            .words(&format!("--size {}x{} --frames {frames} --fps 25", size.0, size.1))
            .ok();
        let (from, to) = (p.path("scene.mkv"), p.path("base.mkv"));
        let words = ["-vf", filter, "-pix_fmt", pix, "-c:v", "ffv1"].map(OsStr::new);
        let mut args = ["-v", "error", "-nostdin", "-i"].map(OsStr::new).to_vec();
        args.push(from.as_os_str());
        args.extend(words);
        args.push(to.as_os_str());
        tool("ffmpeg", &args);
        p
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// What ffmpeg's filter makes of them.
    fn ffmpeg(&self, filter: &str) -> Vec<u8> {
        let base = self.path("base.mkv");
        let mut args = ["-v", "error", "-nostdin", "-i"].map(OsStr::new).to_vec();
        args.push(base.as_os_str());
        args.extend(["-vf", filter, "-pix_fmt", self.pix, "-f", "rawvideo", "-"].map(OsStr::new));
        tool("ffmpeg", &args)
    }

    /// The file that our ops make of them.
    fn ours(&self, ops: &[&str]) -> Media {
        let out = self.path("out.mkv");
        let mut run = fw!["run", self.path("base.mkv"), "-o", &out, "--encoder", "ffv1", "--overwrite"];
        for op in ops {
            run = run.arg("--op").arg(op);
        }
        let run = run.ok();
        assert!(run.stats["converted_from"].is_null() && !run.notices().contains("converted to BGR"), "{ops:?}");
        Media::open(&out)
    }

    fn raw(&self, ops: &[&str]) -> Vec<u8> {
        self.ours(ops).raw(self.pix)
    }

    fn psnr(&self, ops: &[&str], filter: &str) -> f64 {
        psnr(&self.raw(ops), &self.ffmpeg(filter), self.pix)
    }
}

/// Over all samples of all planes, in dB.
#[track_caller]
fn psnr(a: &[u8], b: &[u8], pix: &str) -> f64 {
    assert!(a.len() == b.len() && !a.is_empty(), "{} bytes against {}", a.len(), b.len());
    let deep = pix.contains("10le");
    let (bytes, most) = if deep { (2, 1023.0) } else { (1, 255.0f64) };
    let sample = |s: &[u8]| s.iter().rev().fold(0.0, |v, b| v * 256.0 + f64::from(*b));
    let squares: f64 = a.chunks(bytes).zip(b.chunks(bytes)).map(|(a, b)| (sample(a) - sample(b)).powi(2)).sum();
    10.0 * (most * most * (a.len() / bytes) as f64 / squares.max(1e-9)).log10()
}

const FORMATS: &[&str] = &["yuv420p", "yuv420p10le", "yuv422p", "yuv444p", "gray"];

#[test]
fn what_moves_whole_samples_is_what_ffmpeg_makes() {
    for pix in FORMATS {
        // 4:2:0 in both, the rest in the harder one.
        for size in [(160, 120), (161, 121)].into_iter().skip(usize::from(*pix != "yuv420p")) {
            let p = Pictures::new(pix, size);
            let mut pairs = vec![
                ("flip:direction=horizontal", "hflip"),
                ("flip:direction=vertical", "vflip"),
                ("flip:direction=both", "hflip,vflip"),
                ("rotate:angle=180", "hflip,vflip"),
                ("crop:width=61,height=41,position='32,16'", "crop=61:41:32:16:exact=1"),
                ("crop:width=80,height=60,position=top-left", "crop=80:60:0:0"),
                ("crop:width=61,height=41,x=32,y=16", "crop=61:41:32:16:exact=1"),
            ];
            if *pix != "yuv422p" {
                pairs.push(("rotate:angle=90", "transpose=clock"));
                pairs.push(("rotate:angle=-90", "transpose=cclock"));
            }
            let margins = format!("pad:left=20,top=14,right={},bottom={}", 180 - size.0, 136 - size.1);
            // ffmpeg's pad loses the last row and column of an odd picture whose colour planes are smaller, and its black is 16 on
            // full-range gray.
            if size.0 % 2 == 0 || *pix == "yuv444p" {
                pairs.push((&margins, "pad=200:150:20:14"));
                pairs.push(("pad:width=200,height=150,position='20,14'", "pad=200:150:20:14"));
            }
            for (op, filter) in pairs {
                assert!(p.raw(&[op]) == p.ffmpeg(filter), "{op} on {pix} {size:?} is not {filter}");
            }
        }
    }
}

#[test]
fn turning_back_gives_the_picture_back() {
    for pix in ["yuv420p", "yuv420p10le", "gray"] {
        let p = Pictures::new(pix, (161, 121));
        let base = Media::open(p.path("base.mkv")).raw(pix);
        assert!(p.raw(&["rotate:angle=90", "rotate:angle=270"]) == base, "{pix}: quarter turns");
        assert!(p.raw(&["flip", "flip"]) == base, "{pix}: flips");
        assert!(p.raw(&["zoom:factor=1,x=20"]) == base, "{pix}: no zoom");
        assert!(p.raw(&["perspective"]) == base, "{pix}: the corners where they are");
        assert!(p.raw(&["resize:width=100%"]) == base, "{pix}: the same size");
        assert!(
            p.raw(&["pad:left=16,top=8", "crop:width=161,height=121,position='16,8'"]) == base,
            "{pix}: put and cut"
        );
        assert!(p.raw(&["flip"]) != base && p.raw(&["zoom:factor=1.5"]) != base, "{pix}: something happens");
    }
}

#[test]
fn resized_pictures_are_like_ffmpegs() {
    for pix in ["yuv420p", "yuv420p10le", "yuv422p"] {
        let p = Pictures::new(pix, (320, 240));
        for (op, filter, least) in [
            ("resize:width=160", "scale=160:120:flags=area", 45.0),
            ("resize:width=210,height=158,interpolation=area", "scale=210:158:flags=area", 40.0),
            ("resize:width=200%", "scale=640:480:flags=bicubic", 45.0),
            ("resize:width=600,interpolation=linear", "scale=600:450:flags=bilinear", 45.0),
            ("resize:width=480,interpolation=lanczos", "scale=480:-2:flags=lanczos", 45.0),
            ("resize:width=400,height=120", "scale=400:120:flags=bicubic", 40.0),
            ("resize:width=200,height=200,mode=fit", "scale=200:150:flags=area,pad=200:200:0:BAR", 40.0),
            ("resize:width=120,height=120,mode=fill", "crop=240:240:40:0,scale=120:120:flags=area", 45.0),
        ] {
            // Where rows share colour samples, the bar of 25 rows becomes one of 26.
            let filter = filter.replace(":BAR", if pix == "yuv422p" { ":25" } else { ":26" });
            let got = p.psnr(&[op], &filter);
            assert!(got >= least, "{op} on {pix}: {got:.1} dB against {filter}");
        }
    }
}

#[test]
fn turned_and_pulled_pictures_are_like_ffmpegs() {
    for pix in ["yuv420p", "yuv444p", "yuv420p10le"] {
        let p = Pictures::new(pix, (320, 240));
        let got = p.psnr(&["rotate:angle=20,expand=false"], "rotate=20*PI/180:ow=iw:oh=ih:c=black");
        // ffmpeg's border is jagged and lies a pixel further out, which is some hundred pixels of another brightness.
        assert!(got >= 27.0, "rotate on {pix}: {got:.1} dB");
        let got = p.psnr(
            &["rotate:angle=20,expand=false", "crop:width=50%,height=50%"],
            "rotate=20*PI/180:ow=iw:oh=ih:c=black,crop=160:120:80:60",
        );
        assert!(got >= 45.0, "rotate, in the middle, on {pix}: {got:.1} dB");
        let got = p.psnr(
            &["perspective:from='20,10 300,20 310,230 10,220'"],
            "perspective=x0=20:y0=10:x1=300:y1=20:x2=10:y2=220:x3=310:y3=230:interpolation=linear",
        );
        assert!(got >= 45.0, "perspective on {pix}: {got:.1} dB");
    }
}

/// The first frame as BGR, by ffmpeg.
fn bgr(media: &Media) -> Mat {
    let (w, h) = media.size();
    let raw = media.raw("bgr24");
    let first = &raw[..(w * h * 3) as usize];
    let mat = Mat::from_slice(first).expect("a row");
    mat.reshape(3, h as i32).expect("pixels").try_clone().expect("memory")
}

fn against(ours: &Mat, plain: &Mat) -> f64 {
    cv::psnr_def(ours, plain).expect("the same size")
}

#[test]
fn native_planes_give_what_opencv_gives_on_bgr() {
    for pix in ["yuv420p", "yuv422p", "yuv420p10le"] {
        let p = Pictures::new(pix, (320, 240));
        let base = bgr(&Media::open(p.path("base.mkv")));
        let (size, black) = (Size::new(320, 240), Scalar::default());
        let mut plain = Mat::default();
        let check = |op: &str, plain: &Mat, least: f64| {
            let got = against(&bgr(&p.ours(&[op])), plain);
            assert!(got >= least, "{op} on {pix}: {got:.1} dB");
        };

        let m = imgproc::get_rotation_matrix_2d(Point2f::new(159.5, 119.5), -17.0, 1.0).unwrap();
        imgproc::warp_affine(&base, &mut plain, &m, size, imgproc::INTER_LINEAR, cv::BORDER_CONSTANT, black).unwrap();
        check("rotate:angle=17,expand=false", &plain, 38.0);

        let m = imgproc::get_rotation_matrix_2d(Point2f::new(159.5, 119.5), 0.0, 2.0).unwrap();
        imgproc::warp_affine(&base, &mut plain, &m, size, imgproc::INTER_CUBIC, cv::BORDER_REPLICATE, black).unwrap();
        check("zoom:factor=2", &plain, 40.0);

        let corners = |c: [(f32, f32); 4]| c.map(|(x, y)| Point2f::new(x - 0.5, y - 0.5)).into_iter().collect();
        let from: Vector<Point2f> = corners([(40.0, 20.0), (290.0, 40.0), (310.0, 220.0), (10.0, 230.0)]);
        let to: Vector<Point2f> = corners([(0.0, 0.0), (320.0, 0.0), (320.0, 240.0), (0.0, 240.0)]);
        let m = imgproc::get_perspective_transform_def(&from, &to).unwrap();
        imgproc::warp_perspective(&base, &mut plain, &m, size, imgproc::INTER_LINEAR, cv::BORDER_CONSTANT, black)
            .unwrap();
        check("perspective:from='40,20 290,40 310,220 10,230'", &plain, 40.0);

        imgproc::resize(&base, &mut plain, Size::new(200, 150), 0.0, 0.0, imgproc::INTER_AREA).unwrap();
        check("resize:width=200", &plain, 40.0);
    }
}

#[test]
fn lenses_are_straightened_as_opencv_does_it() {
    let p = Pictures::new("yuv420p", (320, 180));
    let base = bgr(&Media::open(p.path("base.mkv")));
    let camera = [240.0, 0.0, 159.5, 0.0, 240.0, 89.5, 0.0, 0.0, 1.0f64];
    let k = Mat::from_slice_2d(&[&camera[..3], &camera[3..6], &camera[6..]]).unwrap();
    let (size, mut plain) = (Size::new(320, 180), Mat::default());
    for alpha in [0.0, 1.0] {
        let d = Mat::from_slice(&[-0.28, 0.08, 0.0, 0.0, 0.0f64]).unwrap();
        let new = calib3d::get_optimal_new_camera_matrix(&k, &d, size, alpha, size, None, false).unwrap();
        calib3d::undistort(&base, &mut plain, &k, &d, &new).unwrap();
        let got =
            against(&bgr(&p.ours(&[&format!("undistort:calibration=config/assets/lens.yaml,alpha={alpha}")])), &plain);
        // The gaps at alpha = 1 have edges, and edges are where reduced colour planes differ.
        assert!(got >= if alpha == 0.0 { 40.0 } else { 36.0 }, "alpha {alpha}: {got:.1} dB");
    }
    let lens = p.path("fish.json");
    std::fs::write(&lens, r#"{"K": [240, 0, 159.5, 0, 240, 89.5, 0, 0, 1], "D": [0.05, -0.01, 0, 0]}"#).unwrap();
    let d = Mat::from_slice(&[0.05, -0.01, 0.0, 0.0f64]).unwrap();
    let (eye, mut new) = (Mat::eye(3, 3, cv::CV_64F).unwrap().to_mat().unwrap(), Mat::default());
    calib3d::estimate_new_camera_matrix_for_undistort_rectify(&k, &d, size, &eye, &mut new, 0.0, Size::default(), 1.0)
        .unwrap();
    calib3d::fisheye_undistort_image(&base, &mut plain, &k, &d, &new, Size::default()).unwrap();
    let op = format!("undistort:model=fisheye,calibration={}", lens.display());
    let got = against(&bgr(&p.ours(&[&op])), &plain);
    assert!(got >= 40.0, "fisheye: {got:.1} dB");
}

#[test]
fn a_calibration_that_cannot_be_is_named() {
    let dir = temp();
    let file = dir.path().join("odd.yaml");
    std::fs::write(&file, "K: [1, 0, 0, 0, 1, 0, 0, 0, 1]\nD: [1, 2, 3]\n").unwrap();
    let run = |calibration: &Path| {
        let op = format!("undistort:calibration={}", calibration.display());
        fw!["run", "generate:scene", "-o", "null", "--op", op].words("--frames 1 --size 64x48").fails(2)
    };
    run(&file).says(&["odd.yaml", "3 distortion coefficients"]);
    run(&dir.path().join("none.yaml")).says(&["none.yaml"]);
    fw!["run", "generate:scene", "-o", "null", "--op", "undistort"]
        .fails(2)
        .says(&["calibration", "config/assets/lens.yaml"]);
}

#[test]
fn sizes_and_pixel_shapes_are_right_in_the_file() {
    let p = Pictures::with("yuv420p", (180, 144), "setsar=64/45", 2);
    for (op, size, sar) in [
        ("rotate:angle=90", (144u32, 180u32), (45u32, 64u32)),
        ("rotate:angle=180", (180, 144), (64, 45)),
        ("resize:width=160,height=120", (160, 120), (4, 3)),
        ("resize:width=256,height=144,square=true", (256, 144), (1, 1)),
        ("resize:height=144,square=true", (256, 144), (1, 1)),
        ("resize:width=90", (90, 72), (64, 45)),
        ("resize:width=200,height=200,mode=fit", (200, 200), (64, 45)),
        ("resize:width=200,height=200,mode=fill,square=true", (200, 200), (1, 1)),
        ("resize:width=200,height=200,mode=inside,square=true", (200, 112), (1, 1)),
        ("crop:aspect=1:1", (102, 144), (64, 45)),
        ("pad:aspect=4:1,background=blur", (406, 144), (64, 45)),
        ("pad:right=21", (201, 144), (64, 45)),
        ("rotate:angle=30,expand=false", (180, 144), (64, 45)),
        ("perspective:width=101,height=77", (101, 77), (64, 45)),
    ] {
        let media = p.ours(&[op]);
        assert_eq!((media.size(), media.frames()), ((u64::from(size.0), u64::from(size.1)), 2), "{op}");
        // Matroska holds the shape as whole pixels of the size shown.
        let (is, wanted) = (media.sar().0 as f64 / media.sar().1 as f64, f64::from(sar.0) / f64::from(sar.1));
        assert!((is / wanted - 1.0).abs() < 1.0 / f64::from(size.0), "{op}: {is} is not {wanted}");
    }
}

#[test]
fn what_cannot_be_is_refused_with_a_reason() {
    let fails = |op: &str, code| {
        fw!["run", "generate:scene", "-o", "null", "--op", op].words("--frames 4 --size 64x48").fails(code)
    };
    fails("crop:width=100", 2).says(&["100x48", "64x48"]);
    fails("pad:width=10", 2).says(&["10x48", "64x48"]);
    fails("resize", 2).says(&["width", "height"]);
    fails("resize:width=0", 2).says(&["width = 0"]);
    fails("perspective:from='0,0 9,9 9,0 0,9'", 2).says(&["cross"]);
    fails("rotate:angle=90,region='0,0,9,9'", 2).says(&["region", "size"]);
    fails("crop:width=10,when=1s..2s", 2).says(&["when", "size"]);
    fails("stabilize:smoothing=[[0s,1],[1s,2]]", 2).says(&["keyframes"]);
}

#[test]
fn keyframes_pan_zoom_and_turn() {
    let p = Pictures::new("yuv420p", (160, 120));
    let frame = 160 * 120 * 3 / 2;
    let pan = p.raw(&["crop:width=80,height=60,x=[[0s,0],[0.08s,40]],y=20"]);
    for (n, x) in [(0, 0), (1, 20), (2, 40)] {
        let still = p.ffmpeg(&format!("crop=80:60:{x}:20"));
        let at = n * frame / 4..(n + 1) * frame / 4;
        assert!(pan[at.clone()] == still[at], "frame {n} of the pan");
    }
    let zoom = p.raw(&["zoom:factor=[[0s,1],[0.08s,3]]"]);
    let (first, last) = (p.raw(&["zoom:factor=1"]), p.raw(&["zoom:factor=3"]));
    assert!(zoom[..frame] == first[..frame] && zoom[2 * frame..] == last[2 * frame..]);
    let turn = p.raw(&["rotate:expand=false,angle=[[0s,0],[0.08s,90]]"]);
    assert!(
        turn[..frame] == first[..frame]
            && turn[frame..2 * frame] == p.raw(&["rotate:expand=false,angle=45"])[frame..2 * frame]
    );
}

#[test]
fn the_blurred_background_is_behind_and_only_there() {
    let p = Pictures::new("yuv420p", (160, 90));
    let plain = Media::open(p.path("base.mkv")).luma();
    let padded = p.ours(&["pad:aspect=1:1,background=blur"]).luma();
    let (above, below) = (padded[0][..160 * 34].to_vec(), padded[0][160 * 126..].to_vec());
    assert!(padded[0][160 * 34..160 * 124] == plain[0][..] || padded[0][160 * 36..160 * 126] == plain[0][..]);
    let rough = |p: &[u8]| p.windows(2).map(|w| f64::from(w[0].abs_diff(w[1]))).sum::<f64>() / p.len() as f64;
    for part in [&above, &below] {
        assert!(rough(part) < rough(&plain[0]) / 2.0, "blurred");
        let mean = |p: &[u8]| p.iter().map(|v| f64::from(*v)).sum::<f64>() / p.len() as f64;
        assert!((mean(part) - mean(&plain[0])).abs() < 60.0 && mean(part) > 25.0, "the picture, not black");
    }
}

/// Mean difference between frames `n` and `n + 1`, away from the border.
fn unrest(luma: &[Vec<u8>], width: usize, n: usize) -> f64 {
    let inner = |l: &Vec<u8>| -> Vec<u8> {
        let rows = l.chunks(width).skip(20);
        rows.take(l.len() / width - 40).flat_map(|r| r[20..width - 20].to_vec()).collect()
    };
    let (a, b) = (inner(&luma[n]), inner(&luma[n + 1]));
    a.iter().zip(&b).map(|(a, b)| f64::from(a.abs_diff(*b))).sum::<f64>() / a.len() as f64
}

/// A still scene seen by a shaking camera.
const SHAKE: &str = "loop=loop=29:size=1:start=0,setpts=N/25/TB,trim=end_frame=30,format=yuv444p,\
                     crop=320:240:'20+round(7*sin(n*2.3)+4*cos(n*5.1))':'20+round(6*cos(n*1.9))'";

#[test]
fn shake_goes_and_every_frame_stays_in_time() {
    for pix in ["yuv420p", "yuv420p10le", "bgr0"] {
        let p = Pictures::with(pix, (360, 280), SHAKE, 1);
        let (base, steady) = (Media::open(p.path("base.mkv")), p.ours(&["stabilize"]));
        assert_eq!((steady.pts(), steady.size()), (base.pts(), (320, 240)), "{pix}");
        let (a, b) = (base.gray(), steady.gray());
        let sum = |l: &[Vec<u8>]| (0..29).map(|n| unrest(l, 320, n)).sum::<f64>() / 29.0;
        let (shaky, calm) = (sum(&a), sum(&b));
        assert!(calm < shaky / 3.0, "{pix}: {shaky:.2} became {calm:.2}");
        // Without the future the path lags, but shakes less all the same.
        let causal = sum(&p.ours(&["stabilize:look-ahead=0"]).gray());
        assert!(causal < shaky / 1.5, "{pix}: {shaky:.2} became {causal:.2} without look-ahead");
    }
}

#[test]
fn cuts_and_blank_pictures_do_not_jump() {
    // The second scene is the first one upside down; then nothing at all to hold on to.
    let cut = format!("{SHAKE},split=3[a][b][c];[b]vflip,negate[d];[c]drawbox=t=fill:c=gray[e];[a][d][e]concat=n=3");
    let p = Pictures::with("yuv420p", (360, 280), &cut, 1);
    let run = |op: &str| p.ours(&[op]);
    let steady = run("stabilize:border=color,color=red");
    let luma = steady.gray();
    assert_eq!(luma.len(), 90);
    let within: Vec<f64> = (0..89).filter(|n| *n != 29 && *n != 59).map(|n| unrest(&luma, 320, n)).collect();
    let worst = within.iter().copied().fold(0.0, f64::max);
    assert!(unrest(&luma, 320, 29) > 4.0 * worst, "the cut is still one frame: {worst:.2}");
    // What is blank stays as it is: the red border stays out of the inner part.
    assert!(luma[60..].windows(2).all(|w| w[0] == w[1]), "blank pictures do not move");
}

#[test]
fn stabilize_in_some_hours_keeps_the_order() {
    let p = Pictures::with("yuv420p", (360, 280), SHAKE, 1);
    let base = Media::open(p.path("base.mkv"));
    let some = p.ours(&["stabilize:when=0.2s..0.6s"]);
    assert_eq!(some.pts(), base.pts());
    let (a, b) = (base.md5s(), some.md5s());
    assert!(a[..5] == b[..5] && a[15..] == b[15..] && a[5..15].iter().zip(&b[5..15]).all(|(a, b)| a != b));
}

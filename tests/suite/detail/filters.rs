//! What looks at neighbours: sharpening, gradients, edges, morphology, pixelation, noise.

use super::*;

#[test]
fn sharpen_is_the_unsharp_mask_of_every_kind_of_plane() {
    for format in FORMATS {
        let was = paint(&spec(format, DIMS), 0, scene);
        for (op, amount, chroma) in [("sharpen:amount=1.5", 1.5, 0.0), ("sharpen:amount=0.5,chroma=2", 0.5, 2.0)] {
            let is = run(op, &was);
            for (a, b) in channels(&was).iter().zip(channels(&is)) {
                let (m, mut blurred) = (a.mat(is_deep(&was)), Mat::default());
                let amount = if a.is_chroma() { chroma } else { amount };
                if !a.is_color() || amount == 0.0 {
                    assert_eq!(a.at, b.at, "{op} on {format}: {:?} changed", a.component);
                    continue;
                }
                let side = |sub: u32| if sub == 0 { 5 } else { 3 };
                let size = Size::new(side(a.sub.0), side(a.sub.1));
                imgproc::gaussian_blur(&m, &mut blurred, size, 0.0, 0.0, cv::BORDER_DEFAULT).expect("blurred");
                let most = f64::from((1u32 << was.spec().layout.depth) - 1);
                let wanted: Vec<f64> = numbers(&m)
                    .iter()
                    .zip(numbers(&blurred))
                    .map(|(s, b)| (s + amount * (s - b)).clamp(0.0, most))
                    .collect();
                // Of P010 OpenCV blurs the shifted samples, which are finer than the ones here.
                let tolerance = if format == P01010le { 0.5 + amount } else { 0.51 };
                near(&format!("{op} on {format}"), &b, &wanted, tolerance);
            }
        }
    }
}

#[test]
fn sharpen_leaves_what_is_below_its_threshold() {
    let was = paint(&spec(I420, DIMS), 0, scene);
    let (some, all, none) = (run("sharpen:threshold=10", &was), run("sharpen", &was), run("sharpen:amount=0", &was));
    let [was, some, all, none] = [&was, &some, &all, &none].map(|f| channels(f).remove(0).at);
    assert_eq!(was, none);
    let changed = |s: &[u16]| s.iter().zip(&was).filter(|(a, b)| a != b).count();
    assert!(changed(&some) > 200 && changed(&some) * 2 < changed(&all), "{} of {}", changed(&some), changed(&all));
    // With amount 1 the change is the difference itself.
    assert!(some.iter().zip(&was).all(|(a, b)| a == b || a.abs_diff(*b) >= 10));
}

#[test]
fn sharpen_is_what_ffmpeg_calls_unsharp() {
    let was = paint(&spec(I420, DIMS), 0, scene);
    let is = run("sharpen:size=5,amount=1.5", &was);
    let wanted = ffmpeg(&was, "yuv420p", "unsharp=lx=5:ly=5:la=1.5");
    for (b, wanted) in channels(&is).iter().zip(&wanted) {
        assert!(psnr(&b.at, wanted, 255.0) > 45.0, "{:?}: {}", b.component, psnr(&b.at, wanted, 255.0));
    }
}

/// The luma of a frame in its own samples, full size: the Y channel, or what OpenCV makes of red, green and blue.
fn luma(frame: &Frame) -> Mat {
    let all = channels(frame);
    let find = |c| all.iter().find(|have| have.component == c).map(|c| c.mat(is_deep(frame)));
    if let Some(y) = find(Component::Y) {
        return y;
    }
    let planes: Vec<Mat> = [Component::B, Component::G, Component::R].into_iter().filter_map(find).collect();
    let (mut bgr, mut gray) = (Mat::default(), Mat::default());
    cv::merge(&cv::Vector::<Mat>::from_iter(planes), &mut bgr).expect("merged");
    imgproc::cvt_color_def(&bgr, &mut gray, imgproc::COLOR_BGR2GRAY).expect("gray");
    gray
}

/// Checks that a result is gray with `wanted` for luma, neutral chroma, and opacity as it was.
#[track_caller]
fn gray_result(what: &str, was: &Frame, is: &Frame, wanted: &[f64], tolerance: f64) {
    for (a, b) in channels(was).iter().zip(channels(is)) {
        if b.is_chroma() {
            assert!(b.at.iter().all(|s| *s == neutral(is)), "{what}: {:?} is not neutral", b.component);
        } else if b.is_color() {
            near(what, &b, wanted, tolerance);
        } else {
            assert_eq!(a.at, b.at, "{what}: {:?} changed", b.component);
        }
    }
}

#[test]
fn gradients_are_opencvs_from_black_to_white_in_gray() {
    for format in FORMATS {
        let was = paint(&spec(format, DIMS), 0, scene);
        let gray = luma(&was);
        let (black, white) = shades(&was, channels(&was).iter().find(|c| c.is_color()).expect("a colour").component);
        let slope = |x, y, size| {
            let mut out = Mat::default();
            imgproc::sobel(&gray, &mut out, cv::CV_64F, x, y, size, 1.0, 0.0, cv::BORDER_DEFAULT).expect("a slope");
            numbers(&out)
        };
        let bend = |size| {
            let mut out = Mat::default();
            imgproc::laplacian(&gray, &mut out, cv::CV_64F, size, 1.0, 0.0, cv::BORDER_DEFAULT).expect("a bend");
            numbers(&out)
        };
        let both =
            |size| -> Vec<f64> { slope(1, 0, size).iter().zip(slope(0, 1, size)).map(|(x, y)| x.hypot(y)).collect() };
        let check = |op: &str, values: Vec<f64>, scale: f64, signed: bool| {
            let zero = if signed { (black + white) / 2.0 } else { black };
            let value = |v: &f64| (zero + scale * if signed { *v } else { v.abs() }).clamp(black, white);
            let wanted: Vec<f64> = values.iter().map(value).collect();
            gray_result(&format!("{op} on {format}"), &was, &run(op, &was), &wanted, 0.51);
        };
        check("sobel", both(3), 1.0, false);
        check("sobel:direction=x", slope(1, 0, 3), 1.0, false);
        check("sobel:direction=y,size=5,scale=0.1,signed=true", slope(0, 1, 5), 0.1, true);
        check("sobel:size=7,scale=0.01", both(7), 0.01, false);
        check("sobel:size=1,scale=3", both(1), 3.0, false);
        check("laplacian:size=1", bend(1), 1.0, false);
        check("laplacian:size=3,scale=0.5,signed=true", bend(3), 0.5, true);
        check("laplacian:size=5,scale=0.1", bend(5), 0.1, false);
        check("laplacian:size=7,scale=0.003", bend(7), 0.003, false);
    }
}

#[test]
fn sobel_is_what_ffmpeg_calls_sobel() {
    let was = paint(&spec(Gray8, DIMS), 0, scene);
    let is = &channels(&run("sobel", &was))[0];
    let wanted = ffmpeg(&was, "gray", "sobel");
    // ffmpeg cuts where this rounds.
    let p = psnr(&is.at, &wanted[0], 255.0);
    assert!(p > 45.0, "{p}");
}

#[test]
fn edges_are_cannys() {
    let kernels = [(3, 90.0, 180.0), (5, 900.0, 1800.0), (7, 9000.0, 18000.0)];
    let formats = [I420, Nv12, Gray8, Bgr, Rgba, Ayuv];
    for (format, (size, low, high)) in formats.into_iter().flat_map(|f| kernels.map(|k| (f, k))) {
        let was = paint(&spec(format, DIMS), 0, scene);
        let (gray, mut lines) = (luma(&was), Mat::default());
        let (black, white) = shades(&was, channels(&was).iter().find(|c| c.is_color()).expect("a colour").component);
        // Thresholds are for full range, gradients of limited range are that much smaller.
        let share = (white - black) / 255.0;
        imgproc::canny(&gray, &mut lines, low * share, high * share, size, false).expect("lines");
        let lines = numbers(&lines);
        let op = format!("edges:low={low},high={high},size={size}");
        assert!(lines.iter().filter(|v| **v > 0.0).count() > 100, "{format} {size}: hardly a line");
        let wanted: Vec<f64> = lines.iter().map(|v| if *v > 0.0 { white } else { black }).collect();
        gray_result(&format!("{op} on {format}"), &was, &run(&op, &was), &wanted, 0.0);
        // Over the picture: the colour where a line is, in between of what it was beside, nothing elsewhere.
        let over = run(&format!("{op},over=true,color=red"), &was);
        let (w, h) = (DIMS.0 as usize, DIMS.1 as usize);
        for (a, b) in channels(&was).iter().zip(channels(&over)) {
            let red = Color::rgb(255, 0, 0).sample(b.component, &was.spec().info, &was.spec().layout);
            for (i, (before, after)) in a.at.iter().zip(&b.at).enumerate() {
                let (x, y) = (i % b.w, i / b.w);
                let (xs, ys) = (x << b.sub.0..((x + 1) << b.sub.0).min(w), y << b.sub.1..((y + 1) << b.sub.1).min(h));
                let all = xs.len() * ys.len();
                let n =
                    ys.flat_map(|y| xs.clone().map(move |x| (x, y))).filter(|(x, y)| lines[y * w + x] > 0.0).count();
                let n = if b.is_color() { n } else { 0 };
                let mean = (f64::from(*before) * (all - n) as f64 + f64::from(red) * n as f64) / all as f64;
                assert!((f64::from(*after) - mean).abs() <= 0.5, "{format}: {:?} at {x},{y}", b.component);
            }
        }
    }
}

fn kernel(shape: i32, size: i32) -> Mat {
    imgproc::get_structuring_element(shape, Size::new(size, size), Point::new(-1, -1)).expect("a kernel")
}

fn morph(m: &Mat, code: i32, kernel: &Mat, times: i32) -> Mat {
    let (mut out, edge) = (Mat::default(), imgproc::morphology_default_border_value().expect("a value"));
    imgproc::morphology_ex(m, &mut out, code, kernel, Point::new(-1, -1), times, cv::BORDER_CONSTANT, edge)
        .expect("done");
    out
}

#[test]
fn morphology_is_opencvs_on_luma_and_on_red_green_blue() {
    use imgproc::*;
    let operations = [
        ("erode", MORPH_ERODE),
        ("dilate", MORPH_DILATE),
        ("open", MORPH_OPEN),
        ("close", MORPH_CLOSE),
        ("gradient", MORPH_GRADIENT),
        ("tophat", MORPH_TOPHAT),
        ("blackhat", MORPH_BLACKHAT),
    ];
    let shapes = [("rect", MORPH_RECT), ("ellipse", MORPH_ELLIPSE), ("cross", MORPH_CROSS)];
    for format in [I420, Nv12, I42010le, Gray8, Bgr, Rgba, Ayuv] {
        let was = paint(&spec(format, DIMS), 0, scene);
        for (i, (name, code)) in operations.into_iter().enumerate() {
            let ((shape, shape_code), times) = (shapes[i % 3], 1 + i as i32 % 2);
            let op = format!("morphology:operation={name},shape={shape},size=5,iterations={times}");
            let is = run(&op, &was);
            for (a, b) in channels(&was).iter().zip(channels(&is)) {
                let on_black = matches!(name, "gradient" | "tophat" | "blackhat");
                if a.is_chroma() && on_black {
                    assert!(b.at.iter().all(|s| *s == neutral(&was)), "{op} on {format}: not neutral");
                } else if a.is_chroma() || !a.is_color() {
                    assert_eq!(a.at, b.at, "{op} on {format}: {:?}", a.component);
                } else {
                    let (black, white) = shades(&was, a.component);
                    let zero = if on_black { black } else { 0.0 };
                    let made = numbers(&morph(&a.mat(is_deep(&was)), code, &kernel(shape_code, 5), times));
                    let wanted: Vec<f64> =
                        made.iter().map(|v| if on_black { (v + zero).min(white) } else { *v }).collect();
                    near(&format!("{op} on {format}"), &b, &wanted, 0.0);
                }
            }
        }
    }
}

#[test]
fn morphology_of_all_planes_is_ffmpegs_and_of_bgr_is_opencvs() {
    let was = paint(&spec(I420, DIMS), 0, scene);
    for (name, filter) in [("erode", "erosion"), ("dilate", "dilation")] {
        let is = run(&format!("morphology:operation={name},size=3,planes=all"), &was);
        for (b, wanted) in channels(&is).iter().zip(ffmpeg(&was, "yuv420p", filter)) {
            near(&format!("{name} as {filter}"), b, &wanted, 0.0);
        }
    }
    let there = Converter::new(was.spec(), spec(Bgr, DIMS)).expect("a converter");
    let bgr = there.convert(&was).expect("BGR");
    let back = Converter::new(bgr.spec(), was.spec().clone()).expect("a converter");
    let wanted = back.convert(&run("morphology:operation=dilate,size=5", &bgr)).expect("I420");
    let is = run("morphology:operation=dilate,size=5,planes=bgr", &was);
    for (a, b) in channels(&wanted).iter().zip(channels(&is)) {
        assert_eq!(a.at, b.at);
    }
}

#[test]
fn pixelate_shows_exact_means_of_blocks() {
    for format in FORMATS {
        let was = paint(&spec(format, DIMS), 0, scene);
        for (op, size) in [("pixelate", 16), ("pixelate:size=15", 15), ("pixelate:cells=4", 41), ("pixelate:size=1", 1)]
        {
            let is = run(op, &was);
            for (a, b) in channels(&was).iter().zip(channels(&is)) {
                if !a.is_color() {
                    assert_eq!(a.at, b.at, "{op} on {format}: {:?}", a.component);
                    continue;
                }
                let block = |x: usize, y: usize| ((x << a.sub.0) / size, (y << a.sub.1) / size);
                let mut sums = std::collections::BTreeMap::new();
                for (i, s) in a.at.iter().enumerate() {
                    let (sum, n) = sums.entry(block(i % a.w, i / a.w)).or_insert((0.0, 0.0));
                    (*sum, *n) = (*sum + f64::from(*s), *n + 1.0);
                }
                let mean = |i: usize| sums[&block(i % a.w, i / a.w)];
                let wanted: Vec<f64> = (0..a.at.len()).map(mean).map(|(sum, n)| sum / n).collect();
                near(&format!("{op} on {format}"), &b, &wanted, 0.5);
            }
        }
    }
}

#[test]
fn pixelate_is_what_ffmpeg_calls_pixelize() {
    let was = paint(&spec(I420, (160, 128)), 0, scene);
    let is = run("pixelate:size=16", &was);
    for (b, wanted) in channels(&is).iter().zip(ffmpeg(&was, "yuv420p", "pixelize=16:16")) {
        // ffmpeg cuts where this rounds.
        near("pixelate as pixelize", b, &wanted, 1.0);
    }
}

/// `clean` with noise of ±`by` that is another one in each frame.
fn noisy(spec: &Arc<Spec>, n: u64, by: f64) -> Frame {
    paint(spec, n, |c, x, y| clean(c, x, y) + by * (2.0 * at_random(c, x, y, n + 1) - 1.0))
}

#[test]
fn temporal_denoising_is_a_running_mean_that_lets_go_where_something_moves() {
    for format in FORMATS {
        let spec = spec(format, (64, 48));
        // A square jumps in frame 6: far more than noise.
        let square = |n: u64, x: u32, y: u32| n >= 6 && (16..32).contains(&x) && (16..32).contains(&y);
        let frame = |n: u64| {
            paint(&spec, n, |c, x, y| {
                let jump = if square(n, x, y) { 90.0 } else { 0.0 };
                scene(c, x, y) / 2.0 + 20.0 + jump + 4.0 * at_random(c, x, y, n + 1)
            })
        };
        let frames: Vec<Frame> = (0..10).map(frame).collect();
        let was: Vec<_> = frames.iter().map(channels).collect();
        let is: Vec<_> = run_all("denoise:strength=12,frames=8", frames).expect("done").iter().map(channels).collect();
        for k in 0..was[0].len() {
            if !was[0][k].is_color() {
                assert!(was.iter().zip(&is).all(|(a, b)| a[k].at == b[k].at), "{format}: {:?}", was[0][k].component);
                continue;
            }
            let strength = 12.0 * f64::from(1u32 << (spec.layout.depth - 8));
            let mut means = vec![0.0; was[0][k].at.len()];
            for (n, (a, b)) in was.iter().zip(&is).enumerate() {
                let share: f64 = 1.0 / (n + 1).min(8) as f64;
                for (mean, s) in means.iter_mut().zip(&a[k].at) {
                    let d = f64::from(*s) - *mean;
                    let over = ((d.abs() - strength / 2.0) / (strength / 2.0)).clamp(0.0, 1.0);
                    *mean += d * (share + (1.0 - share) * over);
                }
                near(&format!("frame {n} on {format}"), &b[k], &means, 0.51);
            }
        }
        // What jumped is there at once, no ghost of it.
        let (a, b) = (&was[6][0], &is[6][0]);
        for i in (0..a.at.len()).filter(|i| square(6, (i % a.w) as u32, (i / a.w) as u32)) {
            assert_eq!(a.at[i], b.at[i], "{format}: a ghost at {},{}", i % a.w, i / a.w);
        }
    }
}

#[test]
fn every_method_of_denoising_takes_noise_out() {
    for format in [I420, Nv12, I42010le, Bgr] {
        let spec = spec(format, (96, 64));
        let clean = channels(&paint(&spec, 0, clean));
        let peak = f64::from((1u32 << spec.layout.depth) - 1);
        for (method, gain) in [("temporal", 6.0), ("bilateral", 1.0), ("nlm", 1.0)] {
            let frames: Vec<Frame> =
                (0..if method == "temporal" { 8 } else { 1 }).map(|n| noisy(&spec, n, 6.0)).collect();
            let was = channels(frames.last().expect("a frame"));
            let search = if method == "nlm" { ",search=11,strength=6" } else { "" };
            let out = run_all(&format!("denoise:method={method}{search}"), frames).expect("done");
            for (i, b) in channels(out.last().expect("a frame")).iter().enumerate() {
                let clean: Vec<f64> = clean[i].at.iter().map(|s| f64::from(*s)).collect();
                let (before, after) = (psnr(&was[i].at, &clean, peak), psnr(&b.at, &clean, peak));
                assert!(after > before + gain, "{method} on {format}: {:?} from {before} to {after} dB", b.component);
            }
        }
    }
}

#[test]
fn denoising_within_a_picture_is_opencvs() {
    let was = noisy(&spec(I420, (64, 48)), 0, 6.0);
    let (nlm, bilateral) = (
        run("denoise:method=nlm,strength=7,chroma=0,template=5,search=11", &was),
        run("denoise:method=bilateral", &was),
    );
    let (was, nlm, bilateral) = (channels(&was), channels(&nlm), channels(&bilateral));
    let mut out = Mat::default();
    photo::fast_nl_means_denoising(&was[0].mat(false), &mut out, 7.0, 5, 11).expect("done");
    near("nlm", &nlm[0], &numbers(&out), 0.0);
    assert!(was[1].at == nlm[1].at && was[2].at == nlm[2].at, "chroma=0 leaves chroma alone");
    imgproc::bilateral_filter_def(&was[0].mat(false), &mut out, 7, 20.0, 3.5).expect("done");
    near("bilateral", &bilateral[0], &numbers(&out), 0.0);
}

#[test]
fn methods_that_no_example_shows_work_on_small_and_odd_pictures() {
    let ops = [
        "denoise:method=nlm",
        "denoise:method=bilateral",
        "edges:over=true,color=lime",
        "morphology:operation=gradient,planes=all",
        "morphology:operation=dilate,size=63,planes=bgr",
        "morphology:operation=blackhat,shape=ellipse,size=9",
        "sharpen:size=63,chroma=1,threshold=3",
        "sobel:direction=x,size=7,signed=true",
        "laplacian:size=7",
        "pixelate:cells=1",
        "mask:method=blur,region=0,0,100%,100%",
        "mask:region=0,0,1,1",
    ];
    for op in ops {
        for format in FORMATS {
            for dims in [(1, 1), (2, 1), (3, 33), (17, 2)] {
                let was = paint(&spec(format, dims), 0, noise);
                let is = run(op, &was);
                let most = (1u32 << was.spec().layout.depth) - 1;
                for (a, b) in channels(&was).iter().zip(channels(&is)) {
                    assert!(b.at.iter().all(|s| u32::from(*s) <= most), "{op} on {format} {dims:?}: too large");
                    let kept = a.is_color() || op.starts_with("mask");
                    assert!(kept || a.at == b.at, "{op} on {format} {dims:?}: {:?} changed", a.component);
                }
            }
        }
    }
}

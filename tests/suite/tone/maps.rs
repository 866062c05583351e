//! One value for another: thresholds, colour maps, look-up tables; and what must stay as it is.

use super::*;

#[test]
fn thresholds_are_opencvs() {
    let cases: [(&str, i32, Option<i32>); 5] = [
        ("threshold:value=110", imgproc::THRESH_BINARY, None),
        ("threshold:value=110,invert=true", imgproc::THRESH_BINARY_INV, None),
        ("threshold:method=otsu", imgproc::THRESH_BINARY | imgproc::THRESH_OTSU, None),
        ("threshold:method=mean,size=15,offset=3", imgproc::THRESH_BINARY, Some(imgproc::ADAPTIVE_THRESH_MEAN_C)),
        (
            "threshold:method=gaussian,size=15,offset=3",
            imgproc::THRESH_BINARY,
            Some(imgproc::ADAPTIVE_THRESH_GAUSSIAN_C),
        ),
    ];
    for (op, kind, adaptive) in cases {
        let reference = |luma: &Mat| {
            let mut out = Mat::default();
            match adaptive {
                None => imgproc::threshold(luma, &mut out, 110.0, 255.0, kind).map(drop),
                Some(how) => imgproc::adaptive_threshold(luma, &mut out, 255.0, how, kind, 15, 3.0),
            }
            .expect("OpenCV");
            out.data_bytes().expect("bytes").to_vec()
        };
        let input = frame(&spec(VideoFormat::Gray8, "1:4:0:0"), color);
        let wanted = reference(&gray(&bytes(&input)));
        assert!(wanted.contains(&0) && wanted.contains(&255), "{op}: both occur");
        assert!(bytes(&run(op, input)) == wanted, "{op} on GRAY8");
        for (format, colorimetry, _) in FORMS {
            let input = frame(&spec(format, colorimetry), color);
            let luma: Vec<u8> = values(&input, Component::Y).iter().map(|v| (v * 255.0).round() as u8).collect();
            let wanted = reference(&gray(&luma));
            let out = run(op, input);
            let (zero, unit, _) = scale(Component::Y, out.spec());
            let mut wrong = 0;
            for (c, all) in codes(&out) {
                if c != Component::Y {
                    assert!(
                        all.iter().all(|v| *v == 128 << (out.spec().layout.depth - 8)),
                        "{op} on {format}: neutral"
                    );
                    continue;
                }
                for (code, wanted) in all.iter().zip(&wanted) {
                    let code = f64::from(*code);
                    assert!(code == zero || code == zero + unit, "{op} on {format}: {code} is neither black nor white");
                    wrong += usize::from((code == zero) != (*wanted == 0));
                }
            }
            // Rounding to 8 bits of full range decides on pixels right at the threshold.
            assert!(wrong * 50 < W * H, "{op} on {format} {colorimetry}: {wrong} pixels differ");
        }
    }
}

#[test]
fn color_maps_are_opencvs() {
    for (name, number) in
        [("inferno", imgproc::COLORMAP_INFERNO), ("jet", imgproc::COLORMAP_JET), ("bone", imgproc::COLORMAP_BONE)]
    {
        // Maps with corners lose a little where chroma is rounded.
        check_bgr(&format!("colormap:map={name}"), color, 36.0, |bgr| {
            let (mut one, mut out) = (Mat::default(), Mat::default());
            imgproc::cvt_color_def(bgr, &mut one, imgproc::COLOR_BGR2GRAY).expect("OpenCV");
            imgproc::apply_color_map(&one, &mut out, number).expect("OpenCV");
            out
        });
        let input = frame(&spec(VideoFormat::Gray8, "1:4:0:0"), color);
        let mut wanted = Mat::default();
        imgproc::apply_color_map(&gray(&bytes(&input)), &mut wanted, number).expect("OpenCV");
        let out = run(&format!("colormap:map={name}"), input);
        assert_eq!(out.spec().info.format(), VideoFormat::Bgr, "gray video gets colours");
        assert!(bytes(&out) == wanted.data_bytes().expect("bytes"), "{name} on GRAY8");
    }
}

/// Subsampled chroma is the mean of the colours of its pixels, which full-size chroma has.
#[test]
fn color_maps_subsample_colours_and_not_brightness() {
    let whole = run("colormap:map=jet", frame(&spec(VideoFormat::Y444, LIMITED), color));
    for format in [VideoFormat::I420, VideoFormat::Nv12, VideoFormat::Y42b, VideoFormat::Y41b] {
        let out = run("colormap:map=jet", frame(&spec(format, LIMITED), color));
        let chroma = out.spec().layout.planes[1].clone();
        let (w, h) = (chroma.cols(W as u32) as usize, chroma.rows(H as u32) as usize);
        assert!(values(&out, Component::Y) == values(&whole, Component::Y), "{format}: luma");
        for c in [Component::U, Component::V] {
            let (all, got) = (values(&whole, c), values(&out, c));
            for y in 0..h {
                for x in 0..w {
                    let rows = y << chroma.h_sub..((y + 1) << chroma.h_sub).min(H);
                    let columns = x << chroma.w_sub..((x + 1) << chroma.w_sub).min(W);
                    let n = (rows.len() * columns.len()) as f64;
                    let sum: f64 = rows.flat_map(|r| columns.clone().map(move |c| r * W + c)).map(|i| all[i]).sum();
                    let off = (sum / n - got[y * w + x]).abs() * 224.0;
                    assert!(off <= 0.51, "{format}: {c:?} at {x},{y} is off by {off}");
                }
            }
        }
    }
}

#[test]
fn look_up_tables_are_ffmpegs() {
    let form = (VideoFormat::Bgr, "sRGB", "bgr24");
    let filter = "lut3d=file=config/assets/warm.cube:interp=tetrahedral";
    let input = || frame(&spec(form.0, form.1), color);
    let off = |a: &[u8], b: &[u8]| a.iter().zip(b).map(|(a, b)| a.abs_diff(*b)).max();
    // ffmpeg cuts off where we round.
    let got = bytes(&run("lut:path=config/assets/warm.cube", input()));
    assert!(
        off(&got, &ffmpeg(&input(), form.2, filter)) <= Some(1),
        "3D: {:?}",
        off(&got, &ffmpeg(&input(), form.2, filter))
    );
    assert!(off(&got, &bytes(&input())) > Some(5), "it does something");

    // On luma and chroma it is what it is on their red, green and blue, without a step between.
    for (format, colorimetry, least) in [
        (VideoFormat::Y444, LIMITED, 42.0),
        (VideoFormat::Y444, FULL, 44.0),
        (VideoFormat::Y44410le, LIMITED, 46.0),
        (VideoFormat::Ayuv, LIMITED, 42.0),
        (VideoFormat::Gbr10le, "sRGB", 46.0),
        (VideoFormat::Rgba64Le, "sRGB", 46.0),
    ] {
        let yuv = frame(&spec(format, colorimetry), color);
        let pixels = rgb(&yuv);
        let wanted = ffmpeg(&frame(&spec(form.0, form.1), |x, y| pixels[y * W + x]), form.2, filter);
        let wanted = wanted.as_chunks::<3>().0.iter().flat_map(|p| [p[2], p[1], p[0]]).map(|v| f64::from(v) / 255.0);
        let db = psnr(rgb(&run("lut:path=config/assets/warm.cube", yuv)).into_iter().flatten(), wanted);
        assert!(db > least, "{format} {colorimetry}: {db:.1} dB");
    }

    let dir = temp();
    let path = dir.path().join("curve.cube");
    let entries: String = (0..17)
        .map(|i| {
            let v = f64::from(i) / 16.0;
            format!("{} {} {}\n", v.powf(0.6), v * v, 1.0 - v)
        })
        .collect();
    std::fs::write(&path, format!("LUT_1D_SIZE 17\n{entries}")).expect("written");
    let (op, filter) = (format!("lut:path={}", path.display()), format!("lut1d=file={}", path.display()));
    let got = bytes(&run(&op, input()));
    assert!(off(&got, &ffmpeg(&input(), form.2, &filter)) <= Some(1), "1D");

    // Half the strength is half the way, in tables of any size.
    let half = bytes(&run("lut:path=config/assets/warm.cube,strength=0.5", input()));
    let whole = bytes(&run("lut:path=config/assets/warm.cube", input()));
    for ((was, half), whole) in bytes(&input()).iter().zip(half).zip(whole) {
        assert!((f64::from(half) - (f64::from(*was) + f64::from(whole)) / 2.0).abs() <= 1.0);
    }
}

#[test]
fn a_missing_or_broken_table_is_named() {
    let refused = |op: &str| {
        let stream = Stream { name: "picture".into(), ..Stream::default() };
        let settings = [read_op(op).expect(op)];
        Chain::prepare(&settings, &spec(VideoFormat::Bgr, "sRGB"), &stream, 1).err().expect("refused").message
    };
    assert!(refused("lut:path=nowhere.cube").contains("nowhere.cube"));
    assert!(refused("lut:path=Cargo.toml").contains("Cargo.toml: no LUT_3D_SIZE"));
    assert!(Path::new("config/assets/warm.cube").is_file());
}

/// Settings that ask for nothing change nothing, not even codes beyond the range.
#[test]
fn neutral_settings_change_nothing() {
    gstreamer::init().expect("GStreamer");
    let ops = [
        "brightness-contrast",
        "gamma:gamma=1",
        "saturation",
        "saturation:hue=360",
        "equalize:strength=0",
        "white-balance:strength=0",
        "lut:path=config/assets/warm.cube,strength=0",
    ];
    for format in Layout::all_formats() {
        let spec = spec(format, if Layout::of(format).is_some_and(|l| l.rgb) { "sRGB" } else { LIMITED });
        for op in ops {
            let mut input = frame(&spec, color);
            let mut planes = input.planes_mut().expect("planes");
            let row = planes.row_mut(0, 0).expect("a row");
            row[..8].fill(0);
            drop(planes);
            let was = bytes(&input);
            assert!(bytes(&run(op, input)) == was, "{op} on {format}");
        }
    }
}

#[test]
fn opacity_and_padding_stay() {
    gstreamer::init().expect("GStreamer");
    use VideoFormat::*;
    for e in ALL.iter().filter(|e| e.group == Group::Tone) {
        for format in [Rgba, Argb, Bgra, Bgrx, Ayuv, A420, Gbra, Argb64, Rgba64Le, Ayuv64] {
            if Layout::of(format).is_none() {
                continue;
            }
            let input =
                frame(&spec(format, if Layout::of(format).is_some_and(|l| l.rgb) { "sRGB" } else { LIMITED }), color);
            let before = codes(&input);
            let stays = |c: &Component| matches!(c, Component::Alpha | Component::Unused);
            let after = codes(&run(e.example, input));
            for ((c, was), (_, is)) in before.iter().zip(&after) {
                assert!(!stays(c) || was == is, "{} on {format}: {c:?} changed", e.example);
            }
            assert!(before != after, "{} on {format} does nothing", e.example);
        }
    }
}

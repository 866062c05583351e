//! Brightness and colour as numbers: contrast, gamma, saturation, gray, white balance, equalisation.

use super::*;

#[test]
fn brightness_and_contrast_are_opencvs() {
    check_bgr("brightness-contrast:brightness=0.08,contrast=0.8,pivot=0", color, 40.0, |bgr| {
        let mut out = Mat::default();
        cv::convert_scale_abs(bgr, &mut out, 0.8, 0.08 * 255.0).expect("OpenCV");
        out
    });
    // Some of it is clipped.
    check_bgr("brightness-contrast:brightness='-10%',contrast=1.5", color, 38.0, |bgr| {
        let mut out = Mat::default();
        bgr.convert_to(&mut out, cv::CV_8U, 1.5, 255.0 * (0.5 - 0.75 - 0.1)).expect("OpenCV");
        out
    });
}

#[test]
fn brightness_and_contrast_are_ffmpegs_on_full_range() {
    for form in FORMS.into_iter().filter(|f| f.1 == FULL) {
        let filter = "eq=brightness=0.1:contrast=1.3:saturation=1.3";
        check_ffmpeg("brightness-contrast:brightness=0.1,contrast=1.3", filter, form, 40.0);
    }
}

#[test]
fn contrast_keeps_black_and_white_of_the_range_where_they_belong() {
    for (format, colorimetry, _) in FORMS {
        let spec = spec(format, colorimetry);
        let (zero, unit, max) = scale(Component::Y, &spec);
        let at = |v: f64, op: &str| {
            let out = run(op, frame(&spec, |_, _| [v; 3]));
            f64::from(codes(&out)[0].1[0])
        };
        assert_eq!(at(0.0, "brightness-contrast:contrast=1.7,pivot=0"), zero, "{format}");
        assert_eq!(at(1.0, "brightness-contrast:contrast=1.7,pivot=1"), zero + unit, "{format}");
        assert_eq!(at(0.0, "brightness-contrast:brightness=1"), zero + unit, "{format}: black becomes white");
        assert_eq!(at(1.0, "brightness-contrast:brightness='-100%'"), zero, "{format}: white becomes black");
        // Limited range ends at 254 or 1019, full range at its end.
        let step = (max + 1.0) / 256.0;
        let top = if colorimetry == FULL { max } else { 255.0 * step - 1.0 };
        assert_eq!(at(1.0, "brightness-contrast:brightness=1"), top, "{format}: clipped");
    }
}

#[test]
fn gamma_is_the_power_in_the_range() {
    for form in FORMS {
        let filter = match form.1 {
            FULL => "eq=gamma=1.5",
            _ => "lutyuv=y=gammaval(1/1.5)",
        };
        check_ffmpeg("gamma:gamma=1.5", filter, form, 45.0);
    }
    let input = frame(&spec(VideoFormat::Bgr, "sRGB"), color);
    let mut table = Mat::new_rows_cols_with_default(1, 256, cv::CV_8UC1, Scalar::all(0.0)).expect("a mat");
    for (i, t) in table.at_row_mut::<u8>(0).expect("a row").iter_mut().enumerate() {
        *t = ((i as f64 / 255.0).powf(0.5) * 255.0).round() as u8;
    }
    let mut wanted = Mat::default();
    cv::lut(&mat(&rgb(&input)), &table, &mut wanted).expect("OpenCV");
    assert!(psnr_bgr(&run("gamma:gamma=2", input), &wanted) > 100.0, "exactly cv::LUT");
}

#[test]
fn inverting_mirrors_each_component_in_its_range() {
    for form in FORMS {
        let filter = if form.1 == FULL { "negate" } else { "lutyuv=y=negval:u=negval:v=negval" };
        // ffmpeg's negate mirrors full-range chroma at 127.5, not at its neutral 128.
        check_ffmpeg("invert", filter, form, if form.1 == FULL { 46.0 } else { 100.0 });
    }
    check_ffmpeg("invert", "negate", (VideoFormat::Bgr, "sRGB", "bgr24"), 100.0);
    check_ffmpeg("invert", "negate", (VideoFormat::Rgba, "sRGB", "rgba"), 100.0);
    check_bgr("invert", color, 40.0, |bgr| {
        let mut out = Mat::default();
        cv::bitwise_not_def(bgr, &mut out).expect("OpenCV");
        out
    });
}

#[test]
fn inverting_twice_changes_nothing() {
    for (format, colorimetry, _) in FORMS {
        let input = frame(&spec(format, colorimetry), color);
        let was = bytes(&input);
        let op = "invert:luma-only=true";
        assert!(bytes(&run(op, run(op, frame(input.spec(), color)))) == was, "{format}: luma only");
        assert!(bytes(&run("invert", run("invert", input))) == was, "{format}");
    }
}

#[test]
fn saturation_and_hue_are_ffmpegs() {
    for form in FORMS.into_iter().filter(|f| f.2 != "nv12") {
        check_ffmpeg("saturation:saturation=1.6", "hue=s=1.6", form, 45.0);
        check_ffmpeg("saturation:saturation=0.9,hue=40", "hue=h=40:s=0.9", form, 45.0);
        check_ffmpeg("gray", "hue=s=0", form, 100.0);
    }
    // The same on red, green and blue: gray plus the factor times the distance from it.
    let (s, w) = (0.4, [0.299, 0.587, 0.114]);
    let row = |k: usize| -> [f64; 3] { std::array::from_fn(|i| (1.0 - s) * w[i] + if i == k { s } else { 0.0 }) };
    let [r, g, b] = [row(0), row(1), row(2)];
    let mixer = format!(
        "colorchannelmixer=rr={}:rg={}:rb={}:gr={}:gg={}:gb={}:br={}:bg={}:bb={}",
        r[0], r[1], r[2], g[0], g[1], g[2], b[0], b[1], b[2]
    );
    for form in
        [(VideoFormat::Bgr, "sRGB", "bgr24"), (VideoFormat::Rgba, "sRGB", "rgba"), (VideoFormat::Argb, "sRGB", "argb")]
    {
        check_ffmpeg("saturation:saturation=0.4", &mixer, form, 45.0);
    }
}

/// The hue turns the same way on any format: what `hue` does to luma and chroma is what it does to red, green, blue.
#[test]
fn hue_does_not_depend_on_the_format() {
    // Of moderate colours, since what leaves the cube of colours is clipped at other places.
    let soft = |x, y| color(x, y).map(|c| 0.35 + 0.3 * c);
    let wanted = rgb(&run("saturation:hue=75,saturation=1.2", frame(&spec(VideoFormat::Y444, "bt601"), soft)));
    for format in [VideoFormat::Bgr, VideoFormat::Rgba, VideoFormat::Gbr, VideoFormat::Gbr10le] {
        let got = rgb(&run("saturation:hue=75,saturation=1.2", frame(&spec(format, "sRGB"), soft)));
        let db = psnr(got.into_iter().flatten(), wanted.iter().copied().flatten());
        assert!(db > 42.0, "{format}: {db:.1} dB");
    }
}

#[test]
fn gray_is_opencvs_on_every_format() {
    check_bgr("gray", color, 40.0, |bgr| {
        let (mut one, mut three) = (Mat::default(), Mat::default());
        imgproc::cvt_color_def(bgr, &mut one, imgproc::COLOR_BGR2GRAY).expect("OpenCV");
        imgproc::cvt_color_def(&one, &mut three, imgproc::COLOR_GRAY2BGR).expect("OpenCV");
        three
    });
    for (format, colorimetry, _) in FORMS {
        let input = frame(&spec(format, colorimetry), color);
        let before = codes(&input);
        for ((c, was), (_, is)) in before.iter().zip(codes(&run("gray", input))) {
            let neutral = 128 << (spec(format, colorimetry).layout.depth - 8);
            match c {
                Component::Y => assert!(*was == is, "{format}: luma stays"),
                _ => assert!(is.iter().all(|v| *v == neutral), "{format}: {c:?} is neutral"),
            }
        }
    }
}

/// `mean` of each colour.
fn means(pixels: &[[f64; 3]]) -> [f64; 3] {
    std::array::from_fn(|i| pixels.iter().map(|p| p[i]).sum::<f64>() / pixels.len() as f64)
}

#[test]
fn white_balance_makes_the_means_equal() {
    let cast = |x, y| {
        let [r, g, b] = color(x, y);
        [0.9 * r, 0.7 * g, 0.55 * b]
    };
    check_bgr("white-balance", cast, 40.0, |bgr| {
        let m = cv::mean_def(bgr).expect("OpenCV");
        let gray = (m[0] + m[1] + m[2]) / 3.0;
        let mut out = Mat::default();
        cv::multiply_def(bgr, &Scalar::new(gray / m[0], gray / m[1], gray / m[2], 0.0), &mut out).expect("OpenCV");
        out
    });
    for (format, colorimetry, pix) in FORMS {
        let input = frame(&spec(format, colorimetry), cast);
        let chroma = |f: &Frame| {
            [Component::U, Component::V].map(|c| {
                let v = values(f, c);
                v.iter().sum::<f64>() / v.len() as f64
            })
        };
        let before = chroma(&input);
        let after = chroma(&run("white-balance", input));
        assert!(before.iter().all(|v| v.abs() > 0.02), "{pix}: there was a cast: {before:?}");
        assert!(after.iter().all(|v| v.abs() < 0.004), "{pix}: it is gone: {after:?}");
    }
    // Half the strength, half the way.
    let input = frame(&spec(VideoFormat::Bgr, "sRGB"), cast);
    let was = means(&rgb(&input));
    let is = means(&rgb(&run("white-balance:strength=0.5", input)));
    let gray = was.iter().sum::<f64>() / 3.0;
    for (was, is) in was.into_iter().zip(is) {
        assert!((is - (was + gray) / 2.0).abs() < 0.004, "{was} became {is}");
    }
}

#[test]
fn equalisation_is_opencvs() {
    let input = frame(&spec(VideoFormat::Gray8, "1:4:0:0"), color);
    let mut wanted = Mat::default();
    imgproc::equalize_hist(&gray(&bytes(&input)), &mut wanted).expect("OpenCV");
    let got = bytes(&run("equalize", input));
    let off = got.iter().zip(wanted.data_bytes().expect("bytes")).map(|(a, b)| a.abs_diff(*b)).max();
    assert!(off <= Some(1), "GRAY8 is off by {off:?}");
    // By way of luma. OpenCV works on 8 bits of full range: what is deep or limited is finer or coarser here, and of so dull
    // a picture each step of brightness becomes four or five.
    let dull = |x, y| color(x, y).map(|c| 0.4 + 0.25 * c);
    let opencv = |bgr: &Mat| {
        let mut ycc = Mat::default();
        imgproc::cvt_color_def(bgr, &mut ycc, imgproc::COLOR_BGR2YCrCb).expect("OpenCV");
        let mut planes = cv::Vector::<Mat>::new();
        cv::split(&ycc, &mut planes).expect("OpenCV");
        let (mut even, mut out) = (Mat::default(), Mat::default());
        imgproc::equalize_hist(&planes.get(0).expect("luma"), &mut even).expect("OpenCV");
        planes.set(0, even).expect("a plane");
        cv::merge(&planes, &mut ycc).expect("OpenCV");
        imgproc::cvt_color_def(&ycc, &mut out, imgproc::COLOR_YCrCb2BGR).expect("OpenCV");
        out
    };
    check_bgr("equalize", dull, 28.0, opencv);
    let input = frame(&spec(VideoFormat::Bgr, "sRGB"), dull);
    let wanted = opencv(&mat(&rgb(&input)));
    let db = psnr_bgr(&run("equalize", input), &wanted);
    assert!(db > 40.0, "BGR: {db:.1} dB");
    for (format, colorimetry, _) in FORMS {
        let spec = spec(format, colorimetry);
        let (zero, unit, _) = scale(Component::Y, &spec);
        let out = codes(&run("equalize", frame(&spec, |x, y| color(x, y).map(|c| 0.4 + 0.25 * c))));
        let (low, high) = (out[0].1.iter().min(), out[0].1.iter().max());
        assert_eq!((low, high), (Some(&(zero as u16)), Some(&((zero + unit) as u16))), "{format}: from black to white");
    }
}

#[test]
fn clahe_is_opencvs() {
    let dull = |x, y| color(x, y).map(|c| 0.4 + 0.25 * c);
    let clahe = |luma: &Mat| {
        let mut out = Mat::default();
        imgproc::create_clahe(3.0, Size::new(4, 4)).and_then(|mut c| c.apply(luma, &mut out)).expect("OpenCV");
        out
    };
    let input = frame(&spec(VideoFormat::Gray8, "1:4:0:0"), dull);
    let wanted = clahe(&gray(&bytes(&input)));
    assert!(bytes(&run("clahe:clip-limit=3,tiles=4", input)) == wanted.data_bytes().expect("bytes"), "GRAY8");
    for (format, colorimetry, _) in FORMS {
        let input = frame(&spec(format, colorimetry), dull);
        let luma: Vec<u8> = values(&input, Component::Y).iter().map(|v| (v * 255.0).round() as u8).collect();
        let before = codes(&input);
        let wanted = clahe(&gray(&luma));
        let out = run("clahe:clip-limit=3,tiles=4", input);
        let wanted = wanted.data_bytes().expect("bytes").iter().map(|v| f64::from(*v) / 255.0);
        let db = psnr(values(&out, Component::Y), wanted.clone());
        // Deep luma keeps its lower bits as they are, which OpenCV's answer lacks; and what is cut to 8 bits in limited range
        // first has fewer steps, each of which becomes three.
        let least = if out.spec().layout.depth == 8 { 40.0 } else { 32.0 };
        assert!(db > least, "{format} {colorimetry}: {db:.1} dB");
        assert!(psnr(luma.iter().map(|v| f64::from(*v) / 255.0), wanted) < 32.0, "it does something");
        for ((c, was), (_, is)) in before.iter().zip(codes(&out)).skip(1) {
            assert!(*was == is, "{format}: {c:?} stays");
        }
    }
}

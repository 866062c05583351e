//! The privacy mask.

use super::*;

/// True where a sample shows any pixel of left..right, top..bottom.
fn shows(c: &Channel, i: usize, (l, t, r, b): (usize, usize, usize, usize)) -> bool {
    let (x, y) = (i % c.w, i / c.w);
    x << c.sub.0 < r && (x + 1) << c.sub.0 > l && y << c.sub.1 < b && (y + 1) << c.sub.1 > t
}

const AREA: (usize, usize, usize, usize) = (7, 5, 38, 22);

#[test]
fn a_mask_leaves_no_sample_of_what_it_hides_and_touches_nothing_else() {
    for format in [I420, Nv12, Y42b, I42010le, P01010le, Gray8, Bgr, Rgba, Ayuv] {
        let was = paint(&spec(format, DIMS), 0, noise);
        for method in ["fill", "pixelate", "blur"] {
            let what = format!("{method} on {format}");
            let is = run(&format!("mask:method={method},color=orange,region=7,5,31,17"), &was);
            for (a, b) in channels(&was).iter().zip(channels(&is)) {
                let (inside, outside): (Vec<usize>, Vec<usize>) = (0..a.at.len()).partition(|i| shows(a, *i, AREA));
                assert!(outside.iter().all(|i| a.at[*i] == b.at[*i]), "{what}: {:?} changed outside", a.component);
                // By row and by column, so that not even one line at the border survives: of noise no more than chance.
                let line = |of: &dyn Fn(usize) -> usize, n: usize| {
                    let mut same = vec![(0, 0); n];
                    for &i in &inside {
                        same[of(i)].0 += usize::from(a.at[i] == b.at[i]);
                        same[of(i)].1 += 1;
                    }
                    same.into_iter().enumerate().find(|(_, (same, all))| *same > 2 && same * 4 > *all)
                };
                assert_eq!(line(&|i| i % a.w, a.w), None, "{what}: a column of {:?} survives", a.component);
                assert_eq!(line(&|i| i / a.w, a.h), None, "{what}: a row of {:?} survives", a.component);
                let color = "orange".parse::<Color>().expect("a colour");
                let fill = color.sample(a.component, &was.spec().info, &was.spec().layout) >> was.spec().layout.shift;
                let flat = inside.iter().all(|i| b.at[*i] == fill);
                assert!(method != "fill" || flat, "{what}: {:?} is not of one colour", a.component);
                let mut values: Vec<u16> = inside.iter().map(|i| b.at[*i]).collect();
                values.sort_unstable();
                values.dedup();
                assert!(method != "pixelate" || values.len() <= 12, "{what}: {} shades", values.len());
            }
        }
    }
}

#[test]
fn a_blurred_mask_depends_on_the_means_of_few_cells_only() {
    for format in [I420, Y42b, I42010le, Bgr] {
        for method in ["blur", "pixelate"] {
            let op = format!("mask:method={method},cells=3,region=16,16,48,48");
            // The same pairs of pixels within each cell of 16, from left to right and from right to left.
            let plain = |c, x: u32, y: u32| noise(c, x & !1, y);
            let mirrored = |c, x: u32, y: u32| noise(c, x / 16 * 16 + 14 - ((x % 16) & !1), y);
            let spec = spec(format, DIMS);
            let (a, b) = (run(&op, &paint(&spec, 0, plain)), run(&op, &paint(&spec, 0, mirrored)));
            let mut differed = 0;
            for (a, b) in channels(&a).iter().zip(channels(&b)) {
                for i in 0..a.at.len() {
                    let inside = shows(a, i, (16, 16, 64, 64));
                    assert!(!inside || a.at[i] == b.at[i], "{method} on {format}: {:?} tells them apart", a.component);
                    differed += usize::from(a.at[i] != b.at[i]);
                }
            }
            assert!(differed > 1000, "the pictures are two");
        }
    }
}

#[test]
fn a_polygon_mask_covers_all_of_it() {
    let was = paint(&spec(I420, DIMS), 0, noise);
    let is = run("mask:color=white,region=21,11 91,41 33,83", &was);
    let inside = |x: f64, y: f64| {
        let side = |(ax, ay): (f64, f64), (bx, by): (f64, f64)| (bx - ax) * (y - ay) - (by - ay) * (x - ax) >= 0.0;
        let [a, b, c] = [(21.0, 11.0), (91.0, 41.0), (33.0, 83.0)];
        side(a, b) && side(b, c) && side(c, a)
    };
    for (a, b) in channels(&was).iter().zip(channels(&is)) {
        let white = Color::WHITE.sample(a.component, &was.spec().info, &was.spec().layout);
        let (sx, sy) = (1usize << a.sub.0, 1usize << a.sub.1);
        let (mut hidden, mut kept) = (0, 0);
        for i in 0..a.at.len() {
            let (x, y) = (i % a.w * sx, i / a.w * sy);
            // Every corner of every pixel that shares the sample.
            let any = (0..=sx).any(|dx| (0..=sy).any(|dy| inside((x + dx) as f64, (y + dy) as f64)));
            assert!(!any || b.at[i] == white, "{:?} at {x},{y} shows", a.component);
            (hidden, kept) = (hidden + usize::from(any), kept + usize::from(a.at[i] == b.at[i]));
        }
        let all = a.at.len();
        assert!(
            hidden * 20 > all && kept > all * 7 / 10,
            "{:?}: {hidden} hidden and {kept} kept of {all}",
            a.component
        );
    }
}

#[test]
fn a_mask_fails_closed() {
    let was = paint(&spec(I420, DIMS), 0, noise);
    let cases = [
        ("mask", "region is missing"),
        ("mask:region=1,1,9,9,when=2s..5s", "when is refused"),
        ("mask:region=1,1,9,9,enabled=false", "enabled = false is refused"),
        ("mask:region=500,0,9,9", "lies outside of the picture (161x121)"),
        ("mask:region=1,1,0,9", "empty"),
        ("mask:cells=17,region=1,1,9,9", "1 to 16"),
    ];
    for (op, why) in cases {
        let e = run_all(op, vec![was.again()]).err().unwrap_or_else(|| panic!("{op} ran"));
        assert!(e.contains(why), "{op}: {e}");
    }
    assert!(run_all("mask:region=1,1,9,9,enabled=true", vec![was.again()]).is_ok());
}

#[test]
fn full_range_has_black_at_zero() {
    gstreamer::init().expect("GStreamer");
    let info =
        VideoInfo::builder(I420, 64, 48).colorimetry(&"1:4:0:0".parse::<VideoColorimetry>().expect("full range"));
    let spec = Arc::new(Spec::new(info.build().expect("a video info")).expect("a layout"));
    let was = paint(&spec, 0, |_, x, _| if x < 32 { 20.0 } else { 220.0 });
    for op in ["sobel", "laplacian", "edges", "morphology:operation=gradient"] {
        let y = &channels(&run(op, &was))[0].at;
        assert!(y[0] == 0 && y.iter().any(|s| *s >= 200), "{op}: from {} to {:?}", y[0], y.iter().max());
    }
}

/// What a mask hides may not come back by way of the input.
#[test]
fn nothing_behind_a_mask_shows_the_input() {
    let run =
        fw!["run", "generate:scene", "-o", "null", "--frames", "1", "--op", "mask:region=1,1,9,9", "--op", "compare"]
            .end();
    assert!(run.code == 2 && run.stderr.contains("put compare before mask"), "{}", run.stderr);
    fw!["run", "generate:scene", "-o", "null", "--frames", "1", "--op", "compare", "--op", "mask:region=1,1,9,9"].ok();
}

//! `compare`: the input and the result in one picture.

use super::*;

#[test]
fn a_split_is_the_input_on_one_side_and_the_result_on_the_other() {
    for format in KINDS {
        let spec = spec_at(format, 101, 37, (10, 1));
        let picture = || frame(&spec, 0, noise(&spec));
        let (before, after) = (all(&picture()), all(&run(&["blur:size=9"], vec![picture()])[0]));
        assert!(before != after);
        for (at, border) in [(0.0, 0), (49.5, 50), (20.0, 20), (100.0, 101)] {
            let op = format!("compare:at={at},divider=0");
            let both = all(&run(&["blur:size=9", &op], vec![picture()])[0]);
            for (i, plane) in spec.layout.planes.iter().enumerate() {
                let n = plane.cols(border) as usize * plane.channels.len() * spec.layout.bytes as usize;
                for (y, row) in both[i].iter().enumerate() {
                    assert!(row[..n] == before[i][y][..n], "{op} on {format}: the input's side, plane {i} row {y}");
                    assert!(row[n..] == after[i][y][n..], "{op} on {format}: the result's side, plane {i} row {y}");
                }
            }
        }
    }
}

#[test]
fn side_by_side_and_stacked_hold_both_pictures() {
    for format in KINDS {
        let spec = spec_at(format, 100, 36, (10, 1));
        let picture = || frame(&spec, 0, noise(&spec));
        let (before, after) = (all(&picture()), all(&run(&["blur:size=9"], vec![picture()])[0]));
        let side = run(&["blur:size=9", "compare:mode=side-by-side"], vec![picture()]).remove(0);
        assert_eq!((side.width(), side.height()), (200, 36));
        let stacked = run(&["blur:size=9", "compare:mode=stacked"], vec![picture()]).remove(0);
        assert_eq!((stacked.width(), stacked.height()), (100, 72));
        for (i, (side, stacked)) in all(&side).iter().zip(all(&stacked)).enumerate() {
            let rows: Vec<Vec<u8>> = before[i].iter().zip(&after[i]).map(|(a, b)| [&a[..], b].concat()).collect();
            assert!(*side == rows, "{format}: plane {i} side by side");
            assert!(stacked == [&before[i][..], &after[i]].concat(), "{format}: plane {i} stacked");
        }
    }
}

#[test]
fn a_difference_is_that_of_the_samples() {
    let bgr = spec(VideoFormat::Bgr);
    let drawing = "rectangle:x=50,y=50,width=100,height=80,thickness=5,fill=#123456,fill-opacity=0.3";
    let (was, is) = (frame(&bgr, 0, soft), run(&[drawing], vec![frame(&bgr, 0, soft)]).remove(0));
    let of = |gain: f64| {
        let op = format!("compare:mode=difference,gain={gain}");
        rows(&run(&[drawing, &op], vec![frame(&bgr, 0, soft)])[0], 0).concat()
    };
    for gain in [1.0, 3.0] {
        let wanted: Vec<u8> = rows(&was, 0)
            .concat()
            .iter()
            .zip(rows(&is, 0).concat())
            .map(|(a, b)| (f64::from(a.abs_diff(b)) * gain).min(255.0) as u8)
            .collect();
        assert!(of(gain) == wanted, "gain {gain}");
    }
    // Luma above black, chroma around neutral, in the format's own depth.
    for (format, black, neutral) in [(VideoFormat::I420, 16, 128), (VideoFormat::I42010le, 64, 512)] {
        let spec = spec(format);
        let out = run(&["compare:mode=difference"], vec![frame(&spec, 0, noise(&spec))]).remove(0);
        for (i, plane) in all(&out).iter().enumerate() {
            let wanted: u16 = if i == 0 { black } else { neutral };
            let size = spec.layout.bytes as usize;
            assert!(plane.concat().chunks(size).all(|s| s == &wanted.to_le_bytes()[..size]), "{format}: plane {i}");
        }
    }
}

#[test]
fn keyframes_move_the_border() {
    let spec = spec(VideoFormat::I420);
    let frames = (0..3).map(|n| frame(&spec, n * 100_000_000, noise(&spec))).collect();
    let before = rows(&frame(&spec, 0, noise(&spec)), 0);
    let out = run(&["blur:size=21", "compare:at=[[0s,0],[0.2s,100]],divider=0"], frames);
    let same = |f: &Frame| rows(f, 0).iter().zip(&before).all(|(a, b)| a[..8] == b[..8]);
    let whole = |f: &Frame| rows(f, 0) == before;
    assert_eq!(
        out.iter().map(|f| (same(f), whole(f))).collect::<Vec<_>>(),
        [(false, false), (true, false), (true, true)]
    );
}

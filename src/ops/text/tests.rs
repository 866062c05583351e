use gstreamer_video::{VideoFormat, VideoInfo};

use super::typeface::Typeface;
use super::*;

fn frame(format: VideoFormat, width: u32, height: u32) -> Frame {
    gstreamer::init().unwrap();
    let info = VideoInfo::builder(format, width, height).build().unwrap();
    let bytes = vec![90u8; info.size()];
    Frame::new(gstreamer::Buffer::from_mut_slice(bytes), Arc::new(Spec::new(info).unwrap()), ClockTime::ZERO, None)
}

fn writer(config: Text, frame: &Frame) -> Writer {
    config.check().unwrap();
    let mut writer = Writer::new(config);
    writer.prepare(frame.spec(), &Stream { name: "traffic cam.mp4".into(), ..Stream::default() }).unwrap();
    writer
}

fn text(text: &str) -> Text {
    Text { text: text.into(), ..Text::default() }
}

fn draw(config: Text, frame: &mut Frame) {
    writer(config, frame).edit(frame).unwrap();
}

/// The rectangle of a BGR frame that was drawn on: left, top, right, bottom.
fn drawn(frame: &Frame) -> Bounds {
    let planes = frame.planes().unwrap();
    let mut all = Bounds::default();
    for y in 0..frame.height() {
        for (x, p) in (0i32..).zip(planes.row(0, y).unwrap().chunks_exact(3)) {
            if p != [90, 90, 90] {
                all = all.with(Bounds::sized(x, y as i32, 1, 1));
            }
        }
    }
    all
}

fn at(position: &str) -> Position {
    position.parse().unwrap()
}

fn pixels(n: f64) -> Length {
    Length::Pixels(n)
}

#[test]
fn settings_that_are_wrong_are_named() {
    let message = |t: Text| t.check().unwrap_err().message;
    assert!(message(Text::default()).contains("text is missing or empty: give one, as in --op 'text:text={source}"));
    assert!(message(text("{tme}")).contains("did you mean `{time}`"));
    assert!(message(Text { size: pixels(0.5), ..text("a") }).contains("size = 0.5 is out of range: 1 to 2000 pixels"));
    assert!(message(Text { size: Length::Percent(101.0), ..text("a") }).contains("size = 101%"));
    assert!(message(Text { opacity: f64::NAN, ..text("a") }).contains("opacity"));
    assert!(message(Text { font: "hershey-tripplex".into(), ..text("a") }).contains("did you mean `hershey-triplex`"));
    let toml =
        "text = 'a'\nsize = 30\nposition = '50%,100%'\nbox = 'black'\nbox-opacity = 1\nmargin = '3%'\nalign = 'right'";
    let read: Text = toml::from_str(toml).unwrap();
    assert_eq!((read.size, read.margin, read.background), (pixels(30.0), Length::Percent(3.0), Some(Color::BLACK)));
    let again: Text = toml::from_str(&toml::to_string(&read).unwrap()).unwrap();
    assert_eq!(format!("{again:?}"), format!("{read:?}"));
    assert!(toml::from_str::<Text>("text = 'a'\nposition = 'botom'").unwrap_err().message().contains("`bottom`"));
    assert!(toml::from_str::<Text>("txt = 'a'").is_err());
}

#[test]
fn fonts_that_are_not_there_are_named() {
    let f = frame(VideoFormat::Bgr, 64, 64);
    let refused = |font: &str| {
        let mut w = Writer::new(Text { font: font.into(), ..text("a") });
        w.prepare(f.spec(), &Stream::default()).unwrap_err().to_string()
    };
    let e = refused("No Such Font");
    assert!(e.contains("font `No Such Font` is not installed") && e.contains("the built-in one"), "{e}");
    assert!(refused("/no/such.ttf").starts_with("font file /no/such.ttf: "));
    let file = tempfile::Builder::new().suffix(".ttf").tempfile().unwrap();
    std::fs::write(file.path(), "no font").unwrap();
    assert!(refused(file.path().to_str().unwrap()).contains("not a TrueType or OpenType font"));
    std::fs::write(file.path(), epaint_default_fonts::UBUNTU_LIGHT).unwrap();
    let mut f = frame(VideoFormat::Bgr, 64, 64);
    draw(Text { font: file.path().to_str().unwrap().into(), ..text("aЖ") }, &mut f);
    assert!(!drawn(&f).is_empty());
}

#[test]
fn every_format_and_every_size_is_written_on() {
    gstreamer::init().unwrap();
    for format in crate::frame::Layout::all_formats() {
        for (width, height) in [(1, 1), (2, 1), (17, 33), (161, 91)] {
            for font in ["", "hershey"] {
                let config = Text { background: Some(Color::WHITE), font: font.into(), ..text("Äg|Ж") };
                let mut f = frame(format, width, height);
                let before = f.planes().unwrap().row(0, 0).unwrap().to_vec();
                draw(Text { margin: pixels(0.0), box_opacity: 1.0, ..config }, &mut f);
                let after = f.planes().unwrap().row(0, 0).unwrap().to_vec();
                assert_ne!(before, after, "{format} {width}x{height} {font}");
            }
        }
    }
}

#[test]
fn the_box_goes_where_it_is_told_and_nothing_else_changes() {
    let bounds = |position, margin| {
        let mut f = frame(VideoFormat::Bgr, 641, 361);
        let config = Text { position: at(position), margin: pixels(margin), size: pixels(20.0), ..text("gÅ|") };
        draw(Text { background: Some(Color::WHITE), padding: pixels(6.0), ..config }, &mut f);
        drawn(&f)
    };
    let corner = bounds("top-left", 7.0);
    assert_eq!((corner.left, corner.top), (7, 7));
    let (w, h) = (corner.width() as i32, corner.height() as i32);
    assert_eq!(bounds("bottom-right", 7.0), Bounds::sized(641 - 7 - w, 361 - 7 - h, w, h));
    assert_eq!(bounds("100%,0%", 7.0), Bounds::sized(641 - w, 0, w, h));
    assert_eq!(bounds("center", 0.0), bounds("50%,50%", 0.0));
    assert_eq!(bounds("-10,355", 0.0), Bounds { left: 0, top: 355, right: w - 10, bottom: 361 });
    for far in ["9999,0", "-1e12,1e12", "1e300%,-1e300%"] {
        assert!(bounds(far, 0.0).is_empty(), "{far}");
    }
}

#[test]
fn long_text_is_cut_at_the_border_and_lines_break() {
    let mut f = frame(VideoFormat::Bgr, 101, 51);
    draw(Text { position: at("bottom-right"), size: pixels(10.0), ..text(&"long ".repeat(2000)) }, &mut f);
    let b = drawn(&f);
    assert!(b.left < 3 && b.right == 101 && b.height() < 14, "{b:?}");
    let lines = |t: &str, spacing| {
        let mut f = frame(VideoFormat::Bgr, 200, 200);
        draw(Text { size: pixels(20.0), line_spacing: spacing, ..text(t) }, &mut f);
        drawn(&f).height()
    };
    let (one, two) = (lines("x", 1.0), lines(r"x\nx", 1.0));
    assert!((22..26).contains(&(two - one)), "{one} {two}");
    assert_eq!(lines("x\nx", 2.0) - one, 2 * (two - one));
    assert_eq!(lines("  \n ", 1.0), 0);
}

#[test]
fn lines_are_aligned() {
    let lefts = |align, font: &str| {
        let mut f = frame(VideoFormat::Bgr, 300, 100);
        draw(Text { size: pixels(20.0), align, font: font.into(), ..text("WWWWWW\nW") }, &mut f);
        let planes = f.planes().unwrap();
        let row = planes.row(0, 40).unwrap().chunks_exact(3).position(|p| p != [90, 90, 90]).unwrap();
        row as i32
    };
    for font in ["", "hershey"] {
        let at = [Align::Left, Align::Center, Align::Right].map(|a| lefts(a, font));
        assert!(at[0] < 6 && at[1] > at[0] + 25 && at[2] > at[1] + 25, "{at:?}");
        assert!((at[2] - at[1] - (at[1] - at[0])).abs() <= 1, "{at:?}");
    }
}

#[test]
fn faded_letters_hide_their_outline() {
    let mut f = frame(VideoFormat::Bgr, 60, 60);
    let config = Text { size: pixels(50.0), outline: pixels(3.0), opacity: 0.5, ..text("■") };
    draw(config, &mut f);
    let planes = f.planes().unwrap();
    let seen: std::collections::BTreeSet<u8> = (0..60).flat_map(|y| planes.row(0, y).unwrap().to_vec()).collect();
    // Background, half of white over it, half of black over it, and edges in between.
    assert_eq!((seen.first(), seen.last()), (Some(&45), Some(&173)));
}

#[test]
fn scripts_of_the_built_in_font_need_no_installed_one() {
    let mut face = Typeface::open("", 20.0, 1.0, 1.0).unwrap();
    let (w, h, ink) = face.lay_out("Grüße Привет Ελλάδα 12:34 → 😀", Align::Left);
    assert!(w > 250 && h > 20 && !ink.is_empty());
    let (cached, system, unknown) = face.state();
    assert!(cached > 20 && !system && unknown.is_empty(), "{unknown}");
    // Once more: all glyphs are there.
    face.lay_out("Grüße Привет Ελλάδα 12:34 → 😀", Align::Left);
    assert_eq!(face.state().0, cached);
    // Others come from installed fonts or are shown as unknown; the letter under an accent stays.
    let (w, ..) = face.lay_out("日本 שלום e\u{1dff} \u{10ffff}", Align::Left);
    let (_, system, unknown) = face.state();
    assert!(w > 60 && system && unknown.contains('\u{10ffff}') && !unknown.contains('e'), "{unknown}");
}

#[test]
fn unchanged_text_is_not_rendered_again() {
    let mut f = frame(VideoFormat::I420, 320, 240);
    let mut w = writer(text("{frame}"), &f);
    w.edit(&mut f).unwrap();
    let once = f.planes().unwrap().row(0, 10).unwrap().to_vec();
    // With no letters there is no rendering: what is seen comes from the cache.
    w.letters = None;
    let mut g = frame(VideoFormat::I420, 320, 240);
    w.edit(&mut g).unwrap();
    assert_eq!(g.planes().unwrap().row(0, 10).unwrap(), once);
    assert_ne!(once, vec![90; 320]);
}

#[test]
fn the_frame_rate_is_measured_where_the_stream_does_not_say() {
    let mut f = frame(VideoFormat::Gray8, 64, 64);
    let mut w = writer(text("{fps}"), &f);
    let mut seen = Vec::new();
    for i in 0..40 {
        f.pts = ClockTime::from_mseconds(1000 + 40 * i);
        w.edit(&mut f).unwrap();
        seen.push(w.text.clone());
    }
    assert_eq!((seen[0].as_str(), seen[1].as_str(), seen[39].as_str()), ("?", "25", "25"));
    let info =
        VideoInfo::builder(VideoFormat::Gray8, 64, 64).fps(gstreamer::Fraction::new(30000, 1001)).build().unwrap();
    w.prepare(&Arc::new(Spec::new(info).unwrap()), &Stream::default()).unwrap();
    w.edit(&mut f).unwrap();
    assert_eq!(w.text, "29.97");
}

#[test]
fn columns_make_up_the_whole_drawing() {
    let formats = [
        VideoFormat::I420,
        VideoFormat::Nv12,
        VideoFormat::Y41b,
        VideoFormat::I42010le,
        VideoFormat::Bgr,
        VideoFormat::Rgba,
    ];
    for format in formats {
        let before = frame(format, 321, 99);
        let config = Text {
            position: at("3,5"),
            background: Some(Color::rgb(200, 30, 30)),
            outline: pixels(1.5),
            opacity: 0.8,
            size: pixels(21.0),
            ..text("{frame}")
        };
        let mut writer = writer(config, &before);
        let mut pieces = Pieces::default();
        // What comes after another text is what it would be alone; some end at the picture's border.
        for text in ["00:00:01:09 there", "00:00:01:10 there", "1", "", "a text that is wider than the picture is", "y"]
        {
            writer.text = text.into();
            let (overlay, window) = writer.lay_down();
            pieces.set(&overlay, before.spec(), window);
            let (mut by_pieces, mut whole) = (frame(format, 321, 99), frame(format, 321, 99));
            pieces.blend(&mut by_pieces).unwrap();
            overlay.blend(&mut whole, window.left, window.top).unwrap();
            let (a, b, clean) = (by_pieces.planes().unwrap(), whole.planes().unwrap(), before.planes().unwrap());
            let mut marked = false;
            for (i, plane) in before.spec().layout.planes.iter().enumerate() {
                for y in 0..plane.rows(99) {
                    assert_eq!(a.row(i, y).unwrap(), b.row(i, y).unwrap(), "{format:?} {text:?} plane {i} row {y}");
                    marked |= a.row(i, y).unwrap() != clean.row(i, y).unwrap();
                }
            }
            assert_eq!(marked, !text.is_empty(), "{format:?} {text:?}");
        }
    }
}

//! Text with fields: `{source} {time} #{frame}`.

use std::fmt::Write;

use gstreamer::ClockTime;
use jiff::Zoned;
use jiff::fmt::strtime;

use crate::frame::Meta;
use crate::ops::smpte::Smpte;

/// A parsed template.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Template(Vec<Part>);

#[derive(Clone, Debug, PartialEq)]
enum Part {
    Literal(String),
    Source,
    Frame,
    Pts,
    Time(String),
    Clock(String),
    Timecode,
    Fps,
    Width,
    Height,
    /// What an op measured, with so many digits after the point.
    Measure(String, usize),
    /// How a counter stands.
    Counter(String),
}

/// What the fields of one frame say.
pub(super) struct Values<'a> {
    pub source: &'a str,
    pub frame: u64,
    pub pts: ClockTime,
    pub position: ClockTime,
    pub fps: Option<f64>,
    /// What `{timecode}` counts by; needed where that field is.
    pub timecode: Option<&'a Smpte>,
    pub width: u32,
    pub height: u32,
    pub meta: &'a Meta,
}

const ESCAPES: &[(&str, char)] = &[("{{", '{'), ("}}", '}'), (r"\n", '\n'), (r"\\", '\\')];
/// The names of all fields.
pub const FIELDS: &[&str] =
    &["source", "frame", "pts", "time", "clock", "timecode", "fps", "width", "height", "tracks"];
const ALLOWED: &str = "{source}, {frame}, {pts}, {time}, {time:%H:%M:%S}, {clock}, {clock:%F %T}, {timecode}, {fps}, \
                       {width}, {height}, {measure.NAME}, {measure.NAME:.1}, {tracks}, \
                       {count.LINE.in}, {count.LINE.out}, {count.LINE.in.LABEL}, {zone.NAME.now}, {zone.NAME.total}";

impl Template {
    /// Parses `text`. `{{` and `}}` are braces, `\n` (as written) is a line break, `\\` a backslash.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut parts = Vec::new();
        let mut literal = String::new();
        let mut rest = text;
        while let Some(c) = rest.chars().next() {
            if let Some((written, means)) = ESCAPES.iter().find(|(e, _)| rest.starts_with(e)) {
                literal.push(*means);
                rest = &rest[written.len()..];
                continue;
            }
            rest = &rest[c.len_utf8()..];
            match c {
                '}' => return Err("a `}` has no `{` before it: write }} for the character".into()),
                '{' => {
                    let (inner, after) = rest
                        .split_once('}')
                        .ok_or_else(|| format!("`{{{rest}` has no `}}` after it: write {{{{ for the character"))?;
                    if !literal.is_empty() {
                        parts.push(Part::Literal(std::mem::take(&mut literal)));
                    }
                    parts.push(field(inner)?);
                    rest = after;
                }
                c => literal.push(c),
            }
        }
        if !literal.is_empty() {
            parts.push(Part::Literal(literal));
        }
        Ok(Template(parts))
    }

    /// True when {fps} is shown.
    pub fn wants_fps(&self) -> bool {
        self.0.contains(&Part::Fps)
    }

    /// True when {timecode} is shown.
    pub fn wants_timecode(&self) -> bool {
        self.0.contains(&Part::Timecode)
    }

    /// Writes the text of one frame to `out`, which is cleared first. Tabs become spaces, other control characters go.
    pub fn render(&self, v: &Values<'_>, out: &mut String) {
        out.clear();
        for part in &self.0 {
            // Writing to a String cannot fail.
            let _ = match part {
                Part::Literal(text) => out.write_str(text),
                Part::Source => out.write_str(v.source),
                Part::Frame => write!(out, "{}", v.frame),
                Part::Pts => write!(out, "{}.{:03}", v.pts.seconds(), v.pts.mseconds() % 1000),
                Part::Time(format) => span(v.position, format, out),
                Part::Clock(format) => {
                    clock(format, &Zoned::now()).map(|t| out.push_str(&t)).ok();
                    Ok(())
                }
                Part::Timecode => v.timecode.map_or(Ok(()), |smpte| smpte.write(smpte.at(v.position), out)),
                Part::Fps => match v.fps {
                    Some(fps) => {
                        let text = format!("{fps:.2}");
                        out.write_str(text.trim_end_matches('0').trim_end_matches('.'))
                    }
                    None => out.write_str("?"),
                },
                Part::Width => write!(out, "{}", v.width),
                Part::Height => write!(out, "{}", v.height),
                Part::Measure(name, digits) => match v.meta.measurement(name) {
                    Some(value) => write!(out, "{value:.digits$}"),
                    None => out.write_str("?"),
                },
                Part::Counter(name) => match counter(v.meta, name) {
                    Some(value) => write!(out, "{value}"),
                    None => out.write_str("?"),
                },
            };
        }
        if out.contains(|c: char| c.is_control() && c != '\n') {
            *out = out.replace('\t', "    ");
            out.retain(|c| !c.is_control() || c == '\n');
        }
    }
}

fn field(inner: &str) -> Result<Part, String> {
    let (name, format) = match inner.split_once(':') {
        Some((n, f)) => (n, Some(f)),
        None => (inner, None),
    };
    if let Some(measure) = name.strip_prefix("measure.") {
        let digits = match format {
            None => Some(2),
            Some(f) => f.strip_prefix('.').and_then(|n| n.parse().ok()).filter(|n| *n <= 9),
        };
        return match digits {
            Some(digits) if !measure.is_empty() => Ok(Part::Measure(measure.to_owned(), digits)),
            Some(_) => {
                Err(format!("`{{{inner}}}` names no measure: {{measure.sharpness}} is the value of op sharpness"))
            }
            None => Err(format!("`{{{inner}}}`: the format of a measure is its digits after the point, `.0` to `.9`")),
        };
    }
    if name.starts_with("count.") || name.starts_with("zone.") {
        let parts: Vec<&str> = name.split('.').collect();
        return match (parts.as_slice(), format) {
            (["count", line, "in" | "out", ..], None) if !line.is_empty() && !parts.contains(&"") => {
                Ok(Part::Counter(name.replacen("count", "line", 1)))
            }
            (["zone", zone, "now" | "total"], None) if !zone.is_empty() => Ok(Part::Counter(name.to_owned())),
            _ => Err(format!(
                "`{{{inner}}}` is no counter: there are {{count.LINE.in}}, {{count.LINE.out}}, {{count.LINE.in.LABEL}} of op \
                 count-line and {{zone.NAME.now}}, {{zone.NAME.total}} of op zone"
            )),
        };
    }
    let part = match (name, format) {
        ("time", Some(f)) => {
            span(ClockTime::ZERO, f, &mut String::new()).map_err(|_| {
                format!("`{{{inner}}}` has a directive that a position has not: %H %M %S %L (ms) %f (ms) %s %T %% are")
            })?;
            Part::Time(f.to_owned())
        }
        ("clock", Some(f)) => {
            clock(f, &Zoned::now()).map_err(|e| format!("`{{{inner}}}` is no time format: {e}"))?;
            Part::Clock(f.to_owned())
        }
        (name, Some(_)) if FIELDS.contains(&name) => {
            return Err(format!(
                "`{{{inner}}}`: {{{name}}} takes no format; only {{time:…}}, {{clock:…}} and {{measure.…}} do"
            ));
        }
        ("source", _) => Part::Source,
        ("frame", _) => Part::Frame,
        ("pts", _) => Part::Pts,
        ("time", _) => Part::Time("%H:%M:%S.%L".into()),
        ("clock", _) => Part::Clock("%F %T".into()),
        ("timecode", _) => Part::Timecode,
        ("fps", _) => Part::Fps,
        ("width", _) => Part::Width,
        ("height", _) => Part::Height,
        ("tracks", _) => Part::Counter("tracks".into()),
        _ => {
            let near = crate::config::nearest(name, FIELDS.iter().copied());
            let hint = near.map(|n| format!(" (did you mean `{{{n}}}`?)")).unwrap_or_default();
            return Err(format!("`{{{inner}}}` is no field{hint}: there are {ALLOWED}; write {{{{ for a brace"));
        }
    };
    Ok(part)
}

/// How a counter stands. A label that did not cross a line yet has none: that is 0.
fn counter(meta: &Meta, name: &str) -> Option<i64> {
    let of_line = || {
        let (line, _) = name.strip_prefix("line.")?.split_once('.')?;
        meta.counter(&format!("line.{line}.in")).map(|_| 0)
    };
    meta.counter(name).or_else(of_line)
}

/// Formats a position like strftime does a time of day; hours go on past 23.
fn span(position: ClockTime, format: &str, out: &mut String) -> std::fmt::Result {
    let (ms, s) = (position.mseconds() % 1000, position.seconds());
    let mut chars = format.chars();
    while let Some(c) = chars.next() {
        if c != '%' {
            out.push(c);
            continue;
        }
        match chars.next() {
            Some('H') => write!(out, "{:02}", s / 3600)?,
            Some('M') => write!(out, "{:02}", s / 60 % 60)?,
            Some('S') => write!(out, "{:02}", s % 60)?,
            Some('L' | 'f') => write!(out, "{ms:03}")?,
            Some('s') => write!(out, "{s}")?,
            Some('T') => write!(out, "{:02}:{:02}:{:02}", s / 3600, s / 60 % 60, s % 60)?,
            Some('%') => out.push('%'),
            _ => return Err(std::fmt::Error),
        }
    }
    Ok(())
}

/// strftime, with %L and %f for milliseconds as in a position.
fn clock(format: &str, now: &Zoned) -> Result<String, jiff::Error> {
    // %% is set aside so that the L of %%L stays a letter.
    let parts: Vec<String> = format.split("%%").map(|p| p.replace("%L", "%3f").replace("%f", "%3f")).collect();
    strtime::format(parts.join("%%"), now)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn show(template: &str) -> String {
        let mut meta = Meta::default();
        meta.measured("sharpness", 123.456);
        let counters =
            [("tracks", 4), ("line.gate.in", 12), ("line.gate.out", 3), ("line.gate.in.car", 9), ("zone.door.now", 2)];
        meta.counters.extend(counters.map(|(name, n)| (name.into(), n)));
        let values = Values {
            source: "cam é.mp4",
            frame: 1234,
            pts: ClockTime::from_nseconds(1_999_999_999),
            position: ClockTime::from_mseconds(27 * 3_600_000 + 62_003),
            fps: Some(30000.0 / 1001.0),
            timecode: None,
            width: 640,
            height: 360,
            meta: &meta,
        };
        let mut out = "old".into();
        Template::parse(template).unwrap().render(&values, &mut out);
        out
    }

    #[test]
    fn fields_are_filled_in() {
        assert_eq!(show("{source} {time} #{frame}"), "cam é.mp4 27:01:02.003 #1234");
        assert_eq!(show("{pts}s {fps} fps {width}x{height}"), "1.999s 29.97 fps 640x360");
        assert_eq!(show("{time:%H h %M:%S,%f %s %T %%L %L}"), "27 h 01:02,003 97262 27:01:02 %L 003");
        assert_eq!(show("{{frame}} is {{{frame}}}"), "{frame} is {1234}");
        assert_eq!(show(r"a\nb\\n c\x"), "a\nb\\n c\\x");
        assert_eq!(show("a\r\nb\tc\0"), "a\nb    c");
        assert_eq!(show("{measure.sharpness} {measure.sharpness:.0} {measure.noise}"), "123.46 123 ?");
        assert_eq!(show(""), "");
    }

    #[test]
    fn counters_are_filled_in() {
        assert_eq!(show("{tracks} {count.gate.in}-{count.gate.out} {zone.door.now}"), "4 12-3 2");
        assert_eq!(show("{count.gate.in.car} {count.gate.out.car} {count.other.in} {zone.door.total}"), "9 0 ? ?");
        for bad in ["{count.gate}", "{count..in}", "{zone.door.in}", "{count.gate.in.}", "{zone.door.now:.1}"] {
            assert!(Template::parse(bad).unwrap_err().contains("{zone.NAME.now}"), "{bad}");
        }
    }

    #[test]
    fn the_clock_takes_strftime_and_milliseconds() {
        let now: Zoned = "2024-05-06T07:08:09.0125+02:00[+02:00]".parse().unwrap();
        assert_eq!(clock("%F %T.%L %%L", &now).unwrap(), "2024-05-06 07:08:09.012 %L");
        let text = show("{clock}|{clock:%Y}");
        assert_eq!((text.len(), text.as_bytes()[4], text.as_bytes()[19]), (24, b'-', b'|'), "{text}");
    }

    #[test]
    fn errors_name_the_field_and_what_there_is() {
        let bad = |t| Template::parse(t).unwrap_err();
        let e = bad("{fram}");
        assert!(e.contains("`{fram}`") && e.contains("did you mean `{frame}`") && e.contains("{clock:%F %T}"), "{e}");
        assert!(bad("{zzz}").contains("{source}, {frame}"));
        assert!(bad("{}").contains("is no field"));
        assert!(bad("a {frame").contains("no `}` after it"));
        assert!(bad("a } b").contains("no `{` before it"));
        assert!(bad("{frame:06}").contains("takes no format"));
        assert!(bad("{measure.}").contains("names no measure"));
        assert!(bad("{measure.noise:%d}").contains("digits"));
        assert!(bad("{time:%Y}").contains("%H %M %S"));
        assert!(bad("{time:%}").contains("%H %M %S"));
        assert!(bad("{clock:%!}").contains("no time format"));
    }
}

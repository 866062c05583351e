//! Times, numbers and events in words.

use super::moments::Moment;
use crate::vision::event::Kind;

/// `1 picture`, `3 pictures`.
pub fn many(n: u64, what: &str) -> String {
    format!("{n} {what}{}", if n == 1 { "" } else { "s" })
}

/// `1:02.5`, with hours where there are some.
pub fn clock(seconds: f64) -> String {
    let tenths = (seconds.max(0.0) * 10.0).round() as u64;
    let (h, m, s) = (tenths / 36_000, tenths / 600 % 60, tenths % 600);
    let rest = format!("{:02}.{}", s / 10, s % 10);
    if h > 0 { format!("{h}:{m:02}:{rest}") } else { format!("{m}:{rest}") }
}

/// `3.2 s`, and from a minute on as [`clock`].
pub fn lasted(seconds: f64) -> String {
    if seconds < 59.95 { format!("{seconds:.1} s") } else { clock(seconds) }
}

/// What happened, in words.
pub fn what(m: &Moment) -> String {
    match m.kind {
        Kind::LineCrossed => format!("crossed {}", m.value("direction").and_then(|v| v.text()).unwrap_or_default()),
        Kind::ZoneEntered => "entered".into(),
        Kind::ZoneDwelt => "stayed".into(),
        Kind::CrowdingStarted => "crowded".into(),
        Kind::MotionStarted => "motion".into(),
        Kind::Cut => format!("scene {}", m.number("scene").unwrap_or_default()),
        Kind::LimitPassed => "out of bounds".into(),
        kind => kind.name().into(),
    }
}

/// `car 12`.
pub fn object(m: &Moment) -> String {
    let track = m.track.map(|t| t.to_string());
    let parts = m.label.as_deref().into_iter().chain(track.as_deref());
    parts.collect::<Vec<_>>().join(" ")
}

/// What else is known.
pub fn more(m: &Moment) -> String {
    let of = |key: &str| m.number(key).map(|n| format!("{n:.2}"));
    match m.kind {
        Kind::LimitPassed => {
            let worst = of("worst").or_else(|| of("value"));
            worst.zip(of("limit")).map(|(w, l)| format!("{w} (limit {l})"))
        }
        Kind::CrowdingStarted => m.number("count").map(|n| format!("{n} at once")),
        Kind::MotionStarted => of("peak").map(|p| format!("up to {p} % of the picture")),
        _ => of("speed").map(|s| format!("{s} m/s")),
    }
    .unwrap_or_default()
}

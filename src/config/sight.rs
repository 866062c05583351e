//! Who finds what in pictures and who uses it: names that fit, in an order that works.

use super::{SinkSettings, did_you_mean};
use crate::failure::Failure;
use crate::ops::{OpSettings, Sight};

/// Checks that every op and sink that uses detections has some: found before it, by that name, and not moved since.
pub fn check(ops: &[OpSettings], sinks: &[SinkSettings]) -> Result<(), Failure> {
    let mut found: Vec<String> = Vec::new();
    let mut moved: Option<&'static str> = None;
    for op in ops.iter().filter(|o| o.common.enabled) {
        let sight = op.config.sight();
        let used = match &sight {
            Sight::Finds { on: Some(on), .. } => Some(Some(on)),
            Sight::Uses(name) => Some(name.as_ref()),
            _ => None,
        };
        if let Some(name) = used {
            uses(op.name, name.map(String::as_str), &found, moved)?;
        }
        if let Sight::Finds { name, .. } = sight {
            if moved.is_some() {
                // What was found before the move is no longer of use to anybody.
                found.clear();
                moved = None;
            }
            if found.contains(&name) {
                let what = format!("two detect ops are called `{name}`");
                return Err(Failure::usage(what).fix("give one of them another name, as in name = \"faces\""));
            }
            found.push(name);
        }
        if op.config.moves_pixels() && !found.is_empty() {
            moved.get_or_insert(op.name);
        }
    }
    let mut outlines = Vec::new();
    for op in ops.iter().filter(|o| o.common.enabled) {
        let Some(outline) = op.config.outline(op.common.region.as_ref()) else { continue };
        if outlines.contains(&(op.name, outline.name.clone())) {
            let what = format!("two {} ops are called `{}`", op.name, outline.name);
            return Err(Failure::usage(what).fix("give one of them another name"));
        }
        outlines.push((op.name, outline.name));
    }
    let events = ops.iter().any(|o| o.common.enabled && o.config.makes_events());
    if let Some(sink) = sinks.iter().find(|s| s.kind == super::SinkKind::Clips && !events) {
        let what = format!("output {} is made of events, and no op makes any", sink.label());
        return Err(Failure::usage(what).fix("add one that does, as in --op motion"));
    }
    copies(ops, sinks)?;
    // A report shows places on the pictures that are delivered; one without any is all right.
    for sink in sinks.iter().filter(|s| s.kind == super::SinkKind::Report && !found.is_empty()) {
        uses(&format!("output {}", sink.label()), None, &found, moved)?;
    }
    for sink in sinks.iter().filter(|s| s.kind.takes_no_pictures()) {
        let contents = sink.contents();
        match events && contents.events() {
            true => {}
            false if contents == super::Content::Events => {
                let what = format!("output {} is made of events, and no op makes any", sink.label());
                return Err(Failure::usage(what).fix(
                    "add one that does: motion, lines or zones, or a measure with a limit, as in --op sharpness:min=50",
                ));
            }
            false => uses(&format!("output {}", sink.label()), None, &found, moved)?,
        }
    }
    Ok(())
}

/// Refuses copies of an input in which something is to be hidden.
pub fn copies(ops: &[OpSettings], sinks: &[SinkSettings]) -> Result<(), Failure> {
    let hides = ops.iter().find(|o| o.common.enabled && o.config.redacts());
    let (Some(op), Some(sink)) = (hides, sinks.iter().find(|s| s.copy)) else { return Ok(()) };
    let what = format!("output {} copies the input: what op {} hides would be seen in it", sink.label(), op.name);
    Err(Failure::usage(what).fix("leave out --copy (copy = true): the clips are encoded then"))
}

fn uses(who: &str, name: Option<&str>, found: &[String], moved: Option<&str>) -> Result<(), Failure> {
    if let Some(op) = moved {
        let what = format!("op {op} stands between detect and {who}: the places that were found are no longer right");
        return Err(Failure::usage(what).fix(format!("put {op} before detect, or behind what uses the detections")));
    }
    match name {
        _ if found.is_empty() => Err(Failure::usage(format!("{who} uses detections, and no op before it finds any"))
            .fix("put a detect op before it, as in --op detect:model=hog")),
        Some(name) if !found.iter().any(|f| f == name) => {
            let hint = did_you_mean(name, found.iter().map(String::as_str));
            Err(Failure::usage(format!(
                "{who} uses the detections of `{name}`, and no detect op before it has that name{hint}"
            ))
            .fix(format!("there is {}", found.join(", "))))
        }
        _ => Ok(()),
    }
}

//! JSON Lines: one line for each picture that was looked at. What a killed run leaves is valid up to its last whole line.

use std::io::{self, Write};

use serde_json::json;

use super::{Form, Seen, round};
use crate::vision::Detection;

/// Version of the form; it changes when a key changes its meaning or goes.
const VERSION: u32 = 1;

pub(super) struct JsonLines {
    stream: String,
}

impl JsonLines {
    pub fn new(stream: &str) -> Self {
        JsonLines { stream: stream.to_owned() }
    }
}

impl Form for JsonLines {
    fn picture(&mut self, out: &mut dyn Write, p: &Seen<'_>) -> io::Result<()> {
        let line = json!({
            "v": VERSION,
            "type": "frame",
            "stream": self.stream,
            "frame": p.index,
            "seconds": p.seconds(),
            "size": [p.size.0, p.size.1],
            "looked": p.meta.looked.iter().map(|d| &**d).collect::<Vec<_>>(),
            "detections": p.meta.detections.iter().map(|d| detection(d, p.size)).collect::<Vec<_>>(),
        });
        writeln!(out, "{line}")
    }
}

fn detection(d: &Detection, (width, height): (u32, u32)) -> serde_json::Value {
    let (w, h) = (width as f32, height as f32);
    let share = |v: f32, whole: f32| (f64::from(v / whole) * 1e6).round() / 1e6;
    let r = d.rect;
    let mut o = json!({
        "detector": &*d.detector,
        "label": &*d.label,
        "class": d.class,
        "score": (f64::from(d.score) * 1e4).round() / 1e4,
        "box": [round(r.x), round(r.y), round(r.w), round(r.h)],
        "normalized": [share(r.x, w), share(r.y, h), share(r.w, w), share(r.h, h)],
    });
    let Some(map) = o.as_object_mut() else { return o };
    let mut put = |key: &str, value| map.insert(key.to_owned(), value);
    if let Some(track) = d.track {
        put("track", track.into());
    }
    if d.predicted {
        put("predicted", true.into());
    }
    if let Some(parent) = d.parent {
        put("parent", parent.into());
    }
    if let Some(speed) = d.speed {
        put("speed", round(speed).into());
    }
    if let Some(heading) = d.heading {
        put("heading", ((f64::from(heading) * 10.0).round() / 10.0).into());
    }
    if let Some(text) = &d.text {
        put("text", (**text).into());
    }
    if !d.points.is_empty() {
        put("points", d.points.iter().map(|p| json!([round(p.x), round(p.y)])).collect());
    }
    o
}

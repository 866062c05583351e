//! Boxes from a file: what an earlier run found (`-o found.jsonl`), or what somebody annotated (MOTChallenge text).

use std::collections::{BTreeSet, HashMap};
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::sync::Arc;

use serde::Deserialize;

use super::{DetectError, Detector};
use crate::frame::Frame;
use crate::vision::{Detection, Point, Rect};

/// Boxes by the number of their frame, from 0.
pub(super) struct Boxes {
    frames: HashMap<u64, Vec<Detection>>,
    labels: Vec<Arc<str>>,
}

/// What a line of an earlier run is about.
#[derive(Deserialize)]
struct Head {
    #[serde(rename = "type", default)]
    kind: String,
}

#[derive(Deserialize)]
struct Line {
    frame: u64,
    detections: Vec<Written>,
}

#[derive(Deserialize)]
struct Written {
    label: String,
    #[serde(default)]
    class: u32,
    #[serde(default = "one")]
    score: f32,
    #[serde(rename = "box")]
    rect: [f32; 4],
    track: Option<u32>,
    text: Option<String>,
    #[serde(default)]
    points: Vec<[f32; 2]>,
    #[serde(default)]
    predicted: bool,
}

fn one() -> f32 {
    1.0
}

impl Boxes {
    pub fn open(path: &Path) -> Result<Self, DetectError> {
        let failed = |why: String| DetectError::Model(format!("boxes of {}: {why}", path.display()));
        let file = std::fs::File::open(path).map_err(|e| failed(e.to_string()))?;
        let mut boxes = Boxes { frames: HashMap::new(), labels: Vec::new() };
        let mut labels: BTreeSet<Arc<str>> = BTreeSet::new();
        for (n, line) in BufReader::new(file).lines().enumerate() {
            let line = line.map_err(|e| failed(format!("line {}: {e}", n + 1)))?;
            let text = line.trim();
            if text.is_empty() {
                continue;
            }
            if text.starts_with('{') && serde_json::from_str::<Head>(text).is_ok_and(|h| h.kind == "event") {
                continue;
            }
            let (frame, found) = match text.starts_with('{') {
                true => json(text),
                false => mot(text),
            }
            .map_err(|why| failed(format!("line {}: {why}", n + 1)))?;
            labels.extend(found.iter().map(|d| d.label.clone()));
            boxes.frames.entry(frame).or_default().extend(found);
        }
        if boxes.frames.is_empty() {
            return Err(failed("it holds no line of JSON Lines or MOTChallenge text".into()));
        }
        boxes.labels = labels.into_iter().collect();
        Ok(boxes)
    }
}

fn json(text: &str) -> Result<(u64, Vec<Detection>), String> {
    let line: Line = serde_json::from_str(text).map_err(|e| e.to_string())?;
    let detection = |w: Written| -> Result<Detection, String> {
        let rect = checked(w.rect)?;
        Ok(Detection {
            rect,
            score: w.score,
            class: w.class,
            label: w.label.into(),
            points: w.points.iter().map(|p| Point { x: p[0], y: p[1] }).collect(),
            track: w.track,
            text: w.text.map(Into::into),
            predicted: w.predicted,
            ..Detection::default()
        })
    };
    Ok((line.frame, line.detections.into_iter().map(detection).collect::<Result<_, _>>()?))
}

/// `frame (from 1), id, left, top, width, height, score, class, …`; an id below 1 is none.
fn mot(text: &str) -> Result<(u64, Vec<Detection>), String> {
    let form = || format!("`{text}` is not frame,id,left,top,width,height,score");
    let numbers: Vec<f64> = text.split(',').map(|f| f.trim().parse()).collect::<Result<_, _>>().map_err(|_| form())?;
    let [frame, id, x, y, w, h] = *numbers.first_chunk::<6>().ok_or_else(form)?;
    if !(1.0..1e15).contains(&frame) {
        return Err(format!("frame {frame}: they count from 1"));
    }
    let class = numbers.get(7).filter(|c| **c >= 0.0).map_or(0, |c| *c as u32);
    // Numbers of classes as in MOT16 (arXiv 1603.00831, table 4).
    let label = match class {
        0 => "object",
        1 | 2 | 7 => "person",
        3 => "car",
        4 => "bicycle",
        5 => "motorbike",
        _ => "other",
    };
    let found = Detection {
        rect: checked([x as f32, y as f32, w as f32, h as f32])?,
        score: numbers.get(6).map_or(1.0, |s| *s as f32),
        class,
        label: label.into(),
        track: (id >= 1.0).then_some(id as u32),
        ..Detection::default()
    };
    Ok((frame as u64 - 1, vec![found]))
}

fn checked([x, y, w, h]: [f32; 4]) -> Result<Rect, String> {
    let rect = Rect::new(x, y, w, h);
    match rect.is_finite() && w >= 0.0 && h >= 0.0 {
        true => Ok(rect),
        false => Err(format!("the box {x}, {y}, {w}, {h} is none: left, top, width, height are")),
    }
}

impl Detector for Boxes {
    fn detect(
        &mut self,
        frame: &Frame,
        areas: &[Rect],
        found: &mut Vec<(usize, Detection)>,
    ) -> Result<(), DetectError> {
        for d in self.frames.get(&frame.index).into_iter().flatten() {
            let (x, y) = d.rect.center();
            let inside = |a: &Rect| x >= a.x && y >= a.y && x < a.right() && y < a.bottom();
            // What reaches beyond the picture may have its middle there, too.
            let picture =
                areas.len() == 1 && areas[0] == Rect::new(0.0, 0.0, frame.width() as f32, frame.height() as f32);
            let area = if picture { Some(0) } else { areas.iter().position(inside) };
            found.extend(area.map(|i| (i, d.clone())));
        }
        Ok(())
    }

    fn labels(&self) -> &[Arc<str>] {
        &self.labels
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_both_forms() {
        let (frame, found) = mot("3,7,1.5,2,10,20,0.5,1,1").unwrap();
        assert_eq!((frame, &*found[0].label, found[0].track), (2, "person", Some(7)));
        assert_eq!(found[0].rect, Rect::new(1.5, 2.0, 10.0, 20.0));
        assert_eq!(mot("1,-1,0,0,1,1,1,-1,-1,-1").unwrap().1[0].track, None);
        let line = r#"{"v":1,"frame":4,"detections":[{"label":"face","box":[1,2,3,4],"score":0.5}]}"#;
        let (frame, found) = json(line).unwrap();
        assert_eq!((frame, &*found[0].label, found[0].score), (4, "face", 0.5));
        for bad in ["0,1,1,1,1,1", "1,2,3", "1,1,a,1,1,1", "1,1,1,1,-5,1", "1,1,nan,1,5,1"] {
            assert!(mot(bad).is_err(), "{bad}");
        }
        assert!(json(r#"{"frame":4}"#).is_err());
    }
}

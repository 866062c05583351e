//! COCO JSON: annotations as they come, then the pictures and the categories.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::sync::Arc;

use serde_json::{Value, json};

use super::{Form, Seen, round};

pub(super) struct Coco {
    stream: String,
    images: Vec<Value>,
    annotations: u64,
    /// Number by label, from 1 as in COCO.
    categories: BTreeMap<Arc<str>, usize>,
}

impl Coco {
    pub fn new(stream: &str) -> Self {
        Coco { stream: stream.to_owned(), images: Vec::new(), annotations: 0, categories: BTreeMap::new() }
    }
}

impl Form for Coco {
    fn begin(&mut self, out: &mut dyn Write) -> io::Result<()> {
        write!(out, "{{\"annotations\":[")
    }

    fn picture(&mut self, out: &mut dyn Write, p: &Seen<'_>) -> io::Result<()> {
        let image = p.index + 1;
        self.images.push(json!({
            "id": image,
            "file_name": format!("{}#{}", self.stream, p.index),
            "width": p.size().0,
            "height": p.size().1,
            "seconds": p.seconds(),
        }));
        for d in &p.meta.detections {
            let next = self.categories.len() + 1;
            let category = *self.categories.entry(d.label.clone()).or_insert(next);
            let r = d.rect;
            let mut one = json!({
                "id": self.annotations + 1,
                "image_id": image,
                "category_id": category,
                "bbox": [round(r.x), round(r.y), round(r.w), round(r.h)],
                "area": round(r.area()),
                "iscrowd": 0,
                "score": d.score,
            });
            if let Some(track) = d.track {
                one["track_id"] = track.into();
            }
            if !d.points.is_empty() {
                one["num_keypoints"] = d.points.len().into();
                one["keypoints"] =
                    d.points.iter().flat_map(|p| [json!(round(p.x)), json!(round(p.y)), json!(2)]).collect();
            }
            let comma = if self.annotations > 0 { "," } else { "" };
            write!(out, "{comma}\n{one}")?;
            self.annotations += 1;
        }
        Ok(())
    }

    fn end(&mut self, out: &mut dyn Write) -> io::Result<()> {
        let categories: Vec<Value> =
            self.categories.iter().map(|(name, id)| json!({ "id": id, "name": &**name })).collect();
        writeln!(
            out,
            "\n],\"images\":{},\"categories\":{}}}",
            Value::from(std::mem::take(&mut self.images)),
            Value::from(categories)
        )
    }
}

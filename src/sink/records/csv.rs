//! CSV: one line for each detection, or one for each event.

use std::io::{self, Write};

use super::{Form, Seen, round};
use crate::events::schema::EventLine;
use crate::term::csv_field as quoted;

/// Detections.
pub(super) struct Csv;

impl Form for Csv {
    fn begin(&mut self, out: &mut dyn Write) -> io::Result<()> {
        writeln!(out, "frame,seconds,detector,label,class,score,x,y,w,h,track,predicted,text")
    }

    fn picture(&mut self, out: &mut dyn Write, p: &Seen<'_>) -> io::Result<()> {
        for d in &p.meta.detections {
            let r = d.rect;
            let track = d.track.map(|t| t.to_string()).unwrap_or_default();
            writeln!(
                out,
                "{},{:.6},{},{},{},{:.4},{},{},{},{},{track},{},{}",
                p.index,
                p.seconds(),
                quoted(&d.detector),
                quoted(&d.label),
                d.class,
                d.score,
                round(r.x),
                round(r.y),
                round(r.w),
                round(r.h),
                u8::from(d.predicted),
                quoted(d.text.as_deref().unwrap_or_default()),
            )?;
        }
        Ok(())
    }
}

/// Events.
pub(super) struct CsvEvents;

impl Form for CsvEvents {
    fn begin(&mut self, out: &mut dyn Write) -> io::Result<()> {
        writeln!(out, "id,kind,name,frame,seconds,wall,track,label,class,score,x,y,w,h,values")
    }

    fn picture(&mut self, _: &mut dyn Write, _: &Seen<'_>) -> io::Result<()> {
        Ok(())
    }

    fn event(&mut self, out: &mut dyn Write, e: &EventLine<'_>) -> io::Result<()> {
        fn or_empty(v: Option<impl ToString>) -> String {
            v.map(|v| v.to_string()).unwrap_or_default()
        }
        let values = if e.values.is_empty() { String::new() } else { serde_json::to_string(&e.values)? };
        let side = |i: usize| or_empty(e.rect.map(|r| r[i]));
        writeln!(
            out,
            "{},{},{},{},{:.6},{},{},{},{},{},{},{},{},{},{}",
            e.id,
            e.kind.name(),
            quoted(&e.name),
            e.frame,
            e.seconds,
            e.wall.as_deref().unwrap_or_default(),
            or_empty(e.track),
            quoted(e.label.as_deref().unwrap_or_default()),
            or_empty(e.class),
            or_empty(e.score),
            side(0),
            side(1),
            side(2),
            side(3),
            quoted(&values)
        )
    }
}

//! CSV: one line for each detection.

use std::io::{self, Write};

use super::{Form, Seen, round};

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

/// A field as RFC 4180 wants it.
fn quoted(text: &str) -> std::borrow::Cow<'_, str> {
    if text.contains(['"', ',', '\n', '\r']) {
        format!("\"{}\"", text.replace('"', "\"\"")).into()
    } else {
        text.into()
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn fields_with_commas_and_quotes() {
        assert_eq!(super::quoted("plain"), "plain");
        assert_eq!(super::quoted("a,\"b\"\n"), "\"a,\"\"b\"\"\n\"");
    }
}

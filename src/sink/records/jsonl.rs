//! JSON Lines: one line for each picture that was looked at, and one for each event. What a killed run leaves is valid up to
//! its last whole line.

use std::io::{self, Write};

use super::{Form, Seen};
use crate::events::schema::EventLine;

pub(super) struct JsonLines;

impl Form for JsonLines {
    fn picture(&mut self, out: &mut dyn Write, p: &Seen<'_>) -> io::Result<()> {
        line(out, &p.line())
    }

    fn event(&mut self, out: &mut dyn Write, event: &EventLine<'_>) -> io::Result<()> {
        line(out, event)
    }
}

fn line(out: &mut dyn Write, value: &impl serde::Serialize) -> io::Result<()> {
    serde_json::to_writer(&mut *out, value)?;
    out.write_all(b"\n")
}

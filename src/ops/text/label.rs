//! Short texts that come and go at any place: labels of boxes.

use std::collections::HashMap;
use std::sync::Arc;

use super::ink::{Bounds, Ink};
use super::typeface::Typeface;
use super::{Align, Letters};
use crate::ops::OpError;

/// How many rendered texts are kept.
const KEPT: usize = 512;

/// Renders short texts in the built-in font, and keeps them.
pub struct Labels {
    letters: Box<dyn Letters>,
    padding: i32,
    kept: HashMap<String, Arc<Label>>,
}

/// A rendered text.
#[derive(Default)]
pub struct Label {
    /// Pixels, padding included.
    pub width: u32,
    /// Pixels, padding included.
    pub height: u32,
    /// What the letters cover, row by row.
    pub mask: Vec<u8>,
}

impl Labels {
    /// Letters `size` pixels high, with room around them.
    pub fn new(size: f64) -> Result<Self, OpError> {
        let letters = Typeface::open("", size as f32, 0.0, 1.0).map_err(OpError::Refused)?;
        Ok(Labels { letters: Box::new(letters), padding: (size * 0.2).ceil() as i32, kept: HashMap::new() })
    }

    /// The rendered text.
    pub fn get(&mut self, text: &str) -> Arc<Label> {
        if let Some(label) = self.kept.get(text) {
            return label.clone();
        }
        let (w, h, _) = self.letters.lay_out(text, Align::Left);
        let (width, height) = (w + 2 * self.padding as u32, h + 2 * self.padding as u32);
        let mut ink = Ink::new(Bounds::sized(-self.padding, -self.padding, width as i32, height as i32), false);
        self.letters.draw(&mut ink);
        let label = Arc::new(Label { width, height, mask: ink.fill });
        if self.kept.len() >= KEPT {
            self.kept.clear();
        }
        self.kept.insert(text.to_owned(), label.clone());
        label
    }
}

//! Scalable fonts: the built-in one, a file, or an installed one, with fallbacks for the characters it lacks.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use cosmic_text::fontdb::{Database, FaceInfo, ID, Language, Source, Stretch, Style, Weight};
use cosmic_text::{Attrs, Buffer, CacheKey, Family, FontSystem, Metrics, Shaping, SwashContent, SwashImage, Wrap};
use swash::scale::{Render, ScaleContext, Source as Outlines, StrikeWith};
use swash::zeno::{Format, Join, Stroke, Vector};

use super::ink::{Bounds, Ink};
use super::{Align, Letters};

/// The family name under which the chosen face is registered, so that nothing installed can take its place.
const CHOSEN: &str = "framewright text";
/// Bytes of glyphs kept before starting afresh: some 10000 glyphs of 40 pixels with outline.
const CACHED: usize = 32 << 20;
/// What stands for a character that no font has.
const UNKNOWN: char = '□';

/// A face at one size, with outline.
pub(super) struct Typeface {
    fonts: FontSystem,
    chosen: ID,
    /// Whether installed fonts were brought in.
    system_fonts: bool,
    /// Characters that no font has: looking for them again on each frame would try every installed font.
    unknown: HashSet<char>,
    buffer: Buffer,
    shaped: String,
    context: ScaleContext,
    glyphs: HashMap<CacheKey, Glyph>,
    glyph_bytes: usize,
    placed: Vec<(i32, i32, CacheKey)>,
    ascent: f32,
    height: f32,
    line: f32,
    outline: f32,
}

/// A rendered glyph; images are placed against the pen, y upwards.
struct Glyph {
    fill: SwashImage,
    edge: Option<SwashImage>,
}

impl Typeface {
    /// `font` is empty for the built-in font, the path of a font file, or the name of an installed one; `size` and
    /// `outline` (beyond the edge of the letters) are in pixels.
    pub fn open(font: &str, size: f32, outline: f32, line_spacing: f32) -> Result<Self, String> {
        let mut db = Database::new();
        let face = match font {
            "" => built_in(epaint_default_fonts::HACK_REGULAR),
            path if is_path(path) => from_file(path)?,
            name => installed(name)?,
        };
        let id = db.push_face_info(FaceInfo {
            families: vec![(CHOSEN.into(), Language::English_UnitedStates)],
            // Whatever the face is, it is the one to use, and its fallbacks are of regular weight.
            style: Style::Normal,
            weight: Weight::NORMAL,
            stretch: Stretch::Normal,
            ..face
        });
        for data in [epaint_default_fonts::HACK_REGULAR, epaint_default_fonts::NOTO_EMOJI_REGULAR] {
            db.push_face_info(built_in(data));
        }
        let mut fonts = FontSystem::new_with_locale_and_db("en-US".into(), db);
        let metrics = fonts
            .get_font(id, Weight::NORMAL)
            .map(|f| f.as_swash().metrics(&[]).scale(size))
            .ok_or_else(|| format!("font `{font}` cannot be read"))?;
        let (ascent, height) = (metrics.ascent.ceil(), (metrics.ascent.ceil() + metrics.descent.ceil()).max(1.0));
        let line = (height * line_spacing).max(1.0);
        let mut buffer = Buffer::new_empty(Metrics::new(size, line));
        buffer.set_wrap(Wrap::None);
        Ok(Typeface {
            fonts,
            chosen: id,
            system_fonts: false,
            unknown: HashSet::new(),
            buffer,
            shaped: String::new(),
            context: ScaleContext::new(),
            glyphs: HashMap::new(),
            glyph_bytes: 0,
            placed: Vec::new(),
            ascent,
            height,
            line,
            outline,
        })
    }

    /// Shapes `text`; when glyphs are missing, brings in the installed fonts and tries once more.
    fn shape(&mut self, text: &str) {
        self.shaped.clear();
        self.shaped.extend(text.chars().map(|c| if self.unknown.contains(&c) { UNKNOWN } else { c }));
        let attrs = Attrs::new().family(Family::Name(CHOSEN));
        self.buffer.set_text(&self.shaped, &attrs, Shaping::Advanced, None);
        self.buffer.shape_until_scroll(&mut self.fonts, false);
    }

    /// The characters of the glyphs that no font in use has.
    fn missing(&mut self) -> BTreeSet<char> {
        let runs = self.buffer.layout_runs();
        let lacking =
            runs.flat_map(|r| r.glyphs.iter().filter(|g| g.glyph_id == 0).map(move |g| &r.text[g.start..g.end]));
        let mut missing: BTreeSet<char> = lacking.flat_map(str::chars).filter(|c| *c != UNKNOWN).collect();
        if let (false, Some(font)) = (missing.is_empty(), self.fonts.get_font(self.chosen, Weight::NORMAL)) {
            // A letter whose accent is missing is not missing itself.
            missing.retain(|c| font.as_swash().charmap().map(*c) == 0);
        }
        missing
    }
}

impl Letters for Typeface {
    fn lay_out(&mut self, text: &str, align: Align) -> (u32, u32, Bounds) {
        self.shape(text);
        let mut missing = self.missing();
        if !missing.is_empty() && !self.system_fonts {
            let start = std::time::Instant::now();
            self.fonts.db_mut().load_system_fonts();
            self.system_fonts = true;
            log::debug!("looked for installed fonts that have {missing:?}: {:?}", start.elapsed());
            self.buffer.lines.clear();
            self.shape(text);
            missing = self.missing();
        }
        if !missing.is_empty() {
            log::warn!("no font has `{}`: shown as {UNKNOWN}", String::from_iter(&missing));
            self.unknown.extend(missing);
            self.shape(text);
        }
        if self.glyph_bytes > CACHED {
            self.glyphs.clear();
            self.glyph_bytes = 0;
        }
        let width = self.buffer.layout_runs().map(|r| r.line_w).fold(0.0, f32::max).ceil();
        let lines = self.buffer.lines.len().max(1);
        let mut bounds = Bounds::default();
        self.placed.clear();
        let placed = self.buffer.layout_runs().flat_map(|run| {
            let x = match align {
                Align::Left => 0.0,
                Align::Center => ((width - run.line_w) / 2.0).floor(),
                Align::Right => (width - run.line_w).floor(),
            };
            let y = (self.ascent + run.line_i as f32 * self.line).round();
            run.glyphs.iter().map(move |g| g.physical((x, y), 1.0))
        });
        for g in placed {
            let glyph = self.glyphs.entry(g.cache_key).or_insert_with(|| {
                let glyph = rasterize(&mut self.fonts, &mut self.context, self.outline, g.cache_key);
                self.glyph_bytes += glyph.fill.data.len() + glyph.edge.as_ref().map_or(0, |e| e.data.len());
                glyph
            });
            for image in [Some(&glyph.fill), glyph.edge.as_ref()].into_iter().flatten() {
                bounds = bounds.with(placement(image, g.x, g.y));
            }
            self.placed.push((g.x, g.y, g.cache_key));
        }
        (width as u32, (self.height + (lines - 1) as f32 * self.line).ceil() as u32, bounds)
    }

    fn draw(&mut self, ink: &mut Ink) {
        for (x, y, key) in &self.placed {
            let Some(glyph) = self.glyphs.get(key) else { continue };
            if let Some(edge) = &glyph.edge {
                ink.edge(placement(edge, *x, *y), &edge.data);
            }
            let at = placement(&glyph.fill, *x, *y);
            match glyph.fill.content {
                SwashContent::Color => ink.picture(at, &glyph.fill.data),
                _ => ink.fill(at, &glyph.fill.data),
            }
        }
    }
}

fn placement(image: &SwashImage, x: i32, y: i32) -> Bounds {
    let p = image.placement;
    Bounds::sized(x + p.left, y - p.top, p.width as i32, p.height as i32)
}

fn rasterize(fonts: &mut FontSystem, context: &mut ScaleContext, outline: f32, key: CacheKey) -> Glyph {
    let Some(font) = fonts.get_font(key.font_id, key.font_weight) else {
        return Glyph { fill: SwashImage::new(), edge: None };
    };
    let mut scaler = context.builder(font.as_swash()).size(f32::from_bits(key.font_size_bits)).hint(true).build();
    let offset = Vector::new(key.x_bin.as_float(), key.y_bin.as_float());
    let sources = [Outlines::ColorOutline(0), Outlines::ColorBitmap(StrikeWith::BestFit), Outlines::Outline];
    let fill = Render::new(&sources)
        .format(Format::Alpha)
        .offset(offset)
        .render(&mut scaler, key.glyph_id)
        .unwrap_or_else(SwashImage::new);
    let mut edge = None;
    if outline > 0.0 && fill.content == SwashContent::Mask {
        let mut stroke = Stroke::new(2.0 * outline);
        stroke.join(Join::Round);
        edge = Render::new(&[Outlines::Outline])
            .format(Format::Alpha)
            .style(stroke)
            .offset(offset)
            .render(&mut scaler, key.glyph_id);
    }
    Glyph { fill, edge }
}

fn built_in(data: &'static [u8]) -> FaceInfo {
    let source = Source::Binary(Arc::new(data));
    faces(source).into_iter().next().expect("the fonts of the epaint_default_fonts crate are fonts")
}

fn faces(source: Source) -> Vec<FaceInfo> {
    let mut db = Database::new();
    db.load_font_source(source);
    db.faces().cloned().collect()
}

fn is_path(font: &str) -> bool {
    let extension = |e| font.to_ascii_lowercase().ends_with(e);
    font.contains('/') || [".ttf", ".otf", ".ttc", ".otc"].into_iter().any(extension)
}

fn from_file(path: &str) -> Result<FaceInfo, String> {
    let data = std::fs::read(path).map_err(|e| format!("font file {path}: {e}"))?;
    faces(Source::Binary(Arc::new(data)))
        .into_iter()
        .next()
        .ok_or_else(|| format!("font file {path}: not a TrueType or OpenType font"))
}

/// The installed face called `name`: a family (`DejaVu Sans`) or a face of it (`DejaVu Sans Bold`).
fn installed(name: &str) -> Result<FaceInfo, String> {
    let plain = |s: &str| s.to_lowercase().replace([' ', '-', '_'], "");
    let mut db = Database::new();
    db.load_system_fonts();
    let wanted = plain(name);
    let is_family = |f: &&FaceInfo| f.families.iter().any(|(n, _)| plain(n) == wanted);
    let regular = |f: &&FaceInfo| {
        (f.style != Style::Normal, f.stretch != Stretch::Normal, f.weight.0.abs_diff(Weight::NORMAL.0), f.id)
    };
    if let Some(face) = db.faces().filter(is_family).min_by_key(regular) {
        return Ok(face.clone());
    }
    if let Some(face) = db.faces().find(|f| plain(&f.post_script_name) == wanted) {
        return Ok(face.clone());
    }
    let mut families: Vec<&str> = db.faces().flat_map(|f| f.families.first()).map(|(n, _)| n.as_str()).collect();
    families.sort_unstable();
    families.dedup();
    let lower: Vec<String> = families.iter().map(|f| f.to_lowercase()).collect();
    let near = crate::config::nearest(&name.to_lowercase(), lower.iter().map(String::as_str))
        .and_then(|n| lower.iter().position(|l| l == n))
        .map(|i| format!(" (did you mean `{}`?)", families[i]))
        .unwrap_or_default();
    Err(format!(
        "font `{name}` is not installed{near}: {} families are (fc-list : family). Give one of them, the path of a .ttf or \
         .otf file, or no font for the built-in one",
        families.len()
    ))
}

#[cfg(test)]
impl Typeface {
    /// How many glyphs are cached, whether installed fonts were looked at, and what is shown as unknown.
    pub fn state(&self) -> (usize, bool, String) {
        (self.glyphs.len(), self.system_fonts, self.unknown.iter().collect())
    }
}

//! One self-contained HTML page: tables that sort and filter, charts, pictures; no network, light and dark.
//!
//! ```
//! use framewright::page::{Chart, Html, Line, Page, Table, facts};
//!
//! let mut table = Table::new(["file", "frames"]);
//! table.row(["a<b>.mp4".into(), 120u64.into()]);
//! let chart = Chart::new("Frames a second", vec![0.0, 1.0, 2.0]).line(Line::new("a", vec![Some(24.0), None, Some(25.0)]));
//! let page = Page::new("Two files").lead("What became of them.").section("Files", table.html()).section("Speed", chart.html());
//! assert!(page.html().contains("a&lt;b&gt;.mp4"));
//! ```
//!
//! Text from outside can only get in through [`Html::text`] and what is built on it, so it is always escaped; markup is what
//! stands in this program. A policy in the page (Content-Security-Policy) lets only this program's scripts and styles run, by
//! their hashes, and forbids everything from elsewhere. `page.js` sorts, filters and draws; without it the page can be read all
//! the same. At its end it sets `data-status="ready"` on the root element, or what went wrong, for tests.

mod chart;
mod table;

use std::fmt::Write as _;
use std::path::Path;

use data_encoding::BASE64;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Serialize;
use sha2::{Digest, Sha256};

pub use chart::{Chart, Line, Style};
pub use table::{Cell, FILTER_FROM, Table};

const CSS: &str = include_str!("page.css");
const JS: &str = include_str!("page.js");
const UPLOT_CSS: &str = include_str!("uplot/uPlot.min.css");
const UPLOT_JS: &str = include_str!("uplot/uPlot.iife.min.js");
const UPLOT_LICENSE: &str = include_str!("uplot/LICENSE");

/// Markup that is safe to show.
#[derive(Clone, Debug, Default)]
pub struct Html {
    text: String,
    /// A chart is in it, so the page must bring what draws it.
    charts: bool,
}

impl Html {
    /// `text` as it is, every character of it.
    pub fn text(text: impl AsRef<str>) -> Self {
        let mut out = String::with_capacity(text.as_ref().len());
        for c in text.as_ref().chars() {
            match c {
                '&' => out.push_str("&amp;"),
                '<' => out.push_str("&lt;"),
                '>' => out.push_str("&gt;"),
                '"' => out.push_str("&quot;"),
                '\'' => out.push_str("&#39;"),
                // Not allowed in HTML at all, but in file names.
                c if c.is_control() && !matches!(c, '\n' | '\t') => out.push('\u{fffd}'),
                c => out.push(c),
            }
        }
        Html { text: out, charts: false }
    }

    /// Markup of this program.
    pub fn markup(markup: &'static str) -> Self {
        Html { text: markup.into(), charts: false }
    }

    /// An element with its attributes, whose values are escaped. Of an element without an end, as `img`, `inside` is empty.
    pub fn element(name: &'static str, attributes: &[(&'static str, &str)], inside: Html) -> Self {
        let mut out = format!("<{name}");
        for (key, value) in attributes {
            let _ = write!(out, " {key}=\"{}\"", Html::text(value).text);
        }
        out.push('>');
        out.push_str(&inside.text);
        if !matches!(name, "img" | "br" | "hr" | "wbr" | "meta" | "input") {
            let _ = write!(out, "</{name}>");
        }
        Html { text: out, charts: inside.charts }
    }

    /// This and then that.
    pub fn and(mut self, more: impl Into<Html>) -> Self {
        let more = more.into();
        self.text.push_str(&more.text);
        self.charts |= more.charts;
        self
    }

    /// True where there is nothing.
    pub fn is_empty(&self) -> bool {
        self.text.is_empty()
    }
}

impl From<&str> for Html {
    fn from(text: &str) -> Self {
        Html::text(text)
    }
}

impl From<String> for Html {
    fn from(text: String) -> Self {
        Html::text(text)
    }
}

impl FromIterator<Html> for Html {
    fn from_iter<T: IntoIterator<Item = Html>>(parts: T) -> Self {
        parts.into_iter().fold(Html::default(), Html::and)
    }
}

/// A paragraph.
pub fn paragraph(inside: impl Into<Html>) -> Html {
    Html::element("p", &[], inside.into())
}

/// What is known, by name: two columns.
pub fn facts<K: AsRef<str>, V: Into<Html>>(facts: impl IntoIterator<Item = (K, V)>) -> Html {
    let one = |(key, value): (K, V)| {
        let pair = Html::element("dt", &[], Html::text(key)).and(Html::element("dd", &[], value.into()));
        Html::element("div", &[], pair)
    };
    Html::element("dl", &[("class", "facts")], facts.into_iter().map(one).collect())
}

/// Figures that are seen first: what, and how it is called below.
pub fn tiles<N: AsRef<str>, L: AsRef<str>>(tiles: impl IntoIterator<Item = (N, L)>) -> Html {
    let one = |(number, label): (N, L)| {
        let number = Html::element("b", &[], Html::text(number));
        Html::element("li", &[], number.and(Html::element("span", &[], Html::text(label))))
    };
    Html::element("ul", &[("class", "tiles")], tiles.into_iter().map(one).collect())
}

/// What is shown only when it is asked for.
pub fn details(summary: impl AsRef<str>, inside: Html) -> Html {
    Html::element("details", &[], Html::element("summary", &[], Html::text(summary)).and(inside))
}

/// A link to a file beside the page or below it.
pub fn link(path: &Path, shown: impl Into<Html>) -> Html {
    Html::element("a", &[("href", &url_of(path))], shown.into())
}

/// A picture inside the page. `jpeg` and `png` are told apart by their first byte.
pub fn picture(bytes: &[u8], alt: &str) -> Html {
    let kind = if bytes.first() == Some(&0x89) { "png" } else { "jpeg" };
    let url = format!("data:image/{kind};base64,{}", BASE64.encode(bytes));
    Html::element("img", &[("src", &url), ("alt", alt), ("loading", "lazy")], Html::default())
}

/// The relative URL of a relative path. It begins with `./`, so that nothing in a name is taken for a scheme.
pub fn url_of(path: &Path) -> String {
    const KEPT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~').remove(b'/');
    format!("./{}", utf8_percent_encode(&path.to_string_lossy(), KEPT))
}

/// Data for a script of the page, which finds it by `id` and parses it: `JSON.parse(document.getElementById(id).textContent)`.
pub fn json(id: &'static str, value: &impl Serialize) -> Html {
    let text = in_script(value);
    Html { text: format!("<script type=\"application/json\" id=\"{id}\">{text}</script>\n"), charts: false }
}

/// JSON in which nothing can end a script element.
fn in_script(value: &impl Serialize) -> String {
    // Serializing can only fail for types with keys that are no texts.
    let text = serde_json::to_string(value).unwrap_or_else(|_| "null".into());
    text.replace('<', "\\u003c").replace('>', "\\u003e").replace('&', "\\u0026")
}

/// A page being put together.
#[derive(Clone, Debug)]
pub struct Page {
    title: String,
    body: Html,
    style: String,
    script: String,
}

impl Page {
    /// With this title, which is its heading, too.
    pub fn new(title: &str) -> Self {
        let body = Html::element("h1", &[], Html::text(title));
        Page { title: title.to_owned(), body, style: String::new(), script: String::new() }
    }

    /// A line below the heading.
    pub fn lead(mut self, inside: impl Into<Html>) -> Self {
        self.body = self.body.and(Html::element("p", &[("class", "lead")], inside.into()));
        self
    }

    /// Anything, as it comes.
    #[allow(clippy::should_implement_trait)]
    pub fn add(mut self, inside: Html) -> Self {
        self.body = self.body.and(inside).and(Html::markup("\n"));
        self
    }

    /// A part with a heading; one in which there is nothing is left out.
    pub fn section(self, heading: &str, inside: Html) -> Self {
        if inside.is_empty() {
            return self;
        }
        let heading = Html::element("h2", &[], Html::text(heading));
        self.add(Html::element("section", &[], heading.and(inside)))
    }

    /// Adds a style sheet of this program.
    pub fn style(mut self, css: &'static str) -> Self {
        self.style.push_str(css);
        self
    }

    /// Adds a script of this program. It runs when the document is there and after the shell's, in which `page` offers
    /// `time(seconds)` (as text) and `onMoment(f)` (called with seconds where somebody clicks a chart over time).
    pub fn script(mut self, js: &'static str) -> Self {
        self.script.push_str(js);
        self
    }

    /// The whole page.
    pub fn html(&self) -> String {
        let uplot = self.body.charts;
        let style = format!("{}{CSS}{}", if uplot { UPLOT_CSS } else { "" }, self.style);
        let library = if uplot { format!("/*\n{UPLOT_LICENSE}*/\n{UPLOT_JS}\n") } else { String::new() };
        let script = format!("\n{library}{JS}{}\npage.ready();\n", self.script);
        let hash = |text: &str| BASE64.encode(&Sha256::digest(text.as_bytes()));
        // `file:` is for a page that is opened from a disk, with a video beside it.
        let policy = format!(
            "default-src 'none'; script-src 'sha256-{}'; style-src 'sha256-{}'; img-src data:; media-src 'self' file:; \
             base-uri 'none'; form-action 'none'",
            hash(&script),
            hash(&style)
        );
        format!(
            "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
             <meta http-equiv=\"Content-Security-Policy\" content=\"{policy}\">\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
             <meta name=\"color-scheme\" content=\"light dark\">\n<meta name=\"referrer\" content=\"no-referrer\">\n\
             <title>{}</title>\n<style>{style}</style>\n</head>\n<body>\n<main>\n{}\n</main>\n\
             <footer>framewright {}</footer>\n<script>{script}</script>\n</body>\n</html>\n",
            Html::text(&self.title).text,
            self.body.text,
            env!("CARGO_PKG_VERSION"),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOSTILE: &str = "</script><img src=x onerror=alert(1)>\"'&\u{0}.mp4";

    #[test]
    fn what_comes_from_outside_stays_text() {
        let mut table = Table::new([HOSTILE, "n"]);
        table.row([HOSTILE.into(), Cell::number(1.0, HOSTILE)]);
        let chart = Chart::new(HOSTILE, vec![0.0]).line(Line::new(HOSTILE, vec![Some(1.0)]));
        let page = Page::new(HOSTILE)
            .lead(HOSTILE)
            .section(HOSTILE, table.html().and(chart.html()).and(json("data", &[HOSTILE])))
            .section(
                "more",
                facts([(HOSTILE, HOSTILE)]).and(tiles([(HOSTILE, HOSTILE)])).and(details(HOSTILE, HOSTILE.into())),
            )
            .section("files", link(Path::new(HOSTILE), HOSTILE).and(picture(b"x", HOSTILE)));
        let html = page.html();
        assert!(!html.contains("<img src=x") && !html.contains('\u{0}') && !html.contains("\"'&"), "{html}");
        // The data, the chart's data, the scripts: nothing else ends one.
        assert_eq!(html.matches("</script>").count(), 3);
        assert!(html.contains("\\u003c/script\\u003e\\u003cimg src=x onerror=alert(1)\\u003e"));
        assert!(html.contains("href=\"./%3C/script%3E%3Cimg%20src%3Dx"));
    }

    #[test]
    fn names_are_no_schemes_and_no_ways_out_of_an_attribute() {
        assert_eq!(url_of(Path::new("javascript:alert(1).mp4")), "./javascript%3Aalert%281%29.mp4");
        assert_eq!(url_of(Path::new("a b/ü#?.mp4")), "./a%20b/%C3%BC%23%3F.mp4");
    }

    #[test]
    fn only_pages_with_charts_carry_what_draws_them() {
        let plain = Page::new("a").section("b", paragraph("c")).section("none", Html::default());
        assert!(!plain.html().contains("var uPlot=") && !plain.html().contains("none</h2>"));
        let chart = Chart::new("a", vec![0.0]).line(Line::new("b", vec![None]));
        let html = Page::new("a").section("b", details("c", chart.html())).html();
        assert!(html.contains("Copyright (c) 2022 Leon Sorokin") && html.contains("var uPlot="));
    }
}

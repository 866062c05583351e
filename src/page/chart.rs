//! Charts over time.

use serde::Serialize;

use super::{Html, in_script};

/// A chart over time, drawn by uPlot.
#[derive(Clone, Debug, Serialize)]
pub struct Chart {
    #[serde(skip)]
    title: String,
    /// Seconds, rising.
    x: Vec<f64>,
    /// Seconds from one `x` to the next, for bars and steps.
    step: f64,
    unit: String,
    lines: Vec<Line>,
    /// Times from and to which something is marked.
    spans: Vec<[f64; 2]>,
    /// Levels that are marked: limits.
    levels: Vec<f64>,
    /// Whether the scale begins at 0; it always does for bars and steps.
    zero: bool,
}

/// How a [`Line`] is drawn.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Style {
    /// From point to point.
    #[default]
    Line,
    /// Each value holds until the next.
    Step,
    /// A bar for each value; several lines of bars stand on each other.
    Bars,
}

/// What is drawn: a value for each `x`, or none.
#[derive(Clone, Debug, Serialize)]
pub struct Line {
    name: String,
    values: Vec<Option<f64>>,
    style: Style,
    /// Lowest and highest around each value.
    #[serde(skip_serializing_if = "Option::is_none")]
    range: Option<[Vec<Option<f64>>; 2]>,
}

impl Line {
    /// From point to point.
    pub fn new(name: impl Into<String>, values: Vec<Option<f64>>) -> Self {
        Line { name: name.into(), values, style: Style::Line, range: None }
    }

    /// Drawn otherwise.
    pub fn style(self, style: Style) -> Self {
        Line { style, ..self }
    }

    /// With a shade from the lowest to the highest.
    pub fn range(self, low: Vec<Option<f64>>, high: Vec<Option<f64>>) -> Self {
        Line { range: Some([low, high]), ..self }
    }
}

impl Chart {
    /// Over these times in seconds.
    pub fn new(title: impl Into<String>, x: Vec<f64>) -> Self {
        let step = x.windows(2).map(|w| w[1] - w[0]).next().unwrap_or(1.0);
        Chart {
            title: title.into(),
            x,
            step,
            unit: String::new(),
            lines: Vec::new(),
            spans: Vec::new(),
            levels: Vec::new(),
            zero: false,
        }
    }

    /// Adds a line.
    pub fn line(mut self, line: Line) -> Self {
        self.lines.push(line);
        self
    }

    /// What the values are in; shown beside the title.
    pub fn unit(self, unit: impl Into<String>) -> Self {
        Chart { unit: unit.into(), ..self }
    }

    /// Marks spans of time.
    pub fn spans(self, spans: Vec<[f64; 2]>) -> Self {
        Chart { spans, ..self }
    }

    /// Lets the scale begin at 0.
    pub fn from_zero(self) -> Self {
        Chart { zero: true, ..self }
    }

    /// Marks levels.
    pub fn levels(self, levels: Vec<f64>) -> Self {
        Chart { levels, ..self }
    }

    /// The place of the chart, and what is drawn there; nothing where there are no times. Who cannot see it is told the name, the lowest and the highest value of
    /// each line.
    pub fn html(&self) -> Html {
        if self.x.is_empty() {
            return Html::default();
        }
        let extent = |l: &Line| {
            let all = l.values.iter().flatten().copied().filter(|v| v.is_finite());
            let (low, high) = all.fold((f64::INFINITY, f64::NEG_INFINITY), |(a, b), v| (a.min(v), b.max(v)));
            match low <= high {
                true => format!("{}: {} to {}", l.name, short(low), short(high)),
                false => format!("{}: no values", l.name),
            }
        };
        let lines: Vec<String> = self.lines.iter().map(extent).collect();
        let told = format!("Chart of {}. {}", self.title, lines.join("; "));
        let unit = match self.unit.is_empty() {
            true => Html::default(),
            false => Html::element("small", &[], Html::text(format!(" {}", self.unit))),
        };
        let caption = Html::element("figcaption", &[], Html::text(&self.title).and(unit));
        let place = Html::element("div", &[("class", "plot"), ("role", "img"), ("aria-label", &told)], Html::default());
        let data =
            Html { text: format!("<script type=\"application/json\">{}</script>", in_script(self)), charts: true };
        Html::element("figure", &[("class", "chart")], caption.and(place).and(data))
    }
}

/// Four digits are enough for people.
fn short(v: f64) -> String {
    if v == 0.0 || !v.is_finite() {
        return v.to_string();
    }
    let digits = (3 - v.abs().log10().floor() as i32).clamp(0, 9) as usize;
    let text = format!("{v:.digits$}");
    match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn charts_say_what_they_show() {
        let line = Line::new("a", vec![Some(0.123456), None, Some(1234.5678)]);
        let html = Chart::new("speed", vec![0.0, 1.0, 2.0]).unit("fps").line(line).html().text;
        assert!(html.contains("aria-label=\"Chart of speed. a: 0.1235 to 1235\""), "{html}");
        assert!(html.contains("\"values\":[0.123456,null,1234.5678]"), "{html}");
        let none = Chart::new("x", vec![0.0]).line(Line::new("b", vec![Some(f64::INFINITY)])).html().text;
        assert!(none.contains("b: no values") && none.contains("[null]"), "{none}");
    }
}

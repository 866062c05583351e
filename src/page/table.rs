//! Tables.

use super::Html;

/// A table that is sorted by a click on a heading; from [`FILTER_FROM`] rows on it gets a field to filter it, too.
#[derive(Clone, Debug, Default)]
pub struct Table {
    columns: Vec<String>,
    rows: Vec<Vec<Cell>>,
}

/// Rows from which on a table is filtered.
pub const FILTER_FROM: usize = 10;

/// A cell: what is shown, and what it is sorted by.
#[derive(Clone, Debug)]
pub struct Cell {
    shown: Html,
    number: Option<f64>,
}

impl Cell {
    /// Sorted by `number`, on the right; an infinite or missing one comes last.
    pub fn number(number: f64, shown: impl Into<Html>) -> Self {
        Cell { shown: shown.into(), number: Some(number) }
    }
}

impl From<Html> for Cell {
    fn from(shown: Html) -> Self {
        Cell { shown, number: None }
    }
}

impl From<&str> for Cell {
    fn from(text: &str) -> Self {
        Html::text(text).into()
    }
}

impl From<String> for Cell {
    fn from(text: String) -> Self {
        Html::text(text).into()
    }
}

impl From<u64> for Cell {
    fn from(n: u64) -> Self {
        Cell::number(n as f64, n.to_string())
    }
}

impl Table {
    /// With these headings.
    pub fn new<C: Into<String>>(columns: impl IntoIterator<Item = C>) -> Self {
        Table { columns: columns.into_iter().map(Into::into).collect(), rows: Vec::new() }
    }

    /// Adds a row: a cell for each column.
    pub fn row(&mut self, cells: impl IntoIterator<Item = Cell>) {
        self.rows.push(cells.into_iter().collect());
    }

    /// True where there are no rows.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The table; nothing where there are no rows.
    pub fn html(&self) -> Html {
        if self.is_empty() {
            return Html::default();
        }
        let right = |i: usize| self.rows.iter().all(|r| r.get(i).is_none_or(|c| c.number.is_some()));
        let numbers: Vec<bool> = (0..self.columns.len()).map(right).collect();
        let class = |i: usize| if numbers.get(i) == Some(&true) { "n" } else { "" };
        let head = self.columns.iter().enumerate().map(|(i, c)| {
            let button = Html::element("button", &[("type", "button")], Html::text(c));
            Html::element("th", &[("scope", "col"), ("class", class(i))], button)
        });
        let row = |cells: &Vec<Cell>| {
            let cell = |(i, c): (usize, &Cell)| match c.number {
                Some(n) => {
                    let key = if n.is_finite() { n.to_string() } else { String::new() };
                    Html::element("td", &[("class", class(i)), ("data-sort", &key)], c.shown.clone())
                }
                None => Html::element("td", &[], c.shown.clone()),
            };
            Html::element("tr", &[], cells.iter().enumerate().map(cell).collect()).and(Html::markup("\n"))
        };
        let head = Html::element("thead", &[], Html::element("tr", &[], head.collect()));
        let body = Html::element("tbody", &[], self.rows.iter().map(row).collect());
        let filter = if self.rows.len() >= FILTER_FROM { "true" } else { "false" };
        let table = Html::element("table", &[("data-filter", filter)], head.and(body));
        Html::element("div", &[("class", "table")], table)
    }
}

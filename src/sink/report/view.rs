//! The page itself.

use std::sync::Arc;

use serde_json::json;

use super::bins::{Bin, Group};
use super::moments::Moment;
use super::tally::ZoneTally;
use super::words::{clock, lasted, many, more, object, what};
use super::{End, Progress, ReportSink, strip};
use crate::page::{self, Cell, Chart, Html, Line, Page, Style, Table};
use crate::vision::event::Kind;

/// Points of a line over time, and bars, at most.
const POINTS: usize = 480;
const BARS: usize = 60;

/// The whole page.
pub fn page(report: &ReportSink, progress: Progress) -> String {
    let view = View { report, origin: if report.about.live { report.found.bins.start() } else { 0 } };
    let title = report.about.source.as_deref().unwrap_or("Report");
    let facts = page::facts(view.facts(progress));
    Page::new(title)
        .style(include_str!("report.css"))
        .script(include_str!("report.js"))
        .lead(view.lead(progress))
        .add(page::tiles(view.tiles()))
        .add(view.nothing())
        .section("Video", view.film())
        .section("When", strip::html(&view))
        .section("Moments", view.cards())
        .section("Over time", view.charts())
        .section("Lines", view.lines())
        .section("Zones", view.zones())
        .section("Objects", view.objects())
        .section("Where", view.presence())
        .section("Measured", view.measures())
        .section("All events", view.events())
        .section("About this run", facts)
        .add(view.data())
        .html()
}

/// What is shown, and of when it is.
pub struct View<'a> {
    pub report: &'a ReportSink,
    /// The time in the source that is shown as 0.
    origin: u64,
}

impl View<'_> {
    /// Seconds as shown.
    pub fn shown(&self, at: u64) -> f64 {
        at.saturating_sub(self.origin) as f64 / 1e9
    }

    /// From when to when, in seconds as shown.
    pub fn extent(&self) -> (f64, f64) {
        let found = &self.report.found;
        (self.shown(found.bins.start()), self.shown(found.newest.1.max(found.newest.0)))
    }

    /// `#t=12.480`, where there is a video.
    pub fn target(&self, moment: &Moment) -> Option<String> {
        self.report.about.film.as_ref().map(|_| format!("#t={:.3}", moment.film as f64 / 1e9))
    }

    fn lead(&self, progress: Progress) -> String {
        let tally = &self.report.found.tally;
        let (from, to) = self.extent();
        let state = match progress {
            Progress::Running => "; the run goes on, or was cut off: this is what was known so far",
            Progress::Ended(End::Cut) if !self.report.about.live => "; the run ended before its input did",
            Progress::Ended(_) => "",
        };
        format!(
            "{} of video, {}, {}{state}.",
            clock(to - from),
            many(tally.pictures, "picture"),
            many(tally.events, "event")
        )
    }

    fn facts(&self, progress: Progress) -> Vec<(&'static str, String)> {
        let (about, tally) = (&self.report.about, &self.report.found.tally);
        let (from, to) = self.extent();
        let mut facts = vec![("program", format!("framewright {}", env!("CARGO_PKG_VERSION")))];
        match &about.source {
            Some(name) => facts.push(("input", name.clone())),
            None => facts.push(("input", "not told: this run hides things".into())),
        }
        facts.extend(about.format.iter().map(|f| ("picture", f.clone())));
        facts.push(("from – to", format!("{} – {}", clock(from), clock(to))));
        facts.push(("pictures", format!("{}, {} looked at", tally.pictures, tally.looked)));
        if about.source.is_some() {
            facts.push(("started", about.started.clone()));
        }
        facts.push(("run", about.run.to_string()));
        let ended = match progress {
            Progress::Running => "not when this was written",
            Progress::Ended(End::Complete) => "with its input",
            Progress::Ended(End::Cut) => "before its input did",
        };
        facts.push(("ended", ended.into()));
        facts
    }

    fn tiles(&self) -> Vec<(String, String)> {
        let tally = &self.report.found.tally;
        let mut tiles = Vec::new();
        if !tally.lines.is_empty() {
            let all = tally.lines.values().flat_map(|l| l.labels.values());
            let (into, out) = all.fold((0, 0), |(i, o), n| (i + n[0], o + n[1]));
            tiles.extend([(into.to_string(), "crossed in".to_owned()), (out.to_string(), "crossed out".to_owned())]);
        }
        if !tally.zones.is_empty() {
            tiles.push((tally.zones.values().map(|z| z.visits).sum::<u64>().to_string(), "visits of zones".to_owned()));
        }
        let mut count = |kind, [one, more]: [&str; 2]| {
            let (n, seconds) = tally.sum(kind);
            let label = if n == 1 { one } else { more };
            if n > 0 {
                let seconds = if seconds > 0.0 { format!(", {} in all", lasted(seconds)) } else { String::new() };
                tiles.push((n.to_string(), format!("{label}{seconds}")));
            }
        };
        count(Kind::TrackStarted, ["object followed", "objects followed"]);
        count(Kind::CrowdingStarted, ["crowd", "crowds"]);
        count(Kind::MotionEnded, ["motion", "motions"]);
        count(Kind::Cut, ["scene", "scenes"]);
        count(Kind::LimitKept, ["time out of bounds", "times out of bounds"]);
        tiles
    }

    fn nothing(&self) -> Html {
        let tally = &self.report.found.tally;
        let measured = self.report.found.bins.lines(Group::Measures, 1).next().is_some();
        if tally.events > 0 || !tally.objects.is_empty() || measured {
            return Html::default();
        }
        let why = match tally.looked {
            0 => "Nothing was found: no op of this run looks for anything. detect, track, count-line, zone, motion, scenes and the \
                  measuring ops do."
                .to_owned(),
            n => format!("Nothing was found in {} looked at.", many(n, "picture")),
        };
        Html::element("p", &[("class", "nothing")], why.into())
    }

    fn film(&self) -> Html {
        let Some((url, name)) = &self.report.about.film else { return Html::default() };
        let attributes = [("src", url.as_str()), ("controls", ""), ("preload", "metadata")];
        let video = Html::element("video", &attributes, Html::default());
        let note = Html::element(
            "p",
            &[("class", "note"), ("id", "film-note")],
            Html::text(format!("{name}, beside this page")),
        );
        video.and(note)
    }

    fn cards(&self) -> Html {
        let found = &self.report.found;
        let listed = found.moments.listed();
        let pictured: Vec<_> = listed.iter().filter_map(|m| Some((*m, m.picture.as_deref()?))).collect();
        if pictured.is_empty() {
            return Html::default();
        }
        let card = |(moment, jpeg): &(&Moment, &[u8])| {
            let (what, object) = (what(moment), object(moment));
            // The op's own name says nothing more.
            let name = Some(&*moment.name).filter(|n| what != *n && moment.kind != Kind::Cut);
            let place = name.into_iter().chain(Some(object.as_str()).filter(|o| !o.is_empty()));
            let text = Html::element("time", &[], clock(self.shown(moment.at)).into())
                .and(Html::element("b", &[], Html::text(&what)))
                .and(Html::element("span", &[], Html::text(place.collect::<Vec<_>>().join(" · "))));
            let inside = page::picture(jpeg, "").and(text);
            let inside = match self.target(moment) {
                Some(url) => Html::element("a", &[("href", &url)], inside),
                None => inside,
            };
            Html::element("li", &[], inside)
        };
        let left = found.moments.all_pictures - pictured.len() as u64;
        let note = match left {
            0 => Html::default(),
            n => note(format!("{} more without a picture; these are spread over the whole run.", many(n, "moment"))),
        };
        note.and(Html::element(
            "ol",
            &[("class", "moments"), ("tabindex", "0"), ("aria-label", "moments")],
            pictured.iter().map(card).collect(),
        ))
    }

    /// The beginnings of bins as seconds shown.
    fn times(&self, per: usize) -> Vec<f64> {
        let bins = &self.report.found.bins;
        bins.times(per).map(|t| self.shown(bins.start() + t)).collect()
    }

    fn chart(&self, title: &str, group: Group, most: usize, style: Style, value: impl Fn(&Bin) -> Option<f64>) -> Html {
        let bins = &self.report.found.bins;
        let per = bins.to_fit(most);
        let mut chart = Chart::new(title, self.times(per));
        let mut any = false;
        for (name, line) in bins.lines(group, per) {
            any = true;
            chart = chart.line(Line::new(&**name, line.iter().map(&value).collect()).style(style));
        }
        if any { chart.html() } else { Html::default() }
    }

    fn charts(&self) -> Html {
        let bins = &self.report.found.bins;
        let per = bins.to_fit(POINTS);
        let looked: Vec<u64> = bins.lines(Group::Looked, per).flat_map(|l| l.1).map(|b| b.n).collect();
        let mut objects = Chart::new("Objects in a picture", self.times(per)).unit("mean").from_zero();
        for (label, line) in bins.lines(Group::Objects, per) {
            // Pictures without any count, too.
            let mean = |(b, n): (&Bin, &u64)| (*n > 0).then(|| b.sum / *n as f64);
            objects = objects.line(Line::new(&**label, line.iter().zip(&looked).map(mean).collect()));
        }
        let objects = if self.report.found.tally.objects.is_empty() { Html::default() } else { objects.html() };
        let crossings = self.chart("Crossings", Group::Crossings, BARS, Style::Bars, |b| Some(b.sum));
        let zones = self.chart("In zones at once", Group::Zones, POINTS, Style::Step, |b| (b.n > 0).then_some(b.max));
        crossings.and(zones).and(objects)
    }

    fn measures(&self) -> Html {
        let found = &self.report.found;
        let per = found.bins.to_fit(POINTS);
        let (listed, (_, end)) = (found.moments.listed(), self.extent());
        let chart = |(name, line): (&Arc<str>, Vec<Bin>)| {
            let of = |f: fn(&Bin) -> f64| line.iter().map(|b| (b.n > 0).then(|| f(b))).collect::<Vec<_>>();
            let values = Line::new("mean", line.iter().map(Bin::mean).collect());
            let wide = line.iter().any(|b| b.n > 1);
            let values = if wide { values.range(of(|b| b.min), of(|b| b.max)) } else { values };
            let beyond: Vec<_> = listed.iter().filter(|m| m.kind == Kind::LimitPassed && m.name == *name).collect();
            let spans = beyond.iter().map(|m| [self.shown(m.at), m.end.map_or(end, |e| self.shown(e))]).collect();
            let mut levels: Vec<f64> = beyond.iter().filter_map(|m| m.number("limit")).collect();
            levels.sort_by(f64::total_cmp);
            levels.dedup();
            Chart::new(&**name, self.times(per)).line(values).spans(spans).levels(levels).html()
        };
        found.bins.lines(Group::Measures, per).map(chart).collect()
    }

    fn lines(&self) -> Html {
        let mut table = Table::new(["line", "what", "in", "out", "both"]);
        for (name, line) in &self.report.found.tally.lines {
            let sum = line.labels.values().fold([0, 0], |s, n| [s[0] + n[0], s[1] + n[1]]);
            let mut row = |what: Cell, [into, out]: [u64; 2]| {
                table.row([Cell::from(&**name), what, into.into(), out.into(), (into + out).into()]);
            };
            line.labels.iter().for_each(|(label, n)| row(Cell::from(&**label), *n));
            if line.labels.len() != 1 {
                row(Html::element("b", &[], "all".into()).into(), sum);
            }
        }
        table.html()
    }

    fn zones(&self) -> Html {
        let mut table =
            Table::new(["zone", "visits", "in it at the end", "at once, at most", "stayed, mean", "longest", "crowds"]);
        for (name, z) in &self.report.found.tally.zones {
            let ZoneTally { visits, now, peak, stays, seconds, longest, crowds } = z;
            let told = |s: f64| if *stays > 0 { Cell::number(s, lasted(s)) } else { Cell::number(f64::NAN, "–") };
            let mean = told(*seconds / (*stays).max(1) as f64);
            let [now, peak] = [now, peak].map(|n| Cell::number(*n as f64, n.to_string()));
            table.row([Cell::from(&**name), (*visits).into(), now, peak, mean, told(*longest), (*crowds).into()]);
        }
        table.html()
    }

    fn objects(&self) -> Html {
        let mut table = Table::new(["what", "followed", "in pictures", "of all", "at once, at most"]);
        let tally = &self.report.found.tally;
        for (label, o) in &tally.objects {
            let share = 100.0 * o.pictures as f64 / tally.looked.max(1) as f64;
            let share = Cell::number(share, format!("{share:.1} %"));
            table.row([Cell::from(&**label), o.tracks.into(), o.pictures.into(), share, o.most.into()]);
        }
        table.html()
    }

    fn events(&self) -> Html {
        let found = &self.report.found;
        let listed = found.moments.listed();
        let live = self.report.about.live && self.report.about.source.is_some();
        let mut columns = vec!["time", "lasted", "what", "at", "object", "more"];
        if live {
            columns.insert(1, "clock (UTC)");
        }
        let mut table = Table::new(columns);
        for m in &listed {
            let at = self.shown(m.at);
            let shown = match self.target(m) {
                Some(url) => Html::element("a", &[("href", &url)], clock(at).into()),
                None => clock(at).into(),
            };
            let lasted = m.end.map(|e| e.saturating_sub(m.at) as f64 / 1e9);
            let lasted = lasted.map_or(Cell::number(f64::NAN, ""), |s| Cell::number(s, clock(s)));
            let mut row = vec![
                Cell::number(at, shown),
                lasted,
                what(m).into(),
                (*m.name).into(),
                object(m).into(),
                more(m).into(),
            ];
            if live {
                let wall = m.wall.map(|w| crate::events::schema::rfc3339(w)[..19].replace('T', " "));
                row.insert(1, wall.unwrap_or_default().into());
            }
            table.row(row);
        }
        let left = found.moments.all - listed.len() as u64;
        let told = match left {
            0 => Html::default(),
            n => note(format!(
                "{} more are not listed; these are spread over the whole run, and all are counted above.",
                many(n, "moment")
            )),
        };
        let table = told.and(table.html());
        if listed.len() > 20 { page::details(format!("{} moments", listed.len()), table) } else { table }
    }

    /// For scripts, and for whoever wants the numbers.
    fn data(&self) -> Html {
        let found = &self.report.found;
        let seconds = |ns: u64| ns as f64 / 1e9;
        let listed = found.moments.listed();
        let moment = |m: &&Moment| {
            json!({ "seq": m.seq, "kind": m.kind, "name": &*m.name, "at": self.shown(m.at), "film": seconds(m.film),
                    "end": m.end.map(|e| self.shown(e)), "label": m.label.as_deref(), "track": m.track })
        };
        let films: Vec<[f64; 2]> = found.bins.moments().map(|(at, film)| [self.shown(at), seconds(film)]).collect();
        let (from, to) = self.extent();
        let pictures = listed.iter().filter(|m| m.picture.is_some()).count() as u64;
        let value = json!({
            "run": &*self.report.about.run, "from": from, "to": to, "tally": found.tally, "films": films,
            "moments": listed.iter().map(moment).collect::<Vec<_>>(),
            "left_out": { "moments": found.moments.all - listed.len() as u64, "pictures": found.moments.all_pictures - pictures },
        });
        page::json("report", &value)
    }
}

/// A remark.
pub fn note(text: String) -> Html {
    Html::element("p", &[("class", "note")], text.into())
}

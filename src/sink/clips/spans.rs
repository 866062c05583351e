//! From events to parts of the stream.

use crate::vision::event::{Event, Kind};

/// Nanoseconds of the source.
type Time = u64;

/// A part of the stream that becomes one clip.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Span {
    /// The first picture's time, or earlier.
    pub start: Time,
    /// Where it ends, this moment left out; unknown while something in it goes on.
    pub end: Option<Time>,
    /// What began it.
    pub kind: Kind,
    /// At what.
    pub name: std::sync::Arc<str>,
    /// When that was, without the roll before it.
    pub at: Time,
    /// What goes on in it: kind, name and track of each beginning.
    open: Vec<(Kind, std::sync::Arc<str>, Option<u32>)>,
    /// A scene: has exact borders and shares none of its pictures.
    exact: bool,
}

/// Parts in the order of their beginning.
#[derive(Debug)]
pub(super) struct Spans {
    before: Time,
    after: Time,
    pub list: Vec<Span>,
}

impl Spans {
    /// With so much of the stream around each event.
    pub fn new(before: Time, after: Time) -> Self {
        Spans { before, after, list: Vec::new() }
    }

    /// Takes in an event. What was handed out already (`done`) does not come back: a part begins there at the earliest.
    pub fn add(&mut self, event: &Event, done: Time) {
        if event.kind == Kind::Cut {
            return self.cut(event, done);
        }
        let key = (event.kind, event.name.clone(), event.track);
        if let Some(began) = event.kind.begun_by() {
            let wanted = (began, event.name.clone(), event.track);
            let end = event.position.saturating_add(self.after);
            if let Some(span) = self.list.iter_mut().find(|s| s.open.contains(&wanted)) {
                span.open.retain(|o| *o != wanted);
                if span.open.is_empty() {
                    span.end = Some(span.end.map_or(end, |e| e.max(end)));
                }
                return self.merge();
            }
            // It began before anybody listened.
        }
        let start = event.position.saturating_sub(self.before).max(done);
        let open = if event.kind.goes_on() { vec![key] } else { Vec::new() };
        let end = open.is_empty().then(|| event.position.saturating_add(self.after));
        let (kind, name, at) = (event.kind, event.name.clone(), event.position);
        self.list.push(Span { start, end, kind, name, at, open, exact: false });
        self.merge();
    }

    /// A new scene: the one before ends here.
    fn cut(&mut self, event: &Event, done: Time) {
        let at = event.position.max(done);
        if let Some(last) = self.list.iter_mut().rev().find(|s| s.exact) {
            last.end = Some(at);
        }
        self.scene(at, event.name.clone());
    }

    fn scene(&mut self, at: Time, name: std::sync::Arc<str>) {
        self.list.push(Span { start: at, end: None, kind: Kind::Cut, name, at, open: Vec::new(), exact: true });
    }

    /// Parts that meet become one.
    fn merge(&mut self) {
        self.list.sort_by_key(|s| s.start);
        let mut merged: Vec<Span> = Vec::with_capacity(self.list.len());
        for span in self.list.drain(..) {
            match merged.iter_mut().rev().find(|s| !s.exact && !span.exact) {
                Some(last) if last.is_open() || last.end.is_none_or(|e| e >= span.start) => {
                    last.end = match (last.end, span.end) {
                        (Some(a), Some(b)) => Some(a.max(b)),
                        (a, b) => a.or(b),
                    };
                    last.open.extend(span.open);
                }
                _ => merged.push(span),
            }
        }
        self.list = merged;
    }

    /// The part that `time` lies in.
    pub fn at(&self, time: Time) -> Option<&Span> {
        self.list.iter().find(|s| s.start <= time && (s.is_open() || s.end.is_none_or(|e| time < e)))
    }

    /// Forgets parts that ended by `time`.
    pub fn forget(&mut self, time: Time) {
        self.list.retain(|s| s.is_open() || s.end.is_none_or(|e| e > time));
    }
}

impl Span {
    /// Something in it goes on.
    pub fn is_open(&self) -> bool {
        !self.open.is_empty()
    }

    /// True for what is the same clip as `other`, though its end may be known better now.
    pub fn is(&self, other: &Span) -> bool {
        self.start == other.start && self.kind == other.kind && self.name == other.name
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(kind: Kind, at: u64) -> Event {
        Event::new(kind, &"x".into(), 0, at)
    }

    fn ends(s: &Spans) -> Vec<(u64, Option<u64>)> {
        s.list.iter().map(|s| (s.start, s.end)).collect()
    }

    #[test]
    fn events_that_are_near_share_a_clip() {
        let mut s = Spans::new(10, 20);
        s.add(&event(Kind::LineCrossed, 100), 0);
        s.add(&event(Kind::LineCrossed, 125), 0);
        s.add(&event(Kind::LineCrossed, 200), 0);
        assert_eq!(ends(&s), [(90, Some(145)), (190, Some(220))]);
        assert!(s.at(144).is_some() && s.at(145).is_none() && s.at(89).is_none());
        s.forget(145);
        assert_eq!(ends(&s), [(190, Some(220))]);
    }

    #[test]
    fn what_goes_on_keeps_its_clip_open() {
        let mut s = Spans::new(10, 20);
        s.add(&event(Kind::MotionStarted, 100), 0);
        assert!(s.at(100_000).is_some());
        s.add(&event(Kind::LineCrossed, 150), 0);
        assert!(s.at(100_000).is_some());
        s.add(&event(Kind::MotionEnded, 160), 0);
        assert_eq!(ends(&s), [(90, Some(180))]);
        // What was handed out already is gone.
        s.add(&event(Kind::MotionStarted, 400), 395);
        assert_eq!(s.list.last().map(|s| s.start), Some(395));
    }

    #[test]
    fn scenes_touch_and_do_not_overlap() {
        let mut s = Spans::new(10, 20);
        s.add(&event(Kind::Cut, 0), 0);
        s.add(&event(Kind::Cut, 100), 0);
        s.add(&event(Kind::Cut, 300), 0);
        assert_eq!(ends(&s), [(0, Some(100)), (100, Some(300)), (300, None)]);
        assert_eq!(s.at(100).map(|s| s.start), Some(100));
    }
}

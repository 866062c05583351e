//! What happened, as a list of bounded length with pictures: where there is too much of one kind, every second of it goes, so
//! that what is left is spread over the whole run.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::vision::event::{Event, Kind, Value};

/// Entries at most.
const LISTED: usize = 1000;
/// Pictures at most.
const PICTURES: usize = 120;
/// Things that go on at the same time, at most; who forgets to end something costs no memory.
const OPEN: usize = 4096;

/// Something that happened. Times are in nanoseconds.
#[derive(Clone, Debug)]
pub struct Moment {
    /// The event's number.
    pub seq: u64,
    pub kind: Kind,
    pub name: Arc<str>,
    /// In the source.
    pub at: u64,
    /// In the video that is shown beside.
    pub film: u64,
    /// When it was over.
    pub end: Option<u64>,
    pub track: Option<u32>,
    pub label: Option<Arc<str>>,
    /// Nanoseconds since 1970.
    pub wall: Option<i64>,
    pub values: Vec<(String, Value)>,
    /// JPEG.
    pub picture: Option<Vec<u8>>,
}

impl Moment {
    /// A value by its name.
    pub fn value(&self, key: &str) -> Option<&Value> {
        self.values.iter().find(|(k, _)| k == key).map(|(_, v)| v)
    }

    /// The same of a number.
    pub fn number(&self, key: &str) -> Option<f64> {
        self.value(key).and_then(Value::number)
    }
}

/// Takes one of so many.
#[derive(Clone, Copy, Debug)]
struct Every {
    stride: u64,
    seen: u64,
}

impl Default for Every {
    fn default() -> Self {
        Every { stride: 1, seen: 0 }
    }
}

impl Every {
    fn takes(&mut self) -> bool {
        self.seen += 1;
        (self.seen - 1).is_multiple_of(self.stride)
    }
}

#[derive(Debug, Default)]
struct Lane {
    /// By number.
    moments: Vec<Moment>,
    listed: Every,
    pictured: Every,
}

/// The list.
#[derive(Debug, Default)]
pub struct Moments {
    lanes: BTreeMap<Kind, Lane>,
    /// Numbers of what goes on.
    open: BTreeMap<(Kind, Arc<str>, Option<u32>), u64>,
    /// How many there were of those that could be listed.
    pub all: u64,
    /// How many pictures there would be if there were no bound.
    pub all_pictures: u64,
}

impl Moments {
    /// True for what is listed; the other kinds are counted or end something that is.
    pub fn lists(kind: Kind) -> bool {
        use Kind::*;
        matches!(kind, LineCrossed | ZoneEntered | ZoneDwelt | CrowdingStarted | MotionStarted | Cut | LimitPassed)
    }

    /// Takes in an event of a kind that is listed. True where a picture of it is wanted: give it to [`Moments::picture`].
    pub fn add(&mut self, event: &Event, film: u64) -> bool {
        if event.kind.goes_on() {
            if self.open.len() >= OPEN {
                self.open.clear();
            }
            self.open.insert((event.kind, event.name.clone(), event.track), event.seq);
        }
        let lane = self.lanes.entry(event.kind).or_default();
        self.all += 1;
        self.all_pictures += 1;
        let pictured = lane.pictured.takes();
        if !lane.listed.takes() {
            return false;
        }
        lane.moments.push(Moment {
            seq: event.seq,
            kind: event.kind,
            name: event.name.clone(),
            at: event.position,
            film,
            end: None,
            track: event.track,
            label: event.label.clone(),
            wall: event.wall,
            values: event.values.iter().map(|(k, v)| (k.to_string(), v.clone())).collect(),
            picture: None,
        });
        if self.lanes.values().map(|l| l.moments.len()).sum::<usize>() > LISTED {
            self.thin();
        }
        pictured
    }

    /// The picture of the event `kind` with this number.
    pub fn picture(&mut self, kind: Kind, seq: u64, jpeg: Vec<u8>) {
        let lane = self.lanes.entry(kind).or_default();
        let Ok(i) = lane.moments.binary_search_by_key(&seq, |m| m.seq) else { return };
        lane.moments[i].picture = Some(jpeg);
        let pictures = |l: &Lane| l.moments.iter().filter(|m| m.picture.is_some()).count();
        if self.lanes.values().map(pictures).sum::<usize>() <= PICTURES {
            return;
        }
        let Some(most) = self.lanes.values_mut().max_by_key(|l| pictures(l)) else { return };
        most.pictured.stride *= 2;
        let with = most.moments.iter_mut().filter(|m| m.picture.is_some());
        with.skip(1).step_by(2).for_each(|m| m.picture = None);
    }

    fn thin(&mut self) {
        let Some(most) = self.lanes.values_mut().max_by_key(|l| l.moments.len()) else { return };
        most.listed.stride *= 2;
        let mut keep = false;
        most.moments.retain(|_| {
            keep = !keep;
            keep
        });
    }

    /// Takes in what ends something.
    pub fn end(&mut self, event: &Event) {
        let Some(began) = event.kind.begun_by() else { return };
        let Some(seq) = self.open.remove(&(began, event.name.clone(), event.track)) else { return };
        let Some(lane) = self.lanes.get_mut(&began) else { return };
        let Ok(i) = lane.moments.binary_search_by_key(&seq, |m| m.seq) else { return };
        let moment = &mut lane.moments[i];
        moment.end = Some(event.position);
        // What is known only now: how strong it was at most.
        let news = event.values.iter().filter(|(k, _)| k != "start" && k != "seconds" && k != "limit");
        moment.values.extend(news.map(|(k, v)| (k.to_string(), v.clone())));
    }

    /// What is kept, by time.
    pub fn listed(&self) -> Vec<&Moment> {
        let mut all: Vec<&Moment> = self.lanes.values().flat_map(|l| &l.moments).collect();
        all.sort_by_key(|m| (m.at, m.seq));
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(kind: Kind, seq: u64) -> Event {
        Event { seq, ..Event::new(kind, &"x".into(), seq, seq * 1_000) }
    }

    #[test]
    fn a_flood_is_thinned_and_what_is_rare_stays() {
        let mut moments = Moments::default();
        let mut pictures = 0;
        for seq in 1..=50_000 {
            let kind = if seq == 20_000 { Kind::CrowdingStarted } else { Kind::LineCrossed };
            if moments.add(&event(kind, seq), 0) {
                pictures += 1;
                moments.picture(kind, seq, vec![0]);
            }
        }
        let listed = moments.listed();
        let with: Vec<u64> = listed.iter().filter(|m| m.picture.is_some()).map(|m| m.seq).collect();
        assert!((LISTED / 2..=LISTED).contains(&listed.len()), "{}", listed.len());
        assert!((PICTURES / 2 - 1..=PICTURES).contains(&with.len()), "{}", with.len());
        assert!(pictures < 2000, "{pictures} pictures were made");
        assert!(with.contains(&20_000), "the only crowd");
        assert!(with.iter().any(|s| *s < 2_000) && with.iter().any(|s| *s > 48_000), "spread over all");
        assert_eq!((moments.all, moments.all_pictures), (50_000, 50_000));
    }

    #[test]
    fn what_ends_is_put_to_what_began() {
        let mut moments = Moments::default();
        assert!(moments.add(&event(Kind::MotionStarted, 1), 0));
        moments.end(&event(Kind::MotionEnded, 5).number("start", 1e-6).number("peak", 3.5));
        // Nobody saw this one begin.
        moments.end(&event(Kind::MotionEnded, 9));
        let listed = moments.listed();
        assert_eq!(
            (listed[0].end, listed[0].number("peak"), listed[0].number("start")),
            (Some(5_000), Some(3.5), None)
        );
        assert_eq!(listed.len(), 1);
    }
}

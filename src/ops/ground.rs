//! How fast objects move over the ground.

use std::collections::BTreeMap;
use std::sync::Arc;

use gstreamer::ClockTime;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::detect::Labels;
use super::drawing::{Points, check_point, size};
use super::tracked::Tracked;
use super::{Group, Invalid, Length, Mode, Op, OpConfig, OpError, Reach, Sight, Stream};
use crate::config::Time;
use crate::frame::{Frame, Spec};
use crate::vision::count::{self, Anchor, Motion, Paces, Place};

/// Gives what `track` follows its speed and direction over the ground, from four places in the picture whose distances are known.
///
/// `draw` shows it with `{speed}`; outputs of detections have `speed` in metres per second and `heading` in degrees from the
/// ground's x axis towards its y axis.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Ground {
    /// Four places on the ground as they are in the picture, no three in one line: `x,y x,y x,y x,y` in pixels or percent;
    /// required.
    pub picture: Points,
    /// The same places in metres, on axes of your choice: `0,0 7,0 7,25 0,25`; required.
    pub meters: Points,
    /// Over how long speeds are taken, 0.1 to 60 seconds: more is smoother and later.
    pub smooth: Time,
    /// Which point of the box is on the ground: `bottom` (the middle of the lower edge), `center`, `top`, `left`, `right`,
    /// `top-left`, `top-right`, `bottom-left`, `bottom-right`.
    pub anchor: Anchor,
    /// These labels only (`["person", "car"]`; on the command line `person|car`). Default: all.
    #[serde(skip_serializing_if = "Labels::is_empty")]
    pub labels: Labels,
    /// Only what the `detect` op of this name found. Default: what all of them found.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detector: Option<String>,
}

impl Default for Ground {
    fn default() -> Self {
        Ground {
            picture: Points::default(),
            meters: Points::default(),
            smooth: Time(ClockTime::from_mseconds(800)),
            anchor: Anchor::Bottom,
            labels: Labels::default(),
            detector: None,
        }
    }
}

impl Ground {
    fn metres(&self) -> Option<[Place; 4]> {
        let number = |l: Length| match l {
            Length::Pixels(v) => Some(v),
            Length::Percent(_) => None,
        };
        let all: Option<Vec<Place>> = self.meters.0.iter().map(|p| Some((number(p.0)?, number(p.1)?))).collect();
        all?.try_into().ok()
    }
}

impl OpConfig for Ground {
    const NAME: &'static str = "ground";
    const GROUP: Group = Group::Seeing;
    const EXAMPLE: &'static str = "ground:picture=40%,40% 60%,40% 90%,95% 10%,95%,meters=0,0 7,0 7,25 0,25,smooth=1";
    const BEHIND: &'static str = "a homography; lines of least squares over time";

    fn check(&self) -> Result<(), Invalid> {
        let four = |key: &'static str, points: &Points| match points.0.len() {
            4 => points.0.iter().try_for_each(|p| check_point(key, *p)),
            n => Err(Invalid::new(
                key,
                format!("{key}: there are {n} places, and 4 are needed, as in --op '{}'", Self::EXAMPLE),
            )),
        };
        four("picture", &self.picture)?;
        four("meters", &self.meters)?;
        if self.metres().is_none() {
            return Err(Invalid::new("meters", "meters: these are metres on the ground, without percent"));
        }
        Invalid::unless_in("smooth", self.smooth.0.nseconds() as f64 / 1e9, 0.1..=60.0)
    }

    fn reach(&self) -> Reach {
        Reach::Never("the ground is where its places are; give the region to detect")
    }

    fn sight(&self) -> Sight {
        Sight::Uses(self.detector.clone())
    }

    fn stateful(&self) -> bool {
        true
    }

    fn build(&self) -> Box<dyn Op> {
        Box::new(Surveyor {
            tracked: Tracked::new(&self.labels, self.detector.as_ref(), self.anchor),
            paces: Paces::new(self.smooth.0.nseconds() as f64 / 1e9),
            config: self.clone(),
            ground: None,
            tracks: BTreeMap::new(),
        })
    }
}

struct Surveyor {
    config: Ground,
    tracked: Tracked,
    ground: Option<count::Ground>,
    paces: Paces,
    /// Of each track: its label, the sum and number of its speeds.
    tracks: BTreeMap<u32, (Arc<str>, f64, u32)>,
}

impl Op for Surveyor {
    fn mode(&self) -> Mode {
        Mode::Read
    }

    fn prepare(&mut self, input: &Arc<Spec>, _: &Stream) -> Result<Arc<Spec>, OpError> {
        let picture: Vec<Place> = self.config.picture.0.iter().map(|p| p.on(size(input))).collect();
        let picture: Option<[Place; 4]> = picture.try_into().ok();
        self.ground = picture.zip(self.config.metres()).and_then(|(p, m)| count::Ground::new(p, m));
        match self.ground {
            Some(_) => Ok(input.clone()),
            None => Err(OpError::Refused(
                "picture and meters: three of the four places lie in one line, or the order of the two lists differs"
                    .into(),
            )),
        }
    }

    fn read(&mut self, frame: &mut Frame) -> Result<(), OpError> {
        let now = frame.position.nseconds() as f64 / 1e9;
        let Some(ground) = &self.ground else { return Ok(()) };
        self.paces.forget(now);
        let (seen, places) = self.tracked.look(&frame.meta.detections);
        for (s, place) in seen.iter().zip(places) {
            let motion = match ground.at(s.at).filter(|_| s.found) {
                Some(at) => self.paces.add(s.track, now, at),
                None => self.paces.motion(s.track),
            };
            let Some(Motion { speed, heading }) = motion else { continue };
            let d = &mut frame.meta.detections[*place];
            (d.speed, d.heading) = (Some(speed as f32), heading.map(|h| h as f32));
            let known = self.tracks.entry(s.track).or_insert_with(|| (d.label.clone(), 0.0, 0));
            (known.1, known.2) = (known.1 + speed, known.2 + 1);
        }
        Ok(())
    }

    fn report(&self) -> Option<serde_json::Value> {
        let mut labels: BTreeMap<&str, Vec<f64>> = BTreeMap::new();
        for (label, sum, n) in self.tracks.values() {
            labels.entry(label).or_default().push(sum / f64::from((*n).max(1)));
        }
        let mut notes = Vec::new();
        let mut found = serde_json::Map::new();
        for (label, mut speeds) in labels {
            speeds.sort_by(f64::total_cmp);
            let (median, most) = (speeds[speeds.len() / 2], speeds[speeds.len() - 1]);
            notes.push(format!("{label} {:.0} km/h, at most {:.0}", median * 3.6, most * 3.6));
            let of = serde_json::json!({ "tracks": speeds.len(), "median": median, "most": most });
            found.insert(label.to_owned(), of);
        }
        let mut note = notes.join("; ");
        if let Some(lacks) = self.tracked.lacks() {
            note = lacks.to_owned();
        }
        Some(serde_json::json!({ "labels": found, "note": note }))
    }
}

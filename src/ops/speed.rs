//! Plays faster or slower.

use std::sync::Arc;

use gstreamer::prelude::*;
use gstreamer::{ClockTime, Fraction};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Group, Invalid, Mode, Op, OpConfig, OpError, Reach, Stream};
use crate::config::Time;
use crate::frame::{Frame, Spec};

/// Plays the video faster or slower.
///
/// Every frame stays and its time changes: twice the speed is twice the frame rate. `fps` after it brings the rate back.
/// Audio is left out.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Speed {
    /// How many times as fast, 0.1 to 100: 2 is twice as fast, 0.5 is slow motion of half the speed.
    #[schemars(range(min = 0.1, max = 100.0))]
    pub factor: f64,
    /// Only from this time of the source on. Default: from its beginning.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<Time>,
    /// Only up to this time of the source; what follows is as fast as it was. Default: to its end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<Time>,
}

impl Default for Speed {
    fn default() -> Self {
        Speed { factor: 1.0, from: None, to: None }
    }
}

impl OpConfig for Speed {
    const NAME: &'static str = "speed";
    const GROUP: Group = Group::Time;
    const EXAMPLE: &'static str = "speed:factor=2";
    const BEHIND: &'static str = "framewright's own arithmetic with exact fractions";

    fn check(&self) -> Result<(), Invalid> {
        Invalid::unless_in("factor", self.factor, 0.1..=100.0)?;
        match (self.from, self.to) {
            (Some(f), Some(t)) if f >= t => Err(Invalid::new("from", format!("from = {f} is not before to = {t}"))),
            _ => Ok(()),
        }
    }

    fn reach(&self) -> Reach {
        Reach::Never("time passes for the whole picture")
    }

    fn stateful(&self) -> bool {
        true
    }

    fn retimes(&self) -> bool {
        self.factor != 1.0
    }

    fn no_when(&self) -> Option<&'static str> {
        Some("use from and to, which move what follows")
    }

    fn build(&self) -> Box<dyn Op> {
        let factor = Fraction::approximate_f64(self.factor).unwrap_or(Fraction::new(1, 1));
        let span = [self.from, self.to].map(|t| t.map(|t| t.0));
        Box::new(Speeding { factor, span, shift: None, spec: None })
    }
}

struct Speeding {
    factor: Fraction,
    /// From and to, in the source's time.
    span: [Option<ClockTime>; 2],
    /// The source's time where the frames' time is 0.
    shift: Option<ClockTime>,
    spec: Option<Arc<Spec>>,
}

impl Speeding {
    fn scaled(&self, t: ClockTime) -> ClockTime {
        let (n, d) = (self.factor.numer() as u64, self.factor.denom() as u64);
        t.mul_div_round(d, n).unwrap_or(t)
    }

    /// Where `t` goes: what lies in the span is scaled, what follows moves along.
    fn moved(&self, t: ClockTime) -> ClockTime {
        let shift = self.shift.unwrap_or(ClockTime::ZERO);
        let [from, to] = self.span.map(|t| t.map(|t| t.saturating_sub(shift)));
        let from = from.unwrap_or(ClockTime::ZERO);
        let to = to.unwrap_or(ClockTime::MAX);
        if t <= from {
            return t;
        }
        from + self.scaled(t.min(to) - from) + t.saturating_sub(to)
    }
}

impl Op for Speeding {
    fn mode(&self) -> Mode {
        Mode::Time
    }

    fn prepare(&mut self, input: &Arc<Spec>, _: &Stream) -> Result<Arc<Spec>, OpError> {
        let fps = input.info.fps();
        let product = |a: i32, b: i32| i64::from(a) * i64::from(b);
        let (n, d) = (product(fps.numer(), self.factor.numer()), product(fps.denom(), self.factor.denom()));
        let divisor = gcd(n, d);
        let rate = match (i32::try_from(n / divisor), i32::try_from(d / divisor)) {
            (Ok(n), Ok(d)) if self.span == [None, None] => Fraction::new(n, d),
            // Two rates in one video, or one that caps cannot hold.
            _ => Fraction::new(0, 1),
        };
        let spec = Arc::new(input.with_rate(rate));
        self.spec = Some(spec.clone());
        Ok(spec)
    }

    fn retime(&mut self, mut frame: Frame, out: &mut Vec<Frame>) -> Result<(), OpError> {
        self.shift.get_or_insert(frame.position.saturating_sub(frame.pts));
        let pts = self.moved(frame.pts);
        frame.duration = frame.duration.map(|d| self.moved(frame.pts + d).saturating_sub(pts));
        frame.pts = pts;
        if let Some(spec) = &self.spec {
            frame.respec(spec.clone());
        }
        out.push(frame);
        Ok(())
    }
}

fn gcd(a: i64, b: i64) -> i64 {
    if b == 0 { a.abs().max(1) } else { gcd(b, a % b) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_is_scaled_and_the_rest_follows() {
        let ms = ClockTime::from_mseconds;
        let s =
            Speeding { factor: Fraction::new(1, 4), span: [Some(ms(1000)), Some(ms(2000))], shift: None, spec: None };
        let moved = [0, 1000, 1500, 2000, 2500].map(|t| s.moved(ms(t)).mseconds());
        assert_eq!(moved, [0, 1000, 3000, 5000, 5500]);
        let s = Speeding { factor: Fraction::new(2, 1), span: [None, None], shift: None, spec: None };
        assert_eq!(s.moved(ms(3000)).mseconds(), 1500);
    }
}

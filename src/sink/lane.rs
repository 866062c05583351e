//! One audio track on its way into the muxer.

use crossbeam_channel::{Receiver, TryRecvError};
use gstreamer::ClockTime;
use gstreamer_app::AppSrc;

use super::anonymous::Comments;
use crate::source::AudioPacket;

/// One audio track on its way into the muxer.
pub struct Lane {
    source: AppSrc,
    packets: Receiver<AudioPacket>,
    next: Option<AudioPacket>,
    zero: i64,
    /// Those to take off.
    comments: Comments,
    packet_duration: Option<ClockTime>,
    ended: bool,
    /// Output time up to which packets were handed over, in nanoseconds.
    reached: i64,
    /// Packets handed over.
    pub count: u64,
}

/// How long a packet lasts where the codec fixes it: 1024 samples of AAC, 1152 of MP2 and MP3, 1536 of AC-3.
fn packet_duration(caps: &gstreamer::Caps) -> Option<ClockTime> {
    let s = caps.structure(0)?;
    let samples = match (s.name().as_str(), s.get::<i32>("mpegversion").unwrap_or(0)) {
        ("audio/mpeg", 1) => 1152,
        ("audio/mpeg", _) => 1024,
        ("audio/x-ac3", _) => 1536,
        _ => return None,
    };
    let rate = u64::try_from(s.get::<i32>("rate").ok()?).ok().filter(|r| *r > 0)?;
    Some(ClockTime::from_nseconds(samples * 1_000_000_000 / rate))
}

impl Lane {
    /// Packets of `caps` for `source`; `zero` is the source time that is 0 in the output.
    pub fn new(
        source: AppSrc,
        packets: Receiver<AudioPacket>,
        zero: i64,
        comments: Comments,
        caps: &gstreamer::Caps,
    ) -> Self {
        let packet_duration = packet_duration(caps);
        Lane { source, packets, next: None, zero, comments, packet_duration, ended: false, reached: 0, count: 0 }
    }

    /// True when it has nothing to hand over although it should be beyond `horizon` (output time, ns).
    pub fn is_silent(&self, horizon: i64) -> bool {
        !self.ended && self.next.is_none() && self.reached < horizon
    }

    /// True when nothing comes any more.
    pub fn is_over(&self) -> bool {
        self.ended
    }

    /// Output time up to which packets were handed over, in nanoseconds.
    pub fn reached(&self) -> i64 {
        self.reached
    }

    /// Hands over what belongs before `limit` (output time, ns), and takes in no more than one packet beyond.
    pub fn feed(&mut self, limit: i64) {
        while !self.ended {
            let packet = match self.next.take().map_or_else(|| self.packets.try_recv(), Ok) {
                Ok(p) => p,
                Err(TryRecvError::Empty) => return,
                Err(TryRecvError::Disconnected) => return self.end(),
            };
            if packet.time - self.zero >= limit {
                self.next = Some(packet);
                return;
            }
            self.push(packet);
        }
    }

    /// The track is over: the muxer need not wait for it, and what still comes goes nowhere.
    pub fn end(&mut self) {
        if !self.ended {
            self.ended = true;
            self.packets = crossbeam_channel::never();
            let _ = self.source.end_of_stream();
        }
    }

    fn push(&mut self, packet: AudioPacket) {
        // What an edit list or --start puts before 0 goes; a hair's breadth is rounding.
        let time = packet.time - self.zero;
        if time < -1_000_000 {
            return;
        }
        let mut buffer = packet.buffer;
        self.comments.clear(&mut buffer);
        self.reached = time + buffer.duration().map_or(0, |d| d.nseconds() as i64);
        let b = buffer.make_mut();
        b.set_pts(ClockTime::from_nseconds(time.max(0) as u64));
        b.set_dts(ClockTime::NONE);
        // Matroska gives no durations, and a muxer drops the last packet without one.
        if b.duration().is_none() {
            b.set_duration(self.packet_duration);
        }
        if self.source.push_buffer(buffer).is_ok() {
            self.count += 1;
        }
    }

    /// True once a packet is known that lies beyond the last one handed over.
    pub fn past(&self) -> bool {
        self.next.is_some()
    }
}

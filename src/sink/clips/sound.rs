//! Sound that waits until it is known whether it belongs to a clip.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, unbounded};

use crate::source::{AudioPacket, AudioTrack};

/// Packets that begin earlier may still be heard in what is kept, in nanoseconds.
const LONGEST: i64 = 1_000_000_000;
/// Sound that is still on its way when the pictures are over comes within so long.
const PATIENCE: Duration = Duration::from_secs(5);

/// All audio tracks.
pub(super) struct Sound {
    lanes: Vec<Lane>,
}

struct Lane {
    track: AudioTrack,
    packets: Receiver<AudioPacket>,
    waiting: VecDeque<AudioPacket>,
}

/// A clip's end of it, track by track.
pub(super) type Taps = Vec<Sender<AudioPacket>>;

impl Sound {
    /// Listens at tap `tap` of each track.
    pub fn new(tracks: &[AudioTrack], tap: usize) -> Self {
        let lane = |track: &AudioTrack| {
            let packets = track.taps.get(tap).cloned()?;
            Some(Lane { track: track.with_tap(None), packets, waiting: VecDeque::new() })
        };
        Sound { lanes: tracks.iter().filter_map(lane).collect() }
    }

    /// How many tracks there are.
    pub fn tracks(&self) -> usize {
        self.lanes.len()
    }

    /// Takes in what has come and hands it to the clips that are open.
    pub fn take_in<'a>(&mut self, open: impl Iterator<Item = &'a Taps> + Clone) {
        for (n, lane) in self.lanes.iter_mut().enumerate() {
            for packet in lane.packets.try_iter() {
                open.clone().filter_map(|t| t.get(n)).for_each(|to| drop(to.send(packet.clone())));
                lane.waiting.push_back(packet);
            }
        }
    }

    /// Takes in what is still to come, to the end of each track.
    pub fn take_rest<'a>(&mut self, open: impl Iterator<Item = &'a Taps> + Clone) {
        let deadline = Instant::now() + PATIENCE;
        for (n, lane) in self.lanes.iter_mut().enumerate() {
            while let Ok(packet) = lane.packets.recv_deadline(deadline) {
                open.clone().filter_map(|t| t.get(n)).for_each(|to| drop(to.send(packet.clone())));
                lane.waiting.push_back(packet);
            }
        }
    }

    /// Forgets what no clip can want that begins at `time` (nanoseconds of the source) or later.
    pub fn forget(&mut self, time: i64) {
        for lane in &mut self.lanes {
            while lane.waiting.front().is_some_and(|p| p.time < time - LONGEST) {
                lane.waiting.pop_front();
            }
        }
    }

    /// Tracks for a new clip, with all that waits in them, and their other end.
    pub fn open(&self) -> (Vec<AudioTrack>, Taps) {
        let open = |lane: &Lane| {
            let (to, from) = unbounded();
            lane.waiting.iter().for_each(|p| drop(to.send(p.clone())));
            (lane.track.with_tap(Some(from)), to)
        };
        self.lanes.iter().map(open).unzip()
    }
}

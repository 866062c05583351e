//! Packets by keyframe: what a copy can be cut into.

use std::collections::VecDeque;

use crate::source::VideoPacket;

/// A keyframe and what follows it in the order of decoding, up to the next one.
#[derive(Clone, Debug, Default)]
pub(super) struct Gop {
    pub packets: Vec<VideoPacket>,
    bytes: usize,
}

impl Gop {
    /// When its keyframe is shown, in nanoseconds of the source.
    pub fn key(&self) -> i64 {
        self.packets.first().map_or(0, |p| p.time)
    }

    /// When its first picture is shown. In an open GOP that is before the keyframe, which is decoded first.
    pub fn first(&self) -> i64 {
        self.packets.iter().map(|p| p.time).min().unwrap_or(0)
    }

    /// True when some packets do not say when they are shown, and others are shown later than they are decoded.
    pub fn is_unclear(&self) -> bool {
        let later = |p: &VideoPacket| !p.guessed && p.lead.is_some_and(|l| l != 0);
        self.packets.iter().any(|p| p.guessed) && self.packets.iter().any(later)
    }

    /// How many of its packets it takes to show all pictures before `end`, and those between them.
    pub fn until(&self, end: i64) -> usize {
        let before = |t: i64| self.packets.iter().rposition(|p| p.time < t).map_or(0, |i| i + 1);
        let mut n = before(end);
        // A picture that others need may be shown after them: what lies between belongs to it.
        while let Some(last) = self.packets[..n].iter().map(|p| p.time).max() {
            match before(last).max(n) {
                same if same == n => break,
                more => n = more,
            }
        }
        n
    }
}

/// GOPs in order, the last one still growing.
#[derive(Debug, Default)]
pub(super) struct Gops {
    list: VecDeque<Gop>,
    bytes: usize,
}

impl Gops {
    /// Takes in a packet; one that no keyframe came before is of no use.
    pub fn add(&mut self, packet: VideoPacket) {
        if packet.key {
            self.list.push_back(Gop::default());
        }
        if let Some(gop) = self.list.back_mut() {
            let size = packet.buffer.size();
            gop.bytes += size;
            self.bytes += size;
            gop.packets.push(packet);
        }
    }

    /// When the keyframe behind the oldest GOP is shown, once it is there.
    pub fn next(&self) -> Option<i64> {
        self.list.get(1).map(Gop::key)
    }

    /// The oldest GOP.
    pub fn front(&self) -> Option<&Gop> {
        self.list.front()
    }

    /// Takes out the oldest GOP.
    pub fn pop(&mut self) -> Option<Gop> {
        let gop = self.list.pop_front()?;
        self.bytes -= gop.bytes;
        Some(gop)
    }

    /// Bytes of all packets.
    pub fn bytes(&self) -> usize {
        self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gop(times: &[i64]) -> Gop {
        gstreamer::init().unwrap();
        let mut gops = Gops::default();
        for (i, time) in times.iter().enumerate() {
            gops.add(VideoPacket {
                buffer: gstreamer::Buffer::new(),
                time: *time,
                lead: None,
                guessed: false,
                key: i == 0,
            });
        }
        gops.pop().unwrap()
    }

    #[test]
    fn a_cut_takes_what_its_last_pictures_need_and_leaves_no_gap() {
        let gop = gop(&[0, 4, 2, 1, 3, 8, 6, 5, 7]);
        for (end, n) in [(0, 0), (1, 1), (2, 5), (3, 5), (5, 5), (6, 9), (9, 9)] {
            assert_eq!(gop.until(end), n, "until {end}");
            let mut shown: Vec<i64> = gop.packets[..n].iter().map(|p| p.time).collect();
            shown.sort_unstable();
            assert!(shown.iter().enumerate().all(|(i, t)| i as i64 == *t), "{shown:?}");
        }
    }

    #[test]
    fn an_open_gop_begins_before_its_keyframe() {
        let open = gop(&[10, 8, 9, 13, 11, 12]);
        assert_eq!((open.key(), open.first()), (10, 8));
        assert_eq!((open.until(8), open.until(9), open.until(11), open.until(12)), (0, 3, 3, 6));
    }

    #[test]
    fn packets_without_a_keyframe_are_let_go() {
        gstreamer::init().unwrap();
        let mut gops = Gops::default();
        let packet = |key| VideoPacket {
            buffer: gstreamer::Buffer::from_slice([0; 7]),
            time: 5,
            lead: None,
            guessed: false,
            key,
        };
        gops.add(packet(false));
        assert_eq!((gops.bytes(), gops.front().is_none()), (0, true));
        gops.add(packet(true));
        gops.add(packet(false));
        assert_eq!((gops.bytes(), gops.next()), (14, None));
        gops.add(packet(true));
        assert_eq!((gops.pop().map(|g| g.packets.len()), gops.bytes()), (Some(2), 7));
    }
}

//! Frames that wait for a carrier: control before gossip before bulk.

use bytes::Bytes;
use peerwright_engine::Class;
use std::collections::VecDeque;

/// The most frames of one class.
pub(super) const MOST_FRAMES: usize = 2_048;
/// After so many urgent frames one of bulk goes, so that catching up never stands still.
const URGENT_IN_A_ROW: u32 = 16;

#[derive(Debug, Default)]
pub(super) struct Lanes {
    /// Control, gossip, bulk.
    lanes: [VecDeque<Bytes>; 3],
    bytes: usize,
    urgent: u32,
}

impl Lanes {
    /// Adds a frame behind those of its class; `false` when there are too many.
    pub(super) fn push(&mut self, class: Class, frame: Bytes) -> bool {
        let bytes = self.bytes.saturating_add(frame.len());
        let [control, gossip, bulk] = &mut self.lanes;
        let lane = match class {
            Class::Control => control,
            Class::Gossip => gossip,
            Class::Bulk => bulk,
        };
        if lane.len() >= MOST_FRAMES {
            return false;
        }
        lane.push_back(frame);
        self.bytes = bytes;
        true
    }

    /// How long the frame is that comes next.
    pub(super) fn next_bytes(&self) -> Option<usize> {
        let [control, gossip, bulk] = &self.lanes;
        let urgent = control.front().or_else(|| gossip.front());
        let next =
            if self.urgent >= URGENT_IN_A_ROW { bulk.front().or(urgent) } else { urgent.or_else(|| bulk.front()) };
        next.map(Bytes::len)
    }

    /// The frame that comes next.
    pub(super) fn pop(&mut self) -> Option<Bytes> {
        let [control, gossip, bulk] = &mut self.lanes;
        let payload = if self.urgent >= URGENT_IN_A_ROW && !bulk.is_empty() {
            self.urgent = 0;
            bulk.pop_front()
        } else if let Some(payload) = control.pop_front().or_else(|| gossip.pop_front()) {
            self.urgent = self.urgent.saturating_add(1);
            Some(payload)
        } else {
            self.urgent = 0;
            bulk.pop_front()
        };
        self.bytes = self.bytes.saturating_sub(payload.as_ref().map_or(0, Bytes::len));
        payload
    }

    pub(super) fn is_empty(&self) -> bool {
        self.lanes.iter().all(VecDeque::is_empty)
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }
}

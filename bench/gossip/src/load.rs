//! Messages at a rate, whatever becomes of them: a message is due when its time has come, not when the network is ready.

use crate::{
    network::Network,
    recorder::{NUMBER_BYTES, Recorder},
};
use std::{
    thread,
    time::{Duration, Instant},
};

/// How many messages, and how fast.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Load {
    /// The first.
    pub(crate) first: u64,
    /// How many.
    pub(crate) count: u64,
    /// Messages a second.
    pub(crate) rate: f64,
    /// How many of them a node publishes at once.
    pub(crate) burst: u64,
    /// Nodes, which have turns.
    pub(crate) nodes: usize,
    /// Bytes of a payload.
    pub(crate) payload_bytes: usize,
}

impl Load {
    /// Publishes all; runs on a thread of its own, so that the network's load does not slow it.
    pub(crate) fn run(self, network: &dyn Network, recorder: &Recorder) {
        let began = Instant::now();
        for index in 0..self.count {
            let turn = index / self.burst;
            let due = began + Duration::from_secs_f64((turn * self.burst) as f64 / self.rate);
            if let Some(early) = due.checked_duration_since(Instant::now()) {
                thread::sleep(early);
            }
            let number = self.first + index;
            recorder.sends(number, due);
            let origin = usize::try_from(turn).unwrap_or(0) % self.nodes;
            network.publish(origin, payload(number, self.payload_bytes));
        }
    }
}

/// The number, then bytes that no compression makes shorter.
fn payload(number: u64, bytes: usize) -> Vec<u8> {
    let mut payload = number.to_be_bytes().to_vec();
    let mut state = number.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    while payload.len() < bytes {
        // xorshift64 (Marsaglia 2003)
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        payload.extend_from_slice(&state.to_be_bytes());
    }
    payload.truncate(bytes.max(NUMBER_BYTES));
    payload
}

#[cfg(test)]
mod tests {
    use super::payload;

    #[test]
    fn a_payload_begins_with_its_number_and_has_its_length() {
        for bytes in [16, 100, 256] {
            let payload = payload(77, bytes);
            assert_eq!((payload.len(), &payload[..8]), (bytes, 77u64.to_be_bytes().as_slice()));
        }
        assert_ne!(payload(1, 64)[8..], payload(2, 64)[8..]);
    }
}

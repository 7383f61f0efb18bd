//! Messages at a rate, whatever becomes of them: a message is due when its time has come, not when the network is ready.

use crate::{network::Network, recorder::Recorder};
use peerwright_bench_load::payload;
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

//! Who got which message when.

use peerwright_bench_load::NUMBER_BYTES;
use std::{
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

/// Takes note of every message at every node.
pub(crate) struct Recorder {
    began: Instant,
    /// Messages before this one warm the network up.
    measured_from: u64,
    /// When each message was due, microseconds since `began`.
    due: Vec<AtomicU64>,
    nodes: Vec<Mutex<Node>>,
    warming: AtomicU64,
    deliveries: AtomicU64,
    doubles: AtomicU64,
    refused: AtomicU64,
}

/// What one node got.
struct Node {
    /// A bit for each message.
    got: Vec<u64>,
    latencies: Vec<Duration>,
}

impl Recorder {
    /// Of so many nodes and messages, those from `measured_from` on measured.
    pub(crate) fn new(nodes: usize, messages: u64, measured_from: u64) -> Self {
        let length = usize::try_from(messages).unwrap_or(usize::MAX);
        let node = || Mutex::new(Node { got: vec![0; length / 64 + 1], latencies: Vec::new() });
        Self {
            began: Instant::now(),
            measured_from,
            due: std::iter::repeat_with(AtomicU64::default).take(length).collect(),
            nodes: std::iter::repeat_with(node).take(nodes).collect(),
            warming: AtomicU64::new(0),
            deliveries: AtomicU64::new(0),
            doubles: AtomicU64::new(0),
            refused: AtomicU64::new(0),
        }
    }

    /// A message is about to be published: what it takes from here is its latency.
    pub(crate) fn sends(&self, number: u64, due: Instant) {
        let since = u64::try_from(due.saturating_duration_since(self.began).as_micros()).unwrap_or(u64::MAX);
        if let Some(slot) = usize::try_from(number).ok().and_then(|number| self.due.get(number)) {
            slot.store(since, Ordering::Release);
        }
    }

    /// A node has a message: what it got from itself does not count.
    pub(crate) fn got(&self, node: usize, origin: usize, payload: &[u8]) {
        let Some(number) = payload.first_chunk::<NUMBER_BYTES>().map(|bytes| u64::from_be_bytes(*bytes)) else {
            return;
        };
        if node == origin {
            return;
        }
        let Ok(index) = usize::try_from(number) else { return };
        let (Some(due), Some(of)) = (self.due.get(index), self.nodes.get(node)) else { return };
        let due = self.began + Duration::from_micros(due.load(Ordering::Acquire));
        let latency = due.elapsed();
        let mut of = of.lock().unwrap_or_else(PoisonError::into_inner);
        let (Some(word), bit) = (of.got.get_mut(index / 64), 1 << (index % 64)) else { return };
        if *word & bit != 0 {
            self.doubles.fetch_add(1, Ordering::Relaxed);
            return;
        }
        *word |= bit;
        if number < self.measured_from {
            self.warming.fetch_add(1, Ordering::Relaxed);
        } else {
            of.latencies.push(latency);
            self.deliveries.fetch_add(1, Ordering::Release);
        }
    }

    /// Whether everything that warms the network up has arrived.
    pub(crate) fn is_warm(&self) -> bool {
        self.warming.load(Ordering::Relaxed) >= self.measured_from * (self.nodes.len() as u64).saturating_sub(1)
    }

    /// A node did not take what it was to publish.
    pub(crate) fn refused(&self) {
        self.refused.fetch_add(1, Ordering::Relaxed);
    }

    /// Measured messages that arrived, at all nodes together.
    pub(crate) fn deliveries(&self) -> u64 {
        self.deliveries.load(Ordering::Acquire)
    }

    /// Messages that a node was given twice.
    pub(crate) fn doubles(&self) -> u64 {
        self.doubles.load(Ordering::Relaxed)
    }

    /// Messages that were not taken.
    pub(crate) fn refusals(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }

    /// All latencies, shortest first.
    pub(crate) fn latencies(&self) -> Vec<Duration> {
        let mut all = Vec::new();
        for node in &self.nodes {
            all.extend_from_slice(&node.lock().unwrap_or_else(PoisonError::into_inner).latencies);
        }
        all.sort_unstable();
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn payload(number: u64) -> Vec<u8> {
        number.to_be_bytes().to_vec()
    }

    #[test]
    fn a_message_counts_once_at_each_node_but_its_origin() {
        let recorder = Recorder::new(3, 4, 1);
        for number in 0..4 {
            recorder.sends(number, Instant::now());
            for node in [0, 1, 2, 2] {
                recorder.got(node, 0, &payload(number));
            }
        }
        assert_eq!((recorder.deliveries(), recorder.doubles(), recorder.latencies().len()), (6, 4, 6));
        assert!(recorder.is_warm());
    }
}

//! What is counted while the simulation runs.

use peerwright_engine::Statistics;
use std::time::Duration;

/// Kinds of frames that are told apart.
pub(crate) const KINDS: usize = 64;
/// Latencies are counted in steps of this; the last step holds all that are longer.
const STEP_MICROS: u64 = 1_000;
const STEPS: usize = 20_000;

/// Counted by each shard, added up at the end.
#[derive(Debug, Clone)]
pub(crate) struct Figures {
    /// Events taken from the queue.
    pub events: u64,
    /// Inputs given to engines.
    pub inputs: u64,
    /// Transactions handed in, accepted, refused.
    pub submitted: u64,
    pub accepted: u64,
    pub refused: u64,
    /// Messages that a node stored for the first time, its own left out.
    pub deliveries: u64,
    pub latencies: Latencies,
    /// Frames and their bytes by kind.
    pub frames: [u64; KINDS],
    pub bytes: [u64; KINDS],
    /// Packets that were lost, and so frames that came late.
    pub lost_packets: u64,
    /// What engines counted before their processes ended.
    pub ended: Vec<Statistics>,
    /// Bans that no policy had ordered, and those of them that were of honest nodes.
    pub automatic_bans: u64,
    pub honest_bans: u64,
    /// Links closed because of what the peer said.
    pub accusations: u64,
    pub unsupported_frames: u64,
    pub hostile: u64,
    /// Dials to places where no node is.
    pub astray: u64,
    /// Times that a node noticed two processes with one key.
    pub doubles_noticed: u64,
    /// Verdicts of single nodes: unreachable on the absent and on others, dead.
    pub verdicts: [u64; 3],
}

impl Default for Figures {
    fn default() -> Self {
        Self {
            events: 0,
            inputs: 0,
            submitted: 0,
            accepted: 0,
            refused: 0,
            deliveries: 0,
            latencies: Latencies::default(),
            frames: [0; KINDS],
            bytes: [0; KINDS],
            lost_packets: 0,
            ended: Vec::new(),
            automatic_bans: 0,
            honest_bans: 0,
            accusations: 0,
            unsupported_frames: 0,
            hostile: 0,
            astray: 0,
            doubles_noticed: 0,
            verdicts: [0; 3],
        }
    }
}

impl Figures {
    pub(crate) fn sent(&mut self, bytes: &[u8]) {
        let kind = usize::from(bytes.get(1).copied().unwrap_or(0)).min(KINDS - 1);
        self.frames[kind] += 1;
        self.bytes[kind] += bytes.len() as u64;
    }

    pub(crate) fn add(&mut self, other: &Self) {
        self.events += other.events;
        self.inputs += other.inputs;
        self.submitted += other.submitted;
        self.accepted += other.accepted;
        self.refused += other.refused;
        self.deliveries += other.deliveries;
        self.latencies.add(&other.latencies);
        for (sum, more) in self.frames.iter_mut().zip(other.frames) {
            *sum += more;
        }
        for (sum, more) in self.bytes.iter_mut().zip(other.bytes) {
            *sum += more;
        }
        self.lost_packets += other.lost_packets;
        self.ended.extend_from_slice(&other.ended);
        self.automatic_bans += other.automatic_bans;
        self.honest_bans += other.honest_bans;
        self.accusations += other.accusations;
        self.unsupported_frames += other.unsupported_frames;
        self.hostile += other.hostile;
        self.astray += other.astray;
        self.doubles_noticed += other.doubles_noticed;
        for (sum, more) in self.verdicts.iter_mut().zip(other.verdicts) {
            *sum += more;
        }
    }
}

/// How often each latency was seen.
#[derive(Debug, Clone)]
pub(crate) struct Latencies {
    steps: Vec<u64>,
    count: u64,
    longest: Duration,
}

impl Default for Latencies {
    fn default() -> Self {
        Self { steps: vec![0; STEPS], count: 0, longest: Duration::ZERO }
    }
}

impl Latencies {
    pub(crate) fn note(&mut self, latency: Duration) {
        let step = usize::try_from(crate::random::micros(latency) / STEP_MICROS).unwrap_or(STEPS);
        self.steps[step.min(STEPS - 1)] += 1;
        self.count += 1;
        self.longest = self.longest.max(latency);
    }

    pub(crate) fn add(&mut self, other: &Self) {
        for (sum, more) in self.steps.iter_mut().zip(&other.steps) {
            *sum += more;
        }
        self.count += other.count;
        self.longest = self.longest.max(other.longest);
    }

    /// The shortest latency that so many of a thousand do not exceed, to the millisecond.
    pub(crate) fn per_mille(&self, share: u64) -> Duration {
        let wanted = (self.count * share).div_ceil(1_000).max(1);
        let mut seen = 0;
        for (step, count) in self.steps.iter().enumerate() {
            seen += count;
            if seen >= wanted && step + 1 < STEPS {
                return Duration::from_micros((step as u64 + 1) * STEP_MICROS).min(self.longest);
            }
        }
        self.longest
    }

    pub(crate) fn longest(&self) -> Duration {
        self.longest
    }

    pub(crate) fn count(&self) -> u64 {
        self.count
    }
}

#[cfg(test)]
mod tests {
    use super::Latencies;
    use std::time::Duration;

    #[test]
    fn percentiles_are_exact_to_the_millisecond() {
        let mut latencies = Latencies::default();
        for millisecond in 1..=1_000 {
            latencies.note(Duration::from_micros(millisecond * 1_000 - 500));
        }
        assert_eq!(latencies.per_mille(500), Duration::from_millis(500));
        assert_eq!(latencies.per_mille(990), Duration::from_millis(990));
        assert_eq!(latencies.longest(), Duration::from_micros(999_500));
        latencies.note(Duration::from_secs(100));
        assert_eq!(latencies.per_mille(1_000), Duration::from_secs(100));
    }
}

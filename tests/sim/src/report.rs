//! What a run has shown.

use crate::{figures::Figures, options::Options};
use peerwright_engine::Statistics;
use std::{fmt, time::Duration};

/// The figures of a run whose invariants held.
#[derive(Debug, Clone)]
pub struct Report {
    /// What was simulated.
    pub options: Options,
    /// Counted in the safety phase.
    pub(crate) figures: Figures,
    /// Events of the liveness phase.
    pub(crate) events: u64,
    pub(crate) before: Vec<Statistics>,
    pub(crate) after: Vec<Statistics>,
    /// How long after the safety phase all held the same.
    pub agreed_after: Duration,
    /// Simulated time in all.
    pub simulated: Duration,
    /// Time that passed for people.
    pub wall: Duration,
    /// The fingerprint of everything that happened.
    pub trace: u64,
}

/// Kinds of frames that carry a whole message by gossip.
const MESSAGE_KINDS: [usize; 1] = [7];
/// Kinds of frames of membership and the failure detector.
const MEMBERSHIP_KINDS: std::ops::Range<usize> = 24..40;
/// Kinds of frames that carry bodies or catch up.
const BULK_KINDS: [usize; 4] = [9, 12, 13, 10];

impl Report {
    /// Copies of messages beyond the first, for each delivery of the safety phase.
    #[must_use]
    pub fn redundant_copies(&self) -> f64 {
        let copies: u64 = self.sum(|statistics| statistics.gossip.duplicates);
        ratio(copies, self.figures.deliveries)
    }

    /// Deliveries of the safety phase.
    #[must_use]
    pub fn deliveries(&self) -> u64 {
        self.figures.deliveries
    }

    /// Transactions acknowledged in the safety phase.
    #[must_use]
    pub fn accepted(&self) -> u64 {
        self.figures.accepted
    }

    /// Bans that nobody had ordered.
    #[must_use]
    pub fn automatic_bans(&self) -> u64 {
        self.figures.automatic_bans
    }

    /// The latency that so many of a thousand deliveries do not exceed.
    #[must_use]
    pub fn latency(&self, per_mille: u64) -> Duration {
        self.figures.latencies.per_mille(per_mille)
    }

    /// Bytes of membership frames for each node and second.
    #[must_use]
    pub fn membership_rate(&self) -> f64 {
        let bytes: u64 = self.figures.bytes[MEMBERSHIP_KINDS].iter().sum();
        ratio(bytes, u64::from(self.options.nodes)) / self.options.safety.as_secs_f64()
    }

    /// Bytes of control frames for each delivery.
    #[must_use]
    pub fn control_bytes(&self) -> f64 {
        let is_control = |kind: &usize| !MESSAGE_KINDS.contains(kind) && !BULK_KINDS.contains(kind);
        let bytes = self.figures.bytes.iter().enumerate().filter(|(kind, _)| is_control(kind)).map(|(_, bytes)| bytes);
        ratio(bytes.sum(), self.figures.deliveries)
    }

    fn sum(&self, of: impl Fn(&Statistics) -> u64) -> u64 {
        let sum = |list: &[Statistics]| list.iter().map(&of).sum::<u64>();
        sum(&self.after).saturating_sub(sum(&self.before))
    }
}

#[expect(clippy::cast_precision_loss, reason = "a figure for people")]
fn ratio(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

impl fmt::Display for Report {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let events = self.figures.events + self.events;
        let wall = self.wall.as_secs_f64();
        writeln!(formatter, "{}", self.options)?;
        writeln!(
            formatter,
            "simulated {:.1} s in {wall:.1} s: {events} events, {:.0} a second; peak memory {} MiB",
            self.simulated.as_secs_f64(),
            ratio(events, 1) / wall,
            peak_memory_mib()
        )?;
        writeln!(
            formatter,
            "transactions: {} submitted, {} accepted, {} refused; all level {:.0} s after the safety phase",
            self.figures.submitted,
            self.figures.accepted,
            self.figures.refused,
            self.agreed_after.as_secs_f64()
        )?;
        let percentile = |share| self.latency(share).as_secs_f64() * 1_000.0;
        writeln!(
            formatter,
            "deliveries: {}; latency p50 {:.0} ms, p99 {:.0} ms, p99.9 {:.0} ms, longest {:.0} ms",
            self.figures.latencies.count(),
            percentile(500),
            percentile(990),
            percentile(999),
            self.figures.latencies.longest().as_secs_f64() * 1_000.0
        )?;
        writeln!(
            formatter,
            "for each delivery: {:.3} redundant copies, {:.1} control bytes; membership {:.0} bytes a second and node",
            self.redundant_copies(),
            self.control_bytes(),
            self.membership_rate()
        )?;
        for (kind, frames) in self.figures.frames.iter().enumerate().filter(|(_, frames)| **frames > 0) {
            let bytes = self.figures.bytes[kind];
            writeln!(formatter, "  frame kind {kind:>2}: {frames:>10} frames, {bytes:>12} bytes")?;
        }
        writeln!(
            formatter,
            "{} packets lost; {} automatic bans",
            self.figures.lost_packets, self.figures.automatic_bans
        )?;
        write!(formatter, "trace {:016x}; again: {}", self.trace, self.options.replay())
    }
}

/// The most memory that this process ever had, as Linux tells; 0 elsewhere.
fn peak_memory_mib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.split_whitespace().next())
        .and_then(|kilobytes| kilobytes.parse::<u64>().ok())
        .unwrap_or(0)
        / 1_024
}

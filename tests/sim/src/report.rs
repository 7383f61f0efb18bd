//! What a run has shown.

use crate::{figures::Figures, options::Options, scenarios::Finding};
use peerwright_engine::Statistics;
use std::{fmt, time::Duration};

/// Kinds of frames that carry a message by gossip.
const MESSAGE_KINDS: [usize; 2] = [7, 19];
/// Kinds of frames of membership and the failure detector.
const MEMBERSHIP_KINDS: std::ops::Range<usize> = 24..40;
/// The kind of keepalives.
const KEEPALIVE_KIND: usize = 1;
/// Kinds of frames that carry bodies or catch up.
const BULK_KINDS: [usize; 4] = [9, 10, 12, 13];

/// What was counted over a time.
#[derive(Debug, Clone)]
pub struct Measured {
    pub(crate) nodes: u32,
    pub(crate) time: Duration,
    /// Time that passed for people.
    pub(crate) wall: Duration,
    pub(crate) figures: Figures,
    pub(crate) before: Vec<Statistics>,
    pub(crate) after: Vec<Statistics>,
}

/// A run whose invariants held.
#[derive(Debug, Clone)]
pub struct Report {
    /// What was simulated.
    pub options: Options,
    /// What the scenario was after.
    pub findings: Vec<Finding>,
    /// Counted in the safety phase.
    pub measured: Measured,
    /// Events of the whole run.
    pub events: u64,
    /// How long after the safety phase all held the same.
    pub agreed_after: Duration,
    /// Simulated time in all.
    pub simulated: Duration,
    /// Time that passed for people.
    pub wall: Duration,
    /// The fingerprint of everything that happened.
    pub trace: u64,
}

impl Measured {
    /// Copies of messages beyond the first, for each delivery.
    #[must_use]
    pub fn redundant_copies(&self) -> f64 {
        ratio(self.sum(|statistics| statistics.gossip.duplicates), self.figures.deliveries)
    }

    /// Events for each second that passed for people.
    #[must_use]
    pub fn event_rate(&self) -> f64 {
        ratio(self.figures.events, 1) / self.wall.as_secs_f64().max(1e-9)
    }

    /// Messages that a node stored for the first time, its own left out.
    #[must_use]
    pub fn deliveries(&self) -> u64 {
        self.figures.deliveries
    }

    /// Transactions acknowledged.
    #[must_use]
    pub fn accepted(&self) -> u64 {
        self.figures.accepted
    }

    /// Bans that nobody had ordered.
    #[must_use]
    pub fn automatic_bans(&self) -> u64 {
        self.figures.automatic_bans
    }

    /// Links closed because of what the peer said.
    #[must_use]
    pub fn accusations(&self) -> u64 {
        self.figures.accusations
    }

    /// Frames of kinds that their receivers do not know.
    #[must_use]
    pub fn unsupported_frames(&self) -> u64 {
        self.figures.unsupported_frames
    }

    /// Verdicts of single nodes: unreachable on nodes that stood still or were cut off, on others, and dead.
    #[must_use]
    pub fn verdicts(&self) -> [u64; 3] {
        self.figures.verdicts
    }

    /// Messages that hostile hosts have sent beside those of their engines.
    #[must_use]
    pub fn hostile(&self) -> u64 {
        self.figures.hostile
    }

    /// Times that a node noticed two processes with one key.
    #[must_use]
    pub fn doubles_noticed(&self) -> u64 {
        self.figures.doubles_noticed
    }

    /// Bans of honest nodes that nobody had ordered.
    #[must_use]
    pub fn honest_bans(&self) -> u64 {
        self.figures.honest_bans
    }

    /// Dials to places where no node is.
    pub(crate) fn astray(&self) -> f64 {
        u32::try_from(self.figures.astray).map_or(f64::INFINITY, f64::from)
    }

    /// The latency that so many of a thousand deliveries do not exceed.
    #[must_use]
    pub fn latency(&self, per_mille: u64) -> Duration {
        self.figures.latencies.per_mille(per_mille)
    }

    /// The longest latency of a delivery.
    #[must_use]
    pub fn longest_latency(&self) -> Duration {
        self.figures.latencies.longest()
    }

    /// Bytes of membership frames for each node and second.
    #[must_use]
    pub fn membership_rate(&self) -> f64 {
        let bytes: u64 = self.figures.bytes[MEMBERSHIP_KINDS].iter().sum();
        ratio(bytes, u64::from(self.nodes)) / self.time.as_secs_f64()
    }

    /// Bytes of keepalives for each node and second.
    #[must_use]
    pub fn keepalive_rate(&self) -> f64 {
        ratio(self.figures.bytes[KEEPALIVE_KIND], u64::from(self.nodes)) / self.time.as_secs_f64()
    }

    /// Bytes of all frames for each node and second.
    #[must_use]
    pub fn frame_rate(&self) -> f64 {
        ratio(self.figures.bytes.iter().sum(), u64::from(self.nodes)) / self.time.as_secs_f64()
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

impl Report {
    /// Whether every goal is reached.
    #[must_use]
    pub fn all_met(&self) -> bool {
        self.findings.iter().all(Finding::is_met)
    }
}

#[expect(clippy::cast_precision_loss, reason = "a figure for people")]
fn ratio(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

impl fmt::Display for Measured {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let figures = &self.figures;
        writeln!(
            formatter,
            "in {:.0} s: transactions: {} submitted, {} accepted, {} refused",
            self.time.as_secs_f64(),
            figures.submitted,
            figures.accepted,
            figures.refused
        )?;
        let percentile = |share| self.latency(share).as_secs_f64() * 1_000.0;
        writeln!(
            formatter,
            "deliveries: {}; latency p50 {:.0} ms, p99 {:.0} ms, p99.9 {:.0} ms, longest {:.0} ms",
            figures.latencies.count(),
            percentile(500),
            percentile(990),
            percentile(999),
            self.longest_latency().as_secs_f64() * 1_000.0
        )?;
        writeln!(
            formatter,
            "for each delivery: {:.3} redundant copies, {:.1} control bytes; membership {:.0} bytes a second and node",
            self.redundant_copies(),
            self.control_bytes(),
            self.membership_rate()
        )?;
        for (kind, frames) in figures.frames.iter().enumerate().filter(|(_, frames)| **frames > 0) {
            writeln!(formatter, "  frame kind {kind:>2}: {frames:>10} frames, {:>12} bytes", figures.bytes[kind])?;
        }
        write!(
            formatter,
            "{} packets lost, {} automatic bans, {} links closed for what was said",
            figures.lost_packets, figures.automatic_bans, figures.accusations
        )
    }
}

impl fmt::Display for Report {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (wall, busy) = (self.wall.as_secs_f64(), processor_seconds());
        writeln!(formatter, "{}", self.options)?;
        writeln!(formatter, "{}", self.measured)?;
        writeln!(formatter, "all level {:.0} s after the safety phase", self.agreed_after.as_secs_f64())?;
        writeln!(
            formatter,
            "simulated {:.1} s in {wall:.1} s ({busy:.1} s of processors): {} events, {:.0} a second; peak memory {:.0} MiB",
            self.simulated.as_secs_f64(),
            self.events,
            ratio(self.events, 1) / wall,
            peak_memory_kib() / 1_024.0
        )?;
        for finding in &self.findings {
            writeln!(formatter, "{finding}")?;
        }
        write!(formatter, "trace {:016x}; again: {}", self.trace, self.options.replay())
    }
}

/// The most memory that this process ever had, as Linux tells; 0 elsewhere.
pub(crate) fn peak_memory_kib() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kilobytes = line.and_then(|line| line.split_whitespace().next()).and_then(|text| text.parse().ok());
    kilobytes.unwrap_or(0.0)
}

/// Time of processors that this process has used, as Linux tells in hundredths; 0 elsewhere.
fn processor_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let behind_name = stat.rsplit(')').next().unwrap_or_default();
    let ticks: u64 = behind_name.split_whitespace().skip(11).take(2).filter_map(|text| text.parse::<u64>().ok()).sum();
    ratio(ticks, 100)
}

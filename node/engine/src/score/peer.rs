//! What is remembered of one peer, and what it is worth.

use super::{
    INITIAL, Outcome, ScoreSettings, debt::Debt, decay::decayed, latency::Latencies, share::Share,
    throughput::Throughput, useful::Useful, window::Window,
};
use crate::{Micros, Rating, ScoreView};
use peerwright_secure::PeerId;

/// What an offence costs of the behaviour.
const INVALID_COST: Share = Share::percent(10);
const MALFORMED_COST: Share = Share::percent(10);
const LIMIT_COST: Share = Share::percent(5);

/// Whether the peer is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Presence {
    /// It has a link.
    Linked,
    /// It has none, and need not.
    #[default]
    Away,
    /// Its link broke, and it has not come back.
    Lost,
}

/// One peer.
#[derive(Debug, Clone, Default)]
pub(super) struct PeerScore {
    presence: Presence,
    last_seen: Micros,
    uptime: Window,
    connecting: Window,
    answering: Window,
    valid: Window,
    compliant: Window,
    latencies: Latencies,
    throughput: Throughput,
    useful: Useful,
    debt: Debt,
    successes: u32,
    failures: u32,
    delivered_bytes: u64,
    /// The score that was last told.
    told: u8,
}

impl PeerScore {
    pub(super) fn new(now: Micros) -> Self {
        Self { last_seen: now, told: INITIAL, ..Self::default() }
    }

    pub(super) fn is_linked(&self) -> bool {
        self.presence == Presence::Linked
    }

    pub(super) fn last_seen(&self) -> Micros {
        self.last_seen
    }

    /// Takes in an outcome.
    pub(super) fn note(&mut self, now: Micros, outcome: Outcome, settings: &ScoreSettings) {
        let is_failure = match outcome {
            Outcome::Connected => {
                self.presence = Presence::Linked;
                self.connecting.push(true);
                false
            }
            Outcome::Parted => {
                self.presence = Presence::Away;
                false
            }
            Outcome::RoundTrip(round_trip) => {
                self.latencies.push(round_trip);
                false
            }
            Outcome::FirstDelivery { bytes } => {
                self.valid.push(true);
                self.compliant.push(true);
                self.useful.push(now, settings.expected_deliveries);
                self.delivered_bytes = self.delivered_bytes.saturating_add(bytes as u64);
                false
            }
            Outcome::Duplicate => false,
            Outcome::Answered { bytes, took } => {
                self.answering.push(true);
                self.compliant.push(true);
                self.throughput.push(bytes, took);
                false
            }
            Outcome::ConnectFailed => {
                self.connecting.push(false);
                true
            }
            Outcome::LinkLost | Outcome::Silent => {
                self.presence = Presence::Lost;
                self.uptime.push(false);
                true
            }
            Outcome::Unanswered => {
                self.answering.push(false);
                true
            }
            Outcome::InvalidMessage => {
                self.valid.push(false);
                self.debt.add(now, INVALID_COST);
                true
            }
            Outcome::Malformed => self.offend(now, MALFORMED_COST),
            Outcome::LimitExceeded => self.offend(now, LIMIT_COST),
            Outcome::ProtocolViolation | Outcome::MaliciousContent => self.offend(now, Share::WHOLE),
        };
        if is_failure {
            self.failures = self.failures.saturating_add(1);
        } else {
            self.successes = self.successes.saturating_add(1);
        }
        // What was not heard from the peer proves nothing of its being there.
        if !matches!(outcome, Outcome::ConnectFailed | Outcome::Unanswered | Outcome::Silent | Outcome::LinkLost) {
            self.last_seen = now;
        }
    }

    fn offend(&mut self, now: Micros, cost: Share) -> bool {
        self.compliant.push(false);
        self.debt.add(now, cost);
        true
    }

    /// Some time has passed: a linked peer was up, one whose link broke was not.
    pub(super) fn pass(&mut self, now: Micros) {
        match self.presence {
            Presence::Linked => {
                self.uptime.push(true);
                self.last_seen = now;
            }
            Presence::Lost => self.uptime.push(false),
            Presence::Away => {}
        }
    }

    /// Says the score when it has moved by more than a point since it was last said.
    pub(super) fn tell(&mut self, now: Micros, settings: &ScoreSettings) -> Option<u8> {
        let score = self.total(now, settings).points();
        if score.abs_diff(self.told) <= 1 {
            return None;
        }
        self.told = score;
        Some(score)
    }

    pub(super) fn score(&self, now: Micros, settings: &ScoreSettings) -> u8 {
        self.total(now, settings).points()
    }

    fn total(&self, now: Micros, settings: &ScoreSettings) -> Share {
        let sum = Share::mean(&[
            (self.reliability(), settings.reliability_weight),
            (self.performance(settings), settings.performance_weight),
            (self.behaviour(now, settings), settings.behaviour_weight),
        ]);
        if self.is_linked() { sum } else { decayed(sum, now.since(self.last_seen), settings.decay_per_day) }
    }

    fn reliability(&self) -> Share {
        Share::mean(&[(self.uptime.share(), 40), (self.connecting.share(), 30), (self.answering.share(), 30)])
    }

    fn performance(&self, settings: &ScoreSettings) -> Share {
        Share::mean(&[(self.latencies.share(), 40), (self.throughput.share(settings.full_throughput), 30)])
    }

    fn behaviour(&self, now: Micros, settings: &ScoreSettings) -> Share {
        let useful = self.useful.share(now, settings.expected_deliveries);
        let earned = Share::mean(&[(self.valid.share(), 40), (useful, 30), (self.compliant.share(), 30)]);
        earned.min(self.debt.ceiling(now))
    }

    pub(super) fn view(&self, peer: PeerId, now: Micros, settings: &ScoreSettings) -> ScoreView {
        let score = self.score(now, settings);
        let latencies = self.latencies.spread();
        ScoreView {
            peer,
            score,
            rating: Rating::of(score),
            reliability: self.reliability().points(),
            performance: self.performance(settings).points(),
            behaviour: self.behaviour(now, settings).points(),
            shortest_round_trip: latencies.map(|spread| spread.shortest),
            mean_round_trip: latencies.map(|spread| spread.mean),
            longest_round_trip: latencies.map(|spread| spread.longest),
            answered_percent: self.answering.raw().map(Share::points),
            successes: self.successes,
            failures: self.failures,
            delivered_bytes: self.delivered_bytes,
            last_seen: self.last_seen,
        }
    }

    /// Forgets the failures that were counted; the samples stay.
    pub(super) fn reset_failures(&mut self) {
        self.failures = 0;
    }
}

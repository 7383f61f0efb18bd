//! What the network has set, brought to the parts of this node that go by it.
//!
//! ```text
//! snapshot: number, value ──▶ in the range of the table? ──▶ its place ──▶ do the part's settings go together?
//!                               │ no                                        │ no
//!                               ▼                                           ▼
//!                             this node's own value holds                 the part's own settings hold, all of them
//! ```
//!
//! What a snapshot does not say holds as this node's options and defaults have it. So every node with one snapshot and
//! one set of options goes by the same settings, whatever snapshots it had before.

use crate::{
    limits::LimitSettings,
    link::LinkSettings,
    registers::{HubSettings, OutboxSettings, ReplicationSettings},
};
use peerwright_engine::{
    AddressSettings, ConnectionSettings, DetectionSettings, GossipSettings, MembershipSettings, MisbehaviourSettings,
    OverlaySettings, PolicyLimits, ScoreSettings, Tuning,
};
use peerwright_sealing::SealingSettings;
use peerwright_snapshot::{SettingId, Settings};
use std::{fmt, time::Duration};
use thiserror::Error;

/// Time for the end of a dial to reach the engine.
const DIAL_SLACK: Duration = Duration::from_secs(5);

/// All settings of a node that its network may make.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NodeSettings {
    /// Limits of the network.
    pub(crate) limits: PolicyLimits,
    /// Of the engine's parts.
    pub(crate) engine: Tuning,
    /// How much one identity may ask for in a minute.
    pub(crate) rates: LimitSettings,
    /// How links behave.
    pub(crate) links: LinkSettings,
    /// What the sealing group goes by.
    pub(crate) sealing: SealingSettings,
    /// How registers are followed.
    pub(crate) replication: ReplicationSettings,
    /// What is accepted ahead of the sealers.
    pub(crate) outbox: OutboxSettings,
    /// How the node goes from hub to hub.
    pub(crate) hub: HubSettings,
}

/// A setting of the snapshot that this node does not go by.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub(crate) enum SettingNotTaken {
    /// Too small or too large.
    #[error("{path} is {value}: accepted is {lowest} to {highest}")]
    OutOfRange {
        /// Where it stands in the network's spec.
        path: &'static str,
        /// What the snapshot says.
        value: u64,
        /// The least that is accepted.
        lowest: u64,
        /// The most that is accepted.
        highest: u64,
    },
    /// Settings of a part that do not go together.
    #[error("{0}; none of this part's settings is taken")]
    Contradiction(String),
}

impl NodeSettings {
    /// These settings with what a snapshot says, and what of it is not taken.
    #[must_use]
    pub(crate) fn with(&self, said: &Settings) -> (Self, Vec<SettingNotTaken>) {
        let (mut taken, mut refused) = (self.clone(), Vec::new());
        for (id, value) in said.known() {
            let setting = id.setting();
            if setting.accepted.contains(&value) {
                taken.place(id).put(value);
            } else {
                let (lowest, highest) = setting.accepted.into_inner();
                refused.push(SettingNotTaken::OutOfRange { path: setting.path, value, lowest, highest });
            }
        }
        let (new, own) = (&mut taken.engine, &self.engine);
        refused.extend(
            [
                settle(&mut new.gossip, &own.gossip, GossipSettings::check),
                settle(&mut new.detection, &own.detection, DetectionSettings::check),
                settle(&mut new.membership, &own.membership, MembershipSettings::check),
                settle(&mut new.score, &own.score, ScoreSettings::check),
                settle(&mut new.overlay, &own.overlay, OverlaySettings::check),
                settle(&mut new.connections, &own.connections, ConnectionSettings::check),
                settle(&mut new.addresses, &own.addresses, AddressSettings::check),
                settle(&mut new.misbehaviour, &own.misbehaviour, MisbehaviourSettings::check),
                settle(&mut taken.rates, &self.rates, LimitSettings::check),
                settle(&mut taken.links, &self.links, LinkSettings::check),
                settle(&mut taken.sealing, &self.sealing, SealingSettings::check),
                settle(&mut taken.replication, &self.replication, ReplicationSettings::check),
                settle(&mut taken.outbox, &self.outbox, OutboxSettings::check),
                settle(&mut taken.hub, &self.hub, HubSettings::check),
            ]
            .into_iter()
            .flatten(),
        );
        // The engine gives a dial up only when the link layer has had its time and did not say so.
        let patience = taken.links.dial_within + DIAL_SLACK;
        taken.engine.connections.dial_timeout = self.engine.connections.dial_timeout.max(patience);
        (taken, refused)
    }

    /// Where a setting is kept.
    fn place(&mut self, id: SettingId) -> Place<'_> {
        use Place::{
            Count, Kibibytes, Long, Mebibytes, Megabytes, Milliseconds, Rate, Seconds, SecondsOrEver, Short, Small,
        };
        use SettingId as Id;
        let Self { limits, engine, rates, links, sealing, replication, outbox, hub } = self;
        let Tuning {
            gossip, detection, membership, overlay, connections, addresses, score, misbehaviour: bans, ..
        } = engine;
        match id {
            Id::HeartbeatInterval => Seconds(&mut limits.heartbeat),
            Id::MaxTransactionBytes => Long(&mut limits.transaction_bytes),
            Id::TransactionTtl => Seconds(&mut limits.time_to_live),

            Id::GossipFanout => Count(&mut gossip.fanout),
            Id::GossipHopLimit => Small(&mut gossip.hop_limit),
            Id::GossipAnnounce => Milliseconds(&mut gossip.announce_calm),
            Id::GossipAnnounceAlert => Milliseconds(&mut gossip.announce_alert),
            Id::GossipBatch => Milliseconds(&mut gossip.batch_window),

            Id::Keepalive => Milliseconds(&mut detection.keepalive),
            Id::SuspicionAfter => Milliseconds(&mut detection.suspicion_after),
            Id::ProbeTimeout => Milliseconds(&mut detection.probe_timeout),
            Id::IndirectProbes => Count(&mut detection.indirect_probes),
            Id::UnreachableAfter => Milliseconds(&mut detection.standing),
            Id::DeadAfter => Seconds(&mut detection.dead_after),
            Id::SilenceLimit => Seconds(&mut detection.silence_limit),
            Id::MinHealthyPeers => Count(&mut detection.minimum_healthy_peers),

            Id::MembershipSpread => Milliseconds(&mut membership.spread_window),
            Id::MembershipUrgent => Milliseconds(&mut membership.urgent_window),
            Id::MembershipReconcile => Seconds(&mut membership.reconcile_interval),
            Id::MembershipCapacity => Count(&mut membership.capacity),
            Id::MembershipRememberGone => Seconds(&mut membership.remember_gone),

            Id::ActivePeers => Count(&mut overlay.active),
            Id::MinActivePeers => Count(&mut overlay.active_minimum),
            Id::MinOutboundPeers => Count(&mut overlay.active_outbound),
            Id::SearchingPeers => Count(&mut overlay.searching),
            Id::PassivePeers => Count(&mut overlay.passive),
            Id::ShuffledPeers => Count(&mut overlay.shuffled),
            Id::ShuffleInterval => Seconds(&mut overlay.shuffle_interval),
            Id::ImproveInterval => Seconds(&mut overlay.improve_interval),
            Id::MingleInterval => Seconds(&mut overlay.mingle_interval),
            Id::SwapMargin => Small(&mut overlay.swap_margin),

            Id::OutboundLinks => Count(&mut connections.outbound),
            Id::InboundLinks => Count(&mut connections.inbound),
            Id::HubInboundLinks => Count(&mut connections.hub_inbound),
            Id::IdleAfter => Seconds(&mut overlay.idle_after),
            Id::DialTimeout => Seconds(&mut links.dial_within),
            Id::AnswerTimeout => Seconds(&mut connections.answer_timeout),
            Id::RetryFirst => Milliseconds(&mut connections.retry_first),
            Id::RetryLimit => Seconds(&mut connections.retry_limit),
            Id::RetryAttempts => Long(&mut overlay.reconnect_attempts),
            Id::ReadyTimeout => Seconds(&mut connections.ready_timeout),

            Id::ExchangePeers => Count(&mut addresses.exchange_peers),
            Id::ExchangeInterval => Seconds(&mut addresses.exchange_interval),
            Id::FeelerInterval => Seconds(&mut addresses.feeler_interval),

            Id::ReliabilityWeight => Small(&mut score.reliability_weight),
            Id::PerformanceWeight => Small(&mut score.performance_weight),
            Id::BehaviourWeight => Small(&mut score.behaviour_weight),
            Id::ScoreDecay => Small(&mut score.decay_per_day),
            Id::ExpectedDeliveries => Short(&mut score.expected_deliveries),
            Id::FullThroughput => Long(&mut score.full_throughput),

            Id::MaxTemporaryBans => Small(&mut bans.max_temporary),
            Id::MaxBannedPercent => Small(&mut bans.group_percent),
            Id::InvalidMessageTolerated => Small(&mut bans.invalid_message.tolerated),
            Id::InvalidMessageWindow => Seconds(&mut bans.invalid_message.window),
            Id::InvalidMessageBan => SecondsOrEver(&mut bans.invalid_message.ban),
            Id::SpamTolerated => Small(&mut bans.spam.tolerated),
            Id::SpamWindow => Seconds(&mut bans.spam.window),
            Id::SpamBan => SecondsOrEver(&mut bans.spam.ban),
            Id::ProtocolViolationTolerated => Small(&mut bans.protocol_violation.tolerated),
            Id::ProtocolViolationWindow => Seconds(&mut bans.protocol_violation.window),
            Id::ProtocolViolationBan => SecondsOrEver(&mut bans.protocol_violation.ban),
            Id::MaliciousContentTolerated => Small(&mut bans.malicious_content.tolerated),
            Id::MaliciousContentWindow => Seconds(&mut bans.malicious_content.window),
            Id::MaliciousContentBan => SecondsOrEver(&mut bans.malicious_content.ban),

            Id::ExternalRequests => Rate(&mut rates.external.requests),
            Id::ExternalMegabytes => Megabytes(&mut rates.external.bytes),
            Id::ExternalTransactions => Rate(&mut rates.external.transactions),
            Id::EdgeRequests => Rate(&mut rates.edge.requests),
            Id::EdgeMegabytes => Megabytes(&mut rates.edge.bytes),
            Id::EdgeTransactions => Rate(&mut rates.edge.transactions),
            Id::MemberMegabytes => Megabytes(&mut rates.member.bytes),

            Id::BreakerFailures => Long(&mut links.breaker.failures),
            Id::BreakerFirstWait => Seconds(&mut links.breaker.first_wait),
            Id::BreakerReset => Seconds(&mut links.breaker.reset),
            Id::CarrierDeaths => Count(&mut links.ladder.deaths),
            Id::CarrierDeathsWithin => Seconds(&mut links.ladder.within),
            Id::CarrierProbe => Seconds(&mut links.ladder.probe),
            Id::HelloTimeout => Milliseconds(&mut links.hello_within),
            Id::ResumeTimeout => Milliseconds(&mut links.resume_within),
            Id::PollTimeout => Milliseconds(&mut links.poll_for),
            Id::WindowFrames => Count(&mut links.window.frames),
            Id::WindowKibibytes => Kibibytes(&mut links.window.bytes),

            Id::SealingHeartbeat => Milliseconds(&mut sealing.heartbeat_interval),
            Id::SealingLeaderTimeout => Milliseconds(&mut sealing.leader_timeout),
            Id::SealingQueuedTransactions => Long(&mut sealing.queued_transactions),
            Id::SealingQueuedMebibytes => Mebibytes(&mut sealing.queued_bytes),
            Id::SealingRememberedTransactions => Long(&mut sealing.remembered_transactions),
            Id::SealingUncertifiedDockets => Long(&mut sealing.uncertified_dockets),
            Id::SealingCertificateRetry => Milliseconds(&mut sealing.certificate_retry),
            Id::SealingLogEntriesKept => Long(&mut sealing.log_entries_kept),

            Id::ReplicationSources => Count(&mut replication.sources),
            Id::ReplicationDeadline => Seconds(&mut replication.deadline),
            Id::ReplicationFailuresToError => Long(&mut replication.failures_to_error),
            Id::ReplicationAudit => Seconds(&mut replication.audit_period),
            Id::ReplicationMessageRetention => Seconds(&mut replication.message_retention),

            Id::OutboxTransactions => Long(&mut outbox.capacity),
            Id::OutboxHandInAfter => Milliseconds(&mut outbox.hand_in_after),

            Id::HubKeepalive => Milliseconds(&mut hub.keepalive),
            Id::HubMissedKeepalives => Long(&mut hub.missed),
            Id::HubFailback => SecondsOrEver(&mut hub.failback),
            Id::HubAnswers => Long(&mut hub.answers_a_second),
        }
    }
}

/// The settings of a part stay as they were when the new ones do not go together.
fn settle<T: Clone + PartialEq, E: fmt::Display>(
    new: &mut T,
    own: &T,
    check: impl FnOnce(&T) -> Result<(), E>,
) -> Option<SettingNotTaken> {
    if new == own {
        return None;
    }
    let refused = check(new).err()?;
    new.clone_from(own);
    Some(SettingNotTaken::Contradiction(refused.to_string()))
}

/// A setting where it is kept, in the unit that it has in a spec.
enum Place<'a> {
    Small(&'a mut u8),
    Short(&'a mut u16),
    Long(&'a mut u32),
    Count(&'a mut usize),
    Seconds(&'a mut Duration),
    Milliseconds(&'a mut Duration),
    /// Zero is for good.
    SecondsOrEver(&'a mut Option<Duration>),
    /// Zero is no limit.
    Rate(&'a mut Option<u64>),
    /// Zero is no limit.
    Megabytes(&'a mut Option<u64>),
    Kibibytes(&'a mut usize),
    Mebibytes(&'a mut u32),
}

const MEGABYTE: u64 = 1_000_000;
const KIBIBYTE: usize = 1_024;
const MEBIBYTE: u32 = 1_048_576;

impl Place<'_> {
    /// Puts a value in; the table's ranges fit all places.
    fn put(self, value: u64) {
        match self {
            Self::Small(place) => *place = value.try_into().unwrap_or(u8::MAX),
            Self::Short(place) => *place = value.try_into().unwrap_or(u16::MAX),
            Self::Long(place) => *place = value.try_into().unwrap_or(u32::MAX),
            Self::Count(place) => *place = value.try_into().unwrap_or(usize::MAX),
            Self::Seconds(place) => *place = Duration::from_secs(value),
            Self::Milliseconds(place) => *place = Duration::from_millis(value),
            Self::SecondsOrEver(place) => *place = (value > 0).then(|| Duration::from_secs(value)),
            Self::Rate(place) => *place = (value > 0).then_some(value),
            Self::Megabytes(place) => *place = (value > 0).then(|| value.saturating_mul(MEGABYTE)),
            Self::Mebibytes(place) => *place = u32::try_from(value).unwrap_or(u32::MAX).saturating_mul(MEBIBYTE),
            Self::Kibibytes(place) => *place = usize::try_from(value).unwrap_or(usize::MAX).saturating_mul(KIBIBYTE),
        }
    }
}

#[cfg(test)]
#[path = "settings_tests.rs"]
mod tests;

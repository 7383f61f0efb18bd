//! The table: every setting that a network may have, once.

use std::ops::RangeInclusive;

/// One setting of a network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting {
    /// Stands for it in a snapshot. Never given to another setting.
    pub number: u16,
    /// Where it stands in the spec of a `PeerNetwork`; the unit is part of the name.
    pub path: &'static str,
    /// What is accepted.
    pub accepted: RangeInclusive<u64>,
    /// What holds when the network says nothing.
    pub default: u64,
}

macro_rules! settings {
    ($($number:literal $name:ident $path:literal $accepted:expr, $default:literal;)+) => {
        /// Which setting.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u16)]
        pub enum SettingId {
            $(#[doc = $path] $name = $number,)+
        }

        impl SettingId {
            /// Every setting, in ascending order of the numbers.
            pub const ALL: &'static [Self] = &[$(Self::$name,)+];

            /// Its row of the table.
            #[must_use]
            pub const fn setting(self) -> Setting {
                match self {
                    $(Self::$name => Setting { number: $number, path: $path, accepted: $accepted, default: $default },)+
                }
            }

            /// The setting that a number stands for; `None` when a later version gave it a meaning.
            #[must_use]
            pub const fn from_number(number: u16) -> Option<Self> {
                match number {
                    $($number => Some(Self::$name),)+
                    _ => None,
                }
            }
        }
    };
}

settings! {
    1 HeartbeatInterval "heartbeat.intervalSeconds" 10..=120, 30;
    2 MaxTransactionBytes "limits.maxTransactionBytes" 1_024..=10_485_760, 10_485_760;
    3 TransactionTtl "gossip.ttlSeconds" 300..=86_400, 3_600;

    16 GossipFanout "gossip.fanout" 2..=20, 3;
    17 GossipHopLimit "gossip.hopLimit" 1..=64, 16;
    18 GossipAnnounce "gossip.announceMilliseconds" 20..=250, 250;
    19 GossipAnnounceAlert "gossip.announceAlertMilliseconds" 20..=250, 20;

    20 GossipBatch "gossip.batchMilliseconds" 1..=100, 2;

    32 Keepalive "detection.keepaliveMilliseconds" 100..=30_000, 1_000;
    33 SuspicionAfter "detection.suspicionAfterMilliseconds" 150..=60_000, 1_500;
    34 ProbeTimeout "detection.probeTimeoutMilliseconds" 50..=10_000, 400;
    35 IndirectProbes "detection.indirectProbes" 0..=8, 3;
    36 UnreachableAfter "detection.unreachableAfterMilliseconds" 100..=60_000, 1_000;
    37 DeadAfter "detection.deadAfterSeconds" 10..=3_600, 10;
    38 SilenceLimit "detection.silenceLimitSeconds" 1..=300, 5;
    39 MinHealthyPeers "detection.minHealthyPeers" 1..=100, 5;

    48 MembershipSpread "membership.spreadMilliseconds" 20..=1_000, 100;
    49 MembershipUrgent "membership.urgentMilliseconds" 1..=200, 10;
    50 MembershipReconcile "membership.reconcileSeconds" 1..=300, 4;
    51 MembershipCapacity "membership.capacity" 16..=16_384, 16_384;
    52 MembershipRememberGone "membership.rememberGoneSeconds" 30..=86_400, 600;

    64 ActivePeers "overlay.activePeers" 3..=64, 8;
    65 MinActivePeers "overlay.minActivePeers" 1..=64, 6;
    66 MinOutboundPeers "overlay.minOutboundPeers" 1..=64, 3;
    67 SearchingPeers "overlay.searchingPeers" 1..=64, 4;
    68 PassivePeers "overlay.passivePeers" 8..=512, 60;
    69 ShuffledPeers "overlay.shuffledPeers" 1..=16, 8;
    70 ShuffleInterval "overlay.shuffleSeconds" 1..=86_400, 30;
    71 ImproveInterval "overlay.improveSeconds" 1..=86_400, 60;
    72 MingleInterval "overlay.mingleSeconds" 1..=86_400, 600;
    73 SwapMargin "overlay.swapMargin" 0..=100, 10;

    80 OutboundLinks "connections.outbound" 3..=200, 30;
    81 InboundLinks "connections.inbound" 3..=200, 20;
    82 HubInboundLinks "connections.hubInbound" 3..=2_000, 2_000;
    83 IdleAfter "connections.idleSeconds" 10..=86_400, 900;
    84 DialTimeout "connections.dialTimeoutSeconds" 5..=120, 15;
    85 AnswerTimeout "connections.answerTimeoutSeconds" 1..=60, 5;
    86 RetryFirst "connections.retryFirstMilliseconds" 100..=60_000, 1_000;
    87 RetryLimit "connections.retryLimitSeconds" 1..=3_600, 60;
    88 RetryAttempts "connections.retryAttempts" 1..=20, 5;
    89 ReadyTimeout "connections.readyTimeoutSeconds" 1..=300, 15;

    96 ExchangePeers "discovery.exchangePeers" 1..=8, 3;
    97 ExchangeInterval "discovery.exchangeSeconds" 30..=86_400, 450;
    98 FeelerInterval "discovery.feelerSeconds" 10..=86_400, 120;

    112 ReliabilityWeight "scoring.reliabilityPercent" 0..=100, 40;
    113 PerformanceWeight "scoring.performancePercent" 0..=100, 30;
    114 BehaviourWeight "scoring.behaviourPercent" 0..=100, 30;
    115 ScoreDecay "scoring.decayPercentPerDay" 0..=100, 1;
    116 ExpectedDeliveries "scoring.expectedDeliveriesPerDay" 1..=10_000, 100;
    117 FullThroughput "scoring.fullThroughputBytesPerSecond" 1_024..=1_073_741_824, 1_048_576;

    128 MaxTemporaryBans "autoBans.maxTemporary" 0..=5, 3;
    129 MaxBannedPercent "autoBans.maxGroupPercent" 0..=25, 25;
    130 InvalidMessageTolerated "autoBans.invalidMessage.tolerated" 0..=19, 5;
    131 InvalidMessageWindow "autoBans.invalidMessage.windowSeconds" 1..=86_400, 300;
    132 InvalidMessageBan "autoBans.invalidMessage.banSeconds" 0..=2_592_000, 3_600;
    133 SpamTolerated "autoBans.spam.tolerated" 0..=19, 5;
    134 SpamWindow "autoBans.spam.windowSeconds" 1..=86_400, 3_600;
    135 SpamBan "autoBans.spam.banSeconds" 0..=2_592_000, 7_200;
    136 ProtocolViolationTolerated "autoBans.protocolViolation.tolerated" 0..=19, 0;
    137 ProtocolViolationWindow "autoBans.protocolViolation.windowSeconds" 1..=86_400, 86_400;
    138 ProtocolViolationBan "autoBans.protocolViolation.banSeconds" 0..=2_592_000, 0;
    139 MaliciousContentTolerated "autoBans.maliciousContent.tolerated" 0..=19, 0;
    140 MaliciousContentWindow "autoBans.maliciousContent.windowSeconds" 1..=86_400, 86_400;
    141 MaliciousContentBan "autoBans.maliciousContent.banSeconds" 0..=2_592_000, 0;

    160 ExternalRequests "limits.external.requestsPerMinute" 0..=1_000_000, 1_000;
    161 ExternalMegabytes "limits.external.megabytesPerMinute" 0..=1_000_000, 100;
    162 ExternalTransactions "limits.external.transactionsPerMinute" 0..=1_000_000, 100;
    163 EdgeRequests "limits.edge.requestsPerMinute" 0..=1_000_000, 1_000;
    164 EdgeMegabytes "limits.edge.megabytesPerMinute" 0..=1_000_000, 100;
    165 EdgeTransactions "limits.edge.transactionsPerMinute" 0..=1_000_000, 100;
    166 MemberMegabytes "limits.member.megabytesPerMinute" 0..=1_000_000, 1_000;

    192 BreakerFailures "links.breakerFailures" 3..=20, 5;
    193 BreakerFirstWait "links.breakerFirstSeconds" 1..=1_800, 10;
    194 BreakerReset "links.breakerResetSeconds" 60..=1_800, 300;
    195 CarrierDeaths "links.carrierDeaths" 1..=20, 3;
    196 CarrierDeathsWithin "links.carrierDeathsWithinSeconds" 1..=3_600, 60;
    197 CarrierProbe "links.carrierProbeSeconds" 1..=3_600, 60;
    198 HelloTimeout "links.helloTimeoutMilliseconds" 500..=30_000, 3_000;
    199 ResumeTimeout "links.resumeTimeoutMilliseconds" 50..=1_500, 500;
    200 PollTimeout "links.pollTimeoutMilliseconds" 100..=20_000, 5_000;
    201 WindowFrames "links.windowFrames" 16..=65_536, 4_096;
    202 WindowKibibytes "links.windowKibibytes" 128..=65_536, 4_096;

    224 SealingHeartbeat "sealing.heartbeatMilliseconds" 100..=30_000, 200;
    225 SealingLeaderTimeout "sealing.leaderTimeoutMilliseconds" 300..=300_000, 650;
    226 SealingQueuedTransactions "sealing.queuedTransactions" 1..=1_000_000, 50_000;
    227 SealingQueuedMebibytes "sealing.queuedMebibytes" 16..=1_024, 64;
    228 SealingRememberedTransactions "sealing.rememberedTransactions" 10_000..=50_000_000, 3_600_000;
    229 SealingUncertifiedDockets "sealing.uncertifiedDockets" 1..=64, 16;
    230 SealingCertificateRetry "sealing.certificateRetryMilliseconds" 20..=10_000, 200;
    231 SealingLogEntriesKept "sealing.logEntriesKept" 8..=10_000, 64;

    256 ReplicationSources "replication.sources" 1..=10, 3;
    257 ReplicationDeadline "replication.deadlineSeconds" 300..=7_200, 1_800;
    258 ReplicationFailuresToError "replication.failuresToError" 1..=100, 10;
    259 ReplicationAudit "replication.auditSeconds" 60..=3_600, 300;
    260 ReplicationMessageRetention "replication.messageRetentionSeconds" 60..=86_400, 900;

    272 OutboxTransactions "outbox.transactions" 100..=100_000, 10_000;
    273 OutboxHandInAfter "outbox.handInAfterMilliseconds" 200..=60_000, 2_000;

    288 HubKeepalive "hub.keepaliveMilliseconds" 200..=30_000, 1_000;
    289 HubMissedKeepalives "hub.missedKeepalives" 1..=10, 2;
    290 HubFailback "hub.failbackSeconds" 0..=86_400, 0;
    291 HubAnswers "hub.answersPerSecond" 1..=100_000, 1_000;
}

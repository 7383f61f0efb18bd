//! Figures that others keep and that are read when somebody scrapes: one row a figure.

use super::peers::Peers;
use peerwright_engine::{DialRefusal, ServiceStatus, Statistics, breaker::BreakerStatistics};
use peerwright_snapshot::Version;
use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeMetric, MetricEncoder},
    metrics::{counter::ConstCounter, gauge::ConstGauge},
};
use std::{
    fmt,
    sync::{Mutex, PoisonError},
    time::{SystemTime, UNIX_EPOCH},
};

/// What was observed last.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Observed {
    pub(super) statistics: Option<Statistics>,
    pub(super) peers: Option<Peers>,
    pub(super) breakers: Option<BreakerStatistics>,
    pub(super) commits: u64,
    pub(super) snapshot: Option<Version>,
    pub(super) certificate_not_after: Option<i64>,
}

#[derive(Debug, Default)]
pub(super) struct Figures {
    observed: Mutex<Observed>,
}

impl Figures {
    pub(super) fn update(&self, change: impl FnOnce(Observed) -> Observed) {
        let mut observed = self.observed.lock().unwrap_or_else(PoisonError::into_inner);
        *observed = change(*observed);
    }
}

#[derive(Clone, Copy)]
enum Kind {
    Counter,
    Gauge,
}

/// The label's value, and how the figure is read.
type Row = (&'static str, fn(&Statistics) -> u64);

/// One metric; one value for each row, told apart by the label.
struct Figure {
    name: &'static str,
    help: &'static str,
    kind: Kind,
    label: &'static str,
    rows: &'static [Row],
}

const fn counter(name: &'static str, help: &'static str, value: &'static [Row]) -> Figure {
    Figure { name, help, kind: Kind::Counter, label: "", rows: value }
}

const fn gauge(name: &'static str, help: &'static str, value: &'static [Row]) -> Figure {
    Figure { name, help, kind: Kind::Gauge, label: "", rows: value }
}

impl Figure {
    const fn by(self, label: &'static str) -> Self {
        Self { label, ..self }
    }
}

const FIGURES: &[Figure] = &[
    gauge(
        "links",
        "Links to peers, by who dialled",
        &[("outbound", |figures| figures.links.outbound), ("inbound", |figures| figures.links.inbound)],
    )
    .by("direction"),
    gauge(
        "neighbours",
        "Peers that gossip and membership spread to, by who dialled",
        &[
            ("outbound", |figures| figures.links.active_outbound),
            ("inbound", |figures| figures.links.active.saturating_sub(figures.links.active_outbound)),
        ],
    )
    .by("direction"),
    gauge("nodes_at_hand", "Nodes known for when neighbours leave", &[("", |figures| figures.links.passive)]),
    counter(
        "neighbour_changes",
        "Peers that became neighbours, ceased to be, or refused",
        &[
            ("joined", |figures| figures.links.neighbours_joined),
            ("left", |figures| figures.links.neighbours_left),
            ("refused", |figures| figures.links.neighbours_refused),
        ],
    )
    .by("change"),
    counter(
        "addresses_named",
        "Addresses that peers named, by what was made of them",
        &[
            ("learnt", |figures| figures.links.addresses_learnt),
            ("excess", |figures| figures.links.addresses_excess),
            ("private", |figures| figures.links.addresses_refused(DialRefusal::Private)),
            ("loopback", |figures| figures.links.addresses_refused(DialRefusal::Loopback)),
            ("link_local", |figures| figures.links.addresses_refused(DialRefusal::LinkLocal)),
            ("metadata", |figures| figures.links.addresses_refused(DialRefusal::Metadata)),
            ("multicast", |figures| figures.links.addresses_refused(DialRefusal::Multicast)),
            ("unspecified", |figures| figures.links.addresses_refused(DialRefusal::Unspecified)),
            ("reserved", |figures| figures.links.addresses_refused(DialRefusal::Reserved)),
            ("low_port", |figures| figures.links.addresses_refused(DialRefusal::LowPort)),
        ],
    )
    .by("verdict"),
    gauge(
        "addresses_at_hand",
        "Addresses that peers named, by whether a link came of them",
        &[("new", |figures| figures.links.addresses_new), ("tried", |figures| figures.links.addresses_tried)],
    )
    .by("state"),
    gauge(
        "directory",
        "Nodes in k-buckets, and holders of registers that this node keeps for others",
        &[("contacts", |figures| figures.directory.contacts), ("holders", |figures| figures.directory.kept)],
    )
    .by("of"),
    counter(
        "holder_searches",
        "Searches for holders of registers, their questions, those without an answer, and the holders found",
        &[
            ("begun", |figures| figures.directory.searches),
            ("asked", |figures| figures.directory.questions),
            ("unanswered", |figures| figures.directory.unanswered),
            ("found", |figures| figures.directory.found),
        ],
    )
    .by("step"),
    counter(
        "holder_questions_answered",
        "Questions of others about holders that were answered",
        &[("", |figures| figures.directory.answered)],
    ),
    gauge(
        "advertisements",
        "Registers that this node advertises, advertisements of peers that it keeps, and the peers that these are of",
        &[
            ("told", |figures| figures.advertisements.told),
            ("heard", |figures| figures.advertisements.heard),
            ("peers", |figures| figures.advertisements.peers),
        ],
    )
    .by("of"),
    counter(
        "advertisement_frames",
        "Frames with advertisements",
        &[
            ("in", |figures| figures.advertisements.frames_received),
            ("out", |figures| figures.advertisements.frames_sent),
        ],
    )
    .by("direction"),
    counter(
        "advertisements_heard",
        "Advertisements of peers, by what became of them",
        &[
            ("changed", |figures| figures.advertisements.changed),
            ("repeated", |figures| figures.advertisements.repeated),
            ("withdrawn", |figures| figures.advertisements.withdrawn),
            ("expired", |figures| figures.advertisements.expired),
        ],
    )
    .by("outcome"),
    counter(
        "feelers",
        "Untried addresses that were dialled to see who is there",
        &[("", |figures| figures.links.feelers)],
    ),
    gauge("links_silent", "Links on which nothing is heard", &[("", |figures| figures.links.silent)]),
    counter("links_established", "Links that came up and were kept", &[("", |figures| figures.links.established)]),
    counter("links_refused_banned", "Links and dials ended by a ban", &[("", |figures| figures.links.refused_banned)]),
    gauge("addresses", "Known addresses of other nodes", &[("", |figures| figures.links.addresses)]),
    gauge("addresses_failing", "Of those, the last dial failed", &[("", |figures| figures.links.failing_addresses)]),
    gauge("bans", "Bans in force", &[("", |figures| figures.links.bans)]),
    counter(
        "frames",
        "Frames on links",
        &[("in", |figures| figures.links.frames_received), ("out", |figures| figures.links.frames_sent)],
    )
    .by("direction"),
    counter(
        "frame_bytes",
        "Bytes of frames on links",
        &[("in", |figures| figures.links.bytes_received), ("out", |figures| figures.links.bytes_sent)],
    )
    .by("direction"),
    counter(
        "frames_refused",
        "Frames that were not understood",
        &[
            ("unsupported", |figures| figures.links.frames_unsupported),
            ("malformed", |figures| figures.links.frames_malformed),
        ],
    )
    .by("reason"),
    counter("transactions_accepted", "Transactions accepted here", &[("", |figures| figures.submit.accepted)]),
    gauge("transactions_queued", "Transactions that wait to be durable", &[("", |figures| figures.submit.queued)]),
    counter(
        "gossip_received",
        "Message frames received, by what became of them",
        &[
            ("delivered", |figures| figures.gossip.delivered),
            ("duplicate", |figures| figures.gossip.duplicates),
            ("expired", |figures| figures.gossip.expired),
            ("dropped", |figures| figures.gossip.dropped),
            ("invalid", |figures| figures.gossip.invalid),
        ],
    )
    .by("outcome"),
    counter("gossip_sent", "Message frames sent, own and passed on", &[("", |figures| figures.gossip.sent)]),
    gauge("gossip_verifying", "Messages that wait for the verifier", &[("", |figures| figures.gossip.verifying)]),
    gauge("sync_missing", "Messages known to be missing", &[("", |figures| figures.sync.missing)]),
    counter("sync_pulls", "Pulls sent", &[("", |figures| figures.sync.pulls)]),
    counter("sync_pulls_failed", "Pulls that gave nothing", &[("", |figures| figures.sync.pulls_failed)]),
    counter("sync_messages_pulled", "Messages stored that came by sync", &[("", |figures| figures.sync.pulled)]),
    counter("sync_messages_served", "Messages sent to peers that lacked them", &[("", |figures| figures.sync.served)]),
    counter(
        "sync_bodies",
        "Bodies of large transactions that were to be fetched",
        &[("stored", |figures| figures.sync.bodies), ("given_up", |figures| figures.sync.bodies_failed)],
    )
    .by("outcome"),
    gauge(
        "members",
        "Other members that are known, by what is thought of them",
        &[
            ("alive", |figures| figures.members.alive),
            ("unreachable", |figures| figures.members.unreachable),
            ("dead", |figures| figures.members.dead),
            ("left", |figures| figures.members.left),
        ],
    )
    .by("state"),
    gauge(
        "members_certified",
        "Members whose certificate was checked here",
        &[("", |figures| figures.members.certified)],
    ),
    gauge(
        "peers_healthy",
        "Certified members that are reached and not banned",
        &[("", |figures| figures.members.healthy)],
    ),
    gauge(
        "service_status",
        "1 for what the service is: online with enough healthy peers, degraded, or offline without any",
        &[
            ("online", |figures| u64::from(figures.members.status == ServiceStatus::Online)),
            ("degraded", |figures| u64::from(figures.members.status == ServiceStatus::Degraded)),
            ("offline", |figures| u64::from(figures.members.status == ServiceStatus::Offline)),
        ],
    )
    .by("status"),
    counter(
        "member_records",
        "Records of members that came in, by what became of them",
        &[
            ("accepted", |figures| figures.members.accepted),
            ("duplicate", |figures| figures.members.duplicates),
            ("offered", |figures| figures.members.offered_again),
            ("full", |figures| figures.members.refused_full),
            ("gone", |figures| figures.members.refused_gone),
            ("conflict", |figures| figures.members.conflicts),
            ("unsupported", |figures| figures.members.unsupported),
        ],
    )
    .by("outcome"),
    counter(
        "member_statements_invalid",
        "Frames with a statement that did not verify",
        &[("", |figures| figures.members.invalid)],
    ),
    counter(
        "member_comparisons",
        "Comparisons of members that this node began",
        &[("", |figures| figures.members.comparisons)],
    ),
    counter(
        "detector",
        "What the failure detector did",
        &[
            ("suspected", |figures| figures.members.suspicions),
            ("probe", |figures| figures.members.probes),
            ("accused", |figures| figures.members.accused),
            ("accusation_heard", |figures| figures.members.accusations),
            ("refuted", |figures| figures.members.refutations),
            ("false_alarm", |figures| figures.members.false_alarms),
            ("unreachable", |figures| figures.members.became_unreachable),
            ("dead", |figures| figures.members.died),
            ("pause", |figures| figures.members.pauses),
        ],
    )
    .by("step"),
    counter("store_messages_appended", "Messages made durable", &[("", |figures| figures.store.appended)]),
    gauge("store_messages_queued", "Messages that wait to be durable", &[("", |figures| figures.store.queued)]),
];

impl Collector for Figures {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let observed = *self.observed.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(statistics) = &observed.statistics {
            for figure in FIGURES {
                encode_figure(&mut encoder, figure, statistics)?;
            }
            let commits = ConstCounter::new(observed.commits);
            let help = "Commits of the store; each carries all writes that waited for it";
            commits.encode(encoder.encode_descriptor("store_commits", help, None, commits.metric_type())?)?;
        }
        if let Some(peers) = &observed.peers {
            encode_gauges(&mut encoder, "peers", "Other nodes, by what is known of them", "state", &peers.states())?;
            encode_gauges(&mut encoder, "peers_rated", "Scored nodes, by rating", "rating", &peers.ratings())?;
        }
        if let Some(breakers) = &observed.breakers {
            let states = [("open", breakers.open), ("half_open", breakers.half_open), ("closed", breakers.closed)];
            let help = "Breakers before addresses and the carriers to them, by state";
            encode_gauges(&mut encoder, "breakers", help, "state", &states)?;
        }
        if let Some(Version { epoch, revision }) = observed.snapshot {
            encode_gauge(&mut encoder, "snapshot_epoch", "Epoch of the snapshot in force", epoch.cast_signed())?;
            let help = "Revision of the snapshot in force";
            encode_gauge(&mut encoder, "snapshot_revision", help, revision.cast_signed())?;
        }
        if let Some(not_after) = observed.certificate_not_after {
            let help = "Seconds until this node's certificate ends; negative once it has";
            encode_gauge(&mut encoder, "certificate_seconds_left", help, not_after - unix_seconds())?;
        }
        Ok(())
    }
}

fn encode_figure(
    encoder: &mut DescriptorEncoder<'_>,
    figure: &Figure,
    statistics: &Statistics,
) -> Result<(), fmt::Error> {
    let kind = match figure.kind {
        Kind::Counter => ConstCounter::new(0u64).metric_type(),
        Kind::Gauge => ConstGauge::new(0i64).metric_type(),
    };
    let mut metric = encoder.encode_descriptor(figure.name, figure.help, None, kind)?;
    if let ([(_, value)], "") = (figure.rows, figure.label) {
        return encode_value(figure.kind, value(statistics), metric);
    }
    for (word, value) in figure.rows {
        encode_value(figure.kind, value(statistics), metric.encode_family(&[(figure.label, *word)])?)?;
    }
    Ok(())
}

fn encode_value(kind: Kind, value: u64, metric: MetricEncoder<'_>) -> Result<(), fmt::Error> {
    match kind {
        Kind::Counter => ConstCounter::new(value).encode(metric),
        Kind::Gauge => ConstGauge::new(value.cast_signed()).encode(metric),
    }
}

fn encode_gauge(encoder: &mut DescriptorEncoder<'_>, name: &str, help: &str, value: i64) -> Result<(), fmt::Error> {
    let gauge = ConstGauge::new(value);
    gauge.encode(encoder.encode_descriptor(name, help, None, gauge.metric_type())?)
}

fn encode_gauges(
    encoder: &mut DescriptorEncoder<'_>,
    name: &str,
    help: &str,
    label: &'static str,
    rows: &[(&'static str, u64)],
) -> Result<(), fmt::Error> {
    let mut metric = encoder.encode_descriptor(name, help, None, ConstGauge::new(0i64).metric_type())?;
    for (word, value) in rows {
        encode_value(Kind::Gauge, *value, metric.encode_family(&[(label, *word)])?)?;
    }
    Ok(())
}

fn unix_seconds() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    since.as_secs().cast_signed()
}

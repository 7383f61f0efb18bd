//! Metrics whose names dashboards of the earlier systems know; they stand without the prefix of all others.

use super::{SyncType, durations};
use peerwright_engine::{HeartbeatFault, ROUND_TRIP_CLASSES, RoundTrips, Statistics};
use peerwright_secure::PeerId;
use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, NoLabelSet},
    metrics::{MetricType, counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
    registry::{Registry, Unit},
};
use std::{
    collections::BTreeSet,
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

/// So many peers are told apart in a label; the others are one more. Each is a series that a Prometheus keeps.
const TOLD_APART: usize = 64;

/// `peer_connection_status`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ConnectionStatus {
    /// Without a link, and not ready to serve.
    Disconnected,
    /// With a link.
    Connected,
    /// Without a link; it serves what it has.
    Isolated,
}

impl ConnectionStatus {
    const fn number(self) -> i64 {
        match self {
            Self::Disconnected => 0,
            Self::Connected => 1,
            Self::Isolated => 2,
        }
    }
}

/// Durations by one label, whose values are words of the program.
type Durations = Family<[(&'static str, &'static str); 1], Histogram, fn() -> Histogram>;

#[derive(Debug)]
pub(super) struct Named {
    status: Gauge,
    latency: Arc<Latency>,
    rejections: Family<[(&'static str, String); 2], Counter>,
    /// Peers that have series of their own in `rejections`.
    told_apart: Mutex<BTreeSet<PeerId>>,
    sync_seconds: Durations,
}

impl Default for Named {
    fn default() -> Self {
        Self {
            status: Gauge::default(),
            latency: Arc::default(),
            rejections: Family::default(),
            told_apart: Mutex::default(),
            sync_seconds: Family::new_with_constructor(durations),
        }
    }
}

impl Named {
    pub(super) fn register(&self, registry: &mut Registry) {
        registry.register(
            "peer_connection_status",
            "0 without a link, 1 with one, 2 without one and serving what is there",
            self.status.clone(),
        );
        registry.register_with_unit(
            "peer_sync_duration",
            "Time from lacking something that a peer holds to having all of it, by what had to be compared",
            Unit::Seconds,
            self.sync_seconds.clone(),
        );
        registry.register(
            "peer_heartbeat_rejections",
            "Heartbeats, keepalives and their answers that were not taken, by peer and why; peer_id is `other` beyond 64",
            self.rejections.clone(),
        );
        registry.register_collector(Box::new(self.latency.clone()));
    }

    pub(super) fn observe(&self, statistics: &Statistics, ready: bool) {
        let links = statistics.links.outbound + statistics.links.inbound;
        let status = match (links, ready) {
            (0, false) => ConnectionStatus::Disconnected,
            (0, true) => ConnectionStatus::Isolated,
            _ => ConnectionStatus::Connected,
        };
        self.status.set(status.number());
        *self.latency.round_trips.lock().unwrap_or_else(PoisonError::into_inner) = statistics.links.round_trips;
    }

    pub(super) fn synced(&self, took: Duration, sync: SyncType) {
        self.sync_seconds.get_or_create(&[("sync_type", sync.label())]).observe(took.as_secs_f64());
    }

    pub(super) fn heartbeat_rejected(&self, peer: PeerId, reason: HeartbeatFault) {
        let mut told_apart = self.told_apart.lock().unwrap_or_else(PoisonError::into_inner);
        let has_own = told_apart.contains(&peer) || told_apart.len() < TOLD_APART && told_apart.insert(peer);
        let peer = if has_own { peer.to_string() } else { "other".to_owned() };
        self.rejections.get_or_create(&[("peer_id", peer), ("reason", reason.label().to_owned())]).inc();
    }
}

/// `peer_heartbeat_latency_milliseconds`, counted by the engine.
#[derive(Debug, Default)]
struct Latency {
    round_trips: Mutex<RoundTrips>,
}

impl Collector for Latency {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let trips = *self.round_trips.lock().unwrap_or_else(PoisonError::into_inner);
        let unit = Unit::Other("milliseconds".to_owned());
        let help = "Round trips of keepalives";
        let mut metric =
            encoder.encode_descriptor("peer_heartbeat_latency", help, Some(&unit), MetricType::Histogram)?;
        let within = trips.classes.iter().sum::<u64>();
        let ends = ROUND_TRIP_CLASSES.iter().map(|end| end.as_secs_f64() * 1_000.0);
        let mut classes: Vec<(f64, u64)> = ends.zip(trips.classes).collect();
        classes.push((f64::INFINITY, trips.count.saturating_sub(within)));
        let sum = Duration::from_micros(trips.sum_micros).as_secs_f64() * 1_000.0;
        metric.encode_histogram::<NoLabelSet>(sum, trips.count, &classes, None)
    }
}

//! What the node service counts. A refusal's label is its code on the wire.

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, gauge::Gauge},
    registry::Registry,
};

use crate::identity::Refusal;

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RefusalLabels {
    rpc: &'static str,
    reason: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct HandshakeLabels {
    reason: &'static str,
}

/// Counters of the node service.
#[derive(Clone, Debug, Default)]
pub struct NodeMetrics {
    refusals: Family<RefusalLabels, Counter>,
    handshakes_refused: Family<HandshakeLabels, Counter>,
    leaves_issued: Counter,
    snapshots_sent: Counter,
    connections: Gauge,
    streams: Gauge,
}

impl NodeMetrics {
    /// Metrics that `registry` shows.
    #[must_use]
    pub fn register(registry: &mut Registry) -> Self {
        let metrics = Self::default();
        registry.register(
            "node_refusals",
            "Calls of nodes that were refused, by call and reason",
            metrics.refusals.clone(),
        );
        registry.register(
            "node_handshakes_refused",
            "TLS handshakes of nodes that were refused, by reason",
            metrics.handshakes_refused.clone(),
        );
        registry.register("leaves_issued", "Member certificates issued", metrics.leaves_issued.clone());
        registry.register("snapshots_sent", "Snapshots sent to nodes", metrics.snapshots_sent.clone());
        registry.register("node_connections", "Open connections to the node service", metrics.connections.clone());
        registry.register("node_streams", "Open Watch streams of nodes", metrics.streams.clone());
        metrics
    }

    pub(super) fn refused(&self, rpc: &'static str, refusal: Refusal) {
        self.refusals.get_or_create(&RefusalLabels { rpc, reason: refusal.code() }).inc();
    }

    pub(super) fn handshake_refused(&self, reason: &'static str) {
        self.handshakes_refused.get_or_create(&HandshakeLabels { reason }).inc();
    }

    pub(super) fn leaf_issued(&self) {
        self.leaves_issued.inc();
    }

    pub(super) fn snapshot_sent(&self) {
        self.snapshots_sent.inc();
    }

    /// Counts a connection until the guard is dropped.
    pub(super) fn connection(&self) -> Counted {
        Counted::new(&self.connections)
    }

    /// Counts a stream until the guard is dropped.
    pub(super) fn stream(&self) -> Counted {
        Counted::new(&self.streams)
    }
}

/// One more, until it is dropped.
#[derive(Debug)]
pub(super) struct Counted(Gauge);

impl Counted {
    fn new(gauge: &Gauge) -> Self {
        gauge.inc();
        Self(gauge.clone())
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.dec();
    }
}

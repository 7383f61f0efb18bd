//! What is counted and measured. Names of objects are labels of gauges only, and go with the object.

use std::{
    sync::{Arc, Mutex, PoisonError, atomic::AtomicU64},
    time::Duration,
};

use peerwright_snapshot::Version;
use prometheus_client::{
    encoding::{EncodeLabelSet, text::encode},
    metrics::{
        counter::Counter,
        family::Family,
        gauge::Gauge,
        histogram::{Histogram, exponential_buckets},
    },
    registry::{Registry, Unit},
};

use crate::{
    api::{ApiMetrics, WatchLabels},
    cache::ObjectKey,
    controllers::network::plan::Hold,
};

/// Everything that this process counts and measures.
#[derive(Clone, Debug)]
pub struct Metrics {
    registry: Arc<Mutex<Registry>>,
    api: ApiMetrics,
    watch_age: Family<WatchLabels, Gauge<f64, AtomicU64>>,
    reconciles: Family<Reconcile, Counter>,
    durations: Family<Controller, Histogram>,
    holds: Family<HoldOfNetwork, Gauge>,
    epoch: Family<Network, Gauge>,
    revision: Family<Network, Gauge>,
    connected: Family<Network, Gauge>,
    acknowledgements: Histogram,
    definitions: Family<Definition, Gauge>,
    leader: Gauge,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Reconcile {
    controller: &'static str,
    outcome: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Controller {
    controller: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Network {
    namespace: String,
    network: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct HoldOfNetwork {
    namespace: String,
    network: String,
    hold: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Definition {
    definition: String,
}

impl Metrics {
    /// Registers everything under the prefix `peerwright_operator`.
    #[must_use]
    pub fn new() -> Self {
        let metrics = Self {
            registry: Arc::new(Mutex::new(Registry::with_prefix("peerwright_operator"))),
            api: ApiMetrics::default(),
            watch_age: Family::default(),
            reconciles: Family::default(),
            durations: Family::new_with_constructor(|| Histogram::new(exponential_buckets(0.000_1, 4.0, 10))),
            holds: Family::default(),
            epoch: Family::default(),
            revision: Family::default(),
            connected: Family::default(),
            acknowledgements: Histogram::new(exponential_buckets(0.01, 2.0, 12)),
            definitions: Family::default(),
            leader: Gauge::default(),
        };
        metrics.register();
        metrics
    }

    fn register(&self) {
        let mut registry = self.registry.lock().unwrap_or_else(PoisonError::into_inner);
        let registry = &mut *registry;
        registry.register(
            "api_writes",
            "Requests that change something, by verb, resource and answer",
            self.api.writes.clone(),
        );
        registry.register("watch_errors", "Watches that failed and began anew", self.api.watch_errors.clone());
        registry.register_with_unit(
            "watch_age",
            "Time since each watch last began or delivered",
            Unit::Seconds,
            self.watch_age.clone(),
        );
        registry.register("reconciles", "Reconciliations by controller and outcome", self.reconciles.clone());
        registry.register_with_unit("reconcile", "Duration of a reconciliation", Unit::Seconds, self.durations.clone());
        registry.register(
            "holds",
            "1 while something of a network waits, by what the hold is called",
            self.holds.clone(),
        );
        registry.register("snapshot_epoch", "Epoch of a network's published snapshot", self.epoch.clone());
        registry.register("snapshot_revision", "Revision of a network's published snapshot", self.revision.clone());
        registry.register(
            "nodes_connected",
            "Nodes of a network with a stream to this replica",
            self.connected.clone(),
        );
        registry.register_with_unit(
            "acknowledgement",
            "Time from the publication of a snapshot to a node's acknowledgement",
            Unit::Seconds,
            self.acknowledgements.clone(),
        );
        registry.register(
            "definition_usable",
            "Whether a custom resource definition is there and new enough",
            self.definitions.clone(),
        );
        registry.register("leader", "Whether this replica leads", self.leader.clone());
    }

    /// Lets another part of the process register what it counts.
    pub fn register_more<T>(&self, register: impl FnOnce(&mut Registry) -> T) -> T {
        register(&mut self.registry.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// What the client counts.
    #[must_use]
    pub fn api(&self) -> ApiMetrics {
        self.api.clone()
    }

    /// Counts a reconciliation.
    pub fn reconciled(&self, controller: &'static str, outcome: &'static str, took: Duration) {
        self.reconciles.get_or_create(&Reconcile { controller, outcome }).inc();
        self.durations.get_or_create(&Controller { controller }).observe(took.as_secs_f64());
    }

    /// Shows what of a network waits now.
    pub fn holds(&self, network: &ObjectKey, holds: &[Hold]) {
        for hold in Hold::REASONS {
            let labels = HoldOfNetwork { namespace: network.namespace.clone(), network: network.name.clone(), hold };
            if holds.iter().any(|waiting| waiting.reason() == hold) {
                self.holds.get_or_create(&labels).set(1);
            } else {
                self.holds.remove(&labels);
            }
        }
    }

    /// Shows a network's published snapshot.
    pub fn published(&self, network: &ObjectKey, version: Version) {
        let number = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
        self.epoch.get_or_create(&network.into()).set(number(version.epoch));
        self.revision.get_or_create(&network.into()).set(number(version.revision));
    }

    /// Shows how many of a network's nodes have a stream to this replica.
    pub fn connected(&self, network: &ObjectKey, nodes: usize) {
        self.connected.get_or_create(&network.into()).set(i64::try_from(nodes).unwrap_or(i64::MAX));
    }

    /// Measures an acknowledgement.
    pub fn acknowledged(&self, after: Duration) {
        self.acknowledgements.observe(after.as_secs_f64());
    }

    /// Shows whether a definition can be worked with.
    pub fn definition_is_usable(&self, name: &str, usable: bool) {
        let labels = Definition { definition: name.to_owned() };
        self.definitions.get_or_create(&labels).set(i64::from(usable));
    }

    /// Shows whether this replica leads.
    pub fn leads(&self, leads: bool) {
        self.leader.set(i64::from(leads));
    }

    /// Drops what is shown of a network that is gone, or of all networks of a replica that leads no more.
    pub fn forget(&self, network: &ObjectKey) {
        self.holds(network, &[]);
        self.epoch.remove(&network.into());
        self.revision.remove(&network.into());
        self.connected.remove(&network.into());
    }

    /// Everything in the OpenMetrics text format.
    ///
    /// # Errors
    /// When a metric cannot be written as text.
    pub fn encode(&self) -> Result<String, std::fmt::Error> {
        for (resource, age) in self.api.watch_ages() {
            self.watch_age.get_or_create(&WatchLabels { resource }).set(age);
        }
        let mut text = String::new();
        let registry = self.registry.lock().unwrap_or_else(PoisonError::into_inner);
        encode(&mut text, &registry)?;
        Ok(text)
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl From<&ObjectKey> for Network {
    fn from(key: &ObjectKey) -> Self {
        Self { namespace: key.namespace.clone(), network: key.name.clone() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shown_of_a_network_goes_with_it() {
        let metrics = Metrics::new();
        let demo = ObjectKey::new("shop", "demo");
        metrics.published(&demo, Version { epoch: 1, revision: 7 });
        metrics.connected(&demo, 3);
        metrics.holds(&demo, &[Hold::DisruptionBudget { pod: "demo-peer-0".into() }]);
        let text = metrics.encode().unwrap();
        assert!(text.contains(r#"peerwright_operator_snapshot_revision{namespace="shop",network="demo"} 7"#), "{text}");
        assert!(text.contains(r#"hold="DisruptionBudget"} 1"#), "{text}");
        metrics.forget(&demo);
        assert!(!metrics.encode().unwrap().contains("demo"));
    }

    #[test]
    fn a_hold_that_ended_is_not_shown() {
        let metrics = Metrics::new();
        let demo = ObjectKey::new("shop", "demo");
        metrics.holds(&demo, &[Hold::DisruptionBudget { pod: "demo-peer-0".into() }]);
        metrics.holds(&demo, &[]);
        assert!(!metrics.encode().unwrap().contains("DisruptionBudget"));
    }
}

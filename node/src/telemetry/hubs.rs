//! The hub that dockets come from.

use super::{Counted, count};
use crate::registers::{HubStanding, HubState};
use prometheus_client::{
    metrics::{family::Family, gauge::Gauge},
    registry::Registry,
};

#[derive(Debug, Default)]
pub(super) struct HubMetrics {
    hubs: Family<[(&'static str, &'static str); 1], Gauge>,
    isolated: Gauge,
    left: Counted,
    advice: Counted,
}

impl HubMetrics {
    pub(super) fn register(&self, registry: &mut Registry) {
        registry.register("hubs", "Hubs that this node goes between, by what is known of each", self.hubs.clone());
        registry.register(
            "hub_isolated",
            "Whether no hub is reached, so that what is here may be stale",
            self.isolated.clone(),
        );
        registry.register("hub_advice", "What hubs advise in their answers to keepalives", self.advice.clone());
        registry.register("hubs_left", "Times that the active hub was left, by reason", self.left.clone());
    }

    pub(super) fn left(&self, reason: &'static str) {
        count(&self.left, "reason", reason);
    }

    pub(super) fn advised(&self, advice: &'static str) {
        count(&self.advice, "advice", advice);
    }

    /// Of a node that has no hubs nothing is counted.
    pub(super) fn observe(&self, standing: &HubStanding) {
        self.isolated.set(standing.isolated_since.is_some().into());
        for state in HubState::ALL {
            let rows = standing.hubs.iter().filter(|row| row.state == state).count();
            self.hubs.get_or_create(&[("state", state.label())]).set(i64::try_from(rows).unwrap_or(i64::MAX));
        }
    }
}

//! What this node has accepted and does not know the fate of, and who follows.

use super::Counted;
use crate::registers::OutboxFigures;
use prometheus_client::{metrics::gauge::Gauge, registry::Registry};

#[derive(Debug, Default)]
pub(super) struct OutboxMetrics {
    open: Gauge,
    dead: Gauge,
    followers: Gauge,
    handed_in: Counted,
    died: Counted,
}

impl OutboxMetrics {
    pub(super) fn register(&self, registry: &mut Registry) {
        let gauges = [
            ("outbox_transactions", "Transactions accepted here that no docket holds yet", &self.open),
            ("dead_letters_kept", "Transactions accepted here that no docket will hold", &self.dead),
            ("followers", "Clients that follow registers on this node", &self.followers),
        ];
        for (name, help, gauge) in gauges {
            registry.register(name, help, gauge.clone());
        }
        registry.register(
            "handed_in",
            "Transactions handed straight to the sealers because no docket came, by what they said",
            self.handed_in.clone(),
        );
        registry.register("dead_letters", "Transactions that became dead letters, by why", self.died.clone());
    }

    pub(super) fn observe(&self, figures: OutboxFigures, followers: usize) {
        let count = |number: usize| i64::try_from(number).unwrap_or(i64::MAX);
        self.open.set(count(figures.open));
        self.dead.set(count(figures.dead));
        self.followers.set(count(followers));
    }

    pub(super) fn handed_in(&self, outcome: &'static str, count: usize) {
        self.handed_in.get_or_create(&[("outcome", outcome)]).inc_by(count as u64);
    }

    pub(super) fn died(&self, why: &'static str) {
        self.died.get_or_create(&[("why", why)]).inc();
    }
}

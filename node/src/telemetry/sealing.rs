//! The sealing group, as one of its members sees it.

use peerwright_sealing::GroupStatus;
use prometheus_client::{metrics::gauge::Gauge, registry::Registry};

#[derive(Debug, Default)]
pub(super) struct SealingFigures {
    member: Gauge,
    leading: Gauge,
    sealers: Gauge,
    registers: Gauge,
    uncertified: Gauge,
}

impl SealingFigures {
    pub(super) fn register(&self, registry: &mut Registry) {
        let rows = [
            ("sealing_member", "Whether this node is of the sealing group", &self.member),
            ("sealing_leading", "Whether this node leads the sealing group", &self.leading),
            ("sealing_sealers", "Members of the sealing group", &self.sealers),
            ("sealing_registers", "Registers that the group seals", &self.registers),
            ("sealing_uncertified", "Dockets that wait for their certificates", &self.uncertified),
        ];
        for (name, help, gauge) in rows {
            registry.register(name, help, gauge.clone());
        }
    }

    /// `None` while this node does not seal.
    pub(super) fn observe(&self, status: Option<&GroupStatus>) {
        let count = |number: usize| i64::try_from(number).unwrap_or(i64::MAX);
        self.member.set(i64::from(status.is_some()));
        self.leading.set(i64::from(status.is_some_and(|status| status.is_leading)));
        self.sealers.set(status.map_or(0, |status| count(status.sealers.len())));
        self.registers.set(status.map_or(0, |status| count(status.registers)));
        self.uncertified.set(status.map_or(0, |status| count(status.uncertified)));
    }
}

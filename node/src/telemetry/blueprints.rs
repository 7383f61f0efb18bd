//! The network's blueprints, as far as this node has read them.

use crate::registers::BlueprintFigures;
use prometheus_client::{
    metrics::{counter::Counter, family::Family, gauge::Gauge},
    registry::Registry,
};

#[derive(Debug, Default)]
pub(super) struct BlueprintMetrics {
    blueprints: Family<[(&'static str, &'static str); 1], Gauge>,
    told: Counter,
}

impl BlueprintMetrics {
    pub(super) fn register(&self, registry: &mut Registry) {
        registry.register("blueprints", "Blueprints of the system register, by state", self.blueprints.clone());
        registry.register(
            "blueprint_changes_told",
            "Changes of blueprints told to who follows them",
            self.told.clone(),
        );
    }

    pub(super) fn told(&self, changes: u64) {
        self.told.inc_by(changes);
    }

    pub(super) fn observe(&self, figures: BlueprintFigures) {
        let BlueprintFigures { active, deprecated, passed_over } = figures;
        let set = |state, count: u64| {
            self.blueprints.get_or_create(&[("state", state)]).set(i64::try_from(count).unwrap_or(i64::MAX));
        };
        set("active", active as u64);
        set("deprecated", deprecated as u64);
        set("passed_over", passed_over);
    }
}

//! Which register holds a network's blueprints. Pure.
//!
//! ```text
//! spec.systemRegister ──────────────────────────────────────────────▶ that one
//! spec.systemRegisterPolicy: Create ─▶ in force ─▶ in the status ─▶ what most sealers say that they have begun
//! ```
//!
//! What the sealers have begun counts from the snapshot on that names it, for good: neither another leader among them nor
//! an operator that has heard nobody yet makes it another. The status stands in for a snapshot that is lost.

use std::collections::{BTreeMap, BTreeSet};

use peerwright_crds::PeerNetwork;
use peerwright_secure::PeerId;
use peerwright_snapshot::Content;

use super::subscriptions::register_id;
use crate::nodes::NodeReport;

/// The register of the network's blueprints, if there is one by now.
pub(super) fn system(
    network: &PeerNetwork,
    in_force: &Content,
    sealers: &BTreeSet<PeerId>,
    reports: &[NodeReport],
) -> Option<[u8; 16]> {
    if !network.begins_system_register() {
        return network.spec.system_register.as_deref().and_then(register_id);
    }
    let recorded = network.status.as_ref().and_then(|status| register_id(status.system_register.as_deref()?));
    in_force.system.or(recorded).or_else(|| begun(sealers, reports))
}

/// What more than half of the sealers say that they have begun: one of them alone may not have seen all yet.
fn begun(sealers: &BTreeSet<PeerId>, reports: &[NodeReport]) -> Option<[u8; 16]> {
    let seals = |report: &&NodeReport| report.connected && sealers.contains(&report.peer_id);
    let mut said: BTreeMap<[u8; 16], BTreeSet<PeerId>> = BTreeMap::new();
    for report in reports.iter().filter(seals) {
        if let Some(register) = report.sealing.as_ref().and_then(|sealing| sealing.system_register) {
            said.entry(register).or_default().insert(report.peer_id);
        }
    }
    said.into_iter().find(|(_, by)| by.len() > sealers.len() / 2).map(|(register, _)| register)
}

#[cfg(test)]
#[path = "system_tests.rs"]
mod tests;

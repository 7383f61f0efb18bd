//! Which group a network's sealers are of, and who begins the next one alone. Pure.
//!
//! ```text
//! PeerOperation forceSealer, Running ─▶ succession in the snapshot ─▶ the survivor says: led, of that generation
//!                                                                                     │
//!                                       generation in the snapshot ◀──────────────────┘ ─▶ Succeeded
//! ```
//!
//! What is in force decides: the snapshot's generation rises only once the group is there, and never falls. So an operator
//! that starts in the middle goes on where it was, whatever it has heard so far.

use std::{collections::BTreeSet, sync::Arc};

use kube::ResourceExt;
use peerwright_crds::{ForceSealerStatus, OperationPhase, PeerNetwork, PeerOperation};
use peerwright_secure::PeerId;
use peerwright_snapshot::{Content, Succession};

use crate::nodes::NodeReport;

/// What operations of this network, as it is now, have begun; one of the same name before it does not count.
pub fn begun<'a>(
    network: &'a PeerNetwork,
    operations: &'a [Arc<PeerOperation>],
) -> impl Iterator<Item = (OperationPhase, &'a ForceSealerStatus)> {
    let uid = network.uid();
    let own = operations.iter().filter(move |operation| {
        operation.spec.network_ref.name == network.name_any() && operation.namespace() == network.namespace()
    });
    own.filter_map(move |operation| {
        let status = operation.status.as_ref()?;
        let begun = status.force_sealer.as_ref().filter(|begun| Some(&begun.network_uid) == uid.as_ref())?;
        Some((status.phase?, begun))
    })
}

/// The generation of the sealers, and the order to begin the next.
pub(super) fn succession(
    network: &PeerNetwork,
    operations: &[Arc<PeerOperation>],
    in_force: &Content,
    reports: &[NodeReport],
) -> (u64, Option<Succession>) {
    let generation_of = |begun: &ForceSealerStatus| u64::try_from(begun.generation).unwrap_or_default();
    let is_begun = |order: &Succession| {
        reports.iter().any(|report| {
            let sealing =
                report.sealing.as_ref().filter(|sealing| sealing.led && sealing.generation == order.generation);
            report.connected && report.peer_id == order.survivor && sealing.is_some()
        })
    };
    // A snapshot that was lost does not take the network back to a group that is gone.
    let done = begun(network, operations).filter(|(phase, _)| *phase == OperationPhase::Succeeded);
    let done = done.map(|(_, begun)| generation_of(begun));
    let now_begun = in_force.succession.filter(is_begun).map(|order| order.generation);
    let generation = done.chain(now_begun).chain([in_force.generation]).max().unwrap_or_default();
    let running = begun(network, operations).filter(|(phase, _)| *phase == OperationPhase::Running);
    let orders = running.filter_map(|(_, begun)| {
        let survivor = begun.survivor.parse().ok()?;
        Some(Succession { generation: generation_of(begun), survivor })
    });
    let order = orders.filter(|order| order.generation > generation).min_by_key(|order| order.generation);
    (generation, order)
}

/// The sealers that were lost: who comes back with what it had is talked to by nobody.
pub(super) fn lost(network: &PeerNetwork, operations: &[Arc<PeerOperation>]) -> BTreeSet<PeerId> {
    let ids = begun(network, operations).flat_map(|(_, begun)| &begun.lost);
    ids.filter_map(|peer| peer.parse().ok()).collect()
}

#[cfg(test)]
#[path = "succession_tests.rs"]
mod tests;

//! The one place that writes a network's status, once a pass and only when it is another.

use std::time::Duration;

use k8s_openapi::{apimachinery::pkg::apis::meta::v1::Condition, jiff::Timestamp};
use kube::runtime::events::EventType;
use peerwright_crds::{PeerNetwork, PromotedBan};
use tokio::time::Instant;

use super::{
    children::Outcome,
    plan::{Hold, Observed},
    status, uid_of,
    validate::Invalid,
};
use crate::{
    cache::{Decoded, prune},
    controllers::{Context, ReconcileError},
    events,
};

/// What this pass found.
pub(super) struct Facts<'a> {
    pub(super) image: String,
    pub(super) invalid: Option<Invalid>,
    pub(super) nodes: Observed,
    pub(super) promoted: Vec<PromotedBan>,
    pub(super) outcome: &'a Outcome,
}

/// Writes the status if it changed, and tells of transitions. Gives when to look again.
pub(super) async fn write_status(
    network: &PeerNetwork,
    facts: Facts<'_>,
    context: &Context,
) -> Result<Option<Duration>, ReconcileError> {
    let uid = uid_of(network);
    let (finding, reach) = (context.findings.get(&uid), context.reaches.get(&uid));
    let now = Instant::now();
    let assessed = status::assess(&status::Facts {
        network,
        image: &facts.image,
        invalid: facts.invalid.as_ref(),
        nodes: &facts.nodes,
        promoted: &facts.promoted,
        outcome: facts.outcome,
        finding: finding.as_deref(),
        reach: reach.as_deref(),
        now,
        wall: Timestamp::now(),
    });
    let before = network.status.clone().unwrap_or_default();
    if before != assessed.status {
        let parts = &context.parts;
        let mut written = parts.writer.apply_status(network, &assessed.status).await?;
        prune::metadata(&mut written);
        parts.caches.networks.wrote(Decoded::from(written));
        parts.events.tell_transitions(network, &before.conditions, &assessed.status.conditions, tone).await;
    }
    Ok(assessed.look_again.map(|at| at.saturating_duration_since(now) + Duration::from_millis(10)))
}

/// What is `Reconciling` is told by the name of what waits; that nodes come and go in between is what Ready tells.
fn tone(before: Option<&Condition>, after: &Condition) -> Option<EventType> {
    let is_bad = match after.type_.as_str() {
        "Stalled" => after.status == "True",
        "Reconciling" if after.reason == "ApplyFailed" => true,
        "Reconciling" if Hold::REASONS.contains(&after.reason.as_str()) => return Some(EventType::Normal),
        "Reconciling" if before.is_some_and(|before| before.status == after.status) => return None,
        // That it takes a moment is no news.
        "Reconciling" | "Ready" | "SystemRegisterBegun" => false,
        _ => after.status == "False" && after.reason != "Propagating",
    };
    events::tone(before, after, is_bad)
}

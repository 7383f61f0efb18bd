//! The status of each PeerOperation, and with it the work: a status that says Running is the order, and the policy
//! controller puts it into the snapshot.
//!
//! ```text
//! Pending ─▶ Running ─▶ Succeeded          the status is written before anything is done: a start in the middle goes on
//!    └─────▶ Refused                        where it says; what is over is never looked at again
//! ```

mod assess;

use std::{sync::Arc, time::Duration};

use k8s_openapi::{apimachinery::pkg::apis::meta::v1::Condition, jiff::Timestamp};
use kube::{
    ResourceExt,
    runtime::{controller::Action, events::EventType},
};
use peerwright_crds::{OperationPhase, PeerOperation};

use self::assess::{Facts, REFUSALS, assess};
use super::{Context, run::Reconciled};
use crate::{
    cache::{Decoded, ObjectKey, prune},
    events,
};

/// How often an operation is looked at that is not over.
const LOOK: Duration = Duration::from_secs(2);

pub(super) fn reconcile(object: Arc<Decoded<PeerOperation>>, context: Arc<Context>) -> Reconciled {
    Box::pin(async move {
        let Some(operation) = context.readable(object.as_ref()).await else { return Ok(Action::await_change()) };
        let before = operation.status.clone().unwrap_or_default();
        let is_over = |phase: Option<OperationPhase>| phase.is_some_and(OperationPhase::is_over);
        if operation.metadata.deletion_timestamp.is_some() || is_over(before.phase) {
            return Ok(Action::await_change());
        }
        let parts = &context.parts;
        let key = ObjectKey::new(operation.namespace().unwrap_or_default(), &operation.spec.network_ref.name);
        let network = parts.caches.network(&key);
        let uid = network.as_ref().and_then(|network| network.uid()).unwrap_or_default();
        let finding = context.findings.get(&uid);
        let published = finding.as_deref().and_then(|finding| finding.published.as_ref());
        let status = assess(&Facts {
            operation: &operation,
            network: network.as_deref(),
            content: published.map(|published| &published.snapshot.content),
            reports: &parts.registry.report(&uid),
            operations: &parts.caches.operations_of(&key),
            wall: Timestamp::now(),
        });
        let phase = status.phase;
        if status != before {
            let mut written = parts.writer.apply_status(operation.as_ref(), &status).await?;
            prune::metadata(&mut written);
            parts.caches.operations.wrote(Decoded::from(written));
            parts.events.tell_transitions(operation.as_ref(), &before.conditions, &status.conditions, tone).await;
        }
        // The snapshot says so when it is due, and hears when it is done.
        if matches!(phase, Some(OperationPhase::Running | OperationPhase::Succeeded)) {
            parts.triggers.policies.fire(key);
        }
        Ok(if is_over(phase) { Action::await_change() } else { Action::requeue(LOOK) })
    })
}

fn tone(_: Option<&Condition>, after: &Condition) -> Option<EventType> {
    let is_bad = REFUSALS.contains(&after.reason.as_str());
    // Each step of what cannot be undone is told.
    events::tone(Some(after), after, is_bad)
}

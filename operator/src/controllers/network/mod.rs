//! A network's children, rollout and status.
//!
//! ```text
//! dereference ─> validate ─> build ─> plan ─> apply ─> status
//! caches          pure        pure     pure    writes   pure, then one write
//! ```

pub mod build;
pub mod children;
pub mod covers;
pub mod database;
mod dereference;
pub(super) mod hubs;
pub mod plan;
mod promotion;
mod rollout;
pub mod status;
#[cfg(test)]
pub(crate) mod testing;
pub mod validate;
mod write_status;

use std::{sync::Arc, time::Duration};

use kube::{ResourceExt, runtime::controller::Action};
use peerwright_crds::PeerNetwork;

use self::{
    build::build,
    children::{COLLISION_RETRY, Children, Outcome},
    dereference::{Dereferenced, dereference},
    plan::{Hold, plan},
    validate::{ValidNetwork, resolve_image, validate},
};
use super::{Context, ReconcileError, run::Reconciled};
use crate::{
    cache::{Decoded, ObjectKey},
    identity::unix_now,
};

/// How often what waits is looked at again, besides every change that is seen.
const HELD: Duration = Duration::from_secs(15);

/// Reconciles one network.
pub(super) fn reconcile(object: Arc<Decoded<PeerNetwork>>, context: Arc<Context>) -> Reconciled {
    Box::pin(async move {
        let Some(network) = context.readable(object.as_ref()).await else { return Ok(Action::await_change()) };
        // What it owns goes by owner references; nothing is made for it any more.
        if network.metadata.deletion_timestamp.is_some() {
            return Ok(Action::await_change());
        }
        // Who is banned is known only then: before, a banned node would look like one that is down.
        if context.findings.get(&uid_of(&network)).is_none() {
            return Ok(Action::await_change());
        }
        let found = dereference(&network, &context);
        let image = resolve_image(&network, found.running_image(), &context.parts.node_image);
        let (nodes, invalid, mut outcome) = match validate(&network, image.clone()) {
            Ok(valid) => {
                let (nodes, outcome) = Box::pin(roll_out(&valid, &found, &context)).await?;
                (nodes, None, outcome)
            }
            Err(invalid) => (plan::Observed::default(), Some(invalid), Outcome::default()),
        };
        context.parts.metrics.holds(&ObjectKey::of(network.as_ref()), &outcome.holds);
        let uid = uid_of(&network);
        let mut writes = Children::new(&context.parts.writer, &uid);
        let promoted = promotion::promote(&network, &found.banned, &mut writes, &context).await;
        outcome.errors.extend(writes.finish()?.errors);
        let next_end = promoted.next_end.map(until);
        let facts = write_status::Facts { image, invalid, nodes, promoted: promoted.rows, outcome: &outcome };
        let again = write_status::write_status(&network, facts, &context).await?;
        let told = hubs::tell(&network, &uid, &context).await;
        if !outcome.errors.is_empty() {
            return Err(ReconcileError::Steps(outcome.errors));
        }
        let held = (!outcome.holds.is_empty()).then_some(HELD);
        let collision = outcome.holds.iter().any(|hold| matches!(hold, Hold::NameCollision { .. }));
        let collision = collision.then_some(COLLISION_RETRY);
        let again = [again, told, held, collision, next_end].into_iter().flatten().min();
        Ok(again.map_or_else(Action::await_change, Action::requeue))
    })
}

/// From now until a Unix second, and a second more.
fn until(unix_seconds: u64) -> Duration {
    Duration::from_secs(unix_seconds.saturating_sub(u64::try_from(unix_now()).unwrap_or_default()) + 1)
}

/// Builds what the network should own, plans the next step and takes it.
async fn roll_out(
    network: &ValidNetwork<'_>,
    found: &Dereferenced,
    context: &Context,
) -> Result<(plan::Observed, Outcome), ReconcileError> {
    let desired = build(network, &context.parts.install, found.banned.len());
    let observed = rollout::observe(network, &desired, found, k8s_openapi::jiff::Timestamp::now());
    let plan = plan(&observed);
    let mut children = Children::new(&context.parts.writer, &network.uid);
    rollout::apply(network, desired, plan, &mut children, context).await;
    Ok((observed, children.finish()?))
}

/// The key of a child.
fn child_key(network: &ValidNetwork<'_>, name: impl Into<String>) -> ObjectKey {
    ObjectKey::new(&network.namespace, name)
}

/// UID of a network, which every object of an API server has.
fn uid_of(network: &PeerNetwork) -> String {
    network.uid().unwrap_or_default()
}

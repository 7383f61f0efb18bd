//! The status of each RegisterSubscription: accepted or why not, synced and current or by whom not yet; and its end.
//!
//! ```text
//! deletionPolicy Delete, accepted ──▶ finalizer
//!    deleted ──▶ snapshot: subscription out, purge in ──▶ every running node: Purged ──▶ finalizer off, purge out
//!            └─▶ a node of the placement seals: held, nothing changes
//! ```
//!
//! Nothing is waited for when there is no network to wait for: it is gone, or going. So a namespace that is being deleted
//! takes its subscriptions with it: networks have no finalizer, and go first.

mod assess;
mod ending;
mod extent;
mod pace;

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use k8s_openapi::{apimachinery::pkg::apis::meta::v1::Condition, jiff::Timestamp};
use kube::{
    Resource, ResourceExt,
    runtime::{controller::Action, events::EventType},
};
use peerwright_crds::{REGISTERS_FINALIZER, RegisterSubscription};
use tokio::time::Instant;

pub(super) use self::pace::Pace;
use self::{
    assess::{Facts, assess, winner},
    ending::{Ending, ending, wanted_finalizers},
};
use super::{Context, ReconcileError, run::Reconciled};
use crate::{
    cache::{Decoded, ObjectKey, prune},
    conditions::{Truth, says},
    events,
};

/// How often a subscription whose end waits is looked at, whatever happens: its network may be going.
const LOOK: Duration = Duration::from_secs(5);

pub(super) fn reconcile(object: Arc<Decoded<RegisterSubscription>>, context: Arc<Context>) -> Reconciled {
    Box::pin(async move {
        let Some(subscription) = context.readable(object.as_ref()).await else { return Ok(Action::await_change()) };
        let is_ending = subscription.metadata.deletion_timestamp.is_some();
        if is_ending && !subscription.finalizers().iter().any(|finalizer| finalizer == REGISTERS_FINALIZER) {
            return Ok(Action::await_change());
        }
        Pass { subscription, is_ending, context }.run().await
    })
}

struct Pass {
    subscription: Arc<RegisterSubscription>,
    is_ending: bool,
    context: Arc<Context>,
}

impl Pass {
    async fn run(mut self) -> Result<Action, ReconcileError> {
        let now = Instant::now();
        let parts = &self.context.parts;
        let key =
            ObjectKey::new(self.subscription.namespace().unwrap_or_default(), &self.subscription.spec.network_ref.name);
        // One that cannot be read is not gone.
        let existing = parts.caches.networks.get(&key);
        let is_network_alive = existing.is_some_and(|network| network.meta().deletion_timestamp.is_none());
        let network = parts.caches.network(&key);
        let uid = network.as_ref().and_then(|network| network.uid()).unwrap_or_default();
        let (finding, reach) = (self.context.findings.get(&uid), self.context.reaches.get(&uid));
        let own = self.subscription.uid().unwrap_or_default();
        let rivals = parts.caches.subscriptions_of(&key);
        let sealers = finding.as_deref().and_then(|finding| finding.published.as_ref());
        let sealers = sealers.map(|published| &published.snapshot.content.sealers);
        let seals = |pod: &str| {
            let peer = parts.members.peer_id_of(&uid, pod);
            peer.is_some_and(|peer| sealers.is_some_and(|sealers| sealers.contains(&peer)))
        };
        let nodes = reach.as_deref().map(|reach| reach.nodes.keys().filter(|pod| seals(pod)).cloned());
        let sealing: BTreeSet<String> = nodes.into_iter().flatten().collect();
        let facts = Facts {
            subscription: &self.subscription,
            network: network.as_deref(),
            winner: winner(&self.subscription, &rivals),
            verdict: finding.as_deref().and_then(|finding| finding.subscriptions.get(&own)),
            problem: finding.as_deref().and_then(|finding| finding.policy_problem.as_ref()),
            published_at: finding.as_deref().and_then(|finding| finding.published_at),
            purges: finding.as_deref().map(|finding| &finding.purges),
            reach: reach.as_deref(),
            sealing: &sealing,
            now,
            wall: Timestamp::now(),
        };
        if self.is_ending && ending(&facts, is_network_alive) == Ending::Over {
            self.set_finalizer(false).await?;
            return Ok(Action::await_change());
        }
        let assessed = assess(&facts);
        let mut look_again = assessed.look_again;
        let before = self.subscription.status.clone().unwrap_or_default();
        if let Some(status) = assessed.status.filter(|status| *status != before) {
            match self.context.pace.admit(&own, pace::is_urgent(&before, &status), now) {
                Ok(()) => {
                    let mut written = parts.writer.apply_status(self.subscription.as_ref(), &status).await?;
                    prune::metadata(&mut written);
                    parts.caches.subscriptions.wrote(Decoded::from(written.clone()));
                    let told = parts.events.tell_transitions(&written, &before.conditions, &status.conditions, tone);
                    told.await;
                    self.subscription = Arc::new(written);
                }
                Err(later) => look_again = Some(look_again.map_or(later, |other| other.min(later))),
            }
        }
        let conditions = self.subscription.status.as_ref().map_or(&[][..], |status| &status.conditions);
        let is_accepted = says(conditions, "Accepted", Truth::True);
        if !self.is_ending
            && let Some(wanted) = wanted_finalizers(&self.subscription, is_accepted)
        {
            self.set_finalizer(wanted).await?;
        }
        let again = look_again.map(|at| at.saturating_duration_since(now) + Duration::from_millis(10));
        let again = if self.is_ending { Some(again.map_or(LOOK, |again| again.min(LOOK))) } else { again };
        Ok(again.map_or_else(Action::await_change, Action::requeue))
    }

    /// Puts our finalizer on, or takes it off; others stay.
    async fn set_finalizer(&self, on: bool) -> Result<(), ReconcileError> {
        let mut finalizers = self.subscription.finalizers().to_vec();
        finalizers.retain(|finalizer| finalizer != REGISTERS_FINALIZER);
        if on {
            finalizers.push(REGISTERS_FINALIZER.to_owned());
        }
        let parts = &self.context.parts;
        if let Some(mut written) = parts.writer.set_finalizers(self.subscription.as_ref(), &finalizers).await? {
            prune::metadata(&mut written);
            // What is gone with its last finalizer does not come back by our own word.
            if written.metadata.deletion_timestamp.is_none() || !finalizers.is_empty() {
                parts.caches.subscriptions.wrote(Decoded::from(written));
            }
        }
        Ok(())
    }
}

fn tone(before: Option<&Condition>, after: &Condition) -> Option<EventType> {
    let is_bad = match after.type_.as_str() {
        "Accepted" => after.status == "False",
        "Current" => matches!(after.reason.as_str(), "Behind" | "ReplicaFailed" | "Forked" | "NodesUnreachable"),
        "Deleted" => after.reason == "WouldLoseQuorum",
        _ => after.reason == "NodesUnreachable",
    };
    // Whoever deletes a subscription knows.
    if after.reason == "Deleting" { None } else { events::tone(before, after, is_bad) }
}

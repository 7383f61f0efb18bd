//! The status of each RegisterSubscription: accepted or why not, synced or by whom not yet.

mod assess;

use std::{sync::Arc, time::Duration};

use k8s_openapi::{apimachinery::pkg::apis::meta::v1::Condition, jiff::Timestamp};
use kube::{
    ResourceExt,
    runtime::{controller::Action, events::EventType},
};
use peerwright_crds::RegisterSubscription;
use tokio::time::Instant;

use self::assess::{Facts, assess, winner};
use super::{Context, run::Reconciled};
use crate::{
    cache::{Decoded, ObjectKey, prune},
    events,
};

pub(super) fn reconcile(object: Arc<Decoded<RegisterSubscription>>, context: Arc<Context>) -> Reconciled {
    Box::pin(async move {
        let Some(subscription) = context.readable(object.as_ref()).await else { return Ok(Action::await_change()) };
        if subscription.metadata.deletion_timestamp.is_some() {
            return Ok(Action::await_change());
        }
        let (parts, now) = (&context.parts, Instant::now());
        let key = ObjectKey::new(subscription.namespace().unwrap_or_default(), &subscription.spec.network_ref.name);
        let network = parts.caches.network(&key);
        let uid = network.as_ref().and_then(|network| network.uid()).unwrap_or_default();
        let (finding, reach) = (context.findings.get(&uid), context.reaches.get(&uid));
        let own = subscription.uid().unwrap_or_default();
        let rivals = parts.caches.subscriptions_of(&key);
        let assessed = assess(&Facts {
            subscription: &subscription,
            network_exists: network.is_some(),
            winner: winner(&subscription, &rivals),
            verdict: finding.as_deref().and_then(|finding| finding.subscriptions.get(&own)).copied(),
            problem: finding.as_deref().and_then(|finding| finding.policy_problem.as_ref()),
            published_at: finding.as_deref().and_then(|finding| finding.published_at),
            reach: reach.as_deref(),
            now,
            wall: Timestamp::now(),
        });
        let before = subscription.status.clone().unwrap_or_default();
        if let Some(status) = assessed.status.filter(|status| *status != before) {
            let mut written = parts.writer.apply_status(subscription.as_ref(), &status).await?;
            prune::metadata(&mut written);
            parts.caches.subscriptions.wrote(Decoded::from(written));
            parts.events.tell_transitions(subscription.as_ref(), &before.conditions, &status.conditions, tone).await;
        }
        let again = assessed.look_again.map(|at| at.saturating_duration_since(now) + Duration::from_millis(10));
        Ok(again.map_or_else(Action::await_change, Action::requeue))
    })
}

fn tone(before: Option<&Condition>, after: &Condition) -> Option<EventType> {
    let refused = after.status == "False" && after.type_ == "Accepted";
    events::tone(before, after, refused || after.reason == "NodesUnreachable")
}

//! The status of each PeerBan: accepted or why not, enforced by all or by whom not yet, expired.

mod assess;

use std::{sync::Arc, time::Duration};

use k8s_openapi::{apimachinery::pkg::apis::meta::v1::Condition, jiff::Timestamp};
use kube::{
    ResourceExt,
    runtime::{controller::Action, events::EventType},
};
use peerwright_crds::PeerBan;
use tokio::time::Instant;

use self::assess::{Facts, assess};
use super::{Context, run::Reconciled};
use crate::{
    cache::{Decoded, ObjectKey, prune},
    events,
    policy::BanSource,
};

pub(super) fn reconcile(object: Arc<Decoded<PeerBan>>, context: Arc<Context>) -> Reconciled {
    Box::pin(async move {
        let Some(ban) = context.readable(object.as_ref()).await else { return Ok(Action::await_change()) };
        if ban.metadata.deletion_timestamp.is_some() {
            return Ok(Action::await_change());
        }
        let (parts, now) = (&context.parts, Instant::now());
        let key = ObjectKey::new(ban.namespace().unwrap_or_default(), &ban.spec.network_ref.name);
        let network = parts.caches.network(&key);
        let uid = network.as_ref().and_then(|network| network.uid()).unwrap_or_default();
        let (finding, reach) = (context.findings.get(&uid), context.reaches.get(&uid));
        let source = BanSource::PeerBan(ban.name_any());
        let judged =
            finding.as_deref().and_then(|finding| finding.bans.get(&source)).filter(|found| found.of == ban.uid());
        let assessed = assess(&Facts {
            ban: &ban,
            network_exists: network.is_some(),
            finding: judged,
            problem: finding.as_deref().and_then(|finding| finding.policy_problem.as_ref()),
            published_at: finding.as_deref().and_then(|finding| finding.published_at),
            reach: reach.as_deref(),
            now,
            wall: Timestamp::now(),
        });
        let before = ban.status.clone().unwrap_or_default();
        if let Some(status) = assessed.status.filter(|status| *status != before) {
            let mut written = parts.writer.apply_status(ban.as_ref(), &status).await?;
            prune::metadata(&mut written);
            parts.caches.bans.wrote(Decoded::from(written));
            parts.events.tell_transitions(ban.as_ref(), &before.conditions, &status.conditions, tone).await;
        }
        let again = assessed.look_again.map(|at| at.saturating_duration_since(now) + Duration::from_millis(10));
        Ok(again.map_or_else(Action::await_change, Action::requeue))
    })
}

fn tone(before: Option<&Condition>, after: &Condition) -> Option<EventType> {
    let is_bad = match after.type_.as_str() {
        "Accepted" => after.status == "False" && after.reason != "Expired",
        "Enforced" => after.reason == "NodesUnreachable",
        _ => false,
    };
    events::tone(before, after, is_bad)
}

//! Identity, trust and snapshot of each network: what nothing else may hold up.
//!
//! Authority, then trust ConfigMap, then snapshot. A step that fails is remembered and the next is tried all the same:
//! a lost authority stops neither bans nor subscriptions.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use k8s_openapi::api::core::v1::ConfigMap;
use kube::{ResourceExt, runtime::controller::Action};
use peerwright_crds::{PeerBan, PeerNetwork, RegisterSubscription};
use peerwright_snapshot::Content;
use tokio::time::Instant;

use super::{
    Context, ReconcileError,
    findings::{BanFinding, Finding, Problem},
    network::{build::trust_config_map, children::Children, plan::Hold},
    run::Reconciled,
};
use crate::{
    cache::{Decoded, ObjectKey},
    identity::{Authority, unix_now},
    policy::{BanSource, Compiled, Inputs, Publication, PublishError, Published, Request, TokenIssuer, compile},
};

/// What a snapshot was compiled into, and the objects that it was compiled from.
struct Judged {
    compiled: Compiled,
    bans: Vec<Arc<PeerBan>>,
    subscriptions: Vec<Arc<RegisterSubscription>>,
}

/// How soon a trust ConfigMap that could not be written is tried again.
const SOON: Duration = Duration::from_secs(5);
/// How often what needs a person is looked at again.
const PERMANENT: Duration = Duration::from_secs(60);

pub(super) fn reconcile(object: Arc<Decoded<PeerNetwork>>, context: Arc<Context>) -> Reconciled {
    Box::pin(async move {
        // The network controller tells people what cannot be read.
        let Some(network) = object.valid() else { return Ok(Action::await_change()) };
        if network.metadata.deletion_timestamp.is_some() {
            return departing(network, &context).await;
        }
        let pass = Pass {
            network,
            key: ObjectKey::of(network.as_ref()),
            uid: network.uid().unwrap_or_default(),
            context: &context,
        };
        pass.run().await
    })
}

/// Nobody joins a network that is being deleted; nothing is made for it any more.
async fn departing(network: &PeerNetwork, context: &Context) -> Result<Action, ReconcileError> {
    let uid = network.uid().unwrap_or_default();
    if context.findings.get(&uid).is_some_and(|finding| finding.fingerprint.is_some()) {
        context.parts.authorities.ensure(network).await?;
    }
    Ok(Action::await_change())
}

struct Pass<'a> {
    network: &'a PeerNetwork,
    key: ObjectKey,
    uid: String,
    context: &'a Context,
}

impl Pass<'_> {
    async fn run(&self) -> Result<Action, ReconcileError> {
        let mut finding = Finding::default();
        let mut failure = None;

        let authority = match self.context.parts.authorities.ensure(self.network).await {
            Ok(authority) => {
                finding.fingerprint = Some(authority.fingerprint().to_owned());
                Some(authority)
            }
            Err(error) => {
                let (reason, permanent) = (error.reason(), error.is_permanent());
                finding.identity_problem = Some(Problem { reason, message: error.to_string(), permanent });
                failure = Some(unless_not_leading(error.into())?);
                None
            }
        };
        let mut again = None;
        if let Some(authority) = &authority {
            finding.policy_problem = self.apply_trust(authority).await?;
            // Nodes do not start without it, and no watch tells when somebody else's object is out of the way.
            again = finding.policy_problem.as_ref().map(|_| SOON);
        }
        match self.publish(authority.as_deref()).await {
            Ok((judged, publication)) => {
                again = [again, self.next_look(&judged.compiled, &publication)].into_iter().flatten().min();
                finding.generation = match &publication {
                    Publication::Current(_) => self.network.metadata.generation,
                    Publication::Deferred { .. } => {
                        self.context.findings.get(&self.uid).and_then(|before| before.generation)
                    }
                };
                finding.take(judged, self.network, publication.published());
            }
            Err(error) => {
                let permanent = matches!(error, PublishError::NameCollision(_) | PublishError::Unsignable(_));
                let problem = Problem { reason: error.reason(), message: error.to_string(), permanent };
                finding.keep(self.context.findings.get(&self.uid).as_deref());
                finding.policy_problem = Some(problem);
                failure = failure.or(Some(unless_not_leading(error.into())?));
            }
        }
        self.record(finding);
        match (failure, again) {
            (Some(ReconcileError::Authority(error)), again) if error.is_permanent() => {
                Ok(Action::requeue(again.map_or(PERMANENT, |again| again.min(PERMANENT))))
            }
            // A snapshot that is due does not wait for the backoff of what failed.
            (Some(_), Some(again)) if again <= SOON => Ok(Action::requeue(again)),
            (Some(error), _) => Err(error),
            (None, again) => Ok(again.map_or_else(Action::await_change, Action::requeue)),
        }
    }

    /// The public certificates that nodes mount. Gives what is wrong with the ConfigMap.
    async fn apply_trust(&self, authority: &Authority) -> Result<Option<Problem>, ReconcileError> {
        let parts = &self.context.parts;
        let desired = trust_config_map(self.network, authority.trust_pem(), &parts.install_root_pem);
        let mut children = Children::new(&parts.writer, &self.uid);
        children.apply(desired, &parts.caches.config_maps).await;
        let outcome = children.finish()?;
        let collision = outcome.holds.iter().find(|hold| matches!(hold, Hold::NameCollision { .. }));
        let problem = match (collision, outcome.errors.is_empty()) {
            (Some(collision), _) => {
                Some(Problem { reason: collision.reason(), message: collision.to_string(), permanent: true })
            }
            (None, false) => {
                Some(Problem { reason: "ApplyFailed", message: outcome.errors.join("; "), permanent: false })
            }
            (None, true) => None,
        };
        Ok(problem)
    }

    async fn publish(&self, authority: Option<&Authority>) -> Result<(Judged, Publication), PublishError> {
        let parts = &self.context.parts;
        let observed = self.observed_snapshot();
        let in_force = parts.publisher.in_force(self.network, observed.as_deref()).await?;
        let members = parts.members.load(&self.uid).await?;
        let content = in_force.as_ref().map(|published| &published.snapshot.content);
        // What is not known right now stays what the nodes were told: a lost authority or an API server that does not
        // name its keys must not take trust or clients away.
        let trust = match (authority, content) {
            (Some(authority), _) => authority.trust_der(),
            (None, Some(content)) => content.trust.clone(),
            // Nodes refuse a snapshot that trusts nobody, and the bans in it.
            (None, None) => return Err(PublishError::NothingToTrust),
        };
        let told = content.filter(|content| !content.api.issuer.is_empty()).map(|content| {
            Arc::new(TokenIssuer { issuer: content.api.issuer.clone(), jwks: content.api.jwks.clone() })
        });
        let tokens = parts.tokens.current().or(told);
        let nothing = Content::default();
        let bans = parts.caches.bans_of(&self.key);
        let subscriptions = parts.caches.subscriptions_of(&self.key);
        let compiled = compile(&Inputs {
            network: self.network,
            subscriptions: &subscriptions,
            bans: &bans,
            operations: &parts.caches.operations_of(&self.key),
            reports: &parts.registry.report(&self.uid),
            members: &members,
            leaves: &parts.registry.leaves(&self.uid),
            trust: &trust,
            authority: authority.map(|authority| authority.over_registers().public()),
            tokens: tokens.as_deref(),
            in_force: content.unwrap_or(&nothing),
            now: unix_now(),
        });
        let acknowledged = parts.registry.highest_acknowledged(&self.uid);
        let request = Request {
            network: self.network,
            content: compiled.content.clone(),
            observed: observed.as_deref(),
            acknowledged,
        };
        let publication = parts.publisher.publish(request).await?;
        Ok((Judged { compiled, bans, subscriptions }, publication))
    }

    /// resourceVersion of the snapshot's ConfigMap as the watch shows it.
    fn observed_snapshot(&self) -> Option<String> {
        let key = ObjectKey::new(&self.key.namespace, self.network.snapshot_config_map_name());
        let map: Option<Arc<ConfigMap>> = self.context.parts.caches.config_maps.get(&key);
        map.and_then(|map| map.resource_version())
    }

    /// When there will be something to do without anybody's change.
    fn next_look(&self, compiled: &Compiled, publication: &Publication) -> Option<Duration> {
        let now = u64::try_from(unix_now()).unwrap_or_default();
        let expiry = compiled.next_expiry.map(|end| Duration::from_secs(end.saturating_sub(now).max(1)));
        let deferred = match publication {
            Publication::Current(_) => None,
            Publication::Deferred { retry_in, .. } => Some(*retry_in),
        };
        [expiry, deferred].into_iter().flatten().min()
    }

    /// Leaves what was found for the others, and wakes those whom it concerns.
    fn record(&self, finding: Finding) {
        let parts = &self.context.parts;
        let before = self.context.findings.get(&self.uid);
        let finding = Arc::new(finding.dated(before.as_deref(), Instant::now()));
        if let Some(version) = finding.version() {
            parts.metrics.published(&self.key, version);
        }
        self.context.findings.put(&self.uid, Arc::clone(&finding));
        if before.as_ref() == Some(&finding) {
            return;
        }
        let before = before.unwrap_or_default();
        parts.triggers.networks.fire(self.key.clone());
        // Who is banned decides whom the others wait for.
        parts.triggers.reach.fire(self.key.clone());
        let all = before.policy_problem != finding.policy_problem;
        for ban in parts.caches.bans_of(&self.key) {
            let source = BanSource::PeerBan(ban.name_any());
            if all || before.bans.get(&source) != finding.bans.get(&source) {
                parts.triggers.bans.fire(ObjectKey::of(ban.as_ref()));
            }
        }
        // Which of several subscriptions to one register wins may have changed with any of them.
        if all || before.subscriptions != finding.subscriptions || before.purges != finding.purges {
            for subscription in parts.caches.subscriptions_of(&self.key) {
                parts.triggers.subscriptions.fire(ObjectKey::of(subscription.as_ref()));
            }
        }
    }
}

/// A replica that does not lead has found nothing.
fn unless_not_leading(error: ReconcileError) -> Result<ReconcileError, ReconcileError> {
    if matches!(error, ReconcileError::NotLeading) { Err(error) } else { Ok(error) }
}

impl Finding {
    /// Takes over what a compilation and its publication brought.
    fn take(&mut self, judged: Judged, network: &PeerNetwork, published: &Arc<Published>) {
        let Judged { compiled, bans, subscriptions } = judged;
        let uids: BTreeMap<String, Option<String>> = bans.iter().map(|ban| (ban.name_any(), ban.uid())).collect();
        let judged = compiled.bans.into_iter().map(|(source, verdict)| {
            let of = match &source {
                BanSource::PeerBan(name) => uids.get(name).cloned().flatten(),
                BanSource::Network(name) => {
                    network.spec.bans.iter().find(|ban| ban.name == *name).and_then(|ban| ban.node.clone())
                }
            };
            (source, BanFinding { of, verdict, contained_since: None })
        });
        self.bans = judged.collect();
        let of = |subscription: &Arc<RegisterSubscription>| {
            Some((subscription.uid()?, compiled.subscriptions.get(&subscription.name_any())?.clone()))
        };
        self.subscriptions = subscriptions.iter().filter_map(of).collect();
        self.published = Some(Arc::clone(published));
    }

    /// Keeps what was found before about snapshot, bans and subscriptions: what is in force did not change.
    fn keep(&mut self, before: Option<&Self>) {
        let Some(before) = before else { return };
        self.bans.clone_from(&before.bans);
        self.subscriptions.clone_from(&before.subscriptions);
        self.published.clone_from(&before.published);
        self.generation = before.generation;
    }
}

#[cfg(test)]
mod tests {
    use peerwright_snapshot::{Content, Snapshot};

    use super::*;
    use crate::policy::SubscriptionVerdict;

    fn subscription(name: &str, uid: &str) -> Arc<RegisterSubscription> {
        let written = serde_json::json!({
            "metadata": { "name": name, "namespace": "shop", "uid": uid },
            "spec": { "networkRef": { "name": "demo" }, "registerId": "00".repeat(16), "mode": "FullReplica" },
        });
        Arc::new(serde_json::from_value(written).unwrap())
    }

    #[test]
    fn a_verdict_belongs_to_the_subscription_and_not_to_whoever_takes_its_name() {
        let verdict = SubscriptionVerdict::Accepted { register: [0; 16] };
        let compiled = Compiled {
            content: Content::default(),
            bans: BTreeMap::new(),
            subscriptions: [("orders".to_owned(), verdict.clone())].into(),
            next_expiry: None,
        };
        let subscriptions = vec![subscription("orders", "first")];
        let snapshot = Snapshot { network_uid: "uid".into(), epoch: 1, revision: 1, content: Content::default() };
        let published =
            Published { snapshot, digest: [0; 32], content_digest: [0; 32], bytes: bytes::Bytes::default() };
        let mut finding = Finding::default();

        let network = serde_json::json!({ "metadata": { "name": "demo" }, "spec": { "nodeGroups": [] } });
        let network: PeerNetwork = serde_json::from_value(network).unwrap();
        finding.take(Judged { compiled, bans: Vec::new(), subscriptions }, &network, &Arc::new(published));

        assert_eq!(finding.subscriptions, [("first".to_owned(), verdict)].into());
    }
}

//! Keeps the reach of every network up to date, and tells those whose status it may change.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
};

use futures::StreamExt;
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;
use peerwright_crds::PeerNetwork;
use peerwright_secure::PeerId;
use peerwright_snapshot::Version;
use tokio::time::Instant;

use super::{Reach, Running};
use crate::{
    cache::ObjectKey,
    conditions::{Truth, says},
    controllers::{Context, triggers::Hint},
    nodes::{AutoBanReport, NodeReport},
};

/// Follows pods and nodes for as long as it is polled.
pub async fn follow(context: Arc<Context>) {
    let mut follower = Follower { context, said: HashMap::new(), timed: HashMap::new(), auto_bans: HashMap::new() };
    let mut reports = follower.context.parts.registry.changes();
    let mut pods = follower.context.parts.triggers.reach.listen();
    follower.look_at_everything();
    loop {
        // Unbiased: neither side may keep the other waiting.
        tokio::select! {
            Some(network) = reports.next() => follower.look_at(&ObjectKey::new(network.namespace, network.name)),
            hint = pods.next() => match hint {
                Hint::One(network) => follower.look_at(&network),
                Hint::Everything => follower.look_at_everything(),
            },
        }
    }
}

/// Who a node is, and which system register it tells of.
type Said = (PeerId, Option<[u8; 16]>);

struct Follower {
    context: Arc<Context>,
    /// What snapshots are made of: who the connected nodes of each network are, for one that is new may be one that a ban
    /// names, and which system register they have begun.
    said: HashMap<String, BTreeMap<String, Said>>,
    /// The nodes of each network whose acknowledgement of this version was measured.
    timed: HashMap<String, (Version, BTreeSet<String>)>,
    /// The bans that the nodes of each network have made by themselves.
    auto_bans: HashMap<String, BTreeMap<String, Vec<AutoBanReport>>>,
}

impl Follower {
    fn look_at_everything(&mut self) {
        for network in self.context.parts.caches.networks.select(|_| true) {
            self.look_at(&ObjectKey::of(network.as_ref()));
        }
    }

    fn look_at(&mut self, key: &ObjectKey) {
        let context = Arc::clone(&self.context);
        let Some(network) = context.parts.caches.network(key) else { return };
        let uid = network.uid().unwrap_or_default();
        // Who is a member is read from its table first; whoever has read it wakes this.
        if context.findings.get(&uid).is_none() {
            return;
        }
        let pods = context.parts.caches.pods_of(key);
        let wanted: BTreeSet<String> = network.node_names().into_iter().collect();
        context.parts.registry.retain(&uid, |pod| wanted.contains(pod));
        let reports = context.parts.registry.report(&uid);

        let now = Instant::now();
        let before = context.reaches.get(&uid);
        let reach = Reach::new(running(&context, &network, &pods), &reports, before.as_deref(), now);
        context.parts.metrics.connected(key, reports.iter().filter(|report| report.connected).count());
        self.measure(&uid, &reports, now);
        let said = |report: &NodeReport| (report.pod.clone(), (report.peer_id, system_register(report)));
        let said: BTreeMap<String, Said> = reports.iter().map(said).collect();
        if self.said.get(&uid) != Some(&said) {
            self.said.insert(uid.clone(), said);
            context.parts.triggers.policies.fire(key.clone());
        }
        let auto_bans: BTreeMap<String, Vec<AutoBanReport>> =
            reports.into_iter().map(|report| (report.pod, report.auto_bans)).collect();
        if self.auto_bans.get(&uid) != Some(&auto_bans) {
            self.auto_bans.insert(uid.clone(), auto_bans);
            // Enough of them may be there to make a ban of the network.
            context.parts.triggers.networks.fire(key.clone());
        }
        if context.reaches.put(&uid, reach) {
            tell(&context, key);
        }
    }

    /// Measures how long nodes take to acknowledge what this replica published.
    fn measure(&mut self, uid: &str, reports: &[NodeReport], now: Instant) {
        let Some(finding) = self.context.findings.get(uid) else { return };
        let (Some(version), Some(published_at)) = (finding.version(), finding.published_at) else { return };
        let (timed, nodes) = self.timed.entry(uid.to_owned()).or_insert_with(|| (version, BTreeSet::new()));
        if *timed != version {
            (*timed, *nodes) = (version, BTreeSet::new());
        }
        for report in reports.iter().filter(|report| report.connected && report.acknowledged >= Some(version)) {
            if nodes.insert(report.pod.clone()) {
                self.context.parts.metrics.acknowledged(now.saturating_duration_since(published_at));
            }
        }
    }
}

fn system_register(report: &NodeReport) -> Option<[u8; 16]> {
    report.sealing.as_ref().filter(|_| report.connected)?.system_register
}

/// Wakes whoever writes about these nodes. A ban that is enforced stays so: it does not have to be looked at.
fn tell(context: &Context, key: &ObjectKey) {
    let triggers = &context.parts.triggers;
    triggers.networks.fire(key.clone());
    for ban in context.parts.caches.bans_of(key) {
        let conditions = ban.status.as_ref().map_or(&[][..], |status| &status.conditions);
        if !says(conditions, "Enforced", Truth::True) {
            triggers.bans.fire(ObjectKey::of(ban.as_ref()));
        }
    }
    for subscription in context.parts.caches.subscriptions_of(key) {
        triggers.subscriptions.fire(ObjectKey::of(subscription.as_ref()));
    }
}

fn running(context: &Context, network: &PeerNetwork, pods: &[Arc<Pod>]) -> Vec<Running> {
    let uid = network.uid().unwrap_or_default();
    let pods: Vec<String> = pods.iter().filter(|pod| is_running(pod)).map(|pod| pod.name_any()).collect();
    let namespace = network.namespace().unwrap_or_default();
    let banned = context.banned(&uid, &namespace, pods.iter().map(String::as_str));
    let members = &context.parts.members;
    let running = pods.into_iter().map(|pod| Running {
        member: members.peer_id_of(&uid, &pod).is_some(),
        banned: banned.contains(&pod),
        pod,
    });
    running.collect()
}

/// Its process runs, and it is not on its way out.
fn is_running(pod: &Pod) -> bool {
    let status = pod.status.as_ref();
    let containers = status.and_then(|status| status.container_statuses.as_ref());
    let runs = containers
        .into_iter()
        .flatten()
        .any(|container| container.state.as_ref().is_some_and(|state| state.running.is_some()));
    runs && pod.metadata.deletion_timestamp.is_none()
}

#[cfg(test)]
#[path = "follow_tests.rs"]
mod tests;

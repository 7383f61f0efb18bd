//! What the nodes of every network last said, in memory: the controllers' view of them.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    task::{Context, Poll, Waker},
};

use futures::Stream;
use peerwright_proto::v1::HeartbeatDigest;
use peerwright_secure::Fingerprint;
use peerwright_snapshot::Version;
use tokio_util::sync::CancellationToken;

use super::report::{NodeReport, RegisterReport, ReplicaState};
use crate::{
    identity::{MemberIdentity, NetworkKey, Refusal},
    policy::Leaves,
};

/// Most nodes remembered for one network; a network wants at most 800. Beyond it the oldest name that is not connected
/// goes, and a node that finds no room is refused.
const MAX_NODES: usize = 2048;

/// Reports of the nodes of every network. A node that is not connected keeps its last report until it is
/// [retained](Self::retain) no longer.
#[derive(Debug, Default)]
pub struct NodeRegistry {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    networks: HashMap<String, Nodes>,
    followers: Vec<Weak<Mutex<Pending>>>,
    next_stream: u64,
}

#[derive(Debug)]
struct Nodes {
    key: NetworkKey,
    by_pod: BTreeMap<String, Node>,
}

#[derive(Debug)]
struct Node {
    report: NodeReport,
    stream: u64,
    leaf: [u8; 32],
    superseded: CancellationToken,
    reissued: CancellationToken,
}

impl NodeRegistry {
    /// What is known of the network's nodes, by the name of their pods.
    #[must_use]
    pub fn report(&self, network_uid: &str) -> Vec<NodeReport> {
        let state = self.lock();
        let nodes = state.networks.get(network_uid);
        nodes.map(|nodes| nodes.by_pod.values().map(|node| node.report.clone()).collect()).unwrap_or_default()
    }

    /// The pods that are connected and of the group that seals the network's registers.
    pub fn sealers(&self, network_uid: &str) -> BTreeSet<String> {
        let seal = self.report(network_uid).into_iter().filter(|report| report.connected && report.seals);
        seal.map(|report| report.pod).collect()
    }

    /// The highest version that a node of the network said it has.
    #[must_use]
    pub fn highest_acknowledged(&self, network_uid: &str) -> Option<Version> {
        let state = self.lock();
        state.networks.get(network_uid)?.by_pod.values().filter_map(|node| node.report.acknowledged).max()
    }

    /// The certificate that each node of the network showed last.
    #[must_use]
    pub fn leaves(&self, network_uid: &str) -> Leaves {
        let state = self.lock();
        let nodes = state.networks.get(network_uid).into_iter().flat_map(|nodes| &nodes.by_pod);
        nodes.map(|(pod, node)| (Fingerprint::from_bytes(node.leaf), pod.clone())).collect()
    }

    /// Networks whose nodes changed from now on. Each follower sees every network that changed since it last looked,
    /// once: nothing is lost and nothing piles up.
    #[must_use]
    pub fn changes(&self) -> Changes {
        let pending = Arc::new(Mutex::new(Pending::default()));
        let mut state = self.lock();
        state.followers.retain(|follower| follower.strong_count() > 0);
        state.followers.push(Arc::downgrade(&pending));
        Changes { pending }
    }

    /// Wakes whoever follows this network.
    pub fn notify(&self, network: &NetworkKey) {
        self.lock().notify(network);
    }

    /// Drops reports of nodes that are neither wanted nor connected.
    pub fn retain(&self, network_uid: &str, wanted: impl Fn(&str) -> bool) {
        if let Some(nodes) = self.lock().networks.get_mut(network_uid) {
            nodes.by_pod.retain(|pod, node| node.report.connected || wanted(pod));
        }
    }

    /// Drops a network that is gone; its streams end.
    pub fn forget(&self, network_uid: &str) {
        if let Some(nodes) = self.lock().networks.remove(network_uid) {
            nodes.by_pod.values().for_each(|node| node.superseded.cancel());
        }
    }

    /// Drops everything: another replica hears the nodes from now on.
    pub fn clear(&self) {
        let networks = std::mem::take(&mut self.lock().networks);
        networks.values().flat_map(|nodes| nodes.by_pod.values()).for_each(|node| node.superseded.cancel());
    }

    /// A newer leaf was issued to the pod: a stream that rests on another ends soon.
    pub(super) fn leaf_issued(&self, network_uid: &str, pod: &str, leaf: &[u8; 32]) {
        let state = self.lock();
        let node = state.networks.get(network_uid).and_then(|nodes| nodes.by_pod.get(pod));
        if let Some(node) = node.filter(|node| node.leaf != *leaf) {
            node.reissued.cancel();
        }
    }

    /// Registers the stream of a member; a stream that the same pod had before ends.
    pub(super) fn open(
        self: &Arc<Self>,
        member: &MemberIdentity,
        acknowledged: Option<Version>,
    ) -> Result<NodeStream, Refusal> {
        let mut state = self.lock();
        let stream = state.next_stream;
        state.next_stream += 1;
        let nodes = state
            .networks
            .entry(member.network.uid.clone())
            .or_insert_with(|| Nodes { key: member.network.clone(), by_pod: BTreeMap::new() });
        nodes.make_room(&member.pod)?;
        let before = nodes.by_pod.remove(&member.pod);
        if let Some(before) = &before {
            before.superseded.cancel();
        }
        let same_peer = before.as_ref().filter(|before| before.report.peer_id == member.peer_id);
        let report = NodeReport {
            pod: member.pod.clone(),
            peer_id: member.peer_id,
            connected: true,
            acknowledged,
            certificate_not_after: member.not_after,
            waits_for: same_peer.map_or_else(String::new, |before| before.report.waits_for.clone()),
            registers: same_peer.map_or_else(Vec::new, |before| kept(&before.report.registers)),
            auto_bans: same_peer.map_or_else(Vec::new, |before| before.report.auto_bans.clone()),
            seals: same_peer.is_some_and(|before| before.report.seals),
            hub: same_peer.and_then(|before| before.report.hub),
            // Who is of which group it says at once; what it said before it was away must not decide anything.
            sealing: None,
            dockets: same_peer.map_or_else(BTreeMap::new, |before| before.report.dockets.clone()),
        };
        let notable = before.as_ref().is_none_or(|before| before.report.differs_notably(&report));
        let (superseded, reissued) = (CancellationToken::new(), CancellationToken::new());
        let node =
            Node { report, stream, leaf: member.leaf, superseded: superseded.clone(), reissued: reissued.clone() };
        nodes.by_pod.insert(member.pod.clone(), node);
        if notable {
            state.notify(&member.network);
        }
        let (network_uid, pod) = (member.network.uid.clone(), member.pod.clone());
        Ok(NodeStream { registry: self.clone(), network_uid, pod, stream, superseded, reissued })
    }

    /// Changes the report of a stream that is still the pod's newest, and wakes followers if it matters.
    fn change(
        &self,
        stream: &NodeStream,
        change: impl FnOnce(&mut NodeReport) -> Result<(), Refusal>,
    ) -> Result<(), Refusal> {
        let mut state = self.lock();
        let Some(nodes) = state.networks.get_mut(&stream.network_uid) else { return Err(Refusal::NetworkUnknown) };
        let node = nodes.by_pod.get_mut(&stream.pod).filter(|node| node.stream == stream.stream);
        let node = node.ok_or(Refusal::Superseded)?;
        let before = node.report.clone();
        change(&mut node.report)?;
        if node.report.differs_notably(&before) {
            let key = nodes.key.clone();
            state.notify(&key);
        }
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Nodes {
    fn make_room(&mut self, pod: &str) -> Result<(), Refusal> {
        if self.by_pod.len() < MAX_NODES || self.by_pod.contains_key(pod) {
            return Ok(());
        }
        let idle = self.by_pod.iter().find(|(_, node)| !node.report.connected).map(|(pod, _)| pod.clone());
        self.by_pod.remove(&idle.ok_or(Refusal::Overloaded)?);
        Ok(())
    }
}

impl State {
    fn notify(&mut self, network: &NetworkKey) {
        self.followers.retain(|follower| {
            let Some(pending) = follower.upgrade() else { return false };
            let mut pending = pending.lock().unwrap_or_else(PoisonError::into_inner);
            pending.networks.insert(network.clone());
            if let Some(waker) = pending.waker.take() {
                waker.wake();
            }
            true
        });
    }
}

/// What a node said of its registers counts until it says something else, but that nothing of one is there any more: that
/// was about an order that may have been given and taken back since.
fn kept(registers: &[RegisterReport]) -> Vec<RegisterReport> {
    registers.iter().filter(|row| row.state != Some(ReplicaState::Purged)).cloned().collect()
}

/// The open stream of one node. Dropped, the node counts as not connected.
#[derive(Debug)]
pub(super) struct NodeStream {
    registry: Arc<NodeRegistry>,
    network_uid: String,
    pod: String,
    stream: u64,
    superseded: CancellationToken,
    reissued: CancellationToken,
}

impl NodeStream {
    pub(super) fn superseded(&self) -> &CancellationToken {
        &self.superseded
    }

    pub(super) fn reissued(&self) -> &CancellationToken {
        &self.reissued
    }

    pub(super) fn acknowledge(&self, version: Version) -> Result<(), Refusal> {
        self.registry.change(self, |report| {
            report.acknowledged = report.acknowledged.max(Some(version));
            Ok(())
        })
    }

    pub(super) fn heartbeat(&self, digest: HeartbeatDigest) -> Result<(), Refusal> {
        self.registry.change(self, |report| report.update(digest))
    }
}

impl Drop for NodeStream {
    fn drop(&mut self) {
        // Refused when a newer stream took over: then the node is connected by that one.
        let _superseded = self.registry.change(self, |report| {
            report.connected = false;
            Ok(())
        });
    }
}

/// Networks whose nodes changed, in no particular order; ends never.
#[derive(Debug)]
pub struct Changes {
    pending: Arc<Mutex<Pending>>,
}

/// Bounded by the number of networks.
#[derive(Debug, Default)]
struct Pending {
    networks: BTreeSet<NetworkKey>,
    waker: Option<Waker>,
}

impl Stream for Changes {
    type Item = NetworkKey;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<NetworkKey>> {
        let mut pending = self.pending.lock().unwrap_or_else(PoisonError::into_inner);
        match pending.networks.pop_first() {
            Some(network) => Poll::Ready(Some(network)),
            None => {
                pending.waker = Some(context.waker().clone());
                Poll::Pending
            }
        }
    }
}

#[cfg(test)]
#[path = "registry_tests.rs"]
mod tests;

//! The overlay of the honest nodes, as it is seen from outside.

use super::count;
use crate::{event::HostId, network::Network};
use peerwright_secure::PeerId;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// Who is whose neighbour.
pub(super) struct Overlay {
    /// For each honest node that runs: honest neighbours, and neighbours of its own choice that are hostile and honest.
    nodes: BTreeMap<HostId, Node>,
}

#[derive(Default)]
struct Node {
    honest: BTreeSet<HostId>,
    hostile: usize,
}

impl Overlay {
    pub(super) fn of(network: &Network) -> Self {
        let hosts: BTreeMap<PeerId, HostId> = network.hosts().map(|host| (host.peer, host.id)).collect();
        let mut nodes = BTreeMap::new();
        for host in network.hosts().filter(|host| network.world.is_honest(host.id)) {
            let Some(engine) = host.engine.as_deref() else { continue };
            let mut node = Node::default();
            for view in engine.peers().into_iter().filter(|view| view.active) {
                match hosts.get(&view.peer) {
                    Some(other) if network.world.is_honest(*other) => _ = node.honest.insert(*other),
                    _ => node.hostile += 1,
                }
            }
            nodes.insert(host.id, node);
        }
        Self { nodes }
    }

    /// Nodes without an honest neighbour.
    pub(super) fn eclipsed(&self) -> u64 {
        self.nodes.values().filter(|node| node.honest.is_empty()).count() as u64
    }

    /// Nodes that the others do not reach over honest nodes alone.
    pub(super) fn cut_off(&self) -> u64 {
        let mut left: BTreeSet<HostId> = self.nodes.keys().copied().collect();
        let mut largest = 0;
        while let Some(first) = left.pop_first() {
            let (mut size, mut queue) = (0, VecDeque::from([first]));
            while let Some(node) = queue.pop_front() {
                size += 1;
                let honest = self.nodes.get(&node).map(|node| &node.honest);
                queue.extend(honest.into_iter().flatten().filter(|other| left.remove(other)));
            }
            largest = largest.max(size);
        }
        (self.nodes.len() - largest) as u64
    }

    /// The share of hostile nodes among the neighbours of honest ones.
    pub(super) fn hostile_share(&self) -> f64 {
        let hostile: usize = self.nodes.values().map(|node| node.hostile).sum();
        let all: usize = self.nodes.values().map(|node| node.hostile + node.honest.len()).sum();
        count(hostile as u64) / count(all.max(1) as u64)
    }
}

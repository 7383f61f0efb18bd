//! Which running node has which snapshot, certificate and register: the nodes' own words, held against the pods.
//!
//! A node that is silent is given time before anything is said about it: streams break, and after a restart of the
//! operator nobody has spoken yet. What was true before stays true meanwhile.

mod follow;

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use peerwright_snapshot::Version;
use tokio::time::Instant;

pub use follow::follow;

use crate::nodes::{HubReport, NodeReport, RegisterReport, ReplicaState};

/// How long a running node may be silent before it counts as unreachable.
pub const SILENCE: Duration = Duration::from_secs(30);
/// How long a connected node may take to acknowledge before anybody is told that it lags.
pub const PROPAGATION: Duration = Duration::from_secs(3);

/// A pod whose process runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Running {
    /// Name of the pod.
    pub pod: String,
    /// It is in the member table: it has had a certificate.
    pub member: bool,
    /// It is banned by the snapshot in force.
    pub banned: bool,
}

/// What is known of the running nodes of one network, by pod.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reach {
    /// Every running node that matters: members, and pods that wait to become one. Banned nodes that are silent do
    /// not: nobody talks to them, and their certificates run out.
    pub nodes: BTreeMap<String, Reached>,
}

/// What is known of one running node.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reached {
    /// It has had a certificate: others may have links to it.
    pub member: bool,
    /// It is banned.
    pub banned: bool,
    /// The highest snapshot that it said it enforces.
    pub acknowledged: Option<Version>,
    /// End of its certificate, Unix seconds.
    pub certificate_not_after: Option<i64>,
    /// What it waits for until it is Ready, in one word of its own; empty when nothing, or when nothing is known.
    pub waits_for: String,
    /// What it says of its registers, in ascending order.
    pub registers: Vec<RegisterReport>,
    /// How it stands to its hubs; nothing where it has none, or has not said so.
    pub hub: Option<HubReport>,
    /// Since when it has been silent.
    pub silent_since: Option<Instant>,
    /// Since when it has not: what it holds is told a moment after it is connected.
    pub heard_since: Option<Instant>,
}

/// How far the nodes are, and when that may be told otherwise without anything having happened: patience with a node
/// that is not named yet ends then, also while others are named already.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outlook {
    /// How far the nodes are.
    pub progress: Progress,
    /// When to look again.
    pub look_again: Option<Instant>,
}

/// Whether all nodes are where they should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Progress {
    /// All are.
    Done,
    /// These are not, for longer than it should take.
    Behind(Vec<String>),
    /// These are not, and have been silent for long.
    Unreachable(Vec<String>),
    /// These are not, which may change any moment.
    Settling(Vec<String>),
    /// There is no node that it would be about.
    Nobody,
}

impl Reach {
    /// Puts together what the pods and the nodes say.
    #[must_use]
    pub fn new(running: Vec<Running>, reports: &[NodeReport], before: Option<&Self>, now: Instant) -> Self {
        let nodes = running.into_iter().filter_map(|node| {
            let report = reports.iter().find(|report| report.pod == node.pod);
            let connected = report.is_some_and(|report| report.connected);
            if node.banned && !connected {
                return None;
            }
            let before = before.and_then(|before| before.nodes.get(&node.pod));
            let silent_since = before.and_then(|before| before.silent_since).unwrap_or(now);
            let heard_since = before.and_then(|before| before.heard_since).unwrap_or(now);
            let reached = Reached {
                member: node.member,
                banned: node.banned,
                acknowledged: report.and_then(|report| report.acknowledged),
                certificate_not_after: report.map(|report| report.certificate_not_after),
                waits_for: report.map_or_else(String::new, |report| report.waits_for.clone()),
                registers: report.map_or_else(Vec::new, |report| report.registers.clone()),
                hub: report.and_then(|report| report.hub),
                silent_since: (!connected).then_some(silent_since),
                heard_since: connected.then_some(heard_since),
            };
            Some((node.pod, reached))
        });
        Self { nodes: nodes.collect() }
    }

    /// Whether every running member enforces `version`, which was published at `published_at`.
    #[must_use]
    pub fn acknowledged(&self, version: Version, published_at: Option<Instant>, now: Instant) -> Outlook {
        let members = self.nodes.iter().filter(|(_, node)| node.member);
        progress(members, published_at, now, |node| node.acknowledged >= Some(version))
    }

    /// The running nodes, not banned, that `is_placed` says should hold a register.
    pub fn holders(&self, is_placed: impl Fn(&str) -> bool) -> impl Iterator<Item = (&String, &Reached)> {
        self.nodes.iter().filter(move |(pod, node)| !node.banned && is_placed(pod))
    }

    /// Whether any node knows a docket of the register.
    #[must_use]
    pub fn has_dockets(&self, register: &[u8; 16]) -> bool {
        self.nodes.values().filter_map(|node| node.register(register)).any(|row| row.percent.is_some())
    }

    /// Whether every running node that should hold a register does so. `accepted_at` as in [`Self::acknowledged`].
    #[must_use]
    pub fn synced(
        &self,
        register: &[u8; 16],
        is_placed: impl Fn(&str) -> bool,
        accepted_at: Option<Instant>,
        now: Instant,
    ) -> Outlook {
        let has_dockets = self.has_dockets(register);
        progress(self.holders(is_placed), accepted_at, now, |node| {
            node.register(register).is_some_and(|row| row.holds(has_dockets))
        })
    }

    /// Whether every running member that does not seal has purged a register, as `version` orders it.
    #[must_use]
    pub fn purged(
        &self,
        register: &[u8; 16],
        seals: impl Fn(&str) -> bool,
        version: Version,
        published_at: Option<Instant>,
        now: Instant,
    ) -> Outlook {
        let wanted = self.nodes.iter().filter(|(pod, node)| node.member && !seals(pod));
        progress(wanted, published_at, now, |node| {
            let is_purged = |row: &RegisterReport| row.state == Some(ReplicaState::Purged);
            node.acknowledged >= Some(version) && node.register(register).is_some_and(is_purged)
        })
    }

    /// Whether every running node that is not banned has a certificate that is known to be valid at `wall`.
    #[must_use]
    pub fn certified(&self, wall: i64, now: Instant) -> Outlook {
        let wanted = self.nodes.iter().filter(|(_, node)| !node.banned);
        progress(wanted, None, now, |node| node.certificate_not_after.is_some_and(|end| wall < end))
    }

    /// Whether every running node that takes its dockets from hubs, and is not banned, reaches one.
    #[must_use]
    pub fn hubs_reached(&self, now: Instant) -> Outlook {
        let taking = self.nodes.iter().filter(|(_, node)| !node.banned && node.hub.is_some());
        progress(taking, None, now, |node| node.hub.is_some_and(|hub| !hub.isolated))
    }

    /// Whether a node takes its dockets from hubs, as far as that can be told: not all may have said so yet.
    #[must_use]
    pub fn takes_from_hubs(&self, now: Instant) -> bool {
        let may_still_say = |node: &Reached| node.heard_since.is_none_or(|since| now < since + PROPAGATION);
        self.nodes.values().any(|node| node.hub.is_some() || may_still_say(node))
    }

    /// When the first certificate of a node that is not banned ends, Unix seconds.
    #[must_use]
    pub fn first_certificate_end(&self) -> Option<i64> {
        self.nodes.values().filter(|node| !node.banned).filter_map(|node| node.certificate_not_after).min()
    }
}

impl Reached {
    /// What the node says of a register.
    #[must_use]
    pub fn register(&self, register: &[u8; 16]) -> Option<&RegisterReport> {
        let place = self.registers.binary_search_by(|row| row.register.cmp(register)).ok()?;
        self.registers.get(place)
    }
}

fn progress<'a>(
    nodes: impl Iterator<Item = (&'a String, &'a Reached)>,
    since: Option<Instant>,
    now: Instant,
    is_there: impl Fn(&Reached) -> bool,
) -> Outlook {
    let (mut any, mut behind, mut unreachable, mut settling) = (false, Vec::new(), Vec::new(), Vec::new());
    let mut look_again: Option<Instant> = None;
    for (pod, node) in nodes {
        any = true;
        if is_there(node) {
            continue;
        }
        let patience_ends = match node.silent_since {
            Some(silent) => Some(silent + SILENCE),
            None => since.max(node.heard_since).map(|since| since + PROPAGATION),
        };
        match patience_ends.filter(|end| now < *end) {
            Some(end) => {
                settling.push(pod.clone());
                look_again = Some(look_again.map_or(end, |other| other.min(end)));
            }
            None if node.silent_since.is_some() => unreachable.push(pod.clone()),
            None => behind.push(pod.clone()),
        }
    }
    let progress = if !any {
        Progress::Nobody
    } else if !unreachable.is_empty() {
        Progress::Unreachable(unreachable)
    } else if !behind.is_empty() {
        Progress::Behind(behind)
    } else if !settling.is_empty() {
        Progress::Settling(settling)
    } else {
        Progress::Done
    };
    Outlook { progress, look_again }
}

/// What is known of every network's nodes, by the network's UID.
#[derive(Debug, Default)]
pub struct Reaches {
    by_network: Mutex<HashMap<String, Arc<Reach>>>,
}

impl Reaches {
    /// What is known of a network's nodes.
    #[must_use]
    pub fn get(&self, network_uid: &str) -> Option<Arc<Reach>> {
        self.lock().get(network_uid).cloned()
    }

    /// Replaces what is known; true when it is something else.
    fn put(&self, network_uid: &str, reach: Reach) -> bool {
        let mut by_network = self.lock();
        let changed = by_network.get(network_uid).is_none_or(|before| **before != reach);
        if changed {
            by_network.insert(network_uid.to_owned(), Arc::new(reach));
        }
        changed
    }

    /// Forgets a network that is gone.
    pub fn forget(&self, network_uid: &str) {
        self.lock().remove(network_uid);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<String, Arc<Reach>>> {
        self.by_network.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;

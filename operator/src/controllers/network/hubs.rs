//! Tells people that nodes take their dockets from another hub.
//!
//! ```text
//! reach: the hub of each node ─▶ Ways: as people were told ─▶ turns, ten seconds apart ─▶ Events, one a hub
//! ```
//!
//! All who went to the same hub are one Event. What happens meanwhile is told together, and who is back by then is not
//! mentioned. What is found at the start is not told: nobody knows what it was before.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use k8s_openapi::api::core::v1::ObjectReference;
use kube::ResourceExt;
use peerwright_crds::{PeerNetwork, Topology};
use peerwright_secure::PeerId;
use tokio::time::Instant;

use super::plan::list;
use crate::controllers::{Context, reach::Reach};

/// Between two times that people are told of one network.
const TELL_EVERY: Duration = Duration::from_secs(10);

/// Which way the dockets of one network go, as people were told. Bounded by its nodes.
#[derive(Debug, Default)]
pub(in crate::controllers) struct Ways {
    hub_of: BTreeMap<String, PeerId>,
    next: Option<Instant>,
}

/// Nodes that have gone to another hub.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Turn {
    from: BTreeSet<PeerId>,
    to: PeerId,
    nodes: Vec<String>,
}

impl Ways {
    /// What people are to be told now; or when to look again, when there is something that has to wait.
    fn turns(&mut self, reach: &Reach, now: Instant) -> (Vec<Turn>, Option<Instant>) {
        self.hub_of.retain(|pod, _| reach.nodes.contains_key(pod));
        let mut turns: BTreeMap<PeerId, Turn> = BTreeMap::new();
        let active = reach.nodes.iter().filter_map(|(pod, node)| Some((pod, node.hub?.active?)));
        for (pod, to) in active {
            let from = *self.hub_of.entry(pod.clone()).or_insert(to);
            if from != to {
                let begin = || Turn { from: BTreeSet::new(), to, nodes: Vec::new() };
                let turn = turns.entry(to).or_insert_with(begin);
                turn.from.insert(from);
                turn.nodes.push(pod.clone());
            }
        }
        if let Some(next) = self.next.filter(|next| now < *next && !turns.is_empty()) {
            return (Vec::new(), Some(next));
        }
        for turn in turns.values() {
            self.hub_of.extend(turn.nodes.iter().map(|pod| (pod.clone(), turn.to)));
            self.next = Some(now + TELL_EVERY);
        }
        (turns.into_values().collect(), None)
    }
}

/// Tells what is to be told of a network. Gives when to look again.
pub(super) async fn tell(network: &PeerNetwork, uid: &str, context: &Context) -> Option<Duration> {
    if network.spec.topology.unwrap_or_default() != Topology::Hub {
        context.ways().remove(uid);
        return None;
    }
    let reach = context.reaches.get(uid)?;
    let now = Instant::now();
    let (turns, look_again) = context.ways().entry(uid.to_owned()).or_default().turns(&reach, now);
    if !turns.is_empty() {
        let reports = context.parts.registry.report(uid).into_iter();
        let pods: BTreeMap<PeerId, String> = reports.map(|report| (report.peer_id, report.pod)).collect();
        for turn in turns {
            let hub = named(&pods, &turn.to);
            let other = ObjectReference {
                api_version: Some("v1".to_owned()),
                kind: Some("Pod".to_owned()),
                namespace: network.namespace(),
                name: Some(hub.clone()),
                ..ObjectReference::default()
            };
            let note = note(&turn, &pods);
            context.parts.events.tell_with(network, other, "HubChanged", "Failover", note).await;
        }
    }
    look_again.map(|at| at.saturating_duration_since(now) + Duration::from_millis(10))
}

fn note(turn: &Turn, pods: &BTreeMap<PeerId, String>) -> String {
    let from: Vec<String> = turn.from.iter().map(|hub| named(pods, hub)).collect();
    let (nodes, to) = (list(&turn.nodes), named(pods, &turn.to));
    format!("{nodes}: dockets come from {to}, and no longer from {}", list(&from))
}

/// The pod of a hub, or its id when no node of that id was heard since this replica began to lead.
fn named(pods: &BTreeMap<PeerId, String>, hub: &PeerId) -> String {
    pods.get(hub).cloned().unwrap_or_else(|| hub.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{controllers::reach::Reached, nodes::HubReport};

    const FIRST: PeerId = PeerId::from_bytes([1; 32]);
    const SECOND: PeerId = PeerId::from_bytes([2; 32]);
    const THIRD: PeerId = PeerId::from_bytes([3; 32]);

    /// Nodes with the hub that each takes its dockets from.
    fn reach(hubs: &[(&str, Option<PeerId>)]) -> Reach {
        let reached = |active: Option<PeerId>| {
            let hub = Some(HubReport { active, isolated: active.is_none() });
            Reached { hub, ..Reached::default() }
        };
        Reach { nodes: hubs.iter().map(|(pod, active)| ((*pod).to_owned(), reached(*active))).collect() }
    }

    fn turn(from: &[PeerId], to: PeerId, nodes: &[&str]) -> Turn {
        let nodes = nodes.iter().map(|pod| (*pod).to_owned()).collect();
        Turn { from: from.iter().copied().collect(), to, nodes }
    }

    #[test]
    fn those_who_went_to_one_hub_are_told_of_together_and_once() {
        let (mut ways, now) = (Ways::default(), Instant::now());
        let both = |hub| reach(&[("a", hub), ("b", hub), ("hub-0", None)]);
        assert_eq!(ways.turns(&both(Some(FIRST)), now), (vec![], None), "nobody knows what it was before");
        assert_eq!(ways.turns(&both(None), now), (vec![], None), "they look for one");
        assert_eq!(ways.turns(&both(Some(SECOND)), now), (vec![turn(&[FIRST], SECOND, &["a", "b"])], None));
        assert_eq!(ways.turns(&both(Some(SECOND)), now + TELL_EVERY), (vec![], None));
    }

    #[test]
    fn what_happens_soon_after_is_told_later_and_what_did_not_last_is_not() {
        let (mut ways, now) = (Ways::default(), Instant::now());
        let by = |a, b| reach(&[("a", Some(a)), ("b", Some(b))]);
        ways.turns(&by(FIRST, FIRST), now);
        assert_eq!(ways.turns(&by(SECOND, FIRST), now), (vec![turn(&[FIRST], SECOND, &["a"])], None));
        let (soon, later) = (now + TELL_EVERY / 2, now + TELL_EVERY);
        assert_eq!(ways.turns(&by(THIRD, THIRD), soon), (vec![], Some(later)));
        assert_eq!(ways.turns(&by(SECOND, FIRST), soon), (vec![], None), "both are back");

        assert_eq!(ways.turns(&by(THIRD, THIRD), soon), (vec![], Some(later)));
        assert_eq!(ways.turns(&by(THIRD, THIRD), later), (vec![turn(&[FIRST, SECOND], THIRD, &["a", "b"])], None));
    }

    #[test]
    fn who_is_gone_is_forgotten_and_the_note_names_pods_where_they_are_known() {
        let (mut ways, now) = (Ways::default(), Instant::now());
        ways.turns(&reach(&[("a", Some(FIRST))]), now);
        ways.turns(&reach(&[]), now);
        assert_eq!(ways.turns(&reach(&[("a", Some(SECOND))]), now), (vec![], None), "it is another a");

        let pods = [(SECOND, "net-hub-1".to_owned())].into();
        let note = note(&turn(&[FIRST], SECOND, &["a", "b"]), &pods);
        assert_eq!(note, format!("a, b: dockets come from net-hub-1, and no longer from {FIRST}"));
    }
}

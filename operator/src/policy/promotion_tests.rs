use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use peerwright_crds::{AutoBans, MANAGED_BY_LABEL, PeerBan, PeerNetwork, PeerNetworkStatus, PromotedBan, Promotion};
use peerwright_secure::PeerId;
use proptest::prelude::*;

use super::{Decision, LONGEST_SECONDS, Situation, decide};
use crate::{
    controllers::network::testing::network,
    nodes::{AutoBanReport, NodeReport},
};

const NOW: u64 = 1_700_000_000;

fn peer(number: u8) -> PeerId {
    PeerId::from_bytes([number; 32])
}

fn ban(of: u8, expires_at: Option<u64>) -> AutoBanReport {
    AutoBanReport { peer_id: peer(of), reason: "spam".into(), evidence: [7; 32], expires_at }
}

/// Groups of nodes that are all connected; node `n` of them all is peer `n`.
struct World {
    network: PeerNetwork,
    bans: Vec<Arc<PeerBan>>,
    reports: Vec<NodeReport>,
    members: BTreeMap<String, PeerId>,
    banned: BTreeSet<String>,
    now: u64,
}

impl World {
    fn of(groups: &[(&str, i32)]) -> Self {
        let mut network = network("demo", groups);
        network.spec.auto_bans = AutoBans { promote: Some(Promotion::Always), ..AutoBans::default() };
        let pods = network.node_names();
        let numbered = || pods.iter().zip(0_u8..);
        let report = |(pod, number): (&String, u8)| NodeReport::silent(pod, peer(number));
        Self {
            bans: Vec::new(),
            reports: numbered().map(report).collect(),
            members: numbered().map(|(pod, number)| (pod.clone(), peer(number))).collect(),
            banned: BTreeSet::new(),
            now: NOW,
            network,
        }
    }

    /// These nodes have banned a peer by themselves.
    fn accuse(&mut self, of: u8, by: impl IntoIterator<Item = usize>, expires_at: Option<u64>) {
        for witness in by {
            self.reports[witness].auto_bans.push(ban(of, expires_at));
        }
    }

    fn decide(&self) -> Decision {
        decide(&Situation {
            network: &self.network,
            bans: &self.bans,
            reports: &self.reports,
            members: &self.members,
            banned: &self.banned,
            now: self.now,
        })
    }

    fn promoted(&self) -> Vec<String> {
        self.decide().made.into_iter().map(|(_, row)| row.peer_id).collect()
    }

    /// The decision was carried out.
    fn settle(&mut self) {
        let decision = self.decide();
        let (bans, rows): (Vec<_>, Vec<_>) = decision.made.into_iter().unzip();
        self.bans.extend(bans.into_iter().map(Arc::new));
        let promoted_bans = decision.kept.into_iter().chain(rows).collect();
        self.network.status = Some(PeerNetworkStatus { promoted_bans, ..PeerNetworkStatus::default() });
    }
}

#[test]
fn five_witnesses_make_a_ban_of_the_network() {
    let mut world = World::of(&[("peer", 12)]);
    world.accuse(3, 4..8, Some(NOW + 3_600));
    assert!(world.promoted().is_empty(), "four are not enough");
    world.accuse(3, [9], Some(NOW + 600));
    let [(made, row)] = world.decide().made.try_into().unwrap();
    let spec = &made.spec;
    assert_eq!((spec.network_ref.name.as_str(), spec.peer_id.clone()), ("demo", Some(peer(3).to_string())));
    assert!(spec.reason.as_ref().unwrap().contains("5 nodes") && spec.reason.as_ref().unwrap().contains("spam"));
    assert_eq!(row.expires_at, (NOW + 600).cast_signed(), "as long as five hold it");
    assert_eq!(spec.expires_at.as_ref().unwrap().0.as_second(), row.expires_at);
    assert_eq!(made.metadata.name, Some(row.peer_ban.clone()));
    assert_eq!(made.metadata.labels.unwrap()[MANAGED_BY_LABEL], "peerwright-operator");
    assert!(row.peer_ban.len() <= 63 && row.peer_ban.starts_with("auto-demo-030303030303-"));
}

#[test]
fn nothing_is_promoted_unless_the_network_says_so() {
    let mut world = World::of(&[("peer", 12)]);
    world.accuse(3, 4..12, None);
    for promote in [None, Some(Promotion::Never)] {
        world.network.spec.auto_bans = AutoBans { promote, ..AutoBans::default() };
        assert!(world.promoted().is_empty());
    }
}

#[test]
fn in_a_small_network_more_than_half_of_the_others_are_needed() {
    let mut world = World::of(&[("peer", 5)]);
    world.accuse(0, [1, 2], None);
    assert!(world.promoted().is_empty());
    world.accuse(0, [3], None);
    assert_eq!(world.promoted(), [peer(0).to_string()], "three of four, and one of five is within a quarter");
    let mut world = World::of(&[("peer", 4)]);
    world.accuse(9, [1, 2], None);
    assert!(world.promoted().is_empty());
    world.accuse(9, [3], None);
    assert_eq!(world.promoted(), [peer(9).to_string()], "a stranger is of no group");
}

#[test]
fn only_members_that_are_connected_and_not_banned_are_heard_and_nobody_about_itself() {
    let mut world = World::of(&[("peer", 12)]);
    world.accuse(3, 3..9, None);
    assert_eq!(world.promoted().len(), 1);
    world.reports[8].connected = false;
    assert!(world.promoted().is_empty(), "of the six one is silent and one is the accused");
    world.reports[8].connected = true;
    world.banned.insert("demo-peer-7".into());
    assert!(world.promoted().is_empty());
    world.banned.clear();
    world.members.insert("demo-peer-7".into(), peer(77));
    assert!(world.promoted().is_empty(), "the volume is another");
}

#[test]
fn no_more_than_a_quarter_of_a_group_is_banned() {
    let mut world = World::of(&[("peer", 8), ("edge", 3)]);
    for accused in 0..4 {
        world.accuse(accused, 4..9, None);
    }
    assert_eq!(world.promoted().len(), 2, "two of eight");
    world.banned.insert("demo-peer-6".into());
    assert_eq!(world.promoted().len(), 0, "its voice is gone, too");
    world.accuse(0, [9], None);
    world.accuse(1, [9], None);
    assert_eq!(world.promoted(), [peer(0).to_string()], "bans by people count");
    let mut world = World::of(&[("peer", 8), ("edge", 3)]);
    world.accuse(8, 0..8, None);
    assert!(world.promoted().is_empty(), "one of three is more than a quarter");
}

#[test]
fn what_was_promoted_is_not_promoted_again_not_even_when_a_moderator_deleted_it() {
    let mut world = World::of(&[("peer", 12)]);
    world.accuse(3, 4..10, None);
    world.settle();
    assert_eq!((world.bans.len(), world.decide().made.len()), (1, 0));
    assert_eq!(world.decide().next_end, Some(NOW + LONGEST_SECONDS), "for good is thirty days");
    world.bans.clear();
    world.now += LONGEST_SECONDS - 1;
    assert!(world.promoted().is_empty());
    world.now += 1;
    let decision = world.decide();
    assert_eq!((decision.kept.len(), decision.ended.len(), decision.made.len()), (0, 1, 1));
}

#[test]
fn a_ban_whose_row_was_not_written_is_taken_note_of_and_a_persons_ban_is_enough() {
    let mut world = World::of(&[("peer", 12)]);
    world.accuse(3, 4..10, None);
    world.settle();
    let rows: Vec<PromotedBan> = world.network.status.take().unwrap().promoted_bans;
    world.now += 60;
    let decision = world.decide();
    assert_eq!((decision.kept, decision.made.len()), (rows, 0));

    Arc::make_mut(&mut world.bans[0]).metadata.labels = None;
    let decision = world.decide();
    assert_eq!((decision.kept.len(), decision.made.len()), (0, 0));
}

#[test]
fn a_ban_that_is_over_is_no_accusation() {
    let mut world = World::of(&[("peer", 12)]);
    world.accuse(3, 4..10, Some(NOW));
    assert!(world.promoted().is_empty());
}

proptest! {
    #[test]
    fn few_liars_ban_nobody_and_no_group_loses_more_than_a_quarter(
        nodes in 1..40_i32,
        accusations in prop::collection::vec((0..40_usize, 0..50_u8), 0..300),
    ) {
        let mut world = World::of(&[("peer", nodes)]);
        for (witness, accused) in accusations {
            if let Some(report) = world.reports.get_mut(witness)
                && !report.auto_bans.iter().any(|ban| ban.peer_id == peer(accused))
            {
                report.auto_bans.push(ban(accused, None));
            }
        }
        let decision = world.decide();
        let members: Vec<PeerId> = world.members.values().copied().collect();
        let of_group = decision.made.iter().filter(|(_, row)| members.iter().any(|id| id.to_string() == row.peer_id));
        prop_assert!(of_group.count() * 4 <= members.len());
        for (_, row) in &decision.made {
            let accuses = |report: &&NodeReport| {
                report.peer_id.to_string() != row.peer_id
                    && report.auto_bans.iter().any(|ban| ban.peer_id.to_string() == row.peer_id)
            };
            prop_assert!(world.reports.iter().filter(accuses).count() >= 2);
        }
    }
}

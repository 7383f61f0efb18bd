//! Which node holds which register.

use super::samples::{any_subscription, sample};
use crate::{Content, ReplicaMode, Topology};
use peerwright_secure::PeerId;
use proptest::prelude::*;
use std::collections::BTreeSet;

const EVERYWHERE: [u8; 16] = [0xa0; 16];
const ON_HUBS: [u8; 16] = [0x0b; 16];
const SEALER: PeerId = PeerId::from_bytes([0x99; 32]);
const OTHER: PeerId = PeerId::from_bytes([0x42; 32]);

fn held(content: &Content, node: &str) -> Vec<([u8; 16], ReplicaMode)> {
    content.held_by(node).map(|(register, mode)| (*register, mode)).collect()
}

#[test]
fn a_node_holds_what_is_placed_on_its_group_and_what_is_placed_nowhere() {
    let content = sample().content;
    let everywhere = (EVERYWHERE, ReplicaMode::FullReplica);
    assert_eq!(held(&content, "demo-hub-1"), [(ON_HUBS, ReplicaMode::ForwardOnly), everywhere]);
    assert_eq!(held(&content, "demo-peer-0"), [everywhere]);
    assert_eq!(held(&content, "stranger"), [everywhere], "of no group");
}

#[test]
fn a_sealer_hears_of_every_register_and_purges_none() {
    let content = sample().content;
    let heard = |node, peer| content.gossiped_by(node, &peer).copied().collect::<Vec<_>>();
    let purged = |peer| content.purged_by(&peer).count();
    assert_eq!(heard("demo-peer-0", SEALER), [ON_HUBS, EVERYWHERE]);
    assert_eq!(heard("demo-peer-0", OTHER), [EVERYWHERE]);
    assert_eq!((purged(SEALER), purged(OTHER)), (0, 2));
}

#[test]
fn a_hub_holds_every_register_where_others_take_dockets_from_it() {
    let mut content = sample().content;
    content.topology = Topology::Hub;
    content.subscriptions.values_mut().for_each(|of| of.groups = ["demo-peer".to_owned()].into());
    assert_eq!(
        (held(&content, "demo-hub-1").len(), held(&content, "demo-peer-0").len(), held(&content, "stranger")),
        (2, 2, vec![])
    );
    assert!(content.is_gossiped_by(&ON_HUBS, "demo-hub-1", &OTHER));

    content.topology = Topology::Mesh;
    assert_eq!(held(&content, "demo-hub-1"), []);
}

#[test]
fn a_register_concerns_who_holds_it_hands_it_on_or_seals_it_and_nobody_else() {
    let mut content = sample().content;
    let groups = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<BTreeSet<_>>();
    let concerned = |content: &Content, register: &[u8; 16]| {
        ["demo-peer-0", "demo-hub-1", "stranger"].map(|node| content.concerns(register, node, &OTHER))
    };
    assert_eq!((content.groups_of(&ON_HUBS), content.groups_of(&EVERYWHERE)), (Some(groups(&["demo-hub"])), None));
    assert_eq!(concerned(&content, &ON_HUBS), [false, true, false]);
    assert_eq!(concerned(&content, &EVERYWHERE), [true; 3]);
    assert_eq!(concerned(&content, &[0xff; 16]), [true; 3], "nobody subscribes to it");
    assert!(content.concerns(&ON_HUBS, "demo-peer-0", &SEALER));

    content.topology = Topology::Hub;
    content.subscriptions.values_mut().for_each(|of| of.groups = groups(&["demo-peer"]));
    assert_eq!(content.groups_of(&ON_HUBS), Some(groups(&["demo-hub", "demo-peer"])));
    assert_eq!(concerned(&content, &ON_HUBS), [true, true, false]);
    assert!(content.concerns(&ON_HUBS, "stranger", &content.hubs[0]));
}

#[test]
fn hubs_and_sealers_take_dockets_from_whoever_has_them_and_all_others_from_hubs() {
    let mut content = sample().content;
    assert_eq!(content.upstreams_of(&OTHER), None, "a mesh");
    content.topology = Topology::Hub;
    let hubs = content.hubs.clone();
    assert_eq!(content.upstreams_of(&OTHER), Some(hubs.as_slice()));
    for peer in [hubs[0], hubs[1], SEALER] {
        assert_eq!(content.upstreams_of(&peer), None);
    }
}

proptest! {
    #[test]
    fn every_register_is_held_by_exactly_the_groups_that_it_names(
        subscriptions in prop::collection::btree_map(any::<[u8; 16]>(), any_subscription(), 0..20),
        group in prop::sample::select(vec!["demo-core", "demo-edge", "demo-hub"]),
        number in any::<u16>(),
    ) {
        let groups = ["demo-core", "demo-edge", "demo-hub"].map(|name| (name.to_owned(), crate::Group::default()));
        let content = Content { subscriptions, groups: groups.into(), ..Content::default() };
        let node = format!("{group}-{number}");
        let held: BTreeSet<[u8; 16]> = content.held_by(&node).map(|(register, _)| *register).collect();
        for (register, subscription) in &content.subscriptions {
            let is_named = subscription.groups.is_empty() || subscription.groups.contains(group);
            prop_assert_eq!(held.contains(register), is_named);
        }
        prop_assert_eq!(content.gossiped_by(&node, &OTHER).copied().collect::<BTreeSet<_>>(), held.clone());
        for register in content.subscriptions.keys() {
            prop_assert_eq!(content.is_gossiped_by(register, &node, &OTHER), held.contains(register));
        }
    }
}

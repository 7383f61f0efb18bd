use peerwright_crds::{PeerNetworkStatus, SystemRegisterPolicy};
use peerwright_snapshot::Subscription;

use super::{
    super::{Inputs, Leaves, compile},
    *,
};
use crate::{
    identity::{MemberTable, fixtures},
    nodes::SealingReport,
};

const BEGUN: [u8; 16] = [0xab; 16];
const OTHER: [u8; 16] = [0xcd; 16];

fn peer(byte: u8) -> PeerId {
    PeerId::from_bytes([byte; 32])
}

/// A network that is to begin its register, and its three sealers.
fn network() -> (PeerNetwork, BTreeSet<PeerId>) {
    let mut network = fixtures::network("demo", 4);
    network.spec.system_register_policy = Some(SystemRegisterPolicy::Create);
    (network, [peer(1), peer(2), peer(3)].into())
}

fn says(byte: u8, register: Option<[u8; 16]>) -> NodeReport {
    let sealing = SealingReport { system_register: register, ..SealingReport::default() };
    let silent = NodeReport::silent(&format!("demo-peer-{byte}"), peer(byte));
    NodeReport { seals: true, sealing: Some(sealing), ..silent }
}

#[test]
fn what_most_sealers_have_begun_is_the_system_register_and_no_less_than_most() {
    let (network, sealers) = network();
    let found = |reports: &[NodeReport]| system(&network, &Content::default(), &sealers, reports);
    let two = [says(1, Some(BEGUN)), says(2, Some(BEGUN)), says(3, None)];
    assert_eq!(found(&two), Some(BEGUN));
    assert_eq!(found(&two[..1]), None, "one alone");
    assert_eq!(found(&[says(1, Some(BEGUN)), says(2, Some(OTHER))]), None, "two that disagree");
    assert_eq!(found(&[says(1, Some(BEGUN)), says(4, Some(BEGUN))]), None, "who does not seal has no say");
    assert_eq!(found(&[says(1, Some(BEGUN)), says(1, Some(BEGUN))]), None, "nobody counts twice");
    let away = NodeReport { connected: false, ..says(2, Some(BEGUN)) };
    assert_eq!(found(&[says(1, Some(BEGUN)), away]), None, "what was said before may be of another life");
}

#[test]
fn what_is_in_force_stays_whatever_is_said_and_the_status_stands_in_for_it() {
    let (mut network, sealers) = network();
    let others = [says(1, Some(OTHER)), says(2, Some(OTHER)), says(3, Some(OTHER))];
    let in_force = Content { system: Some(BEGUN), ..Content::default() };
    assert_eq!(system(&network, &in_force, &sealers, &others), Some(BEGUN));
    assert_eq!(system(&network, &in_force, &BTreeSet::new(), &[]), Some(BEGUN), "nobody was heard yet");
    let status = PeerNetworkStatus { system_register: Some(hex::encode(BEGUN)), ..PeerNetworkStatus::default() };
    network.status = Some(status);
    assert_eq!(system(&network, &Content::default(), &sealers, &others), Some(BEGUN));
}

#[test]
fn what_the_spec_names_counts_alone_and_without_a_word_of_it_there_is_none() {
    let (mut network, sealers) = network();
    let all = [says(1, Some(BEGUN)), says(2, Some(BEGUN)), says(3, Some(BEGUN))];
    network.spec.system_register = Some(hex::encode(OTHER));
    assert_eq!(system(&network, &Content::default(), &sealers, &all), Some(OTHER));
    (network.spec.system_register, network.spec.system_register_policy) = (None, None);
    assert_eq!(system(&network, &Content::default(), &sealers, &all), None);
}

#[test]
fn the_snapshot_names_what_was_begun_and_has_every_node_hold_it() {
    let (network, sealers) = network();
    let mut members = MemberTable::default();
    for byte in 1..=4 {
        members.admit(&format!("claim-{byte}"), &format!("demo-peer-{}", byte - 1), peer(byte)).expect("admitted");
    }
    let compiled = |reports: &[NodeReport], in_force: &Content| {
        let inputs = Inputs {
            network: &network,
            subscriptions: &[],
            bans: &[],
            operations: &[],
            reports,
            members: &members,
            leaves: &Leaves::new(),
            trust: &[vec![1]],
            authority: None,
            tokens: None,
            in_force,
            now: 0,
        };
        compile(&inputs).content
    };
    let asking = compiled(&[], &Content::default());
    assert_eq!((asking.system, asking.settings.begins_system(), &asking.sealers), (None, true, &sealers));
    let named = compiled(&[says(2, Some(BEGUN)), says(3, Some(BEGUN))], &asking);
    assert_eq!(named.system, Some(BEGUN));
    assert_eq!(named.subscriptions, [(BEGUN, Subscription::default())].into());
    assert_eq!(compiled(&[], &named), named, "an operator that starts has heard nobody");
    // Nor does an authority that is not to be had right now take away by whose word the register goes on.
    let mut told = named;
    told.settings.set_authority([9; 32]);
    assert_eq!(compiled(&[], &told).settings.authority(), Some([9; 32]));
}

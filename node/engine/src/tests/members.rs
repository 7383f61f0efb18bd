//! Members: who is known and who is counted.

use super::net::{Net, OwnedInput, SECOND, address_of};
use crate::{
    CloseReason, Event, Input, LinkId, MemberState, Role, ServiceStatus,
    frame::{Frame, kind},
    membership::{Edition, MemberRecord, Status},
};
use bytes::Bytes;
use peerwright_secure::{NodeKey, PeerId};
use std::{collections::BTreeSet, net::SocketAddr, time::Duration};

pub(super) fn known(net: &Net, node: usize) -> BTreeSet<PeerId> {
    net.engine(node).members().iter().map(|view| view.peer).collect()
}

pub(super) fn state(net: &Net, node: usize, other: usize) -> Option<MemberState> {
    let peer = net.peer(other);
    net.engine(node).members().iter().find(|view| view.peer == peer).map(|view| view.state)
}

pub(super) fn everybody_knows_everybody(net: &Net) -> bool {
    let all: BTreeSet<PeerId> = net.nodes.iter().map(super::net::Node::peer).collect();
    let running = (0..net.nodes.len()).filter(|node| net.nodes[*node].engine.is_some());
    running.into_iter().all(|node| known(net, node) == all)
}

pub(super) fn count(net: &Net, node: usize, is: impl Fn(&Event) -> bool) -> usize {
    net.events(node).filter(|event| is(event)).count()
}

pub(super) fn others(net: &Net, but: usize) -> impl Iterator<Item = usize> {
    (0..net.nodes.len()).filter(move |node| *node != but)
}

/// A member that only the wire knows.
pub(super) fn stranger(number: u8, version: u32) -> (NodeKey, Bytes) {
    let key = NodeKey::from_seed([number; 32]);
    let record = MemberRecord {
        key: key.public(),
        edition: Edition { incarnation: 5, version },
        role: Role::Peer,
        status: Status::Alive,
        address: Some(SocketAddr::from(([10, 9, 9, number], 5000))),
    };
    let bytes = record.sign(&key);
    (key, bytes)
}

/// Gives a node records as if its first link had brought them.
pub(super) fn bring(net: &mut Net, node: usize, records: &[&[u8]]) {
    let link = net.engine(node).peers()[0].link;
    let bytes = Frame::Records { statements: records.to_vec() }.encode();
    net.give(node, OwnedInput::Frame { link, bytes });
    net.run(SECOND / 100);
}

#[test]
fn a_mass_join_gives_everybody_the_full_view_with_addresses() {
    let mut net = Net::new(25);
    for node in 0..25 {
        net.start(node);
    }
    net.run_until(SECOND * 3 / 2, "everybody knows everybody", everybody_knows_everybody);
    for view in net.engine(3).members() {
        let node = (0..25).find(|node| net.peer(*node) == view.peer).unwrap();
        assert_eq!(view.address, Some(address_of(node).socket));
        assert_eq!((view.own, view.state), (node == 3, MemberState::Alive));
    }
    assert_eq!(net.engine(3).statistics().members.alive, 24);
}

#[test]
fn members_are_known_over_others_where_there_is_no_link() {
    let mut net = Net::new(6);
    // A chain: 0 - 1 - 2 - 3 - 4 - 5.
    for node in 0..6usize {
        let far: Vec<usize> = (0..6usize).filter(|other| node.abs_diff(*other) > 1).collect();
        net.cut(&[node], &far);
    }
    for node in 0..6 {
        net.start(node);
    }
    net.run_until(SECOND * 3, "everybody knows everybody", everybody_knows_everybody);
    let ends = net.engine(0).members();
    let certified: BTreeSet<PeerId> = ends.iter().filter(|view| view.certified).map(|view| view.peer).collect();
    assert_eq!(certified, BTreeSet::from([net.peer(1)]), "only who was met is certified");
}

#[test]
fn hearsay_is_known_and_not_counted() {
    let mut net = Net::running(3);
    let before = net.engine(0).statistics().members;
    let (key, record) = stranger(200, 1);
    bring(&mut net, 0, &[&record]);
    let members = net.engine(0).members();
    let view = members.iter().find(|view| view.peer == key.peer_id()).unwrap();
    assert!(!view.certified && !view.healthy);
    let after = net.engine(0).statistics().members;
    assert_eq!((after.alive, after.certified, after.healthy), (before.alive + 1, before.certified, before.healthy));
    assert_eq!(net.engine(0).service_status(), ServiceStatus::Online);
}

#[test]
fn a_member_without_an_address_is_known_and_never_dialled() {
    let mut net = Net::running(3);
    let key = NodeKey::from_seed([200; 32]);
    let edition = Edition { incarnation: 5, version: 1 };
    let record =
        MemberRecord { key: key.public(), edition, role: Role::Peer, status: Status::Alive, address: None }.sign(&key);
    let failed = |net: &Net, node| count(net, node, |event| matches!(event, Event::DialFailed { .. }));
    let before: Vec<usize> = (0..3).map(|node| failed(&net, node)).collect();
    bring(&mut net, 0, &[&record]);
    net.run(SECOND * 120);
    for (node, before) in before.into_iter().enumerate() {
        let view = net.engine(node).members().into_iter().find(|view| view.peer == key.peer_id()).unwrap();
        assert_eq!((view.address, view.certified, view.healthy), (None, false, false));
        assert_eq!(failed(&net, node), before);
    }
}

#[test]
fn each_edition_is_taken_once_and_passed_on_once() {
    let mut net = Net::running(4);
    let (_, record) = stranger(200, 1);
    for _ in 0..5 {
        bring(&mut net, 0, &[&record]);
    }
    net.run(SECOND);
    let sent = |net: &Net| -> usize {
        (0..4).map(|node| net.nodes[node].sent_frames.iter().filter(|(_, sent)| *sent == kind::RECORDS).count()).sum()
    };
    let before = sent(&net);
    net.run(SECOND * 30);
    assert_eq!(sent(&net), before, "nothing is passed on again");
    for node in 0..4 {
        assert_eq!(net.engine(node).statistics().members.accepted, 4, "node {node}: three others and the stranger");
    }
}

#[test]
fn a_member_that_is_not_where_it_says_is_dialled_seldom() {
    let mut net = Net::running(4);
    let (_, record) = stranger(200, 1);
    bring(&mut net, 0, &[&record]);
    net.run(SECOND * 60);
    for node in 0..4 {
        let failed = count(&net, node, |event| matches!(event, Event::DialFailed { .. }));
        assert!((3..15).contains(&failed), "node {node} has dialled {failed} times in a minute");
    }
}

#[test]
fn a_record_that_does_not_verify_convicts_the_link_that_brought_it() {
    let mut net = Net::running(3);
    let (key, record) = stranger(200, 1);
    let mut forged = record.to_vec();
    forged[44] = 9;
    let link = net.engine(0).peers()[0].link;
    bring(&mut net, 0, &[&forged]);
    assert!(net.engine(0).peers().iter().all(|view| view.link != link));
    assert!(!known(&net, 0).contains(&key.peer_id()));
    assert_eq!(count(&net, 0, |event| matches!(event, Event::BadSignature { .. })), 1);
}

#[test]
fn a_full_table_refuses_newcomers_and_takes_updates() {
    let mut net = Net::new(2);
    net.nodes[0].configure = |config| config.membership.capacity = 16;
    net.start(0);
    net.start(1);
    net.run(SECOND * 2);
    let strangers: Vec<Bytes> = (100..140).map(|number| stranger(number, 1).1).collect();
    bring(&mut net, 0, &strangers.iter().map(AsRef::as_ref).collect::<Vec<_>>());
    assert_eq!(known(&net, 0).len(), 16);
    assert_eq!(net.engine(0).statistics().members.refused_full, 26);
    let (key, update) = stranger(100, 2);
    bring(&mut net, 0, &[&update]);
    let members = net.engine(0).members();
    assert_eq!(members.iter().find(|view| view.peer == key.peer_id()).unwrap().version, 2);
}

#[test]
fn an_update_does_not_make_a_banned_member_healthy() {
    let mut net = Net::running(3);
    let ban = crate::BanRecord::of_peer(net.peer(2), None);
    net.set_policy(0, &[ban], &[super::net::REGISTER]);
    net.give(2, OwnedInput::Plain(Input::Advertise { address: Some(SocketAddr::from(([10, 7, 7, 7], 5000))) }));
    net.run(SECOND);
    let members = net.engine(0).members();
    let view = members.iter().find(|view| view.peer == net.peer(2)).unwrap();
    assert_eq!(view.address, Some(SocketAddr::from(([10, 7, 7, 7], 5000))), "the record is as new as any");
    assert!(!view.healthy);
    assert_eq!(net.engine(0).statistics().members.healthy, 1);
    assert!(!net.are_linked(0, 2));
}

#[test]
fn who_leaves_has_left_for_all_and_is_not_missed() {
    let mut net = Net::running(5);
    net.give(2, OwnedInput::Plain(Input::Drain));
    net.run(SECOND / 2);
    let peer = net.peer(2);
    for node in others(&net, 2).collect::<Vec<_>>() {
        assert!(!known(&net, node).contains(&peer));
        assert_eq!(count(&net, node, |event| *event == Event::MemberLeft { peer }), 1);
    }
    net.stop(2);
    net.run(SECOND * 60);
    for node in others(&net, 2).collect::<Vec<_>>() {
        assert!(!known(&net, node).contains(&peer));
        assert_eq!(net.engine(node).statistics().members.accused, 0);
    }
    net.start(2);
    net.run_until(SECOND * 3, "back", everybody_knows_everybody);
}

#[test]
fn who_knows_that_a_member_has_left_is_not_told_again_and_again() {
    let mut net = Net::running(5);
    net.give(2, OwnedInput::Plain(Input::Drain));
    net.run(SECOND / 2);
    net.stop(2);
    net.run(SECOND * 20);
    for node in others(&net, 2).collect::<Vec<_>>() {
        assert_eq!(net.engine(node).statistics().members.refused_gone, 0);
        let records = net.nodes[node].sent_frames.iter().filter(|(_, sent)| *sent == kind::RECORDS).count();
        assert!(records < 50, "node {node} has sent {records} frames of records");
    }
}

#[test]
fn a_restart_is_an_update_and_clears_what_was_said() {
    let mut net = Net::running(4);
    net.run(SECOND * 12);
    net.start(1);
    net.run_until(SECOND * 3, "alive for all", |net| {
        others(net, 1).all(|node| {
            let (peer, incarnation) = (net.peer(1), net.nodes[1].incarnation);
            let view = net.engine(node).members().into_iter().find(|view| view.peer == peer);
            view.is_some_and(|view| view.incarnation == incarnation && view.state == MemberState::Alive)
        })
    });
    let (peer, incarnation) = (net.peer(1), net.nodes[1].incarnation);
    assert_eq!(count(&net, 0, |event| *event == Event::MemberUpdated { peer, incarnation }), 1);
}

#[test]
fn a_retired_identity_is_dropped_and_stays_out() {
    let mut net = Net::running(4);
    let retired = net.peer(3);
    for node in 0..3 {
        net.nodes[node].policy.retired = vec![retired];
        let policy = net.nodes[node].policy.clone();
        net.give(node, OwnedInput::Plain(Input::Policy(policy)));
    }
    net.run(SECOND * 10);
    for node in 0..3 {
        assert!(!known(&net, node).contains(&retired));
        assert!(!net.are_linked(node, 3));
        assert!(count(&net, node, |event| *event == Event::MemberRetired { peer: retired }) >= 1);
    }
    // Its address is listed, and somebody else may come to live there: it is dialled, more and more seldom.
    let refused = |net: &Net| {
        let refusal = |event: &Event| matches!(event, Event::LinkClosed { reason: CloseReason::Retired, .. });
        count(net, 0, refusal)
    };
    let before = refused(&net);
    net.run(SECOND * 120);
    let refused = refused(&net) - before;
    assert!((1..=12).contains(&refused), "{refused}");
    // Records of it are refused, whoever brings them.
    let incarnation = net.nodes[3].incarnation;
    let record = MemberRecord {
        key: net.nodes[3].key.public(),
        edition: Edition { incarnation, version: 99 },
        role: Role::Peer,
        status: Status::Alive,
        address: None,
    };
    let bytes = record.sign(&net.nodes[3].key);
    bring(&mut net, 0, &[&bytes]);
    assert!(!known(&net, 0).contains(&retired));
}

#[test]
fn the_service_status_follows_the_healthy_peers() {
    let mut net = Net::new(8);
    for node in 0..8 {
        net.start(node);
    }
    assert_eq!(net.engine(0).service_status(), ServiceStatus::Offline);
    net.run(SECOND * 3);
    assert_eq!(net.engine(0).service_status(), ServiceStatus::Online);
    for node in [5, 6, 7] {
        net.stop(node);
    }
    net.run(SECOND * 4);
    assert_eq!(net.engine(0).statistics().members.healthy, 4);
    assert_eq!(net.engine(0).service_status(), ServiceStatus::Degraded);
    for node in 1..5 {
        net.stop(node);
    }
    net.run(SECOND * 6);
    assert_eq!(net.engine(0).service_status(), ServiceStatus::Offline);
    let changes: Vec<ServiceStatus> = net
        .events(0)
        .filter_map(|event| match event {
            Event::ServiceStatusChanged { status } => Some(*status),
            _ => None,
        })
        .collect();
    assert_eq!(changes, [ServiceStatus::Online, ServiceStatus::Degraded, ServiceStatus::Offline]);
}

#[test]
fn a_partition_that_heals_brings_everybody_back() {
    for length in [3, 8, 20, 90] {
        let mut net = Net::running(6);
        net.run(SECOND * 12);
        net.cut(&[0, 1, 2], &[3, 4, 5]);
        net.run(SECOND * length);
        net.heal();
        net.run_until(SECOND * 75, &format!("everybody is back after {length} s"), |net| {
            (0..6).all(|node| (0..6).all(|other| state(net, node, other) == Some(MemberState::Alive)))
        });
    }
}

#[test]
fn an_idle_network_says_little_of_its_members() {
    let mut net = Net::running(8);
    net.run(SECOND * 60);
    let before = net.engine(0).statistics().links.bytes_sent;
    net.run(SECOND * 60);
    let rate = (net.engine(0).statistics().links.bytes_sent - before) / 60;
    assert!(rate <= 200, "{rate} bytes a second on seven links");
}

#[test]
fn a_probe_of_who_is_unknown_is_answered_so_and_dials_nobody() {
    let mut net = Net::running(2);
    let link = net.engine(0).peers()[0].link;
    let subject = PeerId::from_bytes([9; 32]);
    let before = net.engine(0).statistics().links;
    net.give(0, OwnedInput::Frame { link, bytes: Frame::Probe { number: 4, subject }.encode() });
    let after = net.engine(0).statistics().links;
    assert_eq!(after.frames_sent, before.frames_sent + 1);
    assert_eq!(net.nodes[0].sent_frames.last().map(|(_, kind)| *kind), Some(kind::PROBED));
}

#[test]
fn a_table_of_many_is_handed_to_a_newcomer_by_one_neighbour() {
    let mut net = Net::running(5);
    let strangers: Vec<Bytes> = (40..140).map(|number| stranger(number, 1).1).collect();
    bring(&mut net, 0, &strangers.iter().map(AsRef::as_ref).collect::<Vec<_>>());
    net.run(SECOND * 3);
    assert_eq!(known(&net, 4).len(), 105);
    net.start(4);
    net.run_until(SECOND * 2, "the newcomer knows all", |net| known(net, 4).len() == 105);
    net.run(SECOND * 5);
    let statistics = net.engine(4).statistics().members;
    assert!(statistics.duplicates < 60, "{statistics:?}");
}

#[test]
fn links_of_former_lives_do_not_matter() {
    let mut net = Net::running(2);
    let unknown = LinkId(987);
    net.give(0, OwnedInput::Frame { link: unknown, bytes: Frame::Records { statements: vec![b"x"] }.encode() });
    net.run(Duration::from_millis(10));
    assert!(net.all_linked());
}

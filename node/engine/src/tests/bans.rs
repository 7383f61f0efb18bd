//! Bans close, refuse, end.

use super::net::{Net, OwnedInput, REGISTER, SECOND, START, texts};
use crate::{BanRecord, CloseReason, Event, Input, PeerCertificate, SubmitRefusal};
use peerwright_secure::{BanSubject, Fingerprint, SpiffeId};

fn ban(net: &Net, node: usize, expires_after: Option<u64>) -> BanRecord {
    BanRecord::of_peer(net.peer(node), expires_after.map(|seconds| START.seconds() + seconds))
}

#[test]
fn a_ban_closes_the_links_and_refuses_new_ones_until_it_is_lifted() {
    let mut net = Net::running(3);
    let bans = [ban(&net, 2, None)];
    net.ban_everywhere(&bans);
    net.run(SECOND / 10);
    assert!(net.engine(2).peers().is_empty());
    assert!(net.are_linked(0, 1));
    let banned = net.peer(2);
    let is_closed = |event: &&Event| matches!(event, Event::LinkClosed { peer, reason: CloseReason::Banned, .. } if *peer == banned);
    assert_eq!(net.events(0).filter(is_closed).count(), 1);
    net.submit(0, "text-0");
    net.run(SECOND * 60);
    assert!(net.engine(2).peers().is_empty());
    assert!(net.holds_exactly(2, &texts("text", 0)));
    net.ban_everywhere(&[]);
    net.run_until(SECOND * 2, "the peer is back", Net::all_linked);
    net.run(SECOND);
    assert!(net.holds_exactly(2, &texts("text", 1)));
}

#[test]
fn a_banned_peer_that_does_not_know_is_refused_however_often_it_dials() {
    let mut net = Net::running(3);
    let bans = [ban(&net, 2, None)];
    for node in 0..2 {
        net.set_policy(node, &bans, &[REGISTER]);
    }
    net.run(SECOND * 120);
    for node in 0..2 {
        assert!(!net.are_linked(node, 2));
        assert!(net.engine(node).statistics().links.refused_banned > 3);
    }
    let dials = net.engine(2).statistics().links.lost;
    assert!(dials < 40, "it waits longer each time: {dials}");
    for node in 0..2 {
        net.set_policy(node, &[], &[REGISTER]);
    }
    net.run_until(SECOND * 2, "those who lift the ban dial", Net::all_linked);
}

#[test]
fn a_ban_made_between_two_dials_is_enforced_on_the_second() {
    let mut net = Net::running(2);
    net.stop(1);
    net.run(SECOND);
    let bans = [ban(&net, 1, None)];
    net.set_policy(0, &bans, &[REGISTER]);
    net.start(1);
    net.run(SECOND * 10);
    assert!(!net.are_linked(0, 1));
}

#[test]
fn a_ban_ends_by_itself_at_its_expiry() {
    let mut net = Net::running(3);
    let bans = [ban(&net, 2, Some(20))];
    net.ban_everywhere(&bans);
    net.run_until(SECOND * 20, "the ban is over", |net| net.now >= START + SECOND * 20 - SECOND / 10);
    assert!(net.engine(2).peers().is_empty());
    net.run_until(SECOND * 2, "the peer is back", Net::all_linked);
    let unbanned = Event::PeerUnbanned { subject: net.peer(2).into(), expired: true };
    assert!(net.events(0).any(|event| *event == unbanned));
    assert!(net.engine(0).bans().is_empty());
}

#[test]
fn a_local_ban_adds_to_the_policys_and_never_lifts_it() {
    let mut net = Net::running(3);
    let (first, second) = (ban(&net, 1, None), ban(&net, 2, None));
    net.set_policy(0, &[first], &[REGISTER]);
    net.give(0, OwnedInput::Plain(Input::LocalBans(vec![second])));
    net.run(SECOND);
    assert!(net.engine(0).peers().is_empty());
    net.give(0, OwnedInput::Plain(Input::LocalBans(vec![])));
    net.run(SECOND * 70);
    assert!(net.are_linked(0, 2) && !net.are_linked(0, 1));
    let [view] = net.engine(0).bans().try_into().unwrap();
    assert!(view.by_policy && !view.by_node);
}

#[test]
fn a_banned_node_takes_no_transactions_and_dials_nobody() {
    let mut net = Net::running(2);
    let bans = [ban(&net, 0, None)];
    net.set_policy(0, &bans, &[REGISTER]);
    net.run(SECOND);
    assert!(net.engine(0).peers().is_empty());
    net.submit(0, "text-0");
    assert_eq!(net.nodes[0].refused[0].1, SubmitRefusal::Banned);
    assert_eq!(net.engine(0).statistics().links.dialling, 0);
}

#[test]
fn a_ban_survives_a_restart_with_the_snapshot() {
    let mut net = Net::running(2);
    let bans = [ban(&net, 1, None)];
    net.set_policy(0, &bans, &[REGISTER]);
    net.start(0);
    net.run(SECOND * 10);
    assert!(!net.are_linked(0, 1));
}

fn certificate(name: &str, fingerprint: u8) -> PeerCertificate {
    let spiffe = SpiffeId::new("demo.default.peerwright.internal", "default", name).unwrap();
    PeerCertificate { spiffe, fingerprint: Fingerprint::from_bytes([fingerprint; 32]) }
}

/// Tells `node` what the certificates of its links and its own say: node n is called `n` and shows certificate n.
fn tell_certificates(net: &mut Net, node: usize) {
    let links: Vec<_> = net.engine(node).peers().iter().map(|peer| (peer.link, peer.peer)).collect();
    let number = |peer| (0..net.nodes.len()).find(|node| net.peer(*node) == peer).unwrap();
    let of = links.into_iter().map(|(link, peer)| (Some(link), number(peer))).chain([(None, node)]);
    for (of, number) in of.collect::<Vec<_>>() {
        let certificate = certificate(&number.to_string(), u8::try_from(number).unwrap());
        net.give(node, OwnedInput::Plain(Input::Certificate { of, certificate }));
    }
}

#[test]
fn a_ban_by_name_or_certificate_closes_the_live_link_and_spares_the_others() {
    let banned = certificate("2", 2);
    for subject in [BanSubject::Spiffe(banned.spiffe), BanSubject::Fingerprint(banned.fingerprint)] {
        let mut net = Net::running(3);
        tell_certificates(&mut net, 0);
        net.set_policy(0, &[BanRecord { subject, expires_at: None }], &[REGISTER]);
        net.run(SECOND / 10);
        assert!(net.are_linked(0, 1) && !net.are_linked(0, 2));
        let peer = net.peer(2);
        let is_closed = |event: &&Event| matches!(event, Event::LinkClosed { peer: closed, reason: CloseReason::Banned, .. } if *closed == peer);
        assert_eq!(net.events(0).filter(is_closed).count(), 1);
    }
}

#[test]
fn a_link_that_shows_a_banned_certificate_is_closed_as_soon_as_it_is_known() {
    let mut net = Net::running(2);
    let subject = BanSubject::Spiffe(certificate("1", 1).spiffe);
    net.set_policy(0, &[BanRecord { subject, expires_at: None }], &[REGISTER]);
    net.run(SECOND / 10);
    assert!(net.are_linked(0, 1), "nobody has told what the certificate says");
    tell_certificates(&mut net, 0);
    net.run(SECOND / 10);
    assert!(!net.are_linked(0, 1));
}

#[test]
fn a_node_whose_own_name_is_banned_talks_to_nobody_until_the_ban_ends() {
    let mut net = Net::running(3);
    tell_certificates(&mut net, 0);
    let subject = BanSubject::Spiffe(certificate("0", 0).spiffe);
    let until = START.seconds() + 30;
    net.set_policy(0, &[BanRecord { subject: subject.clone(), expires_at: Some(until) }], &[REGISTER]);
    net.run(SECOND);
    assert!(net.engine(0).peers().is_empty());
    net.submit(0, "text-0");
    assert_eq!(net.nodes[0].refused[0].1, SubmitRefusal::Banned);
    net.run_until(SECOND * 40, "the banned node dials at once when the ban is over", Net::all_linked);
    assert!(net.now < START + SECOND * 33);
    assert!(net.events(0).any(|event| *event == Event::PeerUnbanned { subject: subject.clone(), expired: true }));
}

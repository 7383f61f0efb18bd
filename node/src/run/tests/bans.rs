//! A ban closes links, keeps them closed, both ways, and ends when it is lifted.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use super::strangers::dial_at;
use crate::{
    RunningNode,
    api::Node,
    probes::{Readiness, Reason},
    testing::{all_have_links, authority, ban_forever, eventually, links, publish, start_nodes},
    tls::unix_now,
};
use peerwright_engine::{BanRecord, LinkId};
use peerwright_secure::BanSubject;
use peerwright_snapshot::Ban;

#[tokio::test(flavor = "multi_thread")]
async fn a_ban_closes_live_links_refuses_both_ways_and_its_end_restores_them() {
    let authority = authority();
    let nodes = start_nodes(&authority, 3).await;
    let [first, second, banned] = nodes.as_slice() else { panic!("three nodes") };
    all_have_links(&[first, second, banned], 2).await;
    let peer = banned.handle().identity.peer_id;

    publish(&authority, &[first, second, banned], |content| {
        content.bans.insert(peer.into(), ban_forever());
    });
    eventually("the banned node is alone", async || links(banned).await == 0).await;
    all_have_links(&[first, second], 1).await;
    let says_so = async || banned.handle().readiness() == Readiness::Waiting(Reason::Banned);
    eventually("the banned node says so", says_so).await;
    eventually("the banned node was refused when it dialled", async || {
        let metrics = first.telemetry().encode() + &second.telemetry().encode();
        metrics.contains("handshakes_refused_total{port=\"peer\",direction=\"inbound\",reason=\"banned\"}")
            || metrics.contains("handshakes_refused_total{port=\"peer\",direction=\"outbound\",reason=\"banned\"}")
            || banned.telemetry().encode().contains("reason=\"banned")
    })
    .await;
    assert_eq!(links(banned).await, 0);

    publish(&authority, &[first, second, banned], |content| content.bans.clear());
    all_have_links(&[first, second, banned], 2).await;
    eventually("it is ready again", async || banned.handle().readiness().is_ready()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ban_that_expires_needs_no_snapshot_to_end() {
    let authority = authority();
    let nodes = start_nodes(&authority, 2).await;
    let [first, banned] = nodes.as_slice() else { panic!("two nodes") };
    all_have_links(&[first, banned], 1).await;
    let peer = banned.handle().identity.peer_id;
    let soon = Ban { expires_at: Some(unix_now() + 3) };
    publish(&authority, &[first, banned], |content| {
        content.bans.insert(peer.into(), soon);
    });
    eventually("the links are closed", async || links(first).await == 0).await;
    all_have_links(&[first, banned], 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ban_of_one_node_alone_holds_there_only() {
    let authority = authority();
    let nodes = start_nodes(&authority, 3).await;
    let [moderated, other, banned] = nodes.as_slice() else { panic!("three nodes") };
    all_have_links(&[moderated, other, banned], 2).await;
    let peer = banned.handle().identity.peer_id;
    moderated.handle().apply_local_bans(vec![BanRecord::of_peer(peer, None)]).await.unwrap();
    all_have_links(&[moderated, banned], 1).await;
    assert_eq!(links(other).await, 2);
    moderated.handle().apply_local_bans(Vec::new()).await.unwrap();
    all_have_links(&[moderated, other, banned], 2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ban_by_name_or_certificate_closes_live_links_and_its_end_restores_them() {
    let authority = authority();
    let nodes = start_nodes(&authority, 3).await;
    let [first, second, banned] = nodes.as_slice() else { panic!("three nodes") };
    let own = banned.handle().membership.leaf().member().unwrap();
    for subject in [BanSubject::Spiffe(own.spiffe.clone()), BanSubject::Fingerprint(own.fingerprint)] {
        all_have_links(&[first, second, banned], 2).await;
        publish(&authority, &[first, second, banned], |content| {
            content.bans.insert(subject.clone(), ban_forever());
        });
        eventually("the banned node is alone", async || links(banned).await == 0).await;
        all_have_links(&[first, second], 1).await;
        let says_so = async || banned.handle().readiness() == Readiness::Waiting(Reason::Banned);
        eventually("the banned node says so", says_so).await;
        publish(&authority, &[first, second, banned], |content| content.bans.clear());
    }
    all_have_links(&[first, second, banned], 2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_banned_range_shuts_out_strangers_and_no_member() {
    let authority = authority();
    let nodes = start_nodes(&authority, 2).await;
    let [first, second] = nodes.as_slice() else { panic!("two nodes") };
    all_have_links(&[first, second], 1).await;
    let rest = async || dial_at(first.api_address(), first, &authority, "demo-peer-9").await;
    let open = rest().await.unwrap();
    publish(&authority, &[first, second], |content| {
        content.bans.insert("cidr:127.0.0.0/8".parse().unwrap(), ban_forever());
    });
    open.cut.cancelled().await;
    assert!(rest().await.is_err());
    eventually("the refusal is counted", async || first.telemetry().encode().contains("reason=\"banned_range\"")).await;
    assert_eq!(links_of(first).await.len(), 1, "the members' link is as it was");
    let (connections, member) = (first.handle().membership.connections(), second.handle().identity.peer_id);
    connections.cut_banned(|_| true);
    eventually("members from the banned range dial anew", async || {
        connections.certificate_of(&member).is_some() && links_of(first).await.len() == 1
    })
    .await;
    publish(&authority, &[first, second], |content| content.bans.clear());
    rest().await.unwrap();
}

async fn links_of(node: &RunningNode) -> Vec<LinkId> {
    node.handle().view().await.unwrap().peers.iter().map(|peer| peer.link).collect()
}

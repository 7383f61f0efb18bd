//! With an operator, without one, and with one that says no. The operator is a fake behind real gRPC and TLS.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod fake;

use super::super::{Backing, Enrolment, StartError, StartOptions};
use crate::{
    RunningNode,
    api::{Access, Node, SubmitRefused},
    config::Configuration,
    probes::{Readiness, Reason},
    run::Sockets,
    testing::{
        authority, ban_forever, configuration, eventually, impatient, sealed::SealedRegister, spoil_snapshots,
        start_node, transaction,
    },
};
use fake::{FakeOperator, Mood, OVER_REGISTERS};
use peerwright_engine::{Role, SubmitRefusal};
use peerwright_secure::{NodeKey, PeerId, sha256};
use peerwright_snapshot::{Group, NodeRole, SettingId, Version};
use std::{fs, path::Path, time::Duration};
use tokio::time::sleep;

const STRANGER: PeerId = PeerId::from_bytes([9; 32]);

fn configured(operator: &FakeOperator, directory: &Path) -> Configuration {
    let root = directory.join("install-root.pem");
    let pem = operator.authority().install_root_pem();
    fs::write(&root, &pem).unwrap();
    let token = directory.join("token");
    fs::write(&token, "token of demo-peer-0\n").unwrap();
    Configuration {
        operator: operator.endpoint(),
        install_root: root,
        install_root_sha256: sha256(pem.as_bytes()),
        token_file: token,
        ..configuration("demo-peer-0", &directory.join("volume"))
    }
}

fn with_operator() -> StartOptions {
    StartOptions { backing: Backing::Volume, enrolment: Enrolment::Operator, access: Access::ByToken, tune: impatient }
}

async fn start(configuration: &Configuration) -> RunningNode {
    start_node(configuration, &with_operator()).await
}

async fn end(node: RunningNode) {
    node.drain(Duration::from_secs(2)).await;
}

fn version(node: &RunningNode) -> Option<Version> {
    node.handle().snapshot().map(|snapshot| snapshot.version())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_node_waits_for_the_operator_then_certifies_watches_and_acknowledges() {
    let operator = FakeOperator::start(authority(), Mood::NotLeader).await;
    let directory = tempfile::tempdir().unwrap();
    let node = start(&configured(&operator, directory.path())).await;
    eventually("the node asks", async || operator.certify_calls() > 0).await;
    eventually("the node says so", async || {
        node.handle().readiness() == Readiness::Waiting(Reason::WaitingForOperator)
    })
    .await;
    let early = node.handle().submit(transaction(&node, "early")).await;
    assert_eq!(early, Err(SubmitRefused::Node(SubmitRefusal::WaitingForOperator)));

    operator.set_mood(Mood::Leading);
    eventually("the node is ready", async || node.handle().readiness().is_ready()).await;
    eventually("the first snapshot is acknowledged", async || operator.acknowledged() == Some((1, 1))).await;
    eventually("the operator hears that it is ready", async || operator.says_ready()).await;

    operator.publish(|content| {
        content.bans.insert(STRANGER.into(), ban_forever());
    });
    eventually("the second is acknowledged", async || operator.acknowledged() == Some((1, 2))).await;
    assert_eq!(version(&node), Some(Version { epoch: 1, revision: 2 }));
    assert!(node.handle().membership.bans().is_peer_banned(&STRANGER, crate::tls::unix_now()));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_network_sets_holds_while_the_node_runs_and_what_is_out_of_range_is_counted() {
    let operator = FakeOperator::start(authority(), Mood::Leading).await;
    let directory = tempfile::tempdir().unwrap();
    let node = start(&configured(&operator, directory.path())).await;
    eventually("the node watches", async || operator.acknowledged() == Some((1, 1))).await;
    let own = async || {
        let (_, members) = node.handle().commands.members().await.unwrap();
        members.into_iter().find(|member| member.own).map(|member| member.role)
    };
    eventually("it is one among equals", async || own().await == Some(Role::Peer)).await;

    operator.publish(|content| {
        content.groups.insert("demo-peer".to_owned(), Group { role: NodeRole::Hub, nodes: 1 });
        content.settings.set(SettingId::GossipFanout, 999);
    });
    eventually("it is a hub", async || own().await == Some(Role::Hub)).await;
    assert!(node.telemetry.encode().contains("peerwright_settings_not_taken 1\n"));

    operator.publish(|content| {
        content.groups.clear();
        content.settings.set(SettingId::GossipFanout, 4);
    });
    eventually("it is a peer again", async || own().await == Some(Role::Peer)).await;
    assert!(node.telemetry.encode().contains("peerwright_settings_not_taken 0\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_comes_back_after_the_leader_changes() {
    let operator = FakeOperator::start(authority(), Mood::Leading).await;
    let directory = tempfile::tempdir().unwrap();
    let node = start(&configured(&operator, directory.path())).await;
    eventually("the node watches", async || operator.acknowledged() == Some((1, 1))).await;
    operator.set_mood(Mood::NotLeader);
    operator.end_streams();
    operator.publish(|content| content.settings.set(SettingId::HeartbeatInterval, 11));
    operator.set_mood(Mood::Leading);
    eventually("the node has the newer snapshot", async || version(&node).is_some_and(|found| found.revision == 2))
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_with_leaf_and_snapshot_starts_without_the_operator_with_bans_in_force() {
    let operator = FakeOperator::start(authority(), Mood::Leading).await;
    let directory = tempfile::tempdir().unwrap();
    let configuration = configured(&operator, directory.path());
    operator.publish(|content| {
        content.bans.insert(STRANGER.into(), ban_forever());
    });
    let node = start(&configuration).await;
    eventually("the node watches", async || operator.acknowledged() == Some((1, 2))).await;
    let peer = node.handle().identity.peer_id;
    end(node).await;
    let authority = operator.authority().clone();
    let older = authority.sign(Version { epoch: 1, revision: 1 }, operator.content()).unwrap();
    drop(operator);

    fs::write(&configuration.snapshot_file, older).unwrap();
    let node = start(&configuration).await;
    assert_eq!((node.handle().identity.peer_id, version(&node)), (peer, Some(Version { epoch: 1, revision: 2 })));
    assert!(node.handle().membership.bans().is_peer_banned(&STRANGER, crate::tls::unix_now()));
    eventually("it is ready", async || node.handle().readiness().is_ready()).await;
    end(node).await;

    let newer = authority.sign(Version { epoch: 2, revision: 1 }, fake::trusting(&authority)).unwrap();
    fs::write(&configuration.snapshot_file, newer).unwrap();
    let node = start(&configuration).await;
    assert_eq!(version(&node), Some(Version { epoch: 2, revision: 1 }));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_leaf_is_renewed_after_a_third_of_its_life_and_the_stream_rests_on_the_new_one() {
    let operator = FakeOperator::start(authority(), Mood::LeadingWithOldLeaves).await;
    let directory = tempfile::tempdir().unwrap();
    let node = start(&configured(&operator, directory.path())).await;
    eventually("the node watches", async || operator.acknowledged() == Some((1, 1))).await;
    let first = node.handle().membership.leaf().member().unwrap();
    operator.set_mood(Mood::Leading);
    eventually("the leaf is another", async || {
        node.handle().membership.leaf().member().unwrap().fingerprint != first.fingerprint
    })
    .await;
    eventually("there is another stream", async || operator.streams() > 1).await;
    // On a slow machine it may have got a second old leaf before the operator's mood changed.
    assert!((2..10).contains(&operator.certify_calls()), "{}", operator.certify_calls());
    let telemetry = node.telemetry().encode();
    assert!(telemetry.contains("operator_answers_total{call=\"watch\",answer=\"leaf_replaced\"} "), "{telemetry}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_older_snapshot_from_the_operator_is_refused() {
    let operator = FakeOperator::start(authority(), Mood::Leading).await;
    let directory = tempfile::tempdir().unwrap();
    operator.publish(|content| {
        content.bans.insert(STRANGER.into(), ban_forever());
    });
    let node = start(&configured(&operator, directory.path())).await;
    eventually("the node watches", async || operator.acknowledged() == Some((1, 2))).await;
    operator.send(operator.authority().sign(Version { epoch: 1, revision: 1 }, operator.content()).unwrap());
    eventually("the refusal is counted", async || {
        node.telemetry().encode().contains("operator_answers_total{call=\"snapshot\",answer=\"snapshot_older\"} 1")
    })
    .await;
    assert_eq!(version(&node), Some(Version { epoch: 1, revision: 2 }));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_snapshot_is_acknowledged_only_once_it_is_kept() {
    let operator = FakeOperator::start(authority(), Mood::Leading).await;
    let directory = tempfile::tempdir().unwrap();
    let configuration = configured(&operator, directory.path());
    let node = start(&configuration).await;
    eventually("the node watches", async || operator.acknowledged() == Some((1, 1))).await;
    let in_the_way = spoil_snapshots(&configuration.data_dir);
    operator.publish(|content| {
        content.bans.insert(STRANGER.into(), ban_forever());
    });
    eventually("the failure is counted", async || {
        node.telemetry().encode().contains("operator_answers_total{call=\"snapshot\",answer=\"not_kept\"} 1")
    })
    .await;
    assert!(node.handle().membership.bans().is_peer_banned(&STRANGER, crate::tls::unix_now()));
    // A stream that is dialled anew says nothing else.
    let streams = operator.streams();
    operator.end_streams();
    eventually("there is another stream", async || operator.streams() > streams).await;
    sleep(Duration::from_millis(300)).await;
    assert_eq!(operator.acknowledged(), Some((1, 1)));
    fs::remove_dir(in_the_way).unwrap();
    eventually("it is acknowledged", async || operator.acknowledged() == Some((1, 2))).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_is_refused_as_banned_says_so_and_succeeds_after_the_unban() {
    let operator = FakeOperator::start(authority(), Mood::Refusing("banned")).await;
    let directory = tempfile::tempdir().unwrap();
    let node = start(&configured(&operator, directory.path())).await;
    eventually("it says so", async || node.handle().readiness() == Readiness::Waiting(Reason::Banned)).await;
    let refused = node.handle().submit(transaction(&node, "refused")).await;
    assert_eq!(refused, Err(SubmitRefused::Node(SubmitRefusal::Banned)));
    operator.set_mood(Mood::Leading);
    eventually("it is ready", async || node.handle().readiness().is_ready()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_of_another_installation_is_not_believed() {
    let (ours, theirs) = (authority(), authority());
    let operator = FakeOperator::start(theirs, Mood::Leading).await;
    let directory = tempfile::tempdir().unwrap();
    let mut configuration = configured(&operator, directory.path());
    let pem = ours.install_root_pem();
    fs::write(&configuration.install_root, &pem).unwrap();
    configuration.install_root_sha256 = sha256(pem.as_bytes());
    let node = start(&configuration).await;
    eventually("the refusal is counted", async || {
        node.telemetry().encode().contains("operator_answers_total{call=\"certify\",answer=\"untrusted\"}")
    })
    .await;
    assert_eq!(operator.certify_calls(), 0);
    assert_eq!(node.handle().readiness(), Readiness::Waiting(Reason::WaitingForOperator));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replaced_install_root_stops_the_node_with_one_line() {
    let operator = FakeOperator::start(authority(), Mood::Leading).await;
    let directory = tempfile::tempdir().unwrap();
    let configuration = configured(&operator, directory.path());
    fs::write(&configuration.install_root, authority().install_root_pem()).unwrap();
    let sockets = Sockets::bind(&configuration).await.unwrap();
    let refused = RunningNode::start(&configuration, &with_operator(), sockets).await.map(drop).unwrap_err();
    assert!(matches!(refused, StartError::InstallRoot(_)));
    let line = refused.to_string();
    assert!(line.contains("install-root-sha256 says") && !line.contains('\n'), "{line}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_gets_the_word_of_the_network_s_authority_from_the_operator_or_hears_why_not() {
    let operator = FakeOperator::start(authority(), Mood::Leading).await;
    let directory = tempfile::tempdir().unwrap();
    let node = start(&configured(&operator, directory.path())).await;
    eventually("the node is ready", async || node.handle().readiness().is_ready()).await;
    let (own, author) = (node.handle().identity.public_key, NodeKey::from_seed([0x5e; 32]));
    let docket = SealedRegister::begin().chain().replace_sealers([own].into(), &author).unwrap();
    let network = node.handle().creator.sealer.network_authority().unwrap();

    let signed = network.endorse(own, docket.clone()).await;
    assert_eq!(signed, Ok(docket.0.hash().certify(&NodeKey::from_seed(OVER_REGISTERS))));
    operator.set_mood(Mood::Refusing("not_ordered"));
    let refused = network.endorse(own, docket).await.unwrap_err();
    assert!(refused.contains("not_ordered"), "{refused}");
}

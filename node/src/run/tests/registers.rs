//! Registers on whole nodes: begun, sealed, followed, proved.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use crate::{
    RunningNode,
    api::Node,
    dev::Authority,
    operator::DigestSource,
    registers::{CreateRefused, NewRegister, ReplicaState},
    testing::{all_have_links, authority, bind_nodes, eventually, publish, start_bound, start_nodes, transaction_in},
};
use bytes::Bytes;
use peerwright_ledger::{Chain, Docket, RegisterId, RegisterPolicy, TransactionId, Verify};
use peerwright_proto::v1;
use peerwright_secure::PeerId;
use peerwright_snapshot::{Group, SettingId, Subscription};
use peerwright_store::{DocketStore, Seen};
use std::{
    collections::BTreeSet,
    sync::Arc,
    time::{Duration, Instant},
};

/// A seed and three peers are one network within this time.
const CONVERGED: Duration = Duration::from_secs(120);

pub(super) fn orders() -> NewRegister {
    NewRegister {
        name: "orders".to_owned(),
        description: String::new(),
        owner: "a test".to_owned(),
        authority: None,
        policy: RegisterPolicy { build_interval_millis: 10, ..RegisterPolicy::default() },
    }
}

/// Nodes that know each other, the first of them sealing.
pub(super) async fn sealed(authority: &Arc<Authority>, nodes: usize, sealers: usize) -> Vec<RunningNode> {
    let nodes = start_nodes(authority, nodes).await;
    let all: Vec<&RunningNode> = nodes.iter().collect();
    all_have_links(&all, nodes.len() - 1).await;
    let chosen: BTreeSet<PeerId> = nodes.iter().take(sealers).map(|node| node.handle().identity.peer_id).collect();
    publish(authority, &all, |content| {
        content.founders.clone_from(&chosen);
        content.sealers = chosen;
    });
    nodes
}

/// Begins a register, to which every node subscribes.
pub(super) async fn begin(authority: &Authority, nodes: &[RunningNode]) -> RegisterId {
    begin_like(authority, nodes, &orders()).await
}

/// As [`begin`], such a register.
pub(super) async fn begin_like(authority: &Authority, nodes: &[RunningNode], new: &NewRegister) -> RegisterId {
    let last = nodes.last().unwrap();
    let register = loop {
        match last.handle().create_register(new.clone()).await {
            Ok(register) => break register,
            // Its members are still getting to know each other.
            Err(CreateRefused::NoSealers | CreateRefused::Unreached(_)) => {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            Err(refused) => panic!("{refused}"),
        }
    };
    publish(authority, &nodes.iter().collect::<Vec<_>>(), |content| {
        content.subscriptions.insert(*register.as_bytes(), Subscription::default());
    });
    register
}

pub(super) async fn hand_in(node: &RunningNode, register: RegisterId, text: &str) -> TransactionId {
    let transaction = transaction_in(node.handle(), register, text);
    let id = transaction.id();
    eventually("the node takes it", async || node.handle().submit(transaction.clone()).await.is_ok()).await;
    id
}

pub(super) async fn committed(node: &RunningNode, register: RegisterId, id: TransactionId) -> bool {
    node.handle().registers.store.find(register, id, Seen::Certified).await.unwrap().is_some()
}

/// What a stranger makes of the dockets of a node: everything is verified anew.
pub(super) async fn verified(store: &dyn DocketStore, register: RegisterId) -> (Chain, Vec<TransactionId>) {
    let now = crate::driver::Clock::wall().0;
    let dockets = store.dockets(register, 0, Seen::Certified, 10_000, 1 << 30).await.unwrap();
    let read = |stored: &peerwright_store::StoredDocket| {
        let certificate: &Bytes = stored.header.certificate.as_ref().unwrap();
        Docket::decode(Docket::assemble(&stored.header.header, certificate, &stored.body)).unwrap()
    };
    let mut chain = Chain::begin(&read(&dockets[0]), now).unwrap();
    let mut ids = Vec::new();
    for docket in &dockets[1..] {
        ids.extend(chain.extend(&read(docket), Verify::EveryTransaction, now).unwrap());
    }
    (chain, ids)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_one_node_accepts_is_committed_on_all_and_anybody_can_verify_it() {
    let authority = authority();
    let nodes = sealed(&authority, 4, 3).await;
    let register = begin(&authority, &nodes).await;

    let mut sent = BTreeSet::new();
    for (number, node) in nodes.iter().enumerate() {
        for text in 0..5 {
            sent.insert(hand_in(node, register, &format!("{number}.{text}")).await);
        }
    }

    for node in &nodes {
        for id in &sent {
            eventually("every node holds it committed", async || committed(node, register, *id).await).await;
        }
    }
    let (head, ids) = verified(&*nodes[3].handle().registers.store, register).await;
    assert_eq!((ids.len(), ids.into_iter().collect::<BTreeSet<_>>()), (sent.len(), sent));
    assert_eq!(head.register(), register);
    eventually("the follower says that it has all", async || {
        let follower = nodes[3].handle().registers.progress(register).unwrap();
        (follower.state, follower.percent()) == (ReplicaState::FullyReplicated, 100)
    })
    .await;
    for sealer in &nodes[..3] {
        let (chain, _) = verified(&*sealer.handle().registers.store, register).await;
        assert_eq!(chain.head().hash, head.head().hash);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_seed_and_three_peers_share_a_register_in_whatever_order_they_start() {
    for order in [["seed", "a", "b", "c"], ["a", "seed", "b", "c"], ["c", "b", "a", "seed"]] {
        let (authority, began) = (authority(), Instant::now());
        let mut bound = bind_nodes(order.len()).await;
        for (configuration, _) in &mut bound {
            // What the seed tells of others is dialled.
            configuration.own_ranges = vec!["127.0.0.0/8".parse().unwrap()];
        }
        let place = order.iter().position(|name| *name == "seed").unwrap();
        let seed = bound[place].1.peer_address;
        // Until the seed starts, its port takes connections and answers nothing.
        let nodes = start_bound(&authority, bound, vec![seed.into()]).await;
        let all: Vec<&RunningNode> = nodes.iter().collect();
        all_have_links(&all, nodes.len() - 1).await;
        let sealer = BTreeSet::from([nodes[place].handle().identity.peer_id]);
        publish(&authority, &all, |content| {
            content.founders.clone_from(&sealer);
            content.sealers = sealer;
        });

        let register = begin(&authority, &nodes).await;
        let id = hand_in(&nodes[0], register, "in any order").await;
        for node in &nodes {
            eventually("every node holds it committed", async || committed(node, register, id).await).await;
        }
        assert!(began.elapsed() < CONVERGED, "{order:?} took {:?}", began.elapsed());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sealer_that_is_gone_is_not_missed_and_nothing_is_sealed_twice() {
    let authority = authority();
    let mut nodes = sealed(&authority, 4, 3).await;
    let register = begin(&authority, &nodes).await;
    let mut sent = BTreeSet::from([hand_in(&nodes[3], register, "before").await]);
    for id in &sent {
        eventually("it is committed", async || committed(&nodes[3], register, *id).await).await;
    }

    // Whoever leads: killed, as it were.
    let leader = || nodes.iter().position(|node| node.handle().creator.sealer.is_leading());
    eventually("a sealer leads", async || leader().is_some()).await;
    let leader = leader().unwrap_or_default();
    drop(nodes.remove(leader));
    let client = nodes.last().unwrap();
    for number in 0..20 {
        sent.insert(hand_in(client, register, &format!("after {number}")).await);
    }

    for id in &sent {
        eventually("it is committed without the leader", async || committed(client, register, *id).await).await;
    }
    let (_, ids) = verified(&*client.handle().registers.store, register).await;
    assert_eq!((ids.len(), ids.into_iter().collect::<BTreeSet<_>>()), (sent.len(), sent));
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_majority_what_is_accepted_is_not_committed() {
    let authority = authority();
    let mut nodes = sealed(&authority, 4, 3).await;
    let register = begin(&authority, &nodes).await;
    let first = hand_in(&nodes[3], register, "with a majority").await;
    eventually("it is committed", async || committed(&nodes[3], register, first).await).await;

    let client = nodes.pop().unwrap();
    let alone = nodes.pop().unwrap();
    eventually("the sealer that is left holds it", async || committed(&alone, register, first).await).await;
    drop(nodes);
    let second = hand_in(&client, register, "without one").await;
    eventually("the sealer that is left hears it", async || {
        alone.handle().store.transaction(register, second).await.unwrap().is_some()
    })
    .await;

    // Twice as long as an election takes.
    tokio::time::sleep(Duration::from_secs(4)).await;
    assert!(!committed(&alone, register, second).await);
    assert!(committed(&alone, register, first).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_single_sealer_becomes_three() {
    let authority = authority();
    let nodes = sealed(&authority, 3, 1).await;
    let register = begin(&authority, &nodes).await;
    let first = hand_in(&nodes[2], register, "one sealer").await;
    eventually("it is committed", async || committed(&nodes[2], register, first).await).await;

    publish(&authority, &nodes.iter().collect::<Vec<_>>(), |content| {
        content.sealers = nodes.iter().map(|node| node.handle().identity.peer_id).collect();
    });
    eventually("the register has three sealers", async || {
        let (chain, _) = verified(&*nodes[0].handle().registers.store, register).await;
        chain.governance().sealers().sealers().len() == 3
    })
    .await;
    let second = hand_in(&nodes[1], register, "three sealers").await;

    for node in &nodes {
        eventually("it is committed on all", async || committed(node, register, second).await).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_register_is_on_the_sealers_and_on_the_nodes_of_its_placement_and_they_tell_so() {
    let authority = authority();
    let nodes = sealed(&authority, 3, 1).await;
    let register = begin(&authority, &nodes).await;
    let all: Vec<&RunningNode> = nodes.iter().collect();
    let placed_on = |group: &str| {
        publish(&authority, &all, |content| {
            content.groups = ["demo-peer", "demo-edge"].map(|name| (name.to_owned(), Group::default())).into();
            let subscription = Subscription { groups: [group.to_owned()].into(), ..Subscription::default() };
            content.subscriptions = [(*register.as_bytes(), subscription)].into();
        });
    };
    let told = async |node: &RunningNode| {
        let digest = DigestSource::outline(node.handle().as_ref()).await;
        digest.registers.iter().map(|row| (row.state(), row.dockets == row.dockets_of_source)).collect::<Vec<_>>()
    };

    placed_on("demo-edge");
    for follower in &nodes[1..] {
        eventually("it does not hold the register", async || told(follower).await.is_empty()).await;
        let progress = || follower.handle().registers.progress(register);
        eventually("it follows the register no longer", async || progress().is_none()).await;
    }
    let first = hand_in(&nodes[0], register, "on the sealer alone").await;
    eventually("it is committed", async || committed(&nodes[0], register, first).await).await;
    let sealing = [(v1::ReplicaState::Sealing, true)];
    eventually("the sealer says that it has all", async || told(&nodes[0]).await == sealing).await;
    assert!(!committed(&nodes[2], register, first).await);

    placed_on("demo-peer");
    for follower in &nodes[1..] {
        eventually("it holds the register", async || committed(follower, register, first).await).await;
        let full = [(v1::ReplicaState::FullyReplicated, true)];
        eventually("it says so", async || told(follower).await == full).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn sealers_go_on_with_what_the_network_sets() {
    let authority = authority();
    let nodes = sealed(&authority, 3, 3).await;
    let register = begin(&authority, &nodes).await;
    let first = hand_in(&nodes[0], register, "before").await;
    eventually("it is committed", async || committed(&nodes[0], register, first).await).await;

    publish(&authority, &nodes.iter().collect::<Vec<_>>(), |content| {
        content.settings.set(SettingId::SealingHeartbeat, 100);
        content.settings.set(SettingId::SealingLeaderTimeout, 400);
    });
    let second = hand_in(&nodes[1], register, "after").await;

    for node in &nodes {
        eventually("it is committed on all", async || committed(node, register, second).await).await;
        assert!(committed(node, register, first).await);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_register_that_waits_for_its_next_docket_holds_up_no_other() {
    let authority = authority();
    let nodes = sealed(&authority, 1, 1).await;
    publish(&authority, &nodes.iter().collect::<Vec<_>>(), |content| {
        // Gossip alone brings them to the sealer.
        content.settings.set(SettingId::OutboxHandInAfter, 60_000);
    });
    let policy = RegisterPolicy { build_interval_millis: 60_000, ..RegisterPolicy::default() };
    let slow = begin_like(&authority, &nodes, &NewRegister { policy, ..orders() }).await;
    let quick = begin(&authority, &nodes).await;

    let waits = hand_in(&nodes[0], slow, "in a minute").await;
    for number in 0..5 {
        let id = hand_in(&nodes[0], quick, &format!("at once {number}")).await;
        eventually("it is committed", async || committed(&nodes[0], quick, id).await).await;
    }

    assert!(!committed(&nodes[0], slow, waits).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_comes_while_a_docket_is_awaited_goes_into_it() {
    let authority = authority();
    let nodes = sealed(&authority, 1, 1).await;
    let mut slow = orders();
    slow.policy.build_interval_millis = 1_500;
    let register = begin_like(&authority, &nodes, &slow).await;

    let first = hand_in(&nodes[0], register, "first").await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    let second = hand_in(&nodes[0], register, "second").await;
    eventually("both are committed", async || {
        committed(&nodes[0], register, first).await && committed(&nodes[0], register, second).await
    })
    .await;

    let docket =
        async |id| nodes[0].handle().registers.store.find(register, id, Seen::Certified).await.unwrap().unwrap().number;
    assert_eq!(docket(first).await, docket(second).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_network_without_sealers_begins_no_register() {
    let authority = authority();
    let nodes = start_nodes(&authority, 1).await;

    let refused = nodes[0].handle().create_register(orders()).await;

    assert_eq!(refused, Err(CreateRefused::NoSealers));
}

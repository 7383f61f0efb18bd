//! What a node has accepted stays its matter: over restarts, past a gossip that does not reach the sealers, to its end.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use super::registers::{begin, committed, hand_in, orders, sealed, verified};
use crate::{
    RunningNode,
    api::{Node, SubmitRefused},
    config::Endpoint,
    dev::Authority,
    registers::{CreateRefused, NewRegister, OutboxFull, OutboxSettings, Settled},
    run::Backing,
    testing::{
        all_have_links, authority, configuration, eventually, kill, options, publish, start_node, transaction_in,
    },
};
use peerwright_ledger::{Entry, Kind, MessageBody, RegisterId, RegisterPolicy, Transaction};
use peerwright_snapshot::{SettingId, Subscription};
use std::{
    collections::BTreeSet,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

pub(super) async fn start(
    authority: &Arc<Authority>,
    name: &str,
    directory: &Path,
    seeds: Vec<Endpoint>,
) -> RunningNode {
    let mut configuration = configuration(name, directory);
    configuration.seeds = seeds;
    start_node(&configuration, &options(authority, Backing::Volume)).await
}

fn open(node: &RunningNode) -> usize {
    node.handle().registers.outbox_figures().open
}

/// A transaction of the node in a message of its own that gossip knows nothing of.
async fn accept_unheard(node: &RunningNode, transaction: &Transaction) {
    let handle = node.handle();
    let key = handle.membership.key();
    let body = MessageBody {
        origin: key.public(),
        incarnation: handle.identity.incarnation,
        sequence: 1_000_000,
        floor: 1,
        previous: [0; 32],
        register: transaction.body().register,
        register_sequence: 1_000_000,
        created_at_micros: 1,
        expires_at_micros: 2,
        entries: vec![Entry::Inline(transaction.encoded().clone())],
    };
    handle.store.append(vec![body.sign(key).unwrap()], crate::driver::Clock::wall().0).await.unwrap();
}

async fn reason(node: &RunningNode, transaction: &Transaction) -> Option<String> {
    let letter = node.handle().store.dead_letter(transaction.body().register, transaction.id()).await.unwrap();
    letter.map(|letter| letter.reason)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_accepted_without_sealers_is_committed_after_both_sides_were_killed() {
    let authority = authority();
    let (sealing, asking) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let sealer = start(&authority, "demo-peer-0", sealing.path(), vec![]).await;
    let client = start(&authority, "demo-peer-1", asking.path(), vec![sealer.peer_address().into()]).await;
    all_have_links(&[&sealer, &client], 1).await;
    publish(&authority, &[&sealer, &client], |content| {
        let sealer = BTreeSet::from([sealer.handle().identity.peer_id]);
        content.founders.clone_from(&sealer);
        content.sealers = sealer;
    });
    let nodes = [sealer, client];
    let register = begin(&authority, &nodes).await;
    let first = hand_in(&nodes[1], register, "while all is well").await;
    eventually("it is committed", async || committed(&nodes[1], register, first).await).await;
    eventually("the outbox is empty", async || open(&nodes[1]) == 0).await;
    let [sealer, client] = nodes;

    kill(sealer).await;
    let mut sent = BTreeSet::new();
    for number in 0..5 {
        sent.insert(hand_in(&client, register, &format!("without sealers {number}")).await);
    }
    // Of a register that is not watched yet, what was handed in is counted once it is read back.
    eventually("all of it waits", async || open(&client) == 5).await;
    kill(client).await;
    let sealer = start(&authority, "demo-peer-0", sealing.path(), vec![]).await;
    let client = start(&authority, "demo-peer-1", asking.path(), vec![sealer.peer_address().into()]).await;

    for id in &sent {
        eventually("it is committed after all", async || committed(&client, register, *id).await).await;
    }
    eventually("the outbox is empty", async || open(&client) == 0).await;
    let (_, ids) = verified(&*client.handle().registers.store, register).await;
    assert_eq!(ids.len(), 1 + sent.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_gossip_does_not_bring_to_the_sealers_is_handed_to_their_leader() {
    let authority = authority();
    let nodes = sealed(&authority, 4, 3).await;
    let register = begin(&authority, &nodes).await;
    let client = &nodes[3];
    let first = hand_in(client, register, "by gossip").await;
    eventually("it is committed", async || committed(client, register, first).await).await;

    let unheard = transaction_in(client.handle(), register, "not by gossip");
    accept_unheard(client, &unheard).await;

    eventually("it is committed", async || committed(client, register, unheard.id()).await).await;
    eventually("the outbox is empty", async || open(client) == 0).await;
    for sealer in &nodes[..3] {
        let gossiped = sealer.handle().store.transaction(register, unheard.id()).await.unwrap();
        assert!(gossiped.is_none(), "gossip has brought it");
    }
    let metrics = client.telemetry().encode();
    assert!(metrics.contains("peerwright_handed_in_total{outcome=\"sealed\"} 1"), "{metrics}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_sealers_refuse_becomes_a_dead_letter_and_whoever_waits_hears_so() {
    let authority = authority();
    let nodes = sealed(&authority, 2, 1).await;
    let register = begin(&authority, &nodes).await;
    let client = &nodes[1];
    eventually("it follows the register", async || client.handle().registers.progress(register).is_some()).await;
    let mut body = transaction_in(client.handle(), register, "governs nothing").body().clone();
    body.kind = Kind::Control;
    let control = client.handle().sign(body).unwrap();
    let waiting = client.handle().registers.settled(register, control.id());

    eventually("the node takes it", async || client.handle().submit(control.clone()).await.is_ok()).await;

    assert_eq!(waiting.await, Ok(Settled::Dead("control_refused".to_owned())));
    assert_eq!(reason(client, &control).await.as_deref(), Some("control_refused"));
    assert_eq!((open(client), client.handle().registers.outbox_figures().dead), (0, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_expires_unsealed_becomes_a_dead_letter() {
    let authority = authority();
    let nodes = sealed(&authority, 2, 1).await;
    let register = begin(&authority, &nodes).await;
    let client = &nodes[1];
    let mut body = transaction_in(client.handle(), register, "short").body().clone();
    body.valid_until_micros = body.created_at_micros + 1;
    let short = client.handle().sign(body).unwrap();
    accept_unheard(client, &short).await;
    eventually("it waits", async || open(client) == 1).await;
    assert_eq!(reason(client, &short).await, None);

    // A docket of a later time is the proof.
    let later = hand_in(&nodes[0], register, "later").await;
    eventually("it is committed", async || committed(client, register, later).await).await;

    eventually("it is a dead letter", async || reason(client, &short).await.as_deref() == Some("expired")).await;
    eventually("the outbox is empty", async || open(client) == 0).await;
}

/// A register whose dockets take a minute to gather, on a node that seals alone.
async fn slow_register(authority: &Arc<Authority>, node: &RunningNode) -> RegisterId {
    let own = BTreeSet::from([node.handle().identity.peer_id]);
    publish(authority, &[node], |content| {
        content.founders.clone_from(&own);
        content.sealers = own;
    });
    let policy = RegisterPolicy { build_interval_millis: 60_000, ..RegisterPolicy::default() };
    let register = loop {
        match node.handle().create_register(NewRegister { policy, ..orders() }).await {
            Ok(register) => break register,
            Err(CreateRefused::NoSealers | CreateRefused::Unreached(_)) => {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            Err(refused) => panic!("{refused}"),
        }
    };
    publish(authority, &[node], |content| {
        content.subscriptions.insert(*register.as_bytes(), Subscription::default());
    });
    register
}

#[tokio::test(flavor = "multi_thread")]
async fn an_outbox_that_is_full_refuses_and_keeps_what_it_has() {
    let authority = authority();
    let mut configuration = configuration("demo-peer-0", Path::new("/nowhere"));
    configuration.outbox = OutboxSettings { capacity: 100, ..OutboxSettings::default() };
    let node = start_node(&configuration, &options(&authority, Backing::Memory)).await;
    let register = slow_register(&authority, &node).await;

    let refused = fill(&node, register, 100).await;

    assert_eq!(refused, Err(SubmitRefused::OutboxFull(OutboxFull(100))));
    assert_eq!(open(&node), 100);
}

/// Hands in until so many wait, and one more: what is said of that.
async fn fill(node: &RunningNode, register: RegisterId, capacity: usize) -> Result<(), SubmitRefused> {
    let accepted = AtomicUsize::new(0);
    let hand_in = async || {
        let text = format!("after {}", accepted.load(Ordering::Relaxed));
        node.handle().submit(transaction_in(node.handle(), register, &text)).await?;
        accepted.fetch_add(1, Ordering::Relaxed);
        Ok(())
    };
    eventually("the outbox watches the register", async || {
        let is_probed = accepted.load(Ordering::Relaxed) >= capacity / 2;
        (is_probed || hand_in().await.is_ok()) && open(node) > 0
    })
    .await;
    // What came before the register was watched is counted once it is read back.
    eventually("all of it is counted", async || open(node) == accepted.load(Ordering::Relaxed)).await;
    while accepted.load(Ordering::Relaxed) < capacity {
        hand_in().await?;
    }
    hand_in().await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_network_sets_of_registers_holds_while_the_node_runs() {
    let authority = authority();
    let configuration = configuration("demo-peer-0", Path::new("/nowhere"));
    let node = start_node(&configuration, &options(&authority, Backing::Memory)).await;
    let register = slow_register(&authority, &node).await;
    let registers = &node.handle().registers;
    let set = async |transactions: u64, holds: u32| {
        publish(&authority, &[&node], |content| {
            content.settings.set(SettingId::OutboxTransactions, transactions);
            content.settings.set(SettingId::ReplicationSources, transactions % 10);
        });
        eventually("it is set", async || registers.outbox.settings().capacity == holds).await;
        registers.replication.borrow().sources
    };
    let hand_in = async || node.handle().submit(transaction_in(node.handle(), register, "one more")).await;
    let full = |capacity| Err(SubmitRefused::OutboxFull(OutboxFull(capacity)));

    assert_eq!(set(102, 102).await, 2);
    assert_eq!(fill(&node, register, 102).await, full(102));
    assert_eq!(set(103, 103).await, 3);
    assert_eq!((hand_in().await, hand_in().await), (Ok(()), full(103)));

    assert_eq!(set(99, 10_000).await, 9);
    assert_eq!(hand_in().await, Ok(()));
    assert!(node.telemetry().encode().contains("peerwright_settings_not_taken 1\n"));
}

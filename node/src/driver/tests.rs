//! What the driver decides by itself: verdicts, bodies, what a snapshot means.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use super::{policy::policy, storage::store_body, verifier::Question, *};
use crate::{
    limits::LimitSettings,
    link::LinkSettings,
    registers::{OutboxSettings, ReplicationSettings},
    telemetry::Telemetry,
    testing::{self, REGISTER, text_body, with_another_signature},
};
use bytes::Bytes;
use peerwright_engine::{BodyRefused, Policy};
use peerwright_ledger::{Entry, Message, MessageBody, RegisterId, Transaction};
use peerwright_secure::{NodeKey, PeerId};
use peerwright_snapshot::{Content, SettingId, Settings};
use peerwright_store::Memory;

fn transaction(key: &NodeKey, text: &str) -> Transaction {
    text_body(REGISTER, &key.public(), 1..2, text.to_owned()).sign(key).unwrap()
}

fn message(key: &NodeKey, transaction: Bytes) -> Message {
    let body = MessageBody {
        origin: key.public(),
        incarnation: 1,
        sequence: 1,
        floor: 1,
        previous: [0; 32],
        register: REGISTER,
        register_sequence: 1,
        created_at_micros: 1,
        expires_at_micros: 2,
        entries: vec![Entry::Inline(transaction)],
    };
    body.sign(key).unwrap()
}

/// A message that holds.
pub(super) fn signed_message() -> Message {
    let key = NodeKey::from_seed([1; 32]);
    message(&key, transaction(&key, "text").encoded().clone())
}

#[tokio::test]
async fn a_message_holds_when_origin_and_authors_have_signed() {
    let (origin, author) = (NodeKey::from_seed([1; 32]), NodeKey::from_seed([2; 32]));
    let signed = transaction(&author, "text");
    let good = message(&origin, signed.encoded().clone());
    let forged = Message::decode(with_another_signature(good.encoded())).unwrap();
    let carrying_forged = message(&origin, with_another_signature(signed.encoded()));
    let carrying_rubbish = message(&origin, Bytes::from_static(b"rubbish"));
    let mut verifier = Verifier::new();
    for (token, message) in [good, forged, carrying_forged, carrying_rubbish].into_iter().enumerate() {
        verifier.push(Token(token as u64), LinkId(1), Question::Message(message));
    }
    verifier.start_batch();
    let verdicts = verifier.next().await.unwrap().into_iter().map(|verdict| match verdict {
        Input::Verified { token, valid } => (token.0, valid),
        other => panic!("not asked for: {other:?}"),
    });
    assert!(verdicts.eq([(0, true), (1, false), (2, false), (3, false)]));
    assert!(verifier.next().await.is_none());
}

#[tokio::test]
async fn a_body_is_stored_only_when_it_is_the_announced_transaction() {
    let author = NodeKey::from_seed([2; 32]);
    let (wanted, other) = (transaction(&author, &"x".repeat(40_000)), transaction(&author, &"y".repeat(40_000)));
    let (store, telemetry) = (Memory::new(testing::NETWORK_UID), Telemetry::default());
    let forged = with_another_signature(wanted.encoded());
    for body in [other.encoded().clone(), forged, Bytes::from_static(b"rubbish")] {
        let stored = store_body(&store, &telemetry, REGISTER, wanted.id(), body).await;
        assert_eq!(stored, Err(BodyRefused::Invalid));
    }
    let foreign = RegisterId::from_bytes([8; 16]);
    let stored = store_body(&store, &telemetry, foreign, wanted.id(), wanted.encoded().clone()).await;
    assert_eq!(stored, Err(BodyRefused::Invalid));
    assert_eq!(store.body_chunk(wanted.id(), 0, 1).await.unwrap(), None);
    store_body(&store, &telemetry, REGISTER, wanted.id(), wanted.encoded().clone()).await.unwrap();
    assert!(store.body_chunk(wanted.id(), 0, 1).await.unwrap().is_some());
}

#[test]
fn what_a_snapshot_leaves_open_has_the_engine_s_defaults() {
    let content = |settings| Content { settings, ..testing::content() };
    let own = Tuning::from(&Config::new(NodeKey::from_seed([1; 32]), 1, 1));
    let own = NodeSettings {
        limits: PolicyLimits::default(),
        engine: own,
        rates: LimitSettings::default(),
        links: LinkSettings::default(),
        sealing: SealingSettings::default(),
        replication: ReplicationSettings::default(),
        outbox: OutboxSettings::default(),
        hub: crate::registers::HubSettings::default(),
    };
    let peer = PeerId::from_bytes([1; 32]);
    let meant = |said: Settings| policy(&content(said.clone()), "demo-peer-0", &peer, own.with(&said).0);
    let open = meant(Settings::default());
    assert_eq!((open.limits, open.registers), (PolicyLimits::default(), vec![REGISTER]));
    assert_eq!(open.tuning, Some(Box::new(own.engine.clone())));
    let mut said = Settings::default();
    said.set(SettingId::HeartbeatInterval, 11);
    said.set(SettingId::MaxTransactionBytes, 5_000);
    said.set(SettingId::TransactionTtl, 600);
    said.set(SettingId::GossipFanout, 7);
    let Policy { limits, tuning, .. } = meant(said);
    assert_eq!((limits.heartbeat.as_secs(), limits.transaction_bytes, limits.time_to_live.as_secs()), (11, 5_000, 600));
    assert_eq!(tuning.unwrap().gossip.fanout, 7);
}

#[tokio::test(start_paused = true)]
async fn the_clock_counts_on_from_where_it_started() {
    let clock = Clock::start();
    let begun = clock.now();
    clock.sleep_until(Some(begun + Duration::from_millis(1_500))).await;
    let passed = clock.now().since(begun);
    assert!(passed >= Duration::from_millis(1_500) && passed < Duration::from_millis(1_510), "{passed:?}");
}

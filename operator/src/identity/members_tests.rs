use std::time::Duration;

use super::*;
use crate::identity::fake_api::FakeApi;

const CONFIG_MAPS: &str = "/api/v1/namespaces/peerwright-system/configmaps";
const TABLE: &str = "/api/v1/namespaces/peerwright-system/configmaps/members-demo-uid";

fn members(api: &FakeApi) -> Members {
    Members::new(api.client(), "peerwright-system", Leadership::held_for(Duration::from_secs(60)))
}

fn member(ordinal: u32) -> Member {
    let (pod, claim_uid) = (format!("demo-peer-{ordinal}"), format!("claim-{ordinal}"));
    Member { pod, group: "peer".into(), ordinal, claim_uid }
}

fn peer(byte: u8) -> PeerId {
    PeerId::from_bytes([byte; 32])
}

#[tokio::test]
async fn admitted_member_is_recorded_before_the_call_returns() {
    let api = FakeApi::default();

    assert!(members(&api).admit("demo-uid", &member(0), peer(1)).await.expect("admitted"));

    let read_by_another = members(&api).load("demo-uid").await.expect("readable");
    assert_eq!(read_by_another.peer_id_of("demo-peer-0"), Some(peer(1)));
}

#[tokio::test]
async fn known_member_costs_no_call() {
    let (api, member) = (FakeApi::default(), member(0));
    let members = members(&api);
    members.admit("demo-uid", &member, peer(1)).await.expect("admitted");
    api.calls();

    assert!(!members.admit("demo-uid", &member, peer(1)).await.expect("known"));

    assert_eq!(members.peer_id_of("demo-uid", "demo-peer-0"), Some(peer(1)));
    assert_eq!(api.calls(), Vec::<String>::new());
}

#[tokio::test]
async fn second_peer_id_on_a_claim_is_refused_and_not_recorded() {
    let api = FakeApi::default();
    members(&api).admit("demo-uid", &member(0), peer(1)).await.expect("admitted");

    let refused = members(&api).admit("demo-uid", &member(0), peer(2)).await;

    assert!(matches!(refused, Err(MembersError::Refused(Refusal::IdentityChanged))), "{refused:?}");
}

#[tokio::test]
async fn two_writers_do_not_overwrite_each_other() {
    let api = FakeApi::default();
    let (one, other) = (members(&api), members(&api));
    one.load("demo-uid").await.expect("empty");
    other.load("demo-uid").await.expect("empty");

    one.admit("demo-uid", &member(0), peer(1)).await.expect("admitted");
    other.admit("demo-uid", &member(1), peer(2)).await.expect("admitted after a conflict");
    let copied = one.admit("demo-uid", &member(2), peer(2)).await;

    assert!(matches!(copied, Err(MembersError::Refused(Refusal::IdentityChanged))), "sees the other's row: {copied:?}");
    assert_eq!(members(&api).load("demo-uid").await.expect("readable").members().count(), 2);
}

#[tokio::test]
async fn replica_that_does_not_lead_records_nothing() {
    let api = FakeApi::default();
    let members = Members::new(api.client(), "peerwright-system", Leadership::held_for(Duration::ZERO));

    let refused = members.admit("demo-uid", &member(0), peer(1)).await;

    assert!(matches!(refused, Err(MembersError::Call(CallError::NotLeading))), "{refused:?}");
    assert_eq!(api.get(TABLE), None);
}

#[tokio::test]
async fn damaged_table_admits_nobody() {
    let api = FakeApi::default();
    let damaged = serde_json::json!({ "metadata": { "name": "members-demo-uid" }, "data": { "claim-0": "?" } });
    api.put(CONFIG_MAPS, damaged.clone());

    let refused = members(&api).admit("demo-uid", &member(0), peer(1)).await;

    assert!(matches!(refused, Err(MembersError::Damaged { ref entry, .. }) if entry == "claim-0"), "{refused:?}");
}

#[tokio::test]
async fn epoch_is_kept_beside_the_members() {
    let api = FakeApi::default();
    members(&api).admit("demo-uid", &member(0), peer(1)).await.expect("admitted");

    members(&api).raise_epoch("demo-uid", 7).await.expect("raised");

    let table = members(&api).load("demo-uid").await.expect("readable");
    assert_eq!((table.epoch(), table.peer_id_of("demo-peer-0")), (7, Some(peer(1))));
}

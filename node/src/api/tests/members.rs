//! The members as REST shows them.

use super::Api;
use peerwright_engine::{MemberState, MemberView, Role, ServiceStatus};
use peerwright_secure::{NodePublicKey, PeerId};
use serde_json::json;

#[tokio::test]
async fn every_member_is_listed_with_what_is_thought_of_it() {
    let api = Api::new().await;
    let member = |number: u8, state, healthy| MemberView {
        peer: PeerId::from_bytes([number; 32]),
        key: NodePublicKey::from_bytes([number; 32]),
        own: number == 1,
        incarnation: 7,
        version: 2,
        role: Role::Peer,
        address: Some(([10, 0, 0, number], 5_000).into()),
        state,
        certified: healthy,
        healthy,
    };
    let members = vec![
        member(1, MemberState::Alive, false),
        member(2, MemberState::Alive, true),
        member(3, MemberState::Unreachable, false),
    ];
    *api.node.members.lock().unwrap() = (ServiceStatus::Degraded, members);

    let answer = api.get("/api/members").await;

    let body = answer.assert_ok();
    assert_eq!((&body["status"], &body["healthy"], &body["total"]), (&json!("degraded"), &json!(1), &json!(3)));
    let expected = json!({
        "id": PeerId::from_bytes([3; 32]).to_string(), "own": false, "role": "peer", "address": "10.0.0.3", "port": 5000,
        "incarnation": 7, "version": 2, "state": "unreachable", "certified": false, "healthy": false,
    });
    assert_eq!(body["members"][2], expected);
}

//! Which registers there are, and which of its own the node says it holds.

use super::{Api, node::REGISTER};
use crate::{api::Node, testing::sealed::SealedRegister};
use peerwright_engine::{Advertisement, AdvertisementView, HolderState, Micros};
use peerwright_secure::PeerId;
use peerwright_snapshot::Subscription;
use peerwright_store::Store;
use serde_json::{Value, json};

const AVAILABLE: &str = "/api/registers/available";
const BULK: &str = "/api/registers/bulk-advertise";

/// A node that holds five dockets of a register, and is subscribed to another that it lacks.
async fn holding() -> (Api, SealedRegister) {
    let (api, sealed) = (Api::new().await, SealedRegister::of(4, 1));
    sealed.fill(&*api.node.store).await;
    api.node.change_snapshot(|content| {
        content.subscriptions.insert(*sealed.register().as_bytes(), Subscription::default());
    });
    (api, sealed)
}

async fn advertise(api: &Api, register: &str, is_public: bool) -> Value {
    let path = format!("/api/registers/{register}/advertise");
    api.post(&path, &json!({"isPublic": is_public})).await.assert_ok().clone()
}

#[tokio::test]
async fn a_register_is_listed_from_when_it_is_made_public_until_it_is_withdrawn() {
    let (api, sealed) = holding().await;
    let register = sealed.register().to_string();
    assert_eq!(*api.get(AVAILABLE).await.assert_ok(), json!([]), "private from the beginning");

    assert_eq!(advertise(&api, &register, true).await, json!({"register": register, "isPublic": true}));
    advertise(&api, &REGISTER.to_string(), true).await;
    let own = json!({"first": 0, "dockets": 5, "state": "Syncing"});
    let listed = json!([{
        "register": register, "name": "sealed", "peers": 0, "fullReplicas": 0, "dockets": 5, "own": own, "ahead": [],
    }]);
    assert_eq!(*api.get(AVAILABLE).await.assert_ok(), listed, "of which nothing is held nothing is said");

    assert_eq!(advertise(&api, &register, false).await, json!({"register": register, "isPublic": false}));
    assert_eq!(*api.get(AVAILABLE).await.assert_ok(), json!([]));
}

#[tokio::test]
async fn what_peers_say_is_listed_and_of_a_private_register_not_that_it_is_held_here_too() {
    let (api, sealed) = holding().await;
    let peer = PeerId::from_bytes([7; 32]);
    let advertisement = Advertisement {
        register: sealed.register(),
        first: 0,
        dockets: 9,
        state: HolderState::FullReplica,
        name: "sealed".to_owned(),
        description: "told by a peer".to_owned(),
    };
    *api.node.heard.lock().unwrap() = vec![AdvertisementView { peer, advertisement, heard: Micros(1) }];
    let register = sealed.register().to_string();
    let mut expected = json!([{
        "register": register, "name": "sealed", "description": "told by a peer", "peers": 1, "fullReplicas": 1,
        "dockets": 9, "ahead": [],
    }]);
    assert_eq!(*api.get(AVAILABLE).await.assert_ok(), expected);

    advertise(&api, &register, true).await;
    expected[0]["own"] = json!({"first": 0, "dockets": 5, "state": "Syncing"});
    expected[0]["ahead"] = json!([{"peer": peer.to_string(), "dockets": 9}]);
    // This node's own word of the name comes first, and docket 0 says nothing more of it.
    expected[0].as_object_mut().unwrap().remove("description");
    assert_eq!(*api.get(AVAILABLE).await.assert_ok(), expected);
}

#[tokio::test]
async fn a_choice_names_a_register_of_this_node_and_whether_it_is_public() {
    let (api, sealed) = holding().await;
    let path = |register: &str| format!("/api/registers/{register}/advertise");
    let public = json!({"isPublic": true});
    api.post(&path(&"0".repeat(32)), &public).await.assert_refused(404, "not_subscribed");
    api.post(&path("orders"), &public).await.assert_refused(400, "register_invalid");
    let register = path(&sealed.register().to_string());
    for body in [json!({}), json!({"isPublic": "yes"}), json!({"isPublic": true, "name": "orders"})] {
        api.post(&register, &body).await.assert_refused(400, "json_invalid");
    }
    let answer = api.call_as("reader", "POST", &register, &public.to_string()).await;
    answer.assert_refused(403, "role_required");
    assert_eq!(*api.get(AVAILABLE).await.assert_ok(), json!([]));
}

#[tokio::test]
async fn what_the_node_is_to_hold_no_longer_can_still_be_made_private() {
    let (api, sealed) = holding().await;
    let register = sealed.register().to_string();
    advertise(&api, &register, true).await;
    api.node.change_snapshot(|content| drop(content.subscriptions.remove(sealed.register().as_bytes())));
    let path = format!("/api/registers/{register}/advertise");
    api.post(&path, &json!({"isPublic": true})).await.assert_refused(404, "not_subscribed");
    advertise(&api, &register, false).await;
    assert!(!api.node.registers().advertised.is_public(&sealed.register()));
    api.post(&path, &json!({"isPublic": false})).await.assert_refused(404, "not_subscribed");
}

#[tokio::test]
async fn many_are_chosen_at_once_and_a_full_list_withdraws_the_others() {
    let (api, sealed) = holding().await;
    let (register, other) = (sealed.register().to_string(), REGISTER.to_string());
    let choice = |register: &str, is_public: bool| json!({"register": register, "isPublic": is_public});

    let both = json!({"registers": [choice(&register, true), choice(&other, true)]});
    let answer = api.post(BULK, &both).await;
    assert_eq!(*answer.assert_ok(), json!({"processed": 2, "added": 2, "removed": 0}));
    let written = api.node.store.commits();
    assert_eq!(api.post(BULK, &both).await.assert_ok()["added"], json!(0));
    assert_eq!(api.node.store.commits(), written, "what changes nothing is not written");

    let full = json!({"fullSync": true, "registers": [choice(&other, true)]});
    assert_eq!(*api.post(BULK, &full).await.assert_ok(), json!({"processed": 1, "added": 0, "removed": 1}));
    let advertised = &api.node.registers().advertised;
    assert!(!advertised.is_public(&sealed.register()) && advertised.is_public(&REGISTER));
}

#[tokio::test]
async fn a_list_is_taken_as_a_whole_or_not_at_all() {
    let (api, sealed) = holding().await;
    let known = json!({"register": sealed.register().to_string(), "isPublic": true});
    let unknown = json!({"register": "0".repeat(32), "isPublic": true});
    let refused = api.post(BULK, &json!({"registers": [known, unknown]})).await;
    refused.assert_refused(404, "not_subscribed");
    let many = vec![known; 513];
    api.post(BULK, &json!({"registers": many})).await.assert_refused(400, "batch_size");
    assert!(!api.node.registers().advertised.is_public(&sealed.register()));

    api.node.store.close().await.unwrap();
    let path = format!("/api/registers/{}/advertise", sealed.register());
    let answer = api.post(&path, &json!({"isPublic": true})).await;
    assert_eq!(answer.status, 503, "{}", answer.body);
    assert!(!api.node.registers().advertised.is_public(&sealed.register()));
}

use std::time::Duration;

use peerwright_crds::{IdentityStatus, PeerNetworkStatus};

use super::*;
use crate::identity::{fake_api::FakeApi, fixtures::network};

const SECRETS: &str = "/api/v1/namespaces/peerwright-system/secrets";
const SECRET: &str = "/api/v1/namespaces/peerwright-system/secrets/ca-demo-uid";

fn authorities(api: &FakeApi) -> Authorities {
    let (client, leadership) = (api.client(), Leadership::held_for(Duration::from_secs(60)));
    let members = Arc::new(Members::new(client.clone(), "peerwright-system", leadership.clone()));
    Authorities::new(client, "peerwright-system", Arc::default(), members, leadership, "cluster.local")
}

fn recorded(fingerprint: &str) -> PeerNetwork {
    let mut network = network("demo", 3);
    let identity = Some(IdentityStatus { ca_fingerprint: Some(fingerprint.to_owned()) });
    network.status = Some(PeerNetworkStatus { identity, ..PeerNetworkStatus::default() });
    network
}

#[tokio::test]
async fn authority_is_made_once_and_then_kept_in_memory() {
    let api = FakeApi::default();
    let authorities = authorities(&api);

    let first = authorities.ensure(&network("demo", 3)).await.expect("made");
    assert_eq!(api.calls(), [format!("GET {SECRET}"), format!("POST {SECRETS}")]);
    let again = authorities.ensure(&recorded(first.fingerprint())).await.expect("known");

    assert_eq!(first.fingerprint(), again.fingerprint());
    assert_eq!(api.calls(), Vec::<String>::new());
}

#[tokio::test]
async fn regained_leadership_knows_no_network_that_went_meanwhile() {
    let api = FakeApi::default();
    let authorities = authorities(&api);
    let made = authorities.ensure(&network("demo", 3)).await.expect("made");
    let known = authorities.networks.get("demo-uid").expect("known");

    authorities.suspend();

    assert!(known.gone().is_cancelled() && authorities.networks.get("demo-uid").is_none());
    let again = authorities.ensure(&network("demo", 3)).await.expect("read anew");
    assert_eq!(again.fingerprint(), made.fingerprint());
}

#[tokio::test]
async fn secret_without_a_recorded_fingerprint_is_adopted() {
    let api = FakeApi::default();
    let made = authorities(&api).ensure(&network("demo", 3)).await.expect("made");

    let adopted = authorities(&api).ensure(&network("demo", 3)).await.expect("adopted after a crash");

    assert_eq!(made.fingerprint(), adopted.fingerprint());
}

#[tokio::test]
async fn fingerprint_without_a_secret_is_a_lost_key_and_none_is_made() {
    let api = FakeApi::default();

    let refused = authorities(&api).ensure(&recorded("a1b2")).await.expect_err("refused");

    assert!(matches!(refused, AuthorityError::KeyLost { .. }), "{refused}");
    assert_eq!((refused.reason(), refused.is_permanent()), ("CAKeyLost", true));
    assert_eq!(api.get(SECRET), None);
}

#[tokio::test]
async fn replaced_secret_is_not_used() {
    let api = FakeApi::default();
    authorities(&api).ensure(&network("demo", 3)).await.expect("made");

    let fresh = authorities(&api);
    let refused = fresh.ensure(&recorded("a1b2")).await.expect_err("refused");

    assert!(matches!(refused, AuthorityError::KeyReplaced { .. }), "{refused}");
    assert!(fresh.networks.get("demo-uid").is_none(), "nobody is certified");
}

#[tokio::test]
async fn secret_that_goes_while_the_operator_runs_is_a_lost_key_until_it_is_restored() {
    let api = FakeApi::default();
    let authorities = authorities(&api);
    let made = authorities.ensure(&network("demo", 3)).await.expect("made");
    assert_eq!(authorities.find_lost().await.expect("asked"), []);
    let secret = api.get(SECRET).expect("stored");
    api.remove(SECRET);

    let lost = authorities.find_lost().await.expect("asked");
    assert_eq!(lost.iter().map(|network| network.name.as_str()).collect::<Vec<_>>(), ["demo"]);
    assert_eq!(authorities.find_lost().await.expect("asked"), [], "told once");
    for state in [network("demo", 3), recorded(made.fingerprint())] {
        let refused = authorities.ensure(&state).await.expect_err("refused");
        assert!(matches!(refused, AuthorityError::KeyLost { .. }), "never made anew: {refused}");
    }
    let known = authorities.networks.get("demo-uid").expect("its members are still known");
    assert!(known.key_lost && !known.gone().is_cancelled());

    api.put(SECRETS, secret);
    let back = authorities.ensure(&recorded(made.fingerprint())).await.expect("restored");
    assert_eq!(back.fingerprint(), made.fingerprint());
    assert!(!authorities.networks.get("demo-uid").expect("known").key_lost);
}

#[tokio::test]
async fn nothing_counts_as_lost_while_the_api_server_does_not_answer() {
    let api = FakeApi::default();
    let authorities = authorities(&api);
    authorities.ensure(&network("demo", 3)).await.expect("made");
    api.break_down(true);
    authorities.find_lost().await.expect_err("no answer");
    assert!(!authorities.networks.get("demo-uid").expect("known").key_lost);
}

#[tokio::test]
async fn damaged_secret_is_reported_and_kept() {
    let api = FakeApi::default();
    authorities(&api).ensure(&network("demo", 3)).await.expect("made");
    let mut secret = api.get(SECRET).expect("stored");
    secret["data"]["ca.key"] = "AAAA".into();
    api.put(SECRETS, secret);

    let refused = authorities(&api).ensure(&network("demo", 3)).await.expect_err("refused");

    assert!(matches!(refused, AuthorityError::Damaged { .. }), "{refused}");
}

#[tokio::test]
async fn unreachable_api_server_is_no_lost_key() {
    let api = FakeApi::default();
    api.break_down(true);

    let refused = authorities(&api).ensure(&recorded("a1b2")).await.expect_err("refused");

    assert_eq!((refused.reason(), refused.is_permanent()), ("CAUnavailable", false));
}

#[tokio::test]
async fn forgotten_network_leaves_nothing() {
    let api = FakeApi::default();
    let authorities = authorities(&api);
    authorities.ensure(&network("demo", 3)).await.expect("made");
    authorities.members.raise_epoch("demo-uid", 1).await.expect("recorded");
    let known = authorities.networks.get("demo-uid").expect("known");

    authorities.forget("demo-uid").await.expect("forgotten");
    authorities.forget("demo-uid").await.expect("again");

    assert!(known.gone().is_cancelled());
    assert_eq!(api.get(SECRET), None);
    assert_eq!(api.get("/api/v1/namespaces/peerwright-system/configmaps/members-demo-uid"), None);
    let deleted: Vec<String> = api.calls().into_iter().filter(|call| call.starts_with("DELETE")).collect();
    assert!(deleted[0].ends_with("/configmaps/members-demo-uid"), "the Secret is found again, so it goes last");
}

#[tokio::test]
async fn orphans_are_forgotten_only_when_their_network_is_gone() {
    let api = FakeApi::default();
    let networks = "/apis/peerwright.dev/v1alpha1/namespaces/default/peernetworks";
    for name in ["alive", "gone", "anew", "unwatched"] {
        let mut network = network(name, 3);
        if name == "unwatched" {
            network.metadata.namespace = Some("elsewhere".into());
        }
        authorities(&api).ensure(&network).await.expect("made");
    }
    api.put(networks, serde_json::json!({ "metadata": { "name": "alive", "uid": "alive-uid" } }));
    api.put(networks, serde_json::json!({ "metadata": { "name": "anew", "uid": "another-uid" } }));

    let forgotten = authorities(&api).forget_orphans(|namespace| namespace == "default").await.expect("asked");

    let mut names: Vec<String> = forgotten.into_iter().map(|key| key.name).collect();
    names.sort();
    assert_eq!(names, ["anew", "gone"]);
    assert!(api.get(&format!("{SECRETS}/ca-alive-uid")).is_some());
    assert!(api.get(&format!("{SECRETS}/ca-unwatched-uid")).is_some());
    assert!(api.get(&format!("{SECRETS}/ca-gone-uid")).is_none());
}

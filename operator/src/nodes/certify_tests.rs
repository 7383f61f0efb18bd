use std::time::Duration;

use peerwright_secure::MemberCertificate;
use serde_json::json;

use super::super::fixtures::{Harness, eventually, refusal_of};
use crate::identity::fixtures::Keys;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};

const AUDIENCE: &str = "demo.default.peerwright.internal/certify";
const PODS: &str = "/api/v1/namespaces/default/pods";
const SETS: &str = "/apis/apps/v1/namespaces/default/statefulsets";
const CLAIMS: &str = "/api/v1/namespaces/default/persistentvolumeclaims";

/// A token that says it is for `audience`, and that the API server vouches for as one of `pod`.
fn token(harness: &Harness, pod: &str, audience: &str) -> String {
    let payload = URL_SAFE_NO_PAD.encode(json!({ "aud": [audience], "for": pod }).to_string());
    let token = format!("e30.{payload}.c2ln");
    harness.api.token(
        &token,
        json!({
            "authenticated": true,
            "audiences": [audience],
            "user": {
                "username": "system:serviceaccount:default:demo",
                "extra": {
                    "authentication.kubernetes.io/pod-name": [pod],
                    "authentication.kubernetes.io/pod-uid": [format!("{pod}-uid")],
                },
            },
        }),
    );
    token
}

/// The pod `demo-peer-<ordinal>`, its StatefulSet and its claim.
fn run_pod(harness: &Harness, ordinal: u32) -> String {
    let pod = format!("demo-peer-{ordinal}");
    let owner = |kind: &str, api_version: &str, name: &str, uid: &str| json!([{ "apiVersion": api_version, "kind": kind, "name": name, "uid": uid, "controller": true }]);
    harness.api.put(
        PODS,
        json!({
            "metadata": {
                "name": pod, "namespace": "default", "uid": format!("{pod}-uid"),
                "ownerReferences": owner("StatefulSet", "apps/v1", "demo-peer", "set-uid"),
            },
            "spec": {
                "serviceAccountName": "demo",
                "containers": [],
                "volumes": [{ "name": "data", "persistentVolumeClaim": { "claimName": format!("data-{pod}") } }],
            },
        }),
    );
    let set = json!({
        "metadata": {
            "name": "demo-peer", "namespace": "default", "uid": "set-uid",
            "ownerReferences": owner("PeerNetwork", "peerwright.dev/v1alpha1", "demo", "demo-uid"),
        },
    });
    harness.api.put(SETS, set);
    harness
        .api
        .put(CLAIMS, json!({ "metadata": { "name": format!("data-{pod}"), "uid": format!("claim-{ordinal}") } }));
    token(harness, &pod, AUDIENCE)
}

#[tokio::test]
async fn nobody_gets_a_leaf_while_the_key_in_custody_is_lost() {
    let (harness, keys) = (Harness::leader().await, Keys::of(1));
    let token = run_pod(&harness, 2);
    assert!(harness.networks.lose_key("demo-uid"));

    let refused = harness.certify(&keys, &token).await.expect_err("refused");

    assert_eq!(refusal_of(&refused), "ca_unavailable");
}

#[tokio::test]
async fn pod_gets_a_leaf_with_its_own_names_and_can_watch_with_it() {
    let (harness, keys) = (Harness::leader().await, Keys::of(1));
    let token = run_pod(&harness, 2);

    let answer = harness.certify(&keys, &token).await.expect("certified");

    let leaf = MemberCertificate::from_der(&answer.chain[0]).expect("a leaf");
    assert_eq!(leaf.spiffe.node(), "demo-peer-2", "whatever the request asks for");
    assert_eq!(leaf.peer_id, keys.node.peer_id());
    assert_eq!(answer.chain[1], answer.trust[0]);
    assert_eq!(answer.trust, harness.authority.trust_der());
    assert_eq!(answer.snapshot, harness.feeds.current("demo-uid").expect("published").bytes);
    let mut stream = harness.watch(answer.chain[0].to_vec().into(), &keys, 0).await.expect("opened");
    assert_eq!(stream.snapshot().await, answer.snapshot);
    assert!(harness.metrics().contains("leaves_issued_total 1"));
}

#[tokio::test]
async fn each_stranger_has_its_refusal() {
    type Case = (&'static str, &'static str, fn(&Harness, String) -> String);
    let cases: &[Case] = &[
        ("no token", "token_invalid", |_, _| String::new()),
        ("not a token", "token_invalid", |_, _| "opaque".into()),
        ("a token that nobody vouches for", "token_invalid", |harness, token| {
            harness.api.token(&token, json!({ "authenticated": false }));
            token
        }),
        ("an overlong token", "token_invalid", |_, token| token.repeat(200)),
        ("a token for REST", "audience_mismatch", |harness, _| {
            token(harness, "demo-peer-2", "demo.default.peerwright.internal")
        }),
        ("a token that claims our audience and has another", "token_invalid", |harness, token| {
            harness.api.token(&token, json!({ "authenticated": true, "audiences": ["other"] }));
            token
        }),
        ("a pod that is gone", "pod_gone", |harness, token| {
            harness.api.remove(&format!("{PODS}/demo-peer-2"));
            token
        }),
        ("a set that is gone", "not_a_member", |harness, token| {
            harness.api.remove(&format!("{SETS}/demo-peer"));
            token
        }),
        ("a claim that is gone", "not_a_member", |harness, token| {
            harness.api.remove(&format!("{CLAIMS}/data-demo-peer-2"));
            token
        }),
        ("an ordinal that the group does not want", "ordinal_out_of_range", |harness, _| run_pod(harness, 3)),
        ("a network that is forgotten", "audience_mismatch", |harness, token| {
            harness.networks.remove("demo-uid");
            token
        }),
        ("an API server that is away", "ca_unavailable", |harness, token| {
            harness.api.break_down(true);
            token
        }),
        ("a snapshot that is not there yet", "ca_unavailable", |harness, token| {
            harness.feeds.forget("demo-uid");
            token
        }),
        ("a peer that is banned", "banned", |harness, token| {
            harness.publish(2, &[Keys::of(1).node.peer_id()]);
            token
        }),
    ];
    for (name, refusal, arrange) in cases {
        let harness = Harness::leader().await;
        let token = run_pod(&harness, 2);
        let token = arrange(&harness, token);

        let refused = harness.certify(&Keys::of(1), &token).await.expect_err(name);

        assert_eq!(refusal_of(&refused), *refusal, "{name}");
        let line = format!("node_refusals_total{{rpc=\"certify\",reason=\"{refusal}\"}} 1");
        assert!(harness.metrics().contains(&line), "{name}: the label is the code");
    }
}

#[tokio::test]
async fn proof_for_another_network_is_refused() {
    let harness = Harness::leader().await;
    let token = run_pod(&harness, 2);

    let refused = harness.certify_for(&Keys::of(1), &token, "other-uid").await.expect_err("refused");

    assert_eq!(refusal_of(&refused), "proof_invalid");
}

#[tokio::test]
async fn second_key_on_a_claim_is_identity_changed_and_the_first_still_works() {
    let harness = Harness::leader().await;
    let token = run_pod(&harness, 2);
    harness.certify(&Keys::of(1), &token).await.expect("certified");

    let refused = harness.certify(&Keys::of(2), &token).await.expect_err("refused");

    assert_eq!(refusal_of(&refused), "identity_changed");
    assert_eq!(refused.code(), tonic::Code::PermissionDenied);
    harness.certify(&Keys::of(1), &token).await.expect("the same key with a new TLS key");
}

#[tokio::test]
async fn leaf_of_a_former_identity_does_not_open_a_stream() {
    let (harness, former) = (Harness::leader().await, Keys::of(1));
    let token = run_pod(&harness, 2);
    let leaf = harness.certify(&former, &token).await.expect("certified").chain[0].to_vec();
    harness.api.put(CLAIMS, json!({ "metadata": { "name": "data-demo-peer-2", "uid": "a-new-claim" } }));
    harness.certify(&Keys::of(2), &token).await.expect("the pod has a new volume");

    let refused = harness.watch(leaf.into(), &former, 1).await.map(drop).expect_err("refused");

    assert_eq!(refusal_of(&refused), "identity_changed");
}

#[tokio::test]
async fn banned_member_is_certified_again_after_the_ban() {
    let (harness, keys) = (Harness::leader().await, Keys::of(1));
    let token = run_pod(&harness, 2);
    harness.publish(2, &[keys.node.peer_id()]);
    harness.certify(&keys, &token).await.expect_err("banned");

    harness.publish(3, &[]);

    harness.certify(&keys, &token).await.expect("certified");
}

#[tokio::test]
async fn stream_on_a_replaced_leaf_ends_soon() {
    let (harness, keys) = (Harness::leader().await, Keys::of(1));
    let token = run_pod(&harness, 2);
    let old = harness.certify(&keys, &token).await.expect("certified").chain[0].to_vec();
    let mut stream = harness.watch(old.into(), &keys, 1).await.expect("opened");
    eventually("connected", || !harness.registry.report("demo-uid").is_empty()).await;

    harness.certify(&keys, &token).await.expect("renewed");

    let before = std::time::Instant::now();
    assert_eq!(stream.refusal().await, "leaf_ended");
    assert!(before.elapsed() < Duration::from_secs(8));
}

#[tokio::test]
async fn hammering_is_refused_before_it_costs_a_review() {
    let harness = Harness::leader().await;
    let token = run_pod(&harness, 2);
    harness.api.calls();
    let mut codes = Vec::new();

    for _ in 0..14 {
        codes.push(
            harness.certify(&Keys::of(9), &token).await.map_or_else(|status| refusal_of(&status), |_| "ok".into()),
        );
    }

    assert!(codes.contains(&"overloaded".to_owned()), "{codes:?}");
    let reviews = harness.api.calls().iter().filter(|call| call.ends_with("tokenreviews")).count();
    assert_eq!(reviews, codes.iter().filter(|code| *code == "ok").count());
}

#[tokio::test]
async fn pods_of_other_namespaces_are_not_asked_about() {
    let (harness, keys) = (Harness::leader().await, Keys::of(1));
    let token = run_pod(&harness, 2);
    harness.api.token(
        &token,
        json!({
            "authenticated": true,
            "audiences": [AUDIENCE],
            "user": {
                "username": "system:serviceaccount:elsewhere:demo",
                "extra": {
                    "authentication.kubernetes.io/pod-name": ["demo-peer-2"],
                    "authentication.kubernetes.io/pod-uid": ["demo-peer-2-uid"],
                },
            },
        }),
    );
    harness.api.calls();

    let refused = harness.certify(&keys, &token).await.expect_err("refused");

    assert_eq!(refusal_of(&refused), "not_a_member");
    let calls = harness.api.calls();
    assert!(calls.iter().all(|call| call.ends_with("/tokenreviews")), "{calls:?}");
}

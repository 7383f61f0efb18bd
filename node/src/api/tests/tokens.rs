//! Who may call what.

use super::{Access, Answer, Api, issuer::Issuer};
use axum::{body::Body, http::Request};
use jsonwebtoken::{Algorithm, get_current_timestamp};
use peerwright_snapshot::Role;
use serde_json::json;

const READS: [&str; 10] = [
    "/",
    "/api/health",
    "/api/peers",
    "/api/peers/stats",
    "/api/peers/health",
    "/api/peers/connected",
    "/api/registers/subscriptions",
    "/api/registers/abababababababababababababababab/transactions",
    "/api/peers/0707070707070707070707070707070707070707070707070707070707070707",
    "/no/such/route",
];
const SUBMIT: &str = "/api/registers/abababababababababababababababab/transactions";
const BAN: &str = "/api/peers/0707070707070707070707070707070707070707070707070707070707070707/ban";

async fn anonymous(api: &Api, method: &str, path: &str) -> Answer {
    api.call(Request::builder().method(method).uri(path).body(Body::from("{}")).unwrap()).await
}

async fn with_authorization(api: &Api, authorization: &str) -> Answer {
    let request = Request::get("/").header("authorization", authorization);
    api.call(request.body(Body::empty()).unwrap()).await
}

#[tokio::test]
async fn without_a_token_every_route_asks_for_one_and_names_audience_and_role() {
    let api = Api::new().await;
    let calls = READS.map(|path| ("GET", path, "Reader"));
    for (method, path, role) in
        calls.into_iter().chain([("POST", SUBMIT, "Writer"), ("POST", BAN, "Moderator"), ("DELETE", BAN, "Moderator")])
    {
        let answer = anonymous(&api, method, path).await;
        let error = answer.assert_refused(401, "token_required");
        assert!(error.contains(role) && error.contains("demo.default.peerwright.internal"), "{method} {path}: {error}");
        assert_eq!(answer.headers["www-authenticate"], "Bearer realm=\"demo.default.peerwright.internal\"");
    }
}

#[tokio::test]
async fn a_role_that_does_not_suffice_is_refused_and_the_needed_one_is_named() {
    let api = Api::new().await;
    for (subject, method, path, needed, has) in [
        ("stranger", "GET", "/", "Reader", "None"),
        ("reader", "POST", SUBMIT, "Writer", "Reader"),
        ("writer", "POST", BAN, "Moderator", "Writer"),
        ("writer", "DELETE", BAN, "Moderator", "Writer"),
    ] {
        let answer = api.call_as(subject, method, path, "{}").await;
        let error = answer.assert_refused(403, "role_required");
        for word in [subject, needed, has, "spec.api.access"] {
            assert!(error.contains(word), "{word} is missing in: {error}");
        }
    }
}

#[tokio::test]
async fn a_role_may_what_the_ones_before_it_may() {
    let api = Api::new().await;
    for subject in ["reader", "writer", "moderator", "admin"] {
        api.call_as(subject, "GET", "/api/peers", "").await.assert_ok();
    }
    for subject in ["writer", "moderator", "admin"] {
        let answer = api.call_as(subject, "POST", SUBMIT, r#"{"payloads": []}"#).await;
        assert_eq!(answer.status, 202, "{subject}: {}", answer.body);
    }
}

#[tokio::test]
async fn the_anonymous_role_opens_reading_to_callers_without_a_token_and_to_strangers() {
    let api = Api::new().await;
    api.node.change_snapshot(|content| content.api.anonymous_role = Role::Reader);
    anonymous(&api, "GET", "/api/peers").await.assert_ok();
    api.call_as("stranger", "GET", "/api/peers", "").await.assert_ok();
    anonymous(&api, "POST", SUBMIT).await.assert_refused(401, "token_required");
    with_authorization(&api, "Bearer nonsense").await.assert_refused(401, "token_invalid");
}

#[tokio::test]
async fn rs256_is_accepted_as_es256_is() {
    let api = Api::new().await;
    let token = api.issuer.sign(Algorithm::RS256, "rsa", &api.issuer.claims("reader"));
    with_authorization(&api, &format!("bearer {token}")).await.assert_ok();
}

#[tokio::test]
async fn a_token_with_a_wrong_claim_or_key_is_refused_and_what_is_wrong_is_named() {
    let api = Api::new().await;
    let (now, good) = (get_current_timestamp(), api.issuer.claims("reader"));
    let with = |name: &str, value: serde_json::Value| {
        let mut claims = good.clone();
        claims[name] = value;
        api.issuer.sign(Algorithm::ES256, "ec", &claims)
    };
    let mut without_subject = good.clone();
    without_subject.as_object_mut().unwrap().remove("sub");
    for (token, named) in [
        (with("aud", json!(["other.default.peerwright.internal"])), "aud"),
        (with("iss", json!("https://elsewhere")), "iss"),
        (with("exp", json!(now - 61)), "expired"),
        (with("nbf", json!(now + 90)), "not valid yet"),
        (with("sub", json!("")), "sub"),
        (api.issuer.sign(Algorithm::ES256, "ec", &without_subject), "sub"),
        (api.issuer.sign(Algorithm::ES256, "gone", &good), "kid"),
        (api.issuer.sign(Algorithm::ES256, "rsa", &good), "kid"),
        (api.issuer.sign(Algorithm::RS384, "rsa", &good), "RS256"),
        (api.issuer.sign(Algorithm::HS256, "ec", &good), "RS256"),
        (Issuer::new().sign(Algorithm::ES256, "ec", &good), "signature"),
        ("not.a.token".to_owned(), "JSON Web Token"),
    ] {
        let answer = with_authorization(&api, &format!("Bearer {token}")).await;
        let error = answer.assert_refused(401, "token_invalid");
        assert!(error.contains(named), "{named} is missing in: {error}");
        assert!(answer.headers["www-authenticate"].to_str().unwrap().contains("invalid_token"));
    }
    with_authorization(&api, "Basic cmVhZGVyOg==").await.assert_refused(401, "token_invalid");
}

#[tokio::test]
async fn clocks_may_differ_by_a_minute() {
    let api = Api::new().await;
    let now = get_current_timestamp();
    for (name, value) in [("exp", now - 50), ("nbf", now + 50)] {
        let mut claims = api.issuer.claims("reader");
        claims[name] = json!(value);
        let token = api.issuer.sign(Algorithm::ES256, "ec", &claims);
        with_authorization(&api, &format!("Bearer {token}")).await.assert_ok();
    }
}

#[tokio::test]
async fn keys_and_roles_follow_the_snapshot() {
    let api = Api::new().await;
    api.get("/").await.assert_ok();
    api.node.change_snapshot(|content| content.api.access.clear());
    api.get("/").await.assert_refused(403, "role_required");
    api.node.change_snapshot(|content| content.api.jwks = Issuer::new().api().jwks);
    api.get("/").await.assert_refused(401, "token_invalid");
    api.node.forget_snapshot();
    api.get("/").await.assert_refused(503, "waiting_for_operator");
}

#[tokio::test]
async fn an_open_node_asks_nobody() {
    let api = Api::with_access(Access::Open).await;
    anonymous(&api, "GET", "/api/peers/connected").await.assert_ok();
    let answer = api.call(Request::post(SUBMIT).body(Body::from(r#"{"payloads": []}"#)).unwrap()).await;
    assert_eq!(answer.status, 202, "{}", answer.body);
}

#[tokio::test]
async fn requests_are_counted_by_route_and_status_not_by_path() {
    let api = Api::new().await;
    api.get("/api/peers/0707070707070707070707070707070707070707070707070707070707070707").await;
    anonymous(&api, "GET", "/some/where").await;
    let metrics = api.telemetry.encode();
    for line in [
        r#"peerwright_rest_requests_total{method="GET",route="/api/peers/{id}",status="404"} 1"#,
        r#"peerwright_rest_requests_total{method="GET",route="other",status="401"} 1"#,
    ] {
        assert!(metrics.contains(line), "{line} is missing in\n{metrics}");
    }
}

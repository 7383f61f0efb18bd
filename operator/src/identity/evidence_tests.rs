use serde_json::json;

use super::*;

fn review(status: serde_json::Value) -> TokenReviewStatus {
    serde_json::from_value(status).expect("a status")
}

fn bound_token() -> serde_json::Value {
    json!({
        "authenticated": true,
        "audiences": ["demo/certify"],
        "user": {
            "username": "system:serviceaccount:default:demo",
            "extra": {
                "authentication.kubernetes.io/pod-name": ["demo-peer-0"],
                "authentication.kubernetes.io/pod-uid": ["pod-uid"],
            },
        },
    })
}

#[test]
fn claims_come_from_a_token_that_is_bound_to_a_pod() {
    let claims = claims_of(&review(bound_token())).expect("claims");

    assert_eq!((claims.namespace.as_str(), claims.service_account.as_str()), ("default", "demo"));
    assert_eq!((claims.pod_name.as_str(), claims.pod_uid.as_str()), ("demo-peer-0", "pod-uid"));
    assert_eq!(claims.audiences, ["demo/certify"]);
}

#[test]
fn token_that_is_not_vouched_for_or_not_bound_makes_no_claims() {
    type Case = (&'static str, fn(&mut serde_json::Value));
    let cases: &[Case] = &[
        ("not authenticated", |status| status["authenticated"] = false.into()),
        ("no verdict", |status| status["authenticated"] = serde_json::Value::Null),
        ("a person", |status| status["user"]["username"] = "jane".into()),
        ("too many parts", |status| status["user"]["username"] = "system:serviceaccount:a:b:c".into()),
        ("not bound to a pod", |status| status["user"]["extra"] = json!({})),
        ("two pods", |status| {
            status["user"]["extra"]["authentication.kubernetes.io/pod-name"] = json!(["a", "b"]);
        }),
        ("no pod UID", |status| {
            status["user"]["extra"]["authentication.kubernetes.io/pod-uid"] = json!([""]);
        }),
    ];
    for (name, break_it) in cases {
        let mut status = bound_token();
        break_it(&mut status);

        assert_eq!(claims_of(&review(status)), None, "{name}");
    }
}

#[test]
fn audiences_are_read_from_a_token_without_believing_it() {
    let token = |payload: &str| format!("e30.{}.c2ln", URL_SAFE_NO_PAD.encode(payload));

    assert_eq!(claimed_audiences(&token(r#"{"aud":"a"}"#)), Some(vec!["a".to_owned()]));
    assert_eq!(claimed_audiences(&token(r#"{"aud":["a","b"]}"#)), Some(vec!["a".to_owned(), "b".to_owned()]));
    assert_eq!(claimed_audiences(&token(r#"{"iss":"x"}"#)), None);
    assert_eq!(claimed_audiences("opaque"), None);
    assert_eq!(claimed_audiences("a.!.b"), None);
}

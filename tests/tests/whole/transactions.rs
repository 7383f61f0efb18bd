//! Transactions: submitted on one node, read on all.

use crate::{
    client::Client,
    network::{Network, REGISTER},
};
use serde_json::Value;
use std::time::{Duration, Instant};

#[test]
fn a_transaction_submitted_on_one_node_is_read_on_all_within_a_second() {
    let network = Network::ready("spread", 3);
    network.subscribe();
    let client = Client::of(&network, "client");
    let id = client.submit("net-peer-0", "seven crates").unwrap();
    let start = Instant::now();
    for pod in ["net-peer-0", "net-peer-1", "net-peer-2"] {
        let limit = Duration::from_secs(1).saturating_sub(start.elapsed()).max(Duration::from_millis(200));
        let transaction = client.wait_holds(pod, &id, limit);
        assert_eq!(transaction["payloads"][0]["text"], "seven crates", "{transaction}");
        assert_eq!(transaction["subject"], format!("system:serviceaccount:{}:client", network.namespace));
    }
}

#[test]
fn what_the_api_refuses_says_what_is_needed() {
    let network = Network::ready("refuse", 1);
    network.subscribe();
    let client = Client::of(&network, "client");
    let path = format!("/api/registers/{REGISTER}/transactions");
    let body = r#"{"type": "Action", "payloads": [{"text": "x"}]}"#;
    let refused = |client: &Client<'_>, method: &str, path: &str, body: Option<&str>| -> (u16, String) {
        let (status, answer): (u16, Value) = client.call("net-peer-0", method, path, body).unwrap();
        (status, answer["error"].as_str().unwrap_or_default().to_owned())
    };

    let (status, error) = refused(&client, "POST", &path, Some(r#"{"type": "Action", "payloads": [], "colour": 1}"#));
    assert_eq!(status, 400, "{error}");
    assert!(error.contains("colour"), "names the unknown field: {error}");

    let other = "/api/registers/00000000000000000000000000000001/transactions";
    let (status, error) = refused(&client, "POST", other, Some(body));
    assert_eq!(status, 404, "{error}");

    let (status, error) = refused(&Client::of(&network, "stranger"), "POST", &path, Some(body));
    assert_eq!(status, 403, "{error}");
    assert!(error.contains("Writer"), "names the role: {error}");

    let (status, error) = refused(&Client::of(&network, "client").with_token(""), "POST", &path, Some(body));
    assert_eq!(status, 401, "{error}");
    assert!(error.contains(&network.trust_domain()), "names the audience: {error}");

    let elsewhere = network.kubectl(&["create", "token", "client", "--audience", "somewhere.else"]);
    let (status, error) = refused(&Client::of(&network, "client").with_token(&elsewhere), "POST", &path, Some(body));
    assert_eq!(status, 401, "{error}");
}

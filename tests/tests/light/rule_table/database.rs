//! What the rules about a network's database accept and refuse.

use peerwright_tests::manifests::{network, network_in_database, with, without};
use serde_json::{Value, json};

use super::{Attempt, Case, case, change};

/// Where a database is, in the spec of a network.
const DATABASE: &str = "spec.storage.postgres";

pub(super) fn parts() -> Vec<Case> {
    let rule = |at: &str, message: &str, accepted: Vec<Attempt>, refused: Vec<Attempt>| {
        case("PeerNetwork", &format!("{DATABASE}{at}"), message, accepted, refused)
    };
    let plain = network_in_database("demo");
    let set = |field: &str, value: Value| Attempt::Create(with(&plain, &format!("{DATABASE}.{field}"), value));
    let leave_out = |field: &str| Attempt::Create(without(&plain, &format!("{DATABASE}.{field}")));
    let texts = |field: &str, texts: &[&str]| texts.iter().map(|text| set(field, json!(text))).collect::<Vec<_>>();
    let known = json!({ "caSecretRef": reference("ca", "ca.crt") });
    let hidden = json!({ "urlSecretRef": reference("a", "uri"), "tls": known });
    let hidden = |field: &str, value: Value| {
        let hidden = with(&network("demo"), DATABASE, hidden.clone());
        Attempt::Create(if field.is_empty() { hidden } else { with(&hidden, &format!("{DATABASE}.{field}"), value) })
    };
    let mut cases = vec![
        rule(
            "",
            "write either urlSecretRef alone, or host, database and user, and with them port and passwordSecretRef as they are needed",
            vec![
                Attempt::Create(plain.clone()),
                set("port", json!(6432)),
                leave_out("passwordSecretRef"),
                hidden("", Value::Null),
                hidden("schemaPrefix", json!("shop")),
            ],
            vec![
                leave_out("host"),
                leave_out("database"),
                leave_out("user"),
                set("urlSecretRef", reference("a", "uri")),
                hidden("host", json!("a.example")),
                hidden("port", json!(5432)),
                hidden("database", json!("a")),
                hidden("user", json!("a")),
                hidden("passwordSecretRef", reference("a", "password")),
            ],
        ),
        rule(
            "",
            "write one of tls.caSecretRef and tls.caConfigMapRef, who signs the server's certificate; or tls.mode: Disable alone, and everything goes over the network as it is",
            vec![
                set("tls", known.clone()),
                set("tls.mode", json!("VerifyFull")),
                set("tls", json!({ "mode": "Disable" })),
            ],
            vec![
                leave_out("tls"),
                set("tls", json!({})),
                set("tls", json!({ "mode": "VerifyFull" })),
                set("tls.mode", json!("Disable")),
                set("tls.caSecretRef", reference("ca", "ca.crt")),
            ],
        ),
        rule(
            ".host",
            "write a DNS name in lower case, as in db.shop.svc, or an IP address; the port has a field of its own",
            texts("host", &["a", "db-rw.shop.svc.cluster.local", "10.0.0.7", "fd00::7"]),
            texts("host", &["DB", "db:5432", "a b", "a..b", "-a", "user@db", "db/registers", "[fd00::7]"]),
        ),
        rule(
            ".schemaPrefix",
            "write a schemaPrefix as a lower-case letter, then lower-case letters, digits and underscores, not pg_ at the start",
            texts("schemaPrefix", &["a", "shop_1", "pga"]),
            texts("schemaPrefix", &["A", "1a", "_a", "a-b", "a.b", "pg_a"]),
        ),
    ];
    for field in ["passwordSecretRef", "tls.caConfigMapRef", "urlSecretRef", "tls.caSecretRef"] {
        let naming = |name: &str, key: &str| match field {
            "urlSecretRef" => hidden(field, reference(name, key)),
            "tls.caSecretRef" => set("tls", json!({ "caSecretRef": reference(name, key) })),
            _ => set(field, reference(name, key)),
        };
        cases.extend([
            rule(
                &format!(".{field}.name"),
                "write the name of an object in the network's namespace",
                ["a", "a-1.b"].map(|name| naming(name, "a")).into(),
                ["A", "a/b", "-a", "a..b"].map(|name| naming(name, "a")).into(),
            ),
            rule(
                &format!(".{field}.key"),
                "write a key of letters, digits, dashes, underscores and dots",
                ["a", "ca.crt", "A_1-b", ".a"].map(|key| naming("a", key)).into(),
                ["a/b", "a b", ".", "..", "..a"].map(|key| naming("a", key)).into(),
            ),
        ]);
    }
    cases
}

fn reference(name: &str, key: &str) -> Value {
    json!({ "name": name, "key": key })
}

pub(super) fn changes() -> Vec<Case> {
    let (plain, stored) = (network("demo"), network_in_database("demo"));
    let of = |field: &str, value: Value| with(&stored, &format!("{DATABASE}.{field}"), value);
    let hidden = json!({ "urlSecretRef": reference("a", "uri"), "tls": { "mode": "Disable" } });
    let hidden = with(&plain, DATABASE, hidden);
    vec![
        case(
            "PeerNetwork",
            "spec",
            "storage.postgres cannot be added or removed after creation: every node would begin with an empty store; write what it was, or create another network",
            vec![change(&plain, &plain), change(&stored, &of("host", json!("other.example")))],
            vec![change(&plain, &stored), change(&stored, &plain)],
        ),
        case(
            "PeerNetwork",
            "spec",
            "storage.postgres.database and schemaPrefix cannot change after creation: every node would begin with an empty store; write what they were",
            vec![
                change(&stored, &stored),
                change(&stored, &hidden),
                change(&hidden, &stored),
                change(&stored, &of("user", json!("other"))),
                change(&stored, &of("schemaPrefix", json!("peerwright"))),
            ],
            vec![
                change(&stored, &of("database", json!("other"))),
                change(&stored, &of("schemaPrefix", json!("other"))),
                change(&of("schemaPrefix", json!("other")), &stored),
            ],
        ),
    ]
}

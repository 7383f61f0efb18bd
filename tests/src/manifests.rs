//! Manifests to send, as JSON: small ones, the largest that the definitions allow, and variations of either.

use anyhow::Result;
use serde_json::{Map, Value, json};

use crate::spec_numbers;

/// The smallest network.
pub fn network(name: &str) -> Value {
    json!({
        "apiVersion": "peerwright.dev/v1alpha1",
        "kind": "PeerNetwork",
        "metadata": { "name": name },
        "spec": { "nodeGroups": [{ "name": "peer", "replicas": 3 }] }
    })
}

/// A network whose nodes keep their registers in a database that is named by its parts.
pub fn network_in_database(name: &str) -> Value {
    let postgres = json!({
        "host": "database.example",
        "database": "registers",
        "user": "peerwright",
        "passwordSecretRef": { "name": "database", "key": "password" },
        "tls": { "caConfigMapRef": { "name": "authorities", "key": "ca.crt" } }
    });
    with(&network(name), "spec.storage.postgres", postgres)
}

/// A subscription of the network `demo`.
pub fn subscription(name: &str) -> Value {
    json!({
        "apiVersion": "peerwright.dev/v1alpha1",
        "kind": "RegisterSubscription",
        "metadata": { "name": name },
        "spec": { "networkRef": { "name": "demo" }, "registerId": "0123456789abcdef0123456789abcdef" }
    })
}

/// A ban of a node of the network `demo`.
pub fn ban(name: &str) -> Value {
    json!({
        "apiVersion": "peerwright.dev/v1alpha1",
        "kind": "PeerBan",
        "metadata": { "name": name },
        "spec": { "networkRef": { "name": "demo" }, "node": "demo-peer-2" }
    })
}

/// An operation on the network `demo`: one sealer goes on alone.
pub fn operation(name: &str) -> Value {
    let force = json!({ "node": "demo-peer-0", "acceptDataLoss": "WhatOnlyLostSealersHold" });
    json!({
        "apiVersion": "peerwright.dev/v1alpha1",
        "kind": "PeerOperation",
        "metadata": { "name": name },
        "spec": { "networkRef": { "name": "demo" }, "forceSealer": force }
    })
}

/// An operation whose every text is as long as it may be.
pub fn largest_operation() -> Value {
    let network = "n".repeat(24);
    let operation = with(&operation(&"o".repeat(253)), "spec.networkRef.name", json!(network));
    with(&operation, "spec.forceSealer.node", json!(format!("{network}-{}-10", "g".repeat(35))))
}

/// A network in which every list is full, every text as long as it may be and every number as large, but for weights,
/// which sum to 100.
///
/// # Errors
/// Never for a definition that is JSON.
pub fn largest_network() -> Result<Value> {
    let weights = [("reliability", 100), ("performance", 0), ("behaviour", 0)];
    let weights = weights.map(|(weight, percent)| (format!("scoring.{weight}Percent"), percent));
    let numbers = spec_numbers()?.into_iter().map(|number| (number.path, number.highest)).chain(weights);
    Ok(numbers.fold(full_network(), |network, (path, value)| with(&network, &format!("spec.{path}"), json!(value))))
}

/// [`largest_network`] with a database that is named by a Secret, and an authority that is in one.
///
/// # Errors
/// As [`largest_network`].
pub fn largest_network_by_secrets() -> Result<Value> {
    let postgres = json!({
        "urlSecretRef": largest_reference(),
        "tls": { "mode": "VerifyFull", "caSecretRef": largest_reference() },
        "schemaPrefix": "p".repeat(24)
    });
    Ok(with(&largest_network()?, "spec.storage.postgres", postgres))
}

fn full_network() -> Value {
    let name = "n".repeat(24);
    let quantities: Map<String, Value> = (0..8)
        .map(|index| (format!("example.com/resource-{index}-{}", "r".repeat(40)), json!("1".repeat(18))))
        .collect();
    let groups: Vec<Value> = (0..8)
        .map(|index| {
            json!({
                "name": format!("{}{index}", "g".repeat(15)),
                "replicas": 100,
                "role": if index == 7 { "Hub" } else { "Router" },
                "resources": { "limits": quantities, "requests": quantities }
            })
        })
        .collect();
    let bans: Vec<Value> = (0..256)
        .map(|index| {
            let mut ban = json!({
                "name": format!("{}{index:03}", "b".repeat(60)),
                "reason": "r".repeat(256),
                "expiresAt": "2027-01-31T12:00:00.123456789+00:00"
            });
            match index % 5 {
                1 => ban["peerId"] = json!("f".repeat(64)),
                2 => ban["spiffeId"] = json!(largest_spiffe_id()),
                3 => ban["fingerprint"] = json!("f".repeat(64)),
                4 => ban["cidr"] = json!(LARGEST_RANGE),
                _ => ban["node"] = json!(format!("{name}-{}-10", "g".repeat(35))),
            }
            ban
        })
        .collect();
    let access: Vec<Value> = (0..256)
        .map(|index| json!({ "subject": format!("{}{index:03}", "s".repeat(509)), "role": "Moderator" }))
        .collect();
    json!({
        "apiVersion": "peerwright.dev/v1alpha1",
        "kind": "PeerNetwork",
        "metadata": { "name": name },
        "spec": {
            "trustDomain": vec!["t".repeat(63); 4].join(".").chars().take(253).collect::<String>(),
            "image": "i".repeat(512),
            "imagePullPolicy": "IfNotPresent",
            "nodeGroups": groups,
            "storage": {
                "size": "100000000000000000000000000000m",
                "storageClassName": "c".repeat(253),
                "reclaimPolicy": "Retain",
                "postgres": {
                    "host": "h".repeat(253),
                    "database": "d".repeat(63),
                    "user": "u".repeat(63),
                    "passwordSecretRef": largest_reference(),
                    "tls": { "mode": "VerifyFull", "caConfigMapRef": largest_reference() },
                    "schemaPrefix": "p".repeat(24)
                }
            },
            "bans": bans,
            "autoBans": { "promote": "Always" },
            "api": { "access": access, "anonymousRole": "Reader" },
            "networkPolicy": "Disabled",
            "topology": "Hub"
        }
    })
}

fn largest_reference() -> Value {
    json!({ "name": "n".repeat(253), "key": "k".repeat(253) })
}

/// The range of addresses with the longest text.
const LARGEST_RANGE: &str = "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff/128";

fn largest_spiffe_id() -> String {
    format!("spiffe://{}/node/{}/{}", "t".repeat(255), "n".repeat(63), "p".repeat(253))
}

/// A subscription in which every text is as long as it may be.
pub fn largest_subscription() -> Value {
    let groups: Vec<String> = (0..8).map(|index| format!("{}{index}", "g".repeat(15))).collect();
    let subscription = with(&subscription(&"s".repeat(253)), "spec.displayName", json!("d".repeat(38)));
    let subscription = with(&subscription, "spec.placement.groups", json!(groups));
    let subscription = with(&subscription, "spec.maxLagSeconds", json!(86_400));
    with(&subscription, "spec.networkRef.name", json!("n".repeat(24)))
}

/// Bans in which every text is as long as it may be: one for each of the ways to say who is banned.
pub fn largest_bans() -> Vec<Value> {
    let network = "n".repeat(24);
    let subjects = [
        ("node", format!("{network}-{}-10", "g".repeat(35))),
        ("peerId", "f".repeat(64)),
        ("spiffeId", largest_spiffe_id()),
        ("fingerprint", "f".repeat(64)),
        ("cidr", LARGEST_RANGE.to_owned()),
    ];
    let largest = |(index, (kind, value)): (usize, (&str, String))| {
        let mut ban = ban(&format!("{}{index}", "b".repeat(252)));
        ban["spec"] = json!({
            "networkRef": { "name": network },
            kind: value,
            "reason": "r".repeat(256),
            "expiresAt": "2027-01-31T12:00:00.123456789+00:00"
        });
        ban
    };
    subjects.into_iter().enumerate().map(largest).collect()
}

/// `manifest` with the field at a path, as in `spec.storage.size`, set; what is missing on the way is made. A number in
/// the path is an index of a list.
pub fn with(manifest: &Value, path: &str, value: Value) -> Value {
    let mut changed = manifest.clone();
    let mut place = &mut changed;
    for step in path.split('.') {
        place = match step.parse::<usize>() {
            Ok(index) => &mut place[index],
            Err(_) => &mut place[step],
        };
    }
    *place = value;
    changed
}

/// `manifest` without the field at a path.
pub fn without(manifest: &Value, path: &str) -> Value {
    let mut changed = manifest.clone();
    let (parent, field) = path.rsplit_once('.').unwrap_or(("", path));
    let parent = format!("/{}", parent.replace('.', "/"));
    if let Some(fields) = changed.pointer_mut(&parent).and_then(Value::as_object_mut) {
        fields.remove(field);
    }
    changed
}

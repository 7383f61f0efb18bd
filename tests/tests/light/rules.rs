//! Every CEL rule on a real API server: what it accepts, what it refuses and what it says then, and that it runs when
//! every list is full and every text as long as it may be.

use std::collections::BTreeSet;

use anyhow::{Context as _, Result};
use peerwright_tests::{Light, SchemaRule, SpecNumber, light, manifests, rules, spec_numbers};
use serde_json::{Value, json};

use crate::rule_table::{Attempt, Case, table};

const NAMESPACE: &str = "rules";

#[test]
fn every_rule_is_in_the_table() -> Result<()> {
    let in_definitions: BTreeSet<SchemaRule> = rules()?.into_iter().collect();
    let in_table: BTreeSet<SchemaRule> = table().into_iter().map(|case| case.rule).collect();
    assert_eq!(in_table, in_definitions);
    for case in table() {
        assert!(!case.accepted.is_empty() && !case.refused.is_empty(), "{:?} needs both sides", case.rule);
    }
    Ok(())
}

#[test]
fn every_rule_accepts_what_is_right_and_says_what_to_write_instead_of_the_rest() -> Result<()> {
    let light = light()?;
    light.namespace(NAMESPACE)?;
    for Case { rule, accepted, refused } in table() {
        for attempt in accepted {
            let answer = try_out(&light, &attempt)?;
            answer.accepted().with_context(|| format!("{rule:?} refuses {attempt:?}"))?;
        }
        for attempt in refused {
            let complaint = try_out(&light, &attempt)?.refused().with_context(|| format!("{rule:?}"))?;
            assert!(complaint.contains(&rule.message), "{rule:?} says instead: {complaint}");
        }
    }
    Ok(())
}

/// A network with a value in the place of every number of its spec.
fn with_numbers(value: impl Fn(&SpecNumber) -> i64) -> Result<Value> {
    let numbers = spec_numbers()?;
    Ok(numbers.iter().fold(manifests::network("demo"), |network, number| {
        manifests::with(&network, &format!("spec.{}", number.path), json!(value(number)))
    }))
}

#[test]
fn every_number_ends_where_the_definition_says() -> Result<()> {
    let light = light()?;
    let namespace = "numbers";
    light.namespace(namespace)?;
    let numbers = spec_numbers()?;
    assert!(numbers.len() > 20, "{numbers:?}");
    let too_low = with_numbers(|number| number.lowest - 1)?;
    let too_high = with_numbers(|number| number.highest + 1)?;
    for (manifest, message) in
        [(too_low, "should be greater than or equal to"), (too_high, "should be less than or equal to")]
    {
        let answer = light.kubectl.send(&["create", "-n", namespace, "--dry-run=server", "-f", "-"], &manifest)?;
        let complaint = answer.refused()?;
        for number in &numbers {
            assert!(complaint.contains(&format!("spec.{}", number.path)), "{} is not in: {complaint}", number.path);
        }
        assert!(complaint.matches(message).count() >= numbers.len(), "{complaint}");
    }
    Ok(())
}

/// Asks the API server for a verdict and leaves nothing behind.
fn try_out(light: &Light, attempt: &Attempt) -> Result<peerwright_tests::Answer> {
    match attempt {
        Attempt::Create(manifest) => {
            light.kubectl.send(&["create", "-n", NAMESPACE, "--dry-run=server", "-f", "-"], manifest)
        }
        Attempt::Change { from, to } => {
            light.kubectl.send(&["create", "-n", NAMESPACE, "-f", "-"], from)?.accepted()?;
            let answer = light.kubectl.send(&["replace", "-n", NAMESPACE, "--dry-run=server", "-f", "-"], to);
            light.kubectl.send(&["delete", "-n", NAMESPACE, "-f", "-"], from)?.accepted()?;
            answer
        }
    }
}

#[test]
fn rules_run_at_the_largest_sizes() -> Result<()> {
    let light = light()?;
    let namespace = "largest";
    light.namespace(namespace)?;
    let network = manifests::largest_network()?;
    let take = |namespace: &str, largest: &Value| -> Result<()> {
        light.kubectl.send(&["create", "-n", namespace, "-f", "-"], largest)?.accepted()?;
        light.kubectl.send(&["replace", "-n", namespace, "-f", "-"], largest)?.accepted().map(drop)
    };
    let others = [manifests::largest_subscription(), manifests::largest_operation()];
    for largest in [network.clone()].iter().chain(&others).chain(&manifests::largest_bans()) {
        take(namespace, largest)?;
    }
    // A namespace has room for one network of this name.
    light.namespace("largest-by-secrets")?;
    take("largest-by-secrets", &manifests::largest_network_by_secrets()?)?;

    let last_ban_is_wrong = manifests::with(&network, "spec.bans.255.node", json!("other-peer-0"));
    let other_domain = manifests::with(&network, "spec.trustDomain", json!("t"));
    for (change, message) in
        [(last_ban_is_wrong, "names a node of this network"), (other_domain, "trustDomain cannot be")]
    {
        let complaint = light.kubectl.send(&["replace", "-n", namespace, "-f", "-"], &change)?.refused()?;
        assert!(complaint.contains(message), "{complaint}");
    }
    Ok(())
}

#[test]
fn lists_and_texts_end_where_the_definitions_say() -> Result<()> {
    let light = light()?;
    let namespace = "bounds";
    light.namespace(namespace)?;
    let largest = manifests::largest_network()?;
    let longer = |path: &str, item: Value| {
        let mut manifest = largest.clone();
        if let Some(list) = manifest.pointer_mut(path).and_then(Value::as_array_mut) {
            list.push(item);
        }
        manifest
    };
    let network = |path: &str, value: Value| manifests::with(&manifests::network("demo"), path, value);
    let database = |path: &str, value: Value| {
        manifests::with(&manifests::network_in_database("demo"), &format!("spec.storage.postgres.{path}"), value)
    };
    let subscription = |path: &str, value: Value| manifests::with(&manifests::subscription("a"), path, value);
    let operation = |field: &str, value: Value| {
        manifests::with(&manifests::operation("a"), &format!("spec.forceSealer.{field}"), value)
    };
    let group = json!({ "name": "more", "replicas": 1 });
    let refused = [
        (longer("/spec/nodeGroups", group.clone()), "spec.nodeGroups: Too many"),
        (longer("/spec/bans", json!({ "name": "more", "peerId": "0".repeat(64) })), "spec.bans: Too many"),
        (longer("/spec/api/access", json!({ "subject": "more", "role": "Reader" })), "spec.api.access: Too many"),
        (network("spec.nodeGroups", json!([])), "spec.nodeGroups"),
        (manifests::without(&manifests::network("demo"), "spec.nodeGroups"), "spec.nodeGroups: Required"),
        (network("spec.nodeGroups", json!([group, group])), "spec.nodeGroups[1]: Duplicate"),
        (network("spec.nodeGroups.0.name", json!("g".repeat(17))), "spec.nodeGroups[0].name: Too long"),
        (network("spec.nodeGroups.0.replicas", json!(0)), "greater than or equal to 1"),
        (network("spec.nodeGroups.0.replicas", json!(101)), "less than or equal to 100"),
        (network("spec.nodeGroups.0.replicas", json!(1.5)), "spec.nodeGroups[0].replicas"),
        (network("spec.trustDomain", json!("t".repeat(254))), "spec.trustDomain: Too long"),
        (network("spec.image", json!("")), "spec.image"),
        (network("spec.imagePullPolicy", json!("Sometimes")), "\"Always\", \"IfNotPresent\", \"Never\""),
        (network("spec.storage.reclaimPolicy", json!("retain")), "\"Retain\", \"Delete\""),
        (network("spec.networkPolicy", json!("managed")), "\"Managed\", \"Disabled\""),
        (database("database", json!("")), "spec.storage.postgres.database"),
        (database("user", json!("u".repeat(64))), "spec.storage.postgres.user: Too long"),
        (database("port", json!(0)), "greater than or equal to 1"),
        (database("tls.mode", json!("Require")), "\"VerifyFull\", \"Disable\""),
        (
            database("passwordSecretRef", json!({ "name": "a" })),
            "spec.storage.postgres.passwordSecretRef.key: Required",
        ),
        (network("spec.api.anonymousRole", json!("Writer")), "\"None\", \"Reader\""),
        (
            network("spec.api.access", json!([{ "subject": "a", "role": "Owner" }])),
            "\"Reader\", \"Writer\", \"Moderator\", \"Admin\"",
        ),
        (network("spec.api.access", json!([{ "subject": "a" }])), "spec.api.access[0].role: Required"),
        (network("spec.nodeGroups.0.role", json!("hub")), "\"Peer\", \"Hub\", \"Router\", \"Edge\""),
        (network("spec.heartbeat.intervalSeconds", json!(9)), "greater than or equal to 10"),
        (network("spec.heartbeat.intervalSeconds", json!(121)), "less than or equal to 120"),
        (network("spec.gossip.ttlSeconds", json!(299)), "greater than or equal to 300"),
        (network("spec.gossip.ttlSeconds", json!(86_401)), "less than or equal to 86400"),
        (network("spec.limits.maxTransactionBytes", json!(1023)), "greater than or equal to 1024"),
        (network("spec.limits.maxTransactionBytes", json!(10_485_761)), "less than or equal to 10485760"),
        (network("spec.heartbeats", json!({})), "unknown field \"spec.heartbeats\""),
        (
            manifests::with(&manifests::subscription("a"), "spec.displayName", json!("d".repeat(39))),
            "spec.displayName: Too long",
        ),
        (manifests::without(&manifests::subscription("a"), "spec.registerId"), "spec.registerId: Required"),
        (subscription("spec.mode", json!("Full")), "\"FullReplica\", \"ForwardOnly\""),
        (subscription("spec.deletionPolicy", json!("delete")), "\"Retain\", \"Delete\""),
        (subscription("spec.maxLagSeconds", json!(0)), "greater than or equal to 1"),
        (subscription("spec.maxLagSeconds", json!(86_401)), "less than or equal to 86400"),
        (subscription("spec.placement.groups", json!(["a", "a"])), "spec.placement.groups[1]: Duplicate"),
        (subscription("spec.placement.groups", json!(["g".repeat(17)])), "spec.placement.groups[0]: Too long"),
        (subscription("spec.placement.groups", json!(["a", "b", "c", "d", "e", "f", "g", "h", "i"])), "Too many"),
        (manifests::with(&manifests::ban("a"), "spec.reason", json!("r".repeat(257))), "spec.reason: Too long"),
        (manifests::without(&manifests::ban("a"), "spec.networkRef"), "spec.networkRef: Required"),
        (operation("acceptDataLoss", json!("yes")), "\"WhatOnlyLostSealersHold\""),
        (
            manifests::without(&manifests::operation("a"), "spec.forceSealer.acceptDataLoss"),
            "spec.forceSealer.acceptDataLoss: Required",
        ),
        (operation("node", json!("n".repeat(64))), "spec.forceSealer.node: Too long"),
    ];
    for (manifest, message) in refused {
        let answer = light.kubectl.send(&["create", "-n", namespace, "--dry-run=server", "-f", "-"], &manifest)?;
        let complaint = answer.refused().context(message)?;
        assert!(complaint.contains(message), "{message:?} is not in: {complaint}");
    }
    Ok(())
}

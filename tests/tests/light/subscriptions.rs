//! Subscriptions on a real API server: what becomes of them, and how they end. Nothing runs pods here: no node ever reports.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use peerwright_tests::{Light, OPERATOR_NAMESPACE, Operator, manifests};
use serde_json::{Value, json};

use crate::operator::{SOON, condition, create_network, wait_for, wait_until_gone};

const FINALIZER: &str = "peerwright.dev/registers";
const ORDERS: &str = "registersubscription/orders";

fn create(light: &Light, namespace: &str, manifest: &Value) -> Result<()> {
    light.kubectl.send(&["create", "-n", namespace, "-f", "-"], manifest)?.accepted().map(drop)
}

fn patch(light: &Light, namespace: &str, object: &str, change: &Value) -> Result<()> {
    let change = change.to_string();
    light.kubectl.run(&["patch", object, "-n", namespace, "--type=merge", "-p", &change])?.accepted().map(drop)
}

/// A subscription whose data goes with it.
fn purging(name: &str) -> Value {
    manifests::with(&manifests::subscription(name), "spec.deletionPolicy", json!("Delete"))
}

fn is_held(object: &Value) -> bool {
    object["metadata"]["finalizers"] == json!([FINALIZER])
}

#[test]
fn a_subscription_says_what_became_of_it_and_a_finalizer_comes_and_goes_with_its_policy() -> Result<()> {
    let light = Light::start()?;
    let operator = Operator::ready(&light, "operator-0")?;
    let namespace = "shop";
    light.namespace(namespace)?;
    create_network(&light, namespace, &manifests::network("demo"))?;

    create(&light, namespace, &manifests::subscription("orders"))?;
    let accepted = |object: &Value| condition(object, "Accepted").0 == "True";
    let plain = wait_for(&light, namespace, ORDERS, SOON, accepted)?;
    for kind in ["Synced", "Current"] {
        assert_eq!(condition(&plain, kind), ("Unknown".to_owned(), "NoNodes".to_owned()), "{kind}");
    }
    assert_eq!((&plain["status"]["nodes"], &plain["status"]["state"]), (&json!(0), &Value::Null));
    assert!(plain["metadata"]["finalizers"].is_null(), "data that stays holds nothing up");

    patch(&light, namespace, ORDERS, &json!({ "spec": { "deletionPolicy": "Delete" } }))?;
    wait_for(&light, namespace, ORDERS, SOON, is_held)?;
    patch(&light, namespace, ORDERS, &json!({ "spec": { "deletionPolicy": "Retain" } }))?;
    wait_for(&light, namespace, ORDERS, SOON, |object| object["metadata"]["finalizers"].is_null())?;
    patch(&light, namespace, ORDERS, &json!({ "spec": { "deletionPolicy": "Delete" } }))?;
    wait_for(&light, namespace, ORDERS, SOON, is_held)?;

    let elsewhere = manifests::with(&purging("placed"), "spec.registerId", json!("ab".repeat(16)));
    create(&light, namespace, &manifests::with(&elsewhere, "spec.placement.groups", json!(["moon"])))?;
    let object = "registersubscription/placed";
    let unknown = |object: &Value| condition(object, "Accepted") == ("False".to_owned(), "PlacementUnknown".to_owned());
    let placed = wait_for(&light, namespace, object, SOON, unknown)?;
    assert!(placed["metadata"]["finalizers"].is_null(), "no node holds anything for it");
    patch(&light, namespace, object, &json!({ "spec": { "placement": { "groups": ["peer"] } } }))?;
    wait_for(&light, namespace, object, SOON, |object| accepted(object) && is_held(object))?;

    // No node runs that would have to purge anything.
    for object in [ORDERS, object] {
        light.kubectl.run(&["delete", object, "-n", namespace, "--wait=false"])?.accepted()?;
        wait_until_gone(&light, namespace, object)?;
    }
    let network = wait_for(&light, namespace, "peernetwork/demo", SOON, |network| {
        network["status"]["policy"]["subscriptions"] == 0
    })?;
    assert_eq!(condition(&network, "Stalled").0, "False");
    assert_eq!(operator.forbidden()?, Vec::<String>::new());
    Ok(())
}

/// A network whose three nodes are known by their ids, and so seal.
fn with_sealers(light: &Light, namespace: &str) -> Result<Operator> {
    let first = Operator::ready(light, "operator-0")?;
    light.namespace(namespace)?;
    let network = create_network(light, namespace, &manifests::network("demo"))?;
    first.stop()?;
    let uid = network["metadata"]["uid"].as_str().context("a UID")?;
    let rows = (0..3).map(|number| {
        let row = json!({ "peerId": format!("{number}1").repeat(32), "pod": format!("demo-peer-{number}") });
        (format!("claim-{number}"), json!(row.to_string()))
    });
    let rows: serde_json::Map<String, Value> = rows.collect();
    patch(light, OPERATOR_NAMESPACE, &format!("configmap/members-{uid}"), &json!({ "data": rows }))?;
    Operator::ready(light, "operator-1")
}

#[test]
fn a_deletion_that_would_take_a_register_from_its_sealers_is_held_and_names_a_way_out() -> Result<()> {
    let light = Light::start()?;
    let namespace = "shop";
    let operator = with_sealers(&light, namespace)?;
    create(&light, namespace, &purging("orders"))?;
    wait_for(&light, namespace, ORDERS, SOON, is_held)?;

    light.kubectl.run(&["delete", ORDERS, "-n", namespace, "--wait=false"])?.accepted()?;
    let refused = |object: &Value| condition(object, "Deleted") == ("False".to_owned(), "WouldLoseQuorum".to_owned());
    let held = wait_for(&light, namespace, ORDERS, SOON, refused)?;
    let conditions = held["status"]["conditions"].to_string();
    for word in ["demo-peer-0", "demo-peer-2", "deletionPolicy to Retain"] {
        ensure!(conditions.contains(word), "{word} is not in {conditions}");
    }
    assert_eq!(condition(&held, "Accepted").0, "True", "nothing changes in the snapshot");
    let has_it = |network: &Value| network["status"]["policy"]["subscriptions"] == 1;
    wait_for(&light, namespace, "peernetwork/demo", SOON, has_it)?;

    patch(&light, namespace, ORDERS, &json!({ "spec": { "deletionPolicy": "Retain" } }))?;
    wait_until_gone(&light, namespace, ORDERS)?;
    assert_eq!(operator.forbidden()?, Vec::<String>::new());
    Ok(())
}

#[test]
fn no_subscription_holds_up_the_end_of_its_network_or_its_namespace() -> Result<()> {
    let light = Light::start()?;
    let namespace = "shop";
    let _operator = with_sealers(&light, namespace)?;
    create(&light, namespace, &purging("orders"))?;
    wait_for(&light, namespace, ORDERS, SOON, is_held)?;
    light.kubectl.run(&["delete", ORDERS, "-n", namespace, "--wait=false"])?.accepted()?;
    wait_for(&light, namespace, ORDERS, SOON, |object| condition(object, "Deleted").1 == "WouldLoseQuorum")?;
    light.kubectl.run(&["delete", "pnet", "demo", "-n", namespace, "--wait=false"])?.accepted()?;
    wait_until_gone(&light, namespace, ORDERS)?;

    let other = "other";
    light.namespace(other)?;
    create_network(&light, other, &manifests::network("demo"))?;
    create(&light, other, &purging("orders"))?;
    wait_for(&light, other, ORDERS, SOON, is_held)?;
    let timeout = format!("--timeout={}s", Duration::from_secs(90).as_secs());
    light.kubectl.run(&["delete", "namespace", other, "--wait=true", &timeout])?.accepted()?;
    Ok(())
}

//! Operations on a real API server: refused or waiting, and never looked at again once they are over. Nothing runs pods
//! here: no node ever reports, so none begins.

use anyhow::Result;
use peerwright_tests::{Light, Operator, manifests};
use serde_json::{Value, json};

use crate::operator::{SOON, condition, create_network, wait_for};

fn create(light: &Light, namespace: &str, manifest: &Value) -> Result<()> {
    light.kubectl.send(&["create", "-n", namespace, "-f", "-"], manifest)?.accepted().map(drop)
}

fn says(object: &Value, phase: &str, reason: &str) -> bool {
    object["status"]["phase"] == phase && condition(object, "Complete") == ("False".to_owned(), reason.to_owned())
}

#[test]
fn an_operation_that_cannot_begin_says_why_and_one_that_was_refused_stays_so() -> Result<()> {
    let light = Light::start()?;
    let operator = Operator::ready(&light, "operator-0")?;
    let namespace = "shop";
    light.namespace(namespace)?;

    create(&light, namespace, &manifests::operation("early"))?;
    wait_for(&light, namespace, "pop/early", SOON, |object| says(object, "Pending", "NetworkNotFound"))?;
    create_network(&light, namespace, &manifests::network("demo"))?;
    let waiting = wait_for(&light, namespace, "pop/early", SOON, |object| says(object, "Pending", "NodeUnreachable"))?;
    assert_eq!(waiting["status"]["observedGeneration"], 1);
    assert!(waiting["status"]["startedAt"].is_null() && waiting["status"]["completedAt"].is_null());

    let elsewhere = manifests::with(&manifests::operation("moon"), "spec.forceSealer.node", json!("demo-moon-0"));
    create(&light, namespace, &elsewhere)?;
    let refused = wait_for(&light, namespace, "pop/moon", SOON, |object| says(object, "Refused", "NodeUnknown"))?;
    assert!(refused["status"]["completedAt"].is_string());
    let line = light.kubectl.run(&["get", "pop", "moon", "-n", namespace, "--no-headers"])?.accepted()?;
    let words = ["moon", "demo", "ForceSealer", "demo-moon-0", "Refused"];
    assert!(line.split_whitespace().take(5).eq(words), "{line}");

    // Another operator finds it done, even where the node could be one of the network's by now.
    operator.stop()?;
    let group = json!([{ "op": "add", "path": "/spec/nodeGroups/-", "value": { "name": "moon", "replicas": 1 } }]);
    let patch = group.to_string();
    light.kubectl.run(&["patch", "pnet/demo", "-n", namespace, "--type=json", "-p", &patch])?.accepted()?;
    let operator = Operator::ready(&light, "operator-1")?;
    create(&light, namespace, &manifests::with(&elsewhere, "metadata.name", json!("moon-again")))?;
    wait_for(&light, namespace, "pop/moon-again", SOON, |object| says(object, "Pending", "NodeUnreachable"))?;
    let after = light.kubectl.json(&["get", "pop", "moon", "-n", namespace])?;
    assert_eq!(after["status"], refused["status"]);
    assert_eq!(operator.forbidden()?, Vec::<String>::new());
    Ok(())
}

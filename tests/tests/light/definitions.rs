//! What people see of the definitions: defaults, columns, short names, field selectors, and the examples.

use anyhow::Result;
use peerwright_tests::{Light, light, manifests, repository};
use serde_json::json;

#[test]
fn the_smallest_network_is_given_a_volume_size_and_nothing_else() -> Result<()> {
    let light = light()?;
    light.namespace("defaults")?;
    light.kubectl.send(&["create", "-n", "defaults", "-f", "-"], &manifests::network("demo"))?.accepted()?;
    let network = light.kubectl.json(&["get", "pnet", "demo", "-n", "defaults"])?;
    assert_eq!(
        network["spec"],
        json!({ "nodeGroups": [{ "name": "peer", "replicas": 3 }], "storage": { "size": "1Gi" } })
    );
    Ok(())
}

#[test]
fn the_examples_are_accepted_and_found_by_their_short_names() -> Result<()> {
    let light = light()?;
    let file = |name: &str| repository("examples").join(name).to_string_lossy().into_owned();
    for example in ["network.yaml", "settings.yaml", "subscription.yaml"] {
        light.kubectl.run(&["apply", "-f", &file(example)])?.accepted()?;
        let again = light.kubectl.run(&["apply", "-f", &file(example)])?.accepted()?;
        assert!(again.lines().all(|line| line.ends_with("unchanged")), "{again}");
    }
    // Each ban is an object of its own: the same file bans twice.
    for _ in 0..2 {
        light.kubectl.run(&["create", "-f", &file("ban.yaml")])?.accepted()?;
    }
    light.kubectl.run(&["create", "-f", &file("force-sealer.yaml")])?.accepted()?;
    assert_eq!(columns(&light, "pop")?, ["NAME", "NETWORK", "KIND", "TARGET", "PHASE", "AGE"]);
    assert_eq!(columns(&light, "pnet")?, ["NAME", "NODES", "READY NODES", "READY", "AGE"]);
    assert_eq!(
        columns(&light, "rsub")?,
        ["NAME", "NETWORK", "REGISTER", "MODE", "STATE", "PROGRESS", "SYNCED", "CURRENT", "AGE"]
    );
    assert_eq!(columns(&light, "pban")?, ["NAME", "NETWORK", "NODE", "ENFORCED", "AGE"]);

    let all = light.kubectl.run(&["get", "peerwright", "-o", "name"])?.accepted()?;
    assert_eq!(all.lines().count(), 5, "a network, a subscription, two bans and an operation: {all}");
    for (selector, count) in
        [("spec.node=demo-peer-2", 2), ("spec.networkRef.name=demo", 2), ("spec.node=demo-peer-1", 0)]
    {
        let bans = light.kubectl.run(&["get", "pban", "-o", "name", "--field-selector", selector])?.accepted()?;
        assert_eq!(bans.lines().count(), count, "{selector}");
    }
    Ok(())
}

/// The headings of `kubectl get`, which are two or more spaces apart.
fn columns(light: &Light, resource: &str) -> Result<Vec<String>> {
    let table = light.kubectl.run(&["get", resource])?.accepted()?;
    let heading = table.lines().next().unwrap_or_default();
    Ok(heading.split("  ").map(str::trim).filter(|word| !word.is_empty()).map(str::to_owned).collect())
}

#[test]
fn a_status_is_written_apart_from_its_spec() -> Result<()> {
    let light = light()?;
    light.namespace("statuses")?;
    let mut network = manifests::network("demo");
    network["status"] = json!({ "nodes": 9 });
    light.kubectl.send(&["create", "-n", "statuses", "-f", "-"], &network)?.accepted()?;
    assert!(light.kubectl.json(&["get", "pnet", "demo", "-n", "statuses"])?["status"].is_null());

    let status = json!({ "status": {
        "nodes": 3,
        "readyNodes": 2,
        "conditions": [{
            "type": "Ready",
            "status": "False",
            "reason": "NodesNotReady",
            "message": "",
            "lastTransitionTime": "2027-01-31T12:00:00Z"
        }]
    } });
    let patch = status.to_string();
    let arguments = ["patch", "pnet", "demo", "-n", "statuses", "--subresource=status", "--type=merge", "-p", &patch];
    light.kubectl.run(&arguments)?.accepted()?;
    let line = light.kubectl.run(&["get", "pnet", "-n", "statuses", "--no-headers"])?.accepted()?;
    assert!(line.split_whitespace().take(4).eq(["demo", "3", "2", "False"]), "{line}");
    let generation = light.kubectl.json(&["get", "pnet", "demo", "-n", "statuses"])?["metadata"]["generation"].clone();
    assert_eq!(generation, 1, "a status is no new generation");
    Ok(())
}

#[test]
fn uninstalling_the_chart_of_the_definitions_keeps_them_and_it_can_come_back() -> Result<()> {
    let light = Light::start()?;
    light.kubectl.send(&["create", "-f", "-"], &manifests::network("demo"))?.accepted()?;
    let namespace = ["--namespace", peerwright_tests::OPERATOR_NAMESPACE];
    let uninstall = [&["uninstall", "peerwright-crds"], namespace.as_slice()].concat();
    light.helm.run(&uninstall)?.accepted()?;
    light.kubectl.run(&["get", "pnet", "demo"])?.accepted()?;
    let install = [&["install", "peerwright-crds", "peerwright-crds"], namespace.as_slice()].concat();
    light.helm.run(&install)?.accepted()?;
    light.kubectl.run(&["get", "pnet", "demo"])?.accepted().map(drop)
}

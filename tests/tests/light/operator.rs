//! The operator's process on a real API server, with the rights that the chart gives it: what it makes, says and heals.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use peerwright_tests::{Light, OPERATOR_NAMESPACE, Operator, Seen, eventually, manifests};
use serde_json::{Value, json};

pub(crate) const SOON: Duration = Duration::from_secs(20);
/// What somebody broke is whole again within this time.
const HEALED: Duration = Duration::from_secs(5);
const PEER_ID: &str = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";

/// Kubernetes' garbage collector looks for new kinds of owners every 30 s, and collects nothing meanwhile.
const COLLECTED: Duration = Duration::from_secs(60);

/// An object, if it is there.
pub(crate) fn get(light: &Light, namespace: &str, object: &str) -> Result<Option<Value>> {
    let answer =
        light.kubectl.run(&["get", object, "-n", namespace, "--ignore-not-found", "-o", "json"])?.accepted()?;
    if answer.trim().is_empty() { Ok(None) } else { Ok(Some(serde_json::from_str(&answer)?)) }
}

/// A condition of an object: its status and reason.
pub(crate) fn condition(object: &Value, kind: &str) -> (String, String) {
    let mut conditions = object["status"]["conditions"].as_array().into_iter().flatten();
    let found = conditions.find(|condition| condition["type"] == kind).unwrap_or(&Value::Null);
    (found["status"].as_str().unwrap_or_default().to_owned(), found["reason"].as_str().unwrap_or_default().to_owned())
}

/// Waits until an object looks right.
pub(crate) fn wait_for(
    light: &Light,
    namespace: &str,
    object: &str,
    limit: Duration,
    right: impl Fn(&Value) -> bool,
) -> Result<Value> {
    eventually(limit, &format!("{object} as it should be"), || {
        Ok(match get(light, namespace, object)? {
            Some(found) if right(&found) => Seen::There(found),
            Some(found) => Seen::NotYet(json!({ "spec": found["spec"], "status": found["status"] }).to_string()),
            None => Seen::NotYet("it is not there".to_owned()),
        })
    })
}

pub(crate) fn wait_until_gone(light: &Light, namespace: &str, object: &str) -> Result<()> {
    eventually(COLLECTED, &format!("the end of {object}"), || {
        Ok(get(light, namespace, object)?.map_or(Seen::There(()), |found| Seen::NotYet(found["metadata"].to_string())))
    })
}

/// Creates a network and waits until the operator has published its first snapshot.
pub(crate) fn create_network(light: &Light, namespace: &str, network: &Value) -> Result<Value> {
    light.kubectl.send(&["create", "-n", namespace, "-f", "-"], network)?.accepted()?;
    let object = format!("peernetwork/{}", network["metadata"]["name"].as_str().context("a network has a name")?);
    wait_for(light, namespace, &object, SOON, |network| {
        network["status"]["observedGeneration"] == network["metadata"]["generation"]
            && network["status"]["policy"]["revision"].as_i64() >= Some(1)
    })
}

#[test]
fn a_network_is_built_healed_and_taken_down() -> Result<()> {
    let light = Light::start()?;
    let operator = Operator::ready(&light, "operator-0")?;
    let namespace = "shop";
    light.namespace(namespace)?;
    let network = create_network(&light, namespace, &manifests::network("demo"))?;
    check_children(&light, namespace, &network)?;
    check_status(&light, namespace)?;
    check_policy(&light, namespace)?;
    check_drift(&light, namespace)?;
    check_collision(&light, namespace)?;
    check_database(&light, namespace)?;

    let uid = network["metadata"]["uid"].as_str().context("a UID")?;
    let authority = format!("secret/ca-{uid}");
    ensure!(get(&light, OPERATOR_NAMESPACE, &authority)?.is_some(), "{authority} is not there");
    light.kubectl.run(&["delete", "pnet", "demo", "-n", namespace, "--wait=true"])?.accepted()?;
    for object in ["statefulset/demo-peer", "service/demo-api", "configmap/demo-snapshot", "serviceaccount/demo"] {
        wait_until_gone(&light, namespace, object)?;
    }
    wait_until_gone(&light, OPERATOR_NAMESPACE, &authority)?;
    wait_until_gone(&light, OPERATOR_NAMESPACE, &format!("configmap/members-{uid}"))?;
    assert_eq!(operator.forbidden()?, Vec::<String>::new());
    Ok(())
}

fn check_children(light: &Light, namespace: &str, network: &Value) -> Result<()> {
    let children = [
        "statefulset/demo-peer",
        "service/demo-peers",
        "service/demo-api",
        "configmap/demo-snapshot",
        "configmap/demo-trust",
        "serviceaccount/demo",
        "poddisruptionbudget/demo",
        "networkpolicy/demo",
    ];
    for child in children {
        let child = wait_for(light, namespace, child, SOON, |_| true)?;
        let metadata = &child["metadata"];
        assert_eq!(metadata["ownerReferences"][0]["uid"], network["metadata"]["uid"], "{metadata}");
        assert_eq!(metadata["labels"]["peerwright.dev/network"], "demo", "{metadata}");
        assert_eq!(metadata["labels"]["app.kubernetes.io/managed-by"], "peerwright-operator", "{metadata}");
    }
    let trust = wait_for(light, namespace, "configmap/demo-trust", SOON, |_| true)?;
    for file in ["ca.pem", "install-root.pem"] {
        let pem = trust["data"][file].as_str().unwrap_or_default();
        assert!(pem.starts_with("-----BEGIN CERTIFICATE-----"), "{file}: {pem}");
    }
    let snapshot = wait_for(light, namespace, "configmap/demo-snapshot", SOON, |_| true)?;
    assert!(snapshot["binaryData"]["snapshot.bin"].is_string());
    let secrets = light.kubectl.json(&["get", "secrets", "-n", namespace])?;
    assert_eq!(secrets["items"], json!([]), "no key ever leaves the operator's namespace");
    Ok(())
}

/// Nodes never come up here: nothing runs pods.
fn check_status(light: &Light, namespace: &str) -> Result<()> {
    let network =
        wait_for(light, namespace, "peernetwork/demo", SOON, |network| condition(network, "Ready").0 == "False")?;
    let status = &network["status"];
    assert_eq!(status["nodes"], 3);
    assert_eq!(status["readyNodes"], 0);
    assert_eq!(status["trustDomain"], "demo.shop.peerwright.internal");
    assert_eq!(status["image"], "docker.io/peerwright/peerwright-node:dev");
    assert_eq!(status["apiService"], "demo-api");
    assert_eq!(status["identity"]["caFingerprint"].as_str().map(str::len), Some(64));
    assert_eq!(status["policy"]["bans"], 0);
    for kind in ["Ready", "Reconciling", "Stalled", "CertificatesReady", "PolicySynced"] {
        let (truth, reason) = condition(&network, kind);
        assert!(!truth.is_empty() && !reason.is_empty(), "{kind} is missing: {status}");
    }
    assert_eq!(condition(&network, "Stalled").0, "False");
    for condition in status["conditions"].as_array().into_iter().flatten() {
        assert_eq!(condition["observedGeneration"], network["metadata"]["generation"], "{condition}");
    }
    eventually(SOON, "an Event about the network", || {
        let events = light.kubectl.json(&["get", "events.events.k8s.io", "-n", namespace])?;
        let about =
            |event: &&Value| event["regarding"]["kind"] == "PeerNetwork" && event["regarding"]["name"] == "demo";
        let found = events["items"].as_array().into_iter().flatten().filter(about).count();
        Ok(Seen::when(found > 0, &events["items"]))
    })
}

fn check_policy(light: &Light, namespace: &str) -> Result<()> {
    let create = |manifest: &Value| light.kubectl.send(&["create", "-n", namespace, "-f", "-"], manifest)?.accepted();
    let accepted = |object: &Value| condition(object, "Accepted").0 == "True";
    create(&manifests::subscription("orders"))?;
    wait_for(light, namespace, "registersubscription/orders", SOON, accepted)?;

    let by_peer = manifests::without(&manifests::ban("stranger"), "spec.node");
    create(&manifests::with(&by_peer, "spec.peerId", json!(PEER_ID)))?;
    let published = |ban: &Value| accepted(ban) && ban["status"]["revision"].as_i64() > Some(1);
    let ban = wait_for(light, namespace, "peerban/stranger", SOON, published)?;
    assert_eq!(ban["status"]["peerId"], PEER_ID);

    create(&manifests::ban("nobody"))?;
    let ban = wait_for(light, namespace, "peerban/nobody", SOON, |ban| condition(ban, "Accepted").0 == "False")?;
    assert_eq!(condition(&ban, "Accepted").1, "UnknownNode", "no node ever joined");

    let elsewhere = manifests::with(&manifests::subscription("elsewhere"), "spec.networkRef.name", json!("nowhere"));
    create(&elsewhere)?;
    let waits = |subscription: &Value| condition(subscription, "Accepted").0 == "False";
    wait_for(light, namespace, "registersubscription/elsewhere", SOON, waits)?;

    let counts = |bans: i64| {
        move |network: &Value| {
            network["status"]["policy"]["subscriptions"] == 1 && network["status"]["policy"]["bans"] == bans
        }
    };
    wait_for(light, namespace, "peernetwork/demo", SOON, counts(1))?;
    light.kubectl.run(&["delete", "pban", "stranger", "nobody", "-n", namespace])?.accepted()?;
    wait_for(light, namespace, "peernetwork/demo", SOON, counts(0)).map(drop)
}

fn check_drift(light: &Light, namespace: &str) -> Result<()> {
    light.kubectl.run(&["scale", "statefulset", "demo-peer", "--replicas=0", "-n", namespace])?.accepted()?;
    wait_for(light, namespace, "statefulset/demo-peer", HEALED, |set| set["spec"]["replicas"] == 3)?;
    for child in ["service/demo-peers", "networkpolicy/demo", "configmap/demo-trust"] {
        light.kubectl.run(&["delete", child, "-n", namespace])?.accepted()?;
        wait_for(light, namespace, child, HEALED, |child| child["metadata"]["deletionTimestamp"].is_null())?;
    }
    light
        .kubectl
        .run(&[
            "patch",
            "pnet",
            "demo",
            "-n",
            namespace,
            "--type=merge",
            "-p",
            r#"{"spec":{"networkPolicy":"Disabled"}}"#,
        ])?
        .accepted()?;
    wait_until_gone(light, namespace, "networkpolicy/demo")
}

/// The operator has no right to the Secret that it names, and asks for none: it is not there.
fn check_database(light: &Light, namespace: &str) -> Result<()> {
    create_network(light, namespace, &manifests::network_in_database("stored"))?;
    let has_volume = |set: &Value| volume_of_database(set).is_some();
    let set = wait_for(light, namespace, "statefulset/stored-peer", SOON, has_volume)?;
    let sources = volume_of_database(&set).context("the volume")?["projected"]["sources"].clone();
    let secret = json!({ "name": "database", "items": [{ "key": "password", "path": "password" }] });
    assert_eq!(sources[0]["secret"], secret);
    assert_eq!(sources[1]["configMap"]["name"], "authorities");
    let container = &set["spec"]["template"]["spec"]["containers"][0];
    let url = "postgres://peerwright@database.example:5432/registers?sslmode=require";
    let told = |variable: &Value| variable["name"] == "PEERWRIGHT_STORAGE_URL" && variable["value"] == url;
    assert!(container["env"].as_array().is_some_and(|env| env.iter().any(told)), "{container}");
    assert_eq!(container["args"], json!(["run"]));
    assert_eq!(set["spec"]["volumeClaimTemplates"][0]["metadata"]["name"], "data");

    let other_host = r#"{"spec":{"storage":{"postgres":{"host":"other.example"}}}}"#;
    light.kubectl.run(&["patch", "pnet", "stored", "-n", namespace, "--type=merge", "-p", other_host])?.accepted()?;
    // Pods never run here, and as long as any is on its way up the new template waits.
    let waits =
        |network: &Value| network["status"]["conditions"].to_string().contains("the new template of group peer waits");
    wait_for(light, namespace, "peernetwork/stored", SOON, waits).map(drop)
}

fn volume_of_database(set: &Value) -> Option<&Value> {
    let volumes = set["spec"]["template"]["spec"]["volumes"].as_array()?;
    volumes.iter().find(|volume| volume["name"] == "database")
}

fn check_collision(light: &Light, namespace: &str) -> Result<()> {
    light.kubectl.run(&["create", "service", "clusterip", "taken-api", "--tcp=80", "-n", namespace])?.accepted()?;
    light.kubectl.send(&["create", "-n", namespace, "-f", "-"], &manifests::network("taken"))?.accepted()?;
    let named = |network: &Value| {
        let conditions = network["status"]["conditions"].to_string();
        conditions.contains("NameCollision") && conditions.contains("Service taken-api")
    };
    wait_for(light, namespace, "peernetwork/taken", SOON, named)?;
    let service = wait_for(light, namespace, "service/taken-api", SOON, |_| true)?;
    assert!(service["metadata"]["ownerReferences"].is_null(), "somebody else's Service is left alone");
    Ok(())
}

#[test]
fn a_key_that_is_deleted_while_the_operator_runs_stalls_its_network_until_it_is_restored() -> Result<()> {
    let light = Light::start()?;
    let _operator = Operator::ready(&light, "operator-0")?;
    light.namespace("shop")?;
    let network = create_network(&light, "shop", &manifests::network("demo"))?;
    let secret = format!("secret/ca-{}", network["metadata"]["uid"].as_str().context("a UID")?);
    let mut kept = get(&light, OPERATOR_NAMESPACE, &secret)?.context("the authority's Secret")?;
    let fingerprint = network["status"]["identity"]["caFingerprint"].clone();

    light.kubectl.run(&["delete", &secret, "-n", OPERATOR_NAMESPACE])?.accepted()?;
    let limit = Duration::from_secs(45);
    wait_for(&light, "shop", "peernetwork/demo", limit, |network| {
        condition(network, "Stalled") == ("True".to_owned(), "CAKeyLost".to_owned())
    })?;
    ensure!(get(&light, OPERATOR_NAMESPACE, &secret)?.is_none(), "nobody makes another key");

    if let Some(metadata) = kept["metadata"].as_object_mut() {
        metadata.retain(|field, _| ["name", "namespace", "labels", "annotations"].contains(&field.as_str()));
    }
    light.kubectl.send(&["create", "-f", "-"], &kept)?.accepted()?;
    let restored = wait_for(&light, "shop", "peernetwork/demo", Duration::from_secs(90), |network| {
        condition(network, "Stalled").0 == "False"
    })?;
    ensure!(restored["status"]["identity"]["caFingerprint"] == fingerprint, "the key is the one that was there");
    Ok(())
}

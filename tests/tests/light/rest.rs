//! What the operator writes when there is nothing to do: nothing.

use std::time::{Duration, Instant};

use anyhow::Result;
use peerwright_tests::{Light, Operator, Seen, Write, eventually, manifests, writes};
use serde_json::json;

use crate::operator::create_network;

const OPERATOR: &str = "system:serviceaccount:peerwright-system:peerwright-operator";
const REST: Duration = Duration::from_secs(120);

/// What the operator wrote, but for its Lease and its questions about tokens.
fn written(light: &Light) -> Result<Vec<Write>> {
    let mut written = writes(light.cluster.audit_log())?;
    written.retain(|write| write.user == OPERATOR && !["leases", "tokenreviews"].contains(&write.resource.as_str()));
    Ok(written)
}

/// Waits until nothing was written for ten seconds; gives the number of writes so far.
fn wait_for_rest(light: &Light) -> Result<usize> {
    let (mut count, mut since) = (written(light)?.len(), Instant::now());
    eventually(Duration::from_secs(90), "ten seconds without a write", || {
        let now = written(light)?;
        if now.len() != count {
            (count, since) = (now.len(), Instant::now());
        }
        let rested = since.elapsed() >= Duration::from_secs(10);
        Ok(if rested { Seen::There(count) } else { Seen::NotYet(format!("{:?}", now.last())) })
    })
}

#[test]
fn an_operator_at_rest_writes_nothing_nor_does_one_that_was_restarted() -> Result<()> {
    let light = Light::start()?;
    let operator = Operator::ready(&light, "operator-0")?;
    light.namespace("shop")?;
    let network = manifests::network("demo");
    let ban = manifests::with(
        &manifests::without(&manifests::ban("stranger"), "spec.node"),
        "spec.peerId",
        json!("0".repeat(64)),
    );
    let banned = manifests::with(&network, "spec.bans", json!([{ "name": "a", "peerId": "1".repeat(64) }]));
    create_network(&light, "shop", &banned)?;
    create_network(&light, "shop", &manifests::network_in_database("stored"))?;
    for manifest in [&manifests::subscription("orders"), &ban, &manifests::ban("nobody")] {
        light.kubectl.send(&["create", "-n", "shop", "-f", "-"], manifest)?.accepted()?;
    }

    let before = wait_for_rest(&light)?;
    assert!(before > 10, "only {before} writes were seen: the audit log is not what it should be");
    std::thread::sleep(REST);
    assert_eq!(written(&light)?.get(before..), Some(&[][..]), "at rest");

    operator.stop()?;
    let _operator = Operator::ready(&light, "operator-1")?;
    std::thread::sleep(REST / 2);
    assert_eq!(written(&light)?.get(before..), Some(&[][..]), "after a restart");
    Ok(())
}

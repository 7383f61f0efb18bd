//! More than one operator, and operators that have to wait.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use peerwright_tests::{Light, OPERATOR_NAMESPACE, Operator, OperatorOptions, Seen, eventually, manifests};

use crate::operator::{create_network, get};

fn leader(light: &Light) -> Result<String> {
    let lease = get(light, OPERATOR_NAMESPACE, "lease/peerwright-operator")?.unwrap_or_default();
    Ok(lease["spec"]["holderIdentity"].as_str().unwrap_or_default().to_owned())
}

fn wait_for_leader(light: &Light, limit: Duration, other_than: &str) -> Result<String> {
    eventually(limit, &format!("a leader other than {other_than:?}"), || {
        let leader = leader(light)?;
        Ok(if leader.is_empty() || leader == other_than { Seen::NotYet(leader) } else { Seen::There(leader) })
    })
}

#[test]
fn one_of_two_operators_leads_and_the_other_takes_over() -> Result<()> {
    let light = Light::start()?;
    light.namespace("shop")?;
    let mut operators = vec![
        ("operator-a", Operator::ready(&light, "operator-a")?),
        ("operator-b", Operator::ready(&light, "operator-b")?),
    ];
    let take = |operators: &mut Vec<(&'static str, Operator)>, leader: &str| {
        let place =
            operators.iter().position(|(name, _)| leader.starts_with(name)).context("the leader is one of them")?;
        anyhow::Ok(operators.remove(place).1)
    };

    let first = wait_for_leader(&light, Duration::from_secs(10), "")?;
    create_network(&light, "shop", &manifests::network("one"))?;
    let killed_at = Instant::now();
    take(&mut operators, &first)?.kill()?;
    let second = wait_for_leader(&light, Duration::from_secs(20), &first)?;
    assert!(
        killed_at.elapsed() < Duration::from_secs(17),
        "takeover from a killed leader took {:?}",
        killed_at.elapsed()
    );
    create_network(&light, "shop", &manifests::network("two"))?;

    operators.push(("operator-c", Operator::ready(&light, "operator-c")?));
    let stopped_at = Instant::now();
    take(&mut operators, &second)?.stop()?;
    let third = wait_for_leader(&light, Duration::from_secs(10), &second)?;
    assert!(
        stopped_at.elapsed() < Duration::from_secs(5),
        "takeover from a stopped leader took {:?}",
        stopped_at.elapsed()
    );
    assert!(third.starts_with("operator-c"), "{third} leads");
    create_network(&light, "shop", &manifests::network("three")).map(drop)
}

#[test]
fn an_operator_without_its_definitions_says_which_and_waits() -> Result<()> {
    let light = Light::start()?;
    let annotate = |version: &str| {
        let annotation = format!("peerwright.dev/bundle-version={version}");
        light.kubectl.run(&["annotate", "--overwrite", "crd", "peernetworks.peerwright.dev", &annotation])?.accepted()
    };
    light.kubectl.run(&["delete", "crd", "peerbans.peerwright.dev"])?.accepted()?;
    annotate("0.0.1")?;

    let mut operator = Operator::start(&light, "operator-0", &OperatorOptions::default())?;
    eventually(Duration::from_secs(20), "a readiness that names the definitions", || {
        let (status, body) = operator.get("/readyz").unwrap_or_default();
        let names_both = body.contains("peerbans.peerwright.dev") && body.contains("peernetworks.peerwright.dev");
        Ok(Seen::when(status == 503 && names_both && body.contains("peerwright-crds"), body))
    })?;
    assert_eq!(operator.get("/livez")?.0, 200, "it waits, and is alive");

    let upgrade =
        ["upgrade", "peerwright-crds", "peerwright-crds", "--namespace", OPERATOR_NAMESPACE, "--force-conflicts"];
    light.helm.run(&upgrade)?.accepted()?;
    operator.wait_until_ready()?;
    light.namespace("shop")?;
    create_network(&light, "shop", &manifests::network("demo")).map(drop)
}

#[test]
fn with_a_list_of_namespaces_an_operator_needs_no_more_than_its_roles() -> Result<()> {
    let light = Light::start()?;
    for namespace in ["team-operator", "team-a", "team-b"] {
        light.namespace(namespace)?;
    }
    let install = ["install", "peerwright-team", "peerwright", "--namespace", "team-operator"];
    let values = ["--set", "watchNamespaces={team-a}", "--set", "userRoles=false"];
    light.helm.run(&[install.as_slice(), &values].concat())?.accepted()?;
    let options =
        OperatorOptions { namespace: "team-operator".to_owned(), watch_namespaces: vec!["team-a".to_owned()] };
    let mut operator = Operator::start(&light, "team-operator-0", &options)?;
    operator.wait_until_ready()?;

    light.kubectl.send(&["create", "-n", "team-b", "-f", "-"], &manifests::network("demo"))?.accepted()?;
    create_network(&light, "team-a", &manifests::network("demo"))?;
    assert!(get(&light, "team-a", "statefulset/demo-peer")?.is_some());
    let ignored = get(&light, "team-b", "peernetwork/demo")?.context("the network that nobody keeps")?;
    assert!(ignored["status"].is_null(), "{}", ignored["status"]);
    assert_eq!(operator.forbidden()?, Vec::<String>::new());
    Ok(())
}

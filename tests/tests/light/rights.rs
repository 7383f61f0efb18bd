//! What the charts let the operator and people do, asked of a real API server.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use peerwright_tests::{Light, OPERATOR_NAMESPACE, light};

const OPERATOR: &str = "system:serviceaccount:peerwright-system:peerwright-operator";

fn assert_rights(light: &Light, user: &str, namespace: &str, may: &[&str], may_not: &[&str]) -> Result<()> {
    for (questions, expected) in [(may, true), (may_not, false)] {
        for question in questions {
            let words: Vec<&str> = question.split(' ').chain(["-n", namespace]).collect();
            assert_eq!(light.kubectl.can_i(user, &words)?, expected, "{user}: {question} in {namespace}");
        }
    }
    Ok(())
}

#[test]
fn the_operator_may_what_it_does_and_no_more() -> Result<()> {
    let light = light()?;
    let may = [
        "watch peernetworks.peerwright.dev",
        "list registersubscriptions.peerwright.dev",
        "get peerbans.peerwright.dev",
        "patch peernetworks.peerwright.dev --subresource=status",
        "patch peerbans.peerwright.dev --subresource=status",
        "patch registersubscriptions.peerwright.dev",
        "watch peeroperations.peerwright.dev",
        "patch peeroperations.peerwright.dev --subresource=status",
        "create peerbans.peerwright.dev",
        "patch peerbans.peerwright.dev",
        "delete peerbans.peerwright.dev",
        "create statefulsets.apps",
        "delete statefulsets.apps",
        "patch services",
        "update configmaps",
        "create serviceaccounts",
        "patch poddisruptionbudgets.policy",
        "delete networkpolicies.networking.k8s.io",
        "watch pods",
        "create pods --subresource=eviction",
        "get persistentvolumeclaims",
        "create events.events.k8s.io",
        "create tokenreviews.authentication.k8s.io",
        "get customresourcedefinitions.apiextensions.k8s.io/peerbans.peerwright.dev",
        "get /openid/v1/jwks",
    ];
    let may_not = [
        "get secrets",
        "list secrets",
        "create secrets",
        "patch peernetworks.peerwright.dev",
        "update peerbans.peerwright.dev",
        "update registersubscriptions.peerwright.dev",
        "create registersubscriptions.peerwright.dev",
        "delete registersubscriptions.peerwright.dev",
        "delete peernetworks.peerwright.dev",
        "create peeroperations.peerwright.dev",
        "patch peeroperations.peerwright.dev",
        "delete peeroperations.peerwright.dev",
        "delete pods",
        "create pods",
        "create pods --subresource=exec",
        "get pods --subresource=log",
        "list persistentvolumeclaims",
        "delete persistentvolumeclaims",
        "update peernetworks.peerwright.dev --subresource=status",
        "create serviceaccounts --subresource=token",
        "list customresourcedefinitions.apiextensions.k8s.io",
        "get customresourcedefinitions.apiextensions.k8s.io/others.example.com",
        "create roles.rbac.authorization.k8s.io",
        "list nodes",
    ];
    assert_rights(&light, OPERATOR, "default", &may, &may_not)?;
    assert_rights(
        &light,
        OPERATOR,
        OPERATOR_NAMESPACE,
        &[
            "create secrets",
            "get secrets",
            "list secrets",
            "delete secrets",
            "update leases.coordination.k8s.io",
            "create leases.coordination.k8s.io",
        ],
        &[
            "update secrets",
            "patch secrets",
            "watch secrets",
            "list leases.coordination.k8s.io",
            "delete leases.coordination.k8s.io",
        ],
    )
}

#[test]
fn with_a_list_of_namespaces_the_operator_has_no_rights_elsewhere() -> Result<()> {
    let light = light()?;
    for namespace in ["team-operator", "team-a", "team-b"] {
        light.namespace(namespace)?;
    }
    let values = ["--set", "watchNamespaces={team-a}", "--set", "userRoles=false"];
    let install = ["install", "peerwright-team", "peerwright", "--namespace", "team-operator"];
    light.helm.run(&[install.as_slice(), &values].concat())?.accepted()?;
    let operator = "system:serviceaccount:team-operator:peerwright-operator";
    let of_networks =
        ["watch peernetworks.peerwright.dev", "create statefulsets.apps", "update configmaps", "list pods"];
    assert_rights(&light, operator, "team-a", &of_networks, &["get secrets", "list secrets"])?;
    assert_rights(&light, operator, "team-b", &[], &of_networks)?;
    assert_rights(
        &light,
        operator,
        "team-operator",
        &["create secrets", "update configmaps"],
        &["create statefulsets.apps"],
    )?;
    let cluster_wide = [
        "create tokenreviews.authentication.k8s.io",
        "get customresourcedefinitions.apiextensions.k8s.io/peernetworks.peerwright.dev",
    ];
    assert_rights(&light, operator, "team-b", &cluster_wide, &["list peernetworks.peerwright.dev --all-namespaces"])
}

#[test]
fn people_may_what_their_role_says() -> Result<()> {
    let light = light()?;
    let namespace = "people";
    light.namespace(namespace)?;
    let reads = [
        "list peernetworks.peerwright.dev",
        "get registersubscriptions.peerwright.dev",
        "watch peerbans.peerwright.dev",
        "list peeroperations.peerwright.dev",
    ];
    let reads_but_orders = &reads[..3];
    let orders = ["create peeroperations.peerwright.dev", "delete peeroperations.peerwright.dev"];
    let bans = ["create peerbans.peerwright.dev", "delete peerbans.peerwright.dev"];
    let edits = [
        "create peernetworks.peerwright.dev",
        "patch peernetworks.peerwright.dev",
        "delete registersubscriptions.peerwright.dev",
    ];
    let nobody = [
        "patch peernetworks.peerwright.dev --subresource=status",
        "update peerbans.peerwright.dev --subresource=status",
    ];
    let roles = [
        ("peerwright-viewer", reads.to_vec(), [&bans[..], &edits, &nobody, &orders].concat()),
        (
            "peerwright-moderator",
            [reads_but_orders, &bans].concat(),
            [&edits[..], &nobody, &orders, &["patch peerbans.peerwright.dev"]].concat(),
        ),
        ("peerwright-editor", [reads_but_orders, &bans, &edits].concat(), [&nobody[..], &orders].concat()),
        (
            "peerwright-administrator",
            [&reads[..], &orders].concat(),
            [&edits[..], &nobody, &bans, &["patch peeroperations.peerwright.dev"]].concat(),
        ),
        ("view", reads.to_vec(), [&bans[..], &edits, &orders].concat()),
        ("edit", [&reads[..], &bans, &edits].concat(), [&nobody[..], &orders].concat()),
        ("admin", [&reads[..], &bans, &edits, &orders].concat(), nobody.to_vec()),
    ];
    for (role, may, may_not) in roles {
        let user = format!("holder-of-{role}");
        let (clusterrole, holder) = (format!("--clusterrole={role}"), format!("--user={user}"));
        light.kubectl.run(&["create", "rolebinding", role, &clusterrole, &holder, "-n", namespace])?.accepted()?;
        wait_until(&light, &user, namespace, may.first().copied().unwrap_or_default())?;
        assert_rights(&light, &user, namespace, &may, &may_not)?;
    }
    Ok(())
}

/// Waits until a right is there: the controller-manager adds roles to `view`, `edit` and `admin` in its own time.
fn wait_until(light: &Light, user: &str, namespace: &str, question: &str) -> Result<()> {
    let words: Vec<&str> = question.split(' ').chain(["-n", namespace]).collect();
    let end = Instant::now() + Duration::from_secs(30);
    while !light.kubectl.can_i(user, &words)? {
        ensure!(Instant::now() < end, "{user} may not {question} after 30 s");
        std::thread::sleep(Duration::from_millis(200));
    }
    Ok(())
}

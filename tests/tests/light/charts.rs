//! The charts, by the real helm: what they make, and what values they refuse.

use anyhow::{Context as _, Result, ensure};
use peerwright_cluster::{Binaries, binaries};
use peerwright_tests::{Helm, OPERATOR_NAMESPACE, light, repository};
use serde_json::{Value, json};

fn helm() -> Result<Helm> {
    Ok(Helm::new(Binaries::ensure(binaries::CLIENTS)?.path("helm"), None))
}

fn find<'a>(objects: &'a [Value], kind: &str, name: &str) -> Result<&'a Value> {
    let mut found = objects.iter().filter(|object| object["kind"] == kind && object["metadata"]["name"] == name);
    let object = found.next().with_context(|| format!("no {kind} {name}"))?;
    ensure!(found.next().is_none(), "{kind} {name} is there twice");
    Ok(object)
}

/// Names of the objects of a kind, with the namespace before them if they have one.
fn names(objects: &[Value], kind: &str) -> Vec<String> {
    let of_kind = objects.iter().filter(|object| object["kind"] == kind).map(|object| &object["metadata"]);
    let mut names: Vec<String> = of_kind
        .map(|metadata| match metadata["namespace"].as_str() {
            Some(namespace) => format!("{namespace}/{}", metadata["name"].as_str().unwrap_or_default()),
            None => metadata["name"].as_str().unwrap_or_default().to_owned(),
        })
        .collect();
    names.sort();
    names
}

fn rules(role: &Value) -> &[Value] {
    role["rules"].as_array().map(Vec::as_slice).unwrap_or_default()
}

#[test]
fn the_charts_pass_the_linter() -> Result<()> {
    let helm = helm()?;
    helm.run(&["lint", "--strict", "peerwright", "peerwright-crds"])?.accepted()?;
    helm.run(&["lint", "--strict", "peerwright", "--set", "watchNamespaces={a,b}", "--set", "networkPolicy=false"])?
        .accepted()?;
    Ok(())
}

#[test]
fn the_operator_runs_restricted_and_knows_what_it_needs() -> Result<()> {
    let objects = helm()?.template("peerwright", "ops", &[])?;
    let deployment = find(&objects, "Deployment", "peerwright-operator")?;
    assert_eq!(deployment["spec"]["replicas"], 2);
    let pod = &deployment["spec"]["template"]["spec"];
    assert_eq!(pod["serviceAccountName"], "peerwright-operator");
    assert_eq!(pod["securityContext"]["runAsNonRoot"], true);
    assert_eq!(pod["securityContext"]["seccompProfile"]["type"], "RuntimeDefault");
    assert_eq!(pod["topologySpreadConstraints"][0]["topologyKey"], "kubernetes.io/hostname");

    let container = &pod["containers"][0];
    assert_eq!(container["image"], "docker.io/peerwright/peerwright-operator:dev");
    assert_eq!(
        container["securityContext"],
        json!({
            "allowPrivilegeEscalation": false,
            "readOnlyRootFilesystem": true,
            "capabilities": { "drop": ["ALL"] }
        })
    );
    assert_eq!(container["livenessProbe"]["httpGet"], json!({ "path": "/livez", "port": "http" }));
    assert_eq!(container["readinessProbe"]["httpGet"], json!({ "path": "/readyz", "port": "http" }));
    assert_eq!(
        container["env"],
        json!([
            { "name": "PEERWRIGHT_NAMESPACE", "valueFrom": { "fieldRef": { "fieldPath": "metadata.namespace" } } },
            { "name": "PEERWRIGHT_POD_NAME", "valueFrom": { "fieldRef": { "fieldPath": "metadata.name" } } },
            { "name": "PEERWRIGHT_NODE_IMAGE", "value": "docker.io/peerwright/peerwright-node:dev" },
            { "name": "PEERWRIGHT_WATCH_NAMESPACES", "value": "" },
            { "name": "PEERWRIGHT_CLUSTER_DOMAIN", "value": "cluster.local" },
            { "name": "PEERWRIGHT_POD_RANGES", "value": "" },
            { "name": "PEERWRIGHT_NODE_TRACES", "value": "" },
            { "name": "PEERWRIGHT_LOG", "value": "info,kube_runtime=warn" },
            { "name": "PEERWRIGHT_LOG_FORMAT", "value": "text" },
        ])
    );
    assert!(container["resources"]["limits"]["memory"].is_string());
    Ok(())
}

#[test]
fn nodes_find_the_ready_pods_of_the_operator_by_one_name() -> Result<()> {
    let objects = helm()?.template("peerwright", "ops", &[])?;
    let service = &find(&objects, "Service", "peerwright-operator")?["spec"];
    assert_eq!(service["clusterIP"], "None");
    assert_eq!(service["publishNotReadyAddresses"], false);
    assert_eq!(service["ports"], json!([{ "name": "grpc", "port": 9443, "targetPort": "grpc" }]));
    let labels = &find(&objects, "Deployment", "peerwright-operator")?["spec"]["template"]["metadata"]["labels"];
    let policy = find(&objects, "NetworkPolicy", "peerwright-operator")?;
    let budget = find(&objects, "PodDisruptionBudget", "peerwright-operator")?;
    for selector in [
        &service["selector"],
        &policy["spec"]["podSelector"]["matchLabels"],
        &budget["spec"]["selector"]["matchLabels"],
    ] {
        for (name, value) in selector.as_object().context("a selector")? {
            assert_eq!(&labels[name], value, "{name}");
        }
    }
    assert_eq!(policy["spec"]["policyTypes"], json!(["Ingress"]));
    let ports: Vec<&Value> =
        policy["spec"]["ingress"].as_array().into_iter().flatten().map(|rule| &rule["ports"][0]["port"]).collect();
    assert_eq!(ports, [9443, 8080]);
    Ok(())
}

#[test]
fn everything_named_stays_in_the_namespace_of_the_release() -> Result<()> {
    for object in helm()?.template("peerwright", "ops", &[])? {
        let cluster_wide = ["ClusterRole", "ClusterRoleBinding"].iter().any(|kind| object["kind"] == *kind);
        assert_eq!(object["metadata"]["namespace"].is_null(), cluster_wide, "{}", object["kind"]);
        assert!(cluster_wide || object["metadata"]["namespace"] == "ops", "{}", object["kind"]);
    }
    Ok(())
}

#[test]
fn values_reach_the_pods() -> Result<()> {
    let values = [
        "replicas=3",
        "image.tag=v1",
        "image.pullPolicy=Never",
        "nodeImage.repository=example.com/node",
        "nodeImage.tag=v2",
        "imagePullSecrets={one}",
        "log=debug",
        "logFormat=json",
        "priorityClassName=system-cluster-critical",
        "nodeSelector.disk=ssd",
        "tolerations[0].operator=Exists",
        "watchNamespaces={a,b}",
    ];
    let objects = helm()?.template("peerwright", "ops", &values)?;
    let spec = &find(&objects, "Deployment", "peerwright-operator")?["spec"];
    let pod = &spec["template"]["spec"];
    assert_eq!(spec["replicas"], 3);
    assert_eq!(pod["imagePullSecrets"], json!([{ "name": "one" }]));
    assert_eq!(pod["priorityClassName"], "system-cluster-critical");
    assert_eq!(pod["nodeSelector"], json!({ "disk": "ssd" }));
    assert_eq!(pod["tolerations"], json!([{ "operator": "Exists" }]));
    let container = &pod["containers"][0];
    assert_eq!(container["image"], "docker.io/peerwright/peerwright-operator:v1");
    assert_eq!(container["imagePullPolicy"], "Never");
    let value = |name: &str| {
        let variables = container["env"].as_array().into_iter().flatten();
        variables.filter(|variable| variable["name"] == name).map(|variable| variable["value"].clone()).next()
    };
    assert_eq!(value("PEERWRIGHT_NODE_IMAGE"), Some(json!("example.com/node:v2")));
    assert_eq!(value("PEERWRIGHT_LOG"), Some(json!("debug")));
    assert_eq!(value("PEERWRIGHT_LOG_FORMAT"), Some(json!("json")));
    assert_eq!(value("PEERWRIGHT_WATCH_NAMESPACES"), Some(json!("a,b")));
    Ok(())
}

#[test]
fn parts_that_are_switched_off_are_not_made() -> Result<()> {
    let values = ["podDisruptionBudget=false", "networkPolicy=false", "userRoles=false"];
    let objects = helm()?.template("peerwright", "ops", &values)?;
    assert!(names(&objects, "PodDisruptionBudget").is_empty());
    assert!(names(&objects, "NetworkPolicy").is_empty());
    assert_eq!(names(&objects, "ClusterRole"), ["peerwright-operator-ops"]);
    Ok(())
}

#[test]
fn all_namespaces_are_watched_by_one_cluster_role_without_secrets() -> Result<()> {
    let objects = helm()?.template("peerwright", "ops", &[])?;
    assert_eq!(names(&objects, "Role"), ["ops/peerwright-operator"]);
    let role = find(&objects, "ClusterRole", "peerwright-operator-ops")?;
    assert!(rules(role).iter().any(|rule| rule["resources"] == json!(["statefulsets"])));
    for rule in objects.iter().filter(|object| object["kind"] == "ClusterRole").flat_map(rules) {
        let named = rule.to_string();
        assert!(!named.contains("secrets") && !named.contains('*'), "{named}");
    }
    Ok(())
}

#[test]
fn a_list_of_namespaces_gives_a_role_in_each_and_almost_nothing_cluster_wide() -> Result<()> {
    let objects = helm()?.template("peerwright", "ops", &["watchNamespaces={a,b}", "userRoles=false"])?;
    let networks = "peerwright-operator-ops-networks";
    assert_eq!(
        names(&objects, "Role"),
        [format!("a/{networks}"), format!("b/{networks}"), "ops/peerwright-operator".to_owned()]
    );
    assert_eq!(names(&objects, "RoleBinding"), names(&objects, "Role"));
    assert_eq!(
        rules(find(&objects, "ClusterRole", "peerwright-operator-ops")?),
        [
            json!({ "apiGroups": ["authentication.k8s.io"], "resources": ["tokenreviews"], "verbs": ["create"] }),
            json!({
                "apiGroups": ["apiextensions.k8s.io"],
                "resources": ["customresourcedefinitions"],
                "resourceNames": [
                    "peernetworks.peerwright.dev", "registersubscriptions.peerwright.dev", "peerbans.peerwright.dev",
                    "peeroperations.peerwright.dev"
                ],
                "verbs": ["get"]
            }),
            json!({ "nonResourceURLs": ["/.well-known/openid-configuration", "/openid/v1/jwks"], "verbs": ["get"] }),
        ]
    );
    for binding in
        objects.iter().filter(|object| object["kind"] == "RoleBinding" || object["kind"] == "ClusterRoleBinding")
    {
        assert_eq!(
            binding["subjects"],
            json!([{ "kind": "ServiceAccount", "name": "peerwright-operator", "namespace": "ops" }])
        );
    }
    Ok(())
}

#[test]
fn every_rule_of_a_role_says_what_it_is_for() -> Result<()> {
    let mut seen = 0;
    for file in std::fs::read_dir(repository("charts/peerwright/templates"))? {
        let text = std::fs::read_to_string(file?.path())?;
        let mut before = "";
        for line in text.lines() {
            let begins_a_rule = line.starts_with("- apiGroups:") || line.starts_with("- nonResourceURLs:");
            seen += usize::from(begins_a_rule);
            assert!(!begins_a_rule || before.starts_with("# "), "no comment above: {line}");
            before = line;
        }
    }
    assert!(seen > 15, "only {seen} rules were found");
    Ok(())
}

#[test]
fn wrong_values_are_refused_by_name() -> Result<()> {
    let helm = helm()?;
    for (value, complaint) in [
        ("replica=3", "'replica' not allowed"),
        ("replicas=0", "/replicas"),
        ("image.pullPolicy=Sometimes", "/image/pullPolicy"),
        ("image.name=a", "'name' not allowed"),
        ("watchNamespaces=a", "/watchNamespaces"),
        ("watchNamespaces={A b}", "/watchNamespaces/0"),
        ("watchNamespaces={a,a}", "/watchNamespaces"),
        ("networkPolicy=Managed", "/networkPolicy"),
        ("log=", "/log"),
        ("logFormat=xml", "/logFormat"),
        ("resources.request.cpu=1", "'request' not allowed"),
    ] {
        let refused = helm.run(&["template", "peerwright", "peerwright", "--set", value])?.refused().context(value)?;
        assert!(refused.contains(complaint), "{value}: {refused}");
    }
    helm.run(&["template", "crds", "peerwright-crds", "--set", "keep=false"])?.refused().map(drop)
}

#[test]
fn every_definition_is_kept_when_its_chart_goes() -> Result<()> {
    let objects = helm()?.template("peerwright-crds", "ops", &[])?;
    let expected = peerwright_crds::definitions();
    assert_eq!(objects.len(), expected.len());
    for definition in expected {
        let name = definition.metadata.name.clone().unwrap_or_default();
        let object = find(&objects, "CustomResourceDefinition", &name)?;
        assert_eq!(object["metadata"]["annotations"]["helm.sh/resource-policy"], "keep");
        assert_eq!(
            object["spec"]["names"],
            serde_json::to_value(&definition.spec.names)?,
            "{name} went through helm unchanged"
        );
    }
    Ok(())
}

#[test]
fn pods_of_the_operator_are_admitted_where_only_restricted_pods_are() -> Result<()> {
    let light = light()?;
    // The controller-manager makes the pods; the namespace refuses those that are not restricted.
    let arguments =
        ["wait", "--for=create", "pod", "-l", "app.kubernetes.io/name=peerwright-operator", "-n", OPERATOR_NAMESPACE];
    light.kubectl.run(&[arguments.as_slice(), &["--timeout=30s"]].concat())?.accepted()?;
    Ok(())
}

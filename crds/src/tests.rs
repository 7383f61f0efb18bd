use std::path::Path;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::{CustomResourceExt, ResourceExt};
use serde_json::{Value, json};

use crate::{
    BUNDLE_VERSION, BUNDLE_VERSION_ANNOTATION, BundleOutdated, GROUP, NodeGroup, PeerBan, PeerNetwork,
    RegisterSubscription, Storage, VERSION, chart_templates, check_bundle, definitions, manifests, pages,
};

/// Calls `visit` with the path of every schema in a definition, and the schema.
fn each_schema(definition: &CustomResourceDefinition, visit: &mut impl FnMut(&str, &Value)) {
    let definition = serde_json::to_value(definition).unwrap();
    walk("", &definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"], visit);
}

fn walk(path: &str, schema: &Value, visit: &mut impl FnMut(&str, &Value)) {
    visit(path, schema);
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        walk(&format!("{path}.{name}"), property, visit);
    }
    if schema["items"].is_object() {
        walk(&format!("{path}[]"), &schema["items"], visit);
    }
    if schema["additionalProperties"].is_object() {
        walk(&format!("{path}{{}}"), &schema["additionalProperties"], visit);
    }
    for branch in schema["anyOf"].as_array().into_iter().flatten() {
        visit(&format!("{path}|"), branch);
    }
    for unsupported in ["oneOf", "allOf", "not"] {
        assert!(schema.get(unsupported).is_none(), "{path} has {unsupported}");
    }
}

#[test]
fn no_schema_holds_a_float_an_unsigned_or_a_nullable() {
    for definition in definitions() {
        let mut seen = 0;
        each_schema(&definition, &mut |path, schema| {
            seen += 1;
            assert_ne!(schema["type"], "number", "{path} is a float");
            assert!(schema.get("nullable").is_none(), "{path} is nullable");
            let format = schema["format"].as_str().unwrap_or("none");
            assert!(["none", "int32", "int64", "date-time"].contains(&format), "{path} has the format {format}");
            if schema["type"] == "integer" && !path.ends_with('|') {
                assert!(format.starts_with("int"), "{path} says neither int32 nor int64");
            }
            assert!(!schema["enum"].as_array().is_some_and(|words| words.contains(&Value::Null)), "{path} allows null");
        });
        assert!(seen > 5, "{} has a schema", definition.name_any());
    }
}

#[test]
fn every_list_map_and_text_of_a_schema_is_bounded() {
    for definition in definitions() {
        each_schema(&definition, &mut |path, schema| {
            let bounded = match schema["type"].as_str() {
                Some("array") => schema.get("maxItems").is_some() && schema.get("x-kubernetes-list-type").is_some(),
                Some("string") => ["maxLength", "enum", "format"].iter().any(|bound| schema.get(bound).is_some()),
                Some("object") if schema.get("additionalProperties").is_some() => schema.get("maxProperties").is_some(),
                _ => true,
            };
            assert!(bounded || path.ends_with('|'), "{path} has no bound: {schema}");
        });
    }
}

#[test]
fn every_field_of_a_schema_is_described() {
    for definition in definitions() {
        each_schema(&definition, &mut |path, schema| {
            if path.ends_with([']', '}', '|']) {
                return;
            }
            let description = schema["description"].as_str().unwrap_or_default();
            assert!(description.ends_with('.'), "{path} needs a description that ends in a full stop: {description:?}");
            assert!(!description.contains("{{"), "{path}: Helm would read this description as a template");
        });
    }
}

#[test]
fn no_list_item_has_a_default() {
    for definition in definitions() {
        each_schema(&definition, &mut |path, schema| {
            assert!(!path.contains("[]") || schema.get("default").is_none(), "{path} has a default");
        });
    }
}

#[test]
fn every_rule_says_what_to_write() {
    for definition in definitions() {
        each_schema(&definition, &mut |path, schema| {
            for rule in schema["x-kubernetes-validations"].as_array().into_iter().flatten() {
                assert!(rule["message"].is_string(), "{path}: {} has no message", rule["rule"]);
            }
        });
    }
}

#[test]
fn kinds_are_found_by_their_short_names_and_category() {
    for (definition, short_name) in definitions().iter().zip(["pnet", "rsub", "pban", "pop"]) {
        let names = &definition.spec.names;
        assert_eq!(names.short_names.as_deref(), Some([short_name.to_owned()].as_slice()));
        assert_eq!(names.categories.as_deref(), Some(["peerwright".to_owned()].as_slice()));
        assert_eq!(definition.spec.group, GROUP);
        assert_eq!(definition.spec.versions[0].name, VERSION);
        let subresources = definition.spec.versions[0].subresources.as_ref().unwrap();
        assert!(subresources.status.is_some() && subresources.scale.is_none());
    }
}

#[test]
fn the_manifests_in_the_tree_are_current() {
    assert_current("crds/yaml", manifests());
    assert_current("charts/peerwright-crds/templates", chart_templates());
    assert_current("docs/reference", pages());
}

fn assert_current(folder: &str, files: Vec<(&str, String)>) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(folder);
    for (name, expected) in &files {
        let found = std::fs::read_to_string(path.join(name)).unwrap_or_default();
        assert!(found == *expected, "{folder}/{name} is not current: run `cargo xtask generate`");
    }
    assert_eq!(std::fs::read_dir(&path).unwrap().count(), files.len(), "{folder} holds a file of no kind");
}

#[test]
fn the_page_of_settings_names_every_number_with_its_range_and_default() {
    let (_, page) = pages().remove(0);
    let mut found = 0;
    each_schema(&definitions()[0], &mut |path, schema| {
        let is_setting = path.starts_with(".spec.") && !path.contains("[]") && !path.starts_with(".spec.storage.");
        if schema["type"] == "integer" && is_setting {
            found += 1;
            let row = page.lines().find(|line| line.starts_with(&format!("| `{}` | ", &path[1..])));
            let row = row.unwrap_or_else(|| panic!("{path} has no row"));
            let cells: Vec<&str> = row.split(" | ").collect();
            assert_eq!(cells.len(), 4, "{row}");
            assert!(cells[2].parse::<u64>().is_ok(), "{row}");
        }
    });
    assert!(found > 20, "{found}");
}

#[test]
fn the_charts_carry_the_version_of_the_build() {
    for chart in ["peerwright", "peerwright-crds"] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../charts").join(chart).join("Chart.yaml");
        let about: Value = serde_yaml::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
        assert_eq!(about["version"], BUNDLE_VERSION, "{chart}");
    }
}

#[test]
fn the_smallest_network_reads_as_the_api_server_defaults_it() {
    let network: PeerNetwork = serde_json::from_value(json!({
        "apiVersion": "peerwright.dev/v1alpha1",
        "kind": "PeerNetwork",
        "metadata": { "name": "demo", "namespace": "default" },
        "spec": { "nodeGroups": [{ "name": "peer", "replicas": 3 }] }
    }))
    .unwrap();
    assert_eq!(network.spec.storage, Storage::default());
    assert_eq!(network.spec.storage.size, "1Gi");
    assert_eq!(network.desired_nodes(), 3);
    assert_eq!(network.trust_domain(), "demo.default.peerwright.internal");
    assert_eq!(network.certify_audience(), "demo.default.peerwright.internal/certify");

    let written = serde_json::to_value(&network).unwrap();
    assert_eq!(
        written["spec"],
        json!({ "nodeGroups": [{ "name": "peer", "replicas": 3 }], "storage": { "size": "1Gi" } }),
        "what was not written stays unwritten"
    );
}

#[test]
fn a_node_is_found_by_its_name() {
    let mut network = PeerNetwork::new("demo", crate::PeerNetworkSpec::default());
    let group = |name: &str| NodeGroup { name: name.to_owned(), replicas: 2, ..NodeGroup::default() };
    network.spec.node_groups = vec![group("peer"), group("peer-1")];
    let found = |node: &str| network.locate_node(node).map(|(group, number)| (group.name.as_str(), number));

    assert_eq!(found("demo-peer-2"), Some(("peer", 2)));
    assert_eq!(found("demo-peer-1-0"), Some(("peer-1", 0)));
    assert_eq!(found("demo-peer-1"), Some(("peer", 1)));
    for stranger in ["demo-hub-0", "other-peer-0", "demo-peer", "demo-peer-x", "demo-peer-01", "demopeer-0", "demo", ""]
    {
        assert_eq!(found(stranger), None, "{stranger}");
    }
    assert_eq!(network.node_names(), ["demo-peer-0", "demo-peer-1", "demo-peer-1-0", "demo-peer-1-1"]);
}

#[test]
fn a_definition_older_than_the_build_is_told_apart() {
    let with = |version: Option<&str>| {
        let mut definition = PeerNetwork::crd();
        if let Some(version) = version {
            definition.annotations_mut().insert(BUNDLE_VERSION_ANNOTATION.to_owned(), version.to_owned());
        }
        check_bundle(&definition)
    };
    assert_eq!(with(Some(BUNDLE_VERSION)), Ok(()));
    assert_eq!(with(Some("999.0.0-rc.1")), Ok(()));
    for old in [None, Some("0.0.9"), Some("soon"), Some("1.0"), Some("1.0.0.0")] {
        let refused =
            BundleOutdated { definition: "peernetworks.peerwright.dev".to_owned(), installed: old.map(str::to_owned) };
        assert!(refused.to_string().contains("upgrade the chart peerwright-crds"));
        assert_eq!(with(old), Err(refused));
    }
}

#[test]
fn every_definition_says_its_version() {
    for definition in definitions() {
        assert_eq!(check_bundle(&definition), Ok(()));
    }
    assert_eq!(PeerBan::crd_name(), "peerbans.peerwright.dev");
    assert_eq!(RegisterSubscription::crd_name(), "registersubscriptions.peerwright.dev");
}

//! The manifests that a cluster gets.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{CustomResourceDefinition, JSONSchemaProps};
use kube::{CustomResourceExt, ResourceExt};
use serde_json::Value;

use crate::{
    BUNDLE_VERSION, BUNDLE_VERSION_ANNOTATION, PeerBan, PeerNetwork, PeerOperation, RegisterSubscription, schema,
};

/// Files of the definitions, in the order of [`definitions`].
const FILES: [&str; 4] = ["peernetworks.yaml", "registersubscriptions.yaml", "peerbans.yaml", "peeroperations.yaml"];

/// Every definition, ready to apply. `Kind::crd()` is the raw material, which still has `nullable` in it: use this.
pub fn definitions() -> Vec<CustomResourceDefinition> {
    let all = [PeerNetwork::crd(), RegisterSubscription::crd(), PeerBan::crd(), PeerOperation::crd()];
    all.into_iter().map(finish).collect()
}

/// File name and YAML of every definition, as `crds/yaml` holds them.
pub fn manifests() -> Vec<(&'static str, String)> {
    FILES.into_iter().zip(definitions()).map(|(name, definition)| (name, to_yaml(&definition))).collect()
}

/// File name and YAML of every definition, as the templates of the chart `peerwright-crds` hold them: templates, because
/// Helm never upgrades what lies in a chart's `crds` folder; kept on uninstall, because deleting a definition deletes
/// every network.
pub fn chart_templates() -> Vec<(&'static str, String)> {
    let kept = definitions().into_iter().map(|mut definition| {
        definition.annotations_mut().insert("helm.sh/resource-policy".to_owned(), "keep".to_owned());
        to_yaml(&definition)
    });
    FILES.into_iter().zip(kept).collect()
}

fn finish(mut definition: CustomResourceDefinition) -> CustomResourceDefinition {
    definition
        .metadata
        .annotations
        .get_or_insert_default()
        .insert(BUNDLE_VERSION_ANNOTATION.to_owned(), BUNDLE_VERSION.to_owned());
    for version in &mut definition.spec.versions {
        if let Some(validation) = &mut version.schema {
            validation.open_api_v3_schema = validation.open_api_v3_schema.take().map(tidied);
        }
    }
    definition
}

#[expect(clippy::expect_used, reason = "the input is a constant of this build and tests pass through here")]
fn tidied(schema: JSONSchemaProps) -> JSONSchemaProps {
    let mut value = serde_json::to_value(schema).expect("a schema is JSON");
    schema::tidy(&mut value);
    serde_json::from_value(value).expect("a tidy schema is a schema")
}

#[expect(clippy::expect_used, reason = "the input is a constant of this build and tests pass through here")]
fn to_yaml(definition: &CustomResourceDefinition) -> String {
    let mut value = serde_json::to_value(definition).expect("a definition is JSON");
    write_bounds_as_integers(&mut value);
    let body = serde_yaml::to_string(&value).expect("a definition is YAML");
    format!("# Generated from the types in crds/src by `cargo xtask generate`. Do not edit.\n{body}")
}

/// `minimum` and `maximum` are floats in the Rust type of a schema; `10.0` reads badly in a manifest.
fn write_bounds_as_integers(value: &mut Value) {
    match value {
        Value::Object(fields) => fields.values_mut().for_each(write_bounds_as_integers),
        Value::Array(items) => items.iter_mut().for_each(write_bounds_as_integers),
        Value::Number(number) => {
            let whole = number.to_string().strip_suffix(".0").and_then(|digits| digits.parse::<i64>().ok());
            if let Some(whole) = whole {
                *number = whole.into();
            }
        }
        Value::Null | Value::Bool(_) | Value::String(_) => {}
    }
}

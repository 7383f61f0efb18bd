//! The rules in the definitions, so that a test can tell whether it missed one.

use anyhow::Result;
use peerwright_crds::definitions;
use serde_json::Value;

/// A CEL rule of a definition.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SchemaRule {
    /// Kind, as in `PeerNetwork`.
    pub kind: String,
    /// What it is about, as in `spec.bans[].peerId`; empty for the whole object.
    pub at: String,
    /// What the API server says when it is broken.
    pub message: String,
}

/// Every CEL rule of every definition.
///
/// # Errors
/// Never for a definition that is JSON.
pub fn rules() -> Result<Vec<SchemaRule>> {
    let mut found = Vec::new();
    for definition in definitions() {
        let definition = serde_json::to_value(definition)?;
        for version in elements(&definition["spec"]["versions"]) {
            let kind = text(&definition["spec"]["names"]["kind"]);
            collect(&kind, "", &version["schema"]["openAPIV3Schema"], &mut found);
        }
    }
    Ok(found)
}

/// A number of a network's spec, outside of lists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpecNumber {
    /// Where it stands, as in `gossip.fanout`.
    pub path: String,
    /// The least that the definition accepts.
    pub lowest: i64,
    /// The most.
    pub highest: i64,
}

/// Every number of a network's spec, outside of lists.
///
/// # Errors
/// Never for a definition that is JSON.
pub fn spec_numbers() -> Result<Vec<SpecNumber>> {
    let definition = serde_json::to_value(definitions().into_iter().next())?;
    let mut found = Vec::new();
    collect_numbers(
        "",
        &definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"],
        &mut found,
    );
    Ok(found)
}

fn collect_numbers(path: &str, schema: &Value, found: &mut Vec<SpecNumber>) {
    if schema["type"] == "integer" {
        let bound = |name: &str| schema[name].to_string().trim_end_matches(".0").parse().unwrap_or_default();
        found.push(SpecNumber { path: path.to_owned(), lowest: bound("minimum"), highest: bound("maximum") });
    }
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        let below = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
        collect_numbers(&below, property, found);
    }
}

fn collect(kind: &str, at: &str, schema: &Value, found: &mut Vec<SchemaRule>) {
    for rule in elements(&schema["x-kubernetes-validations"]) {
        found.push(SchemaRule { kind: kind.to_owned(), at: at.to_owned(), message: text(&rule["message"]) });
    }
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        let below = if at.is_empty() { name.clone() } else { format!("{at}.{name}") };
        collect(kind, &below, property, found);
    }
    collect_items(kind, &format!("{at}[]"), &schema["items"], found);
    collect_items(kind, &format!("{at}{{}}"), &schema["additionalProperties"], found);
}

fn collect_items(kind: &str, at: &str, schema: &Value, found: &mut Vec<SchemaRule>) {
    if schema.is_object() {
        collect(kind, at, schema, found);
    }
}

fn elements(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

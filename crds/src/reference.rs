//! The page that lists every number that a network may set, as a person reads it.

use std::fmt::Write as _;

use serde_json::Value;

use crate::definitions;

/// Name of the page.
const FILE: &str = "settings.md";

const HEAD: &str = "<!-- Generated from the types in crds/src by `cargo xtask generate`. Do not edit. -->

# Settings of a network

Every number below is a field of a `PeerNetwork`, is checked by the API server, travels in the signed snapshot and holds on each
node from the moment that the node has the snapshot, without a restart. Timers that run are not cut short: the next one goes by the
new setting. What concerns a link holds for links that are made from then on.

| who says something | what holds |
|---|---|
| the network | what the network says, on every node |
| not the network, but an option of the node ([node.md](../node.md)) | the option, on that node |
| neither | the default |

A node checks again what the snapshot says. What is out of range, or does not go together with the rest of its group, it does not
take: the option or default holds, one line of its log names the setting, and `peerwright_settings_not_taken` counts it. A setting
that a newer operator knows and the node does not is passed over.
";

/// Numbers that pods are made with, which no snapshot carries.
const NO_SETTINGS: &str = "storage";

/// File name and text of the pages, as `docs/reference` holds them.
pub fn pages() -> Vec<(&'static str, String)> {
    let definition = serde_json::to_value(definitions().into_iter().next()).unwrap_or_default();
    let groups = definition.pointer("/spec/versions/0/schema/openAPIV3Schema/properties/spec/properties");
    let mut page = HEAD.to_owned();
    let groups = groups.and_then(Value::as_object).into_iter().flatten();
    for (group, schema) in groups.filter(|(group, _)| *group != NO_SETTINGS) {
        let mut rows = String::new();
        write_rows(&format!("spec.{group}"), schema, &mut rows);
        if !rows.is_empty() {
            let about = text(&schema["description"]);
            // Writing to a text cannot fail.
            let _ = write!(page, "\n## {group}\n\n{about}\n");
            for rule in schema["x-kubernetes-validations"].as_array().into_iter().flatten() {
                let _ = write!(page, "\nTogether: {}.\n", text(&rule["message"]));
            }
            let _ = write!(page, "\n| field | accepted | default | |\n|---|---|---|---|\n{rows}");
        }
    }
    vec![(FILE, page)]
}

fn write_rows(path: &str, schema: &Value, rows: &mut String) {
    if schema["type"] == "integer" {
        let bound = |name: &str| schema[name].to_string().trim_end_matches(".0").to_owned();
        let accepted = format!("{} to {}", bound("minimum"), bound("maximum"));
        let description = text(&schema["description"]);
        let (about, default) = [" Absent: the node's default, ", " Absent: the operator's default, "]
            .iter()
            .find_map(|words| description.rsplit_once(words))
            .unwrap_or((description, "."));
        let about = about.strip_suffix(&format!(", {accepted}.")).unwrap_or(about);
        let _ = writeln!(rows, "| `{path}` | {accepted} | {} | {about} |", default.trim_end_matches('.'));
    }
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        write_rows(&format!("{path}.{name}"), property, rows);
    }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

//! Whether an object already is as it should be: every field that we set has our value, whatever others and the API
//! server's defaults added. An apply of what is covered is skipped, so that an idle network causes no writes. Pure.

mod quantity;

use serde::Serialize;
use serde_json::Value;

/// Lists whose items are told apart by these fields, by the end of their path. Others may add items to them, and
/// server-side apply leaves those alone. All other lists are compared whole.
const KEYED_LISTS: &[(&str, &[&str])] = &[
    (".metadata.ownerReferences", &["uid"]),
    (".spec.containers", &["name"]),
    (".containers.env", &["name"]),
    (".containers.ports", &["containerPort", "protocol"]),
    (".containers.volumeMounts", &["mountPath"]),
    (".spec.topologySpreadConstraints", &["topologyKey", "whenUnsatisfiable"]),
    (".spec.volumes", &["name"]),
    (".spec.ports", &["port", "protocol"]),
];

/// Whether `live` has everything that `desired` sets.
pub fn covers<K: Serialize>(live: &K, desired: &K) -> bool {
    match (serde_json::to_value(live), serde_json::to_value(desired)) {
        (Ok(live), Ok(desired)) => covers_value(&live, &desired),
        _ => false,
    }
}

/// [`covers`] for JSON.
pub fn covers_value(live: &Value, desired: &Value) -> bool {
    covers_at("", live, desired)
}

fn covers_at(path: &str, live: &Value, desired: &Value) -> bool {
    match (live, desired) {
        (_, Value::Null) => true,
        (Value::Object(live), Value::Object(desired)) => desired.iter().all(|(field, desired)| {
            let path = format!("{path}.{field}");
            live.get(field).map_or(is_empty(desired), |live| covers_at(&path, live, desired))
        }),
        (Value::Array(live), Value::Array(desired)) => covers_list(path, live, desired),
        _ => live == desired || is_amount(path) && quantity::same(live, desired),
    }
}

fn covers_list(path: &str, live: &[Value], desired: &[Value]) -> bool {
    let Some((_, keys)) = KEYED_LISTS.iter().find(|(end, _)| path.ends_with(end)) else {
        return live.len() == desired.len()
            && live.iter().zip(desired).all(|(live, desired)| covers_at(path, live, desired));
    };
    let same_key = |a: &Value, b: &Value| keys.iter().all(|key| a.get(key) == b.get(key));
    desired.iter().all(|wanted| live.iter().any(|item| same_key(item, wanted) && covers_at(path, item, wanted)))
}

/// The API server leaves empty lists and maps out.
fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Object(fields) => fields.is_empty(),
        Value::Array(items) => items.is_empty(),
        _ => false,
    }
}

/// Amounts of resources come back in another notation.
fn is_amount(path: &str) -> bool {
    [".resources.requests.", ".resources.limits."].iter().any(|part| path.contains(part))
}

#[cfg(test)]
mod tests;

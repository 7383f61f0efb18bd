use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::covers_value;

fn tree() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        any::<bool>().prop_map(Value::from),
        any::<i32>().prop_map(Value::from),
        "[a-z]{1,6}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 32, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 1..4).prop_map(Value::from),
            prop::collection::btree_map("[a-z]{1,6}", inner, 1..4)
                .prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    })
}

fn object() -> impl Strategy<Value = Value> {
    prop::collection::btree_map("[a-z]{1,6}", tree(), 1..5)
        .prop_map(|fields| Value::Object(fields.into_iter().collect()))
}

/// Every map gets another field: what defaults and other controllers do to an object.
fn with_additions(value: &Value) -> Value {
    match value {
        Value::Object(fields) => {
            let mut grown: Map<String, Value> =
                fields.iter().map(|(field, value)| (field.clone(), with_additions(value))).collect();
            grown.insert("ADDED".to_owned(), json!(1));
            Value::Object(grown)
        }
        Value::Array(items) => Value::Array(items.iter().map(with_additions).collect()),
        leaf => leaf.clone(),
    }
}

/// The object with its leaf number `which` replaced, `None` when it has fewer leaves.
fn with_changed_leaf(value: &Value, which: &mut usize) -> Value {
    match value {
        Value::Object(fields) => {
            fields.iter().map(|(field, value)| (field.clone(), with_changed_leaf(value, which))).collect()
        }
        Value::Array(items) => Value::Array(items.iter().map(|item| with_changed_leaf(item, which)).collect()),
        leaf => {
            let changed = *which == 0;
            *which = which.wrapping_sub(1);
            if changed { json!({ "was": leaf }) } else { leaf.clone() }
        }
    }
}

fn leaves(value: &Value) -> usize {
    match value {
        Value::Object(fields) => fields.values().map(leaves).sum(),
        Value::Array(items) => items.iter().map(leaves).sum(),
        _ => 1,
    }
}

proptest! {
    #[test]
    fn an_object_covers_itself_whatever_others_add(desired in object()) {
        prop_assert!(covers_value(&desired, &desired));
        prop_assert!(covers_value(&with_additions(&desired), &desired));
    }

    #[test]
    fn an_object_with_any_of_our_values_changed_is_not_covered(desired in object(), which in any::<prop::sample::Index>()) {
        let mut which = which.index(leaves(&desired));
        let live = with_changed_leaf(&desired, &mut which);
        prop_assert!(!covers_value(&live, &desired));
    }

    #[test]
    fn an_object_without_any_of_our_fields_is_not_covered(desired in object(), which in any::<prop::sample::Index>()) {
        let fields = desired.as_object().unwrap();
        let gone = fields.keys().nth(which.index(fields.len())).unwrap();
        let live: Map<String, Value> = fields.iter().filter(|(field, _)| *field != gone).map(|(f, v)| (f.clone(), v.clone())).collect();
        prop_assert!(!covers_value(&Value::Object(live), &desired));
    }
}

#[test]
fn items_that_others_add_to_a_keyed_list_are_no_drift_and_to_a_whole_list_they_are() {
    let desired =
        json!({ "spec": { "ports": [{ "port": 1, "protocol": "TCP" }], "ingress": [{ "ports": [{ "port": 1 }] }] } });
    let more_ports = json!({ "spec": {
        "ports": [{ "port": 2, "protocol": "TCP" }, { "port": 1, "protocol": "TCP", "nodePort": 9 }],
        "ingress": [{ "ports": [{ "port": 1 }] }],
    }});
    assert!(covers_value(&more_ports, &desired));
    let more_let_in = json!({ "spec": {
        "ports": [{ "port": 1, "protocol": "TCP" }],
        "ingress": [{ "ports": [{ "port": 1 }, { "port": 2 }] }],
    }});
    assert!(!covers_value(&more_let_in, &desired), "a policy that lets in more is drift");
}

#[test]
fn amounts_are_compared_as_amounts_and_only_where_they_are_amounts() {
    let of = |memory: &str, value: &str| {
        json!({ "spec": { "containers": [{
        "name": "node",
        "resources": { "limits": { "memory": memory } },
        "env": [{ "name": "A", "value": value }],
    }] } })
    };
    assert!(covers_value(&of("1Gi", "1Gi"), &of("1024Mi", "1Gi")));
    assert!(!covers_value(&of("1Gi", "1Gi"), &of("1Gi", "1024Mi")));
}

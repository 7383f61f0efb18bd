use std::collections::{BTreeMap, BTreeSet};

use peerwright_crds::{PeerNetwork, SystemRegisterPolicy, definitions};
use peerwright_snapshot::{Setting, SettingId, Settings};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::settings;

/// The schema of a network's spec.
fn schema() -> Value {
    let definition = serde_json::to_value(&definitions()[0]).expect("JSON");
    definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"].clone()
}

fn schema_of(path: &str) -> Value {
    path.split('.').fold(schema(), |schema, name| schema["properties"][name].clone())
}

/// A network with these values where the table says.
fn network(values: &BTreeMap<SettingId, u64>) -> PeerNetwork {
    let mut written = json!({ "nodeGroups": [{ "name": "peer", "replicas": 3 }] });
    for (id, value) in values {
        let place = id.setting().path.split('.').fold(&mut written, |place, name| &mut place[name]);
        *place = json!(value);
    }
    PeerNetwork::new("demo", serde_json::from_value(written).expect("a spec"))
}

#[test]
fn every_setting_is_a_field_with_the_table_s_range_and_says_its_default() {
    for id in SettingId::ALL {
        let Setting { path, accepted, default, .. } = id.setting();
        let field = schema_of(path);
        assert_eq!((&field["type"], &field["format"]), (&json!("integer"), &json!("int32")), "{path}");
        let bound = |name: &str| field[name].to_string().trim_end_matches(".0").parse::<u64>().ok();
        assert_eq!((bound("minimum"), bound("maximum")), (Some(*accepted.start()), Some(*accepted.end())), "{path}");
        assert!(field.get("default").is_none(), "{path}: the node's default is the node's");
        let description = field["description"].as_str().expect("described");
        assert!(description.contains(&format!("Absent: the node's default, {default}")), "{path}: {description}");
    }
}

#[test]
fn every_number_of_a_group_of_settings_is_in_the_table() {
    let paths: BTreeSet<&str> = SettingId::ALL.iter().map(|id| id.setting().path).collect();
    let groups: BTreeSet<&str> = paths.iter().filter_map(|path| path.split('.').next()).collect();
    let mut found = Vec::new();
    for group in groups {
        numbers(group, &schema_of(group), &mut found);
    }
    let found: BTreeSet<&str> = found.iter().map(String::as_str).collect();
    assert_eq!(found, paths);
}

/// Numbers that decide something else than how a node behaves: how many peers are named in a snapshot's list of sealers.
const NO_SETTINGS: &[&str] = &["sealing.sealers"];

fn numbers(path: &str, schema: &Value, found: &mut Vec<String>) {
    if schema["type"] == "integer" && !NO_SETTINGS.contains(&path) {
        found.push(path.to_owned());
    }
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        numbers(&format!("{path}.{name}"), property, found);
    }
}

#[test]
fn a_spec_that_says_nothing_sets_nothing() {
    assert_eq!(settings(&network(&BTreeMap::new()), None), Settings::default());
}

#[test]
fn the_sealers_are_told_to_begin_the_system_register_where_none_is_named() {
    let mut network = network(&BTreeMap::new());
    network.spec.system_register_policy = Some(SystemRegisterPolicy::Create);
    assert!(settings(&network, None).begins_system());
    network.spec.system_register = Some("0a".repeat(16));
    assert!(!settings(&network, None).begins_system());
}

#[test]
fn the_network_s_authority_over_registers_is_told_where_it_is_known() {
    let (network, key) = (network(&BTreeMap::new()), [9; 32]);
    assert_eq!(settings(&network, Some(key)).authority(), Some(key));
    assert_eq!(settings(&network, None).authority(), None);
}

fn in_range() -> impl Strategy<Value = (SettingId, u64)> {
    prop::sample::select(SettingId::ALL).prop_flat_map(|id| (Just(id), id.setting().accepted))
}

proptest! {
    #[test]
    fn what_a_spec_says_is_what_its_snapshot_says(values in prop::collection::btree_map(prop::sample::select(SettingId::ALL), Just(()), 0..10), lots in prop::collection::vec(in_range(), 0..10)) {
        let mut said: BTreeMap<SettingId, u64> = values.keys().map(|id| (*id, id.setting().default)).collect();
        said.extend(lots);
        prop_assert_eq!(settings(&network(&said), None).known().collect::<BTreeMap<_, _>>(), said);
    }
}

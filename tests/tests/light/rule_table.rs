//! What each CEL rule of the definitions accepts and refuses.

mod bans;
mod database;
mod operations;
mod settings;

use peerwright_tests::SchemaRule;
use peerwright_tests::manifests::{network, subscription, with};
use serde_json::{Value, json};

/// A rule and both sides of it.
pub(crate) struct Case {
    pub(crate) rule: SchemaRule,
    pub(crate) accepted: Vec<Attempt>,
    pub(crate) refused: Vec<Attempt>,
}

/// What somebody does.
#[derive(Debug)]
pub(crate) enum Attempt {
    Create(Value),
    Change { from: Value, to: Value },
}

const GROUP_NAME: &str =
    "write a group's name as a lower-case letter, then lower-case letters, digits and dashes, not ending in a dash";
const QUANTITY: &str = "write each resource as a quantity of zero or more, as in cpu: 500m or memory: 64Mi";
const REFERENCE: &str = "write the name of a PeerNetwork in this namespace";

/// Every rule of every definition.
pub(crate) fn table() -> Vec<Case> {
    let mut cases = network_names();
    cases.extend(network_parts());
    cases.extend(database::parts());
    cases.extend(bans::of_networks());
    cases.extend(settings::settings());
    cases.push(network_topology());
    cases.extend(network_changes());
    cases.extend(database::changes());
    cases.extend(subscriptions());
    cases.extend(bans::bans());
    cases.extend(operations::operations());
    cases
}

fn network_names() -> Vec<Case> {
    let named = |names: &[&str]| created(names.iter().map(|name| network(name)));
    let grouped = |names: &[&str]| {
        created(names.iter().map(|name| with(&network("demo"), "spec.nodeGroups.0.name", json!(name))))
    };
    let trusting = |domains: &[&str]| {
        created(domains.iter().map(|domain| with(&network("demo"), "spec.trustDomain", json!(domain))))
    };
    let registers =
        |ids: &[&str]| created(ids.iter().map(|id| with(&network("demo"), "spec.systemRegister", json!(id))));
    vec![
        case(
            "PeerNetwork",
            "",
            "a network's name is at most 24 characters: a lower-case letter, then lower-case letters, digits and dashes, not ending in a dash",
            named(&["a", "a-1", "abcdefghijklmnopqrstuvwx"]),
            named(&["abcdefghijklmnopqrstuvwxy", "1a", "a.b"]),
        ),
        case(
            "PeerNetwork",
            "spec.nodeGroups[].name",
            GROUP_NAME,
            grouped(&["a", "a-1", "abcdefghijklmnop"]),
            grouped(&["1", "-a", "a-", "A", "a.b", "a_b"]),
        ),
        case(
            "PeerNetwork",
            "spec.systemRegister",
            "write a register id as 32 lower-case hex digits",
            registers(&[&"09".repeat(16), &"af".repeat(16)]),
            registers(&["", "0", &"AF".repeat(16), &"0".repeat(31)]),
        ),
        case(
            "PeerNetwork",
            "spec.trustDomain",
            "write a trust domain as lower-case labels of letters, digits and dashes, separated by dots, as in demo.default.peerwright.internal",
            trusting(&["a", "demo.default.peerwright.internal", "1.2-3.4"]),
            trusting(&["Demo", "a..b", ".a", "a.", "a b", "a_b", "-a.b", "spiffe://a", "a/b"]),
        ),
    ]
}

fn network_parts() -> Vec<Case> {
    let sized =
        |sizes: &[&str]| created(sizes.iter().map(|size| with(&network("demo"), "spec.storage.size", json!(size))));
    let resources = |field: &str, values: &[Value]| {
        let path = format!("spec.nodeGroups.0.resources.{field}");
        created(values.iter().map(|value| with(&network("demo"), &path, value.clone())))
    };
    let right = [json!({}), json!({ "cpu": 2, "memory": "64Mi" }), json!({ "cpu": "0" }), json!({ "cpu": "500m" })];
    let wrong = [
        json!({ "cpu": "much" }),
        json!({ "memory": "64MiB" }),
        json!({ "cpu": "-1" }),
        json!({ "cpu": -1 }),
        json!({ "cpu": "" }),
    ];
    let both = |requests: Value, limits: Value| {
        vec![Attempt::Create(with(
            &network("demo"),
            "spec.nodeGroups.0.resources",
            json!({ "requests": requests, "limits": limits }),
        ))]
    };
    let mut not_above = both(json!({ "cpu": "500m", "memory": "1Gi" }), json!({ "cpu": "0.5", "memory": "1024Mi" }));
    not_above.extend(both(json!({ "memory": "2Gi" }), json!({ "cpu": 1 })));
    vec![
        case(
            "PeerNetwork",
            "spec.storage.size",
            "write a quantity above zero, as in 1Gi",
            sized(&["1Gi", "1", "1.5G", "500M"]),
            sized(&["0", "-1Gi", "1 Gi", "1GiB", "big"]),
        ),
        case(
            "PeerNetwork",
            "spec.nodeGroups[].resources.limits",
            QUANTITY,
            resources("limits", &right),
            resources("limits", &wrong),
        ),
        case(
            "PeerNetwork",
            "spec.nodeGroups[].resources.requests",
            QUANTITY,
            resources("requests", &right),
            resources("requests", &wrong),
        ),
        case(
            "PeerNetwork",
            "spec.nodeGroups[].resources",
            "write requests that are not above limits",
            not_above,
            both(json!({ "cpu": 1, "memory": "65Mi" }), json!({ "cpu": 1, "memory": "64Mi" })),
        ),
    ]
}

fn network_topology() -> Case {
    let of_role = |role: &str| with(&network("demo"), "spec.nodeGroups.0.role", json!(role));
    let as_a = |topology: &str, network: &Value| with(network, "spec.topology", json!(topology));
    let groups = json!([{ "name": "peer", "replicas": 1 }, { "name": "hub", "replicas": 3, "role": "Hub" }]);
    case(
        "PeerNetwork",
        "spec",
        "topology Hub needs a hub: give a group of nodeGroups the role Hub, or write Mesh",
        created([
            as_a("Mesh", &network("demo")),
            of_role("Hub"),
            as_a("Hub", &of_role("Hub")),
            as_a("Hub", &with(&network("demo"), "spec.nodeGroups", groups)),
        ]),
        created([as_a("Hub", &network("demo")), as_a("Hub", &of_role("Peer")), as_a("Hub", &of_role("Router"))]),
    )
}

fn network_changes() -> Vec<Case> {
    let plain = network("demo");
    let frozen = |path: &str, message: &str, is: &str, other: &str, absent: bool| {
        let set = with(&plain, path, json!(is));
        let mut refused = vec![change(&set, &with(&plain, path, json!(other)))];
        if absent {
            refused.extend([change(&plain, &set), change(&set, &plain)]);
        }
        let grown = with(&set, "spec.nodeGroups.0.replicas", json!(5));
        case(
            "PeerNetwork",
            "spec",
            message,
            vec![change(&set, &set), change(&set, &grown), change(&plain, &plain)],
            refused,
        )
    };
    let mut size = frozen(
        "spec.storage.size",
        "storage.size cannot change after creation: the volumes of a StatefulSet keep their size; write the size that it was",
        "2Gi",
        "3Gi",
        false,
    );
    let two = with(&plain, "spec.storage.size", json!("2Gi"));
    size.refused.extend([change(&plain, &two), change(&two, &plain)]);
    size.accepted.push(change(&plain, &with(&plain, "spec.storage.size", json!("1Gi"))));
    let of_register = |digits: &str| with(&plain, "spec.systemRegister", json!(digits.repeat(16)));
    let (system, other) = (of_register("0a"), of_register("0b"));
    let of_policy = |network: &Value| with(network, "spec.systemRegisterPolicy", json!("Create"));
    let begun = of_policy(&plain);
    vec![
        case(
            "PeerNetwork",
            "spec",
            "systemRegister cannot be changed or removed once it is set: the blueprints of the network are in it; write what it was",
            vec![change(&plain, &system), change(&system, &system)],
            vec![change(&system, &other), change(&system, &plain)],
        ),
        case(
            "PeerNetwork",
            "spec",
            "write systemRegister or systemRegisterPolicy, not both: a register is named, or the network begins one",
            vec![Attempt::Create(system.clone()), Attempt::Create(begun.clone())],
            vec![Attempt::Create(of_policy(&system)), change(&system, &of_policy(&system))],
        ),
        case(
            "PeerNetwork",
            "spec",
            "systemRegisterPolicy cannot be removed once it is set: the blueprints of the network are in its register; write Create",
            vec![change(&plain, &begun), change(&begun, &begun)],
            vec![change(&begun, &plain), change(&begun, &system)],
        ),
        frozen(
            "spec.trustDomain",
            "trustDomain cannot be set, changed or removed after creation: every member's certificate carries it; write what it was, or create another network",
            "a.example",
            "b.example",
            true,
        ),
        size,
        frozen(
            "spec.storage.storageClassName",
            "storage.storageClassName cannot be set, changed or removed after creation: the volumes of a StatefulSet keep their class; write what it was",
            "fast",
            "slow",
            true,
        ),
    ]
}

fn subscriptions() -> Vec<Case> {
    let plain = subscription("orders");
    let named = with(&plain, "spec.displayName", json!("Orders"));
    let placed = |groups: &Value| Attempt::Create(with(&plain, "spec.placement.groups", groups.clone()));
    let of_register = |id: &str| Attempt::Create(with(&plain, "spec.registerId", json!(id)));
    vec![
        case(
            "RegisterSubscription",
            "spec",
            "networkRef cannot change: delete the subscription and create one for the other network",
            vec![change(&plain, &named), change(&named, &plain)],
            vec![change(&plain, &with(&plain, "spec.networkRef.name", json!("other")))],
        ),
        case(
            "RegisterSubscription",
            "spec",
            "registerId cannot change: delete the subscription and create one for the other register",
            vec![change(&plain, &named)],
            vec![change(&plain, &with(&plain, "spec.registerId", json!("ff".repeat(16))))],
        ),
        case(
            "RegisterSubscription",
            "spec.registerId",
            "write a register id as 32 lower-case hex digits",
            vec![of_register(&"09".repeat(16)), of_register(&"af".repeat(16))],
            vec![
                of_register(""),
                of_register("0"),
                of_register(&"AF".repeat(16)),
                of_register(&"g0".repeat(16)),
                of_register(&"0".repeat(31)),
            ],
        ),
        case(
            "RegisterSubscription",
            "spec.placement.groups",
            "write the names of node groups as they stand in the network's nodeGroups",
            [json!([]), json!(["peer"]), json!(["a-1", "edge"])].map(|groups| placed(&groups)).into(),
            [json!(["Peer"]), json!(["peer", "-a"]), json!(["a-"]), json!(["demo.peer"])]
                .map(|groups| placed(&groups))
                .into(),
        ),
        references("RegisterSubscription", &plain),
    ]
}

fn references(kind: &str, manifest: &Value) -> Case {
    let to = |names: &[&str]| created(names.iter().map(|name| with(manifest, "spec.networkRef.name", json!(name))));
    case(kind, "spec.networkRef.name", REFERENCE, to(&["demo", "a-1"]), to(&["", "Demo", "a.b", "default/demo", "a-"]))
}

fn case(kind: &str, at: &str, message: &str, accepted: Vec<Attempt>, refused: Vec<Attempt>) -> Case {
    let rule = SchemaRule { kind: kind.to_owned(), at: at.to_owned(), message: message.to_owned() };
    Case { rule, accepted, refused }
}

fn created(manifests: impl IntoIterator<Item = Value>) -> Vec<Attempt> {
    manifests.into_iter().map(Attempt::Create).collect()
}

fn change(from: &Value, to: &Value) -> Attempt {
    Attempt::Change { from: from.clone(), to: to.clone() }
}

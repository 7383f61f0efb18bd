use std::collections::BTreeSet;

use k8s_openapi::{
    api::{
        apps::v1::{StatefulSet, StatefulSetStatus},
        core::v1::{ContainerState, ContainerStateWaiting, ContainerStatus, Pod, PodCondition, PodStatus},
    },
    apimachinery::pkg::apis::meta::v1::{ObjectMeta, Time},
    jiff::Timestamp,
};
use std::sync::Arc;

use super::{Dereferenced, observe, planned, shrunk};
use crate::controllers::network::{
    build::{Children, Install, build},
    covers::covers,
    plan::Template,
    testing::network,
    validate::{ValidNetwork, validate},
};

fn desired(valid: &ValidNetwork<'_>) -> Children {
    build(
        valid,
        &Install {
            namespace: "system".into(),
            cluster_domain: "cluster.local".into(),
            pod_ranges: String::new(),
            node_traces: String::new(),
            install_root_sha256: "aa".into(),
        },
        0,
    )
}

/// As the API server gives back what was applied: with a generation, a status and defaults.
fn live(set: &StatefulSet) -> StatefulSet {
    let mut live = planned(set.clone(), None, 3, true);
    live.metadata.generation = Some(4);
    live.metadata.uid = Some("set".into());
    live.spec.as_mut().unwrap().template.spec.as_mut().unwrap().dns_policy = Some("ClusterFirst".into());
    live.status = Some(StatefulSetStatus {
        observed_generation: Some(4),
        update_revision: Some("demo-peer-1".into()),
        ..StatefulSetStatus::default()
    });
    live
}

fn found(stateful_sets: Vec<StatefulSet>, pods: Vec<Pod>) -> Dereferenced {
    Dereferenced {
        stateful_sets: stateful_sets.into_iter().map(Arc::new).collect(),
        pods: pods.into_iter().map(Arc::new).collect(),
        evicted: BTreeSet::new(),
        banned: BTreeSet::new(),
        sealers: BTreeSet::new(),
    }
}

fn pod(name: &str, ready: bool, since: i64, waiting: Option<&str>) -> Pod {
    let condition = PodCondition {
        type_: "Ready".into(),
        status: if ready { "True" } else { "False" }.into(),
        last_transition_time: Some(Time(Timestamp::from_second(since).unwrap())),
        ..PodCondition::default()
    };
    let state = ContainerState {
        waiting: waiting.map(|reason| ContainerStateWaiting { reason: Some(reason.into()), message: None }),
        ..ContainerState::default()
    };
    Pod {
        metadata: ObjectMeta { name: Some(name.into()), uid: Some(name.into()), ..ObjectMeta::default() },
        status: Some(PodStatus {
            conditions: Some(vec![condition]),
            container_statuses: Some(vec![ContainerStatus { state: Some(state), ..ContainerStatus::default() }]),
            ..PodStatus::default()
        }),
        spec: None,
    }
}

#[test]
fn what_was_applied_is_recognized_and_a_change_from_either_side_is_not() {
    let network = network("demo", &[("peer", 3)]);
    let valid = validate(&network, "node:1".into()).unwrap();
    let wanted = desired(&valid);
    let set = live(&wanted.stateful_sets[0]);
    let template_of = |set: StatefulSet, wanted: &Children| {
        observe(&valid, wanted, &found(vec![set], vec![]), Timestamp::UNIX_EPOCH).groups[0]
            .live
            .clone()
            .unwrap()
            .template
    };
    assert_eq!(template_of(set.clone(), &wanted), Template::Wanted);

    let mut changed = set.clone();
    changed.spec.as_mut().unwrap().template.spec.as_mut().unwrap().containers[0].image = Some("other".into());
    assert_eq!(template_of(changed, &wanted), Template::Tampered);

    let other = desired(&validate(&network, "node:2".into()).unwrap());
    assert_eq!(template_of(set, &other), Template::Outdated);
}

#[test]
fn a_template_that_is_not_due_leaves_the_live_one_and_writes_nothing() {
    let network = network("demo", &[("peer", 3)]);
    let set = live(&desired(&validate(&network, "node:1".into()).unwrap()).stateful_sets[0]);
    let wanted = desired(&validate(&network, "node:2".into()).unwrap()).stateful_sets.remove(0);
    let held = planned(wanted.clone(), Some(&set), 3, false);
    assert!(covers(&set, &held), "nothing to write");
    let due = planned(wanted.clone(), Some(&set), 3, true);
    assert!(!covers(&set, &due));
    let smaller = planned(wanted, Some(&set), 2, false);
    assert!(!covers(&set, &smaller));
    assert_eq!(smaller.spec.unwrap().template, set.spec.clone().unwrap().template);
}

#[test]
fn a_group_that_is_not_wanted_is_observed_and_only_shrinks() {
    let with_edge = network("demo", &[("peer", 3), ("edge", 3)]);
    let edge = live(&desired(&validate(&with_edge, "node:1".into()).unwrap()).stateful_sets[1]);
    let network = network("demo", &[("peer", 3)]);
    let valid = validate(&network, "node:1".into()).unwrap();
    let observed = observe(&valid, &desired(&valid), &found(vec![edge.clone()], vec![]), Timestamp::UNIX_EPOCH);
    assert_eq!(
        observed.groups.iter().map(|group| (group.name.as_str(), group.desired)).collect::<Vec<_>>(),
        [("peer", 3), ("edge", 0)]
    );
    let smaller = shrunk(&edge, 2);
    assert_eq!(smaller.spec.as_ref().unwrap().replicas, Some(2));
    assert!(covers(&edge, &shrunk(&edge, 3)));
}

#[test]
fn pods_are_read_as_the_plan_wants_them() {
    let network = network("demo", &[("peer", 3)]);
    let valid = validate(&network, "node:1".into()).unwrap();
    let wanted = desired(&valid);
    let pods = vec![
        pod("demo-peer-0", true, 0, None),
        pod("demo-peer-1", false, 950, None),
        pod("demo-peer-2", false, 990, Some("ImagePullBackOff")),
        pod("demo-peer-10", false, 0, None),
        pod("demo-peer-x", true, 0, None),
    ];
    let mut found = found(vec![live(&wanted.stateful_sets[0])], pods);
    found.evicted.insert("demo-peer-0".into());
    found.banned.insert("demo-peer-1".into());
    let observed = observe(&valid, &wanted, &found, Timestamp::from_second(1_000).unwrap());
    let seen: Vec<_> = observed.groups[0]
        .nodes
        .iter()
        .map(|node| (node.ordinal, node.ready, node.deleting, node.banned, node.broken))
        .collect();
    assert_eq!(
        seen,
        [
            (0, true, true, false, false),
            (1, false, false, true, false),
            (2, false, false, false, true),
            (10, false, false, false, true),
        ]
    );
}

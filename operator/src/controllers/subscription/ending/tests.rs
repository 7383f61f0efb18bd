use std::collections::BTreeMap;

use k8s_openapi::{apimachinery::pkg::apis::meta::v1::Time, jiff::Timestamp};
use peerwright_crds::{DeletionPolicy, REGISTERS_FINALIZER};
use peerwright_snapshot::Version;

use super::{Ending, ending, wanted_finalizers};
use crate::{
    conditions::find,
    controllers::{
        reach::PROPAGATION,
        subscription::assess::{
            Facts, assess,
            tests::{ORDERS, Scene, row, says},
        },
    },
    nodes::ReplicaState,
    policy::SubscriptionVerdict,
};

const ORDERED: Version = Version { epoch: 1, revision: 7 };

/// A subscription on `edge` that is being deleted with its data; `demo-core-0` seals.
fn going(state: ReplicaState) -> Scene {
    let mut scene = Scene::new(&[("demo-core-0", row(ReplicaState::Sealing, 100)), ("demo-edge-0", row(state, 100))]);
    scene.sealing = ["demo-core-0".to_owned()].into();
    scene.subscription.spec.placement.groups = vec!["edge".to_owned()];
    scene.subscription.spec.deletion_policy = Some(DeletionPolicy::Delete);
    scene.subscription.metadata.finalizers = Some(vec![REGISTERS_FINALIZER.to_owned()]);
    scene.subscription.metadata.deletion_timestamp = Some(Time(Timestamp::from_second(900).unwrap()));
    scene.verdict = SubscriptionVerdict::Purging { register: ORDERS };
    for node in scene.reach.nodes.values_mut() {
        node.acknowledged = Some(ORDERED);
    }
    scene
}

fn ordered() -> BTreeMap<[u8; 16], Version> {
    [(ORDERS, ORDERED)].into()
}

#[test]
fn a_subscription_goes_when_every_running_node_that_does_not_seal_has_purged_it() {
    let purges = ordered();
    let at = |scene: &Scene| {
        let facts = Facts { purges: Some(&purges), ..scene.facts() };
        ending(&Facts { now: facts.now + PROPAGATION, ..facts }, true)
    };
    assert_eq!(at(&going(ReplicaState::Purged)), Ending::Over);
    let waits = Ending::Purging { nodes: vec!["demo-edge-0".to_owned()], look_again: None };
    assert_eq!(at(&going(ReplicaState::FullyReplicated)), waits);
    let mut early = going(ReplicaState::Purged);
    early.node("demo-edge-0").acknowledged = Some(Version { epoch: 1, revision: 6 });
    assert_eq!(at(&early), waits, "it speaks of another order");
    let mut empty = going(ReplicaState::Purged);
    empty.reach.nodes.clear();
    assert_eq!(at(&empty), Ending::Over, "nobody runs who could");
}

#[test]
fn nothing_is_over_before_the_purge_is_published_or_looked_at() {
    let waiting = Ending::Purging { nodes: Vec::new(), look_again: None };
    let scene = going(ReplicaState::Purged);
    assert_eq!(ending(&scene.facts(), true), waiting);
    let purges = ordered();
    assert_eq!(ending(&Facts { purges: Some(&purges), verdict: None, ..scene.facts() }, true), waiting);
    assert_eq!(ending(&Facts { purges: Some(&purges), reach: None, ..scene.facts() }, true), waiting);
}

#[test]
fn without_a_network_or_with_the_data_kept_nothing_is_waited_for() {
    let mut scene = going(ReplicaState::FullyReplicated);
    assert_eq!(ending(&Facts { network: None, verdict: None, ..scene.facts() }, false), Ending::Over);
    scene.verdict = SubscriptionVerdict::Released;
    assert_eq!(ending(&scene.facts(), true), Ending::Over);
    let mut scene = going(ReplicaState::FullyReplicated);
    scene.subscription.spec.deletion_policy = Some(DeletionPolicy::Retain);
    assert_eq!(ending(&scene.facts(), true), Ending::Over);
}

#[test]
fn a_deletion_that_sealers_hold_says_who_they_are_and_what_to_do_and_changes_nothing_else() {
    let mut scene = going(ReplicaState::Sealing);
    let nodes = vec!["demo-core-0".to_owned()];
    scene.verdict = SubscriptionVerdict::WouldLoseQuorum { register: ORDERS, nodes: nodes.clone() };
    assert_eq!(ending(&scene.facts(), true), Ending::Held { nodes });
    let assessed = assess(&scene.facts());
    assert_eq!(says(&assessed, "Deleted"), ("False".to_owned(), "WouldLoseQuorum".to_owned()));
    assert_eq!(says(&assessed, "Accepted").0, "True");
    assert_eq!(says(&assessed, "Synced").0, "True");
    let status = assessed.status.unwrap();
    let message = &find(&status.conditions, "Deleted").unwrap().message;
    for word in ["demo-core-0", "sealers", "deletionPolicy", "Retain"] {
        assert!(message.contains(word), "{word}: {message}");
    }
}

#[test]
fn a_subscription_that_is_being_purged_is_no_longer_accepted() {
    let assessed = assess(&going(ReplicaState::FullyReplicated).facts());
    assert_eq!(says(&assessed, "Deleted"), ("False".to_owned(), "Purging".to_owned()));
    for kind in ["Accepted", "Synced", "Current"] {
        assert_eq!(says(&assessed, kind), ("False".to_owned(), "Deleting".to_owned()), "{kind}");
    }
}

#[test]
fn the_finalizer_comes_with_the_policy_once_accepted_and_goes_with_it() {
    let mut subscription = Scene::new(&[]).subscription;
    assert_eq!(wanted_finalizers(&subscription, true), None);
    subscription.spec.deletion_policy = Some(DeletionPolicy::Delete);
    assert_eq!(wanted_finalizers(&subscription, false), None, "nothing of it is on a node");
    assert_eq!(wanted_finalizers(&subscription, true), Some(true));
    subscription.metadata.finalizers = Some(vec!["others.example/one".to_owned(), REGISTERS_FINALIZER.to_owned()]);
    assert_eq!(wanted_finalizers(&subscription, false), None, "nodes may have what they had");
    subscription.spec.deletion_policy = Some(DeletionPolicy::Retain);
    assert_eq!(wanted_finalizers(&subscription, true), Some(false));
}

use std::{collections::BTreeSet, sync::Arc};

use k8s_openapi::{apimachinery::pkg::apis::meta::v1::Time, jiff::Timestamp};
use kube::api::ObjectMeta;
use peerwright_crds::{NetworkRef, NodeGroup, PeerNetwork, RegisterSubscription, RegisterSubscriptionSpec};
use tokio::time::Instant;

use super::{Assessed, Facts, assess, winner};
use crate::{
    conditions::find,
    controllers::reach::{PROPAGATION, Reach, Reached, SILENCE},
    identity::fixtures,
    nodes::{RegisterReport, ReplicaState},
    policy::SubscriptionVerdict,
};

pub(in crate::controllers::subscription) const ORDERS: [u8; 16] = [7; 16];
const ACCEPTED: SubscriptionVerdict = SubscriptionVerdict::Accepted { register: ORDERS };

/// What a test's facts refer to.
pub(in crate::controllers::subscription) struct Scene {
    pub(in crate::controllers::subscription) network: PeerNetwork,
    pub(in crate::controllers::subscription) subscription: RegisterSubscription,
    pub(in crate::controllers::subscription) verdict: SubscriptionVerdict,
    pub(in crate::controllers::subscription) reach: Reach,
    pub(in crate::controllers::subscription) sealing: BTreeSet<String>,
}

impl Scene {
    /// The network `demo` with the groups `core` and `edge`, and the register on all of it.
    pub(in crate::controllers::subscription) fn new(nodes: &[(&str, RegisterReport)]) -> Self {
        let mut network = fixtures::network("demo", 1);
        let group = |name: &str| NodeGroup { name: name.to_owned(), replicas: 2, ..NodeGroup::default() };
        network.spec.node_groups = vec![group("core"), group("edge")];
        Self {
            network,
            subscription: subscription("orders", 1),
            verdict: ACCEPTED,
            reach: reach(nodes),
            sealing: BTreeSet::new(),
        }
    }

    pub(in crate::controllers::subscription) fn facts(&self) -> Facts<'_> {
        Facts {
            subscription: &self.subscription,
            network: Some(&self.network),
            winner: None,
            verdict: Some(&self.verdict),
            problem: None,
            published_at: None,
            purges: None,
            reach: Some(&self.reach),
            sealing: &self.sealing,
            now: Instant::now(),
            wall: Timestamp::from_second(1_000).unwrap(),
        }
    }

    /// What is said of these facts becomes the status.
    pub(in crate::controllers::subscription) fn settle(&mut self) {
        self.subscription.status = assess(&self.facts()).status;
    }

    pub(in crate::controllers::subscription) fn node(&mut self, pod: &str) -> &mut Reached {
        self.reach.nodes.get_mut(pod).unwrap()
    }
}

fn subscription(name: &str, created: i64) -> RegisterSubscription {
    RegisterSubscription {
        metadata: ObjectMeta {
            name: Some(name.into()),
            generation: Some(1),
            creation_timestamp: Some(Time(Timestamp::from_second(created).unwrap())),
            ..ObjectMeta::default()
        },
        spec: RegisterSubscriptionSpec {
            network_ref: NetworkRef { name: "demo".into() },
            register_id: hex::encode(ORDERS),
            ..RegisterSubscriptionSpec::default()
        },
        status: None,
    }
}

/// A node that holds so much of the register.
pub(in crate::controllers::subscription) fn row(state: ReplicaState, percent: u8) -> RegisterReport {
    RegisterReport {
        register: ORDERS,
        synced: true,
        state: Some(state),
        percent: Some(percent),
        behind_since: None,
        problem: String::new(),
    }
}

fn full() -> RegisterReport {
    row(ReplicaState::FullyReplicated, 100)
}

fn reach(nodes: &[(&str, RegisterReport)]) -> Reach {
    let node = |row: &RegisterReport| Reached { member: true, registers: vec![row.clone()], ..Reached::default() };
    Reach { nodes: nodes.iter().map(|(pod, row)| ((*pod).to_owned(), node(row))).collect() }
}

/// Status and reason of a condition.
pub(in crate::controllers::subscription) fn says(assessed: &Assessed, kind: &str) -> (String, String) {
    let condition = find(&assessed.status.as_ref().unwrap().conditions, kind).unwrap();
    (condition.status.clone(), condition.reason.clone())
}

fn pair(status: &str, reason: &str) -> (String, String) {
    (status.to_owned(), reason.to_owned())
}

#[test]
fn a_subscription_is_synced_when_every_running_node_holds_the_register() {
    let waiting = Scene::new(&[("demo-core-0", full()), ("demo-edge-0", row(ReplicaState::Syncing, 40))]);
    let waiting = assess(&waiting.facts());
    assert_eq!(says(&waiting, "Accepted"), pair("True", "Accepted"));
    assert_eq!(says(&waiting, "Synced"), pair("False", "Syncing"));
    let done = assess(&Scene::new(&[("demo-core-0", full()), ("demo-edge-0", full())]).facts());
    assert_eq!(says(&done, "Synced"), pair("True", "Synced"));
    let nobody = assess(&Scene::new(&[]).facts());
    assert_eq!(says(&nobody, "Synced"), pair("Unknown", "NoNodes"));
    assert_eq!(says(&nobody, "Current"), pair("Unknown", "NoNodes"));
}

#[test]
fn only_the_nodes_of_the_placement_count() {
    let nodes = [("demo-core-0", row(ReplicaState::Syncing, 10)), ("demo-edge-0", full())];
    let mut scene = Scene::new(&nodes);
    scene.subscription.spec.placement.groups = vec!["edge".to_owned()];
    let on_edge = assess(&scene.facts());
    assert_eq!(says(&on_edge, "Synced"), pair("True", "Synced"));
    let status = on_edge.status.unwrap();
    assert_eq!((status.state.as_deref(), status.progress_percent), (Some("FullyReplicated"), Some(100)));
    assert_eq!((status.nodes, status.synced_nodes), (Some(1), Some(1)));

    scene.subscription.spec.placement.groups = vec!["core".to_owned()];
    assert_eq!(says(&assess(&scene.facts()), "Synced"), pair("False", "Syncing"));
}

#[test]
fn the_status_shows_the_worst_state_and_the_least_progress() {
    let extent = |nodes: &[(&str, RegisterReport)]| {
        let status = assess(&Scene::new(nodes).facts()).status.unwrap();
        (status.state.unwrap_or_default(), status.progress_percent)
    };
    let at = |state, percent| extent(&[("demo-core-0", full()), ("demo-edge-0", row(state, percent))]);
    assert_eq!(at(ReplicaState::Syncing, 40), ("Syncing".to_owned(), Some(40)));
    assert_eq!(at(ReplicaState::Error, 70), ("Error".to_owned(), Some(70)));
    assert_eq!(at(ReplicaState::Frozen, 100), ("Frozen".to_owned(), Some(100)));
    assert_eq!(at(ReplicaState::Active, 100), ("Active".to_owned(), Some(100)));
    assert_eq!(at(ReplicaState::Sealing, 100), ("FullyReplicated".to_owned(), Some(100)));
    let unbegun = RegisterReport { percent: None, ..row(ReplicaState::Subscribing, 0) };
    assert_eq!(extent(&[("demo-core-0", unbegun)]), ("Subscribing".to_owned(), None), "of no dockets");
}

#[test]
fn what_was_measured_stays_until_every_node_has_spoken_again() {
    let mut scene = Scene::new(&[("demo-core-0", full()), ("demo-edge-0", full())]);
    scene.settle();
    scene.node("demo-edge-0").registers.clear();
    let status = assess(&scene.facts()).status.unwrap();
    assert_eq!((status.state.as_deref(), status.synced_nodes), (Some("FullyReplicated"), Some(2)));
}

#[test]
fn a_synced_subscription_does_not_flap_when_another_snapshot_is_published() {
    let mut scene = Scene::new(&[("demo-core-0", full())]);
    scene.settle();
    scene.node("demo-core-0").registers.clear();
    let facts = scene.facts();
    let assessed = assess(&Facts { published_at: Some(facts.now), ..facts });
    assert_eq!(assessed.status, scene.subscription.status);
    assert!(assessed.look_again.is_some_and(|at| at <= Instant::now() + PROPAGATION));
}

#[test]
fn the_oldest_of_several_subscriptions_to_a_register_wins() {
    let all = [Arc::new(subscription("b", 5)), Arc::new(subscription("a", 5)), Arc::new(subscription("c", 3))];
    assert_eq!(winner(&all[0], &all).as_deref(), Some("c"));
    assert_eq!(winner(&all[2], &all), None);
    assert_eq!(winner(&all[0], &all[..2]).as_deref(), Some("a"), "of one second, the first by name");
    let scene = Scene::new(&[("demo-core-0", full())]);
    let loser = assess(&Facts { winner: Some("c".into()), ..scene.facts() });
    for kind in ["Accepted", "Synced", "Current"] {
        assert_eq!(says(&loser, kind), pair("False", "Conflicted"), "{kind}");
    }
    assert_eq!(loser.status.unwrap().state, None);
}

#[test]
fn a_placement_that_names_no_group_of_the_network_is_not_accepted() {
    let mut scene = Scene::new(&[("demo-core-0", full())]);
    scene.verdict = SubscriptionVerdict::PlacementUnknown(vec!["moon".to_owned()]);
    let assessed = assess(&scene.facts());
    assert_eq!(says(&assessed, "Accepted"), pair("False", "PlacementUnknown"));
    let status = assessed.status.unwrap();
    let message = &find(&status.conditions, "Accepted").unwrap().message;
    assert!(message.contains("moon") && message.contains("nodeGroups"), "{message}");
}

#[test]
fn a_subscription_without_its_network_says_so() {
    let scene = Scene::new(&[]);
    let assessed = assess(&Facts { network: None, verdict: None, ..scene.facts() });
    assert_eq!(says(&assessed, "Accepted"), pair("False", "NetworkNotFound"));
    let assessed = assess(&Facts { verdict: None, ..scene.facts() });
    assert!(assessed.status.is_none(), "nobody looked yet");
}

#[test]
fn a_restarted_operator_that_has_heard_nobody_changes_nothing() {
    let mut scene = Scene::new(&[("demo-core-0", full())]);
    scene.node("demo-core-0").registers.clear();
    scene.node("demo-core-0").silent_since = Some(Instant::now());
    let long_ago = scene.facts();
    let status = assess(&Facts { now: long_ago.now + SILENCE, ..long_ago }).status;
    scene.subscription.status = status;
    let restarted = assess(&scene.facts());
    assert_eq!(says(&restarted, "Synced"), pair("Unknown", "NodesUnreachable"));
    assert_eq!(says(&restarted, "Current"), pair("Unknown", "NodesUnreachable"));
    assert_eq!(restarted.status, scene.subscription.status);
}

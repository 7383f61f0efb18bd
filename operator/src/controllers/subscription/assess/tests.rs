use std::sync::Arc;

use k8s_openapi::{apimachinery::pkg::apis::meta::v1::Time, jiff::Timestamp};
use kube::api::ObjectMeta;
use peerwright_crds::{NetworkRef, RegisterSubscription, RegisterSubscriptionSpec};
use tokio::time::Instant;

use super::{Assessed, Facts, assess, winner};
use crate::{
    conditions::find,
    controllers::reach::{PROPAGATION, Reach, Reached, SILENCE},
    policy::SubscriptionVerdict,
};

const ORDERS: [u8; 16] = [7; 16];

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
            display_name: None,
        },
        status: None,
    }
}

fn reach(nodes: &[(&str, bool)]) -> Reach {
    let node = |synced: bool| Reached {
        member: true,
        synced: synced.then_some(ORDERS).into_iter().collect(),
        ..Reached::default()
    };
    Reach { nodes: nodes.iter().map(|(pod, synced)| ((*pod).to_owned(), node(*synced))).collect() }
}

fn facts<'a>(subscription: &'a RegisterSubscription, reach: &'a Reach) -> Facts<'a> {
    Facts {
        subscription,
        network_exists: true,
        winner: None,
        verdict: Some(SubscriptionVerdict::Accepted { register: ORDERS }),
        problem: None,
        published_at: None,
        reach: Some(reach),
        now: Instant::now(),
        wall: Timestamp::from_second(1_000).unwrap(),
    }
}

fn says(assessed: &Assessed, kind: &str) -> (String, String) {
    let condition = find(&assessed.status.as_ref().unwrap().conditions, kind).unwrap();
    (condition.status.clone(), condition.reason.clone())
}

fn pair(status: &str, reason: &str) -> (String, String) {
    (status.to_owned(), reason.to_owned())
}

#[test]
fn a_subscription_is_synced_when_every_running_node_holds_the_register() {
    let subscription = subscription("orders", 1);
    let waiting = assess(&facts(&subscription, &reach(&[("a", true), ("b", false)])));
    assert_eq!(says(&waiting, "Accepted"), pair("True", "Accepted"));
    assert_eq!(says(&waiting, "Synced"), pair("False", "Syncing"));
    let done = assess(&facts(&subscription, &reach(&[("a", true), ("b", true)])));
    assert_eq!(says(&done, "Synced"), pair("True", "Synced"));
    let nobody = assess(&facts(&subscription, &Reach::default()));
    assert_eq!(says(&nobody, "Synced"), pair("Unknown", "NoNodes"));
}

#[test]
fn a_synced_subscription_does_not_flap_when_another_snapshot_is_published() {
    let (mut subscription, all) = (subscription("orders", 1), reach(&[("a", true)]));
    subscription.status = assess(&facts(&subscription, &all)).status;
    let lagging = reach(&[("a", false)]);
    let facts = facts(&subscription, &lagging);
    let assessed = assess(&Facts { published_at: Some(facts.now), ..facts });
    assert_eq!(assessed.status, subscription.status);
    assert!(assessed.look_again.is_some_and(|at| at <= Instant::now() + PROPAGATION));
}

#[test]
fn the_oldest_of_several_subscriptions_to_a_register_wins() {
    let all = [Arc::new(subscription("b", 5)), Arc::new(subscription("a", 5)), Arc::new(subscription("c", 3))];
    assert_eq!(winner(&all[0], &all).as_deref(), Some("c"));
    assert_eq!(winner(&all[2], &all), None);
    assert_eq!(winner(&all[0], &all[..2]).as_deref(), Some("a"), "of one second, the first by name");
    let loser = assess(&Facts { winner: Some("c".into()), ..facts(&all[0], &reach(&[("a", true)])) });
    assert_eq!(says(&loser, "Accepted"), pair("False", "Conflicted"));
    assert_eq!(says(&loser, "Synced"), pair("False", "Conflicted"));
}

#[test]
fn a_subscription_without_its_network_says_so() {
    let subscription = subscription("orders", 1);
    let assessed = assess(&Facts { network_exists: false, verdict: None, ..facts(&subscription, &Reach::default()) });
    assert_eq!(says(&assessed, "Accepted"), pair("False", "NetworkNotFound"));
    let assessed = assess(&Facts { verdict: None, ..facts(&subscription, &Reach::default()) });
    assert!(assessed.status.is_none(), "nobody looked yet");
}

#[test]
fn a_restarted_operator_that_has_heard_nobody_changes_nothing() {
    let mut subscription = subscription("orders", 1);
    let mut silent = reach(&[("a", false)]);
    silent.nodes.get_mut("a").unwrap().silent_since = Some(Instant::now());
    let long_ago = facts(&subscription, &silent);
    subscription.status = assess(&Facts { now: long_ago.now + SILENCE, ..long_ago }).status;
    let restarted = assess(&facts(&subscription, &silent));
    assert_eq!(says(&restarted, "Synced"), pair("Unknown", "NodesUnreachable"));
    assert_eq!(restarted.status, subscription.status);
}

use std::{collections::BTreeSet, sync::Arc};

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::ResourceExt;
use peerwright_crds::{DeletionPolicy, NetworkRef, NodeGroup, PeerNetwork, REGISTERS_FINALIZER, RegisterSubscription};
use peerwright_snapshot::{MAX_PURGES, MAX_SUBSCRIPTIONS, Subscription};
use proptest::prelude::*;

use super::{Judged, SubscriptionVerdict, judge};
use crate::identity::fixtures;

const LEDGER: [u8; 16] = [0xab; 16];

/// `demo` with the groups `core`, whose first nodes seal, and `edge`.
fn network() -> PeerNetwork {
    let mut network = fixtures::network("demo", 3);
    let group = |name: &str| NodeGroup { name: name.to_owned(), replicas: 2, ..NodeGroup::default() };
    network.spec.node_groups = vec![group("core"), group("edge")];
    network
}

fn sealing() -> BTreeSet<String> {
    ["demo-core-0".to_owned(), "demo-core-1".to_owned()].into()
}

fn time(seconds: i64) -> Time {
    Time(Timestamp::from_second(seconds).expect("a time"))
}

/// A subscription of the register `LEDGER` on these groups.
fn placed(name: &str, groups: &[&str]) -> RegisterSubscription {
    let mut subscription = RegisterSubscription::new(name, Default::default());
    subscription.metadata.namespace = Some("default".into());
    subscription.metadata.creation_timestamp = Some(time(1_000));
    subscription.spec.network_ref = NetworkRef { name: "demo".into() };
    subscription.spec.register_id = hex::encode(LEDGER);
    subscription.spec.placement.groups = groups.iter().map(|group| (*group).to_owned()).collect();
    subscription
}

fn of_register(register: [u8; 16], mut subscription: RegisterSubscription) -> RegisterSubscription {
    subscription.spec.register_id = hex::encode(register);
    subscription
}

/// It is being deleted, and its data with it.
fn going(mut subscription: RegisterSubscription) -> RegisterSubscription {
    subscription.spec.deletion_policy = Some(DeletionPolicy::Delete);
    subscription.metadata.finalizers = Some(vec![REGISTERS_FINALIZER.to_owned()]);
    subscription.metadata.deletion_timestamp = Some(time(2_000));
    subscription
}

fn judged(all: Vec<RegisterSubscription>) -> Judged {
    let all: Vec<Arc<RegisterSubscription>> = all.into_iter().map(Arc::new).collect();
    judge(&network(), &all, &sealing(), None)
}

#[test]
fn the_system_register_is_held_whole_by_every_node_and_no_subscription_says_otherwise() {
    for of_it in [placed("ledger", &["edge"]), going(placed("ledger", &["edge"]))] {
        let is_going = of_it.metadata.deletion_timestamp.is_some();
        let judged = judge(&network(), &[Arc::new(of_it)], &BTreeSet::new(), Some(LEDGER));
        assert_eq!(judged.subscriptions, [(LEDGER, Subscription::default())].into());
        assert!(judged.purges.is_empty());
        let verdict = if is_going { SubscriptionVerdict::Released } else { SubscriptionVerdict::System };
        assert_eq!(judged.verdicts["ledger"], verdict);
    }
}

#[test]
fn a_placement_becomes_the_names_of_stateful_sets() {
    let judged = judged(vec![placed("ledger", &["edge"])]);
    let expected = Subscription { groups: ["demo-edge".to_owned()].into(), ..Subscription::default() };
    assert_eq!(judged.subscriptions, [(LEDGER, expected)].into());
}

#[test]
fn a_group_that_the_network_does_not_have_is_named_and_nothing_is_subscribed() {
    let judged = judged(vec![placed("ledger", &["edge", "moon"])]);
    assert_eq!(judged.verdicts["ledger"], SubscriptionVerdict::PlacementUnknown(vec!["moon".to_owned()]));
    assert!(judged.subscriptions.is_empty());
}

#[test]
fn a_subscription_that_is_deleted_with_its_data_is_purged_from_nodes_that_do_not_seal() {
    let judged = judged(vec![going(placed("ledger", &["edge"]))]);
    assert_eq!(judged.verdicts["ledger"], SubscriptionVerdict::Purging { register: LEDGER });
    assert!(judged.subscriptions.is_empty());
    assert_eq!(judged.purges, [LEDGER].into());
}

#[test]
fn nothing_changes_for_a_register_that_sealers_should_purge() {
    for groups in [&["core", "edge"][..], &["core"], &[]] {
        let before = judged(vec![placed("ledger", groups)]);
        let held = judged(vec![going(placed("ledger", groups))]);
        let verdict = SubscriptionVerdict::WouldLoseQuorum { register: LEDGER, nodes: sealing().into_iter().collect() };
        assert_eq!(held.verdicts["ledger"], verdict);
        assert_eq!((&held.subscriptions, &held.purges), (&before.subscriptions, &before.purges), "{groups:?}");
        assert_eq!(held.verdicts["ledger"].register(), Some(LEDGER));
    }
}

#[test]
fn what_another_subscription_names_is_not_purged() {
    let judged = judged(vec![going(placed("old", &["edge"])), placed("new", &["edge"])]);
    assert_eq!(judged.verdicts["old"], SubscriptionVerdict::Released);
    assert_eq!(judged.verdicts["new"], SubscriptionVerdict::Accepted { register: LEDGER });
    assert!(judged.purges.is_empty() && judged.subscriptions.contains_key(&LEDGER));

    let unknown = vec![going(placed("old", &["edge"])), placed("new", &["moon"])];
    assert!(self::judged(unknown).purges.is_empty(), "somebody wants it, if not so");
}

#[test]
fn a_deletion_that_keeps_the_data_or_waits_for_nothing_purges_nothing() {
    let mut keeping = going(placed("keeping", &["edge"]));
    keeping.spec.deletion_policy = Some(DeletionPolicy::Retain);
    let mut free = going(placed("free", &["edge"]));
    free.metadata.finalizers = None;
    let judged = judged(vec![keeping, free]);
    assert_eq!(judged.verdicts, [("keeping".to_owned(), SubscriptionVerdict::Released)].into());
    assert!(judged.purges.is_empty() && judged.subscriptions.is_empty());
}

#[test]
fn of_more_purges_than_a_snapshot_takes_the_rest_waits() {
    let numbered = |number: usize| u128::try_from(number).expect("small").to_be_bytes();
    let all = (0..MAX_PURGES + 2)
        .map(|number| of_register(numbered(number), going(placed(&format!("s{number:04}"), &["edge"]))));
    let judged = judged(all.collect());
    assert_eq!(judged.purges.len(), MAX_PURGES);
    assert!(judged.verdicts.values().all(|verdict| matches!(verdict, SubscriptionVerdict::Purging { .. })));
}

#[test]
fn of_more_subscriptions_than_a_snapshot_takes_the_newest_are_left_out() {
    let numbered = |number: usize| u128::try_from(number).expect("small").to_be_bytes();
    let count = |groups: &[&str]| {
        let all = (0..MAX_SUBSCRIPTIONS + 2)
            .map(|number| of_register(numbered(number), placed(&format!("s{number:04}"), groups)));
        let judged = judged(all.collect());
        let left_out =
            judged.verdicts.values().filter(|verdict| **verdict == SubscriptionVerdict::LimitReached).count();
        assert_eq!(judged.subscriptions.len() + left_out, MAX_SUBSCRIPTIONS + 2);
        assert_eq!(judged.verdicts["s4097"], SubscriptionVerdict::LimitReached);
        judged.subscriptions.len()
    };
    assert_eq!(count(&[]), MAX_SUBSCRIPTIONS);
    assert!(count(&["core", "edge"]) < MAX_SUBSCRIPTIONS, "names take room");
}

fn any_subscription() -> impl Strategy<Value = RegisterSubscription> {
    let groups = prop::sample::subsequence(vec!["core", "edge", "moon"], 0..=3);
    (0u8..6, groups, any::<bool>(), 0u8..40, 0i64..5).prop_map(|(register, groups, is_going, name, age)| {
        let subscription = of_register([register; 16], placed(&format!("s{name}"), &groups));
        let mut subscription = if is_going { going(subscription) } else { subscription };
        subscription.metadata.creation_timestamp = Some(time(1_000 - age));
        subscription
    })
}

proptest! {
    #[test]
    fn no_register_is_subscribed_and_purged_and_a_live_claim_prevents_every_purge(
        all in prop::collection::vec(any_subscription(), 0..20),
        turn in any::<prop::sample::Index>(),
    ) {
        let mut names = BTreeSet::new();
        let mut all: Vec<_> = all.into_iter().filter(|one| names.insert(one.name_any())).collect();
        let straight = judged(all.clone());
        if !all.is_empty() {
            let places = turn.index(all.len());
            all.rotate_left(places);
        }
        let turned = judged(all.clone());
        prop_assert_eq!(&straight.verdicts, &turned.verdicts);
        prop_assert_eq!(&straight.subscriptions, &turned.subscriptions);
        prop_assert_eq!(&straight.purges, &turned.purges);

        let live = all.iter().filter(|one| one.metadata.deletion_timestamp.is_none());
        let claimed: BTreeSet<String> = live.map(|one| one.spec.register_id.clone()).collect();
        for register in &straight.purges {
            prop_assert!(!straight.subscriptions.contains_key(register));
            prop_assert!(!claimed.contains(&hex::encode(register)));
        }
        for (name, verdict) in &straight.verdicts {
            let is_subscribed = verdict.register().is_some_and(|register| straight.subscriptions.contains_key(&register));
            prop_assert!(is_subscribed || !matches!(verdict, SubscriptionVerdict::Accepted { .. }), "{}", name);
        }
    }
}

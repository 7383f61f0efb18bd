use super::{KIBIBYTE, MEBIBYTE, MEGABYTE, NodeSettings, Place, SettingNotTaken};
use crate::{
    limits::LimitSettings,
    link::LinkSettings,
    registers::{HubSettings, OutboxSettings, ReplicationSettings},
};
use peerwright_engine::{Config, PolicyLimits, Tuning};
use peerwright_sealing::SealingSettings;
use peerwright_secure::NodeKey;
use peerwright_snapshot::{SettingId, Settings};
use proptest::prelude::*;
use std::time::Duration;

fn defaults() -> NodeSettings {
    NodeSettings {
        limits: PolicyLimits::default(),
        engine: Tuning::from(&Config::new(NodeKey::from_seed([1; 32]), 1, 1)),
        rates: LimitSettings::default(),
        links: LinkSettings::default(),
        sealing: SealingSettings::default(),
        replication: ReplicationSettings::default(),
        outbox: OutboxSettings::default(),
        hub: HubSettings::default(),
    }
}

fn said(settings: &[(SettingId, u64)]) -> Settings {
    let mut said = Settings::default();
    for (id, value) in settings {
        said.set(*id, *value);
    }
    said
}

/// What is in a setting's place, in the unit that it has in a spec.
fn read(settings: &NodeSettings, id: SettingId) -> u64 {
    match settings.clone().place(id) {
        Place::Small(place) => (*place).into(),
        Place::Short(place) => (*place).into(),
        Place::Long(place) => (*place).into(),
        Place::Count(place) => *place as u64,
        Place::Seconds(place) => place.as_secs(),
        Place::Milliseconds(place) => place.as_millis().try_into().unwrap(),
        Place::SecondsOrEver(place) => place.map_or(0, |time| time.as_secs()),
        Place::Rate(place) => place.unwrap_or(0),
        Place::Megabytes(place) => place.unwrap_or(0) / MEGABYTE,
        Place::Kibibytes(place) => (*place / KIBIBYTE) as u64,
        Place::Mebibytes(place) => (*place / MEBIBYTE).into(),
    }
}

/// What must be said beside a value so that it goes together with the others.
fn beside(id: SettingId, value: u64) -> Vec<(SettingId, u64)> {
    use SettingId as Id;
    let weights = |first, second| vec![(first, 100 - value), (second, 0)];
    match id {
        Id::Keepalive => vec![(Id::SuspicionAfter, 60_000)],
        Id::SuspicionAfter => vec![(Id::Keepalive, 100)],
        Id::ActivePeers => vec![(Id::MinActivePeers, 1), (Id::MinOutboundPeers, 1), (Id::SearchingPeers, 1)],
        Id::MinActivePeers | Id::MinOutboundPeers | Id::SearchingPeers => vec![(Id::ActivePeers, 64)],
        Id::RetryFirst => vec![(Id::RetryLimit, 3_600)],
        Id::RetryLimit => vec![(Id::RetryFirst, 100)],
        Id::BreakerFirstWait => vec![(Id::BreakerReset, 1_800)],
        Id::SealingHeartbeat => vec![(Id::SealingLeaderTimeout, 300_000)],
        Id::SealingLeaderTimeout => vec![(Id::SealingHeartbeat, 100)],
        Id::ReliabilityWeight => weights(Id::PerformanceWeight, Id::BehaviourWeight),
        Id::PerformanceWeight => weights(Id::ReliabilityWeight, Id::BehaviourWeight),
        Id::BehaviourWeight => weights(Id::ReliabilityWeight, Id::PerformanceWeight),
        _ => Vec::new(),
    }
}

/// With which settings a value is tried.
fn with_companions(id: SettingId, value: u64) -> Settings {
    let mut settings = said(&beside(id, value));
    settings.set(id, value);
    settings
}

#[test]
fn the_table_s_defaults_are_those_of_the_parts() {
    for id in SettingId::ALL {
        assert_eq!(read(&defaults(), *id), id.setting().default, "{}", id.setting().path);
    }
}

#[test]
fn the_table_s_ranges_are_those_of_the_parts() {
    for id in SettingId::ALL {
        let setting = id.setting();
        let (lowest, highest) = setting.accepted.clone().into_inner();
        for value in [lowest, highest] {
            let (taken, refused) = defaults().with(&with_companions(*id, value));
            assert_eq!((refused, read(&taken, *id)), (vec![], value), "{}", setting.path);
        }
        for value in [lowest.checked_sub(1), Some(highest + 1)].into_iter().flatten() {
            let (taken, refused) = defaults().with(&said(&[(*id, value)]));
            assert_eq!((taken, refused.len()), (defaults(), 1), "{}", setting.path);
            let mut forced = defaults();
            forced.place(*id).put(value);
            assert!(is_refused_by_its_part(&forced) || is_limit(*id), "{} takes {value}", setting.path);
        }
    }
}

/// A ban that ends lasts a minute at least, which is no matter of one range: 0 is for good.
fn is_short_ban(id: SettingId, value: u64) -> bool {
    id.setting().path.ends_with(".banSeconds") && (1..60).contains(&value)
}

/// Limits have no part that checks them: the table is all that bounds them.
fn is_limit(id: SettingId) -> bool {
    matches!(id, SettingId::HeartbeatInterval | SettingId::MaxTransactionBytes | SettingId::TransactionTtl)
}

fn is_refused_by_its_part(settings: &NodeSettings) -> bool {
    let Tuning { overlay, connections, addresses, gossip, score, membership, detection, misbehaviour, .. } =
        &settings.engine;
    settings.rates.check().is_err()
        || settings.links.check().is_err()
        || settings.sealing.check().is_err()
        || settings.replication.check().is_err()
        || settings.outbox.check().is_err()
        || settings.hub.check().is_err()
        || overlay.check().is_err()
        || connections.check().is_err()
        || addresses.check().is_err()
        || gossip.check().is_err()
        || score.check().is_err()
        || membership.check().is_err()
        || detection.check().is_err()
        || misbehaviour.check().is_err()
}

#[test]
fn what_is_out_of_range_leaves_the_node_s_own_value_and_is_told_in_one_line() {
    let (taken, refused) = defaults().with(&said(&[(SettingId::GossipFanout, 21), (SettingId::GossipHopLimit, 9)]));
    assert_eq!((taken.engine.gossip.fanout, taken.engine.gossip.hop_limit), (3, 9));
    let [refused] = refused.try_into().unwrap();
    assert_eq!(refused.to_string(), "gossip.fanout is 21: accepted is 2 to 20");
}

#[test]
fn of_registers_too_what_is_out_of_range_leaves_the_node_s_own_value() {
    let own = NodeSettings { outbox: OutboxSettings { capacity: 200, ..OutboxSettings::default() }, ..defaults() };
    let (taken, refused) = own.with(&said(&[
        (SettingId::ReplicationSources, 11),
        (SettingId::ReplicationAudit, 60),
        (SettingId::OutboxTransactions, 99),
        (SettingId::OutboxHandInAfter, 200),
    ]));
    let told: Vec<String> = refused.iter().map(ToString::to_string).collect();
    let expected =
        ["replication.sources is 11: accepted is 1 to 10", "outbox.transactions is 99: accepted is 100 to 100000"];
    assert_eq!(told, expected);
    let audit_period = Duration::from_secs(60);
    assert_eq!(taken.replication, ReplicationSettings { audit_period, ..ReplicationSettings::default() });
    assert_eq!(taken.outbox, OutboxSettings { capacity: 200, hand_in_after: Duration::from_millis(200) });
}

#[test]
fn settings_that_do_not_go_together_leave_the_part_as_it_was() {
    let late = [(SettingId::Keepalive, 2_000), (SettingId::DeadAfter, 20), (SettingId::GossipFanout, 5)];
    let (taken, refused) = defaults().with(&said(&late));
    assert_eq!(taken.engine.detection, defaults().engine.detection);
    assert_eq!(taken.engine.gossip.fanout, 5);
    assert!(matches!(refused.as_slice(), [SettingNotTaken::Contradiction(_)]), "{refused:?}");
}

#[test]
fn what_the_network_does_not_say_is_as_the_node_has_it() {
    let mut own = defaults();
    own.engine.gossip.fanout = 4;
    let (taken, refused) = own.with(&said(&[(SettingId::GossipHopLimit, 9)]));
    assert_eq!((taken.engine.gossip.fanout, taken.engine.gossip.hop_limit, refused.len()), (4, 9, 0));
    assert_eq!(own.with(&Settings::default()), (own.clone(), vec![]));
}

proptest! {
    #[test]
    fn any_value_in_range_reaches_its_part(id in prop::sample::select(SettingId::ALL), place: prop::sample::Index) {
        let (lowest, highest) = id.setting().accepted.into_inner();
        let value = lowest + place.index(usize::try_from(highest - lowest).unwrap() + 1) as u64;
        let (taken, refused) = defaults().with(&with_companions(id, value));
        if is_short_ban(id, value) {
            prop_assert_eq!(refused.len(), 1);
        } else {
            prop_assert_eq!((refused, read(&taken, id)), (vec![], value));
        }
    }

    #[test]
    fn whatever_a_snapshot_says_the_settings_are_those_that_the_parts_accept(
        values in prop::collection::vec((prop::sample::select(SettingId::ALL), prop_oneof![any::<u64>(), 0..200u64]), 0..20),
    ) {
        let (taken, _) = defaults().with(&said(&values));
        prop_assert!(!is_refused_by_its_part(&taken));
    }
}

//! One snapshot, one encoding.

use super::samples::{any_snapshot, largest, sample};
use crate::{
    Ban, Group, MAX_BANS, MAX_BANS_BYTES, MAX_SNAPSHOT_BYTES, MAX_SUBSCRIPTIONS, MAX_SUBSCRIPTIONS_BYTES, SettingId,
    Settings, Snapshot, Subscription, Succession, ban_bytes, subscription_bytes,
};
use peerwright_encoding::DecodeError;
use peerwright_secure::{BanSubject, PeerId, SpiffeId};
use proptest::prelude::*;

#[test]
fn every_list_at_its_limit_fits_and_one_more_is_refused() {
    let snapshot = largest();
    let payload = snapshot.encode();
    assert!(payload.len() < MAX_SNAPSHOT_BYTES - 20 * 1024, "{} bytes", payload.len());
    assert_eq!(Snapshot::decode(&payload), Ok(snapshot.clone()));

    let grow: [fn(&mut Snapshot); 13] = [
        |snapshot| snapshot.network_uid.push('u'),
        |snapshot| {
            snapshot.content.bans.insert(PeerId::from_bytes([0xff; 32]).into(), Ban::default());
        },
        |snapshot| {
            snapshot.content.hubs.push(PeerId::from_bytes([0xff; 32]));
        },
        |snapshot| {
            snapshot.content.sealers.insert(PeerId::from_bytes([0xff; 32]));
        },
        |snapshot| {
            snapshot.content.founders.insert(PeerId::from_bytes([0xff; 32]));
        },
        |snapshot| {
            snapshot.content.groups.insert("more".to_owned(), Group::default());
        },
        |snapshot| {
            snapshot.content.subscriptions.insert([0xff; 16], Subscription::default());
        },
        |snapshot| {
            snapshot.content.purges.insert([0xff; 16]);
        },
        |snapshot| {
            let mut settings = snapshot.content.settings.numbers().clone();
            settings.insert(u16::MAX, 0);
            snapshot.content.settings = Settings::from_numbers(settings);
        },
        |snapshot| snapshot.content.trust.push(Vec::new()),
        |snapshot| snapshot.content.trust[0].push(0),
        |snapshot| snapshot.content.api.jwks.push(0),
        |snapshot| {
            snapshot.content.api.access.insert(String::new(), crate::Role::None);
        },
    ];
    for (number, grow) in grow.into_iter().enumerate() {
        let mut larger = snapshot.clone();
        grow(&mut larger);
        let refused = Snapshot::decode(&larger.encode()).unwrap_err();
        assert!(matches!(refused, DecodeError::TooLong { .. }), "{number}: {refused}");
    }
}

#[test]
fn bans_are_bounded_by_their_bytes_too() {
    let mut snapshot = sample();
    let name = |number: usize| {
        let node = format!("{number:0253}");
        BanSubject::Spiffe(SpiffeId::new("demo.default.peerwright.internal", "default", &node).unwrap())
    };
    let ban = Ban { expires_at: Some(1) };
    let fitting = MAX_BANS_BYTES / ban_bytes(&name(0), ban);
    assert!((100..MAX_BANS).contains(&fitting));
    snapshot.content.bans = (0..fitting).map(|number| (name(number), ban)).collect();
    assert_eq!(Snapshot::decode(&snapshot.encode()), Ok(snapshot.clone()));
    snapshot.content.bans.insert(name(fitting), ban);
    let refused = Snapshot::decode(&snapshot.encode()).unwrap_err();
    assert!(matches!(refused, DecodeError::TooLong { what: "bans", .. }), "{refused}");
}

#[test]
fn subscriptions_are_bounded_by_their_bytes_too() {
    let mut snapshot = sample();
    snapshot.content.system = None;
    let placed = Subscription { groups: ["demo-peer".to_owned(), "demo-hub".to_owned()].into(), ..Default::default() };
    let register = |number: usize| u128::try_from(number).unwrap().to_be_bytes();
    let fitting = MAX_SUBSCRIPTIONS_BYTES / subscription_bytes(&placed);
    assert!((1_000..MAX_SUBSCRIPTIONS).contains(&fitting), "{fitting}");
    snapshot.content.subscriptions = (0..fitting).map(|number| (register(number), placed.clone())).collect();
    assert_eq!(Snapshot::decode(&snapshot.encode()), Ok(snapshot.clone()));
    snapshot.content.subscriptions.insert(register(fitting), placed);
    let refused = Snapshot::decode(&snapshot.encode()).unwrap_err();
    assert!(matches!(refused, DecodeError::TooLong { what: "subscriptions", .. }), "{refused}");
}

#[test]
fn a_register_that_is_subscribed_and_purged_is_refused() {
    let mut snapshot = sample();
    snapshot.content.purges.insert([0xa0; 16]);
    let refused = Snapshot::decode(&snapshot.encode()).unwrap_err();
    assert_eq!(refused, DecodeError::Invalid("a register in a snapshot is subscribed and purged"));
}

#[test]
fn a_system_register_that_not_every_node_holds_whole_is_refused() {
    for register in [[0x0b; 16], [0xff; 16]] {
        let mut snapshot = sample();
        snapshot.content.system = Some(register);
        let refused = Snapshot::decode(&snapshot.encode()).unwrap_err();
        let why = "the system register in a snapshot is not held whole by every node";
        assert_eq!(refused, DecodeError::Invalid(why));
    }
}

#[test]
fn a_list_out_of_order_or_with_a_repetition_is_refused() {
    let encoded = sample().encode();
    let (first, second) = ([0x1c; 16], [0xb1; 16]);
    let place = encoded.windows(32).position(|window| window == [first, second].concat()).unwrap();
    for pair in [[second, first], [first, first]] {
        let mut altered = encoded.clone();
        altered[place..place + 32].copy_from_slice(&pair.concat());
        let refused = Snapshot::decode(&altered).unwrap_err();
        assert_eq!(refused, DecodeError::Invalid("a list in a snapshot is not in ascending order"));
    }
}

#[test]
fn hubs_come_back_in_their_order_and_none_is_named_twice() {
    let mut snapshot = sample();
    let ranked = [[0x77; 32], [0x66; 32]].map(PeerId::from_bytes);
    assert_eq!(Snapshot::decode(&snapshot.encode()).unwrap().content.hubs, ranked);
    snapshot.content.hubs.push(ranked[0]);
    let refused = Snapshot::decode(&snapshot.encode()).unwrap_err();
    assert_eq!(refused, DecodeError::Invalid("a hub in a snapshot is named twice"));
}

#[test]
fn another_format_version_is_refused() {
    let mut encoded = sample().encode();
    encoded[0] = 2;
    assert_eq!(Snapshot::decode(&encoded), Err(DecodeError::Unknown { what: "snapshot format", value: 2 }));
}

#[test]
fn the_content_digest_ignores_the_version_and_nothing_else() {
    let snapshot = sample();
    let mut later = snapshot.clone();
    (later.epoch, later.revision) = (9, 9);
    assert_eq!(later.content.digest(), snapshot.content.digest());
    later.content.settings.set(SettingId::HeartbeatInterval, 31);
    assert_ne!(later.content.digest(), snapshot.content.digest());
}

#[test]
fn a_node_is_of_the_group_that_its_name_begins_with() {
    let content = sample().content;
    let group = |node| content.group_of(node).map(|(name, group)| (name, group.nodes));
    assert_eq!((group("demo-hub-0"), group("demo-peer-12")), (Some(("demo-hub", 2)), Some(("demo-peer", 9))));
    for stranger in ["demo-hub", "demo-hub-", "demo-hub-x", "demo-hub--1", "demo-peers-0", "peer-0", ""] {
        assert_eq!(group(stranger), None, "{stranger}");
    }
}

proptest! {
    #[test]
    fn a_snapshot_is_read_as_it_was_written(snapshot in any_snapshot()) {
        prop_assert_eq!(Snapshot::decode(&snapshot.encode()), Ok(snapshot));
    }

    #[test]
    fn what_is_accepted_encodes_to_the_same_bytes(
        snapshot in any_snapshot(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
    ) {
        let mut bytes = snapshot.encode();
        for (place, value) in changes {
            let place = place.index(bytes.len());
            bytes[place] = value;
        }
        if let Ok(read) = Snapshot::decode(&bytes) {
            prop_assert_eq!(read.encode(), bytes);
        }
    }

    #[test]
    fn no_bytes_make_a_reader_panic(bytes in prop::collection::vec(any::<u8>(), 0..256)) {
        prop_assert!(Snapshot::decode(&[&[1], bytes.as_slice()].concat()).is_err());
    }
}

#[test]
fn a_network_that_never_lost_its_sealers_says_nothing_of_generations() {
    let first = sample();
    let payload = first.encode();
    let later = |generation, succession| {
        let mut snapshot = sample();
        (snapshot.content.generation, snapshot.content.succession) = (generation, succession);
        snapshot
    };
    let survivor = PeerId::from_bytes([7; 32]);
    for changed in [later(1, None), later(0, Some(Succession { generation: 1, survivor }))] {
        let longer = changed.encode();
        assert_eq!(longer[..payload.len()], payload, "what was there before is as it was");
        assert_ne!(changed.content.digest(), first.content.digest());
        assert_eq!(Snapshot::decode(&longer), Ok(changed));
    }
    let earlier = later(2, Some(Succession { generation: 2, survivor }));
    assert!(Snapshot::decode(&earlier.encode()).is_err());
    let named = [payload.as_slice(), &[0; 9]].concat();
    assert!(Snapshot::decode(&named).is_err(), "the first is not named");
}

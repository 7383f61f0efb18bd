//! Snapshots to work with.

use crate::{
    Api, Ban, Content, Group, MAX_ACCESS, MAX_BANS, MAX_GROUPS, MAX_HUBS, MAX_JWKS_BYTES, MAX_NETWORK_UID_BYTES,
    MAX_PURGES, MAX_SUBSCRIPTIONS, NodeRole,
};
use crate::{
    MAX_RETIRED, MAX_SEALERS, MAX_SETTINGS, MAX_SUBSCRIPTIONS_BYTES, MAX_TEXT_BYTES, MAX_TRUST,
    MAX_TRUST_CERTIFICATE_BYTES, ReplicaMode, Role, Settings, Snapshot, Subscription, Succession, Topology,
    subscription_bytes,
};
use peerwright_secure::{BanSubject, Fingerprint, PeerId};
use proptest::prelude::*;
use std::collections::BTreeSet;

pub(super) const NETWORK: &str = "6f1c9a1e-0a44-4f5e-9f0e-5a3a52a0c3d1";

fn subject(text: &str) -> BanSubject {
    text.parse().unwrap()
}

/// A snapshot with something in every place.
pub(super) fn sample() -> Snapshot {
    let content = Content {
        trust_domain: "demo.default.peerwright.internal".into(),
        bans: [
            (PeerId::from_bytes([0x11; 32]).into(), Ban { expires_at: None }),
            (PeerId::from_bytes([0x22; 32]).into(), Ban { expires_at: Some(1_800_000_000) }),
            (subject("spiffeId:spiffe://demo.default.peerwright.internal/node/default/demo-peer-7"), Ban::default()),
            (BanSubject::Fingerprint(Fingerprint::from_bytes([0x33; 32])), Ban { expires_at: Some(1_900_000_000) }),
            (subject("cidr:203.0.113.0/24"), Ban::default()),
            (subject("cidr:2001:db8::/32"), Ban { expires_at: Some(1_900_000_000) }),
        ]
        .into(),
        retired: [PeerId::from_bytes([0x55; 32]), PeerId::from_bytes([0x44; 32])].into(),
        groups: [
            ("demo-hub".to_owned(), Group { role: NodeRole::Hub, nodes: 2 }),
            ("demo-peer".to_owned(), Group { role: NodeRole::Peer, nodes: 9 }),
        ]
        .into(),
        topology: Topology::Mesh,
        hubs: [PeerId::from_bytes([0x77; 32]), PeerId::from_bytes([0x66; 32])].into(),
        sealers: [PeerId::from_bytes([0x99; 32]), PeerId::from_bytes([0x88; 32])].into(),
        founders: [PeerId::from_bytes([0x88; 32])].into(),
        subscriptions: [
            ([0xa0; 16], Subscription::default()),
            ([0x0b; 16], Subscription { mode: ReplicaMode::ForwardOnly, groups: ["demo-hub".to_owned()].into() }),
        ]
        .into(),
        purges: [[0xb1; 16], [0x1c; 16]].into(),
        system: Some([0xa0; 16]),
        settings: Settings::from_numbers([(1, 30), (2, 10_485_760), (3, 3_600), (17, 12), (u16::MAX, 1)].into()),
        trust: vec![vec![0x30, 0x03, 0x02, 0x01, 0x05], vec![0x30, 0x00]],
        api: Api {
            issuer: "https://kubernetes.default.svc.cluster.local".into(),
            jwks: br#"{"keys":[]}"#.to_vec(),
            anonymous_role: Role::Reader,
            access: [
                ("system:serviceaccount:default:demo-client".to_owned(), Role::Writer),
                ("admin@example.org".to_owned(), Role::Admin),
            ]
            .into(),
        },
        ..Content::default()
    };
    Snapshot { network_uid: NETWORK.into(), epoch: 1, revision: 42, content }
}

/// A snapshot with every list and text at its limit.
pub(super) fn largest() -> Snapshot {
    let number = |index: usize| u32::try_from(index).unwrap().to_be_bytes();
    let mut snapshot = sample();
    snapshot.network_uid = "u".repeat(MAX_NETWORK_UID_BYTES);
    let content = &mut snapshot.content;
    content.trust_domain = "d".repeat(MAX_TEXT_BYTES);
    content.bans = (0..MAX_BANS)
        .map(|index| {
            let mut peer = [0; 32];
            peer[..4].copy_from_slice(&number(index));
            (PeerId::from_bytes(peer).into(), Ban { expires_at: Some(u64::MAX) })
        })
        .collect();
    let peers = |count| -> BTreeSet<PeerId> {
        let numbered = (0..count).map(|index| {
            let mut peer = [0; 32];
            peer[..4].copy_from_slice(&number(index));
            PeerId::from_bytes(peer)
        });
        numbered.collect()
    };
    content.retired = peers(MAX_RETIRED);
    content.hubs = peers(MAX_HUBS).into_iter().collect();
    content.sealers = peers(MAX_SEALERS);
    content.generation = u64::MAX - 1;
    content.succession = Some(Succession { generation: u64::MAX, survivor: PeerId::from_bytes([0xaa; 32]) });
    content.founders = peers(MAX_SEALERS);
    content.groups = (0..MAX_GROUPS).map(|index| (format!("{index:064}"), Group::default())).collect();
    let register = |first: u8, index: usize| {
        let mut register = [first; 16];
        register[..4].copy_from_slice(&number(index));
        register
    };
    // As many as there may be; placements use up the bytes that are left.
    let placed = Subscription { groups: ["g".repeat(60)].into(), ..Subscription::default() };
    let each = subscription_bytes(&Subscription::default());
    let left = MAX_SUBSCRIPTIONS_BYTES - MAX_SUBSCRIPTIONS * each;
    let placements = left / (subscription_bytes(&placed) - each);
    content.subscriptions = (0..MAX_SUBSCRIPTIONS)
        .map(|index| {
            let subscription = if index < placements { placed.clone() } else { Subscription::default() };
            (register(0, index), subscription)
        })
        .collect();
    content.purges = (0..MAX_PURGES).map(|index| register(1, index)).collect();
    content.system = Some(register(0, MAX_SUBSCRIPTIONS - 1));
    content.settings = Settings::from_numbers((0..).take(MAX_SETTINGS).map(|number| (number, u64::MAX)).collect());
    content.trust = vec![vec![0x30; MAX_TRUST_CERTIFICATE_BYTES]; MAX_TRUST];
    content.api.issuer = "i".repeat(MAX_TEXT_BYTES);
    content.api.jwks = vec![b'j'; MAX_JWKS_BYTES];
    content.api.access = (0..MAX_ACCESS).map(|index| (format!("{index:0MAX_TEXT_BYTES$}"), Role::Reader)).collect();
    snapshot
}

pub(super) fn any_snapshot() -> impl Strategy<Value = Snapshot> {
    ("[a-f0-9-]{0,36}", any::<u64>(), any::<u64>(), any_content())
        .prop_map(|(network_uid, epoch, revision, content)| Snapshot { network_uid, epoch, revision, content })
}

fn any_subject() -> impl Strategy<Value = BanSubject> {
    prop_oneof![
        any::<[u8; 32]>().prop_map(|peer| PeerId::from_bytes(peer).into()),
        any::<[u8; 32]>().prop_map(|bytes| BanSubject::Fingerprint(Fingerprint::from_bytes(bytes))),
        "[a-z0-9]{1,9}".prop_map(|node| subject(&format!("spiffeId:spiffe://a.b/node/default/{node}"))),
        any::<[u8; 2]>().prop_map(|[one, two]| subject(&format!("cidr:{one}.{two}.0.0/16"))),
        any::<u16>().prop_map(|part| subject(&format!("cidr:2001:db8:{part:x}::/48"))),
    ]
}

fn any_content() -> impl Strategy<Value = Content> {
    let bans = prop::collection::btree_map(
        any_subject(),
        any::<Option<u64>>().prop_map(|expires_at| Ban { expires_at }),
        0..6,
    );
    let peers = || {
        prop::collection::btree_set(any::<[u8; 32]>(), 0..6)
            .prop_map(|peers| peers.into_iter().map(PeerId::from_bytes).collect::<BTreeSet<_>>())
    };
    let sealers = || {
        prop::collection::btree_set(any::<[u8; 32]>(), 0..=MAX_SEALERS)
            .prop_map(|peers| peers.into_iter().map(PeerId::from_bytes).collect::<BTreeSet<_>>())
    };
    let groups = prop::collection::btree_map(".{0,20}", any_group(), 0..6);
    let topology = prop::sample::select(vec![Topology::Mesh, Topology::Hub]);
    let hubs = (topology, peers().prop_map(|hubs| hubs.into_iter().collect::<Vec<_>>()).prop_shuffle());
    let subscriptions = (
        prop::collection::btree_map(any::<[u8; 16]>(), any_subscription(), 0..6),
        prop::collection::btree_set(any::<[u8; 16]>(), 0..6),
    );
    let settings = prop::collection::btree_map(any::<u16>(), any::<u64>(), 0..6).prop_map(Settings::from_numbers);
    let trust = prop::collection::vec(any::<Vec<u8>>(), 0..3);
    let sealing = (sealers(), sealers(), any_generation());
    (".{0,20}", bans, peers(), (groups, hubs, sealing), subscriptions, settings, trust, any_api()).prop_map(
        |(
            trust_domain,
            bans,
            retired,
            (groups, (topology, hubs), (sealers, founders, (generation, succession))),
            registers,
            settings,
            trust,
            api,
        )| {
            let (subscriptions, mut purges) = registers;
            purges.retain(|register| !subscriptions.contains_key(register));
            let whole = subscriptions.iter().find(|(_, of)| **of == Subscription::default());
            let system = whole.map(|(register, _)| *register);
            Content {
                trust_domain,
                bans,
                retired,
                groups,
                topology,
                hubs,
                sealers,
                founders,
                generation,
                succession,
                subscriptions,
                purges,
                system,
                settings,
                trust,
                api,
            }
        },
    )
}

pub(super) fn any_subscription() -> impl Strategy<Value = Subscription> {
    let modes = prop::sample::select(vec![ReplicaMode::FullReplica, ReplicaMode::ForwardOnly]);
    let groups = prop::collection::btree_set("demo-(core|edge|hub)", 0..3);
    (modes, groups).prop_map(|(mode, groups)| Subscription { mode, groups })
}

fn any_generation() -> impl Strategy<Value = (u64, Option<Succession>)> {
    let survivor = any::<[u8; 32]>().prop_map(PeerId::from_bytes);
    (0u64..3, prop::option::of((1u64..3, survivor))).prop_map(|(generation, succession)| {
        let later = |(later, survivor)| Succession { generation: generation + later, survivor };
        (generation, succession.map(later))
    })
}

fn any_group() -> impl Strategy<Value = Group> {
    let roles = vec![NodeRole::Peer, NodeRole::Hub, NodeRole::Router, NodeRole::Edge];
    (prop::sample::select(roles), any::<u32>()).prop_map(|(role, nodes)| Group { role, nodes })
}

fn any_api() -> impl Strategy<Value = Api> {
    let access = prop::collection::btree_map(".{0,20}", any_role(), 0..6);
    (".{0,20}", any::<Vec<u8>>(), any_role(), access).prop_map(|(issuer, jwks, anonymous_role, access)| Api {
        issuer,
        jwks,
        anonymous_role,
        access,
    })
}

fn any_role() -> impl Strategy<Value = Role> {
    prop::sample::select(vec![Role::None, Role::Reader, Role::Writer, Role::Moderator, Role::Admin])
}

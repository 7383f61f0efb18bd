use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use peerwright_crds::{
    AccessEntry, BoundBan, NetworkBan, NetworkRef, PeerBanSpec, PeerBanStatus, PeerNetworkStatus,
    RegisterSubscriptionSpec,
};
use peerwright_secure::{BanSubject, Fingerprint, PeerId};
use peerwright_snapshot::{Ban, Content, MAX_BANS, SettingId, Snapshot, Subscription};
use proptest::prelude::*;

use super::{super::bans::bans_node, *};
use crate::identity::fixtures;

const NOW: i64 = 1_700_000_000;

/// Inputs that own what they refer to, as a story that tests change.
struct Story {
    network: PeerNetwork,
    subscriptions: Vec<Arc<RegisterSubscription>>,
    bans: Vec<Arc<PeerBan>>,
    operations: Vec<Arc<PeerOperation>>,
    reports: Vec<NodeReport>,
    members: MemberTable,
    leaves: Leaves,
    in_force: Content,
}

impl Story {
    /// The network `demo` with `replicas` nodes, all of them members; node i has peer id i+1 and shows certificate i.
    fn of(replicas: i32) -> Self {
        let (mut members, mut leaves) = (MemberTable::default(), Leaves::new());
        for ordinal in 0..replicas {
            let byte = u8::try_from(ordinal + 1).expect("few");
            members.admit(&format!("claim-{ordinal}"), &format!("demo-peer-{ordinal}"), peer(byte)).expect("admitted");
            leaves.insert(leaf(byte - 1), format!("demo-peer-{ordinal}"));
        }
        let network = fixtures::network("demo", replicas);
        let in_force = Content::default();
        let (subscriptions, bans, operations, reports) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        Self { network, subscriptions, bans, operations, reports, members, leaves, in_force }
    }

    fn ban(mut self, name: &str, age: i64, spec: PeerBanSpec) -> Self {
        let mut ban = PeerBan::new(name, spec);
        ban.metadata.namespace = Some("default".into());
        ban.metadata.creation_timestamp = Some(at(NOW - age));
        self.bans.push(Arc::new(ban));
        self
    }

    fn compile(&self) -> Compiled {
        self.compile_at(NOW)
    }

    fn compile_at(&self, now: i64) -> Compiled {
        compile(&Inputs {
            network: &self.network,
            subscriptions: &self.subscriptions,
            bans: &self.bans,
            operations: &self.operations,
            reports: &self.reports,
            members: &self.members,
            trust: &[vec![1, 2, 3]],
            authority: None,
            tokens: None,
            leaves: &self.leaves,
            in_force: &self.in_force,
            now,
        })
    }
}

fn peer(byte: u8) -> PeerId {
    PeerId::from_bytes([byte; 32])
}

fn at(seconds: i64) -> Time {
    Time(Timestamp::from_second(seconds).expect("a time"))
}

/// The certificate that a node shows.
fn leaf(number: u8) -> Fingerprint {
    Fingerprint::from_bytes([0xc0 | number; 32])
}

/// The SPIFFE id of a node.
fn named(node: &str) -> String {
    format!("spiffe://demo.default.peerwright.internal/node/default/{node}")
}

fn everywhere() -> PeerBanSpec {
    PeerBanSpec { network_ref: demo(), ..PeerBanSpec::default() }
}

fn demo() -> NetworkRef {
    NetworkRef { name: "demo".into() }
}

fn of_node(node: &str) -> PeerBanSpec {
    PeerBanSpec { network_ref: demo(), node: Some(node.into()), ..PeerBanSpec::default() }
}

fn of_peer(peer: PeerId) -> PeerBanSpec {
    PeerBanSpec { network_ref: demo(), peer_id: Some(peer.to_string()), ..PeerBanSpec::default() }
}

fn until(seconds: i64, spec: PeerBanSpec) -> PeerBanSpec {
    PeerBanSpec { expires_at: Some(at(seconds)), ..spec }
}

fn verdict<'a>(compiled: &'a Compiled, name: &str) -> &'a BanVerdict {
    &compiled.bans[&BanSource::PeerBan(name.into())]
}

#[test]
fn ban_of_a_node_bans_its_peer() {
    let compiled = Story::of(3).ban("b", 0, of_node("demo-peer-2")).compile();

    assert_eq!(verdict(&compiled, "b"), &BanVerdict::Accepted { subject: peer(3).into() });
    assert_eq!(compiled.content.bans, BTreeMap::from([(peer(3).into(), Ban { expires_at: None })]));
}

#[test]
fn ban_of_a_node_that_never_joined_is_unknown() {
    let compiled = Story::of(3).ban("b", 0, of_node("demo-peer-7")).compile();

    assert_eq!(verdict(&compiled, "b"), &BanVerdict::UnknownNode);
    assert!(compiled.content.bans.is_empty());
}

#[test]
fn ban_of_a_node_stays_with_the_peer_that_it_first_meant() {
    let mut story = Story::of(3).ban("b", 0, of_node("demo-peer-2"));
    let mut ban = PeerBan::clone(&story.bans[0]);
    ban.status = Some(PeerBanStatus { peer_id: Some(peer(77).to_string()), ..PeerBanStatus::default() });
    story.bans = vec![Arc::new(ban)];

    assert_eq!(verdict(&story.compile(), "b"), &BanVerdict::Accepted { subject: peer(77).into() });
}

#[test]
fn peer_is_banned_while_one_source_says_so_and_the_longest_decides() {
    let mut story = Story::of(3)
        .ban("short", 2, until(NOW + 10, of_peer(peer(9))))
        .ban("long", 1, until(NOW + 99, of_peer(peer(9))))
        .ban("over", 0, until(NOW, of_peer(peer(9))));

    let compiled = story.compile();
    assert_eq!(compiled.content.bans[&peer(9).into()].expires_at, Some(1_700_000_099));
    assert_eq!(compiled.next_expiry, Some(1_700_000_099));
    assert_eq!(verdict(&compiled, "over"), &BanVerdict::Expired { subject: Some(peer(9).into()) });

    story.network.spec.bans =
        vec![NetworkBan { name: "base".into(), peer_id: Some(peer(9).to_string()), ..NetworkBan::default() }];
    let compiled = story.compile();
    assert_eq!(compiled.content.bans[&peer(9).into()].expires_at, None, "one source without an end");
    assert_eq!(compiled.next_expiry, None);

    let later = story.compile_at(NOW + 100);
    assert!(later.content.bans.contains_key(&peer(9).into()));
}

#[test]
fn ban_that_leaves_no_majority_of_a_group_would_isolate() {
    for (replicas, tolerated) in [(1, 0), (2, 0), (3, 1), (4, 1), (5, 2)] {
        let story = (0..replicas).fold(Story::of(replicas), |story, ordinal| {
            story.ban(&format!("b{ordinal}"), i64::from(10 - ordinal), of_node(&format!("demo-peer-{ordinal}")))
        });

        let compiled = story.compile();

        assert_eq!(compiled.content.bans.len(), tolerated, "{replicas} replicas");
        let youngest = verdict(&compiled, &format!("b{}", replicas - 1));
        assert!(matches!(youngest, BanVerdict::WouldIsolate { group, .. } if group == "peer"), "{youngest:?}");
    }
}

#[test]
fn ban_of_a_stranger_isolates_nobody() {
    let compiled = Story::of(1).ban("b", 0, of_peer(peer(99))).compile();

    assert_eq!(verdict(&compiled, "b"), &BanVerdict::Accepted { subject: peer(99).into() });
}

#[test]
fn group_that_shrinks_unbans_nobody() {
    let mut story = Story::of(5).ban("b0", 2, of_node("demo-peer-0")).ban("b1", 1, of_node("demo-peer-1"));
    story.in_force = story.compile().content;
    story.network = fixtures::network("demo", 3);

    let compiled = story.compile();

    assert_eq!(compiled.content.bans, story.in_force.bans);
    let third = story.ban("b2", 0, of_node("demo-peer-2")).compile();
    assert!(matches!(verdict(&third, "b2"), BanVerdict::WouldIsolate { .. }), "but nobody further is banned");
}

#[test]
fn ban_that_waited_takes_effect_when_another_is_lifted() {
    let mut story = Story::of(3).ban("b0", 2, of_node("demo-peer-0")).ban("b1", 1, of_node("demo-peer-1"));
    story.in_force = story.compile().content;
    assert_eq!(story.in_force.bans.len(), 1);

    story.bans.remove(0);

    assert_eq!(verdict(&story.compile(), "b1"), &BanVerdict::Accepted { subject: peer(2).into() });
}

#[test]
fn every_kind_of_subject_goes_into_the_snapshot() {
    let spiffe = named("stranger-0");
    let compiled = Story::of(3)
        .ban("s", 3, PeerBanSpec { spiffe_id: Some(spiffe.clone()), ..everywhere() })
        .ban("f", 2, PeerBanSpec { fingerprint: Some("ab".repeat(32)), ..everywhere() })
        .ban("c", 1, until(NOW + 9, PeerBanSpec { cidr: Some("203.0.113.0/24".into()), ..everywhere() }))
        .ban("m", 0, PeerBanSpec { spiffe_id: Some("spiffe://../node/default/x".into()), ..everywhere() })
        .compile();

    let subjects: Vec<String> = compiled.content.bans.keys().map(ToString::to_string).collect();
    let expected =
        [format!("spiffeId:{spiffe}"), format!("fingerprint:{}", "ab".repeat(32)), "cidr:203.0.113.0/24".into()];
    assert_eq!(subjects, expected);
    assert_eq!(compiled.next_expiry, Some(1_700_000_009));
    assert_eq!(verdict(&compiled, "m"), &BanVerdict::Malformed);
}

#[test]
fn ban_by_name_or_certificate_of_a_member_would_isolate_as_one_by_peer_id_would() {
    for spec in [
        PeerBanSpec { spiffe_id: Some(named("demo-peer-1")), ..everywhere() },
        PeerBanSpec { fingerprint: Some(leaf(1).to_string()), ..everywhere() },
    ] {
        let story = Story::of(3).ban("one", 2, of_node("demo-peer-0")).ban("two", 1, spec.clone());
        assert!(matches!(verdict(&story.compile(), "two"), BanVerdict::WouldIsolate { group, .. } if group == "peer"));
        let alone = Story::of(3).ban("two", 1, spec.clone()).ban("same", 0, of_node("demo-peer-1")).compile();
        assert_eq!((verdict(&alone, "two").reason(), verdict(&alone, "same").reason()), ("Accepted", "Accepted"));
    }
    let elsewhere = "spiffe://demo.other.peerwright.internal/node/other/demo-peer-1".to_owned();
    let story = Story::of(1).ban("b", 0, PeerBanSpec { spiffe_id: Some(elsewhere), ..everywhere() });
    assert_eq!(verdict(&story.compile(), "b").reason(), "Accepted", "a namesake in another trust domain");
}

#[test]
fn ban_of_every_address_isolates_nobody() {
    let story = Story::of(1).ban("b", 0, PeerBanSpec { cidr: Some("0.0.0.0/0".into()), ..everywhere() });

    let compiled = story.compile();

    assert_eq!(verdict(&compiled, "b").reason(), "Accepted");
    let snapshot = Snapshot { network_uid: String::new(), epoch: 1, revision: 1, content: compiled.content };
    assert!(!bans_node(&snapshot, "default", "demo-peer-0", Some(peer(1)), Some(leaf(0)), 1_700_000_000));
}

#[test]
fn entry_of_the_spec_stays_with_the_peer_that_its_node_first_meant() {
    let mut story = Story::of(3);
    let entry = |node: &str| NetworkBan { name: "base".into(), node: Some(node.into()), ..NetworkBan::default() };
    let bound = BoundBan { name: "base".into(), node: "demo-peer-2".into(), peer_id: peer(77).to_string() };
    story.network.spec.bans = vec![entry("demo-peer-2")];
    story.network.status = Some(PeerNetworkStatus { bans: vec![bound], ..PeerNetworkStatus::default() });
    let source = BanSource::Network("base".into());
    assert_eq!(story.compile().bans[&source], BanVerdict::Accepted { subject: peer(77).into() });

    story.network.spec.bans = vec![entry("demo-peer-1")];
    assert_eq!(story.compile().bans[&source], BanVerdict::Accepted { subject: peer(2).into() }, "another node now");
}

#[test]
fn bans_of_long_names_fill_the_snapshot_earlier() {
    let name = |number: usize| format!("spiffe://demo.default.peerwright.internal/node/default/{number:0253}");
    let story = (0..MAX_BANS / 4).fold(Story::of(3), |story, number| {
        let spec = PeerBanSpec { spiffe_id: Some(name(number)), ..everywhere() };
        story.ban(&format!("b{number:05}"), i64::try_from(MAX_BANS - number).expect("fits"), spec)
    });

    let compiled = story.compile();

    assert!((100..MAX_BANS / 4).contains(&compiled.content.bans.len()));
    assert_eq!(verdict(&compiled, "b00000").reason(), "Accepted");
    assert_eq!(verdict(&compiled, &format!("b{:05}", MAX_BANS / 4 - 1)).reason(), "LimitReached");
    let snapshot = Snapshot { network_uid: String::new(), epoch: 1, revision: 1, content: compiled.content };
    assert!(Snapshot::decode(&snapshot.encode()).is_ok());
}

#[test]
fn newest_bans_beyond_the_limit_are_left_out() {
    let id = |number: usize| {
        let mut bytes = [0xaa; 32];
        bytes[..8].copy_from_slice(&u64::try_from(number).expect("fits").to_be_bytes());
        PeerId::from_bytes(bytes)
    };
    let story = (0..MAX_BANS + 2).fold(Story::of(3), |story, number| {
        story.ban(
            &format!("b{number:05}"),
            i64::try_from(MAX_BANS - number.min(MAX_BANS)).expect("fits"),
            of_peer(id(number)),
        )
    });

    let compiled = story.compile();

    assert_eq!(compiled.content.bans.len(), MAX_BANS);
    let refused: Vec<&BanSource> = compiled
        .bans
        .iter()
        .filter(|(_, verdict)| verdict.reason() == "LimitReached")
        .map(|(source, _)| source)
        .collect();
    let expected = [format!("b{MAX_BANS:05}"), format!("b{:05}", MAX_BANS + 1)].map(BanSource::PeerBan);
    assert_eq!(refused, expected.iter().collect::<Vec<_>>());
}

#[test]
fn objects_of_other_networks_and_deleted_ones_do_not_count() {
    let mut story = Story::of(3).ban("b", 0, of_peer(peer(9)));
    let mut elsewhere = PeerBan::clone(&story.bans[0]);
    elsewhere.metadata.namespace = Some("elsewhere".into());
    let mut deleted = PeerBan::clone(&story.bans[0]);
    deleted.metadata.deletion_timestamp = Some(at(NOW));
    let mut other = PeerBan::clone(&story.bans[0]);
    other.spec.network_ref.name = "other".into();
    story.bans = [elsewhere, deleted, other].map(Arc::new).to_vec();

    let compiled = story.compile();

    assert!(compiled.content.bans.is_empty() && compiled.bans.is_empty());
}

#[test]
fn subscriptions_settings_and_access_go_into_the_content() {
    let mut story = Story::of(3);
    story.subscriptions = vec![
        subscription("orders", &"ab".repeat(16)),
        subscription("twice", &"ab".repeat(16)),
        subscription("odd", "zz"),
    ];
    story.network.spec.heartbeat.interval_seconds = Some(12);
    story.network.spec.api.access = vec![
        AccessEntry { subject: "system:serviceaccount:default:demo-client".into(), role: AccessRole::Writer },
        AccessEntry { subject: "x".repeat(MAX_TEXT_BYTES + 1), role: AccessRole::Admin },
    ];

    let compiled = story.compile();

    assert_eq!(compiled.content.subscriptions, BTreeMap::from([([0xab; 16], Subscription::default())]));
    assert_eq!(compiled.subscriptions["orders"], SubscriptionVerdict::Accepted { register: [0xab; 16] });
    assert_eq!(compiled.subscriptions["twice"], SubscriptionVerdict::Conflicted);
    assert_eq!(compiled.subscriptions["odd"], SubscriptionVerdict::Malformed);
    let settings: Vec<_> = compiled.content.settings.known().collect();
    assert_eq!(settings, [(SettingId::HeartbeatInterval, 12)]);
    assert_eq!(
        compiled.content.api.access,
        BTreeMap::from([("system:serviceaccount:default:demo-client".into(), Role::Writer)])
    );
    assert_eq!(compiled.content.trust_domain, "demo.default.peerwright.internal");
}

fn subscription(name: &str, register_id: &str) -> Arc<RegisterSubscription> {
    let spec = RegisterSubscriptionSpec { network_ref: demo(), register_id: register_id.into(), ..Default::default() };
    let mut subscription = RegisterSubscription::new(name, spec);
    subscription.metadata.namespace = Some("default".into());
    Arc::new(subscription)
}

prop_compose! {
    fn any_ban()(number in 0u8..40, age in 0i64..20, target in 0u8..9, kind in 0u8..5, end in proptest::option::of(-5i64..50))
        -> (u8, i64, PeerBanSpec) {
        let spec = match kind {
            0 => of_node(&format!("demo-peer-{target}")),
            1 => of_peer(peer(target + 1)),
            2 => PeerBanSpec { spiffe_id: Some(named(&format!("demo-peer-{target}"))), ..everywhere() },
            3 => PeerBanSpec { fingerprint: Some(leaf(target).to_string()), ..everywhere() },
            _ => PeerBanSpec { cidr: Some(format!("10.{target}.0.0/16")), ..everywhere() },
        };
        (number, age, end.map_or(spec.clone(), |end| until(NOW + end, spec)))
    }
}

proptest! {
    #[test]
    fn same_objects_in_any_order_give_the_same_content(
        bans in proptest::collection::vec(any_ban(), 0..20),
        registers in proptest::collection::btree_set(0u8..30, 0..10),
        seed in any::<u64>(),
    ) {
        let mut story = Story::of(7);
        let mut names = BTreeSet::new();
        for (number, age, spec) in bans {
            if names.insert(number) {
                story = story.ban(&format!("b{number}"), age, spec);
            }
        }
        story.subscriptions = registers.iter().map(|byte| subscription(&format!("s{byte}"), &hex::encode([*byte / 2; 16]))).collect();
        let straight = story.compile();

        let (bans, subscriptions) = (story.bans.len(), story.subscriptions.len());
        if bans > 0 {
            story.bans.rotate_left(usize::try_from(seed % 97).expect("small") % bans);
        }
        if subscriptions > 0 {
            story.subscriptions.rotate_left(usize::try_from(seed % 89).expect("small") % subscriptions);
        }
        story.bans.reverse();
        let shuffled = story.compile();

        prop_assert_eq!(straight.content.digest(), shuffled.content.digest());
        prop_assert_eq!(straight, shuffled);
    }

    #[test]
    fn every_ban_in_the_content_has_an_accepted_source_and_the_group_keeps_its_majority(
        bans in proptest::collection::vec(any_ban(), 0..20),
        replicas in 1i32..9,
    ) {
        let mut story = Story::of(replicas);
        for (index, (_, age, spec)) in bans.into_iter().enumerate() {
            story = story.ban(&format!("b{index}"), age, spec);
        }
        let compiled = story.compile();

        let accepted: BTreeSet<BanSubject> = compiled.bans.values().filter(|verdict| verdict.reason() == "Accepted").filter_map(BanVerdict::subject).cloned().collect();
        prop_assert_eq!(accepted, compiled.content.bans.keys().cloned().collect::<BTreeSet<_>>());
        let snapshot = Snapshot { network_uid: String::new(), epoch: 1, revision: 1, content: compiled.content.clone() };
        let shown = |pod: &str| story.leaves.iter().find(|(_, by)| *by == pod).map(|(leaf, _)| *leaf);
        let members = story.members.members().filter(|member| {
            bans_node(&snapshot, "default", &member.pod, Some(member.peer_id), shown(&member.pod), 1_700_000_000)
        });
        let members = members.count();
        let replicas = usize::try_from(replicas).expect("positive");
        prop_assert!(members == 0 || (replicas - members) * 2 > replicas);
        prop_assert_eq!(compiled.bans.len(), story.bans.len());
    }

    #[test]
    fn compiling_again_from_what_is_in_force_changes_nothing(bans in proptest::collection::vec(any_ban(), 0..20)) {
        let mut story = Story::of(5);
        for (index, (_, age, spec)) in bans.into_iter().enumerate() {
            story = story.ban(&format!("b{index}"), age, spec);
        }
        let first = story.compile();
        story.in_force = first.content.clone();

        prop_assert_eq!(story.compile(), first);
    }
}

#[test]
fn id_of_a_node_that_came_back_with_a_new_volume_is_retired() {
    let mut story = Story::of(2);
    assert!(story.compile().content.retired.is_empty());

    story.members.admit("claim-1-anew", "demo-peer-1", peer(9)).expect("admitted");

    assert_eq!(story.compile().content.retired, BTreeSet::from([peer(2)]));
}

#[test]
fn groups_have_their_roles_and_members_of_hubs_are_named() {
    let mut story = Story::of(2);
    let hub =
        peerwright_crds::NodeGroup { name: "hub".into(), replicas: 1, role: Some(NodeRole::Hub), ..Default::default() };
    story.network.spec.node_groups.push(hub);
    story.members.admit("claim-hub", "demo-hub-0", peer(0xaa)).expect("admitted");

    let content = story.compile().content;

    let expected = [
        ("demo-hub".to_owned(), Group { role: peerwright_snapshot::NodeRole::Hub, nodes: 1 }),
        ("demo-peer".to_owned(), Group { role: peerwright_snapshot::NodeRole::Peer, nodes: 2 }),
    ];
    assert_eq!(content.groups, BTreeMap::from(expected));
    assert_eq!((content.hubs, content.topology), (vec![peer(0xaa)], peerwright_snapshot::Topology::Mesh));
}

#[test]
fn hubs_are_ranked_by_the_order_of_their_groups_and_then_by_number() {
    let mut story = Story::of(2);
    for name in ["west", "east"] {
        let group = peerwright_crds::NodeGroup {
            name: name.into(),
            replicas: 2,
            role: Some(NodeRole::Hub),
            ..Default::default()
        };
        story.network.spec.node_groups.push(group);
    }
    story.network.spec.topology = Some(peerwright_crds::Topology::Hub);
    for (claim, pod, id) in
        [("a", "demo-east-0", 0xe0), ("b", "demo-west-1", 0xb1), ("c", "demo-west-0", 0xf0), ("d", "demo-west-2", 0xb2)]
    {
        story.members.admit(claim, pod, peer(id)).expect("admitted");
    }

    let content = story.compile().content;

    assert_eq!(content.topology, peerwright_snapshot::Topology::Hub);
    // The one that is not known yet, and the one that is too many, are left out.
    assert_eq!(content.hubs, [0xf0, 0xb1, 0xe0].map(peer));
}

#[test]
fn three_sealers_are_named_once_all_are_known_and_one_of_a_smaller_network() {
    let mut story = Story::of(2);
    assert_eq!(story.compile().content.sealers, BTreeSet::from([peer(1)]));

    story.in_force = story.compile().content;
    story.network.spec.node_groups[0].replicas = 4;
    assert_eq!(story.compile().content.sealers, BTreeSet::from([peer(1)]));

    story.members.admit("claim-2", "demo-peer-2", peer(3)).expect("admitted");
    assert_eq!(story.compile().content.sealers, BTreeSet::from([peer(1), peer(2), peer(3)]));
    assert_eq!(story.compile().content.founders, BTreeSet::from([peer(1)]));
}

#[test]
fn sealers_are_as_many_as_the_network_says_and_no_routers_or_edges() {
    let mut story = Story::of(3);
    story.network.spec.sealing.sealers = Some(1);
    assert_eq!(story.compile().content.sealers, BTreeSet::from([peer(1)]));

    story.network.spec.sealing.sealers = Some(5);
    assert_eq!(story.compile().content.sealers, BTreeSet::new());

    story.network.spec.sealing.sealers = Some(3);
    story.network.spec.node_groups[0].role = Some(NodeRole::Edge);
    assert_eq!(story.compile().content.sealers, BTreeSet::new());
}

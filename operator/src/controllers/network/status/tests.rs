use std::{sync::Arc, time::Duration};

use k8s_openapi::jiff::Timestamp;
use peerwright_crds::{BoundBan, NetworkBan, PeerNetwork, SystemRegisterPolicy, Topology};
use peerwright_secure::PeerId;
use peerwright_snapshot::{Content, Snapshot, Version};
use tokio::time::Instant;

use super::{Assessed, Facts, assess};
use crate::{
    conditions::find,
    controllers::{
        findings::{BanFinding, Finding, Problem},
        network::{
            children::Outcome,
            plan::{Group, Hold, LiveSet, Node, Observed, Template},
            testing::network,
            validate::Invalid,
        },
        reach::{Reach, Reached, SILENCE},
    },
    nodes::HubReport,
    policy::{BanSource, BanVerdict, Published},
};

const IN_FORCE: Version = Version { epoch: 1, revision: 7 };
const WALL: i64 = 1_000;

/// A network of three nodes and everything that is known about it.
struct World {
    network: PeerNetwork,
    nodes: Observed,
    outcome: Outcome,
    finding: Option<Finding>,
    reach: Option<Reach>,
    invalid: Option<Invalid>,
    now: Instant,
}

impl World {
    fn at_rest() -> Self {
        let nodes = (0..3).map(|ordinal| Node {
            name: format!("demo-peer-{ordinal}"),
            uid: ordinal.to_string(),
            ordinal,
            revision: Some("new".into()),
            ready: true,
            ..Node::default()
        });
        let live =
            LiveSet { replicas: 3, template: Template::Wanted, settled: true, update_revision: Some("new".into()) };
        let group = Group {
            name: "peer".into(),
            stateful_set: "demo-peer".into(),
            desired: 3,
            live: Some(live),
            nodes: nodes.collect(),
        };
        let reached = Reached {
            member: true,
            acknowledged: Some(IN_FORCE),
            certificate_not_after: Some(WALL + 100),
            ..Reached::default()
        };
        let reach = (0..3).map(|ordinal| (format!("demo-peer-{ordinal}"), reached.clone())).collect();
        let (epoch, revision) = (IN_FORCE.epoch, IN_FORCE.revision);
        let snapshot = Snapshot { network_uid: "uid".into(), epoch, revision, content: Content::default() };
        let published =
            Published { snapshot, digest: [0; 32], content_digest: [5; 32], bytes: bytes::Bytes::default() };
        let finding =
            Finding { fingerprint: Some("ab".into()), published: Some(Arc::new(published)), ..Finding::default() };
        Self {
            network: network("demo", &[("peer", 3)]),
            nodes: Observed { groups: vec![group] },
            outcome: Outcome::default(),
            finding: Some(finding),
            reach: Some(Reach { nodes: reach }),
            invalid: None,
            now: Instant::now(),
        }
    }

    fn assess(&self) -> Assessed {
        assess(&Facts {
            network: &self.network,
            image: "node:1",
            invalid: self.invalid.as_ref(),
            nodes: &self.nodes,
            promoted: &[],
            outcome: &self.outcome,
            finding: self.finding.as_ref(),
            reach: self.reach.as_ref(),
            now: self.now,
            wall: Timestamp::from_second(WALL).unwrap(),
        })
    }

    fn node(&mut self, ordinal: usize) -> &mut Node {
        &mut self.nodes.groups[0].nodes[ordinal]
    }

    fn reached(&mut self, pod: &str) -> &mut Reached {
        self.reach.as_mut().unwrap().nodes.get_mut(pod).unwrap()
    }
}

/// Status and reason of a condition.
fn says(assessed: &Assessed, kind: &str) -> String {
    let condition = find(&assessed.status.conditions, kind).unwrap();
    format!("{} {}", condition.status, condition.reason)
}

#[test]
fn a_network_at_rest_is_ready_and_everything_about_it_is_told() {
    let assessed = World::at_rest().assess();
    for (kind, expected) in [
        ("Ready", "True Ready"),
        ("Reconciling", "False Settled"),
        ("Stalled", "False Progressing"),
        ("CertificatesReady", "True Valid"),
        ("PolicySynced", "True Acknowledged"),
    ] {
        assert_eq!(says(&assessed, kind), expected, "{kind}");
    }
    insta::with_settings!({ prepend_module_to_snapshot => false, omit_expression => true }, {
        insta::assert_yaml_snapshot!("status_at_rest", assessed.status);
    });
}

#[test]
fn assessing_again_changes_nothing() {
    let mut world = World::at_rest();
    world.network.status = Some(world.assess().status);
    world.now += Duration::from_secs(3600);
    assert_eq!(Some(world.assess().status), world.network.status);
}

#[test]
fn a_restarted_operator_that_has_heard_nobody_changes_nothing() {
    let mut world = World::at_rest();
    world.network.status = Some(world.assess().status);
    for pod in ["demo-peer-0", "demo-peer-1", "demo-peer-2"] {
        *world.reached(pod) = Reached { member: true, silent_since: Some(world.now), ..Reached::default() };
    }
    let assessed = world.assess();
    assert_eq!(Some(assessed.status), world.network.status);
    assert_eq!(assessed.look_again, Some(world.now + SILENCE));
    world.finding = None;
    world.reach = None;
    assert_eq!(Some(world.assess().status), world.network.status);
}

#[test]
fn a_node_that_is_not_ready_is_named() {
    let mut world = World::at_rest();
    world.node(1).ready = false;
    world.reached("demo-peer-1").waits_for = "catching-up".into();
    let assessed = world.assess();
    assert_eq!(says(&assessed, "Ready"), "False NodesNotReady");
    let ready = find(&assessed.status.conditions, "Ready").unwrap();
    assert!(ready.message.contains("waits for demo-peer-1 (catching-up)"), "{}", ready.message);
    assert_eq!(says(&assessed, "Reconciling"), "True NodesNotReady");
    assert_eq!(assessed.status.ready_nodes, Some(2));
    assert!(
        find(&assessed.status.conditions, "Ready")
            .unwrap()
            .message
            .contains("2 of 3 nodes are Ready; waits for demo-peer-1")
    );
}

#[test]
fn a_banned_node_is_not_waited_for() {
    let mut world = World::at_rest();
    world.node(2).banned = true;
    world.node(2).ready = false;
    world.reached("demo-peer-2").banned = true;
    world.reached("demo-peer-2").certificate_not_after = Some(1);
    let assessed = world.assess();
    assert_eq!(says(&assessed, "Ready"), "True Ready");
    assert_eq!(assessed.status.ready_nodes, Some(2));
}

#[test]
fn an_expired_or_unheard_certificate_is_told_and_looked_for_in_time() {
    let mut world = World::at_rest();
    assert_eq!(world.assess().look_again, Some(world.now + Duration::from_secs(100)));
    world.reached("demo-peer-0").certificate_not_after = Some(WALL);
    let assessed = world.assess();
    assert_eq!(says(&assessed, "CertificatesReady"), "False LeafExpired");
    assert_eq!(says(&assessed, "Ready"), "False LeafExpired");
    let silent_since = world.now - SILENCE;
    *world.reached("demo-peer-0") = Reached { member: true, silent_since: Some(silent_since), ..Reached::default() };
    assert_eq!(says(&world.assess(), "CertificatesReady"), "Unknown NodesUnreachable");
    assert_eq!(says(&world.assess(), "PolicySynced"), "Unknown NodesUnreachable");
}

#[test]
fn a_snapshot_that_spreads_is_no_transition_but_one_that_lags_is() {
    let mut world = World::at_rest();
    world.network.status = Some(world.assess().status);
    world.finding.as_mut().unwrap().published_at = Some(world.now);
    world.reached("demo-peer-0").acknowledged = Some(Version { epoch: 1, revision: 6 });
    assert_eq!(says(&world.assess(), "PolicySynced"), "True Acknowledged");
    world.now += Duration::from_secs(10);
    assert_eq!(says(&world.assess(), "PolicySynced"), "False Propagating");
}

#[test]
fn what_nodes_acknowledge_is_said_of_the_generation_that_their_snapshot_goes_by() {
    let mut world = World::at_rest();
    let observed = |world: &World| {
        let status = world.assess().status;
        let of = |kind| find(&status.conditions, kind).unwrap().observed_generation;
        assert_eq!([of("Ready"), of("Reconciling")], [of("PolicySynced"); 2]);
        of("PolicySynced")
    };
    world.network.metadata.generation = Some(7);
    world.finding.as_mut().unwrap().generation = Some(7);
    world.network.status = Some(world.assess().status);
    world.network.metadata.generation = Some(8);
    assert_eq!(observed(&world), Some(7), "its policy is not published yet");

    world.finding.as_mut().unwrap().generation = Some(8);
    world.finding.as_mut().unwrap().published_at = Some(world.now);
    world.reached("demo-peer-0").acknowledged = Some(Version { epoch: 1, revision: 6 });
    assert_eq!(observed(&world), Some(7), "it is spreading");
    world.reached("demo-peer-0").acknowledged = Some(IN_FORCE);
    assert_eq!(observed(&world), Some(8));
}

#[test]
fn a_lost_authority_stalls_and_its_fingerprint_stays_recorded() {
    let mut world = World::at_rest();
    world.network.status = Some(world.assess().status);
    let lost = Problem { reason: "CAKeyLost", message: "the Secret is gone".into(), permanent: true };
    world.finding = Some(Finding { identity_problem: Some(lost), ..Finding::default() });
    let assessed = world.assess();
    assert_eq!(says(&assessed, "Stalled"), "True CAKeyLost");
    assert_eq!(says(&assessed, "Ready"), "False CAKeyLost");
    assert_eq!(says(&assessed, "Reconciling"), "False Stalled");
    assert_eq!(assessed.status.identity.unwrap().ca_fingerprint.as_deref(), Some("ab"));
    assert_eq!(assessed.status.policy.unwrap().revision, Some(7));
}

#[test]
fn what_waits_is_named_by_its_hold() {
    let mut world = World::at_rest();
    world.outcome.holds = vec![Hold::Rollout { group: "peer".into(), waits_for: vec!["demo-peer-1".into()] }];
    assert_eq!(says(&world.assess(), "Reconciling"), "True RolloutWaits");
    world.outcome.holds = vec![Hold::NameCollision { kind: "Service".into(), name: "demo-api".into() }];
    assert_eq!(says(&world.assess(), "Stalled"), "True NameCollision");
    world.outcome.holds.clear();
    world.node(0).revision = Some("old".into());
    assert_eq!(says(&world.assess(), "Reconciling"), "True RollingOut");
}

#[test]
fn an_invalid_network_says_what_to_write() {
    let mut world = World::at_rest();
    world.invalid = Some(Invalid::Groups(0));
    let assessed = world.assess();
    assert_eq!(says(&assessed, "Stalled"), "True Invalid");
    assert!(find(&assessed.status.conditions, "Ready").unwrap().message.contains("write 1 to 8"));
}

#[test]
fn nodes_that_reach_no_hub_are_named_until_they_reach_one_again() {
    let mut world = World::at_rest();
    let hub = |isolated| Some(HubReport { active: None, isolated });
    let since = world.now - Duration::from_secs(60);
    for pod in ["demo-peer-0", "demo-peer-1", "demo-peer-2"] {
        world.reached(pod).heard_since = Some(since);
    }
    let absent = |assessed: &Assessed| find(&assessed.status.conditions, "HubsReached").is_none();
    world.reached("demo-peer-1").hub = hub(true);
    assert!(absent(&world.assess()), "it has no hubs any more, and will say so");

    world.network.spec.topology = Some(Topology::Hub);
    world.reached("demo-peer-2").hub = hub(false);
    let isolated = world.assess();
    assert_eq!(says(&isolated, "HubsReached"), "False Isolated");
    let message = &find(&isolated.status.conditions, "HubsReached").unwrap().message;
    assert!(message.ends_with(": demo-peer-1"), "{message}");
    assert_eq!(says(&isolated, "Ready"), "True Ready", "it serves what it has");

    // A restarted operator has heard nobody: what was told stays.
    world.network.status = Some(isolated.status);
    let told = world.reach.replace(Reach::default()).unwrap();
    let silent = Reached { member: true, silent_since: Some(world.now), ..Reached::default() };
    world.reach.as_mut().unwrap().nodes = [("demo-peer-1".to_owned(), silent)].into();
    assert_eq!(says(&world.assess(), "HubsReached"), "False Isolated");

    world.reach = Some(told);
    world.reached("demo-peer-1").hub = hub(false);
    assert_eq!(says(&world.assess(), "HubsReached"), "True Reached");
    for pod in ["demo-peer-1", "demo-peer-2"] {
        world.reached(pod).hub = None;
    }
    assert!(absent(&world.assess()), "nobody takes dockets from hubs");
}

#[test]
fn whether_the_system_register_has_begun_is_told_where_the_sealers_are_to_begin_it() {
    let mut world = World::at_rest();
    let absent = |assessed: &Assessed| find(&assessed.status.conditions, "SystemRegisterBegun").is_none();
    assert!(absent(&world.assess()), "nobody has asked for one");
    world.network.spec.system_register_policy = Some(SystemRegisterPolicy::Create);
    assert_eq!(says(&world.assess(), "SystemRegisterBegun"), "False NoSealers");
    world.publish(Content { sealers: [peer(1)].into(), ..Content::default() });
    let beginning = world.assess();
    assert_eq!(says(&beginning, "SystemRegisterBegun"), "False Beginning");
    assert_eq!((beginning.status.system_register, says(&world.assess(), "Ready").as_str()), (None, "True Ready"));

    world.publish(Content { system: Some([0xab; 16]), ..Content::default() });
    let begun = world.assess();
    assert_eq!(says(&begun, "SystemRegisterBegun"), "True Begun");
    assert_eq!(begun.status.system_register, Some("ab".repeat(16)));
    // A restarted operator knows nothing yet, and takes nothing back.
    world.network.status = Some(begun.status.clone());
    world.finding = None;
    assert_eq!(world.assess().status.system_register, begun.status.system_register);
    assert_eq!(says(&world.assess(), "SystemRegisterBegun"), "True Begun");

    // One that the spec names is in the status too, and has not been begun by anybody here.
    world.network.spec.system_register_policy = None;
    assert!(absent(&world.assess()));
}

#[test]
fn a_new_network_knows_nothing_yet() {
    let mut world = World::at_rest();
    world.nodes = Observed::default();
    world.finding = None;
    world.reach = None;
    let assessed = world.assess();
    assert_eq!(says(&assessed, "Ready"), "False NodesNotReady");
    assert_eq!(says(&assessed, "CertificatesReady"), "Unknown Starting");
    assert_eq!(says(&assessed, "PolicySynced"), "Unknown Starting");
    assert_eq!(assessed.status.policy, None);
}

fn entry(name: &str, node: Option<&str>) -> NetworkBan {
    NetworkBan { name: name.into(), node: node.map(str::to_owned), ..NetworkBan::default() }
}

fn judged(of: Option<&str>, verdict: BanVerdict) -> BanFinding {
    BanFinding { of: of.map(str::to_owned), verdict, contained_since: None }
}

fn peer(byte: u8) -> PeerId {
    PeerId::from_bytes([byte; 32])
}

impl World {
    fn publish(&mut self, content: Content) {
        let snapshot = Snapshot { network_uid: "uid".into(), epoch: 1, revision: 7, content };
        let published =
            Published { snapshot, digest: [0; 32], content_digest: [5; 32], bytes: bytes::Bytes::default() };
        self.finding.as_mut().unwrap().published = Some(Arc::new(published));
    }

    fn judge(&mut self, name: &str, finding: BanFinding) {
        self.finding.as_mut().unwrap().bans.insert(BanSource::Network(name.into()), finding);
    }
}

#[test]
fn what_became_of_each_entry_of_the_spec_is_told_until_all_are_in_force() {
    let mut world = World::at_rest();
    assert!(find(&world.assess().status.conditions, "BansAccepted").is_none(), "there is nothing to tell");
    world.network.spec.bans = vec![entry("one", Some("demo-peer-2")), entry("two", None), entry("over", None)];
    assert_eq!(says(&world.assess(), "BansAccepted"), "Unknown Compiling");
    world.judge("one", judged(Some("demo-peer-2"), BanVerdict::UnknownNode));
    world.judge("two", judged(None, BanVerdict::WouldIsolate { subject: peer(2).into(), group: "peer".into() }));
    world.judge("over", judged(None, BanVerdict::Expired { subject: None }));
    let refused = world.assess();
    assert_eq!(says(&refused, "BansAccepted"), "False UnknownNode");
    let message = &find(&refused.status.conditions, "BansAccepted").unwrap().message;
    assert!(message.contains("one: no node") && message.contains("two: the ban would leave"), "{message}");
    assert!(!message.contains("over"), "its owner wanted it to end");
    assert_eq!(says(&refused, "Ready"), "True Ready", "the others are in force");

    world.judge("one", judged(Some("demo-peer-2"), BanVerdict::Accepted { subject: peer(1).into() }));
    world.judge("two", judged(None, BanVerdict::Accepted { subject: peer(2).into() }));
    assert_eq!(says(&world.assess(), "BansAccepted"), "True Accepted");
}

#[test]
fn an_entry_of_a_node_is_bound_to_the_peer_that_it_first_resolved_to() {
    let mut world = World::at_rest();
    world.network.spec.bans = vec![entry("one", Some("demo-peer-2")), entry("two", None)];
    world.judge("one", judged(Some("demo-peer-2"), BanVerdict::Accepted { subject: peer(1).into() }));
    world.judge("two", judged(None, BanVerdict::Accepted { subject: peer(2).into() }));
    world.network.status = Some(world.assess().status);
    let bound = BoundBan { name: "one".into(), node: "demo-peer-2".into(), peer_id: peer(1).to_string() };
    assert_eq!(world.network.status.as_ref().unwrap().bans, std::slice::from_ref(&bound));

    world.judge("one", judged(Some("demo-peer-2"), BanVerdict::Accepted { subject: peer(9).into() }));
    assert_eq!(world.assess().status.bans, [bound], "the name has another volume now");

    world.network.spec.bans[0].node = Some("demo-peer-1".into());
    assert!(world.assess().status.bans.is_empty(), "nobody has looked at the other node yet");
    world.network.spec.bans.clear();
    assert!(world.assess().status.bans.is_empty());
}

use std::time::Duration;

use peerwright_secure::PeerId;
use peerwright_snapshot::Version;
use tokio::time::Instant;

use super::{Outlook, PROPAGATION, Progress, Reach, Running, SILENCE};
use crate::nodes::{HubReport, NodeReport, RegisterReport, ReplicaState};

const V1: Version = Version { epoch: 1, revision: 1 };
const V2: Version = Version { epoch: 1, revision: 2 };
const ORDERS: [u8; 16] = [7; 16];

fn running(pods: &[&str]) -> Vec<Running> {
    pods.iter().map(|pod| Running { pod: (*pod).to_owned(), member: true, banned: false }).collect()
}

fn held(register: [u8; 16], state: ReplicaState, percent: Option<u8>) -> RegisterReport {
    let state = Some(state);
    RegisterReport { register, synced: true, state, percent, behind_since: None, problem: String::new() }
}

fn synced(reach: &Reach, register: [u8; 16], now: Instant) -> Outlook {
    reach.synced(&register, |_| true, None, now)
}

fn report(pod: &str, acknowledged: Version) -> NodeReport {
    NodeReport {
        acknowledged: Some(acknowledged),
        certificate_not_after: 1000,
        registers: vec![held(ORDERS, ReplicaState::FullyReplicated, Some(100))],
        ..NodeReport::silent(pod, PeerId::from_bytes([1; 32]))
    }
}

fn names(pods: &[&str]) -> Vec<String> {
    pods.iter().map(|pod| (*pod).to_owned()).collect()
}

fn settling(nodes: Vec<String>, end: Instant) -> Outlook {
    Outlook { progress: Progress::Settling(nodes), look_again: Some(end) }
}

#[test]
fn patience_with_one_node_is_kept_in_mind_while_another_is_named() {
    let start = Instant::now();
    let first = Reach::new(running(&["a"]), &[], None, start);
    let later = start + SILENCE / 2;
    let both = Reach::new(running(&["a", "b"]), &[], Some(&first), later);
    let outlook = both.acknowledged(V1, None, start + SILENCE);
    assert_eq!(outlook.progress, Progress::Unreachable(names(&["a"])));
    assert_eq!(outlook.look_again, Some(later + SILENCE), "b is named too, without anything happening before");
    let outlook = both.acknowledged(V1, None, later + SILENCE);
    assert_eq!(outlook, Outlook { progress: Progress::Unreachable(names(&["a", "b"])), look_again: None });
}

#[test]
fn a_version_counts_when_every_running_node_acknowledged_it() {
    let now = Instant::now();
    let reach = Reach::new(running(&["a", "b"]), &[report("a", V2), report("b", V1)], None, now);
    assert_eq!(reach.acknowledged(V1, None, now).progress, Progress::Done);
    assert_eq!(reach.acknowledged(V2, None, now + PROPAGATION).progress, Progress::Behind(names(&["b"])));
    assert_eq!(Reach::default().acknowledged(V1, None, now).progress, Progress::Nobody);
}

#[test]
fn a_fresh_publication_is_given_time() {
    let now = Instant::now();
    let reach = Reach::new(running(&["a"]), &[report("a", V1)], None, now);
    let end = now + PROPAGATION;
    assert_eq!(reach.acknowledged(V2, Some(now), now), settling(names(&["a"]), end));
    assert_eq!(reach.acknowledged(V2, Some(now), end).progress, Progress::Behind(names(&["a"])));
}

#[test]
fn a_silent_node_is_given_time_from_when_it_fell_silent() {
    let start = Instant::now();
    let first = Reach::new(running(&["a", "b"]), &[report("a", V1)], None, start);
    assert_eq!(first.acknowledged(V1, None, start), settling(names(&["b"]), start + SILENCE));
    let later = start + SILENCE;
    let second = Reach::new(running(&["a", "b"]), &[report("a", V1)], Some(&first), later);
    assert_eq!(second.acknowledged(V1, None, later).progress, Progress::Unreachable(names(&["b"])));
    let back = Reach::new(running(&["a", "b"]), &[report("a", V1), report("b", V1)], Some(&second), later);
    assert_eq!(back.acknowledged(V1, None, later).progress, Progress::Done);
    assert_eq!(back.nodes["b"].silent_since, None);
}

#[test]
fn what_a_node_acknowledged_holds_while_its_stream_is_down() {
    let now = Instant::now();
    let down = NodeReport { connected: false, ..report("a", V2) };
    let reach = Reach::new(running(&["a"]), &[down], None, now);
    assert_eq!(reach.acknowledged(V2, None, now + SILENCE * 2).progress, Progress::Done);
}

#[test]
fn a_banned_node_that_is_silent_is_not_waited_for() {
    let now = Instant::now();
    let mut pods = running(&["a", "b"]);
    pods[1].banned = true;
    let reach = Reach::new(pods.clone(), &[report("a", V2)], None, now);
    assert_eq!(reach.acknowledged(V2, None, now).progress, Progress::Done);
    let reach = Reach::new(pods, &[report("a", V2), report("b", V1)], None, now);
    let later = now + PROPAGATION;
    assert_eq!(
        reach.acknowledged(V2, None, later).progress,
        Progress::Behind(names(&["b"])),
        "it still hears the operator"
    );
    assert_eq!(reach.certified(0, now).progress, Progress::Done);
}

#[test]
fn a_pod_that_never_had_a_certificate_holds_up_no_ban_but_certificates() {
    let now = Instant::now();
    let mut pods = running(&["a", "b"]);
    pods[1].member = false;
    let reach = Reach::new(pods, &[report("a", V1)], None, now);
    assert_eq!(reach.acknowledged(V1, None, now).progress, Progress::Done);
    assert_eq!(reach.certified(0, now), settling(names(&["b"]), now + SILENCE));
    assert_eq!(reach.certified(0, now + SILENCE).progress, Progress::Unreachable(names(&["b"])));
}

#[test]
fn certificates_and_registers_are_the_nodes_own_words() {
    let now = Instant::now();
    let reach = Reach::new(running(&["a"]), &[report("a", V1)], None, now);
    assert_eq!(reach.certified(999, now).progress, Progress::Done);
    assert_eq!(reach.certified(1000, now + PROPAGATION).progress, Progress::Behind(names(&["a"])));
    assert_eq!(reach.first_certificate_end(), Some(1000));
    assert_eq!(synced(&reach, ORDERS, now).progress, Progress::Done);
    assert_eq!(synced(&reach, [8; 16], now + PROPAGATION).progress, Progress::Behind(names(&["a"])));
}

#[test]
fn a_node_that_was_just_heard_again_is_given_time_to_say_what_it_holds() {
    let start = Instant::now();
    let mute = NodeReport { registers: Vec::new(), ..report("a", V1) };
    let first = Reach::new(running(&["a"]), std::slice::from_ref(&mute), None, start);
    assert_eq!(synced(&first, ORDERS, start), settling(names(&["a"]), start + PROPAGATION));
    let later = start + Duration::from_secs(1);
    let second = Reach::new(running(&["a"]), &[mute], Some(&first), later);
    assert_eq!(second, first, "nothing changes while it is connected");
    let told = Reach::new(running(&["a"]), &[report("a", V1)], Some(&second), later);
    assert_eq!(synced(&told, ORDERS, later).progress, Progress::Done);
}

fn with(pod: &str, row: RegisterReport) -> NodeReport {
    NodeReport { registers: vec![row], ..report(pod, V2) }
}

#[test]
fn only_the_nodes_of_the_placement_are_asked_for_a_register() {
    let now = Instant::now();
    let elsewhere = NodeReport { registers: Vec::new(), ..report("core-0", V1) };
    let reach = Reach::new(running(&["core-0", "edge-0"]), &[elsewhere, report("edge-0", V1)], None, now);
    let at = |group: &'static str| {
        reach.synced(&ORDERS, move |pod: &str| pod.starts_with(group), None, now + PROPAGATION).progress
    };
    assert_eq!((at("edge"), at("core")), (Progress::Done, Progress::Behind(names(&["core-0"]))));
    assert_eq!(at("hub"), Progress::Nobody);
}

#[test]
fn a_node_that_still_copies_dockets_is_not_synced_and_one_of_a_register_without_any_is() {
    let now = Instant::now();
    let of = |state, percent| {
        let reach = Reach::new(running(&["a"]), &[with("a", held(ORDERS, state, percent))], None, now);
        synced(&reach, ORDERS, now + PROPAGATION).progress
    };
    let behind = Progress::Behind(names(&["a"]));
    assert_eq!(of(ReplicaState::Subscribing, None), Progress::Done, "nobody ever began it");
    assert_eq!(of(ReplicaState::Subscribing, Some(0)), behind);
    assert_eq!(of(ReplicaState::Syncing, Some(90)), behind);
    for state in [ReplicaState::FullyReplicated, ReplicaState::Active, ReplicaState::Sealing] {
        assert_eq!(of(state, Some(100)), Progress::Done, "{state:?}");
    }
    for state in [ReplicaState::Error, ReplicaState::Frozen, ReplicaState::Purged] {
        assert_eq!(of(state, Some(100)), behind, "{state:?}");
    }

    let (sealer, fresh) =
        (with("a", held(ORDERS, ReplicaState::Sealing, Some(100))), held(ORDERS, ReplicaState::Subscribing, None));
    let reach = Reach::new(running(&["a", "b"]), &[sealer, with("b", fresh)], None, now);
    assert_eq!(synced(&reach, ORDERS, now + PROPAGATION).progress, Progress::Behind(names(&["b"])), "a knows dockets");
}

#[test]
fn only_nodes_that_take_their_dockets_from_hubs_are_asked_whether_they_reach_one() {
    let now = Instant::now();
    let late = now + PROPAGATION;
    let with_hub = |pod: &str, hub| NodeReport { hub, ..report(pod, V1) };
    let taking = HubReport { active: Some(PeerId::from_bytes([9; 32])), isolated: false };
    let looking = HubReport { active: None, isolated: false };
    let isolated = HubReport { active: None, isolated: true };
    let reach = |reports: &[NodeReport]| Reach::new(running(&["hub-0", "a", "b"]), reports, None, now);
    let outcome = |hub| reach(&[with_hub("hub-0", None), with_hub("a", Some(taking)), with_hub("b", Some(hub))]);
    assert_eq!(outcome(taking).hubs_reached(now).progress, Progress::Done);
    assert_eq!(outcome(looking).hubs_reached(now).progress, Progress::Done, "it may still find one");
    assert_eq!(outcome(isolated).hubs_reached(now), settling(names(&["b"]), late), "it was just heard");
    assert_eq!(outcome(isolated).hubs_reached(late).progress, Progress::Behind(names(&["b"])));

    let mut pods = running(&["b"]);
    pods[0].banned = true;
    let banned = Reach::new(pods, &[with_hub("b", Some(isolated))], None, now);
    assert_eq!(banned.hubs_reached(late).progress, Progress::Nobody);
    assert!(reach(&[]).takes_from_hubs(late), "nobody was heard: it cannot be told");
    let heard = reach(&[with_hub("hub-0", None), with_hub("a", None), with_hub("b", None)]);
    assert!(heard.takes_from_hubs(now) && !heard.takes_from_hubs(late));
}

#[test]
fn a_register_is_purged_when_every_running_member_but_the_sealers_says_so_of_this_order() {
    let now = Instant::now();
    let late = now + PROPAGATION;
    let gone = |pod: &str, version| NodeReport {
        acknowledged: Some(version),
        ..with(pod, held(ORDERS, ReplicaState::Purged, None))
    };
    let outcome = |reports: &[NodeReport]| {
        let reach = Reach::new(running(&["core-0", "edge-0", "edge-1"]), reports, None, now);
        reach.purged(&ORDERS, |pod| pod == "core-0", V2, None, late).progress
    };
    let sealer = with("core-0", held(ORDERS, ReplicaState::Sealing, Some(100)));
    let all = [sealer.clone(), gone("edge-0", V2), gone("edge-1", V2)];
    assert_eq!(outcome(&all), Progress::Done);
    let holds = with("edge-1", held(ORDERS, ReplicaState::FullyReplicated, Some(100)));
    assert_eq!(outcome(&[sealer.clone(), gone("edge-0", V2), holds]), Progress::Behind(names(&["edge-1"])));
    let earlier = [sealer, gone("edge-0", V2), gone("edge-1", V1)];
    assert_eq!(outcome(&earlier), Progress::Behind(names(&["edge-1"])), "that was about an earlier order");
    let silent = Reach::new(running(&["edge-0"]), &[], None, now);
    let unheard = silent.purged(&ORDERS, |_| false, V2, None, now + SILENCE).progress;
    assert_eq!(unheard, Progress::Unreachable(names(&["edge-0"])));
}

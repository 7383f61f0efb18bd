//! How far an operation is, from what was found. Pure.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::{apimachinery::pkg::apis::meta::v1::Time, jiff::Timestamp};
use kube::ResourceExt;
use peerwright_crds::{
    ForceSealer, ForceSealerStatus, OperationPhase, PeerNetwork, PeerOperation, PeerOperationStatus, RegisterAtRisk,
};
use peerwright_secure::PeerId;
use peerwright_snapshot::Content;
use std::sync::Arc;

use crate::{
    conditions::{Verdict, settle},
    nodes::{NodeReport, SealingReport},
    policy::begun,
};

/// A majority that is away for less than this may only be restarting, seconds.
const ALONE_FOR_SECONDS: u64 = 60;
/// What cannot begin within this time is refused: nobody expects it any more. Seconds, whole minutes of them.
const BEGINS_WITHIN_SECONDS: i64 = 10 * SECONDS_PER_MINUTE;
/// Seconds of a minute.
const SECONDS_PER_MINUTE: i64 = 60;
/// Registers of each list in a status.
const LISTED: usize = 64;
/// Peers that are named as lost.
const MOST_LOST: usize = 32;
/// The condition.
const COMPLETE: &str = "Complete";
/// Reasons for which an operation is refused.
pub(super) const REFUSALS: [&str; 3] = ["NodeUnknown", "SealersAnswer", "NotInTime"];

/// What a status is made from.
pub(super) struct Facts<'a> {
    /// The operation, with its status until now.
    pub(super) operation: &'a PeerOperation,
    /// The network that it names.
    pub(super) network: Option<&'a PeerNetwork>,
    /// What its snapshot in force says.
    pub(super) content: Option<&'a Content>,
    /// What its nodes say.
    pub(super) reports: &'a [NodeReport],
    /// All operations on it.
    pub(super) operations: &'a [Arc<PeerOperation>],
    /// Now.
    pub(super) wall: Timestamp,
}

/// What becomes of it now.
enum Step {
    /// Nothing yet.
    Wait(&'static str, String),
    /// Nothing ever.
    Refuse(&'static str, String),
    Begin(ForceSealerStatus),
    /// It goes on.
    Goes(&'static str, String),
    Done(ForceSealerStatus),
}

/// Assesses an operation that is not over.
pub(super) fn assess(facts: &Facts<'_>) -> PeerOperationStatus {
    let before = facts.operation.status.clone().unwrap_or_default();
    let Some(force) = &facts.operation.spec.force_sealer else { return before };
    let step = match &before.force_sealer {
        Some(begun) if before.phase == Some(OperationPhase::Running) => progress(facts, begun),
        _ => in_time(facts, begin(facts, force)),
    };
    let now = Some(Time(facts.wall));
    let mut status = PeerOperationStatus {
        observed_generation: facts.operation.metadata.generation,
        kind: Some("ForceSealer".to_owned()),
        target: Some(force.node.clone()),
        ..before.clone()
    };
    let verdict = |holds: bool, reason: &str, message: String| Verdict::new(COMPLETE, holds, reason, message);
    let verdict = match step {
        Step::Wait(reason, message) => {
            status.phase = Some(OperationPhase::Pending);
            verdict(false, reason, message)
        }
        Step::Refuse(reason, message) => {
            (status.phase, status.completed_at) = (Some(OperationPhase::Refused), now);
            verdict(false, reason, message)
        }
        Step::Begin(begun) => {
            (status.phase, status.started_at) = (Some(OperationPhase::Running), now);
            let message = format!("{} is told to go on alone, without {} lost sealers", force.node, begun.lost.len());
            status.force_sealer = Some(begun);
            verdict(false, "Begun", message)
        }
        Step::Goes(reason, message) => verdict(false, reason, message),
        Step::Done(begun) => {
            (status.phase, status.completed_at) = (Some(OperationPhase::Succeeded), now);
            let message = format!("{} seals as group {}; {}", force.node, begun.generation, told(&begun.stranded));
            status.force_sealer = Some(begun);
            verdict(true, "Succeeded", message)
        }
    };
    let generation = facts.operation.metadata.generation;
    status.conditions = settle(&before.conditions, vec![verdict], generation, facts.wall);
    status
}

fn told(stranded: &[String]) -> String {
    match stranded.len() {
        0 => "it seals every register".to_owned(),
        count => format!(
            "registers that are sealed no more: {count}. Their authorities are lost with their nodes or kept elsewhere, and \
             have not signed. What they hold stays readable; begin other registers to go on in their place"
        ),
    }
}

/// What has waited too long is refused.
fn in_time(facts: &Facts<'_>, step: Step) -> Step {
    let created_at = facts.operation.creation_timestamp().map_or(facts.wall, |time| time.0);
    let age = facts.wall.as_second().saturating_sub(created_at.as_second());
    match step {
        Step::Wait(_, message) if age > BEGINS_WITHIN_SECONDS => {
            let minutes = BEGINS_WITHIN_SECONDS / SECONDS_PER_MINUTE;
            Step::Refuse("NotInTime", format!("it could not begin within {minutes} minutes: {message}"))
        }
        step => step,
    }
}

fn begin(facts: &Facts<'_>, force: &ForceSealer) -> Step {
    let node = &force.node;
    let wait = |reason, message: String| Step::Wait(reason, message);
    let Some(network) = facts.network else {
        let name = &facts.operation.spec.network_ref.name;
        return wait("NetworkNotFound", format!("there is no PeerNetwork {name} in this namespace"));
    };
    if network.locate_node(node).is_none() {
        return Step::Refuse("NodeUnknown", format!("the network has no node group that {node} could be of"));
    }
    if begun(network, facts.operations).any(|(phase, _)| phase == OperationPhase::Running) {
        return wait("AnotherRuns", "another operation on the network has begun and is not done".to_owned());
    }
    let connected = || facts.reports.iter().filter(|report| report.connected);
    let Some(survivor) = connected().find(|report| report.pod == *node) else {
        return wait("NodeUnreachable", format!("{node} is not heard of"));
    };
    let Some(content) = facts.content.filter(|content| content.sealers.contains(&survivor.peer_id)) else {
        return wait("NotASealer", format!("{node} is not among the network's sealers"));
    };
    let Some(own) = survivor.sealing.as_ref().filter(|sealing| sealing.members.contains(&survivor.peer_id)) else {
        return wait("NotASealer", format!("{node} has not said that it is of the sealing group"));
    };
    let counts = |sealing: &&SealingReport| sealing.generation >= own.generation;
    for (report, sealing) in connected().filter_map(|report| Some((report, report.sealing.as_ref().filter(counts)?))) {
        if sealing.led || sealing.has_majority() {
            let message = format!("{} reaches a majority of the sealers: nothing has to be forced", report.pod);
            return Step::Refuse("SealersAnswer", message);
        }
    }
    let now = u64::try_from(facts.wall.as_second()).unwrap_or_default();
    if own.alone_since.is_none_or(|since| now.saturating_sub(since) < ALONE_FOR_SECONDS) {
        let message = format!("the sealers are away for less than {ALONE_FOR_SECONDS} s; they may only be restarting");
        return wait("LooksForSealers", message);
    }
    Step::Begin(ForceSealerStatus {
        network_uid: network.uid().unwrap_or_default(),
        generation: next_generation(facts, network, content),
        survivor: survivor.peer_id.to_string(),
        lost: lost(survivor.peer_id, own),
        at_risk: at_risk(survivor, facts.reports),
        stranded: Vec::new(),
    })
}

/// Above every one that was ever told of.
fn next_generation(facts: &Facts<'_>, network: &PeerNetwork, content: &Content) -> i64 {
    let ordered = begun(network, facts.operations).filter_map(|(_, begun)| u64::try_from(begun.generation).ok());
    let said = facts.reports.iter().filter_map(|report| Some(report.sealing.as_ref()?.generation));
    let published = [Some(content.generation), content.succession.map(|order| order.generation)];
    let highest = ordered.chain(said).chain(published.into_iter().flatten()).max().unwrap_or_default();
    i64::try_from(highest.saturating_add(1)).unwrap_or(i64::MAX)
}

fn lost(survivor: PeerId, own: &SealingReport) -> Vec<String> {
    let lost: BTreeSet<&PeerId> = own.members.difference(&own.answering).filter(|peer| **peer != survivor).collect();
    lost.into_iter().take(MOST_LOST).map(ToString::to_string).collect()
}

/// Registers of which some node holds more than the survivor, who lacks most first.
fn at_risk(survivor: &NodeReport, reports: &[NodeReport]) -> Vec<RegisterAtRisk> {
    let mut highest: BTreeMap<&[u8; 16], (u64, &str)> = BTreeMap::new();
    for (report, (register, dockets)) in
        reports.iter().flat_map(|report| report.dockets.iter().map(move |row| (report, row)))
    {
        let row = highest.entry(register).or_default();
        if *dockets > row.0 {
            *row = (*dockets, &report.pod);
        }
    }
    let rows = highest.into_iter().map(|(register, (dockets, pod))| {
        (survivor.dockets.get(register).copied().unwrap_or_default(), dockets, register, pod)
    });
    let mut rows: Vec<_> = rows.filter(|(own, dockets, ..)| dockets > own).collect();
    rows.sort_by_key(|(own, dockets, register, _)| (std::cmp::Reverse(dockets - own), *register));
    let count = |dockets: u64| i64::try_from(dockets).unwrap_or(i64::MAX);
    let rows = rows.into_iter().take(LISTED).map(|(own, dockets, register, pod)| RegisterAtRisk {
        register_id: hex::encode(register),
        survivor_dockets: count(own),
        highest_dockets: count(dockets),
        highest_node: pod.to_owned(),
    });
    rows.collect()
}

fn progress(facts: &Facts<'_>, begun: &ForceSealerStatus) -> Step {
    let survivor = facts.reports.iter().find(|report| report.peer_id.to_string() == begun.survivor && report.connected);
    let generation = u64::try_from(begun.generation).unwrap_or_default();
    if facts.content.is_some_and(|content| content.generation >= generation) {
        let Some(sealing) = survivor.and_then(|survivor| survivor.sealing.as_ref()) else {
            return Step::Goes("Begun", "the sealer goes on; what it seals no more it has still to say".to_owned());
        };
        let stranded = sealing.stranded.iter().take(LISTED).map(hex::encode).collect();
        return Step::Done(ForceSealerStatus { stranded, ..begun.clone() });
    }
    let Some(survivor) = survivor else {
        return Step::Goes("NodeUnreachable", "the sealer that is to go on is not heard of".to_owned());
    };
    match survivor.sealing.as_ref().map_or("", |sealing| sealing.problem.as_str()) {
        "" => Step::Goes("Begun", "the sealer fetches what others hold, asks the authorities, and goes on".to_owned()),
        "majority_answers" => {
            let message = "a majority of the sealers answers again: delete this operation if they stay";
            Step::Goes("SealersAnswer", message.to_owned())
        }
        problem => Step::Goes("NodeFails", format!("the sealer does not go on: {problem}; its log says more")),
    }
}

#[cfg(test)]
mod tests;

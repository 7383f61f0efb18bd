//! What to do next to a network's StatefulSets: how many replicas, whether the template may be written, which pod to
//! restart. Everything that has to wait is a named hold, which status, Events and metrics show. Pure.
//!
//! ```text
//! replicas   up at once; down one at a time, the others undisturbed
//! template   written when nothing shrinks and no other node is on its way up or down
//! restart    one pod of the old template at a time: broken ones first, a Ready one only when all others are Ready
//! ```

mod hold;
mod observed;

pub use hold::Hold;
pub(crate) use hold::list;
pub use observed::{Group, LiveSet, Node, Observed, Template};

/// What to do now. Everything in it may be done in one pass.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// What each group that the network wants becomes, in the order of the observation.
    pub groups: Vec<GroupPlan>,
    /// StatefulSets of groups that the network does not want any more, and that are empty.
    pub remove: Vec<String>,
    /// The pod to restart.
    pub restart: Option<Restart>,
    /// What waits, and for what.
    pub holds: Vec<Hold>,
}

/// What one group becomes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupPlan {
    /// The StatefulSet.
    pub stateful_set: String,
    /// Replicas to write.
    pub replicas: i32,
    /// Whether the template that the network wants may be written; else the live one stays.
    pub write_template: bool,
}

/// A pod that is to be restarted with the new template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Restart {
    /// Name of the pod.
    pub pod: String,
    /// Its UID: another pod of the name is left alone.
    pub uid: String,
}

/// Plans the next step.
pub fn plan(observed: &Observed) -> Plan {
    let mut plan = Plan::default();
    let shrinking = plan_replicas(observed, &mut plan);
    let templates_differ = plan_templates(observed, shrinking, &mut plan);
    if !shrinking && !templates_differ {
        plan_restart(observed, &mut plan);
    }
    plan
}

/// Fills in the groups' replicas. True while any group is larger than it should be.
fn plan_replicas(observed: &Observed, plan: &mut Plan) -> bool {
    let mut shrinking = false;
    for group in &observed.groups {
        let live = group.live.as_ref().map(|live| live.replicas);
        let replicas = match live {
            Some(live) if live > group.desired => {
                let disturbed = observed.disturbed_but_for(&group.stateful_set, group.desired);
                let first = !std::mem::replace(&mut shrinking, true);
                let sealer = group.nodes.iter().find(|node| node.ordinal == live - 1 && node.seals);
                if let Some(sealer) = sealer {
                    let (group, node) = (group.name.clone(), sealer.name.clone());
                    plan.holds.push(Hold::SealerLeaves { group, node });
                    live
                } else if first && disturbed.is_empty() {
                    live - 1
                } else {
                    let (to, waits_for) = (group.desired, disturbed);
                    plan.holds.push(Hold::ScaleDown { group: group.name.clone(), from: live, to, waits_for });
                    live
                }
            }
            _ => group.desired,
        };
        let gone = live.is_none() || group.desired == 0 && live == Some(0) && group.nodes.is_empty();
        match (group.desired, gone) {
            (0, true) if live.is_some() => plan.remove.push(group.stateful_set.clone()),
            (0, true) => {}
            _ => plan.groups.push(GroupPlan {
                stateful_set: group.stateful_set.clone(),
                replicas,
                write_template: group.desired > 0,
            }),
        }
    }
    shrinking
}

/// Takes back the permission to write a template that is not due. True while any is not in place: no pod is restarted
/// with a template that the network does not want.
fn plan_templates(observed: &Observed, shrinking: bool, plan: &mut Plan) -> bool {
    let mut unsettled = false;
    for group in observed.groups.iter().filter(|group| group.desired > 0) {
        let live = match group.live.as_ref() {
            Some(live) if live.template == Template::Outdated => live,
            Some(live) => {
                unsettled |= live.template == Template::Tampered;
                continue;
            }
            None => continue,
        };
        let mut waits_for = observed.disturbed();
        if shrinking {
            waits_for.push("a smaller group".to_owned());
        }
        if !live.settled {
            waits_for.push("the StatefulSet controller".to_owned());
        }
        unsettled = true;
        if waits_for.is_empty() {
            continue;
        }
        if let Some(planned) = plan.groups.iter_mut().find(|planned| planned.stateful_set == group.stateful_set) {
            planned.write_template = false;
        }
        plan.holds.push(Hold::Rollout { group: group.name.clone(), waits_for });
    }
    unsettled
}

fn plan_restart(observed: &Observed, plan: &mut Plan) {
    let unsettled = observed.groups.iter().find(|group| group.live.as_ref().is_some_and(|live| !live.settled));
    let mut outdated: Vec<&Node> = observed.outdated().collect();
    if outdated.is_empty() {
        return;
    }
    if let Some(group) = unsettled {
        let waits_for = vec!["the StatefulSet controller".to_owned()];
        plan.holds.push(Hold::Restart { pod: group.name.clone(), waits_for });
        return;
    }
    // Nodes that serve nobody go first, then from the highest ordinal down.
    outdated.sort_by_key(|node| (node.serves(), std::cmp::Reverse(node.ordinal)));
    let Some(candidate) = outdated.first() else { return };
    let mut waits_for = observed.missing();
    for node in observed.nodes().filter(|node| node.name != candidate.name && !node.banned) {
        let waits = if candidate.serves() {
            !node.ready || node.deleting
        } else {
            // The new template must show that it works before the next node gets it.
            node.deleting || !node.ready && !observed.is_outdated(node)
        };
        if waits {
            waits_for.push(node.name.clone());
        }
    }
    if waits_for.is_empty() {
        plan.restart = Some(Restart { pod: candidate.name.clone(), uid: candidate.uid.clone() });
    } else {
        plan.holds.push(Hold::Restart { pod: candidate.name.clone(), waits_for });
    }
}

#[cfg(test)]
mod tests;

//! Between the plan and the objects: what the StatefulSets and pods look like to the plan, and the plan carried out.

use k8s_openapi::{
    api::{
        apps::v1::StatefulSet,
        core::v1::{Pod, PodTemplateSpec},
    },
    jiff::{SignedDuration, Timestamp},
};
use kube::{ResourceExt, runtime::events::EventType};
use peerwright_crds::GROUP_LABEL;

use super::{
    build::Children as Desired,
    child_key,
    children::{APPLIED, Children, digest},
    covers::covers,
    dereference::Dereferenced,
    plan::{Group, Hold, LiveSet, Node, Observed, Plan, Restart, Template},
    validate::ValidNetwork,
};
use crate::controllers::Context;

/// Annotation of a StatefulSet with a digest of the template that we set.
const TEMPLATE: &str = "peerwright.dev/template";
/// A node that has not been Ready for so long is not waited for any more.
const BROKEN_AFTER: SignedDuration = SignedDuration::from_mins(5);
/// States in which a container waits for a person, or for another template.
const BROKEN: [&str; 8] = [
    "CrashLoopBackOff",
    "CreateContainerConfigError",
    "CreateContainerError",
    "ErrImageNeverPull",
    "ErrImagePull",
    "ImagePullBackOff",
    "InvalidImageName",
    "RunContainerError",
];

/// What the plan sees.
pub(super) fn observe(network: &ValidNetwork<'_>, desired: &Desired, found: &Dereferenced, now: Timestamp) -> Observed {
    let wanted = network.network.spec.node_groups.iter().zip(&desired.stateful_sets);
    let mut groups: Vec<Group> = wanted
        .map(|(group, set)| {
            let name = set.name_any();
            let live = found.stateful_sets.iter().find(|live| live.name_any() == name);
            Group {
                name: group.name.clone(),
                stateful_set: name,
                desired: group.replicas,
                live: live.map(|live| live_set(live, Some(set))),
                nodes: live.map_or_else(Vec::new, |live| nodes(live, found, now)),
            }
        })
        .collect();
    for live in &found.stateful_sets {
        if groups.iter().all(|group| group.stateful_set != live.name_any()) {
            groups.push(Group {
                name: live.labels().get(GROUP_LABEL).cloned().unwrap_or_default(),
                stateful_set: live.name_any(),
                desired: 0,
                live: Some(live_set(live, None)),
                nodes: nodes(live, found, now),
            });
        }
    }
    Observed { groups }
}

fn live_set(live: &StatefulSet, desired: Option<&StatefulSet>) -> LiveSet {
    let status = live.status.as_ref();
    let generation = live.metadata.generation;
    LiveSet {
        replicas: live.spec.as_ref().and_then(|spec| spec.replicas).unwrap_or(1),
        template: desired.map_or(Template::Wanted, |desired| compare_templates(live, desired)),
        settled: generation.is_some() && status.is_some_and(|status| status.observed_generation >= generation),
        update_revision: status.and_then(|status| status.update_revision.clone()),
    }
}

/// The mark says what we last set, the template what became of it.
fn compare_templates(live: &StatefulSet, desired: &StatefulSet) -> Template {
    match (template(live), template(desired)) {
        (Some(_), Some(wanted)) if live.annotations().get(TEMPLATE) != Some(&digest(wanted)) => Template::Outdated,
        (Some(ours), Some(wanted)) if covers(ours, wanted) => Template::Wanted,
        _ => Template::Tampered,
    }
}

fn template(set: &StatefulSet) -> Option<&PodTemplateSpec> {
    set.spec.as_ref().map(|spec| &spec.template)
}

fn nodes(set: &StatefulSet, found: &Dereferenced, now: Timestamp) -> Vec<Node> {
    let prefix = format!("{}-", set.name_any());
    let of_set = found.pods.iter().filter_map(|pod| {
        let ordinal = pod.name_any().strip_prefix(&prefix)?.parse().ok()?;
        let uid = pod.uid().unwrap_or_default();
        let ready = ready_condition(pod).is_some_and(|(ready, _)| ready);
        Some(Node {
            revision: pod.labels().get("controller-revision-hash").cloned(),
            deleting: pod.metadata.deletion_timestamp.is_some() || found.evicted.contains(&uid),
            banned: found.banned.contains(&pod.name_any()),
            broken: !ready && is_broken(pod, now),
            seals: found.sealers.contains(&pod.name_any()),
            name: pod.name_any(),
            uid,
            ordinal,
            ready,
        })
    });
    of_set.collect()
}

/// Whether a pod is Ready, and since when it has been so or not.
fn ready_condition(pod: &Pod) -> Option<(bool, Option<Timestamp>)> {
    let conditions = pod.status.as_ref()?.conditions.as_ref()?;
    let ready = conditions.iter().find(|condition| condition.type_ == "Ready")?;
    Some((ready.status == "True", ready.last_transition_time.as_ref().map(|time| time.0)))
}

/// Waiting for it does not help.
fn is_broken(pod: &Pod, now: Timestamp) -> bool {
    let status = pod.status.as_ref();
    let containers = status.and_then(|status| status.container_statuses.as_ref()).into_iter().flatten();
    let mut reasons = containers.filter_map(|container| container.state.as_ref()?.waiting.as_ref()?.reason.as_deref());
    let since =
        ready_condition(pod).and_then(|(_, since)| since).or_else(|| pod.creation_timestamp().map(|time| time.0));
    reasons.any(|reason| BROKEN.contains(&reason))
        || since.is_some_and(|since| now.duration_since(since) > BROKEN_AFTER)
}

/// Carries the plan out, and makes everything else that the network owns.
pub(super) async fn apply(
    network: &ValidNetwork<'_>,
    desired: Desired,
    plan: Plan,
    children: &mut Children<'_>,
    context: &Context,
) {
    let caches = &context.parts.caches;
    children.apply(desired.service_account, &caches.service_accounts).await;
    children.apply(desired.peers_service, &caches.services).await;
    children.apply(desired.api_service, &caches.services).await;
    children.apply(desired.disruption_budget, &caches.disruption_budgets).await;
    match desired.network_policy {
        Some(policy) => children.apply(policy, &caches.network_policies).await,
        None => children.delete(&child_key(network, &network.name), &caches.network_policies).await,
    }
    for group in &plan.groups {
        let wanted = desired.stateful_sets.iter().find(|set| set.name_any() == group.stateful_set);
        let live = caches.stateful_sets.get(&child_key(network, &group.stateful_set));
        let set = match (wanted, live.as_deref()) {
            (Some(wanted), live) => planned(wanted.clone(), live, group.replicas, group.write_template),
            (None, Some(live)) => shrunk(live, group.replicas),
            (None, None) => continue,
        };
        children.apply(set, &caches.stateful_sets).await;
    }
    for name in &plan.remove {
        children.delete(&child_key(network, name), &caches.stateful_sets).await;
    }
    plan.holds.into_iter().for_each(|hold| children.hold(hold));
    if let Some(restart) = plan.restart {
        evict(network, restart, children, context).await;
    }
}

/// The StatefulSet as the plan wants it: with its replicas, and with the live template while a new one is not due.
fn planned(mut desired: StatefulSet, live: Option<&StatefulSet>, replicas: i32, write_template: bool) -> StatefulSet {
    let applied = digest_without_rollout(&desired);
    let kept = live.filter(|_| !write_template);
    let mark = match kept {
        Some(live) => live.annotations().get(TEMPLATE).cloned(),
        None => template(&desired).map(digest),
    };
    if let Some(spec) = desired.spec.as_mut() {
        spec.replicas = Some(replicas);
        if let Some(template) = kept.and_then(template) {
            spec.template = template.clone();
        }
    }
    let annotations = desired.metadata.annotations.get_or_insert_default();
    annotations.insert(APPLIED.to_owned(), applied);
    annotations.extend(mark.map(|mark| (TEMPLATE.to_owned(), mark)));
    desired
}

/// The template has a digest of its own, and replicas and template are what the plan decides.
fn digest_without_rollout(desired: &StatefulSet) -> String {
    let mut rest = desired.clone();
    if let Some(spec) = rest.spec.as_mut() {
        spec.replicas = None;
        spec.template = PodTemplateSpec::default();
    }
    digest(&rest)
}

/// The StatefulSet of a group that is not wanted any more, as it is but smaller.
fn shrunk(live: &StatefulSet, replicas: i32) -> StatefulSet {
    let mut set = StatefulSet { status: None, ..live.clone() };
    set.metadata = k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta {
        name: live.metadata.name.clone(),
        namespace: live.metadata.namespace.clone(),
        labels: live.metadata.labels.clone(),
        annotations: live.metadata.annotations.clone(),
        owner_references: live.metadata.owner_references.clone(),
        ..Default::default()
    };
    if let Some(spec) = set.spec.as_mut() {
        spec.replicas = Some(replicas);
    }
    set
}

async fn evict(network: &ValidNetwork<'_>, restart: Restart, children: &mut Children<'_>, context: &Context) {
    let Restart { pod, uid } = restart;
    match children.take(context.parts.writer.evict(&network.namespace, &pod, &uid).await) {
        Some(true) => {
            context.remember_eviction(&network.uid, &uid);
            let note = format!("{pod} restarts with the new template");
            context.parts.events.tell(network.network, EventType::Normal, "Restarting", "Restart", note).await;
        }
        Some(false) => children.hold(Hold::DisruptionBudget { pod }),
        None => {}
    }
}

#[cfg(test)]
#[path = "rollout_tests.rs"]
mod tests;

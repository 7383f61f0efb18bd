use proptest::prelude::*;

use super::{Group, GroupPlan, Hold, LiveSet, Node, Observed, Plan, Restart, Template, plan};

/// A group `peer` of `live` Ready nodes, all from the newest template.
fn observed(desired: i32, live: i32) -> Observed {
    Observed { groups: vec![group("peer", desired, live)] }
}

fn group(name: &str, desired: i32, live: i32) -> Group {
    let node = |ordinal| Node {
        name: format!("demo-{name}-{ordinal}"),
        uid: format!("{name}-{ordinal}"),
        ordinal,
        revision: Some("new".to_owned()),
        ready: true,
        ..Node::default()
    };
    Group {
        name: name.to_owned(),
        stateful_set: format!("demo-{name}"),
        desired,
        live: Some(LiveSet {
            replicas: live,
            template: Template::Wanted,
            settled: true,
            update_revision: Some("new".to_owned()),
        }),
        nodes: (0..live).map(node).collect(),
    }
}

fn only_replicas(plan: &Plan) -> i32 {
    plan.groups[0].replicas
}

fn reasons(plan: &Plan) -> Vec<&'static str> {
    plan.holds.iter().map(Hold::reason).collect()
}

fn outdated(observed: &mut Observed) -> &mut Vec<Node> {
    let nodes = &mut observed.groups[0].nodes;
    nodes.iter_mut().for_each(|node| node.revision = Some("old".to_owned()));
    nodes
}

#[test]
fn a_network_at_rest_stays_as_it_is() {
    let plan = plan(&observed(3, 3));
    let group = GroupPlan { stateful_set: "demo-peer".into(), replicas: 3, write_template: true };
    assert_eq!(plan, Plan { groups: vec![group], ..Plan::default() });
}

#[test]
fn a_new_group_and_a_group_that_grows_get_all_their_nodes_at_once() {
    let mut new = observed(5, 0);
    new.groups[0].live = None;
    assert_eq!(only_replicas(&plan(&new)), 5);
    assert_eq!(only_replicas(&plan(&observed(5, 3))), 5);
    assert_eq!(only_replicas(&plan(&observed(3, 0))), 3, "scaled to nothing by hand");
}

#[test]
fn a_group_shrinks_one_node_at_a_time() {
    let first = plan(&observed(3, 5));
    assert_eq!((only_replicas(&first), reasons(&first)), (4, vec![]));
    let mut under_way = observed(3, 4);
    under_way.groups[0].nodes.push(Node { deleting: true, ..observed(3, 5).groups[0].nodes[4].clone() });
    let held = plan(&under_way);
    assert_eq!((only_replicas(&held), reasons(&held)), (4, vec!["ScaleDownWaits"]));
}

#[test]
fn a_group_does_not_shrink_while_another_node_is_not_ready() {
    let mut busy = observed(3, 5);
    busy.groups[0].nodes[1].ready = false;
    assert_eq!(only_replicas(&plan(&busy)), 5);
    busy.groups[0].nodes[1].broken = true;
    assert_eq!(only_replicas(&plan(&busy)), 4, "what is broken for good must not be waited for");
    let mut leaving = observed(3, 5);
    leaving.groups[0].nodes[3].ready = false;
    assert_eq!(only_replicas(&plan(&leaving)), 4, "a node that is to go is not waited for");
}

#[test]
fn two_groups_do_not_shrink_at_once() {
    let both = Observed { groups: vec![group("a", 1, 2), group("b", 1, 2)] };
    let plan = plan(&both);
    assert_eq!(plan.groups.iter().map(|group| group.replicas).collect::<Vec<_>>(), [1, 2]);
    assert_eq!(reasons(&plan), ["ScaleDownWaits"]);
}

#[test]
fn a_group_that_is_not_wanted_shrinks_to_nothing_and_goes() {
    assert_eq!(only_replicas(&plan(&observed(0, 2))), 1);
    let empty = plan(&observed(0, 0));
    assert_eq!((empty.remove, empty.groups), (vec!["demo-peer".to_owned()], vec![]));
    let mut last = observed(0, 0);
    last.groups[0].nodes = observed(1, 1).groups[0].nodes.clone();
    assert!(plan(&last).remove.is_empty(), "its last pod is still there");
}

#[test]
fn a_template_is_written_only_when_no_node_is_on_its_way() {
    let mut changed = observed(3, 3);
    changed.groups[0].live.as_mut().unwrap().template = Template::Outdated;
    assert!(plan(&changed).groups[0].write_template);
    changed.groups[0].nodes[0].ready = false;
    let held = plan(&changed);
    assert!(!held.groups[0].write_template);
    assert_eq!(reasons(&held), ["RolloutWaits"]);
    changed.groups[0].nodes[0].broken = true;
    assert!(plan(&changed).groups[0].write_template, "the new template may be what mends it");
}

#[test]
fn a_template_waits_while_a_group_shrinks_or_its_nodes_are_not_made_yet() {
    let mut changed = observed(3, 4);
    changed.groups[0].live.as_mut().unwrap().template = Template::Outdated;
    assert!(!plan(&changed).groups[0].write_template);
    let mut growing = observed(3, 3);
    growing.groups[0].live.as_mut().unwrap().template = Template::Outdated;
    growing.groups[0].nodes.pop();
    assert!(!plan(&growing).groups[0].write_template);
}

#[test]
fn a_template_that_somebody_changed_is_put_back_at_once_and_no_pod_restarts_with_it() {
    let mut tampered = observed(3, 3);
    tampered.groups[0].live.as_mut().unwrap().template = Template::Tampered;
    outdated(&mut tampered)[0].ready = false;
    let plan = plan(&tampered);
    assert!(plan.groups[0].write_template);
    assert_eq!((plan.restart, plan.holds), (None, vec![]));
}

#[test]
fn no_pod_restarts_with_a_template_that_is_not_wanted_any_more() {
    let mut changed = observed(3, 3);
    changed.groups[0].live.as_mut().unwrap().template = Template::Outdated;
    outdated(&mut changed)[0].ready = false;
    let plan = plan(&changed);
    assert_eq!((plan.restart.clone(), reasons(&plan)), (None, vec!["RolloutWaits"]));
}

#[test]
fn a_new_stateful_set_gets_its_template_at_once() {
    let mut new = observed(3, 0);
    new.groups[0].live = None;
    assert!(plan(&new).groups[0].write_template);
}

#[test]
fn ready_nodes_restart_from_the_highest_ordinal_when_all_others_are_ready() {
    let mut rollout = observed(3, 3);
    outdated(&mut rollout);
    let restart = plan(&rollout).restart;
    assert_eq!(restart, Some(Restart { pod: "demo-peer-2".into(), uid: "peer-2".into() }));
    rollout.groups[0].nodes[2] = Node { ready: false, ..observed(3, 3).groups[0].nodes[2].clone() };
    let held = plan(&rollout);
    assert_eq!((held.restart.clone(), reasons(&held)), (None, vec!["RestartWaits"]));
}

#[test]
fn a_node_that_serves_nobody_restarts_first() {
    let mut rollout = observed(3, 3);
    outdated(&mut rollout)[0].ready = false;
    assert_eq!(plan(&rollout).restart.unwrap().pod, "demo-peer-0");
    outdated(&mut rollout)[0].ready = true;
    rollout.groups[0].nodes[1].banned = true;
    rollout.groups[0].nodes[1].ready = false;
    assert_eq!(plan(&rollout).restart.unwrap().pod, "demo-peer-1");
}

#[test]
fn a_template_that_does_not_work_reaches_one_node_only() {
    let mut rollout = observed(3, 3);
    for node in outdated(&mut rollout) {
        node.ready = false;
    }
    rollout.groups[0].nodes[2].revision = Some("new".into());
    let held = plan(&rollout);
    assert_eq!((held.restart.clone(), reasons(&held)), (None, vec!["RestartWaits"]));
}

#[test]
fn a_banned_node_holds_up_no_rollout() {
    let mut rollout = observed(3, 3);
    outdated(&mut rollout);
    rollout.groups[0].nodes[0] = Node { banned: true, ready: false, ..observed(3, 3).groups[0].nodes[0].clone() };
    assert_eq!(plan(&rollout).restart.unwrap().pod, "demo-peer-2");
}

#[test]
fn nothing_restarts_before_the_new_revision_is_known() {
    let mut rollout = observed(3, 3);
    outdated(&mut rollout);
    rollout.groups[0].live.as_mut().unwrap().settled = false;
    let held = plan(&rollout);
    assert_eq!((held.restart.clone(), reasons(&held)), (None, vec!["RestartWaits"]));
}

#[test]
fn long_lists_in_messages_are_cut() {
    let names: Vec<String> = (0..13).map(|n| format!("n{n}")).collect();
    let hold = Hold::Rollout { group: "peer".into(), waits_for: names };
    assert!(hold.to_string().ends_with("n8, n9 and 3 more"), "{hold}");
}

fn any_node(group: &'static str, ordinal: i32) -> impl Strategy<Value = Node> {
    (any::<[bool; 5]>(), prop_oneof!["old", "new"]).prop_map(
        move |([ready, deleting, banned, broken, seals], revision)| Node {
            name: format!("demo-{group}-{ordinal}"),
            uid: format!("{group}-{ordinal}"),
            ordinal,
            revision: Some(revision),
            ready,
            deleting,
            banned,
            broken: broken && !ready,
            seals,
        },
    )
}

fn any_template() -> impl Strategy<Value = Template> {
    prop_oneof![Just(Template::Wanted), Just(Template::Tampered), Just(Template::Outdated)]
}

fn any_group(name: &'static str) -> impl Strategy<Value = Group> {
    let nodes: Vec<_> = (0..4).map(|ordinal| prop::option::weighted(0.8, any_node(name, ordinal))).collect();
    (0..4_i32, prop::option::of((0..5_i32, any_template(), any::<bool>())), nodes).prop_map(
        move |(desired, live, nodes)| Group {
            name: name.to_owned(),
            stateful_set: format!("demo-{name}"),
            desired,
            live: live.map(|(replicas, template, settled)| LiveSet {
                replicas,
                template,
                settled,
                update_revision: Some("new".to_owned()),
            }),
            nodes: nodes.into_iter().flatten().collect(),
        },
    )
}

proptest! {
    #[test]
    fn no_plan_takes_away_more_than_one_node_at_a_time(a in any_group("a"), b in any_group("b")) {
        let observed = Observed { groups: vec![a, b] };
        let plan = plan(&observed);
        let mut taken = usize::from(plan.restart.is_some());
        for planned in &plan.groups {
            let group = observed.groups.iter().find(|group| group.stateful_set == planned.stateful_set).unwrap();
            let live = group.live.as_ref().map_or(0, |live| live.replicas);
            prop_assert!(planned.replicas >= live - 1 && planned.replicas >= group.desired.min(live));
            taken += usize::from(planned.replicas < live);
        }
        prop_assert!(taken <= 1);
    }

    #[test]
    fn a_serving_node_is_restarted_only_when_every_other_serves_or_is_banned(a in any_group("a"), b in any_group("b")) {
        let observed = Observed { groups: vec![a, b] };
        let Some(restart) = plan(&observed).restart else { return Ok(()) };
        let wanted = |group: &Group| group.live.as_ref().is_none_or(|live| live.template == Template::Wanted);
        prop_assert!(observed.groups.iter().filter(|group| group.desired > 0).all(wanted));
        let nodes: Vec<&Node> = observed.nodes().collect();
        let chosen = nodes.iter().find(|node| node.uid == restart.uid).unwrap();
        prop_assert!(observed.is_outdated(chosen) && !chosen.deleting);
        if chosen.serves() {
            prop_assert!(nodes.iter().all(|node| node.uid == restart.uid || node.banned || node.ready && !node.deleting));
            prop_assert!(observed.missing().is_empty());
        }
    }
}

#[test]
fn a_node_that_seals_stays_until_the_sealers_have_let_it_go() {
    let mut shrinking = observed(1, 3);
    shrinking.groups[0].nodes[2].seals = true;
    let held = plan(&shrinking);
    assert_eq!((only_replicas(&held), reasons(&held)), (3, vec!["SealerLeaves"]));
    assert!(held.holds[0].to_string().contains("demo-peer-2"), "{}", held.holds[0]);

    shrinking.groups[0].nodes[2].seals = false;
    assert_eq!(only_replicas(&plan(&shrinking)), 2);
}

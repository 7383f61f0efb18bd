//! What a plan is made from.

/// A network's StatefulSets and pods.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Observed {
    /// Every group that the network wants, or that still has a StatefulSet.
    pub groups: Vec<Group>,
}

/// One node group.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Group {
    /// Name of the group.
    pub name: String,
    /// Name of its StatefulSet.
    pub stateful_set: String,
    /// Nodes wanted; zero when the network does not want the group any more.
    pub desired: i32,
    /// The StatefulSet, unless it does not exist yet.
    pub live: Option<LiveSet>,
    /// Its pods.
    pub nodes: Vec<Node>,
}

/// A StatefulSet.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LiveSet {
    /// Replicas that it asks for.
    pub replicas: i32,
    /// How its template stands to the one that the network wants.
    pub template: Template,
    /// Its controller has seen its newest generation, so that the revision is the template's.
    pub settled: bool,
    /// Revision of its template.
    pub update_revision: Option<String>,
}

/// How a live template stands to the one that the network wants.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Template {
    /// It is the one.
    #[default]
    Wanted,
    /// It was the one, and somebody changed it: putting it back concerns no pod.
    Tampered,
    /// The network wants another by now: putting it in place is the beginning of a rollout.
    Outdated,
}

/// A pod.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Node {
    /// Name of the pod.
    pub name: String,
    /// UID of the pod.
    pub uid: String,
    /// Its place in its group.
    pub ordinal: i32,
    /// Revision of the template that it was made from.
    pub revision: Option<String>,
    /// It is Ready.
    pub ready: bool,
    /// It is on its way out.
    pub deleting: bool,
    /// It is banned: it will not be Ready, and nobody waits for it.
    pub banned: bool,
    /// It does not start, and waiting does not help: nobody waits for it where waiting would be for ever.
    pub broken: bool,
    /// It is of the group that seals the registers, which needs it until it has taken another.
    pub seals: bool,
}

impl Node {
    /// Somebody would miss it.
    pub(super) const fn serves(&self) -> bool {
        self.ready && !self.banned
    }

    /// It is on its way up or down.
    const fn is_disturbed(&self) -> bool {
        self.deleting || !self.ready && !self.banned && !self.broken
    }
}

impl Observed {
    /// Nodes are being added, removed or restarted.
    #[must_use]
    pub fn in_transition(&self) -> bool {
        let resizing = |group: &Group| group.live.as_ref().map_or(0, |live| live.replicas) != group.desired;
        self.groups.iter().any(resizing)
            || !self.missing().is_empty()
            || self.nodes().any(|node| node.deleting)
            || self.outdated().next().is_some()
    }

    /// Every pod.
    pub(super) fn nodes(&self) -> impl Iterator<Item = &Node> {
        self.groups.iter().flat_map(|group| &group.nodes)
    }

    /// Pods that do not run from their group's newest template.
    pub(super) fn outdated(&self) -> impl Iterator<Item = &Node> {
        self.nodes().filter(|node| !node.deleting && self.is_outdated(node))
    }

    pub(super) fn is_outdated(&self, node: &Node) -> bool {
        let group = self.groups.iter().find(|group| group.nodes.iter().any(|other| other.uid == node.uid));
        let revision = group.and_then(|group| group.live.as_ref()?.update_revision.as_ref());
        revision.is_some_and(|revision| node.revision.as_ref() != Some(revision))
    }

    /// Nodes that are on their way up or down, or not there yet.
    pub(super) fn disturbed(&self) -> Vec<String> {
        let on_their_way = self.nodes().filter(|node| node.is_disturbed()).map(|node| node.name.clone());
        self.missing().into_iter().chain(on_their_way).collect()
    }

    /// [`Self::disturbed`], but for the nodes of one StatefulSet that are to go, unless one is going already.
    pub(super) fn disturbed_but_for(&self, stateful_set: &str, desired: i32) -> Vec<String> {
        let to_go = |group: &Group, node: &Node| group.stateful_set == stateful_set && node.ordinal >= desired;
        let disturbed = self.groups.iter().flat_map(|group| {
            let matters = move |node: &&Node| node.deleting || node.is_disturbed() && !to_go(group, node);
            group.nodes.iter().filter(matters).map(|node| node.name.clone())
        });
        let beyond = self.groups.iter().flat_map(|group| {
            let replicas = group.live.as_ref().map_or(0, |live| live.replicas);
            group
                .nodes
                .iter()
                .filter(move |node| node.ordinal >= replicas && !node.deleting)
                .map(|node| node.name.clone())
        });
        disturbed.chain(beyond).collect()
    }

    /// Nodes that their StatefulSet has not made yet.
    pub(super) fn missing(&self) -> Vec<String> {
        let missing = self.groups.iter().flat_map(|group| {
            let replicas = group.live.as_ref().map_or(0, |live| live.replicas);
            (0..replicas)
                .filter(|ordinal| group.nodes.iter().all(|node| node.ordinal != *ordinal))
                .map(|ordinal| format!("{}-{ordinal}", group.stateful_set))
        });
        missing.collect()
    }
}

//! Why something that should be done is not done yet.

/// How many names a message lists.
const NAMES: usize = 10;

/// Something that waits, with what it waits for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Hold {
    /// A group is larger than it should be, and shrinks one node at a time.
    #[error("group {group} goes from {from} to {to} nodes one at a time; waits for {}", list(waits_for))]
    ScaleDown {
        /// The group.
        group: String,
        /// Replicas now.
        from: i32,
        /// Replicas wanted.
        to: i32,
        /// Nodes that are on their way up or down; nothing while the last step is under way.
        waits_for: Vec<String>,
    },
    /// The next node of a group that shrinks still seals: the group of sealers would lose it unprepared.
    #[error(
        "group {group} keeps {node} until it has left the sealers; they change by themselves unless spec.sealing.sealers \
         asks for more than are left"
    )]
    SealerLeaves {
        /// The group.
        group: String,
        /// The node.
        node: String,
    },
    /// A group's pods are to run from another template, which is not written yet.
    #[error("the new template of group {group} waits for {}", list(waits_for))]
    Rollout {
        /// The group.
        group: String,
        /// What has to settle first.
        waits_for: Vec<String>,
    },
    /// A pod still runs from the old template.
    #[error("the restart of {pod} waits for {}", list(waits_for))]
    Restart {
        /// The pod, or the group when that is not known yet.
        pod: String,
        /// Nodes that have to be Ready first.
        waits_for: Vec<String>,
    },
    /// The API server refused to evict a pod for now.
    #[error("the restart of {pod} waits: a PodDisruptionBudget does not allow it now")]
    DisruptionBudget {
        /// The pod.
        pod: String,
    },
    /// An object that the network needs is somebody else's.
    #[error("{kind} {name} exists and is not this network's: delete or rename it, or choose another network name")]
    NameCollision {
        /// Kind of the object.
        kind: String,
        /// Its name.
        name: String,
    },
}

impl Hold {
    /// Name of the hold: reason of conditions and Events, label of the metric.
    #[must_use]
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::ScaleDown { .. } => "ScaleDownWaits",
            Self::SealerLeaves { .. } => "SealerLeaves",
            Self::Rollout { .. } => "RolloutWaits",
            Self::Restart { .. } => "RestartWaits",
            Self::DisruptionBudget { .. } => "DisruptionBudget",
            Self::NameCollision { .. } => "NameCollision",
        }
    }

    /// Every name that [`Self::reason`] gives.
    pub const REASONS: [&str; 6] =
        ["ScaleDownWaits", "SealerLeaves", "RolloutWaits", "RestartWaits", "DisruptionBudget", "NameCollision"];
}

/// Names in a message, at most ten.
pub(crate) fn list(names: &[String]) -> String {
    match names.get(NAMES..) {
        None | Some([]) if names.is_empty() => "the step under way".to_owned(),
        None | Some([]) => names.join(", "),
        Some(more) => {
            let shown: Vec<&str> = names.iter().take(NAMES).map(String::as_str).collect();
            format!("{} and {} more", shown.join(", "), more.len())
        }
    }
}

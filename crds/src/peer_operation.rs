//! `PeerOperation`: a piece of work that is done once. `kubectl create` orders it, and it never runs twice.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    register_subscription::NetworkRef,
    schema::{conditions, words},
};

/// Work on one network: exactly one of the kinds below, today forceSealer alone.
#[derive(CustomResource, KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[kube(
    group = "peerwright.dev",
    version = "v1alpha1",
    kind = "PeerOperation",
    doc = "Work that is done once on a network. It cannot change, and never runs twice: create another one to do it again.",
    namespaced,
    status = "PeerOperationStatus",
    derive = "PartialEq",
    shortname = "pop",
    category = "peerwright",
    selectable = ".spec.networkRef.name",
    printcolumn(
        name = "Network",
        type_ = "string",
        json_path = ".spec.networkRef.name",
        description = "Network that it is about"
    ),
    printcolumn(name = "Kind", type_ = "string", json_path = ".status.kind", description = "What is done"),
    printcolumn(name = "Target", type_ = "string", json_path = ".status.target", description = "Whom it is done to"),
    printcolumn(name = "Phase", type_ = "string", json_path = ".status.phase", description = "How far it is"),
    printcolumn(
        name = "Reason",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Complete\")].reason",
        description = "Why it is complete or not",
        priority = 1
    ),
    printcolumn(
        name = "Completed",
        type_ = "string",
        json_path = ".status.completedAt",
        description = "When it ended",
        priority = 1
    ),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    validation = Rule::new("self.spec == oldSelf.spec")
        .message("an operation cannot change: delete it and create another"),
)]
#[x_kube(
    validation = Rule::new("[has(self.forceSealer)].exists_one(given, given)")
        .message("write exactly one kind of work: forceSealer"),
    validation = Rule::new("!has(self.forceSealer) || self.forceSealer.node.startsWith(self.networkRef.name + '-')")
        .message("forceSealer.node names a node of the network in networkRef: write <network>-<group>-<number>, as in demo-peer-2"),
)]
#[serde(rename_all = "camelCase")]
pub struct PeerOperationSpec {
    /// Network in the same namespace.
    pub network_ref: NetworkRef,

    /// One sealer goes on alone, because most of the network's sealers are lost for good and no docket can be certified
    /// any more. The others are taken in anew afterwards, as new sealers are. Refused while a majority of the sealers answers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub force_sealer: Option<ForceSealer>,
}

/// Which sealer goes on.
#[derive(KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ForceSealer {
    /// Name of the sealer that has kept its volume and goes on, as in demo-peer-2.
    #[schemars(length(max = 63))]
    #[x_kube(validation = Rule::new(crate::schema::NODE_RULE).message(crate::schema::NODE_MESSAGE))]
    pub node: String,

    /// That this is known: dockets that only the lost sealers hold are lost, and so is what waits on them alone;
    /// registers whose authority is a lost node's key, or nobody's in the network, are never sealed again; those of the
    /// network's authority, which is that of every register begun without another, are. WhatOnlyLostSealersHold, word for
    /// word.
    pub accept_data_loss: AcceptDataLoss,
}

/// The word by which a person accepts what may be lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum AcceptDataLoss {
    /// What no other node holds.
    WhatOnlyLostSealersHold,
}
words!(AcceptDataLoss: WhatOnlyLostSealersHold);

/// How far an operation is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum OperationPhase {
    /// It has not begun; why, the condition Complete says.
    Pending,
    /// It has begun, and goes on until it has succeeded.
    Running,
    /// It is done.
    Succeeded,
    /// It was refused, and nothing was done.
    Refused,
}
words!(OperationPhase: Pending, Running, Succeeded, Refused);

impl OperationPhase {
    /// Whether nothing happens any more.
    pub const fn is_over(self) -> bool {
        matches!(self, Self::Succeeded | Self::Refused)
    }
}

/// What became of the operation.
#[derive(JsonSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PeerOperationStatus {
    /// Generation of the spec that this status speaks of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,

    /// What is done, in one word.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32))]
    pub kind: Option<String>,

    /// Whom it is done to.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 63))]
    pub target: Option<String>,

    /// How far it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub phase: Option<OperationPhase>,

    /// When it began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String", length(max = 35))]
    pub started_at: Option<Time>,

    /// When it ended: done, or refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String", length(max = 35))]
    pub completed_at: Option<Time>,

    /// What forceSealer comes to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub force_sealer: Option<ForceSealerStatus>,

    /// Complete: it is done; False says why it has not begun, was refused, or still goes on.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "conditions")]
    pub conditions: Vec<Condition>,
}

/// Who goes on without whom, and what that may cost.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ForceSealerStatus {
    /// UID of the network: another one of its name has nothing to do with this.
    #[schemars(length(max = 64))]
    pub network_uid: String,

    /// Number of the sealing group that the sealer begins: the network's first has 0.
    pub generation: i64,

    /// Peer id of the sealer that goes on.
    #[schemars(length(max = 64))]
    pub survivor: String,

    /// Peer ids of the sealers that did not answer when it began. They are shut out for as long as this operation exists.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32), inner(length(max = 64)))]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub lost: Vec<String>,

    /// What may be lost: registers of which some node was known to hold more than the sealer that goes on, when it began.
    /// What nodes hold that can be reached is fetched from them first. The first 64; those that lack most come first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["registerId".into()]))]
    pub at_risk: Vec<RegisterAtRisk>,

    /// Registers that nobody seals any more, because their authority has not signed: it is lost with its node, or kept
    /// elsewhere. They stay readable, and others have to be begun in their place. The first 64.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64), inner(length(max = 32)))]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub stranded: Vec<String>,
}

/// A register of which something may be lost.
#[derive(JsonSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RegisterAtRisk {
    /// The register.
    #[schemars(length(max = 32))]
    pub register_id: String,

    /// Dockets that the sealer holds which goes on.
    pub survivor_dockets: i64,

    /// The most dockets that any node said to hold.
    pub highest_dockets: i64,

    /// The node that said so.
    #[schemars(length(max = 63))]
    pub highest_node: String,
}

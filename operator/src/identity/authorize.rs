//! The one rule that decides whether the pod behind a token is a member of a network. Pure.

use super::{NetworkFacts, Refusal};

/// What the API server vouches for about a token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claims {
    /// Audiences that the token and the review have in common.
    pub audiences: Vec<String>,
    /// Namespace of the ServiceAccount.
    pub namespace: String,
    /// Name of the ServiceAccount.
    pub service_account: String,
    /// The pod that the token is bound to.
    pub pod_name: String,
    /// UID of that pod.
    pub pod_uid: String,
}

/// What the API server says about the pod that a token names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PodFacts {
    /// Name of the pod.
    pub name: String,
    /// UID of the pod that has the name now.
    pub uid: String,
    /// It is being deleted.
    pub deleting: bool,
    /// The ServiceAccount that it runs as.
    pub service_account: String,
    /// What controls it.
    pub controller: Option<ControllerFacts>,
    /// UID of the volume claim that holds the node's key.
    pub claim_uid: Option<String>,
}

/// The controller of a pod, one variant for each member class.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ControllerFacts {
    /// A StatefulSet: the UID that the pod names, and what has that name now.
    StatefulSet {
        /// UID in the pod's owner reference.
        referenced_uid: String,
        /// The set as it is now, if it still exists.
        live: Option<StatefulSetFacts>,
    },
    /// Any other kind: no rule admits it.
    Other,
}

/// A StatefulSet that exists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatefulSetFacts {
    /// Its name.
    pub name: String,
    /// Its UID.
    pub uid: String,
    /// UID of the object that controls it.
    pub controller_uid: Option<String>,
}

/// A pod that may have a member certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// Name of the pod, which is the node's name.
    pub pod: String,
    /// Its node group.
    pub group: String,
    /// Its place in the group.
    pub ordinal: u32,
    /// UID of the volume claim that holds its key.
    pub claim_uid: String,
}

/// Decides whether the bearer of a token is a member of `network`.
///
/// `pod` is what the API server has under the token's pod name; `None` when there is nothing.
///
/// # Errors
/// The first rule that the bearer fails.
pub fn authorize(claims: &Claims, pod: Option<&PodFacts>, network: &NetworkFacts) -> Result<Member, Refusal> {
    let refuse_unless = |holds: bool, refusal| if holds { Ok(()) } else { Err(refusal) };
    refuse_unless(!network.deleting, Refusal::NetworkUnknown)?;
    refuse_unless(claims.audiences.contains(&network.certify_audience), Refusal::AudienceMismatch)?;
    refuse_unless(claims.namespace == network.key.namespace, Refusal::NotAMember)?;
    let pod = pod.filter(|pod| pod.name == claims.pod_name && pod.uid == claims.pod_uid).ok_or(Refusal::PodGone)?;
    refuse_unless(!pod.deleting, Refusal::PodDeleting)?;
    let account = network.service_account.as_str();
    refuse_unless(
        claims.service_account == account && pod.service_account == account,
        Refusal::ServiceAccountMismatch,
    )?;
    match &pod.controller {
        Some(ControllerFacts::StatefulSet { referenced_uid, live: Some(set) }) if set.uid == *referenced_uid => {
            stateful_set_member(pod, set, network)
        }
        _ => Err(Refusal::NotAMember),
    }
}

/// The rule of the class StatefulSet: pod -> set -> network, and an ordinal that the group wants.
fn stateful_set_member(pod: &PodFacts, set: &StatefulSetFacts, network: &NetworkFacts) -> Result<Member, Refusal> {
    if set.controller_uid.as_ref() != Some(&network.key.uid) {
        return Err(Refusal::NotAMember);
    }
    let group = network.groups.iter().find(|group| group.stateful_set == set.name);
    let group = group.ok_or(Refusal::NotAMember)?;
    let ordinal = pod.name.strip_prefix(&set.name).and_then(|rest| rest.strip_prefix('-')).and_then(canonical_ordinal);
    let ordinal = ordinal.ok_or(Refusal::NotAMember)?;
    if ordinal >= group.replicas {
        return Err(Refusal::OrdinalOutOfRange);
    }
    let claim_uid = pod.claim_uid.clone().ok_or(Refusal::NotAMember)?;
    Ok(Member { pod: pod.name.clone(), group: group.name.clone(), ordinal, claim_uid })
}

/// An ordinal as the StatefulSet controller writes it: decimal, no sign, no leading zero.
fn canonical_ordinal(text: &str) -> Option<u32> {
    text.parse().ok().filter(|ordinal: &u32| ordinal.to_string() == text)
}

#[cfg(test)]
#[path = "authorize_tests.rs"]
mod tests;

//! Why a call of a node was refused: code on the wire, metric label and message are one value.

use thiserror::Error;
use tonic::{Code, Status, metadata::MetadataValue};

/// A typed refusal of the node service.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Refusal {
    /// Another replica leads; the node dials every address and stays with the leader.
    #[error("this replica does not lead: try another address of the operator's Service")]
    NotLeader,
    /// Not a token that the API server vouches for, or one that is not bound to a pod.
    #[error("the API server does not vouch for this token as one that is bound to a pod")]
    TokenInvalid,
    /// The token is for another purpose or another network.
    #[error("the token's audience must be `<trust domain>/certify` of the pod's network")]
    AudienceMismatch,
    /// The pod of the token does not exist any more.
    #[error("the token's pod does not exist any more under this UID")]
    PodGone,
    /// The pod of the token is on its way out.
    #[error("the token's pod is being deleted")]
    PodDeleting,
    /// The pod runs as somebody else.
    #[error("the token and its pod must use the network's ServiceAccount")]
    ServiceAccountMismatch,
    /// Nothing of this network controls the pod.
    #[error("the pod is not controlled by a StatefulSet of this network")]
    NotAMember,
    /// The pod's ordinal is past what its group wants.
    #[error("the pod's ordinal is not among the replicas that its node group wants")]
    OrdinalOutOfRange,
    /// The volume claim belongs to another peer id, or the peer id to another claim.
    #[error("this volume claim is recorded with another peer id: the node's key changed or was copied")]
    IdentityChanged,
    /// The peer is banned; it asks again and succeeds after the ban.
    #[error("this peer is banned")]
    Banned,
    /// The request is malformed, its signature is wrong, or its key is not P-256.
    #[error("the certificate signing request must be PKCS #10 in DER, signed by its own P-256 key")]
    CsrInvalid,
    /// A signature of the node key is wrong.
    #[error("the node key's signature over the TLS key, the token and the network UID does not verify")]
    ProofInvalid,
    /// No network here has what the caller names, or it is being deleted.
    #[error("no network here has this trust domain, or it is being deleted")]
    NetworkUnknown,
    /// Keys, snapshot or API server are not to be had right now.
    #[error("the network's certificate authority is not available right now: try again")]
    CaUnavailable,
    /// The caller needs the certificate that it did not present.
    #[error("this call needs a member certificate")]
    CertificateRequired,
    /// Nobody has ordered what the caller asks to be signed.
    #[error("the snapshot in force does not let the caller go on without the other sealers")]
    NotOrdered,
    /// The caller broke the protocol or a bound.
    #[error("the message is malformed or over a bound")]
    Malformed,
    /// Too many calls at once, or from one address.
    #[error("too many requests: try again later")]
    Overloaded,
    /// The connection rests on a leaf that has ended or was replaced.
    #[error("the certificate of this connection has ended or was replaced: dial anew with the new one")]
    LeafEnded,
    /// The stream was replaced by a newer one of the same node.
    #[error("a newer stream of this node took over")]
    Superseded,
    /// Nothing was heard for three heartbeats, or the reader is too slow.
    #[error("nothing was heard for three heartbeats")]
    Silent,
}

/// Metadata key that carries [`Refusal::code`].
pub const REFUSAL_METADATA: &str = "peerwright-refusal";

impl Refusal {
    /// The code on the wire, which is the metric label too.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::NotLeader => "not_leader",
            Self::TokenInvalid => "token_invalid",
            Self::AudienceMismatch => "audience_mismatch",
            Self::PodGone => "pod_gone",
            Self::PodDeleting => "pod_deleting",
            Self::ServiceAccountMismatch => "service_account_mismatch",
            Self::NotAMember => "not_a_member",
            Self::OrdinalOutOfRange => "ordinal_out_of_range",
            Self::IdentityChanged => "identity_changed",
            Self::Banned => "banned",
            Self::CsrInvalid => "csr_invalid",
            Self::ProofInvalid => "proof_invalid",
            Self::NetworkUnknown => "network_unknown",
            Self::CaUnavailable => "ca_unavailable",
            Self::CertificateRequired => "certificate_required",
            Self::NotOrdered => "not_ordered",
            Self::Malformed => "malformed",
            Self::Overloaded => "overloaded",
            Self::LeafEnded => "leaf_ended",
            Self::Superseded => "superseded",
            Self::Silent => "silent",
        }
    }

    const fn status_code(self) -> Code {
        match self {
            Self::NotLeader | Self::NotOrdered => Code::FailedPrecondition,
            Self::TokenInvalid | Self::CertificateRequired | Self::LeafEnded => Code::Unauthenticated,
            Self::CaUnavailable => Code::Unavailable,
            Self::Malformed => Code::InvalidArgument,
            Self::Overloaded => Code::ResourceExhausted,
            Self::Superseded => Code::Aborted,
            Self::Silent => Code::DeadlineExceeded,
            _ => Code::PermissionDenied,
        }
    }
}

impl From<Refusal> for Status {
    fn from(refusal: Refusal) -> Self {
        let mut status = Self::new(refusal.status_code(), refusal.to_string());
        status.metadata_mut().insert(REFUSAL_METADATA, MetadataValue::from_static(refusal.code()));
        status
    }
}

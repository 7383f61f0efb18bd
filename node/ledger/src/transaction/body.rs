//! What a transaction says.

use crate::{RegisterId, TransactionId};
use bytes::Bytes;
use peerwright_secure::{NodePublicKey, sha256};
use std::collections::{BTreeMap, BTreeSet};

/// What a transaction's author signs. Sets and maps where order means nothing, so that one meaning has one encoding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TransactionBody {
    /// The register that it is for.
    pub register: RegisterId,
    /// The transaction that it follows.
    pub previous: Option<TransactionId>,
    /// Who signs it: a client, or the node that accepted it for one.
    pub author: NodePublicKey,
    /// The token's subject, when a node signs for a client.
    pub subject: Option<String>,
    /// Whom it is addressed to; the names are the application's.
    pub recipients: BTreeSet<String>,
    /// When it was made, unix microseconds.
    pub created_at_micros: u64,
    /// When it ceases to be acceptable to a register that does not hold it yet, unix microseconds.
    pub valid_until_micros: u64,
    /// What it is for.
    pub kind: Kind,
    /// Its place in a workflow.
    pub metadata: Metadata,
    /// Its contents.
    pub payloads: Vec<Payload>,
}

/// What a transaction is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// Governs the register.
    Control,
    /// A step of a workflow, or any entry of an application.
    Action,
    /// Records a docket.
    Docket,
    /// Records a participant.
    Participant,
}

/// A transaction's place in a workflow; nodes carry it and do not interpret it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Metadata {
    /// The workflow's definition.
    pub blueprint: Option<String>,
    /// The run of the workflow.
    pub instance: Option<String>,
    /// The step that was taken.
    pub action: Option<String>,
    /// The step that follows.
    pub next_action: Option<String>,
    /// Values to find the transaction by.
    pub tracking: BTreeMap<String, String>,
}

/// One content of a transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Payload {
    /// Who can read it; the names are the application's. Empty: everybody.
    pub access: BTreeSet<String>,
    /// Media type of the data, as the application says; may be empty.
    pub content_type: String,
    /// How the data is encoded, as the application says; may be empty.
    pub content_encoding: String,
    /// What a reader needs to decrypt the data.
    pub challenge: Option<Bytes>,
    data: Bytes,
    hash: [u8; 32],
}

impl Payload {
    /// A payload that everybody can read and of which nothing is said.
    #[must_use]
    pub fn new(data: impl Into<Bytes>) -> Self {
        let data = data.into();
        let hash = sha256(&data);
        Self::with_hash(data, hash)
    }

    /// A payload whose hash is yet to be compared.
    pub(super) const fn with_hash(data: Bytes, hash: [u8; 32]) -> Self {
        Self {
            access: BTreeSet::new(),
            content_type: String::new(),
            content_encoding: String::new(),
            challenge: None,
            data,
            hash,
        }
    }

    /// The data.
    #[must_use]
    pub const fn data(&self) -> &Bytes {
        &self.data
    }

    /// SHA-256 of the data.
    #[must_use]
    pub const fn hash(&self) -> &[u8; 32] {
        &self.hash
    }

    pub(super) fn matches_its_hash(&self) -> bool {
        sha256(&self.data) == self.hash
    }
}

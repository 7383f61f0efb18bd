//! The register's contents: what is signed, stored and spread.
//!
//! ```text
//! TransactionBody --sign, by its author--> Transaction                 id = SHA-256 of everything but the signature
//!                                              | bytes
//!                                              v
//! MessageBody { origin, sequence, register, entries } --sign, by its origin--> Message
//!                                              one entry a transaction; a large one is announced by id and size
//!
//! GenesisRecord --> Docket 0 <-- Docket 1 <-- Docket 2 ...      Chain: verifies each, forms the next
//!                                DocketHeader, DocketBody of transactions, CommitCertificate
//! ```
//!
//! A transaction says what its author wants recorded. A [message] carries transactions of one register from
//! the node that accepted them: it is the unit that is signed by its origin, and gossiped. A [docket] carries those that a
//! [register] has taken for good, in the order that its sealers agreed upon; a [chain] is a register as far as one has
//! verified it.
//!
//! Both keep the bytes that were received and read their long fields in place, so storing and forwarding never encode
//! again. Decoding accepts canonical bytes within the limits only: an id names one sequence of bytes.

pub mod chain;
pub mod docket;
mod equivocation;
mod fork;
mod identifiers;
pub mod merkle;
pub mod message;
mod refusal;
pub mod register;
mod transaction;

pub use chain::{Chain, Head, Proposal, SealedDocket, endorse, named_sealers, seal_genesis};
pub use docket::{
    CertificateRefused, CommitCertificate, Docket, DocketBody, DocketHeader, DocketRefused, SealerSet, Verify,
    verify_body,
};
pub use equivocation::{Contradiction, EquivocationProof, MAX_PROOF_BYTES, ProofRefused};
pub use fork::{CertifiedHeader, ForkProof, ForkProofRefused, MAX_FORK_PROOF_BYTES};
pub use identifiers::{DocketHash, RegisterId, TransactionId};
pub use merkle::{ConsistencyBuilder, ConsistencyProof, Frontier, InclusionProof, LeafHash, MerkleRoot, merkle_root};
pub use message::{Entry, Message, MessageBody, MessageHeader, MessageId, MessageRefused};
pub use refusal::Refusal;
pub use register::{Attestation, ControlRecord, ControlRefused, GenesisHash, GenesisRecord, RegisterPolicy, Role};
pub use transaction::{
    DEFAULT_LIFETIME_MICROS, Kind, Limits, MAX_LIST_ITEMS, MAX_NAME_BYTES, MAX_PAYLOADS, MAX_TRACKING_VALUE_BYTES,
    MAX_TRANSACTION_BYTES, Metadata, Payload, Transaction, TransactionBody, TransactionView,
};

#[cfg(test)]
mod tests;

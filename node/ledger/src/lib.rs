//! The register's contents: what is signed, stored and spread.
//!
//! ```text
//! TransactionBody --sign, by its author--> Transaction                 id = SHA-256 of everything but the signature
//!                                              | bytes
//!                                              v
//! MessageBody { origin, sequence, register, entries } --sign, by its origin--> Message
//!                                              one entry a transaction; a large one is announced by id and size
//! ```
//!
//! A transaction says what its author wants recorded. A [message] carries transactions of one register from
//! the node that accepted them: it is the unit that is signed by its origin, stored and replicated.
//!
//! Both keep the bytes that were received and read their long fields in place, so storing and forwarding never encode
//! again. Decoding accepts canonical bytes within the limits only: an id names one sequence of bytes.

mod equivocation;
mod identifiers;
pub mod message;
mod refusal;
mod transaction;

pub use equivocation::{Contradiction, EquivocationProof, MAX_PROOF_BYTES, ProofRefused};
pub use identifiers::{DocketHash, RegisterId, TransactionId};
pub use message::{Entry, Message, MessageBody, MessageHeader, MessageId, MessageRefused};
pub use refusal::Refusal;
pub use transaction::{
    DEFAULT_LIFETIME_MICROS, Kind, Limits, MAX_LIST_ITEMS, MAX_NAME_BYTES, MAX_PAYLOADS, MAX_TRACKING_VALUE_BYTES,
    MAX_TRANSACTION_BYTES, Metadata, Payload, Transaction, TransactionBody,
};

#[cfg(test)]
mod tests;

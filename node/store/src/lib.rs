//! What a node keeps on its volume: the messages it has accepted or received, an index by transaction, the bodies of
//! large transactions, and the incarnation.
//!
//! ```text
//!  append, put_body, purge ─▶ queue (bounded) ─▶ writer: one database transaction, one fsync ─▶ all answered
//!  held, read, list, ...   ─▶ reader pool ─▶ answered from the last commit
//! ```
//!
//! [`Store`] is the contract, [`Memory`] its model (and the store of a network that runs in one process for a first
//! look), [`Sqlite`] the store of a node. What a writing call has answered is on the disk and survives `kill -9` and
//! loss of power; what was not answered may or may not be there.
//!
//! A message is known by (origin, incarnation, sequence) and, within a register, by (origin, incarnation, register
//! sequence). The store keeps the ranges of register sequences that it holds beside the messages, so that a node can
//! tell another what it holds without reading them.

mod contract;
mod error;
mod filesystem;
mod memory;
mod message;
mod sqlite;
mod values;

pub use contract::{Failure, Pending, Store};
pub use error::StoreError;
pub use memory::Memory;
pub use peerwright_engine::{Held, MessageRange};
pub use sqlite::Sqlite;
pub use values::{Appended, Counts, ListedTransaction, Purged, StoredTransaction};

/// How much of a body one row of the store, and one chunk on a link, holds.
pub const BODY_CHUNK_BYTES: usize = 64 * 1024;

#[cfg(test)]
mod tests;

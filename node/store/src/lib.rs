//! What a node keeps, on its volume or in a database: the dockets of registers with an index by transaction, the log of
//! the sealing group, the messages it has accepted or received, the bodies of large transactions, and the incarnation.
//!
//! ```text
//!  append, extend, apply, purge ─▶ queue (bounded) ─▶ writer: one database transaction, one fsync ─▶ all answered
//!  held, read, dockets, find    ─▶ reader pool ─▶ answered from the last commit
//! ```
//!
//! [`Store`], [`DocketStore`] and [`SealingStore`] are the contracts, [`Memory`] their model (and the store of a network
//! that runs in one process for a first look), [`Sqlite`] the store of a node on its volume and [`Postgres`] one in a
//! database. What a writing call has answered is on the disk and survives `kill -9` and loss of power; what was not
//! answered may or may not be there.
//!
//! A docket is a row for its header and a blob for its body, and it is stored in one database transaction with the
//! checkpoint of its register, so that a node goes on exactly where it was. Where a transaction is, an index tells that is
//! made from the dockets behind the head; nothing waits for it.
//!
//! What a node accepted and no docket will hold it keeps as a dead letter, so that whoever handed it in is told.
//!
//! A message is known by (origin, incarnation, sequence) and, within a register, by (origin, incarnation, register
//! sequence). The store keeps the ranges of register sequences that it holds beside the messages, so that a node can
//! tell another what it holds without reading them. A message whose transactions are in dockets may be let go of: its
//! number stays in those ranges, and beside them it is kept what is gone.

mod chain;
mod checker;
mod checksum;
mod codec;
mod contract;
mod docket;
mod error;
mod filesystem;
mod index;
mod memory;
mod message;
mod migrations;
mod postgres;
mod prepared;
mod queue;
mod rows;
mod sealing_state;
mod sqlite;
mod values;

pub use contract::{DocketStore, Failure, Pending, SealingStore, Store};
pub use docket::{
    Applied, DocketCertificate, DocketTransactions, Extension, HeldDockets, LogEntry, LogState, NewDocket, NewLog,
    Seen, StoredDocket, StoredHeader, TransactionPlace,
};
pub use error::StoreError;
pub use memory::Memory;
pub use peerwright_engine::{Held, MessageRange};
pub use postgres::{Postgres, PostgresRefused, PostgresSettings};
pub use sqlite::Sqlite;
pub use values::{
    Appended, CarriedTransactions, Counts, DeadLetter, ListedDeadLetter, ListedMessage, ListedTransaction, Purged,
    StoredTransaction,
};

/// How much of a body one row of the store, and one chunk on a link, holds.
pub const BODY_CHUNK_BYTES: usize = 64 * 1024;
/// Most dead letters, over all registers. Beyond that the oldest go.
pub const MAX_DEAD_LETTERS: u32 = 10_000;

#[cfg(test)]
mod tests;

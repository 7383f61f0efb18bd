//! What the store answers with.

use bytes::Bytes;
use peerwright_ledger::{RegisterId, TransactionId};
use peerwright_secure::NodePublicKey;

/// What became of one appended message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Appended {
    /// It is new and is stored.
    Stored {
        /// How many of its transactions the register did not hold before.
        transactions: u32,
    },
    /// The same bytes were stored before.
    Duplicate,
    /// Other bytes are stored under the same (origin, incarnation, sequence) or the same place of the register; they
    /// stay. The origin has signed two messages for one place.
    Conflicting,
}

/// A transaction with where it came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredTransaction {
    /// Its id.
    pub id: TransactionId,
    /// The encoded transaction.
    pub bytes: Bytes,
    /// The node that accepted it first, as far as this store knows.
    pub origin: NodePublicKey,
    /// The life of that node's process.
    pub incarnation: u64,
    /// When this node stored it, unix microseconds.
    pub stored_at: u64,
}

/// A row of a register's list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ListedTransaction {
    /// Its place in the order in which this node stored transactions: rises, with holes. A cursor.
    pub position: u64,
    /// Its id.
    pub id: TransactionId,
    /// Length of the encoded transaction in bytes.
    pub size: u32,
    /// The node that accepted it first, as far as this store knows.
    pub origin: NodePublicKey,
    /// When this node stored it, unix microseconds.
    pub stored_at: u64,
}

/// A stretch of a register's list with the transactions themselves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CarriedTransactions {
    /// In the order of their positions, each with its bytes where they were at hand. Those of a large one are among the
    /// bodies.
    pub rows: Vec<(ListedTransaction, Option<Bytes>)>,
    /// Whether nothing was stored behind these.
    pub is_end: bool,
}

/// A message in the order in which this node stored them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedMessage {
    /// Its place in that order: rises, with holes.
    pub position: u64,
    /// Its register.
    pub register: RegisterId,
    /// Who published it.
    pub origin: NodePublicKey,
    /// The life of that node's process.
    pub incarnation: u64,
    /// Its number within that life and the register.
    pub register_sequence: u64,
    /// The transactions that it carries or announces; none when the disk has changed it.
    pub transactions: Vec<TransactionId>,
}

/// A transaction that this node accepted and that no docket will hold, as far as the sealers have said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadLetter {
    /// Its register.
    pub register: RegisterId,
    /// Its id.
    pub id: TransactionId,
    /// Why, in one word.
    pub reason: String,
    /// Since when this node knows, unix microseconds.
    pub died_at: u64,
}

/// A row of a register's dead letters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedDeadLetter {
    /// Its place in the order in which they became known: rises, with holes. A cursor.
    pub position: u64,
    /// What became of it.
    pub letter: DeadLetter,
}

/// How much a register holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Messages.
    pub messages: u64,
    /// Transactions, each id once.
    pub transactions: u64,
}

/// What was removed: of a register as a whole, or of messages that were let go of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Purged {
    /// Messages.
    pub messages: u64,
    /// Transactions, each id once.
    pub transactions: u64,
    /// Bodies of large transactions.
    pub bodies: u64,
}
